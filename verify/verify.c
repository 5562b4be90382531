/* One run of verify: makes the probes, puts the published servers on loopback, has each target in turn asked, and tidies up. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "run.h"

const char *const verdict_names[VERDICTS] = { "agreed", "declared", "disagreed", "untested" };

static int by_target_and_probe(const void *x, const void *y)
{
    const struct verify_case *a = x, *b = y;
    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    if (a->probe != b->probe)
        return a->probe < b->probe ? -1 : 1;
    return strcmp(a->got, b->got);
}

static void raise_limits(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int open_all(struct run *r)
{
    sigaction(SIGPIPE, NULL, &r->pipe_before);
    if (r->options->only)
        probes_take(r->options->only, r->options->only_n, r->arena, &r->probes);
    else
        probes_make(r->plan, r->options, r->arena, &r->probes);
    if (r->options->requests && probes_read(r->plan, r->options->requests, r->arena, &r->probes, r->err) != 0)
        return -1;
    raise_limits();
    sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, &r->pipe_before);
    r->behind.wire = r->streams.wire = -1;
    if (sandbox_open(&r->sandbox, r->err) != 0 || (r->plan->streams.n && sandbox_open(&r->streams, r->err) != 0) ||
        (r->plan->site->preauth == PREAUTH_PUBLISHD && sandbox_open(&r->behind, r->err) != 0) ||
        loopback_open(&r->loopback, r->err) != 0)
        return -1;
    r->authority = authority_new();
    r->clients = authority_new();
    r->others = authority_new();
    r->places = (struct places){ .arena = r->arena,
                                 .plan = r->plan,
                                 .loopback = &r->loopback,
                                 .authority = r->authority,
                                 .clients_authority = r->clients,
                                 .dir = r->sandbox.dir };
    if (places_open(&r->places, r->err) != 0)
        return -1;
    r->tls[SHOWS_NONE] = authority_client(NULL);
    r->tls[SHOWS_GOOD] = authority_client(r->clients);
    r->tls[SHOWS_OTHER] = authority_client(r->others);
    r->stand_in = stand_in_start(&r->places, r->authority, &r->probes, r->err);
    return r->stand_in ? 0 : -1;
}

static void close_all(struct run *r)
{
    sandbox_close(&r->behind); /* in the opposite order: a supervisor holds the wires that were open before */
    sandbox_close(&r->streams);
    sandbox_close(&r->sandbox);
    stand_in_stop(r->stand_in);
    for (size_t i = 0; i < SHOWN; i++)
        SSL_CTX_free(r->tls[i]);
    authority_free(r->authority);
    authority_free(r->clients);
    authority_free(r->others);
    loopback_close(&r->loopback);
    pthread_mutex_destroy(&r->lock);
    arena_free(r->arena);
    sigaction(SIGPIPE, &r->pipe_before, NULL);
}

/* publishd has no sockets for clients where it runs behind proxies that are asked anyway. */
static bool asked_through(const struct plan *p, const struct verify_options *o, enum target t)
{
    return t == TARGET_PUBLISHD && p->site->preauth == PREAUTH_PUBLISHD && o->targets & ON_PROXIES;
}

int verify_run(const struct plan *p, const struct findings *f, const struct verify_options *o,
               struct verify_report *out, struct strbuf *err)
{
    struct run r = { .plan = p, .findings = f, .options = o, .report = out, .arena = arena_new(), .err = err };
    *out = (struct verify_report){ .arena = arena_new(), .plan = p, .seed = o->seed };
    pthread_mutex_init(&r.lock, NULL);
    int failed = open_all(&r);
    if (!failed) {
        out->probes = r.probes.n;
        for (size_t i = 0; i < r.probes.n; i++)
            out->connections += r.probes.v[i].stream != NULL;
        for (int t = 0; t < TARGETS; t++)
            if (o->targets & ON(t) && !asked_through(p, o, (enum target)t)) {
                out->targets[t].wanted = true;
                r.target = (enum target)t;
                run_target(&r);
                size_t *count = out->targets[t].count;
                size_t done = count[VERDICT_AGREED] + count[VERDICT_DECLARED] + count[VERDICT_DISAGREED];
                size_t asked = verify_asked(out, (enum target)t);
                count[VERDICT_UNTESTED] = asked > done ? asked - done : 0;
            }
        if (!o->only)
            coverage_measure(p, &r.probes, out);
        if (out->cases.n)
            qsort(out->cases.v, out->cases.n, sizeof *out->cases.v, by_target_and_probe);
        buf_clear(err);
    }
    while (failed && err->n && err->p[err->n - 1] == '\n') /* a message, not a line */
        err->p[--err->n] = '\0';
    close_all(&r);
    return failed;
}
