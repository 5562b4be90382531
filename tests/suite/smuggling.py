"""What could be read in two ways: the vectors of tests/http1 through another parser, and through running proxies to servers that
record what they get; odd requests made at random, the same to publishd, nginx and HAProxy."""
import collections
import concurrent.futures
import os
import re
import socket
import sys
from .common import TOP, test, test_each
import odd_requests
from lanes import Answers, Lanes

sys.path.insert(0, os.path.join(TOP, "tests", "http1"))
import vectors

LANES, SEPARATOR = 8, b"\x1e"
REFUSED = re.compile(rb"(400|431|501|505)\Z")


@test
def test_llhttp(t):
    """Each vector that llhttp judges otherwise than our codec is explained, and each explanation is needed."""
    r = t.run(program=os.path.join(t.build, "http1_oracle"), cwd=TOP)
    t.check(r.status == 0, "oracle:", r, r.out[-1500:].decode("utf-8", "replace"))
    t.note = r.out.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]


def exchange(proxy, lane, data, expected, quiet, piece=1 << 20):
    """Sends data over a connection of its own, in pieces; what came back, what the server saw, and what was odd in that."""
    with proxy.connect(lane) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for i in range(0, len(data), piece):
                s.sendall(data[i:i + piece])
            if quiet is None:                            # ours takes our end for no more than that
                s.shutdown(socket.SHUT_WR)
        except OSError:                                  # refused before all was sent
            pass
        answers = Answers(s).read(expected, 5 if quiet is None else quiet)
    seen, odd = proxy.recorders[lane].take()
    return answers, seen, odd


def in_lanes(jobs, run):
    """run(lane, job) of each, one at a time in each lane."""
    def lane(i):
        return [run(i, job) for job in jobs[i::LANES]]

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        return [result for results in pool.map(lane, range(LANES)) for result in results]


def expectation(verdict):
    """(what the server sees, may its last request be cut, the refusal's status) of a verdict."""
    refused = REFUSED.search(verdict)
    rest = verdict[:refused.start()] if refused else verdict
    cut = b"=" in rest and (bool(refused) and not rest.endswith(b" ") or rest.endswith(b"...") and not rest.endswith(b" ..."))
    return re.sub(rb" ?\.\.\.\Z", b"", rest).rstrip(b" "), cut, int(refused.group()) if refused else None


def as_verdict(seen):
    return b" ".join(r.method + (b"=" + r.body if r.body or not r.whole else b"") for r in seen)


@test_each("plain", "sanitized")
def test_smuggling(t, build):
    """Each vector through publishd, whole and in pieces: the server sees what the verdict says - all of it, or the beginning of what is
    refused."""
    def one(lane, job):
        (verdict, name, data), piece = job
        answers, seen, odd = exchange(proxy, lane, data, 99, None, piece)
        wanted, cut, status = expectation(verdict)
        got = as_verdict(seen)
        fine = wanted.startswith(got) if cut else got == wanted
        return (name, not odd, odd), (name, fine, "server saw %r, expected %r" % (got[:200], wanted[:200])), (
            name, not any(b"smuggled" in r.target for r in seen), "smuggled"), (
            name, status is None or answers.statuses[-1:] == [status], "answers %s, expected %s" % (answers.statuses, status)), (
            name, answers.ended, "the connection stays open")

    with Lanes(t, "publishd", LANES, build=build) as proxy:
        for checks in in_lanes([(v, piece) for piece in (1 << 20, 3, 1) for v in vectors.requests() if len(v[2]) < 1000 * piece], one):
            for name, fine, detail in checks:
                t.check(fine, "%s:" % name, detail)
        t.check(proxy.untouched(), "publishd has ended:", proxy.said())
    t.note = "%d vectors through publishd to a recording server, whole and in pieces of 3 bytes and of 1" % len(vectors.requests())


# ---- the same to three programs --------------------------------------------------------------------

def notation(data):
    return "".join("\\x%02x" % b for b in data)


def own_verdicts(t, streams):
    """(requests, None or the beginning of one more, None or the refusal's status) for each stream; a request is METHOD=body or METHOD."""
    r = t.run("verdicts", program=os.path.join(t.build, "http1_oracle"), stdin="".join(notation(s) + "\n" for s in streams).encode())
    for line in r.out.decode().split("\n")[:-1]:
        items, cut, status = [item for item in bytes.fromhex(line).split(SEPARATOR) if item], None, None
        last = items.pop() if items and (REFUSED.search(items[-1]) or items[-1].endswith(b"...")) else b""
        if REFUSED.fullmatch(last) or REFUSED.search(last) and b"=" in last:
            last, status = last[:-3], int(last[-3:])
        elif last.endswith(b"..."):
            last = last[:-3]
        yield items, last or None, status


class Case:
    """What a program made of a stream."""
    def __init__(self, answers, seen, odd):
        self.statuses, self.odd = answers.statuses, odd
        self.whole = [r.method + (b"=" + r.body if r.body else b"") for r in seen if r.whole]
        self.cut = [r.method + b"=" + r.body for r in seen if not r.whole]
        self.targets = [r.target for r in seen]

    def __repr__(self):
        return "%s %s%s" % (self.statuses, self.whole, " and a part" if self.cut else "")


@test
def test_odd_requests(t):
    """The same odd requests to publishd, nginx and HAProxy. publishd passes on just what its codec takes, and no two programs take the same
    bytes for different requests."""
    first, n = int(os.environ.get("TMGC_SEED", "0")), int(os.environ.get("TMGC_STREAMS", "400"))
    streams = [odd_requests.stream(seed) for seed in range(first, first + n)]
    own = list(own_verdicts(t, streams))
    if not t.equal(len(own), n, "verdicts"):
        return

    def through(target):
        with Lanes(t, target, LANES, build="sanitized") as proxy:
            def one(lane, i):
                requests, cut, status = own[i]
                return i, Case(*exchange(proxy, lane, streams[i], len(requests) + (status is not None), None if target == "publishd" else 0.1))
            cases = dict(in_lanes(list(range(n)), one))
            t.check(proxy.untouched(), target + " has ended:", proxy.said())
        return cases

    made = {target: through(target) for target in ("publishd", "nginx", "haproxy")}
    counts = collections.Counter()
    for i, (requests, cut, status) in enumerate(own):
        ours, what = made["publishd"][i], "stream %d, %r:" % (first + i, streams[i])
        t.check(not ours.odd, what, "publishd sends", ours.odd)
        t.check(ours.whole == requests and len(ours.cut) <= (cut is not None) and all(cut.startswith(c) for c in ours.cut), what, ours, "expected", own[i])
        t.check(status is None or ours.statuses[-1:] == [status], what, ours, "expected", own[i])
        for target in ("nginx", "haproxy"):
            other = made[target][i]
            both = min(len(other.whole), len(ours.whole))
            same = other.whole[:both] == ours.whole[:both]
            counts[target, "odd to the server" if other.odd else "same" if other.whole == ours.whole else "takes more" if len(other.whole) > both else "takes less"] += 1
            t.check(same or other.odd, what, "taken differently:", target, other, "publishd", ours)
            if same and len(ours.whole) > both:          # then it has refused it, or ended the connection, and not gone on otherwise
                t.check(not other.statuses or other.statuses[-1] >= 400 or len(other.statuses) == len(other.whole), what, target, other, "publishd", ours)
    t.note = "%d streams; " % n + "; ".join("%s %s %d" % (target, kind, counts[target, kind]) for target in ("nginx", "haproxy")
                                            for kind in ("same", "takes more", "takes less", "odd to the server"))
