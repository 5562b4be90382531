/* auth: the credentials side as one object. Made from the settings of publishd.yaml, immutable but for its caches,
 * used by any number of threads at once. Everything in auth/accept.h, validate.h, delegate.h that says "blocks" may
 * wait for a KDC, directory or RADIUS server and belongs into the pool of workers.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H
#include "identity.h"
#include "../ir/service.h"

struct auth;

/* Before threads are made, once a process: the environment that Kerberos and GSS read (krb5.conf, no default ticket
 * cache, so that nobody's credential is ever a default), locked memory, no core dumps. false: why is in err. */
bool auth_start(const struct sign_in *s, struct strbuf *err);
/* Settings are copied; files are read. spnego: delegated tickets are wrapped (B-111). NULL with lines in err. */
struct auth *auth_new(const struct sign_in *s, bool spnego, struct strbuf *err);
void auth_free(struct auth *a);      /* NULL is allowed; identities may outlive it */

/* Seconds that somebody who signs in waits for the servers that are asked, as a whole. */
long auth_patience(const struct auth *a);

/* Does not block: this server's own ticket must be had from the KDC, and nobody is at it. */
bool auth_ticket_due(struct auth *a);

/* The name in the principal's form, "alice@LAB.TEST": realm as said or of the domain; false: neither leads to a realm. */
bool auth_principal(const struct auth *a, const struct user_name *n, struct strbuf *out);
#endif
