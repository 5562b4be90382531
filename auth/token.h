/* token: what stands behind "Negotiate" and "NTLM" in a header field, told apart without asking a library. Bytes come
 * from strangers; every offset is checked. Pure functions.
 *
 * NTLM: MS-NLMP 2.2.1. SPNEGO: RFC 4178 4.2. Kerberos in GSS-API: RFC 4121 4.1, RFC 1964 1.1.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H
#include "../base/base.h"

enum token_kind {
    TOKEN_BAD,               /* none of those below: refuse */
    TOKEN_NTLM_BEGIN,        /* NTLM type 1, raw or first in a NegTokenInit: begins a handshake, always (6.2) */
    TOKEN_NTLM_END,          /* NTLM type 3, raw or in a NegTokenResp: the last leg but for SPNEGO's own end */
    TOKEN_KERBEROS,          /* an AP-REQ, raw or in a NegTokenInit: one leg */
    TOKEN_BEGIN,             /* a NegTokenInit with another first mechanism or none of its token: begins, may need legs */
    TOKEN_CONTINUES          /* a NegTokenResp with anything else */
};
enum { TOKEN_BYTES = 64 << 10 };     /* longer ones are TOKEN_BAD; a ticket with a large PAC has some 12 KiB, at most 48 */
enum token_kind token_kind(const void *token, size_t n);
/* A request with it starts a handshake anew and is never forwarded before the last leg (6.2, 4). */
static inline bool token_begins(enum token_kind k)
{
    return k == TOKEN_NTLM_BEGIN || k == TOKEN_BEGIN;
}
/* Where the NTLM message stands inside the token, or NULL. */
const unsigned char *token_ntlm(const void *token, size_t n, size_t *message_n);

/* Base64 of RFC 4648 section 4, strict: padding, no white space, no rest bits. */
void base64_encode(struct strbuf *out, const void *bytes, size_t n);
bool base64_decode(struct strbuf *out, const char *text, size_t n);      /* appends; false: out is as before */
#endif
