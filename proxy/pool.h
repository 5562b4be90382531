/* pool: connections to servers that wait for their next request, and those that are a client's own. What upstream.c
 * and pool.c share; others see upstream.h.
 *
 * A client connection can bring several users, one after the other or, with HTTP/2, at the same time: after a log-off, by
 * several names that a browser has in one connection, by a proxy in front. So a connection that is a client's own is
 * also one user's, with one password, and one way's of delegation: what does not match takes another, and one that waits
 * for somebody else is closed for it. So there are no more of them than requests were under way at once.
 */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H
#include "upstream.h"
#include "socket.h"
#include "../http/http1.h"

enum upstream_state { U_CONNECTING, U_HEAD, U_BODY, U_TUNNEL, U_ENDED, U_IDLE, U_CLOSED };

struct upstream {
    struct sock s;
    struct grave grave;
    struct timer timer;
    struct task nowhere;                 /* there is no address to connect to */
    struct loop *loop;
    struct peer *peer;                   /* a reference */
    struct exchange *x;                  /* whose request is under way; NULL when idle */
    struct client *owner;                /* the client whose own it is; NULL */
    struct identity *who;                /* and for whom alone of those who come over that; a reference. NULL: who did not sign in here */
    enum delegation delegation;          /* and by which way alone */
    struct upstream *next, **back;       /* among the idle of its peer, or the owner's; back NULL: in no list */
    struct addresses *tried;             /* a reference, while connecting */
    size_t address;                      /* index of the next to try */
    uint32_t from;                       /* the client's address that it comes from (B-59); 0: the host's. For requests of that client alone */
    enum upstream_state state;
    uint64_t patience;                   /* ms to wait for the server */
    struct strbuf in;                    /* a head that is not whole yet */
    size_t looked;                       /* bytes of it that http1_head_end has seen */
    enum framing framing;                /* of the answer */
    uint64_t left;
    struct chunks chunks;
    bool chunked;                        /* the request's body is sent in chunks */
    bool request_ended, upgrade, keep, reused;
    bool received;                       /* a byte of an answer to this request */
    bool body_sent;                      /* a byte of its body */
    enum signed_in signed_in;            /* as who, where rule publishes */
    const void *rule;
};

/* A connection for x to x->peer: its client's own one for its user and way, or an idle one that is nobody's; NULL. Out of every
 * pool's reach then. */
struct upstream *pool_take(struct exchange *x);
void pool_give(struct upstream *u);      /* its answer has ended and it can be used again */
void upstream_unlist(struct upstream *u);
#endif
