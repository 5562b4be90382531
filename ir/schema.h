/* schema: tables that say how structs look in YAML. One table per struct drives reading, writing and the key tables
 * in docs/; no key is spelled twice. */
#ifndef TMGC_SCHEMA_H
#define TMGC_SCHEMA_H
#include "yaml.h"

enum field_type {
    Y_VERSION,          /* must be the number in `dflt`; no member */
    Y_TEXT,             /* const char *; NULL is left out */
    Y_BOOL,             /* bool; with words: the word for false, the word for true */
    Y_LONG,             /* long, min to max; words name the first values */
    Y_LINE,             /* uint32_t, a line number; 0 is left out */
    Y_WORD,             /* an enum with a word for each value from 0 */
    Y_TEXTS,            /* strings */
    Y_ADDRESSES,        /* ipset */
    Y_OBJECT,           /* a struct of schema `of` */
    Y_LIST,             /* VEC of structs of schema `of` */
    Y_MAP,              /* the same, keyed by the first field of `of`; read only */
    Y_OWN               /* whatever `own` makes of it */
};
enum text_kind {
    TEXT_FREE,          /* every character that an export can hold */
    TEXT_HOST,          /* normalise_host */
    TEXT_ADDRESS,       /* dotted quad */
    TEXT_THUMBPRINT,    /* normalise_thumbprint */
    TEXT_HEADER,        /* a header field's value: visible ASCII and spaces, not empty */
    TEXT_FILE,          /* not empty, no control characters */
    TEXT_TARGET,        /* nginx, haproxy, publishd */
    TEXT_DATE           /* 2027-03-31 */
};
struct schema;
struct own {
    const char *type;                               /* for the key tables */
    bool list;                                      /* it is a list: write gives one item a line */
    /* All of them get the struct that holds the member. Errors are told with yaml_error. */
    void (*read)(struct yaml_reader *r, const struct node *node, void *object);
    void (*write)(struct strbuf *b, const void *object);
    bool (*absent)(const void *object);             /* true: leave the key out */
};
struct field {
    const char *key;
    enum field_type type;
    size_t at;                                      /* offset of the member */
    long dflt;                                      /* Y_BOOL, Y_LONG, Y_WORD, Y_VERSION */
    long min, max;                                  /* Y_LONG */
    enum text_kind text;                            /* Y_TEXT, Y_TEXTS */
    const char *const *words;                       /* NULL at the end */
    const struct schema *of;
    const struct own *own;
    bool required;
    const char *help;                               /* for the key tables */
};
enum layout { LAYOUT_BLOCK, LAYOUT_FLOW, LAYOUT_FLOW_IF_SHORT };   /* lines, "{…}" on one, or "{…}" unless it gets long */
struct schema {
    const char *name;                               /* "a rule" */
    size_t size;
    const struct field *fields;
    size_t n;
    enum layout layout;
    bool spaced;                                    /* an empty line between two of a list */
    const struct field *value;                      /* Y_MAP whose values are this one field instead of keys */
    const size_t *line_at;                          /* offset of a uint32_t that takes the line of the YAML file; NULL */
    void (*check)(struct yaml_reader *r, const struct node *node, void *object);   /* after reading; may be NULL */
};
#define FIELDS(array) (array), sizeof(array) / sizeof *(array)

/* Sets the defaults in object (zeroed), and in the objects inside it. */
void schema_defaults(const struct schema *s, void *object);
/* File names (TEXT_FILE) in object, and in the objects and lists inside it, become absolute: relative ones are the folder's. */
void schema_absolute(struct arena *a, const struct schema *s, void *object, const char *folder);
/* Fills object (zeroed) from a map. Errors are told; r->errors counts them. */
void schema_read(struct yaml_reader *r, const struct schema *s, const struct node *map, void *object);
/* Fills member, a VEC of f->of, from a map that is keyed by names. */
void schema_read_map(struct yaml_reader *r, const struct field *f, const struct node *map, void *member);
/* The object's keys at the left margin. */
void schema_write(struct strbuf *out, const struct schema *s, const void *object);
/* The key table of s and, below it, of every schema that it uses, each once. */
void schema_markdown(struct strbuf *out, const struct schema *s);

/* For Y_OWN codecs. NULL: told. */
const char *schema_text(struct yaml_reader *r, const struct node *node, enum text_kind kind);
bool schema_number(const char *text, long *value);  /* decimal digits, perhaps a minus; nothing else */

extern const struct schema policy_schema, site_schema, service_schema;
#endif
