/* gate: handshakes, section 6.2 line by line. */
#include "gate_client.h"

/* ---- Integrated: section 6.2, line by line -------------------------------------------------- */

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

/* Who signed in without a password: the file knows the groups all the same. */
static void test_groups_of_the_file(void)
{
    static const size_t group[] = { GROUP };
    static const struct {
        const char *account;
        bool inside;
    } members[] = { { "zo\xc3\xab", true }, { "alice", false }, { "gone", false }, { "nobody", false } };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        listener(false, true, FORMS_NONE);
        q.sets = group;
        ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
        leg(LEG_MORE, NULL);
        ask("GET /", "Authorization: NTLM " NTLM_3 "\r\n");
        struct gate_job *j = r.job;
        check(r.kind == GATE_JOB, "the last leg");
        j->leg = LEG_DONE;
        j->who = identity_new(
            &(struct identity){ .account = members[i].account, .domain = "LAB", .realm = "", .proof = PROOF_NTLM });
        j->member = USER_ASK;
        gate_after(&g, &q, j, arena, &r);
        run_job();
        check(members[i].inside ? passes(members[i].account) : answers(403), members[i].account);
    }
}

/* Guesses over NTLM count by the account that the message names, before winbindd is asked. */
/* MS-NLMP 2.2.1.1: the places of both names, or, as older clients write it, neither. A piece of them would reach
 * gss-ntlmssp completed with zeros, offsets unchecked. */
static void test_ntlm_begins(void)
{
    static const unsigned char message[40] = "NTLMSSP\0\1\0\0\0\x07\x82\x08\xa2";
    for (size_t n = 0; n <= sizeof message; n++)
        check(token_kind(message, n) == (n == 16 || n >= 32 ? TOKEN_NTLM_BEGIN : TOKEN_BAD), "a first message, cut");
}

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

/* A last message for alice whose domain has so many bytes; wide: its flags say that names are UTF-16, which they are. */
static const char *ntlm_end(size_t domain, bool wide)
{
    static const char name[] = "a\0l\0i\0c\0e";
    unsigned char m[1024] = "NTLMSSP\0\3";
    struct strbuf b = { 0 };
    m[28] = m[30] = (unsigned char)domain, m[29] = m[31] = (unsigned char)(domain >> 8), m[32] = 72;
    m[36] = m[38] = sizeof name, m[40] = (unsigned char)(72 + domain), m[41] = (unsigned char)((72 + domain) >> 8);
    m[60] = wide, m[61] = 0x82, m[62] = 0x88, m[63] = 0xa2;
    memset(m + 72, 'D', domain);
    memcpy(m + 72 + domain, name, sizeof name);
    buf_puts(&b, "Authorization: NTLM ");
    base64_encode(&b, (char *)m, 72 + domain + sizeof name);
    buf_puts(&b, "\r\n");
    const char *field = arena_strdup(arena, b.p);
    buf_free(&b);
    return field;
}

/* What the message says about its names must not keep a guess from being counted. */
static void test_ntlm_counted(void)
{
    listener(false, true, FORMS_NONE);
    for (int i = 0; i < 4; i++) {
        struct user_name alice = { "alice", "LAB", "" };
        throttle_ask(g.throttle, &alice, AWAY, T0);
        throttle_result(g.throttle, &alice, AWAY, THROTTLE_WRONG, T0);
    }
    for (int wide = 0; wide < 2; wide++) {
        ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
        leg(LEG_MORE, NULL);
        ask("GET /", ntlm_end(6, wide));
        run_job();
        check(answers(429), wide ? "a name in UTF-16" : "a name that is said not to be in UTF-16");
    }
    ask("GET /", "Authorization: NTLM " NTLM_1 "\r\n");
    leg(LEG_MORE, NULL);
    ask("GET /", ntlm_end(514, true));
    check(r.kind == GATE_JOB, "a domain longer than any is looked at");
    gate_job_run(r.job);
    check(r.job->leg == LEG_REFUSED && r.job->why.p && strcmp(r.job->why.p, "NTLM: a name of no account") == 0,
          "and nobody is asked about it");
}

int main(void)
{
    static void (*const tests[])(void) = { test_integrated, test_ntlm_begins, test_ntlm_throttled, test_ntlm_counted,
                                           test_groups_of_the_file };
    return gate_tests("gate, Integrated", tests, sizeof tests / sizeof *tests);
}
