/* decide: see decide.h. The order of the checks is the order in which the source product made them; every target
 * and every test follows it. */
#include "decide.h"

#include <string.h>

const char *const condition_names[] = { "matched", "disabled", "listener", "name", "path", "source", "schedule" };
const char *const answer_names[] = { "no-rule",    "to-https",   "deny",       "deny-redirect",     "dots",
                                     "needs-ssl",  "needs-user", "wrong-user", "pass-over-http",    "unknown",
                                     "no-backend", "forward",    "filtered",   "needs-certificate", "options" };

/* ---- host and path ------------------------------------------------------ */

const char *host_canonical(struct arena *a, const char *host)
{
    if (!host)
        return "";
    size_t n = strcspn(host, ":");
    if (n && host[n - 1] == '.')
        n--;
    char *h = arena_strndup(a, host, n);
    for (size_t i = 0; i < n; i++)
        h[i] = ascii_lower(h[i]);
    return h;
}

bool name_matches(const struct public_name *name, const char *host)
{
    if (name->kind != NAME_WILDCARD)
        return strcmp(name->name, host) == 0;
    const char *suffix = name->name + 1; /* ".x" */
    size_t n = strlen(host), s = strlen(suffix);
    return n > s && host[0] != '.' && strcmp(host + n - s, suffix) == 0;
}

bool path_matches(const struct path *p, const char *path, size_t n)
{
    size_t len = strlen(p->external);
    if (n < len || ascii_ncasecmp(path, p->external, len) != 0)
        return false;
    switch (p->kind) {
    case PATH_EXACT: return n == len;
    case PATH_STEM: return true;
    case PATH_PREFIX: break;
    }
    return len == 0 || n == len || path[len] == '/';
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character at s[*i] after one decoding; *i moves past it. */
static char decode_once(const char *s, size_t n, size_t *i)
{
    char c = s[(*i)++];
    if (c == '%' && n - *i >= 2 && hex(s[*i]) >= 0 && hex(s[*i + 1]) >= 0) {
        c = (char)(hex(s[*i]) * 16 + hex(s[*i + 1]));
        *i += 2;
    }
    return c;
}

/* The character at s[*i] after up to two decodings ("%252e", "%%32e" and "%2%65" are dots then); *deep: it took two, or one for a backslash, or is a plain backslash. */
static char decode_twice(const char *s, size_t n, size_t *i, bool *deep)
{
    size_t at = *i;
    char c = decode_once(s, n, &at);
    if (c == '%') {
        size_t next = at;
        if (next < n) {
            int hi = hex(decode_once(s, n, &next));
            int lo = hi >= 0 && next < n ? hex(decode_once(s, n, &next)) : -1;
            char d = lo >= 0 ? (char)(hi * 16 + lo) : '\0';
            if (d == '.' || d == '/' || d == '\\') {
                *deep = true;
                *i = next;
                return d;
            }
        }
    }
    *deep = c == '\\';
    *i = at;
    return c;
}

/* Only what is encoded, or two dots side by side, can be a ".." segment. */
static bool may_have_dots(const char *path, size_t n)
{
    if (memchr(path, '%', n))
        return true;
    for (const char *p = path, *end = path + n; (p = memchr(p, '.', (size_t)(end - p))) && p + 1 < end; p++)
        if (p[1] == '.')
            return true;
    return false;
}

bool path_has_dots(const char *path, size_t n)
{
    if (!may_have_dots(path, n))
        return false;
    size_t dots = 0; /* of the segment so far; 3: it holds something else */
    for (size_t i = 0; i < n;) {
        bool deep;
        char c = decode_twice(path, n, &i, &deep);
        if (c == '/' || c == '\\') {
            if (dots == 2)
                return true;
            dots = 0;
        } else {
            dots = c == '.' && dots < 2 ? dots + 1 : 3;
        }
    }
    return dots == 2;
}

bool path_has_deep(const char *path, size_t n)
{
    for (size_t i = 0; i < n;) {
        bool deep;
        decode_twice(path, n, &i, &deep);
        if (deep)
            return true;
    }
    return false;
}

bool rule_publishes_all(const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n; i++)
        if (r->paths.v[i].kind == PATH_PREFIX && !*r->paths.v[i].external && !rule_rewrites(r))
            return true;
    return false;
}

bool rule_rewrites(const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n; i++)
        if (r->paths.v[i].internal)
            return true;
    return false;
}

