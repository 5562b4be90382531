/* directory: looking up users and groups, by LDAP where servers are given, else by winbindd. */
#include "internal.h"

bool directory_sid(struct auth *a, const char *domain, const char *name, struct arena *to, const char **sid,
                   struct strbuf *why)
{
    struct ldap_object o = { 0 };
    *sid = NULL;
    if (!a->s.ldap.servers.n)
        return winbind_sid(domain, name, to, sid, why);
    LDAP *l = ldap_connect_search(a, why);
    if (l && ldap_lookup(a, l, "sAMAccountName", name, to, &o, why) == LDAP_FOUND && ldap_of_domain(a, &o, domain))
        *sid = o.sid;
    ldap_close(l);
    return *sid != NULL;
}

bool directory_sids(struct auth *a, const struct user_name *name, struct arena *to, strings *sids, struct strbuf *why)
{
    struct ldap_object o;
    if (!a->s.ldap.servers.n)
        return winbind_sids(name, to, sids, why);
    LDAP *l = ldap_connect_search(a, why);
    bool principal = !*name->domain && *name->realm && !realm_known(a, name->realm);
    const char *wanted = principal ? arena_printf(to, "%s@%s", name->account, name->realm) : name->account;
    bool ok =
        l && ldap_lookup(a, l, principal ? "userPrincipalName" : "sAMAccountName", wanted, to, &o, why) == LDAP_FOUND &&
        ldap_of_domain(a, &o, *name->domain || principal ? name->domain : name->realm) &&
        ldap_token_groups(l, &o, to, sids);
    ldap_close(l);
    return ok;
}

bool directory_account(struct auth *a, const struct user_name *upn, struct arena *to, struct user_name *out,
                       struct strbuf *why)
{
    struct ldap_object o;
    if (!a->s.ldap.servers.n)
        return winbind_account(upn, to, out, why);
    LDAP *l = ldap_connect_search(a, why);
    const char *name = arena_printf(to, "%s@%s", upn->account, upn->realm);
    bool ok = l && ldap_lookup(a, l, "userPrincipalName", name, to, &o, why) == LDAP_FOUND;
    if (ok)
        *out = (struct user_name){ o.account, domain_of_realm(a, o.realm), o.realm };
    ldap_close(l);
    return ok;
}
