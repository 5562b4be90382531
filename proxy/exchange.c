/* exchange: the way of a request between its two sides. Who decides where it goes is in steer.c, members.c. */
#include "exchange.h"
#include "steer.h"
#include "bodies.h"
#include "delegation.h"
#include "members.h"
#include "record.h"
#include "upstream.h"
#include "../auth/identity.h"
#include <stdlib.h>

/* ---- the table ------------------------------------------------------------------- */

struct slot { /* an exchange with what only this file needs; never freed, used again */
    struct exchange x;
    struct grave grave;
    struct exchange *next_free;
};

static struct slot *slot_of(struct exchange *x)
{
    return container_of(x, struct slot, x);
}

static struct exchange *slot_new(struct loop *l)
{
    if (l->exchanges.n == l->exchanges.cap) {
        size_t cap = l->exchanges.cap ? l->exchanges.cap * 2 : 64;
        struct exchange **v = realloc(l->exchanges.v, cap * sizeof(struct exchange *));
        if (!v)
            mem_fatal();
        l->exchanges.v = v;
        l->exchanges.cap = cap;
    }
    struct slot *s = calloc(1, sizeof *s);
    if (!s)
        mem_fatal();
    s->x.loop = l;
    s->x.arena = arena_new();
    s->x.id.slot = (uint32_t)l->exchanges.n;
    l->exchanges.v[l->exchanges.n++] = &s->x;
    return &s->x;
}

struct exchange *exchange_new(struct client *c, const struct front_calls *calls, void *stream)
{
    struct loop *l = c->loop;
    struct exchange *x = l->exchanges.free;
    if (x)
        l->exchanges.free = slot_of(x)->next_free;
    else
        x = slot_new(l);
    x->client = c;
    x->front = calls;
    x->stream = stream;
    x->state = X_READY;
    x->began = l->now;
    c->requests++;
    count(&l->counts, requests, 1);
    return x;
}

struct exchange *exchange_find(struct loop *l, struct exchange_id id)
{
    struct exchange *x = id.slot < l->exchanges.n ? l->exchanges.v[id.slot] : NULL;
    return x && x->id.generation == id.generation && x->state != X_FREE && x->state != X_OVER ? x : NULL;
}

static void release(struct grave *g)
{
    struct slot *s = container_of(g, struct slot, grave);
    struct exchange *x = &s->x;
    struct loop *l = x->loop;
    struct arena *arena = x->arena;
    struct exchange_id id = { x->id.slot, x->id.generation + 1 };
    if (x->secret) {
        head_wipe(&x->request);
        arena_wipe(arena);
    } else {
        head_reset(&x->request);
        arena_reset(arena);
    }
    head_reset(&x->answer);
    memset(x, 0, offsetof(struct exchange, request));
    x->loop = l;
    x->arena = arena;
    x->id = id;
    s->next_free = l->exchanges.free;
    l->exchanges.free = x;
}

void exchanges_free(struct loop *l)
{
    for (size_t i = 0; i < l->exchanges.n; i++) {
        struct exchange *x = l->exchanges.v[i];
        head_free(&x->request);
        head_free(&x->answer);
        arena_free(x->arena);
        free(slot_of(x));
    }
    free(l->exchanges.v);
    memset(&l->exchanges, 0, sizeof l->exchanges); /* results of jobs may still come, and find nobody */
}

/* The rest of what a server says is not wanted. */
static void let_go(struct exchange *x)
{
    struct upstream *u = x->up;
    x->up = NULL;
    if (u)
        upstream_drop(u);
}

/* Nothing is called any more, and the memory is used again after this turn. */
static void bury(struct exchange *x)
{
    let_go(x);
    bodies_free(x);
    timer_stop(&x->deadline);
    x->state = X_OVER;
    record(x);
    if (x->peer)
        member_left(x);
    if (x->waiting && x->waiting_free)
        x->waiting_free(x->waiting);
    identity_release(x->who);
    buf_wipe(&x->kept);
    loop_bury(x->loop, &slot_of(x)->grave, release);
}

static void over(struct exchange *x)
{
    x->front->over(x);
    bury(x);
}

static void abort_both(struct exchange *x)
{
    x->cut_short = true;
    x->front->abort(x);
    bury(x);
}

/* ---- answers of our own --------------------------------------------------------------- */

void exchange_page(struct exchange *x, enum cause why)
{
    const char *html;
    size_t n;
    x->cause = why;
    head_reset(&x->answer);
    page_head(x->client->serving->snapshot->pages, why, &x->answer, &html, &n);
    exchange_answer(x, html, n);
}

void exchange_answer(struct exchange *x, const char *body, size_t n)
{
    struct head *a = &x->answer;
    let_go(x);
    a->version = 11;
    a->framing = BODY_LENGTH;
    a->length = n;
    x->status = a->status;
    x->head_sent = true;
    x->front->head(x);
    if (n && strcmp(x->method, "HEAD") != 0) {
        x->sent += n;
        x->front->body(x, body, n);
    }
    x->front->end(x);
    over(x);
}