/* Decodes once and resolves "." and ".." segments between slashes; what climbs above the root stays there. */
static size_t resolve(const char *path, size_t n, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < n;)
        out[len++] = decode_once(path, n, &i);
    size_t to = 0;
    for (size_t from = 0; from < len;) {
        size_t end = from + 1; /* from stands on a slash, except at a path that has none */
        while (end < len && out[end] != '/')
            end++;
        bool slash = out[from] == '/';
        size_t seg = end - from - slash;
        const char *s = out + from + slash;
        bool up = seg == 2 && s[0] == '.' && s[1] == '.', stay = seg == 1 && s[0] == '.';
        while (up && to > 0 && out[--to] != '/')
            ;
        if (!up && !stay) {
            memmove(out + to, out + from, end - from);
            to += end - from;
        } else if (end == len) {
            out[to++] = '/'; /* "/a/b/.." is "/a/" (RFC 3986) */
        }
        from = end;
    }
    if (to == 0)
        out[to++] = '/';
    return to;
}

bool path_escapes(const struct rule *r, const struct path *m, const char *path, size_t n)
{
    if (rule_publishes_all(r) || !path_has_dots(path, n))
        return false;
    if (m->internal || path_has_deep(path, n))
        return true;
    struct arena *a = arena_new();
    char *flat = arena_alloc(a, n + 1);
    size_t len = resolve(path, n, flat);
    bool inside = false;
    for (size_t i = 0; i < r->paths.n && !inside; i++)
        inside = !r->paths.v[i].internal && path_matches(&r->paths.v[i], flat, len);
    arena_free(a);
    return !inside;
}

/* ---- the request -------------------------------------------------------- */

void decide_read(const struct request *q, struct arena *a, struct addressed *out)
{
    const char *p = q->target, *host = q->host;
    if (ascii_ncasecmp(p, "http://", 7) == 0 || ascii_ncasecmp(p, "https://", 8) == 0) {
        p = strstr(p, "//") + 2;
        size_t n = strcspn(p, "/?");
        host = arena_strndup(a, p, n);
        p += n;
    }
    out->path_n = strcspn(p, "?");
    out->url = out->path_n ? p : arena_printf(a, "/%s", p);
    out->path_n += out->path_n == 0;
    out->host = host_canonical(a, host);
    out->host_sent = host;
}

/* Where path m sends the request (D-04). */
static const char *forwarded_target(struct arena *a, const struct path *m, const struct addressed *asked)
{
    if (!m->internal)
        return asked->url;
    const char *rest = asked->url + (m->kind == PATH_EXACT ? asked->path_n : strlen(m->external));
    size_t n = strlen(m->internal), rest_n = strlen(rest);
    bool slash = n ? m->internal[0] != '/' : *rest != '/' || m->kind == PATH_EXACT;
    char *to = arena_alloc(a, slash + n + rest_n + 1);
    *to = '/';
    memcpy(to + slash, m->internal, n);
    memcpy(to + slash + n, rest, rest_n);
    return to;
}

long rule_last_port(const struct rule *r)
{
    return r->source_port_high ? r->source_port_high : r->source_port_low;
}

static enum condition first_failed(const struct plan_rule *r, const struct request *q, const struct addressed *asked,
                                   int *matched)
{
    const struct rule *rule = r->rule;
    size_t i;
    if (!rule->enabled)
        return FAILED_DISABLED;
    if (!r->answers)
        return FAILED_LISTENER;
    if (!rule->all_names) {
        for (i = 0; i < rule->names.n && !name_matches(&rule->names.v[i], asked->host); i++)
            ;
        if (!*asked->host || i == rule->names.n)
            return FAILED_NAME;
    }
    for (i = 0; i < rule->paths.n && !path_matches(&rule->paths.v[i], asked->url, asked->path_n); i++)
        ;
    if (i == rule->paths.n)
        return FAILED_PATH;
    *matched = (int)i;
    if (!r->any_source && !r->sources_unknown && !ipset_has(&r->sources, q->client))
        return FAILED_SOURCE;
    if (q->client_port && (rule->source_port_low || rule->source_port_high) &&
        (q->client_port < rule->source_port_low || q->client_port > rule_last_port(rule)))
        return FAILED_SOURCE;
    return MATCHED;
}

static bool schedule_holds(const struct policy *p, const char *name, int hour)
{
    const struct schedule *s = policy_schedule(p, name);
    return !s || hour < 0 || hour >= 168 || s->hours[hour / 8] >> (7 - hour % 8) & 1;
}

