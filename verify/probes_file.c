/* The user's own requests (--requests) as probes: each goes to the listener that its URL means. */
#include <string.h>

#include "internal.h"
#include "request_list.h"

#define ANY_CLIENT 0xcb007101u       /* 203.0.113.1 */

/* Only what can stand in a request line as it is. */
static bool sendable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return false;
    return true;
}

static bool socket_of(const struct plan_listener *l, const struct asked *q, uint32_t *out)
{
    for (uint32_t i = 0; i < l->sockets.n; i++)
        if (l->sockets.v[i].tls == q->tls && (q->port == 0 || q->port == l->sockets.v[i].port)) {
            *out = i;
            return true;
        }
    return false;
}

int probes_read(const struct plan *p, const char *file, struct arena *a, probes *out, struct strbuf *err)
{
    asked_list list = { 0 };
    if (asked_read(a, file, NULL, true, &list, err) != 0)
        return -1;
    for (size_t i = 0; i < list.n; i++) {
        const struct asked *q = &list.v[i];
        size_t others;
        int listener = asked_listener(p, q, NULL, &others);
        struct probe b = { .aim = arena_printf(a, "line %u of %s", q->line, path_basename(file)), .aimed = -1, .method = q->method, .host = q->host,
                           .target = q->target, .client = q->from ? q->client : ANY_CLIENT, .status = 200 };
        if (listener < 0 || !socket_of(&p->listeners.v[listener], q, &b.socket) || !sendable(q->target) || !sendable(q->method) ||
            (q->host && !sendable(q->host))) {
            buf_printf(err, "%s:%u: no listener of the policy takes this request\n", file, q->line);
            return -1;
        }
        b.listener = (uint32_t)listener;
        vec_add(a, out, b);
    }
    return 0;
}