/* ---- once more, over a handshake ---------------------------------------------------- */

bool exchange_can_repeat(const struct exchange *x)
{
    bool empty = x->request.framing == BODY_NONE || (x->request.framing == BODY_LENGTH && !x->request.length);
    return x->leg || empty || x->keeps;
}

void exchange_again(struct exchange *x)
{
    x->state = X_FORWARDING;
    timer_stop(&x->deadline);
    if (x->up)
        upstream_again(x->up);
    else
        upstream_take(x);
}

/* The answer has been thrown away. More of the body may have come meanwhile than is kept. */
static void send_again(struct exchange *x)
{
    x->again = x->again_waits = false;
    if (!exchange_can_repeat(x)) {
        exchange_page(x, CAUSE_DELEGATION);
        return;
    }
    if (!upstream_goes_on(x->up))
        let_go(x);
    x->on_again(x);
}

/* ---- the request ------------------------------------------------------------------------- */

void exchange_start(struct exchange *x)
{
    x->method = x->request.method;
    x->target = x->request.target;
    x->host = head_value(&x->request, FIELD_HOST);
    x->accept_encoding = head_value(&x->request, FIELD_ACCEPT_ENCODING);
    x->body_ended = x->request.framing == BODY_NONE || (x->request.framing == BODY_LENGTH && !x->request.length);
    if (x->request.first[FIELD_AUTHORIZATION])
        exchange_secret(x);
    steer(x);
}

void exchange_secret(struct exchange *x)
{
    x->secret = x->loop->secret = true;
}

struct exchange_id exchange_wait(struct exchange *x)
{
    x->state = X_WAITING;
    return x->id;
}

static void deadline(struct timer *t)
{
    struct exchange *x = container_of(t, struct exchange, deadline);
    if (x->state == X_WAITING)
        x->on_deadline(x);
}

uint64_t exchange_deadline(struct exchange *x, uint64_t ms, void (*late)(struct exchange *x))
{
    x->deadline.fire = deadline;
    x->on_deadline = late;
    timer_set(x->loop, &x->deadline, ms);
    return x->loop->now + ms;
}

void exchange_forward(struct exchange *x)
{
    x->state = X_FORWARDING;
    timer_stop(&x->deadline);
    if (!x->peer && !member_choose(x)) {
        exchange_failed(x, CAUSE_NO_MEMBER);
        return;
    }
    upstream_take(x);
}

void exchange_connected(struct exchange *x)
{
    if (!x->body_ended && !x->leg && !x->body_wanted) {
        x->body_wanted = true;
        x->front->want_body(x, true);
    }
}

void exchange_hold(struct exchange *x)
{
    if (!x->body_wanted)
        return;
    x->body_wanted = false;
    x->front->want_body(x, false);
}

static size_t high(const struct loop *l)
{
    return l->queued > l->queued_most ? QUEUE_LOW : QUEUE_HIGH;
}

/* The server connection may serve others. */
static void leave(struct exchange *x)
{
    struct upstream *u = x->up;
    x->up = NULL;
    if (u)
        upstream_release(u);
}

/* A body without a length turns out to be more than the rule's HTTP filter lets pass (B-133), or one of its texts is
 * in it (B-141). */
static void body_refused(struct exchange *x)
{
    if (x->head_sent)
        abort_both(x);
    else
        exchange_page(x, CAUSE_FILTERED);
}

static void keep_no_more(struct exchange *x)
{
    x->keeps = false;
    buf_wipe(&x->kept);
}

static void to_server(struct exchange *x, const char *p, size_t n)
{
    if (x->keeps && x->kept.n + n > BODY_KEPT)
        keep_no_more(x);
    if (x->keeps)
        buf_add(&x->kept, p, n);
    upstream_body(x->up, p, n);
}

/* What the HTTP filter has looked at goes on; true: all is well. */
static bool judge(struct exchange *x, const char *p, size_t n, bool end)
{
    struct strbuf out = { 0 };
    bool good = bodies_judge(x, p, n, end, &out);
    if (good && out.n)
        to_server(x, out.p, out.n);
    buf_free(&out);
    if (!good)
        body_refused(x);
    return good;
}

void exchange_body(struct exchange *x, const char *p, size_t n)
{
    x->received += n;
    if (x->on_body) {
        x->on_body(x, p, n, false);
        return;
    }
    if (!x->up)
        return; /* the answer is complete, and only waits for the client */
    if (x->body_most >= 0 && x->received > (uint64_t)x->body_most && !x->tunnel) {
        body_refused(x);
        return;
    }
    if (x->judge && !x->tunnel)
        judge(x, p, n, false);
    else
        to_server(x, p, n);
    if (x->up && upstream_queued(x->up) > high(x->loop))
        exchange_hold(x);
}

