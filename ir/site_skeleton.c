/* site_skeleton: a site map that holds what a policy leaves open and nothing else. What is known is filled in, the rest
 * stands there as a comment that says what to put. The whole is a valid site map as it is. */
#include <string.h>
#include "index.h"
#include "site.h"
#include "yaml.h"

#define SHOWN 6      /* so many names in a comment, then their number */
#define KEY_MAX 1000 /* longer keys need YAML's "? key" form */

/* Something that the site map is asked for, and the rules or names that make it needed. */
struct need {
    const char *name;
    strings because;
};
struct skeleton {
    struct strbuf *out;
    struct arena *a;
    const struct policy *p;
    strings *names_of; /* public names of the rules on each listener */
    bool *needed;      /* networks of the policy */
};

static void open_section(struct skeleton *s, const char *key, const char *comment)
{
    buf_printf(s->out, "\n# %s\n%s:\n", comment, key);
}

static void put_key(struct strbuf *b, const char *name)
{
    size_t from = b->n;
    buf_puts(b, "  ");
    buf_yaml(b, name);
    if (b->n - from > KEY_MAX) {
        b->n = from;
        buf_puts(b, "  ? ");
        buf_yaml(b, name);
        buf_puts(b, "\n  ");
    }
    buf_putc(b, ':');
}

/* "# key: " to be uncommented; a key that is too long for one line stays a comment of its own. */
static void put_commented_key(struct strbuf *b, const char *name)
{
    buf_puts(b, "  # ");
    buf_yaml(b, name);
    buf_puts(b, strlen(name) > KEY_MAX / 8 ? ":\n  #   " : ": ");
}

static void put_some(struct strbuf *b, const strings *list)
{
    for (size_t i = 0; i < list->n && i < SHOWN; i++) {
        buf_puts(b, i ? ", " : "");
        buf_yaml(b, list->v[i]);
    }
    if (list->n > SHOWN)
        buf_printf(b, " and %zu more", list->n - SHOWN);
}

/* One need per name, without case, in the order of the first; their reasons together. */
typedef VEC(struct need) needs;
static void merge(struct skeleton *s, needs *list)
{
    struct name_index x;
    size_t kept = 0;
    index_build(s->a, &x, list->v, list->n, sizeof *list->v, offsetof(struct need, name));
    /* x points to names, not into the list, so that the list may be closed up meanwhile */
    size_t *moved = arena_alloc(s->a, (list->n + 1) * sizeof *moved);
    for (size_t i = 0; i < list->n; i++) {
        struct need n = list->v[i];
        size_t first = index_find(&x, n.name);
        if (first == i) {
            moved[i] = kept;
            list->v[kept++] = n;
            continue;
        }
        struct need *to = &list->v[moved[first]];
        for (size_t k = 0; k < n.because.n; k++)
            vec_add(s->a, &to->because, n.because.v[k]);
    }
    list->n = kept;
}

static void need(struct skeleton *s, needs *list, const char *name, const char *because)
{
    struct need *n = vec_push(s->a, list);
    n->name = name;
    if (because)
        vec_add(s->a, &n->because, because);
}

static bool forwards(const struct rule *r)
{
    return r->enabled && r->action == ACTION_ALLOW && r->bridging != BRIDGE_FTP && r->listener;
}

/* ---- listeners ------------------------------------------------------------- */
static bool addresses_known(const listen_ons *on)
{
    for (size_t i = 0; i < on->n; i++)
        if (on->v[i].addresses.n == 0)
            return false;
    return on->n > 0;
}

static bool has_certificate(const struct listener *l)
{
    return !l->https || l->certificates.n > 0;
}

/* A listener's name, or its GUID where an earlier one has the same name; NULL if neither tells it apart. */
static const char *listener_key(struct skeleton *s, size_t i)
{
    const struct listener *l = &s->p->listeners.v[i];
    if (policy_listener(s->p, l->name) == l)
        return l->name;
    return l->at.guid ? arena_printf(s->a, "{%s}", normalise_guid(s->a, l->at.guid)) : NULL;
}

