/* The generated configs, moved to loopback by replacing words in their text: addresses and ports, certificate files, the trust file,
 * the published servers, ranges of client addresses. Everything else stays byte for byte, and no line moves. docs/verify.md
 * has the table of what is replaced.
 *
 * A value that the plan does not know is a change that somebody made to the file. It must not be hidden: such a server becomes
 * an address where nobody listens, such a socket one that nobody asks, such a certificate one of its own, another trust file
 * a CA that signed nothing. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void substitute_text(struct substitution *s, const char *at, size_t n, const char *text)
{
    vec_add(s->places->arena, &s->changes, ((struct change){ (size_t)(at - s->text), n, text }));
}

static const char *endpoint_text(struct arena *a, struct endpoint e)
{
    return arena_printf(a, "%u.%u.%u.%u:%u", e.ip >> 24, e.ip >> 16 & 255, e.ip >> 8 & 255, e.ip & 255, e.port);
}

/* "host:port" -> host, port; a lone number is a port if lone_port. Port 0: none, or none that makes sense. */
static const char *split_place(struct arena *a, const char *at, size_t n, bool lone_port, uint16_t *port)
{
    char *host = arena_strndup(a, at, n), *colon = strrchr(host, ':');
    if (colon && strchr(colon, ']'))
        colon = NULL; /* of an IPv6 address */
    const char *digits = colon ? colon + 1 : host;
    unsigned long v = 0;
    *port = 0;
    if (colon || (lone_port && host[strspn(host, "0123456789")] == '\0')) {
        char *end;
        v = strtoul(digits, &end, 10);
        if (*end || v > 65535)
            v = 0;
        *port = (uint16_t)v;
        if (colon)
            *colon = '\0';
        else
            host = arena_strdup(a, "*");
    }
    return *host ? host : "*";
}

/* A datagram socket, or a range of ports: where the plan has it, else where nobody asks. Nobody waits for the former. */
static const char *listen_text(struct places *p, const char *host, uint16_t port, uint16_t last, bool udp)
{
    size_t i = places_socket(p, host, port, udp);
    if (i == SIZE_MAX || p->sockets.v[i].last != last)
        return endpoint_text(p->arena, loopback_take(p->loopback));
    p->sockets.v[i].present = !udp;
    const char *first = endpoint_text(p->arena, p->sockets.v[i].at);
    return last == port ? first : arena_printf(p->arena, "%s-%u", first, p->sockets.v[i].at.port + (last - port));
}

void substitute_listen(struct substitution *s, const char *at, size_t n, bool udp)
{
    struct places *p = s->places;
    uint16_t port, last;
    size_t dash = n;
    while (dash > 0 && at[dash - 1] >= '0' && at[dash - 1] <= '9')
        dash--;
    bool range = dash > 0 && at[dash - 1] == '-';
    const char *host = split_place(p->arena, at, range ? dash - 1 : n, true, &port);
    if (strcmp(host, "0.0.0.0") == 0)
        host = "*";
    last = range ? (uint16_t)strtoul(arena_strndup(p->arena, at + dash, n - dash), NULL, 10) : port;
    substitute_text(s, at, n,
                    range || udp ? listen_text(p, host, port, last, udp)
                                 : endpoint_text(p->arena, places_listen(p, host, port)));
}

void substitute_server(struct substitution *s, const char *at, size_t n)
{
    struct places *p = s->places;
    uint16_t port;
    const char *host = split_place(p->arena, at, n, false, &port);
    size_t i = places_server(p, host, port);
    if (port == 0 && strlen(host) == n) {
        struct strbuf b = { 0 };
        uint32_t ip = places_host(p, host, n);
        buf_ip(&b, ip ? ip : p->dead.ip);
        substitute_text(s, at, n, arena_strdup(p->arena, b.p));
        buf_free(&b);
        return;
    }
    struct endpoint to = i != SIZE_MAX                  ? p->servers.v[i].at
                         : places_behind(p, host, port) ? places_listen(p, host, port)
                                                        : p->dead;
    substitute_text(s, at, n, endpoint_text(p->arena, to));
}

