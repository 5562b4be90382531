/* redact_meaning: what each text of an export means, by the rows of the settings table; an unknown one by its shape. */
#include "redact_parts.h"
#include "reader.h"

#include <string.h>

struct meanings {
    const struct store *store;
    struct words *words;
    uint8_t *object;   /* by item: enum setting_object + 1 of the object that it is, or is in; 0: none */
    uint8_t *means;    /* by item: of its text, and of what is listed below it */
    uint8_t *switches; /* by item: in a vendor set whose parameters' names are the product's */
    uint8_t *paired;   /* by item: an end of a range, or an address with a mask */
    uint8_t *anywhere; /* by name: setting's meaning whatever the object + 1; 0: not looked up */
};

/* ---- settings ------------------------------------------------------------------------------------ */
static enum meaning of_setting(enum setting_id id)
{
    switch (id) {
    case S_ROOT_BUILD:
    case S_ROOT_CLASS:
    case S_ROOT_XML_VERSION:
    case S_REF_CLASS:
    case S_RULE_ORDER:
    case S_PATH_ORDER:
    case S_SCHEDULE_HOURS:
    case S_SCHEME_VERSION:
    case S_ADDRESS_MASK:
    case S_WEB_CODE_PAGES:
    case S_TYPES_LIST:
    case S_WEB_LINK_PATTERNS: return MEANS_VOCABULARY;
    case S_ROOT_ITEM: return MEANS_STORAGE;
    case S_ROOT_COMMENT:
    case S_RULE_DESCRIPTION:
    case S_LISTENER_DESCRIPTION:
    case S_FARM_DESCRIPTION:
    case S_MEMBER_DESCRIPTION:
    case S_VERIFIER_DESCRIPTION:
    case S_NETWORK_DESCRIPTION:
    case S_ADDRESS_DESCRIPTION:
    case S_SCHEDULE_DESCRIPTION:
    case S_USERS_DESCRIPTION:
    case S_SCHEME_DESCRIPTION:
    case S_VENDOR_DESCRIPTION:
    case S_TYPES_DESCRIPTION:
    case S_LINK_DESCRIPTION: return MEANS_TEXT;
    case S_WEB_NAMES:
    case S_WEB_SITE:
    case S_WEB_SERVER:
    case S_SERVER_IP:
    case S_PROPS_SSO_DOMAINS:
    case S_PROPS_DOMAIN:
    case S_ON_ADDRESSES:
    case S_CERT_ADDRESS:
    case S_MEMBER_HOST:
    case S_VERIFIER_HOST:
    case S_ADDRESS_IP:
    case S_ADDRESS_FROM:
    case S_ADDRESS_TO: return MEANS_HOST;
    case S_WEB_REDIRECT:
    case S_LINK_FROM:
    case S_LINK_TO:
    case S_VERIFIER_ADDRESS: return MEANS_URL;
    case S_WEB_LOGOFF:
    case S_PATH_EXTERNAL:
    case S_PATH_INTERNAL: return MEANS_PATH;
    case S_WEB_SPN: return MEANS_SPN;
    case S_ACCOUNT_SID: return MEANS_SID;
    case S_ACCOUNT_NAME:
    case S_USERS_OTHERS:
    case S_USERS_ACCOUNTS: return MEANS_ACCOUNT;
    case S_CERT_HASH: return MEANS_THUMBPRINT;
    case S_VENDOR_HTTP_FILTER: return MEANS_FILTER;
    case S_VENDOR_NAME:
    case S_VENDOR_VALUE:
    case S_VENDOR_BLOB: return MEANS_NOTHING;
    default:
        return settings[id].type == TYPE_STRING || settings[id].type == TYPE_REF || settings[id].type == TYPE_REFS
                   ? MEANS_NAME
                   : MEANS_NOTHING;
    }
}

/* Elements with which an object begins; others carry on their parent's. */
static int object_of(const struct store *s, uint32_t item)
{
    static const struct {
        const char *element;
        enum setting_object object;
    } more[] = { { "NetworkSet", OBJ_NETWORK },
                 { "Computer", OBJ_ADDRESSES },
                 { "ComputerSet", OBJ_ADDRESSES },
                 { "AddressRange", OBJ_ADDRESSES },
                 { "Subnet", OBJ_ADDRESSES },
                 { "IpRange", OBJ_ADDRESSES },
                 { "Refs", OBJ_REF },
                 { "VendorParametersSets", OBJ_VENDOR },
                 { "Parameter", OBJ_VENDOR },
                 { "SelectionIPs", OBJ_SOURCES },
                 { "ScheduleTemplate", OBJ_SCHEDULE },
                 { "PathMappings", OBJ_PATH } };
    const char *name = xml_name_text(s->names, s->items[item].name);
    if (item_is_leaf(s, item))
        return -1;
    for (int i = 0; i < SETTING_OBJECTS; i++)
        if (ascii_casecmp(setting_object_names[i], name) == 0)
            return i;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (ascii_casecmp(more[i].element, name) == 0)
            return (int)more[i].object;
    return -1;
}

