/* health: asks servers whether they are up, as the source's connectivity verifiers did: every 30 seconds, by an HTTP
 * request, a TCP connection or a ping; an answer later than the farm's threshold counts as none (B-118). HTTP: any status
 * from 100 to 399, and 401, means up (B-119). What is asked, and the verdicts, are checks.h's.
 *
 * One thread of its own.
 */
#ifndef PROXY_HEALTH_H
#define PROXY_HEALTH_H
#include "checks.h"

struct health;
/* told: called on the checker's thread when a verdict is another than before; why: "status 503". NULL with errno. */
struct health *health_new(void (*told)(const struct check *c, bool up, const char *why));
/* From now on these are asked, however often one is named: those that are new at once. Those that are left out count as up.
 * Any thread. */
void health_set(struct health *h, struct check *const *checks, size_t n);
void health_free(struct health *h);      /* ends the thread */
#endif
