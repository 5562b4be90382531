/* read_objects: networks, addresses, schedules and user sets - what rules and listeners refer to. */
#include "reader.h"

#include <string.h>

/* ---- addresses ------------------------------------------------------------------------------------------------------ */
static bool parse_range(struct reader *r, const char *from, const char *to, const char *mask, struct ip_range *out)
{
    if (!mask)
        return ip_parse(from, &out->from) && ip_parse(to, &out->to) && out->from <= out->to;
    return ip_range_parse(arena_printf(r->scratch, "%s/%s", from, mask), out);
}

/* One computer, subnet or range; an element that is none of these adds nothing. */
static void add_address(struct reader *r, uint32_t item, struct compiled *out)
{
    struct object o = object_read(r, NULL, OBJ_ADDRESSES, item);
    const char *ip = object_string(&o, S_ADDRESS_IP), *mask = object_string(&o, S_ADDRESS_MASK);
    const char *from = object_string(&o, S_ADDRESS_FROM), *to = object_string(&o, S_ADDRESS_TO);
    if (!ip && !from && !to)
        return;
    if (!from)
        from = ip ? ip : to;
    if (!to)
        to = from;
    struct ip_range range;
    if (parse_range(r, from, to, ip ? mask : NULL, &range)) {
        ipset_add(r->arena, &out->set, range.from, range.to);
        return;
    }
    out->bad = true;
    note(r, F_BAD_VALUE, NULL, "IPAddress", r->store->items[item].line,
         "\"%s%s%s\" is not an IPv4 address or range; rules that use it are closed", shortened(r, from),
         mask ? "/" : "-", shortened(r, mask ? mask : to));
}

static void add_referred(struct reader *r, uint32_t item, struct compiled *out)
{
    refs list = { 0 };
    refs_read(r, item, CLASS_NONE, -1, &list);
    for (size_t i = 0; i < list.n; i++) {
        enum item_class c = list.v[i].class;
        if (list.v[i].target && (c == CLASS_COMPUTER || c == CLASS_RANGE || c == CLASS_SUBNET)) {
            want(r, list.v[i].target);
            add_address(r, list.v[i].target, out);
            continue;
        }
        out->bad = true;
        note(r, F_DANGLING_REF, NULL, NULL, list.v[i].line,
             "%s, part of a computer set, is not in the export; rules that use the set are closed", list.v[i].name);
    }
}

/* The addresses of a computer, range, subnet or computer set, or of a network's ranges. Computer sets hold copies of
 * their members (format 3.7); references are followed one step. */
static const struct compiled *compile(struct reader *r, uint32_t item)
{
    struct store *s = r->store;
    if (r->compiled_at[item])
        return r->compiled.v[r->compiled_at[item] - 1];
    struct compiled *out = arena_alloc(r->scratch, sizeof *out);
    for (uint32_t i = item; i < s->items[item].end;) {
        if (s->items[i].name == N_REF || s->items[i].name == N_REFS) {
            add_referred(r, i, out);
            i = s->items[i].end;
            continue;
        }
        if (!item_is_leaf(s, i))
            add_address(r, i, out);
        i++;
    }
    ipset_normalise(&out->set);
    vec_add(r->scratch, &r->compiled, out);
    r->compiled_at[item] = (uint32_t)r->compiled.n;
    return out;
}

/* ---- networks ------------------------------------------------------------------------------------------------------- */
/* Networks that every installation has, so that a reference to one is understood without the object (format 3.7). */
static const struct predefined {
    const char *guid, *name;
    enum network_kind kind;
} predefined[] = {
    { "{F129EACF-778B-44FE-B339-5B752D7220A3}", "External", NETWORK_EXTERNAL },
    { "{5ED77DCE-8110-4821-B445-008B7E6B7F6D}", "Local Host", NETWORK_LOCAL_HOST },
    { "{18d0438b-5144-4362-b79e-742712513729}", "All Networks (and Local Host)", NETWORK_EVERYWHERE },
    { "", "All Networks", NETWORK_EVERYWHERE },
    { "", "Anywhere", NETWORK_EVERYWHERE },
    { "", "All Protected Networks", NETWORK_SET_EXCEPT },
    { "", "Internal", NETWORK_PLAIN },
};

