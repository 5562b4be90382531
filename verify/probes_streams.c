/* Server publishing: connections over TCP to each socket, or to both ends of a range, for each rule that is tried there: one that it
 * takes, and then at the boundaries of its sources and of the client's port. What is sent through is a request of its own number,
 * so that a stand-in knows it; the relay knows nothing of that. UDP is not asked: nothing would say that a datagram is refused. */
#include "../ir/decide_server.h"
#include "probes.h"

enum { TRIES = 12, RANGES_VARIED = 64 };

static bool taken_by(const struct plan *p, const struct probe *b, uint32_t rule)
{
    struct arena *a = arena_new();
    struct passage_decision d;
    struct connection c;
    probe_connection(b, &c);
    decide_connection(p, TARGETS, &c, a, &d);
    arena_free(a);
    return d.rule == (int)rule;
}

/* Tries the rule's sources; where an earlier rule has them all, the first one is as good as any. */
static void find_client(const struct plan *p, const struct plan_server_rule *r, struct probe *b)
{
    for (size_t i = 0; !r->any_source && i < r->sources.n && i < TRIES; i++) {
        struct ip_range g = r->sources.v[i];
        b->client = g.from + (g.to - g.from) / 2;
        if (taken_by(p, b, r->index))
            return;
    }
    b->client = r->any_source || !r->sources.n ? PROBE_CLIENT
                                               : r->sources.v[0].from + (r->sources.v[0].to - r->sources.v[0].from) / 2;
}

static void vary_sources(struct probe_maker *m, const struct plan_server_rule *r, const struct probe *base)
{
    struct probe b = *base;
    b.client = PROBE_CLIENT;
    probe_add(m, "server publishing: some client", &b);
    for (size_t i = 0; !r->any_source && i < r->sources.n && i < RANGES_VARIED; i++) {
        struct ip_range g = r->sources.v[i];
        b.client = g.from ? g.from : 1;
        probe_add(m, "server publishing: first address of a range", &b);
        b.client = g.to < UINT32_MAX ? g.to : UINT32_MAX - 1;
        probe_add(m, "server publishing: last address of a range", &b);
        b.client = g.from - 1;
        if (g.from > 1)
            probe_add(m, "server publishing: address before a range", &b);
        b.client = g.to + 1;
        if (g.to < UINT32_MAX - 1)
            probe_add(m, "server publishing: address after a range", &b);
    }
}

static void vary_ports(struct probe_maker *m, const struct plan_server_rule *r, const struct probe *base)
{
    const int ports[] = { r->port_low, r->port_high, r->port_low - 1, r->port_high + 1 };
    struct probe b = *base;
    for (size_t i = 0; server_rule_limits_ports(r) && i < sizeof ports / sizeof *ports; i++) {
        b.port_low = b.port_high = (uint16_t)ports[i];
        if (ports[i] > 0 && ports[i] <= UINT16_MAX)
            probe_add(m, "server publishing: the client's port", &b);
    }
}

static void vary_bytes(struct probe_maker *m, const struct probe *base)
{
    struct probe b = *base;
    b.reply = REPLY_LONG;
    probe_add(m, "server publishing: 300 kB from the server", &b);
    b.reply = REPLY_SHORT;
    b.method = "POST";
    b.body = BODY_BIG;
    probe_add(m, "server publishing: 1 MB to the server", &b);
}

static void one_port(struct probe_maker *m, const struct plan_stream *s, uint16_t port)
{
    for (size_t i = 0; i < s->tries.n; i++) {
        const struct plan_server_rule *r = &m->plan->server_rules.v[s->tries.v[i].rule];
        bool limits = server_rule_limits_ports(r);
        struct probe b = { .aimed = (int)r->index,
                           .condition = MATCHED,
                           .want = true,
                           .stream = s,
                           .stream_port = port,
                           .method = "GET",
                           .host = "stream.example",
                           .target = "/",
                           .http10 = true, /* one connection, one request */
                           .port_low = (uint16_t)(limits ? r->port_low + !r->port_low : 0),
                           .port_high = limits ? r->port_high : 0,
                           .status = 200 };
        find_client(m->plan, r, &b);
        probe_add(m, "server publishing: the rule itself", &b);
        vary_sources(m, r, &b);
        vary_ports(m, r, &b);
        vary_bytes(m, &b);
    }
}

void probes_of_streams(struct probe_maker *m)
{
    for (size_t i = 0; i < m->plan->streams.n; i++) {
        const struct plan_stream *s = &m->plan->streams.v[i];
        if (s->transport != TRANSPORT_TCP)
            continue;
        one_port(m, s, s->low);
        if (s->high != s->low)
            one_port(m, s, s->high);
    }
}
