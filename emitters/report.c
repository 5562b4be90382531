/* report: what was found, for people (report_text) and for programs (report_json).
 *
 * Both print one model, struct report (report_model.c): the plan says what is published, the list of findings what
 * will be different. Nothing is decided here. Whatever comes from the export is made visible or JSON-escaped on its way out.
 */
#include "ledger.h"
#include <string.h>

/* ---- text -------------------------------------------------------------- */

static void text_heading(struct strbuf *b, const char *title)
{
    buf_printf(b, "\n%s\n", title);
    for (size_t i = 0; title[i]; i++)
        buf_putc(b, '-');
    buf_putc(b, '\n');
}

static void text_named(struct strbuf *b, const char *what, const char *name)
{
    buf_printf(b, "%s \"", what);
    buf_visible(b, name ? name : "");
    buf_putc(b, '"');
}

static void text_targets(struct strbuf *b, unsigned targets)
{
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(targets & ON(t)))
            continue;
        buf_printf(b, "%s%s", comma, target_names[t]);
        comma = ", ";
    }
}

static void text_top(struct strbuf *b, const struct report *r)
{
    const struct policy *p = r->plan->policy;
    struct report_counts c = report_count(r);
    buf_puts(b, "Migration report for ");
    buf_visible(b, r->export_name ? r->export_name : "the input");
    buf_putc(b, '\n');
    if (p->product) {
        buf_puts(b, "Source:   ");
        buf_visible(b, p->product);
        if (p->build) {
            buf_putc(b, ' ');
            buf_visible(b, p->build);
        }
        buf_putc(b, '\n');
    }
    buf_puts(b, "Targets:  ");
    text_targets(b, r->targets);
    buf_printf(b, "\nRules:    %zu web publishing rule%s, %zu answering, %zu disabled\n", c.rules,
               c.rules == 1 ? "" : "s", c.answering, c.disabled);
    buf_printf(b, "Findings: %zu error%s, %zu warning%s, %zu for information, %zu accepted\n", c.severity[SEV_ERROR],
               c.severity[SEV_ERROR] == 1 ? "" : "s", c.severity[SEV_WARNING], c.severity[SEV_WARNING] == 1 ? "" : "s",
               c.severity[SEV_INFO], c.accepted);
}

static void text_listeners(struct strbuf *b, const struct report *r)
{
    text_heading(b, "Listeners");
    if (!r->plan->listeners.n)
        buf_puts(b, "none\n");
    for (size_t i = 0; i < r->plan->listeners.n; i++) {
        const struct plan_listener *l = &r->plan->listeners.v[i];
        text_named(b, "listener", l->listener->name);
        buf_printf(b, ": %zu rule%s\n  sockets:        ", l->rules.n, l->rules.n == 1 ? "" : "s");
        for (size_t k = 0; k < l->sockets.n; k++) {
            const struct plan_socket *s = &l->sockets.v[k];
            buf_printf(b, "%s%s://%s:%u", k ? ", " : "", s->tls ? "https" : "http", s->address, (unsigned)s->port);
        }
        buf_puts(b, l->sockets.n ? "\n  authentication: " : "none\n  authentication: ");
        put_authentication(b, l->listener);
        buf_printf(b, "\n  http to https:  %s\n", listener_redirect(l->listener));
    }
}

/* One row of the table of sites; every cell is finished text. */
enum { COLUMNS = 4 + TARGETS };
struct row {
    const char *cell[COLUMNS];
};
typedef VEC(struct row) rows;

static const char *cell(struct arena *a, struct strbuf *b)
{
    const char *s = arena_strndup(a, b->p ? b->p : "", b->n);
    buf_clear(b);
    return s;
}

