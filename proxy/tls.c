/* tls: contexts, the choice by SNI, ALPN. */
#include "tls.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { TRUST_MOST = 64 << 20 }; /* bytes of a file of authorities */

static void say(struct strbuf *err, const char *file)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    buf_printf(err, "%s: %s\n", file, reason ? reason : "cannot be used");
    ERR_clear_error();
}

static void set_common(SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
}

static bool use_certificate(SSL_CTX *ctx, const char *chain, const char *key, struct strbuf *err)
{
    const char *file = chain;
    if (SSL_CTX_use_certificate_chain_file(ctx, chain) == 1) {
        file = key;
        if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(ctx) == 1)
            return true;
    }
    say(err, file);
    return false;
}

/* What the system's settings allow of TLS 1.3's suites, AES-128 first: nobody breaks it either, and processors have
 * instructions for its SHA-256, which a handshake computes some hundred times, but not for AES-256's SHA-384. */
static void prefer_light_suite(SSL_CTX *ctx)
{
    static const char light[] = "TLS_AES_128_GCM_SHA256";
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    struct strbuf order = { 0 };
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
            const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
            bool first = str_equal(SSL_CIPHER_get_name(c), light);
            if (first == !turn && str_equal(SSL_CIPHER_get_version(c), "TLSv1.3"))
                buf_printf(&order, "%s%s", order.n ? ":" : "", SSL_CIPHER_get_name(c));
        }
    if (order.n && SSL_CTX_set_ciphersuites(ctx, order.p) != 1)
        mem_fatal();
    buf_free(&order);
}

/* ---- listeners ----------------------------------------------------------------------- */

/* Contexts of one address behind the first, chained by ex_data. */
static int next_index = -1;

static SSL_CTX *next_of(const SSL_CTX *ctx)
{
    return next_index < 0 ? NULL : SSL_CTX_get_ex_data(ctx, next_index);
}

static void free_next(void *parent, void *p, CRYPTO_EX_DATA *d, int i, long l, void *arg)
{
    (void)parent, (void)d, (void)i, (void)l, (void)arg;
    SSL_CTX_free(p);
}

static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
    (void)alert, (void)arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (SSL_CTX *c = name ? SSL_get_SSL_CTX(ssl) : NULL; c; c = next_of(c))
        if (X509_check_host(SSL_CTX_get0_certificate(c), name, 0, 0, NULL) == 1) {
            SSL_set_SSL_CTX(ssl, c);
            break;
        }
    return SSL_TLSEXT_ERR_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
                           unsigned in_n, void *arg)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    bool h2 = arg != NULL;
    (void)ssl;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, both + (h2 ? 0 : 3), sizeof both - 1 - (h2 ? 0 : 3), in, in_n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_server(const char *chain, const char *key, struct strbuf *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        mem_fatal();
    set_common(ctx);
    prefer_light_suite(ctx);
    SSL_CTX_set_num_tickets(ctx, 1); /* a client has as many as it has connections */
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_CLEANSE_PLAINTEXT); /* clients send passwords */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets: nothing is kept here */
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (use_certificate(ctx, chain, key, err))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

void tls_server_h2(SSL_CTX *ctx)
{
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, ctx);
}

bool tls_chose_h2(const SSL *ssl)
{
    const unsigned char *p;
    unsigned n;
    SSL_get0_alpn_selected(ssl, &p, &n);
    return n == 2 && memcmp(p, "h2", 2) == 0;
}

void tls_server_alternative(SSL_CTX *own, SSL_CTX *other)
{
    if (next_index < 0)
        next_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_next);
    SSL_CTX_set_tlsext_servername_callback(own, choose_certificate);
    while (next_of(own))
        own = next_of(own);
    SSL_CTX_set_ex_data(own, next_index, other);
}

/* ---- servers ----------------------------------------------------------------------------- */

void tls_digest(const void *p, size_t n, char out[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned sum_n = 0;
    EVP_Digest(p, n, sum, &sum_n, EVP_sha256(), NULL);
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

/* A key that fits the chain is the only one that does: the chain's content tells certificates apart. */
static bool name_content(struct tls_trust *t, const char *file, const char *chain, struct strbuf *err)
{
    struct strbuf text = { 0 };
    char sums[2][65] = { "", "" };
    bool read = file_read(file, TRUST_MOST, &text, err) == 0;
    if (read)
        tls_digest(text.p, text.n, sums[0]);
    text.n = 0;
    if (read && chain && (read = file_read(chain, TRUST_MOST, &text, err) == 0))
        tls_digest(text.p, text.n, sums[1]);
    buf_free(&text);
    tls_digest(sums, sizeof sums, t->digest);
    return read;
}

/* Asked for by renegotiation, it is shown too: that alone is why a server may begin one. */
static bool show(SSL_CTX *ctx, const char *chain, const char *key, struct strbuf *err)
{
    if (!use_certificate(ctx, chain, key, err))
        return false;
    SSL_CTX_clear_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_post_handshake_auth(ctx, 1);
    return true;
}

bool tls_trust_read(struct tls_trust *t, const char *file, const char *chain, const char *key, struct strbuf *err)
{
    *t = (struct tls_trust){ 0 };
    if (!name_content(t, file, chain, err))
        return false;
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (!t->ctx)
        mem_fatal();
    set_common(t->ctx);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    bool trusts = SSL_CTX_load_verify_locations(t->ctx, file, NULL) == 1;
    if (!trusts)
        say(err, file);
    if (trusts && (!chain || show(t->ctx, chain, key, err)))
        return true;
    tls_trust_free(t);
    return false;
}

void tls_trust_free(struct tls_trust *t)
{
    SSL_CTX_free(t->ctx);
    t->ctx = NULL;
}
