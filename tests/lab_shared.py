#!/usr/bin/env python3
"""Several users on one client connection: runs inside tests/lab.py run. Usage: tests/lab_shared.py BUILD

With HTTP/2 a browser has one connection for all names of a listener, before and behind a log-off, and a proxy in front has few for all its
users. So requests of several users, or by several rules, come over one connection, one after the other and at the same time. Each must be answered,
as its own user's; and no server connection on which somebody signs in may ever carry another's.
"""
import base64
import collections
import html
import itertools
import json
import random
import re
import socket
import sys
import urllib.parse

from lab_front import HTTP_PORT, Served, equal, lab, run, say, service
from lab import CROWD, PASSWORDS
import h2_client

BUILD = sys.argv[1]
PORTS = {"form": 7501, "basic": 7502}
AUTHENTICATION = {"form": "forms: ad, sso: true", "basic": "basic: true"}
INSIDE = {"block": "anon", "basic": "basic", "ntlm": "ntlm", "negotiate": "nego", "kerberos": "krb", "kept": "kept"}
OPEN = "open"                                # for everybody, without delegation
BOUND = ("ntlm", "negotiate", "kerberos", "kept")        # somebody is signed in on the server's connection
NAMES = ("front.lab.test", "mail.lab.test")
USERS = ("alice", "bob", "zoë")


def configuration():
    text = service(1, ("timeout: 30", "ntlm_users: " + lab.path("apache", "ntlm"))) + "user_sets: [{name: All Authenticated Users}]\nlisteners:\n"
    for name, port in PORTS.items():
        text += "  - {name: %s, sockets: [{address: 127.0.0.1, port: %d, chain: %s, key: %s}], authentication: {%s, validator: ad, domain: LAB}}\n" % (
            name, port, lab.path("tls", "front.pem"), lab.path("tls", "front.key"), AUTHENTICATION[name])
    text += "rules:\n"
    for name in PORTS:
        for path, inside in [*INSIDE.items(), (OPEN, "anon"), ("anyone", "ntlm")]:
            delegation = {"kept": "kerberos", OPEN: "block", "anyone": "ntlm"}.get(path, path)
            text += """  - {name: %s %s, listener: %s, all_names: true, paths: [{external: /%s/*, internal: /%s/*}],%s delegation: %s,
     spns: [http/back.lab.test], site: back.lab.test, upstream: {port: %d, servers: [{connect: "%s", port: %d}]}}
""" % (name, path, name, path, inside, " users: [All Authenticated Users]," if path not in (OPEN, "anyone") else "", delegation, HTTP_PORT, lab.ip, HTTP_PORT)
    return text


def seen(path, user):
    """How the server names that user."""
    return "" if path in ("block", OPEN) else "LAB\\" + user if path in ("basic", "ntlm", "anyone") else user + "@LAB.TEST"


class Shared:
    """A client connection that several users share. owners: for each port of a server connection that signs in, whom it was seen with."""
    def __init__(self, listener):
        self.listener, self.cookies, self.owners, self.statuses = listener, {}, collections.defaultdict(set), collections.Counter()
        self.c = h2_client.connect(socket.create_connection(("127.0.0.1", PORTS[listener]), 120), NAMES[0])

    def request(self, path, user=None, body=b"", name=NAMES[0], fields=(), password=None):
        head = [(":method", "POST" if body else "GET"), (":scheme", "https"), (":authority", "%s:%d" % (name, PORTS[self.listener])), (":path", path),
                ("user-agent", "Mozilla/5.0"), *fields]
        if user and self.listener == "basic":
            head.append(("authorization", "Basic " + base64.b64encode(("LAB\\%s:%s" % (user, password or PASSWORDS[user])).encode()).decode()))
        elif user:
            head.append(("cookie", self.cookies[user, name]))
        if body:
            head.append(("content-length", str(len(body))))
        return head, body

    def one(self, *arguments, **more):
        return self.c.ask([self.request(*arguments, **more)])[0]

    def sign_in(self, user, name=NAMES[0]):
        page = self.one("/.publishd/sign-in", name=name)
        token = html.unescape(re.search(r'name="token" value="([^"]+)"', page.body().decode()).group(1))
        form = urllib.parse.urlencode({"token": token, "url": "/", "user": user, "password": PASSWORDS[user], "computer": "private"}).encode()
        answer = self.one("/.publishd/sign-in", body=form, name=name, fields=[
            ("cookie", cookies(page)[0]), ("content-type", "application/x-www-form-urlencoded"), ("origin", "https://%s:%d" % (name, PORTS[self.listener]))])
        session = [c for c in cookies(answer) if "-form=" not in c]
        say("%s signs in by the form of %s" % (user, name), answer.status == 303 and session, (answer.status, answer.body()[:300]))
        self.cookies[user, name] = session[0]

    def got(self, answer, path, user):
        """Whether that is the user's; what came."""
        self.statuses[answer.status] += 1
        try:
            said = json.loads(answer.body())
        except ValueError:
            return False, (path, user, str(answer), answer.body()[:200])
        if path in BOUND:
            self.owners[said["port"]].add((user, {"kept": "kerberos"}.get(path, path)))
        return answer.status == 200 and said["user"] == seen(path, user), (path, user, answer.status, said["user"])

    def all(self, what, wanted):
        """wanted: (path, user, name) of requests, as many of them at a time as the client can. Every third has a body."""
        requests = [self.request("/%s/%d" % (path, n), user, b"z" * 300 if n % 3 == 2 else b"", name) for n, (path, user, name) in enumerate(wanted)]
        answers = self.c.ask(requests)
        results = [self.got(a, path, user) for a, (path, user, _) in zip(answers, wanted)]
        wrong = [came for right, came in results if not right]
        say("%s: %d requests, each answered as its own user's" % (what, len(wanted)), len(results) == len(wanted) and not wrong, (len(wrong), self.statuses, wrong[:4]))

    def end(self, what):
        mixed = {port: owners for port, owners in self.owners.items() if len(owners) > 1}
        say("%s: each of %d server connections on which somebody signs in is one user's, by one way" % (what, len(self.owners)), self.owners and not mixed, mixed)
        self.c.sock.close()


