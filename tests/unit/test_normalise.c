/* test_normalise: every text that names a host, a path or an object has one spelling afterwards, or is refused. */
#include "check.h"
#include <stdio.h>
#include <string.h>
#include "../../ir/policy.h"

static struct arena *a;

static void host(const char *text, const char *expected)
{
    const char *got = normalise_host(a, text);
    check(str_equal(got, expected), text, got);
}

static void public_name(const char *text, int kind, const char *name, const char *display)
{
    struct public_name n;
    bool ok = normalise_public_name(a, text, &n);
    check(ok == (kind >= 0) &&
              (!ok || ((int)n.kind == kind && str_equal(n.name, name) && str_equal(n.display, display))),
          text, n.name);
}

static void path(const char *text, int kind, const char *literal, bool is_odd)
{
    enum path_kind k;
    const char *l = NULL;
    bool odd = false, ok = normalise_path(a, text, &k, &l, &odd);
    check(ok == (kind >= 0) && (!ok || ((int)k == kind && str_equal(l, literal) && odd == is_odd)), text, l);
    if (!ok)
        return;
    /* its pattern is read as the same again */
    struct strbuf b = { 0 };
    buf_path_pattern(&b, k, l);
    enum path_kind k2;
    const char *l2;
    check(normalise_path(a, b.p, &k2, &l2, &odd) && k2 == k && str_equal(l, l2), "pattern", b.p);
    buf_free(&b);
}

static const char *repeated(const char *unit, size_t times, const char *tail)
{
    struct strbuf b = { 0 };
    for (size_t i = 0; i < times; i++)
        buf_puts(&b, unit);
    buf_puts(&b, tail);
    const char *s = arena_strdup(a, b.p);
    buf_free(&b);
    return s;
}

