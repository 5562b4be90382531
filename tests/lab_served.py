#!/usr/bin/env python3
"""publishd in front of servers that want to know the user: runs inside tests/lab.py run. Usage: tests/lab_served.py BUILD

Prints lines of JSON like tests/lab_cases.py. Every listener's way of signing in meets every delegation: what can work does
so with each user, what cannot is refused when the configuration is read.
"""
import base64
import html
import http.client
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import USERS, HTTP_PORT
from lab_front import equal, lab, say, service

BUILD = sys.argv[1]
PORTS = {"integrated": 7001, "basic": 7002, "ntlm": 7003, "form": 7004, "passcode": 7005}
FORMS = ("form", "passcode")                 # over TLS; passcode: checked by RADIUS, with a password beside it
PATHS = {"pass": "anon", "block": "anon", "basic": "basic", "ntlm": "ntlm", "negotiate": "krb", "kerberos": "krb", "kept": "kept"}
DELEGATIONS = tuple(PATHS)[:6]
SENT = {"pass": "", "block": "", "basic": "Basic", "ntlm": "NTLM", "negotiate": "Negotiate", "kerberos": "Negotiate"}      # the scheme that the server gets
MOODS, MOODY = ("says", "forgets", "closes", "via", "retracts"), 7010          # what a server does that says it knows the user; where
POSSIBLE = {"integrated": ("pass", "block", "kerberos"), "ntlm": ("pass", "block", "kerberos"), "basic": DELEGATIONS, "form": DELEGATIONS, "passcode": DELEGATIONS}
NOT_IN = {name: 302 if name in FORMS else 401 for name in PORTS}            # what who has not signed in is answered with
AUTHENTICATION = {"integrated": "integrated: true, offer: [negotiate, ntlm]", "ntlm": "integrated: true, offer: [ntlm]", "basic": "basic: true", "form": "forms: ad, validator: ad",
                  "passcode": "forms: radius-otp, validator: radius"}


def configuration(pairs, more=""):
    text = service(2, ('radius: {servers: ["%s:11812"], secret: %s}' % (lab.ip, lab.path("radius", "secret")),)) + "listeners:\n"
    for name, port in PORTS.items():
        tls = ", chain: %s, key: %s" % (lab.path("tls", "front.pem"), lab.path("tls", "front.key")) if name in FORMS else ""
        text += "  - name: %s\n    sockets: [{address: 127.0.0.1, port: %d%s}]\n    authentication: {%s%s, domain: LAB}\n" % (
            name, port, tls, AUTHENTICATION[name], "" if name in FORMS else ", over_http: true, validator: ad")
    text += "user_sets:\n  - name: All Authenticated Users\n  - name: Web\n    groups: [\"LAB\\\\webusers\"]\nrules:\n"
    for listener, delegation in pairs:
        for users, part in (("All Authenticated Users", "all"), ("Web", "web")):
            text += rule(listener, delegation, users, "/%s-%s/*" % (delegation, part), "http/back.lab.test")
        if delegation == "kerberos":
            text += rule(listener, delegation, "All Authenticated Users", "/other/*", "HTTP/other.lab.test")
            text += rule(listener, delegation, "All Authenticated Users", "/nobody/*", "HTTP/nobody.lab.test")
        if (listener, delegation) == ("basic", "kerberos"):
            text += rule(listener, delegation, "All Authenticated Users", "/kept-all/*", "http/back.lab.test", inside="kept")
            for how, inside in (("ntlm", "ntlm"), ("negotiate", "kept")):
                text += rule(listener, how, None, "/anyone-%s/*" % how, "http/back.lab.test", inside=inside)
            text += rule(listener, delegation, "All Authenticated Users", "/mood/*", "http/back.lab.test", inside="mood", at=("127.0.0.1", MOODY))
    return text + more


