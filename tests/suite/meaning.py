"""What must never go wrong quietly: fail closed, strict site maps and policies, inputs that are something else."""
import os
import re
import subprocess
from fpc import *
from .common import codes, export_of, read, site_of, test

CERTIFICATE = ('certificates:\n  "%s": {chain: a.pem, key: a.key}\ntrust: ca.pem\n' % thumbprint("test"))


def small(*rules, elements=None, networks=None, name="SMALL", **options):
    """An array with one listener on 127.0.0.1 and these rules."""
    where = listener("Web", ["127.0.0.1"], http=18080, https=18443, certificates=[(thumbprint("test"), "")], **options)
    elements = dict({"WebListeners": [where], "UserSets": predefined_users() + [user_set("Staff", ["CONTOSO-Staff"])]}, **(elements or {}))
    return document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", name)), rules, elements=elements, name=name, networks=networks or [external()])


def rule(name="Site", names=("www.contoso.example",), **options):
    options.setdefault("site", "127.0.0.1")
    return web_rule(name, 1, "Web", list(names), **options)


CLOSED = {
    "users": ("TMG4001", dict(users="Staff"), {}),
    "always authenticate": ("TMG4001", dict(), dict(AlwaysAuthenticate=True, BasicAuthentication=True)),
    "a network without addresses": ("TMG4003", dict(source=[("network", "Perimeter")]), {}),
    "a client certificate": ("TMG4004", dict(SSLClientCertificateClaim=1), {}),
    "an unknown schedule": ("TMG4009", dict(when="Lost"), {}),
    "an unknown user set": ("TMG4001", dict(users="Lost"), {}),
    "FTP bridging": ("TMG4010", dict(PublishedServerType=FTP), {}),
}


def answer_of(out, target):
    """Whether the config passes anything on at all."""
    text = read(os.path.join(out, *{"nginx": ("nginx", "nginx.conf"), "haproxy": ("haproxy", "haproxy.cfg")}[target])).decode()
    return bool(re.search(r"(?m)^\s*(proxy_pass \S|server \S+ \S)", text))


@test
def test_fail_closed(t):
    """Each restriction that a proxy cannot express: an error, and a config that forwards nothing, which all three show when asked; accepted, it forwards."""
    site = "site: 1\n" + CERTIFICATE
    nights = {"ProxyScheduleTemplates": [schedule("Nights", range(24))]}
    for what, (code, options, listening) in CLOSED.items():
        text = small(rule(**options), elements=nights, networks=[external(), network("Perimeter")], **listening)
        export = t.write("closed.xml", text)
        out = t.path(what.replace(" ", "-"))
        r = t.convert(export, out, site=t.write("site.yaml", site))
        t.check(r.status == 1 and code in codes(r), "%s: %s" % (what, code), r)
        for target in ("nginx", "haproxy"):
            t.check(not answer_of(out, target), "%s: %s still forwards" % (what, target))
        r = t.run("verify", export, "-m", t.write("site.yaml", site))
        t.check(r.status == 0, "%s: verify" % what, r, r.out[-2000:].decode())
        if code in ("TMG4010", "TMG4003"):         # nothing to open: no target does FTP; addresses are asked for
            continue
        accept = "accept:\n  - {code: %s, rule: Site, target: nginx, reason: seen}\n" % code
        r = t.convert(export, out, site=t.write("site.yaml", site + accept))
        t.check(answer_of(out, "nginx"), "%s: accepted, but nginx does not forward" % what, r)
        t.check(not answer_of(out, "haproxy"), "%s: accepted for nginx only, but HAProxy forwards" % what)
        t.check(b"TMG6004" not in r.err, "%s: the acceptance is not stale" % what, r)


