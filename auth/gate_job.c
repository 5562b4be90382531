/* gate_job: what blocks - passwords, handshakes, directories - on a thread of the pool. */
#include "gate_internal.h"
#include "token.h"

#include <openssl/crypto.h>

/* ---- whom an NTLM message speaks of ------------------------------------------------------------- */

static uint32_t little(const unsigned char *p, int bytes)
{
    uint32_t v = 0;
    while (bytes-- > 0)
        v = v << 8 | p[bytes];
    return v;
}

/* One unit of UTF-16 as UTF-8; a surrogate as if it were a character. */
static void put_unit(struct strbuf *out, uint32_t c)
{
    if (c >= 0x800)
        buf_printf(out, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
    else if (c >= 0x80)
        buf_printf(out, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    else
        buf_putc(out, (char)c);
}

/* The text that the field at place points to (MS-NLMP 2.2.1.3), as it is counted. NULs are left out: a message may say that its
 * UTF-16 is none. NULL: it points outside, or is longer than a name. */
static const char *ntlm_text(struct arena *a, const unsigned char *m, size_t n, size_t place, bool wide)
{
    size_t length = little(m + place, 2), offset = little(m + place + 4, 4), step = wide ? 2 : 1;
    struct strbuf b = { 0 };
    if (length > 512 || offset > n || n - offset < length)
        return NULL;
    for (size_t i = 0; i < length / step; i++) {
        uint32_t c = little(m + offset + i * step, (int)step);
        if (c)
            put_unit(&b, c);
    }
    const char *text = arena_strndup(a, b.p ? b.p : "", b.n);
    buf_free(&b);
    return text;
}

enum named { NAMES_NONE, NAMES_ONE, NAMES_UNREADABLE };

/* Before winbindd is asked, so that guesses over NTLM count like those over forms. */
static enum named ntlm_name(struct arena *a, const struct strbuf *token, struct user_name *name)
{
    enum { DOMAIN = 28, USER = 36, FLAGS = 60, LEAST = 64, UNICODE = 1 };
    size_t n;
    const unsigned char *m = token_ntlm(token->p ? token->p : "", token->n, &n);
    if (!m || n < LEAST || little(m + 8, 4) != 3)
        return NAMES_NONE;
    bool wide = little(m + FLAGS, 4) & UNICODE;
    name->account = ntlm_text(a, m, n, USER, wide);
    name->domain = ntlm_text(a, m, n, DOMAIN, wide);
    name->realm = "";
    return !name->account || !name->domain ? NAMES_UNREADABLE : *name->account ? NAMES_ONE : NAMES_NONE;
}

/* ---- the tasks ------------------------------------------------------------------------------------- */

static enum verdict ask_auth(const struct credentials_question *q, struct challenge *asked, struct identity **who,
                             struct strbuf *why)
{
    const struct shown_credentials *s = &q->shown;
    if (s->password)
        return password_check_further(q->context, s->validator, s->name, s->password, NULL, asked, who, why);
    return certificate_account(q->context, s->name, who, why);
}

static void check(struct gate_job *j)
{
    const struct gate *g = j->gate;
    const struct credentials_question q = { .shown = j->password ? gate_password(g, &j->name, j->password)
                                                                 : gate_certificate(g, &j->name, j->certificate_id),
                                            .address = j->address,
                                            .now = j->now,
                                            .patience = auth_patience(g->auth),
                                            .further = j->task == TASK_SIGN_IN,
                                            .check = ask_auth,
                                            .context = g->auth };
    struct credentials_answer answer;
    credentials_ask(g->credentials, &q, &answer, &j->why);
    j->verdict = answer.verdict;
    j->who = answer.who;
    j->challenge = answer.asked;
    j->until = answer.until;
    j->wait = answer.wait;
}

/* A passcode, or the answer to what a server asked for besides. Good once: nothing is remembered of it. The password beside it is
 * not checked here, as it was not at the source: the server that it is passed on to does that. An answer that does not let
 * somebody in is a failure, also where the server asks again. */
static void check_once(struct gate_job *j)
{
    const struct gate *g = j->gate;
    bool further = j->task == TASK_FURTHER;
    struct challenge asked = { 0 };
    struct identity *who = NULL;
    j->wait = throttle_ask(g->throttle, &j->name, j->address, j->now);
    if (j->wait) {
        j->verdict = VERDICT_LOCKED;
        return;
    }
    j->verdict = password_check_further(g->auth, gate_validator(g), &j->name, j->password,
                                        further ? &j->challenge : NULL, &asked, &who, &j->why);
    bool neither = j->verdict == VERDICT_UNAVAILABLE || (j->verdict == VERDICT_CHALLENGED && !further);
    throttle_result(g->throttle, &j->name, j->address,
                    j->verdict == VERDICT_OK ? THROTTLE_RIGHT
                    : neither                ? THROTTLE_UNKNOWN
                                             : THROTTLE_WRONG,
                    j->now);
    j->challenge = asked;
    if (who) {
        struct identity facts = *who;
        facts.password = j->passed_on;
        j->who = identity_new(&facts);
        identity_release(who);
    }
}

/* The old password is a guess like any other. */
static void change(struct gate_job *j)
{
    const struct gate *g = j->gate;
    j->wait = throttle_ask(g->throttle, &j->name, j->address, j->now);
    if (j->wait) {
        j->verdict = VERDICT_LOCKED;
        return;
    }
    j->verdict = password_change(g->auth, gate_validator(g), &j->name, j->password, j->wanted, &j->why);
    bool right = j->verdict == VERDICT_OK || j->verdict == VERDICT_WEAK;
    throttle_result(g->throttle, &j->name, j->address,
                    right                               ? THROTTLE_RIGHT
                    : j->verdict == VERDICT_UNAVAILABLE ? THROTTLE_UNKNOWN
                                                        : THROTTLE_WRONG,
                    j->now);
    if (j->verdict == VERDICT_OK)
        credentials_forget(g->credentials, &j->name);
}

static void leg(struct gate_job *j)
{
    struct user_name name;
    enum named named = ntlm_name(j->arena, &j->token, &name);
    bool counted = named == NAMES_ONE;
    if (named == NAMES_UNREADABLE) { /* a guess that could not be counted */
        j->leg = LEG_REFUSED;
        buf_puts(&j->why, "NTLM: a name of no account");
        return;
    }
    j->wait = counted ? throttle_ask(j->gate->throttle, &name, j->address, j->now) : 0;
    if (j->wait) {
        j->leg = LEG_REFUSED;
        buf_puts(&j->why, "too many failed sign-ins");
        return;
    }
    j->leg = handshake_step(j->handshake, j->token.p ? j->token.p : "", j->token.n, &j->reply, &j->who, &j->why);
    if (counted)
        throttle_result(j->gate->throttle, &name, j->address,
                        j->leg == LEG_DONE      ? THROTTLE_RIGHT
                        : j->leg == LEG_REFUSED ? THROTTLE_WRONG
                                                : THROTTLE_UNKNOWN,
                        j->now);
}

static void judge(struct gate_job *j)
{
    const struct gate *g = j->gate;
    j->member = USER_OUTSIDE;
    for (size_t i = 0; i < j->sets_n && j->member != USER_INSIDE; i++) {
        enum membership m = users_holds(g->users, j->sets[i], j->who);
        if (m == USER_ASK)
            m = users_ask(g->users, g->auth, j->sets[i], j->who, &j->why);
        j->member = m > j->member ? m : j->member;
    }
}

bool gate_job_asks_kdc(const struct gate_job *j)
{
    if (j->task == TASK_LEG) /* the client's ticket is judged here, but our own may have to be had first */
        return auth_ticket_due(j->gate->auth) && token_kind(j->token.p ? j->token.p : "", j->token.n) == TOKEN_KERBEROS;
    if (j->task == TASK_CERTIFICATE)
        return certificate_asks_kdc(j->gate->auth);
    return j->task != TASK_USERS && password_asks_kdc(j->gate->auth, gate_validator(j->gate));
}

void gate_job_run(struct gate_job *j)
{
    switch (j->task) {
    case TASK_PASSWORD:
    case TASK_CERTIFICATE: check(j); break;
    case TASK_SIGN_IN: gate_passcodes(j->gate) ? check_once(j) : check(j); break;
    case TASK_FURTHER: check_once(j); break;
    case TASK_CHANGE: change(j); break;
    case TASK_LEG: leg(j); break;
    case TASK_USERS: break;
    }
    secrets_wipe_stack();
    if (j->judge && j->who)
        judge(j);
}

void gate_job_free(struct gate_job *j)
{
    if (!j)
        return;
    secret_release(j->password);
    secret_release(j->wanted);
    secret_release(j->passed_on);
    session_end(&j->session);
    handshake_free(j->handshake);
    identity_release(j->who);
    buf_wipe(&j->token);
    buf_free(&j->reply);
    buf_free(&j->why);
    arena_free(j->arena);
}
