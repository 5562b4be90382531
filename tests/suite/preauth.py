"""preauth: HAProxy and nginx in front of publishd on loopback, as tmgc writes all three: who signs in, and what the server sees."""
import base64
import os
import re
import signal
import socket
import ssl
import subprocess
import urllib.parse
from live import Server, Stream, certificate, listens
from localise import own_folders
from ports import free_port, in_a_row
from .common import TOP, read, test
from .signing import echo_once, echoing, passwords

NAME = "mail.site.test"
BROWSER = b"User-Agent: Mozilla/5.0\r\n"


class Edge:
    """One proxy with publishd behind it, from one policy: listeners `basic` (HTTP and HTTPS), `form` and `integrated` (HTTPS)."""
    def __init__(self, t, proxy, port):
        self.t, self.proxy, self.processes = t, proxy, []
        self.chain, self.key = certificate(t.dir, "front", [NAME])
        names = ("basic", "plain", "form", "integrated")
        self.ports, self.first = {n: free_port() for n in names}, in_a_row(12)
        listener = ("  - name: %s\n    on: [{network: External, select: specified, addresses: [127.0.0.1]}]\n%s\n")
        tls = "    https: %d\n    certificates: [{thumbprint: " + "aa" * 20 + "}]\n"
        policy = "policy: 1\nlisteners:\n" + "".join((
            listener % ("basic", "    http: %d\n" % self.ports["plain"] + tls % self.ports["basic"] + "    basic: true\n    authenticate_over_http: true"),
            listener % ("form", tls % self.ports["form"] + "    forms: ad\n    form: {bind_to_address: true}"),
            listener % ("integrated", tls % self.ports["integrated"] + "    integrated: true")))
        rule = ("  - name: %s\n    listener: %s\n    names: [" + NAME + "]\n    paths: [%s]\n    sources: %s\n    bridging: http\n"
                "    delegation: block\n    site: app.corp.test\n    %s\n")
        rules = "".join(rule % r for r in (
            ("public", "basic", "/open/*", "{any: true}", "all_users: true"), ("branch", "basic", "/branch/*", "{addresses: [127.0.0.7]}", "users: [Staff]"),
            ("staff", "basic", "/staff/*", "{any: true}", "users: [Staff]"), ("mail", "form", "/owa/*", "{any: true}", "users: [Staff]"),
            ("lync", "integrated", "/abs/*", "{any: true}", "users: [Staff]")))
        text = policy + "networks:\n  - name: External\n    kind: external\nuser_sets:\n  - name: Staff\nrules:\n" + rules
        site = ("site: 1\npreauth: publishd\npreauth_port: %d\ncertificates: {\"%s\": {chain: %s, key: %s}}\nbackends: {app.corp.test: \"127.0.0.1:%d\"}\n"
                "users: {Staff: {groups: [staff]}}\nrules: {branch: {x_forwarded_for: true}, staff: {x_forwarded_for: true}, mail: {x_forwarded_for: true}}\n"
                "publishd:\n  forms: {keys: %s, make_keys: true}\n  sign_in:\n    passwords: %s\n"
                % (self.first, "aa" * 20, self.chain, self.key, port, os.path.join(t.dir, "keys-" + proxy), passwords(t)))
        self.out = t.path(proxy, "out")
        r = t.convert(t.write(proxy + "/policy-in.yaml", text), self.out, "--fail-on", "never", "-q", site=t.write(proxy + "/site.yaml", site))
        if r.status:
            raise RuntimeError("convert: %s" % r)

    def run(self, command, ports):
        log = open(self.out + "/log", "ab")
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
        log.close()
        self.processes.append(process)
        for port in ports:
            if not listens(port, process):
                with open(self.out + "/log") as f:
                    raise RuntimeError("%s does not start: %s" % (command[0], f.read()[-2000:]))

    def __enter__(self):
        try:
            self.run([os.path.join(self.t.build, "publishd"), "-f", "-c", self.out + "/publishd/publishd.yaml"], [])
            if self.proxy == "nginx":
                with open(self.out + "/nginx/nginx.conf") as f:
                    text = own_folders(f.read(), self.out).replace("worker_processes auto;", "worker_processes 1;\npid %s/pid;\ndaemon off;" % self.out)
                with open(self.out + "/nginx.conf", "w") as f:
                    f.write(text)
                self.run(["nginx", "-c", self.out + "/nginx.conf", "-e", self.out + "/error.log"], self.ports.values())
            else:
                self.run(["haproxy", "-db", "-f", self.out + "/haproxy/haproxy.cfg"], self.ports.values())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in self.processes:
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def connect(self, listener, source=None):
        sock = socket.create_connection(("127.0.0.1", self.ports[listener]), 20, source_address=(source, 0) if source else None)
        if listener != "plain":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock, server_hostname=NAME)
        return Stream(sock)

    def ask(self, listener, path, fields=b"", method=b"GET", body=None, source=None, stream=None):
        """(status, head, body) as text."""
        s = stream or self.connect(listener, source)
        length = b"Content-Length: %d\r\n" % len(body) if body is not None else b""
        s.send(b"%s %s HTTP/1.1\r\nHost: %s:%d\r\n%s%s\r\n" % (method, path.encode(), NAME.encode(), self.ports[listener], fields, length) + (body or b""))
        status, head, got, _ = s.answer(method)
        if not stream:
            s.close()
        return status, head.decode("latin-1"), got.decode("utf-8", "replace")


