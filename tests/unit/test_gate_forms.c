/* gate: the forms as a browser goes through them - signing in and out, changing a password, two factors. */
#include "gate_browser.h"

static void test_form(void)
{
    listener(false, false, FORMS_AD);
    no_cookies();
    browse("GET /owa/?ae=Item&a=b");
    check(answers(302) &&
              strcmp(header("Location"), "https://mail.example/.publishd/sign-in?url=/owa/%3Fae%3DItem%26a%3Db") == 0,
          "to the form, with the way back");
    asked("GET /owa/", "User-Agent: Microsoft-Server-ActiveSync\r\n");
    check(answers(401) && has("WWW-Authenticate", "Basic"), "who is no browser is asked for Basic (B-85)");
    asked("GET /owa/", "User-Agent: curl/7\r\n" ALICE);
    check(passes("alice"), "and it is taken");
    new_connection();
    asked("GET /owa/", BROWSER ALICE);
    check(answers(302), "a browser's is not");
    browse("GET /.publishd/sign-in?url=/owa/%3Fae%3DItem%26a%3Db");
    check(answers(200) && r.body && strstr(r.body, "value=\"/owa/?ae=Item&amp;a=b\"") && strstr(r.body, "mail.example"),
          "the form");
    check(has("Set-Cookie", "__Host-publishd-form=") && has("Set-Cookie", "; Secure") &&
              has("Set-Cookie", "; HttpOnly") && has("Set-Cookie", "SameSite=Lax"),
          "its cookie");
    check(has("Cache-Control", "no-store") && has("Content-Security-Policy", "default-src 'none'") &&
              has("Content-Security-Policy", "frame-ancestors 'none'") && has("X-Frame-Options", "DENY") &&
              has("Referrer-Policy", "same-origin"),
          "its head");
    send_form("alice", "wrong", "/owa/", "private");
    check(answers(403) && strstr(r.body, "is not right") && strstr(r.body, "value=\"alice\"") &&
              strstr(r.body, "value=\"private\" checked"),
          "a wrong password: again, with the name");
    check(!strstr(r.body, "wrong\""), "but not the password");
    send_form("alice", "secret", "%2Fowa%2F%3Fae%3DItem%26a%3Db", "private");
    check(answers(303) && strcmp(header("Location"), "https://mail.example/owa/?ae=Item&a=b") == 0,
          "the right one: back to what was asked for");
    check(has("Set-Cookie", "__Host-publishd-"), "with a session");
    browse("GET /owa/");
    check(passes("alice"), "which passes");
    browse("GET /owa/x");
    check(passes("alice") && !*header("Set-Cookie"), "again, with no new cookie");
    q.now = T0 + 21600 / 3;
    browse("GET /owa/");
    check(passes("alice") && has("Set-Cookie", "__Host-publishd-"), "renewed after a third of its time");
    q.now = T0 + 21600 + 1000;
    browse("GET /owa/");
    check(passes("alice"), "so that use prolongs it");
    q.now += 21600;
    browse("GET /owa/");
    check(answers(302) && strstr(header("Location"), "&why=ended") && has("Set-Cookie", "Max-Age=0"),
          "idle for its time: ended");
    browse("GET /.publishd/sign-in?url=/&why=ended");
    check(strstr(r.body, "Your session has ended"), "and it is said why");
    ask("POST /owa/ev.owa", browser("Referer: https://mail.example/owa/?x=1\r\n" BODY));
    check(answers(302) && strcmp(header("Location"),
                                 "https://mail.example/.publishd/sign-in?url=/owa/%3Fx%3D1&why=interrupted") == 0,
          "what was posted too late: back to its page");
    ask("POST /owa/ev.owa", browser("Referer: https://evil.example/x\r\n" BODY));
    check(strstr(header("Location"), "url=/owa/ev.owa&") != NULL, "not to another site's");
    browse("GET /.publishd/sign-in?url=/&why=interrupted");
    check(strstr(r.body, "was not delivered") != NULL, "and it is said");
    browse("GET /.publishd/sign-in?url=/&why=%3Cscript%3E");
    check(answers(200) && !strstr(r.body, "script"), "nothing else is");

    usual();
    no_cookies();
    browse("GET /.publishd/sign-in");
    send_form("bob", "secret", "/", "public");
    check(answers(303), "bob signs in");
    browse("GET /owa/");
    check(answers(403), "but may not see that");
    q.anybody = true;
    browse("GET /owa/");
    check(passes("bob"), "what is for all who signed in he may");
    q.address = AWAY;
    browse("GET /owa/");
    check(answers(302) && strstr(header("Location"), "&why=elsewhere"), "the cookie from another address: refused");
    q.address = HOME;
    new_connection();
    asked("GET /owa/", "User-Agent: Microsoft Office/16.0\r\nCookie: junk=1\r\n");
    check(answers(401), "Office without the cookie");
    usual();
    q.anybody = true;
    char office[sizeof cookies + 100];
    browse("GET /.publishd/sign-in?why=ended");
    send_form("bob", "secret", "/", "public");
    snprintf(office, sizeof office, "User-Agent: Microsoft Office/16.0\r\nCookie: %s\r\n", cookies);
    asked("GET /owa/doc", office);
    check(passes("bob"), "and with a browser's (B-89)");

    /* The password is kept where a rule sends it on, and looked at again after 300 s. */
    g.keep_password = true;
    usual();
    no_cookies();
    browse("GET /.publishd/sign-in");
    send_form("LAB%5Calice", "secret", "/", "public");
    browse("GET /");
    check(passes("alice") && r.who->password && strcmp(secret_text(r.who->password), "secret") == 0,
          "with the password");
    q.now = T0 + 301;
    ask("GET /", browser(""));
    check(r.kind == GATE_JOB && r.job->task == TASK_PASSWORD, "checked again after a while, on a kept connection too");
    run_job();
    check(passes("alice"), "still good");
    q.now = T0 + 602;
    ask("GET /", browser(""));
    struct gate_job *j = r.job;
    check(r.kind == GATE_ANSWER || r.kind == GATE_JOB, "again");
    if (r.kind == GATE_JOB) {
        j->verdict = VERDICT_DISABLED;
        gate_after(&g, &q, j, arena, &r);
        check(answers(302) && has("Set-Cookie", "Max-Age=0"), "disabled since: the session is over");
        ask("GET /", browser(""));
        check(answers(302), "and stays so");
    }
}

