#!/usr/bin/env python3
"""Proves that a redacted export is the export it was, for tmgc, and tells nothing of whose it was.

Usage: redact.py TMGC EXPORT...  Prints what fails; exit status 1 if anything does. `compare` is what the test suite calls.

The findings have the same codes, lines, severities and targets. The configs are equal up to renaming: both are cut into words, and
there is a one-to-one mapping between those that turns one file into the other, line by line (where an emitter sorts by name, as sets
of lines). No word of four letters or more from the texts of the export is left, outside of the vocabulary of the product.
"""
import collections
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

CONFIGS = ("nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml")
# Words of the product, of HTTP and of well-known web applications: they stay in a redacted export.
VOCABULARY = set("""
    users authenticated external internal local host networks protected anywhere always hours weekends default rule ldap radius securid windows microsoft corporation
    network with system service clients integrated digest basic true false http https
    lync skype communications server business meet join dialin dial lyncdiscover lyncweb webcon csweb autodiscover mail webmail smtp localhost
    exchange exchweb public unifiedmessaging rpcwithcert activesync groupexpansion webticket reach ucwa layouts upresources certsrv certprov certenroll remote rdweb
    favicon robots html aspx ashx asmx info example test invalid localdomain home intranet corp arpa 
    access farm object listener rule range computer subnet array schedule account text value filter label
    user agent requesturl requestheaders compression configuration application xhtml json tmgc
    """.split())
WORD = re.compile(r"[A-Za-z\u00c0-\uffff]{4,}")
GUID = re.compile(r"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?")


def run(*command):
    return subprocess.run(command, capture_output=True, timeout=300)


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def findings(folder):
    report = json.loads(read(os.path.join(folder, "report.json")))
    return sorted((f["code"], f.get("line") or 0, f["severity"], f["class"], tuple(f["targets"]), f.get("setting") or "") for f in report["findings"])


# ---- configs ------------------------------------------------------------------

def tokens(mapping, side):
    """A function that puts one and the same word where a name, a text or an account of the map stands."""
    table = {}
    for n, m in enumerate(mapping):
        if m["kind"] in ("name", "text", "account", "value", "filter"):
            for text in {m[side], m[side].split("\n")[0]}:
                table.setdefault(text.lower(), "token%s" % m["pseudonym"].lower().replace(" ", ""))
    found = re.compile(r"(?<![\w.])(?:%s)(?![\w.])" % "|".join(sorted(map(re.escape, table), key=len, reverse=True)), re.I) if table else None
    return lambda text: found.sub(lambda m: table[m.group().lower()], text) if found else text


def lines_of(text, token):
    """The words of each line, and what is between them. Without comments and descriptions, without the parts of generated
    identifiers that come from names (they are cut at a length), and with addresses as one word each: sets of them are sorted by number."""
    text = re.sub(r"(?m)^\s*(?:description:|#).*\n", "", text)
    text = re.sub(r"(?m)((?:^|\s)#|\\?\"?(?<=comment )).*$", "", text)
    text = re.sub(r"\n {20,}", " ", text)                # a long line goes on
    # a list is written on one line or on several, whichever is short enough
    text = re.sub(r"\[([^][\n]*, [^][\n]*)\]", lambda m: "".join("\n- " + x for x in m.group(1).split(", ")), text)
    for line in token(text).split("\n"):
        line = re.sub(r"\b((?:\w+_)?(?:rule|listener|farm|certificate|schedule|network|users|source|backend|probe|content_location|to|from|upstream)_)\w*", r"\1", line)
        line = re.sub(r"\b(?:\d+\.){3}\d+\b", "ADDRESS", line.replace('"', "").strip())
        line = re.sub(r"\b\w+_\w+_\d+\b", "upstream", line)
        if line:
            yield [p for p in re.split(r"([\w\u00a0-\uffff%-]+)", line) if p]


def shape(parts):
    return tuple(sorted("w" if re.match(r"[\w%-]", p) and p != "ADDRESS" else p for p in parts))


def renamed(original, redacted, mapping):
    """None if one-to-one renaming of words makes them equal line by line; else what does not fit."""
    a, b = list(lines_of(original, tokens(mapping, "original"))), list(lines_of(redacted, tokens(mapping, "pseudonym")))
    there, back = {}, {}
    for x, y in zip(a, b):
        if shape(x) != shape(y):
            return "shape: %s | %s" % ("".join(x), "".join(y))
        for p, q in zip(x, y):
            if there.setdefault(p.lower(), q.lower()) != q.lower() or back.setdefault(q.lower(), p.lower()) != p.lower():
                return "%r is %r and %r: %s | %s" % (p, there[p.lower()], q, "".join(x), "".join(y))
    return None if len(a) == len(b) else "%d lines became %d" % (len(a), len(b))


