/* haproxy_rule: the block of one rule, its backend. The order inside follows the decisions: what refuses comes
 * first (D-05 to D-09), then what the published server gets (D-10 to D-12, D-17), where (D-04), and what becomes of
 * its answer (D-11, D-15). */
#include "haproxy.h"
#include "filter.h"
#include "../ir/compression.h"
#include <stdlib.h>
#include <string.h>

#define DENY "http-request deny deny_status 403"

/* ---- refusing ------------------------------------------------------------- */

static size_t count_rewriting(const struct rule *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->paths.n; i++)
        n += r->paths.v[i].internal != NULL;
    return n;
}

/* Takes every request, those for "*" included. */
static bool whole_site(const struct path *p)
{
    return p->kind != PATH_EXACT && !*p->external;
}

/* Which path a request came by, for rules with several of which some are rewritten: txn.path is its number, or 0
 * for one that goes on untouched. The first that matches counts (D-03). */
static void write_path_choice(struct haproxy *h, const struct rule *r)
{
    size_t left = count_rewriting(r), number = 0;
    for (size_t i = 0; i < r->paths.n && left; i++) {
        const struct path *p = &r->paths.v[i];
        const char *first = i ? " !{ var(txn.path) -m found }" : "";
        const char *fits = whole_site(p) ? "" : arena_printf(h->a, " { path -i -m reg %s }", haproxy_paths(h, p, 1));
        if (p->internal)
            left--;
        write_line(&h->w, "http-request set-var(txn.path) int(%zu)%s%s%s", p->internal ? ++number : 0,
                   *first || *fits ? " if" : "", first, fits);
    }
}

/* D-05: where a path is rewritten, dots are refused; else the resolved path must still be one of the rule's. */
static void write_dots(struct haproxy *h, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    size_t rewriting = count_rewriting(rule);
    VEC(struct path) untouched = { 0 };
    if (!haproxy_judges_dots(r))
        return;
    for (size_t i = 0; i < rule->paths.n; i++)
        if (!rule->paths.v[i].internal)
            vec_add(h->a, &untouched, rule->paths.v[i]);
    if (!untouched.n) {
        write_line(&h->w, DENY " if { var(txn.dots) -m found }");
        return;
    }
    if (rewriting)
        write_line(&h->w, DENY " if { var(txn.dots) -m found } { var(txn.path) -m int ge 1 }");
    write_line(&h->w, DENY " if { var(txn.dots) -m found } !{ var(txn.resolved) -i -m reg %s }",
               haproxy_paths(h, untouched.v, untouched.n));
}

/* ---- the HTTP filter (B-131 to B-142) ---------------------------------------- */

#define FILTERED "http-request deny deny_status 502 if"

static void write_filter_checks(struct haproxy *h, const struct http_filter *f)
{
    static const char *const of[] = { [OF_METHOD] = "method", [OF_PATH] = "path", [OF_URL] = "url" };
    filter_checks checks = { 0 };
    if (filter_patterns(h->a, f, &checks, h->err))
        h->failed = true;
    for (size_t i = 0; i < checks.n; i++) {
        const struct filter_check *c = &checks.v[i];
        if (c->only)
            write_indent(&h->w);
        if (c->only)
            write_raw(&h->w, FILTERED);
        for (size_t k = 0; k < c->patterns.n; k++)
            if (c->only)
                write_raw(&h->w, " !{ %s -i -m reg %s }", of[c->of], haproxy_word(h, c->patterns.v[k]));
            else
                write_line(&h->w, FILTERED " { %s -i -m reg %s }", of[c->of], haproxy_word(h, c->patterns.v[k]));
        if (c->only)
            write_raw(&h->w, "\n");
    }
}

