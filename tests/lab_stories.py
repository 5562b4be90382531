#!/usr/bin/python3
"""Two stories from the export to the published server, inside tests/lab.py run: Exchange behind an Integrated listener with constrained delegation, and
Lync's web services whose users sign in there. Usage: tests/lab_stories.py BUILD [PART...]

Prints lines of JSON like tests/lab_cases.py; what stands between them, by two spaces, is what docs/stories.md shows. The exports are the samples, converted
by tmgc; their site maps say where the lab is. Only what a story is about is then changed in publishd.yaml.
"""
import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from lab import Lab, USERS
from live import Server, answering, server_context
from exchange import AUTODISCOVER, REQUEST, client_access_server, conn_a1, conn_b1, front_end, pdu, read_pdu, soap
from published import Published
from windows import Ntlm, ticket

BUILD = sys.argv[1]
lab = Lab(os.environ["LAB_DIR"])
OUTLOOK, AUTO = "outlook.contoso.example", "autodiscover.contoso.example"
DISCOVER, EWS = "/Autodiscover/Autodiscover.xml", "/EWS/Exchange.asmx"
BY_NTLM = {u: ("--ntlm", "-u", "LAB\\%s:%s" % (u, USERS[u][0])) for u in ("alice", "bob")}


def say(name, passed, what=""):
    print(json.dumps([name, bool(passed), str(what)[:1500]]), flush=True)
    return passed


def equal(name, got, expected, more=""):
    return say(name, got == expected, "got %r, expected %r %s" % (got, expected, more))


def tell(text=""):
    print("  " + text, flush=True)


def show(arrow, what, *more):
    tell("%s %s" % (arrow, "  ".join(filter(None, (what,) + more))))


def ordered(*servers):
    return [(r.method, r.path, r.user, len(r.body)) for s in servers for r in s.log]


# ---- the clients -------------------------------------------------------------------------------------------------------
class WinInet:
    """What a client of WinINet's does (6.2): once it was challenged, it expects to be again, sends POSTs without their bodies and begins a new handshake
    with them, whether or not its connection is signed in; it keeps the connection, and takes any answer but 401 for final."""
    def __init__(self, at, listener, host, user, note=lambda *_: None):
        self.at, self.listener, self.host, self.user, self.note = at, listener, host, user, note
        self.stream, self.connections = at.connect(listener, host), 1

    def send(self, method, target, body=None, authorization="", framing=None, fields=""):
        """One request as it stands: (status, head, body)."""
        framing = "Content-Length: %d\r\n" % len(body or b"") if framing is None else framing
        credentials = "Authorization: %s\r\n" % authorization if authorization else ""
        self.note("->", "%s %s" % (method, target), framing.strip(), authorization[:21] + "…" if authorization else "no Authorization")
        self.stream.send(("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/xml\r\n%s%s%s\r\n" % (method, target, self.host, framing, credentials, fields)).encode() + (body or b""))
        while True:
            status, head, got, _ = self.stream.answer(method.encode())
            if status != 100:
                break
        challenge = re.search(r"(?mi)^WWW-Authenticate: ([^\r]*)", head.decode())
        self.note("<-", str(status), "WWW-Authenticate: " + (challenge.group(1)[:21] + "…" if len(challenge.group(1)) > 21 else challenge.group(1)) if challenge else "%d bytes" % len(got), "")
        return status, head.decode(), got

    def sign_in(self, method, target, body, user=None, framing=None, coded=None, scheme="NTLM"):
        """The empty first leg with an initial token; then the last one, with the body. The final (status, body); the leg's if that was final."""
        user = user or self.user
        context = Ntlm(user, USERS[user][0], self.host)
        status, head, got = self.send(method, target, b"", "%s %s" % (scheme, context.begin()))
        found = re.search(r"(?mi)^WWW-Authenticate: %s (\S+)" % scheme, head)
        if status != 401 or not found:
            return status, got.decode()
        status, _, got = self.send(method, target, coded if coded is not None else body, "%s %s" % (scheme, context.end(found.group(1))), framing)
        return status, got.decode()

    def close(self):
        self.stream.close()


