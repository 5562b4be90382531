#include "introduction.h"
#include "../base/ipset.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE = 10000 }; /* ms */

/* ---- the two versions --------------------------------------------------------------------- */

/* The next word of a line and what stands behind it. */
static size_t word(const char **p, char *out, size_t room)
{
    size_t n = strcspn(*p, " ");
    if (n >= room)
        return 0;
    memcpy(out, *p, n);
    out[n] = '\0';
    *p += n + ((*p)[n] == ' ');
    return n;
}

static bool number16(const char *s, uint16_t *out)
{
    char *end;
    long v = *s >= '0' && *s <= '9' ? strtol(s, &end, 10) : -1;
    if (v < 0 || v > UINT16_MAX || *end)
        return false;
    *out = (uint16_t)v;
    return true;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443" */
static bool read_line(const char *line, uint32_t *address, uint16_t *port)
{
    char protocol[8], from[16], to[16], from_port[8], to_port[8];
    uint32_t ip, unused;
    uint16_t source, target;
    const char *p = line + 6;
    if (strncmp(line, "PROXY ", 6) || !word(&p, protocol, sizeof protocol))
        return false;
    if (str_equal(protocol, "UNKNOWN"))
        return true;
    if (!str_equal(protocol, "TCP4") || !word(&p, from, sizeof from) || !word(&p, to, sizeof to) ||
        !word(&p, from_port, sizeof from_port) || !word(&p, to_port, sizeof to_port) || *p || !ip_parse(from, &ip) ||
        !ip_parse(to, &unused) || !number16(from_port, &source) || !number16(to_port, &target))
        return false;
    *address = ip;
    *port = source;
    return true;
}

static long read_text(const unsigned char *p, size_t n, uint32_t *address, uint16_t *port)
{
    enum { LONGEST = 107 };
    char line[LONGEST + 1];
    const unsigned char *end = memchr(p, '\n', n < LONGEST ? n : LONGEST);
    if (!end)
        return n < LONGEST ? 0 : -1;
    size_t length = (size_t)(end - p);
    if (length < 6 || end[-1] != '\r' || memchr(p, '\0', length))
        return -1;
    memcpy(line, p, length - 1);
    line[length - 1] = '\0';
    return read_line(line, address, port) ? (long)length + 1 : -1;
}

static long read_binary(const unsigned char *p, size_t n, uint32_t *address, uint16_t *port)
{
    enum { HEAD = 16, LOCAL = 0x20, PROXY = 0x21, TCP4 = 0x11, ADDRESSES = 12 };
    if (n < HEAD)
        return 0;
    size_t length = (size_t)p[14] << 8 | p[15];
    if (HEAD + length > INTRODUCTION_MOST || (p[12] != LOCAL && p[12] != PROXY))
        return -1;
    if (n < HEAD + length)
        return 0;
    if (p[12] == PROXY) {
        if (p[13] != TCP4 || length < ADDRESSES)
            return -1;
        *address = (uint32_t)p[16] << 24 | (uint32_t)p[17] << 16 | (uint32_t)p[18] << 8 | p[19];
        *port = (uint16_t)(p[24] << 8 | p[25]);
    }
    return (long)(HEAD + length);
}

long introduction_read(const unsigned char *p, size_t n, uint32_t *address, uint16_t *port)
{
    static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
    size_t same = n < sizeof signature ? n : sizeof signature;
    if (!n)
        return 0;
    return memcmp(p, signature, same) ? read_text(p, n, address, port) : read_binary(p, n, address, port);
}

/* ---- waiting for it --------------------------------------------------------------------------- */

struct waiting {
    struct watch watch;
    struct timer timer;
    struct grave grave;
    struct arrival a;
};

static void release(struct grave *g)
{
    free(container_of(g, struct waiting, grave));
}

static void give_up_waiting(struct waiting *w)
{
    timer_stop(&w->timer);
    serving_release(w->a.serving);
    loop_bury(w->a.loop, &w->grave, release);
    w->watch.fd = -1;
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct waiting *w = container_of(watch, struct waiting, watch);
    unsigned char seen[INTRODUCTION_MOST];
    if (watch->fd < 0)
        return;
    ssize_t n = recv(watch->fd, seen, sizeof seen, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    long length = n > 0 ? introduction_read(seen, (size_t)n, &w->a.address, &w->a.port) : -1;
    if (length == 0 && !(events & EPOLLRDHUP))
        return;
    loop_unwatch(w->a.loop, watch);
    if (length > 0 && recv(watch->fd, seen, (size_t)length, 0) == length)
        h1_begin(&w->a);
    else
        close(watch->fd);
    give_up_waiting(w);
}

static void on_timer(struct timer *t)
{
    struct waiting *w = container_of(t, struct waiting, timer);
    close(w->watch.fd);
    give_up_waiting(w);
}

void introduction_await(const struct arrival *a)
{
    struct waiting *w = calloc(1, sizeof *w);
    if (!w)
        mem_fatal();
    w->a = *a;
    serving_ref(a->serving);
    w->watch = (struct watch){ a->fd, on_ready };
    w->timer.fire = on_timer;
    timer_set(a->loop, &w->timer, PATIENCE);
    if (!loop_watch(a->loop, &w->watch))
        on_timer(&w->timer);
}
