/* nginx_rule: one rule's block - heading, condition, location.
 *
 * The condition is tried in the server's rewrite phase, in the order of the rules, so that the first match wins as in
 * the source (B-01). It looks at the raw path (D-03), which no location of nginx does. A match leaves for a location
 * whose name has no slash in front: no client can ask for it. */
#include "nginx_parts.h"
#include "../auth/place_names.h"

#include <stdlib.h>
#include <string.h>

/* nginx takes no parameter of 4096 bytes, so long lists of names or paths are cut into several conditions. */
enum {
    PIECE_MAX = 1000,   /* bytes of pattern made of names, or of paths, in one condition */
    LITERAL_MAX = 1000, /* bytes of one escaped path; what begins as a longer one is refused */
    VALUE_MAX = 3800,   /* bytes of one quoted value */
    TIMEOUT_DEFAULT = 120
};

struct block {
    struct maker *m;
    struct arena *scratch; /* what only this rule's lines need; the shared objects keep copies */
    struct writer *w;
    const struct place *at;
    const struct plan_rule *r;
    const char *action; /* of the conditions: where they lead */
};

static const char *escaped(struct block *b, const char *text)
{
    return quoted(b->w, b->scratch, Q_REGEX, text);
}

static const char *pattern_quoted(struct block *b, const char *pattern)
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

static const char *value_with(struct block *b, const char *before, const char *text, const char *after)
{
    return nginx_value(b->w, b->scratch, before, text, after);
}

static void proven(struct block *b, int rc)
{
    if (rc && !b->m->failed) {
        b->m->failed = 1;
        buf_printf(b->m->err, " (nginx, rule %zu)", (size_t)b->r->index + 1);
    }
}

/* Proves one pattern on one text that it must match and one that it must not. */
static void prove_pair(struct block *b, const char *pattern, const char *yes, const char *no)
{
    strings y = { 0 }, n = { 0 };
    vec_add(b->scratch, &y, yes);
    if (no)
        vec_add(b->scratch, &n, no);
    if (!b->m->failed)
        proven(b, regex_prove(pattern, &y, &n, b->m->err));
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

static bool has_identity(const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n; i++)
        if (!r->paths.v[i].internal)
            return true;
    return false;
}

bool rule_needs_resolved(const struct plan_rule *r)
{
    return may_forward(r) && !goes_through(r) && (!is_closed(r) || sends_users_to_https(r)) &&
           !rule_publishes_all(r->rule) && has_identity(r->rule);
}

bool rule_has_form(const struct plan_rule *r)
{
    return goes_through(r) && r->listener->forms != FORMS_NONE;
}

bool rule_blocks_sign_in(const struct plan_rule *r)
{
    return may_forward(r) && !is_closed(r) && !goes_through(r) && r->rule->delegation == DELEGATE_NONE_BLOCK;
}

bool nginx_path_too_long(const struct path *p)
{
    struct strbuf b = { 0 };
    if (strlen(p->external) > LITERAL_MAX / 4)
        quote(&b, Q_REGEX, p->external);
    bool is = b.n > LITERAL_MAX;
    buf_free(&b);
    return is;
}

/* ---- condition --------------------------------------------------------------------------- */
/* One more escaped text in a piece of *bytes so far? The first always fits. */
static bool fits(struct block *b, size_t *bytes, const char *text)
{
    size_t n = strlen(escaped(b, text)) + 1;
    if (*bytes && *bytes + n > PIECE_MAX)
        return false;
    *bytes += n;
    return true;
}

/* How many of the names, or paths, go into one pattern. */
static size_t names_piece(struct block *b, const struct public_name *names, size_t n)
{
    size_t bytes = 0, i = 0;
    while (i < n && fits(b, &bytes, names[i].name))
        i++;
    return i;
}

static size_t paths_piece(struct block *b, const struct path *paths, size_t n)
{
    size_t bytes = 0, i = 0;
    while (i < n && fits(b, &bytes, paths[i].external))
        i++;
    return i;
}

