/* ledger: adds up what became of the export's elements; see the header.
 *
 * A row of the settings table says the worst that can become of a setting on a target. Whether it came to that is told
 * by the row's finding: an element counts as differing, lost or closed where its rule, listener or farm has that finding
 * on that target, else as translated. What was closed and then accepted is lost: the restriction no longer holds. */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

const char *const ledger_words[LEDGER_FATES] = { "translated", "differs", "lost", "closed", "no effect" };

enum { STANDS = 1, ACCEPTED = 1 << TARGETS }; /* shifted by target: that a finding stands, that it was accepted */
typedef uint8_t marks;                        /* of one kind of finding */

struct adding {
    const struct report_model *m;
    struct ledger_view *view;
    const struct setting **sorted; /* by id */
    marks anywhere[FINDINGS];
    marks *on_listener, *on_farm; /* FINDINGS each */
    uint32_t placed[SETTINGS];    /* elements that belong to a rule, listener or farm */
};

static int by_id(const void *x, const void *y)
{
    return strcmp((*(const struct setting *const *)x)->id, (*(const struct setting *const *)y)->id);
}

/* A policy that was edited may name what is no setting: NULL. */
static const struct setting *find(const struct adding *a, const char *id)
{
    const struct setting key = { .id = id }, *key_at = &key;
    const struct setting **found = bsearch(&key_at, a->sorted, SETTINGS, sizeof *a->sorted, by_id);
    return found ? *found : NULL;
}

static marks marks_of(const struct finding *f)
{
    unsigned on = f->targets ? f->targets : ON_ALL;
    return (marks)(on * (f->accepted ? ACCEPTED : STANDS));
}

static void gather_marks(struct adding *a)
{
    const struct report_model *m = a->m;
    const struct policy *p = m->report->plan->policy;
    a->on_listener = arena_alloc(m->arena, (p->listeners.n + 1) * FINDINGS);
    a->on_farm = arena_alloc(m->arena, (p->farms.n + 1) * FINDINGS);
    for (size_t i = 0; i < m->report->findings->list.n; i++) {
        const struct finding *f = &m->report->findings->list.v[i];
        marks on = marks_of(f);
        a->anywhere[f->id] |= on;
        const struct listener *l = m->rule_of[i] == NOBODY ? NULL : m->report->plan->rules.v[m->rule_of[i]].listener;
        size_t listener = l ? (size_t)(l - p->listeners.v) : m->listener_of[i];
        if (listener != NOBODY) /* what a listener asks for closes its rules */
            a->on_listener[listener * FINDINGS + f->id] |= on;
        if (m->farm_of[i] != NOBODY)
            a->on_farm[m->farm_of[i] * FINDINGS + f->id] |= on;
    }
}

static enum ledger_fate fate_on(const struct setting *s, unsigned t, marks on)
{
    static const enum ledger_fate fates[] = { LEDGER_SAME, LEDGER_DIFFERS, LEDGER_LOST, LEDGER_CLOSED, LEDGER_NONE };
    if (s->on[t] == EXACT || s->on[t] == NONE)
        return fates[s->on[t]];
    if (on & STANDS << t)
        return fates[s->on[t]];
    if (on & ACCEPTED << t)
        return s->on[t] == CLOSED ? LEDGER_LOST : fates[s->on[t]];
    return LEDGER_SAME;
}

static void add(struct adding *a, const struct setting *s, size_t n, marks on)
{
    struct ledger_row *row = &a->view->rows[s - settings];
    row->n += n;
    a->view->settings += n;
    for (unsigned t = 0; t < TARGETS; t++) {
        enum ledger_fate fate = fate_on(s, t, on);
        row->on[t][fate] += n;
        a->view->on[t][fate] += n;
    }
}

static void add_counts(struct adding *a, const ledger_counts *counts, const marks *of)
{
    for (size_t i = 0; i < counts->n; i++) {
        const struct setting *s = find(a, counts->v[i].setting);
        if (!s)
            continue;
        a->placed[s - settings] += counts->v[i].n;
        add(a, s, counts->v[i].n, s->finding >= 0 ? of[s->finding] : 0);
    }
}

static void add_rules(struct adding *a)
{
    const struct report_model *m = a->m;
    marks of[FINDINGS] = { 0 };
    for (size_t i = 0; i < m->report->plan->policy->rules.n; i++) {
        const ledger_counts *counts = &m->report->plan->policy->rules.v[i].at.counts;
        if (!counts->n)
            continue;
        for (uint32_t k = m->of_rule[i]; k != NOBODY; k = m->next[k])
            of[m->report->findings->list.v[k].id] |= marks_of(&m->report->findings->list.v[k]);
        add_counts(a, counts, of);
        for (uint32_t k = m->of_rule[i]; k != NOBODY; k = m->next[k])
            of[m->report->findings->list.v[k].id] = 0;
    }
}

/* What belongs to no single rule, listener or farm: schedules, user sets, the array's own settings. */
static void add_rest(struct adding *a)
{
    const ledger_counts *all = &a->view->of->settings;
    for (size_t i = 0; i < all->n; i++) {
        const struct setting *s = find(a, all->v[i].setting);
        uint32_t placed = s ? a->placed[s - settings] : 0;
        if (s && all->v[i].n > placed)
            add(a, s, all->v[i].n - placed, s->finding >= 0 ? a->anywhere[s->finding] : 0);
    }
}

const struct ledger_view *ledger_view_make(const struct report_model *m)
{
    const struct policy *p = m->report->plan->policy;
    struct ledger_view *view = arena_alloc(m->arena, sizeof *view);
    if (!p->ledger.elements)
        return view;
    struct adding *a = arena_alloc(m->arena, sizeof *a);
    a->m = m;
    a->view = view;
    view->of = &p->ledger;
    a->sorted = arena_alloc(m->arena, SETTINGS * sizeof *a->sorted);
    for (size_t i = 0; i < SETTINGS; i++)
        a->sorted[i] = &settings[i];
    qsort(a->sorted, SETTINGS, sizeof *a->sorted, by_id);
    gather_marks(a);
    add_rules(a);
    for (size_t i = 0; i < p->listeners.n; i++)
        add_counts(a, &p->listeners.v[i].at.counts, a->on_listener + i * FINDINGS);
    for (size_t i = 0; i < p->farms.n; i++)
        add_counts(a, &p->farms.v[i].at.counts, a->on_farm + i * FINDINGS);
    add_rest(a);
    return view;
}