def communicator(at, host, user):
    """Takes the first scheme of the offer that it has, and gives up if that fails: it is outside, and has no ticket for Negotiate. (scheme, status)"""
    client = WinInet(at, "Exchange Integrated", host, user)
    status, head, _ = client.send("POST", EWS, soap("<m:GetFolder/>").encode())
    offer = re.findall(r"(?mi)^WWW-Authenticate: (\S+)", head)
    if offer[0] == "Negotiate":
        try:
            ticket("FILE:" + lab.path("run", "nobody-was-here"), host)
        except Exception:
            return "Negotiate", status
    status, _ = client.sign_in("POST", EWS, soap("<m:GetFolder/>").encode())
    client.close()
    return offer[0], status


# ---- Exchange ------------------------------------------------------------------------------------------------------------
class Farm:
    """cas01 and cas02: over TLS, and on port 80 for who asks whether they are there (B-118)."""
    def __init__(self, pair):
        context = server_context(pair)
        host = {n: "127.66.%d.%d" % (os.getpid() % 250, i + 1) for i, n in enumerate(("cas01", "cas02"))}
        self.members = {n: client_access_server(context=context, keytab=lab.path("kt", n + ".keytab"), at=(host[n], 443),
                                                passwords={"LAB\\" + u: USERS[u][0] for u in ("alice", "bob")}) for n in host}
        self.probes = [Server(answering(), at=(h, 80)) for h in host.values()]

    def __enter__(self):
        for s in (*self.members.values(), *self.probes):
            s.__enter__()
        return self

    def __exit__(self, *_):
        for s in (*self.members.values(), *self.probes):
            try:
                s.__exit__()
            except OSError:                              # a story has stopped it
                pass

    def backends(self):
        return {n + ".corp.contoso.example:443": s for n, s in self.members.items()}

    def log(self):
        return [r for s in self.members.values() for r in s.log]

    def clear(self):
        for s in self.members.values():
            s.log.clear()
            s.told.clear()

    def seen(self):
        return ordered(*self.members.values())


class Exchange:
    """The sample exchange-2010 before the farm; a `with` for both."""
    def __init__(self, proxy="", change=lambda text: text):
        self.at = Published(lab, BUILD, "exchange-2010", say, proxy=proxy, change=change)
        self.farm = Farm(self.at.pair)

    def __enter__(self):
        self.farm.__enter__()
        self.at.backends = self.farm.backends()
        try:
            self.at.__enter__()
        except BaseException:
            self.farm.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.at.__exit__()
        self.farm.__exit__()

    def curl(self, target, *options, host=OUTLOOK, **more):
        return self.at.curl("Exchange Integrated", host, target, *options, **more)

    def wininet(self, user="alice", note=lambda *_: None, host=AUTO):
        return WinInet(self.at, "Exchange Integrated", host, user, note)


def diagnosis():
    at = Published(lab, BUILD, "exchange-2010", say)
    try:
        r = at.tmgc("check", at.export, "-m", at.site)
        for line in r.stderr.splitlines():
            if "TMG5003" in line or "TMG5004" in line:
                tell(re.sub(r"^.*export.xml", "samples/exchange-2010/export.xml", line))
        for code, rule in itertools.product(("TMG5003", "TMG5004"), ("Outlook Anywhere", "EWS and Autodiscover")):
            say("tmgc check: %s for %s" % (code, rule), re.search(r'rule "%s": .*\[%s ' % (rule, code), r.stderr), r.stderr[-1500:])
    finally:
        shutil.rmtree(at.folder, ignore_errors=True)
    for sample, code in (("lync-no-host-header", "TMG5001"), ("lync-names-missing", "TMG5002"), ("lync-right", "")):
        export, site = (os.path.join(HERE, "..", "samples", sample, n) for n in ("export.xml", "site.yaml"))
        r = subprocess.run([os.path.join(BUILD, "tmgc"), "check", export, "-m", site], capture_output=True, text=True)
        found = re.findall(r"\[(TMG500[12]) ", r.stderr)
        equal("tmgc check: " + sample, sorted(set(found)), [code] if code else [], r.stderr[-1000:])
        for line in r.stderr.splitlines():
            if code and code in line:
                tell(re.sub(r"^.*samples/", "samples/", line))


