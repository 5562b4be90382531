/* emitters: plan -> the text of one target's config. One file a target over one shared writer.
 * An emitter knows no other emitter, and decides nothing: what a rule may do on its target was settled by
 * assess() before it runs (plan_rule.closed). */
#ifndef TMGC_EMIT_H
#define TMGC_EMIT_H
#include "../ir/decide.h"

/* ---- assess.c: what each target does with the plan's settings ------------ */
/* Adds the findings of class lost, differs and closed for the targets (ON() bits), applies the site map's acceptances (today:
 * "YYYY-MM-DD"; only whether an acceptance is past depends on it), and sets plan_rule.closed and closed_http. Reports stale acceptances. */
void assess(struct plan *p, unsigned targets, const char *today, struct findings *f);
/* ---- advice.c: what looks wrong in the source itself (class advice) ------ */
void advise(const struct plan *p, struct findings *f);
/* advice_names.c: public names that no certificate of the listener has; reads the certificate files of the site map. */
void advise_names(const struct plan *p, struct findings *f);
/* advice_targets.c: which of these targets carries a rule best, where another has an error. After assess(). */
void advise_targets(const struct plan *p, unsigned targets, struct findings *f);

/* ---- the shared writer --------------------------------------------------- */
/* How an untrusted string is written depends on its place; no emitter writes one without naming the mode. */
enum quoting {
    Q_COMMENT,          /* after "# ": visible, no line end can occur */
    Q_NGINX,            /* an nginx parameter that may hold variables: quoted where needed, "$" as ${dollar} */
    Q_NGINX_REGEX,      /* an nginx regex parameter: text is a finished PCRE pattern, only quoted */
    Q_HAPROXY,          /* a HAProxy argument, '…' where needed */
    Q_HAPROXY_FORMAT,   /* a HAProxy log-format string: also % doubled */
    Q_YAML,             /* a YAML scalar, plain only where certainly safe, else "…" */
    Q_REGEX             /* literal text inside a PCRE pattern: every metacharacter escaped */
};
struct writer {
    struct strbuf out;
    int depth;                       /* indentation, in steps of `indent` spaces */
    int indent;
    bool uses_dollar;                /* Q_NGINX met a "$": the file needs the ${dollar} definition */
};
void write_line(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);  /* indent, text, newline; trusted text only */
void write_raw(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);   /* no indent, no newline */
void write_indent(struct writer *w);
void write_blank(struct writer *w);                                         /* one empty line, never two */
void quote(struct strbuf *b, enum quoting mode, const char *text);
/* The same as a string in a, for use as %s in write_line. Q_NGINX sets w->uses_dollar. */
const char *quoted(struct writer *w, struct arena *a, enum quoting mode, const char *text);
/* A name as part of a comment: visible, its first line, at most 160 bytes of it (nginx takes no line of 4096). */
void buf_heading(struct strbuf *b, const char *text);
/* The same for a server publishing rule: "# server rule 3 "SMTP"...". */
void write_server_rule_heading(struct writer *w, const struct plan_server_rule *r);
/* "server_rule_3_smtp", unique by the number. */
const char *server_rule_id(struct arena *a, const struct plan_server_rule *r);
/* "# rule 12 "OWA" {guid}, export line 1234" and its description's first line: the heading of each rule's block. */
void write_rule_heading(struct writer *w, const struct plan *p, const struct plan_rule *r);
/* A name for generated identifiers: "rule_12_owa": lower-case letters, digits, _; unique by the number; NN is rule index + 1. */
const char *rule_id(struct arena *a, const struct plan_rule *r);
const char *identifier(struct arena *a, const char *prefix, size_t number, const char *name);
/* "_owa_web": name as a part of an identifier, "" if it has no ASCII letter or digit. At most 29 bytes. */
void buf_slug(struct strbuf *b, const char *name);

/* ---- regex.c: every pattern that an emitter writes is made here and proven before it is written ---------- */
/* Pattern for the rule's paths from `from` on (count n) over the raw path without query: "^/(?:owa|ecp)(?:/|$)".
 * Exact, prefix and stem kinds. Matched without case by both targets. */
const char *regex_paths(struct arena *a, const struct path *paths, size_t n);
/* Pattern for canonical hosts: "^(?:mail\.x|[^/]+\.y)$"-like, without the anchors: the caller composes. "" "*" needs at least one label. */
const char *regex_names(struct arena *a, const struct public_name *names, size_t n);
/* Compiles pattern (caseless) and tries it: yes must match, no must not. 0, or -1 with a message: a bug in tmgc, never the user's fault. */
int regex_prove(const char *pattern, const strings *yes, const strings *no, struct strbuf *err);
/* Proves pattern against path_matches on texts chosen around each path: itself, with slash, below, one letter more,
 * one less, upper case, "x" before, encoded. */
int regex_prove_paths(const char *pattern, const struct path *paths, size_t n, struct strbuf *err);
/* schedule.c: a pattern over the hour of the week, and its proof on all 168 of them. The texts before and behind the hour
 * are patterns, with a sample of what they match. */
