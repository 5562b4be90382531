/* schema: the table of publishd.yaml's keys, for config/config.c. */
#ifndef PUBLISHD_SCHEMA_H
#define PUBLISHD_SCHEMA_H
#include "../ir/schema.h"
extern const struct schema config_schema;
#endif
