#!/usr/bin/env python3
"""What publishd's memory still holds of credentials when nobody needs them any more, with each server that is asked about them. Runs inside tests/lab.py
run. Usage: tests/lab_memory.py BUILD [PART...]

After the requests, the process's writable memory is searched for the user's password in every spelling that it went through, and for what stands
for it: its NT hash, the field Authorization. Locked memory that core dumps leave out does not count: there a checked password is kept for 300 s.
"""
import html
import http.client
import os
import re
import ssl
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import PASSWORDS
from lab_front import ADMIN, HTTP_PORT, Served, curl, equal, lab, run, say
from memory import holds, spellings

BUILD, PORT = sys.argv[1], 7301
DOMAIN = """    ad: %s
    domains: [{netbios: LAB, realm: LAB.TEST}]
    kerberos: {config: %s, keytab: %s, principal: HTTP/front.lab.test@LAB.TEST}
    ldap: {servers: ["ldaps://dc1.lab.test"], trust: %s, base: "DC=lab,DC=test", user: Administrator@LAB.TEST, secret: %s}
    radius: {servers: ["%s:11812"], secret: %s}
"""
PATHS = {"block": "anon", "basic": "basic", "ntlm": "ntlm", "negotiate": "krb", "kerberos": "krb"}


def nt_hash(password):
    command = ["openssl", "dgst", "-provider", "legacy", "-provider", "default", "-md4", "-binary"]
    return subprocess.run(command, input=password.encode("utf-16-le"), capture_output=True, check=True).stdout


def words(user, password):
    """What must not be found, by name."""
    found = {"%s of %s" % (how, user): text for how, text in spellings(password).items()}
    found["UTF-16 of " + user] = password.encode("utf-16-le")
    found["the end of %s" % user] = password[-6:].encode()
    found["NT hash of " + user] = nt_hash(password)
    return found


def configuration(ad, validator, delegations, forms=None):
    with open(lab.path("run", "admin"), "w") as f:
        f.write(ADMIN + "\n")
    text = "publishd: 1\nservice:\n  loops: 1\n  forms: {account_limit: 0, address_limit: 0}\n  sign_in:\n" + DOMAIN % (
        ad, lab.path("krb5.conf"), lab.path("kt", "front.keytab"), lab.path("tls", "ca.pem"), lab.path("run", "admin"), lab.ip, lab.path("radius", "secret"))
    text += "user_sets:\n  - name: All Authenticated Users\n  - {name: Web, groups: ['LAB\\webusers']}\nlisteners:\n"
    how = "forms: %s, form: {change_password: %s}" % (forms, "true" if forms in ("ad", "ldap") else "false") if forms else "basic: true"
    text += "  - {name: edge, sockets: [{address: 127.0.0.1, port: %d, chain: %s, key: %s}], authentication: {%s, validator: %s, domain: LAB}}\nrules:\n" % (
        PORT, lab.path("tls", "front.pem"), lab.path("tls", "front.key"), how, validator)
    for delegation in delegations:
        text += """  - {name: %s, listener: edge, all_names: true, paths: [{external: /%s/*, internal: /%s/*}], users: [All Authenticated Users], delegation: %s,
     spns: [http/back.lab.test], site: back.lab.test, upstream: {port: %d, servers: [{connect: "%s", port: %d}]}}
""" % (delegation, delegation, PATHS[delegation], delegation, HTTP_PORT, lab.ip, HTTP_PORT)
    return text


def worker(served):
    return int(subprocess.run(["pgrep", "-P", str(served.p.pid)], capture_output=True, text=True, check=True).stdout.split()[0])


def search(what, served, wanted):
    found = holds(worker(served), wanted)
    say(what + ": nothing is left", not found, "; ".join("%s in %s" % f for f in found))


def by_basic(kind, ad, validator, delegations):
    user, password = "alice", PASSWORDS["alice"]
    with Served(BUILD, configuration(ad, validator, delegations), PORT) as s:
        for delegation in delegations:
            status, said = curl(PORT, "/%s/who" % delegation, "--basic", "-u", "LAB\\%s:%s" % (user, password), scheme="https")
            equal("%s, %s" % (kind, delegation), status, 200, said)
            search("%s, %s" % (kind, delegation), s, words(user, password))
        equal(kind + ", wrong", curl(PORT, "/block/", "--basic", "-u", "LAB\\bob:Wrong.Pass9", scheme="https")[0], 401)
        search(kind + ", wrong", s, words("bob", "Wrong.Pass9"))
        search(kind + ", the directory's own", s, words("the searching account", ADMIN))
        say("where something else would be found", holds(worker(s), {"a name": b"back.lab.test"}))


def kerberos():
    by_basic("kerberos", "kerberos", "ad", ("block", "basic", "ntlm", "negotiate", "kerberos"))


def ldap():
    by_basic("ldap", "ldap", "ad", ("block", "basic", "ntlm", "negotiate", "kerberos"))


