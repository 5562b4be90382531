/* report_html_rules: every listener and rule with its findings, what the source says about it, and the three blocks that
 * were made of it; above them filters that need no script.
 *
 * A finding is a row with the classes of its severity (s0 to s2), class (c0 …) and targets (t0 …); checked radio
 * buttons hide the rest (html_filters). So that a part without a row left goes too, each part has a class for every
 * combination that one of its rows answers to ("s2c3"): asking that of its rows with :has would take a browser seconds
 * on a large page, and so would asking for the buttons, which is why they stand before the parts as siblings.
 * A link to one rule shows that rule alone, by :target. */
#include "report_html.h"
#include <string.h>

enum { CLASSES = 6, BLOCK_LINES = 150, BLOCK_BYTES = 12000, DOORS_SHOWN = 12 };

/* ---- filters ------------------------------------------------------------------------ */

static const struct group {
    const char *name, *title;
    int most;
} groups[] = { { "severity", "Severity", SEV_ERROR },
               { "class", "Class", CLASSES - 1 },
               { "target", "Target", TARGETS - 1 } };
enum { GROUPS = sizeof groups / sizeof *groups };

static const char *choice(size_t group, int value)
{
    static const char *const severities[] = { "information", "warnings", "errors" };
    return value < 0 ? "all" : group == 0 ? severities[value] : group == 1 ? class_names[value] : target_titles[value];
}

/* "severity-2", "severity-all" */
static void put_choice_id(struct strbuf *b, size_t group, int value)
{
    if (value < 0)
        buf_printf(b, "%s-all", groups[group].name);
    else
        buf_printf(b, "%s-%d", groups[group].name, value);
}

static bool offered(const struct page *p, size_t group, int value)
{
    return group != 2 || value < 0 || p->r->targets & ON(value);
}

static void put_button(struct page *p, size_t group, int value)
{
    if (!offered(p, group, value))
        return;
    buf_printf(p->out, "<input type=\"radio\" name=\"%s\" id=\"", groups[group].name);
    put_choice_id(p->out, group, value);
    buf_printf(p->out, "\" aria-label=\"%s: %s\"%s>", groups[group].title, choice(group, value),
               value < 0 ? " checked" : "");
}

static void put_label(struct page *p, size_t group, int value)
{
    if (!offered(p, group, value))
        return;
    put(p, "<label for=\"");
    put_choice_id(p->out, group, value);
    buf_printf(p->out, "\">%s</label>", choice(group, value));
}

/* Severities the gravest first, the others in their order. */
static void each_choice(struct page *p, size_t group, void (*one)(struct page *, size_t, int))
{
    one(p, group, -1);
    for (int i = 0; i <= groups[group].most; i++)
        one(p, group, group == 0 ? groups[group].most - i : i);
}

static void put_filters(struct page *p)
{
    for (size_t g = 0; g < GROUPS; g++)
        each_choice(p, g, put_button);
    put(p, "<div class=\"filters\">");
    for (size_t g = 0; g < GROUPS; g++) {
        buf_printf(p->out, "<p><span>%s</span>", groups[g].title);
        each_choice(p, g, put_label);
        put(p, "</p>");
    }
    put(p,
        "<p><label class=\"search\" hidden>Search <input type=\"search\" id=\"search\" autocomplete=\"off\" spellcheck=\"false\"></label> "
        "<span role=\"status\" id=\"hits\"></span></p></div>\n");
}

/* "s2c3t0"; what is -1 is left out. */
static void put_combination(struct strbuf *b, int severity, int class, int target)
{
    if (severity >= 0)
        buf_printf(b, "s%d", severity);
    if (class >= 0)
        buf_printf(b, "c%d", class);
    if (target >= 0)
        buf_printf(b, "t%d", target);
}

static void filter_rule(struct strbuf *b, const int v[GROUPS])
{
    struct strbuf gate = { 0 };
    size_t n = 0;
    for (size_t g = 0; g < GROUPS; g++) {
        if (v[g] < 0)
            continue;
        buf_putc(&gate, '#');
        put_choice_id(&gate, g, v[g]);
        buf_puts(&gate, ":checked~");
        n++;
    }
    buf_printf(b, "%s.parts>.part:not(.", gate.p);
    put_combination(b, v[0], v[1], v[2]);
    if (n == 1) {
        buf_printf(b, "),%s.parts .f:not(.", gate.p);
        put_combination(b, v[0], v[1], v[2]);
    }
    buf_puts(b, "){display:none}\n");
    buf_free(&gate);
}

/* The label of what is chosen, and of what has the focus, shows it. */
static void label_rules(struct strbuf *b, const char *state, const char *looks)
{
    for (size_t g = 0; g < GROUPS; g++)
        for (int v = -1; v <= groups[g].most; v++) {
            buf_puts(b, g || v >= 0 ? ",#" : "#");
            put_choice_id(b, g, v);
            buf_printf(b, ":%s~.filters [for=", state);
            put_choice_id(b, g, v);
            buf_putc(b, ']');
        }
    buf_printf(b, "{%s}\n", looks);
}

