/* reader: settings, lists, references and notes; see the header. */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- notes ---------------------------------------------------------------------------------------------------------- */
struct finding *note(struct reader *r, enum finding_id id, const struct about *who, const char *setting, uint32_t line,
                     const char *fmt, ...)
{
    struct strbuf message = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&message, fmt, ap);
    va_end(ap);
    struct finding *f = finding_add(&r->policy->notes, id, "%s", message.p);
    buf_free(&message);
    f->setting = setting;
    f->line = line;
    if (who) {
        f->subject = who->subject;
        f->name = who->name;
        f->guid = who->guid;
    }
    return f;
}

struct about about_item(struct reader *r, uint32_t item)
{
    struct about who = { SUBJECT_NONE, NULL, item_guid(r, item), NULL };
    for
        each_child(r->store, item, c) if (r->store->items[c].name == N_NAME && r->store->items[c].text && !who.name)
            who.name = arena_strdup(r->arena, item_text(r->store, c));
    switch (r->store->items[item].name) {
    case N_POLICY_RULE: who.subject = SUBJECT_RULE; break;
    case N_WEB_LISTENER: who.subject = SUBJECT_LISTENER; break;
    case N_SERVER_FARM: who.subject = SUBJECT_FARM; break;
    default: break;
    }
    return who;
}

const char *shortened(struct reader *r, const char *text)
{
    enum { MOST = 60 };
    size_t n = strlen(text);
    if (n <= MOST)
        return text;
    for (n = MOST; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--) /* not inside a character */
        ;
    return arena_printf(r->scratch, "%.*s...", (int)n, text);
}

/* ---- values ----------------------------------------------------------------------------------------------------------- */
bool value_bool(const char *text, bool *out)
{
    static const char *const yes[] = { "1", "-1", "true", "yes" }, *const no[] = { "0", "", "false", "no" };
    for (size_t i = 0; i < 4; i++) {
        if (ascii_casecmp(text, yes[i]) == 0)
            return *out = true;
        if (ascii_casecmp(text, no[i]) == 0)
            return *out = false, true;
    }
    return false;
}

bool value_int(const char *text, long *out)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    size_t sign = *text == '-' || *text == '+';
    if (hexadecimal ? !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")] && text[2]
                    : text[sign] && !text[sign + strspn(text + sign, "0123456789")]) {
        errno = 0;
        *out = strtol(text, NULL, hexadecimal ? 16 : 10);
        return errno == 0;
    }
    return false;
}

static int digit(char c, bool base64)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (base64) {
        const char *at = c ? strchr(set, c) : NULL;
        return at ? (int)(at - set) : -1;
    }
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

unsigned char *value_bytes(struct arena *a, const char *text, size_t *n)
{
    unsigned char *out = arena_alloc(a, strlen(text) + 1);
    for (int base64 = 0; base64 < 2; base64++) {
        unsigned step = base64 ? 6 : 4, bits = 0;
        uint32_t held = 0;
        const char *s = text;
        *n = 0;
        for (; *s && *s != '='; s++) {
            if (strchr(" \t\r\n", *s))
                continue;
            int d = digit(*s, base64);
            if (d < 0)
                break;
            held = held << step | (uint32_t)d;
            bits += step;
            if (bits >= 8) {
                bits -= 8;
                out[(*n)++] = (unsigned char)(held >> bits);
            }
        }
        if (!s[strspn(s, "= \t\r\n")] && (base64 || !bits))
            return out;
    }
    return NULL;
}

/* ---- objects ------------------------------------------------------------------------------------------------------------ */
void mark_all(struct reader *r, uint32_t item)
{
    r->store->items[item].used = USED_ALL;
}

void want(struct reader *r, uint32_t item)
{
    if (!r->is_wanted[item]) {
        r->is_wanted[item] = 1;
        vec_add(r->scratch, &r->wanted, item);
    }
}

void own(struct reader *r, uint32_t item, enum subject subject, size_t at)
{
    want(r, item);
    vec_add(r->scratch, &r->owners, ((struct owner){ item, subject, at }));
}

void stands_for(struct reader *r, uint32_t item, enum setting_id id)
{
    for (uint32_t i = item; i < r->store->items[item].end; i++)
        r->store->items[i].setting = 0;
    r->store->items[item].setting = (uint16_t)(id + 1);
}

static bool without_effect(enum setting_id id)
{
    const struct setting *s = &settings[id];
    return s->on[TARGET_NGINX] == NONE && s->on[TARGET_HAPROXY] == NONE && s->on[TARGET_PUBLISHD] == NONE;
}

/* A scalar holds no elements: what is below one is reported. */
static bool is_scalar(enum setting_id id)
{
    enum setting_type type = settings[id].type;
    return type == TYPE_STRING || type == TYPE_INT || type == TYPE_BOOL || type == TYPE_HEX;
}