static enum meaning by_name_alone(struct meanings *m, uint16_t name)
{
    if (!m->anywhere[name]) {
        int id = -1;
        for (int i = 0; i < SETTING_OBJECTS && id < 0; i++)
            id = xml_name_setting(m->store->names, (enum setting_object)i, name);
        m->anywhere[name] = (uint8_t)(1 + (id < 0 ? MEANS_NOTHING : of_setting((enum setting_id)id)));
    }
    return (enum meaning)(m->anywhere[name] - 1);
}

/* Passwords, keys and what is encrypted; never a setting that is known, such as ChangePasswordAllowed. */
static bool is_secret(const struct store *s, uint32_t item)
{
    static const char *const words[] = { "password", "passphrase", "secret", "encrypted",
                                         "private",  "sharedkey",  "pfx",    "credentialdata" };
    const char *name = xml_name_text(s->names, s->items[item].name);
    for (int i = 0; i < SETTING_OBJECTS; i++)
        if (xml_name_setting(s->names, (enum setting_object)i, s->items[item].name) >= 0)
            return false;
    for (; *name; name++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (ascii_ncasecmp(name, words[i], strlen(words[i])) == 0)
                return true;
    return false;
}

static bool known_set(const struct store *s, uint32_t set)
{
    static const char *const guids[] = { "f1076e51-bbaf-48ba-a2d7-b0875211e80d", "5e302ed5-f5d5-4fad-9b8a-01c72e1569f3",
                                         "143F5698-103B-12D4-FF34-1F34767DEabc" };
    const char *guid = item_storage(s, set);
    for (size_t i = 0; i < sizeof guids / sizeof *guids; i++)
        if (is_guid(guid) && ascii_ncasecmp(guid + (*guid == '{'), guids[i], 36) == 0)
            return true;
    return false;
}

static void settle(struct meanings *m, uint32_t i)
{
    const struct store *s = m->store;
    const struct item *item = &s->items[i];
    int object = object_of(s, i), outer = m->object[item->parent] - 1;
    int id = outer >= 0 ? xml_name_setting(s->names, (enum setting_object)outer, item->name) : -1;
    m->object[i] = (uint8_t)((object >= 0 ? object : outer) + 1);
    m->switches[i] = item->name == N_VENDOR_SET ? known_set(s, i) : m->switches[item->parent];
    if (m->means[item->parent] == MEANS_SECRET || is_secret(s, i))
        m->means[i] = MEANS_SECRET;
    else if (id >= 0)
        m->means[i] = (uint8_t)of_setting((enum setting_id)id);
    else if (item->name == N_STR || item->name == N_PUBLIC_NAME)
        m->means[i] = m->means[item->parent];
    else if (by_name_alone(m, item->name) != MEANS_NOTHING)
        m->means[i] = (uint8_t)by_name_alone(m, item->name);
    else if (item_is_leaf(s, i) && strstr(xml_name_text(s->names, item->name), "DNS"))
        m->means[i] = MEANS_HOST;
    else
        m->means[i] = item_is_leaf(s, i) ? MEANS_NOTHING : m->means[item->parent];
    if (m->switches[i] && (id == S_VENDOR_NAME || id == S_VENDOR_BLOB))
        m->means[i] = MEANS_VOCABULARY;
    else if (id == S_VENDOR_BLOB) /* texts in binary form */
        m->means[i] = MEANS_SECRET;
}

/* ---- ranges --------------------------------------------------------------------------------------------- */
static void add_range(struct meanings *m, uint32_t first, uint32_t second, bool mask)
{
    uint32_t a, b;
    if (!first || !second || !ip_parse(item_text(m->store, first), &a) || !ip_parse(item_text(m->store, second), &b))
        return;
    bool contiguous = ((~b + 1) & ~b) == 0;
    if (mask ? !contiguous || a & ~b : a > b) /* not a range: two addresses */
        return;
    words_range(m->words, (struct ip_range){ a, mask ? a | ~b : b });
    m->paired[first] = m->paired[second] = true;
}

static void pair(struct meanings *m, uint32_t parent)
{
    const struct store *s = m->store;
    uint32_t ip = 0, mask = 0, from = 0, to = 0;
    for
        each_child(s, parent, c) switch (xml_name_setting(s->names, OBJ_ADDRESSES, s->items[c].name))
        {
        case S_ADDRESS_IP: ip = c; break;
        case S_ADDRESS_MASK: mask = c; break;
        case S_ADDRESS_FROM: from = c; break;
        case S_ADDRESS_TO: to = c; break;
        default: break;
        }
    add_range(m, ip, mask, true);
    add_range(m, from, to, false);
}

static void add_single(struct meanings *m, uint32_t item)
{
    struct ip_range r;
    if (!m->paired[item] && m->means[item] != MEANS_VOCABULARY && ip_range_parse(item_text(m->store, item), &r) &&
        r.from <= r.to)
        words_range(m->words, r);
}

struct meanings *meanings_make(struct arena *a, const struct store *s, struct words *w)
{
    struct meanings *m = arena_alloc(a, sizeof *m);
    *m = (struct meanings){ .store = s,
                            .words = w,
                            .object = arena_alloc(a, s->n),
                            .means = arena_alloc(a, s->n),
                            .switches = arena_alloc(a, s->n),
                            .paired = arena_alloc(a, s->n),
                            .anywhere = arena_alloc(a, xml_names_count(s->names)) };
    for (uint32_t i = 1; i < s->n; i++) {
        settle(m, i);
        if (item_is_leaf(s, i))
            add_single(m, i);
        else
            pair(m, i);
    }
    return m;
}

/* ---- what stands for it ------------------------------------------------------------------------------------- */
/* "Rule" for the name of a rule. */
static const char *object_word(const struct meanings *m, uint32_t item)
{
    const struct store *s = m->store;
    switch (s->items[s->items[item].parent].name) {
    case N_POLICY_RULE: return "Rule";
    case N_WEB_LISTENER: return "Listener";
    case N_SERVER_FARM: return "Farm";
    case N_NETWORK: return "Network";
    case N_NETWORK_SET: return "Network set";
    case N_USER_SET: return "User set";
    case N_SCHEDULE:
    case N_SCHEDULE_TEMPLATE: return "Schedule";
    case N_COMPUTER: return "Computer";
    case N_COMPUTER_SET: return "Computer set";
    case N_ADDRESS_RANGE: return "Range";
    case N_SUBNET: return "Subnet";
    case N_ARRAY: return "Array";
    default: return "Object";
    }
}

const char *meanings_text(struct meanings *m, uint32_t item)
{
    const char *text = item_text(m->store, item);
    if (!*text || m->means[item] == MEANS_SECRET)
        return "";
    if (m->means[item] == MEANS_STORAGE && xml_name_find(m->store->names, text, strlen(text)))
        return text;
    return words_pseudonym(m->words, (enum meaning)m->means[item], object_word(m, item), text);
}

static bool is_plain_word(const char *s)
{
    for (; *s; s++)
        if (!((*s >= '0' && *s <= '9') || (ascii_lower(*s) >= 'a' && ascii_lower(*s) <= 'z')))
            return false;
    return true;
}

const char *meanings_storage(struct meanings *m, uint32_t item)
{
    const struct store *s = m->store;
    const char *storage = item_storage(s, item);
    const struct item *i = &s->items[item];
    bool slot = (i->name == N_REF || i->name == N_REFS || i->name == N_SELECTION_IPS) && is_plain_word(storage);
    bool account = m->object[item] == OBJ_ACCOUNT + 1, parameter = m->object[item] == OBJ_VENDOR + 1;
    if (!*storage || slot || (xml_name_find(s->names, storage, strlen(storage)) && !account) ||
        (parameter && m->switches[item]))
        return storage;
    return words_pseudonym(m->words,
                           account     ? MEANS_ACCOUNT
                           : parameter ? MEANS_NOTHING
                                       : MEANS_STORAGE,
                           "Object", storage);
}

bool meanings_is_text(const struct meanings *m, uint32_t item)
{
    return m->means[item] == MEANS_TEXT;
}

const char *meanings_line(struct meanings *m, const char *line)
{
    return words_pseudonym(m->words, MEANS_TEXT, "", line);
}
