/* publishd_rule: the block of one rule in publishd.yaml - what it matches, what it does, where it forwards to and how. */
#include "publishd.h"

/* ---- rules: what they match ------------------------------------------------------------ */

static void write_names(struct publishd *p, const struct rule *r)
{
    strings names = { 0 };
    pd_bool(p, "all_names", r->all_names, false);
    for (size_t i = 0; !r->all_names && i < r->names.n; i++)
        vec_add(p->a, &names, r->names.v[i].name);
    pd_strings(p, "names", &names);
}

static const char *pattern(struct publishd *p, enum path_kind kind, const char *literal)
{
    struct strbuf b = { 0 };
    buf_path_pattern(&b, kind, literal);
    const char *s = pd_quoted(p, b.p ? b.p : "");
    buf_free(&b);
    return s;
}

/* What the external part is replaced by, with the same tail, so that it reads back as the same literal. */
static const char *internal(struct publishd *p, const struct path *path)
{
    static const char *const tails[] = { [PATH_PREFIX] = "/*", [PATH_EXACT] = "", [PATH_STEM] = "*" };
    const char *literal = path->kind == PATH_EXACT && !*path->internal ? "/" : path->internal;
    return pd_quoted(p, arena_printf(p->a, "%s%s", literal, tails[path->kind]));
}

/* In trying order, as the source writes them. */
static void write_paths(struct publishd *p, const struct rule *r)
{
    pd_open_list(p, "paths");
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct path *path = &r->paths.v[i];
        pd_open_item(p);
        pd_line(p, "external", pattern(p, path->kind, path->external));
        if (path->internal)
            pd_line(p, "internal", internal(p, path));
        pd_close_item(p);
    }
    pd_close_list(p);
}

static void write_conditions(struct publishd *p, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    pd_text(p, "listener", rule->listener);
    write_names(p, rule);
    write_paths(p, rule);
    if (!r->any_source)
        pd_ranges(p, "sources", &r->sources);
    pd_long(p, "source_port_low", rule->source_port_low, 0);
    pd_long(p, "source_port_high", rule->source_port_high, 0);
    if (!rule->schedule_unknown)
        pd_text(p, "schedule", rule->schedule);
    if (!rule->all_users && rule->users.n)
        pd_strings(p, "users", &rule->users);
    else if (!rule->all_users)
        pd_line(p, "users", "[]"); /* nobody: left out would mean everybody */
}

/* ---- rules: where they forward to ----------------------------------------------------------- */

static void write_upstream(struct publishd *p, const char *key, const struct plan_upstream *u)
{
    pd_open_map(p, key);
    pd_bool(p, "tls", u->tls, false);
    pd_line(p, "port", arena_printf(p->a, "%u", (unsigned)u->port));
    pd_open_list(p, "servers");
    for (size_t i = 0; i < u->servers.n; i++) {
        const struct plan_server *s = &u->servers.v[i];
        pd_open_item(p);
        if (!str_equal(s->member, s->host))
            pd_text(p, "name", s->member);
        pd_text(p, "connect", s->host);
        pd_line(p, "port", arena_printf(p->a, "%u", (unsigned)s->port));
        pd_bool(p, "drained", s->drained, false);
        pd_close_item(p);
    }
    pd_close_list(p);
    pd_close_map(p);
}

static void write_server(struct publishd *p, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    if (!r->forwards)
        return;
    pd_text(p, "site", rule->site);
    pd_bool(p, "forward_host", rule->forward_host, false);
    if (!str_equal(rule->server, rule->site))
        pd_text(p, "server", rule->server);
    if (r->farm) {
        pd_text(p, "farm", r->farm->name);
        pd_bool(p, "affinity_by_address", rule->affinity_by_address, false);
    }
    if (plan_same_upstream(&r->to[0], &r->to[1])) {
        write_upstream(p, "upstream", &r->to[0]);
    } else {
        write_upstream(p, "upstream_http", &r->to[0]);
        write_upstream(p, "upstream_https", &r->to[1]);
    }
    if (r->to[0].tls && r->to[1].tls)
        pd_long(p, "http_port", rule->http_port, 80);
    if (!r->to[0].tls && !r->to[1].tls)
        pd_long(p, "ssl_port", rule->ssl_port, 443);
    pd_text(p, "backend_certificate", rule->backend_certificate);
    if (r->shows) {
        pd_text(p, "backend_chain", r->shows->chain);
        pd_text(p, "backend_key", r->shows->key ? r->shows->key : r->shows->chain);
    }
}

