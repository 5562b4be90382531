/* test_page_links: pages in UTF-16, by charset and by byte order mark, cut at every place; what is no link comes out as it went
 * in. iconv says what UTF-16 is. */
#include "rewriting.h"

#include <iconv.h>
#include <stdlib.h>

static void wide(const char *text, const char *code, const char *mark, size_t mark_n, struct strbuf *out)
{
    iconv_t cd = iconv_open(code, "UTF-8");
    char *in = (char *)(uintptr_t)text;
    size_t left = strlen(text), room = 4 * left + 8;
    buf_add(out, mark, mark_n);
    char *to = buf_reserve(out, room);
    size_t before = room;
    check(cd != (iconv_t)-1 && iconv(cd, &in, &left, &to, &room) == 0 && !left, "iconv", code);
    out->n += before - room;
    iconv_close(cd);
}

static const char PAGE[] =
    "<p>\xc3\xbc http://srv/\xe2\x82\xac\xf0\x9f\x98\x80 <a href=\"https://srv:443\">\xf0\x9f\x98\x80</a> "
    "aaaaa http://srv";
static const char DONE[] =
    "<p>\xc3\xbc https://www.example/\xe2\x82\xac\xf0\x9f\x98\x80 <a href=\"https://www.example\">"
    "\xf0\x9f\x98\x80</a> \xf0\x9f\x98\x80\xc3\xa4"
    "a https://www.example";

static void translated(const char *type, const char *code, const char *mark, size_t mark_n)
{
    struct strbuf in = { 0 }, want = { 0 }, out = { 0 };
    const char *head = arena_printf(
        p->arena, "HTTP/1.1 200 OK\r\nContent-Type: text/html%s\r\nTransfer-Encoding: chunked\r\n\r\n", type);
    wide(PAGE, code, mark, mark_n, &in);
    wide(DONE, code, mark, mark_n, &want);
    for (size_t cut = 0; cut <= in.n; cut++) {
        buf_clear(&out);
        make_answer(head, get);
        check(!skipped && through(in.p, in.n, cut, &out) == CHAIN_MORE, "a page", type);
        same(&out, want.p, want.n, code);
    }
    buf_free(&in);
    buf_free(&want);
    buf_free(&out);
}

static void pages(void)
{
    static const char little[] = "\xff\xfe", big[] = "\xfe\xff";
    translated("; charset=utf-16le", "UTF-16LE", "", 0);
    translated("; charset=\"UTF-16\"", "UTF-16LE", "", 0);
    translated(";x=y; charset=utf-16be", "UTF-16BE", "", 0);
    translated("", "UTF-16LE", little, 2);
    translated("; charset=windows-1252", "UTF-16BE", big, 2);
    translated("; charset=utf-16le", "UTF-16BE", big, 2); /* the mark is right, as browsers have it */
    translated("; charset=unicodefffe", "UTF-16LE", little, 2);
    translated("; charset=utf-8", "UTF-8", "", 0);
    translated("; charset=utf-16le2", "UTF-8", "", 0);
    make_answer("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-32\r\nContent-Length: 9\r\n\r\n", get);
    check(!chain && str_equal(skipped, "links in a page of UTF-32 are not translated"), "UTF-32",
          skipped ? skipped : "-");
}

/* Halves of pairs, odd bytes, every size, in up to three pieces. */
static void untouched(void)
{
    static const unsigned char high[] = { 0xd8, 0xdb, 0xdc, 0xdf, 0x00, 0x20, 0xff, 0xfe, 0xe0, 0x0d };
    for (int i = 0; i < 4000; i++) {
        char in[40];
        size_t n = roll(sizeof in + 1);
        bool big = roll(2);
        for (size_t k = 0; k < n; k++)
            in[k] = (char)((k % 2 == !big && roll(4)) ? high[roll(sizeof high)] : roll(256));
        struct strbuf out = { 0 };
        make_answer(big ? "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-16be\r\nContent-Length: 99\r\n\r\n"
                        : "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-16\r\nContent-Length: 99\r\n\r\n",
                    get);
        size_t used;
        size_t first = roll((uint32_t)n + 1);
        check(chain_push(chain, in, first, &used, &out) == CHAIN_MORE && used == first, "a piece", "");
        check(through(in + first, n - first, roll((uint32_t)(n - first) + 1), &out) == CHAIN_MORE, "the rest", "");
        same(&out, in, n, "what is no link");
        buf_free(&out);
    }
}

int main(void)
{
    begin();
    struct rule *r = add_rule("srv", "www.example");
    add_link(r, "aaaa", "\xf0\x9f\x98\x80\xc3\xa4");
    r->link_options = 2;
    make();
    pages();
    untouched();
    end();
    return rewriting_report();
}
