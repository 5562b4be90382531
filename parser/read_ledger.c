/* read_ledger: where each element of the document went - to a row of the settings table, or to one of the four places
 * for elements that state no setting. Runs when everybody has read and marked; one pass over all items. */
#include "reader.h"

#include <stdlib.h>

enum zone { ZONE_ELSEWHERE, ZONE_PUBLISHED, ZONE_OTHER_RULE };

/* An open element: what it hands down to those below it. */
struct open {
    uint32_t end, top;
    uint16_t setting;
    enum zone zone;
    bool unknown, all;
    struct origin *owner;
};

struct ledger_pass {
    struct reader *r;
    struct open stack[128]; /* deeper than the store takes */
    size_t depth;
    size_t next_owner; /* owners are in order of item */
    size_t next_odd;
    uint32_t rows[SETTINGS];
};

static int by_item(const void *x, const void *y)
{
    const struct owner *a = x, *b = y;
    return (a->item > b->item) - (a->item < b->item);
}

static struct origin *origin_of(struct reader *r, const struct owner *o)
{
    switch (o->subject) {
    case SUBJECT_RULE: return &r->policy->rules.v[o->at].at;
    case SUBJECT_LISTENER: return &r->policy->listeners.v[o->at].at;
    default: return &r->policy->farms.v[o->at].at;
    }
}

/* The policy's object that this element is, or NULL. */
static struct origin *take_owner(struct ledger_pass *p, uint32_t item)
{
    struct reader *r = p->r;
    struct origin *found = NULL;
    while (p->next_owner < r->owners.n && r->owners.v[p->next_owner].item <= item) {
        const struct owner *o = &r->owners.v[p->next_owner++];
        if (o->item == item)
            found = origin_of(r, o);
    }
    return found;
}

static void count_row(struct ledger_pass *p, struct origin *owner, enum setting_id id)
{
    p->rows[id]++;
    if (!owner || !setting_varies(id))
        return;
    for (size_t i = owner->counts.n; i-- > 0;) /* elements of one setting stand together: found at once */
        if (owner->counts.v[i].setting == settings[id].id) {
            owner->counts.v[i].n++;
            return;
        }
    vec_add(p->r->arena, &owner->counts, ((struct ledger_count){ settings[id].id, 1 }));
}

static void count_attributes(struct ledger_pass *p, uint32_t item, const struct open *o)
{
    const struct store *s = p->r->store;
    for (; p->next_odd < s->odd_n && s->odd[p->next_odd].item == item; p->next_odd++) {
        if (o->zone != ZONE_PUBLISHED) {
            p->r->policy->ledger.other_attributes++;
            continue;
        }
        p->r->policy->ledger.unknown_attributes++;
        note_attribute(p->r, o->top, item, s->pool.p + s->odd[p->next_odd].name);
    }
}

/* What the element is, given what its parent hands down, and what it hands down itself. */
static struct open open_item(struct ledger_pass *p, uint32_t item)
{
    struct reader *r = p->r;
    const struct item *i = &r->store->items[item];
    struct open o = p->depth ? p->stack[p->depth - 1] : (struct open){ 0 };
    bool stub = i->type == 0 && item_is_leaf(r->store, item);
    o.end = i->end;
    if (r->is_wanted[item]) {
        o = (struct open){ .end = i->end, .top = item, .zone = ZONE_PUBLISHED, .owner = take_owner(p, item) };
    } else if (i->name == N_POLICY_RULE && !stub) {
        o = (struct open){ .end = i->end, .zone = ZONE_OTHER_RULE };
    } else if (!o.all) {
        o.unknown |= i->used == UNUSED;
        if (i->setting)
            o.setting = i->setting;
    }
    o.all |= i->used >= USED_ALL;
    return o;
}

static void count_item(struct ledger_pass *p, uint32_t item, const struct open *o)
{
    struct ledger *l = &p->r->policy->ledger;
    const struct item *i = &p->r->store->items[item];
    count_attributes(p, item, o);
    if (o->zone == ZONE_OTHER_RULE)
        l->other_rules++;
    else if (o->zone == ZONE_PUBLISHED && o->unknown)
        l->unknown++;
    else if (o->setting && !o->unknown)
        count_row(p, o->owner, (enum setting_id)(o->setting - 1));
    else if (o->zone == ZONE_PUBLISHED || i->used || p->depth == 0)
        l->structure++;
    else
        l->elsewhere++;
}

/* What stands above an object that is used holds it, although nobody reads it. */
static void mark_holders(struct reader *r)
{
    for (size_t i = 0; i < r->wanted.n; i++)
        for (uint32_t x = r->store->items[r->wanted.v[i]].parent; x && !r->store->items[x].used;
             x = r->store->items[x].parent)
            r->store->items[x].used = USED;
}

void read_ledger(struct reader *r)
{
    struct ledger_pass *p = arena_alloc(r->scratch, sizeof *p);
    struct ledger *l = &r->policy->ledger;
    const struct store *s = r->store;
    p->r = r;
    mark_holders(r);
    if (r->owners.n)
        qsort(r->owners.v, r->owners.n, sizeof *r->owners.v, by_item);
    for (uint32_t i = 1; i < s->n; i++) {
        while (p->depth && p->stack[p->depth - 1].end <= i)
            p->depth--;
        struct open o = open_item(p, i);
        count_item(p, i, &o);
        if (!item_is_leaf(s, i) && p->depth < sizeof p->stack / sizeof *p->stack)
            p->stack[p->depth++] = o;
    }
    l->elements = (long)s->n - 1;
    l->attributes = (long)s->attributes;
    for (size_t i = 0; i < SETTINGS; i++)
        if (p->rows[i])
            vec_add(r->arena, &l->settings, ((struct ledger_count){ settings[i].id, p->rows[i] }));
}
