/* plan_parts: what plan.c and plan_server.c share. */
#ifndef TMGC_PLAN_PARTS_H
#define TMGC_PLAN_PARTS_H
#include "plan.h"

struct making {
    struct plan *plan;
    struct arena *a;                 /* the plan's */
    const struct policy *policy;
    struct site *site;
    struct findings *f;
};

/* Makes a finding one about the rule of that name and place; gives it back. */
struct finding *plan_about(struct finding *x, const char *name, const struct origin *at, const char *key,
                           const char *setting);

/* Who selects addresses, for findings. rule NULL: nobody's rule, so that it is not said that External is everywhere. */
struct selected { const char *rule; const struct origin *at; const char *key, *setting; };
/* Addresses with the exceptions out. unknown: a network's addresses are in neither export nor site map (said). */
struct plan_sources { bool any, unknown; ipset set; };
struct plan_sources plan_sources(struct making *m, const struct selected *by, const struct sources *s);

/* plan_compression.c: for whom answers are compressed, after the rules (B-65). */
void plan_compression(struct making *m);

/* After the listeners: web listeners keep their sockets. */
void plan_server_rules(struct making *m);
#endif
