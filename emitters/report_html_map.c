/* report_html_map: the drawing - listeners, public names, rules in order, published servers - as inline SVG.
 *
 * One drawing for each listener and at most CHUNK rules of it, so that each fits a screen or two and a large policy
 * stays quick. A rule is a link to its part; its group holds its lines and the frames of its names and servers, so that
 * style alone lights up the way through it when it is pointed at, has the focus, or is the page's target. Names and
 * servers hold copies of the lines that meet them, for the same. */
#include "report_html.h"
#include <string.h>

enum { CHUNK = 40, OPEN = 4, LINES_EACH = 8 }; /* names or servers that are drawn for one rule */
enum { PITCH = 30, BOX = 22, TOP = 10 };
enum {
    X_LISTENER = 0,
    W_LISTENER = 200,
    X_NAME = 255,
    W_NAME = 255,
    X_RULE = 595,
    W_RULE = 260,
    X_SERVER = 940,
    W_SERVER = 260,
    WIDTH = 1200
};

/* A box of the second or fourth column, with the rules (numbers in the chunk) that it has to do with. */
struct box {
    const char *text;
    VEC(uint32_t) rules;
};
struct column {
    VEC(struct box) boxes;
};
struct chunk {
    struct page *p;
    struct arena *a;
    const struct plan_listener *l;
    size_t listener, from, n; /* rules l->rules.v[from] … */
    struct column names, servers;
    VEC(uint32_t) names_of[CHUNK], servers_of[CHUNK];
    size_t height;
};

static const struct plan_rule *rule_at(const struct chunk *c, size_t i)
{
    return &c->p->r->plan->rules.v[c->l->rules.v[c->from + i]];
}

/* ---- what is drawn ---------------------------------------------------------------------- */

/* A chunk has at most CHUNK rules with LINES_EACH boxes each: looking through them is cheap. */
static uint32_t box_of(struct chunk *c, struct column *col, const char *text, size_t rule)
{
    size_t i = 0;
    while (i < col->boxes.n && ascii_casecmp(col->boxes.v[i].text, text) != 0)
        i++;
    if (i == col->boxes.n)
        vec_push(c->a, &col->boxes)->text = text;
    struct box *b = &col->boxes.v[i];
    if (!b->rules.n || b->rules.v[b->rules.n - 1] != rule)
        vec_add(c->a, &b->rules, (uint32_t)rule);
    return (uint32_t)i;
}

static void gather_names(struct chunk *c, size_t i)
{
    const struct rule *r = rule_at(c, i)->rule;
    if (r->all_names)
        vec_add(c->a, &c->names_of[i], box_of(c, &c->names, "every name", i));
    for (size_t k = 0; !r->all_names && k < r->names.n && k < LINES_EACH; k++)
        vec_add(c->a, &c->names_of[i],
                box_of(c, &c->names, r->names.v[k].display ? r->names.v[k].display : r->names.v[k].name, i));
}