static void row_add(rows *t, struct arena *a, const struct report *r, const struct plan_rule *rule, const char *name)
{
    struct strbuf b = { 0 };
    struct row *row = vec_push(a, t);
    size_t n = 0;
    buf_visible(&b, name);
    row->cell[n++] = cell(a, &b);
    for (size_t i = 0; i < rule->rule->paths.n && i < 3; i++) {
        if (i)
            buf_putc(&b, ' ');
        struct strbuf raw = { 0 };
        buf_path_pattern(&raw, rule->rule->paths.v[i].kind, rule->rule->paths.v[i].external);
        buf_visible(&b, raw.p ? raw.p : "");
        buf_free(&raw);
    }
    if (rule->rule->paths.n > 3)
        buf_printf(&b, " and %zu more", rule->rule->paths.n - 3);
    row->cell[n++] = cell(a, &b);
    buf_printf(&b, "%u ", (unsigned)(rule->index + 1));
    buf_visible(&b, rule->rule->name ? rule->rule->name : "");
    row->cell[n++] = cell(a, &b);
    struct strbuf goal = { 0 };
    put_rule_goal(&goal, rule);
    buf_visible(&b, goal.p ? goal.p : "");
    buf_free(&goal);
    row->cell[n++] = cell(a, &b);
    for (unsigned k = 0; k < TARGETS; k++)
        row->cell[n++] = r->targets & ON(k) ? rule_fate(rule, (enum target)k) : NULL;
    buf_free(&b);
}

static void rows_print(struct strbuf *b, const rows *t)
{
    enum { WIDEST = 44 }; /* one long cell must not push every other line apart */
    size_t width[COLUMNS] = { 0 };
    for (size_t i = 0; i < t->n; i++)
        for (size_t c = 0; c < COLUMNS; c++) {
            size_t n = t->v[i].cell[c] ? strlen(t->v[i].cell[c]) : 0;
            if (n > width[c] && n <= WIDEST)
                width[c] = n;
        }
    for (size_t i = 0; i < t->n; i++) {
        size_t owed = 0; /* blanks before the next cell: none at the end of a line */
        for (size_t c = 0; c < COLUMNS; c++) {
            const char *s = t->v[i].cell[c];
            if (!s)
                continue;
            for (; owed; owed--)
                buf_putc(b, ' ');
            buf_puts(b, s);
            size_t n = strlen(s);
            owed = (n < width[c] ? width[c] - n : 0) + 2;
        }
        buf_putc(b, '\n');
    }
}

static void text_sites(struct strbuf *b, const struct report *r)
{
    struct arena *a = arena_new();
    rows t = { 0 };
    struct row *head = vec_push(a, &t);
    static const char *const titles[] = { "name", "paths", "rule", "published server" };
    for (size_t c = 0; c < COLUMNS; c++)
        head->cell[c] = c < 4 ? titles[c] : r->targets & ON(c - 4) ? target_names[c - 4] : NULL;
    for (size_t i = 0; i < r->plan->rules.n; i++) {
        const struct plan_rule *rule = &r->plan->rules.v[i];
        if (rule->rule->all_names)
            row_add(&t, a, r, rule, "every name");
        for (size_t k = 0; !rule->rule->all_names && k < rule->rule->names.n; k++) {
            const struct public_name *n = &rule->rule->names.v[k];
            row_add(&t, a, r, rule, n->display ? n->display : n->name);
        }
        if (!rule->rule->all_names && !rule->rule->names.n)
            row_add(&t, a, r, rule, "no name");
    }
    text_heading(b, "Sites");
    if (t.n > 1)
        rows_print(b, &t);
    else
        buf_puts(b, "none\n");
    arena_free(a);
}

/* Findings of one kind stand together: their meaning and remedy once, then each place. */
struct group {
    VEC(const struct finding *) list;
};

static void text_finding(struct strbuf *b, const struct report *r, const struct finding *f, const char *remedy)
{
    const char *file = finding_file(r, f);
    buf_puts(b, "  ");
    if (file) {
        buf_visible(b, file);
        if (f->line)
            buf_printf(b, ":%u", (unsigned)f->line);
        buf_puts(b, ": ");
    }
    if (finding_subject(f) && f->name) {
        text_named(b, finding_subject(f), f->name);
        buf_puts(b, ": ");
    }
    buf_puts(b, f->message ? f->message : "");
    if (f->targets) {
        buf_puts(b, " [");
        text_targets(b, f->targets);
        buf_putc(b, ']');
    }
    buf_putc(b, '\n');
    if (f->accepted) {
        buf_puts(b, "    accepted: ");
        buf_visible(b, f->accepted);
        buf_putc(b, '\n');
    }
    if (f->remedy && !str_equal(f->remedy, remedy))
        buf_printf(b, "    do: %s\n", f->remedy);
}

static void text_group(struct strbuf *b, const struct report *r, const struct finding_kind *kind, const struct group *g)
{
    buf_printf(b, "\nTMG%04u %s (%s", kind->code, kind->name, class_names[kind->class]);
    if (g->list.n > 1)
        buf_printf(b, ", %zu times", g->list.n);
    buf_printf(b, ")\n  %s\n  do: %s\n", kind->meaning, kind->remedy);
    for (size_t i = 0; i < g->list.n; i++)
        text_finding(b, r, g->list.v[i], kind->remedy);
}

