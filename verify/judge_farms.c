/* Farms: does a client stay on its member, and did each member get its share? */
#include <stdlib.h>
#include <string.h>

#include "run.h"

/* The cookie by which the target itself keeps a client on a member, as a Cookie field's value; NULL: it set none. */
static char *affinity_cookie(const struct exchange *e)
{
    size_t n;
    const char *v;
    for (size_t i = 0; (v = head_field(e->head.p, "Set-Cookie", i, &n)) != NULL; i++) {
        size_t end = 0;
        if (strncmp(v, "one=", 4) == 0 || strncmp(v, "two=", 4) == 0)
            continue;
        while (end < n && v[end] != ';')
            end++;
        struct strbuf b = { 0 };
        buf_puts(&b, "a=1; b=2; ");
        buf_add(&b, v, end);
        return b.p;
    }
    return NULL;
}

/* The same client again, twice, with what it was given: it must come to the same member (B-116). */
void judge_affinity(struct run *r, struct client *c, size_t number, const struct exchange *first,
                    const struct sighting *at, struct judgement *g)
{
    const struct probe *b = &r->probes.v[number];
    char *cookie = affinity_cookie(first);
    const struct plan_rule *rule = b->aimed >= 0 ? &r->plan->rules.v[b->aimed] : NULL;
    if (rule && !rule->rule->affinity_by_address && r->target != TARGET_NGINX && cookie == NULL)
        differs(g, "a cookie for the member", "none", "affinity");
    for (int i = 0; i < 2; i++) {
        struct exchange e = { 0 };
        struct sighting s;
        run_ask(r, c, number, cookie, &e, &s);
        if (s.times && s.server != at->server)
            differs(g, "the same member again", "another member", "affinity");
        sighting_free(&s);
        exchange_free(&e);
    }
    free(cookie);
}

/* How many clients of the group came to this server; SIZE_MAX: to any. */
static size_t clients_seen(const struct run *r, int group, size_t server)
{
    size_t n = 0;
    for (size_t i = 0; i < r->members.n; i++)
        n += r->members.v[i].group == group && (server == SIZE_MAX || r->members.v[i].server == server);
    return n;
}

static void judge_farm(struct run *r, size_t probe)
{
    const struct probe *b = &r->probes.v[probe];
    const struct plan_upstream *u =
        &r->plan->rules.v[b->aimed].to[r->plan->listeners.v[b->listener].sockets.v[b->socket].tls];
    struct judgement g = { .rule = b->aimed, .finding = -1 };
    if (clients_seen(r, b->group, SIZE_MAX) < 10 * u->servers.n)
        return; /* the rule is closed here, or an earlier one takes most of these clients */
    for (size_t i = 0; i < u->servers.n; i++) {
        const struct plan_server *s = &u->servers.v[i];
        if (!s->drained && clients_seen(r, b->group, places_server(&r->places, s->host, s->port)) == 0) {
            struct strbuf name = { 0 };
            buf_printf(&name, "%s:%u", s->host, s->port);
            differs(&g, name.p, "none of many clients", "farm member");
            buf_free(&name);
        }
    }
    if (g.verdict == VERDICT_DISAGREED)
        run_settle(r, probe, &g, &(struct sighting){ 0 });
    buf_free(&g.expected);
    buf_free(&g.got);
}

void judge_farms(struct run *r)
{
    int last = 0;
    for (size_t i = 0; i < r->probes.n; i++)
        if (r->probes.v[i].group != 0 && r->probes.v[i].group != last) {
            last = r->probes.v[i].group;
            judge_farm(r, i);
        }
}
