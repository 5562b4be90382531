/* redact_address: pseudonyms of IPv4 addresses that keep prefixes: two addresses that agree in their first n bits do so
 * afterwards, so networks nest as they did and ranges fall into the same blocks.
 *
 * Addresses are the leaves of a binary tree; at each inner node the two sides may change places. They do so, that the
 * side seen first is the lower one: so the pseudonyms tell nothing of the numbers. A node stays as it is where changing would
 * tear a range apart, or would make a private address public. The first octet always stays. */
#include "redact_parts.h"

#include <string.h>

enum { SEEN_LOWER = 1, SEEN_UPPER, PINNED };
struct addresses { struct numbers nodes; };

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
    size_t at = slot(m, ++key);              /* 0 marks a free slot */
    m->n += !m->keys[at];
    m->keys[at] = key;
    return &m->values[at];
}

/* ---- the tree -------------------------------------------------------------------------------------- */
struct block { uint32_t ip; unsigned bits; bool whole; };
/* Addresses with a meaning of their own. whole: they stay as they are; else only their prefix does. */
static const struct block special[] = {
    { 0x00000000, 8, true }, { 0x0a000000, 8, false }, { 0x64400000, 10, false }, { 0x7f000000, 8, true },
    { 0xa9fe0000, 16, true }, { 0xac100000, 12, false }, { 0xc0a80000, 16, false }, { 0xe0000000, 3, true },
};

/* The node above bit number `depth` of an address, which is the parent of both its sides. */
static uint64_t node(uint32_t ip, unsigned depth) { return (uint64_t)depth << 32 | (depth ? ip >> (32 - depth) : 0); }

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

static uint32_t low_bits(unsigned depth) { return depth ? (uint32_t)(((uint64_t)1 << (32 - depth)) - 1) : UINT32_MAX; }

static bool covers(struct ip_range r, uint32_t ip, unsigned depth)
{
    uint32_t low = ip & ~low_bits(depth), high = ip | low_bits(depth);
    return r.from <= low && high <= r.to;
}

struct addresses *addresses_new(struct arena *a)
{
    struct addresses *x = arena_alloc(a, sizeof *x);
    x->nodes.arena = a;
    return x;
}

/* Pins the nodes that the range cuts: those on the way to its ends, from where the ways part, or where only part of what is
 * below belongs to it. A range that is turned round stays what it is. */
void addresses_range(struct addresses *x, struct ip_range r)
{
    bool round = r.from > r.to;
    for (int end = 0; end < 2; end++) {
        uint32_t ip = end ? r.to : r.from;
        for (unsigned depth = 0; depth < 32; depth++) {
            bool parted = round || node(r.from, depth + 1) != node(r.to, depth + 1);
            if (parted && !covers(r, ip, depth))
                *numbers_at(&x->nodes, node(ip, depth)) = PINNED;
        }
    }
}

static uint32_t side(struct addresses *x, uint32_t ip, unsigned depth)
{
    uint32_t bit = ip >> (31 - depth) & 1;
    if (stays(ip, depth))
        return bit;
    uint32_t *seen = numbers_at(&x->nodes, node(ip, depth));
    if (*seen == PINNED)
        return bit;
    if (!*seen)                              /* the very last bit is set first: an address that ends in 0 looks odd */
        *seen = (bit ^ (depth == 31)) ? SEEN_UPPER : SEEN_LOWER;
    return bit ^ (*seen == SEEN_UPPER);
}

uint32_t address_pseudonym(struct addresses *x, uint32_t ip)
{
    uint32_t out = 0;
    for (unsigned depth = 0; depth < 32; depth++)
        out = out << 1 | side(x, ip, depth);
    return out;
}

uint32_t address_edge(struct addresses *x, struct ip_range r, bool upper)
{
    uint32_t out = 0, ip = upper ? r.to : r.from;
    for (unsigned depth = 0; depth < 32; depth++) {
        if (covers(r, ip, depth))
            return (uint32_t)((uint64_t)out << (32 - depth)) | (upper ? low_bits(depth) : 0);
        out = out << 1 | side(x, ip, depth);
    }
    return out;
}
