/* batch: many inputs, each in a process of its own, so that a crash or the memory of one harms no other. */
#define _GNU_SOURCE /* ppoll */
#include "batch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_JOBS = 256, MOST_MESSAGES = 1 << 20 };

static volatile sig_atomic_t interrupted;
static void on_signal(int number)
{
    interrupted = number;
}

/* ---- a worker --------------------------------------------------------------------------- */
struct worker {
    pid_t pid; /* 0: free */
    size_t index;
    int fd[2]; /* its result, its messages; -1: at their end */
    struct strbuf got[2];
};
enum { RESULT, MESSAGES };

static void send_result(int fd, const struct batch_result *r)
{
    const char *p = (const char *)r;
    for (size_t n = sizeof *r; n;) {
        ssize_t done = write(fd, p, n);
        if (done < 0)
            _exit(EXIT_FAILED);
        p += done;
        n -= (size_t)done;
    }
}

static _Noreturn void work(struct batch *b, const struct batch_input *in, int fd)
{
    struct cli *c = b->cli;
    struct converted done;
    struct batch_result result;
    int status = convert_one(c, in->path, path_join(c->arena, c->value[OPT_OUT], in->name), &done);
    if (status == EXIT_DONE) {
        struct report r = { done.in.plan, &done.in.findings, c->targets, NULL, NULL, { NULL }, NULL, NULL };
        batch_count(&result, &r);
        if (c->value[OPT_VERBOSE])
            findings_print(c, &done.in, SEV_INFO);
        if (!c->value[OPT_QUIET])
            changes_print(&done.changes);
        status =
            c->value[OPT_CHECK] ? done.changes.n ? EXIT_FINDINGS : EXIT_DONE : findings_status(c, &done.in.findings);
        send_result(fd, &result);
    }
    fflush(stderr);
    _exit(status);
}

static int start(struct batch *b, struct worker *w, size_t index, const sigset_t *before)
{
    int pipes[2][2] = { { -1, -1 }, { -1, -1 } };
    pid_t parent = getpid();
    if (pipe(pipes[RESULT]) < 0 || pipe(pipes[MESSAGES]) < 0 || (w->pid = fork()) < 0) {
        int why = errno;
        for (int i = 0; i < 4; i++)
            if (pipes[i / 2][i % 2] >= 0)
                close(pipes[i / 2][i % 2]);
        w->pid = 0;
        errno = why;
        return -1;
    }
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGHUP, SIG_DFL);
        sigprocmask(SIG_SETMASK, before, NULL);
        dup2(pipes[MESSAGES][1], STDERR_FILENO);
        if (getppid() != parent)
            _exit(EXIT_FAILED);
        work(b, &b->inputs.v[index], pipes[RESULT][1]);
    }
    w->index = index;
    for (int i = 0; i < 2; i++) {
        close(pipes[i][1]);
        w->fd[i] = pipes[i][0];
        buf_clear(&w->got[i]);
    }
    return 0;
}

/* What a pipe has; more than any worker should say is let go. */
static void receive(struct worker *w, int which)
{
    char bytes[65536];
    ssize_t n = read(w->fd[which], bytes, sizeof bytes);
    if (n < 0 && errno == EINTR)
        return;
    if (n > 0) {
        if (w->got[which].n < MOST_MESSAGES)
            buf_add(&w->got[which], bytes, (size_t)n);
        return;
    }
    close(w->fd[which]);
    w->fd[which] = -1;
}

/* ---- one input is done ------------------------------------------------------------------------ */
struct run {
    struct batch *b;
    struct worker *workers;
    size_t jobs, next, printed;
    char **messages; /* of inputs whose turn to be printed has not come */
    bool bar;        /* a progress bar on a terminal */
    int status;
};

static const char *first_line(struct arena *a, const char *text)
{
    struct strbuf clean = { 0 };
    char *line = arena_strndup(a, text, strcspn(text, "\n"));
    buf_visible(&clean, line);
    if (clean.n > 400)
        clean.p[400] = '\0';
    const char *shown = arena_strdup(a, clean.p ? clean.p : "");
    buf_free(&clean);
    return shown;
}

