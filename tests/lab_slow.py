#!/usr/bin/env python3
"""Servers that publishd asks about users and that are slow, silent or gone: runs inside tests/lab.py run. Usage: tests/lab_slow.py BUILD"""
import html
import http.client
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

from lab_front import ADMIN, HTTP_PORT, USERS, Served, curl, equal, lab, run, say, service
from relays import Datagrams, Relay

BUILD, TIMEOUT = sys.argv[1], 1
PATIENCE = 3 * TIMEOUT                       # what a client waits at most, whatever libraries do
PORTS = {"open": 7201, "basic": 7202, "radius": 7203, "ldap": 7204, "integrated": 7205, "form": 7206, "passcode": 7207}
FORMS = ("form", "passcode")
AUTHENTICATION = {"basic": "basic: true, over_http: true, validator: ad", "radius": "basic: true, over_http: true, validator: radius",
                  "ldap": "basic: true, over_http: true, validator: ldap", "integrated": "integrated: true, offer: [negotiate, ntlm], over_http: true, validator: ad", "form": "forms: ad, validator: ad",
                  "passcode": "forms: radius-otp, validator: radius"}
kdc, ldap, radius = Relay(lab.ip, (lab.ip, 10088)), Relay(lab.ip, (lab.ip, 636)), Datagrams(lab.ip, (lab.ip, 11812))


def configuration():
    with open(lab.path("krb5.conf")) as f, open(lab.path("krb5-relayed.conf"), "w") as to:
        to.write(f.read().replace("%s:10088" % lab.ip, "%s:%d" % (lab.ip, kdc.port)))
    with open(lab.path("run", "admin"), "w") as f:
        f.write(ADMIN + "\n")
    text = service(1, (
        "timeout: %d" % TIMEOUT,
        'ldap: {servers: ["ldaps://dc1.lab.test:%d"], trust: %s, base: "DC=lab,DC=test", user: Administrator@LAB.TEST, secret: %s}' % (
            ldap.port, lab.path("tls", "ca.pem"), lab.path("run", "admin")),
        'radius: {servers: ["%s:%d"], secret: %s}' % (lab.ip, radius.port, lab.path("radius", "secret"))), "krb5-relayed.conf")
    text += """user_sets:
  - name: All Authenticated Users
  - {name: Web, groups: ["LAB\\\\webusers"]}
listeners:
"""
    for name, port in PORTS.items():
        tls = ", chain: %s, key: %s" % (lab.path("tls", "front.pem"), lab.path("tls", "front.key")) if name in FORMS else ""
        text += "  - {name: %s, sockets: [{address: 127.0.0.1, port: %d%s}]%s}\n" % (
            name, port, tls, ", authentication: {%s, domain: LAB}" % AUTHENTICATION[name] if name in AUTHENTICATION else "")
    text += "rules:\n"
    for name in PORTS:
        for path, inside, delegation in (("/krb/*", "/krb/*", "kerberos"), ("/ntlm/*", "/ntlm/*", "kerberos"), ("/web/*", "/anon/*", "block"), ("/*", "/anon/*", "block")):
            if delegation == "block" or name in ("basic", "integrated", "form", "passcode"):
                text += """  - {name: %s %s, listener: %s, all_names: true, paths: [{external: %s, internal: %s}], %sdelegation: %s, spns: [http/back.lab.test],
     site: back.lab.test, upstream: {port: %d, servers: [{connect: "%s", port: %d}]}}
""" % (name, path, name, path, inside, "" if name == "open" else "users: [%s], " % ("Web" if path == "/web/*" else "All Authenticated Users"), delegation, HTTP_PORT, lab.ip, HTTP_PORT)
    return text


def basic(user, password=None):
    return "--basic", "-u", "LAB\\%s:%s" % (user, password or USERS[user][0])


def timed(call):
    start = time.monotonic()
    result = call()
    return result, time.monotonic() - start


def form(user, password, listener="form"):
    """The status and page that come of sending the form, how long that took, and the session's cookie."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c = http.client.HTTPSConnection("127.0.0.1", PORTS[listener], timeout=60, context=context)
    host = "front.lab.test:%d" % PORTS[listener]
    head = {"Host": host, "User-Agent": "Mozilla/5.0", "Origin": "https://" + host}
    c.request("GET", "/.publishd/sign-in", headers=head)
    r = c.getresponse()
    token = html.unescape(re.search(r'name="token" value="([^"]+)"', r.read().decode()).group(1))
    head["Cookie"], head["Content-Type"] = r.getheader("Set-Cookie").split(";")[0], "application/x-www-form-urlencoded"
    start = time.monotonic()
    c.request("POST", "/.publishd/sign-in", urllib.parse.urlencode({"token": token, "user": user, "password" if listener == "form" else "passcode": password, "url": "/krb/"}), head)
    r = c.getresponse()
    page, seconds, cookie = r.read().decode(), time.monotonic() - start, (r.getheader("Set-Cookie") or "").split(";")[0]
    c.close()
    return r.status, page, seconds, cookie


class Crowd:
    """Many who wait for the KDC at once, more than there are threads for it."""
    def __init__(self, n):
        self.answers = []
        self.threads = [threading.Thread(target=self.one, args=(i,)) for i in range(n)]
        for t in self.threads:
            t.start()

    def one(self, i):
        (status, _), seconds = timed(lambda: curl(PORTS["basic"], "/krb/", *basic("alice", "Nothing.%d" % i)))
        self.answers.append((status, seconds))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for t in self.threads:
            t.join()


def others(when):
    """What needs no word with the KDC goes on: nobody's answer comes later than that of those who wait for it."""
    for what, port, options, user in (("nobody signs in", "open", (), None), ("a kept password and ticket", "basic", basic("bob"), "bob@LAB.TEST"),
                                      ("RADIUS", "radius", basic("alice"), None), ("LDAP", "ldap", basic("alice"), None)):
        status, said = curl(PORTS[port], "/krb/" if user else "/", *options)
        equal("%s: %s" % (when, what), (status, said.get("user")), (200, user or ""), said)


