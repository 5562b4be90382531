/* shared_schema: what policy.yaml and publishd.yaml spell alike: the words of the policy's enums, in their order, and the
 * tables of structs that both files hold as they are. */
#ifndef TMGC_SHARED_SCHEMA_H
#define TMGC_SHARED_SCHEMA_H
#include "schema.h"

extern const char *const words_redirect[];
extern const char *const words_forms[];
extern const char *const words_validator[];
extern const char *const words_cookies[];
extern const char *const words_probe[];
extern const char *const words_action[];
extern const char *const words_delegation[];
extern const char *const words_certificate[];
extern const char *const words_ssl[];
extern const char *const words_application[];

extern const struct schema account_schema, content_types_schema, link_schema;
#endif
