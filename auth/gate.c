/* gate: in what order it is decided; what each step does stands in the files beside. */
#include "gate_internal.h"

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

struct shown_credentials gate_password(const struct gate *g, const struct user_name *name, struct secret *password)
{
    return (struct shown_credentials){ .validator = gate_validator(g), .name = name, .password = password };
}

struct shown_credentials gate_certificate(const struct gate *g, const struct user_name *name, const unsigned char *id)
{
    return (struct shown_credentials){ .name = name, .certificate = id, .listener = g->listener };
}

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
    bool sessions = at->g->forms != FORMS_NONE && q->tls && !at->g->sessions.form.client_certificate;
    if (sessions && gate_session(at, &s) == SESSION_GOOD) {
        at->out->who = session_identity(&s);
        at->out->verified = true;
        if (!gate_log_off(at, &s) && session_due(&at->g->sessions, &s, q->now))
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
    else if ((!q->has_rule || q->needs_user) && gate_second_factor(&at))
        return;
    else if (g->forms != FORMS_NONE && gate_at_place(&at))
        return;
    else if (!q->has_rule)
        gate_forbid(&at, PAGE_NO_RULE, "no rule");
    else if (gate_certificate_decides(&at))
        return;
    else if (!q->needs_user)
        volunteered(&at);
    else if (!q->tls && (g->forms != FORMS_NONE || !g->over_http))
        gate_forbid(&at, PAGE_NEEDS_SSL, "credentials are not taken over HTTP");
    else if (g->forms != FORMS_NONE)
        gate_forms(&at);
    else if (g->basic || g->integrated)
        gate_credentials(&at);
    else
        gate_refuse(&at, 403, "the listener takes no credentials, and the rule needs a user");
}

void gate_after(const struct gate *g, const struct gate_request *q, struct gate_job *j, struct arena *a,
                struct gate_result *out)
{
    struct gate_at at = { g, q, a, out };
    *out = (struct gate_result){ 0 };
    if (j->task == TASK_CERTIFICATE) {
        gate_certificate_after(&at, j);
        gate_ask(g, q, a, out); /* it knows now */
    } else if (j->task == TASK_LEG)
        gate_after_leg(&at, j);
    else if (j->task == TASK_PASSWORD && j->from_session)
        gate_after_session(&at, j);
    else if (j->task == TASK_PASSWORD)
        gate_after_basic(&at, j);
    else if (j->task == TASK_USERS)
        gate_judge(&at, j->who, j->from_session ? &j->session : NULL, j->member);
    else
        gate_form_after(&at, j);
    gate_job_free(j);
}

enum { OWN = 3 };

/* How our cookies begin. own: what the last one lives in. */
static void own_prefixes(const struct gate *g, struct strbuf *own, const char *prefixes[OWN])
{
    prefixes[0] = "__Host-publishd-";
    prefixes[1] = "__Secure-publishd-";
    prefixes[2] = "";
    if (g->sessions.form.cookie) {
        buf_printf(own, "%s=", g->sessions.form.cookie);
        prefixes[2] = own->p;
    }
}

void gate_cookies_remove(const struct gate *g, struct head *head)
{
    struct strbuf own = { 0 };
    const char *prefixes[OWN];
    own_prefixes(g, &own, prefixes);
    cookies_remove(head, prefixes, OWN);
    buf_free(&own);
}

void gate_set_cookies_remove(const struct gate *g, struct head *answer)
{
    struct strbuf own = { 0 };
    const char *prefixes[OWN];
    own_prefixes(g, &own, prefixes);
    set_cookies_remove(answer, prefixes, OWN);
    buf_free(&own);
}
