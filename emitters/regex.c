/* regex: every pattern that a generated config holds is made here, from literals that are escaped, and is tried
 * with PCRE2 against the program's own scanners before it is written. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "emit.h"

#include <pcre2.h>
#include <string.h>

/* ---- making ----------------------------------------------------------------- */
static bool whole_site(const struct path *p)
{
    return p->kind != PATH_EXACT && !*p->external;
}

static size_t count_kind(const struct path *paths, size_t n, enum path_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += paths[i].kind == kind;
    return count;
}

/* "(?:owa|ecp)(?:/|$)": the paths of one kind, each without its first slash. */
static void add_kind(struct strbuf *b, const struct path *paths, size_t n, enum path_kind kind, size_t count)
{
    static const char *const tails[] = { [PATH_PREFIX] = "(?:/|$)", [PATH_EXACT] = "$", [PATH_STEM] = "" };
    const char *between = "";
    if (count > 1)
        buf_puts(b, "(?:");
    for (size_t i = 0; i < n; i++) {
        if (paths[i].kind != kind)
            continue;
        buf_puts(b, between);
        quote(b, Q_REGEX, paths[i].external + (paths[i].external[0] == '/'));
        between = "|";
    }
    if (count > 1)
        buf_putc(b, ')');
    buf_puts(b, tails[kind]);
}

static const char *finish(struct arena *a, struct strbuf *b)
{
    const char *s = arena_strndup(a, b->p ? b->p : "", b->n);
    buf_free(b);
    return s;
}

const char *regex_paths(struct arena *a, const struct path *paths, size_t n)
{
    static const enum path_kind kinds[] = { PATH_PREFIX, PATH_EXACT, PATH_STEM };
    struct strbuf b = { 0 };
    size_t counts[3], groups = 0;
    for (size_t i = 0; i < n; i++)
        if (whole_site(&paths[i]))
            return "^"; /* "/" "*" takes everything (D-03) */
    for (size_t k = 0; k < 3; k++)
        groups += (counts[k] = count_kind(paths, n, kinds[k])) > 0;
    if (!groups)
        return "^(?!)"; /* no path: nothing matches */
    buf_puts(&b, groups > 1 ? "^/(?:" : "^/");
    const char *between = "";
    for (size_t k = 0; k < 3; k++) {
        if (!counts[k])
            continue;
        buf_puts(&b, between);
        add_kind(&b, paths, n, kinds[k], counts[k]);
        between = "|";
    }
    if (groups > 1)
        buf_putc(&b, ')');
    return finish(a, &b);
}

const char *regex_names(struct arena *a, const struct public_name *names, size_t n)
{
    struct strbuf b = { 0 };
    if (!n)
        return "(?!)";
    if (n > 1)
        buf_puts(&b, "(?:");
    for (size_t i = 0; i < n; i++) {
        const char *name = names[i].name;
        if (i)
            buf_putc(&b, '|');
        if (names[i].kind == NAME_WILDCARD && name[0] == '*') {
            buf_puts(&b, "[^ /.][^ /]*"); /* one label or more (D-02) */
            name++;
        }
        quote(&b, Q_REGEX, name);
    }
    if (n > 1)
        buf_putc(&b, ')');
    return finish(a, &b);
}

/* ---- proving ------------------------------------------------------------------ */
struct trial {
    pcre2_code *code;
    pcre2_match_data *match;
    const char *pattern;
    struct strbuf *err;
};

static int trial_open(struct trial *t, const char *pattern, struct strbuf *err)
{
    int number = 0;
    PCRE2_SIZE at = 0;
    *t = (struct trial){ .pattern = pattern, .err = err };
    t->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_CASELESS, &number, &at, NULL);
    if (!t->code) {
        PCRE2_UCHAR why[256];
        pcre2_get_error_message(number, why, sizeof why);
        buf_puts(err, "generated pattern ");
        buf_visible(err, pattern);
        buf_printf(err, " does not compile at %zu: %s", (size_t)at, (const char *)why);
        return -1;
    }
    t->match = pcre2_match_data_create_from_pattern(t->code, NULL);
    if (!t->match)
        mem_fatal();
    return 0;
}

static void trial_close(struct trial *t)
{
    pcre2_match_data_free(t->match);
    pcre2_code_free(t->code);
}

static int trial_expect(struct trial *t, const char *text, bool want)
{
    int rc = pcre2_match(t->code, (PCRE2_SPTR)text, strlen(text), 0, 0, t->match, NULL);
    if (rc >= 0 ? want : (rc == PCRE2_ERROR_NOMATCH && !want))
        return 0;
    buf_puts(t->err, "generated pattern ");
    buf_visible(t->err, t->pattern);
    buf_puts(t->err, want ? " should match " : " should not match ");
    buf_visible(t->err, text);
    return -1;
}

