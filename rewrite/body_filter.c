/* body_filter: programs and signatures in bodies; see the header. */
#include "body_filter.h"

#include <stdlib.h>

/* ---- what is looked for -------------------------------------------------------------------------- */
static const char *from_hex(struct arena *a, const char *hex, size_t *n)
{
    *n = strlen(hex) / 2;
    char *out = arena_alloc(a, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        out[i] = (char)strtol(pair, NULL, 16);
    }
    return out;
}

const struct body_needles *body_needles_make(struct arena *a, const struct http_filter *f, enum filter_body in)
{
    struct body_needles *b = arena_alloc(a, sizeof *b);
    b->executables = in == BODY_OF_ANSWER && f && (f->parts & FILTER(EXECUTABLES));
    if (b->executables)
        b->to = b->longest = 2;
    for (size_t i = 0; f && i < f->body_texts.n; i++) {
        const struct filter_body_text *t = &f->body_texts.v[i];
        struct body_needle x = { .fold = !t->hex, .from = (uint64_t)t->from - 1, .to = (uint64_t)t->to };
        if (t->in != in)
            continue;
        x.bytes = t->hex ? from_hex(a, t->hex, &x.n) : t->text;
        x.n = t->hex ? x.n : strlen(t->text);
        vec_add(a, &b->list, x);
        b->to = x.to > b->to ? x.to : b->to;
        b->longest = x.n > b->longest ? x.n : b->longest;
    }
    return b->to ? b : NULL;
}

/* ---- looking --------------------------------------------------------------------------------------- */
static bool same(const char *x, const struct body_needle *needle)
{
    return needle->fold ? !ascii_ncasecmp(x, needle->bytes, needle->n) : !memcmp(x, needle->bytes, needle->n);
}

static bool holds(const struct body_scan *s, const struct body_needle *x)
{
    uint64_t end = s->at + s->tail.n, first = x->from > s->at ? x->from : s->at;
    uint64_t last = x->to < end ? x->to : end;
    char low = x->fold ? ascii_lower(*x->bytes) : *x->bytes;
    for (; first < last && last - first >= x->n; first++) {
        const char *p = s->tail.p + (first - s->at);
        if ((x->fold ? ascii_lower(*p) : *p) == low && same(p, x))
            return true;
    }
    return false;
}

enum body_verdict body_scan_push(struct body_scan *s, const char *p, size_t n, bool end)
{
    const struct body_needles *b = s->needles;
    if (s->over)
        return BODY_PASSES;
    uint64_t room = b->to - (s->at + s->tail.n);
    buf_add(&s->tail, p, n < room ? n : (size_t)room);
    if (b->executables && !s->at && s->tail.n >= 2 && s->tail.p[0] == 'M' && s->tail.p[1] == 'Z')
        return BODY_EXECUTABLE;
    for (size_t i = 0; i < b->list.n; i++)
        if (holds(s, &b->list.v[i]))
            return BODY_SIGNATURE;
    if (end || s->at + s->tail.n >= b->to) {
        s->over = true;
        return BODY_PASSES;
    }
    size_t keep = s->tail.n < b->longest - 1 ? s->tail.n : b->longest - 1;
    size_t gone = s->tail.n - keep;
    if (!s->at && b->executables && s->tail.n < 2)
        gone = 0;
    memmove(s->tail.p, s->tail.p + gone, s->tail.n - gone);
    s->tail.n -= gone;
    s->at += gone;
    return BODY_UNDECIDED;
}

void body_scan_free(struct body_scan *s)
{
    buf_free(&s->tail);
}
