#!/usr/bin/env python3
"""Forms in a browser, with the domain's passwords: one that is about to expire, one that must be changed, a session that was stolen (B-88, B-94).
Runs inside tests/lab.py run. Usage: tests/lab_forms.py BUILD [PART...]
"""
import html
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser
from lab_front import ADMIN, HTTP_PORT, USERS, Served, curl, equal, lab, run, say
from relays import Relay
from suite.signing import sign_in, text

BUILD, PORT = sys.argv[1], 7301
FRONT = "https://front.lab.test:%d" % PORT


def configuration(ad, form="change_password: true, expiry_notice: 15"):
    with open(lab.path("run", "admin"), "w") as f:
        f.write(ADMIN + "\n")
    return """publishd: 1
service:
  sign_in:
    ad: %s
    domains: [{netbios: LAB, realm: LAB.TEST}]
    kerberos: {config: %s, keytab: %s, principal: HTTP/front.lab.test@LAB.TEST}
    ldap: {servers: ["ldaps://dc1.lab.test"], trust: %s, base: "DC=lab,DC=test"}
user_sets: [{name: All Authenticated Users}]
listeners:
  - name: edge
    sockets: [{address: 127.0.0.1, port: %d, chain: %s, key: %s}]
    authentication: {forms: ad, validator: ad, domain: LAB, form: {%s}}
rules:
  - {name: krb, listener: edge, all_names: true, paths: [{external: /krb/*, internal: /krb/*}], users: [All Authenticated Users], delegation: kerberos,
     spns: [http/back.lab.test], site: back.lab.test, upstream: {port: %d, servers: [{connect: "%s", port: %d}]}}
""" % (ad, lab.path("krb5.conf"), lab.path("kt", "front.keytab"), lab.path("tls", "ca.pem"), PORT, lab.path("tls", "front.pem"), lab.path("tls", "front.key"),
       form, HTTP_PORT, lab.ip, HTTP_PORT)


def seen(b, user):
    return '"user": "%s@LAB.TEST"' % user in text(b)


def picture(b, name):
    """For people: where LAB_PICTURES says, wide and narrow, light and dark."""
    folder = os.environ.get("LAB_PICTURES")
    for width, scheme in ((1280, "light"), (390, "dark")) if folder else ():
        b.size(width, 800)
        b.media(prefers_color_scheme=scheme)
        b.picture(os.path.join(folder, "%s-%d.png" % (name, width)))


def notice(b):
    """It says when the password runs out: in two days and a half."""
    b.go(FRONT + "/krb/?a=b&c=d")
    sign_in(b, "ivan", USERS["ivan"][0])
    say("the notice", "about to expire" in text(b) and "expires in 2 days" in text(b), text(b))
    picture(b, "expires")
    b.submit("a.button")
    say("to the page that changes it, which knows the name", b.run("return document.getElementById('user').value") == "LAB\\ivan" and "New password, again" in text(b), text(b))
    b.go(FRONT + "/krb/?a=b&c=d")
    say("in, whether it is changed or not", seen(b, "ivan"), text(b))
    b.go(FRONT + "/.publishd/sign-out")
    b.go(FRONT + "/krb/?a=b&c=d")
    sign_in(b, "ivan", USERS["ivan"][0])
    b.submit(".more a")
    say("on to where one wanted to go", seen(b, "ivan") and b.run("return location.href") == FRONT + "/krb/?a=b&c=d", text(b))
    b.go(FRONT + "/.publishd/sign-out")
    b.go(FRONT + "/krb/")
    sign_in(b, "alice", USERS["alice"][0])
    say("who has weeks left is not told", seen(b, "alice"), text(b))


def asked_of(ad):
    """Whoever the password is asked of, the notice is the same."""
    with Served(BUILD, configuration(ad), PORT):
        for user, expected, told in (("ivan", 200, "expires in 2 days"), ("alice", 303, "")):
            jar = ("-A", "Mozilla/5.0", "-b", lab.path("run", user), "-c", lab.path("run", user), "-H", "Origin: " + FRONT)
            _, page = curl(PORT, "/.publishd/sign-in", *jar, scheme="https")
            fields = {"token": html.unescape(re.search(r'name="token" value="([^"]+)"', page["text"]).group(1)), "url": "/krb/", "user": user, "password": USERS[user][0]}
            status, page = curl(PORT, "/.publishd/sign-in", *jar, *(w for f in fields.items() for w in ("--data-urlencode", "%s=%s" % f)), scheme="https")
            say("%s: %s" % (ad, user), status == expected and told in page["text"], (status, page))
            equal("%s: %s is in" % (ad, user), curl(PORT, "/krb/", *jar, scheme="https")[1].get("user"), user + "@LAB.TEST")


