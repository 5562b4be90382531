#!/usr/bin/env python3
"""Random pairs of policies for `tmgc diff`, and its witnesses before the real programs.

Usage: diff_pairs.py BUILD [--pairs N] [--seed N] [--still N]

N pairs (300) that differ by one edit with an effect: the diff must name that edit, and its witness, sent to what publishd, HAProxy or
nginx (in turn) makes of both sides, must be answered differently, each side as the diff says. N pairs that differ
only in what has no effect: no request may be answered differently. Everything runs on 127.0.0.0/8. Edits whose effect
no proxy can show (users, schedules, delegation) are checked by name alone, and counted apart.
"""
import argparse
import copy
import http.server
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from localise import make_certificates, own_folders
from ports import free_ports

NAMES = ["a.example", "b.example", "www.a.example", "x.www.a.example", "*.a.example", "*.example"]
PATHS = ["/*", "/a/*", "/a/b/*", "/ab/*", "/a", "/a/b.htm", "/_info*", "/c%20d/*", ("/a/*", "/in/*"), ("/ab/*", "/*"), ("/s.htm", "/t.htm"), ("/*", "/deep/*")]
SITES = ["one.corp.example", "two.corp.example", "three.corp.example"]
MEMBERS = ["m1.corp.example", "m2.corp.example"]
SOURCES = ["{any: true}"] * 4 + ["{addresses: [127.1.0.0/16]}", "{addresses: [127.1.2.0/24, 127.2.0.0/16]}", "{networks: [Branch]}",
                                 "{any: true, except_addresses: [127.1.0.0-127.1.0.255]}"]
OLD, NEW, ELSEWHERE = "127.0.50.1", "127.0.51.1", "127.99.0.1"
HTTP, HTTPS = free_ports(2)
PRINT = "00" * 19 + "d1"
PROGRAMS = ("publishd", "haproxy", "nginx")


# ---- policies --------------------------------------------------------------------

def random_rule(rng, number):
    return {"name": "Rule %d" % number, "description": None, "enabled": rng.random() > 0.08, "action": "deny" if rng.random() < 0.12 else "allow",
            "redirect_url": None, "all_names": rng.random() < 0.15, "names": rng.sample(NAMES, rng.randint(1, 3)), "paths": rng.sample(PATHS, rng.randint(1, 3)),
            "sources": rng.choice(SOURCES), "schedule": None, "users": None, "site": rng.choice(SITES), "farm": "Pool" if rng.random() < 0.15 else None,
            "bridging": rng.choice(["http", "http", "ssl", "both"]), "http_port": rng.choice([80, 80, 8080]), "ftp_port": 21,
            "forward_host": rng.random() < 0.5, "delegation": "block", "require_ssl": rng.choice(["optional"] * 5 + ["required"]), "logging": True}


def random_policy(rng):
    return {"listener": {"name": "Web", "description": None, "redirect": rng.choice(["never"] * 6 + ["always"]), "max": 0}, "members": list(MEMBERS),
            "branch": ["127.3.0.0/16"], "rules": [random_rule(rng, n) for n in range(rng.randint(2, 7))]}


def written(policy):
    where = policy["listener"]
    out = ["policy: 1", "listeners:", "  - name: %s" % where["name"], "    http: 80", "    https: 443", "    redirect: %s" % where["redirect"],
           "    certificates: [{thumbprint: \"%s\"}]" % PRINT, "    max_connections: %d" % where["max"]]
    if where["description"]:
        out.append("    description: %s" % where["description"])
    # ping: the usual verifier asks port 80 of a member, where no stand-in listens
    out += ["farms:", "  - {name: Pool, probe: ping, members: [%s]}" % ", ".join("{host: %s}" % m for m in policy["members"])]
    out += ["networks:", "  - {name: Branch, addresses: [%s]}" % ", ".join(policy["branch"])]
    out += ["schedules:", "  - {name: Days, hours: [\"Mon-Fri 08:00-18:00\"]}", "user_sets:", "  - {name: Staff, accounts: [{name: \"CONTOSO\\\\Staff\", group: true}]}", "rules:"]
    for r in policy["rules"]:
        out += ["  - name: %s" % r["name"], "    listener: %s" % where["name"]]
        paths = ["{external: %s, internal: %s}" % p if isinstance(p, tuple) else p for p in r["paths"]]
        out.append("    paths: [%s]" % ", ".join(paths))
        out.append("    all_names: true" if r["all_names"] else "    names: [%s]" % ", ".join('"%s"' % n for n in r["names"]))
        out.append("    users: [%s]" % r["users"] if r["users"] else "    all_users: true")
        for key in ("description", "redirect_url", "schedule", "farm"):
            if r[key]:
                out.append("    %s: %s" % (key, r[key]))
        for key in ("action", "sources", "site", "bridging", "http_port", "ftp_port", "delegation", "require_ssl"):
            out.append("    %s: %s" % (key, r[key]))
        out += ["    %s: %s" % (key, str(r[key]).lower()) for key in ("enabled", "forward_host", "logging")]
    return "\n".join(out) + "\n"


