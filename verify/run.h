/* One run, as the files that carry it out share it: verify.c opens and closes it, run_target.c brings up a target, ask.c asks it,
 * judge_farms.c looks at all answers together. */
#ifndef TMGC_VERIFY_RUN_H
#define TMGC_VERIFY_RUN_H
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "internal.h"

/* Which members of a farm answered: one a (group, server). */
struct member_seen {
    int group;
    size_t server;
};

struct run {
    const struct plan *plan;
    const struct findings *findings;
    const struct verify_options *options;
    struct verify_report *report;
    struct arena *arena;
    struct loopback loopback;
    struct sandbox sandbox;
    struct sandbox behind;  /* publishd, where rules go through it */
    struct sandbox streams; /* server publishing, for a target that has a config of its own for it */
    struct authority *authority;
    struct places places;
    probes probes;
    struct stand_in *stand_in;
    struct authority *clients, *others; /* issuers of clients' certificates */
    SSL_CTX *tls[SHOWN];
    struct strbuf *err;
    struct sigaction pipe_before; /* a peer that closes early is an answer, not our end */
    /* of the target that runs */
    enum target target;
    struct judge judge;
    bool asks_streams, own_streams; /* is server publishing asked; by a process of its own? */
    VEC(size_t) order; /* probe numbers, in the order in which they are asked */
    atomic_size_t next;
    atomic_bool gone;     /* the program ended by itself */
    pthread_mutex_t lock; /* for the report and what follows */
    VEC(struct member_seen) members;
};

/* ---- ask.c --------------------------------------------------------------------------- */
void run_choose(struct run *r, bool bad_certificate);                 /* which probes are next, and their order */
void run_ask_all(struct run *r, size_t threads);                      /* those; what comes is judged and in the report */
void run_ask(struct run *r, struct client *c, size_t number, const char *cookie, struct exchange *e, struct sighting *s);
void run_settle(struct run *r, size_t probe, const struct judgement *g, const struct sighting *s);   /* counts a verdict */

/* ---- judge_farms.c ----------------------------------------------------------------- */
/* The same client again, twice: it must come to the same member as `first` did (B-116). Adds what differs to g. */
void judge_affinity(struct run *r, struct client *c, size_t number, const struct exchange *first, const struct sighting *at,
                    struct judgement *g);
void judge_farms(struct run *r);                                      /* every member must have had clients */

/* ---- run_target.c ------------------------------------------------------------------- */
void run_target(struct run *r);                                       /* r->target, from its config to its end */
#endif
