#!/usr/bin/env python3
"""A RADIUS server that asks for a code behind the password (Access-Challenge), in forms and over Basic. Runs inside tests/lab.py run.
Usage: tests/lab_codes.py BUILD [PART...]

Two instances share their keys: a question that one asked is answered at the other. mona's password is followed by a code; "more" leads to a second
question, "again" to the same one.
"""
import html
import http.client
import json
import re
import ssl
import sys
import urllib.parse

from lab_front import ADMIN, HTTP_PORT, Served, curl, equal, lab, run, say

BUILD = sys.argv[1]
PORTS = {"form": 7401, "otp": 7402, "basic": 7403}
OTHER = 10                                   # the second instance's ports are that much higher
AUTHENTICATION = {"form": "forms: radius", "otp": "forms: radius-otp", "basic": "basic: true, validator: radius"}
PATHS = {"/basic/*": ("basic", "basic"), "/krb/*": ("krb", "kerberos"), "/web/*": ("anon", "block"), "/*": ("anon", "block")}


def configuration(add=0, account_limit=4):
    with open(lab.path("run", "admin"), "w") as f:
        f.write(ADMIN + "\n")
    text = """publishd: 1
service:
  loops: 1
  log: %s
  forms: {keys: %s, make_keys: true, account_limit: %d, address_limit: 0}
  sign_in:
    ad: kerberos
    domains: [{netbios: LAB, realm: LAB.TEST}]
    kerberos: {config: %s, keytab: %s, principal: HTTP/front.lab.test@LAB.TEST}
    ldap: {servers: ["ldaps://dc1.lab.test"], trust: %s, base: "DC=lab,DC=test", user: Administrator@LAB.TEST, secret: %s}
    radius: {servers: ["%s:11812"], secret: %s}
user_sets: [{name: All Authenticated Users}]
listeners:
""" % (lab.path("run", "codes.log"), lab.path("run", "codes.keys"), account_limit, lab.path("krb5.conf"), lab.path("kt", "front.keytab"), lab.path("tls", "ca.pem"), lab.path("run", "admin"),
       lab.ip, lab.path("radius", "secret"))
    for name, port in PORTS.items():
        text += "  - {name: %s, sockets: [{address: 127.0.0.1, port: %d, chain: %s, key: %s}], authentication: {%s, domain: LAB}}\n" % (
            name, port + add, lab.path("tls", "front.pem"), lab.path("tls", "front.key"), AUTHENTICATION[name])
    text += "rules:\n"
    for name in PORTS:
        for path, (inside, delegation) in PATHS.items():
            if delegation == "kerberos" and name != "otp":
                continue                     # only what needs no password may go on without one
            text += """  - {name: %s %s, listener: %s, all_names: true, paths: [{external: %s, internal: /%s/*}], users: [All Authenticated Users], delegation: %s,
     spns: [http/back.lab.test], site: back.lab.test, upstream: {port: %d, servers: [{connect: "%s", port: %d}]}}
""" % (name, path, name, path, inside, delegation, HTTP_PORT, lab.ip, HTTP_PORT)
    return text


class Browser:
    """Cookies, and the fields of the form that was shown last."""
    def __init__(self, listener):
        self.listener, self.cookies, self.page, self.fields = listener, {}, "", {}

    def ask(self, path, form=None, add=0):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", PORTS[self.listener] + add, timeout=60, context=context)
        host = "front.lab.test"                                                   # one name: a balancer stands before both
        fields = {"Host": host, "User-Agent": "Mozilla/5.0", "Cookie": "; ".join("%s=%s" % c for c in self.cookies.items())}
        if form is not None:
            fields.update({"Origin": "https://" + host, "Content-Type": "application/x-www-form-urlencoded"})
        connection.request("GET" if form is None else "POST", path, None if form is None else urllib.parse.urlencode(form), fields)
        r = connection.getresponse()
        self.page = r.read().decode()
        for field in r.headers.get_all("Set-Cookie") or ():
            name, _, value = field.split(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        self.fields = {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page)}
        return r.status

    def send(self, add=0, **form):
        return self.ask("/.publishd/sign-in", {**self.fields, **form}, add)

    def begin(self, user="mona", password="Mona.Pw1", add=0):
        self.ask("/.publishd/sign-in?url=/web/", add=add)
        return self.send(add, user=user, **({"passcode": password, "password": "beside"} if self.listener == "otp" else {"password": password}))


def asked(browser):
    """The question on the page, and how its answer is written."""
    text = re.search(r'<p id="asked">([^<]*)</p>', browser.page)
    return html.unescape(text.group(1)) if text else None, (re.search(r'name="answer" type="(\w+)"', browser.page) or [None, None])[1]


