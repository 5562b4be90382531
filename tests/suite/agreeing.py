"""Three views of the same random requests: what `explain` decides, what `explain --live` and `verify` saw of nginx, HAProxy and publishd,
and what a client written here, which knows none of tmgc's code, got from them on the configs that `convert` wrote."""
import http.server
import ipaddress
import json
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time
from .common import SAMPLES, export_of, read, site_of, test_each
from localise import localise, own_folders, own_probes
from ports import free_ports

REQUESTS = 2000 // len(SAMPLES)
ENV = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")


# ---- what to ask ---------------------------------------------------------------------------

def on_loopback(policy):
    """The policy with its client addresses in 127.0.0.0/8, where a client here can have them; and those addresses."""
    found = []

    def moved(m):
        ranges = re.sub(r"\b\d+(\.\d+\.\d+\.\d+)", r"127\1", m.group(2)).replace("/8", "/9")
        found.extend(ranges.split(", "))
        return m.group(1) + ranges + m.group(3)

    return re.sub(r"(?m)^((?:    sources: \{|    )addresses: \[)([^\]]*)(\])", moved, policy), found


def edges(ranges):
    """The ends of the ranges, and what lies beside them."""
    result = []
    for r in ranges:
        if "/" in r:
            net = ipaddress.ip_network(r, strict=False)
            first, last = int(net[0]), int(net[-1])
        else:
            first, last = int(ipaddress.ip_address(r.split("-")[0])), int(ipaddress.ip_address(r.split("-")[-1]))
        result += [first, last, first - 1, last + 1, (first + last) // 2]
    low, high = int(ipaddress.ip_address("127.0.0.1")), int(ipaddress.ip_address("127.255.255.254"))
    return [str(ipaddress.ip_address(a)) for a in result if low <= a <= high]


def near_name(rng, name):
    name = name.replace("*", rng.choice(("www", "a.b", "x"))) or "nobody.example"
    kind = rng.randrange(10)
    if kind == 0:
        return "x" + name
    if kind == 1:
        return name + "x"
    if kind == 2:
        return name.upper()
    if kind == 3:
        return name + "."
    if kind == 4:
        return name.split(".", 1)[-1]
    return name


def near_path(rng, path):
    path = path.replace("*", rng.choice(("", "a", "a/b.htm", "index.html")))
    kind, at = rng.randrange(14), rng.randrange(len(path)) + 1
    if kind == 0:
        path = path.swapcase()
    elif kind == 1:
        path = path[:at] + "x" + path[at:]
    elif kind == 2 and len(path) > 1:
        path = path[:-1]
    elif kind == 3 and at < len(path) and path[at].isalnum():
        path = path[:at] + "%%%02x" % ord(path[at]) + path[at + 1:]
    elif kind == 4:
        path += rng.choice(("/../secret", "/../../x", "/./y", "/%2e%2e/z", "..%2f", "/%252e%252e/"))
    elif kind == 5:
        path = path.replace("/", "//", 1)
    elif kind == 6:
        path += "/"
    elif kind == 7:
        path = "/" + "".join(rng.choice("abxyz/.-_~") for _ in range(rng.randrange(12)))
    return path + rng.choice(("", "", "", "?", "?a=b%20c&d=/../", "?$x={y}"))


def random_requests(rng, sites, clients, http_port, https_port):
    names = [n for s in sites for n in s["names"]] + ["nobody.example"]
    paths = [p for s in sites for p in s["paths"] if p.startswith("/")] + ["/"]
    clients = clients + ["127.0.0.1", "127.9.9.9", "127.200.1.2"]
    lines = []
    for _ in range(REQUESTS):
        near = rng.choice(sites) if sites and rng.random() < .7 else None
        tls = rng.random() < .6
        name = near_name(rng, rng.choice(near["names"] if near and near["names"] else names))
        path = near_path(rng, rng.choice([p for p in near["paths"] if p.startswith("/")] or paths) if near else rng.choice(paths))
        port = ":%d" % (https_port if tls else http_port) if rng.random() < .5 else ""
        lines.append("%s %s://%s%s%s from %s" % (rng.choice(("GET", "GET", "POST", "HEAD")), "https" if tls else "http", name, port, path, rng.choice(clients)))
    return lines


# ---- the published servers, the programs, the client -----------------------------------------

class Seen(http.server.BaseHTTPRequestHandler):
    """Answers with where it is and what it received, in a field, for HEAD too. (Python's own path has lost double slashes.)"""
    protocol_version = "HTTP/1.1"

    def answer(self):
        seen = {"to": list(self.connection.getsockname()), "tls": self.server.secure, "method": self.command, "target": self.requestline.split(" ")[1], "hosts": self.headers.get_all("Host", [])}
        self.send_response(200)
        self.send_header("X-Seen", json.dumps(seen))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD = do_POST = do_OPTIONS = answer

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A proxy that resets a connection, as it does when it ends."""


def serve(address, port, context):
    server = Server((address, port), Seen)
    server.secure = context is not None
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Program:
    """nginx, HAProxy or publishd on the configs of a folder."""
    def __init__(self, name, out, log, build):
        if name == "nginx":
            config = os.path.join(out, "nginx", "own.conf")
            with open(config, "w") as changed:
                changed.write(own_folders(read(os.path.join(out, "nginx", "nginx.conf")).decode(), out))
            command = ["nginx", "-c", config, "-p", out, "-e", log, "-g", "daemon off; master_process off; pid %s/nginx.pid;" % out]
        elif name == "publishd":
            config = os.path.join(out, "publishd", "own.yaml")
            with open(config, "w") as changed:
                changed.write(own_probes(read(os.path.join(out, "publishd", "publishd.yaml")).decode()))
            command = [os.path.join(build, "publishd"), "-f", "-c", config]
        else:
            command = ["haproxy", "-db", "-f", os.path.join(out, "haproxy", "haproxy.cfg")]
        with open(log, "ab") as to:
            self.process = subprocess.Popen(command, stdout=to, stderr=to, stdin=subprocess.DEVNULL, env=ENV)

    def ready(self, address, port):
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex((address, port)) == 0:
                    return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return False

    def end(self):
        self.process.kill()
        self.process.wait()


def ask(context, place, request):
    """What one request got: status, Location, and what a published server saw; (0, None, None) for no answer."""
    address, port = place["addresses"][0], place["https" if request["https"] else "http"]
    with socket.socket() as plain:
        plain.settimeout(20)
        plain.bind((request["client"], 0))
        plain.connect((address, port))
        s = context.wrap_socket(plain) if request["https"] else plain
        length = "Content-Length: 0\r\n" if request["method"] == "POST" else ""
        s.sendall(("%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n" % (request["method"], request["target"], request["host"], length)).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = s.recv(65536)
            if not part:
                break
            answer += part
        if request["https"]:
            s.close()
    head = answer.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(":", 1)[0:1] + [line.split(":", 1)[1].strip()] for line in head[1:] if ":" in line)
    seen = json.loads(fields["x-seen"]) if "x-seen" in fields else None
    return (int(head[0].split()[1]) if head[0].startswith("HTTP/") else 0), fields.get("location"), seen


# ---- comparing ----------------------------------------------------------------------------------

def as_told(decision, live, status, location, seen):
    """Did our client get what explain --live says that it got? A farm's member may be another one for another client address. Where
    a user is asked for, live brings credentials, which nobody here can check (503), and our client none (401)."""
    if decision["answer"] == "needs-user" and live["status"] == 503:
        return status in (401, 503) and live["forwarded"] is None and seen is None
    if live["status"] != status or live["location"] != location or (live["forwarded"] is None) != (seen is None):
        return False
    f = live["forwarded"]
    return f is None or (f["tls"], f["method"], f["target"], [f["host_field"]]) == (seen["tls"], seen["method"], seen["target"], seen["hosts"])


def as_decided(request, decision, status, location, seen):
    """Does it follow from the decision, without any excuse? On publishd it must."""
    if decision["answer"] == "needs-user":      # publishd asks who is there, or refuses where nobody can sign in
        return seen is None and status in (401, 403, 302)
    if decision["answer"] != "forward":
        return seen is None and status == decision["status"] and (status != 302 or location == request["location"])
    places = [[s["host"], s["port"]] for s in request["backend"]["servers"] if not s["drained"]]
    return (status == 200 and seen is not None and seen["to"] in places and seen["tls"] == request["backend"]["tls"]
            and seen["target"] == request["sent_target"] and seen["hosts"] == [request["sent_host"]])


def separate_backends(site, plain, tls):
    """Gives each published server of a localised site map an address of its own; [(address, port, over TLS)]."""
    places = []

    def place(m):
        places.append(("127.0.99.%d" % (len(places) + 1), int(m.group(1)), int(m.group(1)) == tls))
        return ": %s:%d" % places[-1][:2]

    text = re.sub(r": 127\.0\.0\.1:(%d|%d)$" % (plain, tls), place, read(site).decode(), flags=re.M)
    with open(site, "w") as out:
        out.write(text)
    return places


@test_each(*(s for s in SAMPLES if s != "single-sign-on"))           # that one needs its domain: demo-auth
def test_agreement(t, sample):
    http_port, https_port, plain, tls = free_ports(4)
    policy, ranges = on_loopback(t.run("ir", export_of(sample)).out.decode())
    policy = re.sub(r"(?m)^    schedule: .*\n", "", policy)           # what they answer must not depend on when this runs
    policy = t.write("policy.yaml", policy)
    local = localise(export_of(sample), site_of(sample), t.path("local"), http=http_port, https=https_port, plain=plain, tls=tls)
    site = t.path("local", "site.yaml")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(t.path("local", "server.pem"), t.path("local", "server.key"))
    servers = [serve(a, p, context if secure else None) for a, p, secure in separate_backends(site, plain, tls)]
    out = t.path("out")
    r = t.convert(policy, out, "-q", "--fail-on", "never", site=site)
    if not t.check(r.status == 0, "convert:", r):
        return
    sites = json.loads(read(out + "/report.json"))["sites"]
    rng = random.Random("agreement " + sample)
    asked = t.write("requests", "\n".join(random_requests(rng, sites, edges(ranges), http_port, https_port)) + "\n")

    r = t.run("verify", policy, "-m", site, "--requests", asked)
    t.check(r.status == 0, "verify --requests:", r, r.out[-2000:].decode("utf-8", "replace"))
    r = t.run("explain", policy, "-m", site, "--requests", asked, "--live", "--format", "json")
    t.check(r.status == 0, "explain --live:", r)
    explained = [json.loads(line) for line in r.out.decode().split("\n") if line]
    t.equal(len(explained), REQUESTS, "requests explained")

    client = ssl._create_unverified_context()
    places = {p["name"]: p for p in local["listeners"]}
    counts = {"forwarded": 0, "refused by the program itself": 0, "no listener": 0}
    for target in ("nginx", "haproxy", "publishd"):
        program = Program(target, out, t.path(target + ".log"), t.build)
        try:
            first = local["listeners"][0]
            if not t.check(program.ready(first["addresses"][0], first["http"] or first["https"]), "%s starts:" % target, read(t.path(target + ".log"))):
                continue
            for e in explained:
                compare_one(t, target, client, places, e, counts)
        finally:
            program.end()
    for s in servers:
        s.shutdown()
        s.server_close()
    asked_of_all = 3 * REQUESTS
    t.check(counts["refused by the program itself"] * 10 <= asked_of_all, "too many are refused by the program itself:", counts)
    t.note = "%d requests to each target, three views; %s" % (REQUESTS, ", ".join("%d %s" % (n, what) for what, n in counts.items()))


def compare_one(t, target, client, places, e, counts):
    what = "%s: %s %s://%s%s from %s" % (target, e["method"], "https" if e["https"] else "http", e["host"], e["target"], e["client"])
    decision = e["targets"][target]
    live = decision["live"]
    place = places.get(e["listener"])
    if place is None or "verdict" not in live:
        counts["no listener"] += 1
        return
    status, location, seen = ask(client, place, e)
    counts["forwarded"] += seen is not None
    t.check(live["verdict"] in ("agreed", "declared"), what, "live:", live)
    t.check(as_told(decision, live, status, location, seen), what, "our client got", status, location, seen, "but live", live)
    if not as_decided(e, decision, status, location, seen):
        counts["refused by the program itself"] += 1
        t.check(target != "publishd" and status in (400, 404) and seen is None, what, "our client got", status, location, seen, "but explain says", decision["answer"], decision["status"])
