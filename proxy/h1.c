/* h1: the front for HTTP/1.0 and 1.1. Reads one request after the other; what comes behind a request waits until its
 * answer is out, so that answers keep the order (B-67).
 *
 * When the client ends its sending behind a whole request (it may have half-closed, or be gone: nobody can tell) the
 * answer is still sent, if it comes within HALF_CLOSED_TIME of silence.
 */
#include "exchange.h"
#include "h2.h"
#include "socket.h"
#include "tls.h"
#include "../http/http1.h"
#include <stdlib.h>
#include <unistd.h>

enum {
    HEAD_TIME = 30000,  /* ms for a handshake, and from the first byte of a head to its last */
    LINGER_TIME = 2000, /* ms for the client to end behind our end, so that it gets all we sent */
    HALF_CLOSED_TIME = 30000,
    TUNNEL_TIME = 3600000,
    SKIP_MOST = 64 << 10 /* bytes of an unwanted body that are read to keep the connection */
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
    bool busy;           /* in work(): what ends an exchange leaves going on to it */
    bool wanted;         /* the body */
    bool expects;        /* 100 Continue was asked for and not sent */
    bool keep;           /* the connection, behind this answer */
    bool old;            /* the request was HTTP/1.0 */
    bool chunked;        /* the answer's body */
    bool may_lack;       /* the body, of which nothing has come, may have been left out (6.2) */
    bool ended;          /* the client ended its sending, behind what is in `in` */
    uint64_t read, seen; /* bytes read; read and sent together when the timer looked last */
};

/* ---- the end ------------------------------------------------------------------------- */

static void release(struct grave *g)
{
    struct h1 *h = container_of(g, struct h1, grave);
    buf_wipe(&h->in);
    free(h);
}

static void close_h1(struct h1 *h)
{
    struct exchange *x = h->x;
    if (h->state == H1_CLOSED)
        return;
    h->state = H1_CLOSED;
    h->x = NULL;
    if (x)
        exchange_gone(x);
    timer_stop(&h->timer);
    task_cancel(&h->more);
    sock_close(&h->s);
    client_end(&h->c);
    loop_bury(h->c.loop, &h->grave, release);
}

/* Our last word is in the queue: send it, and let the client read it before its unread bytes make the system reset. */
static void linger(struct h1 *h)
{
    h->state = H1_LINGER;
    buf_wipe(&h->in);
    sock_finish(&h->s);
    sock_resume(&h->s);
    timer_set(h->c.loop, &h->timer, LINGER_TIME);
    if (h->ended)
        h->s.room_at = 0; /* close when all is sent */
}

/* ---- what exchanges ask for ------------------------------------------------------------- */

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
        linger(h);
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
        linger(h);
        return;
    }
    sock_abort(&h->s);
    close_h1(h);
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

static const struct front_calls front = { on_interim, on_head,  on_body,      on_end,
                                          on_over,    on_abort, on_want_body, on_queued };

/* ---- requests --------------------------------------------------------------------------------- */

static enum cause cause_of_status(int status)
{
    switch (status) {
    case 431: return CAUSE_HEAD_TOO_LARGE;
    case 501: return CAUSE_NOT_IMPLEMENTED;
    case 505: return CAUSE_VERSION;
    case 408: return CAUSE_TIMED_OUT_REQUEST;
    default: return CAUSE_BAD_REQUEST;
    }
}

/* Answers what is no request, and closes. */
static void refuse(struct h1 *h, struct exchange *x, int status)
{
    count(&h->c.loop->counts, refused_heads, 1);
    h->keep = false;
    h->x = x;
    h->state = H1_WAIT;
    x->method = x->target = "";
    x->body_ended = true;
    exchange_page(x, cause_of_status(status));
}

