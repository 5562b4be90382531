/* lookup: finds items by GUID and by display name, and gives objects unique names.
 *
 * Both indexes are sorted tables, so that no choice of keys in a hostile export makes them slow. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

struct by_guid {
    uint64_t high, low;
    uint32_t item, rank, size;
};
struct by_name {
    const char *name;
    uint32_t item;
    enum item_class class;
};
struct lookup {
    const struct store *store;
    VEC(struct by_guid) guids;
    VEC(struct by_name) names;
};

/* ---- GUIDs ------------------------------------------------------------------------------------------------------ */
static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool guid_parse(const char *s, uint64_t *high, uint64_t *low)
{
    uint64_t half[2] = { 0, 0 };
    bool brace = *s == '{';
    s += brace;
    for (int i = 0, digits = 0; i < 36; i++, s++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (*s != '-')
                return false;
            continue;
        }
        int d = hex(*s);
        if (d < 0)
            return false;
        half[digits / 16] = half[digits / 16] << 4 | (uint64_t)d;
        digits++;
    }
    *high = half[0];
    *low = half[1];
    return brace ? s[0] == '}' && !s[1] : !*s;
}

bool is_guid(const char *text)
{
    uint64_t high, low;
    return guid_parse(text, &high, &low);
}

const char *item_guid(struct reader *r, uint32_t item)
{
    const char *s = item_storage(r->store, item);
    return is_guid(s) ? arena_strdup(r->arena, s) : NULL;
}

/* Of several items with one GUID the exported one counts, then the one carried along, then the one with the most in it. */
static int guid_order(const void *x, const void *y)
{
    const struct by_guid *a = x, *b = y;
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

uint32_t lookup_guid(const struct lookup *l, const char *guid)
{
    uint64_t high, low;
    if (!guid_parse(guid, &high, &low))
        return 0;
    size_t from = 0, to = l->guids.n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        const struct by_guid *g = &l->guids.v[mid];
        if (g->high < high || (g->high == high && g->low < low))
            from = mid + 1;
        else
            to = mid;
    }
    const struct by_guid *g = l->guids.v + from;
    return from < l->guids.n && g->high == high && g->low == low ? g->item : 0;
}

/* ---- classes ---------------------------------------------------------------------------------------------------- */
static enum item_class class_of_name(uint16_t name)
{
    switch (name) {
    case N_WEB_LISTENER: return CLASS_LISTENER;
    case N_SERVER_FARM: return CLASS_FARM;
    case N_SCHEDULE_TEMPLATE:
    case N_SCHEDULE: return CLASS_SCHEDULE;
    case N_USER_SET: return CLASS_USERS;
    case N_NETWORK: return CLASS_NETWORK;
    case N_NETWORK_SET: return CLASS_NETWORK_SET;
    case N_COMPUTER: return CLASS_COMPUTER;
    case N_COMPUTER_SET: return CLASS_COMPUTER_SET;
    case N_ADDRESS_RANGE: return CLASS_RANGE;
    case N_SUBNET: return CLASS_SUBNET;
    case N_SCHEME: return CLASS_SCHEME;
    case N_POLICY_GROUP: return CLASS_GROUP;
    case N_PROTOCOL: return CLASS_PROTOCOL;
    case N_CONTENT_TYPES: return CLASS_CONTENT_TYPES;
    default: return CLASS_OTHER;
    }
}

enum item_class class_of_item(const struct store *s, uint32_t item)
{
    return class_of_name(s->items[item].name);
}

enum item_class class_of_ref(const struct store *s, const char *ref_class)
{
    if (!*ref_class)
        return CLASS_NONE;
    if (ascii_ncasecmp(ref_class, "msFPC", 5) == 0)
        ref_class += 5;
    if (ascii_casecmp(ref_class, "ScheduleTemplate") == 0) /* ISA 2000's word */
        return CLASS_SCHEDULE;
    return class_of_name(xml_name_find(s->names, ref_class, strlen(ref_class)));
}

/* ---- display names ---------------------------------------------------------------------------------------------- */
static int name_order(const void *x, const void *y)
{
    const struct by_name *a = x, *b = y;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    int order = ascii_casecmp(a->name, b->name);
    return order ? order : a->item < b->item ? -1 : a->item > b->item;
}

uint32_t lookup_name(const struct lookup *l, enum item_class class, const char *name)
{
    struct by_name key = { name, 0, class };
    size_t from = 0, to = l->names.n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (name_order(&l->names.v[mid], &key) < 0)
            from = mid + 1;
        else
            to = mid;
    }
    const struct by_name *found = l->names.v + from;
    return from < l->names.n && found->class == class && ascii_casecmp(found->name, name) == 0 ? found->item : 0;
}

static const char *display_name(const struct store *s, uint32_t item)
{
    for
        each_child(s, item, c) if (s->items[c].name == N_NAME && s->items[c].text) return item_text(s, c);
    return "";
}