/* A child is a setting by its element name or, for slots, by its StorageName (format 6.2.3). */
static int setting_of(const struct store *s, enum setting_object kind, uint32_t item)
{
    int id = s->items[item].slot ? xml_name_setting(s->names, kind, s->items[item].slot) : -1;
    return id >= 0 ? id : xml_name_setting(s->names, kind, s->items[item].name);
}

struct object object_read(struct reader *r, struct about *about, enum setting_object kind, uint32_t item)
{
    struct object o = { .r = r, .about = about, .kind = kind, .item = item };
    enum setting_id first = settings_first(kind);
    r->store->items[item].used |= USED;
    for
        each_child(r->store, item, c)
        {
            int id = setting_of(r->store, kind, c);
            if (id < 0)
                continue;
            r->store->items[c].setting = (uint16_t)(id + 1);
            if (without_effect((enum setting_id)id))
                r->store->items[c].used |= is_scalar((enum setting_id)id) ? USED : USED_ALL;
            size_t at = (size_t)id - first;
            if (at < MOST_FIELDS && !o.at[at])
                o.at[at] = c;
        }
    return o;
}

bool object_has(const struct object *o, enum setting_id id)
{
    return o->at[id - settings_first(o->kind)] != 0;
}

uint32_t object_field(struct object *o, enum setting_id id)
{
    uint32_t item = o->at[id - settings_first(o->kind)];
    if (!item)
        return 0;
    struct item *i = &o->r->store->items[item];
    i->used |= USED;
    if (settings[id].policy && o->about && o->about->at)
        origin_set(o->r->arena, o->about->at, settings[id].policy, i->line);
    return item;
}

uint32_t object_more(struct object *o, enum setting_id id, uint32_t item)
{
    while ((item = item_next(o->r->store, o->item, item)) != 0)
        if (setting_of(o->r->store, o->kind, item) == (int)id) {
            o->r->store->items[item].used |= USED;
            return item;
        }
    return 0;
}

uint32_t object_line(const struct object *o, enum setting_id id)
{
    uint32_t item = o->at[id - settings_first(o->kind)];
    return o->r->store->items[item ? item : o->item].line;
}

static const char *field_text(struct object *o, enum setting_id id)
{
    uint32_t item = object_field(o, id);
    return item ? item_text(o->r->store, item) : settings[id].dflt ? settings[id].dflt : "";
}

/* A scalar has no children: what is below it would be lost, so it stays unread and is reported. */
const char *object_string(struct object *o, enum setting_id id)
{
    const char *s = field_text(o, id);
    return *s ? arena_strdup(o->r->arena, s) : NULL;
}

/* What a value that cannot be read becomes where the default would open more than the rule's owner may have meant. */
static const struct {
    enum setting_id id;
    const char *value;
} closed_values[] = {
    { S_RULE_ENABLED, "0" },    { S_RULE_PORT_LOW, "65535" },       { S_RULE_PORT_HIGH, "1" },
    { S_WEB_REQUIRE_SSL, "1" }, { S_WEB_REQUIRE_CERTIFICATE, "1" }, { S_WEB_CERTIFICATE_CLAIM, "1" },
    { S_PROPS_ALWAYS, "1" },    { S_FORMS_CERTIFICATE, "1" },       { S_MEMBER_DRAINED, "1" },
};

/* Notes it, and gives what is taken instead. */
static const char *bad_value(struct object *o, enum setting_id id, const char *text)
{
    const char *name = arena_strndup(o->r->arena, settings[id].names, strcspn(settings[id].names, "|"));
    const char *taken = settings[id].dflt ? settings[id].dflt : "0";
    for (size_t i = 0; i < sizeof closed_values / sizeof *closed_values; i++)
        if (closed_values[i].id == id)
            taken = closed_values[i].value;
    note(o->r, F_BAD_VALUE, o->about, name, object_line(o, id),
         "%s is \"%s\", which is not one of its values; %s was taken", name, shortened(o->r, text), taken);
    return taken;
}

bool object_bool(struct object *o, enum setting_id id)
{
    const char *text = field_text(o, id);
    bool value = false;
    if (!value_bool(text, &value))
        value_bool(bad_value(o, id, text), &value);
    return value;
}

long object_int(struct object *o, enum setting_id id, long least, long most)
{
    const char *text = field_text(o, id);
    long value = 0;
    if (!*text && settings[id].dflt)
        text = settings[id].dflt;
    if (*text && (!value_int(text, &value) || value < least || value > most)) {
        value = 0;
        value_int(bad_value(o, id, text), &value);
    }
    return value;
}

/* ---- lists of strings ------------------------------------------------------------------------------------------------------ */
static void add_text(struct reader *r, uint32_t item, const char *text, texts *out)
{
    if (*text)
        vec_add(r->scratch, out, ((struct text_at){ text, r->store->items[item].line }));
}

