/* spelling: one account has many names. A directory compares without case, and Active Directory without accents, width and
 * what it gives no weight; spaces at a name's ends, and several in a row, are nothing to LDAP (RFC 4518, 2.6). Who guesses
 * passwords must not get the limit anew for each of them, so what may be one account counts as one. */
#ifndef AUTH_SPELLING_H
#define AUTH_SPELLING_H
#include "../base/base.h"

/* Appends account (UTF-8; other bytes stay as they are) in lower case, Latin letters without accents, without spaces. Names of
 * two accounts may become the same: good for counting, and for nothing else. */
void spelling_of(const char *account, struct strbuf *out);
#endif
