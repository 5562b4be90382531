/* gate: what is answered to whom, request by request, with passwords checked by the local file for real. What the legs of
 * handshakes come to is said by the test: here it is about what the gate makes of it (6.2). The clock is a number. */
#include "auth/gate.h"
#include "auth/places.h"
#include "auth/token.h"
#include "http/http1.h"

#include <stdlib.h>
#include <unistd.h>

static int passed, failed;

static void check(bool ok, const char *what)
{
    if (ok)
        passed++;
    else
        failed++;
    if (!ok)
        printf("  FAILED: %s\n", what);
}

enum { T0 = 1800000000, HOME = 0x0a000001, AWAY = 0x0a000002, STAFF = 0 };

/* ---- one listener and one client -------------------------------------------------------- */

static struct gate g;
static struct gate_connection connection;
static struct gate_request q; /* what the next request is asked with */
static struct head head;
static struct arena *arena;  /* of the request */
static struct gate_result r; /* its result */
static char password_file[] = "/tmp/test-gate-XXXXXX";

#define BROWSER "User-Agent: Mozilla/5.0\r\n"
#define NTLM_1 "TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw=="
#define NTLM_3                                                                                                         \
    "TlRMTVNTUAADAAAAAAAAAEgAAAAAAAAASAAAAAYABgBIAAAACgAKAE4AAAAAAAAASAAAAAAAAABIAAAABYKIogYBsR0AAAAPTABBAEIAYQBsAGkAYwBlAA==" /* LAB, alice */

static void forget_result(void)
{
    identity_release(r.who);
    gate_job_free(r.kind == GATE_JOB ? r.job : NULL);
    r = (struct gate_result){ 0 };
}

/* The request line and fields; Host and the empty line are added. */
static void ask(const char *first, const char *fields)
{
    struct strbuf b = { 0 };
    const char *why;
    forget_result();
    arena_free(arena);
    arena = arena_new();
    buf_printf(&b, "%s HTTP/1.1\r\nHost: mail.example\r\n%s\r\n", first, fields);
    check(http1_request(&head, b.p, b.n, &why) == 0, first);
    gate_ask(&g, &q, arena, &r);
    buf_free(&b);
}

static void run_job(void)
{
    struct gate_job *j = r.job;
    check(r.kind == GATE_JOB, "a job");
    if (r.kind != GATE_JOB)
        return;
    gate_job_run(j);
    gate_after(&g, &q, j, arena, &r);
}

/* Asks, with the job if there is one. */
static void asked(const char *first, const char *fields)
{
    ask(first, fields);
    if (r.kind == GATE_JOB)
        run_job();
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < r.headers_n; i++)
        if (strcmp(r.headers[i].name, name) == 0)
            return r.headers[i].value;
    return "";
}

static bool has(const char *name, const char *part)
{
    for (size_t i = 0; i < r.headers_n; i++)
        if (strcmp(r.headers[i].name, name) == 0 && strstr(r.headers[i].value, part))
            return true;
    return false;
}

static bool answers(int status)
{
    return r.kind == GATE_ANSWER && r.status == status;
}

static bool passes(const char *account)
{
    return r.kind == GATE_PASS && (account ? r.who && r.verified && strcmp(r.who->account, account) == 0 : !r.who);
}

static void new_connection(void)
{
    gate_connection_end(&connection);
}

/* As a rule for the staff, asked for over TLS from home. */
static void usual(void)
{
    static const size_t staff[] = { STAFF };
    forget_result();
    new_connection();
    q = (struct gate_request){ .head = &head,
                               .host = "mail.example",
                               .authority = "mail.example",
                               .known_host = true,
                               .tls = true,
                               .address = HOME,
                               .now = T0,
                               .has_rule = true,
                               .needs_user = true,
                               .sets = staff,
                               .sets_n = 1,
                               .delegation = DELEGATE_NONE_BLOCK,
                               .connection = &connection };
}

static void limits(long account, long address)
{
    credentials_free(g.credentials);
    throttle_free(g.throttle);
    g.throttle = throttle_new(&(struct throttle_limits){ account, address, 1800 }, 256, 256);
    g.credentials = credentials_new(256, g.throttle);
}

static void listener(bool basic, bool integrated, enum forms_provider forms)
{
    static const char *const schemes[] = { "negotiate", "ntlm" };
    static const struct forms_settings form = {
        .bind_to_address = true, .public_timeout = 600, .private_timeout = 21600, .change_password = true
    };
    const struct key_ring *keys = g.sessions.keys;
    g.basic = basic;
    g.integrated = integrated;
    g.forms = forms;
    g.offer = (strings){ .v = (const char **)(uintptr_t)schemes, .n = 2 };
    g.over_http = g.client_certificate = g.bodyless_forward = g.keep_password = false;
    session_rules_make(&g.sessions, "External", &form, false, NULL, keys);
    limits(4, 100);
    usual();
}

