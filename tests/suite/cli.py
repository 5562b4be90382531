"""The command line: exit statuses, what is written and what is left alone, help, standard input."""
import os
import re
from .common import FILES, SAMPLES, codes, export_of, read, site_of, test, tree

CONTRACT = ("convert", "batch", "ir", "site", "check", "diff", "explain", "verify", "redact", "capabilities")


def commands(t):
    """Those that the overview lists; the contract's others say that they are not there and exit with 2."""
    return re.findall(r"(?m)^  ([a-z]+) {2,}", t.run("help").out.decode())


@test
def test_help(t):
    for arguments in (("--help",), ("help",), ("-h",)):
        r = t.run(*arguments)
        t.check(r.status == 0 and b"usage: tmgc" in r.out and not r.err, "%s:" % (arguments,), r)
    r = t.run("--version")
    t.check(r.status == 0 and re.fullmatch(rb"tmgc \d+\.\d+\.\d+\n", r.out), "--version", r.out)
    here = commands(t)
    t.check(set(here) >= {"convert", "ir", "site", "check", "capabilities", "verify"}, "the overview names", here)
    for command in CONTRACT:
        by_option, by_word = t.run(command, "--help"), t.run("help", command)
        t.equal(by_option.status, 0, command + " --help")
        t.check(by_option.out == by_word.out and b"tmgc " + command.encode() in by_option.out, "help " + command)


@test
def test_usage_errors(t):
    export = export_of("lync-right")
    for arguments, says in (
            ((), b"usage"), (("frobnicate",), b"frobnicate"), (("help", "frobnicate"), b"frobnicate"),
            (("convert",), b"INPUT"), (("convert", export, export, "-o", t.path("o")), b"INPUT"),
            (("convert", export), b"-o"), (("convert", export, "-o"), b"-o"),
            (("convert", export, "--frobnicate", "-o", t.path("o")), b"--frobnicate"),
            (("convert", export, "-t", "apache", "-o", t.path("o")), b"apache"), (("convert", export, "-t", "", "-o", t.path("o")), b"-t"),
            (("check", export, "--nginx-version", "1.17"), b"1.18 to 1.28"), (("check", export, "--haproxy-version", "3.3"), b"2.4 to 3.2"),
            (("check", export, "--haproxy-version", "2.6rc"), b"2.6rc"), (("diff", export, export, "--nginx-version", "1.22"), b"--nginx-version"),
            (("check", export, "--fail-on", "sometimes"), b"sometimes"), (("check", export, "--format", "xls"), b"xls"),
            (("ir", export, "-m", "x"), b"-m"), (("capabilities", "--format", "xls"), b"xls"), (("capabilities", "x"), b"capabilities"),
            (("ir", t.path("missing.xml")), b"missing.xml"), (("ir", t.dir), t.dir.encode()),
            (("check", export, "-m", t.path("missing.yaml")), b"missing.yaml")):
        r = t.run(*arguments)
        t.check(r.status == 2 and says in r.err and not r.out, "%s:" % (arguments,), r)
        t.check(not os.path.exists(t.path("o")), "%s wrote something" % (arguments,))
    for command in set(CONTRACT) - set(commands(t)):
        t.equal(t.run(command, export).status, 2, command)


@test
def test_exit_status(t):
    """By the highest severity and --fail-on; files are written with 0 and with 1."""
    site = site_of("lync-right")
    for level, status in (("error", 0), ("warning", 0), ("info", 1), ("never", 0)):
        r = t.convert(export_of("lync-right"), t.path(level), "--fail-on", level, site=site)
        t.check(r.status == status, "lync-right, --fail-on %s:" % level, r)
        t.check(set(FILES) <= set(tree(t.path(level))), "files with " + level)
    for level, status in (("error", 1), ("never", 0)):
        t.equal(t.run("check", export_of("exchange-2010"), "-m", site_of("exchange-2010"), "--fail-on", level).status, status, "check " + level)
    t.equal(t.run("check", "--fail-on", "never", export_of("exchange-2010")).status, 0, "options before operands")
    t.equal(t.run("check", export_of("exchange-2010"), "--fail-on=never").status, 0, "options after operands")
    t.equal(t.run("ir", export_of("exchange-2010")).status, 0, "ir has no threshold")


