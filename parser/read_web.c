/* read_web: one web publishing rule. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

struct web {
    struct reader *r;
    struct rule rule;
    struct about who;
    struct object o, web, balancing, access;
    refs refs; /* every reference of the rule but its sources */
    bool farm_given;
};

/* ---- references ------------------------------------------------------------------------------------------------------ */
static enum item_class slot_class(int id)
{
    switch (id) {
    case S_WEB_LISTENER: return CLASS_LISTENER;
    case S_BALANCE_FARM: return CLASS_FARM;
    case S_RULE_SCHEDULE: return CLASS_SCHEDULE;
    case S_WEB_USERS:
    case S_ACCESS_USERS: return CLASS_USERS;
    case S_RULE_GROUP: return CLASS_GROUP;
    default: return CLASS_NONE;
    }
}

static bool holds_refs(int id)
{
    return id >= 0 && (settings[id].type == TYPE_REF || settings[id].type == TYPE_REFS);
}

/* The class that a reference names counts more than the slot in which it stands (format 6.2.4), so they are all
 * gathered first. */
static void gather(struct web *w, const struct object *o)
{
    struct store *s = w->r->store;
    if (!o->item)
        return;
    for
        each_child(s, o->item, c)
        {
            int id = s->items[c].slot ? xml_name_setting(s->names, o->kind, s->items[c].slot) : -1;
            if (id < 0)
                id = xml_name_setting(s->names, o->kind, s->items[c].name);
            bool loose = id < 0 && (s->items[c].name == N_REF || s->items[c].name == N_REFS);
            if (!loose && !holds_refs(id))
                continue;
            refs_read(w->r, c, slot_class(id), id, &w->refs);
            if (id >= 0 && settings[id].policy)
                origin_set(w->r->arena, w->who.at, settings[id].policy, s->items[c].line);
        }
}

static void dangling(struct web *w, const struct ref *ref, const char *setting, const char *what, const char *result)
{
    note(w->r, F_DANGLING_REF, &w->who, setting, ref->line, "its %s %s is not in the export%s", what, ref->name,
         result);
}

static void use_listener(struct web *w, const struct ref *ref)
{
    struct entry *e = ref->target ? entry_find(&w->r->listeners, ref->target) : NULL;
    if (w->rule.listener && e)
        note(w->r, F_BAD_VALUE, &w->who, "WebListenerUsed", ref->line,
             "it names more than one listener; %s was left out", e->name);
    else if (e)
        w->rule.listener = e->name;
    else
        note(w->r, F_RULE_WITHOUT_LISTENER, &w->who, "WebListenerUsed", ref->line,
             "its listener %s is not in the export, so it answers nothing", ref->name);
}

static void use_farm(struct web *w, const struct ref *ref)
{
    struct entry *e = ref->target ? entry_find(&w->r->farms, ref->target) : NULL;
    w->farm_given = true;
    w->rule.farm = e ? e->name : farm_named(w->r, ref->name);
    if (!e)
        dangling(w, ref, "ServerFarm", "server farm", ", so it cannot forward");
}

/* Without the switch a farm that is referred to is used: the reference would have no other purpose. */
static void settle_farm(struct web *w)
{
    bool given = object_has(&w->web, S_WEB_BALANCED), on = object_bool(&w->web, S_WEB_BALANCED);
    if (given && on && !w->farm_given)
        note(w->r, F_NO_BACKEND, &w->who, "LoadBalancingEnabled", object_line(&w->web, S_WEB_BALANCED),
             "it is load balanced but names no server farm; requests go to the site itself");
    if (given && !on)
        w->rule.farm = NULL;
    if (!given && w->farm_given)
        note(w->r, F_DEFAULT_TAKEN, &w->who, "LoadBalancingEnabled", object_line(&w->web, S_WEB_BALANCING),
             "it names the server farm %s, but LoadBalancingEnabled is not in the export; the farm is used",
             w->rule.farm);
}

static void use_schedule(struct web *w, const struct ref *ref)
{
    if (!ref->target && ascii_casecmp(ref->name, "Always") == 0)
        return;
    const char *name = ref->target ? schedule_name(w->r, ref->target) : NULL;
    if (ref->target)
        want(w->r, ref->target);
    if (name && !w->rule.schedule)
        w->rule.schedule = name;
    else
        w->rule.schedule_unknown = true;
    if (!ref->target)
        dangling(w, ref, "ScheduleUsed", "schedule", "; the rule is closed");
    else if (ref->excluded)
        w->rule.schedule_unknown = true;
}

