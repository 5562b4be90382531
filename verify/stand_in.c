/* The published servers' stand-ins: one thread with an epoll loop that listens in the place of every server of the plan,
 * speaks plain HTTP or TLS, whichever the proxy begins with, and answers each probe as its definition asks. What it
 * received is kept per probe until the comparison takes it. Requests that carry no probe's number (health checks) get 200. */
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

#include "internal.h"

#define MAX_HEAD (256 * 1024)

/* Where a connection is in the request that it carries. */
enum stage { STAGE_HEAD, STAGE_BODY, STAGE_CHUNK_SIZE, STAGE_CHUNK, STAGE_CHUNK_END, STAGE_TRAILER };
struct peer {
    int fd;
    size_t server;                   /* index into places->servers; for a listening socket too */
    bool listening, knows_kind, shaking, closing;
    SSL *ssl;
    char *sni;
    struct strbuf in, out;
    size_t sent;
    enum stage stage;
    char *head;
    size_t left;                     /* of the body, or of the chunk */
    size_t body_n; uint64_t body_hash;
    uint32_t events;
    struct peer *next, *prev;
};
struct known_name { const char *name; SSL_CTX *ctx; };
struct stand_in {
    const struct places *places;
    const struct authority *authority;
    const probes *list;
    pthread_t thread;
    int epoll, wake;
    bool stop, drop;                 /* under lock: what wake is about */
    bool wrong_name;                 /* the thread's own copy of wrong_next */
    bool wrong_next;                 /* under lock */
    pthread_mutex_t lock;
    pthread_cond_t dropped;
    struct sighting *seen;           /* one a probe; under lock */
    struct peer *peers;              /* a list of all, listening ones too */
    struct arena *arena;             /* of the names; the thread's own */
    VEC(struct known_name) names;    /* sorted by name */
    SSL_CTX *wrong;
};

uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h;
}

static uint64_t hash_more(uint64_t h, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211u;
    return h;
}

static void pattern(struct strbuf *b, size_t probe, size_t n)
{
    struct strbuf line = { 0 };
    buf_printf(&line, "probe %zu\r\n", probe);
    while (b->n < n)
        buf_add(b, line.p, line.n);
    b->n = n;
    b->p[n] = '\0';
    buf_free(&line);
}

void reply_text(struct strbuf *b, size_t probe, enum reply_body kind)
{
    buf_clear(b);
    if (kind != REPLY_NONE)
        pattern(b, probe, kind == REPLY_LONG ? 300 * 1000 : kind == REPLY_SHORT ? 33 : 20000);
}

void body_text(struct strbuf *b, size_t probe, enum body kind)
{
    buf_clear(b);
    if (kind == BODY_LENGTH || kind == BODY_CHUNKED)
        pattern(b, probe, 1500);
    if (kind == BODY_BIG)
        pattern(b, probe, 1024 * 1024 + 1);      /* one more than nginx takes by default (B-72) */
}

const char *head_field(const char *head, const char *name, size_t nth, size_t *len)
{
    size_t n = strlen(name);
    for (const char *p = strstr(head, "\r\n"); p && p[2] && p[2] != '\r'; p = strstr(p + 2, "\r\n")) {
        const char *line = p + 2;
        if (ascii_ncasecmp(line, name, n) != 0 || line[n] != ':' || nth-- > 0)
            continue;
        line += n + 1;
        line += strspn(line, " \t");
        const char *end = strstr(line, "\r\n");
        *len = end ? (size_t)(end - line) : strlen(line);
        while (*len > 0 && (line[*len - 1] == ' ' || line[*len - 1] == '\t'))
            --*len;
        return line;
    }
    return NULL;
}

static bool field_number(const char *head, const char *name, size_t *out)
{
    size_t len;
    const char *v = head_field(head, name, 0, &len);
    if (v == NULL || len == 0 || len > 18)
        return false;
    *out = (size_t)strtoull(v, NULL, 10);
    return true;
}

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

/* ---- answers ----------------------------------------------------------------------- */

static const char *reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 302: return "Found";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 500: return "Internal Server Error";
    default: return "Answer";
    }
}

