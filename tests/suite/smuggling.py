"""What could be read in two ways: the vectors of tests/http1 through another parser, and through running proxies to servers that
record what they get; odd requests made at random, the same to publishd, nginx and HAProxy."""
import concurrent.futures
import os
import re
import socket
import sys
from .common import TOP, test
from lanes import Answers, Lanes

sys.path.insert(0, os.path.join(TOP, "tests", "http1"))
import vectors

LANES = 8
REFUSED = re.compile(rb"(400|431|501|505)\Z")


@test
def test_llhttp(t):
    """Each vector that llhttp judges otherwise than our codec is explained, and each explanation is needed."""
    r = t.run(program=os.path.join(t.build, "http1_oracle"), cwd=TOP)
    t.check(r.status == 0, "oracle:", r, r.out[-1500:].decode("utf-8", "replace"))
    t.note = r.out.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]


def exchange(proxy, lane, data, expected, quiet):
    """Sends data over a connection of its own; what came back, what the server saw, and what was odd in that."""
    with proxy.connect(lane) as s:
        try:
            s.sendall(data)
            if quiet is None:                            # the proxy is ours: it takes our end for no more than that
                s.shutdown(socket.SHUT_WR)
        except OSError:                                  # refused before all was sent
            pass
        answers = Answers(s).read(expected, 5 if quiet is None else quiet)
    seen, odd = proxy.recorders[lane].take()
    return answers, seen, odd


def in_lanes(proxy, jobs, run):
    """run(lane, job) of each, one at a time in each lane."""
    def lane(i):
        return [run(i, job) for job in jobs[i::LANES]]

    with concurrent.futures.ThreadPoolExecutor(LANES) as pool:
        return [result for results in pool.map(lane, range(LANES)) for result in results]


def expectation(verdict):
    """(requests that the server sees whole, [its method and body], one more that it may see in part, the refusal's status)"""
    refused = REFUSED.search(verdict)
    rest = verdict[:refused.start()] if refused else verdict
    partial = bool(re.search(rb"=[^ ]*(\.\.\.)?\Z", rest)) and (bool(refused) and not rest.endswith(b" ") or rest.endswith(b"..."))
    rest = re.sub(rb" ?\.\.\.\Z", b"", rest)
    return rest, partial, int(refused.group()) if refused else None


def as_verdict(seen):
    return b" ".join(r.method + (b"=" + r.body if r.body or not r.whole else b"") for r in seen)


@test
def test_smuggling(t):
    """Each vector through publishd: the server sees what the verdict says - all of it, or the beginning of what is refused."""
    def one(lane, vector):
        verdict, name, data = vector
        answers, seen, odd = exchange(proxy, lane, data, 99, None)
        wanted, partial, status = expectation(verdict)
        got = as_verdict(seen)
        fine = wanted.rstrip(b" ").startswith(got) if partial else got == wanted.rstrip(b" ")
        return (name, not odd, odd), (name, fine, "server saw %r, expected %r" % (got[:200], wanted[:200])), (
            name, not any(b"smuggled" in r.target for r in seen), "smuggled"), (
            name, status is None or answers.statuses[-1:] == [status], "answers %s, expected %s" % (answers.statuses, status)), (
            name, answers.ended, "the connection stays open")

    with Lanes(t, "publishd", LANES) as proxy:
        for checks in in_lanes(proxy, vectors.requests(), one):
            for name, fine, detail in checks:
                t.check(fine, "%s:" % name, detail)
        t.check(proxy.alive(), "publishd has ended")
    t.note = "%d vectors through publishd to a recording server" % len(vectors.requests())
