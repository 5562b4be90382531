/* snapshot: publishd.yaml as the policy and plan that ir/decide.c works on, with everything about routing and heads that
 * can be worked out once. Immutable; any number of threads read it. It belongs to one serving.
 *
 * The plan gives the very answers that tmgc's own plan of the export gives to decide_for_target(TARGET_PUBLISHD). Rules
 * that could not answer are not in publishd.yaml, so indexes of rules differ; config->rules.v[i].number leads back.
 */
#ifndef PROXY_SNAPSHOT_H
#define PROXY_SNAPSHOT_H
#include "../config/config.h"
#include "../ir/plan.h"

struct routes;                           /* route.c */
struct pages;                            /* pages.c */
struct snapshot {
    struct arena *arena;
    struct config *config;               /* its own; rules.v[i], listeners.v[i] stand where the plan has them */
    struct policy *policy;
    struct plan *plan;
    struct routes *routes;
    const struct pages *pages;
    const unsigned char *reads_head;     /* one a listener: a rule of it looks into header fields (B-139, B-141) */
};
/* Takes the config over, whatever comes of it. NULL with lines in err (a folder of pages that cannot be read). */
struct snapshot *snapshot_new(struct config *c, struct strbuf *err);
void snapshot_free(struct snapshot *s);              /* NULL is allowed */

/* The hour of the week of a time, local: 0 is Sunday 00:00. *until: this answer holds before that time. */
int snapshot_hour(long long wall, long long *until);
#endif
