/* report_html_rules: every listener and rule with its findings, what the source says about it, and the three blocks that
 * were made of it; above them filters that need no script.
 *
 * A finding is a row with the classes of its severity (s0 to s2), class (c0 …) and targets (t0 …); checked radio
 * buttons hide the rest (html_filters). A link to one rule shows that rule alone, by :target. */
#include "report_html.h"
#include <string.h>

enum { CLASSES = 6, BLOCK_LINES = 150, BLOCK_BYTES = 12000 };

/* ---- filters ------------------------------------------------------------------------ */

static void radio(struct page *p, const char *group, const char *value, const char *title, bool checked)
{
    buf_printf(p->out, "<label><input type=\"radio\" name=\"%s\" id=\"%s-%s\"%s>%s</label>", group, group, value, checked ? " checked" : "", title);
}

static void put_filters(struct page *p)
{
    static const char *const severities[] = { "information", "warnings", "errors" };
    char number[2] = "0";
    put(p, "<div class=\"filters\"><fieldset><legend>Severity</legend>");
    radio(p, "severity", "all", "all", true);
    for (int s = SEV_ERROR; s >= SEV_INFO; s--) {
        number[0] = (char)('0' + s);
        radio(p, "severity", number, severities[s], false);
    }
    put(p, "</fieldset><fieldset><legend>Class</legend>");
    radio(p, "class", "all", "all", true);
    for (int c = 0; c < CLASSES; c++) {
        number[0] = (char)('0' + c);
        radio(p, "class", number, class_names[c], false);
    }
    put(p, "</fieldset><fieldset><legend>Target</legend>");
    radio(p, "target", "all", "all", true);
    for (int t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t)) {
            number[0] = (char)('0' + t);
            radio(p, "target", number, target_titles[t], false);
        }
    put(p, "</fieldset><label class=\"search\" hidden>Search <input type=\"search\" id=\"search\" autocomplete=\"off\" spellcheck=\"false\"></label>"
           "<p class=\"hits\" role=\"status\" id=\"hits\"></p></div>\n");
}

/* -1: any. A part goes when it has no row that passes all three filters. */
static void filter_rule(struct strbuf *b, int severity, int class, int target)
{
    struct strbuf row = { 0 };
    buf_puts(b, ".work");
    if (severity >= 0) {
        buf_printf(b, ":has(#severity-%d:checked)", severity);
        buf_printf(&row, ".s%d", severity);
    }
    if (class >= 0) {
        buf_printf(b, ":has(#class-%d:checked)", class);
        buf_printf(&row, ".c%d", class);
    }
    if (target >= 0) {
        buf_printf(b, ":has(#target-%d:checked)", target);
        buf_printf(&row, ".t%d", target);
    }
    size_t filters = (size_t)(severity >= 0) + (size_t)(class >= 0) + (size_t)(target >= 0);
    if (filters == 1)
        buf_printf(b, " .f:not(%s),.work:has(#%s-%d:checked)", row.p, severity >= 0 ? "severity" : class >= 0 ? "class" : "target",
                   severity >= 0 ? severity : class >= 0 ? class : target);
    buf_printf(b, " .part:not(:has(%s)){display:none}\n", row.p);
    buf_free(&row);
}

void html_filters(struct strbuf *style)
{
    for (int s = -1; s <= SEV_ERROR; s++)
        for (int c = -1; c < CLASSES; c++)
            for (int t = -1; t < TARGETS; t++)
                if (s >= 0 || c >= 0 || t >= 0)
                    filter_rule(style, s, c, t);
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
    buf_printf(p->out, "\"><span class=\"s s%d\">%s</span> ", (int)f->severity, f->accepted ? "accepted" : severity_names[f->severity]);
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
struct lines { size_t *at; size_t n; };

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
        if (s[n] != '\n' && n < least)
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
    buf_printf(p->out, "<figure><figcaption>%s ", target_titles[t]);
    put_verdict(p, r, t);
    if (!at.first || at.last < at.first || (size_t)at.last + 1 >= l->n) {
        put(p, "<small>nothing was written for this rule</small></figcaption></figure>");
        return;
    }
    buf_printf(p->out, "<small>%s/%s, lines %u to %u</small></figcaption><pre tabindex=\"0\"><code>", target_outputs[t].folder, target_outputs[t].file, (unsigned)at.first, (unsigned)at.last);
    uint32_t line = at.first;
    size_t indent = indentation(e, l, at);
    for (; line <= at.last && line < at.first + BLOCK_LINES && l->at[line + 1] - l->at[at.first] < BLOCK_BYTES; line++) {
        size_t n = l->at[line + 1] - l->at[line] - 1;
        if (n > indent)
            html_text_n(p->out, e->text.p + l->at[line] + indent, n - indent);
        put(p, "\n");
    }
    put(p, "</code></pre>");
    if (line <= at.last)
        buf_printf(p->out, "<p class=\"limit\">%u more lines are in the file.</p>", (unsigned)(at.last - line + 1));
    put(p, "</figure>");
}

