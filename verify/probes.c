/* What to ask: probes at the decision boundaries of the policy. For each rule one request that it answers is looked for
 * with decide(); then one thing at a time is varied: name, path, source, socket, method, body, and what the published server
 * answers. Then pairs of rules that share names, what no rule answers, farms, certificates, and random mixtures.
 * The same policy and options give the same probes in the same order. */
#include <stdlib.h>
#include <string.h>

#include "../ir/atoms.h"
#include "internal.h"
#include "pages.h"

#define NAMES_VARIED 24 /* of one rule, in every spelling; the others as published */
#define PATHS_VARIED 4  /* of one rule, with dots and odd characters; the others around their boundary */
#define RANGES_VARIED 64
#define NEIGHBOURS 12 /* rules that share a name, tried in pairs, for each name of a rule */

enum { USUAL_PORT = 50000 }; /* of a client that was not told; the judge knows the true one */

struct maker {
    const struct plan *plan;
    struct arena *a;
    probes *out;
    struct probe base;  /* a request that the rule at hand answers, if there is one */
    VEC(uint64_t) seen; /* hashes of the probes made, an open table */
    size_t used;
    unsigned turn;
};

void probe_request(const struct plan *p, const struct probe *b, struct request *r)
{
    const struct plan_socket *s = &p->listeners.v[b->listener].sockets.v[b->socket];
    *r = (struct request){ .listener = b->listener,
                           .tls = s->tls,
                           .port = s->port,
                           .method = b->method,
                           .host = b->host,
                           .target = b->target,
                           .client = b->client,
                           .client_port = b->port_low ? b->port_low : USUAL_PORT,
                           .hour = -1 };
}

/* ---- a set of hashes, so that no probe is made twice ------------------------------------- */

static uint64_t fingerprint(const struct probe *b)
{
    struct strbuf t = { 0 };
    buf_printf(&t, "%u %u %s %s %d %s %d %u %d %d %d %s %s %d %d %d %s %s %p", b->listener, b->socket, b->method,
               b->host ? b->host : "", b->host != NULL, b->target, b->http10, b->client, b->body, b->extra, b->status,
               b->location ? b->location : "", b->content_location ? b->content_location : "", b->reply, b->group,
               b->bad_certificate, b->field ? b->field : "", b->page_type ? b->page_type : "", (const void *)b->page);
    buf_printf(&t, " %u %u %d", b->port_low, b->port_high, b->shows);
    uint64_t h = hash_bytes(t.p, t.n) | 1;
    buf_free(&t);
    return h;
}

static bool seen_before(struct maker *m, uint64_t h)
{
    if (m->used * 2 >= m->seen.n) {
        size_t n = m->seen.n ? m->seen.n * 2 : 4096;
        uint64_t *v = arena_alloc(m->a, n * sizeof *v);
        for (size_t i = 0; i < m->seen.n; i++)
            if (m->seen.v[i]) {
                size_t at = m->seen.v[i] % n;
                while (v[at])
                    at = (at + 1) % n;
                v[at] = m->seen.v[i];
            }
        m->seen.v = v;
        m->seen.n = n;
    }
    size_t at = h % m->seen.n;
    for (; m->seen.v[at]; at = (at + 1) % m->seen.n)
        if (m->seen.v[at] == h)
            return true;
    m->seen.v[at] = h;
    m->used++;
    return false;
}