/* A request that the condition is for, as its subject spells it. */
static const char *sample(struct block *b, const char *from, const struct public_name *name, const struct path *path)
{
    const char *host = !name                         ? ""
                       : name->kind == NAME_WILDCARD ? arena_printf(b->scratch, "a%s", name->name + 1)
                                                     : name->name;
    return arena_printf(b->scratch, "%s%s%s", from, host, path ? *path->external ? path->external : "/" : "");
}

/* One `if`, for a source set or NULL, a pattern of names or NULL, and a pattern of paths or NULL, without anchors. */
static void write_condition(struct block *b, const char *from, const char *names, const char *paths, const char *text)
{
    struct arena *a = b->scratch;
    if (!names && !paths) {
        write_line(b->w, from ? "if ($%s) { %s }" : "%s%s", from ? from : "", b->action);
        return;
    }
    const char *subject = !names ? "path" : paths ? "where" : "host";
    const char *pattern =
        arena_printf(a, "^%s%s%s%s", from ? "1 " : "", names ? names : "", paths ? paths : "", paths ? "" : "$");
    if (from) {
        write_line(b->w, "set $key \"$%s %s\";", from, !names ? "$path" : paths ? "$host$path" : "$host");
        subject = "key";
    }
    write_line(b->w, "if ($%s ~* %s) { %s }", subject, pattern_quoted(b, pattern), b->action);
    prove_pair(b, pattern, text, arena_printf(a, " %s", text));
}

/* All pieces of the names, each with one piece of the paths. */
static void write_conditions_for(struct block *b, const char *from, bool host, const char *paths,
                                 const struct path *path)
{
    const struct rule *rule = b->r->rule;
    const char *one = from ? "1 " : "";
    if (!paths[1])
        path = NULL;                 /* all of them */
    paths = path ? paths + 1 : NULL; /* the condition has an anchor of its own */
    if (!host) {
        write_condition(b, from, NULL, paths, sample(b, one, NULL, path));
        return;
    }
    for (size_t i = 0, n; i < rule->names.n; i += n) {
        n = names_piece(b, rule->names.v + i, rule->names.n - i);
        const char *names = regex_names(b->scratch, rule->names.v + i, n);
        if (!b->m->failed)
            proven(b, regex_prove_names(names, rule->names.v + i, n, b->m->err));
        write_condition(b, from, names, paths, sample(b, one, &rule->names.v[i], path));
    }
}

static void write_conditions(struct block *b, bool host, const char *id)
{
    const struct rule *rule = b->r->rule;
    const char *from = shared_conditions(b->m, b->r);
    const char *enter = arena_printf(b->scratch, "rewrite ^ %s last;", id);
    for (size_t i = 0, n; i < rule->paths.n; i += n) {
        const struct path *first = &rule->paths.v[i];
        struct path stem = { .kind = PATH_STEM };
        n = paths_piece(b, first, rule->paths.n - i);
        b->action = enter;
        if (nginx_path_too_long(first)) {
            stem.external = arena_strndup(b->scratch, first->external, LITERAL_MAX / 4);
            first = &stem;
            b->action = "return 403;";
            write_line(b->w, "# closed: nginx cannot hold a path as long as the one that begins like this");
        }
        const char *paths = regex_paths(b->scratch, first, n);
        if (!b->m->failed)
            proven(b, regex_prove_paths(paths, first, n, b->m->err));
        write_conditions_for(b, from, host, paths, first);
    }
}

/* ---- what becomes of dots and of the path ----------------------------------------------------- */
/* $place is the path with its dots resolved: it must be one that the rule publishes as it is. If `into` names a
 * variable, that says whether it is not; else the answer is given here. */
