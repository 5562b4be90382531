/* h2_parts: what the files of the HTTP/2 front share. h2.c has the connection - its socket, its time, its end; h2_session.c
 * what nghttp2 tells of the client's frames; h2_stream.c what waits between a stream and its exchange; h2_memory.c the
 * memory that nghttp2 works in.
 */
#ifndef PROXY_H2_PARTS_H
#define PROXY_H2_PARTS_H
#include "exchange.h"
#include "h2_head.h"
#include "socket.h"

enum {
    H2_WINDOW = 128 << 10,
    H2_WINDOWS = 512 << 10
}; /* bytes: a stream's; those of all that are open, for who is alone */

struct h2_stream {
    struct h2_stream *next, **back;
    struct h2 *h;
    struct exchange *x; /* NULL: not begun, or over */
    int32_t id;
    struct strbuf out; /* of the answer's body, not yet in frames: bytes at.. */
    size_t at;
    struct strbuf in;        /* of the request's body, not yet wanted */
    bool wanted;             /* the body */
    bool was_wanted;         /* it was, once */
    bool in_ended, told_end; /* the client has sent all; the exchange knows */
    bool ended;              /* the answer is complete in out */
    bool high, room;         /* out went over QUEUE_LOW; came back: the exchange is to be told */
    bool expects;            /* 100 Continue was asked for and not sent */
    bool answered;           /* all of the answer was written though the client still sends */
    uint64_t moved;          /* when something did */
};

struct h2 {
    FRONT;
    struct task flush;
    struct timer stop; /* for streams that are answered */
    nghttp2_session *session;
    struct h2_stream *streams;
    size_t streams_n;
    struct h2_fields fields;   /* of the request that is coming */
    unsigned idle_frames;      /* since calm_since */
    uint64_t calm_since, seen; /* seen: bytes that had been sent when the timer looked last */
    bool closed, closing;      /* closing: all was said; whatever comes is thrown away until the client ends */
};

/* ---- h2.c ---------------------------------------------------------------------------- */
void h2_dirty(struct h2 *h);               /* frames are to be written, once in this turn */
uint64_t h2_idle_time(const struct h2 *h); /* the listener's, in ms */

/* ---- h2_session.c -------------------------------------------------------------------- */
nghttp2_session *h2_session_new(struct h2 *h); /* its first frames wait; the caller deletes it */

/* ---- h2_stream.c --------------------------------------------------------------------- */
/* Listed in h, which owns it. */
struct h2_stream *h2_stream_new(struct h2 *h, int32_t id);
void h2_stream_free(struct h2_stream *s); /* its exchange is told that the client has gone */
/* The request's head is in h->fields; ended: there is no body. */
void h2_stream_begin(struct h2_stream *s, bool ended);
/* A piece of the request's body, copied where it has to wait. The stream's window opens when it was taken. */
void h2_stream_body(struct h2_stream *s, const char *p, size_t n);
void h2_stream_body_end(struct h2_stream *s);
void h2_stream_reset(struct h2_stream *s, uint32_t code);
bool h2_stream_is_stuck(const struct h2_stream *s); /* nothing moved for the idle time though something waits */

/* ---- h2_memory.c --------------------------------------------------------------------- */
nghttp2_mem *h2_memory(void); /* malloc that wipes what it frees; lives as long as the process */
#endif
