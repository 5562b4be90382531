"""publishd's own view of a policy: what it makes of the file that tmgc wrote decides as the export does."""
import os
import sys
from .common import SAMPLES, TOP, export_of, site_of, test, test_each

TIMES = 3000


def agrees(t, export, site, seed):
    r = t.run("agree", export, site, str(seed), str(TIMES), program=os.path.join(t.build, "unit", "test_route"))
    t.check(r.status == 0, os.path.basename(os.path.dirname(export)) or export, r.out[-800:].decode("utf-8", "replace"), r)
    words = r.out.split()
    t.passed += int(words[words.index(b"passed,") - 1]) if b"passed," in words else 0


@test_each(*SAMPLES)
def test_routes(t, sample):
    """Each sample's plan beside that of its publishd.yaml: the same answer to random requests, routed by hashing or not."""
    agrees(t, export_of(sample), site_of(sample), 1)


@test
def test_routes_random(t):
    """The same for random policies."""
    for seed in range(10):
        r = t.run(os.path.join(TOP, "tests", "random_policy.py"), str(seed), "20", program=sys.executable)
        agrees(t, t.write("random.xml", r.out), "-", seed)
