/* accept: the server's side of Negotiate and NTLM (B-83, 5.1), one handshake a client connection.
 *
 * A handshake is touched by one thread at a time; which one may change between legs. Identities that it gives are the
 * caller's. The engine looks at auth/token.h first: it says without blocking what kind of leg a request carries.
 */
#ifndef AUTH_ACCEPT_H
#define AUTH_ACCEPT_H
#include "auth.h"

enum handshake_scheme { HANDSHAKE_NEGOTIATE, HANDSHAKE_NTLM };
struct handshake;
/* host: the name that the client came by, without a port; an NTLM challenge says it, and some clients compare. */
struct handshake *handshake_new(struct auth *a, enum handshake_scheme scheme, const char *host);
void handshake_free(struct handshake *h);                /* at any time; NULL is allowed */

enum leg {
    LEG_MORE,                /* 401 with this scheme and the reply; the next leg comes on the same connection */
    LEG_DONE,                /* *who is there; a reply that is not empty goes into the answer's WWW-Authenticate */
    LEG_REFUSED,             /* wrong, unknown, disabled …: 401 and begin again; why is for the log */
    LEG_UNAVAILABLE          /* winbindd or what it asks is not there: 503 */
};
/* Blocks (winbindd; files). token: decoded bytes. reply: bytes to encode, appended. why: one line without secrets. */
enum leg handshake_step(struct handshake *h, const void *token, size_t n, struct strbuf *reply, struct identity **who,
                        struct strbuf *why);
#endif
