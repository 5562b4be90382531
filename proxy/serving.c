/* serving: made of a snapshot. */
#include "serving.h"
#include "members.h"
#include "resumption.h"
#include "signing.h"
#include "../ir/probe.h"
#include <stdlib.h>

enum { SECOND = 1000 };

/* ---- sockets ------------------------------------------------------------------------- */

static const struct serving_socket *same_place(const struct serving *s, const char *address, long port)
{
    for (size_t i = 0; i < s->sockets.n; i++)
        if (s->sockets.v[i].port == port && str_equal(s->sockets.v[i].address, address))
            return &s->sockets.v[i];
    return NULL;
}

/* Not where who the client is belongs to its connection: with NTLM or Negotiate at the listener, or at a server that the
 * client may sign in to itself (B-68, B-102). HTTP/2 has one connection for everything. */
static bool offers_h2(const struct serving *s, size_t listener)
{
    const struct plan_listener *l = &s->snapshot->plan->listeners.v[listener];
    if (!s->snapshot->config->listeners.v[listener].http2 || l->listener->integrated)
        return false;
    for (size_t i = 0; i < l->rules.n; i++)
        if (s->snapshot->plan->rules.v[l->rules.v[i]].rule->delegation == DELEGATE_NONE_PASS)
            return false;
    return true;
}

static bool add_socket(struct serving *s, size_t listener, const struct conf_socket *c, struct strbuf *err)
{
    SSL_CTX *ctx = NULL;
    const struct client_trust *clients = s->listeners.v[listener].clients;
    if (c->chain && !(ctx = tls_server(c->chain, c->key, err)))
        return false;
    if (ctx && clients)
        client_trust_ask(clients, ctx);
    else if (ctx)
        resumption_use(ctx, signing_keys(s->signing), s->snapshot->config->listeners.v[listener].name);
    if (ctx && offers_h2(s, listener))
        tls_server_h2(ctx);
    const struct serving_socket *there = same_place(s, c->address, c->port);
    if (there && ctx && there->ctx && there->listener == listener) {
        tls_server_alternative(there->ctx, ctx);
        return true;
    }
    if (there) {
        buf_printf(err, "%s:%ld is there twice\n", c->address, c->port);
        SSL_CTX_free(ctx);
        return false;
    }
    struct serving_socket *k = vec_push(s->arena, &s->sockets);
    k->address = c->address;
    k->port = (uint16_t)c->port;
    k->https = ctx || c->https_in_front;
    k->client_from = c->client_from;
    k->proxies = c->proxies.n ? &c->proxies : NULL;
    k->ctx = ctx;
    k->listener = listener;
    return true;
}

static struct connections *connections_of(const char *name, const struct serving *before)
{
    const struct config *old = before ? before->snapshot->config : NULL;
    for (size_t i = 0; old && i < old->listeners.n; i++)
        if (str_equal(old->listeners.v[i].name, name)) {
            atomic_fetch_add(&before->listeners.v[i].connections->refs, 1);
            return before->listeners.v[i].connections;
        }
    struct connections *c = calloc(1, sizeof *c);
    if (!c)
        mem_fatal();
    atomic_init(&c->refs, 1);
    return c;
}

static bool add_listener(struct serving *s, size_t i, const struct serving *before, struct strbuf *err)
{
    const struct conf_listener *c = &s->snapshot->config->listeners.v[i];
    struct serving_listener *l = vec_push(s->arena, &s->listeners);
    l->idle_timeout = (uint64_t)(c->connection_timeout > 0 ? c->connection_timeout : SOURCE_TIMEOUT) * SECOND;
    l->most = c->max_connections > 0 ? (unsigned long)c->max_connections : (unsigned long)-1;
    l->connections = connections_of(c->name, before);
    if (c->client_trust && !(l->clients = client_trust_read(c->client_trust, c->client_crl, err)))
        return false;
    for (size_t k = 0; k < c->sockets.n; k++)
        if (!add_socket(s, i, &c->sockets.v[k], err))
            return false;
    return true;
}

/* ---- rules ------------------------------------------------------------------------------- */

/* What the farm's verifier asks of a member (B-118). a: for a short time. */
static struct check *check_of(struct arena *a, const struct plan_rule *r, const struct plan_upstream *to,
                              const struct plan_server *at, struct peer *p)
{
    const struct farm *f = r->farm;
    struct probe_url url = probe_url_parse(a, f->probe_url);
    struct check_about about = {
        .peer = p,
        .kind = f->probe,
        .threshold = (unsigned)(f->probe_threshold > 0 && f->probe_threshold < 3600000 ? f->probe_threshold : 5000),
        .port = probe_port(f, &url, to->port, p->port),
        .tls = f->probe == PROBE_HTTP && url.tls,
        .path = url.path,
        .host = probe_host(a, f, &url, at->member ? at->member : at->host),
    };
    return check_get(&about);
}

