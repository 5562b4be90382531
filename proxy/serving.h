/* serving: what a configuration needs beside its routing while it is served - sockets, certificates, peers of each rule,
 * time limits. Immutable once made, counted; a client's connection holds the one under which it came in.
 */
#ifndef PROXY_SERVING_H
#define PROXY_SERVING_H
#include "checks.h"
#include "client_trust.h"
#include "snapshot.h"
#include "../rewrite/chain.h"

struct serving_socket {
    const char *address;                 /* dotted quad or "*" */
    uint16_t port;
    bool https;                          /* requests count as HTTPS: its own TLS, or that of a proxy in front */
    enum client_from client_from;
    const ipset *proxies;                /* that alone may connect; NULL: anybody */
    SSL_CTX *ctx;                        /* for TLS: the address's first certificate, others by SNI */
    size_t listener;                     /* index into snapshot->plan->listeners */
};
struct serving_member {
    struct peer *peer;
    struct check *check;                 /* by which it is up or down; NULL: nobody asks, it counts as up */
    bool drained;
};
struct serving_members { struct serving_member *v; size_t n; };
/* Since the configuration was loaded. Any loop counts, anybody reads. */
struct rule_counts { atomic_ulong requests, refused, failed; };
struct serving_rule {
    struct serving_members members[2];   /* for requests over HTTP, HTTPS */
    bool transparent;                    /* connects from the client's address (B-59) */
    bool farm, by_address;               /* affinity: by cookie, or by the client's address (B-116) */
    char cookie[24];                     /* its name */
    const char *cookies[2];              /* the same, as forward.h wants it */
    uint64_t read_timeout;               /* ms to wait for the server */
    struct rule_counts *counts;
};
/* How many connections a listener has: shared by configurations that have a listener of this name. */
struct connections { atomic_ulong n; atomic_int refs; };
struct serving_listener {
    uint64_t idle_timeout;               /* ms */
    unsigned long most;                  /* connections; above it none is accepted until one ends */
    struct connections *connections;
    struct client_trust *clients;        /* whose certificates are good; NULL: clients are not asked for one */
};
struct signing;
struct serving {
    atomic_int refs;
    struct arena *arena;
    struct snapshot *snapshot;
    struct signing *signing;             /* who may pass, and how they sign in */
    struct rewriting *rewriting;         /* what is done to bodies, by rule */
    VEC(struct serving_socket) sockets;  /* one an address and port */
    VEC(struct serving_listener) listeners;          /* as snapshot->plan has them */
    VEC(struct serving_rule) rules;      /* likewise */
};
/* Reads the configuration's files and finds its peers. before: the one that is served now, NULL at first. NULL with lines
 * in err. The caller has a reference. */
struct serving *serving_new(const char *file, const struct serving *before, struct strbuf *err);
/* The socket at the same address and port; NULL. */
const struct serving_socket *serving_place(const struct serving *s, const struct serving_socket *like);
struct serving *serving_ref(struct serving *s);
void serving_release(struct serving *s); /* NULL is allowed */
#endif
