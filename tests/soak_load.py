"""What tests/soak puts on both sides of publishd: servers whose answers name what was asked, and clients that check every byte.

A target is /KIND/SIZE/TOKEN; each request has a token of its own, and each answer is made from it, so that an answer which belongs to
another request, another user or another connection cannot pass. Servers and clients run in processes of their own (main() forks them)."""
import base64
import gzip
import hashlib
import random
import re
import socket
import ssl
import subprocess
import threading
import time

import h2_client
from live import Stream

SITE, FARM, LINKS, PEOPLE = b"site.example", b"farm.example", b"links.example", b"people.example"
USERS = ["user%d" % i for i in range(6)]
QUIET = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)          # whose certificate it is, other tests check
QUIET.check_hostname, QUIET.verify_mode = False, ssl.CERT_NONE


def password(user):
    return "secret of " + user


def credentials(user):
    """What the server gets: the name with the listener's domain."""
    return ("LAB\\%s:%s" % (user, password(user))).encode()


def text(token, size):
    return (token * (size // len(token) + 1))[:size]


def page(token, lines, host):
    return b"".join(b'<p><a href="http://%s/%s%d">%d</a>\n' % (host, token, i, i) for i in range(lines))


# ---- servers -----------------------------------------------------------------------------------------------------------

def handler(stream):
    """Answers requests until the client goes; /die ends in the middle of its answer, /gone before it."""
    while True:
        head = stream.until(b"\r\n\r\n")
        if not head:
            return
        body, whole = stream.body(head)
        _, kind, size, token = head.split(b" ", 2)[1].split(b"/")
        if not whole or kind == b"gone":
            return
        size, fields = int(size), b"Content-Type: text/plain\r\n"
        if kind == b"sum":
            answer = b"%s %d %s" % (token, len(body), hashlib.sha256(body).hexdigest().encode())
        elif kind == b"who":
            basic = re.search(rb"\r\nAuthorization: Basic (\S+)", head)
            answer = token + b" " + (base64.b64decode(basic.group(1)) if basic else b"nobody")
        elif kind == b"page":
            answer, fields = gzip.compress(page(token, size, b"inside.example"), 1), b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n"
        else:
            answer = text(token, size)
        if kind == b"die":
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + answer[:size // 2])
            return
        if kind == b"chunks":
            stream.send(b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n" % fields)
            for at in range(0, size, 50000):
                piece = answer[at:at + 50000]
                stream.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            stream.send(b"0\r\n\r\n")
        else:
            stream.send(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (fields, len(answer)) + answer)


class Backend:
    """A server at a port of its own. pause: it goes away for seconds, with all its connections, and comes back."""
    def __init__(self, pause=0):
        self.pause, self.sockets = pause, set()
        self.open()

    def open(self, port=0):
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(("127.0.0.1", port))
        self.listening.listen(512)
        self.port = self.listening.getsockname()[1]

    def one(self, sock):
        try:
            with sock:
                handler(Stream(sock))
        except (OSError, ValueError):                    # cut off by an abort: the client of that request knows what it must not get
            pass
        self.sockets.discard(sock)

    def accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            self.sockets.add(sock)
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def run(self):
        chance = random.Random(self.port)
        while True:
            threading.Thread(target=self.accept, args=(self.listening,), daemon=True).start()
            time.sleep(self.pause * (1 + chance.random()) if self.pause else 1e6)
            self.listening.shutdown(socket.SHUT_RDWR)
            self.listening.close()
            for sock in list(self.sockets):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            time.sleep(self.pause * chance.random())
            self.open(self.port)


def servers(backends):
    """The process of the servers; it ends by a signal."""
    for b in backends:
        threading.Thread(target=b.run, daemon=True).start()
    time.sleep(1e6)


# ---- clients -----------------------------------------------------------------------------------------------------------

class Wrong(Exception):
    """An answer that is not the one to this request, or none where there had to be one."""


class Client:
    """One client: a thread with a kind of traffic. tally: how often what happened."""
    def __init__(self, number, kind, ports):
        self.number, self.kind, self.ports = number, kind, ports
        self.chance, self.serial, self.tally, self.wrong = random.Random(number), 0, {}, []

    def count(self, what):
        self.tally[what] = self.tally.get(what, 0) + 1

    def token(self):
        self.serial += 1
        return b"%s.%d.%d." % (self.kind.__name__.encode(), self.number, self.serial)

    def connect(self, tls=False, people=False, buffer=None):
        sock = socket.socket()
        sock.settimeout(60)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", self.ports[("people " if people else "web ") + ("tls" if tls else "plain")]))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(QUIET.wrap_socket(sock, server_hostname="site.example") if tls else sock)

    def run(self, until):
        while time.monotonic() < until:
            try:
                self.kind(self)
            except (Wrong, OSError, ValueError) as e:
                self.count("wrong")
                self.wrong.append("%s %d.%d at %s: %r" % (self.kind.__name__, self.number, self.serial, time.strftime("%H:%M:%S"), e))
            time.sleep(0.002)


def request(target, host=SITE, body=None, chunked=False, fields=b""):
    method = b"GET" if body is None else b"POST"
    if body is None:
        framed = b""
    elif chunked:
        fields += b"Transfer-Encoding: chunked\r\n"
        framed = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + 60000]), body[at:at + 60000]) for at in range(0, len(body), 60000)) + b"0\r\n\r\n"
    else:
        fields += b"Content-Length: %d\r\n" % len(body)
        framed = body
    return b"%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, target, host, fields) + framed


