/* nginx: the plan as one nginx.conf.
 *
 * Each listener becomes a server that answers what no rule is for, with the listener's certificates, and one server
 * for each group of rules that share names (nginx_cluster.c). The servers of the groups name no certificate: nginx
 * then keeps that of the address's default server, which is what the source did - one certificate an address, no
 * choice by SNI (B-40). */
#include "../ir/compression.h"
#include "nginx_parts.h"

#include <string.h>

/* ---- a listener's sockets ------------------------------------------------------ */
typedef VEC(const struct plan_socket *) socket_list;

/* Those that no earlier listener has: nginx could not tell whose rules to try. */
static void own_sockets(struct maker *m, struct table *taken, const struct plan_listener *l, socket_list *http,
                        socket_list *https)
{
    for (size_t i = 0; i < l->sockets.n; i++) {
        const struct plan_socket *s = &l->sockets.v[i];
        const char *key = arena_printf(m->arena, "%s:%u", s->address, (unsigned)s->port);
        if ((*table_at(taken, m->arena, key))++ == 0)
            vec_add(m->arena, s->tls ? https : http, s);
    }
}

static void write_listen(struct maker *m, const struct plan_socket *s, const char *options)
{
    bool all = !strcmp(s->address, "*");
    write_line(&m->body, "listen %s%s%u%s%s;", all ? "" : quoted(&m->body, m->arena, Q_NGINX, s->address),
               all ? "" : ":", (unsigned)s->port, s->tls ? " ssl" : "", options);
}

static void write_listens(struct maker *m, const socket_list *list, const char *options)
{
    for (size_t i = 0; i < list->n; i++)
        write_listen(m, list->v[i], options);
}

/* ---- servers ---------------------------------------------------------------------- */
static void server_open(struct maker *m, const char *comment)
{
    write_blank(&m->body);
    if (comment)
        write_line(&m->body, "# %s", comment);
    write_line(&m->body, "server {");
    m->body.depth++;
}

/* The listener's limit (B-76), and those for each client (B-77): set where requests are answered. */
static void write_limits(struct maker *m, const struct plan_listener *l)
{
    if (l->listener->max_connections > 0)
        write_line(&m->body, "limit_conn listener_%zu %ld;", (size_t)(l - m->plan->listeners.v) + 1,
                   l->listener->max_connections);
    if (m->plan->flood) {
        write_line(&m->body, "limit_conn clients %d;", FLOOD_CONNECTIONS);
        write_line(&m->body, "limit_req zone=client_requests burst=%d nodelay;", FLOOD_REQUESTS);
    }
}

static void server_close(struct maker *m)
{
    m->body.depth--;
    write_line(&m->body, "}");
}

static const char *certificate_key(struct maker *m, const struct plan_socket *s)
{
    return arena_printf(m->arena, "%s\n%s", s->chain ? s->chain : "", s->key ? s->key : "");
}

/* One server for all sockets with the same certificate, and for those of http if they are not elsewhere. */
static void write_default(struct maker *m, const struct plan_listener *l, const char *name, const socket_list *http,
                          const socket_list *same)
{
    server_open(m, "what no rule is for (B-11)");
    write_listens(m, http, " default_server");
    write_listens(m, same, " default_server");
    write_line(&m->body, "server_name %s;", name);
    if (same->n) {
        const struct plan_socket *s = same->v[0];
        write_line(&m->body, "ssl_certificate %s;",
                   quoted(&m->body, m->arena, Q_NGINX, s->chain ? s->chain : MISSING_DIR "/chain.pem"));
        write_line(&m->body, "ssl_certificate_key %s;",
                   quoted(&m->body, m->arena, Q_NGINX, s->key ? s->key : MISSING_DIR "/key.pem"));
        if (l->asks_certificate) { /* each rule looks at the outcome */
            write_line(&m->body, "ssl_verify_client optional;    # B-98");
            write_line(&m->body, "ssl_verify_depth 8;");
            write_line(&m->body, "ssl_client_certificate %s;",
                       quoted(&m->body, m->arena, Q_NGINX_REGEX, m->plan->client_trust));
            if (m->plan->client_crl)
                write_line(&m->body, "ssl_crl %s;", quoted(&m->body, m->arena, Q_NGINX_REGEX, m->plan->client_crl));
        }
    }
    write_line(&m->body, "return 403;");
    server_close(m);
}

