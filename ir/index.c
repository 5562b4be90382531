/* index: finds objects by name; a sorted array, see index.h. */
#include <stdlib.h>
#include <string.h>
#include "index.h"

/* Equal names keep the order of the list, so that the first one is found. */
static int by_name(const void *x, const void *y)
{
    const struct index_entry *a = x, *b = y;
    int c = ascii_casecmp(a->name, b->name);
    if (c != 0)
        return c;
    return (a->at > b->at) - (a->at < b->at);
}

void index_build(struct arena *a, struct name_index *x, const void *items, size_t n, size_t size, size_t offset)
{
    x->n = 0;
    x->v = arena_alloc(a, (n ? n : 1) * sizeof *x->v);
    for (size_t i = 0; i < n; i++) {
        const char *name;
        memcpy(&name, (const char *)items + i * size + offset, sizeof name);
        if (name)
            x->v[x->n++] = (struct index_entry){ name, i };
    }
    qsort(x->v, x->n, sizeof *x->v, by_name);
}

size_t index_find(const struct name_index *x, const char *name)
{
    if (!name)
        return SIZE_MAX;
    size_t low = 0, high = x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ascii_casecmp(x->v[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < x->n && ascii_casecmp(x->v[low].name, name) == 0 ? x->v[low].at : SIZE_MAX;
}