static bool has_user_set(const struct request *q, const struct rule *r)
{
    for (size_t i = 0; q->user_sets && i < q->user_sets->n; i++)
        for (size_t j = 0; j < r->users.n; j++)
            if (ascii_casecmp(q->user_sets->v[i], r->users.v[j]) == 0)
                return true;
    return false;
}

/* D-08: host without port, the port unless it is 443, the target as sent. */
static const char *https_location(const struct plan *p, const struct request *q, struct arena *a,
                                  const struct addressed *asked)
{
    uint16_t port = p->listeners.v[q->listener].https;
    const char *suffix = port == 443 ? "" : arena_printf(a, ":%u", port);
    return arena_printf(a, "https://%s%s%s", asked->host, suffix, asked->url);
}

/* What becomes of a request that nothing stands in the way of. */
static enum answer passed(const struct rule *rule, const struct request *q)
{
    return !rule->pass_options && q->method && !strcmp(q->method, "OPTIONS") ? ANSWER_OPTIONS : ANSWER_FORWARD;
}

/* What the matched rule does, in the order of D-06 to D-09; the HTTP filter not asked. */
static enum answer act_unfiltered(const struct plan *p, const struct request *q, const struct plan_rule *r,
                                  const struct addressed *asked, struct arena *a, struct decision *d)
{
    const struct rule *rule = r->rule;
    const struct path *m = &rule->paths.v[d->path];
    if (rule->action == ACTION_DENY) {
        d->location = rule->redirect_url;
        return rule->redirect_url ? ANSWER_DENY_REDIRECT : ANSWER_DENY;
    }
    if (path_escapes(rule, m, asked->url, asked->path_n))
        return ANSWER_DOTS;
    if (rule->require_ssl && !q->tls)
        return ANSWER_NEEDS_SSL;
    if (!r->forwards)
        return ANSWER_NO_BACKEND;
    d->to = &r->to[q->tls];
    d->host = rule->forward_host ? asked->host_sent : rule->site;
    d->target = forwarded_target(a, m, asked);
    if (r->needs_user && !q->tls && r->listener->redirect == HTTPS_REDIRECT_AUTHENTICATED &&
        p->listeners.v[q->listener].https) {
        d->location = https_location(p, q, a, asked);
        return ANSWER_HTTPS;
    }
    if (rule->client_certificate == CERTIFICATE_REQUIRED && q->certificate < 0)
        return ANSWER_NEEDS_CERTIFICATE;
    if (r->needs_user && !q->user)
        return ANSWER_NEEDS_USER;
    if (!rule->all_users && !has_user_set(q, rule))
        return ANSWER_WRONG_USER;
    if (rule->delegation == DELEGATE_NONE_PASS && !listener_authenticates(r->listener) && !q->tls)
        return ANSWER_PASS_OVER_HTTP;
    return passed(rule, q);
}

/* The filter looks at what would be passed on, or would be once a user is there (B-131). */
static enum answer act(const struct plan *p, const struct request *q, const struct plan_rule *r,
                       const struct addressed *asked, struct arena *a, struct decision *d)
{
    enum answer answer = act_unfiltered(p, q, r, asked, a, d);
    bool passes = answer == ANSWER_FORWARD || answer == ANSWER_OPTIONS || answer == ANSWER_NEEDS_USER ||
                  answer == ANSWER_WRONG_USER || answer == ANSWER_PASS_OVER_HTTP;
    if (!r->filter || q->unfiltered || !passes)
        return answer;
    struct filter_question question = { q->method ? q->method : "GET", asked->url, asked->path_n, q->head, q->body };
    d->unfiltered = answer;
    d->filtered = http_filter_refuses(r->filter, &question, a);
    return d->filtered ? ANSWER_FILTERED : answer;
}

static int status_of(enum answer a)
{
    switch (a) {
    case ANSWER_OPTIONS: return 200;
    case ANSWER_FILTERED: return 502;
    case ANSWER_HTTPS:
    case ANSWER_DENY_REDIRECT: return 302;
    case ANSWER_FORWARD:
    case ANSWER_NEEDS_USER: return 0;
    default: return 403;
    }
}