static void take(struct run *r, struct worker *w, int wait_status)
{
    struct batch *b = r->b;
    struct arena *a = b->cli->arena;
    struct batch_input *in = &b->inputs.v[w->index];
    struct strbuf *said = &w->got[MESSAGES];
    bool whole = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) <= EXIT_FINDINGS &&
                 w->got[RESULT].n == sizeof(struct batch_result);
    in->done = true;
    in->failed = !whole;
    b->finished++;
    if (whole) {
        struct batch_result result;
        memcpy(&result, w->got[RESULT].p, sizeof result);
        batch_add(b, in, &result);
        if (WEXITSTATUS(wait_status) == EXIT_FINDINGS)
            r->status = EXIT_FINDINGS;
    } else {
        b->failed++;
        if (WIFSIGNALED(wait_status))
            buf_printf(said, "%s: the conversion ended by signal %d (%s)\n", in->path, WTERMSIG(wait_status),
                       strsignal(WTERMSIG(wait_status)));
        else if (!said->n)
            buf_printf(said, "%s: the conversion failed without a message\n", in->path);
        in->why = first_line(a, WIFSIGNALED(wait_status) ? strstr(said->p, in->path) : said->p);
    }
    if (said->n) {
        r->messages[w->index] = strdup(said->p);
        if (!r->messages[w->index])
            mem_fatal();
    }
    w->pid = 0;
}

/* ---- progress -------------------------------------------------------------------------------------- */
static void put_bar(const struct run *r)
{
    enum { WIDTH = 40 };
    static const char full[] = "########################################",
                      none[] = "........................................";
    size_t n = r->b->inputs.n, filled = n ? r->b->finished * WIDTH / n : WIDTH;
    fprintf(stderr, "\r[%.*s%.*s] %zu of %zu", (int)filled, full, (int)(WIDTH - filled), none, r->b->finished, n);
    if (r->b->failed)
        fprintf(stderr, ", %zu failed", r->b->failed);
    fflush(stderr);
}

/* Messages in the order of the inputs, whatever the order in which they were done. On a terminal the bar below them, else a
 * line at each tenth of the way. */
static void progress(struct run *r)
{
    struct batch *b = r->b;
    bool quiet = b->cli->value[OPT_QUIET] != NULL;
    for (; r->printed < b->inputs.n && b->inputs.v[r->printed].done; r->printed++) {
        char *text = r->messages[r->printed];
        if (text && r->bar)
            fputs("\r\033[K", stderr);
        if (text)
            fputs(text, stderr);
        free(text);
        r->messages[r->printed] = NULL;
        size_t n = b->inputs.n, at = r->printed + 1;
        if (!r->bar && !quiet && at * 10 / n != (at - 1) * 10 / n)
            fprintf(stderr, "%zu of %zu done\n", at, n);
    }
    if (r->bar)
        put_bar(r);
}

/* ---- the loop ----------------------------------------------------------------------------------------- */
static void wait_for_some(struct run *r, const sigset_t *before)
{
    struct pollfd fds[2 * MOST_JOBS];
    nfds_t n = 0;
    for (size_t i = 0; i < r->jobs; i++)
        for (int k = 0; k < 2; k++)
            if (r->workers[i].pid && r->workers[i].fd[k] >= 0)
                fds[n++] = (struct pollfd){ .fd = r->workers[i].fd[k], .events = POLLIN };
    if (ppoll(fds, n, NULL, before) < 0)
        return;
    n = 0;
    for (size_t i = 0; i < r->jobs; i++) {
        struct worker *w = &r->workers[i];
        if (!w->pid)
            continue;
        for (int k = 0; k < 2; k++)
            if (w->fd[k] >= 0 && fds[n++].revents)
                receive(w, k);
        int status;
        if (w->fd[RESULT] < 0 && w->fd[MESSAGES] < 0 && waitpid(w->pid, &status, 0) == w->pid)
            take(r, w, status);
    }
}

static void stop_all(struct run *r)
{
    for (size_t i = 0; i < r->jobs; i++)
        if (r->workers[i].pid)
            kill(r->workers[i].pid, SIGTERM);
    for (size_t i = 0; i < r->jobs; i++)
        if (r->workers[i].pid)
            waitpid(r->workers[i].pid, NULL, 0);
}

/* Signals are let in only while it waits, so that none is missed. */
static void run_all(struct run *r)
{
    sigset_t ours, before;
    struct sigaction act = { .sa_handler = on_signal };
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGHUP);
    sigprocmask(SIG_BLOCK, &ours, &before);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    size_t n = r->b->inputs.n;
    bool stuck = false;
    progress(r);
    while (r->b->finished < n && !interrupted && !stuck) {
        size_t busy = 0;
        for (size_t i = 0; i < r->jobs; i++) {
            if (!r->workers[i].pid && r->next < n && !stuck) {
                stuck = start(r->b, &r->workers[i], r->next, &before) < 0;
                r->next += !stuck;
            }
            busy += r->workers[i].pid != 0;
        }
        if (stuck && !busy) /* with others at work, a process may become free */
            r->status = cli_error(r->b->cli, "no process for %s: %s", r->b->inputs.v[r->next].path, strerror(errno));
        stuck = stuck && !busy;
        if (busy)
            wait_for_some(r, &before);
        progress(r);
    }
    if (interrupted || stuck)
        stop_all(r);
    if (r->bar)
        fputs("\n", stderr);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

