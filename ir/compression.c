/* compression: content types, compared and listed; see the header. */
#include "compression.h"

#include <string.h>

/* Types that are text and that servers send often. */
static const char *const usual[] = { "text/html",
                                     "text/plain",
                                     "text/css",
                                     "text/javascript",
                                     "text/xml",
                                     "text/csv",
                                     "text/calendar",
                                     "text/x-component",
                                     "application/javascript",
                                     "application/x-javascript",
                                     "application/json",
                                     "application/xml",
                                     "application/xhtml+xml",
                                     "application/rss+xml",
                                     "application/atom+xml",
                                     "application/soap+xml",
                                     "image/svg+xml" };
enum { USUAL = sizeof usual / sizeof *usual };

const char *content_type_normal(struct arena *a, const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.+_-";
    text += strspn(text, " \t\r\n");
    size_t n = strcspn(text, " \t\r\n");
    char *s = arena_strndup(a, text, n);
    for (char *p = s; *p; p++)
        *p = ascii_lower(*p);
    if (text[n + strspn(text + n, " \t\r\n")] || n > 127)
        return NULL;
    if (!strcmp(s, "*") || !strcmp(s, "*/*"))
        return "*";
    size_t first = strspn(s, letters);
    if (*s == '.')
        return n > 1 && first == n ? s : NULL;
    if (!first || s[first] != '/')
        return NULL;
    size_t second = strspn(s + first + 1, letters);
    const char *end = s + first + 1 + second;
    return !strcmp(end, "*") || (second && !*end) ? s : NULL;
}

void content_types_check(struct yaml_reader *r, const struct node *node, void *types)
{
    struct content_types *t = types;
    const struct node *at = node_value(node, "list");
    for (size_t i = 0; i < t->list.n; i++) {
        const char *type = content_type_normal(r->arena, t->list.v[i]);
        if (!type)
            yaml_error(r, at ? at : node, "list: \"%.200s\" is neither a content type nor an extension", t->list.v[i]);
        else
            t->list.v[i] = type;
    }
}

static bool fits(const char *pattern, const char *type, size_t n)
{
    size_t len = strlen(pattern);
    if (pattern[len - 1] == '*')
        return n >= len - 1 && !ascii_ncasecmp(type, pattern, len - 1);
    return n == len && !ascii_ncasecmp(type, pattern, n);
}

static bool listed(const struct content_types *t, const char *type, size_t n)
{
    for (size_t i = 0; i < t->list.n; i++)
        if (fits(t->list.v[i], type, n))
            return true;
    return false;
}

/* ".htm" of "/a/b.htm?x"; *n is 0 where there is none. */
static const char *extension(const char *target, size_t *n)
{
    size_t path = strcspn(target, "?#");
    for (size_t i = path; i-- > 0 && target[i] != '/';)
        if (target[i] == '.') {
            *n = path - i > 1 ? path - i : 0;
            return target + i;
        }
    *n = 0;
    return target;
}

bool content_types_hold(const struct content_types *t, const char *content_type, const char *target)
{
    const char *type = content_type ? content_type + strspn(content_type, " \t") : "";
    size_t n = strcspn(type, "; \t,");
    if (!n)
        type = extension(target, &n);
    if (!n)
        return t->untyped;
    return listed(t, type, n) != t->except;
}

/* ---- lists -------------------------------------------------------------------------------- */
static void add(struct arena *a, strings *out, const char *type)
{
    for (size_t i = 0; i < out->n; i++)
        if (!strcmp(out->v[i], type))
            return;
    vec_add(a, out, type);
}

void content_types_listed(struct arena *a, const struct content_types *t, bool stars, strings *out)
{
    for (size_t i = 0; t->except && i < USUAL; i++)
        if (!listed(t, usual[i], strlen(usual[i])))
            add(a, out, usual[i]);
    for (size_t i = 0; !t->except && i < t->list.n; i++) {
        const char *type = t->list.v[i];
        bool star = type[strlen(type) - 1] == '*' && strcmp(type, "*") != 0;
        if (!strcmp(type, "*"))
            *out = (strings){ 0 };
        if (*type != '.' && (!star || stars))
            add(a, out, type);
        if (!strcmp(type, "*"))
            return;
        for (size_t k = 0; star && !stars && k < USUAL; k++)
            if (fits(type, usual[k], strlen(usual[k])))
                add(a, out, usual[k]);
    }
}

bool content_types_differ(const struct content_types *t, bool stars)
{
    bool differ = t->except || t->untyped;
    for (size_t i = 0; i < t->list.n; i++)
        differ |= t->list.v[i][0] == '.' || (!stars && strchr(t->list.v[i], '*') && strcmp(t->list.v[i], "*") != 0);
    return differ;
}

void content_types_usual(struct arena *a, struct content_types *out)
{
    *out = (struct content_types){ 0 };
    add(a, &out->list, "text/*");
    for (size_t i = 0; i < USUAL; i++)
        if (!fits("text/*", usual[i], strlen(usual[i])))
            add(a, &out->list, usual[i]);
}
