/* yaml: a small, strict subset of YAML, read into a tree of nodes with their places, and scalars written safely.
 *
 * Refused: anchors, aliases and tags (no alias bombs, no surprises), more than one document, more than 16 levels,
 * more than 256 MB, NUL characters. The tree is walked by ir/schema.c, which knows what may stand where. */
#ifndef TMGC_YAML_H
#define TMGC_YAML_H
#include "../base/base.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };
struct node {
    enum node_kind kind;
    bool plain;                      /* a scalar without quotes */
    uint32_t line, column;           /* from 1 */
    const char *text;                /* of a scalar */
    const struct node *first;        /* of a list or map; a map's children are key, value, key, value ... */
    const struct node *next;
    size_t n;                        /* children; a map's keys count too */
};

/* Where errors go. A reader may go on after one: the first 20 are told, and the rest counted. */
#define YAML_ERRORS 20
struct yaml_reader {
    const char *file;                /* in messages only */
    struct arena *arena;             /* where what is read lives */
    struct strbuf *err;
    unsigned errors;
};
/* "file:line:column: message". node NULL: "file: message". */
void yaml_error(struct yaml_reader *r, const struct node *node, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The only document's root, in tree's memory (an empty map if there is none); NULL on failure, which has been told. */
const struct node *yaml_parse(struct yaml_reader *r, struct arena *tree, const char *text, size_t n);
/* The value of a key in a map; NULL: it has none, or is no map. */
const struct node *node_value(const struct node *map, const char *key);
/* "a list", "text", ... : what was found, for messages. */
const char *node_kind_name(const struct node *node);

/* A scalar that every YAML reader takes for this very text, in block and in flow context: plain only where that is
 * certain, else in double quotes with escapes. Always on one line. Invalid UTF-8 becomes U+FFFD. */
void buf_yaml(struct strbuf *b, const char *text);
#endif
