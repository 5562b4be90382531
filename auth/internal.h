/* internal: what the files of this folder share and nobody else sees. */
#ifndef AUTH_INTERNAL_H
#define AUTH_INTERNAL_H
#include "auth.h"
#include "validate.h"
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <pthread.h>
#include <time.h>

struct password_file;
struct tickets;
struct directory;

/* The credential that this server runs as. It holds a ticket-granting ticket, so it is renewed before that ends; whoever
 * uses one holds it. */
struct own_ticket {
    _Atomic unsigned references;
    gss_cred_id_t cred;
    char *cache;                     /* the name of its ticket cache, in memory */
    time_t renew, end;               /* monotonic: to be renewed from then on; of no use after that */
};
struct evidence { _Atomic unsigned references; uint64_t number; gss_cred_id_t cred; };     /* number: no two have the same */

/* Of one realm. heard: when its KDC last answered, or the first of those who still wait began. All monotonic. */
struct kdc_state { unsigned under_way; time_t heard, tried; };

struct auth {
    struct arena *arena;
    struct sign_in s;
    const char *keytab;              /* s.kerberos.keytab as Kerberos names files; NULL: none */
    bool spnego;                     /* delegated tickets are wrapped (B-111) */
    struct secret *ldap_secret, *radius_secret;      /* NULL: not configured */
    struct password_file *passwords;                 /* NULL: none */
    struct tickets *tickets;                         /* auth/tickets.c */
    unsigned char digest_key[32];                    /* random */
    pthread_mutex_t kdc_lock;                        /* auth/kdc.c */
    pthread_cond_t kdc_heard;
    struct kdc_state *kdc;                           /* of each of s.domains, and of all others */
    pthread_mutex_t lock;                            /* of what follows */
    struct own_ticket *service;
    time_t service_asked;                            /* since when somebody asks the KDC for it; 0: nobody does */
    pthread_cond_t service_answered;
    time_t kdc_again;                                /* monotonic; until then the KDC counts as lost (B-115) */
};

/* ---- gss.c ----------------------------------------------------------------------------------------------- */
extern const gss_OID_desc gss_krb5, gss_ntlm;
gss_OID_set gss_one(const gss_OID_desc *mech);       /* the set of that one; a static */
/* "what: text of both codes", appended. mech: whose minor codes they are. */
void gss_why(struct strbuf *why, const char *what, OM_uint32 major, OM_uint32 minor, const gss_OID_desc *mech);
/* Made or renewed as needed; blocks. ask: between kdc_begin and kdc_end; else only what is there is given. NULL: why. *unavailable: no
 * KDC could be asked, even if there is one that is good for a while. The caller releases it. */
struct own_ticket *own_ticket(struct auth *a, bool ask, bool *unavailable, struct strbuf *why);
void own_ticket_release(struct own_ticket *s);
void cache_destroy(char *name);                      /* of tickets, in memory; frees the name; NULL is allowed */
bool minor_is_unavailable(OM_uint32 minor);          /* the KDC could not be reached */
struct evidence *evidence_new(gss_cred_id_t cred);   /* takes it over */
time_t monotonic(void);                              /* seconds */

/* ---- kdc.c ----------------------------------------------------------------------------------------------- */
size_t kdc_realm(const struct auth *a, const struct user_name *name);      /* whose KDC is asked about somebody; or about ourselves: */
size_t kdc_realm_own(const struct auth *a);
/* Around what is asked of that KDC about one user. Blocks while too many ask. false: it is silent, and somebody has tried a moment ago;
 * no kdc_end then. */
bool kdc_begin(struct auth *a, size_t realm, struct strbuf *why);
void kdc_end(struct auth *a, size_t realm, bool answered);

/* ---- accept.c, for validate_kerberos.c and certificate.c ----------------------------------------------------------------------- */
/* Gets a ticket for ourselves with a user's credential and accepts it by the keytab: proves that the KDC that made the
 * credential is the one that made the keytab (nobody can play a KDC that says yes), and tells the groups. NULL: why. */
struct identity *identity_by_ticket(struct auth *a, gss_cred_id_t user, enum proof proof, struct secret *password, bool *unavailable, struct strbuf *why);

/* ---- validate_kerberos.c ---- */
enum verdict verdict_of_kdc(int32_t code);           /* a krb5_error_code: what the KDC thinks of the account */
/* A user's credential, got from the KDC with the password, and the cache that it reads, for cache_destroy behind it. It does not hold the
 * password, as one of gss_acquire_cred_with_password would until it is released. GSS_C_NO_CREDENTIAL: *minor says why not, and why. */
