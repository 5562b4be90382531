"""The real nginx, HAProxy and publishd, asked by `tmgc verify` at every decision of the samples and of random policies."""
import http.client
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from fpc import HTTP_FILTER, LINK_DICTIONARY, UDP, document, guid, predefined_users, protocol, schedule, server_rule, subnet, thumbprint
from ports import free_port
from .common import THOROUGH, SAMPLES, TOP, export_of, read, site_of, test, test_each
from .meaning import rule, small

POLICIES_A_RUN, RUNS = 5, 10 * THOROUGH      # 50 random policies


def verified(t, what, *arguments):
    """Runs verify; gives its report."""
    r = t.run("verify", *arguments, "--format", "json", timeout=400)
    if not t.check(r.status == 0, "verify %s:" % what, r, r.out[-3000:].decode("utf-8", "replace") if r.status == 2 else ""):
        for case in cases(r.out, "disagreed")[:6]:
            t.check(False, "  %s: %s" % (what, json.dumps(case)))
    try:
        return json.loads(r.out)
    except ValueError:
        t.check(False, "verify %s: no JSON" % what)
        return {}


def cases(out, verdict, target=None):
    try:
        return [c for c in json.loads(out).get("cases", []) if c.get("verdict") == verdict and c["target"] in (target or c["target"])]
    except ValueError:
        return []


@test_each(*SAMPLES)
def test_verify(t, sample):
    report = verified(t, sample, export_of(sample), "-m", site_of(sample))
    probes = report.get("probes", 0)
    sides = [(c["rule"], c["condition"], side) for c in report.get("coverage", []) if c["condition"] != "rule"
             for side in ("true", "false") if not c["seen_" + side] and c[side + "_hidden_by"] is None]
    t.check(not sides, "conditions that can be reached and were not seen both ways:", sides)
    if sample != "lone-listener":      # without a rule there is little to ask
        t.check(probes >= 40, "only %s probes" % probes)
    t.note = "%s probes to each target; all of %d sides of conditions that can be reached were seen" % (
        probes, sum(c["seen_true"] + c["seen_false"] for c in report.get("coverage", []) if c["condition"] != "rule"))


