/* h1_read: requests out of the bytes of an HTTP/1 connection, one after the other. What cannot be used yet waits in `in`:
 * a head until it is whole, a body until it is wanted, the next request until this one's answer is out (B-67).
 */
#include "h1_parts.h"

enum { WAITING_MOST = 64 << 10 }; /* bytes in `in` from which on nothing more is read; a whole head fits */

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

void h1_refuse(struct h1 *h, struct exchange *x, int status)
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
    struct exchange *x = exchange_new(&h->c, &h1_front, h);
    int status = end == SIZE_MAX ? n >= HEAD_BYTES ? 431 : 400 : http1_request(&x->request, p, end, &why);
    if (status) {
        h1_refuse(h, x, status);
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
        h1_close(h);
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
        h1_linger(h); /* an answer may still be in the queue */
    else if (h->state == H1_BODY && !h->in.n)
        h1_close(h);
    else if (h->state == H1_WAIT)
        timer_set(h->c.loop, &h->timer, HALF_CLOSED_TIME);
    else if (h->state == H1_LINGER && sock_queued(&h->s))
        h->s.room_at = 0; /* our last word has not left yet */
    else if (h->state == H1_LINGER)
        h1_close(h);
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
    if (h->in.n >= WAITING_MOST && h->state != H1_CLOSED)
        sock_pause(&h->s);
    else if (!h->s.reading && h->state != H1_CLOSED)
        sock_resume(&h->s);
    if (h->ended)
        after_end(h);
}

void h1_came(struct h1 *h, char *p, size_t n)
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

void h1_go_on(struct h1 *h)
{
    work_on(h, h->in.p, h->in.n);
}
