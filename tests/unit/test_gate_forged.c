/* gate: forms that no page of ours sent, and odd things in those that one did. */
#include "gate_browser.h"

static void test_forged_forms(void)
{
    listener(false, false, FORMS_AD);
    no_cookies();
    browse("GET /.publishd/sign-in");
    char good[sizeof token], cookie[sizeof cookies], body[4096];
    memcpy(good, token, sizeof good);
    memcpy(cookie, cookies, sizeof cookie);
    static const char *const foreign[] = { POSTED "Origin: https://evil.example\r\n",
                                           POSTED "Origin: http://mail.example\r\n",
                                           POSTED "Origin: null\r\n",
                                           POSTED "Origin: https://mail.example.evil\r\n",
                                           POSTED "Origin: https://mail.example:444\r\n",
                                           POSTED "Sec-Fetch-Site: cross-site\r\n",
                                           POSTED "Sec-Fetch-Site: same-site\r\n",
                                           POSTED "Sec-Fetch-Site: none\r\n" };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        snprintf(body, sizeof body, "token=%s&user=alice&password=secret", good);
        post(PLACE_SIGN_IN_PATH, foreign[i], body);
        check(answers(403) && !has("Set-Cookie", "__Host-publishd-"
                                                 "0"),
              foreign[i]);
        check(strstr(r.body, "Nothing was done") != NULL, "it is said");
        memcpy(cookies, cookie, sizeof cookies);
    }
    *cookies = '\0';
    snprintf(body, sizeof body, "token=%s&user=alice&password=secret", good);
    post(PLACE_SIGN_IN_PATH, FROM_HERE, body);
    check(answers(403) && strstr(r.body, "Allow cookies"), "a token without its cookie");
    post(PLACE_SIGN_IN_PATH, FROM_HERE, body);
    check(answers(403), "with another browser's");
    memcpy(cookies, cookie, sizeof cookies);
    int taken = 0;
    for (size_t i = 0; i < strlen(good); i++) {
        snprintf(body, sizeof body, "token=%s&user=alice&password=secret", good);
        body[6 + i] = body[6 + i] == 'A' ? 'B' : 'A';
        post(PLACE_SIGN_IN_PATH, FROM_HERE, body);
        taken += !answers(403);
    }
    check(taken == 0, "a token with any character changed");
    post(PLACE_SIGN_IN_PATH, FROM_HERE, "user=alice&password=secret");
    check(answers(403), "no token");
    snprintf(token, sizeof token, "%s", good);
    q.now = T0 + GATE_FORM_AGE + 1;
    send_form("alice", "secret", "/", "public");
    check(answers(403) && strstr(r.body, "open too long"), "a form that was open too long");
    send_form("alice", "secret", "/", "public");
    check(answers(303), "the new one works");
    browse("GET /owa/");
    check(passes("alice"), "as any other");
    q.now = T0;
    snprintf(token, sizeof token, "%s", good);
    memcpy(cookies, cookie, sizeof cookies);
    q.host = q.authority = "other.example";
    send_form("alice", "secret", "/", "public");
    check(answers(403), "a token of another host");
    usual();
    memcpy(cookies, cookie, sizeof cookies);
    static const char *const ways[] = { "//evil.example",        "https://evil.example/",
                                        "/%5Cevil.example",      "%2F%2Fevil.example",
                                        "/.publishd/sign-out",   "javascript:alert(1)",
                                        "/%0D%0ASet-Cookie:a=b", "" };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        new_connection();
        memcpy(cookies, cookie, sizeof cookies);
        snprintf(token, sizeof token, "%s", good);
        send_form("alice", "secret", ways[i], "public");
        check(answers(303) && strcmp(header("Location"), "https://mail.example/") == 0, ways[i]);
    }
    memcpy(cookies, cookie, sizeof cookies);
    snprintf(token, sizeof token, "%s", good);
    send_form("%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "x", "/", "public");
    check(answers(403) && !strstr(r.body, "<script"), "a name of markup");
    send_form("al%0D%0Aice", "secret", "/", "public");
    check(answers(403) && strstr(r.body, "Enter your user name"), "a name with a line's end");
    send_form("al%FFice", "secret", "/", "public");
    check(answers(403), "a name that is no UTF-8");
    send_form("", "secret", "/", "public");
    check(answers(403) && strstr(r.body, "Enter your user name"), "no name");
    send_form("alice", "", "/", "public");
    check(answers(403) && strstr(r.body, "Enter your user name"), "no password");
    ask("POST /.publishd/sign-in", browser("Content-Type: text/plain\r\nContent-Length: 5\r\n"));
    check(answers(415), "no form");
    ask("POST /.publishd/sign-in",
        browser("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999\r\n"));
    check(answers(413), "too long");
    ask("DELETE /.publishd/sign-in", browser(""));
    check(answers(405), "another method");
    ask("GET /.publishd/nothing", browser(""));
    check(answers(404), "another place");
    q.tls = false;
    ask("GET /.publishd/sign-in", browser(""));
    check(answers(403), "no form over HTTP (B-56)");
    ask("POST /.publishd/sign-in", browser(FROM_HERE));
    check(answers(403), "and none is taken");
    g.over_http = true;
    ask("POST /.publishd/sign-in", browser(FROM_HERE));
    check(answers(403), "whatever the listener says");
    ask("GET /owa/", browser(""));
    check(answers(403), "nor is anybody led there");
    usual();
    q.known_host = false;
    ask("GET /.publishd/sign-in", browser(""));
    check(answers(403), "nor for a name that nobody publishes");
    usual();
    ask("GET /CookieAuth.dll?GetLogon?curl=Z2FowaZ2F&reason=0&formdir=3", browser(""));
    check(answers(302) && strcmp(header("Location"), "https://mail.example/.publishd/sign-in?url=/owa/") == 0,
          "old bookmarks (B-84)");
    ask("GET /CookieAuth.dll?GetLogon?curl=Z2FZ2Fevil.example", browser(""));
    check(strcmp(header("Location"), "https://mail.example/.publishd/sign-in?url=/") == 0, "lead nowhere else");
    limits(4, 100); /* and nothing is known from before */
    for (int i = 0; i < 4; i++) {
        char guess[24];
        snprintf(guess, sizeof guess, "guess%d", i);
        send_form("alice", guess, "/", "public");
        check(answers(403), "guesses");
    }
    send_form("alice", "secret", "/", "public");
    check(answers(429) && strstr(r.body, "Try again in 30 minutes") && *header("Retry-After"), "too many");
    send_form("bob", "secret", "/", "public");
    check(answers(303), "of one account");
}

int main(void)
{
    static void (*const tests[])(void) = { test_forged_forms };
    return gate_tests("gate, forged forms", tests, sizeof tests / sizeof *tests);
}