static void put_addresses(struct strbuf *b, const listen_ons *on)
{
    buf_puts(b, "    # addresses: [192.0.2.10]      # where it listened");
    for (size_t i = 0; i < on->n && i < SHOWN; i++) {
        if (on->v[i].network) {
            buf_puts(b, i ? ", " : ": the source's own addresses in ");
            buf_yaml(b, on->v[i].network);
        }
    }
    buf_puts(b, "; without this, on every address of the host\n");
}

static void put_listener(struct skeleton *s, const struct listener *l, const char *key)
{
    struct strbuf *b = s->out;
    put_key(b, key);
    buf_putc(b, '\n');
    if (!addresses_known(&l->on))
        put_addresses(b, &l->on);
    if (!has_certificate(l))
        buf_puts(
            b,
            "    # certificate: 0123abcd...     # thumbprint of one of the certificates below: the export names none\n");
    buf_printf(b, "    http: %ld%s\n    https: %ld%s\n", l->http, l->http ? "" : "                         # off",
               l->https, l->https ? "" : "                        # off");
}

static void put_listeners(struct skeleton *s)
{
    bool open = false;
    struct name_index guids;
    index_build(s->a, &guids, s->p->listeners.v, s->p->listeners.n, sizeof(struct listener),
                offsetof(struct listener, at.guid));
    for (size_t i = 0; i < s->p->listeners.n; i++) {
        const struct listener *l = &s->p->listeners.v[i];
        const char *key = listener_key(s, i);
        if (!key || (addresses_known(&l->on) && has_certificate(l)) ||
            (key != l->name && index_find(&guids, l->at.guid) != i))
            continue;
        if (!open)
            open_section(s, "listeners", "Web listeners whose addresses or certificates are not in the export.");
        open = true;
        put_listener(s, l, key);
    }
}

/* ---- certificates ------------------------------------------------------------ */
static void put_certificates(struct skeleton *s)
{
    needs list = { 0 };
    struct strbuf why = { 0 };
    for (size_t i = 0; i < s->p->listeners.n; i++) {
        const struct listener *l = &s->p->listeners.v[i];
        for (size_t k = 0; l->https && k < l->certificates.n; k++) {
            buf_clear(&why);
            buf_puts(&why, "# listener ");
            buf_yaml(&why, l->name);
            if (l->certificates.v[k].address)
                buf_printf(&why, " on %s", l->certificates.v[k].address);
            buf_puts(&why, s->names_of[i].n ? ", for " : "");
            put_some(&why, &s->names_of[i]);
            need(s, &list, l->certificates.v[k].thumbprint, arena_strdup(s->a, why.p));
        }
    }
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        if (!forwards(r) || !r->backend_certificate || r->bridging == BRIDGE_HTTP)
            continue;
        buf_clear(&why);
        buf_puts(&why, "# shown to the published server of the rule ");
        buf_yaml(&why, r->name);
        need(s, &list, r->backend_certificate, arena_strdup(s->a, why.p));
    }
    buf_free(&why);
    merge(s, &list);
    if (list.n)
        open_section(s, "certificates", "The certificates, by thumbprint: PEM files, relative to this file's folder.");
    for (size_t i = 0; i < list.n; i++) {
        for (size_t k = 0; k < list.v[i].because.n; k++)
            buf_printf(s->out, "  %s\n", list.v[i].because.v[k]);
        buf_printf(
            s->out,
            "  # \"%s\":\n  #   chain: certs/%.8s.pem      # the certificate, then its issuers\n  #   key: certs/%.8s.key\n",
            list.v[i].name, list.v[i].name, list.v[i].name);
    }
    for (size_t i = 0; i < s->p->listeners.n && !list.n; i++) {
        if (s->p->listeners.v[i].https) {
            open_section(s, "certificates",
                         "The certificates, by thumbprint: PEM files, relative to this file's folder.");
            buf_puts(s->out, "  # \"0123abcd...\":\n  #   chain: certs/site.pem\n  #   key: certs/site.key\n");
            break;
        }
    }
}

/* ---- backends and trust ---------------------------------------------------------- */
static bool is_name(const char *host)
{
    uint32_t ip;
    return host && !ip_parse(host, &ip);
}

