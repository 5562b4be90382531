/* explain: what publishd --check-delegation says. A KDC gives one and the same refusal for four faults; which it is, is
 * found by looking at the ticket that it did give, and in the directory where that may be read. */
#include "delegate.h"
#include "internal.h"

#include <krb5.h>

/* userAccountControl, MS-ADTS 2.2.16. */
enum { ACCOUNT_DISABLED = 0x2, NOT_DELEGATED = 0x100000, TRUSTED_FOR_TRANSITION = 0x1000000 };
static const char refused_alike[] = "KDC can't fulfill requested option";

/* The ticket that S4U2Self gave, for ourselves, may be sent on. A KDC clears that where the user is sensitive or the
 * account may not use any protocol. */
static bool is_forwardable(gss_cred_id_t cred)
{
    OM_uint32 minor;
    krb5_context k = NULL;
    krb5_ccache cache = NULL;
    krb5_cc_cursor cursor;
    krb5_creds creds;
    bool forwardable = false;
    gss_key_value_element_desc item = { "ccache", "MEMORY:publishd-explain" };
    gss_key_value_set_desc store = { 1, &item };
    if (krb5_init_context(&k))
        return false;
    if (!GSS_ERROR(gss_store_cred_into(&minor, cred, GSS_C_INITIATE, (gss_OID)(uintptr_t)&gss_krb5, 1, 0, &store, NULL,
                                       NULL)) &&
        !krb5_cc_resolve(k, item.value, &cache) && !krb5_cc_start_seq_get(k, cache, &cursor)) {
        while (!krb5_cc_next_cred(k, cache, &cursor, &creds)) {
            bool config = krb5_is_config_principal(k, creds.server);
            const krb5_data *first = config ? NULL : creds.server->data;
            bool granting = first && first->length == 6 && !memcmp(first->data, "krbtgt", 6);
            forwardable = forwardable || (!config && !granting && creds.ticket_flags & TKT_FLG_FORWARDABLE);
            krb5_free_cred_contents(k, &creds);
        }
        krb5_cc_end_seq_get(k, cache, &cursor);
    }
    if (cache)
        krb5_cc_destroy(k, cache);
    krb5_free_context(k);
    return forwardable;
}

/* The service account's object: by its own name, or by the service's name that its principal is. */
static enum lookup our_object(struct auth *a, LDAP *l, struct arena *to, struct ldap_object *o, struct strbuf *why)
{
    const char *at = strrchr(a->s.kerberos.principal, '@');
    const char *name = arena_strndup(to, a->s.kerberos.principal,
                                     at ? (size_t)(at - a->s.kerberos.principal) : strlen(a->s.kerberos.principal));
    return ldap_lookup(a, l, strchr(name, '/') ? "servicePrincipalName" : "sAMAccountName", name, to, o, why);
}

static bool lists(const strings *list, const char *spn)
{
    size_t n = strcspn(spn, "@");
    for (size_t i = 0; i < list->n; i++)
        if (strlen(list->v[i]) == n && !ascii_ncasecmp(list->v[i], spn, n))
            return true;
    return false;
}

/* What the directory says of each party; true: something that explains a refusal. */
static bool from_directory(struct auth *a, const char *account, const char *spn, struct strbuf *out)
{
    struct arena *to = arena_new();
    struct strbuf why = { 0 };
    struct ldap_object us, user;
    LDAP *l = a->s.ldap.servers.n ? ldap_connect_search(a, &why) : NULL;
    size_t before = out->n;
    if (l && our_object(a, l, to, &us, &why) == LOOKUP_FOUND) {
        if (!(us.control & TRUSTED_FOR_TRANSITION))
            buf_printf(
                out,
                "  %s may not sign in for users: \"Use any authentication protocol\" is not set (userAccountControl 0x1000000)\n",
                us.account);
        if (!lists(&us.delegates_to, spn))
            buf_printf(out, "  %s may not delegate to %s: add it to its msDS-AllowedToDelegateTo\n", us.account, spn);
    }
    if (l && ldap_lookup(a, l, "sAMAccountName", account, to, &user, &why) == LOOKUP_FOUND) {
        if (user.control & NOT_DELEGATED)
            buf_printf(out, "  %s is marked \"Account is sensitive and cannot be delegated\"\n", user.account);
        if (user.control & ACCOUNT_DISABLED)
            buf_printf(out, "  %s is disabled\n", user.account);
        if (user.locked)
            buf_printf(out, "  %s is locked out\n", user.account);
        if (user.expired)
            buf_printf(out, "  %s has expired\n", user.account);
    }
    if (!l)
        buf_printf(out, "  (the directory could say more: %s)\n",
                   why.p && why.n ? why.p : "no LDAP server is configured");
    bool found = l && out->n > before;
    ldap_close(l);
    arena_free(to);
    buf_free(&why);
    return found;
}

