/* report_html_sites: the parts of report.html for who decides: the policy at a glance, what will be different by kind,
 * and the table of sites with the target that carries each with the fewest differences. */
#include "report_html.h"
#include <stdlib.h>
#include <string.h>

/* ---- at a glance ------------------------------------------------------------------ */

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Different names that some rule answers. */
static size_t count_names(struct page *p)
{
    const struct plan *plan = p->r->plan;
    strings all = { 0 };
    for (size_t i = 0; i < plan->rules.n; i++)
        for (size_t k = 0;
             plan->rules.v[i].answers && !plan->rules.v[i].rule->all_names && k < plan->rules.v[i].rule->names.n; k++)
            vec_add(p->m->arena, &all, plan->rules.v[i].rule->names.v[k].name);
    if (all.n)
        qsort(all.v, all.n, sizeof *all.v, by_text);
    size_t different = all.n > 0;
    for (size_t i = 1; i < all.n; i++)
        different += strcmp(all.v[i - 1], all.v[i]) != 0;
    return different;
}

static void glance_text(struct page *p)
{
    const struct plan *plan = p->r->plan;
    const struct report_counts *c = &p->m->counts;
    size_t names = count_names(p), all = 0;
    for (size_t i = 0; i < plan->rules.n; i++)
        all += plan->rules.v[i].answers && plan->rules.v[i].rule->all_names;
    put(p, "<p class=\"lead\">");
    put_plural(p, c->answering, "rule");
    put(p, c->answering == 1 ? " publishes " : " publish ");
    put_plural(p, names, "name");
    put(p, " on ");
    put_plural(p, plan->listeners.n, "listener");
    if (all) {
        put(p, "; ");
        put_count(p, all);
        put(p, all == 1 ? " of them answers every name" : " of them answer every name");
    }
    put(p, ". ");
    if (c->rules > c->answering) {
        put_count(p, c->rules - c->answering);
        put(p, c->rules - c->answering == 1 ? " more rule answers nothing" : " more rules answer nothing");
        if (c->disabled) {
            put(p, ", ");
            put_count(p, c->disabled);
            put(p, " because disabled");
        }
        put(p, ".");
    }
    put(p, "</p>\n");
}

static void glance_findings(struct page *p)
{
    static const char *const says[] = { "for information", "to know: works, but differently",
                                        "to settle: open, closed or broken" };
    static const char *const words[] = { "note", "warning", "error" };
    put(p, "<ul class=\"totals\">");
    for (int s = SEV_ERROR; s >= SEV_INFO; s--) {
        size_t n = p->m->counts.severity[s];
        put(p, "<li class=\"s");
        put_count(p, (size_t)s);
        put(p, n ? "\"><b>" : " none\"><b>");
        put_count(p, n);
        put(p, "</b> ");
        put(p, words[s]);
        put(p, n == 1 ? "<small>" : "s<small>");
        put(p, says[s]);
        put(p, "</small></li>");
    }
    put(p, "<li class=\"sa\"><b>");
    put_count(p, p->m->counts.accepted);
    put(p, "</b> accepted<small>in the site map</small></li></ul>\n");
}

/* A bar of the rules' verdicts; the list beneath says the same in words. */
static void glance_target(struct page *p, enum target t)
{
    size_t n[VERDICTS] = { 0 }, total = 0, x = 0, best = 0;
    for (size_t i = 0; i < p->r->plan->rules.n; i++) {
        n[p->m->verdicts[i].on[t]]++;
        best += (p->m->verdicts[i].best & ON(t)) != 0;
    }
    for (size_t v = VERDICT_SAME; v < VERDICTS; v++)
        total += n[v];
    put(p, "<li class=\"card\"><h3>");
    put(p, target_titles[t]);
    put(p, "</h3>");
    buf_printf(p->out, "<svg class=\"bar\" viewBox=\"0 0 %zu 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
               total ? total : 1);
    for (size_t v = VERDICT_SAME; v < VERDICTS; x += n[v++])
        if (n[v])
            buf_printf(p->out, "<rect class=\"f%zu\" x=\"%zu\" width=\"%zu\" height=\"1\"/>", v, x, n[v]);
    put(p, "</svg><ul>");
    for (size_t v = VERDICT_SAME; v < VERDICTS; v++)
        buf_printf(p->out, "<li%s><span class=\"v v%zu\">%s</span> <b>%zu</b></li>", n[v] ? "" : " class=\"none\"", v,
                   verdict_words[v], n[v]);
    buf_printf(p->out, "</ul><p>Fewest differences, alone or with others, for %zu of %zu rule%s.</p>", best, total,
               total == 1 ? "" : "s");
    if (p->r->emissions[t])
        buf_printf(p->out, "<p><a href=\"%s/%s\">%s/%s</a></p>", target_outputs[t].folder, target_outputs[t].file,
                   target_outputs[t].folder, target_outputs[t].file);
    put(p, "</li>\n");
}

