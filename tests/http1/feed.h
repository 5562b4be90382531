/* feed: bytes of one connection, in pieces of any size, read as a front or an upstream would read them, and what came
 * of it as one line of text: the verdicts of tests/http1/requests.txt. What the unit test, the oracle and the fuzzer
 * have in common. */
#ifndef TESTS_HTTP1_FEED_H
#define TESTS_HTTP1_FEED_H
#include "../../http/http1.h"

struct feed {
    const char *answers_to; /* the method; NULL: requests are read */
    char separator;         /* of the items of the verdict; 0: a space */
    struct strbuf in, body, verdict;
    size_t taken, looked; /* of in: what is behind us, what http1_head_end has seen from there */
    struct head head;
    enum { FEED_HEAD, FEED_LENGTH, FEED_CHUNKS, FEED_REST, FEED_DONE } state;
    uint64_t left;
    struct chunks chunks;
    void (*on_head)(struct feed *f, const char *p, size_t n); /* a head that was taken; NULL */
};

static inline void feed_free(struct feed *f)
{
    head_free(&f->head);
    buf_free(&f->in);
    buf_free(&f->body);
    buf_free(&f->verdict);
}

static inline void feed_item(struct feed *f, const char *begin)
{
    if (f->verdict.n)
        buf_putc(&f->verdict, f->separator ? f->separator : ' ');
    buf_puts(&f->verdict, begin);
}

/* "POST=body" and what stands behind it. */
static inline void feed_message(struct feed *f, bool equals, const char *behind)
{
    if (f->answers_to) {
        struct strbuf status = { 0 };
        buf_printf(&status, "%d", f->head.status);
        feed_item(f, status.p);
        buf_free(&status);
    } else {
        feed_item(f, f->head.method);
    }
    if (equals || f->body.n)
        buf_putc(&f->verdict, '=');
    buf_add(&f->verdict, f->body.p, f->body.n);
    buf_puts(&f->verdict, behind);
    buf_clear(&f->body);
}

static inline void feed_message_over(struct feed *f)
{
    bool last = f->answers_to && f->head.status < 200 ? f->head.status == 101 : !f->head.keep_alive;
    feed_message(f, false, "");
    f->state = last ? FEED_DONE : FEED_HEAD;
    f->looked = 0;
}

static inline bool feed_refuse(struct feed *f, int status)
{
    struct strbuf s = { 0 };
    buf_printf(&s, "%d", status);
    feed_item(f, f->answers_to ? "bad" : s.p);
    buf_free(&s);
    f->state = FEED_DONE;
    return false;
}

static inline bool feed_head(struct feed *f)
{
    const char *p = f->in.p + f->taken;
    size_t n = f->in.n - f->taken;
    size_t leading = f->answers_to ? 0 : http1_leading(p, n);
    if (leading) {
        f->taken += leading;
        p += leading;
        n -= leading;
        f->looked = 0;
    }
    size_t end = http1_head_end(p, n, f->looked);
    f->looked = n;
    if (end == 0)
        return false;
    const char *why;
    int status = end == SIZE_MAX ? n >= HEAD_BYTES ? 431 : 400
                 : f->answers_to ? http1_answer(&f->head, f->answers_to, p, end, &why)
                                 : http1_request(&f->head, p, end, &why);
    if (status)
        return feed_refuse(f, status);
    if (f->on_head)
        f->on_head(f, p, end);
    f->taken += end;
    f->left = f->head.length;
    f->chunks = (struct chunks){ 0 };
    switch (f->head.framing) {
    case BODY_NONE: feed_message_over(f); break;
    case BODY_LENGTH: f->state = FEED_LENGTH; break;
    case BODY_CHUNKED: f->state = FEED_CHUNKS; break;
    case BODY_UNTIL_CLOSE: f->state = FEED_REST; break;
    }
    return true;
}

static inline bool feed_chunks(struct feed *f)
{
    size_t used, data_n;
    const char *data;
    enum chunk_event e = chunks_read(&f->chunks, f->in.p + f->taken, f->in.n - f->taken, &used, &data, &data_n);
    f->taken += used;
    switch (e) {
    case CHUNK_DATA: buf_add(&f->body, data, data_n); return true;
    case CHUNK_END: feed_message_over(f); return true;
    case CHUNK_BAD:
        feed_message(f, true, f->answers_to ? "bad" : "400");
        f->state = FEED_DONE;
        return false;
    case CHUNK_MORE: break;
    }
    return false;
}

static inline bool feed_step(struct feed *f)
{
    size_t n = f->in.n - f->taken;
    switch (f->state) {
    case FEED_HEAD: return n && feed_head(f);
    case FEED_CHUNKS: return n && feed_chunks(f);
    case FEED_LENGTH:
        if (n > f->left)
            n = (size_t)f->left;
        buf_add(&f->body, f->in.p + f->taken, n);
        f->taken += n;
        f->left -= n;
        if (f->left)
            return false;
        feed_message_over(f);
        return true;
    case FEED_REST:
        buf_add(&f->body, f->in.p + f->taken, n);
        f->taken += n;
        return false;
    case FEED_DONE: break;
    }
    return false;
}

static inline void feed_bytes(struct feed *f, const char *p, size_t n)
{
    buf_add(&f->in, p, n);
    while (feed_step(f)) {}
}

/* The verdict on all that was fed; f is empty again behind it but for the verdict. */
static inline void feed_end(struct feed *f)
{
    switch (f->state) {
    case FEED_HEAD:
        if (f->in.n > f->taken)
            feed_item(f, "...");
        break;
    case FEED_LENGTH:
    case FEED_CHUNKS: feed_message(f, true, "..."); break;
    case FEED_REST: feed_message(f, false, "<"); break;
    case FEED_DONE: break;
    }
}
#endif
