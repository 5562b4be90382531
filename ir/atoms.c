/* atoms: the classes of paths and hosts, see atoms.h. Everything is a sorted array: names from strangers cannot make
 * a look-up slow. */
#include "atoms.h"

#include <stdlib.h>
#include <string.h>

static const char *lower(struct arena *a, const char *s)
{
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++)
        *p = ascii_lower(*p);
    return out;
}

const char *swap_case(struct arena *a, const char *s)
{
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++) {
        char c = ascii_lower(*p);
        if (c >= 'a' && c <= 'z')
            *p = (char)(*p ^ 0x20);
    }
    return out;
}

/* ---- paths ---------------------------------------------------------------- */

void path_atoms_add(struct arena *a, struct path_atoms *p, const char *literal)
{
    struct path_atom *x = vec_push(a, &p->list);
    x->literal = lower(a, literal);
}

static int by_literal(const void *x, const void *y)
{
    return strcmp(((const struct path_atom *)x)->literal, ((const struct path_atom *)y)->literal);
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

void path_atoms_make(struct arena *a, struct path_atoms *p)
{
    size_t kept = 0;
    if (!p->list.n)
        path_atoms_add(a, p, "");
    qsort(p->list.v, p->list.n, sizeof *p->list.v, by_literal);
    for (size_t i = 0; i < p->list.n; i++)
        if (!kept || strcmp(p->list.v[kept - 1].literal, p->list.v[i].literal) != 0)
            p->list.v[kept++] = p->list.v[i];
    p->list.n = kept;
    /* In sorted order what a literal begins with stands above it: its parent is the one above, or an ancestor of that. */
    for (size_t i = 0; i < kept; i++) {
        size_t up = i ? i - 1 : SIZE_MAX;
        while (up != SIZE_MAX && !begins(p->list.v[i].literal, p->list.v[up].literal))
            up = p->list.v[up].parent;
        p->list.v[i].parent = up;
    }
}

/* First position whose literal is not less than s, which is in lower case. */
static size_t lower_bound(const struct path_atoms *p, const char *s)
{
    size_t low = 0, high = p->list.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(p->list.v[mid].literal, s) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t path_atoms_find(const struct path_atoms *p, const char *literal)
{
    struct arena *a = arena_new();
    const char *s = lower(a, literal);
    size_t at = lower_bound(p, s);
    if (at == p->list.n || strcmp(p->list.v[at].literal, s) != 0)
        at = SIZE_MAX;
    arena_free(a);
    return at;
}

static bool is_literal(const struct path_atoms *p, const char *s)
{
    size_t at = lower_bound(p, s);
    return at < p->list.n && strcmp(p->list.v[at].literal, s) == 0;
}

/* Whether some literal continues s, or is s. */
static bool continued(const struct path_atoms *p, const char *s)
{
    size_t at = lower_bound(p, s);
    return at < p->list.n && begins(p->list.v[at].literal, s);
}

/* base and a text that no literal continues: "x", "y", ... then numbers. There are finitely many literals, so it ends. */
static const char *fresh(struct arena *a, const struct path_atoms *p, const char *base)
{
    static const char letters[] = "xyzwvuq";
    for (size_t i = 0; letters[i]; i++) {
        const char *s = arena_printf(a, "%s%c", base, letters[i]);
        if (!continued(p, s))
            return s;
    }
    for (size_t i = 1;; i++) {
        const char *s = arena_printf(a, "%sx%zu-", base, i);
        if (!continued(p, s))
            return s;
    }
}

const char *path_atom_open(struct arena *a, const struct path_atoms *p, size_t atom, enum path_case which)
{
    const char *literal = p->list.v[atom].literal;
    if (which == PATH_ITSELF || (which == PATH_BESIDE && !*literal))
        return NULL; /* beside "" there is only what does not begin with a slash */
    if (which == PATH_BESIDE)
        return fresh(a, p, literal);
    const char *slash = arena_printf(a, "%s/", literal);
    return is_literal(p, slash) ? NULL
                                : fresh(a, p, slash); /* a literal of its own: then nothing is left for this class */
}

const char *path_atom_example(struct arena *a, const struct path_atoms *p, size_t atom, enum path_case which)
{
    const char *literal = p->list.v[atom].literal;
    if (which == PATH_ITSELF)
        return *literal ? literal : NULL;
    if (which == PATH_BESIDE && !*literal)
        return is_literal(p, "*") ? NULL : "*"; /* the one target without a slash (RFC 9112, 3.2.4) */
    if (which == PATH_BELOW) {
        const char *s = arena_printf(a, "%s/", literal);
        return is_literal(p, s) ? NULL : s;
    }
    return path_atom_open(a, p, atom, which);
}

/* ---- hosts ---------------------------------------------------------------- */

static const char *backwards(struct arena *a, const char *s)
{
    size_t n = strlen(s);
    char *out = arena_strndup(a, s, n);
    for (size_t i = 0; i < n; i++)
        out[i] = s[n - 1 - i];
    return out;
}

void host_atoms_add(struct arena *a, struct host_atoms *h, const struct public_name *n)
{
    struct host_atom *x = vec_push(a, &h->list);
    bool wildcard = n->kind == NAME_WILDCARD;
    *x = (struct host_atom){ wildcard ? HOST_UNDER : HOST_NAMED, n->name, backwards(a, n->name + wildcard) };
}

static int by_backwards(const void *x, const void *y)
{
    return strcmp(((const struct host_atom *)x)->backwards, ((const struct host_atom *)y)->backwards);
}

void host_atoms_make(struct arena *a, struct host_atoms *h)
{
    size_t kept = 0;
    if (h->list.n)
        qsort(h->list.v, h->list.n, sizeof *h->list.v, by_backwards);
    for (size_t i = 0; i < h->list.n; i++)
        if (!kept || strcmp(h->list.v[kept - 1].backwards, h->list.v[i].backwards) != 0)
            h->list.v[kept++] = h->list.v[i];
    h->list.n = kept;
    *vec_push(a, &h->list) = (struct host_atom){ HOST_OTHER, NULL, NULL };
    *vec_push(a, &h->list) = (struct host_atom){ HOST_NONE, NULL, NULL };
}

static size_t host_bound(const struct host_atoms *h, const char *key, size_t n)
{
    size_t low = 0, high = h->list.n - 2;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strncmp(h->list.v[mid].backwards, key, n) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t host_atoms_find(const struct host_atoms *h, const char *name)
{
    struct arena *a = arena_new();
    const char *key = backwards(a, name + (name[0] == '*'));
    size_t at = host_bound(h, key, strlen(key) + 1);
    if (at >= h->list.n - 2 || strcmp(h->list.v[at].backwards, key) != 0)
        at = SIZE_MAX;
    arena_free(a);
    return at;
}

size_t host_atoms_under(const struct host_atoms *h, size_t atom, size_t *from)
{
    const char *key = h->list.v[atom].backwards;
    size_t n = strlen(key), end;
    *from = host_bound(h, key, n);
    for (end = *from; end < h->list.n - 2 && strncmp(h->list.v[end].backwards, key, n) == 0;)
        end++;
    return end;
}

static bool is_named(const struct host_atoms *h, const char *host)
{
    return host_atoms_find(h, host) != SIZE_MAX;
}

const char *host_atom_example(struct arena *a, const struct host_atoms *h, size_t atom)
{
    static const char *const labels[] = { "www", "any", "x" };
    const struct host_atom *x = &h->list.v[atom];
    if (x->kind == HOST_NAMED)
        return x->name;
    if (x->kind == HOST_NONE)
        return NULL;
    const char *suffix = x->kind == HOST_UNDER ? x->name + 1 : ".invalid"; /* RFC 2606: never anybody's name */
    for (size_t i = 0;; i++) {
        const char *label = i < 3 ? labels[i] : arena_printf(a, "x%zu", i);
        const char *s = arena_printf(a, "%s%s", label, suffix);
        bool under = false; /* a wildcard of its own may hold the host that nothing should name */
        if (x->kind == HOST_OTHER)
            for (const char *dot = strchr(s, '.'); dot && !under; dot = strchr(dot + 1, '.'))
                under = is_named(h, arena_printf(a, "*%s", dot));
        if (under)
            suffix = arena_printf(a, ".x%zu-nobody", i);
        else if (!is_named(h, s))
            return s;
    }
}
