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
#include <stdbool.h>

/* The worker says so once it serves: the supervisor then tells systemd, and lets the one who started publishd go. */
struct readiness { int fd; };
void readiness_tell(struct readiness *r);

/* Runs work in a child until it ends by itself, by a signal, or before it was ready; gives the exit status. A worker that
 * dies later is started again, at once and then at growing intervals. background: leave the terminal once it is ready. */
int supervise(int (*work)(void *context, struct readiness *r), void *context, bool background);
#endif
