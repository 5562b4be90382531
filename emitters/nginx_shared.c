/* nginx_shared: what several rules use, written once in front of the servers and named as an administrator would:
 * upstreams by server or farm, source sets by network, maps by rule. Equal content gets one name; a number is added
 * to a name only where another content has it, so that a new rule leaves the names of the others alone. */
#include "nginx_parts.h"

#include <string.h>

size_t maker_line(struct maker *m)
{
    for (; m->counted < m->body.out.n; m->counted++)
        m->line += m->body.out.p[m->counted] == '\n';
    return m->line + 1;
}

/* prefix + slug of text + suffix, and "_2" where that is taken. */
static const char *free_name(struct maker *m, const char *prefix, const char *text, const char *suffix)
{
    struct strbuf b = { 0 };
    buf_puts(&b, prefix);
    buf_slug(&b, text);
    buf_puts(&b, suffix);
    if (b.p[0] == '_' || (b.p[0] >= '0' && b.p[0] <= '9')) {
        const char *rest = arena_strdup(m->arena, b.p + (b.p[0] == '_'));
        bool digit = *rest >= '0' && *rest <= '9';
        buf_clear(&b);
        buf_printf(&b, "%s%s", digit ? "at_" : "", rest);
    }
    const char *base = arena_strndup(m->arena, b.p, b.n), *name = base;
    buf_free(&b);
    for (size_t number = ++*table_at(&m->taken, m->arena, base); number > 1; number++) {
        name = arena_printf(m->arena, "%s_%zu", base, number);
        if (++*table_at(&m->taken, m->arena, name) == 1)
            break;
    }
    return name;
}

/* The name of the object with this content; *fresh: it is new, and the caller writes it. */
static const char *named(struct maker *m, const char *content, const char *prefix, const char *text, const char *suffix,
                         bool *fresh)
{
    size_t *at = table_at(&m->known, m->arena, content);
    *fresh = !*at;
    if (*fresh) {
        vec_add(m->arena, &m->names, free_name(m, prefix, text, suffix));
        *at = m->names.n;
    }
    return m->names.v[*at - 1];
}

static void new_variable(struct maker *m, const char *name)
{
    size_t n = strlen(name);
    m->variables++;
    if (n > m->longest_variable)
        m->longest_variable = n;
}

/* One shared object: its first line, and what stands in it. */
static void write_shared(struct writer *w, const char *first, const char *lines)
{
    write_blank(w);
    write_line(w, "%s", first);
    write_raw(w, "%s", lines);
    write_line(w, "}");
}

/* ---- upstreams ------------------------------------------------------------------ */
/* A server that signs clients in by connection (NTLM) must never see two clients on one connection: connections are
 * kept only where no client's Authorization reaches the server, and where they do not come from the client's address. */
static bool keeps_connections(const struct plan_rule *r)
{
    return !r->transparent && r->rule->delegation != DELEGATE_NONE_PASS && r->rule->delegation != DELEGATE_BASIC;
}

/* The lines of the block: they are its content, too. */
static const char *upstream_lines(struct maker *m, const struct plan_rule *r, const struct plan_upstream *to)
{
    struct writer w = { .depth = 2, .indent = 4 };
    if (to->servers.n > 1)
        write_line(&w, "hash $remote_addr consistent;");
    for (size_t i = 0; i < to->servers.n; i++) {
        const struct plan_server *s = &to->servers.v[i];
        const char *where = arena_printf(m->arena, "%s:%u", s->host, (unsigned)s->port);
        write_line(&w, "server %s%s;", quoted(&w, m->arena, Q_NGINX_REGEX, where), s->drained ? " down" : "");
    }
    if (keeps_connections(r))
        write_line(&w, "keepalive 32;");
    else
        write_line(&w, r->transparent ? "# none is kept: each comes from its client's own address (B-59)"
                                      : "# none is kept: each may carry its own client's sign-in (B-68)");
    const char *lines = arena_strndup(m->arena, w.out.p ? w.out.p : "", w.out.n);
    buf_free(&w.out);
    return lines;
}