gss_cred_id_t credential_by_password(const char *principal, const struct secret *password, char **cache, OM_uint32 *minor, struct strbuf *why);

/* ---- validate_*.c: each fills *who for VERDICT_OK ------------------------------------------------------------ */
enum verdict check_by_file(struct auth *a, const struct user_name *name, struct secret *password, struct identity **who, struct strbuf *why);
enum verdict check_by_kerberos(struct auth *a, const struct user_name *name, struct secret *password, struct identity **who, struct strbuf *why);
enum verdict check_by_ldap(struct auth *a, const struct user_name *name, struct secret *password, struct identity **who, struct strbuf *why);
enum verdict check_by_winbind(struct auth *a, const struct user_name *name, struct secret *password, struct identity **who, struct strbuf *why);
enum verdict check_by_radius(struct auth *a, const struct user_name *name, struct secret *password, const struct challenge *answered,
                             struct challenge *asked, struct identity **who, struct strbuf *why);
enum verdict change_by_kerberos(struct auth *a, const struct user_name *name, struct secret *old, struct secret *wanted, struct strbuf *why);
enum verdict change_by_ldap(struct auth *a, const struct user_name *name, struct secret *old, struct secret *wanted, struct strbuf *why);
struct password_file *password_file_read(const char *file, struct strbuf *err);
void password_file_free(struct password_file *f);
/* The file's account of that name, whose password nobody asks for: VERDICT_OK and *who with PROOF_CERTIFICATE, else why not. */
enum verdict account_in_file(struct auth *a, const struct user_name *name, struct identity **who, struct strbuf *why);
/* The groups of an account of the file; the strings are the file's. false: it has no such account, or a disabled one. */
bool password_file_groups(const struct auth *a, const struct user_name *name, strings *groups);

/* The NetBIOS name of a realm and the realm of a NetBIOS name, by the settings; "" if they do not say. */
const char *realm_of_domain(const struct auth *a, const char *domain);
const char *domain_of_realm(const struct auth *a, const char *realm);
bool realm_known(const struct auth *a, const char *realm);   /* it is ours, or one of a domain in the settings */
/* The name for who knows no domains (a file, RADIUS): the account alone in the first domain of the settings, or where they have
 * none; elsewhere with its domain or realm, so that nobody signs in as another domain's user of the same name. Lives in to. */
const char *local_name(const struct auth *a, const struct user_name *name, struct arena *to);

/* ---- directory.c: looking things up, by LDAP where servers are given, else by winbind; all block ---------------- */
enum lookup { LOOKUP_FOUND, LOOKUP_ABSENT, LOOKUP_FAILED };        /* failed: nobody could be asked, so it may well be there */
/* domain: "" is any. */
enum lookup directory_sid(struct auth *a, const char *domain, const char *name, struct arena *to, const char **sid, struct strbuf *why);
/* The user's own and the groups' SIDs, nested groups included. */
enum lookup directory_sids(struct auth *a, const struct user_name *name, struct arena *to, strings *sids, struct strbuf *why);
/* The account and realm that a user principal name belongs to. */
enum lookup directory_account(struct auth *a, const struct user_name *upn, struct arena *to, struct user_name *out, struct strbuf *why);

/* ---- winbind.c -------------------------------------------------------------------------------------------------- */
void winbind_start(void);             /* once, before threads */
enum lookup winbind_sid(const char *domain, const char *name, struct arena *to, const char **sid, struct strbuf *why);
enum lookup winbind_sids(const struct user_name *name, struct arena *to, strings *sids, struct strbuf *why);
enum lookup winbind_account(const struct user_name *upn, struct arena *to, struct user_name *out, struct strbuf *why);

