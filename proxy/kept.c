/* kept: the two ends of the pair; see the header. */
#include "kept.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PER_MESSAGE = 128, MESSAGE_MOST = 64 << 10 }; /* descriptors; bytes: some 4,000 addresses */

union control {
    struct cmsghdr head; /* aligns it */
    char room[CMSG_SPACE(PER_MESSAGE * sizeof(int))];
};

/* ---- the parent ---------------------------------------------------------------------- */

static void add(struct kept *k, int fd)
{
    if (k->n == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 16;
        int *more = realloc(k->fds, k->cap * sizeof(int));
        if (!more)
            mem_fatal();
        k->fds = more;
    }
    k->fds[k->n++] = fd;
}

static void add_all(struct kept *k, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            add(k, fd);
        }
    }
}

static bool listens_at(int fd, const struct sockaddr_in *at)
{
    struct sockaddr_in own = { 0 };
    socklen_t n = sizeof own;
    return getsockname(fd, (struct sockaddr *)(void *)&own, &n) == 0 && own.sin_family == at->sin_family &&
           own.sin_port == at->sin_port && own.sin_addr.s_addr == at->sin_addr.s_addr;
}

static bool is_wanted(int fd, const char *addresses, size_t n)
{
    struct sockaddr_in at;
    for (size_t i = 0; i + sizeof at <= n; i += sizeof at) {
        memcpy(&at, addresses + i, sizeof at);
        if (listens_at(fd, &at))
            return true;
    }
    return false;
}

static void end_change(struct kept *k, const char *addresses, size_t n)
{
    size_t left = 0;
    for (size_t i = 0; i < k->n; i++)
        if (i >= k->old || is_wanted(k->fds[i], addresses, n))
            k->fds[left++] = k->fds[i];
        else
            close(k->fds[i]);
    k->n = k->old = left;
}

bool kept_receive(struct kept *k, int from)
{
    static char text[MESSAGE_MOST];
    union control control;
    struct iovec v = { text, sizeof text };
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room
    };
    ssize_t n;
    while ((n = recvmsg(from, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        continue;
    if (n <= 0)
        return false;
    add_all(k, &m);
    if (text[0] == 'e')
        end_change(k, text + 1, (size_t)n - 1);
    return true;
}

void kept_close(struct kept *k)
{
    for (size_t i = 0; i < k->n; i++)
        close(k->fds[i]);
    free(k->fds);
    *k = (struct kept){ 0 };
}

/* ---- the worker -------------------------------------------------------------------------- */

int kept_take(struct kept *k, const struct sockaddr_in *at)
{
    for (size_t i = 0; i < k->n; i++)
        if (listens_at(k->fds[i], at)) {
            int fd = k->fds[i];
            k->fds[i] = k->fds[--k->n];
            return fd;
        }
    return -1;
}

static bool send_some(int to, const int *fds, size_t n)
{
    union control control = { 0 };
    struct iovec v = { (char[]){ 'n' }, 1 };
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_SPACE(n * sizeof(int))
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

bool kept_tell(int to, const int *fds, size_t n, const struct sockaddr_in *at, size_t at_n)
{
    int some[PER_MESSAGE];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (fds[i] >= 0)
            some[k++] = fds[i];
        if (k && (k == PER_MESSAGE || i + 1 == n)) {
            if (!send_some(to, some, k))
                return false;
            k = 0;
        }
    }
    struct iovec v[2] = { { (char[]){ 'e' }, 1 }, { (void *)(uintptr_t)at, at_n * sizeof *at } };
    struct msghdr m = { .msg_iov = v, .msg_iovlen = at_n ? 2 : 1 };
    return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}
