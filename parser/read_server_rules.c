/* read_server_rules: server publishing rules (format 3.3) and the protocols that they publish (3.7). */
#include "reader.h"

#include <string.h>

enum { TCP = 6, UDP = 17 };

/* ---- protocols ---------------------------------------------------------------------------------------------------- */
/* What every installation has, by its name in the console, for exports that hold a reference and no object. */
static const struct {
    const char *name;
    enum transport transport;
    uint16_t port;
} predefined[] = {
    { "SMTP Server", TRANSPORT_TCP, 25 },          { "SMTPS Server", TRANSPORT_TCP, 465 },
    { "POP3 Server", TRANSPORT_TCP, 110 },         { "POP3S Server", TRANSPORT_TCP, 995 },
    { "IMAP4 Server", TRANSPORT_TCP, 143 },        { "IMAPS Server", TRANSPORT_TCP, 993 },
    { "HTTPS Server", TRANSPORT_TCP, 443 },        { "DNS Server", TRANSPORT_UDP, 53 },
    { "DNS Server", TRANSPORT_TCP, 53 },           { "RDP (Terminal Services) Server", TRANSPORT_TCP, 3389 },
    { "FTP Server", TRANSPORT_TCP, 21 },           { "NNTP Server", TRANSPORT_TCP, 119 },
    { "NNTPS Server", TRANSPORT_TCP, 563 },        { "Telnet Server", TRANSPORT_TCP, 23 },
    { "SSH Server", TRANSPORT_TCP, 22 },           { "Microsoft SQL Server", TRANSPORT_TCP, 1433 },
    { "L2TP Server", TRANSPORT_UDP, 1701 },        { "IKE Server", TRANSPORT_UDP, 500 },
    { "IPsec NAT-T Server", TRANSPORT_UDP, 4500 },
};

static const struct protocol *known_protocol(struct reader *r, const char *name)
{
    for (size_t i = 0; i < r->policy->protocols.n; i++)
        if (ascii_casecmp(r->policy->protocols.v[i].name, name) == 0)
            return &r->policy->protocols.v[i];
    return NULL;
}

/* NULL: the name is none of those. */
static const char *predefined_protocol(struct reader *r, const char *name)
{
    const struct protocol *there = known_protocol(r, name);
    struct protocol p = { 0 };
    for (size_t i = 0; i < sizeof predefined / sizeof *predefined && !there; i++) {
        if (ascii_casecmp(predefined[i].name, name) != 0)
            continue;
        p.name = predefined[i].name;
        vec_add(r->arena, &p.primary,
                ((struct connection_range){
                    .transport = predefined[i].transport, .low = predefined[i].port, .high = predefined[i].port }));
    }
    if (p.name)
        vec_add(r->arena, &r->policy->protocols, p);
    return there ? there->name : p.name;
}

/* What the server begins is nothing to publish (section 4: TCP 1; UDP 1 and 3). */
static void read_direction(struct object *o, struct connection_range *c)
{
    if (!object_has(o, S_CONNECTION_DIRECTION))
        return;
    long direction = object_int(o, S_CONNECTION_DIRECTION, 0, 3);
    c->outbound = direction == 1 || direction == 3;
    c->one_way = c->transport == TRANSPORT_UDP && direction == 0;
}

static void add_connection(struct reader *r, struct about *who, uint32_t item, connection_ranges *out)
{
    struct object o = object_read(r, who, OBJ_CONNECTION, item);
    long type = object_int(&o, S_CONNECTION_TRANSPORT, 0, 255);
    struct connection_range c = {
        .transport = type == UDP            ? TRANSPORT_UDP
                     : type == TCP || !type ? TRANSPORT_TCP
                                            : TRANSPORT_OTHER,
        .number = type == UDP || type == TCP ? 0 : type,
        .low = object_int(&o, S_CONNECTION_LOW, 0, 65535),
        .high = object_int(&o, S_CONNECTION_HIGH, 0, 65535),
        .line = r->store->items[item].line,
    };
    if (!c.high)
        c.high = c.low;
    read_direction(&o, &c);
    if (c.transport != TRANSPORT_OTHER && (!c.low || c.high < c.low)) {
        note(r, F_BAD_VALUE, who, "PortLow", c.line,
             "a connection of the protocol %s has the ports %ld to %ld; it was left out", who->name, c.low, c.high);
        return;
    }
    vec_add(r->arena, out, c);
}

