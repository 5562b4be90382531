/* convert: one input to all targets' configs, the policy and the reports. */
#include "../ir/decide_server.h"
#include "cli.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* One target's emission. They do not touch each other, so two at a time have threads of their own; a third waits, so
 * that no more whole files than that are in memory at once. */
enum { AT_ONCE = 2 };
struct job {
    const struct plan *plan; /* NULL: not asked for */
    enum target target;
    struct arena *arena;
    struct emission out;
    struct strbuf err;
    int rc;
    pthread_t thread;
    bool started, threaded;
};

/* A thread that no signal reaches: those that would end the program wait while files are written (cli/output.c), but in
 * the main thread alone. false: there is none. */
static bool thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void *emit(void *arg)
{
    struct job *j = arg;
    j->rc = target_outputs[j->target].emit(j->plan, j->arena, &j->out, &j->err);
    return NULL;
}

static void start(struct job *j)
{
    j->arena = arena_new();
    j->started = true;
    j->threaded = thread_start(&j->thread, emit, j);
    if (!j->threaded)
        emit(j);
}

/* Starts up to n of those that wait. */
static void start_next(struct job jobs[TARGETS], int n)
{
    for (unsigned t = 0; t < TARGETS && n > 0; t++)
        if (jobs[t].plan && !jobs[t].started) {
            start(&jobs[t]);
            n--;
        }
}

static void finish(struct job *j)
{
    if (j->threaded)
        pthread_join(j->thread, NULL);
    j->threaded = false;
}

/* The reports that show the configs wait for them. The page and the log do not touch each other either. */
struct writing {
    const struct report *report;
    void (*write)(struct strbuf *, const struct report *);
    struct strbuf out;
};

static void *write_report(void *arg)
{
    struct writing *w = arg;
    w->write(&w->out, w->report);
    return NULL;
}

static void write_reports(struct writing *page, struct writing *log)
{
    pthread_t thread;
    bool threaded = thread_start(&thread, write_report, page);
    write_report(log);
    if (threaded)
        pthread_join(thread, NULL);
    else
        write_report(page);
}

static void add_emission(struct out_set *o, const struct job *j)
{
    const struct target_output *t = &target_outputs[j->target];
    out_add(o, arena_printf(o->arena, "%s/%s", t->folder, t->file), &j->out.text);
    if (t->stream_file && j->out.streams.n)
        out_add(o, arena_printf(o->arena, "%s/%s", t->folder, t->stream_file), &j->out.streams);
    for (size_t i = 0; i < j->out.links.n; i++)
        out_link(o, arena_printf(o->arena, "%s/%s", t->folder, j->out.links.v[i].name), j->out.links.v[i].to);
}

/* The smaller files, while the targets' threads are at work. */
static void write_small(struct out_set *o, const struct policy *p, const struct report *r)
{
    struct strbuf b = { 0 };
    policy_write(&b, p);
    out_add(o, "policy.yaml", &b);
    buf_free(&b);
    report_text(&b, r);
    out_add(o, "report.txt", &b);
    buf_free(&b);
    report_json(&b, r);
    out_add(o, "report.json", &b);
    buf_free(&b);
}

/* How many server publishing rules a target carries with all their ports. */
static size_t carried_whole(const struct plan *p, enum target t)
{
    size_t n = 0;
    for (size_t i = 0; i < p->server_rules.n; i++) {
        const struct plan_server_rule *r = &p->server_rules.v[i];
        bool whole = r->doors.n > 0 && !r->unported && !(r->closed & ON(t));
        for (size_t k = 0; whole && k < r->doors.n; k++)
            whole = door_carried(t, &r->doors.v[k]);
        n += whole;
    }
    return n;
}

static void server_summary(const struct cli *c, const struct plan *p)
{
    size_t all = 0;
    for (size_t i = 0; i < p->server_rules.n; i++)
        all += p->server_rules.v[i].rule->enabled;
    for (unsigned t = 0; t < TARGETS && all; t++)
        if (c->targets & ON(t))
            printf("  %-9s %s/%s, %zu of %zu server publishing rule%s carried with all ports\n", target_names[t],
                   target_outputs[t].folder,
                   target_outputs[t].stream_file ? target_outputs[t].stream_file : target_outputs[t].file,
                   carried_whole(p, (enum target)t), all, all == 1 ? "" : "s");
}