static void begin_body(struct h1 *h, const struct head *r)
{
    h->framing = r->framing;
    h->left = r->framing == BODY_LENGTH ? r->length : 0;
    h->chunks = (struct chunks){ 0 };
    h->wanted = false;
    h->expects = r->expects;
    h->keep = r->keep_alive && !h->c.loop->draining;
    h->old = r->version < 11;
    h->state = r->framing == BODY_CHUNKED || h->left ? H1_BODY : H1_WAIT;
}

static size_t read_head(struct h1 *h, const char *p, size_t n)
{
    const char *why;
    size_t leading = http1_leading(p, n);
    if (leading || !n) {
        h->looked = 0;
        return leading;
    }
    size_t end = http1_head_end(p, n, h->looked);
    if (!end) {
        if (!h->looked)
            timer_set(h->c.loop, &h->timer, HEAD_TIME);
        h->looked = n;
        return 0;
    }
    h->looked = 0;
    client_refresh(&h->c);
    struct exchange *x = exchange_new(&h->c, &front, h);
    int status = end == SIZE_MAX ? n >= HEAD_BYTES ? 431 : 400 : http1_request(&x->request, p, end, &why);
    if (status) {
        refuse(h, x, status);
        return n;
    }
    h->x = x;
    begin_body(h, &x->request);
    exchange_start(x);
    return end;
}

static void body_ended(struct h1 *h)
{
    h->state = h->state == H1_SKIP ? H1_HEAD : H1_WAIT;
    if (h->x)
        exchange_body_end(h->x);
}

static void give_piece(struct h1 *h, const char *p, size_t n)
{
    if (h->state == H1_BODY && n)
        exchange_body(h->x, p, n);
}

/* A body that is broken is no end of it: whoever reads it must see that it was cut. */
static void bad_body(struct h1 *h)
{
    struct exchange *x = h->x;
    if (!x || x->head_sent) {
        close_h1(h);
        return;
    }
    h->keep = false;
    h->state = H1_WAIT;
    exchange_page(x, CAUSE_BAD_REQUEST);
}

static size_t read_chunks(struct h1 *h, const char *p, size_t n)
{
    size_t used, data_n;
    const char *data;
    switch (chunks_read(&h->chunks, p, n, &used, &data, &data_n)) {
    case CHUNK_DATA: give_piece(h, data, data_n); break;
    case CHUNK_END: body_ended(h); break;
    case CHUNK_BAD: bad_body(h); break;
    case CHUNK_MORE: break;
    }
    return used;
}

static size_t read_body(struct h1 *h, const char *p, size_t n)
{
    if (h->framing == BODY_CHUNKED)
        return read_chunks(h, p, n);
    size_t piece = n < h->left ? n : (size_t)h->left;
    h->left -= piece;
    give_piece(h, p, piece);
    if (!h->left && (h->state == H1_BODY || h->state == H1_SKIP))
        body_ended(h);
    return piece;
}

/* Clients that keep a chunked body back from a leg of a handshake may leave out its last chunk too (curl does). What comes then
 * is a request line, and no size of a chunk is followed by what follows a method. Bytes taken; 0: more are needed. */
static size_t read_lacking(struct h1 *h, const char *p, size_t n)
{
    enum { LONGEST = 64 }; /* bytes of a size and white space; what is longer is neither */
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t size = 0, i;
    while (size < n && size < LONGEST && p[size] && strchr(digits, p[size]))
        size++;
    for (i = size; i < n && i < LONGEST && (p[i] == ' ' || p[i] == '\t');)
        i++;
    if (i == n && i < LONGEST)
        return 0;
    h->may_lack = false;
    if (i < n && (!size || (p[i] != '\r' && p[i] != ';'))) {
        h->state = H1_HEAD;
        return read_head(h, p, n);
    }
    return read_body(h, p, n);
}

static size_t read_tunnel(struct h1 *h, const char *p, size_t n)
{
    if (!h->wanted)
        return 0;
    exchange_body(h->x, p, n);
    return n;
}

