/* What a run of verify found, for people and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "verify.h"

#define CASES_SHOWN 200 /* of one target in the text; JSON has them all */

static const char *const what[] = {
    [MATCHED] = "rule", [FAILED_NAME] = "name", [FAILED_PATH] = "path", [FAILED_SOURCE] = "source"
};

void verify_report_free(struct verify_report *r)
{
    if (r->arena)
        arena_free(r->arena);
    *r = (struct verify_report){ 0 };
}

int verify_status(const struct verify_report *r)
{
    int status = 0;
    for (int t = 0; t < TARGETS; t++) {
        if (r->targets[t].wanted && (!r->targets[t].ran || r->targets[t].streams_why_not))
            return 2;
        if (r->targets[t].count[VERDICT_DISAGREED])
            status = 1;
    }
    return status;
}

size_t verify_not_probed(const struct verify_report *r)
{
    size_t n = 0;
    bool proxies = r->targets[TARGET_NGINX].wanted || r->targets[TARGET_HAPROXY].wanted;
    for (size_t i = 0; i < r->plan->server_rules.n; i++) {
        const plan_doors *doors = &r->plan->server_rules.v[i].doors;
        bool probed = !doors->n;
        for (size_t k = 0; k < doors->n; k++)
            probed |= proxies && doors->v[k].transport == TRANSPORT_TCP;
        n += !probed;
    }
    return n;
}

size_t verify_asked(const struct verify_report *r, enum target t)
{
    return ON(t) & ON_PROXIES ? r->probes : r->probes - r->connections;
}

bool verify_subject(const struct verify_report *r, const struct verify_case *c, struct verify_subject *out)
{
    const struct verify_target *t = &r->targets[c->target];
    *out = (struct verify_subject){ .config = c->server_rule >= 0 ? t->streams_config : t->config };
    if (c->rule >= 0) {
        const struct rule *rule = r->plan->rules.v[c->rule].rule;
        *out = (struct verify_subject){ rule->name, rule->at.guid, rule->at.line, { 0, 0 }, out->config };
        if ((size_t)c->rule < t->lines.n)
            out->at = t->lines.v[c->rule];
    } else if (c->server_rule >= 0) {
        const struct server_rule *rule = r->plan->server_rules.v[c->server_rule].rule;
        *out = (struct verify_subject){ rule->name, rule->at.guid, rule->at.line, { 0, 0 }, out->config };
        if ((size_t)c->server_rule < t->server_lines.n)
            out->at = t->server_lines.v[c->server_rule];
    }
    return c->rule >= 0 || c->server_rule >= 0;
}

static const struct rule *rule_of(const struct verify_report *r, int index)
{
    return index >= 0 ? r->plan->rules.v[index].rule : NULL;
}

/* ---- text ---------------------------------------------------------------------------- */

static void put_name(struct strbuf *o, const char *name)
{
    buf_puts(o, "rule \"");
    buf_visible(o, name);
    buf_putc(o, '"');
}

static void rule_name(struct strbuf *o, const struct verify_report *r, int index)
{
    put_name(o, rule_of(r, index)->name);
}

static void text_case(struct strbuf *o, const struct verify_report *r, const struct verify_case *c)
{
    buf_printf(o, "\n%s: %s: ", target_names[c->target], verdict_names[c->verdict]);
    if (c->finding >= 0)
        buf_printf(o, "TMG%u %s: ", finding_kinds[c->finding].code, finding_kinds[c->finding].name);
    buf_printf(o, "%s\n", c->aim);
    struct verify_subject of;
    if (verify_subject(r, c, &of)) {
        buf_printf(o, "  of:       %s", c->server_rule >= 0 ? "server " : "");
        put_name(o, of.name);
        if (of.line) {
            buf_puts(o, ", ");
            buf_visible(o, r->plan->policy->source ? r->plan->policy->source : "export");
            buf_printf(o, ":%u", of.line);
        }
        if (of.at.first)
            buf_printf(o, ", %s:%u-%u", of.config, of.at.first, of.at.last);
        buf_putc(o, '\n');
    }
    buf_puts(o, "  request:  ");
    if (strlen(c->curl) > 600) {
        buf_add(o, c->curl, 600);
        buf_puts(o, "...");
    } else
        buf_visible(o, c->curl);
    buf_puts(o, "\n  expected: ");
    buf_visible(o, c->expected);
    buf_puts(o, "\n  came:     ");
    buf_visible(o, c->got);
    buf_putc(o, '\n');
}