static void test_sign_out(void)
{
    listener(false, false, FORMS_AD);
    char stolen[sizeof cookies];
    no_cookies();
    browse("GET /.publishd/sign-in");
    send_form("alice", "secret", "/", "private");
    memcpy(stolen, cookies, sizeof stolen);
    browse("GET /.publishd/sign-in?url=/owa/");
    check(answers(302) && strcmp(header("Location"), "https://mail.example/owa/") == 0,
          "who is signed in needs no form");
    ask("GET /.publishd/sign-out", browser("Sec-Fetch-Site: cross-site\r\n"));
    check(answers(200) && strstr(r.body, "Do you want to sign out"), "a link of another site signs nobody out");
    ask("POST /.publishd/sign-out", browser("Origin: https://evil.example\r\n" EMPTY));
    check(answers(403), "nor does its form");
    browse("GET /");
    check(passes("alice"), "still there");
    ask("POST /.publishd/sign-out", browser("Origin: https://mail.example\r\n" EMPTY));
    remember();
    check(answers(200) && strstr(r.body, "You are signed out") && has("Set-Cookie", "Max-Age=0"), "signed out");
    browse("GET /");
    check(answers(302), "gone");
    memcpy(cookies, stolen, sizeof cookies);
    new_connection();
    browse("GET /");
    check(answers(302), "a copy of the cookie is worth nothing");

    no_cookies();
    q.logoff_url = "/_layouts/SignOut.aspx";
    browse("GET /_layouts/signout.aspx");
    check(answers(302) && strstr(header("Location"), PLACE_SIGN_OUT_PATH),
          "the application's log-off without a session");
    browse("GET /.publishd/sign-in");
    send_form("alice", "secret", "/", "private");
    browse("GET /");
    check(passes("alice"), "in");
    memcpy(stolen, cookies, sizeof stolen);
    browse("GET /_layouts/signout.aspx?x=1");
    check(passes("alice") && has("Set-Cookie", "Max-Age=0"),
          "the application's log-off goes on to it, and ends the session (B-93)");
    memcpy(cookies, stolen, sizeof cookies);
    browse("GET /");
    check(answers(302), "for good");

    q.logoff_url = NULL;
    no_cookies();
    browse("GET /.publishd/sign-in");
    send_form("alice", "secret", "/", "private");
    memcpy(stolen, cookies, sizeof stolen);
    browse("GET /.publishd/sign-in?why=ended");
    send_form("bob", "secret", "/", "private");
    check(strcmp(stolen, cookies) != 0, "a sign-in makes a session of its own");
    memcpy(cookies, stolen, sizeof cookies);
    new_connection();
    browse("GET /");
    check(answers(302), "and ends the one before");
}

