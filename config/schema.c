/* schema: the keys of publishd.yaml. One row a key: name, type, default, what it is for. Reading, checking and the
 * manual's tables are made from these rows; a new setting is a member in config.h and a row here. */
#include "config.h"
#include "schema.h"
#include "../ir/compression.h"
#include "../ir/policy_codecs.h"
#include <string.h>
#include <unistd.h>
#include <errno.h>

/* One row a key, whatever its length. */
/* clang-format off */
#define MEMBER(s, m)          .key = #m, .at = offsetof(struct s, m)
#define TEXT(s, m, h)         { MEMBER(s, m), .type = Y_TEXT, .help = h }
#define NAME(s, m, h)         { MEMBER(s, m), .type = Y_TEXT, .required = true, .help = h }
#define HOST(s, m, h)         { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_HOST, .help = h }
#define FILENAME(s, m, h)     { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_FILE, .help = h }
#define TEXTS(s, m, h)        { MEMBER(s, m), .type = Y_TEXTS, .help = h }
#define RANGES(s, m, h)       { MEMBER(s, m), .type = Y_ADDRESSES, .help = h }
#define BOOL(s, m, d, h)      { MEMBER(s, m), .type = Y_BOOL, .dflt = d, .help = h }
#define PORT(s, m, h)         { MEMBER(s, m), .type = Y_LONG, .min = 0, .max = 65535, .help = h }
#define NUMBER(s, m, d, h)    { MEMBER(s, m), .type = Y_LONG, .dflt = d, .min = 0, .max = INT32_MAX, .help = h }
#define LEVEL(s, m, w, h)     { MEMBER(s, m), .type = Y_LONG, .min = 0, .max = INT32_MAX, .words = w, .help = h }
#define WORD(s, m, w, d, h)   { MEMBER(s, m), .type = Y_WORD, .words = w, .dflt = d, .help = h }
#define LIST(s, m, o, h)      { MEMBER(s, m), .type = Y_LIST, .of = &(o), .help = h }
#define OBJECT(s, m, o, h)    { MEMBER(s, m), .type = Y_OBJECT, .of = &(o), .help = h }
#define NEEDED_PORT(s, m, h)  { MEMBER(s, m), .type = Y_LONG, .min = 1, .max = 65535, .required = true, .help = h }
#define SCHEMA(n, s, f)       .name = n, .size = sizeof(struct s), .fields = FIELDS(f)
/* clang-format on */

_Static_assert(sizeof(enum closed) == sizeof(int), "Y_WORD takes an enum for an int");

/* ---- checks that a row cannot express ------------------------------------------ */

static const struct node *place(const struct node *map, const char *key)
{
    const struct node *at = node_value(map, key);
    return at ? at : map;
}

/* A certificate, key or trust file that is not there must stop the start, not the first client. */
static void check_file(struct yaml_reader *r, const struct node *map, const char *key, const char *file)
{
    if (file && access(file, R_OK) != 0)
        yaml_error(r, place(map, key), "%s: %.500s: %s", key, file, strerror(errno));
}

static void check_socket(struct yaml_reader *r, const struct node *node, void *object)
{
    struct conf_socket *s = object;
    uint32_t ip;
    if (s->client_from != CLIENT_OF_CONNECTION && !s->proxies.n)
        ipset_add(r->arena, &s->proxies, 0x7f000000, 0x7fffffff);
    if (s->chain && s->https_in_front)
        yaml_error(r, node, "https_in_front: the socket has a certificate of its own");
    if (strcmp(s->address, "*") && !ip_parse(s->address, &ip))
        yaml_error(r, place(node, "address"), "address: found \"%.200s\", allowed is an IPv4 address or \"*\"",
                   s->address);
    if (!s->chain != !s->key)
        yaml_error(r, node, "a socket has both a chain and a key, or neither");
    check_file(r, node, "chain", s->chain);
    check_file(r, node, "key", s->key);
}

