/* Where on loopback each thing of the plan stands for this run: the sockets of the listeners, the stand-ins of the
 * published servers, the certificates, the clients' addresses. */
#include <stdlib.h>
#include <string.h>

#include "../ir/probe.h"
#include "internal.h"

static int by_host_port(const char *h1, uint16_t p1, const char *h2, uint16_t p2)
{
    int c = ascii_casecmp(h1, h2);
    return c ? c : (int)p1 - (int)p2;
}

static int compare_servers(const void *x, const void *y)
{
    const struct server_place *a = x, *b = y;
    return by_host_port(a->host, a->port, b->host, b->port);
}

static void add_server(struct places *s, const char *host, uint16_t port, const char *site)
{
    struct server_place *place = vec_push(s->arena, &s->servers);
    *place = (struct server_place){ .host = host, .port = port, .site = site };
}

/* Where the farm's connectivity checks go at this server (B-118). */
static uint16_t check_port(struct arena *a, const struct farm *f, uint16_t own, uint16_t at)
{
    struct probe_url u = probe_url_parse(a, f->probe_url);
    return probe_port(f, &u, own, at);
}

/* An address for each host and, for up to LOOPBACK_HOSTS of them, a port for each port: where checks go is said once for a farm. */
static void place_servers(struct places *s)
{
    size_t hosts = 0;
    uint16_t *ports = arena_alloc(s->arena, (UINT16_MAX + 1) * sizeof *ports);
    memset(ports, 0, (UINT16_MAX + 1) * sizeof *ports);
    for (size_t i = 0; i < s->servers.n; i++) {
        struct server_place *p = &s->servers.v[i];
        if (i && ascii_casecmp(p->host, p[-1].host) != 0 && ++hosts % LOOPBACK_HOSTS == 0)
            memset(ports, 0, (UINT16_MAX + 1) * sizeof *ports);
        if (p->at.port)
            continue;
        if (!ports[p->port])
            ports[p->port] = loopback_port(s->loopback);
        p->at = (struct endpoint){ s->loopback->net + 2 + (uint32_t)(hosts % LOOPBACK_HOSTS), ports[p->port] };
    }
}

static void collect_servers(struct places *s)
{
    for (size_t i = 0; i < s->plan->rules.n; i++) {
        const struct plan_rule *r = &s->plan->rules.v[i];
        for (int t = 0; r->answers && r->forwards && t < 2; t++)
            for (size_t k = 0; k < r->to[t].servers.n; k++) {
                const struct plan_server *p = &r->to[t].servers.v[k];
                add_server(s, p->host, p->port, r->rule->site);
                if (r->farm)
                    add_server(s, p->host, check_port(s->arena, r->farm, r->to[t].port, p->port), r->rule->site);
            }
    }
    places_stream_servers(s);
    if (s->servers.n)
        qsort(s->servers.v, s->servers.n, sizeof *s->servers.v, compare_servers);
    size_t n = 0;
    for (size_t i = 0; i < s->servers.n; i++)
        if (n == 0 || compare_servers(&s->servers.v[n - 1], &s->servers.v[i]) != 0)
            s->servers.v[n++] = s->servers.v[i];
        else if (s->servers.v[i].at.port)
            s->servers.v[n - 1].at = s->servers.v[i].at;
    s->servers.n = n;
    place_servers(s);
}

size_t places_server(const struct places *s, const char *host, uint16_t port)
{
    size_t low = 0, high = s->servers.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = by_host_port(s->servers.v[mid].host, s->servers.v[mid].port, host, port);
        if (c == 0)
            return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return SIZE_MAX;
}

uint16_t places_check_port(const struct places *s, const char *farm, uint16_t port)
{
    uint16_t found = 0;
    for (size_t i = 0; i < s->plan->rules.n; i++) {
        const struct plan_rule *r = &s->plan->rules.v[i];
        for (int t = 0; r->answers && r->forwards && r->farm && str_equal(r->farm->name, farm) && t < 2; t++)
            for (size_t k = 0; k < r->to[t].servers.n; k++) {
                size_t at = places_server(s, r->to[t].servers.v[k].host, port);
                uint16_t one = r->to[t].port == port ? port : at == SIZE_MAX ? s->dead.port : s->servers.v[at].at.port;
                if (found && found != one)
                    return 0;
                found = one;
            }
    }
    return found;
}

