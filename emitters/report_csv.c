/* report_csv: the findings as a table (RFC 4180, UTF-8), one line each, for spreadsheets.
 *
 * A cell that begins like a formula gets an apostrophe before it: names come from strangers, and a spreadsheet must not
 * compute them. */
#include "report.h"
#include <string.h>

void report_csv_cell(struct strbuf *b, const char *s)
{
    if (b->n && b->p[b->n - 1] != '\n')
        buf_putc(b, ',');
    if (!s || !*s)
        return;
    bool formula = strchr("=+-@\t\r", s[0]) != NULL;
    if (!formula && !strpbrk(s, ",\"\r\n") && s[0] != ' ') {
        buf_puts(b, s);
        return;
    }
    buf_puts(b, formula ? "\"'" : "\"");
    for (; *s; s++) {
        if (*s == '"')
            buf_putc(b, '"');
        buf_putc(b, *s);
    }
    buf_putc(b, '"');
}

/* Text of the export may hold what does not show; a cell shows all. */
static void put_visible(struct strbuf *b, struct strbuf *scratch, const char *s)
{
    buf_clear(scratch);
    buf_visible(scratch, s ? s : "");
    report_csv_cell(b, scratch->p ? scratch->p : "");
}

static void put_targets(struct strbuf *b, struct strbuf *scratch, unsigned targets)
{
    buf_clear(scratch);
    for (unsigned t = 0; t < TARGETS; t++)
        if (targets & ON(t))
            buf_printf(scratch, "%s%s", scratch->n ? " " : "", target_names[t]);
    report_csv_cell(b, scratch->p ? scratch->p : "");
}

static void put_finding(struct strbuf *b, struct strbuf *scratch, const struct report *r, const struct finding *f)
{
    const struct finding_kind *kind = &finding_kinds[f->id];
    buf_puts(b, "TMG");
    put_number(b, kind->code);
    report_csv_cell(b, kind->name);
    report_csv_cell(b, severity_names[f->severity]);
    report_csv_cell(b, class_names[kind->class]);
    report_csv_cell(b, finding_subject(f));
    put_visible(b, scratch, f->name);
    put_visible(b, scratch, f->guid);
    report_csv_cell(b, f->setting);
    put_visible(b, scratch, finding_file(r, f));
    buf_putc(b, ',');
    if (f->line)
        put_number(b, f->line);
    put_targets(b, scratch, f->targets);
    put_visible(b, scratch, f->message);
    put_visible(b, scratch, f->remedy);
    put_visible(b, scratch, f->accepted);
    buf_puts(b, "\r\n");
}

void report_csv(struct strbuf *out, const struct report *r)
{
    struct strbuf scratch = { 0 };
    buf_puts(
        out,
        "code,name,severity,class,subject,subject_name,guid,setting,file,line,targets,message,remedy,accepted\r\n");
    for (size_t i = 0; i < r->findings->list.n; i++)
        put_finding(out, &scratch, r, &r->findings->list.v[i]);
    buf_free(&scratch);
}
