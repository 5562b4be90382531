/* The user's own requests as probes: those of a file (--requests) go to the listener that each URL means, those of
 * `explain --live` where the caller says. */
#include <string.h>

#include "internal.h"
#include "request_list.h"

#define ANY_CLIENT 0xcb007101u /* 203.0.113.1 */

/* Only what can stand in a request line as it is. */
static bool sendable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 127)
            return false;
    return true;
}

static bool all_sendable(const struct asked *q)
{
    return *q->method && *q->target && sendable(q->target) && sendable(q->method) &&
           (q->host == NULL || sendable(q->host));
}

/* Without a Host field only HTTP/1.0 allows a request. */
static struct probe own_probe(const struct asked *q, uint32_t listener, uint32_t socket, const char *aim)
{
    return (struct probe){ .aim = aim,
                           .aimed = -1,
                           .listener = listener,
                           .socket = socket,
                           .method = q->method,
                           .host = q->host,
                           .http10 = q->host == NULL,
                           .target = q->target,
                           .client = q->from ? q->client : ANY_CLIENT,
                           .status = 200 };
}

void probes_take(const struct verify_request *list, size_t n, struct arena *a, probes *out)
{
    for (size_t i = 0; i < n; i++) {
        struct probe b = own_probe(list[i].asked, list[i].listener, list[i].socket, "the request");
        if (!all_sendable(list[i].asked))
            b.method = NULL;
        vec_add(a, out, b);
    }
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
        if (listener < 0 || !all_sendable(q)) {
            buf_printf(err, "%s:%u: no listener of the policy takes this request\n", file, q->line);
            return -1;
        }
        const char *aim = arena_printf(a, "line %u of %s", q->line, path_basename(file));
        vec_add(a, out, own_probe(q, (uint32_t)listener, asked_socket(p, q, (size_t)listener, NULL), aim));
    }
    return 0;
}