/* A name or path of the policy may hold what no client can send in a request's first lines. */
static bool sendable(const char *s)
{
    for (; s && *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return false;
    return true;
}

static void make(struct maker *m, const char *aim, const struct probe *like)
{
    if (!sendable(like->target) || !sendable(like->host) || seen_before(m, fingerprint(like)))
        return;
    struct probe *b = vec_push(m->a, m->out);
    *b = *like;
    b->aim = aim;
}

/* The same on each scheme that the listener has: its first socket of each. */
static void make_schemes(struct maker *m, const char *aim, const struct probe *like)
{
    const struct plan_listener *l = &m->plan->listeners.v[like->listener];
    bool done[2] = { false, false };
    for (uint32_t i = 0; i < l->sockets.n; i++) {
        if (done[l->sockets.v[i].tls])
            continue;
        done[l->sockets.v[i].tls] = true;
        struct probe b = *like;
        b.socket = i;
        make(m, aim, &b);
    }
}

/* On one scheme, in turn: for what both decide by the same words of the config. */
static void make_either(struct maker *m, const char *aim, const struct probe *like)
{
    const struct plan_listener *l = &m->plan->listeners.v[like->listener];
    bool tls = m->turn++ & 1;
    struct probe b = *like;
    b.socket = 0;
    while (b.socket + 1 < l->sockets.n && l->sockets.v[b.socket].tls != tls)
        b.socket++;
    make(m, aim, &b);
}

/* ---- a request that a rule answers -------------------------------------------------------- */

static int answering(struct maker *m, const struct probe *b, enum answer *answer)
{
    struct request r;
    struct decision d;
    struct arena *a = arena_new();
    probe_request(m->plan, b, &r);
    decide(m->plan, &r, false, a, &d);
    *answer = d.answer;
    int rule = d.rule;
    arena_free(a);
    return rule;
}

static const char *unknown_host(struct maker *m, size_t n)
{
    return arena_printf(m->a, "unknown-%zu.example", n);
}

static const char *host_for(struct maker *m, const struct rule *r, size_t i)
{
    return r->all_names ? unknown_host(m, i) : name_sample(m->a, &r->names.v[i]);
}

static uint32_t client_for(const struct plan_rule *r, size_t i)
{
    if (r->any_source || r->sources.n == 0)
        return 0xc6336401u; /* 198.51.100.1 */
    struct ip_range g = r->sources.v[i];
    return g.from + (g.to - g.from) / 2;
}

/* Tries names, paths, sources and sockets until the rule answers; the last two schemes prefer HTTPS. true: found, in m->base. */
static bool find_base(struct maker *m, const struct plan_rule *r, uint32_t listener)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    size_t names = r->rule->all_names ? 1 : r->rule->names.n < 12 ? r->rule->names.n : 12;
    size_t paths = r->rule->paths.n < 12 ? r->rule->paths.n : 12;
    size_t sources = r->any_source || r->sources.n == 0 ? 1 : r->sources.n < 12 ? r->sources.n : 12;
    struct probe found = { 0 };
    bool any = false;
    for (size_t k = 0; k < l->sockets.n * names * paths * sources; k++) {
        size_t i = k, s = i % l->sockets.n, n, p;
        i /= l->sockets.n;
        n = i % names;
        i /= names;
        p = i % paths;
        enum answer answer;
        struct probe b = { .aimed = (int)r->index,
                           .condition = MATCHED,
                           .want = true,
                           .listener = listener,
                           .socket = (uint32_t)(l->sockets.n - 1 - s),
                           .method = "GET",
                           .host = host_for(m, r->rule, n),
                           .target = path_sample(m->a, &r->rule->paths.v[p]),
                           .client = client_for(r, i / paths),
                           .shows = r->wants_certificate ? SHOWS_GOOD : SHOWS_NONE,
                           .port_low = (uint16_t)(r->rule->source_port_low ? r->rule->source_port_low
                                                                           : r->rule->source_port_high > 0),
                           .port_high = (uint16_t)rule_last_port(r->rule),
                           .status = 200 };
        if (!any)
            m->base = b;
        if (answering(m, &b, &answer) != (int)r->index)
            continue;
        if (!any)
            found = b;
        any = true;
        if (answer == ANSWER_FORWARD || answer == ANSWER_NEEDS_USER) {
            found = b;
            break;
        }
    }
    if (any)
        m->base = found;
    return any;
}

/* ---- one thing at a time --------------------------------------------------------------------- */

static void vary_names(struct maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    b.condition = FAILED_NAME;
    for (size_t i = 0; !r->rule->all_names && i < r->rule->names.n; i++) {
        variants v = { 0 };
        variants_of_name(m->a, &r->rule->names.v[i], &v);
        for (size_t k = 0; k < (i < NAMES_VARIED ? v.n : 1); k++) {
            b.host = v.v[k].text;
            if (i == 0 || k == 0)
                make_schemes(m, v.v[k].aim, &b);
            else
                make_either(m, v.v[k].aim, &b);
        }
    }
    b.host = unknown_host(m, 9);
    make_schemes(m, "unknown name", &b);
    b.host = NULL;
    make_schemes(m, "no Host in HTTP/1.1", &b);
    b.http10 = true;
    make_schemes(m, "no Host in HTTP/1.0", &b);
    b.http10 = false;
    b.host = "";
    make_schemes(m, "empty Host", &b);
    b.host = "192.0.2.77";
    make_schemes(m, "address as Host", &b);
    b.host = m->base.host;
    if (b.host && m->base.target[0] == '/') {
        b.target = arena_printf(m->a, "http://%s%s", b.host, m->base.target);
        make_schemes(m, "absolute form", &b);
        b.target = arena_printf(m->a, "http://%s:81%s", b.host, m->base.target);
        b.host = unknown_host(m, 8);
        make_schemes(m, "absolute form, another Host", &b);
    }
}

