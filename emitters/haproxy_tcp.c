/* haproxy_tcp: server publishing rules in haproxy.cfg. One frontend a socket, or a run of them, holds which rule has the
 * connection, in rule order; one backend a rule, or a few, holds its server. UDP is not there: assess says so. */
#include "../ir/decide_server.h"
#include "haproxy.h"

#include <string.h>

static bool closed(const struct plan_server_rule *r)
{
    return (r->closed & ON(TARGET_HAPROXY)) || r->rule->action == ACTION_DENY;
}

static bool same_end(const struct plan_door *a, const struct plan_door *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* The first of the rule's TCP doors that leads to the same place. */
static size_t backend_door(const struct plan_server_rule *r, size_t door)
{
    size_t i = 0;
    while (r->doors.v[i].transport != TRANSPORT_TCP || !same_end(&r->doors.v[i], &r->doors.v[door]))
        i++;
    return i;
}

static const char *backend_name(struct haproxy *h, const struct plan_server_rule *r, size_t door)
{
    size_t of = backend_door(r, door), number = 1;
    for (size_t i = 0; i < of; i++)
        number += r->doors.v[i].transport == TRANSPORT_TCP && backend_door(r, i) == i;
    const char *id = server_rule_id(h->a, r);
    return number == 1 ? id : arena_printf(h->a, "%s-%zu", id, number);
}

/* ---- which rule ---------------------------------------------------------------------------------------------------- */
/* The rule's conditions as named ACLs of the frontend, and the words that ask for them. */
static const char *write_conditions(struct haproxy *h, const struct plan_server_rule *r)
{
    static const char *const days[] = { "0", "1", "2", "3", "4", "5", "6" };
    static const struct hour_spelling spelling = { days, "", "$", "", "" };
    unsigned number = (unsigned)r->index + 1;
    const char *words = "";
    if (!r->any_source) {
        haproxy_sources(h, arena_printf(h->a, "from_%u", number), &r->sources);
        words = arena_printf(h->a, "%s from_%u", words, number);
    }
    if (server_rule_limits_ports(r)) {
        write_line(&h->w, "acl ports_%u src_port %u:%u", number, (unsigned)r->port_low, (unsigned)r->port_high);
        words = arena_printf(h->a, "%s ports_%u", words, number);
    }
    if (r->schedule) {
        const char *pattern = regex_schedule(h->a, r->schedule, &spelling);
        if (regex_prove_schedule(pattern, r->schedule, &spelling, h->err))
            h->failed = true;
        write_line(&h->w, "acl hours_%u date,ltime(%%w%%H) -m reg %s", number, haproxy_word(h, pattern));
        words = arena_printf(h->a, "%s hours_%u", words, number);
    }
    return words;
}

static void write_frontend(struct haproxy *h, const struct plan_stream *s, size_t number)
{
    struct writer *w = &h->w;
    write_blank(w);
    write_line(w, "frontend stream_%zu", number);
    w->depth++;
    write_line(w, "mode tcp");
    if (s->low == s->high)
        write_line(w, "bind %s:%u", haproxy_word(h, s->address), (unsigned)s->low);
    else
        write_line(w, "bind %s:%u-%u", haproxy_word(h, s->address), (unsigned)s->low, (unsigned)s->high);
    write_line(w, "timeout client 1h");
    bool open = true;
    for (size_t i = 0; i < s->tries.n && open; i++) {
        const struct plan_server_rule *r = &h->plan->server_rules.v[s->tries.v[i].rule];
        if (!r->any_source && !r->sources.n)
            continue; /* no client is left */
        const char *words = write_conditions(h, r);
        write_line(w, "use_backend %s%s%s", closed(r) ? "no_server_rule" : backend_name(h, r, s->tries.v[i].door),
                   *words ? " if" : "", words);
        open = *words;
    }
    if (open)
        write_line(w, "default_backend no_server_rule");
    w->depth--;
}

/* ---- the rule's servers ------------------------------------------------------------------------------------------------ */
static void write_backend(struct haproxy *h, const struct plan_server_rule *r, size_t door)
{
    struct writer *w = &h->w;
    const struct plan_door *d = &r->doors.v[door];
    write_line(w, "backend %s", backend_name(h, r, door));
    w->depth++;
    write_line(w, "mode tcp");
    write_line(w, "timeout server 1h");
    if (r->client_address == CLIENT_ADDRESS_TRANSPARENT)
        write_line(w, "source 0.0.0.0 usesrc clientip    # B-150");
    /* without a port it is the one that the client connected to */
    write_line(w, "server published %s%s",
               haproxy_word(h, d->port ? arena_printf(h->a, "%s:%u", d->host, (unsigned)d->port) : d->host),
               r->client_address == CLIENT_ADDRESS_PROXY_PROTOCOL ? " send-proxy" : "");
    w->depth--;
}

static void write_rule(struct haproxy *h, const struct plan_server_rule *r)
{
    bool any = false;
    write_server_rule_heading(&h->w, r);
    for (size_t i = 0; i < r->doors.n; i++)
        any |= r->doors.v[i].transport == TRANSPORT_TCP;
    if (!r->rule->enabled)
        write_line(&h->w, "#   is disabled in the source");
    else if (!any)
        write_line(&h->w, "#   publishes nothing here: see the report");
    else if (closed(r))
        write_line(&h->w, "#   %s",
                   r->rule->action == ACTION_DENY ? "denies" : "refuses what it takes: see the report");
    for (size_t i = 0; i < r->doors.n && !closed(r); i++)
        if (r->doors.v[i].transport == TRANSPORT_TCP && backend_door(r, i) == i)
            write_backend(h, r, i);
}

void haproxy_streams(struct haproxy *h)
{
    const struct plan *p = h->plan;
    bool any = false;
    for (size_t i = 0; i < p->streams.n; i++) {
        if (p->streams.v[i].transport != TRANSPORT_TCP)
            continue;
        if (!any) {
            write_blank(&h->w);
            write_line(&h->w, "# ---- server publishing: which rule has a connection");
        }
        write_frontend(h, &p->streams.v[i], i + 1);
        any = true;
    }
    if (any) {
        write_blank(&h->w);
        write_line(&h->w, "# what no server publishing rule takes");
        write_line(&h->w, "backend no_server_rule");
        write_line(&h->w, "    mode tcp");
        write_line(&h->w, "    tcp-request content reject");
    }
    for (size_t i = 0; i < p->server_rules.n; i++) {
        struct rule_lines *lines = vec_push(h->a, &h->out->server_rules);
        write_blank(&h->w);
        lines->first = haproxy_next_line(h);
        write_rule(h, &p->server_rules.v[i]);
        lines->last = haproxy_next_line(h) - 1;
    }
}
