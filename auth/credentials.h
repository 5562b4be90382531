/* credentials: passwords that were checked a moment ago (B-95). What was right is not asked again for 300 seconds, nor is
 * what was wrong for a shorter while: a telephone with last month's password would use up the account's attempts.
 *
 * The same credentials that come in at once, as a browser's six connections send them, are checked once; the others wait
 * for that answer. Entries are found by a keyed hash of name and password; the password itself is with the identity alone, in
 * locked memory. Bounded: a full set forgets what would run out first. Any thread.
 */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H
#include "throttle.h"
#include "validate.h"

enum { CREDENTIALS_RIGHT_S = 300, CREDENTIALS_WRONG_S = 60 };
struct credentials;
/* t: where failures are counted; borrowed. */
struct credentials *credentials_new(size_t most, struct throttle *t);
void credentials_free(struct credentials *c);
/* To forget what was known about everybody: after a reload that changes who is asked. */
void credentials_clear(struct credentials *c);

/* Does not block: the identity, counted, that these credentials are known to be. NULL: they must be checked. */
struct identity *credentials_known(struct credentials *c, enum validator v, const struct user_name *name,
                                   const struct secret *password, long long now);

/* Who is asked where it is not known: password_check with its struct auth, but for tests. */
typedef enum verdict credentials_check(void *context, enum validator v, const struct user_name *name, struct secret *password,
                                       struct identity **who, struct strbuf *why);
struct credentials_question {
    enum validator validator;
    const struct user_name *name;
    struct secret *password;
    uint32_t address;
    long long now;
    credentials_check *check;
    void *context;
};
/* Blocks: the verdict, kept if it can be. *who: counted, for VERDICT_OK. *wait: not 0 if nobody was asked because of too many failures
 * (the verdict is then VERDICT_LOCKED): seconds. */
enum verdict credentials_ask(struct credentials *c, const struct credentials_question *q, struct identity **who, long *wait,
                             struct strbuf *why);
/* That account's password was changed: nothing that is known about it holds. */
void credentials_forget(struct credentials *c, const struct user_name *name);
#endif
