/* failing_malloc: preloaded into a program, has one allocation fail - malloc, calloc or realloc - and says so. FAIL_AT: which,
 * counted from the program's start; FAIL_SERVING: likewise, counted from the first connection that a process accepts.
 * For test upsets-memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static atomic_long left = -1; /* 0: none will fail (any more); -1: not counted yet */

static long asked(const char *name)
{
    const char *at = getenv(name);
    return at ? strtol(at, NULL, 10) : 0;
}

static int fails(void)
{
    if (atomic_load(&left) == -1)
        atomic_store(&left, asked("FAIL_AT"));
    if (atomic_load(&left) <= 0 || atomic_fetch_sub(&left, 1) != 1)
        return 0;
    static const char said[] = "failing_malloc: now\n";
    (void)!write(STDERR_FILENO, said, sizeof said - 1);
    errno = ENOMEM;
    return 1;
}

int accept4(int fd, struct sockaddr *address, socklen_t *n, int flags)
{
    static atomic_flag counting = ATOMIC_FLAG_INIT;
    int r = (int)syscall(SYS_accept4, fd, address, n, flags);
    if (r >= 0 && asked("FAIL_SERVING") && !atomic_flag_test_and_set(&counting))
        atomic_store(&left, asked("FAIL_SERVING"));
    return r;
}

void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails() ? NULL : __libc_realloc(p, n);
}
