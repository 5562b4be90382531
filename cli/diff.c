/* diff: what changed in meaning between two exports, policies or output folders. */
#include "cli.h"
#include "diff.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CLASSES = 2000000, LARGEST_TEXT = 1 << 30 };

struct sides {
    struct cli_input in[2];
    const char *path[2]; /* what to read */
    const char *shown[2];
    const char *label;
};

/* ---- what is compared --------------------------------------------------------------- */

/* git runs an external diff with PATH OLD-FILE OLD-HEX OLD-MODE NEW-FILE NEW-HEX NEW-MODE, and two more words where the
 * file was renamed (gitdiffcore, GIT_EXTERNAL_DIFF). */
static bool from_git(const struct cli *c)
{
    return (c->operands.n == 7 || c->operands.n == 9) && getenv("GIT_DIFF_PATH_COUNTER");
}

/* A folder stands for the policy in it. */
static const char *file_of(struct cli *c, const char *operand)
{
    struct stat st;
    if (strcmp(operand, "-") != 0 && stat(operand, &st) == 0 && S_ISDIR(st.st_mode))
        return path_join(c->arena, operand, "policy.yaml");
    return operand;
}

static int take_operands(struct cli *c, struct sides *s)
{
    bool git = from_git(c);
    if (!git && c->operands.n != 2)
        return cli_error(c, "give OLD and NEW (see tmgc help diff)");
    for (int i = 0; i < 2; i++) {
        s->shown[i] = c->operands.v[git ? (i ? 4 : 1) : i];
        s->path[i] = file_of(c, s->shown[i]);
    }
    if (strcmp(s->path[0], "-") == 0 && strcmp(s->path[1], "-") == 0)
        return cli_error(c, "only one side can be standard input");
    if (git)
        s->label = c->operands.v[0];
    return EXIT_DONE;
}

/* Where git says that there is no file on this side. */
static int load_nothing(struct cli *c, struct cli_input *in)
{
    static const char empty[] = "policy: 1\n";
    struct strbuf err = { 0 };
    *in = (struct cli_input){ .export_name = "(none)" };
    in->policy = policy_read("(none)", empty, sizeof empty - 1, &err);
    in->site = in->policy ? site_read(c->value[OPT_SITE], &err) : NULL;
    int status = in->site ? EXIT_DONE : cli_error(c, "%s", err.p ? err.p : "failed");
    if (status == EXIT_DONE) {
        findings_init(&in->findings, in->policy->arena);
        in->plan = plan_make(in->policy, in->site, &in->findings);
    }
    buf_free(&err);
    return status;
}

/* ---- the two texts ------------------------------------------------------------------- */

struct line {
    const char *p;
    size_t n;
};
typedef VEC(struct line) text_lines;

static int by_line(const void *x, const void *y)
{
    const struct line *a = x, *b = y;
    int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static void split(struct arena *a, const struct strbuf *text, text_lines *out)
{
    for (size_t from = 0, n; from < text->n; from += n + 1) {
        const char *end = memchr(text->p + from, '\n', text->n - from);
        n = end ? (size_t)(end - (text->p + from)) : text->n - from;
        struct line one = { text->p + from, n };
        vec_add(a, out, one);
    }
}

/* Lines that only one side has; if there are none, how many stand in another place. */
static void compare_texts(const struct strbuf text[2], struct compared *x)
{
    struct arena *a = arena_new();
    text_lines lines[2] = { { 0 }, { 0 } };
    size_t moved = 0;
    for (int side = 0; side < 2; side++)
        split(a, &text[side], &lines[side]);
    for (size_t i = 0; i < lines[0].n && i < lines[1].n; i++)
        moved += by_line(&lines[0].v[i], &lines[1].v[i]) != 0;
    for (int side = 0; side < 2; side++)
        if (lines[side].n)
            qsort(lines[side].v, lines[side].n, sizeof *lines[side].v, by_line);
    for (size_t i = 0, k = 0; i < lines[0].n || k < lines[1].n;) {
        int c = i == lines[0].n ? 1 : k == lines[1].n ? -1 : by_line(&lines[0].v[i], &lines[1].v[k]);
        x->lines_gone += c < 0;
        x->lines_new += c > 0;
        i += c <= 0;
        k += c >= 0;
    }
    if (!x->lines_gone && !x->lines_new)
        x->lines_moved = moved;
    arena_free(a);
}

static void read_texts(const struct sides *s, struct compared *x)
{
    struct strbuf text[2] = { { 0 }, { 0 } }, err = { 0 };
    x->texts = true;
    for (int side = 0; side < 2; side++)
        x->texts = x->texts && strcmp(s->path[side], "-") != 0 &&
                   file_read(s->path[side], LARGEST_TEXT, &text[side], &err) == 0;
    if (x->texts)
        compare_texts(text, x);
    for (int side = 0; side < 2; side++)
        buf_free(&text[side]);
    buf_free(&err);
}

/* ---- the command ------------------------------------------------------------------------ */

static int take_limit(struct cli *c, size_t *limit)
{
    const char *s = c->value[OPT_LIMIT];
    char *end;
    *limit = CLASSES;
    if (!s)
        return EXIT_DONE;
    unsigned long long n = strtoull(s, &end, 10);
    if (*s < '0' || *s > '9' || *end)
        return cli_error(c, "--limit %s: a number", s);
    *limit = (size_t)n;
    return EXIT_DONE;
}

static int write_out(struct cli *c, const struct compared *x)
{
    const char *format = c->value[OPT_FORMAT] ? c->value[OPT_FORMAT] : "text";
    struct strbuf b = { 0 };
    if (strcmp(format, "json") == 0)
        diff_write_json(&b, x);
    else if (strcmp(format, "markdown") == 0)
        diff_write_markdown(&b, x);
    else if (c->value[OPT_STAT])
        diff_write_stat(&b, x);
    else
        diff_write_text(&b, x, use_color(c, stdout));
    int status = print_out(&b);
    buf_free(&b);
    return status;
}

int cmd_diff(struct cli *c)
{
    struct sides s = { .label = NULL };
    struct compared x = { 0 };
    struct diff *d = NULL;
    size_t limit;
    const char *format = c->value[OPT_FORMAT];
    if (format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0 && strcmp(format, "markdown") != 0)
        return cli_error(c, "--format %s: text, json or markdown", format);
    int status = take_operands(c, &s);
    if (status == EXIT_DONE)
        status = take_limit(c, &limit);
    for (int i = 0; i < 2 && status == EXIT_DONE; i++)
        status = s.label && strcmp(s.path[i], "/dev/null") == 0 ? load_nothing(c, &s.in[i])
                                                                : input_load(c, s.path[i], &s.in[i]);
    if (status != EXIT_DONE) {
        if (s.label) /* git would end its whole log here */
            status = printf("%s: cannot be compared\n", s.label) < 0 ? EXIT_FAILED : EXIT_DONE;
        goto out;
    }
    d = diff_make(s.in[0].plan, s.in[1].plan, limit);
    x = (struct compared){ .d = d, .old = s.shown[0], .new = s.shown[1], .label = s.label };
    read_texts(&s, &x);
    if (!c->value[OPT_QUIET])
        status = write_out(c, &x);
    if (status == EXIT_DONE && !d->meaningless && !s.label)
        status = EXIT_FINDINGS; /* git takes any other status of its external diff for a crash */
out:
    diff_free(d);
    for (int i = 0; i < 2; i++)
        input_free(&s.in[i]);
    return status;
}