def rule(listener, delegation, users, path, spn, inside=None, at=(lab.ip, HTTP_PORT)):
    return """  - name: %s %s
    listener: %s
    all_names: true
    paths: [{external: %s, internal: /%s/*}]
    %s
    site: back.lab.test
    upstream: {port: %d, servers: [{connect: "%s", port: %d}]}
    delegation: %s
    spns: [%s]
""" % (listener, path, listener, path, inside or PATHS[delegation], "users: [%s]" % users if users else "", at[1], *at, delegation, spn)


class Served:
    def __init__(self, text):
        self.file = lab.path("run", "publishd.yaml")
        with open(self.file, "w") as f:
            f.write(text)

    def __enter__(self):
        self.err = open(lab.path("run", "publishd.err"), "w+")
        self.p = subprocess.Popen([os.path.join(BUILD, "publishd"), "-f", "-c", self.file], stderr=self.err, env=lab.sanitized())
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", PORTS["integrated"])) == 0:
                    return self
            time.sleep(0.05)
        self.p.kill()
        self.err.seek(0)
        raise RuntimeError(self.err.read())

    def __exit__(self, *_):
        self.p.terminate()
        equal("publishd ends well", self.p.wait(60), 0)
        self.err.seek(0)
        text = self.err.read()
        say("no sanitizer says anything", "Sanitizer" not in text and "runtime error" not in text, text)


def curl(listener, path, *options, env=None):
    port = PORTS[listener]
    p = subprocess.run(["curl", "-sk", "-m", "30", "--noproxy", "*", "--resolve", "front.lab.test:%d:127.0.0.1" % port, "-w", "\n%{http_code}", *options,
                        "http%s://front.lab.test:%d%s" % ("s" if listener in FORMS else "", port, path)], capture_output=True, env={**os.environ, **(env or {})})
    text, _, status = p.stdout.decode().rpartition("\n")
    try:
        said = json.loads(text)
    except ValueError:
        said = {"text": text}
    return int(status or 0), said


BROWSER = ("-A", "Mozilla/5.0")


def by_form(listener, user, password):
    """Fills in the form: a browser with the session that comes of it, if any does."""
    jar = lab.path("run", "jar")
    for old in (jar,) if os.path.exists(jar) else ():
        os.remove(old)
    _, page = curl(listener, "/.publishd/sign-in", *BROWSER, "-c", jar)
    token = html.unescape(re.search(r'name="token" value="([^"]+)"', page["text"]).group(1))
    values = {"token": token, "url": "/", "user": user, "password": password, "passcode": password}
    curl(listener, "/.publishd/sign-in", *BROWSER, "-b", jar, "-c", jar, "-H", "Origin: https://front.lab.test:%d" % PORTS[listener],
         *[a for k, v in values.items() for a in ("--data-urlencode", "%s=%s" % (k, v))])
    return (*BROWSER, "-b", jar), None


def sign_in(listener, user, password=None):
    """Options and environment of curl for that user."""
    if listener in FORMS:
        return by_form(listener, user, password or USERS.get(user, ("Some.Pw1",))[0])
    name = "LAB\\%s:%s" % (user, password or USERS.get(user, ("Some.Pw1",))[0])
    if listener == "integrated":
        return ("--negotiate", "-u", ":"), {"KRB5CCNAME": lab.ticket(user)}
    return ("--ntlm" if listener == "ntlm" else "--basic", "-u", name), None


def seen(delegation, user):
    return "" if PATHS[delegation] == "anon" else user + "@LAB.TEST" if PATHS[delegation] in ("krb", "kept") else "LAB\\" + user


