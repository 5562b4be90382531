/* batch: what the command's parts share. batch.c runs the workers, batch_inputs.c finds the inputs and names their
 * folders, batch_tally.c counts, batch_write.c and batch_html.c print the summary. */
#ifndef TMGC_CLI_BATCH_H
#define TMGC_CLI_BATCH_H
#include "../emitters/report.h"
#include "cli.h"

/* What is known of one input in the end: small, because there may be very many. */
struct batch_counts {
    uint32_t listeners, rules, answering;    /* answering: the sites */
    uint32_t severity[3], accepted;
    uint32_t on[TARGETS][VERDICTS];          /* sites */
};
/* What a worker sends: the same, and which findings of level error stop how many sites. */
struct batch_result {
    struct batch_counts counts;
    uint32_t blocked[FINDINGS];
    uint32_t blocked_on[FINDINGS][TARGETS];
};
struct batch_input {
    const char *path;                        /* to open, and for messages */
    const char *relative;                    /* below the folder that was given, or the path as given */
    const char *name;                        /* of its folder below DIR */
    bool done, failed;
    const char *why;                         /* the first line of a failure's message */
    unsigned best;                           /* ON() bits: targets with the fewest differences; 0: no site */
    struct batch_counts counts;
};
struct batch {
    struct cli *cli;
    VEC(struct batch_input) inputs;          /* in the order of the operands, each folder's by name */
    size_t skipped;                          /* files in folders that are no input */
    size_t finished, failed;
    struct batch_result total;
    uint32_t blocked_inputs[FINDINGS];
    size_t best_of[TARGETS];                 /* inputs that the target carries with the fewest differences */
};

/* batch_inputs.c: fills inputs. out_dir: not searched. EXIT_DONE, or EXIT_FAILED after a message. */
int batch_find(struct batch *b, const char *out_dir);
/* Gives each input the name of its folder: the file's name, and where several are alike the path; it depends on the
 * order of the inputs only where two paths are written alike. */
void batch_name(struct batch *b);

/* batch_tally.c */
void batch_count(struct batch_result *out, const struct report *r);
void batch_add(struct batch *b, struct batch_input *in, const struct batch_result *r);
/* Finding kinds that stop a site, those that stop most first; gives their number. */
size_t batch_blockers(const struct batch *b, enum finding_id out[FINDINGS]);
void put_target_list(struct strbuf *b, unsigned targets, const char *none);
/* The names of the settings that may give this finding, with commas. */
void put_blocker_settings(struct strbuf *b, enum finding_id id);

/* batch_write.c, batch_html.c: the summary */
void batch_text(struct strbuf *out, const struct batch *b);
void batch_json(struct strbuf *out, const struct batch *b);
void batch_csv(struct strbuf *out, const struct batch *b);
void batch_html(struct strbuf *out, const struct batch *b);
#endif
