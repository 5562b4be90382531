/* contexts: of libkrb5, kept, since making one reads krb5.conf. */
#include "internal.h"

#include <krb5.h>

/* Those that no thread uses just now. */
enum { SPARE = 32 };
static struct {
    pthread_mutex_t lock;
    size_t n;
    krb5_context v[SPARE];
} spare = { .lock = PTHREAD_MUTEX_INITIALIZER };

krb5_context context_take(void)
{
    krb5_context k = NULL;
    pthread_mutex_lock(&spare.lock);
    if (spare.n)
        k = spare.v[--spare.n];
    pthread_mutex_unlock(&spare.lock);
    return k || krb5_init_context(&k) == 0 ? k : NULL;
}

void context_give(krb5_context k)
{
    pthread_mutex_lock(&spare.lock);
    bool room = spare.n < SPARE;
    if (room)
        spare.v[spare.n++] = k;
    pthread_mutex_unlock(&spare.lock);
    if (!room)
        krb5_free_context(k);
}