static void read_connections(struct reader *r, struct about *who, struct object *o, enum setting_id id,
                             connection_ranges *out)
{
    for (uint32_t w = object_field(o, id); w; w = object_more(o, id, w))
        for
            each_child(r->store, w, c) add_connection(r, who, c, out);
}

/* Filters are add-ins: a reference to one is a GUID that the export rarely explains, or its name. */
static void read_filters(struct reader *r, struct object *o, struct protocol *p)
{
    for (uint32_t w = object_field(o, S_PROTOCOL_FILTERS); w; w = object_more(o, S_PROTOCOL_FILTERS, w)) {
        refs list = { 0 };
        refs_read(r, w, CLASS_NONE, S_PROTOCOL_FILTERS, &list);
        for (size_t i = 0; i < list.n; i++) {
            struct about filter = list.v[i].target ? about_item(r, list.v[i].target) : (struct about){ 0 };
            vec_add(r->arena, &p->filters, filter.name ? filter.name : list.v[i].name);
        }
    }
}

/* The policy's name for a protocol of the export; adds it on first use. */
static const char *protocol_name(struct reader *r, uint32_t item)
{
    struct entry *e = entry_find(&r->protocols, item);
    if (!e || e->listed)
        return e ? e->name : NULL;
    struct protocol p = { .name = e->name, .at = { .guid = item_guid(r, item), .line = r->store->items[item].line } };
    struct about who = { SUBJECT_NONE, p.name, p.at.guid, &p.at };
    struct object o = object_read(r, &who, OBJ_PROTOCOL, item);
    want(r, item);
    object_field(&o, S_PROTOCOL_NAME);
    read_connections(r, &who, &o, S_PROTOCOL_PRIMARY, &p.primary);
    read_connections(r, &who, &o, S_PROTOCOL_SECONDARY, &p.secondary);
    read_filters(r, &o, &p);
    vec_add(r->arena, &r->policy->protocols, p);
    e->listed = true;
    return e->name;
}

/* ---- what the rule refers to --------------------------------------------------------------------------------------- */
struct server {
    struct reader *r;
    struct server_rule rule;
    struct about who;
};

static void dangling(struct server *s, const struct ref *ref, const char *setting, const char *what)
{
    note(s->r, F_DANGLING_REF, &s->who, setting, ref->line, "it names the %s %s, which is not in the export", what,
         ref->name);
}

static void use_protocol(struct server *s, const struct ref *ref)
{
    const char *name = ref->target ? protocol_name(s->r, ref->target) : predefined_protocol(s->r, ref->name);
    if (!name)
        dangling(s, ref, "PublishedProtocol", "protocol");
    else if (!s->rule.protocol)
        s->rule.protocol = name;
}

/* As in web rules: what cannot be known closes the rule. */
static void use_schedule(struct server *s, const struct ref *ref)
{
    if (!ref->target && ascii_casecmp(ref->name, "Always") == 0)
        return;
    const char *name = ref->target ? schedule_name(s->r, ref->target) : NULL;
    if (ref->target)
        want(s->r, ref->target);
    if (name && !s->rule.schedule)
        s->rule.schedule = name;
    else
        s->rule.schedule_unknown = true;
    if (!ref->target)
        dangling(s, ref, "ScheduleUsed", "schedule");
}

/* References by their class, whatever slot they stand in (format 6.2.4). */
static void use_refs(struct server *s, const refs *list)
{
    for (size_t i = 0; i < list->n; i++)
        switch (list->v[i].class) {
        case CLASS_PROTOCOL: use_protocol(s, &list->v[i]); break;
        case CLASS_SCHEDULE: use_schedule(s, &list->v[i]); break;
        case CLASS_GROUP: break; /* a folder in the console */
        default: dangling(s, &list->v[i], "Ref", "object"); break;
        }
}

