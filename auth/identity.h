/* identity: who somebody was found to be. Made once by a check of credentials (auth/accept.h, auth/validate.h), never
 * changed after that, counted by reference and free to be read by every thread.
 *
 * What it may carry besides the name: the password, for delegations that send it on (B-104 to B-107), and the client's
 * own Kerberos ticket as a GSS credential, the evidence for constrained delegation (B-109). Neither is ever written to
 * a log or a message.
 */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H
#include "../base/base.h"

/* ---- secrets: in locked memory that core dumps leave out, zeroed when the last reference goes ---- */
struct secret;
enum { SECRET_BYTES = 1024 };                            /* no password is longer */
struct secret *secret_new(const char *text, size_t n);   /* copies; NULL: too long, holds a NUL, or no memory */
struct secret *secret_hold(struct secret *s);            /* NULL is allowed, here and below */
void secret_release(struct secret *s);
const char *secret_text(const struct secret *s);         /* NUL-terminated; valid while it is held */
size_t secret_length(const struct secret *s);            /* bytes */
bool secret_equal(const struct secret *a, const struct secret *b);   /* in time that depends on the lengths alone */
/* Once, before the first secret and before threads: locked memory, no core dumps, no ptrace by others (prctl). */
void secrets_start(void);
/* Zeroes what functions that have returned left on this thread's stack: libraries keep passwords there. */
void secrets_wipe_stack(void);
/* The first line of a file, without the line's end. NULL with a message that does not hold it. */
struct secret *secret_read(const char *file, struct strbuf *err);

/* ---- names ----------------------------------------------------------------------------------------- */
/* A user's name as somebody wrote it: "DOMAIN\user", "user@realm", "user". Parts that were not said are "". */
struct user_name {
    const char *account;             /* "alice" */
    const char *domain;              /* NetBIOS, "LAB" */
    const char *realm;               /* behind the @: a realm or a UPN suffix, as written */
};
/* Takes text apart; where it says no domain, default_domain (NULL: none) is the domain, or the realm if it has a dot.
 * Parts live in a. false: empty, invalid UTF-8, a control character, longer than 256 bytes, more than one backslash. */
bool user_name_parse(struct arena *a, const char *text, const char *default_domain, struct user_name *out);

/* ---- identities ------------------------------------------------------------------------------------- */
enum proof { PROOF_PASSWORD, PROOF_KERBEROS, PROOF_NTLM, PROOF_CERTIFICATE };
extern const char *const proof_names[];                  /* "password", … for logs */

struct evidence;                     /* a GSS credential; auth/kerberos.h */
struct identity {
    const char *account;             /* without domain, never "" */
    const char *domain;              /* NetBIOS name; "" if not known */
    const char *realm;               /* Kerberos realm in capitals; "" if not known */
    const char *display;             /* "LAB\alice", "alice@LAB.TEST" or "alice": for logs; holds no control character */
    enum proof proof;
    const char *const *sids;         /* the user's and the groups', "S-1-5-21-…"; sorted */
    size_t sids_n;
    const char *const *groups;       /* names of groups, "LAB\webusers" or "webusers"; where SIDs are not had */
    size_t groups_n;
    bool groups_known;               /* false: nobody said which groups there are; auth/users.h then asks the directory */
    long long password_expires;      /* seconds since 1970; 0: never, or nobody said */
    struct secret *password;         /* NULL unless proof is PROOF_PASSWORD */
    struct evidence *evidence;       /* NULL unless the client's ticket can serve as evidence */
    _Atomic unsigned references;     /* of identity.c alone */
};
/* Copies what facts points to, and holds its password and evidence. The caller holds one reference. realm is turned to
 * capitals; display is made here, whatever facts says. */
struct identity *identity_new(const struct identity *facts);
struct identity *identity_hold(struct identity *i);      /* NULL is allowed, here and below */
void identity_release(struct identity *i);
bool identity_same(const struct identity *a, const struct identity *b);      /* the same account, whatever the proof; without case */
bool identity_has_sid(const struct identity *i, const char *sid);

/* ---- evidence: made and used by auth/kerberos ones; counted like the rest --------------------------------- */
struct evidence *evidence_hold(struct evidence *e);
void evidence_release(struct evidence *e);
#endif
