"""Certificates that clients show to publishd: good and bad ones, whom they sign in, and what a reload makes of them (B-98)."""
import os
import re
import ssl
import subprocess
import time

from live import Publishd, Server, certificate, echo, free_port, get, rule
from suite.common import test, test_each
from suite.signing import Client, Front, basic, passwords

VERSIONS = {"TLS 1.2": ssl.TLSVersion.TLSv1_2, "TLS 1.3": ssl.TLSVersion.TLSv1_3}
UPN = "otherName=1.3.6.1.4.1.311.20.2.3;FORMAT:UTF8,UTF8:"
LAB = "domains: [{netbios: LAB, realm: LAB.TEST}]"


class Authority:
    """An issuer of client certificates, by openssl."""
    def __init__(self, t, name):
        self.dir, self.name = t.dir, name
        self.cert, self.key = certificate(t.dir, name, [name])
        self.revoked = []

    def run(self, *arguments):
        subprocess.run(("openssl",) + arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, name, alternative=None, days=2, usage="clientAuth", ca=False):
        """(certificate, key) files of a client; ca: of an issuer below this one, whose chain is in the file."""
        files = cert, key, request, more = [os.path.join(self.dir, name + end) for end in (".pem", ".key", ".csr", ".ext")]
        with open(more, "w", encoding="utf-8") as f:
            f.write("basicConstraints=critical,CA:%s\n" % str(ca).upper())
            f.write("extendedKeyUsage=%s\n" % usage if usage and not ca else "")
            lines = ("%s.%d=%s" % (line.split("=")[0], n, line.split("=", 1)[1]) for n, line in enumerate(alternative.splitlines())) if alternative else ()
            f.write("subjectAltName=@names\n[names]\n" + "\n".join(lines) if alternative else "")
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", "/CN=" + name, "-out", request)
        self.run("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", str(days), "-extfile", more, "-out", cert)
        return tuple(files[:2])

    def below(self, name):
        other = object.__new__(Authority)
        other.dir, other.name, other.revoked = self.dir, name, []
        other.cert, other.key = self.issue(name, ca=True)
        return other

    def crl(self, *certificates):
        """A revocation list with these."""
        base = os.path.join(self.dir, self.name + "-ca")
        open(base + ".index", "w").close()
        with open(base + ".cnf", "w") as f:
            f.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s.index\ndefault_md=sha256\ndefault_crl_days=2\n" % base)
        for name in certificates:
            self.run("ca", "-config", base + ".cnf", "-cert", self.cert, "-keyfile", self.key, "-revoke", name)
        self.run("ca", "-config", base + ".cnf", "-cert", self.cert, "-keyfile", self.key, "-gencrl", "-out", base + ".crl")
        return base + ".crl"


