/* basic: the header field Authorization taken apart, and the challenges of a 401 put together (5.1). Does not block. */
#ifndef AUTH_BASIC_H
#define AUTH_BASIC_H
#include "identity.h"

enum scheme { SCHEME_NONE, SCHEME_BASIC, SCHEME_NEGOTIATE, SCHEME_NTLM, SCHEME_OTHER };
/* The scheme of an Authorization value (NULL: NONE), without case; *rest: what follows it and its blanks. */
enum scheme scheme_of(const char *value, const char **rest);

/* User and password of "Basic …": rest is the base64 text. Bytes that are no UTF-8 are read as Latin-1, as browsers of the
 * source's days send them (RFC 7617, B.3). name's parts live in a; *password is the caller's. false: not Basic's form, a control
 * character in the name, no name, too long; *password is NULL then. An empty password is one. */
bool basic_parse(struct arena *a, const char *rest, const char *default_domain, struct user_name *name, struct secret **password);
/* The same rules for texts of a form: UTF-8 without control characters in the name. */
bool credentials_of(struct arena *a, const char *user, const char *text, size_t text_n, const char *default_domain,
                    struct user_name *name, struct secret **password);

/* What a listener challenges with: one value of WWW-Authenticate each, in the order in which clients must see them. */
struct challenges { size_t n; const char *v[4]; };
struct challenge_rules {
    const strings *offer;            /* for Integrated: "negotiate", "ntlm"; NULL or empty: not Integrated */
    bool basic;
    const char *realm;               /* for Basic; a quote or backslash in it is escaped, a control character left out */
};
/* Values live in a. */
void challenges_make(struct arena *a, const struct challenge_rules *r, struct challenges *out);
#endif
