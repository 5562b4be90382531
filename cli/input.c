/* input: an export or a policy, and a site map, become a plan with all its findings. */
#include "cli.h"
#include "../parser/parser.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST_INPUT = 1 << 30 };

bool use_color(const struct cli *c, FILE *to)
{
    const char *when = c->value[OPT_COLOR] ? c->value[OPT_COLOR] : "auto";
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(to)) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

int print_out(const struct strbuf *b)
{
    if ((b->n && fwrite(b->p, 1, b->n, stdout) != b->n) || fflush(stdout) != 0) {
        perror("tmgc: standard output");
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* Messages of a reader are lines of their own: "file:line: what". */
static int failed(const struct strbuf *err)
{
    fputs(err->p ? err->p : "tmgc: failed\n", stderr);
    return EXIT_FAILED;
}

int policy_load(struct cli *c, const char *path, struct policy **out, const char **export_name)
{
    struct strbuf text = { 0 }, err = { 0 };
    bool in = strcmp(path, "-") == 0;
    const char *shown = in ? "<stdin>" : path;
    int status = EXIT_DONE;
    *out = NULL;
    if (file_read(path, LARGEST_INPUT, &text, &err) < 0) {
        status = failed(&err);
        goto out;
    }
    if (text.n && !looks_like_xml(text.p, text.n) && memchr(text.p, '\0', text.n) == NULL) {
        *out = policy_read(shown, text.p, text.n, &err);
        *export_name = *out && (*out)->source ? (*out)->source : shown;
    } else {
        export_read(shown, text.p, text.n, c->value[OPT_NAMES], out, &err);
        *export_name = shown;
    }
    if (!*out)
        status = failed(&err);
    else if (!(*out)->source)
        (*out)->source = arena_strdup((*out)->arena, in ? "stdin" : path_basename(path));
out:
    buf_free(&text);
    buf_free(&err);
    return status;
}

/* Today, for acceptances that end: SOURCE_DATE_EPOCH (reproducible-builds.org) or the clock. */
static const char *today(struct arena *a)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm tm;
    char text[32];
    if (!gmtime_r(&now, &tm) || !strftime(text, sizeof text, "%Y-%m-%d", &tm))
        return NULL;
    return arena_strdup(a, text);
}

int input_load(struct cli *c, const char *path, struct cli_input *in)
{
    struct strbuf err = { 0 };
    *in = (struct cli_input){ 0 };
    int status = policy_load(c, path, &in->policy, &in->export_name);
    if (status != EXIT_DONE)
        goto out;
    in->site_name = c->value[OPT_SITE];
    in->site = site_read(in->site_name, &err);
    if (!in->site) {
        status = failed(&err);
        goto out;
    }
    findings_init(&in->findings, in->policy->arena);
    for (size_t i = 0; i < in->policy->notes.list.n; i++)
        vec_add(in->findings.arena, &in->findings.list, in->policy->notes.list.v[i]);
    in->plan = plan_make(in->policy, in->site, &in->findings);
    memcpy(in->plan->version, c->version, sizeof c->version);
    advise(in->plan, &in->findings);
    advise_names(in->plan, &in->findings);
    assess(in->plan, c->targets, today(c->arena), &in->findings);
    advise_targets(in->plan, c->targets, &in->findings);
    findings_sort(&in->findings);
out:
    buf_free(&err);
    return status;
}

void input_free(struct cli_input *in)
{
    plan_free(in->plan);
    site_free(in->site);
    policy_free(in->policy);
    *in = (struct cli_input){ 0 };
}

void findings_print(const struct cli *c, const struct cli_input *in, enum severity least)
{
    const struct findings *f = &in->findings;
    bool color = use_color(c, stderr);
    struct strbuf b = { 0 };
    size_t count[3] = { 0 };
    for (size_t i = 0; i < f->list.n; i++) {
        count[f->list.v[i].severity]++;
        if (f->list.v[i].severity >= least)
            finding_line(&b, &f->list.v[i], in->export_name, in->site_name, color);
    }
    if (b.p)
        fwrite(b.p, 1, b.n, stderr);
    fprintf(stderr, "%zu error%s, %zu warning%s, %zu info%s\n", count[SEV_ERROR], count[SEV_ERROR] == 1 ? "" : "s",
            count[SEV_WARNING], count[SEV_WARNING] == 1 ? "" : "s", count[SEV_INFO],
            least > SEV_INFO && count[SEV_INFO] ? " (shown with -v)" : "");
    buf_free(&b);
}

int findings_status(const struct cli *c, const struct findings *f)
{
    return c->fail_on < 3 && findings_count(f, (enum severity)c->fail_on) ? EXIT_FINDINGS : EXIT_DONE;
}
