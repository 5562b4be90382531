/* ledger: what became of every element of the export on each target, in numbers. The policy says how many elements
 * state each setting; the settings table and the findings say what a target makes of it. */
#ifndef TMGC_LEDGER_H
#define TMGC_LEDGER_H
#include "report.h"
#include "../settings/settings.h"

/* Same: the target does what the setting says (also: the setting asks for nothing that it lacks). */
enum ledger_fate { LEDGER_SAME, LEDGER_DIFFERS, LEDGER_LOST, LEDGER_CLOSED, LEDGER_NONE, LEDGER_FATES };
extern const char *const ledger_words[LEDGER_FATES];    /* "translated", "differs", "lost", "closed", "no effect" */

struct ledger_row { size_t n; size_t on[TARGETS][LEDGER_FATES]; };
struct ledger_view {
    const struct ledger *of;                            /* the policy's; NULL: it was written by hand and has none */
    size_t settings;                                    /* elements that state one: the sum of all rows */
    size_t on[TARGETS][LEDGER_FATES];                   /* the sums of the rows; each target's add up to settings */
    struct ledger_row rows[SETTINGS];
};
/* Linear in rules and findings. The view lives in m's arena. */
const struct ledger_view *ledger_view_make(const struct report_model *m);
#endif
