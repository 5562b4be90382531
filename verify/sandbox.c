/* A folder and child processes that never outlive the run, whatever ends it. A supervisor process makes the folder and
 * starts the children; it lives in a session of its own, out of reach of an interrupt at the terminal, and hears of our
 * end by the closing of a socket pair, which happens after SIGKILL too. Should the supervisor itself be killed, its
 * children get SIGKILL from the kernel. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

enum { START = 'S', RUNNING = 'R', STOP = 'K' };

static int write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

static int read_all(int fd, void *data, size_t n)
{
    char *p = data;
    while (n > 0) {
        ssize_t k = read(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

/* ---- the supervisor's side ---------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    remove(path);
    return 0;
}

static void kill_child(pid_t *child)
{
    if (*child <= 0)
        return;
    kill(*child, SIGKILL);
    while (waitpid(*child, NULL, 0) < 0 && errno == EINTR)
        ;
    *child = 0;
}

static _Noreturn void run_child(const char *log, char **argv, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    execvp(argv[0], argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* A START message: its length, then strings: the log's name, then the arguments. Answers with the child's pid. */
static int start_child(int wire, pid_t *child)
{
    uint32_t n = 0;
    char *text, *argv[64];
    size_t args = 0;
    if (read_all(wire, &n, sizeof n) != 0 || n == 0 || n > 1 << 20 || (text = malloc(n)) == NULL)
        return -1;
    if (read_all(wire, text, n) != 0 || text[n - 1] != '\0') {
        free(text);
        return -1;
    }
    for (char *p = text + strlen(text) + 1; p < text + n && args < 63; p += strlen(p) + 1)
        argv[args++] = p;
    argv[args] = NULL;
    kill_child(child);
    pid_t self = getpid();
    *child = fork();
    if (*child == 0)
        run_child(text, argv, self);
    free(text);
    return write_all(wire, child, sizeof *child);
}

static int child_runs(int wire, pid_t *child)
{
    char yes = 0;
    if (*child > 0) {
        yes = waitpid(*child, NULL, WNOHANG) == 0;
        if (!yes)
            *child = 0;
    }
    return write_all(wire, &yes, 1);
}

/* dir is a template for mkdtemp; what came of it goes back over the wire, an empty name for a failure. */
static _Noreturn void supervise(int wire, char *dir, size_t n)
{
    pid_t child = 0;
    char command;
    setsid();
    for (int sig = 1; sig < 32; sig++)
        if (sig != SIGCHLD)
            signal(sig, SIG_IGN);
    for (int fd = 0; fd < 3; fd++) /* whoever reads our output need not wait for us */
        close(fd);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    dup2(null, 2);
    if (mkdtemp(dir) == NULL)
        memset(dir, 0, n);
    write_all(wire, dir, n);
    while (read_all(wire, &command, 1) == 0) {
        int failed = 0;
        if (command == START)
            failed = start_child(wire, &child);
        else if (command == RUNNING)
            failed = child_runs(wire, &child);
        else if (command == STOP) {
            kill_child(&child);
            failed = write_all(wire, &command, 1);
        }
        if (failed)
            break;
    }
    kill_child(&child);
    if (*dir)
        nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

/* ---- our side ------------------------------------------------------------------- */

int sandbox_open(struct sandbox *s, struct strbuf *err)
{
    const char *base = getenv("TMPDIR");
    struct strbuf name = { 0 };
    int wires[2] = { -1, -1 };
    sigset_t all, before;
    memset(s, 0, sizeof *s);
    s->wire = -1;
    buf_printf(&name, "%s/tmgc-verify-XXXXXX", base && *base == '/' ? base : "/tmp");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wires) != 0)
        goto failed;
    /* The supervisor must not hear signals before it has told the system to ignore them. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    s->supervisor = fork();
    if (s->supervisor == 0) {
        close(wires[0]);
        supervise(wires[1], name.p, name.n);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(wires[1]);
    if (s->supervisor > 0 && read_all(wires[0], name.p, name.n) == 0 && name.p[0] != '\0') {
        s->wire = wires[0];
        s->dir = name.p;
        return 0;
    }
    close(wires[0]);
    if (s->supervisor > 0)
        waitpid(s->supervisor, NULL, 0);
failed:
    buf_printf(err, "no temporary folder can be made in %s\n", base && *base == '/' ? base : "/tmp");
    buf_free(&name);
    s->supervisor = 0;
    return -1;
}

int sandbox_start(struct sandbox *s, const char *const *argv, const char *log, struct strbuf *err)
{
    struct strbuf b = { 0 };
    char command = START;
    pid_t pid = -1;
    buf_add(&b, log, strlen(log) + 1);
    for (; *argv; argv++)
        buf_add(&b, *argv, strlen(*argv) + 1);
    uint32_t n = (uint32_t)b.n;
    int failed = write_all(s->wire, &command, 1) || write_all(s->wire, &n, sizeof n) || write_all(s->wire, b.p, b.n) ||
                 read_all(s->wire, &pid, sizeof pid) || pid <= 0;
    buf_free(&b);
    if (failed)
        buf_puts(err, "the supervising process is gone\n");
    return failed ? -1 : 0;
}

bool sandbox_running(struct sandbox *s)
{
    char command = RUNNING, yes = 0;
    return write_all(s->wire, &command, 1) == 0 && read_all(s->wire, &yes, 1) == 0 && yes;
}

void sandbox_stop(struct sandbox *s)
{
    char command = STOP;
    if (write_all(s->wire, &command, 1) == 0)
        read_all(s->wire, &command, 1);
}

void sandbox_close(struct sandbox *s)
{
    if (s->supervisor <= 0)
        return;
    close(s->wire);
    while (waitpid(s->supervisor, NULL, 0) < 0 && errno == EINTR)
        ;
    free(s->dir);
    memset(s, 0, sizeof *s);
}
