/* privileges: what the worker gives up once its sockets are open and its keys are read. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H
#include "../config/config.h"

/* Passwords and keys are in this process: no core dumps, and no other process of the same user may look into it. */
void privileges_hide(void);

/* Becomes that user and its groups. What stays is the right to open ports below 1024, for the next configuration, and
 * with transparent also to use clients' addresses. Does nothing where the process is not root's. 0, or -1 with a line in err. */
int privileges_drop(const char *user, bool transparent, struct strbuf *err);

/* Whether this process may do what the configuration asks for: to connect from clients' addresses, where a rule does so (B-59).
 * 0; or errno with a line in err: EPERM where another process might. */
int privileges_suffice(const struct config *c, struct strbuf *err);

/* Gives up what a proxy never needs: new programs, other processes' memory, mounts, kernel modules, new namespaces ...
 * (seccomp; those calls answer EPERM). false: the kernel cannot do that. */
bool privileges_confine(void);
#endif