static void write_defaults(struct maker *m, const struct plan_listener *l, bool all_names, const socket_list *http,
                           const socket_list *https)
{
    const char *name = all_names ? "~(?!)" : "_"; /* a pattern of nothing: the rules answer every name */
    struct table groups = { 0 };
    VEC(socket_list) by_certificate = { 0 };
    socket_list none = { 0 };
    for (size_t i = 0; i < https->n; i++) {
        size_t *group = table_at(&groups, m->arena, certificate_key(m, https->v[i]));
        if (!*group) {
            vec_push(m->arena, &by_certificate);
            *group = by_certificate.n;
        }
        vec_add(m->arena, &by_certificate.v[*group - 1], https->v[i]);
    }
    if (!by_certificate.n && http->n)
        write_default(m, l, name, http, &none);
    for (size_t i = 0; i < by_certificate.n; i++)
        write_default(m, l, name, i ? &none : http, &by_certificate.v[i]);
}

/* D-08: every request over HTTP is sent to the same place over HTTPS, before any rule. */
static void write_redirect(struct maker *m, const struct plan_listener *l, const socket_list *http)
{
    server_open(m, "over HTTP: to the same place over HTTPS (D-08)");
    write_listens(m, http, " default_server");
    write_line(&m->body, "server_name \"\";");
    if (l->https == 443)
        write_line(&m->body, "return 302 https://$host$request_uri;");
    else
        write_line(&m->body, "return 302 https://$host:%u$request_uri;", (unsigned)l->https);
    server_close(m);
}

static void count_name(struct maker *m, const char *name)
{
    size_t n = strlen(name);
    m->host_names++;
    if (n > m->longest_host)
        m->longest_host = n;
}

static void write_server_names(struct maker *m, const struct cluster *c)
{
    enum { WIDTH = 96 };
    struct strbuf *out = &m->body.out;
    write_indent(&m->body);
    buf_puts(out, "server_name");
    size_t column = (size_t)(m->body.depth * m->body.indent) + strlen("server_name");
    if (c->all_names) /* a request without a host, and every other; $host is the first of these where there is none */
        buf_puts(out, " \"\" ~.");
    for (size_t i = 0; i < c->names.n; i++) {
        const char *name = quoted(&m->body, m->arena, Q_NGINX, c->names.v[i]);
        if (i && column + strlen(name) > WIDTH) {
            buf_putc(out, '\n');
            write_indent(&m->body);
            buf_puts(out, "           ");
            column = (size_t)(m->body.depth * m->body.indent) + strlen("server_name");
        }
        buf_putc(out, ' ');
        buf_puts(out, name);
        column += strlen(name) + 1;
        count_name(m, name);
    }
    buf_puts(out, ";\n");
}

/* Nothing but one rule that takes every path of these names: plain nginx, since no order is left to keep. */
static bool is_simple(const struct maker *m, const struct cluster *c)
{
    for (size_t i = 0; i < c->members.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[c->members.v[i].rule];
        if (c->members.v[i].live)
            return c->live == 1 && !rule_has_conditions(m, r) && rule_publishes_all(r->rule);
    }
    return false;
}

/* What the rules' conditions read, set before the first of them rewrites the URI. */
static void write_subjects(struct maker *m, const struct cluster *c)
{
    bool where = false, place = false;
    for (size_t i = 0; i < c->members.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[c->members.v[i].rule];
        if (!c->members.v[i].live)
            continue;
        where |= (!rule_has_conditions(m, r) || rule_has_form(r)) && rule_needs_host(r, c, &c->members.v[i]);
        place |= rule_needs_resolved(r);
    }
    if (where)
        write_line(&m->body, "set $where $host$path;");
    if (place) {
        write_line(&m->body, "set $place $resolved;");
        m->uses_dots = true;
    }
}