/* Uses what it can of p; 0: nothing now. */
static size_t step(struct h1 *h, const char *p, size_t n)
{
    switch (h->state) {
    case H1_HEAD: return read_head(h, p, n);
    case H1_BODY: return n && h->wanted ? read_body(h, p, n) : 0;
    case H1_SKIP: return !n ? 0 : h->may_lack ? read_lacking(h, p, n) : read_body(h, p, n);
    case H1_TUNNEL: return n ? read_tunnel(h, p, n) : 0;
    case H1_LINGER: return n;
    case H1_WAIT:
    case H1_CLOSED: break;
    }
    return 0;
}

/* The client has ended its sending and nothing can be made of what is left. */
static void after_end(struct h1 *h)
{
    if (h->state == H1_TUNNEL && !h->in.n)
        exchange_body_end(h->x);
    else if (h->state == H1_HEAD || h->state == H1_SKIP)
        linger(h); /* an answer may still be in the queue */
    else if (h->state == H1_BODY && !h->in.n)
        close_h1(h);
    else if (h->state == H1_WAIT)
        timer_set(h->c.loop, &h->timer, HALF_CLOSED_TIME);
    else if (h->state == H1_LINGER && sock_queued(&h->s))
        h->s.room_at = 0; /* our last word has not left yet */
    else if (h->state == H1_LINGER)
        close_h1(h);
}

/* What was not used of p waits in `in`. */
static void keep_rest(struct h1 *h, const char *p, size_t n, size_t at)
{
    bool over = at == n || h->state == H1_CLOSED || h->state == H1_LINGER;
    if (p != h->in.p && !over) {
        buf_add_secret(&h->in, p + at, n - at);
    } else if (over) {
        buf_wipe(&h->in);
    } else {
        memmove(h->in.p, p + at, n - at);
        h->in.n = n - at;
    }
}

/* p is what came just now, or all of `in`. */
static void work_on(struct h1 *h, const char *p, size_t n)
{
    h->busy = true;
    size_t at = 0;
    for (size_t took; (took = step(h, p + at, n - at)); at += took)
        ;
    h->busy = false;
    keep_rest(h, p, n, at);
    if (h->in.n >= SCRATCH && h->state != H1_CLOSED)
        sock_pause(&h->s);
    else if (!h->s.reading && h->state != H1_CLOSED)
        sock_resume(&h->s);
    if (h->ended)
        after_end(h);
}

static void more(struct task *t)
{
    struct h1 *h = container_of(t, struct h1, more);
    work_on(h, h->in.p, h->in.n);
}

/* ---- the socket ------------------------------------------------------------------------------------ */

static void came(struct h1 *h, char *p, size_t n)
{
    struct loop *l = h->c.loop;
    bool waiting = h->in.n;
    h->read += n;
    l->secret = false;
    if (waiting) {
        buf_add_secret(&h->in, p, n);
        work_on(h, h->in.p, h->in.n);
    } else {
        work_on(h, p, n);
    }
    if (l->secret || waiting || h->in.n) /* what nobody has understood yet may be anything */
        explicit_bzero(p, n);
}

static void on_readable(struct sock *s)
{
    struct h1 *h = container_of(s, struct h1, s);
    long n = sock_read(s, h->c.loop->scratch, SCRATCH);
    if (n > 0) {
        came(h, h->c.loop->scratch, (size_t)n);
    } else if (n == SOCK_ERROR || (n == SOCK_END && h->state == H1_LINGER)) {
        close_h1(h);
    } else if (n == SOCK_END) {
        h->ended = true;
        work_on(h, h->in.p, h->in.n); /* requests may wait there whose turn has come */
    }
}

static void on_room(struct sock *s)
{
    struct h1 *h = container_of(s, struct h1, s);
    if (h->state == H1_LINGER && h->ended)
        close_h1(h);
    else if (h->x)
        exchange_room(h->x);
}