/* What it asks of a request, before anything is changed in it. */
static void write_filter(struct haproxy *h, const struct http_filter *f)
{
    if (!f || !(f->parts & FILTER_OF_REQUESTS))
        return;
    write_line(&h->w, "# the HTTP filter (B-131)");
    write_filter_checks(h, f);
    if (f->url_max >= 0)
        write_line(&h->w, FILTERED " { url,length gt %ld }", f->url_max);
    if (f->query_max >= 0)
        write_line(&h->w, FILTERED " { query,length gt %ld }", f->query_max);
    if (f->body_max >= 0)
        write_line(&h->w, FILTERED " { req.hdr(content-length) -m int gt %lld }", f->body_max);
    for (size_t i = 0; i < f->headers.n; i++)
        write_line(&h->w, FILTERED " { req.fhdr_cnt(%s) gt 0 }", f->headers.v[i]);
    for (size_t i = 0; i < f->header_texts.n; i++)
        write_line(&h->w, FILTERED " { req.fhdr(%s) -i -m sub -- %s }", f->header_texts.v[i].header,
                   haproxy_word(h, f->header_texts.v[i].text));
}

static void write_header_action(struct haproxy *h, const char *when, const char *name, enum filter_action action,
                                const char *value)
{
    if (action == HEADER_STRIPPED)
        write_line(&h->w, "%s del-header %s", when, name);
    else if (action == HEADER_REPLACED)
        write_line(&h->w, "%s set-header %s %s", when, name, quoted(&h->w, h->a, Q_HAPROXY_FORMAT, value));
}

static void write_answer_filter(struct haproxy *h, const struct http_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->answer_headers.n; i++)
        write_line(&h->w, "http-response deny deny_status 502 if { res.fhdr_cnt(%s) gt 0 }", f->answer_headers.v[i]);
    for (size_t i = 0; i < f->answer_texts.n; i++)
        write_line(&h->w, "http-response deny deny_status 502 if { res.fhdr(%s) -i -m sub -- %s }",
                   f->answer_texts.v[i].header, haproxy_word(h, f->answer_texts.v[i].text));
    write_header_action(h, "http-response", "Via", f->via, f->via_value);
    write_header_action(h, "http-response", "Server", f->server, f->server_value);
}

/* True if nothing can follow: the rule never forwards. */
static bool write_refusals(struct haproxy *h, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    struct writer *w = &h->w;
    const struct plan_listener *l = haproxy_listener(h->plan, r);
    bool http = haproxy_reach(h->plan, r).http;
    if (haproxy_closed(r)) {
        write_line(w, "# closed here: see the report");
        write_line(w, DENY);
        return true;
    }
    if (rule->action == ACTION_DENY) {
        if (rule->redirect_url)
            write_line(w, "http-request redirect location %s code 302",
                       quoted(w, h->a, Q_HAPROXY_FORMAT, rule->redirect_url));
        else
            write_line(w, DENY);
        return true;
    }
    if (!r->forwards || !haproxy_servers_safe(r, &r->to[0]) || !haproxy_servers_safe(r, &r->to[1])) {
        write_line(w, "# no published server that could be used");
        write_line(w, DENY);
        return true;
    }
    if (rule->paths.n > 1 && count_rewriting(rule))
        write_path_choice(h, rule);
    write_dots(h, r);
    if (http && rule->require_ssl)
        write_line(w, DENY " unless { ssl_fc }");
    else if (http && r->needs_user && l->https && r->listener->redirect == HTTPS_REDIRECT_AUTHENTICATED)
        write_line(w, "http-request redirect location 'https://%%[var(txn.host)]%s%%[url]' code 302 unless { ssl_fc }",
                   l->https == 443 ? "" : arena_printf(h->a, ":%u", (unsigned)l->https));
    else if (http && r->closed_http & ON(TARGET_HAPROXY))
        write_line(w, DENY " unless { ssl_fc }");
    if (r->wants_certificate) /* B-98 */
        write_line(w, DENY " unless { ssl_c_used } { ssl_c_verify 0 }");
    return false;
}

/* ---- the request ------------------------------------------------------------- */

static bool keeps_credentials(const struct rule *r)
{
    return r->delegation == DELEGATE_NONE_PASS || r->delegation == DELEGATE_BASIC;
}

