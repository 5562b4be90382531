#include "flood.h"
#include "../ir/plan.h"

#include <pthread.h>
#include <sys/random.h>

enum { SHARDS = 64, SETS = 128, WAYS = 8, MINUTE = 60000 };

/* Counts of this minute and of the one before it, of which as much is taken as is not yet a minute ago. */
struct rate {
    uint32_t now, before;
};
struct entry {
    uint32_t address; /* 0: free; no client is 0.0.0.0 */
    uint32_t connections;
    uint64_t minute;
    struct rate connects, asks;
};
static struct shard {
    pthread_mutex_t lock;
    struct entry v[SETS][WAYS];
} shards[SHARDS];
static uint64_t seed; /* nobody outside can choose who shares a set with whom */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin(void)
{
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&shards[i].lock, NULL);
}

static uint64_t mixed(uint32_t address)
{
    uint64_t z = (address ^ seed) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- places ------------------------------------------------------------------------------- */

static struct shard *shard_of(uint32_t address)
{
    pthread_once(&once, begin);
    return &shards[mixed(address) % SHARDS];
}

/* With the shard's lock. NULL: none is free, or it is not there and is not to be made. */
static struct entry *entry_of(struct shard *s, uint32_t address, bool make)
{
    struct entry *set = s->v[mixed(address) / SHARDS % SETS], *idlest = NULL;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].address == address)
            return &set[i];
        if (!set[i].connections && (!idlest || set[i].minute < idlest->minute))
            idlest = &set[i];
    }
    if (!make || !idlest)
        return NULL;
    *idlest = (struct entry){ .address = address };
    return idlest;
}

static void turn(struct rate *r, uint64_t minutes)
{
    r->before = minutes == 1 ? r->now : 0;
    r->now = 0;
}

static struct entry *entry_at(struct shard *s, uint32_t address, uint64_t now)
{
    struct entry *e = entry_of(s, address, true);
    uint64_t minute = now / MINUTE;
    if (e && e->minute != minute) {
        turn(&e->connects, minute - e->minute);
        turn(&e->asks, minute - e->minute);
        e->minute = minute;
    }
    return e;
}

static bool within(struct rate *r, uint64_t now, uint64_t most)
{
    if (r->now < UINT32_MAX)
        r->now++;
    return r->now + r->before * (MINUTE - now % MINUTE) / MINUTE <= most;
}

/* ---- what is asked --------------------------------------------------------------------------- */

bool flood_connects(uint32_t address, uint64_t now)
{
    struct shard *s = shard_of(address);
    pthread_mutex_lock(&s->lock);
    struct entry *e = entry_at(s, address, now);
    bool good = !e || (within(&e->connects, now, FLOOD_NEW_CONNECTIONS) && e->connections < FLOOD_CONNECTIONS);
    pthread_mutex_unlock(&s->lock);
    return good;
}

bool flood_asks(uint32_t address, uint64_t now)
{
    struct shard *s = shard_of(address);
    pthread_mutex_lock(&s->lock);
    struct entry *e = entry_at(s, address, now);
    bool good = !e || within(&e->asks, now, FLOOD_REQUESTS);
    pthread_mutex_unlock(&s->lock);
    return good;
}

void flood_holds(uint32_t address, uint64_t now)
{
    struct shard *s = shard_of(address);
    pthread_mutex_lock(&s->lock);
    struct entry *e = entry_at(s, address, now);
    if (e)
        e->connections++;
    pthread_mutex_unlock(&s->lock);
}

void flood_leaves(uint32_t address)
{
    struct shard *s = shard_of(address);
    pthread_mutex_lock(&s->lock);
    struct entry *e = entry_of(s, address, false);
    if (e && e->connections)
        e->connections--;
    pthread_mutex_unlock(&s->lock);
}