# ---- every listener, every delegation ------------------------------------------------------------------------
def refused_at_load():
    for listener, delegation in itertools.product(PORTS, DELEGATIONS):
        if delegation in POSSIBLE[listener]:
            continue
        s = Served(configuration([(listener, delegation)]))
        p = subprocess.run([os.path.join(BUILD, "publishd"), "-t", "-c", s.file], capture_output=True, text=True)
        say("%s with %s is refused, and why" % (listener, delegation),
            p.returncode == 1 and "delegation: %s cannot work with the listener \"%s\"" % (delegation, listener) in p.stderr and "what works is kerberos" in p.stderr, p.stderr)
    s = Served(configuration([("integrated", "kerberos")]).replace("    kerberos: {", "    ntlm_users: x\n    passwords: /dev/null\n    #"))
    p = subprocess.run([os.path.join(BUILD, "publishd"), "-t", "-c", s.file], capture_output=True, text=True)
    say("kerberos without a keytab is refused", p.returncode == 1, p.stderr)


def matrix():
    for listener in PORTS:
        for delegation in POSSIBLE[listener]:
            for user in ("alice", "bob") + (("zoë",) if listener != "ntlm" else ()):
                options, env = sign_in(listener, user)
                for body in ((), ("-d", "x" * 1000), ("-X", "POST", "-d", ""))[:{"form": 2, "passcode": 1}.get(listener, 3)]:
                    status, said = curl(listener, "/%s-all/" % delegation, *options, *body, env=env)
                    n = 1000 if len(body) == 2 else 0
                    if listener == "integrated" and len(body) == 4:      # one leg says all: asked once more for the body that it may keep back (6.2)
                        equal("integrated, %s, %s, an empty POST with a ticket" % (delegation, user), status, 401, said)
                        continue
                    equal("%s, %s, %s, %s" % (listener, delegation, user, ("GET", "", "POST", "", "an empty POST")[len(body)]),
                          (status, said.get("user"), said.get("method"), len(said.get("body", "?" * 9))),
                          (200, seen(delegation, user), "POST" if body else "GET", n), said)
                    equal("%s, %s: what the server gets of credentials" % (listener, delegation),
                          said.get("headers", {}).get("authorization", "").partition(" ")[0], SENT[delegation], said)
                status, said = curl(listener, "/%s-web/" % delegation, *options, env=env)
                equal("%s, %s, %s, for webusers" % (listener, delegation, user), status, 200 if user == "bob" else 403, said)
            before = lab.requests("/")
            for user in ("dan", "frank", "gina", "nobody", "alice") if listener != "passcode" else ("nobody", "alice"):
                if listener != "integrated" and (listener not in FORMS or delegation == "kerberos"):
                    options, env = sign_in(listener, user, "Nothing.Pw1" if user == "alice" else None)
                    equal("%s, %s, %s may not sign in" % (listener, delegation, user), curl(listener, "/%s-all/" % delegation, *options, env=env)[0], NOT_IN[listener])
            equal("%s, %s, nobody" % (listener, delegation), curl(listener, "/%s-all/" % delegation, *BROWSER)[0], NOT_IN[listener])
            equal("%s, %s: no server heard of them" % (listener, delegation), lab.requests("/"), before)
        for user, path in (("carol", "/kerberos-all/"), ("alice", "/other/"), ("alice", "/nobody/")):
            options, env = sign_in(listener, user)
            before = lab.requests("/krb")
            equal("%s: %s to %s" % (listener, user, path), curl(listener, path, *options, env=env)[0], 403)
            equal("%s: %s to %s: no server heard of it" % (listener, user, path), lab.requests("/krb"), before)


def offers():
    for listener, expected in (("integrated", ["Negotiate", "NTLM"]), ("ntlm", ["NTLM"]), ("basic", ["Basic"])):
        c = http.client.HTTPConnection("127.0.0.1", PORTS[listener], timeout=20)
        c.request("GET", "/kerberos-all/")
        r = c.getresponse()
        got = [v.split()[0] for k, v in r.getheaders() if k.lower() == "www-authenticate"]
        equal("%s offers" % listener, (r.status, got), (401, expected))
        c.close()