def slow():
    """The KDC takes seconds for each answer."""
    equal("before", curl(PORTS["basic"], "/krb/", *basic("bob"))[0], 200)
    kdc.delay = 0.4
    (status, said), seconds = timed(lambda: curl(PORTS["basic"], "/krb/", *basic("alice")))
    equal("a slow KDC: in, and delegated", (status, said.get("user")), (200, "alice@LAB.TEST"), "%.1f s" % seconds)
    say("a slow KDC: that took its answers' time", seconds > 2 * kdc.delay, seconds)
    before = kdc.connections
    equal("a slow KDC: once", (curl(PORTS["basic"], "/krb/", *basic("alice"))[0], kdc.connections), (200, before))
    status, page, seconds, _ = form("zoë", USERS["zoë"][0])
    say("a slow KDC: by form", status == 303 and seconds > kdc.delay, (status, seconds))
    kdc.delay = 0


def refused_ticket():
    """A server that does not take the ticket makes publishd get another one: not on the thread that serves everybody, as the KDC answers once they are served."""
    equal("a server that wants NTLM", curl(PORTS["basic"], "/ntlm/", *basic("bob"))[0], 403)
    for _ in range(5):                       # a busy machine may not get to it before the time is over
        kdc.held, done, before = threading.Event(), [], kdc.connections
        t = threading.Thread(target=lambda: done.append(timed(lambda: curl(PORTS["basic"], "/ntlm/", *basic("bob"))[0])))
        t.start()
        while kdc.connections == before and t.is_alive():
            time.sleep(0.01)
        statuses = [curl(PORTS["open"], "/")[0] for _ in range(5)]
        meanwhile = not done
        kdc.held.set()
        t.join()
        if meanwhile:
            break
    equal("others are served meanwhile", (statuses, meanwhile), ([200] * 5, True), done)
    equal("and then it is refused", done[0][0], 403, done)


def silent():
    """The KDC takes questions and says nothing: an answer after PATIENCE, and everybody else is served meanwhile."""
    equal("before", curl(PORTS["basic"], "/krb/", *basic("bob"))[0], 200)
    kdc.silent = True
    ticket = {"KRB5CCNAME": lab.ticket("hana")}          # from the KDC itself
    before = kdc.connections
    with Crowd(60) as crowd:
        while kdc.connections < before + 15 and not crowd.answers:
            time.sleep(0.01)
        others("60 wait for a silent KDC")
        equal("60 wait: who has a ticket of his own", curl(PORTS["integrated"], "/", "--negotiate", "-u", ":", env=ticket)[0], 200)
        asked = kdc.connections - before
    say("not all of them ask at once", asked < 40, asked)
    equal("all of them are told so", {status for status, _ in crowd.answers}, {503}, crowd.answers)
    say("in time", max(s for _, s in crowd.answers) < PATIENCE + 15, crowd.answers)
    status, page, seconds, _ = form("carol", USERS["carol"][0])
    say("a silent KDC: the form says so", status == 503 and "does not answer" in page and 'value="carol"' in page and seconds < PATIENCE + 15, (status, seconds, page))
    (status, said), seconds = timed(lambda: curl(PORTS["form"], "/krb/", "--basic", "-u", "LAB\\alice:Other.Pw", scheme="https"))
    say("a silent KDC: who comes later", status == 503 and seconds < PATIENCE + 15, (status, seconds))
    with Crowd(6) as crowd:
        pass
    say("a silent KDC: while that is known, nobody waits but who tries it",
        {status for status, _ in crowd.answers} == {503} and sorted(s for _, s in crowd.answers)[-2] < PATIENCE, crowd.answers)
    kdc.silent = False
    (status, seconds) = timed(lambda: soon(200, "/krb/", None, "basic", *basic("zoë"))[0])
    say("it is heard again, and in good time", status == 200 and seconds < 15, (status, seconds))


def at_once(what, listener):
    """503 before anybody's time is over, the best time of some, as other programs run beside this one. Nobody's password is kept that could help."""
    answers = []
    while len(answers) < 20 and (not answers or answers[-1][1] >= TIMEOUT):
        (status, _), seconds = timed(lambda: curl(PORTS[listener], "/", *basic("carol", "Nothing.%d" % len(answers))))
        answers.append((status, seconds))
    say("%s: 503, at once" % what, {status for status, _ in answers} == {503} and answers[-1][1] < TIMEOUT, answers)


