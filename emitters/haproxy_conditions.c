/* haproxy_conditions: which rule answers. A `use_backend` line a rule, in the order of the rules, with what the rule asks
 * of a request: names, paths, sources, hours.
 */
#include "haproxy.h"
#include "../auth/place_names.h"
#include <string.h>

/* The conditions of one rule. What fits stands inside its use_backend line; a long list gets lines of its own,
 * which HAProxy takes as one where they share their name. */
struct conditions {
    struct strbuf inlined; /* " { … } { … }" */
    size_t words;
    const char *id; /* "rule_3" */
};

static bool fits(const struct conditions *c, size_t patterns)
{
    return c->words + patterns <= HAPROXY_PATTERNS;
}

static void add_named(struct conditions *c, const char *what)
{
    buf_printf(&c->inlined, " %s-%s", c->id, what);
    c->words++;
}

static size_t count_wildcards(const struct rule *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->names.n; i++)
        n += r->names.v[i].kind == NAME_WILDCARD;
    return n;
}

/* " a b c": the rule's exact names from *at on, or as a pattern its wildcards (D-02), so many that a line holds them. */
static const char *some_names(struct haproxy *h, const struct rule *r, bool wildcards, size_t *at)
{
    struct strbuf b = { 0 };
    VEC(struct public_name) some = { 0 };
    for (; *at < r->names.n && some.n < HAPROXY_PATTERNS; ++*at) {
        const struct public_name *n = &r->names.v[*at];
        if ((n->kind == NAME_WILDCARD) != wildcards)
            continue;
        vec_add(h->a, &some, *n);
        if (!wildcards)
            buf_printf(&b, " %s", haproxy_word(h, n->name));
    }
    if (wildcards && some.n) {
        const char *pattern = arena_printf(h->a, "^%s$", regex_names(h->a, some.v, some.n));
        if (regex_prove_names(pattern, some.v, some.n, h->err))
            h->failed = true;
        buf_printf(&b, " %s", haproxy_word(h, pattern));
    }
    const char *s = b.n ? arena_strndup(h->a, b.p, b.n) : NULL;
    buf_free(&b);
    return s;
}

static void name_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    static const char *const method[] = { "str", "reg" };
    size_t wildcards = count_wildcards(r->rule), exact = r->rule->names.n - wildcards;
    if (r->rule->all_names)
        return;
    bool named = (wildcards && exact) || !fits(c, exact) || wildcards > HAPROXY_PATTERNS;
    for (int wild = 0; wild < 2; wild++) {
        const char *names;
        for (size_t at = 0; (names = some_names(h, r->rule, wild, &at));) {
            if (named)
                write_line(&h->w, "acl %s-name var(txn.host) -m %s --%s", c->id, method[wild], names);
            else
                buf_printf(&c->inlined, " { var(txn.host) -m %s --%s }", method[wild], names);
        }
    }
    if (named)
        add_named(c, "name");
    else
        c->words += exact + wildcards;
}

static void path_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    const struct path *paths = r->rule->paths.v;
    size_t n = r->rule->paths.n;
    for (size_t i = 0; i < n; i++)
        if (paths[i].kind != PATH_EXACT && !*paths[i].external)
            return; /* the whole site, "*" included */
    if (n <= HAPROXY_PATTERNS) {
        buf_printf(&c->inlined, " { path -i -m reg %s }", haproxy_paths(h, paths, n));
        c->words++;
        return;
    }
    for (size_t i = 0; i < n; i += HAPROXY_PATTERNS)
        write_line(&h->w, "acl %s-path path -i -m reg %s", c->id,
                   haproxy_paths(h, paths + i, n - i < HAPROXY_PATTERNS ? n - i : HAPROXY_PATTERNS));
    add_named(c, "path");
}

/* "10.0.0.0/8", as many as make up the set. */
static strings cidr_words(struct haproxy *h, const ipset *set)
{
    strings blocks = { 0 };
    for (size_t i = 0; i < set->n; i++) {
        struct cidr some[64];
        size_t n = ip_range_cidrs(set->v[i], some);
        for (size_t k = 0; k < n; k++) {
            struct strbuf b = { 0 };
            buf_ip(&b, some[k].ip);
            if (some[k].bits < 32)
                buf_printf(&b, "/%u", some[k].bits);
            vec_add(h->a, &blocks, arena_strdup(h->a, b.p));
            buf_free(&b);
        }
    }
    return blocks;
}

