/* socket: reading, the queue, and the TLS handshake. */
#include "wire.h"
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    BLOCK = 16 << 10, /* what a queue begins with, and a TLS record holds */
    LARGE = 8 << 10,  /* a piece that is sent at once */
    SPARES = 64,      /* blocks that a loop keeps */
    REST_TIME = 1000  /* ms */
};
enum { READ_AHEAD = SSL3_RT_MAX_ENCRYPTED_LENGTH + SSL3_RT_HEADER_LENGTH }; /* bytes that OpenSSL may hold, at most */

/* ---- the queue ------------------------------------------------------------------------ */

static void queue_release(struct sock *s)
{
    struct loop *l = s->loop;
    if (s->secret)
        explicit_bzero(s->queue.p, s->queue.n);
    s->secret = false;
    if (s->queue.cap == BLOCK && l->spares_n < SPARES) {
        struct spare *spare = (struct spare *)(void *)s->queue.p;
        spare->next = l->spares;
        l->spares = spare;
        l->spares_n++;
    } else {
        free(s->queue.p);
    }
    s->queue.p = NULL;
    s->queue.at = s->queue.n = s->queue.cap = 0;
}

static void queue_first(struct sock *s)
{
    struct loop *l = s->loop;
    if (l->spares) {
        s->queue.p = (char *)l->spares;
        l->spares = l->spares->next;
        l->spares_n--;
    } else if (!(s->queue.p = malloc(BLOCK))) {
        mem_fatal();
    }
    s->queue.cap = BLOCK;
}

static void queue_grow(struct sock *s, size_t n)
{
    size_t cap = s->queue.cap;
    while (n > cap - s->queue.n)
        cap *= 2;
    char *more = s->secret ? malloc(cap) : realloc(s->queue.p, cap);
    if (!more)
        mem_fatal();
    if (s->secret) {
        memcpy(more, s->queue.p, s->queue.n);
        explicit_bzero(s->queue.p, s->queue.n);
        free(s->queue.p);
    }
    s->queue.p = more;
    s->queue.cap = cap;
}

static void queue_add(struct sock *s, const char *p, size_t n)
{
    if (!s->queue.p)
        queue_first(s);
    if (s->queue.at && n > s->queue.cap - s->queue.n) {
        memmove(s->queue.p, s->queue.p + s->queue.at, s->queue.n - s->queue.at);
        if (s->secret)
            explicit_bzero(s->queue.p + s->queue.n - s->queue.at, s->queue.at);
        s->queue.n -= s->queue.at;
        s->queue.at = 0;
    }
    if (n > s->queue.cap - s->queue.n)
        queue_grow(s, n);
    memcpy(s->queue.p + s->queue.n, p, n);
    s->queue.n += n;
    count(s->loop, queued, n);
}

