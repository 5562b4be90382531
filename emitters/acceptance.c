/* acceptance: what the site map's `accept` takes of the findings, for which targets, and what stays closed after it. */
#include "assess.h"

#include <string.h>

static bool names_subject(const struct finding *x, const char *rule, const char *listener)
{
    const char *key = rule ? rule : listener;
    if (!key)
        return true;
    if (x->subject != (rule ? SUBJECT_RULE : SUBJECT_LISTENER))
        return false;
    return (x->name && ascii_casecmp(key, x->name) == 0) || (x->guid && ascii_casecmp(key, x->guid) == 0);
}

/* A config must not change overnight, so an acceptance past its date still counts; it is reported. */
static bool past(const struct site_accept *a, const char *today)
{
    return a->until && today && strcmp(a->until, today) < 0; /* ISO dates sort as text */
}

/* The acceptance for finding x on target t (or for a finding of no target: t is TARGETS). Marks it used. */
static struct site_accept *accepted(struct assessing *s, const struct finding *x, unsigned t)
{
    struct site *site = s->plan->site;
    for (size_t i = 0; i < site->accept.n; i++) {
        struct site_accept *a = &site->accept.v[i];
        if (a->code != finding_kinds[x->id].code || !names_subject(x, a->rule, a->listener) ||
            (a->target && (t == TARGETS || ascii_casecmp(a->target, target_names[t]) != 0)))
            continue;
        a->used = true;
        return a;
    }
    return NULL;
}

/* Splits a finding by acceptance: the accepted targets become a finding of severity info, the rest stays as it is.
 * Gives the targets that were accepted. */
static unsigned apply_acceptance(struct assessing *s, size_t index)
{
    struct finding *x = &s->f->list.v[index];
    struct site_accept *a = NULL;
    unsigned got = 0;
    if (x->targets == 0)
        a = accepted(s, x, TARGETS);
    for (unsigned t = 0; t < TARGETS; t++) {
        struct site_accept *one = x->targets & ON(t) ? accepted(s, x, t) : NULL;
        if (one) {
            got |= ON(t);
            a = one;
        }
    }
    if (!a)
        return 0;
    if (got != x->targets) {
        struct finding rest = *x;
        rest.targets &= ~got;
        vec_add(s->f->arena, &s->f->list, rest);
        x = &s->f->list.v[index]; /* the list may have moved */
        x->targets = got;
    }
    x->severity = SEV_INFO;
    x->accepted = a->reason ? a->reason : "";
    return got;
}

void assess_settle(struct assessing *s)
{
    size_t n = s->f->list.n;
    struct arena *scratch = arena_new();
    unsigned *open = arena_alloc(scratch, (n + 1) * sizeof *open);
    for (size_t i = 0; i < s->closings.n; i++) /* what the finding said before it is split */
        open[s->closings.v[i].finding] = s->f->list.v[s->closings.v[i].finding].targets;
    for (size_t i = 0; i < n; i++)
        open[i] &= ~apply_acceptance(s, i);
    for (size_t i = 0; i < s->closings.n; i++) {
        struct closing *c = &s->closings.v[i];
        *c->closed |= open[c->finding];
    }
    arena_free(scratch);
}

void assess_report_acceptances(struct assessing *s)
{
    struct site *site = s->plan->site;
    for (size_t i = 0; i < site->accept.n; i++) {
        const struct site_accept *a = &site->accept.v[i];
        bool late = past(a, s->today);
        if (a->used && !late)
            continue;
        struct finding *x =
            late ? finding_add(s->f, F_ACCEPT_PAST,
                               "the acceptance of TMG%04u was good until %s; it still counts, but needs another look",
                               a->code, a->until)
                 : finding_add(s->f, F_ACCEPT_STALE, "the acceptance of TMG%04u matches no finding", a->code);
        x->subject = SUBJECT_SITE;
        x->in_site = true;
        x->line = a->line;
    }
}
