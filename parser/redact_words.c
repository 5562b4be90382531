/* redact_words: one pseudonym for each text and what it means, the same each time; the map of them. What a text is made of is
 * replaced in redact_places.c and redact_users.c; here are names, free text, what is known by its looks alone, and the HTTP filter. */
#define _GNU_SOURCE /* tdestroy, strcasestr */
#include "redact_words.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* ---- look-up ----------------------------------------------------------------------------------------- */
static int by_key(const void *x, const void *y)
{
    return strcmp(((const struct entry_of *)x)->key, ((const struct entry_of *)y)->key);
}
static void leave(void *p)
{
    (void)p;
}

struct words *words_new(struct arena *a)
{
    struct words *w = arena_alloc(a, sizeof *w);
    w->arena = a;
    w->letters.arena = a;
    w->addresses = addresses_new(a);
    return w;
}

void words_free(struct words *w)
{
    tdestroy(w->tree, leave);
    buf_free(&w->scratch);
    w->tree = NULL;
}

/* The entry of a key ("kind:text"), made with an empty value if it is new. */
struct entry_of *words_entry(struct words *w, char kind, const char *text, size_t n)
{
    buf_clear(&w->scratch);
    buf_putc(&w->scratch, kind);
    buf_add(&w->scratch, text, n);
    struct entry_of probe = { w->scratch.p, NULL }, **found = tfind(&probe, &w->tree, by_key);
    if (found)
        return *found;
    struct entry_of *e = arena_alloc(w->arena, sizeof *e);
    e->key = arena_strndup(w->arena, w->scratch.p, w->scratch.n);
    if (!tsearch(e, &w->tree, by_key))
        mem_fatal();
    return e;
}

size_t words_count(struct words *w, char kind, const char *word)
{
    char text[24];
    struct entry_of *e = words_entry(w, kind, word, strlen(word));
    snprintf(text, sizeof text, "%zu", e->value ? (size_t)strtoul(e->value, NULL, 10) + 1 : 1);
    e->value = arena_strdup(w->arena, text);
    return (size_t)strtoul(text, NULL, 10);
}

const char *words_lowered(struct words *w, const char *s, size_t n)
{
    char *low = arena_strndup(w->arena, s, n);
    for (char *c = low; *c; c++)
        *c = ascii_lower(*c);
    return low;
}

/* "WORD n": the same for texts that differ in case only. */
const char *words_numbered(struct words *w, char kind, const char *word, const char *separator, const char *text,
                           size_t n)
{
    const char *key = words_lowered(w, text, n);
    struct entry_of *e = words_entry(w, kind, key, strlen(key));
    if (!e->value) {
        size_t number = words_count(w, '#', *word ? word : (const char[]){ kind, '\0' });
        e->value = arena_printf(w->arena, "%s%s%zu", word, separator, number);
    }
    return e->value;
}

void words_range(struct words *w, struct ip_range r)
{
    addresses_range(w->addresses, r);
}

static const char *remember(struct words *w, enum meaning means, const char *from, const char *to)
{
    if (strcmp(from, to) != 0)
        vec_add(w->arena, &w->map, ((struct mapped){ means, from, to }));
    return to;
}

static bool is_number(const char *s)
{
    s += *s == '-';
    return *s && s[strspn(s, "0123456789.")] == '\0';
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */
static void put_name(struct words *w, struct strbuf *out, const char *object, const char *s)
{
    if (vocabulary_has(vocabulary_names, s, strlen(s))) {
        buf_puts(out, s);
        return;
    }
    for (const char *const *word = vocabulary_in_names; *word; word++)
        if (strcasestr(s, *word))
            buf_printf(out, "%s%s", *word, (*word)[strlen(*word) - 1] == ' ' ? "" : " ");
    buf_puts(out, words_numbered(w, 'n', object, " ", s, strlen(s)));
}

/* What an unknown text is, by its looks. */
static void put_by_shape(struct words *w, struct strbuf *out, const char *s)
{
    size_t n = strlen(s);
    bool host = n > 3 && strchr(s, '.');
    for (const char *c = s; *c && host; c++)
        host = is_word(*c) || *c == '.' || *c == '*' || *c == ':';
    if (ascii_ncasecmp(s, "S-1-", 4) == 0)
        words_sid(w, out, s);
    else if (strstr(s, "://"))
        words_url(w, out, s);
    else if (*s == '/')
        words_path(w, out, s);
    else if (host || is_address_text(s))
        words_host(w, out, s, n);
    else if (n >= 32 && n % 2 == 0 && s[strspn(s, "0123456789abcdefABCDEF")] == '\0')
        words_thumbprint(w, out, s);
    else if (vocabulary_has(vocabulary_names, s, n))
        buf_puts(out, s);
    else
        buf_puts(out, words_numbered(w, 'v', "value", " ", s, n));
}

/* The HTTP filter is XML in a text. Its values are replaced word by word as paths are, because what they are compared with is
 * paths and the like; words of HTTP and numbers stay, and so does where a signature is looked for. */
static bool says_where(const char *s, size_t quote)
{
    static const char *const where[] = { "SearchIn", "Location", "Type", "Where", "Scope", NULL };
    size_t end = quote;
    while (end && strchr("= \t\r\n", s[end - 1]))
        end--;
    size_t begin = end;
    while (begin && is_word(s[begin - 1]))
        begin--;
    return vocabulary_has(where, s + begin, end - begin);
}

static void put_filter_value(struct words *w, struct strbuf *out, const char *s, size_t n)
{
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i; k < n && is_word(s[k]); k++)
            ;
        bool stays = strspn(s + i, "0123456789-") >= k - i || vocabulary_has(vocabulary_http, s + i, k - i) ||
                     vocabulary_has(vocabulary_extensions, s + i, k - i);
        if (k > i && stays)
            buf_add(out, s + i, k - i);
        else if (k > i)
            words_run(w, out, s + i, k - i);
        if (k == n)
            break;
        size_t other = s[k] == '&' ? strcspn(s + k, ";") + 1 : 1; /* a character reference is one character */
        other = other < n - k ? other : n - k;
        buf_add(out, s + k, other);
        k += other;
    }
}

