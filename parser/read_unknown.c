/* read_unknown: the safety net. Every element of a web publishing rule, a listener, a farm and what they refer to that
 * no reader marked becomes a note with its path and value (format 6.2.13). */
#include "reader.h"

#include <string.h>

static const char *step(const struct store *s, uint32_t item)
{
    const struct item *i = &s->items[item];
    const char *storage = item_storage(s, item);
    bool slot = (i->name == N_REF || i->name == N_REFS || i->name == N_SELECTION_IPS) && *storage && !is_guid(storage);
    return slot ? storage : xml_name_text(s->names, i->name);
}

static void add_path(const struct store *s, uint32_t top, uint32_t item, struct strbuf *out)
{
    uint32_t steps[128]; /* deeper than the store takes */
    size_t n = 0;
    for (uint32_t i = item; n < 128; i = s->items[i].parent) {
        steps[n++] = i;
        if (i == top)
            break;
    }
    while (n--)
        buf_printf(out, "%s%s", step(s, steps[n]), n ? "/" : "");
}

static void add_value(struct reader *r, uint32_t item, struct strbuf *out)
{
    const struct store *s = r->store;
    if (!item_is_leaf(s, item))
        buf_printf(out, " with %u elements", s->items[item].end - item - 1);
    else if (s->items[item].text)
        buf_printf(out, " = \"%s\"", shortened(r, item_text(s, item)));
    else
        buf_puts(out, ", empty");
}

static void tell(struct reader *r, uint32_t top, uint32_t item, const char *what)
{
    struct strbuf text = { 0 };
    struct about who = about_item(r, top);
    add_path(r->store, top, item, &text);
    add_value(r, item, &text);
    note(r, F_UNKNOWN_ELEMENT, &who, arena_strdup(r->arena, step(r->store, item)), r->store->items[item].line, "%s %s",
         text.p, what);
    buf_free(&text);
}

/* Readers of lists take items by their place, whatever their name: a name that the format does not have is told too. */
static void check(struct reader *r, uint32_t top)
{
    const struct store *s = r->store;
    for (uint32_t i = top + 1; i < s->items[top].end;) {
        const struct item *x = &s->items[i];
        if (x->used == UNUSED)
            tell(r, top, i, "is not known and was not translated");
        else if (x->name >= r->known_names && !x->setting)
            tell(r, top, i, "has no known name; it was read as a part of what it stands in");
        i = x->used == USED ? i + 1 : x->end;
    }
}

void note_attribute(struct reader *r, uint32_t top, uint32_t item, const char *name)
{
    struct strbuf path = { 0 };
    struct about who = about_item(r, top);
    add_path(r->store, top, item, &path);
    note(r, F_UNKNOWN_ELEMENT, &who, arena_strdup(r->arena, step(r->store, item)), r->store->items[item].line,
         "the attribute %s of %s is not known and was not translated", shortened(r, name), path.p);
    buf_free(&path);
}

void read_unknown(struct reader *r)
{
    for (size_t i = 0; i < r->wanted.n; i++)
        check(r, r->wanted.v[i]);
}
