/* site: reads the site map, by the same kind of tables as the policy, and answers what it says about an object. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "index.h"
#include "schema_rows.h"
#include "site.h"

#define MAX_BYTES ((size_t)256 << 20)

struct site_index {
    struct name_index listeners, certificates, backends, networks, users, rules, server_rules;
};

/* ---- values of its own ------------------------------------------------------- */
/* "2001:db8::1" in brackets -> the same with the brackets, which is how targets write it too; NULL: no IPv6 address. */
static const char *ipv6_host(struct arena *a, const char *text, size_t n)
{
    struct in6_addr ip;
    char shown[INET6_ADDRSTRLEN];
    if (n < 4 || text[0] != '[' || text[n - 1] != ']' ||
        inet_pton(AF_INET6, arena_strndup(a, text + 1, n - 2), &ip) != 1 ||
        !inet_ntop(AF_INET6, &ip, shown, sizeof shown))
        return NULL;
    return arena_printf(a, "[%s]", shown);
}

/* "host", "host:port", "[::1]:port". *port is 0 if there is none. */
static bool host_port(struct arena *a, const char *text, bool ipv6, const char **host, long *port)
{
    const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
    *port = 0;
    if (colon && bracket && colon < bracket)
        colon = NULL;
    if (colon && (!schema_number(colon + 1, port) || *port < 1 || *port > 65535))
        return false;
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (text[0] == '[') {
        *host = ipv6 ? ipv6_host(a, text, n) : NULL;
        return *host != NULL;
    }
    if (memchr(text, ':', n) || memchr(text, '/', n))
        return false;
    *host = normalise_host(a, arena_strndup(a, text, n));
    return *host != NULL;
}

static void read_backend(struct yaml_reader *r, const struct node *node, void *object)
{
    struct site_backend *b = object;
    const char *s = schema_text(r, node, TEXT_FREE);
    if (s && !host_port(r->arena, s, true, &b->host, &b->port))
        yaml_error(
            r, node,
            "found \"%.200s\" where a server to connect to belongs, like 10.0.0.5, host.example:8443 or \"[2001:db8::5]:8443\"",
            s);
}

/* The key in the spelling that names of the export have. */
static void check_backend(struct yaml_reader *r, const struct node *node, void *object)
{
    struct site_backend *b = object;
    const char *host;
    long port;
    if (!host_port(r->arena, b->key, false, &host, &port))
        yaml_error(r, node, "found \"%.200s\" where a server's name in the export belongs, with or without a port",
                   b->key);
    else
        b->key = port ? arena_printf(r->arena, "%s:%ld", host, port) : host;
}

/* A rule or listener: its name, or its GUID in braces. */
static void check_key(struct yaml_reader *r, const struct node *node, void *object)
{
    (void)node;
    const char **key = object;
    if (**key == '{')
        *key = arena_printf(r->arena, "{%s}", normalise_guid(r->arena, *key));
}
_Static_assert(offsetof(struct site_listener, key) == 0 && offsetof(struct site_rule, key) == 0 &&
                   offsetof(struct site_server_rule, key) == 0,
               "check_key takes the key in front");

static void read_trust(struct yaml_reader *r, const struct node *node, void *object)
{
    struct site *s = object;
    s->trust = schema_text(r, node, TEXT_FILE);
    s->trust_line = node->line;
}

/* TMG2031, or 2031. */
static void read_code(struct yaml_reader *r, const struct node *node, void *object)
{
    struct site_accept *a = object;
    const char *s = schema_text(r, node, TEXT_FREE);
    long code;
    if (!s)
        return;
    if (schema_number(ascii_ncasecmp(s, "TMG", 3) == 0 ? s + 3 : s, &code)) {
        for (size_t i = 0; i < FINDINGS; i++)
            if (finding_kinds[i].code == (unsigned long)code)
                a->code = finding_kinds[i].code;
    }
    if (!a->code)
        yaml_error(r, node, "\"%.200s\" is no finding; their codes are like TMG2031", s);
}

