#include "service.h"
#include "schema_rows.h"
#include "../base/ipset.h"
#include <string.h>

static void check_service(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct service *s = object;
    const char *colon = s->status ? strrchr(s->status, ':') : NULL;
    char host[16] = "";
    long port;
    uint32_t ip;
    if (colon && (size_t)(colon - s->status) < sizeof host)
        memcpy(host, s->status, (size_t)(colon - s->status));
    if (s->status && (!colon || !ip_parse(host, &ip) || !schema_number(colon + 1, &port) || port < 1 || port > 65535))
        yaml_error(r, node_value(node, "status"),
                   "status: found \"%.200s\", allowed is an IPv4 address and port like 127.0.0.1:9180", s->status);
}

static void check_certificate(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct sign_in_certificate *c = object;
    if (!c->thumbprint == !c->email)
        yaml_error(r, node, "a client certificate's account is found by its thumbprint or its email");
}

/* What is of no use without another key is a mistake that would show only when somebody signs in. */
static void check_sign_in(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct sign_in *s = object;
    if (!s->kerberos.keytab != !s->kerberos.principal)
        yaml_error(r, node_value(node, "kerberos"), "kerberos: keytab and principal are given together");
    if (s->kerberos.principal && !strchr(s->kerberos.principal, '@'))
        yaml_error(r, node_value(node, "kerberos"),
                   "principal: found \"%.200s\", allowed is a name with its realm, like HTTP/edge.example@EXAMPLE",
                   s->kerberos.principal);
    if (s->ad == AD_BY_KERBEROS && !s->kerberos.keytab)
        yaml_error(r, node_value(node, "ad"), "ad: kerberos needs a keytab, or anybody could play the KDC");
    if (s->ad == AD_BY_LDAP && !s->ldap.servers.n)
        yaml_error(r, node_value(node, "ad"), "ad: ldap needs ldap: servers");
    if (!s->ldap.user != !s->ldap.secret)
        yaml_error(r, node_value(node, "ldap"), "ldap: user and secret are given together");
    if (s->ldap.servers.n && !s->ldap.base)
        yaml_error(r, node_value(node, "ldap"), "ldap: base is missing, like DC=corp,DC=example");
    for (size_t i = 0; i < s->ldap.servers.n; i++)
        if (ascii_ncasecmp(s->ldap.servers.v[i], "ldaps://", 8) && ascii_ncasecmp(s->ldap.servers.v[i], "ldap://", 7))
            yaml_error(r, node_value(node, "ldap"), "servers: found \"%.200s\", allowed is ldaps://NAME or ldap://NAME",
                       s->ldap.servers.v[i]);
    if (s->radius.servers.n && !s->radius.secret)
        yaml_error(r, node_value(node, "radius"), "radius: secret is missing, the file with the shared secret");
}

