/* output: what convert writes, as one set - nobody sees half of it.
 *
 * Each file is written beside its place (".NAME.tmgc-tmp") as soon as it is made, so that its bytes need not stay in
 * memory, and only when every one is there are they renamed.
 */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every name that any release writes below an output folder: what is not in the set is removed. */
static const char *const known[] = { "nginx/nginx.conf",    "nginx/stream.conf",
                                     "haproxy/haproxy.cfg", "publishd/publishd.yaml",
                                     "policy.yaml",         "report.txt",
                                     "report.json",         "report.sarif",
                                     "report.html" };
/* Folders of which only symbolic links are ours. */
static const char *const known_links[] = { "haproxy/tls" };
/* Folders that go when they are empty. */
static const char *const known_dirs[] = { "nginx", "haproxy/tls", "haproxy", "publishd" };

static bool in_set(const struct out_set *o, const char *name)
{
    for (size_t i = 0; i < o->files.n; i++)
        if (strcmp(o->files.v[i].name, name) == 0)
            return true;
    return false;
}

/* What one file is to become: a link, or a regular file with these bytes. */
struct content {
    const char *link_to, *data;
    size_t n;
};

static bool unchanged(const struct content *f, const char *path)
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

static int write_beside(struct out_set *o, const struct content *f, const char *path, const char **tmp)
{
    const char *base = path_basename(path);
    char *dir = arena_strndup(o->arena, path, (size_t)(base - path));
    if (file_make_dirs(dir, o->err) < 0)
        return -1;
    const char *name = arena_printf(o->arena, "%s.%s.tmgc-tmp", dir, base);
    unlink(name);
    *tmp = name;
    if (!f->link_to)
        return file_write_new(name, f->data, f->n, o->err);
    if (symlink(f->link_to, name) == 0)
        return 0;
    buf_printf(o->err, "%s: %s\n", name, strerror(errno));
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

static void stage(struct out_set *o, const char *name, const struct content *content)
{
    struct stat st;
    struct out_file *f = vec_push(o->arena, &o->files);
    *f = (struct out_file){ .name = name, .path = path_join(o->arena, o->dir, name) };
    if (o->failed || unchanged(content, f->path))
        return;
    if (o->check) {
        would_change(o, f->path, lstat(f->path, &st) == 0 ? "would change" : "would be new");
        return;
    }
    if (!o->waiting) {
        sigset_t wait;
        sigemptyset(&wait);
        sigaddset(&wait, SIGINT);
        sigaddset(&wait, SIGTERM);
        sigaddset(&wait, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &wait, &o->signals);
        o->waiting = true;
    }
    o->failed = write_beside(o, content, f->path, &f->tmp) < 0;
}

void out_add(struct out_set *o, const char *name, const struct strbuf *b)
{
    struct content c = { .data = b->p ? b->p : "", .n = b->n };
    stage(o, name, &c);
}

void out_link(struct out_set *o, const char *name, const char *to)
{
    struct content c = { .link_to = to };
    stage(o, name, &c);
}

int out_finish(struct out_set *o, bool commit)
{
    commit &= !o->failed;
    for (size_t i = 0; i < o->files.n && commit; i++) {
        const struct out_file *f = &o->files.v[i];
        if (f->tmp && rename(f->tmp, f->path) < 0) {
            buf_printf(o->err, "%s: %s\n", f->path, strerror(errno));
            commit = false;
        }
    }
    for (size_t i = 0; i < o->files.n && !commit; i++)
        if (o->files.v[i].tmp)
            unlink(o->files.v[i].tmp);
    if (commit && !o->keeps_others)
        remove_stale(o);
    if (o->waiting)
        pthread_sigmask(SIG_SETMASK, &o->signals, NULL);
    o->waiting = false;
    return commit ? 0 : -1;
}