def tls(p, port, pair=None, version=None, host="open.example"):
    """A connection with this client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if pair:
        context.load_cert_chain(*pair)
    if version:
        context.minimum_version = context.maximum_version = version
    stream = p.connect(port=port)
    stream.sock = context.wrap_socket(stream.sock, server_hostname=host)
    return stream


def ask(stream, host, fields=b"", path=b"/"):
    stream.send(get(path, host=host.encode(), fields=fields))
    status, head, body, _ = stream.answer()
    return status, body.decode("utf-8", "replace")


class Listener(Publishd):
    """publishd whose listener asks clients for a certificate, for three sites: open to all, for certificates, for the staff."""
    def __init__(self, t, server, trust, crl=None, authentication="client_certificate: true", sign_in="", more=""):
        self.tls_port, plain = free_port(), free_port()
        self.first, self.second = certificate(t.dir, "front", ["open.example"]), certificate(t.dir, "second", ["second.example"])
        sockets = "".join('\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s}' % ((self.tls_port,) + pair) for pair in (self.first, self.second))
        sockets += '\n      - {address: "127.0.0.1", port: %d}' % plain
        self.log_file = os.path.join(t.dir, "requests.log")
        self.top = ("user_sets:\n  - {name: Staff, groups: [staff]}\nservice:\n  log: %s\n  sign_in:\n    passwords: %s\n    %s\n%s"
                    % (self.log_file, passwords(t), LAB, "".join("    %s\n" % line for line in sign_in.splitlines())))
        self.authentication = "authentication: {%s, validator: ad, domain: LAB}\n%s" % (authentication, more)
        self.rules = [rule(server.port, name="open.example"), rule(server.port, name="second.example", more="client_certificate: required\n"),
                      rule(server.port, name="required.example", more="client_certificate: required\n"), rule(server.port, name="staff.example", more="users: [Staff]\n")]
        super().__init__(os.path.join(t.asan, "publishd"), t.dir, self.rules, listener=self.trusting(trust, crl), top=self.top, sockets=sockets)
        self.port = plain

    def trusting(self, trust, crl=None):
        return self.authentication + "client_trust: %s\n%s" % (trust, "client_crl: %s\n" % crl if crl else "")

    def users(self):
        with open(self.log_file, encoding="utf-8") as f:
            return re.findall(r'"user":"((?:[^"\\]|\\.)*)"', f.read())


@test_each(*VERSIONS)
def test_client_certificates(t, version):
    """Each kind of certificate at each kind of rule: a page, never a broken handshake, and no server hears of who may not pass."""
    version = VERSIONS[version]
    ca, other = Authority(t, "clients"), Authority(t, "others")
    issuer = ca.below("issuer")
    kinds = {
        "alice": ca.issue("alice", UPN + "alice@lab.test"), "bob": ca.issue("bob", UPN + "BOB@LAB.TEST"), "gone": ca.issue("gone", UPN + "gone@lab.test"),
        "umlaut": ca.issue("umlaut", UPN + "j\u00fcrgen@lab.test"), "nobody": ca.issue("nobody"), "elsewhere": ca.issue("elsewhere", UPN + "alice@elsewhere.test"),
        "unknown": ca.issue("unknown", UPN + "mallory@lab.test"), "two": ca.issue("two", "%salice@lab.test\n%sbob@lab.test" % (UPN, UPN)),
        "hostile": ca.issue("hostile", UPN + "LAB\\\\alice@lab.test"), "any use": ca.issue("any", UPN + "alice@lab.test", usage=None),
        "server's": ca.issue("servers", UPN + "alice@lab.test", usage="serverAuth"), "expired": ca.issue("expired", UPN + "alice@lab.test", days=-1),
        "revoked": ca.issue("revoked", UPN + "alice@lab.test"), "other CA": other.issue("other", UPN + "alice@lab.test"),
        "below": issuer.issue("leaf", UPN + "alice@lab.test"), "mail": ca.issue("mail", "email=Alice@Mail.Example"), "listed": ca.issue("listed"), "none": None}
    with open(kinds["below"][0], "ab") as leaf, open(issuer.cert, "rb") as f:
        leaf.write(f.read())
    lists = os.path.join(t.dir, "lists.crl")
    with open(lists, "wb") as out:
        for name in (ca.crl(kinds["revoked"][0]), issuer.crl()):
            with open(name, "rb") as f:
                out.write(f.read())
    thumb = subprocess.run(["openssl", "x509", "-in", kinds["listed"][0], "-noout", "-fingerprint", "-sha1"], capture_output=True, text=True).stdout.split("=")[1].strip()
    table = 'certificates:\n  - {thumbprint: "%s", account: \'LAB\\alice\'}\n  - {email: alice@mail.example, account: alice@lab.test}\n' % thumb
    in_staff = {"alice", "umlaut", "any use", "below", "mail", "listed"}
    text = {"none": "is needed", "expired": "has expired", "revoked": "was revoked", "other CA": "is none that is trusted", "server's": "is none that is trusted"}
    with Server(echo) as server, Listener(t, server, ca.cert, lists, sign_in=table) as p:
        for kind, pair in kinds.items():
            before = server.connections
            stream = tls(p, p.tls_port, pair, version)
            for host in ("required.example", "staff.example"):
                status, page = ask(stream, host)
                passes = kind not in text if host == "required.example" else kind in in_staff
                t.equal(status, 200 if passes else 403, "%s: %s" % (host, kind))
                t.check(status == 200 or text.get(kind, "may not see" if host == "staff.example" else "?") in page, "%s: %s: says why:" % (host, kind), page)
            t.check(kind in in_staff or kind not in text or server.connections == before, kind + ": no server heard of it")
            t.equal(ask(stream, "open.example")[0], 200, "open to all: " + kind)
            t.equal(stream.sock.session_reused, False, "a new session")
            again = tls(p, p.tls_port, pair, version, host="second.example")
            shown = again.sock.getpeercert(binary_form=True)
            t.check(shown == ssl.PEM_cert_to_DER_cert(open(p.second[0]).read()), "the other certificate of the address is chosen by its name")
            t.equal(ask(again, "second.example")[0], 403 if kind in text else 200, "at the other certificate of the address: " + kind)
            again.close()
            stream.close()
        t.equal(ask(p.connect(port=p.port), "required.example")[0], 403, "over HTTP")
        t.equal(ask(p.connect(port=p.port), "staff.example")[0], 403, "over HTTP, the staff")
        t.equal(p.stop(), 0, "ends cleanly")
        t.check("Sanitizer" not in p.said(), p.said()[-2000:])
        users = p.users()
        t.equal(set(users), {"LAB\\\\alice", "LAB\\\\j\u00fcrgen"}, "the log names who signed in")
    t.note = "%d certificates" % len(kinds)


@test
def test_client_certificates_reload(t):
    """What a configuration trusts holds from its load on: for kept connections and for sessions that clients would resume."""
    ca, other = Authority(t, "clients"), Authority(t, "others")
    alice, strange = ca.issue("alice", UPN + "alice@lab.test"), other.issue("strange", UPN + "alice@lab.test")
    with Server(echo) as server, Listener(t, server, ca.cert) as p:
        for version in VERSIONS.values():
            p.write(p.rules[:1], p.authentication, p.top)
            p.reload()
            ticket = []
            wait_for(lambda: resumes(p, alice, version, ticket), t, "nobody is asked for a certificate, and sessions are resumed")
            p.write(p.rules, p.trusting(ca.cert), p.top)
            p.reload()
            wait_for(lambda: refused(p, alice, version) is False, t, "a listener that asks")
            before = resuming(p, *ticket)
            t.equal((ask(before, "staff.example")[0], before.sock.session_reused), (200, False), "a session from before that has no certificate")
            before.close()
            kept, waiting = tls(p, p.tls_port, alice, version), tls(p, p.tls_port, strange, version)
            wait_for(lambda: ask(kept, "staff.example")[0] == 200, t, "trusted")
            t.equal(ask(waiting, "staff.example")[0], 403, "the other one is not")
            ticket = kept.sock.context, kept.sock.session
            p.write(p.rules, p.trusting(other.cert), p.top)
            p.reload()
            wait_for(lambda: ask(kept, "staff.example")[0] == 403, t, "trusted no more, on the same connection")
            t.equal(ask(kept, "required.example")[0], 403, "nor where a certificate is enough")
            t.equal(ask(waiting, "staff.example")[0], 200, "and the other is")
            stream = resuming(p, *ticket)
            t.equal((ask(stream, "staff.example")[0], stream.sock.session_reused), (403, False), "a session from before is not resumed")
            kept.close(), waiting.close(), stream.close()
        p.write(p.rules, p.trusting(ca.cert, ca.crl(alice[0])), p.top)
        p.reload()
        stream = tls(p, p.tls_port, alice)
        wait_for(lambda: "revoked" in ask(stream, "required.example")[1], t, "revoked since")
        stream.close()
        before = p.said()
        p.write(p.rules, p.trusting(alice[1]), p.top)
        p.reload()
        wait_for(lambda: p.said() != before, t, "a file that holds no certificate is told of")
        stream = tls(p, p.tls_port, alice)
        t.check("revoked" in ask(stream, "required.example")[1], "and the old configuration stays")
        stream.close()
        t.equal(p.stop(), 0, "ends cleanly")
        t.check("Sanitizer" not in p.said(), p.said()[-2000:])


def resuming(p, context, session):
    stream = p.connect(port=p.tls_port)
    stream.sock = context.wrap_socket(stream.sock, server_hostname="open.example", session=session)
    return stream


def resumes(p, pair, version, ticket):
    """A second connection resumes the session of a first one, which ticket then holds."""
    first = tls(p, p.tls_port, pair, version)
    ask(first, "open.example")
    ticket[:] = first.sock.context, first.sock.session
    first.close()
    second = resuming(p, *ticket)
    try:
        return second.sock.session_reused
    finally:
        second.close()


def refused(p, pair, version):
    stream = tls(p, p.tls_port, pair, version)
    try:
        return ask(stream, "staff.example")[0] == 403
    finally:
        stream.close()


def wait_for(ready, t, what):
    end = time.monotonic() + 60
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)
    t.check(ready(), what)


@test
def test_client_certificates_http2(t):
    """HTTP/2 asks in the same handshake, and one connection is one certificate's."""
    ca = Authority(t, "clients")
    pairs = {"alice": ca.issue("alice", UPN + "alice@lab.test"), "bob": ca.issue("bob", UPN + "bob@lab.test"), None: None}
    with Server(echo) as server, Listener(t, server, ca.cert) as p:
        for who, pair in pairs.items():
            hosts = ("staff.example", "required.example", "open.example", "staff.example")
            command = ["curl", "-sS", "-k", "-m", "60", "--http2", "-o", os.devnull, "-w", "%{http_version} %{http_code}\n"]
            command += ["--cert", pair[0], "--key", pair[1]] if pair else []
            for host in hosts:
                command += ["--resolve", "%s:%d:127.0.0.1" % (host, p.tls_port)]
            got = [subprocess.run(command + ["https://%s:%d/" % (host, p.tls_port)], capture_output=True, text=True).stdout.split() for host in hosts]
            expected = {"alice": "200 200 200 200", "bob": "403 200 200 403", None: "403 403 200 403"}[who].split()
            t.equal(got, [["2", status] for status in expected], "over HTTP/2: %s" % who)
        command = ["curl", "-sS", "-k", "-m", "60", "--http2", "--parallel", "--cert", pairs["alice"][0], "--key", pairs["alice"][1],
                   "--resolve", "staff.example:%d:127.0.0.1" % p.tls_port, "-w", "%{http_code}\n"]
        for n in range(40):
            command += ["-o", os.devnull, "https://staff.example:%d/%d" % (p.tls_port, n)]
        r = subprocess.run(command, capture_output=True, text=True)
        t.equal(r.stdout.split(), ["200"] * 40, "forty streams at once, whose account is asked for first")