/* What stands in a server beside the rules. */
static void write_rest(struct maker *m, const struct cluster *c, bool simple)
{
    bool blocks = false, limits = false;
    for (size_t i = 0; i < c->members.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[c->members.v[i].rule];
        blocks |= c->members.v[i].live && rule_blocks_sign_in(r);
        limits |= c->members.v[i].live && rule_limits_body(r);
    }
    if (!simple || blocks || limits)
        write_blank(&m->body);
    if (!simple)
        write_line(&m->body, "location / { return 403; }    # no rule matches (B-11)");
    if (limits)
        write_line(&m->body,
                   "location @filtered { return 502; }    # a body that the HTTP filter does not take (B-133)");
    if (blocks) /* "satisfy any" makes nginx drop the server's WWW-Authenticate, which it would show otherwise */
        write_line(&m->body, "location @blocked { satisfy any; allow all; try_files \"\" =403; }    # D-11");
}

/* nginx lets "*.x" take the host ".x", which has no label there (D-02). */
static void write_wildcard_guard(struct maker *m, const struct cluster *c)
{
    for (size_t i = 0; i < c->names.n && !c->all_names; i++)
        if (c->names.v[i][0] == '*') {
            write_line(&m->body, "if ($host ~ ^\\.) { return 403; }    # *.x is not for .x (D-02)");
            return;
        }
}

/* Servers get the Host field as it came, while a target in absolute form names the host that the rules are for (D-01). */
static void write_host_guard(struct maker *m)
{
    write_line(&m->body, "if ($other_host) { return 400; }    # the target and Host name two hosts (D-01)");
}

static void write_cluster(struct maker *m, const struct plan_listener *l, const struct cluster *c,
                          const socket_list *http, const socket_list *https)
{
    struct place at = { .listener = l, .http = http->n > 0, .tls = https->n > 0, .simple = is_simple(m, c) };
    if (c->live) {
        server_open(m, NULL);
        write_listens(m, http, "");
        write_listens(m, https, "");
        write_server_names(m, c);
        if (listener_timeout(l->listener) != SOURCE_TIMEOUT)
            write_line(&m->body, "keepalive_timeout %lds;", listener_timeout(l->listener));
        write_limits(m, l);
        write_wildcard_guard(m, c);
        write_host_guard(m);
        if (!at.simple)
            write_subjects(m, c);
    }
    for (size_t i = 0; i < c->members.n && !at.simple; i++)
        nginx_form_places(m, &at, c, &c->members.v[i]);
    for (size_t i = 0; i < c->members.n; i++)
        nginx_rule(m, &at, c, &c->members.v[i]);
    if (c->live) {
        write_rest(m, c, at.simple);
        server_close(m);
    }
}

static void write_listener(struct maker *m, const struct plan_listener *l, const rule_indexes *rules,
                           struct table *taken)
{
    socket_list http = { 0 }, https = { 0 };
    clusters groups = { 0 };
    own_sockets(m, taken, l, &http, &https);
    write_blank(&m->body);
    write_indent(&m->body);
    buf_puts(&m->body.out, "# ---- listener \"");
    buf_heading(&m->body.out, l->listener->name);
    buf_puts(&m->body.out, "\"\n");
    if (!http.n && !https.n)
        write_line(&m->body, "# it has no address and port of its own: its rules answer nothing");
    bool redirects = l->listener->redirect == HTTPS_REDIRECT_ALWAYS && l->https && http.n;
    if (redirects)
        write_redirect(m, l, &http);
    if (redirects)
        http = (socket_list){ 0 };
    cluster_rules(m->arena, m->plan, rules, &groups);
    bool all_names = false;
    for (size_t i = 0; i < groups.n; i++)
        all_names |= groups.v[i].all_names;
    write_defaults(m, l, all_names, &http, &https);
    if (!http.n && !https.n)
        return;
    for (size_t i = 0; i < groups.n; i++)
        write_cluster(m, l, &groups.v[i], &http, &https);
}

