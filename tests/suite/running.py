"""The real nginx, HAProxy and publishd, asked by `tmgc verify` at every decision of the samples and of random policies."""
import json
import os
import subprocess
import sys
import time
from fpc import HTTP_FILTER, LINK_DICTIONARY, schedule, subnet
from .common import SAMPLES, TOP, export_of, read, site_of, test, test_each
from .meaning import rule, small

POLICIES_A_RUN, RUNS = 5, 40          # 200 random policies


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


def cases(out, verdict):
    try:
        return [c for c in json.loads(out).get("cases", []) if c.get("verdict") == verdict]
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
