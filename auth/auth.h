/* auth: the credentials side as one object. Made from the settings of publishd.yaml, immutable but for its caches,
 * used by any number of threads at once. Everything in auth/accept.h, validate.h, delegate.h that says "blocks" may
 * wait for a KDC, directory or RADIUS server and belongs into the pool of workers.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H
#include "identity.h"

/* Who checks the passwords of a listener whose validator is `ad`. */
enum ad_check { AD_BY_FILE, AD_BY_KERBEROS, AD_BY_LDAP, AD_BY_WINBIND };

struct auth_domain { const char *netbios, *realm; };     /* "LAB", "LAB.TEST" */
struct auth_settings {
    enum ad_check ad_check;
    const char *password_file;       /* hashed passwords and groups; NULL. docs/publishd.yaml.md has the format */
    const char *krb5_conf;           /* NULL: the system's */
    const char *keytab;              /* of the account that this server runs as; NULL: no Kerberos */
    const char *principal;           /* that account: "HTTP/front.lab.test@LAB.TEST", "isa1$@LAB.TEST" */
    VEC(struct auth_domain) domains;
    const char *ntlm_file;           /* users for NTLM; NULL: asks winbindd */
    strings ldap_servers;            /* "ldaps://dc1.lab.test", tried in order */
    const char *ldap_trust;          /* PEM; NULL: the system's */
    const char *ldap_base;           /* "DC=lab,DC=test" */
    const char *ldap_user;           /* who searches: a DN or user@realm; NULL: by Kerberos with the keytab */
    const char *ldap_secret;         /* file with that user's password */
    strings radius_servers;          /* "host" or "host:port", tried in order */
    const char *radius_secret;       /* file */
    long timeout;                    /* seconds that one question to a server may take; 0 means 5 */
    bool kerberos_in_spnego;         /* B-111: delegated tickets are wrapped */
    bool fqdn_realm;                 /* B-112 */
};
struct auth;

/* Before threads are made, once a process: the environment that Kerberos and GSS read (krb5.conf, no default ticket
 * cache, so that nobody's credential is ever a default), locked memory, no core dumps. false: why is in err. */
bool auth_start(const struct auth_settings *s, struct strbuf *err);
/* settings are copied where they are kept; files are read. NULL with lines in err. */
struct auth *auth_new(const struct auth_settings *s, struct strbuf *err);
void auth_free(struct auth *a);      /* NULL is allowed; identities may outlive it */

/* The name in the principal's form, "alice@LAB.TEST": realm as said or of the domain; false: neither leads to a realm. */
bool auth_principal(const struct auth *a, const struct user_name *n, struct strbuf *out);
#endif
