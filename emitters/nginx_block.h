/* nginx_block: what the files that write one rule's block share with each other.
 *
 * nginx_rule.c       its heading, and its location: the order of what it answers
 * nginx_condition.c  the conditions that lead there
 * nginx_paths.c      what becomes of paths: dots, the rule's own paths towards the server, and what comes back
 * nginx_forward.c    how a request goes on, to the server or to publishd
 */
#ifndef TMGC_NGINX_BLOCK_H
#define TMGC_NGINX_BLOCK_H
#include "nginx_parts.h"

struct block {
    struct maker *m;
    struct arena *scratch; /* what only this rule's lines need; the shared objects keep copies */
    struct writer *w;
    const struct place *at;
    const struct plan_rule *r;
    const char *action; /* of the conditions: where they lead */
};

/* ---- nginx_rule.c --------------------------------------------------------------------- */
/* Strings live in b->scratch. */
const char *block_escaped(struct block *b, const char *text);     /* as a literal inside a pattern */
const char *block_pattern(struct block *b, const char *pattern);  /* a finished pattern, quoted */
/* A value in quotes: trusted text with variables, then text of the source, then trusted text. */
const char *block_value(struct block *b, const char *before, const char *text, const char *after);
/* What a proof came to: what failed first is told of. */
void block_proven(struct block *b, int rc);
/* Proves one pattern on one text that it must match and one that it must not (NULL: none). */
void block_prove_pair(struct block *b, const char *pattern, const char *yes, const char *no);
bool rule_has_identity(const struct rule *r);                      /* one of its paths is the server's too */

/* ---- nginx_condition.c ---------------------------------------------------------------- */
/* All of them, leading to location `id`; host: they look at it. */
void block_conditions(struct block *b, bool host, const char *id);
/* How many of the paths go into one pattern. */
size_t block_paths_piece(struct block *b, const struct path *paths, size_t n);

/* ---- nginx_paths.c ---------------------------------------------------------------------- */
/* $place is the path with its dots resolved: it must be one that the rule publishes as it is. If `into` names a
 * variable, that says whether it is not; else the answer is given here. */
void block_places(struct block *b, const char *into);
/* $to is the target that the server gets (D-04). */
void block_rewrites(struct block *b);
/* What comes back (D-15): Location and Content-Location. */
void block_returns(struct block *b);

/* ---- nginx_forward.c -------------------------------------------------------------------- */
void block_forwarding(struct block *b);
void block_through_publishd(struct block *b);
#endif
