/* schedule: the hours of a schedule as a pattern over the hour of the week, however the target spells that (B-23). Days
 * with the same hours stand together, so that office hours are one alternative. */
#include "emit.h"

bool schedule_has(const struct schedule *s, int hour)
{
    return s->hours[hour / 8] >> (7 - hour % 8) & 1;
}

static uint32_t day_mask(const struct schedule *s, int day)
{
    uint32_t mask = 0;
    for (int h = 0; h < 24; h++)
        mask |= (uint32_t)schedule_has(s, day * 24 + h) << h;
    return mask;
}

static void add_hours(struct strbuf *b, uint32_t mask)
{
    const char *between = "";
    for (int h = 0; h < 24; h++)
        if (mask >> h & 1) {
            buf_printf(b, "%s%02d", between, h);
            between = "|";
        }
}

const char *regex_hours(struct arena *a, const struct schedule *s)
{
    struct strbuf b = { 0 };
    buf_puts(&b, "(?:");
    add_hours(&b, day_mask(s, 0));
    buf_puts(&b, day_mask(s, 0) ? ")" : "(?!))");
    const char *pattern = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return pattern;
}

/* "(?:1|2)(?:08|09)": the days from `day` on that have these hours, each once. */
static void add_days(struct strbuf *b, const struct schedule *s, const struct hour_spelling *as, int day)
{
    uint32_t mask = day_mask(s, day);
    const char *between = "";
    buf_puts(b, "(?:");
    for (int d = day; d < 7; d++)
        if (day_mask(s, d) == mask) {
            buf_printf(b, "%s%s", between, as->days[d]);
            between = "|";
        }
    buf_printf(b, ")%s(?:", as->between);
    add_hours(b, mask);
    buf_puts(b, ")");
}

const char *regex_schedule(struct arena *a, const struct schedule *s, const struct hour_spelling *as)
{
    struct strbuf b = { 0 };
    const char *between = "";
    buf_puts(&b, "^(?:");
    for (int day = 0; day < 7; day++) {
        bool told = !day_mask(s, day);
        for (int d = 0; d < day && !told; d++)
            told = day_mask(s, d) == day_mask(s, day);
        if (told)
            continue;
        buf_puts(&b, between);
        add_days(&b, s, as, day);
        between = "|";
    }
    buf_printf(&b, "%s)%s", *between ? "" : "(?!)", as->after);
    const char *pattern = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return pattern;
}

int regex_prove_schedule(const char *pattern, const struct schedule *s, const struct hour_spelling *as,
                         struct strbuf *err)
{
    struct arena *a = arena_new();
    strings yes = { 0 }, no = { 0 };
    for (int h = 0; h < 168; h++) {
        const char *text =
            arena_printf(a, "%s%s%02d%s", as->days[h / 24], as->between_sample, h % 24, as->after_sample);
        if (schedule_has(s, h))
            vec_add(a, &yes, text);
        else
            vec_add(a, &no, text);
    }
    int rc = regex_prove(pattern, &yes, &no, err);
    arena_free(a);
    return rc;
}
