/* der: see der.h. */
#include "der.h"

bool der_any(struct der *in, unsigned *tag, struct der *whole)
{
    const unsigned char *p = in->p;
    size_t n = in->n, head = 2, length;
    if (!p || n < 2 || (p[0] & 0x1f) == 0x1f)
        return false;
    length = p[1];
    if (length & 0x80) {
        size_t bytes = length & 0x7f;
        if (!bytes || bytes > 4 || n < 2 + bytes)
            return false;
        length = 0;
        for (size_t i = 0; i < bytes; i++)
            length = length << 8 | p[2 + i];
        head = 2 + bytes;
    }
    if (length > n - head)
        return false;
    *tag = p[0];
    *whole = (struct der){ p, head + length };
    in->p += head + length;
    in->n -= head + length;
    return true;
}

bool der_take(struct der *in, unsigned tag, struct der *body)
{
    struct der rest = *in, whole;
    unsigned found;
    if (!der_any(&rest, &found, &whole) || found != tag)
        return false;
    size_t head = whole.p[1] & 0x80 ? 2u + (whole.p[1] & 0x7f) : 2u;
    *body = (struct der){ whole.p + head, whole.n - head };
    *in = rest;
    return true;
}

size_t der_head(unsigned char *end, unsigned tag, size_t n)
{
    unsigned char *at = end;
    size_t rest = n;
    do
        *--at = (unsigned char)rest;
    while (rest >>= 8);
    if (n >= 0x80) {
        size_t bytes = (size_t)(end - at);
        *--at = (unsigned char)(0x80 | bytes);
    }
    *--at = (unsigned char)tag;
    return (size_t)(end - at);
}

void der_put(struct strbuf *out, unsigned tag, const void *body, size_t n)
{
    unsigned char head[DER_HEAD];
    size_t head_n = der_head(head + sizeof head, tag, n);
    buf_add(out, (const char *)head + sizeof head - head_n, head_n);
    buf_add(out, body, n);
}

/* ---- from behind ----------------------------------------------------------------------------------------------- */
void der_before(struct der_behind *b, const void *bytes, size_t n)
{
    if (n > (size_t)(b->p - b->begin)) {
        b->full = true;
        return;
    }
    b->p -= n;
    memcpy(b->p, bytes, n);
    b->n += n;
}

void der_around(struct der_behind *b, unsigned tag, size_t since)
{
    unsigned char head[DER_HEAD];
    size_t n = der_head(head + sizeof head, tag, b->n - since);
    der_before(b, head + sizeof head - n, n);
}

void der_integer(struct der_behind *b, uint32_t v)
{
    unsigned char bytes[5];
    size_t n = 0;
    do {
        bytes[sizeof bytes - ++n] = (unsigned char)v;
        v >>= 8;
    } while (v || bytes[sizeof bytes - n] & 0x80); /* a first bit would be its sign */
    size_t since = b->n;
    der_before(b, bytes + sizeof bytes - n, n);
    der_around(b, DER_INTEGER, since);
}
