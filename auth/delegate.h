/* delegate: signing in to a published server as the user (B-104 to B-115).
 *
 * One initiator a handshake with a backend. It is touched by one thread at a time. What it sends is for that backend
 * connection alone; whether the connection then speaks for the user is the backend's affair: Kerberos is per request
 * or connection, NTLM per connection. Credentials and tickets are kept in struct auth per user and service until they
 * run out, bounded, and shared by all threads.
 *
 * No default credential is ever used: where the user's own cannot be had the answer is DELEGATE_REFUSED or _UNAVAILABLE, never
 * somebody else's ticket.
 */
#ifndef AUTH_DELEGATE_H
#define AUTH_DELEGATE_H
#include "auth.h"
#include "../ir/policy.h"

/* Does not block. "Basic …", the value of Authorization (B-104; strip: B-97). false: the identity has no password, or a
 * name with a colon that Basic cannot say. */
bool delegate_basic(const struct identity *who, bool strip_domain, struct strbuf *value);

struct initiator;
/* how: DELEGATE_NTLM, DELEGATE_NEGOTIATE, DELEGATE_KERBEROS. spn: "http/web01.lab.test" of the member that is spoken to
 * (B-110). Does not block. Holds who. NULL: that pair cannot work (6.1); the reason in why. */
struct initiator *initiator_new(struct auth *a, enum delegation how, struct identity *who, const char *spn, struct strbuf *why);
void initiator_free(struct initiator *i);

enum delegated {
    DELEGATE_SEND,           /* put the value into Authorization */
    DELEGATE_DONE,           /* nothing to send: the backend's last word was good */
    DELEGATE_REFUSED,        /* KDC or backend say no, for this user and service: 403 or the listener's own prompt */
    DELEGATE_UNAVAILABLE     /* no KDC: 502; tried again later (B-115) */
};
/* Blocks unless the ticket is kept. challenge: the value of the backend's WWW-Authenticate that goes with this scheme
 * ("NTLM TlRM…", "Negotiate oYG…"); NULL to begin. value: "Negotiate YII…", appended. why: one line for the log. */
enum delegated initiator_step(struct initiator *i, const char *challenge, struct strbuf *value, struct strbuf *why);
/* The next initiator_step will not block: it is NTLM's, or the first and the ticket is kept already. */
bool initiator_ready(struct initiator *i);
/* A ticket for the service is kept and good: the KDC let the user go there within the last hour. */
bool initiator_has_ticket(struct initiator *i);

/* Blocks: tries to delegate for a user without his password and says in lines what works and what each refusal means
 * (publishd --check-delegation USER RULE). account: "alice", "LAB\alice", "alice@LAB.TEST". true: it works. */
bool delegation_explain(struct auth *a, const char *account, const char *spn, struct strbuf *out);
#endif
