#!/usr/bin/env python3
"""Measures tmgc batch. Usage: batch.py TMGC [COUNT [RULES]]

COUNT (1,000) generated exports of RULES (3) rules each, every twentieth of them cut. Prints the time of batch, of converting one after
another, and of `xmllint --noout` over the same files; the peak memory of batch and of its largest worker; and checks that the broken
ones and no others are reported, and that a second run changes no byte and no time stamp. Exit status 1 if that is not so.
"""
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def timed(*command):
    start = time.monotonic()
    p = subprocess.run(command, capture_output=True)
    return time.monotonic() - start, p


def state(folder):
    found = {}
    for where, _, files in os.walk(folder):
        for f in files:
            path = os.path.join(where, f)
            if os.path.islink(path):
                found[path] = os.readlink(path)
                continue
            with open(path, "rb") as data:
                found[path] = (os.stat(path).st_mtime_ns, hash(data.read()))
    return found


def main():
    tmgc, count, rules = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000, sys.argv[3] if len(sys.argv) > 3 else "3"
    data = subprocess.run([sys.executable, os.path.join(HERE, "gen_export.py"), rules], capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as top:
        inputs, broken = os.path.join(top, "in"), set()
        os.mkdir(inputs)
        for n in range(count):
            text = data.replace(b"contoso", b"branch%d" % n)
            if n % 20 == 19:
                text = text[:len(text) * (n % 7 + 1) // 9]
                broken.add("branch-%05d" % n)
            with open(os.path.join(inputs, "branch-%05d.xml" % n), "wb") as out:
                out.write(text)
        files = sorted(os.path.join(inputs, f) for f in os.listdir(inputs))
        print("%d exports of %d kB, %d of them broken" % (count, len(data) // 1024, len(broken)))
        out = os.path.join(top, "out")
        batch, p = timed(tmgc, "batch", inputs, "-o", out, "--fail-on", "never", "-q")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        again, q = timed(tmgc, "batch", inputs, "-o", out, "--fail-on", "never", "-q", "--format", "json")
        before = state(out)
        third, _ = timed(tmgc, "batch", inputs, "-o", out, "--fail-on", "never", "-q")
        single = sum(timed(tmgc, "convert", f, "-o", os.path.join(top, "single", os.path.basename(f)), "--fail-on", "never", "-q")[0] for f in files)
        xmllint, _ = timed("xmllint", "--noout", *files)
        failed = {i["folder"] for i in json.loads(q.stdout)["inputs"] if i["failed"]}
        print("batch %.2f s (%.1f ms each), again %.2f s, one after another %.2f s, xmllint --noout %.2f s" % (batch, batch / count * 1000, again, single, xmllint))
        print("largest process %.1f MB" % memory)
        good = p.returncode == 1 and failed == broken and state(out) == before and third > 0
        print("the broken ones and no others are reported; nothing changed in the second run" if good else "WRONG: %s" % sorted(failed ^ broken)[:5])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
