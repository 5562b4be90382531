/* rewrite: bodies on their way. Link translation against a plain implementation that sees the whole page at once, on
 * random dictionaries and pages and cut at every place; codings; the HTTP filter's look; what becomes of heads. */
#define _GNU_SOURCE /* memmem */
#include "http/http1.h"
#include "rewrite/chain.h"
#include "rewrite/coding.h"
#include "rewrite/links.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

static int passed, failed;
static struct policy *p;
static struct plan *plan;
static struct site *site;
static struct findings findings;
static struct rewriting *rewriting;

static void check(bool ok, const char *what, const char *detail)
{
    if (ok)
        passed++;
    else
        failed++;
    if (!ok && failed < 30)
        printf("  FAILED: %s (%s)\n", what, detail);
}

static void same(const struct strbuf *got, const char *want, size_t n, const char *what)
{
    bool ok = got->n == n && (!n || !memcmp(got->p, want, n));
    check(ok, what, "");
    if (!ok && failed < 30)
        printf("    expected %.*s\n    got      %.*s\n", (int)(n < 400 ? n : 400), want,
               (int)(got->n < 400 ? got->n : 400), got->p ? got->p : "");
}

static uint32_t seed = 12345;
static uint32_t roll(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* ---- policies ------------------------------------------------------------------------------ */
static void begin(void)
{
    p = policy_new();
    *vec_push(p->arena, &p->listeners) =
        (struct listener){ .name = "L", .http = 80, .https = 443, .connection_timeout = 120 };
}

static struct rule *add_rule(const char *server, const char *name)
{
    struct rule *r = vec_push(p->arena, &p->rules);
    *r = (struct rule){ .name = arena_printf(p->arena, "rule %zu", p->rules.n),
                        .enabled = true,
                        .listener = "L",
                        .sources = { .any = true },
                        .all_users = true,
                        .site = server,
                        .http_port = 80,
                        .ssl_port = 443,
                        .translate_links = true,
                        .delegation = DELEGATE_NONE_BLOCK };
    normalise_public_name(p->arena, name, vec_push(p->arena, &r->names));
    vec_push(p->arena, &r->paths)->external = "";
    return r;
}

static void add_link(struct rule *r, const char *from, const char *to)
{
    vec_add(p->arena, &r->links, ((struct link_mapping){ from, to }));
}

static void make(void)
{
    struct strbuf err = { 0 };
    findings_init(&findings, p->arena);
    policy_finish(p);
    site = site_read(NULL, &err);
    plan = plan_make(p, site, &findings);
    rewriting = rewriting_make(plan);
}

static void end(void)
{
    rewriting_free(rewriting);
    plan_free(plan);
    site_free(site);
    policy_free(p);
}

/* ---- link translation, seen at once ------------------------------------------------------------ */
static void plainly(const struct link_table *t, const char *origin, const char *in, size_t n, struct strbuf *out)
{
    for (size_t at = 0; at < n;) {
        const struct link *best = NULL;
        for (size_t i = 0; i < t->links.n; i++) {
            const struct link *l = &t->links.v[i];
            if (l->from_n <= n - at && !ascii_ncasecmp(in + at, l->from, l->from_n) &&
                (!t->whole || l->stem || link_ends(in + at + l->from_n, n - at - l->from_n, true) == 1) &&
                (!best || l->from_n > best->from_n))
                best = l;
        }
        for (const char *o = best && best->origin ? origin : ""; *o; o++)
            if (*o == ':' && best->escaped)
                buf_puts(out, "%3a");
            else
                buf_putc(out, *o);
        buf_add(out, best ? best->to : in + at, best ? best->to_n : 1);
        at += best ? best->from_n : 1;
    }
}

static void stream(const char *in, size_t n, size_t cut, size_t second, struct strbuf *out)
{
    struct link_sets *sets = link_sets_make(plan);
    struct link_stream s;
    link_stream_begin(&s, sets, 0, true, "www.example");
    link_stream_push(&s, in, cut, false, out);
    link_stream_push(&s, in + cut, second - cut, false, out);
    check(s.hold.n - s.done <= LINK_HOLD, "what is held back", "too much");
    link_stream_push(&s, in + second, n - second, false, out);
    link_stream_push(&s, "", 0, true, out);
    link_stream_free(&s);
    link_sets_free(sets);
}

static void random_text(struct strbuf *b, size_t n)
{
    static const char *const bits[] = { "http://", "https://", "HTTP://", "http%3a//", "http%3A//", "srv",   "SRV",
                                        "srv2",    "x",        "/",       "/owa",      "/ow",       ":80",   ":8080",
                                        "\"",      "<a>",      " ",       "%2f",       "abcd",      "abc",   "bcda",
                                        "dabc",    "\xc3\xb6", ".com",    "aaaa",      "aa",        "%3a443" };
    while (b->n < n)
        buf_puts(b, bits[roll(sizeof bits / sizeof *bits)]);
}

static void random_links(void)
{
    static const char *const froms[] = { "abcd",   "abcdabc",           "bcda",         "aaaa",
                                         "aaaaaa", "http://srv/owa/aa", "http://srv",   "srv/",
                                         "dabc",   "http://\xc3\xb6",   "https://srv2", "srv2/owa" };
    for (int round = 0; round < 400; round++) {
        struct strbuf page = { 0 }, want = { 0 };
        begin();
        struct rule *r = add_rule("srv", "www.example");
        r->link_options = (long)roll(4);
        r->http_port = roll(2) ? 80 : 8080;
        for (uint32_t i = roll(6); i; i--)
            add_link(r, froms[roll(sizeof froms / sizeof *froms)], roll(3) ? "<T>" : "");
        for (uint32_t i = roll(4); i; i--)
            vec_add(p->arena, &p->links, ((struct link_mapping){ froms[roll(sizeof froms / sizeof *froms)], "<G>" }));
        if (roll(2)) {
            r = add_rule("x", "x.example");
            *vec_push(p->arena, &r->paths) = (struct path){ PATH_PREFIX, "/owa", roll(2) ? "/ow" : NULL, 0 };
        }
        make();
        struct link_table t;
        links_of(plan, 0, true, p->arena, &t);
        random_text(&page, 20 + roll(200));
        plainly(&t, "https://www.example", page.p, page.n, &want);
        for (size_t cut = 0; cut <= page.n; cut++) {
            struct strbuf got = { 0 };
            stream(page.p, page.n, cut, cut + roll((uint32_t)(page.n - cut) + 1), &got);
            if (got.n != want.n || memcmp(got.p, want.p, want.n)) {
                same(&got, want.p, want.n, "a random page");
                break;
            }
            buf_free(&got);
            passed++;
        }
        buf_free(&page);
        buf_free(&want);
        end();
    }
}

/* One page, in one piece and cut everywhere. */
static void page_is(const char *in, const char *want, const char *what)
{
    for (size_t cut = 0; cut <= strlen(in); cut++) {
        struct strbuf got = { 0 };
        stream(in, strlen(in), cut, cut, &got);
        same(&got, want, strlen(want), what);
        buf_free(&got);
    }
}

static void modes(void)
{
    begin();
    struct rule *r = add_rule("srv", "www.example");
    make();
    page_is("<a href=http://srv>", "<a href=https://www.example>", "a link");
    page_is("HTTPS://SRV:443/a http://srv:81/ http://srv2 http://srv.x http://srv",
            "https://www.example/a http://srv:81/ http://srv2 http://srv.x https://www.example", "several");
    page_is("http:/http://srv//srv", "http:/https://www.example//srv", "a false start");
    r->link_mode = LINK_MODE_OWA;
    page_is("/owa/redir.aspx?URL=http://srv/x http://srv", "/owa/redir.aspx?URL=http://srv/x https://www.example",
            "OWA");
    r->link_mode = LINK_MODE_OFF_AFTER;
    vec_add(p->arena, &r->link_patterns, "CURRENT FILE==*replyforwardnote");
    vec_add(p->arena, &r->link_patterns, "off");
    page_is("http://srv <!--CURRENT FILE==\"IE5\" replyforwardnote--> http://srv http://srv",
            "https://www.example <!--CURRENT FILE==\"IE5\" replyforwardnote--> http://srv http://srv", "off after");
    page_is("http://srv<!--off-->http://srv", "https://www.example<!--off-->http://srv", "off after a plain one");
    page_is("<!--offside-->http://srv<!--CURRENT FILE==<b>replyforwardnote-->http://srv<!-- <!",
            "<!--offside-->https://www.example<!--CURRENT FILE==<b>replyforwardnote-->https://www.example<!-- <!",
            "not that one");
    r->link_mode = LINK_MODE_ON_AFTER;
    page_is("http://srv <!--off--> http://srv", "http://srv <!--off--> https://www.example", "on after");
    end();
    begin();
    r = add_rule("srv", "www.example");
    r->link_options = 1;
    add_link(r, "http:\\/\\/old", "http:\\/\\/new:81");
    make();
    page_is("u=http%3a//srv%2Fx&v=http%3A//old%3a8 http%3A//old",
            "u=https%3a//www.example%2Fx&v=http%3A//old%3a8 http%3a//new%3a81", "escaped colons");
    end();
}

static void hosts(void)
{
    static const struct {
        const char *host, *want;
        bool tls;
        long accelerator;
    } cases[] = { { "www.example", "https://www.example/", true, 0 },
                  { "www.example:8443", "https://www.example:8443/", true, 0 },
                  { "www.example", "http://www.example/", false, 0 },
                  { NULL, "http://srv/", true, 0 },
                  { "a\"><script>", "http://srv/", true, 0 },
                  { "", "http://srv/", true, 0 },
                  { "[::1]:8443", "https://[::1]:8443/", true, 0 },
                  { "www.example:80", "https://www.example/", false, 443 },
                  { "www.example:80", "https://www.example:9/", false, 9 },
                  { "[::1]:8443", "https://[::1]:9/", false, 9 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf got = { 0 };
        begin();
        add_rule("srv", "www.example");
        p->listeners.v[0].ssl_accelerator_port = cases[i].accelerator;
        make();
        struct chain_about about = { .tls = cases[i].tls, .method = "GET", .host = cases[i].host };
        bool changed = chain_text(rewriting, &about, "http://srv/", &got);
        check(changed == (strcmp(cases[i].want, "http://srv/") != 0), "a changed header", cases[i].want);
        if (changed)
            same(&got, cases[i].want, strlen(cases[i].want), "a header");
        check(!chain_text(rewriting, &about, "http://elsewhere/", &got), "another header", "changed");
        buf_free(&got);
        end();
    }
}

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

/* ---- chains ------------------------------------------------------------------------------------------ */
static struct head answer;
static struct body_chain *chain;
static const char *skipped;

static void make_answer(const char *text, struct chain_about about)
{
    const char *why;
    size_t n = http1_head_end(text, strlen(text), 0);
    head_reset(&answer);
    check(n && http1_answer(&answer, about.method, text, n, &why) == 0, "an answer's head", text);
    chain = chain_answer(rewriting, &about, &answer, &skipped);
}

static const struct chain_about get = {
    .tls = true, .method = "GET", .host = "www.example", .accept_encoding = "gzip, deflate"
};

/* Pushes all, cut as said; takes out what comes, never more than it may at once. */
static enum chain_result through(const char *in, size_t n, size_t cut, struct strbuf *out)
{
    struct strbuf some = { 0 };
    enum chain_result r = CHAIN_MORE;
    size_t at = 0, most = 0;
    bool ending = false;
    while (r == CHAIN_MORE || r == CHAIN_FULL) {
        size_t used = 0, upto = at < cut ? cut : n;
        ending |= at == n && r != CHAIN_FULL;
        r = ending ? chain_end(chain, &some) : chain_push(chain, in + at, upto - at, &used, &some);
        at += used;
        most = some.n > most ? some.n : most;
        buf_add(out, some.p ? some.p : "", some.n);
        buf_clear(&some);
        if (ending && r == CHAIN_MORE)
            break;
    }
    check(most <= CHAIN_OUT + (64u << 10), "output at once", "too much");
    buf_free(&some);
    chain_free(chain);
    chain = NULL;
    return r;
}

static const char PAGE[] = "<p>http://srv/a <a href=\"https://srv:443\">x</a>";
static const char DONE[] = "<p>https://www.example/a <a href=\"https://www.example\">x</a>";

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
    struct strbuf two = { 0 }, out = { 0 };
    struct chain_about plain = get;
    plain.accept_encoding = NULL;
    deflated(PAGE, 10, GZIP, &two);
    deflated(PAGE + 10, strlen(PAGE) - 10, GZIP, &two);
    make_answer(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        plain);
    check(through(two.p, two.n, 0, &out) == CHAIN_MORE, "two members", "");
    same(&out, DONE, strlen(DONE), "two members");
    buf_free(&two);
    buf_free(&out);
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

/* ---- speed: `test_rewrite speed` -------------------------------------------------------------------------- */
static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void speed(size_t rules)
{
    struct strbuf page = { 0 }, out = { 0 };
    begin();
    for (size_t i = 0; i < rules; i++)
        add_rule(arena_printf(p->arena, "server%zu", i), arena_printf(p->arena, "www%zu.example", i));
    make();
    while (page.n < 4 << 20) {
        buf_puts(
            &page,
            "<tr class=\"row\"><td>Some words of text, as pages have them</td><td><img src=\"/images/a.png\" alt=\"\"></td></tr>\n");
        if (!roll(4))
            buf_printf(&page, "<a href=\"http://server%u/x\">link</a> <a href=\"http://www.w3.org/\">other</a>\n",
                       roll((uint32_t)rules));
    }
    struct link_sets *sets = link_sets_make(plan);
    double t = seconds();
    int n = 0;
    for (; seconds() - t < 1; n++) {
        struct link_stream s;
        link_stream_begin(&s, sets, 0, true, "www.example");
        buf_clear(&out);
        for (size_t at = 0; at < page.n; at += 16384)
            link_stream_push(&s, page.p + at, page.n - at < 16384 ? page.n - at : 16384, false, &out);
        link_stream_push(&s, "", 0, true, &out);
        link_stream_free(&s);
    }
    double links = (double)page.n * n / (seconds() - t) / 1e6;
    t = seconds();
    size_t found = 0;
    for (n = 0; seconds() - t < 1; n++) {
        buf_clear(&out);
        const char *at = page.p, *stop = page.p + page.n;
        for (const char *hit; (hit = memmem(at, (size_t)(stop - at), "http://server0", 14)); at = hit + 14, found++) {
            buf_add(&out, at, (size_t)(hit - at));
            buf_puts(&out, "https://www.example");
        }
        buf_add(&out, at, (size_t)(stop - at));
    }
    double plain = (double)page.n * n / (seconds() - t) / 1e6;
    t = seconds();
    for (n = 0; seconds() - t < 1; n++) {
        make_answer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4000000\r\n\r\n", get);
        buf_clear(&out);
        for (size_t at = 0; at < page.n;) {
            size_t used;
            chain_push(chain, page.p + at, page.n - at < 65536 ? page.n - at : 65536, &used, &out);
            at += used;
            buf_clear(&out);
        }
        chain_end(chain, &out);
        chain_free(chain);
    }
    double all = (double)page.n * n / (seconds() - t) / 1e6;
    printf("speed: %zu rules: links %.0f MB/s, in a chain %.0f MB/s; one text by memmem %.0f MB/s (%zu)\n", rules,
           links, all, plain, found);
    link_sets_free(sets);
    buf_free(&page);
    buf_free(&out);
    end();
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "speed")) {
        speed(1);
        speed(100);
        speed(10000);
        return 0;
    }
    modes();
    hosts();
    random_links();
    coded_pages();
    large_pages();
    heads();
    filters();
    head_free(&answer);
    printf("rewrite: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