/* ---- ldap.c ------------------------------------------------------------------------------------------------- */
typedef struct ldap LDAP;
/* A connection to the first server that answers, under TLS, not signed in; NULL: why. ldap_close it. */
LDAP *ldap_connect_first(struct auth *a, struct strbuf *why);
/* The same, signed in as the searching user. */
LDAP *ldap_connect_search(struct auth *a, struct strbuf *why);
void ldap_close(LDAP *l);
int ldap_add_layers(LDAP *l);        /* ldap_layers.c: reads are limited in time, what was sent is zeroed; an LDAP option's result */
int ldap_bind_as(LDAP *l, const char *name, const struct secret *password);     /* an LDAP result code */
/* One object below the base, by sAMAccountName or uid, or by userPrincipalName: what is known of it. */
struct ldap_object {
    const char *dn, *account, *sid;  /* sid NULL: not Active Directory */
    const char *realm;               /* from the DN's last parts, "LAB.TEST"; "" */
    unsigned long control;           /* userAccountControl; 0: not said */
    bool locked, expired, must_change;
    long long password_expires;      /* seconds since 1970; 0: never, or not said */
    bool several;                    /* with LOOKUP_ABSENT: there is more than one, so none is meant */
    strings member_of;               /* common names of the groups that it is in itself, behind a domain that is known */
    strings delegates_to;            /* msDS-AllowedToDelegateTo */
};
enum lookup ldap_lookup(struct auth *a, LDAP *l, const char *attribute, const char *value, struct arena *to, struct ldap_object *out, struct strbuf *why);
/* The same by sAMAccountName or, where there is no such attribute, uid. */
enum lookup ldap_lookup_account(struct auth *a, LDAP *l, const char *account, struct arena *to, struct ldap_object *out, struct strbuf *why);
/* The object of a user: by the user principal name where what is behind the @ is no realm that is known, else by the account, and
 * then only if it is in the domain that was said: two domains may have a name each. */
enum lookup ldap_lookup_user(struct auth *a, LDAP *l, const struct user_name *name, struct arena *to, struct ldap_object *out, struct strbuf *why);
/* The SIDs of the object and, nested ones included, of its groups. */
bool ldap_token_groups(LDAP *l, const struct ldap_object *o, struct arena *to, strings *sids);

/* ---- tickets.c: credentials of users for services, kept until they end; the least used go first ------------------ */
enum ticket_state { TICKET_GOOD, TICKET_REFUSED, TICKET_UNAVAILABLE, TICKET_WRONG };      /* wrong: the password, or nobody by that name */
struct ticket {
    _Atomic unsigned references;
    enum ticket_state state;
    gss_cred_id_t cred;              /* for TICKET_GOOD: holds the ticket */
    struct evidence *evidence;       /* whose cred it is; NULL: its own */
    char *cache;                     /* the cache in memory that cred reads, which goes with it; NULL: GSS-API's own */
    struct service_ticket *service;  /* for TICKET_GOOD: tokens are made of it; NULL: by GSS-API, of cred */
    time_t end;                      /* monotonic */
    char *why;                       /* for the others */
};
struct tickets *tickets_new(void);
void tickets_free(struct tickets *t);
struct ticket *ticket_new(enum ticket_state state, gss_cred_id_t cred, struct evidence *evidence, time_t end, const char *why);
void ticket_release(struct ticket *t);
struct ticket *tickets_find(struct tickets *t, const struct strbuf *key);    /* held; NULL: none, or it has ended */
void tickets_keep(struct tickets *t, const struct strbuf *key, struct ticket *ticket);   /* holds it; replaces another */
void tickets_drop(struct tickets *t, const struct strbuf *key);

/* ---- contexts.c -------------------------------------------------------------------------------------------------- */
/* A library context that is the caller's until it gives it back, and in which nothing was set. NULL: none can be made. */
krb5_context context_take(void);
void context_give(krb5_context k);

/* ---- ap_req.c ---------------------------------------------------------------------------------------------------- */
/* The ticket for target that cred has in its own name, copied; never asks a KDC. spnego: its tokens are wrapped (B-111). NULL:
 * it has none, or one of a kind that tokens are not made of here. Any thread may use it. */
struct service_ticket *service_ticket_new(gss_cred_id_t cred, gss_name_t target, bool spnego);
void service_ticket_free(struct service_ticket *t);      /* NULL is allowed */
/* Appends "Negotiate " and the token with which gss_init_sec_context would begin, and end: no flag was asked for that wants an
 * answer. No two are the same. false: it cannot be made, and nothing was appended. */
bool service_ticket_value(struct service_ticket *t, struct strbuf *value);

/* ---- delegate.c, for explain.c and certificate.c ------------------------------------------------------------------------------------ */
gss_name_t service_name(struct auth *a, const char *spn);                /* GSS_C_NO_NAME: no such name */
/* LOOKUP_ABSENT: nobody by that name; FAILED: a directory would have to say who it is, and cannot be asked. */
enum lookup impersonated_name(struct auth *a, const struct user_name *who, struct strbuf *principal, struct strbuf *why);
gss_cred_id_t impersonate(struct own_ticket *s, const char *principal, OM_uint32 *major, OM_uint32 *minor);
#endif