def same(t, got, expected, *what):
    t.equal(got, expected, ": ".join(map(str, what)))


def basic(user, password):
    return b"Authorization: Basic %s\r\n" % base64.b64encode(("%s:%s" % (user, password)).encode())


def basic_cases(t, e, what):
    for listener in ("basic", "plain"):
        status, head, _ = e.ask(listener, "/staff/x")
        same(t, status, 401, what, listener, "anonymous")
        t.check(re.search(r"(?i)\r\nWWW-Authenticate: Basic ", head), what, listener, "a challenge:", head)
        status, _, got = e.ask(listener, "/staff/x?q=%2f", basic("alice", "secret") + b"X-Publishd-Client: 198.51.100.1\r\nX-Forwarded-For: 1.1.1.1\r\n", source="127.0.0.5")
        same(t, status, 200, what, listener, "alice")
        t.check(got.startswith("GET /staff/x?q=%2f HTTP/1.1\r\n"), what, "the target as it came:", got[:200])
        same(t, re.findall(r"(?i)\r\nX-Forwarded-For: ([^\r]*)", got), ["127.0.0.5"], what, listener, "the client's address")
        t.check("authorization:" not in got.lower(), what, listener, "the password stays here:", got)
        t.check("x-publishd-client" not in got.lower(), what, listener, "the header stays here:", got)
        same(t, e.ask(listener, "/staff/x", basic("alice", "wrong"))[0], 401, what, listener, "a wrong password")
        same(t, e.ask(listener, "/staff/x", basic("bob", "secret"))[0], 403, what, listener, "another group")
        status, _, got = e.ask(listener, "/open/x", b"x-publishd-client: 198.51.100.1\r\n")
        same(t, status, 200, what, listener, "a rule for all users")
        t.check("x-publishd-client" not in got.lower(), what, listener, "which does not go through publishd: the header stays here too:", got)
        same(t, e.ask(listener, "/elsewhere")[0], 403, what, listener, "no rule")
        same(t, e.ask(listener, "/branch/x", basic("alice", "secret"), source="127.0.0.7")[0], 200, what, listener, "from the branch")
        same(t, e.ask(listener, "/branch/x", basic("alice", "secret"), source="127.0.0.8")[0], 403, what, listener, "from elsewhere")
        same(t, e.ask(listener, "/branch/x", basic("alice", "secret") + b"X-Publishd-Client: 127.0.0.7\r\n", source="127.0.0.8")[0], 403, what, listener, "who says so himself")
    body = os.urandom(300000).hex().encode()
    status, _, got = e.ask("basic", "/staff/post", basic("alice", "secret"), b"POST", body)
    same(t, (status, got.encode().endswith(body)), (200, True), what, "a body")


