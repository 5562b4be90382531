#include "status.h"
#include <inttypes.h>
#include <time.h>

void counts_add(struct counts *total, const struct counts *c)
{
#define X(name, help) total->name += __atomic_load_n(&c->name, __ATOMIC_RELAXED);
    COUNTS(X)
#undef X
}

/* ---- for people ------------------------------------------------------------------------ */

static const char style[] =
    ":root{color-scheme:light dark;--line:#d8dbe0;--quiet:#5b6470;--good:#1a7f37;--bad:#c62828}"
    "@media(prefers-color-scheme:dark){:root{--line:#3a3f47;--quiet:#9aa4b2;--good:#4cc26b;--bad:#ff7b72}}"
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "h1{font-size:1.35rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}"
    "p{color:var(--quiet);margin:.2rem 0}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--quiet);font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;padding-right:1.4rem}"
    ".wide{overflow-x:auto}.up{color:var(--good)}.down{color:var(--bad);font-weight:600}"
    ".cards{display:flex;flex-wrap:wrap;gap:.6rem;margin-top:1.2rem}"
    ".cards div{border:1px solid var(--line);border-radius:.5rem;padding:.5rem .9rem;min-width:7.5rem}"
    ".cards b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.cards span{color:var(--quiet)}";

static void html(struct strbuf *b, const char *s)
{
    struct strbuf plain = { 0 };
    buf_visible(&plain, s ? s : "");
    for (const char *p = plain.p ? plain.p : ""; *p; p++)
        switch (*p) {
        case '<': buf_puts(b, "&lt;"); break;
        case '>': buf_puts(b, "&gt;"); break;
        case '&': buf_puts(b, "&amp;"); break;
        case '"': buf_puts(b, "&quot;"); break;
        default: buf_putc(b, *p);
        }
    buf_free(&plain);
}

static void cell(struct strbuf *b, const char *s)
{
    buf_puts(b, "<td>");
    html(b, s);
}

static void number(struct strbuf *b, uint64_t n)
{
    buf_printf(b, "<td class=n>%" PRIu64, n);
}

static void card(struct strbuf *b, const char *what, uint64_t n)
{
    buf_printf(b, "<div><b>%" PRIu64 "</b><span>%s</span></div>", n, what);
}

static void moment(struct strbuf *b, long long wall)
{
    char text[40];
    time_t at = (time_t)wall;
    struct tm tm;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&at, &tm));
    buf_puts(b, text);
}

static void duration(struct strbuf *b, long long s)
{
    if (s >= 86400)
        buf_printf(b, "%lld d ", s / 86400);
    buf_printf(b, "%lld:%02lld:%02lld", s / 3600 % 24, s / 60 % 60, s % 60);
}

static void page_top(struct strbuf *b, const struct status *s)
{
    buf_puts(b, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">"
                "<title>publishd</title><style>");
    buf_puts(b, style);
    buf_puts(b, "</style>\n<h1>publishd ");
    html(b, s->version);
    buf_puts(b, "</h1>\n<p>running ");
    duration(b, s->now - s->started);
    buf_printf(b, " with %zu loop%s; ", s->loops, s->loops == 1 ? "" : "s");
    html(b, s->config);
    buf_puts(b, " loaded ");
    moment(b, s->loaded);
    if (s->reloads || s->failed_reloads)
        buf_printf(b, ", %lu reload%s, %lu refused", s->reloads, s->reloads == 1 ? "" : "s", s->failed_reloads);
    buf_puts(b, "</p>\n<div class=cards>");
    card(b, "connections", s->clients);
    card(b, "requests", s->total.requests);
    card(b, "refused (4xx)", s->total.answers_4xx);
    card(b, "failed (5xx)", s->total.answers_5xx);
    card(b, "cut short", s->total.aborted);
    card(b, "signed in", s->total.sign_ins);
    card(b, "bytes waiting", s->queued);
    buf_puts(b, "</div>\n");
    if (s->log_lost)
        buf_printf(b, "<p class=down>%lu lines of the log could not be written</p>\n", s->log_lost);
}

