/* report_html: what the parts of report.html share. The page is made of trusted text (buf_puts, put) and of strings
 * from the export, which go through html_text and nothing else. Identifiers, classes and links are made of numbers. */
#ifndef TMGC_REPORT_HTML_H
#define TMGC_REPORT_HTML_H
#include "report.h"

enum {
    RULES_RICH = 500,   /* beyond that settings are plain text, not tables: a browser opens the page in half the time */
    ROWS_SHOWN = 6000   /* findings; beyond that those for information are left to report.json */
};
struct page {
    struct strbuf *out;
    const struct report *r;
    const struct report_model *m;
    size_t rules;                  /* how many rules are shown: the first ones */
    bool infos;                    /* findings of level info are listed */
    struct strbuf value;           /* text of the export on its way to html_text */
    const struct setting **titles; /* report_html_settings.c: the product's names of the settings, once found */
};
extern const char *const target_titles[TARGETS]; /* "HAProxy" */

/* For text and for attributes in double quotes (there are no others): < > & " as entities, what does not show made
 * visible. */
void html_text(struct strbuf *b, const char *s);
void html_text_n(struct strbuf *b, const char *s, size_t n);
/* A style sheet or script of emitters/html, line by line, NULL at the end. */
extern const char *const html_style[], *const html_script[];

static inline void put(struct page *p, const char *trusted)
{
    buf_puts(p->out, trusted);
}
static inline void put_text(struct page *p, const char *untrusted)
{
    html_text(p->out, untrusted ? untrusted : "");
}
static inline void put_count(struct page *p, size_t n)
{
    put_number(p->out, n);
}
/* Escapes p->value into the page and empties it. */
void put_value(struct page *p);
/* The same with places to break a line after dots and slashes: for host names, addresses and URLs. */
void put_host(struct page *p);
/* "3 rules", "1 rule". */
void put_plural(struct page *p, size_t n, const char *one);
void put_rule_link(struct page *p, size_t index);                           /* "12" to the rule's part, if it has one */
void put_verdict(struct page *p, const struct plan_rule *r, enum target t); /* a mark with its word */
/* "users-closed, delegation-lost": what a rule loses on a target, the gravest first, at most `most`. False: nothing. */
bool put_losses(struct page *p, const struct plan_rule *r, enum target t, size_t most);
const char *rule_title(const struct plan_rule *r); /* its name, or "(no name)" */

/* The sections, each in a file of its own. */
void html_map(struct page *p);   /* report_html_map.c: the drawing */
void html_sites(struct page *p); /* report_html_sites.c: at a glance, kinds of findings, the table of sites */
void html_glance(struct page *p);
void html_kinds(struct page *p);
void html_rules(struct page *p); /* report_html_rules.c: every rule with its findings, settings and configs */
void html_settings(struct page *p, const struct plan_rule *r); /* report_html_settings.c: what the source says */
void html_listener_settings(struct page *p, const struct plan_listener *l);
void html_filters(struct strbuf *style); /* the filters' part of the style sheet */
bool html_has_delegation(const struct page *p);
void html_delegation(struct page *p); /* report_html_kerberos.c: the checklist */
bool html_has_ledger(const struct page *p);
void html_ledger(struct page *p); /* report_html_ledger.c: where every element of the export went */
#endif
