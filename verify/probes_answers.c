/* What the published servers do: statuses, bodies, Location, pages with links, which member of a farm, a certificate for
 * another name. */
#include <string.h>

#include "../ir/compression.h"
#include "probes.h"
#include "pages.h"

static void one_location(struct probe_maker *m, const char *aim, const char *url)
{
    struct probe b = m->base;
    b.status = 302;
    b.location = url;
    probe_on_schemes(m, aim, &b);
    b.status = 200;
    b.location = NULL;
    b.content_location = url;
    probe_on_either(m, aim, &b);
}

static const char *inside_path(struct probe_maker *m, const struct path *p)
{
    const char *in = p->internal ? p->internal : p->external;
    return p->kind == PATH_EXACT ? in : arena_printf(m->a, p->kind == PATH_PREFIX ? "%s/To?x=/y&z=%%2f" : "%s/to", in);
}

static void vary_locations(struct probe_maker *m, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    for (size_t i = 0; i < rule->paths.n && i < 16; i++) {
        const char *in = inside_path(m, &rule->paths.v[i]);
        one_location(m, "Location at the internal site", arena_printf(m->a, "http://%s%s", rule->site, in));
        one_location(m, "Location at the internal site over TLS", arena_printf(m->a, "https://%s%s", rule->site, in));
        if (i > 0)
            continue;
        one_location(m, "Location with the HTTP port",
                     arena_printf(m->a, "http://%s:%ld%s", rule->site, rule->http_port, in));
        one_location(m, "Location with the TLS port",
                     arena_printf(m->a, "https://%s:%ld%s", rule->site, rule->ssl_port, in));
        if (rule->server)
            one_location(m, "Location at the published server", arena_printf(m->a, "http://%s%s", rule->server, in));
        one_location(m, "Location elsewhere", arena_printf(m->a, "https://elsewhere.example%s", in));
        one_location(m, "Location at a longer name", arena_printf(m->a, "https://%s.example%s", rule->site, in));
        one_location(m, "Location at a longer name before", arena_printf(m->a, "https://x%s%s", rule->site, in));
        one_location(m, "Location without a host", in);
    }
}

/* Link translation: the usual places and the rare ones, whole and in pieces, and a type that is left alone (B-127). */
static void vary_pages(struct probe_maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    const struct plan_socket *s = &m->plan->listeners.v[b.listener].sockets.v[b.socket];
    const char *usual = page_with_links(m->plan, r, s->tls, false, m->a);
    if (!usual)
        return;
    b.page_type = "text/html";
    b.page = usual;
    probe_on_schemes(m, "links in a page", &b);
    b.reply = REPLY_CHUNKED;
    probe_on_either(m, "links in a page that comes in chunks", &b);
    b.status = 404;
    probe_on_either(m, "links in a page of an error", &b);
    b.status = 200;
    b.page = page_with_links(m->plan, r, s->tls, true, m->a);
    probe_on_either(m, "links in a page, before rare characters", &b);
    b.page_type = "text/javascript";
    b.page = usual;
    probe_on_either(m, "links in a script", &b);
}

/* Longer than what is left as it is, and without a link. */
#define LINE "A line of a page that gets smaller when it is compressed, for it says the same as those beside it.\n"
#define PLAIN_PAGE LINE LINE LINE LINE LINE LINE LINE LINE

