#!/usr/bin/env python3
"""Writes an export with random publishing policies on standard output. Usage: random_policy.py SEED [POLICIES]

Each policy is a listener of its own with two to six rules, made so that they get into each other's way: names from a
small pool with wildcards and "all requests", paths that overlap in every manner, rewriting, sources with exceptions,
denies, bridging, farms. Besides there are a few server publishing rules, which share sockets and overlap in ranges of ports.
Most are compressed for some clients or listeners.
The same seed gives the same bytes.
"""
import random
import sys
from fpc import *

NAMES = ["a.example", "b.example", "www.a.example", "x.www.a.example", "*.a.example", "*.example", "*.www.a.example", "A.Example",
         "b.example:8443", "192.0.2.7", "b\u00fccher.example"]
PATHS = ["/*", "/a/*", "/a/b/*", "/ab/*", "/A/B/*", "/a", "/a/", "/a/b", "/a/b/c.htm", "/index.htm", "/_vti_inf.html*", "/a.b/*", "/a+b/*",
         "/a%20b/*", "/(x)/*", "/a*b/*", "/", "/~u/*", "/a/b/c/d/*"]
INTERNAL = ["/*", "/in/*", "/a/*", "/deep/er/*", "/In.side/*", "/app\\", "/p%20q/*"]
EXACT_INTERNAL = ["/start.htm", "/in/start.htm", "/"]
SOURCES = [("network", "Internal"), ("network", "External"), ("addressrange", "Low"), ("addressrange", "High"), ("subnet", "Middle"),
           ("computer", "One"), ("computer", "Two"), ("computerset", "Mixed")]


def random_path(rng):
    external = rng.choice(PATHS)
    if rng.random() < 0.6:
        return external
    return (external, rng.choice(INTERNAL if external.endswith("*") else EXACT_INTERNAL))


def random_rule(rng, name, order, where):
    options = dict(SendOriginalHostHeader=rng.random() < 0.5, PublishedServerType=rng.choice([HTTP, HTTP, SSL, BOTH]),
                   CredentialsDelegationType=rng.choice([BLOCK, BLOCK, PASS]))
    if rng.random() < 0.3:
        options.update(HTTPRedirectPort=8080, SSLRedirectPort=rng.choice([443, 4443]))
    if rng.random() < 0.15:
        options.update(SSLRequireSecureChannel=rng.choice([1, 2]))
    if rng.random() < 0.35:
        options.update(source=rng.sample(SOURCES, rng.randint(1, 2)))
        if rng.random() < 0.5:
            options.update(exclude=rng.sample(SOURCES[2:], rng.randint(1, 2)))
    if rng.random() < 0.15:
        options.update(deny=True, redirect=rng.choice(["", "https://elsewhere.example/x?y=$host&z=%d"]))
    if rng.random() < 0.2:
        options.update(farm_name=rng.choice(["Farm A", "Farm B"]), affinity_by_address=rng.random() < 0.7)
    if rng.random() < 0.07:
        options.update(enabled=False)
    if rng.random() < 0.05:
        options.update(users="Staff")
    if rng.random() < 0.2:
        options.update(SendAcceptEncodingHeader=True)
    if rng.random() < 0.2:
        options.update(PassOptionsRequestsToServer=False)
    if rng.random() < 0.2:
        options.update(PassAuthenticationResponseBodyToClient=True)
    everyone = rng.random() < 0.2
    return web_rule(name, order, where, [] if everyone else rng.sample(NAMES, rng.randint(1, 3)),
                    [random_path(rng) for _ in range(rng.randint(1, 3))], site=rng.choice(["one.corp.example", "two.corp.example"]),
                    all_names=everyone, **options)


PROTOCOLS = {"mail": [(25,)], "web": [(8001,)], "some": [(6000, 6004)], "more": [(6003, 6009)], "query": [(53, 53, UDP, 2), (53,)]}


