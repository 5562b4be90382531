"""tmgc diff: pairs of policies, witnesses before the real programs, git."""
import os
import re
import subprocess
import sys
from .common import SAMPLES, TOP, export_of, site_of, test


def numbers(t, p, pattern):
    """Counts what a test of its own counted."""
    found = re.search(pattern, p.stdout)
    t.check(p.returncode == 0 and found, "passes", p.stdout[-3000:], p.stderr[-1000:])
    return int(found.group(1)) if found else 0


@test
def test_diff_pairs(t):
    """As many pairs as fit in a minute; tests/diff_pairs.py alone takes more."""
    count = os.environ.get("TMGC_DIFF_PAIRS", "40")
    p = subprocess.run([sys.executable, os.path.join(TOP, "tests", "diff_pairs.py"), t.build, "--pairs", count], capture_output=True, text=True, timeout=3600)
    t.passed += numbers(t, p, r"diff_pairs: (\d+) pairs")
    t.note = p.stdout.strip().split("\n")[-1]


@test
def test_diff_git(t):
    p = subprocess.run([os.path.join(TOP, "tests", "diff_git.sh"), t.build], capture_output=True, text=True, timeout=300)
    t.passed += numbers(t, p, r"diff_git: (\d+) passed")


@test
def test_diff_forms(t):
    """An export, its policy and the folder that convert wrote mean the same; so does a policy that went through an edit."""
    for sample in SAMPLES:
        export, policy, out = export_of(sample), t.path(sample + ".yaml"), t.path("out-" + sample)
        t.write(sample + ".yaml", t.run("ir", export).out)
        t.convert(export, out, "--fail-on", "never", site=site_of(sample))
        for x, y in ((export, policy), (policy, out), (out, export), (export, export)):
            r = t.run("diff", x, y, "-m", site_of(sample))
            t.check(r.status == 0 and b"No request is answered differently." in r.out, "%s: the same" % sample, r, r.out[-500:].decode())
        r = t.run("diff", policy, policy, "-q")
        t.check(r.status == 0 and not r.out, "quiet", r)


@test
def test_diff_limits(t):
    """A limit that is reached is said, and never taken for sameness; what cannot be read is status 2."""
    one, other = export_of("busy-array"), export_of("exchange-2010")
    r = t.run("diff", one, other, "--limit", "5")
    t.check(r.status == 1 and b"Not proven" in r.out, "not proven", r)
    for wrong in (("diff", one), ("diff", "-", "-"), ("diff", one, "/nonexistent.xml"), ("diff", one, other, "--limit", "x"), ("diff", one, other, "--format", "xml")):
        t.equal(t.run(*wrong).status, 2, " ".join(wrong))
