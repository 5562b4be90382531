/* steer: where a request goes, and what its answer must become: the engine's only knowledge of the policy. */
#ifndef PROXY_STEER_H
#define PROXY_STEER_H
#include "exchange.h"

void steer(struct exchange *x);          /* x->request was read: answers or forwards it */
/* x->answer came from the server. true: it is ready for the client. false: a page was sent instead, x is over. */
bool steer_answer(struct exchange *x);
#endif
