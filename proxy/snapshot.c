/* snapshot: the configuration turned back into policy and plan, see snapshot.h. The forms of names and paths are made by
 * the same functions that made them from the export. */
#include "snapshot.h"
#include "pages.h"
#include "route.h"

#include <stdlib.h>
#include <time.h>

/* ---- listeners ------------------------------------------------------------------ */

static void add_listener(struct snapshot *s, const struct conf_listener *c)
{
    const struct conf_authentication *auth = &c->authentication;
    struct listener *l = vec_push(s->policy->arena, &s->policy->listeners);
    *l = (struct listener){ .name = c->name,
                            .redirect = c->redirect,
                            .basic = auth->basic,
                            .digest = auth->digest,
                            .integrated = auth->integrated,
                            .client_certificate = auth->client_certificate,
                            .forms = auth->forms,
                            .validator = auth->validator,
                            .scheme = auth->scheme,
                            .always_authenticate = auth->always,
                            .authenticate_over_http = auth->over_http,
                            .domain = auth->domain,
                            .form = auth->form,
                            .sso = auth->sso,
                            .sso_domains = auth->sso_domains,
                            .max_connections = c->max_connections,
                            .connection_timeout = c->connection_timeout,
                            .ssl_accelerator_port = c->ssl_accelerator_port };
}

static void plan_listener(struct snapshot *s, size_t index)
{
    const struct conf_listener *c = &s->config->listeners.v[index];
    struct plan_listener *l = vec_push(s->arena, &s->plan->listeners);
    struct listener *said = &s->policy->listeners.v[index];
    l->listener = said;
    l->publishd_asks = c->client_trust;
    l->http = (uint16_t)c->http_port;
    l->https = (uint16_t)c->https_port;
    for (size_t i = 0; i < c->sockets.n; i++) {
        const struct conf_socket *from = &c->sockets.v[i];
        struct plan_socket *to = vec_push(s->arena, &l->sockets);
        *to = (struct plan_socket){ .address = from->address,
                                    .port = (uint16_t)from->port,
                                    .tls = from->chain || from->https_in_front,
                                    .chain = from->chain,
                                    .key = from->key };
        uint16_t *port = to->tls ? &l->https : &l->http;
        *port = *port ? *port : to->port;
    }
    said->http = l->http;
    said->https = l->https;
}

/* ---- rules: the policy's side ------------------------------------------------------ */

static void add_names(struct snapshot *s, struct rule *r, const struct conf_rule *c)
{
    struct public_name name;
    r->all_names = c->all_names;
    for (size_t i = 0; i < c->names.n; i++)
        if (normalise_public_name(s->policy->arena, c->names.v[i], &name))
            vec_add(s->policy->arena, &r->names, name);
}

static void add_paths(struct snapshot *s, struct rule *r, const struct conf_rule *c)
{
    struct arena *a = s->policy->arena;
    for (size_t i = 0; i < c->paths.n; i++) {
        const struct conf_path *from = &c->paths.v[i];
        struct path to = { 0 };
        bool odd;
        if (!normalise_path(a, from->external, &to.kind, &to.external, &odd))
            continue; /* config_read has refused such a file */
        if (from->internal)
            to.internal = conf_internal(a, to.kind, from->internal);
        vec_add(a, &r->paths, to);
    }
}

static const struct conf_upstream *upstream_of(const struct conf_rule *c, bool tls)
{
    return c->upstream.servers.n ? &c->upstream : tls ? &c->upstream_https : &c->upstream_http;
}

/* Bridging and the two ports as the source had them, for redirects and links that name the server (D-15, B-124). */
static void add_bridging(struct rule *r, const struct conf_rule *c)
{
    const struct conf_upstream *to[2] = { upstream_of(c, false), upstream_of(c, true) };
    r->bridging = to[0]->tls ? BRIDGE_SSL : to[1]->tls ? BRIDGE_BOTH : BRIDGE_HTTP;
    r->http_port = c->http_port ? c->http_port : !to[0]->tls && to[0]->port ? to[0]->port : 80;
    r->ssl_port = c->ssl_port ? c->ssl_port : to[1]->tls ? to[1]->port : 443;
}

static void add_links(struct snapshot *s, struct rule *r, const struct conf_rule *c)
{
    r->translate_links = c->translate_links;
    r->link_mode = c->link_mode;
    r->link_options = c->link_options;
    r->code_pages = c->code_pages;
    for (size_t i = 0; i < c->links.n; i++)
        vec_add(s->policy->arena, &r->links, c->links.v[i]);
    r->link_patterns = c->link_patterns;
}

