/* delegation: see delegation.h. */
#include "delegation.h"
#include "../auth/delegate.h"
#include "../auth/seal.h"
#include "client.h"
#include "jobs.h"
#include "members.h"
#include "signing.h"
#include "steer.h"
#include "upstream.h"
#include <stdlib.h>

static const struct rule *rule_of(const struct exchange *x)
{
    return x->client->serving->snapshot->plan->rules.v[x->decision.rule].rule;
}

static bool has_handshake(enum delegation d)
{
    return d == DELEGATE_NTLM || d == DELEGATE_NEGOTIATE || d == DELEGATE_KERBEROS;
}

/* ---- legs -------------------------------------------------------------------------------------------------------- */
static const char *challenge_of(struct exchange *x, const char *scheme)
{
    const struct head *a = &x->answer;
    size_t n = strlen(scheme);
    for (uint32_t i = a->first[FIELD_WWW_AUTHENTICATE]; i && i <= a->n; i++) {
        const struct field *f = &a->fields[i - 1];
        if (f->id == FIELD_WWW_AUTHENTICATE && f->name_n && ascii_ncasecmp(f->value, scheme, n) == 0 &&
            (f->value[n] == ' ' || f->value[n] == '\0'))
            return f->value;
    }
    return NULL;
}

/* The value's token is NTLM's, of type 1 or 3, under either scheme: base64 of "NTLMSSP", a NUL and the type. */
static bool begins_ntlm(const char *value)
{
    return strncmp(value + strcspn(value, " "), " TlRMTVNTUAABAAAA", 17) == 0;
}

static bool ends_ntlm(const char *value)
{
    return strncmp(value + strcspn(value, " "), " TlRMTVNTUAADAAAA", 17) == 0;
}

/* What the answer says of its connection (MS-N2HT 3.2.5): whether the server knows the user from now on, or wants each request
 * to say. IIS says so with authPersistNonNTLM, for NTLM with authPersistSingleRequest; Apache with GssapiConnectionBound. It counts only
 * behind a token, and for tickets only if no other proxy stands between, which may send other requests over what it has with the
 * server. It is of this connection, and nothing for the client. */
static void note_sign_in(struct exchange *x)
{
    const struct head *a = &x->answer;
    const char *said = head_value(a, FIELD_PERSISTENT_AUTH), *token = head_value(&x->request, FIELD_AUTHORIZATION);
    if (a->status == 401 || (said && token && ascii_casecmp(said, "false") == 0))
        upstream_sign_in(x->up, SIGNED_IN_NOT);
    else if (said && token && !ends_ntlm(token) && ascii_casecmp(said, "true") == 0 && !a->first[FIELD_VIA])
        upstream_sign_in(x->up, SIGNED_IN_BY_TICKET);
    head_remove(&x->answer, FIELD_PERSISTENT_AUTH);
}

/* The server asks who it is, or asks again: it forgot (B-106), or the ticket was too old for it. That is ours to answer, as
 * long as what it got of the body can be sent once more. */
static bool on_answer(struct exchange *x)
{
    bool ntlm = rule_of(x)->delegation == DELEGATE_NTLM, asks = x->answer.status == 401 && exchange_can_repeat(x);
    const char *challenge = asks ? challenge_of(x, ntlm ? "NTLM" : "Negotiate") : NULL;
    note_sign_in(x);
    x->challenge = challenge ? arena_strdup(x->arena, challenge) : NULL;
    return challenge;
}

static void release_initiator(void *waiting)
{
    initiator_free(waiting);
}

static void hold_initiator(struct exchange *x, struct initiator *i)
{
    x->waiting = i;
    x->waiting_free = release_initiator;
}

static struct initiator *take_initiator(struct exchange *x)
{
    struct initiator *i = x->waiting;
    x->waiting = NULL;
    return i;
}

/* One step of a handshake, in the pool where the KDC may have to be asked. */
struct step {
    struct job job;
    struct exchange_id id;
    struct serving *serving; /* what tickets are kept in is its */
    struct initiator *initiator;
    struct strbuf challenge; /* empty: it begins */
    enum delegated result;
    struct strbuf value, why;
};

static void step_free(struct step *s)
{
    initiator_free(s->initiator);
    buf_wipe(&s->challenge);
    buf_wipe(&s->value);
    buf_free(&s->why);
    serving_release(s->serving);
    free(s);
}

/* The first time the client's head becomes what a server gets; from then on one field changes. */
static void send_with(struct exchange *x, const char *value)
{
    if (!x->made) {
        steer_send(x, value);
        return;
    }
    head_set(&x->request, FIELD_AUTHORIZATION, "Authorization", value);
    exchange_again(x);
}

static void step_ready(struct exchange *x, struct step *s)
{
    if (s->result != DELEGATE_SEND) {
        x->detail = s->why.n ? arena_strdup(x->arena, s->why.p) : x->detail;
        exchange_page(x, s->result == DELEGATE_UNAVAILABLE ? CAUSE_NO_KDC : CAUSE_DELEGATION);
        return;
    }
    const char *value = arena_strdup(x->arena, s->value.p);
    bool last = ends_ntlm(value);
    hold_initiator(x, s->initiator);
    s->initiator = NULL;
    x->secret = true;
    x->leg = begins_ntlm(value);
    x->on_answer = last ? NULL : on_answer;
    if (last && x->up)
        upstream_sign_in(x->up, SIGNED_IN_BY_NTLM);
    send_with(x, value);
}

static void late(struct exchange *x)
{
    exchange_page(x, CAUSE_NO_KDC);
}

