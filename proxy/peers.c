/* peers: the list of all of them, their names and their TLS sessions. */
#include "peers.h"
#include "jobs.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

struct peer_private {
    struct peer *next;
    atomic_int refs;
    pthread_mutex_t lock; /* of what follows */
    struct addresses *addresses;
    SSL_SESSION *session;
    bool numeric, looking; /* host is an address; a job is looking it up */
    bool nowhere;          /* the last look found nothing */
    char digest[65];       /* of whom it trusts and what it shows: another content is another peer */
};

enum { BUCKETS = 4096 };
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct peer *list[BUCKETS]; /* by host, port and site */
static size_t list_n;

static char *copy(const char *s)
{
    char *p = s ? strdup(s) : NULL;
    if (s && !p)
        mem_fatal();
    return p;
}

/* ---- names ------------------------------------------------------------------------------ */

void addresses_release(struct addresses *a)
{
    if (a && atomic_fetch_sub(&a->refs, 1) == 1)
        free(a);
}

struct addresses *peer_addresses(struct peer *p)
{
    pthread_mutex_lock(&p->p->lock);
    struct addresses *a = p->p->addresses;
    if (a)
        atomic_fetch_add(&a->refs, 1);
    pthread_mutex_unlock(&p->p->lock);
    return a;
}

/* Blocks. NULL: nothing was found. */
static struct addresses *look_up(const char *host, uint16_t port, int flags)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) || !found)
        return NULL;
    size_t n = 0;
    for (const struct addrinfo *i = found; i; i = i->ai_next)
        n++;
    struct addresses *a = malloc(sizeof *a + n * sizeof *a->v);
    if (!a)
        mem_fatal();
    atomic_init(&a->refs, 1);
    a->n = 0;
    for (const struct addrinfo *i = found; i; i = i->ai_next)
        if (i->ai_addrlen <= sizeof a->v->at) {
            memcpy(&a->v[a->n].at, i->ai_addr, i->ai_addrlen);
            a->v[a->n++].n = i->ai_addrlen;
        }
    freeaddrinfo(found);
    return a;
}

struct look_up {
    struct job job;
    struct peer *peer;
    struct addresses *found;
    bool ran;
};

static void run_look_up(struct job *j)
{
    struct look_up *u = container_of(j, struct look_up, job);
    u->found = look_up(u->peer->host, u->peer->port, AI_ADDRCONFIG);
    u->ran = true;
}

static void done_look_up(struct job *j)
{
    struct look_up *u = container_of(j, struct look_up, job);
    struct peer_private *p = u->peer->p;
    pthread_mutex_lock(&p->lock);
    struct addresses *old = NULL;
    if (u->found) {
        old = p->addresses;
        p->addresses = u->found;
    }
    p->looking = false;
    p->nowhere = u->ran && !u->found;
    pthread_mutex_unlock(&p->lock);
    addresses_release(old);
    peer_release(u->peer);
    free(u);
}

static void resolve(struct peer *p, void *pool)
{
    pthread_mutex_lock(&p->p->lock);
    bool look = !p->p->numeric && !p->p->looking;
    if (look)
        p->p->looking = true;
    pthread_mutex_unlock(&p->p->lock);
    if (!look)
        return;
    struct look_up *u = calloc(1, sizeof *u);
    if (!u)
        mem_fatal();
    u->job.run = run_look_up;
    u->job.done = done_look_up;
    u->peer = peer_ref(p);
    if (!jobs_submit(pool, LANE_NAMES, &u->job))
        done_look_up(&u->job);
}

void peers_resolve(struct jobs *pool)
{
    peers_each(resolve, pool);
}

static void is_looking(struct peer *p, void *arg)
{
    bool *looking = arg;
    pthread_mutex_lock(&p->p->lock);
    *looking |= p->p->looking;
    pthread_mutex_unlock(&p->p->lock);
}

bool peers_looking(void)
{
    bool looking = false;
    peers_each(is_looking, &looking);
    return looking;
}

bool peer_is_nowhere(struct peer *p)
{
    pthread_mutex_lock(&p->p->lock);
    bool nowhere = p->p->nowhere;
    pthread_mutex_unlock(&p->p->lock);
    return nowhere;
}

/* ---- TLS sessions --------------------------------------------------------------------------- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct peer *p = SSL_get_app_data(ssl);
    if (!p)
        return 0;
    pthread_mutex_lock(&p->p->lock);
    SSL_SESSION *old = p->p->session;
    p->p->session = session;
    pthread_mutex_unlock(&p->p->lock);
    SSL_SESSION_free(old);
    return 1;
}

void peer_use_session(struct peer *p, SSL *ssl)
{
    SSL_set_app_data(ssl, p);
    pthread_mutex_lock(&p->p->lock);
    if (p->p->session)
        SSL_set_session(ssl, p->p->session);
    pthread_mutex_unlock(&p->p->lock);
}

/* ---- the list -------------------------------------------------------------------------------- */

