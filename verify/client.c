/* The client: sends a probe's exact bytes over a plain or TLS socket from a chosen address, and reads the answer. One call,
 * one request; a connection is used again where the answer allowed that. Blocking, with time-outs: parallelism is the
 * caller's threads. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "internal.h"

#define TIMEOUT_MS 15000
#define HELD_MS 2500 /* for what should take none */

void connection_close(struct client *c)
{
    if (c->ssl) {
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_clear(&c->in);
    c->used = 0;
}

static bool same_endpoint(struct endpoint x, struct endpoint y)
{
    return x.ip == y.ip && x.port == y.port;
}

static int connection_open(struct client *c, SSL_CTX *tls, struct endpoint to, bool secure, uint32_t from,
                           uint16_t port, const char **error)
{
    connection_close(c);
    c->to = to;
    c->from = from;
    c->certificate = -1;
    c->port = port;
    c->fd = loopback_connect(to, from, &c->port, TIMEOUT_MS);
    if (c->fd < 0) {
        *error = errno == ECONNREFUSED ? "connection refused" : "no connection";
        return -1;
    }
    if (!secure)
        return 0;
    ERR_clear_error();
    c->ssl = SSL_new(tls);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1) {
        *error = "the TLS handshake failed";
        connection_close(c);
        return -1;
    }
    X509 *x = SSL_get1_peer_certificate(c->ssl);
    c->certificate = listener_certificate_number(x);
    X509_free(x);
    return 0;
}