/* ---- the file ------------------------------------------------------------------------ */
/* The rules of each listener, those that are switched off included; without listener: the last list. */
static rule_indexes *rules_by_listener(struct maker *m)
{
    const struct plan *p = m->plan;
    rule_indexes *lists = arena_alloc(m->arena, (p->listeners.n + 1) * sizeof *lists);
    size_t *place = arena_alloc(m->arena, (p->policy->listeners.n + 1) * sizeof *place);
    for (size_t i = 0; i < p->listeners.n; i++)
        place[p->listeners.v[i].listener - p->policy->listeners.v] = i + 1;
    for (size_t i = 0; i < p->rules.n; i++) {
        const struct listener *l = p->rules.v[i].listener;
        size_t at = l ? place[l - p->policy->listeners.v] : 0;
        vec_add(m->arena, &lists[at ? at - 1 : p->listeners.n], (uint32_t)i);
    }
    return lists;
}

static void write_servers(struct maker *m)
{
    const struct plan *p = m->plan;
    const rule_indexes *lists = rules_by_listener(m);
    struct table taken = { 0 };
    for (size_t i = 0; i < p->listeners.n; i++)
        write_listener(m, &p->listeners.v[i], &lists[i], &taken);
    const rule_indexes *rest = &lists[p->listeners.n];
    const struct place nowhere = { 0 };
    const struct cluster none = { 0 };
    for (size_t i = 0; i < rest->n; i++) {
        struct member comment = { .rule = rest->v[i] };
        nginx_rule(m, &nowhere, &none, &comment);
    }
}

static size_t power_of_two(size_t at_least)
{
    size_t n = 64;
    while (n < at_least)
        n *= 2;
    return n;
}

/* nginx's tables have fixed sizes, and it refuses or complains about names that do not fit: said only where the
 * defaults (512 slots of 64 bytes; 1024 for variables) would not do. A name of n bytes takes n + 2, rounded, and a
 * pointer; another pointer ends a slot. */
static void write_table_sizes(struct writer *w, const struct maker *m)
{
    enum { MANY = 100, IN_SLOT = 12, POINTER = 8, SLOT = 64 };
    size_t host = (m->longest_host + 2 + POINTER - 1) / POINTER * POINTER + POINTER;
    size_t variable = (m->longest_variable + 2 + POINTER - 1) / POINTER * POINTER + POINTER;
    if (m->host_names > MANY) {
        write_line(w, "server_names_hash_max_size %zu;",
                   power_of_two(2 * m->host_names > 512 ? 2 * m->host_names : 512));
        write_line(w, "server_names_hash_bucket_size %zu;", power_of_two(IN_SLOT * host));
    } else if (host + POINTER > SLOT) {
        write_line(w, "server_names_hash_bucket_size %zu;", power_of_two(host + POINTER));
    }
    if (m->variables > MANY || variable + POINTER > SLOT) {
        write_line(w, "variables_hash_max_size %zu;", power_of_two(2 * m->variables + 2048));
        write_line(w, "variables_hash_bucket_size %zu;", power_of_two(IN_SLOT * variable));
    }
}

/* Zones for what write_limits sets; a listener's has one key for all its requests. */
static void write_zones(struct writer *w, const struct plan *p)
{
    bool any = false;
    for (size_t i = 0; i < p->listeners.n; i++) {
        if (p->listeners.v[i].listener->max_connections <= 0)
            continue;
        if (!any)
            write_line(w, "geo $everybody { default 1; }");
        any = true;
        write_line(w, "limit_conn_zone $everybody zone=listener_%zu:64k;    # B-76", i + 1);
    }
    if (!p->flood)
        return;
    write_line(w, "limit_conn_zone $binary_remote_addr zone=clients:10m;    # B-77");
    write_line(w, "limit_req_zone $binary_remote_addr zone=client_requests:10m rate=%dr/m;", FLOOD_REQUESTS);
    write_line(w, "limit_req_status 429;");
}