static void write_places(struct block *b, const char *into)
{
    const struct rule *rule = b->r->rule;
    VEC(struct path) same = { 0 };
    for (size_t i = 0; i < rule->paths.n; i++)
        if (!rule->paths.v[i].internal && !nginx_path_too_long(&rule->paths.v[i]))
            vec_add(b->scratch, &same, rule->paths.v[i]);
    bool at_once = !into && same.n && paths_piece(b, same.v, same.n) == same.n;
    if (!at_once)
        write_line(b->w, "set $leaves 1;");
    for (size_t i = 0, n; i < same.n; i += n) {
        n = paths_piece(b, same.v + i, same.n - i);
        const char *pattern = regex_paths(b->scratch, same.v + i, n);
        if (!pattern[1])
            pattern = "^/"; /* all, but not the "" that $place is for what is spelled oddly */
        write_line(b->w, at_once ? "if ($place !~* %s) { return 403; }" : "if ($place ~* %s) { set $leaves 0; }",
                   pattern_quoted(b, pattern));
    }
    if (into)
        write_line(b->w, "set %s $leaves;", into);
    else if (!at_once)
        write_line(b->w, "if ($leaves) { return 403; }");
}

/* Pattern over the request target for what path m takes; what follows its literal is in $rest. */
static const char *rewrite_pattern(struct block *b, const struct path *m)
{
    static const char *const rests[] = {
        [PATH_PREFIX] = "(?<rest>$|[/?].*)", [PATH_EXACT] = "(?<rest>$|\\?.*)", [PATH_STEM] = "(?<rest>.*)"
    };
    enum path_kind kind = m->kind == PATH_PREFIX && !*m->external ? PATH_STEM : m->kind;
    const char *pattern = arena_printf(b->scratch, "^%s%s", escaped(b, m->external), rests[kind]);
    prove_pair(b, pattern, arena_printf(b->scratch, "%s?q", m->external),
               kind == PATH_STEM ? NULL : arena_printf(b->scratch, "%sz", m->external));
    return pattern;
}

/* $to is the target that the server gets (D-04). The paths are tried from the last to the first, so that the one
 * which the source tries first has the last word. */
static void write_rewrites(struct block *b)
{
    const struct rule *rule = b->r->rule;
    bool mixed = has_identity(rule), rooted = true;
    b->m->uses_dots = true;
    if (mixed)
        write_places(b, "$leaves_same");
    else
        write_line(b->w, "if ($dots) { return 403; }");
    write_line(b->w, "set $to $request_uri;");
    for (size_t i = rule->paths.n; i-- > 0;) {
        const struct path *m = &rule->paths.v[i];
        if (nginx_path_too_long(m))
            continue;
        const char *pattern = pattern_quoted(b, rewrite_pattern(b, m));
        const char *value = m->internal ? value_with(b, "", m->internal, "$rest") : "$request_uri";
        const char *leaves = !mixed ? "" : m->internal ? " set $leaves $dots;" : " set $leaves $leaves_same;";
        if (strlen(value) > VALUE_MAX)
            write_line(b->w, "if ($request_uri ~* %s) { return 403; }", pattern);
        else
            write_line(b->w, "if ($request_uri ~* %s) { set $to %s;%s }", pattern, value, leaves);
        rooted &= !m->internal || m->internal[0] == '/';
    }
    if (mixed)
        write_line(b->w, "if ($leaves) { return 403; }");
    if (!rooted)
        write_line(b->w, "if ($to !~ ^/) { set $to /$to; }");
}

/* ---- what comes back (D-15) --------------------------------------------------------------------- */
static const char *origin_pattern(struct block *b)
{
    const struct rule *rule = b->r->rule;
    struct strbuf p = { 0 };
    bool both = rule->server && rule->site && ascii_casecmp(rule->server, rule->site) != 0;
    buf_printf(&p, both ? "^https?://(?:%s|%s)" : "^https?://%s", escaped(b, rule->site ? rule->site : rule->server),
               both ? escaped(b, rule->server) : "");
    buf_printf(&p, rule->http_port == rule->ssl_port ? "(?::%ld)?" : "(?::(?:%ld|%ld))?", rule->http_port,
               rule->ssl_port);
    const char *s = arena_strndup(b->scratch, p.p, p.n);
    buf_free(&p);
    return s;
}

