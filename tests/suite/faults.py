"""Faults put into the generated configs: `tmgc verify --configs` must find each, and name the right rule. Faults of different rules go into
one config, as verify tells them apart; with TMGC_THOROUGH=2 each has a run of its own."""
import json
import os
import re
from .common import THOROUGH, TOP, read, test_each

POLICY = os.path.join(TOP, "tests", "faults", "policy.yaml")
FILE = {"nginx": "nginx/nginx.conf", "haproxy": "haproxy/haproxy.cfg", "publishd": "publishd/publishd.yaml"}
ANY = None          # the fault concerns every rule

# What is wrong; the rules that may be named, first the one that must be: the one that should have answered; where (a rule's block, or
# None for the whole file); and the edit: a regular expression and what replaces it.
NGINX = [
    ("port off by one", ["Branch"], None, r"(server branch\.corp\.example:)8080", r"\g<1>8081"),
    ("another server", ["Branch"], None, r"server branch\.corp\.example:8080", r"server www.corp.example:80"),
    ("host header with $host", ["Mail"], "Mail", r"Host \$http_host", r"Host $host"),
    ("host header not rewritten", ["Mapped"], "Mapped", r"proxy_set_header Host app\.corp\.example", r"proxy_set_header Host $http_host"),
    ("host header is the public name", ["Branch"], "Branch", r"Host branch\.corp\.example", r"Host mail.example"),
    ("verification off", ["Mail", "Web", "Partner"], None, r"proxy_ssl_verify on", r"proxy_ssl_verify off"),
    ("verification off for one rule", ["Partner"], "Partner", r"proxy_ssl_name", r"proxy_ssl_verify off; proxy_ssl_name"),
    ("another certificate name", ["Partner"], "Partner", r"proxy_ssl_name api\.", r"proxy_ssl_name web."),
    ("no server name in TLS", ["Mail", "Web", "Partner"], None, r"proxy_ssl_server_name on", r"proxy_ssl_server_name off"),
    ("another trust file", ["Mail", "Web", "Partner"], None, r"(proxy_ssl_trusted_certificate )\S+;", r"\g<1>/etc/ssl/other.pem;"),
    ("clear text instead of TLS", ["Partner"], "Partner", r"proxy_pass https:", r"proxy_pass http:"),
    ("regex not anchored at its beginning", ["Mail"], "Mail", r'if \(\$path ~\* "\^', r'if ($path ~* "'),
    ("regex not anchored at its end", ["Web", "Shut"], "Shut", r"secret\(\?:/\|\$\)", r"secret"),
    ("path with case", ["Shut", "Web"], "Shut", r"~\*", r"~"),
    ("exact path as a prefix", ["Mail"], "Mail", r"page\\\.htm\$\)", r"page\\.htm)"),
    ("a path forgotten", ["Mail"], "Mail", r"\(\?:owa\|ecp\)", r"(?:owa)"),
    ("dot in a path not escaped", ["Mail"], "Mail", r"page\\\.htm", r"page.htm"),
    ("exception dropped", ["Mail", "Branch"], None, r"(?s)10\.0\.0\.0-10\.0\.255\.255 1;\s*10\.2\.0\.0-10\.255\.255\.255 1;", r"10.0.0.0-10.255.255.255 1;"),
    ("source range too short", ["Branch", "Mail"], None, r"-10\.255\.255\.255 1;", r"-10.255.255.254 1;"),
    ("source range too long", ["Mail", "Branch"], None, r"10\.2\.0\.0-", r"10.1.255.255-"),
    ("source condition dropped", ["Mail", "Branch"], "Branch", r'"\^1 ', r'"^[01] '),
    ("final 403 missing", ["Mail", "Web", "Mapped", "Branch"], "Mapped", r"location / \{ return 403; \}", r"location / { proxy_pass http://secure_corp_example_80; }"),
    ("unknown hosts served", ANY, None, r"(?s)(server_name _;.*?)return 403;", r"\g<1>location / { proxy_pass http://secure_corp_example_80; }"),
    ("drained member not drained", ["Mail"], None, r" down;", r";"),
    ("member drained", ["Mail"], None, r"(server cas2\.corp\.example:443);", r"\g<1> down;"),
    ("no affinity", ["Mail"], None, r"hash \$remote_addr consistent;", r"random;"),
    ("Accept-Encoding left", ["Branch"], "Branch", r'proxy_set_header Accept-Encoding "";', r""),
    ("Accept-Encoding removed", ["Mail"], "Mail", r"proxy_intercept", r'proxy_set_header Accept-Encoding ""; proxy_intercept'),
    ("Authorization left", ["Mapped"], "Mapped", r'proxy_set_header Authorization "";', r""),
    ("Authorization removed", ["Partner"], "Partner", r"proxy_ssl_name", r'proxy_set_header Authorization ""; proxy_ssl_name'),
    ("Front-End-Https forgotten", ["Mail"], "Mail", r"proxy_set_header Front-End-Https On;", r""),
    ("X-Forwarded-For added", ["Web"], "Web", r"proxy_intercept", r"proxy_set_header X-Forwarded-For $remote_addr; proxy_intercept"),
    ("401 not hidden", ["Web"], "Web", r"error_page 401 =403 @blocked;", r""),
    ("WWW-Authenticate leaks", ["Branch", "Mail", "Mapped"], "Mapped", r'satisfy any; allow all; try_files "" =403;', r"return 403;"),
    ("SSL requirement dropped", ["Mapped"], "Mapped", r"if \(\$scheme = http\) \{ return 403; \}", r""),
    ("dots not refused", ["Mapped"], "Mapped", r"if \(\$dots\) \{ return 403; \}", r""),
    ("dots may leave the path", ["Partner"], "Partner", r"if \(\$place [^}]*\}", r""),
    ("another internal path", ["Mapped"], "Mapped", r'set \$to "/in/side\$rest"', r'set $to "/in/sid$rest"'),
    ("internal path doubled", ["Mapped"], "Mapped", r'set \$to "/two\.htm\$rest"', r'set $to "/two.htm$request_uri"'),
    ("decoded path forwarded", ["Web"], "Web", r"\$to_web\$request_uri", r"$to_web$uri"),
    ("query lost", ["Partner"], "Partner", r"_once\$request_uri", r"_once$path"),
    ("Location not rewritten", ["Web"], "Web", r"proxy_redirect .*", r"proxy_redirect off;"),
    ("Location rewritten for longer names", ["Web"], "Web", r"(proxy_redirect .*?)\(\?<below>\$\|\[/\?#\]\.\*\)", r"\g<1>(?<below>.*)"),
    ("Content-Location lost", ["Web"], "Web", r"add_header Content-Location .*", r""),
    ("302 as 301", ["Elsewhere"], "Elsewhere", r"return 302", r"return 301"),
    ("redirect elsewhere", ["Elsewhere"], "Elsewhere", r"/moved", r"/moved$request_uri"),
    ("deny forwards", ["Shut"], "Shut", r"return 403;", r"proxy_pass http://secure_corp_example_80;"),
    ("redirect to HTTPS without its port", ANY, None, r"(return 302 https://\$host):8443", r"\g<1>"),
    ("name of a wildcard lost", ["Mail"], None, r"server_name mail\.example \*\.mail\.example", r"server_name mail.example"),
    ("wildcard with its apex", ANY, None, r"server_name gone\.example", r"server_name gone.example *.gone.example"),
    ("another name", ["Secure"], None, r"server_name secure\.example", r"server_name secure2.example"),
    ("another certificate", ["Partner"], None, r"(?s)(# ---- listener \"Partners\".*?ssl_certificate )\S+;(.*?ssl_certificate_key )\S+;", r"\g<1>/nonexistent/tmgc/0a1b.pem;\g<2>/nonexistent/tmgc/0a1b.key;"),
    ("listener on another port", ["Partner"], None, r"(?s)192\.0\.2\.20:8443(.*)192\.0\.2\.20:8443", r"192.0.2.20:8444\g<1>192.0.2.20:8444"),
    ("bodies limited to 1 MB", ANY, None, r"client_max_body_size 0;", r""),
    ("header buffers of the default size", ANY, None, r"large_client_header_buffers [^;]*;", r""),
    ("request bodies stored first", ANY, None, r"proxy_request_buffering off;", r""),
    ("answers stored first", ANY, None, r"proxy_buffering off;", r""),
    ("slashes merged", ANY, None, r"merge_slashes off;", r""),
    ("headers with underscores dropped", ANY, None, r"(?s)underscores_in_headers on;(.*?)ignore_invalid_headers off;", r"\g<1>"),
    ("HTTP/1.0 to the servers", ANY, None, r"proxy_http_version 1\.1;", r""),
    ("Server header replaced", ANY, None, r"proxy_pass_header Server;", r""),
    ("bridging of the other scheme", ["Web"], None, r"http http://www_corp_example_80\S*;", r"http https://www_corp_example_443;"),
]
HAPROXY = [
    ("port off by one", ["Branch"], "Branch", r"(server \S+ branch\.corp\.example:)8080", r"\g<1>8079"),
    ("another server", ["Branch"], "Branch", r"(server \S+ )branch\.corp\.example:8080", r"\g<1>www.corp.example:80"),
    ("host header not rewritten", ["Mapped"], "Mapped", r"http-request set-header Host .*", r""),
    ("host header rewritten", ["Web"], "Web", r"http-request del-header Accept-Encoding", r"http-request set-header Host www.corp.example"),
    ("verification off", ["Partner"], "Partner", r"verify required", r"verify none"),
    ("no server name in TLS", ["Partner"], "Partner", r"sni str\(api\.corp\.example\)", r""),
    ("another server name in TLS", ["Partner"], "Partner", r"sni str\(api\.", r"sni str(web."),
    ("another trust file", ["Partner"], "Partner", r"ca-file \S+", r"ca-file /etc/ssl/other.pem"),
    ("clear text instead of TLS", ["Partner"], "Partner", r" ssl verify.*", r""),
    ("two rules swapped", ["Branch", "Mail"], None, r"(?s)(    use_backend rule_1_branch[^\n]*\n)(.*?)(    use_backend rule_2_mail[^\n]*\n)", r"\g<2>\g<3>\g<1>"),
    ("deny after allow", ["Shut", "Web"], None, r"(?s)(    use_backend rule_5_shut[^\n]*\n)(.*?)(    default_backend)", r"\g<2>\g<1>\g<3>"),
    ("regex not anchored at its beginning", ["Mail"], None, r"(use_backend rule_2_mail .*?)'\^", r"\g<1>'"),
    ("regex not anchored at its end", ["Web", "Shut"], None, r"(use_backend rule_5_shut .*?)\(\?:/\|\$\)", r"\g<1>"),
    ("path with case", ["Shut", "Web"], None, r"(use_backend rule_5_shut .*?)path -i", r"\g<1>path"),
    ("exact path as a prefix", ["Mail"], None, r"(use_backend rule_2_mail .*?)page\\\.htm\$", r"\g<1>page\\.htm"),
    ("exception dropped", ["Mail", "Branch"], None, r"src 10\.0\.0\.0/16[^}]*\}", r"src 10.0.0.0/8 }"),
    ("source range too short", ["Branch", "Mail"], None, r"(src 10\.0\.0\.0/16[^}]*) 10\.128\.0\.0/9", r"\g<1> 10.128.0.0/10"),
    ("source condition dropped", ["Mail", "Branch"], None, r"(use_backend rule_1_branch .*)\{ src [^}]*\}", r"\g<1>"),
    ("unknown hosts served", ANY, None, r"default_backend no_rule", r"default_backend rule_6_web"),
    ("final 403 missing", ANY, None, r"(\nbackend no_rule\n).*", r"\g<1>    server web www.corp.example:80 init-addr none"),
    ("drained member not drained", ["Mail"], "Mail", r" weight 0", r""),
    ("member drained", ["Mail"], "Mail", r"(server cas2\S* .*check)", r"\g<1> weight 0"),
    ("no affinity", ["Mail"], "Mail", r"    cookie WPLB.*", r""),
    ("health check of another port", ["Mail"], "Mail", r"port 80 ", r"port 81 "),
    ("Accept-Encoding left", ["Branch"], "Branch", r"http-request del-header Accept-Encoding", r""),
    ("Authorization left", ["Mapped"], "Mapped", r"http-request del-header Authorization", r""),
    ("Authorization removed", ["Partner"], "Partner", r"http-request del-header Accept-Encoding", r"http-request del-header Accept-Encoding\n    http-request del-header Authorization"),
    ("Upgrade left", ["Web"], "Web", r"http-request del-header Upgrade", r""),
    ("Front-End-Https forgotten", ["Mail"], "Mail", r"http-request set-header Front-End-Https On", r""),
    ("X-Forwarded-For added", ANY, None, r"(defaults\n)", r"\g<1>    option forwardfor\n"),
    ("401 not hidden", ["Web"], "Web", r"http-response deny .*", r""),
    ("SSL requirement dropped", ["Mapped"], "Mapped", r"http-request deny deny_status 403 unless .*", r""),
    ("dots not refused", ["Mapped"], "Mapped", r"http-request deny deny_status 403 if .*", r""),
    ("dots may leave the path", ["Partner"], "Partner", r"http-request deny deny_status 403 if .*", r""),
    ("another internal path", ["Mapped"], "Mapped", r"/in/side%", r"/in/sid%"),
    ("path mapping forgotten", ["Mapped"], "Mapped", r"http-request set-path /two\.htm .*", r""),
    ("Location not rewritten", ["Web"], "Web", r"http-response replace-header Location .*", r""),
    ("Location rewritten for longer names", ["Partner"], "Partner", r"(replace-header Location .*?)\(\[/\?#\]\.\*\)\?\$", r"\g<1>(.*)$"),
    ("Content-Location not rewritten", ["Web"], "Web", r"http-response replace-header Content-Location .*", r""),
    ("302 as 301", ["Elsewhere"], "Elsewhere", r"code 302", r"code 301"),
    ("redirect elsewhere", ["Elsewhere"], "Elsewhere", r"/moved", r"/moved/"),
    ("redirect to HTTPS without its port", ANY, None, r":8443%\[url\]", r"%[url]"),
    ("trailing dot of the host compared", ["Branch", "Mail", "Mapped", "Web", "Shut", "Elsewhere"], None, r'(host_only[^\n\']*),regsub\("\\\.\$",""\)', r"\g<1>"),
    ("port of the host compared", ["Branch", "Mail", "Mapped", "Web", "Shut", "Elsewhere"], None, r"host_only,", r""),
    ("another certificate", ["Partner"], None, r"(bind 192\.0\.2\.20:8443 ssl crt )\S+", r"\g<1>/nonexistent/tmgc/0a1b.pem"),
    ("listener on another port", ["Partner"], None, r"bind 192\.0\.2\.20:8443", r"bind 192.0.2.20:8444"),
    ("headers of the default size", ANY, None, r"tune\.bufsize 65536", r"tune.bufsize 8192"),
    ("bridging of the other scheme", ["Web"], None, r"use_backend rule_6_web-http .*", r""),
]
PUBLISHD = [
    ("port off by one", ["Branch"], "Branch", r"(connect: branch\.corp\.example\n +port: )8080", r"\g<1>8081"),
    ("another server", ["Branch"], "Branch", r"connect: branch\.corp\.example\n( +)port: 8080", r"connect: www.corp.example\n\g<1>port: 80"),
    ("host header not rewritten", ["Mapped"], "Mapped", r"site: app\.corp\.example", r"site: app.corp.example\n    forward_host: true"),
    ("host header rewritten", ["Web"], "Web", r"forward_host: true", r"forward_host: false"),
    ("another certificate name", ["Partner"], "Partner", r"site: api\.", r"site: web."),
    ("another trust file", ["Mail", "Web", "Partner"], None, r"trust: \S+", r"trust: /etc/ssl/other.pem"),
    ("clear text instead of TLS", ["Partner"], "Partner", r" +tls: true\n", r""),
    ("two rules swapped", ["Branch", "Mail"], None, r"(?s)(  # rule 1 .*?)(  # rule 2 .*?)(  # rule 3 )", r"\g<2>\g<1>\g<3>"),
    ("deny after allow", ["Shut", "Web"], None, r"(?s)(  # rule 5 .*?)(  # rule 6 .*?)(  # rule 7 )", r"\g<2>\g<1>\g<3>"),
    ("exact path as a prefix", ["Mail"], "Mail", r"external: /page\.htm", r"external: /page.htm/*"),
    ("stem instead of prefix", ["Web", "Shut"], "Shut", r"(external: /\S*secret)/\*", r"\g<1>*"),
    ("a path forgotten", ["Mail"], "Mail", r" *- external: /ecp/\*\n", r""),
    ("source range too short", ["Branch", "Mail"], "Branch", r"10\.2\.0\.0-10\.255\.255\.255", r"10.2.0.0-10.255.255.254"),
    ("source range too long", ["Mail", "Branch"], "Branch", r"10\.2\.0\.0-", r"10.1.255.255-"),
    ("source condition dropped", ["Mail", "Branch"], "Branch", r" +sources: .*\n", r""),
    ("drained member not drained", ["Mail"], "Mail", r" +drained: true\n", r""),
    ("health check of another port", ["Mail"], None, r"(name: Farm\n( +)probe: http\n)", r'\g<1>\g<2>probe_url: "http://*:81/"\n'),
    ("member drained", ["Mail"], "Mail", r"(- connect: cas2\S+\n( +)port: 443\n)", r"\g<1>\g<2>drained: true\n"),
    ("Accept-Encoding left", ["Branch"], "Branch", r"(\n    site: )", r"\n    accept_encoding: true\g<1>"),
    ("Accept-Encoding removed", ["Mail"], "Mail", r" +accept_encoding: true\n", r""),
    ("Authorization left", ["Mapped"], "Mapped", r"(\n    site: )", r"\n    delegation: pass\g<1>"),
    ("Authorization removed", ["Partner"], "Partner", r" +delegation: pass\n", r""),
    ("Front-End-Https forgotten", ["Mail"], "Mail", r" +front_end_https: true\n", r""),
    ("X-Forwarded-For added", ["Web"], "Web", r"(\n    site: )", r"\n    x_forwarded_for: true\g<1>"),
    ("Via added", ["Web"], "Web", r"(\n    site: )", r"\n    via: 1.1 x\g<1>"),
    ("401 not hidden", ["Web"], "Web", r"(\n    site: )", r"\n    delegation: pass\g<1>"),
    ("SSL requirement dropped", ["Mapped"], "Mapped", r" +require_ssl: required\n", r""),
    ("another internal path", ["Mapped"], "Mapped", r"internal: /in/side/", r"internal: /in/sid/"),
    ("path mapping forgotten", ["Mapped"], "Mapped", r" +internal: /two\.htm\n", r""),
    ("redirect elsewhere", ["Elsewhere"], "Elsewhere", r"/moved", r"/moved/"),
    ("deny without its redirect", ["Elsewhere"], "Elsewhere", r" +redirect_url: .*\n", r""),
    ("deny forwards", ["Shut"], "Shut", r"action: deny", r"site: www.corp.example\n    upstream: {port: 80, servers: [{connect: www.corp.example, port: 80}]}"),
    ("redirect to HTTPS without its port", ANY, None, r"https_port: 8443", r"https_port: 443"),
    ("no redirect to HTTPS", ANY, None, r" +redirect: always\n", r""),
    ("name of a wildcard lost", ["Mail"], "Mail", r', "\*\.mail\.example"', r""),
    ("another name", ["Secure"], None, r"names: \[secure\.example\]", r"names: [secure2.example]"),
    ("another certificate", ["Partner"], None, r'(?s)(name: Partners.*?chain: )\S+(\s+key: )\S+', r"\g<1>/nonexistent/tmgc/0a1b.pem\g<2>/nonexistent/tmgc/0a1b.key"),
    ("listener on another port", ["Partner"], None, r'(?s)(address: "192\.0\.2\.20"\s+port: )8443', r"\g<1>8444"),
    ("rule closed", ["Web"], "Web", r"(\n    site: )", r"\n    closed: always\g<1>"),
    ("bridging of the other scheme", ["Web"], "Web", r"(?s)    upstream_http:.*?(    upstream_https:)(.*?)(    \w+:|\Z)", r"    upstream:\g<2>\g<3>"),
]
FAULTS = {"nginx": NGINX, "haproxy": HAPROXY, "publishd": PUBLISHD}


