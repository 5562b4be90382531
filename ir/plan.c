/* plan: the site map applied to the policy. See plan.h. */
#include "plan_parts.h"

#include <stdlib.h>
#include <string.h>

struct finding *plan_about(struct finding *x, const char *name, const struct origin *at, const char *key,
                           const char *setting)
{
    x->subject = SUBJECT_RULE;
    x->name = name;
    x->guid = at->guid;
    x->line = origin_line(at, key);
    x->setting = setting;
    return x;
}

static struct finding *on_rule(struct finding *x, const struct rule *r, const char *key, const char *setting)
{
    return plan_about(x, r->name, &r->at, key, setting);
}

static struct finding *on_listener(struct finding *x, const struct listener *l, const char *key, const char *setting)
{
    x->subject = SUBJECT_LISTENER;
    x->name = l->name;
    x->guid = l->at.guid;
    x->line = origin_line(&l->at, key);
    x->setting = setting;
    return x;
}

/* ---- networks ----------------------------------------------------------- */

/* What a network name stands for. Networks that stand for "all others" are asked for with depth 0 only: a set of
 * sets does not occur in the source, and a loop in a hand-edited policy must end. */
static bool network_addresses(struct making *m, const char *name, ipset *out, int depth);

/* Union of the networks that count as internal: everything plain whose addresses are known. */
static bool known_networks(struct making *m, ipset *out)
{
    const struct policy *p = m->policy;
    bool any = false;
    for (size_t i = 0; i < p->networks.n; i++) {
        ipset one;
        if (p->networks.v[i].kind != NETWORK_PLAIN || !network_addresses(m, p->networks.v[i].name, &one, 1))
            continue;
        ipset sum;
        ipset_union(m->a, &sum, out, &one);
        *out = sum;
        any = true;
    }
    /* networks that only the site map knows */
    for (size_t i = 0; i < m->site->networks.n; i++) {
        const struct site_network *n = &m->site->networks.v[i];
        if (policy_network(p, n->key))
            continue;
        ipset sum;
        ipset_union(m->a, &sum, out, &n->addresses);
        *out = sum;
        any = true;
    }
    return any;
}

static void everywhere(struct making *m, ipset *out)
{
    *out = (ipset){ 0 };
    ipset_add(m->a, out, 0, UINT32_MAX);
}

static bool set_addresses(struct making *m, const struct network *n, ipset *out, int depth)
{
    *out = (ipset){ 0 };
    for (size_t i = 0; i < n->members.n; i++) {
        ipset one, sum;
        if (depth > 3 || !network_addresses(m, n->members.v[i], &one, depth + 1))
            return false;
        ipset_union(m->a, &sum, out, &one);
        *out = sum;
    }
    if (n->kind == NETWORK_SET_EXCEPT) {
        ipset all, rest;
        everywhere(m, &all);
        ipset_minus(m->a, &rest, &all, out);
        *out = rest;
    }
    return true;
}

static bool network_addresses(struct making *m, const char *name, ipset *out, int depth)
{
    const struct site_network *said = site_network(m->site, name);
    if (said) {
        *out = said->addresses;
        return true;
    }
    const struct network *n = policy_network(m->policy, name);
    *out = (ipset){ 0 };
    if (!n)
        return false;
    switch (n->kind) {
    case NETWORK_EVERYWHERE: everywhere(m, out); return true;
    case NETWORK_LOCAL_HOST: ipset_add(m->a, out, 0x7f000000, 0x7fffffff); return true;
    case NETWORK_PLAIN: *out = n->addresses; return n->addresses.n > 0;
    case NETWORK_SET:
    case NETWORK_SET_EXCEPT: return set_addresses(m, n, out, depth);
    case NETWORK_EXTERNAL: break;
    }
    ipset inside = { 0 }, all;
    everywhere(m, &all);
    if (known_networks(m, &inside)) {
        ipset_minus(m->a, out, &all, &inside);
        return true;
    }
    *out = all; /* with the finding external-is-anywhere, from where it is used */
    return true;
}

static bool is_bare_external(struct making *m, const char *name)
{
    const struct network *n = policy_network(m->policy, name);
    ipset none = { 0 };
    return n && n->kind == NETWORK_EXTERNAL && !site_network(m->site, name) && !known_networks(m, &none);
}

