#!/usr/bin/env python3
"""Makes a site map with which a sample's configs run on this machine alone.

Usage: localise.py EXPORT SITE FOLDER [--http PORT] [--https PORT] [--plain PORT] [--tls PORT]

Listeners get addresses of 127.0.0.0/8, certificates are made on the spot by a CA of our own, and every published server
is 127.0.0.1: PLAIN for HTTP, TLS for HTTPS. The rest of the site map is kept as it is. FOLDER/site.yaml is the result;
what is where is printed as JSON.
"""
import argparse
import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET

REPLACED = ("listeners", "certificates", "backends", "trust", "server_rules")


def local(element):
    return element.tag.rsplit("}", 1)[-1]


def child(element, name):
    return next((c for c in element if local(c) == name), None)


def text(element, name, default=""):
    found = child(element, name) if element is not None else None
    return (found.text or default) if found is not None else default


def objects(root, name):
    return [e for e in root.iter() if local(e) == name]


def quoted(s):
    return json.dumps(s, ensure_ascii=False)


def listeners(root):
    """[(name, GUID, how many addresses, has http, has https, thumbprints)]"""
    found = []
    for e in objects(root, "WebListener"):
        properties = child(e, "WebListenerProperties")
        addresses = [s for o in objects(e, "IPOnNetwork") for s in objects(o, "Str")]
        prints = [text(c, "SSLCertificateHash").lower() for c in objects(e, "AppliedSSLCertificate")]
        found.append((text(e, "Name"), e.get("StorageName"), max(1, len(addresses)), text(properties, "TCPPort", "8080") != "0",
                      text(properties, "SSLPort", "0") != "0", prints))
    return found


def server_rules(root):
    """[(GUID, how many addresses)] of server publishing rules."""
    return [(rule.get("StorageName"), max(1, len([s for o in objects(server, "IPOnNetwork") for s in objects(o, "Str")])))
            for rule in objects(root, "PolicyRule") for server in [child(rule, "ServerPublishingProperties")] if server is not None]


def backends(root):
    """{(name, port in the export): tls} of every published server."""
    farms = {e.get("StorageName"): [text(m, "NameOrIP") for m in objects(e, "PublishedServer")] for e in objects(root, "ServerFarm")}
    found = {}
    for web in objects(root, "WebPublishingProperties"):
        site = text(web, "WebSite")
        names = [text(web, "PublishedServer") or site]
        config = child(web, "LoadBalancingConfig")
        if config is not None:
            names = [n for r in objects(config, "Ref") for n in farms.get(text(r, "Name"), [])]
        kind = int(text(web, "PublishedServerType", "0"))
        for name in filter(None, names):
            if kind in (0, 2):
                found[name, text(web, "HTTPRedirectPort", "80")] = False
            if kind in (1, 2):
                found[name, text(web, "SSLRedirectPort", "443")] = True
    return found


def server_names(root):
    """What the certificates must cover: public names and internal site names."""
    names = {s.text for p in objects(root, "PublicNames") for s in objects(p, "Str")}
    names |= {text(w, "WebSite") for w in objects(root, "WebPublishingProperties")}
    names = {n.encode("idna").decode() for n in names if n and re.fullmatch(r"[\w*.-]+", n)}
    return sorted(names) + ["localhost"]


def openssl(*arguments):
    subprocess.run(("openssl",) + arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_certificates(folder, names):
    """ca.pem, and server.pem with server.key for all the names."""
    def path(name):
        return os.path.join(folder, name)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-days", "30", "-subj", "/CN=Stand-in CA")
    openssl("req", *key, "-keyout", path("server.key"), "-out", path("server.csr"), "-subj", "/CN=stand-in")
    kinds = ["%s:%s" % ("IP" if re.fullmatch(r"[\d.]+", n) else "DNS", n) for n in names]
    with open(path("names.cnf"), "w") as out:
        out.write("subjectAltName=%s\n" % ",".join(kinds + ["IP:127.0.0.1"]))
    openssl("x509", "-req", "-in", path("server.csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-set_serial", "2",
            "-days", "30", "-extfile", path("names.cnf"), "-out", path("server.pem"))
    for name in ("server.csr", "names.cnf"):
        os.unlink(path(name))


def own_probes(text):
    """publishd.yaml with its farms checked where their members listen here."""
    return re.sub(r"(?m)^(    probe_port: )\d+$", r"\g<1>0", re.sub(r"(?m)^(    probe: )http$", r"\g<1>tcp", text))


def own_folders(config, folder):
    """An nginx config that logs and buffers below folder instead of the system's places: for users other than root."""
    places = ["access_log off;"] + ["%s_temp_path %s;" % (kind, os.path.join(folder, kind))
                                    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    return re.sub(r"(?m)^http \{$", lambda m: m.group(0) + "\n    " + "\n    ".join(places), config, count=1)


def kept_sections(site_text):
    """The top-level sections of a site map that are not replaced, as they stand."""
    sections = re.split(r"(?m)^(?=[a-z])", site_text)
    return "".join(s for s in sections[1:] if s.split(":", 1)[0] not in REPLACED + ("site",))


def localise(export, site, folder, http=18080, https=18443, plain=19080, tls=19443):
    root = ET.parse(export).getroot()
    os.makedirs(folder, exist_ok=True)
    make_certificates(folder, server_names(root))
    out, places, prints = ["site: 1"], [], set()
    found = listeners(root)
    if found:
        out.append("listeners:")
    for n, (name, guid, addresses, has_http, has_https, thumbprints) in enumerate(found):
        ours = ["127.0.%d.%d" % (10 + n, 1 + a) for a in range(addresses)]
        out += ["  %s:" % quoted(guid), "    addresses: [%s]" % ", ".join(ours)]
        if has_http:
            out.append("    http: %d" % http)
        if has_https:
            out.append("    https: %d" % https)
        if has_https and thumbprints:
            out.append("    certificate: \"%s\"" % thumbprints[0])
        prints.update(thumbprints)
        places.append({"name": name, "addresses": ours, "http": http if has_http else 0, "https": https if has_https else 0})
    if prints:
        out.append("certificates:")
    for thumbprint in sorted(prints):
        out += ["  \"%s\":" % thumbprint, "    chain: server.pem", "    key: server.key"]
    servers = backends(root)
    if servers:
        out.append("backends:")
    for (name, port), secure in sorted(servers.items()):
        out.append("  %s: 127.0.0.1:%d" % (quoted("%s:%s" % (name, port)), tls if secure else plain))
    streams = server_rules(root)
    if streams:
        out.append("server_rules:")
    for n, (guid, addresses) in enumerate(streams):     # an address each, so that none needs another port
        out.append("  %s: {addresses: [%s]}" % (quoted(guid), ", ".join("127.0.%d.%d" % (100 + n, 1 + a) for a in range(addresses))))
    out.append("trust: ca.pem")
    with open(site, encoding="utf-8") as original:
        rest = kept_sections(original.read())
    with open(os.path.join(folder, "site.yaml"), "w", encoding="utf-8") as result:
        result.write("\n".join(out) + "\n" + rest)
    return {"listeners": places, "ca": os.path.join(folder, "ca.pem"), "plain": plain, "tls": tls}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("export", "site", "folder"):
        parser.add_argument(name)
    for name, port in (("http", 18080), ("https", 18443), ("plain", 19080), ("tls", 19443)):
        parser.add_argument("--" + name, type=int, default=port)
    print(json.dumps(localise(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