def same_lines(original, redacted, mapping):
    """The weaker claim for files with lines sorted by name: lines of the same shapes, as often."""
    a = collections.Counter(map(shape, lines_of(original, tokens(mapping, "original"))))
    b = collections.Counter(map(shape, lines_of(redacted, tokens(mapping, "pseudonym"))))
    return None if a == b else "shapes: %s" % ["".join(x) for x in list((a - b) + (b - a))[:4]]


# ---- words --------------------------------------------------------------------------

def texts(path):
    """Texts and StorageNames that may tell something."""
    for e in ElementTree.parse(path).iter():
        local = e.tag.split("}")[-1]
        for text in (e.text or "", e.get("StorageName") or ""):
            if not GUID.fullmatch(text.strip()) and local not in ("RefClass",):
                yield local, text


@functools.lru_cache
def settings(tmgc):
    rows = json.loads(run(tmgc, "capabilities", "--format", "json").stdout)
    return frozenset(w.lower() for row in rows for n in row["names"] for w in WORD.findall(n))


def schema(tmgc, path):
    """Element and slot names are the product's own."""
    known = set(settings(tmgc))
    for e in ElementTree.parse(path).iter():
        local = e.tag.split("}")[-1]
        known.update(w.lower() for w in WORD.findall(local))
        if local in ("Ref", "Refs", "SelectionIPs"):
            known.update(w.lower() for w in WORD.findall(e.get("StorageName") or ""))
    return known


def words_left(tmgc, export, redacted, parameters):
    keep = VOCABULARY | schema(tmgc, export) | parameters
    old = {w.lower() for _, t in texts(export) for w in WORD.findall(t)} - keep
    new = {w.lower() for _, t in texts(redacted) for w in WORD.findall(t)}
    return sorted(old & new)


def parameter_names(path):
    """Names of vendor parameters in the product's own sets."""
    names = set()
    for e in ElementTree.parse(path).iter():
        if e.tag.endswith("}VendorParametersSet") and "3563fff5" not in (e.get("StorageName") or "").lower():
            for n in e.iter():
                if n.tag.endswith("}Name"):
                    names.update(w.lower() for w in WORD.findall(n.text or ""))
                if n.text and "<Configuration" in n.text:
                    names.update(w.lower() for w in WORD.findall(re.sub(r'"[^"]*"', "", n.text)))
    return names


def compare(tmgc, export, folder):
    """Everything that is wrong with redacting this export; [] if nothing is."""
    wrong, redacted, secret = [], os.path.join(folder, "redacted.xml"), os.path.join(folder, "map.json")
    r = run(tmgc, "redact", export, "--map", secret)
    if r.returncode:
        return ["redact failed: " + r.stderr.decode()]
    with open(redacted, "wb") as out:
        out.write(r.stdout)
    if run(tmgc, "redact", export).stdout != r.stdout:
        wrong.append("a second run gave other bytes")
    if os.stat(secret).st_mode & 0o777 != 0o600:
        wrong.append("the map can be read by others")
    with open(secret, encoding="utf-8") as m:
        mapping = json.load(m)["pseudonyms"]
    with open(export, "rb") as original:
        if original.read().count(b"\n") != r.stdout.count(b"\n"):
            wrong.append("the number of lines changed")
    for name, path in (("a", export), ("b", redacted)):
        r = run(tmgc, "convert", path, "-o", os.path.join(folder, name), "-q")
        if r.returncode == 2:
            return wrong + ["convert failed: " + r.stderr.decode()]
    before, after = (findings(os.path.join(folder, n)) for n in "ab")
    if before != after:
        wrong.append("findings: %s" % ([f for f in before if f not in after] + [f for f in after if f not in before])[:4])
    for config in CONFIGS:
        a, b = (read(os.path.join(folder, n, config)) for n in "ab")
        problem = renamed(a, b, mapping)
        weaker = problem and same_lines(a, b, mapping)
        if weaker:
            wrong.append("%s: %s; %s" % (config, problem, weaker))
    left = words_left(tmgc, export, redacted, parameter_names(export))
    if left:
        wrong.append("words left: %s" % ", ".join(left[:20]))
    return wrong


def main():
    failed = 0
    for export in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as folder:
            for problem in compare(sys.argv[1], export, folder):
                print("%s: %s" % (export, problem))
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
