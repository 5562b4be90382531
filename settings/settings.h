/* settings: the table of every setting of the source product that publishing knows. One row a property, in
 * settings.def, the only place: the reader, `tmgc capabilities`, the manual's table and the tests are made from it.
 * Pure data: this room knows no other but base. */
#ifndef TMGC_SETTINGS_H
#define TMGC_SETTINGS_H
#include "../base/finding.h"

enum setting_object { OBJ_ROOT, OBJ_RULE, OBJ_WEB, OBJ_SERVER_PUBLISHING, OBJ_ACCESS, OBJ_SOURCES, OBJ_PATH, OBJ_BALANCING, OBJ_LISTENER, OBJ_LISTENER_PROPERTIES,
                      OBJ_LISTEN_ON, OBJ_CERTIFICATE, OBJ_FORMS, OBJ_SCHEME, OBJ_FARM, OBJ_MEMBER, OBJ_VERIFIER,
                      OBJ_NETWORK, OBJ_ADDRESSES, OBJ_SCHEDULE, OBJ_USER_SET, OBJ_ACCOUNT, OBJ_REF, OBJ_VENDOR, OBJ_PROTOCOL, OBJ_CONNECTION, OBJ_NETWORK_RULE, OBJ_LINK,
                      OBJ_COMPRESSION, OBJ_CONTENT_TYPES, SETTING_OBJECTS };
enum setting_type { TYPE_STRING, TYPE_INT, TYPE_BOOL, TYPE_HEX, TYPE_STRINGS, TYPE_REF, TYPE_REFS, TYPE_OBJECT, TYPE_OBJECTS };
/* What a target does with the setting. */
enum fate { EXACT, DIFFERS, LOST, CLOSED, NONE };

/* S_<id> for each row of settings.def:
 *  S(id, object, "XmlName|Alias|Alias", type, "default or NULL", "where the default comes from",
 *    "place in the policy or NULL", nginx fate, haproxy fate, publishd fate, finding id or -1, "why / what to do") */
enum setting_id {
#define S(id, object, names, type, dflt, from, policy, n, h, p, finding, note) S_##id,
#include "settings.def"
#undef S
    SETTINGS
};
struct setting {
    enum setting_object object;
    const char *names;               /* the first is the documented one */
    enum setting_type type;
    const char *dflt, *dflt_from;
    const char *policy;
    enum fate on[TARGETS];
    int finding;                     /* enum finding_id, or -1 */
    const char *note;
    const char *id;                  /* "WEB_SITE": the row's name in a ledger */
};
extern const struct setting settings[SETTINGS];
extern const char *const setting_object_names[SETTING_OBJECTS];
extern const char *const fate_names[5];
/* Some target does not do all of it: what becomes of such a setting differs from rule to rule. */
bool setting_varies(enum setting_id id);
void capabilities_write(struct strbuf *out, int target /* -1: all */, const char *format);   /* text, markdown, json */
#endif
