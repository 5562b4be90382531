/* batch_tally: what one input's result says, and the totals. */
#include "batch.h"
#include "../settings/settings.h"

#include <stdlib.h>

/* Per finding kind the targets on which it stands as an error in a list of findings. */
struct stops {
    uint8_t on[FINDINGS];
};

static void collect(struct stops *s, const struct report_model *m, uint32_t head)
{
    const struct finding *all = m->report->findings->list.v;
    for (; head != NOBODY; head = m->next[head])
        if (all[head].severity == SEV_ERROR)
            s->on[all[head].id] |= (uint8_t)((all[head].targets ? all[head].targets : ON_ALL) & m->report->targets);
}

/* A site is a rule that answers; what is wrong with its listener or farm stops it too. */
static void count_blocked(struct batch_result *out, const struct report_model *m)
{
    const struct plan *p = m->report->plan;
    struct stops *listeners = arena_alloc(m->arena, (p->policy->listeners.n + 1) * sizeof *listeners);
    struct stops *farms = arena_alloc(m->arena, (p->policy->farms.n + 1) * sizeof *farms);
    for (size_t i = 0; i < p->policy->listeners.n; i++)
        collect(&listeners[i], m, m->of_listener[i]);
    for (size_t i = 0; i < p->policy->farms.n; i++)
        collect(&farms[i], m, m->of_farm[i]);
    for (size_t i = 0; i < p->rules.n; i++) {
        const struct plan_rule *r = &p->rules.v[i];
        struct stops own = { 0 };
        collect(&own, m, m->of_rule[i]);
        for (size_t k = 0; r->answers && k < FINDINGS; k++) {
            unsigned on = own.on[k] | (r->listener ? listeners[r->listener - p->policy->listeners.v].on[k] : 0u) |
                          (r->farm ? farms[r->farm - p->policy->farms.v].on[k] : 0u);
            out->blocked[k] += on != 0;
            for (unsigned t = 0; t < TARGETS; t++)
                out->blocked_on[k][t] += (on & ON(t)) != 0;
        }
    }
}

void batch_count(struct batch_result *out, const struct report *r)
{
    struct report_model *m = report_model_make(r);
    *out = (struct batch_result){ 0 };
    out->counts = (struct batch_counts){ .listeners = (uint32_t)r->plan->listeners.n,
                                         .rules = (uint32_t)m->counts.rules,
                                         .answering = (uint32_t)m->counts.answering,
                                         .accepted = (uint32_t)m->counts.accepted };
    for (size_t s = 0; s < 3; s++)
        out->counts.severity[s] = (uint32_t)m->counts.severity[s];
    for (size_t i = 0; i < r->plan->rules.n; i++)
        for (unsigned t = 0; r->plan->rules.v[i].answers && t < TARGETS; t++)
            out->counts.on[t][m->verdicts[i].on[t]]++;
    count_blocked(out, m);
    report_model_free(m);
}

/* Fewer sites closed or broken first, then fewer that differ. */
static int compare(const struct batch_counts *c, unsigned x, unsigned y)
{
    uint32_t bad_x = c->on[x][VERDICT_CLOSED] + c->on[x][VERDICT_BROKEN],
             bad_y = c->on[y][VERDICT_CLOSED] + c->on[y][VERDICT_BROKEN];
    if (bad_x != bad_y)
        return bad_x < bad_y ? -1 : 1;
    return (c->on[x][VERDICT_DIFFERS] > c->on[y][VERDICT_DIFFERS]) -
           (c->on[x][VERDICT_DIFFERS] < c->on[y][VERDICT_DIFFERS]);
}

static unsigned best_targets(const struct batch_counts *c, unsigned targets)
{
    unsigned best = 0, first = TARGETS;
    for (unsigned t = 0; c->answering && t < TARGETS; t++) {
        if (!(targets & ON(t)))
            continue;
        int order = first == TARGETS ? -1 : compare(c, t, first);
        if (order < 0) {
            first = t;
            best = 0;
        }
        if (order <= 0)
            best |= ON(t);
    }
    return best;
}

void batch_add(struct batch *b, struct batch_input *in, const struct batch_result *r)
{
    struct batch_counts *all = &b->total.counts;
    in->counts = r->counts;
    in->best = best_targets(&in->counts, b->cli->targets);
    all->listeners += r->counts.listeners;
    all->rules += r->counts.rules;
    all->answering += r->counts.answering;
    all->accepted += r->counts.accepted;
    for (size_t s = 0; s < 3; s++)
        all->severity[s] += r->counts.severity[s];
    for (unsigned t = 0; t < TARGETS; t++) {
        for (size_t v = 0; v < VERDICTS; v++)
            all->on[t][v] += r->counts.on[t][v];
        b->best_of[t] += (in->best & ON(t)) != 0;
    }
    for (size_t k = 0; k < FINDINGS; k++) {
        b->total.blocked[k] += r->blocked[k];
        b->blocked_inputs[k] += r->blocked[k] != 0;
        for (unsigned t = 0; t < TARGETS; t++)
            b->total.blocked_on[k][t] += r->blocked_on[k][t];
    }
}

/* ---- for the writers ------------------------------------------------------------------ */
struct blocker {
    uint32_t sites;
    enum finding_id id;
};

static int by_sites(const void *x, const void *y)
{
    const struct blocker *a = x, *b = y;
    if (a->sites != b->sites)
        return a->sites > b->sites ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

size_t batch_blockers(const struct batch *b, enum finding_id out[FINDINGS])
{
    struct blocker v[FINDINGS];
    size_t n = 0;
    for (size_t k = 0; k < FINDINGS; k++)
        if (b->total.blocked[k])
            v[n++] = (struct blocker){ b->total.blocked[k], (enum finding_id)k };
    qsort(v, n, sizeof *v, by_sites);
    for (size_t i = 0; i < n; i++)
        out[i] = v[i].id;
    return n;
}

void put_target_list(struct strbuf *b, unsigned targets, const char *none)
{
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++)
        if (targets & ON(t)) {
            buf_printf(b, "%s%s", comma, target_names[t]);
            comma = ", ";
        }
    if (!targets)
        buf_puts(b, none);
}

void put_blocker_settings(struct strbuf *b, enum finding_id id)
{
    const char *comma = "";
    buf_puts(b, "");
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].finding == (int)id) {
            buf_puts(b, comma);
            buf_add(b, settings[i].names, strcspn(settings[i].names, "|"));
            comma = ", ";
        }
}
