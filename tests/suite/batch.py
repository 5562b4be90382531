"""tmgc batch: many inputs, some of them broken; twice the same; interrupted. TMGC_BATCH says how many (default 120; `tests/batch.py`
measures 1,000)."""
import json
import os
import signal
import subprocess
import sys
import time
from .common import SAMPLES, TOP, export_of, read, site_of, test, tree

COUNT = int(os.environ.get("TMGC_BATCH", "120"))


def make_inputs(t, count, broken_every=20):
    """Small exports in folders; every twentieth is cut, so that it still looks like one. Gives their names and the broken ones."""
    p = subprocess.run([sys.executable, os.path.join(TOP, "tests", "gen_export.py"), "2"], capture_output=True, check=True)
    names, broken = [], []
    for n in range(count):
        name = "in/%02d/branch-%04d.xml" % (n % 7, n)
        data = p.stdout.replace(b"contoso", b"branch%d" % n)
        bad = n % broken_every == broken_every - 1
        t.write(name, data[:len(data) * 2 // 3] if bad else data)
        (broken if bad else names).append("branch-%04d" % n)
    return names, broken


def stamps(folder):
    return {os.path.join(w, f): os.stat(os.path.join(w, f)).st_mtime_ns for w, _, files in os.walk(folder) for f in files}


@test
def test_batch(t):
    """Each good one has what convert gives, each bad one is named, and a second run touches nothing."""
    good, broken = make_inputs(t, COUNT)
    t.write("in/readme.txt", "not an export")
    t.write("in/site.yaml", "site: 1\n")
    out = t.path("out")
    r = t.run("batch", t.path("in"), "-o", out, "--fail-on", "never")
    t.equal(r.status, 1, "broken ones give 1: %s" % r)
    summary = json.loads(read(os.path.join(out, "summary.json")))
    t.equal(sorted(i["folder"] for i in summary["inputs"] if i["failed"]), sorted(broken), "the broken ones")
    t.equal(sorted(i["folder"] for i in summary["inputs"] if not i["failed"]), sorted(good), "the good ones")
    t.equal(summary["totals"]["skipped_files"], 2, "skipped files")
    t.check(all(b.encode() in r.err for b in broken), "every broken one is reported")
    t.equal(sorted(n for n in os.listdir(out) if os.path.isdir(os.path.join(out, n))), sorted(good), "folders")
    one = summary["inputs"][0]
    t.convert(one["input"], t.path("one"))
    t.equal(tree(t.path("one")), tree(os.path.join(out, one["folder"])), "the same as convert")
    before = stamps(out)
    t.equal(t.run("batch", t.path("in"), "-o", out, "-j", "3", "--fail-on", "never", "--format", "csv").out, read(os.path.join(out, "summary.csv")), "CSV")
    t.equal(stamps(out), before, "a second run changes no time stamp")
    for text in ("txt", "csv", "html"):
        t.check(os.path.getsize(os.path.join(out, "summary." + text)) > 200, "summary." + text)


@test
def test_batch_check(t):
    good, _ = make_inputs(t, 8, 100)
    out = t.path("out")
    t.equal(t.run("batch", t.path("in"), "-o", out, "--check").status, 1, "nothing is there")
    t.check(not os.path.exists(out), "--check writes nothing")
    t.run("batch", t.path("in"), "-o", out)
    t.equal(t.run("batch", t.path("in"), "-o", out, "--check", "-q").status, 0, "all is as it should be")
    t.write("out/%s/nginx/nginx.conf" % good[3], "changed")
    before = tree(out)
    r = t.run("batch", t.path("in"), "-o", out, "--check")
    t.check(r.status == 1 and (good[3] + "/nginx/nginx.conf: would change").encode() in r.err, "the changed one is named:", r)
    t.equal(tree(out), before, "--check leaves it")
    one, dir_ = export_of("busy-array"), t.path("one")
    t.convert(one, dir_)
    t.equal(t.convert(one, dir_, "--check").status, 0, "convert --check, unchanged")
    t.equal(t.convert(one, dir_, "--check", "-t", "nginx").status, 1, "convert --check, other targets")
    t.check(os.path.exists(os.path.join(dir_, "haproxy", "haproxy.cfg")), "convert --check removes nothing")


@test
def test_batch_names(t):
    """Folders are named after files; where those are alike, after paths; the order of the operands does not matter."""
    data = read(export_of("lone-listener"))
    for name in ("a/export.xml", "b/export.xml", "b/c/export.xml", "b-c/export.xml", "single.xml", "UPPER.xml", "upper.yml.xml", "-dash.xml", "sp ace.xml", "summary.html.xml"):
        t.write("in/" + name, data)
    r = t.run("batch", t.path("in"), "-o", t.path("out"), "--fail-on", "never", "-q")
    names = sorted(n for n in os.listdir(t.path("out")) if os.path.isdir(t.path("out", n)))
    t.equal(r.status, 0, "names: %s" % r)
    t.equal(len(names), 10, "ten inputs, ten folders: %s" % names)
    t.check({"single", "a-export", "b-export", "dash", "sp-ace"} <= set(names), "names", names)
    files = [os.path.join(w, f) for w, _, fs in os.walk(t.path("in")) for f in fs]
    t.run("batch", *sorted(files), "-o", t.path("x"), "-q")
    t.run("batch", *sorted(files, reverse=True), "-o", t.path("y"), "-q")
    t.equal({k: v for k, v in tree(t.path("x")).items() if not k.startswith("summary.")},
            {k: v for k, v in tree(t.path("y")).items() if not k.startswith("summary.")}, "another order of operands")
    t.equal(t.run("batch", files[0], files[0], os.path.dirname(files[0]), "-o", t.path("z"), "--format", "csv", "-q").out.count(files[0].encode()), 1, "the same file once")


@test
def test_batch_samples(t):
    """Outputs of convert among the inputs are not inputs, and the summary says which target carries what."""
    r = t.run("batch", os.path.join(TOP, "samples"), "-o", t.path("out"), "--format", "json", "--fail-on", "never")
    summary = json.loads(r.out)
    t.equal(sorted(i["folder"] for i in summary["inputs"]), sorted(s + "-export" for s in SAMPLES), "inputs")
    t.equal(summary["fewest_differences"]["publishd"] >= 6, True, "publishd")
    t.check(summary["stops_most_sites"][0]["sites"] >= summary["stops_most_sites"][-1]["sites"], "order of what stops most")
    t.equal(t.run("batch", t.path("nothing"), "-o", t.path("o2")).status, 2, "an input that is not there")
    t.equal(t.run("batch", "-", "-o", t.path("o2")).status, 2, "standard input")
    t.equal(t.run("batch", TOP + "/docs", "-o", t.path("o2")).status, 2, "no export at all")
    bad = t.run("batch", os.path.join(TOP, "samples"), "-m", t.write("site.yaml", "site: 1\nnonsense: 2\n"), "-o", t.path("o2"))
    t.check(bad.status == 2 and bad.err.count(b"nonsense") == 1, "a bad site map is one message:", bad)
    one = t.run("batch", export_of("busy-array"), "-m", site_of("busy-array"), "-o", t.path("o3"), "-t", "nginx")
    t.check(one.status == 1 and not os.path.exists(t.path("o3", "export", "haproxy")), "options of convert:", one)


@test
def test_batch_interrupt(t):
    """Stopped in the middle: what is there is whole, no temporary file, and no worker lives on. Twelve times, as the moment decides."""
    make_inputs(t, COUNT, 10 ** 6)
    whole = None
    for number, wait in [(number, wait / 100) for wait in (3, 5, 8, 15, 25, 35) for number in (signal.SIGTERM, signal.SIGINT)]:
        out = t.path("out-%d-%s" % (number, wait))
        p = subprocess.Popen([t.tmgc, "batch", t.path("in"), "-o", out, "-q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        time.sleep(wait)
        p.send_signal(number)
        p.communicate(timeout=60)
        t.check(p.returncode in (-number, 0, 1), "ends by the signal, or was done: %s" % p.returncode)
        if p.returncode == -number:
            t.check(not os.path.exists(os.path.join(out, "summary.json")), "no summary of a part")
        found = tree(out) if os.path.isdir(out) else {}
        t.check(not [n for n in found if "tmgc-tmp" in n], "temporary files")
        per_input = {}
        for n in found:
            if "/" in n:
                per_input.setdefault(n.split("/")[0], set()).add(n.split("/", 1)[1])
        whole = whole or (max(per_input.values(), key=len) if per_input else None)
        t.check(all(f == whole for f in per_input.values()), "a half-written input")
        alive = [d for d in os.listdir("/proc") if d.isdigit() and group_of(d) == p.pid]
        t.check(not alive, "workers live on", alive)


def group_of(pid):
    try:
        with open("/proc/%s/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
            return int(fields[2]) if fields[0] != "Z" else 0
    except OSError:
        return 0