static void check_listener(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct conf_listener *l = object;
    if (l->client_crl && !l->client_trust)
        yaml_error(r, place(node, "client_crl"), "client_crl: without client_trust no certificate is taken anyway");
    if (l->authentication.form.client_certificate && !l->client_trust)
        yaml_error(r, place(node, "authentication"), "form: client_certificate: client_trust is missing, the issuers of those that are good");
    check_file(r, node, "client_trust", l->client_trust);
    check_file(r, node, "client_crl", l->client_crl);
}

static void check_authentication(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct conf_authentication *a = object;
    const struct node *item = node_value(node, "offer");
    for (item = item ? item->first : NULL; item; item = item->next)
        if (!str_equal(item->text, "negotiate") && !str_equal(item->text, "ntlm"))
            yaml_error(r, item, "offer: found \"%.200s\", allowed is negotiate or ntlm", item->text);
    if (a->integrated && !a->offer.n)
        yaml_error(r, node, "integrated: what to offer is missing; allowed is offer: [negotiate, ntlm] or [ntlm]");
}

const char *conf_internal(struct arena *a, enum path_kind kind, const char *internal)
{
    static const char *const tails[] = { [PATH_PREFIX] = "/*", [PATH_EXACT] = "", [PATH_STEM] = "*" };
    enum path_kind inside;
    const char *literal;
    bool odd;
    size_t n = strlen(internal), tail = strlen(tails[kind]);
    bool all = kind == PATH_STEM && n == tail; /* "*": nothing stands before the rest */
    if (n < tail || strcmp(internal + n - tail, tails[kind]) != 0 || strchr(internal, '\\'))
        return NULL;
    if (!all &&
        (!normalise_path(a, internal, &inside, &literal, &odd) || (inside == PATH_EXACT) != (kind == PATH_EXACT)))
        return NULL;
    return arena_strndup(a, internal, n - tail);
}

static void check_path(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct conf_path *p = object;
    enum path_kind kind;
    const char *literal;
    bool odd;
    if (!normalise_path(r->arena, p->external, &kind, &literal, &odd))
        yaml_error(r, place(node, "external"), "external: \"%.200s\" is not a path like /a/* or /a.htm", p->external);
    else if (p->internal && !conf_internal(r->arena, kind, p->internal))
        yaml_error(r, place(node, "internal"),
                   "internal: \"%.200s\" is not a path of the same kind as the external one", p->internal);
}

static void check_upstream(struct yaml_reader *r, const struct node *node, void *object)
{
    if (!((const struct conf_upstream *)object)->servers.n)
        yaml_error(r, node, "an upstream needs a server");
}

static void check_body_text(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct filter_body_text *t = object;
    const char *bytes = t->hex ? t->hex : t->text;
    bool digits = t->hex && strlen(t->hex) % 2 == 0 && strspn(t->hex, "0123456789abcdefABCDEF") == strlen(t->hex);
    if (!bytes || !*bytes || (t->text && t->hex))
        yaml_error(r, node, "a text in a body needs either text or hex");
    else if (strlen(bytes) > 256 || (t->hex && !digits))
        yaml_error(r, node, "at most 256 characters, and pairs of digits in hex");
    else if (t->from < 1 || t->to < t->from)
        yaml_error(r, node, "from and to are no range of bytes");
}

static bool forwards(const struct conf_rule *rule)
{
    return rule->action == ACTION_ALLOW && rule->closed != CLOSED_ALWAYS;
}

static void check_rule(struct yaml_reader *r, const struct node *node, void *object)
{
    struct conf_rule *rule = object;
    const struct node *names = node_value(node, "names");
    struct public_name name;
    bool one = rule->upstream.servers.n, two = rule->upstream_http.servers.n && rule->upstream_https.servers.n;
    bool part = rule->upstream_http.servers.n || rule->upstream_https.servers.n;
    rule->anybody = !node_value(node, "users");
    for (const struct node *item = names ? names->first : NULL; item; item = item->next)
        if (!normalise_public_name(r->arena, item->text, &name))
            yaml_error(r, item, "names: \"%.200s\" is not a host name, a wildcard like *.example or an address",
                       item->text);
    if (rule->all_names == (rule->names.n > 0))
        yaml_error(r, node, "a rule has either names or all_names: true");
    if (!rule->paths.n)
        yaml_error(r, node, "a rule needs a path");
    if (part && (one || !two))
        yaml_error(r, node, "a rule has either upstream, or both upstream_http and upstream_https");
    if (forwards(rule) && (!rule->site || (!one && !part)))
        yaml_error(r, node, "a rule that forwards needs a site and an upstream");
    if (rule->redirect_url && rule->action != ACTION_DENY)
        yaml_error(r, place(node, "redirect_url"), "redirect_url: is for action: deny only");
    if (!rule->backend_chain != !rule->backend_key)
        yaml_error(r, node, "a rule has both a backend_chain and a backend_key, or neither");
    check_file(r, node, "backend_chain", rule->backend_chain);
    check_file(r, node, "backend_key", rule->backend_key);
}

