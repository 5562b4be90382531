/* cli: the command line. main.c has the tables of commands and options, input.c loads what a command works on,
 * output.c writes folders; then one file a command. */
#ifndef TMGC_CLI_H
#define TMGC_CLI_H
#include <signal.h>

#include "../emitters/emit.h"

/* Exit statuses (contract: "Exit status"). */
enum { EXIT_DONE = 0, EXIT_FINDINGS = 1, EXIT_FAILED = 2 };

/* Every option of every command: O(id, short letter or 0, "long", "ARGUMENT" or NULL, "what it does"). */
#define CLI_OPTIONS(O) \
    O(SITE, 'm', "site", "FILE", "the site map") \
    O(TARGETS, 't', "target", "LIST", "nginx, haproxy, publishd, with commas; all by default") \
    O(OUT, 'o', "output", "DIR", "the folder to write") \
    O(NAMES, 0, "names", "FILE", "other element names than the documented ones (YAML)") \
    O(FAIL_ON, 0, "fail-on", "LEVEL", "error (default), warning, info or never: findings from this level on give exit status 1") \
    O(FORMAT, 0, "format", "FORMAT", "text (default) or json; the text above names others, where there are some") \
    O(COLOR, 0, "color", "WHEN", "auto (default), always or never") \
    O(VERBOSE, 'v', "verbose", NULL, "say more: findings of level info too, declared differences one by one") \
    O(QUIET, 'q', "quiet", NULL, "show no findings, only failures") \
    O(SEED, 0, "seed", "N", "seed for random probes") \
    O(RANDOM, 0, "random", "N", "how many random probes to add") \
    O(REQUESTS, 0, "requests", "FILE", "requests: one a line, a HAR file or an access log") \
    O(CONFIGS, 0, "configs", "DIR", "run the files in DIR, as convert wrote them and someone may have edited, instead of fresh ones") \
    O(BINARY, 0, "target-binary", "T=PATH", "another build of a target's program; may be repeated") \
    O(KEEP, 0, "keep", "DIR", "keep the files that the targets ran on") \
    O(METHOD, 0, "method", "NAME", "the request's method (GET)") \
    O(FROM, 0, "from", "ADDRESS", "the client's address (one outside)") \
    O(TO, 0, "to", "ADDRESS[:PORT]", "the listener's address") \
    O(HOST, 0, "host", "NAME", "the Host header, where it is not the URL's; empty for none") \
    O(HEADER, 0, "header", "LINE", "a header of the request; may be repeated") \
    O(USER, 0, "user", "DOMAIN\\NAME", "the user who is signed in, or none") \
    O(GROUP, 0, "group", "NAME", "a group of that user; may be repeated") \
    O(LIVE, 0, "live", NULL, "what the real programs answer: starts them on loopback, as verify does") \
    O(AT, 0, "at", "\"DAY HH:MM\"", "when, as in \"Tue 03:00\"") \
    O(JOBS, 'j', "jobs", "N", "how many at once; by default as many as suit the machine") \
    O(STAT, 0, "stat", NULL, "a line a change, and totals") \
    O(CHECK, 0, "check", NULL, "write nothing; exit status 1 if a file would change") \
    O(MAP, 0, "map", "FILE", "where to write which pseudonym stands for what") \
    O(LIMIT, 0, "limit", "N", "compare at most N classes of requests (2000000; 0: no limit)") \
    O(NGINX_VERSION, 0, "nginx-version", "V", "write for nginx V, from 1.18 to 1.28 (1.22)") \
    O(HAPROXY_VERSION, 0, "haproxy-version", "V", "write for HAProxy V, from 2.4 to 3.2 (2.6)") \
    O(HELP, 'h', "help", NULL, "this text")
enum cli_option {
#define O(id, letter, name, arg, text) OPT_##id,
    CLI_OPTIONS(O)
#undef O
    CLI_OPTION_COUNT
};