bool haproxy_compresses(const struct plan_rule *r)
{
    return r->compresses && (r->compresses_all || !r->rule->accept_encoding) && !rule_waits(r);
}

/* HAProxy takes what begins like a type for that type. Without a list it compresses all. */
static void write_types(struct haproxy *h)
{
    for (size_t i = 0; i < h->types.n && strcmp(h->types.v[i], "*") != 0; i++) {
        size_t n = strcspn(h->types.v[i], "*");
        if (i % HAPROXY_PATTERNS == 0) {
            write_raw(&h->w, "%s", i ? "\n" : "");
            write_indent(&h->w);
            write_raw(&h->w, "compression type");
        }
        write_raw(&h->w, " %.*s%s", (int)n, h->types.v[i], i + 1 == h->types.n ? "\n" : "");
    }
}

/* B-64, B-65. HAProxy's filter looks at what these lines leave of Accept-Encoding, and with `offload` keeps it from the server. It does
 * not unpack: a server is asked for a compressed answer only where the client takes one. */
static void write_compression(struct haproxy *h, const struct plan_rule *r)
{
    static const char takes[] = "(^|,)\\s*(x-)?gzip\\s*(;\\s*q=(1(\\.0*)?|0\\.[0-9]*[1-9][0-9]*)\\s*)?(,|$)";
    struct writer *w = &h->w;
    bool passes = r->rule->accept_encoding, asks = r->asks_gzip && !passes;
    if (!haproxy_compresses(r) || !h->types.n) {
        if (!passes)
            write_line(w, "http-request del-header Accept-Encoding");
        return;
    }
    if (!r->compresses_all) {
        haproxy_sources(h, "compressed", &r->compresses_for);
        write_line(w, "http-request del-header Accept-Encoding unless compressed");
    }
    if (!passes)
        write_line(w, "http-request del-header Accept-Encoding unless { req.fhdr(Accept-Encoding) -i -m reg %s }%s",
                   haproxy_word(h, takes), asks ? " !{ req.hdr(Range) -m found }" : "");
    if (asks)
        write_line(w, "http-request set-header Accept-Encoding gzip if { req.fhdr(Accept-Encoding) -m found }");
    write_line(w, "compression algo gzip    # B-65");
    if (!asks && !passes)
        write_line(w, "compression offload");
    write_types(h);
}

static void write_headers(struct haproxy *h, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    struct writer *w = &h->w;
    if (!rule->forward_host)
        write_line(w, "http-request set-header Host %s", quoted(w, h->a, Q_HAPROXY_FORMAT, rule->site));
    if (!r->websocket) {
        write_line(w, "http-request del-header Connection if { req.hdr(Upgrade) -m found }");
        write_line(w, "http-request del-header Upgrade");
    }
    write_compression(h, r);
    if (keeps_credentials(rule)) /* HAProxy itself sees only what a server asked for */
        write_line(w, "http-reuse never    # a ticket may sign a connection in that asked for none (B-68)");
    else
        write_line(w, "http-request del-header Authorization");
    if (h->plan->site->preauth == PREAUTH_PUBLISHD)
        write_line(w, "http-request del-header " PREAUTH_CLIENT);
    if (rule->front_end_https)
        write_line(w, "http-request set-header Front-End-Https On");
    if (r->x_forwarded_for)
        write_line(w, "http-request set-header X-Forwarded-For %%[src]");
    if (r->filter && !r->via)
        write_header_action(h, "http-request", "Via", r->filter->via, r->filter->via_value);
    if (r->via)
        write_line(w, "http-request add-header Via %s", quoted(w, h->a, Q_HAPROXY_FORMAT, r->via));
}

/* text with each of these characters doubled: % means something in a format, and \ too where groups are put in. */
static void add_doubled(struct strbuf *b, const char *text, const char *which)
{
    for (; *text; text++) {
        if (strchr(which, *text))
            buf_putc(b, *text);
        buf_putc(b, *text);
    }
}

