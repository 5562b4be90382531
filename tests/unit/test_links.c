/* links: which dictionary a rule has (B-124 to B-127, B-130), entry by entry, on policies made by hand. */
#include "check.h"
#include "ir/links.h"

#include <string.h>

static struct policy *p;
static struct plan *plan;
static struct site *site;
static struct findings findings;

/* ---- policies ------------------------------------------------------------------------ */
static void begin(void)
{
    p = policy_new();
    struct listener *l = vec_push(p->arena, &p->listeners);
    *l = (struct listener){ .name = "L", .http = 80, .https = 443, .connection_timeout = 120 };
}

static struct rule *add_rule(const char *server, const char *name)
{
    struct rule *r = vec_push(p->arena, &p->rules);
    *r = (struct rule){ .name = arena_printf(p->arena, "rule %zu", p->rules.n),
                        .enabled = true,
                        .listener = "L",
                        .sources = { .any = true },
                        .all_users = true,
                        .site = server,
                        .http_port = 80,
                        .ssl_port = 443,
                        .translate_links = true,
                        .delegation = DELEGATE_NONE_BLOCK };
    if (name)
        normalise_public_name(p->arena, name, vec_push(p->arena, &r->names));
    else
        r->all_names = true;
    return r;
}

static void add_path(struct rule *r, const char *external, const char *internal)
{
    struct path *x = vec_push(p->arena, &r->paths);
    enum path_kind kind;
    bool odd;
    normalise_path(p->arena, external, &x->kind, &x->external, &odd);
    if (internal)
        normalise_path(p->arena, internal, &kind, &x->internal, &odd);
}

static void make(void)
{
    struct strbuf err = { 0 };
    findings_init(&findings, p->arena);
    policy_finish(p);
    site = site_read(NULL, &err);
    plan = plan_make(p, site, &findings);
}

static void end(void)
{
    plan_free(plan);
    site_free(site);
    policy_free(p);
}

/* ---- asking ---------------------------------------------------------------------------- */
static const char *show(const struct link *l)
{
    return arena_printf(p->arena, "%s%.*s %s%s", l->origin ? "@" : "", (int)l->to_n, l->to,
                        link_source_names[l->source], l->escaped ? " escaped" : "");
}

static const char *find(const struct link_table *t, const char *from)
{
    for (size_t i = 0; i < t->links.n; i++)
        if (t->links.v[i].from_n == strlen(from) && !memcmp(t->links.v[i].from, from, strlen(from)))
            return show(&t->links.v[i]);
    return "none";
}

static void expect(const struct link_table *t, const char *from, const char *want)
{
    const char *got = find(t, from);
    bool ok = !strcmp(got, want);
    check(ok, from, ok ? "" : arena_printf(p->arena, "expected \"%s\", got \"%s\"", want, got));
}

static void rule_links(uint32_t rule, bool tls, struct link_table *t)
{
    links_of(plan, rule, tls, p->arena, t);
    for (size_t i = 1; i < t->links.n; i++) {
        const struct link *x = &t->links.v[i - 1], *y = &t->links.v[i];
        size_t n = x->from_n < y->from_n ? x->from_n : y->from_n;
        int d = ascii_ncasecmp(x->from, y->from, n);
        check(d < 0 || (!d && x->from_n < y->from_n), "sorted, each text once", y->from);
    }
}

/* ---- cases ------------------------------------------------------------------------------- */
static void implicit(void)
{
    struct link_table t;
    begin();
    struct rule *r = add_rule("srv", "www.example");
    add_path(r, "/*", NULL);
    add_path(r, "/pub/*", "/int/*");
    add_path(r, "/", NULL);
    r->server = "10.0.0.1";
    r->http_port = 8080;
    make();
    rule_links(0, true, &t);
    expect(&t, "http://srv", "@ implicit");
    expect(&t, "https://srv", "@ implicit");
    expect(&t, "http://srv:8080", "@ implicit");
    expect(&t, "https://srv:443", "@ implicit");
    expect(&t, "http://10.0.0.1", "@ implicit");
    expect(&t, "http://srv/int", "@/pub implicit");
    expect(&t, "https://10.0.0.1:443/int", "@/pub implicit");
    expect(&t, "http://srv/", "none");
    expect(&t, "http%3a//srv", "none");
    check(t.whole && !t.escape && !t.refused, "options", "whole, not escaped");
    end();
}

