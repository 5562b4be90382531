/* h2_memory: the memory that nghttp2 works in. What it frees may be a header field with credentials, or the table that a
 * client had it put into: everything is wiped first.
 */
#include "h2_parts.h"
#include <malloc.h>
#include <stdlib.h>

static void wipe_and_free(void *p, void *user)
{
    (void)user;
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}

static void *get(size_t n, void *user)
{
    (void)user;
    return malloc(n);
}

static void *get_zeroed(size_t n, size_t size, void *user)
{
    (void)user;
    return calloc(n, size);
}

static void *get_more(void *p, size_t n, void *user)
{
    size_t had = p ? malloc_usable_size(p) : 0;
    if (p && n <= had)
        return p;
    void *more = malloc(n);
    if (more && had)
        memcpy(more, p, had);
    if (more)
        wipe_and_free(p, user);
    return more;
}

nghttp2_mem *h2_memory(void)
{
    static nghttp2_mem memory = { NULL, get, wipe_and_free, get_zeroed, get_more };
    return &memory;
}
