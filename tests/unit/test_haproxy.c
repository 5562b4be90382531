/* test_haproxy: what haproxy.cfg and publishd.yaml look like for a policy that tries to break out of them, and for each
 * thing that a rule can do. What the real programs make of them is tests/suite's and verify's business. */
#include "check.h"
#include "../../emitters/emit.h"
#include "../../ir/yaml.h"

#include <string.h>

/* ---- from YAML to the two files ------------------------------------------ */
struct made {
    struct policy *policy;
    struct site *site;
    struct plan *plan;
    struct findings findings;
    struct arena *arena;
    struct emission haproxy, publishd;
};

static const char site_text[] = "site: 1\n"
                                "trust: /x/trust.pem\n"
                                "certificates:\n"
                                "  aa: {chain: /x/a.pem, key: /x/a.pem}\n"
                                "  bb: {chain: /x/b.pem, key: /x/b.pem.key}\n"
                                "  cc: {chain: /x/c.pem, key: /y/c key.pem}\n"
                                "backends:\n"
                                "  web.corp.example: 10.0.0.5\n"
                                "rules:\n"
                                "  plain: {websocket: true, x_forwarded_for: true, via: \"1.1 50%\"}\n";

static bool make(struct made *m, const char *policy_text)
{
    struct strbuf err = { 0 };
    *m = (struct made){ .arena = arena_new() };
    m->policy = policy_read("policy.yaml", policy_text, strlen(policy_text), &err);
    m->site = site_parse("site.yaml", site_text, sizeof site_text - 1, &err);
    if (m->policy && m->site) {
        findings_init(&m->findings, m->arena);
        m->plan = plan_make(m->policy, m->site, &m->findings);
        assess(m->plan, ON_ALL, "2026-01-01", &m->findings);
        int rc = emit_haproxy(m->plan, m->arena, &m->haproxy, &err);
        rc |= emit_publishd(m->plan, m->arena, &m->publishd, &err);
        check(rc == 0, "emits", err.p ? err.p : "");
    }
    check(m->plan != NULL, "reads", err.p ? err.p : "");
    buf_free(&err);
    return m->plan;
}

static void unmake(struct made *m)
{
    emission_free(&m->haproxy);
    emission_free(&m->publishd);
    plan_free(m->plan);
    site_free(m->site);
    policy_free(m->policy);
    arena_free(m->arena);
}

static bool has(const struct emission *e, const char *text)
{
    return strstr(e->text.p, text) != NULL;
}

static void wants(const struct emission *e, const char *text)
{
    check(has(e, text), "is missing", text);
}

/* ---- HAProxy's own way of reading a line ------------------------------------ */
enum { WORDS = 64 };

/* Counts the words of a line in front of a comment, and gives -1 if a quote or a control character is where none may be. */
static int count_words(const char *s, size_t n)
{
    int words = 0;
    for (size_t i = 0; i < n;) {
        bool inside = false;
        for (; i < n && s[i] == ' '; i++)
            ;
        if (i < n && s[i] == '#')
            for (; i < n; i++)
                if ((unsigned char)s[i] < 0x20)
                    return -1;
        if (i == n)
            return words;
        for (; i < n && (inside || s[i] != ' '); i++) {
            if ((unsigned char)s[i] < 0x20 || (!inside && (s[i] == '"' || s[i] == '#')))
                return -1;
            if (!inside && s[i] == '\\')
                i++;
            else if (s[i] == '\'')
                inside = !inside;
        }
        if (inside)
            return -1;
        words++;
    }
    return words;
}

static const char *const keywords[] = {
    "global",     "default-path",  "tune.bufsize", "tune.maxrewrite", "defaults",  "mode",        "http-reuse",
    "timeout",    "frontend",      "bind",         "http-request",    "acl",       "use_backend", "default_backend",
    "backend",    "http-response", "server",       "balance",         "hash-type", "cookie",      "option",
    "http-check",
};

static bool known_keyword(const char *s, size_t n)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strlen(keywords[i]) == n && !strncmp(keywords[i], s, n))
            return true;
    return false;
}

/* No text of a policy may begin a line, end a word or a quote. */
static void check_lines(const struct emission *e)
{
    for (const char *s = e->text.p; *s;) {
        size_t n = strcspn(s, "\n");
        size_t blank = strspn(s, " ");
        int words = count_words(s, n);
        if (words < 0 || words > WORDS || (words > 0 && !known_keyword(s + blank, strcspn(s + blank, " \n")))) {
            check(false, "a line that HAProxy would read otherwise", s);
            return;
        }
        s += n + (s[n] == '\n');
    }
    check(true, "lines", "");
}

static const char *line_at(const char *s, uint32_t number)
{
    for (uint32_t i = 1; i < number && *s; s++)
        i += *s == '\n';
    return s;
}

