/* test_policy_yaml: a policy written and read again is the same; what is wrong in one is told with its place; no text,
 * however hostile, changes on the way. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../ir/policy.h"
#include "../../ir/schema.h"

/* write(read(write(p))) has the bytes of write(p). */
static void round_trip(const struct policy *p, const char *what)
{
    struct strbuf one = { 0 }, two = { 0 }, err = { 0 };
    policy_write(&one, p);
    struct policy *again = policy_read("p.yaml", one.p, one.n, &err);
    check(again != NULL, what, err.p);
    if (again) {
        policy_write(&two, again);
        bool same = one.n == two.n && memcmp(one.p, two.p, one.n) == 0;
        check(same, what, "differs when written again");
        if (!same)
            printf("---- first\n%s\n---- second\n%s\n", one.p, two.p);
    }
    policy_free(again);
    buf_free(&one);
    buf_free(&two);
    buf_free(&err);
}

static struct path path_of(struct policy *p, const char *external, const char *internal)
{
    struct path path = { 0 };
    enum path_kind kind;
    bool odd;
    if (!normalise_path(p->arena, external, &path.kind, &path.external, &odd))
        abort();
    if (internal && !normalise_path(p->arena, internal, &kind, &path.internal, &odd))
        abort();
    path.line = 77;
    return path;
}

static struct rule *add_rule(struct policy *p, const char *name)
{
    struct rule *r = vec_push(p->arena, &p->rules);
    r->name = name;
    r->enabled = r->pass_options = r->logging = true;
    r->delegation = DELEGATE_NONE_BLOCK;
    r->http_port = 80, r->ssl_port = 443, r->ftp_port = 21;
    return r;
}

static void add_name(struct policy *p, struct rule *r, const char *text)
{
    struct public_name n;
    if (!normalise_public_name(p->arena, text, &n))
        abort();
    n.line = 12;
    vec_add(p->arena, &r->names, n);
}

static void fill_listener(struct policy *p)
{
    struct listener *l = vec_push(p->arena, &p->listeners);
    *l = (struct listener){ .name = "External HTTPS",
                            .description = "first\nsecond",
                            .http = 80,
                            .https = 443,
                            .redirect = HTTPS_REDIRECT_ALWAYS,
                            .basic = true,
                            .forms = FORMS_RADIUS_OTP,
                            .validator = VALIDATE_LDAP,
                            .scheme = "FBA with RADIUS OTP",
                            .always_authenticate = true,
                            .domain = "CONTOSO",
                            .sso = true,
                            .max_connections = 1000,
                            .connection_timeout = 60 };
    l->form = (struct forms_settings){
        .directory = "Exchange", .public_timeout = 900, .private_timeout = 21600, .persistent_cookies = 2
    };
    vec_add(p->arena, &l->sso_domains, ".contoso.example");
    struct listen_on *on = vec_push(p->arena, &l->on);
    on->network = "External";
    on->select = ADDRESS_SPECIFIED;
    vec_add(p->arena, &on->addresses, "192.0.2.1");
    vec_add(p->arena, &l->certificates, ((struct listener_certificate){ "192.0.2.1", "0a1b2c", 9 }));
    l->at.guid = "{F129EACF-778B-44FE-B339-5B752D7220A3}";
    l->at.line = 10;
    origin_set(p->arena, &l->at, "https", 12);
    origin_set(p->arena, &l->at, "form.public_timeout", 14);
}

static void fill_others(struct policy *p)
{
    vec_push(p->arena, &p->listeners)->name = "All zero";
    struct listener *plain = vec_push(p->arena, &p->listeners);
    *plain = (struct listener){ .name = "Defaults", .connection_timeout = 120 };
    plain->form = (struct forms_settings){ .bind_to_address = true, .public_timeout = 600, .private_timeout = 21600 };
    struct farm *f = vec_push(p->arena, &p->farms);
    *f = (struct farm){
        .name = "Farm", .probe = PROBE_TCP, .probe_port = 8080, .probe_threshold = 1, .probe_url = "http://*/"
    };
    vec_add(p->arena, &f->members, ((struct farm_member){ "a.contoso.example", NULL, false, 3 }));
    vec_add(p->arena, &f->members, ((struct farm_member){ "10.0.0.2", "old", true, 4 }));
    struct network *n = vec_push(p->arena, &p->networks);
    n->name = "Internal";
    ipset_add(p->arena, &n->addresses, 0x0a000000, 0x0affffff);
    ipset_add(p->arena, &n->addresses, 0xc0a80001, 0xc0a80003);
    n = vec_push(p->arena, &p->networks);
    n->name = "All but Internal";
    n->kind = NETWORK_SET_EXCEPT;
    vec_add(p->arena, &n->members, "Internal");
    struct user_set *u = vec_push(p->arena, &p->user_sets);
    u->name = "Staff";
    vec_add(p->arena, &u->accounts, ((struct account){ "CONTOSO\\Staff", "S-1-5-21-1", true }));
    struct schedule *s = vec_push(p->arena, &p->schedules);
    s->name = "Odd hours";
    for (size_t i = 0; i < sizeof s->hours; i++)
        s->hours[i] = (uint8_t)(i * 37 + 11);
    s = vec_push(p->arena, &p->schedules);
    s->name = "Always";
    memset(s->hours, 0xff, sizeof s->hours);
    s = vec_push(p->arena, &p->schedules);
    s->name = "Never";
    vec_add(p->arena, &p->parameters,
            ((struct parameter){ "{143F5698-103B-12D4-FF34-1F34767DEabc}", "EnableKcdWithSPNego", "1", 5 }));
}

