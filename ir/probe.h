/* probe: how a farm's connectivity verifier asks a member, worked out of the farm's own settings (B-118, B-119). */
#ifndef TMGC_PROBE_H
#define TMGC_PROBE_H
#include "policy.h"

/* "http://STAR:8080/path", where the star stands for the member; NULL is "http://STAR/". */
struct probe_url {
    bool tls;
    uint16_t port;                   /* the scheme's own where the URL has none */
    const char *path;                /* as it stands in a request line: blanks and bytes outside ASCII encoded; in a */
};
struct probe_url probe_url_parse(struct arena *a, const char *url);

/* Where a member is asked. own: the port that the rule forwards to, before the site map; at: where the site map puts it.
 * A probe of that very port follows the site map, and so does one without a port. */
uint16_t probe_port(const struct farm *f, const struct probe_url *u, uint16_t own, uint16_t at);
#endif