/* What is answered before any rule is looked at (D-08). */
static void decide_first(const struct plan *p, const struct request *q, const struct addressed *asked, struct arena *a,
                         struct decision *d)
{
    const struct plan_listener *l = &p->listeners.v[q->listener];
    *d = (struct decision){ .answer = ANSWER_NO_RULE, .rule = -1, .path = -1, .status = 403 };
    if (!q->tls && l->https && l->listener->redirect == HTTPS_REDIRECT_ALWAYS) {
        d->answer = ANSWER_HTTPS;
        d->location = https_location(p, q, a, asked);
        d->status = status_of(ANSWER_HTTPS);
    }
}

/* MATCHED: this rule answers, and *d says what. */
static enum condition judge(const struct plan *p, const struct request *q, const struct addressed *asked,
                            uint32_t index, struct arena *a, struct decision *d)
{
    const struct plan_rule *r = &p->rules.v[index];
    int matched = -1;
    enum condition failed = first_failed(r, q, asked, &matched);
    if (failed == MATCHED && r->rule->schedule && !schedule_holds(p->policy, r->rule->schedule, q->hour))
        failed = FAILED_SCHEDULE;
    if (failed != MATCHED)
        return failed;
    d->rule = (int)index;
    d->path = matched;
    d->answer = d->otherwise = act(p, q, r, asked, a, d);
    if (r->sources_unknown || r->rule->schedule_unknown)
        d->answer = ANSWER_UNKNOWN;
    d->status = status_of(d->answer);
    return MATCHED;
}

void decide(const struct plan *p, const struct request *q, bool want_trail, struct arena *a, struct decision *d)
{
    struct addressed asked;
    const struct plan_listener *l = &p->listeners.v[q->listener];
    decide_read(q, a, &asked);
    decide_first(p, q, &asked, a, d);
    for (size_t i = 0; d->answer == ANSWER_NO_RULE && d->rule < 0 && i < l->rules.n; i++) {
        enum condition failed = judge(p, q, &asked, l->rules.v[i], a, d);
        if (failed != MATCHED && want_trail)
            vec_add(a, &d->trail, ((struct trail){ l->rules.v[i], failed }));
    }
}

void decide_among(const struct plan *p, const struct request *q, const struct addressed *asked, struct candidates *c,
                  struct arena *a, struct decision *d)
{
    decide_first(p, q, asked, a, d);
    if (d->answer != ANSWER_NO_RULE)
        return;
    for (uint32_t i = c->next(c); i != UINT32_MAX && judge(p, q, asked, i, a, d) != MATCHED;)
        i = c->next(c);
}

void decide_for_target(const struct plan *p, enum target t, const struct request *q, struct decision *d)
{
    if (d->rule < 0)
        return;
    const struct plan_rule *r = &p->rules.v[d->rule];
    bool by_publishd = t == TARGET_PUBLISHD || r->preauth & ON(t);
    bool closed = r->closed & ON(t) || (!q->tls && r->closed_http & ON(t));
    switch (d->otherwise) {
    case ANSWER_DENY:
    case ANSWER_DOTS:
    case ANSWER_NEEDS_SSL:
    case ANSWER_NO_BACKEND:
    case ANSWER_HTTPS: /* these come before anything that a target might be unable to judge */
        d->answer = d->otherwise;
        break;
    case ANSWER_DENY_REDIRECT: d->answer = closed ? ANSWER_DENY : d->otherwise; break;
    case ANSWER_FILTERED:
        if (closed)
            d->answer = ANSWER_UNKNOWN;
        else if (d->filtered & filter_parts_on[by_publishd ? TARGET_PUBLISHD : t])
            d->answer = ANSWER_FILTERED;
        else
            d->answer = !by_publishd ? ANSWER_FORWARD : d->unfiltered;
        break;
    case ANSWER_NEEDS_CERTIFICATE: /* where none is asked for, what is not closed was accepted */
        if (closed)
            d->answer = ANSWER_UNKNOWN;
        else if (by_publishd ? p->listeners.v[q->listener].publishd_asks : r->wants_certificate)
            d->answer = d->otherwise;
        else
            d->answer = !by_publishd                ? ANSWER_FORWARD
                        : r->needs_user && !q->user ? ANSWER_NEEDS_USER
                                                    : passed(r->rule, q);
        break;
    default:
        if (closed)
            d->answer = ANSWER_UNKNOWN;
        else if (!by_publishd)
            d->answer = ANSWER_FORWARD; /* OPTIONS go on; the site map accepted that users, or HTTP, go unchecked */
        else
            d->answer = d->otherwise;
    }
    d->status = status_of(d->answer);
}
