/* yaml: libyaml's events -> a tree of nodes, with limits; and scalars written so that they stay what they are. */
#include <string.h>
#include <yaml.h>
#include "yaml.h"

#define MAX_BYTES ((size_t)256 << 20)
#define MAX_DEPTH 16

/* ---- errors --------------------------------------------------------------- */
static void report(struct yaml_reader *r, size_t line, size_t column, const char *fmt, va_list ap)
{
    r->errors++;
    if (r->errors == YAML_ERRORS + 1)
        buf_printf(r->err, "%s: there are more errors than these\n", r->file);
    if (r->errors > YAML_ERRORS)
        return;
    struct strbuf message = { 0 };
    buf_vprintf(&message, fmt, ap);
    buf_printf(r->err, "%s:", r->file);
    if (line)
        buf_printf(r->err, "%zu:%zu:", line, column);
    buf_putc(r->err, ' ');
    buf_visible(r->err, message.p);
    buf_putc(r->err, '\n');
    buf_free(&message);
}

void yaml_error(struct yaml_reader *r, const struct node *node, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report(r, node ? node->line : 0, node ? node->column : 0, fmt, ap);
    va_end(ap);
}

static void error_at(struct yaml_reader *r, size_t line, size_t column, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void error_at(struct yaml_reader *r, size_t line, size_t column, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report(r, line, column, fmt, ap);
    va_end(ap);
}

const char *node_kind_name(const struct node *node)
{
    switch (node->kind) {
    case NODE_LIST: return "a list";
    case NODE_MAP: return "keys with values";
    default: return node->plain && node->text[0] == '\0' ? "nothing" : "a single value";
    }
}

const struct node *node_value(const struct node *map, const char *key)
{
    for (const struct node *k = map->kind == NODE_MAP ? map->first : NULL; k; k = k->next->next)
        if (k->kind == NODE_SCALAR && strcmp(k->text, key) == 0)
            return k->next;
    return NULL;
}

/* ---- reading ---------------------------------------------------------------- */
/* What a person most often did where libyaml only says that it cannot go on. */
static void syntax_error(struct yaml_reader *r, const yaml_parser_t *y, const char *text, size_t n)
{
    size_t line = y->problem_mark.line, at = 0;
    for (size_t l = 0; at < n && l < line; at++)
        l += text[at] == '\n';
    bool tab = false;
    for (size_t i = at; i < n && (text[i] == ' ' || text[i] == '\t'); i++)
        tab = tab || text[i] == '\t';
    const char *what = y->problem ? y->problem : "cannot be read";
    if (y->error == YAML_READER_ERROR)
        error_at(r, 0, 0, "%s, at byte %zu; the file must be text in UTF-8 without control characters", what,
                 y->problem_offset);
    else if (tab)
        error_at(r, line + 1, y->problem_mark.column + 1, "a tab in the indentation: YAML takes spaces only");
    else
        error_at(r, line + 1, y->problem_mark.column + 1, "not valid YAML: %s%s%s", what, y->context ? " " : "",
                 y->context ? y->context : "");
}

struct builder {
    struct yaml_reader *r;
    struct arena *tree;
    struct node *open[MAX_DEPTH], *last[MAX_DEPTH]; /* the lists and maps around, and the last child of each */
    size_t depth;
    struct node *root;
};

static struct node *add_node(struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
    struct node *node = arena_alloc(b->tree, sizeof *node);
    node->kind = kind;
    node->line = (uint32_t)e->start_mark.line + 1;
    node->column = (uint32_t)e->start_mark.column + 1;
    if (b->depth == 0) {
        b->root = node;
        return node;
    }
    struct node *parent = b->open[b->depth - 1], **last = &b->last[b->depth - 1];
    if (*last)
        (*last)->next = node;
    else
        parent->first = node;
    *last = node;
    parent->n++;
    return node;
}

static bool plain_node(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor)
        error_at(b->r, e->start_mark.line + 1, e->start_mark.column + 1,
                 "an anchor (&...): write the value out instead");
    else if (tag)
        error_at(b->r, e->start_mark.line + 1, e->start_mark.column + 1,
                 "a tag (!...): quote the text if it begins with '!'");
    return !anchor && !tag;
}

static bool open_node(struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
    struct node *node = add_node(b, kind, e);
    if (b->depth == MAX_DEPTH) {
        yaml_error(b->r, node, "nested too deeply");
        return false;
    }
    b->open[b->depth] = node;
    b->last[b->depth] = NULL;
    b->depth++;
    return true;
}

