/* rewriting: policies with links and filters made in a few lines, and bodies pushed through their chains, for the unit tests of
 * rewrite/. Each test program that includes this has a static of its own of everything. */
#ifndef TEST_REWRITING_H
#define TEST_REWRITING_H
#include "check.h"
#include "http/http1.h"
#include "rewrite/chain.h"
#include "rewrite/links.h"

#include <string.h>

static struct policy *p;
static struct plan *plan;
static struct site *site;
static struct findings findings;
static struct rewriting *rewriting;

static inline void same(const struct strbuf *got, const char *want, size_t n, const char *what)
{
    bool ok = got->n == n && (!n || !memcmp(got->p, want, n));
    check(ok, what, "");
    if (!ok && failed < 30)
        printf("    expected %.*s\n    got      %.*s\n", (int)(n < 400 ? n : 400), want,
               (int)(got->n < 400 ? got->n : 400), got->p ? got->p : "");
}

static uint32_t seed = 12345;
static inline uint32_t roll(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* ---- policies ------------------------------------------------------------------------------ */
static inline void begin(void)
{
    p = policy_new();
    *vec_push(p->arena, &p->listeners) =
        (struct listener){ .name = "L", .http = 80, .https = 443, .connection_timeout = 120 };
}

static inline struct rule *add_rule(const char *server, const char *name)
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
    normalise_public_name(p->arena, name, vec_push(p->arena, &r->names));
    vec_push(p->arena, &r->paths)->external = "";
    return r;
}

static inline void add_link(struct rule *r, const char *from, const char *to)
{
    vec_add(p->arena, &r->links, ((struct link_mapping){ from, to }));
}

static inline void make(void)
{
    struct strbuf err = { 0 };
    findings_init(&findings, p->arena);
    policy_finish(p);
    site = site_read(NULL, &err);
    plan = plan_make(p, site, &findings);
    rewriting = rewriting_make(plan);
}

static inline void end(void)
{
    rewriting_free(rewriting);
    plan_free(plan);
    site_free(site);
    policy_free(p);
}

/* ---- chains ------------------------------------------------------------------------------------------ */
static struct head answer;
static struct body_chain *chain;
static const char *skipped;

static inline void make_answer(const char *text, struct chain_about about)
{
    const char *why;
    size_t n = http1_head_end(text, strlen(text), 0);
    head_reset(&answer);
    check(n && http1_answer(&answer, about.method, text, n, &why) == 0, "an answer's head", text);
    chain = chain_answer(rewriting, &about, &answer, &skipped);
}

static const struct chain_about get = {
    .tls = true, .method = "GET", .host = "www.example", .accept_encoding = "gzip, deflate"
};

/* Pushes all, cut as said; takes out what comes, never more than it may at once. */
static inline enum chain_result through(const char *in, size_t n, size_t cut, struct strbuf *out)
{
    struct strbuf some = { 0 };
    enum chain_result r = CHAIN_MORE;
    size_t at = 0, most = 0;
    bool ending = false;
    while (r == CHAIN_MORE || r == CHAIN_FULL) {
        size_t used = 0, upto = at < cut ? cut : n;
        ending |= at == n && r != CHAIN_FULL;
        r = ending ? chain_end(chain, &some) : chain_push(chain, in + at, upto - at, &used, &some);
        at += used;
        most = some.n > most ? some.n : most;
        buf_add(out, some.p ? some.p : "", some.n);
        buf_clear(&some);
        if (ending && r == CHAIN_MORE)
            break;
    }
    check(most <= CHAIN_OUT + (64u << 10), "output at once", "too much");
    buf_free(&some);
    chain_free(chain);
    chain = NULL;
    return r;
}

static inline int rewriting_report(void)
{
    head_free(&answer);
    return summary("rewrite");
}
#endif
