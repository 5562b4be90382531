/* index: finds an object by its name, without case, in a list of any struct.
 *
 * A sorted array and a binary search rather than a hash table: names come from strangers, and nobody can choose
 * names that make it slow. */
#ifndef TMGC_INDEX_H
#define TMGC_INDEX_H
#include "../base/base.h"

struct index_entry { const char *name; size_t at; };
struct name_index { struct index_entry *v; size_t n; };

/* items: n structs of `size` bytes each, with a const char * at `offset` (a NULL there is left out).
 * The names are borrowed. */
void index_build(struct arena *a, struct name_index *x, const void *items, size_t n, size_t size, size_t offset);
/* Position of the first item with that name; SIZE_MAX: there is none, or name is NULL. */
size_t index_find(const struct name_index *x, const char *name);
#endif
