/* Pages with links in them: what a published server sends, and what the client must get (B-123 to B-127). The expectation
 * is computed the slow way, by looking at every place of the page for every mapping of ir/links.h. */
#include "pages.h"
#include "../emitters/nginx_links.h"

#include <string.h>

enum { MAPPINGS = 60 }; /* of a rule that a page shows */

/* ---- translating ------------------------------------------------------------------ */
static void add_escaped(struct strbuf *b, const char *s)
{
    for (; *s; s++)
        if (*s == ':')
            buf_puts(b, "%3a");
        else
            buf_putc(b, *s);
}

static void add_origin(struct strbuf *b, const struct plan_rule *r, const struct link *l, bool tls, const char *host)
{
    struct strbuf o = { 0 };
    long port = r->listener->ssl_accelerator_port;
    if (port) {
        buf_printf(&o, "https://%.*s", (int)strcspn(host, ":"), host);
        if (port != 443)
            buf_printf(&o, ":%ld", port);
    } else {
        buf_printf(&o, "%s://%s", tls ? "https" : "http", host);
    }
    if (l->escaped)
        add_escaped(b, o.p);
    else
        buf_puts(b, o.p);
    buf_free(&o);
}

/* Where a text may end: anywhere, where the source says, or in front of what nginx is told. */
enum ends { ENDS_ANYWHERE, ENDS_WHOLE, ENDS_NGINX };

static bool may_end(enum ends ends, const char *p, size_t n)
{
    if (ends == ENDS_WHOLE)
        return link_ends(p, n, true) == 1;
    for (size_t i = 0; ends == ENDS_NGINX && i < NGINX_DELIMITERS; i++)
        if (n && *p == *nginx_delimiters[i])
            return true;
    return ends == ENDS_ANYWHERE;
}

/* The longest mapping whose text stands at p; NULL: none. */
static const struct link *link_at(const struct link_table *t, const char *p, size_t n, enum ends ends)
{
    const struct link *best = NULL;
    for (size_t i = 0; i < t->links.n; i++) {
        const struct link *l = &t->links.v[i];
        if (l->from_n > n || (best && best->from_n >= l->from_n) || ascii_ncasecmp(p, l->from, l->from_n) != 0)
            continue;
        if (l->stem || may_end(ends, p + l->from_n, n - l->from_n))
            best = l;
    }
    return best;
}

static void translate(const struct plan_rule *r, const struct link_table *t, enum ends ends, bool tls, const char *host,
                      const char *page, size_t n, struct strbuf *out)
{
    for (size_t i = 0; i < n;) {
        const struct link *l = link_at(t, page + i, n - i, ends);
        if (!l) {
            buf_putc(out, page[i++]);
            continue;
        }
        if (l->origin)
            add_origin(out, r, l, tls, host);
        buf_add(out, l->to, l->to_n);
        i += l->from_n;
    }
}

/* ---- judging --------------------------------------------------------------------------- */
/* The next line of *p, its end included; false: there is none. */
static bool next_line(const char **p, size_t *left, const char **line, size_t *n)
{
    const char *end = *left ? memchr(*p, '\n', *left) : NULL;
    *line = *p;
    *n = end ? (size_t)(end - *p) + 1 : *left;
    *p += *n;
    *left -= *n;
    return *n > 0;
}

static bool is(const struct strbuf *b, const char *line, size_t n)
{
    return b->n == n && (!n || memcmp(b->p, line, n) == 0);
}