# ---- edits: each changes the policy and gives (subject, name, key or what happened); None: it does not apply ----------

def one(policy, rng):
    return rng.choice(policy["rules"])


def setting(key, values):
    def edit(policy, rng):
        r = one(policy, rng)
        choices = [v for v in values if v != r[key]]
        r[key] = rng.choice(choices)
        return "rule", r["name"], key
    edit.__name__ = key
    return edit


def list_item(key, pool):
    def edit(policy, rng):
        r = one(policy, rng)
        others = [v for v in pool if v not in r[key]]
        if len(r[key]) > 1 and rng.random() < 0.4:
            r[key].remove(rng.choice(r[key]))
        elif rng.random() < 0.5:
            r[key].append(rng.choice(others))
        else:
            r[key][rng.randrange(len(r[key]))] = rng.choice(others)
        return ("rule", r["name"], key) if not (key == "names" and r["all_names"]) else None
    edit.__name__ = key
    return edit


def sources(policy, rng):
    r = one(policy, rng)
    r["sources"] = rng.choice([s for s in SOURCES if s != r["sources"]])
    return "rule", r["name"], "sources"


def redirect_url(policy, rng):
    denying = [r for r in policy["rules"] if r["action"] == "deny"]
    if not denying:
        return None
    r = rng.choice(denying)
    r["redirect_url"] = "https://elsewhere.example/moved"
    return "rule", r["name"], "redirect_url"


def added(policy, rng):
    r = random_rule(rng, 90)
    policy["rules"].insert(rng.randint(0, len(policy["rules"])), r)
    return "rule", r["name"], "added"


def removed(policy, rng):
    r = policy["rules"].pop(rng.randrange(len(policy["rules"])))
    return ("rule", r["name"], "removed") if policy["rules"] else None


def moved(policy, rng):
    rules = policy["rules"]
    r = rules.pop(rng.randrange(len(rules)))
    rules.insert(rng.randint(0, len(rules)), r)
    return "rule", None, "moved"


def redirect(policy, rng):
    policy["listener"]["redirect"] = "never" if policy["listener"]["redirect"] == "always" else "always"
    return "listener", "Web", "redirect"


def branch(policy, rng):
    policy["branch"] = rng.choice([["127.3.0.0/17"], ["127.3.0.0/16", "127.4.0.0/16"], ["127.5.0.0/16"]])
    return "network", "Branch", "addresses"


def member(policy, rng):
    policy["members"] = ["m3.corp.example"]     # no old one stays: which member answers is the target's choice
    return "farm", "Pool", "members"


VISIBLE = [setting("enabled", [True, False]), setting("action", ["allow", "deny"]), redirect_url, setting("all_names", [True, False]), list_item("names", NAMES),
           list_item("names", NAMES), list_item("paths", PATHS), list_item("paths", PATHS), sources, setting("site", SITES), setting("farm", [None, "Pool"]),
           setting("bridging", ["http", "ssl", "both"]), setting("http_port", [80, 8080]), setting("forward_host", [True, False]),
           setting("require_ssl", ["optional", "required"]), added, removed, moved, redirect, branch, member]
UNSEEN = [setting("delegation", ["block", "pass", "basic"]), setting("schedule", [None, "Days"]), setting("users", [None, "Staff"])]


# ---- edits without effect -------------------------------------------------------------

