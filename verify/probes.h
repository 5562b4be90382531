/* How probes are made: what the files probe_*.c and probes_*.c share. probes_make (internal.h) calls the makers below in order. */
#ifndef TMGC_VERIFY_PROBES_H
#define TMGC_VERIFY_PROBES_H
#include "internal.h"

struct probe_maker {
    const struct plan *plan;
    struct arena *a;
    probes *out;
    struct probe base;  /* a request that the rule at hand answers, if there is one */
    VEC(uint64_t) seen; /* hashes of the probes made, an open table */
    size_t used;
    unsigned turn;
};

/* ---- probe_maker.c ------------------------------------------------------------------------------ */
/* Adds a copy of like with this aim, unless the same probe is there, or no client could send it. */
void probe_add(struct probe_maker *m, const char *aim, const struct probe *like);
void probe_on_schemes(struct probe_maker *m, const char *aim, const struct probe *like);   /* on HTTP and HTTPS, where the listener has both */
void probe_on_either(struct probe_maker *m, const char *aim, const struct probe *like);    /* on one of them, in turn */
int probe_answering(struct probe_maker *m, const struct probe *b, enum answer *answer);    /* the rule that answers it, by decide(); -1 */
bool probe_find_base(struct probe_maker *m, const struct plan_rule *r, uint32_t listener); /* sets base; false: no request reaches r */
const char *probe_unknown_host(struct probe_maker *m, size_t n);
uint32_t probe_client(const struct plan_rule *r, size_t i);                                /* in the rule's source range i */

/* ---- probes_rule.c: one thing at a time ----------------------------------------------------------- */
void probes_of_names(struct probe_maker *m, const struct plan_rule *r);
void probes_of_paths(struct probe_maker *m, const struct plan_rule *r);
void probes_of_sources(struct probe_maker *m, const struct plan_rule *r);
void probes_of_ports(struct probe_maker *m, const struct plan_rule *r);
void probes_of_certificates(struct probe_maker *m, const struct plan_rule *r);
void probes_of_sockets(struct probe_maker *m);
void probes_of_requests(struct probe_maker *m);

/* ---- probes_filter.c ------------------------------------------------------------------------------- */
void probes_of_filter(struct probe_maker *m, const struct plan_rule *r);

/* ---- probes_answers.c: what the published servers do ------------------------------------------------ */
void probes_of_answers(struct probe_maker *m, const struct plan_rule *r);
void probes_of_farm(struct probe_maker *m, const struct plan_rule *r, int *group);
void probes_of_wrong_certificate(struct probe_maker *m, const struct plan_rule *r);

/* ---- probes_pairs.c: rules against each other -------------------------------------------------------- */
void probes_of_pairs(struct probe_maker *m, uint32_t listener);
void probes_of_unknown(struct probe_maker *m, uint32_t listener);
void probes_at_random(struct probe_maker *m, uint64_t *state);          /* one; draws from state */

/* ---- probes_streams.c: server publishing ------------------------------------------------------------------ */
void probes_of_streams(struct probe_maker *m);                          /* for all TCP sockets of the plan */
#endif
