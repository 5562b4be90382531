/* schema_rows: one short macro for each kind of row in the tables that schema.h describes. For files that hold such tables.
 * s is the struct, m its member, whose name is the key: one spelling in the source, the file, and the places in the
 * export. d is the default, h the help for the key tables. */
#ifndef TMGC_SCHEMA_ROWS_H
#define TMGC_SCHEMA_ROWS_H
#include "schema.h"

/* clang-format off */
#define MEMBER(s, m)          .key = #m, .at = offsetof(struct s, m)
#define TEXT(s, m, h)         { MEMBER(s, m), .type = Y_TEXT, .help = h }
#define NAME(s, m, h)         { MEMBER(s, m), .type = Y_TEXT, .required = true, .help = h }
#define HOST(s, m, h)         { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_HOST, .help = h }
#define FILENAME(s, m, h)     { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_FILE, .help = h }
#define FIELD_VALUE(s, m, h)  { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_HEADER, .help = h }
#define THUMBPRINT(s, m, h)   { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_THUMBPRINT, .help = h }
#define TEXTS(s, m, h)        { MEMBER(s, m), .type = Y_TEXTS, .help = h }
#define ADDRESSES(s, m, h)    { MEMBER(s, m), .type = Y_TEXTS, .text = TEXT_ADDRESS, .help = h }
#define RANGES(s, m, h)       { MEMBER(s, m), .type = Y_ADDRESSES, .help = h }
#define BOOL(s, m, d, h)      { MEMBER(s, m), .type = Y_BOOL, .dflt = d, .help = h }
#define PORT(s, m, d, h)      { MEMBER(s, m), .type = Y_LONG, .dflt = d, .min = 0, .max = 65535, .help = h }
#define NEEDED_PORT(s, m, h)  { MEMBER(s, m), .type = Y_LONG, .min = 1, .max = 65535, .required = true, .help = h }
/* Any number, one of low to high, one that is not negative; and a number whose first values have words. */
#define NUMBER(s, m, d, h)    { MEMBER(s, m), .type = Y_LONG, .dflt = d, .min = INT32_MIN, .max = INT32_MAX, .help = h }
#define RANGE(s, m, d, low, high, h) { MEMBER(s, m), .type = Y_LONG, .dflt = d, .min = low, .max = high, .help = h }
#define COUNT(s, m, d, h)     RANGE(s, m, d, 0, INT32_MAX, h)
#define LEVEL(s, m, low, w, h) { MEMBER(s, m), .type = Y_LONG, .min = low, .max = INT32_MAX, .words = w, .help = h }
#define WORD(s, m, w, d, h)   { MEMBER(s, m), .type = Y_WORD, .words = w, .dflt = d, .help = h }
#define LIST(s, m, o, h)      { MEMBER(s, m), .type = Y_LIST, .of = &(o), .help = h }
#define OBJECT(s, m, o, h)    { MEMBER(s, m), .type = Y_OBJECT, .of = &(o), .help = h }
#define OWN(k, o, h)          { .key = k, .type = Y_OWN, .own = &(o), .help = h }
#define LINE(s)               { MEMBER(s, line), .type = Y_LINE, .help = "line in the export" }
/* What a schema begins with: its name, the struct, the rows. */
#define SCHEMA(n, s, f)       .name = n, .size = sizeof(struct s), .fields = FIELDS(f)
/* clang-format on */
#endif
