/* h2: the front for HTTP/2. nghttp2 keeps the protocol; here are streams, what waits in them, and limits.
 *
 * Flow control is manual: a stream's window opens as its exchange takes what came, so that a slow server stops its own
 * stream and no other; the connection's window always opens at once, and what waits in streams is bounded by theirs.
 * Frames are written once a loop's turn, and only while little waits in the socket: what is not written yet stays in the
 * streams, where each exchange sees how much of it is its own.
 *
 * Who floods (resets, pings, settings, empty frames, more than nghttp2 lets pass) gets ENHANCE_YOUR_CALM and is closed.
 * Trailers are dropped. A stream in which nothing moves for the listener's idle time is reset.
 */
#include "h2.h"
#include "exchange.h"
#include "h2_head.h"
#include "socket.h"
#include <malloc.h>
#include <stdlib.h>

enum {
    STREAMS = 128,
    STREAM_WINDOW = 128 << 10,
    CONNECTION_WINDOW = 1 << 20,
    SOCKET_MOST = 64 << 10, /* bytes in the socket's queue above which no frame is written */
    HEAD_TIME = 30000,      /* ms for the client's preface */
    LINGER_TIME = 2000,     /* ms for the client to end behind our end */
    CALM_TIME = 10000,      /* ms in which at most CALM frames may come that move nothing */
    CALM = 1000,
    RESETS = 500,
    RESETS_A_SECOND = 50
};

struct stream {
    struct stream *next, **back;
    struct h2 *h;
    struct exchange *x; /* NULL: not begun, or over */
    int32_t id;
    struct strbuf out; /* of the answer's body, not yet in frames: bytes at.. */
    size_t at;
    struct strbuf in;        /* of the request's body, not yet wanted */
    bool wanted;             /* the body */
    bool in_ended, told_end; /* the client has sent all; the exchange knows */
    bool ended;              /* the answer is complete in out */
    bool high, room;         /* out went over QUEUE_LOW; came back: the exchange is to be told */
    bool expects;            /* 100 Continue was asked for and not sent */
    uint64_t moved;          /* when something did */
};

struct h2 {
    FRONT;
    struct task flush;
    nghttp2_session *session;
    struct stream *streams;
    size_t streams_n;
    struct h2_fields fields;   /* of the request that is coming */
    unsigned idle_frames;      /* since calm_since */
    uint64_t calm_since, seen; /* seen: bytes that had been sent when the timer looked last */
    bool closed, closing;      /* closing: all was said; whatever comes is thrown away until the client ends */
};

size_t h2_size(void)
{
    return sizeof(struct h2);
}

/* ---- the end ------------------------------------------------------------------------- */

static void stream_free(struct stream *s)
{
    struct exchange *x = s->x;
    s->x = NULL;
    if (x)
        exchange_gone(x);
    *s->back = s->next;
    if (s->next)
        s->next->back = s->back;
    s->h->streams_n--;
    count(s->h->c.loop, queued, -(s->out.n - s->at + s->in.n));
    buf_free(&s->out);
    buf_wipe(&s->in);
    free(s);
}

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
    for (struct stream *s = h->streams, *next; s; s = next) {
        next = s->next;
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
        stream_free(s);
    }
    timer_stop(&h->timer);
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

static void dirty(struct h2 *h)
{
    if (!h->closed)
        loop_later(h->c.loop, &h->flush);
}

static uint64_t idle_time(const struct h2 *h)
{
    return h->c.serving->listeners.v[h->c.at->listener].idle_timeout;
}

/* ---- what exchanges ask for ------------------------------------------------------------- */

