#!/usr/bin/env python3
"""Inside the lab: clients that sign in to the published server themselves, through nginx, HAProxy and publishd. Prints a line of JSON a check."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab import Lab, USERS
from suite.common import Test
from traffic import PROXIES, Traffic, site_rule


def say(passed, what):
    print(json.dumps([bool(passed), what]), flush=True)


def curl(lab, port, path, user, *more, scheme="--negotiate", bodies=()):
    """Requests one after the other on one connection, with curl; the answers' JSON, None for what is none."""
    keys = lab.path("run", "ntlm." + user)
    with open(keys, "w") as f:
        f.write("LAB:%s:%s\n" % (user, USERS[user][0]))
    command, out = ["curl", "-s", "--max-time", "6"], []
    for i, body in enumerate(bodies or [None] * 3):
        command += (["--next", "-s", "--max-time", "6"] if i else []) + [scheme, "-u", user + ":", "--resolve", "back.lab.test:%d:127.0.0.1" % port,
                    "http://back.lab.test:%d%s?%d" % (port, path, i)] + (["--data-binary", body] if body is not None else []) + list(more)
    p = subprocess.run(command, env=lab.environ(NTLM_USER_FILE=keys), capture_output=True, timeout=120)
    for line in p.stdout.decode("utf-8", "replace").splitlines():
        try:
            out.append(json.loads(line))
        except ValueError:
            pass
    return out


def main():
    t = Test("lab-through", os.path.abspath(sys.argv[1]), None)
    with Lab(os.environ.get("LAB_DIR")) as lab:
        rules = [site_rule("site", 80, more="delegation: pass", names="back.lab.test")]
        with Traffic(t, rules, {"site.corp.example:80": "%s:18080" % lab.ip}, listener="basic: true") as traffic:
            for name in PROXIES:
                port = traffic.ports[name]
                for user in ("alice", "bob"):
                    for path in ("/nego", "/ntlm") if name != "nginx" else ("/nego",):
                        bodies = ["body %d of %s" % (i, user) for i in range(1 if name == "nginx" else 4)]
                        got = curl(lab, port, path, user, bodies=bodies)
                        if name == "nginx":                  # a connection of its own each request: NTLM cannot work
                            say(not got, "nginx: NTLM is not got through, as TMG3007 says: %r" % got[:1])
                            continue
                        say(len(got) == 4, "%s %s %s: four answers: %d" % (name, path, user, len(got)))
                        for i, answer in enumerate(got):
                            say(answer["user"].lower().endswith(user), "%s %s: request %d is %s's: %s" % (name, path, i, user, answer["user"]))
                            say(answer["body"] == bodies[i], "%s %s: body %d is whole: %r" % (name, path, i, answer["body"]))
                for i, user in enumerate(("alice", "bob") * 4):  # taking turns: nobody gets the other's connection
                    got = curl(lab, port, "/nego", user, bodies=["turn %d" % i]) if name != "nginx" else []
                    if name != "nginx":
                        say([a["user"].split("\\")[-1].split("@")[0].lower() for a in got] == [user], "%s: turn %d is %s's: %r" % (name, i, user, got))
                anonymous = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: back.lab.test", "http://127.0.0.1:%d/ntlm" % port],
                                           capture_output=True, text=True).stdout
                say(anonymous == "401", "%s: without credentials the server's own 401: %s" % (name, anonymous))
    t.close()


main()
