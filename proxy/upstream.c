/* upstream: sending requests to servers and reading their answers. The pool is in pool.c. */
#include "pool.h"
#include "../auth/identity.h"
#include "../http/http1.h"
#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_TIME = 5000, TUNNEL_TIME = 3600000 }; /* ms; as in the configs for HAProxy */

/* ---- the end of a connection --------------------------------------------------------- */

static void release(struct grave *g)
{
    struct upstream *u = container_of(g, struct upstream, grave);
    buf_free(&u->in);
    if (u->tried)
        addresses_release(u->tried);
    peer_release(u->peer);
    free(u);
}

void upstream_drop(struct upstream *u)
{
    if (u->state == U_CLOSED)
        return;
    u->state = U_CLOSED;
    u->x = NULL;
    upstream_unlist(u);
    identity_release(u->who);
    u->who = NULL;
    timer_stop(&u->timer);
    task_cancel(&u->nowhere);
    if (sock_queued(&u->s))
        sock_abort(&u->s); /* cut in the middle: the server need not wait behind what the system still holds */
    else
        sock_close(&u->s);
    loop_bury(u->loop, &u->grave, release);
}

/* Whether the server cannot have acted on the request, or may do so twice (RFC 9110 section 9.2.2). */
static bool may_repeat(const struct upstream *u)
{
    static const char *const idempotent[] = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND" };
    if (!u->reused || u->received || u->body_sent)
        return false;
    if (!u->request_ended)
        return true; /* it has not seen the body */
    for (size_t i = 0; i < sizeof idempotent / sizeof *idempotent; i++)
        if (strcmp(u->x->method, idempotent[i]) == 0)
            return true;
    return false;
}

static void fail(struct upstream *u, enum cause t)
{
    struct exchange *x = u->x;
    bool again = x && t == CAUSE_CLOSED_CONNECTION && may_repeat(u);
    if (x && !again)
        atomic_fetch_add_explicit(&u->peer->state.failures, 1, memory_order_relaxed);
    upstream_drop(u);
    if (!x)
        return;
    x->up = NULL;
    if (again)
        upstream_take(x);
    else
        exchange_failed(x, t);
}

/* ---- connecting --------------------------------------------------------------------------- */

static bool try_address(struct upstream *u);

static void connect_failed(struct upstream *u, enum cause t)
{
    sock_close(&u->s);
    if (!try_address(u))
        fail(u, t);
}

static enum cause tls_trouble(SSL *ssl)
{
    return SSL_get_verify_result(ssl) != X509_V_OK ? CAUSE_CERTIFICATE : CAUSE_TLS;
}

static void on_failed(struct sock *s)
{
    struct upstream *u = container_of(s, struct upstream, s);
    if (u->state == U_CONNECTING && s->connecting)
        connect_failed(u, CAUSE_CONNECT);
    else if (u->state == U_CONNECTING)
        fail(u, s->ssl ? tls_trouble(s->ssl) : CAUSE_CLOSED_CONNECTION);
    else if (u->x) {
        s->readable = true; /* it closed while the request was being sent: its answer may be there */
        if (!u->x->paused)
            sock_resume(s);
    } else
        fail(u, CAUSE_CLOSED_CONNECTION);
}

static void send_request(struct upstream *u);

static void on_ready(struct sock *s)
{
    struct upstream *u = container_of(s, struct upstream, s);
    u->state = U_HEAD;
    send_request(u);
}

static const struct sock_calls calls;

/* The connection will come from that address of a client, and a port that its destination leaves free (B-59). */
static bool come_from(int fd, uint32_t address)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
    return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &(int){ 1 }, sizeof(int)) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int)) == 0 &&
           bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
}