static void check_accept(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct site_accept *a = object;
    if (a->reason[strspn(a->reason, " \t\r\n")] == '\0')
        yaml_error(r, node, "the reason of an acceptance is empty");
}

static const struct own backend_value = { "host or host:port", false, read_backend, NULL, NULL };
static const struct own trust_value = { "file name", false, read_trust, NULL, NULL };
static const struct own code_value = { "code", false, read_code, NULL, NULL };

/* ---- the tables ------------------------------------------------------------------ */
/* One row a key, whatever its length. */
/* clang-format off */
#define KEY(s, h) TEXT(s, key, h)
#define PEM(s, m, h) { MEMBER(s, m), .type = Y_TEXT, .text = TEXT_FILE, .required = true, .help = h }
#define MAP(s, m, h) { MEMBER(site, m), .type = Y_MAP, .of = &(s), .help = h }
#define LINE_AT(s) static const size_t line_of_##s = offsetof(struct s, line)
#define OF(n, s, f) SCHEMA(n, s, f), .line_at = &line_of_##s

static const struct field listener_fields[] = {
    KEY(site_listener, ""),
    ADDRESSES(site_listener, addresses, "instead of those in the export"),
    PORT(site_listener, http, -1, "instead of the port in the export; 0 switches it off"),
    PORT(site_listener, https, -1, "the same for HTTPS"),
    THUMBPRINT(site_listener, certificate, "thumbprint of one of `certificates`, where the export names none"),
};
LINE_AT(site_listener);
static const struct schema listener_schema = { OF("a listener", site_listener, listener_fields), .check = check_key };

static const struct field certificate_fields[] = {
    THUMBPRINT(site_certificate, thumbprint, NULL),
    PEM(site_certificate, chain, "PEM: the certificate, then its issuers"),
    PEM(site_certificate, key, "PEM: its private key"),
};
LINE_AT(site_certificate);
static const struct schema certificate_schema = { OF("a certificate", site_certificate, certificate_fields) };

static const struct field backend_fields[] = { KEY(site_backend, "") };
static const struct field backend_server = { .type = Y_OWN, .own = &backend_value, .help = "where to connect instead; without a port the port stays" };
LINE_AT(site_backend);
static const struct schema backend_schema = { OF("a backend", site_backend, backend_fields), .value = &backend_server, .check = check_backend };

static const struct field network_fields[] = { KEY(site_network, "") };
static const struct field network_addresses = { .key = "networks", .type = Y_ADDRESSES, .at = offsetof(struct site_network, addresses), .help = "`10.0.0.0/8`, `10.0.0.1-10.0.0.9` or `10.0.0.1`" };
LINE_AT(site_network);
static const struct schema network_schema = { OF("a network", site_network, network_fields), .value = &network_addresses };

static const struct field users_fields[] = {
    KEY(site_users, ""),
    TEXTS(site_users, groups, "groups that belong to the set"),
    TEXTS(site_users, users, "users that belong to it"),
};
LINE_AT(site_users);
static const struct schema users_schema = { OF("a user set", site_users, users_fields) };

static const char *const compressions[] = { "source", "never", "always", NULL };
static const struct field rule_fields[] = {
    KEY(site_rule, ""),
    BOOL(site_rule, websocket, false, "passes WebSocket, which the source did not"),
    BOOL(site_rule, x_forwarded_for, false, "sends X-Forwarded-For with the client's address alone"),
    FIELD_VALUE(site_rule, via, "value of a Via header to add"),
    BOOL(site_rule, transparent, false, "connects to the server from the client's own address, where the source did"),
    WORD(site_rule, compression, compressions, COMPRESS_AS_SOURCE, "whether its answers are compressed for clients that take gzip; source: as said for all rules"),
};
LINE_AT(site_rule);
static const struct schema rule_schema = { OF("a rule", site_rule, rule_fields), .check = check_key };

