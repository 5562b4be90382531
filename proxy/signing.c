/* signing: gates of a configuration, exchanges that wait for them. */
#include "signing.h"
#include "client.h"
#include "jobs.h"
#include "../auth/auth.h"
#include "../auth/gate.h"
#include "../auth/places.h"
#include "../ir/decide.h"
#include <openssl/crypto.h>
#include <stdlib.h>

/* ---- what outlives a reload -------------------------------------------------------------- */

enum { SESSIONS_ENDED = 65536, PASSWORDS_KNOWN = 8192, ACCOUNTS = 65536, ADDRESSES = 65536 };

struct memory {
    atomic_int refs;
    struct throttle_limits limits;
    struct throttle *throttle;
    struct credentials *credentials;
    struct logged_off *logged_off;
    struct key_ring *random; /* where no file says the keys: sessions last as long as the process */
};

/* before: whose keys are kept; NULL. Other limits must not end anybody's session. */
static struct memory *memory_new(const struct throttle_limits *l, const struct memory *before)
{
    struct memory *m = calloc(1, sizeof *m);
    if (!m)
        mem_fatal();
    atomic_init(&m->refs, 1);
    m->limits = *l;
    m->throttle = throttle_new(l, ACCOUNTS, ADDRESSES);
    m->credentials = credentials_new(PASSWORDS_KNOWN, m->throttle);
    m->logged_off = logged_off_new(SESSIONS_ENDED);
    m->random = before ? key_ring_copy(before->random) : key_ring_random();
    return m;
}

static void memory_release(struct memory *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    credentials_free(m->credentials);
    throttle_free(m->throttle);
    logged_off_free(m->logged_off);
    key_ring_free(m->random);
    free(m);
}

/* ---- a configuration's ------------------------------------------------------------------------ */

struct rule_sets {
    size_t *v;
    size_t n;
};
struct signing {
    struct arena *arena;
    const struct snapshot *snapshot;
    struct memory *memory;
    struct auth *auth;
    struct key_ring *keys; /* of the file; NULL: memory's */
    struct users *users;
    struct forms *pages; /* for listeners that have no folder of their own */
    VEC(struct forms *) own_pages;
    VEC(struct agent) agents;
    struct gate *gates;     /* one a listener */
    bool *active;           /* the listener takes credentials of some kind */
    struct rule_sets *sets; /* one a rule: indexes into users */
};

static void add_members(struct arena *a, struct users_set *to, const struct conf_user_set *from)
{
    for (size_t i = 0; i < from->groups.n; i++)
        vec_add(a, &to->members, ((struct users_member){ from->groups.v[i], NULL, true }));
    for (size_t i = 0; i < from->users.n; i++)
        vec_add(a, &to->members, ((struct users_member){ from->users.v[i], NULL, false }));
    for (size_t i = 0; i < from->accounts.n; i++)
        vec_add(
            a, &to->members,
            ((struct users_member){ from->accounts.v[i].name, from->accounts.v[i].sid, from->accounts.v[i].group }));
}

static void add_users(struct signing *s, const struct config *c)
{
    struct arena *a = arena_new();
    struct users_set *sets = arena_alloc(a, (c->user_sets.n + 1) * sizeof *sets);
    for (size_t i = 0; i < c->user_sets.n; i++) {
        sets[i].name = c->user_sets.v[i].name;
        add_members(a, &sets[i], &c->user_sets.v[i]);
    }
    s->users = users_new(sets, c->user_sets.n);
    arena_free(a);
}

static void add_sets(struct signing *s, const struct config *c)
{
    s->sets = arena_alloc(s->arena, (c->rules.n + 1) * sizeof *s->sets);
    for (size_t i = 0; i < c->rules.n; i++) {
        const strings *users = &c->rules.v[i].users;
        s->sets[i].v = arena_alloc(s->arena, (users->n + 1) * sizeof(size_t));
        for (size_t k = 0; k < users->n; k++)
            for (size_t j = 0; j < c->user_sets.n; j++)
                if (ascii_casecmp(users->v[k], c->user_sets.v[j].name) == 0)
                    s->sets[i].v[s->sets[i].n++] = j;
    }
}

