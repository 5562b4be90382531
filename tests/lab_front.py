"""publishd in the lab, for the scripts that run inside tests/lab.py run: checks as lines of JSON, a running publishd, curl."""
import json
import os
import socket
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, USERS, HTTP_PORT, ADMIN

lab = Lab(os.environ["LAB_DIR"])


def say(name, passed, what=""):
    """A check: a line for tests/suite/lab_auth.py."""
    print(json.dumps([name, bool(passed), str(what)[:1500]]), flush=True)
    return passed


def equal(name, got, expected, more=""):
    return say(name, got == expected, "got %r, expected %r %s" % (got, expected, more))


def service(loops, sign_in=(), krb5="krb5.conf"):
    """What a configuration begins with: so many loops, the domain as its directory, guesses without limit; sign_in: more lines of that section."""
    return """publishd: 1
service:
  loops: %d
  forms: {account_limit: 0, address_limit: 0}
  sign_in:
    ad: kerberos
    domains: [{netbios: LAB, realm: LAB.TEST}]
    kerberos: {config: %s, keytab: %s, principal: HTTP/front.lab.test@LAB.TEST}
""" % (loops, lab.path(krb5), lab.path("kt", "front.keytab")) + "".join("    %s\n" % line for line in sign_in)


def run(parts):
    """Each part, with its time; what it raises is a failed check. A name on the command line behind the build: that part alone."""
    for part in parts:
        if len(sys.argv) > 2 and part.__name__ not in sys.argv[2:]:
            continue
        start = time.monotonic()
        try:
            part()
        except Exception:
            say(part.__name__, False, traceback.format_exc(limit=4))
        print(json.dumps(["seconds", True, "%s %.1f" % (part.__name__, time.monotonic() - start)]), flush=True)


class Served:
    """A running publishd with a configuration; port: one that it listens on."""
    def __init__(self, build, text, port, env=None):
        self.build, self.port, self.env, self.file = build, port, env or {}, lab.path("run", "publishd.yaml")
        with open(self.file, "w") as f:
            f.write(text)

    def __enter__(self):
        self.err = open(lab.path("run", "publishd.err"), "w+")
        self.p = subprocess.Popen([os.path.join(self.build, "publishd"), "-f", "-c", self.file], stderr=self.err, env={**lab.sanitized(), **self.env})
        end = time.monotonic() + 30
        while time.monotonic() < end and self.p.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.p.kill()
        raise RuntimeError(self.said())

    def said(self):
        with open(self.err.name) as f:
            return f.read()

    def __exit__(self, *_):
        self.p.terminate()
        equal("publishd ends well", self.p.wait(90), 0)
        say("no sanitizer says anything", "Sanitizer" not in self.said() and "runtime error" not in self.said(), self.said())


def curl(port, path, *options, env=None, scheme="http", host="front.lab.test"):
    """(status, what the server answered, from JSON)."""
    p = subprocess.run(["curl", "-sk", "-m", "60", "--noproxy", "*", "--resolve", "%s:%d:127.0.0.1" % (host, port), "-w", "\n%{http_code}", *options,
                        "%s://%s:%d%s" % (scheme, host, port, path)], capture_output=True, env={**os.environ, **(env or {})})
    text, _, status = p.stdout.decode("utf-8", "replace").rpartition("\n")
    try:
        said = json.loads(text)
    except ValueError:
        said = {"text": text}
    return int(status or 0), said
