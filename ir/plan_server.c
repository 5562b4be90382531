/* plan_server: server publishing rules with the site map applied - where they listen, where they lead to, and which rules
 * share a socket (B-148, B-149). */
#include <stdlib.h>
#include <string.h>
#include "plan_parts.h"

static struct finding *about(struct finding *x, const struct plan_server_rule *r, const char *key, const char *setting)
{
    return plan_about(x, r->rule->name, &r->rule->at, key, setting);
}

/* ---- ports ---------------------------------------------------------------------------------------------------------- */
struct door_ports {
    const struct connection_range *of;
    uint16_t low, high;
    long server; /* the first port there */
};
typedef VEC(struct door_ports) door_ports_list;

/* The protocol's own ports, with what the rule and the site map say instead. Neither may where there are several. */
static void find_ports(struct making *m, struct plan_server_rule *r, const struct site_server_rule *said,
                       door_ports_list *out)
{
    size_t total = 0, inbound = 0;
    for (size_t i = 0; i < r->protocol->primary.n; i++) {
        const struct connection_range *c = &r->protocol->primary.v[i];
        if (c->outbound)
            continue;
        inbound++;
        r->unported |= c->transport == TRANSPORT_OTHER;
        if (c->transport == TRANSPORT_OTHER)
            continue;
        total += (size_t)(c->high - c->low) + 1;
        r->several |= c->low != c->high || (out->n && out->v[0].low != c->low);
        vec_add(m->a, out, ((struct door_ports){ c, (uint16_t)c->low, (uint16_t)c->high, c->low }));
    }
    r->several |= r->unported && inbound > 1;
    r->wide = total > STREAM_PORTS;
    if (r->wide)
        out->n = 0;
    if (r->several && (r->rule->publish_port || r->rule->server_port || (said && said->port)))
        about(finding_add(
                  m->f, F_BAD_VALUE,
                  "its port is overridden, which protocols with several ports do not allow; their own were taken"),
              r, r->rule->publish_port ? "publish_port" : "server_port",
              r->rule->publish_port ? "OverridePublishPort" : "OverrideServerPort");
    for (size_t i = 0; i < out->n && !r->several; i++) {
        struct door_ports *p = &out->v[i];
        p->server = r->rule->server_port ? r->rule->server_port : p->low;
        if (r->rule->publish_port)
            p->low = p->high = (uint16_t)r->rule->publish_port;
        if (said && said->port)
            p->low = p->high = (uint16_t)said->port;
    }
}

/* ---- doors ------------------------------------------------------------------------------------------------------------ */
static void add_once(struct arena *a, strings *out, const char *address)
{
    for (size_t i = 0; i < out->n; i++)
        if (strcmp(out->v[i], address) == 0)
            return;
    vec_add(a, out, address);
}

static void listen_addresses(struct making *m, const struct plan_server_rule *r, const struct site_server_rule *said,
                             strings *out)
{
    const struct server_rule *rule = r->rule;
    for (size_t i = 0; said && i < said->addresses.n; i++)
        add_once(m->a, out, said->addresses.v[i]);
    if (out->n)
        return;
    if (rule->route && rule->server) { /* B-151: the source had no address of its own there */
        vec_add(m->a, out, "*");
        return;
    }
    bool unknown = rule->on.n == 0;
    for (size_t i = 0; i < rule->on.n; i++) {
        for (size_t k = 0; k < rule->on.v[i].addresses.n; k++)
            add_once(m->a, out, rule->on.v[i].addresses.v[k]);
        unknown |= rule->on.v[i].addresses.n == 0;
    }
    if (!unknown)
        return;
    out->n = 0;
    vec_add(m->a, out, "*");
    about(
        finding_add(m->f, F_ALL_ADDRESSES, "listens on every address of its host: the addresses are not in the export"),
        r, "on", "IPsOnNetworks");
}

static void add_door(struct making *m, struct plan_server_rule *r, const char *address, const struct door_ports *p)
{
    struct plan_door d = { .transport = p->of->transport,
                           .address = address,
                           .low = p->low,
                           .high = p->high,
                           .host = r->rule->server,
                           .one_way = p->of->one_way };
    const struct site_backend *to = site_backend(m->site, r->rule->server, p->server);
    uint32_t ip;
    if (to)
        d.host = to->host;
    if (p->low == p->high) {
        d.port = (uint16_t)(to && to->port ? to->port : p->server);
        vec_add(m->a, &r->doors, d);
    } else if (ip_parse(d.host, &ip)) {
        vec_add(m->a, &r->doors, d);
    } else {
        for (uint32_t port = p->low; port <= p->high; port++) { /* a name needs a server of its own for each port */
            d.low = d.high = d.port = (uint16_t)port;
            vec_add(m->a, &r->doors, d);
        }
    }
}

/* NULL: it can. */
static const char *why_useless(const struct plan_server_rule *r, const door_ports_list *ports)
{
    if (!r->rule->protocol)
        return "it has no protocol";
    if (!r->rule->server && r->rule->action == ACTION_ALLOW)
        return "it has no published server";
    if (!ports->n && !r->unported && !r->wide)
        return "its protocol has no port to publish";
    return NULL;
}

