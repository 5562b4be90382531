"""Odd requests, made at random: what lies between two readings of HTTP/1, more often than chance would find it."""
import random

# (usual, odd) of each part
METHODS = [b"GET", b"POST", b"PUT"], [b"OPTIONS", b"RPC_IN_DATA", b"PROPFIND", b"get", b"G\"T", b"G\tT", b""]
TARGETS = [b"/", b"/a?b=c", b"/x/y"], [b"/%2e%2e/x", b"//x", b"http://a/x", b"http://b/x", b"*", b"/a\\b", b"/\xc3\xa9", b"/a b", b"x", b"/a#b", b""]
VERSIONS = [b"HTTP/1.1"], [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 ", b"HTTP/11", b""]
ENDS = [b"\r\n"], [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b" \r\n"]
CODINGS = [b"chunked"], [b"Chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, identity", b"identity", b"xchunked", b"\tchunked", b"chunked;q=1",
                         b"\x0bchunked", b", chunked", b"", b"\"chunked\"", b"chunked\x00"]
CODING_NAMES = [b"Transfer-Encoding"], [b"transfer-encoding", b"Transfer-Encoding ", b"Transfer_Encoding", b"Transfer-Encoding\t", b" Transfer-Encoding",
                                        b"Transfer\r\n-Encoding", b"X\r\nTransfer-Encoding"]
LENGTHS = [b"%d"], [b"+%d", b"-%d", b"0%d", b"%d, %d", b"%d ", b"0x%x", b"%d.0", b"%d;", b"", b"%d\x00", b"1844674407370955161%d", b"%d %d"]
SIZES = [b"%x"], [b"0%x", b"%x;a=b", b"%x ;a", b"%x;a=\"b;c\"", b"%x ", b" %x", b"+%x", b"0x%x", b"%x;\n", b"%x\x00", b"-%x", b"f%015x", b"%x,"]
LAST = [b"0"], [b"00", b"0;x", b"0 ", b"-0", b"0x0"]
TRAILERS = [b""], [b"X: y\r\n", b"Content-Length: 3\r\n", b"X : y\r\n", b"X: y\n"]
HOSTS = [b"Host: a"], [b"Host: a\r\nHost: a", b"Host : a", b"Host: a b", b"Host: a:99x", b"Host: a,b", b"Host: b@a", b"Host:"]
KINDS = ["none", "length", "chunked"], ["both", "lengths", "codings"]
FIELDS = [b"X: y", b"X:", b"Accept: */*", b"Connection: keep-alive", b"X_Y: z"], [
    b"X : y", b"X", b": y", b"X: a\r\n b", b"X: \x00", b"X: \xff", b"X: \x7f", b"Connection: close", b"Connection: transfer-encoding", b"Connection: host, x",
    b"Connection: content-length", b"Expect: 100-continue", b"Host: b", b"Upgrade: h2c", b"TE: trailers", b"Trailer: X", b"Content-Encoding: gzip",
    b"Keep-Alive: 5", b"Proxy-Connection: close", b"X-Forwarded-For: 1", b"Content-Length-X: 3", b"\xc3\xa9: 1"]
BYTES = [b"\r", b"\n", b"\t", b" ", b"\0", b":", b";", b",", b"0", b"x", b"\x0b", b"\x7f", b"\xa0", b"\r\n", b"\r\n\r\n", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"]


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.rate = self.rng.choice([0.01, 0.03, 0.1])   # of odd parts

    def pick(self, parts):
        return self.rng.choice(parts[self.rng.random() < self.rate])

    def number(self, patterns, n):
        pattern = self.pick(patterns)
        return pattern % ((n,) * pattern.count(b"%"))

    def chunked(self, data):
        out = b""
        while data:
            n = self.rng.randint(1, len(data))
            out += self.number(SIZES, n) + self.pick(ENDS) + data[:n] + self.pick(ENDS)
            data = data[n:]
        return out + self.pick(LAST) + self.pick(ENDS) + self.pick(TRAILERS) + self.pick(ENDS)

    def request(self):
        data = self.rng.choice([b"", b"hello", b"0\r\n\r\n", b"GET /inner HTTP/1.1\r\nHost: a\r\n\r\n"])
        kind = self.pick(KINDS)
        length = lambda: b"Content-Length: " + self.number(LENGTHS, len(data))
        coding = lambda: self.pick(CODING_NAMES) + b": " + self.pick(CODINGS)
        framing = {"none": [], "length": [length()], "chunked": [coding()], "both": [length(), coding()], "lengths": [length(), length()],
                   "codings": [coding(), coding()]}[kind]
        fields = [self.pick(HOSTS), *framing, *(self.pick(FIELDS) for _ in range(self.rng.choice([0, 0, 1, 2])))]
        self.rng.shuffle(fields)
        line = self.pick(METHODS) + b" " + self.pick(TARGETS) + b" " + self.pick(VERSIONS)
        body = data if kind in ("length", "lengths") else self.chunked(data) if kind != "none" else b""
        return b"".join(part + self.pick(ENDS) for part in [line, *fields]) + b"\r\n" + body

    def stream(self):
        out = b"".join(self.request() for _ in range(self.rng.choice([1, 2, 2, 3])))
        for _ in range(self.rng.choice([0, 0, 0, 0, 1, 2])):
            at, cut = self.rng.randrange(len(out) + 1), self.rng.choice([0, 0, 1, 3])
            out = out[:at] + self.rng.choice(BYTES) + out[at + cut:]
        return out


def stream(seed):
    """The bytes of a connection: one to three requests, mostly with a few odd parts, some with bytes changed."""
    return Maker(seed).stream()
