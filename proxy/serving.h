/* serving: what a configuration needs beside its routing while it is served - sockets, certificates, peers of each rule,
 * time limits. Immutable once made, counted; a client's connection holds the one under which it came in.
 */
#ifndef PROXY_SERVING_H
#define PROXY_SERVING_H
#include "peers.h"
#include "../config/config.h"
#include "../ir/plan.h"

struct serving;
struct serving_socket {
    const char *address;                 /* dotted quad or "*" */
    uint16_t port;
    bool tls;
    SSL_CTX *ctx;                        /* with tls: the address's own certificate first, others by SNI */
    size_t listener;                     /* index into plan->listeners */
    bool h2;                             /* offered by ALPN */
};
struct serving_member { struct peer *peer; bool drained; };
struct serving_rule {
    size_t index;                        /* in plan->rules */
    VEC(struct serving_member) members[2];       /* for requests over HTTP, HTTPS */
    bool farm, by_address;               /* affinity: by cookie, or by the client's address (B-116) */
    char cookie[24];                     /* its name */
    uint64_t read_timeout;               /* ms to wait for the server */
};
struct serving_listener { size_t index; uint64_t idle_timeout; long max_connections; };
struct serving {
    atomic_int refs;
    struct arena *arena;
    const struct config *config;
    const struct plan *plan;
    VEC(struct serving_socket) sockets;
    VEC(struct serving_listener) listeners;
    VEC(struct serving_rule) rules;
};
struct serving *serving_ref(struct serving *s);
void serving_release(struct serving *s);
#endif