bool places_behind(const struct places *s, const char *host, uint16_t port)
{
    bool is = false;
    for (size_t i = 0; i < s->plan->listeners.n; i++)
        for (int k = 0; k < PREAUTH_SOCKETS; k++)
            is |= port && s->plan->listeners.v[i].preauth[k] == port;
    return is && str_equal(host, PREAUTH_HOST);
}

size_t places_socket(const struct places *s, const char *address, uint16_t port, bool udp)
{
    for (size_t i = 0; i < s->sockets.n; i++)
        if (s->sockets.v[i].port == port && s->sockets.v[i].udp == udp && strcmp(s->sockets.v[i].address, address) == 0)
            return i;
    return SIZE_MAX;
}

struct endpoint places_listen(struct places *s, const char *address, uint16_t port)
{
    size_t i = places_socket(s, address, port, false);
    if (i == SIZE_MAX) {
        vec_add(s->arena, &s->sockets,
                ((struct socket_place){
                    .address = arena_strdup(s->arena, address), .port = port, .at = loopback_take(s->loopback) }));
        i = s->sockets.n - 1;
    }
    s->sockets.v[i].present = true;
    return s->sockets.v[i].at;
}

static void collect_sockets(struct places *s)
{
    for (size_t l = 0; l < s->plan->listeners.n; l++)
        for (size_t k = 0; k < s->plan->listeners.v[l].sockets.n; k++) {
            const struct plan_socket *p = &s->plan->listeners.v[l].sockets.v[k];
            struct socket_place *place = vec_push(s->arena, &s->sockets);
            *place = (struct socket_place){ .address = p->address, .port = p->port, .at = loopback_take(s->loopback) };
        }
}

void places_clients(struct places *s)
{
    for (size_t i = 0; i < s->plan->rules.n; i++) {
        const struct plan_rule *r = &s->plan->rules.v[i];
        for (size_t k = 0; !r->any_source && k < r->sources.n; k++)
            clients_cut(s->arena, &s->clients, r->sources.v[k]);
        for (size_t k = 0; r->compresses && k < r->compresses_for.n; k++)
            clients_cut(s->arena, &s->clients, r->compresses_for.v[k]);
    }
    for (size_t i = 0; i < s->plan->server_rules.n; i++) {
        const struct plan_server_rule *r = &s->plan->server_rules.v[i];
        for (size_t k = 0; !r->any_source && k < r->sources.n; k++)
            clients_cut(s->arena, &s->clients, r->sources.v[k]);
    }
}

bool places_of_probe(const struct places *s, const struct probe *b, struct endpoint *at)
{
    size_t i = probe_place(s->plan, b);
    if (b->stream)
        i = places_socket(s, b->stream->address, b->stream->low, false);
    if (i == SIZE_MAX || !s->sockets.v[i].present)
        return false;
    *at = s->sockets.v[i].at;
    if (b->stream)
        at->port = (uint16_t)(at->port + (b->stream_port - b->stream->low));
    return true;
}

size_t places_certificate(struct places *s, const char *chain, struct strbuf *err)
{
    for (size_t i = 0; i < s->certificates.n; i++)
        if (strcmp(s->certificates.v[i].name, chain) == 0)
            return i;
    struct certificate_place c = { arena_strdup(s->arena, chain),
                                   arena_printf(s->arena, "%s/certificate-%zu.pem", s->dir, s->certificates.n) };
    if (authority_write_listener(s->authority, s->certificates.n, c.file, err) != 0)
        return SIZE_MAX;
    vec_add(s->arena, &s->certificates, c);
    return s->certificates.n - 1;
}

int places_open(struct places *s, struct strbuf *err)
{
    places_move_ports(s);
    collect_servers(s);
    collect_sockets(s);
    places_stream_sockets(s);
    s->dead = loopback_take(s->loopback);
    s->ca = arena_printf(s->arena, "%s/ca.pem", s->dir);
    s->other_ca = arena_printf(s->arena, "%s/other-ca.pem", s->dir);
    struct authority *other = authority_new();
    s->client_ca = arena_printf(s->arena, "%s/client-ca.pem", s->dir);
    s->client_crl = arena_printf(s->arena, "%s/client-crl.pem", s->dir);
    int failed = authority_write_ca(s->authority, s->ca, err) ||
                 authority_write_ca(s->clients_authority, s->client_ca, err) ||
                 authority_write_revoked(s->clients_authority, s->client_crl, err) ||
                 authority_write_ca(other, s->other_ca, err);
    authority_free(other);
    return failed;
}