def cookies(answer):
    return [v.decode().split(";")[0] for k, v in answer.fields if k == b"set-cookie"]


def shared(listener):
    s = Shared(listener)
    for user, name in itertools.product(USERS, NAMES) if listener == "form" else ():
        s.sign_in(user, name)
    return s


KINDS = [*itertools.product(INSIDE, USERS), (OPEN, None)]


def in_turn():
    """From one user and rule to another, one after the other."""
    for listener in PORTS:
        s = shared(listener)
        for path, user in random.Random(7).choices(KINDS, k=80):
            answer = s.one("/%s/" % path, user)
            right, came = s.got(answer, path, user)
            stray = right and path not in BOUND and s.owners.get(json.loads(answer.body())["port"])
            if not right or stray:
                say("%s, in turn" % listener, False, (came, stray))
                break
        else:
            say("%s, in turn: %d answers, each its own user's" % (listener, sum(s.statuses.values())), True)
        s.end(listener + ", in turn")


def at_once():
    for listener in PORTS:
        s = shared(listener)
        wanted = [(path, user, name) for path, user in KINDS for name in NAMES] * 2
        random.Random(11).shuffle(wanted)
        s.all("%s, at once, by two names" % listener, wanted)
        s.end(listener + ", at once")


def signs_off():
    """Somebody signs off, and another signs in on the same browser's connection."""
    s = Shared("form")
    for user in ("alice", "bob", "alice"):
        s.sign_in(user)
        s.all("%s behind the last one's log-off" % user, [(path, user, NAMES[0]) for path in INSIDE] * 3)
        s.one("/.publishd/sign-out", user)
        left = [s.one("/%s/" % path, user) for path in INSIDE]
        equal("%s has signed off" % user, [(a.status, b"@LAB" in a.body()) for a in left], [(302, False)] * len(left))
    s.end("signing off")


def passwords():
    """A rule for everybody sends on what nobody has checked (B-27): who brings a wrong password at the same time inherits nothing."""
    s = Shared("basic")
    for _ in range(4):
        wrongs = [n % 2 == 1 for n in range(12)]
        answers = s.c.ask([s.request("/anyone/", "alice", password="Nothing.Pw1" if wrong else None) for wrong in wrongs])
        equal("passwords at once, right and wrong by turns", [a.status for a in answers], [403 if wrong else 200 for wrong in wrongs])
    s.c.sock.close()


def established(port):
    """Connections to that port, of this network namespace."""
    with open("/proc/net/tcp") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return sum(int(row[2].split(":")[1], 16) == port and row[3] == "01" for row in rows)


def no_more_than_needed():
    """Users who come one after the other leave no connections behind."""
    s, before = Shared("basic"), established(HTTP_PORT)
    for user in CROWD:
        for path in BOUND:
            right, came = s.got(s.one("/%s/" % path, user), path, user)
            if not right:
                return say("one of a crowd", False, came)
    held = established(HTTP_PORT) - before
    say("a crowd of %d, one after the other: at most one server connection is held for one request at a time" % len(CROWD), held <= 1, held)
    s.end("a crowd")


def main():
    with Served(BUILD, configuration(), PORTS["basic"]):
        run((in_turn, at_once, signs_off, passwords, no_more_than_needed))


main()