/* Begins to connect to the next address. false: there is none left. */
static bool try_address(struct upstream *u)
{
    while (u->tried && u->address < u->tried->n) {
        const struct address *a = &u->tried->v[u->address++];
        int fd = socket(a->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        if (u->from && (a->at.ss_family != AF_INET || !come_from(fd, u->from))) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
        SSL *ssl = NULL;
        if ((connect(fd, (const struct sockaddr *)&a->at, a->n) && errno != EINPROGRESS) ||
            (u->peer->tls && !(ssl = peer_tls(u->peer)))) {
            close(fd);
            continue;
        }
        if (sock_open(&u->s, u->loop, fd, ssl, &calls, true)) {
            timer_set(u->loop, &u->timer, CONNECT_TIME);
            return true;
        }
    }
    return false;
}

/* A task, so that upstream_take never fails before it returns. */
static void not_connected(struct task *t)
{
    struct upstream *u = container_of(t, struct upstream, nowhere);
    fail(u, u->tried ? CAUSE_CONNECT : CAUSE_NAME);
}

static void on_timer(struct timer *t)
{
    struct upstream *u = container_of(t, struct upstream, timer);
    switch (u->state) {
    case U_CONNECTING: connect_failed(u, CAUSE_CONNECT_TIMEOUT); break;
    case U_IDLE: upstream_drop(u); break;
    case U_CLOSED: break;
    default:
        /* While the client has not sent all, or does not take what is there, it is not the server who is late; the
         * front watches the client. */
        if (u->x->paused || (!u->request_ended && !sock_queued(&u->s)))
            timer_set(u->loop, &u->timer, u->patience);
        else
            fail(u, CAUSE_TIMEOUT);
    }
}

static struct upstream *upstream_new(struct exchange *x)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u)
        mem_fatal();
    u->loop = x->loop;
    u->peer = peer_ref(x->peer);
    u->from = x->from;
    u->timer.fire = on_timer;
    u->nowhere.run = not_connected;
    u->state = U_CONNECTING;
    u->s.watch.fd = -1;
    u->tried = peer_addresses(x->peer);
    return u;
}

/* Any of several Authorization fields: who knows which one a server looks at. */
static bool wants_its_own(const struct exchange *x)
{
    const struct head *h = &x->request;
    for (uint32_t i = h->first[FIELD_AUTHORIZATION]; i && i <= h->n; i++) {
        const struct field *f = &h->fields[i - 1];
        if (f->id == FIELD_AUTHORIZATION && f->name_n &&
            (ascii_ncasecmp(f->value, "NTLM", 4) == 0 || ascii_ncasecmp(f->value, "Nego", 4) == 0))
            return true;
    }
    return false;
}

void upstream_take(struct exchange *x)
{
    struct upstream *u = pool_take(x);
    atomic_fetch_add_explicit(&x->peer->state.requests, 1, memory_order_relaxed);
    bool fresh = !u;
    if (fresh)
        count(&x->loop->counts, server_connections, 1);
    else
        count(&x->loop->counts, server_reuses, 1);
    if (fresh)
        u = upstream_new(x);
    exchange_hold(x);
    x->up = u;
    u->x = x;
    u->patience = x->rule->read_timeout;
    u->reused = !fresh;
    if (wants_its_own(x))
        upstream_bind(u);
    if (!fresh) {
        send_request(u);
    } else if (!try_address(u)) {
        loop_again(u->loop, &u->nowhere);
    }
}

/* ---- the request -------------------------------------------------------------------------------- */

static void send_request(struct upstream *u)
{
    struct exchange *x = u->x;
    struct strbuf *out = &u->loop->out;
    u->state = U_HEAD;
    u->received = u->body_sent = false;
    enum framing framing = x->request.framing;
    uint64_t length = x->request.length;
    if (x->leg && framing != BODY_NONE) { /* a leg of a handshake has no body */
        x->request.framing = BODY_LENGTH;
        x->request.length = 0;
    }
    u->chunked = x->request.framing == BODY_CHUNKED;
    bool kept = !x->leg && x->kept.n; /* what the server has got already, and answered with a challenge */
    u->request_ended = x->leg || (x->body_ended && !kept);
    u->upgrade = x->upgrade;
    buf_clear(out);
    http1_write_request(out, &x->request, u->upgrade ? "upgrade" : NULL);
    if (u->chunked && u->request_ended) /* an empty body that ended before the connection was there */
        buf_puts(out, HTTP1_LAST_CHUNK);
    x->request.framing = framing;
    x->request.length = length;
    if (x->secret) {
        sock_put_secret(&u->s, out->p, out->n);
        explicit_bzero(out->p, out->n);
    } else {
        sock_put(&u->s, out->p, out->n);
    }
    if (kept)
        upstream_body(u, x->kept.p, x->kept.n);
    if (kept && x->body_ended)
        upstream_body_end(u);
    sock_resume(&u->s);
    timer_set(u->loop, &u->timer, u->patience);
    exchange_connected(x);
}

