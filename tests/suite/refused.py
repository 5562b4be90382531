"""What a rule keeps from its server or its clients: OPTIONS (TMG3016) and the page of a sign-in that the server refused (TMG3017)."""
from live import Publishd, Server, get, rule
from suite.common import test, test_each
from suite.serving import BUILDS, clean, program
from suite.signing import Client, Front

PAGE = b"<p>no, alice</p>"


def refusing(methods):
    """A server that wants everybody to sign in, and takes nobody."""
    def handler(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            methods.append(head.split()[0].decode())
            stream.send(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"in\"\r\nWWW-Authenticate: NTLM\r\nX-Own: yes\r\n"
                        b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + (b"" if head.startswith(b"HEAD") else PAGE))
    return handler


@test_each(*BUILDS)
def test_refused_options(t, build):
    """OPTIONS of a rule that keeps it: 200 with Allow, as far as its filter lets it, and the server hears nothing; with a body, too."""
    methods = []
    with Server(refusing(methods)) as s:
        rules = [rule(s.port, name="kept.example", more="pass_options: false"),
                 rule(s.port, name="only.example", more="pass_options: false\nfilter: {method_list: only, methods: [OPTIONS, GET]}"),
                 rule(s.port, name="without.example", more="pass_options: false\nfilter: {method_list: except, methods: [OPTIONS]}"),
                 rule(s.port, name="passed.example")]
        with Publishd(program(t, build), t.dir, rules) as p:
            def options(name, more=b""):
                status, head, body, _ = p.ask(b"OPTIONS /a HTTP/1.1\r\nHost: %s.example\r\n%s" % (name, more or b"\r\n"), b"OPTIONS")
                allow = [line[7:].decode() for line in head.split(b"\r\n") if line.startswith(b"Allow: ")]
                return status, allow, body if status == 200 else b""
            usual = (200, ["GET, HEAD, POST, OPTIONS"], b"")
            t.equal(options(b"kept"), usual, "kept")
            t.equal(options(b"kept", b"Content-Length: 5\r\n\r\nhello"), usual, "with a body")
            t.equal(options(b"only"), (200, ["GET, OPTIONS"], b""), "what the filter lets through")
            t.equal(options(b"without"), (502, [], b""), "the filter refuses it before")
            t.equal(methods, [], "the server heard nothing")
            stream = p.connect()
            stream.send(b"OPTIONS * HTTP/1.1\r\nHost: kept.example\r\nContent-Length: 2\r\n\r\nhi" + get(host=b"kept.example"))
            t.equal((stream.answer(b"OPTIONS")[0], stream.answer()[0], methods), (200, 403, ["GET"]), "what comes behind it is answered")
            t.equal((options(b"passed")[0], methods), (403, ["GET", "OPTIONS"]), "a rule that passes it")
            clean(t, p, [s])


@test_each(*BUILDS)
def test_refused_page(t, build):
    """The page that the server sends with its 401 reaches the client where the rule says so, without its challenge: with a delegation that
    failed as 401, where clients may not sign in as 403 (D-11). Else publishd's own page."""
    methods = []
    with Server(refusing(methods)) as s:
        rules = [rule(s.port, name="own.example"), rule(s.port, name="its.example", more="pass_auth_body: true")]
        with Publishd(program(t, build), t.dir, rules) as p:
            for name, its in (b"own", False), (b"its", True):
                status, head, body, _ = p.ask(get(host=name + b".example"))
                t.equal((status, b"WWW-Authenticate" in head, body == PAGE, b"X-Own" in head), (403, False, its, its), name.decode() + ", clients may not sign in")
            status, head, body, whole = p.ask(b"HEAD / HTTP/1.1\r\nHost: its.example\r\n\r\n", b"HEAD")
            t.equal((status, body, whole), (403, b"", True), "HEAD")
            clean(t, p, [s])
        for its in False, True:
            with Front(t, s, build, more="pass_auth_body: true\n" if its else "") as front:
                c = Client(front)
                t.equal(c.form("alice", "secret")[0], 303, "alice signs in")
                status, _, page = c.ask("/")
                t.equal((status, page == PAGE.decode(), "cannot sign you in" in page), (401, True, False) if its else (403, False, True), "the server did not take her")
                clean(t, front, [s])


@test
def test_refused_options_signed_in(t):
    """Who must sign in is asked first, OPTIONS or not."""
    methods = []
    with Server(refusing(methods)) as s, Front(t, s, more="pass_options: false\n") as front:
        c = Client(front)
        t.equal(c.ask("/", "OPTIONS")[0] in (302, 401, 403), True, "nobody yet")
        c.form("alice", "secret")
        t.equal((c.ask("/", "OPTIONS")[0], methods), (200, []), "alice gets the answer, and the server hears nothing")
        t.equal((c.ask("/")[0], methods), (403, ["GET"]), "what else she asks goes on")
        clean(t, front, [s])
