/* base: address sets against a brute-force model, text helpers, names of files. */
#include "check.h"
#include "base/finding.h"
#include "base/ipset.h"

#include <stdlib.h>
#include <string.h>

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Sets over the addresses 0..63, beside one bit an address. */
static void random_set(struct arena *a, unsigned *state, ipset *s, uint64_t *bits)
{
    *s = (ipset){ 0 };
    *bits = 0;
    for (unsigned i = next_random(state) % 5; i > 0; i--) {
        unsigned from = next_random(state) % 64, to = from + next_random(state) % (64 - from);
        ipset_add(a, s, from, to);
        for (unsigned k = from; k <= to; k++)
            *bits |= (uint64_t)1 << k;
    }
}

static bool same(const ipset *s, uint64_t bits)
{
    for (unsigned i = 0; i < 64; i++)
        if (ipset_has(s, i) != (bits >> i & 1))
            return false;
    for (size_t i = 1; i < s->n; i++)
        if (s->v[i].from <= s->v[i - 1].to + 1)
            return false;
    return true;
}

static void test_sets(void)
{
    unsigned state = 7;
    bool plus = true, minus = true, blocks = true;
    for (int round = 0; round < 2000; round++) {
        struct arena *a = arena_new();
        ipset x, y, z;
        uint64_t bx, by;
        random_set(a, &state, &x, &bx);
        random_set(a, &state, &y, &by);
        ipset_union(a, &z, &x, &y);
        plus &= same(&z, bx | by);
        ipset_minus(a, &z, &x, &y);
        minus &= same(&z, bx & ~by);
        uint32_t from = next_random(&state), to = from + next_random(&state) % 5000;
        struct cidr c[64];
        uint64_t at = from;
        for (size_t n = ip_range_cidrs((struct ip_range){ from, to }, c), i = 0; i < n; i++) {
            blocks &= c[i].ip == at && (c[i].bits == 32 || c[i].ip % ((uint64_t)1 << (32 - c[i].bits)) == 0);
            at += (uint64_t)1 << (32 - c[i].bits);
        }
        blocks &= at == (uint64_t)to + 1;
        arena_free(a);
    }
    check(plus, "union");
    check(minus, "minus");
    check(blocks, "blocks of a range");
    struct cidr c[64];
    check(ip_range_cidrs((struct ip_range){ 0, UINT32_MAX }, c) == 1 && c[0].bits == 0, "the whole space is one block");
    check(ip_range_cidrs((struct ip_range){ 1, UINT32_MAX - 1 }, c) == 62, "the worst range is 62 blocks");
}