def gone():
    """Nobody listens where the KDC was: an answer at once, and again when it is back."""
    kdc.gone()
    at_once("no KDC", "basic")
    status, page, seconds, _ = form("carol", USERS["carol"][0])
    say("no KDC: the form says so", status == 503 and "does not answer" in page, (status, seconds))
    others("no KDC")
    ticket = {"KRB5CCNAME": lab.ticket("hana")}
    status, said = curl(PORTS["integrated"], "/", "--negotiate", "-u", ":", env=ticket)
    equal("no KDC: a client's ticket is good", status, 200, said)
    status, said = curl(PORTS["integrated"], "/krb/", "--negotiate", "-u", ":", env=ticket)
    equal("no KDC: but nothing can be delegated with it", status, 502, said)
    kdc.back()
    status, said = curl(PORTS["basic"], "/krb/", *basic("hana"))
    end = time.monotonic() + 20
    while status != 200 and time.monotonic() < end:
        status, said = curl(PORTS["basic"], "/krb/", *basic("hana"))
    equal("the KDC is back", (status, said.get("user")), (200, "hana@LAB.TEST"))


def directories():
    """LDAP and RADIUS: slow, silent, gone."""
    for name, relay in (("ldap", ldap), ("radius", radius)):
        relay.delay = 0.3
        (status, _), seconds = timed(lambda: curl(PORTS[name], "/", *basic("zoë")))
        say("%s, slow" % name, status == 200 and seconds > 0.3, (status, seconds))
        relay.delay, relay.silent = 0, True
        (status, _), seconds = timed(lambda: curl(PORTS[name], "/", *basic("bob")))
        say("%s, silent: 503" % name, status == 503 and TIMEOUT * 0.8 < seconds < PATIENCE + 15, (status, seconds))
        equal("%s, silent: what is known stays so" % name, curl(PORTS[name], "/", *basic("zoë"))[0], 200)
        relay.silent = False
        equal("%s: heard again" % name, curl(PORTS[name], "/", *basic("bob"))[0], 200)
    ldap.gone()
    at_once("no LDAP", "ldap")
    names_and_groups()
    ldap.back()
    names_and_groups(bob=(200, ""), alice=403, hana=(200, "hana@LAB.TEST"))
    equal("LDAP is back", curl(PORTS["ldap"], "/", *basic("hana"))[0], 200)


def soon(expected, path, cookie, listener="passcode", *options):
    """What could not be had is not asked for again for 3 seconds."""
    status, said, end = 0, {}, time.monotonic() + 30
    while status != expected and time.monotonic() < end:
        status, said = curl(PORTS[listener], path, "-A", "Mozilla/5.0", "-b", cookie or "", *options, scheme="https" if listener in FORMS else "http")
    return status, said


def names_and_groups(bob=(503, None), alice=503, hana=(502, None)):
    """What the directory must say of who has signed in without it: the groups, and whose user principal name it is. While it cannot be asked
    nobody is told that he may not."""
    for user, expected in (("bob", bob[0]), ("alice", alice)):
        status, page, _, cookie = form(user, USERS[user][0], "passcode")
        equal("a passcode: %s is in" % user, status, 303, page)
        status, said = soon(expected, "/web/", cookie)
        equal("the groups of %s" % user, status, expected, said)
    status, page, _, cookie = form("hana.m@mail.example", USERS["hana"][0], "passcode")
    equal("a passcode: hana is in", status, 303, page)
    status, said = soon(hana[0], "/krb/", cookie)
    equal("whose name hana's is", (status, said.get("user")), hana, said)


def skewed():
    """publishd's clock is an hour off: who the KDC will not talk to is told that nobody can be asked, not that the password is wrong."""
    for skew in ("+1h", "-1h"):
        faked = subprocess.run(["faketime", "-f", skew, "sh", "-c", "echo $LD_PRELOAD"], capture_output=True, text=True, check=True).stdout.strip()
        with Served(BUILD, configuration(), PORTS["open"], env={"LD_PRELOAD": faked, "FAKETIME": skew}):
            equal("clock %s: nobody signs in" % skew, curl(PORTS["open"], "/")[0], 200)
            status, said = curl(PORTS["basic"], "/", *basic("alice"))
            say("clock %s: a password" % skew, status in (200, 503), (status, said))
            status, page, _, _ = form("alice", USERS["alice"][0])
            say("clock %s: a form" % skew, status in (303, 503) and "is not right" not in page, (status, page))
            status, said = curl(PORTS["integrated"], "/", "--negotiate", "-u", ":", env={"KRB5CCNAME": lab.ticket("alice")})
            equal("clock %s: a client's ticket is not taken" % skew, status, 401, said)


def main():
    with Served(BUILD, configuration(), PORTS["open"]):
        run((slow, gone, directories, refused_ticket, silent))
    run((skewed,))


main()
