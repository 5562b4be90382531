/* diff_witness: asks both sides one request, says how the answers differ, and credits the changes that explain it. */
#include "diff_internal.h"

#include <string.h>

struct judged {
    struct decision d;
    struct request q;
    const struct plan_rule *rule; /* NULL: none */
    const struct facts *facts;
};

/* ---- the two answers ------------------------------------------------------------- */

static void judge(struct meeting *m, int side, const struct request *q, const char *account, struct arena *a,
                  struct judged *j)
{
    const struct plan *p = &m->plan[side];
    *j = (struct judged){ .q = *q };
    j->d.rule = -1;
    if (!m->socket[side])
        return;
    decide(p, &j->q, false, a, &j->d);
    if (j->d.rule < 0)
        return;
    j->rule = &p->rules.v[j->d.rule];
    j->facts = &m->d->facts[side][j->d.rule];
    if (!account)
        return;
    strings *sets = arena_alloc(a, sizeof *sets);
    sets_holding(a, m->d->plan[side], j->rule->rule, strcmp(account, ANYBODY) == 0 ? NULL : account, sets);
    j->q.user = account;
    j->q.user_sets = sets;
    decide(p, &j->q, false, a, &j->d);
}

static bool refused(enum answer a)
{
    return a != ANSWER_HTTPS && a != ANSWER_DENY_REDIRECT && a != ANSWER_NEEDS_USER && a != ANSWER_FORWARD;
}

static unsigned forwarded_differently(const struct judged *x, const struct judged *y)
{
    const struct rule *r = x->rule->rule, *s = y->rule->rule;
    unsigned bits = 0;
    bool tls = x->q.tls;
    if (x->facts->to[tls] != y->facts->to[tls])
        bits |= DIFFERS_BACKEND;
    if (r->forward_host != s->forward_host || (!r->forward_host && !str_equal(x->d.host, y->d.host)))
        bits |= DIFFERS_HOST;
    if (!str_equal(x->d.target, y->d.target))
        bits |= DIFFERS_TARGET;
    if (x->facts->handling != y->facts->handling)
        bits |= DIFFERS_HANDLING;
    if (x->rule->needs_user && y->rule->needs_user && x->facts->sign_in != y->facts->sign_in)
        bits |= DIFFERS_SIGN_IN;
    if (!bits && x->facts->site != y->facts->site)
        bits |= DIFFERS_SITE;
    return bits;
}

/* Of two refusals the client sees the same; that one of them could be opened by an acceptance is worth a quiet word. */
static unsigned answered_differently(const struct judged *x, const struct judged *y)
{
    enum answer a = x->d.answer, b = y->d.answer;
    if (a == ANSWER_UNKNOWN && b == ANSWER_UNKNOWN)
        return x->d.otherwise != y->d.otherwise || (x->d.otherwise == ANSWER_FORWARD && forwarded_differently(x, y))
                   ? DIFFERS_BY(ANSWER_UNKNOWN)
                   : 0;
    if (refused(a) && refused(b))
        return a == ANSWER_UNKNOWN || b == ANSWER_UNKNOWN ? DIFFERS_BY(ANSWER_UNKNOWN) : 0;
    if (a != b)
        return DIFFERS_BY(a) | DIFFERS_BY(b);
    if (a == ANSWER_HTTPS || a == ANSWER_DENY_REDIRECT)
        return str_equal(x->d.location, y->d.location) ? 0 : DIFFERS_LOCATION;
    if (a == ANSWER_NEEDS_USER)
        return x->facts->sign_in == y->facts->sign_in ? 0 : DIFFERS_SIGN_IN;
    return forwarded_differently(x, y);
}

static unsigned differ(const struct meeting *m, const struct judged *x, const struct judged *y)
{
    if (!m->socket[0] || !m->socket[1])
        return DIFFERS_SOCKET;
    unsigned bits = answered_differently(x, y);
    if (m->tls && (!str_equal(m->socket[0]->thumbprint, m->socket[1]->thumbprint) ||
                   !str_equal(m->socket[0]->chain, m->socket[1]->chain)))
        bits |= DIFFERS_CERTIFICATE;
    return bits;
}