/* severity -1: the accepted ones, whatever they were. */
static void text_findings(struct strbuf *b, const struct report *r, int severity, const char *title)
{
    struct arena *a = arena_new();
    struct group *groups = arena_alloc(a, FINDINGS * sizeof *groups);
    size_t found = 0;
    for (size_t i = 0; i < r->findings->list.n; i++) {
        const struct finding *f = &r->findings->list.v[i];
        if (f->accepted ? severity != -1 : (int)f->severity != severity)
            continue;
        vec_add(a, &groups[f->id].list, f);
        found++;
    }
    if (found) {
        text_heading(b, title);
        for (size_t k = 0; k < FINDINGS; k++)
            if (groups[k].list.n)
                text_group(b, r, &finding_kinds[k], &groups[k]);
    }
    arena_free(a);
}

static void text_count(struct strbuf *b, const char *what, size_t n, const char *meaning)
{
    buf_printf(b, "  %-12s%10zu  %s\n", what, n, meaning);
}

/* What became of each element. The first column's numbers add up to all elements, a target's to those with a setting. */
static void text_ledger(struct strbuf *b, const struct report *r)
{
    struct report_model *m = report_model_make(r);
    const struct ledger_view *v = ledger_view_make(m);
    if (v->of) {
        text_heading(b, "Ledger: where every element of the export went");
        text_count(b, "elements", (size_t)v->of->elements, "in all");
        text_count(b, "settings", v->settings, "state a setting; what each target makes of them stands below");
        text_count(b, "structure", (size_t)v->of->structure, "hold others, and state nothing themselves");
        text_count(b, "unknown", (size_t)v->of->unknown,
                   "of published sites, not translated: each is named above (TMG1002)");
        text_count(b, "other rules", (size_t)v->of->other_rules, "of rules that publish no web site (TMG1012)");
        text_count(b, "elsewhere", (size_t)v->of->elsewhere, "of objects that no published site uses");
        text_count(b, "attributes", (size_t)v->of->attributes, "give names, types and places");
        if (v->of->unknown_attributes)
            text_count(b, "of these", (size_t)v->of->unknown_attributes, "unknown: each is named above (TMG1002)");
        if (v->of->other_attributes)
            text_count(b, "of these", (size_t)v->of->other_attributes,
                       "others, of elements that no published site uses");
        buf_puts(b, "\n            ");
        for (size_t f = 0; f < LEDGER_FATES; f++)
            buf_printf(b, "%12s", ledger_words[f]);
        for (unsigned t = 0; t < TARGETS; t++) {
            if (!(r->targets & ON(t)))
                continue;
            buf_printf(b, "\n  %-10s", target_names[t]);
            for (size_t f = 0; f < LEDGER_FATES; f++)
                buf_printf(b, "%12zu", v->on[t][f]);
        }
        buf_putc(b, '\n');
    }
    report_model_free(m);
}

void report_text(struct strbuf *out, const struct report *r)
{
    text_top(out, r);
    text_listeners(out, r);
    text_sites(out, r);
    text_findings(out, r, SEV_ERROR, "Errors: a site would be open, closed or broken compared with the source");
    text_findings(out, r, SEV_WARNING, "Warnings: works, but differently");
    text_findings(out, r, SEV_INFO, "For information");
    text_findings(out, r, -1, "Accepted in the site map");
    text_ledger(out, r);
}

/* ---- JSON ---------------------------------------------------------------- */

/* Where the writing stands: a comma comes before every member but the first of its object or array. */
struct json {
    struct strbuf *out;
    int depth;
    bool first;
};

static void json_next(struct json *j, const char *key)
{
    if (!j->first)
        buf_putc(j->out, ',');
    j->first = false;
    buf_putc(j->out, '\n');
    for (int i = 0; i < j->depth; i++)
        buf_puts(j->out, "  ");
    if (key)
        buf_printf(j->out, "\"%s\": ", key);
}

static void json_open(struct json *j, const char *key, char bracket)
{
    if (j->depth)
        json_next(j, key);
    buf_putc(j->out, bracket);
    j->depth++;
    j->first = true;
}

