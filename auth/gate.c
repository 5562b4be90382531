/* gate: credentials of each kind, and what is answered to who has none. */
#include "gate_internal.h"
#include "token.h"

#include <openssl/crypto.h>

/* ---- results ------------------------------------------------------------------------------ */

void gate_refuse(struct gate_at *at, int status, const char *why)
{
    at->out->kind = GATE_ANSWER;
    at->out->status = status;
    at->out->why = why;
}

void gate_forbid(struct gate_at *at, enum gate_page page, const char *why)
{
    gate_refuse(at, 403, why);
    at->out->page = page;
}

void gate_add(struct gate_at *at, const char *name, const char *value)
{
    struct gate_result *out = at->out;
    if (out->headers_n < GATE_HEADERS)
        out->headers[out->headers_n++] = (struct gate_header){ name, value };
}

/* With scheme and host in front, no browser can read the path as another host's. */
void gate_redirect(struct gate_at *at, int status, const char *path)
{
    gate_refuse(at, status, NULL);
    gate_add(at, "Location", arena_printf(at->a, "https://%s%s", at->q->authority, path));
    gate_add(at, "Cache-Control", "no-store");
}

void gate_cookie(struct gate_at *at, struct session *s)
{
    struct strbuf b = { 0 };
    if (s)
        session_set_cookie(&at->g->sessions, at->q->host, s, at->q->now, &b);
    else
        session_clear_cookie(&at->g->sessions, at->q->host, &b);
    gate_add(at, "Set-Cookie", arena_strdup(at->a, b.p));
    buf_free(&b);
}

void gate_retry_after(struct gate_at *at, long seconds)
{
    gate_add(at, "Retry-After", arena_printf(at->a, "%ld", seconds));
}

static bool plain_request(const struct gate_request *q)
{
    return strcmp(q->head->method, "GET") == 0 || strcmp(q->head->method, "HEAD") == 0;
}

/* The target with its bytes beyond ASCII encoded, as a browser would ask for it; "/" if nobody may be sent there. */
static const char *way_back(struct gate_at *at, const char *target)
{
    struct strbuf b = { 0 };
    for (const char *p = target_path(target); *p; p++) {
        if ((unsigned char)*p >= 0x7f)
            buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*p);
        else
            buf_putc(&b, *p);
    }
    const char *path = b.p && return_allowed(b.p) ? arena_strdup(at->a, b.p) : "/";
    buf_free(&b);
    return path;
}

/* What was sent with another method cannot be asked for again by going there: back to the page that sent it. */
static const char *page_before(struct gate_at *at)
{
    const char *referer = head_value(at->q->head, FIELD_REFERER);
    const char *origin = arena_printf(at->a, "https://%s/", at->q->authority);
    size_t n = strlen(origin);
    bool ours = referer && ascii_ncasecmp(referer, origin, n) == 0;
    return ours ? referer + n - 1 : at->q->head->target;
}

const char *gate_form_path(struct gate_at *at, const char *why)
{
    bool plain = plain_request(at->q);
    struct strbuf b = { 0 };
    buf_puts(&b, PLACE_SIGN_IN_PATH "?url=");
    parameter_encode(&b, way_back(at, plain ? at->q->head->target : page_before(at)));
    if (!plain)
        why = "interrupted";
    if (why)
        buf_printf(&b, "&why=%s", why);
    const char *path = arena_strdup(at->a, b.p);
    buf_free(&b);
    return path;
}

static void challenge(struct gate_at *at, bool basic, bool integrated, const char *why)
{
    struct challenges list;
    const char *realm = at->g->domain ? at->g->domain : at->q->host;
    challenges_make(at->a, &(struct challenge_rules){ integrated ? &at->g->offer : NULL, basic, realm }, &list);
    gate_refuse(at, 401, why);
    for (size_t i = 0; i < list.n; i++)
        gate_add(at, "WWW-Authenticate", list.v[i]);
}

/* With everything that the listener takes. */
static void challenge_all(struct gate_at *at, const char *why)
{
    challenge(at, at->g->basic, at->g->integrated && !at->q->shared, why);
}

enum validator gate_validator(const struct gate *g)
{
    switch (g->forms) {
    case FORMS_AD: return VALIDATE_AD;
    case FORMS_LDAP: return VALIDATE_LDAP;
    case FORMS_RADIUS:
    case FORMS_RADIUS_OTP: return VALIDATE_RADIUS;
    case FORMS_SECURID: return VALIDATE_SECURID;
    default: return g->validator;
    }
}

