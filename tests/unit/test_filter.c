/* The HTTP filter (B-131 to B-142): reading its XML, what it refuses, and that the proxies' patterns refuse the same; and
 * the patterns of schedules (B-23). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "check.h"
#include "emitters/filter.h"

#include <pcre2.h>
#include <string.h>

static struct arena *a;

static const struct http_filter *parse(const char *root, const char *urls, const char *rest)
{
    return http_filter_parse(
        a, arena_printf(a, "<Configuration %s><UrlValidation %s</UrlValidation>%s</Configuration>", root, urls, rest));
}

static unsigned refuses(const struct http_filter *f, const char *method, const char *target, const char *head)
{
    return http_filter_refuses(f, &(struct filter_question){ method, target, strcspn(target, "?"), head, 0 }, a);
}

/* ---- reading ---------------------------------------------------------------------- */
static void test_reading(void)
{
    check(!http_filter_parse(a, "") && !http_filter_parse(a, "<x/>") && !http_filter_parse(a, "<Configuration>"),
          "no such document", "");
    check(!http_filter_parse(a, "<!DOCTYPE x [<!ENTITY a 'b'>]><Configuration/>"), "a DTD", "");
    const struct http_filter *f = http_filter_parse(a, "<Configuration/>");
    check(f && !f->parts && !f->unread, "an empty filter", "");
    f = http_filter_parse(
        a,
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><c:configuration xmlns:c='x' maxrequestbodylen='5' BlockExecutables='1' ServerHeaderAction='1'/>");
    check(f && f->body_max == 5 && f->parts == (FILTER(BODY_LENGTH) | FILTER(EXECUTABLES) | FILTER(SERVER)),
          "other spellings", "");
    f = parse("MaxRequestBodyLen='many' ViaHeaderAction='7'",
              "AllowHighBitCharacters='perhaps'><Extensions AllowCondition='3'/>",
              "<Verbs AllowCondition='1'><Verb Value='G T'/></Verbs><Sound/>");
    check(f && f->unread == 6, "what is not understood is counted", f && f->first_unread ? f->first_unread : "");
    f = parse(
        "", ">",
        "<DeniedSignatures><Signature Enabled='false'/><Signature SearchIn='Request body' Pattern='x'/><Signature Pattern='x'/>"
        "<Signature SearchIn='RequestHeaders' Header='A b' Pattern='x'/><Signature SearchIn='Response headers' Header='Server:' Pattern='x'/></DeniedSignatures>");
    check(f && f->unread == 2 && f->body_texts.n == 1 && f->answer_texts.n == 1 &&
              !strcmp(f->answer_texts.v[0].header, "Server"),
          "signatures", "");
    f = parse(
        "", ">",
        "<DeniedSignatures><Signature SearchIn='Response body' Pattern='evil'/><Signature SearchIn='Request body' Format='Binary' Pattern='4D 5a' From='3' To='9'/>"
        "<Signature SearchIn='Request body' Format='Binary' Pattern='4D5'/><Signature SearchIn='Request body' Pattern='x' From='9' To='3'/><Signature SearchIn='Request body'/></DeniedSignatures>");
    check(f && f->unread == 3 && f->body_texts.n == 2 && f->parts == FILTER(BODY_TEXTS), "signatures in bodies", "");
    const struct filter_body_text *t = f->body_texts.v;
    check(t[0].in == BODY_OF_ANSWER && !strcmp(t[0].text, "evil") && t[0].from == 1 && t[0].to == 100, "text", "");
    check(t[1].in == BODY_OF_REQUEST && !t[1].text && !strcmp(t[1].hex, "4d5a") && t[1].from == 3 && t[1].to == 9,
          "bytes", "");
    f = parse("ViaHeaderAction='2' NewViaHeaderValue='a&#10;b' ServerHeaderAction='2' NewServerHeaderValue='x'", ">",
              "");
    check(f && f->via == HEADER_KEPT && f->unread == 1 && f->server == HEADER_REPLACED, "a value with a line end", "");
}

/* ---- answers -------------------------------------------------------------------------- */
static void test_answers(void)
{
    static const struct {
        const char *root, *urls, *rest, *method, *target, *head;
        unsigned refused;
    } cases[] = {
        { "", ">", "<Verbs AllowCondition='1'><Verb Value='GET'/></Verbs>", "GET", "/", NULL, 0 },
        { "", ">", "<Verbs AllowCondition='1'><Verb>GET</Verb></Verbs>", "PUT", "/", NULL, FILTER(METHODS) },
        { "", ">", "<Verbs AllowCondition='2'><Verb Value='TRACE'/></Verbs>", "TRACE", "/", NULL, FILTER(METHODS) },
        { "", ">", "<Verbs AllowCondition='1'/>", "GET", "/", NULL, FILTER(METHODS) },
        { "", ">", "<Verbs AllowCondition='2'/>", "GET", "/", NULL, 0 },
        { "", "><Extensions AllowCondition='2'><Extension Value='.exe'/></Extensions>", "", "GET", "/a.EXE?x", NULL,
          FILTER(EXTENSIONS) },
        { "", "><Extensions AllowCondition='2'><Extension Value='.exe'/></Extensions>", "", "GET", "/a%2ee%78e", NULL,
          FILTER(EXTENSIONS) },
        { "", "><Extensions AllowCondition='2'><Extension Value='.exe'/></Extensions>", "", "GET", "/a.exe/b?c.exe",
          NULL, 0 },
        { "", "NormalizeBeforeScan='false'><Extensions AllowCondition='2'><Extension Value='exe'/></Extensions>", "",
          "GET", "/a%2eexe", NULL, 0 },
        { "", "><Extensions AllowCondition='1'><Extension Value='.'/><Extension Value='aspx'/></Extensions>", "", "GET",
          "/a.b/c", NULL, 0 },
        { "", "><Extensions AllowCondition='1'><Extension Value='.'/><Extension Value='aspx'/></Extensions>", "", "GET",
          "/c.asp", NULL, FILTER(EXTENSIONS) },
        { "", "MaxLength='5'>", "", "GET", "/1234", NULL, 0 },
        { "", "MaxLength='5'>", "", "GET", "/12?4x", NULL, FILTER(URL_LENGTH) },
        { "", "MaxQueryLength='2'>", "", "GET", "/?12", NULL, 0 },
        { "", "MaxQueryLength='2'>", "", "GET", "/?123", NULL, FILTER(QUERY_LENGTH) },
        { "", "AllowHighBitCharacters='false'>", "", "GET", "/%7f%80", NULL, FILTER(HIGH_BIT) },
        { "", "VerifyNormalization='true'>", "", "GET", "/%25", NULL, 0 },
        { "", "VerifyNormalization='true'>", "", "GET", "/%2%2f", NULL, 0 },
        { "", "VerifyNormalization='true'>", "", "GET", "/?%25%34%31", NULL, FILTER(DOUBLE) },
        { "", "BlockDotInPath='true'>", "", "GET", "/a.b", NULL, 0 },
        { "", "BlockDotInPath='true'>", "", "GET", "/a.b%5c", NULL, FILTER(DOTS) },
        { "", ">", "<DeniedSignatures><S SearchIn='Url' Pattern='cmd.exe'/></DeniedSignatures>", "GET", "/?%43md.exe",
          NULL, FILTER(URL_TEXTS) },
        { "", ">", "<RequestHeaders><Header Value='X-Bad'/></RequestHeaders>", "GET", "/", "x-bad:\r\n",
          FILTER(HEADERS) },
        { "", ">", "<RequestHeaders><Header Value='X-Bad'/></RequestHeaders>", "GET", "/", "x-bade: x-bad\r\n", 0 },
        { "", ">",
          "<DeniedSignatures><S SearchIn='RequestHeaders' Header='User-Agent' Pattern='bot'/></DeniedSignatures>",
          "GET", "/", "A: bot\r\nuser-agent: ROBOT\r\n", FILTER(HEADER_TEXTS) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_filter *f = parse(cases[i].root, cases[i].urls, cases[i].rest);
        check(f && !f->unread && refuses(f, cases[i].method, cases[i].target, cases[i].head) == cases[i].refused,
              cases[i].urls, cases[i].target);
    }
}

/* ---- patterns against answers ------------------------------------------------------------- */
static bool matches(const char *pattern, const char *text)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_CASELESS, &code, &at, NULL);
    pcre2_match_data *d = re ? pcre2_match_data_create_from_pattern(re, NULL) : NULL;
    bool yes = d && pcre2_match(re, (PCRE2_SPTR)text, strlen(text), 0, 0, d, NULL) >= 0;
    pcre2_match_data_free(d);
    pcre2_code_free(re);
    return yes;
}

