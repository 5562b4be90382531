/* checks: the list of them. See checks.h. */
#include "checks.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct check_private {
    struct check *next;
    atomic_int refs;
    pthread_mutex_t lock; /* of what follows */
    char why[CHECK_WHY];
    long long since;
};

enum { BUCKETS = 4096 };
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct check *list[BUCKETS]; /* by server and kind */

static struct check **bucket(const struct check_about *a)
{
    uint32_t h = 2166136261u ^ (uint32_t)a->kind;
    for (const char *s = a->peer->host; *s; s++)
        h = (h ^ (unsigned char)*s) * 16777619u;
    return &list[h % BUCKETS];
}

/* Over HTTPS that is verified who asks is part of the question: the name on the certificate, and what is shown. */
static bool same_server(const struct check_about *x, const struct check_about *y)
{
    bool verified = x->tls && (x->peer->tls || y->peer->tls);
    return verified ? x->peer == y->peer : str_equal(x->peer->host, y->peer->host);
}

static bool same_question(const struct check *c, const struct check_about *a, const struct strbuf *request)
{
    return c->what.kind == a->kind && (a->kind == PROBE_PING || c->what.port == a->port) && c->what.tls == a->tls &&
           c->what.threshold == a->threshold && same_server(&c->what, a) && c->request.n == request->n &&
           (!request->n || !memcmp(c->request.p, request->p, request->n));
}

static struct check *check_new(const struct check_about *about, const struct strbuf *request)
{
    struct check *c = calloc(1, sizeof *c);
    if (!c || !(c->p = calloc(1, sizeof *c->p)))
        mem_fatal();
    c->what = *about;
    c->what.path = c->what.host = NULL;
    peer_ref(about->peer);
    buf_add(&c->request, request->n ? request->p : "", request->n);
    atomic_init(&c->up, true);
    atomic_init(&c->p->refs, 1);
    pthread_mutex_init(&c->p->lock, NULL);
    return c;
}

struct check *check_get(const struct check_about *about)
{
    struct strbuf request = { 0 };
    if (about->kind == PROBE_HTTP)
        buf_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", about->path, about->host);
    struct check **first = bucket(about);
    pthread_mutex_lock(&list_lock);
    struct check *c = *first;
    while (c && !same_question(c, about, &request))
        c = c->p->next;
    if (c) {
        atomic_fetch_add(&c->p->refs, 1);
    } else {
        c = check_new(about, &request);
        c->p->next = *first;
        *first = c;
    }
    pthread_mutex_unlock(&list_lock);
    buf_free(&request);
    return c;
}

struct check *check_ref(struct check *c)
{
    atomic_fetch_add_explicit(&c->p->refs, 1, memory_order_relaxed);
    return c;
}

/* The last reference is given up under the list's lock, so that nobody finds a check that is going. */
void check_release(struct check *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&list_lock);
    bool last = atomic_fetch_sub(&c->p->refs, 1) == 1;
    if (last) {
        struct check **at = bucket(&c->what);
        while (*at != c)
            at = &(*at)->p->next;
        *at = c->p->next;
    }
    pthread_mutex_unlock(&list_lock);
    if (!last)
        return;
    peer_release(c->what.peer);
    buf_free(&c->request);
    pthread_mutex_destroy(&c->p->lock);
    free(c->p);
    free(c);
}

bool check_verdict(struct check *c, bool up, const char *why)
{
    pthread_mutex_lock(&c->p->lock);
    bool changed = atomic_exchange(&c->up, up) != up;
    if (changed || !c->p->since)
        c->p->since = time(NULL);
    snprintf(c->p->why, sizeof c->p->why, "%s", why);
    pthread_mutex_unlock(&c->p->lock);
    atomic_fetch_add(&c->asked, 1);
    atomic_fetch_add(&c->failed, !up);
    return changed;
}

long long check_last(struct check *c, char why[CHECK_WHY])
{
    pthread_mutex_lock(&c->p->lock);
    memcpy(why, c->p->why, CHECK_WHY);
    long long since = c->p->since;
    pthread_mutex_unlock(&c->p->lock);
    return since;
}

void check_text(const struct check *c, struct strbuf *out)
{
    switch (c->what.kind) {
    case PROBE_HTTP: {
        const char *path = c->request.p + strlen("GET "), *host = strstr(path, "Host: ") + strlen("Host: ");
        buf_printf(out, "%s://%.*s%.*s at port %u", c->what.tls ? "https" : "http", (int)strcspn(host, "\r"), host,
                   (int)strcspn(path, " "), path, c->what.port);
        break;
    }
    case PROBE_TCP: buf_printf(out, "TCP port %u", c->what.port); break;
    case PROBE_PING: buf_puts(out, "ping"); break;
    }
}