/* ---- who may pass ----------------------------------------------------------------------------- */

struct gate_job *gate_job_new(struct gate_at *at, enum gate_task task)
{
    struct arena *a = arena_new();
    struct gate_job *j = arena_alloc(a, sizeof *j);
    *j = (struct gate_job){ .task = task,
                            .gate = at->g,
                            .arena = a,
                            .address = at->q->address,
                            .now = at->q->now,
                            .member = USER_ASK,
                            .judge = at->q->has_rule && !at->q->anybody,
                            .sets_n = at->q->sets_n };
    j->sets = arena_alloc(a, (j->sets_n + 1) * sizeof *j->sets);
    if (j->sets_n)
        memcpy(j->sets, at->q->sets, j->sets_n * sizeof *j->sets);
    at->out->kind = GATE_JOB;
    at->out->job = j;
    return j;
}

static enum membership member(const struct gate_at *at, const struct identity *who)
{
    enum membership best = USER_OUTSIDE;
    for (size_t i = 0; i < at->q->sets_n && best != USER_INSIDE; i++) {
        enum membership m = users_holds(at->g->users, at->q->sets[i], who);
        if (m != USER_OUTSIDE)
            best = m;
    }
    return best;
}

/* The published application's log-off ends the session too; the request itself goes on to it (B-93). */
static bool log_off(struct gate_at *at, const struct session *s)
{
    const struct gate_request *q = at->q;
    if (!q->logoff_url || !asks_log_off(q->logoff_url, target_path(q->head->target)))
        return false;
    logged_off_add(at->g->logged_off, s->id, session_last(&at->g->sessions, s, q->now), q->now);
    gate_cookie(at, NULL);
    return true;
}

/* The certificate and the form must speak of one account; a certificate that names none is a second factor alone (B-98). */
bool gate_certificate_agrees(const struct gate_at *at, const struct identity *who)
{
    const struct identity *certificate = at->q->certificate;
    return !at->g->sessions.form.client_certificate || !certificate || identity_same(certificate, who);
}

/* who signed in, in a session or without one (NULL). verdict: of the users' sets if it is known, else USER_ASK. Keeps its
 * own reference. */
static void judge(struct gate_at *at, struct identity *who, struct session *s, enum membership verdict)
{
    struct gate_result *out = at->out;
    if (!gate_certificate_agrees(at, who)) {
        gate_forbid(at, PAGE_WRONG_USER, "the client certificate is another user's");
        return;
    }
    if (!at->q->anybody && verdict == USER_ASK)
        verdict = member(at, who);
    if (!at->q->anybody && verdict == USER_ASK) {
        struct gate_job *j = gate_job_new(at, TASK_USERS);
        j->who = identity_hold(who);
        j->from_session = s;
        if (s) {
            j->session = *s;
            j->session.password = secret_hold(s->password);
        }
        return;
    }
    if (!at->q->anybody && verdict == USER_OUTSIDE) {
        gate_forbid(at, PAGE_WRONG_USER, "the user is in none of the rule's sets");
        return;
    }
    out->kind = GATE_PASS;
    out->who = identity_hold(who);
    out->verified = true;
    if (s && !log_off(at, s) && session_due(&at->g->sessions, s, at->q->now))
        gate_cookie(at, s);
}

/* ---- what a connection keeps ----------------------------------------------------------------------- */

static void kept_drop(struct gate_connection *c)
{
    if (c->kept == KEPT_SESSION)
        session_end(&c->session);
    identity_release(c->kept_who);
    c->kept_who = NULL;
    if (c->text.p)
        OPENSSL_cleanse(c->text.p, c->text.n);
    buf_clear(&c->text);
    c->kept = KEPT_NOTHING;
}

void gate_connection_end(struct gate_connection *c)
{
    kept_drop(c);
    identity_release(c->who);
    handshake_free(c->handshake);
    secure_clear(&c->text);
    *c = (struct gate_connection){ 0 };
}

/* Compares piece by piece with what is kept; *at moves on. */
static bool piece(const struct gate_connection *c, size_t *at, const char *s, size_t n)
{
    bool same = c->text.n - *at > n && CRYPTO_memcmp(c->text.p + *at, s, n) == 0 && c->text.p[*at + n] == '\n';
    *at += n + 1;
    return same;
}