const char *shared_upstream(struct maker *m, const struct plan_rule *r, const struct plan_upstream *to)
{
    const char *lines = upstream_lines(m, r, to);
    const char *of = r->farm                   ? r->farm->name
                     : to->servers.v[0].member ? to->servers.v[0].member
                                               : to->servers.v[0].host;
    bool fresh;
    /* nor may a kept connection serve a rule that speaks another protocol, or verified another name (D-14) */
    const char *content =
        arena_printf(m->arena, "%s%s%s%s", lines, to->tls ? "tls " : "", to->tls && r->rule->site ? r->rule->site : "",
                     to->tls && r->shows ? r->shows->chain : "");
    const char *name =
        named(m, content, "", of,
              arena_printf(m->arena, "_%u%s", (unsigned)to->port, keeps_connections(r) ? "" : "_once"), &fresh);
    if (fresh)
        write_shared(&m->upstreams, arena_printf(m->arena, "upstream %s {", name), lines);
    return name;
}

const char *shared_publishd(struct maker *m, const struct plan_listener *l, bool tls, bool kept)
{
    unsigned port = preauth_port(l, TARGET_NGINX, tls);
    const char *lines =
        arena_printf(m->arena, "        server " PREAUTH_HOST ":%u;\n%s", port, kept ? "        keepalive 32;\n" : "");
    bool fresh;
    const char *name =
        named(m, lines, "", "publishd", arena_printf(m->arena, "_%u%s", port, kept ? "" : "_once"), &fresh);
    if (fresh)
        write_shared(&m->upstreams, arena_printf(m->arena, "upstream %s {", name), lines);
    return name;
}

/* ---- source sets ------------------------------------------------------------------ */
/* nginx takes 255.255.255.255 for a spelling error; no client has that address. */
void write_geo_range(struct writer *w, struct ip_range r)
{
    uint32_t last = UINT32_MAX - 1;
    if (r.from > last)
        return;
    write_indent(w);
    buf_ip(&w->out, r.from);
    buf_putc(&w->out, '-');
    buf_ip(&w->out, r.to < last ? r.to : last);
    buf_puts(&w->out, " 1;\n");
}

/* The variable that is 1 for clients in set. */
static const char *shared_set(struct maker *m, const ipset *set, const char *prefix, const char *text)
{
    struct writer w = { .depth = 2, .indent = 4 };
    write_line(&w, "ranges;");
    write_line(&w, "default 0;");
    for (size_t i = 0; i < set->n; i++)
        write_geo_range(&w, set->v[i]);
    const char *lines = arena_strndup(m->arena, w.out.p, w.out.n);
    buf_free(&w.out);
    bool fresh;
    const char *name = named(m, lines, prefix, text, "", &fresh);
    if (fresh) {
        new_variable(m, name);
        write_shared(&m->sources, arena_printf(m->arena, "geo $%s {", name), lines);
    }
    return name;
}

const char *shared_sources(struct maker *m, const struct plan_rule *r)
{
    const struct sources *from = &r->rule->sources;
    bool one_network =
        from->networks.n == 1 && !from->addresses.n && !from->except_networks.n && !from->except_addresses.n;
    return shared_set(m, &r->sources, "from", one_network ? from->networks.v[0] : r->rule->name);
}

/* ---- compression ---------------------------------------------------------------------- */
const char *shared_compressed(struct maker *m, const struct plan_rule *r)
{
    return r->compresses_all ? NULL : shared_set(m, &r->compresses_for, "", "compressed_for");
}

/* A part of an answer is a part of the plain one: a range is asked for as the client did. */
const char *shared_asks(struct maker *m, const char *clients)
{
    bool fresh;
    const char *key = arena_printf(m->arena, "asks\n%s", clients ? clients : "");
    const char *name = named(m, key, "", "asks_gzip", "", &fresh);
    if (!fresh)
        return name;
    new_variable(m, name);
    write_blank(&m->maps);
    if (clients)
        write_line(&m->maps, "map \"$%s$http_range\" $%s { default \"\"; 1 gzip; }    # B-65", clients, name);
    else
        write_line(&m->maps, "map $http_range $%s { default \"\"; \"\" gzip; }    # B-65", name);
    return name;
}

/* ---- hours ------------------------------------------------------------------------- */
/* B-23. $date_local is the one variable that tells the day of the week: "Saturday, 21-Nov-2026 23:45:56 UTC", the host's
 * own time. It belongs to nginx's SSI module, and has this form wherever no SSI command changed it. */
