/* diff_pairs: which object of the one side is which of the other, and what about it changed. */
#include "diff_internal.h"

#include <stdlib.h>
#include <string.h>

/* Where each subject's objects are in a policy, and their names and origins in them. */
static const struct location {
    size_t list, name, at, size;
} places[DIFF_SUBJECTS] = {
#define P(list, s)                                                                                                     \
    {                                                                                                                  \
        offsetof(struct policy, list), offsetof(struct s, name), offsetof(struct s, at), sizeof(struct s)              \
    }
    [DIFF_RULE] = P(rules, rule),
    [DIFF_LISTENER] = P(listeners, listener),
    [DIFF_FARM] = P(farms, farm),
    [DIFF_NETWORK] = P(networks, network),
    [DIFF_SCHEDULE] = P(schedules, schedule),
    [DIFF_USER_SET] = P(user_sets, user_set),
    [DIFF_PROTOCOL] = P(protocols, protocol),
    [DIFF_SERVER_RULE] = P(server_rules, server_rule),
#undef P
};

struct objects {
    const char *v;
    size_t n, cap;
};

static struct objects objects_of(const struct policy *p, enum diff_subject s)
{
    struct objects x;
    memcpy(&x, (const char *)p + places[s].list, sizeof x);
    return x;
}

static const char *name_of(enum diff_subject s, const void *object)
{
    const char *name;
    memcpy(&name, (const char *)object + places[s].name, sizeof name);
    return name ? name : "";
}

static const struct origin *origin_of(enum diff_subject s, const void *object)
{
    return (const struct origin *)(const void *)((const char *)object + places[s].at);
}

static const void *object_at(const struct diffing *d, int side, enum diff_subject s, size_t i)
{
    return objects_of(d->plan[side]->policy, s).v + i * places[s].size;
}

/* ---- pairing ------------------------------------------------------------------ */

struct keyed {
    const char *key;
    size_t at;
};

static int by_key(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    int c = strcmp(a->key, b->key);
    return c ? c : (a->at > b->at) - (a->at < b->at);
}

static const char *lower_text(struct arena *a, const char *s)
{
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++)
        *p = ascii_lower(*p);
    return out;
}

enum likeness { BY_GUID, BY_NAME, BY_EVERYTHING, BY_NAMES_AND_PATHS, BY_SERVER, BY_SOCKETS, LIKENESSES };

/* What two objects must have in common in a round of pairing; NULL: this one does not take part. */
static const char *key_of(struct arena *a, enum diff_subject s, const void *object, enum likeness like)
{
    const char *guid = origin_of(s, object)->guid;
    const struct rule *r = object;
    switch (like) {
    case BY_GUID: return guid ? normalise_guid(a, guid) : NULL;
    case BY_NAME: return *name_of(s, object) ? lower_text(a, name_of(s, object)) : NULL;
    case BY_EVERYTHING: return fields_text(a, s, object, ~(unsigned)DIFFERS_SITE);
    case BY_NAMES_AND_PATHS:
        return s == DIFF_RULE && r->paths.n ? fields_text(a, s, r, DIFFERS_NAME | DIFFERS_PATH) : NULL;
    case BY_SERVER: return s == DIFF_RULE && r->paths.n ? fields_text(a, s, r, DIFFERS_BACKEND | DIFFERS_PATH) : NULL;
    case BY_SOCKETS: return s == DIFF_LISTENER ? fields_text(a, s, object, DIFFERS_SOCKET) : NULL;
    case LIKENESSES: break;
    }
    return NULL;
}

