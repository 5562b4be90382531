/* scan: bytes of a head by class, sixteen at a time. */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char scan_bytes __attribute__((vector_size(16)));

/* What may stand in a value: a tab, the space, everything above it but DEL (RFC 9110 section 5.5; bytes above 0x7f are
 * taken as they are). */
static inline bool scan_is_text(unsigned char c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

/* How many bytes at p are text; at most n. */
static inline size_t scan_text(const char *p, size_t n)
{
    size_t i = 0;
    for (; n - i >= sizeof(scan_bytes); i += sizeof(scan_bytes)) {
        scan_bytes v;
        uint64_t half[2];
        memcpy(&v, p + i, sizeof v);
        v = (scan_bytes)(((v < 0x20) & (v != '\t')) | (v == 0x7f)); /* all ones where it is none */
        memcpy(half, &v, sizeof half);
        if (half[0])
            return i + (size_t)__builtin_ctzll(le64toh(half[0])) / 8;
        if (half[1])
            return i + 8 + (size_t)__builtin_ctzll(le64toh(half[1])) / 8;
    }
    while (i < n && scan_is_text((unsigned char)p[i]))
        i++;
    return i;
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

/* How many bytes at p are of a token; p ends with one that is not. */
static inline size_t scan_token(const char *p)
{
    size_t i = 0;
    while (scan_token_bytes[(unsigned char)p[i]])
        i++;
    return i;
}
#endif
