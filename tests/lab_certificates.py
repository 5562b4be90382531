#!/usr/bin/env python3
"""Client certificates in the domain: whom they sign in, and what servers see of them (B-98, B-109). Runs inside tests/lab.py run.
Usage: tests/lab_certificates.py BUILD [PART...]
"""
import itertools
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_front import ADMIN, HTTP_PORT, Served, curl, equal, lab, run, say

BUILD, PORT = sys.argv[1], 7101
UPN = "otherName.0=1.3.6.1.4.1.311.20.2.3;FORMAT:UTF8,UTF8:"
PATHS = {"pass": "anon", "block": "anon", "kerberos": "krb"}
SPNS = {"all": "http/back.lab.test", "web": "http/back.lab.test", "other": "HTTP/other.lab.test"}


def issued(name, upn):
    """Options of curl that show a certificate with this user principal name; None: with no name."""
    tls = lab.path("tls")
    cert, key, more = ("%s/user-%s.%s" % (tls, name, end) for end in ("pem", "key", "ext"))
    with open(more, "w", encoding="utf-8") as f:
        f.write("extendedKeyUsage=clientAuth\n" + ("subjectAltName=@names\n[names]\n%s%s\n" % (UPN, upn) if upn else ""))
    for command in (["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", "/CN=user", "-out", cert + ".csr"],
                    ["openssl", "x509", "-req", "-in", cert + ".csr", "-CA", tls + "/ca.pem", "-CAkey", tls + "/ca.key", "-CAcreateserial", "-days", "2",
                     "-extfile", more, "-out", cert]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return "--cert", cert, "--key", key


def configuration(delegations, directory=False, authentication="client_certificate: true, validator: ad"):
    ldap = ("\n    ldap: {servers: ['ldaps://dc1.lab.test'], trust: %s, base: 'DC=lab,DC=test', user: Administrator@LAB.TEST, secret: %s}"
            % (lab.path("tls", "ca.pem"), lab.path("run", "admin"))) if directory else ""
    with open(lab.path("run", "admin"), "w") as f:
        f.write(ADMIN + "\n")
    text = """publishd: 1
service:
  loops: 2
  sign_in:
    ad: kerberos
    domains: [{netbios: LAB, realm: LAB.TEST}]
    kerberos: {config: %s, keytab: %s, principal: HTTP/front.lab.test@LAB.TEST}%s
listeners:
  - name: edge
    sockets: [{address: 127.0.0.1, port: %d, chain: %s, key: %s}]
    client_trust: %s
    authentication: {%s}
user_sets:
  - name: All Authenticated Users
  - {name: Web, groups: ["LAB\\\\webusers"]}
rules:
""" % (lab.path("krb5.conf"), lab.path("kt", "front.keytab"), ldap, PORT, lab.path("tls", "front.pem"), lab.path("tls", "front.key"), lab.path("tls", "ca.pem"), authentication)
    for delegation, part in itertools.product(delegations, SPNS):
        text += """  - name: %s %s
    listener: edge
    all_names: true
    paths: [{external: /%s-%s/*, internal: /%s/*}]
    users: [%s]
    site: back.lab.test
    upstream: {port: %d, servers: [{connect: "%s", port: %d}]}
    delegation: %s
    spns: [%s]
""" % (delegation, part, delegation, part, PATHS.get(delegation, "krb"), "Web" if part == "web" else "All Authenticated Users", HTTP_PORT, lab.ip, HTTP_PORT, delegation, SPNS[part])
    return text


def ask(path, options, *more):
    return curl(PORT, path, *options, *more, scheme="https")


def matrix():
    """Row "client certificate" of 6.1: what works, for each user and each kind of request."""
    for user in ("alice", "bob", "zoë"):
        options = issued(user, user + "@lab.test")
        for delegation in PATHS:
            for version, body in itertools.product(("--http1.1", "--http2"), ((), ("-d", "x" * 1000))):
                status, said = ask("/%s-all/" % delegation, options, version, *body)
                equal("certificate, %s, %s, %s %s" % (delegation, user, version, "POST" if body else "GET"),
                      (status, said.get("user"), len(said.get("body", "?" * 9))), (200, user + "@LAB.TEST" if delegation == "kerberos" else "", 1000 if body else 0), said)
                say("nothing else of a sign-in goes on", delegation == "kerberos" or "authorization" not in said.get("headers", {}), said)
            equal("certificate, %s, %s, for webusers" % (delegation, user), ask("/%s-web/" % delegation, options)[0], 200 if user == "bob" else 403)
        equal("certificate, %s to a service that is not allowed" % user, ask("/kerberos-other/", options)[0], 403)


def refused():
    """Who may not: the KDC says so of accounts, and a certificate yields no password."""
    before = lab.requests("/krb")
    for user, status in (("dan", 403), ("frank", 403), ("nobody", 403), ("carol", 403)):
        options = issued(user, user + "@LAB.TEST")
        equal("%s, constrained delegation" % user, ask("/kerberos-all/", options)[0], status)
        equal("%s, no delegation" % user, ask("/block-all/", options)[0], 200 if user == "carol" else 403)
    for what, upn in (("no name", None), ("another realm", "alice@elsewhere.test"), ("a suffix without a directory", "hana.m@mail.example"), ("a domain in the name", "LAB\\\\alice@lab.test")):
        equal("a certificate with " + what, ask("/kerberos-all/", issued("odd", upn))[0], 403)
    equal("no certificate", ask("/kerberos-all/", ())[0], 403)
    equal("no server heard of them", lab.requests("/krb"), before)
    for delegation in ("basic", "ntlm", "negotiate"):
        s = Served(BUILD, configuration([delegation]), PORT)
        p = subprocess.run([os.path.join(BUILD, "publishd"), "-t", "-c", s.file], capture_output=True, text=True)
        say("certificate with %s is refused at the start, and why" % delegation,
            p.returncode == 1 and "delegation: %s cannot work" % delegation in p.stderr and "what works is kerberos" in p.stderr, p.stderr)


def kdc():
    with Served(BUILD, configuration(PATHS), PORT):
        matrix()
        refused()


def directory():
    """A user principal name that is no account and realm is looked up."""
    with Served(BUILD, configuration(["kerberos"], directory=True), PORT):
        for user, upn, status in (("hana", "hana.m@mail.example", 200), ("alice", "alice@lab.test", 200), ("dan", "dan@lab.test", 403), ("nobody", "nobody@mail.example", 403)):
            status_, said = ask("/kerberos-all/", issued(user, upn))
            equal("by the directory: " + upn, (status_, said.get("user") if status == 200 else None), (status, user + "@LAB.TEST" if status == 200 else None), said)
        equal("by the directory, groups", [ask("/kerberos-web/", issued(u, u + "@lab.test"))[0] for u in ("alice", "bob")], [403, 200])


def form():
    """Beside a form of Active Directory's the certificate is mapped before the form is shown."""
    with Served(BUILD, configuration(["kerberos"], authentication="forms: ad, validator: ad, domain: LAB, form: {client_certificate: true}"), PORT):
        browser = ("-A", "Mozilla/5.0", "-o", os.devnull)
        for what, options, status in (("none", (), 403), ("no name", issued("odd", None), 403), ("a disabled account's", issued("dan", "dan@lab.test"), 403),
                                      ("alice's", issued("alice", "alice@lab.test"), 200)):
            equal("the form, with a certificate: " + what, ask("/.publishd/sign-in?url=/", options, *browser)[0], status)


run((kdc, directory, form))
