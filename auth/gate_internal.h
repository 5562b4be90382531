/* gate_internal: what the gate's files share. */
#ifndef AUTH_GATE_INTERNAL_H
#define AUTH_GATE_INTERNAL_H
#include "gate.h"
#include "places.h"

struct gate_at {                         /* one call */
    const struct gate *g;
    const struct gate_request *q;
    struct arena *a;
    struct gate_result *out;
};
/* What a page of the form shows, besides what is the listener's. */
enum { FORM_NONCE = 16 };                /* bytes */
struct form_state {
    const char *error, *notice;          /* names of texts, or NULL */
    const char *user, *url;
    bool private_computer;
    long wait;                           /* seconds */
    long left;                           /* days that the password is still good */
    const char *asked, *further;         /* of FORM_FURTHER: the server's question, and what is sealed */
    bool echo;
};

enum validator gate_validator(const struct gate *g);
/* The same credentials for the loop, which only looks whether they are known, and the job that asks. */
struct shown_credentials gate_password(const struct gate *g, const struct user_name *name, struct secret *password);
struct shown_credentials gate_certificate(const struct gate *g, const struct user_name *name, const unsigned char *id);
/* The form takes one-time passcodes: what is checked is good once, and what is passed on is another password. */
static inline bool gate_passcodes(const struct gate *g)
{
    return g->forms == FORMS_RADIUS_OTP || g->forms == FORMS_SECURID;
}

/* Only these two change passwords, and say when they run out (B-94). */
static inline bool gate_of_domain(const struct gate *g)
{
    return g->forms == FORMS_AD || g->forms == FORMS_LDAP;
}
static inline bool gate_changes_passwords(const struct gate *g)
{
    return g->sessions.form.change_password && gate_of_domain(g);
}

/* gate_answer.c: status with the engine's page; a header is skipped where there is no room for it. */
void gate_refuse(struct gate_at *at, int status, const char *why);
void gate_forbid(struct gate_at *at, enum gate_page page, const char *why);               /* 403 */
void gate_add(struct gate_at *at, const char *name, const char *value);
void gate_redirect(struct gate_at *at, int status, const char *path);                     /* path: of this host */
const char *gate_form_path(struct gate_at *at, const char *why);      /* of the sign-in page, with where to go afterwards */
void gate_cookie(struct gate_at *at, struct session *s);             /* Set-Cookie of a session; NULL: takes it away */
void gate_retry_after(struct gate_at *at, long seconds);
void gate_challenge(struct gate_at *at, bool basic, bool integrated, const char *why);    /* 401 */
void gate_challenge_all(struct gate_at *at, const char *why);        /* with everything that the listener takes */

/* gate_judge.c. A job for the rule of the request: its result is then out->job. */
struct gate_job *gate_job_new(struct gate_at *at, enum gate_task task);
/* The published application's log-off ends the session too; the request itself goes on to it (B-93). */
bool gate_log_off(struct gate_at *at, const struct session *s);
/* who signed in, in a session or without one (NULL). verdict: of the users' sets if it is known, else USER_ASK. Keeps its
 * own reference. */
void gate_judge(struct gate_at *at, struct identity *who, struct session *s, enum membership verdict);

/* gate_kept.c: is this request's cookie, or Authorization (there is one), that of the last one, and still to be believed? */
bool gate_kept_session(const struct gate_at *at);
/* until: seconds since 1970 */
void gate_keep_session(struct gate_at *at, const struct session *s, struct identity *who, long long until);
bool gate_kept_basic(const struct gate_at *at);
void gate_keep_basic(struct gate_at *at, struct identity *who, long long until);

/* gate_http.c: credentials in Authorization. rest: what stands behind the scheme; integrated: it is offered beside, where
 * the credentials are not good. */
void gate_credentials(struct gate_at *at);
void gate_basic(struct gate_at *at, const char *rest, bool integrated);
void gate_after_basic(struct gate_at *at, const struct gate_job *j);
void gate_after_leg(struct gate_at *at, struct gate_job *j);

/* gate_session.c: on a listener with forms. */
void gate_forms(struct gate_at *at);
enum session_state gate_session(struct gate_at *at, struct session *s);
void gate_after_session(struct gate_at *at, struct gate_job *j);

/* gate_certificate.c */
/* Before a form is shown or a session looked at, where the listener wants a certificate besides. true: at->out says what now. */
bool gate_second_factor(struct gate_at *at);
bool gate_certificate_agrees(const struct gate_at *at, const struct identity *who);       /* who signed in by the form */
bool gate_certificate_decides(struct gate_at *at);                   /* true: at->out is decided, or a job that finds out */
void gate_certificate_after(struct gate_at *at, struct gate_job *j); /* CERTIFICATE: what the connection knows from now on */

/* gate_further.c: what a RADIUS server asks for besides a password (VERDICT_CHALLENGED), on a page of its own. */
enum { GATE_ROUNDS = 5, GATE_ANSWER_AGE = 300 };                     /* answers, at most; seconds from the first question to the last answer */
void gate_ask_further(struct gate_at *at, const struct gate_job *j); /* SIGN_IN, FURTHER */
void gate_take_answer(struct gate_at *at, const char *body, size_t n, struct form_state *f);

/* gate_places.c */
bool gate_at_place(struct gate_at *at);                              /* false: it is none of our places */
void gate_form_after(struct gate_at *at, struct gate_job *j);        /* SIGN_IN, FURTHER, CHANGE */
void gate_form_page(struct gate_at *at, enum form which, int status, const struct form_state *f);
const char *gate_form_context(const struct gate_at *at);             /* for what is sealed into a page: this listener's, of this name */
bool gate_form_nonce(const struct gate_at *at, unsigned char nonce[FORM_NONCE]);   /* the number in the browser's cookie; false: none */
/* A password out of a form: decoded into the arena, taken from there into a secret, and the copy zeroed. NULL: there is none. */
struct secret *gate_form_secret(struct gate_at *at, const char *body, size_t n, const char *name);
struct gate_job *gate_form_job(struct gate_at *at, enum gate_task task, const struct user_name *name, const struct form_state *f);
#endif
