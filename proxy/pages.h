/* pages: what publishd itself answers - refusals, redirects, errors. docs/publishd.md has the table of causes.
 *
 * Pages are made once for a snapshot: built in, or from the operator's folder (error_pages): a file named by the source's
 * code, "12202.html", or by the status, "403.html". Nothing of a request ever stands in one.
 */
#ifndef PROXY_PAGES_H
#define PROXY_PAGES_H
#include "../http/head.h"
#include "../ir/decide.h"

/* Why publishd answers itself. One row each in pages.def, which docs/publishd.md repeats. */
enum cause {
    CAUSE_NONE,
#define CAUSE(id, status, code, title, text) CAUSE_##id,
#include "pages.def"
#undef CAUSE
    CAUSES
};
struct page { int status; const char *reason, *html; size_t n; };    /* n bytes of UTF-8 */
struct pages { struct page of[CAUSES]; };

/* folder: NULL, or the operator's. All memory in a. NULL with lines in err. */
const struct pages *pages_new(const char *folder, struct arena *a, struct strbuf *err);
const char *cause_text(enum cause c);                /* "no rule matches": for the log */

/* Why a decision is no forwarding; CAUSE_NONE for ANSWER_FORWARD and the redirects. CAUSE_NEEDS_USER is for where nobody can
 * sign in: closed (D-07). */
enum cause cause_of(const struct decision *d);

/* Makes h, which was reset, the head of a page or redirect: status, reason, Content-Type, Cache-Control, Location (from
 * the decision; borrowed). Framing is the caller's. The body: *html, *n. */
void page_head(const struct pages *p, enum cause c, struct head *h, const char **html, size_t *n);
/* 200, without a body: the answer to OPTIONS of a rule that does not pass it on. Allow has those of GET, HEAD, POST and OPTIONS that
 * its filter (NULL: none) passes. h keeps the text. */
void options_head(const struct http_filter *f, struct head *h);
void redirect_head(const char *location, struct head *h, const char **html, size_t *n);       /* 302, without a body */
#endif