static void names(void)
{
    struct link_table t;
    begin();
    add_path(add_rule("one", "*.example"), "/*", NULL);
    struct rule *r = add_rule("two", "*.example");
    normalise_public_name(p->arena, "plain.example", vec_push(p->arena, &r->names));
    add_path(r, "/*", NULL);
    add_path(add_rule("three", NULL), "/*", NULL);
    r = add_rule("four", "four.example");
    add_path(r, "/*", NULL);
    r->bridging = BRIDGE_FTP;
    add_rule("five", "five.example")->enabled = false;
    make();
    rule_links(0, true, &t);
    expect(&t, "http://one", "none"); /* wildcards only (B-124) */
    expect(&t, "http://two", "https://plain.example other rules");
    expect(&t, "http://three", "none"); /* it has no name to map to */
    expect(&t, "http://five", "none");
    rule_links(0, false, &t);
    expect(&t, "http://two", "http://plain.example other rules");
    rule_links(1, true, &t);
    expect(&t, "http://two", "https://plain.example implicit");
    rule_links(2, true, &t);
    expect(&t, "http://three", "@ implicit");
    rule_links(3, true, &t);
    check(!t.links.n, "FTP", "a dictionary");
    p->rules.v[0].translate_links = false;
    rule_links(0, true, &t);
    check(!t.links.n, "off", "a dictionary");
    end();
}

static void precedence(void)
{
    struct link_table t;
    begin();
    struct rule *r = add_rule("srv", "www.example");
    add_path(r, "/*", NULL);
    vec_add(p->arena, &r->links, ((struct link_mapping){ "http:\\/\\/SRV/", "https:\\/\\/local/" }));
    vec_add(p->arena, &r->links, ((struct link_mapping){ "http://srv", "https://second" }));
    vec_add(p->arena, &r->links, ((struct link_mapping){ "abc", "too short" }));
    vec_add(p->arena, &r->links, ((struct link_mapping){ "", "empty" }));
    vec_add(p->arena, &p->links, ((struct link_mapping){ "http://srv", "https://global" }));
    vec_add(p->arena, &p->links, ((struct link_mapping){ "https://srv", "https://global" }));
    vec_add(p->arena, &p->links, ((struct link_mapping){ "http://other", "https://global" }));
    r = add_rule("other", "other.example");
    add_path(r, "/a/*", NULL);
    r = add_rule("other", "late.example");
    add_path(r, "/a/*", NULL);
    add_path(r, "/b/*", "/c/*");
    add_path(r, "/stem*", NULL);
    make();
    rule_links(0, true, &t);
    expect(&t, "http://SRV", "https://local local");
    expect(&t, "https://srv", "@ implicit");
    expect(&t, "http://other", "https://global global");
    expect(&t, "https://other", "none"); /* nobody publishes all of it */
    expect(&t, "https://other/a", "https://other.example/a other rules");
    expect(&t, "https://other/c", "https://late.example/b other rules");
    check(t.refused == 2, "refused", "not two");
    size_t stems = 0;
    for (size_t i = 0; i < t.links.n; i++)
        stems += t.links.v[i].stem;
    check(stems == 6, "stems", "not six"); /* two schemes, without and with each port */
    struct link_table own, shared;
    links_own(plan, 0, true, p->arena, &own);
    links_shared(plan, true, p->arena, &shared);
    expect(&own, "https://srv", "@ implicit");
    expect(&own, "https://other/a", "none");
    expect(&shared, "https://srv", "https://global global");
    expect(&shared, "http%3a//other/a", "https%3a//other.example/a other rules escaped");
    end();
}