/* clang-format off */

/* ---- listeners --------------------------------------------------------------------- */
static const char *const redirects[] = { "never", "authenticated", "always", NULL };
static const char *const form_providers[] = { "none", "ad", "ldap", "radius", "radius-otp", "securid", NULL };
static const char *const validators[] = { "ad", "ldap", "radius", "securid", NULL };
static const char *const cookie_levels[] = { "never", "private", "always", NULL };

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
    NUMBER(forms_settings, public_timeout, 600, "seconds, on public computers"),
    NUMBER(forms_settings, private_timeout, 21600, "seconds, on private computers"),
    BOOL(forms_settings, absolute_timeout, false, "the time counts from the sign-in, not from the last request"),
    BOOL(forms_settings, change_password, false, "the form offers to change the password"),
    NUMBER(forms_settings, expiry_notice, 0, "so many days before a password runs out, signing in says so; 0: never"),
    BOOL(forms_settings, client_certificate, false, "a client certificate is required besides"),
    LEVEL(forms_settings, persistent_cookies, cookie_levels, "on which computers the session survives the browser"),
    TEXT(forms_settings, cookie, "name of the session cookie"),
};
static const struct schema form_schema = { SCHEMA("a sign-in form", forms_settings, form_fields) };

static const struct field authentication_fields[] = {
    BOOL(conf_authentication, basic, false, "takes HTTP Basic"),
    BOOL(conf_authentication, digest, false, "takes HTTP Digest"),
    BOOL(conf_authentication, integrated, false, "takes NTLM and Negotiate"),
    TEXTS(conf_authentication, offer, "for integrated: `negotiate`, `ntlm`; challenged in this order"),
    BOOL(conf_authentication, client_certificate, false, "takes client certificates"),
    WORD(conf_authentication, forms, form_providers, FORMS_NONE, "shows a sign-in form, checked by this"),
    WORD(conf_authentication, validator, validators, VALIDATE_AD, "who checks passwords"),
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
    WORD(conf_listener, redirect, redirects, HTTPS_REDIRECT_NEVER, "from HTTP to HTTPS: only where a user is needed, or always"),
    OBJECT(conf_listener, authentication, authentication_schema, "left out: none"),
    FILENAME(conf_listener, client_trust, "issuers of client certificates, PEM: every client is asked for one over TLS, and what needs one takes those that they signed"),
    FILENAME(conf_listener, client_crl, "revocation lists, PEM: one for each issuer in a certificate's chain; none: revoked ones pass"),
    BOOL(conf_listener, http2, true, "HTTP/2 is offered over TLS, unless NTLM or Negotiate may be spoken over a connection"),
    NUMBER(conf_listener, max_connections, 0, "further clients wait until one ends; 0: unlimited"),
    NUMBER(conf_listener, connection_timeout, SOURCE_TIMEOUT, "seconds a connection may be idle"),
    PORT(conf_listener, http_port, "its port for HTTP as clients know it, for links; left out: that of the first such socket"),
    PORT(conf_listener, https_port, "the same for HTTPS, where redirects lead too"),
    PORT(conf_listener, ssl_accelerator_port, "port of a TLS accelerator in front; 0 is none"),
};
static const struct schema listener_schema = { SCHEMA("a listener", conf_listener, listener_fields), .check = check_listener };

