/* nginx_stream: server publishing rules as nginx/stream.conf, a config of its own. It is not part of nginx.conf because nginx's
 * stream module is a package of its own, and web publishing must load where it is not installed.
 *
 * One block a rule, in rule order, holds its conditions and its server; one server a socket, or a run of them, holds which rule
 * has the connection. nginx has no conditions on streams, so the first rule that matches is found by maps: $takes_3 is 1 where
 * rule 3's conditions hold, and a map over the rules of a socket, in their order, gives the server. A connection that no rule
 * takes goes to a server that is always down, and is closed. */
#include "../ir/decide_server.h"
#include "nginx_parts.h"

#include <string.h>

#define NOBODY "nobody" /* no rule's name: those begin with server_rule */

static void heading(struct writer *w, const struct plan *p)
{
    write_file_heading(w, p, "nginx: server publishing rules");
    write_line(w, "#");
    write_line(
        w,
        "# A config of its own, for an nginx of its own: nginx.conf must load where the stream module is not installed.");
    write_line(w, "#   nginx -c .../stream.conf -g 'pid /run/nginx-stream.pid;'");
    write_line(
        w, "# Or move load_module and the stream block into nginx.conf. B- and D-numbers: docs/decisions.md of tmgc.");
    write_line(w, "load_module /usr/lib/nginx/modules/ngx_stream_module.so;    # Debian: libnginx-mod-stream");
    write_line(w, "worker_processes auto;");
    write_line(w, "worker_rlimit_nofile 65536;");
    write_line(w, "events {");
    write_line(w, "    worker_connections 16384;");
    write_line(w, "}");
    write_line(w, "stream {");
    w->depth++;
    write_line(w, "proxy_connect_timeout 5s;");
    write_line(
        w,
        "proxy_timeout 1h;                   # longer than a mailbox waits for mail, or a remote desktop for its user");
}

/* ---- conditions ------------------------------------------------------------------------------------------------------ */
struct stream_maker {
    const struct plan *plan;
    struct arena *a;
    struct writer w;
    struct strbuf *err;
    bool failed;
};

static void write_sources(struct stream_maker *m, const struct plan_server_rule *r, const char *name)
{
    struct writer *w = &m->w;
    write_line(w, "geo $%s {", name);
    w->depth++;
    write_line(w, "ranges;");
    write_line(w, "default 0;");
    for (size_t i = 0; i < r->sources.n; i++)
        write_geo_range(w, r->sources.v[i]);
    w->depth--;
    write_line(w, "}");
}

/* B-149 */
static void write_ports(struct stream_maker *m, const struct plan_server_rule *r, const char *name)
{
    const char *pattern = arena_printf(m->a, "^%s$", regex_numbers(m->a, r->port_low, r->port_high));
    m->failed |= regex_prove_numbers(pattern, r->port_low, r->port_high, m->err) != 0;
    write_line(&m->w, "map $remote_port $%s { default 0; %s 1; }    # %u to %u", name,
               quoted(&m->w, m->a, Q_NGINX_REGEX, arena_printf(m->a, "~%s", pattern)), (unsigned)r->port_low,
               (unsigned)r->port_high);
}

/* B-23: $time_local is "22/Nov/2026:23:45:56 +0100", the host's own time. */
static void write_hours(struct stream_maker *m, const struct plan_server_rule *r, const char *name)
{
    strings yes = { 0 }, no = { 0 };
    const char *pattern = arena_printf(m->a, "^[^:]+:%s:", regex_hours(m->a, r->schedule));
    for (int h = 0; h < 24; h++) {
        const char *text = arena_printf(m->a, "22/Nov/2026:%02d:45:56 +0100", h);
        if (schedule_has(r->schedule, h))
            vec_add(m->a, &yes, text);
        else
            vec_add(m->a, &no, text);
    }
    m->failed |= regex_prove(pattern, &yes, &no, m->err) != 0;
    write_line(&m->w, "map $time_local $%s { default 0; %s 1; }", name,
               quoted(&m->w, m->a, Q_NGINX_REGEX, arena_printf(m->a, "~%s", pattern)));
}

static bool closed(const struct plan_server_rule *r)
{
    return (r->closed & ON(TARGET_NGINX)) || r->rule->action == ACTION_DENY;
}