def checks():
    """publishd --check-delegation USER RULE, --hash-password"""
    s = Served(configuration([("integrated", "kerberos")]))
    for user, path, status, told in (("alice", "kerberos-all", 0, "ticket for http/back.lab.test: ok"), ("carol", "kerberos-all", 1, "may not be sent on"),
                                     ("alice", "other", 1, "msDS-AllowedToDelegateTo"), ("alice", "nobody", 1, "setspn -S"), ("nobody", "kerberos-all", 1, "no such user")):
        p = subprocess.run([os.path.join(BUILD, "publishd"), "-c", s.file, "--check-delegation", user, "integrated /%s/*" % path], capture_output=True, text=True)
        say("--check-delegation %s %s" % (user, path), p.returncode == status and told in p.stdout, p)
    p = subprocess.run([os.path.join(BUILD, "publishd"), "-c", s.file, "--check-delegation", "alice", "none"], capture_output=True, text=True)
    say("--check-delegation of no rule", p.returncode == 1 and "there is no rule" in p.stderr, p)
    p = subprocess.run([os.path.join(BUILD, "publishd"), "--hash-password"], input="Some pass\n", capture_output=True, text=True)
    say("--hash-password", p.returncode == 0 and p.stdout.startswith("$") and "pass" not in p.stdout, p)


# ---- the POST without a body (6.2) -----------------------------------------------------------------------------
def wininet():
    """A client that keeps its body back until it was challenged; tokens by curl's own NTLM, through a recording of its legs."""
    begin = "NTLM " + base64.b64encode(b"NTLMSSP\0\1\0\0\0\x06\x82\x08\0" + bytes(16)).decode()
    before = lab.requests("/krb")
    c = http.client.HTTPConnection("127.0.0.1", PORTS["ntlm"], timeout=20)
    for n in range(3):
        c.request("POST", "/kerberos-all/", body=b"", headers={"Authorization": begin, "Content-Length": "0"})
        r = c.getresponse()
        r.read()
        value = r.getheader("WWW-Authenticate", "")
        equal("an initial token, time %d, is challenged and never forwarded" % n, (r.status, value.startswith("NTLM TlRMTVNTUAACAAAA")), (401, True), value)
    c.close()
    equal("no server heard of it", lab.requests("/krb"), before)
    options, _ = sign_in("ntlm", "alice")
    with open(lab.path("run", "big"), "wb") as f:
        f.write(b"y" * 300000)
    for what, more, n in (("a large body", ("--data-binary", "@" + lab.path("run", "big")), 300000), ("no length", ("-X", "POST"), 0)):
        status, said = curl("ntlm", "/kerberos-all/", *options, *more)
        equal("NTLM with " + what, (status, said.get("user"), len(said.get("body", "?"))), (200, "alice@LAB.TEST", n), str(said)[:200])
    before = lab.requests("/krb")
    p = subprocess.run(["curl", "-s", "-m", "30", "--noproxy", "*", "--resolve", "front.lab.test:7003:127.0.0.1", *options, "-d", "one", "http://front.lab.test:7003/kerberos-all/1",
                        "--next", "-s", "--noproxy", "*", "--resolve", "front.lab.test:7003:127.0.0.1", *options, "-d", "two", "http://front.lab.test:7003/kerberos-all/2"], capture_output=True, text=True)
    bodies = [json.loads(line)["body"] for line in p.stdout.splitlines() if line.startswith("{")]
    equal("two POSTs on a connection, each once with its own body", (bodies, lab.requests("/krb") - before), (["one", "two"], 2), p.stdout)


# ---- servers that know whose a connection is (Persistent-Auth, MS-N2HT) ---------------------------------------------
def asked(c, path, user, body=None, password=None):
    """What the server got, over a connection that stays."""
    basic = base64.b64encode(("LAB\\%s:%s" % (user, password or USERS[user][0])).encode()).decode()
    c.request("POST" if body else "GET", path, body=body, headers={"Authorization": "Basic " + basic})
    r = c.getresponse()
    text = r.read().decode()
    try:
        said = json.loads(text)
    except ValueError:
        said = {"text": text[-300:]}
    said.update(status=r.status, persistent=r.getheader("Persistent-Auth"), token=said.get("headers", {}).get("authorization", "").partition(" ")[0])
    return said


