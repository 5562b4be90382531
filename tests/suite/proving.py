"""`tmgc verify` as a guest on the machine: killed it leaves nothing, and ten at once do not disturb each other."""
import json
import os
import random
import signal
import subprocess
import time
from .common import TOP, test

POLICY = os.path.join(TOP, "tests", "faults", "policy.yaml")


def children_of(folder):
    """Processes that name the folder in their command line or work below it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                line = f.read()
        except OSError:
            continue
        if folder.encode() in line and int(pid) != os.getpid():
            found.append((pid, line))
    return found


def gone(folder, seconds=10):
    """Waits until no process of the folder is left, and nothing in it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (children_of(folder) or os.listdir(folder)):
        time.sleep(0.05)
    return not children_of(folder) and not os.listdir(folder)


@test
def test_verify_killed(t):
    rng = random.Random(7)
    for i in range(20):
        folder = t.path("kill%d" % i)
        os.mkdir(folder)
        how = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[i % 3]
        p = subprocess.Popen([t.tmgc, "verify", POLICY], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             env=dict(os.environ, TMPDIR=folder))
        time.sleep(rng.random() * (0.2 if i % 2 else 3))
        p.send_signal(how)
        p.wait()
        t.check(gone(folder), "after signal %d there is left:" % how, children_of(folder), os.listdir(folder))


@test
def test_verify_together(t):
    running = []
    for i in range(10):
        folder = t.path("together%d" % i)
        os.mkdir(folder)
        running.append((folder, subprocess.Popen([t.tmgc, "verify", POLICY, "--format", "json", "-j", "2"], stdout=subprocess.PIPE,
                                                 stderr=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=folder))))
    outputs = set()
    for folder, p in running:
        out = p.communicate(timeout=280)[0]
        outputs.add(out)
        t.check(p.returncode == 0, "one of ten disagreed or failed:", p.returncode, out[-600:])
        t.check(gone(folder), "one of ten left:", os.listdir(folder))
    t.check(len(outputs) == 1, "ten runs gave %d different reports" % len(outputs))
    report = json.loads(outputs.pop())
    t.note = "%d probes to each of nginx and HAProxy, ten times" % report["probes"]
