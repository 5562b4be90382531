/* delegation: telling the server who the user is, by the rule's way (B-100 to B-115).
 *
 * Connections to servers on which somebody is signed in by Kerberos or NTLM are the client connection's alone, and speak
 * for one user (pool.h): whoever else comes over the same client connection, before, behind or beside, gets another.
 */
#ifndef PROXY_DELEGATION_H
#define PROXY_DELEGATION_H
#include "exchange.h"

/* x->who may pass, or is NULL; sends the request on with what its rule delegates, now or when a job has the ticket - or
 * answers it. */
void delegate(struct exchange *x);
void steer_send(struct exchange *x, const char *authorization);      /* steer.c's: forwards it with that, NULL: with none of ours */
/* x->peer is another member of the farm than x was made ready for: sends it there, with what that one must get. */
void delegate_to_another(struct exchange *x);
/* Asked about each answer: what it says of its connection is noted. true: it is a 401 that no further leg mends, and was
 * answered here. */
bool delegation_failed(struct exchange *x);
#endif
