"""publishd over HTTP/2: curl and h2load as clients, and frames written by hand for what no client sends."""
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

from live import Server, answering, certificate, rule
from ports import free_port
from suite.common import THOROUGH, test_each
from suite.serving import BUILDS, clean, start

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PATIENCE = 60                            # seconds that a busy machine may take for what comes at once


class Site:
    """publishd with a TLS socket beside its plain one."""
    def __init__(self, t, build, rules, listener="", **options):
        self.pair = certificate(t.dir, "front", ["site.example", "other.example"])
        self.tls = free_port()
        self.p = start(t, build, rules, **options)
        self.p.sockets += '\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s}' % (self.tls, *self.pair)
        self.p.write(rules, listener)

    def __enter__(self):
        self.p.__enter__()
        return self

    def __exit__(self, *a):
        return self.p.__exit__(*a)

    def curl(self, *arguments, path="/", host="site.example"):
        p = subprocess.run(("curl", "-sS", "-m", "60", "--http2", "--cacert", self.pair[0], "--resolve", "%s:%d:127.0.0.1" % (host, self.tls)) + arguments +
                           ("https://%s:%d%s" % (host, self.tls, path),), capture_output=True)
        return p.returncode, p.stdout

    def frames(self):
        return Frames(self)


def literal(name, value):
    """A field of HPACK, not indexed, not packed."""
    def text(s):
        n = len(s)
        if n < 127:
            return bytes([n]) + s
        out, n = bytes([127]), n - 127
        while n > 127:
            out, n = out + bytes([n & 127 | 128]), n >> 7
        return out + bytes([n]) + s
    return b"\x00" + text(name) + text(value)


