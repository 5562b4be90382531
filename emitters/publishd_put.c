/* publishd_put: keys and values of publishd.yaml, every text through Q_YAML. */
#include "publishd.h"

const char *pd_quoted(struct publishd *p, const char *s)
{
    return quoted(&p->w, p->a, Q_YAML, s);
}

void pd_line(struct publishd *p, const char *key, const char *value)
{
    if (p->item) {
        p->w.depth--;
        write_indent(&p->w);
        p->w.depth++;
        write_raw(&p->w, "- ");
        p->item = false;
    } else {
        write_indent(&p->w);
    }
    write_raw(&p->w, *value ? "%s: %s\n" : "%s:\n", key, value);
}

void pd_text(struct publishd *p, const char *key, const char *s)
{
    if (s)
        pd_line(p, key, pd_quoted(p, s));
}

void pd_long(struct publishd *p, const char *key, long n, long dflt)
{
    if (n != dflt)
        pd_line(p, key, arena_printf(p->a, "%ld", n));
}

void pd_bool(struct publishd *p, const char *key, bool on, bool dflt)
{
    if (on != dflt)
        pd_line(p, key, on ? "true" : "false");
}

/* A word from a table; the one at dflt is left out. */
void pd_word(struct publishd *p, const char *key, const char *const *words, size_t n, long value, long dflt)
{
    if (value != dflt && value >= 0 && (size_t)value < n)
        pd_line(p, key, words[value]);
}

void pd_open_map(struct publishd *p, const char *key)
{
    pd_line(p, key, "");
    p->w.depth++;
}

void pd_close_map(struct publishd *p)
{
    p->w.depth--;
}

/* "[a, b]" while it is short, else an item a line. */
static void texts(struct publishd *p, const char *key, const char *const *v, size_t n)
{
    enum { SHORT = 90 };
    struct strbuf b = { 0 };
    if (!n)
        return;
    for (size_t i = 0; i < n && b.n <= SHORT; i++)
        buf_printf(&b, "%s%s", i ? ", " : "[", pd_quoted(p, v[i]));
    if (b.n <= SHORT) {
        pd_line(p, key, arena_printf(p->a, "%s]", b.p));
    } else {
        pd_open_map(p, key);
        for (size_t i = 0; i < n; i++)
            write_line(&p->w, "- %s", pd_quoted(p, v[i]));
        pd_close_map(p);
    }
    buf_free(&b);
}

void pd_strings(struct publishd *p, const char *key, const strings *s)
{
    texts(p, key, s->v, s->n);
}

/* Begins an item of a list: the next line gets the dash. */
void pd_open_item(struct publishd *p)
{
    p->w.depth++;
    p->item = true;
}

void pd_close_item(struct publishd *p)
{
    p->w.depth--;
    p->item = false;
}

void pd_open_list(struct publishd *p, const char *key)
{
    pd_line(p, key, "");
    p->w.depth++;
}

void pd_close_list(struct publishd *p)
{
    p->w.depth--;
}

void pd_ranges(struct publishd *p, const char *key, const ipset *s)
{
    strings v = { 0 };
    for (size_t i = 0; i < s->n; i++) {
        struct strbuf b = { 0 };
        buf_ip_range(&b, s->v[i]);
        vec_add(p->a, &v, arena_strdup(p->a, b.p));
        buf_free(&b);
    }
    pd_strings(p, key, &v);
}

void pd_parameters(struct publishd *p, const struct parameter *v, size_t n)
{
    if (!n)
        return;
    pd_open_list(p, "parameters");
    for (size_t i = 0; i < n; i++) {
        pd_open_item(p);
        pd_text(p, "name", v[i].name);
        pd_text(p, "set", v[i].set);
        pd_text(p, "value", v[i].value);
        pd_close_item(p);
    }
    pd_close_list(p);
}

void pd_links(struct publishd *p, const struct link_mapping *v, size_t n)
{
    if (!n)
        return;
    pd_open_list(p, "links");
    for (size_t i = 0; i < n; i++) {
        pd_open_item(p);
        pd_text(p, "from", v[i].from ? v[i].from : "");
        pd_text(p, "to", v[i].to ? v[i].to : "");
        pd_close_item(p);
    }
    pd_close_list(p);
}
