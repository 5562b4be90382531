/* policy: the normalised intermediate representation of a publishing policy.
 *
 * Knows no XML, no target's syntax, no sockets. The reader (parser/) or the YAML reader (ir/policy_yaml.c) fills
 * it, everybody else borrows it const. All strings live in policy->arena. Rules stand in the order in which they
 * are tried; the first that matches answers (B-01).
 *
 * Everything here comes from the source alone. What the site map adds is in struct plan (ir/plan.h).
 */
#ifndef TMGC_POLICY_H
#define TMGC_POLICY_H
#include "../base/base.h"
#include "../base/finding.h"
#include "../base/ipset.h"

/* Where an object and its settings stand in the export. Keys are the policy's own field names ("host_header"). */
struct setting_line { const char *key; uint32_t line; };
/* How many elements of the export state a setting; setting is the id of a row of the settings table. */
struct ledger_count { const char *setting; uint32_t n; };
typedef VEC(struct ledger_count) ledger_counts;
struct origin {
    const char *guid;                  /* "{…}" as written; NULL if none */
    uint32_t line;                     /* of the object's element; 0 unknown */
    VEC(struct setting_line) lines;    /* of its settings, in field order */
    ledger_counts counts;              /* of those settings that not every target has; kept for rules, listeners, farms */
};
uint32_t origin_line(const struct origin *o, const char *key);   /* the object's own line if the key has none */
void origin_set(struct arena *a, struct origin *o, const char *key, uint32_t line);

/* ---- names, paths ----------------------------------------------------- */
enum name_kind { NAME_EXACT, NAME_WILDCARD, NAME_ADDRESS };
struct public_name {
    enum name_kind kind;
    const char *name;        /* canonical: lower case A-label form, no port, no trailing dot; a wildcard keeps its "*." */
    const char *display;     /* the Unicode spelling where it differs from name, else NULL */
    uint32_t line;
};

/* External and internal are literals: for PATH_PREFIX without the final slash and star, so that the whole site is
 * "". PATH_PREFIX "/owa" matches "/owa", "/owa/" and all below (B-15, D-03); PATH_EXACT that path alone (B-14);
 * PATH_STEM every path that begins with the literal (B-13, the SharePoint wizard's "/_vti_inf.html*").
 * All without case, on the raw path as the client sent it. */
enum path_kind { PATH_PREFIX, PATH_EXACT, PATH_STEM };
struct path {
    enum path_kind kind;
    const char *external;
    const char *internal;    /* NULL: the path goes on untouched */
    uint32_t line;
};

/* ---- listeners -------------------------------------------------------- */
enum address_select { ADDRESS_ALL, ADDRESS_DEFAULT, ADDRESS_SPECIFIED };
struct listen_on {
    const char *network;     /* "External"; NULL if unknown */
    enum address_select select;
    strings addresses;       /* for ADDRESS_SPECIFIED, canonical dotted quads */
};
typedef VEC(struct listen_on) listen_ons;
struct listener_certificate {
    const char *address;     /* dotted quad; NULL: all addresses of the listener (B-40) */
    const char *thumbprint;  /* lower-case hex */
    uint32_t line;
};
enum https_redirect { HTTPS_REDIRECT_NEVER, HTTPS_REDIRECT_AUTHENTICATED, HTTPS_REDIRECT_ALWAYS };  /* B-54, D-08 */
enum forms_provider { FORMS_NONE, FORMS_AD, FORMS_LDAP, FORMS_RADIUS, FORMS_RADIUS_OTP, FORMS_SECURID };
enum validator { VALIDATE_AD, VALIDATE_LDAP, VALIDATE_RADIUS, VALIDATE_SECURID };
struct forms_settings {
    bool bind_to_address;            /* ClientIPAddressSigningEnabled, default true (B-88) */
    const char *directory;           /* custom forms; NULL */
    long public_timeout, private_timeout;     /* seconds: 600 and 21600 (B-86) */
    bool absolute_timeout, change_password, client_certificate;
    long expiry_notice;              /* days before a password runs out that signing in says so; 0: never (B-94) */
    long persistent_cookies;         /* 0 never, 1 private computers, 2 all */
    const char *cookie;              /* NULL: the product's own */
};
struct listener {
    const char *name;
    struct origin at;
    const char *description;
    listen_ons on;
    long http, https;                /* ports; 0: off */
    VEC(struct listener_certificate) certificates;
    enum https_redirect redirect;
    bool basic, digest, integrated, client_certificate;   /* what it takes (B-83) */
    bool certificates_restricted;    /* only certain client certificates, by restrictions that nobody reads (B-98) */
    enum forms_provider forms;
    enum validator validator;
    const char *scheme;              /* the authentication scheme's name as written, NULL */
    bool always_authenticate;        /* B-26 */
    bool authenticate_over_http;     /* B-57 */
    const char *domain;              /* default domain, NULL */
    struct forms_settings form;
    bool sso;
    strings sso_domains;
    long max_connections;            /* 0: unlimited */
    long connection_timeout;         /* seconds (B-76) */
    long ssl_accelerator_port;       /* 0: none (B-45) */
};
bool listener_authenticates(const struct listener *l);    /* any method at all */
enum { SOURCE_TIMEOUT = 120 };        /* seconds: what a listener has that says nothing of it (B-76) */
long listener_timeout(const struct listener *l);          /* seconds; SOURCE_TIMEOUT if it has no usable one */

