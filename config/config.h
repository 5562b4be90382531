/* config: publishd.yaml in memory. config/schema.c is the table of all keys; docs/publishd.yaml.md is made from it.
 *
 * Words of the source are those of ir/policy.h. All strings live in config->arena. */
#ifndef PUBLISHD_CONFIG_H
#define PUBLISHD_CONFIG_H
#include "../ir/filter.h"
#include "../ir/policy.h"
#include "../ir/service.h"

enum bodyless_post { BODYLESS_CHALLENGE, BODYLESS_FORWARD };
enum closed { CLOSED_NEVER, CLOSED_HTTP, CLOSED_ALWAYS };

enum client_from { CLIENT_OF_CONNECTION, CLIENT_BY_PROXY_PROTOCOL, CLIENT_BY_HEADER };
struct conf_socket {
    const char *address;
    long port;
    const char *chain, *key;         /* with a chain: TLS */
    bool https_in_front;             /* a proxy in front has ended TLS: what comes in here came over HTTPS */
    enum client_from client_from;    /* who says what address the client has */
    ipset proxies;                   /* whose connections are taken, where a proxy in front speaks for clients */
};
struct conf_authentication {
    bool basic, digest, integrated, client_certificate;
    strings offer;                   /* for integrated: "negotiate", "ntlm", in this order */
    enum forms_provider forms;
    enum validator validator;
    const char *scheme;
    bool always, over_http;
    const char *domain;
    struct forms_settings form;
    bool sso;
    strings sso_domains;
};
struct conf_listener {
    const char *name;
    VEC(struct conf_socket) sockets;
    enum https_redirect redirect;
    struct conf_authentication authentication;
    const char *client_trust;        /* PEM: issuers of client certificates; NULL: clients are asked for none (B-98) */
    const char *client_crl;          /* PEM: their revocation lists; NULL: none is looked at */
    bool http2;
    long max_connections, connection_timeout, ssl_accelerator_port;
    long http_port, https_port;      /* as redirects and links name them; 0: that of the first such socket */
};
struct conf_farm {
    const char *name;
    enum probe_kind probe;
    const char *probe_url, *probe_host;
    long probe_port, probe_threshold;
};
struct conf_user_set { const char *name; strings groups, users; VEC(struct account) accounts; };
struct conf_server { const char *name, *connect; long port; bool drained; };
struct conf_upstream { bool tls; long port; VEC(struct conf_server) servers; };
struct conf_path { const char *external, *internal; };
/* The parts of the HTTP filter (ir/filter.h); -1 is no limit. */
struct conf_filter {
    bool normalise;
    enum filter_list method_list, extension_list;
    strings methods, extensions;
    bool dots, high_bit, double_encoding, executables;     /* refused */
    long url_max, query_max, body_max;
    strings headers, answer_headers, url_texts;
    VEC(struct filter_text) header_texts, answer_texts;
    VEC(struct filter_body_text) body_texts;
    enum filter_action via, server;
    const char *via_value, *server_value;
};
struct conf_rule {
    const char *name, *guid, *description;
    long number;                     /* in the export; for messages */
    const char *listener;
    bool all_names;
    strings names;
    VEC(struct conf_path) paths;
    ipset sources;                   /* empty: from anywhere */
    long source_port_low, source_port_high;
    const char *schedule;
    strings users;
    bool anybody;                    /* the key `users` is not there */
    enum closed closed;
    enum action action;
    const char *redirect_url;
    long require_ssl;
    enum certificate_claim client_certificate;
    const char *site, *server, *farm;
    bool forward_host, affinity_by_address;
    struct conf_upstream upstream, upstream_http, upstream_https;      /* the first, or the other two */
    long http_port, ssl_port;        /* the published server's other port, where upstream does not say it; 0: 80, 443 */
    const char *backend_certificate;
    const char *backend_chain, *backend_key; /* its files: what is shown to the server; both or neither (B-51) */
    enum delegation delegation;
    strings spns;
    bool strip_domain, pass_auth_body;
    bool compress, asks_gzip;
    ipset compress_for;              /* empty: for all clients */
    bool accept_encoding, front_end_https, forward_client_address, x_forwarded_for;
    const char *via;
    bool websocket, pass_options;
    long read_timeout;
    bool translate_links;
    long link_mode, link_options;
    strings code_pages, link_patterns;
    VEC(struct link_mapping) links;
    long application;
    bool alternate_access_mapping, block_attachments_public, block_attachments_private;
    const char *logoff_url, *http_filter;
    struct conf_filter filter;
    VEC(struct parameter) parameters;
    bool logging;
};
struct config {
    struct arena *arena;
    struct service service;
    const char *trust;
    const char *error_pages;         /* folder; NULL: those built in */
    enum bodyless_post bodyless_post;
    bool flood;                      /* limits for each client address (B-77) */
    bool kerberos_in_spnego, fqdn_realm;
    VEC(struct parameter) parameters;
    VEC(struct link_mapping) links;
    struct content_types compression;
    VEC(struct conf_listener) listeners;
    VEC(struct conf_farm) farms;
    VEC(struct conf_user_set) user_sets;
    VEC(struct schedule) schedules;
    VEC(struct conf_rule) rules;     /* the first that matches answers */
};

/* Reads and checks a file, the files that it names included. NULL on failure, with lines "file:line:column: what" in
 * err. The caller frees it with config_free. */
struct config *config_read(const char *file, struct strbuf *err);
void config_free(struct config *c);

/* The first rule that answers and connects to its servers from the client's address (B-59); NULL: none does. */
const struct conf_rule *config_transparent(const struct config *c);

/* The literal of a path's internal, which is written in the kind of its external: "/x/" "*", "/x" "*" or "/x". NULL: it is
 * not one. */
const char *conf_internal(struct arena *a, enum path_kind kind, const char *internal);

/* The tables of all keys, as Markdown. */
void config_keys(struct strbuf *out);
#endif