static bool take_scalar(struct builder *b, const yaml_event_t *e)
{
    const char *value = (const char *)e->data.scalar.value;
    struct node *node = add_node(b, NODE_SCALAR, e);
    node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_strndup(b->tree, value, e->data.scalar.length);
    if (strlen(node->text) == e->data.scalar.length)
        return true;
    yaml_error(b->r, node, "a NUL character in a text");
    return false;
}

/* false: told, or (at the end of the stream) done. */
static bool take_event(struct builder *b, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        error_at(b->r, e->start_mark.line + 1, e->start_mark.column + 1,
                 "an alias (*...): quote the text if it begins with '*'");
        return false;
    case YAML_SCALAR_EVENT: return plain_node(b, e, e->data.scalar.anchor, e->data.scalar.tag) && take_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
        return plain_node(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag) &&
               open_node(b, NODE_LIST, e);
    case YAML_MAPPING_START_EVENT:
        return plain_node(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag) && open_node(b, NODE_MAP, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: b->depth--; return true;
    case YAML_DOCUMENT_START_EVENT:
        if (!b->root)
            return true;
        error_at(b->r, e->start_mark.line + 1, e->start_mark.column + 1, "a second document");
        return false;
    case YAML_STREAM_END_EVENT: return false;
    default: return true;
    }
}

const struct node *yaml_parse(struct yaml_reader *r, struct arena *tree, const char *text, size_t n)
{
    unsigned before = r->errors;
    yaml_parser_t y;
    if (n > MAX_BYTES) {
        yaml_error(r, NULL, "larger than 256 MB");
        return NULL;
    }
    if (!yaml_parser_initialize(&y))
        mem_fatal();
    yaml_parser_set_input_string(&y, (const unsigned char *)text, n);
    struct builder b = { .r = r, .tree = tree };
    for (bool more = true; more;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&y, &e)) {
            if (y.error == YAML_MEMORY_ERROR)
                mem_fatal();
            syntax_error(r, &y, text, n);
            break;
        }
        more = take_event(&b, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&y);
    if (!b.root) {
        b.root = arena_alloc(tree, sizeof *b.root);
        b.root->kind = NODE_MAP;
    }
    return r->errors == before ? b.root : NULL;
}

/* ---- writing scalars ---------------------------------------------------------- */
static bool word_byte(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' ||
           c == '.' || c == '-' || c == '*';
}

/* Plain: begins with a letter, "/" or "_", goes on with letters, digits and "/._-*" and single spaces between words,
 * and is no word that some reader takes for a truth value or for nothing. Numbers and dates begin with none of these. */
static bool certainly_text(const char *s)
{
    static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n" };
    char c = ascii_lower(s[0]);
    if (!((c >= 'a' && c <= 'z') || c == '/' || c == '_'))
        return false;
    for (size_t i = 0; s[i]; i++) {
        if (s[i] == ' ' ? !word_byte((unsigned char)s[i + 1]) : !word_byte((unsigned char)s[i]))
            return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (ascii_casecmp(s, words[i]) == 0)
            return false;
    return true;
}

/* One character of UTF-8 at s: its code point and length; a broken byte is U+FFFD of length 1. */
static uint32_t code_point(const char *s, size_t *length)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    *length = 1;
    for (size_t i = 1; i < n; i++)
        if (u[i] == '\0')
            return 0xfffd;
    if (!utf8_valid(s, n))
        return 0xfffd;
    uint32_t c = u[0] & first[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (u[i] & 0x3f);
    *length = n;
    return c;
}

/* What a reader may refuse or a person may not see: controls, marks of direction and of width, private noncharacters. */
static bool must_escape(uint32_t c)
{
    return (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff0 && c != 0xfffd && c <= 0xffff) || (c & 0xfffe) == 0xfffe || (c >= 0xe0000 && c <= 0xe0fff);
}

void buf_yaml(struct strbuf *b, const char *text)
{
    if (certainly_text(text)) {
        buf_puts(b, text);
        return;
    }
    buf_putc(b, '"');
    for (const char *s = text; *s;) {
        size_t n;
        uint32_t c = code_point(s, &n);
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", (char)c);
        else if (c == '\n' || c == '\t' || c == '\r')
            buf_puts(b, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            buf_printf(b, "\\x%02X", (unsigned)c);
        else if (must_escape(c))
            buf_printf(b, c > 0xffff ? "\\U%08X" : "\\u%04X", (unsigned)c);
        else if (c == 0xfffd)
            buf_puts(b, "\xef\xbf\xbd");
        else
            buf_add(b, s, n);
        s += n;
    }
    buf_putc(b, '"');
}
