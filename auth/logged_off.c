/* logged_off: the sessions that were ended by hand, for as long as a copy of their cookie could be taken. A table of a
 * fixed size with eight places an id: where all are full, what would be forgotten first anyway makes room. */
#include "session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WAYS = 8 };

struct ended {
    unsigned char id[SESSION_ID];
    long long until;
};
struct logged_off {
    pthread_mutex_t lock;
    atomic_bool any; /* most instances never remember one for long: no lock is taken then */
    size_t sets;
    struct ended v[];
};

struct logged_off *logged_off_new(size_t most)
{
    size_t sets = most / WAYS ? most / WAYS : 1;
    struct logged_off *l = calloc(1, sizeof *l + sets * WAYS * sizeof *l->v);
    if (!l || pthread_mutex_init(&l->lock, NULL) != 0)
        mem_fatal();
    l->sets = sets;
    return l;
}

void logged_off_free(struct logged_off *l)
{
    if (l)
        pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Ids are random bytes of our own: they need no hash. */
static struct ended *set_of(struct logged_off *l, const unsigned char id[SESSION_ID])
{
    uint64_t h;
    memcpy(&h, id, sizeof h);
    return &l->v[h % l->sets * WAYS];
}

void logged_off_add(struct logged_off *l, const unsigned char id[SESSION_ID], long long until, long long now)
{
    pthread_mutex_lock(&l->lock);
    struct ended *set = set_of(l, id), *place = set;
    for (int i = 0; i < WAYS; i++) {
        if (memcmp(set[i].id, id, SESSION_ID) == 0 && set[i].until > now) {
            place = &set[i];
            break;
        }
        if (set[i].until < place->until)
            place = &set[i];
    }
    memcpy(place->id, id, SESSION_ID);
    place->until = until;
    atomic_store(&l->any, true);
    pthread_mutex_unlock(&l->lock);
}

bool logged_off_has(struct logged_off *l, const unsigned char id[SESSION_ID], long long now)
{
    bool found = false;
    if (!atomic_load(&l->any))
        return false;
    pthread_mutex_lock(&l->lock);
    const struct ended *set = set_of(l, id);
    for (int i = 0; i < WAYS; i++)
        found |= set[i].until > now && memcmp(set[i].id, id, SESSION_ID) == 0;
    pthread_mutex_unlock(&l->lock);
    return found;
}
