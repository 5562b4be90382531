"""What somebody hostile would try at the edge, on whatever serves it. Signing in is attacked in signing.py and the lab, framing in smuggling.py."""
from live import Server, echo
from traffic import PROXIES, Traffic, site_rule
from .common import test


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
