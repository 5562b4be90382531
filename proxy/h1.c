/* h1: the front for HTTP/1.0 and 1.1. Reads one request after the other; what comes behind a request waits until its
 * answer is out, so that answers keep the order (B-67). h1_parts.h says which file has what.
 *
 * When the client ends its sending behind a whole request (it may have half-closed, or be gone: nobody can tell) the
 * answer is still sent, if it comes within HALF_CLOSED_TIME of silence.
 */
#include "h1_parts.h"
#include "h2.h"
#include "tls.h"
#include <stdlib.h>
#include <unistd.h>

enum {
    LINGER_TIME = 2000, /* ms for the client to end behind our end, so that it gets all we sent */
    TUNNEL_TIME = 3600000
};

/* ---- the end ------------------------------------------------------------------------- */

static void release(struct grave *g)
{
    struct h1 *h = container_of(g, struct h1, grave);
    buf_wipe(&h->in);
    free(h);
}

void h1_close(struct h1 *h)
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

void h1_linger(struct h1 *h)
{
    h->state = H1_LINGER;
    buf_wipe(&h->in);
    sock_finish(&h->s);
    sock_resume(&h->s);
    timer_set(h->c.loop, &h->timer, LINGER_TIME);
    if (h->ended)
        h->s.room_at = 0; /* close when all is sent */
}

/* ---- the socket ------------------------------------------------------------------------------------ */

static void on_readable(struct sock *s)
{
    struct h1 *h = container_of(s, struct h1, s);
    long n = sock_read(s, h->c.loop->scratch, SCRATCH);
    if (n > 0) {
        h1_came(h, h->c.loop->scratch, (size_t)n);
    } else if (n == SOCK_ERROR || (n == SOCK_END && h->state == H1_LINGER)) {
        h1_close(h);
    } else if (n == SOCK_END) {
        h->ended = true;
        h1_go_on(h); /* requests may wait there whose turn has come */
    }
}

static void on_room(struct sock *s)
{
    struct h1 *h = container_of(s, struct h1, s);
    if (h->state == H1_LINGER && h->ended)
        h1_close(h);
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
    h1_close(container_of(s, struct h1, s));
}

/* It is gone if it was reset, or has ended before all of a body that it announced: what it sent, read or not, is less. */
static void on_hung_up(struct sock *s, bool reset)
{
    struct h1 *h = container_of(s, struct h1, s);
    bool short_of = h->state == H1_BODY && h->framing == BODY_LENGTH && h->in.n + sock_unread(s) < h->left;
    if (reset || short_of)
        h1_close(h);
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
            h1_refuse(h, exchange_new(&h->c, &h1_front, h), 408);
        else
            h1_close(h);
    } else if (!is_late(h)) {
        h->seen = h->read + h->s.sent;
        timer_set(h->c.loop, &h->timer, patience(h));
    } else if (h->state == H1_BODY && !h->x->head_sent) {
        h->keep = false;
        h->state = H1_WAIT;
        exchange_page(h->x, CAUSE_TIMED_OUT_REQUEST);
    } else {
        sock_abort(&h->s);
        h1_close(h);
    }
}

/* ---- the connection ------------------------------------------------------------------------------------- */

static void drain(struct client *c)
{
    struct h1 *h = container_of(c, struct h1, c);
    h->keep = false;
    if (h->state == H1_HEAD && !h->looked)
        h1_close(h);
}

static void kill_h1(struct client *c)
{
    h1_close(container_of(c, struct h1, c));
}

static void more(struct task *t)
{
    h1_go_on(container_of(t, struct h1, more));
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
        h1_close(h);
        return;
    }
    timer_set(a->loop, &h->timer, ssl ? HEAD_TIME : a->serving->listeners.v[a->at->listener].idle_timeout);
}
