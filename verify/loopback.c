/* Addresses: the run's own /24 of 127.0.0.0/8, free ports in it, sockets; and the map from the policy's client addresses
 * into 127.64.0.0 and up, which a client can bind to as its own address. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "internal.h"

#define LOCK_PORT 9643   /* on the first address of a /24: whoever has it bound has the /24 */
#define FIRST_PORT 10240 /* below the ports that systems hand out themselves */
#define LAST_PORT 32000
#define FIRST_RANGE 20000    /* of ports that have to be neighbours */
#define FIRST_RANGE_HOST 202 /* beyond the addresses of loopback_take */
#define SOURCES_BASE 0x7f400000u
#define SOURCES_ROOM (0x7ffffff0u - SOURCES_BASE)

static struct sockaddr_in socket_address(uint32_t ip, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip) };
    return a;
}

static int bound_socket(uint32_t ip, uint16_t port, bool reuse)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = socket_address(ip, port);
    if (fd < 0)
        return -1;
    if (reuse)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

int loopback_open(struct loopback *l, struct strbuf *err)
{
    uint32_t start = (uint32_t)getpid() * 2654435761u >> 18; /* spreads runs that start together */
    memset(l, 0, sizeof *l);
    for (uint32_t i = 0; i < 62 * 256; i++) {
        uint32_t net = 0x7f010000u + ((start + i) % (62 * 256)) * 256;
        l->lock = bound_socket(net + 1, LOCK_PORT, false);
        if (l->lock >= 0) {
            l->net = net;
            l->port = FIRST_PORT;
            return 0;
        }
    }
    buf_printf(err, "no free part of 127.0.0.0/8: %s\n", strerror(errno));
    return -1;
}

void loopback_close(struct loopback *l)
{
    if (l->net)
        close(l->lock);
    l->net = 0;
}

struct endpoint loopback_take(struct loopback *l)
{
    /* Addresses turn faster than ports: all of them on a port, then the next port. */
    for (;;) {
        if (++l->host > LOOPBACK_HOSTS) {
            l->host = 1;
            if (++l->port > LAST_PORT)
                l->port = FIRST_PORT;
        }
        struct endpoint e = { l->net + 1 + l->host, l->port };
        int fd = bound_socket(e.ip, e.port, true);
        if (fd >= 0) {
            close(fd);
            return e;
        }
        if (errno != EADDRINUSE)
            return e;
        l->host = LOOPBACK_HOSTS; /* someone holds this port on every address */
    }
}

uint16_t loopback_port(struct loopback *l)
{
    for (;;) {
        if (++l->port > LAST_PORT)
            l->port = FIRST_PORT;
        l->host = LOOPBACK_HOSTS; /* loopback_take goes on with the next one */
        int fd = bound_socket(l->net + 2, l->port, true);
        if (fd >= 0)
            close(fd);
        if (fd >= 0 || errno != EADDRINUSE)
            return l->port;
    }
}

uint16_t loopback_ports(const struct loopback *l, size_t n)
{
    size_t free_ports = 0;
    for (uint16_t port = FIRST_RANGE; port <= LAST_PORT; port++) {
        int fd = bound_socket(l->net + FIRST_RANGE_HOST, port, true);
        free_ports = fd >= 0 ? free_ports + 1 : 0;
        if (fd >= 0)
            close(fd);
        if (free_ports == n)
            return (uint16_t)(port - n + 1);
    }
    return 0;
}

uint32_t loopback_address(struct loopback *l)
{
    return FIRST_RANGE_HOST + l->ranges <= 254 ? l->net + FIRST_RANGE_HOST + l->ranges++ : 0;
}

int loopback_listen(struct endpoint e)
{
    int fd = bound_socket(e.ip, e.port, true);
    if (fd >= 0 && (listen(fd, 1024) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

int loopback_connect(struct endpoint e, uint32_t from, uint16_t *port, int timeout_ms)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in to = socket_address(e.ip, e.port), own = socket_address(from, *port);
    socklen_t len = sizeof own;
    struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    if (*port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (*port && bind(fd, (struct sockaddr *)&own, sizeof own) != 0)
        *port = 0;
    own.sin_port = 0;
    if (from && !*port) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0)
            goto failed;
    }
    int failed = connect(fd, (struct sockaddr *)&to, sizeof to);
    if (failed && *port && errno == EADDRNOTAVAIL) {
        close(fd);
        *port = 0;
        return loopback_connect(e, from, port, timeout_ms);
    }
    if (!failed && getsockname(fd, (struct sockaddr *)&own, &len) == 0)
        *port = ntohs(own.sin_port);
    if (!failed)
        return fd;
failed:
    close(fd);
    return -1;
}

/* ---- the map of client addresses --------------------------------------------- */
/* A cut is the first address of an interval in which every rule judges alike. Stored as ranges of one address, so that the
 * set functions sort them; ranges that touch are merged there, hence the doubling done by hand in clients_ready. */
void clients_cut(struct arena *a, struct client_map *s, struct ip_range r)
{
    struct ip_range first = { r.from, 0 }, after = { r.to + 1, 0 };
    vec_add(a, &s->cuts, first);
    if (r.to != UINT32_MAX)
        vec_add(a, &s->cuts, after);
}

static int by_from(const void *x, const void *y)
{
    uint32_t a = ((const struct ip_range *)x)->from, b = ((const struct ip_range *)y)->from;
    return a < b ? -1 : a > b;
}

void clients_ready(struct client_map *s)
{
    size_t n = 0;
    if (s->cuts.n)
        qsort(s->cuts.v, s->cuts.n, sizeof *s->cuts.v, by_from);
    for (size_t i = 0; i < s->cuts.n; i++)
        if (n == 0 || s->cuts.v[n - 1].from != s->cuts.v[i].from)
            s->cuts.v[n++] = s->cuts.v[i];
    s->cuts.n = n;
    for (size_t i = 0; i < n; i++)
        s->cuts.v[i].to = i + 1 < n ? s->cuts.v[i + 1].from - 1 : UINT32_MAX;
    s->slot = 256;
    while (s->slot > 4 && (n + 1) * s->slot > SOURCES_ROOM)
        s->slot /= 2;
}

/* The interval that holds ip: 0 is the one before the first cut. */
static size_t interval(const struct client_map *s, uint32_t ip)
{
    size_t low = 0, high = s->cuts.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->cuts.v[mid].from <= ip)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* First and last address of an interval go to first and last of its image, what is between to between. */
uint32_t clients_image(const struct client_map *s, uint32_t ip)
{
    size_t i = interval(s, ip);
    uint32_t from = i == 0 ? 0 : s->cuts.v[i - 1].from;
    uint32_t to = i == 0 ? (s->cuts.n ? s->cuts.v[0].from - 1 : UINT32_MAX) : s->cuts.v[i - 1].to;
    uint32_t at = SOURCES_BASE + (uint32_t)i * s->slot;
    if (ip == from)
        return at;
    if (ip == to)
        return at + s->slot - 1;
    return at + 1 + (ip - from - 1) % (s->slot - 2);
}

struct ip_range clients_image_range(const struct client_map *s, struct ip_range r)
{
    struct ip_range out = { SOURCES_BASE + (uint32_t)interval(s, r.from) * s->slot,
                            SOURCES_BASE + (uint32_t)interval(s, r.to) * s->slot + s->slot - 1 };
    return out;
}
