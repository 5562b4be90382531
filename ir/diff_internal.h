/* diff_internal: what the files of diff share. */
#ifndef TMGC_DIFF_INTERNAL_H
#define TMGC_DIFF_INTERNAL_H
#include "atoms.h"
#include "diff.h"
#include "schema.h"

/* ---- diff_fields.c: keys, what they can change, and their values as text ---- */
unsigned field_bits(enum diff_subject s, const char *key);
/* The policy's table for a subject's objects; DIFF_POLICY: the policy's own, of which only the vendor
 * parameters are compared. */
const struct schema *subject_schema(enum diff_subject s);
/* One key as the policy writes it, without the key; NULL: the default. */
const char *field_text(struct arena *a, const struct field *f, const void *object);
/* Every key whose bits hold one of `bits`, "key: value" lines; an empty string for none. */
const char *fields_text(struct arena *a, enum diff_subject s, const void *object, unsigned bits);
/* The keys that differ, names and origins aside. */
void fields_compare(struct arena *a, enum diff_subject s, const void *before, const void *after,
                    struct diff_change *out);

/* ---- diff_pairs.c ------------------------------------------------------------ */
struct pairing {
    size_t n[2];
    size_t *partner[2]; /* position on the other side; SIZE_MAX */
    size_t *change[2];  /* index into diff->changes; SIZE_MAX: nothing changed */
};
struct diffing {
    struct diff *out;
    const struct plan *plan[2];
    struct arena *scratch;
    struct pairing pairs[DIFF_SUBJECTS];
    struct facts *facts[2]; /* of each rule */
    size_t limit;
};
void diff_pair_objects(struct diffing *d); /* fills pairs and out->changes */
/* Marks those positions of before and after that belong to one common subsequence of equal keys; it is a longest one
 * if keys do not repeat. */
void common_subsequence(struct arena *scratch, const size_t *before, size_t n, const size_t *after, size_t m,
                        bool *in_before, bool *in_after);

/* ---- diff_facts.c: what decide() and the targets read of a rule, as numbers ---- */
struct facts {
    size_t all; /* equal: the rules are alike in every respect */
    size_t to[2], handling, sign_in, site, dots;
    strings accounts; /* that its user sets hold; sorted, lower case */
    bool everybody;   /* any user who is signed in */
    bool certain;     /* no source or schedule: it takes whatever has its host and path */
};
void diff_make_facts(struct diffing *d);
/* The user sets of the rule that hold the account; all that hold everybody for NULL. */
void sets_holding(struct arena *a, const struct plan *p, const struct rule *r, const char *account, strings *out);
const char *upstream_text(struct arena *a, const struct plan_upstream *u);

/* ---- diff_walk.c, diff_ask.c, diff_witness.c ----------------------------------------------- */
/* The two listeners that take the same requests, with only those rules that can match what is being looked at. */
struct meeting {
    struct diffing *d;
    size_t listener[2];                  /* in the plans; SIZE_MAX: nobody listens */
    const struct plan_socket *socket[2]; /* NULL where nobody listens */
    const char *address;                 /* "*": any that has no socket of its own */
    uint16_t port;
    bool tls;
    struct plan plan[2]; /* one listener: */
    struct plan_listener only[2];
};
struct answered {
    int rule[2], path[2];
}; /* -1: none */
/* The client that witnesses are asked from where it makes no difference: documentation, RFC 5737. */
#define ORDINARY_CLIENT 0xcb007101u
/* Asks both sides and counts; credits a difference to the changes that explain it. account: who is signed in, with
 * struct witness's meaning; NULL: nobody. */
struct answered meeting_ask(struct meeting *m, const struct request *q, const char *account);
#define ANYBODY "anybody"

struct list {
    uint32_t *v;
    size_t n;
}; /* rules by their index in the plan, in order */
struct place {
    size_t atom;
    uint32_t rule;
}; /* a rule that has this name or path */
struct places {
    struct place *v;
    size_t n;
};

struct walk {
    struct diffing *d;
    struct meeting m;
    struct arena *a;    /* of the listener in hand */
    struct list all[2]; /* every rule of it */
    bool *odd[2];       /* by rule index: outside the common subsequence of the listener */
    struct host_atoms hosts;
    struct places named[2];
    struct list unnamed[2]; /* rules for all names */
    size_t work;            /* rules that were looked at */
};
bool walk_stopped(const struct walk *w);
/* From here on decide() sees these rules only. */
void walk_look_at(struct walk *w, const struct list l[2]);
/* All requests of a path's class. l: the rules that can match it. open: path_atom_open of the class, or NULL. */
void walk_ask_path(struct walk *w, struct arena *a, struct request *q, const struct list l[2], const char *path,
                   const char *open);
void diff_walk(struct diffing *d);
#endif
