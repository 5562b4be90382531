/* haproxy: plan -> haproxy.cfg, for HAProxy 2.6 and later.
 *
 * One frontend a listener holds which rule answers: `use_backend` lines in the order of the rules, the first that
 * matches wins (B-01), and what nothing matches gets 403 (B-11). One backend a rule, in rule order, holds what the
 * rule does. Nothing is merged across rules, so that a rule can be read and changed in one place.
 */
#include "haproxy.h"
#include "../ir/compression.h"
#include "versions.h"
#include <string.h>

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

bool haproxy_redirects_all(const struct plan_listener *l)
{
    return l->listener->redirect == HTTPS_REDIRECT_ALWAYS && l->https;
}

struct reach haproxy_reach(const struct plan *p, const struct plan_rule *r)
{
    const struct plan_listener *l = haproxy_listener(p, r);
    struct reach reach = { false, false };
    for (size_t i = 0; i < l->sockets.n; i++) {
        reach.https |= l->sockets.v[i].tls;
        reach.http |= !l->sockets.v[i].tls && !haproxy_redirects_all(l);
    }
    return reach;
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

bool haproxy_splits(const struct plan *p, const struct plan_rule *r)
{
    struct reach reach = haproxy_reach(p, r);
    if (haproxy_through(r)) /* publishd is told the scheme by the port */
        return reach.http && reach.https;
    return reach.http && reach.https && r->rule->action == ACTION_ALLOW && r->forwards && !haproxy_closed(r) &&
           !r->rule->require_ssl && !plan_same_upstream(&r->to[0], &r->to[1]);
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
    write_line(w, "timeout http-request 60s    # for a request head, as on nginx, however patient the rest is");
    write_line(w, "timeout http-keep-alive %ds", SOURCE_TIMEOUT);
    write_line(w, "timeout server %ds", SOURCE_TIMEOUT);
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
        haproxy_frontend(&h, i);
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
