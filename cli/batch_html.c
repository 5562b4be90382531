/* batch_html: the summary of a batch as one page without outside resources, which links to each input's own report.
 * Strings of strangers (names of files, messages) are text in it and nothing else. */
#include "batch.h"

static const char *const style[] = {
    "<style>",
    ":root { color-scheme: light dark; }",
    "body { margin: 2rem auto; max-width: 76rem; padding: 0 1.5rem; font: 15px/1.5 system-ui, \"Segoe UI\", \"Liberation Sans\", Arial, sans-serif; }",
    "table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; }",
    "caption { text-align: left; font-size: 1.2rem; font-weight: 600; padding: .5rem 0; }",
    "th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere; }",
    "th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }",
    "thead th { position: sticky; top: 0; background: Canvas; }",
    "small { display: block; opacity: .75; }",
    ".failed td { color: #b3261e; } .lead { font-size: 1.15rem; }",
    "@media (prefers-color-scheme: dark) { .failed td { color: #ff938a; } }",
    "</style>",
};

static void put_text(struct strbuf *out, const char *s)
{
    struct strbuf clean = { 0 };
    buf_visible(&clean, s);
    for (const char *c = clean.p ? clean.p : ""; *c; c++)
        switch (*c) {
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '&': buf_puts(out, "&amp;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        default: buf_putc(out, *c);
        }
    buf_free(&clean);
}

static void put_link(struct strbuf *out, const char *folder)
{
    buf_puts(out, "<a href=\"./");
    for (const unsigned char *c = (const unsigned char *)folder; *c; c++)
        if ((*c >= '0' && *c <= '9') || (ascii_lower((char)*c) >= 'a' && ascii_lower((char)*c) <= 'z') ||
            strchr("._-~", *c))
            buf_putc(out, (char)*c);
        else
            buf_printf(out, "%%%02X", *c);
    buf_puts(out, "/report.html\">");
    put_text(out, folder);
    buf_puts(out, "</a>");
}

static void put_input(struct strbuf *out, const struct batch *b, const struct batch_input *in)
{
    const struct batch_counts *n = &in->counts;
    buf_puts(out, in->failed ? "<tr class=\"failed\"><td>" : "<tr><td>");
    if (in->failed)
        put_text(out, in->name);
    else
        put_link(out, in->name);
    buf_puts(out, "<small>");
    put_text(out, in->path);
    buf_puts(out, "</small></td>");
    if (in->failed) {
        unsigned columns = 5;
        for (unsigned t = 0; t < TARGETS; t++)
            columns += (b->cli->targets & ON(t)) != 0;
        buf_printf(out, "<td colspan=\"%u\">failed: ", columns);
        put_text(out, in->why);
        buf_puts(out, "</td></tr>\n");
        return;
    }
    buf_printf(out, "<td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td>",
               n->answering, n->severity[SEV_ERROR], n->severity[SEV_WARNING], n->severity[SEV_INFO]);
    for (unsigned t = 0; t < TARGETS; t++)
        if (b->cli->targets & ON(t))
            buf_printf(out, "<td class=\"n\">%u / %u / %u / %u</td>", n->on[t][VERDICT_SAME], n->on[t][VERDICT_DIFFERS],
                       n->on[t][VERDICT_BROKEN], n->on[t][VERDICT_CLOSED]);
    buf_puts(out, "<td>");
    put_target_list(out, in->best, "no site");
    buf_puts(out, "</td></tr>\n");
}

static void put_inputs(struct strbuf *out, const struct batch *b)
{
    buf_puts(
        out,
        "<table><caption>Inputs</caption><thead><tr><th scope=\"col\">input</th><th scope=\"col\" class=\"n\">sites</th><th scope=\"col\" class=\"n\">errors</th>"
        "<th scope=\"col\" class=\"n\">warnings</th><th scope=\"col\" class=\"n\">infos</th>");
    for (unsigned t = 0; t < TARGETS; t++)
        if (b->cli->targets & ON(t))
            buf_printf(out, "<th scope=\"col\" class=\"n\">%s<small>same / differ / need work / closed</small></th>",
                       target_names[t]);
    buf_puts(out, "<th scope=\"col\">fewest differences</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < b->inputs.n; i++)
        put_input(out, b, &b->inputs.v[i]);
    buf_puts(out, "</tbody></table>\n");
}

static void put_blockers(struct strbuf *out, const struct batch *b)
{
    enum finding_id ids[FINDINGS];
    size_t n = batch_blockers(b, ids);
    if (!n)
        return;
    buf_puts(
        out,
        "<table><caption>What stops most sites</caption><thead><tr><th scope=\"col\">finding</th><th scope=\"col\">settings</th><th scope=\"col\" class=\"n\">sites</th>"
        "<th scope=\"col\" class=\"n\">inputs</th><th scope=\"col\">what to do</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const struct finding_kind *kind = &finding_kinds[ids[i]];
        buf_printf(out, "<tr><td>TMG%u %s</td><td>", kind->code, kind->name);
        put_blocker_settings(out, ids[i]);
        buf_printf(out, "</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td>", b->total.blocked[ids[i]],
                   b->blocked_inputs[ids[i]]);
        put_text(out, kind->remedy);
        buf_puts(out, "</td></tr>\n");
    }
    buf_puts(out, "</tbody></table>\n");
}

void batch_html(struct strbuf *out, const struct batch *b)
{
    const struct batch_counts *n = &b->total.counts;
    buf_puts(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Batch of exports</title>\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    for (size_t i = 0; i < sizeof style / sizeof *style; i++)
        buf_printf(out, "%s\n", style[i]);
    buf_puts(out, "</head><body>\n<h1>Batch of exports</h1>\n");
    buf_printf(
        out,
        "<p class=\"lead\">%zu inputs, %zu failed. %u sites; %u errors, %u warnings, %u infos, %u accepted findings.",
        b->inputs.n, b->failed, n->answering, n->severity[SEV_ERROR], n->severity[SEV_WARNING], n->severity[SEV_INFO],
        n->accepted);
    if (b->skipped)
        buf_printf(out, " %zu other files were skipped.", b->skipped);
    buf_puts(out, "</p>\n<ul>\n");
    for (unsigned t = 0; t < TARGETS; t++)
        if (b->cli->targets & ON(t))
            buf_printf(
                out,
                "<li>%s carries %zu of %zu inputs with the fewest differences: %u sites as before, %u with differences, %u need work, %u closed</li>\n",
                target_names[t], b->best_of[t], b->inputs.n - b->failed, n->on[t][VERDICT_SAME],
                n->on[t][VERDICT_DIFFERS], n->on[t][VERDICT_BROKEN], n->on[t][VERDICT_CLOSED]);
    buf_puts(out, "</ul>\n");
    put_blockers(out, b);
    put_inputs(out, b);
    buf_puts(out, "</body></html>\n");
}
