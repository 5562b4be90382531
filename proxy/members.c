/* members: choosing a server. */
#include "members.h"
#include "upstream.h"

typedef const struct serving_member member;

/* FNV-1a, as the configs for HAProxy have it; spread by a multiplication where high bits count. */
static uint64_t hash(uint64_t h, const void *p, size_t n)
{
    for (const unsigned char *b = p; n--; b++)
        h = (h ^ *b) * UINT64_C(0x100000001b3);
    return h;
}

void member_cookie(char out[24], const char *farm)
{
    snprintf(out, 24, "WPLB%08lx",
             (unsigned long)(hash(UINT64_C(0xcbf29ce484222325), farm, strlen(farm)) & 0xFFFFFFFF));
}

static void take(struct exchange *x, struct peer *p)
{
    if (x->peer == p)
        return;
    if (x->peer)
        member_left(x);
    x->peer = p;
    atomic_fetch_add_explicit(&p->state.current, 1, memory_order_relaxed);
}

void member_left(struct exchange *x)
{
    atomic_fetch_sub_explicit(&x->peer->state.current, 1, memory_order_relaxed);
    x->peer = NULL;
}

static bool is_up(const struct serving_member *m)
{
    return !m->check || atomic_load_explicit(&m->check->up, memory_order_relaxed);
}

/* ---- affinity ------------------------------------------------------------------------ */

/* The value of a cookie in the request, as n bytes; NULL. */
static const char *cookie_value(const struct head *h, const char *name, size_t *n)
{
    size_t name_n = strlen(name);
    for (uint32_t i = h->first[FIELD_COOKIE]; i && i <= h->n; i++) {
        if (h->fields[i - 1].id != FIELD_COOKIE)
            continue;
        for (const char *s = h->fields[i - 1].value; *s;) {
            s += strspn(s, " ;");
            size_t pair = strcspn(s, ";");
            if (pair > name_n && s[name_n] == '=' && memcmp(s, name, name_n) == 0) {
                *n = pair - name_n - 1;
                return s + name_n + 1;
            }
            s += pair;
        }
    }
    return NULL;
}

/* Also one that is drained, for its old clients (D-13). */
const struct serving_member *member_in_cookie(const struct exchange *x)
{
    if (!x->rule->farm || x->rule->by_address)
        return NULL;
    size_t value_n;
    const char *value = cookie_value(&x->request, x->rule->cookie, &value_n);
    member *v = x->rule->members[x->client->tls].v;
    for (size_t i = 0; value && i < x->rule->members[x->client->tls].n; i++)
        if (strlen(v[i].peer->id) == value_n && memcmp(v[i].peer->id, value, value_n) == 0)
            return &v[i];
    return NULL;
}

/* Rendezvous hashing: a member that goes down moves only its own clients, and gets them back. */
static member *by_address(const struct exchange *x, member *v, size_t n, const struct peer * not )
{
    member *best = NULL;
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i].drained || !is_up(&v[i]) || v[i].peer == not )
            continue;
        uint64_t h = hash(UINT64_C(0xcbf29ce484222325), v[i].peer->id, sizeof v[i].peer->id - 1);
        h = hash(h, &x->client->address, sizeof x->client->address);
        h ^= h >> 32;
        h *= UINT64_C(0x9e3779b97f4a7c15);
        if (!best || h > most) {
            best = &v[i];
            most = h;
        }
    }
    return best;
}

static member *in_turn(const struct exchange *x, member *v, size_t n, const struct peer * not )
{
    unsigned start = x->loop->turns++;
    for (size_t i = 0; i < n; i++) {
        member *m = &v[(start + i) % n];
        if (!m->drained && is_up(m) && m->peer != not )
            return m;
    }
    return NULL;
}

/* ---- choosing ---------------------------------------------------------------------------- */

/* A server connection of the client's own decides where its user stays (B-68). */
static struct peer *by_own_connection(const struct exchange *x, member *v, size_t n)
{
    for (const struct upstream *u = x->client->bound; u; u = upstream_next_bound(u))
        for (size_t i = 0; i < n; i++)
            if (v[i].peer == upstream_peer(u) && upstream_speaks_for(u, x))
                return v[i].peer;
    return NULL;
}

static member *fresh(const struct exchange *x, member *v, size_t n, const struct peer * not )
{
    return x->rule->by_address ? by_address(x, v, n, not ) : in_turn(x, v, n, not );
}

bool member_choose(struct exchange *x)
{
    member *v = x->rule->members[x->client->tls].v;
    size_t n = x->rule->members[x->client->tls].n;
    if (n == 1 && !x->rule->farm) {
        take(x, v[0].peer);
        return true;
    }
    struct peer *old = by_own_connection(x, v, n);
    if (!old && x->affinity && is_up(x->affinity))
        old = x->affinity->peer;
    if (old) {
        take(x, old);
        return true;
    }
    member *m = fresh(x, v, n, NULL);
    x->set_affinity = m && !x->rule->by_address;
    if (m)
        take(x, m->peer);
    return m;
}

bool member_another(struct exchange *x)
{
    member *v = x->rule->members[x->client->tls].v;
    size_t n = x->rule->members[x->client->tls].n;
    member *m = x->rule->farm ? fresh(x, v, n, x->peer) : NULL;
    if (!m)
        return false;
    x->set_affinity = !x->rule->by_address;
    take(x, m->peer);
    return true;
}