static void pair_round(struct diffing *d, enum diff_subject s, enum likeness like)
{
    struct pairing *p = &d->pairs[s];
    struct arena *a = arena_new();
    struct keyed *v[2];
    size_t n[2] = { 0, 0 };
    for (int side = 0; side < 2; side++) {
        v[side] = arena_alloc(a, (p->n[side] + 1) * sizeof *v[side]);
        for (size_t i = 0; i < p->n[side]; i++) {
            const char *key = p->partner[side][i] == SIZE_MAX ? key_of(a, s, object_at(d, side, s, i), like) : NULL;
            if (key)
                v[side][n[side]++] = (struct keyed){ key, i };
        }
        if (n[side])
            qsort(v[side], n[side], sizeof *v[side], by_key);
    }
    for (size_t i = 0, k = 0; i < n[0] && k < n[1];) {
        int c = strcmp(v[0][i].key, v[1][k].key);
        if (c == 0) {
            p->partner[0][v[0][i].at] = v[1][k].at;
            p->partner[1][v[1][k].at] = v[0][i].at;
        }
        i += c <= 0;
        k += c >= 0;
    }
    arena_free(a);
}

static void pair(struct diffing *d, enum diff_subject s)
{
    struct pairing *p = &d->pairs[s];
    for (int side = 0; side < 2; side++) {
        p->n[side] = objects_of(d->plan[side]->policy, s).n;
        p->partner[side] = arena_alloc(d->scratch, (p->n[side] + 1) * sizeof *p->partner[side]);
        p->change[side] = arena_alloc(d->scratch, (p->n[side] + 1) * sizeof *p->change[side]);
        for (size_t i = 0; i < p->n[side]; i++)
            p->partner[side][i] = p->change[side][i] = SIZE_MAX;
    }
    for (int like = 0; like < LIKENESSES; like++)
        pair_round(d, s, (enum likeness)like);
}

/* ---- order ---------------------------------------------------------------------- */

struct numbered {
    size_t key, at;
};

