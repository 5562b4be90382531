/* gate: Basic, what clients bring unasked, and certificates. */
#include "gate_client.h"

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

int main(void)
{
    static void (*const tests[])(void) = { test_basic, test_volunteers, test_certificates };
    return gate_tests("gate, Basic and certificates", tests, sizeof tests / sizeof *tests);
}
