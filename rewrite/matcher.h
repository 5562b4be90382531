/* matcher: looks for many literal texts at once, letters of ASCII without case. Built once, read by any thread.
 *
 * A table of shifts by pairs of bytes (Wu and Manber, "A fast algorithm for multi-pattern searching", 1994) skips where
 * no text can begin; a tree of bytes then tells which texts stand at a place. */
#ifndef REWRITE_MATCHER_H
#define REWRITE_MATCHER_H
#include "../ir/links.h"

struct matcher;
/* Borrows the table, whose texts are sorted. NULL for an empty one. Lives in a. */
struct matcher *matcher_make(struct arena *a, const struct link_table *t);

/* How one rule reads a table: see struct link_table. */
struct match_rules { bool whole, escape; };

enum match_state {
    MATCH_NONE,                      /* none begins before at */
    MATCH_FOUND,                     /* the longest at this place that counts */
    MATCH_UNSURE                     /* one may begin at at: more bytes will tell */
};
struct match {
    enum match_state state;
    size_t at;
    const struct link *link;         /* for FOUND; link->from_n bytes */
};
/* The first place from `from` on. end: nothing comes behind p[0..n); then it is never UNSURE, and NONE has at == n. */
struct match matcher_find(const struct matcher *m, struct match_rules r, const char *p, size_t n, size_t from, bool end);
#endif