struct hour_spelling { const char *const *days; const char *between, *after, *between_sample, *after_sample; };
bool schedule_has(const struct schedule *s, int hour);       /* hour of the week, Sunday 00:00 is 0 */
/* The hours of a day as a pattern, "(?:08|09)", for a schedule that is the same on every day. */
const char *regex_hours(struct arena *a, const struct schedule *s);
/* numbers.c: decimal numbers from low to high without leading zeros, "(?:102[4-9]|...)", and its proof on all ports. */
const char *regex_numbers(struct arena *a, uint16_t low, uint16_t high);
int regex_prove_numbers(const char *pattern, uint16_t low, uint16_t high, struct strbuf *err);
const char *regex_schedule(struct arena *a, const struct schedule *s, const struct hour_spelling *as);
int regex_prove_schedule(const char *pattern, const struct schedule *s, const struct hour_spelling *as, struct strbuf *err);
int regex_prove_names(const char *pattern, const struct public_name *names, size_t n, struct strbuf *err);

/* Constant patterns that decide.c's scanners are written in, as PCRE, over the raw path:
 * REGEX_DOTS for path_has_dots, REGEX_DEEP for path_has_deep. tests/ prove them equal to the scanners. */
#define REGEX_SLASH "(?:[/\\\\]|%(?:25)?(?:(?:2|%32)(?:f|%66|%46)|(?:5|%35)(?:c|%63|%43)))"
#define REGEX_DOT   "(?:\\.|%(?:25)?(?:2|%32)(?:e|%65|%45))"
#define REGEX_DOTS  "(?:^|" REGEX_SLASH ")" REGEX_DOT REGEX_DOT "(?:" REGEX_SLASH "|$)"
#define REGEX_DEEP  "(?:\\\\|%5c|%(?:25(?:2|%32)|%32)(?:[ef]|%[46][56])|%2%[46][56]|%(?:25(?:5|%35)|%35)(?:c|%[46]3)|%5%[46]3)"

/* ---- the targets ----------------------------------------------------------- */
struct emission {
    struct strbuf text;              /* the config file */
    VEC(struct emitted_file) links;  /* symbolic links to make beside it (HAProxy's certificate + key pairs) */
    VEC(struct rule_lines) rules;    /* where each rule's block is, one a rule in rule order; first 0: not there */
    struct strbuf streams;           /* the target's second file, stream_file; empty: not needed */
    VEC(struct rule_lines) server_rules;         /* the same for server publishing rules, in the second file if the target has one */
};
struct emitted_file { const char *name, *to; };       /* name relative to the target's folder */
struct rule_lines { uint32_t first, last; };
/* 0, or -1 with a message in err (a pattern that failed its proof). plan stays const; all findings came before. */
int emit_nginx(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err);
int emit_haproxy(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err);
int emit_publishd(const struct plan *p, struct arena *a, struct emission *out, struct strbuf *err);
/* nginx takes no parameter of 4096 bytes. A path as long as that cannot be matched there: emit_nginx refuses whatever
 * begins like it, and assess says so. */
bool nginx_path_too_long(const struct path *p);
typedef int emitter(const struct plan *, struct arena *, struct emission *, struct strbuf *);
extern const struct target_output { const char *folder, *file; emitter *emit; const char *stream_file; } target_outputs[TARGETS];  /* "nginx", "nginx.conf" */
void emission_free(struct emission *e);
/* The first rules have a part of their own in report.html, with their blocks; the page says so when there are more. */
enum { RULES_SHOWN = 2000 };
/* Keeps the text only as far as the blocks of the first `rules` rules go: what a report still quotes when the file is written. */
void emission_trim(struct emission *e, size_t rules);

/* The source's limits for one client address by default (B-77): connections at a time, new ones and requests a minute. */
enum { FLOOD_CONNECTIONS = 160, FLOOD_NEW_CONNECTIONS = 600, FLOOD_REQUESTS = 600 };
/* The rule has places where servers hold an answer open and say more bit by bit: long polls, RPC over HTTP (B-76). */
bool rule_waits(const struct plan_rule *r);
/* HAProxy compresses the rule's answers (B-65). Not where a server speaks bit by bit, for its last bytes would be held back until
 * more follows; nor where Accept-Encoding goes on and only some clients' answers are compressed, for its filter and the server look at
 * the same field. */
bool haproxy_compresses(const struct plan_rule *r);
/* Read times per rule: long polls and RPC over HTTP get an hour (B-76), others the listener's connection timeout. Seconds. */
long rule_read_timeout(const struct plan *p, const struct plan_rule *r);

/* ---- report.c ------------------------------------------------------------------ */
struct report {
    const struct plan *plan;
    const struct findings *findings;
    unsigned targets;
    const char *export_name, *site_name;          /* base names, for the files */
    const struct emission *emissions[TARGETS];    /* the configs that stand beside the report; NULL: none */
    const char *proof_json, *proof_html;          /* what verify found: a JSON object and a section of the page; NULL: not verified */
};
void report_text(struct strbuf *out, const struct report *r);
void report_json(struct strbuf *out, const struct report *r);   /* schema: docs/report.schema.json */
void report_sarif(struct strbuf *out, const struct report *r);  /* SARIF 2.1.0 (report_sarif.c) */
void report_csv(struct strbuf *out, const struct report *r);    /* RFC 4180, one line a finding (report_csv.c) */
void html_text(struct strbuf *b, const char *s);                /* escaped for report.html: text and quoted attributes */
void report_html(struct strbuf *out, const struct report *r);   /* one page without outside resources (report_html.c) */
#endif