/* What follows the internal part. The result begins with a slash and is never empty: where nothing stands before the
 * rest, its own slash is taken for that. */
static void add_rest(struct strbuf *b, const struct path *p)
{
    size_t cut = strlen(p->external);
    if (p->kind == PATH_EXACT)
        buf_puts(b, *p->internal ? "" : "/");
    else if (*p->internal)
        buf_printf(b, "%%[path,bytes(%zu)]", cut);
    else if (p->kind == PATH_PREFIX)
        buf_printf(b, "/%%[path,bytes(%zu)]", cut + 1);
    else
        buf_printf(b, "/%%[path,bytes(%zu),regsub(\"^/\",\"\")]", cut);
}

/* D-04: the external part is cut off by its length, whatever its case, and the rest goes on byte for byte. */
static void write_rewriting(struct haproxy *h, const struct rule *r)
{
    size_t number = 0;
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct path *p = &r->paths.v[i];
        if (!p->internal)
            continue;
        const char *when = r->paths.n == 1 ? "" : arena_printf(h->a, " if { var(txn.path) -m int %zu }", ++number);
        struct strbuf to = { 0 };
        bool all = whole_site(p) && *p->internal;
        add_doubled(&to, p->internal, "%");
        if (all)
            buf_puts(&to, "%[url]"); /* nothing to cut off, so the target goes on as it came */
        else
            add_rest(&to, p);
        write_line(&h->w, "http-request %s %s%s", all ? "set-uri" : "set-path", haproxy_word(h, to.p), when);
        buf_free(&to);
    }
}

/* ---- the answer ----------------------------------------------------------------- */

static const char *proven(struct haproxy *h, const char *pattern, const char *yes, const char *also, const char *no)
{
    strings good = { 0 }, bad = { 0 };
    vec_add(h->a, &good, yes);
    vec_add(h->a, &good, also);
    vec_add(h->a, &bad, no);
    if (regex_prove(pattern, &good, &bad, h->err))
        h->failed = true;
    return haproxy_word(h, pattern);
}

/* An absolute URL on the internal site, by either of its names and with or without the redirect ports. What follows
 * the authority is \1. */
static const char *internal_url(struct haproxy *h, const struct rule *r)
{
    struct strbuf b = { 0 };
    const char *server = r->server && ascii_casecmp(r->server, r->site) ? r->server : NULL;
    buf_puts(&b, server ? "(?i)^https?://(?:" : "(?i)^https?://");
    quote(&b, Q_REGEX, r->site);
    if (server) {
        buf_putc(&b, '|');
        quote(&b, Q_REGEX, server);
        buf_putc(&b, ')');
    }
    buf_printf(&b, "(?::(?:%ld|%ld))?([/?#].*)?$", r->http_port, r->ssl_port);
    const char *pattern = arena_strdup(h->a, b.p);
    buf_free(&b);
    return proven(h, pattern, arena_printf(h->a, "http://%s", r->site),
                  arena_printf(h->a, "https://%s:%ld/a?b", server ? server : r->site, r->ssl_port),
                  arena_printf(h->a, "http://%s.example/", r->site));
}

static int by_internal(const void *x, const void *y)
{
    const struct path *const *a = x, *const *b = y;
    size_t n = strlen((*a)->internal), m = strlen((*b)->internal);
    if (n != m)
        return n > m ? -1 : 1;
    return *a < *b ? -1 : *a > *b; /* both stand in the rule's own array, in trying order */
}

