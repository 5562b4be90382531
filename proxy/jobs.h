/* jobs: the pool of threads for what blocks - names, LDAP, the KDC, passwords, files. Bounded: what does not fit is
 * refused at once, and the caller answers 503.
 *
 * A job never holds a pointer to a connection or exchange: it says loop and exchange_id, and its result finds the
 * exchange by them if it still waits.
 */
#ifndef PROXY_JOBS_H
#define PROXY_JOBS_H
#include "loop.h"

struct job {
    struct message back;                 /* jobs.c's */
    struct job *next;                    /* jobs.c's */
    struct loop *loop;                   /* where done is called; NULL: on the pool's thread */
    void (*run)(struct job *j);          /* on a thread of the pool: may block; touches only its own job */
    void (*done)(struct job *j);         /* on the loop; frees the job and what is in it */
};
struct jobs;
/* threads, and how many jobs may wait for one. NULL: no thread could be made. */
struct jobs *jobs_new(int threads, size_t waiting);
/* Takes the job (a first member of the caller's struct), or false: the pool is full, the job is still the caller's. */
bool jobs_submit(struct jobs *p, struct job *j);
void jobs_free(struct jobs *p);          /* waits for what runs; jobs that wait are run as well, so that each is freed */
#endif
