/* assess_server: what the targets cannot do of server publishing rules, and what closes there (B-148 to B-154). */
#include "../ir/decide_server.h"
#include "assess.h"

#include <string.h>

static struct finding *about(struct assessing *s, enum finding_id id, unsigned on, const struct plan_server_rule *r,
                             const char *key, const char *setting, const char *message)
{
    return assess_about(s, id, on, r->rule->name, &r->rule->at, key, setting, message);
}

static void close_rule(struct assessing *s, enum finding_id id, unsigned on, struct plan_server_rule *r,
                       const char *key, const char *setting, const char *message)
{
    if (about(s, id, on, r, key, setting, message))
        assess_closing(s, &r->closed);
}

static bool has_port(const struct plan_server_rule *r, enum transport transport, long port)
{
    for (size_t i = 0; i < r->protocol->primary.n; i++) {
        const struct connection_range *c = &r->protocol->primary.v[i];
        if (c->transport == transport && !c->outbound && c->low <= port && port <= c->high)
            return true;
    }
    return false;
}

/* ---- who can carry it -------------------------------------------------------------------------------------------- */
static void assess_carriers(struct assessing *s, const struct plan_server_rule *r)
{
    bool udp = false;
    for (size_t i = 0; i < r->doors.n; i++)
        udp |= r->doors.v[i].transport == TRANSPORT_UDP;
    about(s, F_STREAM_ELSEWHERE, ON(TARGET_PUBLISHD), r, "protocol", "PublishedProtocol",
          "publishd speaks HTTP alone and does not publish this; nginx and HAProxy do");
    if (r->unported)
        about(s, F_STREAM_ELSEWHERE, ON_PROXIES, r, "protocol", "PublishedProtocol",
              "part of its protocol is neither TCP nor UDP, which no proxy relays");
    if (r->wide)
        about(s, F_STREAM_ELSEWHERE, ON_PROXIES, r, "protocol", "PublishedProtocol",
              arena_printf(s->f->arena, "its protocol has more than %d ports; a proxy would need a socket for each",
                           STREAM_PORTS));
    if (udp)
        about(s, F_STREAM_ELSEWHERE, ON(TARGET_HAPROXY), r, "protocol", "PublishedProtocol",
              "HAProxy relays no UDP; nginx does");
}

/* ---- what closes --------------------------------------------------------------------------------------------------- */
static void assess_conditions(struct assessing *s, struct plan_server_rule *r)
{
    if (r->sources_unknown)
        close_rule(s, F_SOURCES_CLOSED, ON_PROXIES, r, "sources", "SourceSelectionIPs",
                   "refuses every connection: it is for clients of a network whose addresses are not known");
    if (r->rule->schedule_unknown)
        close_rule(s, F_CONDITION_UNKNOWN, ON_PROXIES, r, "schedule", "ScheduleUsed",
                   "refuses every connection: its schedule is not in the export");
    if (r->ports_wrong)
        close_rule(s, F_SOURCE_PORTS_CLOSED, ON_PROXIES, r, "source_port_low", "LimitSourcePortLow",
                   "refuses every connection: its limits of client ports leave none");
    if (r->schedule && !schedule_is_daily(r->schedule))
        close_rule(
            s, F_STREAM_SCHEDULE_CLOSED, ON(TARGET_NGINX), r, "schedule", "ScheduleUsed",
            "refuses every connection: its schedule differs from day to day, and nginx does not tell streams the day");
}

/* ---- what is lost ----------------------------------------------------------------------------------------------------- */
/* B-150. Errors for mail: a server that takes every client for its own proxy relays for everybody. */
static void assess_client_address(struct assessing *s, const struct plan_server_rule *r)
{
    if (r->client_address == CLIENT_ADDRESS_TRANSPARENT)
        about(s, F_STREAM_HOST, ON_PROXIES, r, "from_firewall", "UseFirewallIPAsSource",
              "connects to its server from the client's address, for which the host must be prepared");
    if (r->rule->from_firewall)
        return;
    bool mail = has_port(r, TRANSPORT_TCP, 25) || has_port(r, TRANSPORT_TCP, 465) || has_port(r, TRANSPORT_TCP, 587);
    unsigned lost = r->client_address == CLIENT_ADDRESS_LOST ? ON_PROXIES : 0;
    for (size_t i = 0; i < r->doors.n; i++)
        if (r->client_address == CLIENT_ADDRESS_PROXY_PROTOCOL && r->doors.v[i].transport == TRANSPORT_UDP)
            lost |= ON(TARGET_NGINX);
    if (!lost)
        return;
    struct finding *x = about(
        s, F_STREAM_CLIENT_LOST, lost, r, "from_firewall", "UseFirewallIPAsSource",
        mail
            ? "its mail server saw the client's address and now sees the proxy's: relay rules, block lists and SPF fail"
            : "its server saw the client's address and now sees the proxy's");
    if (x && mail)
        x->severity = SEV_ERROR;
}

