"""Compression for clients (B-65, B-143): nginx, HAProxy and publishd by the configs that tmgc wrote of one policy, in front of a server
that says what it was asked for."""
import gzip
import re
import threading
import zlib

from live import Server
from traffic import PROXIES, Traffic, field, site_rule
from .common import test

PAGE = b"".join(b"<p>line %d of a page that gets smaller: http://inside.example/x\n" % i for i in range(200))
ALLOWED, EXCEPTED = "127.0.0.2", "127.0.0.9"
TYPES = "types: {list: [text/*, application/json, .htm]}"
KEYS = """
compression:
  %s
  clients: {addresses: [127.0.0.0/8], except_addresses: [%s]}
  servers: {addresses: [127.0.0.1]}""" % (TYPES, EXCEPTED)


def pages(stream):
    """Answers /type/subtype/bytes?what,what: packs (gzip, if asked for), coded (gzip, whatever was asked), status=N, chunks, fields."""
    while True:
        head, _ = stream.request()
        if not head:
            return
        path, _, options = head.split()[1].decode().partition("?")
        kind, what = path.rsplit("/", 1)[0].strip("/").replace("none", ""), options.split(",")
        body = PAGE[:int(path.rsplit("/", 1)[1].split(".")[0])]
        asked = field(head, b"Accept-Encoding") or b"nothing"
        fields = b"X-Asked: %s\r\nETag: \"tag\"\r\n" % asked
        fields += b"Content-Type: %s; charset=utf-8\r\n" % kind.encode() if kind else b""
        status = 200
        if "packs" in what and b"gzip" in asked or "coded" in what:
            body, fields = gzip.compress(body), fields + b"Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n"
        if "kept" in what:
            fields += b"Cache-Control: private, no-transform\r\n"
        for w in what:
            if w.startswith("status="):
                status = int(w[7:])
        if field(head, b"Range"):
            status, body, fields = 206, body[10:400], fields + b"Content-Range: bytes 10-399/%d\r\n" % len(body)
        if "chunks" in what:
            stream.send(b"HTTP/1.1 %d OK\r\n%sTransfer-Encoding: chunked\r\n\r\n" % (status, fields))
            for at in range(0, len(body), 999):
                stream.send(b"%x\r\n%s\r\n" % (len(body[at:at + 999]), body[at:at + 999]))
            stream.send(b"0\r\n\r\n")
        else:
            stream.send(b"HTTP/1.1 %d OK\r\n%sContent-Length: %d\r\n\r\n%s" % (status, fields, len(body), b"" if head.startswith(b"HEAD ") else body))


class Asker:
    def __init__(self, t, traffic, proxy):
        self.t, self.traffic, self.proxy, self.asked = t, traffic, proxy, 0

    def get(self, path, accept=b"gzip", host=b"plain", source=ALLOWED, method=b"GET", version=b"1.1", fields=b""):
        """(coded, body as a client reads it, head) of an answer; the ETag is weak where the body is not the server's."""
        fields += b"Accept-Encoding: %s\r\n" % accept if accept else b""
        fields += b"Connection: close\r\n" if version == b"1.0" else b""
        request = b"%s %s HTTP/%s\r\nHost: %s.example\r\n%s\r\n" % (method, path.encode(), version, host, fields)
        status, head, body, whole = self.traffic.ask(self.proxy, request, method, source)
        self.asked += 1
        coded = field(head, b"Content-Encoding") == b"gzip"
        self.t.check(whole and status, "%s: the answer is whole:" % self.proxy, path, request, status)
        return coded, gzip.decompress(body) if coded and method != b"HEAD" else body, head

    def expect(self, what, coded, asked, path, size=5000, **options):
        """coded, asked: what the client gets and what the server was asked for; None: either is good."""
        was, body, head = self.get(path, **options)
        want = b"" if options.get("method") == b"HEAD" else PAGE[:size]
        if options.get("fields", b"").startswith(b"Range"):
            want = want[10:400]
        where = "%s, %s, %s %s" % (self.proxy, what, path, options)
        self.t.check(body == want, where + ": the page", len(body), body[:60])
        if coded is not None:
            self.t.equal(was, coded, where + ": compressed")
        self.t.equal(field(head, b"X-Asked"), asked, where + ": the server was asked for")
        if was and not re.search("packs|coded", path):
            self.t.equal((field(head, b"ETag"), field(head, b"Vary")), (b'W/"tag"', b"Accept-Encoding"), where + ": ETag and Vary")


