/* file: reading whole files, writing new ones, and names of files. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(const char *path, size_t limit, struct strbuf *out, struct strbuf *err)
{
    bool in = strcmp(path, "-") == 0;
    int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc = -1;
    if (fd < 0 || fstat(fd, &st) < 0) {
        buf_printf(err, "%s: %s\n", path, strerror(errno));
        goto out;
    }
    if (S_ISDIR(st.st_mode)) {
        buf_printf(err, "%s: is a folder; give the file in it, or use `tmgc batch`\n", path);
        goto out;
    }
    /* Room for the whole at once; a pipe just grows. */
    buf_reserve(out, S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 65536);
    for (;;) {
        if (out->cap - out->n < 2)
            buf_reserve(out, out->n / 2);
        ssize_t got = read(fd, out->p + out->n, out->cap - out->n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            buf_printf(err, "%s: %s\n", path, strerror(errno));
            goto out;
        }
        if (got == 0)
            break;
        out->n += (size_t)got;
        if (out->n > limit) {
            buf_printf(err, "%s: larger than %zu MB, which is more than any export\n", path, limit >> 20);
            goto out;
        }
    }
    out->p[out->n] = '\0';
    rc = 0;
out:
    if (fd >= 0 && !in)
        close(fd);
    return rc;
}

int file_make_dirs(const char *dir, struct strbuf *err)
{
    size_t n = strlen(dir);
    char *p = malloc(n + 1);
    if (!p)
        mem_fatal();
    memcpy(p, dir, n + 1);
    int rc = 0;
    for (size_t i = 1; i <= n && rc == 0; i++) {
        if (p[i] != '/' && p[i] != '\0')
            continue;
        char c = p[i];
        p[i] = '\0';
        struct stat st;
        if (mkdir(p, 0777) < 0 && (errno != EEXIST || stat(p, &st) < 0 || !S_ISDIR(st.st_mode))) {
            buf_printf(err, "%s: %s\n", p, errno == EEXIST ? "is not a folder" : strerror(errno));
            rc = -1;
        }
        p[i] = c;
    }
    free(p);
    return rc;
}

bool file_holds(const char *path, const char *data, size_t n)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size == n;
    char block[65536];
    for (size_t at = 0; same && at < n;) {
        ssize_t got = read(fd, block, sizeof block);
        if (got <= 0 || (size_t)got > n - at || memcmp(block, data + at, (size_t)got) != 0)
            same = false;
        else
            at += (size_t)got;
    }
    close(fd);
    return same;
}

int file_write_new(const char *path, const char *data, size_t n, struct strbuf *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        buf_printf(err, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    bool ok = true;
    for (size_t at = 0; ok && at < n;) {
        ssize_t put = write(fd, data + at, n - at);
        if (put > 0)
            at += (size_t)put;
        else if (put == 0 || errno != EINTR)
            ok = false;
    }
    int why = errno;
    if (close(fd) < 0 && ok) {
        why = errno;
        ok = false;
    }
    if (ok)
        return 0;
    buf_printf(err, "%s: %s\n", path, strerror(why));
    unlink(path);
    return -1;
}

const char *path_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0')
        return arena_strdup(a, name);
    return arena_printf(a, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name);
}

char *path_absolute(struct arena *a, const char *path)
{
    struct strbuf b = { 0 };
    if (path[0] != '/') {
        char *cwd = getcwd(NULL, 0);
        buf_printf(&b, "%s/", cwd ? cwd : "");
        free(cwd);
    }
    buf_puts(&b, path);
    /* In place: every component is copied to `to` or takes one back. */
    char *to = b.p;
    for (char *from = b.p; *from;) {
        while (*from == '/')
            from++;
        size_t len = strcspn(from, "/");
        if (len == 2 && from[0] == '.' && from[1] == '.') {
            while (to > b.p && *--to != '/')
                ;
        } else if (len > 0 && !(len == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, len);
            to += len;
        }
        from += len;
    }
    char *out = to == b.p ? arena_strdup(a, "/") : arena_strndup(a, b.p, (size_t)(to - b.p));
    buf_free(&b);
    return out;
}
