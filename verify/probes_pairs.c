/* Rules against each other: pairs that share names, what no rule names, random mixtures. */
#include <stdlib.h>
#include <string.h>

#include "probes.h"

#define NEIGHBOURS 12 /* rules that share a name, tried in pairs, for each name of a rule */

/* ---- pairs of rules ---------------------------------------------------------------------------------- */

struct named {
    const char *key;
    uint32_t rule, name;
};
typedef VEC(struct named) index_of_names;

static int by_key(const void *x, const void *y)
{
    const struct named *a = x, *b = y;
    int c = strcmp(a->key, b->key);
    return c ? c : a->rule != b->rule ? (a->rule < b->rule ? -1 : 1) : (int)a->name - (int)b->name;
}

/* Where a rule's own requests meet another rule's paths and sources: first match wins (B-01). */
static void pair(struct probe_maker *m, const struct plan_rule *r, const struct plan_rule *other, uint32_t listener,
                 const char *host)
{
    for (size_t i = 0; i < r->rule->paths.n && i < 6; i++) {
        struct probe b = { .aimed = (int)r->index,
                           .condition = MATCHED,
                           .want = true,
                           .listener = listener,
                           .method = "GET",
                           .host = host,
                           .target = path_sample(m->a, &r->rule->paths.v[i]),
                           .client = probe_client(r, 0),
                           .status = 200 };
        probe_on_schemes(m, "rules that share a name", &b);
        b.client = probe_client(other, 0);
        probe_on_schemes(m, "rules that share a name, the other's client", &b);
        if (!other->any_source && other->sources.n && other->sources.v[0].from > 0) {
            b.client = other->sources.v[0].from - 1;
            probe_on_schemes(m, "rules that share a name, neither's client", &b);
        }
    }
}

/* Rules whose name is key, nearest to r first, in both directions. */
static void pairs_at(struct probe_maker *m, const index_of_names *x, const struct plan_rule *r, uint32_t listener,
                     const char *key, const char *host)
{
    size_t low = 0, high = x->n, done = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(x->v[mid].key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (size_t i = low; i < x->n && strcmp(x->v[i].key, key) == 0 && done < NEIGHBOURS; i++) {
        const struct plan_rule *other = &m->plan->rules.v[x->v[i].rule];
        if (other == r)
            continue;
        pair(m, r, other, listener, host);
        pair(m, other, r, listener, host);
        done++;
    }
}

void probes_of_pairs(struct probe_maker *m, uint32_t listener)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    index_of_names x = { 0 };
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct rule *r = m->plan->rules.v[l->rules.v[i]].rule;
        for (uint32_t k = 0; k < r->names.n; k++)
            vec_add(m->a, &x, ((struct named){ r->names.v[k].name, l->rules.v[i], k }));
        if (r->all_names)
            vec_add(m->a, &x, ((struct named){ "*", l->rules.v[i], 0 }));
    }
    if (x.n)
        qsort(x.v, x.n, sizeof *x.v, by_key);
    for (size_t i = 0; i < x.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[x.v[i].rule];
        const char *key = x.v[i].key, *host = strcmp(key, "*") == 0 ? probe_unknown_host(m, 1)
                                                                    : name_sample(m->a, &r->rule->names.v[x.v[i].name]);
        pairs_at(m, &x, r, listener, key, host);
        pairs_at(m, &x, r, listener, "*", host);
        for (const char *dot = strchr(key + 1, '.'); dot && *key != '*'; dot = strchr(dot + 1, '.'))
            pairs_at(m, &x, r, listener, arena_printf(m->a, "*%s", dot), host);
    }
}

