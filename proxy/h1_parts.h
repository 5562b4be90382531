/* h1_parts: what the files of the HTTP/1 front share. h1.c has the connection - its socket, its time, its end; h1_read.c
 * makes requests of what comes; h1_answer.c does what exchanges ask for.
 */
#ifndef PROXY_H1_PARTS_H
#define PROXY_H1_PARTS_H
#include "exchange.h"
#include "socket.h"
#include "../http/http1.h"

enum {
    HEAD_TIME = 30000, /* ms for a handshake, and from the first byte of a head to its last */
    HALF_CLOSED_TIME = 30000
};

enum h1_state {
    H1_HEAD, /* a request's head is expected; no exchange */
    H1_BODY, /* its body */
    H1_WAIT, /* its answer */
    H1_TUNNEL,
    H1_SKIP,   /* the rest of a body that nobody wants; no exchange */
    H1_LINGER, /* all was said; whatever comes is thrown away until the client ends */
    H1_CLOSED
};

struct h1 {
    FRONT;
    struct task more; /* go on with what is in `in` */
    struct exchange *x;
    enum h1_state state;
    struct strbuf in;     /* came, but cannot be used yet */
    size_t looked;        /* bytes that http1_head_end has seen */
    enum framing framing; /* of the request's body */
    uint64_t left;
    struct chunks chunks;
    bool busy;           /* in work_on(): what ends an exchange leaves going on to it */
    bool wanted;         /* the body */
    bool expects;        /* 100 Continue was asked for and not sent */
    bool keep;           /* the connection, behind this answer */
    bool old;            /* the request was HTTP/1.0 */
    bool chunked;        /* the answer's body */
    bool may_lack;       /* the body, of which nothing has come, may have been left out (6.2) */
    bool ended;          /* the client ended its sending, behind what is in `in` */
    uint64_t read, seen; /* bytes read; read and sent together when the timer looked last */
};

/* ---- h1.c ---------------------------------------------------------------------------- */
void h1_close(struct h1 *h);
/* Our last word is in the queue: send it, and let the client read it before its unread bytes make the system reset. */
void h1_linger(struct h1 *h);

/* ---- h1_read.c ----------------------------------------------------------------------- */
/* Bytes from the client. What nobody has understood yet, or holds credentials, is zeroed in p. */
void h1_came(struct h1 *h, char *p, size_t n);
/* Goes on with what waits in `in`; where the client has ended its sending, with that too. */
void h1_go_on(struct h1 *h);
/* Answers what is no request, and closes. x: new; status: as http1_request has it, or 408. */
void h1_refuse(struct h1 *h, struct exchange *x, int status);

/* ---- h1_answer.c --------------------------------------------------------------------- */
extern const struct front_calls h1_front;
#endif
