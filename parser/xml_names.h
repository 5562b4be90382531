/* xml_names: element names as small numbers, compared without ASCII case, and which setting a name means where.
 * Names of the settings table and of the format's own structure are known before a document is read; others are
 * added as they come. */
#ifndef TMGC_XML_NAMES_H
#define TMGC_XML_NAMES_H
#include "../settings/settings.h"

/* Names of the format's structure; a name's number is its place here. */
enum xml_name {
    N_NONE, N_ROOT, N_REF, N_REFS, N_STR, N_NAME, N_DESCRIPTION, N_ORDER, N_ENTERPRISE, N_ARRAYS, N_ARRAY,
    N_POLICY_RULES, N_POLICY_RULE, N_WEB_LISTENER, N_SERVER_FARM, N_SCHEDULE_TEMPLATE, N_SCHEDULE, N_USER_SET,
    N_NETWORK, N_NETWORK_SET, N_COMPUTER, N_COMPUTER_SET, N_ADDRESS_RANGE, N_SUBNET, N_SCHEME, N_POLICY_GROUP,
    N_VENDOR_SETS, N_VENDOR_SET, N_CONFIGURATION, N_PUBLIC_NAME, N_DNS_NAME, N_SELECTION_IPS, N_IPS_ON_NETWORKS,
    N_WEB_PROPERTIES, N_ACCESS_PROPERTIES, N_SERVER_PROPERTIES, N_IP_RANGE_SET,
    /* collections and their items, which the readers take by their place */
    N_IP_RANGE, N_IP_ON_NETWORK, N_APPLIED_CERTIFICATE, N_CERTIFICATE, N_PATH_MAPPING, N_PUBLISHED_SERVER, N_ACCOUNT, N_USER,
    N_DOMAIN_NAMES, N_PATHS, N_ITEM, N_PARAMETER, N_PARAMETERS, N_LINK_MAPPINGS, N_LINK_MAPPING, N_PROTOCOL, N_CONNECTION, N_NETWORK_RULE,
    N_COMPRESSION, N_COMPRESSION_STORED, N_CONTENT_TYPES, N_FIXED
};

struct xml_names;
struct xml_names *xml_names_new(struct arena *a);
/* Another spelling for a setting. object -1: for every row with that first name. false: no such setting. */
bool xml_names_alias(struct xml_names *n, int object, const char *property, const char *element);

uint16_t xml_name_find(const struct xml_names *n, const char *s, size_t len);   /* 0: not known */
uint16_t xml_name_add(struct xml_names *n, const char *s, size_t len);          /* 0: more than 65,000 different ones */
const char *xml_name_text(const struct xml_names *n, uint16_t name);
size_t xml_names_count(const struct xml_names *n);                             /* numbers are below this */

/* Which setting of an object a name means, or -1. */
int xml_name_setting(const struct xml_names *n, enum setting_object object, uint16_t name);
enum setting_id settings_first(enum setting_object object);                    /* rows of one object stand together */
#endif
