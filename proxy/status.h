/* status: what publishd is doing, as a page for people and as Prometheus metrics. Rendering only: admin.c serves it,
 * and whoever runs publishd fills the view. All strings are borrowed.
 */
#ifndef PROXY_STATUS_H
#define PROXY_STATUS_H
#include "../base/base.h"

/* What loops count. Each loop has its own, written by it alone; readers add them up. */
#define COUNTS(X) \
    X(connections, "client connections accepted") \
    X(tls_handshakes, "TLS handshakes completed") \
    X(tls_failures, "TLS handshakes failed") \
    X(requests, "requests") \
    X(received, "bytes of request bodies") \
    X(sent, "bytes of answer bodies") \
    X(answers_2xx, "answers with a status of 100 to 299") \
    X(answers_3xx, "answers with a status of 300 to 399") \
    X(answers_4xx, "answers with a status of 400 to 499") \
    X(answers_5xx, "answers with a status of 500 and above") \
    X(aborted, "requests without a complete answer") \
    X(refused_heads, "heads that were no clean HTTP") \
    X(server_connections, "connections opened to published servers") \
    X(server_reuses, "requests on a kept connection to a published server") \
    X(server_failures, "requests that got no answer from a published server") \
    X(sign_ins, "users signed in") \
    X(sign_in_failures, "sign-ins refused") \
    X(throttled, "sign-ins refused because there were too many") \
    X(delegations, "requests delegated to a published server") \
    X(delegation_failures, "delegations that failed")
struct counts {
#define X(name, help) uint64_t name;
    COUNTS(X)
#undef X
};
/* Counts on the loop's own thread; readers may see the old or the new number. */
#define count(c, name, n) __atomic_store_n(&(c)->name, (c)->name + (n), __ATOMIC_RELAXED)
/* total += c, read while its loop runs. */
void counts_add(struct counts *total, const struct counts *c);

struct status_listener { const char *name; const char *sockets; size_t clients; };
struct status_rule { const char *name, *listener, *action; long number; uint64_t requests, refused, failed; };
/* A server of a farm, or of a rule without one. Requests are the server's, whichever rules sent them. */
struct status_member {
    const char *farm, *server, *state;
    const char *check, *said;            /* what its farm's verifier asks, and what came of it; NULL: nobody asks */
    long long since;                     /* seconds since 1970: when it came to that state; 0: not asked yet */
    bool up, drained;
    uint64_t requests, failures, current, asked, failed;
};
struct status {
    const char *version, *config;
    long long now, started, loaded;      /* seconds since 1970: the configuration's last load */
    unsigned long reloads, failed_reloads, log_lost;
    size_t loops, clients, queued;       /* connections now; bytes that wait in queues */
    struct counts total;
    VEC(struct status_listener) listeners;
    VEC(struct status_rule) rules;
    VEC(struct status_member) members;
};
void status_page(struct strbuf *out, const struct status *s);        /* HTML, complete; no script, nothing external */
void status_metrics(struct strbuf *out, const struct status *s);     /* Prometheus text format 0.0.4 */
#endif
