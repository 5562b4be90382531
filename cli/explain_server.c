/* explain_server: which server publishing rule takes a connection - "tcp://192.0.2.1:25", "udp://192.0.2.1:53" - why each
 * earlier one did not, and what each target does with it. */
#include "../ir/decide_server.h"
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#define OUTSIDE "203.0.113.1" /* documentation, RFC 5737 */

bool is_connection(const char *operand)
{
    return ascii_ncasecmp(operand, "tcp://", 6) == 0 || ascii_ncasecmp(operand, "udp://", 6) == 0;
}

/* "192.0.2.1:25". The port may be missing if least is 0. */
static bool take_place(struct arena *a, const char *text, long least, uint32_t *ip, uint16_t *port)
{
    const char *colon = strchr(text, ':');
    long n = 0;
    if (colon) {
        char *end;
        n = strtol(colon + 1, &end, 10);
        if (end == colon + 1 || (*end && strcmp(end, "/") != 0))
            return false;
    }
    *port = (uint16_t)n;
    return n >= least && n <= 65535 && ip_parse(colon ? arena_strndup(a, text, (size_t)(colon - text)) : text, ip);
}

static int take_connection(struct cli *c, const char *operand, struct connection *q)
{
    const char *from = c->value[OPT_FROM] ? c->value[OPT_FROM] : OUTSIDE, *at = c->value[OPT_AT];
    *q = (struct connection){ .transport = ascii_lower(*operand) == 'u' ? TRANSPORT_UDP : TRANSPORT_TCP, .hour = -1 };
    if (!take_place(c->arena, operand + 6, 1, &q->address, &q->port))
        return cli_error(c, "%s: a connection is tcp:// or udp:// with an address and a port", operand);
    if (!take_place(c->arena, from, 0, &q->client, &q->client_port))
        return cli_error(c, "--from %s: an IPv4 address, and perhaps a port", from);
    if (at && (q->hour = asked_hour(at)) < 0)
        return cli_error(c, "--at \"%s\": a day and an hour, as in \"Tue 03:00\"", at);
    return EXIT_DONE;
}

/* ---- words ------------------------------------------------------------------------------------------------------ */
static const char *passage_text(struct arena *a, const struct passage_decision *d)
{
    switch (d->passage) {
    case PASSAGE_NOBODY: return "nobody listens there";
    case PASSAGE_NO_RULE: return "refused: no rule takes it";
    case PASSAGE_DENIED: return "refused: a deny rule";
    case PASSAGE_CLOSED: return "refused: closed, because a restriction of the rule cannot be judged here";
    case PASSAGE_ELSEWHERE: return "not carried by this target";
    case PASSAGE_RELAYED: return arena_printf(a, "relayed to %s:%u", d->door->host, (unsigned)d->port);
    }
    return "";
}

static uint32_t why_not(struct strbuf *b, const struct server_rule *r, enum server_condition failed,
                        const struct connection *q)
{
    switch (failed) {
    case SERVER_FAILED_SOURCE:
        buf_puts(b, "the client address ");
        buf_ip(b, q->client);
        buf_puts(b, " is not among its sources");
        return origin_line(&r->at, "sources");
    case SERVER_FAILED_PORT:
        buf_printf(b, "the client port %u is outside its limits", (unsigned)q->client_port);
        return origin_line(&r->at, "source_port_low");
    case SERVER_FAILED_SCHEDULE:
        buf_printf(b, "it does not apply at that hour (%s)", r->schedule ? r->schedule : "");
        return origin_line(&r->at, "schedule");
    case SERVER_MATCHED: break;
    }
    return r->at.line;
}

static const char *config_of(struct arena *a, unsigned t)
{
    const struct target_output *o = &target_outputs[t];
    return arena_printf(a, "%s/%s", o->folder, o->stream_file ? o->stream_file : o->file);
}

static const struct rule_lines *lines_of(const struct emission *e, int rule)
{
    bool there = rule >= 0 && (size_t)rule < e->server_rules.n && e->server_rules.v[rule].first;
    return there ? &e->server_rules.v[rule] : NULL;
}

