/* publishd: plan -> publishd.yaml, the policy in resolved form for the project's own daemon.
 *
 * Nothing is lost here: what the proxies cannot express (users, schedules, delegation, forms, link translation, the
 * HTTP filter) stands in the file as settings of its own. Addresses, ports and files are those of the site map.
 * What has its default is left out. config/schema.c is the table of all keys, docs/publishd.yaml.md the manual.
 */
#include "../ir/schema.h"
#include "publishd.h"
#include "../ir/policy_codecs.h"
#include <stdlib.h>
#include <string.h>

/* ---- listeners ----------------------------------------------------------------- */

/* Clients of Exchange and Lync without a ticket try Negotiate and give up where NTLM alone would work (5.1), so it
 * is offered to them alone where constrained delegation needs no more, or where the source was told so. */
static bool offers_ntlm_only(const struct plan *p, const struct plan_listener *l)
{
    enum { EXCHANGE = 1, LYNC_WEB_SSL = 4443 };
    const struct parameter *said = policy_parameter(p->policy, "OfferNTLMOnly");
    if (said)
        return said->value && strcmp(said->value, "0");
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct rule *r = p->rules.v[l->rules.v[i]].rule;
        bool waits = rule_read_timeout(&p->rules.v[l->rules.v[i]]) > l->listener->connection_timeout;
        if (r->delegation == DELEGATE_KERBEROS && (r->application == EXCHANGE || r->ssl_port == LYNC_WEB_SSL || waits))
            return true;
    }
    return false;
}

static void write_form(struct publishd *p, const struct forms_settings *f, bool asks)
{
    static const char *const levels[] = { "never", "private", "always" };
    pd_open_map(p, "form");
    pd_bool(p, "bind_to_address", f->bind_to_address, true);
    pd_line(p, "public_timeout", arena_printf(p->a, "%ld", f->public_timeout));
    pd_line(p, "private_timeout", arena_printf(p->a, "%ld", f->private_timeout));
    pd_bool(p, "absolute_timeout", f->absolute_timeout, false);
    pd_bool(p, "change_password", f->change_password, false);
    if (f->expiry_notice)
        pd_line(p, "expiry_notice", arena_printf(p->a, "%ld", f->expiry_notice));
    if (asks) /* else its rules are closed, or it was accepted that the form is alone */
        pd_bool(p, "client_certificate", f->client_certificate, false);
    PD_WORD(p, "persistent_cookies", levels, f->persistent_cookies, 0);
    pd_text(p, "cookie", f->cookie);
    pd_close_map(p);
}

static void write_authentication(struct publishd *p, const struct plan_listener *l)
{
    static const char *const forms[] = { "none", "ad", "ldap", "radius", "radius-otp", "securid" };
    static const char *const validators[] = { "ad", "ldap", "radius", "securid" };
    const struct listener *li = l->listener;
    if (!listener_authenticates(li) && !li->always_authenticate)
        return;
    pd_open_map(p, "authentication");
    pd_bool(p, "basic", li->basic, false);
    pd_bool(p, "digest", li->digest, false);
    pd_bool(p, "integrated", li->integrated, false);
    if (li->integrated)
        pd_line(p, "offer", offers_ntlm_only(p->plan, l) ? "[ntlm]" : "[negotiate, ntlm]");
    pd_bool(p, "client_certificate", li->client_certificate, false);
    PD_WORD(p, "forms", forms, (long)li->forms, FORMS_NONE);
    pd_line(p, "validator", validators[li->validator]);
    pd_text(p, "scheme", li->scheme);
    pd_bool(p, "always", li->always_authenticate, false);
    pd_bool(p, "over_http", li->authenticate_over_http, false);
    pd_text(p, "domain", li->domain);
    if (li->forms != FORMS_NONE)
        write_form(p, &li->form, l->publishd_asks);
    pd_bool(p, "sso", li->sso, false);
    pd_strings(p, "sso_domains", &li->sso_domains);
    pd_close_map(p);
}

