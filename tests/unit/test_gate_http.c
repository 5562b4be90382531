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

static void certificates_sign_in(void)
{
    listener(false, false, FORMS_NONE);
    ask("GET /", "");
    check(answers(403), "a rule with users on a listener that takes no credentials");
    g.client_certificate = true;
    ask("GET /", "");
    check(answers(403) && r.page == PAGE_NEEDS_CERTIFICATE, "no certificate");
    shows(NULL, "");
    ask("GET /", "");
    check(answers(403) && r.page == PAGE_WRONG_USER, "one that names nobody");
    q.naming = NAMES_BADLY;
    ask("GET /", "");
    check(answers(403) && r.page == PAGE_WRONG_USER, "one that names somebody badly");
    shows("alice", "lab.test");
    ask("GET /", "");
    check(r.kind == GATE_JOB && r.job->task == TASK_CERTIFICATE, "the account is looked up in the pool");
    run_job();
    check(passes("alice") && r.who->proof == PROOF_CERTIFICATE && !r.who->password, "and passes");
    ask("GET /", ALICE);
    check(passes("alice"), "the second time without a job");
    usual();
    shows("alice", "lab.test");
    q.now = T0 + CREDENTIALS_RIGHT_S - 1;
    ask("GET /", "");
    check(passes("alice"), "nor is there on another connection with the same certificate");
    usual();
    shows("alice", "lab.test");
    q.certificate_id[0] = 1;
    ask("GET /", "");
    check(r.kind == GATE_JOB, "another certificate of the same user is another matter");
    usual();
    shows("alice", "lab.test");
    g.listener = "Internal";
    ask("GET /", "");
    check(r.kind == GATE_JOB, "so is the same one on another listener");
    g.listener = "External";
    usual();
    shows("alice", "lab.test");
    ask("GET /", "");
    check(passes("alice"), "this one is known all the while");
    q.now = T0 + CREDENTIALS_RIGHT_S;
    ask("GET /", "");
    check(r.kind == GATE_JOB, "until its time is over, which the second connection did not make longer");
    run_job();
    usual();
    shows("alice", "lab.test");
    q.now = T0 + CREDENTIALS_RIGHT_S;
    credentials_clear(g.credentials);
    ask("GET /", "");
    check(r.kind == GATE_JOB, "or something is read again");
    usual();
    shows("bob", "LAB.TEST");
    asked("GET /", "");
    check(answers(403) && r.page == PAGE_WRONG_USER, "who is in none of the rule's sets");
    usual();
    shows("gone", "LAB.TEST");
    asked("GET /", "");
    check(answers(403), "a disabled account");
    usual();
    shows("alice", "mail.example");
    asked("GET /", "");
    check(answers(403), "somebody of a realm that nobody knows");
    usual();
    shows("nobody", "LAB.TEST");
    asked("GET /", "");
    check(answers(403), "an account that is not there");
    ask("GET /", "");
    check(answers(403), "which the connection remembers");
    usual();
    shows("alice", "LAB.TEST");
    q.tls = false;
    ask("GET /", "");
    check(answers(403) && r.page == PAGE_NEEDS_SSL, "over HTTP there are none");
}

static void certificates_and_others(void)
{
    listener(true, false, FORMS_NONE);
    g.client_certificate = true;
    ask("GET /", "");
    check(answers(401), "no certificate, but the listener takes Basic");
    asked("GET /", ALICE);
    check(passes("alice") && r.who->proof == PROOF_PASSWORD, "which signs in");
    shows(NULL, "");
    asked("GET /", ALICE);
    check(passes("alice"), "beside one that names nobody, too");
    q.naming = NAMES_BADLY;
    asked("GET /", ALICE);
    check(answers(403), "not beside one that names somebody badly");
    shows("bob", "LAB.TEST");
    asked("GET /", ALICE);
    check(answers(403), "a certificate comes first");
    usual();
    q.needs_user = false;
    shows("alice", "LAB.TEST");
    ask("GET /", "");
    check(passes(NULL), "nobody is asked, nobody signs in");
    listener(false, false, FORMS_NONE);
    q.needs_user = false;
    q.claim = CERTIFICATE_REQUIRED;
    ask("GET /", "");
    check(answers(403) && r.page == PAGE_NEEDS_CERTIFICATE, "required by the rule");
    shows(NULL, "");
    ask("GET /", "");
    check(passes(NULL), "and there");
}

static void test_certificates(void)
{
    certificates_sign_in();
    certificates_and_others();
}

int main(void)
{
    static void (*const tests[])(void) = { test_basic, test_volunteers, test_certificates };
    return gate_tests("gate, Basic and certificates", tests, sizeof tests / sizeof *tests);
}