static void use_users(struct web *w, const struct ref *ref)
{
    struct entry *e = ref->target ? entry_find(&w->r->user_sets, ref->target) : NULL;
    bool everybody = e && !ref->excluded && ascii_casecmp(e->name, "All Users") == 0;
    const char *name = everybody ? e->name : ref->target ? user_set_name(w->r, ref->target) : ref->name;
    if (ref->target && !everybody)
        want(w->r, ref->target);
    if (!ref->target && ascii_casecmp(name, "All Users") && ascii_casecmp(name, "All Authenticated Users") &&
        ascii_casecmp(name, "System and Network Service"))
        dangling(w, ref, "UserSets", "user set", "; map it in the site map under this name");
    if (!name)
        name = ref->name;
    if (ref->excluded) {
        name = arena_printf(w->r->arena, "all but %s", name);
        note(w->r, F_BAD_VALUE, &w->who, "UserSets", ref->line,
             "it is for everybody but the user set \"%s\", which cannot be expressed", name + 8);
    } else if (ascii_casecmp(name, "All Users") == 0) {
        w->rule.all_users = true;
        return;
    }
    vec_add(w->r->arena, &w->rule.users, name);
}

static void use_refs(struct web *w)
{
    bool slot_filled = false;
    for (size_t i = 0; i < w->refs.n; i++) {
        const struct ref *ref = &w->refs.v[i];
        slot_filled |= ref->class == CLASS_LISTENER;
        switch (ref->class) {
        case CLASS_LISTENER: use_listener(w, ref); break;
        case CLASS_FARM: use_farm(w, ref); break;
        case CLASS_SCHEDULE: use_schedule(w, ref); break;
        case CLASS_USERS: use_users(w, ref); break;
        case CLASS_GROUP: break; /* a folder in the console */
        case CLASS_NONE: dangling(w, ref, NULL, "reference to", ", and it does not say what it is"); break;
        default:
            note(w->r, F_UNKNOWN_ELEMENT, &w->who, NULL, ref->line,
                 "PolicyRule/Ref: a reference to %s has no known meaning in a web publishing rule", ref->name);
        }
    }
    if (!slot_filled)
        note(w->r, F_RULE_WITHOUT_LISTENER, &w->who, "WebListenerUsed", w->rule.at.line,
             "it names no listener, so it answers nothing");
    /* an exception among the sets is a restriction that All Users does not lift */
    if (w->rule.all_users && w->rule.users.n) {
        bool except = false;
        for (size_t i = 0; i < w->refs.n; i++)
            except |= w->refs.v[i].class == CLASS_USERS && w->refs.v[i].excluded;
        if (except)
            w->rule.all_users = false;
        else
            w->rule.users = (strings){ 0 };
    }
    if (!w->rule.users.n)
        w->rule.all_users = true;
}

/* ---- public names ---------------------------------------------------------------------------------------------------------- */
/* seen: only for long lists. */
static bool listed(const struct web *w, const struct name_set *seen, const char *name)
{
    if (seen)
        return name_set_find(seen, name) != NULL;
    for (size_t i = 0; i < w->rule.names.n; i++)
        if (str_equal(w->rule.names.v[i].name, name))
            return true;
    return false;
}

static void add_public_name(struct web *w, struct name_set *seen, const struct text_at *t)
{
    struct public_name name = { .line = t->line };
    if (str_equal(t->text, "*")) {
        w->rule.all_names = true;
    } else if (!normalise_public_name(w->r->arena, t->text, &name)) {
        note(w->r, F_BAD_NAME, &w->who, "PublicNames", t->line,
             "its public name \"%s\" is no host name, wildcard or address and was left out", shortened(w->r, t->text));
    } else if (listed(w, seen, name.name)) {
        note(w->r, F_DUPLICATE_NAME, &w->who, "PublicNames", t->line, "its public name %s is listed twice", name.name);
    } else {
        name.line = t->line;
        if (seen)
            name_set_unique(seen, w->r->scratch, name.name);
        vec_add(w->r->arena, &w->rule.names, name);
    }
}

