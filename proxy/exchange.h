/* exchange: one request and its answer, between a front (the client's side) and an upstream connection (the server's).
 * They speak in messages - head, piece of a body, end, abort, room - and never see each other's bytes, so that HTTP/1
 * and HTTP/2 fronts are the same to everything behind.
 *
 * The way of a request:
 *
 *   front: head read  ->  exchange_new, fills x->request, exchange_start
 *   exchange_start    ->  the snapshot's route decides; then one of
 *                           exchange_answer      403, 302, a page: answered here
 *                           (waiting)            a job in the pool looks at credentials; the body stays unread
 *                           exchange_forward     an upstream connection is chosen and gets the head
 *   front: body       ->  exchange_body ... exchange_body_end       only after the front was asked by want_body
 *   upstream: answer  ->  exchange_interim, exchange_head, exchange_piece, exchange_end   (or exchange_failed)
 *   front's calls     ->  interim, head, body, end (or abort)
 *
 * Ownership: an exchange belongs to its loop and comes from the loop's table. It is over when its answer has ended or
 * was aborted, or when the front says exchange_gone; from then on neither side calls it, and its memory is used
 * again after the turn. The front forgets the exchange in its end or abort call; if the request's body is not at its
 * end by then the front throws the rest away or closes.
 *
 * Backpressure: each side says how much waits in its queue. exchange_piece stops reading the server when the front
 * holds more than QUEUE_HIGH, exchange_room (from the front, at QUEUE_LOW) goes on; towards the server likewise, by the
 * front's want_body. Over the loop's share of the cap on queued bytes QUEUE_LOW is the highest mark for everyone.
 *
 * Both directions run at the same time: an answer may begin, and end, before the request's body has (RPC over HTTP, B-74).
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H
#include "client.h"
#include "../http/head.h"
#include "../ir/decide.h"

enum { QUEUE_HIGH = 256 << 10, QUEUE_LOW = 64 << 10 };   /* bytes */

struct exchange;
/* What an exchange asks of its front. None of them may call back into the exchange before it returns, but for
 * want_body, which may hand over what is there already. */
struct front_calls {
    void (*interim)(struct exchange *x, const struct head *h);           /* a 1xx other than 100 and 101; before head */
    /* x->answer is to be sent: framing BODY_LENGTH, BODY_CHUNKED (length not known: HTTP/1 chunks or closes, HTTP/2
     * needs nothing) or BODY_NONE; never BODY_UNTIL_CLOSE. With status 101 the connection becomes a tunnel: pieces
     * are sent as they are, in both directions, until both have ended. */
    void (*head)(struct exchange *x);
    void (*body)(struct exchange *x, const char *p, size_t n);           /* n > 0; copied or sent before it returns */
    void (*end)(struct exchange *x);     /* the answer is complete; forget x */
    void (*abort)(struct exchange *x);   /* it cannot be completed: the client must see that it was cut short; forget x */
    void (*want_body)(struct exchange *x, bool more);    /* hand pieces over (the first time: 100 Continue), or hold */
    size_t (*queued)(const struct exchange *x);          /* bytes of x that the client did not take yet */
};

/* Finds an exchange again that may have ended meanwhile. */
struct exchange_id { uint32_t slot; uint32_t generation; };

enum exchange_state { X_FREE, X_READY, X_WAITING, X_CONNECTING, X_FORWARDING, X_ANSWERING, X_OVER };

/* Why there is no answer from a server. docs/publishd.md has the page for each. */
enum trouble {
    TROUBLE_NONE, TROUBLE_NAME, TROUBLE_CONNECT, TROUBLE_CONNECT_TIMEOUT, TROUBLE_CERTIFICATE, TROUBLE_TLS, TROUBLE_CLOSED,
    TROUBLE_TIMEOUT, TROUBLE_GARBAGE, TROUBLE_NO_MEMBER, TROUBLE_BUSY
};

struct body_chain;                       /* rewrite/: what changes a body on its way */
struct exchange {
    struct loop *loop;
    struct client *client;
    const struct front_calls *front;
    void *stream;                        /* the front's own */
    struct exchange_id id;
    enum exchange_state state;
    struct head request;                 /* as read; forward.c changes it into what the server gets */
    struct head answer;                  /* as the server sent it; answer.c changes it into what the client gets */
    struct arena *arena;                 /* the decision's strings; reset with the exchange */
    struct decision decision;
    const struct serving_rule *rule;     /* NULL: none answered */
    const char *method, *host, *target;  /* as the client sent them: what request had before it was changed */
    struct peer *peer;                   /* the server that was chosen; NULL */
    bool set_affinity;                   /* the answer sets the farm's cookie for peer (B-116) */
    struct upstream *up;                 /* NULL while there is none */
    struct body_chain *chain;            /* for the answer's body; NULL, most often: pieces go through as they are */
    bool body_wanted, body_ended;        /* of the request */
    bool head_sent;                      /* the front has the answer's head */
    bool answer_ended;
    bool tunnel;                         /* 101 was answered */
    bool retried;
    unsigned tries;                      /* connections that failed before anything was sent */
    enum trouble trouble;
    uint64_t received, sent;             /* bytes of bodies: from the client, to the client */
    uint64_t began;                      /* ms */
    int status;                          /* that the client got; 0: nothing */
    /* For whoever lets it wait (auth/): called instead of forwarding the answer's head to the client if it is set.
     * true: the answer was taken (its body will be thrown away), and the exchange goes on by exchange_forward on the
     * same upstream connection, exchange_answer, or waiting. The request's body is not sent before on_answer is NULL. */
    bool (*on_answer)(struct exchange *x);
    void *waiting;                       /* the waiter's own; freed by waiting_free when the exchange ends */
    void (*waiting_free)(void *waiting);
};

/* ---- for fronts ------------------------------------------------------------------ */
struct exchange *exchange_new(struct client *c, const struct front_calls *calls, void *stream);
void exchange_start(struct exchange *x);             /* x->request is read; may answer and end before it returns */
void exchange_body(struct exchange *x, const char *p, size_t n);
void exchange_body_end(struct exchange *x);
void exchange_room(struct exchange *x);              /* what waited for the client is at or below QUEUE_LOW */
void exchange_gone(struct exchange *x);              /* the client has gone, or reset the stream */

/* ---- for who decides (routing, authentication, pages) ---------------------------- */
struct exchange_id exchange_wait(struct exchange *x);            /* the body stays unread until one of the next two */
struct exchange *exchange_find(struct loop *l, struct exchange_id id);       /* NULL: over; what was waited for is of no use */
void exchange_forward(struct exchange *x);
/* Answers here. x->answer was reset and has its status and fields; body is copied. Framing is set by n. */
void exchange_answer(struct exchange *x, const char *body, size_t n);
void exchange_page(struct exchange *x, int status, const char *why);         /* a plain page; why for the log */

/* ---- for upstream connections ------------------------------------------------------- */
void exchange_connected(struct exchange *x);                     /* head is sent: the body is wanted */
void exchange_interim(struct exchange *x, const struct head *h);
void exchange_head(struct exchange *x);                          /* x->answer is read */
void exchange_piece(struct exchange *x, const char *p, size_t n);
void exchange_end(struct exchange *x);                           /* the answer is complete; x->up was let go before */
void exchange_failed(struct exchange *x, enum trouble t);        /* x->up was let go before */
void exchange_server_room(struct exchange *x);                   /* what waited for the server is at or below QUEUE_LOW */
#endif
