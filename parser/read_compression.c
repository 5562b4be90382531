/* read_compression: HTTP compression of the whole array (B-65, B-143) - for which clients and listeners, of which content types, and
 * which servers are asked for it. Without a reference to clients or listeners nobody gets a compressed answer. */
#include "../ir/compression.h"
#include "reader.h"

#include <string.h>

/* ---- content types -------------------------------------------------------------------------- */
static void read_types(struct reader *r, struct about *who, uint32_t item)
{
    texts list = { 0 };
    struct object o = object_read(r, NULL, OBJ_CONTENT_TYPES, item);
    want(r, item);
    for (uint32_t c = object_field(&o, S_TYPES_LIST); c; c = object_more(&o, S_TYPES_LIST, c))
        list_read(r, c, &list);
    strings *types = &r->policy->compression.types.list;
    for (size_t i = 0; i < list.n; i++) {
        const char *type = content_type_normal(r->arena, list.v[i].text);
        bool known = false;
        for (size_t k = 0; type && k < types->n && !known; k++)
            known = !strcmp(types->v[k], type);
        if (!type)
            note(r, F_BAD_VALUE, who, "ContentStrings", list.v[i].line,
                 "compression is for \"%s\", which is no content type or extension and was left out",
                 shortened(r, list.v[i].text));
        else if (!known)
            vec_add(r->arena, types, type);
    }
}

static void read_all_types(struct reader *r, struct about *who, struct object *o)
{
    refs list = { 0 };
    for (uint32_t c = object_field(o, S_COMPRESSION_TYPES); c; c = object_more(o, S_COMPRESSION_TYPES, c))
        refs_read(r, c, CLASS_CONTENT_TYPES, S_COMPRESSION_TYPES, &list);
    for (size_t i = 0; i < list.n; i++)
        if (list.v[i].target)
            read_types(r, who, list.v[i].target);
        else
            note(r, F_DANGLING_REF, who, "CompressibleContentTypeSets", list.v[i].line,
                 "compression is for the content types %s, which are not in the export", list.v[i].name);
}

/* ---- for whom --------------------------------------------------------------------------------- */
static void read_compressing_listeners(struct reader *r, struct about *who, struct object *o)
{
    struct compression *c = &r->policy->compression;
    refs list = { 0 };
    for (uint32_t i = object_field(o, S_COMPRESSION_LISTENERS); i; i = object_more(o, S_COMPRESSION_LISTENERS, i))
        refs_read(r, i, CLASS_LISTENER, S_COMPRESSION_LISTENERS, &list);
    for (size_t i = 0; i < list.n; i++) {
        struct entry *e = list.v[i].target ? entry_find(&r->listeners, list.v[i].target) : NULL;
        if (e)
            vec_add(r->arena, list.v[i].excluded ? &c->except_listeners : &c->listeners, e->name);
        else
            note(r, F_DANGLING_REF, who, "WebListenerUsed", list.v[i].line,
                 "compression names the listener %s, which is not in the export", list.v[i].name);
    }
}

static void read_one(struct reader *r, uint32_t item)
{
    static const struct selection clients = { "RequestSource", "compression is for",
                                              "answers to them are not compressed" };
    static const struct selection servers = { "RequestDestination", "compressed answers are asked of",
                                              "they are not asked" };
    struct compression *c = &r->policy->compression;
    struct about who = about_item(r, item);
    who.name = "HTTP compression";
    who.at = &c->at;
    c->at = (struct origin){ .guid = who.guid, .line = r->store->items[item].line };
    struct object o = object_read(r, &who, OBJ_COMPRESSION, item);
    want(r, item);
    c->enabled = object_bool(&o, S_COMPRESSION_ENABLED);
    c->types.except = object_bool(&o, S_COMPRESSION_EXCEPT);
    c->types.untyped = object_bool(&o, S_COMPRESSION_UNTYPED);
    read_all_types(r, &who, &o);
    read_compressing_listeners(r, &who, &o);
    uint32_t from = object_field(&o, S_COMPRESSION_SOURCES), to = object_field(&o, S_COMPRESSION_SERVERS);
    if (from)
        read_selection(r, &who, &clients, &c->clients, from);
    if (to)
        read_selection(r, &who, &servers, &c->servers, to);
}

void read_compression(struct reader *r)
{
    const struct store *s = r->store;
    for (uint32_t i = 2; i < s->n; i++)
        if ((item_is(s, i, N_COMPRESSION) || item_is(s, i, N_COMPRESSION_STORED)) && !item_is_leaf(s, i)) {
            read_one(r, i);
            return;
        }
}
