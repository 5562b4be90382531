/* explain: which rule answers a request, why each earlier one did not, and what each target does with it. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

struct explaining {
    struct cli *cli;
    struct cli_input in;
    struct emission emitted[TARGETS];
    struct arena *arenas[TARGETS];
    bool color;
    struct live live;
};

#define ANYWHERE "203.0.113.1" /* a client outside: documentation, RFC 5737 */

static const char *bold(const struct explaining *x)
{
    return x->color ? "\033[1m" : "";
}
static const char *plain(const struct explaining *x)
{
    return x->color ? "\033[0m" : "";
}

/* ---- the request --------------------------------------------------------------- */

static int take_options(struct explaining *x, struct asked *q, int *hour)
{
    struct cli *c = x->cli;
    const char **v = c->value;
    *hour = -1;
    if (v[OPT_METHOD])
        q->method = v[OPT_METHOD];
    for (size_t i = 0; i < c->headers.n; i++)
        if (ascii_ncasecmp(c->headers.v[i], "host:", 5) == 0)
            q->host = c->headers.v[i] + 5 + strspn(c->headers.v[i] + 5, " \t");
    if (v[OPT_HOST])
        q->host = *v[OPT_HOST] ? v[OPT_HOST] : NULL;
    if (v[OPT_FROM] && !(q->from = ip_parse(v[OPT_FROM], &q->client)))
        return cli_error(c, "--from %s: an IPv4 address", v[OPT_FROM]);
    if (v[OPT_USER])
        q->user = strcmp(v[OPT_USER], "none") == 0 ? NULL : v[OPT_USER];
    if (v[OPT_AT] && (*hour = asked_hour(v[OPT_AT])) < 0)
        return cli_error(c, "--at \"%s\": a day and an hour, as in \"Tue 03:00\"", v[OPT_AT]);
    if (!q->from)
        ip_parse(ANYWHERE, &q->client);
    return EXIT_DONE;
}

static void explain_one(struct explaining *x, struct arena *a, const struct asked *q, size_t number, int hour,
                        bool trail, struct explained *e)
{
    const struct plan *p = x->in.plan;
    *e = (struct explained){ .asked = *q, .number = number };
    int l = asked_listener(p, q, x->cli->value[OPT_TO], &e->others);
    if (l < 0)
        return;
    e->listener = &p->listeners.v[l];
    e->request = asked_request(p, q, (size_t)l, hour);
    if (q->user) {
        strings *sets = arena_alloc(a, sizeof *sets);
        asked_user_sets(a, p, q->user, &x->cli->groups, sets);
        e->request.user_sets = sets;
    }
    decide(p, &e->request, trail, a, &e->source);
    for (unsigned t = 0; t < TARGETS; t++) {
        e->on[t] = e->source;
        decide_for_target(p, (enum target)t, &e->request, &e->on[t]);
    }
}

/* ---- why a rule did not answer -------------------------------------------------- */

static void list_names(struct strbuf *b, const struct rule *r)
{
    for (size_t i = 0; i < r->names.n && i < 4; i++)
        buf_printf(b, "%s%s", i ? ", " : "", r->names.v[i].name);
    if (r->names.n > 4)
        buf_printf(b, " and %zu more", r->names.n - 4);
}

static void list_paths(struct strbuf *b, const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n && i < 4; i++) {
        buf_puts(b, i ? ", " : "");
        buf_path_pattern(b, r->paths.v[i].kind, r->paths.v[i].external);
    }
    if (r->paths.n > 4)
        buf_printf(b, " and %zu more", r->paths.n - 4);
}

/* One clause, and the export line of the setting that failed. */
static uint32_t why_not(struct strbuf *b, const struct rule *r, enum condition failed, const struct request *q)
{
    switch (failed) {
    case FAILED_NAME:
        buf_puts(b, "the host is none of its public names (");
        list_names(b, r);
        buf_putc(b, ')');
        return r->names.n ? r->names.v[0].line : origin_line(&r->at, "names");
    case FAILED_PATH:
        buf_puts(b, "the path is under none of its paths (");
        list_paths(b, r);
        buf_putc(b, ')');
        return r->paths.n ? r->paths.v[0].line : origin_line(&r->at, "paths");
    case FAILED_SOURCE:
        buf_puts(b, "the client address ");
        buf_ip(b, q->client);
        buf_puts(b, " is not among its sources");
        return origin_line(&r->at, "sources");
    case FAILED_SCHEDULE:
        buf_printf(b, "it does not apply at that hour (%s)", r->schedule);
        return origin_line(&r->at, "schedule");
    case FAILED_DISABLED: buf_puts(b, "it is disabled"); return origin_line(&r->at, "enabled");
    case FAILED_LISTENER: buf_puts(b, "it has no listener, name or path"); return r->at.line;
    case MATCHED: break;
    }
    return r->at.line;
}

