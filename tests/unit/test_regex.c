/* test_regex: the patterns that the emitters write, held against the scanners that decide. */
#include "check.h"
#include "../../emitters/emit.h"

#include <string.h>

static bool matches(const char *pattern, const char *text)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    strings yes = { 0 };
    vec_add(a, &yes, text);
    bool ok = regex_prove(pattern, &yes, NULL, &err) == 0;
    buf_free(&err);
    arena_free(a);
    return ok;
}

/* ---- dots ------------------------------------------------------------------ */
static void dots_agree(const char *path)
{
    size_t n = strlen(path);
    check(matches(REGEX_DOTS, path) == path_has_dots(path, n), "REGEX_DOTS disagrees", path);
    check(matches(REGEX_DEEP, path) == path_has_deep(path, n), "REGEX_DEEP disagrees", path);
}

/* Every sequence of four of these pieces. */
static void test_dots(void)
{
    static const char *const pieces[] = { "/",     "\\",  ".",   "a",     "%",         "%2e",    "%2E",       "%2f",
                                          "%5c",   "%5C", "%25", "%252e", "%252F",     "%255c",  "%25%32%65", "%25%32e",
                                          "%2565", "2e",  "5c",  "%41",   "%25%35%43", "%252%66" };
    enum { N = sizeof pieces / sizeof *pieces };
    struct strbuf path = { 0 };
    for (size_t i = 0; i < N * N * N * N; i += i < N * N * N ? 1 : 7) {
        buf_clear(&path);
        buf_puts(&path, "/x");
        for (size_t k = 0, rest = i; k < 4; k++, rest /= N)
            buf_puts(&path, pieces[rest % N]);
        dots_agree(path.p);
    }
    buf_free(&path);
    static const char *const whole[] = { "",
                                         "/",
                                         "..",
                                         "/..",
                                         "/../",
                                         "/...",
                                         "/..a",
                                         "/a..",
                                         "/.",
                                         "/a/../b",
                                         "/%2e.",
                                         "/.%2e/",
                                         "/..%2f",
                                         "/..\\",
                                         "/..%255c..",
                                         "/%%32%65",
                                         "/%252e%252e%252f",
                                         "/%c0%ae%c0%ae/",
                                         "/..;/",
                                         "/..%00/",
                                         "*" };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        dots_agree(whole[i]);
}

/* ---- paths ------------------------------------------------------------------- */
static void paths_are(struct path *paths, size_t n, const char *expected)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    const char *pattern = regex_paths(a, paths, n);
    check(expected == NULL || strcmp(pattern, expected) == 0, "pattern", pattern);
    check(regex_prove_paths(pattern, paths, n, &err) == 0, "proof", err.p ? err.p : "");
    buf_free(&err);
    arena_free(a);
}

static void test_paths(void)
{
    paths_are((struct path[]){ { PATH_PREFIX, "/owa", NULL, 0 } }, 1, "^/owa(?:/|$)");
    paths_are((struct path[]){ { PATH_PREFIX, "/owa", NULL, 0 }, { PATH_PREFIX, "/ecp", NULL, 0 } }, 2,
              "^/(?:owa|ecp)(?:/|$)");
    paths_are((struct path[]){ { PATH_PREFIX, "", NULL, 0 } }, 1, "^");
    paths_are((struct path[]){ { PATH_EXACT, "/", NULL, 0 } }, 1, "^/$");
    paths_are((struct path[]){ { PATH_EXACT, "/a.htm", NULL, 0 }, { PATH_STEM, "/_vti_inf.html", NULL, 0 } }, 2,
              "^/(?:a\\.htm$|_vti_inf\\.html)");
    paths_are((struct path[]){ { PATH_EXACT, "/x", NULL, 0 },
                               { PATH_PREFIX, "/x/y", NULL, 0 },
                               { PATH_EXACT, "/", NULL, 0 } },
              3, NULL);
    paths_are((struct path[]){ { PATH_PREFIX, "/a b", NULL, 0 } }, 1, "^/a\\x20b(?:/|$)");
    paths_are((struct path[]){ { PATH_PREFIX, "/\xc3\xa9", NULL, 0 } }, 1, "^/\\xc3\\xa9(?:/|$)");
    /* every byte that a path could hold, alone, in the middle and as what a pattern would take for its own */
    for (int c = 1; c < 256; c++) {
        char text[] = { '/', 'a', (char)c, 'b', (char)c, 0 };
        paths_are((struct path[]){ { PATH_PREFIX, text, NULL, 0 } }, 1, NULL);
        paths_are(
            (struct path[]){ { PATH_EXACT, text, NULL, 0 }, { PATH_STEM, text + 4 - (text[4] == '/') * 4, NULL, 0 } },
            c == '/' ? 2 : 1, NULL);
    }
    static const char *const hostile[] = { "/.*", "/(?i)x", "/a|b",      "/[a-z]",     "/x\\", "/$",   "/^", "/a{9}",
                                           "/(",  "/)",     "/\\Q..\\E", "/(*ACCEPT)", "/%2f", "/a+b", "/?:" };
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        for (enum path_kind k = PATH_PREFIX; k <= PATH_STEM; k++)
            paths_are((struct path[]){ { k, hostile[i], NULL, 0 }, { PATH_PREFIX, "/fine", NULL, 0 } }, 2, NULL);
}

/* ---- names ---------------------------------------------------------------------- */
static void test_names(void)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    struct public_name names[] = { { NAME_EXACT, "mail.x", NULL, 0 },
                                   { NAME_WILDCARD, "*.y.example", NULL, 0 },
                                   { NAME_ADDRESS, "192.0.2.1", NULL, 0 } };
    const char *one = regex_names(a, names, 1), *all = regex_names(a, names, 3);
    check(strcmp(one, "mail\\.x") == 0, "one name", one);
    check(strcmp(all, "(?:mail\\.x|[^ /.][^ /]*\\.y\\.example|192\\.0\\.2\\.1)") == 0, "names", all);
    check(regex_prove_names(one, names, 1, &err) == 0, "proof", err.p ? err.p : "");
    check(regex_prove_names(all, names, 3, &err) == 0, "proof", err.p ? err.p : "");
    check(regex_prove_names("mail.x", names, 1, &err) != 0, "a dot that is not escaped", "was not found out");
    check(regex_prove_names("[^.]+\\.y\\.example", names + 1, 1, &err) != 0, "one label only", "was not found out");
    buf_free(&err);
    arena_free(a);
}

/* A proof that finds nothing wrong with anything would prove nothing. */
static void test_proof(void)
{
    struct strbuf err = { 0 };
    struct path owa = { PATH_PREFIX, "/owa", NULL, 0 }, page = { PATH_EXACT, "/a.htm", NULL, 0 };
    static const char *const wrong[] = { "^/owa",       "^/owa/", "/owa(?:/|$)", "^/owa$", "^", "(?-i)^/owa(?:/|$)",
                                         "^/owb(?:/|$)" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check(regex_prove_paths(wrong[i], &owa, 1, &err) != 0, "wrong pattern passed", wrong[i]);
    check(regex_prove_paths("^/a.htm$", &page, 1, &err) != 0, "wrong pattern passed", "^/a.htm$");
    check(regex_prove("(", NULL, NULL, &err) != 0, "broken pattern passed", "(");
    buf_free(&err);
}

int main(void)
{
    test_dots();
    test_paths();
    test_names();
    test_proof();
    return summary("regex");
}