static int send_all(struct client *c, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = c->ssl ? SSL_write(c->ssl, p, (int)(n > 65536 ? 65536 : n)) : send(c->fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

/* More bytes into c->in; false: the end, or nothing for too long. */
static bool more(struct client *c)
{
    char some[32768];
    ssize_t n = c->ssl ? SSL_read(c->ssl, some, sizeof some) : recv(c->fd, some, sizeof some, 0);
    if (n <= 0)
        return false;
    buf_add(&c->in, some, (size_t)n);
    return true;
}

/* ---- the request ------------------------------------------------------------------- */

const char *client_accepts(const struct probe *b)
{
    return b->accept ? b->accept : b->page ? "identity" : "gzip, deflate";
}

void client_head(struct strbuf *o, const struct probe *b, size_t n, const char *cookie)
{
    buf_printf(o, "%s %s HTTP/1.%d\r\n", b->method, b->target, b->http10 ? 0 : 1);
    if (b->host)
        buf_printf(o, "Host: %s\r\n", b->host);
    /* Fields that targets like to touch (D-10 to D-12, B-60, B-64, B-79); the comparison knows what must come of each. */
    if (*client_accepts(b))
        buf_printf(o, "Accept-Encoding: %s\r\n", client_accepts(b));
    buf_printf(o,
               "User-Agent: tmgc-verify\r\nX-Tmgc-Probe: %zu\r\n"
               "Authorization: Basic dG1nYzp2ZXJpZnk=\r\nX_Under_Score: kept\r\nCookie: %s\r\n",
               n, cookie ? cookie : "a=1; b=2");
    if (b->extra == EXTRA_FORGED)
        buf_puts(
            o,
            "X-Forwarded-For: 198.51.100.7\r\nX-Real-IP: 198.51.100.8\r\nForwarded: for=198.51.100.9\r\nVia: 1.0 elsewhere\r\n");
    if (b->field)
        buf_printf(o, "%s\r\n", b->field);
    if (b->extra == EXTRA_UPGRADE)
        buf_puts(
            o,
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dG1nYyB2ZXJpZnkga2V5IQ==\r\n");
    if (b->http10)
        buf_puts(o, "Connection: close\r\n");
}

/* *first: how much of it to send before the start has arrived; all of it but for slow bodies. */
static void request_text(struct strbuf *o, const struct probe *b, size_t n, const char *cookie, size_t *first)
{
    struct strbuf body = { 0 };
    client_head(o, b, n, cookie);
    body_text(&body, n, b->body);
    if (b->body == BODY_CHUNKED) {
        buf_puts(o, "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < body.n;) {
            size_t k = body.n - at < 611 ? body.n - at : 611;
            buf_printf(o, "%zX\r\n", k);
            buf_add(o, body.p + at, k);
            buf_puts(o, "\r\n");
            at += k;
        }
        buf_puts(o, "0\r\n\r\n");
    } else {
        if (b->body != BODY_NONE)
            buf_printf(o, "Content-Length: %zu\r\n", body.n);
        buf_puts(o, "\r\n");
        if (body.n)
            buf_add(o, body.p, body.n);
    }
    *first = b->body == BODY_SLOW ? o->n - body.n / 2 : o->n;
    buf_free(&body);
}

/* Whether the answer has begun, or the connection has ended. What TLS sends beside data is no answer. */
static bool answered(const struct client *c)
{
    char byte;
    if (c->ssl == NULL)
        return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
    int flags = fcntl(c->fd, F_GETFL);
    fcntl(c->fd, F_SETFL, flags | O_NONBLOCK);
    int n = SSL_peek(c->ssl, &byte, 1);
    bool waits = n <= 0 && SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
    fcntl(c->fd, F_SETFL, flags);
    ERR_clear_error();
    return !waits;
}

/* Until the published server has the head; who refuses the request answers before. */
static void wait_begun(struct stand_in *servers, size_t n, const struct client *c, struct exchange *e)
{
    for (int waited = 0; !stand_in_begun(servers, n) && !answered(c); waited++) {
        if (waited >= HELD_MS / 2) {
            e->request_held = true;
            return;
        }
        usleep(2000);
    }
}

/* ---- the answer --------------------------------------------------------------------- */

static void consume(struct client *c, size_t n)
{
    if (n == 0)
        return;
    memmove(c->in.p, c->in.p + n, c->in.n - n + 1);
    c->in.n -= n;
}

/* The next head into e->head, interim ones (100, 103) left out. */
static bool read_head(struct client *c, struct exchange *e)
{
    for (;;) {
        char *end;
        while ((end = c->in.n ? strstr(c->in.p, "\r\n\r\n") : NULL) == NULL)
            if (c->in.n > 1 << 20 || !more(c))
                return false;
        size_t n = (size_t)(end - c->in.p) + 4;
        buf_clear(&e->head);
        buf_add(&e->head, c->in.p, n);
        consume(c, n);
        const char *space = strchr(e->head.p, ' ');
        if (strncmp(e->head.p, "HTTP/1.", 7) != 0 || space == NULL)
            return false;
        e->status = (int)strtol(space, NULL, 10);
        if (e->status >= 200 || e->status == 101)
            return true;
    }
}

static void move_body(struct client *c, struct exchange *e, size_t n)
{
    if (n)
        buf_add(&e->body, c->in.p, n);
    consume(c, n);
}

static bool read_exactly(struct client *c, struct exchange *e, size_t n)
{
    while (n > 0) {
        if (c->in.n == 0 && !more(c))
            return false;
        size_t k = c->in.n < n ? c->in.n : n;
        move_body(c, e, k);
        n -= k;
    }
    return true;
}

static bool read_chunks(struct client *c, struct exchange *e)
{
    bool last = false;
    for (;;) {
        char *end;
        while ((end = c->in.n ? strstr(c->in.p, "\r\n") : NULL) == NULL)
            if (!more(c))
                return false;
        size_t line = (size_t)(end - c->in.p), n = last ? 0 : (size_t)strtoull(c->in.p, NULL, 16);
        consume(c, line + 2);
        if (last && line == 0)
            return true;
        if (n == 0) {
            last = true;
            continue;
        }
        if (!read_exactly(c, e, n))
            return false;
        while (c->in.n < 2)
            if (!more(c))
                return false;
        consume(c, 2);
    }
}

static bool value_has(const char *head, const char *name, const char *word)
{
    size_t len;
    const char *v = head_field(head, name, 0, &len);
    size_t n = strlen(word);
    for (size_t i = 0; v && i + n <= len; i++)
        if (ascii_ncasecmp(v + i, word, n) == 0)
            return true;
    return false;
}

/* Reads the body; *again: the connection may carry another request. */
static void read_body(struct client *c, const struct probe *b, struct exchange *e, bool *again)
{
    size_t len;
    const char *v = head_field(e->head.p, "Content-Length", 0, &len);
    *again = strncmp(e->head.p, "HTTP/1.1", 8) == 0 && !value_has(e->head.p, "Connection", "close") && !b->http10;
    if (strcmp(b->method, "HEAD") == 0 || e->status == 204 || e->status == 304 || e->status == 101)
        return;
    if (value_has(e->head.p, "Transfer-Encoding", "chunked"))
        e->cut = !read_chunks(c, e);
    else if (v)
        e->cut = !read_exactly(c, e, (size_t)strtoull(v, NULL, 10));
    else {
        *again = false;
        do
            move_body(c, e, c->in.n);
        while (more(c));
        move_body(c, e, c->in.n);
    }
    if (e->cut)
        *again = false;
}

/* What is in a body that came by gzip (B-65). */
static void unpack(struct exchange *e)
{
    z_stream z = { .next_in = (Bytef *)e->body.p, .avail_in = (uInt)e->body.n };
    struct strbuf out = { 0 };
    e->coded = value_has(e->head.p, "Content-Encoding", "gzip");
    if (!e->coded || !e->body.n || e->cut)
        return;
    int r = inflateInit2(&z, 15 + 16); /* gzip's frame alone */
    while (r == Z_OK) {
        z.next_out = (Bytef *)buf_reserve(&out, 64 << 10);
        z.avail_out = 64 << 10;
        r = inflate(&z, Z_NO_FLUSH);
        out.n += (64u << 10) - z.avail_out;
        out.p[out.n] = '\0';
    }
    inflateEnd(&z);
    e->cut = r != Z_STREAM_END || z.avail_in;
    buf_free(&e->body);
    e->body = out;
}

static bool readable(struct client *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    return c->in.n > 0 || (c->ssl && SSL_pending(c->ssl) > 0) || poll(&p, 1, HELD_MS) > 0;
}

/* The head and the start of the body must come while the published server holds the rest. A TLS record that is no
 * data may make it look so once too often, never once too seldom. */
static bool read_answer_head(struct client *c, const struct probe *b, size_t n, struct stand_in *servers,
                             struct exchange *e)
{
    if (b->reply != REPLY_HELD)
        return read_head(c, e);
    bool came = readable(c);
    if (!came)
        stand_in_release(servers, n);
    bool got = read_head(c, e);
    came = came && got && readable(c);
    e->answer_held = !came;
    stand_in_release(servers, n);
    return got;
}

void exchange_free(struct exchange *e)
{
    buf_free(&e->head);
    buf_free(&e->body);
}

/* One of the probe's ports, another for each probe, so that they seldom meet. */
static uint16_t port_of(const struct probe *b, size_t n)
{
    size_t ports = (size_t)b->port_high - b->port_low + 1;
    return (uint16_t)(b->port_low ? b->port_low + n % ports : 0);
}

void client_ask(struct client *c, SSL_CTX *const tls[SHOWN], const struct probe *b, size_t n, struct endpoint to,
                bool secure, uint32_t from, const char *cookie, struct stand_in *servers, struct exchange *e)
{
    struct strbuf text = { 0 };
    size_t first;
    bool old = c->fd >= 0 && same_endpoint(c->to, to) && c->from == from && (c->ssl != NULL) == secure &&
               c->shows == b->shows && !b->port_low && c->used < 500;
    bool again = false;
    request_text(&text, b, n, cookie, &first);
    e->status = 0;
    e->error = NULL;
    e->cut = e->coded = false;
    buf_clear(&e->head);
    buf_clear(&e->body);
    for (;;) {
        if (!old && connection_open(c, tls[b->shows], to, secure, from, port_of(b, n), &e->error) != 0)
            break;
        c->shows = b->shows;
        c->used++;
        /* A refusal may come before the whole request was sent: then the answer counts, not the failed write. */
        e->request_held = e->answer_held = false;
        int unsent = send_all(c, text.p, first);
        if (!unsent && first < text.n) {
            wait_begun(servers, n, c, e);
            unsent = send_all(c, text.p + first, text.n - first);
        }
        if (read_answer_head(c, b, n, servers, e)) {
            read_body(c, b, e, &again);
            unpack(e);
            if (unsent)
                again = false;
            break;
        }
        e->status = 0;
        if (!old || c->in.n > 0) {
            e->error = "the connection was closed without an answer";
            break;
        }
        old = false; /* the target had closed the idle connection: that says nothing about the probe */
    }
    e->certificate = c->certificate;
    e->client_port = c->port;
    if (!again)
        connection_close(c);
    buf_free(&text);
}
