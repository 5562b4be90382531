"""The samples: what they convert to, what the proxies say to it, and that the result does not depend on chance."""
import json
import os
import shutil
from .common import FILES, REAL, SAMPLES, TOP, codes, differing, export_of, read, site_of, test, test_each, tree


@test_each(*SAMPLES)
def test_golden(t, sample):
    """The configs are those that are checked in (`make goldens` writes them), and come out of the policy as well."""
    r = t.convert(export_of(sample), t.path("out"), site=site_of(sample))
    t.check(r.status in (0, 1), "convert", r)
    got = tree(t.path("out"))
    t.check(set(FILES) <= got.keys(), "files are missing: %s" % (set(FILES) - got.keys()))
    wrong = differing(got, tree(os.path.join(TOP, "samples", sample, "out")))
    t.check(not wrong, "differs from samples/%s/out: %s (make goldens, then read the difference)" % (sample, ", ".join(wrong)))
    json.loads(got["report.json"])
    policy = t.run("ir", export_of(sample))
    t.equal(policy.status, 0, "ir")
    t.check(policy.out == got["policy.yaml"], "ir and policy.yaml differ")
    edited = t.write("edited.yaml", policy.out)
    t.check(t.run("ir", edited).out == policy.out, "the policy, read and written, differs")
    t.convert(edited, t.path("again"), site=site_of(sample))
    wrong = differing(got, tree(t.path("again")))
    t.check(not wrong, "the policy converts to something else: %s" % ", ".join(wrong))


@test_each(*SAMPLES)
def test_accepted(t, sample):
    r = t.convert(export_of(sample), t.path("out"), site=t.localised(sample))
    t.check(r.status in (0, 1), "convert", r)
    t.accepted(t.path("out"), sample)


@test
def test_site_skeleton(t):
    """A skeleton is a site map that tmgc reads, and that its own checks take."""
    for sample in SAMPLES:
        r = t.run("site", export_of(sample))
        t.equal(r.status, 0, "site of " + sample)
        skeleton = t.write(sample + ".yaml", r.out)
        r = t.run("check", export_of(sample), "-m", skeleton)
        t.check(r.status in (0, 1), "check with the skeleton of " + sample, r)


@test
def test_determinism(t):
    """Twice, from another folder, with other names for the same files, in another environment: the same bytes."""
    for sample in ("busy-array", "exchange-2010"):
        folder = t.path(sample)
        shutil.copytree(os.path.join(TOP, "samples", sample), folder, symlinks=True)
        t.convert(export_of(sample), t.path("a"), site=site_of(sample))
        t.convert("export.xml", "b", site="./site.yaml", cwd=folder, env={"TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": "/"})
        with open(export_of(sample), "rb") as f:
            t.convert("-", t.path("c"), site=site_of(sample), stdin=f.read())
        t.check(tree(t.path("a")) == tree(os.path.join(folder, "b")), "another folder changes the result of " + sample)
        stdin, named = tree(t.path("c")), tree(t.path("a"))
        for name in ("nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml"):
            t.check(stdin[name].replace(b"<stdin>", b"export.xml").replace(b"stdin", b"export.xml") == named[name], "standard input changes %s of %s" % (name, sample))
        shutil.rmtree(t.path("a")), shutil.rmtree(t.path("c"))


@test
def test_expected_findings(t):
    """Each sample shows what it is there for."""
    expected = {
        "lync-right": (set(), {"TMG5001", "TMG5002"}),
        "lync-no-host-header": ({"TMG5001"}, {"TMG5002"}),
        "lync-names-missing": ({"TMG5002"}, {"TMG5001"}),
        "exchange-2010": ({"TMG2031", "TMG4001", "TMG5003", "TMG5004"}, {"TMG6001", "TMG6002", "TMG1003"}),
        "sharepoint": ({"TMG2033", "TMG4001", "TMG3030"}, {"TMG6001", "TMG1003"}),
        "busy-array": ({"TMG5005", "TMG4001", "TMG1012"}, {"TMG6001", "TMG1003", "TMG4003"}),
        "branch-services": ({"TMG2060", "TMG2062", "TMG2063", "TMG2064", "TMG4060", "TMG3061"}, {"TMG1002", "TMG1003", "TMG1060", "TMG6008"}),
        "lone-listener": ({"TMG1001"}, {"TMG6001"}),
        "isa-2006": ({"TMG4010", "TMG4001"}, {"TMG6001", "TMG1003"}),
    }
    for sample, (there, absent) in expected.items():
        found = codes(t.run("check", export_of(sample), "-m", site_of(sample)))
        t.check(there <= found, "%s lacks findings" % sample, there - found)
        t.check(not absent & found, "%s has findings that it should not have" % sample, absent & found)
        t.check("TMG1002" not in found, "%s has unknown elements" % sample)


@test
def test_real_exports(t):
    """The two real listener exports, where they are at hand."""
    names = sorted(n for n in os.listdir(REAL) if n.endswith(".xml")) if os.path.isdir(REAL) else []
    t.note = "%d exports" % len(names)
    t.check(True, "without them there is nothing to do")
    for name in names:
        export = os.path.join(REAL, name)
        r = t.convert(export, t.path(name))
        t.equal(r.status, 1, "no rules: exit status of " + name)
        t.check(codes(r) >= {"TMG1001"} and "TMG1002" not in codes(r), "findings of " + name, r)
        guid = read(export).split(b"ExportItemStorageName", 1)[1].split(b">", 1)[1].split(b"<", 1)[0].decode()
        site = t.write("site.yaml", 'site: 1\nlisteners:\n  "%s":\n    addresses: [127.0.0.1]\n    http: 18080\n' % guid)
        t.check(t.convert(export, t.path(name), site=site).status == 1, "convert with a site map")
        t.accepted(t.path(name), name)
