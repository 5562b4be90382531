/* schema: the keys of publishd.yaml. One row a key: name, type, default, what it is for. Reading, checking and the
 * manual's tables are made from these rows; a new setting is a member in config.h and a row here. */
#include "schema.h"
#include "checks.h"
#include "config.h"
#include "../ir/policy_codecs.h"
#include "../ir/schema_rows.h"
#include "../ir/shared_schema.h"

_Static_assert(sizeof(enum closed) == sizeof(int), "Y_WORD takes an enum for an int");

/* clang-format off */

/* ---- listeners --------------------------------------------------------------------- */

static const char *const clients_from[] = { "connection", "proxy-protocol", "header", NULL };

static const struct field socket_fields[] = {
    NAME(conf_socket, address, "IPv4 address, or `\"*\"` for every address of the host"),
    NEEDED_PORT(conf_socket, port, "TCP port"),
    FILENAME(conf_socket, chain, "certificate chain, PEM; makes it an HTTPS socket"),
    FILENAME(conf_socket, key, "its private key, PEM"),
    BOOL(conf_socket, https_in_front, false, "a proxy in front has ended TLS: requests count as HTTPS"),
    WORD(conf_socket, client_from, clients_from, CLIENT_OF_CONNECTION, "who says what address a client has: the connection, a proxy in front by the PROXY protocol, or by the header X-Publishd-Client"),
    RANGES(conf_socket, proxies, "addresses of the proxies in front, the only ones that may connect here; 127.0.0.0/8 if left out and client_from is given"),
};
static const struct schema socket_schema = { SCHEMA("a socket", conf_socket, socket_fields), .check = check_socket };

static const struct field form_fields[] = {
    BOOL(forms_settings, bind_to_address, true, "a session belongs to the client's address"),
    FILENAME(forms_settings, directory, "folder of templates and texts of this listener's own; never the source's, whose forms are no templates of ours"),
    COUNT(forms_settings, public_timeout, 600, "seconds, on public computers"),
    COUNT(forms_settings, private_timeout, 21600, "seconds, on private computers"),
    BOOL(forms_settings, absolute_timeout, false, "the time counts from the sign-in, not from the last request"),
    BOOL(forms_settings, change_password, false, "the form offers to change the password"),
    COUNT(forms_settings, expiry_notice, 0, "so many days before a password runs out, signing in says so; 0: never"),
    BOOL(forms_settings, client_certificate, false, "a client certificate is required besides"),
    LEVEL(forms_settings, persistent_cookies, 0, words_cookies, "on which computers the session survives the browser"),
    TEXT(forms_settings, cookie, "name of the session cookie"),
};
static const struct schema form_schema = { SCHEMA("a sign-in form", forms_settings, form_fields) };

static const struct field authentication_fields[] = {
    BOOL(conf_authentication, basic, false, "takes HTTP Basic"),
    BOOL(conf_authentication, digest, false, "takes HTTP Digest"),
    BOOL(conf_authentication, integrated, false, "takes NTLM and Negotiate"),
    TEXTS(conf_authentication, offer, "for integrated: `negotiate`, `ntlm`; challenged in this order"),
    BOOL(conf_authentication, client_certificate, false, "takes client certificates"),
    WORD(conf_authentication, forms, words_forms, FORMS_NONE, "shows a sign-in form, checked by this"),
    WORD(conf_authentication, validator, words_validator, VALIDATE_AD, "who checks passwords"),
    TEXT(conf_authentication, scheme, "the scheme's name in the source"),
    BOOL(conf_authentication, always, false, "everybody signs in, whatever the rule says"),
    BOOL(conf_authentication, over_http, false, "credentials are taken over plain HTTP too"),
    TEXT(conf_authentication, domain, "of users who give none"),
    OBJECT(conf_authentication, form, form_schema, "how the sign-in form works"),
    BOOL(conf_authentication, sso, false, "single sign-on across the listener's names"),
    TEXTS(conf_authentication, sso_domains, "domains of single sign-on"),
};
static const struct schema authentication_schema = { SCHEMA("a listener's authentication", conf_authentication, authentication_fields),
    .check = check_authentication };