def request(method=b"GET", path=b"/", authority=b"site.example", more=(), scheme=b"https"):
    pseudo = [(b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", path)]
    return b"".join(literal(n, v) for n, v in pseudo + list(more) if v is not None)


DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9"}
STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def status_of(block):
    """The :status that begins a block of fields; the encoder was told to have no table."""
    while block and block[0] & 0xe0 == 0x20:
        block = block[1:]
    if block[0] & 0x80:
        return STATUS[block[0] & 0x7f]
    n, value = block[1] & 127, block[2:]
    if not block[1] & 128:
        return int(value[:n])
    bits, out, word = "".join("{:08b}".format(b) for b in value[:n]), "", ""
    for bit in bits:
        word += bit
        if word in DIGITS:
            out, word = out + DIGITS[word], ""
    return int(out)


class Frames:
    def __init__(self, site, window=None):
        context = ssl.create_default_context(cafile=site.pair[0])
        context.set_alpn_protocols(["h2"])
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", site.tls), 20), server_hostname="site.example")
        assert self.sock.selected_alpn_protocol() == "h2"
        self.buffer, self.gone, self.ended = b"", None, False
        settings = struct.pack(">HI", 1, 0) + (struct.pack(">HI", 4, window) if window is not None else b"")
        self.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(SETTINGS, 0, 0, settings)
        self.send(SETTINGS, ACK, 0)

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, kind, flags, stream, payload=b""):
        self.raw(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    def ask(self, stream, block=None, end=True):
        self.send(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block or request())

    def frame(self, timeout=PATIENCE):
        """(type, flags, stream, payload), or None at the end (ended: True) or after the time."""
        self.sock.settimeout(timeout)
        try:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                piece = self.sock.recv(65536)
                self.ended = not piece
                if not piece:
                    return None
                self.buffer += piece
        except OSError as e:
            self.ended = not isinstance(e, TimeoutError)
            return None
        n = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9:9 + n], self.buffer[9 + n:]
        if kind == GOAWAY:
            self.gone = int.from_bytes(payload[4:8], "big")
        return kind, flags, stream, payload

    def answer(self, stream, timeout=PATIENCE):
        """(status, body), ("reset", code), ("end", GOAWAY's code or None) or ("silence", GOAWAY's code or None)."""
        status, body = None, b""
        while True:
            f = self.frame(timeout)
            if not f:
                return "end" if self.ended else "silence", self.gone
            kind, flags, at, payload = f
            if at != stream:
                continue
            if kind == RST:
                return "reset", int.from_bytes(payload[:4], "big")
            if kind == HEADERS:
                status = status_of(payload)
            if kind == DATA:
                body += payload
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                return status, body

    def until_end(self, timeout=PATIENCE):
        while self.frame(timeout):
            pass
        return self.gone

    def close(self):
        self.sock.close()


@test_each(*BUILDS)
def test_h2_messages(t, build):
    """What curl sends and gets over HTTP/2: methods, bodies both ways, interim answers, pages, a cut answer."""
    big = os.urandom(3 << 20)
    with open(os.path.join(t.dir, "big"), "wb") as f:
        f.write(big)

    def server(stream):
        while True:
            head, body = stream.request()
            if not head:
                return
            path = head.split()[1]
            if path == b"/chunked":
                stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")
            elif path == b"/big":
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Upper-Case: Kept\r\n\r\n" % len(big) + big)
            elif path == b"/cut":
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                return
            elif path == b"/204":
                stream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            elif path == b"/hints":
                stream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nok")
            elif head.startswith(b"HEAD "):
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            else:
                text = head + b"|" + body
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    with Server(server) as s, Site(t, build, [rule(s.port), rule(s.port, name="other.example")]) as site:
        code, out = site.curl("-w", "|%{http_version}", "-b", "a=b; c=d", path="/a?b=c")
        t.check(code == 0 and out.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: site.example:%d\r\n" % site.tls) and b"Cookie: a=b; c=d" in out and
                out.endswith(b"|2"), "a request", out)
        for method in ("POST", "PUT", "PROPFIND", "RPC_IN_DATA", "DELETE"):
            code, out = site.curl("-X", method, "-d", "hello")
            t.check(out.startswith(method.encode() + b" / ") and out.endswith(b"|hello"), "method", method, out)
        code, out = site.curl("-d", "hello", "-H", "Expect: 100-continue")
        t.check(out.endswith(b"|hello") and b"xpect" not in out, "Expect", out)
        code, out = site.curl("-T", os.path.join(t.dir, "big"), path="/up")
        t.check(code == 0 and out.endswith(b"|" + big), "3 MB up and down", code, len(out))
        code, out = site.curl(path="/big")
        t.check(out == big, "3 MB down", len(out))
        t.equal(site.curl(path="/chunked"), (0, b"abcdefg"), "a body without a length")
        code, out = site.curl("-I")
        t.check(out.startswith(b"HTTP/2 200") and b"content-length: 1234\r\n" in out, "HEAD", out)
        code, out = site.curl("-i", path="/hints")
        t.check(b"HTTP/2 103" in out and b"HTTP/2 200" in out and b"x-hop" not in out and b"connection" not in out, "an interim answer, and fields of the hop", out)
        t.check(b"204" in site.curl("-i", path="/204")[1], "no content")
        code, out = site.curl(path="/cut")
        t.check(code != 0, "a cut answer is no whole one", code, out)
        code, out = site.curl("-i", "-H", "Host: nobody.example")
        t.check(b"HTTP/2 403" in out and b"12202" in out, "no rule", out[:80])
        for _ in range(5):
            code, out = site.curl("-w", "|%{http_code}", "-H", "Host: nobody.example", "-T", os.path.join(t.dir, "big"), path="/up")
            t.check(code == 0 and out.endswith(b"|403"), "an upload that nobody wants is answered", code, out[-80:])
        f = site.frames()
        f.ask(1, request(method=b"PUT", authority=b"nobody.example", more=[(b"content-length", b"9999")]), end=False)
        t.equal(f.answer(1)[0], 403, "an answer before the body")
        f.send(DATA, 0, 1, b"more")
        t.equal(f.answer(1), ("reset", 0), "a client that goes on sending is told to stop, and nothing else")
        f.close()
        with open(os.path.join(t.dir, "small"), "wb") as f:
            f.write(b"x" * 999)
        load = subprocess.run(["h2load", "-n", "4000" if build == "plain" else "1000", "-c8", "-m16", "-H:authority: site.example", "-d", f.name,
                               "https://127.0.0.1:%d/" % site.tls], capture_output=True, text=True, timeout=120)
        t.check(re.search(r"(\d+) total, \1 started, \1 done, \1 succeeded", load.stdout), "h2load", load.stdout[-700:])
        clean(t, site.p, [s])


@test_each(*BUILDS)
def test_h2_offered(t, build):
    """Not where users are bound to connections, nor where it is switched off."""
    with Server(answering()) as s:
        for listener, more, want in (("", {}, b"2"), ("http2: false", {}, b"1.1"), ("", {"delegation": "pass"}, b"1.1")):
            with Site(t, build, [rule(s.port, **more)], listener) as site:
                code, out = site.curl("-o", "/dev/null", "-w", "%{http_version}")
                t.equal((code, out), (0, want), "the version with %r %r" % (listener, more))
                clean(t, site.p)


@test_each(*BUILDS)
def test_h2_strict(t, build):
    """Heads that HTTP/1 would not let through, and those that only HTTP/2 can have: the server sees none of them."""
    seen = []

    def server(stream):
        while True:
            head, body = stream.request()
            if not head:
                return
            seen.append(head + body)
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    bad = [
        ("two paths", request(more=[(b":path", b"/b")])), ("no path", request(path=None)), ("an empty path", request(path=b"")),
        ("no method", request(method=None)), ("a relative path", request(path=b"a")), ("a line in the path", request(path=b"/ HTTP/1.1\r\nX: y\r\n\r\n")),
        ("a space in the path", request(path=b"/a b")), ("NUL in the path", request(path=b"/a\0b")), ("a space in the method", request(method=b"GET /x")),
        ("a line in the method", request(method=b"GET / HTTP/1.1\r\nHost: y\r\n\r\nGET")), ("an unknown pseudo field", request(more=[(b":x", b"y")])),
        ("a pseudo field behind others", literal(b"a", b"b") + request()), ("another host", request(more=[(b"host", b"other.example")])),
        ("two hosts", request(authority=None, more=[(b"host", b"site.example"), (b"host", b"site.example")])),
        ("a line in the authority", request(authority=b"site.example\r\nX: y")), ("a space in the authority", request(authority=b"site.example x")),
        ("a line in a value", request(more=[(b"a", b"b\r\nc: d")])), ("LF in a value", request(more=[(b"a", b"b\nc")])), ("CR in a value", request(more=[(b"a", b"b\rc")])),
        ("NUL in a value", request(more=[(b"a", b"b\0c")])), ("a line in a name", request(more=[(b"a\r\nb", b"c")])), ("a colon in a name", request(more=[(b"a:b", b"c")])),
        ("a space in a name", request(more=[(b"a b", b"c")])), ("upper case", request(more=[(b"Abc", b"c")])), ("an empty name", request(more=[(b"", b"c")])),
        ("connection", request(more=[(b"connection", b"close")])), ("transfer-encoding", request(more=[(b"transfer-encoding", b"chunked")])),
        ("upgrade", request(more=[(b"upgrade", b"websocket")])), ("keep-alive", request(more=[(b"keep-alive", b"x")])), ("te", request(more=[(b"te", b"gzip")])),
        ("two lengths", request(more=[(b"content-length", b"0"), (b"content-length", b"1")])), ("a bad length", request(more=[(b"content-length", b"+1")])),
        ("a length and no body", request(more=[(b"content-length", b"5")])), ("CONNECT", request(method=b"CONNECT", path=None)),
        ("many fields", request(more=[(b"x%d" % i, b"y") for i in range(200)])), ("a large field", request(more=[(b"x", b"y" * 5000)] * 3)[:16000] + literal(b"", b"")),
    ]
    with Server(server) as s, Site(t, build, [rule(s.port)]) as site:
        for what, block in bad:
            f = site.frames()
            f.ask(1, block)
            status, rest = f.answer(1)
            t.check(status in (400, 431, "reset", "end"), what, status, rest)
            if status not in ("end",):
                f.ask(3)
                t.equal(f.answer(3), (200, b"ok"), "the connection goes on after: " + what)
            f.close()
        t.check(all(head.startswith(b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n") for head in seen), "what the server saw:", [h for h in seen if b"site.example\r\n\r\n" not in h])
        del seen[:]
        f = site.frames()
        f.ask(1, request(method=b"POST", more=[(b"content-length", b"5")]), end=False)
        f.send(DATA, END_STREAM, 1, b"1234567")
        t.equal(f.answer(1)[0], "reset", "more than the length")
        f.ask(3, request(method=b"POST"), end=False)
        f.send(DATA, 0, 3, b"abc")
        f.send(HEADERS, END_STREAM | END_HEADERS, 3, literal(b"trailer", b"x"))
        t.equal(f.answer(3), (200, b"ok"), "trailers are dropped")
        t.check(seen[-1].endswith(b"abc") and b"railer" not in seen[-1], "what the server saw", seen)
        f.ask(5, request(more=[(b"cookie", b"a=b"), (b"te", b"trailers"), (b"cookie", b"c=d")]))
        t.equal(f.answer(5)[0], 200, "cookies in pieces")
        t.check(b"Cookie: a=b; c=d\r\n" in seen[-1] and b"te:" not in seen[-1].lower(), "one cookie", seen[-1])
        clean(t, site.p)


@test_each(*BUILDS)
def test_h2_abuse(t, build):
    """Floods end their own connection; everybody else is served, and memory stays where it was."""
    with Server(answering(body=b"x" * 200000)) as s, Site(t, build, [rule(s.port)]) as site:
        def flood(name, one, many=20000):
            f = site.frames()
            try:
                one(f, many)
            except OSError:                  # it is closed already
                pass
            f.until_end()
            t.check(f.ended and f.gone in (1, 2, 11, None), name + ": closed, with", f.ended, f.gone)
            f.close()
            other = site.frames()
            other.ask(1)
            other.send(WINDOW, 0, 0, struct.pack(">I", 1 << 20))
            other.send(WINDOW, 0, 1, struct.pack(">I", 1 << 20))
            t.equal(other.answer(1), (200, b"x" * 200000), "others are served after: " + name)
            other.close()

        def resets(f, n):
            for i in range(n):
                f.raw(b"".join(struct.pack(">I", len(b))[1:] + bytes([k, fl]) + struct.pack(">I", 2 * i + 1) + b for k, fl, b in
                               ((HEADERS, END_STREAM | END_HEADERS, request()), (RST, 0, struct.pack(">I", 8)))))

        def pings(f, n):
            for i in range(n):
                f.send(PING, 0, 0, b"12345678")

        def settings(f, n):
            for i in range(n):
                f.send(SETTINGS, 0, 0, struct.pack(">HI", 3, 100))

        def empty(f, n):
            f.ask(1, request(method=b"POST"), end=False)
            for i in range(n):
                f.send(DATA, 0, 1)

        def continuations(f, n):
            f.send(HEADERS, END_STREAM, 1, request())
            for i in range(n):
                f.send(CONTINUATION, 0, 1, literal(b"x", b"y" * 100))

        def empty_continuations(f, n):
            f.send(HEADERS, END_STREAM, 1, request())
            for i in range(n):
                f.send(CONTINUATION, 0, 1)
        flood("rapid reset", resets)
        flood("pings", pings)
        flood("settings", settings)
        flood("empty frames", empty)
        flood("continuations", continuations)
        flood("empty continuations", empty_continuations)
        f, made = site.frames(), 0                       # what is wrong makes the server reset: one stream after the other, so that there are never many
        for made in range(3000):
            f.raw(b"".join(struct.pack(">I", len(b))[1:] + bytes([k, fl]) + struct.pack(">I", 2 * made + 1) + b for k, fl, b in
                           ((HEADERS, END_STREAM | END_HEADERS, request(authority=b"no.such.name")), (WINDOW, 0, b"\x7f\xff\xff\xff"))))
            kind = None
            while kind != RST and (frame := f.frame()):
                kind = frame[0]
            if kind != RST:
                break
        t.check(made < 2999 and f.gone == 11, "resets that a client makes us send: closed, with", f.gone, "after", made)
        f.close()
        f = site.frames()
        f.raw(b"\xff" * 1000)
        t.check(f.until_end() in (1, 6, None) and f.ended, "garbage ends the connection", f.ended, f.gone)
        closed = Frames(site, window=0)      # asks for much and lets nothing through
        for i in range(100):
            closed.ask(2 * i + 1)
        time.sleep(1.5)
        if build == "plain":
            t.check(site.p.memory() < 60 << 20, "memory with a window of zero:", site.p.memory())
        closed.send(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20))
        closed.send(WINDOW, 0, 0, struct.pack(">I", 1 << 30))
        got = {}
        while sum(got.values()) < 100 * 200000:
            frame = closed.frame()
            if not frame:
                break
            if frame[0] == DATA:
                got[frame[2]] = got.get(frame[2], 0) + len(frame[3])
        t.equal((len(got), set(got.values())), (100, {200000}), "all of it once the window opens")
        closed.close()
        clean(t, site.p, [s])


@test_each(*BUILDS)
def test_h2_streams(t, build):
    """A stream whose server does not read stops alone; one that is reset lets go of its server; drain lets the others end."""
    stuck, gone = threading.Event(), threading.Event()

    def server(stream):
        head = stream.until(b"\r\n\r\n")
        while head:
            if b"/stuck" in head:
                stuck.wait(30)
                body, _ = stream.body(head)
                text = b"%d" % len(body)
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            elif b"/wait" in head:
                if not stream.more():
                    gone.set()
                    return
            elif b"/slow" in head:
                time.sleep(1)
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")
            else:
                stream.body(head)
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            head = stream.until(b"\r\n\r\n")
    total = 8 << 20
    with Server(server) as s, Site(t, build, [rule(s.port)], loops=1) as site:
        f = site.frames()
        f.ask(1, request(method=b"POST", path=b"/stuck", more=[(b"content-length", b"%d" % total)]), end=False)
        room, connection, sent = 65535, 65535, 0
        while sent < total:
            n = min(room, connection, 16384, total - sent)
            if n <= 0:
                frame = f.frame(1)
                if not frame:
                    break                    # its window is closed: nobody reads
                if frame[0] == WINDOW:
                    more = int.from_bytes(frame[3], "big")
                    room, connection = (room + more, connection) if frame[2] else (room, connection + more)
                elif frame[0] == SETTINGS and not frame[1] & ACK:
                    value = re.search(rb"\x00\x04(....)", frame[3], re.S)
                    room += int.from_bytes(value.group(1), "big") - 65535 if value else 0
                continue
            f.send(DATA, 0, 1, bytes(n))
            sent, room, connection = sent + n, room - n, connection - n
        t.check(sent < 7 << 20 and connection > 100000, "the stream stops, the connection does not", sent, connection)
        f.ask(3, request(path=b"/quick"))
        t.equal(f.answer(3), (200, b"ok"), "another stream beside it")
        stuck.set()
        while sent < total:
            n = min(room, connection, 16384, total - sent)
            if n <= 0:
                frame = f.frame()
                if not frame:
                    break
                if frame[0] == WINDOW:
                    more = int.from_bytes(frame[3], "big")
                    room, connection = (room + more, connection) if frame[2] else (room, connection + more)
                continue
            f.send(DATA, END_STREAM if sent + n == total else 0, 1, bytes(n))
            sent, room, connection = sent + n, room - n, connection - n
        t.equal(f.answer(1), (200, b"%d" % total), "it goes on when its server reads")
        f.ask(5, request(path=b"/wait"))
        time.sleep(0.3)
        f.send(RST, 0, 5, struct.pack(">I", 8))
        t.check(gone.wait(PATIENCE), "a reset stream's server connection is closed")
        f.ask(7, request(path=b"/slow"))
        time.sleep(0.3)
        site.p.process.terminate()
        t.equal((f.answer(7), f.until_end()), ((200, b"slow"), 0), "drained: GOAWAY, and what was under way ends")
        t.equal(site.p.process.wait(PATIENCE), 0, "and publishd ends")


@test_each("plain")
def test_h2_large(t, build):
    """256 MiB in each direction, 1 GiB with TMGC_THOROUGH=4; memory stays bounded."""
    total = (1 << 28) * THOROUGH

    def server(stream):
        head = stream.until(b"\r\n\r\n")
        if head.startswith(b"GET"):
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
            for _ in range(total >> 20):
                stream.send(bytes(1 << 20))
        elif head:
            got, buffer = len(stream.buffer), bytearray(1 << 20)
            while got < total:
                n = stream.sock.recv_into(buffer)
                if not n:
                    break
                got += n
            text = b"%d" % got
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    with Server(server) as s, Site(t, build, [rule(s.port)], loops=1) as site:
        file = os.path.join(t.dir, "large")
        with open(file, "wb") as f:
            f.truncate(total)
        t.equal(site.curl("-m", "600", "-o", "/dev/null", "-w", "%{size_download}"), (0, b"%d" % total), "downloaded")
        t.equal(site.curl("-m", "600", "-T", file), (0, b"%d" % total), "uploaded")
        os.unlink(file)
        t.check(site.p.memory() < 30 << 20, "memory:", site.p.memory())
        clean(t, site.p, [s])
