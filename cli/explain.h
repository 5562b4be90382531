/* What explain and verify share: explain.c decides and prints, explain_live.c asks the real programs, proof.c writes
 * the reports of verify. */
#ifndef TMGC_EXPLAIN_H
#define TMGC_EXPLAIN_H
#include "../verify/request_list.h"
#include "../verify/verify.h"
#include "cli.h"

struct explained {
    struct asked asked;
    size_t number;                           /* its place among those that the programs are asked */
    const struct plan_listener *listener;    /* NULL: no listener takes such requests */
    size_t others;
    struct request request;
    struct decision source, on[TARGETS];
};

/* What the programs answered to a list of requests. */
struct live {
    bool asked;                              /* --live was given and they ran */
    struct verify_report report;
    size_t *place;                           /* of each request in report's answers; SIZE_MAX: no listener takes it */
};

/* Runs the programs of c's targets on the plan's configs and asks them the requests. */
int live_ask(struct cli *c, const struct cli_input *in, const asked_list *list, struct live *out);
int live_status(const struct live *l);   /* as that of verify */
void live_free(struct live *l);
/* One line for people; the member "live" of JSON, with the comma before it. */
void live_text(struct strbuf *b, const struct live *l, enum target t, size_t number);
void live_json(struct strbuf *b, const struct live *l, enum target t, size_t number);
/* A line a target: how many agreed, or why it did not run. */
void live_summary(struct strbuf *b, const struct live *l);
/* "nginx 200 agreed, haproxy 200 agreed": the end of a row of the table. */
void live_row(struct strbuf *b, const struct live *l, size_t number);
/* explain_server.c: a connection instead of a request, "tcp://192.0.2.1:25". emitted: one a target. */
bool is_connection(const char *operand);
int explain_connection(struct cli *c, const struct plan *p, const struct emission *emitted, bool json, struct strbuf *b);
/* verify.c: the options that verify and explain --live have in common. */
/* proof.c: writes report.json and report.html with the result of verify to dir; what else is there stays. */
int proof_write(struct cli *c, const struct cli_input *in, const struct verify_report *v, const char *dir);
int verify_options_take(struct cli *c, struct verify_options *o);
#endif