/* How answers are compressed, for the rules that say `gzip on`. HTML is in nginx's list always. */
static void write_gzip(struct writer *w, struct maker *m)
{
    bool any = false;
    for (size_t i = 0; m->types.n && i < m->plan->rules.n; i++)
        any |= m->plan->rules.v[i].compresses && !(m->plan->rules.v[i].preauth & ON(TARGET_NGINX));
    if (!any)
        return;
    write_blank(w);
    write_line(w, "gzip_proxied any;                       # for the rules that compress (B-65)");
    write_line(w, "gzip_vary on;");
    write_line(w, "gzip_min_length %d;", COMPRESSION_LEAST);
    struct strbuf list = { 0 };
    for (size_t i = 0; i < m->types.n; i++)
        if (strcmp(m->types.v[i], "text/html") != 0)
            buf_printf(&list, " %s", m->types.v[i]);
    if (list.n)
        write_line(w, "gzip_types%s;", list.p);
    buf_free(&list);
}

static void write_client_settings(struct writer *w)
{
    write_line(w, "server_tokens off;");
    write_line(w, "absolute_redirect off;");
    write_line(w, "merge_slashes off;");
    write_line(w, "underscores_in_headers on;              # B-79");
    write_line(w, "ignore_invalid_headers off;");
    write_line(w, "large_client_header_buffers 4 64k;      # B-71, B-73");
    write_line(w, "client_max_body_size 0;                 # B-72");
    write_line(w, "keepalive_timeout %ds;                 # B-76", SOURCE_TIMEOUT);
    write_line(w, "client_body_timeout %ds;", SOURCE_TIMEOUT);
    write_line(w, "send_timeout %ds;", SOURCE_TIMEOUT);
    write_line(w, "ssl_protocols TLSv1.2 TLSv1.3;");
}

static void write_server_settings(struct writer *w, struct maker *m)
{
    const struct plan *p = m->plan;
    write_line(w, "proxy_http_version 1.1;                 # B-67");
    write_line(w, "proxy_request_buffering off;            # B-74");
    write_line(w, "proxy_buffering off;");
    write_line(w, "proxy_buffer_size 32k;");
    write_line(w, "proxy_buffers 8 32k;");
    write_line(w, "proxy_read_timeout %ds;                # B-76", SOURCE_TIMEOUT);
    write_line(w, "proxy_send_timeout %ds;", SOURCE_TIMEOUT);
    write_line(w, "proxy_pass_header Server;               # B-80");
    write_line(w, "proxy_pass_header Date;");
    write_line(w, "proxy_hide_header Content-Location;     # each rule adds it as the client must see it (B-42)");
    write_line(
        w,
        "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;");
    if (p->trust) {
        write_line(w, "proxy_ssl_verify on;                    # B-37, D-14");
        write_line(w, "proxy_ssl_verify_depth 8;");
        write_line(w, "proxy_ssl_trusted_certificate %s;", quoted(w, m->arena, Q_NGINX_REGEX, p->trust));
        write_line(w, "proxy_ssl_server_name on;");
        write_line(w, "proxy_ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;");
    }
}