static void plan_rule(struct making *m, size_t index)
{
    struct plan_server_rule *r = vec_push(m->a, &m->plan->server_rules);
    const struct server_rule *rule = r->rule = &m->policy->server_rules.v[index];
    const struct site_server_rule *said = site_server_rule(m->site, rule);
    door_ports_list ports = { 0 };
    strings addresses = { 0 };
    r->index = (uint32_t)index;
    r->protocol = policy_protocol(m->policy, rule->protocol);
    r->schedule = policy_schedule(m->policy, rule->schedule);
    r->client_address = said ? said->client_address : CLIENT_ADDRESS_LOST;
    r->port_low = (uint16_t)rule->source_port_low;
    r->port_high = (uint16_t)(rule->source_port_high ? rule->source_port_high : 65535);
    r->ports_wrong = r->port_high < r->port_low;
    if (r->ports_wrong) {
        r->port_low = 0;
        r->port_high = 65535;
    }
    if (!rule->enabled)
        return;
    if (r->protocol)
        find_ports(m, r, said, &ports);
    const char *useless = why_useless(r, &ports);
    if (useless)
        about(finding_add(m->f, F_SERVER_RULE_UNUSABLE, "publishes nothing: %s", useless), r, "protocol",
              "ServerPublishingProperties");
    r->answers = !useless;
    if (useless || !ports.n)
        return;
    struct selected by = { rule->name, &rule->at, "sources", "SourceSelectionIPs" };
    struct plan_sources from = plan_sources(m, &by, &rule->sources);
    r->any_source = from.any;
    r->sources_unknown = from.unknown;
    r->sources = from.set;
    listen_addresses(m, r, said, &addresses);
    for (size_t i = 0; i < addresses.n; i++)
        for (size_t k = 0; k < ports.n; k++)
            add_door(m, r, addresses.v[i], &ports.v[k]);
}

/* ---- sockets -------------------------------------------------------------------------------------------------------------- */
/* One port of one door. */
struct opening {
    struct plan_try at;
    const struct plan_door *door;
    uint16_t port;
};
typedef VEC(struct opening) openings;

static int by_socket(const struct opening *a, const struct opening *b)
{
    int c = strcmp(a->door->address, b->door->address);
    if (c)
        return c;
    if (a->door->transport != b->door->transport)
        return a->door->transport < b->door->transport ? -1 : 1;
    return (int)a->port - (int)b->port;
}

static int by_socket_and_rule(const void *x, const void *y)
{
    const struct opening *a = x, *b = y;
    int c = by_socket(a, b);
    if (c)
        return c;
    if (a->at.rule != b->at.rule)
        return a->at.rule < b->at.rule ? -1 : 1;
    return (a->at.door > b->at.door) - (a->at.door < b->at.door);
}

static bool overlaps(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || *a == '*' || *b == '*';
}

/* The web listener that has the socket already. */
static const char *web_owner(const struct plan *p, const struct plan_door *d, uint16_t port)
{
    for (size_t i = 0; d->transport == TRANSPORT_TCP && i < p->listeners.n; i++)
        for (size_t k = 0; k < p->listeners.v[i].sockets.n; k++) {
            const struct plan_socket *s = &p->listeners.v[i].sockets.v[k];
            if (s->port == port && overlaps(s->address, d->address))
                return p->listeners.v[i].listener->name;
        }
    return NULL;
}

static bool same_networks(const struct server_rule *a, const struct server_rule *b)
{
    bool same = a->on.n == b->on.n && a->route == b->route && (!a->route || str_equal(a->server, b->server));
    for (size_t i = 0; same && i < a->on.n; i++)
        same = str_equal(a->on.v[i].network, b->on.v[i].network);
    return same;
}

/* Rules share a socket by being tried one after the other. Two that listen on all addresses of different networks, or one on all
 * addresses and one on a certain one, cannot: the host has one socket for both, and does not know who meant which. */
static const char *stream_owner(const struct making *m, const struct plan_server_rule *r, const struct plan_door *d)
{
    for (size_t i = 0; i < r->index; i++) {
        const struct plan_server_rule *other = &m->plan->server_rules.v[i];
        for (size_t k = 0; k < other->doors.n; k++) {
            const struct plan_door *e = &other->doors.v[k];
            bool meet = e->transport == d->transport && e->low <= d->high && d->low <= e->high &&
                        overlaps(e->address, d->address);
            bool shared =
                strcmp(e->address, d->address) == 0 && (*d->address != '*' || same_networks(other->rule, r->rule));
            if (meet && !shared)
                return other->rule->name;
        }
    }
    return NULL;
}