static const char *shared_schedule(struct maker *m, const struct schedule *s)
{
    static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
    static const struct hour_spelling spelling = { days, ", [^ ]+ ", ":", ", 21-Nov-2026 ", ":45:56 UTC" };
    struct writer w = { .depth = 2, .indent = 4 };
    const char *pattern = regex_schedule(m->arena, s, &spelling);
    if (!m->failed && regex_prove_schedule(pattern, s, &spelling, m->err))
        m->failed = 1;
    write_line(&w, "default 0;");
    write_line(&w, "%s 1;", quoted(&w, m->arena, Q_NGINX_REGEX, arena_printf(m->arena, "~%s", pattern)));
    const char *lines = arena_strndup(m->arena, w.out.p, w.out.n);
    buf_free(&w.out);
    bool fresh;
    const char *name = named(m, arena_printf(m->arena, "hours\n%s", lines), "hours", s->name, "", &fresh);
    if (fresh) {
        new_variable(m, name);
        write_shared(&m->maps, arena_printf(m->arena, "map $date_local $%s {    # local time (B-23)", name), lines);
    }
    return name;
}

static const char *shared_ports(struct maker *m, const struct rule *r)
{
    uint16_t low = (uint16_t)r->source_port_low, high = (uint16_t)rule_last_port(r);
    bool none = low > high;
    const char *pattern = none ? "(?!)" : arena_printf(m->arena, "^%s$", regex_numbers(m->arena, low, high));
    bool fresh;
    const char *name = named(m, arena_printf(m->arena, "ports\n%s", pattern), "from",
                             arena_printf(m->arena, "port_%u_%u", low, high), "", &fresh);
    if (!fresh)
        return name;
    if (!m->failed && !none && regex_prove_numbers(pattern, low, high, m->err))
        m->failed = 1;
    new_variable(m, name);
    write_blank(&m->maps);
    write_line(&m->maps, "map $remote_port $%s { default 0; %s 1; }", name,
               quoted(&m->maps, m->arena, Q_NGINX_REGEX, arena_printf(m->arena, "~%s", pattern)));
    return name;
}

/* The variable that is 1 where both are. */
static const char *shared_both(struct maker *m, const char *one, const char *other)
{
    if (!one || !other)
        return one ? one : other;
    bool fresh;
    const char *name = named(m, arena_printf(m->arena, "both\n%s\n%s", one, other),
                             arena_printf(m->arena, "%s_in", one), other, "", &fresh);
    if (fresh) {
        new_variable(m, name);
        write_blank(&m->maps);
        write_line(&m->maps, "map $%s$%s $%s { default 0; 11 1; }", one, other, name);
    }
    return name;
}

bool rule_has_conditions(const struct maker *m, const struct plan_rule *r)
{
    return !r->any_source || policy_schedule(m->plan->policy, r->rule->schedule) || r->rule->source_port_low ||
           r->rule->source_port_high;
}

const char *shared_conditions(struct maker *m, const struct plan_rule *r)
{
    const struct schedule *s = policy_schedule(m->plan->policy, r->rule->schedule);
    const char *from = r->any_source ? NULL : shared_sources(m, r);
    if (s)
        from = shared_both(m, from, shared_schedule(m, s));
    if (r->rule->source_port_low || r->rule->source_port_high)
        from = shared_both(m, from, shared_ports(m, r->rule));
    return from;
}

/* ---- maps ---------------------------------------------------------------------------- */
/* $NAME: http's or https's value by the scheme of the client's request (B-49). */
const char *shared_scheme(struct maker *m, const char *text, const char *http, const char *https)
{
    bool fresh;
    const char *name = named(m, arena_printf(m->arena, "scheme\n%s\n%s", http, https), "to", text, "", &fresh);
    if (fresh) {
        new_variable(m, name);
        write_blank(&m->maps);
        write_line(&m->maps, "map $scheme $%s {", name);
        write_line(&m->maps, "    http %s;", http);
        write_line(&m->maps, "    https %s;", https);
        write_line(&m->maps, "}");
    }
    return name;
}

const char *shared_content_location(struct maker *m, const char *text, const strings *pairs)
{
    struct writer w = { .depth = 2, .indent = 4 };
    write_line(&w, "default $upstream_http_content_location;");
    for (size_t i = 0; i + 1 < pairs->n; i += 2)
        write_line(&w, "%s %s;", pairs->v[i], pairs->v[i + 1]);
    const char *lines = arena_strndup(m->arena, w.out.p, w.out.n);
    buf_free(&w.out);
    bool fresh;
    const char *name = named(m, lines, "content_location", text, "", &fresh);
    if (fresh) {
        new_variable(m, name);
        write_blank(&m->maps);
        write_line(&m->maps, "map $upstream_http_content_location $%s {", name);
        write_raw(&m->maps, "%s", lines);
        write_line(&m->maps, "}");
    }
    return name;
}