def change(b, old, new, again=None):
    for name, value in (("old", old), ("new", new), ("again", again or new)):
        b.click("#" + name)
        b.keys(value)
    b.submit("button")


def must_change(b):
    """A password that must be changed: signing in leads to the page, and with the new one one is in."""
    b.go(FRONT + "/krb/x")
    sign_in(b, "erin", USERS["erin"][0])
    say("must be changed: the page for it", "has expired. Choose" in text(b) and b.run("return document.getElementById('user').value") == "erin", text(b))
    picture(b, "must-change")
    change(b, USERS["erin"][0], "Erin.Pw9x", "Erin.Pw9y")
    say("two that differ", "are not the same" in text(b), text(b))
    change(b, USERS["erin"][0], "e")
    say("one that the domain refuses", "was refused" in text(b), text(b))
    picture(b, "refused")
    change(b, USERS["erin"][0], "Erin.Pw9x")
    say("changed", "has been changed" in text(b), text(b))
    picture(b, "changed")
    sign_in(b, "erin", USERS["erin"][0])
    say("the old one is good no more", "is not right" in text(b), text(b))
    sign_in(b, "erin", "Erin.Pw9x")
    say("in with the new one, where one wanted to go", seen(b, "erin") and b.run("return location.pathname") == "/krb/x", text(b))


def stolen(b):
    """The session's cookie in another browser: from the same address it is the session; from another it is none."""
    relay = Relay("127.0.0.1", ("127.0.0.1", PORT), source="127.0.0.2")
    with Browser(1280, 800, local=True) as thief:
        b.go(FRONT + "/krb/")
        sign_in(b, "alice", USERS["alice"][0])
        cookies = {n: c["value"] for n, c in b.cookies().items() if not n.endswith("-form")}
        equal("one cookie of a session", len(cookies), 1)
        elsewhere = "https://front.lab.test:%d" % relay.port
        for name, value in cookies.items():
            thief.cdp("Network.setCookie", name=name, value=value, url=FRONT, path="/", secure=True, httpOnly=True)
        thief.go(FRONT + "/krb/")
        say("copied at the same address it is the session", seen(thief, "alice"), text(thief))
        thief.go(elsewhere + "/krb/")
        say("from another address it is none, and the page says so", "another network address" in text(thief) and not seen(thief, "alice"), text(thief))
        b.go(FRONT + "/.publishd/sign-out")
        thief.go(FRONT + "/krb/")
        say("signed out: the copy is worth nothing", "Sign in" in text(thief) and not seen(thief, "alice"), text(thief))


def code(b):
    """A RADIUS server that asks for a code behind the password, and for a word behind the code: by keys alone, the field has the focus."""
    text_ = configuration("kerberos").replace("forms: ad, validator: ad", "forms: radius").replace("    domains:", '    radius: {servers: ["%s:11812"], secret: %s}\n    domains:' % (
        lab.ip, lab.path("radius", "secret"))).replace("/krb/*", "/anon/*").replace("delegation: kerberos", "delegation: block").replace(
            "change_password: true, expiry_notice: 15", "")
    with Served(BUILD, text_, PORT):
        b.go(FRONT + "/anon/x?y=z")
        sign_in(b, "mona", "Mona.Pw1")
        say("a code: what the server says", "Enter <the> code sent to your phone:" in text(b) and "mona" in text(b), text(b))
        equal("a code: hidden as it is written, not kept by the browser", b.run("const a = document.activeElement; return [a.id, a.type, a.autocomplete]"), ["answer", "password", "one-time-code"])
        picture(b, "code")
        b.keys("more")
        b.submit("button")
        say("a word: what the server says", "And the Wörd?" in text(b), text(b))
        equal("a word: seen as it is written", b.run("return document.activeElement.type"), "text")
        b.keys("wörd")
        b.submit("button")
        equal("in, where one wanted to go", (b.run("return location.pathname + location.search"), '"target": "/anon/x?y=z"' in text(b)), ("/anon/x?y=z", True), text(b))
        b.go(FRONT + "/.publishd/sign-out")
        b.go(FRONT + "/anon/")
        sign_in(b, "mona", "Mona.Pw1")
        b.keys("000000")
        b.submit("button")
        say("a wrong code: once more from the beginning", "was not accepted" in text(b) and b.run("return document.getElementById('user').value") == "mona", text(b))
        picture(b, "code-wrong")


def browsed():
    """One Chromium, which somebody else takes each time."""
    with Browser(1280, 800, local=True) as b:
        with Served(BUILD, configuration("kerberos"), PORT):
            for part in (notice, must_change, stolen):
                part(b)
                b.cdp("Network.clearBrowserCookies")
        code(b)


def others():
    for ad in ("ldap", "winbind"):
        asked_of(ad)


run((browsed, others))