static void vary_paths(struct maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    b.condition = FAILED_PATH;
    for (size_t i = 0; i < r->rule->paths.n; i++) {
        variants v = { 0 };
        variants_of_path(m->a, &r->rule->paths.v[i], &v);
        for (size_t k = 0; k < v.n; k++) {
            b.target = v.v[k].text;
            if (v.v[k].edge && (i == 0 || k == 0))
                make_schemes(m, v.v[k].aim, &b);
            else if (v.v[k].edge || i < PATHS_VARIED)
                make_either(m, v.v[k].aim, &b);
        }
    }
    b.target = "/tmgc-no-such-path/x";
    make_schemes(m, "another path", &b);
    b.target = "/";
    make_schemes(m, "root", &b);
}

static void vary_sources(struct maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    b.condition = FAILED_SOURCE;
    for (size_t i = 0; !r->any_source && i < r->sources.n && i < RANGES_VARIED; i++) {
        struct ip_range g = r->sources.v[i];
        b.client = g.from ? g.from : 1; /* no client is 0.0.0.0, ... */
        make_schemes(m, "first address of a range", &b);
        b.client = g.to < UINT32_MAX ? g.to : UINT32_MAX - 1; /* ... nor 255.255.255.255 */
        make_schemes(m, "last address of a range", &b);
        b.client = g.from - 1;
        if (g.from > 0)
            make_schemes(m, "address before a range", &b);
        b.client = g.to + 1;
        if (g.to < UINT32_MAX)
            make_schemes(m, "address after a range", &b);
    }
}

static void vary_ports(struct maker *m, const struct plan_rule *r)
{
    long low = r->rule->source_port_low, high = rule_last_port(r->rule);
    const struct {
        const char *aim;
        long port;
    } ports[] = { { "first port", low },
                  { "last port", high },
                  { "port before the first", low - 1 },
                  { "port after the last", high + 1 } };
    struct probe b = m->base;
    b.condition = FAILED_SOURCE;
    for (size_t i = 0; (low || high) && i < sizeof ports / sizeof *ports; i++) {
        b.port_low = b.port_high = (uint16_t)ports[i].port;
        if (ports[i].port > 0 && ports[i].port <= UINT16_MAX)
            make_schemes(m, ports[i].aim, &b);
    }
}

static void vary_certificates(struct maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    if (!r->wants_certificate)
        return;
    b.shows = SHOWS_NONE;
    make_schemes(m, "no client certificate", &b);
    b.shows = SHOWS_OTHER;
    make_schemes(m, "client certificate of another issuer", &b);
}

static void vary_sockets(struct maker *m)
{
    for (uint32_t i = 0; i < m->plan->listeners.v[m->base.listener].sockets.n; i++) {
        struct probe b = m->base;
        b.socket = i;
        make(m, "every socket of the listener", &b);
    }
}

static void vary_requests(struct maker *m)
{
    static const struct {
        const char *method;
        enum body body;
        const char *aim;
    } kinds[] = {
        { "HEAD", BODY_NONE, "HEAD" },
        { "POST", BODY_LENGTH, "POST with a length" },
        { "POST", BODY_CHUNKED, "POST in chunks" },
        { "POST", BODY_EMPTY, "POST with an empty body" },
        { "POST", BODY_BIG, "POST of more than 1 MB" },
        { "POST", BODY_SLOW, "POST whose body comes slowly" },
        { "PUT", BODY_LENGTH, "PUT" },
        { "DELETE", BODY_NONE, "DELETE" },
        { "OPTIONS", BODY_NONE, "OPTIONS" },
        { "PROPFIND", BODY_LENGTH, "WebDAV method" },
        { "RPC_IN_DATA", BODY_LENGTH, "RPC over HTTP method" },
        { "X-CUSTOM", BODY_NONE, "method of an application" },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct probe b = m->base;
        b.method = kinds[i].method;
        b.body = kinds[i].body;
        make_either(m, kinds[i].aim, &b);
    }
    struct probe b = m->base;
    b.extra = EXTRA_FORGED;
    make_schemes(m, "forwarding headers from the client", &b);
    b.extra = EXTRA_UPGRADE;
    make_schemes(m, "Upgrade", &b);
    b.extra = EXTRA_NONE;
    b.http10 = true;
    make_schemes(m, "HTTP/1.0", &b);
}

