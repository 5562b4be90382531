/* diff: what changed in meaning between two policies, with a witness request for each change.
 *
 * Two halves. The first compares the objects: rules, listeners, farms and what they name are paired (by GUID, then by
 * name, then by likeness), and every key of the policy's own tables is compared. The second compares the answers: the
 * requests are divided into finitely many classes (ir/atoms.h says which, and why one request of a class speaks for
 * all of it), and decide() is asked for one request of each class on both sides. A class that is answered differently
 * is credited to the changes that explain it; the smallest such request is a change's witness. Where every class is
 * answered alike, no request is answered differently - a proof, not a sample.
 *
 * Which classes need not be looked at. Two rules are alike if everything that decide() reads and everything that acts on
 * a forwarded request is the same. Rules that are alike and keep their order on both sides are taken in pairs (a common
 * subsequence); a request that no other rule of either side could match meets the same rules in the same order, so its
 * answer is the same. So only the hosts, then only the paths that some rule outside the pairs matches are visited, and
 * at each step the rules that cannot match any more are left out. Behind a rule that takes every request of the class
 * nothing is reached. The remaining dimensions follow per class: one client address of each interval between the
 * borders of the rules' sources; one hour of each kind of hour that the rules' schedules tell apart; and users. Since
 * users are judged after a rule has been chosen (D-06), only the two answering rules' user sets count: nobody, a user
 * in none of them, and one in either alone or both.
 *
 * Dots. Whether a path leaves the rule's paths (D-05) depends on the rule, on double encoding and on which of its paths
 * match the resolved form. Any class that lets text follow holds paths that resolve to anything, so where the two
 * answering rules differ in this respect, one path of the class is tried for each class of resolved paths, and one that
 * is encoded twice.
 */
#ifndef TMGC_DIFF_H
#define TMGC_DIFF_H
#include "decide.h"

/* How two answers can differ, and by what a field can make them differ: bits, so that the two can be matched. */
enum {
    DIFFERS_ANSWER = 1u << 0,    /* 1u << enum answer, up to bit 11: one side gives that answer, the other does not */
    DIFFERS_LISTENER = 1u << 12, /* the rule is on another listener */
    DIFFERS_ENABLED = 1u << 13,
    DIFFERS_NAME = 1u << 14, /* it matches on one side only, because of its names */
    DIFFERS_PATH = 1u << 15,
    DIFFERS_SOURCE = 1u << 16,
    DIFFERS_SCHEDULE = 1u << 17,
    DIFFERS_ORDER = 1u << 18, /* both match on both sides; the other one is first */
    DIFFERS_EXISTENCE = 1u << 19,
    DIFFERS_SOCKET = 1u << 20, /* nobody listens on one side */
    DIFFERS_CERTIFICATE = 1u << 21,
    DIFFERS_LOCATION = 1u << 22,
    DIFFERS_BACKEND = 1u << 23,
    DIFFERS_HOST = 1u << 24,
    DIFFERS_TARGET = 1u << 25,
    DIFFERS_HANDLING = 1u << 26, /* forwarded alike, but with another treatment: delegation, headers, links ... */
    DIFFERS_SIGN_IN = 1u << 27,  /* the user is asked in another way */
    DIFFERS_SITE = 1u << 28,     /* the site map says something else for the rule: it goes by the name */
    RUNS_DIFFERENTLY = 1u << 29, /* a field's bit only: no request's answer changes, but how the system runs does */
    FIELD_IS_SET = 1u << 30      /* a field's bit only: the order of its items means nothing */
};
#define DIFFERS_BY(answer) (1u << (answer))
/* A client or a published server sees it in this one answer; the rest shows in what follows (cookies, headers, tickets). */
#define DIFFERS_LOUDLY(bits)                                                                                           \
    (((bits) & ~(unsigned)(DIFFERS_HANDLING | DIFFERS_SIGN_IN | DIFFERS_SITE | DIFFERS_CERTIFICATE |                   \
                           DIFFERS_BY(ANSWER_UNKNOWN))) != 0)

struct diff_side {
    const char *answer;                        /* answer_names, or "no-listener" */
    int status;                                /* as struct decision */
    const char *rule;                          /* name; NULL: none */
    const char *location, *to, *host, *target; /* NULL where there is none; to: "https one.example:443, ..." */
    const char *certificate;                   /* the listener's, for HTTPS */
};
struct witness {
    unsigned bits; /* how the answers differ */
    size_t cost;   /* how unusual the request is */
    bool tls;
    const char *address; /* of the listener, "*" for all */
    uint16_t port;
    const char *host; /* Host as sent; NULL: none */
    const char *target;
    uint32_t client;
    int hour; /* hour of the week; -1: any */
    const char
        *user; /* NULL: nobody; else an account that must be the user's or one of the user's groups, or "anybody" */
    struct diff_side side[2]; /* old, new */
};

enum diff_subject {
    DIFF_RULE,
    DIFF_LISTENER,
    DIFF_FARM,
    DIFF_NETWORK,
    DIFF_SCHEDULE,
    DIFF_USER_SET,
    DIFF_PROTOCOL,
    DIFF_SERVER_RULE,
    DIFF_POLICY,
    DIFF_SUBJECTS
};
extern const char *const diff_subject_names[DIFF_SUBJECTS];
enum diff_kind { DIFF_ADDED, DIFF_REMOVED, DIFF_CHANGED };
extern const char *const diff_kind_names[3];

struct diff_field {
    const char *key;               /* "names", "sources.addresses" */
    unsigned bits;                 /* what it can change */
    const char *before, *after;    /* of a single value: as the policy writes it; NULL: default */
    strings removed, added;        /* of a list */
    const struct witness *witness; /* NULL: no request is answered differently for it, if the proof is complete */
};
struct diff_change {
    enum diff_subject subject;
    enum diff_kind kind;
    const char *name;     /* the new one, unless it is gone */
    const char *old_name; /* if it was renamed */
    size_t from, to;      /* places among its like, from 1; 0: not there */
    uint32_t line[2];     /* in the exports; 0 */
    bool moved;           /* a rule: its order among those that stayed */
    VEC(struct diff_field) fields;
    const struct witness *witness; /* of an addition or a removal */
    const struct witness *move_witness;
};
struct diff {
    struct arena *arena;
    VEC(struct diff_change) changes; /* listeners and what rules name first, then rules, in the new order */
    size_t classes;                  /* that were compared */
    size_t different;                /* of these: answered differently */
    size_t unproven;                 /* groups of classes (a host on a listener) that were not compared for the limit */
    const struct witness *other;     /* a difference that no change explains; NULL */
    bool same;                       /* proven: no request is answered differently */
    bool meaningless;                /* and nothing runs differently: exit status 0 */
};
/* limit: how many classes to compare at most; 0: no limit. Both plans must live as long as the result. */
struct diff *diff_make(const struct plan *before, const struct plan *after, size_t limit);
void diff_free(struct diff *d);
/* "GET https://mail.example/owa/ from 192.0.2.1, Sun 03:00, as CONTOSO\ann" */
void buf_witness_request(struct strbuf *b, const struct witness *w);
/* "403 (no rule matches)", "forwarded to https one.example:443 as /x, Host one.example, by rule OWA" */
void buf_witness_side(struct strbuf *b, const struct witness *w, int side);
#endif
