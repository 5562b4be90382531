/* redact_address: pseudonyms of IPv4 addresses that keep prefixes: two addresses that agree in their first n bits do so
 * afterwards, so networks nest as they did and ranges fall into the same blocks.
 *
 * Addresses are the leaves of a binary tree; at an inner node the two sides may change places. They do where everything that the
 * export speaks of below the node lies on one side and touches neither its middle nor its ends: then it comes to the lower
 * side. So the order of all ends of ranges stays, and which ranges touch, and the blocks that they are made of; only the empty space
 * around them changes, and with it the numbers. The first octet always stays, and private addresses stay private. */
#include "redact_parts.h"

#include <stdlib.h>
#include <string.h>

enum { SEEN_LOWER = 1, SEEN_UPPER };
struct addresses {
    struct arena *arena;
    struct numbers nodes; /* the side that was seen first, of nodes that no end lies in */
    VEC(uint64_t) ends;   /* of ranges: the first address, and the one behind the last */
    bool sorted;
};

/* ---- numbers --------------------------------------------------------------------------------- */
static size_t slot(const struct numbers *m, uint64_t key)
{
    uint64_t h = key + 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    size_t at = (size_t)(h ^ h >> 31) & (m->size - 1);
    while (m->keys[at] && m->keys[at] != key)
        at = (at + 1) & (m->size - 1);
    return at;
}

uint32_t *numbers_at(struct numbers *m, uint64_t key)
{
    if ((m->n + 1) * 2 > m->size) {
        struct numbers old = *m;
        m->size = old.size ? old.size * 2 : 1024;
        m->keys = arena_alloc(m->arena, m->size * sizeof *m->keys);
        m->values = arena_alloc(m->arena, m->size * sizeof *m->values);
        for (size_t i = 0; i < old.size; i++)
            if (old.keys[i]) {
                size_t at = slot(m, old.keys[i]);
                m->keys[at] = old.keys[i];
                m->values[at] = old.values[i];
            }
    }
    size_t at = slot(m, ++key); /* 0 marks a free slot */
    m->n += !m->keys[at];
    m->keys[at] = key;
    return &m->values[at];
}

/* ---- the tree -------------------------------------------------------------------------------------- */
struct block {
    uint32_t ip;
    unsigned bits;
    bool whole;
};
/* Addresses with a meaning of their own. whole: they stay as they are; else only their prefix does. */
static const struct block special[] = {
    { 0x00000000, 8, true },  { 0x0a000000, 8, false },  { 0x64400000, 10, false }, { 0x7f000000, 8, true },
    { 0xa9fe0000, 16, true }, { 0xac100000, 12, false }, { 0xc0a80000, 16, false }, { 0xe0000000, 3, true },
};

/* The node above bit number `depth` of an address, which is the parent of both its sides. */
static uint64_t node(uint32_t ip, unsigned depth)
{
    return (uint64_t)depth << 32 | (depth ? ip >> (32 - depth) : 0);
}

static bool stays(uint32_t ip, unsigned depth)
{
    if (depth < 8)
        return true;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        const struct block *b = &special[i];
        bool above = depth < b->bits && node(ip, depth) == node(b->ip, depth);
        bool inside = depth >= b->bits && node(ip, b->bits) == node(b->ip, b->bits);
        if (above || (inside && b->whole))
            return true;
    }
    return false;
}

struct addresses *addresses_new(struct arena *a)
{
    struct addresses *x = arena_alloc(a, sizeof *x);
    *x = (struct addresses){ .arena = a, .nodes.arena = a };
    return x;
}

void addresses_range(struct addresses *x, struct ip_range r)
{
    vec_add(x->arena, &x->ends, r.from);
    vec_add(x->arena, &x->ends, (uint64_t)r.to + 1);
}

static int by_value(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* The first end that is not below a value. */
static size_t first_from(const struct addresses *x, uint64_t value)
{
    size_t from = 0, to = x->ends.n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (x->ends.v[mid] < value)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

/* The bit that takes the place of bit number `depth`. */
static uint32_t side(struct addresses *x, uint32_t ip, unsigned depth)
{
    uint32_t bit = ip >> (31 - depth) & 1;
    uint64_t size = (uint64_t)1 << (32 - depth), low = ip & ~(size - 1), middle = low + size / 2, high = low + size;
    if (stays(ip, depth))
        return bit;
    size_t first = first_from(x, low), behind = first_from(x, high + 1);
    if (first < behind) {
        uint64_t least = x->ends.v[first], most = x->ends.v[behind - 1];
        bool lower = low < least && most < middle, upper = middle < least && most < high;
        return bit ^ (upper && !lower);
    }
    uint32_t *seen = numbers_at(&x->nodes, node(ip, depth));
    if (!*seen) /* the very last bit is set first: an address that ends in 0 looks odd */
        *seen = (bit ^ (depth == 31)) ? SEEN_UPPER : SEEN_LOWER;
    return bit ^ (*seen == SEEN_UPPER);
}

uint32_t address_pseudonym(struct addresses *x, uint32_t ip)
{
    uint32_t out = 0;
    if (!x->sorted && x->ends.n)
        qsort(x->ends.v, x->ends.n, sizeof *x->ends.v, by_value);
    x->sorted = true;
    for (unsigned depth = 0; depth < 32; depth++)
        out = out << 1 | side(x, ip, depth);
    return out;
}