/* A rule of the listener sends passwords on, or nobody but who checks them knows the groups (the local file, RADIUS): only
 * then are they kept in sessions. A passcode never is. */
static bool needs_passwords(const struct config *c, const struct conf_listener *l)
{
    const char *listener = l->name;
    enum forms_provider forms = l->authentication.forms;
    if (forms == FORMS_RADIUS || (forms == FORMS_AD && c->service.sign_in.ad == AD_BY_FILE))
        return true;
    for (size_t i = 0; i < c->rules.n; i++) {
        enum delegation d = c->rules.v[i].delegation;
        if (ascii_casecmp(c->rules.v[i].listener, listener) == 0 &&
            (d == DELEGATE_BASIC || d == DELEGATE_NTLM || d == DELEGATE_NEGOTIATE))
            return true;
    }
    return false;
}

static bool add_gate(struct signing *s, const struct config *c, size_t i, struct strbuf *err)
{
    const struct conf_listener *l = &c->listeners.v[i];
    const struct conf_authentication *auth = &l->authentication;
    bool own = auth->form.directory;
    struct forms *pages = own ? forms_new(auth->form.directory, err) : s->pages;
    if (!pages)
        return false;
    if (own)
        vec_add(s->arena, &s->own_pages, pages);
    s->active[i] = auth->basic || auth->integrated || auth->client_certificate || auth->forms != FORMS_NONE;
    s->gates[i] = (struct gate){ .listener = l->name,
                                 .basic = auth->basic,
                                 .integrated = auth->integrated,
                                 .client_certificate = auth->client_certificate,
                                 .offer = auth->offer,
                                 .forms = auth->forms,
                                 .validator = auth->validator,
                                 .over_http = auth->over_http,
                                 .domain = auth->domain,
                                 .bodyless_forward = c->bodyless_post == BODYLESS_FORWARD,
                                 .keep_password = needs_passwords(c, l),
                                 .agents = s->agents.v,
                                 .agents_n = s->agents.n,
                                 .pages = pages,
                                 .auth = s->auth,
                                 .credentials = s->memory->credentials,
                                 .throttle = s->memory->throttle,
                                 .logged_off = s->memory->logged_off,
                                 .users = s->users };
    session_rules_make(&s->gates[i].sessions, l->name, &auth->form, auth->sso, &auth->sso_domains, signing_keys(s));
    return true;
}

static bool read_files(struct signing *s, const struct config *c, bool first, struct strbuf *err)
{
    const struct service_forms *f = &c->service.forms;
    if (first && !auth_start(&c->service.sign_in, err)) /* what it sets in the process is read by no thread yet */
        return false;
    if (f->keys && f->make_keys && !key_ring_make(f->keys, c->service.user, err))
        return false;
    if (f->keys && !(s->keys = key_ring_read(f->keys, err)))
        return false;
    return (s->pages = forms_new(f->pages, err)) &&
           (s->auth = auth_new(&c->service.sign_in, c->kerberos_in_spnego, err));
}

static void add_agents(struct signing *s, const struct service_forms *f)
{
    static const enum agent_answer answers[] = { AGENT_FORM, AGENT_BASIC };
    for (size_t i = 0; i < f->agents.n; i++)
        vec_add(s->arena, &s->agents, ((struct agent){ f->agents.v[i].match, answers[f->agents.v[i].answer] }));
    for (size_t i = 0; !f->agents.n && i < agents_default_n; i++)
        vec_add(s->arena, &s->agents, agents_default[i]);
}

