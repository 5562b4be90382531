/* The run's own certificate authority: an EC key and a self-signed certificate that exist only in the run's folder and
 * memory, and certificates made with them when they are needed. One key serves all certificates of a run. */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define LISTENER_PREFIX "tmgc-listener-"

struct authority {
    EVP_PKEY *key;
    X509 *ca;
};

static void extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX c;
    X509V3_set_ctx_nodb(&c);
    X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, nid, value);
    if (e == NULL)
        return;
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

/* The alternative names of a leaf, built from data rather than from text, so that no name can be read as syntax. */
static void alternative_names(X509 *x, const char *name)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_IA5STRING *s = ASN1_IA5STRING_new();
    uint32_t ip;
    if (list == NULL || g == NULL || s == NULL || !ASN1_STRING_set(s, name, -1))
        mem_fatal();
    GENERAL_NAME_set0_value(g, GEN_DNS, s);
    sk_GENERAL_NAME_push(list, g);
    if (ip_parse(name, &ip)) {
        unsigned char raw[4] = { (unsigned char)(ip >> 24), (unsigned char)(ip >> 16), (unsigned char)(ip >> 8),
                                 (unsigned char)ip };
        ASN1_OCTET_STRING *o = ASN1_OCTET_STRING_new();
        g = GENERAL_NAME_new();
        if (o == NULL || g == NULL || !ASN1_OCTET_STRING_set(o, raw, sizeof raw))
            mem_fatal();
        GENERAL_NAME_set0_value(g, GEN_IPADD, o);
        sk_GENERAL_NAME_push(list, g);
    }
    X509_add1_ext_i2d(x, NID_subject_alt_name, list, 0, 0);
    GENERAL_NAMES_free(list);
}

/* issuer NULL: signs itself. */
static X509 *certificate(EVP_PKEY *key, X509 *issuer, const char *common_name, const char *host, long serial)
{
    X509 *x = X509_new();
    if (x == NULL)
        mem_fatal();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 7 * 24 * 3600L);
    X509_set_pubkey(x, key);
    /* A common name holds at most 64 characters; longer host names stand in the alternative names alone. */
    const char *cn = strlen(common_name) <= 64 ? common_name : "tmgc-long-name";
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    extension(x, issuer ? issuer : x, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    extension(x, issuer ? issuer : x, NID_subject_key_identifier, "hash");
    if (host)
        alternative_names(x, host);
    X509_sign(x, key, EVP_sha256());
    return x;
}

struct authority *authority_new(void)
{
    struct authority *a = calloc(1, sizeof *a);
    if (a == NULL)
        mem_fatal();
    a->key = EVP_EC_gen("P-256");
    if (a->key == NULL)
        mem_fatal();
    a->ca = certificate(a->key, NULL, "tmgc verify CA", NULL, 1);
    return a;
}

void authority_free(struct authority *a)
{
    if (a == NULL)
        return;
    X509_free(a->ca);
    EVP_PKEY_free(a->key);
    free(a);
}

static int write_pem(const char *file, X509 *x, EVP_PKEY *key, struct strbuf *err)
{
    BIO *b = BIO_new_file(file, "w");
    int ok = b != NULL && PEM_write_bio_X509(b, x) &&
             (key == NULL || PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL));
    BIO_free(b);
    if (!ok)
        buf_printf(err, "%s: cannot be written: %s\n", file, strerror(errno));
    return ok ? 0 : -1;
}

int authority_write_ca(const struct authority *a, const char *file, struct strbuf *err)
{
    return write_pem(file, a->ca, NULL, err);
}

int authority_write_revoked(const struct authority *a, const char *file, struct strbuf *err)
{
    X509_CRL *list = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -3600), *to = X509_gmtime_adj(NULL, 7 * 24 * 3600L);
    if (!list || !from || !to)
        mem_fatal();
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(a->ca));
    X509_CRL_set1_lastUpdate(list, from);
    X509_CRL_set1_nextUpdate(list, to);
    X509_CRL_sign(list, a->key, EVP_sha256());
    BIO *b = BIO_new_file(file, "w");
    bool written = b && PEM_write_bio_X509_CRL(b, list);
    if (!written)
        buf_printf(err, "%s: cannot be written: %s\n", file, strerror(errno));
    BIO_free(b);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(list);
    return written ? 0 : -1;
}

int authority_write_listener(const struct authority *a, size_t number, const char *file, struct strbuf *err)
{
    struct strbuf name = { 0 };
    buf_printf(&name, LISTENER_PREFIX "%zu", number);
    X509 *x = certificate(a->key, a->ca, name.p, name.p, 1000 + (long)number);
    int failed = write_pem(file, x, a->key, err);
    X509_free(x);
    buf_free(&name);
    return failed;
}

long listener_certificate_number(const X509 *x)
{
    char cn[128];
    int n = x ? X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof cn) : -1;
    if (n <= 0 || strncmp(cn, LISTENER_PREFIX, sizeof LISTENER_PREFIX - 1) != 0)
        return -1;
    return strtol(cn + sizeof LISTENER_PREFIX - 1, NULL, 10);
}

SSL_CTX *authority_client(const struct authority *a)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    X509 *x = a ? certificate(a->key, a->ca, "tmgc-client", NULL, 600000) : NULL;
    if (c == NULL || (x && (SSL_CTX_use_certificate(c, x) != 1 || SSL_CTX_use_PrivateKey(c, a->key) != 1)))
        mem_fatal();
    X509_free(x);
    return c;
}

SSL_CTX *authority_server(const struct authority *a, const char *name)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    X509 *x = certificate(a->key, a->ca, name, name, 500000);
    if (c == NULL || SSL_CTX_use_certificate(c, x) != 1 || SSL_CTX_use_PrivateKey(c, a->key) != 1)
        mem_fatal();
    X509_free(x);
    /* A resumed session would skip the very check that verify is about. */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c, 0);
    return c;
}