static void add_rule(struct snapshot *s, const struct conf_rule *c)
{
    struct rule *r = vec_push(s->policy->arena, &s->policy->rules);
    *r = (struct rule){ .name = c->name,
                        .at = { .guid = c->guid },
                        .description = c->description,
                        .enabled = true,
                        .action = c->action,
                        .redirect_url = c->redirect_url,
                        .listener = c->listener,
                        .sources = { .any = !c->sources.n, .addresses = c->sources },
                        .schedule = c->schedule,
                        .all_users = c->anybody,
                        .users = c->users,
                        .site = c->site,
                        .server = c->server,
                        .farm = c->farm,
                        .affinity_by_address = c->affinity_by_address,
                        .forward_host = c->forward_host,
                        .forward_client_address = c->forward_client_address,
                        .accept_encoding = c->accept_encoding,
                        .front_end_https = c->front_end_https,
                        .pass_options = c->pass_options,
                        .delegation = c->delegation,
                        .strip_domain = c->strip_domain,
                        .pass_auth_body = c->pass_auth_body,
                        .require_ssl = c->require_ssl,
                        .client_certificate = c->client_certificate,
                        .backend_certificate = c->backend_certificate,
                        .logoff_url = c->logoff_url,
                        .application = c->application,
                        .alternate_access_mapping = c->alternate_access_mapping,
                        .block_attachments_public = c->block_attachments_public,
                        .block_attachments_private = c->block_attachments_private,
                        .http_filter = c->http_filter,
                        .source_port_low = c->source_port_low,
                        .source_port_high = c->source_port_high,
                        .logging = c->logging };
    add_names(s, r, c);
    add_paths(s, r, c);
    add_bridging(r, c);
    add_links(s, r, c);
}

/* ---- rules: the plan's side ---------------------------------------------------------- */

/* The HTTP filter from its keys. */
static const struct http_filter *make_filter(struct arena *a, const struct conf_rule *c)
{
    const struct conf_filter *from = &c->filter;
    struct http_filter *f = arena_alloc(a, sizeof *f);
    f->parts = (from->dots ? FILTER(DOTS) : 0) | (from->high_bit ? FILTER(HIGH_BIT) : 0) |
               (from->double_encoding ? FILTER(DOUBLE) : 0) | (from->executables ? FILTER(EXECUTABLES) : 0);
    f->normalise = from->normalise;
    f->method_list = from->method_list;
    f->methods = from->methods;
    f->extension_list = from->extension_list;
    f->extensions = from->extensions;
    f->url_max = from->url_max;
    f->query_max = from->query_max;
    f->body_max = from->body_max;
    f->headers = from->headers;
    f->answer_headers = from->answer_headers;
    f->url_texts = from->url_texts;
    for (size_t i = 0; i < from->header_texts.n; i++)
        vec_add(a, &f->header_texts, from->header_texts.v[i]);
    for (size_t i = 0; i < from->answer_texts.n; i++)
        vec_add(a, &f->answer_texts, from->answer_texts.v[i]);
    f->via = from->via;
    f->via_value = from->via_value;
    f->server = from->server;
    f->server_value = from->server_value;
    for (size_t i = 0; i < from->body_texts.n; i++)
        vec_add(a, &f->body_texts, from->body_texts.v[i]);
    f->parts = http_filter_parts(f);
    return f->parts ? f : NULL;
}

static void plan_upstream(struct snapshot *s, struct plan_upstream *to, const struct conf_upstream *from)
{
    to->tls = from->tls;
    to->port = (uint16_t)from->port;
    for (size_t i = 0; i < from->servers.n; i++) {
        const struct conf_server *c = &from->servers.v[i];
        struct plan_server *server = vec_push(s->arena, &to->servers);
        *server = (struct plan_server){ .member = c->name ? c->name : c->connect,
                                        .host = c->connect,
                                        .port = (uint16_t)c->port,
                                        .drained = c->drained };
    }
}

