/* finding: one diagnostic, and the one list of them.
 *
 * What kinds there are is in findings.def, the only place: code, name, class,
 * severity, what it means, what to do. docs/findings.md is made from it. */
#ifndef TMGC_FINDING_H
#define TMGC_FINDING_H
#include "base.h"

enum target { TARGET_NGINX, TARGET_HAPROXY, TARGET_PUBLISHD, TARGETS };
#define ON(t) (1u << (t))
#define ON_PROXIES (ON(TARGET_NGINX) | ON(TARGET_HAPROXY))
#define ON_ALL (ON_PROXIES | ON(TARGET_PUBLISHD))
extern const char *const target_names[TARGETS];

enum severity { SEV_INFO, SEV_WARNING, SEV_ERROR };
extern const char *const severity_names[3];
enum finding_class { CLASS_LOST, CLASS_DIFFERS, CLASS_CLOSED, CLASS_INPUT, CLASS_ADVICE, CLASS_SITE };
extern const char *const class_names[6];

/* F_RULE_NOT_ANSWERING etc.: one enumerator a row of findings.def, in its order. */
enum finding_id {
#define F(id, code, name, class, severity, meaning, remedy) F_##id,
#include "findings.def"
#undef F
    FINDINGS
};
struct finding_kind {
    unsigned code;              /* 2031 for TMG2031 */
    const char *name;           /* "delegation-lost" */
    enum finding_class class;
    enum severity severity;
    const char *meaning, *remedy;
};
extern const struct finding_kind finding_kinds[FINDINGS];

/* Whom a finding is about. */
enum subject { SUBJECT_NONE, SUBJECT_RULE, SUBJECT_LISTENER, SUBJECT_FARM, SUBJECT_SITE };

struct finding {
    enum finding_id id;
    enum severity severity;     /* the kind's, or info once accepted */
    enum subject subject;
    const char *name, *guid;    /* of the subject; may be NULL */
    const char *setting;        /* "SendOriginalHostHeader"; may be NULL */
    bool in_site;               /* the place is in the site map, not in the export */
    uint32_t line;              /* 0: unknown */
    unsigned targets;           /* ON() bits; 0: all, or none in particular */
    const char *message;        /* one sentence: what will be different. No newline. */
    const char *remedy;         /* one sentence: what to do */
    const char *accepted;       /* the reason in the site map, or NULL */
};

struct findings {
    struct arena *arena;        /* owns the strings of the findings */
    VEC(struct finding) list;
};
void findings_init(struct findings *f, struct arena *a);

/* Adds one. The caller fills name, line, setting ... of the result as needed; remedy is the kind's own unless
 * replaced. Message strings are made visible (buf_visible) here, so a caller may pass names as they are. */
struct finding *finding_add(struct findings *f, enum finding_id id, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Errors first? No: by line, then code, then targets, then message: the order of the export. Stable. */
void findings_sort(struct findings *f);
size_t findings_count(const struct findings *f, enum severity at_least);

/* "export.xml:12: warning: rule "OWA": message [TMG2031 delegation-lost; nginx, haproxy]".
 * export and site are the file names to print. color: ANSI colours. Ends with a newline. */
void finding_line(struct strbuf *b, const struct finding *f, const char *export, const char *site, bool color);
#endif
