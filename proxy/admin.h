/* admin: serves the status page and the metrics on an address of its own, meant for loopback. One thread, one request
 * at a time, each with a time limit: it must never touch the loops that serve.
 *
 *   /          the page          /metrics   Prometheus          /health    "ok", 200
 */
#ifndef PROXY_ADMIN_H
#define PROXY_ADMIN_H
#include "status.h"

struct admin;
/* address: "127.0.0.1:9180". view fills a status from memory of the arena, on the thread. NULL with a line in err. */
struct admin *admin_new(const char *address, void (*view)(void *context, struct arena *a, struct status *out), void *context, struct strbuf *err);
void admin_free(struct admin *m);        /* NULL is allowed */
#endif
