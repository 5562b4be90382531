/* schema_write: the other direction: writes structs as YAML by their tables, and the tables themselves as Markdown. */
#include <string.h>
#include "../base/ipset.h"
#include "schema.h"

#define LINE_WIDTH 100 /* a list that is longer than this gets a line per item */

struct any_vec {
    void *v;
    size_t n, cap;
};

static struct any_vec vec_of(const void *member)
{
    struct any_vec vec;
    memcpy(&vec, member, sizeof vec);
    return vec;
}

static long number_of(const struct field *f, const void *member)
{
    switch (f->type) {
    case Y_BOOL: return *(const bool *)member;
    case Y_LONG: return *(const long *)member;
    case Y_WORD: return *(const int *)member;
    case Y_LINE: return (long)*(const uint32_t *)member;
    default: return f->dflt;
    }
}

static const char *text_of(const void *member)
{
    const char *s;
    memcpy(&s, member, sizeof s);
    return s;
}

/* Left out: what the reader would fill in by itself. */
static bool absent(const struct field *f, const void *object)
{
    const void *member = (const char *)object + f->at;
    if (f->required)
        return false;
    switch (f->type) {
    case Y_VERSION: return false;
    case Y_TEXT: return !text_of(member);
    case Y_OWN: return f->own->absent(object);
    case Y_TEXTS:
    case Y_ADDRESSES:
    case Y_LIST:
    case Y_MAP: return vec_of(member).n == 0;
    case Y_OBJECT:
        for (size_t i = 0; i < f->of->n; i++)
            if (!absent(&f->of->fields[i], member))
                return false;
        return true;
    default: return number_of(f, member) == f->dflt;
    }
}

/* ---- values on one line -------------------------------------------------- */
static void indent(struct strbuf *b, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_puts(b, "  ");
}

static void write_number(struct strbuf *b, const struct field *f, long value)
{
    size_t words = 0;
    while (f->words && f->words[words])
        words++;
    if (value >= 0 && (size_t)value < words)
        buf_puts(b, f->words[value]);
    else if (f->type == Y_BOOL)
        buf_puts(b, value ? "true" : "false");
    else
        buf_printf(b, "%ld", value);
}

/* An address is safe as it is, and reads better without quotes. */
static void write_text(struct strbuf *b, const struct field *f, const char *s)
{
    uint32_t ip;
    if (s && f->text == TEXT_ADDRESS && ip_parse(s, &ip))
        buf_puts(b, s);
    else
        buf_yaml(b, s ? s : "");
}

/* The items of a list of scalars or small maps, each on a line of its own: no item ever holds a line end. */
static void list_items(struct strbuf *b, const struct field *f, const void *object)
{
    struct any_vec vec = vec_of((const char *)object + f->at);
    if (f->type == Y_OWN)
        f->own->write(b, object);
    for (size_t i = 0; f->type != Y_OWN && i < vec.n; i++) {
        if (f->type == Y_TEXTS)
            write_text(b, f, ((const char *const *)vec.v)[i]);
        else
            buf_ip_range(b, ((const struct ip_range *)vec.v)[i]);
        buf_putc(b, '\n');
    }
}

static bool is_list(const struct field *f)
{
    return f->type == Y_TEXTS || f->type == Y_ADDRESSES || (f->type == Y_OWN && f->own->list);
}

/* "[a, b]"; behind a key of a block (depth 0 or more) with a space in front, or, if long, an indented line for each. */
static void write_list(struct strbuf *b, const struct field *f, const void *object, int depth)
{
    struct strbuf items = { 0 };
    list_items(&items, f, object);
    bool lines = depth >= 0 && items.n > LINE_WIDTH;
    if (!lines)
        buf_puts(b, depth >= 0 ? " [" : "[");
    for (size_t from = 0; from < items.n;) {
        size_t n = strcspn(items.p + from, "\n");
        if (lines) {
            buf_putc(b, '\n');
            indent(b, depth);
            buf_puts(b, "- ");
        } else if (from) {
            buf_puts(b, ", ");
        }
        buf_add(b, items.p + from, n);
        from += n + 1;
    }
    if (!lines)
        buf_putc(b, ']');
    buf_free(&items);
}

static void write_flow(struct strbuf *b, const struct schema *s, const void *object);

static void write_value(struct strbuf *b, const struct field *f, const void *object)
{
    const void *member = (const char *)object + f->at;
    switch (f->type) {
    case Y_VERSION: buf_printf(b, "%ld", f->dflt); break;
    case Y_TEXT: write_text(b, f, text_of(member)); break;
    case Y_OBJECT: write_flow(b, f->of, member); break;
    case Y_TEXTS:
    case Y_ADDRESSES: write_list(b, f, object, -1); break;
    case Y_OWN:
        if (f->own->list)
            write_list(b, f, object, -1);
        else
            f->own->write(b, object);
        break;
    case Y_LIST:
    case Y_MAP: {
        struct any_vec vec = vec_of(member);
        buf_putc(b, '[');
        for (size_t i = 0; i < vec.n; i++) {
            buf_puts(b, i ? ", " : "");
            write_flow(b, f->of, (const char *)vec.v + i * f->of->size);
        }
        buf_putc(b, ']');
        break;
    }
    default: write_number(b, f, number_of(f, member));
    }
}

static void write_flow(struct strbuf *b, const struct schema *s, const void *object)
{
    const char *between = "";
    buf_putc(b, '{');
    for (size_t i = 0; i < s->n; i++) {
        if (absent(&s->fields[i], object))
            continue;
        buf_printf(b, "%s%s: ", between, s->fields[i].key);
        write_value(b, &s->fields[i], object);
        between = ", ";
    }
    buf_putc(b, '}');
}

