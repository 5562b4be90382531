/* decide against the behaviour reference's decisions D-01 to D-11, case by case, on a policy made by hand. */
#include "check.h"
#include "emitters/emit.h"

#include <string.h>

/* ---- a policy in a few lines ------------------------------------------------------ */
static struct policy *p;

static strings split(const char *text)
{
    strings out = { 0 };
    for (size_t n; *text; text += n + (text[n] == ' ')) {
        n = strcspn(text, " ");
        vec_add(p->arena, &out, arena_strndup(p->arena, text, n));
    }
    return out;
}

static struct rule *add_rule(const char *name, const char *names, const char *paths)
{
    struct rule *r = vec_push(p->arena, &p->rules);
    *r = (struct rule){ .name = name,
                        .enabled = true,
                        .listener = "L",
                        .sources = { .any = true },
                        .all_users = true,
                        .site = "in.example",
                        .http_port = 80,
                        .ssl_port = 443,
                        .delegation = DELEGATE_NONE_BLOCK,
                        .delegation_possible = true,
                        .pass_options = true };
    strings words = split(names);
    for (size_t i = 0; i < words.n; i++) {
        const char *w = words.v[i];
        if (strcmp(w, "*") == 0)
            r->all_names = true;
        else
            normalise_public_name(p->arena, w, vec_push(p->arena, &r->names));
    }
    words = split(paths);
    for (size_t i = 0; i < words.n; i++) {
        struct path *x = vec_push(p->arena, &r->paths);
        size_t n = strcspn(words.v[i], ">");
        bool odd;
        enum path_kind kind;
        normalise_path(p->arena, arena_strndup(p->arena, words.v[i], n), &x->kind, &x->external, &odd);
        if (words.v[i][n])
            normalise_path(p->arena, words.v[i] + n + 1, &kind, &x->internal, &odd);
    }
    return r;
}

static struct listener *add_listener(void)
{
    struct listener *l = vec_push(p->arena, &p->listeners);
    *l = (struct listener){ .name = "L", .http = 80, .https = 443, .connection_timeout = 120 };
    return l;
}

static void begin(void)
{
    p = policy_new();
    add_listener();
}

struct ask {
    const char *host, *target;
    bool tls;
    uint32_t client;
    const char *user;
};
static const char *method = "GET";

/* "rule index:answer:host:target", or "answer:location" where no rule forwards. */
static const char *ask(struct ask q)
{
    static struct strbuf out;
    struct findings f;
    struct strbuf err = { 0 };
    struct site *s = site_read(NULL, &err);
    findings_init(&f, p->arena);
    policy_finish(p);
    struct plan *plan = plan_make(p, s, &f);
    const char *set = "Staff";
    const strings sets = { .v = &set, .n = 1, .cap = 1 };
    struct request r = { .tls = q.tls,
                         .port = q.tls ? 443 : 80,
                         .method = method,
                         .host = q.host,
                         .target = q.target,
                         .client = q.client,
                         .hour = -1,
                         .user = q.user,
                         .user_sets = q.user ? &sets : NULL };
    struct decision d;
    decide(plan, &r, true, p->arena, &d);
    buf_clear(&out);
    if (d.answer == ANSWER_FORWARD)
        buf_printf(&out, "%d %s %s %s:%u%s", d.rule, d.host ? d.host : "-", d.target, d.to->servers.v[0].host,
                   d.to->servers.v[0].port, d.to->tls ? " tls" : "");
    else
        buf_printf(&out, "%s %d%s%s", answer_names[d.answer], d.status, d.location ? " " : "",
                   d.location ? d.location : "");
    plan_free(plan);
    site_free(s);
    buf_free(&err);
    return out.p;
}

static void expect(const char *what, struct ask q, const char *want)
{
    const char *got = ask(q);
    struct strbuf b = { 0 };
    buf_printf(&b, "%s %s: want %s, got %s", q.host ? q.host : "(no host)", q.target, want, got);
    check(strcmp(got, want) == 0, what, b.p);
    buf_free(&b);
}

