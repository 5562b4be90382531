/* gate_session: listeners with forms - requests in a session, and where those without one go. */
#include "gate_internal.h"

enum session_state gate_session(struct gate_at *at, struct session *s)
{
    return session_find(&at->g->sessions, at->g->logged_off, at->q->head, at->q->host, at->q->address, at->q->now, s);
}

/* A session is good; its password may have been changed or its account disabled since. */
static void session_checked(struct gate_at *at, struct session *s)
{
    const struct gate *g = at->g;
    struct user_name name = { s->account, s->domain, s->realm };
    struct shown_credentials shown = gate_password(g, &name, s->password);
    struct identity *who;
    long long until = at->q->now + CREDENTIALS_RIGHT_S;
    if (!s->password || s->once || gate_passcodes(g)) { /* a password beside a passcode was never checked here */
        who = session_identity(s);
    } else if (!(who = credentials_known(g->credentials, &shown, at->q->now, &until))) {
        struct gate_job *j = gate_job_new(at, TASK_PASSWORD);
        j->from_session = true;
        j->session = *s;
        j->session.password = secret_hold(s->password);
        j->name = (struct user_name){ j->session.account, j->session.domain, j->session.realm };
        j->password = secret_hold(s->password);
        return;
    }
    gate_keep_session(at, s, who, until);
    gate_judge(at, who, s, USER_ASK);
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
    enum agent_answer answer = gate_passcodes(at->g)
                                   ? AGENT_FORM
                                   : agent_of(at->g->agents, at->g->agents_n, head_value(q->head, FIELD_USER_AGENT));
    if (answer == AGENT_BASIC && scheme_of(head_value(q->head, FIELD_AUTHORIZATION), &rest) == SCHEME_BASIC) {
        gate_basic(at, rest, false);
        return;
    }
    if (answer == AGENT_BASIC) {
        gate_challenge(at, true, false, NULL);
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

void gate_forms(struct gate_at *at)
{
    struct gate_connection *c = at->q->connection;
    struct session s;
    if (gate_kept_session(at) &&
        session_judge(&at->g->sessions, at->g->logged_off, &c->session, at->q->address, at->q->now) == SESSION_GOOD) {
        gate_judge(at, c->kept_who, &c->session, USER_ASK);
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

void gate_after_session(struct gate_at *at, struct gate_job *j)
{
    if (j->verdict == VERDICT_OK) {
        gate_keep_session(at, &j->session, j->who, j->until);
        gate_judge(at, j->who, &j->session, j->member);
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
