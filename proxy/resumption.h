/* resumption: the keys of TLS session tickets (RFC 5077, RFC 8446 section 4.6.1), so that a client that comes again need not
 * shake hands in full.
 *
 * A ticket's key is derived from a key of the ring that seals sessions (auth/seal.h) and from the period in which it is made:
 * it is another one every RESUMPTION_PERIOD, and whoever has the ring takes what the others made - the same process after a
 * reload, and with a key file the next process or another machine. A ticket is good for the listener that made it alone.
 */
#ifndef PROXY_RESUMPTION_H
#define PROXY_RESUMPTION_H
#include "../auth/seal.h"
#include <openssl/ssl.h>

/* Seconds. OpenSSL's tickets are good for 7,200; keys of one period before and after open too, for clocks that differ. */
enum { RESUMPTION_PERIOD = 4 * 3600 };

/* ctx makes and takes tickets under keys of the ring, which is copied. listener: whose tickets it takes. */
void resumption_use(SSL_CTX *ctx, const struct key_ring *ring, const char *listener);

/* ---- for tests ---- */
struct resumption;
struct resumption_key { unsigned char name[16], cipher[32], mac[32]; };
struct resumption *resumption_new(const struct key_ring *ring);
void resumption_free(struct resumption *r);
/* name NULL: the key to make tickets with. Else the key of that name. 0: there is none; 1: it is; 2: it is, and new tickets have
 * another. now: seconds since 1970. Any thread. */
int resumption_key(struct resumption *r, long long now, const unsigned char *name, struct resumption_key *out);
#endif
