/* access: the log of requests. Loops format entries into buffers of their own; one thread writes them, so that a slow
 * or full disk never holds a request up: what does not fit is dropped and counted.
 *
 * Formats: JSON, one object a line - who asked what, which rule answered and why, what was sent, how long it took - and
 * the "combined" format that every log program reads. Names and header values are made visible, so that a client cannot
 * write lines of its own.
 */
#ifndef PROXY_ACCESS_H
#define PROXY_ACCESS_H
#include "../base/base.h"
#include <stdatomic.h>

enum access_format { ACCESS_JSON, ACCESS_COMBINED };

/* One request, as the log tells it. Strings may be NULL: left out ("-" in combined). */
struct access_entry {
    long long wall;                      /* seconds since 1970, when it ended */
    unsigned wall_ms;
    uint32_t client;                     /* IPv4, host byte order */
    uint16_t port;
    uint64_t connection;                 /* its number */
    const char *protocol;                /* "HTTP/1.1" */
    const char *tls;                     /* "TLSv1.3" */
    const char *method, *host, *target, *referer, *agent;
    const char *user;
    const char *listener, *rule, *why;   /* the rule that answered, and what decided */
    const char *detail;                  /* what was found of a sign-in or delegation that failed */
    const char *body;                    /* why a body was not changed as the rule wants it, or cut short */
    const char *server;                  /* where it went */
    int status;                          /* 0: the client went before there was one */
    uint64_t received, sent;             /* bytes of bodies */
    uint64_t ms;
};
/* The line, with its line feed. */
void access_line(struct strbuf *out, enum access_format format, const struct access_entry *e);

struct access_log;
/* file: appended to, made with mode 0640; "-" is standard output. NULL with a line in err. */
struct access_log *access_open(const char *file, enum access_format format, struct strbuf *err);
enum access_format access_format_of(const struct access_log *l);
/* Takes the lines that a loop has gathered, and clears the buffer. Any thread. */
void access_hand_over(struct access_log *l, struct strbuf *lines);
void access_reopen(struct access_log *l);            /* after the file was moved away. Any thread */
/* Lines that could not be written since the start. Any thread. */
unsigned long access_lost(const struct access_log *l);
void access_close(struct access_log *l);             /* writes what is there; NULL is allowed */
#endif
