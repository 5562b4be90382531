"""Server publishing, live: nginx on stream.conf and HAProxy in mode tcp, asked by clients of many addresses and ports, with
stand-ins for the published servers, and compared with what explain says of the same connection.
"""
import hashlib
import json
import os
import random
import selectors
import socket
import subprocess
import threading
import time
from fpc import *
from ports import own_network
from .common import test, test_each

PORT = 12000        # and some above it: below those that the system hands out
PATIENCE = 0.4      # seconds that a client waits for an answer that must not come


class StandIn(threading.Thread):
    """Published servers. TCP: says its name and the client's address at once, then sends back what comes. UDP: answers with
    its name and the datagram. received has the datagrams."""
    def __init__(self, places):
        super().__init__(daemon=True)
        self.selector, self.received, self.stop = selectors.DefaultSelector(), [], False
        for address, port in places:
            tcp, udp = socket.create_server((address, port), backlog=256), socket.socket(type=socket.SOCK_DGRAM)
            udp.bind((address, port))
            self.selector.register(tcp, selectors.EVENT_READ, "accept")
            self.selector.register(udp, selectors.EVENT_READ, "datagram")
        self.start()

    def run(self):
        while not self.stop:
            for key, _ in self.selector.select(0.1):
                self.serve(key.fileobj, key.data)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    def serve(self, s, what):
        if what == "accept":
            peer, address = s.accept()
            peer.settimeout(5)
            peer.sendall(("%s:%d for %s\n" % (s.getsockname() + (address[0],))).encode())
            self.selector.register(peer, selectors.EVENT_READ, "echo")
        elif what == "datagram":
            data, address = s.recvfrom(65536)
            self.received.append((s.getsockname(), data))
            s.sendto(("%s:%d %s" % (s.getsockname() + (data.decode(),))).encode(), address)
        else:
            try:
                data = s.recv(65536)
                if data:
                    s.sendall(data)
            except OSError:
                data = b""
            if not data:
                self.selector.unregister(s)
                s.close()

    def end(self):
        self.stop = True
        self.join()


class Program:
    """nginx or HAProxy on the configs of a folder."""
    def __init__(self, name, out, log):
        self.log = log
        config = os.path.join(out, *{"nginx": ("nginx", "stream.conf"), "haproxy": ("haproxy", "haproxy.cfg")}[name])
        command = {"nginx": ["nginx", "-c", config, "-p", out, "-e", log, "-g", "daemon off; pid %s/stream.pid;" % out],
                   "haproxy": ["haproxy", "-db", "-f", config]}[name]
        with open(log, "ab") as to:
            self.process = subprocess.Popen(command, stdout=to, stderr=to, stdin=subprocess.DEVNULL,
                                            env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))

    def ready(self, *places):
        """Whether one of the places accepts connections by now; the program opens all of them together."""
        for _ in range(200):
            for place_ in places:
                with socket.socket() as s:
                    if s.connect_ex(place_) == 0:
                        return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return False

    def end(self):      # nginx with its workers, each of which has a UDP socket of its own (reuseport)
        self.process.terminate()
        self.process.wait()


