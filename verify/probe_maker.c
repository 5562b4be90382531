/* What every maker of probes shares: each probe once, on which schemes, and for each rule one request that it answers,
 * looked for with decide(). */
#include <string.h>

#include "../ir/decide_server.h"
#include "probes.h"

enum { USUAL_PORT = 50000 }; /* of a client that was not told; the judge knows the true one */

void probe_request(const struct plan *p, const struct probe *b, struct request *r)
{
    const struct plan_socket *s = &p->listeners.v[b->listener].sockets.v[b->socket];
    *r = (struct request){ .listener = b->listener,
                           .tls = s->tls,
                           .port = s->port,
                           .method = b->method,
                           .host = b->host,
                           .target = b->target,
                           .client = b->client,
                           .client_port = b->port_low ? b->port_low : USUAL_PORT,
                           .hour = -1 };
}

void probe_connection(const struct probe *b, struct connection *c)
{
    uint32_t address = 0;
    ip_parse(b->stream->address, &address); /* "*" is any of them */
    *c = (struct connection){ .transport = b->stream->transport,
                              .address = address,
                              .port = b->stream_port,
                              .client = b->client,
                              .client_port = b->port_low ? b->port_low : USUAL_PORT,
                              .hour = -1 };
}

/* ---- a set of hashes, so that no probe is made twice ------------------------------------- */

static uint64_t fingerprint(const struct probe *b)
{
    struct strbuf t = { 0 };
    buf_printf(&t, "%u %u %s %s %d %s %d %u %d %d %d %s %s %d %d %d %s %s %p", b->listener, b->socket, b->method,
               b->host ? b->host : "", b->host != NULL, b->target, b->http10, b->client, b->body, b->extra, b->status,
               b->location ? b->location : "", b->content_location ? b->content_location : "", b->reply, b->group,
               b->bad_certificate, b->field ? b->field : "", b->page_type ? b->page_type : "", (const void *)b->page);
    buf_printf(&t, " %u %u %d %p %u %s %d", b->port_low, b->port_high, b->shows, (const void *)b->stream,
               b->stream_port, b->accept ? b->accept : "-", b->packs);
    uint64_t h = hash_bytes(t.p, t.n) | 1;
    buf_free(&t);
    return h;
}

static bool seen_before(struct probe_maker *m, uint64_t h)
{
    if (m->used * 2 >= m->seen.n) {
        size_t n = m->seen.n ? m->seen.n * 2 : 4096;
        uint64_t *v = arena_alloc(m->a, n * sizeof *v);
        for (size_t i = 0; i < m->seen.n; i++)
            if (m->seen.v[i]) {
                size_t at = m->seen.v[i] % n;
                while (v[at])
                    at = (at + 1) % n;
                v[at] = m->seen.v[i];
            }
        m->seen.v = v;
        m->seen.n = n;
    }
    size_t at = h % m->seen.n;
    for (; m->seen.v[at]; at = (at + 1) % m->seen.n)
        if (m->seen.v[at] == h)
            return true;
    m->seen.v[at] = h;
    m->used++;
    return false;
}

/* A name or path of the policy may hold what no client can send in a request's first lines. */
static bool sendable(const char *s)
{
    for (; s && *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return false;
    return true;
}

void probe_add(struct probe_maker *m, const char *aim, const struct probe *like)
{
    if (!sendable(like->target) || !sendable(like->host) || seen_before(m, fingerprint(like)))
        return;
    struct probe *b = vec_push(m->a, m->out);
    *b = *like;
    b->aim = aim;
}

/* The same on each scheme that the listener has: its first socket of each. */
void probe_on_schemes(struct probe_maker *m, const char *aim, const struct probe *like)
{
    const struct plan_listener *l = &m->plan->listeners.v[like->listener];
    bool done[2] = { false, false };
    for (uint32_t i = 0; i < l->sockets.n; i++) {
        if (done[l->sockets.v[i].tls])
            continue;
        done[l->sockets.v[i].tls] = true;
        struct probe b = *like;
        b.socket = i;
        probe_add(m, aim, &b);
    }
}

/* On one scheme, in turn: for what both decide by the same words of the config. */
void probe_on_either(struct probe_maker *m, const char *aim, const struct probe *like)
{
    const struct plan_listener *l = &m->plan->listeners.v[like->listener];
    bool tls = m->turn++ & 1;
    struct probe b = *like;
    b.socket = 0;
    while (b.socket + 1 < l->sockets.n && l->sockets.v[b.socket].tls != tls)
        b.socket++;
    probe_add(m, aim, &b);
}

/* ---- a request that a rule answers -------------------------------------------------------- */

int probe_answering(struct probe_maker *m, const struct probe *b, enum answer *answer)
{
    struct request r;
    struct decision d;
    struct arena *a = arena_new();
    probe_request(m->plan, b, &r);
    decide(m->plan, &r, false, a, &d);
    *answer = d.answer;
    int rule = d.rule;
    arena_free(a);
    return rule;
}

const char *probe_unknown_host(struct probe_maker *m, size_t n)
{
    return arena_printf(m->a, "unknown-%zu.example", n);
}

static const char *host_for(struct probe_maker *m, const struct rule *r, size_t i)
{
    return r->all_names ? probe_unknown_host(m, i) : name_sample(m->a, &r->names.v[i]);
}

uint32_t probe_client(const struct plan_rule *r, size_t i)
{
    if (r->any_source || r->sources.n == 0)
        return PROBE_CLIENT;
    struct ip_range g = r->sources.v[i];
    return g.from + (g.to - g.from) / 2;
}

/* Tries names, paths, sources and sockets until the rule answers; the last two schemes prefer HTTPS. true: found, in m->base. */
bool probe_find_base(struct probe_maker *m, const struct plan_rule *r, uint32_t listener)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    size_t names = r->rule->all_names ? 1 : r->rule->names.n < 12 ? r->rule->names.n : 12;
    size_t paths = r->rule->paths.n < 12 ? r->rule->paths.n : 12;
    size_t sources = r->any_source || r->sources.n == 0 ? 1 : r->sources.n < 12 ? r->sources.n : 12;
    struct probe found = { 0 };
    bool any = false;
    for (size_t k = 0; k < l->sockets.n * names * paths * sources; k++) {
        size_t i = k, s = i % l->sockets.n, n, p;
        i /= l->sockets.n;
        n = i % names;
        i /= names;
        p = i % paths;
        enum answer answer;
        struct probe b = { .aimed = (int)r->index,
                           .condition = MATCHED,
                           .want = true,
                           .listener = listener,
                           .socket = (uint32_t)(l->sockets.n - 1 - s),
                           .method = "GET",
                           .host = host_for(m, r->rule, n),
                           .target = path_sample(m->a, &r->rule->paths.v[p]),
                           .client = probe_client(r, i / paths),
                           .shows = r->wants_certificate ? SHOWS_GOOD : SHOWS_NONE,
                           .port_low = (uint16_t)(r->rule->source_port_low ? r->rule->source_port_low
                                                                           : r->rule->source_port_high > 0),
                           .port_high = (uint16_t)rule_last_port(r->rule),
                           .status = 200 };
        if (!any)
            m->base = b;
        if (probe_answering(m, &b, &answer) != (int)r->index)
            continue;
        if (!any)
            found = b;
        any = true;
        if (answer == ANSWER_FORWARD || answer == ANSWER_NEEDS_USER) {
            found = b;
            break;
        }
    }
    if (any)
        m->base = found;
    return any;
}
