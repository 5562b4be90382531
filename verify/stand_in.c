/* The published servers' stand-ins: one thread with an epoll loop that listens in the place of every server of the plan,
 * speaks plain HTTP or TLS, whichever the proxy begins with.
 * What the requests are and how they are answered is in stand_in_http.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stand_in.h"

#define MAX_HEAD (256 * 1024)

/* ---- TLS ------------------------------------------------------------------------- */

static SSL_CTX *context_for(struct stand_in *s, const char *name)
{
    size_t low = 0, high = s->names.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(s->names.v[mid].name, name);
        if (c == 0)
            return s->names.v[mid].ctx;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    vec_push(s->arena, &s->names);
    memmove(s->names.v + low + 1, s->names.v + low, (s->names.n - 1 - low) * sizeof *s->names.v);
    s->names.v[low].name = arena_strdup(s->arena, name);
    s->names.v[low].ctx = authority_server(s->authority, name);
    return s->names.v[low].ctx;
}

/* The certificate is for the name asked for, or for the site that the plan has behind this address if none was. */
static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
    struct stand_in *s = arg;
    struct peer *p = SSL_get_app_data(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    free(p->sni);
    p->sni = name ? strdup(name) : NULL;
    if (!s->wrong_name)
        SSL_set_SSL_CTX(ssl, context_for(s, name && strlen(name) < 256 ? name : s->places->servers.v[p->server].site));
    return SSL_TLSEXT_ERR_OK;
}

/* ---- the loop ------------------------------------------------------------------------- */

static struct peer *peer_add(struct stand_in *s, int fd, size_t server, bool listening)
{
    struct peer *p = calloc(1, sizeof *p);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };
    if (p == NULL)
        mem_fatal();
    *p = (struct peer){
        .fd = fd, .server = server, .listening = listening, .events = EPOLLIN, .held = SIZE_MAX, .next = s->peers
    };
    if (s->peers)
        s->peers->prev = p;
    s->peers = p;
    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &e);
    return p;
}

static void peer_close(struct stand_in *s, struct peer *p)
{
    if (p->prev)
        p->prev->next = p->next;
    else
        s->peers = p->next;
    if (p->next)
        p->next->prev = p->prev;
    if (p->ssl && !p->shaking)
        SSL_shutdown(p->ssl);
    SSL_free(p->ssl);
    close(p->fd);
    free(p->sni);
    free(p->head);
    free(p->proxied);
    buf_free(&p->in);
    buf_free(&p->out);
    buf_free(&p->rest);
    free(p);
}

/* Bytes moved; 0: come back later; -1: over. */
static int retry_or_over(SSL *ssl, int got)
{
    int why = SSL_get_error(ssl, got);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static int peer_read(struct peer *p, char *to, size_t room)
{
    if (p->ssl) {
        int n = SSL_read(p->ssl, to, (int)room);
        return n > 0 ? n : retry_or_over(p->ssl, n);
    }
    ssize_t n = read(p->fd, to, room);
    return n > 0 ? (int)n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int peer_write(struct peer *p)
{
    size_t n = p->out.n - p->sent;
    if (p->ssl) {
        int k = SSL_write(p->ssl, p->out.p + p->sent, (int)(n > 16384 ? 16384 : n));
        return k > 0 ? k : retry_or_over(p->ssl, k);
    }
    ssize_t k = send(p->fd, p->out.p + p->sent, n, MSG_NOSIGNAL);
    return k >= 0 ? (int)k : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static int peer_flush(struct peer *p)
{
    while (p->sent < p->out.n) {
        int k = peer_write(p);
        if (k <= 0)
            return k;
        p->sent += (size_t)k;
    }
    p->sent = 0;
    buf_clear(&p->out);
    return p->closing ? -1 : 0;
}

/* A target may show one (B-51); which it was is what counts. */
static int any_certificate(int good, X509_STORE_CTX *store)
{
    (void)good;
    (void)store;
    return 1;
}

/* The first byte tells TLS (a handshake record begins with 22) from HTTP. */
static int learn_kind(struct stand_in *s, struct peer *p)
{
    char first;
    ssize_t n = recv(p->fd, &first, 1, MSG_PEEK);
    if (n <= 0)
        return n < 0 && errno == EAGAIN ? 0 : -1;
    p->knows_kind = true;
    if (first != 22)
        return 0;
    p->ssl = SSL_new(s->wrong);
    if (p->ssl == NULL)
        return -1;
    SSL_set_app_data(p->ssl, p);
    SSL_set_verify(p->ssl, SSL_VERIFY_PEER, any_certificate);
    SSL_set_fd(p->ssl, p->fd);
    SSL_set_accept_state(p->ssl);
    p->shaking = true;
    return 0;
}

static int peer_ready(struct stand_in *s, struct peer *p)
{
    char some[32768];
    int n;
    if (!p->knows_kind && learn_kind(s, p) != 0)
        return -1; /* also who connects and says nothing, as health checks do: its end would be told again and again */
    if (!p->knows_kind)
        return 0;
    if (p->shaking) {
        n = SSL_do_handshake(p->ssl);
        if (n != 1)
            return retry_or_over(p->ssl, n);
        p->shaking = false;
    }
    while ((n = peer_read(p, some, sizeof some)) > 0) {
        buf_add(&p->in, some, (size_t)n);
        while (peer_step(s, p))
            ;
        if (p->stage == STAGE_HEAD && p->in.n > MAX_HEAD)
            return -1;
    }
    if (n < 0)
        return -1;
    return peer_flush(p);
}

static void peer_accept(struct stand_in *s, struct peer *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        peer_add(s, fd, listener->server, false);
    }
}

static void settle_events(struct stand_in *s, struct peer *p)
{
    uint32_t want = EPOLLIN | (p->out.n > p->sent ? EPOLLOUT : 0u);
    if (want != p->events) {
        struct epoll_event e = { .events = want, .data.ptr = p };
        p->events = want;
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, p->fd, &e);
    }
}

static void peer_event(struct stand_in *s, struct peer *p)
{
    if (p->listening) {
        peer_accept(s, p);
        return;
    }
    ERR_clear_error();
    if (peer_ready(s, p) < 0) {
        peer_close(s, p);
        return;
    }
    settle_events(s, p);
}

/* Answers that were held and may go on. */
static void release_held(struct stand_in *s)
{
    for (struct peer *p = s->peers, *next; p; p = next) {
        next = p->next;
        if (p->held == SIZE_MAX)
            continue;
        peer_release(s, p);
        if (peer_flush(p) < 0)
            peer_close(s, p);
        else
            settle_events(s, p);
    }
}

/* What another thread asked for; true: the end. */
static bool woken(struct stand_in *s)
{
    uint64_t count;
    if (read(s->wake, &count, sizeof count) < 0)
        return false;
    pthread_mutex_lock(&s->lock);
    bool stop = s->stop;
    s->wrong_name = s->wrong_next;
    if (s->drop || stop)
        for (struct peer *p = s->peers, *next; p; p = next) {
            next = p->next;
            if (stop || !p->listening)
                peer_close(s, p);
        }
    s->drop = false;
    pthread_cond_broadcast(&s->dropped);
    pthread_mutex_unlock(&s->lock);
    release_held(s);
    return stop;
}

static void *serve(void *arg)
{
    struct stand_in *s = arg;
    struct epoll_event e[64];
    for (;;) {
        int n = epoll_wait(s->epoll, e, 64, -1);
        bool wake = false;
        for (int i = 0; i < n; i++) {
            if (e[i].data.ptr == NULL)
                wake = true; /* last: it frees peers that other events name */
            else
                peer_event(s, e[i].data.ptr);
        }
        if (wake && woken(s))
            return NULL;
    }
}

/* ---- from outside ------------------------------------------------------------------------- */

static int open_sockets(struct stand_in *s, struct strbuf *err)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->epoll < 0 || s->wake < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &e) != 0) {
        buf_printf(err, "no event loop: %s\n", strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < s->places->servers.n; i++) {
        int fd = loopback_listen(s->places->servers.v[i].at);
        if (fd < 0) {
            buf_printf(err, "no socket for the published server %s: %s\n", s->places->servers.v[i].host,
                       strerror(errno));
            return -1;
        }
        peer_add(s, fd, i, true);
    }
    return 0;
}