static void add_body(struct peer *p, const struct strbuf *text, enum reply_body kind)
{
    struct strbuf *b = &p->out;
    if (kind != REPLY_CHUNKED) {
        buf_add(b, text->p ? text->p : "", text->n);
        return;
    }
    for (size_t at = 0; at < text->n;) {
        size_t n = text->n - at < 7001 ? text->n - at : 7001;
        buf_printf(b, "%zx\r\n", n);
        buf_add(b, text->p + at, n);
        buf_puts(b, "\r\n");
        at += n;
    }
    buf_puts(b, "0\r\n\r\n");
}

static void answer(struct stand_in *s, struct peer *p, size_t probe)
{
    static const struct probe plain = { .status = 200 };
    const struct probe *b = probe < s->list->n ? &s->list->v[probe] : &plain;
    struct strbuf text = { 0 }, *o = &p->out;
    bool head_only = strncmp(p->head, "HEAD ", 5) == 0;
    reply_text(&text, probe, b->reply);
    buf_printf(o, "HTTP/1.1 %d %s\r\nServer: tmgc-stand-in/1\r\nContent-Type: text/x-tmgc; charset=utf-8\r\n"
               "X-Tmgc-Answer: %zu\r\nX_Tmgc_Answer: kept\r\nETag: \"%zu\"\r\nCache-Control: private\r\n"
               "Set-Cookie: one=1; Domain=internal.example; Path=/internal\r\nSet-Cookie: two=2; Secure; HttpOnly\r\n",
               b->status, reason(b->status), probe, probe);
    if (b->status == 401)
        buf_puts(o, "WWW-Authenticate: Basic realm=\"internal\"\r\nWWW-Authenticate: NTLM\r\n");
    if (b->location)
        buf_printf(o, "Location: %s\r\n", b->location);
    if (b->content_location)
        buf_printf(o, "Content-Location: %s\r\n", b->content_location);
    if (b->reply == REPLY_CHUNKED)
        buf_puts(o, "Transfer-Encoding: chunked\r\n\r\n");
    else if (b->reply == REPLY_UNTIL_CLOSE)
        buf_puts(o, "Connection: close\r\n\r\n");
    else
        buf_printf(o, "Content-Length: %zu\r\n\r\n", text.n);
    if (!head_only)
        add_body(p, &text, b->reply);
    if (b->reply == REPLY_UNTIL_CLOSE)
        p->closing = true;
    buf_free(&text);
}

static void request_done(struct stand_in *s, struct peer *p)
{
    size_t probe;
    if (field_number(p->head, "X-Tmgc-Probe", &probe) && probe < s->list->n) {
        pthread_mutex_lock(&s->lock);
        struct sighting *g = &s->seen[probe];
        free(g->head);
        free(g->sni);
        *g = (struct sighting){ .times = g->times + 1, .server = p->server, .tls = p->ssl != NULL,
                                .sni = p->sni ? strdup(p->sni) : NULL, .head = p->head, .body_n = p->body_n, .body_hash = p->body_hash };
        pthread_mutex_unlock(&s->lock);
        answer(s, p, probe);
    } else {
        answer(s, p, SIZE_MAX);
        free(p->head);
    }
    p->head = NULL;
    p->stage = STAGE_HEAD;
}

/* ---- the request, as its bytes come ------------------------------------------------- */

static void take(struct peer *p, size_t n)
{
    if (n == 0)
        return;
    memmove(p->in.p, p->in.p + n, p->in.n - n + 1);
    p->in.n -= n;
}

static bool head_complete(struct stand_in *s, struct peer *p)
{
    char *end = p->in.n ? strstr(p->in.p, "\r\n\r\n") : NULL;
    size_t len, n;
    if (end == NULL)
        return false;
    n = (size_t)(end - p->in.p) + 4;
    p->head = strndup(p->in.p, n);
    take(p, n);
    p->body_n = 0;
    p->body_hash = hash_bytes("", 0);
    p->left = 0;
    if (head_field(p->head, "Transfer-Encoding", 0, &len))
        p->stage = STAGE_CHUNK_SIZE;
    else if (field_number(p->head, "Content-Length", &p->left) && p->left > 0)
        p->stage = STAGE_BODY;
    else {
        request_done(s, p);
        return true;
    }
    if (head_field(p->head, "Expect", 0, &len))
        buf_puts(&p->out, "HTTP/1.1 100 Continue\r\n\r\n");
    return true;
}

