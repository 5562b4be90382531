/* nginx_parts: what the files of the nginx emitter share with each other, and with nobody else.
 *
 * nginx.c          the file as a whole: http settings, listeners, servers
 * nginx_cluster.c  which rules of a listener must stand in one server
 * nginx_rule.c     one rule's block: nginx_block.h has its parts
 * nginx_filter.c   the rule's HTTP filter
 * nginx_links.c    link translation
 * nginx_stream.c   server publishing rules, in a file of their own
 * nginx_shared.c   upstreams, source sets and maps, each written once and used by name
 */
#ifndef TMGC_NGINX_PARTS_H
#define TMGC_NGINX_PARTS_H
#include "emit.h"
#include "nginx_links.h"

enum { NGINX_VALUE_MAX = 3800 };     /* bytes of one quoted value: nginx takes no parameter of 4096 */

/* ---- a table of strings -------------------------------------------------- */
struct table { struct table_slot *v; size_t n, cap; };
struct table_slot { const char *key; size_t value; };
/* The value at key, 0 if it was not there before. key must outlive t. Valid until the next call. */
size_t *table_at(struct table *t, struct arena *a, const char *key);
size_t table_get(const struct table *t, const char *key);          /* 0: not there */

/* ---- clusters ------------------------------------------------------------ */
struct member {
    uint32_t rule;                   /* index into plan->rules */
    bool live;                       /* false: a comment only (disabled, or it can answer nothing) */
    size_t names;                    /* how many different public names it has */
};
struct cluster {
    VEC(struct member) members;      /* in rule order */
    size_t live;
    strings names;                   /* the live rules' names, each once */
    bool all_names;                  /* one of them answers every name */
};
typedef VEC(struct cluster) clusters;
typedef VEC(uint32_t) rule_indexes;
/* Splits a listener's rules (in rule order) so that rules which some host could reach together stand together. */
void cluster_rules(struct arena *a, const struct plan *p, const rule_indexes *rules, clusters *out);

/* ---- one emission in the making -------------------------------------------- */
struct maker {
    const struct plan *plan;
    struct arena *arena;
    struct emission *out;
    struct strbuf *err;
    int failed;                      /* a pattern did not pass its proof; err says which */
    struct writer body;              /* the servers */
    struct writer upstreams, sources, maps;     /* what stands before them, in the order of first use */
    struct table known;              /* content of a shared object -> place of its name in names */
    struct table taken;              /* names that are used -> how often */
    strings names;
    size_t line, counted;            /* lines of body so far, and up to which byte they were counted */
    size_t host_names, longest_host; /* of all server_name lines */
    size_t variables, longest_variable;
    bool uses_dots, uses_upgrade, uses_via, uses_escaped_host;
    struct shared_links links;
    strings types;                   /* of answers that are compressed; none: nothing is */
};
size_t maker_line(struct maker *m);  /* the line of body that is written next, from 1 */

/* Names of shared objects, written on first use. */
const char *shared_upstream(struct maker *m, const struct plan_rule *r, const struct plan_upstream *to);
/* The one in front of publishd, for rules that go through it; kept: connections serve one client after another. */
const char *shared_publishd(struct maker *m, const struct plan_listener *l, bool tls, bool kept);
const char *shared_sources(struct maker *m, const struct plan_rule *r);          /* "from_internal" */
/* The variable that is 1 for clients whose answers the rule compresses; NULL: it does for all. */
const char *shared_compressed(struct maker *m, const struct plan_rule *r);
/* The variable for Accept-Encoding towards a server that is asked for compressed answers, for those clients (NULL: for all). */
const char *shared_asks(struct maker *m, const char *clients);
/* The variable that is 1 where the rule's client addresses, client ports and hours hold; NULL: they always do. */
const char *shared_conditions(struct maker *m, const struct plan_rule *r);
bool rule_has_conditions(const struct maker *m, const struct plan_rule *r);             /* whether there is one */
const char *shared_scheme(struct maker *m, const char *name, const char *http, const char *https);
/* pairs: pattern, value, pattern, value ... for what the header becomes; both already quoted. */
const char *shared_content_location(struct maker *m, const char *name, const strings *pairs);

/* "10.0.0.1-10.0.0.9 1;", a line of a geo block with ranges. */
void write_geo_range(struct writer *w, struct ip_range r);
/* Fills out->streams and out->server_rules. 0, or -1 with a message. */
int nginx_streams(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err);

/* ---- one rule ----------------------------------------------------------------- */
struct place {                       /* where the rule's block stands */
    const struct plan_listener *listener;
    bool http, tls;                  /* which requests come here */
    bool simple;                     /* the only rule, for every path: its location is "/" */
};
void nginx_rule(struct maker *m, const struct place *at, const struct cluster *c, const struct member *member);
/* The conditions that lead to publishd's sign-in form, before those of any rule; nothing where the rule does not go there. */
void nginx_form_places(struct maker *m, const struct place *at, const struct cluster *c, const struct member *member);
bool rule_has_form(const struct plan_rule *r);                     /* it has such places */
bool rule_needs_host(const struct plan_rule *r, const struct cluster *c, const struct member *member);
bool rule_needs_resolved(const struct plan_rule *r);               /* its block reads $place */
/* nginx_filter.c: what the rule's HTTP filter refuses; what it does to answers (with Via in both directions). */
void nginx_filter(struct maker *m, const struct plan_rule *r);
void nginx_answer_filter(struct maker *m, const struct plan_rule *r);
/* nginx_links.c: what is replaced in pages. true: something is, so the server must not compress them. */
bool nginx_links(struct maker *m, const struct place *at, const struct plan_rule *r);
/* A value in quotes: trusted text with variables, then text of the source, then trusted text. */
const char *nginx_value(struct writer *w, struct arena *a, const char *before, const char *text, const char *after);
bool rule_limits_body(const struct plan_rule *r);                  /* its block uses @filtered */
bool rule_blocks_sign_in(const struct plan_rule *r);               /* its block uses @blocked (D-11) */
#endif
