/* The log of requests: both formats, hostile strings, a full disk, reopening. */
#include "check.h"
#include "proxy/access.h"
#include <stdlib.h>
#include <unistd.h>

static void same_text(const char *got, const char *expected)
{
    check(str_equal(got, expected), expected);
    if (!str_equal(got, expected))
        printf("  got: %s\n", got);
}

static const struct access_entry plain = {
    .wall = 1795312800,
    .wall_ms = 7,
    .client = 0xc0000207,
    .port = 50000,
    .connection = 12,
    .protocol = "HTTP/1.1",
    .tls = "TLSv1.3",
    .method = "GET",
    .host = "mail.example",
    .target = "/owa/?a=b",
    .agent = "Mozilla/5.0",
    .listener = "Web",
    .rule = "OWA",
    .why = "forwarded",
    .server = "10.0.0.5:443",
    .status = 200,
    .received = 0,
    .sent = 5120,
    .ms = 31,
};

static void lines(void)
{
    struct strbuf b = { 0 };
    access_line(&b, ACCESS_JSON, &plain);
    same_text(
        b.p,
        "{\"time\":\"2026-11-22T02:00:00.007Z\",\"client\":\"192.0.2.7:50000\",\"connection\":12,\"listener\":\"Web\","
        "\"rule\":\"OWA\",\"why\":\"forwarded\",\"protocol\":\"HTTP/1.1\",\"tls\":\"TLSv1.3\",\"method\":\"GET\","
        "\"host\":\"mail.example\",\"target\":\"/owa/?a=b\",\"server\":\"10.0.0.5:443\",\"status\":200,\"received\":0,"
        "\"sent\":5120,\"ms\":31,\"agent\":\"Mozilla/5.0\"}\n");
    buf_clear(&b);
    access_line(&b, ACCESS_COMBINED, &plain);
    same_text(b.p,
              "192.0.2.7 - - [22/Nov/2026:02:00:00 +0000] \"GET /owa/?a=b HTTP/1.1\" 200 5120 \"-\" \"Mozilla/5.0\"\n");
    buf_free(&b);
}

static void hostile(void)
{
    struct access_entry e = plain;
    e.agent = e.target = e.user = e.referer = "a\" 200 1\n10.0.0.1 - \\ \x1b[2J\xff\xe2\x80\xae";
    for (int format = ACCESS_JSON; format <= ACCESS_COMBINED; format++) {
        struct strbuf b = { 0 };
        access_line(&b, (enum access_format)format, &e);
        CHECK(strchr(b.p, '\n') == b.p + b.n - 1);
        CHECK(!strchr(b.p, '\x1b') && !strstr(b.p, "\" 200 1\""));
        size_t quotes = 0, i;
        for (i = 0; format == ACCESS_COMBINED && i < b.n; i++)
            quotes += b.p[i] == '"';
        CHECK(format == ACCESS_JSON || quotes == 6);
        buf_free(&b);
    }
}

static unsigned long written(const char *file, size_t n)
{
    struct strbuf err = { 0 }, lines = { 0 };
    struct access_log *l = access_open(file, ACCESS_COMBINED, &err);
    CHECK(l != NULL);
    for (size_t i = 0; l && i < n; i++) {
        access_line(&lines, ACCESS_COMBINED, &plain);
        if (i % 7 == 0)
            access_hand_over(l, &lines);
    }
    access_hand_over(l, &lines);
    for (int i = 0; i < 100 && !strcmp(file, "/dev/full") && access_lost(l) < n; i++)
        usleep(10000);
    unsigned long lost = access_lost(l);
    access_close(l);
    buf_free(&lines);
    buf_free(&err);
    return lost;
}

static void files(void)
{
    char name[] = "/tmp/access-XXXXXX", moved[64];
    close(mkstemp(name));
    CHECK(written(name, 1000) == 0);
    struct strbuf text = { 0 }, err = { 0 }, lines = { 0 };
    CHECK(file_read(name, 1 << 20, &text, &err) == 0);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    CHECK(n == 1000);
    CHECK(written("/dev/full", 100) == 100);
    CHECK(!access_open("/nonexistent/access.log", ACCESS_JSON, &err) && strstr(err.p, "No such file"));

    /* moved away and reopened: what comes later is in a new file */
    struct access_log *l = access_open(name, ACCESS_JSON, &err);
    snprintf(moved, sizeof moved, "%s.1", name);
    CHECK(rename(name, moved) == 0);
    access_reopen(l);
    for (int i = 0; i < 200 && access(name, F_OK) != 0; i++)
        usleep(10000);
    access_line(&lines, ACCESS_JSON, &plain);
    access_hand_over(l, &lines);
    access_close(l);
    buf_clear(&text);
    CHECK(file_read(name, 1 << 20, &text, &err) == 0 && text.n > 0 && text.p[0] == '{');
    unlink(name);
    unlink(moved);
    buf_free(&text);
    buf_free(&err);
    buf_free(&lines);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    lines();
    hostile();
    files();
    return summary("access");
}