/* Adds the networks' addresses to out; false if one is unknown. */
static bool add_networks(struct making *m, const struct selected *by, const strings *names, ipset *out)
{
    bool known = true;
    for (size_t i = 0; i < names->n; i++) {
        ipset one, sum;
        if (by->rule && is_bare_external(m, names->v[i]))
            plan_about(
                finding_add(
                    m->f, F_NETWORK_EXTERNAL,
                    "answers clients everywhere, not only those of the network %s: no other network's addresses are known",
                    names->v[i]),
                by->rule, by->at, by->key, by->setting);
        if (!network_addresses(m, names->v[i], &one, 0)) {
            struct finding *x = plan_about(
                finding_add(m->f, F_NETWORK_MISSING, "the addresses of the network %s are not known", names->v[i]),
                by->rule, by->at, by->key, by->setting);
            x->subject = by->rule ? SUBJECT_RULE : SUBJECT_NONE;
            known = false;
            continue;
        }
        ipset_union(m->a, &sum, out, &one);
        *out = sum;
    }
    return known;
}

struct plan_sources plan_sources(struct making *m, const struct selected *by, const struct sources *s)
{
    struct plan_sources result = { 0 };
    ipset in, out;
    const ipset none = { 0 };
    if (s->any && !s->except_addresses.n && !s->except_networks.n) {
        result.any = true;
        result.unknown = s->unknown;
        return result;
    }
    if (s->any)
        everywhere(m, &in);
    else
        ipset_union(m->a, &in, &s->addresses, &none);
    ipset_union(m->a, &out, &s->except_addresses, &none);
    bool known = !s->unknown;
    known &= add_networks(m, by, &s->networks, &in);
    known &= add_networks(m, by, &s->except_networks, &out);
    ipset_minus(m->a, &result.set, &in, &out);
    result.unknown = !known;
    result.any = !known || ipset_is_all(&result.set);
    return result;
}

/* ---- listeners ---------------------------------------------------------- */

/* The thumbprint for one address: its own certificate, else the one for all (B-40). */
static const struct listener_certificate *certificate_for(const struct listener *l, const char *address)
{
    const struct listener_certificate *all = NULL;
    for (size_t i = 0; i < l->certificates.n; i++) {
        const struct listener_certificate *c = &l->certificates.v[i];
        if (c->address && strcmp(c->address, address) == 0)
            return c;
        if (!c->address && !all)
            all = c;
    }
    return all;
}

static void add_certificate(struct making *m, struct plan_socket *s, const struct listener *l, const char *said)
{
    const struct listener_certificate *c = certificate_for(l, s->address);
    const char *print = said ? said : c ? c->thumbprint : NULL;
    struct site_certificate *files = print ? site_certificate(m->site, print) : NULL;
    s->thumbprint = print;
    if (files) {
        s->chain = files->chain;
        s->key = files->key;
        return;
    }
    struct arena *a = m->a;
    if (!print) {
        s->chain = MISSING_DIR "/no-certificate.pem";
        s->key = MISSING_DIR "/no-certificate.key";
        on_listener(
            finding_add(
                m->f, F_HTTPS_WITHOUT_CERTIFICATE,
                "serves HTTPS, but the export names no certificate for it; the config names a file that is not there"),
            l, "certificates", "AppliedSSLCertificates");
        return;
    }
    s->chain = arena_printf(a, MISSING_DIR "/%s.pem", print);
    s->key = arena_printf(a, MISSING_DIR "/%s.key", print);
    for (size_t i = 0; i < m->plan->certificates_missing.n; i++)
        if (strcmp(m->plan->certificates_missing.v[i], print) == 0)
            return;
    vec_add(a, &m->plan->certificates_missing, print);
    struct finding *x = on_listener(
        finding_add(m->f, F_CERTIFICATE_MISSING,
                    "the site map has no files for the certificate %s; the config names a file that is not there",
                    print),
        l, "certificates", "SSLCertificateHash");
    if (c && c->line)
        x->line = c->line;
}

static void listen_addresses(struct making *m, const struct listener *l, const struct site_listener *said, strings *out)
{
    if (said && said->addresses.n) {
        for (size_t i = 0; i < said->addresses.n; i++)
            vec_add(m->a, out, said->addresses.v[i]);
        return;
    }
    bool unknown = l->on.n == 0;
    for (size_t i = 0; i < l->on.n; i++) {
        for (size_t j = 0; j < l->on.v[i].addresses.n; j++)
            vec_add(m->a, out, l->on.v[i].addresses.v[j]);
        unknown |= l->on.v[i].addresses.n == 0;
    }
    if (!unknown)
        return;
    out->n = 0;
    vec_add(m->a, out, "*");
    on_listener(
        finding_add(m->f, F_ALL_ADDRESSES, "listens on every address of its host: the addresses are not in the export"),
        l, "on", "IPsOnNetworks");
}