/* One rewritten path back to the outside: "site:/int/x" -> origin + "/ext/x". */
static void write_path_back(struct haproxy *h, const char *header, const struct path *p)
{
    static const char *const tail[] = {
        [PATH_PREFIX] = "([/?#].*)?$", [PATH_EXACT] = "([?#].*)?$", [PATH_STEM] = "(.*)$"
    };
    struct strbuf b = { 0 };
    buf_puts(&b, "(?i)^published:");
    quote(&b, Q_REGEX, p->internal);
    buf_puts(&b, tail[p->kind]);
    const char *url = arena_printf(h->a, "published:%s", p->internal);
    const char *pattern = proven(h, arena_strdup(h->a, b.p), url, arena_printf(h->a, "%s?q", url), "http:/");
    buf_clear(&b);
    buf_puts(&b, "%[var(txn.origin)]");
    add_doubled(&b, p->external, "%\\");
    buf_puts(&b, "\\1");
    write_line(&h->w, "http-response replace-header %s %s %s", header, pattern, haproxy_word(h, b.p));
    buf_free(&b);
}

/* D-15. Where paths are rewritten the internal site's name is first marked, so that just one line takes it. */
static void write_locations(struct haproxy *h, const struct rule *r)
{
    static const char *const headers[] = { "Location", "Content-Location" };
    VEC(const struct path *) back = { 0 };
    for (size_t i = 0; i < r->paths.n; i++)
        if (r->paths.v[i].internal)
            vec_add(h->a, &back, &r->paths.v[i]);
    if (back.n)
        qsort(back.v, back.n, sizeof *back.v, by_internal);
    const char *url = internal_url(h, r);
    for (size_t k = 0; k < 2; k++) {
        write_line(&h->w, "http-response replace-header %s %s '%s\\1' if { var(txn.origin) -m found }", headers[k], url,
                   back.n ? "published:" : "%[var(txn.origin)]");
        for (size_t i = 0; i < back.n; i++)
            write_path_back(h, headers[k], back.v[i]);
        if (back.n)
            write_line(&h->w, "http-response replace-header %s ^published:(.*)$ '%%[var(txn.origin)]\\1'", headers[k]);
    }
}

static void write_answer(struct haproxy *h, const struct rule *r)
{
    if (r->delegation == DELEGATE_NONE_BLOCK)
        write_line(&h->w, "http-response deny deny_status 403 if { status 401 }");
    write_locations(h, r);
}

/* ---- the block --------------------------------------------------------------------- */

/* The request goes on as it came: publishd applies the rule, and the PROXY protocol tells it the client's address. Each client
 * has connections of its own, by which NTLM and Negotiate sign in, and which end with the client's. */
static void write_through_publishd(struct haproxy *h, const struct plan_rule *r, bool https)
{
    write_line(&h->w, "# its users sign in to publishd");
    write_line(&h->w, "http-reuse never");
    haproxy_patience(h, r);
    write_line(&h->w, "server publishd " PREAUTH_HOST ":%u send-proxy-v2",
               (unsigned)preauth_port(haproxy_listener(h->plan, r), TARGET_HAPROXY, https));
}

static void write_backend(struct haproxy *h, const struct plan_rule *r, bool http_half)
{
    struct writer *w = &h->w;
    struct reach reach = haproxy_reach(h->plan, r);
    write_line(w, "backend %s", haproxy_backend(h, r, http_half));
    w->depth++;
    if (haproxy_through(r)) {
        write_through_publishd(h, r, !http_half && reach.https);
    } else if (!write_refusals(h, r)) {
        write_filter(h, r->filter);
        write_headers(h, r);
        write_rewriting(h, r->rule);
        write_answer_filter(h, r->filter);
        write_answer(h, r->rule);
        haproxy_servers(h, r, &r->to[!http_half && (reach.https || r->rule->require_ssl)]);
    }
    w->depth--;
}

void haproxy_rule(struct haproxy *h, const struct plan_rule *r)
{
    write_rule_heading(&h->w, r);
    if (!r->rule->enabled) {
        write_line(&h->w, "#   disabled at the source (D-16)");
        return;
    }
    if (!r->answers || haproxy_no_client(r)) {
        write_line(&h->w, "#   answers nothing: it has no listener, name, path or client address that could be used");
        return;
    }
    if (haproxy_splits(h->plan, r))
        write_backend(h, r, true);
    write_backend(h, r, false);
}
