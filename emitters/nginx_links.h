/* nginx_links: which mappings of link translation nginx can carry, for the emitter that writes them and for the findings
 * that say what is left (B-123 to B-127). One location holds at most 255 texts, and a text has no notion of where it may
 * end: so it is written once for each delimiter that can follow it. */
#ifndef TMGC_NGINX_LINKS_H
#define TMGC_NGINX_LINKS_H
#include "../ir/links.h"

/* The mappings that all rules share, made once; http's at 0, https's at 1. The texts to look for are the same in both. */
struct shared_links { bool made; struct link_table of[2]; };

/* What stands in a page: the replacement depends on the scheme of the request. */
struct chosen_link { const struct link *on[2]; };
struct chosen_links {
    VEC(struct chosen_link) links;   /* longer texts first: nginx takes the first that fits */
    size_t delimiters;               /* how many of nginx_delimiters follow each text; 0: none, so that longer names match too */
    bool whole;                      /* the rule wants texts to end at a delimiter */
    size_t left_out;                 /* mappings for which there is no room */
};
extern const char *const nginx_delimiters[];     /* the likeliest first */
enum { NGINX_DELIMITERS = 10 };
/* Everything in *out lives in a or in the plan, *shared in keep. Linear in the rule's own mappings; of the shared ones a
 * thousand at most are looked at. */
void nginx_links_choose(const struct plan *p, const struct plan_rule *r, struct shared_links *shared, struct arena *a,
                        struct arena *keep, struct chosen_links *out);
/* How many of nginx_delimiters stand behind this one; 0: it matches whatever follows. */
size_t nginx_link_delimiters(const struct chosen_links *c, const struct link *l);
#endif
