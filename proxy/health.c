/* health: one thread, an event loop of its own, and a small state machine for each member: connect, send, read a status
 * line. A verdict is reached by that, by an error, or by the threshold's timer; the next attempt starts 30 s after the
 * last began. */
#include "health.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { INTERVAL = 30000, SOON = 1000, ANSWER = 256 }; /* ms; bytes that are read of an answer at most */

enum stage { RESTING, CONNECTING, SHAKING, SENDING, READING };
struct probe {
    struct health_check what;
    struct health *health;
    bool begun;
    struct grave grave;
    struct watch io;
    struct timer clock, again;
    enum stage stage;
    SSL *ssl;
    struct strbuf request;
    size_t sent, got;
    char answer[ANSWER];
};
struct probes {
    struct probe **v;
    size_t n;
};
struct health {
    pthread_t thread;
    struct loop *loop;
    void (*told)(const struct peer *p, bool up, const char *why);
    SSL_CTX *unverified;
    struct probes now; /* the thread's own */
};

/* ---- one attempt ------------------------------------------------------------------------ */

static void probe_rest(struct probe *p)
{
    timer_stop(&p->clock);
    SSL_free(p->ssl);
    if (p->io.fd >= 0)
        close(p->io.fd);
    p->ssl = NULL;
    p->io.fd = -1;
    p->stage = RESTING;
}

static void probe_verdict(struct probe *p, bool up, const char *why)
{
    probe_rest(p);
    if (atomic_exchange(&p->what.peer->state.up, up) != up && p->health->told)
        p->health->told(p->what.peer, up, why);
}

/* After a call that did not succeed: true if it is to be tried again when the socket is ready. */
static bool must_wait(struct probe *p, ssize_t result)
{
    if (!p->ssl)
        return result < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN);
    int why = SSL_get_error(p->ssl, (int)result);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static void judge_status(struct probe *p)
{
    long status = strncmp(p->answer, "HTTP/1.", 7) || p->got < 12 ? 0 : strtol(p->answer + 9, NULL, 10);
    char why[40];
    snprintf(why, sizeof why, status ? "status %ld" : "no HTTP", status);
    probe_verdict(p, (status >= 100 && status < 400) || status == 401, why);
}

static void probe_read(struct probe *p)
{
    while (p->stage == READING) {
        char *to = p->answer + p->got;
        size_t room = ANSWER - 1 - p->got;
        ssize_t n = p->ssl ? SSL_read(p->ssl, to, (int)room) : read(p->io.fd, to, room);
        if (n <= 0) {
            if (!must_wait(p, n))
                probe_verdict(p, false, "closed without an answer");
            return;
        }
        p->got += (size_t)n;
        p->answer[p->got] = '\0';
        if (p->what.kind == PROBE_PING)
            probe_verdict(p, true, "ping");
        else if (p->got >= 12 || memchr(p->answer, '\n', p->got))
            judge_status(p);
    }
}

static void probe_send(struct probe *p)
{
    while (p->sent < p->request.n) {
        const char *from = p->request.p + p->sent;
        size_t left = p->request.n - p->sent;
        ssize_t n = p->ssl ? SSL_write(p->ssl, from, (int)left) : send(p->io.fd, from, left, MSG_NOSIGNAL);
        if (n <= 0) {
            if (!must_wait(p, n))
                probe_verdict(p, false, "closed without an answer");
            return;
        }
        p->sent += (size_t)n;
    }
    p->stage = READING;
}

static void probe_shake(struct probe *p)
{
    int result = SSL_do_handshake(p->ssl);
    if (result == 1)
        p->stage = SENDING;
    else if (!must_wait(p, result))
        probe_verdict(p, false, "TLS failed");
}

static SSL *probe_tls(struct probe *p)
{
    SSL *ssl = p->what.peer->tls ? peer_tls(p->what.peer) : SSL_new(p->health->unverified);
    if (ssl && SSL_set_fd(ssl, p->io.fd) == 1) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

static void probe_connected(struct probe *p)
{
    int error = 0;
    socklen_t n = sizeof error;
    getsockopt(p->io.fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error)
        probe_verdict(p, false, strerror(error));
    else if (p->what.kind != PROBE_HTTP)
        probe_verdict(p, true, "connected");
    else if (!p->what.tls)
        p->stage = SENDING;
    else if ((p->ssl = probe_tls(p)))
        p->stage = SHAKING;
    else
        probe_verdict(p, false, "TLS failed");
}

static void probe_ready(struct watch *w, uint32_t events)
{
    struct probe *p = container_of(w, struct probe, io);
    if (p->stage == CONNECTING && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        probe_connected(p);
    if (p->stage == SHAKING)
        probe_shake(p);
    if (p->stage == SENDING)
        probe_send(p);
    if (p->stage == READING)
        probe_read(p);
}

static void probe_late(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, clock);
    if (p->stage != RESTING)
        probe_verdict(p, false, "no answer in time");
}

/* Echo requests need no privilege where the host allows it (net.ipv4.ping_group_range); false: it does not, and a TCP
 * connection has to do. */
static bool probe_ping(struct probe *p, const struct address *to)
{
    struct icmphdr echo = { .type = ICMP_ECHO };
    if (to->at.ss_family != AF_INET ||
        (p->io.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP)) < 0)
        return false;
    if (connect(p->io.fd, (const struct sockaddr *)&to->at, to->n) || send(p->io.fd, &echo, sizeof echo, 0) < 0 ||
        !loop_watch(p->health->loop, &p->io))
        probe_verdict(p, false, strerror(errno));
    else
        p->stage = READING;
    return true;
}

