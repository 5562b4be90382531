/* socket: a connected stream, plain or TLS, that never blocks: a queue for what the other side did not take yet, and
 * calls to the owner when there is something to read, room, an end. One owner, one loop.
 *
 * What is put is sent once when the loop's turn ends, so that a head and its body leave in one system call; large
 * pieces, and over TLS whole records, leave at once, without a copy.
 */
#ifndef PROXY_SOCKET_H
#define PROXY_SOCKET_H
#include "loop.h"
#include <openssl/ssl.h>

struct sock;
struct sock_calls {
    /* Read with sock_read until it gives 0, or once: it is called again as long as something is there. */
    void (*readable)(struct sock *s);
    void (*room)(struct sock *s);        /* the queue has fallen to s->room_at, which the owner set before */
    void (*ready)(struct sock *s);       /* connected, and the TLS handshake done */
    /* It cannot go on: the peer reset it, or the handshake failed (s->handshaken is false). Called once. */
    void (*failed)(struct sock *s);
/* The peer ended its sending (reset: it takes nothing either, or is gone) while nothing is read. NULL: reading will
     * tell in time. */
    void (*hung_up)(struct sock *s, bool reset);
};
enum { SOCK_END = -1, SOCK_ERROR = -2 };         /* of sock_read */
#define NO_ROOM_CALL UINT32_MAX

struct sock {
    struct loop *loop;
    struct watch watch;
    SSL *ssl;                            /* NULL: plain; its own */
    const struct sock_calls *calls;
    struct { char *p; size_t at, n, cap; } queue;        /* bytes at..n wait */
    struct task flush, read;
    struct timer rest;                   /* TLS: since the last read, for a while */
    uint32_t room_at;                    /* call room once when no more than these bytes wait; NO_ROOM_CALL */
    bool connecting, handshaken;
    bool readable;                       /* the system has more, or an end, as far as is known */
    bool reading;                        /* the owner wants it */
    bool dry;                            /* TLS: the system has nothing, until epoll says so; OpenSSL may */
    bool more;                           /* TLS: what is sent now has more behind it in this turn */
    bool blocked;                        /* the system takes no more now */
    bool broken;                         /* failed is, or will be, called */
    bool told;                           /* it was */
    bool warm;                           /* TLS: its buffers are kept from one record to the next */
    bool ended, reset;                   /* the peer has ended its sending; and takes nothing */
    bool secret;                         /* what is queued holds credentials: it is zeroed when it has left */
    bool closing;                        /* sock_finish: our sending ends when the queue is empty */
    uint64_t sent;                       /* bytes, ever */
    int error;                           /* errno of what broke it; 0: TLS, see the OpenSSL queue's text in tls_error */
};

/* Takes over fd (not blocking) and ssl. connecting: connect() is under way. Reading is on. false: it was closed. */
bool sock_open(struct sock *s, struct loop *l, int fd, SSL *ssl, const struct sock_calls *calls, bool connecting);
void sock_close(struct sock *s);         /* at once; twice is allowed. No call comes any more */
void sock_abort(struct sock *s);         /* the same, so that the peer sees that something is missing (RST, no close_notify) */
static inline bool sock_is_open(const struct sock *s)
{
    return s->watch.fd >= 0;
}

/* Bytes read, 0 for none now, SOCK_END, SOCK_ERROR. */
long sock_read(struct sock *s, char *p, size_t n);
size_t sock_unread(const struct sock *s);        /* bytes that wait to be read; over TLS no fewer than those of its content */
void sock_pause(struct sock *s);
void sock_resume(struct sock *s);        /* readable is called in the next turn if there is something */

void sock_put(struct sock *s, const char *p, size_t n);
void sock_put_secret(struct sock *s, const char *p, size_t n);       /* the same; no copy of it stays */
void sock_finish(struct sock *s);        /* end our sending (FIN, close_notify) behind what waits */
static inline size_t sock_queued(const struct sock *s)
{
    return s->queue.n - s->queue.at;
}
#endif