static ssize_t read_out(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                        nghttp2_data_source *source, void *user)
{
    struct stream *s = source->ptr;
    size_t n = s->out.n - s->at < room ? s->out.n - s->at : room;
    (void)session, (void)id, (void)user;
    if (!n && !s->ended)
        return NGHTTP2_ERR_DEFERRED;
    if (n)
        memcpy(to, s->out.p + s->at, n);
    s->at += n;
    count(s->h->c.loop, queued, -n);
    s->moved = s->h->c.loop->now;
    if (s->at == s->out.n) {
        s->at = 0;
        buf_clear(&s->out);
        if (s->ended)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    if (s->high && s->out.n - s->at <= QUEUE_LOW) {
        s->high = false;
        s->room = true;
    }
    return (ssize_t)n;
}

static void submit_head(struct stream *s, const struct head *a, bool interim, bool body)
{
    nghttp2_nv nv[HEAD_FIELDS + 2];
    size_t n = h2_answer(a, &s->h->c.loop->out, nv);
    nghttp2_data_provider data = { { .ptr = s }, read_out };
    if (interim)
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL);
    else
        nghttp2_submit_response(s->h->session, s->id, nv, n, body ? &data : NULL);
    dirty(s->h);
}

static void on_interim(struct exchange *x, const struct head *a)
{
    submit_head(x->stream, a, true, false);
}

static void on_head(struct exchange *x)
{
    bool none = x->answer.framing == BODY_NONE || (x->answer.framing == BODY_LENGTH && !x->answer.length) ||
                strcmp(x->method, "HEAD") == 0;
    submit_head(x->stream, &x->answer, false, !none);
}

static void on_body(struct exchange *x, const char *p, size_t n)
{
    struct stream *s = x->stream;
    if (s->at > QUEUE_LOW) {
        memmove(s->out.p, s->out.p + s->at, s->out.n - s->at);
        s->out.n -= s->at;
        s->at = 0;
    }
    buf_add(&s->out, p, n);
    count(s->h->c.loop, queued, n);
    s->high |= s->out.n - s->at > QUEUE_LOW;
    nghttp2_session_resume_data(s->h->session, s->id);
    dirty(s->h);
}

static void on_end(struct exchange *x)
{
    struct stream *s = x->stream;
    s->ended = true;
    nghttp2_session_resume_data(s->h->session, s->id);
    dirty(s->h);
}

/* What is left of the request's body is not wanted; the client may be told so once it has the answer. */
static void on_over(struct exchange *x)
{
    struct stream *s = x->stream;
    s->x = NULL;
    count(s->h->c.loop, queued, -s->in.n);
    if (s->in.n)
        nghttp2_session_consume_stream(s->h->session, s->id, s->in.n);
    buf_wipe(&s->in);
    dirty(s->h);
}

static void reset_stream(struct stream *s, uint32_t code)
{
    nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code);
    dirty(s->h);
}

static void on_abort(struct exchange *x)
{
    struct stream *s = x->stream;
    s->x = NULL;
    reset_stream(s, NGHTTP2_INTERNAL_ERROR);
}

/* Hands over what is there, as long as it is wanted. */
static void feed(struct stream *s)
{
    if (s->x && s->wanted && s->in.n) {
        struct strbuf in = s->in;
        s->in = (struct strbuf){ 0 };
        count(s->h->c.loop, queued, -in.n);
        nghttp2_session_consume_stream(s->h->session, s->id, in.n);
        dirty(s->h);
        exchange_body(s->x, in.p, in.n);
        buf_wipe(&in);
    }
    if (s->x && s->wanted && s->in_ended && !s->told_end && !s->in.n) {
        s->told_end = true;
        exchange_body_end(s->x);
    }
}

static void on_want_body(struct exchange *x, bool more)
{
    struct stream *s = x->stream;
    s->wanted = more;
    if (more && s->expects && !s->in.n && !s->in_ended) {
        static const nghttp2_nv go_on = { (uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "100", 7, 3, 0 };
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, &go_on, 1, NULL);
        dirty(s->h);
    }
    s->expects &= !more;
    if (more)
        feed(s);
}

static size_t on_queued(const struct exchange *x)
{
    const struct stream *s = x->stream;
    return s->out.n - s->at;
}

