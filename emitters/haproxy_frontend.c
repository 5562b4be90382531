/* haproxy_frontend: a listener's frontend - its sockets, its limits, and what is found out about a request before the
 * rules are tried.
 */
#include "haproxy.h"
#include "versions.h"
#include <string.h>

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

/* ---- before the rules --------------------------------------------------------------- */

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
    if (haproxy_redirects_all(l)) {
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
        hours |= policy_schedule(h->plan->policy, h->plan->rules.v[l->rules.v[i]].rule->schedule) != NULL;
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
    long idle = listener_timeout(l->listener);
    long longest = idle;
    for (size_t i = 0; i < l->rules.n; i++) {
        long one = rule_read_timeout(&h->plan->rules.v[l->rules.v[i]]);
        longest = one > longest ? one : longest;
    }
    if (longest != SOURCE_TIMEOUT)
        write_line(&h->w, "timeout client %s", haproxy_seconds(h, longest));
    if (idle != SOURCE_TIMEOUT)
        write_line(&h->w, "timeout http-keep-alive %s", haproxy_seconds(h, idle));
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

void haproxy_frontend(struct haproxy *h, size_t index)
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
    haproxy_form_places(h, l);
    for (size_t i = 0; i < l->rules.n; i++)
        haproxy_dispatch(h, &h->plan->rules.v[l->rules.v[i]]);
    write_line(w, "default_backend no_rule");
    w->depth--;
}
