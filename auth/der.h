/* der: as much DER as SPNEGO's and Kerberos' tokens need. Reading never leaves the bytes that it was given. */
#ifndef AUTH_DER_H
#define AUTH_DER_H
#include "../base/base.h"

struct der { const unsigned char *p; size_t n; };        /* what is left to read; p is NULL where there is nothing */
enum {
    DER_INTEGER = 0x02, DER_BITS = 0x03, DER_OCTETS = 0x04, DER_OID = 0x06, DER_ENUM = 0x0a, DER_GENERALIZED_TIME = 0x18,
    DER_GENERAL_STRING = 0x1b, DER_SEQUENCE = 0x30, DER_APPLICATION = 0x60, DER_CONTEXT = 0xa0
};

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
/* Writes the head of an element with n bytes in it so that it ends at end; gives its size, at most DER_HEAD. n: below 2^32. */
enum { DER_HEAD = 6 };
size_t der_head(unsigned char *end, unsigned tag, size_t n);

/* Writing from the end to the beginning: an element's length is known when its head is due, and nothing is moved. Begin with
 * { begin, end, n, false }: memory from begin to end, n bytes that will stand behind end. */
struct der_behind {
    unsigned char *begin, *p;        /* what is written stands from p on */
    size_t n;                        /* so many bytes, with those behind the end */
    bool full;                       /* it did not fit */
};
void der_before(struct der_behind *b, const void *bytes, size_t n);
/* Puts what came since n was that into an element. */
void der_around(struct der_behind *b, unsigned tag, size_t since);
void der_integer(struct der_behind *b, uint32_t v);
#endif
