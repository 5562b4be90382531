/* h2: the front for HTTP/2. nghttp2 keeps the protocol; h2_parts.h says which file has what else.
 *
 * Flow control is manual: a stream's window opens as its exchange takes what came, so that a slow server stops its own
 * stream and no other; the connection's window always opens at once, and what waits in streams is bounded by theirs.
 * Frames are written once a loop's turn, and only while little waits in the socket: what is not written yet stays in the
 * streams, where each exchange sees how much of it is its own.
 *
 * Trailers are dropped. A stream in which nothing moves for the listener's idle time is reset.
 */
#include "h2.h"
#include "h2_parts.h"
#include <stdlib.h>

enum {
    SOCKET_MOST = 64 << 10, /* bytes in the socket's queue above which no frame is written */
    HEAD_TIME = 30000,      /* ms for the client's preface */
    LINGER_TIME = 2000      /* ms for the client to end behind our end */
};

size_t h2_size(void)
{
    return sizeof(struct h2);
}

/* ---- the end ------------------------------------------------------------------------- */

static void release(struct grave *g)
{
    struct h2 *h = container_of(g, struct h2, grave);
    nghttp2_session_del(h->session);
    h2_fields_free(&h->fields);
    free(h);
}

static void close_h2(struct h2 *h)
{
    if (h->closed)
        return;
    h->closed = true;
    for (struct h2_stream *s = h->streams, *next; s; s = next) {
        next = s->next;
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
        h2_stream_free(s);
    }
    timer_stop(&h->timer);
    timer_stop(&h->stop);
    task_cancel(&h->flush);
    sock_close(&h->s);
    client_end(&h->c);
    loop_bury(h->c.loop, &h->grave, release);
}

/* Our last frame is in the queue: let the client read it before its unread bytes make the system reset. */
static void linger(struct h2 *h)
{
    h->closing = true;
    sock_finish(&h->s);
    sock_resume(&h->s);
    timer_set(h->c.loop, &h->timer, LINGER_TIME);
}

void h2_dirty(struct h2 *h)
{
    if (!h->closed)
        loop_later(h->c.loop, &h->flush);
}

uint64_t h2_idle_time(const struct h2 *h)
{
    return h->c.serving->listeners.v[h->c.at->listener].idle_timeout;
}

/* ---- the socket ------------------------------------------------------------------------------------ */

static void tell_room(struct h2 *h)
{
    for (struct h2_stream *s = h->streams, *next; s; s = next) {
        next = s->next;
        if (s->room && s->x) {
            s->room = false;
            exchange_room(s->x);
        }
    }
}

static void flush(struct task *t)
{
    struct h2 *h = container_of(t, struct h2, flush);
    if (h->closing)
        return;
    while (sock_queued(&h->s) < SOCKET_MOST) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(h->session, &p);
        if (n < 0) {
            close_h2(h);
            return;
        }
        if (!n)
            break;
        sock_put(&h->s, (const char *)p, (size_t)n);
    }
    tell_room(h);
    if (h->closed)
        return;
    if (sock_queued(&h->s) >= SOCKET_MOST)
        h->s.room_at = SOCKET_MOST / 2;
    else if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        linger(h);
}

static void on_readable(struct sock *k)
{
    struct h2 *h = container_of(k, struct h2, s);
    long n = sock_read(k, h->c.loop->scratch, SCRATCH);
    if (n == SOCK_END || n == SOCK_ERROR) {
        close_h2(h);
        return;
    }
    if (n <= 0 || h->closing)
        return;
    h->c.loop->secret = false;
    ssize_t used = nghttp2_session_mem_recv(h->session, (const uint8_t *)h->c.loop->scratch, (size_t)n);
    if (h->c.loop->secret)
        explicit_bzero(h->c.loop->scratch, (size_t)n);
    if (h->closed)
        return;
    if (used < 0) {
        nghttp2_session_terminate_session(h->session, used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM
                                                                                  : NGHTTP2_PROTOCOL_ERROR);
        flush(&h->flush);
        if (!h->closed && !h->closing)
            linger(h);
        return;
    }
    h2_dirty(h);
}

static void on_room(struct sock *k)
{
    h2_dirty(container_of(k, struct h2, s));
}

static void on_lost(struct sock *k)
{
    close_h2(container_of(k, struct h2, s));
}

static const struct sock_calls calls = { on_readable, on_room, NULL, on_lost, NULL };

/* ---- time --------------------------------------------------------------------------------------------- */

static void on_timer(struct timer *t)
{
    struct h2 *h = container_of(t, struct h2, timer);
    if (h->closing) {
        close_h2(h);
        return;
    }
    if (!h->streams_n) {
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
        h2_dirty(h);
    }
    for (struct h2_stream *s = h->streams; s; s = s->next)
        if (h2_stream_is_stuck(s))
            h2_stream_reset(s, NGHTTP2_CANCEL);
    /* A client that takes nothing at all, not even the end. */
    if (sock_queued(&h->s) && h->s.sent == h->seen) {
        sock_abort(&h->s);
        close_h2(h);
        return;
    }
    h->seen = h->s.sent;
    timer_set(h->c.loop, t, h2_idle_time(h));
}

static void on_stop(struct timer *t)
{
    struct h2 *h = container_of(t, struct h2, stop);
    for (struct h2_stream *s = h->streams; s; s = s->next)
        if (s->answered)
            h2_stream_reset(s, NGHTTP2_NO_ERROR);
}

/* ---- the connection ------------------------------------------------------------------------------------- */

static void drain(struct client *c)
{
    struct h2 *h = container_of(c, struct h2, c);
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
    h2_dirty(h);
}

static void kill_h2(struct client *c)
{
    close_h2(container_of(c, struct h2, c));
}

void h2_take(void *memory)
{
    struct h2 *h = memory;
    memset((char *)memory + offsetof(struct h2, flush), 0, sizeof *h - offsetof(struct h2, flush));
    h->c.drain = drain;
    h->c.kill = kill_h2;
    h->s.calls = &calls;
    h->timer.fire = on_timer;
    h->stop.fire = on_stop;
    h->flush.run = flush;
    h->session = h2_session_new(h);
    timer_set(h->c.loop, &h->timer, HEAD_TIME);
    h2_dirty(h);
}
