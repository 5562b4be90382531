/* Compression (B-65): content types, which answers become compressed or are unpacked, and that what comes out says the same. */
#include "check.h"
#include "http/http1.h"
#include "ir/compression.h"
#include "rewrite/chain.h"

#include <string.h>
#include <zlib.h>

/* ---- content types ------------------------------------------------------------------------ */
static struct arena *a;

static struct content_types types_of(const char *list)
{
    struct content_types t = { 0 };
    for (list += strspn(list, " "); *list; list += strspn(list, " ")) {
        size_t n = strcspn(list, " ");
        vec_add(a, &t.list, arena_strndup(a, list, n));
        list += n;
    }
    return t;
}

static void normal_types(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = { { "Text/HTML", "text/html" },
                  { " text/* \n", "text/*" },
                  { "*/*", "*" },
                  { "*", "*" },
                  { ".HTM", ".htm" },
                  { "image/svg+xml", "image/svg+xml" },
                  { "text", NULL },
                  { "text/", NULL },
                  { "/html", NULL },
                  { ".", NULL },
                  { "", NULL },
                  { "text/html; charset=x", NULL },
                  { "a b/c", NULL },
                  { "text/$x", NULL },
                  { ".h/tm", NULL },
                  { "text/x*y", NULL },
                  { "text/h\"l", NULL } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(str_equal(content_type_normal(a, cases[i].text), cases[i].want), "a content type", cases[i].text);
}

static void held_types(void)
{
    static const struct {
        const char *list, *type, *target;
        bool except, untyped, want;
    } cases[] = { { "text/html", "text/html", "/", false, false, true },
                  { "text/html", "TEXT/HTML; charset=utf-8", "/", false, false, true },
                  { "text/html", "text/htmlx", "/", false, false, false },
                  { "text/*", "text/htmlx", "/", false, false, true },
                  { "text/*", "textile/x", "/", false, false, false },
                  { "*", "image/png", "/", false, false, true },
                  { ".htm", NULL, "/a/b.HTM?x=.png", false, false, true },
                  { ".htm", "text/html", "/a/b.htm", false, false, false },
                  { ".htm", NULL, "/a.htm/b", false, false, false },
                  { ".htm", NULL, "/a.", false, false, false },
                  { "text/html", NULL, "/a", false, true, true },
                  { "text/html", NULL, "/a.png", false, true, false },
                  { "text/html", "", "/a", false, false, false },
                  { "text/html image/*", "text/css", "/", true, false, true },
                  { "text/html image/*", "image/png", "/", true, false, false },
                  { "text/html image/*", NULL, "/a.zip", true, false, true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct content_types t = types_of(cases[i].list);
        t.except = cases[i].except;
        t.untyped = cases[i].untyped;
        check(content_types_hold(&t, cases[i].type, cases[i].target) == cases[i].want, "held", cases[i].list);
    }
}

static void listed_types(void)
{
    static const struct {
        const char *list, *want;
        bool except, stars, differs;
    } cases[] = { { "text/html application/x", "text/html application/x", false, false, false },
                  { "text/html text/*", "text/html text/*", false, true, false },
                  { "video/*", "", false, false, true },
                  { "image/*", "image/svg+xml", false, false, true },
                  { "text/css *", "*", false, false, false },
                  { ".htm", "", false, true, true },
                  { "text/* application/*", "image/svg+xml", true, true, true },
                  { "*", "", true, true, true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct content_types t = types_of(cases[i].list);
        strings out = { 0 };
        struct strbuf b = { 0 };
        t.except = cases[i].except;
        content_types_listed(a, &t, cases[i].stars, &out);
        for (size_t k = 0; k < out.n; k++)
            buf_printf(&b, "%s%s", k ? " " : "", out.v[k]);
        check(!strcmp(b.p ? b.p : "", cases[i].want), "listed", cases[i].list);
        check(content_types_differ(&t, cases[i].stars) == cases[i].differs, "differs", cases[i].list);
        buf_free(&b);
    }
}

/* ---- answers ---------------------------------------------------------------------------------- */
#define LINE "a line that says the same as the one before it, so that a page of such lines gets smaller\n"
#define PAGE LINE LINE LINE LINE LINE LINE LINE LINE
enum becomes { AS_IT_IS, CODED, DECODED };

static void coded(const char *in, size_t n, struct strbuf *out)
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)n };
    deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    size_t most = deflateBound(&z, n);
    z.next_out = (Bytef *)buf_reserve(out, most);
    z.avail_out = (uInt)most;
    deflate(&z, Z_FINISH);
    out->n += z.total_out;
    deflateEnd(&z);
}

