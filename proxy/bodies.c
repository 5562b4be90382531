/* bodies: answers' and requests' bodies through rewrite/; see the header. */
#include "bodies.h"
#include "../rewrite/chain.h"

#include <string.h>

/* B-65. HTTP/1.0 has no way to send a body whose length is not known but to close. */
static bool compresses(const struct exchange *x)
{
    const struct plan_rule *r = &x->client->serving->snapshot->plan->rules.v[x->decision.rule];
    return r->compresses && (r->compresses_all || ipset_has(&r->compresses_for, x->client->address)) &&
           x->request.version >= 11;
}

static struct chain_about about(const struct exchange *x)
{
    return (struct chain_about){ .rule = (uint32_t)x->decision.rule,
                                 .tls = x->client->tls,
                                 .method = x->method,
                                 .host = x->host,
                                 .target = x->target,
                                 .accept_encoding = x->accept_encoding,
                                 .compresses = compresses(x),
                                 .request = &x->request };
}

/* Location and Content-Location go by the dictionary too, where links are translated (B-42). */
static void translate_field(struct exchange *x, const struct chain_about *a, enum field_id id, const char *name)
{
    struct strbuf out = { 0 };
    const char *value = head_value(&x->answer, id);
    if (value && chain_text(x->client->serving->rewriting, a, value, &out))
        head_set(&x->answer, id, name, head_copy(&x->answer, out.p, out.n));
    buf_free(&out);
}

void bodies_answer(struct exchange *x)
{
    struct chain_about a = about(x);
    translate_field(x, &a, FIELD_LOCATION, "Location");
    translate_field(x, &a, FIELD_CONTENT_LOCATION, "Content-Location");
    if (!x->tunnel)
        x->chain = chain_answer(x->client->serving->rewriting, &a, &x->answer, &x->left_alone);
}

void bodies_request(struct exchange *x)
{
    struct chain_about a = about(x);
    x->judge = chain_request(x->client->serving->rewriting, &a);
}

/* What came out, to the front. */
static void give(struct exchange *x, struct strbuf *out, void (*head)(struct exchange *x))
{
    if (!out->n)
        return;
    if (!x->head_sent)
        head(x);
    x->sent += out->n;
    x->front->body(x, out->p, out->n);
    buf_clear(out);
}

static enum bodies_result result_of(enum chain_result r)
{
    return r == CHAIN_MORE      ? BODIES_ALL
           : r == CHAIN_FULL    ? BODIES_WAIT
           : r == CHAIN_REFUSED ? BODIES_REFUSED
                                : BODIES_BROKEN;
}

/* One call after the other, until all of p is taken or the client holds too much. */
static enum bodies_result run(struct exchange *x, const char *p, size_t n, size_t *at, void (*head)(struct exchange *x))
{
    struct strbuf out = { 0 };
    enum chain_result r = CHAIN_FULL;
    while (r == CHAIN_FULL && x->front->queued(x) <= QUEUE_HIGH) {
        size_t used = 0;
        r = chain_push(x->chain, p + *at, n - *at, &used, &out);
        *at += used;
        give(x, &out, head);
    }
    while (r == CHAIN_MORE && x->chain_ends && x->front->queued(x) <= QUEUE_HIGH) {
        r = chain_end(x->chain, &out);
        x->chain_done = r == CHAIN_MORE;
        give(x, &out, head);
        if (r != CHAIN_FULL)
            break;
        r = CHAIN_MORE;
    }
    buf_free(&out);
    return r == CHAIN_MORE && x->chain_ends && !x->chain_done ? BODIES_WAIT : result_of(r);
}

enum bodies_result bodies_piece(struct exchange *x, const char *p, size_t n, void (*head)(struct exchange *x))
{
    size_t at = 0;
    enum bodies_result r = BODIES_WAIT;
    if (!x->rest.n)
        r = run(x, p, n, &at, head);
    if (r == BODIES_WAIT)
        buf_add(&x->rest, p + at, n - at);
    x->rest_waits = r == BODIES_WAIT;
    return r;
}

enum bodies_result bodies_more(struct exchange *x, void (*head)(struct exchange *x))
{
    size_t at = 0;
    enum bodies_result r = run(x, x->rest.p ? x->rest.p : "", x->rest.n, &at, head);
    if (at)
        memmove(x->rest.p, x->rest.p + at, x->rest.n - at);
    x->rest.n -= at;
    x->rest_waits = r == BODIES_WAIT;
    return r;
}

void bodies_ended(struct exchange *x)
{
    x->chain_ends = true;
}

bool bodies_judge(struct exchange *x, const char *p, size_t n, bool end, struct strbuf *out)
{
    enum chain_result r = CHAIN_MORE;
    for (size_t at = 0, used; at < n && (r == CHAIN_MORE || r == CHAIN_FULL); at += used) {
        struct strbuf some = { 0 };
        r = chain_push(x->judge, p + at, n - at, &used, &some);
        buf_add(out, some.p ? some.p : "", some.n);
        buf_free(&some);
    }
    if (end && r == CHAIN_MORE)
        r = chain_end(x->judge, out);
    return r == CHAIN_MORE || r == CHAIN_FULL;
}

const char *bodies_why(const struct exchange *x)
{
    return x->chain ? chain_why(x->chain) : NULL;
}

void bodies_free(struct exchange *x)
{
    chain_free(x->chain);
    chain_free(x->judge);
    x->chain = x->judge = NULL;
    buf_free(&x->rest);
}
