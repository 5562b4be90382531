/* test_site: what a site map may say, how it is looked up, what is told about a wrong one, and that the skeleton is one. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../ir/site.h"

static void refuse(const char *text, const char *expected)
{
    struct strbuf err = { 0 };
    struct site *s = site_parse("site.yaml", text, strlen(text), &err);
    check(!s && strstr(err.p ? err.p : "", expected), expected, s ? "was accepted" : err.p);
    site_free(s);
    buf_free(&err);
}

static const char whole[] = "site: 1\n"
                            "listeners:\n"
                            "  \"External HTTPS\":\n"
                            "    addresses: [192.0.2.10]\n"
                            "    http: 8080\n"
                            "  \"{AB-CD}\": {https: 0, certificate: \"0A:1B 2C\"}\n"
                            "certificates:\n"
                            "  \"0A 1B:2c\": {chain: certs/mail.pem, key: /etc/../keys/mail.key}\n"
                            "backends:\n"
                            "  \"Exch01.corp.example\": 10.0.0.5\n"
                            "  \"exch01.corp.example:443\": 10.0.0.5:8443\n"
                            "  six: \"[2001:DB8::5]:8443\"\n"
                            "  named: other.example:81\n"
                            "trust: ../ca.pem\n"
                            "networks:\n"
                            "  \"Internal\": [10.0.0.0/8, 192.168.0.0/16]\n"
                            "users:\n"
                            "  \"Staff\": {groups: [\"CONTOSO\\\\Staff\"], users: [bob]}\n"
                            "rules:\n"
                            "  OWA: {websocket: true, x_forwarded_for: true, via: \"1.1 proxy\"}\n"
                            "  \"{ee}\": {}\n"
                            "accept:\n"
                            "  - {code: TMG2031, rule: \"OWA\", target: nginx, reason: \"moved\", until: 2028-02-29}\n"
                            "  - {code: 4001, reason: \"x\"}\n";

static void read_whole(void)
{
    struct strbuf err = { 0 };
    struct site *s = site_parse("/srv/maps/site.yaml", whole, strlen(whole), &err);
    check(s != NULL, "the whole", err.p);
    if (!s)
        return;
    struct listener l = { .name = "external https" }, g = { .name = "other", .at.guid = "{ab-CD}" },
                    none = { .name = "none" };
    struct rule r = { .name = "x", .at.guid = "EE" };
    const struct site_listener *sl = site_listener(s, &l);
    check(sl && sl->http == 8080 && sl->https == -1 && sl->addresses.n == 1 && sl->line == 3 && sl->used,
          "a listener by name", NULL);
    sl = site_listener(s, &g);
    check(sl && sl->https == 0 && sl->http == -1 && str_equal(sl->certificate, "0a1b2c"), "a listener by GUID", NULL);
    check(!site_listener(s, &none), "no listener", NULL);
    const struct site_certificate *c = site_certificate(s, "0a1b2c");
    check(c && str_equal(c->chain, "/srv/maps/certs/mail.pem") && str_equal(c->key, "/keys/mail.key"), "a certificate",
          c ? c->chain : NULL);
    const struct site_backend *b = site_backend(s, "exch01.corp.example", 443);
    check(b && str_equal(b->host, "10.0.0.5") && b->port == 8443, "a backend by name and port", NULL);
    b = site_backend(s, "EXCH01.corp.example", 80);
    check(b && str_equal(b->host, "10.0.0.5") && b->port == 0, "a backend by name", NULL);
    b = site_backend(s, "six", 80);
    check(b && str_equal(b->host, "[2001:db8::5]") && b->port == 8443, "an IPv6 backend", b ? b->host : NULL);
    check(!s->backends.v[3].used && s->backends.v[0].used, "used entries are marked", NULL);
    check(str_equal(s->trust, "/srv/ca.pem") && s->trust_line == 14, "trust", s->trust);
    const struct site_network *n = site_network(s, "internal");
    check(n && n->addresses.n == 2 && n->addresses.v[0].to == 0x0affffff, "a network", NULL);
    const struct site_users *u = site_users(s, "STAFF");
    check(u && u->groups.n == 1 && str_equal(u->groups.v[0], "CONTOSO\\Staff") && u->users.n == 1, "users", NULL);
    check(site_rule(s, &r) == &s->rules.v[1], "a rule by GUID", NULL);
    check(s->rules.v[0].websocket && s->rules.v[0].x_forwarded_for && str_equal(s->rules.v[0].via, "1.1 proxy"),
          "a rule", NULL);
    check(s->accept.n == 2 && s->accept.v[0].code == 2031 && str_equal(s->accept.v[0].until, "2028-02-29") &&
              s->accept.v[1].code == 4001 && s->accept.v[1].line == 24,
          "acceptances", NULL);
    site_free(s);
    buf_free(&err);
}

static void empty(void)
{
    struct strbuf err = { 0 };
    static const char *const texts[] = { "", "# nothing\n", "site: 1\n", "listeners:\ncertificates:\n  # x\naccept:\n",
                                         "--- {}\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct site *s = site_parse("site.yaml", texts[i], strlen(texts[i]), &err);
        check(s != NULL, texts[i], err.p);
        site_free(s);
    }
    struct site *s = site_read(NULL, &err);
    check(s && !s->file && !site_backend(s, "x", 1) && !site_network(s, "x"), "no site map", NULL);
    site_free(s);
    check(!site_read("-", &err) && strstr(err.p, "must be a file"), "standard input", err.p);
    buf_clear(&err);
    check(!site_read("/nonexistent/site.yaml", &err) && err.n, "a file that is not there", err.p);
    buf_free(&err);
}

static void strict(void)
{
    refuse("site: 2\n", "site.yaml:1:7: site: this is version 1's reader");
    refuse("listener: {}\n", "site.yaml:1:1: the site map has no key \"listener\"; is \"listeners\" meant?");
    refuse("zzz: 1\n", "has no key \"zzz\"; it has site, listeners,");
    refuse("listeners: {L: {adresses: []}}\n", "a listener has no key \"adresses\"; is \"addresses\" meant?");
    refuse("listeners: {L: {addresses: [\"::1\"]}}\n", "an IPv4 address, like 192.0.2.10");
    refuse("listeners: {L: {addresses: 192.0.2.1}}\n", "allowed is a list");
    refuse("listeners: {L: {http: 65536}}\n", "from 0 to 65535");
    refuse("listeners: {L: {http: -1}}\n", "from 0 to 65535");
    refuse("listeners:\n  L: {}\n  l: {}\n", "site.yaml:3:3: \"l\" is given twice; the other one is in line 2");
    refuse("listeners: [L]\n", "allowed are names with values");
    refuse("listeners:\n\tL: {}\n", "a tab in the indentation");
    refuse("certificates: {ab: {chain: x}}\n", "a certificate lacks its key \"key\"");
    refuse("certificates: {hello: {chain: x, key: y}}\n", "where a thumbprint in hex digits belongs");
    refuse("certificates: {ab: {chain: x, key: y}, \"A:B\": {chain: x, key: y}}\n", "twice");
    refuse("certificates: {ab: {chain: \"a\\nb\", key: y}}\n", "where a file name belongs");
    refuse("backends: {a: b:99999}\n", "where a server to connect to belongs");
    refuse("backends: {a: \"::1\"}\n", "where a server to connect to belongs");
    refuse("backends: {a: http://b/}\n", "where a server to connect to belongs");
    refuse("backends: {a: \"b; c\"}\n", "where a server to connect to belongs");
    refuse("backends: {\"a b\": c}\n", "where a server's name in the export belongs");
    refuse("backends: {a: [b]}\n", "found a list");
    refuse("networks: {N: 10.0.0.0/8}\n", "allowed is a list of addresses");
    refuse("networks: {N: [10.0.0.9-10.0.0.1]}\n", "where an address");
    refuse("rules: {R: {websocket: yes}}\n", "allowed is true or false");
    refuse("rules: {R: {via: \"1.1 x\\r\\nEvil: 1\"}}\n", "visible ASCII");
    refuse("accept: [{code: TMG9999, reason: x}]\n", "\"TMG9999\" is no finding");
    refuse("accept: [{code: TMG2031}]\n", "lacks its key \"reason\"");
    refuse("accept: [{code: TMG2031, reason: \" \"}]\n", "reason of an acceptance is empty");
    refuse("accept: [{code: TMG2031, reason: x, target: apache}]\n", "nginx, haproxy or publishd");
    refuse("accept: [{code: TMG2031, reason: x, until: 2027-02-29}]\n", "a date, like 2027-03-31");
    refuse("trust: &a x\n", "an anchor");
    refuse("- 1\n", "found a list where the keys of the site map belong");
}

/* ---- the skeleton ------------------------------------------------------------------- */
static struct rule *add_rule(struct policy *p, const char *name, const char *site)
{
    struct rule *r = vec_push(p->arena, &p->rules);
    *r = (struct rule){ .name = name,
                        .enabled = true,
                        .listener = "L\n# x: [",
                        .site = site,
                        .bridging = BRIDGE_SSL,
                        .ssl_port = 443,
                        .http_port = 80,
                        .all_names = true };
    return r;
}

