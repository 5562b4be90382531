/* oracle: the codec of http/ beside llhttp 8.1 (Debian 12's /usr/share/llhttp), the usual parser.
 *
 *   oracle                      the vectors: how llhttp alone, and llhttp behind a gate, judge them; every difference
 *                               between ours and llhttp alone must be one of tests/http1/llhttp.txt
 *   oracle verdicts             our verdict on each line of standard input, in the notation of the vectors: in hex, a byte 1e between items
 *   oracle cost own|gated N     N times one head of a browser, read until its fields can be asked for by name:
 *                               to be counted by `perf stat -e instructions:u` (docs/decisions.md has the figures)
 */
#define _GNU_SOURCE
#include "feed.h"
#include "vectors.h"

#include <llhttp.h>
#include <stdlib.h>

/* ---- llhttp alone ---------------------------------------------------------- */
struct alone {
    struct strbuf verdict, body, method;
    bool open;
};

static int on_message_begin(llhttp_t *p)
{
    struct alone *a = p->data;
    buf_clear(&a->body);
    buf_clear(&a->method);
    return 0;
}
static int on_headers_complete(llhttp_t *p)
{
    struct alone *a = p->data;
    a->open = true;
    buf_puts(&a->method, llhttp_method_name((llhttp_method_t)p->method));
    return 0;
}
static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct alone *a = p->data;
    buf_add(&a->body, at, n);
    return 0;
}
static void message(struct alone *a, bool equals)
{
    if (a->verdict.n)
        buf_putc(&a->verdict, ' ');
    buf_add(&a->verdict, a->method.p, a->method.n);
    if (equals || a->body.n)
        buf_putc(&a->verdict, '=');
    buf_add(&a->verdict, a->body.p, a->body.n);
    a->open = false;
}
static int on_message_complete(llhttp_t *p)
{
    message(p->data, false);
    return llhttp_should_keep_alive(p) && !p->upgrade ? 0 : HPE_PAUSED;
}

static void judge_alone(const char *p, size_t n, struct strbuf *verdict)
{
    static llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_message_begin = on_message_begin;
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_complete;
    struct alone a = { 0 };
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &a;
    llhttp_errno_t e = llhttp_execute(&parser, p, n);
    if (e != HPE_OK && e != HPE_PAUSED && e != HPE_PAUSED_UPGRADE) {
        if (a.open)
            message(&a, true);
        else if (a.verdict.n)
            buf_putc(&a.verdict, ' ');
        buf_puts(&a.verdict, "refused");
    } else if (a.open) {
        message(&a, true);
        buf_puts(&a.verdict, "...");
    } else if (e == HPE_OK && llhttp_message_needs_eof(&parser) == 0 && llhttp_finish(&parser) != HPE_OK) {
        buf_puts(&a.verdict, a.verdict.n ? " ..." : "...");
    }
    buf_add(verdict, a.verdict.p, a.verdict.n);
    buf_free(&a.verdict);
    buf_free(&a.body);
    buf_free(&a.method);
}