/* With preauth of the site map the proxies have the listener's own sockets: publishd's are on loopback behind them. */
static void write_preauth_sockets(struct publishd *p, const struct plan_listener *l)
{
    static const enum target proxies[] = { TARGET_HAPROXY, TARGET_NGINX };
    unsigned used = 0;
    bool schemes[2] = { false, false };
    for (size_t i = 0; i < l->rules.n; i++)
        used |= p->plan->rules.v[l->rules.v[i]].preauth;
    for (size_t i = 0; i < l->sockets.n; i++)
        schemes[l->sockets.v[i].tls] = true;
    if (!used || !l->sockets.n) {
        write_line(&p->w, "# none of its rules is for users: the proxies answer them all");
        return;
    }
    write_line(&p->w, "# behind the proxies, which have the addresses and certificates of this listener");
    pd_open_list(p, "sockets");
    for (int i = 0; i < 4; i++) {
        enum target t = proxies[i / 2];
        if (!(used & ON(t)) || !schemes[i % 2])
            continue;
        pd_open_item(p);
        pd_line(p, "address", pd_quoted(p, PREAUTH_HOST));
        pd_line(p, "port", arena_printf(p->a, "%u", (unsigned)preauth_port(l, t, i % 2)));
        pd_bool(p, "https_in_front", i % 2, false);
        pd_line(p, "client_from", t == TARGET_HAPROXY ? "proxy-protocol" : "header");
        pd_close_item(p);
    }
    pd_close_list(p);
}

static void write_sockets(struct publishd *p, const struct plan_listener *l)
{
    if (p->plan->site->preauth == PREAUTH_PUBLISHD) {
        write_preauth_sockets(p, l);
        return;
    }
    if (!l->sockets.n)
        return;
    pd_open_list(p, "sockets");
    for (size_t i = 0; i < l->sockets.n; i++) {
        const struct plan_socket *s = &l->sockets.v[i];
        pd_open_item(p);
        pd_line(p, "address", pd_quoted(p, s->address));
        pd_line(p, "port", arena_printf(p->a, "%u", (unsigned)s->port));
        if (s->tls) {
            pd_text(p, "chain", s->chain);
            pd_text(p, "key", s->key ? s->key : s->chain);
        }
        pd_close_item(p);
    }
    pd_close_list(p);
}

/* Links to a site name its listener's ports. */
static bool translates_links(const struct plan *plan)
{
    for (size_t i = 0; i < plan->rules.n; i++)
        if (plan->rules.v[i].answers && plan->rules.v[i].rule->translate_links)
            return true;
    return false;
}

static void write_listeners(struct publishd *p)
{
    bool links = translates_links(p->plan);
    static const char *const redirects[] = { "never", "authenticated", "always" };
    if (!p->plan->listeners.n)
        return;
    write_blank(&p->w);
    pd_open_list(p, "listeners");
    for (size_t i = 0; i < p->plan->listeners.n; i++) {
        const struct plan_listener *l = &p->plan->listeners.v[i];
        const struct listener *li = l->listener;
        pd_open_item(p);
        pd_text(p, "name", li->name);
        write_sockets(p, l);
        PD_WORD(p, "redirect", redirects, (long)li->redirect, HTTPS_REDIRECT_NEVER);
        bool behind = p->plan->site->preauth == PREAUTH_PUBLISHD; /* its sockets do not say the port that clients use */
        if (links || behind)
            pd_long(p, "http_port", l->http, 0);
        if (links || behind || li->redirect != HTTPS_REDIRECT_NEVER)
            pd_long(p, "https_port", l->https, 0);
        if (l->publishd_asks) {
            pd_text(p, "client_trust", p->plan->client_trust);
            pd_text(p, "client_crl", p->plan->client_crl);
        }
        write_authentication(p, l);
        pd_long(p, "max_connections", li->max_connections, 0);
        pd_long(p, "connection_timeout", li->connection_timeout, SOURCE_TIMEOUT);
        pd_long(p, "ssl_accelerator_port", li->ssl_accelerator_port, 0);
        pd_close_item(p);
    }
    pd_close_list(p);
}

/* ---- what rules refer to ------------------------------------------------------------ */