/* One row a key. */
/* clang-format off */
static const char *const ad_checks[] = { "file", "kerberos", "ldap", "winbind", NULL };
static const struct field domain_fields[] = {
    NAME(sign_in_domain, netbios, "as in DOMAIN\\\\user"),
    NAME(sign_in_domain, realm, "the Kerberos realm, in capitals"),
};
static const struct schema domain_schema = { SCHEMA("a domain", sign_in_domain, domain_fields), .layout = LAYOUT_FLOW };
static const struct field certificate_fields[] = {
    THUMBPRINT(sign_in_certificate, thumbprint, "SHA-1 of the certificate, as Windows shows it"),
    TEXT(sign_in_certificate, email, "or an e-mail address in its alternative names"),
    NAME(sign_in_certificate, account, "whose it is: `DOMAIN\\\\user` or user@REALM"),
};
static const struct schema certificate_schema = { SCHEMA("a client certificate's account", sign_in_certificate, certificate_fields), .layout = LAYOUT_FLOW, .check = check_certificate };
static const struct field kerberos_fields[] = {
    FILENAME(sign_in_kerberos, config, "krb5.conf; the system's if left out"),
    FILENAME(sign_in_kerberos, keytab, "keys of the account that publishd acts as; no Kerberos if left out"),
    TEXT(sign_in_kerberos, principal, "that account's name: its user principal name or, of a computer, `name$@REALM`"),
};
static const struct schema kerberos_schema = { SCHEMA("Kerberos", sign_in_kerberos, kerberos_fields) };
static const struct field ldap_fields[] = {
    TEXTS(sign_in_ldap, servers, "`ldaps://NAME`, or `ldap://NAME` with StartTLS; tried in order"),
    FILENAME(sign_in_ldap, trust, "certificates of the authorities that vouch for them, PEM; the system's if left out"),
    TEXT(sign_in_ldap, base, "where users and groups are, like `DC=corp,DC=example`"),
    TEXT(sign_in_ldap, user, "who looks for them: a DN or user principal name"),
    FILENAME(sign_in_ldap, secret, "file with that user's password"),
};
static const struct schema ldap_schema = { SCHEMA("LDAP", sign_in_ldap, ldap_fields) };
static const struct field radius_fields[] = {
    TEXTS(sign_in_radius, servers, "`NAME` or `NAME:PORT`, tried in order; they must send Message-Authenticator"),
    FILENAME(sign_in_radius, secret, "file with the shared secret"),
};
static const struct schema radius_schema = { SCHEMA("RADIUS", sign_in_radius, radius_fields) };
static const struct field sign_in_fields[] = {
    WORD(sign_in, ad, ad_checks, AD_BY_FILE, "who checks passwords that the source left to Active Directory"),
    FILENAME(sign_in, passwords, "file of `name:hash:groups:flags`; hashes are made by `publishd --hash-password`"),
    LIST(sign_in, domains, domain_schema, "which NetBIOS name is which realm; the first is for users who give none"),
    OBJECT(sign_in, kerberos, kerberos_schema, "for Negotiate, passwords and constrained delegation"),
    OBJECT(sign_in, ldap, ldap_schema, "for passwords, groups and user principal names"),
    OBJECT(sign_in, radius, radius_schema, "for passwords"),
    LIST(sign_in, certificates, certificate_schema, "accounts of client certificates, besides those whose user principal name says it"),
    FILENAME(sign_in, ntlm_users, "users for NTLM, as gss-ntlmssp reads them; winbindd is asked if left out"),
    RANGE(sign_in, timeout, 5, 1, 60, "seconds that one question to a server may take"),
};
static const struct schema sign_in_schema = { SCHEMA("signing in", sign_in, sign_in_fields), .check = check_sign_in };

static const char *const log_formats[] = { "json", "combined", NULL };
static const char *const agent_answers[] = { "form", "basic", NULL };
static const struct field agent_fields[] = {
    NAME(service_agent, match, "the whole User-Agent without case; a star stands for anything"),
    { MEMBER(service_agent, answer), .type = Y_LONG, .words = agent_answers, .max = 1, .required = true, .help = "the form, or a challenge for Basic" },
};
static const struct schema agent_schema = { SCHEMA("a kind of client", service_agent, agent_fields), .layout = LAYOUT_FLOW };
static const struct field forms_fields[] = {
    FILENAME(service_forms, keys, "file of the keys that seal sessions and TLS tickets, shared by all instances; random ones if left out, and sessions end with the process"),
    BOOL(service_forms, make_keys, false, "that file is made if it is not there"),
    FILENAME(service_forms, pages, "folder of templates and texts for the sign-in pages; the built-in ones if left out"),
    LIST(service_forms, agents, agent_schema, "which clients get the form, the first that fits; the source's table if left out"),
    RANGE(service_forms, account_limit, 4, 0, 1000, "wrong passwords until an account is left alone; less than the domain's lockout threshold; 0: no limit"),
    RANGE(service_forms, address_limit, 50, 0, 1000000, "the same for a client's address, whatever the account; 0: no limit"),
    RANGE(service_forms, window, 1800, 1, 86400, "seconds that failures count; not less than the domain's observation window"),
};
static const struct schema forms_schema = { SCHEMA("forms and failed sign-ins", service_forms, forms_fields) };

static const struct field service_fields[] = {
    TEXT(service, user, "account that publishd becomes once its ports are open and its keys are read"),
    RANGE(service, loops, 0, 0, 256, "threads that serve; 0: one a processor"),
    RANGE(service, drain_timeout, 60, 0, 86400, "seconds that requests under way get when publishd stops or loads a configuration"),
    FILENAME(service, log, "file of requests, `-` for standard output; none if left out"),
    WORD(service, log_format, log_formats, LOG_JSON, "one JSON object a line, or the format that web servers share"),
    OBJECT(service, sign_in, sign_in_schema, "who checks passwords, knows groups and gives tickets"),
    OBJECT(service, forms, forms_schema, "sessions, sign-in pages, and how often somebody may be wrong"),
    TEXT(service, status, "address and port of the status page and the metrics, like `127.0.0.1:9180`; none if left out"),
};
/* clang-format on */
const struct schema service_schema = { SCHEMA("how publishd runs", service, service_fields), .check = check_service };
