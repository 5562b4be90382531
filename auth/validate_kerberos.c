/* validate_kerberos: the password by the KDC, and by kpasswd (RFC 3244) a new one. */
#include "internal.h"

#include <krb5.h>
#include <stdlib.h>

/* "Revoked" is what a KDC of Active Directory says of accounts that are disabled, locked or expired alike. */
enum verdict verdict_of_kdc(int32_t code)
{
    switch (code) {
    case KRB5KDC_ERR_PREAUTH_FAILED:
    case KRB5KRB_AP_ERR_BAD_INTEGRITY: return VERDICT_WRONG;
    case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN: return VERDICT_UNKNOWN;
    case KRB5KDC_ERR_CLIENT_REVOKED:
    case KRB5KDC_ERR_POLICY: return VERDICT_DISABLED;
    case KRB5KDC_ERR_NAME_EXP: return VERDICT_EXPIRED;
    case KRB5KDC_ERR_KEY_EXP: return VERDICT_MUST_CHANGE;
    default: return VERDICT_UNAVAILABLE;
    }
}

static void explain(krb5_context k, struct strbuf *why, const char *what, krb5_error_code code)
{
    const char *text = krb5_get_error_message(k, code);
    buf_printf(why, "%s: ", what);
    buf_visible(why, text);
    krb5_free_error_message(k, text);
}

/* The name as a principal: what is behind the @ may be a suffix that only the KDC can place. */
static krb5_error_code parse(const struct auth *a, krb5_context k, const struct user_name *name, krb5_principal *out)
{
    struct strbuf b = { 0 };
    bool known = !*name->realm || *domain_of_realm(a, name->realm) ||
                 (a->s.kerberos.principal && strrchr(a->s.kerberos.principal, '@') &&
                  !ascii_casecmp(strrchr(a->s.kerberos.principal, '@') + 1, name->realm));
    krb5_error_code code;
    if (!known)
        buf_printf(&b, "%s@%s", name->account, name->realm);
    else if (!auth_principal(a, name, &b))
        buf_puts(&b, name->account); /* krb5.conf's default realm */
    code = krb5_parse_name_flags(k, b.p, known ? 0 : KRB5_PRINCIPAL_PARSE_ENTERPRISE, out);
    buf_free(&b);
    return code;
}

/* A ticket with the password, for service ("kadmin/changepw"; NULL: a ticket-granting one); into cache if that is not NULL. */
static krb5_error_code first_ticket(krb5_context k, krb5_principal user, const struct secret *password,
                                    const char *service, krb5_ccache cache, bool to_servers, krb5_creds *creds)
{
    krb5_get_init_creds_opt *options = NULL;
    krb5_error_code code = krb5_get_init_creds_opt_alloc(k, &options);
    if (code)
        return code;
    krb5_get_init_creds_opt_set_canonicalize(options, 1);
    if (!to_servers) /* else as krb5.conf has it: a server may send it on */
        krb5_get_init_creds_opt_set_forwardable(options, 0);
    krb5_get_init_creds_opt_set_change_password_prompt(options, 0);
    if (service)
        krb5_get_init_creds_opt_set_tkt_life(options, 300);
    if (cache)
        code = krb5_get_init_creds_opt_set_out_ccache(k, options, cache);
    if (!code)
        code = krb5_get_init_creds_password(k, creds, user, secret_text(password), NULL, NULL, 0, service, options);
    krb5_get_init_creds_opt_free(k, options);
    return code;
}

/* Whoever has the password of an account whose password has run out still gets a ticket to change it. Others do not
 * learn that it has. */
static enum verdict proven_expiry(krb5_context k, krb5_principal user, const struct secret *password,
                                  struct strbuf *why)
{
    krb5_creds creds = { 0 };
    krb5_error_code code = first_ticket(k, user, password, "kadmin/changepw", NULL, false, &creds);
    if (code)
        explain(k, why, "; to change it", code);
    krb5_free_cred_contents(k, &creds);
    return code ? verdict_of_kdc(code) : VERDICT_MUST_CHANGE;
}

/* The credential that reads a cache. */
static gss_cred_id_t credential_of(krb5_context k, krb5_ccache cache, OM_uint32 *minor, struct strbuf *why)
{
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    char *name = NULL;
    if (krb5_cc_get_full_name(k, cache, &name))
        mem_fatal();
    gss_key_value_element_desc item = { "ccache", name };
    gss_key_value_set_desc store = { 1, &item };
    OM_uint32 major = gss_acquire_cred_from(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, gss_one(&gss_krb5), GSS_C_INITIATE,
                                            &store, &cred, NULL, NULL);
    if (GSS_ERROR(major))
        gss_why(why, "the user's ticket", major, *minor, &gss_krb5);
    krb5_free_string(k, name);
    return cred;
}

static struct identity *identity_from(struct auth *a, krb5_context k, krb5_ccache cache, struct secret *password,
                                      bool *unavailable, struct strbuf *why)
{
    OM_uint32 minor, ignored;
    gss_cred_id_t cred = credential_of(k, cache, &minor, why);
    struct identity *who = NULL;
    *unavailable = true;
    if (cred != GSS_C_NO_CREDENTIAL)
        who = identity_by_ticket(a, cred, PROOF_PASSWORD, password, unavailable, why);
    gss_release_cred(&ignored, &cred);
    return who;
}