static void json_close(struct json *j, char bracket)
{
    j->depth--;
    if (!j->first) {
        buf_putc(j->out, '\n');
        for (int i = 0; i < j->depth; i++)
            buf_puts(j->out, "  ");
    }
    buf_putc(j->out, bracket);
    j->first = false;
}

static void json_string(struct json *j, const char *key, const char *s)
{
    json_next(j, key);
    if (s)
        buf_json(j->out, s);
    else
        buf_puts(j->out, "null");
}

static void json_number(struct json *j, const char *key, size_t n)
{
    json_next(j, key);
    buf_printf(j->out, "%zu", n);
}

static void json_bool(struct json *j, const char *key, bool b)
{
    json_next(j, key);
    buf_puts(j->out, b ? "true" : "false");
}

static void json_targets(struct json *j, unsigned targets)
{
    json_next(j, "targets");
    buf_putc(j->out, '[');
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(targets & ON(t)))
            continue;
        buf_printf(j->out, "%s\"%s\"", comma, target_names[t]);
        comma = ", ";
    }
    buf_putc(j->out, ']');
}

static void json_totals(struct json *j, const struct report *r)
{
    struct report_counts c = report_count(r);
    json_open(j, "totals", '{');
    json_number(j, "listeners", r->plan->listeners.n);
    json_number(j, "rules", c.rules);
    json_number(j, "answering", c.answering);
    json_number(j, "disabled", c.disabled);
    json_number(j, "errors", c.severity[SEV_ERROR]);
    json_number(j, "warnings", c.severity[SEV_WARNING]);
    json_number(j, "infos", c.severity[SEV_INFO]);
    json_number(j, "accepted", c.accepted);
    json_close(j, '}');
}

static void json_listener(struct json *j, const struct plan_listener *l)
{
    struct strbuf b = { 0 };
    json_open(j, NULL, '{');
    json_string(j, "name", l->listener->name);
    json_string(j, "guid", l->listener->at.guid);
    json_open(j, "sockets", '[');
    for (size_t i = 0; i < l->sockets.n; i++) {
        const struct plan_socket *s = &l->sockets.v[i];
        json_open(j, NULL, '{');
        json_string(j, "address", s->address);
        json_number(j, "port", s->port);
        json_bool(j, "tls", s->tls);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_string(j, "redirect", listener_redirect(l->listener));
    put_authentication(&b, l->listener);
    json_string(j, "authentication", b.p);
    json_number(j, "rules", l->rules.n);
    json_close(j, '}');
    buf_free(&b);
}

static void json_site(struct json *j, const struct report *r, const struct plan_rule *rule)
{
    struct strbuf b = { 0 };
    json_open(j, NULL, '{');
    json_number(j, "rule", rule->index + 1);
    json_string(j, "name", rule->rule->name);
    json_string(j, "guid", rule->rule->at.guid);
    json_string(j, "listener", rule->rule->listener);
    json_bool(j, "enabled", rule->rule->enabled);
    json_bool(j, "all_names", rule->rule->all_names);
    json_open(j, "names", '[');
    for (size_t i = 0; i < rule->rule->names.n; i++)
        json_string(j, NULL, rule->rule->names.v[i].name);
    json_close(j, ']');
    json_open(j, "paths", '[');
    for (size_t i = 0; i < rule->rule->paths.n; i++) {
        buf_clear(&b);
        buf_path_pattern(&b, rule->rule->paths.v[i].kind, rule->rule->paths.v[i].external);
        json_string(j, NULL, b.p);
    }
    json_close(j, ']');
    buf_clear(&b);
    put_rule_goal(&b, rule);
    json_string(j, "to", b.p);
    json_open(j, "on", '{');
    for (unsigned t = 0; t < TARGETS; t++)
        if (r->targets & ON(t))
            json_string(j, target_names[t], rule_fate(rule, (enum target)t));
    json_close(j, '}');
    json_close(j, '}');
    buf_free(&b);
}

static void json_finding(struct json *j, const struct report *r, const struct finding *f)
{
    const struct finding_kind *kind = &finding_kinds[f->id];
    struct strbuf code = { 0 };
    buf_printf(&code, "TMG%04u", kind->code);
    json_open(j, NULL, '{');
    json_string(j, "code", code.p);
    json_string(j, "name", kind->name);
    json_string(j, "severity", severity_names[f->severity]);
    json_string(j, "class", class_names[kind->class]);
    json_string(j, "subject", finding_subject(f));
    json_string(j, "rule", f->subject == SUBJECT_RULE ? f->name : NULL);
    json_string(j, "listener", f->subject == SUBJECT_LISTENER ? f->name : NULL);
    json_string(j, "farm", f->subject == SUBJECT_FARM ? f->name : NULL);
    json_string(j, "guid", f->guid);
    json_string(j, "setting", f->setting && *f->setting ? f->setting : NULL);
    json_string(j, "file", finding_file(r, f));
    if (f->line)
        json_number(j, "line", f->line);
    else
        json_string(j, "line", NULL);
    json_targets(j, f->targets);
    json_string(j, "message", f->message);
    json_string(j, "remedy", f->remedy);
    json_string(j, "accepted", f->accepted);
    json_close(j, '}');
    buf_free(&code);
}

static void json_fates(struct json *j, const struct report *r, const size_t on[TARGETS][LEDGER_FATES])
{
    static const char *const keys[LEDGER_FATES] = { "translated", "differs", "lost", "closed", "no_effect" };
    json_next(j, "on");
    buf_putc(j->out, '{');
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(r->targets & ON(t)))
            continue;
        buf_printf(j->out, "%s\"%s\": {", comma, target_names[t]);
        for (size_t f = 0; f < LEDGER_FATES; f++)
            buf_printf(j->out, "%s\"%s\": %zu", f ? ", " : "", keys[f], on[t][f]);
        buf_putc(j->out, '}');
        comma = ", ";
    }
    buf_putc(j->out, '}');
}