static void print_trail(struct explaining *x, struct strbuf *b, const struct explained *e)
{
    const struct plan *p = x->in.plan;
    size_t shown = 0, limit = x->cli->value[OPT_VERBOSE] ? SIZE_MAX : 40;
    for (size_t i = 0; i < e->source.trail.n; i++) {
        const struct rule *r = p->rules.v[e->source.trail.v[i].rule].rule;
        if (shown++ == limit) {
            buf_printf(b, "  … %zu more rules that do not match (-v shows them)\n", e->source.trail.n - i);
            break;
        }
        struct strbuf why = { 0 };
        uint32_t line = why_not(&why, r, e->source.trail.v[i].failed, &e->request);
        buf_printf(b, "  rule %-4u \"", e->source.trail.v[i].rule + 1);
        buf_visible(b, r->name);
        buf_printf(b, "\"  no, %s: ", condition_names[e->source.trail.v[i].failed]);
        buf_visible(b, why.p);
        buf_printf(b, " [line %u]\n", line);
        buf_free(&why);
    }
    if (e->source.rule >= 0) {
        const struct rule *r = p->rules.v[e->source.rule].rule;
        buf_printf(b, "  %srule %-4d \"", bold(x), e->source.rule + 1);
        buf_visible(b, r->name);
        buf_printf(b, "\"  answers%s [line %u]\n", plain(x), r->at.line);
    }
}

/* ---- what happens ------------------------------------------------------------------ */

static const char *answer_text(struct arena *a, const struct decision *d)
{
    switch (d->answer) {
    case ANSWER_NO_RULE: return "403: no rule answers (the source's default rule)";
    case ANSWER_HTTPS: return arena_printf(a, "302 to %s", d->location);
    case ANSWER_DENY: return "403: a deny rule";
    case ANSWER_DENY_REDIRECT: return arena_printf(a, "302 to %s, a deny rule's redirect", d->location);
    case ANSWER_DOTS: return "403: with its dot segments resolved, the path lies outside the published ones";
    case ANSWER_NEEDS_SSL: return "403: the rule is for HTTPS only";
    case ANSWER_NEEDS_USER: return "the listener asks for credentials";
    case ANSWER_WRONG_USER: return "403: the user is in none of the rule's user sets";
    case ANSWER_PASS_OVER_HTTP:
        return "403: clients sign in to the published server themselves, which the source refused over plain HTTP (B-103)";
    case ANSWER_UNKNOWN: return "403: closed, because a restriction of the rule cannot be judged here";
    case ANSWER_NO_BACKEND: return "403: the rule has no usable published server";
    case ANSWER_FORWARD: return "forwarded";
    case ANSWER_OPTIONS: return "200: the proxy answers OPTIONS itself for this rule";
    case ANSWER_NEEDS_CERTIFICATE: return "403: the rule wants a certificate of the client";
    case ANSWER_FILTERED: {
        struct strbuf parts = { 0 };
        buf_filter_parts(&parts, d->filtered);
        const char *text = arena_printf(a, "502: the rule's HTTP filter refuses it (%s)", parts.p ? parts.p : "");
        buf_free(&parts);
        return text;
    }
    }
    return "";
}

/* B-65 */
static bool compresses(const struct plan_rule *r, uint32_t client)
{
    return r->compresses && (r->compresses_all || ipset_has(&r->compresses_for, client));
}

