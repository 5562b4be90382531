/* report_model: what follows from a struct report - counts, which rule a finding is about, how each rule fares on each
 * target and which target carries it with the fewest differences. All report writers print these. */
#include "report.h"
#include "../ir/index.h"

const char *const verdict_words[VERDICTS] = { "answers nothing", "as before", "differs", "needs work", "closed" };

/* ---- words -------------------------------------------------------------- */

const char *rule_fate(const struct plan_rule *r, enum target t)
{
    if (!r->rule->enabled)
        return "disabled";
    if (!r->answers)
        return "answers nothing";
    if (r->closed & ON(t))
        return "closed";
    if (r->rule->action == ACTION_DENY)
        return r->rule->redirect_url ? "redirects" : "denies";
    if (!r->forwards)
        return "no server";
    return r->closed_http & ON(t) ? "https only" : "forwards";
}

const char *listener_redirect(const struct listener *l)
{
    static const char *const names[] = { "never", "authenticated", "always" };
    return names[l->redirect];
}

const char *finding_subject(const struct finding *f)
{
    static const char *const names[] = { NULL, "rule", "listener", "farm", "site" };
    return names[f->subject];
}

const char *finding_file(const struct report *r, const struct finding *f)
{
    return f->in_site ? r->site_name : r->export_name;
}

void put_rule_goal(struct strbuf *b, const struct plan_rule *r)
{
    const struct plan_upstream *to = &r->to[1];
    if (r->rule->action == ACTION_DENY)
        buf_puts(b, r->rule->redirect_url ? r->rule->redirect_url : "403");
    else if (r->forwards)
        buf_printf(b, "%s://%s:%u", to->tls ? "https" : "http", r->rule->site ? r->rule->site : "", (unsigned)to->port);
    else
        buf_puts(b, "-");
}

void put_authentication(struct strbuf *b, const struct listener *l)
{
    static const char *const forms[] = {
        NULL, "forms (AD)", "forms (LDAP)", "forms (RADIUS)", "forms (RADIUS OTP)", "forms (SecurID)"
    };
    const char *methods[] = {
        forms[l->forms],
        l->basic ? "basic" : NULL,
        l->digest ? "digest" : NULL,
        l->integrated ? "integrated" : NULL,
        l->client_certificate ? "client certificate" : NULL,
    };
    const char *comma = "";
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (!methods[i])
            continue;
        buf_printf(b, "%s%s", comma, methods[i]);
        comma = ", ";
    }
    if (!*comma)
        buf_puts(b, "none");
}

void put_number(struct strbuf *b, size_t n)
{
    char digits[24];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(b, digits + at, sizeof digits - at);
}

/* ---- counts --------------------------------------------------------------- */

struct report_counts report_count(const struct report *r)
{
    struct report_counts c = { .rules = r->plan->rules.n };
    for (size_t i = 0; i < r->plan->rules.n; i++) {
        c.answering += r->plan->rules.v[i].answers;
        c.disabled += !r->plan->rules.v[i].rule->enabled;
    }
    for (size_t i = 0; i < r->findings->list.n; i++) {
        const struct finding *f = &r->findings->list.v[i];
        if (f->accepted)
            c.accepted++;
        else
            c.severity[f->severity]++;
    }
    return c;
}

/* ---- whom findings are about ----------------------------------------------- */

struct finder {
    const struct policy *policy;
    struct name_index guids, names;
    bool indexed;
};

static bool is_about(const struct finding *f, const struct rule *r)
{
    return f->guid && r->at.guid ? str_equal(f->guid, r->at.guid) : f->name && str_equal(f->name, r->name);
}

/* Rules stand in the order of the export, so the finding's line nearly always leads to its rule; names and identifiers
 * are indexed only if it does not (a policy that was edited). */
static uint32_t find_rule(struct finder *x, struct arena *a, const struct finding *f)
{
    size_t n = x->policy->rules.n, low = 0, high = n;
    const struct rule *v = x->policy->rules.v;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (v[mid].at.line <= f->line)
            low = mid + 1;
        else
            high = mid;
    }
    if (low && is_about(f, &v[low - 1]))
        return (uint32_t)(low - 1);
    if (!x->indexed) {
        index_build(a, &x->guids, v, n, sizeof *v, offsetof(struct rule, at.guid));
        index_build(a, &x->names, v, n, sizeof *v, offsetof(struct rule, name));
        x->indexed = true;
    }
    size_t at = index_find(&x->guids, f->guid);
    if (at == SIZE_MAX)
        at = index_find(&x->names, f->name);
    return at == SIZE_MAX ? NOBODY : (uint32_t)at;
}

