/* der: as much DER as SPNEGO tokens need. Reading never leaves the bytes that it was given. */
#ifndef AUTH_DER_H
#define AUTH_DER_H
#include "../base/base.h"

struct der { const unsigned char *p; size_t n; };        /* what is left to read; p is NULL where there is nothing */
enum { DER_OCTETS = 0x04, DER_OID = 0x06, DER_ENUM = 0x0a, DER_SEQUENCE = 0x30, DER_APPLICATION = 0x60, DER_CONTEXT = 0xa0 };

/* Takes the next element if it has that tag: *body is inside it, in moves behind it. false: it has not, nothing moved. */
bool der_take(struct der *in, unsigned tag, struct der *body);
/* Takes any element. whole: with its tag and length. */
bool der_any(struct der *in, unsigned *tag, struct der *whole);
static inline bool der_is(struct der a, const void *bytes, size_t n)
{
    return a.n == n && a.p && memcmp(a.p, bytes, n) == 0;
}
/* Appends an element. */
void der_put(struct strbuf *out, unsigned tag, const void *body, size_t n);
#endif
