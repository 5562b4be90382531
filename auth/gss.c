/* gss: GSS-API's mechanisms by name, its errors as text, and the service credential.
 *
 * Only the mechanisms krb5 and NTLMSSP are called, with credentials that were made for that mechanism: the mechglue takes
 * the process's default credential where a credential has no element for the mechanism asked for. */
#include "internal.h"

#include <krb5.h>
#include <stdlib.h>
#include "spnego.h"

const gss_OID_desc gss_krb5 = { sizeof oid_krb5, (void *)(uintptr_t)oid_krb5 };
const gss_OID_desc gss_ntlm = { sizeof oid_ntlm, (void *)(uintptr_t)oid_ntlm };
enum { RENEW_EARLY = 300, KDC_PAUSE = 3 }; /* seconds */

gss_OID_set gss_one(const gss_OID_desc *mech)
{
    static gss_OID_set_desc krb5 = { 1, (gss_OID)(uintptr_t)&gss_krb5 }, ntlm = { 1, (gss_OID)(uintptr_t)&gss_ntlm };
    return mech == &gss_ntlm ? &ntlm : &krb5;
}

time_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* ---- errors ---------------------------------------------------------------------------------------------- */
static void status(struct strbuf *why, OM_uint32 code, int type, const gss_OID_desc *mech)
{
    OM_uint32 minor, more = 0;
    gss_buffer_desc text;
    if (GSS_ERROR(gss_display_status(&minor, code, type, (gss_OID)(uintptr_t)mech, &more, &text)))
        return;
    char *copy = strndup(text.value, text.length);
    if (copy)
        buf_visible(why, copy);
    free(copy);
    gss_release_buffer(&minor, &text);
}

void gss_why(struct strbuf *why, const char *what, OM_uint32 major, OM_uint32 minor, const gss_OID_desc *mech)
{
    buf_printf(why, "%s: ", what);
    if (minor)
        status(why, minor, GSS_C_MECH_CODE, mech);
    else
        status(why, major, GSS_C_GSS_CODE, mech);
}

bool minor_is_unavailable(OM_uint32 minor)
{
    switch ((krb5_error_code)minor) {
    case KRB5_KDC_UNREACH:
    case KRB5_REALM_UNKNOWN:
    case KRB5_REALM_CANT_RESOLVE:
    case KRB5KDC_ERR_SVC_UNAVAILABLE: return true;
    default: return false;
    }
}

/* ---- evidence -------------------------------------------------------------------------------------------------- */
struct evidence *evidence_new(gss_cred_id_t cred)
{
    static _Atomic uint64_t number;
    struct evidence *e = malloc(sizeof *e);
    if (!e)
        mem_fatal();
    *e = (struct evidence){ 1, ++number, cred };
    return e;
}

struct evidence *evidence_hold(struct evidence *e)
{
    if (e)
        e->references++;
    return e;
}

void evidence_release(struct evidence *e)
{
    OM_uint32 minor;
    if (!e || --e->references)
        return;
    gss_release_cred(&minor, &e->cred);
    free(e);
}

/* ---- the service credential ----------------------------------------------------------------------------------------- */
void cache_destroy(char *name)
{
    krb5_ccache cache;
    krb5_context k = name ? context_take() : NULL;
    if (k) {
        if (krb5_cc_resolve(k, name, &cache) == 0)
            krb5_cc_destroy(k, cache);
        context_give(k);
    }
    free(name);
}

void own_ticket_release(struct own_ticket *s)
{
    OM_uint32 minor;
    if (!s || --s->references)
        return;
    gss_release_cred(&minor, &s->cred);
    cache_destroy(s->cache);
    free(s);
}

