/* jobs: a queue a lane, and threads that take from it. */
#define _GNU_SOURCE
#include "jobs.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { WAITING_MOST = 4096, THREADS_MOST = 32 };
static const int threads_of[LANES] = { [LANE_NAMES] = 4, [LANE_KERBEROS] = 32, [LANE_OTHERS] = 16 };

struct lane_queue {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct job *first, **end;
    size_t waiting;
    bool ending;
    int threads;
    pthread_t thread[THREADS_MOST];
};
struct jobs {
    struct lane_queue lanes[LANES];
};

static void give_back(struct loop *l, struct message *m)
{
    (void)l;
    struct job *j = container_of(m, struct job, back);
    j->done(j);
}

/* The next job; NULL: no more, ever. */
static struct job *next_job(struct lane_queue *q)
{
    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->ending)
        pthread_cond_wait(&q->some, &q->lock);
    struct job *j = q->first;
    if (j) {
        q->first = j->next;
        q->waiting--;
        if (!q->first)
            q->end = &q->first;
    }
    pthread_mutex_unlock(&q->lock);
    return j;
}

static bool in_time(const struct job *j)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return !j->until || (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 < j->until;
}

static void *work(void *arg)
{
    struct lane_queue *q = arg;
    for (struct job *j; (j = next_job(q));) {
        j->late = !in_time(j);
        if (!j->late)
            j->run(j);
        if (!j->loop) {
            j->done(j);
            continue;
        }
        j->back.run = give_back;
        loop_post(j->loop, &j->back);
    }
    return NULL;
}

static bool lane_open(struct lane_queue *q, int threads)
{
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->some, NULL);
    q->end = &q->first;
    while (q->threads < threads && pthread_create(&q->thread[q->threads], NULL, work, q) == 0)
        q->threads++;
    return q->threads > 0;
}

static bool lane_close(struct lane_queue *q, const struct timespec *end)
{
    pthread_mutex_lock(&q->lock);
    q->ending = true;
    pthread_cond_broadcast(&q->some);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < q->threads; i++)
        if (pthread_timedjoin_np(q->thread[i], NULL, end))
            return false;
    pthread_cond_destroy(&q->some);
    pthread_mutex_destroy(&q->lock);
    return true;
}

struct jobs *jobs_new(void)
{
    struct jobs *p = calloc(1, sizeof *p);
    bool good = true;
    if (!p)
        mem_fatal();
    for (int i = 0; i < LANES; i++)
        good = lane_open(&p->lanes[i], threads_of[i]) && good;
    if (good)
        return p;
    jobs_free(p, 1);
    return NULL;
}

bool jobs_submit(struct jobs *p, enum lane lane, struct job *j)
{
    struct lane_queue *q = &p->lanes[lane];
    j->next = NULL;
    pthread_mutex_lock(&q->lock);
    bool room = q->waiting < WAITING_MOST && !q->ending;
    if (room) {
        *q->end = j;
        q->end = &j->next;
        q->waiting++;
        pthread_cond_signal(&q->some);
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

bool jobs_free(struct jobs *p, int seconds)
{
    struct timespec end;
    bool good = true;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += seconds;
    for (int i = 0; i < LANES; i++)
        good = lane_close(&p->lanes[i], &end) && good;
    if (good)
        free(p);
    return good;
}
