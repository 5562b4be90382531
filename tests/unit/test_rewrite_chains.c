/* test_rewrite_chains: bodies on their way: codings, pages with links inside them, the HTTP filter's look, what becomes of heads. */
#include "rewriting.h"
#include "rewrite/coding.h"

#include <stdlib.h>
#include <zlib.h>

/* ---- codings --------------------------------------------------------------------------------------- */
enum { GZIP = 31, ZLIB = 15, RAW = -15 };

static void deflated(const char *in, size_t n, int window, struct strbuf *out)
{
    z_stream z = { 0 };
    deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    size_t room = deflateBound(&z, n) + 64;
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    deflate(&z, Z_FINISH);
    out->n += room - z.avail_out;
    deflateEnd(&z);
}

static bool inflated(const struct strbuf *in, struct strbuf *out)
{
    z_stream z = { 0 };
    int r = Z_OK;
    inflateInit2(&z, GZIP);
    z.next_in = (Bytef *)in->p;
    z.avail_in = (uInt)in->n;
    while (r == Z_OK) {
        z.next_out = (Bytef *)buf_reserve(out, 65536);
        z.avail_out = 65536;
        r = inflate(&z, Z_NO_FLUSH);
        out->n += 65536 - z.avail_out;
    }
    inflateEnd(&z);
    return r == Z_STREAM_END && !z.avail_in;
}

static const char PAGE[] = "<p>http://srv/a <a href=\"https://srv:443\">x</a>";
static const char DONE[] = "<p>https://www.example/a <a href=\"https://www.example\">x</a>";

/* Two members of gzip, and padding in which a third only seems to begin: wherever the pieces end. */
static void members(void)
{
    struct strbuf two = { 0 };
    struct chain_about plain = get;
    plain.accept_encoding = NULL;
    deflated(PAGE, 10, GZIP, &two);
    deflated(PAGE + 10, strlen(PAGE) - 10, GZIP, &two);
    buf_add(&two, "\0\x1f\x8b", 3);
    for (size_t cut = 0; cut <= two.n; cut++) {
        struct strbuf out = { 0 };
        make_answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n",
                    plain);
        check(through(two.p, two.n, cut, &out) == CHAIN_MORE, "two members", "");
        same(&out, DONE, strlen(DONE), "two members");
        buf_free(&out);
    }
    buf_free(&two);
}

static void coded_pages(void)
{
    static const struct {
        const char *name;
        int window;
    } kinds[] = { { "gzip", GZIP }, { "x-gzip", GZIP }, { "deflate", ZLIB }, { "deflate", RAW } };
    begin();
    add_rule("srv", "www.example");
    make();
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct strbuf coded = { 0 };
        deflated(PAGE, strlen(PAGE), kinds[k].window, &coded);
        const char *head = arena_printf(
            p->arena,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
            kinds[k].name, coded.n);
        for (size_t cut = 0; cut <= coded.n; cut++) {
            struct strbuf out = { 0 }, text = { 0 };
            make_answer(head, get);
            check(through(coded.p, coded.n, cut, &out) == CHAIN_MORE && inflated(&out, &text), "coded", kinds[k].name);
            same(&text, DONE, strlen(DONE), "a coded page");
            check(str_equal(head_value(&answer, FIELD_CONTENT_ENCODING), "gzip") && answer.framing == BODY_CHUNKED &&
                      str_equal(head_value(&answer, FIELD_VARY), "Accept-Encoding"),
                  "its head", kinds[k].name);
            buf_free(&text);
            buf_clear(&out);
            struct chain_about plain = get;
            plain.accept_encoding = "gzip;q=0, br";
            make_answer(head, plain);
            check(through(coded.p, coded.n, cut, &out) == CHAIN_MORE, "decoded", kinds[k].name);
            same(&out, DONE, strlen(DONE), "a decoded page");
            check(!head_value(&answer, FIELD_CONTENT_ENCODING), "its head", "still coded");
            buf_free(&out);
            make_answer(head, get);
            if (cut < coded.n) {
                struct strbuf half = { 0 };
                check(through(coded.p, cut, cut, &half) == (cut ? CHAIN_BROKEN : CHAIN_MORE), "cut short",
                      kinds[k].name);
                buf_free(&half);
            } else {
                chain_free(chain);
            }
        }
        for (size_t i = 0; i < coded.n; i++) { /* damaged: no crash, and never more than it was */
            struct strbuf out = { 0 };
            coded.p[i] = (char)(coded.p[i] ^ (1 << roll(8)));
            make_answer(head, get);
            through(coded.p, coded.n, i, &out);
            buf_free(&out);
        }
        buf_free(&coded);
    }
    members();
    end();
}

