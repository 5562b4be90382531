/* diff_ask: the requests of one path - clients, hours, users, and what follows the path - put to both sides. */
#include "diff_internal.h"

#include <stdlib.h>
#include <string.h>

/* A class costs as much as it has rules: those of a usual one are few. */
bool walk_stopped(const struct walk *w)
{
    return w->d->limit && (w->d->out->classes >= w->d->limit || w->work / 64 >= w->d->limit);
}

/* From here on decide() sees these rules only. */
void walk_look_at(struct walk *w, const struct list l[2])
{
    for (int side = 0; side < 2; side++) {
        struct meeting *m = &w->m;
        m->only[side] = (struct plan_listener){ 0 };
        if (m->listener[side] != SIZE_MAX)
            m->only[side] = w->d->plan[side]->listeners.v[m->listener[side]];
        m->only[side].rules.v = l[side].v;
        m->only[side].rules.n = l[side].n;
        m->plan[side] = *w->d->plan[side];
        m->plan[side].listeners.v = &m->only[side];
        m->plan[side].listeners.n = 1;
    }
}

/* ---- users ------------------------------------------------------------------------ */

/* The first account of x that y has (both) or lacks. */
static const char *account_of(const strings *x, const strings *y, bool both)
{
    for (size_t i = 0, k = 0; i < x->n; i++) {
        while (k < y->n && strcmp(y->v[k], x->v[i]) < 0)
            k++;
        bool has = k < y->n && strcmp(y->v[k], x->v[i]) == 0;
        if (has == both)
            return x->v[i];
    }
    return NULL;
}

/* One path, client and hour: nobody, and whom the answering rules' user sets tell apart. */
static struct answered ask_users(struct walk *w, const struct request *q)
{
    static const strings none;
    const strings *sets[2] = { &none, &none };
    bool asks = false;
    struct answered got = meeting_ask(&w->m, q, NULL);
    for (int side = 0; side < 2; side++) {
        if (got.rule[side] < 0)
            continue;
        sets[side] = &w->d->facts[side][got.rule[side]].accounts;
        asks |= w->d->plan[side]->rules.v[got.rule[side]].needs_user;
    }
    if (!asks)
        return got;
    const char *accounts[] = { ANYBODY, account_of(sets[0], sets[1], true), account_of(sets[0], sets[1], false),
                               account_of(sets[1], sets[0], false) };
    for (size_t i = 0; i < sizeof accounts / sizeof *accounts; i++)
        if (accounts[i])
            meeting_ask(&w->m, q, accounts[i]);
    return got;
}

/* ---- paths that climb --------------------------------------------------------------- */

static const struct path *answering_path(const struct walk *w, int side, const struct answered *got)
{
    const struct rule *r = got->rule[side] < 0 ? NULL : w->d->plan[side]->rules.v[got->rule[side]].rule;
    return r && r->action == ACTION_ALLOW ? &r->paths.v[got->path[side]] : NULL;
}

/* A path that leads from `open` to the root and down to `flat`, which one decoding leaves as it is. */
static const char *climbing(struct arena *a, const char *open, const char *flat)
{
    struct strbuf b = { 0 };
    buf_puts(&b, open);
    for (const char *s = open; *s; s++)
        if (*s == '/' || *s == '%')
            buf_puts(&b, "/..");
    for (const char *s = flat; *s; s++) {
        if (*s == '%')
            buf_puts(&b, "%25");
        else
            buf_putc(&b, *s);
    }
    const char *out = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return out;
}

/* D-05: where the answering rules differ in it, one path for each kind of place that a path of this class can lead to. */
static void ask_dots(struct walk *w, struct arena *a, const struct request *q, const struct answered *got,
                     const char *open)
{
    const struct path *p[2] = { answering_path(w, 0, got), answering_path(w, 1, got) };
    if (!open || (!p[0] && !p[1]))
        return;
    /* Elsewhere the path without dots has told the two apart, or nothing does. A class whose every path has dots has none. */
    if (!path_has_dots(open, strlen(open))) {
        if (!p[0] || !p[1])
            return;
        if (w->d->facts[0][got->rule[0]].dots == w->d->facts[1][got->rule[1]].dots &&
            !p[0]->internal == !p[1]->internal)
            return;
    }
    struct path_atoms flat = { 0 };
    struct request dots = *q;
    for (int side = 0; side < 2; side++) {
        const struct rule *r = got->rule[side] < 0 ? NULL : w->d->plan[side]->rules.v[got->rule[side]].rule;
        for (size_t i = 0; r && i < r->paths.n; i++)
            if (!r->paths.v[i].internal)
                path_atoms_add(a, &flat, r->paths.v[i].external);
    }
    path_atoms_add(a, &flat, "");
    path_atoms_make(a, &flat);
    for (size_t i = 0; i < flat.list.n && !walk_stopped(w); i++)
        for (int which = 0; which < PATH_CASES; which++) {
            const char *s = path_atom_example(a, &flat, i, (enum path_case)which);
            if (!s || *s != '/')
                continue;
            dots.target = climbing(a, open, s);
            ask_users(w, &dots);
        }
    dots.target = arena_printf(a, "%s/%%252e%%252e/x", open);
    ask_users(w, &dots);
}