static const struct field listener_fields[] = {
    NAME(conf_listener, name, "rules refer to it by this name"),
    LIST(conf_listener, sockets, socket_schema, "where it listens; none: its rules are not reached"),
    WORD(conf_listener, redirect, words_redirect, HTTPS_REDIRECT_NEVER, "from HTTP to HTTPS: only where a user is needed, or always"),
    OBJECT(conf_listener, authentication, authentication_schema, "left out: none"),
    FILENAME(conf_listener, client_trust, "issuers of client certificates, PEM: every client is asked for one over TLS, and what needs one takes those that they signed"),
    FILENAME(conf_listener, client_crl, "revocation lists, PEM: one for each issuer in a certificate's chain; none: revoked ones pass"),
    BOOL(conf_listener, http2, true, "HTTP/2 is offered over TLS, unless NTLM or Negotiate may be spoken over a connection"),
    COUNT(conf_listener, max_connections, 0, "further clients wait until one ends; 0: unlimited"),
    COUNT(conf_listener, connection_timeout, SOURCE_TIMEOUT, "seconds a connection may be idle"),
    PORT(conf_listener, http_port, 0, "its port for HTTP as clients know it, for links; left out: that of the first such socket"),
    PORT(conf_listener, https_port, 0, "the same for HTTPS, where redirects lead too"),
    PORT(conf_listener, ssl_accelerator_port, 0, "port of a TLS accelerator in front; 0 is none"),
};
static const struct schema listener_schema = { SCHEMA("a listener", conf_listener, listener_fields), .check = check_listener };

/* ---- what rules refer to ------------------------------------------------------------- */

static const struct field farm_fields[] = {
    NAME(conf_farm, name, "rules refer to it by this name"),
    WORD(conf_farm, probe, words_probe, PROBE_HTTP, "how members are checked, every 30 seconds"),
    TEXT(conf_farm, probe_url, "for http; a star stands for the member's name"),
    TEXT(conf_farm, probe_host, "Host header of the check; the URL's own if left out"),
    PORT(conf_farm, probe_port, 0, "for tcp"),
    COUNT(conf_farm, probe_threshold, 5000, "milliseconds until a member counts as down"),
};
static const struct schema farm_schema = { SCHEMA("a farm", conf_farm, farm_fields) };

static const struct field user_set_fields[] = {
    NAME(conf_user_set, name, "rules refer to it by this name"),
    TEXTS(conf_user_set, groups, "DOMAIN\\\\group, from the site map"),
    TEXTS(conf_user_set, users, "DOMAIN\\\\user, from the site map"),
    LIST(conf_user_set, accounts, account_schema, "who belongs to it in the source"),
};
static const struct schema user_set_schema = { SCHEMA("a user set", conf_user_set, user_set_fields) };

static const struct field schedule_fields[] = {
    NAME(schedule, name, "rules refer to it by this name"),
    OWN("hours", own_hours, "when it is on, like `Mon-Fri 08:00-12:00, 13:00-18:00`; none: never"),
};
static const struct schema schedule_schema = { SCHEMA("a schedule", schedule, schedule_fields) };

static const struct field parameter_fields[] = {
    NAME(parameter, name, "its name"),
    TEXT(parameter, set, "identifier of the vendor parameter set"),
    TEXT(parameter, value, "as in the source"),
};
static const struct schema parameter_schema = { SCHEMA("a vendor parameter", parameter, parameter_fields) };

/* ---- rules ------------------------------------------------------------------------------- */
static const char *const closings[] = { "never", "http", "always", NULL };

static const struct field path_fields[] = {
    NAME(conf_path, external, "as clients ask for it: `/owa/*`, `/page.htm`"),
    TEXT(conf_path, internal, "as the server gets it, of the same kind; untouched if left out"),
};
static const struct schema path_schema = { SCHEMA("a path", conf_path, path_fields), .check = check_path };

