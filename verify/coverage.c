/* What the probes showed of each rule: for each of its conditions a probe for which it held and one for which it did not, as
 * decide() saw them; or which earlier rule takes all the requests that would have shown it. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { NAME, PATH, SOURCE, WHOLE, ROWS }; /* the rows of one rule */
static const enum condition row_conditions[ROWS] = { FAILED_NAME, FAILED_PATH, FAILED_SOURCE, MATCHED };

struct row {
    bool seen[2];
    int hidden[2];
};

static int row_of(enum condition c)
{
    return c == FAILED_NAME ? NAME : c == FAILED_PATH ? PATH : c == FAILED_SOURCE ? SOURCE : WHOLE;
}

static bool row_exists(const struct plan_rule *r, int row)
{
    switch (row) {
    case NAME: return !r->rule->all_names;
    case SOURCE: return !r->any_source;
    case PATH:
        for (size_t i = 0; i < r->rule->paths.n; i++)
            if (r->rule->paths.v[i].kind == PATH_PREFIX && *r->rule->paths.v[i].external == '\0')
                return false;
        return true;
    default: return true;
    }
}

/* Conditions are judged in the order of the rows: those before the one that failed held. */
static void rule_failed(struct row *rows, int row)
{
    for (int i = 0; i < row; i++)
        rows[i].seen[1] = true;
    rows[row].seen[0] = true;
}

static void measure(const struct plan *p, const struct probe *b, struct row *rows, struct arena *a)
{
    struct request r;
    struct decision d;
    probe_request(p, b, &r);
    decide(p, &r, true, a, &d);
    for (size_t i = 0; i < d.trail.n; i++)
        rule_failed(rows + d.trail.v[i].rule * ROWS, row_of(d.trail.v[i].failed));
    if (d.rule >= 0) {
        struct row *own = rows + (size_t)d.rule * ROWS;
        for (int i = 0; i < ROWS; i++)
            own[i].seen[1] = true;
        own[WHOLE].seen[0] = true; /* a rule as a whole has no other side */
    }
    if (b->aimed < 0 || d.rule < 0 || d.rule >= b->aimed)
        return;
    /* Meant for a later rule: this one hides it, as far as this probe tells. */
    struct row *aimed = rows + (size_t)b->aimed * ROWS;
    for (int i = 0; i < ROWS; i++)
        for (int side = 0; side < 2; side++)
            if (aimed[i].hidden[side] < 0)
                aimed[i].hidden[side] = d.rule;
}

void coverage_measure(const struct plan *p, const probes *list, struct verify_report *out)
{
    struct row *rows = calloc(p->rules.n * ROWS + 1, sizeof *rows);
    if (rows == NULL)
        mem_fatal();
    for (size_t i = 0; i < p->rules.n * ROWS; i++)
        rows[i].hidden[0] = rows[i].hidden[1] = -1;
    struct arena *a = arena_new();
    for (size_t i = 0; i < list->n; i++) {
        if (!list->v[i].stream)
            measure(p, &list->v[i], rows, a);
        if (i % 256 == 255) {
            arena_free(a);
            a = arena_new();
        }
    }
    arena_free(a);
    for (size_t i = 0; i < p->rules.n; i++)
        for (int k = 0; p->rules.v[i].answers && k < ROWS; k++) {
            const struct row *row = &rows[i * ROWS + (size_t)k];
            if (!row_exists(&p->rules.v[i], k))
                continue;
            bool nobody = !p->rules.v[i].any_source && p->rules.v[i].sources.n == 0; /* its sources hold no address */
            struct verify_condition *c = vec_push(out->arena, &out->conditions);
            *c = (struct verify_condition){ .rule = (uint32_t)i,
                                            .condition = row_conditions[k],
                                            .seen_true = row->seen[1],
                                            .seen_false = row->seen[0] || k == WHOLE,
                                            .true_hidden_by = row->seen[1] ? -1
                                                              : nobody     ? (int)i
                                                                           : row->hidden[1],
                                            .false_hidden_by = row->seen[0] || k == WHOLE ? -1 : row->hidden[0] };
        }
    free(rows);
}
