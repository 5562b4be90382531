/* steer: asks the snapshot's routes and follows the decision. */
#include "steer.h"
#include "answer.h"
#include "bodies.h"
#include "delegation.h"
#include "flood.h"
#include "forward.h"
#include "members.h"
#include "signing.h"

static int hour_now(struct loop *l)
{
    if (l->wall >= l->hour_until)
        l->hour = snapshot_hour(l->wall, &l->hour_until);
    return l->hour;
}

/* A proxy in front names the client in a header of its own: one that is not there, or there twice, is no client. */
static bool named_in_header(struct exchange *x)
{
    static const char name[] = PREAUTH_CLIENT;
    const struct head *h = &x->request;
    uint32_t found = 0, times = 0;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->fields[i].name_n == sizeof name - 1 && !ascii_casecmp(h->fields[i].name, name)) {
            found = i;
            times++;
        }
    if (times != 1 || !ip_parse(h->fields[found].value, &x->client->address))
        return false;
    head_remove_at(&x->request, found);
    return true;
}

static void ask(struct exchange *x)
{
    struct client *c = x->client;
    const struct snapshot *s = c->serving->snapshot;
    const struct shown *shown = shown_by(c);
    struct request q = { .listener = c->at->listener,
                         .tls = c->tls,
                         .port = c->at->port,
                         .client = c->address,
                         .client_port = c->port,
                         .hour = hour_now(x->loop),
                         .certificate = shown && shown->state == SHOWN_GOOD ? 1 : -1 };
    route_ask(s, &x->request, x->arena, &q);
    route(s, &q, x->arena, &x->decision);
    if (x->decision.rule < 0)
        return;
    x->rule = &c->serving->rules.v[x->decision.rule];
    x->from = x->rule->transparent ? c->address : 0;
}

static void redirect(struct exchange *x)
{
    const char *html;
    size_t n;
    head_reset(&x->answer);
    redirect_head(x->decision.location, &x->answer, &html, &n);
    exchange_answer(x, html, n);
}

void steer_send(struct exchange *x, const char *authorization)
{
    struct forward f = {
        .client = x->client->address, .cookies = x->rule->cookies, .signed_in = x->who, .authorization = authorization
    };
    bodies_request(x);
    x->made = true;
    x->upgrade = forward_head(x->client->serving->snapshot, &x->decision, &f, &x->request);
    exchange_forward(x);
}

static bool keeps_options(const struct exchange *x)
{
    const struct plan_rule *r = &x->client->serving->snapshot->plan->rules.v[x->decision.rule];
    return !r->rule->pass_options && !strcmp(x->method, "OPTIONS");
}

static void answer_options(struct exchange *x)
{
    x->decision.answer = ANSWER_OPTIONS; /* also for who has just signed in */
    head_reset(&x->answer);
    options_head(x->client->serving->snapshot->plan->rules.v[x->decision.rule].filter, &x->answer);
    signing_answer(x);
    exchange_answer(x, "", 0);
}

static void forward(struct exchange *x)
{
    if (keeps_options(x)) {
        answer_options(x);
        return;
    }
    x->body_most = forward_body_max(x->client->serving->snapshot, &x->decision);
    x->affinity = member_in_cookie(x); /* before the cookie is taken out */
    delegate(x);
}

void steer(struct exchange *x)
{
    if (x->client->at->client_from == CLIENT_BY_HEADER && !named_in_header(x)) {
        exchange_page(x, CAUSE_BAD_REQUEST);
        return;
    }
    if (x->client->serving->snapshot->config->flood && !flood_asks(x->client->address, x->loop->now)) {
        exchange_page(x, CAUSE_FLOOD);
        return;
    }
    ask(x);
    if (signing_takes(x, forward))
        return;
    switch (x->decision.answer) {
    case ANSWER_FORWARD:
    case ANSWER_OPTIONS: forward(x); break;
    case ANSWER_HTTPS:
    case ANSWER_DENY_REDIRECT: redirect(x); break;
    case ANSWER_NEEDS_CERTIFICATE: exchange_page(x, shown_cause(x->client)); break;
    default: exchange_page(x, cause_of(&x->decision));
    }
}

static const char *affinity_cookie(struct exchange *x)
{
    return arena_printf(x->arena, "%s=%s; Path=/; HttpOnly%s", x->rule->cookie, x->peer->id,
                        x->client->tls ? "; Secure" : "");
}

bool steer_answer(struct exchange *x)
{
    struct answer_to to = { .tls = x->client->tls,
                            .host = x->host,
                            .set_cookie = x->set_affinity ? affinity_cookie(x) : NULL,
                            .upgraded = x->upgrade };
    if (delegation_failed(x))
        return false;
    enum cause why = answer_head(x->client->serving->snapshot, &x->decision, &to, &x->answer);
    if (why == CAUSE_NONE) {
        signing_answer(x);
        bodies_answer(x);
        return true;
    }
    exchange_page(x, why);
    return false;
}
