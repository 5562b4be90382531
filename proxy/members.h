/* members: which server of a rule a request goes to. Affinity by cookie or by the client's address (B-116), drained
 * members (D-13), health. */
#ifndef PROXY_MEMBERS_H
#define PROXY_MEMBERS_H
#include "exchange.h"

/* The member that the client's cookie names, of the rule's; NULL. Asked before the request's head is changed. */
const struct serving_member *member_in_cookie(const struct exchange *x);
bool member_choose(struct exchange *x);  /* sets x->peer and x->set_affinity; false: no member takes it */
bool member_another(struct exchange *x); /* x->peer cannot be reached: another one, where the rule has one that may do */
void member_left(struct exchange *x);    /* the exchange with x->peer is over */
/* The name of the cookie for a farm: "WPLB" and eight hex digits (B-117). */
void member_cookie(char out[24], const char *farm);
#endif