static void plan_listener(struct making *m, const struct listener *l)
{
    struct plan_listener *pl = vec_push(m->a, &m->plan->listeners);
    const struct site_listener *said = site_listener(m->site, l);
    strings addresses = { 0 };
    pl->listener = l;
    pl->http = (uint16_t)(said && said->http >= 0 ? said->http : l->http);
    pl->https = (uint16_t)(said && said->https >= 0 ? said->https : l->https);
    listen_addresses(m, l, said, &addresses);
    for (int tls = 0; tls < 2; tls++)
        for (size_t i = 0; i < addresses.n && (tls ? pl->https : pl->http); i++) {
            struct plan_socket *s = vec_push(m->a, &pl->sockets);
            *s = (struct plan_socket){ .address = addresses.v[i], .port = tls ? pl->https : pl->http, .tls = tls };
            if (tls)
                add_certificate(m, s, l, said ? said->certificate : NULL);
        }
}

/* Four ports in a row for each listener, whatever it uses of them, so that a rule more moves no other listener's. */
static void plan_preauth_ports(struct making *m)
{
    for (size_t i = 0; i < m->plan->listeners.n; i++) {
        long first = m->site->preauth_port + (long)i * PREAUTH_SOCKETS;
        for (int k = 0; k < PREAUTH_SOCKETS && first + PREAUTH_SOCKETS <= UINT16_MAX + 1L; k++)
            m->plan->listeners.v[i].preauth[k] = (uint16_t)(first + k);
    }
}

uint16_t preauth_port(const struct plan_listener *l, enum target t, bool tls)
{
    return l->preauth[(t == TARGET_NGINX ? 2 : 0) + tls];
}

static bool sockets_clash(const struct plan_socket *a, const struct plan_socket *b)
{
    return a->port == b->port && (strcmp(a->address, b->address) == 0 || *a->address == '*' || *b->address == '*');
}

/* A target cannot open one socket twice: the later listener loses it, aloud. A listener with more than a few dozen sockets does not
 * occur, so pairs are cheap. */
static void settle_sockets(struct making *m)
{
    struct plan *p = m->plan;
    for (size_t i = 0; i < p->listeners.n; i++) {
        struct plan_listener *l = &p->listeners.v[i];
        size_t kept = 0;
        for (size_t s = 0; s < l->sockets.n; s++) {
            const struct plan_listener *other = NULL;
            for (size_t j = 0; j <= i && !other; j++)
                for (size_t t = 0; t < (j == i ? kept : p->listeners.v[j].sockets.n) && !other; t++)
                    if (sockets_clash(&l->sockets.v[s], &p->listeners.v[j].sockets.v[t]))
                        other = &p->listeners.v[j];
            if (!other) {
                l->sockets.v[kept++] = l->sockets.v[s];
                continue;
            }
            if (other != l)
                on_listener(
                    finding_add(
                        m->f, F_SOCKET_SHARED,
                        "%s:%u belongs to the listener %s already; rules of this listener are not reached there",
                        l->sockets.v[s].address, l->sockets.v[s].port, other->listener->name),
                    l->listener, "on", "IPsOnNetworks");
        }
        l->sockets.n = kept;
    }
}

/* ---- rules -------------------------------------------------------------- */

static void add_server(struct making *m, struct plan_upstream *u, const char *name, bool drained)
{
    struct plan_server *s = vec_push(m->a, &u->servers);
    const struct site_backend *to = site_backend(m->site, name, u->port);
    *s = (struct plan_server){ .member = name, .host = to ? to->host : name, .port = u->port, .drained = drained };
    if (to && to->port)
        s->port = (uint16_t)to->port;
}

static void plan_upstreams(struct making *m, struct plan_rule *pr)
{
    const struct rule *r = pr->rule;
    for (int tls = 0; tls < 2; tls++) {
        struct plan_upstream *u = &pr->to[tls];
        u->tls = r->bridging == BRIDGE_SSL || (r->bridging == BRIDGE_BOTH && tls);
        u->port = (uint16_t)(u->tls ? r->ssl_port : r->http_port);
        for (size_t i = 0; pr->farm && i < pr->farm->members.n; i++)
            add_server(m, u, pr->farm->members.v[i].host, pr->farm->members.v[i].drained);
        if (!r->farm && (r->server || r->site))
            add_server(m, u, r->server ? r->server : r->site, false);
    }
    pr->forwards = r->action == ACTION_ALLOW && r->bridging != BRIDGE_FTP && r->site && pr->to[0].servers.n > 0 &&
                   pr->to[0].port && pr->to[1].port;
}

