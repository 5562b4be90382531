/* resumption: see resumption.h. */
#include "resumption.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { PERIODS = 3 };

struct resumption {
    struct key_ring *ring;
    EVP_CIPHER *cipher;   /* fetched once: that takes longer than a ticket */
    pthread_mutex_t lock; /* of what follows */
    long long period;     /* that keys are for; -1: none yet */
    size_t n;
    struct resumption_key keys[SEAL_KEYS * PERIODS]; /* the first makes tickets */
};

/* ---- keys ---------------------------------------------------------------------------------------- */
static bool derive(const struct key_ring *ring, size_t i, long long period, struct resumption_key *out)
{
    unsigned char name[SEAL_KEY];
    bool there = key_ring_derive(ring, i, "ticket name", (uint64_t)period, name) &&
                 key_ring_derive(ring, i, "ticket cipher", (uint64_t)period, out->cipher) &&
                 key_ring_derive(ring, i, "ticket mac", (uint64_t)period, out->mac);
    if (there)
        memcpy(out->name, name, sizeof out->name);
    return there;
}

static void make_keys(struct resumption *r, long long period)
{
    static const int order[PERIODS] = { 0, -1, 1 };
    r->period = period;
    r->n = 0;
    for (size_t i = 0; i < SEAL_KEYS; i++)
        for (size_t k = 0; k < PERIODS; k++)
            r->n += derive(r->ring, i, period + order[k], &r->keys[r->n]);
}

int resumption_key(struct resumption *r, long long now, const unsigned char *name, struct resumption_key *out)
{
    int found = 0;
    pthread_mutex_lock(&r->lock);
    if (r->period != now / RESUMPTION_PERIOD)
        make_keys(r, now / RESUMPTION_PERIOD);
    for (size_t i = 0; i < r->n && !found; i++)
        if (!name || memcmp(r->keys[i].name, name, sizeof r->keys[i].name) == 0) {
            *out = r->keys[i];
            found = i == 0 ? 1 : 2;
        }
    pthread_mutex_unlock(&r->lock);
    return found;
}

struct resumption *resumption_new(const struct key_ring *ring)
{
    struct resumption *r = OPENSSL_zalloc(sizeof *r);
    if (!r || pthread_mutex_init(&r->lock, NULL) != 0 || !(r->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)))
        mem_fatal();
    r->ring = key_ring_copy(ring);
    r->period = -1;
    return r;
}

void resumption_free(struct resumption *r)
{
    if (!r)
        return;
    key_ring_free(r->ring);
    EVP_CIPHER_free(r->cipher);
    pthread_mutex_destroy(&r->lock);
    OPENSSL_clear_free(r, sizeof *r);
}

/* ---- OpenSSL's side ---------------------------------------------------------------------------------- */
static int index_of_contexts = -1;

static void free_with_context(void *parent, void *p, CRYPTO_EX_DATA *d, int i, long l, void *arg)
{
    (void)parent, (void)d, (void)i, (void)l, (void)arg;
    resumption_free(p);
}

static bool set_key(EVP_MAC_CTX *m, struct resumption_key *k)
{
    char digest[] = "SHA256";
    OSSL_PARAM settings[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, sizeof k->mac),
                              OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                              OSSL_PARAM_construct_end() };
    return EVP_MAC_CTX_set_params(m, settings) == 1;
}

/* The context is that of the certificate that was chosen; each of an address has its own, of the same ring. TLS 1.3's clients
 * use a ticket once (RFC 8446, C.4) and get the next one with it: or every second connection would be a full handshake. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *m, int make)
{
    struct resumption *r = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index_of_contexts);
    struct resumption_key k;
    int found = resumption_key(r, (long long)time(NULL), make ? NULL : name, &k);
    if (!found)
        return 0;
    if (make)
        memcpy(name, k.name, sizeof k.name);
    bool good = (!make || RAND_bytes(iv, EVP_CIPHER_get_iv_length(r->cipher)) == 1) &&
                EVP_CipherInit_ex2(c, r->cipher, k.cipher, iv, make, NULL) == 1 && set_key(m, &k);
    OPENSSL_cleanse(&k, sizeof k);
    if (!make && SSL_version(ssl) >= TLS1_3_VERSION)
        found = 2;
    return good ? make ? 1 : found : -1;
}

void resumption_use(SSL_CTX *ctx, const struct key_ring *ring, const char *listener)
{
    unsigned char whose[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (index_of_contexts < 0)
        index_of_contexts = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_with_context);
    if (!EVP_Digest(listener, strlen(listener), whose, &n, EVP_sha256(), NULL) ||
        !SSL_CTX_set_session_id_context(ctx, whose, n) ||
        !SSL_CTX_set_ex_data(ctx, index_of_contexts, resumption_new(ring)) ||
        !SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket))
        mem_fatal();
}
