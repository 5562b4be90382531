/* gate_judge: who signed in is known; may that user have what was asked for? */
#include "gate_internal.h"

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
        best = m > best ? m : best;
    }
    return best;
}

bool gate_log_off(struct gate_at *at, const struct session *s)
{
    const struct gate_request *q = at->q;
    if (!q->logoff_url || !asks_log_off(q->logoff_url, target_path(q->head->target)))
        return false;
    logged_off_add(at->g->logged_off, s->id, session_last(&at->g->sessions, s, q->now), q->now);
    gate_cookie(at, NULL);
    return true;
}

void gate_judge(struct gate_at *at, struct identity *who, struct session *s, enum membership verdict)
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
    if (!at->q->anybody && verdict == USER_NOT_KNOWN) {
        gate_refuse(at, 503, "nobody can say in which groups the user is");
        return;
    }
    if (!at->q->anybody && verdict == USER_OUTSIDE) {
        gate_forbid(at, PAGE_WRONG_USER, "the user is in none of the rule's sets");
        return;
    }
    out->kind = GATE_PASS;
    out->who = identity_hold(who);
    out->verified = true;
    if (s && !gate_log_off(at, s) && session_due(&at->g->sessions, s, at->q->now))
        gate_cookie(at, s);
}