enum page_verdict judge_page(const struct plan *p, const struct plan_rule *r, bool tls, const char *host,
                             const char *page, const char *got, size_t got_n, struct strbuf *want, struct strbuf *line)
{
    struct arena *a = arena_new();
    struct link_table t;
    links_of(p, r->index, tls, a, &t);
    enum page_verdict verdict = PAGE_RIGHT;
    size_t left = strlen(page), n, m;
    struct strbuf as[3] = { { 0 }, { 0 }, { 0 } };
    const char *asked, *came;
    while (verdict != PAGE_WRONG && next_line(&page, &left, &asked, &n)) {
        bool there = next_line(&got, &got_n, &came, &m), announced = there && n == m && memcmp(asked, came, n) == 0;
        for (enum ends e = ENDS_ANYWHERE; e <= ENDS_NGINX; e++) {
            buf_clear(&as[e]);
            translate(r, &t, t.whole ? e : ENDS_ANYWHERE, tls, host, asked, n, &as[e]);
            announced |= there && is(&as[e], came, m);
        }
        if (there && is(&as[ENDS_WHOLE], came, m))
            continue;
        verdict = announced ? PAGE_SHORT : PAGE_WRONG;
        buf_clear(want);
        buf_clear(line);
        buf_add(want, as[ENDS_WHOLE].p ? as[ENDS_WHOLE].p : "", as[ENDS_WHOLE].n);
        if (there)
            buf_add(line, came, m);
    }
    if (got_n)
        verdict = PAGE_WRONG;
    for (size_t i = 0; i < 3; i++)
        buf_free(&as[i]);
    arena_free(a);
    return verdict;
}

/* ---- making one ------------------------------------------------------------------------- */
/* The text with its host in upper case. */
static void add_upper(struct strbuf *b, const struct link *l)
{
    int slashes = 0;
    for (size_t i = 0; i < l->from_n; i++) {
        slashes += l->from[i] == '/';
        buf_putc(b, slashes == 2 && l->from[i] >= 'a' && l->from[i] <= 'z' ? (char)(l->from[i] - 32) : l->from[i]);
    }
}

const char *page_with_links(const struct plan *p, const struct plan_rule *r, bool tls, bool odd, struct arena *a)
{
    static const char *const usual[] = { "<a href=\"%s\">x</a>\n",
                                         "<a href='%s'>\n",
                                         "<img src=\"%s/a/b.png?c\">\n",
                                         "see %s now\n",
                                         "<p>%s</p>\n",
                                         "%s?q=1.\n",
                                         "%s#top.\n",
                                         "&quot;%s&quot;.\n",
                                         "url(%s).\n",
                                         "%s2 is another.\n",
                                         "%s.other.example.\n",
                                         "\"%s\\\"\n",
                                         "%s:8 is another.\n",
                                         "%s-a is another.\n",
                                         "x%s\".\n" };
    static const char *const rare[] = { "%s|.\n", "%s*.\n", "%s%%2fx.\n", "%s,.\n", "%s;.\n", "\n" };
    struct link_table t;
    struct strbuf b = { 0 }, text = { 0 };
    links_of(p, r->index, tls, a, &t);
    size_t step = t.links.n / MAPPINGS + 1;
    for (size_t i = 0; i < t.links.n; i += step) {
        const struct link *l = &t.links.v[i];
        const char *from = arena_strndup(a, l->from, l->from_n);
        if (strlen(from) != l->from_n || strpbrk(from, "\r\n"))
            continue;
        for (size_t k = 0; k < (odd ? sizeof rare / sizeof *rare : sizeof usual / sizeof *usual); k++) {
            const char *form = odd ? rare[k] : usual[k], *at = strstr(form, "%s");
            buf_add(&b, form, at ? (size_t)(at - form) : strlen(form));
            if (at && k == 0) {
                buf_clear(&text);
                add_upper(&text, l);
                buf_add(&b, text.p, text.n);
            } else if (at) {
                buf_puts(&b, from);
            }
            for (const char *c = at ? at + 2 : ""; *c; c++) { /* the rest of the form */
                buf_putc(&b, *c);
                c += c[0] == '%' && c[1] == '%';
            }
        }
    }
    const char *page = b.n ? arena_strndup(a, b.p, b.n) : NULL;
    buf_free(&b);
    buf_free(&text);
    return page;
}