void exchange_body_end(struct exchange *x)
{
    x->body_ended = true;
    if (x->on_body) {
        x->on_body(x, "", 0, true);
        return;
    }
    if (x->judge && x->up && !x->tunnel && !judge(x, "", 0, true))
        return;
    if (x->up)
        upstream_body_end(x->up);
    if (x->again_waits)
        send_again(x);
    else if (x->state == X_REST) {
        leave(x);
        over(x);
    }
}

void exchange_server_room(struct exchange *x)
{
    if (!x->body_wanted && !x->body_ended) {
        x->body_wanted = true;
        x->front->want_body(x, true);
    }
}

void exchange_gone(struct exchange *x)
{
    x->cut_short = true;
    bury(x);
}

/* ---- the answer ------------------------------------------------------------------------------ */

void exchange_interim(struct exchange *x, const struct head *h)
{
    if (!x->leg)
        x->front->interim(x, h);
}

static void send_head(struct exchange *x)
{
    x->status = x->answer.status;
    x->head_sent = true;
    if (x->answer.framing == BODY_UNTIL_CLOSE)
        x->answer.framing = BODY_CHUNKED;
    x->front->head(x);
    if (x->tunnel) {
        x->body_wanted = true;
        x->front->want_body(x, true);
    }
}

void exchange_head(struct exchange *x)
{
    if (x->on_answer && x->on_answer(x)) {
        x->again = true;
        return;
    }
    keep_no_more(x);
    x->tunnel = x->answer.status == 101;
    if (!steer_answer(x)) /* a page was answered instead */
        return;
    if (!x->chain)
        send_head(x);
}

/* Answered by the published server: the client gets what is left of it, or sees that it was cut short. */
static void follow(struct exchange *x, enum bodies_result r)
{
    if (r == BODIES_WAIT && x->up && !x->paused) {
        x->paused = true;
        upstream_read(x->up, false);
    } else if (r == BODIES_REFUSED || r == BODIES_BROKEN) {
        x->left_alone = bodies_why(x);
        x->cause = r == BODIES_REFUSED ? CAUSE_FILTERED_ANSWER : CAUSE_GARBAGE;
        if (x->head_sent)
            abort_both(x);
        else
            exchange_page(x, x->cause);
    }
}

void exchange_piece(struct exchange *x, const char *p, size_t n)
{
    if (x->again)
        return;
    if (x->chain) {
        follow(x, bodies_piece(x, p, n, send_head));
        return;
    }
    x->sent += n;
    x->front->body(x, p, n);
    if (x->up && !x->paused && x->front->queued(x) > high(x->loop)) {
        x->paused = true;
        upstream_read(x->up, false);
    }
}

/* The answer is with the client, or in its queue. */
static void finish(struct exchange *x)
{
    x->front->end(x);
    if (x->up && !x->body_ended && upstream_takes_rest(x->up)) {
        x->state = X_REST;
        return;
    }
    leave(x);
    over(x);
}

/* What waited for the client to take what came before. */
static void go_on(struct exchange *x)
{
    enum bodies_result r = bodies_more(x, send_head);
    if (r != BODIES_ALL || !x->chain_done) {
        follow(x, r);
        return;
    }
    if (!x->head_sent)
        send_head(x);
    finish(x);
}

void exchange_room(struct exchange *x)
{
    if (x->rest_waits) {
        go_on(x);
        if (x->state == X_OVER || x->rest_waits)
            return;
    }
    if (x->paused && x->up) {
        x->paused = false;
        upstream_read(x->up, true);
    }
}

void exchange_end(struct exchange *x)
{
    if (x->again && (x->leg || x->body_ended)) {
        send_again(x);
        return;
    }
    if (x->again) {
        x->again_waits = true; /* the connection is in the middle of the body */
        return;
    }
    if (!x->chain) {
        finish(x);
        return;
    }
    bodies_ended(x);
    go_on(x);
    if (x->state != X_OVER && x->rest_waits) /* the client is behind; the server has done its part */
        leave(x);
}

/* Nothing reached the server: another address or member may answer (the client notices nothing). */
static bool try_another(struct exchange *x, enum cause t)
{
    bool connect = t == CAUSE_CONNECT || t == CAUSE_CONNECT_TIMEOUT || t == CAUSE_NAME;
    if (!connect || ++x->tries > 2 || !member_another(x))
        return false;
    x->cause = CAUSE_NONE;
    delegate_to_another(x);
    return true;
}

void exchange_failed(struct exchange *x, enum cause t)
{
    x->up = NULL;
    x->cause = t;
    if (x->state == X_REST)
        over(x);
    else if (x->head_sent)
        abort_both(x);
    else if (!try_another(x, t))
        exchange_page(x, t);
}