/* A list in one scalar: "a.example; b.example". */
static void split(struct reader *r, uint32_t item, texts *out)
{
    static const char separators[] = ";, \t\r\n";
    for (const char *s = item_text(r->store, item); *(s += strspn(s, separators));) {
        size_t n = strcspn(s, separators);
        add_text(r, item, arena_strndup(r->scratch, s, n), out);
        s += n;
    }
}

static bool names_an_item(uint16_t name)
{
    return name == N_NAME || name == N_PUBLIC_NAME || name == N_DNS_NAME;
}

void list_read(struct reader *r, uint32_t item, texts *out)
{
    struct store *s = r->store;
    size_t before = out->n;
    s->items[item].used |= USED;
    if (item_is_leaf(s, item)) {
        split(r, item, out);
        return;
    }
    for (uint32_t i = item + 1; i < s->items[item].end; i++)
        if (s->items[i].name == N_STR && item_is_leaf(s, i)) {
            add_text(r, i, item_text(s, i), out);
            s->items[i].used |= USED;
        }
    bool strs = out->n > before;
    for (uint32_t i = item + 1; i < s->items[item].end; i++) {
        struct item *x = &s->items[i];
        if (!item_is_leaf(s, i)) {
            x->used |= USED;
            continue;
        }
        bool label = x->name == N_NAME || x->name == N_DESCRIPTION || x->name == N_ORDER || !x->text;
        bool alone = x->parent == item || names_an_item(x->name) || s->items[x->parent].end == i + 1;
        if (!strs && alone && x->name != N_DESCRIPTION && x->name != N_ORDER) {
            const char *storage = item_storage(s, i);
            add_text(r, i, x->text || is_guid(storage) || x->slot ? item_text(s, i) : storage, out);
            label = true;
        }
        if (label)
            x->used |= USED;
    }
}

/* ---- references -------------------------------------------------------------------------------------------------------------- */
static uint32_t resolve(struct reader *r, const char *name, enum item_class class)
{
    if (is_guid(name)) {
        uint32_t item = lookup_guid(r->lookup, name);
        enum item_class is = item ? class_of_item(r->store, item) : CLASS_NONE;
        return item && (class == CLASS_NONE || is == class) ? item : 0;
    }
    return lookup_name(r->lookup, class, name);
}

static void add_ref(struct reader *r, uint32_t item, uint32_t name_item, enum item_class expected, int slot, refs *out)
{
    struct ref ref = { .slot = slot, .line = r->store->items[item].line, .class = expected };
    if (name_item) {
        struct object o = object_read(r, NULL, OBJ_REF, item);
        object_field(&o, S_REF_NAME);
        uint32_t class = object_field(&o, S_REF_CLASS);
        if (class && r->store->items[class].text)
            ref.class = class_of_ref(r->store, item_text(r->store, class));
        uint32_t status = object_field(&o, S_REF_EXCLUDED);
        const char *text = item_text(r->store, status);
        ref.excluded = *text && strcmp(text, "0") != 0; /* what nobody knows narrows rather than widens */
        name_item = o.at[S_REF_NAME - settings_first(OBJ_REF)];
    } else {
        name_item = item;
        r->store->items[item].used |= USED;
    }
    ref.name = arena_strdup(r->arena, item_text(r->store, name_item));
    ref.target = resolve(r, ref.name, ref.class);
    if (ref.target && ref.class == CLASS_NONE)
        ref.class = class_of_item(r->store, ref.target);
    vec_add(r->scratch, out, ref);
}

/* A whole object where a reference could stand is its own target. */
static bool add_inline(struct reader *r, uint32_t item, int slot, refs *out)
{
    enum item_class class = class_of_item(r->store, item);
    if (class == CLASS_OTHER || lookup_guid(r->lookup, item_storage(r->store, item)) != item)
        return false;
    for
        each_child(r->store, item, c) if (xml_name_setting(r->store->names, OBJ_REF, r->store->items[c].name) ==
                                          S_REF_CLASS) return false;
    vec_add(r->scratch, out,
            ((struct ref){ .name = item_guid(r, item),
                           .class = class,
                           .target = item,
                           .line = r->store->items[item].line,
                           .slot = slot }));
    return true;
}

void refs_read(struct reader *r, uint32_t item, enum item_class expected, int slot, refs *out)
{
    struct store *s = r->store;
    uint32_t end = s->items[item].end;
    for (uint32_t i = item; i < end;) {
        uint32_t name = 0;
        s->items[i].used |= USED;
        for
            each_child(s, i, c) if (xml_name_setting(s->names, OBJ_REF, s->items[c].name) == S_REF_NAME &&
                                    s->items[c].text) name = c;
        if (i != item && add_inline(r, i, slot, out)) {
            i = s->items[i].end;
        } else if (name) {
            add_ref(r, i, name, expected, slot, out);
            i = s->items[i].end;
        } else {
            if (item_is_leaf(s, i) && s->items[i].text)
                add_ref(r, i, 0, expected, slot, out);
            i++;
        }
    }
}