/* ---- the HTTP filter: at and past each of its limits (B-131 to B-142) ---------------------------- */

static void try_target(struct maker *m, const char *aim, const char *rest)
{
    struct probe b = m->base;
    size_t n = strcspn(b.target, "?");
    while (n > 0 && b.target[n - 1] == '/')
        n--;
    b.target = arena_printf(m->a, "%.*s%s", (int)n, b.target, rest);
    make_either(m, aim, &b);
}

static void try_length(struct maker *m, const char *aim, const char *before, long length, size_t fixed)
{
    for (long n = length; n <= length + 1 && n < 20000; n++) {
        if (n <= (long)(strlen(before) + fixed))
            continue;
        size_t fill = (size_t)n - strlen(before) - fixed;
        char *text = arena_alloc(m->a, fill + 1);
        memset(text, 'a', fill);
        try_target(m, aim, arena_printf(m->a, "%s%s", before, text));
    }
}

static const char *encoded(struct maker *m, const char *text)
{
    struct strbuf b = { 0 };
    for (; *text; text++)
        buf_printf(&b, "%%%02x", (unsigned char)*text);
    const char *s = arena_strdup(m->a, b.p ? b.p : "");
    buf_free(&b);
    return s;
}

static void vary_filter_urls(struct maker *m, const struct http_filter *f)
{
    static const char *const odd[] = { "/page",  "/a.b/c", "/a%2eb.c",   "/a.b",   "/%e4",    "/%7f",
                                       "/%2541", "/%25",   "/%25%34%31", "/%2525", "?a=%2541" };
    size_t base = strcspn(m->base.target, "?");
    while (base > 0 && m->base.target[base - 1] == '/')
        base--;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        try_target(m, "HTTP filter: spelling of the URL", odd[i]);
    for (size_t i = 0; i < f->extensions.n && i < 8; i++) {
        const char *e = f->extensions.v[i];
        try_target(m, "HTTP filter: extension", arena_printf(m->a, "/x.%s", e));
        try_target(m, "HTTP filter: extension, encoded", arena_printf(m->a, "/x%%2E%s", encoded(m, e)));
        try_target(m, "HTTP filter: longer extension", arena_printf(m->a, "/x.%sx", e));
        try_target(m, "HTTP filter: extension in the query", arena_printf(m->a, "/x?y.%s", e));
    }
    for (size_t i = 0; i < f->url_texts.n && i < 8; i++) {
        const char *t = f->url_texts.v[i];
        try_target(m, "HTTP filter: signature in the URL", arena_printf(m->a, "/x%s", t));
        try_target(m, "HTTP filter: signature in the URL, encoded", arena_printf(m->a, "/x%s", encoded(m, t)));
        try_target(m, "HTTP filter: signature in the query", arena_printf(m->a, "?x%sx", swap_case(m->a, t)));
        try_target(m, "HTTP filter: signature in the URL, less a letter",
                   arena_printf(m->a, "/x%s", encoded(m, t + 1)));
    }
    if (f->url_max >= 0) {
        try_length(m, "HTTP filter: URL length", "/", f->url_max, base);
        try_length(m, "HTTP filter: URL length with a query", "/?", f->url_max, base);
    }
    if (f->query_max >= 0)
        try_length(m, "HTTP filter: query length", "?", f->query_max + 1, 0);
}

