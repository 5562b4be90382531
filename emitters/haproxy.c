/* haproxy: plan -> haproxy.cfg, for HAProxy 2.6 and later.
 *
 * One frontend a listener holds which rule answers: `use_backend` lines in the order of the rules, the first that
 * matches wins (B-01), and what nothing matches gets 403 (B-11). One backend a rule, in rule order, holds what the
 * rule does. Nothing is merged across rules, so that a rule can be read and changed in one place.
 */
#include "../ir/compression.h"
#include "haproxy.h"
#include "../auth/place_names.h"
#include "versions.h"
#include <string.h>

enum { SOURCE_TIMEOUT = 120 }; /* seconds: the source's default for an idle connection (B-76) */

/* ---- small things ----------------------------------------------------- */

const char *haproxy_word(struct haproxy *h, const char *text)
{
    return quoted(&h->w, h->a, Q_HAPROXY, text);
}

const char *haproxy_paths(struct haproxy *h, const struct path *paths, size_t n)
{
    const char *pattern = regex_paths(h->a, paths, n);
    if (regex_prove_paths(pattern, paths, n, h->err))
        h->failed = true;
    return haproxy_word(h, pattern);
}

const char *haproxy_seconds(struct haproxy *h, long seconds)
{
    enum { LONGEST = 24 * 86400 }; /* HAProxy's timers end a little above 24 days */
    if (seconds <= 0)
        seconds = SOURCE_TIMEOUT;
    return arena_printf(h->a, "%lds", seconds > LONGEST ? (long)LONGEST : seconds);
}

const struct plan_listener *haproxy_listener(const struct plan *p, const struct plan_rule *r)
{
    return &p->listeners.v[r->listener - p->policy->listeners.v];
}

/* D-08: the redirect of everything to HTTPS needs an HTTPS port to send to. */
static bool redirects_all(const struct plan_listener *l)
{
    return l->listener->redirect == HTTPS_REDIRECT_ALWAYS && l->https;
}

static struct reach listener_reach(const struct plan_listener *l)
{
    struct reach reach = { false, false };
    for (size_t i = 0; i < l->sockets.n; i++) {
        reach.https |= l->sockets.v[i].tls;
        reach.http |= !l->sockets.v[i].tls && !redirects_all(l);
    }
    return reach;
}

struct reach haproxy_reach(const struct plan *p, const struct plan_rule *r)
{
    return listener_reach(haproxy_listener(p, r));
}

bool haproxy_closed(const struct plan_rule *r)
{
    return r->closed & ON(TARGET_HAPROXY);
}

bool haproxy_through(const struct plan_rule *r)
{
    return r->preauth & ON(TARGET_HAPROXY) && !haproxy_closed(r);
}

bool haproxy_no_client(const struct plan_rule *r)
{
    return !r->any_source && !r->sources.n;
}

bool haproxy_judges_dots(const struct plan_rule *r)
{
    return r->answers && !haproxy_closed(r) && !haproxy_through(r) && r->rule->action == ACTION_ALLOW && r->forwards &&
           !rule_publishes_all(r->rule);
}

static bool same_servers(const struct plan_upstream *x, const struct plan_upstream *y)
{
    if (x->tls != y->tls || x->port != y->port || x->servers.n != y->servers.n)
        return false;
    for (size_t i = 0; i < x->servers.n; i++)
        if (x->servers.v[i].port != y->servers.v[i].port || !str_equal(x->servers.v[i].host, y->servers.v[i].host))
            return false;
    return true;
}

bool haproxy_splits(const struct plan *p, const struct plan_rule *r)
{
    struct reach reach = haproxy_reach(p, r);
    if (haproxy_through(r)) /* publishd is told the scheme by the port */
        return reach.http && reach.https;
    return reach.http && reach.https && r->rule->action == ACTION_ALLOW && r->forwards && !haproxy_closed(r) &&
           !r->rule->require_ssl && !same_servers(&r->to[0], &r->to[1]);
}

const char *haproxy_backend(struct haproxy *h, const struct plan_rule *r, bool http_half)
{
    const char *id = rule_id(h->a, r);
    return http_half ? arena_printf(h->a, "%s-http", id) : id;
}

/* ---- the top of the file ------------------------------------------------ */

