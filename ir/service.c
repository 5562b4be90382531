#include "service.h"
#include "schema.h"
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
#define SIGN_IN(s, m) .key = #m, .at = offsetof(struct s, m)
static const char *const ad_checks[] = { "file", "kerberos", "ldap", "winbind", NULL };
static const struct field domain_fields[] = {
    { SIGN_IN(sign_in_domain, netbios), .type = Y_TEXT, .required = true, .help = "as in DOMAIN\\\\user" },
    { SIGN_IN(sign_in_domain, realm), .type = Y_TEXT, .required = true, .help = "the Kerberos realm, in capitals" },
};
static const struct schema domain_schema = { .name = "a domain", .size = sizeof(struct sign_in_domain), .fields = FIELDS(domain_fields), .layout = LAYOUT_FLOW };
static const struct field certificate_fields[] = {
    { SIGN_IN(sign_in_certificate, thumbprint), .type = Y_TEXT, .text = TEXT_THUMBPRINT, .help = "SHA-1 of the certificate, as Windows shows it" },
    { SIGN_IN(sign_in_certificate, email), .type = Y_TEXT, .help = "or an e-mail address in its alternative names" },
    { SIGN_IN(sign_in_certificate, account), .type = Y_TEXT, .required = true, .help = "whose it is: `DOMAIN\\\\user` or user@REALM" },
};
static const struct schema certificate_schema = { .name = "a client certificate's account", .size = sizeof(struct sign_in_certificate), .fields = FIELDS(certificate_fields), .layout = LAYOUT_FLOW, .check = check_certificate };
static const struct field kerberos_fields[] = {
    { SIGN_IN(sign_in_kerberos, config), .type = Y_TEXT, .text = TEXT_FILE, .help = "krb5.conf; the system's if left out" },
    { SIGN_IN(sign_in_kerberos, keytab), .type = Y_TEXT, .text = TEXT_FILE, .help = "keys of the account that publishd acts as; no Kerberos if left out" },
    { SIGN_IN(sign_in_kerberos, principal), .type = Y_TEXT, .help = "that account's name: its user principal name or, of a computer, `name$@REALM`" },
};
static const struct schema kerberos_schema = { .name = "Kerberos", .size = sizeof(struct sign_in_kerberos), .fields = FIELDS(kerberos_fields) };
static const struct field ldap_fields[] = {
    { SIGN_IN(sign_in_ldap, servers), .type = Y_TEXTS, .help = "`ldaps://NAME`, or `ldap://NAME` with StartTLS; tried in order" },
    { SIGN_IN(sign_in_ldap, trust), .type = Y_TEXT, .text = TEXT_FILE, .help = "certificates of the authorities that vouch for them, PEM; the system's if left out" },
    { SIGN_IN(sign_in_ldap, base), .type = Y_TEXT, .help = "where users and groups are, like `DC=corp,DC=example`" },
    { SIGN_IN(sign_in_ldap, user), .type = Y_TEXT, .help = "who looks for them: a DN or user principal name" },
    { SIGN_IN(sign_in_ldap, secret), .type = Y_TEXT, .text = TEXT_FILE, .help = "file with that user's password" },
};
static const struct schema ldap_schema = { .name = "LDAP", .size = sizeof(struct sign_in_ldap), .fields = FIELDS(ldap_fields) };
static const struct field radius_fields[] = {
    { SIGN_IN(sign_in_radius, servers), .type = Y_TEXTS, .help = "`NAME` or `NAME:PORT`, tried in order; they must send Message-Authenticator" },
    { SIGN_IN(sign_in_radius, secret), .type = Y_TEXT, .text = TEXT_FILE, .help = "file with the shared secret" },
};
static const struct schema radius_schema = { .name = "RADIUS", .size = sizeof(struct sign_in_radius), .fields = FIELDS(radius_fields) };
static const struct field sign_in_fields[] = {
    { SIGN_IN(sign_in, ad), .type = Y_WORD, .words = ad_checks, .dflt = AD_BY_FILE, .help = "who checks passwords that the source left to Active Directory" },
    { SIGN_IN(sign_in, passwords), .type = Y_TEXT, .text = TEXT_FILE, .help = "file of `name:hash:groups:flags`; hashes are made by `publishd --hash-password`" },
    { SIGN_IN(sign_in, domains), .type = Y_LIST, .of = &domain_schema, .help = "which NetBIOS name is which realm; the first is for users who give none" },
    { SIGN_IN(sign_in, kerberos), .type = Y_OBJECT, .of = &kerberos_schema, .help = "for Negotiate, passwords and constrained delegation" },
    { SIGN_IN(sign_in, ldap), .type = Y_OBJECT, .of = &ldap_schema, .help = "for passwords, groups and user principal names" },
    { SIGN_IN(sign_in, radius), .type = Y_OBJECT, .of = &radius_schema, .help = "for passwords" },
    { SIGN_IN(sign_in, certificates), .type = Y_LIST, .of = &certificate_schema, .help = "accounts of client certificates, besides those whose user principal name says it" },
    { SIGN_IN(sign_in, ntlm_users), .type = Y_TEXT, .text = TEXT_FILE, .help = "users for NTLM, as gss-ntlmssp reads them; winbindd is asked if left out" },
    { SIGN_IN(sign_in, timeout), .type = Y_LONG, .dflt = 5, .min = 1, .max = 60, .help = "seconds that one question to a server may take" },
};
static const struct schema sign_in_schema = { .name = "signing in", .size = sizeof(struct sign_in), .fields = FIELDS(sign_in_fields), .check = check_sign_in };