def random_server_rule(rng, number):
    published = rng.choice(["mail", "mail", "web", "web", "some", "more", "query"])
    options = dict(source=rng.sample(SOURCES, rng.choice([0, 1, 1, 2])), exclude=rng.sample(SOURCES[2:], rng.choice([0, 0, 1])),
                   enabled=rng.random() < 0.9, deny=rng.random() < 0.1, ports=rng.choice([(0, 0), (0, 0), (0, 0), (20000, 29999), (0, 25999)]),
                   UseFirewallIPAsSource=rng.random() < 0.5)
    if published in ("mail", "web") and rng.random() < 0.3:
        options.update(OverrideServerPort=7000 + number)
    return server_rule("Server rule %d" % number, number, "10.8.0.%d" % rng.randint(1, 4), rng.sample(["192.0.2.200", "192.0.2.201"], rng.randint(1, 2)),
                       published, **options)


def random_compression(rng, listeners):
    """Of the array, or None; drawn apart, so that the policies of a seed stay what they were."""
    if rng.random() < 0.4:
        return None
    some = [n for n in listeners if rng.random() < 0.5]
    clients = (rng.sample(SOURCES, rng.randint(0, 2)), rng.sample(SOURCES[2:], rng.randint(0, 1)))
    servers = rng.choice([None, ([("network", "External")], []), ([("network", "Internal")], [])])
    return compression(rng.sample(["Texts", "Data", "Probes"], rng.randint(1, 3)), some, [n for n in some if rng.random() < 0.1], clients, servers,
                       NoCompressionForSpecifiedContentTypes=rng.random() < 0.15)


def main():
    seed, policies = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rng = random.Random(seed)
    listeners, rules = [], []
    for p in range(policies):
        where = "Listener %d" % p
        listeners.append(listener(where, ["192.0.2.%d" % (10 + p)], http=rng.choice([80, 80, 8080]), https=rng.choice([443, 443, 8443, 0]),
                                  certificates=[(thumbprint("test"), "")], RedirectHTTPAsHTTPS=rng.choice([0, 0, 0, 0, 2])))
        rules += [random_rule(rng, "Rule %d.%d" % (p, r), len(rules) + r, where) for r in range(rng.randint(2, 6))]
    rules += [random_server_rule(rng, len(rules) + n) for n in range(rng.randint(3, 7))]
    mixed = node("ComputerSet", guid("computerset", "Mixed"), string("Name", "Mixed"),
                 node("Computers", "Computers", computer("Three", "198.51.100.3")),
                 node("AddressRanges", "AddressRanges", address_range("Some", "198.51.100.100", "198.51.100.120")))
    compressing = random_compression(random.Random("compression %d" % seed), ["Listener %d" % p for p in range(policies)])
    types = [content_types("Texts", ["text/html", "text/*", ".htm"]), content_types("Data", ["application/json", "text/css"]), content_types("Probes", ["text/x-tmgc"])]
    elements = {
        "ContentTypeSets": types if compressing else [],
        "Computers": [computer("One", "198.51.100.20"), computer("Two", "198.51.100.110")],
        "ComputerSets": [mixed],
        "AddressRanges": [address_range("Low", "198.51.100.0", "198.51.100.127"), address_range("High", "198.51.100.64", "198.51.100.255")],
        "Subnets": [subnet("Middle", "198.51.100.96", "255.255.255.224")],
        "WebListeners": listeners,
        "Protocols": [protocol(name, connections) for name, connections in PROTOCOLS.items()],
        "UserSets": predefined_users() + [user_set("Staff", ["CONTOSO-Staff"])],
        "ServerFarms": [farm("Farm A", ["10.9.0.1", "10.9.0.2"]), farm("Farm B", ["10.9.0.3", ("10.9.0.4", True), "10.9.0.5"])],
    }
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "RANDOM")), rules, elements=elements, name="RANDOM",
                              networks=[external(), network("Internal", [("10.0.0.0", "10.255.255.255")])], extra=[compressing] if compressing else []))


if __name__ == "__main__":
    main()
