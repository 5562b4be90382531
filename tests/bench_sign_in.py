#!/usr/bin/env python3
"""What signing in costs publishd: the part sign-in of tests/bench_serving.py, inside the lab. Usage: tests/lab.py run tests/bench_sign_in.py BUILD

Requests of signed-in users on kept connections beside anonymous ones, constrained delegation beside none, and new sign-ins. One client
in Python plays them all, in turns, so that only publishd differs; the server behind answers 1 KiB to anybody. That client is the slower by
far: publishd waits for it most of the time. So what counts is publishd's CPU time, and the requests that a processor has time for.
Where valgrind is installed, instructions a request in user mode are counted too: those do not depend on anything.
"""
import base64
import os
import re
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench_serving import BACKEND, Counted, Program, backend, certificate
from gss_client import NTLM, SPNEGO, Tokens
from lab import Lab, USERS

PORTS = {"open": 19650, "basic": 19651, "integrated": 19652, "open TLS": 19653, "form": 19654}
TLS = {"open TLS", "form"}
CONNECTIONS, ROUNDS, SECONDS, NEW, COUNTED = 16, 15, 0.5, 200, 500
CONFIG = """publishd: 1
service:
  loops: 1
  forms: {{account_limit: 0, address_limit: 0}}
  sign_in:
    ad: kerberos
    domains: [{{netbios: LAB, realm: LAB.TEST}}]
    kerberos: {{config: {krb5}, keytab: {keytab}, principal: HTTP/front.lab.test@LAB.TEST}}
user_sets: [{{name: All Authenticated Users}}]
listeners:
"""
LISTENER = "  - {{name: {name}, sockets: [{{address: 127.0.0.1, port: {port}{tls}}}]{authentication}}}\n"
RULE = """  - {{name: {listener} {path}, listener: {listener}, all_names: true, paths: [{{external: {path}}}], {users}delegation: {delegation}, spns: [{spns}],
     site: back.lab.test, upstream: {{port: {port}, servers: [{{connect: 127.0.0.1, port: {port}}}]}}}}
"""


def configuration(lab, folder):
    signing = {"basic": "basic: true, over_http: true", "integrated": "integrated: true, offer: [negotiate, ntlm], over_http: true", "form": "forms: ad"}
    text = CONFIG.format(krb5=lab.path("krb5.conf"), keytab=lab.path("kt", "front.keytab"))
    for name, port in PORTS.items():
        text += LISTENER.format(name=name, port=port, tls=", chain: %s/chain.pem, key: %s/key.pem" % (folder, folder) if name in TLS else "",
                                authentication=", authentication: {%s, validator: ad, domain: LAB}" % signing[name] if name in signing else "")
    text += "rules:\n"
    for name in PORTS:
        for path, delegation, spn in (("/kcd/*", "kerberos", "http/back.lab.test"), ("/kept/*", "kerberos", "http/back.lab.test"), ("/*", "block", "")):
            if name in signing or not spn:
                text += RULE.format(listener=name, path=path, delegation=delegation, spns=spn, port=BACKEND, users="users: [All Authenticated Users], " if name in signing else "")
    with open(os.path.join(folder, "publishd.yaml"), "w") as f:
        f.write(text)
    return f.name


BASIC = "Authorization: Basic %s\r\n" % base64.b64encode(b"LAB\\alice:Alice.Pw1").decode()