static void write_source_lines(struct haproxy *h, const char *acl, const strings *blocks)
{
    for (size_t i = 0; i < blocks->n; i++) {
        if (i % HAPROXY_PATTERNS == 0) {
            write_raw(&h->w, i ? "\n" : "");
            write_indent(&h->w);
            write_raw(&h->w, "acl %s src", acl);
        }
        write_raw(&h->w, " %s", blocks->v[i]);
    }
    write_raw(&h->w, "\n");
}

void haproxy_sources(struct haproxy *h, const char *acl, const ipset *set)
{
    strings blocks = cidr_words(h, set);
    write_source_lines(h, acl, &blocks);
}

static void source_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    if (r->any_source)
        return;
    strings blocks = cidr_words(h, &r->sources);
    if (!fits(c, blocks.n)) {
        write_source_lines(h, arena_printf(h->a, "%s-source", c->id), &blocks);
        add_named(c, "source");
        return;
    }
    for (size_t i = 0; i < blocks.n; i++)
        buf_printf(&c->inlined, "%s %s", i ? "" : " { src", blocks.v[i]);
    buf_puts(&c->inlined, " }");
    c->words += blocks.n;
}

/* B-149 for web rules: the client's own port. */
static void port_conditions(struct conditions *c, const struct rule *r)
{
    if (r->source_port_low || r->source_port_high)
        buf_printf(&c->inlined, " { src_port %ld:%ld }", r->source_port_low, rule_last_port(r));
}

/* B-23: by the host's own time, as in the source. Without a schedule the rule holds at all hours, or nobody knows at which, and
 * then it is closed. */
static void schedule_conditions(struct haproxy *h, struct conditions *c, const struct plan_rule *r)
{
    static const char *const days[] = { "0", "1", "2", "3", "4", "5", "6" };
    static const struct hour_spelling spelling = { days, "", "$", "", "" };
    const struct schedule *s = policy_schedule(h->plan->policy, r->rule->schedule);
    if (!s)
        return;
    const char *pattern = regex_schedule(h->a, s, &spelling);
    if (regex_prove_schedule(pattern, s, &spelling, h->err))
        h->failed = true;
    buf_printf(&c->inlined, " { var(txn.hour) -m reg %s }", haproxy_word(h, pattern));
    c->words++;
}

/* The line, or the two where the client's scheme has a backend of its own. */
static void write_use(struct haproxy *h, const struct plan_rule *r, const struct conditions *c)
{
    const char *conditions = c->inlined.n ? c->inlined.p : "";
    if (haproxy_splits(h->plan, r))
        write_line(&h->w, "use_backend %s if !{ ssl_fc }%s", haproxy_backend(h, r, true), conditions);
    write_line(&h->w, "use_backend %s%s%s", haproxy_backend(h, r, false), *conditions ? " if" : "", conditions);
}

void haproxy_form_places(struct haproxy *h, const struct plan_listener *l)
{
    bool any = false;
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &h->plan->rules.v[l->rules.v[i]];
        struct conditions c = { .id = arena_printf(h->a, "form_%u", (unsigned)(r->index + 1)) };
        if (!haproxy_through(r) || l->listener->forms == FORMS_NONE || haproxy_no_client(r))
            continue;
        if (!any) {
            write_line(&h->w, "# publishd's sign-in form, and the source's address of it (B-84)");
            write_line(&h->w, "acl sign_in_form path_beg " PLACES);
            write_line(&h->w, "acl sign_in_form path -i -m str" PLACES_OLD);
        }
        any = true;
        buf_puts(&c.inlined, " sign_in_form");
        name_conditions(h, &c, r);
        write_use(h, r, &c);
        buf_free(&c.inlined);
    }
}

void haproxy_dispatch(struct haproxy *h, const struct plan_rule *r)
{
    struct conditions c = { .id = arena_printf(h->a, "rule_%u", (unsigned)(r->index + 1)) };
    if (haproxy_no_client(r))
        return; /* the block says so */
    name_conditions(h, &c, r);
    path_conditions(h, &c, r);
    source_conditions(h, &c, r);
    schedule_conditions(h, &c, r);
    port_conditions(&c, r->rule);
    write_use(h, r, &c);
    buf_free(&c.inlined);
}
