/* test_http1: the gate and the codec against the vectors of tests/http1, whole and in pieces; fields, writing. */
#include "check.h"
#include "../http1/feed.h"
#include "../http1/vectors.h"

static void check_text(const char *got, const char *expected, const char *what)
{
    check(str_equal(got, expected), what, got ? got : "(none)");
}

/* ---- vectors --------------------------------------------------------------- */
/* Feeds v in three pieces, [0, a), [a, b), [b, n), or byte by byte where a is SIZE_MAX. */
static void judge(const struct vector *v, const char *answers_to, size_t a, size_t b)
{
    struct feed f = { .answers_to = answers_to };
    const char *p = v->bytes.p;
    size_t n = v->bytes.n;
    if (a == SIZE_MAX) {
        for (size_t i = 0; i < n; i++)
            feed_bytes(&f, p + i, 1);
    } else {
        feed_bytes(&f, p, a);
        feed_bytes(&f, p + a, b - a);
        feed_bytes(&f, p + b, n - b);
    }
    feed_end(&f);
    bool ok =
        f.verdict.n == v->expected.n && (!v->expected.n || memcmp(f.verdict.p, v->expected.p, v->expected.n) == 0);
    struct strbuf detail = { 0 };
    if (!ok)
        buf_printf(&detail, "%s, cut at %zu and %zu: expected %s, got %s", v->name, a, b, v->verdict,
                   f.verdict.p ? f.verdict.p : "nothing");
    check(ok, "verdict", detail.p ? detail.p : "");
    buf_free(&detail);
    feed_free(&f);
}

static void judge_all_cuts(const struct vector *v, const char *answers_to)
{
    size_t n = v->bytes.n, step = n < 1000 ? 1 : n / 53;
    judge(v, answers_to, 0, 0);
    judge(v, answers_to, SIZE_MAX, 0);
    for (size_t i = 1; i < n; i += step) {
        judge(v, answers_to, i, i);
        judge(v, answers_to, i, i + (n - i) / 2);
    }
}

static void judge_request(const struct vector *v, void *data)
{
    (void)data;
    judge_all_cuts(v, NULL);
}
static void judge_answer(const struct vector *v, void *data)
{
    (void)data;
    judge_all_cuts(v, v->method);
}

/* ---- fields ---------------------------------------------------------------- */
static void test_names(void)
{
    static const char *const names[FIELD_IDS] = {
        [FIELD_HOST] = "Host",
        [FIELD_CONNECTION] = "Connection",
        [FIELD_CONTENT_LENGTH] = "Content-Length",
        [FIELD_TRANSFER_ENCODING] = "Transfer-Encoding",
        [FIELD_KEEP_ALIVE] = "Keep-Alive",
        [FIELD_PROXY_CONNECTION] = "Proxy-Connection",
        [FIELD_TE] = "TE",
        [FIELD_TRAILER] = "Trailer",
        [FIELD_UPGRADE] = "Upgrade",
        [FIELD_EXPECT] = "Expect",
        [FIELD_AUTHORIZATION] = "Authorization",
        [FIELD_WWW_AUTHENTICATE] = "WWW-Authenticate",
        [FIELD_PROXY_AUTHORIZATION] = "Proxy-Authorization",
        [FIELD_PROXY_AUTHENTICATE] = "Proxy-Authenticate",
        [FIELD_COOKIE] = "Cookie",
        [FIELD_SET_COOKIE] = "Set-Cookie",
        [FIELD_ACCEPT_ENCODING] = "Accept-Encoding",
        [FIELD_CONTENT_ENCODING] = "Content-Encoding",
        [FIELD_CONTENT_TYPE] = "Content-Type",
        [FIELD_LOCATION] = "Location",
        [FIELD_CONTENT_LOCATION] = "Content-Location",
        [FIELD_VIA] = "Via",
        [FIELD_SERVER] = "Server",
        [FIELD_DATE] = "Date",
        [FIELD_X_FORWARDED_FOR] = "X-Forwarded-For",
        [FIELD_FRONT_END_HTTPS] = "Front-End-Https",
        [FIELD_USER_AGENT] = "User-Agent",
        [FIELD_REFERER] = "Referer",
        [FIELD_ORIGIN] = "Origin",
        [FIELD_ACCEPT] = "Accept",
        [FIELD_ACCEPT_LANGUAGE] = "Accept-Language",
        [FIELD_CACHE_CONTROL] = "Cache-Control",
        [FIELD_PRAGMA] = "Pragma",
        [FIELD_ETAG] = "ETag",
        [FIELD_RANGE] = "Range",
        [FIELD_CONTENT_RANGE] = "Content-Range",
        [FIELD_VARY] = "Vary",
        [FIELD_PERSISTENT_AUTH] = "Persistent-Auth",
    };
    for (enum field_id id = FIELD_OTHER + 1; id < FIELD_IDS; id++) {
        char name[40];
        size_t n = strlen(names[id]);
        for (int spelling = 0; spelling < 3; spelling++) {
            for (size_t i = 0; i <= n; i++)
                name[i] = spelling == 1                          ? ascii_lower(names[id][i])
                          : spelling == 2 && names[id][i] >= 'a' ? (char)(names[id][i] & ~0x20)
                                                                 : names[id][i];
            check(field_id_of(name, n) == id, "its name is not known", name);
        }
        for (size_t i = 0; i < n; i++) { /* one byte another, or cut: never the field */
            name[i] = name[i] == '-' ? '_' : '-';
            check(field_id_of(name, n) != id, "a name that is not quite its own", name);
            name[i] = names[id][i];
            check(field_id_of(name, i) != id, "cut, and still known", names[id]);
        }
    }
    check(field_id_of("", 0) == FIELD_OTHER, "no name", "");
}