/* What the rules' blocks read. */
static void write_variables(struct writer *w, struct maker *m)
{
    write_line(w, "map $request_uri $path { default /; \"~^(?<raw>/[^?]*)\" $raw; }    # as the client sent it (D-03)");
    write_line(w,
               "map \"$host $http_host\" $other_host { default 1; \"~ $\" 0; \"~*^([^ ]+) \\1\\.?(?::[0-9]*)?$\" 0; }");
    write_zones(w, m->plan);
    if (m->uses_dots) {
        write_line(w, "map $path $dots { default 0; %s 1; }", quoted(w, m->arena, Q_NGINX_REGEX, "~*" REGEX_DOTS));
        write_line(w, "map $path $oddly { default 0; %s 1; }", quoted(w, m->arena, Q_NGINX_REGEX, "~*" REGEX_DEEP));
        write_line(w, "map $dots$oddly $resolved { default $path; 10 $uri; 11 \"\"; }    # where the dots lead (D-05)");
    }
    if (m->uses_upgrade)
        write_line(w, "map $http_upgrade $connection_upgrade { default upgrade; \"\" \"\"; }    # D-17");
    if (m->uses_escaped_host)
        write_line(w, "map $http_host $host_escaped { default $http_host; \"~^(?<host_name>.+):(?<host_port>[0-9]+)$\" "
                      "\"$host_name%%3a$host_port\"; }    # B-126");
    if (m->uses_via)
        write_line(w, "map $http_via $via_before { default \"$http_via, \"; \"\" \"\"; }");
    if (m->body.uses_dollar || m->maps.uses_dollar)
        write_line(w, "geo $dollar { default \"$\"; }");
}

static void write_http_settings(struct writer *w, struct maker *m)
{
    write_client_settings(w);
    write_table_sizes(w, m);
    write_blank(w);
    write_server_settings(w, m);
    write_gzip(w, m);
    write_blank(w);
    write_variables(w, m);
}

static void append(struct writer *w, struct strbuf *part)
{
    if (!part->n)
        return;
    write_blank(w);
    buf_add(&w->out, part->p, part->n);
    buf_free(part);
}

static void write_file(struct maker *m)
{
    struct writer w = { .indent = 4 };
    write_file_heading(&w, m->plan, "nginx: web publishing rules");
    write_line(&w, "#");
    write_line(
        &w,
        "# In each server the rules stand in the order in which they are tried, and the first that fits answers: a rule's `if` looks at");
    write_line(
        &w,
        "# the path as the client sent it and goes to the location below it, whose name lacks a slash so that no client can ask for it.");
    write_line(&w,
               "# B- and D-numbers name the behaviour of the source that a line is for (docs/decisions.md of tmgc).");
    write_line(&w, "worker_processes auto;");
    write_line(&w,
               "worker_rlimit_nofile 65536;              # long polls hold two connections each for an hour (B-76)");
    write_line(&w, "events {");
    write_line(&w, "    worker_connections 16384;");
    write_line(&w, "}");
    write_line(&w, "http {");
    w.depth++;
    write_http_settings(&w, m);
    append(&w, &m->sources.out);
    append(&w, &m->maps.out);
    append(&w, &m->upstreams.out);
    write_blank(&w);
    uint32_t before = 0;
    for (size_t i = 0; i < w.out.n; i++)
        before += w.out.p[i] == '\n';
    /* The servers are most of the file: what stands before them goes in front of them, in their own memory. */
    struct strbuf *all = &m->body.out;
    buf_reserve(all, w.out.n + 2);
    memmove(all->p + w.out.n, all->p, all->n);
    memcpy(all->p, w.out.p, w.out.n);
    all->n += w.out.n;
    buf_puts(all, "}\n");
    buf_free(&w.out);
    for (size_t i = 0; i < m->out->rules.n; i++)
        if (m->out->rules.v[i].first) {
            m->out->rules.v[i].first += before;
            m->out->rules.v[i].last += before;
        }
    m->out->text = *all;
}

int emit_nginx(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err)
{
    struct maker m = { .plan = p, .arena = a, .out = out, .err = err };
    struct writer *const writers[] = { &m.body, &m.upstreams, &m.sources, &m.maps };
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        writers[i]->depth = 1;
        writers[i]->indent = 4;
    }
    *out = (struct emission){ 0 };
    content_types_listed(a, &p->types, false, &m.types);
    for (size_t i = 0; i < p->rules.n; i++)
        vec_push(a, &out->rules);
    write_servers(&m);
    write_file(&m);
    if (nginx_streams(p, a, out, err) != 0)
        m.failed = 1;
    if (m.failed)
        emission_free(out);
    return m.failed ? -1 : 0;
}