static void fill_rule(struct policy *p)
{
    struct rule *r = add_rule(p, "OWA");
    r->listener = "External HTTPS";
    add_name(p, r, "mail.contoso.example");
    add_name(p, r, "*.M\xc3\xbcnchen.example");
    add_name(p, r, "192.0.2.1");
    vec_add(p->arena, &r->paths, path_of(p, "/owa/*", NULL));
    vec_add(p->arena, &r->paths, path_of(p, "/", "/app\\"));
    vec_add(p->arena, &r->paths, path_of(p, "/a/*", "/*"));
    vec_add(p->arena, &r->paths, path_of(p, "/_vti_inf.html*", "/x*"));
    struct path stem = path_of(p, "/stem*", NULL);
    stem.internal = "/b/";
    vec_add(p->arena, &r->paths, stem);
    vec_add(p->arena, &r->sources.networks, "All but Internal");
    ipset_add(p->arena, &r->sources.addresses, 0, 0xffffffff);
    ipset_add(p->arena, &r->sources.except_addresses, 5, 5);
    r->schedule = "Odd hours";
    vec_add(p->arena, &r->users, "Staff");
    r->site = "owa.contoso.example", r->farm = "Farm";
    r->bridging = BRIDGE_BOTH, r->delegation = DELEGATE_KERBEROS, r->require_ssl = 3, r->application = 1;
    vec_add(p->arena, &r->links, ((struct link_mapping){ "http://a", "https://b" }));
    r->http_filter = "<Config>\n  <x y=\"'\">&amp;</x>\n</Config>";
    vec_add(p->arena, &r->parameters, ((struct parameter){ "{5e302ed5}", "n", "v", 1 }));
    r->at.guid = "{AB}", r->at.line = 812;
    origin_set(p->arena, &r->at, "forward_host", 830);
    r = add_rule(p, "Bare");
    r->enabled = false, r->action = ACTION_DENY, r->all_users = r->all_names = r->sources.any = true,
    r->logging = false;
}

static void fill_notes(struct policy *p)
{
    struct finding *f = finding_add(&p->notes, F_UNKNOWN_ELEMENT, "the element <x> of \"%s\" is not known", "a\nb");
    f->subject = SUBJECT_RULE, f->name = "OWA", f->guid = "{AB}", f->setting = "x", f->line = 814,
    f->targets = ON_PROXIES;
    f = finding_add(&p->notes, F_BAD_PATH, "other");
    f->severity = SEV_INFO, f->remedy = "nothing to do";
}

static void rich(void)
{
    struct policy *p = policy_new();
    round_trip(p, "an empty policy");
    p->source = "array.xml", p->product = "Forefront TMG 2010", p->build = "7.0.9193.644", p->kind = "array";
    fill_listener(p);
    fill_others(p);
    fill_rule(p);
    fill_notes(p);
    policy_finish(p);
    round_trip(p, "a rich policy");
    check(p->rules.v[0].spns.n == 2 && !strcmp(p->rules.v[0].spns.v[1], "http/10.0.0.2"), "a farm's SPNs", NULL);
    check(p->rules.v[0].delegation_possible, "Kerberos after a passcode", NULL);
    policy_free(p);
}

