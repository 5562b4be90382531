/* diff_facts: all that decide() reads of a rule, and all that acts on what it forwards, as texts that are numbered:
 * equal numbers, equal meaning. Names that only label things are not in them. */
#include "diff_internal.h"

#include <stdlib.h>
#include <string.h>

struct numbered {
    const char *text;
    size_t *number;
};
struct making {
    struct diffing *d;
    struct arena *a; /* of the texts */
    VEC(struct numbered) texts;
    const char *array_wide; /* of the side in hand: vendor parameters of the whole array */
    const struct content_types *types;
    const char *with_links; /* the same and the array's dictionary of link translation */
    const char **sign_in;   /* of each listener */
    const char **hours;     /* of each schedule */
};

static void number(struct making *m, const char *text, size_t *where)
{
    *vec_push(m->a, &m->texts) = (struct numbered){ text, where };
}

static const char *taken(struct making *m, struct strbuf *b)
{
    const char *s = arena_strndup(m->a, b->p ? b->p : "", b->n);
    buf_free(b);
    return s;
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static void sort(strings *s)
{
    if (s->n)
        qsort(s->v, s->n, sizeof *s->v, by_text);
}

static void sort_unique(strings *s)
{
    size_t kept = 0;
    sort(s);
    for (size_t i = 0; i < s->n; i++)
        if (!kept || strcmp(s->v[kept - 1], s->v[i]) != 0)
            s->v[kept++] = s->v[i];
    s->n = kept;
}

static void add_sorted(struct strbuf *b, strings *s)
{
    sort(s);
    for (size_t i = 0; i < s->n; i++)
        buf_printf(b, "%s%s", i ? ", " : "", s->v[i]);
}

const char *upstream_text(struct arena *a, const struct plan_upstream *u)
{
    struct strbuf b = { 0 };
    strings servers = { 0 };
    for (size_t i = 0; i < u->servers.n; i++)
        vec_add(a, &servers,
                arena_printf(a, "%s:%u%s", u->servers.v[i].host, u->servers.v[i].port,
                             u->servers.v[i].drained ? " (drained)" : ""));
    buf_puts(&b, u->tls ? "https " : "http ");
    add_sorted(&b, &servers);
    const char *out = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return out;
}

/* ---- users -------------------------------------------------------------------------- */

/* Whoever is signed in, however the policy describes the set. */
static bool is_everybody(const char *set)
{
    return ascii_casecmp(set, "All Authenticated Users") == 0;
}

static const char *lower(struct arena *a, const char *s)
{
    char *out = arena_strdup(a, s);
    for (char *p = out; *p; p++)
        *p = ascii_lower(*p);
    return out;
}

/* The accounts and groups of a set, the site map's among them. A set that nobody describes has a member that only it has. */
static void set_accounts(struct arena *a, const struct plan *p, const char *set, strings *out)
{
    const struct user_set *s = policy_user_set(p->policy, set);
    const struct site_users *said = site_users(p->site, set);
    size_t before = out->n;
    for (size_t i = 0; s && i < s->accounts.n; i++)
        vec_add(a, out,
                lower(a, s->accounts.v[i].name  ? s->accounts.v[i].name
                         : s->accounts.v[i].sid ? s->accounts.v[i].sid
                                                : "?"));
    for (size_t i = 0; said && i < said->users.n; i++)
        vec_add(a, out, lower(a, said->users.v[i]));
    for (size_t i = 0; said && i < said->groups.n; i++)
        vec_add(a, out, lower(a, said->groups.v[i]));
    if (out->n == before)
        vec_add(a, out, lower(a, arena_printf(a, "a member of %s", set)));
}

void sets_holding(struct arena *a, const struct plan *p, const struct rule *r, const char *account, strings *out)
{
    for (size_t i = 0; i < r->users.n; i++) {
        strings accounts = { 0 };
        bool holds = is_everybody(r->users.v[i]);
        if (!holds && account)
            set_accounts(a, p, r->users.v[i], &accounts);
        for (size_t k = 0; k < accounts.n && !holds; k++)
            holds = strcmp(accounts.v[k], account) == 0;
        if (holds)
            vec_add(a, out, r->users.v[i]);
    }
}

static void note_accounts(struct making *m, const struct plan *p, const struct plan_rule *pr, struct facts *f)
{
    const struct rule *r = pr->rule;
    for (size_t i = 0; !r->all_users && i < r->users.n; i++) {
        if (is_everybody(r->users.v[i]))
            f->everybody = true;
        else
            set_accounts(m->d->out->arena, p, r->users.v[i], &f->accounts);
    }
    sort_unique(&f->accounts);
}

/* ---- the texts ------------------------------------------------------------------------ */

static const char *path_text(struct making *m, const struct path *p)
{
    return arena_printf(m->a, "%s?%d%s%s", lower(m->a, p->external), (int)p->kind, p->internal ? ">" : "",
                        p->internal ? p->internal : "");
}

/* In trying order; a path that is there twice counts once. */
static void add_paths(struct making *m, struct strbuf *b, const struct rule *r)
{
    const char *above = "";
    for (size_t i = 0; i < r->paths.n; i++) {
        const char *text = path_text(m, &r->paths.v[i]);
        if (strcmp(text, above) != 0)
            buf_printf(b, " %s", text);
        above = text;
    }
    buf_putc(b, '\n');
}

/* Paths that are sent on under another name: they decide how the server's redirects are mapped back (D-15). */
static void add_rewriting(struct making *m, struct strbuf *b, const struct rule *r)
{
    strings pairs = { 0 };
    for (size_t i = 0; i < r->paths.n; i++)
        if (r->paths.v[i].internal)
            vec_add(m->a, &pairs, path_text(m, &r->paths.v[i]));
    sort_unique(&pairs);
    add_sorted(b, &pairs);
}

/* D-05 asks this of the answering rule: does it publish everything, which paths go on as they are. */
static const char *dots_text(struct making *m, const struct rule *r)
{
    struct strbuf b = { 0 };
    strings paths = { 0 };
    if (rule_publishes_all(r))
        return "all";
    for (size_t i = 0; i < r->paths.n; i++)
        if (!r->paths.v[i].internal)
            vec_add(m->a, &paths,
                    arena_printf(m->a, "%s?%d", lower(m->a, r->paths.v[i].external), (int)r->paths.v[i].kind));
    buf_puts(&b, "paths ");
    add_sorted(&b, &paths);
    return taken(m, &b);
}

/* Whether its answers are compressed, and for whom (B-65). */
static void add_compression(struct making *m, struct strbuf *b, const struct plan_rule *r)
{
    const struct content_types *t = m->types;
    bool asks = r->asks_gzip && !r->rule->accept_encoding;
    buf_printf(b, "%d %d %d %d %d ", r->compresses, r->compresses_all, asks, r->compresses && t->except,
               r->compresses && t->untyped);
    for (size_t i = 0; r->compresses && !r->compresses_all && i < r->compresses_for.n; i++)
        buf_printf(b, "%x-%x ", r->compresses_for.v[i].from, r->compresses_for.v[i].to);
    strings types = { 0 };
    for (size_t i = 0; r->compresses && i < t->list.n; i++)
        vec_add(m->a, &types, t->list.v[i]);
    add_sorted(b, &types);
}

/* What the rule's table says of forwarded requests, less what has no effect in this rule. */
static const char *handling_text(struct making *m, const struct plan_rule *pr)
{
    const struct rule *r = pr->rule;
    struct rule copy = *r;
    if (r->action == ACTION_DENY)
        return "";
    if (!r->translate_links) {
        copy.link_mode = copy.link_options = 0;
        memset(&copy.code_pages, 0, sizeof copy.code_pages);
        memset(&copy.links, 0, sizeof copy.links);
        memset(&copy.link_patterns, 0, sizeof copy.link_patterns);
    }
    if (r->delegation == DELEGATE_NONE_PASS || r->delegation == DELEGATE_NONE_BLOCK)
        copy.strip_domain = false;
    if (!pr->farm)
        copy.affinity_by_address = false;
    if (r->require_ssl == 1)
        copy.require_ssl = 0; /* decide() knows it; 128 bits it does not */
    copy.spn = NULL;          /* what counts is what it stands for, and only for two kinds of delegation */
    copy.farm = NULL;         /* a name; the members count */
    memset(&copy.paths, 0, sizeof copy.paths);
    struct strbuf b = { 0 };
    bool spn = r->delegation == DELEGATE_NEGOTIATE || r->delegation == DELEGATE_KERBEROS;
    strings spns = { 0 };
    for (size_t i = 0; spn && i < r->spns.n; i++)
        vec_add(m->a, &spns, r->spns.v[i]);
    buf_puts(&b, fields_text(m->a, DIFF_RULE, &copy, DIFFERS_HANDLING));
    add_sorted(&b, &spns);
    add_rewriting(m, &b, r);
    add_compression(m, &b, pr);
    buf_printf(&b, "%d\n%s", r->delegation_possible, r->translate_links ? m->with_links : m->array_wide);
    return taken(m, &b);
}

/* What the site map says of the rule: it goes by the rule's name, and a new name may leave it behind. */
static const char *site_text(struct making *m, const struct plan *p, const struct plan_rule *pr)
{
    struct strbuf b = { 0 };
    buf_printf(&b, "%d %d %s", pr->websocket, pr->x_forwarded_for, pr->via ? pr->via : "");
    for (size_t i = 0; i < p->site->accept.n; i++) {
        const struct site_accept *x = &p->site->accept.v[i];
        if (x->rule && pr->rule->name && ascii_casecmp(x->rule, pr->rule->name) == 0)
            buf_printf(&b, " %u %s", x->code, x->target ? x->target : "");
    }
    return taken(m, &b);
}

static void add_conditions(struct making *m, struct strbuf *b, const struct plan *p, const struct plan_rule *pr)
{
    const struct rule *r = pr->rule;
    strings names = { 0 };
    for (size_t i = 0; !r->all_names && i < r->names.n; i++)
        vec_add(m->a, &names, r->names.v[i].name);
    buf_puts(b, r->all_names ? "all" : "");
    add_sorted(b, &names);
    add_paths(m, b, r);
    for (size_t i = 0; !pr->any_source && !pr->sources_unknown && i < pr->sources.n; i++)
        buf_printf(b, "%x-%x ", pr->sources.v[i].from, pr->sources.v[i].to);
    const struct schedule *s = policy_schedule(p->policy, r->schedule);
    buf_printf(b, "\n%d %d %s %d\n", pr->any_source, pr->sources_unknown, s ? m->hours[s - p->policy->schedules.v] : "",
               r->schedule_unknown);
}

static void make_facts(struct making *m, const struct plan *p, const struct plan_rule *pr, struct facts *f)
{
    const struct rule *r = pr->rule;
    const struct plan_listener *l = pr->listener ? &p->listeners.v[pr->listener - p->policy->listeners.v] : NULL;
    const char *to[2] = { upstream_text(m->a, &pr->to[0]), upstream_text(m->a, &pr->to[1]) };
    const char *handling = handling_text(m, pr);
    const char *sign_in = l && (pr->needs_user || l->listener->always_authenticate)
                              ? m->sign_in[pr->listener - p->policy->listeners.v]
                              : "";
    const char *site = site_text(m, p, pr);
    const char *dots = dots_text(m, r);
    struct strbuf b = { 0 };
    note_accounts(m, p, pr, f);
    f->certain = (pr->any_source || pr->sources_unknown) && !r->schedule;
    add_conditions(m, &b, p, pr);
    buf_printf(&b, "%d %s\n%d %d %d\n%s\n%s\n%s\n", r->action, r->redirect_url ? r->redirect_url : "-",
               r->require_ssl != 0, pr->forwards, pr->needs_user, pr->forwards ? to[0] : "", pr->forwards ? to[1] : "",
               r->forward_host ? "own"
               : r->site       ? r->site
                               : "");
    buf_printf(&b, "%d %d ", r->all_users, f->everybody);
    add_sorted(&b, &f->accounts);
    if (l)
        buf_printf(&b, "\n%d %d %u", l->listener->redirect,
                   r->delegation == DELEGATE_NONE_PASS && !listener_authenticates(l->listener), l->https);
    buf_printf(&b, "\n%s\n%s\n%s", handling, sign_in, site);
    number(m, taken(m, &b), &f->all);
    for (int tls = 0; tls < 2; tls++)
        number(m, to[tls], &f->to[tls]);
    number(m, handling, &f->handling);
    number(m, sign_in, &f->sign_in);
    number(m, site, &f->site);
    number(m, dots, &f->dots);
}

static int by_numbered(const void *x, const void *y)
{
    return strcmp(((const struct numbered *)x)->text, ((const struct numbered *)y)->text);
}

void diff_make_facts(struct diffing *d)
{
    struct making m = { .d = d, .a = arena_new() };
    for (int side = 0; side < 2; side++) {
        const struct plan *p = d->plan[side];
        const struct policy *policy = p->policy;
        struct policy bare = *policy;
        m.types = &p->types;
        bare.compression = (struct compression){ .enabled = true }; /* what it comes to is each rule's */
        m.with_links = fields_text(m.a, DIFF_POLICY, &bare, DIFFERS_HANDLING);
        memset(&bare.links, 0, sizeof bare.links);
        m.array_wide = fields_text(m.a, DIFF_POLICY, &bare, DIFFERS_HANDLING);
        m.sign_in = arena_alloc(m.a, (policy->listeners.n + 1) * sizeof *m.sign_in);
        m.hours = arena_alloc(m.a, (policy->schedules.n + 1) * sizeof *m.hours);
        for (size_t i = 0; i < policy->listeners.n; i++)
            m.sign_in[i] = fields_text(m.a, DIFF_LISTENER, &policy->listeners.v[i], DIFFERS_SIGN_IN);
        for (size_t i = 0; i < policy->schedules.n; i++)
            m.hours[i] = arena_printf(m.a, "hours %s",
                                      fields_text(m.a, DIFF_SCHEDULE, &policy->schedules.v[i], DIFFERS_SCHEDULE));
        d->facts[side] = arena_alloc(d->scratch, (p->rules.n + 1) * sizeof *d->facts[side]);
        for (size_t i = 0; i < p->rules.n; i++)
            make_facts(&m, p, &p->rules.v[i], &d->facts[side][i]);
    }
    if (m.texts.n)
        qsort(m.texts.v, m.texts.n, sizeof *m.texts.v, by_numbered);
    for (size_t i = 0, n = 0; i < m.texts.n; i++) {
        n += i && strcmp(m.texts.v[i - 1].text, m.texts.v[i].text) != 0;
        *m.texts.v[i].number = n;
    }
    arena_free(m.a);
}