def client(kind, source):
    s = socket.socket(type=kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(source)
    return s


def ask_tcp(to, source, payload=b"x" * 2000):
    """The server's greeting without its end, None where the connection is refused; what is sent must come back."""
    with client(socket.SOCK_STREAM, source) as s:
        s.settimeout(10)
        try:
            s.connect(to)
            greeting = b""
            while not greeting.endswith(b"\n"):
                part = s.recv(1)
                if not part:
                    return None
                greeting += part
            sender = threading.Thread(target=s.sendall, args=(payload,))
            sender.start()
            back = b""
            while len(back) < len(payload):
                part = s.recv(65536)
                if not part:
                    return "cut"
                back += part
            sender.join()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")     # so that a port of ours can be used again
        except ConnectionError:
            return None
    return greeting.decode().rstrip("\n") if hashlib.sha256(back).digest() == hashlib.sha256(payload).digest() else "other bytes"


def ask_udp(to, source, text, patience):
    with client(socket.SOCK_DGRAM, source) as s:
        s.settimeout(patience)
        s.connect(to)                       # who else has this port of the client gets no answer of ours
        try:
            s.send(text.encode())
            return s.recv(65536).decode()
        except (socket.timeout, ConnectionError):
            return None


def now():
    return time.strftime("%a %H:00")


# ---- random policies --------------------------------------------------------------------------------------------------
CLIENTS = ["127.20.0.%d" % n for n in (1, 2, 9, 64, 65, 130)] + ["127.21.0.5"]


def random_policy(rng, net, port):
    """A policy of server publishing rules that share few sockets, and its site map; published servers are 10.9.0.N."""
    days = {"always": range(168), "never": [], "weekend": [h for h in range(168) if h // 24 in (0, 6)]}
    protocols = [protocol("one", [(port,)]), protocol("other", [(port + 1,)]), protocol("some", [(port, port + 3)]), protocol("query", [(port, port, UDP, 2), (port,)]),
                 protocol("tell", [(port + 1, port + 1, UDP, 0)])]
    elements = {"ProxyScheduleTemplates": [schedule(name, hours) for name, hours in days.items()],
                "Subnets": [subnet("low", "127.20.0.0", "255.255.255.192"), subnet("two", "127.20.0.2", "255.255.255.254")],
                "AddressRanges": [address_range("middle", "127.20.0.2", "127.20.0.64")], "Computers": [computer("far", "127.21.0.5")],
                "Protocols": protocols, "UserSets": predefined_users()}
    where = [("subnet", "low"), ("subnet", "two"), ("addressrange", "middle"), ("computer", "far")]
    rules, servers = [], {}
    for n in range(rng.randint(5, 9)):
        what = rng.choice(["one", "one", "one", "other", "some", "query", "query", "tell"])
        options = dict(source=rng.sample(where, rng.randint(0, 2)), exclude=rng.sample(where, rng.choice([0, 0, 1])), enabled=rng.random() < 0.9,
                       deny=rng.random() < 0.1, when=rng.choice([None, None, None, "always", "never", "weekend"]),
                       ports=rng.choice([(0, 0), (0, 0), (0, 0), (20000, 29999), (0, 25999)]), UseFirewallIPAsSource=rng.random() < 0.5)
        if what in ("one", "other") and rng.random() < 0.3:
            options["OverrideServerPort"] = port + 100 + n
        rules.append(server_rule("Rule %d" % n, n + 1, "10.9.0.%d" % n, [net + ".1"] if rng.random() < 0.7 else [net + ".1", net + ".2"], what, **options))
    return document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "LIVE")), rules, elements=elements, name="LIVE")


@test_each(1, 2, 3, 4, 5, 6)
def test_streams(t, seed):
    """Random policies: who takes a connection, by address, port and hour of the client, on both proxies."""
    rng, (net, port) = random.Random("streams %d" % seed), (own_network(), PORT)
    export = t.write("export.xml", random_policy(rng, net, port))
    backends = {"10.9.0.%d" % n: net + ".%d" % (100 + n) for n in range(10)}
    site = t.write("site.yaml", "site: 1\nbackends:\n" + "".join('  "%s": %s\n' % b for b in backends.items()))
    out = t.path("out")
    r = t.convert(export, out, "-q", "--fail-on", "never", site=site)
    if not t.check(r.status == 0, "convert:", r):
        return
    stand_in = StandIn([(a, p) for a in backends.values() for p in [*range(port, port + 4), *range(port + 100, port + 110)]])
    asked = [(kind, "%s.%d" % (net, 1 + rng.randint(0, 1)), port + rng.randint(0, 3), rng.choice(CLIENTS), rng.choice([21000, 25000, 31000]) + rng.randint(0, 900))
             for kind in ["tcp"] * 60 + ["udp"] * 20]
    counts = {"relayed": 0, "refused": 0}
    try:
        for target in ("nginx", "haproxy"):
            ask_target(t, target, export, site, out, asked, stand_in, counts)
    finally:
        stand_in.end()
    t.check(counts["relayed"] >= 10 and counts["refused"] >= 5, "too few of one kind:", counts)
    t.note = "%d connections: %d relayed, %d refused" % (2 * len(asked), counts["relayed"], counts["refused"])


def ask_target(t, target, export, site, out, asked, stand_in, counts):
    program = Program(target, out, t.path(target + ".log"))
    try:
        if not t.check(program.ready(*{(address, port) for kind, address, port, _, _ in asked if kind == "tcp"}), target + " starts:", open(program.log).read()[-2000:]):
            return
        for kind, address, port, source, source_port in asked:
            source_port += target == "haproxy"      # the kernel may still hold the other's closed connection
            hour = now()
            r = t.run("explain", export, "%s://%s:%d" % (kind, address, port), "-m", site, "-t", target, "--from", "%s:%d" % (source, source_port),
                      "--at", hour, "--format", "json")
            if not t.check(r.status == 0, "explain:", r):
                continue
            said = json.loads(r.out)["targets"][target]
            expected = said["to"]
            what = "%s: %s to %s:%d from %s:%d, explain says %s by %s:" % (target, kind, address, port, source, source_port, said["answer"], said["rule"])
            if kind == "tcp":
                got = ask_tcp((address, port), (source, source_port))
                got = got and got.split(" ")[0]
                if hour == now():
                    t.equal(got, expected, what)
            else:
                del stand_in.received[:]
                got = ask_udp((address, port), (source, source_port), "question", 5 if expected and not port % 2 else PATIENCE)
                reached = ["%s:%d" % server for server, data in stand_in.received]
                if hour == now():
                    t.equal(reached, [expected] if expected else [], what)
                    t.check(got is None or got == "%s question" % expected, what + " the answer is", got)
            counts["relayed" if expected else "refused"] += 1
    finally:
        program.end()


