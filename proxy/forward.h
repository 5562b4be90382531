/* forward: the head that a published server gets, from the client's head and the decision. Nothing here touches sockets.
 *
 * What goes on is what the client sent, but for: target (D-04), Host (B-32, B-33, D-10), Accept-Encoding (B-64, D-12),
 * Authorization (by the rule's delegation: D-11, B-27, B-102, B-104), Upgrade (D-17, B-69), Expect (publishd has answered it),
 * Proxy-* fields, X-Publishd-Client, what concerns this hop alone, cookies of publishd's own, and what the rule asks for: Front-End-Https
 * (B-63), X-Forwarded-For (D-12), Via (D-12, B-140). A mark "authResendNNN" that the source put into URLs is taken out (B-106).
 */
#ifndef PROXY_FORWARD_H
#define PROXY_FORWARD_H
#include "route.h"

struct forward {
    uint32_t client;                     /* IPv4, host byte order: for X-Forwarded-For */
    bool signed_in;                      /* publishd has asked for credentials and got them: the client's are not the server's */
    const char *authorization;           /* what publishd delegates ("Basic …", "Negotiate …"); NULL: nothing. Outlives h */
    const char *const *cookies;          /* names of cookies that are publishd's own; ends with NULL; NULL: none */
};
/* Changes h in place; its framing stays. Strings that it gets live in h, in *d, in *f or in the snapshot. d->answer is
 * ANSWER_FORWARD. true: a connection upgrade goes on (write it with connection "upgrade"). */
bool forward_head(const struct snapshot *s, const struct decision *d, const struct forward *f, struct head *h);

/* Bytes of body that the rule's HTTP filter lets pass; -1: any. For bodies without a length; the others are judged by
 * the decision (B-133). */
long long forward_body_max(const struct snapshot *s, const struct decision *d);
#endif
