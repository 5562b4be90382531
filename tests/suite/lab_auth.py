"""The credentials side of publishd in the lab: a domain controller, servers that want to know the user (tests/lab.py)."""
import json
import os
import shlex
import subprocess
import sys

import browser
import lab

from .common import THOROUGH, TOP, test


def in_lab(t, *scripts, least=200):
    """Scripts that print [name, passed, what] lines, one after the other in a lab: (Python, name, arguments…). least: checks."""
    tests = os.path.join(TOP, "tests")
    words = [shlex.join([python, os.path.join(tests, script), *arguments]) for python, script, *arguments in scripts]
    p = subprocess.run(lab.inside("sh", "-c", " && ".join(words)), capture_output=True, timeout=900)
    for line in p.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("["):
            name, passed, what = json.loads(line)
            if name != "seconds":
                t.check(passed, name + ":", what)
    t.check(p.returncode == 0 and t.passed >= least, "the lab ran to its end:", p.returncode, p.stderr.decode("utf-8", "replace")[-3000:])


@test
def test_lab_auth(t):
    in_lab(t, (sys.executable, "lab_cases.py", t.build, t.asan))


@test
def test_lab_served(t):
    """Every listener's way of signing in with every delegation, in publishd; and the stories of docs/stories.md."""
    in_lab(t, (sys.executable, "lab_served.py", t.asan), ("/usr/bin/python3", "lab_stories.py", t.asan))      # Debian's own has python3-gssapi


@test
def test_lab_shared(t):
    """Several users on one client connection, by HTTP/2: one after the other and at the same time."""
    in_lab(t, (sys.executable, "lab_shared.py", t.asan), least=25)


@test
def test_lab_certificates(t):
    """Client certificates: the row of the matrix, who is refused, the directory, beside a form."""
    in_lab(t, (sys.executable, "lab_certificates.py", t.asan), least=70)


@test
def test_lab_forms(t):
    """Chromium: the notice that a password is about to expire, one that must be changed, a copied session."""
    if not browser.available():
        t.check(False, "chromium is missing: tests/setup pages")
        return
    in_lab(t, (sys.executable, "lab_forms.py", t.asan), least=25)


@test
def test_lab_isolation(t):
    """64 clients as 16 users at once (make isolation: for a minute under ThreadSanitizer)."""
    in_lab(t, (sys.executable, "lab_isolation.py", t.asan, str(4 * THOROUGH)), least=5)


@test
def test_lab_slow(t):
    """A KDC, a directory, a RADIUS server that are slow, silent, gone and back; a clock that is wrong. What is left in memory of what they
    were asked. And a RADIUS server that asks for a second code."""
    in_lab(t, (sys.executable, "lab_slow.py", t.build), (sys.executable, "lab_memory.py", t.build), (sys.executable, "lab_codes.py", t.asan), least=220)


@test
def test_demo_auth(t):
    """The demo does what it shows."""
    p = subprocess.run([os.path.join(TOP, "tests", "demo-auth"), t.build], capture_output=True, text=True, timeout=300)
    t.check(p.returncode == 0 and "All as it should be." in p.stdout, "demo-auth:", p.stdout[-3000:], p.stderr[-2000:])