/* Who has one of the door's ports already; NULL: nobody. */
static const char *owner(const struct making *m, const struct plan_server_rule *r, const struct plan_door *d)
{
    const char *name = NULL;
    for (uint32_t port = d->low; port <= d->high && !name; port++)
        name = web_owner(m->plan, d, (uint16_t)port);
    if (name)
        return arena_printf(m->a, "the listener %s", name);
    name = stream_owner(m, r, d);
    return name ? arena_printf(m->a, "the rule %s", name) : NULL;
}

/* A door of which somebody has some ports, as runs of ports that are free and of ports that are not. */
static void split_door(struct making *m, struct plan_server_rule *r, const struct plan_door *whole, plan_doors *kept)
{
    for (uint32_t from = whole->low, to; from <= whole->high; from = to) {
        struct plan_door d = *whole;
        const char *has = NULL;
        for (to = from; to <= whole->high; to++) {
            d.low = d.high = (uint16_t)to;
            const char *name = owner(m, r, &d);
            if (to == from)
                has = name;
            else if (!str_equal(has, name))
                break;
        }
        d.low = (uint16_t)from;
        d.high = (uint16_t)(to - 1);
        if (!has)
            vec_add(m->a, kept, d);
        else
            about(finding_add(
                      m->f, F_SOCKET_SHARED, "%s:%s belongs to %s already; this rule is not reached there", d.address,
                      d.low == d.high ? arena_printf(m->a, "%u", d.low) : arena_printf(m->a, "%u-%u", d.low, d.high),
                      has),
                  r, "on", "IPsOnNetworks");
    }
}

/* Ports that somebody else has go, aloud. Rules of one policy are few: pairs are cheap. */
static void settle_doors(struct making *m, struct plan_server_rule *r)
{
    plan_doors kept = { 0 };
    for (size_t i = 0; i < r->doors.n; i++) {
        if (owner(m, r, &r->doors.v[i]))
            split_door(m, r, &r->doors.v[i], &kept);
        else
            vec_add(m->a, &kept, r->doors.v[i]);
    }
    r->doors = kept;
}

static bool same_tries(const struct plan_stream *s, const struct opening *v, size_t n)
{
    bool same = s->tries.n == n && strcmp(s->address, v->door->address) == 0 && s->transport == v->door->transport;
    for (size_t i = 0; same && i < n; i++)
        same = s->tries.v[i].rule == v[i].at.rule && s->tries.v[i].door == v[i].at.door;
    return same;
}

/* Neighbouring ports that the same doors have are one stream. */
static void make_streams(struct making *m, openings *all)
{
    if (all->n)
        qsort(all->v, all->n, sizeof *all->v, by_socket_and_rule);
    for (size_t from = 0, to; from < all->n; from = to) {
        for (to = from; to < all->n && by_socket(&all->v[to], &all->v[from]) == 0; to++)
            ;
        struct plan_stream *last = m->plan->streams.n ? &m->plan->streams.v[m->plan->streams.n - 1] : NULL;
        const struct opening *first = &all->v[from];
        if (last && last->high + 1 == first->port && same_tries(last, first, to - from)) {
            last->high = first->port;
            continue;
        }
        struct plan_stream *s = vec_push(m->a, &m->plan->streams);
        *s = (struct plan_stream){ .transport = first->door->transport,
                                   .address = first->door->address,
                                   .low = first->port,
                                   .high = first->port };
        for (size_t i = from; i < to; i++)
            vec_add(m->a, &s->tries, all->v[i].at);
    }
}

/* The proxy speaks first to the server in one way a socket, before it knows which rule it will be: rules that share one agree. */
static void settle_client_address(struct making *m, const struct plan_stream *s)
{
    enum client_address first = m->plan->server_rules.v[s->tries.v[0].rule].client_address;
    for (size_t i = 1; i < s->tries.n; i++) {
        struct plan_server_rule *r = &m->plan->server_rules.v[s->tries.v[i].rule];
        if (r->client_address == first)
            continue;
        r->client_address = first;
        about(finding_add(m->f, F_BAD_VALUE,
                          "the site map's client_address differs from that of the rule %s, which listens on %s:%u too; "
                          "that rule's was taken",
                          m->plan->server_rules.v[s->tries.v[0].rule].rule->name, s->address, s->low),
              r, "from_firewall", "UseFirewallIPAsSource");
    }
}

void plan_server_rules(struct making *m)
{
    struct arena *scratch = arena_new();
    openings all = { 0 };
    for (size_t i = 0; i < m->policy->server_rules.n; i++)
        plan_rule(m, i);
    for (size_t i = 0; i < m->plan->server_rules.n; i++) {
        struct plan_server_rule *r = &m->plan->server_rules.v[i];
        settle_doors(m, r);
        for (size_t k = 0; k < r->doors.n; k++)
            for (uint32_t port = r->doors.v[k].low; port <= r->doors.v[k].high; port++)
                vec_add(scratch, &all, ((struct opening){ { r->index, (uint32_t)k }, &r->doors.v[k], (uint16_t)port }));
    }
    make_streams(m, &all);
    for (size_t i = 0; i < m->plan->streams.n; i++)
        settle_client_address(m, &m->plan->streams.v[i]);
    arena_free(scratch);
}
