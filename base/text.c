/* text: the string buffer, and helpers that do not depend on the locale. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

void buf_free(struct strbuf *b)
{
    free(b->p);
    *b = (struct strbuf){0};
}

void buf_clear(struct strbuf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

char *buf_reserve(struct strbuf *b, size_t n)
{
    if (n > SIZE_MAX / 4 || b->n > SIZE_MAX / 4)
        mem_fatal();
    size_t need = b->n + n + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 256;
        while (cap < need)
            cap *= 2;
        char *p = realloc(b->p, cap);
        if (!p)
            mem_fatal();
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct strbuf *b, const char *s, size_t n)
{
    char *p = buf_reserve(b, n);
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    b->n += n;
}

void buf_puts(struct strbuf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_putc(struct strbuf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *p = buf_reserve(b, 240);
    int n = vsnprintf(p, 241, fmt, ap);
    if (n < 0)
        mem_fatal();
    if (n > 240)
        vsnprintf(buf_reserve(b, (size_t)n), (size_t)n + 1, fmt, again);
    va_end(again);
    b->n += (size_t)n;
}

void buf_printf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int ascii_ncasecmp(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ascii_lower(a[i]), y = (unsigned char)ascii_lower(b[i]);
        if (x != y || !x)
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
    for (size_t i = 0, len; i < n; i += len)
        if (utf8_decode(s + i, n - i, &len) < 0)
            return false;
    return true;
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
        while (plain < n && (unsigned char)s[plain] >= 0x20 && (unsigned char)s[plain] < 0x7f && s[plain] != '"' && s[plain] != '\\')
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