/* ---- Basic ------------------------------------------------------------------------------------ */

#define ALICE "Authorization: Basic YWxpY2U6c2VjcmV0\r\n" /* alice:secret, of the staff */
#define BOB "Authorization: Basic Ym9iOnNlY3JldA==\r\n"   /* bob:secret, not of the staff */
#define WRONG "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n" /* alice:wrong */

static void test_basic(void)
{
    listener(true, false, FORMS_NONE);
    ask("GET /", "");
    check(answers(401) && has("WWW-Authenticate", "Basic realm=\"LAB\""), "a challenge");
    ask("GET /", ALICE);
    check(r.kind == GATE_JOB, "credentials are checked in the pool");
    run_job();
    check(passes("alice"), "and pass");
    ask("GET /", ALICE);
    check(passes("alice"), "the second time without a job");
    new_connection();
    ask("GET /", ALICE);
    check(passes("alice"), "on another connection too");
    q.now = T0 + 300;
    ask("GET /", ALICE);
    check(r.kind == GATE_JOB, "until 300 s are over, on this connection");
    new_connection();
    ask("GET /", ALICE);
    check(r.kind == GATE_JOB, "and on others");
    usual();
    asked("GET /", BOB);
    check(answers(403), "who is not in the set gets 403, not 401 (B-25)");
    check(!*header("WWW-Authenticate"), "and no challenge");
    q.anybody = true;
    asked("GET /", BOB);
    check(passes("bob"), "all authenticated");
    asked("GET /", WRONG);
    check(answers(401) && has("WWW-Authenticate", "Basic"), "a wrong password");
    asked("GET /", ALICE);
    check(passes("alice"), "what is kept of one password is not another's");
    static const char *const odd[] = {
        "Authorization: Basic\r\n",    "Authorization: Basic !!!\r\n",       "Authorization: Basic YQ==\r\n",
        "Authorization: Bearer x\r\n", "Authorization: NTLM " NTLM_1 "\r\n", "Authorization: Basic YWxpY2U6c2Vjcm\r\n"
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        ask("GET /", odd[i]);
        check(answers(401), odd[i]);
    }
    ask("GET /", ALICE BOB);
    check(answers(400), "two Authorization fields");
    usual();
    q.tls = false;
    asked("GET /", ALICE);
    check(answers(403), "credentials are not taken over HTTP (B-57)");
    g.over_http = true;
    asked("GET /", ALICE);
    check(passes("alice"), "unless the listener says so");
    limits(4, 100);
    usual();
    for (int i = 0; i < 4; i++) {
        struct strbuf plain = { 0 }, b = { 0 };
        buf_printf(&plain, "alice:guess%d", i);
        buf_puts(&b, "Authorization: Basic ");
        base64_encode(&b, plain.p, plain.n);
        buf_puts(&b, "\r\n");
        asked("GET /", b.p);
        check(answers(401), "guesses");
        buf_free(&plain);
        buf_free(&b);
    }
    asked("GET /", WRONG);
    check(answers(429) && strcmp(header("Retry-After"), "1800") == 0, "too many of them");
    limits(4, 100);
}

/* Nobody must sign in: what the client brings goes on, unchecked, and only where it is a password (B-27). */
static void test_volunteers(void)
{
    listener(true, true, FORMS_NONE);
    q.needs_user = false;
    ask("GET /", WRONG);
    check(passes(NULL), "not looked at");
    q.delegation = DELEGATE_BASIC;
    ask("GET /", WRONG);
    check(r.kind == GATE_PASS && r.who && !r.verified && strcmp(secret_text(r.who->password), "wrong") == 0,
          "taken along, not verified");
    q.delegation = DELEGATE_KERBEROS;
    ask("GET /", WRONG);
    check(passes(NULL), "never for a delegation that believes the name");
    ask("GET /", "");
    check(passes(NULL), "nothing");
}

/* ---- Integrated: section 6.2, line by line -------------------------------------------------- */

#define EMPTY "Content-Length: 0\r\n"
#define BODY "Content-Length: 5\r\n"

