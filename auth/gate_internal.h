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
/* Results. status with the engine's page; the header is skipped where there is no room for it. */
void gate_refuse(struct gate_at *at, int status, const char *why);
void gate_forbid(struct gate_at *at, enum gate_page page, const char *why);               /* 403 */
void gate_add(struct gate_at *at, const char *name, const char *value);
void gate_redirect(struct gate_at *at, int status, const char *path);                     /* path: of this host */
const char *gate_form_path(struct gate_at *at, const char *why);      /* of the sign-in page, with where to go afterwards */
void gate_cookie(struct gate_at *at, struct session *s);             /* Set-Cookie of a session; NULL: takes it away */
void gate_retry_after(struct gate_at *at, long seconds);
struct gate_job *gate_job_new(struct gate_at *at, enum gate_task task);
enum session_state gate_session(struct gate_at *at, struct session *s);
enum validator gate_validator(const struct gate *g);
bool gate_certificate_agrees(const struct gate_at *at, const struct identity *who);

/* gate_places.c */
bool gate_at_place(struct gate_at *at);                              /* false: it is none of our places */
void gate_form_after(struct gate_at *at, struct gate_job *j);        /* SIGN_IN, CHANGE */
#endif
