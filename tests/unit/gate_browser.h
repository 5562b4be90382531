/* gate_browser: a browser before the gate - its cookies, the form's token, and what it sends. */
#ifndef TESTS_UNIT_GATE_BROWSER_H
#define TESTS_UNIT_GATE_BROWSER_H
#include "gate_client.h"

static char cookies[16384], token[1024]; /* a browser's */

/* Takes the cookies that were set, and the form's token. */
static void remember(void)
{
    struct strbuf b = { 0 };
    for (size_t i = 0; i < r.headers_n; i++) {
        if (strcmp(r.headers[i].name, "Set-Cookie") != 0)
            continue;
        const char *value = r.headers[i].value;
        char name[64], *at;
        snprintf(name, sizeof name, "%.*s=", (int)strcspn(value, "="), value);
        while ((at = strstr(cookies, name))) { /* the older one of that name goes */
            char *end = strchr(at, ';');
            memmove(at, end ? end + 2 : at + strlen(at), strlen(end ? end + 2 : at + strlen(at)) + 1);
        }
        if (!strstr(value, "Max-Age=0")) {
            buf_clear(&b);
            buf_printf(&b, "%.*s; ", (int)strcspn(value, ";"), value);
            strncat(cookies, b.p, sizeof cookies - strlen(cookies) - 1);
        }
    }
    const char *form = r.body ? strstr(r.body, "name=\"token\" value=\"") : NULL;
    if (form)
        snprintf(token, sizeof token, "%.*s", (int)strcspn(form + 20, "\""), form + 20);
    buf_free(&b);
}

static const char *browser(const char *more)
{
    static char fields[20000];
    snprintf(fields, sizeof fields, BROWSER "%s%s%s%s", *cookies ? "Cookie: " : "", cookies, *cookies ? "a=b\r\n" : "",
             more);
    return fields;
}

static void browse(const char *first)
{
    asked(first, browser(""));
    remember();
}

#define POSTED "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n"
#define FROM_HERE POSTED "Origin: https://mail.example\r\nSec-Fetch-Site: same-origin\r\n"

static void post(const char *place, const char *fields, const char *body)
{
    char first[200];
    snprintf(first, sizeof first, "POST %s", place);
    ask(first, browser(fields));
    if (r.kind == GATE_BODY)
        gate_body(&g, &q, body, strlen(body), arena, &r);
    if (r.kind == GATE_JOB)
        run_job();
    remember();
}

static void send_form(const char *user, const char *password, const char *url, const char *computer)
{
    char body[4096];
    snprintf(body, sizeof body, "token=%s&url=%s&user=%s&password=%s&computer=%s", token, url, user, password,
             computer);
    post(PLACE_SIGN_IN_PATH, FROM_HERE, body);
}

static void no_cookies(void)
{
    *cookies = '\0';
    new_connection();
}

#endif