static void test_names(void)
{
    begin();
    add_rule("a", "mail.x", "/*")->forward_host = true;
    add_rule("w", "*.y", "/*");
    add_rule("ip", "192.0.2.7", "/*");
    const char *none = "no-rule 403";
    expect("D-01 exact", (struct ask){ "mail.x", "/", 0, 1, 0 }, "0 mail.x / in.example:80");
    expect("D-01 case", (struct ask){ "MAIL.X", "/", 0, 1, 0 }, "0 MAIL.X / in.example:80");
    expect("D-01 port", (struct ask){ "mail.x:8080", "/", 0, 1, 0 }, "0 mail.x:8080 / in.example:80");
    expect("D-01 dot", (struct ask){ "mail.x.", "/", 0, 1, 0 }, "0 mail.x. / in.example:80");
    expect("D-01 dot and port", (struct ask){ "mail.x.:80", "/", 0, 1, 0 }, "0 mail.x.:80 / in.example:80");
    expect("D-01 absolute form", (struct ask){ "other.z", "http://Mail.X/a?b", 0, 1, 0 },
           "0 Mail.X /a?b in.example:80");
    expect("D-01 no host", (struct ask){ NULL, "/", 0, 1, 0 }, none);
    expect("D-01 empty host", (struct ask){ "", "/", 0, 1, 0 }, none);
    expect("longer name", (struct ask){ "amail.x", "/", 0, 1, 0 }, none);
    expect("D-02 one label", (struct ask){ "a.y", "/", 0, 1, 0 }, "1 in.example / in.example:80");
    expect("D-02 two labels", (struct ask){ "b.a.y", "/", 0, 1, 0 }, "1 in.example / in.example:80");
    expect("D-02 apex", (struct ask){ "y", "/", 0, 1, 0 }, none);
    expect("D-02 an empty label", (struct ask){ ".a.y", "/", 0, 1, 0 }, none);
    expect("D-02 no label", (struct ask){ ".y", "/", 0, 1, 0 }, none);
    expect("B-05 address", (struct ask){ "192.0.2.7:80", "/", 0, 1, 0 }, "2 in.example / in.example:80");
    add_rule("all", "*", "/*");
    expect("all requests take a missing host", (struct ask){ NULL, "/", 0, 1, 0 }, "3 in.example / in.example:80");
    expect("all requests take an empty host", (struct ask){ "", "/", 0, 1, 0 }, "3 in.example / in.example:80");
    policy_free(p);
}