/* Server publishing rules stand among the others in the export, and may even share a name with one: by identifier first. */
static void find_server_rules(struct report_model *m)
{
    const struct policy *p = m->report->plan->policy;
    const struct findings *f = m->report->findings;
    const struct server_rule *v = p->server_rules.v;
    struct name_index guids, names;
    index_build(m->arena, &guids, v, p->server_rules.n, sizeof *v, offsetof(struct server_rule, at.guid));
    index_build(m->arena, &names, v, p->server_rules.n, sizeof *v, offsetof(struct server_rule, name));
    for (size_t i = 0; i < f->list.n; i++) {
        const struct finding *one = &f->list.v[i];
        size_t at = one->subject == SUBJECT_RULE ? index_find(&guids, one->guid) : SIZE_MAX;
        if (at == SIZE_MAX && one->subject == SUBJECT_RULE && m->rule_of[i] == NOBODY)
            at = index_find(&names, one->name);
        m->server_rule_of[i] = at == SIZE_MAX ? NOBODY : (uint32_t)at;
        if (at != SIZE_MAX)
            m->rule_of[i] = NOBODY;
    }
}

static void find_subjects(struct report_model *m)
{
    const struct policy *p = m->report->plan->policy;
    const struct findings *f = m->report->findings;
    struct finder x = { .policy = p };
    for (size_t i = 0; i < f->list.n; i++) {
        const struct finding *one = &f->list.v[i];
        const struct listener *l = one->subject == SUBJECT_LISTENER ? policy_listener(p, one->name) : NULL;
        const struct farm *farm = one->subject == SUBJECT_FARM ? policy_farm(p, one->name) : NULL;
        m->rule_of[i] = one->subject == SUBJECT_RULE ? find_rule(&x, m->arena, one) : NOBODY;
        m->listener_of[i] = l ? (uint32_t)(l - p->listeners.v) : NOBODY;
        m->farm_of[i] = farm ? (uint32_t)(farm - p->farms.v) : NOBODY;
    }
    find_server_rules(m);
}

