"""nginx, HAProxy and publishd running what tmgc makes of one small policy, for tests that look at traffic.

    with Traffic(t, rules=[...], farms=...) as traffic:
        for name, port in traffic.ports.items(): ...
"""
import os
import re
import signal
import socket
import subprocess
import time
from live import Stream
from localise import own_folders
from ports import free_port

PROXIES = ("nginx", "haproxy", "publishd")


def site_rule(name, ports, more="", names=None, farm=None, paths="[/*]"):
    """A rule of policy.yaml; the servers' ports go into the site map."""
    return """
  - name: %s
    listener: web
    names: [%s]
    paths: %s
    sources: {any: true}
    all_users: true
    site: %s.corp.example
%s%s""" % (name, names or name + ".example", paths, name, "    farm: %s\n" % farm if farm else "", "".join("    %s\n" % line for line in more.splitlines()))


class Traffic:
    def __init__(self, t, rules, backends, farms="", listener="", site=""):
        """rules: texts by site_rule; backends: {"name" or "name:port": "host:port"}; farms: further keys of the policy; listener: further
        lines of it; site: of the site map."""
        self.t, self.rules, self.backends, self.farms, self.listener, self.more = t, rules, backends, farms, listener, site
        self.ports, self.processes, self.folders = {}, {}, {}

    def __enter__(self):
        try:
            for name in PROXIES:
                self.start(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def convert(self, name, port):
        policy = self.t.write("%s/policy-in.yaml" % name, "policy: 1\nlisteners:\n  - name: web\n    on: [{network: External, select: specified, "
                              "addresses: [127.0.0.1]}]\n    http: %d\n%s%s\nnetworks:\n  - name: External\n    kind: external\nrules:%s"
                              % (port, "".join("    %s\n" % line for line in self.listener.splitlines()), self.farms, "".join(self.rules)))
        site = self.t.write("%s/site.yaml" % name, "site: 1\nbackends:\n" + "".join('  "%s": "%s"\n' % b for b in self.backends.items()) + self.more)
        out = self.t.path(name, "out")
        r = self.t.convert(policy, out, "-t", name, "--fail-on", "never", "-q", site=site)
        if r.status:
            raise RuntimeError("convert: %s" % r)
        return out

    def start(self, name):
        port = free_port()
        out = self.convert(name, port)
        self.folders[name] = out
        if name == "nginx":
            with open(out + "/nginx/nginx.conf") as f:
                text = own_folders(f.read(), out).replace("worker_processes auto;", "worker_processes 2;\npid %s/pid;\ndaemon off;" % out)
            with open(out + "/nginx.conf", "w") as f:
                f.write(text)
            command = ["nginx", "-c", out + "/nginx.conf", "-e", out + "/error.log"]
        elif name == "haproxy":
            command = ["haproxy", "-db", "-f", out + "/haproxy/haproxy.cfg"]
        else:
            command = [os.path.join(self.t.build, "publishd"), "-f", "-c", out + "/publishd/publishd.yaml"]
        log = open(out + "/log", "wb")
        self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if self.processes[name].poll() is not None:
                    break
                time.sleep(0.05)
        else:
            raise RuntimeError(name + " does not listen")
        if self.processes[name].poll() is not None:
            with open(out + "/log", "rb") as f:
                raise RuntimeError("%s does not start: %s" % (name, f.read()[-2000:]))
        self.ports[name] = port

    def config(self, name):
        file = {"nginx": "nginx/nginx.conf", "haproxy": "haproxy/haproxy.cfg", "publishd": "publishd/publishd.yaml"}[name]
        with open(os.path.join(self.folders[name], file)) as f:
            return f.read()

    def connect(self, name, source=None, timeout=30):
        sock = socket.create_connection(("127.0.0.1", self.ports[name]), timeout, source_address=(source, 0) if source else None)
        return Stream(sock)

    def ask(self, name, request, method=b"GET", source=None, timeout=30):
        """(status, head, body, complete) over a connection of its own."""
        stream = self.connect(name, source, timeout)
        try:
            stream.send(request)
            return stream.answer(method)
        finally:
            stream.close()

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def field(head, name):
    """A header's value, or None."""
    found = re.search(rb"(?mi)^%s: *([^\r]*)" % re.escape(name), head)
    return found.group(1) if found else None
