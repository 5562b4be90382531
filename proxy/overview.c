#include "overview.h"
#include "access.h"
#include "tell.h"
#include "../ir/probe.h"
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

static bool has_member(const struct status *out, const char *farm, const char *server)
{
    for (size_t i = 0; i < out->members.n; i++)
        if (str_equal(out->members.v[i].farm, farm) && str_equal(out->members.v[i].server, server))
            return true;
    return false;
}

static void add_members(struct arena *a, const struct serving *s, size_t i, struct status *out)
{
    const struct conf_rule *c = &s->snapshot->config->rules.v[i];
    for (int t = 0; t < 2; t++)
        for (size_t k = 0; k < s->rules.v[i].members[t].n; k++) {
            const struct serving_member *m = &s->rules.v[i].members[t].v[k];
            const char *farm = arena_strdup(a, c->farm ? c->farm : c->name);
            const char *server = arena_printf(a, "%s:%u", m->peer->host, m->peer->port);
            if (has_member(out, farm, server))
                continue;
            struct status_member *to = vec_push(a, &out->members);
            to->farm = farm;
            to->server = server;
            to->up = atomic_load(&m->peer->state.up);
            to->state = m->drained ? "draining" : !to->up ? "down" : c->farm ? "up" : "not checked";
            to->requests = atomic_load(&m->peer->state.requests);
            to->failures = atomic_load(&m->peer->state.failures);
            to->current = atomic_load(&m->peer->state.current);
        }
}

enum { MEMBERS_SHOWN = 1000 }; /* each is compared with those before */

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
    for (size_t i = 0; i < s->rules.n; i++) {
        add_rule(a, s, i, out);
        if (out->members.n < MEMBERS_SHOWN)
            add_members(a, s, i, out);
    }
    serving_release(s);
}

/* ---- the health checker ---------------------------------------------------------------------- */

void overview_tell(const struct peer *p, bool up, const char *why)
{
    tell(up ? LOG_NOTICE : LOG_WARNING, "%s:%u is %s: %s", p->host, p->port, up ? "up" : "down", why);
}

typedef VEC(struct health_check) checks;

static bool is_listed(const checks *list, const struct peer *p)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].peer == p)
            return true;
    return false;
}

static void add_check(struct arena *a, const struct plan_rule *r, const struct plan_upstream *to, struct peer *p,
                      checks *list)
{
    const struct farm *f = r->farm;
    struct probe_url url = probe_url_parse(a, f->probe_url);
    *(struct health_check *)vec_push(a, list) = (struct health_check){
        .peer = p,
        .kind = f->probe,
        .threshold = (unsigned)(f->probe_threshold > 0 && f->probe_threshold < 3600000 ? f->probe_threshold : 5000),
        .port = probe_port(f, &url, to->port, p->port),
        .tls = url.tls,
        .path = url.path,
        .host = f->probe_host   ? f->probe_host
                : r->rule->site ? r->rule->site
                                : p->host,
    };
}

void health_watch(struct health *h, const struct serving *s)
{
    struct arena *a = arena_new();
    checks list = { 0 };
    for (size_t i = 0; i < s->rules.n; i++) {
        const struct plan_rule *r = &s->snapshot->plan->rules.v[i];
        for (int t = 0; r->farm && t < 2; t++)
            for (size_t k = 0; k < s->rules.v[i].members[t].n; k++) {
                struct peer *p = s->rules.v[i].members[t].v[k].peer;
                if (!is_listed(&list, p))
                    add_check(a, r, &r->to[t], p, &list);
            }
    }
    health_set(h, list.v, list.n);
    arena_free(a);
}