@test
def test_open_when_it_may(t):
    """The twin of the test above: without a restriction the same rule forwards, and nothing is an error."""
    r = t.convert(t.write("open.xml", small(rule())), t.path("o"), site=t.write("site.yaml", "site: 1\n" + CERTIFICATE))
    t.equal(r.status, 0, "exit status")
    t.check(answer_of(t.path("o"), "nginx") and answer_of(t.path("o"), "haproxy"), "forwards")
    addresses = 'networks:\n  "Perimeter": [127.0.0.0/8]\n'
    text = small(rule(source=[("network", "Perimeter")]), networks=[external(), network("Perimeter")])
    r = t.convert(t.write("open.xml", text), t.path("p"), site=t.write("site.yaml", "site: 1\n" + CERTIFICATE + addresses))
    t.check(r.status == 0 and answer_of(t.path("p"), "nginx"), "the network's addresses open the rule", r)


@test
def test_missing_certificate(t):
    """Without files for a certificate the configs name one that is not there, and the programs refuse to start."""
    from .common import haproxy_test, nginx_test
    r = t.convert(t.write("x.xml", small(rule(PublishedServerType=SSL))), t.path("o"))
    t.check(r.status == 1 and {"TMG6001", "TMG6002"} <= codes(r), "findings", r)
    t.check(nginx_test(t.path("o")).status != 0, "nginx starts")
    t.check(haproxy_test(t.path("o")).status != 0, "HAProxy starts")
    t.check(t.publishd_test(t.path("o")).status != 0, "publishd starts")


@test
def test_site_map_strict(t):
    """What a site map must not hold is an error with its line, and nothing is written."""
    export = export_of("lync-right")
    bad = {
        "unknown key": ("site: 1\nlistener:\n  x: 1\n", 2), "another version": ("site: 2\n", 1),
        "not a map": ("- site\n", 1), "duplicate key": ("site: 1\ntrust: a\ntrust: b\n", 3),
        "unknown key of a listener": ('site: 1\nlisteners:\n  "L":\n    port: 1\n', 4),
        "port not a number": ('site: 1\nlisteners:\n  "L":\n    http: many\n', 4),
        "port too large": ('site: 1\nlisteners:\n  "L":\n    http: 65536\n', 4),
        "address": ('site: 1\nlisteners:\n  "L":\n    addresses: [300.1.1.1]\n', 4),
        "addresses not a list": ('site: 1\nlisteners:\n  "L":\n    addresses: 127.0.0.1\n', 4),
        "network": ('site: 1\nnetworks:\n  "N": [10.0.0.0/33]\n', 3), "thumbprint": ('site: 1\ncertificates:\n  "xyz": {chain: a, key: b}\n', 3),
        "certificate without key": ('site: 1\ncertificates:\n  "%s": {chain: a}\n' % ("a" * 40), 3),
        "backend": ('site: 1\nbackends:\n  "b": "10.0.0.1:99999"\n', 3), "backend with a directive": ('site: 1\nbackends:\n  "b": "x; return 200"\n', 3),
        "acceptance without code": ("site: 1\naccept:\n  - {reason: x}\n", 3), "acceptance without reason": ("site: 1\naccept:\n  - {code: TMG4001}\n", 3),
        "unknown code": ("site: 1\naccept:\n  - {code: TMG9999, reason: x}\n", 3), "unknown target": ("site: 1\naccept:\n  - {code: TMG4001, target: apache, reason: x}\n", 3),
        "date": ("site: 1\naccept:\n  - {code: TMG4001, reason: x, until: soon}\n", 3), "no YAML": ("site: [1\n", None),
        "an anchor loop": ("site: 1\nnetworks: &a\n  x: *a\n", None),
    }
    for what, (text, line) in bad.items():
        site, out = t.write("bad.yaml", text), t.path(what)
        r = t.convert(export, out, site=site)
        t.check(r.status == 2 and b"bad.yaml:" in r.err, "%s:" % what, r)
        t.check(line is None or ("bad.yaml:%d:" % line).encode() in r.err, "%s: line %s" % (what, line), r)
        t.check(not os.path.exists(out), "%s: something was written" % what)


