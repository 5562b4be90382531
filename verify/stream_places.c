/* Where server publishing rules stand for this run. A door of one port is a place like any other. A range of ports stays one: the ports
 * of all ranges are moved together, in their order and without gaps, so that neighbours stay neighbours, to addresses that
 * nothing else has; a server that is asked on the port that the client connected to has the moved ones. */
#include <string.h>

#include "internal.h"

void places_move_ports(struct places *s)
{
    bool *ranged = arena_alloc(s->arena, UINT16_MAX + 1u);
    size_t n = 0;
    for (size_t i = 0; i < s->plan->server_rules.n; i++)
        for (size_t k = 0; k < s->plan->server_rules.v[i].doors.n; k++) {
            const struct plan_door *d = &s->plan->server_rules.v[i].doors.v[k];
            for (uint32_t port = d->low; !d->port && port <= d->high; port++) {
                n += !ranged[port];
                ranged[port] = true;
            }
        }
    uint16_t next = n ? loopback_ports(s->loopback, n) : 0;
    if (!next)
        return;
    uint16_t *moved = arena_alloc(s->arena, (UINT16_MAX + 1u) * sizeof *moved);
    for (uint32_t port = 0; port <= UINT16_MAX; port++)
        if (ranged[port])
            moved[port] = next++;
    s->moved = moved;
}

uint32_t places_host(const struct places *s, const char *host, size_t n)
{
    for (size_t i = 0; i < s->hosts.n; i++)
        if (strlen(s->hosts.v[i].host) == n && ascii_ncasecmp(s->hosts.v[i].host, host, n) == 0)
            return s->hosts.v[i].ip;
    return 0;
}

static const struct plan_door *door_of(const struct places *s, const struct plan_try *t)
{
    return &s->plan->server_rules.v[t->rule].doors.v[t->door];
}

/* The ends of the stream's range are asked, so there the server listens. */
static void add_ranged(struct places *s, const struct plan_stream *at, const char *host)
{
    uint32_t ip = places_host(s, host, strlen(host));
    if (!ip && (ip = loopback_address(s->loopback)) != 0)
        vec_add(s->arena, &s->hosts, ((struct host_place){ host, ip }));
    for (uint32_t port = at->low; ip && port <= at->high; port += at->high > port ? at->high - port : 1u)
        vec_add(s->arena, &s->servers, ((struct server_place){ host, (uint16_t)port, { ip, s->moved[port] }, host }));
}

void places_stream_servers(struct places *s)
{
    for (size_t i = 0; i < s->plan->streams.n; i++) {
        const struct plan_stream *at = &s->plan->streams.v[i];
        for (size_t k = 0; at->transport == TRANSPORT_TCP && k < at->tries.n; k++) {
            const struct plan_door *d = door_of(s, &at->tries.v[k]);
            if (!d->host)
                continue;
            if (d->port)
                vec_add(s->arena, &s->servers,
                        ((struct server_place){ .host = d->host, .port = d->port, .site = d->host }));
            else if (s->moved)
                add_ranged(s, at, d->host);
        }
    }
}

void places_stream_sockets(struct places *s)
{
    for (size_t i = 0; i < s->plan->streams.n; i++) {
        const struct plan_stream *at = &s->plan->streams.v[i];
        struct socket_place place = {
            .address = at->address, .port = at->low, .last = at->high, .udp = at->transport == TRANSPORT_UDP
        };
        bool ranged = at->low != at->high;
        for (size_t k = 0; k < at->tries.n; k++)
            ranged |= !door_of(s, &at->tries.v[k])->port;
        if (!ranged)
            place.at = loopback_take(s->loopback);
        else if (s->moved && (place.at.ip = loopback_address(s->loopback)) != 0)
            place.at.port = s->moved[at->low];
        if (place.at.port)
            vec_add(s->arena, &s->sockets, place);
    }
}
