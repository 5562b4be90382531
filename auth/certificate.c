/* certificate: names in certificates, and the accounts that they name. */
#include "certificate.h"
#include "internal.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const char *thumbprint(const X509 *certificate, char out[41])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (X509_digest(certificate, EVP_sha1(), sum, &n) != 1)
        n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < n && i < 20; i++)
        snprintf(out + 2 * (size_t)i, 3, "%02x", sum[i]);
    return out;
}

/* The text of an ASN.1 string as it is: NULL for one that holds a NUL, and so says one thing to C and another to its issuer. */
static const char *plain_text(struct arena *a, const ASN1_STRING *s)
{
    const char *p = (const char *)ASN1_STRING_get0_data(s);
    size_t n = (size_t)ASN1_STRING_length(s);
    return n && !memchr(p, '\0', n) ? arena_strndup(a, p, n) : NULL;
}

/* "alice@corp.example": one @ with something on both sides. A backslash would be read as a domain's. */
static bool read_upn(struct arena *a, const char *text, struct user_name *out)
{
    const char *at = text ? strchr(text, '@') : NULL;
    return at && !strchr(at + 1, '@') && !strchr(text, '\\') && user_name_parse(a, text, NULL, out) && *out->realm;
}

/* What the alternative names say. upn: the last, upns: how many. */
struct alternative {
    const char *upn;
    int upns;
    strings emails;
    bool bad;
};

static void read_name(struct arena *a, const GENERAL_NAME *name, struct alternative *out)
{
    if (name->type == GEN_EMAIL) {
        const char *email = plain_text(a, name->d.rfc822Name);
        if (email)
            vec_add(a, &out->emails, email);
    } else if (name->type == GEN_OTHERNAME && OBJ_obj2nid(name->d.otherName->type_id) == NID_ms_upn) {
        const ASN1_TYPE *value = name->d.otherName->value;
        out->upns++;
        out->upn = value->type == V_ASN1_UTF8STRING ? plain_text(a, value->value.utf8string) : NULL;
    }
}

static void read_alternative(const X509 *certificate, struct arena *a, struct alternative *out)
{
    int critical = -1; /* -1: not there; -2: there twice */
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    *out = (struct alternative){ .bad = !names && critical != -1 };
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
        read_name(a, sk_GENERAL_NAME_value(names, i), out);
    GENERAL_NAMES_free(names);
}

static const char *in_table(const struct sign_in *s, const char *thumb, const strings *emails)
{
    for (size_t i = 0; i < s->certificates.n; i++) {
        const struct sign_in_certificate *row = &s->certificates.v[i];
        if (row->thumbprint && str_equal(row->thumbprint, thumb))
            return row->account;
        for (size_t k = 0; row->email && k < emails->n; k++)
            if (!ascii_casecmp(row->email, emails->v[k]))
                return row->account;
    }
    return NULL;
}

enum naming certificate_names(const struct sign_in *s, const X509 *certificate, struct arena *a, struct user_name *out)
{
    char thumb[41];
    struct alternative said;
    *out = (struct user_name){ "", "", "" };
    read_alternative(certificate, a, &said);
    const char *account = in_table(s, thumbprint(certificate, thumb), &said.emails);
    if (account)
        return user_name_parse(a, arena_strdup(a, account), NULL, out) ? NAMES_ACCOUNT : NAMES_BADLY;
    if (said.bad || said.upns > 1)
        return NAMES_BADLY;
    if (!said.upns)
        return NAMES_NOBODY;
    return read_upn(a, said.upn, out) ? NAMES_ACCOUNT : NAMES_BADLY;
}

/* ---- accounts ------------------------------------------------------------------------------------------------------ */

/* The user's ticket for ourselves, which the KDC gives without a password and whose PAC has the groups. It gives none to an
 * account that is disabled or not there. */
