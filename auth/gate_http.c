/* gate_http: credentials in Authorization - Basic, and the handshakes of NTLM and Negotiate (6.2). */
#include "gate_internal.h"
#include "token.h"

/* ---- Basic ---------------------------------------------------------------------------------------------- */

void gate_basic(struct gate_at *at, const char *rest, bool integrated)
{
    if (gate_kept_basic(at)) {
        gate_judge(at, at->q->connection->kept_who, NULL, USER_ASK);
        return;
    }
    struct user_name name;
    struct secret *password;
    if (!basic_parse(at->a, rest, at->g->domain, &name, &password)) {
        gate_challenge(at, true, integrated, "the credentials are not of Basic's form");
        return;
    }
    long long until;
    struct shown_credentials shown = gate_password(at->g, &name, password);
    struct identity *who = credentials_known(at->g->credentials, &shown, at->q->now, &until);
    if (who) {
        gate_keep_basic(at, who, until);
        gate_judge(at, who, NULL, USER_ASK);
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
        gate_challenge(at, true, at->g->integrated && at->g->forms == FORMS_NONE && !at->q->shared, why);
    }
}

void gate_after_basic(struct gate_at *at, const struct gate_job *j)
{
    if (j->verdict == VERDICT_OK) {
        gate_keep_basic(at, j->who, j->until);
        gate_judge(at, j->who, NULL, j->member);
    } else {
        basic_failed(at, j);
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
            gate_challenge_all(at, "an empty POST with a ticket: asked again");
        else
            leg(at, scheme, &token, true);
    } else {
        handshake_drop(c);
        gate_challenge_all(at, kind == TOKEN_BAD ? "the token is not well-formed" : "the token continues no handshake");
    }
    buf_free(&token);
}

void gate_after_leg(struct gate_at *at, struct gate_job *j)
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
        at->out->handshake = true;
        gate_add(at, "WWW-Authenticate", value);
        break;
    case LEG_DONE:
        identity_release(c->who);
        c->who = identity_hold(j->who);
        if (j->reply.n)
            gate_add(at, "WWW-Authenticate", value);
        gate_judge(at, c->who, NULL, j->member);
        break;
    case LEG_UNAVAILABLE: gate_refuse(at, 503, why); break;
    case LEG_REFUSED:
        if (j->wait) {
            gate_refuse(at, 429, why);
            gate_retry_after(at, j->wait);
        } else {
            gate_challenge_all(at, why);
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
        gate_challenge_all(at, "an empty POST on a signed-in connection: asked again");
    else
        gate_judge(at, c->who, NULL, USER_ASK);
}

void gate_credentials(struct gate_at *at)
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
        gate_basic(at, rest, at->g->integrated && !at->q->shared);
    else if (scheme == SCHEME_NONE && c->who)
        known_connection(at);
    else
        gate_challenge_all(at, scheme == SCHEME_NONE ? NULL : "credentials of a kind that is not taken");
}
