"""publishd behind another proxy: who the client is comes by the PROXY protocol or in a header, from trusted proxies alone."""
import random
import re
import struct
from live import Publishd, Server, echo, get, rule
from ports import free_ports
from .common import test_each
import os

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(address, port=5000, command=0x21, family=0x11, more=b""):
    body = bytes(int(n) for n in address.split(".")) + bytes([127, 0, 0, 1]) + struct.pack(">HH", port, 80) + more
    return SIGNATURE + bytes([command, family]) + struct.pack(">H", len(body)) + body


def forwarded(p, port, introduction, fields=b"", pieces=None, patience=10):
    """The X-Forwarded-For that the server got; the status if it is another; None if the connection was ended."""
    text = introduction + get(fields=fields)
    try:
        stream = p.connect(port=port, timeout=patience)
        for piece in pieces or [text]:
            stream.send(piece)
        status, head, body, _ = stream.answer(b"GET")
        stream.close()
    except (OSError, ValueError, EOFError):
        return None
    if not status:
        return None
    found = re.search(rb"(?mi)^X-Forwarded-For: (\S+)", body)
    return found.group(1).decode() if status == 200 and found else status


GOOD = [(b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\n", "198.51.100.7"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"), (v2("198.51.100.8"), "198.51.100.8"),
        (v2("198.51.100.9", more=b"\x04\0\x03abc"), "198.51.100.9"), (v2("198.51.100.9", command=0x20), "127.0.0.1")]
BAD = [b"", b"GET ", b"PROXY TCP4 198.51.100.7\r\n", b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 99999\r\n", b"PROXY TCP6 ::1 ::1 1 2\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
       b"PROXY " + b"x" * 200, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n", b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", v2("1.2.3.4", command=0x22), v2("1.2.3.4", family=0x21),
       SIGNATURE + b"\x21\x11\0\4abcd", SIGNATURE + b"\x21\x11\xff\xff" + b"a" * 600, b"PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"]


@test_each("plain", "sanitized")
def test_fronted(t, kind):
    build = t.build if kind == "plain" else t.asan
    ports = free_ports(3)
    sockets = ('\n      - {address: "127.0.0.1", port: %d, client_from: proxy-protocol}\n      - {address: "127.0.0.1", port: %d, client_from: header}'
               '\n      - {address: "127.0.0.1", port: %d, client_from: proxy-protocol, proxies: [192.0.2.1]}' % tuple(ports))
    with Server(echo) as s:
        p = Publishd(os.path.join(build, "publishd"), t.dir, [rule(s.port, more="x_forwarded_for: true")], sockets=sockets)
        p.port = ports[0]
        with p:
            for text, expected in GOOD:
                t.equal(forwarded(p, ports[0], text), expected, repr(text))
            whole = GOOD[0][0] + get()
            t.equal(forwarded(p, ports[0], b"", pieces=[whole[i:i + 1] for i in range(len(whole))]), "198.51.100.7", "byte by byte")
            for text in BAD:
                t.equal(forwarded(p, ports[0], text), None, repr(text[:60]))
            r = random.Random(7)
            for _ in range(100):                             # it must only never take what is none
                text = bytearray(v2("198.51.100.8"))
                text[r.randrange(16)] ^= 1 << r.randrange(8)
                got = forwarded(p, ports[0], bytes(text), patience=0.3)
                t.check(got is None or got in (400, "127.0.0.1", "198.51.100.8"), "mutated introduction:", bytes(text), got)
            t.equal(forwarded(p, ports[1], b"", b"X-Publishd-Client: 198.51.100.7\r\n"), "198.51.100.7", "header")
            for fields in (b"", b"X-Publishd-Client: 1.1.1.1\r\nX-Publishd-Client: 2.2.2.2\r\n", b"X-Publishd-Client: 1.1.1\r\n", b"X-Publishd-Client: 1.1.1.1, 2.2.2.2\r\n"):
                t.equal(forwarded(p, ports[1], b"", fields), 400, "header %r" % fields)
            t.equal(forwarded(p, ports[2], GOOD[0][0]), None, "from a proxy that is not listed")
        t.equal(p.process.returncode, 0, "exit status")