static const char *const client_addresses[] = { "lost", "transparent", "proxy-protocol", NULL };
static const struct field server_rule_fields[] = {
    KEY(site_server_rule, ""),
    ADDRESSES(site_server_rule, addresses, "to listen on, instead of those in the export"),
    PORT(site_server_rule, port, 0, "where clients connect, instead of the port in the export; for protocols with one port"),
    WORD(site_server_rule, client_address, client_addresses, CLIENT_ADDRESS_LOST, "how the server learns the client's address: it is lost, or the proxy connects from it (transparent), or tells it first (proxy-protocol, TCP only)"),
};
LINE_AT(site_server_rule);
static const struct schema server_rule_schema = { OF("a server rule", site_server_rule, server_rule_fields), .check = check_key };

static const struct field accept_fields[] = {
    { .key = "code", .type = Y_OWN, .own = &code_value, .required = true, .help = "of the finding: `TMG2031`" },
    TEXT(site_accept, rule, "its name; every rule if left out"),
    TEXT(site_accept, listener, "its name; every listener if left out"),
    { MEMBER(site_accept, target), .type = Y_TEXT, .text = TEXT_TARGET,
      .help = "nginx, haproxy or publishd; every one if left out" },
    NAME(site_accept, reason, "why this is well"),
    { MEMBER(site_accept, until), .type = Y_TEXT, .text = TEXT_DATE, .help = "last day on which it counts" },
};
LINE_AT(site_accept);
static const struct schema accept_schema = { OF("an acceptance", site_accept, accept_fields), .check = check_accept };

static const char *const preauths[] = { "none", "publishd", NULL };
static const struct field site_fields[] = {
    { .key = "site", .type = Y_VERSION, .dflt = 1, .help = "version of this format" },
    MAP(listener_schema, listeners, "by name, or by GUID in braces"),
    MAP(certificate_schema, certificates, "by SHA-1 thumbprint, as the source shows it"),
    MAP(backend_schema, backends, "by name, or name:port, in the export"),
    OWN("trust", trust_value, "PEM: issuers of the published servers' certificates"),
    FILENAME(site, client_trust, "PEM: issuers of client certificates"),
    FILENAME(site, client_crl, "PEM: revocation lists of those issuers, one for each in a certificate's chain; without it revoked certificates pass"),
    BOOL(site, flood, false, "limits requests and connections of a client address as the source did by default"),
    WORD(site, compression, compressions, COMPRESS_AS_SOURCE, "whether answers are compressed for clients that take gzip: as in the source, or not, or all texts"),
    WORD(site, preauth, preauths, PREAUTH_NONE, "who signs in the users of rules on nginx and HAProxy: nobody, and such rules are closed there, or publishd on loopback behind them"),
    RANGE(site, preauth_port, 17400, 1, 65535, "the first port for that; four for each listener"),
    MAP(network_schema, networks, "addresses of a network or network set, by its name"),
    MAP(users_schema, users, "user sets, by name"),
    MAP(rule_schema, rules, "by name, or by GUID in braces"),
    MAP(server_rule_schema, server_rules, "server publishing rules, by name, or by GUID in braces"),
    LIST(site, accept, accept_schema, "findings that were read and accepted"),
    { .key = "publishd",
      .at = offsetof(struct site, service),
      .type = Y_OBJECT,
      .of = &service_schema,
      .help = "for the target publishd: goes into its configuration as it is" },
};
const struct schema site_schema = { SCHEMA("the site map", site, site_fields) };
/* clang-format on */

/* ---- reading ----------------------------------------------------------------------- */

#define INDEX(s, list, type, member)                                                                                   \
    index_build((s)->arena, &(s)->index->list, (s)->list.v, (s)->list.n, sizeof(struct type),                          \
                offsetof(struct type, member))

static void finish(struct site *s)
{
    s->index = arena_alloc(s->arena, sizeof *s->index);
    INDEX(s, listeners, site_listener, key);
    INDEX(s, certificates, site_certificate, thumbprint);
    INDEX(s, backends, site_backend, key);
    INDEX(s, networks, site_network, key);
    INDEX(s, users, site_users, key);
    INDEX(s, rules, site_rule, key);
    INDEX(s, server_rules, site_server_rule, key);
}

static struct site *site_new(const char *file)
{
    struct arena *a = arena_new();
    struct site *s = arena_alloc(a, sizeof *s);
    s->arena = a;
    s->file = file ? arena_strdup(a, file) : NULL;
    schema_defaults(&site_schema, s);
    return s;
}

