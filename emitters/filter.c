/* filter: see filter.h. Where the filter decodes before it compares, a character of a text is matched as itself or
 * percent-encoded, and never by a digit that belongs to an encoding. */
#include "filter.h"

#define SLASHES "(?:[/\\\\]|%2f|%5c)"
#define DOT "(?:\\.|%2e)"
#define ENCODED "%(?=[0-9a-f]{2})"
/* What follows is no digit of an encoded byte. */
#define OUTSIDE "(?<!" ENCODED ")(?<!%[0-9a-f](?=[0-9a-f]))"
/* After one decoding another would change it: a percent sign, then two digits, each plain or encoded. */
#define TWICE "(?:%25|%(?![0-9a-f]{2}))(?:[0-9a-f]|%3[0-9]|%[46][1-6]){2}"
#define HIGH "[\\x80-\\xff]|%[89a-f][0-9a-f]"

enum { PIECE_MAX = 1500 }; /* bytes; the longest text comes to more, and stands alone */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static void add_plain(struct strbuf *b, char c)
{
    if (is_alnum(c))
        buf_putc(b, ascii_lower(c));
    else
        buf_printf(b, "\\x%02x", (unsigned char)c);
}

static void add_either(struct strbuf *b, char c)
{
    if (c == '%') {
        buf_puts(b, "(?:%25|%(?![0-9a-f]{2}))");
        return;
    }
    char lower = ascii_lower(c);
    buf_puts(b, "(?:");
    add_plain(b, c);
    buf_printf(b, "|%%%02x", (unsigned char)lower);
    if (lower >= 'a' && lower <= 'z')
        buf_printf(b, "|%%%02x", (unsigned char)(lower - 32));
    buf_putc(b, ')');
}

static void add_text(struct strbuf *b, const char *text, bool decoded)
{
    for (; *text; text++)
        if (decoded)
            add_either(b, *text);
        else
            add_plain(b, *text);
}

const char *filter_literal(struct arena *a, const char *text)
{
    struct strbuf b = { 0 };
    add_text(&b, text, false);
    const char *s = arena_strndup(a, b.p ? b.p : "", b.n);
    buf_free(&b);
    return s;
}

/* ---- the lists ----------------------------------------------------------------------- */
struct making {
    struct arena *a;
    const struct http_filter *f;
    filter_checks *out;
    struct strbuf *err;
    int failed;
};

static void add_pattern(struct making *m, struct filter_check *c, const char *pattern, const char *yes, const char *no)
{
    strings good = { 0 }, bad = { 0 };
    if (yes)
        vec_add(m->a, &good, yes);
    vec_add(m->a, &bad, no);
    vec_add(m->a, &c->patterns, pattern);
    m->failed |= regex_prove(pattern, &good, &bad, m->err);
}

static struct filter_check *add_check(struct making *m, enum filter_subject of, bool only)
{
    struct filter_check *c = vec_push(m->a, m->out);
    *c = (struct filter_check){ .of = of, .only = only };
    return c;
}

/* One item of a list as a pattern, without what stands around the alternatives. */
typedef void item_pattern(struct strbuf *b, const struct http_filter *f, const char *item);

static void method_item(struct strbuf *b, const struct http_filter *f, const char *item)
{
    (void)f;
    add_text(b, item, false);
}

/* The end of a path whose last segment has this extension, or none. */
static void extension_item(struct strbuf *b, const struct http_filter *f, const char *item)
{
    if (!*item) {
        buf_puts(b, f->normalise ? "(?:^|" SLASHES ")(?:(?!" DOT "|" SLASHES ").)*" : "(?:^|[/\\\\])[^./\\\\]*");
        return;
    }
    buf_puts(b, f->normalise ? DOT : "\\.");
    add_text(b, item, f->normalise);
}

static void url_item(struct strbuf *b, const struct http_filter *f, const char *item)
{
    char c = ascii_lower(*item);
    bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (f->normalise && digit)
        buf_puts(b, OUTSIDE);
    add_text(b, item, f->normalise);
}

/* frame: what stands before and behind the alternatives; sample: what stands before and behind an item that matches. */
static void add_list(struct making *m, struct filter_check *c, const strings *list, item_pattern *item,
                     const char *const frame[2], const char *const sample[2])
{
    struct strbuf one = { 0 }, all = { 0 };
    for (size_t i = 0; i < list->n;) {
        const char *first = list->v[i];
        buf_clear(&all);
        buf_puts(&all, frame[0]);
        for (const char *between = "(?:"; i < list->n; i++, between = "|") {
            buf_clear(&one);
            item(&one, m->f, list->v[i]);
            if (*between == '|' && all.n + one.n > PIECE_MAX)
                break;
            buf_printf(&all, "%s%s", between, one.p ? one.p : "");
        }
        buf_printf(&all, ")%s", frame[1]);
        const char *yes =
            strchr(first, '%') ? NULL : arena_printf(m->a, "%s%s%s", *first ? sample[0] : "/", first, sample[1]);
        add_pattern(m, c, arena_strndup(m->a, all.p, all.n), yes, "\x01.\x01\x01");
    }
    if (!list->n && c->only)
        add_pattern(m, c, "(?!)", NULL, "");
    buf_free(&one);
    buf_free(&all);
}

int filter_patterns(struct arena *a, const struct http_filter *f, filter_checks *out, struct strbuf *err)
{
    static const char *const whole[] = { "^", "$" }, *const end[] = { "", "$" }, *const anywhere[] = { "", "" },
                             *const dot[] = { "/x.", "" };
    struct making m = { a, f, out, err, 0 };
    if (f->parts & FILTER(METHODS))
        add_list(&m, add_check(&m, OF_METHOD, f->method_list == LIST_ONLY), &f->methods, method_item, whole, anywhere);
    if (f->parts & FILTER(EXTENSIONS))
        add_list(&m, add_check(&m, OF_PATH, f->extension_list == LIST_ONLY), &f->extensions, extension_item, end, dot);
    if (f->parts & FILTER(DOTS))
        add_pattern(&m, add_check(&m, OF_PATH, false), f->normalise ? DOT ".*(?:" DOT "|" SLASHES ")" : "\\..*[./\\\\]",
                    "/a.b/c", "/a/b.c");
    if (f->parts & FILTER(HIGH_BIT))
        add_pattern(&m, add_check(&m, OF_URL, false), HIGH, "/%e4", "/%7f%2580");
    if (f->parts & FILTER(DOUBLE))
        add_pattern(&m, add_check(&m, OF_URL, false), TWICE, "/%2541", "/%25/%41");
    if (f->parts & FILTER(URL_TEXTS))
        add_list(&m, add_check(&m, OF_URL, false), &f->url_texts, url_item, anywhere, anywhere);
    return m.failed ? -1 : 0;
}
