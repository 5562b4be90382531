/* checks: what farms' connectivity verifiers ask of servers, and what came of it (B-118, B-119). A check is one question
 * to one server. All members of farms that mean the same server and ask the same share it, whichever rules use them, and it
 * outlives a reload: whoever asks the same in the next configuration finds its verdict. Two farms that ask one server
 * differently have two checks, and each goes by its own, as the source's verifiers belonged to their farms.
 *
 * health.c asks. Counted; any thread takes and gives up references and reads verdicts.
 */
#ifndef PROXY_CHECKS_H
#define PROXY_CHECKS_H
#include "peers.h"
#include "../ir/policy.h"

/* The question. */
struct check_about {
    struct peer *peer;                   /* borrowed by check_get, which takes a reference: where the server is */
    enum probe_kind kind;
    uint16_t port;                       /* for HTTP and TCP, and for a ping where the host sends none */
    bool tls;                            /* HTTPS; verified like the traffic if the peer is TLS itself, else not */
    const char *path, *host;             /* for HTTP: what to get, and the Host header; copied */
    unsigned threshold;                  /* ms until an answer counts as none */
};

enum { CHECK_WHY = 48 };
struct probe;
struct check {
    struct check_about what;             /* path and host are in request; peer is a reference */
    struct strbuf request;               /* for HTTP: as it is sent; else empty */
    atomic_bool up;                      /* true until an answer, or none, says otherwise */
    atomic_ulong asked, failed;          /* times, since the check is there */
    struct probe *probe;                 /* the checker's own */
    struct check_private *p;
};

/* The check of this question: the one that is there, or a new one. A reference. */
struct check *check_get(const struct check_about *about);
struct check *check_ref(struct check *c);
void check_release(struct check *c);     /* NULL is allowed */
/* A verdict; why: "status 503". true: it is another than before. */
bool check_verdict(struct check *c, bool up, const char *why);
/* How the last verdict was reached and when there first was one like it (seconds since 1970); 0: not asked yet. */
long long check_last(struct check *c, char why[CHECK_WHY]);
/* The question as an operator knows it: "GET / from cas1:80", "TCP 443", "ping". Appended to out. */
void check_text(const struct check *c, struct strbuf *out);
#endif
