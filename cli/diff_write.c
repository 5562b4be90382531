/* diff_write: a comparison as text, Markdown and JSON. */
#include "diff.h"

#include <string.h>

/* ---- what all of them say --------------------------------------------------------- */

static void buf_count(struct strbuf *b, size_t n, const char *what)
{
    buf_printf(b, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

static void verdict(struct strbuf *b, const struct diff *d)
{
    if (d->unproven) {
        buf_puts(b, "Not proven: ");
        buf_count(b, d->unproven, "host");
        buf_printf(b, " left after %zu classes of requests (--limit)", d->classes);
        buf_printf(
            b, d->different ? "; %zu of these are answered differently." : "; none of these is answered differently.",
            d->different);
    } else if (d->same) {
        buf_printf(b, "No request is answered differently%s.", d->meaningless ? "" : "; what runs behind that differs");
    } else {
        buf_printf(b, "Of %zu classes of requests that the changes concern, %zu %s answered differently.", d->classes,
                   d->different, d->different == 1 ? "is" : "are");
    }
}

/* Lines that differ as text, whatever they mean. */
static void text_note(struct strbuf *b, const struct compared *x)
{
    if (!x->texts || (!x->lines_gone && !x->lines_new && !x->lines_moved))
        return;
    buf_puts(b, "As text: ");
    if (x->lines_moved)
        buf_count(b, x->lines_moved, "line");
    if (x->lines_moved)
        buf_puts(b, x->lines_gone || x->lines_new ? " moved, " : " moved");
    if (x->lines_gone || x->lines_new)
        buf_printf(b, "%zu removed, %zu added", x->lines_gone, x->lines_new);
    buf_putc(b, '.');
}

static void heading(struct strbuf *b, const struct diff_change *c)
{
    buf_puts(b, diff_subject_names[c->subject]);
    if (c->name && *c->name) {
        buf_puts(b, " \"");
        buf_visible(b, c->name);
        buf_putc(b, '"');
    }
    buf_printf(b, " %s",
               c->kind == DIFF_CHANGED && !c->fields.n ? (c->moved ? "moved" : "renamed") : diff_kind_names[c->kind]);
    if (c->subject != DIFF_RULE)
        return;
    if (c->kind == DIFF_CHANGED && c->from != c->to)
        buf_printf(b, " (rule %zu, was %zu)", c->to, c->from);
    else
        buf_printf(b, " (rule %zu)", c->to ? c->to : c->from);
}

/* Why there is no witness. */
static const char *without(const struct diff *d, enum diff_subject subject, unsigned bits)
{
    if (subject == DIFF_SERVER_RULE || subject == DIFF_PROTOCOL)
        return "shows in connections, which are not compared; no request depends on it";
    if (bits & RUNS_DIFFERENTLY)
        return "how it runs; no answer depends on it";
    return d->unproven ? "no request found that is answered differently for it; not proven"
                       : "no request is answered differently for it";
}

/* ---- text --------------------------------------------------------------------------- */

struct printer {
    struct strbuf *b;
    const struct diff *d;
    bool color;
};

static const char *paint(const struct printer *p, const char *code)
{
    return p->color ? code : "";
}
#define RED "\033[31m"
#define GREEN "\033[32m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static void signed_line(const struct printer *p, char sign, const char *key, const char *value)
{
    buf_printf(p->b, "  %s%c %s: ", paint(p, sign == '-' ? RED : GREEN), sign, key);
    for (const char *s = value; *s;) {
        size_t n = strcspn(s, "\n");
        struct strbuf line = { 0 };
        buf_add(&line, s, n);
        buf_visible(p->b, line.p ? line.p : "");
        buf_free(&line);
        s += n;
        if (*s)
            buf_printf(p->b, "%s\n%s  %c   ", paint(p, PLAIN), paint(p, sign == '-' ? RED : GREEN), *s++ ? sign : ' ');
    }
    buf_printf(p->b, "%s\n", paint(p, PLAIN));
}

static void text_witness(const struct printer *p, const struct witness *w)
{
    buf_printf(p->b, "      %s", paint(p, BOLD));
    buf_witness_request(p->b, w);
    buf_printf(p->b, "%s\n", paint(p, PLAIN));
    for (int side = 0; side < 2; side++) {
        buf_puts(p->b, side ? "        new: " : "        old: ");
        buf_witness_side(p->b, w, side);
        buf_putc(p->b, '\n');
    }
    if (!DIFFERS_LOUDLY(w->bits) && !(w->bits & DIFFERS_CERTIFICATE))
        buf_puts(p->b, w->bits & DIFFERS_SITE ? "        the site map says something else for a rule of that name\n"
                       : w->bits & DIFFERS_SIGN_IN ? "        and the user signs in differently\n"
                                                   : "        and it is handled differently, as the change says\n");
}

static void nothing(const struct printer *p, enum diff_subject subject, unsigned bits)
{
    buf_printf(p->b, "      %s%s%s\n", paint(p, DIM), without(p->d, subject, bits), paint(p, PLAIN));
}

static void text_field(const struct printer *p, const struct diff_field *f)
{
    for (size_t i = 0; i < f->removed.n; i++)
        signed_line(p, '-', f->key, f->removed.v[i]);
    for (size_t i = 0; i < f->added.n; i++)
        signed_line(p, '+', f->key, f->added.v[i]);
    if (f->removed.n || f->added.n)
        return;
    signed_line(p, '-', f->key, f->before ? f->before : "(default)");
    signed_line(p, '+', f->key, f->after ? f->after : "(default)");
}

static void text_change(const struct printer *p, const struct diff_change *c)
{
    buf_puts(p->b, paint(p, BOLD));
    heading(p->b, c);
    buf_printf(p->b, "%s\n", paint(p, PLAIN));
    if (c->old_name) {
        signed_line(p, '-', "name", c->old_name);
        signed_line(p, '+', "name", c->name);
    }
    if (c->witness)
        text_witness(p, c->witness);
    else if (c->kind != DIFF_CHANGED || (c->old_name && !c->moved && !c->fields.n))
        nothing(p, c->subject, 0);
    if (c->moved && c->move_witness)
        text_witness(p, c->move_witness);
    else if (c->moved)
        buf_printf(p->b, "      %sthe move matters to no request%s%s\n", paint(p, DIM),
                   p->d->unproven ? " that was compared" : "", paint(p, PLAIN));
    for (size_t i = 0; i < c->fields.n; i++) {
        const struct diff_field *f = &c->fields.v[i], *next = i + 1 < c->fields.n ? f + 1 : NULL;
        text_field(p, f);
        if (next && next->witness == f->witness && (f->witness || next->bits == f->bits))
            continue;
        if (f->witness)
            text_witness(p, f->witness);
        else
            nothing(p, c->subject, f->bits);
    }
    buf_putc(p->b, '\n');
}

void diff_write_text(struct strbuf *b, const struct compared *x, bool color)
{
    struct printer p = { b, x->d, color };
    if (x->label)
        buf_printf(b, "%s%s%s\n\n", paint(&p, BOLD), x->label, paint(&p, PLAIN));
    for (size_t i = 0; i < x->d->changes.n; i++)
        text_change(&p, &x->d->changes.v[i]);
    if (x->d->other) {
        buf_puts(b, "answered differently, though no single change explains it:\n");
        text_witness(&p, x->d->other);
        buf_putc(b, '\n');
    }
    verdict(b, x->d);
    buf_putc(b, '\n');
    size_t before = b->n;
    text_note(b, x);
    if (b->n > before)
        buf_putc(b, '\n');
}

/* ---- --stat ---------------------------------------------------------------------------- */

static bool has_witness(const struct diff_change *c)
{
    bool any = c->witness || c->move_witness;
    for (size_t i = 0; i < c->fields.n && !any; i++)
        any = c->fields.v[i].witness != NULL;
    return any;
}

void diff_write_stat(struct strbuf *b, const struct compared *x)
{
    size_t count[3] = { 0 }, moved = 0;
    if (x->label)
        buf_printf(b, "%s\n", x->label);
    for (size_t i = 0; i < x->d->changes.n; i++) {
        const struct diff_change *c = &x->d->changes.v[i];
        buf_printf(b, " %c ", has_witness(c) ? '!' : ' ');
        heading(b, c);
        for (size_t k = 0; k < c->fields.n; k++)
            buf_printf(b, "%s%s", k ? ", " : ": ", c->fields.v[k].key);
        buf_putc(b, '\n');
        if (c->subject == DIFF_RULE) {
            count[c->kind] += c->kind != DIFF_CHANGED || c->fields.n || c->old_name;
            moved += c->moved;
        }
    }
    buf_count(b, count[DIFF_ADDED], "rule");
    buf_printf(b, " added, %zu removed, %zu changed, %zu moved. ", count[DIFF_REMOVED], count[DIFF_CHANGED], moved);
    verdict(b, x->d);
    buf_putc(b, '\n');
}

/* ---- Markdown ----------------------------------------------------------------------------- */

/* Text in a code span: as many backquotes around it as it cannot hold. Line ends become spaces. */
static void code(struct strbuf *b, const char *s)
{
    size_t longest = 0, run = 0;
    struct strbuf clean = { 0 };
    for (const char *p = s; *p; p++) {
        char one[2] = { *p == '\n' ? ' ' : *p, '\0' };
        buf_add(&clean, one, 1);
        run = *p == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        buf_putc(b, '`');
    buf_puts(b, longest ? " " : "");
    buf_visible(b, clean.p ? clean.p : "");
    buf_puts(b, longest ? " " : "");
    for (size_t i = 0; i <= longest; i++)
        buf_putc(b, '`');
    buf_free(&clean);
}

static void markdown_witness(struct strbuf *b, const struct witness *w)
{
    struct strbuf text = { 0 };
    buf_witness_request(&text, w);
    buf_puts(b, "  - ");
    code(b, text.p);
    buf_putc(b, '\n');
    for (int side = 0; side < 2; side++) {
        buf_clear(&text);
        buf_witness_side(&text, w, side);
        buf_puts(b, side ? "    - new: " : "    - old: ");
        code(b, text.p);
        buf_putc(b, '\n');
    }
    buf_free(&text);
}

static void markdown_values(struct strbuf *b, const char *what, const strings *values)
{
    for (size_t i = 0; i < values->n; i++) {
        buf_puts(b, i ? ", " : what);
        code(b, values->v[i]);
    }
}

static void markdown_field(struct strbuf *b, const struct diff *d, enum diff_subject subject,
                           const struct diff_field *f)
{
    buf_puts(b, "- ");
    code(b, f->key);
    if (f->removed.n || f->added.n) {
        markdown_values(b, " removed ", &f->removed);
        markdown_values(b, f->removed.n ? "; added " : " added ", &f->added);
    } else {
        buf_puts(b, " from ");
        code(b, f->before ? f->before : "(default)");
        buf_puts(b, " to ");
        code(b, f->after ? f->after : "(default)");
    }
    if (!f->witness)
        buf_printf(b, " - *%s*", without(d, subject, f->bits));
    buf_putc(b, '\n');
    if (f->witness)
        markdown_witness(b, f->witness);
}

static void markdown_change(struct strbuf *b, const struct diff *d, const struct diff_change *c)
{
    struct strbuf text = { 0 };
    heading(&text, c);
    buf_puts(b, "\n#### ");
    code(b, text.p);
    buf_puts(b, "\n\n");
    if (c->old_name) {
        buf_puts(b, "- was named ");
        code(b, c->old_name);
        buf_putc(b, '\n');
    }
    if (c->witness || c->kind != DIFF_CHANGED)
        buf_printf(b, "- %s\n", c->witness ? diff_kind_names[c->kind] : without(d, c->subject, 0));
    if (c->witness)
        markdown_witness(b, c->witness);
    if (c->moved)
        buf_printf(b, "- moved%s\n",
                   c->move_witness ? ", and it matters"
                   : d->unproven   ? ""
                                   : "; the move matters to no request");
    if (c->move_witness)
        markdown_witness(b, c->move_witness);
    for (size_t i = 0; i < c->fields.n; i++)
        markdown_field(b, d, c->subject, &c->fields.v[i]);
    buf_free(&text);
}

void diff_write_markdown(struct strbuf *b, const struct compared *x)
{
    buf_puts(b, "### What changed in publishing\n\n");
    if (x->label) {
        code(b, x->label);
        buf_puts(b, ": ");
    }
    buf_puts(b, "**");
    verdict(b, x->d);
    buf_puts(b, "** ");
    text_note(b, x);
    buf_putc(b, '\n');
    for (size_t i = 0; i < x->d->changes.n; i++)
        markdown_change(b, x->d, &x->d->changes.v[i]);
    if (x->d->other) {
        buf_puts(b, "\nAnswered differently, though no single change explains it:\n\n-\n");
        markdown_witness(b, x->d->other);
    }
}
