"""publishd as it serves: real traffic on loopback, with servers that answer, stall, lie and die as a test says."""
import gzip
import os
import select
import socket
import ssl
import threading
import time

from live import Publishd, Server, Stream, answering, certificate, echo, get, rule, server_context
from ports import free_port
from suite.common import test, test_each

BUILDS = ("plain", "sanitized")


def program(t, build="plain"):
    return os.path.join(t.build if build == "plain" else t.asan, "publishd")


def start(t, build, rules, **options):
    return Publishd(program(t, build), t.dir, rules, **options)


def clean(t, p, servers=()):
    """It stops cleanly, has nothing to say (a sanitizer would), and no server saw what it could not read."""
    status = p.stop()
    said = p.said()
    t.check(status == 0 and "Sanitizer" not in said and "runtime error" not in said, "publishd ends cleanly:", status, said[-3000:])
    for s in servers:
        t.equal(s.errors, [], "errors of the server")


@test_each(*BUILDS)
def test_serving_messages(t, build):
    """Methods, framing both ways, versions, interim answers, Expect."""
    def server(stream):
        while True:
            head, body = stream.request()
            if not head:
                return
            path = head.split()[1]
            if path == b"/chunked":
                stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n")
                time.sleep(0.02)
                stream.send(b"4\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n")
            elif path == b"/close":
                stream.send(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
                return
            elif path == b"/interim":
                stream.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            elif path == b"/204":
                stream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            elif path == b"/304":
                stream.send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n")
            elif head.startswith(b"HEAD "):
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            else:
                text = head + b"|" + body
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    with Server(server) as s, start(t, build, [rule(s.port)]) as p:
        c = p.connect()
        for method in (b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PROPFIND", b"BPROPPATCH", b"RPC_IN_DATA", b"X-MS-ENUMATTS", b"PATCH"):
            c.send(get(b"/a", method=method, fields=b"Content-Length: 3\r\n") + b"xyz")
            status, _, body, _ = c.answer()
            t.check(status == 200 and body.startswith(method + b" /a HTTP/1.1\r\n") and body.endswith(b"|xyz"), "method", method, body)
        c.send(get(b"/a", method=b"POST", fields=b"Transfer-Encoding: chunked\r\n") + b"5;e=1\r\nhello\r\n0\r\nA: b\r\n\r\n")
        status, _, body, _ = c.answer()
        t.check(body.endswith(b"|hello") and b"A: b" not in body and b"e=1" not in body, "chunks are written anew", body)
        c.send(get(b"/a", method=b"POST", fields=b"Content-Length: 0\r\n"))
        t.check(b"Content-Length: 0\r\n" in c.answer()[2], "an empty POST stays one")
        c.send(get(b"/chunked"))
        t.equal(c.answer()[0::2], (200, b"abcdefg"), "a chunked answer")
        c.send(get(b"/close"))
        status, head, body, whole = c.answer()
        t.check(b"chunked" in head and body == b"until the end" and whole, "a body until the close gets chunks", head)
        c.send(get(b"/x", method=b"HEAD"))
        status, head, _, _ = c.answer(b"HEAD")
        t.check(status == 200 and b"Content-Length: 1234\r\n" in head, "HEAD keeps the length", head)
        c.send(get(b"/204"))
        t.equal(c.answer()[0], 204, "no content")
        c.send(get(b"/304"))
        status, head, _, _ = c.answer()
        t.check(status == 304 and b"ETag" in head, "not modified", head)
        c.send(get(b"/interim"))
        t.equal((c.answer()[0], c.answer()[0]), (103, 200), "interim answers pass, 100 does not")
        c.send(get(b"/a", method=b"PUT", fields=b"Content-Length: 4\r\nExpect: 100-continue\r\n"))
        t.equal(c.until(b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n", "Expect is answered")
        c.send(b"body")
        status, _, body, _ = c.answer()
        t.check(status == 200 and body.endswith(b"|body") and b"xpect" not in body, "and not passed on", body)
        for version, fields, kept in ((b"1.0", b"", False), (b"1.0", b"Connection: keep-alive\r\n", True), (b"1.1", b"Connection: close\r\n", False)):
            d = p.connect()
            d.send(get(b"/a", version=version, fields=fields))
            status, head, _, whole = d.answer()
            t.check(status == 200 and whole and (b"Connection: close" in head) != kept, "connection", version, fields, head)
            if kept:
                d.send(get(b"/a", version=version, fields=fields))
                t.equal(d.answer()[0], 200, "HTTP/1.0 kept")
            else:
                t.equal(d.rest(), b"", "closed behind")
        d = p.connect()
        d.send(get(b"/chunked", version=b"1.0"))
        status, head, body, _ = d.answer()
        t.check(b"chunked" not in head and body == b"abcdefg", "HTTP/1.0 gets no chunks", head)
        clean(t, p, [s])


@test_each(*BUILDS)
def test_serving_pipelining(t, build):
    """Answers in order, and the server sees one request at a time (B-67), however the requests are cut."""
    depth, most, lock = [0], [0], threading.Lock()

    def server(stream):
        while True:
            head, body = stream.request()
            if not head:
                return
            with lock:
                depth[0] += 1
                most[0] = max(most[0], depth[0])
            t.check(not stream.buffer, "nothing behind a request")
            time.sleep(0.002)
            with lock:
                depth[0] -= 1
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + head.split()[1][1:])
    with Server(server) as s, start(t, build, [rule(s.port)]) as p:
        many = b"".join(get(b"/%08d" % i, method=b"POST", fields=b"Content-Length: 5\r\n") + b"hello" if i % 3 else get(b"/%08d" % i) for i in range(60))
        for piece in (len(many), 1000, 7):
            c = p.connect()
            for at in range(0, len(many), piece):
                c.send(many[at:at + piece])
            got = [c.answer()[2] for _ in range(60)]
            t.equal(got, [b"%08d" % i for i in range(60)], "answers in pieces of %d" % piece)
        t.equal(most[0], 1, "requests at a time")
        c = p.connect()
        c.send(get(b"/00000001") + get(b"/00000002", fields=b"Connection: close\r\n") + get(b"/00000003"))
        t.equal((c.answer()[2], c.answer()[2], c.rest()), (b"00000001", b"00000002", b""), "nothing behind a close")
        clean(t, p, [s])


@test_each(*BUILDS)
def test_serving_both_ways(t, build):
    """RPC over HTTP: bytes pass at once in each direction, before either body has ended; a long poll; half-close."""
    opened = {}

    def server(stream):
        head = stream.until(b"\r\n\r\n")
        if head.startswith(b"RPC_IN_DATA"):
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nready")
            while stream.more():
                stream.send(stream.buffer)
                stream.buffer = b""
            opened["in ended"] = True
        elif head.startswith(b"RPC_OUT_DATA"):
            t.equal(stream.exactly(4), b"echo", "the body of RPC_OUT_DATA")
            for i in range(5):
                stream.send((b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n" if not i else b"") + b"ping%d" % i)
                time.sleep(0.1)
        elif head:
            time.sleep(2)
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
    with Server(server) as s, start(t, build, [rule(s.port)]) as p:
        c = p.connect()
        c.send(get(b"/rpc", method=b"RPC_IN_DATA", fields=b"Content-Length: 1073741824\r\n"))
        t.check(c.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200"), "the answer begins before the body")
        t.equal(c.exactly(5), b"ready", "and its body")
        times = []
        for i in range(20):
            began = time.monotonic()
            c.send(b"%07d" % i)
            t.equal(c.exactly(7), b"%07d" % i, "a piece there and back")
            times.append(time.monotonic() - began)
        t.check(sorted(times)[10] < 0.05, "pieces are not held back", times)
        c.close()
        d = p.connect()
        d.send(get(b"/rpc", method=b"RPC_OUT_DATA", fields=b"Content-Length: 4\r\n") + b"echo")
        d.until(b"\r\n\r\n")
        t.equal(d.exactly(25), b"ping0ping1ping2ping3ping4", "the other channel")
        t.equal(d.exactly(1), b"", "which is cut where the server cuts it")
        e = p.connect()
        began = time.monotonic()
        e.send(get(b"/poll"))
        e.sock.shutdown(socket.SHUT_WR)
        t.equal(e.answer()[2], b"late", "a half-closed client gets its answer")
        t.check(time.monotonic() - began > 1.5, "late")
        time.sleep(0.3)
        t.check(opened.get("in ended"), "the server saw the client's end")
        clean(t, p)


@test
def test_serving_large(t):
    """1 GiB in each direction, the other side slow at first: memory stays bounded."""
    total, piece = 1 << 30, bytes(1 << 20)
    seen = {}

    def server(stream):
        head = stream.until(b"\r\n\r\n")
        if head.startswith(b"GET"):
            chunked = head.split()[1] == b"/chunked"
            stream.send(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % total))
            for _ in range(total // len(piece)):
                stream.send(b"100000\r\n" + piece + b"\r\n" if chunked else piece)
            if chunked:
                stream.send(b"0\r\n\r\n")
        elif head:
            got = len(stream.buffer)
            time.sleep(0.5)                  # the client runs into the mark
            buffer = bytearray(1 << 20)
            while got < total:
                n = stream.sock.recv_into(buffer)
                if not n:
                    break
                got += n
            seen["uploaded"] = got
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def read(c, n):
        got, buffer = len(c.buffer), bytearray(1 << 20)
        while got < n:
            k = c.sock.recv_into(buffer)
            if not k:
                break
            got += k
        return got
    with Server(server) as s, start(t, "plain", [rule(s.port)], loops=1) as p:
        c = p.connect(timeout=120)
        c.send(get(b"/length"))
        c.until(b"\r\n\r\n")
        time.sleep(0.5)
        t.equal(read(c, total), total, "downloaded with a length")
        c = p.connect(timeout=120)
        c.send(get(b"/chunked"))
        c.until(b"\r\n\r\n")
        t.check(read(c, total) >= total, "downloaded in chunks")
        c = p.connect(timeout=120)
        c.send(get(b"/up", method=b"POST", fields=b"Content-Length: %d\r\n" % total))
        for _ in range(total // len(piece)):
            c.send(piece)
        t.equal(c.answer()[0], 200, "uploaded")
        t.equal(seen.get("uploaded"), total, "bytes that the server got")
        t.check(p.memory() < 30 << 20, "memory:", p.memory())
        t.note = "highest memory %.1f MB" % (p.memory() / 1e6)
        clean(t, p, [s])


@test_each(*BUILDS)
def test_serving_websocket(t, build):
    """Upgrade passes where the rule says so, and nowhere else (D-17, B-69)."""
    def server(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            if b"\r\nUpgrade: websocket" not in head:
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
                continue
            t.check(b"\r\nConnection: upgrade\r\n" in head.replace(b"Upgrade\r\n", b"upgrade\r\n"), "Connection", head)
            stream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
            while stream.more():
                stream.send(stream.buffer.upper())
                stream.buffer = b""
            return
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    with Server(server) as s, start(t, build, [rule(s.port, more="websocket: true"), rule(s.port, name="other.example")]) as p:
        c = p.connect()
        c.send(get(fields=upgrade))
        head = c.until(b"\r\n\r\n")
        t.check(head.startswith(b"HTTP/1.1 101") and b"Upgrade: websocket" in head, "101", head)
        t.equal(c.exactly(5), b"hello", "the server speaks first")
        for word in (b"abc", b"x" * 100000):
            c.send(word)
            t.equal(c.exactly(len(word)), word.upper(), "there and back")
        c.sock.shutdown(socket.SHUT_WR)
        t.equal(c.rest(), b"", "both ends")
        t.equal(p.ask(get(host=b"other.example", fields=upgrade))[2], b"plain", "without the switch it is a plain request")
        clean(t, p, [s])


@test_each(*BUILDS)
def test_serving_faults(t, build):
    """Servers that die, lie, hang or refuse; clients that go."""
    told = {}

    def server(stream):
        while True:
            head = stream.until(b"\r\n\r\n")
            if not head:
                return
            path = head.split()[1]
            if path == b"/short":
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                return
            if path == b"/cut":
                stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
                return
            if path == b"/badchunk":
                stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n")
                time.sleep(0.2)
                return
            if path == b"/garbage":
                stream.send(b"SSH-2.0-server\r\n\r\n")
                time.sleep(0.2)
                return
            if path == b"/nothing":
                return
            if path == b"/reset":
                stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                return
            if path == b"/hang":
                time.sleep(3)
                return
            if path == b"/early":            # refuses an upload before it has read it
                stream.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
                return
            if path == b"/upload":
                stream.rest()
                told["upload ended"] = time.monotonic()
                return
            if path == b"/stalled":          # reads nothing, but sees that the other side has ended
                poll = select.poll()
                poll.register(stream.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
                told["stalled"] = bool(poll.poll(5000))
                return
            if path == b"/extra":            # one answer too many: it must never reach the next request
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                continue
            if path == b"/late-extra":
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                time.sleep(0.1)
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
                continue
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with Server(server) as s, start(t, build, [rule(s.port, more="read_timeout: 2"), rule(free_port(), name="refusing.example"),
                                               rule(80, name="unknown.example", host="no-such-name.invalid")]) as p:
        for path in (b"/short", b"/cut", b"/badchunk"):
            c = p.connect()
            c.send(get(path))
            cut = False
            try:
                status, _, body, whole = c.answer()
            except ConnectionResetError:
                cut, status, whole = True, 200, False
            t.check(status == 200 and not whole, "a cut answer is not whole:", path, status)
            if not cut:
                t.check(body in (b"half", b""), "what came of it", body)
        for path, status in ((b"/garbage", 502), (b"/nothing", 502), (b"/reset", 502), (b"/hang", 504)):
            t.equal(p.ask(get(path))[0], status, path.decode())
        t.equal(p.ask(get(host=b"refusing.example"))[0], 502, "refused")
        t.equal(p.ask(get(host=b"unknown.example"))[0], 502, "unknown name")
        t.equal(p.ask(get(host=b"nobody.example"))[0], 403, "no rule")
        c = p.connect()
        for path in (b"/extra", b"/late-extra"):
            c.send(get(path))
            t.equal(c.answer()[2], b"ok", path.decode())
            time.sleep(0.3)
            for _ in range(3):
                c.send(get(b"/ok"))
                t.equal(c.answer()[2], b"ok", "behind " + path.decode())
        c = p.connect()
        c.send(get(b"/early", method=b"POST", fields=b"Content-Length: 50000000\r\n"))
        try:
            for _ in range(50):
                c.send(bytes(1000000))
        except OSError:
            pass
        t.equal(c.answer()[0::2], (413, b"big"), "an early refusal reaches the client")
        c = p.connect()
        c.send(get(b"/upload", method=b"POST", fields=b"Content-Length: 5000\r\n") + b"some of it")
        time.sleep(0.3)
        gone = time.monotonic()
        c.close()
        for _ in range(30):
            time.sleep(0.1)
            if "upload ended" in told:
                break
        t.check("upload ended" in told and told["upload ended"] - gone < 2, "the server sees that the client has gone", told)
        c = p.connect(timeout=1)
        c.send(get(b"/stalled", method=b"POST", fields=b"Content-Length: 500000000\r\n"))
        try:
            while True:
                c.send(bytes(100000))
        except TimeoutError:                 # all queues on the way are full: an orderly end would wait behind them
            pass
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        c.close()
        for _ in range(30):
            time.sleep(0.1)
            if "stalled" in told:
                break
        t.check(told.get("stalled"), "also while nothing is read from the client", told)
        for broken in (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                       get(method=b"POST", fields=b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")):
            c = p.connect()
            c.send(broken)
            if not broken.startswith(b"\x16"):
                t.equal(c.answer()[0], 400, "broken request")
                t.equal(c.rest(), b"", "and closed")
            c.close()
        c = p.connect()
        c.send(get(b"/upload", method=b"POST", fields=b"Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\nnonsense\r\n")
        t.equal(c.answer()[0], 400, "a broken chunk")
        c = p.connect()
        c.send(get(fields=b"X-Long: " + b"x" * 70000 + b"\r\n"))
        t.equal(c.answer()[0], 431, "a head beyond all limits")
        clean(t, p)


@test_each(*BUILDS)
def test_serving_early(t, build):
    """An answer that is complete before the request's body: slow to be read, with links to be translated in it or not."""
    page = b"<a href=http://inside.example/>x</a>" * 300000       # 11 MB, or a few packets
    packed = gzip.compress(page)

    def server(stream):
        while True:
            head = stream.until(b"\r\n\r\n")
            if not head:
                return
            body, coding = (packed, b"Content-Encoding: gzip\r\n") if b"translated" in head else (page, b"")
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n" % (coding, len(body)) + body)
            stream.exactly(4000000 if head.startswith(b"POST") else 0)
    links = 'translate_links: true\nlinks: [{from: "http://inside.example", to: "http://outside.example"}]'
    with Server(server) as s, start(t, build, [rule(s.port), rule(s.port, name="translated.example", more=links)], loops=1) as p:
        for host, expected in ((b"site.example", page), (b"translated.example", page.replace(b"inside", b"outside"))):
            for _ in range(3):
                c = p.connect()
                c.send(get(b"/", host=host, method=b"POST", fields=b"Content-Length: 4000000\r\n") + bytes(1000))
                time.sleep(0.2)              # the answer fills all queues
                sender = threading.Thread(target=lambda: send_all(c, bytes(3999000)))
                sender.start()
                time.sleep(0.2)
                status, _, body, whole = c.answer()
                sender.join()
                t.check((status, whole, body) == (200, True, expected), "the whole answer", host, status, whole, len(body))
                c.close()
            t.equal(p.ask(get(host=host))[0], 200, "and it lives")
        clean(t, p)


def send_all(c, data):
    try:
        c.send(data)
    except OSError:                          # nobody wants it
        pass


@test_each(*BUILDS)
def test_serving_reuse(t, build):
    """Connections are pooled; an idle one that the server closes costs the client nothing; a POST is not sent twice."""
    counts = {"requests": 0}

    def server(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            counts["requests"] += 1
            if b"/die-next" in head:         # closes when the next request has come, with nothing said
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                stream.request()
                counts["requests"] += 1
                return
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            if b"/close-after" in head:
                return
    with Server(server) as s, start(t, build, [rule(s.port)], loops=1) as p:
        for _ in range(20):
            t.equal(p.ask(get())[0], 200, "one after the other")
        t.equal(s.connections, 1, "server connections for 20 clients")
        t.equal(p.ask(get(b"/close-after"))[0], 200, "before the close")
        time.sleep(0.2)
        t.equal(p.ask(get())[0], 200, "behind it")
        t.equal(p.ask(get(b"/die-next"))[0], 200, "before the death")
        t.equal(p.ask(get())[0], 200, "an idempotent request is sent again")
        t.equal(p.ask(get(b"/die-next"))[0], 200, "before the death")
        before = counts["requests"]
        t.equal(p.ask(get(method=b"POST", fields=b"Content-Length: 1\r\n") + b"x")[0], 502, "a POST is not")
        time.sleep(0.1)
        t.equal(counts["requests"] - before, 1, "times that the server saw it")
        clean(t, p, [s])


@test_each(*BUILDS)
def test_serving_bound(t, build):
    """NTLM and Negotiate: a server connection belongs to one client connection from the first sign of them on (B-68, B-102)."""
    numbers, lock = [0], threading.Lock()

    def server(stream):
        with lock:
            numbers[0] += 1
            mine = numbers[0]
        user = None
        while True:
            head, body = stream.request()
            if not head:
                return
            authorization = next((l.split(b": ", 1)[1] for l in head.split(b"\r\n") if l.lower().startswith(b"authorization: ")), b"")
            if authorization.startswith(b"NTLM user="):
                user = authorization[10:]
            if b"/public" in head:
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npublic")
            elif user is None:
                stream.send(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nno")
            else:
                text = user + b" on %d" % mine
                stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    pair = certificate(t.dir, "front", ["site.example"])
    tls = free_port()
    with Server(server) as s:
        p = start(t, build, [rule(s.port, delegation="pass")], loops=1)
        p.sockets += '\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s}' % (tls, *pair)
        p.write([rule(s.port, delegation="pass")])
        with p:
            context = ssl.create_default_context(cafile=pair[0])

            def client():
                raw = socket.create_connection(("127.0.0.1", tls), 20)
                return Stream(context.wrap_socket(raw, server_hostname="site.example"))
            clients = [client() for _ in range(8)]
            for i, c in enumerate(clients):
                c.send(get())
                t.equal(c.answer()[0], 401, "asked")
            for i, c in enumerate(clients):
                c.send(get(fields=b"Authorization: NTLM user=user%d\r\n" % i))
                status, _, body, _ = c.answer()
                t.check(status == 200 and body.startswith(b"user%d on " % i), "signed in", i, body)
            homes = {}
            for turn in range(5):
                for i, c in enumerate(clients):
                    c.send(get(method=b"POST", fields=b"Content-Length: 3\r\n") + b"abc")
                    body = c.answer()[2]
                    t.equal(body.split(b" ")[0], b"user%d" % i, "whose connection it is")
                    t.equal(homes.setdefault(i, body), body, "the same connection")
            t.equal(len(set(homes.values())), 8, "connections of their own")
            stranger = client()
            for _ in range(10):
                stranger.send(get())
                t.equal(stranger.answer()[0], 401, "a stranger inherits nobody's sign-in")
            clients[0].close()
            time.sleep(0.2)
            again = client()
            again.send(get())
            t.equal(again.answer()[0], 401, "nor does who comes after")
            clean(t, p, [s])


@test_each(*BUILDS)
def test_serving_tls(t, build):
    """Certificates by address and name; servers verified for the site (D-14)."""
    ca = certificate(t.dir, "ca", ["Test CA"])
    first, second = certificate(t.dir, "first", ["first.example"], ca), certificate(t.dir, "second", ["second.example", "*.more.example"], ca)
    good, wrong, stranger = certificate(t.dir, "good", ["site.example"], ca), certificate(t.dir, "wrong", ["elsewhere.example"], ca), certificate(t.dir, "self", ["site.example"])
    names = []
    good_context = server_context(good)
    good_context.sni_callback = lambda sock, name, _: names.append(name)
    with Server(echo, good_context) as s1, Server(echo, server_context(wrong)) as s2, Server(echo, server_context(stranger)) as s3:
        rules = [rule(s1.port, name="first.example", tls=True), rule(s2.port, name="wrong.example", tls=True), rule(s3.port, name="self.example", tls=True)]
        p = start(t, build, rules, top="trust: " + ca[0])
        port = free_port()
        p.sockets += "".join('\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s}' % (port, *pair) for pair in (first, second))
        p.write(rules, top="trust: " + ca[0])
        with p:
            context = ssl.create_default_context(cafile=ca[0])
            context.check_hostname = False
            context.set_alpn_protocols(["http/1.1"])

            def shown(name):
                with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname=name) as c:
                    t.equal(c.selected_alpn_protocol(), "http/1.1", "ALPN")
                    return dict(x[0] for x in c.getpeercert()["subject"])["commonName"]
            for name, expected in (("first.example", "first.example"), ("second.example", "second.example"), ("a.more.example", "second.example"),
                                   ("unknown.example", "first.example"), (None, "first.example")):
                t.equal(shown(name), expected, "certificate for %s" % name)
            old = ssl.create_default_context(cafile=ca[0])
            old.check_hostname, old.minimum_version, old.maximum_version = False, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
            with old.wrap_socket(socket.create_connection(("127.0.0.1", port), 10)) as c:
                t.equal(c.version(), "TLSv1.2", "version")
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10)) as raw:
                c = Stream(raw)
                for size in (0, 1, 16384, 300000):
                    c.send(get(host=b"first.example", method=b"POST", fields=b"Content-Length: %d\r\n" % size) + b"y" * size)
                    status, _, body, _ = c.answer()
                    t.check(status == 200 and body.endswith(b"\r\n\r\n" + b"y" * size), "over TLS on both sides", size, status)
            t.check(names and set(names) == {"site.example"}, "SNI to the server", names)
            t.equal(p.ask(get(host=b"wrong.example"))[0] // 100, 5, "a certificate for another name")
            t.equal(p.ask(get(host=b"self.example"))[0] // 100, 5, "a certificate that nobody vouches for")
            c = p.connect(port=port)
            c.send(b"GET / HTTP/1.1\r\n\r\n")
            try:
                t.check(b"200" not in c.rest(), "plain HTTP to TLS")
            except ConnectionResetError:
                pass
            clean(t, p)


class Visitor:
    """Comes again and again with the TLS session of the first time."""
    def __init__(self, version):
        self.context, self.session, self.tickets = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), None, set()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = version

    def come(self, port):
        """(whether the session was resumed, who answered)"""
        with self.context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), session=self.session) as c:
            stream = Stream(c)
            stream.send(get())
            body = stream.answer()[2]
            self.session = self.session or c.session          # TLS 1.3 tells it behind the handshake
            self.tickets.add(c.session.id)                    # of TLS 1.3: made from the ticket
            return c.session_reused, body

    def come_until(self, port, body):
        """Until another configuration answers."""
        end = time.monotonic() + 30
        while True:
            resumed, got = self.come(port)
            if got == body or time.monotonic() > end:
                return resumed, got
            time.sleep(0.02)


@test_each(*BUILDS)
def test_serving_resumption(t, build):
    """TLS sessions go on behind a reload, and on another instance with the same keys; not on another listener, nor without the keys."""
    pair, keys = certificate(t.dir, "front", ["site.example"]), t.path("keys")
    with open(keys, "w") as f:
        f.write("5b" * 32 + "\n")
    os.chmod(keys, 0o600)
    shared, instances = "service: {forms: {keys: %s}}" % keys, []

    def instance(name, top, s, listener="web"):
        folder, port = t.path(name), free_port()
        os.mkdir(folder)
        sockets = '\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s}' % ((port,) + pair)
        p = Publishd(program(t, build), folder, [rule(s.port)], top=top, sockets=sockets)
        p.port = port
        if listener != "web":
            with open(p.file) as f:
                text = f.read()
            with open(p.file, "w") as f:
                f.write(text.replace("name: web", "name: " + listener).replace("listener: web", "listener: " + listener))
        instances.append(p)
        return p

    with Server(answering(body=b"old")) as old, Server(answering(body=b"new")) as new:
        with instance("alone", "", old) as alone, instance("one", shared, old) as one, instance("two", shared, old) as two, \
             instance("other", shared, old, "other") as other:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                for p in (alone, one):
                    what = "%s, %s: " % (version.name, "keys of its own" if p is alone else "keys of the file")
                    top = "" if p is alone else shared
                    v = Visitor(version)
                    t.equal(v.come_until(p.port, b"old"), (False, b"old"), what + "the first time")
                    t.equal(v.come(p.port), (True, b"old"), what + "the second time")
                    if version is ssl.TLSVersion.TLSv1_3:     # whose clients use a ticket once
                        t.equal(len(v.tickets), 2, what + "tickets behind two connections")
                    p.write([rule(new.port)], top=top)
                    p.reload()
                    t.equal(v.come_until(p.port, b"new"), (True, b"new"), what + "behind a reload")
                    p.write([rule(old.port)], top=top or "service: {forms: {account_limit: 7}}")
                    p.reload()
                    t.equal(v.come_until(p.port, b"old"), (True, b"old"), what + "behind a reload that counts otherwise")
                    t.equal(v.come(two.port), (p is one, b"old"), what + "at another instance")
                    t.equal(v.come(other.port), (False, b"old"), what + "at another listener")
            for p in instances:
                clean(t, p)


@test_each(*BUILDS)
def test_serving_farm(t, build):
    """Affinity by cookie and address, drained members, members that are down (B-116, B-117, D-13)."""
    def named(name):
        return answering(body=name)
    with Server(named(b"a")) as a, Server(named(b"b")) as b, Server(named(b"c")) as c:
        farm = "farms: [{name: farm, probe: tcp}]"
        rules = [rule(a.port, b.port, -c.port, name="cookie.example", farm="farm"),
                 rule(a.port, b.port, -c.port, name="address.example", farm="farm", more="affinity_by_address: true"),
                 rule(a.port, free_port(), name="half.example", farm="farm")]
        with start(t, build, rules, top=farm, loops=1) as p:
            firsts = {}
            for _ in range(8):
                _, head, body, _ = p.ask(get(host=b"cookie.example"))
                cookie = next(l for l in head.split(b"\r\n") if l.startswith(b"Set-Cookie: WPLB"))
                t.check(b"HttpOnly" in cookie and b"Domain" not in cookie, "the cookie", cookie)
                firsts[body] = cookie.split(b": ")[1].split(b";")[0]
            t.equal(sorted(firsts), [b"a", b"b"], "new clients in turn, none to the drained member")
            for body, value in firsts.items():
                for _ in range(5):
                    _, head, got, _ = p.ask(get(host=b"cookie.example", fields=b"Cookie: x=y; %s; z=1\r\n" % value))
                    t.equal((got, b"Set-Cookie" in head), (body, False), "stays with its member")
            t.check(p.ask(get(host=b"cookie.example", fields=b"Cookie: %s\r\n" % (firsts[b"a"][:-4] + b"0000")))[2] in (b"a", b"b"), "an unknown value")
            seen = {}
            for i in range(1, 40):
                source = "127.0.0.%d" % i
                got = {p.ask(get(host=b"address.example"), source=source)[2] for _ in range(2)}
                t.equal(len(got), 1, "an address stays")
                seen.setdefault(got.pop(), []).append(source)
            t.check(sorted(seen) == [b"a", b"b"] and min(map(len, seen.values())) > 5, "addresses are spread", seen)
            for _ in range(6):
                t.equal(p.ask(get(host=b"half.example"))[2], b"a", "a member that refuses costs the client nothing")
            clean(t, p, [a, b, c])


@test_each(*BUILDS)
def test_serving_reload(t, build):
    """SIGHUP under load loses no request; a bad file keeps the old one; stopping waits for what is under way."""
    def slow(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            if b"/slow" in head:
                time.sleep(1.5)
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
    with Server(slow) as s, Server(answering(body=b"new")) as n, start(t, build, [rule(s.port)]) as p:
        results, going = [], [True]

        def load():
            while going[0]:
                try:
                    results.append(p.ask(get())[0::2])
                except OSError as e:
                    results.append(repr(e))
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        late = p.connect()
        late.send(get(b"/slow"))
        time.sleep(0.2)
        for i in range(10):
            p.write([rule(n.port)] if i % 2 else [rule(s.port)])
            p.reload()
            time.sleep(0.05)
        time.sleep(0.5)
        p.write(["\n  - nonsense: here\n"])
        p.reload()
        time.sleep(0.5)
        t.check("nonsense" in p.said(), "the error is told", p.said()[-500:])
        t.equal(p.ask(get())[2], b"new", "the configuration that is served")
        going[0] = False
        for thread in threads:
            thread.join()
        bad = [r for r in results if r not in ((200, b"old"), (200, b"new"))]
        t.check(not bad and len(results) > 100, "requests under reload", len(results), bad[:3])
        t.equal(late.answer()[2], b"old", "a request from before ends as it began")
        p.write([rule(s.port)])
        p.reload()
        time.sleep(0.5)
        last = p.connect()
        last.send(get(b"/slow"))
        time.sleep(0.2)
        p.process.terminate()
        status, head, body, whole = last.answer()
        t.check((status, body, whole) == (200, b"old", True) and b"Connection: close" in head, "what was under way at the end", status, head)
        clean(t, p)


@test_each(*BUILDS)
def test_serving_limits(t, build):
    """A listener's most connections; clients that say nothing."""
    with Server(echo) as s, start(t, build, [rule(s.port)], listener="max_connections: 3\nconnection_timeout: 1", loops=1) as p:
        time.sleep(0.2)
        held = [p.connect() for _ in range(3)]
        for c in held:
            c.send(get())
            t.equal(c.answer()[0], 200, "within the limit")
        fourth = p.connect(timeout=10)
        fourth.send(get())
        fourth.sock.settimeout(0.3)
        try:
            early = fourth.answer()[0]
        except TimeoutError:
            early = None
        t.equal(early, None, "beyond the limit a client waits")
        fourth.sock.settimeout(10)
        t.equal(fourth.answer()[0], 200, "until another has gone (here: idle for its time)")
        for c in held:
            t.equal(c.rest(), b"", "idle connections are closed")
        clean(t, p, [s])