static void hosts(void)
{
    host("HTTP://Mail.X.:443/", "mail.x");
    host("https://mail.x/owa/auth?x#y", "mail.x");
    host("  mail.x \t", "mail.x");
    host("mail.x:8443", "mail.x");
    host("mail.x:", "mail.x");
    host("EXCH01", "exch01");
    host("a_b.c-d", "a_b.c-d");
    host("192.0.2.1:80", "192.0.2.1");
    host("M\xc3\xbcNCH.de", "xn--mnch-0ra.de");
    host("fa\xc3\x9f.de", "xn--fa-hia.de");
    host("a\xe3\x80\x82"
         "b",
         "a.b");
    static const char *const none[] = { "",     " ",         ".",         "..",
                                        "a..b", ".a",        "a.b..",     "-a",
                                        "a-",   "a.-b",      "*.x",       "a b",
                                        "a,b",  "a;b",       "a'b",       "a\"b",
                                        "a$b",  "${a}",      "a{b",       "a/b",
                                        "a?b",  "a#b",       "a\\b",      "a%b",
                                        "a@b",  "(a|b)",     "a+b",       "^a",
                                        "a\nb", "a:b",       "a:1:2",     "a:65536",
                                        "a:-1", "[::1]",     "::1",       "http://",
                                        "10.1", "1.2.3.4.5", "300.1.1.1", "1",
                                        "a.1",  "\xff",      "a\xc0\xaf", "\xe2\x80\xae.b",
                                        "a\x01" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        host(none[i], NULL);
    host(NULL, NULL);
    const char *label = repeated("a", 63, "");
    host(label, label);
    host(repeated("a", 64, ""), NULL);
    const char *longest = repeated("abcdefghi.", 25, "abc");
    host(longest, longest);
    host(repeated("abcdefghi.", 25, "abcd"), NULL);
    host(repeated("\xc3\xbc", 600, ""), NULL);
    host(repeated("a.", 100000, "a"), NULL);
}

static void names(void)
{
    public_name("mail.x", NAME_EXACT, "mail.x", NULL);
    public_name("*.X.Example.", NAME_WILDCARD, "*.x.example", NULL);
    public_name("http://*.x:443/", NAME_WILDCARD, "*.x", NULL);
    public_name("192.0.2.1", NAME_ADDRESS, "192.0.2.1", NULL);
    public_name("*.\xc3\x9c.de", NAME_WILDCARD, "*.xn--tda.de", "*.\xc3\xbc.de");
    public_name("XN--TDA.de", NAME_EXACT, "xn--tda.de", "\xc3\xbc.de");
    public_name("xn--a.de", NAME_EXACT, "xn--a.de", NULL);
    public_name("x/", NAME_EXACT, "x", NULL);
    static const char *const none[] = { "*",     "",      "*.",          "**.x",          "*x.y", "a.*",
                                        "a.*.b", "*.*.x", "*.192.0.2.1", "http://x/path", "x//",  "x|y" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        public_name(none[i], -1, NULL, NULL);
}

static void paths(void)
{
    path("/*", PATH_PREFIX, "", false);
    path("/owa/*", PATH_PREFIX, "/owa", false);
    path(" /owa/* ", PATH_PREFIX, "/owa", false);
    path("/", PATH_EXACT, "/", false);
    path("/a/b.htm", PATH_EXACT, "/a/b.htm", false);
    path("/a/", PATH_EXACT, "/a/", false);
    path("/_vti_inf.html*", PATH_STEM, "/_vti_inf.html", true);
    path("/app\\", PATH_EXACT, "/app/", false);
    path("\\app\\*", PATH_PREFIX, "/app", false);
    path("/x*/", PATH_EXACT, "/x*/", true);
    path("/x*/*", PATH_PREFIX, "/x*", true);
    path("//*", PATH_PREFIX, "/", true);
    path("/a//*", PATH_PREFIX, "/a/", true);
    path("/a**", PATH_STEM, "/a*", true);
    path("/m\xc3\xbc x/*", PATH_PREFIX, "/m%C3%BC%20x", false);
    path("/my%20site/*", PATH_PREFIX, "/my%20site", false);
    path("/a..b/...", PATH_EXACT, "/a..b/...", false);
    path("/a$(b){c};'d", PATH_EXACT, "/a$(b)%7Bc%7D;'d", false);
    static const char *const none[] = { "",      " ",         "*",         "owa/*",     "/a?b",
                                        "/a#b",  "/a\nb",     "/a\x7f",    "/..",       "/../x",
                                        "/a/..", "/a/../b/*", "/a\\..\\b", "http://x/", "/\xff" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        path(none[i], -1, NULL, false);
    path(NULL, -1, NULL, false);
    path(repeated("/abcdefghi", 1025, ""), -1, NULL, false);
}

static void identifiers(void)
{
    check(str_equal(normalise_guid(a, " {AB-Cd} "), "ab-cd"), "a GUID in braces", NULL);
    check(str_equal(normalise_guid(a, "AB"), "ab"), "a GUID without", NULL);
    check(str_equal(normalise_guid(a, NULL), ""), "no GUID", NULL);
    check(str_equal(normalise_thumbprint(a, "0A:1b 2C"), "0a1b2c"), "a thumbprint", NULL);
    check(str_equal(normalise_thumbprint(a, "\xe2\x80\x8e"
                                            "0a"),
                    "0a"),
          "a thumbprint with a mark", NULL);
    check(!normalise_thumbprint(a, "xyz") && !normalise_thumbprint(a, "") && !normalise_thumbprint(a, " ") &&
              !normalise_thumbprint(a, NULL),
          "no thumbprint", NULL);
}

/* policy.c: order of paths, SPNs, which delegation can work. */
static void derived(void)
{
    struct policy *p = policy_new();
    struct listener *l = vec_push(p->arena, &p->listeners);
    l->name = "L", l->integrated = true;
    struct farm *f = vec_push(p->arena, &p->farms);
    f->name = "F";
    vec_add(p->arena, &f->members, ((struct farm_member){ .host = "m1" }));
    vec_add(p->arena, &f->members, ((struct farm_member){ .host = "m2" }));
    static const struct {
        const char *text;
        enum delegation d;
        const char *listener, *farm, *spn;
        bool possible;
        size_t spns;
    } cases[] = {
        { "kerberos", DELEGATE_KERBEROS, "l", "f", NULL, true, 2 },
        { "ntlm", DELEGATE_NTLM, "L", NULL, NULL, false, 0 },
        { "basic", DELEGATE_BASIC, "L", NULL, NULL, false, 0 },
        { "block", DELEGATE_NONE_BLOCK, "L", NULL, NULL, true, 0 },
        { "negotiate", DELEGATE_NEGOTIATE, "L", NULL, NULL, false, 1 },
        { "no listener", DELEGATE_NTLM, NULL, NULL, NULL, true, 0 },
        { "its own spn", DELEGATE_KERBEROS, "L", "F", "host/x", true, 1 },
    };
    enum { CASES = sizeof cases / sizeof *cases };
    for (size_t i = 0; i < CASES; i++) {
        struct rule *r = vec_push(p->arena, &p->rules);
        *r = (struct rule){ .name = cases[i].text,
                            .delegation = cases[i].d,
                            .listener = cases[i].listener,
                            .farm = cases[i].farm,
                            .spn = cases[i].spn,
                            .site = "s" };
        static const char *const order[] = { "/a/*", "/abc", "/abc/*", "/*", "/abd/*", "/ab*" };
        for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
            struct path q = { 0 };
            bool odd;
            normalise_path(p->arena, order[k], &q.kind, &q.external, &odd);
            vec_add(p->arena, &r->paths, q);
        }
    }
    policy_finish(p);
    for (size_t i = 0; i < CASES; i++) {
        const struct rule *r = &p->rules.v[i];
        check(r->delegation_possible == cases[i].possible && r->spns.n == cases[i].spns, cases[i].text, NULL);
    }
    const struct rule *r = p->rules.v;
    check(str_equal(r->spns.v[1], "http/m2") && str_equal(r->spn, "http/*"), "a farm's SPNs", r->spn);
    static const char *const sorted[] = { "/abc", "/abc", "/abd", "/ab", "/a", "" };
    for (size_t k = 0; k < 6; k++)
        check(str_equal(r->paths.v[k].external, sorted[k]), "order of paths", r->paths.v[k].external);
    check(r->paths.v[0].kind == PATH_EXACT, "exact before prefix", NULL);
    check(policy_listener(p, "l") == l && !policy_listener(p, "x") && !policy_listener(p, NULL) &&
              policy_farm(p, "F") == f,
          "look-ups", NULL);
    struct origin o = { .line = 5 };
    origin_set(p->arena, &o, "x", 6);
    origin_set(p->arena, &o, "x", 7);
    check(origin_line(&o, "x") == 7 && origin_line(&o, "y") == 5 && origin_line(&o, NULL) == 5 && o.lines.n == 1,
          "origins", NULL);
    policy_free(p);
}

int main(void)
{
    a = arena_new();
    hosts();
    names();
    paths();
    identifiers();
    derived();
    arena_free(a);
    return summary("normalise");
}
