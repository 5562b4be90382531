/* redact_words: what the makers of pseudonyms share. The others see words_pseudonym alone (redact_parts.h). */
#ifndef TMGC_REDACT_WORDS_H
#define TMGC_REDACT_WORDS_H
#include "redact_parts.h"

struct entry_of {
    const char *key, *value;
};
struct mapped {
    enum meaning means;
    const char *from, *to;
};
struct words {
    struct arena *arena;
    void *tree;             /* struct entry_of, by key: balanced, whatever the keys */
    struct numbers letters; /* the tree of paths: node and letter -> place among its brothers, next node */
    struct addresses *addresses;
    VEC(struct mapped) map;
    struct strbuf scratch;
};

/* ---- redact_vocabulary.c: lists that end with NULL --------------------------------------------- */
extern const char *const vocabulary_names[], *const vocabulary_top_labels[], *const vocabulary_labels[], *const vocabulary_segments[],
    *const vocabulary_extensions[], *const vocabulary_http[];
extern const char *const vocabulary_in_names[];      /* found anywhere in a name, they go before the pseudonym */
extern const char *const vocabulary_beginnings[];    /* of labels: advice looks at how a name begins */
bool vocabulary_has(const char *const *list, const char *s, size_t n);      /* in any case of letters */

/* ---- redact_words.c ------------------------------------------------------------------------------ */
/* The entry of a key ("kind:text"), made with an empty value if it is new. */
struct entry_of *words_entry(struct words *w, char kind, const char *text, size_t n);
size_t words_count(struct words *w, char kind, const char *word);           /* 1, 2, 3, ... of this word */
const char *words_lowered(struct words *w, const char *s, size_t n);
/* "WORD n": the same for texts that differ in case only. */
const char *words_numbered(struct words *w, char kind, const char *word, const char *separator, const char *text, size_t n);

/* ---- redact_places.c ------------------------------------------------------------------------------- */
bool is_digit(char c);
bool is_hex(char c);
bool is_word(char c);                                /* a letter, a digit, "-", "_", or not ASCII */
bool is_address_text(const char *s);                 /* an address, a range or a list of them */
void words_host(struct words *w, struct strbuf *out, const char *s, size_t n);
void words_path(struct words *w, struct strbuf *out, const char *s);
void words_url(struct words *w, struct strbuf *out, const char *s);
void words_run(struct words *w, struct strbuf *out, const char *s, size_t n);     /* letters and digits of a path */

/* ---- redact_users.c ---------------------------------------------------------------------------------- */
void words_account(struct words *w, struct strbuf *out, const char *s);
void words_sid(struct words *w, struct strbuf *out, const char *s);
void words_thumbprint(struct words *w, struct strbuf *out, const char *s);
void words_guid(struct words *w, struct strbuf *out, const char *s);
void words_spn(struct words *w, struct strbuf *out, const char *s);
#endif
