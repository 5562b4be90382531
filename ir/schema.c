/* schema: reads structs from YAML by the tables that describe them. Strict: what a table does not know is an error that
 * says where it is, what was found and what is allowed. */
#include <stdlib.h>
#include <string.h>
#include "policy.h"
#include "schema.h"

#define MAX_FIELDS 64

/* VEC(T) for any T: always copied in and out, never pointed at. */
struct any_vec {
    void *v;
    size_t n, cap;
};

/* ---- single values ------------------------------------------------------- */
bool schema_number(const char *text, long *value)
{
    const char *s = text + (*text == '-');
    long v = 0;
    if (*s == '\0' || strlen(s) > 18 || (*s == '0' && s[1]))
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        v = v * 10 + (*s - '0');
    }
    *value = *text == '-' ? -v : v;
    return true;
}

/* What no export can hold, as it is XML: control characters besides tab and line ends, and U+FFFE, U+FFFF. */
static bool free_text(const char *s)
{
    for (const unsigned char *u = (const unsigned char *)s; *u; u++)
        if ((*u < 0x20 && *u != '\t' && *u != '\n' && *u != '\r') || (u[0] == 0xef && u[1] == 0xbf && u[2] >= 0xbe))
            return false;
    return utf8_valid(s, strlen(s));
}

static bool bytes_between(const char *s, unsigned char low, unsigned char high)
{
    for (; *s; s++)
        if ((unsigned char)*s < low || (unsigned char)*s > high || *s == 0x7f)
            return false;
    return true;
}

static bool valid_date(const char *s)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int v[3] = { 0 };
    if (strlen(s) != 10 || s[4] != '-' || s[7] != '-')
        return false;
    for (size_t i = 0, part = 0; i < 10; i++) {
        if (i == 4 || i == 7) {
            part++;
            continue;
        }
        if (s[i] < '0' || s[i] > '9')
            return false;
        v[part] = v[part] * 10 + (s[i] - '0');
    }
    bool leap = v[0] % 4 == 0 && (v[0] % 100 != 0 || v[0] % 400 == 0);
    return v[0] >= 1 && v[1] >= 1 && v[1] <= 12 && v[2] >= 1 && v[2] <= days[v[1] - 1] + (v[1] == 2 && leap);
}

static bool is_target(const char *s)
{
    for (int t = 0; t < TARGETS; t++)
        if (str_equal(s, target_names[t]))
            return true;
    return false;
}

static const char *const text_expected[] = {
    [TEXT_FREE] = "text without control characters",       [TEXT_HOST] = "a host name or an IPv4 address",
    [TEXT_ADDRESS] = "an IPv4 address, like 192.0.2.10",   [TEXT_THUMBPRINT] = "a thumbprint in hex digits",
    [TEXT_HEADER] = "visible ASCII characters and spaces", [TEXT_FILE] = "a file name",
    [TEXT_TARGET] = "nginx, haproxy or publishd",          [TEXT_DATE] = "a date, like 2027-03-31",
};

static const char *checked_text(struct yaml_reader *r, const char *s, enum text_kind kind)
{
    uint32_t ip;
    switch (kind) {
    case TEXT_HOST: return normalise_host(r->arena, s);
    case TEXT_ADDRESS: return ip_parse(s, &ip) ? arena_strdup(r->arena, s) : NULL;
    case TEXT_THUMBPRINT: return normalise_thumbprint(r->arena, s);
    case TEXT_HEADER: return *s && *s != ' ' && bytes_between(s, 0x20, 0x7e) ? arena_strdup(r->arena, s) : NULL;
    case TEXT_FILE: return *s && bytes_between(s, 0x20, 0xff) ? arena_strdup(r->arena, s) : NULL;
    case TEXT_TARGET: return is_target(s) ? arena_strdup(r->arena, s) : NULL;
    case TEXT_DATE: return valid_date(s) ? arena_strdup(r->arena, s) : NULL;
    default: return free_text(s) ? arena_strdup(r->arena, s) : NULL;
    }
}

static bool means_nothing(const struct node *node)
{
    return node->plain && (node->text[0] == '\0' || str_equal(node->text, "~") || str_equal(node->text, "null"));
}

const char *schema_text(struct yaml_reader *r, const struct node *node, enum text_kind kind)
{
    const char *s = NULL;
    if (node->kind != NODE_SCALAR)
        yaml_error(r, node, "found %s where %s belongs", node_kind_name(node), text_expected[kind]);
    else if (means_nothing(node))
        yaml_error(r, node, "found nothing where %s belongs", text_expected[kind]);
    else if (!(s = checked_text(r, node->text, kind)))
        yaml_error(r, node, "found \"%.200s\" where %s belongs", node->text, text_expected[kind]);
    return s;
}

