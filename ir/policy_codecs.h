/* policy_codecs: the parts of policy.yaml that are no plain members; see schema.h for what a codec is. */
#ifndef TMGC_POLICY_CODECS_H
#define TMGC_POLICY_CODECS_H
#include "schema.h"

extern const struct own own_origin_lines;    /* of a struct origin: "forward_host 830 delegation 835" */
extern const struct own own_rule_lines, own_name_lines, own_path_lines;          /* of a struct rule */
extern const struct own own_origin_counts, own_rule_counts;   /* "WEB_USERS 3 WEB_SPN 1" */
extern const struct own own_ledger_settings; /* of a struct ledger: the same, of the whole document */
extern const struct own own_names, own_paths;                                     /* of a struct rule */
extern const struct own own_hours;           /* of a struct schedule: "Mon-Fri 08:00-18:00" */
extern const struct own own_code, own_severity, own_remedy, own_targets;          /* of a struct finding */
#endif