static const struct field server_fields[] = {
    HOST(conf_server, name, "the member's name in the source, where it is not `connect`"),
    { MEMBER(conf_server, connect), .type = Y_TEXT, .text = TEXT_HOST, .required = true, .help = "name or address to connect to" },
    NEEDED_PORT(conf_server, port, "and the port"),
    BOOL(conf_server, drained, false, "takes no new clients"),
};
static const struct schema server_schema = { SCHEMA("a server", conf_server, server_fields) };
static const struct field upstream_fields[] = {
    BOOL(conf_upstream, tls, false, "TLS, verified against the rule's site"),
    NEEDED_PORT(conf_upstream, port, "the port in the source, for redirects that name it"),
    LIST(conf_upstream, servers, server_schema, "one, or the farm's members"),
};
static const struct schema upstream_schema = { SCHEMA("an upstream", conf_upstream, upstream_fields), .check = check_upstream };

static const char *const filter_lists[] = { "all", "only", "except", NULL };
static const char *const filter_actions[] = { "keep", "strip", "replace", NULL };
#define LIMIT(m, h) RANGE(conf_filter, m, -1, -1, INT64_MAX, h)

static const struct field filter_text_fields[] = { NAME(filter_text, header, "name of the header"), NAME(filter_text, text, "without case") };
static const struct schema filter_text_schema = { SCHEMA("a text in a header", filter_text, filter_text_fields) };

static const char *const filter_bodies[] = { "request", "answer", NULL };
static const struct field body_text_fields[] = {
    WORD(filter_body_text, in, filter_bodies, BODY_OF_REQUEST, "whose body"),
    TEXT(filter_body_text, text, "without case"),
    TEXT(filter_body_text, hex, "or these bytes, as hex digits"),
    COUNT(filter_body_text, from, 1, "the first byte that is looked at; the body begins with 1"),
    COUNT(filter_body_text, to, 100, "the last one"),
};
static const struct schema body_text_schema = { SCHEMA("a text in a body", filter_body_text, body_text_fields), .check = check_body_text };
static const struct field filter_fields[] = {
    BOOL(conf_filter, normalise, true, "the URL is decoded once before extensions, dots and texts are looked for"),
    WORD(conf_filter, method_list, filter_lists, LIST_ALL, "which methods pass: all, only those listed, all except those"),
    TEXTS(conf_filter, methods, "without case"),
    WORD(conf_filter, extension_list, filter_lists, LIST_ALL, "the same for extensions"),
    TEXTS(conf_filter, extensions, "of the last path segment, without the dot; an empty one stands for none"),
    BOOL(conf_filter, dots, false, "refuses a second dot in the path, or a slash behind one"),
    BOOL(conf_filter, high_bit, false, "refuses bytes from 128 on in the URL, plain or encoded"),
    BOOL(conf_filter, double_encoding, false, "refuses a URL that a second decoding would change"),
    BOOL(conf_filter, executables, false, "refuses answers that are Windows programs"),
    LIMIT(url_max, "bytes of path and query; -1: no limit"),
    LIMIT(query_max, "bytes of the query"),
    LIMIT(body_max, "bytes of a request's body"),
    TEXTS(conf_filter, headers, "a request with one of them is refused"),
    TEXTS(conf_filter, answer_headers, "an answer with one of them is refused"),
    TEXTS(conf_filter, url_texts, "a URL that holds one of them is refused"),
    LIST(conf_filter, header_texts, filter_text_schema, "the same for a request's header"),
    LIST(conf_filter, answer_texts, filter_text_schema, "the same for an answer's header"),
    LIST(conf_filter, body_texts, body_text_schema, "and for bodies; looked for in gzip and deflate too, not in other codings"),
    WORD(conf_filter, via, filter_actions, HEADER_KEPT, "what becomes of Via, in both directions"),
    FIELD_VALUE(conf_filter, via_value, "its new value"),
    WORD(conf_filter, server, filter_actions, HEADER_KEPT, "what becomes of Server in answers"),
    FIELD_VALUE(conf_filter, server_value, "its new value"),
};
static const struct schema filter_schema = { SCHEMA("an HTTP filter", conf_filter, filter_fields) };

