/* advice: what looks wrong in the source itself. The two field notes that began the project are here: Lync simple
 * URLs that need the original Host header and their names among the public names, and Exchange behind an Integrated
 * listener with constrained delegation.
 */
#include "emit.h"

#include <string.h>

static struct finding *on_rule(struct findings *f, enum finding_id id, const struct rule *r, const char *key,
                               const char *setting, const char *message)
{
    struct finding *x = finding_add(f, id, "%s", message);
    x->subject = SUBJECT_RULE;
    x->name = r->name;
    x->guid = r->at.guid;
    x->line = origin_line(&r->at, key);
    x->setting = setting;
    return x;
}

static bool contains(const char *text, const char *word)
{
    for (size_t n = strlen(word); text && *text; text++)
        if (ascii_ncasecmp(text, word, n) == 0)
            return true;
    return false;
}

/* ---- Lync and OCS web services --------------------------------------------- */

/* A host label that begins with one of the words: "meet", "dialin-eu". */
static bool first_label(const char *host, const char *const *words)
{
    for (; *words; words++)
        if (ascii_ncasecmp(host, *words, strlen(*words)) == 0)
            return true;
    return false;
}

static const char *const meet_names[] = { "meet", "join", NULL }, *const dialin_names[] = { "dialin", "dial-in", NULL },
                         *const lync_names[] = { "meet", "dialin", "dial-in", "lyncdiscover", "lyncweb", "lync",
                                                 "ocs",  "skype",  "sfb",     "webcon",       "csweb",   NULL };

static bool has_name(const struct rule *r, const char *const *words)
{
    for (size_t i = 0; i < r->names.n; i++)
        if (r->names.v[i].kind == NAME_WILDCARD || first_label(r->names.v[i].name, words))
            return true;
    return r->all_names;
}

static bool has_own_name(const struct rule *r, const char *const *words)
{
    for (size_t i = 0; i < r->names.n; i++)
        if (r->names.v[i].kind == NAME_EXACT && first_label(r->names.v[i].name, words))
            return true;
    return false;
}

static bool has_path(const struct rule *r, const char *const *paths)
{
    for (size_t i = 0; i < r->paths.n; i++)
        for (const char *const *p = paths; *p; p++)
            if (ascii_casecmp(r->paths.v[i].external, *p) == 0)
                return true;
    return false;
}

/* B-46: 443 to 4443 and 80 to 8080 is the web services' bridging; else the names or paths give it away. */
static bool is_lync(const struct rule *r)
{
    static const char *const paths[] = { "/meet",      "/dialin", "/abs",  "/groupexpansion",
                                         "/webticket", "/reach",  "/ucwa", NULL };
    bool ports = r->ssl_port == 4443 && r->bridging != BRIDGE_HTTP;
    bool names = has_own_name(r, lync_names);
    bool words = contains(r->name, "lync") || contains(r->name, "ocs ") || contains(r->name, "skype for business") ||
                 contains(r->name, "communications server");
    return ports || has_path(r, paths) || (names && (words || r->http_port == 8080)) ||
           (has_own_name(r, meet_names) && has_own_name(r, dialin_names));
}

/* The simple URLs may be published by a rule of their own, so ask the whole listener. */
static bool listener_has_name(const struct plan *p, const struct plan_rule *r, const char *const *words)
{
    const struct plan_listener *l = &p->listeners.v[r->listener - p->policy->listeners.v];
    for (size_t i = 0; i < l->rules.n; i++)
        if (p->policy->rules.v[l->rules.v[i]].action == ACTION_ALLOW &&
            has_name(&p->policy->rules.v[l->rules.v[i]], words))
            return true;
    return false;
}