static void body_bytes(struct peer *p)
{
    size_t n = p->in.n < p->left ? p->in.n : p->left;
    if (n)
        p->body_hash = hash_more(p->body_hash, p->in.p, n);
    p->body_n += n;
    p->left -= n;
    take(p, n);
}

/* A line of chunk framing; false: not there yet. */
static bool framing_line(struct peer *p, struct strbuf *line)
{
    char *end = p->in.n ? strstr(p->in.p, "\r\n") : NULL;
    if (end == NULL)
        return false;
    buf_clear(line);
    buf_add(line, p->in.p, (size_t)(end - p->in.p));
    take(p, (size_t)(end - p->in.p) + 2);
    return true;
}

/* One step; false: needs more bytes. */
static bool step(struct stand_in *s, struct peer *p)
{
    struct strbuf line = { 0 };
    bool went_on = true;
    switch (p->stage) {
    case STAGE_HEAD: went_on = head_complete(s, p); break;
    case STAGE_BODY:
        went_on = p->in.n > 0;
        body_bytes(p);
        if (p->left == 0)
            request_done(s, p);
        break;
    case STAGE_CHUNK_SIZE:
        if ((went_on = framing_line(p, &line))) {
            p->left = (size_t)strtoull(line.p ? line.p : "", NULL, 16);
            p->stage = p->left ? STAGE_CHUNK : STAGE_TRAILER;
        }
        break;
    case STAGE_CHUNK:
        went_on = p->in.n > 0;
        body_bytes(p);
        if (p->left == 0)
            p->stage = STAGE_CHUNK_END;
        break;
    case STAGE_CHUNK_END:
        if ((went_on = framing_line(p, &line)))
            p->stage = STAGE_CHUNK_SIZE;
        break;
    case STAGE_TRAILER:
        if ((went_on = framing_line(p, &line)) && line.n == 0)
            request_done(s, p);
        break;
    }
    buf_free(&line);
    return went_on;
}

/* ---- the loop ------------------------------------------------------------------------- */

static struct peer *peer_add(struct stand_in *s, int fd, size_t server, bool listening)
{
    struct peer *p = calloc(1, sizeof *p);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };
    if (p == NULL)
        mem_fatal();
    *p = (struct peer){ .fd = fd, .server = server, .listening = listening, .events = EPOLLIN, .next = s->peers };
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
    buf_free(&p->in);
    buf_free(&p->out);
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
    SSL_set_fd(p->ssl, p->fd);
    SSL_set_accept_state(p->ssl);
    p->shaking = true;
    return 0;
}

static int peer_ready(struct stand_in *s, struct peer *p)
{
    char some[32768];
    int n;
    if (!p->knows_kind && (learn_kind(s, p) != 0 || !p->knows_kind))
        return p->knows_kind ? -1 : 0;
    if (p->shaking) {
        n = SSL_do_handshake(p->ssl);
        if (n != 1)
            return retry_or_over(p->ssl, n);
        p->shaking = false;
    }
    while ((n = peer_read(p, some, sizeof some)) > 0) {
        buf_add(&p->in, some, (size_t)n);
        while (step(s, p))
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
    uint32_t want = EPOLLIN | (p->out.n > p->sent ? EPOLLOUT : 0u);
    if (want != p->events) {
        struct epoll_event e = { .events = want, .data.ptr = p };
        p->events = want;
        epoll_ctl(s->epoll, EPOLL_CTL_MOD, p->fd, &e);
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
                wake = true;          /* last: it frees peers that other events name */
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
            buf_printf(err, "no socket for the published server %s: %s\n", s->places->servers.v[i].host, strerror(errno));
            return -1;
        }
        peer_add(s, fd, i, true);
    }
    return 0;
}

struct stand_in *stand_in_start(const struct places *places, const struct authority *a, const probes *list, struct strbuf *err)
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
    if (s->seen == NULL)
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
    while (s->peers)
        peer_close(s, s->peers);
    for (size_t i = 0; i < s->names.n; i++)
        SSL_CTX_free(s->names.v[i].ctx);
    SSL_CTX_free(s->wrong);
    for (size_t i = 0; i < s->list->n; i++) {
        free(s->seen[i].head);
        free(s->seen[i].sni);
    }
    free(s->seen);
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
    pthread_mutex_unlock(&s->lock);
}
