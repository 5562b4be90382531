/* redact_parts: what the files redact*.c share. */
#ifndef TMGC_REDACT_PARTS_H
#define TMGC_REDACT_PARTS_H
#include "../base/ipset.h"
#include "store.h"

/* What a text means, and so what stands for it. */
enum meaning {
    MEANS_NOTHING,                           /* not known: by its shape */
    MEANS_VOCABULARY,                        /* the product's own words: stays */
    MEANS_SECRET,                            /* emptied */
    MEANS_NAME, MEANS_TEXT, MEANS_HOST, MEANS_URL, MEANS_PATH, MEANS_ACCOUNT, MEANS_SID, MEANS_THUMBPRINT, MEANS_SPN, MEANS_FILTER, MEANS_STORAGE,
    MEANINGS
};

bool is_guid(const char *text);              /* lookup.c; reader.h cannot stand beside search.h */

/* ---- redact_words.c ---------------------------------------------------------------------- */
struct words;
struct words *words_new(struct arena *a);
void words_free(struct words *w);
/* The pseudonym of a whole text; the same text in the same meaning always has the same. object: what has the name
 * ("Rule"). Equal to the text where that stays. */
const char *words_pseudonym(struct words *w, enum meaning means, const char *object, const char *text);
/* Ranges, single addresses too, have to be known before the first pseudonym is asked for. */
void words_range(struct words *w, struct ip_range r);
void words_map(const struct words *w, struct strbuf *out);

/* ---- redact_address.c ---------------------------------------------------------------------- */
struct addresses;
struct addresses *addresses_new(struct arena *a);
void addresses_range(struct addresses *x, struct ip_range r);
uint32_t address_pseudonym(struct addresses *x, uint32_t ip);

/* A map from numbers to small numbers, for both. 0: not there. */
struct numbers { struct arena *arena; uint64_t *keys; uint32_t *values; size_t n, size; };
uint32_t *numbers_at(struct numbers *m, uint64_t key);   /* of a key that may be new (then 0); valid until the next call */

/* ---- redact_meaning.c ------------------------------------------------------------------------ */
struct meanings;
struct meanings *meanings_make(struct arena *a, const struct store *s, struct words *w);
/* What stands for an item's text, or for its StorageName; equal to it if it stays. */
const char *meanings_text(struct meanings *m, uint32_t item);
const char *meanings_storage(struct meanings *m, uint32_t item);
const char *meanings_line(struct meanings *m, const char *line);   /* of free text */
bool meanings_is_text(const struct meanings *m, uint32_t item);    /* free text: replaced line by line */
#endif
