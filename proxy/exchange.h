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
 *   front's calls     ->  interim, head, body, end, over (or abort)
 *
 * Ownership: an exchange belongs to its loop and comes from the loop's table. It is over when the front was told so -
 * over, behind end, or abort - or has said exchange_gone; from then on neither side calls it, and its memory is used
 * again after the turn. Where an answer ends before the request's body the server may still take the rest (a 401 in
 * a handshake that goes on over the same connection): then over comes only behind exchange_body_end. If over comes
 * while x->body_ended is false nobody wants the rest: the front throws it away, or closes.
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
#include "pages.h"

enum { QUEUE_HIGH = 256 << 10, QUEUE_LOW = 64 << 10, BODY_KEPT = 64 << 10 };   /* bytes */

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
    void (*end)(struct exchange *x);     /* the answer is complete */
    void (*over)(struct exchange *x);    /* forget x */
    void (*abort)(struct exchange *x);   /* it cannot be completed: the client must see that it was cut short; forget x */
    void (*want_body)(struct exchange *x, bool more);    /* hand pieces over (the first time: 100 Continue), or hold */
    size_t (*queued)(const struct exchange *x);          /* bytes of x that the client did not take yet */
};

/* Finds an exchange again that may have ended meanwhile. */
struct exchange_id { uint32_t slot; uint32_t generation; };

struct identity;
struct gate_header;
enum exchange_state {
    X_FREE, X_READY,
    X_WAITING,                           /* for a job; the body is unread */
    X_FORWARDING,                        /* a server connection has it */
    X_REST,                              /* answered; the rest of the request's body still goes to the server */
    X_OVER
};

struct exchange {
    struct loop *loop;
    struct client *client;
    const struct front_calls *front;
    void *stream;                        /* the front's own */
    struct exchange_id id;
    enum exchange_state state;
    struct timer deadline;               /* of what it waits for */
    void (*on_deadline)(struct exchange *x);
    struct arena *arena;                 /* the decision's strings; reset with the exchange */
    struct decision decision;
    const struct serving_rule *rule;     /* NULL: none answered */
    uint32_t from;                       /* its server connection's own address (B-59), host byte order; 0: the host's */
    const char *method, *host, *target;  /* as the client sent them: what request had before it was changed */
    const char *accept_encoding;         /* likewise; NULL */
    struct peer *peer;                   /* the server that was chosen; NULL */
    const struct serving_member *affinity;           /* that the client's cookie named; NULL */
    bool set_affinity;                   /* the answer sets the farm's cookie for peer (B-116) */
    struct upstream *up;                 /* NULL while there is none */
    bool body_wanted, body_ended;        /* of the request */
    bool head_sent;                      /* the front has the answer's head */
    bool paused;                         /* the server is not read: the client is slower */
    bool tunnel;                         /* 101 was answered */
    unsigned tries;                      /* connections that failed before the server can have seen the request */
    bool cut_short;                      /* the client did not get it all */
    enum cause cause;                    /* why publishd answered itself, or cut the answer short */
    const char *detail;                  /* for the log: what was found of a sign-in or delegation that failed; NULL */
    uint64_t received, sent;             /* bytes of bodies: from the client, to the client */
    uint64_t began;                      /* ms */
    int status;                          /* that the client got; 0: nothing */
    /* For handshakes with the server (delegation.c). on_answer is asked about each answer's head before anybody else. true:
     * the answer is thrown away and, when it and the request's body have ended, on_again is called, which sends the
     * request again or answers it. false: the answer is the client's. */
    bool (*on_answer)(struct exchange *x);
    void (*on_again)(struct exchange *x);
    const char *challenge;               /* that on_answer found */
    bool made;                           /* request is what a server gets (steer_send) */
    bool leg;                            /* it is sent without its body */
    bool again, again_waits;             /* on_answer said true; and the answer has ended, but the request's body has not */
    bool keeps;                          /* kept has all that the server got of the body, for sending it again; at most BODY_KEPT */
    struct strbuf kept;                  /* it ends with the answer's head */
    void *waiting;                       /* the waiter's own; freed by waiting_free when the exchange ends */
    void (*waiting_free)(void *waiting);
    bool read_all;                       /* answered with a challenge: its body is read whatever its size, the connection must stay (6.2) */
    bool handshake;                      /* answered with a leg of a handshake: the client may have kept the body back (6.2) */
    void (*on_body)(struct exchange *x, const char *p, size_t n, bool end);      /* takes the request's body here; NULL */
    struct identity *who;                /* who signed in (signing.c); a reference. NULL: nobody was asked */
    const struct gate_header *added;     /* fields that go with the answer, for who signed in */
    size_t added_n;
    long long body_most;                 /* bytes of the request's body that the rule lets pass; -1: any */
    bool upgrade;                        /* the request's upgrade went on to the server */
    bool secret;                         /* its memory holds credentials: what it leaves behind is zeroed */
    /* Of bodies.c. Most exchanges have none of it: their bodies go through as they are. */
    struct body_chain *chain, *judge;    /* for the answer's body, for the request's; NULL */
    struct strbuf rest;                  /* came for chain, and waits for the client to take what came before */
    bool rest_waits;                     /* bodies_more is to be called when there is room */
    bool chain_ends, chain_done;         /* the server has said all; and all of it came out */
    const char *left_alone;              /* why a body that the rule wants changed is not; NULL */
    struct head request;                 /* as read; forward.c changes it into what the server gets */
    struct head answer;                  /* as the server sent it; answer.c changes it into what the client gets */
};