static void write_farms(struct publishd *p)
{
    static const char *const kinds[] = { "http", "ping", "tcp" };
    const struct policy *policy = p->plan->policy;
    if (!policy->farms.n)
        return;
    write_blank(&p->w);
    pd_open_list(p, "farms");
    for (size_t i = 0; i < policy->farms.n; i++) {
        const struct farm *f = &policy->farms.v[i];
        pd_open_item(p);
        pd_text(p, "name", f->name);
        pd_line(p, "probe", kinds[f->probe]);
        pd_text(p, "probe_url", f->probe_url);
        pd_text(p, "probe_host", f->probe_host);
        pd_long(p, "probe_port", f->probe_port, 0);
        pd_long(p, "probe_threshold", f->probe_threshold, 5000);
        pd_close_item(p);
    }
    pd_close_list(p);
}

static void write_user_set(struct publishd *p, const char *name, const struct user_set *set)
{
    const struct site_users *said = site_users(p->plan->site, name);
    pd_open_item(p);
    pd_text(p, "name", name);
    if (said) {
        pd_strings(p, "groups", &said->groups);
        pd_strings(p, "users", &said->users);
    }
    if (set && set->accounts.n) {
        pd_open_list(p, "accounts");
        for (size_t i = 0; i < set->accounts.n; i++) {
            pd_open_item(p);
            pd_text(p, "name", set->accounts.v[i].name ? set->accounts.v[i].name : "");
            pd_text(p, "sid", set->accounts.v[i].sid);
            pd_bool(p, "group", set->accounts.v[i].group, false);
            pd_close_item(p);
        }
        pd_close_list(p);
    }
    pd_close_item(p);
}

static int by_name(const void *x, const void *y)
{
    const char *const *a = x, *const *b = y;
    int c = ascii_casecmp(*a, *b);
    return c ? c : strcmp(*a, *b);
}

/* The policy's sets in its order, then those that rules name but the export does not hold. */
static void write_users(struct publishd *p)
{
    const struct policy *policy = p->plan->policy;
    strings missing = { 0 };
    for (size_t i = 0; i < p->plan->rules.n; i++) {
        const struct plan_rule *r = &p->plan->rules.v[i];
        for (size_t k = 0; r->answers && k < r->rule->users.n; k++)
            if (!policy_user_set(policy, r->rule->users.v[k]))
                vec_add(p->a, &missing, r->rule->users.v[k]);
    }
    if (!policy->user_sets.n && !missing.n)
        return;
    if (missing.n)
        qsort(missing.v, missing.n, sizeof *missing.v, by_name);
    write_blank(&p->w);
    pd_open_list(p, "user_sets");
    for (size_t i = 0; i < policy->user_sets.n; i++)
        write_user_set(p, policy->user_sets.v[i].name, &policy->user_sets.v[i]);
    for (size_t i = 0; i < missing.n; i++)
        if (!i || ascii_casecmp(missing.v[i], missing.v[i - 1]))
            write_user_set(p, missing.v[i], NULL);
    pd_close_list(p);
}

