/* service: how publishd runs on its host - what no export says. The section `publishd` of a site map and the section
 * `service` of publishd.yaml are this struct, by one table; tmgc copies the one into the other.
 */
#ifndef TMGC_SERVICE_H
#define TMGC_SERVICE_H
#include "../base/base.h"

/* ---- signing in: who checks passwords, knows groups, gives tickets (auth/) ---- */
/* Who checks the passwords of a listener that leaves it to Active Directory. */
enum ad_check { AD_BY_FILE, AD_BY_KERBEROS, AD_BY_LDAP, AD_BY_WINBIND };
struct sign_in_domain { const char *netbios, *realm; };  /* "LAB", "LAB.TEST" */
/* Which account the holder of a certificate is, where that is not the user principal name in it (B-98). */
struct sign_in_certificate { const char *thumbprint, *email, *account; };     /* one of the first two; "LAB\\alice" */
struct sign_in_kerberos {
    const char *config;              /* a krb5.conf; NULL: the system's */
    const char *keytab;              /* of the account that publishd acts as; NULL: no Kerberos */
    const char *principal;           /* that account: "HTTP/front.lab.test@LAB.TEST", "isa1$@LAB.TEST" */
};
struct sign_in_ldap {
    strings servers;                 /* "ldaps://dc1.lab.test", tried in order */
    const char *trust;               /* PEM; NULL: the system's */
    const char *base;                /* "DC=lab,DC=test" */
    const char *user, *secret;       /* who searches, a DN or user@realm, and the file with that password */
};
struct sign_in_radius { strings servers; const char *secret; };          /* "host" or "host:port", tried in order; a file */
struct sign_in {
    enum ad_check ad;
    const char *passwords;           /* file of hashed passwords and groups; NULL */
    VEC(struct sign_in_domain) domains;
    struct sign_in_kerberos kerberos;
    struct sign_in_ldap ldap;
    struct sign_in_radius radius;
    VEC(struct sign_in_certificate) certificates;
    const char *ntlm_users;          /* file of users for NTLM; NULL: asks winbindd */
    long timeout;                    /* seconds that one question to a server may take */
};

enum log_format { LOG_JSON, LOG_COMBINED };
/* ---- forms and failed sign-ins (auth/session.h, forms.h, throttle.h) ---- */
struct service_agent { const char *match; long answer; };            /* words: form, basic */
struct service_forms {
    const char *keys;                /* file of the keys that seal sessions; NULL: random ones */
    bool make_keys;                  /* it is made if it is not there */
    const char *pages;               /* folder of templates; NULL: the built-in pages */
    VEC(struct service_agent) agents;/* empty: the source's table (B-85) */
    long account_limit, address_limit, window;
};

struct service {
    const char *user;                /* whom publishd becomes once its ports are open; NULL: nobody else */
    long loops;                      /* threads that serve; 0: one a processor */
    long drain_timeout;              /* seconds that requests under way get at a stop or reload */
    const char *log;                 /* file of requests, "-" for standard output; NULL: none */
    enum log_format log_format;
    struct sign_in sign_in;
    struct service_forms forms;
    const char *status;              /* "127.0.0.1:9180": status page and metrics; NULL: none */
};
#endif