/* Protocols that are known to open more connections, where the export does not say so itself. */
static bool opens_more(const struct plan_server_rule *r)
{
    static const struct {
        enum transport transport;
        long port;
    } known[] = { { TRANSPORT_TCP, 21 },   { TRANSPORT_TCP, 135 },  { TRANSPORT_TCP, 554 },  { TRANSPORT_TCP, 1720 },
                  { TRANSPORT_TCP, 1755 }, { TRANSPORT_UDP, 5060 }, { TRANSPORT_TCP, 5060 }, { TRANSPORT_TCP, 5061 } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (has_port(r, known[i].transport, known[i].port))
            return true;
    return r->protocol->secondary.n > 0;
}

static void assess_protocol(struct assessing *s, const struct plan_server_rule *r)
{
    const struct protocol *p = r->protocol;
    if (opens_more(r))
        about(s, F_STREAM_SECONDARY, ON_ALL, r, "protocol", "SecondaryConnections",
              arena_printf(s->f->arena, "the protocol %s opens further connections, which no target follows", p->name));
    for (size_t i = 0; i < p->filters.n; i++)
        about(s, F_STREAM_FILTER, ON_ALL, r, "protocol", "ApplicationFilters",
              arena_printf(s->f->arena, "the application filter %s no longer looks into the traffic", p->filters.v[i]));
    if (has_port(r, TRANSPORT_TCP, 80) || has_port(r, TRANSPORT_TCP, 443))
        about(s, F_STREAM_HTTP, ON_PROXIES, r, "protocol", "PublishedProtocol",
              "publishes a web server as bare TCP: its certificate and its authentication are its own");
}

/* ---- never reached -------------------------------------------------------------------------------------------------- */
static bool takes_all(const struct plan_server_rule *r)
{
    return r->any_source && !r->sources_unknown && !r->schedule && !r->rule->schedule_unknown &&
           !server_rule_limits_ports(r);
}

/* For each rule, whether some port of it is left to it, and the rule that takes all of one that is not. */
static void assess_shadowed(struct assessing *s)
{
    const struct plan *p = s->plan;
    struct arena *a = arena_new();
    bool *reached = arena_alloc(a, (p->server_rules.n + 1) * sizeof *reached);
    const struct plan_server_rule **by = arena_alloc(a, (p->server_rules.n + 1) * sizeof *by);
    for (size_t i = 0; i < p->streams.n; i++) {
        const struct plan_server_rule *all = NULL;
        for (size_t k = 0; k < p->streams.v[i].tries.n; k++) {
            const struct plan_server_rule *r = &p->server_rules.v[p->streams.v[i].tries.v[k].rule];
            if (all && all != r)
                by[r->index] = all;
            else
                reached[r->index] = true;
            if (!all && takes_all(r))
                all = r;
        }
    }
    for (size_t i = 0; i < p->server_rules.n; i++)
        if (by[i] && !reached[i])
            about(s, F_SHADOWED, ON_PROXIES, &p->server_rules.v[i], NULL, "Order",
                  arena_printf(s->f->arena, "takes no connection: server rule %u \"%s\" takes everything on its ports",
                               (unsigned)by[i]->index + 1, by[i]->rule->name));
    arena_free(a);
}

void assess_server_rules(struct assessing *s)
{
    const struct plan *p = s->plan;
    for (size_t i = 0; i < p->server_rules.n; i++) {
        struct plan_server_rule *r = &s->plan->server_rules.v[i];
        if (!r->answers || r->rule->action == ACTION_DENY)
            continue;
        assess_carriers(s, r);
        assess_protocol(s, r);
        if (r->rule->route)
            about(s, F_STREAM_ROUTE, ON_ALL, r, "route", "RoutingType",
                  "its networks are routed: clients connect to the server's own address, where no proxy listens");
        if (!r->doors.n)
            continue;
        assess_conditions(s, r);
        assess_client_address(s, r);
    }
    if (!p->streams.n)
        return;
    assess_shadowed(s);
    assess_about(s, F_STREAM_REFUSED, ON_PROXIES, NULL, NULL, NULL, NULL,
                 "a connection that no server publishing rule takes is accepted and closed at once");
    assess_about(
        s, F_STREAM_FILE, ON(TARGET_NGINX), NULL, NULL, NULL, NULL,
        "server publishing rules stand in stream.conf, which needs nginx's stream module and an nginx of its own");
}
