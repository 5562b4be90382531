/* What publishd makes of heads: what a published server gets (proxy/forward.h), what the client gets of its answer
 * (proxy/answer.h), and the pages that publishd answers itself (proxy/pages.h). */
#include "check.h"
#include "http/http1.h"
#include "proxy/answer.h"
#include "proxy/forward.h"
#include "proxy/pages.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a configuration ------------------------------------------------------------------ */

static struct snapshot *make(const char *rule, const char *listener)
{
    struct strbuf text = { 0 }, err = { 0 };
    char name[] = "/tmp/test_heads.XXXXXX";
    int fd = mkstemp(name);
    buf_printf(&text, "publishd: 1\nlisteners:\n  - name: L\n    sockets: [{address: \"*\", port: 80}]\n%s", listener);
    buf_printf(&text, "rules:\n  - name: R\n    listener: L\n    all_names: true\n    site: in.corp\n"
                      "    upstream: {port: 8080, servers: [{connect: 10.0.0.1, port: 8080}]}\n");
    if (!strstr(rule, "paths:"))
        buf_puts(&text, "    paths: [{external: /*}]\n");
    buf_puts(&text, rule);
    check(write(fd, text.p, text.n) == (ssize_t)text.n, "a file", name);
    close(fd);
    struct config *c = config_read(name, &err);
    struct snapshot *s = c ? snapshot_new(c, &err) : NULL;
    check(s, "a configuration", err.p);
    unlink(name);
    buf_free(&text);
    buf_free(&err);
    return s;
}

/* ---- requests ---------------------------------------------------------------------------- */

struct asking {
    const char *rule, *request;
    struct forward facts;
    const char *has, *hasnt; /* text in the head that the server gets */
};

static void forwards(const char *what, struct asking q)
{
    bool basic = strstr(q.rule, "delegation: basic");
    struct snapshot *s = make(q.rule, basic ? "    authentication: {basic: true}\n" : "");
    struct arena *a = arena_new();
    struct head *h = calloc(1, sizeof *h);
    struct strbuf out = { 0 };
    struct decision d;
    struct request r = { .client = 0xc0000201, .hour = -1, .port = 80 };
    const char *why = "";
    int status = s ? http1_request(h, q.request, strlen(q.request), &why) : 500;
    check(status == 0, what, why);
    if (status == 0) {
        route_ask(s, h, a, &r);
        route(s, &r, a, &d);
        check(d.answer == ANSWER_FORWARD, what, answer_names[d.answer]);
    }
    if (status == 0 && d.answer == ANSWER_FORWARD) {
        bool upgrades = forward_head(s, &d, &q.facts, h);
        http1_write_request(&out, h, upgrades ? "upgrade" : "keep-alive");
        check(!q.has || strstr(out.p, q.has), what, out.p);
        check(!q.hasnt || !strstr(out.p, q.hasnt), what, out.p);
        check(strstr(out.p, "\r\n\r\n") == out.p + out.n - 4, "one head", out.p);
    }
    head_free(h);
    free(h);
    buf_free(&out);
    arena_free(a);
    snapshot_free(s);
}

#define GET(fields) "GET /a?b HTTP/1.1\r\nHost: www.x:81\r\n" fields "\r\n"

static void test_hosts(void)
{
    forwards("the site's name", (struct asking){ "", GET(""), { 0 }, "GET /a?b HTTP/1.1\r\nHost: in.corp\r\n", "www" });
    forwards("the client's",
             (struct asking){ "    forward_host: true\n", GET(""), { 0 }, "Host: www.x:81\r\n", "in.corp" });
    forwards(
        "none sent",
        (struct asking){ "    forward_host: true\n", "GET / HTTP/1.0\r\n\r\n", { 0 }, "HTTP/1.1\r\nHost: \r\n", NULL });
    forwards("absolute form",
             (struct asking){
                 "", "GET http://www.x/q?z HTTP/1.1\r\nHost: www.x\r\n\r\n", { 0 }, "GET /q?z HTTP/1.1", NULL });
    forwards("absolute form, another host in Host",
             (struct asking){ "    forward_host: true\n",
                              "GET http://www.x:81/q?z HTTP/1.1\r\nHost: intern.corp\r\n\r\n",
                              { 0 },
                              "GET /q?z HTTP/1.1\r\nHost: www.x:81\r\n",
                              "intern" });
    forwards("absolute form, no Host", (struct asking){ "    forward_host: true\n",
                                                        "GET http://www.x HTTP/1.0\r\n\r\n",
                                                        { 0 },
                                                        "GET / HTTP/1.1\r\nHost: www.x\r\n",
                                                        "Host: \r\n" });
    forwards("a path inside",
             (struct asking){ "    paths: [{external: /a/*, internal: /in/*}]\n", GET(""), { 0 }, "GET /in?b ", NULL });
}

