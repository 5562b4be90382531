/* forms and places: what goes into a page and how, languages, folders of templates, parameters, and where nobody is sent. */
#include "check.h"
#include "auth/agents.h"
#include "auth/basic.h"
#include "auth/forms.h"
#include "auth/places.h"
#include "auth/seal.h"
#include "auth/token.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test-forms-XXXXXX";

/* ---- places --------------------------------------------------------------------------- */

static void test_places(void)
{
    static const struct {
        const char *target;
        enum place place;
        const char *rest;
    } cases[] = { { "/", PLACE_NONE, "" },
                  { "/owa/?a=b", PLACE_NONE, "a=b" },
                  { "/.publishd/sign-in", PLACE_SIGN_IN, "" },
                  { "/.publishd/sign-in?url=%2F", PLACE_SIGN_IN, "url=%2F" },
                  { "https://h.example/.publishd/sign-in?x", PLACE_SIGN_IN, "x" },
                  { "http://h.example:8080/.publishd/password", PLACE_PASSWORD, "" },
                  { "http://h.example", PLACE_NONE, "" },
                  { "http://h.example?/.publishd/password", PLACE_NONE, "" },
                  { "/.publishd/sign-out", PLACE_SIGN_OUT, "" },
                  { "/.publishd/files/logo.png", PLACE_FILE, "logo.png" },
                  { "/.publishd/files/", PLACE_UNKNOWN, "" },
                  { "/.publishd/files/a?b", PLACE_UNKNOWN, "b" },
                  { "/.publishd/", PLACE_UNKNOWN, "" },
                  { "/.publishd/sign-in/", PLACE_UNKNOWN, "" },
                  { "/.publishd/../owa", PLACE_UNKNOWN, "" },
                  { "/.publishd", PLACE_NONE, "" },
                  { "/CookieAuth.dll?GetLogon?curl=Z2F&reason=0", PLACE_OLD, "GetLogon?curl=Z2F&reason=0" },
                  { "/COOKIEAUTH.DLL", PLACE_OLD, "" },
                  { "/fbahandler.dll?x", PLACE_OLD, "x" },
                  { "/cookieauth.dll/x", PLACE_NONE, "" },
                  { "*", PLACE_NONE, "" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *rest;
        enum place p = place_of(target_path(cases[i].target), &rest);
        check(p == cases[i].place && strcmp(rest, cases[i].rest) == 0, cases[i].target);
    }
}

/* Each is a trick that led somebody's users elsewhere, or would end or split a header field. */
static void test_return(void)
{
    static const char *const good[] = { "/",
                                        "/owa/",
                                        "/owa/?ae=Item&t=IPM.Note",
                                        "/a%2F..%2Fb",
                                        "/x?url=https://evil.example/",
                                        "/a:b@c",
                                        "/.well-known/x",
                                        "/a//b",
                                        "/%0d%0aX" };
    static const char *const bad[] = { "",
                                       "//evil.example",
                                       "//evil.example/%2f..",
                                       "///evil.example",
                                       "////evil.example",
                                       "/\\evil.example",
                                       "\\\\evil.example",
                                       "/\\/evil.example",
                                       "\\/evil.example",
                                       "/a\\b",
                                       "https://evil.example/",
                                       "https:evil.example",
                                       "https:/evil.example",
                                       "HTTPS://evil.example",
                                       "http://evil.example",
                                       "javascript:alert(1)",
                                       "data:text/html,x",
                                       "evil.example",
                                       "owa/",
                                       "./owa",
                                       "../owa",
                                       "?x",
                                       "#x",
                                       "@evil.example",
                                       ":443@evil.example",
                                       ".evil.example",
                                       " /owa",
                                       "/ owa",
                                       "/\t/evil.example",
                                       "\t//evil.example",
                                       "/\n/evil.example",
                                       "/\r\nSet-Cookie: a=b",
                                       "/owa\r\n",
                                       "/\x01",
                                       "/\x7f",
                                       "/\xe2\x80\xa8",
                                       "/\xef\xbc\x8f/evil.example",
                                       "/.publishd/sign-in?url=%2F",
                                       "/.publishd/sign-out",
                                       "/CookieAuth.dll?Logoff",
                                       "/cookieauth.DLL" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check(return_allowed(good[i]), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!return_allowed(bad[i]), bad[i]);
    char *longest = malloc(2050);
    memset(longest, '/', 2049);
    memset(longest + 1, 'a', 2048);
    longest[2049] = '\0';
    check(!return_allowed(longest), "2049 bytes");
    longest[2048] = '\0';
    check(return_allowed(longest), "2048 bytes");
    free(longest);
}

static void test_parameters(void)
{
    struct arena *a = arena_new();
    static const struct {
        const char *text, *name, *value;
    } cases[] = { { "a=b&c=d", "c", "d" },
                  { "a=b&a=c", "a", "b" },
                  { "a=%41+b%2b", "a", "A b+" },
                  { "ab=c", "a", NULL },
                  { "a", "a", NULL },
                  { "a=", "a", "" },
                  { "&&a=1", "a", "1" },
                  { "a=%", "a", NULL },
                  { "a=%4", "a", NULL },
                  { "a=%zz", "a", NULL },
                  { "a=%00b", "a", NULL },
                  { "a=%c3%a4", "a", "\xc3\xa4" },
                  { "b=1&a=%2Fowa%2F%3Fx%3D1", "a", "/owa/?x=1" },
                  { "", "a", NULL } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(str_equal(parameter(a, cases[i].text, strlen(cases[i].text), cases[i].name), cases[i].value),
              cases[i].text);
    check(parameter(a, "a=1\0&b=2", 8, "a") == NULL && str_equal(parameter(a, "a=1\0&b=2", 8, "b"), "2"),
          "a NUL spoils what it is in");
    struct strbuf b = { 0 };
    parameter_encode(&b, "/owa/?x=1&y=\"<\xc3\xa4>\" '#");
    check(str_equal(b.p, "/owa/%3Fx%3D1%26y%3D%22%3C%C3%A4%3E%22%20%27%23"), b.p);
    const char *query = arena_printf(a, "url=%s&why=x", b.p);
    check(str_equal(parameter(a, query, strlen(query), "url"), "/owa/?x=1&y=\"<\xc3\xa4>\" '#"), "there and back");
    buf_free(&b);
    static const struct {
        const char *query, *target;
    } old[] = { { "GetLogon?curl=Z2FowaZ2F&reason=0&formdir=3", "/owa/" },
                { "GetLogon?curl=Z2F", "/" },
                { "GetLogon?reason=0&curl=Z2FaZ3FbZ3Dc", "/a?b=c" },
                { "GetLogon?CURL=Z2fpublicZ5AZ20x", "/publicZ x" },
                { "GetLogon?curl=Z2FZ2Fevil", "//evil" },
                { "GetLogon", NULL },
                { "curl=Z", NULL },
                { "curl=Z0", NULL },
                { "curl=Z00", NULL },
                { "curl=ZG1", NULL },
                { "curl=", "" } };
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        check(str_equal(old_target(a, old[i].query), old[i].target), old[i].query);
    arena_free(a);
}

static void test_log_off(void)
{
    static const struct {
        const char *url, *path;
        bool asks;
    } cases[] = { { "/_layouts/SignOut.aspx", "/_layouts/SignOut.aspx", true },
                  { "/_layouts/SignOut.aspx", "/_LAYOUTS/signout.aspx?Source=x", true },
                  { "/_layouts/SignOut.aspx", "/_layouts/SignOut.aspxx", false },
                  { "/_layouts/SignOut.aspx", "/a/_layouts/SignOut.aspx", false },
                  { "/owa/?Cmd=logoff", "/owa/?cmd=LOGOFF&x=1", true },
                  { "/owa/?Cmd=logoff", "/owa/?x=1&cmd=logoff", false },
                  { "/owa/?Cmd=logoff", "/owa/", false },
                  { "?Cmd=logoff", "/exchange/user/?Cmd=logoff", true },
                  { "?Cmd=logoff", "/exchange/?a=b&cmd=logoff", true },
                  { "?Cmd=logoff", "/cmd=logoff", false },
                  { "", "/", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(asks_log_off(cases[i].url, cases[i].path) == cases[i].asks, cases[i].path);
}

/* ---- agents ------------------------------------------------------------------------------ */

static void test_agents(void)
{
    static const struct {
        const char *agent;
        enum agent_answer answer;
    } cases[] = { { "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120 Safari/537.36", AGENT_FORM },
                  { "Mozilla/4.0 (compatible; MS FrontPage 6.0)", AGENT_BASIC },
                  { "MSFrontPage/12.0", AGENT_BASIC },
                  { "Opera/9.80", AGENT_FORM },
                  { "MSRPC", AGENT_BASIC },
                  { "Microsoft-Server-ActiveSync/12.0", AGENT_BASIC },
                  { "Apple-iPhone3C1/902.206", AGENT_BASIC },
                  { "Microsoft Office/16.0 (Microsoft Outlook 16.0)", AGENT_BASIC },
                  { "curl/7.88.1", AGENT_BASIC },
                  { "Mozilla/4.0 (PDA; PalmOS/sony/model crdb/Revision:1.1.36(de)) NetFront/3.0 Blazer", AGENT_FORM },
                  { "HTC_Touch Mozilla/4.0 (compatible; MSIE 6.0; windows ce; IEMobile 7.6)", AGENT_FORM },
                  { "SonyEricssonK800i/R1CB", AGENT_FORM },
                  { "DoCoMo/2.0 N905i", AGENT_FORM },
                  { "", AGENT_BASIC },
                  { NULL, AGENT_BASIC } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(agent_of(agents_default, agents_default_n, cases[i].agent) == cases[i].answer,
              cases[i].agent ? cases[i].agent : "none");
    check(agent_of(agents_default, 0, "Mozilla") == AGENT_BASIC, "an empty table is Basic");
    static const struct {
        const char *match, *text;
        bool fits;
    } fits[] = { { "*", "", true },           { "", "", true },          { "", "a", false },
                 { "abc", "ABC", true },      { "a*c", "abbbc", true },  { "a*c", "ab", false },
                 { "*a*b*", "xxaxxb", true }, { "*a*b", "ab ab", true }, { "a*", "ba", false },
                 { "**a**", "a", true } };
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++)
        check(agent_fits(fits[i].match, fits[i].text) == fits[i].fits, fits[i].match);
    char *long_text = malloc(60001);
    memset(long_text, 'a', 60000);
    long_text[60000] = '\0';
    check(!agent_fits("*a*a*a*a*a*a*a*b", long_text), "a long text is no long wait");
    free(long_text);
}

/* ---- Basic ------------------------------------------------------------------------------------ */

static void basic_is(const char *plain, size_t n, const char *account, const char *domain, const char *password,
                     const char *what)
{
    struct arena *a = arena_new();
    struct strbuf b = { 0 };
    struct user_name name;
    struct secret *secret;
    base64_encode(&b, plain, n);
    bool ok = basic_parse(a, b.p ? b.p : "", "LAB", &name, &secret);
    check(ok == (account != NULL) && ok == (secret != NULL), what);
    if (ok && account)
        check(str_equal(name.account, account) && str_equal(name.domain, domain) &&
                  str_equal(secret_text(secret), password),
              what);
    secret_release(secret);
    buf_free(&b);
    arena_free(a);
}
#define BASIC(plain, account, domain, password) basic_is(plain, sizeof plain - 1, account, domain, password, plain)

static void test_basic(void)
{
    BASIC("alice:secret", "alice", "LAB", "secret");
    BASIC("OTHER\\alice:secret", "alice", "OTHER", "secret");
    BASIC("alice@lab.test:a:b:c", "alice", "", "a:b:c");
    BASIC("alice:", "alice", "LAB", "");
    BASIC("j\xc3\xbcrgen:\xc3\xa4", "j\xc3\xbcrgen", "LAB", "\xc3\xa4");
    BASIC("j\xfcrgen:\xe4", "j\xc3\xbcrgen", "LAB", "\xc3\xa4");
    BASIC("alice", NULL, NULL, NULL);
    BASIC(":secret", NULL, NULL, NULL);
    BASIC("", NULL, NULL, NULL);
    BASIC("al\r\nice:x", NULL, NULL, NULL);
    BASIC("al\tice:x", NULL, NULL, NULL);
    BASIC("al\x7fice:x", NULL, NULL, NULL);
    BASIC("alice:se\0cret", NULL, NULL, NULL);
    BASIC("al\0ice:x", NULL, NULL, NULL);
    BASIC("a\\b\\c:x", NULL, NULL, NULL);
    struct arena *a = arena_new();
    struct user_name name;
    struct secret *secret;
    static const char *const bad[] = { "YWxpY2U6eA",     "YWxpY2U6eA= =", "YWxpY2U6eA==x",
                                       "YWxp\tY2U6eA==", "%%%%",          "YWxpY2U6eB==" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(!basic_parse(a, bad[i], NULL, &name, &secret) && !secret, bad[i]);
    static const struct {
        const char *value;
        enum scheme scheme;
        const char *rest;
    } schemes[] = { { NULL, SCHEME_NONE, "" },
                    { "Basic abc", SCHEME_BASIC, "abc" },
                    { "bAsIc  abc", SCHEME_BASIC, "abc" },
                    { "Basic", SCHEME_BASIC, "" },
                    { "Basicx abc", SCHEME_OTHER, "abc" },
                    { "NTLM TlRM", SCHEME_NTLM, "TlRM" },
                    { "Negotiate YII", SCHEME_NEGOTIATE, "YII" },
                    { "Bearer x", SCHEME_OTHER, "x" },
                    { "", SCHEME_OTHER, "" } };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const char *rest;
        check(scheme_of(schemes[i].value, &rest) == schemes[i].scheme && strcmp(rest, schemes[i].rest) == 0,
              schemes[i].rest);
    }
    static const char *const both[] = { "negotiate", "ntlm" };
    strings offer = { .v = (const char **)(uintptr_t)both, .n = 2 };
    struct challenges list;
    challenges_make(a, &(struct challenge_rules){ &offer, true, "a\"b\\c\r\nX: y" }, &list);
    check(list.n == 3 && str_equal(list.v[0], "Negotiate") && str_equal(list.v[1], "NTLM"),
          "schemes in the order that was asked for");
    check(list.n == 3 && str_equal(list.v[2], "Basic realm=\"a\\\"b\\\\cX: y\", charset=\"UTF-8\""),
          "a realm cannot leave its quotes or line");
    arena_free(a);
}

/* ---- pages --------------------------------------------------------------------------------------- */

static void render(const struct forms *f, enum form which, const char *language, const struct form_value *v, size_t n,
                   struct strbuf *b)
{
    buf_clear(b);
    forms_render(f, which, language, v, n, b);
}

static void test_pages(void)
{
    struct strbuf err = { 0 }, b = { 0 };
    struct forms *f = forms_new(NULL, &err);
    check(f && !err.n, err.n ? err.p : "the built-in pages");
    const struct form_value evil[] = { { "user", "\"><script>alert(1)</script>'`&{{token}}" },
                                       { "error", "<b>" },
                                       { "url", "/?a=\"&b" },
                                       { "host", "h.example" },
                                       { "token", "T0KEN" },
                                       { "action", "/.publishd/sign-in" },
                                       { "private", "1" },
                                       { "change", "" } };
    render(f, FORM_SIGN_IN, "en", evil, sizeof evil / sizeof *evil, &b);
    check(!strstr(b.p, "<script") && !strstr(b.p, "<b>") && strstr(b.p, "&lt;b&gt;"), "values are escaped");
    check(strstr(b.p, "value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&#96;&amp;{{token}}\"") != NULL,
          "a value is no template");
    check(strstr(b.p, "value=\"/?a=&quot;&amp;b\"") != NULL, "also in the way back");
    check(!strstr(b.p, "{{t.") && !strstr(b.p, "{{#") && !strstr(b.p, "{{>") && strstr(b.p, "--act:"),
          "everything is filled in, the style too");
    check(strstr(b.p, "value=\"private\" checked") && !strstr(b.p, "value=\"public\" checked"),
          "sections: the choice that was made");
    check(!strstr(b.p, "Change your password"), "sections: what is not offered");
    check(!strstr(b.p, "http://") && !strstr(b.p, "https://") && !strstr(b.p, "<script"),
          "nothing from outside, no script");
    for (int which = 0; which < FORMS; which++) {
        render(f, (enum form)which, "de", evil, sizeof evil / sizeof *evil, &b);
        check(b.n > 500 && !strstr(b.p, "<script") && strstr(b.p, "</html>"), form_files[which]);
    }
    static const struct {
        const char *accept, *language;
    } languages[] = { { NULL, "en" },
                      { "", "en" },
                      { "de", "de" },
                      { "de-AT,de;q=0.9,en;q=0.8", "de" },
                      { "DE-ch", "de" },
                      { "fr,en;q=0.5,de;q=0.3", "en" },
                      { "fr, de;q=0.3, en;q=0.2", "de" },
                      { "en;q=0,de;q=0.001", "de" },
                      { "de;q=0", "en" },
                      { "zh", "en" },
                      { "d", "en" },
                      { "de_DE", "en" },
                      { ",,;q=1,de", "de" },
                      { "en;q=0.123456789,de;q=0.124", "de" } };
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        check(str_equal(forms_language(f, languages[i].accept), languages[i].language),
              languages[i].accept ? languages[i].accept : "none");
    static const struct {
        long seconds;
        const char *text;
    } times[] = { { 600, "10 minutes" }, { 60, "1 minute" },     { 21600, "6 hours" },
                  { 3600, "1 hour" },    { 86400, "1 day" },     { 172800, "2 days" },
                  { 90, "90 seconds" },  { 5400, "90 minutes" }, { 0, "0 seconds" } };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        buf_clear(&b);
        forms_time(f, "en", times[i].seconds, &b);
        check(str_equal(b.p, times[i].text), times[i].text);
    }
    forms_free(f);
    buf_free(&b);
    buf_free(&err);
}

static void put(const char *name, const char *text)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    const char *path = path_join(a, folder, name);
    unlink(path);
    check(file_write_new(path, text, strlen(text), &err) == 0, name);
    buf_free(&err);
    arena_free(a);
}

static void gone(const char *name)
{
    struct arena *a = arena_new();
    unlink(path_join(a, folder, name));
    arena_free(a);
}

static void test_folder(void)
{
    struct strbuf err = { 0 }, b = { 0 };
    put("signed-off.html", "{{>part.html}}<p>{{host}}</p><i>{{t.sign_in}}</i>");
    put("part.html", "<img src=\"{{files}}logo.svg\">");
    put("logo.svg", "<svg/>");
    put("texts.fr", "# fr\nsign_in = Connexion <&>\n");
    put("texts.de", "sign_in=Rein\n");
    put("notes.txt", "not for anybody");
    struct forms *f = forms_new(folder, &err);
    check(f && !err.n, err.n ? err.p : "a folder");
    const struct form_value v[] = { { "host", "h<" }, { "files", "/.publishd/files/" } };
    render(f, FORM_SIGNED_OFF, "fr", v, 2, &b);
    check(str_equal(b.p, "<img src=\"/.publishd/files/logo.svg\"><p>h&lt;</p><i>Connexion &lt;&amp;&gt;</i>"), b.p);
    render(f, FORM_SIGNED_OFF, "de", v, 2, &b);
    check(strstr(b.p, "<i>Rein</i>") != NULL, "over the built-in catalog");
    render(f, FORM_SIGN_IN, "fr", v, 2, &b);
    check(strstr(b.p, "Connexion") && strstr(b.p, "Password"), "what a catalog lacks is said in English");
    check(str_equal(forms_language(f, "fr-CA"), "fr"), "a language of the folder");
    const struct form_file *file = forms_file(f, "logo.svg");
    check(file && file->n == 6 && str_equal(file->type, "image/svg+xml"), "a file for the pages");
    check(!forms_file(f, "notes.txt") && !forms_file(f, "part.html") && !forms_file(f, "../x"), "others are nobody's");
    forms_free(f);
    static const struct {
        const char *name, *text, *says;
    } bad[] = { { "sign-in.html", "<form>", "{{action}} is missing" },
                { "sign-in.html", "{{action}}{{token}}{{url}}{{nonsense}}", "no such value" },
                { "sign-in.html", "{{action}}{{token}}{{url}}{{t.nonsense}}", "no such text" },
                { "sign-in.html", "{{action}}{{token}}{{url}}{{#error}}", "is not ended" },
                { "sign-in.html", "{{action}}{{token}}{{url}}{{#error}}{{/notice}}", "ends what was not begun" },
                { "sign-in.html", "{{action}}{{token}}{{url}}{{/error}}", "ends what was not begun" },
                { "sign-in.html", "{{action}}{{token}}\n{{url", "sign-in.html:2" },
                { "sign-in.html", "{{>../../etc/passwd}}", "cannot be included" },
                { "sign-in.html", "{{>sign-in.html}}", "cannot be included" },
                { "sign-in.html", "{{>nowhere.html}}", "no such template" },
                { "sign-in.html", "\xff{{action}}{{token}}{{url}}", "no UTF-8" },
                { "texts.fr", "sign_in Connexion\n", "texts.fr:1" },
                { "texts.fr", "\nsign_inn = Connexion\n", "texts.fr:2" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i].name, bad[i].text);
        buf_clear(&err);
        f = forms_new(folder, &err);
        check(!f && err.n && strstr(err.p, bad[i].says), err.n ? err.p : bad[i].says);
        forms_free(f);
        gone(bad[i].name);
    }
    static const char *const all[] = { "signed-off.html", "part.html", "logo.svg", "texts.de", "notes.txt" };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gone(all[i]);
    buf_clear(&err);
    check(!forms_new("/nonexistent/folder", &err) && err.n, "no folder is told");
    buf_free(&err);
    buf_free(&b);
}

/* The German catalog says everything that the English one does. */
static void test_catalogs(void)
{
    struct arena *a = arena_new();
    struct strbuf text[2] = { { 0 }, { 0 } };
    for (const struct form_asset *f = form_assets; f->name; f++)
        for (int k = 0; k < 2; k++)
            if (strcmp(f->name, k ? "texts.de" : "texts.en") == 0)
                for (const char *const *line = f->lines; *line; line++)
                    if ((*line)[0] != '#')
                        buf_add(&text[k], *line, strcspn(*line, "="));
    check(text[0].n > 200 && str_equal(text[0].p, text[1].p), "the same texts in the same order");
    for (int k = 0; k < 2; k++)
        buf_free(&text[k]);
    arena_free(a);
}

int main(void)
{
    check(mkdtemp(folder) != NULL, "a folder");
    test_places();
    test_return();
    test_parameters();
    test_log_off();
    test_agents();
    test_basic();
    test_pages();
    test_folder();
    test_catalogs();
    rmdir(folder);
    return summary("forms");
}
