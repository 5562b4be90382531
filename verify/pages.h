/* Pages with links in them, for probes of link translation (B-123 to B-127). */
#ifndef TMGC_VERIFY_PAGES_H
#define TMGC_VERIFY_PAGES_H
#include "../ir/links.h"

/* RIGHT: as the rule's mappings say. SHORT: some lines are as nginx makes them by what a finding announces. WRONG: anything else. */
enum page_verdict { PAGE_RIGHT, PAGE_SHORT, PAGE_WRONG };
/* Judges what a client got of `page` on a request to `host` (as it wrote it), line by line. want and line get the last line
 * that was not right, as it should have been and as it was. */
enum page_verdict judge_page(const struct plan *p, const struct plan_rule *r, bool tls, const char *host, const char *page,
                             const char *got, size_t got_n, struct strbuf *want, struct strbuf *line);
/* A page with the rule's mappings (some, if there are many) in the places where links stand, and in longer names; odd: before
 * rarer characters that may follow one. NULL: it has none. Lives in a. */
const char *page_with_links(const struct plan *p, const struct plan_rule *r, bool tls, bool odd, struct arena *a);
#endif
