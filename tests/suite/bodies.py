"""publishd changes and looks into bodies: link translation, codings and the HTTP filter, on real traffic."""
import gzip
import json
import time
import zlib

from live import Server, get, rule
from suite.common import test_each
from suite.serving import BUILDS, clean, start

LINKS = "translate_links: true\naccept_encoding: true\nlinks: [{from: 'http://old.example', to: 'https://new.example'}]"
FILTER = """filter:
  executables: true
  body_max: 100000
  body_texts:
    - {in: answer, text: forbidden, from: 10, to: 60}
    - {in: request, hex: 00ff00ff, from: 1, to: 2000}"""


def pages(stream):
    """Answers with what the path asks for: /gzip/html/N is a page of N lines."""
    while True:
        head, body = stream.request()
        if not head:
            return
        coding, kind, n = head.split()[1].decode().strip("/").split("/")
        text = b"".join(b'<p><a href="http://in.example/a%d">%d</a> http://in.example2/\n' % (i, i) for i in range(int(n)))
        text = {"html": text, "css": text, "mz": b"MZ" + text, "bad": b"x" * 20 + b"Forbidden" + text}[kind]
        data = {"plain": text, "gzip": gzip.compress(text), "deflate": zlib.compress(text), "cut": gzip.compress(text)[:-20],
                "close": text, "chunks": text}[coding]
        fields = b"Location: http://old.example/x?y\r\n" if kind == "css" else b""
        fields += b"Content-Type: text/%s\r\nETag: \"e\"\r\nAccept-Ranges: bytes\r\n" % (b"css" if kind == "css" else b"html")
        if coding in ("gzip", "deflate", "cut"):
            fields += b"Content-Encoding: %s\r\n" % (b"gzip" if coding == "cut" else coding.encode())
        if coding == "chunks":
            stream.send(b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n" % fields)
            for at in range(0, len(data), 7):
                piece = data[at:at + 7]
                stream.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            stream.send(b"0\r\n\r\n")
        elif coding == "close":
            stream.send(b"HTTP/1.1 200 OK\r\n%s\r\n" % fields + data)
            return
        else:
            stream.send(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (fields, len(data)) + (b"" if head.startswith(b"HEAD ") else data))


def translated(n):
    return b"".join(b'<p><a href="http://site.example/a%d">%d</a> http://in.example2/\n' % (i, i) for i in range(n))


@test_each(*BUILDS)
def test_links_live(t, build):
    """Pages in every coding and framing, to clients that take gzip and to those that do not; what is no page stays as it is."""
    with Server(pages) as s, start(t, build, [rule(s.port, site="in.example", more=LINKS)]) as p:
        c = p.connect()
        for coding in ("plain", "gzip", "deflate", "chunks", "close"):
            for n in (0, 1, 500, 20000 if coding in ("plain", "gzip") else 1000):
                for accepts in (b"", b"Accept-Encoding: br, gzip\r\n"):
                    c.send(get(b"/%s/html/%d" % (coding.encode(), n), fields=accepts))
                    status, head, body, whole = c.answer()
                    coded = b"content-encoding: gzip" in head.lower()
                    t.equal(coded, coding in ("gzip", "deflate") and bool(accepts), "coding to the client: %s %d %s" % (coding, n, accepts))
                    text = gzip.decompress(body) if coded else body
                    t.check(status == 200 and whole and text == translated(n), "a translated page", coding, n, accepts, text[:200])
                    t.check(b'ETag: W/"e"' in head and b"Accept-Ranges" not in head, "its head", head)
        c.send(get(b"/plain/css/5"))
        status, head, body, _ = c.answer()
        t.check(b"Content-Length: %d\r\n" % len(body) in head and b"http://in.example/a4" in body and b'ETag: "e"' in head, "a style sheet is left alone", head)
        t.check(b"Location: https://new.example/x?y\r\n" in head, "Location goes by the dictionary", head)
        c.send(get(b"/plain/html/5", method=b"HEAD"))
        status, head, _, _ = c.answer(b"HEAD")
        t.check(status == 200 and b"Content-Length" not in head, "HEAD of a page", head)
        c.send(get(b"/cut/html/50"))
        status, head, body, whole = c.answer()
        t.check(status == 502 or not whole, "a coded page that is cut short is no whole page", status, whole)
        clean(t, p, [s])


@test_each(*BUILDS)
def test_links_slow_client(t, build):
    """A small answer that grows large, to a client that does not read: what waits stays small; then all of it arrives."""
    lines = 300000                       # 20 MB of text in about 1 MB
    with Server(pages) as s, start(t, build, [rule(s.port, site="in.example", more=LINKS)]) as p:
        c = p.connect()
        c.send(get(b"/gzip/html/%d" % lines))
        c.until(b"\r\n\r\n")
        time.sleep(1)
        with open("/proc/%d/status" % p.process.pid) as f:
            status = f.read()
        most = max(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        if build == "plain":
            t.check(most < 30000, "memory while a client does not read (kB):", most)
        text, at = translated(lines), 0
        while True:
            piece = c.chunk()
            if not piece:
                break
            if text[at:at + len(piece)] != piece:
                t.check(False, "differs at", at, piece[:80])
                break
            at += len(piece)
        t.equal((at, piece), (len(text), b""), "all of it, and its end")
        clean(t, p, [s])


@test_each(*BUILDS)
def test_filter_live(t, build):
    """Programs and signatures in answers are a 502 before anything went out; signatures in requests never get through."""
    seen = []

    def server(stream):
        while True:
            head, body = stream.request()
            if not head:
                return
            seen.append(body)
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with Server(pages) as s, Server(server) as q, \
            start(t, build, [rule(s.port, more=FILTER), rule(q.port, name="post.example", more=FILTER)]) as p:
        for coding in ("plain", "gzip", "chunks", "close"):
            for kind, want in (("html", 200), ("mz", 502), ("bad", 502), ("css", 200)):
                c = p.connect()
                c.send(get(b"/%s/%s/3000" % (coding.encode(), kind.encode())))
                status, head, body, whole = c.answer()
                t.check((status, whole) == (want, True), "an answer through the filter", coding, kind, status)
                t.check(status == 502 or (b'ETag: "e"' in head and len(body) > 1000), "it is left as it was", head)
        for at, want in ((0, 502), (500, 502), (1996, 502), (1997, 200), (3000, 200)):
            for framing in (b"Content-Length: 5000\r\n", b"Transfer-Encoding: chunked\r\n"):
                body = bytearray(b"a" * 5000)
                body[at:at + 4] = b"\x00\xff\x00\xff"
                c = p.connect()
                c.send(get(b"/", method=b"POST", fields=framing, host=b"post.example"))
                for k in range(0, 5000, 1000):
                    piece = bytes(body[k:k + 1000])
                    try:
                        c.send(piece if b"Length" in framing else b"%x\r\n%s\r\n" % (len(piece), piece))
                    except OSError:
                        break
                    time.sleep(0.002)
                if b"chunked" in framing:
                    try:
                        c.send(b"0\r\n\r\n")
                    except OSError:
                        pass
                status = c.answer()[0]
                t.equal(status, want, "a request's body: %d %s" % (at, framing))
                if want == 200:
                    t.equal(seen.pop(), bytes(body), "the server got it")
        t.check(not any(b"\x00\xff\x00\xff" in b for b in seen), "nothing that was refused was seen whole")
        t.equal(p.stop(), 0, "ends cleanly")
        t.check("ERROR" not in p.said(), p.said()[-2000:])


@test_each("plain")
def test_left_alone(t, build):
    """A page that is not translated goes on as it came, and the log says why."""
    wide, seen = "<a href=\"http://in.example/\">".encode("utf-32"), "<a href=\"%s/\">"
    pages = {"part": (206, b"text/html", b"Content-Range: bytes 0-9/99\r\n", b"http://in."), "brotli": (200, b"text/html", b"Content-Encoding: br\r\n", b"\x0b\x02\x80abc\x03"),
             "wide": (200, b"text/html; charset=\"UTF-32\"", b"", wide),
             "sixteen": (200, b"text/html; charset=\"UTF-16BE\"", b"", (seen % "http://in.example").encode("utf-16be")), "marked": (200, b"text/html", b"", (seen % "http://in.example").encode("utf-16")),
             "cut": (200, b"text/html", b"Content-Encoding: gzip\r\n", gzip.compress(b"<p>page" * 999)[:-9]),
             "right": (200, b"text/html; charset=utf-8", b"", b"<p>http://in.example/")}

    def answer(stream):
        head, _ = stream.request()
        status, kind, fields, body = pages[head.split()[1].decode().strip("/")]
        stream.send(b"HTTP/1.1 %d OK\r\nContent-Type: %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, kind, fields, len(body), body))

    log = t.path("access.log")
    with Server(answer) as s, start(t, build, [rule(s.port, site="in.example", more=LINKS)], top="service: {log: %s}" % log) as p:
        for name, (status, _, _, body) in pages.items():
            got = p.ask(get(b"/" + name.encode(), fields=b"Accept-Encoding: gzip\r\n"))
            if name in ("part", "brotli", "wide"):
                t.equal((got[0], got[2]), (status, body), name + ": as it came")
            if name in ("sixteen", "marked"):
                t.equal(got[2].decode("utf-16be" if name == "sixteen" else "utf-16"), seen % "http://site.example", name + ": translated, as UTF-16")
        p.stop()
    with open(log) as f:
        said = {e["target"].strip("/"): e.get("body") for e in map(json.loads, f)}
    t.equal(said, {"part": "links in a part of a page are not translated", "brotli": "the body has a content coding that is not read",
                   "wide": "links in a page of UTF-32 are not translated", "sixteen": None, "marked": None, "cut": "the server's coded body is cut short", "right": None}, "what the log says")
