/* Ways to write a name or a path around the boundary at which it begins or ceases to match: what people and programs send
 * (case, port, trailing dot, slash or none, percent-encoding), the nearest misses, and attempts to leave a path. */
#include <string.h>

#include "internal.h"

static const char raw_bytes[] = "raw bytes outside ASCII";

static void add(struct arena *a, variants *out, const char *aim, const char *text)
{
    if (*text == '\0')
        return;
    struct variant *v = vec_push(a, out);
    *v = (struct variant){ text, aim, false };
}

static const char *changed_case(struct arena *a, const char *s)
{
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return out;
}

const char *name_sample(struct arena *a, const struct public_name *n)
{
    return n->kind == NAME_WILDCARD ? arena_printf(a, "any%s", n->name + 1) : n->name;
}

void variants_of_name(struct arena *a, const struct public_name *n, variants *out)
{
    const char *h = name_sample(a, n);
    add(a, out, "name as published", h);
    add(a, out, "name with a port", arena_printf(a, "%s:8443", h));
    if (n->kind == NAME_ADDRESS) {
        add(a, out, "address with a digit more", arena_printf(a, "%s0", h));
        return;
    }
    add(a, out, "name in upper case", changed_case(a, h));
    add(a, out, "name with a trailing dot", arena_printf(a, "%s.", h));
    add(a, out, "name with a trailing dot and a port", arena_printf(a, "%s.:443", h));
    add(a, out, "name with a letter more at its end", arena_printf(a, "%sx", h));
    if (n->kind == NAME_WILDCARD) {
        const char *apex = n->name + 2;
        add(a, out, "wildcard's own domain, without a label", apex);
        add(a, out, "wildcard with two labels", arena_printf(a, "a.b%s", n->name + 1));
        add(a, out, "wildcard's domain with a letter before it", arena_printf(a, "x%s", apex));
        add(a, out, "wildcard's domain within another", arena_printf(a, "any%s.example", n->name + 1));
        return;
    }
    char *dot = arena_strdup(a, h);
    dot[strcspn(dot, ".")] = dot[strcspn(dot, ".")] ? 'x' : '\0';
    add(a, out, "name with a letter for its first dot", dot);
    add(a, out, "name with a letter more before it", arena_printf(a, "x%s", h));
    add(a, out, "name with a letter less", h + 1);
    add(a, out, "name with a label before it", arena_printf(a, "sub.%s", h));
    add(a, out, "name within another domain", arena_printf(a, "%s.example", h));
}

/* Only visible characters can stand in a request line; "#" is never sent, and bytes outside ASCII only on purpose. */
static bool sendable(const struct variant *v)
{
    bool raw = strcmp(v->aim, raw_bytes) == 0;
    for (const char *s = v->text; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127 || *s == '#' || (!raw && (unsigned char)*s > 127))
            return false;
    return *v->text == '/';
}

const char *path_sample(struct arena *a, const struct path *p)
{
    if (p->kind == PATH_EXACT)
        return p->external;
    return arena_printf(a, p->kind == PATH_PREFIX ? "%s/page.aspx" : "%s/more", p->external);
}

/* Dot segments below base, spelled in every way; they stay inside, or leave. */
static void add_dots(struct arena *a, variants *out, const char *base)
{
    static const char *const inside[] = { "/./x",      "/x/../y",         "/x/%2e%2e/y", "/x%2f..%2fy", "/x/..%5cy",
                                          "/x\\..\\y", "/x/%252e%252e/y", "/...",        "/..x",        "/.x/" };
    static const char *const leaving[] = { "/..",
                                           "/../secret",
                                           "/%2e%2e/secret",
                                           "/.%2E/secret",
                                           "/..%2fsecret",
                                           "/%2e%2e%2fsecret",
                                           "/..%5csecret",
                                           "/..\\secret",
                                           "/%252e%252e/secret",
                                           "/%252e%252e%252fsecret",
                                           "/x/../../secret",
                                           "/x/%2e%2e/%2e%2e/secret",
                                           "/.//../secret",
                                           "/..%255csecret",
                                           "/%25%32%65%25%32%65/secret" };
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        add(a, out, "dots that stay inside", arena_printf(a, "%s%s", base, inside[i]));
    for (size_t i = 0; i < sizeof leaving / sizeof *leaving; i++)
        add(a, out, "dots that leave the path", arena_printf(a, "%s%s", base, leaving[i]));
    add(a, out, "dots that come back to the path", arena_printf(a, "%s/..%s/x", base, base));
    add(a, out, "dots before the path", arena_printf(a, "/x/..%s/y", base));
    add(a, out, "encoded dots before the path", arena_printf(a, "/x/%%2e%%2e%s/y", base));
    add(a, out, "dots above the root", arena_printf(a, "/..%s/y", base));
    add(a, out, "dots above the root, from below", arena_printf(a, "%s/../../../../../../../../../../x", base));
}