def kept():
    """Apache keeps who it is for the connection, and says so: from then on a request without a body needs no ticket."""
    c, before = http.client.HTTPConnection("127.0.0.1", PORTS["basic"], timeout=30), (None, None)
    for user, body, token, what in (("alice", None, "Negotiate", "the first request"), ("alice", None, "", "the second"), ("alice", b"x" * 500, "Negotiate", "one with a body"),
                                    ("alice", None, "", "and one without"), ("bob", None, "Negotiate", "another user"), ("bob", None, "", "his second"),
                                    ("alice", None, "Negotiate", "the first one again"), ("alice", None, "", "and again")):
        said = asked(c, "/kept-all/", user, body)
        equal("the server keeps who it is: %s" % what, (said["status"], said.get("user"), said["token"], len(said.get("body", "?"))),
              (200, user + "@LAB.TEST", token, len(body or b"")), said)
        equal("the server keeps who it is: %s is not told so to the client" % what, said["persistent"], None)
        equal("the server keeps who it is: %s, over a connection of that user's own" % what, before[1] == said.get("port"), before[0] == user)
        before = user, said.get("port")
    c.close()


def unchecked():
    """A rule for everybody sends on what the client brings, and the server judges (B-27): who signed in a moment ago is no proof."""
    for how, name in (("ntlm", "LAB\\alice"), ("negotiate", "alice@LAB.TEST")):
        c = http.client.HTTPConnection("127.0.0.1", PORTS["basic"], timeout=30)
        for password, passes in ((None, True), (None, True), ("Nothing.Pw1", False), (None, True), ("Nothing.Pw2", False)):
            said = asked(c, "/anyone-%s/" % how, "alice", password=password)
            equal("a rule for everybody, %s, %s password" % (how, "a wrong" if password else "the right"), (said["status"] == 200, said.get("user")),
                  (passes, name if passes else None), said)
        c.close()


class Moody(threading.Thread):
    """A server that takes any ticket, and says for each path what it makes of the connection."""
    def __init__(self):
        super().__init__(daemon=True)
        self.listening = socket.create_server(("127.0.0.1", MOODY))
        self.seen = []                                    # (connection, path, scheme, body)

    def run(self):
        for number in itertools.count():
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(number, connection), daemon=True).start()

    def serve(self, number, connection):
        with connection, connection.makefile("rb") as got:
            while line := got.readline():
                path, fields = line.split()[1].decode(), {}
                while (field := got.readline().strip()):
                    name, _, value = field.decode("latin-1").partition(":")
                    fields[name.lower()] = value.strip()
                body = got.read(int(fields.get("content-length", 0)))
                scheme, mood = fields.get("authorization", "").partition(" ")[0], path.split("/")[2]
                self.seen.append((number, path, scheme, body))
                if not scheme and mood in ("forgets", "closes"):
                    close = "Connection: close\r\n" if mood == "closes" else ""
                    connection.sendall(("HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\n%sContent-Length: 2\r\n\r\nno" % close).encode())
                    if close:
                        return
                    continue
                persistent = "false" if mood == "retracts" and path.endswith("3") else "true"
                via = "Via: 1.1 between\r\n" if mood == "via" else ""
                text = json.dumps({"headers": fields, "body": body.decode()})
                connection.sendall(("HTTP/1.1 200 OK\r\nPersistent-Auth: %s\r\n%sContent-Length: %d\r\n\r\n%s" % (persistent, via, len(text), text)).encode())