/* The parts of the HTTP filter that are understood apply; what is not is said (B-131 to B-142). */
static void plan_filter(struct making *m, struct plan_rule *pr)
{
    const struct rule *r = pr->rule;
    pr->filter = http_filter_parse(m->a, r->http_filter);
    if (!pr->filter)
        on_rule(finding_add(m->f, F_FILTER_UNREAD, "its HTTP filter cannot be read, and none of it applies"), r,
                "http_filter", "XML_POLICY");
    else if (pr->filter->unread)
        on_rule(finding_add(m->f, F_FILTER_UNREAD,
                            "%zu part%s of its HTTP filter cannot be read and will not apply, the first: %s",
                            pr->filter->unread, pr->filter->unread == 1 ? "" : "s", pr->filter->first_unread),
                r, "http_filter", "XML_POLICY");
}

/* Behind a proxy publishd sees no client certificate, and cannot ask for Digest. nginx does not keep a client's requests on one
 * connection to the server, by which NTLM and Negotiate sign in. */
static unsigned goes_through_publishd(const struct making *m, const struct plan_rule *r)
{
    const struct listener *l = r->listener;
    if (m->site->preauth != PREAUTH_PUBLISHD || !r->answers || !r->needs_user || r->rule->action != ACTION_ALLOW ||
        !r->forwards || !m->plan->listeners.v[l - m->policy->listeners.v].preauth[0] ||
        r->rule->client_certificate == CERTIFICATE_REQUIRED || l->form.client_certificate ||
        !(l->basic || l->integrated || l->forms != FORMS_NONE))
        return 0;
    return ON(TARGET_HAPROXY) | (l->integrated ? 0u : ON(TARGET_NGINX));
}

/* Certificates sign in, are a form's second factor, or a rule wants or would see one. */
static bool asks_on_publishd(const struct making *m, const struct plan_rule *r, const struct plan_listener *l)
{
    return m->plan->client_trust && m->site->preauth != PREAUTH_PUBLISHD && l->https &&
           r->rule->action == ACTION_ALLOW &&
           (r->rule->client_certificate != CERTIFICATE_IGNORED || r->listener->client_certificate ||
            r->listener->form.client_certificate);
}

static void plan_rule(struct making *m, size_t index)
{
    const struct rule *r = &m->policy->rules.v[index];
    struct plan_rule *pr = vec_push(m->a, &m->plan->rules);
    pr->rule = r;
    pr->index = (uint32_t)index;
    pr->listener = r->listener ? policy_listener(m->policy, r->listener) : NULL;
    pr->farm = r->farm ? policy_farm(m->policy, r->farm) : NULL;
    pr->answers = r->enabled && pr->listener && r->paths.n && (r->all_names || r->names.n);
    pr->needs_user = !r->all_users || (pr->listener && pr->listener->always_authenticate);
    if (r->enabled) {
        struct selected by = { r->name, &r->at, "sources", "SourceSelectionIPs" };
        struct plan_sources from = plan_sources(m, &by, &r->sources);
        pr->any_source = from.any;
        pr->sources_unknown = from.unknown;
        pr->sources = from.set;
    }
    plan_upstreams(m, pr);
    if (pr->answers && r->http_filter)
        plan_filter(m, pr);
    const struct site_rule *said = site_rule(m->site, r);
    if (said) {
        pr->websocket = said->websocket;
        pr->x_forwarded_for = said->x_forwarded_for;
        pr->via = said->via;
        pr->transparent = said->transparent && r->forward_client_address;
    }
    if (r->backend_certificate && (pr->to[0].tls || pr->to[1].tls))
        pr->shows = site_certificate(m->site, r->backend_certificate);
    pr->wants_certificate = r->client_certificate == CERTIFICATE_REQUIRED && m->plan->client_trust;
    pr->preauth = goes_through_publishd(m, pr);
    if (pr->answers) {
        struct plan_listener *l = &m->plan->listeners.v[pr->listener - m->policy->listeners.v];
        vec_add(m->a, &l->rules, pr->index);
        l->asks_certificate |= pr->wants_certificate && r->action == ACTION_ALLOW;
        l->publishd_asks |= asks_on_publishd(m, pr, l);
    }
}

/* ---- the whole ----------------------------------------------------------- */