/* A closed rule keeps its place as far as its conditions are known: what it takes it refuses. */
static unsigned conditions(const struct plan_server_rule *r)
{
    bool hours = r->schedule && schedule_is_daily(r->schedule);
    return (unsigned)!r->any_source | (unsigned)server_rule_limits_ports(r) << 1 | (unsigned)hours << 2;
}

/* The variable that is 1 where all conditions hold; NULL: they always do. */
static const char *takes(struct arena *a, const struct plan_server_rule *r)
{
    return conditions(r) ? arena_printf(a, "takes_%u", (unsigned)r->index + 1) : NULL;
}

static void write_conditions(struct stream_maker *m, const struct plan_server_rule *r)
{
    static void (*const write[3])(struct stream_maker *, const struct plan_server_rule *,
                                  const char *) = { write_sources, write_ports, write_hours };
    static const char *const prefixes[3] = { "from", "ports", "hours" };
    unsigned which = conditions(r), number = (unsigned)r->index + 1;
    bool one = which && !(which & (which - 1));
    struct strbuf all = { 0 };
    const char *ones = "";
    for (unsigned i = 0; i < 3; i++) {
        if (!(which >> i & 1))
            continue;
        const char *name = one ? takes(m->a, r) : arena_printf(m->a, "%s_%u", prefixes[i], number);
        write[i](m, r, name);
        buf_printf(&all, "$%s", name);
        ones = arena_printf(m->a, "%s1", ones);
    }
    if (which && !one)
        write_line(&m->w, "map %s $%s { default 0; %s 1; }", all.p, takes(m->a, r), ones);
    buf_free(&all);
}

/* ---- the server ----------------------------------------------------------------------------------------------------------- */
static const char *endpoint(struct arena *a, const struct plan_door *d)
{
    return d->port ? arena_printf(a, "%s:%u", d->host, (unsigned)d->port) : arena_printf(a, "%s:$server_port", d->host);
}

/* Where the door leads to, as proxy_pass takes it: the name of an upstream, or address and port of the connection itself. */
static const char *server_name(struct arena *a, const struct plan_server_rule *r, size_t door)
{
    const struct plan_door *d = &r->doors.v[door];
    if (!d->port)
        return endpoint(a, d);
    size_t number = 0;
    for (size_t i = 0; i < r->doors.n; i++) {
        size_t first = 0;
        while (strcmp(endpoint(a, &r->doors.v[first]), endpoint(a, &r->doors.v[i])) != 0)
            first++;
        number += first == i && r->doors.v[i].port;
        if (strcmp(endpoint(a, &r->doors.v[i]), endpoint(a, d)) == 0)
            return number == 1 ? server_rule_id(a, r) : arena_printf(a, "%s-%zu", server_rule_id(a, r), number);
    }
    return NOBODY;
}

static void write_upstreams(struct stream_maker *m, const struct plan_server_rule *r)
{
    struct strbuf done = { 0 };
    for (size_t i = 0; i < r->doors.n; i++) {
        const char *name = server_name(m->a, r, i), *key = arena_printf(m->a, " %s ", name);
        if (!r->doors.v[i].port || (done.n && strstr(done.p, key)))
            continue;
        buf_puts(&done, key);
        write_line(&m->w, "upstream %s { server %s; }", name,
                   quoted(&m->w, m->a, Q_NGINX_REGEX, endpoint(m->a, &r->doors.v[i])));
    }
    buf_free(&done);
}

static void write_rule(struct stream_maker *m, const struct plan_server_rule *r)
{
    write_server_rule_heading(&m->w, r);
    if (!r->rule->enabled)
        write_line(&m->w, "#   is disabled in the source");
    else if (!r->doors.n)
        write_line(&m->w, "#   publishes nothing here: see the report");
    else if (closed(r))
        write_line(&m->w, "#   %s",
                   r->rule->action == ACTION_DENY ? "denies" : "refuses what it takes: see the report");
    if (!r->doors.n)
        return;
    write_conditions(m, r);
    if (!closed(r))
        write_upstreams(m, r);
}

/* ---- sockets ------------------------------------------------------------------------------------------------------------------ */
static const char *destination(struct stream_maker *m, const struct plan_try *t)
{
    const struct plan_server_rule *r = &m->plan->server_rules.v[t->rule];
    return closed(r) ? NOBODY : server_name(m->a, r, t->door);
}