static bool kept_session(const struct gate_at *at)
{
    const struct gate_connection *c = at->q->connection;
    const struct head *h = at->q->head;
    size_t place = 0;
    if (c->kept != KEPT_SESSION || !piece(c, &place, at->q->host, strlen(at->q->host)))
        return false;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->fields[i].id == FIELD_COOKIE && h->fields[i].name_n &&
            !(place < c->text.n && piece(c, &place, h->fields[i].value, h->fields[i].value_n)))
            return false;
    return place == c->text.n;
}

static void keep_session(struct gate_at *at, const struct session *s, struct identity *who)
{
    struct gate_connection *c = at->q->connection;
    const struct head *h = at->q->head;
    kept_drop(c);
    c->kept = KEPT_SESSION;
    c->session = *s;
    c->session.password = secret_hold(s->password);
    c->kept_who = identity_hold(who);
    c->kept_until = at->q->now + CREDENTIALS_RIGHT_S;
    buf_puts(&c->text, at->q->host);
    buf_putc(&c->text, '\n');
    for (uint32_t i = 0; i < h->n; i++) {
        if (h->fields[i].id != FIELD_COOKIE || !h->fields[i].name_n)
            continue;
        buf_add(&c->text, h->fields[i].value, h->fields[i].value_n);
        buf_putc(&c->text, '\n');
    }
}

static void keep_basic(struct gate_at *at, struct identity *who)
{
    struct gate_connection *c = at->q->connection;
    kept_drop(c);
    c->kept = KEPT_BASIC;
    c->kept_who = identity_hold(who);
    c->kept_until = at->q->now + CREDENTIALS_RIGHT_S;
    buf_puts(&c->text, head_value(at->q->head, FIELD_AUTHORIZATION));
}

/* ---- Basic ---------------------------------------------------------------------------------------------- */

/* integrated: it is offered beside, where the credentials are not good. */
static void basic(struct gate_at *at, const char *rest, bool integrated)
{
    struct gate_connection *c = at->q->connection;
    const char *value = head_value(at->q->head, FIELD_AUTHORIZATION);
    if (c->kept == KEPT_BASIC && at->q->now < c->kept_until && c->text.n == strlen(value) &&
        CRYPTO_memcmp(c->text.p, value, c->text.n) == 0) {
        judge(at, c->kept_who, NULL, USER_ASK);
        return;
    }
    struct user_name name;
    struct secret *password;
    if (!basic_parse(at->a, rest, at->g->domain, &name, &password)) {
        challenge(at, true, integrated, "the credentials are not of Basic's form");
        return;
    }
    struct identity *who = credentials_known(at->g->credentials, gate_validator(at->g), &name, password, at->q->now);
    if (who) {
        keep_basic(at, who);
        judge(at, who, NULL, USER_ASK);
        identity_release(who);
    } else {
        struct gate_job *j = gate_job_new(at, TASK_PASSWORD);
        j->name = (struct user_name){ arena_strdup(j->arena, name.account), arena_strdup(j->arena, name.domain),
                                      arena_strdup(j->arena, name.realm) };
        j->password = secret_hold(password);
    }
    secret_release(password);
}

/* Not OK: for clients that are no browsers. */
static void basic_failed(struct gate_at *at, const struct gate_job *j)
{
    const char *why =
        arena_printf(at->a, "%s%s%s", verdict_names[j->verdict], j->why.n ? ": " : "", j->why.p ? j->why.p : "");
    if (j->wait) {
        gate_refuse(at, 429, why);
        gate_retry_after(at, j->wait);
    } else if (j->verdict == VERDICT_UNAVAILABLE) {
        gate_refuse(at, 503, why);
    } else {
        challenge(at, true, at->g->integrated && at->g->forms == FORMS_NONE && !at->q->shared, why);
    }
}

/* ---- Integrated -------------------------------------------------------------------------------------------- */

/* A POST that has nothing in it: a real one, or a client's that saves its body for after the challenge (6.2). */
static bool empty_post(const struct head *h)
{
    bool method = strcmp(h->method, "POST") == 0 || strcmp(h->method, "PUT") == 0 || strcmp(h->method, "PATCH") == 0;
    return method && (h->framing == BODY_NONE || (h->framing == BODY_LENGTH && h->length == 0));
}

static bool offered(const struct gate *g, enum scheme s)
{
    for (size_t i = 0; i < g->offer.n; i++)
        if (ascii_casecmp(g->offer.v[i], s == SCHEME_NTLM ? "ntlm" : "negotiate") == 0)
            return true;
    return false;
}

