/* probe: how a farm's connectivity verifier asks a member, worked out of the farm's own settings (B-118, B-119). */
#ifndef TMGC_PROBE_H
#define TMGC_PROBE_H
#include "policy.h"

/* "http://STAR:8080/path", where the star stands for the member; NULL is "http://STAR/". */
struct probe_url {
    bool tls;
    uint16_t port;                   /* the scheme's own where the URL has none */
    const char *path;                /* as it stands in a request line: blanks and bytes outside ASCII encoded; in a */
    const char *authority;           /* as it stands there, in a; NULL: none that could be a Host header */
};
struct probe_url probe_url_parse(struct arena *a, const char *url);

/* The Host header that a member gets: the verifier's own, which the SDK calls an alternative (learn.microsoft.com, dd446803), else
 * the URL's authority with the member's name for the star (technet.microsoft.com, cc995126). In a. */
const char *probe_host(struct arena *a, const struct farm *f, const struct probe_url *u, const char *member);

/* Where a member is asked. own: the port that the rule forwards to, before the site map; at: where the site map puts it.
 * A probe of that very port follows the site map, and so does one without a port. */
uint16_t probe_port(const struct farm *f, const struct probe_url *u, uint16_t own, uint16_t at);
#endif