static void options(void)
{
    struct link_table t;
    begin();
    struct rule *r = add_rule("srv", "www.example");
    add_path(r, "/*", NULL);
    r->link_options = 3;
    r->http_port = 81;
    vec_add(p->arena, &r->code_pages, "1252");
    vec_add(p->arena, &r->code_pages, "65001");
    vec_add(p->arena, &r->code_pages, "99999");
    vec_add(p->arena, &r->links,
            ((struct link_mapping){ "http://x/gr\xc3\xb6\xc3\x9f"
                                    "e",
                                    "/gr\xc3\xb6\xc3\x9f"
                                    "er" }));
    vec_add(p->arena, &p->links, ((struct link_mapping){ "http://caf\xc3\xa9", "/caf\xc3\xa9" }));
    p->listeners.v[0].https = 8443;
    make();
    rule_links(0, true, &t);
    expect(&t, "http%3a//srv%3a81", "@ implicit escaped");
    expect(&t, "http://srv:81", "@ implicit");
    expect(&t,
           "http://x/gr\xc3\xb6\xc3\x9f"
           "e",
           "/gr\xc3\xb6\xc3\x9f"
           "er local");
    expect(&t,
           "http://x/gr\xf6\xdf"
           "e",
           "/gr\xf6\xdf"
           "er local");
    expect(&t, "http://caf\xc3\xa9", "/caf\xc3\xa9 global");
    expect(&t, "http://caf\xe9", "/caf\xe9 global");
    check(!t.whole && t.escape, "options", "partial, escaped");
    end();
}

static void origins(void)
{
    static const struct {
        long http, https, accelerator;
        enum https_redirect redirect;
        bool tls;
        const char *want;
    } cases[] = {
        { 80, 443, 0, HTTPS_REDIRECT_NEVER, true, "https://b.example other rules" },
        { 80, 443, 0, HTTPS_REDIRECT_NEVER, false, "http://b.example other rules" },
        { 80, 443, 0, HTTPS_REDIRECT_ALWAYS, false, "https://b.example other rules" },
        { 8080, 0, 0, HTTPS_REDIRECT_NEVER, true, "http://b.example:8080 other rules" },
        { 0, 8443, 0, HTTPS_REDIRECT_NEVER, false, "https://b.example:8443 other rules" },
        { 80, 0, 443, HTTPS_REDIRECT_NEVER, false, "https://b.example other rules" },
        { 80, 0, 444, HTTPS_REDIRECT_NEVER, false, "https://b.example:444 other rules" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct link_table t;
        begin();
        struct listener *l = vec_push(p->arena, &p->listeners);
        *l = (struct listener){ .name = "M",
                                .http = cases[i].http,
                                .https = cases[i].https,
                                .redirect = cases[i].redirect,
                                .ssl_accelerator_port = cases[i].accelerator };
        add_path(add_rule("a", "a.example"), "/*", NULL);
        struct rule *r = add_rule("b", "b.example");
        add_path(r, "/*", NULL);
        r->listener = "M";
        make();
        rule_links(0, cases[i].tls, &t);
        expect(&t, "http://b", cases[i].want);
        end();
    }
}

static void ends(void)
{
    static const struct {
        const char *rest;
        bool end;
        int want;
    } cases[] = { { "", true, 1 },      { "", false, -1 },   { "/x", false, 1 },   { "\"", false, 1 },
                  { " ", false, 1 },    { "\n", false, 1 },  { "2", false, 0 },    { ".x", false, 0 },
                  { ":80", false, 0 },  { "-", false, 0 },   { "\xc3", false, 0 }, { "%", false, -1 },
                  { "%2", false, -1 },  { "%2", true, 0 },   { "%2f", false, 1 },  { "%2F", false, 1 },
                  { "%3a8", false, 0 }, { "%zz", false, 0 }, { "%00", false, 0 },  { "<", false, 1 },
                  { ";", false, 1 },    { "\\/", false, 1 }, { "?a", false, 1 },   { "#", false, 1 },
                  { "_", false, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(link_ends(cases[i].rest, strlen(cases[i].rest), cases[i].end) == cases[i].want, "end", cases[i].rest);
    check(link_content_type("text/html") && link_content_type("Text/HTML; charset=utf-8"), "type", "HTML");
    check(!link_content_type(NULL) && !link_content_type("") && !link_content_type("text/htmlx") &&
              !link_content_type("application/json") && !link_content_type("text/css"),
          "type", "not HTML");
}

int main(void)
{
    implicit();
    names();
    precedence();
    options();
    origins();
    ends();
    return summary("links");
}