/* ---- what rules refer to ------------------------------------------------------------- */
static const char *const probes[] = { "http", "ping", "tcp", NULL };

static const struct field farm_fields[] = {
    NAME(conf_farm, name, "rules refer to it by this name"),
    WORD(conf_farm, probe, probes, PROBE_HTTP, "how members are checked, every 30 seconds"),
    TEXT(conf_farm, probe_url, "for http; a star stands for the member's name"),
    TEXT(conf_farm, probe_host, "Host header of the check; the URL's own if left out"),
    PORT(conf_farm, probe_port, "for tcp"),
    NUMBER(conf_farm, probe_threshold, 5000, "milliseconds until a member counts as down"),
};
static const struct schema farm_schema = { SCHEMA("a farm", conf_farm, farm_fields) };

static const struct field account_fields[] = {
    TEXT(account, name, "DOMAIN\\\\name"),
    TEXT(account, sid, "as in the source"),
    BOOL(account, group, false, "a group, not a user"),
};
static const struct schema account_schema = { SCHEMA("an account", account, account_fields) };
static const struct field user_set_fields[] = {
    NAME(conf_user_set, name, "rules refer to it by this name"),
    TEXTS(conf_user_set, groups, "DOMAIN\\\\group, from the site map"),
    TEXTS(conf_user_set, users, "DOMAIN\\\\user, from the site map"),
    LIST(conf_user_set, accounts, account_schema, "who belongs to it in the source"),
};
static const struct schema user_set_schema = { SCHEMA("a user set", conf_user_set, user_set_fields) };