static void test_change(void)
{
    listener(false, false, FORMS_AD);
    no_cookies();
    browse("GET /.publishd/password?url=/owa/");
    check(answers(200) && strstr(r.body, "New password, again"), "the page");
    char body[4096];
    static const struct {
        const char *fields, *says;
    } bad[] = { { "user=alice&old=secret&new=a&again=b", "not the same" },
                { "user=alice&old=secret&new=secret&again=secret", "same as the current" },
                { "user=alice&old=secret&new=&again=", "Enter your user name" },
                { "user=&old=secret&new=a&again=a", "Enter your user name" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(body, sizeof body, "token=%s&url=/owa/&%s", token, bad[i].fields);
        post(PLACE_PASSWORD_PATH, FROM_HERE, body);
        check(answers(403) && strstr(r.body, bad[i].says), bad[i].says);
    }
    snprintf(body, sizeof body, "token=%s&url=/owa/&user=alice&old=secret&new=better&again=better", token);
    static const struct {
        enum verdict verdict;
        int status;
        const char *says;
    } ends[] = { { VERDICT_WRONG, 403, "is not right" },
                 { VERDICT_UNKNOWN, 403, "is not right" },
                 { VERDICT_WEAK, 403, "too short or too simple" },
                 { VERDICT_UNAVAILABLE, 503, "does not answer" },
                 { VERDICT_OK, 303, NULL } };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        ask("POST " PLACE_PASSWORD_PATH, browser(FROM_HERE));
        gate_body(&g, &q, body, strlen(body), arena, &r);
        struct gate_job *j = r.job;
        check(r.kind == GATE_JOB && j->task == TASK_CHANGE && strcmp(secret_text(j->wanted), "better") == 0,
              "for the pool");
        j->verdict = ends[i].verdict;
        gate_after(&g, &q, j, arena, &r);
        check(answers(ends[i].status) && (!ends[i].says || strstr(r.body, ends[i].says)),
              verdict_names[ends[i].verdict]);
    }
    check(strcmp(header("Location"), "https://mail.example/.publishd/sign-in?url=/owa/&why=changed") == 0,
          "changed: sign in");
    browse("GET /.publishd/sign-in?url=/owa/&why=changed");
    check(strstr(r.body, "has been changed") != NULL, "it is said");
    ask("POST " PLACE_SIGN_IN_PATH, browser(FROM_HERE));
    snprintf(body, sizeof body, "token=%s&url=/owa/&user=alice&password=secret", token);
    gate_body(&g, &q, body, strlen(body), arena, &r);
    r.job->verdict = VERDICT_MUST_CHANGE;
    gate_after(&g, &q, r.job, arena, &r);
    check(answers(403) && strstr(r.body, "has expired. Choose") && strstr(r.body, "name=\"again\""),
          "must be changed: the page for it");
    static const struct {
        long days;
        long long expires;
        const char *says; /* NULL: nothing */
    } near[] = { { 15, T0 + 15 * 86400, "expires in 15 days" },
                 { 15, T0 + 15 * 86400 + 1, NULL },
                 { 15, T0 + 2 * 86400 - 1, "expires in 1 day." },
                 { 15, T0 + 86399, "less than a day" },
                 { 15, T0 - 5, "less than a day" },
                 { 15, 0, NULL },
                 { 999, INT64_MAX, NULL },
                 { 0, T0 + 60, NULL } };
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        for (int may = 1; may >= 0; may--) {
            g.sessions.form.expiry_notice = near[i].days;
            g.sessions.form.change_password = may;
            ask("POST " PLACE_SIGN_IN_PATH, browser(FROM_HERE));
            gate_body(&g, &q, body, strlen(body), arena, &r);
            r.job->verdict = VERDICT_OK;
            r.job->who = identity_new(&(struct identity){
                .account = "alice", .domain = "LAB", .realm = "", .password_expires = near[i].expires });
            gate_after(&g, &q, r.job, arena, &r);
            check(near[i].says ? answers(200) && strstr(r.body, near[i].says) && strstr(r.body, "href=\"/owa/\"")
                               : answers(303),
                  near[i].says ? near[i].says : "no notice");
            check(has("Set-Cookie", "publishd"), "in either way");
            check(!near[i].says || !strstr(r.body, PLACE_PASSWORD_PATH) == !may, "to change it only where one may");
        }
    }
    g.sessions.form.expiry_notice = 0;
    g.sessions.form.change_password = false;
    ask("GET /.publishd/password", browser(""));
    check(answers(404), "not offered");
    ask("POST " PLACE_SIGN_IN_PATH, browser(FROM_HERE));
    gate_body(&g, &q, body, strlen(body), arena, &r);
    r.job->verdict = VERDICT_MUST_CHANGE;
    gate_after(&g, &q, r.job, arena, &r);
    check(answers(403) && strstr(r.body, "must be changed before") && !strstr(r.body, "name=\"again\""),
          "must be changed, but not here");
}

