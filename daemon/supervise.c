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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Seconds: between two starts; after which a death counts as the first; that clients wait in a socket's queue. */
enum { LONGEST_PAUSE = 30, STEADY = 60, LONGEST_WAIT = 5 };

void parent_tell_ready(struct parent *p)
{
    if (p->ready < 0)
        return;
    while (write(p->ready, "!", 1) < 0 && errno == EINTR)
        ;
    close(p->ready);
    p->ready = -1;
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

struct worker {
    pid_t pid;
    int ready;  /* is written to when it serves */
    int keeper; /* gives listening sockets */
};

/* Two pairs of descriptors. */
static bool tie(int ready[2], int keeper[2])
{
    if (pipe2(ready, O_CLOEXEC))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, keeper) == 0)
        return true;
    close(ready[0]);
    close(ready[1]);
    return false;
}

/* false: it cannot be made. */
static bool start(struct worker *w, int (*work)(void *context, struct parent *p), void *context,
                  const struct kept *kept, const sigset_t *before)
{
    int ready[2], keeper[2];
    if (!tie(ready, keeper))
        return false;
    pid_t parent = getpid();
    w->pid = fork();
    if (w->pid == 0) {
        struct parent p = { ready[1], keeper[1], *kept };
        close(ready[0]);
        close(keeper[0]);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(2);
        sigprocmask(SIG_SETMASK, before, NULL);
        exit(work(context, &p));
    }
    close(ready[1]);
    close(keeper[1]);
    w->ready = ready[0];
    w->keeper = keeper[0];
    if (w->pid > 0)
        return true;
    close(w->ready);
    close(w->keeper);
    return false;
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

/* Waits for the worker's end; passes signals on and takes its listening sockets meanwhile. *stopping: it was told to end. */
static int tend(const struct worker *w, struct kept *kept, int signals, bool *stopping)
{
    struct pollfd at[2] = { { .fd = signals, .events = POLLIN }, { .fd = w->keeper, .events = POLLIN } };
    kept->old = kept->n;
    for (;;) {
        struct signalfd_siginfo info;
        int status;
        if (poll(at, 2, -1) < 0)
            continue;
        if (at[1].revents && !kept_receive(kept, w->keeper))
            at[1].fd = -1;
        if (!at[0].revents || read(signals, &info, sizeof info) != sizeof info)
            continue;
        int signal = (int)info.ssi_signo;
        if (signal == SIGCHLD && waitpid(w->pid, &status, WNOHANG) == w->pid) {
            while (at[1].fd >= 0 && kept_receive(kept, w->keeper))
                continue;
            close(w->keeper);
            return status;
        }
        if (signal != SIGCHLD) {
            *stopping = *stopping || signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
            notify_systemd(*stopping ? "STOPPING=1" : "STATUS=serving");
            kill(w->pid, signal);
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

/* Seconds until the next start: none after a death that comes alone, more and more for each that soon follows. */
static unsigned next_pause(unsigned *deaths, time_t began)
{
    if (time(NULL) - began > STEADY)
        *deaths = 0;
    unsigned pause = *deaths < 6 ? (1u << *deaths) / 2 : LONGEST_PAUSE;
    ++*deaths;
    return pause > LONGEST_PAUSE ? LONGEST_PAUSE : pause;
}

int supervise(int (*work)(void *context, struct parent *p), void *context, bool background)
{
    sigset_t set = watched(), before;
    int done = background ? detach() : -1, status = 1;
    bool stopping = false, ever_ready = false;
    struct kept kept = { 0 };
    sigprocmask(SIG_BLOCK, &set, &before);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    for (unsigned pause, deaths = 0; !stopping;) {
        struct worker w;
        time_t began = time(NULL);
        if (signals < 0 || !start(&w, work, context, &kept, &before)) {
            tell(LOG_ERR, "cannot start the worker: %s", strerror(errno));
            break;
        }
        bool good = became_ready(w.ready);
        if (good) {
            ever_ready = true;
            notify_systemd("READY=1\nSTATUS=serving");
            if (done >= 0)
                leave_terminal(done);
            done = -1;
        }
        int ended = tend(&w, &kept, signals, &stopping);
        status = status_of(ended);
        if (!ever_ready && WIFSIGNALED(ended)) /* else it has said why itself */
            tell(LOG_ERR, "the worker was ended by signal %d (%s) before it served", WTERMSIG(ended),
                 strsignal(WTERMSIG(ended)));
        if (!ever_ready || status == 0)
            break; /* it could not begin, or it ended because it was done */
        pause = next_pause(&deaths, began);
        if (!good || pause > LONGEST_WAIT)
            kept_close(&kept); /* whoever asks should rather see that nobody serves */
        if (!stopping) {
            say_death(ended, pause);
            stopping = told_to_end(&set, pause);
        }
    }
    kept_close(&kept);
    close(signals);
    return status;
}