struct signing *signing_new(const struct snapshot *snapshot, const struct signing *before, struct strbuf *err)
{
    const struct config *c = snapshot->config;
    const struct service_forms *f = &c->service.forms;
    struct throttle_limits limits = { f->account_limit, f->address_limit, f->window };
    struct arena *a = arena_new();
    struct signing *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->snapshot = snapshot;
    bool same = before && memcmp(&before->memory->limits, &limits, sizeof limits) == 0;
    s->memory = same ? before->memory : memory_new(&limits, before ? before->memory : NULL);
    if (same) {
        atomic_fetch_add(&s->memory->refs, 1);
        credentials_clear(s->memory->credentials); /* somebody else may be asked now */
    }
    s->gates = arena_alloc(a, (c->listeners.n + 1) * sizeof *s->gates);
    s->active = arena_alloc(a, (c->listeners.n + 1) * sizeof *s->active);
    add_agents(s, f);
    add_users(s, c);
    add_sets(s, c);
    bool good = read_files(s, c, !before, err);
    for (size_t i = 0; good && i < c->listeners.n; i++)
        good = add_gate(s, c, i, err);
    if (good)
        return s;
    signing_free(s);
    return NULL;
}

void signing_free(struct signing *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->own_pages.n; i++)
        forms_free(s->own_pages.v[i]);
    forms_free(s->pages);
    users_free(s->users);
    auth_free(s->auth);
    key_ring_free(s->keys);
    memory_release(s->memory);
    arena_free(s->arena);
}

struct auth *signing_auth(const struct signing *s)
{
    return s->auth;
}

const struct key_ring *signing_keys(const struct signing *s)
{
    return s->keys ? s->keys : s->memory->random;
}

/* ---- one exchange --------------------------------------------------------------------------------- */

/* What waits with the exchange: the gate's question, whose answer may take several steps. */
struct wait {
    const struct gate *gate;
    struct gate_request q;
    void (*go_on)(struct exchange *x);
    struct strbuf body; /* of a form; holds passwords */
};

struct waiting_job {
    struct job job;
    struct gate_job *gate;
    struct exchange_id id;
    struct serving *serving; /* the gate is its */
};

static void wait_free(void *p)
{
    struct wait *w = p; /* itself is of the exchange's arena */
    buf_wipe(&w->body);
}

static enum cause cause_of_result(const struct client *c, const struct gate_result *r)
{
    switch (r->page) {
    case PAGE_WRONG_USER: return CAUSE_WRONG_USER;
    case PAGE_NEEDS_SSL: return CAUSE_NEEDS_SSL;
    case PAGE_NEEDS_CERTIFICATE: return shown_cause(c);
    case PAGE_NO_RULE: return CAUSE_NO_RULE;
    case PAGE_OF_STATUS: break;
    }
    switch (r->status) {
    case 400: return CAUSE_BAD_REQUEST;
    case 401: return CAUSE_UNAUTHORIZED;
    case 404: return CAUSE_NOT_FOUND;
    case 405: return CAUSE_METHOD;
    case 413: return CAUSE_TOO_LARGE;
    case 415: return CAUSE_MEDIA_TYPE;
    case 429: return CAUSE_TOO_MANY;
    case 503: return CAUSE_NOBODY_TO_ASK;
    default: return CAUSE_NEEDS_USER;
    }
}

static void answer(struct exchange *x, const struct gate_result *r)
{
    const char *html = r->body;
    size_t n = r->body_n;
    struct head *a = &x->answer;
    bool redirect = r->status == 302 || r->status == 303;
    x->detail = r->why;
    head_reset(a);
    if (!html && !redirect) {
        x->cause = cause_of_result(x->client, r);
        page_head(x->client->serving->snapshot->pages, x->cause, a, &html, &n);
    } else {
        a->status = r->status;
        a->reason = r->status == 302 ? "Found" : r->status == 303 ? "See Other" : r->status == 200 ? "OK" : "Sign-in";
    }
    for (size_t i = 0; i < r->headers_n; i++)
        head_add(a, r->headers[i].name, r->headers[i].value);
    x->read_all = r->status == 401;
    x->handshake = r->handshake;
    exchange_answer(x, html ? html : "", n);
}