def still_description(p, rng):
    one(p, rng)["description"] = "Said by somebody at some time"
    p["listener"]["description"] = "Also said"


def still_rule_name(p, rng):
    one(p, rng)["name"] = "Another name"


def still_listener_name(p, rng):
    p["listener"]["name"] = "Front"


def still_order_in_lists(p, rng):
    for r in p["rules"]:
        rng.shuffle(r["names"])
        externals = [x[0] if isinstance(x, tuple) else x for x in r["paths"]]
        if len(set(externals)) == len(externals):      # of equal ones the first counts
            rng.shuffle(r["paths"])
    p["members"].reverse()


def still_disabled(p, rng):
    r = random_rule(rng, 91)
    r["enabled"] = False
    p["rules"].insert(rng.randint(0, len(p["rules"])), r)


def still_copy_behind(p, rng):
    r = copy.deepcopy(one(p, rng))
    r["name"] = "The same again"
    p["rules"].append(r)


def still_covered_name(p, rng):
    for r in p["rules"]:
        if "*.a.example" in r["names"] or "*.example" in r["names"]:
            r["names"].append("covered.a.example")


def still_covered_path(p, rng):
    for r in p["rules"]:
        if "/*" in r["paths"] and not any(isinstance(x, tuple) for x in r["paths"]):
            r["paths"].append("/covered/too/*")


def still_ranges(p, rng):
    for r in p["rules"]:
        r["sources"] = r["sources"].replace("127.1.0.0/16", "127.1.0.0/17, 127.1.128.0-127.1.255.255")
    p["branch"] = ["127.3.0.0/17", "127.3.128.0/17"]


def still_ports(p, rng):
    for r in p["rules"]:
        r["ftp_port"] = 2121


def still_strangers_swap(p, rng):
    rules = p["rules"]
    for i in range(len(rules) - 1):
        x, y = rules[i], rules[i + 1]
        exact = all(not n.startswith("*") for r in (x, y) for n in r["names"]) and not (x["all_names"] or y["all_names"])
        if exact and not set(x["names"]) & set(y["names"]):
            rules[i], rules[i + 1] = y, x
            return


def still_last_deny(p, rng):
    r = random_rule(rng, 92)
    r.update(action="deny", enabled=True)
    p["rules"].append(r)


def still_logging(p, rng):
    one(p, rng)["logging"] = False
    p["listener"]["max"] = 500


STILL = [f for name, f in sorted(globals().items()) if name.startswith("still_")]


# ---- the published servers, and asking -----------------------------------------------------

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"at": self.server.label, "tls": self.server.secure, "target": self.path, "host": self.headers.get("Host")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass                            # a target that is stopped leaves connections behind