static void gather_servers(struct chunk *c, size_t i)
{
    const struct plan_rule *r = rule_at(c, i);
    const struct plan_upstream *to = &r->to[1];
    if (r->rule->action == ACTION_DENY)
        vec_add(c->a, &c->servers_of[i],
                box_of(c, &c->servers, r->rule->redirect_url ? r->rule->redirect_url : "refused (403)", i));
    else if (!r->forwards)
        vec_add(c->a, &c->servers_of[i], box_of(c, &c->servers, "no server", i));
    else
        for (size_t k = 0; k < to->servers.n && k < LINES_EACH; k++)
            vec_add(
                c->a, &c->servers_of[i],
                box_of(c, &c->servers, arena_printf(c->a, "%s:%u", to->servers.v[k].member, (unsigned)to->port), i));
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void gather(struct chunk *c)
{
    for (size_t i = 0; i < c->n; i++) {
        gather_names(c, i);
        gather_servers(c, i);
    }
    c->height = TOP * 2 + PITCH * most(c->n, most(c->names.boxes.n, c->servers.boxes.n));
}

/* The middle of the i-th of n boxes: spread over the height. */
static size_t middle(const struct chunk *c, size_t i, size_t n)
{
    return n ? TOP + (2 * i + 1) * (c->height - 2 * TOP) / (2 * n) : TOP;
}

/* ---- drawing ------------------------------------------------------------------------------ */

static void put_path(struct chunk *c, const char *class, size_t x1, size_t y1, size_t x2, size_t y2)
{
    size_t bend = (x1 + x2) / 2;
    buf_printf(c->p->out, "<path class=\"%s\" d=\"M%zu %zuC%zu %zu %zu %zu %zu %zu\"/>", class, x1, y1, bend, y1, bend,
               y2, x2, y2);
}

static void put_frame(struct chunk *c, const char *class, size_t x, size_t w, size_t y)
{
    buf_printf(c->p->out, "<rect class=\"%s\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%d\" rx=\"4\"/>", class, x,
               y - BOX / 2, w, (int)BOX);
}

/* At most `columns` wide, counting what is beyond Latin and Cyrillic as two: cut off at a character with an ellipsis. */
static void put_cut(struct page *p, const char *text, size_t columns)
{
    size_t n = 0, width = 0, keep = 0;
    while (text[n]) {
        unsigned char c = (unsigned char)text[n];
        size_t length = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        width += length > 2 ? 2 : 1;
        for (size_t i = 1; i < length && text[n + i]; i++)
            ;
        length = strnlen(text + n, length);
        n += length;
        if (width < columns)
            keep = n;
        if (width > columns)
            break;
    }
    html_text_n(p->out, text, text[n] || width > columns ? keep : n);
    if (text[n] || width > columns)
        put(p, "\xe2\x80\xa6");
}

static void put_label(struct chunk *c, size_t x, size_t y, const char *text, size_t columns)
{
    buf_printf(c->p->out, "<text x=\"%zu\" y=\"%zu\">", x, y + 4);
    put_cut(c->p, text, columns);
    put(c->p, "</text>");
}

static void put_title(struct page *p, const char *text)
{
    put(p, "<title>");
    put_text(p, text);
    put(p, "</title>");
}

/* A name (left of the rules) or a server (right of them). */
static void put_box(struct chunk *c, const struct column *col, size_t i, bool left)
{
    const struct box *b = &col->boxes.v[i];
    size_t y = middle(c, i, col->boxes.n), x = left ? X_NAME : X_SERVER, w = left ? W_NAME : W_SERVER;
    put(c->p, "<g class=\"box\">");
    put_title(c->p, b->text);
    for (size_t k = 0; k < b->rules.n && c->p->rules <= RULES_RICH; k++) {
        size_t at = middle(c, b->rules.v[k], c->n);
        if (left)
            put_path(c, "lit", X_NAME + W_NAME, y, X_RULE, at);
        else
            put_path(c, "lit", X_RULE + W_RULE, at, X_SERVER, y);
    }
    put_frame(c, "b", x, w, y);
    put_label(c, x + 9, y, b->text, left ? 34 : 35);
    put(c->p, "</g>\n");
}

/* The shapes of the verdicts' marks (style.css), so that colour is not all. */
static void put_mark(struct page *p, enum verdict v, size_t x, size_t y)
{
    if (v == VERDICT_BROKEN)
        buf_printf(p->out, "<path class=\"f3\" d=\"M%zu %zul5 -9l5 9z\"/>", x - 5, y + 4);
    else if (v == VERDICT_CLOSED)
        buf_printf(p->out, "<rect class=\"f4\" x=\"%zu\" y=\"%zu\" width=\"8\" height=\"8\"/>", x - 4, y - 4);
    else if (v == VERDICT_DIFFERS)
        buf_printf(
            p->out,
            "<circle class=\"half\" cx=\"%zu\" cy=\"%zu\" r=\"4\"/><path class=\"f2\" d=\"M%zu %zua4 4 0 0 0 0 8z\"/>",
            x, y, x, y - 4);
    else
        buf_printf(p->out, "<circle class=\"f%d\" cx=\"%zu\" cy=\"%zu\" r=\"4\"/>", (int)v, x, y);
}

static void put_marks(struct chunk *c, const struct plan_rule *r, size_t y)
{
    size_t x = X_RULE + W_RULE - 12;
    for (unsigned t = TARGETS; t-- > 0;)
        if (c->p->r->targets & ON(t)) {
            put_mark(c->p, c->p->m->verdicts[r->index].on[t], x, y);
            x -= 13;
        }
}

/* What a screen reader says of the rule, and the tip shows. */
static void put_way(struct chunk *c, const struct plan_rule *r)
{
    struct page *p = c->p;
    put(p, "Rule ");
    put_count(p, (size_t)r->index + 1);
    put(p, ", ");
    put_text(p, rule_title(r));
    put(p, ", to ");
    put_rule_goal(&p->value, r);
    put_value(p);
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t)) {
            put(p, "; ");
            put(p, target_titles[t]);
            put(p, " ");
            put(p, verdict_words[p->m->verdicts[r->index].on[t]]);
        }
}

