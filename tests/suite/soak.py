"""tests/soak for a short while: the same load, reloads and checks as in its ten minutes."""
import os
import subprocess
import sys
from .common import THOROUGH, TOP, test_each


@test_each("plain", "sanitized")
def test_soak(t, kind):
    """10 seconds of mixed load under reloads: every answer right, nothing left behind."""
    program = os.path.join(t.build if kind == "plain" else t.asan, "publishd")
    p = subprocess.run([sys.executable, os.path.join(TOP, "tests", "soak"), "--program", program, "--seconds", str(10 * THOROUGH)], capture_output=True, text=True, timeout=270 + 10 * THOROUGH, check=False)
    lines = p.stdout.splitlines()
    t.equal(p.returncode, 0, "exit status")
    t.equal([line[:1000] for line in lines if "FAULT" in line], [], "faults")
    if t.check(lines and lines[-1].endswith("; 0 faults"), "no end:", p.stdout[-800:], p.stderr[-800:]):
        t.note = lines[-1].removeprefix("soak: ").removesuffix("; 0 faults")
