/* advice_targets: for rules that one target carries well and another does not, which one to take, and why. Said after assess(),
 * from its findings alone: what a rule loses or has differently on a target weighs by its severity. */
#include "emit.h"

#include <stdlib.h>
#include <string.h>

enum { AN_ERROR = 100 };

/* A finding about a rule, in the order of the rules' names in memory: both hold the same string. */
struct said {
    const char *name;
    const struct finding *finding;
};

static int by_name(const void *x, const void *y)
{
    const struct said *a = x, *b = y;
    if (a->name != b->name)
        return (uintptr_t)a->name < (uintptr_t)b->name ? -1 : 1;
    return (a->finding > b->finding) - (a->finding < b->finding);
}

static bool weighs(const struct finding *f)
{
    enum finding_class c = finding_kinds[f->id].class;
    return f->subject == SUBJECT_RULE && f->targets && (c == CLASS_LOST || c == CLASS_DIFFERS || c == CLASS_CLOSED);
}

static unsigned weight(const struct finding *f)
{
    static const unsigned weights[] = { [SEV_INFO] = 1, [SEV_WARNING] = 10, [SEV_ERROR] = AN_ERROR };
    return weights[f->severity];
}

/* "TMG4001, TMG2031", each once. */
static void buf_codes(struct strbuf *b, const struct said *s, size_t n, unsigned target)
{
    for (size_t i = 0; i < n; i++) {
        bool again = !(s[i].finding->targets & ON(target));
        for (size_t k = 0; k < i && !again; k++)
            again = s[k].finding->id == s[i].finding->id && s[k].finding->targets & ON(target);
        if (!again)
            buf_printf(b, "%sTMG%u", b->n ? ", " : "", finding_kinds[s[i].finding->id].code);
    }
}

static void advise_rule(struct findings *f, const struct rule *r, const struct said *s, size_t n, unsigned targets)
{
    unsigned scores[TARGETS] = { 0 }, best = TARGETS, worst = 0;
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(targets & ON(t)))
            continue;
        for (size_t i = 0; i < n; i++)
            scores[t] += s[i].finding->targets & ON(t) ? weight(s[i].finding) : 0;
        best = best == TARGETS || scores[t] < scores[best] ? t : best;
        worst = scores[t] > worst ? scores[t] : worst;
    }
    if (worst < AN_ERROR || best == TARGETS || scores[best] >= AN_ERROR)
        return;
    struct strbuf why = { 0 }, codes = { 0 };
    for (unsigned t = 0; t < TARGETS; t++) {
        buf_clear(&codes);
        buf_codes(&codes, s, n, t);
        if (targets & ON(t) && t != best)
            buf_printf(&why, "%s%s has %s", why.n ? ", " : "", target_names[t], codes.n ? codes.p : "none");
    }
    buf_clear(&codes);
    buf_codes(&codes, s, n, best);
    struct finding *x = finding_add(f, F_BEST_TARGET, "%s carries it with the fewest differences (%s); %s",
                                    target_names[best], codes.n ? codes.p : "none", why.p ? why.p : "");
    x->subject = SUBJECT_RULE;
    x->name = r->name;
    x->guid = r->at.guid;
    x->line = r->at.line;
    buf_free(&why);
    buf_free(&codes);
}

void advise_targets(const struct plan *p, unsigned targets, struct findings *f)
{
    struct arena *a = arena_new();
    VEC(struct said) all = { 0 };
    /* findings are looked at as they are now; those that are added must not move them */
    size_t n = f->list.n;
    struct finding *copy = arena_alloc(a, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = f->list.v[i];
    for (size_t i = 0; i < n; i++)
        if (weighs(&copy[i]))
            vec_add(a, &all, ((struct said){ copy[i].name, &copy[i] }));
    if (all.n > 1)
        qsort(all.v, all.n, sizeof *all.v, by_name);
    for (size_t i = 0; i < p->rules.n; i++) {
        const struct rule *r = p->rules.v[i].rule;
        size_t low = 0, high = all.n;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if ((uintptr_t)all.v[middle].name < (uintptr_t)r->name)
                low = middle + 1;
            else
                high = middle;
        }
        for (high = low; high < all.n && all.v[high].name == r->name; high++)
            ;
        if (p->rules.v[i].answers && high > low)
            advise_rule(f, r, all.v + low, high - low, targets);
    }
    arena_free(a);
}