static void advise_lync(const struct plan *p, const struct plan_rule *r, struct findings *f)
{
    const struct rule *rule = r->rule;
    if (!rule->forward_host)
        on_rule(
            f, F_LYNC_HOST, rule, "forward_host", "SendOriginalHostHeader",
            arena_printf(
                f->arena,
                "the original host header is not forwarded: the meet and dial-in URLs reach the server as %s and fail",
                rule->site ? rule->site : "its internal name"));
    /* The discovery rule on port 80 is not about simple URLs. */
    if (has_own_name(rule, (const char *const[]){ "lyncdiscover", NULL }) && rule->names.n == 1)
        return;
    bool meet = listener_has_name(p, r, meet_names), dialin = listener_has_name(p, r, dialin_names);
    if (!meet || !dialin)
        on_rule(f, F_LYNC_NAMES, rule, "names", "PublicNames",
                arena_printf(f->arena,
                             "no rule of the listener has %s among its public names: requests for %s are not answered",
                             meet     ? "a dial-in name"
                             : dialin ? "a meet name"
                                      : "the meet and dial-in names",
                             meet     ? "that simple URL"
                             : dialin ? "that simple URL"
                                      : "these simple URLs"));
}

/* ---- Exchange with constrained delegation behind an Integrated listener ------ */

static bool is_exchange(const struct rule *r)
{
    static const char *const paths[] = { "/owa",
                                         "/ecp",
                                         "/ews",
                                         "/autodiscover",
                                         "/rpc",
                                         "/rpcwithcert",
                                         "/oab",
                                         "/mapi",
                                         "/exchange",
                                         "/microsoft-server-activesync",
                                         "/autodiscover/autodiscover.xml",
                                         "/unifiedmessaging",
                                         "/public",
                                         "/exchweb",
                                         NULL };
    return r->application == 1 || has_path(r, paths);
}

static void advise_kcd(const struct plan *p, const struct plan_rule *r, struct findings *f)
{
    const struct rule *rule = r->rule;
    on_rule(
        f, F_KCD_EMPTY_POST, rule, "delegation", "CredentialsDelegationType",
        "Exchange behind an Integrated listener with constrained delegation: clients send empty POSTs as the first leg of a handshake, and the source forwarded them");
    const struct parameter *offer = policy_parameter(p->policy, "OfferNTLMOnly");
    if (!offer || strcmp(offer->value, "0") == 0)
        on_rule(
            f, F_KCD_NEGOTIATE, rule, "delegation", "IntegratedWindowsAuthentication",
            "the Integrated listener offers Negotiate: Communicator and other clients without a ticket try it and fail where NTLM alone works");
}

/* ---- rules that cannot answer -------------------------------------------------- */

static bool name_covered(const struct public_name *n, const struct rule *by)
{
    for (size_t i = 0; i < by->names.n; i++) {
        const struct public_name *m = &by->names.v[i];
        if (strcmp(n->name, m->name) == 0 && n->kind == m->kind)
            return true;
        if (m->kind == NAME_WILDCARD && name_matches(m, n->kind == NAME_WILDCARD ? n->name + 1 : n->name) &&
            n->kind != NAME_ADDRESS)
            return true;
    }
    return by->all_names;
}

static bool path_covered(const struct path *p, const struct rule *by)
{
    size_t n = strlen(p->external);
    for (size_t i = 0; i < by->paths.n; i++) {
        const struct path *q = &by->paths.v[i];
        bool literal = path_matches(q, p->external, n) || (!*q->external && q->kind == PATH_PREFIX);
        /* A stem goes on after its literal with any letter, so only a shorter stem, or a prefix that ends before it, covers it. */
        if (literal && (q->kind != PATH_EXACT || p->kind == PATH_EXACT) &&
            (p->kind != PATH_STEM || q->kind == PATH_STEM || strlen(q->external) < n))
            return true;
    }
    return false;
}

/* Every request that r matches is taken by `by`, one single earlier rule of the same listener. */
static bool covered(const struct plan_rule *r, const struct plan_rule *by)
{
    const struct rule *x = r->rule, *y = by->rule;
    if (!by->any_source || by->sources_unknown || y->schedule || y->source_port_low || y->source_port_high ||
        (x->all_names && !y->all_names))
        return false;
    for (size_t i = 0; i < x->names.n && !x->all_names; i++)
        if (!name_covered(&x->names.v[i], y))
            return false;
    for (size_t i = 0; i < x->paths.n; i++)
        if (!path_covered(&x->paths.v[i], y))
            return false;
    return true;
}

