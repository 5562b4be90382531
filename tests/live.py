"""publishd on loopback, for tests: servers that a test scripts, a configuration, clients on raw sockets.

    with Server(handler) as server, Publishd(t, [Rule(server.port)]) as p:
        p.ask(b"GET / HTTP/1.1\\r\\nHost: site.example\\r\\n\\r\\n")
"""
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

from ports import free_port


class Stream:
    """A socket that is read by lines, heads and counts."""
    def __init__(self, sock):
        self.sock, self.buffer = sock, b""
        self.head = b""

    def more(self):
        piece = self.sock.recv(65536)
        self.buffer += piece
        return bool(piece)

    def until(self, mark):
        """Up to and with mark; b"" if the other side ends before."""
        while mark not in self.buffer:
            if not self.more():
                return b""
        at = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:at], self.buffer[at:]
        return taken

    def exactly(self, n):
        """So many bytes, or fewer at the end."""
        pieces, missing = [self.buffer[:n]], n - len(self.buffer)
        self.buffer = self.buffer[n:]
        while missing > 0:
            piece = self.sock.recv(65536)
            if not piece:
                break
            pieces.append(piece[:missing])
            self.buffer = piece[missing:]
            missing -= len(piece)
        return b"".join(pieces)

    def rest(self):
        while self.more():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def chunk(self):
        """The next chunk's data; b"" for the last one; None where the stream was cut."""
        line = self.until(b"\r\n")
        if not line:
            return None
        n = int(line, 16)
        data = self.exactly(n + 2)
        return data[:-2] if len(data) == n + 2 else None

    def body(self, head):
        """What a head announces, as (bytes, complete)."""
        length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.I)
        if length:
            data = self.exactly(int(length.group(1)))
            return data, len(data) == int(length.group(1))
        if re.search(rb"\r\nTransfer-Encoding: *chunked", head, re.I):
            pieces = []
            while True:
                piece = self.chunk()
                if not piece:
                    return b"".join(pieces), piece is not None
                pieces.append(piece)
        return b"", True

    def request(self):
        """(head, body) of a request; (b"", b"") at the end."""
        head = self.until(b"\r\n\r\n")
        return head, self.body(head)[0] if head else b""

    def answer(self, method=b"GET"):
        """(status, head, body, complete); status 0 at the end."""
        head = self.until(b"\r\n\r\n")
        if not head:
            return 0, b"", b"", False
        status = int(head.split()[1])
        if method == b"HEAD" or status < 200 or status in (204, 304):
            return status, head, b"", True
        if b"\r\ncontent-length:" in head.lower() or b"\r\ntransfer-encoding:" in head.lower():
            return (status, head) + self.body(head)
        return status, head, self.rest(), True

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()


class Server:
    """Calls handler(stream) on a thread for each connection, and counts them. errors: what handlers raised."""
    def __init__(self, handler, context=None, at=("127.0.0.1", 0)):
        self.handler, self.context = handler, context
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listening.bind(at)
        self.listening.listen(512)
        self.address, self.port = self.listening.getsockname()
        self.connections, self.errors = 0, []

    def serve(self):
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        try:
            sock.settimeout(60)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock:
                self.handler(Stream(sock))
        except Exception as e:               # told by the test that looks
            self.errors.append(repr(e))

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


def answering(*, body=b"ok", status=b"200 OK", fields=b""):
    """A handler that answers every request alike, and keeps alive."""
    def handler(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            stream.send(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, fields, len(body), body))
    return handler


def echo(stream):
    """Answers with the request: head and body."""
    while True:
        head, body = stream.request()
        if not head:
            return
        text = head + body
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + (b"" if head.startswith(b"HEAD ") else text))


def rule(*ports, name="site.example", tls=False, more="", host="127.0.0.1", farm=None, delegation="block", site="site.example"):
    """A rule of publishd.yaml for a public name, with servers at these ports."""
    servers = "".join('\n        - {name: member%d, connect: "%s", port: %d%s}' % (i, host, p if p > 0 else -p, ", drained: true" if p < 0 else "")
                      for i, p in enumerate(ports))
    return """
  - name: %s
    listener: web
    names: [%s]
    paths: [{external: /*}]
    site: %s
    forward_host: true%s
    upstream:
      tls: %s
      port: %d
      servers:%s
    delegation: %s
%s""" % (name, name, site, "\n    farm: " + farm if farm else "", str(tls).lower(), abs(ports[0]), servers, delegation,
         "".join("    %s\n" % line for line in more.splitlines()))


