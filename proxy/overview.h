/* overview: the running server as the status page shows it, and what the health checker is to look after. */
#ifndef PROXY_OVERVIEW_H
#define PROXY_OVERVIEW_H
#include "health.h"
#include "jobs.h"
#include "serving.h"
#include "status.h"
#include <pthread.h>

struct access_log;
struct admin;
/* serve.c's; here so that it can be shown. */
struct server {
    const char *file;
    struct serving *serving;             /* the one that new connections get; */
    pthread_mutex_t lock;                /* other threads take it under this */
    long long start, loaded;             /* seconds since 1970 */
    unsigned long reloads, failed_reloads;
    struct jobs *jobs;
    struct health *health;
    struct admin *admin;                 /* NULL: no status page */
    struct access_log *log;              /* NULL: none */
    int keeper;                          /* of serve_options */
    int loops, started;
    struct loop *loop[LOOPS_MOST];
    pthread_t thread[LOOPS_MOST];
};
/* For admin_new: context is the server. */
void overview(void *server, struct arena *a, struct status *out);
/* Members of farms are checked from now on (B-118). */
void health_watch(struct health *h, const struct serving *s);
/* For health_new. */
void overview_tell(const struct check *c, bool up, const char *why);
#endif