/* ---- rules: how ---------------------------------------------------------------------------------- */

static void write_delegation(struct publishd *p, const struct rule *r)
{
    static const char *const types[] = { "pass", "block", "securid", "basic", "ntlm", "negotiate", "kerberos" };
    PD_WORD(p, "delegation", types, (long)r->delegation, DELEGATE_NONE_BLOCK);
    pd_strings(p, "spns", &r->spns);
    pd_bool(p, "strip_domain", r->strip_domain, false);
    pd_bool(p, "pass_auth_body", r->pass_auth_body, false);
}

static void write_headers(struct publishd *p, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    pd_bool(p, "accept_encoding", rule->accept_encoding, false);
    pd_bool(p, "compress", r->compresses, false);
    if (r->compresses && !r->compresses_all)
        pd_ranges(p, "compress_for", &r->compresses_for);
    pd_bool(p, "asks_gzip", r->asks_gzip && !rule->accept_encoding, false);
    pd_bool(p, "front_end_https", rule->front_end_https, false);
    pd_bool(p, "forward_client_address", r->transparent, false);
    pd_bool(p, "x_forwarded_for", r->x_forwarded_for, false);
    pd_text(p, "via", r->via);
    pd_bool(p, "websocket", r->websocket, false);
    pd_bool(p, "pass_options", rule->pass_options, true);
    pd_long(p, "read_timeout", rule_read_timeout(r), SOURCE_TIMEOUT);
}

static void write_links(struct publishd *p, const struct rule *r)
{
    pd_bool(p, "translate_links", r->translate_links, false);
    pd_long(p, "link_mode", r->link_mode, 0);
    pd_long(p, "link_options", r->link_options, 0);
    pd_strings(p, "code_pages", &r->code_pages);
    pd_links(p, r->links.v, r->links.n);
    pd_strings(p, "link_patterns", &r->link_patterns);
}

static void write_filter_texts(struct publishd *p, const char *key, const struct filter_text *v, size_t n)
{
    if (!n)
        return;
    pd_open_list(p, key);
    for (size_t i = 0; i < n; i++) {
        pd_open_item(p);
        pd_text(p, "header", v[i].header);
        pd_text(p, "text", v[i].text);
        pd_close_item(p);
    }
    pd_close_list(p);
}

static void write_body_texts(struct publishd *p, const struct http_filter *f)
{
    static const char *const bodies[] = { "request", "answer" };
    if (!f->body_texts.n)
        return;
    pd_open_list(p, "body_texts");
    for (size_t i = 0; i < f->body_texts.n; i++) {
        const struct filter_body_text *t = &f->body_texts.v[i];
        pd_open_item(p);
        pd_line(p, "in", bodies[t->in]);
        pd_text(p, "text", t->text);
        pd_text(p, "hex", t->hex);
        pd_long(p, "from", t->from, 1);
        pd_long(p, "to", t->to, 100);
        pd_close_item(p);
    }
    pd_close_list(p);
}