static void large_pages(void)
{
    struct strbuf page = { 0 }, want = { 0 }, coded = { 0 }, out = { 0 };
    struct chain_about plain = get;
    begin();
    add_rule("srv", "www.example");
    make();
    for (int i = 0; i < 40000; i++) {
        size_t n = page.n;
        buf_printf(&page, "<a href=\"http://srv/%u\">%u</a>\n", roll(1000000), roll(1000000));
        buf_printf(&want, "<a href=\"https://www.example%s", page.p + n + 19);
    }
    deflated(page.p, page.n, GZIP, &coded);
    make_answer(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        get);
    struct strbuf text = { 0 };
    check(through(coded.p, coded.n, 70000, &out) == CHAIN_MORE && inflated(&out, &text), "a large page", "");
    same(&text, want.p, want.n, "a large page");
    buf_clear(&out);
    buf_clear(&coded);
    plain.accept_encoding = NULL;
    char *zeros = calloc(1, 64 << 20);
    deflated(zeros, 64 << 20, GZIP, &coded);
    make_answer(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        plain);
    check(through(coded.p, coded.n, 0, &out) == CHAIN_BROKEN && out.n < 16u << 20, "a bomb", "went through");
    free(zeros);
    buf_free(&page);
    buf_free(&want);
    buf_free(&coded);
    buf_free(&out);
    buf_free(&text);
    end();
}

static void heads(void)
{
    begin();
    add_rule("srv", "www.example");
    add_rule("other", "other.example")->translate_links = false;
    make();
    make_answer(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 9\r\nETag: \"x\"\r\nAccept-Ranges: bytes\r\n"
        "Content-MD5: x\r\nLast-Modified: x\r\n\r\n",
        get);
    check(chain && answer.framing == BODY_CHUNKED && !head_value(&answer, FIELD_CONTENT_LENGTH) &&
              str_equal(head_value(&answer, FIELD_ETAG), "W/\"x\""),
          "a translated head", "");
    struct strbuf text = { 0 };
    http1_write_answer(&text, &answer, NULL);
    check(!strstr(text.p, "Accept-Ranges") && !strstr(text.p, "MD5") && strstr(text.p, "Last-Modified") &&
              strstr(text.p, "chunked"),
          "a translated head", text.p);
    buf_free(&text);
    chain_free(chain);
    static const struct {
        const char *head, *method;
        uint32_t rule;
        bool skipped;
    } none[] = {
        { "200 OK\r\nContent-Type: text/css\r\nContent-Length: 9", "GET", 0, false },
        { "200 OK\r\nContent-Length: 9", "GET", 0, false },
        { "200 OK\r\nContent-Type: text/html\r\nContent-Length: 9", "GET", 1, false },
        { "304 Not Modified\r\nContent-Type: text/html", "GET", 0, false },
        { "204 No Content\r\nContent-Type: text/html", "GET", 0, false },
        { "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\nContent-Length: 9", "GET", 0, true },
        { "200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 9", "GET", 0, true },
        { "206 Partial Content\r\nContent-Type: text/html\r\nContent-Length: 9", "GET", 0, true },
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct chain_about about = get;
        about.method = none[i].method;
        about.rule = none[i].rule;
        make_answer(arena_printf(p->arena, "HTTP/1.1 %s\r\n\r\n", none[i].head), about);
        check(!chain && (skipped != NULL) == none[i].skipped, "no chain", none[i].head);
        check(answer.framing != BODY_CHUNKED, "the head is left alone", none[i].head);
    }
    struct chain_about about = get;
    about.method = "HEAD";
    make_answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n", about);
    check(!chain && !head_value(&answer, FIELD_CONTENT_LENGTH), "HEAD", "keeps the length");
    static const struct {
        const char *value;
        bool gzip;
    } accepts[] = { { NULL, false },
                    { "", false },
                    { "gzip", true },
                    { "GZIP;q=0.5", true },
                    { "gzip;q=0", false },
                    { "gzip; q=0.000", false },
                    { "deflate, x-gzip", true },
                    { "*", true },
                    { "*;q=0", false },
                    { "gzip;q=0, *", false },
                    { "br", false },
                    { "gzipx", false } };
    for (size_t i = 0; i < sizeof accepts / sizeof *accepts; i++)
        check(coding_accepts_gzip(accepts[i].value) == accepts[i].gzip, "Accept-Encoding",
              accepts[i].value ? accepts[i].value : "none");
    end();
}

