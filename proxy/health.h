/* health: asks farm members whether they are up, as the source's connectivity verifiers did: every 30 seconds, by an HTTP
 * request, a TCP connection or a ping; an answer later than the farm's threshold counts as none (B-118). HTTP: any status
 * from 100 to 399, and 401, means up (B-119).
 *
 * One thread of its own. It writes peer->state.up and nothing else that others read.
 */
#ifndef PROXY_HEALTH_H
#define PROXY_HEALTH_H
#include "peers.h"
#include "../ir/policy.h"

/* What is asked of one member. */
struct health_check {
    struct peer *peer;                   /* borrowed by health_set, which takes a reference */
    enum probe_kind kind;
    uint16_t port;                       /* for HTTP and TCP */
    bool tls;                            /* HTTPS; verified like the traffic if the peer is TLS itself, else not */
    const char *path, *host;             /* for HTTP: what to get, and the Host header; copied */
    unsigned threshold;                  /* ms */
};

struct health;
/* told: called on the checker's thread when a member goes up or down; why: "status 503". NULL with errno. */
struct health *health_new(void (*told)(const struct peer *p, bool up, const char *why));
/* From now on these are checked, those that are new at once. Members that are checked no more count as up. Any thread. */
void health_set(struct health *h, const struct health_check *checks, size_t n);
void health_free(struct health *h);      /* ends the thread */
#endif