static void write_top(struct haproxy *h)
{
    struct writer *w = &h->w;
    unsigned release = version_of(h->plan, TARGET_HAPROXY);
    write_file_heading(w, h->plan,
                       arena_printf(h->a, "HAProxy %u.%u and later: publishing rules", release / 1000, release % 1000));
    write_line(w, "# One frontend a listener says which rule answers; one backend a rule says what it does.");
    write_blank(w);
    write_line(w, "global");
    w->depth++;
    write_line(w, "# file names count from this file's folder");
    write_line(w, "default-path config");
    write_line(w, "# headers of 32 kB and more: Kerberos tickets (B-71)");
    write_line(w, "tune.bufsize 65536");
    write_line(w, "tune.maxrewrite 4096");
    w->depth--;
    write_blank(w);
    write_line(w, "defaults");
    w->depth++;
    write_line(w, "mode http");
    write_line(w, "# a server connection that asked for NTLM or Negotiate stays with its client (B-68)");
    write_line(w, "http-reuse safe");
    write_line(w, "timeout connect 5s");
    write_line(w, "timeout client %ds", SOURCE_TIMEOUT);
    write_line(w, "timeout http-request %ds", SOURCE_TIMEOUT);
    write_line(w, "timeout http-keep-alive %ds", SOURCE_TIMEOUT);
    write_line(w, "timeout server %ds", SOURCE_TIMEOUT);
    w->depth--;
}

/* ---- sockets -------------------------------------------------------------- */

/* A bind line names one file: HAProxy takes the key from it, or from FILE.key beside it. A pair that is neither
 * gets two links under those names next to the config; the key itself is never copied. */
const char *haproxy_pem(struct haproxy *h, const char *chain, const char *key, const char *thumbprint)
{
    size_t n = strlen(chain);
    bool missing = !strncmp(chain, MISSING_DIR "/", sizeof MISSING_DIR);
    bool beside = key && !strncmp(key, chain, n) && !strcmp(key + n, ".key");
    if (missing || !key || !thumbprint || beside || !strcmp(key, chain))
        return chain;
    for (size_t i = 0; i < h->pems.n; i++)
        if (str_equal(h->pems.v[i].chain, chain) && str_equal(h->pems.v[i].key, key))
            return h->pems.v[i].file;
    struct pem *p = vec_push(h->a, &h->pems);
    *p = (struct pem){ chain, key, arena_printf(h->a, "tls/%s.pem", thumbprint) };
    struct emitted_file *link = vec_push(h->a, &h->out->links);
    *link = (struct emitted_file){ p->file, chain };
    link = vec_push(h->a, &h->out->links);
    *link = (struct emitted_file){ arena_printf(h->a, "%s.key", p->file), key };
    return p->file;
}

static const char *revoked_file(struct haproxy *h)
{
    return h->plan->client_crl ? arena_printf(h->a, " crl-file %s", haproxy_word(h, h->plan->client_crl)) : "";
}

static void write_socket(struct haproxy *h, const struct plan_listener *l, const struct plan_socket *s,
                         const char **said)
{
    struct writer *w = &h->w;
    if (!s->tls) {
        write_line(w, "bind %s:%u", haproxy_word(h, s->address), (unsigned)s->port);
        return;
    }
    const char *file = haproxy_pem(h, s->chain, s->key, s->thumbprint);
    if (file != s->chain && file != *said) {
        write_line(w, "# %s is %s with the key %s", file, quoted(w, h->a, Q_COMMENT, s->chain),
                   quoted(w, h->a, Q_COMMENT, s->key));
        *said = file;
    }
    /* One certificate a socket whatever name the client asks for (B-12, B-40); no HTTP/2, as in the source (B-70). */
    const char *clients = !l->asks_certificate
                              ? ""
                              : arena_printf(h->a, " ca-file %s%s verify optional crt-ignore-err all ca-ignore-err all",
                                             haproxy_word(h, h->plan->client_trust), revoked_file(h));
    write_line(w, "bind %s:%u ssl crt %s alpn http/1.1 ssl-min-ver TLSv1.2%s", haproxy_word(h, s->address),
               (unsigned)s->port, haproxy_word(h, file), clients);
}

/* ---- which rule answers ------------------------------------------------------ */

/* The conditions of one rule. What fits stands inside its use_backend line; a long list gets lines of its own,
 * which HAProxy takes as one where they share their name. */
struct conditions {
    struct strbuf inlined; /* " { … } { … }" */
    size_t words;
    const char *id; /* "rule_3" */
};

static bool fits(const struct conditions *c, size_t patterns)
{
    return c->words + patterns <= HAPROXY_PATTERNS;
}