static void handshake_drop(struct gate_connection *c)
{
    handshake_free(c->handshake);
    c->handshake = NULL;
}

static void leg(struct gate_at *at, enum scheme scheme, struct strbuf *token, bool anew)
{
    struct gate_connection *c = at->q->connection;
    if (anew) {
        handshake_drop(c);
        identity_release(c->who);
        c->who = NULL;
        c->handshake =
            handshake_new(at->g->auth, scheme == SCHEME_NTLM ? HANDSHAKE_NTLM : HANDSHAKE_NEGOTIATE, at->q->host);
        c->scheme = scheme;
    }
    struct gate_job *j = gate_job_new(at, TASK_LEG);
    j->handshake = c->handshake;
    j->scheme = scheme;
    j->token = *token;
    c->handshake = NULL;
    *token = (struct strbuf){ 0 };
}

static void integrated(struct gate_at *at, enum scheme scheme, const char *rest)
{
    struct gate_connection *c = at->q->connection;
    struct strbuf token = { 0 };
    enum token_kind kind = TOKEN_BAD;
    if (strlen(rest) <= TOKEN_BYTES / 3 * 4 + 4 && base64_decode(&token, rest, strlen(rest)))
        kind = token_kind(token.p ? token.p : "", token.n);
    bool goes_on = (kind == TOKEN_NTLM_END || kind == TOKEN_CONTINUES) && c->handshake && c->scheme == scheme;
    if (token_begins(kind) || goes_on) {
        c->asked_again = false;
        leg(at, scheme, &token, !goes_on);
    } else if (kind == TOKEN_KERBEROS) {
        /* One leg says all, and the body may still be kept back: asked once more, unless that was done (6.2). */
        bool again = empty_post(at->q->head) && !at->g->bodyless_forward && !c->asked_again;
        c->asked_again = again;
        if (again)
            challenge_all(at, "an empty POST with a ticket: asked again");
        else
            leg(at, scheme, &token, true);
    } else {
        handshake_drop(c);
        challenge_all(at, kind == TOKEN_BAD ? "the token is not well-formed" : "the token continues no handshake");
    }
    buf_free(&token);
}

static void after_leg(struct gate_at *at, struct gate_job *j)
{
    struct gate_connection *c = at->q->connection;
    const char *scheme = j->scheme == SCHEME_NTLM ? "NTLM" : "Negotiate", *value = scheme;
    const char *why = j->why.n ? arena_strdup(at->a, j->why.p) : NULL;
    if (j->reply.n) {
        struct strbuf b = { 0 };
        base64_encode(&b, j->reply.p, j->reply.n);
        value = arena_printf(at->a, "%s %s", scheme, b.p);
        buf_free(&b);
    }
    switch (j->leg) {
    case LEG_MORE:
        c->handshake = j->handshake;
        j->handshake = NULL;
        gate_refuse(at, 401, why);
        gate_add(at, "WWW-Authenticate", value);
        break;
    case LEG_DONE:
        identity_release(c->who);
        c->who = identity_hold(j->who);
        if (j->reply.n)
            gate_add(at, "WWW-Authenticate", value);
        judge(at, c->who, NULL, j->member);
        break;
    case LEG_UNAVAILABLE: gate_refuse(at, 503, why); break;
    case LEG_REFUSED:
        if (j->wait) {
            gate_refuse(at, 429, why);
            gate_retry_after(at, j->wait);
        } else {
            challenge_all(at, why);
        }
        break;
    }
}

/* The connection has an identity and the request says nothing. */
static void known_connection(struct gate_at *at)
{
    struct gate_connection *c = at->q->connection;
    bool again = empty_post(at->q->head) && !at->g->bodyless_forward && !c->asked_again;
    c->asked_again = again;
    if (again)
        challenge_all(at, "an empty POST on a signed-in connection: asked again");
    else
        judge(at, c->who, NULL, USER_ASK);
}

static void http_credentials(struct gate_at *at)
{
    const char *rest;
    struct gate_connection *c = at->q->connection;
    enum scheme scheme = scheme_of(head_value(at->q->head, FIELD_AUTHORIZATION), &rest);
    if ((scheme == SCHEME_NEGOTIATE || scheme == SCHEME_NTLM) && at->g->integrated && !at->q->shared &&
        offered(at->g, scheme)) {
        integrated(at, scheme, rest);
        return;
    }
    /* Whoever stops in the middle of a handshake begins again. */
    handshake_drop(c);
    if (scheme == SCHEME_BASIC && at->g->basic)
        basic(at, rest, at->g->integrated && !at->q->shared);
    else if (scheme == SCHEME_NONE && c->who)
        known_connection(at);
    else
        challenge_all(at, scheme == SCHEME_NONE ? NULL : "credentials of a kind that is not taken");
}

