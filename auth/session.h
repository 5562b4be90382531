/* session: what a forms session is and the cookie that holds it (B-86 to B-92). There is no store: the sealed cookie is
 * the session, so that several instances with the same keys share them all.
 *
 * What that means: a session ends by its times, on every instance. At log-off the browser forgets the cookie, and the
 * instance that saw the log-off refuses every copy of it, as long as one could live (struct logged_off, bounded). Another
 * instance, or this one after a restart, would take a copy that somebody stole before: until its time is over, and in
 * idle mode for as long as it is used. Where that is too much: absolute_timeout, or bind_to_address.
 *
 * A session is good for one listener, and for one host name or, with single sign-on, one DNS suffix (its scope).
 */
#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H
#include "identity.h"
#include "seal.h"
#include "../http/head.h"
#include "../ir/policy.h"

enum { SESSION_ID = 16, SESSION_NAME = 256 };            /* bytes */

struct session {
    unsigned char id[SESSION_ID];        /* made at the sign-in, never taken from a client: nothing can be fixed on somebody */
    long long signed_in, renewed;        /* seconds since 1970 */
    uint32_t address;                    /* of the client at the sign-in */
    bool private_computer;
    char account[SESSION_NAME + 1], domain[SESSION_NAME + 1], realm[SESSION_NAME + 1];
    struct secret *password;             /* NULL: not kept */
    bool once;                           /* the password alone is not enough to sign in with: it cannot be checked again */
};
/* How a listener keeps sessions. Borrowed strings; made once by session_rules_make. */
struct session_rules {
    const char *listener;
    struct forms_settings form;          /* times, binding, persistence; cookie: NULL is the daemon's own */
    bool sso;
    strings sso_domains;                 /* "*.example.com", ".example.com" or "example.com" */
    const struct key_ring *keys;
    char suffix[9];                      /* tells listeners apart in cookies' names */
};
void session_rules_make(struct session_rules *r, const char *listener, const struct forms_settings *form, bool sso,
                        const strings *sso_domains, const struct key_ring *keys);

/* The registered DNS suffix under which host's sessions are shared, without a leading dot, or NULL: that host alone.
 * A suffix fits at the border of a label, and has two labels at least. host: lower case, no port. */
const char *session_domain(const struct session_rules *r, const char *host);
/* "__Host-publishd-1a2b3c4d"; with a domain "__Secure-…", since the former allows none; or the one that was configured. */
void session_cookie_name(const struct session_rules *r, const char *host, struct strbuf *out);

/* A new session with an id of its own. who's names must fit, or false. keep_password: for delegations that need it. */
bool session_begin(struct session *s, const struct identity *who, bool private_computer, bool keep_password,
                   uint32_t address, long long now);
void session_end(struct session *s);     /* zeroes it, lets go of the password */
/* Its identity; the groups are not known, the proof is the password. */
struct identity *session_identity(const struct session *s);

enum session_state { SESSION_NONE, SESSION_GOOD, SESSION_FORGED, SESSION_EXPIRED, SESSION_ELSEWHERE, SESSION_LOGGED_OFF, SESSION_AMBIGUOUS };
extern const char *const session_state_names[];
struct logged_off;
/* Looks for the listener's cookie in a request. Good: *out is the caller's, for session_end. Several good ones of
 * different sign-ins are SESSION_AMBIGUOUS: one of them may have been planted. off: NULL is allowed. */
enum session_state session_find(const struct session_rules *r, struct logged_off *off, const struct head *head, const char *host,
                                uint32_t address, long long now, struct session *out);
/* Its cookie should be renewed: a third of the idle time has passed (as B-87 has it: the time is 2/3 T to T). */
bool session_due(const struct session_rules *r, const struct session *s, long long now);
long long session_expires(const struct session_rules *r, const struct session *s);
long long session_last(const struct session_rules *r, const struct session *s, long long now);   /* when the last copy made until now expires */
/* The same for one that is open already: times, address, log-off. */
enum session_state session_judge(const struct session_rules *r, struct logged_off *off, const struct session *s, uint32_t address, long long now);
/* The value of Set-Cookie. renewed becomes now in idle mode. */
void session_set_cookie(const struct session_rules *r, const char *host, struct session *s, long long now, struct strbuf *out);
void session_clear_cookie(const struct session_rules *r, const char *host, struct strbuf *out);

/* ---- log-off, on this instance ---------------------------------------------------------------- */
struct logged_off *logged_off_new(size_t most);          /* how many it remembers; then the oldest is forgotten */
void logged_off_free(struct logged_off *l);
void logged_off_add(struct logged_off *l, const unsigned char id[SESSION_ID], long long until, long long now);
bool logged_off_has(struct logged_off *l, const unsigned char id[SESSION_ID], long long now);

/* ---- cookies ------------------------------------------------------------------------------------- */
/* The next cookie of that name in a Cookie header's text: p is moved behind it. NULL: no more. */
const char *cookie_next(const char **p, const char *name, size_t *value_n);
/* Takes the cookies whose names begin so out of a request that goes to a server. */
void cookies_remove(struct head *head, const char *const *prefixes, size_t n);
/* The same for Set-Cookie. */
void set_cookies_remove(struct head *answer, const char *const *prefixes, size_t n);
#endif