static void gather(struct server *s, struct object *o, enum setting_id id, enum item_class expected, refs *out)
{
    for (uint32_t w = object_field(o, id); w; w = object_more(o, id, w))
        refs_read(s->r, w, expected, (int)id, out);
}

/* References in slots that nobody knows. */
static void gather_others(struct server *s, uint32_t item, refs *out)
{
    const struct store *store = s->r->store;
    for
        each_child(store, item,
                   c) if (!store->items[c].used && (store->items[c].name == N_REF || store->items[c].name == N_REFS))
            refs_read(s->r, c, CLASS_NONE, -1, out);
}

/* ---- the rule ------------------------------------------------------------------------------------------------------- */
static void read_head(struct server *s, struct object *o, size_t number)
{
    struct server_rule *rule = &s->rule;
    const char *name = object_string(o, S_RULE_NAME);
    rule->name = name ? name : arena_printf(s->r->arena, "(unnamed server rule %zu)", number);
    s->who.name = rule->name;
    rule->description = object_string(o, S_RULE_DESCRIPTION);
    rule->enabled = object_bool(o, S_RULE_ENABLED);
    rule->action = read_action(s->r, &s->who, o);
    rule->source_port_low = object_int(o, S_RULE_PORT_LOW, 0, 65535);
    rule->source_port_high = object_int(o, S_RULE_PORT_HIGH, 0, 65535);
    rule->logging = object_bool(o, S_RULE_LOGGING);
}

static void read_from(struct server *s, struct object *o)
{
    const struct store *store = s->r->store;
    uint32_t item = object_field(o, S_RULE_SOURCES);
    for
        each_child(store, o->item, c) if (!item && store->items[c].name == N_SELECTION_IPS) item = c;
    s->rule.sources.any = !item;
    if (item)
        read_sources(s->r, &s->who, &s->rule.sources, item);
}

static void read_server(struct server *s, struct object *o)
{
    const char *text = object_string(o, S_SERVER_IP);
    uint32_t ip;
    if (text && ip_parse(text, &ip))
        s->rule.server = text;
    else if (text)
        note(s->r, F_BAD_VALUE, &s->who, "PublishedServerIP", object_line(o, S_SERVER_IP),
             "its published server \"%s\" is no IPv4 address", shortened(s->r, text));
    s->rule.publish_port = object_int(o, S_SERVER_PUBLISH_PORT, 0, 65535);
    s->rule.server_port = object_int(o, S_SERVER_SERVER_PORT, 0, 65535);
    s->rule.from_firewall = object_bool(o, S_SERVER_FIREWALL_ADDRESS);
    read_listen_on(s->r, &s->who, &s->rule.on, o, S_SERVER_LISTEN, S_SERVER_LISTEN_SETS);
}

void read_server_rule(struct reader *r, uint32_t item, uint32_t server)
{
    struct server s = { .r = r };
    refs list = { 0 };
    s.rule.at = (struct origin){ .guid = item_guid(r, item), .line = r->store->items[item].line };
    s.who = (struct about){ SUBJECT_RULE, NULL, s.rule.at.guid, &s.rule.at };
    struct object o = object_read(r, &s.who, OBJ_RULE, item);
    struct object properties = object_read(r, &s.who, OBJ_SERVER_PUBLISHING, server);
    want(r, item);
    read_head(&s, &o, r->policy->server_rules.n + 1);
    object_field(&o, S_RULE_WEB); /* empty shells */
    object_field(&o, S_RULE_ACCESS);
    gather(&s, &properties, S_SERVER_PROTOCOL, CLASS_PROTOCOL, &list);
    gather(&s, &o, S_RULE_SCHEDULE, CLASS_SCHEDULE, &list);
    read_from(&s, &o);
    read_server(&s, &properties);
    gather_others(&s, server, &list);
    gather_others(&s, item, &list);
    use_refs(&s, &list);
    vec_add(r->arena, &r->policy->server_rules, s.rule);
}
