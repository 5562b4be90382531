/* serve: starts the loops, gives them configurations, ends them. */
#include "serve.h"
#include "access.h"
#include "admin.h"
#include "client.h"
#include "exchange.h"
#include "jobs.h"
#include "listening.h"
#include "overview.h"
#include "privileges.h"
#include "record.h"
#include "tell.h"
#include "upstream.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_TIME = 3, NAMES_TIME = 2000, RESOLVE_TIME = 30 }; /* s */
#define QUEUED_MOST (UINT64_C(256) << 20)                     /* bytes in all queues of the process */

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

static int how_many(long wanted)
{
    long n = wanted > 0 ? wanted : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LOOPS_MOST ? LOOPS_MOST : (int)n;
}

static bool start_loops(struct server *s)
{
    for (int i = 0; i < s->loops; i++) {
        if (!(s->loop[i] = loop_new(i)))
            return false;
        s->loop[i]->queued_most = QUEUED_MOST / (unsigned)s->loops;
        s->loop[i]->jobs = s->jobs;
        record_to(s->loop[i], s->log);
        if (pthread_create(&s->thread[i], NULL, run, s->loop[i])) {
            loop_free(s->loop[i]);
            return false;
        }
        s->started++;
    }
    return true;
}

/* Waits until the loops have no connection, or for so long. A loop always answers: it never blocks. */
static void drain(struct server *s, long seconds)
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
    admin_free(s->admin);
    health_free(s->health);
    tell_end(s, true, &census);
    for (int i = 0; i < s->started; i++)
        pthread_join(s->thread[i], NULL);
    /* Its results go to loops that still take messages. */
    bool idle = !s->jobs || jobs_free(s->jobs, JOBS_TIME);
    for (int i = 0; i < s->started; i++)
        record_flush(s->loop[i]);
    if (!idle) { /* a library waits for a server that says nothing: nobody waits for the library */
        access_close(s->log);
        _exit(0);
    }
    for (int i = 0; i < s->started; i++) {
        exchanges_free(s->loop[i]);
        loop_free(s->loop[i]);
    }
    access_close(s->log);
    serving_release(s->serving);
    pthread_mutex_destroy(&s->lock);
}

/* ---- configurations ----------------------------------------------------------------------------- */

/* What new connections get from now on. */
static void put(struct server *s, struct serving *next)
{
    pthread_mutex_lock(&s->lock);
    struct serving *old = s->serving;
    s->serving = next;
    s->loaded = time(NULL);
    pthread_mutex_unlock(&s->lock);
    serving_release(old);
    peers_resolve(s->jobs);
    for (int i = 0; i < NAMES_TIME / 20 && peers_looking(); i++)
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL); /* the first request should find its server */
    health_watch(s->health, next);
}

static const struct service *service_of(const struct serving *s)
{
    return &s->snapshot->config->service;
}

/* What is read at the start alone. */
static bool same_service(const struct service *x, const struct service *y)
{
    return x->loops == y->loops && x->log_format == y->log_format && str_equal(x->log, y->log) &&
           str_equal(x->status, y->status) && str_equal(x->user, y->user);
}

/* What the status page reads under the lock. */
static void add_one(struct server *s, unsigned long *n)
{
    pthread_mutex_lock(&s->lock);
    ++*n;
    pthread_mutex_unlock(&s->lock);
}

static void reload(struct server *s)
{
    struct strbuf err = { 0 };
    struct serving *next = serving_new(s->file, s->serving, &err);
    bool good = next && !privileges_suffice(next->snapshot->config, &err);
    int *fds = good ? listening_open(next, s->serving, s->loops, &(struct kept){ 0 }, &err) : NULL;
    if (fds) {
        if (s->keeper >= 0)
            listening_keep(s->keeper, next, s->serving, fds, s->loops);
        if (!same_service(service_of(next), service_of(s->serving)))
            tell(LOG_WARNING, "%s: user, loops, log and status count from the next start on", s->file);
        add_one(s, &s->reloads);
        put(s, next);
        give(s, fds);
        tell(LOG_NOTICE, "%s read again", s->file);
    } else {
        add_one(s, &s->failed_reloads);
        tell_lines(LOG_ERR, &err);
        tell(LOG_ERR, "%s is not good: the configuration that was loaded before stays", s->file);
        serving_release(next);
    }
    free(fds);
    buf_free(&err);
}

/* Until a signal says stop; true: now. */
static bool watch_signals(struct server *s, const sigset_t *set)
{
    time_t resolved = time(NULL);
    for (;;) {
        int got = sigtimedwait(set, NULL, &(struct timespec){ 1, 0 });
        if (got == SIGTERM || got == SIGINT || got == SIGQUIT)
            return got == SIGQUIT;
        if (got == SIGHUP)
            reload(s);
        if (got == SIGUSR1 && s->log)
            access_reopen(s->log);
        if (time(NULL) - resolved >= RESOLVE_TIME) {
            peers_resolve(s->jobs);
            resolved = time(NULL);
        }
    }
}

/* ---- the whole -------------------------------------------------------------------------------------- */

/* Files, sockets, and then what they were needed for is given up; threads come after that. */
static int *prepare(struct server *s, struct serve_options *o, struct strbuf *err)
{
    if (!(s->serving = serving_new(o->file, NULL, err)))
        return NULL;
    const struct config *c = s->serving->snapshot->config;
    const struct service *how = &c->service;
    s->loops = how_many(o->loops ? o->loops : how->loops);
    int *fds = listening_open(s->serving, NULL, s->loops, &o->kept, err);
    kept_close(&o->kept);
    if (fds && s->keeper >= 0)
        listening_keep(s->keeper, s->serving, NULL, fds, s->loops);
    bool good = fds && (!how->log || (s->log = access_open(how->log, (enum access_format)how->log_format, err))) &&
                !privileges_drop(how->user, config_transparent(c), err) && !privileges_suffice(c, err);
    if (good && !privileges_confine())
        tell(LOG_WARNING, "this kernel takes no seccomp filter; going on without");
    if (good)
        return fds;
    free(fds);
    return NULL;
}

static bool begin(struct server *s, struct serve_options *o)
{
    struct strbuf err = { 0 };
    int *fds = prepare(s, o, &err);
    bool good = fds && (s->jobs = jobs_new()) && (s->health = health_new(overview_tell)) && start_loops(s);
    if (good) {
        struct serving *first = s->serving;
        s->serving = NULL;
        put(s, first);
        /* Its thread looks at all that stands now. */
        const char *status = service_of(first)->status;
        good = !status || (s->admin = admin_new(status, overview, s, &err));
    }
    if (good) {
        give(s, fds);
        if (o->ready)
            o->ready(o->context);
    } else {
        tell_lines(LOG_ERR, &err);
        if (!err.n)
            tell(LOG_ERR, "cannot start: %s", strerror(errno));
    }
    free(fds);
    buf_free(&err);
    return good;
}

int serve(struct serve_options *o)
{
    struct server s = { .file = o->file, .keeper = o->keeper, .start = time(NULL) };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* threads inherit it: signals come to sigtimedwait alone */
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&s.lock, NULL);
    privileges_hide();
    bool good = begin(&s, o);
    if (good && !watch_signals(&s, &set))
        drain(&s, o->drain_time >= 0 ? o->drain_time : service_of(s.serving)->drain_timeout);
    stop(&s);
    return good ? 0 : 1;
}
