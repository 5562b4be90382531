/* client: what every front does when a connection begins and ends. */
#include "client.h"
#include "client_trust.h"
#include "flood.h"
#include "signing.h"
#include "upstream.h"

static atomic_ulong numbers;

static atomic_ulong *counter(const struct client *c)
{
    return &c->serving->listeners.v[c->at->listener].connections->n;
}

void client_begin(struct client *c, const struct arrival *a)
{
    struct loop *l = a->loop;
    c->loop = l;
    c->serving = serving_ref(a->serving);
    c->at = a->at;
    c->address = a->address;
    c->port = a->port;
    c->tls = a->at->https;
    c->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    c->next = l->clients.first;
    c->back = &l->clients.first;
    if (c->next)
        c->next->back = &c->next;
    l->clients.first = c;
    l->clients.n++;
    count(&l->counts, connections, 1);
    atomic_fetch_add_explicit(counter(c), 1, memory_order_relaxed);
    if (c->serving->snapshot->config->flood && c->at->client_from == CLIENT_OF_CONNECTION) {
        c->held = c->address;
        flood_holds(c->held, l->now);
    }
}

void client_end(struct client *c)
{
    upstream_close_bound(c);
    if (c->held)
        flood_leaves(c->held);
    if (c->identity && c->identity_free)
        c->identity_free(c->identity);
    shown_forget(c);
    *c->back = c->next;
    if (c->next)
        c->next->back = c->back;
    c->loop->clients.n--;
    atomic_fetch_sub_explicit(counter(c), 1, memory_order_relaxed);
    serving_release(c->serving);
}

void client_refresh(struct client *c)
{
    struct serving *next = c->loop->serving, *old = c->serving;
    const struct serving_socket *at = next && next != old ? serving_place(next, c->at) : NULL;
    if (!at)
        return;
    atomic_fetch_sub_explicit(counter(c), 1, memory_order_relaxed);
    signing_renewed(c);
    shown_forget(c);
    c->serving = serving_ref(next);
    c->at = at;
    atomic_fetch_add_explicit(counter(c), 1, memory_order_relaxed);
    serving_release(old);
}
