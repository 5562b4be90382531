/* supervise: the process that starts the worker and starts it again when it dies. It keeps its privileges, reads nothing
 * from the network, and passes signals on:
 *
 *   SIGHUP             load the configuration again; the worker keeps the old one where the new one is not good
 *   SIGUSR1            open the log files again
 *   SIGTERM, SIGINT    end when the requests that are under way have been answered, or the drain time is over
 *   SIGQUIT            end now
 */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H
#include "../proxy/kept.h"

/* What the worker has from its parent. */
struct parent {
    int ready;                           /* see parent_tell_ready; -1: it was told */
    int keeper;                          /* takes listening sockets */
    struct kept kept;                    /* listening sockets of the worker before */
};
/* The worker says so once it serves: the supervisor then tells systemd, and lets the one who started publishd go. */
void parent_tell_ready(struct parent *p);

/* Runs work in a child until it ends by itself, by a signal, or before it was ready; gives the exit status. A worker that
 * dies later is started again, at once and then at growing intervals; clients wait for it in the sockets' queues unless
 * that takes long. background: leave the terminal once it is ready. */
int supervise(int (*work)(void *context, struct parent *p), void *context, bool background);
#endif