void upstream_again(struct upstream *u)
{
    struct exchange *x = u->x;
    upstream_bind(u);
    if (u->keep) {
        send_request(u);
        return;
    }
    upstream_drop(u);
    x->up = NULL;
    upstream_take(x);
}

/* The exchange is told about room when the queue is over the mark now. */
static void watch_queue(struct upstream *u)
{
    if (sock_queued(&u->s) > QUEUE_LOW)
        u->s.room_at = QUEUE_LOW;
}

void upstream_body(struct upstream *u, const char *p, size_t n)
{
    u->body_sent = true;
    if (u->chunked && u->state != U_TUNNEL) {
        struct strbuf *out = &u->loop->out;
        buf_clear(out);
        http1_write_chunk_head(out, n);
        sock_put(&u->s, out->p, out->n);
        sock_put(&u->s, p, n);
        sock_put(&u->s, "\r\n", 2);
    } else {
        sock_put(&u->s, p, n);
    }
    timer_set(u->loop, &u->timer, u->patience);
    watch_queue(u);
}

void upstream_body_end(struct upstream *u)
{
    if (u->request_ended)
        return;
    u->request_ended = true;
    if (u->state == U_TUNNEL)
        sock_finish(&u->s);
    else if (u->chunked && u->state != U_CONNECTING)
        sock_put(&u->s, HTTP1_LAST_CHUNK, sizeof HTTP1_LAST_CHUNK - 1);
    timer_set(u->loop, &u->timer, u->patience);
}

size_t upstream_queued(const struct upstream *u)
{
    return sock_queued(&u->s);
}

static void on_room(struct sock *s)
{
    struct upstream *u = container_of(s, struct upstream, s);
    if (u->x && u->state != U_IDLE && u->state != U_CLOSED)
        exchange_server_room(u->x);
}

/* ---- the answer ------------------------------------------------------------------------------------ */

static bool asks_for_its_own(const struct head *a)
{
    for (uint32_t i = a->first[FIELD_WWW_AUTHENTICATE]; i && i <= a->n; i++) {
        const struct field *f = &a->fields[i - 1];
        if (f->id == FIELD_WWW_AUTHENTICATE && f->name_n &&
            (ascii_ncasecmp(f->value, "NTLM", 4) == 0 || ascii_ncasecmp(f->value, "Nego", 4) == 0))
            return true;
    }
    return false;
}

/* The answer's head is in x->answer: what its body is like. */
static void begin_body(struct upstream *u)
{
    struct head *a = &u->x->answer;
    u->keep = a->keep_alive;
    u->framing = a->framing;
    u->left = a->framing == BODY_LENGTH ? a->length : 0;
    u->chunks = (struct chunks){ 0 };
    u->state = a->status == 101 ? U_TUNNEL : U_BODY;
    if (u->state == U_TUNNEL) {
        u->keep = false;
        u->framing = BODY_UNTIL_CLOSE;
        u->request_ended = false;
        u->x->body_ended = false;
        u->patience = TUNNEL_TIME;
    }
    if (a->status == 401 && asks_for_its_own(a))
        upstream_bind(u);
    exchange_head(u->x);
}

/* Reads heads at p. Bytes taken; 0: there is no whole head yet, or the connection is done with (u->state). */
static size_t read_head(struct upstream *u, const char *p, size_t n)
{
    struct exchange *x = u->x;
    const char *why;
    size_t end = http1_head_end(p, n, u->looked);
    u->looked = end ? 0 : n;
    if (!end)
        return 0;
    head_reset(&x->answer);
    if (end == SIZE_MAX || http1_answer(&x->answer, x->method, p, end, &why) ||
        (x->answer.status == 101 && !u->upgrade)) {
        fail(u, CAUSE_GARBAGE);
        return 0;
    }
    u->received = true;
    int status = x->answer.status;
    if (status >= 200 || status == 101)
        begin_body(u);
    else if (status != 100)
        exchange_interim(x, &x->answer);
    return end;
}

static void answer_ended(struct upstream *u, bool clean)
{
    u->state = U_ENDED;
    u->keep &= clean;
    exchange_end(u->x);
}

