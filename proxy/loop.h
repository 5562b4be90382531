/* loop: a thread that serves connections, with all that only it may touch. One event_base without locks, a scratch
 * buffer for reading, timers, and what is done once a turn: sending what was queued, freeing what has ended.
 *
 * Rules that everything in proxy/ keeps to:
 * - An object belongs to one loop and is touched by that loop's thread alone. What comes from other threads comes by
 *   loop_post.
 * - scratch is read into by event handlers at the top of the stack only; who is called with a piece of it copies what
 *   it keeps. So no call on another object's read path may happen below: reading goes on by sock_resume, in a later turn.
 * - Whatever ends while handlers run goes to loop_bury and is freed when the turn is over: a pointer that was good at
 *   the beginning of a handler stays readable until its end. After a call that may have ended an object look at its state.
 */
#ifndef PROXY_LOOP_H
#define PROXY_LOOP_H
#include "../base/base.h"
#include <event2/event.h>

enum { SCRATCH = 64 << 10 };             /* bytes of the read buffer */

/* ---- timers: for timeouts, exact to a quarter of a second ------------------- */
struct timer {
    struct timer *next, **back;          /* in a slot of the wheel; back NULL: not set */
    uint64_t due, slot_due;              /* ms; slot_due: when the wheel looks at it */
    void (*fire)(struct timer *t);       /* set by the owner, once */
};

/* ---- what is buried or marked dirty ------------------------------------------- */
struct grave { struct grave *next; void (*release)(struct grave *g); };
struct dirty { struct dirty *next; bool marked; void (*flush)(struct dirty *d); };

struct loop;
/* A message from another thread. The loop calls run; message and what it points to are run's to free. */
struct message { struct message *next; void (*run)(struct loop *l, struct message *m); };

struct loop {
    int index;                           /* from 0 */
    struct event_base *base;
    char *scratch;                       /* SCRATCH bytes */
    uint64_t now;                        /* ms, monotonic, read once a turn */
    long long wall;                      /* seconds since 1970, likewise */
    struct spares *spares;               /* blocks for queues (socket.c) */
    struct exchanges *exchanges;         /* exchange.c's table */
    struct clients { struct client *first; size_t n; } clients;      /* client connections, all of them */
    uint64_t queued;                     /* bytes that wait in this loop's queues */
    bool draining;                       /* no new connections, no keep-alive */
    bool stop;                           /* end the thread when this turn is over */
    struct loop_private *p;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

struct loop *loop_new(int index);
void loop_free(struct loop *l);          /* when its thread has ended and nothing lives on it */
void loop_run(struct loop *l);           /* until stop */

/* The only function that another thread may call. */
void loop_post(struct loop *l, struct message *m);

void loop_bury(struct loop *l, struct grave *g, void (*release)(struct grave *g));
void loop_mark(struct loop *l, struct dirty *d);     /* d->flush is called once when the turn ends */

/* Sets or moves a timer. Moving it to a later time costs a store. */
void timer_set(struct loop *l, struct timer *t, uint64_t ms_from_now);
void timer_stop(struct timer *t);
#endif