@test_each("first half", "second half")
def test_property(t, half):
    """Random policies, several a run; each second run goes through the policy's YAML."""
    first = 0 if half == "first half" else RUNS // 2
    base = int(os.environ.get("TMGC_SEED", "1000"))
    probes = 0
    for seed in range(base + first, base + first + RUNS // 2):
        made = subprocess.run([sys.executable, os.path.join(TOP, "tests", "random_policy.py"), str(seed), str(POLICIES_A_RUN)],
                              capture_output=True, check=True).stdout
        source = t.write("%d.xml" % seed, made)
        if seed % 2:
            source = t.write("%d.yaml" % seed, t.run("ir", source).out)
        report = verified(t, "of seed %d (tests/random_policy.py %d %d)" % (seed, seed, POLICIES_A_RUN), source)
        probes += report.get("probes", 0)
    t.note = "%d policies, %d probes to each target" % (RUNS // 2 * POLICIES_A_RUN, probes)


# verbs (AllowCondition), extensions, lengths; %s: NormalizeBeforeScan, what else it checks, the bodies' limit
FILTER = (
    '<Configuration MaxRequestBodyLen="%(body)s" ViaHeaderAction="2" NewViaHeaderValue="1.1 ed&quot;ge $x%%20">'
    '<UrlValidation NormalizeBeforeScan="%(normalise)s" %(urls)s MaxLength="300" MaxQueryLength="60">'
    '<Extensions AllowCondition="%(extensions)s"><Extension Value=".exe"/><Extension Value="com"/><Extension Value="."/></Extensions></UrlValidation>'
    '<Verbs AllowCondition="%(verbs)s"><Verb Value="GET"/><Verb Value="POST"/><Verb Value="PROPFIND"/></Verbs>'
    '<RequestHeaders><Header Value="X-Bad"/></RequestHeaders><ResponseHeaders><Header Value="X-Leak"/></ResponseHeaders>'
    '<DeniedSignatures><Signature SearchIn="RequestUrl" Pattern="cmd.e"/><Signature SearchIn="RequestUrl" Pattern="50%% o$f"/>'
    '<Signature SearchIn="RequestUrl" Pattern="e&quot;2\'#x"/><Signature SearchIn="RequestHeaders" Header="X-Sig" Pattern="a&quot;b$c\'%%d;"/>'
    '<Signature SearchIn="ResponseHeaders" Header="X-Leak2" Pattern="foo"/></DeniedSignatures></Configuration>')
STRICT = 'VerifyNormalization="true" AllowHighBitCharacters="false" BlockDotInPath="true"'


@test
def test_filters(t):
    """HTTP filters of several kinds: probes at and past each limit, odd characters in every text (B-131 to B-142)."""
    kinds = [dict(normalise=n, urls=u, body=b, verbs=v, extensions=e) for n, u, b, v, e in (
        ("true", STRICT, 100000, 1, 2), ("false", STRICT, 0, 2, 1), ("true", "", -1, 0, 1), ("false", "", 10, 1, 0), ("true", "", 2000000, 2, 2))]
    rules = [rule("Filter %d" % i, ("f%d.contoso.example" % i,), vendor={HTTP_FILTER: {"XML_POLICY": FILTER % k}}) for i, k in enumerate(kinds)]
    report = verified(t, "of filters", t.write("filters.xml", small(*rules)))
    t.check(report.get("probes", 0) > 500, "%s probes" % report.get("probes"))
    t.note = "%s probes to each target" % report.get("probes")


@test
def test_schedules(t):
    """Rules that apply now, and rules that do not: the next one answers (B-23, D-06). Shared hours, sources beside hours."""
    now = time.localtime()
    hour = (now.tm_wday + 1) % 7 * 24 + now.tm_hour
    here = [hour, (hour + 1) % 168]                     # the test may run over the full hour
    hours = [schedule("Now", here), schedule("Not now", [h for h in range(168) if h not in here]), schedule("Never", []), schedule("Always", range(168))]
    rules = [rule("%s%s" % (when, kind), ("www.contoso.example",), when=when, **options) for when in ("Never", "Not now", "Now", "Always")
             for kind, options in (("", dict(paths=["/a/*"])), (", all", dict(paths=["/*"], deny=True)),
                                   (", from here", dict(paths=["/b/*"], source=[("subnet", "Here")])))]
    rules += [rule("Alone", ("alone.contoso.example",), when="Not now"), rule("Alone now", ("now.contoso.example",), when="Now")]
    report = verified(t, "of schedules", t.write("schedules.xml", small(*rules, elements={"ProxyScheduleTemplates": hours, "Subnets": [subnet("Here", "198.51.100.0", "255.255.255.0")]})))
    t.check(report.get("probes", 0) > 300, "%s probes" % report.get("probes"))
    t.note = "%s probes to each target" % report.get("probes")


@test
def test_releases(t):
    """What is written for the oldest and newest releases runs on those that are here, and agrees."""
    probes = 0
    for sample, arguments in (("sharepoint", ("--haproxy-version", "2.4", "--nginx-version", "1.18")), ("busy-array", ("--haproxy-version", "2.5")),
                              ("lync-right", ("--haproxy-version", "3.2", "--nginx-version", "1.28.0"))):
        probes += verified(t, "%s %s" % (sample, arguments), export_of(sample), "-m", site_of(sample), *arguments).get("probes", 0)
    texts = {}
    for release in ("2.4", "2.5", "2.6", "3.2"):
        t.convert(export_of("sharepoint"), t.path(release), "--haproxy-version", release, site=site_of("sharepoint"))
        texts[release] = open(t.path(release, "haproxy", "haproxy.cfg")).read()
    t.check("set-var-fmt" not in texts["2.4"] and "set-var-fmt" in texts["2.5"], "set-var-fmt from 2.5 on")
    t.check("host_only" not in texts["2.5"] and "host_only" in texts["2.6"] and "host_only" in texts["3.2"], "host_only from 2.6 on")
    said = {release: t.run("check", t.write("headers.xml", small(rule("H", ("h.contoso.example",), vendor={HTTP_FILTER: {"XML_POLICY": FILTER % dict(
        normalise="true", urls="", body=-1, verbs=0, extensions=0)}}))), "-v", "--nginx-version", release).err for release in ("1.22", "1.23")}
    t.check(b"first header field" in said["1.22"] and b"first header field" not in said["1.23"], "what is said of repeated headers")
    t.note = "%d probes to each target" % probes


# What somebody changed in a file, in two rounds that stay apart: pattern, replacement, the server rule whose connections then go wrong.
TAMPERED = {
    ("nginx", "first"): [(r"server 10\.8\.0\.2:25;", "server 10.8.0.6:8001;", "Mail"), (r"server 10\.8\.0\.1:25;", "server 10.8.0.2:25;", "Partner mail"),
                         (r"proxy_protocol on;", "", "Told"), (r"listen 192\.0\.2\.9:6000-6009;", "listen 192.0.2.9:6000-6008;", "Range"),
                         (r"map \$remote_port (\$\w+) .*", r"map $remote_port \1 { default 1; }", "Denied")],
    ("nginx", "second"): [(r"198\.51\.100\.96-198\.51\.100\.127 1;", "198.51.100.96-198.51.100.128 1;", "Mail"),
                          (r"10\.8\.0\.4:\$server_port", "10.8.0.4:6000", "Range")],
    ("haproxy", "first"): [(r"server published 10\.8\.0\.1:25", "server published 10.8.0.2:25", "Partner mail"),
                           (r"(backend server_rule_2_mail\n(?:.*\n)*?.*)10\.8\.0\.2:25", r"\g<1>10.8.0.6:8001", "Mail"), (r" send-proxy$", "", "Told"),
                           (r"bind 192\.0\.2\.9:6000-6009", "bind 192.0.2.9:6000-6008", "Range"), (r"src_port 20000:29999", "src_port 20000:30000", "Denied")],
    ("haproxy", "second"): [(r"src 198\.51\.100\.96/27", "src 198.51.100.96/27 198.51.100.128", "Mail"),
                            (r"server published 10\.8\.0\.4$", "server published 10.8.0.4:6000", "Range")],
}


def server_policy(t):
    protocols = [protocol("mail", [(25,)]), protocol("range", [(6000, 6009)]), protocol("told", [(7000,)]), protocol("ports", [(8001,)]), protocol("query", [(53, 53, UDP, 2)])]
    rules = [server_rule("Partner mail", 1, "10.8.0.1", "192.0.2.9", "mail", source=[("subnet", "Partner")], UseFirewallIPAsSource=True),
             server_rule("Mail", 2, "10.8.0.2", "192.0.2.9", "mail", exclude=[("subnet", "Partner")], UseFirewallIPAsSource=True),
             server_rule("Range", 3, "10.8.0.4", "192.0.2.9", "range", UseFirewallIPAsSource=True),
             server_rule("Told", 4, "10.8.0.5", "192.0.2.9", "told"),
             server_rule("Ports", 5, "10.8.0.6", "192.0.2.9", "ports", ports=(20000, 29999), UseFirewallIPAsSource=True),
             server_rule("Denied", 6, "10.8.0.7", "192.0.2.9", "ports", deny=True), server_rule("Names", 7, "10.8.0.8", "192.0.2.9", "query")]
    elements = {"Protocols": protocols, "Subnets": [subnet("Partner", "198.51.100.96", "255.255.255.224")], "UserSets": predefined_users()}
    export = t.write("servers.xml", document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "SERVERS")), rules, elements=elements, name="SERVERS"))
    return export, t.write("servers.yaml", 'site: 1\nserver_rules:\n  "Told": {client_address: proxy-protocol}\n')