static const struct field rule_fields[] = {
    NAME(conf_rule, name, "the rule's name"),
    COUNT(conf_rule, number, 0, "its place among the source's rules"),
    TEXT(conf_rule, guid, "its identifier in the source"),
    TEXT(conf_rule, description, "free text"),
    NAME(conf_rule, listener, "name of a listener"),
    BOOL(conf_rule, all_names, false, "answers whatever the request's host"),
    TEXTS(conf_rule, names, "public names: `mail.example`, `*.example`, `192.0.2.1`"),
    LIST(conf_rule, paths, path_schema, "in the order in which they are tried"),
    RANGES(conf_rule, sources, "clients with these addresses; from anywhere if left out"),
    PORT(conf_rule, source_port_low, 0, "lowest client port; 0: any"),
    PORT(conf_rule, source_port_high, 0, "highest client port"),
    TEXT(conf_rule, schedule, "name of a schedule; always if left out"),
    TEXTS(conf_rule, users, "names of user sets; everybody, unasked, if left out"),
    WORD(conf_rule, closed, closings, CLOSED_NEVER, "answers 403, over HTTP or always: something that restricts could not be translated"),
    WORD(conf_rule, action, words_action, ACTION_ALLOW, "what becomes of a request"),
    TEXT(conf_rule, redirect_url, "where deny sends it; 403 if left out"),
    LEVEL(conf_rule, require_ssl, 0, words_ssl, "whether plain HTTP gets 403"),
    WORD(conf_rule, client_certificate, words_certificate, CERTIFICATE_IGNORED, "of the client"),
    HOST(conf_rule, site, "the published site's internal name: Host header, certificate name, SNI"),
    BOOL(conf_rule, forward_host, false, "the client's Host header instead of site's"),
    HOST(conf_rule, server, "the server's other name, for redirects that name it"),
    TEXT(conf_rule, farm, "name of a farm, whose members the servers are"),
    BOOL(conf_rule, affinity_by_address, false, "clients stay with a member by address, not by cookie"),
    OBJECT(conf_rule, upstream, upstream_schema, "where requests go"),
    OBJECT(conf_rule, upstream_http, upstream_schema, "the same for those that came in over HTTP, where they differ"),
    OBJECT(conf_rule, upstream_https, upstream_schema, "and over HTTPS"),
    PORT(conf_rule, http_port, 0, "the server's port for HTTP in the source, where no upstream has it: redirects may name it; 80 if left out"),
    PORT(conf_rule, ssl_port, 0, "the same for HTTPS; 443 if left out"),
    THUMBPRINT(conf_rule, backend_certificate, "thumbprint of the certificate that was shown to the server"),
    FILENAME(conf_rule, backend_chain, "that certificate and its issuers, PEM: shown to a server that asks for one over TLS"),
    FILENAME(conf_rule, backend_key, "its private key, PEM"),
    WORD(conf_rule, delegation, words_delegation, DELEGATE_NONE_BLOCK, "signing in to the server on the user's behalf"),
    TEXTS(conf_rule, spns, "service principal names for negotiate and kerberos: one, or one for each server"),
    BOOL(conf_rule, strip_domain, false, "user names go on without their domain"),
    BOOL(conf_rule, pass_auth_body, false, "the body of the server's 401 goes to the client"),
    BOOL(conf_rule, accept_encoding, false, "Accept-Encoding goes on to the server"),
    BOOL(conf_rule, compress, false, "answers are compressed for clients that take gzip"),
    RANGES(conf_rule, compress_for, "only for clients with these addresses; for all if left out"),
    BOOL(conf_rule, asks_gzip, false, "the server is asked for gzip, which is unpacked for clients that do not take it"),
    BOOL(conf_rule, front_end_https, false, "the header Front-End-Https: On is added"),
    BOOL(conf_rule, forward_client_address, false, "server connections come from the client's own address; needs CAP_NET_ADMIN and a host that is ready for it"),
    BOOL(conf_rule, x_forwarded_for, false, "X-Forwarded-For is set to the client's address"),
    FIELD_VALUE(conf_rule, via, "value of the Via header to add"),
    BOOL(conf_rule, websocket, false, "WebSocket passes"),
    BOOL(conf_rule, pass_options, true, "OPTIONS requests go on to the server"),
    COUNT(conf_rule, read_timeout, SOURCE_TIMEOUT, "seconds to wait for the server"),
    BOOL(conf_rule, translate_links, false, "links in pages are translated"),
    COUNT(conf_rule, link_mode, 0, "as in the source"),
    COUNT(conf_rule, link_options, 0, "as in the source"),
    TEXTS(conf_rule, code_pages, "of link translation"),
    LIST(conf_rule, links, link_schema, "the rule's own dictionary"),
    TEXTS(conf_rule, link_patterns, "comments that turn link translation off or on, A or A*B"),
    LEVEL(conf_rule, application, 0, words_application, "what is published"),
    BOOL(conf_rule, alternate_access_mapping, false, "SharePoint knows its public names"),
    BOOL(conf_rule, block_attachments_public, false, "on public computers"),
    BOOL(conf_rule, block_attachments_private, false, "on private computers"),
    TEXT(conf_rule, logoff_url, "signs the user out"),
    TEXT(conf_rule, http_filter, "the HTTP filter's XML, as in the source"),
    OBJECT(conf_rule, filter, filter_schema, "what was understood of it; what it refuses gets 502"),
    LIST(conf_rule, parameters, parameter_schema, "other vendor parameters"),
    BOOL(conf_rule, logging, true, "requests are logged"),
};
static const struct schema rule_schema = { SCHEMA("a rule", conf_rule, rule_fields), .check = check_rule };

