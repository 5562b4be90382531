/* upstream: a connection to a server, and the pool of those that are idle. Speaks HTTP/1.1, one request at a time (B-67).
 *
 * Pools are per loop and peer, and where a rule's connections come from their client's address (B-59) per client. A connection is used again only if the last answer ended by its own framing with nothing
 * behind it, the request was sent whole and both sides keep alive. It becomes private to the client's connection as soon
 * as the client sends Authorization: NTLM or Negotiate, or the server asks for one of them (B-68, B-102), and is then
 * never pooled: it carries only what the same user sends over the same client connection by the same way of delegation.
 *
 * A request is sent a second time only if it went over a connection that had been idle, which ended before a byte of
 * an answer, with nothing of a body sent.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H
#include "exchange.h"
#include "peers.h"

/* Takes a connection for x to x->peer: bound to the client, idle, or new; sends x->request, with the body that is kept. The answer, or
 * exchange_failed, comes in a later turn, never before this returns. */
void upstream_take(struct exchange *x);
/* Sends x->request once more behind an answer that has ended: over the same connection, or another if the server closes it. */
void upstream_again(struct upstream *u);
void upstream_body(struct upstream *u, const char *p, size_t n);     /* framed as x->request says */
void upstream_body_end(struct upstream *u);
size_t upstream_queued(const struct upstream *u);
void upstream_read(struct upstream *u, bool more);   /* go on reading the answer, or stop */
bool upstream_goes_on(const struct upstream *u);     /* answered, and it will take another request */
bool upstream_takes_rest(const struct upstream *u);  /* answered early, but it will take the rest of the body */
void upstream_release(struct upstream *u);           /* its exchange is done: to the pool, its client, or closed */
void upstream_drop(struct upstream *u);              /* closes it; its exchange hears nothing any more */
void upstream_bind(struct upstream *u);              /* from now on its client's and user's alone */
/* The server takes what comes over a connection as its user's, without a word of who that is: by NTLM's last leg, or because it
 * said so of a ticket. */
enum signed_in { SIGNED_IN_NOT, SIGNED_IN_BY_NTLM, SIGNED_IN_BY_TICKET };
void upstream_sign_in(struct upstream *u, enum signed_in how);       /* from now on, at what its rule publishes; never one that is not a client's own */
enum signed_in upstream_signed_in(const struct exchange *x);         /* the connection that x would take */
void upstream_close_bound(struct client *c);         /* with the client's connection */
void upstream_close_idle(struct loop *l);            /* of this loop, all */
struct peer *upstream_peer(const struct upstream *u);
struct upstream *upstream_next_bound(const struct upstream *u);
bool upstream_speaks_for(const struct upstream *u, const struct exchange *x);        /* a client's own: for x's user, by whichever way */
#endif