@test
def test_acceptances(t):
    """Stale and past ones are warnings; the clock is SOURCE_DATE_EPOCH's where that is set."""
    export = t.write("x.xml", small(rule(users="Staff")))
    head = "site: 1\n" + CERTIFICATE + 'users:\n  "Staff": {groups: [x]}\naccept:\n'
    for accept, absent, there in (
            ("  - {code: TMG4001, reason: seen}\n", {"TMG6004", "TMG6005"}, set()),
            ("  - {code: TMG4001, rule: Other, reason: seen}\n", set(), {"TMG6004", "TMG4001"}),
            ("  - {code: TMG4001, reason: seen, until: 2001-01-01}\n", set(), {"TMG6005"}),
            ("  - {code: TMG4001, reason: seen, until: 2099-01-01}\n", {"TMG6004", "TMG6005"}, set())):
        r = t.run("check", export, "-m", t.write("s.yaml", head + accept))
        t.check(there <= codes(r) and not absent & codes(r), "findings of %r:" % accept, r)
    site = t.write("s.yaml", head + "  - {code: TMG4001, reason: seen, until: 2020-06-01}\n")
    t.check("TMG6005" not in codes(t.run("check", export, "-m", site, env={"SOURCE_DATE_EPOCH": "1577836800"})), "a date that was still to come")