static void plan_trust(struct making *m)
{
    const struct plan_rule *user = NULL;
    for (size_t i = 0; i < m->plan->rules.n && !user; i++) {
        const struct plan_rule *r = &m->plan->rules.v[i];
        if (r->answers && r->forwards && (r->to[0].tls || r->to[1].tls))
            user = r;
    }
    if (!user)
        return;
    m->plan->trust = m->site->trust ? m->site->trust : MISSING_DIR "/trust.pem";
    if (!m->site->trust)
        on_rule(
            finding_add(
                m->f, F_TRUST_MISSING,
                "its published server's certificate is verified, but the site map has no trust file; the config names a file that is not there"),
            user->rule, "bridging", "PublishedServerType");
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* B-36: names that only the source's own resolver may have known. One finding for all of them. */
static void report_names(struct making *m)
{
    strings names = { 0 };
    for (size_t i = 0; i < m->plan->rules.n; i++) {
        const struct plan_rule *r = &m->plan->rules.v[i];
        for (size_t k = 0; r->answers && r->forwards && k < r->to[1].servers.n; k++) {
            const struct plan_server *s = &r->to[1].servers.v[k];
            uint32_t ip;
            if (!ip_parse(s->host, &ip) && s->host[0] != '[')
                vec_add(m->a, &names, s->host);
        }
    }
    if (!names.n)
        return;
    qsort(names.v, names.n, sizeof *names.v, by_text);
    size_t distinct = 0;
    for (size_t i = 0; i < names.n; i++)
        if (!i || strcmp(names.v[i], names.v[i - 1]) != 0)
            names.v[distinct++] = names.v[i];
    struct strbuf list = { 0 };
    for (size_t i = 0; i < distinct && i < 5; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names.v[i]);
    finding_add(m->f, F_BACKEND_BY_NAME,
                "%zu published server%s reached by name, which must resolve where the target runs: %s%s", distinct,
                distinct == 1 ? " is" : "s are", list.p, distinct > 5 ? ", ..." : "");
    buf_free(&list);
}

static void unused(struct making *m, const char *what, const char *key, uint32_t line, bool used)
{
    if (used)
        return;
    struct finding *x =
        finding_add(m->f, F_SITE_UNUSED, "the %s \"%s\" of the site map belongs to nothing in the policy", what, key);
    x->subject = SUBJECT_SITE;
    x->line = line;
    x->in_site = true;
}

static void report_unused(struct making *m)
{
    const struct site *s = m->site;
    for (size_t i = 0; i < s->listeners.n; i++)
        unused(m, "listener", s->listeners.v[i].key, s->listeners.v[i].line, s->listeners.v[i].used);
    for (size_t i = 0; i < s->certificates.n; i++)
        unused(m, "certificate", s->certificates.v[i].thumbprint, s->certificates.v[i].line, s->certificates.v[i].used);
    for (size_t i = 0; i < s->backends.n; i++)
        unused(m, "backend", s->backends.v[i].key, s->backends.v[i].line, s->backends.v[i].used);
    for (size_t i = 0; i < s->rules.n; i++)
        unused(m, "rule", s->rules.v[i].key, s->rules.v[i].line, s->rules.v[i].used);
    for (size_t i = 0; i < s->server_rules.n; i++)
        unused(m, "server rule", s->server_rules.v[i].key, s->server_rules.v[i].line, s->server_rules.v[i].used);
}

struct plan *plan_make(const struct policy *p, struct site *s, struct findings *f)
{
    struct arena *a = arena_new();
    struct plan *plan = arena_alloc(a, sizeof *plan);
    struct making m = { .plan = plan, .a = a, .policy = p, .site = s, .f = f };
    plan->arena = a;
    plan->policy = p;
    plan->site = s;
    plan->client_trust = s->client_trust;
    plan->client_crl = s->client_crl;
    plan->flood = s->flood;
    for (size_t i = 0; i < p->listeners.n; i++)
        plan_listener(&m, &p->listeners.v[i]);
    settle_sockets(&m);
    if (s->preauth == PREAUTH_PUBLISHD)
        plan_preauth_ports(&m);
    for (size_t i = 0; i < p->rules.n; i++)
        plan_rule(&m, i);
    plan_compression(&m);
    plan_server_rules(&m);
    plan_trust(&m);
    report_names(&m);
    report_unused(&m);
    return plan;
}

void plan_free(struct plan *p)
{
    if (p)
        arena_free(p->arena);
}

bool plan_same_upstream(const struct plan_upstream *x, const struct plan_upstream *y)
{
    if (x->tls != y->tls || x->port != y->port || x->servers.n != y->servers.n)
        return false;
    for (size_t i = 0; i < x->servers.n; i++)
        if (x->servers.v[i].port != y->servers.v[i].port || !str_equal(x->servers.v[i].host, y->servers.v[i].host))
            return false;
    return true;
}
