/* policy_schema: the tables of policy.yaml, one a struct. Reading, writing and docs/policy.md are made from them. */
#include "policy.h"
#include "policy_codecs.h"
#include "schema_rows.h"
#include "shared_schema.h"

/* ---- places in the export --------------------------------------------------- */
static const char export_help[] = "where the object stands in the export; not needed in a policy written by hand";

static const struct field origin_fields[] = {
    TEXT(origin, guid, "the object's identifier"),
    LINE(origin),
    OWN("lines", own_origin_lines, "of its settings"),
    OWN("elements", own_origin_counts, "how many state each setting that not every target has"),
};
static const struct schema origin_schema = { SCHEMA("a place in the export", origin, origin_fields),
                                             .layout = LAYOUT_FLOW };
#define EXPORT(s)                                                                                                      \
    {                                                                                                                  \
        .key = "export", .type = Y_OBJECT, .at = offsetof(struct s, at), .of = &origin_schema, .help = export_help     \
    }

static const struct field rule_origin_fields[] = {
    { .key = "guid", .type = Y_TEXT, .at = offsetof(struct rule, at.guid), .help = "the rule's identifier" },
    { .key = "line", .type = Y_LINE, .at = offsetof(struct rule, at.line), .help = "line in the export" },
    OWN("lines", own_rule_lines, "of its settings"),
    OWN("names", own_name_lines, "of its public names, in their order here"),
    OWN("paths", own_path_lines, "of its paths, in their order here"),
    OWN("elements", own_rule_counts, "how many state each setting that not every target has"),
};
static const struct schema rule_origin_schema = { SCHEMA("a rule's place in the export", rule, rule_origin_fields),
                                                  .layout = LAYOUT_FLOW };

/* ---- listeners ------------------------------------------------------------ */
static const char *const selects[] = { "all", "default", "specified", NULL };

static const struct field listen_on_fields[] = {
    TEXT(listen_on, network, "network of the source"),
    WORD(listen_on, select, selects, ADDRESS_ALL, "which of its addresses"),
    ADDRESSES(listen_on, addresses, "the specified ones"),
};
static const struct schema listen_on_schema = { SCHEMA("where a listener listens", listen_on, listen_on_fields),
                                                .layout = LAYOUT_FLOW_IF_SHORT };

static const struct field certificate_fields[] = {
    { MEMBER(listener_certificate, thumbprint), .type = Y_TEXT, .text = TEXT_THUMBPRINT, .required = true,
      .help = "SHA-1, in hex" },
    { MEMBER(listener_certificate, address), .type = Y_TEXT, .text = TEXT_ADDRESS,
      .help = "for this address; all of the listener's if left out" },
    LINE(listener_certificate),
};
static const struct schema certificate_schema = {
    SCHEMA("a listener's certificate", listener_certificate, certificate_fields), .layout = LAYOUT_FLOW
};

static const struct field form_fields[] = {
    BOOL(forms_settings, bind_to_address, true, "a session belongs to the client's address"),
    TEXT(forms_settings, directory, "custom forms"),
    NUMBER(forms_settings, public_timeout, 600, "seconds, on public computers"),
    NUMBER(forms_settings, private_timeout, 21600, "seconds, on private computers"),
    BOOL(forms_settings, absolute_timeout, false, "the time counts from the sign-in, not from the last request"),
    BOOL(forms_settings, change_password, false, "the form offers to change the password"),
    NUMBER(forms_settings, expiry_notice, 0, "so many days before a password runs out, signing in says so; 0: never"),
    BOOL(forms_settings, client_certificate, false, "a client certificate is required besides"),
    LEVEL(forms_settings, persistent_cookies, INT32_MIN, words_cookies,
          "on which computers the session survives the browser"),
    TEXT(forms_settings, cookie, "name of the session cookie"),
};
static const struct schema form_schema = { SCHEMA("a listener's form", forms_settings, form_fields),
                                           .layout = LAYOUT_FLOW_IF_SHORT };