/* Each rule's block begins with its heading and ends before the next one's. */
static void check_blocks(const struct emission *e, size_t rules)
{
    check(e->rules.n == rules, "blocks", "not one a rule");
    for (size_t i = 0; i < e->rules.n; i++) {
        const struct rule_lines *l = &e->rules.v[i];
        struct strbuf want = { 0 };
        buf_printf(&want, "# rule %zu \"", i + 1);
        const char *at = line_at(e->text.p, l->first);
        at += strspn(at, " ");
        check(!strncmp(at, want.p, want.n), "a block without its heading", want.p);
        check(l->last >= l->first && (!i || l->first > e->rules.v[i - 1].last), "blocks overlap", want.p);
        buf_free(&want);
    }
}

/* ---- policies ------------------------------------------------------------------ */
#define LISTENER                                                                                                       \
    "policy: 1\n"                                                                                                      \
    "listeners:\n"                                                                                                     \
    "  - name: \"In\\nfrontend x\"\n"                                                                                  \
    "    on: [{select: specified, addresses: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}]\n"                         \
    "    http: 80\n"                                                                                                   \
    "    https: 443\n"                                                                                                 \
    "    certificates:\n"                                                                                              \
    "      - {thumbprint: aa, address: 192.0.2.1}\n"                                                                   \
    "      - {thumbprint: bb, address: 192.0.2.2}\n"                                                                   \
    "      - {thumbprint: cc, address: 192.0.2.3}\n"                                                                   \
    "      - {thumbprint: dd, address: 192.0.2.4}\n"                                                                   \
    "farms:\n"                                                                                                         \
    "  - name: Farm\n"                                                                                                 \
    "    members: [{host: m1.corp.example}, {host: m2.corp.example, drained: true}]\n"                                 \
    "    probe_url: \"https://*:8443/up date\"\n"                                                                      \
    "rules:\n"
#define RULE(name, more)                                                                                               \
    "  - name: " name "\n"                                                                                             \
    "    listener: \"In\\nfrontend x\"\n"                                                                              \
    "    sources: {any: true}\n"                                                                                       \
    "    site: web.corp.example\n" more
#define OPEN "    all_users: true\n    delegation: block\n"

static const char everything[] = LISTENER RULE(
    "plain", OPEN "    names: [a.example, \"*.b.example\"]\n    paths: [/*]\n    forward_host: true\n")
    RULE("ssl", OPEN "    names: [c.example]\n    paths: [/a/*]\n    require_ssl: required\n    bridging: ssl\n") RULE(
        "both", OPEN "    all_names: true\n    paths: [/both/*]\n    bridging: both\n")
        RULE("users", "    names: [d.example]\n    paths: [/*]\n    users: [Staff]\n") RULE(
            "deny",
            OPEN "    names: [e.example]\n    paths: [/*]\n    action: deny\n    redirect_url: \"http://x/%[src]'\"\n")
            RULE("off", OPEN "    names: [f.example]\n    paths: [/*]\n    enabled: false\n")
                RULE("farm", OPEN "    names: [g.example]\n    paths: [/*]\n    farm: Farm\n") RULE(
                    "map", OPEN
                    "    names: [h.example]\n    paths: [{external: /o/*, internal: /i/*}, {external: /p/*, internal: /*}]\n");

static void test_rules(void)
{
    struct made m;
    if (make(&m, everything)) {
        const struct emission *e = &m.haproxy;
        check_lines(e);
        check_blocks(e, 8);
        check_blocks(&m.publishd, 8);
        wants(e, "acl rule_1-name var(txn.host) -m str -- a.example\n");
        wants(e, "acl rule_1-name var(txn.host) -m reg -- '^[^ /.][^ /]*\\.b\\.example$'\n");
        wants(e, "use_backend rule_1_plain if rule_1-name\n");
        wants(e, "http-request add-header Via '1.1 50%%'\n");
        wants(e, "backend rule_2_ssl\n    http-request deny deny_status 403 if { var(txn.dots) -m found }");
        wants(e, " unless { ssl_fc }\n");
        wants(e, "ssl verify required ca-file /x/trust.pem verifyhost web.corp.example sni str(web.corp.example)");
        wants(e, "use_backend rule_3_both-http if !{ ssl_fc } { path -i -m reg '^/both(?:/|$)' }\n");
        wants(e, "backend rule_4_users\n    # closed here: see the report\n    http-request deny deny_status 403\n\n");
        wants(e, "redirect location 'http://x/%%[src]'\\' code 302\n");
        wants(e, "#   disabled at the source (D-16)\n");
        check(!has(e, "f.example"), "a disabled rule", "is reached");
        wants(e, "weight 0");
        wants(e, "http-check send meth GET uri '/up%20date' ver HTTP/1.1 hdr Host %[srv_name]:8443\n");
        wants(e, "port 8443 check-ssl");
        wants(e, "insert indirect nocache httponly\n");
        wants(e, "http-request set-path '/i%[path,bytes(2)]' if { var(txn.path) -m int 1 }\n");
        wants(e, "http-request set-path '/%[path,bytes(3)]' if { var(txn.path) -m int 2 }\n");
        wants(e, "default_backend no_rule\n");
    }
    unmake(&m);
}

