/* auth: settings become an object; the process's surroundings. */
#include "internal.h"

#include <errno.h>
#include <locale.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <unistd.h>

static bool set(const char *name, const char *value, struct strbuf *err)
{
    if (setenv(name, value, 1) == 0)
        return true;
    buf_printf(err, "%s: %s\n", name, strerror(errno));
    return false;
}

/* What Kerberos and GSS would take from the environment of whoever started us goes, and so do their defaults: with no
 * default cache and no default keytab nothing can be signed in by accident. */
bool auth_start(const struct auth_settings *s, struct strbuf *err)
{
    secrets_start();
    setlocale(LC_CTYPE, "C.UTF-8"); /* gss-ntlmssp compares names by the locale */
    unsetenv("NTLM_USER_FILE");
    unsetenv("KRB5_CLIENT_KTNAME");
    unsetenv("KRB5_TRACE");
    unsetenv("LDAPRC");
    unsetenv("LDAPCONF");
    return set("KRB5CCNAME", "MEMORY:publishd-has-no-default", err) &&
           set("KRB5_KTNAME", "MEMORY:publishd-has-no-default", err) && set("GSS_USE_PROXY", "0", err) &&
           set("LDAPNOINIT", "1", err) && (!s->krb5_conf || set("KRB5_CONFIG", s->krb5_conf, err));
}

static void copy_strings(struct arena *a, strings *to, const strings *from)
{
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < from->n; i++)
        vec_add(a, to, arena_strdup(a, from->v[i]));
}

static const char *copy(struct arena *a, const char *s)
{
    return s ? arena_strdup(a, s) : NULL;
}

static void copy_settings(struct arena *a, struct auth_settings *to, const struct auth_settings *from)
{
    *to = *from;
    to->password_file = copy(a, from->password_file);
    to->krb5_conf = copy(a, from->krb5_conf);
    to->keytab = from->keytab ? arena_printf(a, "FILE:%s", from->keytab) : NULL;
    to->principal = copy(a, from->principal);
    to->ntlm_file = copy(a, from->ntlm_file);
    to->ldap_trust = copy(a, from->ldap_trust);
    to->ldap_base = copy(a, from->ldap_base);
    to->ldap_user = copy(a, from->ldap_user);
    copy_strings(a, &to->ldap_servers, &from->ldap_servers);
    copy_strings(a, &to->radius_servers, &from->radius_servers);
    memset(&to->domains, 0, sizeof to->domains);
    for (size_t i = 0; i < from->domains.n; i++)
        vec_add(a, &to->domains,
                ((struct auth_domain){ copy(a, from->domains.v[i].netbios), copy(a, from->domains.v[i].realm) }));
    to->timeout = from->timeout > 0 ? from->timeout : 5;
}

static bool readable(const char *file, struct strbuf *err)
{
    if (!file || access(file, R_OK) == 0)
        return true;
    buf_printf(err, "%s: %s\n", file, strerror(errno));
    return false;
}

struct auth *auth_new(const struct auth_settings *s, struct strbuf *err)
{
    struct arena *arena = arena_new();
    struct auth *a = arena_alloc(arena, sizeof *a);
    bool ok = readable(s->keytab, err) && readable(s->ntlm_file, err) && readable(s->ldap_trust, err);
    a->arena = arena;
    copy_settings(arena, &a->s, s);
    pthread_mutex_init(&a->lock, NULL);
    a->tickets = tickets_new();
    if (RAND_bytes(a->digest_key, sizeof a->digest_key) != 1) {
        buf_puts(err, "no random bytes\n");
        ok = false;
    }
    if (s->ldap_secret)
        ok = (a->ldap_secret = secret_read(s->ldap_secret, err)) && ok;
    if (s->radius_secret)
        ok = (a->radius_secret = secret_read(s->radius_secret, err)) && ok;
    if (s->password_file)
        ok = (a->passwords = password_file_read(s->password_file, err)) && ok;
    if (ok)
        return a;
    auth_free(a);
    return NULL;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    tickets_free(a->tickets);
    service_release(a->service);
    secret_release(a->ldap_secret);
    secret_release(a->radius_secret);
    password_file_free(a->passwords);
    pthread_mutex_destroy(&a->lock);
    arena_free(a->arena);
}

const char *realm_of_domain(const struct auth *a, const char *domain)
{
    for (size_t i = 0; *domain && i < a->s.domains.n; i++)
        if (!ascii_casecmp(a->s.domains.v[i].netbios, domain))
            return a->s.domains.v[i].realm;
    return "";
}

const char *domain_of_realm(const struct auth *a, const char *realm)
{
    for (size_t i = 0; *realm && i < a->s.domains.n; i++)
        if (!ascii_casecmp(a->s.domains.v[i].realm, realm))
            return a->s.domains.v[i].netbios;
    return "";
}

/* A realm that the settings know, or that of the domain; without either there is one to choose where only one is known. */
bool auth_principal(const struct auth *a, const struct user_name *n, struct strbuf *out)
{
    const char *realm = n->realm;
    if (!*realm && *n->domain)
        realm = realm_of_domain(a, n->domain);
    else if (!*realm && a->s.domains.n)
        realm = a->s.domains.v[0].realm;
    if (!*realm)
        return false;
    for (const char *p = n->account; *p; p++) { /* what separates parts of a principal's name is quoted */
        if (strchr("\\/@", *p))
            buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    buf_putc(out, '@');
    for (const char *p = realm; *p; p++)
        buf_putc(out, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
    return true;
}