static void print_forward(struct strbuf *b, const struct plan *p, const struct explained *e)
{
    static const char *const delegations[] = { "none; the client may sign in to the server itself",
                                               "none; a 401 from the server becomes 403",
                                               "SecurID",
                                               "Basic",
                                               "NTLM",
                                               "Negotiate",
                                               "Kerberos constrained delegation" };
    const struct decision *d = &e->source;
    const struct rule *r = p->rules.v[d->rule].rule;
    for (size_t i = 0; i < d->to->servers.n; i++) {
        const struct plan_server *s = &d->to->servers.v[i];
        buf_printf(b, "  %-14s%s://%s:%u%s%s%s\n", i ? "" : "backend", d->to->tls ? "https" : "http", s->host, s->port,
                   strcmp(s->host, s->member) ? " for " : "", strcmp(s->host, s->member) ? s->member : "",
                   s->drained ? " (drained)" : "");
    }
    if (d->to->tls)
        buf_printf(b, "  %-14s%s\n", "verified as", r->site);
    buf_printf(b, "  %-14s", "path");
    buf_visible(b, d->target);
    buf_printf(b, "%s\n  %-14s", r->paths.v[d->path].internal ? " (rewritten)" : "", "Host");
    buf_visible(b, d->host ? d->host : "(none)");
    buf_printf(b, "%s\n", r->forward_host ? " (as sent)" : " (the internal site name)");
    buf_printf(b, "  %-14s", "headers");
    const struct plan_rule *pr = &p->rules.v[d->rule];
    buf_printf(b, "%s%s%s%s\n",
               r->accept_encoding ? ""
               : pr->asks_gzip    ? "Accept-Encoding: gzip; "
                                  : "Accept-Encoding removed; ",
               r->delegation == DELEGATE_NONE_BLOCK ? "Authorization removed; " : "",
               r->front_end_https ? "Front-End-Https: On added; " : "",
               pr->websocket ? "Upgrade passed" : "Upgrade removed");
    if (compresses(pr, e->asked.client)) {
        buf_printf(b, "  %-14s%s", "compressed", p->types.except ? "for a client that takes gzip, but not " : "");
        for (size_t i = 0; i < p->types.list.n; i++)
            buf_printf(b, "%s%s", i ? ", " : "", p->types.list.v[i]);
        buf_puts(b, p->types.except ? "\n" : ", for a client that takes gzip\n");
    }
    buf_printf(b, "  %-14s%s", "delegation", delegations[r->delegation]);
    for (size_t i = 0; i < r->spns.n; i++)
        buf_printf(b, "%s%s", i ? ", " : " as ", r->spns.v[i]);
    buf_putc(b, '\n');
}

static void print_text(struct explaining *x, struct arena *a, struct strbuf *b, const struct explained *e)
{
    const struct plan *p = x->in.plan;
    buf_printf(b, "%s%s %s://%s", bold(x), e->asked.method, e->asked.tls ? "https" : "http",
               e->asked.host ? e->asked.host : "(no Host)");
    buf_visible(b, e->asked.target);
    buf_printf(b, "%s from ", plain(x));
    buf_ip(b, e->asked.client);
    buf_puts(b, e->asked.user ? ", signed in as " : ", nobody signed in");
    buf_visible(b, e->asked.user ? e->asked.user : "");
    buf_putc(b, '\n');
    if (!e->listener) {
        buf_puts(b, "no listener takes such a request\n");
        return;
    }
    buf_puts(b, "listener \"");
    buf_visible(b, e->listener->listener->name);
    buf_printf(b, "\" [line %u]%s\n", e->listener->listener->at.line,
               e->others ? "; others take such requests too, --to ADDRESS:PORT chooses" : "");
    print_trail(x, b, e);
    buf_printf(b, "%s\n", answer_text(a, &e->source));
    if (e->source.answer == ANSWER_FORWARD || e->source.answer == ANSWER_NEEDS_USER)
        print_forward(b, p, e);
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(x->cli->targets & ON(t)))
            continue;
        const struct emission *m = &x->emitted[t];
        buf_printf(b, "%s%-9s%s ", bold(x), target_names[t], plain(x));
        if (e->source.rule >= 0 && (size_t)e->source.rule < m->rules.n && m->rules.v[e->source.rule].first)
            buf_printf(b, "%s/%s:%u-%u: ", target_outputs[t].folder, target_outputs[t].file,
                       m->rules.v[e->source.rule].first, m->rules.v[e->source.rule].last);
        else
            buf_printf(b, "%s/%s: ", target_outputs[t].folder, target_outputs[t].file);
        buf_visible(b, answer_text(a, &e->on[t]));
        buf_putc(b, '\n');
        if (x->live.asked)
            live_text(b, &x->live, (enum target)t, e->number);
    }
}

static void print_row(struct explaining *x, struct arena *a, struct strbuf *b, const struct explained *e)
{
    const struct plan *p = x->in.plan;
    buf_printf(b, "%-7s %s://%s", e->asked.method, e->asked.tls ? "https" : "http",
               e->asked.host ? e->asked.host : "-");
    buf_visible(b, e->asked.target);
    buf_puts(b, "  ->  ");
    if (e->source.rule >= 0) {
        buf_printf(b, "rule %d \"", e->source.rule + 1);
        buf_visible(b, p->rules.v[e->source.rule].rule->name);
        buf_puts(b, "\": ");
    }
    if (e->source.answer == ANSWER_FORWARD)
        buf_printf(b, "%s:%u%s", e->source.to->servers.v[0].host, e->source.to->servers.v[0].port,
                   e->source.to->servers.n > 1 ? " and others of its farm" : "");
    else
        buf_visible(b, e->listener ? answer_text(a, &e->source) : "no listener takes it");
    if (x->live.asked)
        live_row(b, &x->live, e->number);
    buf_putc(b, '\n');
}

