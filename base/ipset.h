/* ipset: sets of IPv4 addresses as sorted, disjoint, inclusive ranges.
 * The source product publishes on IPv4 only (B-82). Addresses are in host byte order. */
#ifndef TMGC_IPSET_H
#define TMGC_IPSET_H
#include "base.h"

struct ip_range { uint32_t from, to; };
typedef VEC(struct ip_range) ipset;

bool ip_parse(const char *s, uint32_t *ip);                   /* dotted quad, nothing else */
void buf_ip(struct strbuf *b, uint32_t ip);
/* "10.0.0.0/8", "10.0.0.1", "10.0.0.1-10.0.0.9", "10.0.0.0/255.0.0.0". false: not one of these. */
bool ip_range_parse(const char *s, struct ip_range *r);
void buf_ip_range(struct strbuf *b, struct ip_range r);      /* the shortest of ip, cidr, a-b */

void ipset_add(struct arena *a, ipset *s, uint32_t from, uint32_t to);
/* out = x + y, out = x - y; the results are normalised; out may not alias x or y. */
void ipset_union(struct arena *a, ipset *out, const ipset *x, const ipset *y);
void ipset_minus(struct arena *a, ipset *out, const ipset *x, const ipset *y);
void ipset_normalise(ipset *s);                               /* sorts and merges in place */
bool ipset_has(const ipset *s, uint32_t ip);                  /* s must be normalised */
bool ipset_is_all(const ipset *s);
/* The CIDR blocks that make up a range, in order (at most 62). Gives their number. */
struct cidr { uint32_t ip; unsigned bits; };
size_t ip_range_cidrs(struct ip_range r, struct cidr out[64]);
#endif