static uint32_t *nobodies(struct arena *a, size_t n)
{
    uint32_t *v = arena_alloc(a, (n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = NOBODY;
    return v;
}

/* From the last finding to the first, so that each list is in order. */
static void link_subjects(struct report_model *m)
{
    const struct policy *p = m->report->plan->policy;
    size_t n = m->report->findings->list.n;
    m->of_rule = nobodies(m->arena, p->rules.n);
    m->of_listener = nobodies(m->arena, p->listeners.n);
    m->of_farm = nobodies(m->arena, p->farms.n);
    m->of_server_rule = nobodies(m->arena, p->server_rules.n);
    m->next = nobodies(m->arena, n);
    for (size_t i = n; i-- > 0;) {
        uint32_t *head = m->rule_of[i] != NOBODY          ? &m->of_rule[m->rule_of[i]]
                         : m->listener_of[i] != NOBODY    ? &m->of_listener[m->listener_of[i]]
                         : m->farm_of[i] != NOBODY        ? &m->of_farm[m->farm_of[i]]
                         : m->server_rule_of[i] != NOBODY ? &m->of_server_rule[m->server_rule_of[i]]
                                                          : NULL;
        if (!head)
            continue;
        m->next[i] = *head;
        *head = (uint32_t)i;
    }
}

void report_bearing(const struct report_model *m, const struct plan_rule *r, uint32_t heads[3])
{
    const struct policy *p = m->report->plan->policy;
    heads[0] = m->of_rule[r->index];
    heads[1] = r->listener ? m->of_listener[r->listener - p->listeners.v] : NOBODY;
    heads[2] = r->farm ? m->of_farm[r->farm - p->farms.v] : NOBODY;
}

/* ---- verdicts ---------------------------------------------------------------- */

/* What counts for or against a target, the weightiest first. */
enum { ERRORS, WARNINGS, ACCEPTED, INFOS, WEIGHTS };
struct load {
    uint32_t on[TARGETS][WEIGHTS];
};

/* Only what is lost, different or closed tells targets apart; the other classes are the same wherever one goes. */
static void weigh(struct load *w, const struct finding *f)
{
    enum finding_class class = finding_kinds[f->id].class;
    if (class != CLASS_LOST && class != CLASS_DIFFERS && class != CLASS_CLOSED)
        return;
    size_t weight = f->accepted                  ? ACCEPTED
                    : f->severity == SEV_ERROR   ? ERRORS
                    : f->severity == SEV_WARNING ? WARNINGS
                                                 : INFOS;
    for (unsigned t = 0; t < TARGETS; t++)
        if (!f->targets || f->targets & ON(t))
            w->on[t][weight]++;
}

static int compare(const struct plan_rule *r, const struct load *w, enum target x, enum target y)
{
    int closed = ((r->closed & ON(x)) != 0) - ((r->closed & ON(y)) != 0);
    for (size_t i = 0; !closed && i < WEIGHTS; i++)
        closed = (w->on[x][i] > w->on[y][i]) - (w->on[x][i] < w->on[y][i]);
    return closed;
}

static void judge(struct report_model *m, size_t index, const struct load *w)
{
    const struct plan_rule *r = &m->report->plan->rules.v[index];
    struct rule_verdict *v = &m->verdicts[index];
    int best = -1;
    for (unsigned t = 0; r->answers && t < TARGETS; t++) {
        const uint32_t *load = w->on[t];
        v->on[t] = r->closed & ON(t)                 ? VERDICT_CLOSED
                   : load[ERRORS]                    ? VERDICT_BROKEN
                   : load[WARNINGS] + load[ACCEPTED] ? VERDICT_DIFFERS
                                                     : VERDICT_SAME;
        if (!(m->report->targets & ON(t)))
            continue;
        int order = best < 0 ? -1 : compare(r, w, (enum target)t, (enum target)best);
        if (order < 0) {
            best = (int)t;
            v->best = 0;
        }
        if (order <= 0)
            v->best |= ON(t);
    }
}

/* What a list of findings weighs, added to w. */
static void weigh_all(const struct report_model *m, struct load *w, uint32_t head)
{
    for (; head != NOBODY; head = m->next[head])
        weigh(w, &m->report->findings->list.v[head]);
}

static void add(struct load *w, const struct load *x)
{
    for (size_t t = 0; t < TARGETS; t++)
        for (size_t i = 0; i < WEIGHTS; i++)
            w->on[t][i] += x->on[t][i];
}

/* Listeners and farms are weighed once each, however many rules use them. */
static void judge_all(struct report_model *m)
{
    const struct policy *p = m->report->plan->policy;
    struct load *of_listener = arena_alloc(m->arena, (p->listeners.n + 1) * sizeof *of_listener);
    struct load *of_farm = arena_alloc(m->arena, (p->farms.n + 1) * sizeof *of_farm);
    for (size_t i = 0; i < p->listeners.n; i++)
        weigh_all(m, &of_listener[i], m->of_listener[i]);
    for (size_t i = 0; i < p->farms.n; i++)
        weigh_all(m, &of_farm[i], m->of_farm[i]);
    for (size_t i = 0; i < m->report->plan->rules.n; i++) {
        const struct plan_rule *r = &m->report->plan->rules.v[i];
        struct load w = { 0 };
        weigh_all(m, &w, m->of_rule[i]);
        if (r->listener)
            add(&w, &of_listener[r->listener - p->listeners.v]);
        if (r->farm)
            add(&w, &of_farm[r->farm - p->farms.v]);
        judge(m, i, &w);
    }
}

struct report_model *report_model_make(const struct report *r)
{
    struct arena *a = arena_new();
    struct report_model *m = arena_alloc(a, sizeof *m);
    size_t findings = r->findings->list.n, rules = r->plan->rules.n;
    m->arena = a;
    m->report = r;
    m->counts = report_count(r);
    m->rule_of = arena_alloc(a, (findings + 1) * sizeof *m->rule_of);
    m->listener_of = arena_alloc(a, (findings + 1) * sizeof *m->listener_of);
    m->farm_of = arena_alloc(a, (findings + 1) * sizeof *m->farm_of);
    m->server_rule_of = arena_alloc(a, (findings + 1) * sizeof *m->server_rule_of);
    m->verdicts = arena_alloc(a, (rules + 1) * sizeof *m->verdicts);
    find_subjects(m);
    link_subjects(m);
    judge_all(m);
    return m;
}

void report_model_free(struct report_model *m)
{
    if (m)
        arena_free(m->arena);
}