static const struct predefined *find_predefined(const char *name)
{
    size_t brace = *name == '{';
    for (size_t i = 0; *name && i < sizeof predefined / sizeof *predefined; i++) {
        const struct predefined *p = &predefined[i];
        bool guid = *p->guid && is_guid(name) && ascii_ncasecmp(p->guid + 1, name + brace, 36) == 0;
        if (guid || ascii_casecmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

/* A network without an object in the export: its name and what is known of it. Each name is added once. */
static const char *add_named(struct reader *r, const char *name, enum network_kind kind, const char *member)
{
    const char *there = name_set_find(r->network_names, name);
    if (there)
        return there;
    struct network *n = vec_push(r->arena, &r->policy->networks);
    n->name = name_set_unique(r->network_names, r->arena, arena_strdup(r->arena, name));
    n->kind = kind;
    if (member)
        vec_add(r->arena, &n->members, member);
    return n->name;
}

const char *network_named(struct reader *r, const char *name, bool *known)
{
    const struct predefined *p = find_predefined(name);
    *known = p != NULL;
    if (!p)
        return add_named(r, name, NETWORK_PLAIN, NULL);
    return add_named(r, p->name, p->kind,
                     p->kind == NETWORK_SET_EXCEPT ? add_named(r, "External", NETWORK_EXTERNAL, NULL) : NULL);
}

static enum network_kind network_kind(struct object *o, const char *name)
{
    const struct predefined *p = find_predefined(name);
    if (!object_has(o, S_NETWORK_TYPE))
        return p && (p->kind == NETWORK_EXTERNAL || p->kind == NETWORK_LOCAL_HOST) ? p->kind : NETWORK_PLAIN;
    long type = object_int(o, S_NETWORK_TYPE, 0, 1000);
    return type == 3 ? NETWORK_EXTERNAL : type == 2 ? NETWORK_LOCAL_HOST : NETWORK_PLAIN;
}

static void read_set(struct reader *r, struct object *o, struct network *n)
{
    struct store *s = r->store;
    refs list = { 0 };
    for
        each_child(s, o->item,
                   c) if (s->items[c].name == N_REF || s->items[c].name == N_REFS || s->items[c].slot == N_NETWORK)
            refs_read(r, c, CLASS_NETWORK, S_NETWORK_SET_MEMBERS, &list);
    for (uint32_t c = object_field(o, S_NETWORK_SET_MEMBERS); c; c = object_more(o, S_NETWORK_SET_MEMBERS, c))
        if (s->items[c].name != N_REF && s->items[c].name != N_REFS)
            refs_read(r, c, CLASS_NETWORK, S_NETWORK_SET_MEMBERS, &list);
    for (size_t i = 0; i < list.n; i++) {
        struct entry *e = list.v[i].target ? entry_find(&r->networks, list.v[i].target) : NULL;
        bool known = true;
        vec_add(r->arena, &n->members, e ? e->name : network_named(r, list.v[i].name, &known));
        if (!known)
            note(r, F_DANGLING_REF, o->about, "Networks", list.v[i].line,
                 "%s, a network of the set %s, is not in the export", list.v[i].name, n->name);
    }
    bool except = object_int(o, S_NETWORK_SET_TYPE, 0, 1) == 1;
    n->kind = except ? n->members.n ? NETWORK_SET_EXCEPT : NETWORK_EVERYWHERE : NETWORK_SET;
    const struct predefined *p = find_predefined(n->at.guid ? n->at.guid : n->name);
    if (p && p->kind == NETWORK_EVERYWHERE)
        n->kind = NETWORK_EVERYWHERE; /* whatever its name in the product's language */
}

static void read_network(struct reader *r, const struct entry *e)
{
    struct network n = { .name = e->name,
                         .at = { .guid = item_guid(r, e->item), .line = r->store->items[e->item].line } };
    struct about who = { SUBJECT_NONE, n.name, n.at.guid, &n.at };
    struct object o = object_read(r, &who, OBJ_NETWORK, e->item);
    object_field(&o, S_NETWORK_NAME);
    if (class_of_item(r->store, e->item) == CLASS_NETWORK_SET) {
        read_set(r, &o, &n);
    } else {
        n.kind = network_kind(&o, n.name);
        uint32_t ranges = object_field(&o, S_NETWORK_RANGES);
        if (ranges)
            n.addresses = compile(r, ranges)->set;
    }
    vec_add(r->arena, &r->policy->networks, n);
}

void read_networks(struct reader *r)
{
    for (size_t i = 0; i < r->networks.n; i++)
        if (class_of_item(r->store, r->networks.v[i].item) == CLASS_NETWORK)
            read_network(r, &r->networks.v[i]);
    for (size_t i = 0; i < r->networks.n; i++)
        if (class_of_item(r->store, r->networks.v[i].item) == CLASS_NETWORK_SET)
            read_network(r, &r->networks.v[i]);
}

/* ---- sources of a rule ------------------------------------------------------------------------------------------------ */
static const struct {
    enum setting_id id;
    enum item_class class;
} source_slots[] = {
    { S_SOURCE_NETWORKS, CLASS_NETWORK },   { S_SOURCE_NETWORK_SETS, CLASS_NETWORK_SET },
    { S_SOURCE_COMPUTERS, CLASS_COMPUTER }, { S_SOURCE_COMPUTER_SETS, CLASS_COMPUTER_SET },
    { S_SOURCE_RANGES, CLASS_RANGE },       { S_SOURCE_SUBNETS, CLASS_SUBNET },
};

/* One side of "from ... except ...". sets: the compiled parts, borrowed. */
struct side {
    strings networks;
    VEC(const ipset *) sets;
    bool any;
};

static void add_source(struct reader *r, const struct about *who, const struct selection *of, const struct ref *ref,
                       struct side *side, bool *unknown)
{
    bool network = ref->class == CLASS_NETWORK || ref->class == CLASS_NETWORK_SET, known = false;
    struct entry *e = ref->target ? entry_find(&r->networks, ref->target) : NULL;
    if (ref->target)
        want(r, ref->target);
    if (e) {
        vec_add(r->arena, &side->networks, e->name);
        return;
    }
    const struct predefined *p = ref->target ? NULL : find_predefined(ref->name);
    if (p && p->kind == NETWORK_EVERYWHERE) {
        side->any = true;
        return;
    }
    if (ref->target && (ref->class == CLASS_COMPUTER || ref->class == CLASS_COMPUTER_SET || ref->class == CLASS_RANGE ||
                        ref->class == CLASS_SUBNET)) {
        const struct compiled *c = compile(r, ref->target);
        *unknown |= c->bad;
        vec_add(r->scratch, &side->sets, &c->set);
        return;
    }
    if (network || p) {
        vec_add(r->arena, &side->networks, network_named(r, ref->name, &known));
        if (known)
            return;
    } else {
        *unknown = true;
    }
    note(r, F_DANGLING_REF, who, of->setting, ref->line, "%s %s, %s; %s", of->names, ref->name,
         ref->target ? "an object that holds no addresses" : "which is not in the export", of->unknown);
}

static void united(struct reader *r, const struct side *side, ipset *out)
{
    if (side->any) {
        ipset_add(r->arena, out, 0, UINT32_MAX);
    } else if (side->sets.n == 1) { /* one set of many rules is shared, not copied */
        *out = *side->sets.v[0];
        return;
    } else {
        for (size_t i = 0; i < side->sets.n; i++)
            for (size_t k = 0; k < side->sets.v[i]->n; k++)
                ipset_add(r->arena, out, side->sets.v[i]->v[k].from, side->sets.v[i]->v[k].to);
    }
    ipset_normalise(out);
}

/* Exceptions outrank what is included (B-22). Without networks the difference is known here; keeps: they are kept apart all the same. */
static void settle(struct reader *r, struct sources *s, const struct side *in, const struct side *out, bool keeps)
{
    united(r, in, &s->addresses);
    united(r, out, &s->except_addresses);
    s->networks = in->networks;
    s->except_networks = out->networks;
    if (!keeps && !s->networks.n && !s->except_networks.n && s->except_addresses.n) {
        ipset rest = { 0 };
        ipset_minus(r->arena, &rest, &s->addresses, &s->except_addresses);
        s->addresses = rest;
        s->except_addresses = (ipset){ 0 };
    }
    if (ipset_is_all(&s->addresses) && !s->except_addresses.n && !s->except_networks.n)
        *s = (struct sources){ .any = true, .unknown = s->unknown };
}

/* any: no reference means everybody, for exceptions alone are exceptions from everywhere. */
static void read_addresses(struct reader *r, struct about *who, const struct selection *of, bool any,
                           struct sources *out, uint32_t item)
{
    struct store *s = r->store;
    struct object o = object_read(r, who, OBJ_SOURCES, item);
    refs list = { 0 };
    for (size_t i = 0; i < sizeof source_slots / sizeof *source_slots; i++)
        for (uint32_t c = object_field(&o, source_slots[i].id); c; c = object_more(&o, source_slots[i].id, c))
            refs_read(r, c, source_slots[i].class, (int)source_slots[i].id, &list);
    for
        each_child(s, item, c)
        {
            if (s->items[c].used || (item_is_leaf(s, c) && !s->items[c].text))
                continue;
            if (s->items[c].name == N_REF || s->items[c].name == N_REFS)
                refs_read(r, c, CLASS_NONE, -1, &list);
            else
                out->unknown = true; /* a restriction that nobody understands; reported as unknown */
        }
    struct side in = { 0 }, except = { 0 };
    for (size_t i = 0; i < list.n; i++)
        add_source(r, who, of, &list.v[i], list.v[i].excluded ? &except : &in, &out->unknown);
    if (any && in.sets.n == 0 && in.networks.n == 0 && !out->unknown)
        in.any = true;
    if (in.any || in.sets.n || in.networks.n || !any)
        settle(r, out, &in, &except, !any);
}

void read_sources(struct reader *r, struct about *who, struct sources *out, uint32_t item)
{
    static const struct selection from = { "SourceSelectionIPs", "its sources name",
                                           "until its addresses are known the rule is closed" };
    read_addresses(r, who, &from, true, out, item);
}

void read_selection(struct reader *r, struct about *who, const struct selection *of, struct sources *out, uint32_t item)
{
    read_addresses(r, who, of, false, out, item);
}

/* ---- schedules ------------------------------------------------------------------------------------------------------------ */
static bool read_hours(struct reader *r, const char *text, uint8_t hours[21])
{
    size_t n = 0;
    if (strlen(text) == 168 && strspn(text, "01") == 168) {
        for (size_t i = 0; i < 168; i++)
            hours[i / 8] |= (uint8_t)((text[i] == '1') << (7 - i % 8));
        return true;
    }
    const unsigned char *bytes = value_bytes(r->scratch, text, &n);
    if (!bytes || (n != 21 && n != 168))
        return false;
    for (size_t i = 0; i < 168; i++)
        hours[i / 8] |= (uint8_t)((n == 21 ? bytes[i / 8] >> (7 - i % 8) & 1 : bytes[i] != 0) << (7 - i % 8));
    return true;
}

const char *schedule_name(struct reader *r, uint32_t item)
{
    struct entry *e = entry_find(&r->schedules, item);
    if (!e || e->listed || e->bad)
        return e && e->listed ? e->name : NULL;
    struct schedule s = { .name = e->name, .at = { .guid = item_guid(r, item), .line = r->store->items[item].line } };
    struct about who = { SUBJECT_NONE, s.name, s.at.guid, &s.at };
    struct object o = object_read(r, &who, OBJ_SCHEDULE, item);
    object_field(&o, S_SCHEDULE_NAME);
    const char *text = object_string(&o, S_SCHEDULE_HOURS);
    if (!text || !read_hours(r, text, s.hours)) {
        note(r, F_BAD_VALUE, &who, "Schedule", object_line(&o, S_SCHEDULE_HOURS),
             "the hours of the schedule %s cannot be read; rules that use it are closed", s.name);
        e->bad = true; /* from now on like a schedule that is not there */
        return NULL;
    }
    vec_add(r->arena, &r->policy->schedules, s);
    e->listed = true;
    return e->name;
}

/* ---- user sets -------------------------------------------------------------------------------------------------------------- */
static void read_account(struct reader *r, uint32_t item, struct user_set *set)
{
    const char *storage = item_storage(r->store, item);
    struct account a = { 0 };
    if (item_is_leaf(r->store, item)) {
        r->store->items[item].used |= USED;
        a.name = arena_strdup(r->arena, *storage ? storage : item_text(r->store, item));
    } else {
        struct object o = object_read(r, NULL, OBJ_ACCOUNT, item);
        const char *space = object_string(&o, S_ACCOUNT_NAMESPACE);
        a.sid = object_string(&o, S_ACCOUNT_SID);
        a.group = object_int(&o, S_ACCOUNT_TYPE, 0, 1000) != 0;
        a.name = object_string(&o, S_ACCOUNT_NAME);
        if (!a.name && *storage && !is_guid(storage))
            a.name = arena_strdup(r->arena, storage);
        if (a.name && space)
            a.name = arena_printf(r->arena, "%s\\%s", space, a.name);
    }
    if ((a.name && *a.name) || a.sid)
        vec_add(r->arena, &set->accounts, a);
}

const char *user_set_name(struct reader *r, uint32_t item)
{
    struct entry *e = entry_find(&r->user_sets, item);
    if (!e || e->listed)
        return e ? e->name : NULL;
    struct user_set set = { .name = e->name, .at = { .guid = item_guid(r, item), .line = r->store->items[item].line } };
    struct about who = { SUBJECT_NONE, set.name, set.at.guid, &set.at };
    struct object o = object_read(r, &who, OBJ_USER_SET, item);
    object_field(&o, S_USERS_NAME);
    static const enum setting_id lists[] = { S_USERS_ACCOUNTS, S_USERS_OTHERS };
    for (size_t i = 0; i < 2; i++)
        for (uint32_t c = object_field(&o, lists[i]); c; c = object_more(&o, lists[i], c)) {
            if (xml_name_find(r->store->names, "Account", 7) == r->store->items[c].name)
                read_account(r, c, &set);
            else
                for
                    each_child(r->store, c, account) read_account(r, account, &set);
        }
    vec_add(r->arena, &r->policy->user_sets, set);
    e->listed = true;
    return e->name;
}
