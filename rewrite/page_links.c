/* page_links: see the header. */
#include "page_links.h"

#include <string.h>

/* ---- what a page is in --------------------------------------------------------------------------- */

/* The value of charset, NULL: none. It ends where a name of an encoding cannot go on. */
static const char *charset_of(const char *content_type)
{
    for (const char *p = content_type ? strchr(content_type, ';') : NULL; p; p = strchr(p, ';')) {
        p += 1 + strspn(p + 1, " \t");
        if (!ascii_ncasecmp(p, "charset=", 8))
            return p + 8 + strspn(p + 8, "\"' ");
    }
    return NULL;
}

static bool is_called(const char *charset, const char *name)
{
    size_t n = strlen(name);
    return charset && !ascii_ncasecmp(charset, name, n) && strchr("\"'; \t", charset[n]);
}

static enum wideness wideness_of(const char *content_type)
{
    static const char *const little[] = { "utf-16le", "utf-16", "unicode", "ucs-2", "iso-10646-ucs-2", "unicodefeff" };
    const char *charset = charset_of(content_type);
    for (size_t i = 0; i < sizeof little / sizeof *little; i++)
        if (is_called(charset, little[i]))
            return WIDE_LITTLE;
    return is_called(charset, "utf-16be") || is_called(charset, "unicodefffe") ? WIDE_BIG : WIDE_NOT;
}

bool page_is_utf32(const char *content_type)
{
    const char *charset = charset_of(content_type);
    return charset && !ascii_ncasecmp(charset, "utf-32", 6);
}

/* ---- UTF-16 to UTF-8 and back ----------------------------------------------------------------------- */

static unsigned unit_at(enum wideness is, const char *p)
{
    unsigned a = (unsigned char)p[0], b = (unsigned char)p[1];
    return is == WIDE_BIG ? a << 8 | b : b << 8 | a;
}

static void put_unit(enum wideness is, unsigned unit, struct strbuf *out)
{
    char high = (char)(unit >> 8), low = (char)(unit & 0xff);
    char both[2] = { is == WIDE_BIG ? high : low, is == WIDE_BIG ? low : high };
    buf_add(out, both, 2);
}

/* Half of a pair becomes three bytes, as if it were a letter: so it can become itself again. */
static void put_utf8(unsigned c, struct strbuf *out)
{
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6)
        b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)(first[n] | c);
    buf_add(out, b, n);
}

static bool is_high(unsigned unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(unsigned unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* The letter at p[0..n) into out. How many bytes it takes; 0: more are needed. */
static size_t decode_letter(enum wideness is, const char *p, size_t n, bool end, struct strbuf *out)
{
    if (n < 2)
        return 0;
    unsigned unit = unit_at(is, p);
    if (is_high(unit) && n < 4 && !end)
        return 0;
    unsigned next = n >= 4 ? unit_at(is, p + 2) : 0;
    if (is_high(unit) && is_low(next)) {
        put_utf8(0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00), out);
        return 4;
    }
    put_utf8(unit, out);
    return 2;
}

/* How many bytes the letter has that begins so; 1 for what begins none. */
static size_t letter_size(unsigned char c)
{
    return c < 0xc0 || c >= 0xf8 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
}

/* The same the other way. What is no letter, as a text for a code page may hold, becomes U+FFFD. */
static size_t encode_letter(enum wideness is, const char *p, size_t n, bool end, struct strbuf *out)
{
    unsigned char c = (unsigned char)*p;
    size_t size = letter_size(c), i = 1;
    unsigned letter = size == 1 ? c : c & (0x7fu >> size);
    for (; i < size && i < n && (p[i] & 0xc0) == 0x80; i++)
        letter = letter << 6 | (p[i] & 0x3f);
    if (i < size && i == n && !end)
        return 0;
    if (i < size || (size == 1 && c >= 0x80) || letter > 0x10ffff) {
        put_unit(is, 0xfffd, out);
        return 1;
    }
    if (letter >= 0x10000) {
        put_unit(is, 0xd800 + ((letter - 0x10000) >> 10), out);
        put_unit(is, 0xdc00 + ((letter - 0x10000) & 0x3ff), out);
    } else {
        put_unit(is, letter, out);
    }
    return size;
}

typedef size_t step(enum wideness is, const char *p, size_t n, bool end, struct strbuf *out);

/* Letter by letter; the beginning of one that is not complete waits in held. */
static void convert(step *letter, enum wideness is, char held[4], size_t *held_n, const char *p, size_t n, bool end,
                    struct strbuf *out)
{
    size_t took = 0;
    while (*held_n && (n || end)) {
        char some[8];
        size_t more = n < sizeof some - *held_n ? n : sizeof some - *held_n;
        memcpy(some, held, *held_n);
        memcpy(some + *held_n, p, more);
        took = letter(is, some, *held_n + more, end && more == n, out);
        if (!took) { /* no letter has more than four: they are all there is */
            memcpy(held, some, *held_n += more);
            return;
        }
        size_t of_held = took < *held_n ? took : *held_n;
        memmove(held, held + of_held, *held_n -= of_held);
        p += took - of_held;
        n -= took - of_held;
    }
    for (; n && (took = letter(is, p, n, end, out)); n -= took)
        p += took;
    if (n)
        memcpy(held, p, *held_n = n);
}

/* ---- the stream -------------------------------------------------------------------------------------- */

void page_links_begin(struct page_links *p, const struct link_sets *sets, uint32_t rule, bool tls, const char *host,
                      const char *content_type)
{
    *p = (struct page_links){ .charset = wideness_of(content_type) };
    link_stream_begin(&p->links, sets, rule, tls, host);
}

void page_links_free(struct page_links *p)
{
    link_stream_free(&p->links);
    buf_free(&p->utf8);
    buf_free(&p->translated);
}

static void push_wide(struct page_links *p, const char *from, size_t n, bool end, struct strbuf *out)
{
    buf_clear(&p->utf8);
    buf_clear(&p->translated);
    convert(decode_letter, p->is, p->in, &p->in_n, from, n, end, &p->utf8);
    link_stream_push(&p->links, p->utf8.p ? p->utf8.p : "", p->utf8.n, end, &p->translated);
    convert(encode_letter, p->is, p->out, &p->out_n, p->translated.p ? p->translated.p : "", p->translated.n, end, out);
    if (end && p->in_n) /* an odd byte */
        buf_add(out, p->in, p->in_n);
}

static void push_decided(struct page_links *p, const char *from, size_t n, bool end, struct strbuf *out)
{
    if (p->is == WIDE_NOT)
        link_stream_push(&p->links, from, n, end, out);
    else
        push_wide(p, from, n, end, out);
}

void page_links_push(struct page_links *p, const char *from, size_t n, bool end, struct strbuf *out)
{
    if (p->is != WIDE_UNDECIDED) {
        push_decided(p, from, n, end, out);
        return;
    }
    for (; n && p->begin_n < 2; n--)
        p->begin[p->begin_n++] = *from++;
    if (p->begin_n < 2 && !end)
        return;
    bool mark = p->begin_n == 2;
    p->is = mark && !memcmp(p->begin, "\xff\xfe", 2)   ? WIDE_LITTLE
            : mark && !memcmp(p->begin, "\xfe\xff", 2) ? WIDE_BIG
                                                       : p->charset;
    push_decided(p, p->begin, p->begin_n, end && !n, out);
    if (n)
        push_decided(p, from, n, end, out);
}