static void summary(const struct cli *c, const struct cli_input *in, const char *dir)
{
    size_t rules = 0, open[TARGETS] = { 0 };
    for (size_t i = 0; i < in->plan->rules.n; i++) {
        rules += in->plan->rules.v[i].answers;
        for (unsigned t = 0; t < TARGETS; t++)
            open[t] += in->plan->rules.v[i].answers && !(in->plan->rules.v[i].closed & ON(t));
    }
    printf("%s: %zu rule%s on %zu listener%s -> %s\n", in->export_name, rules, rules == 1 ? "" : "s",
           in->plan->listeners.n, in->plan->listeners.n == 1 ? "" : "s", dir);
    for (unsigned t = 0; t < TARGETS; t++)
        if (c->targets & ON(t))
            printf("  %-9s %s/%s, %zu of %zu rules answer as the source did or with a stated difference, %zu closed\n",
                   target_names[t], target_outputs[t].folder, target_outputs[t].file, open[t], rules, rules - open[t]);
    server_summary(c, in->plan);
}

/* The configs as they come, then the reports that quote them. */
static int finish_all(struct job jobs[TARGETS], struct report *r, struct out_set *o)
{
    int status = EXIT_DONE;
    for (unsigned t = 0; t < TARGETS; t++) {
        if (!jobs[t].plan)
            continue;
        finish(&jobs[t]);
        start_next(jobs, 1);
        if (jobs[t].rc < 0) {
            fputs(jobs[t].err.p ? jobs[t].err.p : "tmgc: emission failed\n", stderr);
            status = EXIT_FAILED;
        }
        r->emissions[t] = &jobs[t].out;
        add_emission(o, &jobs[t]);
        emission_trim(&jobs[t].out, RULES_SHOWN);
    }
    struct writing page = { r, report_html, { 0 } }, log = { r, report_sarif, { 0 } };
    if (status == EXIT_DONE) {
        write_reports(&page, &log);
        out_add(o, "report.sarif", &log.out);
        out_add(o, "report.html", &page.out);
    }
    buf_free(&page.out);
    buf_free(&log.out);
    return status;
}

int convert_one(struct cli *c, const char *path, const char *dir, struct converted *done)
{
    struct job jobs[TARGETS] = { 0 };
    struct strbuf err = { 0 };
    struct out_set o = { .arena = c->arena, .dir = dir, .err = &err, .check = c->value[OPT_CHECK] != NULL };
    *done = (struct converted){ 0 };
    struct cli_input *in = &done->in;
    int status = input_load(c, path, in);
    if (status != EXIT_DONE)
        goto out;
    for (unsigned t = 0; t < TARGETS; t++)
        if (c->targets & ON(t))
            jobs[t] = (struct job){ .plan = in->plan, .target = (enum target)t };
    start_next(jobs, AT_ONCE);
    struct report r = {
        in->plan, &in->findings, c->targets, in->policy->source, in->site_name ? path_basename(in->site_name) : NULL,
        { NULL }, NULL,          NULL
    };
    write_small(&o, in->policy, &r);
    status = finish_all(jobs, &r, &o);
    if (out_finish(&o, status == EXIT_DONE) < 0) {
        fputs(err.p ? err.p : "", stderr);
        status = EXIT_FAILED;
    }
    done->changes = o.changes;
out:
    for (unsigned t = 0; t < TARGETS; t++) {
        emission_free(&jobs[t].out);
        arena_free(jobs[t].arena);
        buf_free(&jobs[t].err);
    }
    buf_free(&err);
    return status;
}

void changes_print(const strings *changes)
{
    for (size_t i = 0; i < changes->n; i++)
        fprintf(stderr, "%s\n", changes->v[i]);
}

int cmd_convert(struct cli *c)
{
    struct converted done;
    const char *dir = c->value[OPT_OUT];
    if (!dir)
        return cli_error(c, "say with -o DIR where the files go (see tmgc help convert)");
    int status = convert_one(c, c->operands.v[0], dir, &done);
    bool quiet = c->value[OPT_QUIET] != NULL;
    if (status == EXIT_DONE && c->value[OPT_CHECK]) {
        if (!quiet)
            changes_print(&done.changes);
        status = done.changes.n ? EXIT_FINDINGS : EXIT_DONE;
    } else if (status == EXIT_DONE) {
        if (!quiet) {
            findings_print(c, &done.in, c->value[OPT_VERBOSE] ? SEV_INFO : SEV_WARNING);
            summary(c, &done.in, dir);
        }
        status = findings_status(c, &done.in.findings);
    }
    input_free(&done.in);
    return status;
}