static void put_backends(struct skeleton *s)
{
    needs list = { 0 };
    bool *seen = arena_alloc(s->a, (s->p->farms.n + 1) * sizeof *seen);
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        const struct farm *f = policy_farm(s->p, r->farm);
        if (!forwards(r))
            continue;
        if (!f && is_name(r->server ? r->server : r->site))
            need(s, &list, r->server ? r->server : r->site, r->name);
        if (!f || seen[f - s->p->farms.v])
            continue;
        seen[f - s->p->farms.v] = true;
        for (size_t k = 0; k < f->members.n; k++)
            if (is_name(f->members.v[k].host))
                need(s, &list, f->members.v[k].host, r->name);
    }
    merge(s, &list);
    if (list.n)
        open_section(
            s, "backends",
            "Published servers, where their names do not resolve on the new host (or resolve to it): an address, and a port if it differs.");
    for (size_t i = 0; i < list.n; i++) {
        buf_printf(s->out, "  # %s: 10.0.0.%zu      # rule ", list.v[i].name, i % 250 + 1);
        put_some(s->out, &list.v[i].because);
        buf_putc(s->out, '\n');
    }
}

static void put_trust(struct skeleton *s)
{
    strings tls = { 0 };
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        const struct listener *l = policy_listener(s->p, r->listener);
        if (forwards(r) && (r->bridging == BRIDGE_SSL || (r->bridging == BRIDGE_BOTH && (!l || l->https))))
            vec_add(s->a, &tls, r->name);
    }
    if (!tls.n)
        return;
    buf_puts(s->out, "\n# The internal CA's certificate, PEM: it verifies the published servers of the rule ");
    put_some(s->out, &tls);
    buf_puts(s->out, ".\n# trust: certs/internal-ca.pem\n");
}

/* Whose client certificates are good; and who might want the client's own address to be seen. */
static void put_clients(struct skeleton *s)
{
    strings certificates = { 0 };
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        const struct listener *l = policy_listener(s->p, r->listener);
        bool signs_in =
            l && (l->client_certificate || l->form.client_certificate) && (!r->all_users || l->always_authenticate);
        if (forwards(r) && (r->client_certificate == CERTIFICATE_REQUIRED || signs_in))
            vec_add(s->a, &certificates, r->name);
    }
    if (!certificates.n)
        return;
    buf_puts(s->out, "\n# The issuers, PEM, of the certificates that clients show to the rule ");
    put_some(s->out, &certificates);
    buf_puts(
        s->out,
        ".\n# client_trust: certs/clients-ca.pem\n# And their revocation lists.\n# client_crl: certs/clients.crl\n");
}

/* ---- networks ------------------------------------------------------------------------ */
static bool unknown_network(const struct network *n)
{
    return !n || (n->kind == NETWORK_PLAIN && n->addresses.n == 0);
}

static bool any_known(const struct policy *p)
{
    for (size_t i = 0; i < p->networks.n; i++)
        if (p->networks.v[i].kind == NETWORK_PLAIN && p->networks.v[i].addresses.n)
            return true;
    return false;
}

/* The networks that a name stands for, sets opened (a set once only: they may hold each other). */
static void need_network(struct skeleton *s, needs *list, const char *name, const char *rule)
{
    strings open = { 0 };
    vec_add(s->a, &open, name);
    for (size_t at = 0; at < open.n; at++) {
        const struct network *n = policy_network(s->p, open.v[at]);
        if (unknown_network(n) || (n->kind == NETWORK_EXTERNAL && !any_known(s->p)))
            need(s, list, open.v[at], rule);
        if (!n || (n->kind != NETWORK_SET && n->kind != NETWORK_SET_EXCEPT) || s->needed[n - s->p->networks.v])
            continue;
        s->needed[n - s->p->networks.v] = true;
        for (size_t i = 0; i < n->members.n; i++)
            vec_add(s->a, &open, n->members.v[i]);
    }
}