def expect(got, expected, what):
    """got: of Stream.answer. The whole answer, and the right one."""
    status, _, body, whole = got
    if status != 200 or not whole or body != expected:
        raise Wrong("%s: status %d, %s, %d bytes %r; expected %d bytes %r" % (what, status, "whole" if whole else "cut", len(body), body[:80], len(expected), expected[:80]))


def kept(c):
    """Requests on a connection that stays; a server may end it between two of them, so a GET is asked once more (RFC 9112, 9.3.1)."""
    tls, s, fresh = c.chance.random() < 0.5, None, False
    try:
        for _ in range(c.chance.randrange(1, 60)):
            token, size = c.token(), c.chance.randrange(20, 3000)
            for attempt in range(2):
                fresh = not s
                s = s or c.connect(tls)
                got = (0, b"", b"", False)
                try:
                    s.send(request(b"/text/%d/%s" % (size, token)))
                    got = s.answer()
                except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                    pass
                if got[0] or fresh:
                    break
                c.count("closed while idle")
                s = None
            expect(got, text(token, size), "kept, %s" % ("new connection" if fresh else "old one"))
            c.count("good")
            if b"\r\nConnection: close" in got[1]:
                s.close()
                s = None
    finally:
        if s:
            s.close()


def single(c):
    """One request, with a body or without, on a connection of its own, TLS or not."""
    token, body, s = c.token(), c.chance.randbytes(c.chance.randrange(5000)), c.connect(c.chance.random() < 0.3)
    s.send(request(b"/sum/0/" + token, body=body, chunked=c.chance.random() < 0.5, fields=b"Connection: close\r\n"))
    expect(s.answer(), b"%s %d %s" % (token, len(body), hashlib.sha256(body).hexdigest().encode()), "single")
    s.close()
    c.count("good")


def bulk(c):
    """Some MB up and some MB down, in both framings."""
    s = c.connect(c.chance.random() < 0.5)
    token, body = c.token(), c.chance.randbytes(c.chance.randrange(1, 4) << 20)
    s.send(request(b"/sum/0/" + token, body=body, chunked=c.chance.random() < 0.5))
    expect(s.answer(), b"%s %d %s" % (token, len(body), hashlib.sha256(body).hexdigest().encode()), "upload")
    s.close()
    s = c.connect(c.chance.random() < 0.5)
    token, size = c.token(), c.chance.randrange(1 << 20, 5 << 20)
    s.send(request(b"/%s/%d/%s" % (c.chance.choice((b"text", b"chunks")), size, token)))
    expect(s.answer(), text(token, size), "download")
    s.close()
    c.count("good")


def pipelined(c):
    """Requests at once; answers in their order."""
    s, tokens = c.connect(), [c.token() for _ in range(c.chance.randrange(2, 12))]
    s.send(b"".join(request(b"/text/%d/%s" % (40 + 100 * i, k)) for i, k in enumerate(tokens)))
    for i, token in enumerate(tokens):
        got = s.answer()
        if i and not got[0]:
            raise Wrong("pipelined: nothing after %d of %d answers" % (i, len(tokens)))
        expect(got, text(token, 40 + 100 * i), "pipelined")
        c.count("good")
        if b"\r\nConnection: close" in got[1]:           # what is behind was not taken, and the client is told so (RFC 9112, 9.6)
            break
    s.close()