static void vary_filter(struct maker *m, const struct plan_rule *r)
{
    const struct http_filter *f = r->filter;
    struct probe b = m->base;
    if (!f)
        return;
    vary_filter_urls(m, f);
    for (size_t i = 0; i < f->methods.n && i < 8; i++) {
        b.method = f->methods.v[i];
        if (strspn(b.method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == strlen(b.method) && strcmp(b.method, "CONNECT") != 0)
            make_either(m, "HTTP filter: method", &b);
    }
    b.method = m->base.method;
    for (size_t i = 0; i < f->headers.n && i < 8; i++) {
        b.field = arena_printf(m->a, "%s: 0", f->headers.v[i]);
        make_either(m, "HTTP filter: header", &b);
        b.field = arena_printf(m->a, "%sx: 0", f->headers.v[i]);
        make_either(m, "HTTP filter: a longer header", &b);
    }
    for (size_t i = 0; i < f->header_texts.n && i < 8; i++) {
        const struct filter_text *t = &f->header_texts.v[i];
        if (ascii_casecmp(t->header, "User-Agent") == 0 || ascii_casecmp(t->header, "Host") == 0 ||
            ascii_casecmp(t->header, "Cookie") == 0)
            continue; /* a second one is not what this is about */
        b.field = arena_printf(m->a, "%s: a%sb", t->header, swap_case(m->a, t->text));
        make_either(m, "HTTP filter: signature in a header", &b);
        b.field = arena_printf(m->a, "%s: a%sb", t->header, t->text + 1);
        make_either(m, "HTTP filter: signature in a header, less a letter", &b);
    }
}

/* ---- what the published server answers --------------------------------------------------------- */

static void one_location(struct maker *m, const char *aim, const char *url)
{
    struct probe b = m->base;
    b.status = 302;
    b.location = url;
    make_schemes(m, aim, &b);
    b.status = 200;
    b.location = NULL;
    b.content_location = url;
    make_either(m, aim, &b);
}

static const char *inside_path(struct maker *m, const struct path *p)
{
    const char *in = p->internal ? p->internal : p->external;
    return p->kind == PATH_EXACT ? in : arena_printf(m->a, p->kind == PATH_PREFIX ? "%s/To?x=/y&z=%%2f" : "%s/to", in);
}

static void vary_locations(struct maker *m, const struct plan_rule *r)
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
static void vary_pages(struct maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    const struct plan_socket *s = &m->plan->listeners.v[b.listener].sockets.v[b.socket];
    const char *usual = page_with_links(m->plan, r, s->tls, false, m->a);
    if (!usual)
        return;
    b.page_type = "text/html";
    b.page = usual;
    make_schemes(m, "links in a page", &b);
    b.reply = REPLY_CHUNKED;
    make_either(m, "links in a page that comes in chunks", &b);
    b.status = 404;
    make_either(m, "links in a page of an error", &b);
    b.status = 200;
    b.page = page_with_links(m->plan, r, s->tls, true, m->a);
    make_either(m, "links in a page, before rare characters", &b);
    b.page_type = "text/javascript";
    b.page = usual;
    make_either(m, "links in a script", &b);
}

static void vary_answers(struct maker *m, const struct plan_rule *r)
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
        make_either(m, "status from the published server", &b);
    }
    for (enum reply_body k = REPLY_LONG; k <= REPLY_HELD; k++) {
        struct probe b = m->base;
        b.reply = k;
        make_either(m, aims[k], &b);
    }
    vary_locations(m, r);
    vary_pages(m, r);
}

/* ---- farms and certificates ---------------------------------------------------------------------- */

/* Enough clients that every member is bound to get one, whether it is chosen in turn or by a hash of the address. */
static void farm(struct maker *m, const struct plan_rule *r, int *group)
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
        make(m, "a farm's members", &b);
    }
}

static void wrong_certificate(struct maker *m, const struct plan_rule *r)
{
    const struct plan_listener *l = &m->plan->listeners.v[m->base.listener];
    bool done[2] = { false, false };
    for (uint32_t i = 0; i < l->sockets.n; i++) {
        struct probe b = m->base;
        bool tls = l->sockets.v[i].tls;
        enum answer answer;
        b.socket = i;
        b.bad_certificate = true;
        if (done[tls] || !r->to[tls].tls || answering(m, &b, &answer) != (int)r->index)
            continue;
        if (answer != ANSWER_FORWARD && answer != ANSWER_NEEDS_USER)
            continue;
        done[tls] = true;
        make(m, "wrong name on the published server's certificate", &b);
    }
}

/* ---- pairs of rules ---------------------------------------------------------------------------------- */

struct named {
    const char *key;
    uint32_t rule, name;
};
typedef VEC(struct named) index_of_names;

