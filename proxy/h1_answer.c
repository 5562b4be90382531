/* h1_answer: what exchanges ask of the HTTP/1 front. Heads and bodies are written to the socket at once; whether the
 * connection stays behind an answer is decided here.
 */
#include "h1_parts.h"

enum { SKIP_MOST = 64 << 10 }; /* bytes of an unwanted body that are read to keep the connection */

static void put_head(struct h1 *h, const struct head *a, const char *connection)
{
    struct strbuf *out = &h->c.loop->out;
    buf_clear(out);
    http1_write_answer(out, a, connection);
    sock_put(&h->s, out->p, out->n);
}

static void ask_for_body(struct h1 *h)
{
    if (h->expects && !h->in.n)
        sock_put(&h->s, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    h->expects = false;
}

static void on_interim(struct exchange *x, const struct head *a)
{
    struct h1 *h = x->stream;
    if (!h->old)
        put_head(h, a, NULL);
}

/* Whether what is left of the request's body would have to be read for nothing, and is too much for that. */
static bool much_is_left(const struct h1 *h, const struct exchange *x)
{
    if (h->state != H1_BODY || (x->read_all && (!h->expects || x->handshake)))
        return false;
    return h->expects || h->framing == BODY_CHUNKED || h->left > SKIP_MOST;
}

static void on_head(struct exchange *x)
{
    struct h1 *h = x->stream;
    struct head *a = &x->answer;
    const char *connection = NULL;
    /* The body of a leg that waits to be asked for: where it begins and ends is certain only if it is asked for. */
    if (h->expects && h->state == H1_BODY && x->handshake)
        ask_for_body(h);
    h->chunked = a->framing == BODY_CHUNKED;
    if (h->chunked && h->old) {
        h->chunked = h->keep = false;
        a->framing = BODY_UNTIL_CLOSE;
    }
    if (h->c.loop->draining || (!x->up && much_is_left(h, x)))
        h->keep = false;
    if (a->status == 101)
        connection = "upgrade";
    else if (!h->keep)
        connection = "close";
    else if (h->old)
        connection = "keep-alive";
    put_head(h, a, connection);
    if (a->status == 101)
        h->state = H1_TUNNEL;
}

static void on_body(struct exchange *x, const char *p, size_t n)
{
    struct h1 *h = x->stream;
    if (h->chunked) {
        struct strbuf *out = &h->c.loop->out;
        buf_clear(out);
        http1_write_chunk_head(out, n);
        sock_put(&h->s, out->p, out->n);
        sock_put(&h->s, p, n);
        sock_put(&h->s, "\r\n", 2);
    } else {
        sock_put(&h->s, p, n);
    }
    if (sock_queued(&h->s) > QUEUE_LOW)
        h->s.room_at = QUEUE_LOW;
}

static void on_end(struct exchange *x)
{
    struct h1 *h = x->stream;
    if (h->chunked)
        sock_put(&h->s, HTTP1_LAST_CHUNK, sizeof HTTP1_LAST_CHUNK - 1);
}

static void on_over(struct exchange *x)
{
    struct h1 *h = x->stream;
    bool whole = h->state == H1_WAIT;
    h->x = NULL;
    if (!h->keep || h->state == H1_TUNNEL || (!whole && much_is_left(h, x))) {
        h1_linger(h);
        return;
    }
    h->state = whole ? H1_HEAD : H1_SKIP;
    h->may_lack = !whole && x->handshake && h->framing == BODY_CHUNKED && !h->chunks.line;
    timer_set(h->c.loop, &h->timer, h->c.serving->listeners.v[h->c.at->listener].idle_timeout);
    if (!h->busy && (h->in.n || h->ended))
        loop_later(h->c.loop, &h->more);
}

/* What was sent still arrives: that the body ended early shows in its framing. Without one only a reset tells. */
static void on_abort(struct exchange *x)
{
    struct h1 *h = x->stream;
    bool framed = x->answer.framing != BODY_UNTIL_CLOSE;
    h->x = NULL;
    if (framed && h->state != H1_TUNNEL) {
        h1_linger(h);
        return;
    }
    sock_abort(&h->s);
    h1_close(h);
}

static void on_want_body(struct exchange *x, bool more)
{
    struct h1 *h = x->stream;
    h->wanted = more;
    if (!more)
        return;
    ask_for_body(h);
    if (!h->busy)
        loop_later(h->c.loop, &h->more);
    sock_resume(&h->s);
}

static size_t on_queued(const struct exchange *x)
{
    const struct h1 *h = x->stream;
    return sock_queued(&h->s);
}

const struct front_calls h1_front = {
    on_interim, on_head, on_body, on_end, on_over, on_abort, on_want_body, on_queued
};
