"""The unit tests of each room, and documents that are made from tables."""
import glob
import os
from .common import TOP, read, test


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
