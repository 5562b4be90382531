"""Handshakes by NTLM without a domain: of clients with publishd, legs of every framing (6.2), and of publishd with a server that forgets (B-106)."""
import base64
import os
import re
import struct
import subprocess
from live import Publishd, Server, rule
from .common import test_each
from .signing import BUILDS, basic, echoing, passwords, program

BEGIN = b"NTLM " + base64.b64encode(b"NTLMSSP\0\1\0\0\0\x06\x82\x08\xa2" + bytes(16))
SITE = "site.example"


def ended_well(t, p):
    """gss-ntlmssp 1.2.0 loses a context of OpenSSL's at each handshake with a server, so leaks are not looked for here."""
    p.stop()
    t.check("ERROR: AddressSanitizer" not in p.said() and "runtime error" not in p.said(), "the sanitizers:", p.said()[:3000])


# ---- clients' legs -----------------------------------------------------------------------------------------------
class Front(Publishd):
    """A listener that offers NTLM alone, its users in a file; everybody may pass."""
    def __init__(self, t, build, server):
        keys = t.write("ntlm-users", "LAB:alice:Alice.Pw1\n")
        super().__init__(program(t, build), t.dir, [rule(server.port, more="users: [All Authenticated Users]")], sockets=None,
                         listener="authentication: {integrated: true, offer: [ntlm], over_http: true, validator: ad, domain: LAB}",
                         top="user_sets:\n  - {name: All Authenticated Users}\nservice:\n  forms: {account_limit: 0, address_limit: 0}\n"
                             "  sign_in: {passwords: %s, ntlm_users: %s}\n" % (passwords(t), keys))

    def curl(self, *options, stdin=b"", path="/"):
        """(status of the last answer, all heads that were sent and came, body)."""
        p = subprocess.run(["curl", "-sS", "-v", "-m", "30", "--noproxy", "*", "--resolve", "%s:%d:127.0.0.1" % (SITE, self.port), "--ntlm", "-u", "LAB\\alice:Alice.Pw1",
                            "-w", "\n%{http_code}", *options, "http://%s:%d%s" % (SITE, self.port, path)], input=stdin, capture_output=True, timeout=60)
        text, _, status = p.stdout.rpartition(b"\n")
        return int(status or 0), p.stderr.decode("latin-1"), text


def leg(fields, body=b"", path=b"/"):
    return b"PUT %s HTTP/1.1\r\nHost: site.example\r\nAuthorization: %s\r\n%s\r\n" % (path, BEGIN, fields) + body


def challenged(t, stream, what):
    status, head, _, _ = stream.answer()
    t.check(status == 401 and b"\r\nWWW-Authenticate: NTLM TlRMTVNTUAAC" in head and b"\r\nconnection: close" not in head.lower(), what, status, head)