/* ---- rules that a spelling goes past --------------------------------------------- */

static bool has_text(const strings *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (ascii_casecmp(list->v[i], text) == 0)
            return true;
    return false;
}

/* by refuses somebody whom r lets have the same: everybody, or users of a set that by does not name. */
static bool stricter(const struct plan_rule *r, const struct plan_rule *by)
{
    const struct rule *x = r->rule, *y = by->rule;
    if (y->action == ACTION_DENY)
        return true;
    bool same = x->site && y->site && ascii_casecmp(x->site, y->site) == 0;
    if (!same || !by->needs_user || !r->needs_user)
        return same && by->needs_user;
    for (size_t i = 0; i < x->users.n && !y->all_users; i++)
        if (!has_text(&y->users, x->users.v[i]))
            return true;
    return false;
}

/* A path of by lies below one of r that leaves paths as they are. */
static bool path_below(const struct path *p, const struct rule *r)
{
    size_t n = strlen(p->external);
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct path *q = &r->paths.v[i];
        if (q->kind == PATH_PREFIX && !q->internal && strlen(q->external) < n && path_matches(q, p->external, n))
            return true;
    }
    return false;
}

/* Paths are compared as they are sent (D-03): "/%61dmin" is not below /admin, and what by refuses there r may send on. */
static bool spelled_past(const struct plan_rule *r, const struct plan_rule *by)
{
    const struct rule *x = r->rule, *y = by->rule;
    bool name = x->all_names || y->all_names, path = false;
    if (x->action == ACTION_DENY || !stricter(r, by))
        return false;
    for (size_t i = 0; i < y->names.n && !name; i++)
        name = name_covered(&y->names.v[i], x);
    for (size_t i = 0; i < y->paths.n && name && !path; i++)
        path = path_below(&y->paths.v[i], x);
    return path;
}

/* ---- each rule beside the earlier ones ------------------------------------------------ */

/* The earlier rules of a listener that could concern one: those with all names, with a wildcard, or with the rule's own first
 * name. Candidates are capped, so that 20,000 rules stay cheap. */
enum { CANDIDATES = 64 };
struct earlier {
    const struct plan *p;
    VEC(uint32_t) broad;
    uint32_t *last, *chain;
    size_t buckets;
};

static uint32_t *bucket_of(struct earlier *e, const struct rule *r)
{
    size_t h = 5381;
    for (const char *c = r->all_names ? "" : r->names.v[0].name; *c; c++)
        h = h * 33 + (unsigned char)*c;
    return &e->last[h & (e->buckets - 1)];
}

/* NULL: none of them is so to r. */
static const struct plan_rule *find_earlier(struct earlier *e, const struct plan_rule *r,
                                            bool (*is_so)(const struct plan_rule *r, const struct plan_rule *by))
{
    int tried = 0;
    for (size_t k = 0; k < e->broad.n && k < CANDIDATES; k++)
        if (is_so(r, &e->p->rules.v[e->broad.v[k]]))
            return &e->p->rules.v[e->broad.v[k]];
    for (uint32_t k = *bucket_of(e, r->rule); k && tried < CANDIDATES; k = e->chain[k - 1], tried++)
        if (is_so(r, &e->p->rules.v[k - 1]))
            return &e->p->rules.v[k - 1];
    return NULL;
}

static void add_earlier(struct earlier *e, const struct plan_rule *r, struct arena *a)
{
    uint32_t *bucket = bucket_of(e, r->rule);
    bool wild = r->rule->all_names;
    e->chain[r->index] = *bucket;
    *bucket = r->index + 1;
    for (size_t k = 0; k < r->rule->names.n && !wild; k++)
        wild = r->rule->names.v[k].kind == NAME_WILDCARD;
    if (wild)
        vec_add(a, &e->broad, r->index);
}

