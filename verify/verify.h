/* verify: translation validation. Runs the real targets on the generated configs, asks them at every decision boundary
 * of the policy, and compares each answer with decide(). docs/verify.md tells the whole for users.
 *
 * The files, in the order in which a run passes them: verify.c (one run), probes*.c, probe_maker.c and variants.c (what to ask),
 * places.c and substitute*.c (the generated files, moved to loopback), sandbox.c and loopback.c (folder, child processes, addresses),
 * stand_in*.c (the published servers), run_target.c (one target, from its config to its end), ask.c and client.c (ask), compare*.c,
 * pages.c and judge_farms.c (judge), coverage.c (what was seen of each rule), verify_report.c and verify_html.c (tell). */
#ifndef TMGC_VERIFY_H
#define TMGC_VERIFY_H
#include "../emitters/emit.h"

struct asked;
/* One request of the user's, and the socket of the plan that it goes to. */
struct verify_request { const struct asked *asked; uint32_t listener, socket; };

struct verify_options {
    unsigned targets;                  /* ON() bits; targets that verify cannot run are reported as untested */
    const char *binary[TARGETS];       /* the program to run; NULL: the usual name, found in PATH */
    const char *configs;               /* take DIR/nginx/nginx.conf and DIR/haproxy/haproxy.cfg; NULL: emit them afresh */
    const char *keep;                  /* leave the substituted files here; NULL: leave nothing */
    const char *requests;              /* a file of the user's own requests; NULL */
    const struct verify_request *only; /* ask just these only_n, and tell of each in report->answers; NULL: the policy's probes */
    size_t only_n;
    unsigned jobs;                     /* requests under way at once; 0: as many as suit the machine */
    uint64_t seed;                     /* of the random probes */
    size_t random;                     /* how many of those */
    bool progress;                     /* a line on standard error while it runs */
};

enum verdict { VERDICT_AGREED, VERDICT_DECLARED, VERDICT_DISAGREED, VERDICT_UNTESTED, VERDICTS };
extern const char *const verdict_names[VERDICTS];

/* One request whose outcome is worth telling: everything but VERDICT_AGREED. */
struct verify_case {
    enum target target;
    enum verdict verdict;
    size_t probe;                      /* its number, the same on each target */
    const char *aim;                   /* what the probe was meant to show */
    const char *curl;                  /* the request as a command line */
    int rule;                          /* index into plan->rules: whom it is about; -1: no rule */
    int server_rule;                   /* the same for a connection: index into plan->server_rules; -1 */
    const char *expected, *got;
    int finding;                       /* enum finding_id of the declared difference; -1 */
};
/* What a program did with one of the requests of verify_options.only, whatever the verdict. */
struct verify_answer {
    enum verdict verdict;              /* untested: it cannot be sent, or the program did not run */
    int status;                        /* 0: no answer; error says why */
    const char *error, *location;      /* NULL */
    const char *server;                /* where it was forwarded; NULL: nowhere */
    uint16_t port;
    bool tls;
    const char *method, *target, *host;   /* as they arrived there; NULL */
    const char *expected, *got;        /* what differs; "" if nothing */
    int finding;                       /* enum finding_id of the declared difference; -1 */
};
struct verify_target {
    bool wanted, ran;
    const char *why_not;               /* if it did not run */
    size_t count[VERDICTS];
    const char *streams_why_not;       /* why it was not asked for server publishing; NULL: it was, or there is nothing to ask */
    const char *config;                /* name of its config file, for messages */
    const char *streams_config;        /* of the one that has its server publishing */
    VEC(struct rule_lines) lines;      /* where each rule's block is in that file */
    VEC(struct rule_lines) server_lines;   /* the same for server publishing; empty for files that tmgc did not write just now */
    struct verify_answer *answers;     /* one a request of verify_options.only; NULL: it was not asked */
};
/* What the probes showed of one condition of one rule: a probe for which it held, and one for which it did not. Where
 * a rule before takes all requests that would show it, hidden_by names that rule; the rule itself, if its sources hold no address. */
struct verify_condition {
    uint32_t rule;
    enum condition condition;          /* FAILED_NAME: the name condition, and so on; MATCHED: the rule as a whole */
    bool seen_true, seen_false;
    int true_hidden_by, false_hidden_by;   /* index of a rule; -1 */
};
struct verify_report {
    struct arena *arena;
    const struct plan *plan;
    size_t probes;
    size_t connections;                /* how many of the probes are connections to server publishing rules; publishd is not asked those */
    struct verify_target targets[TARGETS];
    VEC(struct verify_case) cases;
    VEC(struct verify_condition) conditions;
    uint64_t seed;
};

/* Runs everything. 0: it ran (see the report for what came of it); -1: it could not, with a message in err. The report's
 * strings live in its arena, freed by verify_report_free, also after -1. findings are those of assess(): the declared differences. */
int verify_run(const struct plan *p, const struct findings *f, const struct verify_options *o, struct verify_report *out,
               struct strbuf *err);
void verify_report_free(struct verify_report *r);
/* Enabled server publishing rules that have a port here, but none that a wanted target takes connections on over TCP: those of UDP
 * alone, or all where no proxy is asked. verify does not probe them, and says so. */
size_t verify_not_probed(const struct verify_report *r);
size_t verify_asked(const struct verify_report *r, enum target t);      /* probes that t was meant to be asked */
/* What a case is about, NULL for no rule: its name, its line in the export, its lines in the config and that file's name. */
struct verify_subject { const char *name, *guid; uint32_t line; struct rule_lines at; const char *config; };
bool verify_subject(const struct verify_report *r, const struct verify_case *c, struct verify_subject *out);

/* For people, and the "verify" object of JSON. all: also tells each declared difference. */
void verify_report_text(struct strbuf *out, const struct verify_report *r, bool all);
/* The section of report.html. */
void verify_report_html(struct strbuf *out, const struct verify_report *r);
/* Sides of conditions (name, path and source of each rule, fitting and not): shown by a probe, out of reach, missed. */
struct verify_sides { size_t seen, hidden, missed; };
struct verify_sides verify_sides(const struct verify_report *r);
void verify_report_json(struct strbuf *out, const struct verify_report *r);
/* Exit status after the contract: 0 all agreed, 1 disagreements, 2 a wanted target did not run. */
int verify_status(const struct verify_report *r);
#endif