/* What proxy_pass takes: the one server, or a variable that the rules' conditions set. */
static const char *write_choice(struct stream_maker *m, const struct plan_stream *s, size_t number)
{
    const struct plan_server_rule *first = &m->plan->server_rules.v[s->tries.v[0].rule];
    bool refused = true;
    for (size_t i = 0; i < s->tries.n; i++)
        refused &= strcmp(destination(m, &s->tries.v[i]), NOBODY) == 0;
    if (refused || !conditions(first))
        return destination(m, &s->tries.v[0]);
    struct strbuf asked = { 0 };
    struct writer lines = { .depth = m->w.depth + 1, .indent = m->w.indent };
    const char *zeros = "", *otherwise = NOBODY;
    for (size_t i = 0; i < s->tries.n; i++) {
        const struct plan_server_rule *r = &m->plan->server_rules.v[s->tries.v[i].rule];
        if (!conditions(r)) {
            otherwise = destination(m, &s->tries.v[i]);
            break;
        }
        buf_printf(&asked, "$%s", takes(m->a, r));
        write_line(&lines, "~^%s1 %s;", zeros, destination(m, &s->tries.v[i]));
        zeros = arena_printf(m->a, "%s0", zeros);
    }
    write_line(&m->w, "map %s $to_%zu {    # the first rule that matches (B-01)", asked.p, number);
    write_line(&m->w, "    default %s;", otherwise);
    write_raw(&m->w, "%s", lines.out.p);
    write_line(&m->w, "}");
    buf_free(&asked);
    buf_free(&lines.out);
    return arena_printf(m->a, "$to_%zu", number);
}

static void write_stream(struct stream_maker *m, const struct plan_stream *s, size_t number)
{
    struct writer *w = &m->w;
    const struct plan_server_rule *first = &m->plan->server_rules.v[s->tries.v[0].rule];
    const struct plan_door *door = &first->doors.v[s->tries.v[0].door];
    bool udp = s->transport == TRANSPORT_UDP;
    const char *address = *s->address == '*' ? "" : arena_printf(m->a, "%s:", s->address);
    write_blank(w);
    const char *to = write_choice(m, s, number);
    write_line(w, "server {");
    w->depth++;
    if (s->low == s->high)
        write_line(w, "listen %s%u%s;", address, (unsigned)s->low, udp ? " udp reuseport" : "");
    else
        write_line(w, "listen %s%u-%u%s;", address, (unsigned)s->low, (unsigned)s->high, udp ? " udp reuseport" : "");
    if (udp)
        write_line(w, "proxy_timeout 60s;");
    if (udp && door->one_way)
        write_line(w, "proxy_responses 0;");
    if (first->client_address == CLIENT_ADDRESS_TRANSPARENT)
        write_line(w, "proxy_bind $remote_addr%s transparent;    # B-150", udp ? ":$remote_port" : "");
    if (first->client_address == CLIENT_ADDRESS_PROXY_PROTOCOL && !udp)
        write_line(w, "proxy_protocol on;    # B-150");
    write_line(w, "proxy_pass %s;", to);
    w->depth--;
    write_line(w, "}");
}

/* ---- the file ------------------------------------------------------------------------------------------------------------------- */
static uint32_t line_number(const struct writer *w)
{
    uint32_t n = 1;
    for (size_t i = 0; i < w->out.n; i++)
        n += w->out.p[i] == '\n';
    return n;
}

int nginx_streams(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err)
{
    struct stream_maker m = { .plan = p, .a = a, .w = { .indent = 4 }, .err = err };
    if (!p->streams.n)
        return 0;
    heading(&m.w, p);
    for (size_t i = 0; i < p->server_rules.n; i++) {
        struct rule_lines *lines = vec_push(a, &out->server_rules);
        write_blank(&m.w);
        lines->first = line_number(&m.w);
        write_rule(&m, &p->server_rules.v[i]);
        lines->last = line_number(&m.w) - 1;
    }
    write_blank(&m.w);
    write_line(&m.w, "# what no rule takes");
    write_line(&m.w, "upstream " NOBODY " { server 127.0.0.1:1 down; }");
    for (size_t i = 0; i < p->streams.n; i++)
        write_stream(&m, &p->streams.v[i], i + 1);
    m.w.depth--;
    write_line(&m.w, "}");
    out->streams = m.w.out;
    return m.failed ? -1 : 0;
}