def moods():
    server = Moody()
    server.start()
    schemes = {"says": ["Negotiate", "", "", "Negotiate", ""], "forgets": ["Negotiate", "", "Negotiate", "", "Negotiate", "Negotiate", "", "Negotiate"],
               "closes": ["Negotiate", "", "Negotiate", "", "Negotiate", "Negotiate", "", "Negotiate"], "via": ["Negotiate"] * 5,
               "retracts": ["Negotiate", "", "", "Negotiate", "Negotiate"]}
    for mood in MOODS:
        c = http.client.HTTPConnection("127.0.0.1", PORTS["basic"], timeout=30)
        del server.seen[:]
        for n in range(5):
            body = b"its body" if n == 3 else None
            said = asked(c, "/mood/%s/%d" % (mood, n), "alice", body)
            equal("a server that %s: request %d" % (mood, n), (said["status"], said.get("body"), said["persistent"]), (200, "its body" if body else "", None), said)
        equal("a server that %s: what it got" % mood, [scheme for _, _, scheme, _ in server.seen], schemes[mood], server.seen)
        connections = [number for number, *_ in server.seen]
        equal("a server that %s: connections" % mood, len(set(connections)), 4 if mood == "closes" else 1, server.seen)
        c.close()
    server.listening.close()


# ---- who is who, at the same time -----------------------------------------------------------------------------------
def isolation():
    users, wrong, right = [u for u in USERS if u in ("alice", "bob", "zoë", "hana")], [], []
    start = time.monotonic()

    def client(number):
        c = http.client.HTTPConnection("127.0.0.1", PORTS["basic"], timeout=30)
        kinds = ("basic", "ntlm", "negotiate", "kerberos", "kept", "block")
        for k in itertools.count(number):
            if time.monotonic() > start + (2 if len(right) > 100 else 60):
                return
            user, delegation = users[k % len(users)] if number % 2 else users[number // 2 % len(users)], kinds[k % len(kinds)]
            credentials = base64.b64encode(("LAB\\%s:%s" % (user, USERS[user][0])).encode()).decode()
            try:
                c.request("POST" if k % 3 else "GET", "/%s-all/" % delegation, body=b"z" * 50 if k % 3 else None, headers={"Authorization": "Basic " + credentials})
                r = c.getresponse()
                text = r.read()
                got = json.loads(text)["user"] if r.status == 200 else r.status
            except Exception as e:
                got = repr(e)
                c.close()
            (right if got == seen(delegation, user) else wrong).append((user, delegation, got))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    say("each answer names its user: %d answers" % len(right), len(right) > 100 and not wrong, wrong[:5])


def lost():
    options, env = sign_in("basic", "alice")
    equal("before", curl("basic", "/kerberos-all/", *options)[0], 200)
    ticket = sign_in("integrated", "bob")
    lab.stop("samba")
    equal("no KDC: the ticket that is kept", curl("basic", "/kerberos-all/", *options)[1].get("user"), "alice@LAB.TEST")
    equal("no KDC: a password that nobody has checked yet", curl("basic", "/kerberos-all/", *sign_in("basic", "bob", "Other.Pw1")[0])[0], 503)
    lab.start_dc()
    time.sleep(3.2)
    equal("it is back", curl("basic", "/kerberos-all/", *sign_in("basic", "zoë")[0])[1].get("user"), "zoë@LAB.TEST")
    equal("it is back: a client's ticket", curl("integrated", "/kerberos-all/", *ticket[0], env=ticket[1])[1].get("user"), "bob@LAB.TEST")


def main():
    parts = (offers, matrix, wininet, kept, unchecked, moods, isolation, lost)
    try:
        refused_at_load()
        checks()
        with Served(configuration([(l, d) for l in PORTS for d in POSSIBLE[l]])):
            for part in parts:
                start = time.monotonic()
                part()
                print(json.dumps(["seconds", True, "%s %.1f" % (part.__name__, time.monotonic() - start)]), flush=True)
    except Exception:
        import traceback
        say("served", False, traceback.format_exc(limit=4))


main()
