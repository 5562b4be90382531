/* client_trust: whose certificates a listener takes from its clients, and what to think of the one that a client showed (B-98).
 *
 * A handshake asks for a certificate and takes whatever comes, so that who has none, or a bad one, gets a page and not a broken
 * connection; that the client has its key is proved there. Whether it is good is judged here, at the connection's first request
 * and again from time to time, by the trust of the configuration that serves it: neither a reload nor an expiry leaves an old
 * judgement standing. Such listeners resume no TLS sessions: what a ticket brings back has lost the certificate's chain.
 */
#ifndef PROXY_CLIENT_TRUST_H
#define PROXY_CLIENT_TRUST_H
#include "pages.h"
#include "../auth/certificate.h"
#include "../auth/credentials.h"
#include <openssl/ssl.h>

struct client;
struct client_trust;
/* file: the issuers, PEM. revoked: their revocation lists, PEM, one for each issuer of a chain (as nginx and HAProxy want them);
 * NULL: none is asked about. NULL with a line in err. */
struct client_trust *client_trust_read(const char *file, const char *revoked, struct strbuf *err);
void client_trust_free(struct client_trust *t);          /* NULL is allowed */
/* For every context of an address, those chosen by SNI too. */
void client_trust_ask(const struct client_trust *t, SSL_CTX *ctx);

enum shown_state { SHOWN_NOTHING, SHOWN_GOOD, SHOWN_REVOKED, SHOWN_EXPIRED, SHOWN_UNTRUSTED };
struct shown {
    enum shown_state state;
    enum naming naming;                  /* of a good one: what it says of an account */
    struct user_name name;               /* lives as long as this */
    unsigned char id[CERTIFICATE_ID];
    struct arena *arena;
    long long until;                     /* seconds since 1970; then it is judged again */
};
/* What the client shows, judged if need be, on the client's own loop and while its connection is open. NULL: its listener asks
 * for nothing, or it came without TLS. Valid until the next call, or shown_forget. */
const struct shown *shown_by(struct client *c);
void shown_forget(struct client *c);     /* the connection ends, or another configuration serves it */
enum cause shown_cause(const struct client *c);          /* of the page where a certificate is needed and what is shown will not do */
#endif
