/* Asks a running target all the probes, with a few threads, and gathers what the comparison says. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

#define STRIDE 16 /* probes that a thread takes at once: neighbours share connections */

static void add_case(struct run *r, size_t probe, const struct judgement *g)
{
    struct verify_report *out = r->report;
    const struct probe *b = &r->probes.v[probe];
    struct verify_case *c = vec_push(out->arena, &out->cases);
    *c = (struct verify_case){ .target = r->target,
                               .verdict = g->verdict,
                               .probe = probe,
                               .aim = b->aim,
                               .curl = curl_command(r->plan, b, out->arena),
                               .rule = b->stream ? -1 : g->rule,
                               .server_rule = b->stream ? g->rule : -1,
                               .finding = g->finding,
                               .expected = arena_strdup(out->arena, g->expected.p ? g->expected.p : ""),
                               .got = arena_strdup(out->arena, g->got.p ? g->got.p : "") };
}

void run_settle(struct run *r, size_t probe, const struct judgement *g, const struct sighting *s)
{
    pthread_mutex_lock(&r->lock);
    r->report->targets[r->target].count[g->verdict]++;
    if (g->verdict != VERDICT_AGREED)
        add_case(r, probe, g);
    if (r->probes.v[probe].group && s->times && g->rule == r->probes.v[probe].aimed)
        vec_add(r->arena, &r->members, ((struct member_seen){ r->probes.v[probe].group, s->server }));
    pthread_mutex_unlock(&r->lock);
}

/* For verify_options.only: what came, whatever the verdict. Each probe has a place of its own. */
static void keep_answer(struct run *r, size_t probe, const struct exchange *e, const struct sighting *s,
                        const struct judgement *g)
{
    pthread_mutex_lock(&r->lock);
    answer_fill(&r->report->targets[r->target].answers[probe], r->report->arena, &r->places, e, s, g);
    pthread_mutex_unlock(&r->lock);
}

void run_ask(struct run *r, struct client *c, size_t number, const char *cookie, struct exchange *e, struct sighting *s)
{
    const struct probe *b = &r->probes.v[number];
    struct endpoint to = r->places.dead;
    bool tls = !b->stream && r->plan->listeners.v[b->listener].sockets.v[b->socket].tls;
    places_of_probe(&r->places, b, &to);
    client_ask(c, r->tls, b, number, to, tls, clients_image(&r->places.clients, b->client), cookie, r->stand_in, e);
    stand_in_take(r->stand_in, number, s);
}

static void one_probe(struct run *r, struct client *c, size_t number)
{
    const struct probe *b = &r->probes.v[number];
    struct exchange e = { 0 };
    struct sighting s;
    struct judgement g = { 0 };
    run_ask(r, c, number, NULL, &e, &s);
    judge_exchange(&r->judge, b, number, &e, &s, &g);
    if (b->group && s.times && g.verdict == VERDICT_AGREED && number % 8 == 0)
        judge_affinity(r, c, number, &e, &s, &g);
    run_settle(r, number, &g, &s);
    if (r->options->only)
        keep_answer(r, number, &e, &s, &g);
    sighting_free(&s);
    exchange_free(&e);
    buf_free(&g.expected);
    buf_free(&g.got);
}

static void *worker(void *arg)
{
    struct run *r = arg;
    struct client c = { .fd = -1 };
    for (;;) {
        size_t from = atomic_fetch_add(&r->next, STRIDE);
        if (from >= r->order.n || atomic_load(&r->gone))
            break;
        for (size_t i = from; i < from + STRIDE && i < r->order.n && !atomic_load(&r->gone); i++)
            one_probe(r, &c, r->order.v[i]);
    }
    connection_close(&c);
    buf_free(&c.in);
    return NULL;
}

/* ---- which probes, in which order ------------------------------------------------------- */

struct sort_key {
    uint32_t place, client;
    size_t number;
};

static int by_place(const void *x, const void *y)
{
    const struct sort_key *a = x, *b = y;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->client != b->client)
        return a->client < b->client ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

void run_choose(struct run *r, bool bad_certificate)
{
    struct sort_key *k = calloc(r->probes.n + 1, sizeof *k);
    size_t n = 0;
    if (k == NULL)
        mem_fatal();
    for (size_t i = 0; i < r->probes.n; i++)
        if (r->probes.v[i].method && r->probes.v[i].bad_certificate == bad_certificate &&
            (!r->probes.v[i].stream || r->asks_streams))
            k[n++] = (struct sort_key){ probe_place(r->plan, &r->probes.v[i]), r->probes.v[i].client, i };
    qsort(k, n, sizeof *k, by_place);
    r->order.n = 0;
    for (size_t i = 0; i < n; i++)
        vec_add(r->arena, &r->order, k[i].number);
    free(k);
}

static void progress(const struct run *r, size_t done)
{
    if (r->options->progress)
        fprintf(stderr, "\r\033[K%s: %zu of %zu requests", target_names[r->target],
                done < r->order.n ? done : r->order.n, r->order.n);
}

void run_ask_all(struct run *r, size_t threads)
{
    pthread_t thread[256];
    size_t started = 0;
    atomic_store(&r->next, 0);
    while (started < threads && started < 256 && pthread_create(&thread[started], NULL, worker, r) == 0)
        started++;
    if (started == 0)
        worker(r);
    for (size_t done; (done = atomic_load(&r->next)) < r->order.n; usleep(50000)) {
        progress(r, done);
        if (!sandbox_running(&r->sandbox) || (r->asks_streams && r->own_streams && !sandbox_running(&r->streams))) {
            atomic_store(&r->gone, true);
            break;
        }
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    progress(r, r->order.n);
}
