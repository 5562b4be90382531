/* pages: see pages.h. */
#include "pages.h"

#include <stdlib.h>
#include <unistd.h>

static const struct {
    int status, code;
    const char *title, *text;
} causes[CAUSES] = {
    [CAUSE_NONE] = { 200, 0, "OK", "" },
#define CAUSE(id, status, code, title, text) [CAUSE_##id] = { status, code, title, text },
#include "pages.def"
#undef CAUSE
};

const char *cause_text(enum cause c)
{
    return causes[c].text;
}

enum cause cause_of(const struct decision *d)
{
    switch (d->answer) {
    case ANSWER_FORWARD:
    case ANSWER_OPTIONS:
    case ANSWER_HTTPS:
    case ANSWER_DENY_REDIRECT: return CAUSE_NONE;
    case ANSWER_NO_RULE: return CAUSE_NO_RULE;
    case ANSWER_DENY: return CAUSE_DENY;
    case ANSWER_DOTS: return CAUSE_DOTS;
    case ANSWER_NEEDS_SSL: return CAUSE_NEEDS_SSL;
    case ANSWER_NEEDS_USER: return CAUSE_NEEDS_USER;
    case ANSWER_WRONG_USER: return CAUSE_WRONG_USER;
    case ANSWER_PASS_OVER_HTTP: return CAUSE_PASS_OVER_HTTP;
    case ANSWER_NEEDS_CERTIFICATE: return CAUSE_NEEDS_CERTIFICATE;
    case ANSWER_UNKNOWN: return CAUSE_CLOSED;
    case ANSWER_NO_BACKEND: return CAUSE_NO_BACKEND;
    case ANSWER_FILTERED: return CAUSE_FILTERED;
    }
    return CAUSE_INTERNAL;
}

/* ---- making ------------------------------------------------------------------------ */

static void add_escaped(struct strbuf *b, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<': buf_puts(b, "&lt;"); break;
        case '>': buf_puts(b, "&gt;"); break;
        case '&': buf_puts(b, "&amp;"); break;
        case '"': buf_puts(b, "&quot;"); break;
        default: buf_putc(b, *s);
        }
}

static const char page_begin[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1.5rem}"
    "h1{font-size:1.6rem}small{opacity:.75}</style>\n<title>";

static void write_page(struct strbuf *b, enum cause c)
{
    buf_puts(b, page_begin);
    buf_printf(b, "%d ", causes[c].status);
    add_escaped(b, causes[c].title);
    buf_puts(b, "</title>\n</head>\n<body>\n<main>\n<h1>");
    add_escaped(b, causes[c].title);
    buf_puts(b, "</h1>\n<p>");
    add_escaped(b, causes[c].text);
    buf_printf(b, "</p>\n<p><small>Error %d", causes[c].status);
    if (causes[c].code)
        buf_printf(b, ", code %d", causes[c].code);
    buf_puts(b, "</small></p>\n</main>\n</body>\n</html>\n");
}

/* The operator's file of that number into b; false: there is none, or (with a line in err) it cannot be read. */
static bool read_page(const char *folder, int number, struct arena *a, struct strbuf *b, struct strbuf *err)
{
    enum { LIMIT = 1 << 20 }; /* bytes: pages stay in memory */
    const char *file = path_join(a, folder, arena_printf(a, "%d.html", number));
    return number && access(file, F_OK) == 0 && file_read(file, LIMIT, b, err) == 0;
}

const struct pages *pages_new(const char *folder, struct arena *a, struct strbuf *err)
{
    struct pages *p = arena_alloc(a, sizeof *p);
    struct strbuf b = { 0 };
    size_t errors = err->n;
    if (folder && access(folder, R_OK | X_OK) != 0)
        buf_printf(err, "error_pages: %s cannot be read\n", folder);
    for (unsigned c = CAUSE_NONE; c < CAUSES && err->n == errors; c++) {
        buf_clear(&b);
        if (!folder ||
            (!read_page(folder, causes[c].code, a, &b, err) && !read_page(folder, causes[c].status, a, &b, err)))
            write_page(&b, c);
        p->of[c] = (struct page){ causes[c].status, causes[c].title, arena_strndup(a, b.p, b.n), b.n };
    }
    buf_free(&b);
    return err->n == errors ? p : NULL;
}

/* ---- heads ---------------------------------------------------------------------------- */

void page_head(const struct pages *p, enum cause c, struct head *h, const char **html, size_t *n)
{
    h->status = p->of[c].status;
    h->reason = p->of[c].reason;
    head_add(h, "Content-Type", "text/html; charset=utf-8");
    head_add(h, "Cache-Control", "no-store");
    *html = p->of[c].html;
    *n = p->of[c].n;
}

void redirect_head(const char *location, struct head *h, const char **html, size_t *n)
{
    h->status = 302;
    h->reason = "Found";
    head_add(h, "Location", location);
    head_add(h, "Cache-Control", "no-store");
    *html = "";
    *n = 0;
}

static bool is_listed(const strings *list, const char *method)
{
    for (size_t i = 0; i < list->n; i++)
        if (!ascii_casecmp(list->v[i], method))
            return true;
    return false;
}

void options_head(const struct http_filter *f, struct head *h)
{
    static const char *const usual[] = { "GET", "HEAD", "POST", "OPTIONS" };
    struct strbuf allow = { 0 };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (!f || f->method_list == LIST_ALL || is_listed(&f->methods, usual[i]) == (f->method_list == LIST_ONLY))
            buf_printf(&allow, "%s%s", allow.n ? ", " : "", usual[i]);
    h->status = 200;
    h->reason = "OK";
    head_add(h, "Allow", head_copy(h, allow.p ? allow.p : "", allow.n));
    buf_free(&allow);
}