static void put_rule(struct chunk *c, size_t i)
{
    const struct plan_rule *r = rule_at(c, i);
    size_t y = middle(c, i, c->n);
    buf_printf(c->p->out, "<g class=\"rule%s\" id=\"map-%u\">", r->rule->action == ACTION_DENY ? " deny" : "",
               (unsigned)r->index + 1);
    for (size_t k = 0; k < c->names_of[i].n; k++) {
        size_t at = middle(c, c->names_of[i].v[k], c->names.boxes.n);
        put_path(c, "way", X_NAME + W_NAME, at, X_RULE, y);
        put_frame(c, "frame", X_NAME, W_NAME, at);
    }
    for (size_t k = 0; k < c->servers_of[i].n; k++) {
        size_t at = middle(c, c->servers_of[i].v[k], c->servers.boxes.n);
        put_path(c, "way", X_RULE + W_RULE, y, X_SERVER, at);
        put_frame(c, "frame", X_SERVER, W_SERVER, at);
    }
    buf_printf(c->p->out, "<a href=\"#rule-%u\"><title>", (unsigned)r->index + 1);
    put_way(c, r);
    put(c->p, "</title>");
    put_frame(c, "b", X_RULE, W_RULE, y);
    buf_printf(c->p->out, "<text class=\"n\" x=\"%d\" y=\"%zu\">%u</text>", X_RULE + 30, y + 4, (unsigned)r->index + 1);
    put_label(c, X_RULE + 38, y, rule_title(r), 27);
    put_marks(c, r, y);
    put(c->p, "</a></g>\n");
}

static void put_listener(struct chunk *c)
{
    size_t y = c->height / 2, tall = 18 * (most(c->l->sockets.n < 6 ? c->l->sockets.n : 6, 1) + 1) + 8;
    size_t top = y > tall / 2 ? y - tall / 2 : 0;
    buf_printf(c->p->out, "<a class=\"listener\" href=\"#listener-%zu\">", c->listener + 1);
    put_title(c->p, c->l->listener->name ? c->l->listener->name : "(no name)");
    buf_printf(c->p->out, "<rect class=\"b\" x=\"%d\" y=\"%zu\" width=\"%d\" height=\"%zu\" rx=\"4\"/>", X_LISTENER + 1,
               top, W_LISTENER, tall);
    put_label(c, X_LISTENER + 10, top + 15, c->l->listener->name ? c->l->listener->name : "(no name)", 28);
    for (size_t i = 0; i < c->l->sockets.n && i < 6; i++) {
        const struct plan_socket *s = &c->l->sockets.v[i];
        buf_printf(c->p->out, "<text class=\"socket\" x=\"%d\" y=\"%zu\">", X_LISTENER + 10, top + 37 + 18 * i);
        buf_printf(&c->p->value, "%s %s:%u", s->tls ? "https" : "http", s->address, (unsigned)s->port);
        put_value(c->p);
        put(c->p, "</text>");
    }
    put(c->p, "</a>\n");
    for (size_t i = 0; i < c->names.boxes.n; i++)
        put_path(c, "entry", X_LISTENER + W_LISTENER + 1, y, X_NAME, middle(c, i, c->names.boxes.n));
}