static struct peer **bucket(const char *host, uint16_t port, const char *site)
{
    uint32_t h = 2166136261u ^ port;
    for (const char *s = host; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    for (const char *s = site; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return &list[h % BUCKETS];
}

static bool is_peer(const struct peer *p, const char *host, uint16_t port, const char *site,
                    const struct tls_trust *trust)
{
    return p->port == port && p->tls == (trust != NULL) && str_equal(p->host, host) && str_equal(p->site, site) &&
           (!trust || str_equal(p->p->digest, trust->digest));
}

static struct peer *peer_new(const char *host, uint16_t port, const char *site, const struct tls_trust *trust)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p || !(p->p = calloc(1, sizeof *p->p)))
        mem_fatal();
    p->host = copy(host);
    p->port = port;
    p->site = copy(site);
    if (trust) {
        p->tls = true;
        p->ctx = trust->ctx;
        SSL_CTX_up_ref(p->ctx);
        SSL_CTX_sess_set_new_cb(p->ctx, keep_session);
        memcpy(p->p->digest, trust->digest, sizeof p->p->digest);
    }
    char name[600], sum[65];
    int n = snprintf(name, sizeof name, "%s:%u", host, port);
    tls_digest(name, (size_t)n < sizeof name ? (size_t)n : sizeof name - 1, sum);
    memcpy(p->id, sum, sizeof p->id - 1);
    atomic_init(&p->p->refs, 1);
    pthread_mutex_init(&p->p->lock, NULL);
    p->p->addresses = look_up(host, port, AI_NUMERICHOST);
    p->p->numeric = p->p->addresses;
    return p;
}

struct peer *peer_get(const char *host, uint16_t port, const char *site, const struct tls_trust *trust)
{
    struct peer **first = bucket(host, port, site);
    pthread_mutex_lock(&list_lock);
    struct peer *p = *first;
    while (p && !is_peer(p, host, port, site, trust))
        p = p->p->next;
    if (p) {
        atomic_fetch_add(&p->p->refs, 1);
    } else {
        p = peer_new(host, port, site, trust);
        p->p->next = *first;
        *first = p;
        list_n++;
    }
    pthread_mutex_unlock(&list_lock);
    return p;
}

struct peer *peer_ref(struct peer *p)
{
    atomic_fetch_add_explicit(&p->p->refs, 1, memory_order_relaxed);
    return p;
}

static void peer_free(struct peer *p)
{
    addresses_release(p->p->addresses);
    SSL_SESSION_free(p->p->session);
    SSL_CTX_free(p->ctx);
    pthread_mutex_destroy(&p->p->lock);
    free((char *)(uintptr_t)p->host);
    free((char *)(uintptr_t)p->site);
    free(p->p);
    free(p);
}

/* The last reference is given up under the list's lock, so that nobody finds a peer that is going. */
void peer_release(struct peer *p)
{
    int refs = atomic_load(&p->p->refs);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&p->p->refs, &refs, refs - 1))
            return;
    pthread_mutex_lock(&list_lock);
    bool last = atomic_fetch_sub(&p->p->refs, 1) == 1;
    if (last) {
        struct peer **at = bucket(p->host, p->port, p->site);
        while (*at != p)
            at = &(*at)->p->next;
        *at = p->p->next;
        list_n--;
    }
    pthread_mutex_unlock(&list_lock);
    if (last)
        peer_free(p);
}

void peers_each(void (*each)(struct peer *p, void *arg), void *arg)
{
    pthread_mutex_lock(&list_lock);
    size_t n = 0;
    struct peer **all = malloc((list_n + 1) * sizeof(struct peer *));
    if (!all)
        mem_fatal();
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct peer *p = list[i]; p; p = p->p->next)
            all[n++] = peer_ref(p);
    pthread_mutex_unlock(&list_lock);
    for (size_t i = 0; i < n; i++) {
        each(all[i], arg);
        peer_release(all[i]);
    }
    free(all);
}

SSL *peer_tls(struct peer *p)
{
    SSL *ssl = SSL_new(p->ctx);
    if (!ssl)
        return NULL;
    X509_VERIFY_PARAM *check = SSL_get0_param(ssl);
    struct in_addr literal;
    bool numeric = inet_pton(AF_INET, p->site, &literal) == 1;
    bool named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(check, p->site) == 1
                         : SSL_set1_host(ssl, p->site) == 1 && SSL_set_tlsext_host_name(ssl, p->site) == 1;
    if (!named) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    peer_use_session(p, ssl);
    return ssl;
}
