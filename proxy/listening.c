/* listening: opening, accepting, changing. */
#define _GNU_SOURCE
#include "listening.h"
#include "client.h"
#include "flood.h"
#include "introduction.h"
#include "tell.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, BATCH = 64, RETRY_TIME = 100 }; /* connections; accepted in a turn; ms */

struct listening {
    struct watch watch;
    struct task again;
    struct timer retry;
    struct grave grave;
    struct loop *loop;
    struct serving *serving;         /* a reference */
    const struct serving_socket *at; /* in serving */
    struct listening *next;
};

/* ---- opening ------------------------------------------------------------------------- */

static struct sockaddr_in place_of(const struct serving_socket *k)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(k->port) };
    if (strcmp(k->address, "*") != 0)
        inet_pton(AF_INET, k->address, &at.sin_addr);
    return at;
}

static int open_one(const struct serving_socket *k, struct kept *kept, struct strbuf *err)
{
    struct sockaddr_in at = place_of(k);
    int before = kept_take(kept, &at);
    if (before >= 0)
        return before;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) &&
        !setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) &&
        !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) && /* inherited by what is accepted */
        !setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes) &&
        !bind(fd, (const struct sockaddr *)(const void *)&at, sizeof at) && !listen(fd, BACKLOG))
        return fd;
    buf_printf(err, "%s:%u: %s\n", k->address, k->port, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

int *listening_open(const struct serving *next, const struct serving *now, int loops, struct kept *kept,
                    struct strbuf *err)
{
    size_t n = next->sockets.n, all = n * (size_t)loops;
    int *fds = malloc((all + 1) * sizeof(int));
    if (!fds)
        mem_fatal();
    for (size_t i = 0; i < all; i++) {
        const struct serving_socket *k = &next->sockets.v[i % n];
        fds[i] = -1;
        if ((now && serving_place(now, k)) || (fds[i] = open_one(k, kept, err)) >= 0)
            continue;
        while (i--)
            if (fds[i] >= 0)
                close(fds[i]);
        free(fds);
        return NULL;
    }
    return fds;
}

void listening_keep(int to, const struct serving *next, const struct serving *now, const int *fds, int loops)
{
    size_t n = next->sockets.n;
    struct sockaddr_in *at = calloc(n + 1, sizeof *at);
    if (!at)
        mem_fatal();
    for (size_t i = 0; i < n; i++)
        at[i] = place_of(&next->sockets.v[i]);
    if (!kept_tell(to, fds, n * (size_t)loops, at, now ? n : 0)) /* at first all are in fds, and no others stay */
        tell(LOG_WARNING, "the listening sockets will be lost if this process dies: %s", strerror(errno));
    free(at);
}

/* ---- accepting --------------------------------------------------------------------------- */

static bool is_full(const struct listening *k)
{
    const struct serving_listener *l = &k->serving->listeners.v[k->at->listener];
    return atomic_load_explicit(&l->connections->n, memory_order_relaxed) >= l->most;
}

/* Of who speaks for many clients the connections are not the clients'. */
static bool floods(const struct arrival *a)
{
    return a->serving->snapshot->config->flood && a->at->client_from == CLIENT_OF_CONNECTION &&
           !flood_connects(a->address, a->loop->now);
}

static void arrive(const struct arrival *a)
{
    if ((a->at->proxies && !ipset_has(a->at->proxies, a->address)) || floods(a))
        close(a->fd);
    else if (a->at->client_from == CLIENT_BY_PROXY_PROTOCOL)
        introduction_await(a);
    else
        h1_begin(a);
}

static void accept_some(struct listening *k)
{
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_in from = { 0 };
        socklen_t n = sizeof from;
        if (is_full(k)) {
            timer_set(k->loop, &k->retry, RETRY_TIME);
            return;
        }
        int fd = accept4(k->watch.fd, (struct sockaddr *)(void *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            struct arrival a = { k->loop, k->serving, k->at, fd, ntohl(from.sin_addr.s_addr), ntohs(from.sin_port) };
            arrive(&a);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            timer_set(k->loop, &k->retry, RETRY_TIME);
            return;
        }
    }
    loop_again(k->loop, &k->again);
}

static void on_ready(struct watch *w, uint32_t events)
{
    if (events & EPOLLIN)
        accept_some(container_of(w, struct listening, watch));
}

static void on_again(struct task *t)
{
    accept_some(container_of(t, struct listening, again));
}

static void on_retry(struct timer *t)
{
    accept_some(container_of(t, struct listening, retry));
}

/* ---- changing -------------------------------------------------------------------------------- */

static void release(struct grave *g)
{
    free(container_of(g, struct listening, grave));
}

static void close_one(struct listening *k)
{
    close(k->watch.fd);
    k->watch.fd = -1;
    task_cancel(&k->again);
    timer_stop(&k->retry);
    serving_release(k->serving);
    loop_bury(k->loop, &k->grave, release);
}

static void move_to(struct listening *k, struct serving *next, const struct serving_socket *at)
{
    struct serving *old = k->serving;
    k->serving = serving_ref(next);
    k->at = at;
    serving_release(old);
}

static void open_on(struct loop *l, struct serving *next, const struct serving_socket *at, int fd)
{
    struct listening *k = calloc(1, sizeof *k);
    if (!k)
        mem_fatal();
    k->loop = l;
    k->watch = (struct watch){ fd, on_ready };
    k->again.run = on_again;
    k->retry.fire = on_retry;
    k->serving = serving_ref(next);
    k->at = at;
    k->next = l->listening;
    l->listening = k;
    if (!loop_watch(l, &k->watch))
        mem_fatal();
}

void listening_set(struct loop *l, struct serving *next, const int *fds)
{
    for (struct listening **at = &l->listening; *at;) {
        struct listening *k = *at;
        const struct serving_socket *same = next ? serving_place(next, k->at) : NULL;
        if (same) {
            move_to(k, next, same);
            at = &k->next;
        } else {
            *at = k->next;
            close_one(k);
        }
    }
    for (size_t i = 0; next && i < next->sockets.n; i++)
        if (fds[i] >= 0)
            open_on(l, next, &next->sockets.v[i], fds[i]);
    struct serving *old = l->serving;
    l->serving = next ? serving_ref(next) : NULL;
    serving_release(old);
}

void listening_close(struct loop *l)
{
    listening_set(l, NULL, NULL);
}
