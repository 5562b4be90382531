"""The real nginx and HAProxy, asked by `tmgc verify` at every decision of the samples and of random policies."""
import json
import os
import subprocess
import sys
from .common import SAMPLES, TOP, export_of, site_of, test, test_each

POLICIES_A_RUN, RUNS = 5, 44          # 220 random policies


def verified(t, what, *arguments):
    """Runs verify; gives its report."""
    r = t.run("verify", *arguments, "-t", "nginx,haproxy", "--format", "json", timeout=400)
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
    if sample != "lone-listener":      # without a rule there is little to ask
        t.check(probes >= 40, "only %s probes" % probes)
    t.note = "%s probes to each of nginx and HAProxy" % probes


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
    t.note = "%d policies, %d probes to each of nginx and HAProxy" % (RUNS // 2 * POLICIES_A_RUN, probes)
