/* tickets: a bounded table from key to ticket, least recently used out first. One lock: what is done under it takes no
 * longer than a look-up. */
#include "internal.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum { BUCKETS = 4096, MOST = 8192 };

struct entry {
    struct entry *chain; /* of its bucket */
    struct entry *newer, *older;
    struct ticket *ticket;
    size_t n;
    char key[];
};
struct tickets {
    pthread_mutex_t lock;
    size_t n;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

struct tickets *tickets_new(void)
{
    struct tickets *t = calloc(1, sizeof *t);
    if (!t)
        mem_fatal();
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

struct ticket *ticket_new(enum ticket_state state, gss_cred_id_t cred, struct evidence *evidence, time_t end,
                          const char *why)
{
    struct ticket *k = malloc(sizeof *k);
    char *text = why ? strdup(why) : NULL;
    if (!k || (why && !text))
        mem_fatal();
    *k = (struct ticket){
        .references = 1, .state = state, .cred = cred, .evidence = evidence_hold(evidence), .end = end, .why = text
    };
    return k;
}

void ticket_release(struct ticket *k)
{
    OM_uint32 minor;
    if (!k || --k->references)
        return;
    if (!k->evidence)
        gss_release_cred(&minor, &k->cred);
    cache_destroy(k->cache);
    evidence_release(k->evidence);
    service_ticket_free(k->service);
    free(k->why);
    free(k);
}

/* ---- the table ---------------------------------------------------------------------------------------------- */
static struct entry **bucket(struct tickets *t, const struct strbuf *key)
{
    uint64_t h =
        1469598103934665603u; /* FNV-1a; keys hold no part that a stranger chooses freely but names of accounts that exist */
    for (size_t i = 0; i < key->n; i++)
        h = (h ^ (unsigned char)key->p[i]) * 1099511628211u;
    return &t->buckets[(h >> 32 ^ h) % BUCKETS];
}

static struct entry **place(struct tickets *t, const struct strbuf *key)
{
    struct entry **at = bucket(t, key);
    while (*at && !((*at)->n == key->n && memcmp((*at)->key, key->p, key->n) == 0))
        at = &(*at)->chain;
    return at;
}

static void unlink_age(struct tickets *t, struct entry *e)
{
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
}

static void link_newest(struct tickets *t, struct entry *e)
{
    e->newer = NULL;
    e->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

static void remove_at(struct tickets *t, struct entry **at)
{
    struct entry *e = *at;
    *at = e->chain;
    unlink_age(t, e);
    ticket_release(e->ticket);
    OPENSSL_cleanse(e->key, e->n);
    free(e);
    t->n--;
}

struct ticket *tickets_find(struct tickets *t, const struct strbuf *key)
{
    struct ticket *found = NULL;
    pthread_mutex_lock(&t->lock);
    struct entry **at = place(t, key);
    if (*at && (*at)->ticket->end <= monotonic()) {
        remove_at(t, at);
    } else if (*at) {
        struct entry *e = *at;
        unlink_age(t, e);
        link_newest(t, e);
        found = e->ticket;
        found->references++;
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}

void tickets_drop(struct tickets *t, const struct strbuf *key)
{
    pthread_mutex_lock(&t->lock);
    struct entry **at = place(t, key);
    if (*at)
        remove_at(t, at);
    pthread_mutex_unlock(&t->lock);
}

void tickets_keep(struct tickets *t, const struct strbuf *key, struct ticket *ticket)
{
    struct entry *e = malloc(sizeof *e + key->n);
    if (!e)
        mem_fatal();
    e->n = key->n;
    e->ticket = ticket;
    memcpy(e->key, key->p, key->n);
    ticket->references++;
    pthread_mutex_lock(&t->lock);
    struct entry **at = place(t, key);
    if (*at)
        remove_at(t, at);
    if (t->n >= MOST) {
        struct strbuf last = { t->oldest->key, t->oldest->n, 0 };
        remove_at(t, place(t, &last));
        at = place(t, key); /* what was removed may have been in front of it */
    }
    e->chain = *at;
    *at = e;
    link_newest(t, e);
    t->n++;
    pthread_mutex_unlock(&t->lock);
}

void tickets_free(struct tickets *t)
{
    if (!t)
        return;
    while (t->oldest) {
        struct strbuf key = { t->oldest->key, t->oldest->n, 0 };
        remove_at(t, place(t, &key));
    }
    pthread_mutex_destroy(&t->lock);
    free(t);
}