@test
def test_targets(t):
    for target, folder in (("nginx", "nginx"), ("haproxy", "haproxy"), ("publishd", "publishd")):
        t.convert(export_of("exchange-2010"), t.path(target), "-t", target, site=site_of("exchange-2010"))
        folders = {n.split("/")[0] for n in tree(t.path(target)) if "/" in n}
        t.equal(folders, {folder}, "-t " + target)
    t.convert(export_of("exchange-2010"), t.path("two"), "-t", "haproxy,nginx", site=site_of("exchange-2010"))
    t.equal({n.split("/")[0] for n in tree(t.path("two")) if "/" in n}, {"nginx", "haproxy"}, "-t haproxy,nginx")


@test
def test_output_folder(t):
    """Old files are replaced, those no longer written are removed, others stay; what is the same is not written again."""
    out, export, site = t.path("deep/er/out"), export_of("exchange-2010"), site_of("exchange-2010")
    t.convert(export, out, site=site)
    first = tree(out)
    stamps = {n: os.lstat(os.path.join(out, n)).st_mtime_ns for n in first}
    t.write("deep/er/out/mine.txt", "mine")
    t.write("deep/er/out/nginx/mine.conf", "mine")
    t.convert(export, out, site=site)
    t.equal({n: os.lstat(os.path.join(out, n)).st_mtime_ns for n in first}, stamps, "unchanged files keep their time stamps")
    t.write("deep/er/out/policy.yaml", "old")
    t.convert(export, out, "-t", "nginx", site=site)
    now = tree(out)
    t.check(now.get("mine.txt") == b"mine" and now.get("nginx/mine.conf") == b"mine", "others' files stay")
    t.check(not [n for n in now if n.startswith(("haproxy/", "publishd/"))], "files of the earlier run are removed:", sorted(now))
    t.check(now.get("policy.yaml") == first["policy.yaml"], "an old file is replaced")
    before = tree(out)
    r = t.convert(t.write("broken.xml", read(export)[:5000]), out, site=site)
    t.check(r.status == 2 and tree(out) == before, "a failure leaves the folder as it was", r)
    t.write("file", "x")
    t.check(t.convert(export, t.path("file"), site=site).status == 2, "-o names a file")
    t.check(read(t.path("file")) == b"x", "the file is untouched")


@test
def test_standard_input(t):
    export = read(export_of("busy-array"))
    t.check(t.run("ir", "-", stdin=export).status == 0, "ir -")
    policy = t.run("ir", export_of("busy-array")).out
    t.check(t.run("ir", "-", stdin=policy).out == policy, "a policy on standard input")
    t.check(t.run("convert", "-", "-o", t.path("o"), stdin=export).status == 1, "convert -")
    t.check(t.run("check", "-", stdin=b"").status == 2, "empty standard input")


@test
def test_findings_lines(t):
    """file:line: severity: ... [code name; targets], and the line is one of that export."""
    pattern = re.compile(r'^(.*?\.(?:xml|yaml))(?::(\d+))?: (?:error|warning|info): .+ \[TMG\d{4} [a-z0-9-]+(?:; (?:nginx|haproxy|publishd)(?:, (?:nginx|haproxy|publishd))*)?(?:; accepted: .*)?\]$')
    for sample in SAMPLES:
        r = t.run("check", export_of(sample), "-m", site_of(sample), "-v")
        lines = r.err.decode().splitlines()
        count = read(export_of(sample)).count(b"\n")
        t.check(re.fullmatch(r"\d+ errors?, \d+ warnings?, \d+ infos?.*", lines[-1]), "last line of " + sample, lines[-1])
        for line in lines[:-1]:
            m = pattern.match(line)
            t.check(m and int(m.group(2) or 1) <= count, "form of the line", line)
    t.check(b"\x1b" in t.run("check", export_of("busy-array"), "--color", "always").err, "--color always")
    t.check(b"\x1b" not in t.run("check", export_of("busy-array")).err, "no colours into a pipe")


@test
def test_capabilities(t):
    import json
    table = json.loads(t.run("capabilities", "--format", "json").out)
    t.check(len(table if isinstance(table, list) else table.get("settings", [])) >= 100, "at least a hundred settings")
    t.check(t.run("capabilities").out and t.run("capabilities", "--format", "markdown").out.count(b"|") > 500, "text and markdown")
    t.check(t.run("capabilities", "-t", "nginx").out != t.run("capabilities").out, "one target")


@test
def test_report_json(t):
    """report.json holds every finding that check prints."""
    import json
    t.convert(export_of("exchange-2010"), t.path("o"), site=site_of("exchange-2010"))
    report = json.loads(read(t.path("o", "report.json")))
    found = {re.sub(r"\D", "", str(f["code"])) for f in report["findings"]}
    printed = {c[3:] for c in codes(t.run("check", export_of("exchange-2010"), "-m", site_of("exchange-2010"), "-v"))}
    t.equal(found, printed, "codes")
