"""A sample published in the lab: its export converted by tmgc, with a site map that says where the lab is, and what came of it running."""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import uuid

from live import Stream, free_port
from localise import localise, own_folders

HERE = os.path.dirname(os.path.abspath(__file__))


class Published:
    """A `with` for a sample, converted and running; proxy: "haproxy" or "nginx" for one in front of publishd. backends: {"name:port" of the export: a live.Server};
    change(text): of publishd.yaml; check(name, passed, what): told how publishd ended."""
    def __init__(self, lab, build, sample, check, backends=None, proxy="", change=lambda text: text):
        self.lab, self.build, self.check = lab, build, check
        self.folder, self.proxy, self.processes = lab.path("run", "story-%s-%s" % (sample, uuid.uuid4().hex[:6])), proxy, []
        self.export = os.path.join(HERE, "..", "samples", sample, "export.xml")
        self.https, self.http = free_port(), free_port()
        place = localise(self.export, os.path.join(HERE, "..", "samples", sample, "site.yaml"), self.folder, http=self.http, https=self.https)
        self.ca, self.listeners = place["ca"], place["listeners"]
        self.pair = [os.path.join(self.folder, "server" + end) for end in (".pem", ".key")]
        self.site, self.backends, self.change = os.path.join(self.folder, "site.yaml"), backends or {}, change

    def write_site(self):
        """The site map with the lab's servers, its domain and its keytab."""
        with open(self.site) as f:
            text = f.read().replace("CONTOSO", "LAB")
        for name, server in self.backends.items():
            text = re.sub(r'(?m)^(  "%s": )\S+$' % re.escape(name), r"\g<1>%s:%d" % (server.address, server.port), text)
        if self.proxy:
            text += "preauth: publishd\npreauth_port: %d\n" % free_port()
        text += ("publishd:\n  loops: 2\n  forms: {account_limit: 0, address_limit: 0}\n  log: %s/access.log\n  sign_in:\n    ad: kerberos\n"
                 "    domains: [{netbios: LAB, realm: LAB.TEST}]\n    kerberos: {config: %s, keytab: %s, principal: HTTP/front.lab.test@LAB.TEST}\n"
                 % (self.folder, self.lab.path("krb5.conf"), self.lab.path("kt", "front.keytab")))
        with open(self.site, "w") as f:
            f.write(text)

    def tmgc(self, *words):
        return subprocess.run([os.path.join(self.build, "tmgc"), *words], capture_output=True, text=True)

    def start(self, command, where):
        env = dict(self.lab.sanitized(), PATH=os.environ["PATH"] + ":/usr/sbin")
        log = open(os.path.join(self.folder, "log"), "ab")
        p = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        log.close()
        self.processes.append(p)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(where) == 0:
                    return
            if p.poll() is not None:
                break
            time.sleep(0.05)
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            raise RuntimeError("%s does not start: %s" % (command[0], f.read()[-3000:]))

    def __enter__(self):
        try:
            self.write_site()
            r = self.tmgc("convert", self.export, "-m", self.site, "-o", self.folder, "--fail-on", "never", "-q")
            if r.returncode:
                raise RuntimeError(r.stderr)
            file = os.path.join(self.folder, "publishd", "publishd.yaml")
            with open(file) as f:
                text = f.read()
            with open(file, "w") as f:
                f.write(self.change(text))
            at = (self.listeners[0]["addresses"][0], self.https)
            first = re.search(r"address: \"([0-9.]+)\"\s+port: (\d+)", text)
            self.start([os.path.join(self.build, "publishd"), "-f", "-c", file], (first.group(1), int(first.group(2))))
            if self.proxy == "nginx":
                with open(os.path.join(self.folder, "nginx", "nginx.conf")) as f:
                    text = own_folders(f.read(), self.folder).replace("worker_processes auto;", "worker_processes 1;\npid %s/pid;\ndaemon off;" % self.folder)
                with open(os.path.join(self.folder, "nginx.conf"), "w") as f:
                    f.write(text)
                self.start(["nginx", "-c", os.path.join(self.folder, "nginx.conf"), "-e", os.path.join(self.folder, "error.log")], at)
            elif self.proxy:
                self.start(["haproxy", "-db", "-f", os.path.join(self.folder, "haproxy", "haproxy.cfg")], at)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.send_signal(signal.SIGTERM)
        codes = []
        for p in self.processes:
            try:
                codes.append(p.wait(30))
            except subprocess.TimeoutExpired:
                p.kill()
                codes.append(p.wait())
        if codes:
            with open(os.path.join(self.folder, "log"), errors="replace") as f:
                text = f.read()
            self.check("publishd ended well", codes[0] == 0, "status %d: %s" % (codes[0], text[-1000:]))
            self.check("no sanitizer says anything", "Sanitizer" not in text and "runtime error" not in text, text[-1500:])
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, listener):
        return next(l["addresses"][0] for l in self.listeners if l["name"] == listener)

    def connect(self, listener, host, timeout=40):
        sock = socket.create_connection((self.address(listener), self.https), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(ssl.create_default_context(cafile=self.ca).wrap_socket(sock, server_hostname=host))

    def curl(self, listener, host, target, *options, env=None, plain=False, stdin=b"", more=()):
        """(status, body) of the last answer; more: further targets on the same connection."""
        port, urls = self.http if plain else self.https, []
        base = ["-sS", "-m", "40", "--noproxy", "*", "--cacert", self.ca, "--resolve", "%s:%d:%s" % (host, port, self.address(listener)), "-w", "\n%{http_code}\n", *options]
        for t in (target, *more):
            urls += (["--next"] if urls else []) + base + ["%s://%s:%d%s" % ("http" if plain else "https", host, port, t)]
        p = subprocess.run(["curl", *urls], input=stdin, capture_output=True, env={**os.environ, **(env or {})}, timeout=120)
        *body, status, _ = ["", ""] + p.stdout.decode("utf-8", "replace").split("\n")
        return int(status or 0), "\n".join(body).strip() or p.stderr.decode()