static void draw(struct chunk *c)
{
    gather(c);
    size_t tall = 18 * (most(c->l->sockets.n < 6 ? c->l->sockets.n : 6, 1) + 1) + 2 * TOP + 8;
    c->height = most(c->height, tall);
    buf_printf(
        c->p->out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"Drawing\" tabindex=\"0\"><svg class=\"map\" viewBox=\"0 0 %d %zu\" width=\"%d\" height=\"%zu\" role=\"group\" aria-label=\"Names, rules and published servers of ",
        (int)WIDTH + 4, c->height, (int)WIDTH + 4, c->height);
    put_text(c->p, c->l->listener->name ? c->l->listener->name : "the listener");
    put(c->p, "\">\n");
    put_listener(c);
    for (size_t i = 0; i < c->names.boxes.n; i++)
        put_box(c, &c->names, i, true);
    for (size_t i = 0; i < c->servers.boxes.n; i++)
        put_box(c, &c->servers, i, false);
    for (size_t i = 0; i < c->n; i++)
        put_rule(c, i);
    put(c->p, "</svg></div>\n");
}

/* ---- the section --------------------------------------------------------------------------- */

static void put_chunk(struct page *p, size_t listener, size_t from, size_t n, bool open)
{
    struct chunk c = {
        .p = p, .a = arena_new(), .l = &p->r->plan->listeners.v[listener], .listener = listener, .from = from, .n = n
    };
    put(p, open ? "<details class=\"drawing\" open><summary>" : "<details class=\"drawing\"><summary>");
    put_text(p, c.l->listener->name ? c.l->listener->name : "(no name)");
    put(p, ": ");
    if (n == 1)
        buf_printf(p->out, "rule %u", (unsigned)c.l->rules.v[from] + 1);
    else
        buf_printf(p->out, "rules %u to %u", (unsigned)c.l->rules.v[from] + 1,
                   (unsigned)c.l->rules.v[from + n - 1] + 1);
    put(p, "</summary>\n");
    draw(&c);
    put(p, "</details>\n");
    arena_free(c.a);
}

void html_map(struct page *p)
{
    const struct plan *plan = p->r->plan;
    size_t drawn = 0, left = 0;
    put(p,
        "<section id=\"map\" aria-labelledby=\"h-map\">\n<h2 id=\"h-map\">Map</h2>\n"
        "<p>From left to right: listener, public names, rules in the order in which they are tried, published servers. Point at a rule, or move to it with the Tab key, to follow it; it leads to its part of this report. "
        "The marks at its right stand for ");
    const char *comma = "";
    for (unsigned t = 0; t < TARGETS; t++)
        if (p->r->targets & ON(t)) {
            put(p, comma);
            put(p, target_titles[t]);
            comma = ", ";
        }
    put(p, ".</p>\n");
    for (size_t i = 0; i < plan->listeners.n; i++) {
        const struct plan_listener *l = &plan->listeners.v[i];
        size_t n = 0;
        while (n < l->rules.n && l->rules.v[n] < p->rules)
            n++;
        left += l->rules.n - n;
        for (size_t from = 0; from < n; from += CHUNK)
            put_chunk(p, i, from, n - from < CHUNK ? n - from : CHUNK, drawn++ < OPEN);
    }
    if (!drawn)
        put(p, "<p>No rule answers on a listener.</p>\n");
    if (left)
        buf_printf(p->out, "<p class=\"limit\">%zu more rules are not drawn.</p>\n", left);
    put(p, "</section>\n");
}