/* ---- the HTTP filter ------------------------------------------------------------------------------------- */
static const char FILTER_XML[] =
    "<Configuration BlockExecutables='true' MaxRequestBodyLen='50'><DeniedSignatures>"
    "<Signature SearchIn='Response body' Pattern='Evil' From='5' To='40'/>"
    "<Signature SearchIn='Request body' Format='Binary' Pattern='00ff' From='1' To='10'/></DeniedSignatures></Configuration>";

static enum chain_result answered(const char *coding, const char *body, size_t n, size_t cut, struct strbuf *out)
{
    make_answer(arena_printf(p->arena, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", coding, n), get);
    check(chain && answer.framing == BODY_LENGTH, "a body that is looked into", "no chain, or another head");
    return chain ? through(body, n, cut, out) : CHAIN_MORE;
}

static void filtered_answers(void)
{
    static const struct {
        const char *body;
        enum chain_result want;
    } cases[] = { { "MZ\x90", CHAIN_REFUSED },
                  { "M", CHAIN_MORE },
                  { " MZ", CHAIN_MORE },
                  { "mz", CHAIN_MORE },
                  { "1234eViL", CHAIN_REFUSED },
                  { "123evil", CHAIN_MORE },
                  { "", CHAIN_MORE },
                  { "12345678901234567890123456789012345evil", CHAIN_REFUSED },
                  { "123456789012345678901234567890123456evil", CHAIN_REFUSED },
                  { "1234567890123456789012345678901234567evil....................", CHAIN_MORE } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].body);
        struct strbuf coded = { 0 };
        deflated(cases[i].body, n, GZIP, &coded);
        for (size_t cut = 0; cut <= n; cut++) {
            struct strbuf out = { 0 };
            check(answered("", cases[i].body, n, cut, &out) == cases[i].want, "an answer", cases[i].body);
            if (cases[i].want == CHAIN_MORE)
                same(&out, cases[i].body, n, "an answer that passes");
            else
                check(!out.n, "nothing came before the verdict", out.p ? out.p : "");
            buf_free(&out);
        }
        for (size_t cut = 0; cut <= coded.n; cut++) {
            struct strbuf out = { 0 };
            check(answered("Content-Encoding: gzip\r\n", coded.p, coded.n, cut, &out) == cases[i].want,
                  "a coded answer", cases[i].body);
            if (cases[i].want == CHAIN_MORE)
                same(&out, coded.p, coded.n, "a coded answer that passes");
            buf_free(&out);
        }
        buf_free(&coded);
    }
}

static enum chain_result asked(const char *head, const char *body, size_t n, size_t cut, struct strbuf *out)
{
    struct head h = { 0 };
    const char *why, *text = arena_printf(p->arena, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n", head);
    struct chain_about about = get;
    check(http1_request(&h, text, strlen(text), &why) == 0, "a request", text);
    about.request = &h;
    chain = chain_request(rewriting, &about);
    enum chain_result r = chain ? through(body, n, cut, out) : CHAIN_MORE;
    if (!chain && !out->n && r == CHAIN_MORE && head[0] == 'X')
        buf_puts(out, "none");
    head_free(&h);
    return r;
}

static void filtered_requests(void)
{
    char body[60];
    memset(body, 'a', sizeof body);
    for (size_t cut = 0; cut <= sizeof body; cut++) {
        struct strbuf out = { 0 };
        memset(body, 'a', sizeof body);
        check(asked("Content-Length: 60\r\n", body, 60, cut, &out) == CHAIN_MORE, "a body without it", "");
        same(&out, body, 60, "a request's body");
        buf_clear(&out);
        check(asked("Transfer-Encoding: chunked\r\n", body, 50, cut < 50 ? cut : 50, &out) == CHAIN_MORE, "50 bytes",
              "refused");
        buf_clear(&out);
        memcpy(body + 8, "\0\xff", 2);
        check(asked("Content-Length: 60\r\n", body, 60, cut, &out) == CHAIN_REFUSED && !out.n, "bytes 9 and 10",
              "passed");
        buf_clear(&out);
        memset(body, 'a', sizeof body);
        memcpy(body + 9, "\0\xff", 2);
        check(asked("Content-Length: 60\r\n", body, 60, cut, &out) == CHAIN_MORE, "bytes 10 and 11", "refused");
        buf_free(&out);
    }
    struct strbuf out = { 0 };
    asked("X: y\r\n", "", 0, 0, &out);
    check(str_equal(out.p, "none"), "no body", "a chain");
    buf_free(&out);
}

static void filters(void)
{
    begin();
    struct rule *r = add_rule("srv", "www.example");
    r->translate_links = false;
    r->http_filter = FILTER_XML;
    make();
    filtered_answers();
    filtered_requests();
    end();
}

int main(void)
{
    coded_pages();
    large_pages();
    heads();
    filters();
    return rewriting_report();
}