@test
def test_verify_streams(t):
    """Server publishing: connections to sockets, ranges of ports and limits of sources and ports; and what was changed in a file is found."""
    export, site = server_policy(t)
    report = verified(t, "of server rules", export, "-m", site)
    t.check(report.get("connections", 0) >= 30, "only %s connections" % report.get("connections"))
    t.equal(report.get("server_rules_not_probed"), 1, "rules of UDP alone")
    t.convert(export, t.path("out"), "-t", "nginx,haproxy", "-q", "--fail-on", "never", site=site)
    files = {"nginx": t.path("out", "nginx", "stream.conf"), "haproxy": t.path("out", "haproxy", "haproxy.cfg")}
    for (target, _), changes in TAMPERED.items():
        with open(files[target]) as f:
            text = f.read()
        changed = text
        for pattern, to, _ in changes:
            changed, n = re.subn(pattern, to, changed, count=1, flags=re.M)
            t.check(n == 1, "%s: the file does not have" % target, pattern)
        with open(files[target], "w") as f:
            f.write(changed)
        r = t.run("verify", export, "-m", site, "-t", target, "--configs", t.path("out"), "--format", "json")
        t.equal(sorted({c.get("server_rule") for c in cases(r.out, "disagreed")}), sorted({name for _, _, name in changes}), "what was changed for %s is found" % target)
        t.equal(r.status, 1, "the status")
        with open(files[target], "w") as f:
            f.write(text)
    t.note = "%d connections to each proxy; %d changes found" % (report.get("connections", 0), sum(map(len, TAMPERED.values())))


