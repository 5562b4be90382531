"""The ledger: every element and attribute of an input is counted once, and what nobody knows is named with its place."""
import io
import json
import os
import random
import re
import sys
import xml.etree.ElementTree as ElementTree
from contextlib import redirect_stdout
import random_policy
from .common import SAMPLES, export_of, read, site_of, test, test_each

OTHERS = ("structure", "unknown", "other_rules", "elsewhere")


def counted(text):
    """The elements and attributes of a document, by a parser that is not tmgc's."""
    elements = list(ElementTree.fromstring(text).iter())
    return len(elements), sum(len(e.attrib) for e in elements)


def ledger_of(policy):
    """The ledger in a policy.yaml: {key: number}, with the sum of the settings as "settings"."""
    block = re.search(rb"(?m)^ledger:\n((?:  .*\n)+)", policy).group(1).decode()
    numbers = {k: int(v) for k, v in re.findall(r"(?m)^  (\w+): (\d+)$", block)}
    settings = re.search(r"(?m)^  settings: (.*)$", block)
    numbers["settings"] = sum(map(int, settings.group(1).split()[1::2])) if settings else 0
    return numbers


def balanced(t, what, text, policy):
    elements, attributes = counted(text)
    ledger = ledger_of(policy)
    t.equal(ledger["elements"], elements, "elements of " + what)
    t.equal(ledger["settings"] + sum(ledger.get(k, 0) for k in OTHERS), elements, "sum of the ledger of " + what)
    t.equal(ledger["attributes"], attributes, "attributes of " + what)
    return ledger


def random_export(seed, policies):
    class Page(io.StringIO):
        def reconfigure(self, **_):
            pass
    page, before = Page(), sys.argv
    sys.argv = ["random_policy.py", str(seed), str(policies)]
    try:
        with redirect_stdout(page):
            random_policy.main()
    finally:
        sys.argv = before
    return page.getvalue().encode()


@test_each(*SAMPLES)
def test_ledger(t, sample):
    """The sums are the input's, in the policy and in the report; every target's fates add up to each setting's elements."""
    text = read(export_of(sample))
    t.convert(export_of(sample), t.path("out"), site=site_of(sample))
    ledger = balanced(t, sample, text, read(t.path("out", "policy.yaml")))
    t.equal(ledger.get("unknown", 0), 0, "unknown elements")
    report = json.loads(read(t.path("out", "report.json")))["ledger"]
    for key in ("elements", "settings", "attributes") + OTHERS:
        t.equal(report[key], ledger.get(key, 0), key + " of the report")
    t.equal(sum(row["elements"] for row in report["by_setting"]), report["settings"], "sum of the rows")
    for row in report["by_setting"] + [{"setting": "all", "elements": report["settings"], "on": report["on"]}]:
        for target, fates in row["on"].items():
            t.equal(sum(fates.values()), row["elements"], "%s on %s" % (row["setting"], target))
    shown = rb"(?m)^  settings +%d  " % report["settings"]
    t.check(re.search(shown, read(t.path("out", "report.txt"))), "report.txt has the ledger")


@test
def test_ledger_random(t):
    """200 random exports, one in four with strangers among its elements and attributes."""
    for seed in range(200):
        text = random_export(seed, 1 + seed % 3)
        if seed % 4 == 0:
            rng = random.Random(seed)
            lines = text.decode().split("\n")
            for at in sorted(rng.sample(range(2, len(lines) - 2), 12), reverse=True):
                lines[at:at + 1] = with_stranger(lines[at], rng.choice(FORMS))
            text = "\n".join(lines).encode()
        r = t.run("ir", "-", stdin=text)
        if t.check(r.status in (0, 1), "ir of random export %d:" % seed, r):
            balanced(t, "random export %d" % seed, text, r.out)


# ---- elements with a made-up name -------------------------------------------------------------------------------
STRANGER = "TmgcMadeUp"
FORMS = ("<fpc4:%s dt:dt=\"string\">x</fpc4:%s>" % (STRANGER, STRANGER), "<fpc4:%s/>" % STRANGER,
         "<fpc4:%s StorageName=\"%s\" StorageType=\"1\"><fpc4:Name dt:dt=\"string\">y</fpc4:Name></fpc4:%s>" % (STRANGER, STRANGER, STRANGER))
PUBLISHED = ("PolicyRule", "WebListener", "ServerFarm")


def with_stranger(line, form):
    """The lines that take the place of one: with a stranger in the element that it holds, or behind the tag that it opens."""
    if re.search(r"<fpc4:\w+[^>]*/>$", line):
        return [re.sub(r"<(fpc4:\w+)([^>]*)/>$", lambda m: "<%s%s>%s</%s>" % (m.group(1), m.group(2), form, m.group(1)), line)]
    if re.search(r">[^<]*</fpc4:\w+>$", line):
        return [re.sub(r"</fpc4:\w+>$", lambda m: form + m.group(0), line)]
    return [form, line] if line.lstrip().startswith("</") else [line, form]


def places(lines):
    """(line, object) of every line in a rule that is converted, a listener or a farm."""
    inside = None
    for n, line in enumerate(lines):
        opened = re.match(r"\t*<fpc4:(%s) StorageName=\"([^\"]*)\"" % "|".join(PUBLISHED), line)
        if opened and not line.endswith("/>"):
            inside, web = opened.groups(), opened.group(1) != "PolicyRule"
            start = n
        if inside and not web:
            web = any("<fpc4:WebPublishingProperties" in l for l in lines[start:lines.index("%s</fpc4:PolicyRule>" % re.match(r"\t*", lines[start]).group(0), start)])
        if inside and web:
            yield n, inside[1]
        if inside and re.match(r"\t*</fpc4:%s>" % inside[0], line):
            inside = None


def named(policy, line):
    """Whether the policy's notes name the stranger with this line (1 is the first)."""
    notes = policy[policy.rfind(b"\nnotes:"):].split(b"\n  - code: ")[1:]
    return any(re.match(b"TMG(1002|2039)", n) and b"line: %d\n" % line in n + b"\n" and STRANGER.encode() in n for n in notes)


@test_each("exchange-2010", "busy-array", "sharepoint", "isa-2006", "branch-services")
def test_strangers(t, sample):
    """An element with a made-up name anywhere under a rule, listener or farm is reported with its path and line."""
    rng = random.Random(sample)
    lines = read(export_of(sample)).decode().split("\n")
    spots = list(places(lines))
    for n, _ in rng.sample(spots, min(len(spots), int(os.environ.get("STRANGERS", "40")))):
        form = rng.choice(FORMS)
        changed = lines[:n] + with_stranger(lines[n], form) + lines[n + 1:]
        at = next(k for k, line in enumerate(changed) if STRANGER in line) + 1
        r = t.run("ir", "-", stdin="\n".join(changed).encode())
        t.check(named(r.out, at), "%s in line %d of %s is not named: %s" % (form[:30], at, sample, lines[n].strip()[:80]), r.err[-300:])
    t.note = "%d places" % len(spots)