static const struct field listener_fields[] = {
    NAME(listener, name, "rules refer to it by this name"),
    TEXT(listener, description, "free text"),
    LIST(listener, on, listen_on_schema, "networks and addresses"),
    PORT(listener, http, 0, "HTTP port; 0 is off"),
    PORT(listener, https, 0, "HTTPS port; 0 is off"),
    LIST(listener, certificates, certificate_schema, "one, or one for each address"),
    WORD(listener, redirect, words_redirect, HTTPS_REDIRECT_NEVER, "from HTTP to HTTPS"),
    BOOL(listener, basic, false, "takes HTTP Basic"),
    BOOL(listener, digest, false, "takes HTTP Digest"),
    BOOL(listener, integrated, false, "takes NTLM and Negotiate"),
    BOOL(listener, client_certificate, false, "takes client certificates"),
    BOOL(listener, certificates_restricted, false,
         "only those that fit restrictions of the source, which are not read"),
    WORD(listener, forms, words_forms, FORMS_NONE, "shows a sign-in form, checked by this"),
    WORD(listener, validator, words_validator, VALIDATE_AD, "who checks passwords"),
    TEXT(listener, scheme, "the authentication scheme's name in the source"),
    BOOL(listener, always_authenticate, false, "everybody signs in, whatever the rule says"),
    BOOL(listener, authenticate_over_http, false, "credentials are taken over plain HTTP too"),
    TEXT(listener, domain, "of users who give none"),
    OBJECT(listener, form, form_schema, "how the sign-in form works"),
    BOOL(listener, sso, false, "single sign-on across the listener's names"),
    TEXTS(listener, sso_domains, "domains of single sign-on"),
    NUMBER(listener, max_connections, 0, "0 is unlimited"),
    NUMBER(listener, connection_timeout, SOURCE_TIMEOUT, "seconds"),
    PORT(listener, ssl_accelerator_port, 0, "port of a TLS accelerator in front; 0 is none"),
    EXPORT(listener),
};
static const struct schema listener_schema = { SCHEMA("a listener", listener, listener_fields), .spaced = true };

/* ---- farms, networks, user sets ---------------------------------------------- */
static const char *const network_kinds[] = {
    "plain", "external", "set", "all-except", "local-host", "everywhere", NULL
};

static const struct field member_fields[] = {
    { MEMBER(farm_member, host), .type = Y_TEXT, .text = TEXT_HOST, .required = true, .help = "name or address" },
    TEXT(farm_member, description, "free text"),
    BOOL(farm_member, drained, false, "takes no new clients"),
    LINE(farm_member),
};
static const struct schema member_schema = { SCHEMA("a farm's member", farm_member, member_fields),
                                             .layout = LAYOUT_FLOW };
static const struct field farm_fields[] = {
    NAME(farm, name, "rules refer to it by this name"),
    TEXT(farm, description, "free text"),
    LIST(farm, members, member_schema, "the servers"),
    WORD(farm, probe, words_probe, PROBE_HTTP, "how members are checked"),
    TEXT(farm, probe_url, "a star stands for the member's name"),
    TEXT(farm, probe_host, "Host header of the check; the URL's own if left out"),
    PORT(farm, probe_port, 0, "for tcp"),
    NUMBER(farm, probe_threshold, 5000, "milliseconds until a member counts as down"),
    EXPORT(farm),
};
static const struct schema farm_schema = { SCHEMA("a farm", farm, farm_fields), .spaced = true };

static const struct field network_fields[] = {
    NAME(network, name, "rules refer to it by this name"),
    WORD(network, kind, network_kinds, NETWORK_PLAIN, "plain has addresses, set and all-except have members"),
    RANGES(network, addresses, "none: not known"),
    TEXTS(network, members, "names of networks"),
    EXPORT(network),
};
static const struct schema network_schema = { SCHEMA("a network", network, network_fields) };

static const struct field user_set_fields[] = {
    NAME(user_set, name, "rules refer to it by this name"),
    LIST(user_set, accounts, account_schema, "who belongs to it"),
    EXPORT(user_set),
};
static const struct schema user_set_schema = { SCHEMA("a user set", user_set, user_set_fields) };

/* ---- schedules ---------------------------------------------------------------- */
static const struct field schedule_fields[] = {
    NAME(schedule, name, "rules refer to it by this name"),
    OWN("hours", own_hours, "when it is on, like `Mon-Fri 08:00-12:00, 13:00-18:00`; none: never"),
    EXPORT(schedule),
};
static const struct schema schedule_schema = { SCHEMA("a schedule", schedule, schedule_fields) };

