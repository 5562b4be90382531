/* What a run of verify found, as the section "Proof" of report.html: a fragment of the page, in the page's own classes. */
#include <string.h>

#include "verify.h"

#define CASES_SHOWN 200 /* of one target; report.json has them all */

static const struct rule *rule_of(const struct verify_report *r, int index)
{
    return r->plan->rules.v[index].rule;
}

/* "12 Name", the number a link to the rule's own part of the page. */
static void put_rule(struct strbuf *o, const struct verify_report *r, int index)
{
    const char *name = rule_of(r, index)->name;
    if (index < RULES_SHOWN)
        buf_printf(o, "<a href=\"#rule-%d\">%d</a> ", index + 1, index + 1);
    else
        buf_printf(o, "%d ", index + 1);
    html_text(o, name && *name ? name : "(no name)");
}

static void put_server_rule(struct strbuf *o, int index, const char *name)
{
    buf_printf(o, "<a href=\"#server-rule-%d\">%d</a> ", index + 1, index + 1);
    html_text(o, name && *name ? name : "(no name)");
}

/* ---- counts ---------------------------------------------------------------------------- */

static void put_counts(struct strbuf *o, const struct verify_report *r)
{
    buf_puts(
        o,
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"h-proof\" tabindex=\"0\"><table class=\"proof\"><thead><tr><th scope=\"col\">Program</th>"
        "<th scope=\"col\">Agreed</th><th scope=\"col\">With a declared difference</th><th scope=\"col\">Disagreed</th><th scope=\"col\">Not tested</th></tr></thead><tbody>\n");
    for (int t = 0; t < TARGETS; t++) {
        const struct verify_target *v = &r->targets[t];
        if (!v->wanted)
            continue;
        buf_printf(o, "<tr><th scope=\"row\">%s</th>", target_names[t]);
        if (v->ran)
            buf_printf(
                o,
                "<td><span class=\"v v1\">%zu</span></td><td><span class=\"v v2\">%zu</span></td><td><span class=\"v v%d\">%zu</span></td><td class=\"n\">%zu</td></tr>\n",
                v->count[VERDICT_AGREED], v->count[VERDICT_DECLARED], v->count[VERDICT_DISAGREED] ? 3 : 0,
                v->count[VERDICT_DISAGREED], v->count[VERDICT_UNTESTED]);
        else {
            buf_puts(o, "<td colspan=\"4\">not tested: ");
            html_text(o, v->why_not ? v->why_not : "");
            buf_puts(o, "</td></tr>\n");
        }
    }
    buf_puts(o, "</tbody></table></div>\n");
    for (int t = 0; t < TARGETS; t++)
        if (r->targets[t].streams_why_not) {
            buf_printf(o, "<p class=\"limit\">Server publishing was not tested on %s: ", target_names[t]);
            html_text(o, r->targets[t].streams_why_not);
            buf_puts(o, "</p>\n");
        }
}

static void put_declared(struct strbuf *o, const struct verify_report *r)
{
    size_t n[TARGETS][FINDINGS] = { { 0 } };
    const char *comma = "<p>Declared differences that were seen: ";
    for (size_t i = 0; i < r->cases.n; i++)
        if (r->cases.v[i].verdict == VERDICT_DECLARED && r->cases.v[i].finding >= 0)
            n[r->cases.v[i].target][r->cases.v[i].finding]++;
    for (int t = 0; t < TARGETS; t++)
        for (int id = 0; id < FINDINGS; id++) {
            if (!n[t][id])
                continue;
            buf_printf(o, "%s%s <a href=\"#TMG%u\">TMG%u</a> %zu times", comma, target_names[t], finding_kinds[id].code,
                       finding_kinds[id].code, n[t][id]);
            comma = ", ";
        }
    if (*comma == ',')
        buf_puts(o, ".</p>\n");
}

/* ---- disagreements ----------------------------------------------------------------------- */

static void put_case(struct strbuf *o, const struct verify_report *r, const struct verify_case *c)
{
    buf_printf(o, "<li><p><span class=\"v v3\">%s</span> ", target_names[c->target]);
    html_text(o, c->aim);
    struct verify_subject of;
    if (verify_subject(r, c, &of)) {
        buf_puts(o, c->rule >= 0 ? " \xc2\xb7 rule " : " \xc2\xb7 server rule ");
        if (c->rule >= 0)
            put_rule(o, r, c->rule);
        else
            put_server_rule(o, c->server_rule, of.name);
        if (of.line)
            buf_printf(o, " \xc2\xb7 export line %u", of.line);
        if (of.at.first)
            buf_printf(o, " \xc2\xb7 %s, lines %u to %u", of.config, of.at.first, of.at.last);
    }
    buf_puts(o, "</p><p>expected: ");
    html_text(o, c->expected);
    buf_puts(o, "<br>came: ");
    html_text(o, c->got);
    buf_puts(o, "</p><pre tabindex=\"0\"><code>");
    html_text(o, c->curl);
    buf_puts(o, "</code></pre></li>\n");
}

