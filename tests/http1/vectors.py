"""Reads requests.txt and answers.txt, whose notation is said there."""
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0"}
PIECE = re.compile(r"\\\{(\d+) ([^}]*)\}|\\x([0-9a-f]{2})|\\(.)|(\$)|([^\\$]+)")


def unescape(text):
    out = b""
    for times, repeated, hexadecimal, escaped, end, plain in PIECE.findall(text):
        if times:
            out += unescape(repeated) * int(times)
        elif hexadecimal:
            out += bytes([int(hexadecimal, 16)])
        elif escaped:
            out += SIMPLE.get(escaped, escaped.encode())
        else:
            out += b"\r\n" if end else plain.encode()
    return out


def lines(name, cells):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                yield line.split(" | ", cells - 1)


def requests():
    """(verdict, name, bytes) of each."""
    return [(unescape(verdict), name, unescape(data)) for verdict, name, data in lines("requests.txt", 3)]


def answers():
    """(method, verdict, name, bytes) of each."""
    return [(method, unescape(verdict), name, unescape(data)) for method, verdict, name, data in lines("answers.txt", 4)]
