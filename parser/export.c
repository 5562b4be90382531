/* export: the whole way from an export's bytes to a policy. */
#include "parser.h"

#include "names_file.h"
#include "reader.h"

#include <string.h>

static const char *root_text(struct object *root, enum setting_id id)
{
    const char *s = object_string(root, id);
    return s ? s : "";
}

static const char *product_of(const char *build)
{
    long major = 0;
    const char *dot = strchr(build, '.');
    if (dot && dot - build < 4)
        for (const char *s = build; s < dot && *s >= '0' && *s <= '9'; s++)
            major = major * 10 + (*s - '0');
    return major == 7   ? "Forefront TMG 2010"
           : major == 5 ? "ISA Server 2006"
           : major == 4 ? "ISA Server 2004"
                        : "ISA Server or Forefront TMG";
}

/* "WebListener" -> "web listener". */
static const char *in_words(struct arena *a, const char *element)
{
    struct strbuf b = { 0 };
    for (const char *s = element; *s; s++) {
        bool upper = *s >= 'A' && *s <= 'Z', after_lower = s > element && s[-1] >= 'a' && s[-1] <= 'z';
        if (upper && after_lower)
            buf_putc(&b, ' ');
        buf_putc(&b, ascii_lower(*s));
    }
    const char *words = arena_strdup(a, b.p);
    buf_free(&b);
    return words;
}

/* The exported item is the element with the StorageName that the header gives; else a named array, else unknown. */
static const char *kind_of(struct reader *r, const char *item_name)
{
    const struct store *s = r->store;
    uint32_t item = lookup_guid(r->lookup, item_name);
    for (uint32_t i = 2; i < s->n && !item && *item_name; i++)
        if (ascii_casecmp(item_storage(s, i), item_name) == 0)
            item = i;
    for (uint32_t i = 2; i < s->n && !item; i++)
        if (s->items[i].name == N_ARRAY && s->items[i].type == 1)
            item = i;
    return item ? in_words(r->arena, xml_name_text(s->names, s->items[item].name)) : "configuration";
}

static void read_header(struct reader *r)
{
    struct object root = object_read(r, NULL, OBJ_ROOT, 1);
    r->policy->build = root_text(&root, S_ROOT_BUILD);
    r->policy->product = product_of(r->policy->build);
    r->policy->kind = kind_of(r, root_text(&root, S_ROOT_ITEM));
}

static void read_all(struct reader *r)
{
    read_header(r);
    entries_make(r, CLASS_LISTENER, "listener", &r->listeners);
    r->farm_names = entries_make(r, CLASS_FARM, "farm", &r->farms);
    entries_make(r, CLASS_SCHEDULE, "schedule", &r->schedules);
    entries_make(r, CLASS_USERS, "user set", &r->user_sets);
    entries_make(r, CLASS_PROTOCOL, "protocol", &r->protocols);
    r->network_names = entries_make(r, CLASS_NETWORK, "network", &r->networks);
    read_networks(r);
    read_listeners(r);
    read_farms(r);
    read_rules(r);
    read_relations(r);
    read_array_vendor(r);
    read_array_links(r);
    read_compression(r);
    read_unknown(r);
    read_ledger(r);
}

int export_read(const char *source, const char *bytes, size_t n, const char *names_file, struct policy **out,
                struct strbuf *err)
{
    struct arena *scratch = arena_new();
    struct xml_names *names = xml_names_new(scratch);
    struct store *store = NULL;
    *out = NULL;
    bool named = !names_file || names_file_read(names_file, names, err) == 0;
    size_t known_names = xml_names_count(names);
    if (named)
        store = store_read(source, bytes, n, names, err);
    if (store) {
        struct policy *p = policy_new();
        struct reader r = {
            .arena = p->arena, .policy = p, .store = store, .scratch = scratch, .known_names = known_names
        };
        p->source = arena_strdup(p->arena, path_basename(source));
        r.lookup = lookup_make(scratch, store);
        r.is_wanted = arena_alloc(scratch, store->n);
        r.compiled_at = arena_alloc(scratch, store->n * sizeof *r.compiled_at);
        read_all(&r);
        policy_finish(p);
        *out = p;
    }
    store_free(store);
    arena_free(scratch);
    return *out ? 0 : -1;
}