static void put_networks(struct skeleton *s)
{
    needs list = { 0 };
    s->needed = arena_alloc(s->a, (s->p->networks.n + 1) * sizeof *s->needed);
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        const strings *both[] = { &r->sources.networks, &r->sources.except_networks };
        for (size_t k = 0; r->enabled && k < 2; k++)
            for (size_t j = 0; j < both[k]->n; j++)
                need_network(s, &list, both[k]->v[j], r->name);
    }
    for (size_t i = 0; i < s->p->server_rules.n; i++) {
        const struct server_rule *r = &s->p->server_rules.v[i];
        const strings *both[] = { &r->sources.networks, &r->sources.except_networks };
        for (size_t k = 0; r->enabled && k < 2; k++)
            for (size_t j = 0; j < both[k]->n; j++)
                need_network(s, &list, both[k]->v[j], r->name);
    }
    merge(s, &list);
    if (list.n)
        open_section(s, "networks", "Networks that rules are limited to and whose addresses are not in the export.");
    for (size_t i = 0; i < list.n; i++) {
        const struct network *n = policy_network(s->p, list.v[i].name);
        bool external = n && n->kind == NETWORK_EXTERNAL;
        put_commented_key(s->out, list.v[i].name);
        buf_printf(s->out, "%s      # %srule ",
                   external ? "[0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.255]" : "[10.0.0.0/8]",
                   external ? "all that is not internal; " : "");
        put_some(s->out, &list.v[i].because);
        buf_putc(s->out, '\n');
    }
}

/* ---- server publishing rules -------------------------------------------------------------------- */
/* Of rules with one name the first can be told by it, the others by their GUIDs alone. */
static const char *server_rule_key(struct skeleton *s, size_t i)
{
    const struct server_rule *r = &s->p->server_rules.v[i];
    for (size_t k = 0; k < i; k++)
        if (ascii_casecmp(s->p->server_rules.v[k].name, r->name) == 0)
            return r->at.guid ? arena_printf(s->a, "{%s}", normalise_guid(s->a, r->at.guid)) : NULL;
    return r->name;
}

static void put_server_rules(struct skeleton *s)
{
    bool any = false;
    for (size_t i = 0; i < s->p->server_rules.n; i++) {
        const struct server_rule *r = &s->p->server_rules.v[i];
        const char *key = server_rule_key(s, i);
        bool places = !addresses_known(&r->on) && !r->route;
        if (!r->enabled || r->action == ACTION_DENY || !key || (!places && r->from_firewall))
            continue;
        if (!any)
            open_section(s, "server_rules", "Server publishing rules: where they listen, and what their servers see.");
        any = true;
        put_key(s->out, key);
        buf_putc(s->out, '\n');
        if (places)
            put_addresses(s->out, &r->on);
        buf_printf(s->out, "    client_address: lost         # %s\n",
                   r->from_firewall
                       ? "its server never saw the client's"
                       : "its server saw the client's; transparent and proxy-protocol let it see that again");
    }
}

/* ---- users ---------------------------------------------------------------------------------- */
/* The set's groups, or its users, behind `head`. false: there are none, and nothing was written. */
static bool put_accounts(struct strbuf *b, const struct user_set *u, bool group, const char *head)
{
    bool any = false;
    for (size_t i = 0; i < u->accounts.n; i++) {
        if (!u->accounts.v[i].name || u->accounts.v[i].group != group)
            continue;
        buf_puts(b, any ? ", " : head);
        buf_yaml(b, u->accounts.v[i].name);
        any = true;
    }
    if (any)
        buf_putc(b, ']');
    return any;
}

static bool has_names(const struct user_set *u)
{
    for (size_t i = 0; u && i < u->accounts.n; i++)
        if (u->accounts.v[i].name)
            return true;
    return false;
}

static void put_users(struct skeleton *s)
{
    needs list = { 0 };
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        for (size_t k = 0; r->enabled && !r->all_users && k < r->users.n; k++)
            if (ascii_casecmp(r->users.v[k], "All Authenticated Users") !=
                0) /* everybody who signs in: nothing to map */
                need(s, &list, r->users.v[k], r->name);
    }
    merge(s, &list);
    if (list.n)
        open_section(s, "users", "User sets, as publishd's directory knows them.");
    for (size_t i = 0; i < list.n; i++) {
        const struct user_set *u = policy_user_set(s->p, list.v[i].name);
        buf_puts(s->out, "  # rule ");
        put_some(s->out, &list.v[i].because);
        buf_putc(s->out, '\n');
        if (!has_names(u)) {
            put_commented_key(s->out, list.v[i].name);
            buf_puts(s->out, "{groups: [\"DOMAIN\\\\group\"]}      # who belongs to it is not in the export\n");
            continue;
        }
        put_key(s->out, list.v[i].name);
        buf_puts(s->out, " {");
        bool groups = put_accounts(s->out, u, true, "groups: [");
        put_accounts(s->out, u, false, groups ? ", users: [" : "users: [");
        buf_puts(s->out, "}\n");
    }
}

