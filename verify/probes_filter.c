/* The HTTP filter: requests at and past each of its limits (B-131 to B-142). */
#include <string.h>

#include "../ir/atoms.h"
#include "probes.h"

static void try_target(struct probe_maker *m, const char *aim, const char *rest)
{
    struct probe b = m->base;
    size_t n = strcspn(b.target, "?");
    while (n > 0 && b.target[n - 1] == '/')
        n--;
    b.target = arena_printf(m->a, "%.*s%s", (int)n, b.target, rest);
    probe_on_either(m, aim, &b);
}

static void try_length(struct probe_maker *m, const char *aim, const char *before, long length, size_t fixed)
{
    for (long n = length; n <= length + 1 && n < 20000; n++) {
        if (n <= (long)(strlen(before) + fixed))
            continue;
        size_t fill = (size_t)n - strlen(before) - fixed;
        char *text = arena_alloc(m->a, fill + 1);
        memset(text, 'a', fill);
        try_target(m, aim, arena_printf(m->a, "%s%s", before, text));
    }
}

static const char *encoded(struct probe_maker *m, const char *text)
{
    struct strbuf b = { 0 };
    for (; *text; text++)
        buf_printf(&b, "%%%02x", (unsigned char)*text);
    const char *s = arena_strdup(m->a, b.p ? b.p : "");
    buf_free(&b);
    return s;
}

static void vary_filter_urls(struct probe_maker *m, const struct http_filter *f)
{
    static const char *const odd[] = { "/page",  "/a.b/c", "/a%2eb.c",   "/a.b",   "/%e4",    "/%7f",
                                       "/%2541", "/%25",   "/%25%34%31", "/%2525", "?a=%2541" };
    size_t base = strcspn(m->base.target, "?");
    while (base > 0 && m->base.target[base - 1] == '/')
        base--;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        try_target(m, "HTTP filter: spelling of the URL", odd[i]);
    for (size_t i = 0; i < f->extensions.n && i < 8; i++) {
        const char *e = f->extensions.v[i];
        try_target(m, "HTTP filter: extension", arena_printf(m->a, "/x.%s", e));
        try_target(m, "HTTP filter: extension, encoded", arena_printf(m->a, "/x%%2E%s", encoded(m, e)));
        try_target(m, "HTTP filter: longer extension", arena_printf(m->a, "/x.%sx", e));
        try_target(m, "HTTP filter: extension in the query", arena_printf(m->a, "/x?y.%s", e));
    }
    for (size_t i = 0; i < f->url_texts.n && i < 8; i++) {
        const char *t = f->url_texts.v[i];
        try_target(m, "HTTP filter: signature in the URL", arena_printf(m->a, "/x%s", t));
        try_target(m, "HTTP filter: signature in the URL, encoded", arena_printf(m->a, "/x%s", encoded(m, t)));
        try_target(m, "HTTP filter: signature in the query", arena_printf(m->a, "?x%sx", swap_case(m->a, t)));
        try_target(m, "HTTP filter: signature in the URL, less a letter",
                   arena_printf(m->a, "/x%s", encoded(m, t + 1)));
    }
    if (f->url_max >= 0) {
        try_length(m, "HTTP filter: URL length", "/", f->url_max, base);
        try_length(m, "HTTP filter: URL length with a query", "/?", f->url_max, base);
    }
    if (f->query_max >= 0)
        try_length(m, "HTTP filter: query length", "?", f->query_max + 1, 0);
}

void probes_of_filter(struct probe_maker *m, const struct plan_rule *r)
{
    const struct http_filter *f = r->filter;
    struct probe b = m->base;
    if (!f)
        return;
    vary_filter_urls(m, f);
    for (size_t i = 0; i < f->methods.n && i < 8; i++) {
        b.method = f->methods.v[i];
        if (strspn(b.method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-") == strlen(b.method) && strcmp(b.method, "CONNECT") != 0)
            probe_on_either(m, "HTTP filter: method", &b);
    }
    b.method = m->base.method;
    for (size_t i = 0; i < f->headers.n && i < 8; i++) {
        b.field = arena_printf(m->a, "%s: 0", f->headers.v[i]);
        probe_on_either(m, "HTTP filter: header", &b);
        b.field = arena_printf(m->a, "%sx: 0", f->headers.v[i]);
        probe_on_either(m, "HTTP filter: a longer header", &b);
    }
    for (size_t i = 0; i < f->header_texts.n && i < 8; i++) {
        const struct filter_text *t = &f->header_texts.v[i];
        if (ascii_casecmp(t->header, "User-Agent") == 0 || ascii_casecmp(t->header, "Host") == 0 ||
            ascii_casecmp(t->header, "Cookie") == 0)
            continue; /* a second one is not what this is about */
        b.field = arena_printf(m->a, "%s: a%sb", t->header, swap_case(m->a, t->text));
        probe_on_either(m, "HTTP filter: signature in a header", &b);
        b.field = arena_printf(m->a, "%s: a%sb", t->header, t->text + 1);
        probe_on_either(m, "HTTP filter: signature in a header, less a letter", &b);
    }
}