static int longest_internal_first(const void *x, const void *y)
{
    const struct path *const *p = x, *const *q = y;
    size_t n = strlen((*p)->internal), m = strlen((*q)->internal);
    return n != m ? (n < m) - (n > m) : (*p > *q) - (*p < *q);
}

static void add_pair(struct block *b, strings *pairs, const char *pattern, const char *value)
{
    const char *q = pattern_quoted(b, arena_printf(b->scratch, "~*%s", pattern));
    if (strlen(q) > VALUE_MAX || strlen(value) > VALUE_MAX)
        return;
    vec_add(b->scratch, pairs, q);
    vec_add(b->scratch, pairs, value);
}

/* pattern, value, pattern, value ...: from the server's own address and internal path to the client's. */
static void return_pairs(struct block *b, strings *pairs)
{
    static const char *const rests[] = {
        [PATH_PREFIX] = "(?<below>$|[/?#].*)", [PATH_EXACT] = "(?<below>$|[?#].*)", [PATH_STEM] = "(?<below>.*)"
    };
    const struct rule *rule = b->r->rule;
    const char *origin = origin_pattern(b);
    VEC(const struct path *) moved = { 0 };
    for (size_t i = 0; i < rule->paths.n; i++)
        if (rule->paths.v[i].internal && !nginx_path_too_long(&rule->paths.v[i]))
            vec_add(b->scratch, &moved, &rule->paths.v[i]);
    if (moved.n > 1)
        qsort(moved.v, moved.n, sizeof *moved.v, longest_internal_first);
    for (size_t i = 0; i < moved.n; i++) {
        const struct path *m = moved.v[i];
        enum path_kind kind = *m->internal ? m->kind : PATH_PREFIX; /* the server's name must end here */
        const char *pattern = arena_printf(b->scratch, "%s%s%s", origin, escaped(b, m->internal), rests[kind]);
        add_pair(b, pairs, pattern, value_with(b, "$scheme://$http_host", m->external, "$below"));
        prove_pair(b, pattern,
                   arena_printf(b->scratch, "HTTP://%s%s?q", rule->site ? rule->site : rule->server, m->internal), "/");
    }
    if (!moved.n || *moved.v[moved.n - 1]->internal)
        add_pair(b, pairs, arena_printf(b->scratch, "%s%s", origin, rests[PATH_PREFIX]), "$scheme://$http_host$below");
}

static void write_returns(struct block *b)
{
    const struct rule *rule = b->r->rule;
    strings pairs = { 0 };
    if (!rule->site && !rule->server) {
        write_line(b->w, "proxy_redirect off;");
        return;
    }
    return_pairs(b, &pairs);
    for (size_t i = 0; i + 1 < pairs.n; i += 2)
        write_line(b->w, "proxy_redirect %s %s;", pairs.v[i], pairs.v[i + 1]);
    const char *about = rule_rewrites(rule) || !rule->site ? rule->name : rule->site;
    write_line(b->w, "add_header Content-Location $%s always;", shared_content_location(b->m, about, &pairs));
}

/* ---- forwarding ------------------------------------------------------------------------------------ */
/* "https://exch01_443", or a variable that holds it where it depends on the client's scheme (B-49). */
static const char *server_url(struct block *b)
{
    const char *url[2] = { NULL, NULL };
    for (int s = 0; s < 2; s++)
        if (s ? b->at->tls : b->at->http)
            url[s] = arena_printf(b->scratch, "http%s://%s", b->r->to[s].tls ? "s" : "",
                                  shared_upstream(b->m, b->r, &b->r->to[s]));
    if (!url[0] || !url[1] || !strcmp(url[0], url[1]))
        return url[0] ? url[0] : url[1];
    return arena_printf(b->scratch, "$%s", shared_scheme(b->m, b->r->rule->name, url[0], url[1]));
}

static void write_header(struct block *b, const char *name, const char *value)
{
    write_line(b->w, "proxy_set_header %s %s;", name, value);
}

