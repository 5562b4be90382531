/* plan_compression: which rules compress their answers, for which clients, and which ask their servers for compressed answers (B-65,
 * B-143). The source says it for the whole array, by clients and listeners; the site map may say otherwise. */
#include "compression.h"
#include "plan_parts.h"

struct compressing {
    struct making *m;
    const struct compression *c;
    struct plan_sources clients, servers; /* any and set; what is not known is in neither */
    ipset all_but;                        /* everybody but the exceptions among clients */
};

static bool has(const strings *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (ascii_casecmp(names->v[i], name) == 0)
            return true;
    return false;
}

static bool nobody(const struct sources *s)
{
    return !s->any && !s->addresses.n && !s->networks.n;
}

/* What a selection comes to; where something of it is not known it is for nobody. */
static struct plan_sources selected(struct making *m, const char *key, const char *setting, const struct sources *s)
{
    struct selected by = { NULL, &m->policy->compression.at, key, setting };
    struct plan_sources found = { 0 };
    if (!nobody(s))
        found = plan_sources(m, &by, s);
    if (found.unknown)
        return (struct plan_sources){ .unknown = true };
    return found;
}

/* By its listener, or else by clients; exceptions of either kind outrank both (B-22). */
static void for_whom(const struct compressing *x, struct plan_rule *r)
{
    bool listener = has(&x->c->listeners, r->listener->name);
    if (has(&x->c->except_listeners, r->listener->name))
        return;
    r->compresses_all = listener ? ipset_is_all(&x->all_but) : x->clients.any;
    if (!r->compresses_all)
        r->compresses_for = listener ? x->all_but : x->clients.set;
    r->compresses = r->compresses_all || r->compresses_for.n;
}

/* All of its servers must be among those that are asked: which of them answers is not known beforehand. */
static void whether_asked(const struct compressing *x, struct plan_rule *r)
{
    bool asked = r->forwards, named = false;
    for (int tls = 0; tls < 2 && !x->servers.any; tls++)
        for (size_t i = 0; i < r->to[tls].servers.n; i++) {
            uint32_t ip = 0;
            bool known = ip_parse(r->to[tls].servers.v[i].host, &ip);
            named |= !known;
            asked &= known && ipset_has(&x->servers.set, ip);
        }
    r->asks_gzip = asked;
    if (named && x->servers.set.n && r->forwards)
        plan_about(finding_add(x->m->f, F_COMPRESSION_ADDRESS,
                               "its published server is not asked for compressed answers: its address is not known"),
                   r->rule->name, &r->rule->at, "site", "RequestDestination");
}

static enum site_compression said_of(struct making *m, const struct plan_rule *r)
{
    const struct site_rule *said = site_rule(m->site, r->rule);
    return said && said->compression != COMPRESS_AS_SOURCE ? said->compression : m->site->compression;
}

static void plan_rule(const struct compressing *x, struct plan_rule *r)
{
    enum site_compression said = said_of(x->m, r);
    bool source = x->c->enabled && (x->c->types.list.n || x->c->types.except);
    if (!r->answers || !r->forwards || said == COMPRESS_NEVER)
        return;
    if (x->c->enabled)
        whether_asked(x, r);
    if (said == COMPRESS_ALWAYS)
        r->compresses = r->compresses_all = true;
    else if (source)
        for_whom(x, r);
}

void plan_compression(struct making *m)
{
    const struct compression *c = &m->policy->compression;
    struct compressing x = { .m = m, .c = c };
    struct sources rest = c->clients;
    if (c->enabled) {
        x.clients = selected(m, "compression.clients", "RequestSource", &c->clients);
        x.servers = selected(m, "compression.servers", "RequestDestination", &c->servers);
    }
    rest.any = true;
    rest.addresses = (ipset){ 0 };
    rest.networks = (strings){ 0 };
    struct plan_sources all_but = selected(m, "compression.clients", "RequestSource", &rest);
    if (all_but.any && !all_but.set.n)
        ipset_add(m->a, &all_but.set, 0, UINT32_MAX);
    x.all_but = all_but.set;
    for (size_t i = 0; i < m->plan->rules.n; i++)
        plan_rule(&x, &m->plan->rules.v[i]);
    m->plan->types = c->types;
    if (!c->types.list.n && !c->types.except)
        content_types_usual(m->a, &m->plan->types);
}