/* A key inside or beside the chain's file needs nothing; another one needs two links, and is not copied. */
static void test_certificates(void)
{
    struct made m;
    if (make(&m, everything)) {
        wants(&m.haproxy, "bind 192.0.2.1:443 ssl crt /x/a.pem alpn");
        wants(&m.haproxy, "bind 192.0.2.2:443 ssl crt /x/b.pem alpn");
        wants(&m.haproxy, "bind 192.0.2.3:443 ssl crt tls/cc.pem alpn");
        wants(&m.haproxy, "bind 192.0.2.4:443 ssl crt " MISSING_DIR "/dd.pem alpn");
        check(m.haproxy.links.n == 2, "links", "not two");
        if (m.haproxy.links.n == 2) {
            check(str_equal(m.haproxy.links.v[0].name, "tls/cc.pem") && str_equal(m.haproxy.links.v[0].to, "/x/c.pem"),
                  "link", "chain");
            check(str_equal(m.haproxy.links.v[1].name, "tls/cc.pem.key") &&
                      str_equal(m.haproxy.links.v[1].to, "/y/c key.pem"),
                  "link", "key");
        }
    }
    unmake(&m);
}

/* Texts that a stranger may have chosen, in every place that takes one. */
static void test_hostile(void)
{
    static const char *const texts[] = {
        "x\\nbackend evil", "' } if TRUE",       "\\\" # x", "%[src]", "a\\\\",
        "\\u2028x",         "}{ -f /etc/passwd", "-m",       "$HOME",  "\\x7f",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct strbuf b = { 0 };
        struct made m;
        buf_puts(&b, LISTENER);
        buf_printf(
            &b,
            RULE(
                "\"%s\"", OPEN
                "    description: \"%s\"\n    names: [a.example]\n    paths: [\"/x%s/*\", {external: \"/e%s/*\", internal: \"/i%s/*\"}]\n"),
            texts[i], texts[i], "'%[src]\\\\1", "{'$x", "%[\\\\0'");
        buf_printf(
            &b,
            RULE("again", OPEN "    names: [b.example]\n    paths: [/*]\n    action: deny\n    redirect_url: \"%s\"\n"),
            texts[i]);
        if (make(&m, b.p)) {
            check_lines(&m.haproxy);
            check_blocks(&m.haproxy, 2);
            struct strbuf err = { 0 };
            struct yaml_reader r = { .file = "publishd.yaml", .arena = m.arena, .err = &err };
            check(yaml_parse(&r, m.arena, m.publishd.text.p, m.publishd.text.n) && !r.errors, "publishd.yaml",
                  err.p ? err.p : "");
            buf_free(&err);
        }
        unmake(&m);
        buf_free(&b);
    }
}

/* More names, paths and addresses than a line of HAProxy's holds. */
static void test_many(void)
{
    struct strbuf b = { 0 };
    struct made m;
    buf_puts(&b, LISTENER "  - name: many\n    listener: \"In\\nfrontend x\"\n    site: web.corp.example\n" OPEN
                          "    names:\n");
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "      - n%d.example\n      - \"*.w%d.example\"\n", i, i);
    buf_puts(&b, "    paths:\n");
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "      - /p%d/*\n", i);
    buf_puts(&b, "    sources:\n      addresses:\n");
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "      - 10.0.%d.1\n", i);
    if (make(&m, b.p)) {
        check_lines(&m.haproxy);
        wants(&m.haproxy, "use_backend rule_1_many if rule_1-name rule_1-path rule_1-source\n");
    }
    unmake(&m);
    buf_free(&b);
}

static void test_same_bytes(void)
{
    struct made x, y;
    if (make(&x, everything) & make(&y, everything)) {
        check(str_equal(x.haproxy.text.p, y.haproxy.text.p), "haproxy.cfg", "differs between two runs");
        check(str_equal(x.publishd.text.p, y.publishd.text.p), "publishd.yaml", "differs between two runs");
    }
    unmake(&x);
    unmake(&y);
}

static void test_nothing(void)
{
    struct made m;
    if (make(&m, "policy: 1\n")) {
        check_lines(&m.haproxy);
        wants(&m.haproxy, "backend no_rule\n");
    }
    unmake(&m);
}

int main(void)
{
    test_rules();
    test_certificates();
    test_hostile();
    test_many();
    test_same_bytes();
    test_nothing();
    return summary("haproxy");
}