static bool says(const struct strbuf *in, bool packed)
{
    char out[4096];
    z_stream z = {
        .next_in = (Bytef *)in->p, .avail_in = (uInt)in->n, .next_out = (Bytef *)out, .avail_out = sizeof out
    };
    if (!packed)
        return in->n == strlen(PAGE) && !memcmp(in->p, PAGE, in->n);
    inflateInit2(&z, 31);
    int r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return r == Z_STREAM_END && z.total_out == strlen(PAGE) && !memcmp(out, PAGE, z.total_out);
}

/* All of the body, cut at one place. */
static bool through(struct body_chain *c, const struct strbuf *body, size_t cut, struct strbuf *out)
{
    size_t used, at = 0;
    while (at < body->n) {
        size_t n = at < cut ? cut - at : body->n - at;
        if (chain_push(c, body->p + at, n, &used, out) != CHAIN_MORE || used != n)
            return false;
        at += used;
    }
    return chain_end(c, out) == CHAIN_MORE;
}

struct answering {
    const char *what, *head, *accepts;
    bool packs;                 /* the server's body is gzip */
    bool not_for, asks, passes; /* the client is an exception; the server was asked; Accept-Encoding went on */
    const char *method;
    enum becomes becomes;
    bool vary;
};
#define HTML "Content-Type: text/html\r\nETag: \"e\"\r\n"
static const struct answering answers[] = {
    { "a page", HTML, "gzip", false, false, false, false, "GET", CODED, true },
    { "in chunks", HTML "Transfer-Encoding: chunked\r\n", "gzip", false, false, false, false, "GET", CODED, true },
    { "who does not take it", HTML, "gzip;q=0", false, false, false, false, "GET", AS_IT_IS, true },
    { "who says nothing", HTML, NULL, false, false, false, false, "GET", AS_IT_IS, true },
    { "an exception", HTML, "gzip", false, true, false, false, "GET", AS_IT_IS, false },
    { "another type", "Content-Type: image/png\r\n", "gzip", false, false, false, false, "GET", AS_IT_IS, false },
    { "not to be changed", HTML "Cache-Control: max-age=1, No-Transform\r\n", "gzip", false, false, false, false, "GET",
      AS_IT_IS, false },
    { "a small one", HTML "Content-Length: 255\r\n", "gzip", false, false, false, false, "GET", AS_IT_IS, false },
    { "no body", HTML, "gzip", false, false, false, false, "HEAD", AS_IT_IS, false },
    { "coded already", HTML "Content-Encoding: br\r\n", "gzip", false, false, false, false, "GET", AS_IT_IS, false },
    { "compressed by the server", HTML "Content-Encoding: gzip\r\n", "gzip", true, false, true, false, "GET", AS_IT_IS,
      false },
    { "compressed, who does not take it", HTML "Content-Encoding: gzip\r\n", "br", true, false, true, false, "GET",
      DECODED, false },
    { "compressed, an exception", HTML "Content-Encoding: gzip\r\n", "gzip", true, true, true, false, "GET", DECODED,
      false },
    { "compressed unasked", HTML "Content-Encoding: gzip\r\n", "br", true, false, false, false, "GET", AS_IT_IS,
      false },
    { "compressed, and Accept-Encoding passed", HTML "Content-Encoding: gzip\r\n", "gzip", true, true, true, true,
      "GET", AS_IT_IS, false },
};