/* A passcode is good once; the password beside it goes to servers, and nobody here checks it. What RADIUS says is said by the test. */
static void send_passcode(const char *fields, enum verdict verdict)
{
    char body[4096];
    snprintf(body, sizeof body, "token=%s&url=/owa/&user=alice&%s", token, fields);
    ask("POST " PLACE_SIGN_IN_PATH, browser(FROM_HERE));
    gate_body(&g, &q, body, strlen(body), arena, &r);
    struct gate_job *j = r.job;
    if (r.kind != GATE_JOB)
        return;
    check(strcmp(secret_text(j->password), "123456") == 0, "the passcode is what is checked");
    j->verdict = verdict;
    if (verdict == VERDICT_OK)
        j->who = identity_new(&(struct identity){
            .account = "alice", .domain = "LAB", .realm = "", .groups_known = true, .password = j->passed_on });
    gate_after(&g, &q, j, arena, &r);
    remember();
}

static void test_passcode(void)
{
    listener(false, false, FORMS_RADIUS_OTP);
    no_cookies();
    q.anybody = true;
    browse("GET /.publishd/sign-in");
    check(strstr(r.body, "name=\"passcode\"") && !strstr(r.body, "name=\"password\""), "a passcode is asked for");
    check(!strstr(r.body, PLACE_PASSWORD_PATH), "and no password changed: RADIUS does not (B-94)");
    send_passcode("password=secret", VERDICT_OK);
    check(answers(403) && strstr(r.body, "all that is asked"), "a password is none");
    send_passcode("passcode=123456", VERDICT_WRONG);
    check(answers(403) && strstr(r.body, "or passcode is not right"), "a wrong one");
    send_passcode("passcode=123456", VERDICT_OK);
    check(answers(303), "the right one");
    browse("GET /owa/");
    check(passes("alice") && !r.who->password, "in, and nothing to pass on");
    q.now = T0 + 400;
    ask("GET /owa/", browser(""));
    check(passes("alice"), "nothing is asked a second time, when it would be good no more");
    asked("GET /owa/", "User-Agent: Microsoft-Server-ActiveSync\r\n" ALICE);
    check(answers(302), "nobody is asked for Basic");

    usual();
    q.anybody = true;
    g.keep_password = true;
    no_cookies();
    browse("GET /.publishd/sign-in");
    check(strstr(r.body, "name=\"passcode\"") && strstr(r.body, "name=\"password\""),
          "with a rule that passes passwords on, one is collected");
    send_passcode("passcode=123456", VERDICT_OK);
    check(answers(403) && strstr(r.body, "all that is asked"), "both are needed");
    send_passcode("passcode=123456&password=secret", VERDICT_OK);
    check(answers(303), "both");
    q.now = T0 + 400;
    browse("GET /owa/");
    check(passes("alice") && r.who->password && strcmp(secret_text(r.who->password), "secret") == 0,
          "the password goes on, never the passcode");
}

