/* matcher: many literal texts at once; see the header. */
#include "matcher.h"

#include <string.h>

enum { SHIFTS = 4096, WINDOW_MAX = 64, NO_LINK = -1 };

/* A node stands for the bytes on the way to it. Children are a list, in order of byte. */
struct node {
    uint32_t child, next; /* 0: none */
    int32_t link;         /* the text that ends here */
    char byte;            /* in lower case */
};
struct matcher {
    const struct link_table *table;
    VEC(struct node) nodes; /* the first is the root */
    uint32_t start[256];    /* the root's children, by byte of either case */
    size_t window;          /* bytes of the shortest text, at most WINDOW_MAX */
    uint8_t shift[SHIFTS];
};

/* Bytes that differ in case only give one number; so may others: a shift is then smaller than it could be. */
static inline unsigned pair_number(const char *p)
{
    unsigned a = (unsigned char)p[0] & 0xdfu, b = (unsigned char)p[1] & 0xdfu;
    return (a ^ b << 4) & (SHIFTS - 1);
}

/* ---- building ------------------------------------------------------------------------------ */
static uint32_t new_node(struct arena *a, struct matcher *m, char byte)
{
    vec_add(a, &m->nodes, ((struct node){ .byte = byte, .link = NO_LINK }));
    return (uint32_t)(m->nodes.n - 1);
}

static uint32_t last_child(const struct matcher *m, uint32_t at)
{
    uint32_t c = m->nodes.v[at].child;
    while (c && m->nodes.v[c].next)
        c = m->nodes.v[c].next;
    return c;
}

/* Texts come in order, so that a byte that is there already is the last of its list. */
static uint32_t child_for(struct arena *a, struct matcher *m, uint32_t at, char byte)
{
    uint32_t last = last_child(m, at);
    if (last && m->nodes.v[last].byte == byte)
        return last;
    uint32_t made = new_node(a, m, byte);
    if (last)
        m->nodes.v[last].next = made;
    else
        m->nodes.v[at].child = made;
    return made;
}

static void add_text(struct arena *a, struct matcher *m, const struct link *l, int32_t number)
{
    uint32_t at = 0;
    for (size_t i = 0; i < l->from_n; i++)
        at = child_for(a, m, at, ascii_lower(l->from[i]));
    m->nodes.v[at].link = number;
    for (size_t i = 0; i + 1 < m->window; i++) {
        uint8_t *s = &m->shift[pair_number(l->from + i)];
        uint8_t distance = (uint8_t)(m->window - 2 - i);
        *s = distance < *s ? distance : *s;
    }
}

struct matcher *matcher_make(struct arena *a, const struct link_table *t)
{
    if (!t->links.n)
        return NULL;
    struct matcher *m = arena_alloc(a, sizeof *m);
    m->table = t;
    m->window = WINDOW_MAX;
    for (size_t i = 0; i < t->links.n; i++)
        if (t->links.v[i].from_n < m->window)
            m->window = t->links.v[i].from_n;
    memset(m->shift, (int)(m->window - 1), sizeof m->shift);
    new_node(a, m, 0);
    for (size_t i = 0; i < t->links.n; i++)
        add_text(a, m, &t->links.v[i], (int32_t)i);
    for (uint32_t c = m->nodes.v[0].child; c; c = m->nodes.v[c].next)
        for (int b = 0; b < 256; b++)
            if (ascii_lower((char)b) == m->nodes.v[c].byte)
                m->start[b] = c;
    return m;
}

/* ---- looking ----------------------------------------------------------------------------------- */
static int counts(const struct link *l, struct match_rules r, const char *behind, size_t n, bool end)
{
    if (l->escaped && !r.escape)
        return 0;
    return !r.whole || l->stem ? 1 : link_ends(behind, n, end);
}

static uint32_t step(const struct matcher *m, uint32_t at, char byte)
{
    char low = ascii_lower(byte);
    uint32_t c = m->nodes.v[at].child;
    while (c && m->nodes.v[c].byte != low)
        c = m->nodes.v[c].next;
    return c;
}

/* The longest text at p[0..n) that counts. */
static enum match_state look(const struct matcher *m, struct match_rules r, const char *p, size_t n, bool end,
                             const struct link **out)
{
    uint32_t at = n ? m->start[(unsigned char)*p] : 0;
    enum match_state state = MATCH_NONE;
    for (size_t i = 1; at; i++) {
        int32_t number = m->nodes.v[at].link;
        if (number != NO_LINK) {
            const struct link *l = &m->table->links.v[number];
            int c = counts(l, r, p + i, n - i, end);
            if (c < 0)
                return MATCH_UNSURE;
            if (c) {
                state = MATCH_FOUND;
                *out = l;
            }
        }
        if (i == n)
            return m->nodes.v[at].child && !end ? MATCH_UNSURE : state;
        at = step(m, at, p[i]);
    }
    return state;
}

struct match matcher_find(const struct matcher *m, struct match_rules r, const char *p, size_t n, size_t from, bool end)
{
    struct match out = { .at = from };
    size_t last = from + m->window - 1;
    while (last < n) {
        size_t shift = m->shift[pair_number(p + last - 1)];
        if (shift) {
            last += shift;
            continue;
        }
        out.at = last - (m->window - 1);
        out.state = look(m, r, p + out.at, n - out.at, end, &out.link);
        if (out.state != MATCH_NONE)
            return out;
        last++;
    }
    out.at = last - (m->window - 1);
    if (end || out.at > n)
        out.at = n;
    return out;
}