def listens(port, process):
    """Waits until somebody takes connections at a port; False if the process that should has ended, or does not in 20 s."""
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            if process.poll() is not None:
                return False
            time.sleep(0.05)
    return False


class Publishd:
    """A running publishd. program: its path; rules: texts by rule(); listener, top: further lines of the configuration."""
    def __init__(self, program, folder, rules, listener="", top="", sockets=None, loops=2, drain=5):
        self.program, self.file, self.loops, self.drain = program, os.path.join(folder, "publishd.yaml"), loops, drain
        self.port = free_port()
        self.sockets = sockets or '\n      - {address: "127.0.0.1", port: %d}' % self.port
        self.write(rules, listener, top)
        self.log = open(os.path.join(folder, "publishd.log"), "wb")

    def write(self, rules, listener="", top=""):
        with open(self.file, "w") as f:
            f.write("publishd: 1\n%s\nlisteners:\n  - name: web\n    sockets:%s\n%s\nrules:%s"
                    % (top, self.sockets, "".join("    %s\n" % line for line in listener.splitlines()), "".join(rules)))

    def __enter__(self):
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:exitcode=99")
        self.process = subprocess.Popen([self.program, "-f", "-c", self.file, "-l", str(self.loops), "-d", str(self.drain)],
                                        stdout=self.log, stderr=self.log, env=environment)
        if not listens(self.port, self.process):
            raise RuntimeError("publishd does not start: " + self.said())
        return self

    def said(self):
        self.log.flush()
        with open(self.log.name, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def reloaded(self):
        """Reloads and waits until that is over. false: the configuration was not good."""
        before = self.said().count("read again"), self.said().count("stays")
        self.reload()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            after = self.said().count("read again"), self.said().count("stays")
            if after != before:
                return after[0] > before[0]
            time.sleep(0.02)
        return False

    def stop(self):
        """The exit status; what it said on standard error is in said()."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    def worker(self):
        """The process that serves; the one that was started looks after it."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as f:
            return int(f.read().split()[0])

    def memory(self, what="VmHWM"):
        """The worker's highest resident memory so far, in bytes; VmRSS: what it is now."""
        with open("/proc/%d/status" % self.worker()) as f:
            return int(re.search(what + r":\s*(\d+)", f.read()).group(1)) * 1024

    def connect(self, port=None, timeout=20, source=None):
        sock = socket.create_connection(("127.0.0.1", port or self.port), timeout, source_address=(source, 0) if source else None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Stream(sock)

    def ask(self, request, method=b"GET", **options):
        """Sends on a connection of its own and gives the answer: (status, head, body, complete)."""
        stream = self.connect(**options)
        stream.send(request)
        try:
            return stream.answer(method)
        finally:
            stream.close()


def get(path=b"/", host=b"site.example", fields=b"", method=b"GET", version=b"1.1"):
    return b"%s %s HTTP/%s\r\nHost: %s\r\n%s\r\n" % (method, path, version, host, fields)


def certificate(folder, name, names, ca=None):
    """Makes a key and certificate for these names; signed by ca, a (certificate, key), or by itself. (certificate, key)."""
    key, cert, request = (os.path.join(folder, name + end) for end in (".key", ".pem", ".csr"))
    subject = ["-subj", "/CN=" + names[0], "-addext", "subjectAltName=" + ",".join(("IP:" if re.match(r"[\d.]+$", n) else "DNS:") + n for n in names)]
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key] + subject
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if ca:
        subprocess.run(new + ["-out", request], **quiet)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial", "-days", "2", "-copy_extensions",
                        "copy", "-out", cert], **quiet)
    else:
        subprocess.run(new + ["-x509", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE", "-out", cert], **quiet)
    return cert, key


def server_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context