static void probe_connect(struct probe *p, struct address to)
{
    if (to.at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&to.at)->sin6_port = htons(p->what.port);
    else
        ((struct sockaddr_in *)(void *)&to.at)->sin_port = htons(p->what.port);
    p->io.fd = socket(to.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->io.fd < 0 || (connect(p->io.fd, (struct sockaddr *)&to.at, to.n) && errno != EINPROGRESS) ||
        !loop_watch(p->health->loop, &p->io))
        probe_verdict(p, false, strerror(errno));
    else
        p->stage = CONNECTING;
}

static void probe_start(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, again);
    struct loop *l = p->health->loop;
    probe_rest(p);
    p->sent = p->got = 0;
    struct addresses *known = peer_addresses(p->what.peer);
    timer_set(l, &p->again, known && known->n ? INTERVAL : SOON);
    if (known && known->n) {
        timer_set(l, &p->clock, p->what.threshold);
        if (p->what.kind != PROBE_PING || !probe_ping(p, &known->v[0]))
            probe_connect(p, known->v[0]);
    } else { /* the resolver has not been there yet, or the name leads nowhere: traffic finds out */
        probe_rest(p);
    }
    if (known)
        addresses_release(known);
}

/* ---- the list of them ---------------------------------------------------------------------- */

static void probe_free(struct probe *p)
{
    peer_release(p->what.peer);
    buf_free(&p->request);
    free(p);
}

static void release(struct grave *g)
{
    probe_free(container_of(g, struct probe, grave));
}

/* One that has begun may be in the hands of the loop until its turn is over. */
static void probe_end(struct probe *p)
{
    if (!p->begun) {
        probe_free(p);
        return;
    }
    probe_rest(p);
    timer_stop(&p->again);
    loop_bury(p->health->loop, &p->grave, release);
}

static void probes_free(struct probes *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i])
            probe_end(list->v[i]);
    free(list->v);
    *list = (struct probes){ 0 };
}

static struct probe *probe_new(struct health *h, const struct health_check *what)
{
    struct probe *p = calloc(1, sizeof *p);
    if (!p)
        mem_fatal();
    p->health = h;
    p->what = *what;
    p->what.path = p->what.host = NULL;
    p->io = (struct watch){ -1, probe_ready };
    p->clock.fire = probe_late;
    p->again.fire = probe_start;
    peer_ref(what->peer);
    if (what->kind == PROBE_HTTP)
        buf_printf(&p->request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", what->path, what->host);
    return p;
}

static bool same_check(const struct probe *x, const struct probe *y)
{
    return x->what.peer == y->what.peer && x->what.kind == y->what.kind && x->what.port == y->what.port &&
           x->what.tls == y->what.tls && x->what.threshold == y->what.threshold && x->request.n == y->request.n &&
           (!x->request.n || !memcmp(x->request.p, y->request.p, x->request.n));
}

static bool still_checked(const struct probes *list, const struct peer *peer)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i] && list->v[i]->what.peer == peer)
            return true;
    return false;
}

/* Probes that were there go on undisturbed; the others begin, or end. */
static void adopt(struct health *h, struct probes next)
{
    for (size_t i = 0; i < next.n; i++)
        for (size_t j = 0; j < h->now.n && !next.v[i]->begun; j++)
            if (h->now.v[j] && same_check(next.v[i], h->now.v[j])) {
                probe_free(next.v[i]);
                next.v[i] = h->now.v[j];
                h->now.v[j] = NULL;
            }
    for (size_t j = 0; j < h->now.n; j++)
        if (h->now.v[j] && !still_checked(&next, h->now.v[j]->what.peer))
            atomic_store(&h->now.v[j]->what.peer->state.up, true);
    probes_free(&h->now);
    h->now = next;
    for (size_t i = 0; i < next.n; i++)
        if (!next.v[i]->begun) {
            next.v[i]->begun = true;
            probe_start(&next.v[i]->again);
        }
}

/* ---- the thread --------------------------------------------------------------------------------- */

struct change {
    struct message m;
    struct health *health;
    struct probes next;
    bool stop;
};

static void run_change(struct loop *l, struct message *m)
{
    struct change *c = container_of(m, struct change, m);
    adopt(c->health, c->next);
    l->stop = c->stop;
    free(c);
}

static void post(struct health *h, struct probes next, bool stop)
{
    struct change *c = malloc(sizeof *c);
    if (!c)
        mem_fatal();
    *c = (struct change){ { .run = run_change }, h, next, stop };
    loop_post(h->loop, &c->m);
}

void health_set(struct health *h, const struct health_check *checks, size_t n)
{
    struct probes next = { .v = calloc(n + 1, sizeof *next.v), .n = n };
    if (!next.v)
        mem_fatal();
    for (size_t i = 0; i < n; i++)
        next.v[i] = probe_new(h, &checks[i]);
    post(h, next, false);
}

static void *run(void *health)
{
    loop_run(((struct health *)health)->loop);
    return NULL;
}

struct health *health_new(void (*told)(const struct peer *p, bool up, const char *why))
{
    struct health *h = calloc(1, sizeof *h);
    if (!h || !(h->unverified = SSL_CTX_new(TLS_client_method())))
        mem_fatal();
    h->told = told;
    if ((h->loop = loop_new(LOOPS_MOST)) && !pthread_create(&h->thread, NULL, run, h))
        return h;
    if (h->loop)
        loop_free(h->loop);
    SSL_CTX_free(h->unverified);
    free(h);
    return NULL;
}

void health_free(struct health *h)
{
    if (!h)
        return;
    post(h, (struct probes){ 0 }, true);
    pthread_join(h->thread, NULL);
    free(h->now.v);
    loop_free(h->loop);
    SSL_CTX_free(h->unverified);
    free(h);
}
