/* users: is this user in that set? (B-24, B-25, B-96)
 *
 * Sets name users and groups by SID or name. SIDs are compared where the identity has them; names of groups are looked
 * up once in the directory (LDAP or winbind) and kept as SIDs.
 */
#ifndef AUTH_USERS_H
#define AUTH_USERS_H
#include "auth.h"
#include "../ir/policy.h"

struct users_member { const char *name, *sid; bool group; };     /* "LAB\webusers"; either may be NULL */
struct users_set { const char *name; VEC(struct users_member) members; };
struct users;
/* Borrows nothing. */
struct users *users_new(const struct users_set *sets, size_t n);
void users_free(struct users *u);

/* In the order of what decides among several sets: one that holds the user does, then one that must be asked about. */
enum membership {
    USER_OUTSIDE,
    USER_NOT_KNOWN,          /* the directory that would have to say so cannot be asked: 503, and not 403 (B-115) */
    USER_ASK,
    USER_INSIDE
};
/* Does not block. USER_ASK: users_ask must answer, in a worker; afterwards this one knows for a while. set: its index. */
enum membership users_holds(struct users *u, size_t set, const struct identity *who);
/* Blocks: asks the directory for what is missing. Never USER_ASK. why: one line where nobody could be asked. */
enum membership users_ask(struct users *u, struct auth *a, size_t set, const struct identity *who, struct strbuf *why);
#endif