/* ---- rules ------------------------------------------------------------------------ */
static const char *const bridgings[] = { "http", "ssl", "both", "ftp", NULL };

static const struct field sources_fields[] = {
    BOOL(sources, any, false, "clients anywhere"),
    RANGES(sources, addresses, "clients with these addresses"),
    TEXTS(sources, networks, "clients in these networks"),
    RANGES(sources, except_addresses, "but not these"),
    TEXTS(sources, except_networks, "nor these"),
    BOOL(sources, unknown, false, "the source names something that is not in the export: nobody is let in"),
};
static const struct schema sources_schema = { SCHEMA("a rule's sources", sources, sources_fields),
                                              .layout = LAYOUT_FLOW_IF_SHORT };
static const struct field compression_fields[] = {
    BOOL(compression, enabled, true, "false: nothing is compressed"),
    OBJECT(compression, types, content_types_schema, "of answers that are compressed"),
    OBJECT(compression, clients, sources_schema, "for whom; left out: by address for nobody"),
    TEXTS(compression, listeners, "all that comes in there, whatever its address"),
    TEXTS(compression, except_listeners, "nothing that comes in there"),
    OBJECT(compression, servers, sources_schema, "published servers that are asked for compressed answers"),
    EXPORT(compression),
};
static const struct schema compression_schema = { SCHEMA("compression", compression, compression_fields) };
static const struct field parameter_fields[] = {
    TEXT(parameter, set, "identifier of the vendor parameter set"),
    NAME(parameter, name, "its name"),
    TEXT(parameter, value, "as in the source"),
    LINE(parameter),
};
static const struct schema parameter_schema = { SCHEMA("a vendor parameter", parameter, parameter_fields),
                                                .layout = LAYOUT_FLOW };

static const struct field rule_fields[] = {
    NAME(rule, name, "the rule's name"),
    TEXT(rule, description, "free text"),
    BOOL(rule, enabled, true, "a rule that is not does not exist for requests"),
    WORD(rule, action, words_action, ACTION_ALLOW, "what becomes of a request"),
    TEXT(rule, redirect_url, "where deny sends it; 403 if left out"),
    TEXT(rule, listener, "name of a listener"),
    BOOL(rule, all_names, false, "answers whatever the request's host"),
    OWN("names", own_names, "public names: `mail.example`, `*.example`, `192.0.2.1`"),
    OWN("paths", own_paths, "`/owa/*`, `/page.htm`, `{external: /a/*, internal: /b/*}`; the longest is tried first"),
    OBJECT(rule, sources, sources_schema, "from where clients come; left out: from nowhere"),
    TEXT(rule, schedule, "name of a schedule; always if left out"),
    BOOL(rule, schedule_unknown, false, "the source names a schedule that is not in the export"),
    BOOL(rule, all_users, false, "nobody needs to sign in for this rule"),
    TEXTS(rule, users, "names of user sets otherwise"),
    HOST(rule, site, "the published site's internal name: Host header, certificate name"),
    HOST(rule, server, "where to connect, if not to site"),
    TEXT(rule, farm, "name of a farm to connect to instead"),
    BOOL(rule, affinity_by_address, false, "clients stay with a member by address, not by cookie"),
    WORD(rule, bridging, bridgings, BRIDGE_HTTP, "how to speak to the server; both: as the client did"),
    PORT(rule, http_port, 80, "the server's HTTP port"),
    PORT(rule, ssl_port, 443, "the server's HTTPS port"),
    PORT(rule, ftp_port, 21, "the server's FTP port"),
    BOOL(rule, forward_host, false, "the client's Host header instead of site's"),
    BOOL(rule, forward_client_address, false, "requests appear to come from the client's own address"),
    BOOL(rule, accept_encoding, false, "Accept-Encoding goes on to the server"),
    BOOL(rule, front_end_https, false, "the header Front-End-Https: On is added"),
    BOOL(rule, pass_options, true, "OPTIONS requests go on to the server"),
    WORD(rule, delegation, words_delegation, DELEGATE_NONE_BLOCK, "signing in to the server on the user's behalf"),
    TEXT(rule, spn, "service principal name for negotiate and kerberos; http/ and site, or `http/*` for a farm"),
    BOOL(rule, strip_domain, false, "user names go on without their domain"),
    BOOL(rule, pass_auth_body, false, "the body of the server's 401 goes to the client"),
    LEVEL(rule, require_ssl, INT32_MIN, words_ssl, "whether plain HTTP is refused"),
    WORD(rule, client_certificate, words_certificate, CERTIFICATE_IGNORED, "of the client"),
    THUMBPRINT(rule, backend_certificate, "thumbprint of the one shown to the server"),
    BOOL(rule, translate_links, false, "links in pages are translated"),
    NUMBER(rule, link_mode, 0, "as in the source"),
    NUMBER(rule, link_options, 0, "as in the source"),
    TEXTS(rule, code_pages, "of link translation"),
    LIST(rule, links, link_schema, "the rule's own dictionary"),
    TEXTS(rule, link_patterns, "comments that turn link translation off or on, A or A*B"),
    TEXT(rule, logoff_url, "signs the user out"),
    LEVEL(rule, application, INT32_MIN, words_application, "what is published"),
    BOOL(rule, alternate_access_mapping, false, "SharePoint knows its public names"),
    BOOL(rule, block_attachments_public, false, "on public computers"),
    BOOL(rule, block_attachments_private, false, "on private computers"),
    TEXT(rule, http_filter, "the HTTP filter's XML, as in the source"),
    LIST(rule, parameters, parameter_schema, "other vendor parameters"),
    PORT(rule, source_port_low, 0, "lowest client port; 0: any"),
    PORT(rule, source_port_high, 0, "highest client port"),
    BOOL(rule, logging, true, "requests are logged"),
    { .key = "export", .type = Y_OBJECT, .of = &rule_origin_schema, .help = export_help },
};
static const struct schema rule_schema = { SCHEMA("a rule", rule, rule_fields), .spaced = true };

