/* jobs: threads for what blocks - names, LDAP, the KDC, passwords, files. Bounded: what does not fit is refused at once,
 * and the caller answers 503.
 *
 * There are lanes, each with threads of its own: libkrb5 waits 25 seconds for a KDC that takes its questions and says nothing, and
 * meanwhile other servers must be found and passwords that it has nothing to do with be checked.
 *
 * A job never holds a pointer to a connection or exchange: it says loop and exchange_id, and its result finds the
 * exchange by them if it still waits.
 */
#ifndef PROXY_JOBS_H
#define PROXY_JOBS_H
#include "loop.h"

enum lane { LANE_NAMES, LANE_KERBEROS, LANE_OTHERS, LANES };     /* others: LDAP, RADIUS, winbind, hashes */
struct job {
    struct message back;                 /* jobs.c's */
    struct job *next;                    /* jobs.c's */
    struct loop *loop;                   /* where done is called; NULL: on the pool's thread */
    uint64_t until;                      /* as loop.now: nobody waits for it after that; 0: always somebody does */
    bool late;                           /* run was not called, for that */
    void (*run)(struct job *j);          /* on a thread of the pool: may block; touches only its own job */
    void (*done)(struct job *j);         /* on the loop; frees the job and what is in it */
};
struct jobs;
struct jobs *jobs_new(void);             /* NULL: a thread could not be made */
/* Takes the job (a first member of the caller's struct), or false: the lane is full, the job is still the caller's. */
bool jobs_submit(struct jobs *p, enum lane lane, struct job *j);
/* Waits for what runs; jobs that wait are run as well, so that each is freed. false: something still runs after these
 * seconds, as libraries do that wait for a server; p stays. */
bool jobs_free(struct jobs *p, int seconds);
#endif
