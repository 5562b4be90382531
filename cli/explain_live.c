/* explain --live: what the real programs answer. They run as verify runs them, on loopback, asked nothing but these requests. */
#include "explain.h"

#include <string.h>

/* Requests that no listener takes are asked nowhere. */
static size_t choose(struct cli *c, const struct plan *p, const asked_list *list, struct live *out,
                     struct verify_request *chosen)
{
    size_t n = 0, others;
    for (size_t i = 0; i < list->n; i++) {
        int listener = asked_listener(p, &list->v[i], c->value[OPT_TO], &others);
        out->place[i] = listener < 0 ? SIZE_MAX : n;
        if (listener >= 0)
            chosen[n++] = (struct verify_request){ &list->v[i], (uint32_t)listener,
                                                   asked_socket(p, &list->v[i], (size_t)listener, c->value[OPT_TO]) };
    }
    return n;
}

int live_ask(struct cli *c, const struct cli_input *in, const asked_list *list, struct live *out)
{
    struct verify_options o;
    struct strbuf err = { 0 };
    int status = verify_options_take(c, &o);
    if (status != EXIT_DONE)
        return status;
    struct verify_request *chosen = arena_alloc(c->arena, (list->n + 1) * sizeof *chosen);
    out->place = arena_alloc(c->arena, (list->n + 1) * sizeof *out->place);
    o.targets = c->targets;
    o.requests = NULL;
    o.only = chosen;
    o.only_n = choose(c, in->plan, list, out, chosen);
    if (verify_run(in->plan, &in->findings, &o, &out->report, &err) != 0)
        status = cli_error(c, "%s", err.p ? err.p : "");
    else
        out->asked = true;
    buf_free(&err);
    return status;
}

int live_status(const struct live *l)
{
    return verify_status(&l->report);
}

void live_free(struct live *l)
{
    verify_report_free(&l->report);
}

static const struct verify_answer *answer_of(const struct live *l, enum target t, size_t number)
{
    const struct verify_target *v = &l->report.targets[t];
    return v->ran && l->place[number] != SIZE_MAX ? &v->answers[l->place[number]] : NULL;
}

/* ---- text --------------------------------------------------------------------------- */

static void what_came(struct strbuf *b, const struct verify_answer *w)
{
    if (w->status == 0) {
        buf_puts(b, w->error);
        return;
    }
    buf_printf(b, "%d", w->status);
    if (w->location) {
        buf_puts(b, " to ");
        buf_visible(b, w->location);
    }
    if (!w->server) {
        buf_puts(b, ", nothing forwarded");
        return;
    }
    buf_printf(b, ", forwarded to %s://%s:%u as ", w->tls ? "https" : "http", w->server, w->port);
    buf_visible(b, w->method);
    buf_putc(b, ' ');
    buf_visible(b, w->target);
    buf_puts(b, w->host ? ", Host " : ", no Host");
    buf_visible(b, w->host ? w->host : "");
}

static void why_not_run(struct strbuf *b, const struct verify_target *v)
{
    buf_puts(b, "did not run: ");
    buf_visible(b, v->why_not ? v->why_not : "");
}

static const char *const words[VERDICTS] = { "agrees", "agrees, with the difference that is declared", "DISAGREES",
                                             "not tested" };

void live_text(struct strbuf *b, const struct live *l, enum target t, size_t number)
{
    const struct verify_target *v = &l->report.targets[t];
    const struct verify_answer *w = answer_of(l, t, number);
    buf_puts(b, "  live         ");
    if (!v->ran)
        why_not_run(b, v);
    else if (w) {
        what_came(b, w);
        buf_printf(b, ": %s", words[w->verdict]);
        if (w->finding >= 0)
            buf_printf(b, " (TMG%u %s)", finding_kinds[w->finding].code, finding_kinds[w->finding].name);
        if (w->verdict == VERDICT_DISAGREED) {
            buf_puts(b, "\n  expected     ");
            buf_visible(b, w->expected);
            buf_puts(b, "\n  came         ");
            buf_visible(b, w->got);
        }
    }
    buf_putc(b, '\n');
}

void live_row(struct strbuf *b, const struct live *l, size_t number)
{
    const char *comma = "  [";
    for (unsigned t = 0; t < TARGETS; t++) {
        const struct verify_answer *w = answer_of(l, (enum target)t, number);
        if (!w)
            continue;
        buf_printf(b, "%s%s %d %s", comma, target_names[t], w->status, verdict_names[w->verdict]);
        comma = ", ";
    }
    if (*comma == ',')
        buf_putc(b, ']');
}

void live_summary(struct strbuf *b, const struct live *l)
{
    for (unsigned t = 0; t < TARGETS; t++) {
        const struct verify_target *v = &l->report.targets[t];
        if (!v->wanted)
            continue;
        buf_printf(b, "%-9s ", target_names[t]);
        if (v->ran)
            buf_printf(b, "%zu agreed, %zu agreed with a declared difference, %zu disagreed, %zu untested",
                       v->count[VERDICT_AGREED], v->count[VERDICT_DECLARED], v->count[VERDICT_DISAGREED],
                       v->count[VERDICT_UNTESTED]);
        else
            why_not_run(b, v);
        buf_putc(b, '\n');
    }
}

/* ---- JSON --------------------------------------------------------------------------- */

static void member(struct strbuf *b, const char *key, const char *value)
{
    buf_printf(b, ", \"%s\": ", key);
    if (value)
        buf_json(b, value);
    else
        buf_puts(b, "null");
}

void live_json(struct strbuf *b, const struct live *l, enum target t, size_t number)
{
    const struct verify_target *v = &l->report.targets[t];
    const struct verify_answer *w = answer_of(l, t, number);
    buf_printf(b, ", \"live\": {\"ran\": %s", v->ran ? "true" : "false");
    if (!v->ran)
        member(b, "why_not", v->why_not);
    if (w) {
        member(b, "verdict", verdict_names[w->verdict]);
        buf_printf(b, ", \"status\": %d", w->status);
        member(b, "error", w->error);
        member(b, "location", w->location);
        if (w->server) {
            buf_puts(b, ", \"forwarded\": {\"host\": ");
            buf_json(b, w->server);
            buf_printf(b, ", \"port\": %u, \"tls\": %s", w->port, w->tls ? "true" : "false");
            member(b, "method", w->method);
            member(b, "target", w->target);
            member(b, "host_field", w->host);
            buf_putc(b, '}');
        } else
            member(b, "forwarded", NULL);
        if (w->finding >= 0)
            buf_printf(b, ", \"finding\": \"TMG%u\"", finding_kinds[w->finding].code);
        if (w->verdict != VERDICT_AGREED) {
            member(b, "expected", w->expected);
            member(b, "got", w->got);
        }
    }
    buf_putc(b, '}');
}
