/* links: link translation of a stream of bytes (B-123 to B-128), by the dictionaries of ir/links.h. */
#ifndef REWRITE_LINKS_H
#define REWRITE_LINKS_H
#include "matcher.h"

/* What each rule is translated by; made once, read by any thread. Borrows the plan. */
struct link_sets;
struct link_sets *link_sets_make(const struct plan *p);
void link_sets_free(struct link_sets *s);            /* NULL is allowed */
bool link_sets_any(const struct link_sets *s, uint32_t rule, bool tls);      /* false: nothing can be translated */

/* How the rule's link_mode changes it (FpcLinkTranslationMode). */
enum link_mode { LINK_MODE_NORMAL, LINK_MODE_OWA, LINK_MODE_OFF_AFTER, LINK_MODE_ON_AFTER };

struct link_stream {
    const struct matcher *own, *shared;
    const struct rule *rule;
    struct match_rules how;
    bool on;                         /* translating; LINK_MODE_ON_AFTER begins with false */
    bool seen;                       /* one of the rule's comments went by */
    bool has_origin;
    struct strbuf origin, escaped;   /* of the client's request, and with "%3a" for its colons */
    struct strbuf hold;              /* what was not decided, behind a few bytes that were */
    size_t done;                     /* those few */
};
/* host: as the client sent it. One that could not stand in a page, or none: texts that would lead to it stay as they are. */
void link_stream_begin(struct link_stream *s, const struct link_sets *sets, uint32_t rule, bool tls, const char *host);
/* What is decided goes to out; held back are at most LINK_HOLD bytes. end: nothing comes any more. */
void link_stream_push(struct link_stream *s, const char *p, size_t n, bool end, struct strbuf *out);
void link_stream_free(struct link_stream *s);
enum { LINK_HOLD = LINK_MAX + 64 };
#endif