/* ---- signing in ------------------------------------------------------------------------------- */
/* What publishd needs to sign users in, as far as listeners and rules ask for it. All of it is the operator's to say. */
static void put_sign_in(struct skeleton *s)
{
    bool ad = false, ldap = false, radius = false, kerberos = false, groups = false;
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        const struct listener *l = policy_listener(s->p, r->listener);
        if (!r->enabled || !l || !listener_authenticates(l))
            continue;
        bool otp = l->forms == FORMS_RADIUS || l->forms == FORMS_RADIUS_OTP;
        radius = radius || otp || (l->basic && l->validator == VALIDATE_RADIUS);
        ldap = ldap || l->forms == FORMS_LDAP || (l->basic && l->validator == VALIDATE_LDAP);
        ad = ad || l->forms == FORMS_AD || l->integrated || (l->basic && l->validator == VALIDATE_AD);
        kerberos =
            kerberos || l->integrated || r->delegation == DELEGATE_KERBEROS || r->delegation == DELEGATE_NEGOTIATE;
        groups = groups || (!r->all_users && l->integrated);
    }
    if (!ad && !ldap && !radius && !kerberos)
        return;
    buf_puts(s->out,
             "\n# Who checks passwords, knows groups and gives tickets, for publishd.\n# publishd:\n#   sign_in:\n");
    if (ad)
        buf_puts(
            s->out,
            "#     ad: kerberos                            # or ldap, winbind, file: who checks the domain's passwords\n");
    if (ad || kerberos)
        buf_puts(s->out, "#     domains: [{netbios: DOMAIN, realm: DOMAIN.EXAMPLE}]\n");
    if (ad || kerberos)
        buf_puts(s->out,
                 "#     kerberos: {keytab: publishd.keytab, principal: HTTP/edge.domain.example@DOMAIN.EXAMPLE}\n");
    if (ldap || groups)
        buf_puts(
            s->out,
            "#     ldap:\n#       servers: [\"ldaps://dc1.domain.example\"]\n#       trust: domain-ca.pem\n"
            "#       base: \"DC=domain,DC=example\"\n#       user: search@domain.example\n#       secret: ldap.secret\n");
    if (radius)
        buf_puts(s->out, "#     radius: {servers: [\"radius.domain.example\"], secret: radius.secret}\n");
}

/* ---- the whole -------------------------------------------------------------------------------- */
static void gather_names(struct skeleton *s)
{
    s->names_of = arena_alloc(s->a, (s->p->listeners.n + 1) * sizeof *s->names_of);
    for (size_t i = 0; i < s->p->rules.n; i++) {
        const struct rule *r = &s->p->rules.v[i];
        const struct listener *l = policy_listener(s->p, r->listener);
        for (size_t k = 0; l && r->enabled && k < r->names.n; k++) {
            strings *list = &s->names_of[l - s->p->listeners.v];
            const char *name = r->names.v[k].display ? r->names.v[k].display : r->names.v[k].name;
            bool twice = false;
            for (size_t j = 0; j < list->n && j < SHOWN; j++)
                twice = twice || strcmp(list->v[j], name) == 0;
            if (!twice)
                vec_add(s->a, list, name);
        }
    }
}

void site_skeleton(struct strbuf *out, const struct policy *p)
{
    struct skeleton s = { .out = out, .a = arena_new(), .p = p };
    buf_puts(out, "# A site map: what the export does not say. docs/site-map.md describes it.\n"
                  "# Fill in what follows a \"#\" inside a section and take the \"#\" away.\n"
                  "site: 1\n");
    gather_names(&s);
    put_listeners(&s);
    put_certificates(&s);
    put_backends(&s);
    put_trust(&s);
    put_clients(&s);
    put_networks(&s);
    put_server_rules(&s);
    put_users(&s);
    put_sign_in(&s);
    buf_puts(
        out,
        "\n# Findings that were read and accepted.\n"
        "# accept:\n"
        "#   - {code: TMG2031, rule: \"name of the rule\", target: nginx, reason: \"why this is well\", until: 2030-12-31}\n");
    arena_free(s.a);
}
