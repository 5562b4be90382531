/* throttle: how often somebody may be wrong. Failed sign-ins are counted by account and by address, so that guessing is slow
 * and the domain's own lockout is never reached from outside: the source product forwarded every attempt, and anybody
 * could lock anybody out.
 *
 * By account it counts as Active Directory does: a wrong password within `window` of the last one adds one, a right one or
 * a quiet window begins anew. At `account_limit`, which must be below the domain's threshold, nobody is asked any more
 * until the window is over; attempts under way count as failed until they are known. By address a bucket fills with every
 * failure and empties evenly over the window: one account's right password does not empty it (spraying).
 *
 * Memory is bounded: a table of fixed size each. Counters belong to this process; with several instances the domain's
 * threshold must be above the sum of their limits. Any thread.
 */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H
#include "identity.h"

struct throttle_limits {
    long account_limit;                  /* wrong passwords until an account is left alone; 0: no limit */
    long address_limit;                  /* failures until an address is; 0: no limit */
    long window;                         /* seconds; not less than the domain's observation window */
};
struct throttle;
struct throttle *throttle_new(const struct throttle_limits *l, size_t accounts, size_t addresses);   /* how many it remembers */
void throttle_free(struct throttle *t);

/* May this attempt be checked? 0: yes, and throttle_result must follow. Else the seconds to wait. now: seconds. */
long throttle_ask(struct throttle *t, const struct user_name *name, uint32_t address, long long now);
enum throttle_result { THROTTLE_RIGHT, THROTTLE_WRONG, THROTTLE_UNKNOWN };   /* unknown: nobody could be asked */
void throttle_result(struct throttle *t, const struct user_name *name, uint32_t address, enum throttle_result result, long long now);
#endif