static gss_name_t principal_name(const char *principal)
{
    OM_uint32 minor;
    gss_name_t name = GSS_C_NO_NAME;
    gss_buffer_desc text = { strlen(principal), (void *)(uintptr_t)principal };
    gss_import_name(&minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    return name;
}

static struct own_ticket *own_ticket_make(struct auth *a, bool *unavailable, struct strbuf *why)
{
    static _Atomic unsigned number;
    OM_uint32 minor, lifetime = 0, ignored;
    struct strbuf b = { 0 };
    buf_printf(&b, "MEMORY:publishd-%u", number++);
    char *cache = b.p; /* the service's from here on */
    gss_key_value_element_desc items[] = { { "keytab", a->keytab },
                                           { "client_keytab", a->keytab },
                                           { "ccache", cache } };
    gss_key_value_set_desc store = { 3, items };
    gss_name_t name = principal_name(a->s.kerberos.principal);
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    OM_uint32 major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, gss_one(&gss_krb5), GSS_C_BOTH, &store,
                                            &cred, NULL, NULL);
    gss_release_name(&ignored, &name);
    if (!GSS_ERROR(major))
        major = gss_inquire_cred(&minor, cred, NULL, &lifetime, NULL, NULL);
    if (GSS_ERROR(major)) {
        *unavailable = minor_is_unavailable(minor);
        gss_why(why, a->s.kerberos.principal, major, minor, &gss_krb5);
        gss_release_cred(&ignored, &cred);
        free(cache);
        return NULL;
    }
    struct own_ticket *s = malloc(sizeof *s);
    if (!s)
        mem_fatal();
    time_t left = lifetime > 2 * RENEW_EARLY ? (time_t)lifetime - RENEW_EARLY : (time_t)lifetime / 2;
    *s = (struct own_ticket){ 1, cred, cache, monotonic() + left, monotonic() + (time_t)lifetime };
    return s;
}

/* Called and returns with the lock, which it does not hold while the KDC is asked; after a failure nobody asks for a moment. */
static void renew(struct auth *a, bool *unavailable, struct strbuf *why)
{
    a->service_asked = monotonic();
    pthread_mutex_unlock(&a->lock);
    struct own_ticket *fresh = own_ticket_make(a, unavailable, why);
    pthread_mutex_lock(&a->lock);
    a->service_asked = 0;
    a->kdc_again = !fresh && *unavailable ? monotonic() + KDC_PAUSE : 0;
    if (fresh || !a->service || a->service->end <= monotonic()) { /* else the old one is good for a little longer */
        own_ticket_release(a->service);
        a->service = fresh;
    }
    pthread_cond_broadcast(&a->service_answered);
}

static bool is_good(const struct auth *a)
{
    return a->service && a->service->end > monotonic();
}

static bool is_due(const struct auth *a)
{
    return !a->service || a->service->renew <= monotonic();
}

bool auth_ticket_due(struct auth *a)
{
    pthread_mutex_lock(&a->lock);
    bool due = a->keytab && is_due(a) && !a->service_asked;
    pthread_mutex_unlock(&a->lock);
    return due;
}

/* One thread at a time asks the KDC. The others have the old ticket, or wait for the answer for as long as one may take. */
struct own_ticket *own_ticket(struct auth *a, bool ask, bool *unavailable, struct strbuf *why)
{
    struct own_ticket *s = NULL;
    int code = 0;
    *unavailable = false;
    if (!a->keytab || !a->s.kerberos.principal) {
        buf_puts(why, "no keytab and principal are configured");
        return NULL;
    }
    pthread_mutex_lock(&a->lock);
    const struct timespec end = { .tv_sec = a->service_asked + a->s.timeout };
    while (a->service_asked && !is_good(a) && !code)
        code = pthread_cond_timedwait(&a->service_answered, &a->lock, &end);
    bool asks = ask && is_due(a) && !a->service_asked && a->kdc_again <= monotonic();
    if (asks)
        renew(a, unavailable, why);
    if (is_good(a)) {
        s = a->service;
        s->references++;
    } else if (!asks) {
        *unavailable = true;
        buf_puts(why, "the KDC could not be reached a moment ago");
    }
    pthread_mutex_unlock(&a->lock);
    return s;
}