/* ---- server publishing ------------------------------------------------------------------ */
static const char *const transports[] = { "tcp", "udp", "other", NULL };

static const struct field connection_fields[] = {
    WORD(connection_range, transport, transports, TRANSPORT_TCP, "what it runs over"),
    NUMBER(connection_range, number, 0, "of the IP protocol, where transport is other"),
    PORT(connection_range, low, 0, "first port"),
    PORT(connection_range, high, 0, "last port"),
    BOOL(connection_range, outbound, false, "the server begins it, so that there is nothing to publish"),
    BOOL(connection_range, one_way, false, "UDP that is never answered"),
    LINE(connection_range),
};
static const struct schema connection_schema = { SCHEMA("a protocol's connection", connection_range, connection_fields),
                                                 .layout = LAYOUT_FLOW };
static const struct field protocol_fields[] = {
    NAME(protocol, name, "server rules refer to it by this name"),
    LIST(protocol, primary, connection_schema, "what clients open"),
    LIST(protocol, secondary, connection_schema, "what is opened besides, on ports agreed on"),
    TEXTS(protocol, filters, "application filters of the source"),
    EXPORT(protocol),
};
static const struct schema protocol_schema = { SCHEMA("a protocol", protocol, protocol_fields) };

static const struct field server_rule_fields[] = {
    NAME(server_rule, name, "the rule's name"),
    TEXT(server_rule, description, "free text"),
    BOOL(server_rule, enabled, true, "a rule that is not does not exist for connections"),
    WORD(server_rule, action, words_action, ACTION_ALLOW, "what becomes of a connection"),
    TEXT(server_rule, protocol, "name of a protocol"),
    { MEMBER(server_rule, server), .type = Y_TEXT, .text = TEXT_ADDRESS, .help = "the published server's address" },
    LIST(server_rule, on, listen_on_schema, "networks and addresses to listen on"),
    PORT(server_rule, publish_port, 0, "where clients connect; 0: the protocol's own port"),
    PORT(server_rule, server_port, 0, "the server's; 0: the protocol's own port"),
    BOOL(server_rule, from_firewall, false, "the server sees the firewall's address, not the client's"),
    BOOL(server_rule, route, false, "the two networks are routed: the source listened on the server's own address"),
    OBJECT(server_rule, sources, sources_schema, "from where clients come; left out: from nowhere"),
    TEXT(server_rule, schedule, "name of a schedule; always if left out"),
    BOOL(server_rule, schedule_unknown, false, "the source names a schedule that is not in the export"),
    PORT(server_rule, source_port_low, 0, "lowest client port; 0: any"),
    PORT(server_rule, source_port_high, 0, "highest client port"),
    BOOL(server_rule, logging, true, "connections are logged"),
    EXPORT(server_rule),
};
static const struct schema server_rule_schema = { SCHEMA("a server rule", server_rule, server_rule_fields),
                                                  .spaced = true };

