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

/* Client addresses with the exceptions out. unknown: a network's addresses are in neither export nor site map (said). */
struct plan_sources { bool any, unknown; ipset set; };
struct plan_sources plan_sources(struct making *m, const char *rule, const struct origin *at, const struct sources *s);

/* After the listeners: web listeners keep their sockets. */
void plan_server_rules(struct making *m);
#endif