def matrix(a):
    """A server that is asked for compressed answers, clients of whom one is an exception, and three kinds of rules."""
    nginx, haproxy = a.proxy == "nginx", a.proxy == "haproxy"
    publishd = not nginx and not haproxy
    for accept in (b"gzip", b"br, GZIP;q=0.5", b"gzip, deflate, br", b"identity;q=0.1, gzip;q=1.0"):
        a.expect("who takes gzip", True, b"gzip", "/text/html/5000", accept=accept)
    a.expect("a server that compresses", True, b"gzip", "/text/html/5000?packs")
    a.expect("in chunks", True, b"gzip", "/text/plain/5000?chunks")
    for accept in (b"", b"gzip;q=0", b"br", b"gzip;q=0.000, identity"):
        asked = b"nothing" if haproxy else b"gzip"        # HAProxy cannot unpack
        a.expect("who does not", False, asked, "/text/html/5000", accept=accept)
        a.expect("who does not, of a server that compresses", False, asked, "/text/html/5000?packs", accept=accept)
    asked = b"gzip" if publishd else b"nothing"           # nginx passes on what a client takes, if the server sends it
    for path in ("/text/html/5000", "/text/html/5000?packs", "/text/css/5000?packs,chunks"):
        a.expect("an excepted client", False, asked, path, source=EXCEPTED)
    for kind, coded in (("text/css", True), ("application/json", True), ("application/pdf", False), ("image/png", False), ("font/x", False)):
        a.expect("a type", coded, b"gzip", "/%s/5000" % kind)
    a.expect("without a type", False, b"gzip", "/none/5000")
    a.expect("by its extension", publishd, b"gzip", "/none/5000.htm")
    a.expect("a small one", None if haproxy else False, b"gzip", "/text/html/200", size=200)
    a.expect("not to be changed", None if nginx else False, b"gzip", "/text/html/5000?kept")
    a.expect("a part", False, b"nothing", "/text/html/5000", fields=b"Range: bytes=10-399\r\n")
    a.expect("no body", False if publishd else None, b"gzip", "/text/html/5000", method=b"HEAD")
    a.expect("HTTP/1.0", False, b"gzip", "/text/html/5000", version=b"1.0", accept=b"gzip")
    for status, coded in ((404, not haproxy), (500, publishd)):
        a.expect("a failure", coded, b"gzip", "/text/html/5000?status=%d" % status)
    # Accept-Encoding goes on as it came; on HAProxy the filter and the server look at the same field
    a.expect("Accept-Encoding passes", not haproxy, b"br, gzip", "/text/html/5000", host=b"own", accept=b"br, gzip")
    a.expect("Accept-Encoding passes", True, b"br, gzip", "/text/html/5000?packs", host=b"own", accept=b"br, gzip")
    a.expect("Accept-Encoding passes, an excepted client", False, b"gzip", "/text/html/5000", host=b"own", source=EXCEPTED)


def streams(t, traffic, proxy, go):
    """What a server says piece by piece comes piece by piece, compressed; HAProxy keeps the last bytes until more follows."""
    c = traffic.connect(proxy, ALLOWED)
    c.send(b"GET /text/plain/0 HTTP/1.1\r\nHost: slow.example\r\nAccept-Encoding: gzip\r\n\r\n")
    head = c.until(b"\r\n\r\n")
    t.equal(field(head, b"Content-Encoding"), b"gzip", proxy + ": a stream is compressed")
    unpack, got = zlib.decompressobj(31), b""
    for i in range(4):
        enough = len(b"x" * 300 + b"piece 0\n") * (i + 1) - (16 if proxy == "haproxy" else 0)
        while len(got) < enough:
            piece = c.chunk()
            if not piece:
                break
            got += unpack.decompress(piece)
        t.check(len(got) >= enough, "%s: piece %d came before the next was sent:" % (proxy, i), len(got), got[-60:])
        go[proxy].release()
    c.close()


