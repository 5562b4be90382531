/* ldap: connections to directory servers and what is read there. Always under TLS: ldaps://, or ldap:// with StartTLS,
 * which the server must grant. A connection is one call's; the server's certificate is checked against its name. */
#include "internal.h"
#include "pac.h"

#include <ldap.h>
#include <stdlib.h>

/* ---- connections ------------------------------------------------------------------------------------------- */
static void explain(struct strbuf *why, const char *what, LDAP *l, int code)
{
    char *text = NULL;
    if (l)
        ldap_get_option(l, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    buf_printf(why, "%s: %s%s", what, ldap_err2string(code), text && *text ? ": " : "");
    if (text)
        buf_visible(why, text);
    ldap_memfree(text);
}

static int prepare(struct auth *a, LDAP *l)
{
    int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    struct timeval wait = { .tv_sec = a->s.timeout };
    int code = ldap_set_option(l, LDAP_OPT_PROTOCOL_VERSION, &version);
    code |= ldap_set_option(l, LDAP_OPT_NETWORK_TIMEOUT, &wait);
    code |= ldap_set_option(l, LDAP_OPT_TIMEOUT, &wait);
    code |= ldap_set_option(l, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    code |= ldap_set_option(l, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
    code |= ldap_add_layers(l);
    if (a->s.ldap.trust)
        code |= ldap_set_option(l, LDAP_OPT_X_TLS_CACERTFILE, a->s.ldap.trust);
    return code | ldap_set_option(l, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static LDAP *connect_to(struct auth *a, const char *uri, struct strbuf *why)
{
    LDAP *l = NULL;
    int code = ldap_initialize(&l, uri);
    if (code == LDAP_SUCCESS && prepare(a, l) != LDAP_OPT_SUCCESS)
        code = LDAP_LOCAL_ERROR;
    if (code == LDAP_SUCCESS)
        code = ascii_ncasecmp(uri, "ldap://", 7) == 0 ? ldap_start_tls_s(l, NULL, NULL) : ldap_connect(l);
    if (code == LDAP_SUCCESS)
        return l;
    explain(why, uri, l, code);
    buf_puts(why, "; ");
    ldap_close(l);
    return NULL;
}

void ldap_close(LDAP *l)
{
    if (l)
        ldap_unbind_ext_s(l, NULL, NULL);
}

LDAP *ldap_connect_first(struct auth *a, struct strbuf *why)
{
    LDAP *l = NULL;
    if (!a->s.ldap.servers.n)
        buf_puts(why, "no LDAP server is configured");
    for (size_t i = 0; i < a->s.ldap.servers.n && !l; i++)
        l = connect_to(a, a->s.ldap.servers.v[i], why);
    return l;
}

int ldap_bind_as(LDAP *l, const char *name, const struct secret *password)
{
    struct berval value = { secret_length(password), (char *)(uintptr_t)secret_text(password) };
    return ldap_sasl_bind_s(l, name, LDAP_SASL_SIMPLE, &value, NULL, NULL, NULL);
}

LDAP *ldap_connect_search(struct auth *a, struct strbuf *why)
{
    if (!a->s.ldap.user || !a->ldap_secret) {
        buf_puts(why, "no LDAP user to search as is configured");
        return NULL;
    }
    LDAP *l = ldap_connect_first(a, why);
    int code = l ? ldap_bind_as(l, a->s.ldap.user, a->ldap_secret) : LDAP_SUCCESS;
    if (code != LDAP_SUCCESS) {
        explain(why, a->s.ldap.user, l, code);
        ldap_close(l);
        l = NULL;
    }
    return l;
}

/* ---- objects -------------------------------------------------------------------------------------------------- */
/* A value inside a filter (RFC 4515 section 3). */
static void put_filter_value(struct strbuf *b, const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
        if (strchr("*()\\", *p) || *p < ' ')
            buf_printf(b, "\\%02x", *p);
        else
            buf_putc(b, (char)*p);
    }
}

/* The values of an attribute as texts; those that hold a NUL are left out. */
static strings values(LDAP *l, LDAPMessage *entry, const char *attribute, struct arena *to)
{
    strings out = { 0 };
    struct berval **v = ldap_get_values_len(l, entry, attribute);
    for (size_t i = 0; v && v[i]; i++)
        if (!memchr(v[i]->bv_val, '\0', v[i]->bv_len))
            vec_add(to, &out, arena_strndup(to, v[i]->bv_val, v[i]->bv_len));
    if (v)
        ldap_value_free_len(v);
    return out;
}

static const char *value(LDAP *l, LDAPMessage *entry, const char *attribute, struct arena *to)
{
    strings v = values(l, entry, attribute, to);
    return v.n ? v.v[0] : NULL;
}

static strings sids_in(LDAP *l, LDAPMessage *entry, const char *attribute, struct arena *to)
{
    strings out = { 0 };
    struct berval **v = ldap_get_values_len(l, entry, attribute);
    for (size_t i = 0; v && v[i]; i++) {
        const char *sid = sid_text(to, v[i]->bv_val, v[i]->bv_len, NULL);
        if (sid)
            vec_add(to, &out, sid);
    }
    if (v)
        ldap_value_free_len(v);
    return out;
}

/* "CN=x,OU=y,DC=lab,DC=test": the realm of its last parts, and the text of its first. */
static const char *dn_parts(const char *text, struct arena *to, const char **first)
{
    LDAPDN dn = NULL;
    struct strbuf b = { 0 };
    *first = NULL;
    if (ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return "";
    for (size_t i = 0; dn && dn[i]; i++) {
        const LDAPAVA *ava = dn[i][0];
        if (!ava)
            continue;
        if (i == 0)
            *first = arena_strndup(to, ava->la_value.bv_val, ava->la_value.bv_len);
        if (ava->la_attr.bv_len == 2 && !ascii_ncasecmp(ava->la_attr.bv_val, "dc", 2)) {
            if (b.n)
                buf_putc(&b, '.');
            buf_add(&b, ava->la_value.bv_val, ava->la_value.bv_len);
        }
    }
    ldap_dnfree(dn);
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] >= 'a' && b.p[i] <= 'z')
            b.p[i] = (char)(b.p[i] - 'a' + 'A');
    const char *realm = arena_strndup(to, b.p ? b.p : "", b.n);
    buf_free(&b);
    return realm;
}

/* Bits of msDS-User-Account-Control-Computed (MS-ADTS 2.2.16): locked out, password expired. */
enum { COMPUTED_LOCKED = 0x10, COMPUTED_EXPIRED = 0x800000 };

/* An attribute that holds a time, as windows_time says. */
static long long time_in(LDAP *l, LDAPMessage *entry, const char *attribute, struct arena *to)
{
    const char *text = value(l, entry, attribute, to);
    return windows_time(text ? strtoll(text, NULL, 10) : 0);
}

/* "LAB\\webusers" of "CN=webusers,…,DC=lab,DC=test"; without the domain where the settings do not know it. NULL: no DN. */
static const char *group_name(const struct auth *a, const char *dn, struct arena *to)
{
    const char *first, *domain = domain_of_realm(a, dn_parts(dn, to, &first));
    return first && *domain ? arena_printf(to, "%s\\%s", domain, first) : first;
}

static void read_object(const struct auth *a, LDAP *l, LDAPMessage *entry, struct arena *to, struct ldap_object *out)
{
    const char *first;
    char *dn = ldap_get_dn(l, entry);
    memset(out, 0, sizeof *out);
    out->dn = arena_strdup(to, dn ? dn : "");
    ldap_memfree(dn);
    out->realm = dn_parts(out->dn, to, &first);
    out->account = value(l, entry, "sAMAccountName", to);
    if (!out->account)
        out->account = value(l, entry, "uid", to);
    strings sid = sids_in(l, entry, "objectSid", to);
    out->sid = sid.n ? sid.v[0] : NULL;
    const char *control = value(l, entry, "userAccountControl", to);
    const char *computed = value(l, entry, "msDS-User-Account-Control-Computed", to);
    const char *set = value(l, entry, "pwdLastSet", to);
    unsigned long bits = computed ? strtoul(computed, NULL, 10) : 0;
    out->control = control ? strtoul(control, NULL, 10) : 0;
    out->locked = bits & COMPUTED_LOCKED;
    out->must_change = bits & COMPUTED_EXPIRED || (set && !strcmp(set, "0"));
    long long ends = time_in(l, entry, "accountExpires", to);
    out->expired = ends && ends < (long long)time(NULL);
    out->password_expires = time_in(l, entry, "msDS-UserPasswordExpiryTimeComputed", to);
    strings groups = values(l, entry, "memberOf", to);
    for (size_t i = 0; i < groups.n; i++) {
        const char *group = group_name(a, groups.v[i], to);
        if (group)
            vec_add(to, &out->member_of, group);
    }
    out->delegates_to = values(l, entry, "msDS-AllowedToDelegateTo", to);
}

enum lookup ldap_lookup(struct auth *a, LDAP *l, const char *attribute, const char *wanted, struct arena *to,
                        struct ldap_object *out, struct strbuf *why)
{
    static const char *const names[] = { "sAMAccountName",
                                         "uid",
                                         "objectSid",
                                         "userAccountControl",
                                         "pwdLastSet",
                                         "msDS-User-Account-Control-Computed",
                                         "msDS-UserPasswordExpiryTimeComputed",
                                         "accountExpires",
                                         "memberOf",
                                         "msDS-AllowedToDelegateTo",
                                         NULL };
    char *attributes[sizeof names / sizeof *names];
    struct strbuf filter = { 0 };
    LDAPMessage *answer = NULL;
    memcpy(attributes, names, sizeof names);
    buf_printf(&filter, "(%s=", attribute);
    put_filter_value(&filter, wanted);
    buf_putc(&filter, ')');
    memset(out, 0, sizeof *out);
    int code = ldap_search_ext_s(l, a->s.ldap.base ? a->s.ldap.base : "", LDAP_SCOPE_SUBTREE, filter.p, attributes, 0,
                                 NULL, NULL, NULL, 2, &answer);
    LDAPMessage *entry = code == LDAP_SUCCESS ? ldap_first_entry(l, answer) : NULL;
    enum lookup result = LOOKUP_FAILED;
    if (code == LDAP_SUCCESS && entry && !ldap_next_entry(l, entry)) {
        read_object(a, l, entry, to, out);
        result = out->account ? LOOKUP_FOUND : LOOKUP_ABSENT;
    } else if (code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT) {
        buf_printf(why, entry ? "LDAP: more than one object has that %s" : "LDAP: no object has that %s", attribute);
        out->several = entry != NULL;
        result = LOOKUP_ABSENT;
    } else {
        explain(why, "LDAP search", l, code);
    }
    ldap_msgfree(answer);
    buf_free(&filter);
    return result;
}

enum lookup ldap_lookup_account(struct auth *a, LDAP *l, const char *account, struct arena *to, struct ldap_object *out,
                                struct strbuf *why)
{
    enum lookup f = ldap_lookup(a, l, "sAMAccountName", account, to, out, why);
    return f == LOOKUP_ABSENT ? ldap_lookup(a, l, "uid", account, to, out, why) : f;
}

/* Two names of a domain or realm are only compared where both are known. */
static bool in_that_domain(const struct auth *a, const struct ldap_object *o, const struct user_name *name)
{
    const char *domain = domain_of_realm(a, o->realm), *realm = name->realm;
    if (*name->domain && *domain)
        return !ascii_casecmp(name->domain, domain) || !ascii_casecmp(name->domain, o->realm);
    if (*name->domain)
        realm = realm_of_domain(a, name->domain);
    return !*realm || !*o->realm || !ascii_casecmp(realm, o->realm);
}

enum lookup ldap_lookup_user(struct auth *a, LDAP *l, const struct user_name *name, struct arena *to,
                             struct ldap_object *out, struct strbuf *why)
{
    if (*name->realm && !*domain_of_realm(a, name->realm)) {
        const char *upn = arena_printf(to, "%s@%s", name->account, name->realm);
        enum lookup f = ldap_lookup(a, l, "userPrincipalName", upn, to, out, why);
        if (f != LOOKUP_ABSENT || out->several)
            return f;
    }
    enum lookup f = ldap_lookup_account(a, l, name->account, to, out, why);
    if (f != LOOKUP_FOUND || in_that_domain(a, out, name))
        return f;
    buf_printf(why, "LDAP: the object of that name is in the realm %s", out->realm);
    memset(out, 0, sizeof *out);
    return LOOKUP_ABSENT;
}

bool ldap_token_groups(LDAP *l, const struct ldap_object *o, struct arena *to, strings *sids)
{
    char *attributes[] = { (char *)(uintptr_t) "tokenGroups", NULL };
    LDAPMessage *answer = NULL;
    if (o->sid)
        vec_add(to, sids, o->sid);
    int code =
        ldap_search_ext_s(l, o->dn, LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 0, NULL, NULL, NULL, 1, &answer);
    LDAPMessage *entry = code == LDAP_SUCCESS ? ldap_first_entry(l, answer) : NULL;
    if (entry) {
        strings found = sids_in(l, entry, "tokenGroups", to);
        for (size_t i = 0; i < found.n; i++)
            vec_add(to, sids, found.v[i]);
    }
    ldap_msgfree(answer);
    return entry != NULL && o->sid;
}