HOSTILE = {r"http://odd\name/$host/a;b": "https://$http_host/${scheme}", 'say "hi" {$uri}': '}" ; return 444; #', "back\\slash\\": "two\\\\",
           "quote'quote": "%[src] 'x' \\1", "http://f\u00fcr.example/\u00e4": "https://f\u00fcr.example/\u00f6"}


@test
def test_links(t):
    """Links in pages on nginx: every mapping of plain rules, all of it right; dictionaries full of what a config could misread (B-123 to B-127)."""
    on = dict(TranslateLinks=True)
    rules = [rule("Plain", ("p.contoso.example",), site="plain.corp.example", **on),
             rule("Escaped", ("e.contoso.example",), site="escaped.corp.example", LinkTranslationOptions=1, **on),
             rule("Parts", ("q.contoso.example",), site="parts.corp.example", LinkTranslationOptions=2, vendor={LINK_DICTIONARY: {"intern": "extern"}}, **on),
             rule("Hostile", ("h.contoso.example",), site="hostile.corp.example", vendor={LINK_DICTIONARY: HOSTILE}, **on),
             rule("Paths", ("m.contoso.example",), site="paths.corp.example", paths=[("/out/*", "/in/*"), ("/x.htm", "/y.htm"), "/same/*"], **on)]
    probes = texts = 0
    for name, some in [(r_name, [r]) for r_name, r in zip(("plain", "escaped", "parts", "hostile", "paths"), rules)] + [("two", rules[:1] + rules[2:3]), ("all", rules)]:
        source = t.write(name + ".xml", small(*some))
        report = verified(t, "of links, " + name, source)
        pages = [c for c in report.get("cases", []) if "links in" in c.get("aim", "")]
        short = [c for c in pages if c["verdict"] == "declared" and "rare" not in c["aim"]]
        t.check(not short or name == "all", name + ": pages that nginx translates with a difference:", short[:3])
        t.check(pages or name in ("parts", "two"), name + ": no page told of the rarer characters")
        t.convert(source, t.path(name), "-t", "nginx", "-q")
        texts += read(t.path(name, "nginx", "nginx.conf")).decode().count("sub_filter ")
        probes += report.get("probes", 0)
    t.check(texts > 300, "%d texts" % texts)
    t.note = "%s probes to each target, %d texts in nginx.conf" % (probes, texts)


