"""Proxies that pass everything on, each of several lanes to a backend of its own that records what it gets, byte by byte.

A lane is a port of the proxy and a recorder behind it: what is sent to one lane cannot be mixed up with another's.
"""
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from fpc import document, external, guid, listener, predefined_users, web_rule
from localise import own_folders
from ports import free_ports

ENV = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Odd(Exception):
    """What no proxy may send to a server."""


class Request:
    def __init__(self, head):
        lines = head.split(b"\r\n")
        if b"\n" in head.replace(b"\r\n", b"") or b"\r" in head.replace(b"\r\n", b"") or b"\0" in head:
            raise Odd("a bare CR, LF or NUL in %r" % head)
        parts = lines[0].split(b" ")
        if len(parts) != 3 or not parts[0] or not parts[1] or parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Odd("a request line: %r" % lines[0])
        self.method, self.target = parts[:2]
        self.fields = []
        for line in lines[1:]:
            m = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", line, re.S)
            if not m:
                raise Odd("a field: %r" % line)
            self.fields.append((m.group(1).lower(), m.group(2)))
        self.body, self.whole = b"", False

    def values(self, name):
        return [v for n, v in self.fields if n == name]

    def framing(self):
        """"chunked", a length, or None."""
        lengths, codings = self.values(b"content-length"), self.values(b"transfer-encoding")
        if len(lengths) + len(codings) > 1 or len(self.values(b"host")) > 1:
            raise Odd("fields that may be there once: %r" % self.fields)
        if codings and codings[0].lower() != b"chunked" or lengths and not re.fullmatch(rb"\d{1,18}", lengths[0]):
            raise Odd("a framing: %r" % self.fields)
        return "chunked" if codings else int(lengths[0]) if lengths else None


class Recorder:
    """A server that takes requests strictly and answers each with `answer(request)`: bytes, or (bytes, then the connection ends)."""
    def __init__(self, answer=lambda request: ANSWER, port=0):
        self.answer, self.lock, self.seen, self.odd = answer, threading.Lock(), [], []
        self.busy, self.waiting = 1, set()                # threads at work; sockets that the others wait on
        self.socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def wait(self, s):
        """Until s can be read. What can be read is either still there, or its thread counts as busy: take() relies on that."""
        with self.lock:
            self.waiting.add(s)
            self.busy -= 1
        select.select([s], [], [])
        with self.lock:
            self.waiting.discard(s)
            self.busy += 1

    def accept(self):
        try:
            while True:
                self.wait(self.socket)
                connection, _ = self.socket.accept()
                with self.lock:
                    self.busy += 1                        # the new thread
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
        except (OSError, ValueError):
            pass

    def serve(self, connection):
        with connection:
            data = bytearray()
            try:
                while self.one(connection, data):
                    pass
            except Odd as odd:
                with self.lock:
                    self.odd.append(str(odd))
            except OSError:
                pass
        with self.lock:
            self.busy -= 1

    def more(self, connection, data):
        self.wait(connection)
        part = connection.recv(1 << 16)
        data += part
        return bool(part)

    def one(self, connection, data):
        while b"\r\n\r\n" not in data:
            if not self.more(connection, data):
                if data:
                    raise Odd("half a head: %r" % bytes(data[:200]))
                return False
        head, _, rest = bytes(data).partition(b"\r\n\r\n")
        data[:] = rest
        request = Request(head)
        with self.lock:
            self.seen.append(request)
        framing = request.framing()
        whole = self.chunks(connection, data, request) if framing == "chunked" else self.length(connection, data, request, framing or 0)
        if not whole:
            return False
        request.whole = True
        answer = self.answer(request)
        data_back, ends = answer if isinstance(answer, tuple) else (answer, False)
        connection.sendall(data_back)
        return not ends

    def length(self, connection, data, request, n):
        while len(request.body) < n:
            take = bytes(data[:n - len(request.body)])
            request.body += take
            del data[:len(take)]
            if len(request.body) < n and not self.more(connection, data):
                return False
        return True

    def line(self, connection, data):
        while b"\r\n" not in data:
            if b"\n" in data:
                raise Odd("a bare LF in chunks: %r" % bytes(data[:80]))
            if not self.more(connection, data):
                return None
        line, _, rest = bytes(data).partition(b"\r\n")
        data[:] = rest
        return line

    def chunks(self, connection, data, request):
        while True:
            line = self.line(connection, data)
            if line is None:
                return False
            if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", line):
                raise Odd("a chunk's size: %r" % line)
            size = int(line, 16)
            if not self.length(connection, data, request, len(request.body) + size):
                return False
            line = self.line(connection, data)
            if line is None:
                return False
            if line:                                     # behind data, or a trailer: none is passed on
                raise Odd("behind a chunk: %r" % line)
            if not size:
                return True

    def settle(self):
        """Until all that was sent to it has been looked at."""
        for _ in range(2000):
            with self.lock:
                if not self.busy and not select.select(list(self.waiting), [], [], 0)[0]:
                    return
            time.sleep(0.001)

    def take(self):
        """(requests, what was odd) since the last time."""
        self.settle()
        with self.lock:
            seen, self.seen, odd, self.odd = self.seen, [], self.odd, []
        return seen, odd

    def close(self):
        self.socket.close()