static void json_pair(struct strbuf *b, const char *key, const char *value)
{
    buf_printf(b, ", \"%s\": ", key);
    if (value)
        buf_json(b, value);
    else
        buf_puts(b, "null");
}

static void json_trail(struct strbuf *b, const struct plan *p, const struct explained *e)
{
    const struct decision *d = &e->source;
    buf_puts(b, ", \"trail\": [");
    for (size_t i = 0; i < d->trail.n; i++) {
        struct strbuf why = { 0 };
        const struct rule *r = p->rules.v[d->trail.v[i].rule].rule;
        uint32_t line = why_not(&why, r, d->trail.v[i].failed, &e->request);
        buf_printf(b, "%s{\"rule\": ", i ? ", " : "");
        buf_json(b, r->name);
        json_pair(b, "failed", condition_names[d->trail.v[i].failed]);
        json_pair(b, "why", why.p);
        buf_printf(b, ", \"line\": %u}", line);
        buf_free(&why);
    }
    buf_puts(b, "]");
}

static void json_backend(struct strbuf *b, const struct plan *p, const struct explained *e)
{
    const struct decision *d = &e->source;
    buf_printf(b, ", \"backend\": {\"tls\": %s, \"servers\": [", d->to->tls ? "true" : "false");
    for (size_t i = 0; i < d->to->servers.n; i++) {
        buf_printf(b, "%s{\"host\": ", i ? ", " : "");
        buf_json(b, d->to->servers.v[i].host);
        json_pair(b, "member", d->to->servers.v[i].member);
        buf_printf(b, ", \"port\": %u, \"drained\": %s}", d->to->servers.v[i].port,
                   d->to->servers.v[i].drained ? "true" : "false");
    }
    buf_puts(b, "]}");
    json_pair(b, "sent_host", d->host);
    json_pair(b, "sent_target", d->target);
    buf_printf(b, ", \"compresses\": %s", compresses(&p->rules.v[d->rule], e->asked.client) ? "true" : "false");
}

static void json_targets(struct explaining *x, struct arena *a, struct strbuf *b, const struct explained *e)
{
    const struct decision *d = &e->source;
    buf_puts(b, ", \"targets\": {");
    bool more = false;
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(x->cli->targets & ON(t)))
            continue;
        buf_printf(b, "%s\"%s\": {\"answer\": ", more ? ", " : "", target_names[t]);
        buf_json(b, answer_names[e->on[t].answer]);
        buf_printf(b, ", \"status\": %d", e->on[t].status);
        json_pair(b, "file", arena_printf(a, "%s/%s", target_outputs[t].folder, target_outputs[t].file));
        if (d->rule >= 0 && (size_t)d->rule < x->emitted[t].rules.n)
            buf_printf(b, ", \"first_line\": %u, \"last_line\": %u", x->emitted[t].rules.v[d->rule].first,
                       x->emitted[t].rules.v[d->rule].last);
        if (x->live.asked)
            live_json(b, &x->live, (enum target)t, e->number);
        buf_putc(b, '}');
        more = true;
    }
    buf_puts(b, "}");
}

static void print_json(struct explaining *x, struct arena *a, struct strbuf *b, const struct explained *e)
{
    const struct plan *p = x->in.plan;
    const struct decision *d = &e->source;
    struct strbuf ip = { 0 };
    buf_ip(&ip, e->asked.client);
    buf_puts(b, "{\"method\": ");
    buf_json(b, e->asked.method);
    buf_printf(b, ", \"https\": %s", e->asked.tls ? "true" : "false");
    json_pair(b, "host", e->asked.host);
    json_pair(b, "target", e->asked.target);
    json_pair(b, "client", ip.p);
    json_pair(b, "user", e->asked.user);
    json_pair(b, "listener", e->listener ? e->listener->listener->name : NULL);
    json_trail(b, p, e);
    json_pair(b, "rule", d->rule >= 0 ? p->rules.v[d->rule].rule->name : NULL);
    json_pair(b, "guid", d->rule >= 0 ? p->rules.v[d->rule].rule->at.guid : NULL);
    if (d->rule >= 0)
        buf_printf(b, ", \"line\": %u", p->rules.v[d->rule].rule->at.line);
    json_pair(b, "answer", answer_names[d->answer]);
    buf_printf(b, ", \"status\": %d", d->status);
    json_pair(b, "location", d->location);
    if (d->to)
        json_backend(b, p, e);
    json_targets(x, a, b, e);
    buf_puts(b, "}\n");
    buf_free(&ip);
}

