/* loop: waiting, dispatching, and the end of a turn. */
#include "loop.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, TICK = 250, SLOTS = 256, OUT = 80 << 10 };

struct loop_private {
    int epoll;
    struct watch wake;
    pthread_mutex_t lock; /* of posted */
    struct message *posted, **posted_end;
    struct task *later, *again;
    struct grave *graves;
    struct timer *wheel[SLOTS];
    uint64_t ticked; /* the last tick that was done: now / TICK */
    struct epoll_event events[EVENTS];
};

/* ---- time ------------------------------------------------------------------------ */

static void read_clock(struct loop *l)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    l->now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    l->wall = t.tv_sec;
}

static void timer_link(struct loop *l, struct timer *t)
{
    uint64_t at = t->due / TICK + 1, first = l->p->ticked + 1, last = l->p->ticked + SLOTS - 1;
    at = at < first ? first : at > last ? last : at;
    struct timer **slot = &l->p->wheel[at % SLOTS];
    t->looked_at = at * TICK;
    t->next = *slot;
    t->back = slot;
    if (t->next)
        t->next->back = &t->next;
    *slot = t;
}

void timer_stop(struct timer *t)
{
    if (!t->back)
        return;
    *t->back = t->next;
    if (t->next)
        t->next->back = t->back;
    t->back = NULL;
}

void timer_set(struct loop *l, struct timer *t, uint64_t ms)
{
    t->due = l->now + ms;
    if (t->back && t->looked_at <= t->due + TICK)
        return; /* the wheel comes by before, sees that it is not due yet and puts it off */
    timer_stop(t);
    timer_link(l, t);
}

static void tick(struct loop *l)
{
    while (l->p->ticked < l->now / TICK) {
        struct timer *t, **slot = &l->p->wheel[++l->p->ticked % SLOTS];
        struct timer *due = *slot;
        *slot = NULL;
        if (due)
            due->back = &due;
        while ((t = due)) {
            timer_stop(t);
            if (t->due > l->now)
                timer_link(l, t);
            else
                t->fire(t);
        }
    }
}

/* ---- tasks, messages, graves ---------------------------------------------------------- */

static void list(struct task **first, struct task *t)
{
    if (t->back)
        return;
    t->next = *first;
    t->back = first;
    if (t->next)
        t->next->back = &t->next;
    *first = t;
}

void task_cancel(struct task *t)
{
    if (!t->back)
        return;
    *t->back = t->next;
    if (t->next)
        t->next->back = t->back;
    t->back = NULL;
}

void loop_later(struct loop *l, struct task *t)
{
    list(&l->p->later, t);
}

void loop_again(struct loop *l, struct task *t)
{
    list(&l->p->again, t);
}

static void run_tasks(struct task **first)
{
    for (struct task *t; (t = *first);) {
        task_cancel(t);
        t->run(t);
    }
}

void loop_bury(struct loop *l, struct grave *g, void (*release)(struct grave *g))
{
    g->release = release;
    g->next = l->p->graves;
    l->p->graves = g;
}

void loop_post(struct loop *l, struct message *m)
{
    m->next = NULL;
    pthread_mutex_lock(&l->p->lock);
    bool first = !l->p->posted;
    *l->p->posted_end = m;
    l->p->posted_end = &m->next;
    pthread_mutex_unlock(&l->p->lock);
    if (first && write(l->p->wake.fd, &(uint64_t){ 1 }, sizeof(uint64_t)) < 0)
        return; /* EAGAIN: it is awake */
}

static void receive(struct watch *w, uint32_t events)
{
    (void)events;
    uint64_t n;
    while (read(w->fd, &n, sizeof n) < 0 && errno == EINTR)
        continue;
}

static void run_messages(struct loop *l)
{
    pthread_mutex_lock(&l->p->lock);
    struct message *m = l->p->posted;
    l->p->posted = NULL;
    l->p->posted_end = &l->p->posted;
    pthread_mutex_unlock(&l->p->lock);
    for (struct message *next; m; m = next) {
        next = m->next;
        m->run(l, m);
    }
}

static void end_turn(struct loop *l)
{
    run_tasks(&l->p->later);
    struct grave *g = l->p->graves;
    l->p->graves = NULL;
    for (struct grave *next; g; g = next) {
        next = g->next;
        g->release(g);
    }
}

/* ---- the loop ------------------------------------------------------------------------------ */

bool loop_watch(struct loop *l, struct watch *w)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = w };
    return epoll_ctl(l->p->epoll, EPOLL_CTL_ADD, w->fd, &e) == 0;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
    epoll_ctl(l->p->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

static void turn(struct loop *l)
{
    struct loop_private *p = l->p;
    int n = epoll_wait(p->epoll, p->events, EVENTS, p->again ? 0 : TICK);
    read_clock(l);
    struct task *again = p->again; /* what these list again waits for the next turn */
    p->again = NULL;
    if (again)
        again->back = &again;
    run_tasks(&again);
    for (int i = 0; i < n; i++) {
        struct watch *w = p->events[i].data.ptr;
        if (w->fd >= 0) /* else it was closed by one before it */
            w->ready(w, p->events[i].events);
    }
    run_messages(l);
    tick(l);
    end_turn(l);
}

void loop_run(struct loop *l)
{
    while (!l->stop)
        turn(l);
}

struct loop *loop_new(int index)
{
    struct loop *l = calloc(1, sizeof *l);
    struct loop_private *p = calloc(1, sizeof *p);
    if (!l || !p || !(l->scratch = malloc(SCRATCH)))
        mem_fatal();
    l->index = index;
    l->p = p;
    buf_reserve(&l->out, OUT);
    p->posted_end = &p->posted;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    p->wake = (struct watch){ eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), receive };
    pthread_mutex_init(&p->lock, NULL);
    read_clock(l);
    p->ticked = l->now / TICK;
    if (p->epoll >= 0 && p->wake.fd >= 0 && loop_watch(l, &p->wake))
        return l;
    int why = errno;
    loop_free(l);
    errno = why;
    return NULL;
}

void loop_free(struct loop *l)
{
    run_messages(l);
    end_turn(l);
    buf_free(&l->log_lines);
    if (l->p->epoll >= 0)
        close(l->p->epoll);
    if (l->p->wake.fd >= 0)
        close(l->p->wake.fd);
    pthread_mutex_destroy(&l->p->lock);
    for (struct spare *s = l->spares, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    buf_free(&l->out);
    free(l->scratch);
    free(l->p);
    free(l);
}
