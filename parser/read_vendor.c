/* read_vendor: vendor parameter sets - HTTP filter, link translation dictionary, Front-End-Https, hotfix switches.
 *
 * No real export with a filled set is public, so every shape that the documentation allows is taken (format 6.2.12):
 * elements with name and value, elements named like the parameter, and the binary form of KB 816454. */
#include "reader.h"

#include <string.h>

static const char http_filter[] = "{f1076e51-bbaf-48ba-a2d7-b0875211e80d}";
static const char link_dictionary[] = "{3563fff5-df93-40eb-abc3-d24b5f14d8aa}";
static const char front_end_https[] = "{5e302ed5-f5d5-4fad-9b8a-01c72e1569f3}";
static const char hotfix_switches[] = "{143f5698-103b-12d4-ff34-1f34767deabc}";

struct set {
    const char *guid;
    uint32_t line;
    VEC(struct parameter) list;
};

static bool same_guid(const char *a, const char *b)
{
    return ascii_ncasecmp(a + (*a == '{'), b + (*b == '{'), 36) == 0 && is_guid(a);
}

static void add(struct reader *r, struct set *set, const char *name, const char *value, uint32_t line)
{
    vec_add(r->arena, &set->list,
            ((struct parameter){ set->guid, arena_strdup(r->arena, name), arena_strdup(r->arena, value), line }));
}

/* ---- the binary form --------------------------------------------------------------------------------------------------- */
struct blob {
    const unsigned char *p;
    size_t n;
};

static bool take(struct blob *b, size_t n, uint32_t *value)
{
    if (b->n < n)
        return false;
    *value = 0;
    for (size_t i = n; i-- > 0;)
        *value = *value << 8 | b->p[i];
    b->p += n;
    b->n -= n;
    return true;
}