def abort(c):
    """Gone in the middle: of a head, of a body, of an answer, of a handshake."""
    way, token = c.chance.randrange(4), c.token()
    if way == 3:
        s = Stream(socket.create_connection(("127.0.0.1", c.ports["web tls"])))
        s.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    else:
        s = c.connect(c.chance.random() < 0.5)
        if way == 0:
            s.send(request(b"/text/10/" + token)[:c.chance.randrange(10, 40)])
        elif way == 1:
            s.send(request(b"/sum/0/" + token, body=bytes(2000000))[:c.chance.randrange(100, 1500000)])
        else:
            s.send(request(b"/text/3000000/" + token))
            if not text(token, 3000000).startswith(s.exactly(c.chance.randrange(2000, 100000)).split(b"\r\n\r\n", 1)[1]):
                raise Wrong("abort: what came before")
    if c.chance.random() < 0.5:                          # a reset instead of an orderly end
        s.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()
    c.count("good")
    time.sleep(0.02)


def slow(c):
    """A reader that takes seconds for its answer."""
    s, token, size = c.connect(c.chance.random() < 0.5, buffer=16384), c.token(), 1500000
    s.send(request(b"/%s/%d/%s" % (c.chance.choice((b"text", b"chunks")), size, token)))
    whole_read = s.more

    def more():
        time.sleep(0.02)
        return whole_read()
    s.more, wait = more, threading.Event()
    s.until(b" 200 ")
    wait.wait(1)
    status = s.until(b"\r\n\r\n")
    if not status:
        raise Wrong("slow: no head")
    body, whole = s.body(b"\r\n" + status)
    expect((200, status, body, whole), text(token, size), "slow")
    s.close()
    c.count("good")


def dying(c):
    """The server dies: before the answer that is a 502; in it, the client sees that it was cut, and what came was its own."""
    s, token, kind = c.connect(c.chance.random() < 0.3), c.token(), c.chance.choice((b"die", b"gone"))
    s.send(request(b"/%s/50000/%s" % (kind, token), body=b"" if c.chance.random() < 0.5 else None))
    try:
        status, _, body, whole = s.answer()
    except (ssl.SSLError, ConnectionError):              # cut, as it must be
        status, body, whole = 200, b"", False
    if kind == b"gone" and status != 502 or kind == b"die" and status not in (200, 502):
        raise Wrong("dying %s: status %d" % (kind, status))
    if kind == b"die" and status == 200 and (whole or not text(token, 50000).startswith(body)):
        raise Wrong("dying in its answer: %d bytes, %s" % (len(body), "taken for whole" if whole else "not its own"))
    s.close()
    c.count("good")


def farm(c):
    """A farm whose members come and go: the right answer, or a 502 or 503, or one that was cut with its member."""
    s, token, size, cookie = c.connect(), c.token(), c.chance.randrange(100, 200000), b""
    for _ in range(5):
        try:
            s.send(request(b"/text/%d/%s" % (size, token), FARM, fields=cookie))
            got = s.answer()
        except ConnectionError:
            got = (0, b"", b"", False)
        if got[0] == 200 and got[3]:
            expect(got, text(token, size), "farm")
            c.count("good")
        elif got[0] in (502, 503, 504):
            c.count("%d with its member" % got[0])
        elif not text(token, size).startswith(got[2]):
            raise Wrong("farm: status %d, %d bytes that are not its own" % (got[0], len(got[2])))
        else:
            c.count("closed or cut with its member")
        if not got[3] or b"\r\nConnection: close" in got[1]:
            break
        found = re.search(rb"\r\nSet-Cookie: ([^;\r]*)", got[1])
        cookie = b"Cookie: %s\r\n" % found.group(1) if found else cookie
    s.close()


def links(c):
    """Pages in gzip whose links are translated, for clients that take gzip and for others."""
    s, token, n, packed = c.connect(c.chance.random() < 0.5), c.token(), c.chance.randrange(2000), c.chance.random() < 0.5
    s.send(request(b"/page/%d/%s" % (n, token), LINKS, fields=b"Connection: close\r\n" + (b"Accept-Encoding: gzip\r\n" if packed else b"")))
    status, head, body, whole = s.answer()
    if whole and re.search(rb"content-encoding: gzip", head, re.I):
        body = gzip.decompress(body)
    expect((status, head, body, whole), page(token, n, b"outside.example"), "links")
    s.close()
    c.count("good")


