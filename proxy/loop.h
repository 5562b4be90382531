/* loop: a thread that serves connections, with all that only it may touch: an epoll set, a scratch buffer for reading,
 * timers, and what is done once a turn - sending what was queued, freeing what has ended.
 *
 * Rules that everything in proxy/ keeps to:
 * - An object belongs to one loop and is touched by that loop's thread alone. What comes from other threads comes by
 *   loop_post.
 * - scratch is read into by handlers at the top of the stack only; who is called with a piece of it copies what it
 *   keeps. So nobody reads from a second connection below such a call: reading goes on by a task, in the next turn.
 * - What ends while handlers run goes to loop_bury and is freed when the turn is over: a pointer that was good at the
 *   beginning of a handler stays readable until its end. After a call that may have ended an object look at its state.
 *
 * Descriptors are watched edge-triggered, once, for both directions: there is no system call to stop or go on reading,
 * and a client's end is seen while nothing is read (EPOLLRDHUP). Why not libevent: docs/decisions.md.
 */
#ifndef PROXY_LOOP_H
#define PROXY_LOOP_H
#include "../base/base.h"
#include "status.h"

enum { SCRATCH = 128 << 10, LOOPS_MOST = 64 };   /* bytes of the read buffer; loops of a process */

struct loop;
/* A descriptor. events: EPOLLIN and so on, as epoll_wait gave them. */
struct watch { int fd; void (*ready)(struct watch *w, uint32_t events); };
/* Something to do soon; in one list at a time. Whoever ends an object cancels its tasks. */
struct task { struct task *next, **back; void (*run)(struct task *t); };
/* For timeouts, exact to a quarter of a second. */
struct timer {
    struct timer *next, **back;          /* in a slot of the wheel; back NULL: not set */
    uint64_t due, looked_at;             /* ms; when the wheel comes by, at or before due */
    void (*fire)(struct timer *t);       /* set by the owner, once */
};
struct grave { struct grave *next; void (*release)(struct grave *g); };
/* A message from another thread. The loop calls run, which frees it. */
struct message { struct message *next; void (*run)(struct loop *l, struct message *m); };

struct exchange;
struct client;
struct access_log;
struct loop {
    int index;                           /* from 0 */
    char *scratch;                       /* SCRATCH bytes */
    bool secret;                         /* what was just read into it holds credentials: whoever read it zeroes it */
    uint64_t now;                        /* ms, monotonic, read once a turn */
    long long wall;                      /* seconds since 1970, likewise */
    struct spare { struct spare *next; } *spares;    /* blocks for queues (socket.c) */
    size_t spares_n;
    uint64_t queued;                     /* bytes that wait in this loop's queues */
    struct { struct exchange **v; size_t n, cap; struct exchange *free; } exchanges;     /* exchange.c's table */
    struct serving *serving;             /* the newest configuration; a reference of listening.c's. NULL: none */
    struct listening *listening;         /* its sockets that accept */
    struct { struct client *first; size_t n; } clients;      /* all connections of clients */
    int hour;                            /* of the week, for schedules; */
    long long hour_until;                /* good before this second */
    struct strbuf out;                   /* for writing heads, without growing; free again before a call returns */
    unsigned turns;                      /* of members, one after the other */
    uint64_t queued_most;                /* its share of the cap on queued bytes; above it everybody queues less */
    bool draining;                       /* no new connections, no keep-alive */
    bool stop;                           /* end the thread when this turn is over */
    struct counts counts;                /* others read them */
    struct jobs *jobs;                   /* the pool. Set before the loop runs */
    struct access_log *log;              /* NULL: none. Set before the loop runs */
    struct strbuf log_lines;             /* that wait for the log's writer; */
    struct timer log_timer;              /* not for long */
    struct loop_private *p;
};

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

/* NULL with errno where the system has no descriptors left. */
struct loop *loop_new(int index);
void loop_free(struct loop *l);          /* when its thread has ended and nothing lives on it */
void loop_run(struct loop *l);           /* until stop */

void loop_post(struct loop *l, struct message *m);       /* the only function that another thread may call */

bool loop_watch(struct loop *l, struct watch *w);    /* false: errno. Closing the descriptor ends it; set fd to -1 then */
void loop_unwatch(struct loop *l, struct watch *w);  /* no call comes for it any more; the descriptor stays open */
void loop_later(struct loop *l, struct task *t);     /* run once at the end of this turn; nothing if it is listed already */
void loop_again(struct loop *l, struct task *t);     /* run once at the beginning of the next turn; likewise */
void task_cancel(struct task *t);
void loop_bury(struct loop *l, struct grave *g, void (*release)(struct grave *g));

void timer_set(struct loop *l, struct timer *t, uint64_t ms);    /* from now; moving it to a later time costs a store */
void timer_stop(struct timer *t);
#endif
