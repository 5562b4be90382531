/* store: reads XML with libxml2's SAX interface into flat items.
 *
 * The input is a stranger's: any document type is refused, so there are no entities but the five of XML; nothing is
 * loaded; depth, size, text and the number of different names are limited. */
#include "store.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 100, CHUNK = 1 << 16 };
static const size_t most_bytes = (size_t)1 << 30;

struct seen_name {
    const xmlChar *key;
    uint16_t name;
}; /* libxml2 gives equal names at equal addresses */
struct last {
    uint32_t text, storage;
}; /* equal neighbours share their text: "0", "1", slots */
struct loader {
    struct store *store;
    const char *source;
    xmlParserCtxt *xml;
    struct strbuf *err;
    bool failed, is_export;
    uint32_t current;
    size_t depth;
    struct strbuf pending;       /* text of the current element so far */
    struct seen_name seen[1024]; /* a cache: a collision only costs a look-up */
    struct last *last;
    size_t last_n;
};

static uint32_t here(const struct loader *l)
{
    return l->xml && l->xml->input && l->xml->input->line > 0 ? (uint32_t)l->xml->input->line : 1;
}

static void stop(struct loader *l, const char *what)
{
    if (!l->failed) {
        buf_printf(l->err, "%s:%u: %s\n", l->source, here(l), what);
        l->failed = true;
        xmlStopParser(l->xml);
    }
}

/* ---- strings ------------------------------------------------------------------------------------------------ */
static uint32_t pooled(struct loader *l, uint32_t *last, const char *s, size_t n)
{
    struct strbuf *pool = &l->store->pool;
    if (!n)
        return 0;
    if (*last && pool->n - *last > n && memcmp(pool->p + *last, s, n) == 0 && !pool->p[*last + n])
        return *last;
    if (pool->n + n >= UINT32_MAX) {
        stop(l, "the text of this file is too large");
        return 0;
    }
    *last = (uint32_t)pool->n;
    buf_add(pool, s, n);
    buf_putc(pool, '\0');
    return *last;
}