# ---- a client -------------------------------------------------------------------------------------------------------
def connect(name):
    s = socket.create_connection(("127.0.0.1", PORTS[name]), 30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if name in TLS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        s = context.wrap_socket(s)
    return s


def request(name, path="/", fields="", method="GET", body=""):
    length = "Content-Length: %d\r\n" % len(body) if body else ""
    return ("%s %s HTTP/1.1\r\nHost: front.lab.test:%d\r\nUser-Agent: Mozilla/5.0 bench\r\n%s%s\r\n%s" % (method, path, PORTS[name], fields, length, body)).encode()


def answer(s):
    """(head, body), of a length that is told."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = s.recv(16384)
        if not more:
            sys.exit("publishd closed the connection: %r" % got[:500])
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\nContent-Length: *(\d+)", head)
    while length and len(body) < int(length.group(1)):
        body += s.recv(16384)
    return head, body


def ask(s, text, status=b"200"):
    s.sendall(text)
    head, body = answer(s)
    if head.split()[1] != status:
        sys.exit("expected %s: %s" % (status.decode(), head.decode("latin-1")))
    return head, body


def by_ntlm(s):
    make, theirs = Tokens(NTLM), b""
    for status in (b"401", b"200"):
        head, _ = ask(s, request("integrated", fields="Authorization: NTLM %s\r\n" % base64.b64encode(make(theirs)).decode()), status)
        found = re.search(rb"(?i)\r\nWWW-Authenticate: NTLM (\S+)", head)
        theirs = base64.b64decode(found.group(1)) if found else b""


def post_of_form(s, user):
    """The bytes that sign a user in: the form's token and its cookie, and the password."""
    head, page = ask(s, request("form", "/.publishd/sign-in?url=/"))
    token = re.search(rb'name="token" value="([^"]+)"', page).group(1).decode()
    cookie = re.findall(rb"(?i)\r\nSet-Cookie: ([^;]+)", head)
    fields = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://front.lab.test:%d\r\n" % PORTS["form"]
    fields += "".join("Cookie: %s\r\n" % c.decode() for c in cookie)
    return request("form", "/.publishd/sign-in", fields, "POST",
                   urllib.parse.urlencode({"token": token, "url": "/", "user": user, "password": USERS[user][0], "computer": "private"}))


def by_form(s, user="alice"):
    """The Cookie field of a session."""
    head, _ = ask(s, post_of_form(s, user), b"303")
    return "Cookie: %s\r\n" % next(c for c in re.findall(r"(?i)\r\nSet-Cookie: ([^;]+);(?![^\r]*Max-Age=0)", head.decode()) if "-form" not in c.split("=")[0])


# ---- measuring ------------------------------------------------------------------------------------------------------
class Kept:
    """Connections that ask the same again and again, all of them at once."""
    def __init__(self, name, path="/", fields="", sign_in=None):
        self.sockets, self.text = [connect(name) for _ in range(CONNECTIONS)], request(name, path, fields)
        for s in self.sockets:
            if sign_in:
                sign_in(s)
            ask(s, self.text)

    def run(self):
        done, end = 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            for s in self.sockets:
                s.sendall(self.text)
            for s in self.sockets:
                got = s.recv(16384)
                while not got.endswith(b"x\n"):
                    got += s.recv(16384)
                if not got.startswith(b"HTTP/1.1 200"):
                    sys.exit("not 200: %r" % got[:300])
            done += len(self.sockets)
        return done


def beside(program, title, base, other):
    """Two kinds of connections take turns; what is printed first is what the second is compared with, turn by turn: a machine that is
    slower for a while is so for both."""
    seen = {base[0]: [], other[0]: []}
    for _ in range(ROUNDS):
        for name, kept in (base, other):
            before, start = program.cpu(), time.monotonic()
            done = kept.run()
            seen[name].append((done / (time.monotonic() - start), (program.cpu() - before) * 1e6 / done))
    figures = {n: [statistics.median(x[i] for x in v) for i in (0, 1)] for n, v in seen.items()}
    ratio = statistics.median(b[1] / o[1] for b, o in zip(seen[base[0]], seen[other[0]]))
    for name, (rate, cpu) in figures.items():
        print("%-34s %-18s %7.0f a second of the client's  %6.1f us CPU a request   %6.0f a second of a processor's  x %.2f%s" % (
            title, name, rate, cpu, 1e6 / cpu, 1 if name == base[0] else ratio, "" if name == base[0] else "   (aim: 0.90)"), flush=True)


def count(program):
    """Instructions in user mode; the same kinds."""
    base = 0
    for name, listener, path, fields, sign_in in (("anonymous", "open", "/", "", None), ("NTLM, once", "integrated", "/", "", by_ntlm), ("Basic, cached", "basic", "/", BASIC, None),
                                                  ("KCD, the server keeps who it is", "basic", "/kept/", BASIC, None), ("KCD, a token each request", "basic", "/kcd/", BASIC, None)):
        s, text = connect(listener), request(listener, path, fields)
        if sign_in:
            sign_in(s)
        def often(n):
            for _ in range(n):
                ask(s, text)
        often(20)
        each = program.during(lambda: often(COUNTED), lambda: often(5)) / COUNTED
        base = base or each
        print("%-34s %6.0f instructions a request in user mode   %+6.0f" % (name, each, each - base), flush=True)


def new(program, title, requests, status):
    """Sign-ins, each on a connection of its own: (listener, bytes) each."""
    before, start = program.cpu(), time.monotonic()
    for name, text in requests:
        s = connect(name)
        ask(s, text, status)
        s.close()
    seconds = time.monotonic() - start
    print("%-57s %7.0f a second  %7.1f us CPU a sign-in" % (title, len(requests) / seconds, (program.cpu() - before) * 1e6 / len(requests)), flush=True)


def measure(program):
    anonymous = ("anonymous", Kept("open"))
    beside(program, "signed in, a kept connection", anonymous, ("NTLM, once", Kept("integrated", sign_in=by_ntlm)))
    beside(program, "signed in, a kept connection", anonymous, ("Basic, cached", Kept("basic", fields=BASIC)))
    cookie = by_form(connect("form"))
    beside(program, "signed in, a kept connection, TLS", ("anonymous", Kept("open TLS")), ("a form's cookie", Kept("form", fields=cookie)))
    none = ("none", Kept("basic", fields=BASIC))
    beside(program, "KCD, the server keeps who it is", none, ("constrained (KCD)", Kept("basic", "/kept/", BASIC)))
    beside(program, "KCD, a token each request", none, ("constrained (KCD)", Kept("basic", "/kcd/", BASIC)))
    tickets = [base64.b64encode(Tokens(SPNEGO)()).decode() for _ in range(NEW)]
    new(program, "new sign-ins by Kerberos, a connection each", [("integrated", request("integrated", fields="Authorization: Negotiate %s\r\n" % t)) for t in tickets], b"200")
    forms = [post_of_form(connect("form"), "alice") for _ in range(NEW)]
    new(program, "new sign-ins by form, a TLS connection each", [("form", f) for f in forms], b"303")


def main():
    folder, programs, lab = tempfile.mkdtemp(prefix="publishd-bench-"), [], Lab(os.environ["LAB_DIR"])
    os.chmod(folder, 0o755)
    try:
        certificate(folder)
        programs.append(backend(folder))
        command = [os.path.join(os.path.abspath(sys.argv[1]), "publishd"), "-f", "-c", configuration(lab, folder)]
        programs.append(Program(command, PORTS["open"]))
        # Set now and here: nothing that was started before may see them.
        os.environ.update(KRB5CCNAME=lab.ticket("alice"), NTLM_USER_FILE=lab.path("run", "ntlm"))
        with open(lab.path("run", "ntlm"), "w") as f:
            f.write("LAB:alice:%s\n" % USERS["alice"][0])
        measure(programs[1])
        if shutil.which("valgrind"):
            programs.pop().stop()
            programs.append(Counted(command, PORTS["open"], folder))
            count(programs[1])
    finally:
        for p in programs:
            p.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