/* ---- forms -------------------------------------------------------------------------------------------------- */

enum session_state gate_session(struct gate_at *at, struct session *s)
{
    return session_find(&at->g->sessions, at->g->logged_off, at->q->head, at->q->host, at->q->address, at->q->now, s);
}

static void in_session(struct gate_at *at, struct session *s, struct identity *who)
{
    keep_session(at, s, who);
    judge(at, who, s, USER_ASK);
}

/* A session is good; its password may have been changed or its account disabled since. */
static void session_checked(struct gate_at *at, struct session *s)
{
    const struct gate *g = at->g;
    struct user_name name = { s->account, s->domain, s->realm };
    struct identity *who;
    if (!s->password) {
        who = session_identity(s);
    } else if (!(who = credentials_known(g->credentials, gate_validator(g), &name, s->password, at->q->now))) {
        struct gate_job *j = gate_job_new(at, TASK_PASSWORD);
        j->from_session = true;
        j->session = *s;
        j->session.password = secret_hold(s->password);
        j->name = (struct user_name){ j->session.account, j->session.domain, j->session.realm };
        j->password = secret_hold(s->password);
        return;
    }
    in_session(at, s, who);
    identity_release(who);
}

static void no_session(struct gate_at *at, enum session_state state)
{
    static const char *const reasons[] = { [SESSION_EXPIRED] = "ended",
                                           [SESSION_LOGGED_OFF] = "ended",
                                           [SESSION_ELSEWHERE] = "elsewhere",
                                           [SESSION_AMBIGUOUS] = "ended" };
    const struct gate_request *q = at->q;
    const char *rest;
    bool otp = at->g->forms == FORMS_RADIUS_OTP || at->g->forms == FORMS_SECURID;
    enum agent_answer answer =
        otp ? AGENT_FORM : agent_of(at->g->agents, at->g->agents_n, head_value(q->head, FIELD_USER_AGENT));
    if (answer == AGENT_BASIC && scheme_of(head_value(q->head, FIELD_AUTHORIZATION), &rest) == SCHEME_BASIC) {
        basic(at, rest, false);
        return;
    }
    if (answer == AGENT_BASIC) {
        challenge(at, true, false, NULL);
        return;
    }
    if (q->logoff_url && asks_log_off(q->logoff_url, target_path(q->head->target)))
        gate_redirect(at, 302, PLACE_SIGN_OUT_PATH);
    else
        gate_redirect(at, 302, gate_form_path(at, state < sizeof reasons / sizeof *reasons ? reasons[state] : NULL));
    at->out->why = arena_printf(at->a, "session: %s", session_state_names[state]);
    if (state != SESSION_NONE)
        gate_cookie(at, NULL);
}

static void forms(struct gate_at *at)
{
    struct gate_connection *c = at->q->connection;
    struct session s;
    if (at->g->sessions.form.client_certificate && !at->q->has_certificate) {
        gate_forbid(at, PAGE_NEEDS_CERTIFICATE, "a client certificate is required");
        return;
    }
    if (kept_session(at) && at->q->now < c->kept_until &&
        session_judge(&at->g->sessions, at->g->logged_off, &c->session, at->q->address, at->q->now) == SESSION_GOOD) {
        judge(at, c->kept_who, &c->session, USER_ASK);
        return;
    }
    enum session_state state = gate_session(at, &s);
    if (state == SESSION_GOOD) {
        session_checked(at, &s);
        session_end(&s);
    } else {
        no_session(at, state);
    }
}

