/* vectors: reading tests/http1/requests.txt and answers.txt; the notation is said there. */
#ifndef TESTS_HTTP1_VECTORS_H
#define TESTS_HTTP1_VECTORS_H
#include "../../base/base.h"

#include <stdlib.h>

struct vector {
    const char *method, *verdict, *name;
    struct strbuf bytes, expected;
};

static inline int vector_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

static inline void vector_unescape(struct strbuf *out, const char *s, const char *end);

/* \{N text}, with s behind the brace; where it ends. */
static inline const char *vector_repeat(struct strbuf *out, const char *s, const char *end)
{
    char *text;
    unsigned long times = strtoul(s, &text, 10);
    const char *close = memchr(text, '}', (size_t)(end - text));
    for (unsigned long i = 0; i < times; i++)
        vector_unescape(out, text + 1, close);
    return close + 1;
}

static inline void vector_unescape(struct strbuf *out, const char *s, const char *end)
{
    while (s < end) {
        if (*s == '$') {
            buf_add(out, "\r\n", 2);
            s++;
        } else if (*s != '\\') {
            buf_putc(out, *s++);
        } else {
            s += 2;
            switch (s[-1]) {
            case 'r': buf_putc(out, '\r'); break;
            case 'n': buf_putc(out, '\n'); break;
            case 't': buf_putc(out, '\t'); break;
            case '0': buf_putc(out, '\0'); break;
            case 'x':
                buf_putc(out, (char)(vector_hex(s[0]) << 4 | vector_hex(s[1])));
                s += 2;
                break;
            case '{': s = vector_repeat(out, s, end); break;
            default: buf_putc(out, s[-1]); break;
            }
        }
    }
}

/* Calls use for each vector of the file; how many, or -1 with a message where it cannot be read. */
static inline long vectors_each(const char *path, bool with_method, void (*use)(const struct vector *v, void *data),
                                void *data)
{
    struct strbuf text = { 0 }, err = { 0 };
    if (file_read(path, 1 << 20, &text, &err) != 0) {
        printf("%s\n", err.p);
        buf_free(&err);
        return -1;
    }
    long n = 0;
    for (char *line = text.p, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        char *cell[4] = { NULL };
        char *rest = line;
        for (int i = with_method ? 0 : 1; i < 4 && rest; i++) {
            char *bar = i < 3 ? strstr(rest, " | ") : NULL;
            cell[i] = rest;
            if (bar)
                *bar = '\0';
            rest = bar ? bar + 3 : NULL;
        }
        if (!cell[3]) {
            printf("%s: not a vector: %s\n", path, line);
            return -1;
        }
        struct vector v = { .method = cell[0], .verdict = cell[1], .name = cell[2] };
        vector_unescape(&v.bytes, cell[3], cell[3] + strlen(cell[3]));
        vector_unescape(&v.expected, cell[1], cell[1] + strlen(cell[1]));
        use(&v, data);
        buf_free(&v.bytes);
        buf_free(&v.expected);
        n++;
    }
    buf_free(&text);
    return n;
}
#endif
