/* nginx_rule: one rule's block - its heading and its location.
 *
 * The condition is tried in the server's rewrite phase, in the order of the rules, so that the first match wins as in
 * the source (B-01). It looks at the raw path (D-03), which no location of nginx does. A match leaves for a location
 * whose name has no slash in front: no client can ask for it. */
#include "nginx_block.h"

#include <string.h>

const char *block_escaped(struct block *b, const char *text)
{
    return quoted(b->w, b->scratch, Q_REGEX, text);
}

const char *block_pattern(struct block *b, const char *pattern)
{
    return quoted(b->w, b->scratch, Q_NGINX_REGEX, pattern);
}

const char *nginx_value(struct writer *w, struct arena *a, const char *before, const char *text, const char *after)
{
    const char *q = quoted(w, a, Q_NGINX, text);
    size_t n = strlen(q);
    if (q[0] == '"')
        return arena_printf(a, "\"%s%.*s%s\"", before, (int)(n - 2), q + 1, after);
    return arena_printf(a, "\"%s%s%s\"", before, q, after);
}

const char *block_value(struct block *b, const char *before, const char *text, const char *after)
{
    return nginx_value(b->w, b->scratch, before, text, after);
}

void block_proven(struct block *b, int rc)
{
    if (rc && !b->m->failed) {
        b->m->failed = 1;
        buf_printf(b->m->err, " (nginx, rule %zu)", (size_t)b->r->index + 1);
    }
}

void block_prove_pair(struct block *b, const char *pattern, const char *yes, const char *no)
{
    strings y = { 0 }, n = { 0 };
    vec_add(b->scratch, &y, yes);
    if (no)
        vec_add(b->scratch, &n, no);
    if (!b->m->failed)
        block_proven(b, regex_prove(pattern, &y, &n, b->m->err));
}

/* ---- what the rule is like ------------------------------------------------------------ */
bool rule_needs_host(const struct plan_rule *r, const struct cluster *c, const struct member *member)
{
    return !r->rule->all_names && (c->all_names || member->names != c->names.n);
}

static bool is_closed(const struct plan_rule *r)
{
    return r->closed & ON(TARGET_NGINX);
}

static bool may_forward(const struct plan_rule *r)
{
    return r->rule->action == ACTION_ALLOW && r->forwards;
}

/* Its users sign in to publishd, behind nginx. */
static bool goes_through(const struct plan_rule *r)
{
    return r->preauth & ON(TARGET_NGINX) && !is_closed(r);
}

/* D-08, "if authenticated": over HTTP a rule that needs a user sends to HTTPS, even where it is closed. */
static bool sends_users_to_https(const struct plan_rule *r)
{
    return may_forward(r) && r->needs_user && r->listener && r->listener->redirect == HTTPS_REDIRECT_AUTHENTICATED;
}

bool rule_has_identity(const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n; i++)
        if (!r->paths.v[i].internal)
            return true;
    return false;
}

bool rule_needs_resolved(const struct plan_rule *r)
{
    return may_forward(r) && !goes_through(r) && (!is_closed(r) || sends_users_to_https(r)) &&
           !rule_publishes_all(r->rule) && rule_has_identity(r->rule);
}

bool rule_has_form(const struct plan_rule *r)
{
    return goes_through(r) && r->listener->forms != FORMS_NONE;
}

bool rule_blocks_sign_in(const struct plan_rule *r)
{
    return may_forward(r) && !is_closed(r) && !goes_through(r) && r->rule->delegation == DELEGATE_NONE_BLOCK;
}

/* ---- the location ------------------------------------------------------------------------------------ */
/* answer for requests over plain HTTP. true: nothing else comes here, so the location is complete. */
static bool write_over_http(struct block *b, const char *answer)
{
    if (b->at->http && b->at->tls)
        write_line(b->w, "if ($scheme = http) { return %s; }", answer);
    else if (b->at->http)
        write_line(b->w, "return %s;", answer);
    return b->at->http && !b->at->tls;
}

static bool url_is_safe(const char *url)
{
    for (const char *s = url; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return *url && strlen(url) < NGINX_VALUE_MAX / 8;
}

static void write_closed(struct block *b)
{
    write_line(b->w, "return 403;    # closed on nginx: the report says why");
}

static void write_static(struct block *b)
{
    const struct rule *rule = b->r->rule;
    bool closed = is_closed(b->r);
    if (!closed && rule->action == ACTION_DENY && rule->redirect_url && url_is_safe(rule->redirect_url))
        write_line(b->w, "return 302 %s;", quoted(b->w, b->scratch, Q_NGINX, rule->redirect_url));
    else if (rule->action == ACTION_DENY)
        write_line(b->w, "return 403;");
    else if (closed)
        write_closed(b);
    else
        write_line(b->w, "return 403;    # no published server");
}

/* In the order of D-06: what leaves the published paths, SSL, the way to HTTPS, what is closed; then forward. */
static void write_answer(struct block *b)
{
    const struct plan_rule *r = b->r;
    const struct plan_listener *l = b->at->listener;
    bool missing = (b->at->http && !r->to[0].servers.n) || (b->at->tls && !r->to[1].servers.n);
    bool to_https = sends_users_to_https(r) && l->https && b->at->http;
    if (!may_forward(r) || missing || (is_closed(r) && !to_https)) {
        write_static(b);
        return;
    }
    if (goes_through(r)) {
        block_through_publishd(b);
        return;
    }
    if (rule_rewrites(r->rule))
        block_rewrites(b);
    else if (rule_needs_resolved(r))
        block_places(b, NULL);
    if (r->rule->require_ssl && write_over_http(b, "403"))
        return;
    if (to_https) {
        const char *port = l->https == 443 ? "" : arena_printf(b->scratch, ":%u", (unsigned)l->https);
        if (write_over_http(b, arena_printf(b->scratch, "302 https://$host%s$request_uri", port)))
            return;
    }
    if (is_closed(r)) {
        write_closed(b);
        return;
    }
    if (r->wants_certificate)
        write_line(b->w, "if ($ssl_client_verify != SUCCESS) { return 403; }    # B-98");
    if (r->closed_http & ON(TARGET_NGINX) && write_over_http(b, "403"))
        return;
    block_forwarding(b);
}

static void write_comment_only(struct block *b)
{
    const struct plan_rule *r = b->r;
    write_line(b->w, "#   %s",
               !r->rule->enabled ? "disabled at the source"
               : !r->listener    ? "answers nothing: its listener is not in the export"
                                 : "answers nothing: it has no usable name or path");
}

void nginx_rule(struct maker *m, const struct place *at, const struct cluster *c, const struct member *member)
{
    const struct plan_rule *r = &m->plan->rules.v[member->rule];
    struct block b = { .m = m, .scratch = arena_new(), .w = &m->body, .at = at, .r = r };
    const char *id = rule_id(b.scratch, r);
    struct rule_lines *lines = &m->out->rules.v[member->rule];
    write_blank(&m->body);
    lines->first = (uint32_t)maker_line(m);
    write_rule_heading(&m->body, r);
    if (!member->live) {
        write_comment_only(&b);
    } else {
        if (!at->simple)
            block_conditions(&b, rule_needs_host(r, c, member), id);
        write_line(&m->body, at->simple ? "location / {%s" : "location = %s {", at->simple ? "" : id);
        m->body.depth++;
        write_answer(&b);
        m->body.depth--;
        write_line(&m->body, "}");
    }
    lines->last = (uint32_t)maker_line(m) - 1;
    arena_free(b.scratch);
}
