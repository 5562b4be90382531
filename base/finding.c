/* finding: the table of kinds, the list, and how one is printed. */
#include "finding.h"

#include <stdlib.h>
#include <string.h>

const char *const target_names[TARGETS] = { "nginx", "haproxy", "publishd" };
const char *const severity_names[3] = { "info", "warning", "error" };
const char *const class_names[6] = { "lost", "differs", "closed", "input", "advice", "site" };

const struct finding_kind finding_kinds[FINDINGS] = {
#define F(id, code, name, class, severity, meaning, remedy)                                                            \
    { code, name, CLASS_##class, SEV_##severity, meaning, remedy },
#include "findings.def"
#undef F
};

void findings_init(struct findings *f, struct arena *a)
{
    *f = (struct findings){ .arena = a };
}

struct finding *finding_add(struct findings *f, enum finding_id id, const char *fmt, ...)
{
    struct strbuf text = { 0 }, clean = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_visible(&clean, text.p);
    struct finding *x = vec_push(f->arena, &f->list);
    x->id = id;
    x->severity = finding_kinds[id].severity;
    x->message = arena_strndup(f->arena, clean.p ? clean.p : "", clean.n);
    x->remedy = finding_kinds[id].remedy;
    buf_free(&text);
    buf_free(&clean);
    return x;
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int by_place(const void *x, const void *y)
{
    const struct finding *a = x, *b = y;
    if (a->in_site != b->in_site)
        return a->in_site ? 1 : -1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    unsigned ca = finding_kinds[a->id].code, cb = finding_kinds[b->id].code;
    if (ca != cb)
        return ca < cb ? -1 : 1;
    if (a->targets != b->targets)
        return a->targets < b->targets ? -1 : 1;
    int c = compare_text(a->name, b->name);
    return c ? c : compare_text(a->message, b->message);
}

void findings_sort(struct findings *f)
{
    if (f->list.n)
        qsort(f->list.v, f->list.n, sizeof *f->list.v, by_place);
}

size_t findings_count(const struct findings *f, enum severity at_least)
{
    size_t n = 0;
    for (size_t i = 0; i < f->list.n; i++)
        n += f->list.v[i].severity >= at_least;
    return n;
}

void finding_line(struct strbuf *b, const struct finding *f, const char *export, const char *site, bool color)
{
    static const char *const colors[3] = { "\033[36m", "\033[35m", "\033[31m" };
    static const char *const subjects[] = { "", "rule ", "listener ", "farm ", "" };
    const struct finding_kind *k = &finding_kinds[f->id];
    buf_puts(b, color ? "\033[1m" : "");
    buf_visible(b, f->in_site && site ? site : export);
    if (f->line)
        buf_printf(b, ":%u", f->line);
    buf_printf(b, ": %s%s:%s ", color ? colors[f->severity] : "", severity_names[f->severity], color ? "\033[0m" : "");
    if (f->name && f->subject != SUBJECT_NONE) {
        buf_printf(b, "%s\"", subjects[f->subject]);
        buf_visible(b, f->name);
        buf_puts(b, "\": ");
    }
    buf_printf(b, "%s [TMG%04u %s", f->message, k->code, k->name);
    for (unsigned t = 0, n = 0; t < TARGETS; t++)
        if (f->targets & ON(t))
            buf_printf(b, "%s%s", n++ ? ", " : "; ", target_names[t]);
    if (f->accepted) {
        buf_puts(b, "; accepted: ");
        buf_visible(b, f->accepted);
    }
    buf_puts(b, "]\n");
}
