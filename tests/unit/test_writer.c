/* test_writer: what the quoting modes make of hostile strings, read back as each target reads it. */
#include "check.h"
#include "../../emitters/emit.h"

#include <string.h>

static const char *const hostile[] = {
    "",
    "plain",
    "a b",
    "a;b",
    "a{b}",
    "\"",
    "'",
    "\\",
    "\\\\",
    "a\\",
    "\\n",
    "\\\"",
    "a\nb",
    "a\rb",
    "a\tb",
    "$x",
    "${x}",
    "$",
    "#x",
    "a#b",
    "%",
    "%[src]",
    "%%",
    "; return 200; #",
    "\"; return 200; \"",
    "'; x '",
    "\\'",
    "a'b'c",
    "\x01\x7f",
    "\xc3\xa9",
    "\xff",
    "\xe2\x80\xae",
    "null",
    "yes",
    "- x",
    ": ",
    "~",
    "*",
    "&a",
    "!t",
    "|",
    ">",
    "@",
    "`",
    "1e3",
    "0x1f",
    "2027-03-31",
    "a: b",
    "x #y",
    "[a]",
    "{a: b}",
    ",",
    "?",
    "\\t",
    "\\.",
    "a\\.b",
    "\\\\n",
    "C:\\new\\table",
    "\n\n",
    "'",
    "''",
    "'\n'",
    " ",
    "  a  ",
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

/* nginx's reader of one parameter; false if it does not end where the text ends. */
static bool read_nginx(const char *s, struct strbuf *out)
{
    buf_clear(out);
    buf_puts(out, "");
    if (*s != '"') {
        buf_puts(out, s);
        return *s && !strpbrk(s, " \t\r\n;{}\"'\\$#");
    }
    for (s++; *s && *s != '"'; s++) {
        if (*s == '\\' && s[1]) {
            const char *from = "trn\"'\\", *at = strchr(from, s[1]);
            if (at) {
                buf_putc(out, "\t\r\n\"'\\"[at - from]);
                s++;
                continue;
            }
        }
        buf_putc(out, *s);
    }
    return *s == '"' && !s[1];
}

/* HAProxy's: '…', and backslashes outside. */
static bool read_haproxy(const char *s, struct strbuf *out)
{
    bool inside = false;
    buf_clear(out);
    buf_puts(out, "");
    if (!*s)
        return false;
    for (; *s; s++) {
        unsigned byte;
        if (*s == '\'')
            inside = !inside;
        else if (inside && *s != '\n' && *s != '\r')
            buf_putc(out, *s);
        else if (*s == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &byte) == 1) {
            buf_putc(out, (char)byte);
            s += 3;
        } else if (*s == '\\' && s[1])
            buf_putc(out, *++s);
        else if (strchr(" \t\r\n#\"$", *s))
            return false;
        else
            buf_putc(out, *s);
    }
    return !inside;
}

static const char *undone(struct strbuf *b, const char *from, const char *to)
{
    struct strbuf r = { 0 };
    buf_puts(&r, "");
    for (const char *s = b->p; *s;) {
        if (!strncmp(s, from, strlen(from))) {
            buf_puts(&r, to);
            s += strlen(from);
        } else {
            buf_putc(&r, *s++);
        }
    }
    buf_free(b);
    *b = r;
    return b->p;
}

static void test_quotes(const char *text)
{
    struct strbuf q = { 0 }, back = { 0 };
    quote(&q, Q_NGINX_REGEX, text);
    check(read_nginx(q.p, &back) && !strcmp(back.p, text), "nginx pattern", q.p);
    buf_clear(&q);
    quote(&q, Q_NGINX, text);
    check(read_nginx(q.p, &back), "nginx value", q.p);
    check(!strchr(undone(&back, "${dollar}", "\x02\x03\x04"), '$'), "a dollar in an nginx value", q.p);
    check(!strcmp(undone(&back, "\x02\x03\x04", "$"), text), "nginx value", q.p);
    check(!strchr(q.p, '\n') && !strchr(q.p, '\r'), "line end in an nginx value", q.p);
    buf_clear(&q);
    quote(&q, Q_HAPROXY, text);
    check(read_haproxy(q.p, &back) && !strcmp(back.p, text), "haproxy argument", q.p);
    check(!strchr(q.p, '\n') && !strchr(q.p, '\r'), "line end in a haproxy argument", q.p);
    buf_clear(&q);
    quote(&q, Q_HAPROXY_FORMAT, text);
    check(read_haproxy(q.p, &back) && !strcmp(undone(&back, "%%", "%"), text), "haproxy format", q.p);
    buf_clear(&q);
    quote(&q, Q_COMMENT, text);
    check(!q.p || (!strchr(q.p, '\n') && !strchr(q.p, '\r') && !strchr(q.p, 0x7f)), "comment", q.p ? q.p : "");
    buf_clear(&q);
    quote(&q, Q_YAML, text);
    check(q.n > 0 && !strchr(q.p, '\n'), "yaml", q.p ? q.p : "");
    buf_free(&q);
    buf_free(&back);
}

