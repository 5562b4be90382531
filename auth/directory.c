/* directory: looking up users and groups, by LDAP where servers are given, else by winbindd. */
#include "internal.h"

enum lookup directory_sid(struct auth *a, const char *domain, const char *name, struct arena *to, const char **sid,
                          struct strbuf *why)
{
    struct ldap_object o = { 0 };
    *sid = NULL;
    if (!a->s.ldap.servers.n)
        return winbind_sid(domain, name, to, sid, why);
    LDAP *l = ldap_connect_search(a, why);
    const struct user_name wanted = { name, ascii_casecmp(domain, "BUILTIN") ? domain : "",
                                      "" }; /* part of every one */
    enum lookup found = l ? ldap_lookup_user(a, l, &wanted, to, &o, why) : LOOKUP_FAILED;
    *sid = o.sid;
    ldap_close(l);
    return found == LOOKUP_FOUND && !o.sid ? LOOKUP_ABSENT : found;
}

enum lookup directory_sids(struct auth *a, const struct user_name *name, struct arena *to, strings *sids,
                           struct strbuf *why)
{
    struct ldap_object o;
    if (!a->s.ldap.servers.n)
        return winbind_sids(name, to, sids, why);
    LDAP *l = ldap_connect_search(a, why);
    enum lookup found = l ? ldap_lookup_user(a, l, name, to, &o, why) : LOOKUP_FAILED;
    if (found == LOOKUP_FOUND && !ldap_token_groups(l, &o, to, sids))
        found = o.sid ? LOOKUP_FAILED : LOOKUP_ABSENT; /* what is no Active Directory has none to say */
    ldap_close(l);
    return found;
}

enum lookup directory_account(struct auth *a, const struct user_name *upn, struct arena *to, struct user_name *out,
                              struct strbuf *why)
{
    struct ldap_object o;
    if (!a->s.ldap.servers.n)
        return winbind_account(upn, to, out, why);
    LDAP *l = ldap_connect_search(a, why);
    const char *name = arena_printf(to, "%s@%s", upn->account, upn->realm);
    enum lookup found = l ? ldap_lookup(a, l, "userPrincipalName", name, to, &o, why) : LOOKUP_FAILED;
    if (found == LOOKUP_FOUND)
        *out = (struct user_name){ o.account, domain_of_realm(a, o.realm), o.realm };
    ldap_close(l);
    return found;
}