void html_filters(struct strbuf *style)
{
    label_rules(style, "checked", "background:var(--ink);color:var(--paper)");
    label_rules(style, "focus-visible", "outline:2px solid var(--focus);outline-offset:2px");
    for (int s = -1; s <= groups[0].most; s++)
        for (int c = -1; c <= groups[1].most; c++)
            for (int t = -1; t <= groups[2].most; t++)
                if (s >= 0 || c >= 0 || t >= 0)
                    filter_rule(style, (int[GROUPS]){ s, c, t });
}

/* The combinations that the rows of a part answer to, each once. */
struct combinations {
    bool has[4][CLASSES + 1][TARGETS + 1];
};

static void combine(struct combinations *x, const struct finding *f)
{
    size_t severity = (size_t)f->severity + 1, class = (size_t)finding_kinds[f->id].class + 1;
    for (size_t t = 0; t <= TARGETS; t++) {
        if (t && f->targets && !(f->targets & 1u << (t - 1)))
            continue;
        x->has[severity][class][t] = x->has[severity][0][t] = x->has[0][class][t] = x->has[0][0][t] = true;
    }
}

static void put_combinations(struct strbuf *b, const struct combinations *x)
{
    for (int s = -1; s <= groups[0].most; s++)
        for (int c = -1; c <= groups[1].most; c++)
            for (int t = -1; t <= groups[2].most; t++)
                if ((s >= 0 || c >= 0 || t >= 0) && x->has[s + 1][c + 1][t + 1]) {
                    buf_putc(b, ' ');
                    put_combination(b, s, c, t);
                }
}

/* ---- findings ------------------------------------------------------------------------- */

static void put_targets(struct page *p, unsigned targets)
{
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(targets & ON(t)))
            continue;
        put(p, comma);
        put(p, target_titles[t]);
        comma = ", ";
    }
}

static void put_finding(struct page *p, const struct finding *f)
{
    const struct finding_kind *k = &finding_kinds[f->id];
    buf_printf(p->out, "<li class=\"f s%d c%d", (int)f->severity, (int)k->class);
    for (int t = 0; t < TARGETS; t++)
        if (!f->targets || f->targets & ON(t))
            buf_printf(p->out, " t%d", t);
    buf_printf(p->out, "\"><span class=\"s s%d\">%s</span> ", (int)f->severity,
               f->accepted ? "accepted" : severity_names[f->severity]);
    put(p, "<span class=\"says\">");
    if (f->subject == SUBJECT_FARM && f->name) {
        put(p, "Farm ");
        put_text(p, f->name);
        put(p, ": ");
    }
    put_text(p, f->message);
    if (f->accepted) {
        put(p, " <em>Accepted: ");
        put_text(p, f->accepted);
        put(p, "</em>");
    } else if (f->remedy && !str_equal(f->remedy, k->remedy)) {
        put(p, " <em>");
        put_text(p, f->remedy);
        put(p, "</em>");
    }
    buf_printf(p->out, "</span> <span class=\"about\"><a href=\"#TMG%u\">TMG%u %s</a>", k->code, k->code, k->name);
    if (f->targets) {
        put(p, " \xc2\xb7 ");
        put_targets(p, f->targets);
    }
    if (f->line)
        buf_printf(p->out, " \xc2\xb7 %s %u", f->in_site ? "site map, line" : "line", (unsigned)f->line);
    put(p, "</span></li>\n");
}

static bool is_shown(const struct page *p, const struct finding *f)
{
    return p->infos || f->severity != SEV_INFO;
}

static void put_rows(struct page *p, uint32_t head)
{
    bool open = false;
    for (int severity = SEV_ERROR; severity >= SEV_INFO; severity--)
        for (uint32_t k = head; k != NOBODY; k = p->m->next[k]) {
            const struct finding *f = &p->r->findings->list.v[k];
            if ((int)f->severity != severity || !is_shown(p, f))
                continue;
            put(p, open ? "" : "<ul class=\"rows\">\n");
            open = true;
            put_finding(p, f);
        }
    put(p, open ? "</ul>" : "");
}

/* ---- the blocks that were made of a rule ------------------------------------------------ */

/* Where the lines of a config begin, as far as they are needed: number 1 is at[1]. */
struct lines {
    size_t *at;
    size_t n;
};