static void pass(struct exchange *x, struct wait *w, struct gate_result *r)
{
    void (*go_on)(struct exchange *) = w->go_on;
    gate_cookies_remove(w->gate, &x->request);
    x->waiting = NULL;
    wait_free(w);
    x->who = r->who; /* the reference goes with it */
    x->added_n = r->headers_n;
    struct gate_header *added = arena_alloc(x->arena, (r->headers_n + 1) * sizeof *added);
    memcpy(added, r->headers, r->headers_n * sizeof *added);
    x->added = added;
    go_on(x);
}

static void follow(struct exchange *x, struct gate_result *r);

/* Nobody answers: libraries wait longer than people do. */
static void late(struct exchange *x)
{
    struct wait *w = x->waiting;
    struct gate_result r;
    gate_late(w->gate, &w->q, w->body.p, w->body.n, x->arena, &r);
    answer(x, &r);
}

static void job_run(struct job *j)
{
    gate_job_run(container_of(j, struct waiting_job, job)->gate);
}

static void job_done(struct job *j)
{
    struct waiting_job *k = container_of(j, struct waiting_job, job);
    struct exchange *x = exchange_find(j->loop, k->id);
    if (x && j->late) {
        late(x);
        gate_job_free(k->gate);
    } else if (x) {
        struct wait *w = x->waiting;
        struct gate_result r;
        w->q.now = x->loop->wall;
        gate_after(w->gate, &w->q, k->gate, x->arena, &r);
        follow(x, &r);
    } else {
        gate_job_free(k->gate);
    }
    serving_release(k->serving);
    free(k);
}

uint64_t signing_patience(const struct client *c)
{
    return (uint64_t)auth_patience(c->serving->signing->auth) * 1000;
}

static void submit(struct exchange *x, struct gate_job *gate)
{
    struct waiting_job *k = calloc(1, sizeof *k);
    if (!k)
        mem_fatal();
    *k = (struct waiting_job){ .job = { .loop = x->loop, .run = job_run, .done = job_done },
                               .gate = gate,
                               .id = exchange_wait(x),
                               .serving = serving_ref(x->client->serving) };
    k->job.until = exchange_deadline(x, signing_patience(x->client), late);
    if (jobs_submit(x->loop->jobs, gate_job_asks_kdc(gate) ? LANE_KERBEROS : LANE_OTHERS, &k->job))
        return;
    gate_job_free(gate);
    serving_release(k->serving);
    free(k);
    exchange_page(x, CAUSE_BUSY);
}

/* A form arrives: all of it is needed, and it is not long. */
static void on_body(struct exchange *x, const char *p, size_t n, bool end)
{
    struct wait *w = x->waiting;
    struct gate_result r;
    exchange_secret(x);
    if (w->body.n + n > GATE_BODY_BYTES) {
        exchange_page(x, CAUSE_TOO_LARGE);
        return;
    }
    buf_add(&w->body, p, n);
    if (!end)
        return;
    x->on_body = NULL;
    gate_body(w->gate, &w->q, w->body.p, w->body.n, x->arena, &r);
    follow(x, &r);
}

static void follow(struct exchange *x, struct gate_result *r)
{
    struct wait *w = x->waiting;
    switch (r->kind) {
    case GATE_PASS: pass(x, w, r); break;
    case GATE_ANSWER: answer(x, r); break;
    case GATE_JOB: submit(x, r->job); break;
    case GATE_BODY:
        exchange_wait(x);
        x->secret = true;
        buf_reserve(&w->body, GATE_BODY_BYTES); /* so that it does not grow, and leave a password behind */
        x->on_body = on_body;
        if (x->body_ended)
            on_body(x, "", 0, true);
        else
            x->front->want_body(x, true);
        break;
    }
}

/* Is any of the listener's rules for this name? */
static bool known_host(const struct snapshot *s, size_t listener, const char *host)
{
    const struct plan_listener *l = &s->plan->listeners.v[listener];
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct rule *r = s->plan->rules.v[l->rules.v[i]].rule;
        for (size_t k = 0; k < r->names.n; k++)
            if (name_matches(&r->names.v[k], host))
                return true;
        if (r->all_names)
            return true;
    }
    return false;
}