static void leg(enum leg how, const char *account)
{
    struct gate_job *j = r.job;
    check(r.kind == GATE_JOB && j->task == TASK_LEG, "a leg for the pool");
    if (r.kind != GATE_JOB)
        return;
    j->leg = how;
    if (how == LEG_MORE)
        buf_puts(&j->reply, "type 2");
    if (how == LEG_DONE) {
        static const char *const groups[] = { "staff" };
        j->who = identity_new(&(struct identity){ .account = account,
                                                  .domain = "LAB",
                                                  .realm = "",
                                                  .proof = PROOF_NTLM,
                                                  .groups = groups,
                                                  .groups_n = strcmp(account, "bob") != 0,
                                                  .groups_known = true });
    }
    gate_after(&g, &q, j, arena, &r);
}

static void sign_in_ntlm(const char *account)
{
    new_connection();
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    leg(LEG_MORE, NULL);
    ask("GET /", "Authorization: NTLM " NTLM_3 "\r\n");
    leg(LEG_DONE, account);
}

static void test_integrated(void)
{
    unsigned char token[512];
    struct strbuf kerberos = { 0 }, b = { 0 };
    listener(false, true, FORMS_NONE);
    ask("GET /", "");
    check(answers(401) && r.headers_n == 2 && strcmp(r.headers[0].value, "Negotiate") == 0 &&
              strcmp(r.headers[1].value, "NTLM") == 0,
          "one header line a scheme, in order (5.1)");
    ask("POST /ews", "Authorization: NTLM " NTLM_1 "\r\n" EMPTY);
    check(r.kind == GATE_JOB, "an initial token begins a handshake");
    leg(LEG_MORE, NULL);
    check(answers(401) && strcmp(header("WWW-Authenticate"), "NTLM dHlwZSAy") == 0 && r.headers_n == 1,
          "the challenge, of that scheme alone");
    ask("POST /ews", "Authorization: NTLM " NTLM_3 "\r\n" BODY);
    leg(LEG_DONE, "alice");
    check(passes("alice"), "the last leg goes on, with the real body");
    ask("GET /ews", "");
    check(passes("alice"), "the connection is alice's");

    ask("POST /ews", "Authorization: NTLM " NTLM_1 "\r\n" EMPTY);
    check(r.kind == GATE_JOB && !connection.who,
          "an initial token begins anew on a signed-in connection; the old identity is gone");
    leg(LEG_MORE, NULL);
    check(answers(401), "and is never forwarded");
    ask("GET /ews", "");
    check(answers(401) && strcmp(header("WWW-Authenticate"), "Negotiate") == 0, "who stops there is nobody");
    ask("POST /ews", "Authorization: NTLM " NTLM_3 "\r\n" BODY);
    check(answers(401), "a last leg of no handshake");

    new_connection();
    static const char *const methods[] = { "POST /", "PUT /", "PATCH /" };
    for (int i = 0; i < 3; i++) {
        ask(methods[i], EMPTY);
        check(answers(401), "an empty one without credentials: the usual 401");
    }
    for (int i = 0; i < 3; i++) {
        sign_in_ntlm("alice");
        check(passes("alice"), "signed in");
        ask(methods[i], EMPTY);
        check(answers(401) && has("WWW-Authenticate", "NTLM"), "an empty one on a signed-in connection is asked again");
        ask(methods[i], "Authorization: NTLM " NTLM_1 "\r\n" EMPTY);
        leg(LEG_MORE, NULL);
        ask(methods[i], "Authorization: NTLM " NTLM_3 "\r\n" EMPTY);
        leg(LEG_DONE, "alice");
        check(passes("alice"), "and goes on when it is empty at the last leg too");
        ask(methods[i], EMPTY);
        check(answers(401), "asked again");
        ask(methods[i], EMPTY);
        check(passes("alice"), "once: repeated as it was, it is meant");
        ask(methods[i], "");
        check(answers(401), "without Content-Length it is empty too, and the next one is asked again");
    }
    sign_in_ntlm("alice");
    ask("POST /", BODY);
    check(passes("alice"), "with a body there is nothing to ask");
    ask("POST /", "Transfer-Encoding: chunked\r\n");
    check(passes("alice"), "a chunked one may be empty, but is not announced so");
    ask("GET /", "");
    check(passes("alice"), "nor a GET");
    g.bodyless_forward = true;
    ask("POST /", EMPTY);
    check(passes("alice"), "bodyless_post: forward");
    g.bodyless_forward = false;

    /* A ticket: one leg. A minimal GSS-API frame of the Kerberos mechanism with an AP-REQ's token id. */
    static const unsigned char oid[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x01, 0x00 };
    token[0] = 0x60;
    token[1] = sizeof oid + 40;
    memcpy(token + 2, oid, sizeof oid);
    memset(token + 2 + sizeof oid, 0x6e, 40);
    check(token_kind(token, 2 + sizeof oid + 40) == TOKEN_KERBEROS, "a token of Kerberos");
    buf_puts(&kerberos, "Authorization: Negotiate ");
    base64_encode(&kerberos, token, 2 + sizeof oid + 40);
    buf_puts(&kerberos, "\r\n");
    new_connection();
    buf_puts(&b, kerberos.p);
    buf_puts(&b, EMPTY);
    ask("POST /", b.p);
    check(answers(401) && connection.who == NULL, "a ticket with an empty POST is asked once more");
    ask("POST /", b.p);
    leg(LEG_DONE, "alice");
    check(passes("alice"), "and then goes on");
    new_connection();
    g.bodyless_forward = true;
    ask("POST /", b.p);
    leg(LEG_DONE, "alice");
    check(passes("alice"), "at once with forward");
    g.bodyless_forward = false;
    new_connection();
    ask("GET /", kerberos.p);
    struct gate_job *j = r.job;
    check(r.kind == GATE_JOB, "a ticket");
    buf_puts(&j->reply, "AP-REP");
    leg(LEG_DONE, "alice");
    check(passes("alice") && strcmp(header("WWW-Authenticate"), "Negotiate QVAtUkVQ") == 0,
          "the server's proof goes with the answer");
    ask("GET /", kerberos.p);
    leg(LEG_DONE, "bob");
    check(answers(403), "another ticket on the same connection is another user's");

    new_connection();
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    leg(LEG_REFUSED, NULL);
    check(answers(401) && r.headers_n == 2, "refused: begin again");
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    leg(LEG_UNAVAILABLE, NULL);
    check(answers(503), "nobody to ask");
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    leg(LEG_MORE, NULL);
    ask("GET /", "Authorization: Negotiate " NTLM_3 "\r\n");
    check(answers(401), "a handshake goes on in its own scheme");
    static const char *const bad[] = { "Authorization: NTLM\r\n", "Authorization: NTLM !\r\n",
                                       "Authorization: NTLM AAAA\r\n", "Authorization: Negotiate TlRMTVNTUAA=\r\n",
                                       "Authorization: Basic YWxpY2U6c2VjcmV0\r\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ask("GET /", bad[i]);
        check(answers(401) && !connection.who, bad[i]);
    }
    static const char *const ntlm_only[] = { "ntlm" };
    g.offer = (strings){ .v = (const char **)(uintptr_t)ntlm_only, .n = 1 };
    ask("GET /", "");
    check(answers(401) && r.headers_n == 1 && strcmp(r.headers[0].value, "NTLM") == 0, "NTLM only");
    ask("GET /", kerberos.p);
    check(answers(401), "what is not offered is not taken");
    q.shared = true;
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    check(answers(401) && r.headers_n == 0, "not over HTTP/2, where a connection is nobody's own");
    buf_free(&kerberos);
    buf_free(&b);

    listener(true, true, FORMS_NONE);
    ask("GET /", "");
    check(answers(401) && r.headers_n == 3 && strncmp(r.headers[2].value, "Basic", 5) == 0,
          "Basic beside Integrated comes last");
    sign_in_ntlm("alice");
    q.anybody = true;
    asked("GET /", BOB);
    check(passes("bob"), "a request with credentials of its own is that user's");
    ask("GET /", "");
    check(passes("alice"), "the connection stays the other's");
    usual();
    sign_in_ntlm("bob");
    check(answers(403), "outside the set: 403");
}