static int by_number(const void *x, const void *y)
{
    const struct numbered *a = x, *b = y;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static struct numbered *numbered(struct arena *a, const size_t *keys, size_t n)
{
    struct numbered *v = arena_alloc(a, (n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = (struct numbered){ keys[i], i };
    if (n)
        qsort(v, n, sizeof *v, by_number);
    return v;
}

/* The longest increasing run of to[] (SIZE_MAX left out), by patience sorting; in[] marks it. */
static void longest_increasing(struct arena *a, const size_t *to, size_t n, bool *in)
{
    size_t *top = arena_alloc(a, (n + 1) * sizeof *top), *below = arena_alloc(a, (n + 1) * sizeof *below), piles = 0;
    for (size_t i = 0; i < n; i++) {
        in[i] = false;
        if (to[i] == SIZE_MAX)
            continue;
        size_t low = 0, high = piles;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (to[top[mid]] < to[i])
                low = mid + 1;
            else
                high = mid;
        }
        below[i] = low ? top[low - 1] : SIZE_MAX;
        top[low] = i;
        piles += low == piles;
    }
    for (size_t i = piles ? top[piles - 1] : SIZE_MAX; i != SIZE_MAX; i = below[i])
        in[i] = true;
}

void common_subsequence(struct arena *scratch, const size_t *before, size_t n, const size_t *after, size_t m,
                        bool *in_before, bool *in_after)
{
    struct numbered *x = numbered(scratch, before, n), *y = numbered(scratch, after, m);
    size_t *to = arena_alloc(scratch, (n + 1) * sizeof *to);
    for (size_t i = 0; i < n; i++)
        to[i] = SIZE_MAX;
    for (size_t i = 0, k = 0; i < n && k < m;) {
        if (x[i].key == y[k].key)
            to[x[i].at] = y[k].at;
        bool step = x[i].key <= y[k].key, other = x[i].key >= y[k].key;
        i += step;
        k += other;
    }
    longest_increasing(scratch, to, n, in_before);
    memset(in_after, 0, m * sizeof *in_after);
    for (size_t i = 0; i < n; i++)
        if (in_before[i])
            in_after[to[i]] = true;
}

/* ---- names that follow a renaming -------------------------------------------------- */

static size_t position(const struct policy *p, enum diff_subject s, const char *name)
{
    const void *found = NULL;
    switch (s) {
    case DIFF_LISTENER: found = policy_listener(p, name); break;
    case DIFF_FARM: found = policy_farm(p, name); break;
    case DIFF_NETWORK: found = policy_network(p, name); break;
    case DIFF_SCHEDULE: found = policy_schedule(p, name); break;
    case DIFF_USER_SET: found = policy_user_set(p, name); break;
    case DIFF_PROTOCOL: found = policy_protocol(p, name); break;
    default: break;
    }
    return found ? (size_t)((const char *)found - objects_of(p, s).v) / places[s].size : SIZE_MAX;
}

/* The name that the object has on the old side, so that a renamed object is the same one to those that refer to it. */
static const char *old_name(const struct diffing *d, int side, enum diff_subject s, const char *name)
{
    size_t i = name ? position(d->plan[side]->policy, s, name) : SIZE_MAX;
    if (i == SIZE_MAX)
        return name;
    if (side && d->pairs[s].partner[1][i] != SIZE_MAX) {
        side = 0;
        i = d->pairs[s].partner[1][i];
    }
    return name_of(s, object_at(d, side, s, i));
}

static strings old_names(struct diffing *d, int side, enum diff_subject s, const strings *names)
{
    strings out = { 0 };
    for (size_t i = 0; i < names->n; i++)
        vec_add(d->out->arena, &out, old_name(d, side, s, names->v[i]));
    return out;
}

static listen_ons old_places(const struct diffing *d, int side, const listen_ons *list)
{
    listen_ons out = { 0 };
    for (size_t i = 0; i < list->n; i++) {
        struct listen_on *on = vec_push(d->out->arena, &out);
        *on = list->v[i];
        on->network = old_name(d, side, DIFF_NETWORK, on->network);
    }
    return out;
}

/* A copy whose references are old names. */
static const void *with_old_names(struct diffing *d, int side, enum diff_subject s, const void *object)
{
    struct arena *a = d->out->arena;
    if (s == DIFF_RULE) {
        struct rule *r = arena_alloc(a, sizeof *r);
        *r = *(const struct rule *)object;
        r->listener = old_name(d, side, DIFF_LISTENER, r->listener);
        r->farm = old_name(d, side, DIFF_FARM, r->farm);
        r->schedule = old_name(d, side, DIFF_SCHEDULE, r->schedule);
        r->users = old_names(d, side, DIFF_USER_SET, &r->users);
        r->sources.networks = old_names(d, side, DIFF_NETWORK, &r->sources.networks);
        r->sources.except_networks = old_names(d, side, DIFF_NETWORK, &r->sources.except_networks);
        return r;
    }
    if (s == DIFF_NETWORK) {
        struct network *n = arena_alloc(a, sizeof *n);
        *n = *(const struct network *)object;
        n->members = old_names(d, side, DIFF_NETWORK, &n->members);
        return n;
    }
    if (s == DIFF_LISTENER) {
        struct listener *l = arena_alloc(a, sizeof *l);
        const struct listener *from = object;
        *l = *from;
        l->on = old_places(d, side, &from->on);
        return l;
    }
    if (s == DIFF_SERVER_RULE) {
        struct server_rule *r = arena_alloc(a, sizeof *r);
        *r = *(const struct server_rule *)object;
        r->protocol = old_name(d, side, DIFF_PROTOCOL, r->protocol);
        r->schedule = old_name(d, side, DIFF_SCHEDULE, r->schedule);
        r->sources.networks = old_names(d, side, DIFF_NETWORK, &r->sources.networks);
        r->sources.except_networks = old_names(d, side, DIFF_NETWORK, &r->sources.except_networks);
        r->on = old_places(d, side, &r->on);
        return r;
    }
    return object;
}

/* ---- changes ----------------------------------------------------------------------- */

static void add_change(struct diffing *d, enum diff_subject s, const struct diff_change *c, size_t old, size_t new)
{
    struct pairing *p = &d->pairs[s];
    size_t at = d->out->changes.n;
    *vec_push(d->out->arena, &d->out->changes) = *c;
    if (old != SIZE_MAX)
        p->change[0][old] = at;
    if (new != SIZE_MAX)
        p->change[1][new] = at;
}

static void one_sided(struct diffing *d, enum diff_subject s, int side, size_t i)
{
    const void *object = object_at(d, side, s, i);
    struct diff_change c = { .subject = s, .kind = side ? DIFF_ADDED : DIFF_REMOVED, .name = name_of(s, object) };
    *(side ? &c.to : &c.from) = i + 1;
    c.line[side] = origin_of(s, object)->line;
    add_change(d, s, &c, side ? SIZE_MAX : i, side ? i : SIZE_MAX);
}

static void both_sided(struct diffing *d, enum diff_subject s, size_t old, size_t new, bool moved)
{
    const void *x = object_at(d, 0, s, old), *y = object_at(d, 1, s, new);
    struct diff_change c = {
        .subject = s, .kind = DIFF_CHANGED, .name = name_of(s, y), .from = old + 1, .to = new + 1, .moved = moved
    };
    c.line[0] = origin_of(s, x)->line;
    c.line[1] = origin_of(s, y)->line;
    if (strcmp(name_of(s, x), c.name) != 0)
        c.old_name = name_of(s, x);
    fields_compare(d->out->arena, s, with_old_names(d, 0, s, x), with_old_names(d, 1, s, y), &c);
    if (c.fields.n || c.old_name || moved)
        add_change(d, s, &c, old, new);
}

/* In the new order; what is gone stands where it stood. */
static void find_changes(struct diffing *d, enum diff_subject s)
{
    struct pairing *p = &d->pairs[s];
    size_t gone = 0, *before = arena_alloc(d->scratch, (p->n[0] + 1) * sizeof *before),
           *after = arena_alloc(d->scratch, (p->n[1] + 1) * sizeof *after);
    bool *kept[2];
    for (size_t i = 0; i < p->n[0]; i++)
        before[i] = i;
    for (size_t i = 0; i < p->n[1]; i++)
        after[i] = p->partner[1][i] == SIZE_MAX ? p->n[0] + i : p->partner[1][i];
    for (int side = 0; side < 2; side++)
        kept[side] = arena_alloc(d->scratch, p->n[side] + 1);
    common_subsequence(d->scratch, before, p->n[0], after, p->n[1], kept[0], kept[1]);
    for (size_t i = 0; i < p->n[1]; i++) {
        size_t old = p->partner[1][i];
        for (; kept[1][i] && gone < old; gone++)
            if (p->partner[0][gone] == SIZE_MAX)
                one_sided(d, s, 0, gone);
        if (old == SIZE_MAX)
            one_sided(d, s, 1, i);
        else
            both_sided(d, s, old, i, (s == DIFF_RULE || s == DIFF_SERVER_RULE) && !kept[1][i]);
    }
    for (; gone < p->n[0]; gone++)
        if (p->partner[0][gone] == SIZE_MAX)
            one_sided(d, s, 0, gone);
}

void diff_pair_objects(struct diffing *d)
{
    static const enum diff_subject order[] = { DIFF_NETWORK,  DIFF_LISTENER, DIFF_FARM, DIFF_SCHEDULE,
                                               DIFF_USER_SET, DIFF_PROTOCOL, DIFF_RULE, DIFF_SERVER_RULE };
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        pair(d, order[i]);
    struct diff_change c = { .subject = DIFF_POLICY, .kind = DIFF_CHANGED, .name = "" };
    fields_compare(d->out->arena, DIFF_POLICY, d->plan[0]->policy, d->plan[1]->policy, &c);
    if (c.fields.n)
        vec_add(d->out->arena, &d->out->changes, c);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        find_changes(d, order[i]);
}