struct stand_in *stand_in_start(const struct places *places, const struct authority *a, const probes *list,
                                struct strbuf *err)
{
    struct stand_in *s = calloc(1, sizeof *s);
    if (s == NULL)
        mem_fatal();
    s->places = places;
    s->authority = a;
    s->list = list;
    s->epoll = s->wake = -1;
    s->arena = arena_new();
    s->seen = calloc(list->n + 1, sizeof *s->seen);
    s->progress = calloc(list->n + 1, sizeof *s->progress);
    if (s->seen == NULL || s->progress == NULL)
        mem_fatal();
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->dropped, NULL);
    s->wrong = authority_server(a, "wrong-name.invalid");
    SSL_CTX_set_tlsext_servername_callback(s->wrong, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(s->wrong, s);
    if (open_sockets(s, err) == 0 && pthread_create(&s->thread, NULL, serve, s) == 0)
        return s;
    s->stop = true;
    stand_in_stop(s);
    return NULL;
}

static void wake(struct stand_in *s)
{
    uint64_t one = 1;
    while (write(s->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void stand_in_stop(struct stand_in *s)
{
    if (s == NULL)
        return;
    if (!s->stop) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_mutex_unlock(&s->lock);
        wake(s);
        pthread_join(s->thread, NULL);
    }
    for (struct peer *p = s->peers, *next; p; p = next) {
        next = p->next;
        peer_close(s, p);
    }
    for (size_t i = 0; i < s->names.n; i++)
        SSL_CTX_free(s->names.v[i].ctx);
    SSL_CTX_free(s->wrong);
    for (size_t i = 0; i < s->list->n; i++) {
        sighting_free(&s->seen[i]);
    }
    free(s->seen);
    free(s->progress);
    if (s->epoll >= 0)
        close(s->epoll);
    if (s->wake >= 0)
        close(s->wake);
    pthread_cond_destroy(&s->dropped);
    pthread_mutex_destroy(&s->lock);
    arena_free(s->arena);
    free(s);
}

void stand_in_wrong_name(struct stand_in *s, bool wrong)
{
    pthread_mutex_lock(&s->lock);
    s->wrong_next = wrong;
    s->drop = true;
    wake(s);
    while (s->drop)
        pthread_cond_wait(&s->dropped, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void stand_in_take(struct stand_in *s, size_t probe, struct sighting *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->seen[probe];
    memset(&s->seen[probe], 0, sizeof s->seen[probe]);
    s->progress[probe] = (struct progress){ false, false };
    pthread_mutex_unlock(&s->lock);
}

void sighting_free(struct sighting *s)
{
    free(s->head);
    free(s->sni);
    free(s->proxied);
}

bool stand_in_begun(struct stand_in *s, size_t probe)
{
    pthread_mutex_lock(&s->lock);
    bool begun = s->progress[probe].begun;
    pthread_mutex_unlock(&s->lock);
    return begun;
}

void stand_in_release(struct stand_in *s, size_t probe)
{
    pthread_mutex_lock(&s->lock);
    s->progress[probe].released = true;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}