void html_glance(struct page *p)
{
    put(p, "<section id=\"glance\" aria-labelledby=\"h-glance\">\n<h2 id=\"h-glance\">At a glance</h2>\n");
    glance_text(p);
    glance_findings(p);
    put(p, "<ul class=\"cards\">\n");
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t))
            glance_target(p, (enum target)t);
    put(p,
        "</ul>\n<dl class=\"legend\"><div><dt><span class=\"v v1\">as before</span></dt><dd>answers as the source did</dd></div>"
        "<div><dt><span class=\"v v2\">differs</span></dt><dd>works, with a stated difference or an accepted one</dd></div>"
        "<div><dt><span class=\"v v3\">needs work</span></dt><dd>something that users will notice is missing</dd></div>"
        "<div><dt><span class=\"v v4\">closed</span></dt><dd>answers 403, because the target cannot keep a restriction of the source</dd></div></dl>\n</section>\n");
}

/* ---- what will be different ---------------------------------------------------------- */

enum { LINKS = 8, SLAB = 100 };
struct tally {
    size_t open, accepted, rules;
    enum severity gravest;
    uint32_t rule[LINKS], last;
};

static void tally_findings(struct page *p, struct tally *of)
{
    for (size_t i = 0; i < FINDINGS; i++)
        of[i].last = NOBODY;
    for (size_t i = 0; i < p->r->findings->list.n; i++) {
        const struct finding *f = &p->r->findings->list.v[i];
        struct tally *t = &of[f->id];
        if (f->accepted)
            t->accepted++;
        else
            t->open++;
        if (!f->accepted && f->severity > t->gravest)
            t->gravest = f->severity;
        uint32_t rule = p->m->rule_of[i];
        if (rule == NOBODY || rule == t->last)
            continue;
        if (t->rules < LINKS)
            t->rule[t->rules] = rule;
        t->rules++;
        t->last = rule;
    }
}

static void kind_row(struct page *p, size_t id, const struct tally *t)
{
    const struct finding_kind *k = &finding_kinds[id];
    buf_printf(
        p->out,
        "<tr id=\"TMG%u\"><td><span class=\"s s%d\">%s</span></td><th scope=\"row\"><code>TMG%u</code> %s<small>%s</small></th><td class=\"n\">%zu",
        k->code, (int)t->gravest, t->open ? severity_names[t->gravest] : "accepted", k->code, k->name,
        class_names[k->class], t->open + t->accepted);
    if (t->accepted)
        buf_printf(p->out, "<small>%zu accepted</small>", t->accepted);
    buf_printf(p->out, "</td><td>%s <em>%s</em></td><td class=\"refs\">", k->meaning, k->remedy);
    for (size_t i = 0; i < t->rules && i < LINKS; i++) {
        put(p, i ? " " : "");
        put_rule_link(p, t->rule[i]);
    }
    if (t->rules > LINKS)
        buf_printf(p->out, " and %zu more", t->rules - LINKS);
    put(p, t->rules ? "</td></tr>\n" : "\xe2\x80\x93</td></tr>\n");
}

void html_kinds(struct page *p)
{
    struct tally *of = arena_alloc(p->m->arena, FINDINGS * sizeof *of);
    tally_findings(p, of);
    put(p, "<section id=\"kinds\" aria-labelledby=\"h-kinds\">\n<h2 id=\"h-kinds\">What will be different</h2>\n");
    if (!p->r->findings->list.n) {
        put(p, "<p>Nothing was found.</p>\n</section>\n");
        return;
    }
    put(p,
        "<p>Each kind of finding once, the gravest first. What concerns a single rule stands with the rule.</p>\n"
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"h-kinds\" tabindex=\"0\"><table class=\"kinds\"><thead><tr><th scope=\"col\">Severity</th><th scope=\"col\">Finding</th>"
        "<th scope=\"col\">Times</th><th scope=\"col\">What it means, <em>what to do</em></th><th scope=\"col\">Rules</th></tr></thead><tbody>\n");
    for (int s = SEV_ERROR; s >= -1; s--) /* -1: accepted every time */
        for (size_t id = 0; id < FINDINGS; id++)
            if (of[id].open + of[id].accepted && (of[id].open ? (int)of[id].gravest : -1) == s)
                kind_row(p, id, &of[id]);
    put(p, "</tbody></table></div>\n</section>\n");
}

/* ---- the table of sites ---------------------------------------------------------------- */

static void site_names(struct page *p, const struct rule *r)
{
    enum { NAMES = 3 };
    if (r->all_names)
        put(p, "<i>every name</i>");
    else if (!r->names.n)
        put(p, "<i>no name</i>");
    for (size_t i = 0; !r->all_names && i < r->names.n && i < NAMES; i++) {
        put(p, i ? "<br>" : "");
        buf_puts(&p->value, r->names.v[i].display ? r->names.v[i].display : r->names.v[i].name);
        put_host(p);
    }
    if (!r->all_names && r->names.n > NAMES)
        buf_printf(p->out, "<br><i>and %zu more</i>", r->names.n - NAMES);
}