static void read_into(struct head *h, const char *text)
{
    const char *why;
    check(http1_request(h, text, strlen(text), &why) == 0, "not taken", text);
}

static void test_changing(void)
{
    struct head *h = calloc(1, sizeof *h);
    if (!h)
        mem_fatal();
    read_into(h, "GET / HTTP/1.1\r\nHost: a\r\nCookie: 1\r\nX: 1\r\nCookie: 2\r\nx: 2\r\nVia: b\r\n\r\n");
    check_text(head_value(h, FIELD_COOKIE), "1", "the first of a name");
    head_remove_at(h, h->first[FIELD_COOKIE] - 1);
    check_text(head_value(h, FIELD_COOKIE), "2", "the next once the first is gone");
    head_remove_at(h, h->first[FIELD_COOKIE] - 1);
    check_text(head_value(h, FIELD_COOKIE), NULL, "none once both are gone");
    check(head_set(h, FIELD_HOST, "Host", "c") && head_set(h, FIELD_OTHER, "X", "3") &&
              head_set(h, FIELD_DATE, "Date", "now") && head_add(h, "Cookie", "3") && head_add(h, "Cookie", "4"),
          "no room", "");
    head_remove(h, FIELD_VIA);
    struct strbuf out = { 0 };
    http1_write_request(&out, h, NULL);
    check_text(out.p, "GET / HTTP/1.1\r\nHost: c\r\nX: 3\r\nDate: now\r\nCookie: 3\r\nCookie: 4\r\n\r\n", "changed");
    struct strbuf big = { 0 };
    for (int i = 0; i < 9000; i++)
        buf_putc(&big, 'b');
    const char *copy = head_copy(h, big.p, big.n), *other = head_copy(h, "other", 5);
    check(strlen(copy) == big.n && str_equal(other, "other"), "copies", "");
    check_text(head_value(h, FIELD_HOST), "c", "a value after copies");
    unsigned added = 0;
    while (head_add(h, "Y", "y"))
        added++;
    check(h->n == HEAD_FIELDS_MAX && added > 0 && !head_set(h, FIELD_ETAG, "ETag", "e"), "fields without an end", "");
    buf_free(&out);
    buf_free(&big);
    head_free(h);
    free(h);
}

