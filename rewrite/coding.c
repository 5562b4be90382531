/* coding: gzip and deflate as streams; see the header. */
#include "coding.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* ---- names ------------------------------------------------------------------------------- */
static bool word_is(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && !ascii_ncasecmp(s, word, n);
}

enum coding coding_of(const char *value)
{
    enum coding found = CODING_IDENTITY;
    for (; value && *value; value += *value == ',') {
        value += strspn(value, " \t");
        size_t n = strcspn(value, " \t,");
        bool gzip = word_is(value, n, "gzip") || word_is(value, n, "x-gzip");
        if (n && !word_is(value, n, "identity")) {
            if (found != CODING_IDENTITY)
                return CODING_UNKNOWN;
            found = gzip ? CODING_GZIP : word_is(value, n, "deflate") ? CODING_DEFLATE : CODING_UNKNOWN;
        }
        value += n;
        value += strcspn(value, ",");
    }
    return found;
}

/* ";q=0.5" and the like: whether it is more than nothing. */
static bool weighs(const char *s, size_t n)
{
    const char *end = s + n, *q = memchr(s, ';', n);
    while (q) {
        q++;
        q += strspn(q, " \t");
        if (q < end && ascii_lower(*q) == 'q') {
            const char *digit = q + strcspn(q, "=");
            for (; digit < end; digit++)
                if (*digit >= '1' && *digit <= '9')
                    return true;
            return false;
        }
        q = memchr(q, ';', (size_t)(end - q));
    }
    return true;
}

bool coding_accepts_gzip(const char *value)
{
    bool any = false;
    for (; value && *value; value += *value == ',') {
        value += strspn(value, " \t");
        size_t all = strcspn(value, ","), n = strcspn(value, " \t,;");
        if (word_is(value, n, "gzip") || word_is(value, n, "x-gzip"))
            return weighs(value, all);
        any |= word_is(value, n, "*") && weighs(value, all);
        value += all;
    }
    return any;
}

/* ---- decoding ------------------------------------------------------------------------------ */
enum { WINDOW = 15, GZIP_ALONE = 16 };

struct decoder {
    z_stream z;
    enum coding coding;
    bool begun, over, maybe_raw; /* over: a whole member was read; maybe_raw: deflate without zlib's frame */
    bool padded;                 /* behind a member came something else; nothing is looked at any more */
    uint64_t in, out;
};

struct decoder *decoder_new(enum coding c)
{
    struct decoder *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->coding = c;
    d->maybe_raw = c == CODING_DEFLATE;
    if (inflateInit2(&d->z, c == CODING_GZIP ? WINDOW + GZIP_ALONE : WINDOW) != Z_OK) {
        free(d);
        return NULL;
    }
    return d;
}

void decoder_free(struct decoder *d)
{
    if (d)
        inflateEnd(&d->z);
    free(d);
}

bool decoder_complete(const struct decoder *d)
{
    return !d->begun || d->over;
}

/* "deflate" is zlib's format, but some servers send the bare one (RFC 9110, 8.4.1.2): the first two bytes tell, for
 * zlib's are a multiple of 31 and name method 8. Their first is enough: bare blocks that begin so are not written. */
static void settle_frame(struct decoder *d, unsigned char first)
{
    if (d->maybe_raw && (first & 0x0f) != Z_DEFLATED)
        inflateReset2(&d->z, -WINDOW);
    d->maybe_raw = false;
}

static bool absurd(const struct decoder *d)
{
    return d->out > DECODER_FREE && d->out / DECODER_RATIO > d->in;
}

enum coding_result decoder_push(struct decoder *d, const char *p, size_t n, size_t *used, char *out, size_t room,
                                size_t *made)
{
    *used = *made = 0;
    if (d->over && n && !d->padded && d->coding == CODING_GZIP && (unsigned char)*p == 0x1f) { /* another member */
        inflateReset(&d->z);
        d->over = false;
    }
    if (d->over) {
        d->padded |= n > 0;
        *used = n;
        return CODING_END;
    }
    if (n && !d->begun)
        settle_frame(d, (unsigned char)*p);
    d->begun |= n > 0;
    d->z.next_in = (Bytef *)(uintptr_t)p;
    d->z.avail_in = (uInt)n;
    d->z.next_out = (Bytef *)out;
    d->z.avail_out = (uInt)room;
    int r = inflate(&d->z, Z_NO_FLUSH);
    *used = n - d->z.avail_in;
    *made = room - d->z.avail_out;
    d->in += *used;
    d->out += *made;
    if (absurd(d))
        return CODING_BAD;
    if (r == Z_STREAM_END) {
        d->over = true;
        return CODING_END;
    }
    if (r != Z_OK && r != Z_BUF_ERROR)
        return CODING_BAD;
    return d->z.avail_out ? CODING_OK : CODING_FULL;
}

/* ---- encoding --------------------------------------------------------------------------------- */
/* Pages are small and many: a smaller window than zlib's largest costs little of the size, and half of the memory. */
enum { ENCODE_WINDOW = 14, ENCODE_MEMORY = 7, ENCODE_LEVEL = 4, STEP = 8 << 10 };

struct encoder {
    z_stream z;
};

struct encoder *encoder_new(enum coding c)
{
    struct encoder *e = calloc(1, sizeof *e);
    int window = c == CODING_GZIP ? ENCODE_WINDOW + GZIP_ALONE : ENCODE_WINDOW;
    if (e && deflateInit2(&e->z, ENCODE_LEVEL, Z_DEFLATED, window, ENCODE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(e);
        return NULL;
    }
    return e;
}

void encoder_free(struct encoder *e)
{
    if (e)
        deflateEnd(&e->z);
    free(e);
}

static bool run(struct encoder *e, int flush, struct strbuf *out)
{
    int r = Z_OK;
    do {
        e->z.next_out = (Bytef *)buf_reserve(out, STEP);
        e->z.avail_out = STEP;
        r = deflate(&e->z, flush);
        out->n += STEP - e->z.avail_out;
        out->p[out->n] = '\0';
    } while (r == Z_OK && !e->z.avail_out);
    return r == Z_OK || r == Z_BUF_ERROR || r == Z_STREAM_END;
}

bool encoder_push(struct encoder *e, const char *p, size_t n, bool flush, struct strbuf *out)
{
    e->z.next_in = (Bytef *)(uintptr_t)p;
    e->z.avail_in = (uInt)n;
    return run(e, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH, out);
}

bool encoder_end(struct encoder *e, struct strbuf *out)
{
    e->z.next_in = NULL;
    e->z.avail_in = 0;
    return run(e, Z_FINISH, out);
}