static void add_members(struct serving *s, const struct plan_rule *p, const struct plan_upstream *to,
                        const struct tls_trust *trust, struct serving_members *out)
{
    struct arena *a = arena_new();
    out->v = arena_alloc(s->arena, (to->servers.n + 1) * sizeof *out->v);
    for (size_t k = 0; k < to->servers.n; k++) {
        const struct plan_server *at = &to->servers.v[k];
        struct serving_member *m = &out->v[out->n++];
        m->peer = peer_get(at->host, at->port, p->rule->site ? p->rule->site : at->host, to->tls ? trust : NULL);
        m->check = p->farm ? check_of(a, p, to, at, m->peer) : NULL;
        m->drained = at->drained;
    }
    arena_free(a);
}

static void add_rule(struct serving *s, size_t i, const struct tls_trust *trust)
{
    const struct plan_rule *p = &s->snapshot->plan->rules.v[i];
    struct serving_rule *r = vec_push(s->arena, &s->rules);
    r->counts = arena_alloc(s->arena, sizeof *r->counts);
    r->transparent = p->transparent;
    r->farm = p->farm;
    r->by_address = p->rule->affinity_by_address;
    long timeout = s->snapshot->config->rules.v[i].read_timeout;
    r->read_timeout = (uint64_t)(timeout > 0 ? timeout : SOURCE_TIMEOUT) * SECOND;
    if (p->farm)
        member_cookie(r->cookie, p->farm->name);
    for (int t = 0; t < 2; t++)
        add_members(s, p, &p->to[t], trust, &r->members[t]);
}

/* What is shown to servers: read once for each certificate, however many rules show it. */
struct to_show {
    const char *chain, *key;
    struct tls_trust trust;
};
struct shows {
    struct arena *arena;
    VEC(struct to_show) all;
};

/* NULL with a line in err. Valid until the next call. */
static const struct tls_trust *trust_of(struct shows *s, const char *trust, const struct conf_rule *r,
                                        struct strbuf *err)
{
    for (size_t i = 0; i < s->all.n; i++)
        if (str_equal(s->all.v[i].chain, r->backend_chain) && str_equal(s->all.v[i].key, r->backend_key))
            return &s->all.v[i].trust;
    struct to_show *shown = vec_push(s->arena, &s->all);
    *shown = (struct to_show){ .chain = r->backend_chain, .key = r->backend_key };
    return tls_trust_read(&shown->trust, trust, r->backend_chain, r->backend_key, err) ? &shown->trust : NULL;
}

static bool add_rules(struct serving *s, struct strbuf *err)
{
    const struct config *c = s->snapshot->config;
    struct shows shows = { .arena = arena_new() };
    const struct tls_trust *trust = NULL;
    bool good = true;
    for (size_t i = 0; good && i < s->snapshot->plan->rules.n; i++) {
        good = !c->trust || (trust = trust_of(&shows, c->trust, &c->rules.v[i], err));
        if (good)
            add_rule(s, i, trust);
    }
    for (size_t i = 0; i < s->rules.n; i++)
        s->rules.v[i].cookies[0] = s->rules.v[i].farm ? s->rules.v[i].cookie : NULL;
    for (size_t i = 0; i < shows.all.n; i++)
        tls_trust_free(&shows.all.v[i].trust);
    arena_free(shows.arena);
    return good;
}

/* ---- the whole ------------------------------------------------------------------------------ */

struct serving *serving_new(const char *file, const struct serving *before, struct strbuf *err)
{
    struct config *c = config_read(file, err);
    struct snapshot *snapshot = c ? snapshot_new(c, err) : NULL;
    if (!snapshot)
        return NULL;
    struct arena *a = arena_new();
    struct serving *s = arena_alloc(a, sizeof *s);
    atomic_init(&s->refs, 1);
    s->arena = a;
    s->snapshot = snapshot;
    s->rewriting = rewriting_make(snapshot->plan);
    s->signing = signing_new(snapshot, before ? before->signing : NULL, err);
    bool good = s->signing;
    for (size_t i = 0; good && i < snapshot->config->listeners.n; i++)
        good = add_listener(s, i, before, err);
    if (good && add_rules(s, err))
        return s;
    serving_release(s);
    return NULL;
}

const struct serving_socket *serving_place(const struct serving *s, const struct serving_socket *like)
{
    return same_place(s, like->address, like->port);
}

struct serving *serving_ref(struct serving *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void free_rule(struct serving_rule *r)
{
    for (int t = 0; t < 2; t++)
        for (size_t k = 0; k < r->members[t].n; k++) {
            check_release(r->members[t].v[k].check);
            peer_release(r->members[t].v[k].peer);
        }
}

void serving_release(struct serving *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->sockets.n; i++)
        SSL_CTX_free(s->sockets.v[i].ctx);
    for (size_t i = 0; i < s->listeners.n; i++) {
        client_trust_free(s->listeners.v[i].clients);
        if (atomic_fetch_sub(&s->listeners.v[i].connections->refs, 1) == 1)
            free(s->listeners.v[i].connections);
    }
    for (size_t i = 0; i < s->rules.n; i++)
        free_rule(&s->rules.v[i]);
    rewriting_free(s->rewriting);
    signing_free(s->signing);
    snapshot_free(s->snapshot);
    arena_free(s->arena);
}