/* ---- the command -------------------------------------------------------------------- */

static int explain_list(struct explaining *x, bool json, struct strbuf *b)
{
    struct cli *c = x->cli;
    asked_list list = { 0 };
    struct strbuf err = { 0 };
    int status = EXIT_DONE;
    if (asked_read(c->arena, c->value[OPT_REQUESTS], c->value[OPT_HOST], true, &list, &err) < 0) {
        fputs(err.p, stderr);
        status = EXIT_FAILED;
    }
    for (size_t i = 0; i < list.n; i++)
        if (!list.v[i].from)
            ip_parse(ANYWHERE, &list.v[i].client);
    if (status == EXIT_DONE && c->value[OPT_LIVE])
        status = live_ask(c, &x->in, &list, &x->live);
    size_t unanswered = 0;
    for (size_t i = 0; i < list.n && status == EXIT_DONE; i++) {
        struct arena *a = arena_new();
        struct explained e;
        explain_one(x, a, &list.v[i], i, -1, false, &e);
        unanswered += !e.listener || e.source.answer == ANSWER_NO_RULE;
        (json ? print_json : print_row)(x, a, b, &e);
        arena_free(a);
    }
    if (status == EXIT_DONE && !json)
        buf_printf(b, "%zu requests, %zu of them answered by no rule\n", list.n, unanswered);
    if (status == EXIT_DONE && !json && x->live.asked)
        live_summary(b, &x->live);
    buf_free(&err);
    return status;
}

static int explain_operand(struct explaining *x, bool json, struct strbuf *b)
{
    struct cli *c = x->cli;
    struct asked q;
    struct explained e;
    int hour;
    if (is_connection(c->operands.v[1]))
        return explain_connection(c, x->in.plan, x->emitted, json, b);
    if (!asked_url(c->arena, c->operands.v[1], &q))
        return cli_error(
            c, "%s: a request is a URL of http or https; a connection is tcp:// or udp:// with address and port",
            c->operands.v[1]);
    int status = take_options(x, &q, &hour);
    if (status != EXIT_DONE)
        return status;
    if (c->value[OPT_LIVE]) {
        asked_list one = { 0 };
        vec_add(c->arena, &one, q);
        status = live_ask(c, &x->in, &one, &x->live);
        if (status != EXIT_DONE)
            return status;
    }
    explain_one(x, c->arena, &q, 0, hour, true, &e);
    (json ? print_json : print_text)(x, c->arena, b, &e);
    return EXIT_DONE;
}

int cmd_explain(struct cli *c)
{
    struct explaining x = { .cli = c, .color = use_color(c, stdout) };
    struct strbuf b = { 0 }, err = { 0 };
    const char *format = c->value[OPT_FORMAT] ? c->value[OPT_FORMAT] : "text";
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0)
        return cli_error(c, "--format %s: text or json", format);
    if ((c->operands.n == 2) == (c->value[OPT_REQUESTS] != NULL))
        return cli_error(c, "give a request, or a file of them with --requests (see tmgc help explain)");
    int status = input_load(c, c->operands.v[0], &x.in);
    for (unsigned t = 0; t < TARGETS && status == EXIT_DONE; t++) {
        x.arenas[t] = arena_new();
        if (c->targets & ON(t) && target_outputs[t].emit(x.in.plan, x.arenas[t], &x.emitted[t], &err) < 0) {
            fputs(err.p, stderr);
            status = EXIT_FAILED;
        }
    }
    if (status == EXIT_DONE)
        status = c->value[OPT_REQUESTS] ? explain_list(&x, json, &b) : explain_operand(&x, json, &b);
    if (status == EXIT_DONE)
        status = print_out(&b);
    if (status == EXIT_DONE && x.live.asked)
        status = live_status(&x.live);
    live_free(&x.live);
    for (unsigned t = 0; t < TARGETS; t++) {
        emission_free(&x.emitted[t]);
        arena_free(x.arenas[t]);
    }
    buf_free(&b);
    buf_free(&err);
    input_free(&x.in);
    return status;
}