/* Two factors: the form and a certificate, of the same user where both are Active Directory's (KB 953684). */
static void test_both(void)
{
    listener(false, false, FORMS_AD);
    g.sessions.form.client_certificate = true;
    no_cookies();
    browse("GET /owa/");
    check(answers(403) && r.page == PAGE_NEEDS_CERTIFICATE, "no certificate: no form");
    browse("GET /.publishd/sign-in");
    check(answers(403) && !r.body, "nor its page");
    shows(NULL, "");
    browse("GET /owa/");
    check(answers(403) && r.page == PAGE_WRONG_USER, "one that names nobody");
    shows("bob", "LAB.TEST");
    ask("GET /owa/", browser(""));
    check(r.kind == GATE_JOB && r.job->task == TASK_CERTIFICATE, "whose it is comes first");
    run_job();
    remember();
    check(answers(302), "a certificate: the form");
    browse("GET /.publishd/sign-in");
    send_form("alice", "secret", "/", "public");
    check(answers(403) && !has("Set-Cookie", "__Host"), "another user's");
    new_connection();
    shows("alice", "LAB.TEST");
    browse("GET /.publishd/sign-in");
    send_form("alice", "secret", "/", "public");
    check(answers(303), "the same user's");
    browse("GET /");
    check(passes("alice") && r.who->proof == PROOF_PASSWORD, "passes");
    shows("bob", "LAB.TEST");
    new_connection();
    browse("GET /");
    check(answers(403), "not with another's beside the session");
    q.has_certificate = false;
    browse("GET /");
    check(answers(403), "nor without one");
    q.needs_user = false;
    q.delegation = DELEGATE_BASIC;
    browse("GET /");
    check(passes(NULL), "where nobody is asked, a session alone says nothing");
    q.needs_user = true;
    g.forms = FORMS_LDAP;
    shows(NULL, "");
    new_connection();
    no_cookies();
    browse("GET /.publishd/sign-in");
    check(answers(200), "users of another directory: any good certificate");
    g.sessions.form.client_certificate = false;
}

static void cookie_removal(void)
{
    listener(false, false, FORMS_AD);
    ask("GET /", "Cookie: a=b; __Host-publishd-form=1; __Host-publishd-12345678=2; c=d\r\n");
    gate_cookies_remove(&g, &head);
    check(str_equal(head_value(&head, FIELD_COOKIE), "a=b; c=d"), "servers do not see our cookies");
    g.sessions.form.cookie = "cadata";
    ask("GET /", "Cookie: cadata=1; cadatax=2\r\n");
    gate_cookies_remove(&g, &head);
    check(str_equal(head_value(&head, FIELD_COOKIE), "cadatax=2"), "by any name");
}

int main(void)
{
    static void (*const tests[])(void) = { test_form,     test_sign_out, test_change,
                                           test_passcode, test_both,     cookie_removal };
    return gate_tests("gate, forms", tests, sizeof tests / sizeof *tests);
}