static struct lines find_lines(struct page *p, const struct emission *e)
{
    struct lines l = { 0 };
    uint32_t most = 0;
    for (size_t i = 0; e && i < p->rules && i < e->rules.n; i++)
        if (e->rules.v[i].last > most)
            most = e->rules.v[i].last;
    if (!most)
        return l;
    l.at = arena_alloc(p->m->arena, ((size_t)most + 2) * sizeof *l.at);
    const char *s = e->text.p, *end = s + e->text.n;
    for (l.n = 1; s < end && l.n <= (size_t)most + 1; l.n++) {
        l.at[l.n] = (size_t)(s - e->text.p);
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        s = nl ? nl + 1 : end;
    }
    if (l.n <= (size_t)most + 1)
        l.at[l.n++] = e->text.n;
    return l;
}

/* How far all lines of a block stand in. */
static size_t indentation(const struct emission *e, const struct lines *l, struct rule_lines at)
{
    size_t least = SIZE_MAX;
    for (uint32_t line = at.first; line <= at.last; line++) {
        const char *s = e->text.p + l->at[line];
        size_t n = strspn(s, " ");
        if (n < least && s[n] != '\n')
            least = n;
    }
    return least == SIZE_MAX ? 0 : least;
}

static void put_block(struct page *p, const struct plan_rule *r, enum target t, const struct lines *l)
{
    const struct emission *e = p->r->emissions[t];
    if (!e)
        return;
    struct rule_lines at = r->index < e->rules.n ? e->rules.v[r->index] : (struct rule_lines){ 0, 0 };
    buf_printf(p->out, "<p class=\"file\"><b>%s</b> ", target_titles[t]);
    if (!at.first || at.last < at.first || (size_t)at.last + 1 >= l->n) {
        put(p, "nothing was written for this rule</p>");
        return;
    }
    buf_printf(p->out, "%s/%s, lines %u to %u</p><pre tabindex=\"0\">", target_outputs[t].folder,
               target_outputs[t].file, (unsigned)at.first, (unsigned)at.last);
    uint32_t line = at.first;
    size_t indent = indentation(e, l, at);
    for (; line <= at.last && line < at.first + BLOCK_LINES && l->at[line + 1] - l->at[at.first] < BLOCK_BYTES;
         line++) {
        size_t n = l->at[line + 1] - l->at[line] - 1;
        if (n > indent)
            html_text_n(p->out, e->text.p + l->at[line] + indent, n - indent);
        put(p, "\n");
    }
    put(p, "</pre>");
    if (line <= at.last)
        buf_printf(p->out, "<p class=\"limit\">%u more lines are in the file.</p>", (unsigned)(at.last - line + 1));
}

/* ---- parts -------------------------------------------------------------------------------- */

static void put_part(struct page *p, const char *what, size_t number, const char *title, uint32_t findings, bool off)
{
    struct combinations x = { 0 };
    for (; findings != NOBODY; findings = p->m->next[findings])
        if (is_shown(p, &p->r->findings->list.v[findings]))
            combine(&x, &p->r->findings->list.v[findings]);
    put(p, off ? "<article class=\"part off" : "<article class=\"part");
    put_combinations(p->out, &x);
    buf_printf(p->out, "\" id=\"%s-%zu\" aria-labelledby=\"h-%s-%zu\"><h3 id=\"h-%s-%zu\"><span class=\"n\">", what,
               number, what, number, what, number);
    if (strcmp(what, "rule") == 0)
        put_count(p, number);
    else
        put(p, what);
    put(p, "</span> ");
    put_text(p, title);
    put(p, "</h3>");
}

static void put_rule(struct page *p, const struct plan_rule *r, const struct lines *l)
{
    put_part(p, "rule", (size_t)r->index + 1, rule_title(r), p->m->of_rule[r->index], !r->answers);
    put(p, "<p class=\"fates\">");
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t)) {
            put(p, target_titles[t]);
            put(p, " ");
            put_verdict(p, r, (enum target)t);
            if (p->m->verdicts[r->index].on[t] > VERDICT_SAME) {
                put(p, " ");
                put_losses(p, r, (enum target)t, 1);
            }
            put(p, " \xc2\xb7 ");
        }
    if (r->answers)
        buf_printf(p->out, "<a href=\"#map-%u\">in the map</a>", (unsigned)r->index + 1);
    if (r->rule->at.line)
        buf_printf(p->out, "%sexport line %u", r->answers ? " \xc2\xb7 " : "", (unsigned)r->rule->at.line);
    put(p, "</p>");
    put_rows(p, p->m->of_rule[r->index]);
    put(p, "<details><summary>Settings and generated configuration</summary><div class=\"beside\">");
    html_settings(p, r);
    put(p, "<div class=\"blocks\">");
    for (unsigned t = 0; t < TARGETS; t++)
        put_block(p, r, (enum target)t, &l[t]);
    put(p, "</div></div></details></article>\n");
}