@test
def test_client_certificates_beside(t):
    """A listener that takes Basic too: who shows no certificate is asked for a password."""
    ca = Authority(t, "clients")
    alice, nobody = ca.issue("alice", UPN + "alice@lab.test"), ca.issue("nobody")
    with Server(echo) as server, Listener(t, server, ca.cert, authentication="client_certificate: true, basic: true") as p:
        for what, pair, fields, status in (("a certificate", alice, b"", 200), ("none", None, b"", 401), ("a password", None, basic("alice", "secret"), 200),
                                           ("one that names nobody", nobody, b"", 401), ("the same and a password", nobody, basic("alice", "secret"), 200),
                                           ("the wrong password beside a certificate", alice, basic("alice", "wrong"), 200)):
            t.equal(ask(tls(p, p.tls_port, pair), "staff.example", fields)[0], status, what)


class Carrying(Client):
    """A browser with a client certificate."""
    def __init__(self, front, pair, **options):
        super().__init__(front, **options)
        self.pair = pair

    def wrap(self, sock, context):
        if self.pair:
            context.load_cert_chain(*self.pair)
        return super().wrap(sock, context)


@test
def test_client_certificates_form(t):
    """Two factors: no form without a certificate, and both must be the same user's (KB 953684)."""
    ca, other = Authority(t, "clients"), Authority(t, "others")
    alice, bob, nobody, strange = ca.issue("alice", UPN + "alice@lab.test"), ca.issue("bob", UPN + "bob@lab.test"), ca.issue("nobody"), other.issue("strange", UPN + "alice@lab.test")
    with Server(echo) as server, Front(t, server, "sanitized", form="client_certificate: true", sign_in=LAB, trust=ca.cert) as front:
        for what, pair, said in (("none", None, "is needed"), ("another issuer's", strange, "is none that is trusted"), ("one that names nobody", nobody, "may not see")):
            c = Carrying(front, pair)
            status, _, page = c.ask("/")
            t.check(status == 403 and said in page, what, status, page)
            status, _, page = c.ask("/.publishd/sign-in?url=/")
            t.check(status == 403 and 'name="token"' not in page, what + ": no form", status, page)
        c = Carrying(front, alice)
        t.equal(c.ask("/")[0], 302, "to the form")
        t.equal(c.form("alice", "secret")[0], 303, "the same user")
        status, _, seen = c.ask("/")
        t.check(status == 200 and "Authorization: Basic" in seen, "in, and the password goes on", status, seen)
        c.pair = bob
        t.equal(c.ask("/")[0], 403, "her session with his certificate")
        c.pair = None
        t.equal(c.ask("/")[0], 403, "and without any")
        c.pair = alice
        t.equal(c.ask("/")[0], 200, "with hers again")
        c = Carrying(front, bob)
        status, _, page = c.form("alice", "secret")
        t.check(status == 403 and not c.session(), "her password with his certificate", status, page)
        t.equal(front.stop(), 0, "ends cleanly")
        t.check("Sanitizer" not in front.said(), front.said()[-2000:])


