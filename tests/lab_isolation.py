#!/usr/bin/env python3
"""Who is who, when many sign in at once: runs inside tests/lab.py run. Usage: tests/lab_isolation.py BUILD [SECONDS=5]

64 clients as 16 users, over listeners and servers that they share, as fast as they can: Basic, forms' cookies, NTLM and Negotiate, with
Basic, NTLM, Negotiate and constrained delegation behind. Connections change their user, and end, and requests without credentials
come between. Every answer must name the user who asked, and no server may hear of who did not sign in.
"""
import base64
import collections
import html
import http.client
import random
import re
import ssl
import sys
import threading
import time
import urllib.parse

from lab_front import HTTP_PORT, Served, equal, lab, run, say, service
from lab import CROWD
from gss_client import KERBEROS, NTLM, Tokens, credential

BUILD, SECONDS = sys.argv[1], int((sys.argv[2:] or [5])[0])
del sys.argv[2:]
CLIENTS = 64
PORTS = {"basic": 7301, "form": 7302, "integrated": 7303}
AUTHENTICATION = {"basic": "basic: true, over_http: true", "form": "forms: ad", "integrated": "integrated: true, offer: [negotiate, ntlm], over_http: true"}
INSIDE = {"basic": "basic", "ntlm": "ntlm", "negotiate": "krb", "kerberos": "krb"}
DELEGATIONS = {"basic": tuple(INSIDE), "form": tuple(INSIDE), "integrated": ("kerberos",)}
USERS = list(CROWD)


def configuration():
    text = service(4, ("timeout: 30", "ntlm_users: " + lab.path("apache", "ntlm"))) + "user_sets: [{name: All Authenticated Users}]\nlisteners:\n"
    for name, port in PORTS.items():
        tls = ", chain: %s, key: %s" % (lab.path("tls", "front.pem"), lab.path("tls", "front.key")) if name == "form" else ""
        text += "  - {name: %s, sockets: [{address: 127.0.0.1, port: %d%s}], authentication: {%s, validator: ad, domain: LAB}}\n" % (name, port, tls, AUTHENTICATION[name])
    text += "rules:\n"
    for name in PORTS:
        for delegation in DELEGATIONS[name]:
            text += """  - {name: %s %s, listener: %s, all_names: true, paths: [{external: /%s/*, internal: /%s/*}], users: [All Authenticated Users], delegation: %s,
     spns: [http/back.lab.test], site: back.lab.test, upstream: {port: %d, servers: [{connect: "%s", port: %d}]}}
""" % (name, delegation, name, delegation, INSIDE[delegation], delegation, HTTP_PORT, lab.ip, HTTP_PORT)
    return text


def seen(delegation, user):
    return user + "@LAB.TEST" if INSIDE[delegation] == "krb" else "LAB\\" + user


