/* batch_inputs: which files are inputs, and the name of each one's folder. */
#include "batch.h"
#include "../parser/parser.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 16384, LONGEST_NAME = 120 };

/* ---- by content -------------------------------------------------------------------- */
static bool line_begins(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = text; s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL)
        if (strncmp(s, word, n) == 0)
            return true;
    return false;
}

/* An export has its name space in its first element, whatever its encoding; a policy says its version at the left. */
static bool looks_like_input(const char *path)
{
    char bytes[HEAD], text[HEAD + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    size_t n = 0;
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < got; i++)
        if (bytes[i])
            text[n++] = bytes[i];
    text[n] = '\0';
    if (got <= 0)
        return false;
    return looks_like_xml(bytes, (size_t)got) ? strstr(text, "/isa/config-") != NULL : line_begins(text, "policy:");
}

/* ---- folders ------------------------------------------------------------------------- */
struct found {
    dev_t dev;
    ino_t ino;
    size_t index;
};
struct walk {
    struct batch *b;
    struct arena *arena; /* the batch's */
    struct stat out;     /* the output folder, if it is there */
    VEC(struct found) seen;
};

static void add_input(struct walk *w, const char *path, const char *relative, const struct stat *st)
{
    vec_add(w->arena, &w->seen, ((struct found){ st->st_dev, st->st_ino, w->b->inputs.n }));
    struct batch_input *in = vec_push(w->arena, &w->b->inputs);
    *in = (struct batch_input){ .path = path, .relative = relative };
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static int by_text_back(const void *x, const void *y)
{
    return by_text(y, x);
}

/* What convert wrote: its policy is a result here, not an input. */
static bool is_output(struct arena *a, const char *dir)
{
    return access(path_join(a, dir, "policy.yaml"), F_OK) == 0 && access(path_join(a, dir, "report.json"), F_OK) == 0;
}

/* One folder: its files become inputs by name, its folders go on the stack. Links to folders are not followed. */
static int walk_folder(struct walk *w, const char *dir, const char *relative, strings *stack)
{
    strings names = { 0 }, folders = { 0 };
    struct stat st;
    DIR *d = opendir(dir);
    if (!d)
        return cli_error(w->b->cli, "%s: %s", dir, strerror(errno));
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            vec_add(w->arena, &names, arena_strdup(w->arena, e->d_name));
    closedir(d);
    if (names.n)
        qsort(names.v, names.n, sizeof *names.v, by_text);
    for (size_t i = 0; i < names.n; i++) {
        const char *path = path_join(w->arena, dir, names.v[i]);
        bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
        if (stat(path, &st) < 0)
            continue;
        const char *below = *relative ? arena_printf(w->arena, "%s/%s", relative, names.v[i]) : names.v[i];
        if (S_ISREG(st.st_mode) && looks_like_input(path))
            add_input(w, path, below, &st);
        else if (!S_ISDIR(st.st_mode))
            w->b->skipped++;
        else if (!link && !(st.st_dev == w->out.st_dev && st.st_ino == w->out.st_ino) && !is_output(w->arena, path))
            vec_add(w->arena, &folders, below);
    }
    if (folders.n)
        qsort(folders.v, folders.n, sizeof *folders.v, by_text_back); /* the first one is taken next */
    for (size_t i = 0; i < folders.n; i++)
        vec_add(w->arena, stack, folders.v[i]);
    return EXIT_DONE;
}

static int walk_operand(struct walk *w, const char *operand)
{
    struct stat st;
    strings stack = { 0 };
    int status = EXIT_DONE;
    if (strcmp(operand, "-") == 0)
        return cli_error(w->b->cli, "standard input is one input: use tmgc convert");
    if (stat(operand, &st) < 0)
        st = (struct stat){ 0 }; /* reported when its turn comes, beside the others */
    if (!S_ISDIR(st.st_mode)) {
        add_input(w, operand, operand, &st);
        return EXIT_DONE;
    }
    vec_add(w->arena, &stack, "");
    while (stack.n && status == EXIT_DONE) {
        const char *below = stack.v[--stack.n];
        status = walk_folder(w, *below ? path_join(w->arena, operand, below) : operand, below, &stack);
    }
    return status;
}

/* ---- twice the same file --------------------------------------------------------------- */
static int by_file(const void *x, const void *y)
{
    const struct found *a = x, *b = y;
    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void drop_doubles(struct walk *w)
{
    size_t n = w->seen.n, kept = 0;
    if (n)
        qsort(w->seen.v, n, sizeof *w->seen.v, by_file);
    for (size_t i = 1; i < n; i++)
        if (w->seen.v[i].ino && w->seen.v[i].ino == w->seen.v[i - 1].ino && w->seen.v[i].dev == w->seen.v[i - 1].dev)
            w->b->inputs.v[w->seen.v[i].index].path = NULL;
    for (size_t i = 0; i < n; i++)
        if (w->b->inputs.v[i].path)
            w->b->inputs.v[kept++] = w->b->inputs.v[i];
    w->b->inputs.n = kept;
}

int batch_find(struct batch *b, const char *out_dir)
{
    struct walk w = { .b = b, .arena = b->cli->arena };
    int status = EXIT_DONE;
    if (stat(out_dir, &w.out) < 0)
        w.out = (struct stat){ 0 };
    for (size_t i = 0; i < b->cli->operands.n && status == EXIT_DONE; i++)
        status = walk_operand(&w, b->cli->operands.v[i]);
    drop_doubles(&w);
    if (status == EXIT_DONE && !b->inputs.n)
        status = cli_error(b->cli, "no export and no policy found (%zu other files)", b->skipped);
    return status;
}

/* ---- names ----------------------------------------------------------------------------- */
struct naming {
    struct batch_input *in;
    unsigned level;
};

static uint64_t hash_of(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

/* The name's letters without what a shell or a file system makes difficult: the rest becomes "-". */
static const char *plain(struct arena *a, const char *s, size_t n, const char *path, bool mark)
{
    struct strbuf b = { 0 };
    buf_puts(&b, "");
    for (size_t i = 0; i < n && b.n < LONGEST_NAME; i++) {
        unsigned char c = (unsigned char)s[i];
        bool good = c >= 0x80 || (c >= '0' && c <= '9') || (ascii_lower(s[i]) >= 'a' && ascii_lower(s[i]) <= 'z') ||
                    strchr("._+-", c);
        if (good ? !(strchr(".-", c) && !b.n) : b.n && b.p[b.n - 1] != '-')
            buf_putc(&b, good ? (char)c : '-');
    }
    bool odd = b.n >= LONGEST_NAME || !utf8_valid(b.p, b.n);
    for (size_t i = 0; odd && i < b.n; i++)
        if ((unsigned char)b.p[i] >= 0x80)
            b.p[i] = '-';
    if (!b.n)
        buf_puts(&b, "input");
    if (odd || mark || ascii_ncasecmp(b.p, "summary.", 8) == 0) /* those are ours */
        buf_printf(&b, "~%08x", (unsigned)(hash_of(path) & 0xffffffffu));
    const char *name = arena_strdup(a, b.p);
    buf_free(&b);
    return name;
}

/* Level 0: the file's name; 1: its path below the folder that was given; 2: the whole path; 3: the same with a hash,
 * because paths may be written alike. */
enum { LAST_LEVEL = 3 };
static const char *name_at(struct arena *a, const struct naming *x)
{
    const char *relative = x->level > 1 ? x->in->path : x->in->relative;
    while (!strncmp(relative, "./", 2) || !strncmp(relative, "../", 3) || *relative == '/')
        relative += *relative == '/' ? 1 : strcspn(relative, "/") + 1;
    const char *s = x->level ? relative : path_basename(relative), *base = path_basename(s), *dot = strrchr(base, '.');
    bool known = dot && dot > base &&
                 (!ascii_casecmp(dot, ".xml") || !ascii_casecmp(dot, ".yaml") || !ascii_casecmp(dot, ".yml"));
    return plain(a, s, known ? (size_t)(dot - s) : strlen(s), x->in->path, x->level == LAST_LEVEL);
}

static int by_name(const void *x, const void *y)
{
    const struct naming *a = x, *b = y;
    int order = ascii_casecmp(a->in->name, b->in->name);
    return order ? order : strcmp(a->in->path, b->in->path);
}

static bool raise_doubles(struct arena *a, struct naming *v, size_t n, bool at_once)
{
    bool changed = false;
    qsort(v, n, sizeof *v, by_name);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && ascii_casecmp(v[i].in->name, v[end].in->name) == 0;)
            end++;
        for (size_t k = i; end - i > 1 && k < end; k++)
            if (v[k].level < LAST_LEVEL) {
                v[k].level = at_once ? LAST_LEVEL : v[k].level + 1;
                changed = true;
            }
    }
    for (size_t i = 0; changed && i < n; i++)
        v[i].in->name = name_at(a, &v[i]);
    return changed;
}

void batch_name(struct batch *b)
{
    struct arena *a = b->cli->arena;
    size_t n = b->inputs.n;
    struct naming *v = arena_alloc(a, (n + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i].in = &b->inputs.v[i];
        v[i].in->name = name_at(a, &v[i]);
    }
    for (int round = 0; round < 12 && raise_doubles(a, v, n, round > 4); round++)
        ;
    qsort(v, n, sizeof *v, by_name);
    for (size_t i = 0, end; i < n; i = end) { /* hashes that are alike */
        for (end = i + 1; end < n && ascii_casecmp(v[i].in->name, v[end].in->name) == 0; end++)
            v[end].in->name = arena_printf(a, "%s~%zu", v[i].in->name, end - i + 1);
    }
}