static uint16_t name_of(struct loader *l, const xmlChar *local)
{
    struct seen_name *seen = &l->seen[((uintptr_t)local ^ (uintptr_t)local >> 10) % 1024];
    if (seen->key == local)
        return seen->name;
    uint16_t name = xml_name_add(l->store->names, (const char *)local, strlen((const char *)local));
    if (!name)
        stop(l, "this file has too many different element names to be an export");
    while (name >= l->last_n) {
        size_t n = l->last_n ? l->last_n * 2 : 1024;
        struct last *p = realloc(l->last, n * sizeof *p);
        if (!p)
            mem_fatal();
        memset(p + l->last_n, 0, (n - l->last_n) * sizeof *p);
        l->last = p;
        l->last_n = n;
    }
    *seen = (struct seen_name){ local, name };
    return name;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The text of the current element, without white space at its ends. An element with children has none of interest. */
static void flush_text(struct loader *l)
{
    const char *s = l->pending.p;
    size_t n = l->pending.n;
    if (!n)
        return;
    while (n && is_space(s[n - 1]))
        n--;
    while (n && is_space(*s))
        s++, n--;
    struct item *i = &l->store->items[l->current];
    if (n && l->current && !i->text)
        i->text = pooled(l, &l->last[i->name].text, s, n);
    buf_clear(&l->pending);
}

/* ---- what libxml2 calls --------------------------------------------------------------------------------------- */
static uint32_t new_item(struct loader *l)
{
    struct store *s = l->store;
    if (s->n == s->cap) {
        if (s->cap >= UINT32_MAX / 2)
            mem_fatal();
        size_t cap = s->cap ? s->cap * 2 : 4096;
        struct item *p = realloc(s->items, cap * sizeof *p);
        if (!p)
            mem_fatal();
        s->items = p;
        s->cap = cap;
    }
    s->items[s->n] = (struct item){ .parent = l->current, .line = here(l), .type = NO_STORAGE_TYPE };
    return (uint32_t)s->n++;
}

static void add_odd(struct loader *l, uint32_t item, const char *key)
{
    struct store *s = l->store;
    uint32_t last = 0;
    if (s->odd_n == s->odd_cap) {
        s->odd_cap = s->odd_cap ? s->odd_cap * 2 : 16;
        struct odd_attribute *p = realloc(s->odd, s->odd_cap * sizeof *p);
        if (!p)
            mem_fatal();
        s->odd = p;
    }
    s->odd[s->odd_n++] = (struct odd_attribute){ item, pooled(l, &last, key, strlen(key)) };
}

static void check_root(struct loader *l, const xmlChar *local, const xmlChar *space)
{
    if (ascii_casecmp((const char *)local, "Root") == 0 && space && strstr((const char *)space, "/isa/config-")) {
        l->is_export = true;
        return;
    }
    struct arena *a = arena_new();
    stop(l, recognise_root(a, (const char *)local, (const char *)space));
    arena_free(a);
}

static void on_start(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *space, int nspaces,
                     const xmlChar **spaces, int nattributes, int ndefaulted, const xmlChar **attributes)
{
    (void)prefix, (void)nspaces, (void)spaces, (void)ndefaulted;
    struct loader *l = ctx;
    if (l->failed)
        return;
    if (l->depth == 0)
        check_root(l, local, space);
    if (++l->depth > MOST_DEPTH)
        stop(l, "elements are nested too deeply for an export");
    flush_text(l);
    uint16_t name = name_of(l, local);
    if (l->failed)
        return;
    uint32_t at = new_item(l);
    struct item *i = &l->store->items[at];
    i->name = name;
    l->store->attributes += (size_t)nattributes;
    for (int k = 0; k < nattributes; k++, attributes += 5) {
        const char *key = (const char *)attributes[0], *value = (const char *)attributes[3];
        size_t n = (size_t)(attributes[4] - attributes[3]);
        bool storage = ascii_ncasecmp(key, "Storage", 7) == 0;
        if (!storage || (ascii_casecmp(key + 7, "Name") != 0 && ascii_casecmp(key + 7, "Type") != 0)) {
            if (strcmp(key, "dt") != 0)
                add_odd(l, at, key);
        } else if (ascii_casecmp(key + 7, "Name") == 0) {
            i->storage = pooled(l, &l->last[name].storage, value, n);
            i->slot = n && *value != '{' ? xml_name_find(l->store->names, value, n) : 0;
        } else if (n == 1 && *value >= '0' && *value <= '9') {
            i->type = (uint8_t)(*value - '0');
        }
    }
    l->current = at;
}

static void on_end(void *ctx, const xmlChar *local, const xmlChar *prefix, const xmlChar *space)
{
    (void)local, (void)prefix, (void)space;
    struct loader *l = ctx;
    if (l->failed || !l->current)
        return;
    flush_text(l);
    struct item *i = &l->store->items[l->current];
    i->end = (uint32_t)l->store->n;
    l->current = i->parent;
    l->depth--;
}

static void on_text(void *ctx, const xmlChar *text, int n)
{
    struct loader *l = ctx;
    const char *s = (const char *)text;
    size_t len = (size_t)n, skip = 0;
    if (!l->pending.n) /* mostly indentation */
        while (skip < len && is_space(s[skip]))
            skip++;
    if (skip < len && !l->failed)
        buf_add(&l->pending, s + skip, len - skip);
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
    (void)public_id;
    struct loader *l = ctx;
    const char *html =
        ascii_casecmp((const char *)name, "html") == 0 && !system_id ? recognise_root(NULL, "html", NULL) : NULL;
    stop(l, html ? html : "this file has a document type declaration (DOCTYPE), which no export has; it was refused");
}

static void on_error(void *ctx, xmlError *e)
{
    struct loader *l = ctx;
    if (l->failed || e->level != XML_ERR_FATAL)
        return;
    l->failed = true;
    const xmlParserInput *in = l->xml->input;
    bool at_end = in && in->cur >= in->end - 1;
    size_t n = e->message ? strcspn(e->message, "\n") : 0;
    if (at_end && l->is_export)
        buf_printf(l->err, "%s:%u: the export is truncated: it ends here, inside <%s>; export or copy it again\n",
                   l->source, here(l),
                   l->current ? xml_name_text(l->store->names, l->store->items[l->current].name) : "Root");
    else
        buf_printf(l->err, "%s:%d:%d: not well-formed XML: %.*s\n", l->source, e->line > 0 ? e->line : 1,
                   e->int2 > 0 ? e->int2 : 1, (int)n, n ? e->message : "");
}

/* ---- encodings ------------------------------------------------------------------------------------------------ */
static void add_utf8(struct strbuf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
        return;
    }
    char s[4];
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        s[i] = (char)(0x80 | (c & 0x3f));
    s[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    buf_add(b, s, n);
}

/* UTF-16 is turned into UTF-8 here, because files are found whose declaration says another encoding than their
 * bytes. A lone surrogate becomes U+FFFD. */
static void from_utf16(struct strbuf *out, const char *bytes, size_t n, bool big)
{
    const unsigned char *p = (const unsigned char *)bytes;
    for (size_t i = 0; i + 1 < n; i += 2) {
        uint32_t c = big ? (uint32_t)p[i] << 8 | p[i + 1] : (uint32_t)p[i + 1] << 8 | p[i];
        if (c >= 0xd800 && c < 0xdc00 && i + 3 < n) {
            uint32_t d = big ? (uint32_t)p[i + 2] << 8 | p[i + 3] : (uint32_t)p[i + 3] << 8 | p[i + 2];
            if (d >= 0xdc00 && d < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (d - 0xdc00);
                i += 2;
            }
        }
        add_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    }
}

/* 0 UTF-8 or what the declaration says, 1 little-endian, 2 big-endian UTF-16. */
static int utf16_kind(const char *b, size_t n)
{
    if (n < 2)
        return 0;
    if (!memcmp(b, "\xff\xfe", 2) || (b[0] == '<' && !b[1]))
        return 1;
    return !memcmp(b, "\xfe\xff", 2) || (!b[0] && b[1] == '<') ? 2 : 0;
}

static bool declares_utf16(const char *b, size_t n)
{
    size_t end = n < 200 ? n : 200;
    const char *close = memchr(b, '>', end);
    for (const char *p = b; close && p + 6 <= close; p++)
        if (ascii_ncasecmp(p, "utf-16", 6) == 0)
            return true;
    return false;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */
static void feed(struct loader *l, const char *bytes, size_t n, bool own_encoding)
{
    xmlSAXHandler sax = {
        .initialized = XML_SAX2_MAGIC,
        .startElementNs = on_start,
        .endElementNs = on_end,
        .characters = on_text,
        .cdataBlock = on_text,
        .ignorableWhitespace = on_text,
        .internalSubset = on_doctype,
        .serror = on_error,
    };
    size_t first = n < 4 ? n : 4; /* enough to see a byte order mark */
    l->xml = xmlCreatePushParserCtxt(&sax, l, bytes, (int)first, NULL);
    if (!l->xml)
        mem_fatal();
    xmlCtxtUseOptions(l->xml, XML_PARSE_NONET | (own_encoding ? 0 : XML_PARSE_IGNORE_ENC));
    for (size_t at = first; at < n && !l->failed; at += CHUNK)
        xmlParseChunk(l->xml, bytes + at, (int)(n - at < CHUNK ? n - at : CHUNK), 0);
    if (!l->failed)
        xmlParseChunk(l->xml, NULL, 0, 1);
    if (!l->failed && (!l->xml->wellFormed || !l->is_export))
        stop(l, "this file is not well-formed XML");
    xmlFreeParserCtxt(l->xml);
}

struct store *store_read(const char *source, const char *bytes, size_t n, struct xml_names *names, struct strbuf *err)
{
    const char *other = recognise_bytes(bytes, n);
    if (n > most_bytes)
        other = "this file is larger than 1 GiB; export the firewall policy node alone";
    if (other) {
        buf_printf(err, "%s:1: %s\n", source, other);
        return NULL;
    }
    struct store *s = calloc(1, sizeof *s);
    struct loader *l = calloc(1, sizeof *l);
    if (!s || !l)
        mem_fatal();
    *l = (struct loader){ .store = s, .source = source, .err = err };
    s->names = names;
    buf_putc(&s->pool, '\0');
    struct strbuf utf8 = { 0 };
    int utf16 = utf16_kind(bytes, n);
    if (utf16) {
        from_utf16(&utf8, bytes, n, utf16 == 2);
        bytes = utf8.p;
        n = utf8.n;
    }
    new_item(l); /* item 0 is no item */
    feed(l, bytes, n, !utf16 && !declares_utf16(bytes, n));
    bool failed = l->failed;
    buf_free(&utf8);
    buf_free(&l->pending);
    free(l->last);
    free(l);
    if (failed) {
        store_free(s);
        return NULL;
    }
    return s;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    free(s->items);
    free(s->odd);
    buf_free(&s->pool);
    free(s);
}
