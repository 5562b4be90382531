"""`tmgc verify` as a guest on the machine: killed it leaves nothing, and ten at once do not disturb each other. Its reports; `explain --live`."""
import json
import os
import random
import signal
import subprocess
import time
from .common import THOROUGH, TOP, export_of, read, schema_errors, site_of, test

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
    for i in range(9 * THOROUGH):
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
    """Three at once, or TMGC_THOROUGH times as many: each gets what it gets alone."""
    running = []
    for i in range(3 * THOROUGH):
        folder = t.path("together%d" % i)
        os.mkdir(folder)
        running.append((folder, subprocess.Popen([t.tmgc, "verify", POLICY, "--format", "json", "-j", "2"], stdout=subprocess.PIPE,
                                                 stderr=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=folder))))
    outputs = set()
    for folder, p in running:
        out = p.communicate(timeout=280)[0]
        outputs.add(out)
        t.check(p.returncode == 0, "one of them disagreed or failed:", p.returncode, out[-600:])
        t.check(gone(folder), "one of them left:", os.listdir(folder))
    t.check(len(outputs) == 1, "they gave %d different reports" % len(outputs))
    report = json.loads(outputs.pop())
    t.note = "%d probes to each target, %d times at once" % (report["probes"], len(running))


@test
def test_verify_reports(t):
    """-o: the reports that convert writes, and the proof in them; nothing else in the folder is touched."""
    export, site, out = export_of("lync-right"), site_of("lync-right"), t.path("out")
    t.convert(export, out, "-q", site=site)
    before = json.loads(read(out + "/report.json"))
    config = read(out + "/nginx/nginx.conf")
    r = t.run("verify", export, "-m", site, "-o", out, "--format", "json")
    t.check(r.status == 0, "verify -o:", r)
    after = json.loads(read(out + "/report.json"))
    wrong = schema_errors(json.loads(read(os.path.join(TOP, "docs", "report.schema.json"))), after)
    t.check(not wrong, "report.json is not valid by its schema:", wrong[:3])
    t.equal(after.pop("verify"), json.loads(r.out), "the result in report.json is the one that was printed")
    t.equal(after, before, "the rest of report.json")
    t.equal(read(out + "/nginx/nginx.conf"), config, "the configs stay")
    page = read(out + "/report.html").decode()
    t.check('<section id="proof"' in page and '<a href="#proof">Proof</a>' in page, "the section in report.html")
    both = [c for c in json.loads(r.out)["coverage"] if c["condition"] != "rule" and c["seen_true"] and c["seen_false"]]
    t.equal(page.count("seen both ways"), len(both), "coverage of each rule's conditions")
    broken = config.decode().replace("location / { return 403; }", "location / { return 404; }").replace("proxy_ssl_verify on", "proxy_ssl_verify off")
    t.write("out/nginx/nginx.conf", broken)
    r = t.run("verify", export, "-m", site, "-t", "nginx", "--configs", out, "-o", t.path("proof"), "--format", "json")
    t.equal(r.status, 1, "a broken config")
    page = read(t.path("proof", "report.html")).decode()
    found = [c for c in json.loads(r.out)["cases"] if c["verdict"] == "disagreed"]
    t.check(found and page.count("curl -sk") == min(len(found), 200), "each disagreement with its curl command:", len(found), page.count("curl -sk"))
    t.equal(sorted(os.listdir(t.path("proof"))), ["report.html", "report.json"], "only the reports are written")


@test
def test_explain_live(t):
    """What the programs answered, that it agrees, and what did not run."""
    export, site = export_of("busy-array"), site_of("busy-array")
    url = "https://shop.fabrikam.example/images/logo.png"
    r = t.run("explain", export, url, "-m", site, "--live")
    t.check(r.status == 0 and r.out.count(b"  live  ") == 3, "a line a target", r, r.out.decode())
    t.equal(r.out.count(b"/images/logo.png, Host shop.fabrikam.example: agrees"), 3, "all agree: " + r.out.decode())
    r = t.run("explain", export, url, "-m", site, "--live", "--format", "json")
    for target, said in json.loads(r.out)["targets"].items():
        live = said["live"]
        if t.check(live["ran"], target + " ran"):
            t.equal((live["verdict"], live["status"], live["forwarded"]["target"], live["forwarded"]["host_field"]),
                    ("agreed", 200, "/images/logo.png", "shop.fabrikam.example"), target)
    t.convert(export, t.path("out"), "-q", "--fail-on", "never", site=site)
    text = read(t.path("out", "nginx", "nginx.conf")).decode()
    t.write("out/nginx/nginx.conf", text.replace("Host $http_host", "Host $host"))
    r = t.run("explain", export, url.replace(".example/", ".example.:443/"), "-m", site, "--live", "-t", "nginx", "--configs", t.path("out"))
    t.check(r.status == 1 and b"DISAGREES" in r.out and b"expected " in r.out, "a broken config", r, r.out.decode())
    empty = t.path("empty")
    os.mkdir(empty)
    r = t.run("explain", export, url, "-m", site, "--live", "--target-binary", "nginx=" + empty + "/nginx")
    t.check(r.status == 2 and b"did not run: " in r.out, "a program that is not there", r, r.out.decode())
    log = t.write("access.log", '203.0.113.7 - - [10/Oct/2025:13:55:36 +0000] "\\x16\\x03\\x01" 400 0\n203.0.113.7 - - [10/Oct/2025:13:55:37 +0000] "GET /images/ HTTP/1.1" 200 5\n')
    r = t.run("explain", export, "-m", site, "--requests", log, "--host", "shop.fabrikam.example", "--live")
    t.check(r.status == 0 and b"1 requests, 0 of them answered by no rule" in r.out and b"\nhaproxy   1 agreed" in r.out and b"\npublishd  1 agreed" in r.out, "a log with noise", r, r.out.decode())
