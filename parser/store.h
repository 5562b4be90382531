/* store: the elements of an export, flat and compact, in document order.
 *
 * An item's children are the items behind it up to its end: no pointers, no recursion. Item 0 is no item, item 1 is
 * the root. Everything lives until store_free. */
#ifndef TMGC_STORE_H
#define TMGC_STORE_H
#include "xml_names.h"

enum used { UNUSED, USED, USED_ALL };      /* nobody read it; read; read with all that is below it */
enum { NO_STORAGE_TYPE = 255 };
struct item {
    uint32_t parent;
    uint32_t end;                          /* the first item behind this one and all below it */
    uint32_t line;
    uint32_t text, storage;                /* offsets into the pool; 0 is "" */
    uint16_t name;
    uint16_t slot;                         /* the StorageName's number, if it is a known name */
    uint8_t type;                          /* StorageType: 0 context, 1 exported, 2 carried along */
    uint8_t used;
    uint16_t setting;                      /* the row that it stands for, + 1; 0: none of its own */
};
struct odd_attribute { uint32_t item, name; };         /* name: offset into the pool */
struct store {
    struct xml_names *names;
    struct item *items;
    size_t n, cap;
    struct strbuf pool;
    size_t attributes;                     /* all of the document */
    struct odd_attribute *odd;             /* those that give no name, type or place, in document order */
    size_t odd_n, odd_cap;
};

/* names is borrowed. NULL on failure, with "source:line:column: what" in err. */
struct store *store_read(const char *source, const char *bytes, size_t n, struct xml_names *names, struct strbuf *err);
void store_free(struct store *s);

static inline uint32_t item_first(const struct store *s, uint32_t parent)
{
    return s->items[parent].end > parent + 1 ? parent + 1 : 0;
}
static inline uint32_t item_next(const struct store *s, uint32_t parent, uint32_t item)
{
    return s->items[item].end < s->items[parent].end ? s->items[item].end : 0;
}
static inline bool item_is_leaf(const struct store *s, uint32_t item) { return s->items[item].end == item + 1; }
static inline const char *item_text(const struct store *s, uint32_t item) { return s->pool.p + s->items[item].text; }
static inline const char *item_storage(const struct store *s, uint32_t item) { return s->pool.p + s->items[item].storage; }
static inline bool item_is(const struct store *s, uint32_t item, enum xml_name name)
{
    return s->items[item].name == name || s->items[item].slot == name;
}
#define each_child(s, parent, c) (uint32_t c = item_first(s, parent); c; c = item_next(s, parent, c))

/* ---- recognise.c: what a file that is no export seems to be, and what to do; always a whole sentence -------- */
const char *recognise_bytes(const char *bytes, size_t n);                  /* NULL: may be XML */
const char *recognise_root(struct arena *a, const char *root, const char *space);   /* an XML document of another kind */
#endif
