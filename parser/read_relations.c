/* read_relations: network rules, as far as server publishing depends on them. Between two networks the first rule that
 * holds both says whether addresses are translated or traffic is routed; where it is routed, the source took published
 * traffic at the server's own address (B-151). An export of less than an array has no network rules: then NAT is taken. */
#include "reader.h"

enum { ROUTE = 0 };

struct relation {
    struct sources sides[2];
    bool route;
    uint32_t line;
};
typedef VEC(struct relation) relations;

static const struct network *find_network(const struct policy *p, const char *name)
{
    for (size_t i = 0; name && i < p->networks.n; i++)
        if (ascii_casecmp(p->networks.v[i].name, name) == 0)
            return &p->networks.v[i];
    return NULL;
}

/* Is the network the one that `of` names, or a member of that set? depth ends loops of sets. */
static bool is_within(const struct policy *p, const char *name, const char *of, int depth)
{
    if (ascii_casecmp(name, of) == 0)
        return true;
    const struct network *set = find_network(p, of);
    if (!set || depth > 3)
        return false;
    bool member = false;
    for (size_t i = 0; i < set->members.n; i++)
        member |= is_within(p, name, set->members.v[i], depth + 1);
    return set->kind == NETWORK_EVERYWHERE || (set->kind == NETWORK_SET && member) ||
           (set->kind == NETWORK_SET_EXCEPT && !member);
}

/* ip: an address of that network that must be there; 0: any. */
static bool holds(const struct policy *p, const struct sources *side, const char *network, uint32_t ip)
{
    bool in = side->any || (ip && ipset_has(&side->addresses, ip));
    for (size_t i = 0; i < side->networks.n && !in; i++)
        in = is_within(p, network, side->networks.v[i], 0);
    for (size_t i = 0; i < side->except_networks.n && in; i++)
        in = !is_within(p, network, side->except_networks.v[i], 0);
    return in && !(ip && ipset_has(&side->except_addresses, ip));
}

static const char *network_of(const struct policy *p, uint32_t ip)
{
    const char *external = NULL;
    for (size_t i = 0; i < p->networks.n; i++) {
        const struct network *n = &p->networks.v[i];
        if (n->kind == NETWORK_PLAIN && ipset_has(&n->addresses, ip))
            return n->name;
        if (n->kind == NETWORK_EXTERNAL)
            external = n->name;
    }
    return external;
}

static void read_relation(struct reader *r, uint32_t item, relations *out)
{
    static const enum setting_id sides[] = { S_NETRULE_SOURCES, S_NETRULE_DESTINATIONS };
    struct about who = about_item(r, item);
    struct object o = object_read(r, &who, OBJ_NETWORK_RULE, item);
    struct relation one = { .line = r->store->items[item].line };
    one.route = object_int(&o, S_NETRULE_TYPE, 0, 1000) == ROUTE;
    for (int i = 0; i < 2; i++) {
        uint32_t side = object_field(&o, sides[i]);
        one.sides[i].any = !side;
        if (side)
            read_sources(r, &who, &one.sides[i], side);
    }
    if (object_bool(&o, S_NETRULE_ENABLED))
        vec_add(r->scratch, out, one);
}

static const struct relation *relation_between(const struct policy *p, const relations *all, const char *client,
                                               const char *server, uint32_t ip)
{
    for (size_t i = 0; i < all->n; i++)
        for (int k = 0; k < 2; k++)
            if (holds(p, &all->v[i].sides[k], server, ip) && holds(p, &all->v[i].sides[!k], client, 0))
                return &all->v[i];
    return NULL;
}

void read_relations(struct reader *r)
{
    struct policy *p = r->policy;
    relations all = { 0 };
    if (!p->server_rules.n)
        return;
    for (uint32_t i = 1; i < r->store->n; i++)
        if (r->store->items[i].name == N_NETWORK_RULE && !item_is_leaf(r->store, i))
            read_relation(r, i, &all);
    for (size_t i = 0; i < p->server_rules.n; i++) {
        struct server_rule *rule = &p->server_rules.v[i];
        uint32_t ip = 0;
        if (!rule->server || !ip_parse(rule->server, &ip))
            continue;
        const char *server = network_of(p, ip);
        for (size_t k = 0; server && k < rule->on.n && !rule->route; k++) {
            const char *client = rule->on.v[k].network;
            const struct relation *found = client ? relation_between(p, &all, client, server, ip) : NULL;
            rule->route = found && found->route;
            if (rule->route)
                origin_set(r->arena, &rule->at, "route", found->line);
        }
    }
}
