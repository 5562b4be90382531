/* publishd: what the parts of the publishd emitter share. publishd_put.c writes keys and values, publishd_rule.c a
 * rule's block, publishd.c the rest of the file. */
#ifndef TMGC_PUBLISHD_H
#define TMGC_PUBLISHD_H
#include "emit.h"

struct publishd {
    const struct plan *plan;
    struct arena *a;
    struct writer w;
    bool item;                       /* the next line begins an item of a list */
    size_t counted, lines;           /* w.out up to `counted` holds `lines` line ends */
};

/* One line "key: value"; value is finished YAML, "" for none. */
void pd_line(struct publishd *p, const char *key, const char *value);
const char *pd_quoted(struct publishd *p, const char *s);

/* The same for each kind of value. What has its default, is NULL or is an empty list is left out. */
void pd_text(struct publishd *p, const char *key, const char *s);
void pd_long(struct publishd *p, const char *key, long n, long dflt);
void pd_bool(struct publishd *p, const char *key, bool on, bool dflt);
void pd_word(struct publishd *p, const char *key, const char *const *words, size_t n, long value, long dflt);
#define PD_WORD(p, key, words, value, dflt) pd_word(p, key, words, sizeof(words) / sizeof *(words), value, dflt)
void pd_strings(struct publishd *p, const char *key, const strings *s);
void pd_ranges(struct publishd *p, const char *key, const ipset *s);
void pd_parameters(struct publishd *p, const struct parameter *v, size_t n);
void pd_links(struct publishd *p, const struct link_mapping *v, size_t n);

/* What is written between the two stands below the key; a list's items each between open_item and close_item. */
void pd_open_map(struct publishd *p, const char *key);
void pd_close_map(struct publishd *p);
void pd_open_list(struct publishd *p, const char *key);
void pd_close_list(struct publishd *p);
void pd_open_item(struct publishd *p);
void pd_close_item(struct publishd *p);

void publishd_rule(struct publishd *p, const struct plan_rule *r);         /* the rule's block, heading included */
#endif
