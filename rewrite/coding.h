/* coding: the content codings gzip and deflate of bodies, as streams, by zlib. */
#ifndef REWRITE_CODING_H
#define REWRITE_CODING_H
#include "../base/base.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_DEFLATE, CODING_UNKNOWN };
/* Of a Content-Encoding; NULL, "" and "identity" are IDENTITY; two codings on top of each other are UNKNOWN. */
enum coding coding_of(const char *content_encoding);
/* Whether the client takes gzip: q=0 says no, "*" yes (RFC 9110, 12.5.3). NULL: no. */
bool coding_accepts_gzip(const char *accept_encoding);

enum coding_result { CODING_OK, CODING_FULL, CODING_END, CODING_BAD };

struct decoder;
/* NULL: no memory. */
struct decoder *decoder_new(enum coding c);
/* Takes bytes, *used of them, and puts at most room bytes to out, *made of them. OK: all taken and nothing waits inside;
 * FULL: room was used up, more may come of what is inside already; END: the coded body is over, and so are trailing
 * members of gzip; BAD: damaged, or it grows beyond measure (DECODER_RATIO). */
enum coding_result decoder_push(struct decoder *d, const char *p, size_t n, size_t *used, char *out, size_t room,
                                size_t *made);
bool decoder_complete(const struct decoder *d);      /* it may end here; an empty body counts */
void decoder_free(struct decoder *d);                /* NULL is allowed */
/* Past DECODER_FREE bytes more output for each byte of input than this is refused. Text does not reach 200; the format
 * can do 1032. */
enum { DECODER_RATIO = 400, DECODER_FREE = 8 << 20 };

struct encoder;
struct encoder *encoder_new(enum coding c);
/* Takes all of it. flush: what was taken can be read by the receiver. false: no memory. */
bool encoder_push(struct encoder *e, const char *p, size_t n, bool flush, struct strbuf *out);
bool encoder_end(struct encoder *e, struct strbuf *out);
void encoder_free(struct encoder *e);
#endif