static void add_spellings(struct arena *a, variants *out, const char *base)
{
    add(a, out, "path below", arena_printf(a, "%s/a/b.html", base));
    add(a, out, "query of odd characters", arena_printf(a, "%s/q?a=1&b=%%2F%%20%%zz'\"<>{}|^`$x;/../?&&=", base));
    add(a, out, "query without a path below", arena_printf(a, "%s?x=/../y", *base ? base : "/"));
    add(a, out, "query after a slash", arena_printf(a, "%s/?", base));
    add(a, out, "double slash below", arena_printf(a, "%s//x//y/", base));
    add(a, out, "double slash before", arena_printf(a, "/%s/x", *base ? base : "/"));
    add(a, out, "encoded characters below", arena_printf(a, "%s/%%41%%2f%%20%%25%%c3%%a9+%%7e~", base));
    add(a, out, "characters that configs treat", arena_printf(a, "%s/$host$1${x}'\"*()!,;:@=&[]|^`", base));
    add(a, out, "malformed percent-encoding", arena_printf(a, "%s/%%zz", base));
    add(a, out, "encoded NUL", arena_printf(a, "%s/%%00", base));
    add(a, out, raw_bytes, arena_printf(a, "%s/\xc3\xa9", base));
    struct strbuf b = { 0 };
    buf_printf(&b, "%s/", base);
    for (int i = 0; i < 500; i++)
        buf_puts(&b, "0123456789");
    add(a, out, "path of 5,000 characters", arena_strdup(a, b.p));
    buf_putc(&b, '?');
    for (int i = 0; i < 500; i++)
        buf_puts(&b, "abcdefghij");
    add(a, out, "target of 10,000 characters", arena_strdup(a, b.p));
    buf_free(&b);
}

/* Each character that patterns treat, as a letter: what an escape that was forgotten would let in. */
static void add_metacharacters(struct arena *a, variants *out, const char *base)
{
    char *other = arena_strdup(a, base);
    bool any = false;
    for (char *p = other; *p; p++)
        if (strchr(".+*?()[]{}|^$\\", *p)) {
            *p = 'x';
            any = true;
        }
    if (any)
        add(a, out, "letters in place of what patterns treat", other);
}

/* The first letter percent-encoded: another path for the source, which compares the raw one (D-03). */
static void add_encoded_letter(struct arena *a, variants *out, const char *base)
{
    for (size_t i = 1; base[0] && base[i]; i++)
        if ((base[i] >= 'a' && base[i] <= 'z') || (base[i] >= 'A' && base[i] <= 'Z')) {
            add(a, out, "path with an encoded letter",
                arena_printf(a, "%.*s%%%02x%s", (int)i, base, (unsigned)base[i], base + i + 1));
            return;
        }
}

void variants_of_path(struct arena *a, const struct path *p, variants *out)
{
    variants all = { 0 };
    const char *base = p->external;
    size_t n = strlen(base), edges;
    if (*base)
        add(a, &all, "path as published", base);
    else
        add(a, &all, "root", "/");
    add(a, &all, "path with a slash", arena_printf(a, "%s/", base));
    if (n > 1) {
        add(a, &all, "path in another case",
            changed_case(a, p->kind == PATH_PREFIX ? arena_printf(a, "%s/Page", base) : base));
        add(a, &all, "path with a letter more", arena_printf(a, "%sx", base));
        add(a, &all, "path with a letter more, and below", arena_printf(a, "%sx/y", base));
        add(a, &all, "path with a letter less", arena_strndup(a, base, n - 1));
        add(a, &all, "path below another", arena_printf(a, "/x%s", base));
        add(a, &all, "path with a parameter", arena_printf(a, "%s;p=1", base));
        add(a, &all, "path with an encoded slash after it", arena_printf(a, "%s%%2fx", base));
        add_encoded_letter(a, &all, base);
        add_metacharacters(a, &all, base);
    }
    edges = all.n;
    add_spellings(a, &all, base);
    add_dots(a, &all, base);
    for (size_t i = 0; i < edges; i++)
        all.v[i].edge = true;
    for (size_t i = 0; i < all.n; i++)
        if (sendable(&all.v[i]))
            vec_add(a, out, all.v[i]);
}
