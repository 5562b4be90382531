/* test_rewrite: link translation against a plain implementation that sees the whole page at once, on random dictionaries and
 * pages and cut at every place; its speed. */
#define _GNU_SOURCE /* memmem */
#include "rewriting.h"

#include <stdlib.h>
#include <time.h>

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
    return rewriting_report();
}
