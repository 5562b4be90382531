/* validate_ldap: the password by a bind (RFC 4513 5.1.3); a new one by unicodePwd (MS-ADTS 3.1.1.3.1.5) or, where that is
 * not known, by RFC 3062. */
#include "internal.h"

#include <ldap.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* "80090308: LdapErr: DSID-…, comment: …, data 52e, v1db1": Active Directory's reason, in hexadecimal; 0: none. */
static unsigned long reason_in(const char *text)
{
    const char *at = text ? strstr(text, "data ") : NULL;
    return at ? strtoul(at + 5, NULL, 16) : 0;
}

static enum verdict verdict_of(int code, unsigned long reason)
{
    if (code == LDAP_SUCCESS)
        return VERDICT_OK;
    if (code != LDAP_INVALID_CREDENTIALS && code != LDAP_NO_SUCH_OBJECT && code != LDAP_UNWILLING_TO_PERFORM)
        return VERDICT_UNAVAILABLE;
    switch (reason) { /* Windows error codes */
    case 0x525: return VERDICT_UNKNOWN;
    case 0x530:
    case 0x531:
    case 0x533: return VERDICT_DISABLED; /* hours, workstation, disabled */
    case 0x701: return VERDICT_EXPIRED;
    case 0x532:
    case 0x773: return VERDICT_MUST_CHANGE;
    case 0x775: return VERDICT_LOCKED;
    default: return code == LDAP_NO_SUCH_OBJECT ? VERDICT_UNKNOWN : VERDICT_WRONG;
    }
}