def steps(listener):
    b = Browser(listener)
    equal(listener + ": a password leads to a question", b.begin(), 200)
    equal(listener + ": which is the server's", asked(b), ("Enter <the> code sent to your phone:", "password"))
    say(listener + ": and no markup", "<the>" not in b.page)
    equal(listener + ": nobody is in yet", b.ask("/web/"), 302)
    equal(listener + ": begin", b.begin(), 200)
    shown = b.fields
    equal(listener + ": the code", b.send(answer="123456"), 303)
    equal(listener + ": in", b.ask("/web/who"), 200)
    b = Browser(listener)
    equal(listener + ": two rounds, at two instances", (b.begin(), b.send(add=OTHER, answer="more")), (200, 200))
    equal(listener + ": the second question", asked(b), ("And the Wörd?", "text"))
    equal(listener + ": its answer", b.send(answer="wörd"), 303)
    equal(listener + ": in, at the other", b.ask("/web/who", add=OTHER), 200)
    b = Browser(listener)
    equal(listener + ": a wrong code", (b.begin(), b.send(answer="654321")), (200, 403))
    say(listener + ": and begins again", "was not accepted" in b.page and 'name="user"' in b.page and 'value="mona"' in b.page, b.page)
    equal(listener + ": a question without words", (b.begin(), b.send(answer="again")), (200, 200))
    equal(listener + ": ours", asked(b)[0][:14], "Enter the code")
    equal(listener + ": and the code", b.send(answer="123456"), 303)
    b = Browser(listener)
    b.begin()
    mine = b.fields
    equal(listener + ": nothing entered", b.send(answer=""), 403)
    for what, form in (("somebody else's question", {**mine, "further": shown["further"]}), ("no question", {**mine, "further": ""}),
                       ("a changed one", {**mine, "further": mine["further"][:-2] + "AA"}), ("a form's token for one", {**mine, "further": mine["token"]}),
                       ("a question for a token", {**mine, "token": mine["further"]})):
        equal("%s: %s" % (listener, what), (b.ask("/.publishd/sign-in", {**form, "answer": "123456"}), b.ask("/web/")), (403, 302))
    other = Browser("otp" if listener == "form" else "form")
    other.ask("/.publishd/sign-in")
    equal(listener + ": another listener's", other.send(further=mine["further"], answer="123456"), 403)


def forms():
    with Served(BUILD, configuration(account_limit=100), PORTS["form"]), Second():
        for listener in ("form", "otp"):
            steps(listener)
        b = Browser("form")
        b.begin()
        b.send(answer="123456")
        equal("the first password goes on", (b.ask("/basic/"), "Authorization Required" in b.page), (403, False))        # Apache has no mona
        sent = [line for line in lab.text("log/requests.log").splitlines() if " /basic/" in line]
        say("to the server", sent and " 401 " in sent[-1], sent)
        b = Browser("form")
        equal("who has no second code is in at once", (b.begin("alice", "Alice.Pw1"), b.ask("/basic/who")), (303, 200))


class Second(Served):
    """Another instance beside it, with the same keys."""
    def __init__(self):
        super().__init__(BUILD, configuration(OTHER, 100), PORTS["form"] + OTHER)
        self.file += "2"
        with open(self.file, "w") as f:
            f.write(configuration(OTHER, 100))


def basic():
    """Nobody can be asked for a code there: refused, counted as a wrong password, and not remembered for the form."""
    with Served(BUILD, configuration(), PORTS["form"]):
        for i in range(4):
            equal("Basic: refused, %d" % i, curl(PORTS["basic"], "/web/who", "--basic", "-u", "mona:Mona.Pw1", scheme="https")[0], 401)
        equal("Basic: and counted", curl(PORTS["basic"], "/web/who", "--basic", "-u", "mona:Mona.Pw1", scheme="https")[0], 429)
    details = [json.loads(line).get("detail", "") for line in lab.text("run/codes.log").splitlines()]
    say("Basic: the log says why", any("which a form alone can show" in d for d in details), details[-8:])


def guessing():
    """Answers are counted as passwords are; beginning is not."""
    with Served(BUILD, configuration(account_limit=4), PORTS["form"]):
        b = Browser("form")
        for i in range(6):
            equal("beginning again, %d" % i, b.begin(), 200)
        kept = b.fields
        for i in range(4):
            equal("a guess with the same question, %d" % i, b.ask("/.publishd/sign-in", {**kept, "answer": "00000%d" % i}), 403)
        equal("one too many", (b.ask("/.publishd/sign-in", {**kept, "answer": "123456"}), "too many" in b.page), (429, True))
        equal("for the password too", b.begin(), 429)
    with Served(BUILD, configuration(account_limit=100), PORTS["form"]):
        b = Browser("form")
        equal("rounds: begin", b.begin(), 200)
        equal("rounds have an end", [b.send(answer="again") for _ in range(5)], [200] * 4 + [403])


run((forms, basic, guessing))
