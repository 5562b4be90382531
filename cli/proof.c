/* The reports with the result of verify in them: report.json and report.html as convert writes them, and the proof added. */
#include "explain.h"

/* The configs that the page quotes. */
static int emit_all(struct cli *c, const struct cli_input *in, struct emission emitted[TARGETS], struct report *r,
                    struct strbuf *err)
{
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!(c->targets & ON(t)))
            continue;
        if (target_outputs[t].emit(in->plan, c->arena, &emitted[t], err) < 0)
            return -1;
        emission_trim(&emitted[t], RULES_SHOWN);
        r->emissions[t] = &emitted[t];
    }
    return 0;
}

int proof_write(struct cli *c, const struct cli_input *in, const struct verify_report *v, const char *dir)
{
    struct emission emitted[TARGETS] = { 0 };
    struct strbuf json = { 0 }, html = { 0 }, report = { 0 }, page = { 0 }, err = { 0 };
    struct out_set o = { .arena = c->arena, .dir = dir, .err = &err, .keeps_others = true };
    verify_report_json(&json, v);
    verify_report_html(&html, v);
    struct report r = { .plan = in->plan,
                        .findings = &in->findings,
                        .targets = c->targets,
                        .export_name = in->policy->source,
                        .site_name = in->site_name ? path_basename(in->site_name) : NULL,
                        .proof_json = json.p,
                        .proof_html = html.p };
    int rc = emit_all(c, in, emitted, &r, &err);
    if (rc == 0) {
        report_json(&report, &r);
        report_html(&page, &r);
        out_add(&o, "report.json", &report);
        out_add(&o, "report.html", &page);
        rc = out_finish(&o, true);
    }
    if (rc < 0)
        fputs(err.p ? err.p : "", stderr);
    for (unsigned t = 0; t < TARGETS; t++)
        emission_free(&emitted[t]);
    buf_free(&json);
    buf_free(&html);
    buf_free(&report);
    buf_free(&page);
    buf_free(&err);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}