class Lanes:
    """nginx, HAProxy or publishd with a policy of one rule a lane: any name, any path, over HTTP to the lane's recorder."""
    def __init__(self, t, target, lanes=1, answer=lambda request: ANSWER, build="plain", environment=None, before=(), **rule):
        self.program = os.path.join(t.build if build == "plain" else t.asan, "publishd")
        self.target, self.recorders = target, [Recorder(answer) for _ in range(lanes)]
        self.ports = free_ports(lanes)
        self.folder, self.log = t.path(target), t.path(target + ".log")
        where = [listener("L%d" % i, ["127.0.0.1"], http=port) for i, port in enumerate(self.ports)]
        rules = [web_rule("Lane %d" % i, i + 1, "L%d" % i, site="lane%d.example" % i, all_names=True, **rule)
                 for i in range(lanes)]
        text = document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "LANES")), rules, elements={"WebListeners": where, "UserSets": predefined_users()},
                        name="LANES", networks=[external()])
        backends = "".join('  "lane%d.example:80": 127.0.0.1:%d\n' % (i, r.port) for i, r in enumerate(self.recorders))
        made = t.convert(t.write("lanes.xml", text), self.folder, "-q", "--fail-on", "never",
                         site=t.write("lanes.yaml", "site: 1\nbackends:\n" + backends))
        if made.status:
            raise RuntimeError("convert: %s" % made)
        self.process = self.start(environment, before)
        if not self.ready():
            raise RuntimeError("%s does not start: %s" % (target, self.said()))
        self.first = self.workers()

    def start(self, environment, before):
        if self.target == "publishd":
            command = [self.program, "-f", "-c", os.path.join(self.folder, "publishd", "publishd.yaml"), "--loops", "1", "--drain", "1"]
        elif self.target == "nginx":
            config = os.path.join(self.folder, "nginx", "own.conf")
            with open(os.path.join(self.folder, "nginx", "nginx.conf")) as f:
                text = own_folders(f.read(), self.folder)
            with open(config, "w") as changed:
                changed.write(text)
            command = ["nginx", "-c", config, "-p", self.folder, "-e", self.log, "-g", "daemon off; master_process off; pid %s/nginx.pid;" % self.folder]
        else:
            command = ["haproxy", "-db", "-f", os.path.join(self.folder, "haproxy", "haproxy.cfg")]
        with open(self.log, "wb") as to:
            return subprocess.Popen([*before, *command], stdout=to, stderr=to, stdin=subprocess.DEVNULL, env=dict(ENV, **(environment or {})))

    def ready(self):
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.ports[-1])) == 0:
                    return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return False

    def connect(self, lane=0, timeout=10):
        return socket.create_connection(("127.0.0.1", self.ports[lane]), timeout)

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()[-3000:]

    def workers(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return f.read().split()

    def untouched(self):
        """It runs, in the very processes that it began with."""
        return self.process.poll() is None and self.workers() == self.first

    def end(self):
        """Stops the program; its exit status."""
        self.process.terminate()
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            workers = self.workers()
            self.process.kill()
            status = self.process.wait()
            for worker in workers:
                os.kill(int(worker), signal.SIGKILL)
        for r in self.recorders:
            r.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Answers:
    """Reads answers off a connection: their statuses; whether the connection ended."""
    def __init__(self, s, to_head=False):
        self.s, self.data, self.ended, self.to_head = s, bytearray(), False, to_head
        self.statuses, self.bodies, self.odd = [], [], None

    def more(self):
        try:
            part = self.s.recv(1 << 16)
        except (socket.timeout, TimeoutError):
            return False
        except OSError:
            part = b""
        self.data += part
        self.ended = self.ended or not part
        return bool(part)

    def whole(self):
        """Takes one answer off what is there; False: there is none."""
        m = re.match(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", bytes(self.data))
        if not m:
            return False
        status, rest = int(m.group(1)), bytes(self.data[m.end():])
        fields = dict((k.lower(), v.strip()) for k, _, v in (line.partition(b":") for line in m.group(2).split(b"\r\n")))
        if status < 200 or status in (204, 304) or self.to_head:
            n = 0
        elif b"content-length" in fields:
            n = int(fields[b"content-length"])
        elif fields.get(b"transfer-encoding") == b"chunked":
            end = re.match(rb"(?:(?!0\r\n)[0-9a-fA-F]+\r\n.*?\r\n)*?0\r\n\r\n", rest, re.S)
            if not end:
                return False
            n = end.end()
        elif self.ended:
            n = len(rest)
        else:
            return False
        if len(rest) < n:
            return False
        self.statuses.append(status)
        self.bodies.append(rest[:n])
        self.data[:] = rest[n:]
        return True

    def read(self, expected, quiet):
        """Until the connection ends, or `expected` final answers are there and nothing more comes for `quiet` seconds."""
        while not self.ended:
            while self.whole():
                pass
            done = sum(s >= 200 for s in self.statuses) >= expected
            self.s.settimeout(quiet if done else max(quiet, 3))
            if not self.more() and not self.ended:
                break
        while self.whole():
            pass
        return self
