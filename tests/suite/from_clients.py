"""Rules whose server connections come from the client's own address (B-59), on publishd. Every address here is this host's own, so no routes are needed."""
import os
import subprocess
import time
from live import Publishd, Server, get, rule
from ports import free_port, free_ports
from .common import test, test_each

OWN = "forward_client_address: true"
KEPT = 1 << 10 | 1 << 12                 # CAP_NET_BIND_SERVICE, CAP_NET_ADMIN


def whence(connections):
    """A handler that answers with the connection's address and port, and notes the address of each."""
    def handler(stream):
        connections.append(stream.sock.getpeername()[0])
        while stream.request()[0]:
            text = b"%s %d" % (stream.sock.getpeername()[0].encode(), stream.sock.getpeername()[1])
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    return handler


def seen(answer):
    """(address, port) that the server saw; the status if it is another."""
    status, _, body, _ = answer
    return (body.split()[0].decode(), int(body.split()[1])) if status == 200 else status


def asked(stream, **options):
    stream.send(get(**options))
    return seen(stream.answer())


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@test_each("plain", "sanitized")
def test_from_clients(t, kind):
    """The server sees each client's address; a connection is used again for that client alone; checks of its health are the host's."""
    if os.geteuid() != 0:
        t.check(True, "only root may come from others' addresses")
        return
    ports, connections = free_ports(3), []
    sockets = ('\n      - {address: "127.0.0.1", port: %d}\n      - {address: "127.0.0.1", port: %d, client_from: proxy-protocol}'
               '\n      - {address: "127.0.0.1", port: %d, client_from: header}' % tuple(ports))
    with Server(whence(connections)) as s:
        rules = [rule(s.port, more=OWN), rule(s.port, name="host.example"), rule(s.port, free_port(), name="farm.example", farm="farm", more=OWN)]
        p = Publishd(os.path.join(t.build if kind == "plain" else t.asan, "publishd"), t.dir, rules, sockets=sockets, loops=1,
                     top="farms: [{name: farm, probe: tcp}]")
        p.port = ports[0]
        with p:
            seven = [seen(p.ask(get(), source="127.20.0.7")) for _ in range(3)]
            t.check(seven[0][0] == "127.20.0.7" and len(set(seven)) == 1, "one client: its address, one connection", seven)
            eight = seen(p.ask(get(), source="127.20.0.8"))
            t.equal(eight[0], "127.20.0.8", "another client")
            host = [seen(p.ask(get(host=b"host.example"), source="127.20.0.7")) for _ in range(2)]
            t.check(host[0][0] == "127.0.0.1" and host[0] == host[1], "a rule that does not ask for it, at the same server", host)
            for _ in range(3):
                got = [seen(p.ask(get(), source="127.20.0.%d" % n)) for n in (7, 8)] + [seen(p.ask(get(host=b"host.example"), source="127.20.0.8"))]
                t.equal(got, [seven[0], eight, host[0]], "each its own")
            t.equal(seen(p.ask(get(host=b"farm.example"), source="127.20.0.7"))[0], "127.20.0.7", "a farm, one member of which is down")
            introduced = p.connect(port=ports[1])
            introduced.send(b"PROXY TCP4 127.20.0.9 127.0.0.1 5000 80\r\n")
            t.equal([asked(introduced)[0] for _ in range(2)], ["127.20.0.9"] * 2, "by the PROXY protocol")
            named = p.connect(port=ports[2])
            for fields in (b"", b"Authorization: NTLM TlRMTVNTUAABAAAA\r\n", b""):      # from the second on connections are the client connection's own
                for client in ("127.20.0.10", "127.20.0.11"):
                    t.equal(asked(named, fields=b"X-Publishd-Client: %s\r\n%s" % (client.encode(), fields))[0], client, "in a header")
            t.check(wait_for(lambda: connections.count("127.0.0.1") == 2), "host.example's one, and the look at the farm, come from the host", connections)
            introduced.close()
            named.close()
            status, said = p.stop(), p.said()
            t.check(status == 0 and "Sanitizer" not in said and "runtime error" not in said, "ends cleanly", status, said[-2000:])
        t.equal(s.errors, [], "errors of the server")


def open_to(folder):
    """What another user must be able to read."""
    for at, _, names in os.walk(folder):
        os.chmod(at, 0o755)
        for name in names:
            os.chmod(os.path.join(at, name), 0o644)


@test
def test_from_clients_rights(t):
    """Without the right to it a start is refused and -t says what it could not try; who becomes another user keeps the right if a rule needs it, and a reload cannot get it back."""
    program, root = os.path.join(t.build, "publishd"), os.geteuid() == 0
    with Server(whence([])) as s:
        p = Publishd(program, t.dir, [rule(s.port, more=OWN)])
        without = ["setpriv", "--bounding-set=-net_admin,-net_raw"] if root else []
        for options, status in (["-t"], 0), (["-f"], 1):
            r = subprocess.run(without + [program] + options + ["-c", p.file], capture_output=True, timeout=60)
            said = r.stderr.decode()
            t.check(r.returncode == status and 'the rule "site.example" connects from clients' in said and "CAP_NET_ADMIN" in said, options[0] + " without", r.returncode, said)
            t.equal(("not tried" in said, b": ok, 1 listener, 1 rule" in r.stdout), (not status, not status), options[0] + ": what it could not try")
        p.write([rule(s.port, more=OWN + "\nclosed: always")])
        r = subprocess.run(without + [program, "-t", "-c", p.file], capture_output=True, timeout=60)
        t.equal((r.returncode, r.stderr), (0, b""), "a rule that answers nobody needs none")
        if not root:
            return
        for own in (False, True):
            p.write([rule(s.port, more=OWN if own else "")], top="service: {user: nobody}")
            r = subprocess.run([program, "-t", "-c", p.file], capture_output=True, timeout=60)
            t.equal((r.returncode, r.stderr), (0, b""), "-t with the right")
            open_to(t.dir)
            with p:
                t.equal(seen(p.ask(get(), source="127.20.0.7"))[0], "127.20.0.7" if own else "127.0.0.1", "the server sees")
                with open("/proc/%d/status" % p.worker()) as f:
                    rights = int(next(line for line in f if line.startswith("CapEff")).split()[1], 16)
                t.equal(rights, KEPT if own else KEPT & ~(1 << 12), "what is kept")
                p.write([rule(s.port, more=OWN)], top="service: {user: nobody}")
                t.equal(p.reloaded(), own, "the reload: " + p.said()[-500:])
                t.equal(seen(p.ask(get(), source="127.20.0.7"))[0], "127.20.0.7" if own else "127.0.0.1", "then the server sees")
            p.log = open(p.log.name, "ab")
        p.log.close()
