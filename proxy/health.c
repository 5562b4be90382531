/* health: one thread, an event loop of its own, and a small state machine for each check: connect, send, read a status
 * line. A verdict is reached by that, by an error, or by the threshold's timer; the next attempt starts 30 s after the
 * last began. A name with several addresses is asked at the first that can be connected, where traffic goes too. */
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
    struct check *check; /* a reference */
    struct health *health;
    struct probe *next; /* in the health's list */
    unsigned round;     /* the last health_set that named it */
    struct grave grave;
    struct watch io;
    struct timer clock, again;
    enum stage stage;
    struct addresses *known; /* that the attempt may go to */
    size_t at;               /* the one after that which it goes to */
    SSL *ssl;
    size_t sent, got;
    char answer[ANSWER];
};
struct health {
    pthread_t thread;
    struct loop *loop;
    void (*told)(const struct check *c, bool up, const char *why);
    SSL_CTX *unverified;
    struct probe *probes; /* the thread's own */
    unsigned round;
};

/* ---- one attempt ------------------------------------------------------------------------ */

static void probe_close(struct probe *p)
{
    SSL_free(p->ssl);
    if (p->io.fd >= 0)
        close(p->io.fd);
    p->ssl = NULL;
    p->io.fd = -1;
}

static void probe_rest(struct probe *p)
{
    timer_stop(&p->clock);
    probe_close(p);
    addresses_release(p->known);
    p->known = NULL;
    p->stage = RESTING;
}

static void probe_verdict(struct probe *p, bool up, const char *why)
{
    probe_rest(p);
    if (check_verdict(p->check, up, why) && p->health->told)
        p->health->told(p->check, up, why);
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
        if (p->check->what.kind == PROBE_PING)
            probe_verdict(p, true, "ping");
        else if (p->got >= 12 || memchr(p->answer, '\n', p->got))
            judge_status(p);
    }
}

static void probe_send(struct probe *p)
{
    const struct strbuf *request = &p->check->request;
    while (p->sent < request->n) {
        const char *from = request->p + p->sent;
        size_t left = request->n - p->sent;
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
    struct peer *peer = p->check->what.peer;
    SSL *ssl = peer->tls ? peer_tls(peer) : SSL_new(p->health->unverified);
    if (ssl && SSL_set_fd(ssl, p->io.fd) == 1) {
        SSL_set_connect_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    return NULL;
}

static void probe_connect(struct probe *p);

static void probe_connected(struct probe *p)
{
    int error = 0;
    socklen_t n = sizeof error;
    getsockopt(p->io.fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error && p->at < p->known->n)
        probe_connect(p);
    else if (error)
        probe_verdict(p, false, strerror(error));
    else if (p->check->what.kind == PROBE_PING)
        probe_verdict(p, true, "connected: this host sends no pings");
    else if (p->check->what.kind == PROBE_TCP)
        probe_verdict(p, true, "connected");
    else if (!p->check->what.tls)
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

static bool begin_connecting(struct probe *p, struct address to)
{
    in_port_t port = htons(p->check->what.port);
    if (to.at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&to.at)->sin6_port = port;
    else
        ((struct sockaddr_in *)(void *)&to.at)->sin_port = port;
    p->io.fd = socket(to.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return p->io.fd >= 0 && (!connect(p->io.fd, (struct sockaddr *)&to.at, to.n) || errno == EINPROGRESS) &&
           loop_watch(p->health->loop, &p->io);
}

/* To the next address that can be tried at all. */
static void probe_connect(struct probe *p)
{
    bool begun = false;
    while (!begun && p->at < p->known->n) {
        probe_close(p);
        begun = begin_connecting(p, p->known->v[p->at++]);
    }
    if (begun)
        p->stage = CONNECTING;
    else
        probe_verdict(p, false, strerror(errno));
}

static void probe_start(struct timer *t)
{
    struct probe *p = container_of(t, struct probe, again);
    struct loop *l = p->health->loop;
    const struct check_about *what = &p->check->what;
    probe_rest(p);
    p->sent = p->got = p->at = 0;
    p->known = peer_addresses(what->peer);
    bool some = p->known && p->known->n;
    timer_set(l, &p->again, some || peer_is_nowhere(what->peer) ? INTERVAL : SOON);
    if (some) {
        timer_set(l, &p->clock, what->threshold);
        if (what->kind != PROBE_PING || !probe_ping(p, &p->known->v[0]))
            probe_connect(p);
    } else if (peer_is_nowhere(what->peer)) {
        probe_verdict(p, false, "its name leads nowhere");
    }
}

/* ---- the list of them ---------------------------------------------------------------------- */

static void release(struct grave *g)
{
    struct probe *p = container_of(g, struct probe, grave);
    check_release(p->check);
    free(p);
}

/* It may be in the hands of the loop until the turn is over. */
static void probe_end(struct probe *p)
{
    probe_rest(p);
    timer_stop(&p->again);
    p->check->probe = NULL;
    atomic_store(&p->check->up, true);
    loop_bury(p->health->loop, &p->grave, release);
}

static void probe_begin(struct health *h, struct check *c)
{
    struct probe *p = calloc(1, sizeof *p);
    if (!p)
        mem_fatal();
    *p = (struct probe){ .check = check_ref(c), .health = h, .next = h->probes, .io = { -1, probe_ready } };
    p->clock.fire = probe_late;
    p->again.fire = probe_start;
    c->probe = h->probes = p;
    probe_start(&p->again);
}

static void end_others(struct health *h)
{
    for (struct probe **at = &h->probes; *at;) {
        struct probe *p = *at;
        if (p->round == h->round) {
            at = &p->next;
        } else {
            *at = p->next;
            probe_end(p);
        }
    }
}

/* ---- the thread --------------------------------------------------------------------------------- */

struct change {
    struct message m;
    struct health *health;
    bool stop;
    size_t n;
    struct check *checks[]; /* references */
};

/* Checks that were there go on undisturbed; the others begin, or end. */
static void run_change(struct loop *l, struct message *m)
{
    struct change *c = container_of(m, struct change, m);
    struct health *h = c->health;
    h->round++;
    for (size_t i = 0; i < c->n; i++) {
        if (!c->checks[i]->probe)
            probe_begin(h, c->checks[i]);
        c->checks[i]->probe->round = h->round;
        check_release(c->checks[i]);
    }
    end_others(h);
    l->stop = c->stop;
    free(c);
}

static void post(struct health *h, struct check *const *checks, size_t n, bool stop)
{
    struct change *c = malloc(sizeof *c + n * sizeof(struct check *));
    if (!c)
        mem_fatal();
    *c = (struct change){ { .run = run_change }, h, stop, n };
    for (size_t i = 0; i < n; i++)
        c->checks[i] = check_ref(checks[i]);
    loop_post(h->loop, &c->m);
}

void health_set(struct health *h, struct check *const *checks, size_t n)
{
    post(h, checks, n, false);
}

static void *run(void *health)
{
    loop_run(((struct health *)health)->loop);
    return NULL;
}

struct health *health_new(void (*told)(const struct check *c, bool up, const char *why))
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
    post(h, NULL, 0, true);
    pthread_join(h->thread, NULL);
    loop_free(h->loop);
    SSL_CTX_free(h->unverified);
    free(h);
}
