"""Whether a farm's members are up, as publishd sees it: by the farm's own verifier, each question asked once (B-118 to B-120)."""
import time
import urllib.request

from live import Publishd, Server, get, rule
from ports import free_port
from suite.common import test, test_each
from suite.serving import BUILDS, clean, program


def asked(checks, refused=(b"/a",)):
    """A server that answers checks with 200, of some paths with 500; and notes what they asked: (path, Host)."""
    def handler(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            path, host = head.split()[1], head.split(b"Host: ")[1].split(b"\r\n")[0]
            if b"\r\nConnection: close" in head:
                checks.append((path.decode(), host.decode()))
            bad = path in refused
            stream.send(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % (b"500 Oops" if bad else b"401 Unauthorized" if path == b"/b" else b"200 OK"))
    return handler


def until(condition):
    """What condition() gives once it is true, or after 30 s."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def metrics(port):
    """{metric{labels}: value} of publishd's metrics."""
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30) as r:
        lines = r.read().decode().splitlines()
    return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def member(farm, port, name="up"):
    return 'publishd_member_%s{farm="%s",server="127.0.0.1:%d"}' % (name, farm, port)


@test_each(*BUILDS)
def test_health_shared(t, build):
    """A server in several farms is down for that alone whose verifier says so; the same question is asked once, whichever farms and rules
    mean it and however often the configuration is read; status page and metrics show each member."""
    checks, admin = [], free_port()
    with Server(asked(checks)) as s:
        def farms(first):
            return ("service: {status: \"127.0.0.1:%d\"}\nfarms:\n"
                    "  - {name: A, probe_url: \"http://*:%d%s\"}\n  - {name: B, probe_url: \"http://*:%d/b\"}\n  - {name: C, probe_url: \"http://*:%d/b\"}\n"
                    "  - {name: T, probe: tcp}\n  - {name: H, probe_url: \"http://*:%d/b\", probe_host: own.example}\n"
                    "  - {name: P, probe: ping}\n" % (admin, s.port, first, s.port, s.port, s.port))
        names = [("a.example", "A", "one"), ("b.example", "B", "one"), ("b2.example", "B", "two"), ("c.example", "C", "one"), ("t.example", "T", "one"),
                 ("h.example", "H", "one"), ("p.example", "P", "one")]
        rules = [rule(s.port, name=name, farm=farm, site=site) for name, farm, site in names]
        rules.append(rule(-s.port, name="d.example", farm="B"))
        with Publishd(program(t, build), t.dir, rules, top=farms("/a"), loops=1) as p:
            def status(name):
                return p.ask(get(host=name.encode() + b".example"))[0]
            here = "member0:%d" % s.port
            wanted = {("/a", here): 1, ("/b", here): 1, ("/b", "own.example"): 1}
            t.check(until(lambda: len(checks) == 3 and status("a") == 503), "three questions are asked, and one answer is bad", checks)
            for again in range(3):
                t.check(p.reloaded(), "the same configuration is read again")
                t.equal([status(n) for n in "abcthp"], [503, 200, 200, 200, 200, 200], "a server in six farms, with its verdict from before")
                t.equal({c: checks.count(c) for c in checks}, wanted, "each question is asked once, of the server by the name that its farm has")
            t.equal((status("b2"), status("d")), (200, 503), "another site of the farm; drained there")
            t.check("127.0.0.1 is down: status 500 (http://%s/a at port %d)" % (here, s.port) in p.said(), "the log says why", p.said())
            got = metrics(admin)
            t.equal({f: got.get(member(f, s.port)) for f in "ABCTHP"}, {"A": 0, "B": 1, "C": 1, "T": 1, "H": 1, "P": 1}, "up or down, by farm")
            t.equal((got[member("B", s.port, "draining")], got[member("A", s.port, "draining")]), (1, 0), "draining where a rule says so")
            t.equal((got[member("A", s.port, "checks_total")], got[member("A", s.port, "checks_failed_total")], got[member("B", s.port, "checks_failed_total")]),
                    (1, 1, 0), "times asked, and in vain")
            before = got[member("B", s.port, "requests_total")]
            status("b"), status("b2")
            t.equal(metrics(admin)[member("B", s.port, "requests_total")], before + 2, "one line for both sites")
            page = urllib.request.urlopen("http://127.0.0.1:%d/" % admin, timeout=30).read().decode()
            t.check("http://%s/a at port %d" % (here, s.port) in page and "status 500; asked 1 times, in vain 1" in page and "draining: no new clients" in page,
                    "the page says the same", page)
            p.write(rules, top=farms("/b"))
            t.check(p.reloaded(), "A asks what B asks")
            t.equal((status("a"), {c: checks.count(c) for c in checks}), (200, wanted), "it is up at once, unasked")
            p.write(rules, top=farms("/a"))
            t.check(p.reloaded(), "and asks its own again")
            t.check(until(lambda: status("a") == 503) and checks.count(("/a", here)) == 2, "it is asked anew", checks)
            clean(t, p, [s])


@test
def test_health_names(t):
    """A member whose name leads nowhere is down; one whose name has several addresses is up if one of them can be reached."""
    checks = []
    with Server(asked(checks)) as s:
        top = ("service: {status: \"127.0.0.1:%d\"}\nfarms: [{name: F, probe_url: \"http://*:%d/\"}, {name: T, probe_url: \"http://www.example:%d/x\"}]"
               % (free_port(), s.port, s.port))
        rules = [rule(s.port, name="f.example", farm="F").replace("servers:", "servers:\n        - {name: gone, connect: nowhere.invalid, port: %d}" % s.port),
                 rule(s.port, name="t.example", farm="T", host="localhost")]
        with Publishd(program(t), t.dir, rules, top=top, loops=1) as p:
            t.check(until(lambda: "nowhere.invalid is down: its name leads nowhere" in p.said()), "the log says so", p.said())
            t.equal([p.ask(get(host=b"f.example"))[0] for _ in range(4)], [200] * 4, "the other member answers")
            t.check(until(lambda: len(checks) == 2), "both are asked", checks)
            t.equal(sorted(checks), [("/", "member0:%d" % s.port), ("/x", "www.example:%d" % s.port)], "what they are asked: a URL without a star goes as it is")
            t.equal(p.ask(get(host=b"t.example"))[0], 200, "a name with addresses")
            clean(t, p, [s])
