/* route: which rule answers, found by hashing. The judging is ir/decide.c's own; this room only leaves out rules that
 * cannot match by name and path, so that a decision costs the same for ten rules and for ten thousand.
 *
 * Per listener a table of host names - exact ones, wildcards by what follows their star, one for "all requests" - each
 * with the paths of its rules. A request's candidates are what stands under its host, under each ending of it at a dot
 * and under all, for each beginning of its path at a slash, its whole path, and the stems; merged in rule order.
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H
#include "snapshot.h"
#include "../http/head.h"
#include "../ir/decide.h"

/* All memory in a; borrows the plan. */
struct routes *routes_new(const struct plan *p, struct arena *a);

/* What decide() followed by decide_for_target(TARGET_PUBLISHD) gives. Strings of *d live in a, in q or in the plan.
 * No malloc in the usual case but what a takes; d->trail stays empty. */
void route(const struct snapshot *s, const struct request *q, struct arena *a, struct decision *d);

/* Fills q from a request's head: method, host, target, body and, only where the listener's rules look at it, head (in a).
 * The caller has set the rest: listener, tls, port, client, hour, and what is known of the user. */
void route_ask(const struct snapshot *s, const struct head *h, struct arena *a, struct request *q);
#endif
