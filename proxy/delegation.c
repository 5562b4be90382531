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

/* ---- whose the client's own server connections are ------------------------------------------------------------ */
static void served_free(void *who)
{
    identity_release(who);
}

/* who: NULL for requests that say nothing of a user. Those that somebody is signed in on must not carry them either. */
static bool claim_connections(struct exchange *x, struct identity *who)
{
    struct client *c = x->client;
    struct identity *before = c->served;
    if (before == who || (before && who && identity_same(before, who)))
        return true;
    if (before && x->request.version == 20)
        return false; /* another request may be under way on them */
    if (before)
        upstream_close_bound(c);
    identity_release(before);
    c->served = identity_hold(who);
    c->served_free = served_free;
    return true;
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

/* The answer to a leg. NTLM: its challenge, and the next leg takes the body along. Kerberos: a refusal of a ticket that may
 * be too old. Local work, but for a new ticket, which a server wants once in its keys' life. */
static bool on_answer(struct exchange *x)
{
    bool ntlm = rule_of(x)->delegation == DELEGATE_NTLM;
    const char *challenge = x->answer.status == 401 ? challenge_of(x, ntlm ? "NTLM" : "Negotiate") : NULL;
    struct strbuf value = { 0 }, why = { 0 };
    note_sign_in(x);
    enum delegated d = challenge ? initiator_step(x->waiting, challenge, &value, &why) : DELEGATE_REFUSED;
    x->on_answer = d == DELEGATE_SEND && (begins_ntlm(value.p) || x->body_ended) ? on_answer : NULL;
    if (d == DELEGATE_SEND) {
        if (ends_ntlm(value.p))
            upstream_sign_in(x->up, SIGNED_IN_BY_NTLM);
        head_set(&x->request, FIELD_AUTHORIZATION, "Authorization", arena_strdup(x->arena, value.p));
        buf_wipe(&value);
    }
    buf_free(&why);
    buf_free(&value);
    return d == DELEGATE_SEND;
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

struct ticket_job {
    struct job job;
    struct exchange_id id;
    struct serving *serving; /* what tickets are kept in is its */
    struct initiator *initiator;
    enum delegated result;
    struct strbuf value, why;
};

static void ticket_ready(struct exchange *x, struct ticket_job *t)
{
    if (t->result != DELEGATE_SEND) {
        exchange_page(x, t->result == DELEGATE_UNAVAILABLE ? CAUSE_NO_KDC : CAUSE_DELEGATION);
        return;
    }
    hold_initiator(x, t->initiator);
    t->initiator = NULL;
    x->secret = true;
    const char *value = arena_strdup(x->arena, t->value.p);
    if (begins_ntlm(value) ||
        x->body_ended) /* a leg of NTLM goes without the body; a ticket with it, and cannot be sent twice then */
        x->on_answer = on_answer;
    steer_send(x, value);
}

static void job_free(struct ticket_job *t)
{
    initiator_free(t->initiator);
    buf_wipe(&t->value);
    buf_free(&t->why);
    serving_release(t->serving);
    free(t);
}

static void job_run(struct job *j)
{
    struct ticket_job *t = container_of(j, struct ticket_job, job);
    t->result = initiator_step(t->initiator, NULL, &t->value, &t->why);
}

static void job_done(struct job *j)
{
    struct ticket_job *t = container_of(j, struct ticket_job, job);
    struct exchange *x = exchange_find(j->loop, t->id);
    if (x)
        ticket_ready(x, t);
    job_free(t);
}

static void begin(struct exchange *x, const char *spn)
{
    struct ticket_job *t = calloc(1, sizeof *t);
    if (!t)
        mem_fatal();
    *t = (struct ticket_job){ .job = { .loop = x->loop, .run = job_run, .done = job_done },
                              .result = DELEGATE_REFUSED,
                              .serving = serving_ref(x->client->serving) };
    t->initiator = initiator_new(signing_auth(t->serving->signing), rule_of(x)->delegation, x->who, spn, &t->why);
    if (t->initiator && !initiator_ready(t->initiator)) {
        t->id = exchange_wait(x);
        if (jobs_submit(x->loop->jobs, &t->job))
            return;
        job_free(t);
        exchange_page(x, CAUSE_BUSY);
        return;
    }
    if (t->initiator)
        job_run(&t->job); /* what is kept needs no waiting */
    ticket_ready(x, t);
    job_free(t);
}

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

/* ---- the way on ------------------------------------------------------------------------------------------------------- */

/* The server knows the user of the connection. If it has forgotten, a request without a body begins again (B-106); nothing
 * may block then, so a ticket must be at hand - which also keeps the KDC's word on the user as fresh as where each request brings
 * one. A body could not be sent twice, and goes with a ticket. false: not so here. */
static bool go_on_signed_in(struct exchange *x, enum signed_in how)
{
    struct strbuf why = { 0 };
    struct auth *auth = signing_auth(x->client->serving->signing);
    if (how == SIGNED_IN_NOT)
        return false;
    struct initiator *i = x->body_ended ? initiator_new(auth, rule_of(x)->delegation, x->who, spn_of(x), &why) : NULL;
    buf_free(&why);
    if (how == SIGNED_IN_BY_TICKET && !(i && initiator_has_ticket(i))) {
        initiator_free(i);
        return false;
    }
    if (i) {
        hold_initiator(x, i);
        x->on_answer = on_answer;
    }
    steer_send(x, NULL);
    return true;
}

static void with_handshake(struct exchange *x)
{
    if (!member_choose(x)) /* before the ticket: a farm's members have a name each */
        exchange_page(x, CAUSE_NO_MEMBER);
    else if (!go_on_signed_in(x, upstream_signed_in(x)))
        begin(x, spn_of(x));
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

void delegate(struct exchange *x)
{
    enum delegation how = rule_of(x)->delegation;
    struct identity *who = has_handshake(how) ? x->who : NULL;
    if (!claim_connections(x, who))
        exchange_page(x, CAUSE_BUSY);
    else if (who)
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
    exchange_page(x, CAUSE_DELEGATION);
    return true;
}