struct site *site_parse(const char *file, const char *text, size_t n, struct strbuf *err)
{
    struct site *s = site_new(file);
    struct arena *tree = arena_new();
    struct yaml_reader r = { .file = file, .arena = s->arena, .err = err };
    const struct node *root = yaml_parse(&r, tree, text, n);
    if (root)
        schema_read(&r, &site_schema, root, s);
    arena_free(tree);
    if (r.errors) {
        site_free(s);
        return NULL;
    }
    /* Names are relative to the site map's own folder. Nothing is looked up on disk. */
    const char *folder = file ? arena_strndup(s->arena, file, (size_t)(path_basename(file) - file)) : "";
    schema_absolute(s->arena, &site_schema, s, folder);
    if (s->trust)
        s->trust = path_absolute(s->arena, path_join(s->arena, *folder ? folder : ".", s->trust));
    finish(s);
    return s;
}

struct site *site_read(const char *file, struct strbuf *err)
{
    if (!file) {
        struct site *s = site_new(NULL);
        finish(s);
        return s;
    }
    struct strbuf text = { 0 };
    struct site *s = NULL;
    if (strcmp(file, "-") == 0)
        buf_puts(err, "the site map must be a file: names in it are relative to its folder\n");
    else if (file_read(file, MAX_BYTES, &text, err) == 0)
        s = site_parse(file, text.p, text.n, err);
    buf_free(&text);
    return s;
}

void site_free(struct site *s)
{
    if (s)
        arena_free(s->arena);
}

/* ---- look-ups -------------------------------------------------------------------------- */
#define LOOK_UP(type, list)                                                                                            \
    static struct type *find_##list(struct site *s, const char *name)                                                  \
    {                                                                                                                  \
        size_t at = index_find(&s->index->list, name);                                                                 \
        if (at >= s->list.n)                                                                                           \
            return NULL;                                                                                               \
        s->list.v[at].used = true;                                                                                     \
        return &s->list.v[at];                                                                                         \
    }
LOOK_UP(site_listener, listeners)
LOOK_UP(site_certificate, certificates)
LOOK_UP(site_backend, backends)
LOOK_UP(site_network, networks)
LOOK_UP(site_users, users)
LOOK_UP(site_rule, rules)
LOOK_UP(site_server_rule, server_rules)

/* "{guid}" in the spelling of check_key, in memory of the caller; NULL for none. */
static char *guid_key(struct arena *a, const char *guid)
{
    return guid ? arena_printf(a, "{%s}", normalise_guid(a, guid)) : NULL;
}

struct site_listener *site_listener(struct site *s, const struct listener *l)
{
    struct site_listener *found = find_listeners(s, l->name);
    return found || !s->listeners.n ? found : find_listeners(s, guid_key(s->arena, l->at.guid));
}

struct site_rule *site_rule(struct site *s, const struct rule *r)
{
    struct site_rule *found = find_rules(s, r->name);
    return found || !s->rules.n ? found : find_rules(s, guid_key(s->arena, r->at.guid));
}

struct site_server_rule *site_server_rule(struct site *s, const struct server_rule *r)
{
    struct site_server_rule *found = find_server_rules(s, r->name);
    return found || !s->server_rules.n ? found : find_server_rules(s, guid_key(s->arena, r->at.guid));
}

struct site_certificate *site_certificate(struct site *s, const char *thumbprint)
{
    return find_certificates(s, thumbprint);
}

struct site_backend *site_backend(struct site *s, const char *host, long port)
{
    if (!host || !s->backends.n)
        return NULL;
    struct strbuf key = { 0 };
    buf_printf(&key, "%s:%ld", host, port);
    struct site_backend *found = find_backends(s, key.p);
    buf_free(&key);
    return found ? found : find_backends(s, host);
}

struct site_network *site_network(struct site *s, const char *name)
{
    return find_networks(s, name);
}
struct site_users *site_users(struct site *s, const char *name)
{
    return find_users(s, name);
}
