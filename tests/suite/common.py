"""What all tests use: the registry, a test's own folder and its checks, running tmgc and the proxies."""
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLES = sorted(d for d in os.listdir(os.path.join(TOP, "samples")) if os.path.isfile(os.path.join(TOP, "samples", d, "export.xml")))
FILES = ("nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml", "policy.yaml", "report.txt", "report.json", "report.sarif", "report.html")
REAL = os.path.join(TOP, "..", "shared", "real")

sys.path.insert(0, os.path.join(TOP, "tests"))
import ports
registry = []
THOROUGH = int(os.environ.get("TMGC_THOROUGH", "1"))   # so many times as many random inputs; hostile strings: 18 is every one in every place


def test(function):
    registry.append((function.__name__.removeprefix("test_").replace("_", "-"), function, ()))
    return function


def test_each(*variants):
    """Registers the function once for each variant, which it gets as its second argument."""
    def register(function):
        base = function.__name__.removeprefix("test_").replace("_", "-")
        registry.extend(("%s %s" % (base, v), function, (v,)) for v in variants)
        return function
    return register


class Result:
    """What a program gave."""
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return "status %d, stderr: %s" % (self.status, self.err[-1500:].decode("utf-8", "replace"))


class Test:
    """Given to each test: a temporary folder, checks that count, a note for the line that is printed."""
    def __init__(self, name, build, asan):
        self.name, self.build, self.asan = name, build, asan
        self.passed, self.failures, self.note = 0, [], ""
        self.dir = tempfile.mkdtemp(prefix="tmgc-test-")
        self.tmgc = os.path.join(build, "tmgc")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        ports.let_go()

    def check(self, condition, message, *details):
        if condition:
            self.passed += 1
        else:
            self.failures.append(" ".join([message] + [str(d) for d in details]))
        return condition

    def equal(self, got, expected, message):
        return self.check(got == expected, "%s: got %r, expected %r" % (message, got, expected))

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def write(self, name, content):
        full = self.path(name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode("utf-8"))
        return full

    def run(self, *arguments, stdin=b"", cwd=None, env=None, timeout=300, program=None):
        p = subprocess.run((program or self.tmgc,) + arguments, input=stdin, capture_output=True, cwd=cwd, timeout=timeout,
                           env=dict(os.environ, **env) if env else None)
        return Result(p.returncode, p.stdout, p.stderr)

    def convert(self, export, out, *more, site=None, **options):
        return self.run("convert", export, *(("-m", site) if site else ()), "-o", out, *more, **options)

    def localised(self, sample):
        """A site map that puts the sample on loopback; made once a test and sample."""
        from localise import localise
        folder = self.path("local-" + sample)
        if not os.path.isdir(folder):
            localise(export_of(sample), site_of(sample), folder)
        return os.path.join(folder, "site.yaml")

    def accepted(self, out, what):
        """nginx, HAProxy and publishd take the configs in out, without a warning."""
        nginx = nginx_test(out)
        self.check(nginx.status == 0 and not re.search(rb"\[(warn|emerg|alert|crit|error)\]", nginx.err), "nginx -t, %s:" % what, nginx)
        if os.path.exists(os.path.join(out, "nginx", "stream.conf")):
            streams = stream_test(out)
            self.check(streams.status == 0 and not re.search(rb"\[(warn|emerg|alert|crit|error)\]", streams.err), "nginx -t of stream.conf, %s:" % what, streams)
        haproxy = haproxy_test(out)
        self.check(haproxy.status == 0 and not re.search(rb"WARNING|ALERT", haproxy.err + haproxy.out), "haproxy -c, %s:" % what, haproxy)
        publishd = self.publishd_test(out)
        self.check(publishd.status == 0 and not publishd.err, "publishd -t, %s:" % what, publishd)

    def publishd_test(self, out):
        return run_program(os.path.join(self.build, "publishd"), "-t", "-c", os.path.join(out, "publishd", "publishd.yaml"))


def run_program(*command):
    p = subprocess.run(command, capture_output=True, timeout=120, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
    return Result(p.returncode, p.stdout, p.stderr)


def nginx_test(out):
    """nginx -t, as it is for root; others cannot write to the system's places that nginx tries."""
    config = os.path.join(out, "nginx", "nginx.conf")
    if os.geteuid() == 0:
        return run_program("nginx", "-t", "-c", config)
    from localise import own_folders
    with tempfile.TemporaryDirectory() as folder:
        own = os.path.join(folder, "nginx.conf")
        with open(own, "w") as changed:
            changed.write(own_folders(read(config).decode(), folder))
        return run_program("nginx", "-t", "-e", "stderr", "-c", own, "-g", "pid %s/pid;" % folder)


def stream_test(out):
    """nginx -t of stream.conf, which opens its sockets: each at an address of its own, where nobody else is."""
    network, numbers = ports.own_network(), itertools.count(1)

    def elsewhere(m):
        port = m.group(1) if os.geteuid() == 0 else str(20000 + int(m.group(1)) % 10000)
        return "listen %s.%d:%s%s" % (network, next(numbers) % 250 + 2, port, m.group(2) if os.geteuid() == 0 else "")

    with tempfile.TemporaryDirectory() as folder:
        own = os.path.join(folder, "stream.conf")
        with open(own, "w") as changed:
            changed.write(re.sub(r"\blisten (?:[0-9.]+:)?(\d+)((?:-\d+)?)", elsewhere, read(os.path.join(out, "nginx", "stream.conf")).decode()))
        return run_program("nginx", "-t", "-e", "stderr", "-c", own, "-g", "pid %s/pid;" % folder)


def haproxy_test(out):
    return run_program("haproxy", "-c", "-f", os.path.join(out, "haproxy", "haproxy.cfg"))


def export_of(sample):
    return os.path.join(TOP, "samples", sample, "export.xml")


def site_of(sample):
    return os.path.join(TOP, "samples", sample, "site.yaml")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def tree(folder):
    """{relative name: content, or the target of a symbolic link} of everything below a folder."""
    found = {}
    for where, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(where, name)
            found[os.path.relpath(full, folder)] = ("link", os.readlink(full)) if os.path.islink(full) else read(full)
    return found


def differing(a, b):
    """Names under which two trees differ."""
    return sorted(n for n in a.keys() | b.keys() if a.get(n) != b.get(n))


def schema_errors(schema, value):
    """What is not valid by a JSON schema."""
    try:
        import jsonschema
    except ImportError:                  # Debian's, where another Python comes first
        sys.path.append("/usr/lib/python3/dist-packages")
        import jsonschema
    validator = jsonschema.validators.validator_for(schema)(schema)
    return ["/".join(map(str, e.path)) + ": " + e.message[:200] for e in validator.iter_errors(value)]


def codes(result):
    """The set of finding codes on standard error."""
    return set(re.findall(r"\[(TMG\d{4})", result.err.decode("utf-8", "replace")))