/* ---- llhttp behind a gate -------------------------------------------------- */
/* The gate: the head's form. llhttp reads the fields and says what the body is. */
static bool gate(const char *p, size_t n, size_t *line_n)
{
    const char *end = p + n, *s = p;
    while (s<end && * s> ' ' && *s != 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", *s))
        s++;
    if (s == p || *s++ != ' ')
        return false;
    const char *target = s;
    while (s < end && (unsigned char)*s > ' ' && *s != 0x7f)
        s++;
    if (s == target || end - s < 11 || memcmp(s, " HTTP/1.", 8) != 0 || (s[8] != '0' && s[8] != '1') || s[9] != '\r')
        return false;
    s += 11;
    *line_n = (size_t)(s - p);
    unsigned hosts = 0;
    while (s < end && *s != '\r') {
        const char *name = s;
        while (*s > ' ' && *s != ':' && *s != 0x7f)
            s++;
        if (s == name || *s != ':')
            return false;
        hosts += s - name == 4 && ascii_ncasecmp(name, "host", 4) == 0;
        s = memchr(s, '\n', (size_t)(end - s));
        if (!s)
            return false;
        s++;
    }
    return hosts < 2 && end - s == 2;
}

struct gated {
    struct head *h;
    const char *name;
    size_t name_n;
    char *value;
    size_t value_n;
    bool failed;
};

static int on_name(llhttp_t *p, const char *at, size_t n)
{
    struct gated *g = p->data;
    g->name = at;
    g->name_n = n;
    g->value_n = 0;
    return 0;
}
static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct gated *g = p->data;
    g->value = g->h->text + (at - g->h->text);
    g->value_n = n;
    return 0;
}
static int on_value_complete(llhttp_t *p)
{
    struct gated *g = p->data;
    char *value = g->value_n ? g->value : g->h->text + g->h->text_n - 1;
    while (g->value_n && (value[g->value_n - 1] == ' ' || value[g->value_n - 1] == '\t'))
        g->value_n--;
    value[g->value_n] = '\0';
    g->h->text[g->name - g->h->text + (ptrdiff_t)g->name_n] = '\0';
    return head_push(g->h, (struct field){ .id = field_id_of(g->name, g->name_n),
                                           .name_n = (uint32_t)g->name_n,
                                           .value_n = (uint32_t)g->value_n,
                                           .name = g->name,
                                           .value = value })
               ? 0
               : -1;
}
static int on_head_complete(llhttp_t *p)
{
    struct gated *g = p->data;
    g->h->framing = p->flags & F_CHUNKED ? BODY_CHUNKED : p->flags & F_CONTENT_LENGTH ? BODY_LENGTH : BODY_NONE;
    g->h->length = p->content_length;
    g->h->keep_alive = llhttp_should_keep_alive(p);
    return 0;
}

/* The same head as http1_request makes, by the gate and llhttp; 0 or 400. */
static int gated_request(struct head *h, const char *p, size_t n)
{
    static const char stand_in[] = "POST / HTTP/1.1\r\n";
    static llhttp_settings_t settings;
    if (!settings.on_header_field) {
        llhttp_settings_init(&settings);
        settings.on_header_field = on_name;
        settings.on_header_value = on_value;
        settings.on_header_value_complete = on_value_complete;
        settings.on_headers_complete = on_head_complete;
    }
    size_t line_n;
    if (!gate(p, n, &line_n))
        return 400;
    memcpy(head_room(h, n), p, n);
    struct gated g = { .h = h };
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &g;
    char *method_end = strchr(h->text, ' ');
    h->method = h->text;
    h->target = method_end + 1;
    *method_end = '\0';
    *strchr(h->target, ' ') = '\0';
    if (llhttp_execute(&parser, stand_in, sizeof stand_in - 1) != HPE_OK)
        return 400;
    llhttp_errno_t e = llhttp_execute(&parser, h->text + line_n, n - line_n);
    return e == HPE_OK || e == HPE_PAUSED_UPGRADE ? 0 : 400;
}

/* ---- the vectors ----------------------------------------------------------- */
struct judged {
    struct strbuf listed;
    unsigned vectors, alone_wrong, gated_wrong, unexplained, stale;
};

/* "GET 505" and "GET 400" are one: GET and a refusal. */
static void plain_verdict(struct strbuf *out, const struct strbuf *verdict)
{
    static const char *const statuses[] = { "400", "431", "501", "505" };
    size_t n = verdict->n;
    bool refused = false;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses && !refused; i++)
        refused = n >= 3 && memcmp(verdict->p + n - 3, statuses[i], 3) == 0;
    buf_add(out, verdict->p, refused ? n - 3 : n);
    if (refused)
        buf_puts(out, "refused");
}

static bool same(const struct strbuf *a, const struct strbuf *b)
{
    return a->n == b->n && (!a->n || memcmp(a->p, b->p, a->n) == 0);
}

/* Whether the gate and llhttp take a head or refuse it as the vectors say; of the first head only. */
static bool gated_agrees(const struct vector *v)
{
    struct head *h = calloc(1, sizeof *h);
    if (!h)
        mem_fatal();
    size_t skip = http1_leading(v->bytes.p, v->bytes.n), n = http1_head_end(v->bytes.p + skip, v->bytes.n - skip, 0);
    bool taken = n > 0 && n < SIZE_MAX && gated_request(h, v->bytes.p + skip, n) == 0;
    bool expected = *v->verdict != '4' && *v->verdict != '5' && *v->verdict != '.';
    head_free(h);
    free(h);
    return taken == expected;
}

