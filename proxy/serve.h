/* serve: the running daemon - loops, the pool, the health checker, the status page, signals. */
#ifndef PROXY_SERVE_H
#define PROXY_SERVE_H
#include "kept.h"

struct serve_options {
    const char *file;                    /* publishd.yaml */
    int loops;                           /* threads; 0: what the file says */
    int drain_time;                      /* seconds for what is under way when it is told to stop; -1: what the file says */
    int keeper;                          /* the parent's end that listening sockets are given to (kept.h); -1: nobody's */
    struct kept kept;                    /* that another worker left */
    void (*ready)(void *context);        /* called once it serves; may be NULL */
    void *context;
};
/* Serves until SIGTERM or SIGINT, or SIGQUIT, which waits for nothing. SIGHUP reads the file again: a bad one is told of
 * and the old one stays. SIGUSR1 opens the log again. 0, or 1 where it could not begin; it has told why. */
int serve(struct serve_options *o);
#endif
