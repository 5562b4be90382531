/* validate: is this the user's password? By the KDC, LDAP, winbind, RADIUS or a file; and changing it.
 *
 * All block. Checks never tell by their time whether an account is there, as far as that is in our hands: the file
 * hashes for unknown names too; servers take what they take. Nothing is cached or throttled here (B-95 is the caller's).
 */
#ifndef AUTH_VALIDATE_H
#define AUTH_VALIDATE_H
#include "auth.h"
#include "../ir/policy.h"

enum verdict {
    VERDICT_OK, VERDICT_WRONG, VERDICT_UNKNOWN, VERDICT_DISABLED, VERDICT_LOCKED,
    VERDICT_EXPIRED,         /* the account or, where the source cannot tell, the password */
    VERDICT_MUST_CHANGE,     /* the password is right or cannot be judged, and must be changed before it is taken */
    VERDICT_UNAVAILABLE,     /* nobody could be asked; says nothing about the password */
    VERDICT_WEAK,            /* of password_change: the new one is refused; why says the rule */
    VERDICT_CHALLENGED       /* not refused, but something more is asked for: a second code */
};
extern const char *const verdict_names[];
/* To the client all but these look alike: only whoever proved the old password may learn of expiry. */
static inline bool verdict_tells(enum verdict v)
{
    return v == VERDICT_OK || v == VERDICT_MUST_CHANGE || v == VERDICT_UNAVAILABLE || v == VERDICT_WEAK;
}

/* Blocks. validator: the listener's (VALIDATE_AD: as settings' ad_check says). *who is set for VERDICT_OK alone and holds the
 * password and the groups. why: one line for the log, without the password. */
enum verdict password_check(struct auth *a, enum validator validator, const struct user_name *name,
                            struct secret *password, struct identity **who, struct strbuf *why);

/* What a RADIUS server asks for behind a password (Access-Challenge, RFC 2865 sections 2.1 and 4.4). */
enum { CHALLENGE_STATE = 253, CHALLENGE_TEXT = 512 };                      /* bytes */
struct challenge {
    unsigned char state[CHALLENGE_STATE];/* what it wants to have back with the answer */
    size_t state_n;
    char text[CHALLENGE_TEXT + 1];       /* for the user: UTF-8 without control characters; "" */
    bool echo;                           /* the answer may be seen as it is written */
};
/* The same for a form, which can show such a question. answered: the one that password is the answer to; NULL: it is the password.
 * *asked is set for VERDICT_CHALLENGED. */
enum verdict password_check_further(struct auth *a, enum validator validator, const struct user_name *name, struct secret *password,
                                    const struct challenge *answered, struct challenge *asked, struct identity **who, struct strbuf *why);
bool password_asks_kdc(const struct auth *a, enum validator validator);
/* Blocks. By kpasswd, or LDAPS where the validator is LDAP (B-94). */
enum verdict password_change(struct auth *a, enum validator validator, const struct user_name *name,
                             struct secret *old, struct secret *wanted, struct strbuf *why);
/* A line's hash for the password file: yescrypt, or SHA-512 crypt where libcrypt has none. false: no memory, too long. */
bool password_hash(const struct secret *password, struct strbuf *out);
#endif
