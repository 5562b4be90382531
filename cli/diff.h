/* diff: what the command and its writers share. */
#ifndef TMGC_CLI_DIFF_H
#define TMGC_CLI_DIFF_H
#include "../ir/diff.h"

struct compared {
    const struct diff *d;
    const char *old, *new; /* as typed */
    const char *label;     /* the file's name in a git repository; NULL: not asked by git */
    bool texts;            /* both sides are files, so that these count: */
    size_t lines_gone, lines_new, lines_moved;
};
void diff_write_text(struct strbuf *b, const struct compared *x, bool color);
void diff_write_stat(struct strbuf *b, const struct compared *x);
void diff_write_markdown(struct strbuf *b, const struct compared *x);
void diff_write_json(struct strbuf *b, const struct compared *x);
#endif