/* ---- the file ---------------------------------------------------------------------------------- */
static const char *const bodyless[] = { "challenge", "forward", NULL };

static const struct field config_fields[] = {
    { .key = "publishd", .type = Y_VERSION, .dflt = 1, .required = true, .help = "version of this format" },
    OBJECT(config, service, service_schema, "from the site map's section `publishd`"),
    FILENAME(config, trust, "certificates of the authorities that vouch for TLS servers, PEM"),
    FILENAME(config, error_pages, "folder of pages `<status>.html` or `<code>.html` that replace those built in"),
    WORD(config, bodyless_post, bodyless, BODYLESS_CHALLENGE, "what becomes of an empty POST that begins a handshake"),
    BOOL(config, flood, false, "a client address has the source's limits: 160 connections at a time, 600 new ones and 600 requests a minute"),
    BOOL(config, kerberos_in_spnego, false, "delegated tickets are wrapped in SPNEGO"),
    BOOL(config, fqdn_realm, false, "the realm is the domain's full name"),
    LIST(config, parameters, parameter_schema, "vendor parameters of the whole array"),
    LIST(config, links, link_schema, "link translation's dictionary of the whole array"),
    OBJECT(config, compression, content_types_schema, "of answers that rules with `compress` compress"),
    LIST(config, listeners, listener_schema, ""),
    LIST(config, farms, farm_schema, ""),
    LIST(config, user_sets, user_set_schema, ""),
    LIST(config, schedules, schedule_schema, ""),
    LIST(config, rules, rule_schema, "in the order in which they are tried; the first that matches answers"),
};
const struct schema config_schema = { SCHEMA("publishd's configuration", config, config_fields) };
/* clang-format on */

void config_keys(struct strbuf *out)
{
    schema_markdown(out, &config_schema);
}