static void add_named(struct conditions *c, const char *what)
{
    buf_printf(&c->inlined, " %s-%s", c->id, what);
    c->words++;
}

static size_t count_wildcards(const struct rule *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->names.n; i++)
        n += r->names.v[i].kind == NAME_WILDCARD;
    return n;
}

/* " a b c": the rule's exact names from *at on, or as a pattern its wildcards (D-02), so many that a line holds them. */
static const char *some_names(struct haproxy *h, const struct rule *r, bool wildcards, size_t *at)
{
    struct strbuf b = { 0 };
    VEC(struct public_name) some = { 0 };
    for (; *at < r->names.n && some.n < HAPROXY_PATTERNS; ++*at) {
        const struct public_name *n = &r->names.v[*at];
        if ((n->kind == NAME_WILDCARD) != wildcards)
            continue;
        vec_add(h->a, &some, *n);
        if (!wildcards)
            buf_printf(&b, " %s", haproxy_word(h, n->name));
    }
    if (wildcards && some.n) {
        const char *pattern = arena_printf(h->a, "^%s$", regex_names(h->a, some.v, some.n));
        if (regex_prove_names(pattern, some.v, some.n, h->err))
            h->failed = true;
        buf_printf(&b, " %s", haproxy_word(h, pattern));
    }
    const char *s = b.n ? arena_strndup(h->a, b.p, b.n) : NULL;
    buf_free(&b);
    return s;
}

static void name_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    static const char *const method[] = { "str", "reg" };
    size_t wildcards = count_wildcards(r->rule), exact = r->rule->names.n - wildcards;
    if (r->rule->all_names)
        return;
    bool named = (wildcards && exact) || !fits(c, exact) || wildcards > HAPROXY_PATTERNS;
    for (int wild = 0; wild < 2; wild++) {
        const char *names;
        for (size_t at = 0; (names = some_names(h, r->rule, wild, &at));) {
            if (named)
                write_line(&h->w, "acl %s-name var(txn.host) -m %s --%s", c->id, method[wild], names);
            else
                buf_printf(&c->inlined, " { var(txn.host) -m %s --%s }", method[wild], names);
        }
    }
    if (named)
        add_named(c, "name");
    else
        c->words += exact + wildcards;
}

static void path_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    const struct path *paths = r->rule->paths.v;
    size_t n = r->rule->paths.n;
    for (size_t i = 0; i < n; i++)
        if (paths[i].kind != PATH_EXACT && !*paths[i].external)
            return; /* the whole site, "*" included */
    if (n <= HAPROXY_PATTERNS) {
        buf_printf(&c->inlined, " { path -i -m reg %s }", haproxy_paths(h, paths, n));
        c->words++;
        return;
    }
    for (size_t i = 0; i < n; i += HAPROXY_PATTERNS)
        write_line(&h->w, "acl %s-path path -i -m reg %s", c->id,
                   haproxy_paths(h, paths + i, n - i < HAPROXY_PATTERNS ? n - i : HAPROXY_PATTERNS));
    add_named(c, "path");
}

/* "10.0.0.0/8", as many as make up the set. */
static strings cidr_words(struct haproxy *h, const ipset *set)
{
    strings blocks = { 0 };
    for (size_t i = 0; i < set->n; i++) {
        struct cidr some[64];
        size_t n = ip_range_cidrs(set->v[i], some);
        for (size_t k = 0; k < n; k++) {
            struct strbuf b = { 0 };
            buf_ip(&b, some[k].ip);
            if (some[k].bits < 32)
                buf_printf(&b, "/%u", some[k].bits);
            vec_add(h->a, &blocks, arena_strdup(h->a, b.p));
            buf_free(&b);
        }
    }
    return blocks;
}

static void write_source_lines(struct haproxy *h, const char *acl, const strings *blocks)
{
    for (size_t i = 0; i < blocks->n; i++) {
        if (i % HAPROXY_PATTERNS == 0) {
            write_raw(&h->w, i ? "\n" : "");
            write_indent(&h->w);
            write_raw(&h->w, "acl %s src", acl);
        }
        write_raw(&h->w, " %s", blocks->v[i]);
    }
    write_raw(&h->w, "\n");
}

void haproxy_sources(struct haproxy *h, const char *acl, const ipset *set)
{
    strings blocks = cidr_words(h, set);
    write_source_lines(h, acl, &blocks);
}