static bool patterns_refuse(const filter_checks *checks, const char *method, const char *target)
{
    const char *path = arena_strndup(a, target, strcspn(target, "?"));
    for (size_t i = 0; i < checks->n; i++) {
        const struct filter_check *c = &checks->v[i];
        bool any = false;
        for (size_t k = 0; k < c->patterns.n; k++)
            any |= matches(c->patterns.v[k], c->of == OF_METHOD ? method : c->of == OF_PATH ? path : target);
        if (any != c->only)
            return true;
    }
    return false;
}

static void test_patterns(void)
{
    static const char *const urls[] = {
        "VerifyNormalization='true'>",
        "AllowHighBitCharacters='false'>",
        "BlockDotInPath='true'>",
        "NormalizeBeforeScan='false' BlockDotInPath='1'>",
        "><Extensions AllowCondition='2'><E Value='.e2'/><E Value='.'/></Extensions>",
        "><Extensions AllowCondition='1'><E Value='2e'/><E Value='.'/></Extensions>",
        "NormalizeBeforeScan='0'><Extensions AllowCondition='1'><E Value='2e'/><E Value='.'/></Extensions>",
        "><Extensions AllowCondition='1'/>",
        ">",
        "NormalizeBeforeScan='0'>"
    };
    static const char *const texts[] = { "", "<S SearchIn='url' Pattern='e.2'/>",
                                         "<S SearchIn='url' Pattern='%2'/><S SearchIn='url' Pattern='/%'/>",
                                         "<S SearchIn='url' Pattern='5e'/>", "<S SearchIn='url' Pattern='&#228;'/>" };
    static const char *const bits[] = { "%",   "2",   "5",   "e",   "E",      ".",        "/",   "\\",  "?",
                                        "%2e", "%25", "%2f", "%65", "%C3%a4", "\xc3\xa4", "%5C", "%35", "x" };
    struct strbuf err = { 0 };
    uint32_t state = 1;
    for (size_t u = 0; u < sizeof urls / sizeof *urls; u++)
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
            const struct http_filter *f =
                parse("", urls[u], arena_printf(a, "<DeniedSignatures>%s</DeniedSignatures>", texts[t]));
            filter_checks checks = { 0 };
            check(f && !f->unread && filter_patterns(a, f, &checks, &err) == 0, "patterns pass their proof",
                  err.p ? err.p : urls[u]);
            for (int i = 0; f && i < 120; i++) {
                struct strbuf b = { 0 };
                buf_putc(&b, '/');
                for (uint32_t n = (state = state * 1664525u + 1013904223u) >> 29; n-- > 0;)
                    buf_puts(&b, bits[((state = state * 1664525u + 1013904223u) >> 16) % (sizeof bits / sizeof *bits)]);
                check(patterns_refuse(&checks, "GET", b.p) == (refuses(f, "GET", b.p, NULL) != 0),
                      arena_printf(a, "%s %s", urls[u], texts[t]), b.p);
                buf_free(&b);
            }
        }
    struct strbuf many = { 0 };
    for (int i = 0; i < 200; i++)
        buf_printf(&many, "<Verb Value='METHOD-OF-SOME-LENGTH-%d'/>", i);
    const struct http_filter *f = parse("", ">", arena_printf(a, "<Verbs AllowCondition='1'>%s</Verbs>", many.p));
    filter_checks checks = { 0 };
    check(f && filter_patterns(a, f, &checks, &err) == 0 && checks.n == 1 && checks.v[0].patterns.n > 1,
          "a long list comes in pieces", "");
    check(!patterns_refuse(&checks, "METHOD-OF-SOME-LENGTH-199", "/") &&
              patterns_refuse(&checks, "METHOD-OF-SOME-LENGTH-200", "/"),
          "and means the same", "");
    buf_free(&many);
    buf_free(&err);
}

/* ---- schedules -------------------------------------------------------------------------------- */
static void test_schedules(void)
{
    static const char *const days[] = { "0", "1", "2", "3", "4", "5", "6" };
    static const struct hour_spelling as = { days, "", "$", "", "" };
    struct strbuf err = { 0 };
    uint32_t state = 7;
    for (int round = 0; round < 12; round++) {
        struct schedule s = { .name = "S" };
        for (int i = 0; i < 21; i++)
            s.hours[i] = round == 0 ? 0 : round == 1 ? 0xff : (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
        const char *pattern = regex_schedule(a, &s, &as);
        check(regex_prove_schedule(pattern, &s, &as, &err) == 0, "a schedule's pattern", pattern);
        s.hours[3] ^= 1;
        check(regex_prove_schedule(pattern, &s, &as, &err) != 0, "another schedule's pattern", pattern);
    }
    buf_free(&err);
}

int main(void)
{
    a = arena_new();
    test_reading();
    test_answers();
    test_patterns();
    test_schedules();
    arena_free(a);
    return summary("filter");
}
