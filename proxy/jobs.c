/* jobs: a queue, and threads that take from it. */
#include "jobs.h"
#include <pthread.h>
#include <stdlib.h>

enum { THREADS_MOST = 64 };

struct jobs {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct job *first, **end;
    size_t waiting, most;
    bool ending;
    int threads;
    pthread_t thread[THREADS_MOST];
};

static void give_back(struct loop *l, struct message *m)
{
    (void)l;
    struct job *j = container_of(m, struct job, back);
    j->done(j);
}

/* The next job; NULL: no more, ever. */
static struct job *next_job(struct jobs *p)
{
    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->ending)
        pthread_cond_wait(&p->some, &p->lock);
    struct job *j = p->first;
    if (j) {
        p->first = j->next;
        p->waiting--;
        if (!p->first)
            p->end = &p->first;
    }
    pthread_mutex_unlock(&p->lock);
    return j;
}

static void *work(void *arg)
{
    struct jobs *p = arg;
    for (struct job *j; (j = next_job(p));) {
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

struct jobs *jobs_new(int threads, size_t waiting)
{
    struct jobs *p = calloc(1, sizeof *p);
    if (!p)
        mem_fatal();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->some, NULL);
    p->end = &p->first;
    p->most = waiting;
    for (; p->threads < threads && p->threads < THREADS_MOST; p->threads++)
        if (pthread_create(&p->thread[p->threads], NULL, work, p))
            break;
    if (p->threads)
        return p;
    jobs_free(p);
    return NULL;
}

bool jobs_submit(struct jobs *p, struct job *j)
{
    j->next = NULL;
    pthread_mutex_lock(&p->lock);
    bool room = p->waiting < p->most && !p->ending;
    if (room) {
        *p->end = j;
        p->end = &j->next;
        p->waiting++;
        pthread_cond_signal(&p->some);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

void jobs_free(struct jobs *p)
{
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->some);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->some);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
