/* h2_stream: a stream's way between its exchange and nghttp2. The answer's body waits in `out` until frames are made of it,
 * the request's in `in` until the exchange wants it.
 */
#include "h2_parts.h"
#include <stdlib.h>

struct h2_stream *h2_stream_new(struct h2 *h, int32_t id)
{
    struct h2_stream *s = calloc(1, sizeof *s);
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

void h2_stream_free(struct h2_stream *s)
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

/* ---- what exchanges ask for ------------------------------------------------------------- */

static ssize_t read_out(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                        nghttp2_data_source *source, void *user)
{
    struct h2_stream *s = source->ptr;
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

static void submit_head(struct h2_stream *s, const struct head *a, bool interim, bool body)
{
    nghttp2_nv nv[HEAD_FIELDS + 2];
    size_t n = h2_answer(a, &s->h->c.loop->out, nv);
    nghttp2_data_provider data = { { .ptr = s }, read_out };
    if (interim)
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, nv, n, NULL);
    else
        nghttp2_submit_response(s->h->session, s->id, nv, n, body ? &data : NULL);
    h2_dirty(s->h);
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
    struct h2_stream *s = x->stream;
    if (s->at > QUEUE_LOW) {
        memmove(s->out.p, s->out.p + s->at, s->out.n - s->at);
        s->out.n -= s->at;
        s->at = 0;
    }
    buf_add(&s->out, p, n);
    count(s->h->c.loop, queued, n);
    s->high |= s->out.n - s->at > QUEUE_LOW;
    nghttp2_session_resume_data(s->h->session, s->id);
    h2_dirty(s->h);
}

static void on_end(struct exchange *x)
{
    struct h2_stream *s = x->stream;
    s->ended = true;
    nghttp2_session_resume_data(s->h->session, s->id);
    h2_dirty(s->h);
}

/* What is left of the request's body is not wanted; the client may be told so once it has the answer. */
static void on_over(struct exchange *x)
{
    struct h2_stream *s = x->stream;
    s->x = NULL;
    count(s->h->c.loop, queued, -s->in.n);
    if (s->in.n)
        nghttp2_session_consume_stream(s->h->session, s->id, s->in.n);
    buf_wipe(&s->in);
    h2_dirty(s->h);
}

void h2_stream_reset(struct h2_stream *s, uint32_t code)
{
    nghttp2_submit_rst_stream(s->h->session, NGHTTP2_FLAG_NONE, s->id, code);
    h2_dirty(s->h);
}

static void on_abort(struct exchange *x)
{
    struct h2_stream *s = x->stream;
    s->x = NULL;
    h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
}

/* Hands over what is there, as long as it is wanted. */
static void feed(struct h2_stream *s)
{
    if (s->x && s->wanted && s->in.n) {
        struct strbuf in = s->in;
        s->in = (struct strbuf){ 0 };
        count(s->h->c.loop, queued, -in.n);
        nghttp2_session_consume_stream(s->h->session, s->id, in.n);
        h2_dirty(s->h);
        exchange_body(s->x, in.p, in.n);
        buf_wipe(&in);
    }
    if (s->x && s->wanted && s->in_ended && !s->told_end && !s->in.n) {
        s->told_end = true;
        exchange_body_end(s->x);
    }
}

/* A large body begins to go to its server. With what a stream may always send a client would stop at each turn of ours, and
 * go on in the next; so few streams get more each, while there is memory. */
static void widen(struct h2_stream *s)
{
    const struct head *r = &s->x->request;
    const struct loop *l = s->h->c.loop;
    size_t window = H2_WINDOWS / s->h->streams_n;
    bool large = r->framing == BODY_CHUNKED || r->length > H2_WINDOW;
    if (large && window > H2_WINDOW && l->queued < l->queued_most)
        nghttp2_session_set_local_window_size(s->h->session, NGHTTP2_FLAG_NONE, s->id, (int32_t)window);
}

static void on_want_body(struct exchange *x, bool more)
{
    struct h2_stream *s = x->stream;
    s->wanted = more;
    if (more && !s->was_wanted) {
        s->was_wanted = true;
        widen(s);
    }
    if (more && s->expects && !s->in.n && !s->in_ended) {
        static const nghttp2_nv go_on = { (uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "100", 7, 3, 0 };
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, &go_on, 1, NULL);
        h2_dirty(s->h);
    }
    s->expects &= !more;
    if (more)
        feed(s);
}

static size_t on_queued(const struct exchange *x)
{
    const struct h2_stream *s = x->stream;
    return s->out.n - s->at;
}

static const struct front_calls front = { on_interim, on_head,  on_body,      on_end,
                                          on_over,    on_abort, on_want_body, on_queued };

/* ---- what the client sends ------------------------------------------------------------ */

void h2_stream_begin(struct h2_stream *s, bool ended)
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

void h2_stream_body(struct h2_stream *s, const char *p, size_t n)
{
    struct h2 *h = s->h;
    s->moved = h->c.loop->now;
    if (s->x && (!s->wanted || s->in.n)) {
        buf_add_secret(&s->in, p, n);
        count(h->c.loop, queued, n);
        return;
    }
    nghttp2_session_consume_stream(h->session, s->id, n);
    if (s->x)
        exchange_body(s->x, p, n);
}

void h2_stream_body_end(struct h2_stream *s)
{
    s->in_ended = true;
    feed(s);
}

bool h2_stream_is_stuck(const struct h2_stream *s)
{
    bool waits = s->out.n > s->at || !s->x || (s->wanted && !s->in_ended);
    return waits && s->h->c.loop->now - s->moved >= h2_idle_time(s->h);
}
