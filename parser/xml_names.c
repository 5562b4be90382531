/* xml_names: the table of element names; see the header. */
#include "xml_names.h"

#include <string.h>

static const char *const fixed[N_FIXED] = {
    [N_NONE] = "",
    [N_ROOT] = "Root",
    [N_REF] = "Ref",
    [N_REFS] = "Refs",
    [N_STR] = "Str",
    [N_NAME] = "Name",
    [N_DESCRIPTION] = "Description",
    [N_ORDER] = "Order",
    [N_ENTERPRISE] = "Enterprise",
    [N_ARRAYS] = "Arrays",
    [N_ARRAY] = "Array",
    [N_POLICY_RULES] = "PolicyRules",
    [N_POLICY_RULE] = "PolicyRule",
    [N_WEB_LISTENER] = "WebListener",
    [N_SERVER_FARM] = "ServerFarm",
    [N_SCHEDULE_TEMPLATE] = "ProxyScheduleTemplate",
    [N_SCHEDULE] = "Schedule",
    [N_USER_SET] = "UserSet",
    [N_NETWORK] = "Network",
    [N_NETWORK_SET] = "NetworkSet",
    [N_COMPUTER] = "Computer",
    [N_COMPUTER_SET] = "ComputerSet",
    [N_ADDRESS_RANGE] = "AddressRange",
    [N_SUBNET] = "Subnet",
    [N_SCHEME] = "AuthenticationScheme",
    [N_POLICY_GROUP] = "PolicyGroup",
    [N_VENDOR_SETS] = "VendorParametersSets",
    [N_VENDOR_SET] = "VendorParametersSet",
    [N_CONFIGURATION] = "Configuration",
    [N_PUBLIC_NAME] = "PublicName",
    [N_DNS_NAME] = "DNSName",
    [N_SELECTION_IPS] = "SelectionIPs",
    [N_IPS_ON_NETWORKS] = "IPsOnNetworks",
    [N_WEB_PROPERTIES] = "WebPublishingProperties",
    [N_ACCESS_PROPERTIES] = "AccessProperties",
    [N_SERVER_PROPERTIES] = "ServerPublishingProperties",
    [N_IP_RANGE_SET] = "IpRangeSet",
    [N_IP_RANGE] = "IpRange",
    [N_IP_ON_NETWORK] = "IPOnNetwork",
    [N_APPLIED_CERTIFICATE] = "AppliedSSLCertificate",
    [N_CERTIFICATE] = "SSLCertificate",
    [N_PATH_MAPPING] = "PathMapping",
    [N_PUBLISHED_SERVER] = "PublishedServer",
    [N_ACCOUNT] = "Account",
    [N_USER] = "NonWindowsUser",
    [N_DOMAIN_NAMES] = "DomainNameStrings",
    [N_PATHS] = "PathMappingsStrings",
    [N_ITEM] = "Item",
    [N_PARAMETER] = "Parameter",
    [N_PARAMETERS] = "Parameters",
    [N_LINK_MAPPINGS] = "ExplicitLinkTranslationMappings",
    [N_LINK_MAPPING] = "ExplicitLinkTranslationMapping",
    [N_PROTOCOL] = "Protocol",
    [N_CONNECTION] = "ProtocolConnection",
    [N_NETWORK_RULE] = "NetworkRule",
    [N_COMPRESSION] = "HTTPCompressionConfiguration",
    [N_COMPRESSION_STORED] = "HTTP-Compression-Configuration",
    [N_CONTENT_TYPES] = "ContentTypeSet",
};

enum { MOST_NAMES = 65000 };
struct xml_names {
    struct arena *arena;
    strings text;    /* by number */
    uint16_t *slots; /* open addressing; 0: free */
    size_t mask;
    VEC(uint16_t) meaning[SETTING_OBJECTS]; /* by number: setting + 1, 0: none */
};

static size_t hash(const char *s, size_t len)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)ascii_lower(s[i])) * 16777619u;
    return h ^ h >> 15;
}

static size_t place(const struct xml_names *n, const char *s, size_t len)
{
    size_t at = hash(s, len) & n->mask;
    for (; n->slots[at]; at = (at + 1) & n->mask) {
        const char *t = n->text.v[n->slots[at]];
        if (strlen(t) == len && ascii_ncasecmp(t, s, len) == 0)
            break;
    }
    return at;
}

static void make_slots(struct xml_names *n, size_t size)
{
    n->slots = arena_alloc(n->arena, size * sizeof *n->slots);
    n->mask = size - 1;
    for (size_t i = 1; i < n->text.n; i++)
        n->slots[place(n, n->text.v[i], strlen(n->text.v[i]))] = (uint16_t)i;
}

uint16_t xml_name_find(const struct xml_names *n, const char *s, size_t len)
{
    return n->slots[place(n, s, len)];
}

uint16_t xml_name_add(struct xml_names *n, const char *s, size_t len)
{
    size_t at = place(n, s, len);
    if (n->slots[at])
        return n->slots[at];
    if (n->text.n >= MOST_NAMES)
        return 0;
    vec_add(n->arena, &n->text, arena_strndup(n->arena, s, len));
    uint16_t name = (uint16_t)(n->text.n - 1);
    if (n->text.n * 2 > n->mask)
        make_slots(n, (n->mask + 1) * 2);
    else
        n->slots[at] = name;
    return name;
}

const char *xml_name_text(const struct xml_names *n, uint16_t name)
{
    return n->text.v[name];
}
size_t xml_names_count(const struct xml_names *n)
{
    return n->text.n;
}

int xml_name_setting(const struct xml_names *n, enum setting_object object, uint16_t name)
{
    return name < n->meaning[object].n ? n->meaning[object].v[name] - 1 : -1;
}

enum setting_id settings_first(enum setting_object object)
{
    static size_t first[SETTING_OBJECTS + 1];
    if (!first[SETTING_OBJECTS]) {
        for (size_t i = SETTINGS; i-- > 0;)
            first[settings[i].object] = i;
        first[SETTING_OBJECTS] = 1;
    }
    return (enum setting_id)first[object];
}

/* The first meaning of a name in an object stays. */
static void add_meaning(struct xml_names *n, size_t setting, const char *s, size_t len)
{
    uint16_t name = xml_name_add(n, s, len);
    enum setting_object object = settings[setting].object;
    while (n->meaning[object].n <= name)
        vec_add(n->arena, &n->meaning[object], 0);
    if (!n->meaning[object].v[name])
        n->meaning[object].v[name] = (uint16_t)(setting + 1);
}

struct xml_names *xml_names_new(struct arena *a)
{
    struct xml_names *n = arena_alloc(a, sizeof *n);
    n->arena = a;
    make_slots(n, 2048);
    vec_add(a, &n->text, "");
    for (size_t i = 1; i < N_FIXED; i++)
        xml_name_add(n, fixed[i], strlen(fixed[i]));
    for (size_t i = 0; i < SETTINGS; i++)
        for (const char *s = settings[i].names; *s; s += *s == '|') {
            size_t len = strcspn(s, "|");
            add_meaning(n, i, s, len);
            s += len;
        }
    return n;
}

bool xml_names_alias(struct xml_names *n, int object, const char *property, const char *element)
{
    bool found = false;
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t len = strcspn(settings[i].names, "|");
        if ((object >= 0 && (int)settings[i].object != object) || strlen(property) != len ||
            ascii_ncasecmp(settings[i].names, property, len) != 0)
            continue;
        add_meaning(n, i, element, strlen(element));
        found = true;
    }
    return found;
}