static void test_addresses(void)
{
    static const struct {
        const char *text, *shown;
    } good[] = { { "10.0.0.0/8", "10.0.0.0/8" },
                 { "10.1.2.3/8", "10.0.0.0/8" },
                 { "10.0.0.1", "10.0.0.1" },
                 { "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9" },
                 { "10.0.0.0-10.0.0.255", "10.0.0.0/24" },
                 { "10.0.0.0/255.255.0.0", "10.0.0.0/16" },
                 { "0.0.0.0/0", "0.0.0.0/0" },
                 { "255.255.255.255/32", "255.255.255.255" } };
    static const char *const bad[] = { "",
                                       "10",
                                       "10.0.0",
                                       "10.0.0.256",
                                       "10.0.0.1 ",
                                       " 10.0.0.1",
                                       "10.0.0.01",
                                       "10.0.0.0/33",
                                       "10.0.0.0/255.0.255.0",
                                       "10.0.0.9-10.0.0.1",
                                       "10.0.0.1-",
                                       "a.b.c.d",
                                       "10.0.0.0/",
                                       "1.2.3.4.5",
                                       "-1.2.3.4" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct ip_range r;
        struct strbuf b = { 0 };
        bool ok = ip_range_parse(good[i].text, &r);
        buf_ip_range(&b, r);
        check(ok && strcmp(b.p, good[i].shown) == 0, good[i].text);
        buf_free(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ip_range r;
        check(!ip_range_parse(bad[i], &r), bad[i]);
    }
}

static void shown(void (*f)(struct strbuf *, const char *), const char *text, const char *want)
{
    struct strbuf b = { 0 };
    f(&b, text);
    check(strcmp(b.p ? b.p : "", want) == 0, want);
    buf_free(&b);
}

static void test_text(void)
{
    check(utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10), "well-formed UTF-8");
    static const char *const broken[] = { "\xc3", "\xc0\x80", "\xed\xa0\x80",        "\xf4\x90\x80\x80",
                                          "\x80", "\xe2\x82", "\xf8\x88\x80\x80\x80" };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        check(!utf8_valid(broken[i], strlen(broken[i])), "broken UTF-8");
    shown(buf_visible, "a\nb\x1b[0m", "a\\x0ab\\x1b[0m");
    shown(buf_visible, "x\xe2\x80\xaey", "x\\u{202e}y");
    shown(buf_visible, "\xff", "\\xff");
    shown(buf_json, "a\"\\\n\t\x01\xe2\x80\xa8\xff", "\"a\\\"\\\\\\n\\t\\u0001\\u2028\\ufffd\"");
    shown(buf_json, "\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"");
    struct strbuf b = { 0 };
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,%0300d;", i, i);
    check(b.n == strlen(b.p) && b.n > 300000, "buffer grows");
    buf_free(&b);
    check(ascii_casecmp("ABC", "abc") == 0 && ascii_casecmp("ab", "abc") < 0 && ascii_casecmp("\xc4", "\xe4") != 0,
          "case of ASCII alone");
}

static void test_files(void)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    static const struct {
        const char *from, *to;
    } paths[] = { { "/a/./b/../c", "/a/c" }, { "/../x", "/x" }, { "/", "/" },
                  { "//a//b/", "/a/b" },     { "/a/..", "/" },  { "/a/b/../../..", "/" } };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        check(strcmp(path_absolute(a, paths[i].from), paths[i].to) == 0, paths[i].from);
    check(path_absolute(a, "x")[0] == '/', "relative names become absolute");
    check(strcmp(path_join(a, "d", "f"), "d/f") == 0 && strcmp(path_join(a, "d/", "f"), "d/f") == 0 &&
              strcmp(path_join(a, "d", "/f"), "/f") == 0,
          "join");
    struct strbuf text = { 0 };
    check(file_read("/nonexistent/x", 10, &text, &err) < 0 && strstr(err.p, "/nonexistent/x"),
          "a file that is not there");
    buf_clear(&err);
    check(file_read("/", 10, &text, &err) < 0 && strstr(err.p, "folder"), "a folder");
    buf_free(&text);
    buf_free(&err);
    arena_free(a);
}

static void test_findings(void)
{
    struct arena *a = arena_new();
    struct findings f;
    findings_init(&f, a);
    for (int i = 0; i < FINDINGS; i++)
        for (int k = 0; k < i; k++)
            if (finding_kinds[i].code == finding_kinds[k].code ||
                strcmp(finding_kinds[i].name, finding_kinds[k].name) == 0)
                check(false, finding_kinds[i].name);
    struct finding *x = finding_add(&f, F_DELEGATION_LOST, "bad\nline %s", "\x1b[31m");
    x->subject = SUBJECT_RULE;
    x->name = "OW\nA";
    x->line = 12;
    x->targets = ON_PROXIES;
    struct strbuf b = { 0 };
    finding_line(&b, x, "export.xml", NULL, false);
    check(
        strcmp(
            b.p,
            "export.xml:12: error: rule \"OW\\x0aA\": bad\\x0aline \\x1b[31m [TMG2031 delegation-lost; nginx, haproxy]\n") ==
            0,
        b.p);
    buf_free(&b);
    arena_free(a);
}

int main(void)
{
    test_sets();
    test_addresses();
    test_text();
    test_files();
    test_findings();
    return summary("base");
}