struct cli {
    struct arena *arena;
    const struct command *command;
    const char *value[CLI_OPTION_COUNT];     /* the last one given, "" for one without argument; NULL: not given */
    strings binaries, headers, groups;       /* every --target-binary, --header, --group */
    strings operands;
    unsigned targets;                        /* ON() bits, from -t */
    unsigned version[TARGETS];               /* from --nginx-version, --haproxy-version; 0: not given */
    int fail_on;                             /* enum severity, or 3 for never */
};
struct command {
    const char *name, *operands, *summary;
    const char *help;                        /* paragraphs and examples */
    const char *options;                     /* the options it takes: enum cli_option values + 1 as characters */
    int min_operands, max_operands;          /* max -1: any number */
    int (*run)(struct cli *c);               /* gives the exit status */
};

/* What most commands work on. Findings are complete (notes, site, advice, assessment) and sorted. */
struct cli_input {
    struct policy *policy;
    struct site *site;
    struct plan *plan;
    struct findings findings;
    const char *export_name;                 /* for messages: as typed, or what the policy names as its source */
    const char *site_name;                   /* for messages; NULL: no site map */
};
/* Reads operand `path` (export or policy, "-" for standard input) with the options of c. 0, or EXIT_FAILED after
 * having printed why. input_free in either case. */
int input_load(struct cli *c, const char *path, struct cli_input *in);
int policy_load(struct cli *c, const char *path, struct policy **out, const char **export_name);  /* the first half alone */
void input_free(struct cli_input *in);
/* Findings at or above `least` on standard error, and a summary line. */
void findings_print(const struct cli *c, const struct cli_input *in, enum severity least);
int findings_status(const struct cli *c, const struct findings *f);      /* EXIT_DONE or EXIT_FINDINGS by --fail-on */
bool use_color(const struct cli *c, FILE *to);
int cli_error(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);   /* "tmgc convert: …", gives EXIT_FAILED */
int print_out(const struct strbuf *b);                                   /* to standard output; EXIT_FAILED if it cannot */

/* output.c: a set of files below one folder, replaced together: each is written beside its place when it is added, and
 * out_finish renames them all. Unchanged files keep their time stamps. Signals wait from the first one on, so that an
 * interrupt leaves no temporary file. */
struct out_file { const char *name, *path, *tmp; };      /* tmp NULL: nothing to do */
struct out_set {
    struct arena *arena;
    const char *dir;
    struct strbuf *err;                      /* gets the message of the first failure */
    bool keeps_others;                       /* removes no file of earlier runs that is not in the set */
    bool check;                              /* writes nothing: says in changes what writing would do */
    strings changes;                         /* "out/policy.yaml: would change" */
    VEC(struct out_file) files;              /* the rest is output.c's own */
    bool failed, waiting;
    sigset_t signals;
};
void out_add(struct out_set *o, const char *name, const struct strbuf *b);   /* b can be freed afterwards */
void out_link(struct out_set *o, const char *name, const char *to);          /* a symbolic link */
int out_finish(struct out_set *o, bool commit);          /* 0; -1: failed, or not to commit: then all is as it was */

/* convert.c: one input into one folder, for convert and batch; with --check, only what would change there. Messages of
 * a failure are on standard error. done->in is to be freed in either case. */
struct converted {
    struct cli_input in;
    strings changes;
};
int convert_one(struct cli *c, const char *path, const char *dir, struct converted *done);
void changes_print(const strings *changes);

int cmd_convert(struct cli *c);
int cmd_ir(struct cli *c);
int cmd_site(struct cli *c);
int cmd_check(struct cli *c);
int cmd_capabilities(struct cli *c);
int cmd_explain(struct cli *c);
int cmd_verify(struct cli *c);
int cmd_diff(struct cli *c);
int cmd_batch(struct cli *c);
int cmd_redact(struct cli *c);
#endif
