/* request_list: requests as people have them - a URL on the command line, a file with one a line, a HAR file that a
 * browser saved, an access log in the combined format. */
#ifndef TMGC_REQUEST_LIST_H
#define TMGC_REQUEST_LIST_H
#include "../ir/decide.h"

struct asked {
    const char *method;          /* "GET" */
    bool tls;
    const char *host;            /* Host field as a client would send it, with the port if it is not the usual one; NULL: unknown */
    long port;                   /* as the URL says or implies; 0: unknown (an access log) */
    const char *target;          /* path and query, as written */
    uint32_t client;             /* if from */
    bool from;
    const char *user;            /* "DOMAIN\\name"; NULL */
    uint32_t line;               /* in the file; 0 */
};
typedef VEC(struct asked) asked_list;

/* "https://host:port/path?query" (fragment dropped). false: not a URL of http or https. */
bool asked_url(struct arena *a, const char *url, struct asked *out);
/* Reads a file ("-": standard input). Lines: [METHOD] URL [from ADDRESS] [as USER], "#" comments; or a HAR file; or an
 * access log, whose requests get default_host (NULL: none) and default_tls; what in it is no HTTP request is passed
 * over. 0, or -1 with "file:line: what". */
int asked_read(struct arena *a, const char *file, const char *default_host, bool default_tls, asked_list *out, struct strbuf *err);

/* The listener that a request reaches: by address and port where given (to: "ADDRESS" or "ADDRESS:PORT", NULL), else the first
 * one with a socket of that scheme (and port), preferring one whose rules answer. -1: none; *others counts further
 * listeners that it might mean as well. */
int asked_listener(const struct plan *p, const struct asked *q, const char *to, size_t *others);
/* The socket of that listener which it reaches: the first that fits, as asked_listener counts. */
uint32_t asked_socket(const struct plan *p, const struct asked *q, size_t listener, const char *to);
/* Ready for decide(). hour as in struct request. */
struct request asked_request(const struct plan *p, const struct asked *q, size_t listener, int hour);
/* The names of the user sets that hold the user (by account, or by the site map), "All Authenticated Users" among them. */
void asked_user_sets(struct arena *a, const struct plan *p, const char *user, const strings *groups, strings *out);
/* "Tue 03:00", "tuesday 3" -> hour of the week; -1: not one. */
int asked_hour(const char *text);
#endif