static void source_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    if (r->any_source)
        return;
    strings blocks = cidr_words(h, &r->sources);
    if (!fits(c, blocks.n)) {
        write_source_lines(h, arena_printf(h->a, "%s-source", c->id), &blocks);
        add_named(c, "source");
        return;
    }
    for (size_t i = 0; i < blocks.n; i++)
        buf_printf(&c->inlined, "%s %s", i ? "" : " { src", blocks.v[i]);
    buf_puts(&c->inlined, " }");
    c->words += blocks.n;
}

/* B-149 for web rules: the client's own port. */
static void port_conditions(struct conditions *c, const struct rule *r)
{
    if (r->source_port_low || r->source_port_high)
        buf_printf(&c->inlined, " { src_port %ld:%ld }", r->source_port_low, rule_last_port(r));
}

/* NULL: the rule holds at all hours, or nobody knows which, and then it is closed. */
static const struct schedule *schedule_of(const struct haproxy *h, const struct plan_rule *r)
{
    return r->rule->schedule ? policy_schedule(h->plan->policy, r->rule->schedule) : NULL;
}

/* B-23: by the host's own time, as in the source. */
static void schedule_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    static const char *const days[] = { "0", "1", "2", "3", "4", "5", "6" };
    static const struct hour_spelling spelling = { days, "", "$", "", "" };
    const struct schedule *s = schedule_of(h, r);
    if (!s)
        return;
    const char *pattern = regex_schedule(h->a, s, &spelling);
    if (regex_prove_schedule(pattern, s, &spelling, h->err))
        h->failed = true;
    buf_printf(&c->inlined, " { var(txn.hour) -m reg %s }", haproxy_word(h, pattern));
    c->words++;
}

/* The line, or the two where the client's scheme has a backend of its own. */
static void write_use(struct haproxy *h, const struct plan_rule *r, const struct conditions *c)
{
    const char *conditions = c->inlined.n ? c->inlined.p : "";
    if (haproxy_splits(h->plan, r))
        write_line(&h->w, "use_backend %s if !{ ssl_fc }%s", haproxy_backend(h, r, true), conditions);
    write_line(&h->w, "use_backend %s%s%s", haproxy_backend(h, r, false), *conditions ? " if" : "", conditions);
}

/* The sign-in form has places of its own on every name with a rule that goes through publishd, whatever rules say of them. */
static void write_form_places(struct haproxy *h, const struct plan_listener *l)
{
    bool any = false;
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &h->plan->rules.v[l->rules.v[i]];
        struct conditions c = { .id = arena_printf(h->a, "form_%u", (unsigned)(r->index + 1)) };
        if (!haproxy_through(r) || l->listener->forms == FORMS_NONE || haproxy_no_client(r))
            continue;
        if (!any) {
            write_line(&h->w, "# publishd's sign-in form, and the source's address of it (B-84)");
            write_line(&h->w, "acl sign_in_form path_beg " PLACES);
            write_line(&h->w, "acl sign_in_form path -i -m str" PLACES_OLD);
        }
        any = true;
        buf_puts(&c.inlined, " sign_in_form");
        name_conditions(h, &c, r);
        write_use(h, r, &c);
        buf_free(&c.inlined);
    }
}

static void write_dispatch(struct haproxy *h, const struct plan_rule *r)
{
    struct conditions c = { .id = arena_printf(h->a, "rule_%u", (unsigned)(r->index + 1)) };
    if (haproxy_no_client(r))
        return; /* the block says so */
    name_conditions(h, &c, r);
    path_conditions(h, &c, r);
    source_conditions(h, &c, r);
    schedule_conditions(h, &c, r);
    port_conditions(&c, r->rule);
    write_use(h, r, &c);
    buf_free(&c.inlined);
}

/* ---- frontends ------------------------------------------------------------------ */

/* txn.resolved is the path decoded once with its dot segments taken out, as far as the root: the pattern removes a
 * segment together with the ".." that belongs to it, however deep, and "." segments; what climbs above the root is
 * dropped then. A stray percent sign stands for itself. */
#define RESOLVE                                                                                                        \
    "path,regsub(\"%(?![0-9a-f]{2})\",\"%25\",gi),url_dec,regsub(\"(/\\.\\.?)$\",\"\\1/\"),"                           \
    "regsub(\"(/(?!\\.\\.?(?:/|$))[^/]*(?:(?1)|/\\.(?=/|$))*/\\.\\.(?=/|$))|/\\.(?=/|$)\",\"\",g),"                    \
    "regsub(\"^(?:/\\.\\.(?=/|$))+\",\"\"),regsub(\"^$\",\"/\")"

