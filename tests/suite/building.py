"""The unit tests of each room, and documents that are made from tables."""
import glob
import os
import re
from .common import TOP, read, registry, test


@test
def test_unit(t):
    for program in sorted(glob.glob(os.path.join(t.build, "unit", "*"))):
        if program.endswith(".d") or not os.access(program, os.X_OK):
            continue
        r = t.run(program=program, cwd=TOP)
        t.check(r.status == 0, os.path.basename(program), r, r.out[-1500:].decode("utf-8", "replace"))


@test
def test_generated_docs(t):
    """Pages that are made from tables are what the tables say today (`make docs` writes them)."""
    for what in ("findings", "settings", "versions", "answers"):
        name = what + ".md"
        r = t.run(what, program=os.path.join(t.build, "gen_docs"))
        t.equal(r.status, 0, "gen_docs " + what)
        t.check(r.out == read(os.path.join(TOP, "docs", name)), "docs/%s is stale: run `make docs`" % name)


@test
def test_readme(t):
    """README.md shows what tmgc really prints (`make docs` fills it in)."""
    r = t.run(t.build, "--check", program=os.path.join(TOP, "tests", "readme"))
    t.check(r.status == 0, "README.md", r)


@test
def test_behaviours(t):
    """docs/behaviours.md: a row for each of B-01 to B-154, with one of four states a target, and what a row names is there."""
    kinds = {code: kind for code, kind in re.findall(r'(?m)^F\(\w+, (\d+), "[^"]+", (\w+),', read(os.path.join(TOP, "base", "findings.def")).decode())}
    tests = [name for name, _, _ in registry]
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in read(os.path.join(TOP, "docs", "behaviours.md")).decode().split("\n") if line.startswith("| B-")]
    t.equal([r[0] for r in rows], ["B-%02d" % n for n in range(1, 155)], "the rows")
    counts = {}
    for name, _, *states, note, where, test_name in rows:
        codes = re.findall(r"TMG(\d{4})", note)
        classes = {kinds.get(c) for c in codes}
        t.check(set(states) <= {"exact", "differs", "closed", "none"} and len(states) == 3, name + ": states", states)
        t.check(None not in classes, name + ": findings that there are not", codes)
        t.check("differs" not in states or classes & {"LOST", "DIFFERS", "SITE", "ADVICE"}, name + ": differs, and no finding says how")
        t.check("closed" not in states or "CLOSED" in classes, name + ": closed, and no finding says so")
        t.check("none" not in states or len(re.sub(r"TMG\d{4}", "", note)) >= 20 or note.startswith("see B-"), name + ": no reason why it has no effect")
        for file in re.findall(r"`([^`]+)`", where):
            t.check(os.path.exists(os.path.join(TOP, file)), name + ": no file " + file)
        for one in re.findall(r"`([^`]+)`", test_name) or [test_name]:
            t.check(any(n.startswith(one) for n in tests), name + ": no test " + one)
        t.check(where, name + ": nowhere")
        for s in states:
            counts[s] = counts.get(s, 0) + 1
    t.note = "%d behaviours on three targets: %s" % (len(rows), ", ".join("%d %s" % (counts[s], s) for s in ("exact", "differs", "closed", "none")))