CHUNKED, EXPECT = b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"
# What stands between a leg and the next request on the connection.
LEGS = [("no last chunk", CHUNKED, b""), ("a chunked body", CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"), ("an extension", CHUNKED, b"a ;x=y\r\n0123456789\r\n0\r\nA: b\r\n\r\n"),
        ("an empty chunked body", CHUNKED, b"0\r\n\r\n"), ("a body", b"Content-Length: 5\r\n", b"PUT /"), ("an empty body", b"Content-Length: 0\r\n", b""),
        ("no length", b"", b""), ("a large body", b"Content-Length: 300000\r\n", b"x" * 300000)]


def legs(t, front, server):
    before = server.connections
    for what, fields, body in LEGS:
        for apart in (False, True):
            stream = front.connect()
            for n in range(3):
                if apart:                                    # the answer first, then each byte alone
                    stream.send(leg(fields))
                    challenged(t, stream, "%s, leg %d, apart" % (what, n))
                    for i in range(min(len(body), 40)):
                        stream.send(body[i:i + 1])
                    stream.send(body[40:])
                else:
                    stream.send(leg(fields, body))
                    challenged(t, stream, "%s, leg %d" % (what, n))
            stream.close()
    for method in (b"ADD", b"DEAD", b"BEEF"):                # letters that are digits too
        stream = front.connect()
        for piece in (1, 1000):
            stream.send(leg(CHUNKED))
            challenged(t, stream, "no last chunk, then " + method.decode())
            text = leg(b"Content-Length: 0\r\n").replace(b"PUT", method, 1)
            for i in range(0, len(text), piece):
                stream.send(text[i:i + piece])
            challenged(t, stream, method.decode())
        stream.close()
    for what, fields, body in (("a length", b"Content-Length: 6\r\n", b"GET / "), ("chunks", CHUNKED, b"6\r\nGET / \r\n0\r\n\r\n"), ("chunks that never come", CHUNKED, b"")):
        stream = front.connect()
        for n in range(2):
            stream.send(leg(EXPECT + fields))
            t.equal(stream.answer()[0], 100, "expecting, %s: asked for" % what)
            challenged(t, stream, "expecting, " + what)
            stream.send(body)
        stream.close()
    for body in (b"zz\r\n\r\n", b"5 5\r\n\r\n", b"5 " + b" " * 100 + b"\r\n\r\n", b" GET / HTTP/1.1\r\n\r\n", b"5;\0\r\n"):     # neither a chunk nor a request
        stream = front.connect()
        stream.send(leg(CHUNKED))
        challenged(t, stream, "before nonsense")
        stream.send(body)
        t.check(stream.answer()[0] in (0, 400), "nonsense behind a leg ends the connection:", body)
        stream.close()
    t.equal(server.connections, before, "no leg reached the server")


def curls(t, front):
    big = t.write("big", os.urandom(1500000))
    for what, options, stdin, sent, least in (
            ("a chunked body from a pipe", ("-T", "-"), b"from a pipe", b"from a pipe", "Transfer-Encoding: chunked"),
            ("a large chunked body", ("-T", "-"), open(big, "rb").read(), open(big, "rb").read(), "Transfer-Encoding: chunked"),
            ("a large body", ("--data-binary", "@" + big), b"", open(big, "rb").read(), "HTTP/1.1 100 Continue"),
            ("a chunked POST", ("-H", "Transfer-Encoding: chunked", "-d", "some"), b"", b"some", "Transfer-Encoding: chunked"),
            ("an empty POST", ("-X", "POST", "-d", ""), b"", b"", "Content-Length: 0"), ("a POST without a length", ("-X", "POST"), b"", b"", "POST / ")):
        status, heads, got = front.curl(*options, stdin=stdin)
        head, _, body = got.partition(b"\r\n\r\n")
        t.check(status == 200 and body == sent, "curl --ntlm, %s: %d bytes of %d" % (what, len(body), len(sent)), status, heads[-1500:])
        t.check(least in heads and "Re-using existing connection" in heads, "curl --ntlm, %s: on one connection" % what, heads[-1500:])


@test_each(*BUILDS)
def test_handshake_legs(t, build):
    with Server(echoing) as server, Front(t, build, server) as front:
        legs(t, front, server)
        curls(t, front)
        ended_well(t, front)
        t.equal([e for e in server.errors if "Reset" not in e], [], "errors of the server")


# ---- a server that forgets ------------------------------------------------------------------------------------------
def challenge():
    """An NTLM challenge of LAB with the information about the server that NTLMv2 is made with (MS-NLMP 2.2.1.2)."""
    name, info = "LAB".encode("utf-16-le"), b""
    for number, text in ((2, "LAB"), (1, "WEB"), (4, "lab.test"), (3, "web.lab.test")):
        value = text.encode("utf-16-le")
        info += struct.pack("<HH", number, len(value)) + value
    info += struct.pack("<HH", 0, 0)
    head = b"NTLMSSP\0" + struct.pack("<IHHIIQQHHIQ", 2, len(name), len(name), 56, 0xa2898215, 0x0123456789abcdef, 0, len(info), len(info), 56 + len(name), 0x0f00000000000006)
    return base64.b64encode(head + name + info)


class Forgetful:
    """Demands NTLM of each connection, and again when told to. What it answered with 200 is in `seen`, as (method, body)."""
    def __init__(self):
        self.seen, self.legs, self.forget, self.early, self.closes = [], [], 0, False, False

    def refuse(self, stream, value, head):
        if not self.early:
            stream.body(head)
        stream.send(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %s\r\n%sContent-Length: 4\r\n\r\nwho?" % (value, b"Connection: close\r\n" if self.closes else b""))
        if self.early:
            stream.body(head)

    def __call__(self, stream):
        signed = False
        while True:
            head = stream.until(b"\r\n\r\n")
            if not head:
                return
            token = re.search(rb"\r\nAuthorization: NTLM (\S+)", head)
            kind = base64.b64decode(token.group(1))[8] if token else 0
            if token:
                self.legs.append((kind, re.search(rb"(?i)\r\ncontent-length: 0\r|\r\n\r\n$", head).group(0) != b"\r\n\r\n"))
            if signed and self.forget:
                self.forget, signed = self.forget - 1, False
            if kind == 1:
                self.refuse(stream, b"NTLM " + challenge(), head)
                continue
            signed = signed or kind == 3
            if not signed:
                self.refuse(stream, b"NTLM", head)
                continue
            body = stream.body(head)[0]
            self.seen.append((head.split()[0], body))
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def post(stream, body, chunked=False, pieces=1):
    framing = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % len(body)
    stream.send(b"POST /a HTTP/1.1\r\nHost: site.example\r\n%s%s\r\n" % (basic("alice", "secret"), framing))
    size = max(1, -(-len(body) // pieces))
    for i in range(0, len(body), size):
        piece = body[i:i + size]
        stream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
    if chunked:
        stream.send(b"0\r\n\r\n")
    return stream.answer()


@test_each(*BUILDS)
def test_handshake_forgotten(t, build):
    """The server asks again on a connection where the user was signed in: the client notices nothing, and loses no body."""
    app = Forgetful()
    top = "user_sets:\n  - {name: All Authenticated Users}\nservice:\n  sign_in: {passwords: %s}\n" % passwords(t)
    with Server(app) as server:
        p = Publishd(program(t, build), t.dir, [rule(server.port, delegation="ntlm", more="users: [All Authenticated Users]")], top=top,
                     listener="authentication: {basic: true, over_http: true, validator: ad, domain: LAB}")
        with p:
            for app.early in (False, True):
                for chunked in (False, True):
                    for size, pieces in ((0, 1), (1000, 1), (30000, 7), (65536, 3)):
                        what = "%d bytes%s%s" % (size, ", chunked" if chunked else "", ", told early" if app.early else "")
                        body, stream = os.urandom(size), p.connect()
                        app.seen.clear()
                        for n in range(4):
                            app.forget = n % 2
                            status, _, got, _ = post(stream, body, chunked, pieces)
                            t.equal((status, got == body), (200, True), "%s, request %d" % (what, n))
                        t.check(app.seen == [(b"POST", body)] * 4, "%s: each once at the server, whole:" % what, [(m, len(b)) for m, b in app.seen])
                        stream.close()
            app.early, stream, body = False, p.connect(), os.urandom(65537)
            t.equal(post(stream, body)[0], 200, "a large body")
            app.forget = 1
            app.seen.clear()
            t.equal((post(stream, body)[0], app.seen), (403, []), "what is too large to be kept is refused, not cut short")
            t.equal(post(p.connect(), body)[0], 200, "and goes on a new connection")
            stream.close()
            stream = p.connect()
            post(stream, b"first")
            app.forget = 10 ** 6
            t.equal(post(stream, b"second")[0], 200, "it forgets after each answer")
            t.equal(post(stream, b"third")[0], 200, "and again")
            app.forget = 0
            stream.close()
            ended_well(t, p)
            t.check((1, True) in app.legs and not [l for l in app.legs if l == (1, False)], "first legs carry no body:", set(app.legs))
        t.equal([e for e in server.errors if "Reset" not in e], [], "errors of the server")
