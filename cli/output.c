/* output: what convert writes, as one set - nobody sees half of it.
 *
 * All files are written beside their places (".NAME.tmgc-tmp"), and only when every one is there are they renamed.
 * Signals wait meanwhile, so that an interrupt leaves no temporary file. A file whose content is what it was stays
 * untouched, with its time stamp.
 */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every name that any release writes below an output folder: what is not in the set is removed. */
static const char *const known[] = {"nginx/nginx.conf", "haproxy/haproxy.cfg", "publishd/publishd.yaml", "policy.yaml",
                                    "report.txt", "report.json", "report.sarif", "report.html"};
/* Folders of which only symbolic links are ours. */
static const char *const known_links[] = {"haproxy/tls"};
/* Folders that go when they are empty. */
static const char *const known_dirs[] = {"nginx", "haproxy/tls", "haproxy", "publishd"};

static bool in_set(const struct out_set *o, const char *name)
{
    for (size_t i = 0; i < o->files.n; i++)
        if (strcmp(o->files.v[i].name, name) == 0)
            return true;
    return false;
}

static bool unchanged(const struct out_file *f, const char *path)
{
    struct stat st;
    char target[4096];
    if (lstat(path, &st) < 0)
        return false;
    if (f->link_to) {
        ssize_t n = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof target) : -1;
        return n >= 0 && (size_t)n == strlen(f->link_to) && memcmp(target, f->link_to, (size_t)n) == 0;
    }
    return S_ISREG(st.st_mode) && (size_t)st.st_size == f->n && file_holds(path, f->data, f->n);
}

static int write_beside(struct out_set *o, const struct out_file *f, const char *path, const char **tmp, struct strbuf *err)
{
    const char *base = path_basename(path);
    *tmp = arena_printf(o->arena, "%.*s.%s.tmgc-tmp", (int)(base - path), path, base);
    char *dir = arena_strndup(o->arena, path, (size_t)(base - path));
    if (file_make_dirs(dir, err) < 0)
        return -1;
    unlink(*tmp);
    if (!f->link_to)
        return file_write_new(*tmp, f->data, f->n, err);
    if (symlink(f->link_to, *tmp) == 0)
        return 0;
    buf_printf(err, "%s: %s\n", *tmp, strerror(errno));
    return -1;
}

static void would_change(struct out_set *o, const char *path, const char *what)
{
    vec_add(o->arena, &o->changes, arena_printf(o->arena, "%s: %s", path, what));
}

static void remove_one(struct out_set *o, const char *path)
{
    struct stat st;
    if (!o->check)
        unlink(path);
    else if (lstat(path, &st) == 0)
        would_change(o, path, "would be removed");
}

static void remove_stale(struct out_set *o)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!in_set(o, known[i]))
            remove_one(o, path_join(o->arena, o->dir, known[i]));
    for (size_t i = 0; i < sizeof known_links / sizeof *known_links; i++) {
        const char *path = path_join(o->arena, o->dir, known_links[i]);
        DIR *d = opendir(path);
        for (struct dirent *e; d && (e = readdir(d));) {
            struct stat st;
            const char *name = arena_printf(o->arena, "%s/%s", known_links[i], e->d_name);
            const char *full = path_join(o->arena, o->dir, name);
            if (!in_set(o, name) && lstat(full, &st) == 0 && S_ISLNK(st.st_mode))
                remove_one(o, full);
        }
        if (d)
            closedir(d);
    }
    for (size_t i = 0; i < sizeof known_dirs / sizeof *known_dirs && !o->check; i++)
        rmdir(path_join(o->arena, o->dir, known_dirs[i])); /* fails, rightly, where something is in it */
}

static int out_check(struct out_set *o)
{
    struct stat st;
    for (size_t i = 0; i < o->files.n; i++) {
        const char *path = path_join(o->arena, o->dir, o->files.v[i].name);
        if (!unchanged(&o->files.v[i], path))
            would_change(o, path, lstat(path, &st) == 0 ? "would change" : "would be new");
    }
    if (!o->keeps_others)
        remove_stale(o);
    return 0;
}

int out_write(struct out_set *o, struct strbuf *err)
{
    if (o->check)
        return out_check(o);
    size_t n = o->files.n;
    const char **paths = arena_alloc(o->arena, (n + 1) * sizeof *paths), **tmps = arena_alloc(o->arena, (n + 1) * sizeof *tmps);
    sigset_t wait, before;
    int rc = 0;
    sigemptyset(&wait);
    sigaddset(&wait, SIGINT);
    sigaddset(&wait, SIGTERM);
    sigaddset(&wait, SIGHUP);
    sigprocmask(SIG_BLOCK, &wait, &before);
    for (size_t i = 0; i < n && rc == 0; i++) {
        paths[i] = path_join(o->arena, o->dir, o->files.v[i].name);
        if (!unchanged(&o->files.v[i], paths[i]))
            rc = write_beside(o, &o->files.v[i], paths[i], &tmps[i], err);
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (tmps[i] && rename(tmps[i], paths[i]) < 0) {
            buf_printf(err, "%s: %s\n", paths[i], strerror(errno));
            rc = -1;
        }
    }
    for (size_t i = 0; i < n && rc < 0; i++)
        if (tmps[i])
            unlink(tmps[i]);
    if (rc == 0 && !o->keeps_others)
        remove_stale(o);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}