static void after_password(struct gate_at *at, struct gate_job *j)
{
    if (j->verdict == VERDICT_OK && j->from_session) {
        keep_session(at, &j->session, j->who);
        judge(at, j->who, &j->session, j->member);
    } else if (j->verdict == VERDICT_OK) {
        keep_basic(at, j->who);
        judge(at, j->who, NULL, j->member);
    } else if (!j->from_session) {
        basic_failed(at, j);
    } else if (j->verdict == VERDICT_UNAVAILABLE || j->wait) {
        gate_refuse(at, 503, "the session's password cannot be checked now");
    } else {
        logged_off_add(at->g->logged_off, j->session.id, session_last(&at->g->sessions, &j->session, at->q->now),
                       at->q->now);
        gate_redirect(at, 302, gate_form_path(at, "ended"));
        at->out->why = "the session's password is not good any more";
        gate_cookie(at, NULL);
    }
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* Nobody must sign in, but the rule sends on what the client brings (B-27): a password, which the server will judge. A
 * ticket of constrained delegation for a name that nobody verified would make everybody anybody. */
static void volunteered(struct gate_at *at)
{
    const struct gate_request *q = at->q;
    struct session s;
    struct user_name name;
    struct secret *password;
    const char *rest;
    bool passwords =
        q->delegation == DELEGATE_BASIC || q->delegation == DELEGATE_NTLM || q->delegation == DELEGATE_NEGOTIATE;
    at->out->kind = GATE_PASS;
    if (at->g->forms != FORMS_NONE && q->tls && gate_session(at, &s) == SESSION_GOOD) {
        at->out->who = session_identity(&s);
        at->out->verified = true;
        if (!log_off(at, &s) && session_due(&at->g->sessions, &s, q->now))
            gate_cookie(at, &s);
        session_end(&s);
    } else if (passwords && scheme_of(head_value(q->head, FIELD_AUTHORIZATION), &rest) == SCHEME_BASIC &&
               basic_parse(at->a, rest, at->g->domain, &name, &password)) {
        at->out->who = identity_new(&(struct identity){ .account = name.account,
                                                        .domain = name.domain,
                                                        .realm = name.realm,
                                                        .proof = PROOF_PASSWORD,
                                                        .password = password });
        secret_release(password);
    }
}

static bool certificate_decides(struct gate_at *at)
{
    const struct gate_request *q = at->q;
    bool listener = at->g->client_certificate && q->needs_user && at->g->forms == FORMS_NONE;
    if ((q->claim == CERTIFICATE_REQUIRED || listener) && !q->has_certificate) {
        gate_forbid(at, PAGE_NEEDS_CERTIFICATE, "a client certificate is required");
        return true;
    }
    if (!listener)
        return false;
    if (q->certificate)
        judge(at, q->certificate, NULL, USER_ASK);
    else
        gate_forbid(at, PAGE_WRONG_USER, "the client certificate names no account");
    return true;
}

static unsigned authorizations(const struct head *h)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < h->n; i++)
        n += h->fields[i].id == FIELD_AUTHORIZATION && h->fields[i].name_n;
    return n;
}

void gate_ask(const struct gate *g, const struct gate_request *q, struct arena *a, struct gate_result *out)
{
    struct gate_at at = { g, q, a, out };
    *out = (struct gate_result){ 0 };
    if (authorizations(q->head) > 1)
        gate_refuse(&at, 400, "two Authorization fields");
    else if (g->forms != FORMS_NONE && gate_at_place(&at))
        return;
    else if (!q->has_rule)
        gate_forbid(&at, PAGE_NO_RULE, "no rule");
    else if (certificate_decides(&at))
        return;
    else if (!q->needs_user)
        volunteered(&at);
    else if (!q->tls && (g->forms != FORMS_NONE || !g->over_http))
        gate_forbid(&at, PAGE_NEEDS_SSL, "credentials are not taken over HTTP");
    else if (g->forms != FORMS_NONE)
        forms(&at);
    else if (g->basic || g->integrated)
        http_credentials(&at);
    else
        gate_refuse(&at, 403, "the listener takes no credentials, and the rule needs a user");
}

void gate_after(const struct gate *g, const struct gate_request *q, struct gate_job *j, struct arena *a,
                struct gate_result *out)
{
    struct gate_at at = { g, q, a, out };
    *out = (struct gate_result){ 0 };
    if (j->task == TASK_LEG)
        after_leg(&at, j);
    else if (j->task == TASK_PASSWORD)
        after_password(&at, j);
    else if (j->task == TASK_USERS)
        judge(&at, j->who, j->from_session ? &j->session : NULL, j->member);
    else
        gate_form_after(&at, j);
    gate_job_free(j);
}

void gate_cookies_remove(const struct gate *g, struct head *head)
{
    struct strbuf own = { 0 };
    const char *prefixes[] = { "__Host-publishd-", "__Secure-publishd-", "" };
    if (g->sessions.form.cookie) {
        buf_printf(&own, "%s=", g->sessions.form.cookie);
        prefixes[2] = own.p;
    }
    cookies_remove(head, prefixes, 3);
    buf_free(&own);
}