static void test_paths(void)
{
    begin();
    add_rule("a", "x", "/owa/* /file.htm /stem* /Deep/er/*");
    const char *none = "no-rule 403", *dots = "dots 403";
    struct {
        const char *path, *want;
    } t[] = { { "/owa", "0" },
              { "/owa/", "0" },
              { "/OWA/x", "0" },
              { "/owax", none },
              { "/ow", none },
              { "/owa?q", "0" },
              { "/owa/%2e", "0" },
              { "/ow%61/", none },
              { "//owa/", none },
              { "/file.htm", "0" },
              { "/file.htm/", none },
              { "/file.html", none },
              { "/FILE.HTM?x", "0" },
              { "/stem", "0" },
              { "/stemmed/x", "0" },
              { "/ste", none },
              { "/deep/ER/x", "0" },
              { "/deep/", none },
              { "/owa/../ecp", dots },
              { "/owa/%2e%2e/ecp", dots },
              { "/owa/..%2fecp", dots },
              { "/owa/%252e%252e/ecp", dots },
              { "/owa/..\\ecp", dots },
              { "/owa/..%5cecp", dots },
              { "/owa/..", dots },
              { "/owa/a/../b", "0" },
              { "/owa/a/%2E./b", "0" },
              { "/owa/./b", "0" },
              { "/owa/..x/b", "0" },
              { "/owa/...", "0" },
              { "/owa/../owa/b", "0" },
              { "/owa/../deep/er/b", "0" },
              { "/owa/x?../../", "0" },
              { "/owa/%25%32%65%252e/x", dots },
              { "/owa/%%32%65./x", dots },
              { "/owa/.%2%45/x", dots },
              { "/owa/..%%35c", dots },
              { "/owa/%", "0" },
              { "/owa/%2", "0" },
              { "/owa/..%", "0" },
              { "*", none } };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct strbuf want = { 0 };
        if (strcmp(t[i].want, "0") == 0)
            buf_printf(&want, "0 in.example %s in.example:80", t[i].path);
        else
            buf_puts(&want, t[i].want);
        expect("D-03, D-05 path", (struct ask){ "x", t[i].path, 0, 1, 0 }, want.p);
        buf_free(&want);
    }
    add_rule("m", "m", "/ext/*>/int/* /*>/app/* /one>/two /gone/*>/*");
    expect("D-04 prefix", (struct ask){ "m", "/EXT/a%2Fb?c=/ext/", 0, 1, 0 },
           "1 in.example /int/a%2Fb?c=/ext/ in.example:80");
    expect("D-04 bare prefix", (struct ask){ "m", "/ext?q", 0, 1, 0 }, "1 in.example /int?q in.example:80");
    expect("D-04 root", (struct ask){ "m", "/other", 0, 1, 0 }, "1 in.example /app/other in.example:80");
    expect("D-04 exact", (struct ask){ "m", "/one?x", 0, 1, 0 }, "1 in.example /two?x in.example:80");
    expect("D-04 empty result", (struct ask){ "m", "/gone?x", 0, 1, 0 }, "1 in.example /?x in.example:80");
    expect("D-04 to the root", (struct ask){ "m", "/gone/a", 0, 1, 0 }, "1 in.example /a in.example:80");
    expect("D-05 rewritten", (struct ask){ "m", "/ext/../x", 0, 1, 0 }, dots);
    add_rule("e", "e", "/a /b/ /c/*");
    expect("D-05 the parent has its slash", (struct ask){ "e", "/c/../b/x/..", 0, 1, 0 },
           "2 in.example /c/../b/x/.. in.example:80");
    expect("D-05 and is not the exact path without", (struct ask){ "e", "/c/../a/x/..", 0, 1, 0 }, dots);
    expect("D-05 a final dot too", (struct ask){ "e", "/c/../b/.", 0, 1, 0 }, "2 in.example /c/../b/. in.example:80");
    add_rule("t", "t", "/s*>/*");
    expect("D-04 a stem to the root", (struct ask){ "t", "/sx?y", 0, 1, 0 }, "3 in.example /x?y in.example:80");
    add_rule("r", "r", "/*");
    expect("D-05 everything published", (struct ask){ "r", "/../x", 0, 1, 0 }, "4 in.example /../x in.example:80");
    expect("asterisk", (struct ask){ "r", "*", 0, 1, 0 }, "4 in.example * in.example:80");
    policy_free(p);
}

static void test_order(void)
{
    begin();
    struct rule *r = add_rule("off", "x", "/*");
    r->enabled = false;
    r = add_rule("src", "x", "/*");
    r->sources = (struct sources){ 0 };
    ipset_add(p->arena, &r->sources.addresses, 10, 20);
    ipset_add(p->arena, &r->sources.except_addresses, 15, 15);
    add_rule("deny", "x", "/secret/*")->action = ACTION_DENY;
    r = add_rule("go", "x", "/old/*");
    r->action = ACTION_DENY;
    r->redirect_url = "http://new.example/";
    add_rule("rest", "*.x x", "/*");
    expect("D-16, D-06 inside the source", (struct ask){ "x", "/secret/a", 0, 10, 0 },
           "1 in.example /secret/a in.example:80");
    expect("D-06 outside falls through", (struct ask){ "x", "/secret/a", 0, 21, 0 }, "deny 403");
    expect("B-22 exception", (struct ask){ "x", "/secret/a", 0, 15, 0 }, "deny 403");
    expect("B-28 redirect", (struct ask){ "x", "/old/a?b", 0, 1, 0 }, "deny-redirect 302 http://new.example/");
    expect("B-01 the last", (struct ask){ "x", "/", 0, 1, 0 }, "4 in.example / in.example:80");
    policy_free(p);
}