static void test_meaning(void)
{
    struct head *h = calloc(1, sizeof *h);
    if (!h)
        mem_fatal();
    read_into(h, "POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nConnection: x, Upgrade\r\nConnection: y\r\n"
                 "Upgrade: websocket\r\nX: 1\r\nY: 2\r\nx: 3\r\nZ: 4\r\nKeep-Alive: 5\r\nTE: trailers\r\nTrailer: Z\r\n"
                 "Proxy-Connection: close\r\nContent-Length: 5\r\n\r\n");
    check(h->expects && h->upgrades && h->keep_alive && h->framing == BODY_LENGTH && h->length == 5, "meaning", "");
    check(head_has_token(h, FIELD_CONNECTION, "Y") && head_has_token(h, FIELD_CONNECTION, "upgrade") &&
              !head_has_token(h, FIELD_CONNECTION, "z") && !head_has_token(h, FIELD_VIA, "x"),
          "tokens", "");
    head_add(h, "Y", "ours");
    struct strbuf out = { 0 };
    http1_write_request(&out, h, "upgrade");
    check_text(out.p,
               "POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nZ: 4\r\nY: ours\r\nContent-Length: 5\r\n"
               "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
               "written for an upgrade");
    buf_clear(&out);
    h->framing = BODY_CHUNKED;
    http1_write_request(&out, h, "close");
    check_text(
        out.p,
        "POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nZ: 4\r\nY: ours\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n",
        "written, chunked");
    read_into(h, "GET / HTTP/1.0\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    check(!h->expects && !h->upgrades && !h->keep_alive && h->framing == BODY_NONE, "HTTP/1.0", "");
    buf_free(&out);
    head_free(h);
    free(h);
}

static void write_answer(struct head *h, const char *method, const char *text, const char *expected)
{
    const char *why;
    struct strbuf out = { 0 };
    check(http1_answer(h, method, text, strlen(text), &why) == 0, "not taken", text);
    http1_write_answer(&out, h, NULL);
    check_text(out.p, expected, "an answer written");
    buf_free(&out);
}

static void test_answers(void)
{
    struct head *h = calloc(1, sizeof *h);
    if (!h)
        mem_fatal();
    write_answer(h, "GET", "HTTP/1.0 200\r\nContent-Length: 005\r\nKeep-Alive: 1\r\nConnection: x\r\nX: y\r\n\r\n",
                 "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n");
    write_answer(h, "HEAD", "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\n",
                 "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\n");
    write_answer(h, "GET", "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
                 "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n");
    write_answer(h, "GET", "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n");
    write_answer(h, "GET", "HTTP/1.1 100 On\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 100 On\r\n\r\n");
    write_answer(h, "HEAD", "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 Fine\r\n\r\n");
    write_answer(h, "GET", "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n",
                 "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n");
    write_answer(h, "GET", "HTTP/1.1 200 Fine\r\n\r\n", "HTTP/1.1 200 Fine\r\n\r\n");
    head_free(h);
    free(h);
}

/* What was written as chunks is read as what it was. */
static void test_chunks(void)
{
    struct strbuf body = { 0 }, wire = { 0 }, again = { 0 };
    for (size_t size = 1; size < 70000; size = size * 3 + 1) {
        http1_write_chunk_head(&wire, size);
        for (size_t i = 0; i < size; i++) {
            char c = (char)(i * 31 % 251);
            buf_putc(&body, c);
            buf_putc(&wire, c);
        }
        buf_puts(&wire, "\r\n");
    }
    buf_puts(&wire, HTTP1_LAST_CHUNK "rest");
    for (size_t piece = 1; piece < 5000; piece = piece * 2 + 1) {
        struct chunks c = { 0 };
        enum chunk_event e = CHUNK_MORE;
        size_t at = 0, used = 0, n = 0;
        buf_clear(&again);
        while (e != CHUNK_END && e != CHUNK_BAD && at < wire.n) {
            const char *data;
            e = chunks_read(&c, wire.p + at, piece < wire.n - at ? piece : wire.n - at, &used, &data, &n);
            at += used;
            if (e == CHUNK_DATA)
                buf_add(&again, data, n);
        }
        check(e == CHUNK_END && wire.n - at == 4 && again.n == body.n && memcmp(again.p, body.p, body.n) == 0,
              "chunks written and read", "");
    }
    buf_free(&body);
    buf_free(&wire);
    buf_free(&again);
}

int main(void)
{
    long requests = vectors_each("tests/http1/requests.txt", false, judge_request, NULL);
    long answers = vectors_each("tests/http1/answers.txt", true, judge_answer, NULL);
    check(requests >= 300 && answers >= 70, "vectors are missing", "");
    test_names();
    test_changing();
    test_meaning();
    test_answers();
    test_chunks();
    printf("%ld requests and %ld answers, whole and cut everywhere\n", requests, answers);
    return summary("http1");
}
