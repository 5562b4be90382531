"""What traffic shows and single probes do not: streaming, sizes, affinity, health, times; on nginx, HAProxy and publishd alike, by
the configs that tmgc wrote of one policy. What a proxy is said not to do is looked at as well."""
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import lab
from live import Server, answering
from ports import free_port, own_network
from traffic import PROXIES, Traffic, field, site_rule
from .common import THOROUGH, TOP, test

CLIENTS = 20


def summary(stream):
    """Answers with the number of header bytes, of body bytes, and the body's digest."""
    while True:
        head, body = stream.request()
        if not head:
            return
        text = b"%d %d %s" % (len(head), len(body), hashlib.sha256(body).hexdigest().encode())
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


def named(name):
    """Answers with a name."""
    return answering(body=name)


@test
def test_sizes(t):
    """Uploads of 20 MB in both framings (B-72, B-74), headers of 30 kB (B-71), URLs of 10 kB (B-73), answers of 20 MB."""
    big = os.urandom(1 << 20) * 20
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(big[i:i + 700001]), big[i:i + 700001]) for i in range(0, len(big), 700001)) + b"0\r\n\r\n"
    digest = hashlib.sha256(big).hexdigest().encode()
    with Server(summary) as s, Traffic(t, [site_rule("site", 80)], {"site.corp.example:80": "127.0.0.1:%d" % s.port}) as traffic:
        for name in PROXIES:
            for method, framed in ((b"POST", False), (b"RPC_IN_DATA", True)):
                head = b"%s /upload HTTP/1.1\r\nHost: site.example\r\n" % method
                framing = b"Transfer-Encoding: chunked" if framed else b"Content-Length: %d" % len(big)
                got = traffic.ask(name, head + framing + b"\r\n\r\n" + (chunks if framed else big), timeout=120)
                t.check(got[0] == 200 and got[2].split()[1:] == [b"%d" % len(big), digest], "%s: %r of 20 MB, %r:" % (name, method, framing), got[:3])
            for size in (1000, 8000, 16000, 30000):
                for what, value in (("one header", b"X-Ticket: " + b"k" * size), ("many headers", b"\r\n".join(b"X-H%d: %s" % (i, b"v" * 990) for i in range(size // 1000)))):
                    got = traffic.ask(name, b"GET / HTTP/1.1\r\nHost: site.example\r\n%s\r\n\r\n" % value)
                    t.check(got[0] == 200 and int(got[2].split()[0]) >= size * 0.99, "%s: %s of %d bytes:" % (name, what, size), got[:3])
            for size in (2000, 8000, 10000):
                for target in (b"/" + b"u" * size, b"/?" + b"q" * size):
                    got = traffic.ask(name, b"GET %s HTTP/1.1\r\nHost: site.example\r\n\r\n" % target)
                    t.check(got[0] == 200, "%s: a URL of %d bytes:" % (name, size), got[:3])
    t.note = "20 MB up in two framings, headers to 30 kB, URLs to 10 kB, on each of three"


@test
def test_rpc_streaming(t):
    """RPC over HTTP: both channels open at once, bytes pass each way as they come, though 1 GB was announced (B-74)."""
    arrived, release = {}, {}

    def rpc(stream):
        head = stream.until(b"\r\n\r\n")
        key = field(head, b"X-Key")
        if head.startswith(b"RPC_OUT_DATA"):
            stream.send(b"HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\nContent-Length: 1073741824\r\n\r\n")
            for i in range(5):
                release[key].acquire(timeout=20)
                stream.send(b"pong%d" % i)
            return
        for i in range(5):
            arrived.setdefault(key, []).append(stream.exactly(5))
            release[key].release()

    with Server(rpc) as s, Traffic(t, [site_rule("site", 80, paths="[/rpc/*]")], {"site.corp.example:80": "127.0.0.1:%d" % s.port}) as traffic:
        for name in PROXIES:
            key = name.encode()
            release[key] = threading.Semaphore(0)
            fields = b"Host: site.example\r\nX-Key: %s\r\nContent-Length: 1073741824\r\n\r\n" % key
            out = traffic.connect(name)
            out.send(b"RPC_OUT_DATA /rpc/rpcproxy.dll?exch:6001 HTTP/1.1\r\nHost: site.example\r\nX-Key: %s\r\nContent-Length: 0\r\n\r\n" % key)
            into = traffic.connect(name)
            into.send(b"RPC_IN_DATA /rpc/rpcproxy.dll?exch:6001 HTTP/1.1\r\n" + fields)
            head = out.until(b"\r\n\r\n")
            t.check(head.startswith(b"HTTP/1.1 200"), name + ": RPC_OUT_DATA answers at once:", head[:100])
            for i in range(5):                               # each waits for the other: nothing may be held back
                into.send(b"ping%d" % i)
                t.equal(out.exactly(5), b"pong%d" % i, "%s: turn %d of both channels" % (name, i))
            t.equal(arrived.get(key), [b"ping%d" % i for i in range(5)], name + ": what came in at the server")
            into.close()
            out.close()


@test
def test_affinity(t):
    """20 clients stay with their member: by cookie, and by address; what they share is spread (B-116)."""
    servers = [Server(named(b"m%d" % i)) for i in range(3)]
    farms = ("\nfarms:\n  - name: Cookies\n    members: [{host: m0.corp.example}, {host: m1.corp.example}, {host: m2.corp.example}]\n    probe: tcp\n"
             "  - name: Addresses\n    members: [{host: m0.corp.example}, {host: m1.corp.example}, {host: m2.corp.example}]\n    probe: tcp\n")
    backends = {"m%d.corp.example:80" % i: "127.0.0.1:%d" % s.port for i, s in enumerate(servers)}
    rules = [site_rule("cookies", 80, farm="Cookies"), site_rule("addresses", 80, farm="Addresses", more="affinity_by_address: true")]
    try:
        for s in servers:
            s.__enter__()
        with Traffic(t, rules, backends, farms=farms) as traffic:
            for name in PROXIES:
                members = set()
                for n in range(CLIENTS):
                    cookie, first, seen = None, None, set()
                    for _ in range(5):
                        request = b"GET / HTTP/1.1\r\nHost: cookies.example\r\n%s\r\n" % (b"Cookie: other=1; %s\r\n" % cookie if cookie else b"")
                        status, head, body, _ = traffic.ask(name, request, source="127.0.2.%d" % (n + 1))
                        t.check(status == 200, "%s: client %d:" % (name, n), status)
                        given = field(head, b"Set-Cookie")
                        cookie = given.split(b";")[0] if given else cookie
                        seen.add(body)
                        first = first or body
                    members |= seen
                    t.check(len(seen) == 1, "%s: client %d stays by its cookie:" % (name, n), seen)
                    t.check((cookie is not None) == (name != "nginx"), "%s: a cookie is given:" % name, cookie)
                t.check(len(members) == 3, name + ": clients with cookies are spread:", members)
                members = set()
                for n in range(CLIENTS):
                    seen = {traffic.ask(name, b"GET / HTTP/1.1\r\nHost: addresses.example\r\n\r\n", source="127.0.3.%d" % (n + 1))[2] for _ in range(5)}
                    t.check(len(seen) == 1, "%s: client %d stays by its address:" % (name, n), seen)
                    members |= seen
                t.check(len(members) > 1, name + ": clients by address are spread:", members)
    finally:
        for s in servers:
            s.__exit__()
    t.note = "%d clients, three members, on each of three" % CLIENTS


def probed(name, says, hosts):
    """A server that answers with a name, and to a probe what says[name] is; without one it lets it wait. hosts gets the probes' Host fields."""
    def handler(stream):
        while True:
            head, _ = stream.request()
            if not head:
                return
            probe = b" /probe" in head.split(b"\r\n")[0]
            status = says.get(name) if probe else b"200 OK"
            if probe:
                hosts.update(line.decode() for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
            if not status:
                stream.rest()
                return
            stream.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(name), name))
    return handler


def farm_of(name, members, probe):
    return "  - name: %s\n    members: [%s]\n    %s\n" % (name, ", ".join("{host: %s.corp.example%s}" % (m.strip("-"), ", drained: true" if m[0] == "-" else "") for m in members), probe)


def asked_often(traffic, name, site, n=30):
    """The statuses of many clients' requests, and the members that answered."""
    got = [traffic.ask(name, b"GET / HTTP/1.1\r\nHost: %s.example\r\n\r\n" % site, source="127.0.4.%d" % (i + 1)) for i in range(n)]
    return {g[0] for g in got}, {g[2] for g in got}


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(1)


@test
def test_health(t):
    """Which members are up: those that answer a probe by HTTP with 401 or 302 are (B-119), those that answer 500 or nothing, or do not listen where
    the probe goes by TCP, are not (B-118); drained ones get no new clients (D-13); all down is 502 or 503 (B-121). nginx has no probes,
    and a finding says so. TMGC_THOROUGH: who is well again gets clients again."""
    says = {b"wants": b"401 Unauthorized", b"broken": b"500 Oops", b"plain": b"302 Found", b"silent": None}
    network, probe_port, hosts = own_network(), free_port(), set()
    farms = "\nfarms:\n" + farm_of("Mixed", ["wants", "down", "broken", "silent", "plain", "-drained"], 'probe_url: "http://*/probe.htm"')
    farms += farm_of("Tcp", ["whole", "half"], "probe: tcp\n    probe_port: %d" % probe_port) + farm_of("Down", ["down"], "probe: tcp")
    with contextlib.ExitStack() as stack:
        servers = {name.decode(): stack.enter_context(Server(probed(name, says, hosts))) for name in (*says, b"drained")}
        servers.update({name: stack.enter_context(Server(named(name.encode()), at=(network + at, 0))) for name, at in (("whole", ".1"), ("half", ".2"))})
        stack.enter_context(Server(named(b"probes"), at=(network + ".1", probe_port)))
        backends = dict({"%s.corp.example:80" % name: "%s:%d" % (s.address, s.port) for name, s in servers.items()}, **{"down.corp.example:80": "127.0.0.1:%d" % free_port()})
        traffic = stack.enter_context(Traffic(t, [site_rule(farm.lower(), 80, farm=farm) for farm in ("Mixed", "Tcp", "Down")], backends, farms=farms))
        for name in PROXIES:
            if name != "nginx":                              # HAProxy takes 30 s for its first round of probes
                wait_for(lambda: not {b"broken", b"silent"} & asked_often(traffic, name, b"mixed")[1] and b"half" not in asked_often(traffic, name, b"tcp")[1], 60)
            statuses, by = asked_often(traffic, name, b"mixed")
            t.equal(statuses, {200}, name + ": every request is answered")
            t.equal(by, {b"wants", b"plain"} | ({b"broken", b"silent"} if name == "nginx" else set()), name + ": members that are up")
            t.equal(asked_often(traffic, name, b"tcp"), ({200}, {b"whole", b"half"} if name == "nginx" else {b"whole"}), name + ": probed by TCP")
            status = traffic.ask(name, b"GET / HTTP/1.1\r\nHost: down.example\r\n\r\n")[0]
            t.check(status in (502, 503), name + ": all members down:", status)
        wanted = {name: {"%s: %s.corp.example" % (form, member) for member in servers if member not in ("whole", "half")} for name, form in (("haproxy", "host"), ("publishd", "Host"))}
        t.check(wanted["publishd"] | {"host: broken.corp.example"} <= hosts <= wanted["publishd"] | wanted["haproxy"],
                "each member is asked by its own name, by HAProxy as far as it has come in its first round:", hosts)
        if THOROUGH > 1:
            says[b"broken"] = b"200 OK"
            for name in ("haproxy", "publishd"):
                wait_for(lambda: b"broken" in asked_often(traffic, name, b"mixed")[1], 60)
                t.equal(asked_often(traffic, name, b"mixed"), ({200}, {b"wants", b"plain", b"broken"}), name + ": one is well again")


@test
def test_times(t):
    """How long a server may think is read from the config, and kept: 10-minute polls pass (B-76), others end in 504."""
    def slow(stream):
        head, _ = stream.request()
        time.sleep(0.5 if b"/quick" in head else 8)
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    rules = [site_rule("eas", 80, paths="[/Microsoft-Server-ActiveSync/*, /ews/*]", more="application: exchange"), site_rule("site", 80)]
    with Server(slow) as s, Traffic(t, rules, {n + ".corp.example:80": "127.0.0.1:%d" % s.port for n in ("eas", "site")}, listener="connection_timeout: 2") as traffic:
        texts = {"nginx": "proxy_read_timeout 3600s;", "haproxy": "timeout server 1h", "publishd": "read_timeout: 3600"}
        for name in PROXIES:
            t.check(texts[name] in traffic.config(name) or texts[name].replace("1h", "3600s") in traffic.config(name), name + ": an hour for polls, in its config")
            t.equal(traffic.ask(name, b"GET /quick HTTP/1.1\r\nHost: site.example\r\n\r\n")[0], 200, name + ": an answer in time")
        results = {}

        def one(name, host, path):
            results[name, host] = traffic.ask(name, b"GET %s HTTP/1.1\r\nHost: %s.example\r\n\r\n" % (path, host.encode()))[0]
        threads = [threading.Thread(target=one, args=(n, h, p)) for n in PROXIES for h, p in (("eas", b"/ews/poll"), ("site", b"/slow"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in PROXIES:
            t.equal(results.get((name, "eas")), 200, name + ": a poll of 8 s")
            t.check("120" in traffic.config(name) or results.get((name, "site")) == 504, name + ": a server that thinks too long:", results.get((name, "site")))


@test
def test_ntlm_through(t):
    """NTLM and Negotiate through each proxy to an Apache that demands them: HAProxy and publishd keep a client's server connection
    (B-68, B-102); through nginx it fails, as finding TMG3007 says. In the lab (tests/lab.py)."""
    p = subprocess.run(lab.inside(sys.executable, os.path.join(TOP, "tests", "lab_through.py"), t.build), capture_output=True, timeout=300)
    for line in p.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("["):
            passed, what = json.loads(line)
            t.check(passed, what)
    t.check(p.returncode == 0 and t.passed > 60, "the lab ran to its end:", p.returncode, p.stderr.decode("utf-8", "replace")[-3000:])