/* ---- clients and hours ----------------------------------------------------------------- */

static int by_address(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

/* One client of each interval in which no rule's sources begin or end; the ordinary one where it may stand for others. */
static uint32_t *client_classes(struct arena *a, const struct walk *w, const struct list l[2], size_t *n)
{
    VEC(uint32_t) from = { 0 };
    vec_add(a, &from, 0u);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < l[side].n; i++) {
            const struct plan_rule *r = &w->d->plan[side]->rules.v[l[side].v[i]];
            for (size_t k = 0; !r->any_source && !r->sources_unknown && k < r->sources.n; k++) {
                vec_add(a, &from, r->sources.v[k].from);
                if (r->sources.v[k].to != UINT32_MAX)
                    vec_add(a, &from, r->sources.v[k].to + 1);
            }
        }
    qsort(from.v, from.n, sizeof *from.v, by_address);
    uint32_t *out = arena_alloc(a, from.n * sizeof *out);
    *n = 0;
    for (size_t i = 0; i < from.n; i++) {
        uint32_t low = from.v[i], high = i + 1 < from.n ? from.v[i + 1] - 1 : UINT32_MAX;
        if (i + 1 < from.n && from.v[i + 1] == low)
            continue;
        out[(*n)++] = low <= ORDINARY_CLIENT && ORDINARY_CLIENT <= high ? ORDINARY_CLIENT : low + (high - low) / 2;
    }
    return out;
}

/* One hour of each kind that the rules' schedules tell apart; -1 alone where there are none. */
static size_t hour_classes(struct arena *a, const struct walk *w, const struct list l[2], int out[168])
{
    static const int usual = 2 * 24 + 10; /* Tuesday at ten */
    VEC(const struct schedule *) all = { 0 };
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < l[side].n; i++) {
            const struct plan *p = w->d->plan[side];
            const char *name = p->rules.v[l[side].v[i]].rule->schedule;
            const struct schedule *s = policy_schedule(p->policy, name);
            size_t k = 0;
            while (k < all.n && all.v[k] != s)
                k++;
            if (s && k == all.n)
                vec_add(a, &all, s);
        }
    if (!all.n) {
        out[0] = -1;
        return 1;
    }
    size_t n = 0;
    for (int i = 0; i < 168; i++) {
        int hour = (usual + i) % 168;
        bool new = true;
        for (size_t k = 0; k < n && new; k++) {
            new = false;
            for (size_t s = 0; s < all.n && !new; s++)
                new = (all.v[s]->hours[hour / 8] >> (7 - hour % 8) & 1) !=
                      (all.v[s]->hours[out[k] / 8] >> (7 - out[k] % 8) & 1);
        }
        if (new)
            out[n++] = hour;
    }
    return n;
}

void walk_ask_path(struct walk *w, struct arena *a, struct request *q, const struct list l[2], const char *path,
                   const char *open)
{
    int hours[168];
    size_t clients, rules = l[0].n + l[1].n + 1, n = hour_classes(a, w, l, hours);
    uint32_t *client = client_classes(a, w, l, &clients);
    walk_look_at(w, l);
    w->work += rules * (hours[0] < 0 ? 1 : 168);
    for (size_t i = 0; i < clients; i++)
        for (size_t h = 0; h < n && !walk_stopped(w); h++) {
            w->work += rules;
            q->client = client[i];
            q->hour = hours[h];
            q->target = path;
            struct answered got = ask_users(w, q);
            bool rewrites = false;
            for (int side = 0; side < 2; side++)
                rewrites |= got.rule[side] >= 0 && rule_rewrites(w->d->plan[side]->rules.v[got.rule[side]].rule);
            if (rewrites) {
                q->target = swap_case(a, path);
                ask_users(w, q);
            }
            ask_dots(w, a, q, &got, open);
        }
}