static void queue_took(struct sock *s, size_t n)
{
    s->queue.at += n;
    s->sent += n;
    count(s->loop, queued, -n);
    if (s->queue.at == s->queue.n)
        queue_release(s);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void break_later(struct sock *s, int error)
{
    s->broken = true;
    s->error = error;
    loop_later(s->loop, &s->flush); /* the owner is told when nobody is in the middle of something */
}

/* What SSL_read, SSL_write and SSL_do_handshake left: true if it is only that it would block. */
static bool tls_waits(struct sock *s, int result)
{
    int why = SSL_get_error(s->ssl, result);
    if (why == SSL_ERROR_WANT_WRITE)
        s->blocked = true;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

/* Sends what waits and then p in whole records; what the system does not take is queued. all: a last one that is not full too.
 * OpenSSL wants what it could not send once more and first: it is what the queue begins with then. */
static void send_tls(struct sock *s, const char *p, size_t n, bool all)
{
    while (!s->blocked && !s->broken) {
        size_t waiting = sock_queued(s), piece = waiting + n < BLOCK ? waiting + n : BLOCK;
        if (!piece || (piece < BLOCK && !all))
            break;
        s->more = waiting + n > piece || s->closing;
        if (waiting && waiting < piece) {
            queue_add(s, p, piece - waiting);
            p += piece - waiting;
            n -= piece - waiting;
        }
        ERR_clear_error();
        int sent = SSL_write(s->ssl, waiting ? s->queue.p + s->queue.at : p, (int)piece);
        if (sent <= 0 && !tls_waits(s, sent))
            break_later(s, 0);
        if (sent <= 0)
            break;
        if (waiting) {
            queue_took(s, (size_t)sent);
        } else {
            s->sent += (size_t)sent;
            p += sent;
            n -= (size_t)sent;
        }
    }
    if (n)
        queue_add(s, p, n);
}

/* Sends what waits and then p; what the system does not take is queued. */
static void send_plain(struct sock *s, const char *p, size_t n)
{
    while (!s->blocked && !s->broken && (n || sock_queued(s))) {
        size_t waiting = sock_queued(s);
        struct iovec v[2] = { { s->queue.p + s->queue.at, waiting }, { (void *)(uintptr_t)p, n } };
        struct msghdr m = { .msg_iov = waiting ? v : v + 1, .msg_iovlen = waiting && n ? 2 : 1 };
        ssize_t sent = sendmsg(s->watch.fd, &m, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK)
                s->blocked = true;
            else
                break_later(s, errno);
            break;
        }
        size_t from_queue = (size_t)sent < waiting ? (size_t)sent : waiting;
        if (from_queue)
            queue_took(s, from_queue);
        s->sent += (size_t)sent - from_queue;
        p += (size_t)sent - from_queue;
        n -= (size_t)sent - from_queue;
        s->blocked = from_queue < waiting || n > 0; /* it took less: the next would block */
    }
    if (n)
        queue_add(s, p, n);
}

static void end_sending(struct sock *s)
{
    s->closing = s->more = false;
    if (s->ssl && s->handshaken)
        SSL_shutdown(s->ssl);
    shutdown(s->watch.fd, SHUT_WR);
}

static void send_waiting(struct sock *s)
{
    if (!s->handshaken || s->broken)
        return;
    if (s->ssl)
        send_tls(s, NULL, 0, true);
    else
        send_plain(s, NULL, 0);
    if (s->closing && !sock_queued(s) && !s->broken)
        end_sending(s);
    if (sock_queued(s) <= s->room_at && s->room_at != NO_ROOM_CALL && !s->broken) {
        s->room_at = NO_ROOM_CALL;
        s->calls->room(s);
    }
}

static void flush(struct task *t)
{
    struct sock *s = container_of(t, struct sock, flush);
    if (!sock_is_open(s))
        return;
    send_waiting(s);
    if (s->broken && !s->told && sock_is_open(s)) {
        s->told = true;
        s->calls->failed(s);
    }
}

void sock_put(struct sock *s, const char *p, size_t n)
{
    if (s->broken || !sock_is_open(s))
        return;
    bool now = s->handshaken && !s->blocked;
    if (now && s->ssl)
        send_tls(s, p, n, false);
    else if (now && n >= LARGE)
        send_plain(s, p, n);
    else if (n)
        queue_add(s, p, n);
    if (!s->blocked && sock_queued(s))
        loop_later(s->loop, &s->flush);
}

void sock_put_secret(struct sock *s, const char *p, size_t n)
{
    s->secret = true;
    sock_put(s, p, n);
}

void sock_finish(struct sock *s)
{
    s->closing = true;
    loop_later(s->loop, &s->flush);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* OpenSSL's buffers, 17 kB each way, are given back behind each record (SSL_MODE_RELEASE_BUFFERS), and zeroed for what was
 * in them. That is right for the many connections that wait, but costs a busy one more than all else in a request: one that
 * reads again soon keeps them until it rests. */
static void keep_warm(struct sock *s)
{
    if (!s->warm && s->rest.back) {
        s->warm = true;
        SSL_clear_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS);
    }
    timer_set(s->loop, &s->rest, REST_TIME);
}

static void on_rest(struct timer *t)
{
    struct sock *s = container_of(t, struct sock, rest);
    if (!s->warm)
        return;
    s->warm = false;
    SSL_set_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_free_buffers(s->ssl); /* does nothing while something is in them: the next record's end does it */
}

static long read_tls(struct sock *s, char *p, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ERR_clear_error();
        int r = SSL_read(s->ssl, p + got, (int)(n - got));
        if (r > 0) {
            got += (size_t)r;
            continue;
        }
        if (tls_waits(s, r)) {
            s->readable = false;
            break;
        }
        if (got)
            break; /* the next call says it again */
        if (SSL_get_error(s->ssl, r) == SSL_ERROR_ZERO_RETURN || SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN) {
            s->ended = true;
            return SOCK_END;
        }
        s->error = 0;
        return SOCK_ERROR;
    }
    if (got)
        keep_warm(s);
    return (long)got;
}

static long read_plain(struct sock *s, char *p, size_t n)
{
    ssize_t r;
    do
        r = recv(s->watch.fd, p, n, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0) {
        s->readable = false;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        s->error = errno;
        return SOCK_ERROR;
    }
    if (r == 0) {
        s->readable = false;
        s->ended = true;
        return SOCK_END;
    }
    if ((size_t)r < n && !s->ended)
        s->readable = false; /* all that was there: what comes next is a new edge */
    return r;
}