/* ---- hostile texts ----------------------------------------------------------- */
static void hostile(void)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "Null",
        "~",
        "yes",
        "NO",
        "on",
        "true",
        "y",
        "1e3",
        "0x10",
        "1",
        "-1",
        ".5",
        ".inf",
        "1_000",
        "12:30:45",
        "2027-03-31",
        "- x",
        "-",
        "# x",
        "x # y",
        ": ",
        "a: b",
        "a:",
        "?",
        "? x",
        "| ",
        ">",
        "@x",
        "`x`",
        "%x",
        "!x",
        "&a",
        "*a",
        "<<",
        "=",
        "---",
        "...",
        "'",
        "\"",
        "\\",
        "\\x41",
        "a'b",
        "a\"b",
        "[a]",
        "{a}",
        "a, b",
        "a,b",
        " lead",
        "trail ",
        "two  spaces",
        "line\nbreak",
        "cr\r\nlf",
        "tab\there",
        "\n",
        "M\xc3\xbcnchen",
        "\xe2\x80\xaemoc.live",
        "\xe2\x80\x8b",
        "\xc2\x85",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xf0\x9f\x98\x80",
        "\x7f",
        "a\xc2\xa0z",
        "\xf3\xa0\x81\x81",
        "External HTTPS",
        "/owa/*",
        "*.example",
        "$host",
        "${x}",
        "a;b{}",
        "x: {y: [z",
        "\xef\xbf\xbd",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct policy *p = policy_new();
        struct rule *r = add_rule(p, texts[i]);
        struct strbuf out = { 0 }, err = { 0 };
        r->description = r->redirect_url = texts[i];
        vec_add(p->arena, &r->code_pages, texts[i]);
        vec_add(p->arena, &r->parameters, ((struct parameter){ texts[i], texts[i], texts[i], 1 }));
        policy_finish(p);
        round_trip(p, texts[i]);
        policy_write(&out, p);
        struct policy *again = policy_read("p.yaml", out.p, out.n, &err);
        bool same = again && !strcmp(again->rules.v[0].name, texts[i]) &&
                    !strcmp(again->rules.v[0].code_pages.v[0], texts[i]) &&
                    !strcmp(again->rules.v[0].parameters.v[0].value, texts[i]);
        check(same, "text unchanged", texts[i]);
        policy_free(again);
        policy_free(p);
        buf_free(&out);
        buf_free(&err);
    }
}

static void long_text(void)
{
    struct policy *p = policy_new();
    struct strbuf b = { 0 };
    for (int i = 0; i < 10000; i++)
        buf_putc(&b, "ab \"\\'"[i % 6]);
    struct rule *r = add_rule(p, b.p);
    for (int i = 0; i < 40; i++) {
        add_name(p, r, arena_printf(p->arena, "host-%d.contoso.example", i));
        vec_add(p->arena, &r->paths, path_of(p, arena_printf(p->arena, "/path,%d/*", i), "/x/*"));
        ipset_add(p->arena, &r->sources.addresses, (uint32_t)i * 4, (uint32_t)i * 4 + 1);
    }
    policy_finish(p);
    round_trip(p, "10,000 characters and long lists");
    buf_free(&b);
    policy_free(p);
}

static void invalid_utf8(void)
{
    struct strbuf b = { 0 };
    buf_yaml(&b, "a\xff"
                 "b\xc3");
    check(!strcmp(b.p, "\"a\xef\xbf\xbd"
                       "b\xef\xbf\xbd\""),
          "invalid UTF-8 becomes U+FFFD", b.p);
    buf_free(&b);
}

/* ---- strictness ----------------------------------------------------------------- */
static void refuse(const char *body, const char *expected)
{
    struct strbuf text = { 0 }, err = { 0 };
    buf_printf(&text, "policy: 1\n%s", body);
    struct policy *p = policy_read("p.yaml", text.p, text.n, &err);
    check(!p && strstr(err.p ? err.p : "", expected), expected, p ? "was accepted" : err.p);
    policy_free(p);
    buf_free(&text);
    buf_free(&err);
}

