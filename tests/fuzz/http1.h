/* http1: what the fuzzers of requests and of answers hold to be true. */
#ifndef TESTS_FUZZ_HTTP1_H
#define TESTS_FUZZ_HTTP1_H
#include "../http1/feed.h"

#include <stdlib.h>

static inline void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "not true: %s\n", what);
        abort();
    }
}

static inline const struct field *next_end_to_end(const struct head *h, uint32_t *i)
{
    while (*i < h->n) {
        const struct field *f = &h->fields[(*i)++];
        if (!f->hop && f->name_n && (f->id < FIELD_CONNECTION || f->id > FIELD_UPGRADE))
            return f;
    }
    return NULL;
}

/* The fields that are not for one connection alone are the same in both, in the same order. */
static inline void same_fields(const struct head *a, const struct head *b)
{
    uint32_t i = 0, k = 0;
    for (;;) {
        const struct field *f = next_end_to_end(a, &i), *g = next_end_to_end(b, &k);
        must(!f == !g, "as many fields");
        if (!f)
            return;
        must(str_equal(f->name, g->name) && str_equal(f->value, g->value), "the same fields");
        must(f->id == g->id && strlen(f->value) == f->value_n && strlen(f->name) == f->name_n, "lengths and ids");
    }
}

static inline void write_head(const struct feed *f, const struct head *h, struct strbuf *out)
{
    if (f->answers_to)
        http1_write_answer(out, h, NULL);
    else
        http1_write_request(out, h, NULL);
}

/* What we write for a head that was taken is read as the same head, and written as the same bytes again. */
static inline void written_is_read(struct feed *f, const char *p, size_t n)
{
    static struct head again;
    struct strbuf first = { 0 }, second = { 0 };
    const struct head *h = &f->head;
    const char *why;
    must(n <= HEAD_BYTES && http1_head_end(p, n, 0) == n, "the head's end");
    write_head(f, h, &first);
    if (first.n <= HEAD_BYTES) {                 /* "Content-Length:1" grows by a space a field */
        must(http1_head_end(first.p, first.n, 0) == first.n, "one empty line, at the end");
        int status = f->answers_to ? http1_answer(&again, f->answers_to, first.p, first.n, &why)
                                   : http1_request(&again, first.p, first.n, &why);
        must(status == 0, "what was written is taken");
        must(h->status == again.status && (f->answers_to || (str_equal(h->method, again.method) && str_equal(h->target, again.target))),
             "the same first line");
        must(h->framing == again.framing && (h->framing != BODY_LENGTH || h->length == again.length), "the same framing");
        same_fields(h, &again);
        write_head(f, &again, &second);
        must(first.n == second.n && memcmp(first.p, second.p, first.n) == 0, "the same bytes again");
    }
    buf_free(&first);
    buf_free(&second);
}

/* All at once, in pieces of growing size, and byte by byte: one verdict. */
static inline void feed_all_ways(const char *answers_to, unsigned cut, const char *p, size_t n)
{
    struct feed whole = { .answers_to = answers_to, .on_head = written_is_read };
    feed_bytes(&whole, p, n);
    feed_end(&whole);
    const size_t pieces[] = { 1, cut % 61 + 2 };
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        struct feed cuts = { .answers_to = answers_to };
        for (size_t i = 0, size = pieces[k]; i < n; i += size, size += k * (cut >> 6))
            feed_bytes(&cuts, p + i, n - i < size ? n - i : size);
        feed_end(&cuts);
        must(whole.verdict.n == cuts.verdict.n && (!cuts.verdict.n || memcmp(whole.verdict.p, cuts.verdict.p, cuts.verdict.n) == 0),
             "the same verdict in pieces");
        feed_free(&cuts);
    }
    feed_free(&whole);
}
#endif
