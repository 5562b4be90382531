/* decide_server: which server publishing rule takes a connection, why each earlier one did not, and where it goes on to. What
 * decide.h is for requests. The first rule on the socket whose conditions hold has it (D-06); then it may be refused. */
#ifndef TMGC_DECIDE_SERVER_H
#define TMGC_DECIDE_SERVER_H
#include "decide.h"

struct connection {
    enum transport transport;        /* TCP or UDP */
    uint32_t address;                /* that it comes to */
    uint16_t port;
    uint32_t client;
    uint16_t client_port;            /* 0: unknown, limits on it then hold */
    int hour;                        /* hour of the week, 0 = Sunday 00:00; -1: unknown, schedules then hold */
};
enum server_condition { SERVER_MATCHED, SERVER_FAILED_SOURCE, SERVER_FAILED_PORT, SERVER_FAILED_SCHEDULE };
extern const char *const server_condition_names[];
enum passage {
    PASSAGE_NOBODY,                  /* nobody listens there */
    PASSAGE_NO_RULE,                 /* refused: no rule matches */
    PASSAGE_DENIED,                  /* refused: a deny rule */
    PASSAGE_CLOSED,                  /* refused: the rule has a condition that nobody can judge here */
    PASSAGE_ELSEWHERE,               /* the target does not carry it */
    PASSAGE_RELAYED
};
extern const char *const passage_names[];

struct server_trail { uint32_t rule; enum server_condition failed; };
struct passage_decision {
    enum passage passage;
    int rule;                        /* index into plan->server_rules; -1: none */
    const struct plan_door *door;    /* of that rule; NULL */
    uint16_t port;                   /* the server's, for RELAYED */
    VEC(struct server_trail) trail;  /* the rules on that socket before it, and why not */
};
/* t: TARGETS for the source itself. The trail lives in a. */
void decide_connection(const struct plan *p, enum target t, const struct connection *c, struct arena *a,
                       struct passage_decision *out);
/* The stream that takes connections to this place; NULL. */
const struct plan_stream *plan_stream_at(const struct plan *p, enum transport t, uint32_t address, uint16_t port);
/* The same hours on every day: all that nginx can tell of a stream. */
bool schedule_is_daily(const struct schedule *s);
bool server_rule_limits_ports(const struct plan_server_rule *r);
/* Can the target relay this door at all? */
bool door_carried(enum target t, const struct plan_door *d);
#endif