static void text_cases(struct strbuf *o, const struct verify_report *r, bool all)
{
    size_t shown[TARGETS] = { 0 }, hidden[TARGETS] = { 0 };
    for (size_t i = 0; i < r->cases.n; i++) {
        const struct verify_case *c = &r->cases.v[i];
        if (c->verdict != VERDICT_DISAGREED && !all)
            continue;
        if (shown[c->target]++ < CASES_SHOWN)
            text_case(o, r, c);
        else
            hidden[c->target]++;
    }
    for (int t = 0; t < TARGETS; t++)
        if (hidden[t])
            buf_printf(o, "\n%s: %zu more; --format json has them all\n", target_names[t], hidden[t]);
}

/* The declared differences, counted by finding. */
static void text_declared(struct strbuf *o, const struct verify_report *r, int target)
{
    for (int id = 0; id < FINDINGS; id++) {
        size_t n = 0;
        for (size_t i = 0; i < r->cases.n; i++)
            n += r->cases.v[i].finding == id && (int)r->cases.v[i].target == target &&
                 r->cases.v[i].verdict == VERDICT_DECLARED;
        if (n)
            buf_printf(o, "             %zu declared: TMG%u %s\n", n, finding_kinds[id].code, finding_kinds[id].name);
    }
}

static void text_condition(struct strbuf *o, const struct verify_report *r, const struct verify_condition *c)
{
    int by = c->seen_true ? c->false_hidden_by : c->true_hidden_by;
    buf_puts(o, "  ");
    rule_name(o, r, (int)c->rule);
    if (c->condition == MATCHED)
        buf_puts(o, " answers no request");
    else
        buf_printf(o, ": no request reaches it whose %s %s", what[c->condition],
                   c->seen_true ? "does not fit" : "fits");
    if (by == (int)c->rule)
        buf_puts(o, ": its sources hold no address");
    else if (by >= 0) {
        buf_puts(o, ": ");
        rule_name(o, r, by);
        buf_puts(o, " answers them before");
    }
    buf_putc(o, '\n');
}

struct verify_sides verify_sides(const struct verify_report *r)
{
    struct verify_sides n = { 0, 0, 0 };
    for (size_t i = 0; i < r->conditions.n; i++) {
        const struct verify_condition *c = &r->conditions.v[i];
        if (c->condition == MATCHED)
            continue;
        n.seen += (size_t)c->seen_true + c->seen_false;
        n.hidden += (size_t)(!c->seen_true && c->true_hidden_by >= 0) + (!c->seen_false && c->false_hidden_by >= 0);
        n.missed += (size_t)(!c->seen_true && c->true_hidden_by < 0) + (!c->seen_false && c->false_hidden_by < 0);
    }
    return n;
}

static void text_coverage(struct strbuf *o, const struct verify_report *r)
{
    struct verify_sides n = verify_sides(r);
    buf_printf(
        o,
        "\nCoverage: of %zu sides of conditions (name, path and source of each rule, fitting and not) %zu were seen, %zu cannot be reached",
        n.seen + n.hidden + n.missed, n.seen, n.hidden);
    buf_printf(o, n.missed ? ", %zu were not seen.\n" : ".\n", n.missed);
    for (size_t i = 0; i < r->conditions.n; i++) {
        const struct verify_condition *c = &r->conditions.v[i];
        if (!c->seen_true || !c->seen_false)
            text_condition(o, r, c);
    }
}

static void text_not_probed(struct strbuf *o, const struct verify_report *r)
{
    size_t n = verify_not_probed(r);
    if (n)
        buf_printf(
            o,
            "\nNot probed: %zu server publishing rule%s; connections over TCP to nginx and HAProxy are. `tmgc explain` "
            "with udp://ADDRESS:PORT says which rule takes a datagram.\n",
            n, n == 1 ? "" : "s");
}