static void write_schedules(struct publishd *p)
{
    const struct policy *policy = p->plan->policy;
    if (!policy->schedules.n)
        return;
    write_blank(&p->w);
    pd_open_list(p, "schedules");
    for (size_t i = 0; i < policy->schedules.n; i++) {
        const struct schedule *s = &policy->schedules.v[i];
        pd_open_item(p);
        pd_text(p, "name", s->name);
        if (!own_hours.absent(s)) {
            struct strbuf b = { 0 };
            own_hours.write(&b, s);
            pd_open_list(p, "hours");
            for (const char *at = b.p; *at; at += strcspn(at, "\n"), at += *at == '\n')
                write_line(&p->w, "- %.*s", (int)strcspn(at, "\n"), at);
            pd_close_list(p);
            buf_free(&b);
        }
        pd_close_item(p);
    }
    pd_close_list(p);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

/* The number of the line that is written next. */
static uint32_t next_line(struct publishd *p)
{
    for (; p->counted < p->w.out.n; p->counted++)
        p->lines += p->w.out.p[p->counted] == '\n';
    return (uint32_t)(p->lines + 1);
}

static void write_rules(struct publishd *p, struct emission *out)
{
    bool any = false;
    for (size_t i = 0; i < p->plan->rules.n; i++)
        any |= p->plan->rules.v[i].answers;
    write_blank(&p->w);
    if (p->plan->rules.n)
        pd_line(p, any ? "rules" : "# rules", "");
    p->w.depth++;
    for (size_t i = 0; i < p->plan->rules.n; i++) {
        struct rule_lines *lines = vec_push(p->a, &out->rules);
        if (i)
            write_blank(&p->w);
        lines->first = next_line(p);
        publishd_rule(p, &p->plan->rules.v[i]);
        lines->last = next_line(p) - 1;
    }
    p->w.depth--;
}

static bool parameter_is(const struct policy *policy, const char *name, const char *value)
{
    const struct parameter *x = policy_parameter(policy, name);
    return x && x->value && !strcmp(x->value, value);
}

/* The array-wide switches of hotfixes, under what they do. An empty POST that begins a handshake is always
 * challenged, never forwarded (6.2). */
static void write_switches(struct publishd *p)
{
    const struct policy *policy = p->plan->policy;
    pd_line(p, "bodyless_post", "challenge");
    pd_bool(p, "flood", p->plan->flood, false);
    pd_bool(p, "kerberos_in_spnego", parameter_is(policy, "EnableKcdWithSPNego", "1"), false);
    pd_bool(p, "fqdn_realm", parameter_is(policy, "UseFQDNinKerberosTicket", "2"), false);
    pd_parameters(p, policy->parameters.v, policy->parameters.n);
    pd_links(p, policy->links.v, policy->links.n);
}

/* B-65: of the whole array, as far as rules do it. */
static void write_compression(struct publishd *p)
{
    bool any = false;
    for (size_t i = 0; i < p->plan->rules.n; i++)
        any |= p->plan->rules.v[i].compresses;
    if (!any)
        return;
    pd_open_map(p, "compression");
    pd_strings(p, "list", &p->plan->types.list);
    pd_bool(p, "except", p->plan->types.except, false);
    pd_bool(p, "untyped", p->plan->types.untyped, false);
    pd_close_map(p);
}

/* How publishd runs is the site map's to say; it goes on as it is. */
static void write_service(struct publishd *p)
{
    struct strbuf b = { 0 };
    schema_write(&b, &service_schema, &p->plan->site->service);
    if (b.n)
        pd_open_map(p, "service");
    for (const char *at = b.p; at && *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (*at != '\n')
            write_line(&p->w, "%.*s", (int)strcspn(at, "\n"), at);
    if (b.n)
        pd_close_map(p);
    buf_free(&b);
}

/* B-148: publishd relays no bare connections; which rules it leaves out is said in their place. */
static void write_server_rules(struct publishd *p, struct emission *out)
{
    for (size_t i = 0; i < p->plan->server_rules.n; i++) {
        struct rule_lines *lines = vec_push(p->a, &out->server_rules);
        write_blank(&p->w);
        lines->first = next_line(p);
        write_server_rule_heading(&p->w, &p->plan->server_rules.v[i]);
        write_line(&p->w, "#   is not here: publishd speaks HTTP alone");
        lines->last = next_line(p) - 1;
    }
}

int emit_publishd(const struct plan *plan, struct arena *a, struct emission *out, struct strbuf *err)
{
    struct publishd p = { .plan = plan, .a = a, .w = { .indent = 2 } };
    (void)err; /* no patterns, so nothing to prove */
    *out = (struct emission){ 0 };
    write_file_heading(&p.w, plan, "publishd: web publishing rules");
    write_line(&p.w, "# What is left out has its default.");
    write_line(&p.w, "publishd: 1");
    write_service(&p);
    pd_text(&p, "trust", plan->trust);
    write_switches(&p);
    write_compression(&p);
    write_listeners(&p);
    write_farms(&p);
    write_users(&p);
    write_schedules(&p);
    write_rules(&p, out);
    write_server_rules(&p, out);
    out->text = p.w.out;
    return 0;
}
