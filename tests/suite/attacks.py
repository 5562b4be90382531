"""What somebody hostile would try at the edge, on whatever serves it. Signing in is attacked in signing.py and the lab, framing in smuggling.py."""
import os
import threading
import time

from live import Publishd, Server, echo, listens, rule
from ports import free_port
from traffic import PROXIES, Traffic, field, site_rule
from .common import test
from .signing import Client, Front


@test
def test_attack_host(t):
    """The host that chose the rule is the one that the server is told, and none is told a host that no rule is for (D-01)."""
    rules = [site_rule("site", 80, "forward_host: true"), site_rule("fixed", 80)]
    with Server(echo) as server, Traffic(t, rules, {n + ".corp.example:80": "127.0.0.1:%d" % server.port for n in ("site", "fixed")}) as traffic:
        for name in PROXIES:
            for target, host in ((b"http://site.example/a", b"intern.corp"), (b"http://site.example/a", b"fixed.example"), (b"http://site.example/a", b"site.example.intern"),
                                 (b"http://site.example/a", b"intern.site.example"), (b"http://site.example/a", b"site.example:80"), (b"http://site.example/a", b"site.example"),
                                 (b"http://SITE.example/a", b"site.Example"), (b"http://site.example:81/a", b"site.example:81"), (b"/a", b"SITE.example.:81"), (b"/a", b"site.example"),
                                 (b"http://site.example#@fixed.example/a", b"site.example"), (b"http://site.example@fixed.example/a", b"site.example")):
                status, _, body, _ = traffic.ask(name, b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, host))
                told = body.lower().split(b"\r\nhost: ")[-1].split(b"\r\n")[0]
                t.check(status in (400, 403) or status == 200 and told.split(b":")[0].rstrip(b".") == b"site.example", "%s: %r with Host: %r:" % (name, target, host), status, told)
                if target == b"/a":
                    t.equal(status, 200, "%s: %r is served" % (name, host))
        for host in (b"site.example:x.intern", b"site.example:80.", b"site.example:80:80"):
            t.equal(traffic.ask("publishd", b"GET /a HTTP/1.1\r\nHost: %s\r\n\r\n" % host)[0], 400, "no port: %r" % host)


def persistent(leaks):
    """A server that knows its client for the connection once a ticket came, as IIS 6 does, and IIS with authPersistNonNTLM. leaks: whom it took for somebody else."""
    def handler(stream):
        signed = None
        while True:
            head, _ = stream.request()
            if not head:
                return
            client = field(head, b"X-Client")
            if signed and client != signed:
                leaks.append((client, signed))
            signed = client if field(head, b"Authorization") else signed
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return handler


@test
def test_attack_ticket(t):
    """A ticket that nobody asked for signs a server's connection in: it is its client's from then on, and nobody else is asked over it (B-68)."""
    leaks = []
    with Server(persistent(leaks)) as server, Traffic(t, [site_rule("site", 80, "delegation: pass")], {"site.corp.example:80": "127.0.0.1:%d" % server.port},
                                                      listener="basic: true\nauthenticate_over_http: true") as traffic:
        for name in PROXIES:
            del leaks[:]
            clients = [traffic.connect(name) for _ in range(6)]
            for number in range(6):
                for i, c in enumerate(clients):
                    ticket = b"Authorization: Negotiate YII=\r\n"
                    c.send(b"GET /%d HTTP/1.1\r\nHost: site.example\r\nX-Client: %d\r\n%s\r\n" % (number, i, ticket if number == 1 and i < 3 else b""))
                    t.equal(c.answer()[0], 200, "%s: client %d, request %d" % (name, i, number))
            for c in clients:
                c.close()
            t.equal(leaks, [], name + ": (client, whose connection it came over)")


def path_rule(name, paths, site="site.corp.example", more="all_users: true"):
    return "\n  - name: %s\n    listener: web\n    names: [site.example]\n    paths: %s\n    sources: {any: true}\n%s%s" % (
        name, paths, "    site: %s\n" % site if site else "", "".join("    %s\n" % line for line in more.splitlines()))