void verify_report_text(struct strbuf *o, const struct verify_report *r, bool all)
{
    text_cases(o, r, all);
    if (o->n)
        buf_putc(o, '\n');
    for (int t = 0; t < TARGETS; t++) {
        const struct verify_target *v = &r->targets[t];
        if (!v->wanted)
            continue;
        if (!v->ran)
            buf_printf(o, "%-9s not tested: %s\n", target_names[t], v->why_not);
        else {
            size_t asked = verify_asked(r, (enum target)t), requests = r->probes - r->connections;
            buf_printf(o, "%-9s %zu requests", target_names[t], requests);
            if (asked > requests)
                buf_printf(o, " and %zu connections", asked - requests);
            buf_printf(o, ": %zu agreed, %zu agreed with a declared difference, %zu disagreed, %zu untested\n",
                       v->count[VERDICT_AGREED], v->count[VERDICT_DECLARED], v->count[VERDICT_DISAGREED],
                       v->count[VERDICT_UNTESTED]);
            text_declared(o, r, t);
            if (v->streams_why_not)
                buf_printf(o, "             server publishing was not tested: %s\n", v->streams_why_not);
        }
    }
    text_coverage(o, r);
    text_not_probed(o, r);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void key(struct strbuf *o, const char *name, const char *text)
{
    buf_printf(o, "\"%s\": ", name);
    if (text)
        buf_json(o, text);
    else
        buf_puts(o, "null");
}

static void rule_key(struct strbuf *o, const struct verify_report *r, const char *name, int rule)
{
    key(o, name, rule >= 0 ? rule_of(r, rule)->name : NULL);
}

static void json_target(struct strbuf *o, const struct verify_report *r, int t)
{
    const struct verify_target *v = &r->targets[t];
    buf_printf(o, "    {\"target\": \"%s\", \"ran\": %s, ", target_names[t], v->ran ? "true" : "false");
    key(o, "config", v->config);
    buf_puts(o, ", ");
    key(o, "why_not", v->why_not);
    buf_puts(o, ", ");
    key(o, "streams_why_not", v->streams_why_not);
    for (int k = 0; k < VERDICTS; k++)
        buf_printf(o, ", \"%s\": %zu", verdict_names[k], v->count[k]);
    buf_putc(o, '}');
}

static void json_case(struct strbuf *o, const struct verify_report *r, const struct verify_case *c)
{
    struct verify_subject of;
    verify_subject(r, c, &of);
    buf_printf(o, "    {\"target\": \"%s\", \"verdict\": \"%s\", \"probe\": %zu, ", target_names[c->target],
               verdict_names[c->verdict], c->probe);
    key(o, "aim", c->aim);
    buf_puts(o, ", ");
    rule_key(o, r, "rule", c->rule);
    buf_puts(o, ", ");
    if (c->server_rule >= 0) {
        key(o, "server_rule", of.name);
        buf_puts(o, ", ");
    }
    key(o, "guid", of.guid);
    buf_printf(o, ", \"line\": %u, \"config_first\": %u, \"config_last\": %u, ", of.line, of.at.first, of.at.last);
    if (c->finding >= 0)
        buf_printf(o, "\"finding\": \"TMG%u\", ", finding_kinds[c->finding].code);
    key(o, "request", c->curl);
    buf_puts(o, ", ");
    key(o, "expected", c->expected);
    buf_puts(o, ", ");
    key(o, "got", c->got);
    buf_putc(o, '}');
}

static void json_condition(struct strbuf *o, const struct verify_report *r, const struct verify_condition *c)
{
    buf_puts(o, "    {");
    rule_key(o, r, "rule", (int)c->rule);
    buf_printf(o, ", \"condition\": \"%s\", \"seen_true\": %s, \"seen_false\": %s, ", what[c->condition],
               c->seen_true ? "true" : "false", c->seen_false ? "true" : "false");
    rule_key(o, r, "true_hidden_by", c->true_hidden_by);
    buf_puts(o, ", ");
    rule_key(o, r, "false_hidden_by", c->false_hidden_by);
    buf_putc(o, '}');
}

void verify_report_json(struct strbuf *o, const struct verify_report *r)
{
    const char *between = "\n";
    buf_printf(
        o,
        "{\n  \"verify\": 1,\n  \"probes\": %zu,\n  \"connections\": %zu,\n  \"seed\": %llu,\n  \"server_rules_not_probed\": %zu,\n  \"targets\": [",
        r->probes, r->connections, (unsigned long long)r->seed, verify_not_probed(r));
    for (int t = 0; t < TARGETS; t++)
        if (r->targets[t].wanted) {
            buf_puts(o, between);
            json_target(o, r, t);
            between = ",\n";
        }
    buf_puts(o, "\n  ],\n  \"cases\": [");
    between = "\n";
    for (size_t i = 0; i < r->cases.n; i++, between = ",\n") {
        buf_puts(o, between);
        json_case(o, r, &r->cases.v[i]);
    }
    buf_puts(o, "\n  ],\n  \"coverage\": [");
    between = "\n";
    for (size_t i = 0; i < r->conditions.n; i++, between = ",\n") {
        buf_puts(o, between);
        json_condition(o, r, &r->conditions.v[i]);
    }
    buf_puts(o, "\n  ]\n}\n");
}