static void step_run(struct job *j)
{
    struct step *s = container_of(j, struct step, job);
    s->result = initiator_step(s->initiator, s->challenge.n ? s->challenge.p : NULL, &s->value, &s->why);
}

static void step_done(struct job *j)
{
    struct step *s = container_of(j, struct step, job);
    struct exchange *x = exchange_find(j->loop, s->id);
    if (x && j->late)
        late(x);
    else if (x)
        step_ready(x, s);
    step_free(s);
}

static struct step *step_new(struct exchange *x, struct initiator *i)
{
    struct step *s = calloc(1, sizeof *s);
    if (!s)
        mem_fatal();
    *s = (struct step){ .job = { .loop = x->loop, .run = step_run, .done = step_done },
                        .result = DELEGATE_REFUSED,
                        .serving = serving_ref(x->client->serving),
                        .initiator = i };
    return s;
}

static void take_step(struct exchange *x, struct step *s)
{
    if (s->initiator && !initiator_ready(s->initiator)) {
        s->id = exchange_wait(x);
        s->job.until = exchange_deadline(x, signing_patience(x->client), late);
        if (jobs_submit(x->loop->jobs, LANE_KERBEROS, &s->job))
            return;
        step_free(s);
        exchange_page(x, CAUSE_BUSY);
        return;
    }
    if (s->initiator)
        step_run(&s->job); /* what is kept needs no waiting */
    step_ready(x, s);
    step_free(s);
}

static void answer_challenge(struct exchange *x)
{
    struct step *s = step_new(x, take_initiator(x));
    buf_puts(&s->challenge, x->challenge);
    take_step(x, s);
}

/* ---- the way on ------------------------------------------------------------------------------------------------------- */

/* The service's name for the member that will be asked: a farm has one each (B-110). */
static const char *spn_of(const struct exchange *x)
{
    const struct rule *r = rule_of(x);
    const struct plan_upstream *to = &x->client->serving->snapshot->plan->rules.v[x->decision.rule].to[x->client->tls];
    const struct serving_rule *s = x->rule;
    for (size_t i = 0; i < to->servers.n && r->spns.n == to->servers.n && x->peer; i++)
        if (s->members[x->client->tls].v[i].peer == x->peer)
            return r->spns.v[i];
    return r->spns.n ? r->spns.v[0] : arena_printf(x->arena, "http/%s", r->site);
}

/* NULL: the rule's delegation cannot work for this user (6.1). */
static struct initiator *initiator_for(struct exchange *x)
{
    struct strbuf why = { 0 };
    struct auth *auth = signing_auth(x->client->serving->signing);
    struct initiator *i = initiator_new(auth, rule_of(x)->delegation, x->who, spn_of(x), &why);
    x->detail = why.n ? arena_strdup(x->arena, why.p) : NULL;
    buf_free(&why);
    return i;
}

static void begin(struct exchange *x)
{
    take_step(x, step_new(x, initiator_for(x)));
}

/* The server knows the user of the connection: nothing is said, unless it has forgotten (B-106). A ticket must be at hand for that,
 * so that the KDC's word on the user is as fresh as where each request brings one, and it goes with a body, which is better
 * sent once. false: not so here. */
static bool go_on_signed_in(struct exchange *x, enum signed_in how)
{
    struct initiator *i = how != SIGNED_IN_NOT ? initiator_for(x) : NULL;
    if (!i || (how == SIGNED_IN_BY_TICKET && !(x->body_ended && initiator_has_ticket(i)))) {
        initiator_free(i);
        return false;
    }
    hold_initiator(x, i);
    x->on_answer = on_answer;
    steer_send(x, NULL);
    return true;
}

static void with_handshake(struct exchange *x)
{
    x->on_again = answer_challenge;
    x->keeps = x->request.framing == BODY_CHUNKED || x->request.length <= BODY_KEPT;
    if (!member_choose(x)) /* before the ticket: a farm's members have a name each */
        exchange_page(x, CAUSE_NO_MEMBER);
    else if (!go_on_signed_in(x, upstream_signed_in(x)))
        begin(x);
}

static void with_basic(struct exchange *x)
{
    struct strbuf value = { 0 };
    if (!delegate_basic(x->who, rule_of(x)->strip_domain, &value)) {
        exchange_page(x, CAUSE_DELEGATION);
        return;
    }
    x->secret = true;
    const char *text = arena_strdup(x->arena, value.p);
    buf_wipe(&value);
    steer_send(x, text);
}

void delegate_to_another(struct exchange *x)
{
    if (x->who && has_handshake(rule_of(x)->delegation)) {
        initiator_free(take_initiator(x));
        begin(x);
    } else {
        exchange_again(x);
    }
}

void delegate(struct exchange *x)
{
    enum delegation how = rule_of(x)->delegation;
    if (x->who && has_handshake(how))
        with_handshake(x);
    else if (x->who && how == DELEGATE_BASIC)
        with_basic(x);
    else if (x->who && how == DELEGATE_SECURID)
        exchange_page(x, CAUSE_DELEGATION);
    else
        steer_send(x, NULL);
}

bool delegation_failed(struct exchange *x)
{
    if (x->who && has_handshake(rule_of(x)->delegation))
        note_sign_in(x);
    if (x->answer.status != 401 || !x->who || rule_of(x)->delegation < DELEGATE_BASIC)
        return false;
    if (rule_of(x)->pass_auth_body) { /* the server's own answer, but nobody is asked for a password on its behalf */
        head_remove(&x->answer, FIELD_WWW_AUTHENTICATE);
        return false;
    }
    exchange_page(x, CAUSE_DELEGATION);
    return true;
}
