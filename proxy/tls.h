/* tls: OpenSSL contexts for listeners and for servers. */
#ifndef PROXY_TLS_H
#define PROXY_TLS_H
#include "../base/base.h"
#include <openssl/ssl.h>

/* A listener's context with its certificate chain and key, PEM files. TLS 1.2 and 1.3. NULL with a line in err. */
SSL_CTX *tls_server(const char *chain, const char *key, struct strbuf *err);
/* Offers HTTP/2 too. */
void tls_server_h2(SSL_CTX *ctx);
bool tls_chose_h2(const SSL *ssl);
/* One more context for the same address, which is own's from now on: a client that names (SNI) a name of its certificate
 * gets it; all others get own. B-40: the source knew no SNI, and an address with one certificate behaves as it did. */
void tls_server_alternative(SSL_CTX *own, SSL_CTX *other);

/* For connections to servers: verifies against a PEM file of authorities (D-14), and shows a certificate to a server that
 * asks for one (B-51), at first or later: by renegotiation up to TLS 1.2, as IIS does for a part of a site, or by TLS 1.3's
 * request after the handshake. digest names the content of both: who is trusted, and as whom one comes. */
struct tls_trust { SSL_CTX *ctx; char digest[65]; };
/* file: the authorities; chain, key: PEM, both or neither. false with a line in err. */
bool tls_trust_read(struct tls_trust *t, const char *file, const char *chain, const char *key, struct strbuf *err);
void tls_trust_free(struct tls_trust *t);
void tls_digest(const void *p, size_t n, char out[65]);          /* SHA-256, hex */
#endif