/* The HTTP filter in its parts (B-131 to B-142). */
static void write_filter(struct publishd *p, const struct http_filter *f)
{
    static const char *const lists[] = { "all", "only", "except" };
    static const char *const actions[] = { "keep", "strip", "replace" };
    pd_open_map(p, "filter");
    pd_bool(p, "normalise", f->normalise, true);
    PD_WORD(p, "method_list", lists, f->method_list, LIST_ALL);
    pd_strings(p, "methods", &f->methods);
    PD_WORD(p, "extension_list", lists, f->extension_list, LIST_ALL);
    pd_strings(p, "extensions", &f->extensions);
    pd_bool(p, "dots", f->parts & FILTER(DOTS), false);
    pd_bool(p, "high_bit", f->parts & FILTER(HIGH_BIT), false);
    pd_bool(p, "double_encoding", f->parts & FILTER(DOUBLE), false);
    pd_bool(p, "executables", f->parts & FILTER(EXECUTABLES), false);
    pd_long(p, "url_max", f->url_max, -1);
    pd_long(p, "query_max", f->query_max, -1);
    pd_long(p, "body_max", (long)f->body_max, -1);
    pd_strings(p, "headers", &f->headers);
    pd_strings(p, "answer_headers", &f->answer_headers);
    pd_strings(p, "url_texts", &f->url_texts);
    write_filter_texts(p, "header_texts", f->header_texts.v, f->header_texts.n);
    write_filter_texts(p, "answer_texts", f->answer_texts.v, f->answer_texts.n);
    write_body_texts(p, f);
    PD_WORD(p, "via", actions, f->via, HEADER_KEPT);
    pd_text(p, "via_value", f->via_value);
    PD_WORD(p, "server", actions, f->server, HEADER_KEPT);
    pd_text(p, "server_value", f->server_value);
    pd_close_map(p);
}

static void write_application(struct publishd *p, const struct rule *r, const struct http_filter *filter)
{
    static const char *const kinds[] = { "general", "exchange", "sharepoint" };
    PD_WORD(p, "application", kinds, r->application, 0);
    pd_bool(p, "alternate_access_mapping", r->alternate_access_mapping, false);
    pd_bool(p, "block_attachments_public", r->block_attachments_public, false);
    pd_bool(p, "block_attachments_private", r->block_attachments_private, false);
    pd_text(p, "logoff_url", r->logoff_url);
    pd_text(p, "http_filter", r->http_filter);
    if (filter && filter->parts)
        write_filter(p, filter);
    pd_parameters(p, r->parameters.v, r->parameters.n);
    pd_bool(p, "logging", r->logging, true);
}

static void write_action(struct publishd *p, const struct plan_rule *r)
{
    static const char *const levels[] = { "optional", "required", "required-128" };
    static const char *const claims[] = { "ignored", "required", "requested" };
    const struct rule *rule = r->rule;
    bool nowhere = rule->action == ACTION_ALLOW && !r->forwards;
    if (nowhere || r->closed & ON(TARGET_PUBLISHD))
        pd_line(p, "closed", "always");
    else if (r->closed_http & ON(TARGET_PUBLISHD))
        pd_line(p, "closed", "http");
    if (rule->action == ACTION_DENY) {
        pd_line(p, "action", "deny");
        pd_text(p, "redirect_url", rule->redirect_url);
    }
    PD_WORD(p, "require_ssl", levels, rule->require_ssl, 0);
    if (p->plan->listeners.v[r->listener - p->plan->policy->listeners.v]
            .publishd_asks) /* else the rule is closed, or that was accepted */
        PD_WORD(p, "client_certificate", claims, (long)rule->client_certificate, CERTIFICATE_IGNORED);
}

/* ---- the block ------------------------------------------------------------------------------------------ */

void publishd_rule(struct publishd *p, const struct plan_rule *r)
{
    write_rule_heading(&p->w, r);
    if (!r->rule->enabled) {
        write_line(&p->w, "#   disabled at the source (D-16)");
        return;
    }
    if (!r->answers || (!r->any_source && !r->sources.n)) {
        write_line(&p->w, "#   answers nothing: it has no listener, name, path or client address that could be used");
        return;
    }
    pd_open_item(p);
    pd_text(p, "name", r->rule->name);
    pd_line(p, "number", arena_printf(p->a, "%u", (unsigned)(r->index + 1)));
    pd_text(p, "guid", r->rule->at.guid);
    pd_text(p, "description", r->rule->description);
    write_conditions(p, r);
    write_action(p, r);
    write_server(p, r);
    write_delegation(p, r->rule);
    write_headers(p, r);
    write_links(p, r->rule);
    write_application(p, r->rule, r->filter);
    pd_close_item(p);
}