def block(text, rule):
    """Where the block of a rule begins and ends."""
    start = re.search(r'^ *# rule \d+ "%s".*$' % re.escape(rule), text, re.M).start()
    end = re.compile(r'^ *# (?:rule \d+ "|----)', re.M).search(text, start + 20)
    return start, end.start() if end else len(text)


def broken(text, where, pattern, replacement):
    """The text with the first match replaced, or all in the rule's block; None if there is none, or it changes nothing."""
    start, end = block(text, where) if where else (0, len(text))
    part, n = re.subn(pattern, replacement, text[start:end], count=0 if where else 1)
    return text[:start] + part + text[end:] if n and part != text[start:end] else None


def named(report):
    return {c["rule"] for c in report["cases"] if c["verdict"] == "disagreed"}


def together(t, whole, faults):
    """[(faults, the text with all of them)]: those in one text concern different rules."""
    texts = []
    for fault in faults:
        what, rules, where, pattern, replacement = fault
        if not t.check(broken(whole, where, pattern, replacement) is not None, "the fault cannot be made any more: %s" % what):
            continue
        for n, (others, text) in enumerate(texts if THOROUGH < 2 else ()):
            both = broken(text, where, pattern, replacement)
            if both and all(ANY not in (rules, theirs) and not {*rules} & {*theirs} for _, theirs, *_ in others):
                texts[n] = others + [fault], both
                break
        else:
            texts.append(([fault], broken(whole, where, pattern, replacement)))
    return texts


@test_each(*FAULTS)
def test_faults(t, target):
    t.convert(POLICY, t.path("out"))
    texts = together(t, read(t.path("out", FILE[target])).decode(), FAULTS[target])
    for faults, text in texts:
        all_of_them = " and ".join(what for what, *_ in faults)
        t.write("out/" + FILE[target], text)
        r = t.run("verify", POLICY, "-t", target, "--configs", t.path("out"), "--format", "json")
        if not t.check(r.status == 1, "not found: %s:" % all_of_them, r):
            continue
        found = named(json.loads(r.out))
        for what, rules, *_ in faults:
            if rules is not ANY:
                t.check(rules[0] in found, "found, but not of rule %s: %s: %s" % (rules[0], what, sorted(map(str, found))))
        if faults[0][1] is not ANY:
            may = {rule for _, rules, *_ in faults for rule in rules}
            t.check(found - {None} <= may, "found of too many rules: %s: %s" % (all_of_them, sorted(map(str, found - may))))
    t.note = "%d faults in %d configs" % (sum(len(faults) for faults, _ in texts), len(texts))
