"""The findings as SARIF and CSV: valid by the standard's schema (tests/sarif), and the same as report.json says.

Run by tests/run; alone: tests/run report-sarif report-csv. What another program makes of them: make multitool.
"""
import csv
import io
import json
import os
import re
import subprocess
import sys
from urllib.parse import unquote

from suite.common import SAMPLES, TOP, export_of, read, site_of, test

SCHEMA = os.path.join(TOP, "tests", "sarif", "sarif-2.1.0.json")
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
HOSTILE = '=cmd|"/c calc"!A1, {0} [click](javascript:alert(1)) \\ é'


def made(t, sample, out, **options):
    r = t.convert(export_of(sample), out, "--fail-on", "never", "-q", site=site_of(sample), **options)
    t.equal(r.status, 0, "convert " + sample)
    return json.loads(read(os.path.join(out, "report.sarif"))), json.loads(read(os.path.join(out, "report.json")))


def hostile_export(t):
    """A sample whose rule has a name that means something to spreadsheets and SARIF viewers."""
    from xml.sax.saxutils import escape
    text = read(export_of("exchange-2010")).decode()
    return t.write("hostile export: 1.xml", text.replace(">Outlook Anywhere<", ">%s<" % escape(HOSTILE)))


def reports(t):
    """report.sarif of every sample, of a hostile export and of standard input: name and file."""
    for sample in SAMPLES:
        made(t, sample, t.path(sample))
    t.convert(hostile_export(t), t.path("hostile"), "--fail-on", "never", site=site_of("exchange-2010"))
    with open(export_of("sharepoint"), "rb") as f:
        t.convert("-", t.path("piped"), "--fail-on", "never", stdin=f.read())
    return {name: t.path(name, "report.sarif") for name in [*SAMPLES, "hostile", "piped"]}


@test
def test_report_sarif_schema(t):
    """The official schema finds nothing to say, and would."""
    try:
        import jsonschema
    except ImportError:                  # Debian's, where another Python comes first
        sys.path.append("/usr/lib/python3/dist-packages")
        import jsonschema
    schema = json.loads(read(SCHEMA))
    validator = jsonschema.validators.validator_for(schema)(schema)
    files = reports(t)
    for name, file in files.items():
        log = json.loads(read(file))
        wrong = ["/".join(map(str, e.path)) + ": " + e.message[:200] for e in validator.iter_errors(log)]
        t.check(not wrong, name + ": not valid by the schema", wrong[:3])
        log["runs"][0]["results"][0]["level"] = "info"
        t.check(not validator.is_valid(log), name + ": a level that there is not is valid")
    t.note = "%d files" % len(files)


@test
def test_report_sarif_places(t):
    """Locations, related locations, levels, suppressions, and relative addresses."""
    for sample in SAMPLES:
        log, report = made(t, sample, t.path(sample))
        run = log["runs"][0]
        rules = run["tool"]["driver"]["rules"]
        order = ("note", "warning", "error")
        t.equal(len(run["results"]), len(report["findings"]), sample + ": as many results as findings")
        for n, (result, f) in enumerate(zip(run["results"], report["findings"])):
            rule, where = rules[result["ruleIndex"]], "%s, result %d:" % (sample, n)
            t.check(rule["id"] == result["ruleId"] == f["code"] and rule["help"]["text"] and rule["shortDescription"]["text"], where, rule["id"], f["code"])
            t.check(order.index(rule["defaultConfiguration"]["level"]) >= order.index(result["level"]), where + " the rule's level is below the result's")
            t.equal(result["level"], LEVELS[f["severity"]], where + " level")
            t.equal([s["justification"] for s in result.get("suppressions", [])], [f["accepted"]] if f["accepted"] else [], where + " suppressions")
            said = re.sub(r"([{}])\1|\\([][\\])", r"\1\2", result["message"]["text"])      # as a viewer shows it (the standard's 3.11)
            t.check(f["message"] in said, where + " message", said, f["message"])
            place = result["locations"][0]["physicalLocation"]
            t.check(place["artifactLocation"]["uri"] == f["file"] and place["region"]["startLine"] == (f["line"] or 1), where, place)
            for related in result.get("relatedLocations", []):
                place = related["physicalLocation"]
                lines = read(t.path(sample, place["artifactLocation"]["uri"])).decode().splitlines()
                line = lines[place["region"]["startLine"] - 1]
                t.check(re.match(r"\s*# (server )?rule ", line) and f["rule"] in line, where + " the related line is", line)
            if f["rule"] and f["targets"]:
                names = {r["physicalLocation"]["artifactLocation"]["uri"].split("/")[0] for r in result.get("relatedLocations", [])}
                t.check(names <= set(f["targets"]), where + " related", names)
        for artifact in run["artifacts"]:
            uri, base = artifact["location"]["uri"], artifact["location"]["uriBaseId"]
            t.check(":" not in uri and not uri.startswith("/") and base in run["originalUriBaseIds"], sample + ": address", uri)
            t.check(base != "OUTPUT" or os.path.exists(t.path(sample, unquote(uri))), sample + ": no file", uri)
        related = [r for r in run["results"] if r.get("relatedLocations")]
        t.check(related or not any(f["rule"] and f["targets"] for f in report["findings"]), sample + ": no related locations at all")