static void put_filter(struct words *w, struct strbuf *out, const char *s)
{
    for (size_t i = 0, k; s[i]; i = k) {
        k = i + strcspn(s + i, "\"'>");
        buf_add(out, s + i, k - i + (s[k] != '\0'));
        if (!s[k])
            break;
        char mark = s[k++];
        size_t n = mark == '>' ? strcspn(s + k, "<") : strcspn(s + k, mark == '"' ? "\"" : "'");
        if (mark != '>' && says_where(s, k - 1))
            buf_add(out, s + k, n);
        else
            put_filter_value(w, out, s + k, n);
        k += n;
        if (mark != '>' && s[k])
            buf_putc(out, s[k++]);
    }
}

/* ---- one text ------------------------------------------------------------------------------------------------------------ */
static void put(struct words *w, struct strbuf *out, enum meaning means, const char *object, const char *s)
{
    uint32_t ip;
    bool number = is_number(s) && !ip_parse(s, &ip);
    buf_puts(out, "");
    if (means == MEANS_THUMBPRINT)
        words_thumbprint(w, out, s);
    else if (means == MEANS_VOCABULARY || (number && means != MEANS_SID))
        buf_puts(out, s);
    else if (is_guid(s))
        words_guid(w, out, s);
    else if (strstr(s, "<Configuration"))
        put_filter(w, out, s);
    else
        switch (means) {
        case MEANS_NAME:
        case MEANS_STORAGE: put_name(w, out, object, s); break;
        case MEANS_TEXT: buf_puts(out, words_numbered(w, 'x', "text", " ", s, strlen(s))); break;
        case MEANS_HOST: words_host(w, out, s, strlen(s)); break;
        case MEANS_URL: words_url(w, out, s); break;
        case MEANS_PATH: words_path(w, out, s); break;
        case MEANS_ACCOUNT: words_account(w, out, s); break;
        case MEANS_SID: words_sid(w, out, s); break;
        case MEANS_SPN: words_spn(w, out, s); break;
        default: put_by_shape(w, out, s); break;
        }
}

const char *words_pseudonym(struct words *w, enum meaning means, const char *object, const char *text)
{
    struct entry_of *e = words_entry(w, (char)('A' + (int)means), text, strlen(text));
    if (e->value)
        return e->value;
    struct strbuf b = { 0 };
    put(w, &b, means, object, text);
    e->value = strcmp(b.p, text) == 0 ? text : arena_strdup(w->arena, b.p);
    if (means != MEANS_VOCABULARY)
        remember(w, means, e->key + 1, e->value);
    buf_free(&b);
    return e->value;
}

void words_map(const struct words *w, struct strbuf *out)
{
    static const char *const kinds[MEANINGS] = { "value", "",        "",    "name",       "text", "host",   "url",
                                                 "path",  "account", "sid", "thumbprint", "spn",  "filter", "name" };
    buf_puts(out, "{\"map\": 1, \"pseudonyms\": [\n");
    for (size_t i = 0; i < w->map.n; i++) {
        const struct mapped *m = &w->map.v[i];
        buf_printf(out, "  {\"kind\": \"%s\", \"original\": ", is_guid(m->from) ? "guid" : kinds[m->means]);
        buf_json(out, m->from);
        buf_puts(out, ", \"pseudonym\": ");
        buf_json(out, m->to);
        buf_puts(out, i + 1 < w->map.n ? "},\n" : "}\n");
    }
    buf_puts(out, "]}\n");
}