static void test_options(void)
{
    begin();
    add_rule("kept", "kept.x", "/*")->pass_options = false;
    add_rule("passed", "passed.x", "/*");
    struct rule *users = add_rule("users", "users.x", "/*");
    users->pass_options = users->all_users = false;
    vec_add(p->arena, &users->users, "Staff");
    struct rule *ssl = add_rule("ssl", "ssl.x", "/*");
    ssl->pass_options = false;
    ssl->require_ssl = 1;
    const char *own = "0 in.example / in.example:80";
    expect("GET", (struct ask){ "kept.x", "/", 0, 1, 0 }, own);
    method = "options";
    expect("another case is another method", (struct ask){ "kept.x", "/", 0, 1, 0 }, own);
    method = "OPTIONS";
    expect("OPTIONS kept", (struct ask){ "kept.x", "/", 0, 1, 0 }, "options 200");
    expect("of anything", (struct ask){ "kept.x", "*", 0, 1, 0 }, "options 200");
    expect("OPTIONS passed", (struct ask){ "passed.x", "/", 0, 1, 0 }, "1 in.example / in.example:80");
    expect("what refuses a request comes first", (struct ask){ "ssl.x", "/", 0, 1, 0 }, "needs-ssl 403");
    expect("so do users", (struct ask){ "users.x", "/", 0, 1, "LAB\\x" }, "options 200");
    method = "GET";
}

static void test_schemes(void)
{
    begin();
    struct rule *r = add_rule("both", "b", "/*");
    r->bridging = BRIDGE_BOTH;
    r->http_port = 8080;
    r->ssl_port = 4443;
    add_rule("ssl", "s", "/*")->bridging = BRIDGE_SSL;
    add_rule("must", "m", "/*")->require_ssl = 1;
    add_rule("pass", "p", "/*")->delegation = DELEGATE_NONE_PASS;
    r = add_rule("users", "u", "/*");
    r->all_users = false;
    vec_add(p->arena, &r->users, "staff");
    r = add_rule("others", "o", "/*");
    r->all_users = false;
    vec_add(p->arena, &r->users, "Board");
    expect("B-49 http", (struct ask){ "b", "/", 0, 1, 0 }, "0 in.example / in.example:8080");
    expect("B-49 https", (struct ask){ "b", "/", 1, 1, 0 }, "0 in.example / in.example:4443 tls");
    expect("B-48 http to TLS", (struct ask){ "s", "/", 0, 1, 0 }, "1 in.example / in.example:443 tls");
    expect("B-52 http", (struct ask){ "m", "/", 0, 1, 0 }, "needs-ssl 403");
    expect("B-52 https", (struct ask){ "m", "/", 1, 1, 0 }, "2 in.example / in.example:80");
    expect("D-09 http", (struct ask){ "p", "/", 0, 1, 0 }, "pass-over-http 403");
    expect("D-09 https", (struct ask){ "p", "/", 1, 1, 0 }, "3 in.example / in.example:80");
    expect("D-07 nobody", (struct ask){ "u", "/", 1, 1, 0 }, "needs-user 0");
    expect("D-07 the right user", (struct ask){ "u", "/", 1, 1, "ann" }, "4 in.example / in.example:80");
    expect("B-25 the wrong user", (struct ask){ "o", "/", 1, 1, "ann" }, "wrong-user 403");
    p->listeners.v[0].redirect = HTTPS_REDIRECT_AUTHENTICATED;
    expect("D-08 if authenticated", (struct ask){ "U:80", "/a?b", 0, 1, 0 }, "to-https 302 https://u/a?b");
    expect("D-08 not for anonymous rules", (struct ask){ "b", "/", 0, 1, 0 }, "0 in.example / in.example:8080");
    p->listeners.v[0].redirect = HTTPS_REDIRECT_ALWAYS;
    p->listeners.v[0].https = 8443;
    expect("D-08 always, before any rule", (struct ask){ "nobody.", "/%2e?b", 0, 1, 0 },
           "to-https 302 https://nobody:8443/%2e?b");
    policy_free(p);
}

int main(void)
{
    test_names();
    test_options();
    test_paths();
    test_order();
    test_schemes();
    return summary("decide");
}
