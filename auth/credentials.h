/* credentials: passwords, and client certificates, that were checked a moment ago (B-95). What was right is not asked again for
 * 300 seconds, nor is what was wrong for a shorter while: a telephone with last month's password would use up the account's
 * attempts. That a certificate is good is judged with each connection; what is kept of it is the account that it names.
 *
 * The same credentials that come in at once, as a browser's six connections send them, are checked once; the others wait
 * for that answer, but no longer than a client would: who asks may sit before a server that says nothing. Entries are found by
 * a keyed hash of all that they depend on; the password itself is with the identity alone, in locked memory. Bounded: a full
 * set forgets what would run out first. Any thread.
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

/* What somebody shows: a name and a password that validator judges, or a certificate that names the account. */
enum { CERTIFICATE_ID = 32 };            /* bytes: its SHA-256 */
struct shown_credentials {
    enum validator validator;
    const struct user_name *name;
    struct secret *password;             /* NULL: a certificate */
    const unsigned char *certificate;    /* CERTIFICATE_ID bytes; shown to listener */
    const char *listener;
};
/* Does not block: the identity, counted, that these credentials are known to be, and when that ends. NULL: they must be checked. */
struct identity *credentials_known(struct credentials *c, const struct shown_credentials *s, long long now, long long *until);

struct credentials_question {
    struct shown_credentials shown;
    uint32_t address;
    long long now;
    long patience;                       /* seconds that it waits for an answer to the same question; 0: 15 */
    bool further;                        /* what is asked for besides (VERDICT_CHALLENGED) can be shown; else it is a failure */
    /* Who is asked where it is not known: gate_job.c, but for tests. who and asked are set as password_check_further does. */
    enum verdict (*check)(const struct credentials_question *q, struct challenge *asked, struct identity **who, struct strbuf *why);
    void *context;
};
struct credentials_answer {
    enum verdict verdict;
    struct identity *who;                /* counted, the caller's; for VERDICT_OK */
    long long until;                     /* for VERDICT_OK: how long it may be believed without asking here again */
    struct challenge asked;              /* for VERDICT_CHALLENGED */
    long wait;                           /* seconds, if nobody was asked because of too many failures; the verdict is VERDICT_LOCKED */
};
/* Blocks: the answer, kept if it can be. Failures are counted, but for certificates: nobody guesses those. */
void credentials_ask(struct credentials *c, const struct credentials_question *q, struct credentials_answer *out, struct strbuf *why);
/* That account's password was changed: nothing that is known about it holds. */
void credentials_forget(struct credentials *c, const struct user_name *name);
#endif
