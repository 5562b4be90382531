/* redact: the same export with pseudonyms, on standard output or in a file; what stands for what in a file of its own. */
#include "cli.h"
#include "../parser/parser.h"
#include "../parser/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGEST_INPUT = 1 << 30 };

/* The map tells everything that redacting hides: nobody else may read it, whatever the umask or an older file's mode. */
static int write_map(struct cli *c, const char *path, const struct strbuf *map)
{
    struct strbuf err = { 0 };
    const char *base = path_basename(path);
    const char *beside = arena_printf(c->arena, "%.*s.%s.tmgc-tmp", (int)(base - path), path, base);
    mode_t before = umask(0077);
    int status = EXIT_DONE;
    unlink(beside);
    if (file_write_new(beside, map->p, map->n, &err) < 0) {
        fputs(err.p, stderr);
        status = EXIT_FAILED;
    } else if (chmod(beside, 0600) < 0 || rename(beside, path) < 0) {
        status = cli_error(c, "%s: %s", path, strerror(errno));
        unlink(beside);
    }
    umask(before);
    buf_free(&err);
    return status;
}

int cmd_redact(struct cli *c)
{
    struct strbuf text = { 0 }, out = { 0 }, map = { 0 }, err = { 0 };
    const char *path = c->operands.v[0], *shown = strcmp(path, "-") == 0 ? "<stdin>" : path;
    int status = EXIT_FAILED;
    if (file_read(path, LARGEST_INPUT, &text, &err) < 0 ||
        export_redact(shown, text.p, text.n, c->value[OPT_NAMES], &out, &map, &err) < 0) {
        fputs(err.p ? err.p : "tmgc: failed\n", stderr);
        goto out;
    }
    status = c->value[OPT_MAP] ? write_map(c, c->value[OPT_MAP], &map) : EXIT_DONE;
    if (status == EXIT_DONE)
        status = print_out(&out);
out:
    buf_free(&text);
    buf_free(&out);
    buf_free(&map);
    buf_free(&err);
    return status;
}