/* A piece with chunked framing. Bytes taken. */
static size_t read_chunks(struct upstream *u, const char *p, size_t n)
{
    size_t used, data_n;
    const char *data;
    switch (chunks_read(&u->chunks, p, n, &used, &data, &data_n)) {
    case CHUNK_DATA: exchange_piece(u->x, data, data_n); break;
    case CHUNK_END: answer_ended(u, used == n); break;
    case CHUNK_BAD: fail(u, CAUSE_GARBAGE); break;
    case CHUNK_MORE: break;
    }
    return used;
}

static size_t read_length(struct upstream *u, const char *p, size_t n)
{
    size_t piece = n < u->left ? n : (size_t)u->left;
    u->left -= piece;
    if (piece)
        exchange_piece(u->x, p, piece);
    if (!u->left && u->state == U_BODY)
        answer_ended(u, piece == n);
    return piece;
}

static size_t read_body(struct upstream *u, const char *p, size_t n)
{
    switch (u->framing) {
    case BODY_CHUNKED: return read_chunks(u, p, n);
    case BODY_UNTIL_CLOSE: exchange_piece(u->x, p, n); return n;
    case BODY_LENGTH: return read_length(u, p, n);
    case BODY_NONE: answer_ended(u, n == 0); return 0;
    }
    return 0;
}

/* A body that ends with the head has to be noticed without a further byte. */
static bool ends_at_once(const struct upstream *u)
{
    return u->state == U_BODY && (u->framing == BODY_NONE || (u->framing == BODY_LENGTH && !u->left));
}

/* All that can be read of p; gives bytes taken. Any call may end the connection: the state tells. */
static size_t read_bytes(struct upstream *u, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n || ends_at_once(u)) {
        size_t took = 0;
        if (u->state == U_HEAD)
            took = read_head(u, p + at, n - at);
        else if (u->state == U_BODY || u->state == U_TUNNEL)
            took = read_body(u, p + at, n - at);
        else
            break;
        at += took;
        if (!took && u->state == U_HEAD)
            break;
    }
    return at;
}

static void ended(struct upstream *u, long how)
{
    bool cut = how == SOCK_ERROR;
    if ((u->state == U_BODY || u->state == U_TUNNEL) && u->framing == BODY_UNTIL_CLOSE && !cut) {
        answer_ended(u, false);
        return;
    }
    fail(u, CAUSE_CLOSED_CONNECTION);
}

static void feed(struct upstream *u, const char *p, size_t n)
{
    if (!u->in.n) {
        size_t took = read_bytes(u, p, n);
        if (u->state == U_HEAD && took < n)
            buf_add(&u->in, p + took, n - took);
        return;
    }
    buf_add(&u->in, p, n);
    size_t took = read_bytes(u, u->in.p, u->in.n);
    if (u->state == U_HEAD && took < u->in.n) {
        memmove(u->in.p, u->in.p + took, u->in.n - took);
        u->in.n -= took;
        return;
    }
    buf_free(&u->in);
}

static void on_readable(struct sock *s)
{
    struct upstream *u = container_of(s, struct upstream, s);
    long n = sock_read(s, u->loop->scratch, SCRATCH);
    if (n == 0 || u->state == U_CLOSED)
        return;
    if (!u->x || u->state == U_IDLE || u->state == U_ENDED)
        /* Idle: it closes, or says what nobody asked. Waiting for the rest of a body: it says it wants no more. */
        u->x ? fail(u, CAUSE_CLOSED_CONNECTION) : upstream_drop(u);
    else if (n < 0)
        ended(u, n);
    else {
        timer_set(u->loop, &u->timer, u->patience);
        feed(u, u->loop->scratch, (size_t)n);
    }
}

static const struct sock_calls calls = { on_readable, on_room, on_ready, on_failed, NULL };

void upstream_read(struct upstream *u, bool more)
{
    if (more) {
        timer_set(u->loop, &u->timer, u->patience);
        sock_resume(&u->s);
    } else {
        sock_pause(&u->s);
    }
}

bool upstream_goes_on(const struct upstream *u)
{
    return u->keep && u->request_ended && sock_is_open(&u->s) && !u->s.broken;
}

bool upstream_takes_rest(const struct upstream *u)
{
    return u->keep && u->state == U_ENDED && sock_is_open(&u->s) && !u->s.broken;
}

void upstream_release(struct upstream *u)
{
    u->x = NULL;
    bool whole = u->keep && u->request_ended && u->state == U_ENDED && !u->s.broken && sock_is_open(&u->s);
    if (whole)
        pool_give(u);
    else
        upstream_drop(u);
}