static const struct field schedule_fields[] = {
    NAME(schedule, name, "rules refer to it by this name"),
    { .key = "hours", .type = Y_OWN, .own = &own_hours, .help = "when it is on, like `Mon-Fri 08:00-12:00, 13:00-18:00`; none: never" },
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
static const char *const actions[] = { "allow", "deny", NULL };
static const char *const ssl_levels[] = { "optional", "required", "required-128", NULL };
static const char *const claims[] = { "ignored", "required", "requested", NULL };
static const char *const delegations[] = { "pass", "block", "securid", "basic", "ntlm", "negotiate", "kerberos", NULL };
static const char *const applications[] = { "general", "exchange", "sharepoint", NULL };

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
#define LIMIT(m, h) { MEMBER(conf_filter, m), .type = Y_LONG, .dflt = -1, .min = -1, .max = INT64_MAX, .help = h }

static const struct field filter_text_fields[] = { NAME(filter_text, header, "name of the header"), NAME(filter_text, text, "without case") };
static const struct schema filter_text_schema = { SCHEMA("a text in a header", filter_text, filter_text_fields) };

static const char *const filter_bodies[] = { "request", "answer", NULL };
static const struct field body_text_fields[] = {
    WORD(filter_body_text, in, filter_bodies, BODY_OF_REQUEST, "whose body"),
    TEXT(filter_body_text, text, "without case"),
    TEXT(filter_body_text, hex, "or these bytes, as hex digits"),
    NUMBER(filter_body_text, from, 1, "the first byte that is looked at; the body begins with 1"),
    NUMBER(filter_body_text, to, 100, "the last one"),
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
    { MEMBER(conf_filter, via_value), .type = Y_TEXT, .text = TEXT_HEADER, .help = "its new value" },
    WORD(conf_filter, server, filter_actions, HEADER_KEPT, "what becomes of Server in answers"),
    { MEMBER(conf_filter, server_value), .type = Y_TEXT, .text = TEXT_HEADER, .help = "its new value" },
};
static const struct schema filter_schema = { SCHEMA("an HTTP filter", conf_filter, filter_fields) };

static const struct field link_fields[] = { NAME(link_mapping, from, "text in a page"), NAME(link_mapping, to, "what replaces it") };
static const struct schema link_schema = { SCHEMA("a link translation", link_mapping, link_fields) };

static const struct field rule_fields[] = {
    NAME(conf_rule, name, "the rule's name"),
    NUMBER(conf_rule, number, 0, "its place among the source's rules"),
    TEXT(conf_rule, guid, "its identifier in the source"),
    TEXT(conf_rule, description, "free text"),
    NAME(conf_rule, listener, "name of a listener"),
    BOOL(conf_rule, all_names, false, "answers whatever the request's host"),
    TEXTS(conf_rule, names, "public names: `mail.example`, `*.example`, `192.0.2.1`"),
    LIST(conf_rule, paths, path_schema, "in the order in which they are tried"),
    RANGES(conf_rule, sources, "clients with these addresses; from anywhere if left out"),
    PORT(conf_rule, source_port_low, "lowest client port; 0: any"),
    PORT(conf_rule, source_port_high, "highest client port"),
    TEXT(conf_rule, schedule, "name of a schedule; always if left out"),
    TEXTS(conf_rule, users, "names of user sets; everybody, unasked, if left out"),
    WORD(conf_rule, closed, closings, CLOSED_NEVER, "answers 403, over HTTP or always: something that restricts could not be translated"),
    WORD(conf_rule, action, actions, ACTION_ALLOW, "what becomes of a request"),
    TEXT(conf_rule, redirect_url, "where deny sends it; 403 if left out"),
    LEVEL(conf_rule, require_ssl, ssl_levels, "whether plain HTTP gets 403"),
    WORD(conf_rule, client_certificate, claims, CERTIFICATE_IGNORED, "of the client"),
    HOST(conf_rule, site, "the published site's internal name: Host header, certificate name, SNI"),
    BOOL(conf_rule, forward_host, false, "the client's Host header instead of site's"),
    HOST(conf_rule, server, "the server's other name, for redirects that name it"),
    TEXT(conf_rule, farm, "name of a farm, whose members the servers are"),
    BOOL(conf_rule, affinity_by_address, false, "clients stay with a member by address, not by cookie"),
    OBJECT(conf_rule, upstream, upstream_schema, "where requests go"),
    OBJECT(conf_rule, upstream_http, upstream_schema, "the same for those that came in over HTTP, where they differ"),
    OBJECT(conf_rule, upstream_https, upstream_schema, "and over HTTPS"),
    PORT(conf_rule, http_port, "the server's port for HTTP in the source, where no upstream has it: redirects may name it; 80 if left out"),
    PORT(conf_rule, ssl_port, "the same for HTTPS; 443 if left out"),
    { MEMBER(conf_rule, backend_certificate), .type = Y_TEXT, .text = TEXT_THUMBPRINT, .help = "thumbprint of the certificate that was shown to the server" },
    FILENAME(conf_rule, backend_chain, "that certificate and its issuers, PEM: shown to a server that asks for one over TLS"),
    FILENAME(conf_rule, backend_key, "its private key, PEM"),
    WORD(conf_rule, delegation, delegations, DELEGATE_NONE_BLOCK, "signing in to the server on the user's behalf"),
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
    { MEMBER(conf_rule, via), .type = Y_TEXT, .text = TEXT_HEADER, .help = "value of the Via header to add" },
    BOOL(conf_rule, websocket, false, "WebSocket passes"),
    BOOL(conf_rule, pass_options, true, "OPTIONS requests go on to the server"),
    NUMBER(conf_rule, read_timeout, SOURCE_TIMEOUT, "seconds to wait for the server"),
    BOOL(conf_rule, translate_links, false, "links in pages are translated"),
    NUMBER(conf_rule, link_mode, 0, "as in the source"),
    NUMBER(conf_rule, link_options, 0, "as in the source"),
    TEXTS(conf_rule, code_pages, "of link translation"),
    LIST(conf_rule, links, link_schema, "the rule's own dictionary"),
    TEXTS(conf_rule, link_patterns, "comments that turn link translation off or on, A or A*B"),
    LEVEL(conf_rule, application, applications, "what is published"),
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

static const struct field content_types_fields[] = {
    TEXTS(content_types, list, "as `text/html`, `text/*`, and `.htm` for answers without a Content-Type"),
    BOOL(content_types, except, false, "all types but these"),
    BOOL(content_types, untyped, false, "answers with neither a type nor an extension too"),
};
static const struct schema content_types_schema = { SCHEMA("content types", content_types, content_types_fields),
                                                    .check = content_types_check };

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