@test
def test_ends(t):
    """Client certificates on both sides, client ports, the client's own address towards the server, a TLS accelerator's port (B-45, B-51, B-59, B-98, B-149)."""
    shown = thumbprint("shown")
    more = {"Certificate": "client_certificate: required", "Shows": "backend_certificate: " + shown, "Low ports": "source_port_low: 2000\n    source_port_high: 2999",
            "Some ports": "source_port_low: 19087\n    source_port_high: 31207", "One port": "source_port_low: 32000", "Original client": "forward_client_address: true"}
    rules = [rule("Certificate", ("c.contoso.example",)), rule("Certificate too", ("c.contoso.example", "d.contoso.example"), paths=["/d/*"]),
             rule("Shows", ("s.contoso.example",), PublishedServerType=1), rule("Shows none", ("t.contoso.example",), PublishedServerType=1),
             rule("Low ports", ("p.contoso.example",), site="low.corp.example"), rule("Some ports", ("p.contoso.example",), paths=["/a/*"], site="some.corp.example"),
             rule("One port", ("p.contoso.example",), source=[("subnet", "Here")], site="one.corp.example"), rule("Other ports", ("p.contoso.example",)),
             rule("Original client", ("o.contoso.example",))]
    where = {"Subnets": [subnet("Here", "198.51.100.0", "255.255.255.0")]}
    policy = t.run("ir", t.write("ends.xml", small(*rules, elements=where, SSLAcceleratorPort=8443))).out.decode()
    for name, keys in more.items():
        changed = re.sub(r"(?m)^  - name: %s$" % name, "  - name: %s\n    %s" % (name, keys), policy)
        t.check(changed != policy, "no rule " + name)
        policy = changed
    source = t.write("ends.yaml", policy)
    site = t.write("site.yaml", 'site: 1\ntrust: ca.pem\nclient_trust: clients.pem\ncertificates:\n  "%s": {chain: s.pem, key: s.key}\n  "%s": {chain: a.pem, key: a.key}\n'
                   'rules:\n  Original client: {transparent: true}\n' % (shown, thumbprint("test")))
    report = verified(t, "of ends", source, "-m", site)
    t.check(report.get("probes", 0) > 400, "%s probes" % report.get("probes"))
    t.check(not cases(json.dumps(report), "declared", "publishd"), "publishd has no declared difference")
    t.convert(source, t.path("out"), "-t", "publishd", "-q", "--fail-on", "never", site=site)
    text = read(t.path("out", "publishd", "publishd.yaml")).decode()
    wrong = {"Certificate", "Shows", "Other ports"} | ({"Original client"} if os.geteuid() == 0 else set())
    for keys, count, rules in (("backend_chain|backend_key|client_certificate|forward_client_address|source_port_low", 7, wrong), ("ssl_accelerator_port", 1, {r["rule"] for r in report.get("coverage", [])})):
        changed, n = re.subn(r"(?m)^    (%s): .*\n" % keys, "", text)
        t.equal(n, count, "keys that are taken out of publishd.yaml")
        t.write("out/publishd/publishd.yaml", changed)
        r = t.run("verify", source, "-m", site, "-t", "publishd", "--configs", t.path("out"), "--format", "json")
        found = {c["rule"] for c in cases(r.out, "disagreed")}
        t.equal(found, rules, "of whom it is found")
    t.note = "%s probes to each target" % report.get("probes")


