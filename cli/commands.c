/* commands: the small ones - ir, site, check, capabilities. */
#include "cli.h"
#include "../settings/settings.h"

#include <string.h>

int cmd_ir(struct cli *c)
{
    struct policy *p;
    const char *name;
    struct strbuf b = { 0 };
    int status = policy_load(c, c->operands.v[0], &p, &name);
    if (status == EXIT_DONE) {
        policy_write(&b, p);
        status = print_out(&b);
    }
    buf_free(&b);
    policy_free(p);
    return status;
}

int cmd_site(struct cli *c)
{
    struct policy *p;
    const char *name;
    struct strbuf b = { 0 };
    int status = policy_load(c, c->operands.v[0], &p, &name);
    if (status == EXIT_DONE) {
        site_skeleton(&b, p);
        status = print_out(&b);
    }
    buf_free(&b);
    policy_free(p);
    return status;
}

static const struct {
    const char *name;
    void (*write)(struct strbuf *, const struct report *);
} report_formats[] = {
    { "text", NULL },      { "json", report_json }, { "sarif", report_sarif },
    { "csv", report_csv }, { "html", report_html },
};

int cmd_check(struct cli *c)
{
    struct cli_input in;
    struct strbuf b = { 0 };
    const char *format = c->value[OPT_FORMAT] ? c->value[OPT_FORMAT] : "text";
    size_t at = 0, formats = sizeof report_formats / sizeof *report_formats;
    while (at < formats && strcmp(report_formats[at].name, format) != 0)
        at++;
    if (at == formats)
        return cli_error(c, "--format %s: text, json, sarif, csv or html", format);
    int status = input_load(c, c->operands.v[0], &in);
    if (status == EXIT_DONE) {
        if (!c->value[OPT_QUIET])
            findings_print(c, &in, SEV_INFO);
        if (report_formats[at].write) {
            struct report r = { in.plan,
                                &in.findings,
                                c->targets,
                                in.policy->source,
                                in.site_name ? path_basename(in.site_name) : NULL,
                                { NULL },
                                NULL,
                                NULL };
            report_formats[at].write(&b, &r);
            status = print_out(&b);
        }
    }
    if (status == EXIT_DONE)
        status = findings_status(c, &in.findings);
    buf_free(&b);
    input_free(&in);
    return status;
}

int cmd_capabilities(struct cli *c)
{
    const char *format = c->value[OPT_FORMAT] ? c->value[OPT_FORMAT] : "text";
    if (strcmp(format, "text") != 0 && strcmp(format, "markdown") != 0 && strcmp(format, "json") != 0)
        return cli_error(c, "--format %s: text, markdown or json", format);
    int target = -1;
    for (int t = 0; t < TARGETS; t++)
        if (c->targets == ON(t))
            target = t;
    struct strbuf b = { 0 };
    capabilities_write(&b, target, format);
    int status = print_out(&b);
    buf_free(&b);
    return status;
}