@test
def test_policy_strict(t):
    """An edited policy: what is wrong is an error with its line, and what is changed changes the result."""
    policy = t.run("ir", export_of("lync-right")).out.decode()
    for what, changed in (("unknown key", policy + "\nfrobnicate: 1\n"), ("another version", policy.replace("policy: 1", "policy: 7", 1)),
                          ("only half", policy[:len(policy) // 2] + "\n  - ["), ("not a policy", "hello: world\n"), ("a list", "- 1\n")):
        r = t.run("ir", t.write("bad.yaml", changed))
        t.check(r.status == 2 and re.search(rb"bad\.yaml:\d+", r.err), what + ":", r)
    edited = policy.replace("lyncdiscover.contoso.example", "discover.contoso.example")
    t.convert(t.write("edited.yaml", edited), t.path("o"), site=site_of("lync-right"))
    for name in ("nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml"):
        t.check(b"discover.contoso.example" in read(t.path("o", name)) and b"lyncdiscover" not in read(t.path("o", name)).replace(b"Lync Discover", b""), "edited names in " + name)


@test
def test_not_an_export(t):
    """Refused, with a message that says what it seems to be."""
    root = '<?xml version="1.0"?><fpc4:Root xmlns:fpc4="http://schemas.microsoft.com/isa/config-4"'
    things = {
        "an empty file": "", "white space": " \n\t\n", "HTML": "<!DOCTYPE html><html><body>Not found</body></html>",
        "another XML": "<?xml version='1.0'?><configuration/>", "ISAInfo": "<?xml version='1.0'?><ISAInfo><Array/></ISAInfo>",
        "text": "just some words\nin a file\n", "binary": b"\x7fELF\x02\x01\x01\0\0\0\0\0" * 40, "a cut export": read(export_of("lync-right"))[:3000],
        "a root alone, cut": root, "an entity bomb": '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
                                                    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><fpc4:Root xmlns:fpc4="http://schemas.microsoft.com/isa/config-4">&c;</fpc4:Root>',
        "an external entity": '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
                              '<fpc4:Root xmlns:fpc4="http://schemas.microsoft.com/isa/config-4">&x;</fpc4:Root>',
    }
    for what, text in things.items():
        r = t.convert(t.write("thing", text), t.path("o"))
        t.check(r.status == 2 and r.err.strip() and b"root:" not in r.err, what + ":", r)
        t.check(not os.path.exists(t.path("o")), what + ": something was written")
    deep = "<a>" * 200000 + "</a>" * 200000
    r = t.run("ir", t.write("deep", root + ">" + deep + "</fpc4:Root>"))
    t.check(r.status in (0, 2), "deep nesting", r)
    r = t.run("check", t.write("none", root + "/>"))
    t.check(r.status in (1, 2), "an export without rules is no silent success", r)


@test
def test_tolerance(t):
    """The same export in other encodings, prefixes and spellings means the same."""
    original = read(export_of("busy-array")).decode()
    expected = t.run("ir", export_of("busy-array")).out

    def without_lines(policy):
        return re.sub(rb"(?m)#.*$|^\s*(source|line|lines):.*$", b"", policy)

    variants = {
        "byte order mark": b"\xef\xbb\xbf" + original.encode(), "UTF-16": original.replace("UTF-8", "UTF-16").encode("utf-16"),
        "UTF-16 without a mark": original.replace("UTF-8", "UTF-16LE").encode("utf-16-le"), "another prefix": original.replace("fpc4:", "isa:").replace("xmlns:fpc4", "xmlns:isa"),
        "CRLF": original.replace("\n", "\r\n"), "booleans in words": original.replace('"boolean">1<', '"boolean">true<').replace('"boolean">0<', '"boolean">False<'),
        "lower-case names": re.sub(r"(</?fpc4:)(PathMapping|WebSite|PublicNames|Action|Enabled)\b", lambda m: m.group(1) + m.group(2).lower(), original),
        "default namespace": original.replace("fpc4:", "").replace("xmlns:fpc4", "xmlns"),
    }
    for what, text in variants.items():
        r = t.run("ir", t.write("busy-array/export.xml", text))
        t.check(r.status == 0 and without_lines(r.out) == without_lines(expected), what + ":", r, "policies differ" if r.status == 0 else "")
    single = re.sub(r">\s+<", "><", original)
    r = t.run("ir", t.write("busy-array/export.xml", single))
    t.check(r.status == 0 and r.out.count(b"name:") == expected.count(b"name:"), "all on one line", r)


@test
def test_rule_blocks(t):
    """Every web publishing rule is in every config, by its GUID, disabled ones as a comment."""
    for sample in ("busy-array", "exchange-2010"):
        t.convert(export_of(sample), t.path(sample), site=site_of(sample))
        guids = re.findall(r'<fpc4:PolicyRule StorageName="(\{[^"]*\})"(?:(?!</fpc4:PolicyRule>).)*?<fpc4:WebPublishingProperties', read(export_of(sample)).decode(), re.S)
        for name in ("nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml"):
            text = read(t.path(sample, name)).decode().lower()
            t.check(all(g.lower() in text for g in guids), "%s names every rule of %s:" % (name, sample), [g for g in guids if g.lower() not in text])


@test
def test_advice(t):
    """Names on no certificate, with certificates of every kind of name; and which target a rule goes best to."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", t.path("a.key"), "-out", t.path("a.pem"),
                    "-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:www.contoso.example,DNS:*.wild.example,IP:192.0.2.1"], check=True, capture_output=True)
    names = {"www.contoso.example": True, "WWW.Contoso.example": True, "a.wild.example": True, "*.wild.example": True, "192.0.2.1": True, "*.contoso.example": False,
             "a.b.wild.example": False, "wild.example": False, "192.0.2.2": False, "other.example": False}
    rules = [rule("R%d" % i, (name,)) for i, name in enumerate(names)]
    r = t.run("check", t.write("names.xml", small(*rules)), "-m", t.write("site.yaml", "site: 1\n" + CERTIFICATE), "-v", "--fail-on", "never")
    for i, (name, good) in enumerate(names.items()):
        said = re.search(r'rule "R%d": no certificate of its listener is for (\S+)' % i, r.err.decode())
        t.check((said is None) == good, "%s is %son the certificate, and tmgc says:" % (name, "" if good else "not "), said and said.group(0))
    os.remove(t.path("a.pem"))
    r = t.run("check", t.path("names.xml"), "-m", t.path("site.yaml"), "--fail-on", "never")
    t.check("TMG5040" not in codes(r), "a certificate that is not here says nothing")
    text = t.write("best.xml", small(rule("Plain"), rule("Passes", ("p.contoso.example",), CredentialsDelegationType=0), rule("Users", ("u.contoso.example",), users="Staff")))
    best = dict(re.findall(r'rule "(\w+)": (\w+) carries it', t.run("check", text, "-v", "--fail-on", "never").err.decode()))
    t.check(best.get("Users") == "publishd" and best.get("Passes") in ("haproxy", "publishd") and "Plain" not in best, "which target is best:", best)
    best = re.findall(r'rule "(\w+)": (\w+) carries it', t.run("check", text, "-v", "-t", "nginx,haproxy", "--fail-on", "never").err.decode())
    t.equal(best, [("Passes", "haproxy")], "of nginx and HAProxy")
