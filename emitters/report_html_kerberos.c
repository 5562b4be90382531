/* report_html_kerberos: the checklist for rules that sign in to their servers by Kerberos on the user's behalf. The
 * source's computer account could do it; whatever replaces it needs an account of its own (B-109, B-110).
 *
 * Commands are for pasting into a shell, so a service name from the export stands in one only if it holds nothing but
 * letters, digits and ". - _ / :". */
#include "report_html.h"
#include "../ir/index.h"
#include <string.h>

static bool delegates(const struct plan_rule *r)
{
    return r->answers && r->rule->action == ACTION_ALLOW &&
           (r->rule->delegation == DELEGATE_KERBEROS || r->rule->delegation == DELEGATE_NEGOTIATE);
}

bool html_has_delegation(const struct page *p)
{
    for (size_t i = 0; i < p->r->plan->rules.n; i++)
        if (delegates(&p->r->plan->rules.v[i]))
            return true;
    return false;
}

static bool is_plain(const char *spn)
{
    return *spn && spn[strspn(spn, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_/:")] == '\0';
}

/* ---- what the rules need ------------------------------------------------------------------ */

struct spn_service {
    const char *spn;
    VEC(uint32_t) rules;
    bool constrained;
};
typedef VEC(struct spn_service) services;

/* Every service once, in the order of the rules. */
static void gather(struct page *p, services *s)
{
    struct arena *a = p->m->arena;
    strings all = { 0 };
    for (size_t i = 0; i < p->r->plan->rules.n; i++)
        if (delegates(&p->r->plan->rules.v[i]))
            for (size_t k = 0; k < p->r->plan->rules.v[i].rule->spns.n; k++)
                vec_add(a, &all, p->r->plan->rules.v[i].rule->spns.v[k]);
    struct name_index x;
    index_build(a, &x, all.v, all.n, sizeof *all.v, 0);
    uint32_t *number = arena_alloc(a, (all.n + 1) * sizeof *number); /* by first position: number + 1 */
    for (size_t i = 0; i < p->r->plan->rules.n; i++) {
        const struct rule *r = p->r->plan->rules.v[i].rule;
        for (size_t k = 0; delegates(&p->r->plan->rules.v[i]) && k < r->spns.n; k++) {
            size_t at = index_find(&x, r->spns.v[k]);
            if (!number[at]) {
                vec_push(a, s)->spn = r->spns.v[k];
                number[at] = (uint32_t)s->n;
            }
            struct spn_service *one = &s->v[number[at] - 1];
            vec_add(a, &one->rules, (uint32_t)i);
            one->constrained |= r->delegation == DELEGATE_KERBEROS;
        }
    }
}

/* "CORP.CONTOSO.EXAMPLE" from "http/cas01.corp.contoso.example": a guess, and named one. */
static const char *guess_realm(struct page *p, const services *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const char *host = strchr(s->v[i].spn, '/');
        const char *dot = host && is_plain(s->v[i].spn) ? strchr(host, '.') : NULL;
        uint32_t ip;
        if (!dot || !strchr(dot + 1, '.') || ip_parse(host + 1, &ip))
            continue;
        char *realm = arena_strndup(p->m->arena, dot + 1, strcspn(dot + 1, ":/"));
        for (char *c = realm; *c; c++)
            if (*c >= 'a' && *c <= 'z')
                *c = (char)(*c - 'a' + 'A');
        return realm;
    }
    return "EXAMPLE.COM";
}

/* ---- the page -------------------------------------------------------------------------------- */

static void put_services(struct page *p, const services *s)
{
    enum { RULES = 12, SERVICES = 2000 };
    put(p,
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"h-spns\" tabindex=\"0\"><table class=\"spns\"><thead><tr><th scope=\"col\">Service</th><th scope=\"col\">Kind</th><th scope=\"col\">Rules</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < s->n && i < SERVICES; i++) {
        const struct spn_service *one = &s->v[i];
        put(p, "<tr><th scope=\"row\"><code>");
        put_text(p, one->spn);
        put(p, is_plain(one->spn) ? "</code></th><td>"
                                  : "</code><small>not a plain service name: correct it before use</small></th><td>");
        put(p, one->constrained ? "constrained delegation" : "Negotiate with the user's password");
        put(p, "</td><td class=\"refs\">");
        for (size_t k = 0; k < one->rules.n && k < RULES; k++) {
            put(p, k ? " " : "");
            put_rule_link(p, one->rules.v[k]);
        }
        if (one->rules.n > RULES)
            buf_printf(p->out, " and %zu more", one->rules.n - RULES);
        put(p, "</td></tr>\n");
    }
    put(p, "</tbody></table></div>\n");
    if (s->n > SERVICES)
        buf_printf(p->out, "<p class=\"limit\">The first %d of %zu services are listed.</p>\n", (int)SERVICES, s->n);
}

static void item(struct page *p, const char *title, const char *text)
{
    put(p, "<li><label><input type=\"checkbox\"> <b>");
    put(p, title);
    put(p, "</b></label><p>");
    put(p, text);
    put(p, "</p>");
}

/* One command for each service that may be delegated to, or that must be registered. */
static void put_commands(struct page *p, const services *s, bool constrained, const char *before, const char *after)
{
    enum { COMMANDS = 200 };
    size_t n = 0;
    put(p, "<pre tabindex=\"0\"><code>");
    for (size_t i = 0; i < s->n && n < COMMANDS; i++) {
        if (!is_plain(s->v[i].spn) || (constrained && !s->v[i].constrained))
            continue;
        put(p, before);
        put_text(p, s->v[i].spn);
        put(p, after);
        n++;
    }
    put(p, "</code></pre>\n");
}

/* Names that clients ask tickets for, where the listener offers Negotiate. */
static void put_client_names(struct page *p)
{
    enum { NAMES = 100 };
    size_t n = 0;
    const char *told[NAMES];
    for (size_t i = 0; i < p->r->plan->rules.n && n < NAMES; i++) {
        const struct plan_rule *r = &p->r->plan->rules.v[i];
        if (!r->answers || !r->listener->integrated)
            continue;
        for (size_t k = 0; k < r->rule->names.n && n < NAMES; k++) {
            const struct public_name *name = &r->rule->names.v[k];
            size_t known = 0;
            while (known < n && strcmp(told[known], name->name) != 0)
                known++;
            if (name->kind != NAME_EXACT || !is_plain(name->name) || known < n)
                continue;
            told[n] = name->name;
            if (!n++) {
                item(
                    p, "Register the public names",
                    "Clients inside ask for a ticket for the name they type, where a listener offers Integrated sign-in.");
                put(p, "<pre tabindex=\"0\"><code>");
            }
            buf_puts(p->out, "setspn -S HTTP/");
            put_text(p, name->name);
            put(p, " svc-publishd\n");
        }
    }
    if (n)
        put(p, "</code></pre></li>\n");
}

static void put_keytab(struct page *p, const char *realm)
{
    item(p, "Make the keytab",
         "With a user account on a domain controller; the password is asked for, and changes the account's.");
    put(p, "<pre tabindex=\"0\"><code>ktpass -princ HTTP/publishd.example@");
    put_text(p, realm);
    put(p,
        " -mapuser svc-publishd -mapop set -crypto AES256-SHA1 -ptype KRB5_NT_PRINCIPAL -pass * -out publishd.keytab</code></pre>"
        "<p>Or, on a host that is joined with Samba, for its computer account:</p>"
        "<pre tabindex=\"0\"><code>net ads keytab create -U administrator\nnet ads keytab add_update_ads HTTP -U administrator</code></pre>"
        "<p>Then give it to the daemon's user alone: owner publishd, mode 0400.</p></li>\n");
}

static void put_test(struct page *p, const services *s, const char *realm)
{
    const char *spn = NULL;
    for (size_t i = 0; i < s->n && !spn; i++)
        if (s->v[i].constrained && is_plain(s->v[i].spn))
            spn = s->v[i].spn;
    if (!spn)
        return;
    item(p, "Try it before the change",
         "On the new host, for a user of your choice: a ticket for the service must come.");
    put(p, "<pre tabindex=\"0\"><code>kinit -k -t publishd.keytab HTTP/publishd.example@");
    put_text(p, realm);
    put(p, "\nkvno -k publishd.keytab -U someone -P ");
    put_text(p, spn);
    put(p, "</code></pre></li>\n");
}

void html_delegation(struct page *p)
{
    services s = { 0 };
    gather(p, &s);
    const char *realm = guess_realm(p, &s);
    bool constrained = false;
    for (size_t i = 0; i < s.n; i++)
        constrained |= s.v[i].constrained;
    put(p,
        "<section id=\"delegation\" aria-labelledby=\"h-delegation\">\n<h2 id=\"h-delegation\">Delegation checklist</h2>\n"
        "<p>These rules sign in to their servers by Kerberos on the user's behalf. The rights of the old machine's computer account do not follow; publishd needs an account of its own. "
        "<code>svc-publishd</code>, <code>publishd.example</code> and the realm <code>");
    put_text(p, realm);
    put(p, "</code> (guessed from the service names) stand for yours.</p>\n<h3 id=\"h-spns\">Services</h3>\n");
    put_services(p, &s);
    put(p, "<h3>Steps</h3>\n<ol class=\"steps\">\n");
    item(
        p, "Find who holds each service name",
        "Each must be registered on exactly one account, the one that the published server runs as. A duplicate breaks all of them.");
    put_commands(p, &s, false, "setspn -Q ", "\n");
    put(p, "</li>\n");
    item(
        p, "Make the account",
        "A user of the same domain as the servers, with AES keys. (People whose own accounts are marked as sensitive, or belong to Protected Users, cannot be delegated, now as before.)");
    put(p,
        "<pre tabindex=\"0\"><code>New-ADUser svc-publishd -Enabled $true -PasswordNeverExpires $true -KerberosEncryptionType AES256 -AccountPassword (Read-Host -AsSecureString)\n"
        "setspn -S HTTP/publishd.example svc-publishd</code></pre></li>\n");
    if (constrained) {
        item(
            p, "Allow the delegation",
            "msDS-AllowedToDelegateTo lists the services. \xe2\x80\x9cUse any authentication protocol\xe2\x80\x9d is needed, because users sign in at the edge by other means than Kerberos.");
        put_commands(p, &s, true, "Set-ADUser svc-publishd -Add @{'msDS-AllowedToDelegateTo'='", "'}\n");
        put(p,
            "<pre tabindex=\"0\"><code>Set-ADAccountControl svc-publishd -TrustedToAuthForDelegation $true</code></pre></li>\n");
    }
    put_client_names(p);
    put_keytab(p, realm);
    item(
        p, "Set the realm and the clock",
        "In krb5.conf default_realm is the directory's domain in capitals, and rdns is false. The clock may be off by five minutes at most: take the time from the domain.");
    put(p, "<pre tabindex=\"0\"><code>[libdefaults]\n    default_realm = ");
    put_text(p, realm);
    put(p, "\n    dns_lookup_kdc = true\n    rdns = false</code></pre></li>\n");
    put_test(p, &s, realm);
    put(p, "</ol>\n</section>\n");
}
