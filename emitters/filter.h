/* filter: the patterns of an HTTP filter that both proxies use (B-134 to B-142). Each judges raw text, so that nothing
 * needs decoding on the way; decide() is what they must agree with (ir/filter.c). */
#ifndef TMGC_EMIT_FILTER_H
#define TMGC_EMIT_FILTER_H
#include "emit.h"

enum filter_subject { OF_METHOD, OF_PATH, OF_URL };      /* the path and the URL as sent; the URL has the query */
struct filter_check {
    enum filter_subject of;
    bool only;                       /* refused if none of the patterns matches; else if one does */
    strings patterns;                /* without case, so long that a line of a config holds each */
};
typedef VEC(struct filter_check) filter_checks;
/* 0, or -1 with a message: a pattern failed its proof. */
int filter_patterns(struct arena *a, const struct http_filter *f, filter_checks *out, struct strbuf *err);
/* A pattern for text as it stands. */
const char *filter_literal(struct arena *a, const char *text);
#endif
