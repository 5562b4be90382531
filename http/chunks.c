/* chunks: a chunked body, read strictly (RFC 9112 section 7.1). What is not the body - sizes, extensions, trailers -
 * is checked byte by byte and dropped, so that nobody behind us reads it otherwise. */
#include "http1.h"
#include "scan.h"

enum {
    LINE_BYTES = 4096,         /* a size with its extensions */
    TRAILER_BYTES = HEAD_BYTES /* all trailers */
};
enum state {
    SIZE_FIRST,
    SIZE,
    SIZE_SPACE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    LINE_FIRST,
    NAME,
    VALUE,
    VALUE_LF,
    LAST_LF,
    OVER,
    BAD
};

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum state size_digit(struct chunks *c, unsigned char byte)
{
    if (c->left > INT64_MAX >> 4)
        return BAD;
    c->left = c->left << 4 | (uint64_t)hex_value(byte);
    return SIZE;
}

/* Behind the digits: an extension begins with ';', with white space before it at most. */
static enum state after_size(unsigned char byte)
{
    switch (byte) {
    case '\r': return SIZE_LF;
    case ';': return EXTENSION;
    case ' ':
    case '\t': return SIZE_SPACE;
    default: return BAD;
    }
}

/* The state after a byte that is not data. */
static enum state step(struct chunks *c, unsigned char byte)
{
    switch ((enum state)c->state) {
    case SIZE_FIRST: return hex_value(byte) >= 0 ? size_digit(c, byte) : BAD;
    case SIZE: return hex_value(byte) >= 0 ? size_digit(c, byte) : after_size(byte);
    case SIZE_SPACE: return byte == '\r' ? BAD : after_size(byte);
    case EXTENSION: return byte == '\r' ? SIZE_LF : scan_is_text(byte) ? EXTENSION : BAD;
    case SIZE_LF:
        if (byte != '\n')
            return BAD;
        c->line = 0;
        return c->left ? DATA : LINE_FIRST;
    case DATA_CR: return byte == '\r' ? DATA_LF : BAD;
    case DATA_LF: c->line = 0; return byte == '\n' ? SIZE_FIRST : BAD;
    case LINE_FIRST: return byte == '\r' ? LAST_LF : scan_token_bytes[byte] ? NAME : BAD;
    case NAME: return byte == ':' ? VALUE : scan_token_bytes[byte] ? NAME : BAD;
    case VALUE: return byte == '\r' ? VALUE_LF : scan_is_text(byte) ? VALUE : BAD;
    case VALUE_LF: return byte == '\n' ? LINE_FIRST : BAD;
    case LAST_LF: return byte == '\n' ? OVER : BAD;
    case DATA:
    case OVER:
    case BAD: break;
    }
    return BAD;
}

static bool too_long(const struct chunks *c)
{
    return c->line > (c->state >= LINE_FIRST ? (uint32_t)TRAILER_BYTES : (uint32_t)LINE_BYTES);
}

enum chunk_event chunks_read(struct chunks *c, const char *p, size_t n, size_t *used, const char **data, size_t *data_n)
{
    size_t i = 0;
    for (; i < n && c->state != OVER && c->state != BAD && c->state != DATA; i++) {
        c->state = step(c, (unsigned char)p[i]);
        c->line++;
        if (too_long(c))
            c->state = BAD;
    }
    enum chunk_event event = c->state == OVER ? CHUNK_END : c->state == BAD ? CHUNK_BAD : CHUNK_MORE;
    if (c->state == DATA && i < n) {
        size_t piece = n - i < c->left ? n - i : (size_t)c->left;
        *data = p + i;
        *data_n = piece;
        i += piece;
        c->left -= piece;
        if (!c->left)
            c->state = DATA_CR;
        event = CHUNK_DATA;
    }
    *used = i;
    return event;
}
