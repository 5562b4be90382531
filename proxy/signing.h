/* signing: auth/gate at work in the engine - what of it belongs to a configuration, and the way of an exchange through it.
 * A listener that takes credentials has a gate; what a session, a count of failures or a password that was checked are
 * must outlive a reload, so they are handed on from configuration to configuration.
 */
#ifndef PROXY_SIGNING_H
#define PROXY_SIGNING_H
#include "exchange.h"

struct signing;
struct key_ring;
/* before: of the configuration that is served now; NULL. NULL with lines in err: keys or pages that cannot be read. */
struct signing *signing_new(const struct snapshot *s, const struct signing *before, struct strbuf *err);
void signing_free(struct signing *s);    /* NULL is allowed */
struct auth *signing_auth(const struct signing *s);
const struct key_ring *signing_keys(const struct signing *s);     /* of the file, or this process's own; with s */
/* How long a client waits for the servers that are asked about a user; ms. */
uint64_t signing_patience(const struct client *c);

/* After the decision. true: x is answered, or waits; when it may go on as x->who, go_on is called. false: nobody need sign
 * in here and nothing was brought; the decision stands. */
bool signing_takes(struct exchange *x, void (*go_on)(struct exchange *x));
/* The connection's configuration changes: a handshake that is under way, and what is known of who signed in, are the old
 * one's and go with it. */
void signing_renewed(struct client *c);
/* The fields that go with the answer of a request that passed: renewed sessions, a handshake's last word. */
void signing_answer(struct exchange *x);
#endif