static void judge(const struct vector *v, void *data)
{
    struct judged *j = data;
    struct strbuf ours = { 0 }, theirs = { 0 }, line = { 0 };
    plain_verdict(&ours, &v->expected);
    judge_alone(v->bytes.p, v->bytes.n, &theirs);
    j->vectors++;
    j->gated_wrong += !gated_agrees(v);
    buf_printf(&line, "\n%s\n", v->name);
    bool differs = !same(&ours, &theirs), listed = strstr(j->listed.p, line.p) != NULL;
    j->alone_wrong += differs;
    if (differs != listed) {
        struct strbuf shown = { 0 };
        buf_add(&shown, theirs.p, theirs.n < 80 ? theirs.n : 80);
        printf("%s: %s (ours: %s; llhttp: ", v->name,
               differs ? "llhttp differs, and tests/http1/llhttp.txt does not say why" : "listed, but no difference",
               v->verdict);
        for (size_t i = 0; i < shown.n; i++)
            printf(shown.p[i] < ' ' ? "\\x%02x" : "%c", (unsigned char)shown.p[i]);
        printf(")\n");
        buf_free(&shown);
        j->unexplained += differs;
        j->stale += listed;
    }
    buf_free(&ours);
    buf_free(&theirs);
    buf_free(&line);
}

static int judge_all(void)
{
    struct judged j = { 0 };
    struct strbuf err = { 0 };
    if (file_read("tests/http1/llhttp.txt", 1 << 20, &j.listed, &err) != 0) {
        printf("%s\n", err.p);
        return 2;
    }
    long n = vectors_each("tests/http1/requests.txt", false, judge, &j);
    printf(
        "oracle: %ld requests; other than ours: llhttp alone %u, its heads behind a gate %u; unexplained %u, explained in vain %u\n",
        n, j.alone_wrong, j.gated_wrong, j.unexplained, j.stale);
    buf_free(&j.listed);
    return n < 0 || j.unexplained || j.stale;
}

/* ---- any bytes ----------------------------------------------------------------- */
static int verdicts(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
        struct strbuf bytes = { 0 };
        struct feed f = { .separator = '\x1e' };
        vector_unescape(&bytes, line, line + n - 1);
        feed_bytes(&f, bytes.p, bytes.n);
        feed_end(&f);
        for (size_t i = 0; i < f.verdict.n; i++)
            printf("%02x", (unsigned char)f.verdict.p[i]);
        putchar('\n');
        feed_free(&f);
        buf_free(&bytes);
    }
    free(line);
    return 0;
}

/* ---- cost ------------------------------------------------------------------ */
static const char browser[] =
    "GET /owa/ev.owa?oeh=1&ns=Notify&ev=Poll HTTP/1.1\r\n"
    "Host: mail.example.com\r\n"
    "Connection: keep-alive\r\n"
    "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Referer: https://mail.example.com/owa/\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: de-DE,de;q=0.9,en;q=0.8\r\n"
    "Cookie: sessionid=0123456789abcdef; UserContext=5b0f2d0c9c4e4b\r\n"
    "X-Requested-With: XMLHttpRequest\r\n"
    "\r\n";

static int cost(const char *which, unsigned long times)
{
    struct head *h = calloc(1, sizeof *h);
    if (!h)
        mem_fatal();
    const char *why;
    size_t n = sizeof browser - 1, found = 0;
    bool own = strcmp(which, "own") == 0;
    for (unsigned long i = 0; i < times; i++) {
        size_t end = http1_head_end(browser, n, 0);
        if (own ? http1_request(h, browser, end, &why) : gated_request(h, browser, end))
            return 1;
        found += head_value(h, FIELD_HOST) && head_value(h, FIELD_COOKIE) && !head_value(h, FIELD_AUTHORIZATION);
    }
    printf("%s: %zu bytes, %lu times\n", which, n, times);
    head_free(h);
    free(h);
    return found != times;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return judge_all();
    if (argc == 2 && strcmp(argv[1], "verdicts") == 0)
        return verdicts();
    if (argc == 4 && strcmp(argv[1], "cost") == 0)
        return cost(argv[2], strtoul(argv[3], NULL, 10));
    fprintf(stderr, "usage: oracle [verdicts | cost own|gated N]\n");
    return 2;
}
