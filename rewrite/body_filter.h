/* body_filter: the HTTP filter's look into bodies - Windows programs (B-137), signatures within a range of bytes (B-141). */
#ifndef REWRITE_BODY_FILTER_H
#define REWRITE_BODY_FILTER_H
#include "../ir/filter.h"

/* What is looked for in one kind of body of one rule; made once. */
struct body_needle { const char *bytes; size_t n; bool fold; uint64_t from, to; };   /* offsets, from 0; to is behind the last */
struct body_needles {
    VEC(struct body_needle) list;
    uint64_t to;                     /* the highest */
    size_t longest;
    bool executables;
};
/* NULL: there is nothing to look for. Lives in a. f may be NULL. */
const struct body_needles *body_needles_make(struct arena *a, const struct http_filter *f, enum filter_body in);

struct body_scan {
    const struct body_needles *needles;
    uint64_t at;                     /* offset of the first byte of tail */
    struct strbuf tail;              /* a needle may begin in it */
    bool over;                       /* nothing more is looked at */
};
enum body_verdict { BODY_UNDECIDED, BODY_PASSES, BODY_EXECUTABLE, BODY_SIGNATURE };
/* The next bytes of the body. end: there are no more. */
enum body_verdict body_scan_push(struct body_scan *s, const char *p, size_t n, bool end);
void body_scan_free(struct body_scan *s);
#endif