static int by_key(const void *x, const void *y)
{
    const struct named *a = x, *b = y;
    int c = strcmp(a->key, b->key);
    return c ? c : a->rule != b->rule ? (a->rule < b->rule ? -1 : 1) : (int)a->name - (int)b->name;
}

/* Where a rule's own requests meet another rule's paths and sources: first match wins (B-01). */
static void pair(struct maker *m, const struct plan_rule *r, const struct plan_rule *other, uint32_t listener,
                 const char *host)
{
    for (size_t i = 0; i < r->rule->paths.n && i < 6; i++) {
        struct probe b = { .aimed = (int)r->index,
                           .condition = MATCHED,
                           .want = true,
                           .listener = listener,
                           .method = "GET",
                           .host = host,
                           .target = path_sample(m->a, &r->rule->paths.v[i]),
                           .client = client_for(r, 0),
                           .status = 200 };
        make_schemes(m, "rules that share a name", &b);
        b.client = client_for(other, 0);
        make_schemes(m, "rules that share a name, the other's client", &b);
        if (!other->any_source && other->sources.n && other->sources.v[0].from > 0) {
            b.client = other->sources.v[0].from - 1;
            make_schemes(m, "rules that share a name, neither's client", &b);
        }
    }
}

/* Rules whose name is key, nearest to r first, in both directions. */
static void pairs_at(struct maker *m, const index_of_names *x, const struct plan_rule *r, uint32_t listener,
                     const char *key, const char *host)
{
    size_t low = 0, high = x->n, done = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(x->v[mid].key, key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (size_t i = low; i < x->n && strcmp(x->v[i].key, key) == 0 && done < NEIGHBOURS; i++) {
        const struct plan_rule *other = &m->plan->rules.v[x->v[i].rule];
        if (other == r)
            continue;
        pair(m, r, other, listener, host);
        pair(m, other, r, listener, host);
        done++;
    }
}

static void pairs(struct maker *m, uint32_t listener)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    index_of_names x = { 0 };
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct rule *r = m->plan->rules.v[l->rules.v[i]].rule;
        for (uint32_t k = 0; k < r->names.n; k++)
            vec_add(m->a, &x, ((struct named){ r->names.v[k].name, l->rules.v[i], k }));
        if (r->all_names)
            vec_add(m->a, &x, ((struct named){ "*", l->rules.v[i], 0 }));
    }
    if (x.n)
        qsort(x.v, x.n, sizeof *x.v, by_key);
    for (size_t i = 0; i < x.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[x.v[i].rule];
        const char *key = x.v[i].key, *host = strcmp(key, "*") == 0 ? unknown_host(m, 1)
                                                                    : name_sample(m->a, &r->rule->names.v[x.v[i].name]);
        pairs_at(m, &x, r, listener, key, host);
        pairs_at(m, &x, r, listener, "*", host);
        for (const char *dot = strchr(key + 1, '.'); dot && *key != '*'; dot = strchr(dot + 1, '.'))
            pairs_at(m, &x, r, listener, arena_printf(m->a, "*%s", dot), host);
    }
}

/* ---- random mixtures --------------------------------------------------------------------------------- */

static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static const struct plan_rule *any_rule(struct maker *m, uint32_t listener, uint64_t *state)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    return &m->plan->rules.v[l->rules.v[draw(state) % l->rules.n]];
}