/* ---- blocks ----------------------------------------------------------------- */
static void write_block(struct strbuf *b, const struct schema *s, const void *object, int depth, bool item);

/* "{…}" and the line's end, if the schema's layout wants that here. */
static bool write_short(struct strbuf *b, const struct schema *s, const void *object)
{
    if (s->layout == LAYOUT_BLOCK)
        return false;
    size_t from = b->n;
    write_flow(b, s, object);
    if (s->layout == LAYOUT_FLOW_IF_SHORT && b->n - from > LINE_WIDTH) {
        b->n = from;
        b->p[from] = '\0';
        return false;
    }
    buf_putc(b, '\n');
    return true;
}

static void write_items(struct strbuf *b, const struct schema *s, struct any_vec vec, int depth)
{
    for (size_t i = 0; i < vec.n; i++) {
        const void *object = (const char *)vec.v + i * s->size;
        if (i && s->spaced)
            buf_putc(b, '\n');
        indent(b, depth);
        buf_puts(b, "- ");
        if (!write_short(b, s, object))
            write_block(b, s, object, depth + 1, true);
    }
}

/* item: the first key stands behind the dash of its list. */
static void write_block(struct strbuf *b, const struct schema *s, const void *object, int depth, bool item)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        if (absent(f, object))
            continue;
        const void *member = (const char *)object + f->at;
        if (depth == 0 && f->type == Y_LIST)
            buf_putc(b, '\n');
        if (!item)
            indent(b, depth);
        item = false;
        buf_puts(b, f->key);
        if (f->type == Y_LIST) {
            buf_puts(b, ":\n");
            write_items(b, f->of, vec_of(member), depth + 1);
            continue;
        }
        if (f->type == Y_OBJECT) {
            buf_puts(b, ": ");
            if (write_short(b, f->of, member))
                continue;
            b->p[b->n - 1] = '\n';
            write_block(b, f->of, member, depth + 1, false);
            continue;
        }
        buf_puts(b, ":");
        if (is_list(f)) {
            write_list(b, f, object, depth + 1);
        } else {
            buf_putc(b, ' ');
            write_value(b, f, object);
        }
        buf_putc(b, '\n');
    }
}

void schema_write(struct strbuf *out, const struct schema *s, const void *object)
{
    write_block(out, s, object, 0, false);
}

/* ---- key tables --------------------------------------------------------------- */
static const char *type_name(const struct field *f)
{
    static const char *const texts[] = {
        [TEXT_FREE] = "text",
        [TEXT_HOST] = "host name or address",
        [TEXT_ADDRESS] = "IPv4 address",
        [TEXT_THUMBPRINT] = "hex digits",
        [TEXT_HEADER] = "header value",
        [TEXT_FILE] = "file name",
        [TEXT_TARGET] = "target",
        [TEXT_DATE] = "date",
    };
    switch (f->type) {
    case Y_VERSION:
    case Y_LONG:
    case Y_LINE: return "number";
    case Y_TEXT: return texts[f->text];
    case Y_BOOL: return f->words ? "word" : "true or false";
    case Y_WORD: return "word";
    case Y_TEXTS: return f->text == TEXT_ADDRESS ? "list of IPv4 addresses" : "list of texts";
    case Y_ADDRESSES: return "list of addresses";
    case Y_OBJECT: return "keys";
    case Y_LIST: return "list";
    case Y_MAP: return "by name";
    default: return f->own->type;
    }
}

static void markdown_default(struct strbuf *out, const struct field *f)
{
    if (f->required)
        buf_puts(out, "must be given");
    else if (f->type == Y_BOOL || f->type == Y_WORD || (f->type == Y_LONG && f->dflt >= f->min))
        write_number(out, f, f->dflt);
}

static void markdown_field(struct strbuf *out, const struct field *f)
{
    buf_printf(out, "| `%s` | %s", f->key, type_name(f));
    if (f->type == Y_OBJECT || f->type == Y_LIST || f->type == Y_MAP)
        buf_printf(out, " (%s)", f->of->name);
    for (size_t i = 0; f->words && f->words[i]; i++)
        buf_printf(out, "%s `%s`", i ? "," : ":", f->words[i]);
    buf_puts(out, " | ");
    markdown_default(out, f);
    buf_printf(out, " | %s |\n", f->help ? f->help : "");
}

/* by_name: the first field is the name in front of the colon. */
static void markdown_one(struct strbuf *out, const struct schema *s, bool by_name)
{
    if (s->value) {
        buf_printf(out, "### %s\n\nThe value is a %s: %s.\n\n", s->name, type_name(s->value), s->value->help);
        return;
    }
    buf_printf(out, "### %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", s->name);
    for (size_t i = by_name; i < s->n; i++)
        markdown_field(out, &s->fields[i]);
    buf_putc(out, '\n');
}

void schema_markdown(struct strbuf *out, const struct schema *s)
{
    const struct schema *queue[32] = { s }; /* the tables are ours: a fixed number */
    bool by_name[32] = { false };
    size_t n = 1;
    for (size_t at = 0; at < n; at++) {
        markdown_one(out, queue[at], by_name[at]);
        for (size_t i = 0; i < queue[at]->n; i++) {
            const struct schema *of = queue[at]->fields[i].of;
            size_t k = 0;
            while (of && k < n && queue[k] != of)
                k++;
            if (!of || k < n || n == sizeof queue / sizeof *queue)
                continue;
            by_name[n] = queue[at]->fields[i].type == Y_MAP;
            queue[n++] = of;
        }
    }
}
