/* batch_write: the summary of a batch as text, JSON (docs/manual.md has the members) and CSV. */
#include "batch.h"

static const char *const verdict_keys[VERDICTS] = { "none", "same", "differs", "broken", "closed" };

/* ---- text ----------------------------------------------------------------------------- */
static void plural(struct strbuf *b, size_t n, const char *one)
{
    buf_printf(b, "%zu %s%s", n, one, n == 1 ? "" : "s");
}

static size_t widest_name(const struct batch *b)
{
    size_t width = 5;
    for (size_t i = 0; i < b->inputs.n; i++) {
        size_t n = strlen(b->inputs.v[i].name);
        if (n > width)
            width = n;
    }
    return width < 48 ? width : 48;
}

static void text_inputs(struct strbuf *out, const struct batch *b)
{
    struct strbuf cell = { 0 };
    int width = (int)widest_name(b);
    buf_printf(out, "%-*s %6s %7s %8s %6s  fewest differences\n", width, "input", "sites", "errors", "warnings",
               "infos");
    for (size_t i = 0; i < b->inputs.n; i++) {
        const struct batch_input *in = &b->inputs.v[i];
        const struct batch_counts *n = &in->counts;
        if (in->failed) {
            buf_printf(out, "%-*s  failed: %s\n", width, in->name, in->why);
            continue;
        }
        buf_printf(out, "%-*s %6u %7u %8u %6u  ", width, in->name, n->answering, n->severity[SEV_ERROR],
                   n->severity[SEV_WARNING], n->severity[SEV_INFO]);
        buf_clear(&cell);
        put_target_list(&cell, in->best, "no site");
        buf_printf(out, "%s\n", cell.p);
    }
    buf_free(&cell);
}

static void text_totals(struct strbuf *out, const struct batch *b)
{
    const struct batch_counts *n = &b->total.counts;
    buf_putc(out, '\n');
    plural(out, b->inputs.n, "input");
    buf_printf(out, ", %zu failed; ", b->failed);
    plural(out, n->answering, "site");
    buf_puts(out, "; ");
    plural(out, n->severity[SEV_ERROR], "error");
    buf_puts(out, ", ");
    plural(out, n->severity[SEV_WARNING], "warning");
    buf_printf(out, ", %u info; %u accepted", n->severity[SEV_INFO], n->accepted);
    if (b->skipped) {
        buf_puts(out, "; ");
        plural(out, b->skipped, "other file");
        buf_puts(out, " skipped");
    }
    buf_puts(out, "\n\n");
    for (unsigned t = 0; t < TARGETS; t++)
        if (b->cli->targets & ON(t))
            buf_printf(
                out,
                "%-9s fewest differences for %zu of %zu inputs; sites: %u as before, %u with differences, %u need work, %u closed\n",
                target_names[t], b->best_of[t], b->inputs.n - b->failed, n->on[t][VERDICT_SAME],
                n->on[t][VERDICT_DIFFERS], n->on[t][VERDICT_BROKEN], n->on[t][VERDICT_CLOSED]);
}

void batch_text(struct strbuf *out, const struct batch *b)
{
    enum finding_id ids[FINDINGS];
    size_t n = batch_blockers(b, ids);
    text_inputs(out, b);
    text_totals(out, b);
    buf_puts(out, n ? "\nWhat stops most sites:\n" : "\nNothing stops a site.\n");
    for (size_t i = 0; i < n; i++) {
        const struct finding_kind *kind = &finding_kinds[ids[i]];
        buf_printf(out, "  TMG%u %-26s %6u site%s in %u input%s (", kind->code, kind->name, b->total.blocked[ids[i]],
                   b->total.blocked[ids[i]] == 1 ? "" : "s", b->blocked_inputs[ids[i]],
                   b->blocked_inputs[ids[i]] == 1 ? "" : "s");
        const char *comma = "";
        for (unsigned t = 0; t < TARGETS; t++)
            if (b->total.blocked_on[ids[i]][t]) {
                buf_printf(out, "%s%s %u", comma, target_names[t], b->total.blocked_on[ids[i]][t]);
                comma = ", ";
            }
        buf_puts(out, ")\n");
    }
}

/* ---- JSON -------------------------------------------------------------------------------- */
static void json_targets(struct strbuf *out, unsigned targets)
{
    const char *comma = "";
    buf_putc(out, '[');
    for (unsigned t = 0; t < TARGETS; t++)
        if (targets & ON(t)) {
            buf_printf(out, "%s\"%s\"", comma, target_names[t]);
            comma = ", ";
        }
    buf_putc(out, ']');
}

static void json_counts(struct strbuf *out, const struct batch *b, const struct batch_counts *n)
{
    buf_printf(
        out,
        "\"listeners\": %u, \"rules\": %u, \"sites\": %u, \"errors\": %u, \"warnings\": %u, \"infos\": %u, \"accepted\": %u, ",
        n->listeners, n->rules, n->answering, n->severity[SEV_ERROR], n->severity[SEV_WARNING], n->severity[SEV_INFO],
        n->accepted);
    buf_puts(out, "\"targets\": {");
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(b->cli->targets & ON(t)))
            continue;
        buf_printf(out, "%s\"%s\": {", comma, target_names[t]);
        for (size_t v = VERDICT_SAME; v < VERDICTS; v++)
            buf_printf(out, "%s\"%s\": %u", v > VERDICT_SAME ? ", " : "", verdict_keys[v], n->on[t][v]);
        buf_putc(out, '}');
        comma = ", ";
    }
    buf_putc(out, '}');
}

