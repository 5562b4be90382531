/* peers: the servers that requests go to. A peer is one server under one name: where to connect, whether over TLS and
 * for which name its certificate must stand, whom one trusts there and which certificate one shows: connections that were made
 * as somebody else are another peer's (B-51). Peers are shared by all loops and outlive a reload: the same server in
 * the next configuration is the same peer, with its idle connections.
 *
 * What other threads write is atomic or locked: addresses (the resolver), counters.
 */
#ifndef PROXY_PEERS_H
#define PROXY_PEERS_H
#include "loop.h"
#include "tls.h"
#include <stdatomic.h>
#include <sys/socket.h>

/* What is counted of a server, for the status page. */
struct member_state {
    atomic_ulong current;                /* exchanges under way */
    atomic_ulong requests, failures;     /* since the start */
};
struct address { struct sockaddr_storage at; socklen_t n; };
struct addresses { atomic_int refs; size_t n; struct address v[]; };

struct peer {
    const char *host;                    /* to connect to: name or address */
    uint16_t port;
    bool tls;
    const char *site;                    /* SNI and certificate name (D-14) */
    SSL_CTX *ctx;                        /* with tls */
    char id[17];                         /* names it in affinity cookies: the same on every machine with this server */
    struct member_state state;
    struct peer_idle { struct upstream *first; size_t n; } idle[LOOPS_MOST];     /* each loop touches its own */
    struct peer_private *p;
};

/* The peer with these properties: a new one, or the one that is there. A reference; released by peer_release.
 * trust: for TLS; NULL: plain. */
struct peer *peer_get(const char *host, uint16_t port, const char *site, const struct tls_trust *trust);
struct peer *peer_ref(struct peer *p);
void peer_release(struct peer *p);

/* The addresses that are known now, a reference; NULL: none yet, or the name leads nowhere. Any thread. */
struct addresses *peer_addresses(struct peer *p);
void addresses_release(struct addresses *a);
/* Looks up the names of all peers again, in the pool; what cannot be found keeps its last good addresses. Any thread. */
struct jobs;
void peers_resolve(struct jobs *pool);
bool peers_looking(void);                /* a look-up is under way. Any thread */
bool peer_is_nowhere(struct peer *p);    /* the last look-up of its name found nothing. Any thread */

/* The beginning of a TLS connection to it: its name is asked for and expected (D-14), its last session offered. NULL: none
 * can be made. Any thread. */
SSL *peer_tls(struct peer *p);
/* The TLS session of the last connection, so that the next need not begin anew. Any thread. */
void peer_use_session(struct peer *p, SSL *ssl);

/* For each peer that is there. Any thread. */
void peers_each(void (*each)(struct peer *p, void *arg), void *arg);
#endif