/* ---- the witness -------------------------------------------------------------------- */

/* Characters, and a price for everything that makes a request less ordinary. */
static size_t cost_of(const struct request *q, const char *account)
{
    size_t cost = strlen(q->target) + (q->host ? strlen(q->host) : 60);
    cost += account ? (strcmp(account, ANYBODY) == 0 ? 200 : 220) : 0;
    cost += q->hour >= 0 ? 100 : 0;
    cost += q->client != ORDINARY_CLIENT ? 30 : 0;
    cost += q->tls ? 0 : 8;
    cost += strchr(q->target, '%') || q->target[0] != '/' ? 40 : 0;
    for (const char *s = q->target; *s; s++)
        cost += *s >= 'A' && *s <= 'Z';
    return cost;
}

static const char *kept(struct arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

static void fill_side(struct meeting *m, int side, const struct judged *j, struct arena *a, struct diff_side *out)
{
    if (!m->socket[side]) {
        out->answer = "no-listener";
        return;
    }
    out->answer = answer_names[j->d.answer];
    out->status = j->d.status;
    out->rule = j->rule ? kept(a, j->rule->rule->name) : NULL;
    out->certificate = m->tls ? m->socket[side]->thumbprint : NULL;
    if (j->d.answer == ANSWER_HTTPS || j->d.answer == ANSWER_DENY_REDIRECT)
        out->location = kept(a, j->d.location);
    if (j->d.answer != ANSWER_FORWARD)
        return;
    out->to = upstream_text(a, j->d.to);
    out->host = kept(a, j->d.host);
    out->target = kept(a, j->d.target);
}

static const struct witness *make_witness(struct meeting *m, const struct judged j[2], const char *account,
                                          unsigned bits, size_t cost)
{
    struct arena *a = m->d->out->arena;
    const struct request *q = &j[0].q;
    struct witness *w = arena_alloc(a, sizeof *w);
    *w = (struct witness){ .bits = bits,
                           .cost = cost,
                           .tls = m->tls,
                           .address = m->address,
                           .port = m->port,
                           .host = kept(a, q->host),
                           .target = kept(a, q->target),
                           .client = q->client,
                           .hour = q->hour,
                           .user = kept(a, account) };
    for (int side = 0; side < 2; side++)
        fill_side(m, side, &j[side], a, &w->side[side]);
    return w;
}

/* ---- credit ---------------------------------------------------------------------------- */

struct credit {
    struct meeting *m;
    const struct judged *j;
    const char *account;
    unsigned bits;
    size_t cost;
    const struct witness *made; /* once somebody needs it */
    bool given;
};

/* Into the slot, if it is the first or a better witness there. */
static void give(struct credit *c, const struct witness **slot)
{
    c->given = true;
    if (*slot && (DIFFERS_LOUDLY((*slot)->bits) > DIFFERS_LOUDLY(c->bits) ||
                  (DIFFERS_LOUDLY((*slot)->bits) == DIFFERS_LOUDLY(c->bits) && (*slot)->cost <= c->cost)))
        return;
    if (!c->made)
        c->made = make_witness(c->m, c->j, c->account, c->bits, c->cost);
    *slot = c->made;
}

static struct diff_change *change_of(struct credit *c, enum diff_subject s, int side, size_t i)
{
    size_t at = i == SIZE_MAX ? SIZE_MAX : c->m->d->pairs[s].change[side][i];
    return at == SIZE_MAX ? NULL : &c->m->d->out->changes.v[at];
}

/* To the fields of a change that can have this effect. */
static bool give_fields(struct credit *c, struct diff_change *x, unsigned bits)
{
    bool any = false;
    if (!x)
        return false;
    if (x->kind != DIFF_CHANGED) {
        give(c, &x->witness);
        return true;
    }
    for (size_t i = 0; i < x->fields.n; i++) {
        if (!(x->fields.v[i].bits & bits & ~(unsigned)(RUNS_DIFFERENTLY | FIELD_IS_SET)))
            continue;
        give(c, &x->fields.v[i].witness);
        any = true;
    }
    if (x->old_name && x->subject == DIFF_RULE && bits & DIFFERS_SITE)
        give(c, &x->witness);
    return any;
}

static void give_all(struct credit *c, enum diff_subject s, unsigned bits)
{
    struct diff *out = c->m->d->out;
    for (size_t i = 0; i < out->changes.n && out->changes.v[i].subject <= DIFF_POLICY; i++)
        if (out->changes.v[i].subject == s)
            give_fields(c, &out->changes.v[i], bits);
}

static size_t index_in(const void *object, const void *first, size_t size)
{
    return object ? (size_t)((const char *)object - (const char *)first) / size : SIZE_MAX;
}

/* To what a rule refers to: its own words are as they were, and yet it acts differently. */
static void give_references(struct credit *c, int side, const struct plan_rule *r, unsigned bits, bool own)
{
    const struct policy *p = c->m->d->plan[side]->policy;
    const unsigned users = DIFFERS_BY(ANSWER_NEEDS_USER) | DIFFERS_BY(ANSWER_WRONG_USER) | DIFFERS_BY(ANSWER_HTTPS);
    if (r->farm)
        give_fields(c, change_of(c, DIFF_FARM, side, index_in(r->farm, p->farms.v, sizeof *p->farms.v)), bits);
    if (bits & DIFFERS_SCHEDULE && r->rule->schedule)
        give_fields(c,
                    change_of(c, DIFF_SCHEDULE, side,
                              index_in(policy_schedule(p, r->rule->schedule), p->schedules.v, sizeof *p->schedules.v)),
                    bits);
    for (size_t i = 0; bits & users && i < r->rule->users.n; i++)
        give_fields(
            c,
            change_of(c, DIFF_USER_SET, side,
                      index_in(policy_user_set(p, r->rule->users.v[i]), p->user_sets.v, sizeof *p->user_sets.v)),
            bits);
    /* "all other networks" depends on every network */
    if (!own && bits & (DIFFERS_SOURCE | DIFFERS_BY(ANSWER_UNKNOWN)))
        give_all(c, DIFF_NETWORK, bits);
    if (!own && bits & (DIFFERS_HANDLING | DIFFERS_SIGN_IN))
        give_all(c, DIFF_POLICY, bits);
}

static void give_listeners(struct credit *c, unsigned bits)
{
    for (int side = 0; side < 2; side++)
        give_fields(c, change_of(c, DIFF_LISTENER, side, c->m->listener[side]), bits);
}

/* Why a rule does not answer on this side, where its partner answers on the other; 0: it matches here too. */
static unsigned why_not(struct credit *c, int side, const struct plan_rule *r)
{
    static const unsigned by_condition[] = {
        [FAILED_DISABLED] = DIFFERS_ENABLED, [FAILED_LISTENER] = DIFFERS_LISTENER, [FAILED_NAME] = DIFFERS_NAME,
        [FAILED_PATH] = DIFFERS_PATH,        [FAILED_SOURCE] = DIFFERS_SOURCE,     [FAILED_SCHEDULE] = DIFFERS_SCHEDULE
    };
    struct meeting *m = c->m;
    const struct plan *full = m->d->plan[side];
    if (!r->rule->enabled)
        return DIFFERS_ENABLED;
    if (!r->rule->paths.n)
        return DIFFERS_PATH;
    if (!r->rule->all_names && !r->rule->names.n)
        return DIFFERS_NAME;
    if (!r->answers || m->listener[side] == SIZE_MAX || r->listener != full->listeners.v[m->listener[side]].listener)
        return DIFFERS_LISTENER;
    struct plan one = *full;
    struct plan_listener alone = full->listeners.v[m->listener[side]];
    uint32_t index = r->index;
    struct arena *a = arena_new();
    struct decision d;
    alone.rules.v = &index;
    alone.rules.n = 1;
    one.listeners.v = &alone;
    one.listeners.n = 1;
    decide(&one, &c->j[0].q, true, a, &d);
    unsigned bits = d.trail.n ? by_condition[d.trail.v[0].failed] : 0;
    arena_free(a);
    return bits;
}

/* The rule that answers on this side and not on the other: its change gets the credit. Gives false where the rule is
 * there and matches on both sides, so that only the order can be the reason. */
static bool credit_one_side(struct credit *c, int side, const struct plan_rule *r)
{
    size_t other = c->m->d->pairs[DIFF_RULE].partner[side][r->index];
    struct diff_change *x = change_of(c, DIFF_RULE, side, r->index);
    if (other == SIZE_MAX) {
        give(c, &x->witness);
        return true;
    }
    const struct plan_rule *partner = &c->m->d->plan[!side]->rules.v[other];
    unsigned bits = why_not(c, !side, partner);
    if (!bits)
        return false;
    bool own = give_fields(c, x, bits);
    give_references(c, side, r, bits, own);
    give_references(c, !side, partner, bits, own);
    if (bits & DIFFERS_LISTENER && !own)
        give_listeners(c, DIFFERS_SOCKET);
    return true;
}

static void credit_rules(struct credit *c)
{
    const struct plan_rule *r[2] = { c->j[0].rule, c->j[1].rule };
    if (r[0] && r[1] && c->m->d->pairs[DIFF_RULE].partner[0][r[0]->index] == r[1]->index) {
        bool own = give_fields(c, change_of(c, DIFF_RULE, 1, r[1]->index), c->bits);
        for (int side = 0; side < 2; side++)
            give_references(c, side, r[side], c->bits, own);
        return;
    }
    bool explained = false;
    for (int side = 0; side < 2; side++)
        if (r[side])
            explained |= credit_one_side(c, side, r[side]);
    for (int side = 0; side < 2 && !explained; side++) {
        struct diff_change *x = r[side] ? change_of(c, DIFF_RULE, side, r[side]->index) : NULL;
        if (x && x->moved)
            give(c, &x->move_witness);
    }
}

static void credit(struct credit *c)
{
    if (c->bits & ~(unsigned)DIFFERS_CERTIFICATE)
        credit_rules(c);
    give_listeners(c, c->given ? c->bits & ~(unsigned)DIFFERS_HANDLING : c->bits);
    if (!c->given)
        give(c, &c->m->d->out->other);
}

/* ---- asking -------------------------------------------------------------------------------- */

/* Host as a client may send it as well, and as no site name is written: one that tells the client's own header from a
 * name that the rule sets. */
static const char *unusual_host(struct arena *a, const char *host)
{
    char *out = arena_printf(a, "%s", host);
    for (char *p = out; *p; p++) {
        if (*p >= 'a' && *p <= 'z') {
            *p = (char)(*p - 0x20);
            return out;
        }
    }
    return arena_printf(a, "%s:8443", host);
}

struct answered meeting_ask(struct meeting *m, const struct request *q, const char *account)
{
    struct arena *a = arena_new();
    struct judged j[2];
    for (int side = 0; side < 2; side++)
        judge(m, side, q, account, a, &j[side]);
    unsigned bits = differ(m, &j[0], &j[1]);
    m->d->out->classes++;
    if (bits) {
        struct request other = *q;
        size_t cost = cost_of(q, account);
        m->d->out->different++;
        bool quiet = !DIFFERS_LOUDLY(bits & ~(unsigned)DIFFERS_HOST);
        if (bits & DIFFERS_HOST && quiet && q->host && str_equal(j[0].d.host, j[1].d.host)) {
            other.host = unusual_host(a, q->host);
            cost += 20;
            for (int side = 0; side < 2; side++)
                judge(m, side, &other, account, a, &j[side]);
        }
        struct credit c = { .m = m, .j = j, .account = account, .bits = bits, .cost = cost };
        credit(&c);
    }
    struct answered out = { { j[0].d.rule, j[1].d.rule }, { -1, -1 } };
    for (int side = 0; side < 2; side++)
        if (j[side].rule)
            out.path[side] = j[side].d.path;
    arena_free(a);
    return out;
}
