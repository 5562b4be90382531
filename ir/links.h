/* links: the dictionaries of link translation (B-123 to B-130) - what in a page is replaced by what. Computed here once:
 * publishd's rewriting (rewrite/links.h), the nginx emitter and the findings read the same list.
 *
 * A mapping is a literal text. Of several for one text the first in this order holds (B-125): the rule's own dictionary,
 * the rule's implicit mappings, the array's dictionary, implicit mappings of other rules (the first such rule). Where
 * texts of different length match at one place the longest does. Letters of ASCII are compared without case, as names
 * and paths are (D-02, D-03).
 *
 * Implicit mappings of a rule (B-124), none for FTP: http and https, for site and server, plain and with each of the
 * rule's two ports, to the public origin; the same for each published path, internal to external. A rule that has only
 * wildcards as names has none. The whole site is mapped for the rule itself, whatever its paths, as it is in Location
 * (D-15); for other rules only if they publish "/" "*".
 */
#ifndef TMGC_LINKS_H
#define TMGC_LINKS_H
#include "plan.h"

enum link_source { LINK_LOCAL, LINK_IMPLICIT, LINK_GLOBAL, LINK_OTHER };
extern const char *const link_source_names[];

struct link {
    const char *from;                /* bytes to look for, at least LINK_MIN; no trailing slash; never NULL */
    const char *to;                  /* what comes in its place, behind the origin if there is one; may be "" */
    size_t from_n, to_n;             /* bytes */
    enum link_source source;
    uint32_t rule;                   /* whose mapping it is; UINT32_MAX for LINK_GLOBAL */
    bool origin;                     /* the origin of the client's request goes in front of to: "https://mail.example",
                                      * the host as the client wrote it; with an SSL accelerator https and its port (B-45) */
    bool escaped;                    /* the form of EscapeColon (B-126): every colon is "%3a", also in the origin */
    bool stem;                       /* matches whatever follows (a published path like "/x*"); else see link_table.whole */
};
enum { LINK_MIN = 4, LINK_MAX = 2048 };      /* bytes of a text; the source takes none shorter, we none longer */

struct link_table {
    VEC(struct link) links;          /* by from, bytewise, in lower case; each text once */
    bool whole;                      /* a text counts only where link_ends() says so (not AllowTranslationOfPartialLinks) */
    bool escape;                     /* EscapeColon: links with escaped set count; the others always do */
    size_t refused;                  /* entries of dictionaries that are too short, too long or empty */
};

/* What the pages of one rule are translated by, for requests over HTTPS (tls) or HTTP: the four sources merged, escaped
 * forms only if the rule asks for them. Empty where the rule does not translate. All strings live in a or in the plan. */
void links_of(const struct plan *p, uint32_t rule, bool tls, struct arena *a, struct link_table *out);

/* The same in two parts, for who serves thousands of rules: own (local and implicit), and what all rules share (global,
 * and implicit of every rule; escaped forms always). Where both have a text, own holds. whole and escape are own's. */
void links_own(const struct plan *p, uint32_t rule, bool tls, struct arena *a, struct link_table *out);
void links_shared(const struct plan *p, bool tls, struct arena *a, struct link_table *out);

/* Whether a full match may end in front of p[0..n), the rest of the page (B-126): at its end, or where a byte follows
 * that cannot continue a host name or path segment - white space, quotes, < > / ? # \ & ; , ( ) [ ] { } | ` * ! = or
 * one of / ? # " ' < > & \ percent-encoded. A colon does not end it: another port is another site.
 * 1 yes, 0 no, -1: more bytes (at most 3) are needed, and the page has not ended (end). */
int link_ends(const char *p, size_t n, bool end);
/* The bytes that link_ends takes unencoded, as a string, without the control characters. */
extern const char link_delimiters[];

/* Whether answers of this Content-Type are translated: HTML documents (B-127). NULL or "": no. */
bool link_content_type(const char *value);
extern const char *const link_content_types[];       /* lower case, ends with NULL */
#endif
