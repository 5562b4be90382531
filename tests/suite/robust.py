"""Inputs from strangers: strings that try to become directives, and files that are cut or changed."""
import collections
import os
import random
import re
from xml.sax.saxutils import escape
from . import configs
from .common import THOROUGH, export_of, haproxy_test, nginx_test, read, site_of, stream_test, test_each, tree

# Each holds a word that no config may have as a directive, a variable or a function: the proxies refuse unknown ones.
HOSTILE = {
    "quotes": "\"'x\"' tmgc_canary 'y\"",
    "newline": "x\ntmgc_canary on;\n  tmgc_canary y",
    "return and tab": "x\r\ttmgc_canary;",
    "semicolon": "x; tmgc_canary on; y",
    "braces": "x { tmgc_canary on; } y } server { tmgc_canary;",
    "nginx variable": "$tmgc_canary ${tmgc_canary} $host",
    "HAProxy sample": "%[tmgc_canary] %[env(HOME)] %{tmgc_canary}H %tmgc",
    "comment": "# tmgc_canary",
    "hash in the middle": "a#tmgc_canary",
    "backslashes": "\\tmgc_canary \\n \\",
    "regex": "(tmgc_canary[^.*+?|)]){2,}$",
    "open regex": "([tmgc_canary",
    "environment": "${HOME} $HOME \"$HOME\"",
    "10,000 characters": "tmgc_canary" * 910,
    "bidirectional": "\u202etmgc_canary\u2066\u200f",
    "host-like": "tmgc_canary.example;return",
    "path-like": "/tmgc_canary$tmgc_canary/{x};\"'/*",
    "space": "/a b tmgc_canary /*",
}
TEXT = re.compile(r'(<fpc4:(\w+) dt:dt="string">)([^<]*)(</fpc4:\2>)')
DECORATIVE = {"Name", "Description"}           # of rules and elements: they may change comments and names, nothing else
SAMPLES = ("exchange-2010", "busy-array", "sharepoint")


def has_streams(out):
    return os.path.exists(os.path.join(out, "nginx", "stream.conf"))


def census(out):
    """How often each directive is there, or in publishd.yaml each key; its texts hold no line's end."""
    nginx = configs.nginx_directives(read(os.path.join(out, "nginx", "nginx.conf")).decode())
    if has_streams(out):
        nginx += configs.nginx_directives(read(os.path.join(out, "nginx", "stream.conf")).decode())
    haproxy = configs.haproxy_directives(read(os.path.join(out, "haproxy", "haproxy.cfg")).decode())
    keys = re.findall(r"(?m)^ *(?:- )*([^\s\"'#:]+):(?: |$)", read(os.path.join(out, "publishd", "publishd.yaml")).decode())
    return collections.Counter([("nginx", d[0], len(d)) for d in nginx] + [("haproxy", d[0]) for d in haproxy] + [("publishd", k) for k in keys])


def harmless(t, what, out, r, known, checked):
    """The result of converting something hostile: refused, or configs that their programs take and that hold no canary."""
    if not t.check(r.status in (0, 1, 2), what + ":", r):
        return
    if r.status == 2:
        t.check(not tree(out), what + ": failed, but left files")
        return
    now = census(out)
    strange = {k[:2] for k in now if k[0] != "publishd"} - known      # publishd -t refuses unknown keys
    t.check(not strange, what + ": new directives", strange)
    for name, program in (("nginx/nginx.conf", nginx_test), ("haproxy/haproxy.cfg", haproxy_test), ("publishd/publishd.yaml", t.publishd_test), ("nginx/stream.conf", stream_test)):
        text = read(os.path.join(out, name)) if os.path.exists(os.path.join(out, name)) else None
        if text is None or (name, text) in checked:
            continue
        checked.add((name, text))
        p = program(out)
        good = p.status == 0 and not re.search(rb"\[emerg\]|ALERT|error", p.err)
        t.check(good or name == "nginx/nginx.conf" and b"host not found in upstream" in p.err, "%s: %s is not taken:" % (what, name), p)


def hostile_places(original):
    """{element: [(start, end)]} of each different string value, and of rules' own storage names."""
    places, seen = collections.defaultdict(list), set()
    for m in TEXT.finditer(original):
        key = (m.group(2), m.group(3)) if not m.group(3).startswith("{") else (m.group(2), "reference", m.start() % 3)
        if key not in seen:
            seen.add(key)
            places[m.group(2)].append(m.span(3))
    places["rule GUID"] = [m.span(1) for m in re.finditer(r'<fpc4:PolicyRule StorageName="([^"]*)"', original)][:3]
    return places


