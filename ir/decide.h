/* decide: which rule answers a request, why each earlier one did not, and what happens. The one truth: emitters,
 * explain, verify and publishd are measured against it. Follows D-01 to D-17 of the behaviour reference. */
#ifndef TMGC_DECIDE_H
#define TMGC_DECIDE_H
#include "plan.h"

struct request {
    size_t listener;                 /* index into plan->listeners */
    bool tls;                        /* came in over HTTPS */
    uint16_t port;                   /* the port it came in on */
    const char *method;
    const char *host;                /* Host field as sent; NULL: none */
    const char *target;              /* request target as sent: "/a?b", "http://h/a", "*" */
    uint32_t client;                 /* IPv4, host byte order */
    int hour;                        /* hour of the week, 0 = Sunday 00:00; -1: unknown (schedules then hold) */
    const char *user;                /* authenticated user, "DOMAIN\\name"; NULL: nobody */
    const strings *user_sets;        /* the sets that hold that user; NULL: none */
    const char *head;                /* header fields as sent, each ending in CRLF; NULL: unknown, the HTTP filter then lets them pass */
    long long body;                  /* bytes of the body that Content-Length announces; 0 */
    int certificate;                 /* of the client: 1 it showed one that is trusted, -1 it did not; 0: unknown (then it did) */
    uint16_t client_port;            /* 0: unknown (then the rule's limits hold) */
    bool unfiltered;                 /* do not ask the rule's HTTP filter */
};

enum condition { MATCHED, FAILED_DISABLED, FAILED_LISTENER, FAILED_NAME, FAILED_PATH, FAILED_SOURCE, FAILED_SCHEDULE };
extern const char *const condition_names[];

enum answer {
    ANSWER_NO_RULE,          /* 403: no rule matches (B-11) */
    ANSWER_HTTPS,            /* 302 to the same place over HTTPS (D-08); location */
    ANSWER_DENY,             /* 403: a deny rule */
    ANSWER_DENY_REDIRECT,    /* 302 to the rule's fixed URL (B-28); location */
    ANSWER_DOTS,             /* 403: the path would leave the published paths (D-05) */
    ANSWER_NEEDS_SSL,        /* 403: B-52 */
    ANSWER_NEEDS_USER,       /* the listener asks for credentials; a target that cannot is closed: 403 (D-07) */
    ANSWER_WRONG_USER,       /* 403: B-25 */
    ANSWER_PASS_OVER_HTTP,   /* 403: B-103, D-09 */
    ANSWER_UNKNOWN,          /* 403: the rule has a condition that nobody can judge; see otherwise */
    ANSWER_NO_BACKEND,       /* 403: nothing to forward to */
    ANSWER_FORWARD,
    ANSWER_FILTERED,         /* 502: the rule's HTTP filter refuses it (B-131); after the others, diff.h counts on their places */
    ANSWER_NEEDS_CERTIFICATE, /* 403: the rule wants a certificate of the client (B-98) */
    ANSWER_OPTIONS           /* 200: OPTIONS, which the rule does not pass on, where anything else would be forwarded */
};
extern const char *const answer_names[];

struct trail { uint32_t rule; enum condition failed; };
struct decision {
    enum answer answer;
    enum answer otherwise;           /* for UNKNOWN: the answer if that condition held */
    enum answer unfiltered;          /* for FILTERED: the answer without the filter */
    unsigned filtered;               /* for FILTERED: FILTER() bits of the parts that refuse */
    int status;                      /* 403, 302, 502, 200; 0 for FORWARD and NEEDS_USER */
    int rule;                        /* index into plan->rules; -1: none */
    int path;                        /* index into its paths; -1 */
    const char *location;            /* for the two redirects */
    /* FORWARD (and what would be forwarded once a user is there, for NEEDS_USER): */
    const struct plan_upstream *to;
    const char *host;                /* Host header that the backend gets; NULL: none */
    const char *target;              /* path and query that the backend gets */
    VEC(struct trail) trail;         /* every rule of the listener before the answering one, in order, and why not */
};

/* Strings of *out live in a, in the plan or in r. trail is filled only if want_trail. */
void decide(const struct plan *p, const struct request *r, bool want_trail, struct arena *a, struct decision *out);

/* The same for who knows which rules can match at all: what a request asks for, read once, and rules by their indexes in
 * rising order, each of the listener's own; UINT32_MAX ends them. Some may not match, but none that does may be missing. */
struct addressed {
    const char *host;                /* canonical (D-01); "" for none */
    const char *host_sent;           /* as sent, of an absolute target or the Host field; NULL: none */
    const char *url;                 /* path and query */
    size_t path_n;                   /* bytes of the path */
};
void decide_read(const struct request *r, struct arena *a, struct addressed *out);
struct candidates { uint32_t (*next)(struct candidates *c); };
void decide_among(const struct plan *p, const struct request *r, const struct addressed *asked, struct candidates *c,
                  struct arena *a, struct decision *out);

/* What a target answers, given what the source would: closed rules and acceptances applied. For a target that cannot
 * authenticate NEEDS_USER becomes FORWARD (accepted) or 403 (closed); where the rule goes through publishd, it is publishd's
 * answer. Changes d in place. */
void decide_for_target(const struct plan *p, enum target t, const struct request *r, struct decision *d);

/* ---- the pieces, for the emitters' own proofs and for verify ------------- */
const char *host_canonical(struct arena *a, const char *host);       /* D-01; "" for none */
bool name_matches(const struct public_name *n, const char *canonical_host);    /* D-02 */
bool path_matches(const struct path *p, const char *path, size_t n); /* D-03; raw path without query */
bool path_has_dots(const char *path, size_t n);      /* a ".." segment, decoded up to twice, slashes of either kind */
bool path_has_deep(const char *path, size_t n);      /* a backslash, or a dot, slash, backslash that is encoded twice, or an encoded backslash */
long rule_last_port(const struct rule *r);           /* of those that clients may come from; 0: any (with source_port_low) */
bool rule_publishes_all(const struct rule *r);       /* "/" "*" to itself: nothing can leave it */
bool rule_rewrites(const struct rule *r);            /* any path with an internal one of its own */
bool path_escapes(const struct rule *r, const struct path *m, const char *path, size_t n);   /* D-05 */
#endif