def people(c):
    """Users by Basic, several on one connection; the server is told who it is. A wrong password gets nothing."""
    s = c.connect(c.chance.random() < 0.5, people=True)
    for _ in range(c.chance.randrange(1, 8)):
        token, user, bad = c.token(), c.chance.choice(USERS), c.chance.random() < 0.1
        pair = "mallory:nothing" if bad else user + ":" + password(user)
        s.send(request(b"/who/0/" + token, PEOPLE, fields=b"Authorization: Basic %s\r\n" % base64.b64encode(pair.encode())))
        got = s.answer()
        if bad and got[0] in (401, 429, 503):
            c.count("refused")
        elif bad:
            raise Wrong("a wrong password got status %d" % got[0])
        else:
            expect(got, token + b" " + credentials(user), "people")
            c.count("good")
        if b"\r\nConnection: close" in got[1]:
            break
    s.close()



def http2(c):
    """Up to 16 streams at a time over one connection: uploads, downloads, pages, users."""
    kind, n = c.chance.choice(("sum", "text", "chunks", "page", "who")), c.chance.randrange(2, 20)
    tokens, size = [c.token() for _ in range(n)], {"page": 500, "who": 0, "sum": 0}.get(kind, c.chance.randrange(100, 400000))
    host, user, body = {"page": LINKS, "who": PEOPLE}.get(kind, SITE), c.chance.choice(USERS), c.chance.randbytes(c.chance.randrange(100000))
    more = {"page": [("accept-encoding", "gzip")], "who": [("authorization", b"Basic " + base64.b64encode((user + ":" + password(user)).encode()))]}.get(kind, [])
    sock = socket.create_connection(("127.0.0.1", c.ports["people tls" if kind == "who" else "web tls"]), 60)
    connection = h2_client.connect(sock, host.decode())
    pseudo = [(":method", "POST" if kind == "sum" else "GET"), (":scheme", "https"), (":authority", host)]
    answers = connection.ask([(pseudo + [(":path", b"/%s/%d/%s" % (kind.encode(), size, token))] + more, body if kind == "sum" else b"") for token in tokens])
    connection.sock.close()
    for token, answer in zip(tokens, answers):
        got = answer.body()
        if kind == "sum":
            expected = b"%s %d %s" % (token, len(body), hashlib.sha256(body).hexdigest().encode())
        elif kind == "who":
            expected = token + b" " + credentials(user)
        else:
            expected = page(token, size, b"outside.example") if kind == "page" else text(token, size)
        if answer.ended and (b"content-encoding", b"gzip") in answer.fields:
            got = gzip.decompress(got)
        if (answer.status, answer.ended, got) != (200, True, expected):
            raise Wrong("HTTP/2 %s: %s; expected %d bytes" % (kind, answer, len(expected)))
        c.count("good")
    if len(answers) < n and not connection.gone:
        raise Wrong("HTTP/2 %s: %d of %d asked" % (kind, len(answers), n))


def flood(c):
    """h2load: many streams over few connections. None fails; those that a reload's GOAWAY kept from starting are no failure of theirs."""
    p = subprocess.run(["h2load", "-n", "300", "-c4", "-m8", "-H:authority: site.example", "https://127.0.0.1:%d/text/1000/%s" % (c.ports["web tls"], c.token().decode())],
                       capture_output=True, text=True, check=False)
    found = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded", p.stdout)
    if not found:
        raise Wrong("h2load: " + p.stdout[-300:] + p.stderr[-300:])
    total, started, done, good = (int(n) for n in found.groups())
    if not done == good == started <= total:
        raise Wrong("h2load: " + found.group(0))
    c.count("good")


# Each kind, and how many clients of it there are: 24, with 4 connections each of h2load's.
KINDS = {kept: 5, single: 3, bulk: 2, pipelined: 2, abort: 2, slow: 2, dying: 2, farm: 2, links: 2, people: 3, http2: 2, flood: 1}


def clients(ports, seconds, part, parts, results):
    """A process with its part of the clients. results gets (kind, tally, first wrong answers) of each."""
    everybody = [Client(i, k, ports) for i, k in enumerate(k for k, n in KINDS.items() for _ in range(n))][part::parts]
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=c.run, args=(until,)) for c in everybody]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in everybody:
        results.put((c.kind.__name__, c.tally, c.wrong[:5]))