@test
def test_compression(t):
    """Whom a policy compresses for, and what; what the server is asked for; what stays as it is."""
    go = {p: threading.Semaphore(0) for p in PROXIES}

    def slow(stream):
        head, _ = stream.request()
        proxy = PROXIES[turn[0]]
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(4):
            text = b"x" * 300 + b"piece %d\n" % i
            stream.send(b"%x\r\n%s\r\n" % (len(text), text))
            if not go[proxy].acquire(timeout=20):
                return
        stream.send(b"0\r\n\r\n")

    turn, asked = [0], 0
    rules = [site_rule("plain", 80), site_rule("own", 80, more="accept_encoding: true"), site_rule("slow", 81, more="http_port: 81")]
    with Server(pages) as s, Server(slow) as piecewise:
        backends = {"plain.corp.example": "127.0.0.1:%d" % s.port, "own.corp.example": "127.0.0.1:%d" % s.port,
                    "slow.corp.example": "127.0.0.1:%d" % piecewise.port}
        with Traffic(t, rules, backends, farms=KEYS) as traffic:
            for i, proxy in enumerate(PROXIES):
                turn[0] = i
                a = Asker(t, traffic, proxy)
                matrix(a)
                streams(t, traffic, proxy, go)
                asked += a.asked
    t.note = "%d requests" % asked


@test
def test_compression_chosen(t):
    """By the listener, of all types but some; a server that is not asked; links in pages; the site map's words."""
    keys = "\ncompression:\n  types: {list: [text/css, image/*], except: true, untyped: true}\n  listeners: [web]"
    links = "translate_links: true\nlinks: [{from: 'http://inside.example', to: 'https://out.example'}]"
    rules = [site_rule("plain", 80), site_rule("links", 80, more=links), site_rule("never", 80), site_rule("own", 80, more="accept_encoding: true")]
    asked = 0
    with Server(pages) as s:
        backends = {n + ".corp.example": "127.0.0.1:%d" % s.port for n in ("plain", "links", "never", "own")}
        with Traffic(t, rules, backends, farms=keys, site="rules:\n  never: {compression: never}\n") as traffic:
            for proxy in PROXIES:
                a = Asker(t, traffic, proxy)
                publishd = proxy == "publishd"
                a.expect("by the listener", True, b"nothing", "/text/html/5000")
                a.expect("by the listener", False, b"nothing", "/text/html/5000", accept=b"identity")
                for kind, coded in (("application/json", True), ("text/css", False), ("image/png", False), ("image/svg+xml", False), ("application/pdf", publishd)):
                    a.expect("all types but some", coded, b"nothing", "/%s/5000" % kind)
                a.expect("without a type", publishd, b"nothing", "/none/5000")
                a.expect("compressed unasked", True, b"nothing", "/text/html/5000?coded")
                a.expect("never", False, b"nothing", "/text/html/5000", host=b"never")
                a.expect("Accept-Encoding passes", True, b"gzip", "/text/html/5000", host=b"own")
                a.expect("Accept-Encoding passes", True, b"gzip", "/text/html/5000?packs", host=b"own")
                if proxy != "haproxy":
                    for options, coded in (({}, True), ({"accept": b"br"}, False)):
                        was, body, head = a.get("/text/html/5000", host=b"links", **options)
                        t.equal((was, body), (coded, PAGE[:5000].replace(b"http://inside.example", b"https://out.example")), proxy + ": a page whose links are translated")
                asked += a.asked
    t.note = "%d requests" % asked