#define MEMBER(m) .key = #m, .at = offsetof(struct service, m)
static const char *const log_formats[] = { "json", "combined", NULL };
static const char *const agent_answers[] = { "form", "basic", NULL };
static const struct field agent_fields[] = {
    { SIGN_IN(service_agent, match), .type = Y_TEXT, .required = true, .help = "the whole User-Agent without case; a star stands for anything" },
    { SIGN_IN(service_agent, answer), .type = Y_LONG, .words = agent_answers, .max = 1, .required = true, .help = "the form, or a challenge for Basic" },
};
static const struct schema agent_schema = { .name = "a kind of client", .size = sizeof(struct service_agent), .fields = FIELDS(agent_fields), .layout = LAYOUT_FLOW };
static const struct field forms_fields[] = {
    { SIGN_IN(service_forms, keys), .type = Y_TEXT, .text = TEXT_FILE, .help = "file of the keys that seal sessions and TLS tickets, shared by all instances; random ones if left out, and sessions end with the process" },
    { SIGN_IN(service_forms, make_keys), .type = Y_BOOL, .help = "that file is made if it is not there" },
    { SIGN_IN(service_forms, pages), .type = Y_TEXT, .text = TEXT_FILE, .help = "folder of templates and texts for the sign-in pages; the built-in ones if left out" },
    { SIGN_IN(service_forms, agents), .type = Y_LIST, .of = &agent_schema, .help = "which clients get the form, the first that fits; the source's table if left out" },
    { SIGN_IN(service_forms, account_limit), .type = Y_LONG, .dflt = 4, .max = 1000, .help = "wrong passwords until an account is left alone; less than the domain's lockout threshold; 0: no limit" },
    { SIGN_IN(service_forms, address_limit), .type = Y_LONG, .dflt = 50, .max = 1000000, .help = "the same for a client's address, whatever the account; 0: no limit" },
    { SIGN_IN(service_forms, window), .type = Y_LONG, .dflt = 1800, .min = 1, .max = 86400, .help = "seconds that failures count; not less than the domain's observation window" },
};
static const struct schema forms_schema = { .name = "forms and failed sign-ins", .size = sizeof(struct service_forms), .fields = FIELDS(forms_fields) };

static const struct field service_fields[] = {
    { MEMBER(user), .type = Y_TEXT, .help = "account that publishd becomes once its ports are open and its keys are read" },
    { MEMBER(loops), .type = Y_LONG, .max = 256, .help = "threads that serve; 0: one a processor" },
    { MEMBER(drain_timeout), .type = Y_LONG, .dflt = 60, .max = 86400, .help = "seconds that requests under way get when publishd stops or loads a configuration" },
    { MEMBER(log), .type = Y_TEXT, .text = TEXT_FILE, .help = "file of requests, `-` for standard output; none if left out" },
    { MEMBER(log_format), .type = Y_WORD, .words = log_formats, .dflt = LOG_JSON, .help = "one JSON object a line, or the format that web servers share" },
    { MEMBER(sign_in), .type = Y_OBJECT, .of = &sign_in_schema, .help = "who checks passwords, knows groups and gives tickets" },
    { MEMBER(forms), .type = Y_OBJECT, .of = &forms_schema, .help = "sessions, sign-in pages, and how often somebody may be wrong" },
    { MEMBER(status), .type = Y_TEXT, .help = "address and port of the status page and the metrics, like `127.0.0.1:9180`; none if left out" },
};
/* clang-format on */
const struct schema service_schema = { .name = "how publishd runs",
                                       .size = sizeof(struct service),
                                       .fields = FIELDS(service_fields),
                                       .check = check_service };
