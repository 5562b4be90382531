/* kdc: whether it is worth asking. libkrb5 waits 25 seconds for a KDC that takes a question and says nothing; were
 * everybody to wait so, the threads that ask would all be taken, and still be when the KDC is back (B-115). */
#include "internal.h"

enum { QUESTIONS = 3, TRY_EVERY = 3 }; /* that a conversation has, each with its timeout; seconds */

bool kdc_begin(struct auth *a, struct strbuf *why)
{
    time_t now = monotonic();
    struct kdc_state *k = &a->kdc;
    pthread_mutex_lock(&k->lock);
    bool silent = k->under_way && now - k->heard > a->s.timeout * QUESTIONS;
    bool ask = !silent || now - k->tried >= TRY_EVERY;
    if (ask) {
        k->tried = now;
        k->heard = k->under_way ? k->heard : now;
        k->under_way++;
    }
    pthread_mutex_unlock(&k->lock);
    if (!ask)
        buf_puts(why, "the KDC takes questions and does not answer");
    return ask;
}

void kdc_end(struct auth *a, bool answered)
{
    struct kdc_state *k = &a->kdc;
    pthread_mutex_lock(&k->lock);
    k->under_way--;
    if (answered)
        k->heard = monotonic();
    pthread_mutex_unlock(&k->lock);
}