def real_clients(e, kinds):
    """curl with each of its ways, and a GSSAPI client; bodies come whole, and once."""
    cache = {"KRB5CCNAME": lab.ticket("alice")}
    big = lab.path("run", "attachment")
    with open(big, "wb") as f:
        f.write(soap("<m:CreateItem><Subject>attached</Subject>%s</m:CreateItem>" % base64.b64encode(os.urandom(1500000)).decode()).encode())
    for kind in kinds:
        options, env = {"ntlm": (BY_NTLM["alice"], None), "anyauth": (("--anyauth",) + BY_NTLM["alice"][1:], None), "negotiate": (("--negotiate", "-u", ":"), cache)}[kind]
        ask = AUTODISCOVER % "alice"
        e.farm.clear()
        status, body = e.curl(DISCOVER, *options, "-d", ask, host=AUTO, env=env)
        say("curl --%s, Autodiscover" % kind, status == 200 and "<DisplayName>alice@LAB.TEST<" in body, (status, body))
        status, body = e.curl(EWS, *options, "-d", soap("<m:GetFolder/>"), env=env)
        say("curl --%s, EWS" % kind, status == 200 and "GetFolderResponse><Mailbox>alice@LAB.TEST" in body, (status, body))
        status, body = e.curl(EWS, *options, "--data-binary", "@" + big, env=env)
        say("curl --%s, two megabytes" % kind, status == 200 and "CreateItemResponse" in body, (status, body[-300:]))
        status, body = e.curl(EWS, *options, "-H", "Transfer-Encoding: chunked", "-d", soap("<m:GetFolder/>"), env=env)
        say("curl --%s, a chunked body" % kind, status == 200 and "GetFolderResponse" in body, (status, body))
        piped = kind != "anyauth"                        # that sends its body, is challenged, and cannot go back in a pipe
        if piped:
            status, body = e.curl(EWS, *options, "-X", "POST", "-T", "-", env=env, stdin=soap("<m:GetFolder/>").encode())
            say("curl --%s, a body from a pipe" % kind, status == 200 and "GetFolderResponse" in body, (status, body))
        status, body = e.curl(EWS, *options, "-d", soap("<m:GetFolder/>"), env=env, more=(EWS, EWS))
        say("curl --%s, three on a connection" % kind, status == 200 and body.count("GetFolderResponse>") == 6, (status, body))
        size = len(soap("<m:GetFolder/>"))
        expected = [("POST", DISCOVER.lower(), len(ask))] + [("POST", EWS.lower(), n) for n in (size, os.path.getsize(big), *[size] * (4 + piped))]
        equal("curl --%s: each request once at the server, whole, as alice" % kind, sorted((m, p, n) for m, p, u, n in e.farm.seen() if u == "alice@LAB.TEST"), sorted(expected))
    e.farm.clear()
    if "negotiate" in kinds:
        client = e.wininet()
        token = ticket(cache["KRB5CCNAME"], AUTO)
        status, _, got = client.send("POST", DISCOVER, (AUTODISCOVER % "alice").encode(), "Negotiate " + token)
        say("a GSSAPI client: one leg, its body with it", status == 200 and b"alice@LAB.TEST" in got, (status, got))
        client.close()
        equal("once", e.farm.seen(), [("POST", DISCOVER.lower(), "alice@LAB.TEST", len(AUTODISCOVER % "alice"))])


