/* http1: the strict gate and the codec of HTTP/1.0 and 1.1. Pure functions over bytes: no sockets, no allocation but
 * the head's buffer.
 *
 * Strict means: what two programs could read differently is refused (RFC 9112 sections 2.2, 3, 5, 6, 7, 11.2): bare CR
 * or LF, obs-fold, space before a colon, Content-Length with Transfer-Encoding, two lengths, a list as length, any
 * transfer coding but chunked, chunked that is not last or said twice, chunked in HTTP/1.0, two Hosts, a control
 * character, an HTTP version other than 1.0 and 1.1, a Host that programs would end at different places. A request
 * without Host is taken (B-10). Any method that is a token is taken (B-75), but CONNECT; the target is a path, a URI of
 * http or https, or "*" for OPTIONS, and may hold any byte above the space but DEL.
 */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H
#include "head.h"

/* Where the head that begins at p ends: bytes with the empty line; 0: not yet; SIZE_MAX: it never can, refuse now
 * (a bare CR or LF seen, or more than HEAD_BYTES). from: bytes that an earlier call has already looked at.
 * Empty lines in front of a request line are skipped by http1_leading, asked afresh whenever bytes have come (a CRLF
 * may come in two halves); behind what it skips from is 0 again. */
size_t http1_head_end(const char *p, size_t n, size_t from);
size_t http1_leading(const char *p, size_t n);           /* bytes of CRLFs in front of a request line */

/* Reads a whole head of n bytes (as http1_head_end measured it) into h, framing and all; copies it first.
 * 0, or the status to refuse it with - 400, 431, 501 (transfer coding), 505 - and why in *why (a literal). */
int http1_request(struct head *h, const char *p, size_t n, const char **why);
/* The same for an answer. method: of the request, since HEAD, 1xx, 204 and 304 have no body. -1 where it is no HTTP. */
int http1_answer(struct head *h, const char *method, const char *p, size_t n, const char **why);

/* Chunked bodies. Extensions and trailers are read strictly and dropped. */
struct chunks { unsigned state; uint64_t left; uint32_t line; };
enum chunk_event { CHUNK_MORE, CHUNK_DATA, CHUNK_END, CHUNK_BAD };
/* Looks at p[0..n): *used is what was taken. For CHUNK_DATA *data and *data_n are a piece of the body inside p.
 * Call again with the rest until CHUNK_MORE (all taken), CHUNK_END (the body is over; the rest is the next message)
 * or CHUNK_BAD. A zeroed struct begins a body. */
enum chunk_event chunks_read(struct chunks *c, const char *p, size_t n, size_t *used, const char **data, size_t *data_n);

/* Writing. The caller has removed or replaced what it must; hop-by-hop fields (Connection, Keep-Alive,
 * Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade, Content-Length, and what Connection named when the head
 * was read: field.hop, so that no sender can name away what the proxy adds) are skipped here and the framing is
 * written from h->framing and h->length. connection: "keep-alive", "close", "upgrade" (then with the field Upgrade) or
 * NULL for none. An answer without a body keeps its Content-Length if the status allows one: it answers HEAD, or is a
 * 304 (RFC 9110 section 8.6). */
void http1_write_request(struct strbuf *out, const struct head *h, const char *connection);
void http1_write_answer(struct strbuf *out, const struct head *h, const char *connection);
void http1_write_chunk_head(struct strbuf *out, size_t n);           /* "1f\r\n"; the caller adds "\r\n" behind the data */
#define HTTP1_LAST_CHUNK "0\r\n\r\n"
#endif