static void one_answer(const struct answering *t, int status, enum becomes becomes, size_t cut)
{
    struct policy *p = policy_new();
    struct site *site = site_read(NULL, NULL);
    struct findings f;
    struct strbuf text = { 0 }, body = { 0 }, out = { 0 };
    struct head h = { 0 };
    const char *why;
    findings_init(&f, p->arena);
    *vec_push(p->arena, &p->listeners) = (struct listener){ .name = "L", .http = 80 };
    struct rule *r = vec_push(p->arena, &p->rules);
    *r = (struct rule){ .name = "R",
                        .enabled = true,
                        .listener = "L",
                        .all_names = true,
                        .all_users = true,
                        .site = "srv",
                        .http_port = 80,
                        .ssl_port = 443,
                        .sources.any = true,
                        .accept_encoding = t->passes };
    *vec_push(p->arena, &r->paths) = (struct path){ .kind = PATH_PREFIX, .external = "" };
    p->compression.types = types_of("text/html");
    vec_add(p->arena, &p->compression.listeners, "l");
    p->compression.servers.any = t->asks;
    policy_finish(p);
    struct plan *plan = plan_make(p, site, &f);
    struct rewriting *w = rewriting_make(plan);
    if (t->packs)
        coded(PAGE, strlen(PAGE), &body);
    else
        buf_puts(&body, PAGE);
    buf_printf(&text, "HTTP/1.1 %d X\r\n%s", status, t->head);
    if (!strstr(t->head, "Content-Length") && !strstr(t->head, "chunked"))
        buf_printf(&text, "Content-Length: %zu\r\n", body.n);
    buf_puts(&text, "\r\n");
    check(http1_answer(&h, t->method, text.p, text.n, &why) == 0, "a head", t->what);
    struct chain_about about = { .method = t->method,
                                 .host = "x.example",
                                 .target = "/",
                                 .accept_encoding = t->accepts,
                                 .compresses = plan->rules.v[0].compresses && !t->not_for };
    struct body_chain *c = chain_answer(w, &about, &h, NULL);
    check((c != NULL) == (becomes != AS_IT_IS), "what becomes of it", t->what);
    if (status == 200)
        check(head_has_token(&h, FIELD_VARY, "Accept-Encoding") == t->vary, "Vary", t->what);
    if (c && becomes != AS_IT_IS) {
        check(through(c, &body, cut < body.n ? cut : body.n, &out) && says(&out, becomes == CODED), "the page",
              t->what);
        check(str_equal(head_value(&h, FIELD_CONTENT_ENCODING), becomes == CODED ? "gzip" : NULL) &&
                  str_equal(head_value(&h, FIELD_ETAG), "W/\"e\"") && !head_value(&h, FIELD_CONTENT_LENGTH),
              "its head", t->what);
    } else {
        check(!strstr(t->head, "ETag") || str_equal(head_value(&h, FIELD_ETAG), "\"e\""), "its ETag", t->what);
    }
    chain_free(c);
    head_free(&h);
    rewriting_free(w);
    buf_free(&text);
    buf_free(&body);
    buf_free(&out);
    plan_free(plan);
    site_free(site);
    policy_free(p);
}

int main(void)
{
    static const int never[] = { 206, 204, 304 };
    a = arena_new();
    normal_types();
    held_types();
    listed_types();
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (size_t cut = 0; cut < strlen(PAGE); cut += 61)
            one_answer(&answers[i], 200, answers[i].becomes, cut);
    one_answer(&answers[0], 404, CODED, 0);
    one_answer(&answers[0], 500, CODED, 0);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        one_answer(&answers[0], never[i], AS_IT_IS, 0);
    arena_free(a);
    return summary("compression");
}
