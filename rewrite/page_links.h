/* page_links: link translation of a page, whatever its letters are made of. Texts of the dictionaries are bytes; a page in UTF-16
 * becomes UTF-8 for the translation and UTF-16 again behind it. What is no text of a dictionary comes out as it went in, also
 * halves of surrogate pairs and a last odd byte.
 *
 * Whether a page is in UTF-16, and in which order its bytes are, says its byte order mark, else the charset of its
 * Content-Type: as browsers decide (https://encoding.spec.whatwg.org/#decode). The source knew UTF-8 and the code pages that a rule
 * lists (B-127); a page that it left as it was would only show names that lead nowhere.
 */
#ifndef REWRITE_PAGE_LINKS_H
#define REWRITE_PAGE_LINKS_H
#include "links.h"

enum wideness { WIDE_UNDECIDED, WIDE_NOT, WIDE_LITTLE, WIDE_BIG };
struct page_links {
    struct link_stream links;
    enum wideness charset, is;       /* what the Content-Type says; what was decided */
    char begin[2];                   /* bytes until it is decided; */
    size_t begin_n;
    char in[4], out[4];              /* not yet a letter: of the page; of what was translated */
    size_t in_n, out_n;
    struct strbuf utf8, translated;
};
/* As link_stream_begin. content_type: the answer's. */
void page_links_begin(struct page_links *p, const struct link_sets *sets, uint32_t rule, bool tls, const char *host,
                      const char *content_type);
/* As link_stream_push. */
void page_links_push(struct page_links *p, const char *from, size_t n, bool end, struct strbuf *out);
void page_links_free(struct page_links *p);
/* The Content-Type says UTF-32, which browsers do not read either. */
bool page_is_utf32(const char *content_type);
#endif
