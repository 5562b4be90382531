#!/usr/bin/env python3
"""Writes a large, realistic array export on standard output. Usage: gen_export.py RULES

A tenth of the rules share a name with others and split it by path, some are limited to sources, need users, use a
farm, map paths, are disabled or deny; about 2.6 kB of XML a rule, as in a full export. The same number gives the same bytes.
"""
import sys
from fpc import *

DESCRIPTION = ("Requested by the application's owner and approved by the change board; reviewed every year together with the "
               "certificate and the list of public names. Ask the service desk before changing it.")


def rule(n, where):
    """Rule number n of the big array, on the listener where."""
    host = "app%05d" % n
    options = dict(PublishedServerType=SSL if n % 3 else HTTP, SendOriginalHostHeader=bool(n % 2),
                   CredentialsDelegationType=BLOCK, description="Number %d. %s" % (n, DESCRIPTION))
    names, paths = [host + ".contoso.example", host + "-www.contoso.example"], ["/*"]
    if n % 10 == 3:      # a name that ten rules share
        names, paths = ["portal%04d.contoso.example" % (n // 100)], ["/%s/*" % host, "/shared/%s/*" % host]
    elif n % 10 == 5:
        paths = [("/%s/*" % host, "/apps/%s/*" % host), "/_layouts/*", "/favicon.ico"]
    elif n % 50 == 7:
        names = ["*.tenant%05d.contoso.example" % n]
    if n % 20 == 9:
        options.update(source=[("addressrange", "Range %d" % (n // 20 % 40))], exclude=[("computer", "Host %d" % (n // 20 % 40))])
    if n % 25 == 11:
        options.update(users="Group %d" % (n % 20), CredentialsDelegationType=BASIC)
    if n % 40 == 21:
        options.update(farm_name="Farm %d" % (n // 40 % 30), affinity_by_address=True)
    if n % 60 == 31:
        options.update(enabled=False)
    if n % 60 == 41:
        options.update(deny=True, redirect="https://www.contoso.example/moved")
    return web_rule("Application %05d" % n, n + 1, where, names, paths, site=host + ".corp.contoso.example",
                    PublishedServer="10.%d.%d.%d" % (n >> 16 & 255, n >> 8 & 255, n & 255), **options)


def main():
    count = int(sys.argv[1])
    places = max(1, min(8, count // 100))
    listeners = [listener("Listener %d" % p, ["192.0.2.%d" % (10 + p)], http=80, https=443, BasicAuthentication=True,
                          certificates=[(thumbprint("listener %d" % p), "")]) for p in range(places)]
    elements = {
        "Computers": [computer("Host %d" % n, "198.51.100.%d" % (n * 4 + 2)) for n in range(40)],
        "AddressRanges": [address_range("Range %d" % n, "198.51.100.%d" % (n * 4), "198.51.100.%d" % (n * 4 + 3)) for n in range(40)],
        "WebListeners": listeners,
        "UserSets": predefined_users() + [user_set("Group %d" % n, ["CONTOSO-Group %d" % n]) for n in range(20)],
        "ServerFarms": [farm("Farm %d" % n, ["10.200.%d.1" % n, "10.200.%d.2" % n]) for n in range(30)],
    }
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(document(("{F52B2AE5-0D87-4A3B-8F0B-7E9CDCE2A5B1}", guid("array", "BIG-EDGE")),
                              [rule(n, "Listener %d" % (n % places)) for n in range(count)], elements=elements, name="BIG-EDGE",
                              networks=[external(), network("Internal", [("10.0.0.0", "10.255.255.255")])]))


if __name__ == "__main__":
    main()
