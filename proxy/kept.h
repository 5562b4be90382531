/* kept: listening sockets that outlive the worker. The worker gives its parent a copy of each socket that it opens. The
 * parent accepts nothing; when the worker dies, the next one is given the same sockets, and the clients who came in between
 * wait in the system's queue instead of being refused.
 *
 * Over a SOCK_SEQPACKET pair, one message a step:
 *
 *   'n' with descriptors (SCM_RIGHTS, unix(7))   sockets that were opened
 *   'e' and addresses (struct sockaddr_in)       that was all: of those from before only the ones at these addresses stay
 */
#ifndef PROXY_KEPT_H
#define PROXY_KEPT_H
#include "../base/base.h"
#include <netinet/in.h>

struct kept {
    int *fds;
    size_t n, cap, old; /* old: of the n, those from before the change that is under way */
};

/* ---- the parent ---- */
/* Waits for a message and does what it says. false: the other end is closed. */
bool kept_receive(struct kept *k, int from);
void kept_close(struct kept *k);         /* all of them; k may be used again */

/* ---- the worker ---- */
/* A socket that listens at this address, the caller's from now on; -1: there is none (any more). */
int kept_take(struct kept *k, const struct sockaddr_in *at);
/* Tells the parent of new sockets (fds; -1 among them are passed over), and where there have to be any. false: errno tells
 * why; the parent keeps what it has. */
bool kept_tell(int to, const int *fds, size_t n, const struct sockaddr_in *at, size_t at_n);
#endif
