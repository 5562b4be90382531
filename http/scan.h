/* scan: bytes of a head by class, sixteen at a time.
 *
 * Sixteen bytes are compared at once (GCC's and clang's vectors: any processor), and a mask says which of them are
 * meant. The functions read up to SCAN_SLACK bytes behind what they are asked about: the caller owns those. */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SCAN_SLACK = 16 };
typedef unsigned char scan_bytes __attribute__((vector_size(16)));

static inline scan_bytes scan_load(const char *p)
{
    scan_bytes v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Bit i is set where byte i is all ones: what a comparison makes of a byte for which it holds. */
static inline unsigned scan_mask(scan_bytes v)
{
#ifdef __SSE2__
    return (unsigned)_mm_movemask_epi8((__m128i)v);
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (v[i] & 1u) << i;
    return mask;
#endif
}

/* What may stand in a value: a tab, the space, everything above it but DEL (RFC 9110 section 5.5; bytes above 0x7f are
 * taken as they are). */
static inline bool scan_is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* The first byte at or behind p that is no text. There is one: every text ends with a NUL. */
static inline char *scan_text(char *p)
{
    for (;; p += 16) {
        scan_bytes v = scan_load(p);
        unsigned mask = scan_mask((scan_bytes)(((v < 0x20) & (v != '\t')) | (v == 0x7f)));
        if (mask)
            return p + __builtin_ctz(mask);
    }
}

/* The first byte that is a space, a control character or DEL. */
static inline char *scan_visible(char *p)
{
    for (;; p += 16) {
        scan_bytes v = scan_load(p);
        unsigned mask = scan_mask((scan_bytes)((v <= ' ') | (v == 0x7f)));
        if (mask)
            return p + __builtin_ctz(mask);
    }
}

/* A letter, digit or one of !#$%&'*+-.^_`|~: what names and methods are made of (RFC 9110 section 5.6.2). */
static const unsigned char scan_token_bytes[256] = {
    ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
    ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1, ['0'] = 1,  ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1,
    ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1, ['A'] = 1,  ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,
    ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1,  ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1,
    ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,  ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1,
    ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1,  ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,
    ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1,  ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
    ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1,  ['z'] = 1,
};

/* The first byte that is not of a token. Most tokens are letters and hyphens, and short. */
static inline char *scan_token(char *p)
{
    scan_bytes v = scan_load(p), letter = (v | 0x20) - 'a';
    unsigned mask = ~scan_mask((scan_bytes)((letter < 26) | (v == '-'))) & 0xffff;
    p += mask ? __builtin_ctz(mask) : 16;
    while (scan_token_bytes[(unsigned char)*p])
        p++;
    return p;
}
#endif
