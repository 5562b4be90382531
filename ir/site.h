/* site: the site map, the file that says what an export cannot (contract: "The site map").
 * Strict: an unknown key, a wrong type, a duplicate key is an error with line and column. */
#ifndef TMGC_SITE_H
#define TMGC_SITE_H
#include "policy.h"
#include "service.h"

struct site_listener {
    const char *key;                 /* name or {GUID} */
    strings addresses;
    long http, https;                /* -1: not said; 0: off */
    const char *certificate;         /* thumbprint to use on HTTPS where the export names none; NULL */
    uint32_t line; bool used;
};
struct site_certificate { const char *thumbprint, *chain, *key; uint32_t line; bool used; };  /* absolute names */
struct site_backend { const char *key, *host; long port; uint32_t line; bool used; };         /* port 0: keep the port */
struct site_network { const char *key; ipset addresses; uint32_t line; bool used; };
struct site_users { const char *key; strings groups, users; uint32_t line; bool used; };
/* Compression for clients: as the export says, for nobody, for everybody (B-65). */
enum site_compression { COMPRESS_AS_SOURCE, COMPRESS_NEVER, COMPRESS_ALWAYS };
struct site_rule {
    const char *key;                 /* name or {GUID} */
    bool websocket;                  /* D-17 */
    bool x_forwarded_for;            /* D-12: overwrite, never append */
    const char *via;                 /* D-12: value of the Via header to add, NULL */
    bool transparent;                /* B-59: connects from the client's own address */
    enum site_compression compression;       /* as source: what the whole site map says */
    uint32_t line; bool used;
};
/* How a server publishing rule's server learns the client's address, which it saw in the source (B-150). */
enum client_address { CLIENT_ADDRESS_LOST, CLIENT_ADDRESS_TRANSPARENT, CLIENT_ADDRESS_PROXY_PROTOCOL };
struct site_server_rule {
    const char *key;                 /* name or {GUID} */
    strings addresses;
    long port;                       /* instead of the one where clients connect; 0: not said */
    enum client_address client_address;
    uint32_t line; bool used;
};
/* Who signs in the users of rules on nginx and HAProxy: nobody, so that such rules are closed there, or publishd behind them. */
enum site_preauth { PREAUTH_NONE, PREAUTH_PUBLISHD };
struct site_accept {
    unsigned code;
    const char *rule;                /* NULL: any */
    const char *listener;            /* NULL: any */
    const char *target;              /* NULL: any */
    const char *reason;
    const char *until;               /* "2027-03-31", NULL */
    uint32_t line; bool used;
};
struct site {
    struct arena *arena;
    const char *file;                /* as given on the command line; NULL: no site map */
    const char *trust;               /* absolute; NULL */
    uint32_t trust_line;
    const char *client_trust;        /* absolute; NULL (B-98) */
    const char *client_crl;          /* absolute; NULL */
    enum site_preauth preauth;
    long preauth_port;               /* the first of publishd's on loopback, PREAUTH_SOCKETS a listener */
    bool flood;                      /* B-77: the source's limits on requests and connections a client */
    enum site_compression compression;
    VEC(struct site_listener) listeners;
    VEC(struct site_certificate) certificates;
    VEC(struct site_backend) backends;
    VEC(struct site_network) networks;
    VEC(struct site_users) users;
    VEC(struct site_rule) rules;
    VEC(struct site_server_rule) server_rules;
    VEC(struct site_accept) accept;
    struct service service;          /* `publishd` in the file */
    struct site_index *index;        /* of the look-ups below */
};

/* file NULL: the empty site map. Relative names become absolute against the file's folder. NULL on failure,
 * with messages in err. */
struct site *site_read(const char *file, struct strbuf *err);
struct site *site_parse(const char *file, const char *text, size_t n, struct strbuf *err);
void site_free(struct site *s);

/* Look-ups mark what they give as used, so that the rest can be reported. NULL: none. Names without case. */
struct site_listener *site_listener(struct site *s, const struct listener *l);
struct site_certificate *site_certificate(struct site *s, const char *thumbprint);
struct site_backend *site_backend(struct site *s, const char *host, long port);   /* name:port first, then name */
struct site_network *site_network(struct site *s, const char *name);
struct site_users *site_users(struct site *s, const char *name);
struct site_rule *site_rule(struct site *s, const struct rule *r);
struct site_server_rule *site_server_rule(struct site *s, const struct server_rule *r);

/* `tmgc site`: the skeleton that this policy needs (contract: Commands). */
void site_skeleton(struct strbuf *out, const struct policy *p);
#endif
