/* listening: the sockets of a loop that accept connections. Each loop has its own for every address (SO_REUSEPORT), so
 * that loops share nothing; the main thread opens them, for all loops, before it gives a configuration to them.
 *
 * A listener that has its most connections accepts no more until one ends: further clients wait in the system's queue.
 * Without descriptors it is the same.
 */
#ifndef PROXY_LISTENING_H
#define PROXY_LISTENING_H
#include "kept.h"
#include "serving.h"

/* Opens what `next` needs and `now` (NULL at first) does not have, for so many loops: descriptors [loop * sockets.n +
 * socket], -1 where the loop has it open already. From malloc. Those in kept are used first; what is left in it is the
 * caller's. NULL with lines in err, nothing is open then but kept. */
int *listening_open(const struct serving *next, const struct serving *now, int loops, struct kept *kept,
                    struct strbuf *err);
/* Gives the parent at the other end of `to` the descriptors that listening_open gave, so that they outlive this process. */
void listening_keep(int to, const struct serving *next, const struct serving *now, const int *fds, int loops);

/* On the loop: serves `next` from now on (a reference of its own) with the descriptors for its sockets; what it does not
 * have is closed. Connections that are there stay with theirs. */
void listening_set(struct loop *l, struct serving *next, const int *fds);
void listening_close(struct loop *l);    /* all */
#endif
