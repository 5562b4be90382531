/* wire: see wire.h. */
#include "wire.h"
#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <sys/socket.h>

static int take(BIO *b, char *p, int n)
{
    struct sock *s = BIO_get_data(b);
    ssize_t r = -1;
    BIO_clear_retry_flags(b);
    if (s->dry) {
        BIO_set_retry_read(b);
        return -1;
    }
    do
        r = recv(s->watch.fd, p, (size_t)n, 0);
    while (r < 0 && errno == EINTR);
    if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        s->dry = true;
        BIO_set_retry_read(b);
    } else if (r == 0) {
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    } else if (r < n && !s->ended) {
        s->dry = true; /* all that was there: what comes next is a new edge */
    }
    return (int)r;
}

static int give(BIO *b, const char *p, int n)
{
    struct sock *s = BIO_get_data(b);
    ssize_t r;
    BIO_clear_retry_flags(b);
    do
        r = send(s->watch.fd, p, (size_t)n, MSG_NOSIGNAL | (s->more ? MSG_MORE : 0));
    while (r < 0 && errno == EINTR);
    if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(b);
    return (int)r;
}

static long control(BIO *b, int what, long number, void *p)
{
    (void)number, (void)p;
    switch (what) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    default: return 0;
    }
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    if (!method || !BIO_meth_set_read(method, take) || !BIO_meth_set_write(method, give) ||
        !BIO_meth_set_ctrl(method, control))
        mem_fatal();
}

bool wire_use(SSL *ssl, struct sock *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *b = BIO_new(method);
    if (!b)
        return false;
    BIO_set_data(b, s);
    BIO_set_init(b, 1);
    SSL_set_bio(ssl, b, b);
    SSL_set_read_ahead(ssl, 1);
    return true;
}