/* ---- parts -------------------------------------------------------------------------------- */

static void put_part(struct page *p, const char *what, size_t number, const char *title, bool off)
{
    buf_printf(p->out, "<article class=\"part%s\" id=\"%s-%zu\" aria-labelledby=\"h-%s-%zu\"><h3 id=\"h-%s-%zu\"><span class=\"n\">", off ? " off" : "", what, number, what, number, what, number);
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
    put_part(p, "rule", (size_t)r->index + 1, rule_title(r), !r->answers);
    put(p, "<p class=\"fates\">");
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t)) {
            buf_printf(p->out, "<span>%s ", target_titles[t]);
            put_verdict(p, r, (enum target)t);
            put(p, "</span> ");
        }
    if (r->answers)
        buf_printf(p->out, "<a href=\"#map-%u\">in the map</a>", (unsigned)r->index + 1);
    if (r->rule->at.line)
        buf_printf(p->out, " <small>export line %u</small>", (unsigned)r->rule->at.line);
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
        put_part(p, "listener", i + 1, l->listener->name ? l->listener->name : "(no name)", false);
        put_rows(p, p->m->of_listener[l->listener - plan->policy->listeners.v]);
        put(p, "<details><summary>Settings</summary><div class=\"beside\">");
        html_listener_settings(p, l);
        put(p, "</div></details></article>\n");
    }
}

/* What belongs to no listener or rule: the whole policy, farms, the site map. */
static void put_general(struct page *p)
{
    size_t open = 0;
    for (size_t i = 0; i < p->r->findings->list.n && open < ROWS_SHOWN; i++) {
        const struct finding *f = &p->r->findings->list.v[i];
        if (p->m->rule_of[i] != NOBODY || p->m->listener_of[i] != NOBODY || !is_shown(p, f))
            continue;
        if (!open++)
            put(p, "<article class=\"part\" id=\"general\" aria-labelledby=\"h-general\"><h3 id=\"h-general\">The whole policy</h3><ul class=\"rows\">\n");
        put_finding(p, f);
    }
    put(p, open ? "</ul></article>\n" : "");
}

void html_rules(struct page *p)
{
    const struct plan *plan = p->r->plan;
    struct lines l[TARGETS];
    put(p, "<section id=\"rules\" class=\"work\" aria-labelledby=\"h-rules\">\n<h2 id=\"h-rules\">Rules and findings</h2>\n"
           "<p>Each listener and rule with what will be different, what the source says with its line in the export, and what was made of it.</p>\n");
    if (p->rules < plan->rules.n)
        buf_printf(p->out, "<p class=\"limit\">The first %zu of %zu rules have a part here.</p>\n", p->rules, plan->rules.n);
    if (!p->infos)
        put(p, "<p class=\"limit\">Findings for information are too many to list here; report.json and report.sarif hold them.</p>\n");
    put_filters(p);
    put(p, "<p class=\"only\">One part is shown. <a href=\"#rules\">Show all</a></p>\n<div class=\"parts\">\n");
    put_general(p);
    put_listeners(p);
    for (unsigned t = 0; t < TARGETS; t++)
        l[t] = find_lines(p, p->r->emissions[t]);
    for (size_t i = 0; i < p->rules; i++)
        put_rule(p, &plan->rules.v[i], l);
    put(p, "</div>\n</section>\n");
}