/* B-64, B-65. The server is asked for a compressed answer whatever the client takes, as the source did, and nginx unpacks it for who
 * does not; but not where nginx must read it, or for clients for whom nothing is compressed. */
static void write_compression(struct block *b, bool translates)
{
    const struct plan_rule *r = b->r;
    bool passes = r->rule->accept_encoding && !translates;
    bool compresses = r->compresses && b->m->types.n;
    const char *clients = compresses ? shared_compressed(b->m, r) : NULL;
    bool asks = r->asks_gzip && compresses && !r->rule->accept_encoding && !translates;
    if (asks)
        write_header(b, "Accept-Encoding", arena_printf(b->scratch, "$%s", shared_asks(b->m, clients)));
    else if (!passes)
        write_header(b, "Accept-Encoding", "\"\"");
    if (asks)
        write_line(b->w, "gunzip on;");
    if (compresses)
        write_line(b->w, "gzip on;    # B-65");
    else if (r->rule->accept_encoding && translates) /* what the server no longer compresses */
        write_line(b->w, "gzip on; gzip_proxied any; gzip_vary on;");
    if (clients)
        write_line(b->w, "if ($%s = 0) { gzip off; }", clients);
}

/* What the client sent passes; only these differ (D-10 to D-12, D-17). */
static void write_headers(struct block *b, bool translates)
{
    const struct plan_rule *r = b->r;
    const struct rule *rule = r->rule;
    bool passes = rule->delegation == DELEGATE_NONE_PASS || rule->delegation == DELEGATE_BASIC;
    write_header(b, "Host",
                 rule->forward_host || !rule->site ? "$http_host" : quoted(b->w, b->scratch, Q_NGINX, rule->site));
    write_header(b, "Connection", r->websocket ? "$connection_upgrade" : "\"\"");
    if (r->websocket) {
        write_header(b, "Upgrade", "$http_upgrade");
        b->m->uses_upgrade = true;
    }
    if (!passes)
        write_header(b, "Authorization", "\"\"");
    if (b->m->plan->site->preauth == PREAUTH_PUBLISHD)
        write_header(b, PREAUTH_CLIENT, "\"\"");
    write_compression(b, translates);
    if (rule->front_end_https)
        write_header(b, "Front-End-Https", "On");
    if (r->x_forwarded_for)
        write_header(b, "X-Forwarded-For", "$remote_addr");
    if (r->via && strlen(r->via) < VALUE_MAX / 8) {
        write_header(b, "Via", value_with(b, "${via_before}", r->via, ""));
        b->m->uses_via = true;
    }
}

static void write_patience(struct block *b)
{
    static const char *const timeouts[] = { "proxy_read_timeout", "proxy_send_timeout", "client_body_timeout",
                                            "send_timeout" };
    long seconds = rule_read_timeout(b->m->plan, b->r);
    for (size_t i = 0; seconds != TIMEOUT_DEFAULT && i < sizeof timeouts / sizeof *timeouts; i++)
        write_line(b->w, "%s %lds;", timeouts[i], seconds);
}

static void write_forwarding(struct block *b)
{
    const struct plan_rule *r = b->r;
    const char *url = server_url(b);
    bool rewrites = rule_rewrites(r->rule), tls = (b->at->http && r->to[0].tls) || (b->at->tls && r->to[1].tls);
    nginx_filter(b->m, r);
    write_line(b->w, "proxy_pass %s%s;", url, rewrites ? "$to" : b->at->simple && url[0] != '$' ? "" : "$request_uri");
    if (tls && r->rule->site)
        write_line(b->w, "proxy_ssl_name %s;", quoted(b->w, b->scratch, Q_NGINX, r->rule->site));
    if (tls && r->shows) {
        write_line(b->w, "proxy_ssl_certificate %s;    # B-51", pattern_quoted(b, r->shows->chain));
        write_line(b->w, "proxy_ssl_certificate_key %s;", pattern_quoted(b, r->shows->key));
    }
    if (r->transparent)
        write_line(b->w, "proxy_bind $remote_addr transparent;    # B-59: the host needs routes for it");
    write_headers(b, nginx_links(b->m, b->at, r));
    nginx_answer_filter(b->m, r);
    if (rule_blocks_sign_in(r)) {
        write_line(b->w, "proxy_intercept_errors on;");
        write_line(b->w, "error_page 401 =403 @blocked;");
    }
    write_returns(b);
    write_patience(b);
}