static void put_listeners(struct page *p)
{
    const struct plan *plan = p->r->plan;
    for (size_t i = 0; i < plan->listeners.n && i < RULES_SHOWN; i++) {
        const struct plan_listener *l = &plan->listeners.v[i];
        put_part(p, "listener", i + 1, l->listener->name ? l->listener->name : "(no name)",
                 p->m->of_listener[l->listener - plan->policy->listeners.v], false);
        put_rows(p, p->m->of_listener[l->listener - plan->policy->listeners.v]);
        put(p, "<details><summary>Settings</summary><div class=\"beside\">");
        html_listener_settings(p, l);
        put(p, "</div></details></article>\n");
    }
}

/* Where a server publishing rule listens and leads, and what becomes of it. */
static void put_server_rule(struct page *p, const struct plan_server_rule *r)
{
    uint32_t findings = p->m->of_server_rule[r->index];
    put_part(p, "server-rule", (size_t)r->index + 1, r->rule->name ? r->rule->name : "(no name)", findings,
             !r->rule->enabled);
    put(p, "<p class=\"fates\">");
    put(p, !r->rule->enabled ? "disabled" : r->rule->action == ACTION_DENY ? "denies" : "server publishing");
    if (r->rule->protocol) {
        put(p, " \xc2\xb7 ");
        put_text(p, r->rule->protocol);
    }
    for (size_t i = 0; i < r->doors.n && i < DOORS_SHOWN; i++) {
        const struct plan_door *d = &r->doors.v[i];
        put(p, d->transport == TRANSPORT_UDP ? " \xc2\xb7 udp " : " \xc2\xb7 tcp ");
        buf_printf(&p->value, d->low == d->high ? "%s:%u" : "%s:%u-%u", d->address, (unsigned)d->low,
                   (unsigned)d->high);
        put_host(p);
        if (r->rule->action == ACTION_DENY)
            continue;
        put(p, " to ");
        buf_puts(&p->value, d->host);
        if (d->port)
            buf_printf(&p->value, ":%u", (unsigned)d->port);
        put_host(p);
    }
    if (r->doors.n > DOORS_SHOWN)
        buf_printf(p->out, " and %zu more", r->doors.n - DOORS_SHOWN);
    if (r->rule->at.line)
        buf_printf(p->out, " \xc2\xb7 export line %u", (unsigned)r->rule->at.line);
    put(p, "</p>");
    put_rows(p, findings);
    put(p, "</article>\n");
}

/* What belongs to no listener or rule: the whole policy, farms, the site map. */
static void put_general(struct page *p)
{
    struct combinations x = { 0 };
    VEC(const struct finding *) rows = { 0 };
    for (size_t i = 0; i < p->r->findings->list.n && rows.n < ROWS_SHOWN; i++) {
        const struct finding *f = &p->r->findings->list.v[i];
        if (p->m->rule_of[i] != NOBODY || p->m->listener_of[i] != NOBODY || p->m->server_rule_of[i] < RULES_SHOWN ||
            !is_shown(p, f))
            continue;
        vec_add(p->m->arena, &rows, f);
        combine(&x, f);
    }
    if (!rows.n)
        return;
    put(p, "<article class=\"part");
    put_combinations(p->out, &x);
    put(p,
        "\" id=\"general\" aria-labelledby=\"h-general\"><h3 id=\"h-general\">The whole policy</h3><ul class=\"rows\">\n");
    for (size_t i = 0; i < rows.n; i++)
        put_finding(p, rows.v[i]);
    put(p, "</ul></article>\n");
}

void html_rules(struct page *p)
{
    const struct plan *plan = p->r->plan;
    struct lines l[TARGETS];
    put(p,
        "<section id=\"rules\" class=\"work\" aria-labelledby=\"h-rules\">\n<h2 id=\"h-rules\">Rules and findings</h2>\n"
        "<p>Each listener and rule with what will be different, what the source says with its line in the export, and what was made of it.</p>\n");
    if (p->rules < plan->rules.n)
        buf_printf(p->out, "<p class=\"limit\">The first %zu of %zu rules have a part here.</p>\n", p->rules,
                   plan->rules.n);
    if (!p->infos)
        put(p,
            "<p class=\"limit\">Findings for information are too many to list here; report.json and report.sarif hold them.</p>\n");
    put_filters(p);
    put(p, "<p class=\"only\">One part is shown. <a href=\"#rules\">Show all</a></p>\n<div class=\"parts\">\n");
    put_general(p);
    put_listeners(p);
    for (unsigned t = 0; t < TARGETS; t++)
        l[t] = find_lines(p, p->r->emissions[t]);
    for (size_t i = 0; i < p->rules; i++)
        put_rule(p, &plan->rules.v[i], l);
    for (size_t i = 0; i < plan->server_rules.n && i < RULES_SHOWN; i++)
        put_server_rule(p, &plan->server_rules.v[i]);
    put(p, "</div>\n</section>\n");
}