/* ---- text ----------------------------------------------------------------------------------------------------------- */
static void print_text(struct cli *c, const struct plan *p, const struct emission *emitted, const struct connection *q,
                       const struct passage_decision *source, const struct passage_decision *on, struct strbuf *b)
{
    buf_printf(b, "%s://", q->transport == TRANSPORT_UDP ? "udp" : "tcp");
    buf_ip(b, q->address);
    buf_printf(b, ":%u from ", (unsigned)q->port);
    buf_ip(b, q->client);
    buf_putc(b, '\n');
    for (size_t i = 0; i < source->trail.n; i++) {
        const struct server_rule *r = p->server_rules.v[source->trail.v[i].rule].rule;
        struct strbuf why = { 0 };
        uint32_t line = why_not(&why, r, source->trail.v[i].failed, q);
        buf_printf(b, "  server rule %-4u \"", source->trail.v[i].rule + 1);
        buf_visible(b, r->name);
        buf_puts(b, "\"  no: ");
        buf_visible(b, why.p);
        buf_printf(b, " [line %u]\n", line);
        buf_free(&why);
    }
    if (source->rule >= 0) {
        const struct server_rule *r = p->server_rules.v[source->rule].rule;
        buf_printf(b, "  server rule %-4d \"", source->rule + 1);
        buf_visible(b, r->name);
        buf_printf(b, "\"  takes it [line %u]\n", r->at.line);
    }
    buf_printf(b, "%s\n", passage_text(c->arena, source));
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(c->targets & ON(t)))
            continue;
        const struct rule_lines *l = lines_of(&emitted[t], on[t].rule);
        buf_printf(b, "%-9s %s", target_names[t], config_of(c->arena, t));
        if (l)
            buf_printf(b, ":%u-%u", l->first, l->last);
        buf_printf(b, ": %s\n", passage_text(c->arena, &on[t]));
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------- */
static void json_name(struct strbuf *b, const char *key, const char *value)
{
    buf_printf(b, ", \"%s\": ", key);
    if (value)
        buf_json(b, value);
    else
        buf_puts(b, "null");
}

static void json_passage(struct cli *c, const struct plan *p, const struct passage_decision *d, struct strbuf *b)
{
    json_name(b, "rule", d->rule >= 0 ? p->server_rules.v[d->rule].rule->name : NULL);
    json_name(b, "answer", passage_names[d->passage]);
    json_name(b, "to",
              d->passage == PASSAGE_RELAYED ? arena_printf(c->arena, "%s:%u", d->door->host, (unsigned)d->port) : NULL);
}

static void print_json(struct cli *c, const struct plan *p, const struct emission *emitted, const struct connection *q,
                       const struct passage_decision *source, const struct passage_decision *on, struct strbuf *b)
{
    struct strbuf ip = { 0 };
    buf_ip(&ip, q->client);
    buf_printf(b, "{\"transport\": \"%s\", \"port\": %u", q->transport == TRANSPORT_UDP ? "udp" : "tcp",
               (unsigned)q->port);
    json_name(b, "client", ip.p);
    buf_free(&ip);
    buf_puts(b, ", \"trail\": [");
    for (size_t i = 0; i < source->trail.n; i++) {
        buf_printf(b, "%s{\"failed\": \"%s\"", i ? ", " : "", server_condition_names[source->trail.v[i].failed]);
        json_name(b, "rule", p->server_rules.v[source->trail.v[i].rule].rule->name);
        buf_putc(b, '}');
    }
    buf_puts(b, "]");
    json_passage(c, p, source, b);
    buf_puts(b, ", \"targets\": {");
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(c->targets & ON(t)))
            continue;
        const struct rule_lines *l = lines_of(&emitted[t], on[t].rule);
        buf_printf(b, "%s\"%s\": {\"file\": \"%s\"", comma, target_names[t], config_of(c->arena, t));
        if (l)
            buf_printf(b, ", \"first_line\": %u, \"last_line\": %u", l->first, l->last);
        json_passage(c, p, &on[t], b);
        buf_putc(b, '}');
        comma = ", ";
    }
    buf_puts(b, "}}\n");
}

int explain_connection(struct cli *c, const struct plan *p, const struct emission *emitted, bool json, struct strbuf *b)
{
    struct connection q;
    struct passage_decision source, on[TARGETS];
    int status = take_connection(c, c->operands.v[1], &q);
    if (status != EXIT_DONE)
        return status;
    if (c->value[OPT_LIVE])
        return cli_error(c, "--live asks for requests of http or https, not for connections");
    decide_connection(p, TARGETS, &q, c->arena, &source);
    for (unsigned t = 0; t < TARGETS; t++)
        decide_connection(p, (enum target)t, &q, c->arena, &on[t]);
    (json ? print_json : print_text)(c, p, emitted, &q, &source, on, b);
    return EXIT_DONE;
}