/* ---- farms ------------------------------------------------------------ */
struct farm_member { const char *host; const char *description; bool drained; uint32_t line; };
enum probe_kind { PROBE_HTTP, PROBE_PING, PROBE_TCP };
struct farm {
    const char *name;
    struct origin at;
    const char *description;
    VEC(struct farm_member) members;
    enum probe_kind probe;
    const char *probe_url;           /* "http://STAR/" (the source's star stands for the member); NULL */
    const char *probe_host;          /* Host header, NULL */
    long probe_port;                 /* for PROBE_TCP */
    long probe_threshold;            /* milliseconds; 5000 */
};

/* ---- networks, schedules, user sets ------------------------------------ */
enum network_kind { NETWORK_PLAIN, NETWORK_EXTERNAL, NETWORK_SET, NETWORK_SET_EXCEPT, NETWORK_LOCAL_HOST, NETWORK_EVERYWHERE };
struct network {
    const char *name;
    struct origin at;
    enum network_kind kind;
    ipset addresses;                 /* NETWORK_PLAIN; empty: unknown */
    strings members;                 /* network names, for the two kinds of set */
};
struct schedule { const char *name; struct origin at; uint8_t hours[21]; };  /* 168 bits, Sunday 00:00 first, high bit first */
struct account { const char *name; const char *sid; bool group; };
struct user_set { const char *name; struct origin at; VEC(struct account) accounts; };

/* ---- rules ------------------------------------------------------------ */
enum action { ACTION_ALLOW, ACTION_DENY };
enum bridging { BRIDGE_HTTP, BRIDGE_SSL, BRIDGE_BOTH, BRIDGE_FTP };       /* B-47 to B-50 */
enum delegation { DELEGATE_NONE_PASS, DELEGATE_NONE_BLOCK, DELEGATE_SECURID, DELEGATE_BASIC,
                  DELEGATE_NTLM, DELEGATE_NEGOTIATE, DELEGATE_KERBEROS };  /* B-100, the source's numbers */
enum certificate_claim { CERTIFICATE_IGNORED, CERTIFICATE_REQUIRED, CERTIFICATE_REQUESTED };

/* From: any, or the union of addresses and networks less the exceptions (B-21, B-22). Names are of policy->networks.
 * Single computers, ranges and subnets are compiled into the sets; where no network is named, the exceptions are
 * compiled in too and except_addresses is empty. */
struct sources {
    bool any;
    ipset addresses; strings networks;
    ipset except_addresses; strings except_networks;
    bool unknown;                    /* a reference could not be resolved at all: closed */
};
struct parameter { const char *set, *name, *value; uint32_t line; };       /* vendor parameters, as written */
struct link_mapping { const char *from, *to; };

