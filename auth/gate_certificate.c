/* gate_certificate: client certificates as a way of signing in, and as a second factor beside a form (B-98). */
#include "gate_internal.h"

static void find_account(struct gate_at *at)
{
    const struct user_name *name = &at->q->certificate;
    struct gate_job *j = gate_job_new(at, TASK_CERTIFICATE);
    j->judge = false; /* it is looked at again when its account is known */
    j->name = (struct user_name){ arena_strdup(j->arena, name->account), arena_strdup(j->arena, name->domain),
                                  arena_strdup(j->arena, name->realm) };
    memcpy(j->certificate_id, at->q->certificate_id, CERTIFICATE_ID);
}

static void remember(struct gate_connection *c, struct identity *who, enum verdict verdict, long long until)
{
    identity_release(c->certificate.who);
    c->certificate.who = identity_hold(who);
    c->certificate.verdict = verdict;
    c->certificate.until = until;
}

/* Another connection with the same certificate has found its account a moment ago (B-95). false: nobody has. */
static bool known_elsewhere(struct gate_at *at)
{
    long long until;
    struct shown_credentials shown = gate_certificate(at->g, &at->q->certificate, at->q->certificate_id);
    struct identity *who = credentials_known(at->g->credentials, &shown, at->q->now, &until);
    if (who)
        remember(at->q->connection, who, VERDICT_OK, until);
    identity_release(who);
    return who;
}

/* Whose the certificate is. NULL: at->out is a job that finds it, or the answer that it is nobody's. */
static struct identity *certificate_who(struct gate_at *at)
{
    const struct gate_connection *c = at->q->connection;
    if (at->q->naming != NAMES_ACCOUNT)
        gate_forbid(at, PAGE_WRONG_USER, "the client certificate names no account");
    else if (at->q->now >= c->certificate.until && !known_elsewhere(at))
        find_account(at);
    else if (c->certificate.who)
        return c->certificate.who;
    else if (c->certificate.verdict == VERDICT_UNAVAILABLE)
        gate_refuse(at, 503, "nobody can say whose the client certificate is");
    else
        gate_forbid(at, PAGE_WRONG_USER,
                    arena_printf(at->a, "the client certificate's account: %s", verdict_names[c->certificate.verdict]));
    return NULL;
}

void gate_certificate_after(struct gate_at *at, struct gate_job *j)
{
    enum { AGAIN_S = 3 }; /* nobody could be asked */
    /* What is kept no longer must still be good for the question that it was asked for. */
    long long until = j->verdict == VERDICT_OK            ? (j->until > at->q->now ? j->until : at->q->now + 1)
                      : j->verdict == VERDICT_UNAVAILABLE ? at->q->now + AGAIN_S
                                                          : at->q->now + CREDENTIALS_WRONG_S;
    remember(at->q->connection, j->who, j->verdict, until);
}

bool gate_second_factor(struct gate_at *at)
{
    const struct gate *g = at->g;
    if (g->forms == FORMS_NONE || !g->sessions.form.client_certificate || !at->q->tls)
        return false;
    if (!at->q->has_certificate) {
        gate_forbid(at, PAGE_NEEDS_CERTIFICATE, "a client certificate is required");
        return true;
    }
    return g->forms == FORMS_AD && !certificate_who(at);
}

bool gate_certificate_decides(struct gate_at *at)
{
    const struct gate_request *q = at->q;
    bool other_ways = at->g->basic || at->g->integrated;
    bool nobody = !q->has_certificate || q->naming == NAMES_NOBODY;
    if (q->claim == CERTIFICATE_REQUIRED && !q->has_certificate) {
        gate_forbid(at, PAGE_NEEDS_CERTIFICATE, "a client certificate is required");
        return true;
    }
    if (!at->g->client_certificate || at->g->forms != FORMS_NONE || !q->needs_user || (nobody && other_ways))
        return false;
    if (!q->tls)
        gate_forbid(at, PAGE_NEEDS_SSL, "client certificates come over HTTPS alone");
    else if (!q->has_certificate)
        gate_forbid(at, PAGE_NEEDS_CERTIFICATE, "a client certificate is required");
    else {
        struct identity *who = certificate_who(at);
        if (who)
            gate_judge(at, who, NULL, USER_ASK);
    }
    return true;
}

/* Only where both are Active Directory's can the certificate and the form speak of one account (B-98, KB 953684). */
bool gate_certificate_agrees(const struct gate_at *at, const struct identity *who)
{
    const struct identity *named = at->q->connection->certificate.who;
    if (!at->g->sessions.form.client_certificate)
        return true;
    return at->q->has_certificate && (at->g->forms != FORMS_AD || (named && identity_same(named, who)));
}