static void skeleton(void)
{
    struct policy *p = policy_new();
    struct strbuf out = { 0 }, err = { 0 }, name = { 0 };
    for (int i = 0; i < 3000; i++)
        buf_putc(&name, 'n');
    for (int i = 0; i < 2; i++) {
        struct listener *l = vec_push(p->arena, &p->listeners);
        l->name = "L\n# x: [", l->https = 443, l->at.guid = i ? "{2}" : "{1}";
        vec_add(p->arena, &l->certificates, ((struct listener_certificate){ .thumbprint = "0a1b2c" }));
        vec_push(p->arena, &l->on)->network = "Ext\nernal";
    }
    struct network *n = vec_push(p->arena, &p->networks);
    n->name = "Loop", n->kind = NETWORK_SET;
    vec_add(p->arena, &n->members, "Loop");
    vec_add(p->arena, &n->members, "Gone");
    struct user_set *u = vec_push(p->arena, &p->user_sets);
    u->name = name.p;
    vec_add(p->arena, &u->accounts, ((struct account){ "CONTOSO\\Staff", NULL, true }));
    struct rule *r = add_rule(p, "A: {", "a.example");
    vec_add(p->arena, &r->sources.networks, "Loop");
    vec_add(p->arena, &r->sources.networks, name.p);
    vec_add(p->arena, &r->users, name.p);
    vec_add(p->arena, &r->users, "unknown: set");
    vec_add(p->arena, &r->users, "All Authenticated Users");
    add_rule(p, "B", "A.example");
    add_rule(p, "C", "192.0.2.1");
    add_rule(p, "disabled", "off.example")->enabled = false;
    policy_finish(p);
    site_skeleton(&out, p);
    struct site *s = site_parse("s.yaml", out.p, out.n, &err);
    check(s != NULL, "the skeleton is a site map", err.p);
    check(s && s->listeners.n == 2 && s->users.n == 1 && s->users.v[0].groups.n == 1, "what is known is filled in",
          out.p);
    check(strstr(out.p, "# a.example: 10.0.0.1      # rule \"A: {\", B\n"), "a backend with its rules", out.p);
    check(strstr(out.p, "# Gone: [10.0.0.0/8]"), "a network of a set", out.p);
    check(strstr(out.p, "# trust:"), "trust", out.p);
    check(!strstr(out.p, "off.example") && !strstr(out.p, "192.0.2.1:") && !strstr(out.p, "Authenticated"),
          "nothing that is not needed", out.p);
    site_free(s);
    policy_free(p);
    p = policy_new();
    policy_finish(p);
    buf_clear(&out);
    site_skeleton(&out, p);
    check(!strstr(out.p, "listeners:") && !strstr(out.p, "trust"), "an empty policy needs nothing", out.p);
    policy_free(p);
    buf_free(&out);
    buf_free(&err);
    buf_free(&name);
}

int main(void)
{
    read_whole();
    empty();
    strict();
    skeleton();
    return summary("site");
}
