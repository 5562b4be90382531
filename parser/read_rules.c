/* read_rules: which rules there are, of which kind, and in which order they are tried. */
#include "reader.h"

#include <string.h>

enum kind { KIND_WEB, KIND_ACCESS, KIND_SERVER, KIND_SYSTEM, KIND_PLACEHOLDER, KIND_EMPTY, KINDS };
static const char *const kind_names[KINDS] = {
    [KIND_ACCESS] = "access",
    [KIND_SYSTEM] = "system policy",
    [KIND_PLACEHOLDER] = "placeholder",
    [KIND_EMPTY] = "empty",
};

struct found {
    uint32_t item, properties;
    enum kind kind;
};
struct rules {
    VEC(struct found) before, array, after; /* enterprise rules stand around those of the array (B-01) */
    size_t counts[KINDS];
    uint32_t first[KINDS];
    uint32_t array_item; /* whose rules were seen last */
    size_t arrays;
};

static bool has_content(const struct store *s, uint32_t item)
{
    return item && !item_is_leaf(s, item);
}

/* By the properties that carry data, which *properties gives; the numeric type is a second witness only (format 6.2.9). */
static enum kind kind_of(struct reader *r, uint32_t item, uint32_t *properties)
{
    struct about who = about_item(r, item);
    struct object o = object_read(r, &who, OBJ_RULE, item);
    const struct store *s = r->store;
    bool system = object_bool(&o, S_RULE_SYSTEM), typed = object_has(&o, S_RULE_TYPE);
    long type = object_int(&o, S_RULE_TYPE, 0, 65535);
    uint32_t web = object_field(&o, S_RULE_WEB);
    *properties = web;
    if (system)
        return KIND_SYSTEM;
    if (type == 256)
        return KIND_PLACEHOLDER;
    if (has_content(s, web)) {
        if (typed && type != 2)
            note(r, F_BAD_VALUE, &who, "Type", object_line(&o, S_RULE_TYPE),
                 "its type is %ld, but it has web publishing properties; it was taken for a web publishing rule", type);
        return KIND_WEB;
    }
    if (typed && type == 2)
        return KIND_WEB;
    uint32_t server = object_field(&o, S_RULE_SERVER);
    if (has_content(s, server) || (typed && type == 1)) {
        *properties = server;
        return KIND_SERVER;
    }
    return has_content(s, object_field(&o, S_RULE_ACCESS)) || typed ? KIND_ACCESS : KIND_EMPTY;
}

static uint32_t ancestor(const struct store *s, uint32_t item, enum xml_name name)
{
    while (item && s->items[item].name != name)
        item = s->items[item].parent;
    return item;
}

static void sort_in(struct reader *r, struct rules *all, struct found f, uint32_t placeholder)
{
    const struct store *s = r->store;
    if (!ancestor(s, f.item, N_ENTERPRISE)) {
        uint32_t array = ancestor(s, f.item, N_ARRAY);
        all->arrays += array != all->array_item || !all->arrays;
        all->array_item = array;
        vec_add(r->scratch, &all->array, f);
    } else if (placeholder && s->items[placeholder].parent == s->items[f.item].parent) {
        vec_add(r->scratch, &all->after, f);
    } else {
        vec_add(r->scratch, &all->before, f);
    }
}

static void find_rules(struct reader *r, struct rules *all)
{
    const struct store *s = r->store;
    uint32_t placeholder = 0; /* the last one seen */
    for (uint32_t i = 1; i < s->n; i++) {
        /* a context stub of a rule that stands elsewhere in full says nothing */
        if (s->items[i].name != N_POLICY_RULE || (s->items[i].type == 0 && item_is_leaf(s, i)))
            continue;
        uint32_t properties;
        enum kind kind = kind_of(r, i, &properties);
        if (!all->counts[kind]++)
            all->first[kind] = i;
        if (kind == KIND_PLACEHOLDER)
            placeholder = i;
        if (kind == KIND_WEB || kind == KIND_SERVER)
            sort_in(r, all, (struct found){ i, properties, kind }, placeholder);
    }
}

/* ---- Order -------------------------------------------------------------------------------------------------------------- */
static const char *order_of(const struct store *s, uint32_t item)
{
    for
        each_child(s, item, c) if (xml_name_setting(s->names, OBJ_RULE, s->items[c].name) ==
                                   S_RULE_ORDER) return item_text(s, c);
    return "";
}

/* The order of the file counts; if every rule of a list has an Order of one length, and those disagree, that is
 * said (format 6.2.10). */
static void check_order(struct reader *r)
{
    const struct store *s = r->store;
    uint32_t list = 0, worst = 0;
    const char *last = NULL;
    for (uint32_t i = 1; i <= s->n; i++) {
        if (i < s->n && s->items[i].name != N_POLICY_RULE)
            continue;
        bool same = i < s->n && s->items[i].parent == list;
        if (!same && worst)
            note(r, F_ORDER_DISAGREES, NULL, "Order", s->items[worst].line,
                 "the Order values of the rules disagree with their order in the file, "
                 "here for the first time; the order of the file was kept");
        if (i == s->n)
            return;
        const char *order = order_of(s, i);
        if (!same) {
            list = s->items[i].parent;
            worst = 0;
        } else if (!last || strlen(last) != strlen(order) || !*order) {
            order = NULL; /* not comparable: nothing can be said about the whole list */
            worst = 0;
        } else if (!worst && ascii_casecmp(last, order) > 0) {
            worst = i;
        }
        last = order;
    }
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */
static void note_others(struct reader *r, const struct rules *all)
{
    for (size_t k = KIND_WEB + 1; k < KINDS; k++) {
        if (!all->counts[k] || k == KIND_PLACEHOLDER || k == KIND_SERVER)
            continue;
        const char *name = "";
        for
            each_child(r->store, all->first[k], c) if (r->store->items[c].name == N_NAME) name = item_text(r->store, c);
        note(r, F_NOT_CONVERTED, NULL, NULL, r->store->items[all->first[k]].line, "%zu %s rule%s not converted%s%s%s",
             all->counts[k], kind_names[k], all->counts[k] == 1 ? " was" : "s were", *name ? "; the first is \"" : "",
             shortened(r, name), *name ? "\"" : "");
    }
}

static void read_found(struct reader *r, const struct found *f)
{
    if (f->kind == KIND_WEB)
        read_web_rule(r, f->item, f->properties);
    else
        read_server_rule(r, f->item, f->properties);
}

void read_rules(struct reader *r)
{
    struct rules all = { 0 };
    find_rules(r, &all);
    for (size_t i = 0; i < all.before.n; i++)
        read_found(r, &all.before.v[i]);
    for (size_t i = 0; i < all.array.n; i++)
        read_found(r, &all.array.v[i]);
    for (size_t i = 0; i < all.after.n; i++)
        read_found(r, &all.after.v[i]);
    note_others(r, &all);
    check_order(r);
    if (all.arrays > 1)
        note(r, F_ORDER_DISAGREES, NULL, NULL, 1,
             "the export holds the rules of %zu arrays; they were put one behind the other", all.arrays)
            ->remedy = "Export each array alone, unless one host is to take the place of all.";
    if (!r->policy->rules.n && !r->policy->server_rules.n)
        note(r, F_NO_RULE, NULL, NULL, 1,
             "the export holds no publishing rule, so the configs answer every request with 403");
}
