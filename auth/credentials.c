/* credentials: a table of verdicts with four places a key, and the attempts under way. */
#include "credentials.h"
#include "seal.h"
#include "spelling.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>

enum { WAYS = 4, HASH = 32, PATIENCE = 15 };

struct known {
    unsigned char key[HASH];
    uint64_t account; /* hash of the account: for credentials_forget */
    long long until;  /* 0: nothing here */
    enum verdict verdict;
    struct identity *who;
};
struct attempt {
    struct attempt *next;
    unsigned char key[HASH];
    time_t began; /* monotonic */
    int waiting;
    bool over;
    struct credentials_answer answer;
};
struct credentials {
    struct throttle *throttle;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned char secret[HASH];
    struct attempt *under_way;
    uint64_t forgotten; /* counts credentials_forget and _clear: an answer from before is not kept */
    size_t sets;
    struct known *v;
};

struct credentials *credentials_new(size_t most, struct throttle *t)
{
    struct credentials *c = calloc(1, sizeof *c);
    pthread_condattr_t monotonic;
    if (!c || pthread_mutex_init(&c->lock, NULL) != 0 || pthread_condattr_init(&monotonic) != 0 ||
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 || pthread_cond_init(&c->answered, &monotonic) != 0)
        mem_fatal();
    pthread_condattr_destroy(&monotonic);
    c->throttle = t;
    c->sets = most / WAYS ? most / WAYS : 1;
    c->v = calloc(c->sets * WAYS, sizeof *c->v);
    if (!c->v)
        mem_fatal();
    random_bytes(c->secret, sizeof c->secret);
    return c;
}

static void forget(struct known *k)
{
    identity_release(k->who);
    OPENSSL_cleanse(k, sizeof *k);
    *k = (struct known){ 0 };
}

void credentials_clear(struct credentials *c)
{
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->sets * WAYS; i++)
        forget(&c->v[i]);
    c->forgotten++;
    pthread_mutex_unlock(&c->lock);
}

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    credentials_clear(c);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->answered);
    OPENSSL_cleanse(c->secret, sizeof c->secret);
    free(c->v);
    free(c);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static void add_lower(struct strbuf *b, const char *s)
{
    for (; *s; s++)
        buf_putc(b, ascii_lower(*s));
    buf_putc(b, '\0');
}

static void hash(const struct credentials *c, struct strbuf *text, unsigned char out[HASH])
{
    unsigned n = 0;
    if (!HMAC(EVP_sha256(), c->secret, sizeof c->secret, (const unsigned char *)text->p, text->n, out, &n))
        mem_fatal();
    buf_wipe(text);
}

static void key_of(const struct credentials *c, const struct shown_credentials *s, unsigned char out[HASH])
{
    struct strbuf b = { 0 };
    buf_reserve(&b, 2048); /* the password is written once, and not left behind by growing */
    buf_putc(&b, s->password ? (char)('0' + (int)s->validator) : 'c');
    add_lower(&b, s->name->domain);
    add_lower(&b, s->name->account);
    add_lower(&b, s->name->realm);
    if (s->password) {
        buf_add(&b, secret_text(s->password), secret_length(s->password));
    } else {
        buf_add(&b, (const char *)s->certificate, CERTIFICATE_ID);
        buf_puts(&b, s->listener);
    }
    hash(c, &b, out);
}

static uint64_t account_of(const struct credentials *c, const struct user_name *name)
{
    unsigned char out[HASH];
    uint64_t h;
    struct strbuf b = { 0 };
    buf_putc(&b, 'a');
    spelling_of(name->account, &b);
    hash(c, &b, out);
    memcpy(&h, out, sizeof h);
    return h;
}

void credentials_forget(struct credentials *c, const struct user_name *name)
{
    uint64_t account = account_of(c, name);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->sets * WAYS; i++)
        if (c->v[i].until && c->v[i].account == account)
            forget(&c->v[i]);
    c->forgotten++;
    pthread_mutex_unlock(&c->lock);
}

/* ---- what is known ------------------------------------------------------------------------------ */

static struct known *set_of(struct credentials *c, const unsigned char key[HASH])
{
    uint64_t h;
    memcpy(&h, key, sizeof h);
    return &c->v[h % c->sets * WAYS];
}

static struct known *find(struct credentials *c, const unsigned char key[HASH], long long now)
{
    struct known *set = set_of(c, key), *found = NULL;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].until && set[i].until <= now)
            forget(&set[i]);
        else if (set[i].until && CRYPTO_memcmp(set[i].key, key, HASH) == 0)
            found = &set[i];
    }
    return found;
}

static void keep(struct credentials *c, const unsigned char key[HASH], uint64_t account,
                 const struct credentials_answer *a, long long now)
{
    struct known *set = set_of(c, key), *place = set;
    long life = a->verdict == VERDICT_OK                                       ? CREDENTIALS_RIGHT_S
                : a->verdict == VERDICT_WRONG || a->verdict == VERDICT_UNKNOWN ? CREDENTIALS_WRONG_S
                                                                               : 0;
    if (!life)
        return;
    for (int i = 0; i < WAYS; i++)
        if (set[i].until < place->until)
            place = &set[i];
    forget(place);
    *place =
        (struct known){ .account = account, .until = now + life, .verdict = a->verdict, .who = identity_hold(a->who) };
    memcpy(place->key, key, HASH);
}

