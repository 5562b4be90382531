/* throttle: two tables of counters, each with eight places a key. */
#include "throttle.h"
#include "seal.h"
#include "spelling.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>

enum { WAYS = 8 };

struct counter {
    uint64_t key[2]; /* a keyed hash: nobody outside can choose who shares a set with whom */
    long long last;  /* of the last failure, seconds */
    long failures;   /* by address: thousandths */
    long pending;    /* asked, not known yet */
};
struct table {
    size_t sets;
    struct counter *v;
};
struct throttle {
    struct throttle_limits limits;
    pthread_mutex_t lock;
    unsigned char secret[32];
    struct table accounts, addresses;
};
enum { THOUSAND = 1000 };

static struct table table_new(size_t most)
{
    struct table t = { .sets = most / WAYS ? most / WAYS : 1 };
    t.v = calloc(t.sets * WAYS, sizeof *t.v);
    if (!t.v)
        mem_fatal();
    return t;
}

struct throttle *throttle_new(const struct throttle_limits *l, size_t accounts, size_t addresses)
{
    struct throttle *t = calloc(1, sizeof *t);
    if (!t || pthread_mutex_init(&t->lock, NULL) != 0)
        mem_fatal();
    t->limits = *l;
    t->accounts = table_new(accounts);
    t->addresses = table_new(addresses);
    random_bytes(t->secret, sizeof t->secret);
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t->accounts.v);
    free(t->addresses.v);
    free(t);
}

/* ---- keys --------------------------------------------------------------------------------- */

struct key {
    uint64_t v[2];
};

static struct key key_of(const struct throttle *t, const char *text, size_t n)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    struct key k;
    if (!HMAC(EVP_sha256(), t->secret, sizeof t->secret, (const unsigned char *)text, n, hash, NULL))
        mem_fatal();
    memcpy(&k, hash, sizeof k);
    return k;
}

/* The account alone: "LAB\alice", "alice@lab.test", "alice" and "Álice " may be one account of the domain, and who guesses must not
 * get the limit once for each way of writing it. A user principal name that begins otherwise does count apart. */
static struct key account_key(const struct throttle *t, const struct user_name *name)
{
    struct strbuf b = { 0 };
    spelling_of(name->account, &b);
    struct key k = key_of(t, b.p ? b.p : "", b.n);
    buf_free(&b);
    return k;
}

static struct key address_key(const struct throttle *t, uint32_t address)
{
    char bytes[sizeof address];
    memcpy(bytes, &address, sizeof address);
    return key_of(t, bytes, sizeof bytes);
}

/* ---- counters --------------------------------------------------------------------------------- */

/* Where key is counted: its place, or one that is of no use any more, or the least useful of the set. */
static struct counter *place_of(struct table *table, struct key key, bool make)
{
    struct counter *set = &table->v[key.v[0] % table->sets * WAYS], *least = NULL;
    for (int i = 0; i < WAYS; i++) {
        struct counter *c = &set[i];
        if (c->key[0] == key.v[0] && c->key[1] == key.v[1])
            return c;
        bool idler = !least || c->pending < least->pending ||
                     (c->pending == least->pending &&
                      (c->failures < least->failures || (c->failures == least->failures && c->last < least->last)));
        if (idler)
            least = c;
    }
    if (!make)
        return NULL;
    *least = (struct counter){ .key = { key.v[0], key.v[1] } };
    return least;
}

/* Forgets what is past: an account's count after a quiet window, an address's evenly. */
static void account_age(const struct throttle *t, struct counter *c, long long now)
{
    if (now - c->last >= t->limits.window)
        c->failures = 0;
}

static void address_age(const struct throttle *t, struct counter *c, long long now)
{
    long long past = now - c->last, rate = (long long)t->limits.address_limit * THOUSAND;
    if (past >= t->limits.window || past < 0)
        c->failures = 0;
    else
        c->failures -= (long)(past * rate / t->limits.window);
    if (c->failures < 0)
        c->failures = 0;
    c->last = now;
}

static long account_wait(const struct throttle *t, const struct counter *c, long long now)
{
    if (!t->limits.account_limit || c->failures + c->pending < t->limits.account_limit)
        return 0;
    long left = c->failures ? (long)(c->last + t->limits.window - now) : 1;
    return left > 0 ? left : 1;
}

static long address_wait(const struct throttle *t, const struct counter *c)
{
    long limit = t->limits.address_limit, level = c->failures + c->pending * THOUSAND;
    if (!limit || level + THOUSAND <= limit * THOUSAND)
        return 0;
    long left = (level + THOUSAND - limit * THOUSAND) * t->limits.window / (limit * THOUSAND);
    return left > 0 ? left : 1;
}

/* ---- attempts -------------------------------------------------------------------------------------- */

long throttle_ask(struct throttle *t, const struct user_name *name, uint32_t address, long long now)
{
    struct key account = account_key(t, name), from = address_key(t, address);
    pthread_mutex_lock(&t->lock);
    struct counter *a = place_of(&t->accounts, account, true), *b = place_of(&t->addresses, from, true);
    account_age(t, a, now);
    address_age(t, b, now);
    long wait = account_wait(t, a, now), other = address_wait(t, b);
    if (other > wait)
        wait = other;
    if (!wait) {
        a->pending++;
        b->pending++;
    }
    pthread_mutex_unlock(&t->lock);
    return wait;
}

void throttle_result(struct throttle *t, const struct user_name *name, uint32_t address, enum throttle_result result,
                     long long now)
{
    struct key account = account_key(t, name), from = address_key(t, address);
    pthread_mutex_lock(&t->lock);
    struct counter *a = place_of(&t->accounts, account, result == THROTTLE_WRONG),
                   *b = place_of(&t->addresses, from, result == THROTTLE_WRONG);
    if (a && a->pending)
        a->pending--;
    if (b && b->pending)
        b->pending--;
    if (result == THROTTLE_WRONG) {
        account_age(t, a, now);
        a->failures++;
        a->last = now;
        address_age(t, b, now);
        b->failures += THOUSAND;
    } else if (result == THROTTLE_RIGHT && a) {
        a->failures = 0;
    }
    pthread_mutex_unlock(&t->lock);
}