/* B-65: who takes gzip and who does not, types that are compressed and others, servers that compress by themselves. */
static void vary_codings(struct probe_maker *m, const struct plan_rule *r)
{
    enum { RANGES = 64 };
    static const char *const accepts[] = { "gzip", "br, gzip;q=0.5", "gzip;q=0, br", "identity", "" };
    struct probe b = m->base;
    strings types = { 0 };
    if (!r->compresses && !r->asks_gzip)
        return;
    content_types_listed(m->a, &m->plan->types, false, &types);
    b.page = PLAIN_PAGE;
    b.page_type = types.n && *types.v[0] != '*' ? types.v[0] : "text/html";
    for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++) {
        b.accept = accepts[i];
        b.packs = false;
        probe_on_schemes(m, "Accept-Encoding", &b);
        b.packs = true;
        probe_on_either(m, "Accept-Encoding, of a server that compresses", &b);
    }
    b.accept = "gzip";
    b.packs = false;
    for (size_t i = 0; !r->compresses_all && i < r->compresses_for.n && i < RANGES; i++) {
        struct ip_range g = r->compresses_for.v[i];
        b.client = g.from ? g.from : 1;
        probe_on_either(m, "client whose answers are compressed", &b);
        b.client = g.to < UINT32_MAX ? g.to + 1 : 1;
        probe_on_either(m, "client behind those", &b);
    }
    b.client = m->base.client;
    b.http10 = true;
    probe_on_either(m, "compression over HTTP/1.0", &b);
    b.http10 = false;
    b.method = "HEAD";
    probe_on_either(m, "compression without a body", &b);
    b.method = m->base.method;
    b.page_type = "application/pdf";
    probe_on_either(m, "a type that is seldom compressed", &b);
    b.page_type = "text/css";
    b.status = 404;
    probe_on_either(m, "compression of an error", &b);
}

void probes_of_answers(struct probe_maker *m, const struct plan_rule *r)
{
    static const char *const aims[] = { [REPLY_LONG] = "long answer",
                                        [REPLY_CHUNKED] = "answer in chunks",
                                        [REPLY_UNTIL_CLOSE] = "answer until close",
                                        [REPLY_NONE] = "empty answer",
                                        [REPLY_HELD] = "answer that comes slowly" };
    static const int statuses[] = { 401, 404, 500, 403, 301 };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct probe b = m->base;
        b.status = statuses[i];
        probe_on_either(m, "status from the published server", &b);
    }
    for (enum reply_body k = REPLY_LONG; k <= REPLY_HELD; k++) {
        struct probe b = m->base;
        b.reply = k;
        probe_on_either(m, aims[k], &b);
    }
    vary_locations(m, r);
    vary_pages(m, r);
    vary_codings(m, r);
}

/* ---- farms and certificates ---------------------------------------------------------------------- */

/* Enough clients that every member is bound to get one, whether it is chosen in turn or by a hash of the address. */
void probes_of_farm(struct probe_maker *m, const struct plan_rule *r, int *group)
{
    size_t members = r->to[0].servers.n, n = 24 * members < 240 ? 24 * members : 240;
    if (!r->farm || members < 2)
        return;
    struct ip_range g = { 0xc6336401u, 0xc63364feu };
    for (size_t i = 0; !r->any_source && i < r->sources.n; i++)
        if (i == 0 || r->sources.v[i].to - r->sources.v[i].from > g.to - g.from)
            g = r->sources.v[i];
    if (g.to - g.from < n / 2)
        return; /* a few clients may well come to the same member */
    ++*group;
    for (size_t i = 0; i < n; i++) {
        struct probe b = m->base;
        b.group = *group;
        b.client = g.from + (uint32_t)(i % ((size_t)(g.to - g.from) + 1));
        b.target = arena_printf(m->a, "%s%c%zu", m->base.target, strchr(m->base.target, '?') ? '&' : '?', i);
        probe_add(m, "a farm's members", &b);
    }
}

void probes_of_wrong_certificate(struct probe_maker *m, const struct plan_rule *r)
{
    const struct plan_listener *l = &m->plan->listeners.v[m->base.listener];
    bool done[2] = { false, false };
    for (uint32_t i = 0; i < l->sockets.n; i++) {
        struct probe b = m->base;
        bool tls = l->sockets.v[i].tls;
        enum answer answer;
        b.socket = i;
        b.bad_certificate = true;
        if (done[tls] || !r->to[tls].tls || probe_answering(m, &b, &answer) != (int)r->index)
            continue;
        if (answer != ANSWER_FORWARD && answer != ANSWER_NEEDS_USER)
            continue;
        done[tls] = true;
        probe_add(m, "wrong name on the published server's certificate", &b);
    }
}