static void write_dots(struct haproxy *h, const struct plan_listener *l)
{
    bool any = false, identity = false;
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &h->plan->rules.v[l->rules.v[i]];
        if (!haproxy_judges_dots(r))
            continue;
        any = true;
        for (size_t k = 0; k < r->rule->paths.n; k++)
            identity |= !r->rule->paths.v[k].internal;
    }
    if (!any)
        return;
    write_line(&h->w, "# paths with dot segments; resolved where that is safe to do (D-05)");
    write_line(&h->w, "http-request set-var(txn.dots) bool(true) if { path -i -m reg %s }",
               haproxy_word(h, REGEX_DOTS));
    if (!identity)
        return;
    write_line(&h->w, "http-request set-var(txn.resolved) %s if { var(txn.dots) -m found } !{ path -i -m reg %s }",
               haproxy_word(h, RESOLVE), haproxy_word(h, REGEX_DEEP));
    /* A path too deep for the pattern keeps its dots, and must not look as if it had none. */
    write_line(&h->w, "http-request unset-var(txn.resolved) if { var(txn.resolved) -m reg %s }",
               haproxy_word(h, "(?:^|/)\\.\\.(?:/|$)"));
}

static void write_origin(struct writer *w, bool by_format)
{
    const char *usable = "{ req.hdr(host) -m reg '^[^\\\\]+$' }";
    if (by_format) {
        write_line(w, "http-request set-var-fmt(txn.origin) '%%[ssl_fc,iif(https,http)]://%%[req.hdr(host)]' if %s",
                   usable);
        return;
    }
    write_line(w, "http-request set-var(txn.asked) req.hdr(host)");
    write_line(w, "http-request set-var(txn.origin) 'ssl_fc,iif(https://,http://),concat(,txn.asked)' if %s", usable);
}

static void write_requests(struct haproxy *h, const struct plan_listener *l)
{
    struct writer *w = &h->w;
    const char *host = version_has(h->plan, V_HOST_ONLY) ? "host_only,lower,regsub(\"\\.$\",\"\")"
                                                         : "regsub(\":[0-9]*$\",\"\"),lower,regsub(\"\\.$\",\"\")";
    write_line(w, "# the name that was asked for: lower case, without port and final dot (D-01)");
    write_line(w, "http-request set-var(txn.host) 'req.hdr(host),%s'", host);
    write_line(
        w,
        "http-request set-var(txn.host) 'url,field(3,/),regsub(\"[?#].*\",\"\"),%s' if { url -i -m beg http:// https:// }",
        host);
    write_line(w, "http-request set-uri '/%%[pathq,regsub(\"^/\",\"\")]' if { url -i -m beg http:// https:// }");
    if (redirects_all(l)) {
        const char *port = l->https == 443 ? "" : arena_printf(h->a, ":%u", (unsigned)l->https);
        bool http = false;
        for (size_t i = 0; i < l->sockets.n; i++)
            http |= !l->sockets.v[i].tls;
        if (http) {
            write_line(w, "# everything over HTTP is sent to HTTPS first (D-08)");
            write_line(w, "http-request redirect location 'https://%%[var(txn.host)]%s%%[url]' code 302 if !{ ssl_fc }",
                       port);
        }
    }
    if (!l->rules.n)
        return;
    bool hours = false;
    for (size_t i = 0; i < l->rules.n; i++)
        hours |= schedule_of(h, &h->plan->rules.v[l->rules.v[i]]) != NULL;
    if (hours) {
        write_line(w, "# day of the week (0 is Sunday) and hour, in local time, for the rules' schedules (B-23)");
        write_line(w, "http-request set-var(txn.hour) date,ltime(%%w%%H)");
    }
    write_line(w, "# the client's own view of this site, for redirects that name the published server (D-15)");
    write_origin(w, version_has(h->plan, V_SET_VAR_FMT));
    write_dots(h, l);
}

/* A client that waits for news must not be cut off before the rule's own patience ends (B-76). */
static void write_timeouts(struct haproxy *h, const struct plan_listener *l)
{
    long idle = l->listener->connection_timeout > 0 ? l->listener->connection_timeout : SOURCE_TIMEOUT;
    long longest = idle;
    for (size_t i = 0; i < l->rules.n; i++) {
        long one = rule_read_timeout(h->plan, &h->plan->rules.v[l->rules.v[i]]);
        longest = one > longest ? one : longest;
    }
    if (longest != SOURCE_TIMEOUT)
        write_line(&h->w, "timeout client %s", haproxy_seconds(h, longest));
    if (idle != SOURCE_TIMEOUT) {
        write_line(&h->w, "timeout http-request %s", haproxy_seconds(h, idle));
        write_line(&h->w, "timeout http-keep-alive %s", haproxy_seconds(h, idle));
    }
}