@test
def test_attack_spelling(t):
    """What a client gets past a rule by writing its path otherwise is told of where a later rule takes it (D-03)."""
    staff = "all_users: false\nusers: [Staff]"
    for what, rules, told in (
            ("denied, then all", [path_rule("deny", "[/admin/*]", None, "action: deny\nall_users: true"), path_rule("all", "[/*]")], True),
            ("for users, then all", [path_rule("some", "[/admin/*]", more=staff), path_rule("all", "[/*]")], True),
            ("for users, then for others", [path_rule("some", "[/a/admin/*]", more=staff), path_rule("all", "[/a/*]", more="all_users: false\nusers: [Guests]")], True),
            ("for users, then for the same", [path_rule("some", "[/admin/*]", more=staff), path_rule("all", "[/*]", more=staff)], False),
            ("for users, then all on another server", [path_rule("some", "[/admin/*]", more=staff), path_rule("all", "[/*]", "other.corp.example")], False),
            ("for users, then all beside it", [path_rule("some", "[/admin/*]", more=staff), path_rule("all", "[/public/*]")], False),
            ("all, then for users", [path_rule("all", "[/public/*]"), path_rule("some", "[/*]", more=staff)], False)):
        policy = t.write("policy.yaml", "policy: 1\nlisteners:\n  - name: web\n    on: [{network: External, select: specified, addresses: [192.0.2.1]}]\n    http: 80\n    basic: true\n"
                         "networks:\n  - name: External\n    kind: external\nuser_sets:\n  - {name: Staff}\n  - {name: Guests}\nrules:" + "".join(rules))
        r = t.run("check", policy)
        t.equal(b"spelled-past" in r.out + r.err, told, "%s: %s" % (what, r))


@test
def test_attack_cookies(t):
    """A server cannot end a session of publishd's or begin another's: cookies by such names do not get through, its own do."""
    def server(stream):
        while stream.request()[0]:
            own = "".join("Set-Cookie: %s=evil; Path=/\r\n" % name for name in (*names, "own", "publishd", "not__Host-publishd-form")).encode()
            stream.send(b"HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n" % own)

    names = ["__Host-publishd-form", "__Secure-publishd-1"]
    with Server(server) as s, Front(t, s) as front:
        c = Client(front)
        c.form("alice", "secret")
        had = c.session()
        names.extend(had)
        for _ in range(3):
            t.equal(c.ask("/owa/")[0], 200, "signed in")
        t.equal((len(had), c.session()), (1, had), "the session is what it was")
        t.equal({n for n, v in c.cookies.items() if v == "evil"}, {"own", "publishd", "not__Host-publishd-form"}, "what the server could set")


@test
def test_attack_status(t):
    """The status page: no name of another site leads there, and nobody keeps others from it by being slow."""
    port = free_port()
    with Server(echo) as s, Publishd(os.path.join(t.build, "publishd"), t.dir, [rule(s.port)], top="service:\n  status: 127.0.0.1:%d" % port) as p:
        t.check(listens(port, p.process), "it listens")
        for host, status in ((b"127.0.0.1:%d" % port, 200), (b"localhost:%d" % port, 200), (b"LOCALHOST", 200), (b"intern.example:%d" % port, 403), (b"127.0.0.1.intern.example", 403), (b"", 403)):
            for path in (b"/", b"/metrics", b"/health"):
                t.equal(p.ask(b"GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (path, host), port=port)[0], status, "%r of %r" % (path, host))
        t.equal(p.ask(b"GET /health HTTP/1.0\r\n\r\n", port=port)[0], 200, "without a Host")
        slow, begun = p.connect(port=port), time.monotonic()
        ends = threading.Event()

        def drip():
            try:
                while not ends.wait(0.2):
                    slow.send(b"x")
            except OSError:
                pass
        thread = threading.Thread(target=drip)
        thread.start()
        t.equal(p.ask(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", port=port, timeout=30)[0], 200, "behind somebody slow")
        t.check(time.monotonic() - begun < 15, "soon:", time.monotonic() - begun)
        ends.set()
        thread.join()
        slow.close()