static const struct front_calls front = { on_interim, on_head,  on_body,      on_end,
                                          on_over,    on_abort, on_want_body, on_queued };

/* ---- requests --------------------------------------------------------------------------------- */

static struct stream *stream_new(struct h2 *h, int32_t id)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s)
        mem_fatal();
    s->h = h;
    s->id = id;
    s->moved = h->c.loop->now;
    s->next = h->streams;
    s->back = &h->streams;
    if (s->next)
        s->next->back = &s->next;
    h->streams = s;
    h->streams_n++;
    return s;
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    if (h->closed || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers are not kept */
    if (!h->streams_n)
        client_refresh(&h->c);
    h2_fields_clear(&h->fields);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream_new(h, frame->hd.stream_id));
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                    const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct h2 *h = user;
    (void)session, (void)flags;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h2_fields_add(&h->fields, (const char *)name, name_n, (const char *)value, value_n);
    return 0;
}

/* What nghttp2 holds to be malformed in one field is not let through for that. */
static int on_bad_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                        const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct h2 *h = user;
    (void)session, (void)frame, (void)name, (void)name_n, (void)value, (void)value_n, (void)flags;
    h->fields.bad = true;
    return 0;
}

static void begin_request(struct stream *s, bool ended)
{
    struct h2 *h = s->h;
    struct exchange *x = exchange_new(&h->c, &front, s);
    s->x = x;
    s->in_ended = s->told_end = ended;
    int status = h2_request(&h->fields, !ended, &h->c.loop->out, &x->request);
    if (status) {
        x->method = x->target = "";
        x->body_ended = true;
        exchange_page(x, status == 431 ? CAUSE_HEAD_TOO_LARGE : CAUSE_BAD_REQUEST);
        return;
    }
    s->expects = x->request.expects;
    exchange_start(x);
    if (x->secret) { /* it lives, or at least its memory, until the turn is over */
        h2_fields_free(&h->fields);
        explicit_bzero(h->c.loop->out.p, h->c.loop->out.cap);
    }
}