static void advise_order(const struct plan *p, const struct plan_listener *l, struct findings *f)
{
    struct arena *a = arena_new();
    struct earlier e = { .p = p, .buckets = 1 };
    while (e.buckets < l->rules.n * 2)
        e.buckets *= 2;
    e.last = arena_alloc(a, e.buckets * sizeof *e.last);
    e.chain = arena_alloc(a, (p->rules.n + 1) * sizeof *e.chain);
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &p->rules.v[l->rules.v[i]], *by = find_earlier(&e, r, covered),
                               *past = by ? NULL : find_earlier(&e, r, spelled_past);
        if (by)
            on_rule(f, F_SHADOWED, r->rule, "", "Order",
                    arena_printf(f->arena,
                                 "can never answer: rule %u \"%s\" (line %u) takes every request that it would match",
                                 by->index + 1, by->rule->name, by->rule->at.line));
        if (past)
            on_rule(
                f, F_SPELLED_PAST, r->rule, "paths", "PathMappings",
                arena_printf(f->arena,
                             "takes paths that rule %u \"%s\" (line %u) protects, where a client writes a letter of "
                             "them percent-encoded",
                             past->index + 1, past->rule->name, past->rule->at.line));
        add_earlier(&e, r, a);
    }
    arena_free(a);
}

/* The source did so too, whence it is no difference; once for all rules. */
static void advise_compression(const struct plan *p, size_t rules, struct findings *f)
{
    if (!rules)
        return;
    struct finding *x =
        finding_add(f, F_COMPRESSED_SECRETS, "answers of %zu rule%s are compressed over HTTPS, as in the source", rules,
                    rules == 1 ? "" : "s");
    x->line = p->policy->compression.at.line;
    x->setting = "HTTPCompressionConfiguration";
}

void advise(const struct plan *p, struct findings *f)
{
    size_t compressed = 0;
    for (size_t i = 0; i < p->rules.n; i++) {
        const struct plan_rule *r = &p->rules.v[i];
        const struct rule *rule = r->rule;
        compressed += r->compresses && p->listeners.v[r->listener - p->policy->listeners.v].https;
        if (!r->answers || rule->action == ACTION_DENY)
            continue;
        if (is_lync(rule))
            advise_lync(p, r, f);
        if (rule->delegation == DELEGATE_KERBEROS && r->listener->integrated && is_exchange(rule))
            advise_kcd(p, r, f);
        if (!r->any_source && !r->sources.n)
            on_rule(f, F_NEVER_MATCHES, rule, "sources", "SourceSelectionIPs",
                    "can match no request: its exceptions leave no client address");
        for (size_t k = 0; k < rule->names.n; k++)
            if (rule->site && !rule->server && !rule->farm && strcmp(rule->site, rule->names.v[k].name) == 0 &&
                strcmp(r->to[1].servers.v[0].host, rule->site) == 0)
                on_rule(
                    f, F_LOOP, rule, "site", "WebSite",
                    arena_printf(
                        f->arena,
                        "its published server %s is one of its public names; where that resolves to the proxy, requests loop",
                        rule->site));
    }
    for (size_t i = 0; i < p->listeners.n; i++) {
        const struct plan_listener *l = &p->listeners.v[i];
        if (l->http && listener_authenticates(l->listener) && l->listener->redirect == HTTPS_REDIRECT_NEVER) {
            struct finding *x = finding_add(f, F_HTTP_AUTH, "takes credentials over plain HTTP on port %u", l->http);
            x->subject = SUBJECT_LISTENER;
            x->name = l->listener->name;
            x->guid = l->listener->at.guid;
            x->line = origin_line(&l->listener->at, "http");
            x->setting = "TCPPort";
        }
        advise_order(p, l, f);
    }
    advise_compression(p, compressed, f);
}