@test_each(*SAMPLES)
def test_hostile(t, sample):
    """Hostile strings in each different string of an export, one at a time; then in all names and descriptions at once.
    A place gets every third string, others in each sample; where its element occurs more than once every ninth, or where it occurs often every 18th:
    its other places get the others."""
    original = read(export_of(sample)).decode()
    accepting = read(t.localised(sample)).decode()
    site = t.write("local-%s/open.yaml" % sample, accepting.split("accept:")[0])      # acceptances go by names
    out, checked = t.path("out"), set()
    t.convert(export_of(sample), out, site=site)
    before = census(out)
    known = {k[:2] for k in before} | {("nginx", "geo")}      # geo $dollar stands for the character
    places = hostile_places(original)
    for element, spans in places.items():
        for k, (start, end) in enumerate(spans):
            for n, (name, hostile) in enumerate(HOSTILE.items()):
                if (k + n + SAMPLES.index(sample)) % max(1, (18 if len(spans) > 5 else 9 if len(spans) > 1 else 3) // THOROUGH):
                    continue
                value = ("" if (k + n) % 2 else original[start:end]) + escape(hostile, {'"': "&quot;", "\n": "&#10;", "\r": "&#13;"})
                r = t.convert(t.write("hostile.xml", original[:start] + value + original[end:]), out, site=site)
                harmless(t, "%s in %s %r" % (name, element, original[start:end][:40]), out, r, known, checked)
    for name, hostile in HOSTILE.items():
        everywhere = TEXT.sub(lambda m: m.group(1) + m.group(3) + escape(hostile) + m.group(4)
                              if m.group(2) in DECORATIVE and is_decorative(original, m) else m.group(0), original)
        r = t.convert(t.write("hostile.xml", everywhere), out, site=site)
        if t.check(r.status in (0, 1), "%s in all names:" % name, r):
            harmless(t, "%s in all names" % name, out, r, known, checked)
            t.check(census(out) == before, "%s in all names changes the directives:" % name, list((census(out) - before).items())[:5])
    t.note = "%d places, %d different results" % (sum(map(len, places.values())), len(checked))


def is_decorative(original, m):
    """A Name that is neither a reference, a vendor parameter nor a predefined object that is known by its name."""
    if m.group(3).startswith("{") or m.group(3) in ("External", "Internal", "All Users", "All Authenticated Users", "FBA with AD", ""):
        return False
    opened = re.findall(r"<fpc4:(\w+) StorageName", original[max(0, m.start() - 2000):m.start()])
    return bool(opened) and opened[-1] not in ("Parameter", "DomainNameSet", "Array", "UserSet")


@test_each("invalid UTF-8", "NUL")
def test_hostile_bytes(t, what):
    """Bytes that no XML may hold: refused, and nothing is written."""
    original = read(export_of("lync-right"))
    for n, m in enumerate(re.finditer(rb'dt:dt="string">([^<{]+)<', original)):
        bad = b"\xff\xfe\xc3(" if what == "invalid UTF-8" else b"\0"
        out = t.path("out%d" % n)
        r = t.convert(t.write("bad.xml", original[:m.start(1)] + bad + original[m.start(1):]), out, site=site_of("lync-right"))
        t.check(r.status == 2 and b"bad.xml:" in r.err, "%s: " % what, r)
        t.check(not os.path.exists(out) or not tree(out), "%s: left files" % what)


# ---- mutations -----------------------------------------------------------------

ASAN = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"}


def mutated(rng, data):
    """One of: cut, bytes changed, a piece lost, a piece twice, digits and letters of values changed."""
    kind = rng.randrange(6)
    a = rng.randrange(len(data))
    if kind == 0:
        return data[:a]
    if kind == 1:
        b = bytearray(data)
        for _ in range(rng.randint(1, 12)):
            b[rng.randrange(len(b))] ^= 1 << rng.randrange(8)
        return bytes(b)
    if kind == 2:
        return data[:a] + data[a + rng.randint(1, 400):]
    if kind == 3:
        return data[:a] + data[a:a + rng.randint(1, 400)] + data[a:]
    b = bytearray(data)                            # well-formed still: only within values
    values = [m for m in re.finditer(rb">([^<>\n]+)<|: ([^\n]+)", data)]
    for _ in range(rng.randint(1, 8)):
        m = rng.choice(values)
        at = rng.randrange(*m.span(1 if m.group(1) is not None else 2))
        if b[at] not in b"&;#":
            b[at] = rng.choice(b"0123456789abcdefghijklmnopqrstuvwxyz*/.-:{}\\ %$\"'")
    return bytes(b)


def whole_or_nothing(t, what, r, out, expected):
    if not t.check(r.status in (0, 1, 2), what + ":", r):
        return
    names = set(tree(out))
    if r.status == 2:
        t.check(not names, what + ": failed, but left", names)
        t.check(r.err.strip(), what + ": failed without a message")
    else:
        t.check(expected <= names, what + ": half written:", expected - names)
        t.check(not [n for n in names if "tmgc-tmp" in n], what + ": temporary files left")


@test_each("exchange-2010", "busy-array", "lync-right", "isa-2006", "branch-services")
def test_mutations(t, sample):
    """140 changed inputs a sample (TMGC_THOROUGH times as many) under AddressSanitizer and UndefinedBehaviorSanitizer: exit status 0, 1 or 2, and
    all files or none."""
    program = os.path.join(t.asan, "tmgc")
    base = int(os.environ.get("TMGC_SEED", "1"))
    t.convert(export_of(sample), t.path("good"), site=site_of(sample))
    export, site, policy = read(export_of(sample)), read(site_of(sample)), read(t.path("good", "policy.yaml"))
    expected = {"nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml", "policy.yaml", "report.txt", "report.json"}
    utf16 = export.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    sources = [("export", export, 80), ("UTF-16 export", utf16, 15), ("policy", policy, 30), ("site map", site, 15)]
    for what, data, count in sources:
        for n in range(count * THOROUGH):
            seed = "%d %s %s %d" % (base, sample, what, n)
            bad = mutated(random.Random(seed), data)
            out = t.path("out", re.sub(r"\W", "-", seed))
            if what == "site map":
                r = t.convert(export_of(sample), out, site=t.write("bad.yaml", bad), env=ASAN, program=program)
            else:
                r = t.convert(t.write("bad", bad), out, site=site_of(sample), env=ASAN, program=program)
            whole_or_nothing(t, "mutation " + seed, r, out, expected)
