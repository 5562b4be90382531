/* haproxy: what the parts of the HAProxy emitter share. haproxy.c writes the file's frame,
 * haproxy_frontend.c a listener's frontend, haproxy_conditions.c its lines that say which rule answers, haproxy_rule.c the
 * backend that is a rule's own block, haproxy_server.c the servers and the farm's probes, haproxy_tcp.c server publishing.
 *
 * Untrusted text reaches the file in two ways only: as ACL patterns and header values through quote(), and as
 * literals inside patterns through Q_REGEX. It never becomes a converter's argument, where HAProxy has a second
 * layer of quoting. */
#ifndef TMGC_HAPROXY_H
#define TMGC_HAPROXY_H
#include "emit.h"

struct haproxy {
    const struct plan *plan;
    struct arena *a;                 /* for the run; strings of the text need live no longer than their line */
    struct writer w;
    struct emission *out;
    struct strbuf *err;
    bool failed;                     /* a pattern failed its proof; what and why is in err */
    size_t counted, lines;           /* w.out up to `counted` holds `lines` line ends */
    VEC(struct pem) pems;
    strings types;                   /* of answers that are compressed, with stars; none: nothing is */
};
struct pem { const char *chain, *key, *file; };      /* what a bind line names for a pair of files */

/* Whether requests can come in on the rule's listener over HTTPS, and over HTTP without being sent to HTTPS at once. */
struct reach { bool http, https; };
struct reach haproxy_reach(const struct plan *p, const struct plan_rule *r);

/* A rule has two backends where the client's scheme chooses the servers (B-49), else one. */
bool haproxy_splits(const struct plan *p, const struct plan_rule *r);
const char *haproxy_backend(struct haproxy *h, const struct plan_rule *r, bool http_half);
bool haproxy_closed(const struct plan_rule *r);
bool haproxy_no_client(const struct plan_rule *r);                         /* it is for no address at all */
/* Its users sign in to publishd, behind HAProxy. */
bool haproxy_through(const struct plan_rule *r);
/* The rule's dots are judged by the variables that its frontend sets (D-05). */
bool haproxy_judges_dots(const struct plan_rule *r);

/* text, quoted for a line of the file; lives in h->a. */
const char *haproxy_word(struct haproxy *h, const char *text);
/* The finished pattern for these paths, proven and quoted. */
const char *haproxy_paths(struct haproxy *h, const struct path *paths, size_t n);
const char *haproxy_seconds(struct haproxy *h, long seconds);
/* What a line names for a pair of files: HAProxy takes the key from the chain's own file, or from FILE.key beside it. */
const char *haproxy_pem(struct haproxy *h, const char *chain, const char *key, const char *thumbprint);
const struct plan_listener *haproxy_listener(const struct plan *p, const struct plan_rule *r);

/* haproxy_frontend.c: the listener's frontend, or a comment where it has no socket. */
void haproxy_frontend(struct haproxy *h, size_t index);
bool haproxy_redirects_all(const struct plan_listener *l);                /* D-08, and it has a port to send to */
/* haproxy_conditions.c: the rule's line, with what it needs before it. */
void haproxy_dispatch(struct haproxy *h, const struct plan_rule *r);
/* The sign-in form has places of its own on every name with a rule that goes through publishd, whatever rules say of them. */
void haproxy_form_places(struct haproxy *h, const struct plan_listener *l);

void haproxy_rule(struct haproxy *h, const struct plan_rule *r);           /* the rule's block, heading included */
void haproxy_servers(struct haproxy *h, const struct plan_rule *r, const struct plan_upstream *to);
/* haproxy_tcp.c: server publishing rules, behind the others. */
void haproxy_streams(struct haproxy *h);
/* "acl NAME src ...", as many lines as it takes; set is not empty. */
void haproxy_sources(struct haproxy *h, const char *acl, const ipset *set);
/* How long its server may take, where that differs from the usual. */
void haproxy_patience(struct haproxy *h, const struct plan_rule *r);
uint32_t haproxy_next_line(struct haproxy *h);     /* the number of the line that is written next */
bool haproxy_servers_safe(const struct plan_rule *r, const struct plan_upstream *to);

/* At most so many patterns stand on a line: HAProxy takes no more than 64 words. */
enum { HAPROXY_PATTERNS = 40 };
#endif