/* The request goes on as it came: publishd applies the rule, and learns the client's address by a header of which nginx lets no
 * client's own pass. A server that signs clients in by connection must not see two of them on one, behind publishd either. */
static void write_through_publishd(struct block *b)
{
    const struct plan_rule *r = b->r;
    bool kept = r->rule->delegation != DELEGATE_NONE_PASS;
    const char *url[2] = { NULL, NULL };
    for (int s = 0; s < 2; s++)
        if (s ? b->at->tls : b->at->http)
            url[s] = arena_printf(b->scratch, "http://%s", shared_publishd(b->m, b->at->listener, s, kept));
    write_line(b->w, "# its users sign in to publishd");
    if (url[0] && url[1])
        write_line(b->w, "proxy_pass $%s$request_uri;", shared_scheme(b->m, "publishd", url[0], url[1]));
    else
        write_line(b->w, "proxy_pass %s$request_uri;", url[0] ? url[0] : url[1]);
    write_header(b, "Host", "$http_host");
    write_header(b, PREAUTH_CLIENT, "$remote_addr");
    write_header(b, "Connection", r->websocket ? "$connection_upgrade" : "\"\"");
    if (r->websocket) {
        write_header(b, "Upgrade", "$http_upgrade");
        b->m->uses_upgrade = true;
    }
    write_line(b->w, "proxy_redirect off;");
    write_line(b->w, "add_header Content-Location $upstream_http_content_location always;");
    write_patience(b);
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
    return *url && strlen(url) < VALUE_MAX / 8;
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
        write_through_publishd(b);
        return;
    }
    if (rule_rewrites(r->rule))
        write_rewrites(b);
    else if (rule_needs_resolved(r))
        write_places(b, NULL);
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
    write_forwarding(b);
}

void nginx_form_places(struct maker *m, const struct place *at, const struct cluster *c, const struct member *member)
{
    const struct plan_rule *r = &m->plan->rules.v[member->rule];
    if (!member->live || !rule_has_form(r))
        return;
    struct path places[4] = { { .external = arena_strndup(m->arena, PLACES, strlen(PLACES) - 1),
                                .kind = PATH_PREFIX } };
    size_t n = 1;
    for (const char *old = PLACES_OLD; *old; old += strcspn(old, " ")) {
        old++;
        places[n++] = (struct path){ .external = arena_strndup(m->arena, old, strcspn(old, " ")), .kind = PATH_EXACT };
    }
    struct block b = { .m = m, .scratch = arena_new(), .w = &m->body, .at = at, .r = r };
    b.action = arena_printf(b.scratch, "rewrite ^ %s last;", rule_id(b.scratch, r));
    write_line(b.w, "# publishd's sign-in form, and the source's address of it (B-84)");
    write_conditions_for(&b, NULL, rule_needs_host(r, c, member), regex_paths(b.scratch, places, n), &places[0]);
    arena_free(b.scratch);
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
    write_rule_heading(&m->body, m->plan, r);
    if (!member->live) {
        write_comment_only(&b);
    } else {
        if (!at->simple)
            write_conditions(&b, rule_needs_host(r, c, member), id);
        write_line(&m->body, at->simple ? "location / {%s" : "location = %s {", at->simple ? "" : id);
        m->body.depth++;
        write_answer(&b);
        m->body.depth--;
        write_line(&m->body, "}");
    }
    lines->last = (uint32_t)maker_line(m) - 1;
    arena_free(b.scratch);
}
