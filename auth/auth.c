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
bool auth_start(const struct sign_in *s, struct strbuf *err)
{
    secrets_start();
    winbind_start();
    setlocale(LC_CTYPE, "C.UTF-8"); /* gss-ntlmssp compares names by the locale */
    unsetenv("NTLM_USER_FILE");
    unsetenv("KRB5_CLIENT_KTNAME");
    unsetenv("KRB5_TRACE");
    unsetenv("LDAPRC");
    unsetenv("LDAPCONF");
    return set("KRB5CCNAME", "MEMORY:publishd-has-no-default", err) &&
           set("KRB5_KTNAME", "MEMORY:publishd-has-no-default", err) && set("GSS_USE_PROXY", "0", err) &&
           set("LDAPNOINIT", "1", err) && (!s->kerberos.config || set("KRB5_CONFIG", s->kerberos.config, err));
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

static void copy_settings(struct arena *a, struct sign_in *to, const struct sign_in *from)
{
    *to = *from;
    to->passwords = copy(a, from->passwords);
    to->kerberos = (struct sign_in_kerberos){ copy(a, from->kerberos.config), copy(a, from->kerberos.keytab),
                                              copy(a, from->kerberos.principal) };
    to->ntlm_users = copy(a, from->ntlm_users);
    to->ldap.trust = copy(a, from->ldap.trust);
    to->ldap.base = copy(a, from->ldap.base);
    to->ldap.user = copy(a, from->ldap.user);
    copy_strings(a, &to->ldap.servers, &from->ldap.servers);
    copy_strings(a, &to->radius.servers, &from->radius.servers);
    memset(&to->certificates, 0,
           sizeof to->certificates); /* looked at where the certificate is, in the configuration's own */
    memset(&to->domains, 0, sizeof to->domains);
    for (size_t i = 0; i < from->domains.n; i++)
        vec_add(a, &to->domains,
                ((struct sign_in_domain){ copy(a, from->domains.v[i].netbios), copy(a, from->domains.v[i].realm) }));
}

static bool readable(const char *file, struct strbuf *err)
{
    if (!file || access(file, R_OK) == 0)
        return true;
    buf_printf(err, "%s: %s\n", file, strerror(errno));
    return false;
}

/* Whose waits end by the monotonic clock. */
static void condition_init(pthread_cond_t *c)
{
    pthread_condattr_t monotonic_clock;
    if (pthread_condattr_init(&monotonic_clock) != 0 ||
        pthread_condattr_setclock(&monotonic_clock, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(c, &monotonic_clock) != 0)
        mem_fatal();
    pthread_condattr_destroy(&monotonic_clock);
}

struct auth *auth_new(const struct sign_in *s, bool spnego, struct strbuf *err)
{
    struct arena *arena = arena_new();
    struct auth *a = arena_alloc(arena, sizeof *a);
    bool ok = readable(s->kerberos.keytab, err) && readable(s->ntlm_users, err) && readable(s->ldap.trust, err);
    a->arena = arena;
    copy_settings(arena, &a->s, s);
    a->keytab = s->kerberos.keytab ? arena_printf(arena, "FILE:%s", s->kerberos.keytab) : NULL;
    a->spnego = spnego;
    pthread_mutex_init(&a->lock, NULL);
    a->kdc = arena_alloc(arena, (s->domains.n + 1) * sizeof *a->kdc);
    pthread_mutex_init(&a->kdc_lock, NULL);
    condition_init(&a->kdc_heard);
    condition_init(&a->service_answered);
    a->tickets = tickets_new();
    if (RAND_bytes(a->digest_key, sizeof a->digest_key) != 1) {
        buf_puts(err, "no random bytes\n");
        ok = false;
    }
    if (s->ldap.secret)
        ok = (a->ldap_secret = secret_read(s->ldap.secret, err)) && ok;
    if (s->radius.secret)
        ok = (a->radius_secret = secret_read(s->radius.secret, err)) && ok;
    if (s->passwords)
        ok = (a->passwords = password_file_read(s->passwords, err)) && ok;
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
    own_ticket_release(a->service);
    secret_release(a->ldap_secret);
    secret_release(a->radius_secret);
    password_file_free(a->passwords);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->kdc_lock);
    pthread_cond_destroy(&a->kdc_heard);
    pthread_cond_destroy(&a->service_answered);
    arena_free(a->arena);
}

long auth_patience(const struct auth *a)
{
    enum { QUESTIONS = 3 }; /* that a sign-in may put to a server, each with its timeout */
    return a->s.timeout * QUESTIONS;
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

const char *local_name(const struct auth *a, const struct user_name *name, struct arena *to)
{
    const struct sign_in_domain *first = a->s.domains.n ? &a->s.domains.v[0] : NULL;
    bool domain = !*name->domain || !first || !ascii_casecmp(name->domain, first->netbios) ||
                  !ascii_casecmp(name->domain, first->realm);
    bool realm = !*name->realm || !first || !ascii_casecmp(name->realm, first->realm);
    if (domain && realm)
        return name->account;
    return domain ? arena_printf(to, "%s@%s", name->account, name->realm)
                  : arena_printf(to, "%s\\%s", name->domain, name->account);
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