/* The listener's own limit (B-76), and those for each client (B-77): what is above is refused at once. */
static void write_limits(struct haproxy *h, const struct plan_listener *l)
{
    if (l->listener->max_connections > 0)
        write_line(&h->w, "tcp-request connection reject if { fe_conn gt %ld }    # B-76",
                   l->listener->max_connections);
    if (!h->plan->flood)
        return;
    write_line(&h->w, "# limits for one client address (B-77)");
    write_line(&h->w, "tcp-request connection track-sc0 src table clients");
    write_line(&h->w, "tcp-request connection reject if { sc0_conn_cur gt %d }", FLOOD_CONNECTIONS);
    write_line(&h->w, "tcp-request connection reject if { sc0_conn_rate gt %d }", FLOOD_NEW_CONNECTIONS);
    write_line(&h->w, "http-request deny deny_status 429 if { sc0_http_req_rate gt %d }", FLOOD_REQUESTS);
}

static void write_frontend(struct haproxy *h, size_t index)
{
    const struct plan_listener *l = &h->plan->listeners.v[index];
    struct writer *w = &h->w;
    const char *said = NULL;
    write_blank(w);
    write_raw(w, "# listener \"%s\"", quoted(w, h->a, Q_COMMENT, l->listener->name));
    if (l->listener->at.guid)
        write_raw(w, " %s", quoted(w, h->a, Q_COMMENT, l->listener->at.guid));
    if (l->listener->at.line)
        write_raw(w, ", export line %u", (unsigned)l->listener->at.line);
    write_raw(w, "\n");
    if (!l->sockets.n) {
        write_line(w, "#   has no socket of its own, so its rules are not reached");
        return;
    }
    write_line(w, "frontend %s", identifier(h->a, "listener", index + 1, l->listener->name));
    w->depth++;
    for (size_t i = 0; i < l->sockets.n; i++)
        write_socket(h, l, &l->sockets.v[i], &said);
    write_timeouts(h, l);
    write_limits(h, l);
    write_requests(h, l);
    write_form_places(h, l);
    for (size_t i = 0; i < l->rules.n; i++)
        write_dispatch(h, &h->plan->rules.v[l->rules.v[i]]);
    write_line(w, "default_backend no_rule");
    w->depth--;
}

/* ---- the whole -------------------------------------------------------------------- */

uint32_t haproxy_next_line(struct haproxy *h)
{
    for (; h->counted < h->w.out.n; h->counted++)
        h->lines += h->w.out.p[h->counted] == '\n';
    return (uint32_t)(h->lines + 1);
}

static void write_rules(struct haproxy *h)
{
    for (size_t i = 0; i < h->plan->rules.n; i++) {
        struct rule_lines *lines = vec_push(h->a, &h->out->rules);
        write_blank(&h->w);
        lines->first = haproxy_next_line(h);
        haproxy_rule(h, &h->plan->rules.v[i]);
        lines->last = haproxy_next_line(h) - 1;
    }
}

int emit_haproxy(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err)
{
    struct haproxy h = { .plan = p, .a = a, .w = { .indent = 4 }, .out = out, .err = err };
    *out = (struct emission){ 0 };
    content_types_listed(a, &p->types, true, &h.types);
    write_top(&h);
    for (size_t i = 0; i < p->listeners.n; i++)
        write_frontend(&h, i);
    write_blank(&h.w);
    write_line(&h.w, "# what no rule answers (B-11)");
    write_line(&h.w, "backend no_rule");
    h.w.depth++;
    write_line(&h.w, "http-request deny deny_status 403");
    h.w.depth--;
    if (p->flood) {
        write_blank(&h.w);
        write_line(&h.w, "# what each client does (B-77)");
        write_line(&h.w, "backend clients");
        h.w.depth++;
        write_line(&h.w, "stick-table type ip size 1m expire 2m store conn_cur,conn_rate(60s),http_req_rate(60s)");
        h.w.depth--;
    }
    write_rules(&h);
    haproxy_streams(&h);
    out->text = h.w.out;
    return h.failed ? -1 : 0;
}