/* Counts a frame that moves nothing: some are normal. */
static void count_frame(struct h2 *h)
{
    uint64_t now = h->c.loop->now;
    if (now - h->calm_since > CALM_TIME) {
        h->calm_since = now;
        h->idle_frames = 0;
    }
    if (++h->idle_frames <= CALM)
        return;
    nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
    dirty(h);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct stream *s = frame->hd.stream_id ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    if (h->closed)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    switch (frame->hd.type) {
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PRIORITY:
    case NGHTTP2_RST_STREAM: count_frame(h); break;
    case NGHTTP2_DATA:
        if (!frame->hd.length && !ends)
            count_frame(h);
        break;
    default: break;
    }
    bool request = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (s && request) {
        begin_request(s, ends);
    } else if (s && ends) { /* of a body, or with trailers, which are dropped */
        s->in_ended = true;
        feed(s);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
    struct h2 *h = user;
    struct stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (h->closed)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    nghttp2_session_consume_connection(session, n);
    if (s)
        s->moved = h->c.loop->now;
    if (s && s->x && (!s->wanted || s->in.n)) {
        buf_add_secret(&s->in, (const char *)p, n);
        count(h->c.loop, queued, n);
        return 0;
    }
    nghttp2_session_consume_stream(session, id, n);
    if (s && s->x)
        exchange_body(s->x, (const char *)p, n);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2 *h = user;
    struct stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    if (!s)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    stream_free(s);
    if (!h->streams_n && !h->closed)
        timer_set(h->c.loop, &h->timer, idle_time(h));
    return 0;
}

/* The answer went out and the client still sends: it may stop (RFC 9113, section 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    struct stream *s = ends ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    (void)user;
    if (s && !s->in_ended && !s->x)
        reset_stream(s, NGHTTP2_NO_ERROR);
    return 0;
}

/* A head that is too large for HTTP/2, or a stream that is gone. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int why, void *user)
{
    struct stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)why, (void)user;
    if (s && frame->hd.type == NGHTTP2_HEADERS)
        reset_stream(s, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

/* ---- the socket ------------------------------------------------------------------------------------ */

static void tell_room(struct h2 *h)
{
    for (struct stream *s = h->streams, *next; s; s = next) {
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
    dirty(h);
}

static void on_room(struct sock *k)
{
    dirty(container_of(k, struct h2, s));
}

static void on_lost(struct sock *k)
{
    close_h2(container_of(k, struct h2, s));
}

static const struct sock_calls calls = { on_readable, on_room, NULL, on_lost, NULL };

/* ---- time --------------------------------------------------------------------------------------------- */

static bool is_stuck(const struct stream *s)
{
    bool waits = s->out.n > s->at || !s->x || (s->wanted && !s->in_ended);
    return waits && s->h->c.loop->now - s->moved >= idle_time(s->h);
}

static void on_timer(struct timer *t)
{
    struct h2 *h = container_of(t, struct h2, timer);
    if (h->closing) {
        close_h2(h);
        return;
    }
    if (!h->streams_n) {
        nghttp2_session_terminate_session(h->session, NGHTTP2_NO_ERROR);
        dirty(h);
    }
    for (struct stream *s = h->streams; s; s = s->next)
        if (is_stuck(s))
            reset_stream(s, NGHTTP2_CANCEL);
    /* A client that takes nothing at all, not even the end. */
    if (sock_queued(&h->s) && h->s.sent == h->seen) {
        sock_abort(&h->s);
        close_h2(h);
        return;
    }
    h->seen = h->s.sent;
    timer_set(h->c.loop, t, idle_time(h));
}

/* ---- the connection ------------------------------------------------------------------------------------- */

static void drain(struct client *c)
{
    struct h2 *h = container_of(c, struct h2, c);
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
    dirty(h);
}

static void kill_h2(struct client *c)
{
    close_h2(container_of(c, struct h2, c));
}

/* What nghttp2 frees may be a header field with credentials, or the table that a client had it put into. */
static void wipe_and_free(void *p, void *user)
{
    (void)user;
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

static void *get(size_t n, void *user)
{
    (void)user;
    return malloc(n);
}

static void *get_zeroed(size_t n, size_t size, void *user)
{
    (void)user;
    return calloc(n, size);
}

static void *get_more(void *p, size_t n, void *user)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    if (n <= had)
        return p ? p : malloc(n);
    void *more = malloc(n);
    if (more && had)
        memcpy(more, p, had);
    if (more)
        wipe_and_free(p, user);
    return more;
}

static nghttp2_session *new_session(struct h2 *h)
{
    static nghttp2_mem memory = { NULL, get, wipe_and_free, get_zeroed, get_more };
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    nghttp2_session *session = NULL;
    if (nghttp2_session_callbacks_new(&c) != 0)
        mem_fatal();
    if (nghttp2_option_new(&o) != 0)
        mem_fatal();
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(c, on_field);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_bad_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_send_header_block_length(o, 2 * HEAD_BYTES);
    nghttp2_option_set_stream_reset_rate_limit(o, RESETS, RESETS_A_SECOND);
    if (nghttp2_session_server_new3(&session, c, h, o, &memory) != 0)
        mem_fatal();
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    return session;
}

void h2_take(void *memory)
{
    static const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS },
                                                       { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
                                                       { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_BYTES } };
    struct h2 *h = memory;
    memset((char *)memory + offsetof(struct h2, flush), 0, sizeof *h - offsetof(struct h2, flush));
    h->c.drain = drain;
    h->c.kill = kill_h2;
    h->s.calls = &calls;
    h->timer.fire = on_timer;
    h->flush.run = flush;
    h->session = new_session(h);
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings);
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    timer_set(h->c.loop, &h->timer, HEAD_TIME);
    dirty(h);
}