def form_cases(t, e, what):
    status, head, _ = e.ask("form", "/owa/inbox", BROWSER)
    same(t, status, 302, what, "anonymous")
    place = re.search(r"\r\n[Ll]ocation: ([^\r]*)", head).group(1)
    t.check("/.publishd/sign-in" in place and "%s:%d" % (NAME, e.ports["form"]) in place, what, "to the form, on the port that clients use:", place)
    path = place[place.index("/.publishd"):]
    status, head, page = e.ask("form", path, BROWSER)
    same(t, status, 200, what, "the form")
    same(t, e.ask("form", "/CookieAuth.dll?GetLogon?curl=Z2Fowa", BROWSER)[0], 302, what, "the source's address of it")
    jar = dict(re.findall(r"(?i)\r\nSet-Cookie: ([^=\r]+)=([^;\r]*)", head))
    cookies = lambda: b"Cookie: %s\r\n" % "; ".join("%s=%s" % c for c in jar.items()).encode()
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page))
    for password in ("wrong", "secret"):
        fields = dict(hidden, user="alice", password=password, computer="public")
        status, head, got = e.ask("form", "/.publishd/sign-in", BROWSER + cookies() + b"Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://%s:%d\r\n"
                                  % (NAME.encode(), e.ports["form"]), b"POST", urllib.parse.urlencode(fields).encode())
        jar.update(re.findall(r"(?i)\r\nSet-Cookie: ([^=\r]+)=([^;\r]*)", head))
        signed = e.ask("form", "/owa/inbox", BROWSER + cookies())
        same(t, signed[0], 200 if password == "secret" else 302, what, "after the password", password, status, got[:300])
    t.check(signed[2].startswith("GET /owa/inbox HTTP/1.1"), what, "the page itself:", signed[2][:200])
    same(t, e.ask("form", "/owa/inbox", BROWSER + cookies(), source="127.0.0.9")[0], 302, what, "the cookie from another address")
    kept = e.connect("form")
    same(t, [e.ask("form", "/owa/%d" % i, BROWSER + (cookies() if i % 2 else b""), stream=kept)[0] for i in range(6)], [302, 200] * 3, what, "one connection, with and without the cookie")
    kept.close()


def integrated_cases(t, e, what):
    status, head, _ = e.ask("integrated", "/abs/x")
    if e.proxy == "nginx":
        same(t, status, 403, what, "what is bound to connections stays closed")
        return
    same(t, status, 401, what, "anonymous")
    t.check(re.search(r"(?i)\r\nWWW-Authenticate: NTLM", head), what, "NTLM is offered:", head)
    negotiate = b"Authorization: NTLM " + base64.b64encode(b"NTLMSSP\0\1\0\0\0\x07\x82\x08\xa2" + b"\0" * 16) + b"\r\n"
    stream = e.connect("integrated")
    status, head, _ = e.ask("integrated", "/abs/x", negotiate, stream=stream)
    same(t, status, 401, what, "the first leg")
    t.check("\r\nconnection: close" not in head.lower(), what, "the connection stays:", head)
    stream.close()


def echoing_to_haproxy(stream):
    """HAProxy ends connections to servers by a reset (SO_LINGER of 0 before close(), which spares it TIME_WAIT): fine between two requests, and nowhere else."""
    while True:
        try:
            if not stream.more():
                return
        except ConnectionResetError:
            return
        if not echo_once(stream):
            return


@test
def test_preauth(t):
    for proxy, handler in (("haproxy", echoing_to_haproxy), ("nginx", echoing)):
        with Server(handler) as server:
            with Edge(t, proxy, server.port) as e:
                basic_cases(t, e, proxy)
                form_cases(t, e, proxy)
                integrated_cases(t, e, proxy)
            same(t, server.errors, [], proxy, "errors of the server")
    t.note = "HAProxy and nginx"


@test
def test_preauth_verify(t):
    """verify starts publishd behind each proxy, and the two answer together what the policy says."""
    sample = os.path.join(TOP, "samples", "exchange-2010")
    site = read(os.path.join(sample, "site.yaml")).decode() + "preauth: publishd\n"
    for word in ("chain: ", "key: ", "trust: "):
        site = re.sub(r"(?m)^(\s*%s)(?!/)" % word, r"\1%s/" % sample, site)
    site = t.write("site.yaml", site)
    export = os.path.join(sample, "export.xml")
    r = t.run("verify", export, "-m", site)
    said = r.out.decode()
    t.equal(r.status, 0, "verify: " + said[-2000:])
    counts = re.findall(r"(?m)^(\w+) +(\d+) requests: (\d+) agreed, .* (\d+) disagreed, (\d+) untested", said)
    t.equal([(n, d, u) for n, _, _, d, u in counts], [("nginx", "0", "0"), ("haproxy", "0", "0")], "what was asked: " + said[-1000:])
    t.note = "; ".join("%s: %s of %s agreed" % (n, a, all_) for n, all_, a, _, _ in counts)