static void read_names(struct web *w)
{
    struct object *o = &w->web;
    texts list = { 0 };
    w->rule.all_names = object_bool(o, S_WEB_ALL_NAMES);
    for (uint32_t c = object_field(o, S_WEB_NAMES); c; c = object_more(o, S_WEB_NAMES, c))
        list_read(w->r, c, &list);
    struct name_set *seen = list.n > 16 ? name_set_new(w->r->scratch) : NULL;
    for (size_t i = 0; i < list.n && !w->rule.all_names; i++)
        add_public_name(w, seen, &list.v[i]);
    if (w->rule.all_names)
        w->rule.names.n = 0;
    else if (!w->rule.names.n)
        note(w->r, F_RULE_WITHOUT_NAME, &w->who, "PublicNames", object_line(o, S_WEB_NAMES),
             "it has no usable public name, so it answers nothing");
}

/* ---- paths ------------------------------------------------------------------------------------------------------------------- */
static bool usable(struct web *w, const char *text, uint32_t line, enum path_kind *kind, const char **literal)
{
    bool odd = false;
    if (!normalise_path(w->r->arena, text, kind, literal, &odd)) {
        note(w->r, F_BAD_PATH, &w->who, "PathMappings", line, "its path \"%s\" is not usable and was left out",
             shortened(w->r, text));
        return false;
    }
    if (odd)
        note(w->r, F_PATH_PATTERN, &w->who, "PathMappings", line,
             "its path \"%s\" is not of a documented form; it is taken as %s \"%s\"", shortened(w->r, text),
             *kind == PATH_EXACT ? "the path" : "everything that begins with", *literal);
    return true;
}

static void add_path(struct web *w, const char *external, const char *internal, uint32_t line)
{
    struct path p = { .line = line };
    enum path_kind kind;
    const char *literal;
    if (!usable(w, external, line, &p.kind, &p.external))
        return;
    if (internal && strcmp(internal, external) != 0) {
        if (!usable(w, internal, line, &kind, &literal))
            return;
        if (kind != p.kind) {
            note(w->r, F_PATH_PATTERN, &w->who, "PathMappings", line,
                 "its external path \"%s\" and internal path \"%s\" are of different kinds; what follows "
                 "the external one is put behind the internal one",
                 shortened(w->r, external), shortened(w->r, internal));
            if (p.kind == PATH_EXACT && kind == PATH_PREFIX)
                literal = arena_printf(w->r->arena, "%s/", literal);
        }
        if (kind != p.kind || strcmp(literal, p.external) != 0)
            p.internal = literal;
    }
    vec_add(w->r->arena, &w->rule.paths, p);
}

/* One mapping as an object, as "external|internal", or as a plain path. */
static void read_mapping(struct web *w, uint32_t item)
{
    struct store *s = w->r->store;
    uint32_t line = s->items[item].line;
    s->items[item].used |= USED;
    if (item_is_leaf(s, item)) {
        const char *text = item_text(s, item), *bar = strchr(text, '|');
        add_path(w, bar ? arena_strndup(w->r->scratch, text, (size_t)(bar - text)) : text, bar ? bar + 1 : NULL, line);
        return;
    }
    struct about who = w->who;
    who.at = NULL;
    struct object o = object_read(w->r, &who, OBJ_PATH, item);
    const char *external = object_string(&o, S_PATH_EXTERNAL), *internal = object_string(&o, S_PATH_INTERNAL);
    bool same = object_has(&o, S_PATH_SAME) ? object_bool(&o, S_PATH_SAME) : !external;
    if (same)
        external = internal ? internal : external;
    if (!external)
        external = internal;
    if (external)
        add_path(w, external, same ? NULL : internal, line);
    else
        note(w->r, F_BAD_PATH, &w->who, "PathMappings", line, "a path mapping has no path and was left out");
}

static bool is_mapping(const struct store *s, uint32_t item)
{
    for
        each_child(s, item, c)
        {
            int id = xml_name_setting(s->names, OBJ_PATH, s->items[c].name);
            if (item_is_leaf(s, c) && (id == S_PATH_EXTERNAL || id == S_PATH_INTERNAL))
                return true;
        }
    return item_is_leaf(s, item) && s->items[item].text;
}