def serve(folder):
    """One server for each name, port and kind: {("one.corp.example", 80): "127.0.0.1:12345"}."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    places = {}
    for name in SITES + MEMBERS + ["m3.corp.example"]:
        for port, secure in ((80, False), (8080, False), (443, True)):
            server = Server(("127.0.0.1", 0), Echo)
            server.label, server.secure = "%s:%d" % (name, port), secure
            if secure:
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            places[name, port] = "127.0.0.1:%d" % server.server_address[1]
    return places


def site_map(folder, address, places):
    out = ["site: 1", "listeners:"] + ["  %s: {addresses: [%s], http: %d, https: %d}" % (n, address, HTTP, HTTPS) for n in ("Web",)]
    out += ["certificates:", "  \"%s\": {chain: server.pem, key: server.key}" % PRINT, "trust: ca.pem", "backends:"]
    out += ["  \"%s:%d\": %s" % (name, port, place) for (name, port), place in sorted(places.items())]
    path = os.path.join(folder, "site-%s.yaml" % address)
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n")
    return path


def ask(address, request):
    """What a client sees: status, Location, or what the published server received."""
    source = request["client"] if request["client"].startswith("127.") else ELSEWHERE
    tls = request["scheme"] == "https"
    s = socket.create_connection((address, HTTPS if tls else HTTP), timeout=5, source_address=(source, 0))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s, server_hostname=(request["host"] or "none.invalid").split(":")[0].lower())
    with s:
        host = "Host: %s\r\n" % request["host"] if request["host"] is not None else ""
        s.sendall(("GET %s HTTP/1.%d\r\n%sConnection: close\r\n\r\n" % (request["target"], 1 if host else 0, host)).encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = int(lines[0].split()[1])
    location = next((l.split(":", 1)[1].strip() for l in lines if l.lower().startswith("location:")), None)
    if status == 200:
        return ("forward", json.loads(body[body.index(b"{"):body.rindex(b"}") + 1]))
    return (status, location)


def agrees(got, side, program):
    """Whether what came is what the diff said of this side; a proxy may refuse in its own way."""
    if side["answer"] == "forward":
        if got[0] != "forward":
            return False
        seen = got[1]
        return seen["target"] == side["target"] and seen["host"] == side["host"] and seen["tls"] == side["to"].startswith("https ")
    refusals = (side["status"],) if program == "publishd" else (side["status"], 400, 404)
    return got[0] in refusals and (not side["location"] or got[1] == side["location"])


class Running:
    """A target on one side's config."""
    def __init__(self, build, program, policy, site, out, address):
        subprocess.run([os.path.join(build, "tmgc"), "convert", policy, "-m", site, "-t", program, "-o", out, "-q", "--fail-on", "never"], check=True, capture_output=True)
        config = os.path.join(out, program, {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "publishd": "publishd.yaml"}[program])
        if program == "nginx":
            own = os.path.join(out, "own.conf")
            with open(config) as f, open(own, "w") as o:
                o.write(own_folders(f.read(), out))
        command = {"nginx": ["nginx", "-e", "stderr", "-c", os.path.join(out, "own.conf"), "-g", "daemon off; pid %s;" % os.path.join(out, "pid")],
                   "haproxy": ["haproxy", "-db", "-f", config], "publishd": [os.path.join(build, "publishd"), "-f", "-c", config]}[program]
        self.log = open(os.path.join(out, "log"), "w+b")
        self.program, self.address = program, address
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))

    def wait(self):
        for _ in range(400):
            try:
                socket.create_connection((self.address, HTTPS), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        self.stop()
        with open(self.log.name, "rb") as f:
            raise RuntimeError("%s did not start: %s" % (self.program, f.read()[-600:].decode("utf-8", "replace")))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.log.close()


# ---- the test -----------------------------------------------------------------------------------

class Pairs:
    def __init__(self, build, folder):
        self.build, self.folder, self.failures, self.asked = build, folder, [], 0
        make_certificates(folder, SITES + MEMBERS + ["m3.corp.example"] + [n for n in NAMES])
        self.places = serve(folder)
        self.sites = [site_map(folder, a, self.places) for a in (OLD, NEW)]

    def fail(self, what, *texts):
        name = os.path.join(self.folder, "failure-%d" % len(self.failures))
        for suffix, text in zip(("old.yaml", "new.yaml"), texts):
            with open("%s-%s" % (name, suffix), "w") as f:
                f.write(text)
        self.failures.append(what + (" (%s-*.yaml)" % name if texts else ""))

    def diff(self, old, new):
        paths = []
        for name, text in (("old.yaml", old), ("new.yaml", new)):
            paths.append(os.path.join(self.folder, name))
            with open(paths[-1], "w") as f:
                f.write(text)
        p = subprocess.run([os.path.join(self.build, "tmgc"), "diff", *paths, "--format", "json"], capture_output=True, timeout=120)
        if p.returncode not in (0, 1):
            raise RuntimeError("tmgc diff: %s" % p.stderr.decode())
        return p.returncode, json.loads(p.stdout), paths

    @staticmethod
    def named(report, edit):
        """The witness of that edit (or None), if the diff names it at all: (named, witness)."""
        subject, name, key = edit
        for c in report["changes"]:
            if c["subject"] != subject or (name and c["name"] != name):
                continue
            if key in ("added", "removed") and c["kind"] == key:
                return True, c["witness"]
            if key == "moved" and c["moved"]:
                return True, c["move_witness"]
            for f in c["fields"]:
                if f["key"].split(".")[0] == key:
                    return True, f["witness"]
        return False, None

    def real(self, program, paths, witness):
        """Each side's answer, and the servers that took such requests: those of a farm take turns."""
        farm = any("," in (witness[side]["to"] or "") for side in ("old", "new"))
        times = 12 if farm else 1
        out = [os.path.join(self.folder, side) for side in ("o", "n")]
        answers, running = [], []
        try:
            for i, address in enumerate((OLD, NEW)):
                shutil.rmtree(out[i], ignore_errors=True)
                running.append(Running(self.build, program, paths[i], self.sites[i], out[i], address))
            for r in running:
                r.wait()
            for address in (OLD, NEW):
                got = [ask(address, witness["request"]) for _ in range(times)]
                servers = {g[1]["at"] for g in got if g[0] == "forward"}
                answers.append((got[0], sorted(servers)))
        finally:
            for r in running:
                r.stop()
        self.asked += 1
        return answers

    def pair(self, rng, number, edits):
        """True: a pair with an effect."""
        before = random_policy(rng)
        after = copy.deepcopy(before)
        edit = rng.choice(edits)(after, rng)
        old, new = written(before), written(after)
        if not edit or old == new:
            return False
        status, report, paths = self.diff(old, new)
        if report["unexplained"] or not report["proven"]:
            self.fail("%s: unexplained or not proven" % (edit,), old, new)
        named, witness = self.named(report, edit)
        if not named and not (edit[2] == "moved" and not any(c["moved"] for c in report["changes"])):
            self.fail("%s: the diff does not name it" % (edit,), old, new)
        if report["same_answers"] != (witness is None) or (status == 1) != (not report["same_meaning"]):
            self.fail("%s: same %s, witness %s, status %d" % (edit, report["same_answers"], witness, status), old, new)
        if witness is None:
            return False
        if edits is VISIBLE and (set(witness["differs"]) - {"handling", "sign-in", "certificate"}):
            program = PROGRAMS[number % len(PROGRAMS)]
            answers = self.real(program, paths, witness)
            # The site maps of the real run have ports of their own, and so has a Location.
            sides = [dict(witness[s], location=witness[s]["location"] and witness[s]["location"].replace("https://%s/" % (witness["request"]["host"] or ""),
                          "https://%s:%d/" % (witness["request"]["host"] or "", HTTPS))) for s in ("old", "new")]
            shown = [(got[1]["tls"], got[1]["target"], got[1]["host"], servers) if got[0] == "forward" else got for got, servers in answers]
            if shown[0] == shown[1]:
                self.fail("%s: %s answers %s alike: %s" % (edit, program, witness["request"]["text"], answers[0]), old, new)
            for (got, _), side in zip(answers, sides):
                if not agrees(got, side, program):
                    self.fail("%s: %s to %s: %s instead of %s" % (edit, program, witness["request"]["text"], got, side), old, new)
        return True

    def still(self, rng):
        before = random_policy(rng)
        after = copy.deepcopy(before)
        for edit in rng.sample(STILL, rng.randint(1, 3)):
            edit(after, rng)
        old, new = written(before), written(after)
        _, report, _ = self.diff(old, new)
        if not report["same_answers"]:
            self.fail("no effect, and yet: %s" % json.dumps(report["changes"])[:600], old, new)
        return old != new


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--still", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tmgc-diff-")
    rng = random.Random(options.seed)
    pairs = Pairs(os.path.abspath(options.build), folder)
    tried = shown = still = unseen = 0
    while shown < options.pairs and len(pairs.failures) < 20:
        tried += 1
        shown += pairs.pair(rng, tried, VISIBLE)
    while unseen < options.pairs // 10 and len(pairs.failures) < 20:
        unseen += pairs.pair(rng, 0, UNSEEN)
    while still < (options.still if options.still is not None else options.pairs) and len(pairs.failures) < 20:
        still += pairs.still(rng)
    for text in pairs.failures:
        print("FAIL " + text)
    print("diff_pairs: %d pairs of one edit with an effect (%d witnesses sent to real programs; %d more edits had none), %d whose effect no proxy shows, "
          "%d pairs without effect; %d failed" % (shown, pairs.asked, tried - shown, unseen, still, len(pairs.failures)))
    if not pairs.failures:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(pairs.failures)


if __name__ == "__main__":
    sys.exit(main())