long sock_read(struct sock *s, char *p, size_t n)
{
    return s->ssl ? read_tls(s, p, n) : read_plain(s, p, n);
}

/* The system tells an end only once: it is passed on whenever nothing is read. */
static void hung_up(struct sock *s)
{
    if (s->ended && s->calls->hung_up)
        s->calls->hung_up(s, s->reset);
}

static void give(struct sock *s)
{
    s->calls->readable(s);
    if (!sock_is_open(s) || !s->readable)
        return;
    if (s->reading)
        loop_again(s->loop, &s->read);
    else
        hung_up(s);
}

static void read_again(struct task *t)
{
    struct sock *s = container_of(t, struct sock, read);
    if (sock_is_open(s) && s->reading && s->readable && s->handshaken)
        give(s);
}

void sock_pause(struct sock *s)
{
    s->reading = false;
}

void sock_resume(struct sock *s)
{
    s->reading = true;
    if (s->readable)
        loop_again(s->loop, &s->read);
}

/* ---- what the system says ------------------------------------------------------------------------ */

static bool connected(struct sock *s, uint32_t events)
{
    int error = 0;
    socklen_t n = sizeof error;
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return false;
    if (getsockopt(s->watch.fd, SOL_SOCKET, SO_ERROR, &error, &n) || error) {
        break_later(s, error ? error : errno);
        return false;
    }
    s->connecting = false;
    return true;
}

static bool shook_hands(struct sock *s)
{
    if (s->ssl) {
        ERR_clear_error();
        int r = SSL_do_handshake(s->ssl);
        if (r != 1) {
            if (!tls_waits(s, r)) {
                count(&s->loop->counts, tls_failures, SSL_is_server(s->ssl) != 0);
                break_later(s, 0);
            }
            return false;
        }
    }
    if (s->ssl && SSL_is_server(s->ssl))
        count(&s->loop->counts, tls_handshakes, 1);
    s->handshaken = true;
    s->calls->ready(s);
    return sock_is_open(s);
}

static void ready(struct watch *w, uint32_t events)
{
    struct sock *s = container_of(w, struct sock, watch);
    if (s->connecting && !connected(s, events))
        return;
    bool end = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (events & EPOLLOUT)
        s->blocked = false;
    if (events & EPOLLIN || end) {
        s->readable = true;
        s->dry = false;
    }
    s->ended |= end;
    s->reset |= (events & (EPOLLHUP | EPOLLERR)) != 0;
    if (!s->handshaken && !shook_hands(s))
        return;
    if (!s->blocked && (sock_queued(s) || s->closing))
        send_waiting(s);
    if (!sock_is_open(s))
        return;
    if (s->reading && s->readable)
        give(s);
    else if (end)
        hung_up(s);
}

bool sock_open(struct sock *s, struct loop *l, int fd, SSL *ssl, const struct sock_calls *calls, bool connecting)
{
    *s = (struct sock){ .loop = l,
                        .watch = { fd, ready },
                        .ssl = ssl,
                        .calls = calls,
                        .flush.run = flush,
                        .read.run = read_again,
                        .rest.fire = on_rest,
                        .room_at = NO_ROOM_CALL,
                        .connecting = connecting,
                        .handshaken = !connecting && !ssl,
                        .reading = true,
                        .dry = true };
    if ((!ssl || wire_use(ssl, s)) && loop_watch(l, &s->watch))
        return true;
    sock_close(s);
    return false;
}

void sock_close(struct sock *s)
{
    if (!sock_is_open(s))
        return;
    if (s->queue.p)
        queue_took(s, sock_queued(s));
    if (s->ssl) {
        if (s->handshaken && !s->broken)
            SSL_shutdown(s->ssl);
        else
            SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(s->ssl);
        s->ssl = NULL;
    }
    close(s->watch.fd);
    s->watch.fd = -1;
    task_cancel(&s->flush);
    task_cancel(&s->read);
    timer_stop(&s->rest);
}

void sock_abort(struct sock *s)
{
    if (!sock_is_open(s))
        return;
    s->broken = true; /* no close_notify */
    setsockopt(s->watch.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
    sock_close(s);
}

size_t sock_unread(const struct sock *s)
{
    int n = 0;
    if (ioctl(s->watch.fd, FIONREAD, &n) || n < 0)
        n = 0;
    return (size_t)n + (s->ssl && SSL_has_pending(s->ssl) ? READ_AHEAD : 0);
}