/* ---- for fronts ------------------------------------------------------------------ */
struct exchange *exchange_new(struct client *c, const struct front_calls *calls, void *stream);
void exchange_start(struct exchange *x);             /* x->request is read; may answer and end before it returns */
void exchange_body(struct exchange *x, const char *p, size_t n);
void exchange_body_end(struct exchange *x);
void exchange_room(struct exchange *x);              /* what waited for the client is at or below QUEUE_LOW */
void exchange_gone(struct exchange *x);              /* the client has gone, or reset the stream */

/* Credentials are in it, or come now: so are they in what was just read (loop.h). */
void exchange_secret(struct exchange *x);

/* ---- for who decides (routing, authentication, pages) ---------------------------- */
struct exchange_id exchange_wait(struct exchange *x);            /* the body stays unread until one of the next two */
/* late is called if it still waits then: it answers. ms from now; gives the time as loop.now. The next call moves it. */
uint64_t exchange_deadline(struct exchange *x, uint64_t ms, void (*late)(struct exchange *x));
struct exchange *exchange_find(struct loop *l, struct exchange_id id);       /* NULL: over; what was waited for is of no use */
void exchange_forward(struct exchange *x);
/* Answers here. x->answer was reset and has its status and fields; body is copied. Framing is set by n. */
void exchange_answer(struct exchange *x, const char *body, size_t n);
void exchange_page(struct exchange *x, enum cause why);          /* the page of pages.def; a server connection is dropped */
bool exchange_can_repeat(const struct exchange *x);              /* what the server got of it can be sent once more */
/* For on_again: sends x->request once more, over the connection that it went over if that is still there (x->up). */
void exchange_again(struct exchange *x);

/* ---- for upstream connections ------------------------------------------------------- */
void exchange_connected(struct exchange *x);                     /* the head is on its way: the body is wanted */
void exchange_hold(struct exchange *x);                          /* the head is still to be sent: no body now */
void exchange_interim(struct exchange *x, const struct head *h);
void exchange_head(struct exchange *x);                          /* x->answer is read */
void exchange_piece(struct exchange *x, const char *p, size_t n);
void exchange_end(struct exchange *x);                           /* the answer is complete */
void exchange_failed(struct exchange *x, enum cause why);        /* x->up is gone */
void exchanges_free(struct loop *l);                             /* the table; with the loop */
void exchange_server_room(struct exchange *x);                   /* what waited for the server is at or below QUEUE_LOW */
#endif