struct rule {
    const char *name;
    struct origin at;
    const char *description;
    bool enabled;
    enum action action;
    const char *redirect_url;        /* for deny: 302 to it (B-28); NULL: 403 */
    const char *listener;            /* name; NULL: not in the export */
    bool all_names;                  /* "all requests" */
    VEC(struct public_name) names;
    VEC(struct path) paths;          /* in the order in which they are tried: the longest external first, exact before prefix */
    struct sources sources;
    const char *schedule;            /* name; NULL: always */
    bool schedule_unknown;
    bool all_users;                  /* anonymous may pass */
    strings users;                   /* user set names otherwise */
    /* the published server: three roles, kept apart (B-35) */
    const char *site;                /* WebSite: Host, certificate name, SNI and SPN; canonical host name or address */
    const char *server;              /* PublishedServer: where to connect; NULL: site itself */
    const char *farm;                /* name; then the members are where to connect */
    bool affinity_by_address;        /* B-116; else by cookie */
    enum bridging bridging;
    long http_port, ssl_port, ftp_port;
    bool forward_host;               /* SendOriginalHostHeader (B-32, B-33, D-10) */
    bool forward_client_address;     /* "appear to come from the original client" (B-59) */
    bool accept_encoding;            /* SendAcceptEncodingHeader (B-64) */
    bool front_end_https;            /* vendor set {5e302ed5-…} (B-63) */
    bool pass_options;               /* PassOptionsRequestsToServer */
    enum delegation delegation;
    const char *spn;                 /* as written, default http/<site> or "http/" "*" for a farm; NULL for types that need none */
    strings spns;                    /* expanded: one per farm member, or the one (B-110) */
    bool delegation_possible;        /* the pair with the listener's authentication can work at all (6.1) */
    bool strip_domain, pass_auth_body;
    long require_ssl;                /* 0 no, 1 yes, 2 with 128 bits (B-52, B-53) */
    enum certificate_claim client_certificate;
    const char *backend_certificate; /* thumbprint, NULL (B-51) */
    bool translate_links;
    long link_mode, link_options;
    strings code_pages;
    VEC(struct link_mapping) links;  /* the rule's own dictionary, vendor set {3563FFF5-…} */
    strings link_patterns;           /* "A*B" or "A": for link_mode 2 and 3, the comments <!--A*B--> (B-128) */
    const char *logoff_url;
    long application;                /* 0 general, 1 Exchange, 2 SharePoint */
    bool alternate_access_mapping, block_attachments_public, block_attachments_private;
    const char *http_filter;         /* the XML of vendor set {f1076e51-…}, NULL */
    VEC(struct parameter) parameters;/* every other vendor parameter, by name */
    long source_port_low, source_port_high;
    bool logging;
};

/* ---- compression for clients, of the whole array (B-65, B-143): ir/compression.h ---------------------------- */
struct content_types {
    strings list;                    /* lower case: "text/html", "text/" "*", and extensions ".htm" for answers without a Content-Type */
    bool except;                     /* those that are not compressed; all others are */
    bool untyped;                    /* answers with neither a Content-Type nor an extension are */
};
struct compression {
    struct origin at;
    bool enabled;                    /* the source's filter; with nobody to compress for it does nothing */
    struct content_types types;
    struct sources clients;          /* for them answers are compressed, whatever the listener; empty: for nobody */
    strings listeners, except_listeners;     /* names: the same for all that comes in there; nothing that does is */
    struct sources servers;          /* asked for compressed answers */
};

/* ---- server publishing: a protocol from listening addresses to one server, no HTTP looked at (B-30, B-148) ---- */
enum transport { TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_OTHER };
struct connection_range {            /* one of a protocol's connections */
    enum transport transport;
    long number;                     /* of the IP protocol, for TRANSPORT_OTHER */
    long low, high;                  /* ports, ends included */
    bool outbound;                   /* the server begins it: nothing to publish */
    bool one_way;                    /* UDP that is never answered */
    uint32_t line;
};
typedef VEC(struct connection_range) connection_ranges;
struct protocol {
    const char *name;
    struct origin at;
    connection_ranges primary;       /* what clients open */
    connection_ranges secondary;     /* what client or server open besides, on ports that they agree on (B-152) */
    strings filters;                 /* application filters of the source, by name (B-152) */
};
struct server_rule {
    const char *name;
    struct origin at;
    const char *description;
    bool enabled;
    enum action action;
    const char *protocol;            /* name; NULL: not in the export */
    const char *server;              /* dotted quad; NULL: none that can be used */
    listen_ons on;
    long publish_port;               /* where clients connect, 0: the protocol's own (B-149) */
    long server_port;                /* the server's, 0: the protocol's own */
    bool from_firewall;              /* "requests appear to come from the firewall"; else from the client itself (B-150) */
    bool route;                      /* the network rule between the two networks routes: no address was translated (B-151) */
    struct sources sources;
    const char *schedule;            /* name; NULL: always */
    bool schedule_unknown;
    long source_port_low, source_port_high;
    bool logging;
};