/* ---- the policy ---------------------------------------------------------------------- */
static const char *const subjects[] = { "none", "rule", "listener", "farm", "site", NULL };

static const struct field note_fields[] = {
    { .key = "code",
      .type = Y_OWN,
      .own = &own_code,
      .required = true,
      .help = "`TMG1002` and so on: docs/findings.md" },
    OWN("severity", own_severity, "the kind's own if left out"),
    WORD(finding, subject, subjects, SUBJECT_NONE, "what it is about"),
    TEXT(finding, name, "of the subject"),
    TEXT(finding, guid, "of the subject"),
    TEXT(finding, setting, "in the source"),
    BOOL(finding, in_site, false, "the line is one of the site map"),
    LINE(finding),
    OWN("targets", own_targets, "that it concerns; all if left out"),
    NAME(finding, message, "what it says"),
    OWN("remedy", own_remedy, "the kind's own if left out"),
    TEXT(finding, accepted, "reason of an acceptance"),
};
static const struct schema note_schema = { SCHEMA("a note", finding, note_fields) };

#define TALLY(m, h) RANGE(ledger, m, 0, 0, UINT32_MAX, h)
static const struct field ledger_fields[] = {
    TALLY(elements, "in all: the sum of the settings' and the next four"),
    OWN("settings", own_ledger_settings, "how many state each setting"),
    TALLY(structure, "hold others and say nothing themselves"),
    TALLY(unknown, "of published sites, and not read: the notes name them"),
    TALLY(other_rules, "of rules that publish nothing"),
    TALLY(elsewhere, "of objects that no published site uses"),
    TALLY(attributes, "in all"),
    TALLY(unknown_attributes, "of published sites, and not read: the notes name them"),
    TALLY(other_attributes, "unusual ones of anything else"),
};
static const struct schema ledger_schema = { SCHEMA("the ledger", ledger, ledger_fields) };

static const struct field policy_fields[] = {
    { .key = "policy", .type = Y_VERSION, .dflt = 1, .required = true, .help = "version of this format" },
    TEXT(policy, source, "name of the export"),
    TEXT(policy, product, "that wrote the export"),
    TEXT(policy, build, "of that product"),
    TEXT(policy, kind, "what was exported"),
    LIST(policy, listeners, listener_schema, ""),
    LIST(policy, farms, farm_schema, ""),
    LIST(policy, networks, network_schema, ""),
    LIST(policy, schedules, schedule_schema, ""),
    LIST(policy, user_sets, user_set_schema, ""),
    LIST(policy, rules, rule_schema, "in the order in which they are tried; the first that matches answers"),
    LIST(policy, protocols, protocol_schema, "those that server rules use"),
    LIST(policy, server_rules, server_rule_schema, "server publishing; the first that matches takes the connection"),
    LIST(policy, parameters, parameter_schema, "vendor parameters of the whole array"),
    LIST(policy, links, link_schema, "link translation's dictionary of the whole array"),
    OBJECT(policy, compression, compression_schema, "of answers, for clients that take gzip; of the whole array"),
    TEXTS(policy, certificate_names, "reserved"),
    OBJECT(policy, ledger, ledger_schema, "what became of the elements of the export"),
    { .key = "notes",
      .type = Y_LIST,
      .at = offsetof(struct policy, notes.list),
      .of = &note_schema,
      .help = "what reading the export found" },
};
const struct schema policy_schema = { SCHEMA("a policy", policy, policy_fields) };