/* Guesses over NTLM count by the account that the message names, before winbindd is asked. */
static void test_ntlm_throttled(void)
{
    listener(false, true, FORMS_NONE);
    for (int i = 0; i < 4; i++) {
        struct user_name alice = { "alice", "LAB", "" };
        check(throttle_ask(g.throttle, &alice, AWAY, T0) == 0, "guesses");
        throttle_result(g.throttle, &alice, AWAY, THROTTLE_WRONG, T0);
    }
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    leg(LEG_MORE, NULL);
    ask("GET /", "Authorization: NTLM " NTLM_3 "\r\n");
    run_job();
    check(answers(429) && *header("Retry-After"), "the account is left alone");
}

/* ---- certificates ------------------------------------------------------------------------------- */

static void test_certificates(void)
{
    static const char *const groups[] = { "staff" };
    struct identity *alice = identity_new(&(struct identity){ .account = "alice",
                                                              .domain = "LAB",
                                                              .realm = "",
                                                              .proof = PROOF_CERTIFICATE,
                                                              .groups = groups,
                                                              .groups_n = 1,
                                                              .groups_known = true });
    listener(false, false, FORMS_NONE);
    ask("GET /", "");
    check(answers(403), "a rule with users on a listener that takes no credentials");
    g.client_certificate = true;
    ask("GET /", "");
    check(answers(403), "no certificate");
    q.has_certificate = true;
    ask("GET /", "");
    check(answers(403), "one that names nobody");
    q.certificate = alice;
    ask("GET /", "");
    check(passes("alice"), "one that names a user");
    usual();
    g.client_certificate = false;
    q.needs_user = false;
    q.claim = CERTIFICATE_REQUIRED;
    ask("GET /", "");
    check(answers(403), "required by the rule");
    q.has_certificate = true;
    ask("GET /", "");
    check(passes(NULL), "and there");
    identity_release(alice);
}