/* The place of a health check: a port and a host that are two words of the text. */
static struct endpoint check_place(struct substitution *s, const char *host, size_t host_n, const char *port,
                                   size_t port_n)
{
    struct places *p = s->places;
    struct strbuf b = { 0 };
    uint16_t number;
    buf_add(&b, host, host_n);
    buf_putc(&b, ':');
    buf_add(&b, port, port_n);
    const char *name = split_place(p->arena, b.p, b.n, false, &number);
    size_t i = places_server(p, name, number);
    buf_free(&b);
    return i == SIZE_MAX ? p->dead : p->servers.v[i].at;
}

void substitute_check_port(struct substitution *s, const char *at, size_t n, const char *host, size_t host_n,
                           bool with_host)
{
    struct endpoint e = check_place(s, host, host_n, at, n);
    struct strbuf b = { 0 };
    buf_printf(&b, "%u", e.port);
    if (with_host) {
        buf_puts(&b, " addr ");
        buf_ip(&b, e.ip);
    }
    substitute_text(s, at, n, arena_strdup(s->places->arena, b.p));
    buf_free(&b);
}

void substitute_check_host(struct substitution *s, const char *at, size_t n, const char *port, size_t port_n)
{
    struct strbuf b = { 0 };
    buf_ip(&b, check_place(s, at, n, port, port_n).ip);
    substitute_text(s, at, n, arena_strdup(s->places->arena, b.p));
    buf_free(&b);
}

void substitute_certificate(struct substitution *s, const char *at, size_t n)
{
    struct places *p = s->places;
    const char *name = arena_strndup(p->arena, at, n);
    if (*name != '/' && s->link)
        name = s->link(s->link_arg, name);
    size_t i = places_certificate(p, name, s->err);
    if (i == SIZE_MAX)
        s->failed = true;
    else
        substitute_text(s, at, n, p->certificates.v[i].file);
}

void substitute_trust(struct substitution *s, const char *at, size_t n, bool of_clients)
{
    const char *trust = of_clients ? s->places->plan->client_trust : s->places->plan->trust;
    bool ours = trust && strlen(trust) == n && memcmp(trust, at, n) == 0;
    substitute_text(s, at, n, !ours ? s->places->other_ca : of_clients ? s->places->client_ca : s->places->ca);
}

void buf_cidrs(struct strbuf *b, struct ip_range r)
{
    struct cidr blocks[64];
    size_t n = ip_range_cidrs(r, blocks);
    for (size_t i = 0; i < n; i++) {
        buf_puts(b, b->n ? " " : "");
        buf_ip(b, blocks[i].ip);
        buf_printf(b, "/%u", blocks[i].bits);
    }
}

void substitute_revoked(struct substitution *s, const char *at, size_t n)
{
    substitute_text(s, at, n, s->places->client_crl);
}

/* A range is written as a-b, or as the CIDR blocks of its image, with spaces between. */
bool substitute_clients(struct substitution *s, const char *at, size_t n, bool as_range)
{
    struct arena *a = s->places->arena;
    struct ip_range r;
    struct strbuf b = { 0 };
    if (!ip_range_parse(arena_strndup(a, at, n), &r))
        return false;
    struct ip_range to = clients_image_range(&s->places->clients, r);
    if (as_range) {
        buf_ip(&b, to.from);
        buf_putc(&b, '-');
        buf_ip(&b, to.to);
    } else
        buf_cidrs(&b, to);
    substitute_text(s, at, n, arena_strdup(a, b.p));
    buf_free(&b);
    return true;
}

void substitution_apply(const struct substitution *s, struct strbuf *out)
{
    size_t done = 0;
    for (size_t i = 0; i < s->changes.n; i++) {
        const struct change *c = &s->changes.v[i];
        if (c->at > done)
            buf_add(out, s->text + done, c->at - done);
        buf_puts(out, c->text);
        done = c->at + c->n;
    }
    buf_puts(out, s->text + done);
}

/* Every word that could be client addresses, wherever it stands: a cut too many changes nothing. Words without a dot are
 * left out, and so is what belongs to sockets and servers ("address:port" is no range). */
void substitution_scan(struct substitution *s)
{
    struct arena *a = arena_new();
    for (const char *p = s->text; *p;) {
        size_t n = strcspn(p, " \t\r\n;{}[],\"'");
        struct ip_range r;
        if (n >= 7 && n < 40 && *p >= '0' && *p <= '9' && ip_range_parse(arena_strndup(a, p, n), &r))
            clients_cut(s->places->arena, &s->places->clients, r);
        p += n ? n : 1;
    }
    arena_free(a);
}
