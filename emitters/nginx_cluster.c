/* nginx_cluster: which rules of a listener must stand in one nginx server.
 *
 * nginx picks the server by the most specific name, the source by the order of its rules. The two agree as long as no
 * host can reach rules of two servers. So rules that share a possible host are joined: equal names, a wildcard and
 * what it covers, and a rule for all names with every other. */
#include "nginx_parts.h"

#include <string.h>

/* ---- table ------------------------------------------------------------------- */
static size_t hash(const char *s)
{
    size_t h = 5381;
    for (; *s; s++)
        h = h * 33 ^ (unsigned char)*s;
    return h ^ h >> 15;
}

static struct table_slot *slot_of(const struct table *t, const char *key)
{
    size_t i = hash(key) & (t->cap - 1);
    while (t->v[i].key && strcmp(t->v[i].key, key) != 0)
        i = (i + 1) & (t->cap - 1);
    return &t->v[i];
}

static void grow(struct table *t, struct arena *a)
{
    struct table old = *t;
    t->cap = old.cap ? old.cap * 2 : 64;
    t->v = arena_alloc(a, t->cap * sizeof *t->v);
    for (size_t i = 0; i < old.cap; i++)
        if (old.v[i].key)
            *slot_of(t, old.v[i].key) = old.v[i];
}

size_t *table_at(struct table *t, struct arena *a, const char *key)
{
    if (t->n * 2 >= t->cap)
        grow(t, a);
    struct table_slot *s = slot_of(t, key);
    if (!s->key) {
        s->key = key;
        t->n++;
    }
    return &s->value;
}

size_t table_get(const struct table *t, const char *key)
{
    return t->cap ? slot_of(t, key)->value : 0;
}

/* ---- joining ------------------------------------------------------------------- */
struct work {
    struct arena *arena;
    const struct plan *plan;
    const rule_indexes *rules;
    size_t *parent;           /* union-find over places in rules; a root is its set's first rule */
    struct table exact, wild; /* name, and ".x" for "*.x" -> a place + 1 */
    size_t everything;        /* the first rule for all names + 1 */
};

static const struct plan_rule *rule_at(const struct work *w, size_t place)
{
    return &w->plan->rules.v[w->rules->v[place]];
}

static size_t root(struct work *w, size_t i)
{
    while (w->parent[i] != i)
        i = w->parent[i] = w->parent[w->parent[i]];
    return i;
}

static void join(struct work *w, size_t x, size_t y)
{
    x = root(w, x);
    y = root(w, y);
    if (x < y)
        w->parent[y] = x;
    else
        w->parent[x] = y;
}

static void join_same(struct work *w, struct table *t, const char *key, size_t place)
{
    size_t *first = table_at(t, w->arena, key);
    if (*first)
        join(w, *first - 1, place);
    else
        *first = place + 1;
}

static void enter_names(struct work *w, size_t place)
{
    const struct rule *r = rule_at(w, place)->rule;
    if (r->all_names && !w->everything)
        w->everything = place + 1;
    for (size_t i = 0; i < r->names.n; i++) {
        const struct public_name *n = &r->names.v[i];
        if (n->kind == NAME_WILDCARD)
            join_same(w, &w->wild, n->name + 1, place);
        else
            join_same(w, &w->exact, n->name, place);
    }
}

/* A wildcard *.x covers every name that ends in ".x": each ending of the name is looked up. */
static void join_wildcards(struct work *w, size_t place)
{
    const struct rule *r = rule_at(w, place)->rule;
    if (w->everything)
        join(w, w->everything - 1, place);
    for (size_t i = 0; i < r->names.n; i++)
        for (const char *end = strchr(r->names.v[i].name, '.'); end; end = strchr(end + 1, '.')) {
            size_t covering = table_get(&w->wild, end);
            if (covering)
                join(w, covering - 1, place);
        }
}

/* A rule that is only a comment stands with the live rules that have its name, so that switching a rule off changes
 * no more than its own block; it joins nothing. Gives the place + 1 of one of them, 0 for none. */
static size_t home_of(const struct work *w, const struct rule *r)
{
    for (size_t i = 0; !w->everything && i < r->names.n; i++) {
        size_t found = table_get(&w->exact, r->names.v[i].name);
        for (const char *end = strchr(r->names.v[i].name, '.'); !found && end; end = strchr(end + 1, '.'))
            found = table_get(&w->wild, end);
        if (found)
            return found;
    }
    return w->everything;
}

/* ---- gathering -------------------------------------------------------------------- */
static void add_member(struct work *w, struct table *seen, struct cluster *c, size_t place)
{
    const struct plan_rule *r = rule_at(w, place);
    struct member *m = vec_push(w->arena, &c->members);
    *m = (struct member){ .rule = w->rules->v[place], .live = r->answers };
    if (!m->live)
        return;
    c->live++;
    c->all_names |= r->rule->all_names;
    for (size_t i = 0; i < r->rule->names.n; i++) {
        const char *name = r->rule->names.v[i].name;
        size_t *last = table_at(seen, w->arena, name); /* the rule that counted this name last, + 1 */
        if (!*last)
            vec_add(w->arena, &c->names, name);
        m->names += *last != place + 1;
        *last = place + 1;
    }
}

void cluster_rules(struct arena *a, const struct plan *p, const rule_indexes *rules, clusters *out)
{
    struct work w = { .arena = a, .plan = p, .rules = rules };
    struct table seen = { 0 };
    size_t *cluster_of = arena_alloc(a, (rules->n + 1) * sizeof *cluster_of); /* of a root, + 1 */
    w.parent = arena_alloc(a, (rules->n + 1) * sizeof *w.parent);
    for (size_t i = 0; i < rules->n; i++) {
        w.parent[i] = i;
        if (rule_at(&w, i)->answers)
            enter_names(&w, i);
    }
    for (size_t i = 0; i < rules->n; i++)
        if (rule_at(&w, i)->answers)
            join_wildcards(&w, i);
    for (size_t i = 0; i < rules->n; i++) {
        const struct plan_rule *r = rule_at(&w, i);
        size_t home = r->answers ? i + 1 : home_of(&w, r->rule);
        size_t first = root(&w, home ? home - 1 : i);
        if (!cluster_of[first]) {
            vec_push(a, out);
            cluster_of[first] = out->n;
        }
        add_member(&w, &seen, &out->v[cluster_of[first] - 1], i);
    }
}