@test
def test_client_certificates_refused(t):
    """Configurations that could only mean something else are refused with their reason."""
    ca = Authority(t, "clients")
    with Server(echo) as server, Listener(t, server, ca.cert) as p:
        def said(listener, rules=p.rules):
            p.write(rules, listener, p.top)
            r = subprocess.run([p.program, "-t", "-c", p.file], capture_output=True, text=True)
            return r.returncode, r.stderr
        status, text = said(p.authentication)
        t.check(status == 1 and 'the listener "web" has no client_trust' in text, "required, and nobody is asked", status, text)
        status, text = said(p.authentication + "client_crl: %s\n" % ca.cert, p.rules[:1])
        t.check(status == 1 and "without client_trust" in text, "revocation lists alone", status, text)
        status, text = said(p.trusting(t.path("absent.pem")))
        t.check(status == 1 and "absent.pem" in text, "a file that is not there", status, text)
        status, text = said("authentication: {forms: ad, form: {client_certificate: true}}\n", p.rules[:1])
        t.check(status == 1 and "client_trust is missing" in text, "a form's second factor that nobody can show", status, text)
        status, text = said(p.trusting(ca.cert), [rule(server.port, delegation="basic", more="users: [Staff]\n")])
        t.check(status == 1 and "gets no passwords" in text, "a certificate yields no password to delegate", status, text)
        status, text = said(p.trusting(ca.cert))
        t.equal(status, 0, "and the one that is right: " + text)
