/* sealing: see sealing.h. */
#include "sealing.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

enum { CONFOUNDER = 16, MAC = 12, SHA1 = 20, STORE = 512 };
_Static_assert((int)CONFOUNDER == (int)SEALER_ROOM, "the confounder stands in front of what is sealed");

struct sealer {
    krb5_enctype enctype;
    krb5_key key; /* for libkrb5; NULL: the two below are used */
    EVP_CIPHER_CTX *cipher;
    EVP_MAC_CTX *mac;
    unsigned char store[STORE]; /* random bytes, and how many of them are unused, at its beginning */
    size_t left;
};

/* ---- AES with SHA-1 (RFC 3962) by OpenSSL ---------------------------------------------------------------------------- */
/* RFC 3961 section 5.3: the keys for encryption and for integrity are derived from usage and kind. */
static bool derive(const krb5_keyblock *key, const char *cipher, unsigned char kind, unsigned char *out)
{
    unsigned char constant[] = { 0, 0, 0, KRB5_KEYUSAGE_AP_REQ_AUTH, kind };
    OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_CIPHER, (void *)(uintptr_t)cipher, 0),
                            OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, key->contents, key->length),
                            OSSL_PARAM_octet_string(OSSL_KDF_PARAM_CONSTANT, constant, sizeof constant),
                            OSSL_PARAM_END };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KRB5KDF", NULL);
    EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    bool ok = c && EVP_KDF_derive(c, out, key->length, params) > 0;
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
    return ok;
}

static bool begin_cipher(struct sealer *s, const char *name, const unsigned char *key)
{
    static const unsigned char iv[CONFOUNDER]; /* zero: the confounder in front is what differs */
    char mode[] = "CS3";                       /* the order of the last two blocks that Kerberos has */
    OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_CIPHER_PARAM_CTS_MODE, mode, 0), OSSL_PARAM_END };
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    s->cipher = EVP_CIPHER_CTX_new();
    bool ok = cipher && s->cipher && EVP_EncryptInit_ex2(s->cipher, cipher, key, iv, params) > 0;
    EVP_CIPHER_free(cipher);
    return ok;
}

static bool begin_mac(struct sealer *s, const unsigned char *key, size_t n)
{
    char digest[] = "SHA1";
    OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    s->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    bool ok = s->mac && EVP_MAC_init(s->mac, key, n, params) > 0;
    EVP_MAC_free(mac);
    return ok;
}

/* false: not that kind, or OpenSSL was built, or told, to do without. */
static bool begin_openssl(struct sealer *s, const krb5_keyblock *key)
{
    enum { ENCRYPTION = 0xaa, INTEGRITY = 0x55 };
    bool small = key->enctype == ENCTYPE_AES128_CTS_HMAC_SHA1_96 && key->length == 16;
    bool large = key->enctype == ENCTYPE_AES256_CTS_HMAC_SHA1_96 && key->length == 32;
    const char *block = small ? "AES-128-CBC" : "AES-256-CBC";
    unsigned char derived[32];
    bool ok = (small || large) && derive(key, block, ENCRYPTION, derived) &&
              begin_cipher(s, small ? "AES-128-CBC-CTS" : "AES-256-CBC-CTS", derived) &&
              derive(key, block, INTEGRITY, derived) && begin_mac(s, derived, key->length);
    OPENSSL_cleanse(derived, sizeof derived);
    return ok;
}

static bool seal_by_openssl(struct sealer *s, krb5_context k, unsigned char *plain, size_t n, unsigned char *out)
{
    static const unsigned char iv[CONFOUNDER];
    unsigned char mac[SHA1], *from = plain - CONFOUNDER;
    int length = (int)n + CONFOUNDER, done = 0;
    size_t mac_n = 0;
    if (!sealer_random(s, k, from, CONFOUNDER) || EVP_EncryptInit_ex2(s->cipher, NULL, NULL, iv, NULL) <= 0 ||
        EVP_EncryptUpdate(s->cipher, out, &done, from, length) <= 0 || done != length)
        return false;
    if (EVP_MAC_init(s->mac, NULL, 0, NULL) <= 0 || EVP_MAC_update(s->mac, from, (size_t)length) <= 0 ||
        EVP_MAC_final(s->mac, mac, &mac_n, sizeof mac) <= 0 || mac_n != sizeof mac)
        return false;
    memcpy(out + length, mac, MAC);
    return true;
}

/* ---- any other -------------------------------------------------------------------------------------------------------- */
static bool seal_by_krb5(struct sealer *s, krb5_context k, unsigned char *plain, size_t n, unsigned char *out)
{
    krb5_data in = { .length = (unsigned)n, .data = (char *)plain };
    krb5_enc_data sealed = { .ciphertext = { .length = (unsigned)sealer_length(s, n), .data = (char *)out } };
    return krb5_k_encrypt(k, s->key, KRB5_KEYUSAGE_AP_REQ_AUTH, NULL, &in, &sealed) == 0;
}

struct sealer *sealer_new(krb5_context k, const krb5_keyblock *key)
{
    size_t length;
    struct sealer *s = calloc(1, sizeof *s);
    if (!s)
        mem_fatal();
    s->enctype = key->enctype;
    if (begin_openssl(s, key) ||
        (krb5_c_encrypt_length(k, key->enctype, 1, &length) == 0 && krb5_k_create_key(k, key, &s->key) == 0))
        return s;
    sealer_free(s);
    return NULL;
}

void sealer_free(struct sealer *s)
{
    if (!s)
        return;
    krb5_k_free_key(NULL, s->key);
    EVP_CIPHER_CTX_free(s->cipher);
    EVP_MAC_CTX_free(s->mac);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

size_t sealer_length(const struct sealer *s, size_t n)
{
    size_t length = 0;
    if (!s->key)
        return CONFOUNDER + n + MAC;
    return krb5_c_encrypt_length(NULL, s->enctype, n, &length) == 0 ? length : 0;
}

bool sealer_seal(struct sealer *s, krb5_context k, unsigned char *plain, size_t n, unsigned char *out)
{
    return s->key ? seal_by_krb5(s, k, plain, n, out) : seal_by_openssl(s, k, plain, n, out);
}

bool sealer_random(struct sealer *s, krb5_context k, void *out, size_t n)
{
    krb5_data store = { .length = sizeof s->store, .data = (char *)s->store };
    if (s->left < n && krb5_c_random_make_octets(k, &store))
        return false;
    if (s->left < n)
        s->left = sizeof s->store;
    s->left -= n;
    memcpy(out, s->store + s->left, n);
    OPENSSL_cleanse(s->store + s->left, n);
    return true;
}
