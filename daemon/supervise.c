#define _GNU_SOURCE
#include "supervise.h"
#include "notify.h"
#include "../proxy/tell.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_PAUSE = 30, STEADY = 60 }; /* seconds: between two starts; after which a death counts as the first */

void readiness_tell(struct readiness *r)
{
    if (r->fd < 0)
        return;
    while (write(r->fd, "!", 1) < 0 && errno == EINTR)
        ;
    close(r->fd);
    r->fd = -1;
}

static const int passed_on[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT };

static sigset_t watched(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
        sigaddset(&set, passed_on[i]);
    return set;
}

/* The worker; its end of the pipe is written to when it is ready. -1: it cannot be made. */
static pid_t start(int (*work)(void *context, struct readiness *r), void *context, const sigset_t *before, int *ready)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        struct readiness r = { ends[1] };
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(2);
        sigprocmask(SIG_SETMASK, before, NULL);
        exit(work(context, &r));
    }
    close(ends[1]);
    if (child < 0)
        close(ends[0]);
    *ready = ends[0];
    return child;
}

/* true: it is ready. false: it ended first. */
static bool became_ready(int fd)
{
    char byte;
    ssize_t n;
    while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
        ;
    close(fd);
    return n == 1;
}

/* What is written to a terminal that is given up goes nowhere. */
static void leave_terminal(int done)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    setsid();
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (write(done, "!", 1) < 0)
        tell(LOG_WARNING, "nobody waits any more: %s", strerror(errno));
    close(done);
}

/* In the background the caller's process waits for the word that all is well, and ends with it. */
static int detach(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child > 0) {
        int status;
        close(ends[1]);
        if (became_ready(ends[0]))
            _exit(0);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    close(ends[0]);
    return ends[1];
}

static int status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void say_death(int status, unsigned pause)
{
    if (WIFSIGNALED(status))
        tell(LOG_ERR, "the worker was ended by signal %d (%s); starting it again in %u s", WTERMSIG(status),
             strsignal(WTERMSIG(status)), pause);
    else
        tell(LOG_ERR, "the worker ended with status %d; starting it again in %u s", WEXITSTATUS(status), pause);
}

/* Waits for the worker's end and passes signals on meanwhile. *stopping: it was told to end. */
static int tend(pid_t child, const sigset_t *set, bool *stopping)
{
    int status;
    for (;;) {
        siginfo_t info;
        int signal = sigwaitinfo(set, &info);
        if (signal == SIGCHLD && waitpid(child, &status, WNOHANG) == child)
            return status;
        if (signal > 0 && signal != SIGCHLD) {
            *stopping = *stopping || signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
            notify_systemd(*stopping ? "STOPPING=1" : "STATUS=serving");
            kill(child, signal);
        }
    }
}

/* A pause in which a request to end is heard. */
static bool told_to_end(const sigset_t *set, unsigned seconds)
{
    struct timespec left = { .tv_sec = seconds };
    int signal = seconds ? sigtimedwait(set, NULL, &left) : -1;
    return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
}

int supervise(int (*work)(void *context, struct readiness *r), void *context, bool background)
{
    sigset_t set = watched(), before;
    int done = background ? detach() : -1, status = 1;
    bool stopping = false, ever_ready = false;
    sigprocmask(SIG_BLOCK, &set, &before);
    for (unsigned pause = 0; !stopping;) {
        int ready;
        time_t began = time(NULL);
        pid_t child = start(work, context, &before, &ready);
        if (child < 0) {
            tell(LOG_ERR, "cannot start the worker: %s", strerror(errno));
            break;
        }
        if (became_ready(ready)) {
            ever_ready = true;
            notify_systemd("READY=1\nSTATUS=serving");
            if (done >= 0)
                leave_terminal(done);
            done = -1;
        }
        int ended = tend(child, &set, &stopping);
        status = status_of(ended);
        if (!ever_ready || status == 0)
            break; /* it could not begin, or it ended because it was done */
        pause = time(NULL) - began > STEADY ? 0 : pause ? pause * 2 : 1;
        pause = pause > LONGEST_PAUSE ? LONGEST_PAUSE : pause;
        if (!stopping) {
            say_death(ended, pause);
            stopping = told_to_end(&set, pause);
        }
    }
    return status;
}
