/* h2_head: heads between HTTP/2's lists of fields and struct head. A request is written as one of HTTP/1.1 and read by the
 * gate of http/http1.h, so that nothing passes over HTTP/2 that would not pass over HTTP/1. */
#ifndef PROXY_H2_HEAD_H
#define PROXY_H2_HEAD_H
#include "../http/head.h"
#include <nghttp2/nghttp2.h>

/* A request's fields as they come; those of one connection come one request after the other, so it has one of these. */
struct h2_fields {
    struct strbuf method, path, authority, host, cookie, rest;   /* rest: whole lines */
    size_t bytes, n;                 /* as SETTINGS_MAX_HEADER_LIST_SIZE counts them; fields */
    bool bad, has_length;
};
void h2_fields_clear(struct h2_fields *f);
void h2_fields_free(struct h2_fields *f);
void h2_fields_add(struct h2_fields *f, const char *name, size_t name_n, const char *value, size_t value_n);
/* Into h, with version 20. body: one follows. 0, or the status to refuse it with; then h may be empty. text is scratch. */
int h2_request(const struct h2_fields *f, bool body, struct strbuf *text, struct head *h);

/* An answer's fields for nghttp2_submit_*: how many; nv has HEAD_FIELDS + 2. names is scratch that nv points into, as it
 * does into h. */
size_t h2_answer(const struct head *h, struct strbuf *names, nghttp2_nv *nv);
#endif
