#include "admin.h"
#include "../base/ipset.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 2000, REQUEST = 4096 }; /* ms for a request and its answer; bytes */

struct admin {
    pthread_t thread;
    int fd, stop[2];
    bool loopback;
    void (*view)(void *context, struct arena *a, struct status *out);
    void *context;
};

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* A page of another site can have a name of its own lead here and read what its browser gets (DNS rebinding). On loopback
 * nobody needs a name: an address or localhost it is, or no Host at all. */
static bool is_named(const struct admin *m, const char *request)
{
    static const char field[] = "\r\nHost:";
    const char *host = request;
    char name[16] = "";
    uint32_t ip;
    while (*host && ascii_ncasecmp(host, field, sizeof field - 1) != 0)
        host++;
    if (!m->loopback || !*host)
        return false;
    host += sizeof field - 1;
    host += strspn(host, " \t");
    size_t n = strcspn(host, ": \t\r\n");
    if (n >= sizeof name)
        return true;
    memcpy(name, host, n);
    return !ip_parse(name, &ip) && ascii_casecmp(name, "localhost") != 0;
}

static void answer(struct admin *m, const char *request, struct strbuf *out)
{
    struct strbuf body = { 0 };
    struct status s = { 0 };
    struct arena *a = arena_new();
    const char *type = "text/plain; charset=utf-8", *status = "200 OK";
    if (is_named(m, request)) {
        status = "403 Forbidden";
        buf_printf(&body, "%s\n", status);
    } else if (begins(request, "GET / ") || begins(request, "GET /?")) {
        type = "text/html; charset=utf-8";
        m->view(m->context, a, &s);
        status_page(&body, &s);
    } else if (begins(request, "GET /metrics ")) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        m->view(m->context, a, &s);
        status_metrics(&body, &s);
    } else if (begins(request, "GET /health ")) {
        buf_puts(&body, "ok\n");
    } else {
        status = begins(request, "GET ") ? "404 Not Found" : "405 Method Not Allowed";
        buf_printf(&body, "%s\n", status);
    }
    buf_printf(
        out,
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n",
        status, type, body.n);
    buf_add(out, body.p, body.n);
    buf_free(&body);
    arena_free(a);
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits for what poll(2) calls events until end; false: they did not come. One asker after the other is served, so none may take
 * longer, however it parcels its request out. */
static bool wait_until(int fd, short events, long long end)
{
    struct pollfd p = { .fd = fd, .events = events };
    long long left = end - now_ms();
    return left > 0 && poll(&p, 1, (int)left) > 0;
}

static void serve(struct admin *m, int fd)
{
    char request[REQUEST] = "";
    size_t n = 0;
    ssize_t got = 1;
    long long end = now_ms() + PATIENCE;
    struct strbuf out = { 0 };
    while (!strstr(request, "\r\n\r\n") && n < sizeof request - 1 && got > 0 && wait_until(fd, POLLIN, end)) {
        got = recv(fd, request + n, sizeof request - 1 - n, MSG_DONTWAIT);
        n += got > 0 ? (size_t)got : 0;
        request[n] = '\0';
    }
    if (strstr(request, "\r\n\r\n"))
        answer(m, request, &out);
    for (size_t done = 0; done < out.n && wait_until(fd, POLLOUT, end); done += got > 0 ? (size_t)got : 0)
        if ((got = send(fd, out.p + done, out.n - done, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0)
            break;
    buf_free(&out);
    close(fd);
}

static void *run(void *admin)
{
    struct admin *m = admin;
    struct pollfd wait[2] = { { .fd = m->fd, .events = POLLIN }, { .fd = m->stop[0], .events = POLLIN } };
    while (poll(wait, 2, -1) >= 0 || errno == EINTR) {
        if (wait[1].revents)
            break;
        int fd = wait[0].revents ? accept(m->fd, NULL, NULL) : -1;
        if (fd >= 0)
            serve(m, fd);
    }
    return NULL;
}

static int listen_on(const char *address, bool *loopback, struct strbuf *err)
{
    const char *colon = strrchr(address, ':');
    char host[16] = "";
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (colon && (size_t)(colon - address) < sizeof host)
        memcpy(host, address, (size_t)(colon - address));
    if (!port || port > UINT16_MAX || inet_pton(AF_INET, host, &at.sin_addr) != 1) {
        buf_printf(err, "%s: not an IPv4 address and port like 127.0.0.1:9180\n", address);
        return -1;
    }
    *loopback = ntohl(at.sin_addr.s_addr) >> 24 == 127;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
        !bind(fd, (struct sockaddr *)&at, sizeof at) && !listen(fd, 16))
        return fd;
    buf_printf(err, "%s: %s\n", address, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct admin *admin_new(const char *address, void (*view)(void *context, struct arena *a, struct status *out),
                        void *context, struct strbuf *err)
{
    bool loopback = false;
    int fd = listen_on(address, &loopback, err);
    if (fd < 0)
        return NULL;
    struct admin *m = calloc(1, sizeof *m);
    if (!m || pipe(m->stop))
        mem_fatal();
    m->fd = fd;
    m->loopback = loopback;
    m->view = view;
    m->context = context;
    if (pthread_create(&m->thread, NULL, run, m))
        mem_fatal();
    return m;
}

void admin_free(struct admin *m)
{
    if (!m)
        return;
    close(m->stop[1]);
    pthread_join(m->thread, NULL);
    close(m->stop[0]);
    close(m->fd);
    free(m);
}