static void json_input(struct strbuf *out, const struct batch *b, const struct batch_input *in)
{
    buf_puts(out, "    {\"input\": ");
    buf_json(out, in->path);
    buf_puts(out, ", \"folder\": ");
    buf_json(out, in->name);
    buf_printf(out, ", \"failed\": %s, ", in->failed ? "true" : "false");
    if (in->failed) {
        buf_puts(out, "\"why\": ");
        buf_json(out, in->why);
    } else {
        json_counts(out, b, &in->counts);
        buf_puts(out, ", \"fewest_differences\": ");
        json_targets(out, in->best);
    }
    buf_putc(out, '}');
}

static void json_blocker(struct strbuf *out, const struct batch *b, enum finding_id id)
{
    struct strbuf settings = { 0 };
    const struct finding_kind *kind = &finding_kinds[id];
    put_blocker_settings(&settings, id);
    buf_printf(out, "    {\"code\": \"TMG%u\", \"name\": \"%s\", \"class\": \"%s\", \"settings\": ", kind->code,
               kind->name, class_names[kind->class]);
    buf_json(out, settings.p);
    buf_printf(out, ", \"sites\": %u, \"inputs\": %u, \"sites_on\": {", b->total.blocked[id], b->blocked_inputs[id]);
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++)
        if (b->cli->targets & ON(t)) {
            buf_printf(out, "%s\"%s\": %u", comma, target_names[t], b->total.blocked_on[id][t]);
            comma = ", ";
        }
    buf_puts(out, "}}");
    buf_free(&settings);
}

void batch_json(struct strbuf *out, const struct batch *b)
{
    enum finding_id ids[FINDINGS];
    size_t n = batch_blockers(b, ids);
    buf_puts(out, "{\n  \"summary\": 1,\n  \"inputs\": [\n");
    for (size_t i = 0; i < b->inputs.n; i++) {
        json_input(out, b, &b->inputs.v[i]);
        buf_puts(out, i + 1 < b->inputs.n ? ",\n" : "\n");
    }
    buf_printf(out, "  ],\n  \"totals\": {\"inputs\": %zu, \"failed\": %zu, \"skipped_files\": %zu, ", b->inputs.n,
               b->failed, b->skipped);
    json_counts(out, b, &b->total.counts);
    buf_puts(out, "},\n  \"fewest_differences\": {");
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++)
        if (b->cli->targets & ON(t)) {
            buf_printf(out, "%s\"%s\": %zu", comma, target_names[t], b->best_of[t]);
            comma = ", ";
        }
    buf_puts(out, "},\n  \"stops_most_sites\": [\n");
    for (size_t i = 0; i < n; i++) {
        json_blocker(out, b, ids[i]);
        buf_puts(out, i + 1 < n ? ",\n" : "\n");
    }
    buf_puts(out, "  ]\n}\n");
}

/* ---- CSV --------------------------------------------------------------------------------- */
static void number_cell(struct strbuf *out, size_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", n);
    report_csv_cell(out, text);
}

static void csv_input(struct strbuf *out, const struct batch *b, const struct batch_input *in)
{
    const struct batch_counts *n = &in->counts;
    struct strbuf best = { 0 };
    put_target_list(&best, in->best, "");
    report_csv_cell(out, in->name);
    report_csv_cell(out, in->path);
    report_csv_cell(out, in->failed ? "failed" : "done");
    const size_t counts[] = {
        n->listeners,          n->rules,   n->answering, n->severity[SEV_ERROR], n->severity[SEV_WARNING],
        n->severity[SEV_INFO], n->accepted
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (in->failed)
            report_csv_cell(out, "");
        else
            number_cell(out, counts[i]);
    for (unsigned t = 0; t < TARGETS; t++)
        for (size_t v = VERDICT_SAME; v < VERDICTS && b->cli->targets & ON(t); v++)
            if (in->failed)
                report_csv_cell(out, "");
            else
                number_cell(out, n->on[t][v]);
    report_csv_cell(out, best.p);
    report_csv_cell(out, in->why);
    buf_puts(out, "\r\n");
    buf_free(&best);
}

void batch_csv(struct strbuf *out, const struct batch *b)
{
    buf_puts(out, "folder,input,status,listeners,rules,sites,errors,warnings,infos,accepted");
    for (unsigned t = 0; t < TARGETS; t++)
        for (size_t v = VERDICT_SAME; v < VERDICTS && b->cli->targets & ON(t); v++)
            buf_printf(out, ",%s %s", target_names[t], verdict_keys[v]);
    buf_puts(out, ",fewest differences,why\r\n");
    for (size_t i = 0; i < b->inputs.n; i++)
        csv_input(out, b, &b->inputs.v[i]);
}