struct identity *credentials_known(struct credentials *c, const struct shown_credentials *s, long long now,
                                   long long *until)
{
    unsigned char key[HASH];
    key_of(c, s, key);
    pthread_mutex_lock(&c->lock);
    const struct known *k = find(c, key, now);
    struct identity *who = k ? identity_hold(k->who) : NULL;
    *until = k ? k->until : now;
    pthread_mutex_unlock(&c->lock);
    return who;
}

/* ---- asking ------------------------------------------------------------------------------------- */

/* The verdict from outside, without the lock. */
static void check(struct credentials *c, const struct credentials_question *q, struct credentials_answer *a,
                  struct strbuf *why)
{
    if (!q->shown.password) {
        a->verdict = q->check(q, &a->asked, &a->who, why);
        return;
    }
    a->wait = throttle_ask(c->throttle, q->shown.name, q->address, q->now);
    if (a->wait) {
        a->verdict = VERDICT_LOCKED;
        buf_puts(why, "too many failed sign-ins");
        return;
    }
    a->verdict = q->check(q, &a->asked, &a->who, why);
    /* A locked or disabled account answers every guess alike, so that counts as wrong. One whose password must be
     * changed may do so too, without saying whether the guess was good: that is neither. */
    bool neither = a->verdict == VERDICT_UNAVAILABLE || a->verdict == VERDICT_MUST_CHANGE ||
                   (a->verdict == VERDICT_CHALLENGED && q->further);
    enum throttle_result r = a->verdict == VERDICT_OK ? THROTTLE_RIGHT : neither ? THROTTLE_UNKNOWN : THROTTLE_WRONG;
    throttle_result(c->throttle, q->shown.name, q->address, r, q->now);
}

static time_t seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* Somebody is asking just that, and has not asked for too long: the newest who does. */
static struct attempt *under_way(struct credentials *c, const unsigned char key[HASH], long patience)
{
    struct attempt *a = c->under_way;
    while (a && CRYPTO_memcmp(a->key, key, HASH) != 0)
        a = a->next;
    return a && seconds() - a->began < patience ? a : NULL;
}

/* Waits for the answer. Called and returns with the lock. */
static void join(struct credentials *c, struct attempt *a, long patience)
{
    const struct timespec end = { .tv_sec = a->began + patience };
    int code = 0;
    a->waiting++;
    while (!a->over && !code)
        code = pthread_cond_timedwait(&c->answered, &c->lock, &end);
    a->waiting--;
}

/* The attempt's answer, or that there is none yet; who gets it last frees it. */
static void take_answer(struct credentials *c, struct attempt *a, struct credentials_answer *out, struct strbuf *why)
{
    *out = (struct credentials_answer){ .verdict = VERDICT_UNAVAILABLE };
    if (a->over) {
        *out = a->answer;
        identity_hold(out->who);
    } else {
        buf_puts(why, "somebody else asks the same and has no answer");
    }
    if (a->over && !a->waiting) {
        identity_release(a->answer.who);
        free(a);
    } else {
        pthread_cond_broadcast(&c->answered);
    }
}

static struct attempt *begin(struct credentials *c, const unsigned char key[HASH])
{
    struct attempt *a = calloc(1, sizeof *a);
    if (!a)
        mem_fatal();
    memcpy(a->key, key, HASH);
    a->began = seconds();
    a->next = c->under_way;
    c->under_way = a;
    return a;
}

static void finish(struct credentials *c, struct attempt *a)
{
    struct attempt **at = &c->under_way;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    a->over = true;
}

/* Called and returns with the lock. */
static struct attempt *ask_anew(struct credentials *c, const struct credentials_question *q,
                                const unsigned char key[HASH], struct strbuf *why)
{
    uint64_t before = c->forgotten, account = account_of(c, q->shown.name);
    struct attempt *a = begin(c, key);
    pthread_mutex_unlock(&c->lock);
    check(c, q, &a->answer, why);
    a->answer.until = q->now;
    pthread_mutex_lock(&c->lock);
    if (before == c->forgotten) {
        keep(c, key, account, &a->answer, q->now);
        a->answer.until += CREDENTIALS_RIGHT_S;
    }
    finish(c, a);
    return a;
}

void credentials_ask(struct credentials *c, const struct credentials_question *q, struct credentials_answer *out,
                     struct strbuf *why)
{
    unsigned char key[HASH];
    long patience = q->patience ? q->patience : PATIENCE;
    key_of(c, &q->shown, key);
    pthread_mutex_lock(&c->lock);
    const struct known *k = find(c, key, q->now);
    if (k) {
        *out = (struct credentials_answer){ .verdict = k->verdict, .who = identity_hold(k->who), .until = k->until };
        pthread_mutex_unlock(&c->lock);
        buf_puts(why, out->verdict == VERDICT_OK ? "" : "wrong a moment ago already");
        return;
    }
    struct attempt *a = under_way(c, key, patience);
    if (a)
        join(c, a, patience);
    else
        a = ask_anew(c, q, key, why);
    take_answer(c, a, out, why);
    pthread_mutex_unlock(&c->lock);
}
