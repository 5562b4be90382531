/* bodies: what stands between a server's connection and a front where a rule changes or looks into bodies (rewrite/).
 * Most exchanges have none of it. */
#ifndef PROXY_BODIES_H
#define PROXY_BODIES_H
#include "exchange.h"

/* Called with x->answer as the client is to get it: sets x->chain where the body does not go on as it is. */
void bodies_answer(struct exchange *x);
/* The same for the request's body, before x->request is changed: sets x->judge. */
void bodies_request(struct exchange *x);

enum bodies_result {
    BODIES_ALL,                          /* what came went through; at the answer's end: all of it */
    BODIES_WAIT,                         /* the client is behind: the rest is kept, bodies_more goes on with it */
    BODIES_REFUSED, BODIES_BROKEN        /* chain_result's; nothing more may go out */
};
/* A piece of the answer's body through x->chain. head is called before the first bytes go to the front. */
enum bodies_result bodies_piece(struct exchange *x, const char *p, size_t n, void (*head)(struct exchange *x));
enum bodies_result bodies_more(struct exchange *x, void (*head)(struct exchange *x));
/* The server has said all: from now on bodies_more also ends the chain. */
void bodies_ended(struct exchange *x);
/* A piece of the request's body through x->judge; end: the last one. out gets what may go on to
 * the server. false: the HTTP filter refuses it. */
bool bodies_judge(struct exchange *x, const char *p, size_t n, bool end, struct strbuf *out);
const char *bodies_why(const struct exchange *x);    /* of REFUSED and BROKEN, for the log; NULL: nobody knows */
void bodies_free(struct exchange *x);
#endif
