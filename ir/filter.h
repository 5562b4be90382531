/* filter: a rule's HTTP filter, read from the XML that the source keeps as text (B-131 to B-142).
 *
 * What it judges of a request is judged here, for decide(); targets do the same by patterns of their own
 * (emitters/filter.c). Lists and texts compare without case. The path and the URL are compared as sent, or decoded once
 * where the filter normalises first. The URL is path and query; its length counts both (B-134). */
#ifndef TMGC_FILTER_H
#define TMGC_FILTER_H
#include "../base/base.h"
#include "../base/finding.h"

enum filter_part {
    /* what a request shows before its body */
    FILTER_METHODS, FILTER_EXTENSIONS, FILTER_DOTS, FILTER_URL_LENGTH, FILTER_QUERY_LENGTH, FILTER_HIGH_BIT, FILTER_DOUBLE,
    FILTER_URL_TEXTS, FILTER_BODY_LENGTH, FILTER_HEADERS, FILTER_HEADER_TEXTS,
    /* what comes later */
    FILTER_ANSWER_HEADERS, FILTER_ANSWER_TEXTS, FILTER_BODY_TEXTS, FILTER_EXECUTABLES, FILTER_VIA, FILTER_SERVER, FILTER_PARTS
};
#define FILTER(part) (1u << FILTER_##part)
#define FILTER_OF_REQUESTS (FILTER(ANSWER_HEADERS) - 1)
extern const char *const filter_part_names[FILTER_PARTS];

enum filter_list { LIST_ALL, LIST_ONLY, LIST_EXCEPT };   /* AllowCondition: everything, these alone, all but these */
enum filter_action { HEADER_KEPT, HEADER_STRIPPED, HEADER_REPLACED };
struct filter_text { const char *header, *text; };       /* the text is looked for in every line of the header */
/* A signature in bodies (B-141): within bytes from to to of the body, the first being 1. */
enum filter_body { BODY_OF_REQUEST, BODY_OF_ANSWER };
struct filter_body_text {
    enum filter_body in;
    const char *text;                /* compared without case; NULL: hex */
    const char *hex;                 /* the bytes as hex digits, compared as they are */
    long from, to;
};
struct http_filter {
    unsigned parts;                  /* FILTER() bits of what it does at all */
    bool normalise;                  /* decode before comparing (B-142) */
    enum filter_list method_list, extension_list;
    strings methods, extensions;     /* an extension without its dot; "" stands for a path that has none */
    long url_max, query_max;         /* bytes */
    long long body_max;
    strings headers, answer_headers; /* a message that has one of them is refused (B-139) */
    strings url_texts;               /* signatures (B-141) */
    VEC(struct filter_text) header_texts, answer_texts;
    VEC(struct filter_body_text) body_texts;
    enum filter_action via, server;  /* B-140 */
    const char *via_value, *server_value;
    size_t unread;                   /* elements, attributes and items that were not understood */
    const char *first_unread;        /* "Signature (SearchIn)"; NULL */
};
/* NULL: this is no such document. What in it is not understood is counted, and has no effect. */
const struct http_filter *http_filter_parse(struct arena *a, const char *xml);

struct filter_question {
    const char *method, *url;        /* the URL's first path_n bytes are the path; what follows is the query, with its "?" */
    size_t path_n;
    const char *head;                /* header fields, each ending in CRLF; NULL: not known, then they are not judged */
    long long body;                  /* bytes that Content-Length announces; 0 */
};
/* FILTER() bits of the parts that refuse it. a: for what is needed meanwhile. */
unsigned http_filter_refuses(const struct http_filter *f, const struct filter_question *q, struct arena *a);
/* FILTER() bits of what stands in the lists, limits and actions of f; f->parts holds the rest (DOTS, HIGH_BIT, DOUBLE,
 * EXECUTABLES) already. For who fills a filter from elsewhere than its XML. */
unsigned http_filter_parts(const struct http_filter *f);
/* Which parts each target applies; the others are lost there. */
extern const unsigned filter_parts_on[TARGETS];
/* "methods, extensions" */
void buf_filter_parts(struct strbuf *b, unsigned parts);
#endif