/* An element of a class's name may be a whole object, or a slot that holds a reference to one. */
static bool is_object(const struct store *s, uint32_t item)
{
    if (item_is_leaf(s, item))
        return false;
    if (is_guid(item_storage(s, item)))
        return true;
    const char *name = display_name(s, item);
    if (!*name || is_guid(name) || s->items[item].end - item < 3)
        return false;
    for
        each_child(s, item, c) if (xml_name_setting(s->names, OBJ_REF, s->items[c].name) == S_REF_CLASS) return false;
    return true;
}

struct lookup *lookup_make(struct arena *a, const struct store *s)
{
    struct lookup *l = arena_alloc(a, sizeof *l);
    l->store = s;
    for (uint32_t i = 1; i < s->n; i++) {
        const struct item *item = &s->items[i];
        enum item_class class = class_of_name(item->name);
        if (class != CLASS_OTHER && is_object(s, i) && *display_name(s, i))
            vec_add(a, &l->names, ((struct by_name){ display_name(s, i), i, class }));
        struct by_guid g = { .item = i, .size = item->end - i };
        if (!item->storage || item->slot || item->name == N_REF || !guid_parse(item_storage(s, i), &g.high, &g.low))
            continue;
        g.rank = item->type == 1 ? 0 : item->type == 2 ? 1 : 2;
        vec_add(a, &l->guids, g);
    }
    if (l->guids.n)
        qsort(l->guids.v, l->guids.n, sizeof *l->guids.v, guid_order);
    if (l->names.n)
        qsort(l->names.v, l->names.n, sizeof *l->names.v, name_order);
    return l;
}

/* ---- unique names ----------------------------------------------------------------------------------------------- */
struct taken {
    const char *name;
    uint32_t count;
};
struct name_set {
    struct arena *arena;
    struct taken *slots;
    size_t n, mask;
};

struct name_set *name_set_new(struct arena *a)
{
    struct name_set *s = arena_alloc(a, sizeof *s);
    *s = (struct name_set){ .arena = a, .slots = arena_alloc(a, 64 * sizeof *s->slots), .mask = 63 };
    return s;
}

static struct taken *name_slot(const struct name_set *s, const char *name)
{
    uint32_t h = 2166136261u;
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)ascii_lower(*c)) * 16777619u;
    size_t at = (h ^ h >> 15) & s->mask;
    while (s->slots[at].name && ascii_casecmp(s->slots[at].name, name) != 0)
        at = (at + 1) & s->mask;
    return &s->slots[at];
}

static void name_set_grow(struct name_set *s)
{
    struct taken *old = s->slots;
    size_t n = s->mask + 1;
    s->slots = arena_alloc(s->arena, n * 2 * sizeof *old);
    s->mask = n * 2 - 1;
    for (size_t i = 0; i < n; i++)
        if (old[i].name)
            *name_slot(s, old[i].name) = old[i];
}

const char *name_set_unique(struct name_set *s, struct arena *a, const char *name)
{
    if ((s->n + 2) * 2 > s->mask)
        name_set_grow(s);
    struct taken *slot = name_slot(s, name), *other = slot;
    const char *unique = name;
    while (other->name) /* the count goes on where the last one stopped: few steps in all */
        other = name_slot(s, unique = arena_printf(a, "%s (%u)", name, ++slot->count + 1));
    *other = (struct taken){ unique, 0 };
    s->n++;
    return unique;
}

const char *name_set_find(const struct name_set *s, const char *name)
{
    return name_slot(s, name)->name;
}

struct name_set *entries_make(struct reader *r, enum item_class class, const char *kind, entries *out)
{
    const struct store *s = r->store;
    struct name_set *taken = name_set_new(r->scratch);
    size_t unnamed = 0;
    for (uint32_t i = 1; i < s->n; i++) {
        enum item_class c = class_of_name(s->items[i].name);
        bool fits = c == class || (class == CLASS_NETWORK && c == CLASS_NETWORK_SET);
        const char *storage = item_storage(s, i);
        if (!fits || !is_object(s, i) || (is_guid(storage) && lookup_guid(r->lookup, storage) != i))
            continue;
        const char *name = display_name(s, i);
        name = *name ? arena_strdup(r->arena, name) : arena_printf(r->arena, "(unnamed %s %zu)", kind, ++unnamed);
        vec_add(r->scratch, out, ((struct entry){ .item = i, .name = name_set_unique(taken, r->arena, name) }));
    }
    return taken;
}

struct entry *entry_find(const entries *e, uint32_t item)
{
    size_t from = 0, to = e->n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (e->v[mid].item < item)
            from = mid + 1;
        else
            to = mid;
    }
    return from < e->n && e->v[from].item == item ? &e->v[from] : NULL;
}
