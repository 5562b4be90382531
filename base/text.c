/* text: the string buffer, and helpers that do not depend on the locale. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

void buf_free(struct strbuf *b)
{
    free(b->p);
    *b = (struct strbuf){ 0 };
}

void buf_clear(struct strbuf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

char *buf_grow(struct strbuf *b, size_t n)
{
    if (n > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
        mem_fatal();
    size_t need = b->n + n + 1, cap = b->cap ? b->cap + b->cap / 2 : 256;
    if (cap < need)
        cap = need;
    char *p = realloc(b->p, cap);
    if (!p)
        mem_fatal();
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

char *buf_reserve_secret(struct strbuf *b, size_t n)
{
    if (n >= b->cap - b->n && b->cap) {
        struct strbuf more = { 0 };
        buf_grow(&more, b->n + n + b->cap / 2);
        memcpy(more.p, b->p, b->n + 1);
        more.n = b->n;
        buf_wipe(b);
        *b = more;
    }
    return buf_reserve(b, n);
}

void buf_add_secret(struct strbuf *b, const char *s, size_t n)
{
    buf_reserve_secret(b, n);
    buf_add(b, s, n);
}

void buf_wipe(struct strbuf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_free(b);
}

static void add_number(struct strbuf *b, unsigned long v, bool negative)
{
    char digits[24], *p = digits + sizeof digits;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    if (negative)
        *--p = '-';
    buf_add(b, p, (size_t)(digits + sizeof digits - p));
}

/* The conversions that almost all of our text uses, without the cost of stdio; false: one that it does not know.
 * fmt has been checked by the compiler (PRINTF_LIKE). */
static bool plain_printf(struct strbuf *b, const char *fmt, va_list ap)
{
    for (const char *f; *fmt; fmt = f) {
        f = strchr(fmt, '%');
        if (!f) {
            buf_puts(b, fmt);
            return true;
        }
        buf_add(b, fmt, (size_t)(f++ - fmt));
        long v;
        switch (*f++) {
        case '%': buf_putc(b, '%'); break;
        case 's': buf_puts(b, va_arg(ap, const char *)); break;
        case 'c': buf_putc(b, (char)va_arg(ap, int)); break;
        case 'u': add_number(b, va_arg(ap, unsigned), false); break;
        case 'd':
            v = va_arg(ap, int);
            add_number(b, (unsigned long)(v < 0 ? -v : v), v < 0);
            break;
        case 'z':
            if (*f++ != 'u')
                return false;
            add_number(b, va_arg(ap, size_t), false);
            break;
        default: return false;
        }
    }
    return true;
}

void buf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
    va_list first, again;
    va_copy(first, ap);
    va_copy(again, ap);
    size_t before = b->n;
    bool done = plain_printf(b, fmt, first);
    va_end(first);
    if (!done) {
        b->n = before;
        char *p = buf_reserve(b, 240);
        int n = vsnprintf(p, 241, fmt, ap);
        if (n < 0)
            mem_fatal();
        if (n > 240)
            vsnprintf(buf_reserve(b, (size_t)n), (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    } else if (!b->p) {
        buf_add(b, "", 0);
    }
    va_end(again);
}

void buf_printf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

int ascii_ncasecmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a[i] == b[i]) {
            if (!a[i])
                return 0;
            continue;
        }
        unsigned char x = (unsigned char)ascii_lower(a[i]), y = (unsigned char)ascii_lower(b[i]);
        if (x != y)
            return x - y;
    }
    return 0;
}

int ascii_casecmp(const char *a, const char *b)
{
    return ascii_ncasecmp(a, b, SIZE_MAX);
}

bool str_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The code point at s, and its length in *len; -1 if the bytes are not well-formed UTF-8 (RFC 3629). */
static long utf8_decode(const char *text, size_t n, size_t *len)
{
    const unsigned char *s = (const unsigned char *)text;
    *len = 1;
    if (s[0] < 0x80)
        return s[0];
    size_t more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : 1;
    if (s[0] < 0xc2 || s[0] > 0xf4 || more >= n)
        return -1;
    long c = s[0] & (0x3f >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return -1;
        c = c << 6 | (s[i] & 0x3f);
    }
    if ((more == 2 && c < 0x800) || (more == 3 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c <= 0xdfff))
        return -1;
    *len = more + 1;
    return c;
}

bool utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        for (; i < n && (unsigned char)s[i] < 0x80; i++)
            ;
        len = 0;
        if (i < n && utf8_decode(s + i, n - i, &len) < 0)
            return false;
    }
    return true;
}

/* How many bytes from s on are printable ASCII. */
static size_t printable(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)(s[i] - 0x20) < 0x5f)
        i++;
    return i;
}

/* Code points that change how text around them is shown, or end a line: UAX #9 controls, U+2028/2029, BOM, NEL, C1. */
static bool unseen(long c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

void buf_visible(struct strbuf *b, const char *s)
{
    size_t n = strlen(s), len;
    for (size_t i = 0; i < n; i += len) {
        len = printable(s + i, n - i);
        if (len) {
            buf_add(b, s + i, len);
            continue;
        }
        long c = utf8_decode(s + i, n - i, &len);
        if (c < 0)
            buf_printf(b, "\\x%02x", (unsigned char)s[i]);
        else if (!unseen(c))
            buf_add(b, s + i, len);
        else if (c < 0x80)
            buf_printf(b, "\\x%02lx", (unsigned long)c);
        else
            buf_printf(b, "\\u{%04lx}", (unsigned long)c);
    }
}

void buf_json(struct strbuf *b, const char *s)
{
    size_t n = strlen(s), len;
    buf_putc(b, '"');
    for (size_t i = 0; i < n; i += len) {
        size_t plain = i;
        while (plain < n && (unsigned char)s[plain] >= 0x20 && (unsigned char)s[plain] < 0x7f && s[plain] != '"' &&
               s[plain] != '\\')
            plain++;
        if (plain > i) {
            buf_add(b, s + i, plain - i);
            len = plain - i;
            continue;
        }
        long c = utf8_decode(s + i, n - i, &len);
        if (c < 0)
            buf_puts(b, "\\ufffd");
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", (char)c);
        else if (c == '\n')
            buf_puts(b, "\\n");
        else if (c == '\t')
            buf_puts(b, "\\t");
        else if (c <= 0xffff && unseen(c))
            buf_printf(b, "\\u%04lx", (unsigned long)c);
        else
            buf_add(b, s + i, len);
    }
    buf_putc(b, '"');
}
