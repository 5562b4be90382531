/* ipset: see ipset.h. */
#include "ipset.h"

#include <stdlib.h>
#include <string.h>

/* Reads a decimal number of at most max; gives the end, or NULL. No sign, no leading zeros. */
static const char *number(const char *s, unsigned long max, unsigned long *out)
{
    if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9'))
        return NULL;
    unsigned long v = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        v = v * 10 + (unsigned long)(*s - '0');
        if (v > max)
            return NULL;
    }
    *out = v;
    return s;
}

static const char *quad(const char *s, uint32_t *ip)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned long part;
        if (i && *s++ != '.')
            return NULL;
        s = number(s, 255, &part);
        if (!s)
            return NULL;
        v = v << 8 | (uint32_t)part;
    }
    *ip = v;
    return s;
}

bool ip_parse(const char *s, uint32_t *ip)
{
    s = quad(s, ip);
    return s && *s == '\0';
}

void buf_ip(struct strbuf *b, uint32_t ip)
{
    buf_printf(b, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static uint32_t mask_of(unsigned long bits)
{
    return bits ? UINT32_MAX << (32 - bits) : 0;
}

bool ip_range_parse(const char *s, struct ip_range *r)
{
    uint32_t ip, to;
    unsigned long bits;
    s = quad(s, &ip);
    if (!s)
        return false;
    if (*s == '\0') {
        *r = (struct ip_range){ ip, ip };
        return true;
    }
    if (*s == '-') {
        *r = (struct ip_range){ ip, 0 };
        return ip_parse(s + 1, &r->to) && r->to >= ip;
    }
    if (*s != '/')
        return false;
    uint32_t mask;
    if (ip_parse(s + 1, &to)) {
        mask = to;
        if (~mask & (~mask + 1)) /* ones, then zeros */
            return false;
    } else {
        s = number(s + 1, 32, &bits);
        if (!s || *s)
            return false;
        mask = mask_of(bits);
    }
    *r = (struct ip_range){ ip & mask, ip | ~mask };
    return true;
}

void buf_ip_range(struct strbuf *b, struct ip_range r)
{
    struct cidr c[64];
    buf_ip(b, r.from);
    if (r.from == r.to)
        return;
    if (ip_range_cidrs(r, c) == 1) {
        buf_printf(b, "/%u", c[0].bits);
        return;
    }
    buf_putc(b, '-');
    buf_ip(b, r.to);
}

void ipset_add(struct arena *a, ipset *s, uint32_t from, uint32_t to)
{
    struct ip_range *r = vec_push(a, s);
    *r = (struct ip_range){ from, to };
}

static int by_start(const void *x, const void *y)
{
    const struct ip_range *a = x, *b = y;
    return a->from != b->from ? (a->from < b->from ? -1 : 1) : (a->to > b->to) - (a->to < b->to);
}

void ipset_normalise(ipset *s)
{
    if (s->n == 0)
        return;
    qsort(s->v, s->n, sizeof *s->v, by_start);
    size_t last = 0;
    for (size_t i = 1; i < s->n; i++) {
        struct ip_range *l = &s->v[last];
        if (l->to == UINT32_MAX || s->v[i].from <= l->to + 1) {
            if (s->v[i].to > l->to)
                l->to = s->v[i].to;
        } else {
            s->v[++last] = s->v[i];
        }
    }
    s->n = last + 1;
}

void ipset_union(struct arena *a, ipset *out, const ipset *x, const ipset *y)
{
    *out = (ipset){ 0 };
    for (size_t i = 0; i < x->n; i++)
        ipset_add(a, out, x->v[i].from, x->v[i].to);
    for (size_t i = 0; i < y->n; i++)
        ipset_add(a, out, y->v[i].from, y->v[i].to);
    ipset_normalise(out);
}

void ipset_minus(struct arena *a, ipset *out, const ipset *x, const ipset *y)
{
    ipset left, cut;
    const ipset none = { 0 };
    ipset_union(a, &left, x, &none);
    ipset_union(a, &cut, y, &none);
    *out = (ipset){ 0 };
    size_t j = 0;
    for (size_t i = 0; i < left.n; i++) {
        uint32_t from = left.v[i].from, to = left.v[i].to;
        bool gone = false;
        while (j < cut.n && cut.v[j].to < from)
            j++;
        for (size_t k = j; k < cut.n && cut.v[k].from <= to && !gone; k++) {
            if (cut.v[k].from > from)
                ipset_add(a, out, from, cut.v[k].from - 1);
            gone = cut.v[k].to >= to;
            if (!gone)
                from = cut.v[k].to + 1;
        }
        if (!gone)
            ipset_add(a, out, from, to);
    }
}

bool ipset_has(const ipset *s, uint32_t ip)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->v[mid].to < ip)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->n && s->v[lo].from <= ip;
}

bool ipset_is_all(const ipset *s)
{
    return s->n == 1 && s->v[0].from == 0 && s->v[0].to == UINT32_MAX;
}

size_t ip_range_cidrs(struct ip_range r, struct cidr out[64])
{
    size_t n = 0;
    for (uint64_t from = r.from, end = (uint64_t)r.to + 1; from < end; n++) {
        unsigned bits = 32;
        while (bits > 0) {
            uint64_t size = (uint64_t)1 << (32 - (bits - 1));
            if (from % size != 0 || from + size > end)
                break;
            bits--;
        }
        out[n] = (struct cidr){ (uint32_t)from, bits };
        from += (uint64_t)1 << (32 - bits);
    }
    return n;
}
