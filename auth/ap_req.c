/* ap_req: what gss_init_sec_context does for a service whose ticket is at hand, without what it does around that: it makes
 * a library context for each token, and for that reads krb5.conf again, which is most of its time. */
#include "internal.h"
#include "spnego.h"

#include <krb5.h>
#include <stdlib.h>

struct service_ticket {
    krb5_creds *creds; /* any thread reads it, none changes it */
};

/* ---- library contexts ---------------------------------------------------------------------------------------- */
/* Those that no thread uses just now. */
enum { SPARE = 32 };
static struct {
    pthread_mutex_t lock;
    size_t n;
    krb5_context v[SPARE];
} spare = { .lock = PTHREAD_MUTEX_INITIALIZER };

krb5_context context_take(void)
{
    krb5_context k = NULL;
    pthread_mutex_lock(&spare.lock);
    if (spare.n)
        k = spare.v[--spare.n];
    pthread_mutex_unlock(&spare.lock);
    return k || krb5_init_context(&k) == 0 ? k : NULL;
}

void context_give(krb5_context k)
{
    pthread_mutex_lock(&spare.lock);
    bool room = spare.n < SPARE;
    if (room)
        spare.v[spare.n++] = k;
    pthread_mutex_unlock(&spare.lock);
    if (!room)
        krb5_free_context(k);
}

/* ---- the ticket ------------------------------------------------------------------------------------------------ */
static krb5_principal principal_of(krb5_context k, gss_name_t name)
{
    OM_uint32 minor;
    gss_buffer_desc text;
    krb5_principal p = NULL;
    if (name == GSS_C_NO_NAME || GSS_ERROR(gss_display_name(&minor, name, &text, NULL)))
        return NULL;
    char *copy = strndup(text.value, text.length);
    if (!copy)
        mem_fatal();
    if (krb5_parse_name(k, copy, &p))
        p = NULL;
    free(copy);
    gss_release_buffer(&minor, &text);
    return p;
}

/* The credential's tickets can be had as a copy alone. Both names must be those that were asked for: a ticket for ourselves,
 * which is evidence, or one in our own name is in there too. */
static krb5_creds *find(krb5_context k, gss_cred_id_t cred, krb5_principal client, krb5_principal server)
{
    OM_uint32 minor;
    krb5_ccache cache = NULL;
    krb5_creds wanted = { .client = client, .server = server }, found, *copy = NULL;
    if (!client || !server || krb5_cc_new_unique(k, "MEMORY", NULL, &cache))
        return NULL;
    if (krb5_timeofday(k, &wanted.times.endtime) == 0 && !GSS_ERROR(gss_krb5_copy_ccache(&minor, cred, cache)) &&
        krb5_cc_retrieve_cred(k, cache, KRB5_TC_MATCH_TIMES, &wanted, &found) == 0) {
        if (krb5_copy_creds(k, &found, &copy))
            copy = NULL;
        krb5_free_cred_contents(k, &found);
    }
    krb5_cc_destroy(k, cache);
    return copy;
}

struct service_ticket *service_ticket_new(gss_cred_id_t cred, gss_name_t target)
{
    OM_uint32 minor;
    gss_name_t user = GSS_C_NO_NAME;
    krb5_context k = context_take();
    if (!k)
        return NULL;
    gss_inquire_cred(&minor, cred, &user, NULL, NULL, NULL);
    krb5_principal client = principal_of(k, user), server = principal_of(k, target);
    krb5_creds *creds = find(k, cred, client, server);
    struct service_ticket *t = creds ? malloc(sizeof *t) : NULL;
    if (creds && !t)
        mem_fatal();
    if (t)
        t->creds = creds;
    krb5_free_principal(k, client);
    krb5_free_principal(k, server);
    gss_release_name(&minor, &user);
    context_give(k);
    return t;
}

void service_ticket_free(struct service_ticket *t)
{
    krb5_context k = t ? context_take() : NULL;
    if (k) {
        krb5_free_creds(k, t->creds);
        context_give(k);
    }
    free(t);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */
/* RFC 4121 section 4.1.1: in the checksum's place stand the length of the channel bindings' hash, the hash (there are no
 * bindings), and flags: what the context may be used for. */
static bool write_request(krb5_context k, const struct service_ticket *t, krb5_data *request)
{
    enum { CHECKSUM_OF_GSS = 0x8003, HASH = 16, FLAGS = GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG | GSS_C_TRANS_FLAG };
    char checksum[4 + HASH + 4] = { HASH };
    krb5_data in = { .length = sizeof checksum, .data = checksum };
    krb5_auth_context a = NULL;
    checksum[4 + HASH] = FLAGS & 0xff;
    checksum[4 + HASH + 1] = FLAGS >> 8;
    bool ok = krb5_auth_con_init(k, &a) == 0 && krb5_auth_con_setflags(k, a, KRB5_AUTH_CONTEXT_DO_SEQUENCE) == 0 &&
              krb5_auth_con_set_req_cksumtype(k, a, CHECKSUM_OF_GSS) == 0 &&
              krb5_mk_req_extended(k, &a, AP_OPTS_USE_SUBKEY, &in, t->creds, request) == 0;
    krb5_auth_con_free(k, a);
    return ok;
}

bool service_ticket_token(const struct service_ticket *t, struct strbuf *token)
{
    krb5_data request = { 0 };
    krb5_context k = context_take();
    bool ok = k && write_request(k, t, &request);
    if (ok) {
        struct strbuf b = { 0 };
        der_put(&b, DER_OID, oid_krb5, sizeof oid_krb5);
        buf_add(&b, "\1\0", 2); /* an AP-REQ follows (RFC 4121 section 4.1) */
        buf_add(&b, request.data, request.length);
        der_put(token, DER_APPLICATION, b.p, b.n);
        buf_free(&b);
        krb5_free_data_contents(k, &request);
    }
    if (k)
        context_give(k);
    return ok;
}
