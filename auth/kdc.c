/* kdc: whether it is worth asking. libkrb5 waits 25 seconds for a KDC that takes a question and says nothing; were everybody to wait so,
 * all threads that ask would be taken, and still be when the KDC is back (B-115).
 *
 * So not all of them may ask at once: some are left for those who find out whether it is back. Who would be one too many waits his turn
 * while the KDC answers, and is told that it does not as soon as that is known. Realms have KDCs of their own, and count apart.
 */
#include "internal.h"

/* Askers at a time, of the pool's 32 threads, shared among realms; seconds between two who try a silent KDC, nine of whom wait at once. */
enum { ASKERS = 20, ASKERS_LEAST = 4, TRY_EVERY = 3 };

static unsigned share(const struct auth *a)
{
    unsigned each = ASKERS / (unsigned)(a->s.domains.n ? a->s.domains.n : 1);
    return each > ASKERS_LEAST ? each : ASKERS_LEAST;
}

size_t kdc_realm(const struct auth *a, const struct user_name *name)
{
    const char *realm = *name->realm ? name->realm : realm_of_domain(a, name->domain);
    for (size_t i = 0; i < a->s.domains.n; i++)
        if (!ascii_casecmp(a->s.domains.v[i].realm, realm))
            return i;
    return *realm || *name->domain ? a->s.domains.n : 0; /* a bare name is the first domain's */
}

size_t kdc_realm_own(const struct auth *a)
{
    const char *at = a->s.kerberos.principal ? strrchr(a->s.kerberos.principal, '@') : NULL;
    return kdc_realm(a, &(struct user_name){ "", "", at ? at + 1 : "" });
}

/* Nobody heard of it for longer than a client waits; or for longer than an answer may take, while as many wait as may. */
static bool silent(const struct auth *a, const struct kdc_state *k, time_t now)
{
    time_t unheard = k->under_way ? now - k->heard : 0;
    return unheard > auth_patience(a) || (unheard > a->s.timeout && k->under_way >= share(a));
}

static bool worth_asking(const struct auth *a, const struct kdc_state *k)
{
    time_t now = monotonic();
    return !silent(a, k, now) || now - k->tried >= TRY_EVERY;
}

bool kdc_begin(struct auth *a, size_t realm, struct strbuf *why)
{
    struct kdc_state *k = &a->kdc[realm];
    pthread_mutex_lock(&a->kdc_lock);
    while (k->under_way >= share(a) && !silent(a, k, monotonic())) {
        const struct timespec soon = { .tv_sec = monotonic() + 1 };
        pthread_cond_timedwait(&a->kdc_heard, &a->kdc_lock, &soon);
    }
    bool ask = worth_asking(a, k);
    if (ask) {
        k->tried = monotonic();
        k->heard = k->under_way ? k->heard : k->tried;
        k->under_way++;
    }
    pthread_mutex_unlock(&a->kdc_lock);
    if (!ask)
        buf_puts(why, "the KDC takes questions and does not answer");
    return ask;
}

void kdc_end(struct auth *a, size_t realm, bool answered)
{
    struct kdc_state *k = &a->kdc[realm];
    pthread_mutex_lock(&a->kdc_lock);
    k->under_way--;
    if (answered)
        k->heard = monotonic();
    pthread_cond_broadcast(&a->kdc_heard);
    pthread_mutex_unlock(&a->kdc_lock);
}