def winbind():
    by_basic("winbind", "winbind", "ad", ("block", "basic", "ntlm", "negotiate", "kerberos"))


class Browser:
    """A kept connection with the form's cookies."""
    def __init__(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.host = "front.lab.test:%d" % PORT
        self.connection, self.cookies = http.client.HTTPSConnection("127.0.0.1", PORT, timeout=60, context=context), {}

    def ask(self, path, **form):
        fields = {"Host": self.host, "User-Agent": "Mozilla/5.0", "Cookie": "; ".join("%s=%s" % c for c in self.cookies.items())}
        if form:
            fields.update({"Origin": "https://" + self.host, "Content-Type": "application/x-www-form-urlencoded"})
        self.connection.request("POST" if form else "GET", path, urllib.parse.urlencode(form) if form else None, fields)
        r = self.connection.getresponse()
        page = r.read().decode()
        for field in r.headers.get_all("Set-Cookie") or ():
            name, _, value = field.split(";")[0].partition("=")
            self.cookies[name] = value
        return r.status, page

    def send(self, place, **form):
        _, page = self.ask("/.publishd/" + place)
        token = html.unescape(re.search(r'name="token" value="([^"]+)"', page).group(1))
        return self.ask("/.publishd/" + place, token=token, url="/", **form)


def by_form(kind, forms, ad, delegations, user="alice", change=None):
    password = PASSWORDS[user]
    field = {"passcode": password, "password": password} if forms == "radius-otp" else {"password": password}
    with Served(BUILD, configuration(ad, "ad", delegations, forms), PORT) as s:
        b = Browser()
        equal(kind + ", in", b.send("sign-in", user=user, **field)[0], 303)
        for delegation in delegations:
            equal("%s, %s" % (kind, delegation), b.ask("/%s/who" % delegation)[0], 200)
        equal(kind + ", wrong", b.send("sign-in", user="bob", **{name: "Wrong.Pass9" for name in field})[0] if b.cookies.clear() is None else 0, 403)
        if change:
            equal(kind + ", changed", b.send("password", user=user, old=password, new=change, again=change)[0], 303)
            search(kind + ", the new one", s, words(user, change))
        b.connection.close()
        search(kind, s, {**words(user, password), **words("bob", "Wrong.Pass9")})


def kerberos_form():
    by_form("a form, kerberos", "ad", "kerberos", tuple(PATHS))
    by_form("a form, kpasswd", "ad", "kerberos", ("block",), "crowd15", "Changed.Pw7")


def ldap_form():
    by_form("a form, ldap", "ldap", "kerberos", ("block", "basic", "ntlm"))
    by_form("a form, a new password by ldap", "ldap", "kerberos", ("block",), "crowd14", "Changed.Pw7")


def winbind_form():
    by_form("a form, winbind", "ad", "winbind", tuple(PATHS))


def radius_form():
    by_form("a form, radius", "radius", "kerberos", ("block", "basic", "ntlm"))
    by_form("a form, passcodes", "radius-otp", "kerberos", tuple(PATHS))
    with Served(BUILD, configuration("kerberos", "ad", ("block", "basic"), "radius"), PORT) as s:
        b = Browser()
        status, page = b.send("sign-in", user="mona", password="Mona.Pw1")
        fields = {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}
        equal("a form, a code", (status, b.ask("/.publishd/sign-in", answer="123456", **fields)[0], b.ask("/block/who")[0], b.ask("/basic/who")[0]), (200, 303, 200, 403))
        b.connection.close()
        search("a form, a code", s, words("mona", "Mona.Pw1"))


def integrated():
    """Of who signs in by NTLM nobody knows the password; but there may be a file of all of them, and winbindd's answer has keys in it."""
    for where, more in (("winbind", ""), ("file", "    ntlm_users: %s\n" % lab.path("apache", "ntlm"))):
        text = configuration("winbind", "ad", ("block", "kerberos")).replace("basic: true", "integrated: true, offer: [ntlm]")
        with Served(BUILD, text.replace("    domains:", more + "    domains:"), PORT) as s:
            for delegation in ("block", "kerberos"):
                equal("NTLM, %s, %s" % (where, delegation), curl(PORT, "/%s/who" % delegation, "--ntlm", "-u", "LAB\\alice:" + PASSWORDS["alice"], scheme="https")[0], 200)
            equal("NTLM, %s, wrong" % where, curl(PORT, "/block/who", "--ntlm", "-u", "LAB\\bob:Wrong.Pass9", scheme="https")[0], 401)
            search("NTLM, " + where, s, {**words("alice", PASSWORDS["alice"]), **words("bob", PASSWORDS["bob"]), **words("bob", "Wrong.Pass9")})


def radius():
    by_basic("radius", "kerberos", "radius", ("block", "basic", "ntlm"))


run((kerberos, ldap, winbind, radius, kerberos_form, ldap_form, winbind_form, radius_form, integrated))