# ---- one by one --------------------------------------------------------------------------------------------------------
def one_rule(t, net, protocols, site="", **options):
    rule = dict(dict(published="it", UseFirewallIPAsSource=True), **options)
    export = t.write("export.xml", document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "ONE")),
                                            [server_rule("It", 1, "10.9.0.1", [net + ".1"], **rule)], elements={"Protocols": protocols}, name="ONE"))
    out = t.path("out")
    r = t.convert(export, out, "-q", "--fail-on", "never", site=t.write("site.yaml", 'site: 1\nbackends:\n  "10.9.0.1": %s.101\n%s' % (net, site)))
    t.check(r.status == 0, "convert:", r)
    return out


@test
def test_stream_client_address(t):
    """What the published server learns of the client: nothing, its address by the PROXY protocol, or as the connection's own."""
    net, port = own_network(), PORT
    for mode in ("lost", "proxy-protocol", "transparent"):
        if mode == "transparent" and os.geteuid() != 0:
            continue
        out = one_rule(t, net, [protocol("it", [(port,)])], 'server_rules:\n  "It": {client_address: %s}\n' % mode, UseFirewallIPAsSource=False)
        for target in ("nginx", "haproxy"):
            stand_in, program = StandIn([(net + ".101", port)]), Program(target, out, t.path(target + ".log"))
            try:
                t.check(program.ready((net + ".1", port)), target + " starts:", open(program.log).read()[-2000:])
                with client(socket.SOCK_STREAM, ("127.20.0.7", 0)) as s:
                    s.settimeout(10)
                    s.connect((net + ".1", port))
                    own = s.getsockname()
                    s.sendall(b"hello\n")
                    got = b""
                    while not got.endswith(b"hello\n"):
                        part = s.recv(4096)
                        if not part:
                            break
                        got += part
                greeting, *rest = got.decode().split("\n")
                seen = greeting.split(" for ")[-1]
                t.check((seen == "127.20.0.7") == (mode == "transparent"), "%s on %s: the server saw" % (mode, target), seen)
                header = "PROXY TCP4 127.20.0.7 %s.1 %d %d\r" % (net, own[1], port)
                t.check((header in rest) == (mode == "proxy-protocol"), "%s on %s: the server read" % (mode, target), rest)
            finally:
                program.end()
                stand_in.end()


@test
def test_stream_bytes(t):
    """300 kB each way at once through both, untouched, and through one of a range of ports to the same port of the server."""
    net, port = own_network(), PORT
    out = one_rule(t, net, [protocol("it", [(port, port + 4)])])
    payload = os.urandom(300000)
    for target in ("nginx", "haproxy"):
        stand_in, program = StandIn([(net + ".101", port + n) for n in range(5)]), Program(target, out, t.path(target + ".log"))
        try:
            t.check(program.ready((net + ".1", port)), target + " starts:", open(program.log).read()[-2000:])
            for n in range(5):
                got = ask_tcp((net + ".1", port + n), ("127.20.0.8", 0), payload)
                t.equal(got and got.split(" ")[0], "%s.101:%d" % (net, port + n), "%s, port %d" % (target, n))
        finally:
            program.end()
            stand_in.end()


@test
def test_streams_told(t):
    """What convert, verify and diff say of server publishing rules in their summaries."""
    from .situations import bases
    policy, site = bases()["servers"]
    before, map_ = t.write("before.yaml", policy), t.write("site.yaml", site)
    after = t.write("after.yaml", policy.replace("server: 10.0.0.90", "server: 10.0.0.91"))
    out = t.run("convert", before, "-m", map_, "-o", t.path("out"), "--fail-on", "never")
    for line in (b"nginx/stream.conf, 2 of 2 server", b"haproxy/haproxy.cfg, 2 of 2 server", b"publishd/publishd.yaml, 0 of 2 server"):
        t.check(line in out.out, "convert counts them:", out)
    t.check(b"server publishing" not in t.run("convert", t.write("web.yaml", bases()["http"][0]), "-o", t.path("web"), "--fail-on", "never").out, "not where there are none")
    page = open(t.path("out", "report.html")).read()
    t.check(page.count('id="server-rule-') == 2 and "192.0.2.25:3389" in page.replace("<wbr>", ""), "report.html has a part for each")
    verified = t.run("verify", before, "-m", map_, "-t", "haproxy")
    t.check(verified.status == 0 and b" connections: " in verified.out and b"0 disagreed, 0 untested" in verified.out and b"Not probed" not in verified.out, "verify counts them:", verified)
    compared = t.run("diff", before, after)
    t.check(b"shows in connections" in compared.out and b"how it runs" not in compared.out, "diff speaks of connections:", compared)
