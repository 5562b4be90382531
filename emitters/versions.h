/* versions: for which releases of nginx and HAProxy a config is written. versions.def has what differs between them. */
#ifndef TMGC_VERSIONS_H
#define TMGC_VERSIONS_H
#include "../ir/plan.h"

enum version_fact {
#define V(id, target, major, minor, what, source) V_##id,
#include "versions.def"
#undef V
    VERSION_FACTS
};
struct version_row { const char *id; enum target target; unsigned since; const char *what, *source; };
extern const struct version_row version_rows[VERSION_FACTS];

/* A release as one number that compares: 1022 for 1.22. */
#define RELEASE(major, minor) ((unsigned)((major) * 1000 + (minor)))
/* The releases that a target's option takes, and the one that is meant without it (Debian 12's). All 0 for publishd. */
struct version_range { unsigned oldest, newest, usual; };
extern const struct version_range version_ranges[TARGETS];
/* "1.22", or "1.22.1", of which the last number does not count -> 1022; 0: not a release of the range. */
unsigned version_parse(enum target t, const char *text);
/* The release that the plan is written for: plan->version, or the usual one. */
unsigned version_of(const struct plan *p, enum target t);
bool version_has(const struct plan *p, enum version_fact f);
#endif
