/* decide_server: see the header. */
#include "decide_server.h"

#include <string.h>

const char *const server_condition_names[] = { "matched", "source", "source-port", "schedule" };
const char *const passage_names[] = { "nobody-listens", "no-rule", "denied", "closed", "not-carried", "relayed" };

bool schedule_is_daily(const struct schedule *s)
{
    for (size_t i = 3; i < sizeof s->hours; i++) /* three bytes a day */
        if (s->hours[i] != s->hours[i % 3])
            return false;
    return true;
}

bool server_rule_limits_ports(const struct plan_server_rule *r)
{
    return r->port_low > 1 || r->port_high < 65535;
}

bool door_carried(enum target t, const struct plan_door *d)
{
    return t == TARGETS || t == TARGET_NGINX || (t == TARGET_HAPROXY && d->transport == TRANSPORT_TCP);
}

const struct plan_stream *plan_stream_at(const struct plan *p, enum transport t, uint32_t address, uint16_t port)
{
    for (size_t i = 0; i < p->streams.n; i++) {
        const struct plan_stream *s = &p->streams.v[i];
        uint32_t own;
        bool here = *s->address == '*' || (ip_parse(s->address, &own) && own == address);
        if (here && s->transport == t && s->low <= port && port <= s->high)
            return s;
    }
    return NULL;
}

/* B-23; where nginx cannot tell the day, an accepted finding has opened the rule for all hours. */
static bool hour_holds(const struct plan_server_rule *r, enum target t, int hour)
{
    if (!r->schedule || hour < 0 || (t == TARGET_NGINX && !schedule_is_daily(r->schedule)))
        return true;
    return r->schedule->hours[hour / 8] >> (7 - hour % 8) & 1;
}

static enum server_condition fails(const struct plan_server_rule *r, enum target t, const struct connection *c)
{
    if (!r->any_source && !ipset_has(&r->sources, c->client))
        return SERVER_FAILED_SOURCE;
    if (c->client_port && (c->client_port < r->port_low || c->client_port > r->port_high))
        return SERVER_FAILED_PORT;
    return hour_holds(r, t, c->hour) ? SERVER_MATCHED : SERVER_FAILED_SCHEDULE;
}

static enum passage passage_of(const struct plan_server_rule *r, enum target t, const struct plan_door *d)
{
    if (r->rule->action == ACTION_DENY)
        return PASSAGE_DENIED;
    if (!door_carried(t, d))
        return PASSAGE_ELSEWHERE;
    bool unknown = r->sources_unknown || r->rule->schedule_unknown || r->ports_wrong;
    if (t == TARGETS ? unknown : (r->closed & ON(t)) != 0)
        return PASSAGE_CLOSED;
    return PASSAGE_RELAYED;
}

void decide_connection(const struct plan *p, enum target t, const struct connection *c, struct arena *a,
                       struct passage_decision *out)
{
    const struct plan_stream *s = plan_stream_at(p, c->transport, c->address, c->port);
    *out = (struct passage_decision){ .passage = s ? PASSAGE_NO_RULE : PASSAGE_NOBODY, .rule = -1 };
    for (size_t i = 0; s && i < s->tries.n; i++) {
        const struct plan_server_rule *r = &p->server_rules.v[s->tries.v[i].rule];
        enum server_condition failed = fails(r, t, c);
        if (failed != SERVER_MATCHED) {
            vec_add(a, &out->trail, ((struct server_trail){ r->index, failed }));
            continue;
        }
        out->rule = (int)r->index;
        out->door = &r->doors.v[s->tries.v[i].door];
        out->passage = passage_of(r, t, out->door);
        out->port = out->door->port ? out->door->port : c->port;
        return;
    }
    if (s && !door_carried(t, &p->server_rules.v[s->tries.v[0].rule].doors.v[s->tries.v[0].door]))
        out->passage = PASSAGE_ELSEWHERE;
}
