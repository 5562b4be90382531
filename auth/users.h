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

enum membership { USER_OUTSIDE, USER_INSIDE, USER_ASK };
/* Does not block. USER_ASK: users_ask must answer, in a worker; afterwards this one knows for a while. set: its index. */
enum membership users_holds(struct users *u, size_t set, const struct identity *who);
/* Blocks: asks the directory for what is missing. Nobody to ask: USER_OUTSIDE, why says so. */
enum membership users_ask(struct users *u, struct auth *a, size_t set, const struct identity *who, struct strbuf *why);
#endif