static void put_disagreements(struct strbuf *o, const struct verify_report *r)
{
    size_t shown[TARGETS] = { 0 }, all = 0;
    for (int t = 0; t < TARGETS; t++)
        all += r->targets[t].count[VERDICT_DISAGREED];
    if (!all)
        return;
    buf_puts(o, "<h3>Disagreements</h3>\n<ol class=\"steps\">\n");
    for (size_t i = 0; i < r->cases.n; i++)
        if (r->cases.v[i].verdict == VERDICT_DISAGREED && shown[r->cases.v[i].target]++ < CASES_SHOWN)
            put_case(o, r, &r->cases.v[i]);
    buf_puts(o, "</ol>\n");
    for (int t = 0; t < TARGETS; t++)
        if (shown[t] > CASES_SHOWN)
            buf_printf(o, "<p class=\"limit\">%zu more of %s are in report.json.</p>\n", shown[t] - CASES_SHOWN,
                       target_names[t]);
}

/* ---- coverage ---------------------------------------------------------------------------- */

static void put_side(struct strbuf *o, const char *what, bool seen, int hidden_by, int rule)
{
    buf_printf(o, "%s: ", what);
    if (seen)
        buf_puts(o, "seen");
    else if (hidden_by == rule)
        buf_puts(o, "cannot be; its sources hold no address");
    else if (hidden_by >= 0)
        buf_printf(o, "cannot be; rule %d answers before", hidden_by + 1);
    else
        buf_puts(o, "not seen");
}

static const struct verify_condition *condition_of(const struct verify_report *r, size_t from, size_t end,
                                                   enum condition c)
{
    for (size_t i = from; i < end; i++)
        if (r->conditions.v[i].condition == c)
            return &r->conditions.v[i];
    return NULL;
}

static void put_rule_coverage(struct strbuf *o, const struct verify_report *r, size_t from, size_t end)
{
    static const enum condition columns[] = { FAILED_NAME, FAILED_PATH, FAILED_SOURCE };
    int rule = (int)r->conditions.v[from].rule;
    buf_puts(o, "<tr><th scope=\"row\">");
    put_rule(o, r, rule);
    buf_puts(o, "</th>");
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
        const struct verify_condition *c = condition_of(r, from, end, columns[k]);
        buf_puts(o, "<td>");
        if (c == NULL)
            buf_puts(o, "any");
        else if (c->seen_true && c->seen_false)
            buf_puts(o, "seen both ways");
        else {
            put_side(o, "fits", c->seen_true, c->true_hidden_by, rule);
            buf_puts(o, "<br>");
            put_side(o, "does not fit", c->seen_false, c->false_hidden_by, rule);
        }
        buf_puts(o, "</td>");
    }
    buf_puts(o, "</tr>\n");
}

static void put_coverage(struct strbuf *o, const struct verify_report *r)
{
    struct verify_sides s = verify_sides(r);
    buf_printf(
        o,
        "<details><summary>Coverage: %zu of %zu sides of the rules\xe2\x80\x99 conditions were seen, %zu cannot be reached, %zu were missed</summary>\n"
        "<div class=\"scroll\" role=\"region\" aria-label=\"Coverage\" tabindex=\"0\"><table class=\"proof\"><thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Name</th>"
        "<th scope=\"col\">Path</th><th scope=\"col\">Source</th></tr></thead><tbody>\n",
        s.seen, s.seen + s.hidden + s.missed, s.hidden, s.missed);
    size_t rules = 0;
    for (size_t i = 0, end; i < r->conditions.n; i = end) {
        for (end = i; end < r->conditions.n && r->conditions.v[end].rule == r->conditions.v[i].rule;)
            end++;
        if (rules++ < RULES_SHOWN)
            put_rule_coverage(o, r, i, end);
    }
    buf_puts(o, "</tbody></table></div>\n");
    if (rules > RULES_SHOWN)
        buf_printf(o, "<p class=\"limit\">%zu more rules are in report.json.</p>\n", rules - RULES_SHOWN);
    buf_puts(o, "</details>\n");
}

void verify_report_html(struct strbuf *o, const struct verify_report *r)
{
    char connections[64] = "";
    if (r->connections)
        snprintf(connections, sizeof connections, " (the proxies %zu connections besides)", r->connections);
    buf_printf(
        o,
        "<section id=\"proof\" aria-labelledby=\"h-proof\">\n<h2 id=\"h-proof\">Proof</h2>\n"
        "<p>tmgc verify started the real programs on the configs, sent each of them %zu requests%s, chosen where the rules decide, and compared what came with what the rules say.</p>\n",
        r->probes - r->connections, connections);
    size_t streams = verify_not_probed(r);
    if (streams)
        buf_printf(
            o,
            "<p class=\"limit\">Not probed: %zu server publishing rule%s; only connections over TCP to nginx and HAProxy were.</p>\n",
            streams, streams == 1 ? "" : "s");
    put_counts(o, r);
    put_declared(o, r);
    put_disagreements(o, r);
    put_coverage(o, r);
    buf_puts(o, "</section>\n");
}
