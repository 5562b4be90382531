/* numbers: a range of ports as a pattern, for nginx, whose maps compare texts. */
#include "emit.h"

/* "[1-4][0-9][0-9]": the longest run from *at on that one pattern covers; *at goes behind it. high has as many digits. */
static void add_run(struct strbuf *b, uint32_t *at, uint32_t high)
{
    uint32_t step = 1;
    while (*at && *at % (step * 10) == 0 && *at + step * 10 - 1 <= high)
        step *= 10;
    uint32_t first = *at / step % 10, last = first;
    while (last < 9 && *at + (last - first + 2) * step - 1 <= high)
        last++;
    if (*at / (step * 10))
        buf_printf(b, "%u", *at / (step * 10));
    if (first == last)
        buf_printf(b, "%u", first);
    else
        buf_printf(b, "[%u-%u]", first, last);
    *at += (last - first + 1) * step;
    for (; step > 1; step /= 10)
        buf_puts(b, "[0-9]");
}

const char *regex_numbers(struct arena *a, uint16_t low, uint16_t high)
{
    struct strbuf b = { 0 };
    const char *between = "(?:";
    for (uint32_t least = 0, most = 9; least <= high; least = most + 1, most = most * 10 + 9) {
        uint32_t at = low > least ? low : least, end = high < most ? high : most;
        while (at <= end) {
            buf_puts(&b, between);
            between = "|";
            add_run(&b, &at, end);
        }
    }
    buf_puts(&b, ")");
    const char *pattern = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return pattern;
}

int regex_prove_numbers(const char *pattern, uint16_t low, uint16_t high, struct strbuf *err)
{
    struct arena *a = arena_new();
    strings yes = { 0 }, no = { 0 };
    for (unsigned n = 0; n <= 65535; n++) {
        const char *text = arena_printf(a, "%u", n);
        if (low <= n && n <= high)
            vec_add(a, &yes, text);
        else
            vec_add(a, &no, text);
    }
    int rc = regex_prove(pattern, &yes, &no, err);
    arena_free(a);
    return rc;
}
