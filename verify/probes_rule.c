/* One thing at a time, around the request that a rule answers: name, path, source, client's port and certificate, socket,
 * method and body. */
#include <string.h>

#include "probes.h"

#define NAMES_VARIED 24 /* of one rule, in every spelling; the others as published */
#define PATHS_VARIED 4  /* of one rule, with dots and odd characters; the others around their boundary */
#define RANGES_VARIED 64

void probes_of_names(struct probe_maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    b.condition = FAILED_NAME;
    for (size_t i = 0; !r->rule->all_names && i < r->rule->names.n; i++) {
        variants v = { 0 };
        variants_of_name(m->a, &r->rule->names.v[i], &v);
        for (size_t k = 0; k < (i < NAMES_VARIED ? v.n : 1); k++) {
            b.host = v.v[k].text;
            if (i == 0 || k == 0)
                probe_on_schemes(m, v.v[k].aim, &b);
            else
                probe_on_either(m, v.v[k].aim, &b);
        }
    }
    b.host = probe_unknown_host(m, 9);
    probe_on_schemes(m, "unknown name", &b);
    b.host = NULL;
    probe_on_schemes(m, "no Host in HTTP/1.1", &b);
    b.http10 = true;
    probe_on_schemes(m, "no Host in HTTP/1.0", &b);
    b.http10 = false;
    b.host = "";
    probe_on_schemes(m, "empty Host", &b);
    b.host = "192.0.2.77";
    probe_on_schemes(m, "address as Host", &b);
    b.host = m->base.host;
    if (b.host && m->base.target[0] == '/') {
        b.target = arena_printf(m->a, "http://%s%s", b.host, m->base.target);
        probe_on_schemes(m, "absolute form", &b);
        b.target = arena_printf(m->a, "http://%s:81%s", b.host, m->base.target);
        b.host = probe_unknown_host(m, 8);
        probe_on_schemes(m, "absolute form, another Host", &b);
    }
}

void probes_of_paths(struct probe_maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    b.condition = FAILED_PATH;
    for (size_t i = 0; i < r->rule->paths.n; i++) {
        variants v = { 0 };
        variants_of_path(m->a, &r->rule->paths.v[i], &v);
        for (size_t k = 0; k < v.n; k++) {
            b.target = v.v[k].text;
            if (v.v[k].edge && (i == 0 || k == 0))
                probe_on_schemes(m, v.v[k].aim, &b);
            else if (v.v[k].edge || i < PATHS_VARIED)
                probe_on_either(m, v.v[k].aim, &b);
        }
    }
    b.target = "/tmgc-no-such-path/x";
    probe_on_schemes(m, "another path", &b);
    b.target = "/";
    probe_on_schemes(m, "root", &b);
}

void probes_of_sources(struct probe_maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    b.condition = FAILED_SOURCE;
    for (size_t i = 0; !r->any_source && i < r->sources.n && i < RANGES_VARIED; i++) {
        struct ip_range g = r->sources.v[i];
        b.client = g.from ? g.from : 1; /* no client is 0.0.0.0, ... */
        probe_on_schemes(m, "first address of a range", &b);
        b.client = g.to < UINT32_MAX ? g.to : UINT32_MAX - 1; /* ... nor 255.255.255.255 */
        probe_on_schemes(m, "last address of a range", &b);
        b.client = g.from - 1;
        if (g.from > 0)
            probe_on_schemes(m, "address before a range", &b);
        b.client = g.to + 1;
        if (g.to < UINT32_MAX)
            probe_on_schemes(m, "address after a range", &b);
    }
}

void probes_of_ports(struct probe_maker *m, const struct plan_rule *r)
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
            probe_on_schemes(m, ports[i].aim, &b);
    }
}

void probes_of_certificates(struct probe_maker *m, const struct plan_rule *r)
{
    struct probe b = m->base;
    if (!r->wants_certificate)
        return;
    b.shows = SHOWS_NONE;
    probe_on_schemes(m, "no client certificate", &b);
    b.shows = SHOWS_OTHER;
    probe_on_schemes(m, "client certificate of another issuer", &b);
}

void probes_of_sockets(struct probe_maker *m)
{
    for (uint32_t i = 0; i < m->plan->listeners.v[m->base.listener].sockets.n; i++) {
        struct probe b = m->base;
        b.socket = i;
        probe_add(m, "every socket of the listener", &b);
    }
}

void probes_of_requests(struct probe_maker *m)
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
        probe_on_either(m, kinds[i].aim, &b);
    }
    struct probe b = m->base;
    b.extra = EXTRA_FORGED;
    probe_on_schemes(m, "forwarding headers from the client", &b);
    b.extra = EXTRA_UPGRADE;
    probe_on_schemes(m, "Upgrade", &b);
    b.extra = EXTRA_NONE;
    b.http10 = true;
    probe_on_schemes(m, "HTTP/1.0", &b);
}
