/* seal: texts that only this installation can make and read - what cookies and forms carry, so that no server has to
 * remember them. AES-256-GCM under a key that is derived afresh for every text, base64url.
 *
 * Keys come from a file that several instances share, or are random for the life of the process. The file has one key
 * a line, 64 hex digits; empty lines and lines that begin with # do not count. The first key seals, all of them open:
 * a new key is added at the end on every machine, then moved to the top, and the old one is removed when the longest
 * session is over. Nobody but the file's owner may be able to read it.
 */
#ifndef AUTH_SEAL_H
#define AUTH_SEAL_H
#include "../base/base.h"

enum { SEAL_KEY = 32, SEAL_KEYS = 16, SEAL_PLAIN = 2560 };       /* bytes; keys in a ring; bytes that can be sealed */
#define SEAL_TEXT(n) (((n) + 1 + 4 + 28 + 16) * 4 / 3 + 1)      /* characters of n sealed bytes, at most */

struct key_ring;                     /* immutable; for any thread */
/* NULL with a message in err: not there, not a ring, or readable by others than its owner. */
struct key_ring *key_ring_read(const char *file, struct strbuf *err);
/* Writes a file with one new key, mode 0600, if there is none; run by root it is the user's (NULL: nobody else's), who
 * is to read it again. false with a message in err. */
bool key_ring_make(const char *file, const char *user, struct strbuf *err);
struct key_ring *key_ring_random(void);
struct key_ring *key_ring_copy(const struct key_ring *r);
void key_ring_free(struct key_ring *r);                          /* NULL is allowed; zeroes */
/* A key for something else, out of the i-th of the ring: what (a literal) and number say what for. false: the ring has no i-th. */
bool key_ring_derive(const struct key_ring *r, size_t i, const char *what, uint64_t number, unsigned char out[SEAL_KEY]);

/* Appends the sealed text. purpose (a literal: "session") and context (whatever must be the same when it is opened:
 * listener, names) are not in it, but it opens under the same two alone. n <= SEAL_PLAIN. */
void seal(const struct key_ring *r, const char *purpose, const char *context, const void *plain, size_t n, struct strbuf *out);
/* Bytes in plain, which has room for SEAL_PLAIN; the caller zeroes it. -1: not ours, changed, of another purpose or context. */
int seal_open(const struct key_ring *r, const char *purpose, const char *context, const char *text, size_t n, unsigned char *plain);

void random_bytes(void *p, size_t n);                            /* ends the program where the system has none */
void base64url_encode(struct strbuf *out, const void *bytes, size_t n);          /* without padding */
int base64url_decode(const char *text, size_t n, unsigned char *out, size_t room);      /* strict; bytes, or -1 */
#endif