static void test_regex_literal(const char *text)
{
    struct strbuf q = { 0 }, err = { 0 };
    struct arena *a = arena_new();
    strings yes = { 0 }, no = { 0 };
    quote(&q, Q_REGEX, text);
    vec_add(a, &yes, text);
    vec_add(a, &no, arena_printf(a, "%sx", text));
    check(regex_prove(arena_printf(a, "^%s$", q.p ? q.p : ""), text[strcspn(text, "\n")] ? NULL : &yes, &no, &err) == 0,
          "regex literal", err.p ? err.p : "");
    check(!q.p || !strchr(q.p, ' '), "a space in a pattern", q.p ? q.p : "");
    buf_free(&q);
    buf_free(&err);
    arena_free(a);
}

static void test_lines(void)
{
    struct writer w = { .indent = 4 };
    write_blank(&w);
    write_line(&w, "a {");
    w.depth++;
    write_line(&w, "b %d;", 1);
    write_blank(&w);
    write_blank(&w);
    write_line(&w, "c;");
    check(!strcmp(w.out.p, "a {\n    b 1;\n\n    c;\n"), "lines", w.out.p);
    buf_free(&w.out);
}

static void test_names(void)
{
    struct arena *a = arena_new();
    static const char *const cases[][2] = {
        { "OWA", "rule_12_owa" },
        { "", "rule_12" },
        { "  Outlook  Web (Access)! ", "rule_12_outlook_web_access" },
        { "\xc3\xa9t\xc3\xa9", "rule_12_t" },
        { "$x;{}", "rule_12_x" },
        { "__a__b__", "rule_12_a_b" },
        { "\n\"'\\", "rule_12" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(!strcmp(identifier(a, "rule", 12, cases[i][0]), cases[i][1]), "identifier",
              identifier(a, "rule", 12, cases[i][0]));
    check(strlen(identifier(a, "rule", 12,
                            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")) < 48,
          "long identifier", "");
    check(!strcmp(identifier(a, "rule", 12, NULL), "rule_12"), "identifier of nothing", "");
    arena_free(a);
}

static void heading_is(struct rule r, uint32_t index, const char *expected)
{
    struct plan_rule pr = { .rule = &r, .index = index };
    struct writer w = { .indent = 2, .depth = 1 };
    write_rule_heading(&w, &pr);
    check(!strcmp(w.out.p, expected), "heading", w.out.p);
    buf_free(&w.out);
}

static void test_heading(void)
{
    heading_is((struct rule){ .name = "OWA", .at = { .guid = "{1}", .line = 7 } }, 2,
               "  # rule 3 \"OWA\" {1}, export line 7\n");
    heading_is((struct rule){ .name = "OWA", .description = "\nfirst\nsecond" }, 0,
               "  # rule 1 \"OWA\"\n  #   first\n");
    heading_is((struct rule){ .name = "a\nlisten 1;" }, 0, "  # rule 1 \"a\"\n");
    struct strbuf lengthy = { 0 };
    for (int i = 0; i < 5000; i++)
        buf_puts(&lengthy, "\xc3\xa9");
    struct rule r = { .name = lengthy.p, .description = lengthy.p };
    struct plan_rule pr = { .rule = &r };
    struct writer w = { 0 };
    write_rule_heading(&w, &pr);
    check(w.out.n < 1000 && utf8_valid(w.out.p, w.out.n), "a very long name", w.out.p);
    buf_free(&w.out);
    buf_free(&lengthy);
}

static long read_timeout(struct rule r, long connection)
{
    struct listener l = { .connection_timeout = connection };
    struct plan_rule pr = { .rule = &r, .listener = &l };
    return rule_read_timeout(&pr);
}

static void test_timeouts(void)
{
    struct path eas = { PATH_PREFIX, "/microsoft-Server-ActiveSync", NULL, 0 },
                news = { PATH_PREFIX, "/news", NULL, 0 }, all = { PATH_PREFIX, "", NULL, 0 },
                near = { PATH_PREFIX, "/ewsx", NULL, 0 };
    check(read_timeout((struct rule){ .paths = { &eas, 1, 1 } }, 120) == 3600, "ActiveSync", "");
    check(read_timeout((struct rule){ .paths = { &eas, 1, 1 } }, 7200) == 7200, "longer at the source", "");
    check(read_timeout((struct rule){ .paths = { &news, 1, 1 } }, 120) == 120, "others", "");
    check(read_timeout((struct rule){ .paths = { &near, 1, 1 } }, 300) == 300, "a name that only begins the same", "");
    check(read_timeout((struct rule){ .paths = { &news, 1, 1 } }, 0) == 120, "no timeout said", "");
    check(read_timeout((struct rule){ .paths = { &all, 1, 1 }, .ssl_port = 4443 }, 120) == 3600, "Lync", "");
}

int main(void)
{
    for (size_t i = 0; i < HOSTILE; i++) {
        test_quotes(hostile[i]);
        test_regex_literal(hostile[i]);
    }
    for (int c = 1; c < 256; c++)
        for (int d = 0; d < 4; d++) {
            char text[] = { "a\\'\""[d], (char)c, "ant\\"[d], (char)c, 0 };
            test_quotes(text);
            test_regex_literal(text);
        }
    struct strbuf big = { 0 };
    for (int i = 0; i < 10000; i++)
        buf_puts(&big, "\\\"$");
    test_quotes(big.p);
    buf_free(&big);
    test_lines();
    test_names();
    test_heading();
    test_timeouts();
    return summary("writer");
}