static void page_listeners(struct strbuf *b, const struct status *s)
{
    buf_puts(b, "<h2>Listeners</h2>\n<div class=wide><table><tr><th>listener<th>sockets<th class=n>connections\n");
    for (size_t i = 0; i < s->listeners.n; i++) {
        buf_puts(b, "<tr>");
        cell(b, s->listeners.v[i].name);
        cell(b, s->listeners.v[i].sockets);
        number(b, s->listeners.v[i].clients);
        buf_putc(b, '\n');
    }
    buf_puts(b, "</table></div>\n");
}

static void member_state(struct strbuf *b, const struct status_member *m)
{
    buf_printf(b, "<td class=%s>", m->up ? "up" : "down");
    html(b, m->state);
    if (m->since) {
        buf_puts(b, " since ");
        moment(b, m->since);
    }
    if (m->drained)
        buf_puts(b, "<br>draining: no new clients");
}

static void member_check(struct strbuf *b, const struct status_member *m)
{
    cell(b, m->check);
    if (!m->since)
        return;
    buf_puts(b, "<br>");
    html(b, m->said);
    buf_printf(b, "; asked %" PRIu64 " times, in vain %" PRIu64, m->asked, m->failed);
}

static void page_members(struct strbuf *b, const struct status *s)
{
    if (!s->members.n)
        return;
    buf_puts(b, "<h2>Published servers</h2>\n<div class=wide><table><tr><th>farm or rule<th>server<th>state<th>check"
                "<th class=n>now<th class=n>requests<th class=n>failures\n");
    for (size_t i = 0; i < s->members.n; i++) {
        const struct status_member *m = &s->members.v[i];
        buf_puts(b, "<tr>");
        cell(b, m->farm);
        cell(b, m->server);
        member_state(b, m);
        member_check(b, m);
        number(b, m->current);
        number(b, m->requests);
        number(b, m->failures);
        buf_putc(b, '\n');
    }
    buf_puts(b, "</table></div>\n");
}

static void page_rules(struct strbuf *b, const struct status *s)
{
    buf_puts(
        b,
        "<h2>Rules, in the order in which they are tried</h2>\n<div class=wide><table><tr><th class=n>#<th>rule<th>listener<th>action"
        "<th class=n>requests<th class=n>refused<th class=n>failed\n");
    for (size_t i = 0; i < s->rules.n; i++) {
        const struct status_rule *r = &s->rules.v[i];
        buf_printf(b, "<tr><td class=n>%ld", r->number);
        cell(b, r->name);
        cell(b, r->listener);
        cell(b, r->action);
        number(b, r->requests);
        number(b, r->refused);
        number(b, r->failed);
        buf_putc(b, '\n');
    }
    buf_puts(b, "</table></div>\n");
}

void status_page(struct strbuf *out, const struct status *s)
{
    page_top(out, s);
    page_listeners(out, s);
    page_members(out, s);
    page_rules(out, s);
    buf_puts(out,
             "<p>The numbers count from the start; those of rules from the last load, those of a server for all rules "
             "that send to it. "
             "<a href=/metrics>/metrics</a> has them for Prometheus.</p>\n");
}

/* ---- for Prometheus --------------------------------------------------------------------- */

/* A label's value: backslash, quote and line feed are escaped (https://prometheus.io/docs/instrumenting/exposition_formats/). */
static void label(struct strbuf *b, const char *key, const char *value)
{
    buf_printf(b, "%s=\"", key);
    for (const char *p = value ? value : ""; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_putc(b, '\\');
        if (*p == '\n')
            buf_puts(b, "\\n");
        else
            buf_putc(b, *p);
    }
    buf_putc(b, '"');
}

static void family(struct strbuf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP publishd_%s %s\n# TYPE publishd_%s %s\n", name, help, name, type);
}

static void gauge(struct strbuf *b, const char *name, const char *help, uint64_t n)
{
    family(b, name, "gauge", help);
    buf_printf(b, "publishd_%s %" PRIu64 "\n", name, n);
}

