/* chain: what a body goes through between the published server and the client - decoding, the HTTP filter's look into
 * it, link translation, compression for the client - as a stream of bytes. No sockets; memory is bounded whatever is pushed.
 *
 * struct rewriting is made once from a plan and never changes: any number of threads read it. A chain belongs to one
 * message and one thread.
 *
 * How to use it: chain_answer() when the answer's head has been read and proxy/answer has had its turn, before it is
 * written. NULL is the common case: the body goes through untouched, head and all. Otherwise the head has been changed
 * (framing, Content-Encoding, ETag ...), and every byte of the body goes through chain_push. The head is written when
 * the first bytes come out or chain_end is done, not before: until then CHAIN_REFUSED can still become a 502 (B-131).
 */
#ifndef REWRITE_CHAIN_H
#define REWRITE_CHAIN_H
#include "../http/head.h"
#include "../ir/plan.h"

struct rewriting;
struct body_chain;
/* Borrows the plan. Both take time with thousands of rules: not for a loop's thread. */
struct rewriting *rewriting_make(const struct plan *p);
void rewriting_free(struct rewriting *w);            /* NULL is allowed */

struct chain_about {
    uint32_t rule;                   /* index into plan->rules */
    bool tls;                        /* the client's request came over HTTPS */
    const char *method, *host, *target;      /* as the client sent them (exchange.h); host NULL: none */
    const char *accept_encoding;     /* the same, before it was removed for the server (B-64); NULL */
    bool compresses;                 /* the rule compresses answers for this client, if it takes gzip (B-65) */
    const struct head *request;      /* for chain_request alone */
};

/* For an answer (not 1xx, not 101). Changes its head where the body will change, also if there is no body to come (HEAD).
 * NULL: nothing is to be done with the body. Freed by chain_free. *skipped (NULL is allowed) is set to why something
 * that the rule wants is left undone, a literal for the log, or to NULL. */
struct body_chain *chain_answer(const struct rewriting *w, const struct chain_about *about, struct head *answer,
                                const char **skipped);
/* For a request's body: the HTTP filter's texts in it (B-141). Changes nothing in head or body; holds back what it has
 * not judged, at most CHAIN_OUT bytes. NULL: there is nothing to judge. */
struct body_chain *chain_request(const struct rewriting *w, const struct chain_about *about);

enum chain_result {
    CHAIN_MORE,                      /* all taken (chain_end: done) */
    CHAIN_FULL,                      /* out has CHAIN_OUT bytes or more: send them, then call again with what was not used */
    CHAIN_REFUSED,                   /* the HTTP filter: 502, or an abort where the head is out; see chain_why */
    CHAIN_BROKEN                     /* damaged or absurd encoding, or no memory: 502 or an abort */
};
enum { CHAIN_OUT = 64 << 10 };

/* Takes bytes of the body; *used is how many. What comes out is appended to out. */
enum chain_result chain_push(struct body_chain *c, const char *p, size_t n, size_t *used, struct strbuf *out);
/* The body is over. Call again after CHAIN_FULL. */
enum chain_result chain_end(struct body_chain *c, struct strbuf *out);
const char *chain_why(const struct body_chain *c);   /* for the log, a literal; NULL: nothing is wrong */
void chain_free(struct body_chain *c);               /* NULL is allowed */

/* A header's value (Location ...) by the dictionary that the rule's pages are translated by (B-42): true and the new
 * text in out, or false, nothing in it changes. */
bool chain_text(const struct rewriting *w, const struct chain_about *about, const char *text, struct strbuf *out);
#endif