/* ---- the summary ------------------------------------------------------------------------------------------ */
static const struct {
    const char *name, *file;
    void (*write)(struct strbuf *, const struct batch *);
} formats[] = {
    { "text", "summary.txt", batch_text },
    { "json", "summary.json", batch_json },
    { "csv", "summary.csv", batch_csv },
    { "html", "summary.html", batch_html },
};
enum { FORMATS = sizeof formats / sizeof *formats };

static int write_summary(struct run *r, size_t format)
{
    struct cli *c = r->b->cli;
    struct strbuf text[FORMATS] = { { 0 } }, err = { 0 };
    struct out_set o = { .arena = c->arena,
                         .dir = c->value[OPT_OUT],
                         .err = &err,
                         .keeps_others = true,
                         .check = c->value[OPT_CHECK] != NULL };
    for (size_t i = 0; i < FORMATS; i++) {
        formats[i].write(&text[i], r->b);
        out_add(&o, formats[i].file, &text[i]);
    }
    int status = EXIT_DONE;
    if (out_finish(&o, true) < 0) {
        fputs(err.p, stderr);
        status = EXIT_FAILED;
    }
    if (!c->value[OPT_QUIET])
        changes_print(&o.changes);
    if (o.changes.n)
        r->status = EXIT_FINDINGS;
    if (status == EXIT_DONE && !(c->value[OPT_QUIET] && format == 0))
        status = print_out(&text[format]);
    for (size_t i = 0; i < FORMATS; i++)
        buf_free(&text[i]);
    buf_free(&err);
    return status;
}

static bool read_jobs(const char *text, size_t *jobs)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    *jobs = online > 0 ? (size_t)online : 1;
    char *end = NULL;
    unsigned long given = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
    if (text && (!end || *end || !given))
        return false;
    if (text)
        *jobs = given;
    if (*jobs > MOST_JOBS)
        *jobs = MOST_JOBS;
    return true;
}

/* A bad site map is one message, not one an input. */
static int try_site(const struct cli *c)
{
    struct strbuf err = { 0 };
    struct site *site = site_read(c->value[OPT_SITE], &err);
    int status = site ? EXIT_DONE : EXIT_FAILED;
    if (!site)
        fputs(err.p ? err.p : "tmgc batch: the site map cannot be read\n", stderr);
    site_free(site);
    buf_free(&err);
    return status;
}

int cmd_batch(struct cli *c)
{
    struct batch *b = arena_alloc(c->arena, sizeof *b);
    struct run r = { .b = b };
    size_t format = 0;
    b->cli = c;
    if (!c->value[OPT_OUT])
        return cli_error(c, "say with -o DIR where the folders go (see tmgc help batch)");
    while (c->value[OPT_FORMAT] && format < FORMATS && strcmp(formats[format].name, c->value[OPT_FORMAT]) != 0)
        format++;
    if (format == FORMATS)
        return cli_error(c, "--format %s: text, json, csv or html", c->value[OPT_FORMAT]);
    if (!read_jobs(c->value[OPT_JOBS], &r.jobs))
        return cli_error(c, "-j %s: a number from 1 on", c->value[OPT_JOBS]);
    if (try_site(c) != EXIT_DONE || batch_find(b, c->value[OPT_OUT]) != EXIT_DONE)
        return EXIT_FAILED;
    batch_name(b);
    r.jobs = r.jobs < b->inputs.n ? r.jobs : b->inputs.n;
    r.workers = arena_alloc(c->arena, r.jobs * sizeof *r.workers);
    r.messages = arena_alloc(c->arena, b->inputs.n * sizeof *r.messages);
    r.bar = isatty(STDERR_FILENO) && !c->value[OPT_QUIET];
    fflush(NULL);
    run_all(&r);
    for (size_t i = 0; i < r.jobs; i++) {
        buf_free(&r.workers[i].got[RESULT]);
        buf_free(&r.workers[i].got[MESSAGES]);
    }
    for (size_t i = 0; i < b->inputs.n; i++)
        free(r.messages[i]);
    if (interrupted) {
        fprintf(stderr, "tmgc batch: interrupted; %zu of %zu inputs are done\n", b->finished, b->inputs.n);
        raise(interrupted);
        return EXIT_FAILED;
    }
    if (b->failed == b->inputs.n)
        r.status = EXIT_FAILED;
    else if (b->failed && r.status == EXIT_DONE)
        r.status = EXIT_FINDINGS;
    int status = b->finished == b->inputs.n ? write_summary(&r, format) : EXIT_FAILED;
    return status == EXIT_DONE ? r.status : status;
}