static void connection_free(void *p)
{
    gate_connection_end(p);
    free(p);
}

static struct gate_connection *connection_of(struct client *c)
{
    if (!c->identity) {
        c->identity = calloc(1, sizeof(struct gate_connection));
        if (!c->identity)
            mem_fatal();
        c->identity_free = connection_free;
    }
    return c->identity;
}

static bool is_place(const struct gate *g, const struct exchange *x)
{
    const char *rest;
    return g->forms != FORMS_NONE && place_of(target_path(x->target), &rest) != PLACE_NONE;
}

/* The name is the request's own: what the connection knows of its certificate may be found anew while this one waits. */
static void fill_certificate(struct exchange *x, struct gate_request *q)
{
    const struct shown *shown = shown_by(x->client);
    if (!shown || shown->state != SHOWN_GOOD)
        return;
    q->has_certificate = true;
    q->naming = shown->naming;
    if (shown->naming != NAMES_ACCOUNT)
        return;
    memcpy(q->certificate_id, shown->id, sizeof shown->id);
    q->certificate =
        (struct user_name){ arena_strdup(x->arena, shown->name.account), arena_strdup(x->arena, shown->name.domain),
                            arena_strdup(x->arena, shown->name.realm) };
}

static void fill(struct exchange *x, struct gate_request *q, bool forwards, bool place)
{
    const struct serving *serving = x->client->serving;
    const struct signing *s = serving->signing;
    const struct decision *d = &x->decision;
    const struct conf_rule *rule = forwards ? &serving->snapshot->config->rules.v[d->rule] : NULL;
    *q = (struct gate_request){ .head = &x->request,
                                .host = host_canonical(x->arena, x->host),
                                .authority = x->host ? x->host : "",
                                .tls = x->client->tls,
                                .address = x->client->address,
                                .now = x->loop->wall,
                                .has_rule = forwards,
                                .connection = connection_of(x->client),
                                /* A proxy in front puts several clients' requests on one connection. */
                                .shared = x->request.version == 20 || x->client->at->client_from == CLIENT_BY_HEADER };
    fill_certificate(x, q);
    if (place)
        q->known_host = known_host(serving->snapshot, x->client->at->listener, q->host);
    if (!rule)
        return;
    q->needs_user = d->answer == ANSWER_NEEDS_USER;
    q->anybody = rule->anybody;
    q->sets = s->sets[d->rule].v;
    q->sets_n = s->sets[d->rule].n;
    q->delegation = rule->delegation;
    q->claim = rule->client_certificate;
    q->logoff_url = rule->logoff_url;
}

bool signing_takes(struct exchange *x, void (*go_on)(struct exchange *x))
{
    const struct signing *s = x->client->serving->signing;
    size_t listener = x->client->at->listener;
    const struct gate *g = &s->gates[listener];
    if (!s->active[listener])
        return false;
    bool forwards = x->decision.answer == ANSWER_FORWARD || x->decision.answer == ANSWER_OPTIONS ||
                    x->decision.answer == ANSWER_NEEDS_USER;
    bool place = is_place(g, x) && x->decision.answer != ANSWER_HTTPS;
    if (!forwards && !place)
        return false;
    struct wait *w = arena_alloc(x->arena, sizeof *w);
    w->gate = g;
    w->go_on = go_on;
    x->waiting = w;
    x->waiting_free = wait_free;
    fill(x, &w->q, forwards, place);
    struct gate_result r;
    gate_ask(g, &w->q, x->arena, &r);
    follow(x, &r);
    return true;
}

void signing_answer(struct exchange *x)
{
    const struct gate *g = &x->client->serving->signing->gates[x->client->at->listener];
    if (g->forms != FORMS_NONE && x->answer.first[FIELD_SET_COOKIE])
        gate_set_cookies_remove(g, &x->answer);
    for (size_t i = 0; i < x->added_n; i++)
        head_add(&x->answer, x->added[i].name, x->added[i].value);
}

void signing_renewed(struct client *c)
{
    if (c->identity)
        gate_connection_end(c->identity);
}