static void on_ready(struct sock *s)
{
    struct h1 *h = container_of(s, struct h1, s);
    if (s->ssl && tls_chose_h2(s->ssl)) {
        h2_take(h);
        return;
    }
    timer_set(h->c.loop, &h->timer, h->c.serving->listeners.v[h->c.at->listener].idle_timeout);
}

static void on_lost(struct sock *s)
{
    close_h1(container_of(s, struct h1, s));
}

/* It is gone if it was reset, or has ended before all of a body that it announced: what it sent, read or not, is less. */
static void on_hung_up(struct sock *s, bool reset)
{
    struct h1 *h = container_of(s, struct h1, s);
    bool short_of = h->state == H1_BODY && h->framing == BODY_LENGTH && h->in.n + sock_unread(s) < h->left;
    if (reset || short_of)
        close_h1(h);
}

static const struct sock_calls calls = { on_readable, on_room, on_ready, on_lost, on_hung_up };

/* ---- time --------------------------------------------------------------------------------------------- */

/* How long the client may be silent while an exchange is under way. */
static uint64_t patience(const struct h1 *h)
{
    uint64_t idle = h->c.serving->listeners.v[h->c.at->listener].idle_timeout;
    if (h->state == H1_TUNNEL)
        return TUNNEL_TIME;
    if (h->ended)
        return HALF_CLOSED_TIME;
    return h->x->rule && h->x->rule->read_timeout > idle ? h->x->rule->read_timeout : idle;
}

/* The client is late if it takes nothing of what waits for it, or gives nothing of a body that is wanted. */
static bool is_late(const struct h1 *h)
{
    if (h->read + h->s.sent != h->seen)
        return false;
    return sock_queued(&h->s) || h->state == H1_TUNNEL || h->ended || (h->state == H1_BODY && h->wanted);
}

static void on_timer(struct timer *t)
{
    struct h1 *h = container_of(t, struct h1, timer);
    if (!h->x) {
        if (h->state == H1_HEAD && h->looked)
            refuse(h, exchange_new(&h->c, &front, h), 408);
        else
            close_h1(h);
    } else if (!is_late(h)) {
        h->seen = h->read + h->s.sent;
        timer_set(h->c.loop, &h->timer, patience(h));
    } else if (h->state == H1_BODY && !h->x->head_sent) {
        h->keep = false;
        h->state = H1_WAIT;
        exchange_page(h->x, CAUSE_TIMED_OUT_REQUEST);
    } else {
        sock_abort(&h->s);
        close_h1(h);
    }
}

/* ---- the connection ------------------------------------------------------------------------------------- */

static void drain(struct client *c)
{
    struct h1 *h = container_of(c, struct h1, c);
    h->keep = false;
    if (h->state == H1_HEAD && !h->looked)
        close_h1(h);
}

static void kill_h1(struct client *c)
{
    close_h1(container_of(c, struct h1, c));
}

void h1_begin(const struct arrival *a)
{
    size_t size = a->at->ctx && h2_size() > sizeof(struct h1) ? h2_size() : sizeof(struct h1);
    struct h1 *h = calloc(1, size);
    if (!h)
        mem_fatal();
    client_begin(&h->c, a);
    h->c.drain = drain;
    h->c.kill = kill_h1;
    h->timer.fire = on_timer;
    h->more.run = more;
    SSL *ssl = NULL;
    if (a->at->ctx && (ssl = SSL_new(a->at->ctx)))
        SSL_set_accept_state(ssl);
    h->c.ssl = ssl;
    if ((a->at->ctx && !ssl) || !sock_open(&h->s, a->loop, a->fd, ssl, &calls, false)) {
        if (a->at->ctx && !ssl)
            close(a->fd);
        h->s.watch.fd = -1;
        close_h1(h);
        return;
    }
    timer_set(a->loop, &h->timer, ssl ? HEAD_TIME : a->serving->listeners.v[a->at->listener].idle_timeout);
}