#define RULE "rules:\n  - name: x\n    "
static void strict(void)
{
    refuse("ruels: []\n", "p.yaml:2:1: a policy has no key \"ruels\"; is \"rules\" meant?");
    refuse("rules:\n  - {}\n", "p.yaml:3:5: a rule lacks its key \"name\"");
    refuse("rules: 1\n", "p.yaml:2:8: rules: found a single value, allowed is a list");
    refuse(
        RULE "delegation: kerberso\n",
        "p.yaml:4:17: delegation: found \"kerberso\", allowed is pass, block, securid, basic, ntlm, negotiate or kerberos");
    refuse(RULE "http_port: 70000\n", "p.yaml:4:16: http_port: found \"70000\", allowed is a number from 0 to 65535");
    refuse(RULE "http_port: \"80\"\n", "found the text \"80\"");
    refuse(RULE "http_port: 080\n", "found \"080\"");
    refuse(RULE "http_port: 1e3\n", "found \"1e3\"");
    refuse(RULE "enabled: maybe\n", "allowed is true or false");
    refuse(RULE "enabled:\n", "enabled: found nothing");
    refuse(RULE "name: y\n", "p.yaml:4:5: a rule has the key name twice; the other one is in line 3");
    refuse(RULE "names: [a b]\n", "p.yaml:4:13: \"a b\" is no public name");
    refuse(RULE "names: [\"*\"]\n", "all_names: true");
    refuse(RULE "names: [\"x;}\"]\n", "is no public name");
    refuse(RULE "paths: [owa]\n", "\"owa\" is no path");
    refuse(RULE "paths: [/a/../b]\n", "is no path");
    refuse(RULE "paths: [{external: /a/*, internal: /b}]\n", "\"/b\" cannot stand for \"/a/*\"");
    refuse(RULE "paths: [{external: /a/*}]\n", "allowed is a path, or");
    refuse(RULE "site: \"a b\"\n", "p.yaml:4:11: found \"a b\" where a host name or an IPv4 address belongs");
    refuse(RULE "listener: L\n", "p.yaml:4:15: listener: the policy has no \"L\" among its listeners");
    refuse(RULE "schedule: S\n", "schedule: the policy has no \"S\"");
    refuse(RULE "description: \"\\0\"\n", "NUL");
    refuse(RULE "description: \"\\e\"\n", "without control characters");
    refuse(RULE "description: {a: b}\n", "found keys with values where text");
    refuse(RULE "sources: {addresses: [10.0.0.0/33]}\n", "\"10.0.0.0/33\" where an address");
    refuse(RULE "backend_certificate: xyz\n", "where a thumbprint in hex digits belongs");
    refuse(RULE "description: *x\n", "p.yaml:4:18: an alias (*...)");
    refuse(RULE "description: &x y\n", "an anchor (&...)");
    refuse(RULE "description: !!str y\n", "a tag (!...)");
    refuse(RULE "\tenabled: true\n", "a tab in the indentation");
    refuse("---\n", "a second document");
    refuse("source: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", "nested too deeply");
    refuse("schedules: [{name: s, hours: [\"Mon-Fri 8-18\"]}]\n", "where days and hours belong");
    refuse("schedules: [{name: s, hours: [\"Mon 22:00-06:00\"]}]\n", "where days and hours belong");
    refuse("notes: [{code: TMG9999, message: x}]\n", "\"TMG9999\" is no finding");
    refuse("source: \xff\n", "UTF-8");
    refuse("policy: 1\n", "twice");
    refuse("? [a]\n: b\n", "where a key belongs");
}

/* An export may name a farm that it does not hold; the policy that comes of it says so, and is read again. */
static void dangling(void)
{
    struct policy *p = policy_new();
    add_rule(p, "lost")->farm = "not there";
    finding_add(&p->notes, F_DANGLING_REF, "its farm is not in the export")->name = "lost";
    policy_finish(p);
    round_trip(p, "a reference that dangled in the export");
    policy_free(p);
}

static void other_files(void)
{
    struct strbuf err = { 0 }, many = { 0 };
    check(!policy_read("x", "", 0, &err) && strstr(err.p, "policy: 1"), "an empty file", err.p);
    buf_clear(&err);
    check(!policy_read("x", "policy: 2\nfuture: 1\n", 20, &err) && strstr(err.p, "version 2"), "another version",
          err.p);
    buf_clear(&err);
    check(!policy_read("x", "- 1\n", 4, &err), "a list", err.p);
    buf_clear(&err);
    buf_puts(&many, "policy: 1\nrules:\n");
    for (int i = 0; i < 50; i++)
        buf_puts(&many, "  - {nam: x}\n");
    check(!policy_read("x", many.p, many.n, &err), "many errors", NULL);
    size_t lines = 0;
    for (const char *s = err.p; *s; s++)
        lines += *s == '\n';
    check(lines == 21, "20 errors are told, and that there are more", err.p);
    buf_free(&err);
    buf_free(&many);
}

static void hours(void)
{
    static const char text[] =
        "policy: 1\nschedules:\n  - {name: s, hours: [\"mon-fri 08:00-12:00, 13:00-18:00\", \"Sat-Sun 23:00-24:00\"]}\n";
    struct strbuf err = { 0 }, out = { 0 };
    struct policy *p = policy_read("x", text, strlen(text), &err);
    check(p != NULL, "hours", err.p);
    if (p) {
        policy_write(&out, p);
        check(strstr(out.p, "hours: [\"Mon-Fri 08:00-12:00, 13:00-18:00\", \"Sat-Sun 23:00-24:00\"]") != NULL, "hours",
              out.p);
        check(p->schedules.v[0].hours[2] == 0x01, "Sunday's last hour is the last bit of the third byte", NULL);
    }
    policy_free(p);
    buf_free(&err);
    buf_free(&out);
}

int main(void)
{
    rich();
    hostile();
    long_text();
    invalid_utf8();
    strict();
    dangling();
    other_files();
    hours();
    return summary("policy_yaml");
}