static void test_marks(void)
{
    static const struct {
        const char *asked, *sent;
    } v[] = {
        { "/a?x=1&authResend0A1F", "GET /a?x=1 " },    { "/a?authResend123", "GET /a " },
        { "/a?authResend12&y=2", "GET /a?y=2 " },      { "/a?x&authResend9&y", "GET /a?x&y " },
        { "/a?authResend=1", "GET /a?authResend=1 " }, { "/a?xauthResend1", "GET /a?xauthResend1 " },
        { "/authResend1", "GET /authResend1 " },
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct strbuf b = { 0 };
        buf_printf(&b, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", v[i].asked);
        forwards(v[i].asked, (struct asking){ "", b.p, { 0 }, v[i].sent, NULL });
        buf_free(&b);
    }
}

static void test_credentials(void)
{
    static const char sent[] = GET("Authorization: Basic abc\r\n");
    const char *none = "    delegation: block\n", *basic = "    delegation: basic\n";
    struct forward signed_in = { .signed_in = true },
                   delegated = { .signed_in = true, .authorization = "Negotiate YII" };
    forwards("blocked", (struct asking){ none, sent, { 0 }, NULL, "Authorization" });
    forwards("Basic goes on", (struct asking){ basic, sent, { 0 }, "Authorization: Basic abc\r\n", NULL });
    forwards("publishd's are not the server's", (struct asking){ basic, sent, signed_in, NULL, "Authorization" });
    forwards("delegated", (struct asking){ none, sent, delegated, "Authorization: Negotiate YII\r\n", "Basic" });
}

static void test_fields(void)
{
    forwards("Accept-Encoding", (struct asking){ "", GET("Accept-Encoding: br\r\n"), { 0 }, NULL, "br" });
    forwards(
        "Accept-Encoding where the rule sends it",
        (struct asking){
            "    accept_encoding: true\n", GET("Accept-Encoding: br\r\n"), { 0 }, "Accept-Encoding: br\r\n", NULL });
    forwards(
        "Front-End-Https",
        (struct asking){
            "    front_end_https: true\n", GET("Front-End-Https: Off\r\n"), { 0 }, "Front-End-Https: On\r\n", "Off" });
    forwards("X-Forwarded-For passes",
             (struct asking){ "", GET("X-Forwarded-For: 1.2.3.4\r\n"), { 0 }, "X-Forwarded-For: 1.2.3.4\r\n", NULL });
    forwards("X-Forwarded-For is set", (struct asking){ "    x_forwarded_for: true\n",
                                                        GET("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n"),
                                                        { .client = 0xc0000201 },
                                                        "X-Forwarded-For: 192.0.2.1\r\n",
                                                        "5.6" });
    forwards("Via is added",
             (struct asking){ "    via: 1.1 edge\n", GET("Via: 1.0 x\r\n"), { 0 }, "Via: 1.1 edge\r\n", NULL });
    forwards("Via is stripped",
             (struct asking){ "    filter: {via: strip}\n", GET("Via: 1.0 x\r\n"), { 0 }, NULL, "Via" });
    forwards("Via is replaced", (struct asking){ "    filter: {via: replace, via_value: me}\n",
                                                 GET("Via: 1.0 x\r\nVia: y\r\n"),
                                                 { 0 },
                                                 "Via: me\r\n",
                                                 "1.0" });
    forwards("Proxy-*",
             (struct asking){
                 "", GET("Proxy-Authorization: a\r\nproxy-connection: b\r\nProxy-X: c\r\n"), { 0 }, NULL, "roxy-" });
    forwards("Expect",
             (struct asking){ "",
                              "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
                              { 0 },
                              "Content-Length: 1\r\n",
                              "Expect" });
    forwards(
        "what Connection names",
        (struct asking){ "", GET("Connection: X-Hop\r\nX-Hop: 1\r\nX-Stay: 2\r\n"), { 0 }, "X-Stay: 2\r\n", "X-Hop" });
}

static void test_upgrades(void)
{
    static const char ws[] = GET("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    static const char h2c[] = GET("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n");
    forwards("no upgrade", (struct asking){ "", ws, { 0 }, "Sec-WebSocket-Version: 13", "pgrade" });
    forwards("WebSocket", (struct asking){ "    websocket: true\n", ws, { 0 }, "Upgrade: websocket\r\n", NULL });
    forwards("nothing but WebSocket", (struct asking){ "    websocket: true\n", h2c, { 0 }, NULL, "pgrade" });
}

static void test_cookies(void)
{
    static const char *const own[] = { "WPLB1", "cadata", NULL };
    struct forward f = { .cookies = own };
    forwards("ours among others",
             (struct asking){ "", GET("Cookie: a=1; WPLB1=x; b=2\r\n"), f, "Cookie: a=1; b=2\r\n", "WPLB" });
    forwards("ours alone", (struct asking){ "", GET("Cookie: cadata=x\r\n"), f, NULL, "Cookie" });
    forwards("a name that begins like ours",
             (struct asking){ "", GET("Cookie: WPLB12=x; WPLB1=y\r\n"), f, "Cookie: WPLB12=x\r\n", "=y" });
    forwards("in a second field",
             (struct asking){ "", GET("Cookie: a=1\r\nCookie: cadata=x; c=3\r\n"), f, "Cookie: c=3\r\n", "cadata" });
    forwards("untouched",
             (struct asking){ "", GET("Cookie:  odd ;; a = WPLB2\r\n"), f, "Cookie: odd ;; a = WPLB2\r\n", NULL });
}

/* ---- answers -------------------------------------------------------------------------------- */

struct answering {
    const char *rule, *answer;
    struct answer_to to;
    enum cause cause;
    const char *has, *hasnt;
    const char *listener;
};

static void answers(const char *what, struct answering q)
{
    struct snapshot *s = make(q.rule, q.listener ? q.listener : "");
    struct head *h = calloc(1, sizeof *h);
    struct strbuf out = { 0 };
    struct decision d = { .rule = 0 };
    const char *why = "";
    int status = s ? http1_answer(h, "GET", q.answer, strlen(q.answer), &why) : -1;
    check(status == 0, what, why);
    if (status == 0) {
        enum cause cause = answer_head(s, &d, &q.to, h);
        check(cause == q.cause, what, cause_text(cause));
        http1_write_answer(&out, h, NULL);
        check(!q.has || strstr(out.p, q.has), what, out.p);
        check(!q.hasnt || !strstr(out.p, q.hasnt), what, out.p);
    }
    head_free(h);
    free(h);
    buf_free(&out);
    snapshot_free(s);
}

#define OK(fields) "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" fields "\r\n"

static void location(const char *rule, const char *from, const char *to, bool tls)
{
    struct strbuf answer = { 0 }, want = { 0 };
    buf_printf(&answer, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\nContent-Location: %s\r\n\r\n", from,
               from);
    buf_printf(&want, "\r\nLocation: %s\r\nContent-Location: %s\r\n", to, to);
    answers(from, (struct answering){
                      rule, answer.p, { .host = "Mail.X:8443", .tls = tls }, CAUSE_NONE, want.p, NULL, NULL });
    buf_free(&answer);
    buf_free(&want);
}

static void test_locations(void)
{
    const char *plain = "    server: 10.0.0.9\n    ssl_port: 4443\n";
    const char *mapped =
        "    paths: [{external: /out/*, internal: /in/*}, {external: /deep/*, internal: /in/er/*}, {external: /a.htm, internal: /b.htm}]\n";
    location(plain, "http://in.corp/x?y#z", "https://Mail.X:8443/x?y#z", true);
    location(plain, "https://IN.CORP:4443", "http://Mail.X:8443", false);
    location(plain, "http://in.corp:8080/x", "https://Mail.X:8443/x", true);
    location(plain, "http://10.0.0.9/x", "https://Mail.X:8443/x", true);
    location(plain, "http://in.corp:81/x", "http://in.corp:81/x", true);
    location(plain, "http://in.corp.example/x", "http://in.corp.example/x", true);
    location(plain, "http://u@in.corp/x", "http://u@in.corp/x", true);
    location(plain, "//in.corp/x", "//in.corp/x", true);
    location(plain, "/x", "/x", true);
    location(mapped, "http://in.corp/in/x", "https://Mail.X:8443/out/x", true);
    location(mapped, "http://in.corp/IN?q", "https://Mail.X:8443/out?q", true);
    location(mapped, "http://in.corp/in/er/x", "https://Mail.X:8443/deep/x", true);
    location(mapped, "http://in.corp/inner", "https://Mail.X:8443/inner", true);
    location(mapped, "http://in.corp/b.htm?q", "https://Mail.X:8443/a.htm?q", true);
    answers("no Host, no Location", (struct answering){ plain,
                                                        OK("Location: http://in.corp/\r\n"),
                                                        { 0 },
                                                        CAUSE_NONE,
                                                        "Location: http://in.corp/\r\n",
                                                        NULL,
                                                        NULL });
    answers("an accelerator", (struct answering){ plain,
                                                  OK("Location: http://in.corp/a\r\n"),
                                                  { .host = "m.x:80" },
                                                  CAUSE_NONE,
                                                  "Location: https://m.x:8443/a\r\n",
                                                  NULL,
                                                  "    ssl_accelerator_port: 8443\n" });
    answers("one on 443", (struct answering){ plain,
                                              OK("Location: http://in.corp/a\r\n"),
                                              { .host = "m.x:80" },
                                              CAUSE_NONE,
                                              "Location: https://m.x/a\r\n",
                                              NULL,
                                              "    ssl_accelerator_port: 443\n" });
}

static void test_refused_answers(void)
{
    static const char asks[] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: NTLM\r\n\r\n";
    const char *texts = "    filter: {answer_headers: [X-Leak], answer_texts: [{header: X-Say, text: secret}]}\n";
    answers("401 is blocked", (struct answering){ "", asks, { 0 }, CAUSE_BLOCKED_SIGN_IN, NULL, NULL, NULL });
    answers("401 passes",
            (struct answering){
                "    delegation: pass\n", asks, { 0 }, CAUSE_NONE, "WWW-Authenticate: NTLM\r\n", NULL, NULL });
    answers("a header",
            (struct answering){ texts, OK("x-leak: 1\r\n"), { 0 }, CAUSE_FILTERED_ANSWER, NULL, NULL, NULL });
    answers("a text",
            (struct answering){ texts, OK("X-Say: a SECRET b\r\n"), { 0 }, CAUSE_FILTERED_ANSWER, NULL, NULL, NULL });
    answers("neither",
            (struct answering){
                texts, OK("X-Say: nothing\r\nX-Other: secret\r\n"), { 0 }, CAUSE_NONE, "X-Other: secret", NULL, NULL });
    answers("101 unasked", (struct answering){ "",
                                               "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
                                               { 0 },
                                               CAUSE_GARBAGE,
                                               NULL,
                                               NULL,
                                               NULL });
}

static void test_answer_fields(void)
{
    answers("Server passes",
            (struct answering){ "", OK("Server: IIS\r\n"), { 0 }, CAUSE_NONE, "Server: IIS\r\n", NULL, NULL });
    answers("Server stripped",
            (struct answering){
                "    filter: {server: strip}\n", OK("Server: IIS\r\n"), { 0 }, CAUSE_NONE, NULL, "Server", NULL });
    answers("Server replaced", (struct answering){ "    filter: {server: replace, server_value: x}\n",
                                                   OK("Server: IIS\r\n"),
                                                   { 0 },
                                                   CAUSE_NONE,
                                                   "Server: x\r\n",
                                                   "IIS",
                                                   NULL });
    answers("Via replaced",
            (struct answering){
                "    filter: {via: replace, via_value: v}\n", OK(""), { 0 }, CAUSE_NONE, "Via: v\r\n", NULL, NULL });
    answers("cookies stay, ours comes",
            (struct answering){ "",
                                OK("Set-Cookie: a=1; Domain=in.corp; Path=/in\r\n"),
                                { .set_cookie = "WPLB=2" },
                                CAUSE_NONE,
                                "Set-Cookie: a=1; Domain=in.corp; Path=/in\r\nSet-Cookie: WPLB=2\r\n",
                                NULL,
                                NULL });
    answers("Proxy-Authenticate",
            (struct answering){ "", OK("Proxy-Authenticate: Basic\r\n"), { 0 }, CAUSE_NONE, NULL, "Proxy-", NULL });
}

/* ---- pages --------------------------------------------------------------------------------------- */

static void write_text(const char *folder, const char *name, const char *text)
{
    struct strbuf path = { 0 }, err = { 0 };
    buf_printf(&path, "%s/%s", folder, name);
    check(file_write_new(path.p, text, strlen(text), &err) == 0, name, err.p);
    buf_free(&path);
    buf_free(&err);
}

static void remove_text(const char *folder, const char *name)
{
    struct strbuf path = { 0 };
    buf_printf(&path, "%s/%s", folder, name);
    unlink(path.p);
    buf_free(&path);
}

static void test_own_pages(void)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    char folder[] = "/tmp/test_heads.XXXXXX";
    check(mkdtemp(folder), "a folder", folder);
    write_text(folder, "12211.html", "over TLS, please");
    write_text(folder, "403.html", "<b>no</b>");
    const struct pages *p = pages_new(folder, a, &err);
    check(p && strcmp(p->of[CAUSE_NEEDS_SSL].html, "over TLS, please") == 0, "by the source's code", err.p);
    check(p && strcmp(p->of[CAUSE_NO_RULE].html, "<b>no</b>") == 0, "by the status", err.p);
    check(p && strstr(p->of[CAUSE_CONNECT].html, "refused the connection"), "built in where there is none", err.p);
    remove_text(folder, "12211.html");
    remove_text(folder, "403.html");
    rmdir(folder);
    check(!pages_new(folder, a, &err) && err.n, "a folder that is gone", err.p);
    buf_free(&err);
    arena_free(a);
}

static void test_built_in(void)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 };
    struct head *h = calloc(1, sizeof *h);
    const struct pages *p = pages_new(NULL, a, &err);
    const char *html;
    size_t n;
    for (unsigned c = CAUSE_NONE + 1; p && c < CAUSES; c++) {
        head_reset(h);
        page_head(p, c, h, &html, &n);
        check(h->status >= 400 && n == strlen(html) && n < 1500, "a page", cause_text(c));
        check(strncmp(html, "<!doctype html>", 15) == 0 && strstr(html, "lang=\"en\"") && strstr(html, "<main>") &&
                  strstr(html, cause_text(c)),
              "says what is the matter", html);
        check(str_equal(head_value(h, FIELD_CONTENT_TYPE), "text/html; charset=utf-8"), "its type", html);
    }
    static const struct {
        enum answer answer;
        int status;
    } v[] = { { ANSWER_NO_RULE, 403 },
              { ANSWER_NEEDS_SSL, 403 },
              { ANSWER_FILTERED, 502 },
              { ANSWER_NEEDS_USER, 403 },
              { ANSWER_UNKNOWN, 403 } };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        check(p && p->of[cause_of(&(struct decision){ .answer = v[i].answer })].status == v[i].status,
              "a decision's status", answer_names[v[i].answer]);
    check(cause_of(&(struct decision){ .answer = ANSWER_FORWARD }) == CAUSE_NONE, "what goes on has no page", NULL);
    struct http_filter only = { .method_list = LIST_ONLY }, except = { .method_list = LIST_EXCEPT };
    vec_add(a, &only.methods, "options");
    vec_add(a, &only.methods, "GET");
    except.methods = only.methods;
    const struct http_filter *const filters[] = { NULL, &only, &except };
    static const char *const allowed[] = { "GET, HEAD, POST, OPTIONS", "GET, OPTIONS", "HEAD, POST" };
    for (size_t i = 0; i < 3; i++) {
        head_reset(h);
        options_head(filters[i], h);
        check(h->status == 200 && h->n == 1 && str_equal(h->fields[0].value, allowed[i]), "what OPTIONS is told",
              allowed[i]);
    }
    head_reset(h);
    redirect_head("https://x/y", h, &html, &n);
    check(h->status == 302 && n == 0 && str_equal(head_value(h, FIELD_LOCATION), "https://x/y"), "a redirect", NULL);
    head_free(h);
    free(h);
    buf_free(&err);
    arena_free(a);
}

int main(void)
{
    test_hosts();
    test_marks();
    test_credentials();
    test_fields();
    test_upgrades();
    test_cookies();
    test_locations();
    test_refused_answers();
    test_answer_fields();
    test_own_pages();
    test_built_in();
    return summary("heads");
}