@test
def test_report_sarif_odd(t):
    """Standard input has no address; odd names stay text; check writes it too."""
    with open(export_of("sharepoint"), "rb") as f:
        r = t.run("check", "-", "--format", "sarif", "-q", "--fail-on", "never", stdin=f.read())
    run = json.loads(r.out)["runs"][0]
    t.check(run["results"] and not run["artifacts"], "standard input has artifacts", run["artifacts"])
    t.check(not any("physicalLocation" in p for x in run["results"] for p in x.get("locations", [])), "standard input has places")
    r = t.run("check", hostile_export(t), "--format", "sarif", "-q", "--fail-on", "never")
    run = json.loads(r.out)["runs"][0]
    t.equal(run["artifacts"][0]["location"]["uri"], "hostile%20export%3A%201.xml", "the export's address")
    named = [x for x in run["results"] if any(p.get("name") == HOSTILE for y in x["locations"] for p in y.get("logicalLocations", []))]
    t.check(named, "the rule is not named")
    for x in named:
        text = x["message"]["text"]
        t.check("\\[click\\](" in text and "{{0}}" in text, "message", text)


@test
def test_report_csv(t):
    """One line a finding, the cells as in report.json, nothing that a spreadsheet would compute."""
    for sample in SAMPLES:
        _, report = made(t, sample, t.path(sample))
        r = t.run("check", export_of(sample), "-m", site_of(sample), "--format", "csv", "-q", "--fail-on", "never")
        t.check(r.out.endswith(b"\r\n") and b"\n" not in r.out.replace(b"\r\n", b""), sample + ": line ends")
        rows = list(csv.DictReader(io.StringIO(r.out.decode(), newline="")))
        t.equal(len(rows), len(report["findings"]), sample + ": lines")
        for row, f in zip(rows, report["findings"]):
            t.check(row["code"] == f["code"] and row["line"] == str(f["line"] or "") and row["message"] == f["message"] and row["severity"] == f["severity"] and
                    row["class"] == f["class"] and row["targets"].split() == f["targets"] and row["subject_name"] == (f["rule"] or f["listener"] or f["farm"] or row["subject_name"]) and
                    row["accepted"] == (f["accepted"] or ""), sample + ": the line", row, f)
    r = t.run("check", hostile_export(t), "--format", "csv", "-q", "--fail-on", "never")
    rows = list(csv.reader(io.StringIO(r.out.decode(), newline="")))
    t.check(all(len(row) == len(rows[0]) for row in rows), "the number of cells")
    t.check(not [c for row in rows for c in row if c[:1] in "=+-@\t\r" and c], "a formula")
    t.check(any("'" + HOSTILE == c for row in rows for c in row), "the name is not there as text")


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, os.path.join(TOP, "tests", "run"), "report-sarif", "report-csv"] + sys.argv[1:]))
