/* plan: a policy with the site map applied. Everything that acts (decide, emitters, verify, publishd) reads this.
 * Finds and reports what the site map must still say (class site). */
#ifndef TMGC_PLAN_H
#define TMGC_PLAN_H
#include "filter.h"
#include "site.h"

struct plan_socket {
    const char *address;             /* dotted quad, or "*" for every address of the host */
    uint16_t port;
    bool tls;
    const char *chain, *key;         /* for tls: absolute names; a file that is not there if the site map has none */
    const char *thumbprint;
};
/* publishd behind a proxy has a socket of its own for each proxy, which tells it the client's address in its own way, and
 * for each scheme that clients use. */
enum { PREAUTH_SOCKETS = 4 };
#define PREAUTH_HOST "127.0.0.1"
#define PREAUTH_CLIENT "X-Publishd-Client"    /* the client's address, from nginx to publishd; a client's own goes to no server */
struct plan_listener {
    const struct listener *listener;
    VEC(struct plan_socket) sockets; /* HTTP ones first, then HTTPS, addresses in the order of the export or site map */
    uint16_t http, https;            /* ports after the site map; 0: off */
    uint16_t preauth[PREAUTH_SOCKETS];           /* publishd's ports for it behind the proxies, by preauth_socket; 0: none */
    bool asks_certificate;           /* clients are asked for a certificate: one of its rules wants one, and client_trust is known */
    bool publishd_asks;              /* the same on publishd, where certificates sign in too; not behind a proxy, which has the TLS */
    VEC(uint32_t) rules;             /* indexes of the enabled rules on this listener, in rule order */
};
struct plan_server {
    const char *member;              /* the name in the export */
    const char *host;                /* where to connect: name or address, IPv6 in brackets */
    uint16_t port;
    bool drained;
};
/* To where a rule forwards a request that came in over HTTP [0] or HTTPS [1]. */
struct plan_upstream {
    bool tls;                        /* D-14: verified against rule->site, SNI the same */
    uint16_t port;                   /* the rule's own, before the site map: for Location and names */
    VEC(struct plan_server) servers; /* one, or the farm's members in order */
};
struct plan_rule {
    const struct rule *rule;
    uint32_t index;                  /* in policy->rules */
    const struct listener *listener; /* NULL: none in the export; such a rule answers nothing */
    const struct farm *farm;         /* NULL */
    bool answers;                    /* enabled, has a listener, a name and a path */
    bool any_source;
    ipset sources;                   /* if not any_source; compiled, exceptions out */
    bool sources_unknown;            /* cannot be compiled: closed */
    bool needs_user;                 /* not all users, or the listener always authenticates (D-07) */
    bool forwards;                   /* has a usable backend */
    struct plan_upstream to[2];
    bool websocket, x_forwarded_for, transparent; const char *via;
    const struct site_certificate *shows;    /* to the published server (B-51); NULL: none, or its files are not known */
    bool compresses;                 /* answers, for clients that take gzip (B-65) ... */
    bool compresses_all; ipset compresses_for;   /* ... all of them, or those with these addresses */
    bool asks_gzip;                  /* the server is asked for compressed answers, unless Accept-Encoding goes on as it came */
    bool wants_certificate;          /* of the client, and the site map says whose (B-98) */
    const struct http_filter *filter;/* NULL: it has none, or none that could be read */
    unsigned preauth;                /* ON() bits: these targets send it through publishd, which answers as it does alone */
    unsigned closed;                 /* ON() bits: these targets answer 403 where the rule answers (fail closed) */
    unsigned closed_http;            /* the same for requests over plain HTTP only (D-09) */
};
/* ---- server publishing: plan_server.c ------------------------------------------------ */
/* One of the places where a rule takes connections, and where they go on to. */
struct plan_door {
    enum transport transport;        /* TCP or UDP */
    const char *address;             /* dotted quad, or "*" */
    uint16_t low, high;              /* ports that clients connect to */
    const char *host;                /* the published server: address, or a name of the site map */
    uint16_t port;                   /* its port; 0: the one that the client connected to */
    bool one_way;                    /* UDP that is never answered */
};
typedef VEC(struct plan_door) plan_doors;
struct plan_server_rule {
    const struct server_rule *rule;
    const struct protocol *protocol; /* NULL: not in the policy; such a rule takes nothing */
    uint32_t index;                  /* in policy->server_rules */
    bool answers;                    /* enabled, and its protocol has a port that can be published */
    bool any_source, sources_unknown;
    ipset sources;                   /* if not any_source */
    uint16_t port_low, port_high;    /* of the client; 0, 65535: any */
    bool ports_wrong;                /* the limits on them leave none */
    const struct schedule *schedule; /* NULL: always */
    enum client_address client_address;
    bool several, unported, wide;    /* the protocol has several ports; IP protocols without any; more ports than a proxy should open */
    plan_doors doors;
    unsigned closed;                 /* ON() bits: these targets refuse its connections */
};
/* A socket, or neighbouring ones that the same rules take: the first rule that matches has the connection (D-06). */
struct plan_try { uint32_t rule, door; };
struct plan_stream {
    enum transport transport;
    const char *address;
    uint16_t low, high;
    VEC(struct plan_try) tries;
};
enum { STREAM_PORTS = 1024 };        /* more ports than this are not opened for one rule */

struct plan {
    struct arena *arena;             /* the plan's own */
    const struct policy *policy;
    struct site *site;
    unsigned version[TARGETS];       /* release that the config is for (emitters/versions.h); 0: the usual one */
    const char *trust;               /* absolute; a file that is not there if the site map has none; NULL: not needed */
    const char *client_trust;        /* absolute; NULL: nobody knows whose client certificates are good */
    const char *client_crl;          /* absolute; NULL: revoked ones are not known */
    bool flood;                      /* B-77 */
    struct content_types types;      /* which answers are compressed, where a rule compresses any */
    VEC(struct plan_listener) listeners;
    VEC(struct plan_rule) rules;     /* one a rule of the policy, same index */
    VEC(struct plan_server_rule) server_rules;    /* one a server rule of the policy, same index */
    VEC(struct plan_stream) streams; /* by address, transport and port */
    VEC(const char *) certificates_missing;
};

/* The source's limits for one client address by default (B-77): connections at a time, new ones and requests a minute. */
enum { FLOOD_CONNECTIONS = 160, FLOOD_NEW_CONNECTIONS = 600, FLOOD_REQUESTS = 600 };

/* publishd's port for what comes over HTTP or HTTPS through this proxy; 0: none. In the order HAProxy http, HAProxy https, nginx
 * http, nginx https. */
uint16_t preauth_port(const struct plan_listener *l, enum target t, bool tls);

/* A file name that is certainly not there, for what the site map lacks. */
#define MISSING_DIR "/nonexistent/tmgc"

/* Never fails: what is wrong becomes a finding. */
struct plan *plan_make(const struct policy *p, struct site *s, struct findings *f);
void plan_free(struct plan *p);
/* Requests go to the same places in the same way. */
bool plan_same_upstream(const struct plan_upstream *x, const struct plan_upstream *y);
#endif
