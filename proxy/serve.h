/* serve: the running daemon - loops, the pool, signals. */
#ifndef PROXY_SERVE_H
#define PROXY_SERVE_H
#include "../base/base.h"

struct serve_options {
    const char *file;                    /* publishd.yaml */
    int loops;                           /* threads; 0: one a processor */
    int drain_time;                      /* seconds for what is under way when it is told to stop */
};
/* Serves until SIGTERM or SIGINT; SIGHUP reads the file again: a bad one is told of and the old one stays. 0, or 1 with
 * lines on standard error. */
int serve(const struct serve_options *o);
#endif