static void counter(struct strbuf *b, const char *name, const char *help, uint64_t n)
{
    char full[64];
    snprintf(full, sizeof full, "%s_total", name);
    family(b, full, "counter", help);
    buf_printf(b, "publishd_%s %" PRIu64 "\n", full, n);
}

static void rule_metric(struct strbuf *b, const struct status *s, const char *name, const char *help, size_t member)
{
    family(b, name, "counter", help);
    for (size_t i = 0; i < s->rules.n; i++) {
        const struct status_rule *r = &s->rules.v[i];
        buf_printf(b, "publishd_%s{", name);
        label(b, "rule", r->name);
        buf_printf(b, ",number=\"%ld\",", r->number);
        label(b, "listener", r->listener);
        buf_printf(b, "} %" PRIu64 "\n", *(const uint64_t *)((const char *)r + member));
    }
}

enum which_members { ALL_MEMBERS, CHECKED_MEMBERS };

static void member_metric(struct strbuf *b, const struct status *s, enum which_members which, const char *name,
                          const char *type, const char *help, uint64_t (*value)(const struct status_member *m))
{
    family(b, name, type, help);
    for (size_t i = 0; i < s->members.n; i++) {
        const struct status_member *m = &s->members.v[i];
        if (which == CHECKED_MEMBERS && !m->check)
            continue;
        buf_printf(b, "publishd_%s{", name);
        label(b, "farm", m->farm);
        buf_putc(b, ',');
        label(b, "server", m->server);
        buf_printf(b, "} %" PRIu64 "\n", value(m));
    }
}

/* Every number of a member: its name, who has it, its type, its help and where it stands. */
#define MEMBER_METRICS(X)                                                                                              \
    X(member_up, ALL_MEMBERS, "gauge", "1: the server takes requests, as far as is known", up)                         \
    X(member_draining, ALL_MEMBERS, "gauge", "1: it takes no new clients", drained)                                    \
    X(member_requests_total, ALL_MEMBERS, "counter", "requests that went there", requests)                             \
    X(member_failures_total, ALL_MEMBERS, "counter", "of them, without an answer", failures)                           \
    X(member_current, ALL_MEMBERS, "gauge", "requests under way", current)                                             \
    X(member_checks_total, CHECKED_MEMBERS, "counter", "times it was asked whether it is up", asked)                   \
    X(member_checks_failed_total, CHECKED_MEMBERS, "counter", "of them, without a good answer", failed)                \
    X(member_since_seconds, CHECKED_MEMBERS, "gauge", "since when it is up or down; 0: not asked yet", since)
#define X(name, which, type, help, field)                                                                              \
    static uint64_t value_of_##name(const struct status_member *m)                                                     \
    {                                                                                                                  \
        return (uint64_t)m->field;                                                                                     \
    }
MEMBER_METRICS(X)
#undef X

void status_metrics(struct strbuf *out, const struct status *s)
{
#define X(name, help) counter(out, #name, help, s->total.name);
    COUNTS(X)
#undef X
    counter(out, "reloads", "configurations loaded after the first", s->reloads);
    counter(out, "reloads_refused", "configurations that were not good", s->failed_reloads);
    counter(out, "log_lines_lost", "lines of the log that could not be written", s->log_lost);
    gauge(out, "clients", "client connections now", s->clients);
    gauge(out, "queued_bytes", "bytes that wait in queues", s->queued);
    gauge(out, "start_time_seconds", "when publishd started", (uint64_t)s->started);
    gauge(out, "config_time_seconds", "when the configuration was loaded", (uint64_t)s->loaded);
    rule_metric(out, s, "rule_requests_total", "requests that the rule answered",
                offsetof(struct status_rule, requests));
    rule_metric(out, s, "rule_refused_total", "of them, answered with 4xx", offsetof(struct status_rule, refused));
    rule_metric(out, s, "rule_failed_total", "of them, answered with 5xx or not at all",
                offsetof(struct status_rule, failed));
#define X(name, which, type, help, field) member_metric(out, s, which, #name, type, help, value_of_##name);
    MEMBER_METRICS(X)
#undef X
}
