#include "overview.h"
#include "access.h"
#include "tell.h"
#include <stdlib.h>
#include <time.h>

/* ---- the status page -------------------------------------------------------------------- */

static const char *sockets_of(struct arena *a, const struct serving *s, size_t listener)
{
    struct strbuf b = { 0 };
    for (size_t i = 0; i < s->sockets.n; i++)
        if (s->sockets.v[i].listener == listener)
            buf_printf(&b, "%s%s:%u%s", b.n ? ", " : "", s->sockets.v[i].address, s->sockets.v[i].port,
                       s->sockets.v[i].ctx     ? " (TLS)"
                       : s->sockets.v[i].https ? " (HTTPS in front)"
                                               : "");
    const char *text = arena_strdup(a, b.p ? b.p : "none");
    buf_free(&b);
    return text;
}

static void add_listeners(struct arena *a, const struct serving *s, struct status *out)
{
    for (size_t i = 0; i < s->listeners.n; i++) {
        struct status_listener *l = vec_push(a, &out->listeners);
        l->name = arena_strdup(a, s->snapshot->config->listeners.v[i].name);
        l->sockets = sockets_of(a, s, i);
        l->clients = atomic_load(&s->listeners.v[i].connections->n);
    }
}

static void add_rule(struct arena *a, const struct serving *s, size_t i, struct status *out)
{
    const struct conf_rule *c = &s->snapshot->config->rules.v[i];
    const struct rule_counts *n = s->rules.v[i].counts;
    struct status_rule *r = vec_push(a, &out->rules);
    r->name = arena_strdup(a, c->name);
    r->listener = arena_strdup(a, c->listener);
    r->action = c->action == ACTION_DENY     ? "deny"
                : c->closed == CLOSED_ALWAYS ? "closed"
                : c->closed == CLOSED_HTTP   ? "allow over HTTPS"
                                             : "allow";
    r->number = c->number;
    r->requests = atomic_load(&n->requests);
    r->refused = atomic_load(&n->refused);
    r->failed = atomic_load(&n->failed);
}

/* ---- members ----------------------------------------------------------------------------- */

enum { MEMBERS_SHOWN = 1000 }; /* each is compared with those before */

/* What stands in one line: the same server for different sites, or with other certificates, is several peers; they may be
 * checked one by one. */
struct line {
    VEC(const struct peer *) peers;
    VEC(const struct check *) checks;
};
struct lines {
    struct arena *arena;
    struct status *out;
    VEC(struct line) v; /* as out->members */
};

static bool has(const void *const *v, size_t n, const void *x)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] == x)
            return true;
    return false;
}

static size_t line_of(struct lines *lines, const char *farm, const struct peer *p)
{
    struct arena *a = lines->arena;
    struct status *out = lines->out;
    char server[300];
    snprintf(server, sizeof server, "%s:%u", p->host, p->port);
    for (size_t i = 0; i < out->members.n; i++)
        if (str_equal(out->members.v[i].farm, farm) && str_equal(out->members.v[i].server, server))
            return i;
    vec_add(a, &out->members, ((struct status_member){ arena_strdup(a, farm), arena_strdup(a, server), .up = true }));
    vec_push(a, &lines->v);
    return out->members.n - 1;
}

static void add_check(struct arena *a, struct check *c, struct status_member *to)
{
    char why[CHECK_WHY];
    struct strbuf text = { 0 };
    long long since = check_last(c, why);
    bool up = atomic_load(&c->up);
    if (!to->check || (to->up && !up)) { /* of several the one that is down says why */
        check_text(c, &text);
        to->check = arena_strdup(a, text.p);
        to->said = arena_strdup(a, since ? why : "not asked yet");
        to->since = since;
    }
    to->up &= up;
    to->asked += atomic_load(&c->asked);
    to->failed += atomic_load(&c->failed);
    buf_free(&text);
}

static void add_member(struct lines *lines, const char *farm, const struct serving_member *m)
{
    struct arena *a = lines->arena;
    size_t i = line_of(lines, farm, m->peer);
    struct status_member *to = &lines->out->members.v[i];
    struct line *line = &lines->v.v[i];
    if (!has((const void *const *)line->peers.v, line->peers.n, m->peer)) {
        vec_add(a, &line->peers, m->peer);
        to->requests += atomic_load(&m->peer->state.requests);
        to->failures += atomic_load(&m->peer->state.failures);
        to->current += atomic_load(&m->peer->state.current);
    }
    if (m->check && !has((const void *const *)line->checks.v, line->checks.n, m->check)) {
        vec_add(a, &line->checks, m->check);
        add_check(a, m->check, to);
    }
    to->drained |= m->drained;
    to->state = !m->check ? "not checked" : !to->up ? "down" : to->since ? "up" : "not asked yet";
}

static void add_members(struct lines *lines, const struct serving *s, size_t i)
{
    const struct conf_rule *c = &s->snapshot->config->rules.v[i];
    for (int t = 0; t < 2; t++)
        for (size_t k = 0; k < s->rules.v[i].members[t].n && lines->out->members.n < MEMBERS_SHOWN; k++)
            add_member(lines, c->farm ? c->farm : c->name, &s->rules.v[i].members[t].v[k]);
}

/* ---- the whole ------------------------------------------------------------------------------ */

void overview(void *server, struct arena *a, struct status *out)
{
    struct server *x = server;
    pthread_mutex_lock(&x->lock);
    struct serving *s = x->serving ? serving_ref(x->serving) : NULL;
    *out = (struct status){ .version = TMGC_VERSION,
                            .config = x->file,
                            .now = time(NULL),
                            .started = x->start,
                            .loaded = x->loaded,
                            .reloads = x->reloads,
                            .failed_reloads = x->failed_reloads,
                            .loops = (size_t)x->started };
    pthread_mutex_unlock(&x->lock);
    out->log_lost = x->log ? access_lost(x->log) : 0;
    for (int i = 0; i < x->started; i++) {
        counts_add(&out->total, &x->loop[i]->counts);
        out->queued += __atomic_load_n(&x->loop[i]->queued, __ATOMIC_RELAXED);
    }
    if (!s)
        return;
    add_listeners(a, s, out);
    for (size_t i = 0; i < out->listeners.n; i++)
        out->clients += out->listeners.v[i].clients;
    struct lines lines = { .arena = a, .out = out };
    for (size_t i = 0; i < s->rules.n; i++) {
        add_rule(a, s, i, out);
        add_members(&lines, s, i);
    }
    serving_release(s);
}

/* ---- the health checker ---------------------------------------------------------------------- */

void overview_tell(const struct check *c, bool up, const char *why)
{
    struct strbuf text = { 0 };
    check_text(c, &text);
    tell(up ? LOG_NOTICE : LOG_WARNING, "%s is %s: %s (%s)", c->what.peer->host, up ? "up" : "down", why, text.p);
    buf_free(&text);
}

void health_watch(struct health *h, const struct serving *s)
{
    struct arena *a = arena_new();
    VEC(struct check *) all = { 0 };
    for (size_t i = 0; i < s->rules.n; i++)
        for (int t = 0; t < 2; t++)
            for (size_t k = 0; k < s->rules.v[i].members[t].n; k++)
                if (s->rules.v[i].members[t].v[k].check)
                    vec_add(a, &all, s->rules.v[i].members[t].v[k].check);
    health_set(h, all.v, all.n);
    arena_free(a);
}