class Served:
    """nginx, HAProxy or publishd on what convert wrote, with a published server of its own behind, on ports that are free here."""

    def __init__(self, t, target, policy, site):
        self.backend = Backend()
        threading.Thread(target=self.backend.serve_forever, daemon=True).start()
        self.port = free_port()
        text = policy.replace("http: 18080", "http: %d" % self.port).replace("https: 18443", "https: 0")
        out = t.path(target)
        t.convert(t.write(target + ".yaml", text), out, "-t", target, "-q",
                  site=t.write(target + "-site.yaml", site + 'backends: {"127.0.0.1": "127.0.0.1:%d"}\n' % self.backend.server_port))
        command = {"nginx": ["nginx", "-e", t.path("nginx.log"), "-c", os.path.join(out, "nginx", "nginx.conf"),
                             "-g", "daemon off; pid %s;" % t.path("nginx.pid")],
                   "haproxy": ["haproxy", "-db", "-f", os.path.join(out, "haproxy", "haproxy.cfg")],
                   "publishd": [os.path.join(t.build, "publishd"), "-f", "-c", os.path.join(out, "publishd", "publishd.yaml")]}[target]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.05)

    def connection(self, address):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60, source_address=(address, 0))

    def at_once(self, addresses, most):
        """One connection from each of these addresses, all asking for what is held: how many the server has at a time, and the statuses of the others.
        Who is not refused but left waiting, as HAProxy does at a listener's limit, is neither."""
        held, results = self.backend.held, []
        threads = [threading.Thread(target=lambda a=a: results.append(asked(self.connection(a), "/held"))) for a in addresses]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while held.n + len(results) < len(addresses) and time.monotonic() < end:
            if held.n >= most:
                end = min(end, time.monotonic() + 2)     # a further one would come by then
            time.sleep(0.02)
        got, refused = held.n, sorted(set(results))
        held.gone.set()
        for thread in threads:
            thread.join()
        self.backend.held = Held()
        return got, refused

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.backend.shutdown()
        self.backend.server_close()


class Held:
    """What the server gives to those who ask for /held: nothing, until it is let go. n: how many wait there."""
    def __init__(self):
        self.n, self.lock, self.gone = 0, threading.Lock(), threading.Event()

    def wait(self):
        with self.lock:
            self.n += 1
        self.gone.wait(120)


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/held":
            self.server.held.wait()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Backend(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Quiet)
        self.held = Held()

    def handle_error(self, *_):                          # a target that stops leaves connections
        pass


def asked(connection, path="/"):
    """The status, or 0 where there is no connection."""
    try:
        connection.request("GET", path, headers={"Host": "www.contoso.example"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        connection.close()
        return 0
    except http.client.HTTPException:
        connection.close()
        return 0


@test
def test_limits(t):
    """Flood limits and a listener's limit, with the real numbers: who is above is refused, others are served (B-76, B-77)."""
    policy = t.run("ir", t.write("small.xml", small(rule()))).out.decode()
    notes = []
    for target in ("nginx", "haproxy", "publishd"):
        served = Served(t, target, policy, "site: 1\nflood: true\n")
        try:
            one = served.connection("127.0.0.7")
            got = [asked(one) for _ in range(1300)]
            first = got.index(429) if 429 in got else len(got)
            t.check(600 <= first <= 1290 and set(got[:first]) == {200}, "%s: 429 after %d requests, before that" % (target, first), set(got[:first]))
            t.check(asked(served.connection("127.0.0.8")) == 200, target + ": another client is served")
            got, refused = served.at_once(["127.0.0.9"] * 170, 160)
            t.check(got == 160 and 200 not in refused, "%s: of 170 connections at a time" % target, got, refused)
            notes.append("%s: 429 from request %d on, %d of 170 connections" % (target, first + 1, got))
        finally:
            served.stop()
        served = Served(t, target, policy.replace("    http: ", "    max_connections: 20\n    http: ", 1), "site: 1\n")
        try:
            got, refused = served.at_once(["127.0.0.%d" % (i + 10) for i in range(30)], 20)
            t.check(got == 20 and 200 not in refused, "%s: 20 connections of 30" % target, got, refused)
        finally:
            served.stop()
    t.note = "; ".join(notes)
