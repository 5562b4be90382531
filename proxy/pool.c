/* pool: idle connections per loop and peer, the last used first; a client's own connections. */
#include "pool.h"
#include "../auth/identity.h"

enum { IDLE_TIME = 30000, IDLE_MOST = 512 }; /* ms; connections of one loop to one peer */

void upstream_unlist(struct upstream *u)
{
    if (!u->back)
        return;
    *u->back = u->next;
    if (u->next)
        u->next->back = u->back;
    u->back = NULL;
    if (!u->owner)
        u->peer->idle[u->loop->index].n--;
}

static void list(struct upstream **first, struct upstream *u)
{
    u->next = *first;
    u->back = first;
    if (u->next)
        u->next->back = &u->next;
    *first = u;
}

static enum delegation delegation_of(const struct exchange *x)
{
    return x->client->serving->snapshot->plan->rules.v[x->decision.rule].rule->delegation;
}

/* The same user with the same password: where a rule is for everybody nobody has checked it (B-27), and a wrong one must not
 * go over what the right one signed in. */
bool upstream_speaks_for(const struct upstream *u, const struct exchange *x)
{
    const struct identity *a = u->who, *b = x->who;
    return a == b ||
           (a && b && identity_same(a, b) &&
            (a->password == b->password || (a->password && b->password && secret_equal(a->password, b->password))));
}

static bool is_for(const struct upstream *u, const struct exchange *x)
{
    return u->delegation == delegation_of(x) && upstream_speaks_for(u, x);
}

/* If there is a choice, one where x's rule has signed in. */
static struct upstream *take_own(const struct exchange *x)
{
    struct upstream *found = NULL;
    for (struct upstream *u = x->client->bound; u; u = u->next)
        if (u->peer == x->peer && u->from == x->from && u->state == U_IDLE && (!found || u->rule == x->rule) &&
            is_for(u, x))
            found = u;
    return found;
}

struct upstream *pool_take(struct exchange *x)
{
    struct upstream *u = take_own(x);
    if (u)
        return u;
    u = x->peer->idle[x->loop->index].first;
    while (u && u->from != x->from)
        u = u->next;
    if (u)
        upstream_unlist(u);
    return u;
}

void pool_give(struct upstream *u)
{
    struct peer_idle *idle = &u->peer->idle[u->loop->index];
    u->state = U_IDLE;
    if (u->in.cap)
        buf_free(&u->in);
    if (u->owner) {
        timer_stop(&u->timer); /* it lives as long as its client's connection */
        return;
    }
    if (idle->n >= IDLE_MOST || u->loop->draining) {
        upstream_drop(u);
        return;
    }
    list(&idle->first, u);
    idle->n++;
    timer_set(u->loop, &u->timer, IDLE_TIME);
}

/* One more for x: one that waits for somebody else goes. Not where the client itself signed in at the server (B-102), which it
 * expects to last - unless that is what x does. */
static void make_room(const struct exchange *x)
{
    for (struct upstream *u = x->client->bound; u; u = u->next)
        if (u->peer == x->peer && u->state == U_IDLE && !is_for(u, x) &&
            (u->delegation != DELEGATE_NONE_PASS || delegation_of(x) == DELEGATE_NONE_PASS)) {
            upstream_drop(u);
            return;
        }
}

void upstream_bind(struct upstream *u)
{
    if (u->owner || !u->x)
        return;
    make_room(u->x);
    u->owner = u->x->client;
    u->who = identity_hold(u->x->who);
    u->delegation = delegation_of(u->x);
    list(&u->owner->bound, u);
}

void upstream_close_bound(struct client *c)
{
    while (c->bound)
        upstream_drop(c->bound);
}

void upstream_sign_in(struct upstream *u, enum signed_in how)
{
    u->signed_in = u->owner ? how : SIGNED_IN_NOT;
    u->rule = u->x->rule;
}

enum signed_in upstream_signed_in(const struct exchange *x)
{
    const struct upstream *u = take_own(x);
    return u && u->rule == x->rule ? u->signed_in : SIGNED_IN_NOT;
}

struct peer *upstream_peer(const struct upstream *u)
{
    return u->peer;
}

struct upstream *upstream_next_bound(const struct upstream *u)
{
    return u->next;
}

static void close_idle(struct peer *p, void *loop)
{
    struct loop *l = loop;
    while (p->idle[l->index].first)
        upstream_drop(p->idle[l->index].first);
}

void upstream_close_idle(struct loop *l)
{
    peers_each(close_idle, l);
}