static enum verdict by_kdc(struct auth *a, const struct user_name *name, struct identity **who, struct strbuf *why)
{
    OM_uint32 major, minor, ignored;
    bool unavailable = false;
    struct strbuf principal = { 0 };
    enum lookup named = impersonated_name(a, name, &principal, why);
    if (named != LOOKUP_FOUND) {
        buf_free(&principal);
        return named == LOOKUP_FAILED ? VERDICT_UNAVAILABLE : VERDICT_UNKNOWN;
    }
    size_t realm = kdc_realm(a, name);
    if (!kdc_begin(a, realm, why)) {
        buf_free(&principal);
        return VERDICT_UNAVAILABLE;
    }
    struct own_ticket *own = own_ticket(a, true, &unavailable, why);
    gss_cred_id_t cred = own ? impersonate(own, principal.p, &major, &minor) : GSS_C_NO_CREDENTIAL;
    enum verdict v = VERDICT_UNAVAILABLE;
    if (own && cred == GSS_C_NO_CREDENTIAL) {
        gss_why(why, principal.p, major, minor, &gss_krb5);
        v = minor_is_unavailable(minor)                         ? VERDICT_UNAVAILABLE
            : verdict_of_kdc((int32_t)minor) == VERDICT_UNKNOWN ? VERDICT_UNKNOWN
                                                                : VERDICT_DISABLED;
    } else if (own) {
        *who = identity_by_ticket(a, cred, PROOF_CERTIFICATE, NULL, &unavailable, why);
        v = *who ? VERDICT_OK : unavailable ? VERDICT_UNAVAILABLE : VERDICT_DISABLED;
    }
    kdc_end(a, realm, v != VERDICT_UNAVAILABLE);
    gss_release_cred(&ignored, &cred);
    own_ticket_release(own);
    buf_free(&principal);
    return v;
}

/* Finds the object that a user principal name is written at: what stands in front of its @ may be another user's account name.
 * Without such an object it is the account of that name, in a realm that is known. */
static enum lookup find_object(struct auth *a, LDAP *l, const struct user_name *name, struct arena *to,
                               struct ldap_object *o, struct strbuf *why)
{
    if (!*name->realm)
        return ldap_lookup_account(a, l, name->account, to, o, why);
    const char *upn = arena_printf(to, "%s@%s", name->account, name->realm);
    enum lookup f = ldap_lookup(a, l, "userPrincipalName", upn, to, o, why);
    if (f != LOOKUP_ABSENT || o->several || !realm_known(a, name->realm))
        return f;
    buf_clear(why);
    return ldap_lookup_account(a, l, name->account, to, o, why);
}

static enum verdict by_directory(struct auth *a, const struct user_name *name, struct identity **who,
                                 struct strbuf *why)
{
    enum { DISABLED = 2 }; /* of userAccountControl */
    struct arena *to = arena_new();
    struct ldap_object o;
    strings sids = { 0 };
    LDAP *l = ldap_connect_search(a, why);
    enum lookup f = l ? find_object(a, l, name, to, &o, why) : LOOKUP_FAILED;
    enum verdict v = f == LOOKUP_FAILED ? VERDICT_UNAVAILABLE : f == LOOKUP_ABSENT ? VERDICT_UNKNOWN : VERDICT_OK;
    if (v == VERDICT_OK && (o.control & DISABLED || o.locked || o.expired))
        v = o.control & DISABLED ? VERDICT_DISABLED : o.locked ? VERDICT_LOCKED : VERDICT_EXPIRED;
    if (v == VERDICT_OK && a->keytab) {
        struct user_name real = { o.account, domain_of_realm(a, o.realm), o.realm };
        v = by_kdc(a, &real, who, why);
    } else if (v == VERDICT_OK) {
        bool groups = ldap_token_groups(l, &o, to, &sids);
        struct identity facts = { .account = o.account,
                                  .domain = domain_of_realm(a, o.realm),
                                  .realm = o.realm,
                                  .proof = PROOF_CERTIFICATE,
                                  .sids = sids.v,
                                  .sids_n = groups ? sids.n : 0,
                                  .groups = o.member_of.v,
                                  .groups_n = o.member_of.n,
                                  .groups_known = true };
        *who = identity_new(&facts);
    }
    ldap_close(l);
    arena_free(to);
    return v;
}

bool certificate_asks_kdc(const struct auth *a)
{
    return a->keytab;
}

/* The file and the KDC know accounts, not user principal names: of those, the ones in a realm of ours. */
enum verdict certificate_account(struct auth *a, const struct user_name *name, struct identity **who,
                                 struct strbuf *why)
{
    *who = NULL;
    if (a->s.ldap.servers.n && a->s.ldap.user)
        return by_directory(a, name, who, why);
    if (!a->keytab && !a->passwords) {
        buf_puts(why, "nobody knows accounts here: there is no keytab, no LDAP user to search as and no password file");
        return VERDICT_UNAVAILABLE;
    }
    if (*name->realm && !realm_known(a, name->realm)) {
        buf_printf(why, "%s@%s is in no realm that is known, and there is no directory to ask", name->account,
                   name->realm);
        return VERDICT_UNKNOWN;
    }
    return a->keytab ? by_kdc(a, name, who, why) : account_in_file(a, name, who, why);
}
