/* answer: the head of a published server's answer, made into what the client gets. Nothing here touches sockets.
 *
 * Location and Content-Location that name the internal site are turned to the outside (D-15, B-42), Server and Via follow
 * the rule's HTTP filter (B-140), fields that concern this hop alone and Proxy-* go. What the source did not pass on
 * becomes a page: a 401 where the rule blocks authentication (D-11, B-101), a head that the filter refuses (B-139, B-141).
 */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H
#include "pages.h"
#include "route.h"

struct answer_to {
    bool tls;                            /* the client came over HTTPS */
    const char *host;                    /* Host as the client sent it; NULL: none, Location stays */
    const char *set_cookie;              /* one to add ("WPLB…=…; Path=/"): affinity, B-116; NULL. Outlives h */
    bool upgraded;                       /* the request's upgrade was passed on: 101 and its fields may pass */
};
/* CAUSE_NONE: h is ready to be sent. Otherwise the page of that cause is to be sent and the server's answer dropped;
 * h is as it was. */
enum cause answer_head(const struct snapshot *s, const struct decision *d, const struct answer_to *to, struct head *h);
#endif
