/* gate: who is asking, and may they? The decision of a listener about one request, as a state machine without sockets:
 * head in, what to do out. The engine reads and writes; what blocks is a job for the pool of workers.
 *
 *     gate_ask   ->  GATE_PASS     forward it, as out->who
 *                    GATE_ANSWER   answer it so: a challenge, a redirect, a page of the form
 *                    GATE_BODY     read the whole body (a form; at most GATE_BODY_BYTES), then gate_body
 *                    GATE_JOB      run gate_job_run(out->job) in the pool, then gate_after on the loop
 *     gate_body  ->  GATE_ANSWER, GATE_JOB
 *     gate_after ->  GATE_PASS, GATE_ANSWER
 *
 * It is asked for requests that a rule would forward and for the listener's own places (auth/places.h); the router has
 * judged name, path, source, schedule, SSL and the redirect to HTTPS (D-06, D-08) before. In what order it decides: the
 * certificate that a form wants besides; places of the form; certificates that sign in; credentials (B-26, B-57); the rule's
 * users (B-24, B-25: outside is 403, never 401).
 *
 * A certificate signs in at a listener that takes them (B-98). One that takes Basic, NTLM or Negotiate too asks for those who
 * shows none, or one that names nobody. With forms it is a second factor, which is looked at before the form is shown: with
 * users of Active Directory it must be the same user's, with others any good one will do (KB 953684).
 *
 * What must hold of connections (6.2): a token that begins a handshake always begins one anew and is never forwarded; the
 * identity of a handshake belongs to its connection alone; every leg is answered on the connection, which stays open,
 * after the body of that leg was read and thrown away.
 */
#ifndef AUTH_GATE_H
#define AUTH_GATE_H
#include "accept.h"
#include "agents.h"
#include "basic.h"
#include "certificate.h"
#include "credentials.h"
#include "forms.h"
#include "session.h"
#include "users.h"

enum { GATE_BODY_BYTES = 16 << 10, GATE_HEADERS = 12, GATE_FORM_AGE = 3600 };   /* seconds that a form may be open */

/* Of one listener; immutable. What it points to outlives the gate and every job. */
struct gate {
    const char *listener;
    bool basic, integrated, client_certificate;          /* Basic and Integrated are not combined with forms */
    strings offer;                                       /* for Integrated, in order */
    enum forms_provider forms;
    enum validator validator;
    bool over_http;                                      /* credentials are taken over plain HTTP (B-57); a form never is (B-56) */
    const char *domain;                                  /* of users who give none; NULL */
    bool bodyless_forward;                               /* 6.2: empty POSTs are not challenged again */
    struct session_rules sessions;
    bool keep_password;                                  /* some rule sends it on: it is kept in the cookie, and checked every 300 s */
    const struct agent *agents; size_t agents_n;
    const struct forms *pages;
    struct auth *auth;
    struct credentials *credentials;
    struct throttle *throttle;
    struct logged_off *logged_off;
    struct users *users;
};

/* What a client's connection remembers. Zeroed at its beginning; gate_connection_end at its end. It belongs to the loop. */
struct gate_connection {
    struct identity *who;                                /* who a handshake found; for every request of the connection */
    struct handshake *handshake;                         /* under way, and not lent to a job */
    enum scheme scheme;                                  /* of that */
    bool asked_again;                                    /* an empty POST was answered with a challenge: the next one is meant */
    struct {
        struct identity *who;                            /* whom the client certificate names; NULL: verdict says why nobody */
        enum verdict verdict;
        long long until;                                 /* then the account is asked about again; 0: it was not yet */
    } certificate;
    /* Credentials of the last request, so that a kept connection costs a comparison and no cryptography (B-95). */
    enum { KEPT_NOTHING, KEPT_BASIC, KEPT_SESSION } kept;
    struct strbuf text;                                  /* Authorization; or host and Cookie */
    struct identity *kept_who;
    struct session session;
    long long kept_until;                                /* then it is looked at again */
};
void gate_connection_end(struct gate_connection *c);

struct gate_request {
    const struct head *head;                             /* as the client sent it */
    const char *host;                                    /* lower case, no port; "" */
    const char *authority;                               /* as sent, with its port; "" */
    bool known_host;                                     /* some rule of the listener publishes host */
    bool tls;
    uint32_t address;                                    /* the client's */
    long long now;                                       /* seconds since 1970 */
    bool has_rule;                                       /* false: no rule would forward it; asked for a place only */
    bool needs_user;                                     /* the rule has users, or the listener always authenticates */
    bool anybody;                                        /* the rule has no users of its own: whoever signed in may pass */
    const size_t *sets; size_t sets_n;                   /* of g->users, the rule's */
    enum delegation delegation;
    enum certificate_claim claim;
    const char *logoff_url;                              /* NULL */
    bool has_certificate;                                /* the client showed one that is good */
    enum naming naming;                                  /* what it says of an account */
    struct user_name certificate;                        /* which; for NAMES_ACCOUNT */
    unsigned char certificate_id[CERTIFICATE_ID];        /* what tells it from all others; for NAMES_ACCOUNT */
    struct gate_connection *connection;                  /* HTTP/2: for what is kept; Integrated is not offered there */
    bool shared;                                         /* the connection carries others' requests too: HTTP/2, or a proxy in front */
};