/* Where each element and attribute of the export went. The elements are the sum of the settings' and the four numbers
 * below them; of the attributes those not counted as odd give names, types and places. All 0: written by hand. */
struct ledger {
    long elements, attributes;
    ledger_counts settings;
    long structure;                  /* elements that only hold others */
    long unknown;                    /* of published sites: each is named by a note, alone or with what is above it */
    long other_rules;                /* of rules that publish nothing */
    long elsewhere;                  /* of objects that no published site uses */
    long unknown_attributes, other_attributes;   /* odd ones: of published sites (a note each), of all else */
};

struct policy {
    struct arena *arena;
    const char *source;              /* base name of the export, for messages: "array.xml" */
    const char *product, *build;     /* "Forefront TMG 2010", "7.0.9193.644" */
    const char *kind;                /* what was exported: "array", "web listener", … */
    VEC(struct listener) listeners;
    VEC(struct farm) farms;
    VEC(struct network) networks;
    VEC(struct schedule) schedules;
    VEC(struct user_set) user_sets;
    VEC(struct rule) rules;          /* web publishing rules only, disabled ones included */
    VEC(struct protocol) protocols;  /* those that server rules use */
    VEC(struct server_rule) server_rules;    /* server publishing rules, in their own order: they share no port with web listeners */
    VEC(struct parameter) parameters;/* array-wide switches ({143F5698-…}) by name (B-112) */
    VEC(struct link_mapping) links;  /* the array's own dictionary of link translation (B-125) */
    struct compression compression;
    strings certificate_names;       /* reserved for names on certificates, unused when empty */
    struct ledger ledger;
    struct findings notes;           /* what reading the export found (class input); travels in policy.yaml */
    struct policy_index *index;      /* of the look-ups below; made by policy_finish */
};

struct policy *policy_new(void);
void policy_free(struct policy *p);
/* Names without case. NULL if there is none, or name is NULL. */
const struct listener *policy_listener(const struct policy *p, const char *name);
const struct farm *policy_farm(const struct policy *p, const char *name);
const struct network *policy_network(const struct policy *p, const char *name);
const struct schedule *policy_schedule(const struct policy *p, const char *name);
const struct protocol *policy_protocol(const struct policy *p, const char *name);
const struct user_set *policy_user_set(const struct policy *p, const char *name);
const struct parameter *policy_parameter(const struct policy *p, const char *name);

/* The pair can work at all (6.1): what the listener gets from clients yields what the delegation needs. l NULL: nobody
 * knows the listener, so nothing is said against it. */
bool delegation_possible(const struct listener *l, enum delegation d);

/* Called once when the objects are all there, whether from XML or YAML: sorts paths into trying order, fills what
 * is derived (spns, delegation_possible) and builds the name indexes that the look-ups above use. */
void policy_finish(struct policy *p);

/* ---- ir/normalise.c: text from the source -> the forms above ------------ */
/* Host part of a name, URL or Host value: lower case, without scheme, port, one trailing dot; IDN to A-label.
 * NULL if what remains is not a host name or address of at most 253 characters. */
const char *normalise_host(struct arena *a, const char *text);
/* false: not a usable public name. "*" alone is not one: the caller makes it all_names. */
bool normalise_public_name(struct arena *a, const char *text, struct public_name *out);
/* One path pattern ("/owa/" "*", "/x.htm", "/stem*", "/app\" (B-19)) -> kind and literal.
 * *odd: accepted, but not a documented form. false: not usable (no leading slash, "?", "#", control characters). */
bool normalise_path(struct arena *a, const char *text, enum path_kind *kind, const char **literal, bool *odd);
/* "{ABC}" or "abc" -> "abc" in lower case, for comparing. */
const char *normalise_guid(struct arena *a, const char *text);
/* Hex digits only, lower case; NULL if there are none. */
const char *normalise_thumbprint(struct arena *a, const char *text);

/* Pattern as the source writes it, "/owa/" "*": for messages and YAML. */
void buf_path_pattern(struct strbuf *b, enum path_kind kind, const char *literal);

/* ---- ir/policy_yaml.c --------------------------------------------------- */
void policy_write(struct strbuf *out, const struct policy *p);
/* NULL on failure, with "file:line:column: what" lines in err. file is used in messages only. */
struct policy *policy_read(const char *file, const char *text, size_t n, struct strbuf *err);
#endif