gss_cred_id_t credential_by_password(const char *principal, const struct secret *password, char **cache,
                                     OM_uint32 *minor, struct strbuf *why)
{
    krb5_principal user = NULL;
    krb5_ccache got = NULL;
    krb5_creds creds = { 0 };
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    char *name = NULL;
    krb5_context k = context_take();
    if (!k)
        mem_fatal();
    krb5_error_code code = krb5_parse_name(k, principal, &user);
    if (!code)
        code = krb5_cc_new_unique(k, "MEMORY", NULL, &got);
    if (!code)
        code = first_ticket(k, user, password, NULL, got, true, &creds);
    *minor = (OM_uint32)code;
    if (code)
        explain(k, why, principal, code);
    else
        cred = credential_of(k, got, minor, why);
    if (cred != GSS_C_NO_CREDENTIAL && krb5_cc_get_full_name(k, got, &name) == 0)
        *cache = strdup(name);
    krb5_free_string(k, name);
    krb5_free_cred_contents(k, &creds);
    krb5_free_principal(k, user);
    if (got && cred == GSS_C_NO_CREDENTIAL)
        krb5_cc_destroy(k, got);
    else if (got)
        krb5_cc_close(k, got);
    context_give(k);
    return cred;
}

/* Where the directory may be read it tells disabled, locked and expired apart. */
static enum verdict which_revocation(struct auth *a, const struct user_name *name)
{
    struct arena *to = arena_new();
    struct strbuf why = { 0 };
    struct ldap_object o;
    LDAP *l = a->s.ldap.servers.n && a->s.ldap.user ? ldap_connect_search(a, &why) : NULL;
    bool found = l && ldap_lookup(a, l, "sAMAccountName", name->account, to, &o, &why) == LOOKUP_FOUND;
    enum verdict v = found && o.locked ? VERDICT_LOCKED : found && o.expired ? VERDICT_EXPIRED : VERDICT_DISABLED;
    ldap_close(l);
    buf_free(&why);
    arena_free(to);
    return v;
}

static enum verdict check(struct auth *a, krb5_context k, krb5_principal user, const struct user_name *name,
                          struct secret *password, struct identity **who, struct strbuf *why)
{
    krb5_ccache cache = NULL;
    krb5_creds creds = { 0 };
    bool unavailable;
    krb5_error_code code = krb5_cc_new_unique(k, "MEMORY", NULL, &cache);
    if (!code)
        code = first_ticket(k, user, password, NULL, cache, false, &creds);
    enum verdict v = code ? verdict_of_kdc(code) : VERDICT_UNAVAILABLE;
    if (code)
        explain(k, why, "KDC", code);
    if (v == VERDICT_MUST_CHANGE)
        v = proven_expiry(k, user, password, why);
    else if (v == VERDICT_DISABLED)
        v = which_revocation(a, name);
    else if (!code && (*who = identity_from(a, k, cache, password, &unavailable, why)))
        v = VERDICT_OK;
    krb5_free_cred_contents(k, &creds);
    if (cache)
        krb5_cc_destroy(k, cache);
    return v;
}

enum verdict check_by_kerberos(struct auth *a, const struct user_name *name, struct secret *password,
                               struct identity **who, struct strbuf *why)
{
    krb5_context k = NULL;
    krb5_principal user = NULL;
    enum verdict v = VERDICT_UNAVAILABLE;
    if (!a->keytab || !a->s.kerberos.principal) {
        buf_puts(why, "the KDC cannot be verified without a keytab and principal");
        return v;
    }
    size_t realm = kdc_realm(a, name);
    if (!kdc_begin(a, realm, why))
        return v;
    krb5_error_code code = krb5_init_context(&k);
    if (!code)
        code = parse(a, k, name, &user);
    if (code)
        explain(k, why, "Kerberos", code);
    else
        v = check(a, k, user, name, password, who, why);
    kdc_end(a, realm, v != VERDICT_UNAVAILABLE);
    krb5_free_principal(k, user);
    krb5_free_context(k);
    return v;
}

/* ---- a new password ---------------------------------------------------------------------------------------------- */
static enum verdict set_password(krb5_context k, krb5_creds *creds, const struct secret *wanted, struct strbuf *why)
{
    int result = 0;
    krb5_data short_text = { 0 }, text = { 0 };
    char *message = NULL;
    krb5_error_code code = krb5_change_password(k, creds, secret_text(wanted), &result, &short_text, &text);
    if (code)
        explain(k, why, "kpasswd", code);
    else if (result && krb5_chpw_message(k, &text, &message) == 0 && message)
        buf_visible(why, message);
    krb5_free_string(k, message);
    krb5_free_data_contents(k, &short_text);
    krb5_free_data_contents(k, &text);
    if (code)
        return VERDICT_UNAVAILABLE;
    switch (result) {
    case KRB5_KPASSWD_SUCCESS: return VERDICT_OK;
    case KRB5_KPASSWD_SOFTERROR: return VERDICT_WEAK;
    case KRB5_KPASSWD_AUTHERROR: return VERDICT_WRONG;
    default: return VERDICT_UNAVAILABLE;
    }
}

enum verdict change_by_kerberos(struct auth *a, const struct user_name *name, struct secret *old, struct secret *wanted,
                                struct strbuf *why)
{
    krb5_context k = NULL;
    krb5_principal user = NULL;
    krb5_creds creds = { 0 };
    enum verdict v = VERDICT_UNAVAILABLE;
    size_t realm = kdc_realm(a, name);
    if (!kdc_begin(a, realm, why))
        return v;
    krb5_error_code code = krb5_init_context(&k);
    if (!code)
        code = parse(a, k, name, &user);
    if (!code && !(code = first_ticket(k, user, old, "kadmin/changepw", NULL, false, &creds)))
        v = set_password(k, &creds, wanted, why);
    else if (code) {
        explain(k, why, "KDC", code);
        v = verdict_of_kdc(code);
    }
    kdc_end(a, realm, v != VERDICT_UNAVAILABLE);
    krb5_free_cred_contents(k, &creds);
    krb5_free_principal(k, user);
    krb5_free_context(k);
    return v;
}
