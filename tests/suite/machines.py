"""Several instances of publishd behind one address: which one a client comes to makes no difference (issue 6, "Several machines")."""
import json
import os
import socket
import subprocess

from live import Publishd, Server, Stream, certificate, listens, rule
from ports import free_port
from suite.common import test
from suite.signing import NAMES, Client, passwords, program

EDGE = """global
    log stderr format raw local0 err
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 3
listen edge
    bind 127.0.0.1:%d
    balance roundrobin
    server edge1 127.0.0.1:%d send-proxy-v2
    server edge2 127.0.0.1:%d send-proxy-v2
"""


def naming(name):
    """A server that says its own name and the request."""
    def handler(stream):
        while True:
            head, body = stream.request()
            if not head:
                return
            text = name + b"\r\n" + head + body
            stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
    return handler


def instance(t, n, port, servers, keys, pair):
    folder = t.path("instance%d" % n)
    os.mkdir(folder)
    top = ("farms: [{name: farm, probe: tcp}]\nuser_sets:\n  - {name: Staff, groups: [staff]}\nservice:\n  log: %s/requests.log\n  forms: {keys: %s}\n"
           "  sign_in: {passwords: %s}\n" % (folder, keys, passwords(t)))
    p = Publishd(program(t), folder, [rule(*servers, name=NAMES[0], farm="farm", delegation="basic", more="users: [Staff]\nx_forwarded_for: true")], top=top,
                 listener="authentication: {forms: ad, validator: ad, domain: LAB}",
                 sockets='\n      - {address: "127.0.0.1", port: %d, chain: %s, key: %s, client_from: proxy-protocol, proxies: [127.0.0.1]}' % ((port,) + pair))
    p.port = port
    return p


class Edge:
    """What Client needs of a front: HAProxy's address."""
    def __init__(self, port):
        self.tls_port = port

    def connect(self, port, source=None):
        return Stream(socket.create_connection(("127.0.0.1", port), 20, source_address=(source, 0) if source else None))


def logged(p):
    """(client, server, status) of each line of an instance's log."""
    with open(os.path.join(os.path.dirname(p.file), "requests.log")) as f:
        lines = [json.loads(line) for line in f]
    return [(line["client"].partition(":")[0], line.get("server", ""), line["status"]) for line in lines]


def servers_of(c, n):
    """The names of the servers that answered n requests, None for a request that was not answered by one."""
    seen = [c.ask("/%d" % i) for i in range(n)]
    return {got.split("\r\n")[0] if status == 200 else None for status, _, got in seen}


def asked(t, edge, first, second):
    people = [Client(edge, source="127.0.0.%d" % n) for n in range(5, 13)]
    homes = []
    for c in people:
        t.equal(c.ask("/")[0], 302, c.source + " comes to the form")
        t.equal(c.form("alice", "secret")[0], 303, c.source + " signs in")
        homes.append(servers_of(c, 6))
        t.check(len(homes[-1]) == 1 and None not in homes[-1], c.source + " has one server, whoever of the two it comes to:", homes[-1])
        status, _, got = c.ask("/")
        t.check("X-Forwarded-For: %s\r\n" % c.source in got, c.source + " is told to the server:", status, got)
    t.equal(set().union(*homes), {"one", "two"}, "the servers of all")
    thief = Client(edge, source="127.0.0.99")
    thief.cookies = dict(people[0].cookies)
    t.equal([thief.ask("/")[0] for _ in range(2)], [302, 302], "the session from another address, at both")
    first.stop()
    for c, home in zip(people, homes):
        t.equal(servers_of(c, 3), home, c.source + " with one instance gone: signed in still, and the same server")
    second.stop()
    for p in (first, second):
        lines = logged(p)
        t.equal({client for client, _, _ in lines}, {c.source for c in people} | {thief.source}, "clients in the log of " + os.path.dirname(p.file)[-9:])
        t.check(len(lines) > 40, "each had its share:", len(lines))


@test
def test_machines(t):
    """HAProxy gives each connection to the other one of two: session, server and the client's address stay; then one instance dies."""
    pair, keys = certificate(t.dir, "front", NAMES), t.path("keys")
    with open(keys, "w") as f:
        f.write("5a" * 32 + "\n")
    os.chmod(keys, 0o600)
    ports, edge_port = [free_port(), free_port()], free_port()
    with open(t.path("edge.cfg"), "w") as f:
        f.write(EDGE % (edge_port, ports[0], ports[1]))
    with Server(naming(b"one")) as a, Server(naming(b"two")) as b:
        instances = [instance(t, n, port, (a.port, b.port), keys, pair) for n, port in enumerate(ports)]
        with instances[0] as first, instances[1] as second:
            haproxy = subprocess.Popen(["/usr/sbin/haproxy", "-db", "-f", t.path("edge.cfg")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                t.check(listens(edge_port, haproxy), "HAProxy does not start")
                asked(t, Edge(edge_port), first, second)
            finally:
                haproxy.terminate()
                haproxy.wait()