static void guess(gss_cred_id_t cred, struct strbuf *out)
{
    if (is_forwardable(cred))
        buf_puts(
            out,
            "  the user's ticket may be sent on, so it is the service: it is not in the account's msDS-AllowedToDelegateTo\n");
    else
        buf_puts(
            out,
            "  the user's ticket may not be sent on, so it is one of these: the account lacks \"Use any authentication protocol\",\n"
            "  or the user is sensitive, or in Protected Users\n");
}

/* The second half, S4U2Proxy, with the credential that the first gave. */
static bool try_service(struct auth *a, gss_cred_id_t cred, const char *account, const char *spn, struct strbuf *out)
{
    OM_uint32 minor, ignored, major = GSS_S_NO_CRED;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_buffer_desc token = { 0, NULL };
    struct strbuf why = { 0 };
    gss_name_t target = service_name(a, spn);
    if (target != GSS_C_NO_NAME)
        major = gss_init_sec_context(&minor, cred, &context, target, (gss_OID)(uintptr_t)&gss_krb5, 0, 0,
                                     GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &token, NULL, NULL);
    bool ok = major == GSS_S_COMPLETE;
    if (ok) {
        buf_printf(out, "ticket for %s: ok\n", spn);
    } else {
        gss_why(&why, "refused", major, minor, &gss_krb5);
        buf_printf(out, "ticket for %s: %s\n", spn, why.p);
        if ((krb5_error_code)minor == KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN)
            buf_printf(out, "  no account has the name %s: setspn -S %s ACCOUNT\n", spn, spn);
        else if (strstr(why.p, refused_alike) && !from_directory(a, account, spn, out))
            guess(cred, out);
    }
    gss_release_buffer(&ignored, &token);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    gss_release_name(&ignored, &target);
    buf_free(&why);
    return ok;
}

/* The first half, S4U2Self. */
static bool try_user(struct auth *a, struct own_ticket *s, const char *principal, const char *account, const char *spn,
                     struct strbuf *out)
{
    OM_uint32 major, minor, ignored;
    struct strbuf why = { 0 };
    gss_cred_id_t cred = impersonate(s, principal, &major, &minor);
    bool ok = false;
    if (!GSS_ERROR(major)) {
        buf_printf(out, "signing in for %s: ok\n", principal);
        ok = try_service(a, cred, account, spn, out);
    } else {
        gss_why(&why, "refused", major, minor, &gss_krb5);
        buf_printf(out, "signing in for %s: %s\n", principal, why.p);
        if ((krb5_error_code)minor == KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN)
            buf_puts(out, "  there is no such user in the domain\n");
        else
            from_directory(a, account, spn, out);
    }
    gss_release_cred(&ignored, &cred);
    buf_free(&why);
    return ok;
}

bool delegation_explain(struct auth *a, const char *account, const char *spn, struct strbuf *out)
{
    struct arena *to = arena_new();
    struct strbuf principal = { 0 }, why = { 0 };
    struct user_name name;
    bool unavailable, ok = false;
    if (!user_name_parse(to, account, NULL, &name) || impersonated_name(a, &name, &principal, &why) != LOOKUP_FOUND) {
        buf_printf(out, "%s: no user's name%s%s\n", account, why.n ? ": " : "", why.n ? why.p : "");
    } else {
        struct own_ticket *s = own_ticket(a, true, &unavailable, &why);
        if (s)
            buf_printf(out, "our own ticket, %s: ok\n", a->s.kerberos.principal);
        else
            buf_printf(
                out, "our own ticket: %s%s\n", why.p,
                unavailable
                    ? ""
                    : "\n  the keytab does not hold the account's present keys, or the account cannot sign in by that name");
        ok = s && try_user(a, s, principal.p, name.account, spn, out);
        own_ticket_release(s);
    }
    buf_free(&principal);
    buf_free(&why);
    arena_free(to);
    return ok;
}
