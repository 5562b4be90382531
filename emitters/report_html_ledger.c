/* report_html_ledger: where every element of the export went, and which settings did not come along whole. */
#include "ledger.h"
#include "report_html.h"
#include <string.h>

static void put_heading(struct page *p, const char *first)
{
    put(p, "<thead><tr><th scope=\"col\">");
    put(p, first);
    put(p, "</th>");
    for (size_t f = 0; f < LEDGER_FATES; f++) {
        put(p, "<th scope=\"col\">");
        put(p, ledger_words[f]);
        put(p, "</th>");
    }
    put(p, "</tr></thead><tbody>");
}

static void put_fates(struct page *p, const size_t on[LEDGER_FATES])
{
    for (size_t f = 0; f < LEDGER_FATES; f++) {
        put(p, "<td>");
        put_count(p, on[f]);
        put(p, "</td>");
    }
    put(p, "</tr>");
}

static void put_sums(struct page *p, const struct ledger_view *v)
{
    const struct {
        size_t n;
        const char *meaning;
    } parts[] = {
        { v->settings, " state a setting (the table), " },
        { (size_t)v->of->structure, " only hold others, " },
        { (size_t)v->of->other_rules, " belong to rules that publish no web site, " },
        { (size_t)v->of->elsewhere, " to objects that no published site uses, and " },
        { (size_t)v->of->unknown, " are not known: the findings name each, with its line. " },
    };
    put(p, "<p>Of the export's ");
    put_plural(p, (size_t)v->of->elements, "element");
    put(p, " ");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        put_count(p, parts[i].n);
        put(p, parts[i].meaning);
    }
    put(p, "Of its ");
    put_plural(p, (size_t)v->of->attributes, "attribute");
    put(p, " ");
    put_count(p, (size_t)v->of->unknown_attributes);
    put(p, " are not known.</p>");
}

static bool came_whole(const struct page *p, const struct ledger_row *row)
{
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t) && row->on[t][LEDGER_SAME] + row->on[t][LEDGER_NONE] < row->n)
            return false;
    return true;
}

static void put_row(struct page *p, const struct setting *s, const struct ledger_row *row)
{
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(p->r->targets & ON(t)) || row->on[t][LEDGER_SAME] + row->on[t][LEDGER_NONE] == row->n)
            continue;
        put(p, "<tr><th scope=\"row\">");
        put(p, setting_object_names[s->object]);
        put(p, "/<wbr>");
        html_text_n(p->out, s->names, strcspn(s->names, "|"));
        put(p, " <span class=\"on\">");
        put(p, target_titles[t]);
        put(p, "</span></th>");
        put_fates(p, row->on[t]);
    }
}

bool html_has_ledger(const struct page *p)
{
    return p->r->plan->policy->ledger.elements > 0;
}

void html_ledger(struct page *p)
{
    const struct ledger_view *v = ledger_view_make(p->m);
    bool whole = true;
    put(p, "<section id=\"ledger\" aria-labelledby=\"h-ledger\">\n<h2 id=\"h-ledger\">Ledger</h2>\n");
    put_sums(p, v);
    put(p,
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"h-ledger\" tabindex=\"0\"><table class=\"ledger\"><caption>What became of the elements that state a setting</caption>");
    put_heading(p, "Target");
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(p->r->targets & ON(t)))
            continue;
        put(p, "<tr><th scope=\"row\">");
        put(p, target_titles[t]);
        put(p, "</th>");
        put_fates(p, v->on[t]);
    }
    put(p, "</tbody></table></div>");
    for (size_t i = 0; i < SETTINGS; i++)
        whole &= came_whole(p, &v->rows[i]);
    if (!whole) {
        put(p,
            "<details><summary>Settings that did not come along whole</summary><div class=\"scroll\" role=\"region\" aria-label=\"Settings that did not come along whole\" tabindex=\"0\"><table class=\"ledger\">");
        put_heading(p, "Setting");
        for (size_t i = 0; i < SETTINGS; i++)
            put_row(p, &settings[i], &v->rows[i]);
        put(p, "</tbody></table></div></details>");
    }
    put(p, "</section>\n");
}