struct gate_header { const char *name, *value; };
enum gate_kind { GATE_PASS, GATE_ANSWER, GATE_BODY, GATE_JOB };
struct gate_result {
    enum gate_kind kind;
    /* PASS */
    struct identity *who;                                /* counted, the caller's; NULL: nobody was asked */
    bool verified;                                       /* false: who says so himself (B-27); never for Kerberos delegation */
    /* ANSWER */
    int status;
    bool handshake;                                      /* a 401 that is a leg of one: the client may have kept its body back */
    const char *body; size_t body_n;                     /* NULL: the engine's page for the status, or for page */
    enum gate_page { PAGE_OF_STATUS, PAGE_WRONG_USER, PAGE_NEEDS_SSL, PAGE_NEEDS_CERTIFICATE, PAGE_NO_RULE } page;
    const char *why;                                     /* for the log; never holds a secret. May be NULL */
    /* PASS and ANSWER: added to the answer, the server's or this one */
    struct gate_header headers[GATE_HEADERS]; size_t headers_n;
    /* JOB: the caller's */
    struct gate_job *job;
};

/* Strings of *out live in a. q and what it points to must be the same in gate_body and gate_after. */
void gate_ask(const struct gate *g, const struct gate_request *q, struct arena *a, struct gate_result *out);
void gate_body(const struct gate *g, const struct gate_request *q, const char *body, size_t n, struct arena *a, struct gate_result *out);
/* Nobody answered the gate's job in time: 503, as the form where one was sent (body; else n is 0). The job goes on alone. */
void gate_late(const struct gate *g, const struct gate_request *q, const char *body, size_t n, struct arena *a, struct gate_result *out);
void gate_after(const struct gate *g, const struct gate_request *q, struct gate_job *j, struct arena *a, struct gate_result *out);   /* frees j */

/* Takes the daemon's own cookies out of a request that goes to a server: they are nobody else's to see. */
void gate_cookies_remove(const struct gate *g, struct head *head);
/* And out of what a server answers: none may end sessions, or begin them as somebody else on other names of single sign-on. */
void gate_set_cookies_remove(const struct gate *g, struct head *answer);

/* ---- jobs ---------------------------------------------------------------------------------- */
/* Complete in itself: the exchange that it was made for may be gone when it runs, but not the gate. */
enum gate_task { TASK_PASSWORD, TASK_SIGN_IN, TASK_FURTHER, TASK_CHANGE, TASK_LEG, TASK_USERS, TASK_CERTIFICATE };
struct gate_job {
    enum gate_task task;
    const struct gate *gate;
    struct arena *arena;
    uint32_t address;
    long long now;
    struct user_name name;                               /* PASSWORD, SIGN_IN, FURTHER, CHANGE, CERTIFICATE */
    struct secret *password, *wanted;                    /* password: or the passcode, or the answer; NULL for CERTIFICATE */
    unsigned char certificate_id[CERTIFICATE_ID];        /* CERTIFICATE */
    struct secret *passed_on;                            /* SIGN_IN with a passcode, FURTHER: the password for servers; NULL */
    struct challenge challenge;                          /* FURTHER: what is answered; then what is asked for (VERDICT_CHALLENGED) */
    unsigned round;                                      /* FURTHER: how many were answered, this one included */
    long long began;                                     /* FURTHER: when the first was asked */
    bool from_session;                                   /* PASSWORD: of session, not of Basic */
    struct session session;
    const char *user, *url;                              /* SIGN_IN, FURTHER, CHANGE: as the form had them */
    bool private_computer;
    struct handshake *handshake;                         /* LEG */
    enum scheme scheme;
    struct strbuf token;
    bool judge;                                          /* users are asked as soon as there is an identity */
    size_t *sets; size_t sets_n;
    /* what came out */
    enum verdict verdict;
    enum leg leg;
    struct strbuf reply, why;
    long wait;                                           /* seconds, where there were too many failures */
    struct identity *who;                                /* also in: for TASK_USERS */
    long long until;                                     /* PASSWORD, CERTIFICATE: that may be believed until then */
    enum membership member;                              /* if judge and who: not USER_ASK any more */
};
void gate_job_run(struct gate_job *j);                   /* blocks */
bool gate_job_asks_kdc(const struct gate_job *j);        /* the KDC and nobody else may keep it waiting */
void gate_job_free(struct gate_job *j);                  /* for jobs that no gate_after will see */
#endif