class Client:
    """One of the 64. wrong: (what, user, delegation, what came)."""
    def __init__(self, number):
        self.random, self.number = random.Random(number), number
        self.right, self.wrong, self.kinds = 0, [], collections.Counter()
        self.user = USERS[number % len(USERS)]
        self.c = None

    def connect(self, listener):
        if self.c:
            self.c.close()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.listener = listener
        self.c = (http.client.HTTPSConnection("127.0.0.1", PORTS[listener], timeout=120, context=context) if listener == "form" else
                  http.client.HTTPConnection("127.0.0.1", PORTS[listener], timeout=120))

    def ask(self, path, fields, method="GET", body=None):
        self.c.request(method, path, body, {"Host": "front.lab.test:%d" % PORTS[self.listener], "User-Agent": "Mozilla/5.0", **fields})
        r = self.c.getresponse()
        r.text = r.read()
        return r

    def check(self, what, user, delegation, fields):
        """A request as user (None: nobody), who must be the one that the server names."""
        if OVER.is_set():
            raise TimeoutError
        post = self.random.random() < 0.3 and "Negotiate" not in fields.get("Authorization", "")
        r = self.ask("/%s/who" % delegation, fields, "POST" if post else "GET", b"z" * 60 if post else None)
        got = (r.status, r.getheader("X-User"))
        good = got == (200, seen(delegation, user)) or (post and r.status == 405 and got[1] in (None, seen(delegation, user))) if user else r.status in (401, 302) and not got[1]
        self.kinds[what] += 1
        self.right += good
        if not good:
            self.wrong.append((what, user, delegation, got, r.text[:200]))
        return r

    def basic(self):
        """A connection on which each request is another user's."""
        self.connect("basic")
        for _ in range(self.random.randrange(5, 60)):
            user = self.random.choice(USERS)
            value = "Basic " + base64.b64encode(("LAB\\%s:%s" % (user, CROWD[user])).encode()).decode()
            nobody = self.random.random() < 0.1
            self.check("Basic", None if nobody else user, self.random.choice(DELEGATIONS["basic"]), {} if nobody else {"Authorization": value})

    def form(self):
        """Sessions of two users, by turns on one connection."""
        self.connect("form")
        cookies = {}
        for user in (self.user, self.random.choice(USERS)):
            r = self.ask("/.publishd/sign-in?why=ended", {})
            token = html.unescape(re.search(r'name="token" value="([^"]+)"', r.text.decode()).group(1))
            fields = {"Cookie": r.getheader("Set-Cookie").split(";")[0], "Content-Type": "application/x-www-form-urlencoded", "Origin": "https://front.lab.test:%d" % PORTS["form"]}
            r = self.ask("/.publishd/sign-in", fields, "POST", urllib.parse.urlencode({"token": token, "url": "/", "user": user, "password": CROWD[user], "computer": "private"}))
            if r.status != 303:
                self.wrong.append(("sign-in by form", user, "", r.status, r.text[:200]))
                return
            cookies[user] = next(v.split(";")[0] for k, v in r.getheaders() if k.lower() == "set-cookie" and "-form=" not in v)
        for _ in range(self.random.randrange(20, 200)):
            user = self.random.choice(list(cookies))
            nobody = self.random.random() < 0.1
            self.check("a form's cookie", None if nobody else user, self.random.choice(DELEGATIONS["form"]), {} if nobody else {"Cookie": cookies[user]})

    def ntlm(self):
        """A connection that signs in, is used, and signs in as another."""
        self.connect("integrated")
        for user in (self.user, self.random.choice(USERS)):
            make, theirs = Tokens(NTLM, CREDENTIALS[user, "ntlm"]), b""
            r = self.ask("/kerberos/who", {"Authorization": "NTLM " + base64.b64encode(make()).decode()})
            theirs = base64.b64decode((r.getheader("WWW-Authenticate") or "").partition(" ")[2])
            self.check("NTLM", user, "kerberos", {"Authorization": "NTLM " + base64.b64encode(make(theirs)).decode()})
            for _ in range(self.random.randrange(2, 40)):
                self.check("behind NTLM", user, "kerberos", {})

    def negotiate(self):
        """Tickets of several users on one connection: it is the last one's."""
        self.connect("integrated")
        user = None
        for _ in range(self.random.randrange(5, 60)):
            if user and self.random.random() < 0.6:
                self.check("behind Negotiate", user, "kerberos", {})
            else:
                user = self.random.choice(USERS)
                self.check("Negotiate", user, "kerberos", {"Authorization": "Negotiate " + base64.b64encode(Tokens(KERBEROS, CREDENTIALS[user, "kerberos"])()).decode()})

    def run(self):
        ways = (self.basic, self.form, self.ntlm, self.negotiate)
        while not OVER.is_set() and len(self.wrong) < 5:
            try:
                ways[self.number % 4]() if self.random.random() < 0.8 else self.random.choice(ways)()
            except TimeoutError:
                self.c.close()
            except Exception as e:
                self.wrong.append(("broken", repr(e), self.listener))


CREDENTIALS, OVER = {}, threading.Event()
KINDS = ("Basic", "a form's cookie", "NTLM", "behind NTLM", "Negotiate", "behind Negotiate")


def isolation():
    for user, password in CROWD.items():
        CREDENTIALS[user, "kerberos"] = credential(user + "@LAB.TEST", password, KERBEROS)
        CREDENTIALS[user, "ntlm"] = credential("LAB\\" + user, password, NTLM)
    start, clients = time.monotonic(), [Client(n) for n in range(CLIENTS)]
    threads = [threading.Thread(target=c.run) for c in clients]
    for t in threads:
        t.start()
    while (time.monotonic() < start + SECONDS or any(sum(c.kinds[k] for c in clients) < 10 for k in KINDS)) and time.monotonic() < start + SECONDS + 120:
        time.sleep(0.2)                      # longer where the machine has other things to do
    OVER.set()
    for t in threads:
        t.join()
    kinds, wrong = sum((c.kinds for c in clients), collections.Counter()), [w for c in clients for w in c.wrong]
    right = sum(c.right for c in clients)
    say("each answer names its user: %d answers in %d s, %s" % (right, time.monotonic() - start, dict(kinds)), right and not wrong, (len(wrong), wrong[:6]))
    say("each way was gone", all(kinds[k] >= 10 for k in KINDS), kinds)


def main():
    with Served(BUILD, configuration(), PORTS["basic"], env={"TSAN_OPTIONS": "halt_on_error=0 exitcode=66"}) as served:
        run((isolation,))
    said = served.said()
    equal("ThreadSanitizer has nothing to say", said.count("WARNING: ThreadSanitizer"), 0, said[:3000])


main()