static void random_probe(struct maker *m, uint64_t *state)
{
    static const char *const methods[] = { "GET", "GET", "GET", "POST", "HEAD" };
    uint32_t listener = (uint32_t)(draw(state) % m->plan->listeners.n);
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    if (l->rules.n == 0 || l->sockets.n == 0)
        return;
    const struct plan_rule *n = any_rule(m, listener, state), *p = any_rule(m, listener, state),
                           *s = any_rule(m, listener, state);
    variants names = { 0 }, paths = { 0 };
    if (!n->rule->all_names)
        variants_of_name(m->a, &n->rule->names.v[draw(state) % n->rule->names.n], &names);
    variants_of_path(m->a, &p->rule->paths.v[draw(state) % p->rule->paths.n], &paths);
    struct probe b = {
        .aimed = -1, .listener = listener, .socket = (uint32_t)(draw(state) % l->sockets.n), .status = 200
    };
    b.method = methods[draw(state) % 5];
    b.host = names.n ? names.v[draw(state) % (draw(state) % 2 ? 2 : names.n)].text : unknown_host(m, draw(state) % 5);
    b.target = paths.n ? paths.v[draw(state) % paths.n].text : "/";
    b.client = client_for(s, s->sources.n ? draw(state) % s->sources.n : 0);
    if (!s->any_source && s->sources.n && draw(state) % 3 == 0)
        b.client = s->sources.v[draw(state) % s->sources.n].to + 1;
    b.body = strcmp(b.method, "POST") == 0 ? (enum body)(BODY_EMPTY + draw(state) % 3) : BODY_NONE;
    make(m, "random", &b);
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

/* What no rule names, in many spellings: only a rule for all requests may answer it, else the listener's own 403 (B-11). */
static void vary_unknown(struct maker *m, uint32_t listener)
{
    static const char *const hosts[] = { "unknown-0.example:8443",
                                         "UNKNOWN-0.example",
                                         "unknown-0.example.",
                                         "localhost",
                                         "198.51.100.77",
                                         "198.51.100.77:443",
                                         "a",
                                         "xn--nxasmq6b.example",
                                         "_.example",
                                         "",
                                         NULL };
    static const char *const paths[] = { "/a",
                                         "/a/",
                                         "/a/b.htm?c=/d",
                                         "/owa/",
                                         "/OWA",
                                         "/exchange",
                                         "/rpc/rpcproxy.dll?x:6001",
                                         "/.well-known/x",
                                         "//a",
                                         "/a//b",
                                         "/./a",
                                         "/a/../b",
                                         "/%61",
                                         "/a%2fb",
                                         "/a%2e%2e/b",
                                         "/..%2fa",
                                         "/a\\b",
                                         "/?",
                                         "/a?%00",
                                         "/index.htm;x=1" };
    static const char *const methods[] = { "HEAD", "OPTIONS", "DELETE", "PROPFIND", "X-CUSTOM", "RPC_OUT_DATA" };
    m->base = (struct probe){ .aimed = -1,
                              .listener = listener,
                              .method = "GET",
                              .host = unknown_host(m, 0),
                              .target = "/",
                              .client = 0xc6336401u,
                              .status = 200 };
    make_schemes(m, "what no rule names", &m->base);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct probe b = m->base;
        b.host = hosts[i];
        make_schemes(m, "what no rule names: host", &b);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct probe b = m->base;
        b.target = paths[i];
        make_schemes(m, "what no rule names: path", &b);
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct probe b = m->base;
        b.method = methods[i];
        make_schemes(m, "what no rule names: method", &b);
    }
    struct probe b = m->base;
    b.http10 = true;
    make_schemes(m, "what no rule names: HTTP/1.0", &b);
    b.host = NULL;
    make_schemes(m, "what no rule names: HTTP/1.0 without Host", &b);
    b = m->base;
    b.method = "OPTIONS";
    b.target = "*";
    make_schemes(m, "OPTIONS *", &b);
}

static void listener_probes(struct maker *m, uint32_t listener, int *group)
{
    const struct plan_listener *l = &m->plan->listeners.v[listener];
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[l->rules.v[i]];
        enum answer answer;
        bool reached = find_base(m, r, listener);
        make_schemes(m, "the rule itself", &m->base);
        vary_names(m, r);
        vary_paths(m, r);
        vary_sources(m, r);
        vary_ports(m, r);
        vary_certificates(m, r);
        vary_sockets(m);
        answering(m, &m->base, &answer);
        if (!reached || (answer != ANSWER_FORWARD && answer != ANSWER_NEEDS_USER))
            continue;
        vary_requests(m);
        vary_filter(m, r);
        vary_answers(m, r);
        farm(m, r, group);
        wrong_certificate(m, r);
    }
    vary_unknown(m, listener);
    pairs(m, listener);
}

void probes_make(const struct plan *p, const struct verify_options *o, struct arena *a, probes *out)
{
    struct maker m = { .plan = p, .a = a, .out = out };
    uint64_t state = o->seed;
    int group = 0;
    for (uint32_t i = 0; i < p->listeners.n; i++)
        if (p->listeners.v[i].sockets.n)
            listener_probes(&m, i, &group);
    for (size_t i = 0; i < o->random && p->listeners.n; i++)
        random_probe(&m, &state);
}