def outlook(e):
    """Outlook Anywhere: both channels open, each signed in on its own connection, talking at the same time."""
    e.farm.clear()
    virtual, rounds = uuid.uuid4().bytes, 200
    out, inn = e.wininet(host=OUTLOOK), e.wininet(host=OUTLOOK)

    def open_channel(client, method, length, first):
        """As Outlook does it: an empty leg, then the request that lasts."""
        context = Ntlm("alice", USERS["alice"][0], OUTLOOK)
        status, head, _ = client.send(method, "/rpc/rpcproxy.dll?cas01:6001", b"", "NTLM " + context.begin())
        equal("%s: the first leg is challenged" % method, status, 401)
        token = context.end(re.search(r"(?mi)^WWW-Authenticate: NTLM (\S+)", head).group(1))
        client.stream.send(("%s /rpc/rpcproxy.dll?cas01:6001 HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nAuthorization: NTLM %s\r\n\r\n" % (method, OUTLOOK, length, token)).encode() + first)

    open_channel(out, "RPC_OUT_DATA", 76, conn_a1(virtual))
    head = out.stream.until(b"\r\n\r\n")
    say("RPC_OUT_DATA: the answer begins", head.startswith(b"HTTP/1.1 200"), head)
    say("CONN/A3", read_pdu(out.stream) is not None)
    open_channel(inn, "RPC_IN_DATA", 1 << 30, conn_b1(virtual))
    say("CONN/C2: the channels have found each other", read_pdu(out.stream) is not None)
    wrong, times = [], []
    for n in range(rounds):                              # each is answered before the next is sent
        begun = time.monotonic()
        inn.stream.send(pdu(REQUEST, b"say %d" % n, n))
        got = read_pdu(out.stream)
        if got is None or got[1] != n or got[2] != b"alice@LAB.TEST|say %d" % n:
            wrong.append((n, got))
            break
        times.append(time.monotonic() - begun)
    equal("RPC: %d calls and answers, one after the other, both channels open" % rounds, wrong, [])
    say("none of them waits for more to come", sorted(times)[len(times) // 2] < 0.1, "half of them took longer than %.3f s" % sorted(times)[len(times) // 2])
    sender = threading.Thread(target=lambda: [inn.stream.send(pdu(REQUEST, b"x" * 5000, n)) for n in range(rounds)])
    sender.start()
    got = [read_pdu(out.stream) for _ in range(rounds)]
    sender.join()
    equal("and %d at once: both directions full" % rounds, [g[1] for g in got if g and len(g[2]) == 5015], list(range(rounds)))
    inn.close()
    say("when the one ends the server ends the other", read_pdu(out.stream) is None)
    out.close()
    say("once each, as alice", sorted((r.method, r.user) for r in e.farm.log()) == [("RPC_IN_DATA", "alice@LAB.TEST"), ("RPC_OUT_DATA", "alice@LAB.TEST")], e.farm.seen())
    tell("RPC_OUT_DATA and RPC_IN_DATA open for alice@LAB.TEST; %d calls there and back, one after the other; then %d at once" % (rounds, rounds))


def notifications(e):
    """EWS: the answer to GetStreamingEvents lasts, while others ask and send."""
    e.farm.clear()
    client = e.wininet(host=OUTLOOK)
    context = Ntlm("alice", USERS["alice"][0], OUTLOOK)
    status, head, _ = client.send("POST", EWS, b"", "NTLM " + context.begin())
    body = soap("<m:GetStreamingEvents/>").encode()
    client.stream.send(("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nAuthorization: NTLM %s\r\n\r\n" % (
        EWS, OUTLOOK, len(body), context.end(re.search(r"(?mi)^WWW-Authenticate: NTLM (\S+)", head).group(1)))).encode() + body)
    head = client.stream.until(b"\r\n\r\n")
    say("the long poll's answer begins", head.startswith(b"HTTP/1.1 200") and b"ConnectionStatus>OK" in client.stream.chunk(), head)
    for n in range(3):
        status, _ = e.curl(EWS, *BY_NTLM["bob"], "-d", soap("<m:CreateItem><Subject>mail %d</Subject></m:CreateItem>" % n))
        got = client.stream.chunk()
        say("mail %d is told while the poll is open" % n, status == 200 and b"NewMailEvent>mail %d<" % n in (got or b""), (status, got))
    equal("the end", client.stream.chunk(), b"")
    client.close()
    equal("once each", sorted((u, n > 0) for _, _, u, n in e.farm.seen()), [("alice@LAB.TEST", True)] + [("bob@LAB.TEST", True)] * 3)


def empty_posts(e):
    """6.2, request by request, all on one connection."""
    e.farm.clear()
    c, ask = e.wininet(note=show), (AUTODISCOVER % "alice").encode()
    tell("1. the first request of the connection")
    status, got = c.sign_in("POST", DISCOVER, ask)
    say("an empty POST with an initial token, then the body", status == 200 and "alice@LAB.TEST" in got, (status, got))
    tell("2. another, on the connection that is signed in: again without its body, with a new initial token")
    status, got = c.sign_in("POST", DISCOVER, ask)
    say("again, on the signed-in connection", status == 200 and "alice@LAB.TEST" in got, (status, got))
    tell("3. without credentials, its body at once")
    status, _, got = c.send("POST", DISCOVER, ask)
    say("with its body at once", status == 200 and b"alice@LAB.TEST" in got, (status, got))
    tell("4. without credentials and without its body: does it keep it back?")
    status, head, _ = c.send("POST", DISCOVER, b"")
    say("an empty POST without credentials is asked again", status == 401 and re.search(r"(?mi)^WWW-Authenticate: NTLM\r?$", head), (status, head))
    status, got = c.sign_in("POST", DISCOVER, ask)
    say("and brings its body then", status == 200 and "alice@LAB.TEST" in got, (status, got))
    tell("5. a POST that is really empty: the last leg says so")
    status, got = c.sign_in("POST", EWS, b"")
    say("a real empty POST arrives as such", status == 500 and "ErrorSchemaValidation" in got, (status, got))
    tell("6. a chunked body")
    status, got = c.sign_in("POST", DISCOVER, ask, framing="Transfer-Encoding: chunked\r\n", coded=b"%x\r\n%s\r\n0\r\n\r\n" % (len(ask), ask))
    say("a chunked body", status == 200 and "alice@LAB.TEST" in got, (status, got))
    status, got = c.sign_in("POST", EWS, b"", user="bob")
    equal("another user on the same connection", status, 500)
    expected = [("POST", DISCOVER.lower(), "alice@LAB.TEST", len(ask))] * 4 + [("POST", EWS.lower(), "alice@LAB.TEST", 0), ("POST", DISCOVER.lower(), "alice@LAB.TEST", len(ask)),
                                                                                ("POST", EWS.lower(), "bob@LAB.TEST", 0)]
    equal("the server got each once, in order, whole", e.farm.seen(), expected)
    say("and no leg of a handshake", all(scheme == "Negotiate" and kind == 0 for s in e.farm.members.values() for _, _, scheme, kind in s.told), [s.told for s in e.farm.members.values()])
    tell("what the server got:")
    for method, path, user, n in e.farm.seen():
        tell("   %s %s  %s  %d bytes" % (method, path, user, n))
    c.close()
    status, body = e.curl(DISCOVER, *BY_NTLM["alice"], "-X", "POST", "-d", "", host=AUTO)
    equal("curl's empty POST", (status, "<ErrorCode>600<" in body), (200, True), body)
    e.farm.clear()
    status, body = e.curl(DISCOVER, *BY_NTLM["alice"], "-X", "POST", "-d", "", host=AUTO, more=(DISCOVER, DISCOVER))
    equal("curl's, three on a connection: asked again, it answers", (status, body.count("<ErrorCode>600<")), (200, 3), body)
    equal("which arrive, once each", e.farm.seen(), [("POST", DISCOVER.lower(), "alice@LAB.TEST", 0)] * 3)


def negotiate_offered():
    """The source offers Negotiate as well (TMG5004): who has a ticket uses it; Communicator, outside, tries and gives up. NTLM alone mends that."""
    offered = lambda text: text.replace("offer: [ntlm]", "offer: [negotiate, ntlm]")
    with Exchange(change=offered) as e:
        real_clients(e, ("ntlm", "negotiate"))
        status, body = e.curl(DISCOVER, "--anyauth", *BY_NTLM["alice"][1:], "-d", AUTODISCOVER % "alice", host=AUTO)
        equal("Negotiate offered: curl --anyauth without a ticket takes it, and fails", status, 401, body)
        equal("Negotiate offered: Communicator gives up", communicator(e.at, OUTLOOK, "alice"), ("Negotiate", 401))
        tell("offer: [negotiate, ntlm]   Communicator takes Negotiate, has no ticket, gives up: 401; curl --anyauth: %d" % status)
        e.farm.clear()
        c = e.wininet()
        token = ticket(lab.ticket("alice"), AUTO)
        status, head, _ = c.send("POST", DISCOVER, b"", "Negotiate " + token)
        equal("a ticket with an empty POST is asked again", (status, e.farm.seen()), (401, []))
        status, _, got = c.send("POST", DISCOVER, (AUTODISCOVER % "alice").encode(), "Negotiate " + ticket(lab.ticket("alice"), AUTO))
        equal("and goes with its body", (status, b"alice@LAB.TEST" in got), (200, True), got)
        c.close()
    with Exchange() as e:
        equal("NTLM alone: Communicator signs in", communicator(e.at, OUTLOOK, "alice"), ("NTLM", 200))
        tell("offer: [ntlm]              Communicator takes NTLM: 200")


def forward():
    """The switch set wrongly: the empty POST goes to the server, which answers it; the client takes that for final."""
    wrong = lambda text: text.replace("bodyless_post: challenge", "bodyless_post: forward").replace("offer: [ntlm]", "offer: [negotiate, ntlm]")
    with Exchange(change=wrong) as e:
        c, ask = e.wininet(note=show), (AUTODISCOVER % "alice").encode()
        equal("forward: the first request", c.sign_in("POST", DISCOVER, ask)[0], 200)
        status, _, got = c.send("POST", DISCOVER, b"")
        equal("forward: the next, without its body, is answered by the server", (status, b"<ErrorCode>600<" in got), (200, True), got)
        tell("   " + got.decode())
        equal("forward: which got it empty", e.farm.seen()[-1], ("POST", DISCOVER.lower(), "alice@LAB.TEST", 0))
        c.close()
        c = e.wininet(note=show)
        status, _, got = c.send("POST", DISCOVER, b"", "Negotiate " + ticket(lab.ticket("alice"), AUTO))
        equal("forward: a ticket with an empty POST, the same", (status, b"<ErrorCode>600<" in got), (200, True), got)
        c.close()
        e.farm.clear()
        c = e.wininet()
        equal("forward: an initial token begins a handshake all the same", [c.sign_in("POST", DISCOVER, ask)[0] for _ in range(2)], [200, 200])
        equal("forward: and no empty request for that", e.farm.seen(), [("POST", DISCOVER.lower(), "alice@LAB.TEST", len(ask))] * 2)
        c.close()


def asked_again(e):
    """A server that does not take a ticket gets another, and the body once more (B-106: the source lost it)."""
    e.farm.clear()
    body = soap("<m:GetFolder/>%s" % ("x" * 40000))
    for what, more in (("a body", ()), ("a chunked body", ("-H", "Transfer-Encoding: chunked"))):
        for s in e.farm.members.values():
            s.refuse = 1
        status, got = e.curl(EWS, *BY_NTLM["alice"], "-d", body, *more)
        say("a ticket is refused, %s: another goes, with the body" % what, status == 200 and "alice@LAB.TEST" in got, (status, got))
    equal("the server got each once, whole", [(u, n) for _, _, u, n in e.farm.seen()], [("alice@LAB.TEST", len(body))] * 2)
    for s in e.farm.members.values():
        s.refuse = 5
    status, got = e.curl(EWS, *BY_NTLM["alice"], "-d", body)
    equal("a server that takes none: refused, and not asked for ever", (status, sorted(s.refuse for s in e.farm.members.values())), (403, [3, 5]), got[-300:])
    for s in e.farm.members.values():
        s.refuse = 0


def members(e):
    """The member that the client would go to is gone: the other gets a ticket of its own (B-110)."""
    e.farm.clear()
    status, _ = e.curl(EWS, *BY_NTLM["alice"], "-d", soap("<m:GetFolder/>"))
    first = next(n for n, s in e.farm.members.items() if s.log)
    other = "cas02" if first == "cas01" else "cas01"
    e.farm.members[first].__exit__()
    e.farm.clear()
    for user, n in (("alice", 0), ("bob", 1), ("alice", 2)):
        status, body = e.curl(EWS, *BY_NTLM[user], "-d", soap("<m:GetFolder/>"))
        say("%s is gone: %s's request goes to %s, with its ticket" % (first, user, other), status == 200 and "%s@LAB.TEST" % user in body, (status, body, e.farm.members[other].told[-3:]))
    equal("once each", [(u, n) for _, _, u, n in e.farm.seen()], [(u + "@LAB.TEST", len(soap("<m:GetFolder/>"))) for u in ("alice", "bob", "alice")])
    tell("%s cannot be connected: %s gets the request, with a ticket for http/%s.corp.contoso.example" % (first, other, other))


def as_converted():
    with Exchange() as e:
        with open(os.path.join(e.at.folder, "publishd", "publishd.yaml")) as f:
            text = f.read()
        say("tmgc offers NTLM alone, and challenges empty POSTs", "offer: [ntlm]" in text and "bodyless_post: challenge" in text)
        real_clients(e, ("ntlm", "anyauth"))
        for part in (outlook, notifications, empty_posts, asked_again, members):
            part(e)


# ---- behind HAProxy and nginx (preauth) -----------------------------------------------------------------------------------
def through_haproxy():
    with Exchange(proxy="haproxy") as e:
        real_clients(e, ("ntlm", "anyauth"))
        e.farm.clear()
        c, ask = e.wininet(), (AUTODISCOVER % "alice").encode()
        equal("HAProxy: empty first legs, on one connection", [c.sign_in("POST", DISCOVER, ask)[0] for _ in range(3)], [200] * 3)
        status, head, _ = c.send("POST", DISCOVER, b"")
        equal("HAProxy: an empty POST is asked again", status, 401)
        equal("HAProxy: and brings its body then", c.sign_in("POST", DISCOVER, ask)[0], 200)
        equal("HAProxy: each once, whole", e.farm.seen(), [("POST", DISCOVER.lower(), "alice@LAB.TEST", len(ask))] * 4)
        c.close()
        outlook(e)
        tell("curl --ntlm -> HAProxy -> publishd -> cas01: alice@LAB.TEST")


def owa(e, where):
    """By form and by Basic, as the User-Agent has it (B-85); the server gets the password by Basic."""
    mail, listener = "mail.contoso.example", "Exchange Forms"
    e.farm.clear()
    status, body = e.at.curl(listener, mail, "/owa/", "-A", "MSRPC", "-u", "LAB\\bob:" + USERS["bob"][0])
    say(where + ": Basic", status == 200 and "the mailbox of LAB\\bob" in body, (status, body))
    equal(where + ": a wrong password", e.at.curl(listener, mail, "/owa/", "-A", "MSRPC", "-u", "LAB\\bob:nothing")[0], 401)
    jar = ("-A", "Mozilla/5.0", "-b", e.at.folder + "/jar", "-c", e.at.folder + "/jar")
    status, page = e.at.curl(listener, mail, "/owa/", *jar, "-L")
    token = re.search(r'name="token" value="([^"]+)"', page)
    say(where + ": the form", status == 200 and token, (status, page[:500]))
    port = "" if e.at.https == 443 else ":%d" % e.at.https
    fields = {"token": token.group(1) if token else "", "url": "/owa/", "user": "LAB\\alice", "password": USERS["alice"][0], "computer": "public"}
    status, body = e.at.curl(listener, mail, "/.publishd/sign-in", *jar, "-H", "Origin: https://%s%s" % (mail, port), *[w for k, v in fields.items() for w in ("--data-urlencode", "%s=%s" % (k, v))])
    equal(where + ": the form is taken", status, 303, body[:300])
    status, body = e.at.curl(listener, mail, "/owa/", *jar)
    say(where + ": the mailbox, by the cookie", status == 200 and "the mailbox of LAB\\alice" in body, (status, body))
    equal(where + ": the server saw", [(p, u) for _, p, u, _ in e.farm.seen()], [("/owa/", "LAB\\bob"), ("/owa/", "LAB\\alice")])


def through_nginx():
    with Exchange(proxy="nginx") as e:
        owa(e, "nginx")
        status, _ = e.curl(DISCOVER, *BY_NTLM["alice"], "-d", AUTODISCOVER % "alice", host=AUTO)
        equal("nginx: what is bound to connections stays closed", status, 403)


# ---- Lync -----------------------------------------------------------------------------------------------------------------
class Lync:
    def __init__(self, sample):
        self.at = Published(lab, BUILD, sample, say)
        self.secure = front_end(context=server_context(self.at.pair), ntlm=lab.path("apache", "ntlm"))
        self.plain = front_end()
        self.at.backends = {"lyncfe01.corp.contoso.example:4443": self.secure, "lyncfe01.corp.contoso.example:8080": self.plain}

    def __enter__(self):
        self.secure.__enter__()
        self.plain.__enter__()
        try:
            self.at.__enter__()
        except BaseException:
            self.secure.__exit__()
            self.plain.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.at.__exit__()
        self.secure.__exit__()
        self.plain.__exit__()

    def __call__(self, name, target, *options, plain=False, **more):
        return self.at.curl("Lync HTTP" if plain else "Lync HTTPS", name + ".contoso.example", target, *options, plain=plain, **more)


def lync():
    with Lync("lync-right") as l:
        for name, target, told in (("meet", "/jdoe/3X7K9P2Q", "join the meeting /jdoe/3X7K9P2Q"), ("dialin", "/", "dial-in numbers"), ("lyncdiscover", "/", '"self"')):
            status, body = l(name, target)
            say("Lync: %s%s" % (name, target), status == 200 and told in body, (status, body))
            host = l.secure.log[-1].host
            equal("Lync: %s, the host that the server sees" % name, host, "%s.contoso.example:%d" % (name, l.at.https))
            tell("https://%s.contoso.example%s  %d  %s" % (name, target, status, body))
        status, body = l("lyncdiscover", "/", plain=True)
        say("Lync: discovery over HTTP, to port 8080", status == 200 and len(l.plain.log) == 1, (status, body))
        for user in ("alice", "bob"):
            for service in ("WebTicket/WebTicketService.svc", "Abs/Handler/files", "GroupExpansion/service.svc"):
                l.secure.log.clear()
                status, body = l("lyncweb", "/" + service, *BY_NTLM[user], "-d", "y" * 3000, more=("/" + service,) * 2)
                say("Lync: %s for %s, NTLM with the server itself" % (service, user), status == 200 and body.count("for LAB\\%s: 3000 bytes" % user) == 3, (status, body))
                equal("Lync: once each", [(r.user, len(r.body)) for r in l.secure.log], [("LAB\\" + user, 3000)] * 3)
        tell("https://lyncweb.contoso.example/WebTicket/…  %s" % body.splitlines()[0])
        equal("Lync: another password", l("lyncweb", "/WebTicket/x", "--ntlm", "-u", "LAB\\alice:nothing")[0], 401)
        equal("Lync: nobody", l("lyncweb", "/WebTicket/x")[0], 401)
        l.secure.log.clear()
        clients = [threading.Thread(target=lambda u=u: l("lyncweb", "/WebTicket/" + u, *BY_NTLM[u], "-d", u, more=("/WebTicket/" + u,) * 3)) for u in ("alice", "bob") * 4]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        equal("Lync: eight at once, each his own connection", sorted({(r.user, r.path) for r in l.secure.log}), [("LAB\\" + u, "/webticket/" + u) for u in ("alice", "bob")])
        equal("Lync: all of them", len(l.secure.log), 32)
    with Lync("lync-no-host-header") as l:
        status, body = l("meet", "/jdoe/3X7K9P2Q")
        equal("no host header: the meeting is not found", (status, body), (404, "nothing here of lyncpool01.corp.contoso.example"))
        tell("the original host header is not forwarded: https://meet.contoso.example/jdoe/3X7K9P2Q  %d  %s" % (status, body))
        equal("no host header: dial-in neither", l("dialin", "/")[0], 404)
    with Lync("lync-names-missing") as l:
        for name in ("meet", "dialin"):
            status, body = l(name, "/jdoe/3X7K9P2Q", "-k")
            say("names missing: %s is not answered" % name, status == 403 and "12202" in body and not l.secure.log, (status, body[-200:]))
        tell("the simple URLs are no public names: https://meet.contoso.example/jdoe/3X7K9P2Q  %d  (12202: no rule)" % status)
        equal("names missing: lyncweb is", l("lyncweb", "/WebTicket/x", *BY_NTLM["alice"])[0], 200)


def main():
    for part in (diagnosis, as_converted, negotiate_offered, forward, through_haproxy, through_nginx, lync):
        if len(sys.argv) > 2 and part.__name__ not in sys.argv[2:]:
            continue
        tell()
        tell("== %s: %s" % (part.__name__, (part.__doc__ or "").split("\n")[0]))
        try:
            start = time.monotonic()
            part()
            print(json.dumps(["seconds", True, "%s %.1f" % (part.__name__, time.monotonic() - start)]), flush=True)
        except Exception:
            import traceback
            say(part.__name__, False, traceback.format_exc(limit=6))


main()
