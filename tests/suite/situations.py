"""Golden cases: emitters/cases/*.cases. Each is one situation: what a small policy says, the findings, and what becomes of it in
the three configs, as the lines by which they differ from the configs of the plain policy that it begins with.

    === the client's Host header
    base: https
    rule.forward_host: true
    --- findings
    --- nginx
    -     proxy_set_header Host app.corp.example;
    +     proxy_set_header Host $http_host;
    ...

`base` names a policy in emitters/cases/bases.yaml. A line `place.key: value` sets a key of its first listener, farm, network,
schedule, rule (`rule2` is the second), protocol or server rule, or of the policy or the site map themselves; `-` as the value removes it. `whole: true` shows the configs
themselves. tests/run situations checks; tests/situations --update writes the cases afresh.
"""
import difflib
import json
import os
import re
from .common import TOP, read, test_each

FOLDER = os.path.join(TOP, "emitters", "cases")
TOPICS = sorted(n[:-6] for n in os.listdir(FOLDER) if n.endswith(".cases"))
CONFIGS = (("nginx", "nginx/nginx.conf"), ("haproxy", "haproxy/haproxy.cfg"), ("publishd", "publishd/publishd.yaml"))
SECTIONS = {"listener": "listeners", "farm": "farms", "network": "networks", "schedule": "schedules", "users": "user_sets", "rule": "rules",
            "protocol": "protocols", "server": "server_rules"}


def bases():
    """{name: (policy, site map)} of bases.yaml, a file of documents `--- # NAME policy` and `--- # NAME site`."""
    found = {}
    for part in re.split(r"(?m)^--- # ", read(os.path.join(FOLDER, "bases.yaml")).decode())[1:]:
        title, text = part.split("\n", 1)
        name, kind = title.split()
        found.setdefault(name, {})[kind] = text
    return {n: (v["policy"], v.get("site", found["https"]["site"])) for n, v in found.items()}


def set_key(lines, first, last, indent, key, value):
    """Lines first..last are an object's block; its key becomes value, or goes."""
    pad = " " * indent
    for i in range(first, last):
        if lines[i].replace("- ", "  ", 1).startswith("%s%s:" % (pad, key)):
            end = i + 1
            while end < last and (lines[end].startswith(pad + " ") or not lines[end].strip()):
                end += 1
            head = lines[i][:indent]
            lines[i:end] = [] if value == "-" else ["%s%s: %s" % (head, key, value)]
            return
    if value != "-":
        while last > first and not lines[last - 1].strip():
            last -= 1
        lines.insert(last, "%s%s: %s" % (pad, key, value))


def changed(policy, site, place, key, value):
    """The two texts with one key set."""
    if place in ("site", "policy"):
        lines = (site if place == "site" else policy).rstrip("\n").split("\n")
        set_key(lines, 0, len(lines), 0, key, value)
        text = "\n".join(lines) + "\n"
        return (policy, text) if place == "site" else (text, site)
    number = int(place[-1]) if place[-1].isdigit() else 1
    lines = policy.rstrip("\n").split("\n")
    at = lines.index(SECTIONS[place.rstrip("0123456789")] + ":")
    end = next((i for i in range(at + 1, len(lines)) if lines[i] and not lines[i].startswith(" ")), len(lines))
    starts = [i for i in range(at + 1, end) if lines[i].startswith("  - ")] + [end]
    set_key(lines, starts[number - 1], starts[number], 4, key, value)
    return "\n".join(lines) + "\n", site


def parse(text):
    """[(name, [(key, value)], {section: text})] and what stands before the first case."""
    parts = re.split(r"(?m)^=== ", text)
    cases = []
    for part in parts[1:]:
        pieces = re.split(r"(?m)^--- (\w+)\n", part)
        name, settings = pieces[0].split("\n", 1)
        settings = [tuple(line.split(": ", 1)) for line in settings.strip().split("\n") if line]
        cases.append((name, settings, dict(zip(pieces[1::2], pieces[2::2]))))
    return parts[0], cases


def said(report):
    """The findings of a report, a line each."""
    return ["%s %s %s%s: %s" % (f["code"], f["severity"], f["class"], "; " + ", ".join(f["targets"]) if f.get("targets") else "", f["message"])
            for f in json.loads(report)["findings"]]


def converted(t, name, policy, site):
    """{section: lines} of what tmgc makes of a policy."""
    folder = t.path(re.sub(r"\W+", "-", name))
    p, s = t.write(folder + "/policy-in.yaml", policy), t.write(folder + "/site.yaml", site)
    r = t.run("convert", p, "-m", s, "-o", folder + "/out", "--fail-on", "never", "-q")
    if r.status:
        return {"findings": ["refused: " + re.sub(r"\S*/policy-in", "policy", r.err.decode().strip().split("\n")[0])]}
    out = {"findings": said(read(folder + "/out/report.json"))}
    for target, file in CONFIGS:
        text = read(os.path.join(folder, "out", file)).decode().replace(folder + "/", "")
        out[target] = [line for line in text.split("\n")]
    streams = os.path.join(folder, "out", "nginx", "stream.conf")
    if os.path.exists(streams):
        out["nginx"] += read(streams).decode().split("\n")
    return out


def difference(old, new):
    """Lines that went and came, in order, without context."""
    out = []
    for tag, i, j, k, n in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            out += ["-" + (" " + line if line else "") for line in old[i:j]] + ["+" + (" " + line if line else "") for line in new[k:n]]
    return out


def sections(t, base_of, name, settings):
    """{section: text} of a case as it is now."""
    base, whole = dict(settings)["base"], dict(settings).get("whole")
    policy, site = bases()[base]
    if base not in base_of:
        base_of[base] = converted(t, "base " + base, policy, site)
    for key, value in settings:
        if "." in key:
            policy, site = changed(policy, site, *key.split(".", 1), value)
    now = converted(t, name, policy, site)
    out = {}
    for section in now:
        lines = now[section] if whole else difference(base_of[base].get(section, []), now[section])
        out[section] = "".join(line.rstrip() + "\n" for line in lines)
    return out


def written(head, cases):
    """The text of a file of cases."""
    out = [head]
    for name, settings, parts in cases:
        out.append("=== %s\n%s\n" % (name, "\n".join("%s: %s" % s for s in settings)))
        out += ["--- %s\n%s" % (section, text) for section, text in parts.items()]
        out.append("\n")
    return "".join(out).rstrip("\n") + "\n"


@test_each(*TOPICS)
def test_situations(t, topic):
    _, cases = parse(read(os.path.join(FOLDER, topic + ".cases")).decode())
    base_of = {}
    for name, settings, expected in cases:
        now = sections(t, base_of, name, settings)
        expected = {k: v.rstrip("\n") for k, v in expected.items()}
        for section in sorted(expected.keys() | now.keys()):
            got = now.get(section, "").rstrip("\n")
            t.check(got == expected.get(section, "").rstrip("\n"), "%s: %s, %s:" % (topic, name, section), "now\n" + got)
    t.note = "%d situations" % len(cases)
