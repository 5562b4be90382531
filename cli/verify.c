/* verify: proves the configs with the real programs. The work is done in verify/. */
#include "explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A count for an option; false: it is none. */
static bool number(const char *text, unsigned long long most, unsigned long long *out)
{
    char *end;
    errno = 0;
    *out = text ? strtoull(text, &end, 10) : 0;
    return text == NULL || (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out <= most);
}

/* "nginx=/opt/nginx/sbin/nginx" */
static bool take_binary(struct verify_options *o, const char *text)
{
    for (int t = 0; t < TARGETS; t++) {
        size_t n = strlen(target_names[t]);
        if (strncmp(text, target_names[t], n) == 0 && text[n] == '=' && text[n + 1]) {
            o->binary[t] = text + n + 1;
            return true;
        }
    }
    return false;
}

int verify_options_take(struct cli *c, struct verify_options *o)
{
    unsigned long long jobs, seed, count;
    const char *format = c->value[OPT_FORMAT];
    if (!number(c->value[OPT_JOBS], 256, &jobs))
        return cli_error(c, "--jobs %s: a number up to 256", c->value[OPT_JOBS]);
    if (!number(c->value[OPT_SEED], UINT64_MAX, &seed))
        return cli_error(c, "--seed %s: a number", c->value[OPT_SEED]);
    if (!number(c->value[OPT_RANDOM], 1000000, &count))
        return cli_error(c, "--random %s: a number up to 1000000", c->value[OPT_RANDOM]);
    if (format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return cli_error(c, "--format %s: text or json", format);
    *o = (struct verify_options){ .targets = c->targets,
                                  .configs = c->value[OPT_CONFIGS],
                                  .keep = c->value[OPT_KEEP],
                                  .requests = c->value[OPT_REQUESTS],
                                  .jobs = (unsigned)jobs,
                                  .seed = seed,
                                  .random = (size_t)count,
                                  .progress = isatty(2) && !c->value[OPT_QUIET] };
    for (size_t i = 0; i < c->binaries.n; i++)
        if (!take_binary(o, c->binaries.v[i]))
            return cli_error(c, "--target-binary %s: TARGET=PATH, as in nginx=/opt/nginx/sbin/nginx", c->binaries.v[i]);
    return EXIT_DONE;
}

int cmd_verify(struct cli *c)
{
    struct verify_options o;
    struct verify_report r = { 0 };
    struct cli_input in;
    struct strbuf err = { 0 }, text = { 0 };
    int status = verify_options_take(c, &o);
    if (status != EXIT_DONE)
        return status;
    status = input_load(c, c->operands.v[0], &in);
    if (status == EXIT_DONE && verify_run(in.plan, &in.findings, &o, &r, &err) != 0)
        status = cli_error(c, "%s", err.p ? err.p : "");
    else if (status == EXIT_DONE) {
        bool json = c->value[OPT_FORMAT] && strcmp(c->value[OPT_FORMAT], "json") == 0;
        if (json)
            verify_report_json(&text, &r);
        else
            verify_report_text(&text, &r, c->value[OPT_VERBOSE] != NULL);
        status = print_out(&text);
        if (status == EXIT_DONE && c->value[OPT_OUT])
            status = proof_write(c, &in, &r, c->value[OPT_OUT]);
        if (status == EXIT_DONE)
            status = verify_status(&r);
    }
    verify_report_free(&r);
    buf_free(&text);
    buf_free(&err);
    input_free(&in);
    return status;
}