/* ---- forms ------------------------------------------------------------------------------------------ */

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

/* Two factors: the form and a certificate of the same user. */
static void test_both(void)
{
    struct identity *alice = identity_new(&(struct identity){
                        .account = "ALICE", .domain = "LAB", .realm = "", .proof = PROOF_CERTIFICATE }),
                    *bob = identity_new(&(struct identity){
                        .account = "bob", .domain = "LAB", .realm = "", .proof = PROOF_CERTIFICATE });
    listener(false, false, FORMS_AD);
    g.sessions.form.client_certificate = true;
    no_cookies();
    browse("GET /owa/");
    check(answers(403), "no certificate: no form");
    q.has_certificate = true;
    browse("GET /owa/");
    check(answers(302), "a certificate: the form");
    browse("GET /.publishd/sign-in");
    q.certificate = bob;
    send_form("alice", "secret", "/", "public");
    check(answers(403) && !has("Set-Cookie", "__Host"), "another user's");
    q.certificate = alice;
    send_form("alice", "secret", "/", "public");
    check(answers(303), "the same user's");
    browse("GET /");
    check(passes("alice"), "passes");
    q.certificate = bob;
    new_connection();
    browse("GET /");
    check(answers(403), "not with another's beside the session");
    q.has_certificate = false;
    q.certificate = NULL;
    browse("GET /");
    check(answers(403), "nor without one");
    identity_release(alice);
    identity_release(bob);
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

static void write_passwords(void)
{
    struct secret *secret = secret_new("secret", 6);
    struct strbuf hash = { 0 }, text = { 0 };
    check(password_hash(secret, &hash), "a hash");
    buf_printf(&text, "alice:%s:staff\nbob:%s:guests\n", hash.p, hash.p);
    int fd = mkstemp(password_file);
    check(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n, "a file of passwords");
    close(fd);
    secret_release(secret);
    buf_free(&hash);
    buf_free(&text);
}

int main(void)
{
    struct strbuf err = { 0 };
    struct arena *a = arena_new();
    struct users_set staff = { .name = "Staff" };
    secrets_start();
    write_passwords();
    struct sign_in settings = { .ad = AD_BY_FILE, .passwords = password_file, .timeout = 5 };
    vec_add(a, &settings.domains, ((struct sign_in_domain){ "LAB", "LAB.TEST" }));
    vec_add(a, &staff.members, ((struct users_member){ .name = "LAB\\alice" }));
    struct key_ring *keys = key_ring_random();
    struct forms *pages = forms_new(NULL, &err);
    g = (struct gate){ .listener = "External",
                       .domain = "LAB",
                       .agents = agents_default,
                       .agents_n = agents_default_n,
                       .pages = pages,
                       .auth = auth_new(&settings, false, &err),
                       .logged_off = logged_off_new(64),
                       .users = users_new(&staff, 1) };
    g.sessions.keys = keys;
    check(g.auth && pages && !err.n, err.n ? err.p : "set up");
    if (g.auth && pages) {
        test_basic();
        test_volunteers();
        test_integrated();
        test_ntlm_throttled();
        test_certificates();
        test_form();
        test_sign_out();
        test_forged_forms();
        test_change();
        test_both();
        cookie_removal();
    }
    forget_result();
    new_connection();
    arena_free(arena);
    head_free(&head);
    credentials_free(g.credentials);
    throttle_free(g.throttle);
    logged_off_free(g.logged_off);
    users_free(g.users);
    auth_free(g.auth);
    forms_free(pages);
    key_ring_free(keys);
    arena_free(a);
    buf_free(&err);
    unlink(password_file);
    printf("gate: %d passed, %d failed\n", passed, failed);
    return failed != 0;
}