static enum verdict bind_verdict(LDAP *l, const char *name, const struct secret *password, struct strbuf *why)
{
    char *text = NULL;
    int code = ldap_bind_as(l, name, password);
    if (code != LDAP_SUCCESS)
        ldap_get_option(l, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    enum verdict v = verdict_of(code, reason_in(text));
    if (code != LDAP_SUCCESS) {
        buf_printf(why, "LDAP bind: %s%s", ldap_err2string(code), text && *text ? ": " : "");
        if (text)
            buf_visible(why, text);
    }
    ldap_memfree(text);
    return v;
}

/* What Active Directory takes for a bind without a DN: a user principal name, or DOMAIN\account. The latter where it can be had: it is
 * the account's own name, by which it is then looked up, and a principal name that looks like it may be another account's. */
static const char *bind_name(struct auth *a, const struct user_name *name, struct arena *to)
{
    const char *realm = *name->realm ? name->realm : a->s.domains.n ? a->s.domains.v[0].realm : "";
    const char *domain = *name->domain ? name->domain : domain_of_realm(a, realm);
    if (*domain)
        return arena_printf(to, "%s\\%s", domain, name->account);
    return *realm ? arena_printf(to, "%s@%s", name->account, realm) : name->account;
}

/* What is written behind an @ may be an address that no directory knows: the password decides whether it is that account. */
static enum lookup find(struct auth *a, LDAP *l, const struct user_name *name, struct arena *to, struct ldap_object *o,
                        struct strbuf *why)
{
    enum lookup f = ldap_lookup_user(a, l, name, to, o, why);
    if (f != LOOKUP_ABSENT || o->several || !*name->realm || realm_known(a, name->realm))
        return f;
    return ldap_lookup_account(a, l, name->account, to, o, why);
}

static struct identity *identity_of(struct auth *a, LDAP *l, const struct user_name *name, struct secret *password,
                                    struct arena *to, struct strbuf *why)
{
    struct ldap_object o;
    strings sids = { 0 };
    if (find(a, l, name, to, &o, why) != LOOKUP_FOUND)
        return NULL;
    bool nested = ldap_token_groups(l, &o, to, &sids);
    const char *own = domain_of_realm(a, o.realm);
    struct identity facts = { .account = o.account,
                              .domain = *own ? own : name->domain,
                              .realm = o.realm,
                              .sids = nested ? sids.v : NULL,
                              .sids_n = nested ? sids.n : 0,
                              .groups = o.member_of.v,
                              .groups_n = o.member_of.n,
                              .groups_known = true,
                              .password_expires = o.password_expires,
                              .password = password };
    return identity_new(&facts);
}

/* Where somebody may search, the object is found first: its DN is what to bind as, in every directory. */
static enum verdict find_bind_name(struct auth *a, const struct user_name *name, struct arena *to, const char **as,
                                   struct strbuf *why)
{
    struct ldap_object o;
    *as = bind_name(a, name, to);
    if (!a->s.ldap.user)
        return VERDICT_OK;
    LDAP *l = ldap_connect_search(a, why);
    enum lookup f = l ? find(a, l, name, to, &o, why) : LOOKUP_FAILED;
    if (f == LOOKUP_FOUND)
        *as = o.dn;
    ldap_close(l);
    return f == LOOKUP_FOUND ? VERDICT_OK : f == LOOKUP_ABSENT ? VERDICT_UNKNOWN : VERDICT_UNAVAILABLE;
}

enum verdict check_by_ldap(struct auth *a, const struct user_name *name, struct secret *password, struct identity **who,
                           struct strbuf *why)
{
    struct arena *to = arena_new();
    const char *as = NULL;
    enum verdict v = find_bind_name(a, name, to, &as, why);
    LDAP *l = v == VERDICT_OK ? ldap_connect_first(a, why) : NULL;
    if (v == VERDICT_OK)
        v = l ? bind_verdict(l, as, password, why) : VERDICT_UNAVAILABLE;
    if (v == VERDICT_OK && !(*who = identity_of(a, l, name, password, to, why)))
        v = VERDICT_UNAVAILABLE;
    ldap_close(l);
    arena_free(to);
    return v;
}

/* ---- a new password --------------------------------------------------------------------------------------------- */
/* In quotes and UTF-16, as unicodePwd wants it. out has room for 4 bytes more than two for each byte of the text. */
static size_t quoted_utf16(const char *text, unsigned char *out)
{
    size_t n = 0;
    const unsigned char *p = (const unsigned char *)text;
    out[n++] = '"';
    out[n++] = 0;
    while (*p) {
        uint32_t c = *p++;
        int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
        c &= more == 3 ? 7u : more == 2 ? 15u : more == 1 ? 31u : 127u;
        for (; more && (*p & 0xc0) == 0x80; more--)
            c = c << 6 | (*p++ & 63u);
        if (c >= 0x10000) {
            uint32_t high = 0xd800 + ((c - 0x10000) >> 10);
            out[n++] = (unsigned char)high;
            out[n++] = (unsigned char)(high >> 8);
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        out[n++] = (unsigned char)c;
        out[n++] = (unsigned char)(c >> 8);
    }
    out[n++] = '"';
    out[n++] = 0;
    return n;
}

static int modify(LDAP *l, const char *dn, const struct secret *old, const struct secret *wanted)
{
    unsigned char bytes[2][2 * SECRET_BYTES + 4];
    struct berval values[2] = { { quoted_utf16(secret_text(old), bytes[0]), (char *)bytes[0] },
                                { quoted_utf16(secret_text(wanted), bytes[1]), (char *)bytes[1] } };
    struct berval *lists[2][2] = { { &values[0], NULL }, { &values[1], NULL } };
    char attribute[] = "unicodePwd";
    LDAPMod del = { LDAP_MOD_DELETE | LDAP_MOD_BVALUES, attribute, { .modv_bvals = lists[0] } };
    LDAPMod add = { LDAP_MOD_ADD | LDAP_MOD_BVALUES, attribute, { .modv_bvals = lists[1] } };
    LDAPMod *both[] = { &del, &add, NULL };
    int code = ldap_modify_ext_s(l, dn, both, NULL, NULL);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return code;
}

static int extended(LDAP *l, const char *dn, const struct secret *old, const struct secret *wanted)
{
    struct berval user = { strlen(dn), (char *)(uintptr_t)dn };
    struct berval from = { secret_length(old), (char *)(uintptr_t)secret_text(old) };
    struct berval to = { secret_length(wanted), (char *)(uintptr_t)secret_text(wanted) }, made = { 0 };
    int code = ldap_passwd_s(l, &user, &from, &to, &made, NULL, NULL);
    ldap_memfree(made.bv_val);
    return code;
}

/* ERROR_INVALID_PASSWORD, as Active Directory begins its text where the old password was wrong. */
static bool says_wrong(const char *text)
{
    return text && strncmp(text, "00000056", 8) == 0;
}

static enum verdict change_at(LDAP *l, const char *dn, const struct secret *old, const struct secret *wanted,
                              struct strbuf *why)
{
    char *text = NULL;
    int code = modify(l, dn, old, wanted);
    if (code == LDAP_UNDEFINED_TYPE || code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_OBJECT_CLASS_VIOLATION)
        code = extended(l, dn, old, wanted);
    if (code == LDAP_SUCCESS)
        return VERDICT_OK;
    ldap_get_option(l, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    enum verdict v = code == LDAP_INVALID_CREDENTIALS || says_wrong(text)                     ? VERDICT_WRONG
                     : code == LDAP_CONSTRAINT_VIOLATION || code == LDAP_UNWILLING_TO_PERFORM ? VERDICT_WEAK
                                                                                              : VERDICT_UNAVAILABLE;
    buf_printf(why, "LDAP, new password: %s%s", ldap_err2string(code), text && *text ? ": " : "");
    if (text)
        buf_visible(why, text);
    ldap_memfree(text);
    return v;
}

/* A user whose password has run out cannot bind; then the searching user asks for the change. The old password is part
 * of it and is checked by the server either way. */
enum verdict change_by_ldap(struct auth *a, const struct user_name *name, struct secret *old, struct secret *wanted,
                            struct strbuf *why)
{
    struct arena *to = arena_new();
    struct ldap_object o;
    bool search = a->s.ldap.user != NULL;
    LDAP *l = search ? ldap_connect_search(a, why) : ldap_connect_first(a, why);
    enum verdict v = !l ? VERDICT_UNAVAILABLE : search ? VERDICT_OK : bind_verdict(l, bind_name(a, name, to), old, why);
    if (v == VERDICT_OK) {
        enum lookup f = find(a, l, name, to, &o, why);
        v = f == LOOKUP_FOUND    ? change_at(l, o.dn, old, wanted, why)
            : f == LOOKUP_ABSENT ? VERDICT_UNKNOWN
                                 : VERDICT_UNAVAILABLE;
    }
    ldap_close(l);
    arena_free(to);
    return v;
}
