/* The stand-ins' HTTP: reads requests as their bytes come, keeps what was seen of each probe, and answers as the probe's definition asks.
 * Requests that carry no probe's number (health checks) get 200. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include "stand_in.h"

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

void reply_text(struct strbuf *b, size_t number, const struct probe *p)
{
    enum reply_body kind = p->reply;
    buf_clear(b);
    if (p->page)
        buf_puts(b, p->page);
    else if (kind != REPLY_NONE)
        pattern(b, number,
                kind == REPLY_LONG    ? 300 * 1000
                : kind == REPLY_SHORT ? 33
                : kind == REPLY_HELD  ? 600
                                      : 20000);
}

void body_text(struct strbuf *b, size_t probe, enum body kind)
{
    buf_clear(b);
    if (kind == BODY_LENGTH || kind == BODY_CHUNKED || kind == BODY_SLOW)
        pattern(b, probe, 1500);
    if (kind == BODY_BIG)
        pattern(b, probe, 1024 * 1024 + 1); /* one more than nginx takes by default (B-72) */
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

/* Half of the body now, the rest when the client says that it has got this (B-74). */
static void hold_body(struct peer *p, const struct strbuf *text, size_t probe)
{
    size_t half = text->n / 2;
    buf_add(&p->out, text->p, half);
    buf_add(&p->rest, text->p + half, text->n - half);
    p->held = probe;
}

void peer_release(struct stand_in *s, struct peer *p)
{
    pthread_mutex_lock(&s->lock);
    bool go = p->held != SIZE_MAX && s->progress[p->held].released;
    pthread_mutex_unlock(&s->lock);
    if (!go)
        return;
    buf_add(&p->out, p->rest.p, p->rest.n);
    buf_clear(&p->rest);
    p->held = SIZE_MAX;
}

static bool asks_gzip(const char *head)
{
    size_t n = 0;
    const char *v = head_field(head, "Accept-Encoding", 0, &n);
    return v && accepts_gzip(v, n);
}

/* text by gzip, in its place. */
static bool pack(struct strbuf *text)
{
    z_stream z = { .next_in = (Bytef *)text->p, .avail_in = (uInt)text->n };
    struct strbuf out = { 0 };
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t most = deflateBound(&z, text->n);
    z.next_out = (Bytef *)buf_reserve(&out, most);
    z.avail_out = (uInt)most;
    deflate(&z, Z_FINISH);
    out.n = z.total_out;
    deflateEnd(&z);
    buf_free(text);
    *text = out;
    return true;
}

static void answer(struct stand_in *s, struct peer *p, size_t probe)
{
    static const struct probe plain = { .status = 200 };
    const struct probe *b = probe < s->list->n ? &s->list->v[probe] : &plain;
    struct strbuf text = { 0 }, *o = &p->out;
    bool head_only = strncmp(p->head, "HEAD ", 5) == 0;
    reply_text(&text, probe, b);
    bool packed = b->packs && asks_gzip(p->head) && pack(&text);
    buf_printf(o,
               "HTTP/1.1 %d %s\r\nServer: tmgc-stand-in/1\r\nContent-Type: %s; charset=utf-8\r\n"
               "X-Tmgc-Answer: %zu\r\nX_Tmgc_Answer: kept\r\nETag: \"%zu\"\r\nCache-Control: private\r\n"
               "Set-Cookie: one=1; Domain=internal.example; Path=/internal\r\nSet-Cookie: two=2; Secure; HttpOnly\r\n",
               b->status, reason(b->status), b->page ? b->page_type : "text/x-tmgc", probe, probe);
    if (packed)
        buf_puts(o, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
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
    if (b->reply == REPLY_HELD && !head_only)
        hold_body(p, &text, probe);
    else if (!head_only)
        add_body(p, &text, b->reply);
    if (b->reply == REPLY_UNTIL_CLOSE)
        p->closing = true;
    buf_free(&text);
}

static long shown_certificate(const struct peer *p)
{
    X509 *x = p->ssl ? SSL_get1_peer_certificate(p->ssl) : NULL;
    long number = x ? listener_certificate_number(x) : -1;
    X509_free(x);
    return number;
}

static uint32_t came_from(const struct peer *p)
{
    struct sockaddr_in from = { 0 };
    socklen_t len = sizeof from;
    return getpeername(p->fd, (struct sockaddr *)&from, &len) == 0 ? ntohl(from.sin_addr.s_addr) : 0;
}

static void request_done(struct stand_in *s, struct peer *p)
{
    size_t probe;
    if (field_number(p->head, "X-Tmgc-Probe", &probe) && probe < s->list->n) {
        pthread_mutex_lock(&s->lock);
        struct sighting *g = &s->seen[probe];
        sighting_free(g);
        *g = (struct sighting){ .times = g->times + 1,
                                .server = p->server,
                                .tls = p->ssl != NULL,
                                .sni = p->sni ? strdup(p->sni) : NULL,
                                .certificate = shown_certificate(p),
                                .from = came_from(p),
                                .head = p->head,
                                .body_n = p->body_n,
                                .body_hash = p->body_hash,
                                .proxied = p->proxied ? strdup(p->proxied) : NULL };
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

/* The client of a slow body waits for this before it sends the rest (B-74). */
static void note_begun(struct stand_in *s, const char *head)
{
    size_t probe;
    if (!field_number(head, "X-Tmgc-Probe", &probe) || probe >= s->list->n)
        return;
    pthread_mutex_lock(&s->lock);
    s->progress[probe].begun = true;
    pthread_mutex_unlock(&s->lock);
}

static bool head_complete(struct stand_in *s, struct peer *p)
{
    char *end = p->in.n ? strstr(p->in.p, "\r\n\r\n") : NULL;
    size_t len, n;
    if (end == NULL)
        return false;
    if (!p->proxied && strncmp(p->in.p, "PROXY ", 6) == 0) {
        n = strcspn(p->in.p, "\r") + 2;
        p->proxied = strndup(p->in.p, n - 2);
        take(p, n);
        return true;
    }
    n = (size_t)(end - p->in.p) + 4;
    p->head = strndup(p->in.p, n);
    take(p, n);
    note_begun(s, p->head);
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

bool peer_step(struct stand_in *s, struct peer *p)
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
