/* assess: what assess.c, assess_certificates.c, assess_server.c and acceptance.c share. */
#ifndef TMGC_ASSESS_H
#define TMGC_ASSESS_H
#include "emit.h"
#include "nginx_links.h"

/* A finding that closes its rule on its targets, unless they are accepted: closed gets the bits that stay. */
struct closing { size_t finding; unsigned *closed; };
struct assessing {
    struct plan *plan;
    unsigned targets;
    const char *today;
    struct findings *f;
    unsigned through;                /* ON() bits: the rule that is looked at goes through publishd there (plan_rule.preauth) */
    VEC(struct closing) closings;
    struct shared_links links;       /* of nginx, made once */
};

/* One finding for those of `on` that are asked for, about the rule of that name and place (NULL: about none). NULL: for none. */
struct finding *assess_about(struct assessing *s, enum finding_id id, unsigned on, const char *rule,
                             const struct origin *at, const char *key, const char *setting, const char *message);
/* The finding that was added last closes. */
void assess_closing(struct assessing *s, unsigned *closed);
/* ---- acceptance.c */
void assess_settle(struct assessing *s);               /* acceptances for all findings so far, then the closings that are left */
void assess_report_acceptances(struct assessing *s);   /* a finding for each that is past its date or matches nothing */
/* What a rule has to do with client certificates: assess_certificates.c. */
void assess_certificates(struct assessing *s, struct plan_rule *r);
/* Server publishing rules: assess_server.c. */
void assess_server_rules(struct assessing *s);
#endif
