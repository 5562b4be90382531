/* serve: starts the loops, gives them configurations, ends them. */
#include "serve.h"
#include "client.h"
#include "exchange.h"
#include "jobs.h"
#include "listening.h"
#include "upstream.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { POOL_THREADS = 8, POOL_WAITING = 4096, RESOLVE_TIME = 30 }; /* s */
#define QUEUED_MOST (UINT64_C(256) << 20)                          /* bytes in all queues of the process */

struct server {
    struct serving *serving; /* the one that new connections get */
    struct jobs *jobs;
    int loops;
    struct loop *loop[LOOPS_MOST];
    pthread_t thread[LOOPS_MOST];
    int started;
};

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

/* ---- messages to loops ------------------------------------------------------------------ */

struct change {
    struct message m;
    struct serving *next;
    size_t n;
    int fds[];
};

static void run_change(struct loop *l, struct message *m)
{
    struct change *c = container_of(m, struct change, m);
    listening_set(l, c->next, c->fds);
    for (struct client *k = l->clients.first, *next; k; k = next) {
        next = k->next;
        if (!serving_place(c->next, k->at))
            k->drain(k); /* the others' next requests come under the new configuration */
    }
    serving_release(c->next);
    free(c);
}

static void give(struct server *s, const int *fds)
{
    size_t n = s->serving->sockets.n;
    for (int i = 0; i < s->loops; i++) {
        struct change *c = malloc(sizeof *c + n * sizeof(int));
        if (!c)
            mem_fatal();
        *c = (struct change){ .m.run = run_change, .next = serving_ref(s->serving), .n = n };
        if (n)
            memcpy(c->fds, fds + (size_t)i * n, n * sizeof(int));
        loop_post(s->loop[i], &c->m);
    }
}

/* Tells a loop to stop: no new connections, then none at all. It says how many it has. */
struct census {
    atomic_int loops;
    atomic_ulong clients;
};
struct ending {
    struct message m;
    bool now;
    struct census *census;
};

static void run_ending(struct loop *l, struct message *m)
{
    struct ending *e = container_of(m, struct ending, m);
    l->draining = true;
    listening_close(l);
    for (struct client *c = l->clients.first, *next; c; c = next) {
        next = c->next;
        (e->now ? c->kill : c->drain)(c);
    }
    atomic_fetch_add(&e->census->clients, l->clients.n);
    atomic_fetch_add(&e->census->loops, 1);
    if (e->now) {
        upstream_close_idle(l);
        l->stop = true;
    }
    free(e);
}

static void tell_end(struct server *s, bool now, struct census *census)
{
    for (int i = 0; i < s->started; i++) {
        struct ending *e = malloc(sizeof *e);
        if (!e)
            mem_fatal();
        *e = (struct ending){ { .run = run_ending }, now, census };
        loop_post(s->loop[i], &e->m);
    }
}

/* ---- starting and ending -------------------------------------------------------------------- */

static bool start(struct server *s)
{
    for (int i = 0; i < s->loops; i++) {
        if (!(s->loop[i] = loop_new(i)))
            return false;
        s->loop[i]->queued_most = QUEUED_MOST / (unsigned)s->loops;
        if (pthread_create(&s->thread[i], NULL, run, s->loop[i])) {
            loop_free(s->loop[i]);
            return false;
        }
        s->started++;
    }
    return true;
}

/* Waits until the loops have no connection, or for so long. A loop always answers: it never blocks. */
static void drain(struct server *s, int seconds)
{
    struct timespec pause = { 0, 20000000 };
    time_t end = time(NULL) + seconds;
    do {
        struct census census = { 0 };
        tell_end(s, false, &census);
        while (atomic_load(&census.loops) < s->started)
            nanosleep(&pause, NULL);
        if (!atomic_load(&census.clients))
            return;
        nanosleep(&pause, NULL);
    } while (time(NULL) < end);
}

static void stop(struct server *s)
{
    struct census census = { 0 };
    tell_end(s, true, &census);
    for (int i = 0; i < s->started; i++)
        pthread_join(s->thread[i], NULL);
    if (s->jobs)
        jobs_free(s->jobs); /* its results go to loops that still take messages */
    for (int i = 0; i < s->started; i++) {
        exchanges_free(s->loop[i]);
        loop_free(s->loop[i]);
    }
    serving_release(s->serving);
}

/* ---- configurations ----------------------------------------------------------------------------- */

static bool change_to(struct server *s, const char *file)
{
    struct strbuf err = { 0 };
    struct serving *next = serving_new(file, s->serving, &err);
    int *fds = next ? listening_open(next, s->serving, s->loops, &err) : NULL;
    if (!fds) {
        fprintf(stderr, "publishd: %s", err.p ? err.p : "\n");
        serving_release(next);
        buf_free(&err);
        return false;
    }
    struct serving *old = s->serving;
    s->serving = next;
    peers_resolve(s->jobs);
    give(s, fds);
    free(fds);
    serving_release(old);
    buf_free(&err);
    return true;
}

/* Until a signal says stop. */
static void watch_signals(struct server *s, const char *file, const sigset_t *set)
{
    time_t resolved = time(NULL);
    for (;;) {
        int got = sigtimedwait(set, NULL, &(struct timespec){ 1, 0 });
        if (got == SIGTERM || got == SIGINT)
            return;
        if (got == SIGHUP && change_to(s, file))
            fprintf(stderr, "publishd: %s read again\n", file);
        if (time(NULL) - resolved >= RESOLVE_TIME) {
            peers_resolve(s->jobs);
            resolved = time(NULL);
        }
    }
}

static int how_many(int wanted)
{
    long n = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LOOPS_MOST ? LOOPS_MOST : (int)n;
}

int serve(const struct serve_options *o)
{
    struct server s = { .loops = how_many(o->loops) };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* threads inherit it: signals come to sigtimedwait alone */
    signal(SIGPIPE, SIG_IGN);
    s.jobs = jobs_new(POOL_THREADS, POOL_WAITING);
    bool good = s.jobs && start(&s);
    if (!good)
        fprintf(stderr, "publishd: cannot start: %s\n", strerror(errno));
    if (good && (good = change_to(&s, o->file))) {
        watch_signals(&s, o->file, &set);
        drain(&s, o->drain_time);
    }
    stop(&s);
    return good ? 0 : 1;
}
