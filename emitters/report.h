/* report: what the writers of reports share. struct report (emit.h) is the model that all of them print; what follows
 * from it - who a finding is about, how a rule fares on a target - is worked out here, once, in report_model.c. */
#ifndef TMGC_REPORT_H
#define TMGC_REPORT_H
#include "emit.h"

/* How a rule fares on one target, the gravest last. */
enum verdict {
    VERDICT_NONE,    /* the rule answers nothing in the source either */
    VERDICT_SAME,    /* as before */
    VERDICT_DIFFERS, /* works, with warnings or accepted findings */
    VERDICT_BROKEN,  /* errors that close nothing: needs work */
    VERDICT_CLOSED,  /* answers 403 */
    VERDICTS
};
extern const char *const verdict_words[VERDICTS];

struct rule_verdict {
    enum verdict on[TARGETS];
    unsigned best; /* ON() bits: the targets with the fewest differences; 0 if the rule answers nothing */
};
struct report_counts {
    size_t rules, answering, disabled, severity[3], accepted;
}; /* accepted ones are in no severity */

#define NOBODY UINT32_MAX
struct report_model {
    struct arena *arena; /* the model's own */
    const struct report *report;
    struct report_counts counts;
    uint32_t *rule_of; /* one a finding: the rule, listener or farm that it is about, or NOBODY */
    uint32_t *listener_of, *farm_of, *server_rule_of;
    /* Findings of one subject in the order of the list: the first of each, the next of each finding; NOBODY ends. */
    uint32_t *of_rule, *of_listener, *of_farm, *of_server_rule, *next;
    struct rule_verdict *verdicts; /* one a rule */
};
/* Linear in rules and findings; borrows r. */
struct report_model *report_model_make(const struct report *r);
void report_model_free(struct report_model *m);

/* The heads of the lists that bear on a rule: its own, its listener's, its farm's. */
void report_bearing(const struct report_model *m, const struct plan_rule *r, uint32_t heads[3]);

struct report_counts report_count(const struct report *r);

/* Words for the parts of a report; put_ functions write text as it is in the export, to be escaped by the caller. */
const char *rule_fate(const struct plan_rule *r, enum target t); /* "forwards", "closed", … */
const char *listener_redirect(const struct listener *l);
const char *finding_subject(const struct finding *f);                      /* "rule", …; NULL for none */
const char *finding_file(const struct report *r, const struct finding *f); /* NULL: not known */
void put_rule_goal(struct strbuf *b, const struct plan_rule *r);     /* "https://site:443", or the deny rule's answer */
void put_authentication(struct strbuf *b, const struct listener *l); /* "forms (AD), basic" */
/* One cell of a CSV line, with the comma before it unless it begins the line; never computed by a spreadsheet. */
void report_csv_cell(struct strbuf *b, const char *s);
void put_number(struct strbuf *b, size_t n); /* decimal, without printf's cost */
#endif