/* ---- random mixtures --------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static const struct plan_rule *any_rule(struct probe_maker *m, uint32_t listener, uint64_t *state)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    return &m->plan->rules.v[l->rules.v[draw(state) % l->rules.n]];
}

void probes_at_random(struct probe_maker *m, uint64_t *state)
{
    static const char *const methods[] = { "GET", "GET", "GET", "POST", "HEAD" };
    uint32_t listener = (uint32_t)(draw(state) % m->plan->listeners.n);
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    if (l->rules.n == 0 || l->sockets.n == 0)
        return;
    const struct plan_rule *n = any_rule(m, listener, state), *p = any_rule(m, listener, state),
                           *s = any_rule(m, listener, state);
    variants names = { 0 }, paths = { 0 };
    if (!n->rule->all_names)
        variants_of_name(m->a, &n->rule->names.v[draw(state) % n->rule->names.n], &names);
    variants_of_path(m->a, &p->rule->paths.v[draw(state) % p->rule->paths.n], &paths);
    struct probe b = {
        .aimed = -1, .listener = listener, .socket = (uint32_t)(draw(state) % l->sockets.n), .status = 200
    };
    b.method = methods[draw(state) % 5];
    b.host =
        names.n ? names.v[draw(state) % (draw(state) % 2 ? 2 : names.n)].text : probe_unknown_host(m, draw(state) % 5);
    b.target = paths.n ? paths.v[draw(state) % paths.n].text : "/";
    b.client = probe_client(s, s->sources.n ? draw(state) % s->sources.n : 0);
    if (!s->any_source && s->sources.n && draw(state) % 3 == 0)
        b.client = s->sources.v[draw(state) % s->sources.n].to + 1;
    b.body = strcmp(b.method, "POST") == 0 ? (enum body)(BODY_EMPTY + draw(state) % 3) : BODY_NONE;
    probe_add(m, "random", &b);
}

/* ---- what no rule names ---------------------------------------------------------------------------- */

/* What no rule names, in many spellings: only a rule for all requests may answer it, else the listener's own 403 (B-11). */
void probes_of_unknown(struct probe_maker *m, uint32_t listener)
{
    static const char *const hosts[] = { "unknown-0.example:8443",
                                         "UNKNOWN-0.example",
                                         "unknown-0.example.",
                                         "localhost",
                                         "198.51.100.77",
                                         "198.51.100.77:443",
                                         "a",
                                         "xn--nxasmq6b.example",
                                         "_.example",
                                         "",
                                         NULL };
    static const char *const paths[] = { "/a",
                                         "/a/",
                                         "/a/b.htm?c=/d",
                                         "/owa/",
                                         "/OWA",
                                         "/exchange",
                                         "/rpc/rpcproxy.dll?x:6001",
                                         "/.well-known/x",
                                         "//a",
                                         "/a//b",
                                         "/./a",
                                         "/a/../b",
                                         "/%61",
                                         "/a%2fb",
                                         "/a%2e%2e/b",
                                         "/..%2fa",
                                         "/a\\b",
                                         "/?",
                                         "/a?%00",
                                         "/index.htm;x=1" };
    static const char *const methods[] = { "HEAD", "OPTIONS", "DELETE", "PROPFIND", "X-CUSTOM", "RPC_OUT_DATA" };
    m->base = (struct probe){ .aimed = -1,
                              .listener = listener,
                              .method = "GET",
                              .host = probe_unknown_host(m, 0),
                              .target = "/",
                              .client = PROBE_CLIENT,
                              .status = 200 };
    probe_on_schemes(m, "what no rule names", &m->base);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct probe b = m->base;
        b.host = hosts[i];
        probe_on_schemes(m, "what no rule names: host", &b);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct probe b = m->base;
        b.target = paths[i];
        probe_on_schemes(m, "what no rule names: path", &b);
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct probe b = m->base;
        b.method = methods[i];
        probe_on_schemes(m, "what no rule names: method", &b);
    }
    struct probe b = m->base;
    b.http10 = true;
    probe_on_schemes(m, "what no rule names: HTTP/1.0", &b);
    b.host = NULL;
    probe_on_schemes(m, "what no rule names: HTTP/1.0 without Host", &b);
    b = m->base;
    b.method = "OPTIONS";
    b.target = "*";
    probe_on_schemes(m, "OPTIONS *", &b);
}