static void plan_rule(struct snapshot *s, uint32_t index)
{
    const struct conf_rule *c = &s->config->rules.v[index];
    const struct rule *r = &s->policy->rules.v[index];
    struct plan_rule *p = vec_push(s->arena, &s->plan->rules);
    p->rule = r;
    p->index = index;
    p->listener = policy_listener(s->policy, r->listener);
    p->farm = r->farm ? policy_farm(s->policy, r->farm) : NULL;
    p->answers = p->listener && r->paths.n && (r->all_names || r->names.n);
    p->any_source = r->sources.any;
    p->sources = r->sources.addresses;
    p->needs_user = !r->all_users || (p->listener && p->listener->always_authenticate);
    plan_upstream(s, &p->to[0], upstream_of(c, false));
    plan_upstream(s, &p->to[1], upstream_of(c, true));
    p->forwards = r->action == ACTION_ALLOW && r->site && p->to[0].servers.n && p->to[1].servers.n;
    p->compresses = c->compress;
    p->compresses_all = !c->compress_for.n;
    p->compresses_for = c->compress_for;
    p->asks_gzip = c->asks_gzip;
    p->websocket = c->websocket;
    p->x_forwarded_for = c->x_forwarded_for;
    p->transparent = c->forward_client_address;
    p->via = c->via;
    p->filter = make_filter(s->arena, c);
    p->closed = c->closed == CLOSED_ALWAYS ? ON(TARGET_PUBLISHD) : 0;
    p->closed_http = c->closed == CLOSED_HTTP ? ON(TARGET_PUBLISHD) : 0;
    if (p->answers)
        vec_add(s->arena, &s->plan->listeners.v[p->listener - s->policy->listeners.v].rules, index);
}

/* ---- the whole ------------------------------------------------------------------------- */

static void make_policy(struct snapshot *s)
{
    struct policy *p = s->policy = policy_new();
    const struct config *c = s->config;
    for (size_t i = 0; i < c->listeners.n; i++)
        add_listener(s, &c->listeners.v[i]);
    for (size_t i = 0; i < c->farms.n; i++) {
        const struct conf_farm *from = &c->farms.v[i];
        vec_add(p->arena, &p->farms,
                ((struct farm){ .name = from->name,
                                .probe = from->probe,
                                .probe_url = from->probe_url,
                                .probe_host = from->probe_host,
                                .probe_port = from->probe_port,
                                .probe_threshold = from->probe_threshold }));
    }
    for (size_t i = 0; i < c->schedules.n; i++)
        vec_add(p->arena, &p->schedules, c->schedules.v[i]);
    for (size_t i = 0; i < c->parameters.n; i++)
        vec_add(p->arena, &p->parameters, c->parameters.v[i]);
    for (size_t i = 0; i < c->links.n; i++)
        vec_add(p->arena, &p->links, c->links.v[i]);
    for (size_t i = 0; i < c->rules.n; i++)
        add_rule(s, &c->rules.v[i]);
    policy_finish(p);
    for (size_t i = 0; i < c->rules.n; i++)
        p->rules.v[i].spns = c->rules.v[i].spns; /* said in the file: the farm's members are not the policy's here */
}

static void make_plan(struct snapshot *s)
{
    struct plan *p = s->plan = arena_alloc(s->arena, sizeof *p);
    p->arena = s->arena;
    p->policy = s->policy;
    p->trust = s->config->trust;
    p->types = s->config->compression;
    for (size_t i = 0; i < s->policy->listeners.n; i++)
        plan_listener(s, i);
    for (size_t i = 0; i < s->policy->rules.n; i++)
        plan_rule(s, (uint32_t)i);
}

static const unsigned char *which_read_heads(const struct snapshot *s)
{
    unsigned char *reads = arena_alloc(s->arena, s->plan->listeners.n + 1);
    for (size_t i = 0; i < s->plan->listeners.n; i++)
        for (size_t k = 0; k < s->plan->listeners.v[i].rules.n && !reads[i]; k++) {
            const struct http_filter *f = s->plan->rules.v[s->plan->listeners.v[i].rules.v[k]].filter;
            reads[i] = f && f->parts & (FILTER(HEADERS) | FILTER(HEADER_TEXTS));
        }
    return reads;
}

struct snapshot *snapshot_new(struct config *c, struct strbuf *err)
{
    struct arena *a = arena_new();
    struct snapshot *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->config = c;
    make_policy(s);
    make_plan(s);
    s->reads_head = which_read_heads(s);
    s->routes = routes_new(s->plan, a);
    s->pages = pages_new(c->error_pages, a, err);
    if (!s->pages) {
        snapshot_free(s);
        return NULL;
    }
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    policy_free(s->policy);
    config_free(s->config);
    arena_free(s->arena);
}

int snapshot_hour(long long wall, long long *until)
{
    enum { QUARTER = 900 }; /* clocks are set by whole quarters of an hour at most */
    struct tm tm;
    time_t t = (time_t)wall;
    *until = wall - wall % QUARTER + QUARTER;
    return localtime_r(&t, &tm) ? tm.tm_wday * 24 + tm.tm_hour : -1;
}
