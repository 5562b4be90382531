#!/usr/bin/env python3
"""report.sarif as another program sees it: Microsoft's SARIF multitool validates every report by rules of its own, and reads out of each what
report.json says. Usage: tests/sarif_multitool.py BUILD. Not among the tests of make check: it fetches the program from npm, into BUILD/npm.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from report_sarif import LEVELS, reports
from suite.common import SAMPLES, Test, read

PACKAGE, VERSION = "@microsoft/sarif-multitool-linux", "5.7.0"


def installed(build):
    """The program; fetched once a build folder."""
    folder = os.path.join(build, "npm")
    program = os.path.join(folder, "node_modules", *PACKAGE.split("/"), "Sarif.Multitool")
    if not os.path.exists(program):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "package.json"), "w") as out:
            json.dump({"name": "tmgc-tests", "private": True, "dependencies": {PACKAGE: VERSION}}, out)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=600)
        os.chmod(program, 0o755)
    return program


def validated(t, ask, files):
    p = ask("validate", *files)
    said = [line for line in p.stdout.decode().splitlines() if (": warning " in line or ": error " in line) and " SARIF2005: " not in line]
    t.check(p.returncode == 0 and not said, "the multitool says", p.returncode, said[:5])       # SARIF2005: we have no web page


def told(t, ask, sample):
    findings = json.loads(read(t.path(sample, "report.json")))["findings"]
    p = ask("project", t.path(sample, "report.sarif"), "--format", "ndjson", "--first-location-only", "--columns",
            "RuleId,Level,Location.Uri,Location.Region.StartLine,Message.Text")
    rows = [json.loads(line) for line in p.stdout.decode("utf-8-sig").splitlines() if line.startswith("{")]
    t.equal(len(rows), len(findings), sample + ": results")
    for row, f in zip(rows, findings):
        code, level, file, line, text = map(str, row.values())
        t.check(code == f["code"] and level.lower() == LEVELS[f["severity"]] and file.endswith(f["file"] or "") and line == str(f["line"] or 1) and
                f["message"] in text.replace("{{", "{").replace("}}", "}"), sample + ": read as", row, f)


def main():
    build = os.path.abspath(sys.argv[1])
    program, environment = installed(build), dict(os.environ, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="1")
    t = Test("sarif-multitool", build, None)
    try:
        def ask(*words):
            return subprocess.run([program, *words], capture_output=True, timeout=300, env=environment)

        validated(t, ask, reports(t).values())
        for sample in SAMPLES:
            told(t, ask, sample)
    finally:
        t.close()
    print("\n".join(t.failures[:20] + ["%d passed, %d failed" % (t.passed, len(t.failures))]))
    return 1 if t.failures else 0


if __name__ == "__main__":
    sys.exit(main())