static void site_paths(struct page *p, const struct rule *r)
{
    enum { PATHS = 3 };
    for (size_t i = 0; i < r->paths.n && i < PATHS; i++) {
        put(p, i ? " " : "");
        put(p, "<code>");
        buf_path_pattern(&p->value, r->paths.v[i].kind, r->paths.v[i].external);
        put_value(p);
        put(p, "</code>");
    }
    if (r->paths.n > PATHS)
        buf_printf(p->out, " <i>and %zu more</i>", r->paths.n - PATHS);
}

/* Which target, and why. */
static void site_advice(struct page *p, const struct plan_rule *r)
{
    const struct rule_verdict *v = &p->m->verdicts[r->index];
    enum verdict best = VERDICT_NONE;
    size_t n = 0, targets = 0;
    for (unsigned t = 0; t < TARGETS; t++)
        targets += (p->r->targets & ON(t)) != 0;
    for (unsigned t = 0; t < TARGETS; t++)
        if (v->best & ON(t)) {
            best = v->on[t];
            n++;
        }
    if (!n || best == VERDICT_CLOSED) {
        put(p, n ? "<b>none</b><small>closed on every target</small>" : "\xe2\x80\x93");
        return;
    }
    put(p, "<b>");
    const char * or = "";
    for (unsigned t = 0; n < targets && t < TARGETS; t++) {
        if (!(v->best & ON(t)))
            continue;
        put(p, or);
        put(p, target_titles[t]);
        or = " or ";
    }
    put(p, n == targets && n > 1 ? "any</b><small>" : n == targets ? "the only one</b><small>" : "</b><small>");
    put(p, best == VERDICT_SAME ? (n == targets ? "nothing changes" : "nothing changes there") : "fewest differences");
    put(p, "</small>");
}

static void site_row(struct page *p, const struct plan_rule *r)
{
    put(p, r->answers ? "<tr><td class=\"n\">" : "<tr class=\"off\"><td class=\"n\">");
    put_rule_link(p, r->index);
    put(p, "</td><th scope=\"row\">");
    put_text(p, rule_title(r));
    put(p, "</th><td class=\"host\">");
    site_names(p, r->rule);
    put(p, "</td><td>");
    site_paths(p, r->rule);
    put(p, "</td><td class=\"host\">");
    put_rule_goal(&p->value, r);
    put_host(p);
    put(p, "</td>");
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(p->r->targets & ON(t)))
            continue;
        put(p, p->m->verdicts[r->index].best & ON(t) ? "<td class=\"best\">" : "<td>");
        put_verdict(p, r, (enum target)t);
        size_t before = p->out->n;
        put(p, "<small>");
        if (!r->answers || !put_losses(p, r, (enum target)t, 2)) {
            p->out->n = before;
            p->out->p[before] = '\0';
        } else
            put(p, "</small>");
        put(p, "</td>");
    }
    put(p, "<td>");
    site_advice(p, r);
    put(p, "</td></tr>\n");
}

/* A long table is many short ones of the same measures, so that a browser lays out only those in sight. */
static void site_slab(struct page *p, size_t from, size_t to)
{
    put(p,
        "<div class=\"slab\"><table class=\"sites\"><thead><tr><th scope=\"col\" class=\"number\">#</th><th scope=\"col\">Rule</th><th scope=\"col\" class=\"wide\">Public names</th>"
        "<th scope=\"col\">Paths</th><th scope=\"col\" class=\"wide\">Published server</th>");
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t))
            buf_printf(p->out, "<th scope=\"col\">%s</th>", target_titles[t]);
    put(p, "<th scope=\"col\">Advice</th></tr></thead><tbody>\n");
    for (size_t i = from; i < to; i++)
        site_row(p, &p->r->plan->rules.v[i]);
    put(p, "</tbody></table></div>\n");
}

void html_sites(struct page *p)
{
    put(p, "<section id=\"sites\" aria-labelledby=\"h-sites\">\n<h2 id=\"h-sites\">Sites</h2>\n");
    if (!p->rules) {
        put(p, "<p>The input holds no web publishing rule.</p>\n</section>\n");
        return;
    }
    put(p,
        "<p>Rules in the order in which they are tried. The advice is the target with the fewest differences; the finding names say why the others have more.</p>\n");
    if (p->rules < p->r->plan->rules.n)
        buf_printf(
            p->out,
            "<p class=\"limit\">This page shows the first %zu of %zu rules; report.txt and report.json list all of them.</p>\n",
            p->rules, p->r->plan->rules.n);
    put(p, "<div class=\"scroll\" role=\"region\" aria-labelledby=\"h-sites\" tabindex=\"0\">\n");
    for (size_t i = 0; i < p->rules; i += SLAB)
        site_slab(p, i, i + SLAB < p->rules ? i + SLAB : p->rules);
    put(p, "</div>\n</section>\n");
}