static int path_order(const void *x, const void *y)
{
    const struct path *a = *(const struct path *const *)x, *b = *(const struct path *const *)y;
    int order = ascii_casecmp(a->external, b->external);
    return order ? order : a->kind != b->kind ? (int)a->kind - (int)b->kind : a < b ? -1 : a > b;
}

/* The path, if there is one, of which every path with this beginning is part. */
static const struct path *wider(const struct path **sorted, size_t n, const char *literal, size_t length)
{
    size_t from = 0, to = n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        const char *other = sorted[mid]->external;
        int order = ascii_ncasecmp(other, literal, length);
        if (order < 0 || (order == 0 && strlen(other) < length))
            from = mid + 1;
        else
            to = mid;
    }
    bool found = from < n && strlen(sorted[from]->external) == length &&
                 !ascii_ncasecmp(sorted[from]->external, literal, length);
    return found && sorted[from]->kind == PATH_PREFIX ? sorted[from] : NULL;
}

/* The console refuses paths that overlap, wizards make them all the same (B-17). One note a rule. */
static void check_overlap(struct web *w)
{
    size_t n = w->rule.paths.n;
    if (n < 2)
        return;
    const struct path **sorted = arena_alloc(w->r->scratch, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &w->rule.paths.v[i];
    qsort(sorted, n, sizeof *sorted, path_order);
    struct strbuf a = { 0 }, b = { 0 };
    for (size_t i = 0; i < n && !a.n; i++) {
        const char *literal = sorted[i]->external;
        if (i && sorted[i]->kind == sorted[i - 1]->kind && !ascii_casecmp(literal, sorted[i - 1]->external)) {
            buf_path_pattern(&a, sorted[i]->kind, literal);
            note(w->r, F_OVERLAPPING_PATHS, &w->who, "PathMappings", sorted[i]->line,
                 "its path %s is listed twice; the first one counts", a.p);
        }
        for (size_t k = 0; literal[k] && !a.n; k++) {
            const struct path *outer = literal[k] == '/' ? wider(sorted, n, literal, k) : NULL;
            if (!outer || outer == sorted[i])
                continue;
            buf_path_pattern(&a, sorted[i]->kind, literal);
            buf_path_pattern(&b, outer->kind, outer->external);
            note(w->r, F_OVERLAPPING_PATHS, &w->who, "PathMappings", sorted[i]->line,
                 "its paths overlap: %s is part of %s; the longest is tried first", a.p, b.p);
        }
    }
    buf_free(&a);
    buf_free(&b);
}

static void read_paths(struct web *w)
{
    struct store *s = w->r->store;
    for (uint32_t f = object_field(&w->web, S_WEB_PATHS); f; f = object_more(&w->web, S_WEB_PATHS, f))
        for (uint32_t i = f; i < s->items[f].end;) {
            s->items[i].used |= USED;
            if (is_mapping(s, i)) {
                read_mapping(w, i);
                i = s->items[i].end;
            } else {
                i++;
            }
        }
    if (!w->rule.paths.n)
        note(w->r, F_RULE_WITHOUT_PATH, &w->who, "PathMappings", object_line(&w->web, S_WEB_PATHS),
             "it has no usable path, so it answers nothing");
    check_overlap(w);
}

/* ---- the published server ------------------------------------------------------------------------------------------------------ */
static void read_backend(struct web *w)
{
    struct object *o = &w->web;
    struct rule *rule = &w->rule;
    const char *site = object_string(o, S_WEB_SITE), *server = object_string(o, S_WEB_SERVER);
    rule->site = site ? normalise_host(w->r->arena, site) : NULL;
    rule->server = server ? normalise_host(w->r->arena, server) : NULL;
    if (!rule->site && rule->action == ACTION_ALLOW)
        note(w->r, F_NO_BACKEND, &w->who, "WebSite", object_line(o, S_WEB_SITE),
             site ? "its site \"%s\" is no host name or address%s" : "it names no published site%s%s",
             site ? shortened(w->r, site) : "", ", so it cannot forward");
    if (server && !rule->server)
        note(w->r, F_BAD_VALUE, &w->who, "PublishedServer", object_line(o, S_WEB_SERVER),
             "its published server \"%s\" is no host name or address; requests go to the site itself",
             shortened(w->r, server));
    if (str_equal(rule->server, rule->site))
        rule->server = NULL;
    rule->affinity_by_address = object_int(&w->balancing, S_BALANCE_AFFINITY, 0, 1) == 1;
    rule->bridging = (enum bridging)object_int(o, S_WEB_BRIDGING, 0, 3);
    rule->http_port = object_int(o, S_WEB_HTTP_PORT, 1, 65535);
    rule->ssl_port = object_int(o, S_WEB_SSL_PORT, 1, 65535);
    rule->ftp_port = object_int(o, S_WEB_FTP_PORT, 1, 65535);
    if (!object_has(o, S_WEB_BRIDGING) && object_has(o, S_WEB_SSL_PORT))
        note(
            w->r, F_DEFAULT_TAKEN, &w->who, "PublishedServerType", object_line(o, S_WEB_SSL_PORT),
            "PublishedServerType is not in the export, although an HTTPS port is; requests go on over HTTP to port %ld",
            rule->http_port);
}

static void read_forwarding(struct web *w)
{
    struct object *o = &w->web;
    struct rule *rule = &w->rule;
    rule->forward_host = object_bool(o, S_WEB_FORWARD_HOST);
    rule->forward_client_address = object_bool(o, S_WEB_CLIENT_ADDRESS);
    if (object_has(o, S_WEB_FIREWALL_ADDRESS))
        rule->forward_client_address = !object_bool(o, S_WEB_FIREWALL_ADDRESS);
    rule->accept_encoding = object_bool(o, S_WEB_ACCEPT_ENCODING);
    rule->pass_options = object_bool(o, S_WEB_PASS_OPTIONS);
    rule->delegation = (enum delegation)object_int(o, S_WEB_DELEGATION, 0, 6);
    rule->spn = object_string(o, S_WEB_SPN);
    bool needs_spn = rule->delegation == DELEGATE_NEGOTIATE || rule->delegation == DELEGATE_KERBEROS;
    if (!needs_spn)
        rule->spn = NULL;
    else if (!rule->spn && rule->farm)
        rule->spn = "http/*";
    else if (!rule->spn && rule->site)
        rule->spn = arena_printf(w->r->arena, "http/%s", rule->site);
    rule->strip_domain = object_bool(o, S_WEB_STRIP_DOMAIN);
    rule->pass_auth_body = object_bool(o, S_WEB_PASS_AUTH_BODY);
}

static void read_certificates(struct web *w)
{
    struct object *o = &w->web;
    struct rule *rule = &w->rule;
    rule->require_ssl = object_int(o, S_WEB_REQUIRE_SSL, 0, 3);
    if (rule->require_ssl == 3)
        rule->require_ssl = 2;
    rule->client_certificate = (enum certificate_claim)object_int(o, S_WEB_CERTIFICATE_CLAIM, 0, 2);
    if (object_bool(o, S_WEB_REQUIRE_CERTIFICATE))
        rule->client_certificate = CERTIFICATE_REQUIRED;
    uint32_t item = object_field(o, S_WEB_BACKEND_CERTIFICATE);
    if (!item)
        return;
    for (uint32_t i = item; i < w->r->store->items[item].end && !rule->backend_certificate; i++) {
        w->r->store->items[i].used |= USED;
        const char *text = item_text(w->r->store, i);
        rule->backend_certificate = *text && !is_guid(text) ? normalise_thumbprint(w->r->arena, text) : NULL;
    }
}

static void read_texts(struct web *w, enum setting_id id, strings *out)
{
    texts list = { 0 };
    for (uint32_t c = object_field(&w->web, id); c; c = object_more(&w->web, id, c))
        list_read(w->r, c, &list);
    for (size_t i = 0; i < list.n; i++)
        vec_add(w->r->arena, out, arena_strdup(w->r->arena, list.v[i].text));
}

static void read_links(struct web *w)
{
    struct object *o = &w->web;
    struct rule *rule = &w->rule;
    rule->translate_links = object_bool(o, S_WEB_TRANSLATE_LINKS);
    rule->link_mode = object_int(o, S_WEB_LINK_MODE, 0, 3);
    rule->link_options = object_int(o, S_WEB_LINK_OPTIONS, 0, 3);
    read_texts(w, S_WEB_CODE_PAGES, &rule->code_pages);
    read_texts(w, S_WEB_LINK_PATTERNS, &rule->link_patterns);
    rule->logoff_url = object_string(o, S_WEB_LOGOFF);
    rule->application = object_int(o, S_WEB_APPLICATION, 0, 2);
    rule->alternate_access_mapping = object_bool(o, S_WEB_MAPPING_DONE);
    rule->block_attachments_public = object_bool(o, S_WEB_BLOCK_PUBLIC);
    rule->block_attachments_private = object_bool(o, S_WEB_BLOCK_PRIVATE);
}

enum action read_action(struct reader *r, struct about *who, struct object *rule)
{
    long action = 0;
    if (!object_has(rule, S_RULE_ACTION))
        return ACTION_ALLOW;
    bool valid = value_int(item_text(r->store, object_field(rule, S_RULE_ACTION)), &action);
    if (!valid || action < 0 || action > 1)
        note(r, F_BAD_VALUE, who, "Action", object_line(rule, S_RULE_ACTION),
             "its action is neither allow nor deny; it was taken as deny");
    return valid && action == 0 ? ACTION_ALLOW : ACTION_DENY;
}

/* ---- the rule -------------------------------------------------------------------------------------------------------------------- */
static void read_head(struct web *w)
{
    struct object *o = &w->o;
    struct rule *rule = &w->rule;
    const char *name = object_string(o, S_RULE_NAME);
    rule->name = name            ? name
                 : rule->at.guid ? arena_printf(w->r->arena, "(unnamed rule %s)", rule->at.guid)
                                 : "(unnamed rule)";
    w->who.name = rule->name;
    rule->description = object_string(o, S_RULE_DESCRIPTION);
    rule->enabled = object_bool(o, S_RULE_ENABLED);
    rule->action = read_action(w->r, &w->who, o);
    rule->source_port_low = object_int(o, S_RULE_PORT_LOW, 0, 65535);
    rule->source_port_high = object_int(o, S_RULE_PORT_HIGH, 0, 65535);
    rule->logging = object_bool(o, S_RULE_LOGGING);
}

/* The first selection of addresses is the "From" tab, whatever its slot is called. */
static void read_from(struct web *w)
{
    const struct store *s = w->r->store;
    uint32_t item = object_field(&w->o, S_RULE_SOURCES);
    for
        each_child(s, w->o.item, c) if (!item && s->items[c].name == N_SELECTION_IPS) item = c;
    w->rule.sources.any = !item;
    if (item)
        read_sources(w->r, &w->who, &w->rule.sources, item);
}

void read_web_rule(struct reader *r, uint32_t item, uint32_t web)
{
    struct web w = { .r = r };
    w.rule.at = (struct origin){ .guid = item_guid(r, item), .line = r->store->items[item].line };
    w.who = (struct about){ SUBJECT_RULE, NULL, w.rule.at.guid, &w.rule.at };
    w.o = object_read(r, &w.who, OBJ_RULE, item);
    read_head(&w);
    w.web = object_read(r, &w.who, OBJ_WEB, web);
    w.balancing = object_read(r, &w.who, OBJ_BALANCING, object_field(&w.web, S_WEB_BALANCING));
    w.access = object_read(r, NULL, OBJ_ACCESS, object_field(&w.o, S_RULE_ACCESS));
    own(r, item, SUBJECT_RULE, r->policy->rules.n);
    object_field(&w.o, S_RULE_SERVER); /* an empty shell */
    gather(&w, &w.web);
    gather(&w, &w.o);
    gather(&w, &w.balancing);
    gather(&w, &w.access);
    use_refs(&w);
    settle_farm(&w);
    w.rule.redirect_url = object_string(&w.web, S_WEB_REDIRECT);
    read_names(&w);
    read_paths(&w);
    read_from(&w);
    read_backend(&w);
    read_forwarding(&w);
    read_certificates(&w);
    read_links(&w);
    read_rule_vendor(r, &w.who, &w.rule, object_field(&w.o, S_RULE_VENDOR));
    vec_add(r->arena, &r->policy->rules, w.rule);
}
