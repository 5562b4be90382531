/* certificate: which account a client's certificate names (B-98), and whether that account may sign in.
 *
 * Active Directory takes the user principal name that stands in the certificate, or what an administrator wrote down for that
 * certificate. So do we, the latter first: sign_in.certificates of the site map. An e-mail address alone names nobody: whoever
 * issues certificates for mail vouches for a mailbox, not for an account.
 */
#ifndef AUTH_CERTIFICATE_H
#define AUTH_CERTIFICATE_H
#include "validate.h"
#include <openssl/x509.h>

enum naming {
    NAMES_NOBODY,            /* no user principal name, and it is not in the table */
    NAMES_ACCOUNT,
    NAMES_BADLY              /* one that no account can have, or several: it is nobody's certificate, and no second factor either */
};
/* certificate: somebody has verified it. NAMES_ACCOUNT: *out, whose parts live in a. */
enum naming certificate_names(const struct sign_in *s, const X509 *certificate, struct arena *a, struct user_name *out);

/* Blocks. The account with its groups, without a password: by the KDC (S4U2Self, B-109) where there is a keytab, else by LDAP,
 * else by the file of passwords. Winbind alone cannot tell whether an account is disabled, and is not asked. *who is set for
 * VERDICT_OK alone, its proof is PROOF_CERTIFICATE. why: one line for the log. */
enum verdict certificate_account(struct auth *a, const struct user_name *name, struct identity **who, struct strbuf *why);
bool certificate_asks_kdc(const struct auth *a);         /* which may keep it waiting longer than others do */
#endif