static void buf_words(struct strbuf *b, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        buf_printf(b, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

static void not_allowed(struct yaml_reader *r, const struct field *f, const struct node *node)
{
    struct strbuf b = { 0 };
    if (f->words)
        buf_words(&b, f->words);
    if (f->type == Y_LONG)
        buf_printf(&b, "%sa number from %ld to %ld", f->words ? ", or " : "", f->min, f->max);
    else if (f->type == Y_LINE)
        buf_puts(&b, "a line number");
    else if (!f->words)
        buf_puts(&b, "true or false");
    if (node->kind == NODE_SCALAR && !means_nothing(node))
        yaml_error(r, node, "%s: found %s\"%.200s\", allowed is %s", f->key, node->plain ? "" : "the text ", node->text,
                   b.p);
    else
        yaml_error(r, node, "%s: found %s, allowed is %s", f->key,
                   node->kind == NODE_SCALAR ? "nothing" : node_kind_name(node), b.p);
    buf_free(&b);
}

static bool word_index(const char *const *words, const char *text, long *value)
{
    for (long i = 0; words && words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

/* The number that a scalar means for a field of type bool, long, line or word. */
static bool scalar_value(const struct field *f, const struct node *node, long *value)
{
    static const char *const truth[] = { "false", "true", NULL };
    if (node->kind != NODE_SCALAR)
        return false;
    if (word_index(f->words, node->text, value))
        return true;
    if (!node->plain)
        return false;
    switch (f->type) {
    case Y_BOOL: return !f->words && word_index(truth, node->text, value);
    case Y_LONG: return schema_number(node->text, value) && *value >= f->min && *value <= f->max;
    case Y_LINE: return schema_number(node->text, value) && *value >= 0 && *value <= (long)UINT32_MAX;
    default: return false;
    }
}

/* ---- members --------------------------------------------------------------- */
static void set_number(const struct field *f, void *member, long value)
{
    if (f->type == Y_BOOL)
        *(bool *)member = value != 0;
    else if (f->type == Y_LONG)
        *(long *)member = value;
    else if (f->type == Y_WORD)
        *(int *)member = (int)value;
    else if (f->type == Y_LINE)
        *(uint32_t *)member = (uint32_t)value;
}

/* Room for a list's items, all at once; the header is stored when they are read. */
static struct any_vec new_vec(struct yaml_reader *r, size_t n, size_t size)
{
    struct any_vec vec = { NULL, 0, n };
    if (n)
        vec.v = arena_alloc(r->arena, n * size);
    return vec;
}

static void read_texts(struct yaml_reader *r, const struct field *f, const struct node *node, void *member)
{
    if (node->kind != NODE_LIST) {
        yaml_error(r, node, "%s: found %s, allowed is a list", f->key, node_kind_name(node));
        return;
    }
    struct any_vec vec = new_vec(r, node->n, sizeof(const char *));
    const char **v = vec.v;
    for (const struct node *item = node->first; item; item = item->next) {
        const char *s = schema_text(r, item, f->text);
        if (s)
            v[vec.n++] = s;
    }
    memcpy(member, &vec, sizeof vec);
}

static void read_addresses(struct yaml_reader *r, const struct field *f, const struct node *node, ipset *set)
{
    if (node->kind != NODE_LIST) {
        yaml_error(r, node, "%s: found %s, allowed is a list of addresses", f->key, node_kind_name(node));
        return;
    }
    for (const struct node *item = node->first; item; item = item->next) {
        struct ip_range range;
        if (item->kind == NODE_SCALAR && ip_range_parse(item->text, &range))
            ipset_add(r->arena, set, range.from, range.to);
        else
            yaml_error(
                r, item,
                "found \"%.200s\" where an address, a network like 10.0.0.0/8 or a range like 10.0.0.1-10.0.0.9 belongs",
                item->kind == NODE_SCALAR ? item->text : node_kind_name(item));
    }
    ipset_normalise(set);
}

static void read_list(struct yaml_reader *r, const struct field *f, const struct node *node, void *member)
{
    if (node->kind != NODE_LIST) {
        yaml_error(r, node, "%s: found %s, allowed is a list", f->key, node_kind_name(node));
        return;
    }
    struct any_vec vec = new_vec(r, node->n, f->of->size);
    for (const struct node *item = node->first; item; item = item->next)
        schema_read(r, f->of, item, (char *)vec.v + vec.n++ * f->of->size);
    memcpy(member, &vec, sizeof vec);
}

static void read_field(struct yaml_reader *r, const struct field *f, const struct node *node, void *object)
{
    void *member = (char *)object + f->at;
    long value;
    bool may_be_empty = f->type == Y_LIST || f->type == Y_MAP || f->type == Y_TEXTS || f->type == Y_ADDRESSES;
    if (may_be_empty && node->kind == NODE_SCALAR && means_nothing(node))
        return; /* "networks:" with nothing but comments below */
    switch (f->type) {
    case Y_VERSION:
        if (node->kind != NODE_SCALAR || !schema_number(node->text, &value) || value != f->dflt)
            yaml_error(r, node, "%s: this is version %ld's reader, and the file is of another", f->key, f->dflt);
        break;
    case Y_TEXT: {
        const char *s = schema_text(r, node, f->text);
        memcpy(member, &s, sizeof s);
        break;
    }
    case Y_BOOL:
    case Y_LONG:
    case Y_LINE:
    case Y_WORD:
        if (scalar_value(f, node, &value))
            set_number(f, member, value);
        else
            not_allowed(r, f, node);
        break;
    case Y_TEXTS: read_texts(r, f, node, member); break;
    case Y_ADDRESSES: read_addresses(r, f, node, member); break;
    case Y_OBJECT: schema_read(r, f->of, node, member); break;
    case Y_LIST: read_list(r, f, node, member); break;
    case Y_MAP: schema_read_map(r, f, node, member); break;
    case Y_OWN: f->own->read(r, node, object); break;
    }
}

/* ---- objects ------------------------------------------------------------------ */
/* How many letters one must change, add or drop to get from x to y; 3 if more than 2. Both are short. */
static size_t distance(const char *x, const char *y)
{
    size_t n = strlen(x), m = strlen(y), row[2][41];
    if (n > 40 || m > 40 || n > m + 2 || m > n + 2)
        return 3;
    for (size_t k = 0; k <= m; k++)
        row[0][k] = k;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i & 1], *above = row[(i - 1) & 1];
        now[0] = i;
        for (size_t k = 1; k <= m; k++) {
            size_t best = above[k - 1] + (ascii_lower(x[i - 1]) != ascii_lower(y[k - 1]));
            best = above[k] + 1 < best ? above[k] + 1 : best;
            now[k] = now[k - 1] + 1 < best ? now[k - 1] + 1 : best;
        }
    }
    return row[n & 1][m] > 2 ? 3 : row[n & 1][m];
}

static void unknown_key(struct yaml_reader *r, const struct schema *s, const struct node *key)
{
    const char *nearest = NULL;
    size_t best = 3;
    bool told =
        r->errors <= YAML_ERRORS; /* else nobody reads it, and a million keys must not cost a million searches */
    for (size_t i = 0; told && i < s->n; i++) {
        size_t d = distance(key->text, s->fields[i].key);
        if (d < best) {
            best = d;
            nearest = s->fields[i].key;
        }
    }
    if (nearest) {
        yaml_error(r, key, "%s has no key \"%.200s\"; is \"%s\" meant?", s->name, key->text, nearest);
        return;
    }
    struct strbuf b = { 0 };
    for (size_t i = 0; told && i < s->n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", s->fields[i].key);
    yaml_error(r, key, "%s has no key \"%.200s\"; it has %s", s->name, key->text, told ? b.p : "");
    buf_free(&b);
}

/* Sorts a map's values to their fields, so that they are then read in the order of the table, whatever their order in
 * the file: a field's codec may rely on those before it. */
static void find_fields(struct yaml_reader *r, const struct schema *s, const struct node *map,
                        const struct node *slot[MAX_FIELDS])
{
    for (const struct node *key = map->first; key; key = key->next->next) {
        size_t i = 0;
        if (key->kind != NODE_SCALAR) {
            yaml_error(r, key, "found %s where a key belongs", node_kind_name(key));
            continue;
        }
        while (i < s->n && strcmp(s->fields[i].key, key->text) != 0)
            i++;
        if (i == s->n)
            unknown_key(r, s, key);
        else if (slot[i])
            yaml_error(r, key, "%s has the key %s twice; the other one is in line %u", s->name, key->text,
                       (unsigned)slot[i]->line);
        else
            slot[i] = key->next;
    }
}

/* Objects within objects included: they have defaults even where their key is left out. */
static void set_defaults(const struct schema *s, size_t from, void *object)
{
    for (size_t i = from; i < s->n; i++) {
        void *member = (char *)object + s->fields[i].at;
        if (s->fields[i].type == Y_OBJECT)
            set_defaults(s->fields[i].of, 0, member);
        else
            set_number(&s->fields[i], member, s->fields[i].dflt);
    }
}

static void read_fields(struct yaml_reader *r, const struct schema *s, size_t from, const struct node *map,
                        void *object)
{
    const struct node *slot[MAX_FIELDS] = { 0 };
    if (s->n > MAX_FIELDS)
        abort();
    set_defaults(s, from, object);
    if (map->kind != NODE_MAP) {
        yaml_error(r, map, "found %s where the keys of %s belong", node_kind_name(map), s->name);
        return;
    }
    find_fields(r, s, map, slot);
    for (size_t i = from; i < s->n; i++) {
        if (slot[i])
            read_field(r, &s->fields[i], slot[i], object);
        else if (s->fields[i].required)
            yaml_error(r, map, "%s lacks its key \"%s\"", s->name, s->fields[i].key);
    }
}

static void note_line(const struct schema *s, const struct node *node, void *object)
{
    if (s->line_at)
        memcpy((char *)object + *s->line_at, &node->line, sizeof node->line);
}

void schema_read(struct yaml_reader *r, const struct schema *s, const struct node *map, void *object)
{
    unsigned before = r->errors;
    note_line(s, map, object);
    read_fields(r, s, 0, map, object);
    if (s->check && r->errors == before)
        s->check(r, map, object);
}

/* ---- maps whose keys are names --------------------------------------------------- */
struct map_key {
    const char *text;
    const struct node *node;
};

static int by_text(const void *x, const void *y)
{
    const struct map_key *a = x, *b = y;
    int c = ascii_casecmp(a->text, b->text);
    if (c != 0)
        return c;
    return (a->node->line > b->node->line) - (a->node->line < b->node->line);
}

/* Names are compared without case in the source: the same name in another case is the same key. */
static void refuse_duplicates(struct yaml_reader *r, struct map_key *v, size_t n)
{
    if (n)
        qsort(v, n, sizeof *v, by_text);
    for (size_t i = 1; i < n; i++)
        if (ascii_casecmp(v[i - 1].text, v[i].text) == 0)
            yaml_error(r, v[i].node, "\"%.200s\" is given twice; the other one is in line %u", v[i].text,
                       (unsigned)v[i - 1].node->line);
}

void schema_read_map(struct yaml_reader *r, const struct field *f, const struct node *map, void *member)
{
    const struct schema *s = f->of;
    if (map->kind != NODE_MAP) {
        yaml_error(r, map, "%s: found %s, allowed are names with values", f->key, node_kind_name(map));
        return;
    }
    struct any_vec vec = new_vec(r, map->n / 2, s->size);
    struct map_key *keys = arena_alloc(r->arena, (map->n / 2 + 1) * sizeof *keys);
    for (const struct node *key = map->first; key; key = key->next->next) {
        char *object = (char *)vec.v + vec.n * s->size;
        const char *name = schema_text(r, key, s->fields[0].text);
        if (!name)
            continue;
        unsigned before = r->errors;
        memcpy(object + s->fields[0].at, &name, sizeof name);
        note_line(s, key, object);
        if (s->value)
            read_field(r, s->value, key->next, object);
        else
            read_fields(r, s, 1, key->next, object);
        if (s->check && r->errors == before)
            s->check(r, key, object);
        keys[vec.n++] = (struct map_key){ name, key };
    }
    refuse_duplicates(r, keys, vec.n);
    memcpy(member, &vec, sizeof vec);
}

/* ---- after reading ------------------------------------------------------------- */
void schema_defaults(const struct schema *s, void *object)
{
    set_defaults(s, 0, object);
}

void schema_absolute(struct arena *a, const struct schema *s, void *object, const char *folder)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct field *f = &s->fields[i];
        void *member = (char *)object + f->at;
        if (f->type == Y_TEXT && f->text == TEXT_FILE) {
            const char *name;
            memcpy(&name, member, sizeof name);
            if (name && !str_equal(name, "-")) /* the usual sign for standard output */
                name = path_absolute(a, path_join(a, *folder ? folder : ".", name));
            memcpy(member, &name, sizeof name);
        } else if (f->type == Y_OBJECT) {
            schema_absolute(a, f->of, member, folder);
        } else if (f->type == Y_LIST || f->type == Y_MAP) {
            struct any_vec vec;
            memcpy(&vec, member, sizeof vec);
            for (size_t k = 0; k < vec.n; k++)
                schema_absolute(a, f->of, (char *)vec.v + k * f->of->size, folder);
        }
    }
}
