#include "record.h"
#include "access.h"
#include "../auth/identity.h"
#include <time.h>

enum { ENOUGH = 16 << 10, SOON = 1000 }; /* bytes of lines; ms that a line waits at most */

/* ---- numbers ---------------------------------------------------------------------------- */

static void add(atomic_ulong *n)
{
    atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static void count_exchange(struct exchange *x)
{
    struct counts *c = &x->loop->counts;
    struct rule_counts *of = x->rule ? x->rule->counts : NULL;
    bool failed = x->status >= 500 || x->cut_short;
    count(c, received, x->received);
    count(c, sent, x->sent);
    count(c, aborted, x->cut_short);
    count(c, server_failures, x->peer && x->cause >= CAUSE_CERTIFICATE);
    switch (x->status / 100) {
    case 0: break;
    case 1:
    case 2: count(c, answers_2xx, 1); break;
    case 3: count(c, answers_3xx, 1); break;
    case 4: count(c, answers_4xx, 1); break;
    default: count(c, answers_5xx, 1);
    }
    if (!of)
        return;
    add(&of->requests);
    if (failed)
        add(&of->failed);
    else if (x->status >= 400)
        add(&of->refused);
}

/* ---- the log ------------------------------------------------------------------------------ */

static void on_timer(struct timer *t)
{
    record_flush(container_of(t, struct loop, log_timer));
}

void record_to(struct loop *l, struct access_log *log)
{
    l->log = log;
    l->log_timer.fire = on_timer;
}

void record_flush(struct loop *l)
{
    timer_stop(&l->log_timer);
    if (l->log && l->log_lines.n)
        access_hand_over(l->log, &l->log_lines);
}

static const char *why(const struct exchange *x)
{
    if (x->cause != CAUSE_NONE)
        return cause_text(x->cause);
    return x->cut_short ? "cut short" : answer_names[x->decision.answer];
}

static void log_exchange(struct exchange *x)
{
    const struct client *c = x->client;
    const struct config *config = c->serving->snapshot->config;
    const struct conf_rule *rule = x->decision.rule >= 0 ? &config->rules.v[x->decision.rule] : NULL;
    struct loop *l = x->loop;
    char server[280];
    if (rule && !rule->logging)
        return;
    if (x->peer)
        snprintf(server, sizeof server, "%s:%u", x->peer->host, x->peer->port);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    struct access_entry e = {
        .wall = now.tv_sec,
        .wall_ms = (unsigned)(now.tv_nsec / 1000000),
        .client = c->address,
        .port = c->port,
        .connection = c->number,
        .protocol = x->request.version == 20   ? "HTTP/2"
                    : x->request.version == 10 ? "HTTP/1.0"
                                               : "HTTP/1.1",
        .tls = c->ssl ? SSL_get_version(c->ssl) : NULL,
        .method = x->method,
        .host = x->host,
        .target = x->target,
        .referer = head_value(&x->request, FIELD_REFERER),
        .agent = head_value(&x->request, FIELD_USER_AGENT),
        .listener = config->listeners.v[c->at->listener].name,
        .rule = rule ? rule->name : NULL,
        .user = x->who ? x->who->display : NULL,
        .why = why(x),
        .detail = x->detail,
        .body = x->left_alone,
        .server = x->peer ? server : NULL,
        .status = x->status,
        .received = x->received,
        .sent = x->sent,
        .ms = l->now - x->began,
    };
    if (!l->log_lines.n)
        timer_set(l, &l->log_timer, SOON);
    access_line(&l->log_lines, access_format_of(l->log), &e);
    if (l->log_lines.n >= ENOUGH)
        record_flush(l);
}

void record(struct exchange *x)
{
    count_exchange(x);
    if (x->loop->log)
        log_exchange(x);
}