int regex_prove(const char *pattern, const strings *yes, const strings *no, struct strbuf *err)
{
    struct trial t;
    int rc = 0;
    if (trial_open(&t, pattern, err))
        return -1;
    for (size_t i = 0; !rc && yes && i < yes->n; i++)
        rc = trial_expect(&t, yes->v[i], true);
    for (size_t i = 0; !rc && no && i < no->n; i++)
        rc = trial_expect(&t, no->v[i], false);
    trial_close(&t);
    return rc;
}

/* Texts around a literal, where an escape that is missing or a tail that is wrong would show. */
enum { VARIANTS = 9 };
static const char *variant(struct strbuf *b, const char *literal, int which)
{
    size_t n = strlen(literal);
    buf_clear(b);
    switch (which) {
    case 0: buf_puts(b, literal); break;
    case 1: buf_printf(b, "%s/", literal); break;
    case 2: buf_printf(b, "%s/below/x.y", literal); break;
    case 3: buf_printf(b, "%sz", literal); break;
    case 4: buf_add(b, literal, n ? n - 1 : 0); break;
    case 5:
        for (size_t i = 0; i < n; i++)
            buf_putc(b, literal[i] >= 'a' && literal[i] <= 'z' ? (char)(literal[i] - 32) : ascii_lower(literal[i]));
        break;
    case 6: buf_printf(b, "/x%s", literal); break;
    case 7:
        for (size_t i = 0; i < n; i++) /* every dot another character: is the dot escaped? */
            buf_putc(b, literal[i] == '.' ? '-' : literal[i]);
        break;
    case 8:
        buf_putc(b, '/');
        if (n > 1)
            buf_printf(b, "%%%02x%s", (unsigned)(unsigned char)literal[1], literal + 2);
        break;
    }
    return b->p ? b->p : "";
}

/* The literals that are tried: all of them, or some spread evenly where a rule has very many, since each text is
 * held against each literal. */
enum { LITERALS_MAX = 64 };
static size_t stride(size_t n)
{
    return n > LITERALS_MAX ? n / LITERALS_MAX : 1;
}

int regex_prove_paths(const char *pattern, const struct path *paths, size_t n, struct strbuf *err)
{
    struct trial t;
    struct strbuf text = { 0 };
    int rc = 0;
    if (trial_open(&t, pattern, err))
        return -1;
    for (size_t i = 0; !rc && i < n; i += stride(n))
        for (int v = 0; !rc && v < VARIANTS; v++) {
            const char *s = variant(&text, paths[i].external, v);
            bool want = false;
            for (size_t k = 0; !want && k < n; k++)
                want = path_matches(&paths[k], s, strlen(s));
            rc = trial_expect(&t, s, want);
        }
    buf_free(&text);
    trial_close(&t);
    return rc;
}

static const char *name_variant(struct strbuf *b, const char *name, int which)
{
    const char *bare = name[0] == '*' ? name + 2 : name;
    buf_clear(b);
    switch (which) {
    case 0: buf_puts(b, bare); break;
    case 1: buf_printf(b, "a.%s", bare); break;
    case 2: buf_printf(b, "a.b-c.%s", bare); break;
    case 3: buf_printf(b, "x%s", bare); break;
    case 4: buf_printf(b, "%sx", bare); break;
    case 5: buf_printf(b, "%s.evil.example", bare); break;
    case 6:
        for (const char *s = bare; *s; s++)
            buf_putc(b, *s == '.' ? '-' : *s);
        break;
    }
    return b->p ? b->p : "";
}

int regex_prove_names(const char *pattern, const struct public_name *names, size_t n, struct strbuf *err)
{
    struct trial t;
    struct strbuf text = { 0 }, anchored = { 0 };
    int rc = 0;
    buf_printf(&anchored, "^(?:%s)$", pattern);
    if (trial_open(&t, anchored.p, err)) {
        buf_free(&anchored);
        return -1;
    }
    for (size_t i = 0; !rc && i < n; i += stride(n))
        for (int v = 0; !rc && v < 7; v++) {
            const char *s = name_variant(&text, names[i].name, v);
            bool want = false;
            for (size_t k = 0; !want && k < n; k++)
                want = name_matches(&names[k], s);
            rc = trial_expect(&t, s, want);
        }
    buf_free(&text);
    buf_free(&anchored);
    trial_close(&t);
    return rc;
}
