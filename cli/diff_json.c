/* diff_json: a comparison for programs; docs/diff.md has the members. */
#include "diff.h"

#include <string.h>

static void member(struct strbuf *b, const char *between, const char *key, const char *value)
{
    buf_printf(b, "%s\"%s\": ", between, key);
    if (value)
        buf_json(b, value);
    else
        buf_puts(b, "null");
}

static void list(struct strbuf *b, const char *key, const strings *s)
{
    buf_printf(b, ", \"%s\": [", key);
    for (size_t i = 0; i < s->n; i++) {
        buf_puts(b, i ? ", " : "");
        buf_json(b, s->v[i]);
    }
    buf_putc(b, ']');
}

static const struct {
    unsigned bits;
    const char *word;
} aspects[] = {
    { 0xfffu | DIFFERS_SOCKET, "answer" }, { DIFFERS_LOCATION, "location" },
    { DIFFERS_BACKEND, "backend" },        { DIFFERS_HOST, "host" },
    { DIFFERS_TARGET, "target" },          { DIFFERS_HANDLING, "handling" },
    { DIFFERS_SIGN_IN, "sign-in" },        { DIFFERS_CERTIFICATE, "certificate" },
    { DIFFERS_SITE, "site-map" },
};

static void side(struct strbuf *b, const struct witness *w, int which)
{
    const struct diff_side *s = &w->side[which];
    struct strbuf text = { 0 };
    buf_witness_side(&text, w, which);
    member(b, which ? ", \"new\": {" : ", \"old\": {", "answer", s->answer);
    if (s->status)
        buf_printf(b, ", \"status\": %d", s->status);
    member(b, ", ", "rule", s->rule);
    member(b, ", ", "to", s->to);
    member(b, ", ", "host", s->host);
    member(b, ", ", "target", s->target);
    member(b, ", ", "location", s->location);
    member(b, ", ", "certificate", s->certificate);
    member(b, ", ", "text", text.p);
    buf_putc(b, '}');
    buf_free(&text);
}

static void witness(struct strbuf *b, const char *between, const char *key, const struct witness *w)
{
    struct strbuf text = { 0 };
    const char *comma = "";
    buf_printf(b, "%s\"%s\": ", between, key);
    if (!w) {
        buf_puts(b, "null");
        return;
    }
    buf_witness_request(&text, w);
    buf_puts(b, "{\"request\": {\"method\": \"GET\"");
    member(b, ", ", "scheme", w->tls ? "https" : "http");
    member(b, ", ", "address", w->address);
    buf_printf(b, ", \"port\": %u", w->port);
    member(b, ", ", "host", w->host);
    member(b, ", ", "target", w->target);
    buf_puts(b, ", \"client\": \"");
    buf_ip(b, w->client);
    buf_putc(b, '"');
    if (w->hour >= 0)
        buf_printf(b, ", \"hour\": %d", w->hour);
    member(b, ", ", "user", w->user);
    member(b, ", ", "text", text.p);
    buf_putc(b, '}');
    for (int which = 0; which < 2; which++)
        side(b, w, which);
    buf_puts(b, ", \"differs\": [");
    for (size_t i = 0; i < sizeof aspects / sizeof *aspects; i++)
        if (w->bits & aspects[i].bits) {
            buf_printf(b, "%s\"%s\"", comma, aspects[i].word);
            comma = ", ";
        }
    buf_puts(b, "]}");
    buf_free(&text);
}

static void field(struct strbuf *b, const struct diff_field *f)
{
    member(b, "\n      {", "key", f->key);
    if (f->removed.n || f->added.n) {
        list(b, "removed", &f->removed);
        list(b, "added", &f->added);
    } else {
        member(b, ", ", "old", f->before);
        member(b, ", ", "new", f->after);
    }
    buf_printf(b, ", \"runs\": %s", f->bits & RUNS_DIFFERENTLY ? "true" : "false");
    witness(b, ", ", "witness", f->witness);
    buf_putc(b, '}');
}

static void change(struct strbuf *b, const struct diff_change *c)
{
    member(b, "\n    {", "subject", diff_subject_names[c->subject]);
    member(b, ", ", "kind", diff_kind_names[c->kind]);
    member(b, ", ", "name", c->name);
    member(b, ", ", "old_name", c->old_name);
    buf_printf(b, ", \"from\": %zu, \"to\": %zu, \"moved\": %s, \"old_line\": %u, \"new_line\": %u", c->from, c->to,
               c->moved ? "true" : "false", (unsigned)c->line[0], (unsigned)c->line[1]);
    witness(b, ",\n     ", "witness", c->witness);
    witness(b, ",\n     ", "move_witness", c->move_witness);
    buf_puts(b, ",\n     \"fields\": [");
    for (size_t i = 0; i < c->fields.n; i++) {
        buf_puts(b, i ? "," : "");
        field(b, &c->fields.v[i]);
    }
    buf_puts(b, "]}");
}

void diff_write_json(struct strbuf *b, const struct compared *x)
{
    const struct diff *d = x->d;
    member(b, "{\n  \"diff\": 1,\n  ", "tmgc", TMGC_VERSION);
    member(b, ",\n  ", "old", x->old);
    member(b, ",\n  ", "new", x->new);
    buf_printf(b, ",\n  \"same_answers\": %s,\n  \"same_meaning\": %s,\n  \"proven\": %s", d->same ? "true" : "false",
               d->meaningless ? "true" : "false", d->unproven ? "false" : "true");
    buf_printf(b, ",\n  \"classes\": %zu,\n  \"different\": %zu,\n  \"unproven\": %zu", d->classes, d->different,
               d->unproven);
    if (x->texts)
        buf_printf(b, ",\n  \"lines\": {\"moved\": %zu, \"removed\": %zu, \"added\": %zu}", x->lines_moved,
                   x->lines_gone, x->lines_new);
    buf_puts(b, ",\n  \"changes\": [");
    for (size_t i = 0; i < d->changes.n; i++) {
        buf_puts(b, i ? "," : "");
        change(b, &d->changes.v[i]);
    }
    buf_puts(b, "]");
    witness(b, ",\n  ", "unexplained", d->other);
    buf_puts(b, "\n}\n");
}