/* UTF-16 text of so many bytes; other than ASCII and surrogates as UTF-8. */
static bool take_text(struct reader *r, struct blob *b, size_t bytes, const char **out)
{
    struct strbuf s = { 0 };
    uint32_t c = 1;
    if (bytes > b->n || bytes % 2)
        return false;
    buf_puts(&s, "");
    for (size_t i = 0; i < bytes; i += 2) {
        take(b, 2, &c);
        if (c && c < 0x80)
            buf_putc(&s, (char)c);
        else if (c >= 0xd800 && c < 0xe000)
            buf_puts(&s, "\xef\xbf\xbd");
        else if (c >= 0x800)
            buf_printf(&s, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
        else if (c)
            buf_printf(&s, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    }
    *out = arena_strdup(r->scratch, s.p);
    buf_free(&s);
    return true;
}

/* The layout of one value is documented for booleans; integers and strings follow the usual one of their type. */
static bool take_value(struct reader *r, struct blob *b, const char **out)
{
    enum { I2 = 2, I4 = 3, BSTR = 8, BOOL = 11, UI4 = 19 };
    uint32_t type, value;
    if (!take(b, 2, &type))
        return false;
    switch (type) {
    case BOOL: *out = take(b, 2, &value) ? value ? "1" : "0" : NULL; return *out != NULL;
    case I2:
    case I4:
    case UI4:
        if (!take(b, type == I2 ? 2 : 4, &value))
            return false;
        *out = arena_printf(r->scratch, "%ld",
                            type == UI4  ? (long)value
                            : type == I2 ? (long)(int16_t)value
                                         : (long)(int32_t)value);
        return true;
    case BSTR: return take(b, 4, &value) && take_text(r, b, value, out);
    default: return false;
    }
}

static void read_blob(struct reader *r, const struct about *who, struct set *set, uint32_t item)
{
    size_t n;
    unsigned char *bytes = value_bytes(r->scratch, item_text(r->store, item), &n);
    struct blob b = { bytes, bytes ? n : 0 };
    uint32_t count = 0, length, line = r->store->items[item].line;
    bool good = take(&b, 4, &count);
    for (uint32_t i = 0; good && i < count; i++) {
        const char *name, *value;
        good = take(&b, 4, &length) && take_text(r, &b, length, &name) && take_value(r, &b, &value);
        if (good)
            add(r, set, name, value, line);
    }
    r->store->items[item].used |= USED;
    if (!good)
        note(r, F_BAD_VALUE, who, "BlobData", line,
             "the binary form of the vendor parameters %s cannot be read further than %zu parameters", set->guid,
             set->list.n);
}

/* ---- one set ------------------------------------------------------------------------------------------------------------- */
static void read_parameter(struct reader *r, struct set *set, struct object *o, uint32_t item)
{
    const struct store *s = r->store;
    uint32_t name = object_field(o, S_VENDOR_NAME), value = object_field(o, S_VENDOR_VALUE);
    const char *text = value ? item_text(s, value) : "";
    const char *key = name && s->items[name].text      ? item_text(s, name)
                      : is_guid(item_storage(s, item)) ? ""
                                                       : item_storage(s, item);
    if (*key)
        add(r, set, key, text, s->items[item].line);
}

static void read_set(struct reader *r, const struct about *who, uint32_t item, struct set *set)
{
    struct store *s = r->store;
    struct object top = object_read(r, NULL, OBJ_VENDOR, item);
    if (object_has(&top, S_VENDOR_NAME) && !object_has(&top, S_VENDOR_VALUE))
        object_field(&top, S_VENDOR_NAME); /* the set's own name */
    for (uint32_t i = item + 1; i < s->items[item].end;) {
        struct item *x = &s->items[i];
        int id = xml_name_setting(s->names, OBJ_VENDOR, x->name);
        bool skip = x->used && item_is_leaf(s, i);
        if (id == S_VENDOR_BLOB && item_is_leaf(s, i)) {
            read_blob(r, who, set, i);
        } else if (!skip && x->name == N_CONFIGURATION) {
            add(r, set, "XML_POLICY", "<Configuration/>", x->line);
            mark_all(r, i);
            note(r, F_BAD_VALUE, who, "XML_POLICY", x->line,
                 "its HTTP filter is written as elements instead of text; its content was not read");
            i = x->end;
            continue;
        } else if (!skip && item_is_leaf(s, i)) { /* <AddHttpsFrontEndOn>1</...>, or a text with its name outside */
            bool named = id == S_VENDOR_HTTP_FILTER || id == S_VENDOR_FRONT_END || id < 0;
            const char *name =
                strstr(item_text(s, i), "<Configuration") ? "XML_POLICY" : xml_name_text(s->names, x->name);
            if (named && x->text)
                add(r, set, name, item_text(s, i), x->line);
            x->used |= named ? USED : UNUSED;
        } else if (!item_is_leaf(s, i)) {
            struct object o = object_read(r, NULL, OBJ_VENDOR, i);
            if (object_has(&o, S_VENDOR_VALUE) || (object_has(&o, S_VENDOR_NAME) && !object_has(&o, S_VENDOR_BLOB)))
                read_parameter(r, set, &o, i);
        }
        i++;
    }
}

/* The set's GUID, wherever it is written. */
static const char *set_guid(struct reader *r, uint32_t item)
{
    const struct store *s = r->store;
    const char *guid = item_storage(s, item);
    for (uint32_t i = item; i < s->items[item].end && !is_guid(guid); i++) {
        const char *text = item_text(s, i), *storage = item_storage(s, i);
        bool name = s->items[i].name == N_NAME;
        guid = is_guid(storage) ? storage : name && is_guid(text) ? text : guid;
    }
    return arena_strdup(r->arena, guid);
}

/* ---- a rule's sets -------------------------------------------------------------------------------------------------------- */
static void use_parameter(struct reader *r, const struct about *who, struct rule *rule, const struct parameter *p)
{
    bool on;
    if (same_guid(p->set, http_filter) || strstr(p->value, "<Configuration")) {
        rule->http_filter = p->value;
        origin_set(r->arena, who->at, "http_filter", p->line);
    } else if (same_guid(p->set, link_dictionary)) {
        vec_add(r->arena, &rule->links, ((struct link_mapping){ p->name, p->value }));
        origin_set(r->arena, who->at, "links", p->line);
    } else if ((same_guid(p->set, front_end_https) || !is_guid(p->set)) &&
               ascii_casecmp(p->name, "AddHttpsFrontEndOn") == 0 && value_bool(p->value, &on)) {
        rule->front_end_https = on;
        origin_set(r->arena, who->at, "front_end_https", p->line);
    } else {
        vec_add(r->arena, &rule->parameters, *p);
    }
}

static enum setting_id setting_of_set(const struct set *set)
{
    for (size_t i = 0; i < set->list.n; i++)
        if (strstr(set->list.v[i].value, "<Configuration"))
            return S_VENDOR_HTTP_FILTER;
    return same_guid(set->guid, http_filter)       ? S_VENDOR_HTTP_FILTER
           : same_guid(set->guid, link_dictionary) ? S_VENDOR_LINKS
           : same_guid(set->guid, front_end_https) ? S_VENDOR_FRONT_END
                                                   : S_VENDOR_SET;
}

static bool is_set(struct reader *r, uint32_t item)
{
    return r->store->items[item].name == N_VENDOR_SET || is_guid(item_storage(r->store, item));
}

void read_rule_vendor(struct reader *r, struct about *who, struct rule *rule, uint32_t sets)
{
    if (!sets)
        return;
    for
        each_child(r->store, sets, c)
        {
            struct set set = { .guid = set_guid(r, c), .line = r->store->items[c].line };
            if (!is_set(r, c))
                continue;
            read_set(r, who, c, &set);
            for (size_t i = 0; i < set.list.n; i++)
                use_parameter(r, who, rule, &set.list.v[i]);
            stands_for(r, c, setting_of_set(&set));
        }
}

/* ---- the hotfix switches of the array (B-112) ------------------------------------------------------------------------------ */
void read_array_vendor(struct reader *r)
{
    const struct store *s = r->store;
    for (uint32_t i = 1; i < s->n;) {
        if (s->items[i].name != N_VENDOR_SET) {
            i++;
            continue;
        }
        struct set set = { .guid = set_guid(r, i), .line = s->items[i].line };
        if (same_guid(set.guid, hotfix_switches)) {
            read_set(r, NULL, i, &set);
            for (size_t k = 0; k < set.list.n; k++)
                vec_add(r->arena, &r->policy->parameters, set.list.v[k]);
        }
        i = s->items[i].end;
    }
}

/* ---- the array's dictionary of link translation (B-125) --------------------------------------------------------------------- */
/* Documented as WebProxy.ExplicitLinkTranslationMappings; where it stands in an export was never seen, so that the
 * collection's name, or an item's, is enough. */
void read_array_links(struct reader *r)
{
    const struct store *s = r->store;
    for (uint32_t i = 2; i < s->n; i++) {
        bool listed = item_is(s, s->items[i].parent, N_LINK_MAPPINGS) && !item_is_leaf(s, i);
        if (!listed && s->items[i].name != N_LINK_MAPPING)
            continue;
        struct object o = object_read(r, NULL, OBJ_LINK, i);
        const char *from = object_string(&o, S_LINK_FROM), *to = object_string(&o, S_LINK_TO);
        object_field(&o, S_LINK_DESCRIPTION);
        if (from)
            vec_add(r->arena, &r->policy->links, ((struct link_mapping){ from, to ? to : "" }));
    }
}