static void json_ledger(struct json *j, const struct report *r)
{
    struct report_model *m = report_model_make(r);
    const struct ledger_view *v = ledger_view_make(m);
    struct strbuf name = { 0 };
    if (v->of) {
        json_open(j, "ledger", '{');
        json_number(j, "elements", (size_t)v->of->elements);
        json_number(j, "settings", v->settings);
        json_number(j, "structure", (size_t)v->of->structure);
        json_number(j, "unknown", (size_t)v->of->unknown);
        json_number(j, "other_rules", (size_t)v->of->other_rules);
        json_number(j, "elsewhere", (size_t)v->of->elsewhere);
        json_number(j, "attributes", (size_t)v->of->attributes);
        json_number(j, "unknown_attributes", (size_t)v->of->unknown_attributes);
        json_number(j, "other_attributes", (size_t)v->of->other_attributes);
        json_fates(j, r, v->on);
        json_open(j, "by_setting", '[');
        for (size_t i = 0; i < SETTINGS; i++) {
            if (!v->rows[i].n)
                continue;
            buf_clear(&name);
            buf_printf(&name, "%s/", setting_object_names[settings[i].object]);
            buf_add(&name, settings[i].names, strcspn(settings[i].names, "|"));
            json_open(j, NULL, '{');
            json_string(j, "setting", name.p);
            json_number(j, "elements", v->rows[i].n);
            json_fates(j, r, v->rows[i].on);
            json_close(j, '}');
        }
        json_close(j, ']');
        json_close(j, '}');
    } else {
        json_string(j, "ledger", NULL);
    }
    buf_free(&name);
    report_model_free(m);
}

void report_json(struct strbuf *out, const struct report *r)
{
    struct json j = { .out = out };
    json_open(&j, NULL, '{');
    json_number(&j, "report", 1);
    json_string(&j, "export", r->export_name);
    json_string(&j, "site_map", r->site_name);
    json_string(&j, "product", r->plan->policy->product);
    json_string(&j, "build", r->plan->policy->build);
    json_targets(&j, r->targets);
    json_totals(&j, r);
    json_ledger(&j, r);
    json_open(&j, "listeners", '[');
    for (size_t i = 0; i < r->plan->listeners.n; i++)
        json_listener(&j, &r->plan->listeners.v[i]);
    json_close(&j, ']');
    json_open(&j, "sites", '[');
    for (size_t i = 0; i < r->plan->rules.n; i++)
        json_site(&j, r, &r->plan->rules.v[i]);
    json_close(&j, ']');
    json_open(&j, "findings", '[');
    for (size_t i = 0; i < r->findings->list.n; i++)
        json_finding(&j, r, &r->findings->list.v[i]);
    json_close(&j, ']');
    if (r->proof_json) {
        json_next(&j, "verify");
        buf_puts(out, r->proof_json);
    }
    json_close(&j, '}');
    buf_putc(out, '\n');
}
