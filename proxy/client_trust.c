/* client_trust: asking for certificates, and judging them. */
#include "client_trust.h"
#include "client.h"
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { DEPTH = 8, JUDGED_FOR = 300 }; /* certificates between a client's and an authority's, as for nginx; seconds */

struct client_trust {
    X509_STORE *store;
    STACK_OF(X509_NAME) * names; /* tell clients which of their certificates will do */
};

/* ---- what is trusted -------------------------------------------------------------------- */

static bool say(struct strbuf *err, const char *file)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    buf_printf(err, "%s: %s\n", file, reason ? reason : "cannot be used");
    ERR_clear_error();
    return false;
}

static bool read_revoked(struct client_trust *t, const char *file, struct strbuf *err)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(t->store, X509_LOOKUP_file());
    if (!lookup || X509_load_crl_file(lookup, file, X509_FILETYPE_PEM) < 1)
        return say(err, file);
    X509_STORE_set_flags(t->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

struct client_trust *client_trust_read(const char *file, const char *revoked, struct strbuf *err)
{
    struct client_trust *t = calloc(1, sizeof *t);
    if (!t || !(t->store = X509_STORE_new()))
        mem_fatal();
    t->names = SSL_load_client_CA_file(file);
    bool good = (t->names && X509_STORE_load_locations(t->store, file, NULL) == 1) || say(err, file);
    if (good && (!revoked || read_revoked(t, revoked, err)))
        return t;
    client_trust_free(t);
    return NULL;
}

void client_trust_free(struct client_trust *t)
{
    if (!t)
        return;
    X509_STORE_free(t->store);
    sk_X509_NAME_pop_free(t->names, X509_NAME_free);
    free(t);
}

static int take_any(X509_STORE_CTX *chain, void *arg)
{
    (void)chain, (void)arg;
    return 1;
}

void client_trust_ask(const struct client_trust *t, SSL_CTX *ctx)
{
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(t->names);
    if (!names)
        mem_fatal();
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
}

/* ---- what is shown -------------------------------------------------------------------------- */

static enum shown_state state_of(int error)
{
    switch (error) {
    case X509_V_OK: return SHOWN_GOOD;
    case X509_V_ERR_CERT_REVOKED: return SHOWN_REVOKED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED: return SHOWN_EXPIRED;
    default: return SHOWN_UNTRUSTED;
    }
}

/* For a client's use (EKU), by today's date, with keys as strong as TLS itself wants them here. */
static enum shown_state verify(const struct client_trust *t, SSL *ssl, X509 *certificate)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (!ctx || X509_STORE_CTX_init(ctx, t->store, certificate, SSL_get_peer_cert_chain(ssl)) != 1)
        mem_fatal();
    X509_STORE_CTX_set_default(ctx, "ssl_client");
    X509_STORE_CTX_set_depth(ctx, DEPTH);
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx), SSL_get_security_level(ssl));
    int good = X509_verify_cert(ctx), error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return good == 1 ? state_of(error) : error == X509_V_OK ? SHOWN_UNTRUSTED : state_of(error);
}

static long long valid_for(const X509 *certificate)
{
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) != 1 || days < 0 || seconds < 0)
        return 0;
    return days ? JUDGED_FOR : seconds < JUDGED_FOR ? seconds : JUDGED_FOR;
}

static struct shown *judge(const struct client *c)
{
    const struct client_trust *t = c->serving->listeners.v[c->at->listener].clients;
    X509 *certificate = SSL_get0_peer_certificate(c->ssl);
    struct arena *a = arena_new();
    struct shown *s = arena_alloc(a, sizeof *s);
    *s = (struct shown){ .arena = a, .until = c->loop->wall + JUDGED_FOR };
    if (!certificate)
        return s;
    s->state = verify(t, c->ssl, certificate);
    s->until = c->loop->wall + valid_for(certificate) + 1;
    if (s->state == SHOWN_GOOD && X509_digest(certificate, EVP_sha256(), s->id, NULL) == 1)
        s->naming = certificate_names(&c->serving->snapshot->config->service.sign_in, certificate, a, &s->name);
    return s;
}

const struct shown *shown_by(struct client *c)
{
    if (!c->ssl || !c->serving->listeners.v[c->at->listener].clients)
        return NULL;
    if (c->shown && c->loop->wall >= c->shown->until)
        shown_forget(c);
    if (!c->shown)
        c->shown = judge(c);
    return c->shown;
}

void shown_forget(struct client *c)
{
    if (c->shown)
        arena_free(c->shown->arena);
    c->shown = NULL;
}

enum cause shown_cause(const struct client *c)
{
    switch (c->shown ? c->shown->state : SHOWN_NOTHING) {
    case SHOWN_REVOKED: return CAUSE_CERTIFICATE_REVOKED;
    case SHOWN_EXPIRED: return CAUSE_CERTIFICATE_EXPIRED;
    case SHOWN_UNTRUSTED: return CAUSE_CERTIFICATE_UNTRUSTED;
    default: return CAUSE_NEEDS_CERTIFICATE;
    }
}
