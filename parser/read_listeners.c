/* read_listeners: web listeners and server farms. */
#include "reader.h"

#include <string.h>

/* The first text at or below an item, marked as read: for values that may stand one element deeper than expected. */
static const char *deep_text(struct reader *r, uint32_t item)
{
    struct store *s = r->store;
    for (uint32_t i = item; i && i < s->items[item].end; i++) {
        s->items[i].used |= USED;
        if (s->items[i].text)
            return item_text(s, i);
    }
    return "";
}

/* ---- certificates --------------------------------------------------------------------------------------------------- */
/* A SHA-1 or SHA-256 thumbprint in hex or base64, with or without spaces; NULL: something else. */
static const char *thumbprint(struct reader *r, const char *text)
{
    const char *hex = normalise_thumbprint(r->arena, text);
    size_t n = hex ? strlen(hex) : 0;
    bool only_hex = text[strspn(text, "0123456789abcdefABCDEF :-\t\r\n")] == '\0';
    if (only_hex && (n == 40 || n == 64))
        return hex;
    unsigned char *bytes = value_bytes(r->scratch, text, &n);
    if (!bytes || (n != 20 && n != 32))
        return NULL;
    struct strbuf b = { 0 };
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%02x", bytes[i]);
    hex = arena_strdup(r->arena, b.p);
    buf_free(&b);
    return hex;
}

static void add_certificate(struct reader *r, struct about *who, struct listener *l, uint32_t item)
{
    struct object o = object_read(r, who, OBJ_CERTIFICATE, item);
    struct listener_certificate c = { .line = r->store->items[item].line };
    const char *address = object_string(&o, S_CERT_ADDRESS), *text;
    uint32_t ip;
    if (address && ip_parse(address, &ip) && ip)
        c.address = address;
    text = deep_text(r, item_is_leaf(r->store, item) ? item : object_field(&o, S_CERT_HASH));
    if (!*text)
        return;
    c.thumbprint = thumbprint(r, text);
    if (!c.thumbprint)
        note(r, F_BAD_VALUE, who, "SSLCertificateHash", c.line,
             "its certificate's hash \"%s\" is no thumbprint and was left out", shortened(r, text));
    else
        vec_add(r->arena, &l->certificates, c);
}

/* A container of certificates, or one certificate. */
static void read_certificates(struct reader *r, struct about *who, struct listener *l, struct object *props)
{
    const struct store *s = r->store;
    for (uint32_t w = object_field(props, S_PROPS_CERTIFICATES); w; w = object_more(props, S_PROPS_CERTIFICATES, w)) {
        bool one = item_is_leaf(s, w);
        for
            each_child(s, w, c) one |= xml_name_setting(s->names, OBJ_CERTIFICATE, s->items[c].name) == S_CERT_HASH;
        if (one)
            add_certificate(r, who, l, w);
        else
            for
                each_child(s, w, c) add_certificate(r, who, l, c);
    }
}

/* ---- authentication ------------------------------------------------------------------------------------------------------ */
static void use_scheme(struct reader *r, struct about *who, struct listener *l, const char *name, uint32_t line)
{
    static const struct {
        const char *name;
        enum forms_provider forms;
        enum validator validator;
    } known[] = {
        { "FBA with AD", FORMS_AD, VALIDATE_AD },
        { "FBA with LDAP", FORMS_LDAP, VALIDATE_LDAP },
        { "FBA with RADIUS", FORMS_RADIUS, VALIDATE_RADIUS },
        { "FBA with RADIUS OTP", FORMS_RADIUS_OTP, VALIDATE_RADIUS },
        { "FBA with SecurID", FORMS_SECURID, VALIDATE_SECURID },
        { "SecurID", FORMS_SECURID, VALIDATE_SECURID },
        { "LDAP", FORMS_NONE, VALIDATE_LDAP },
        { "RADIUS", FORMS_NONE, VALIDATE_RADIUS },
    };
    l->scheme = name;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ascii_casecmp(known[i].name, name) == 0) {
            l->forms = known[i].forms;
            l->validator = known[i].validator;
            return;
        }
    l->always_authenticate = true; /* fail closed: nobody knows how this scheme lets users in */
    note(r, F_BAD_VALUE, who, "AuthenticationSchemes", line,
         "its authentication scheme %s is not known; its rules are taken to need a user", name);
}

static void read_schemes(struct reader *r, struct about *who, struct listener *l, struct object *props)
{
    static const char fba_with_ad[] = "{4C0562DC-2D02-4fe3-A870-D308D6DC74D9}";
    refs list = { 0 };
    for (uint32_t w = object_field(props, S_PROPS_SCHEMES); w; w = object_more(props, S_PROPS_SCHEMES, w))
        refs_read(r, w, CLASS_SCHEME, S_PROPS_SCHEMES, &list);
    for (size_t i = 0; i < list.n; i++) {
        const struct ref *ref = &list.v[i];
        const char *name = NULL;
        if (ref->target) {
            struct object o = object_read(r, NULL, OBJ_SCHEME, ref->target);
            want(r, ref->target);
            name = object_string(&o, S_SCHEME_NAME);
        }
        if (!name)
            name = ascii_casecmp(ref->name, fba_with_ad) == 0 ? "FBA with AD" : ref->name;
        use_scheme(r, who, l, name, ref->line);
    }
}

static long in_seconds(struct object *o, enum setting_id value, enum setting_id unit)
{
    static const long scale[] = { 1, 1, 60, 3600, 86400, 604800 };
    long n = object_int(o, value, 0, 1000000);
    return n * scale[object_int(o, unit, 1, 5)];
}

static void read_forms(struct reader *r, struct about *who, struct listener *l, uint32_t item)
{
    struct forms_settings *f = &l->form;
    struct object o = object_read(r, who, OBJ_FORMS, item);
    f->bind_to_address = object_bool(&o, S_FORMS_BIND);
    f->directory = object_string(&o, S_FORMS_DIRECTORY);
    f->public_timeout = in_seconds(&o, S_FORMS_PUBLIC, S_FORMS_PUBLIC_UNIT);
    f->private_timeout = in_seconds(&o, S_FORMS_PRIVATE, S_FORMS_PRIVATE_UNIT);
    f->absolute_timeout = object_bool(&o, S_FORMS_ABSOLUTE);
    f->change_password = object_bool(&o, S_FORMS_PASSWORD);
    long days = object_int(&o, S_FORMS_WARNING_DAYS, 1, 999);
    f->expiry_notice = object_bool(&o, S_FORMS_WARNING) ? days : 0;
    f->client_certificate = object_bool(&o, S_FORMS_CERTIFICATE);
    f->persistent_cookies = object_int(&o, S_FORMS_PERSISTENT, 0, 2);
    f->cookie = object_string(&o, S_FORMS_COOKIE);
}

static void read_authentication(struct reader *r, struct about *who, struct listener *l, struct object *props)
{
    l->basic = object_bool(props, S_PROPS_BASIC);
    l->digest = object_bool(props, S_PROPS_DIGEST);
    l->integrated = object_bool(props, S_PROPS_INTEGRATED);
    l->client_certificate = object_bool(props, S_PROPS_CERTIFICATE_AUTH);
    l->always_authenticate = object_bool(props, S_PROPS_ALWAYS);
    read_schemes(r, who, l, props);
    /* The default counts for listeners with HTTP authentication; with forms the console offers no other method. */
    bool defaulted = !object_has(props, S_PROPS_INTEGRATED);
    if (defaulted && l->forms != FORMS_NONE)
        l->integrated = false;
    else if (defaulted)
        note(r, F_DEFAULT_TAKEN, who, "IntegratedWindowsAuthentication", object_line(props, S_PROPS_INTEGRATED),
             "IntegratedWindowsAuthentication is not in the export; the documented default, on, was taken");
    l->authenticate_over_http = object_bool(props, S_PROPS_AUTH_OVER_HTTP);
    l->domain = object_string(props, S_PROPS_DOMAIN);
    l->certificates_restricted = object_bool(props, S_PROPS_CERT_RESTRICTED);
    if (l->certificates_restricted)
        note(r, F_BAD_VALUE, who, "SSLClientCertificateRestrictionsEnabled",
             object_line(props, S_PROPS_CERT_RESTRICTED), "its restrictions on client certificates are not read");
    read_forms(r, who, l, object_field(props, S_PROPS_FORMS));
}

static void read_sso(struct reader *r, struct about *who, struct listener *l, struct object *props)
{
    texts domains = { 0 };
    l->sso = object_bool(props, S_PROPS_SSO);
    for (uint32_t w = object_field(props, S_PROPS_SSO_DOMAINS); w; w = object_more(props, S_PROPS_SSO_DOMAINS, w))
        list_read(r, w, &domains);
    for (size_t i = 0; i < domains.n; i++)
        vec_add(r->arena, &l->sso_domains, arena_strdup(r->arena, domains.v[i].text));
    if (domains.n && !object_has(props, S_PROPS_SSO))
        note(r, F_SSO_AMBIGUOUS, who, "SSOEnabled", domains.v[0].line,
             "single sign-on domains are listed, but SSOEnabled is not in the export; it was taken as off");
}

/* ---- where it listens ------------------------------------------------------------------------------------------------------- */
static const char *ref_network(struct reader *r, struct about *who, const struct ref *ref)
{
    struct entry *e = ref->target ? entry_find(&r->networks, ref->target) : NULL;
    if (e) {
        want(r, ref->target);
        return e->name;
    }
    bool known;
    const char *name = network_named(r, ref->name, &known);
    if (!known)
        note(r, F_DANGLING_REF, who, "IPsOnNetworks", ref->line,
             "it listens on the network %s, which is not in the export", ref->name);
    return name;
}

static void add_listen_on(struct reader *r, struct about *who, listen_ons *out, uint32_t item)
{
    struct object o = object_read(r, who, OBJ_LISTEN_ON, item);
    struct listen_on on = { .select = (enum address_select)object_int(&o, S_ON_SELECT, 0, 2) };
    refs networks = { 0 };
    texts addresses = { 0 };
    for (uint32_t w = object_field(&o, S_ON_NETWORK); w; w = object_more(&o, S_ON_NETWORK, w))
        refs_read(r, w, CLASS_NETWORK, S_ON_NETWORK, &networks);
    if (networks.n)
        on.network = ref_network(r, who, &networks.v[0]);
    for (uint32_t w = object_field(&o, S_ON_ADDRESSES); w; w = object_more(&o, S_ON_ADDRESSES, w))
        list_read(r, w, &addresses);
    if (object_has(&o, S_ON_SELECT) && on.select != ADDRESS_SPECIFIED)
        addresses.n = 0; /* left over from before another choice was made */
    for (size_t i = 0; i < addresses.n; i++) {
        uint32_t ip;
        if (ip_parse(addresses.v[i].text, &ip))
            vec_add(r->arena, &on.addresses, arena_strdup(r->arena, addresses.v[i].text));
        else
            note(r, F_BAD_VALUE, who, "IPAddresses", addresses.v[i].line,
                 "it listens on \"%s\", which is no IPv4 address; it was left out", shortened(r, addresses.v[i].text));
    }
    vec_add(r->arena, out, on);
}

void read_listen_on(struct reader *r, struct about *who, listen_ons *out, struct object *o, enum setting_id on,
                    enum setting_id network_sets)
{
    for (uint32_t w = object_field(o, on); w; w = object_more(o, on, w))
        for
            each_child(r->store, w, c) add_listen_on(r, who, out, c);
    refs sets = { 0 };
    for (uint32_t w = object_field(o, network_sets); w; w = object_more(o, network_sets, w))
        refs_read(r, w, CLASS_NETWORK_SET, (int)network_sets, &sets);
    for (size_t i = 0; i < sets.n; i++)
        vec_add(r->arena, out,
                ((struct listen_on){ .network = ref_network(r, who, &sets.v[i]), .select = ADDRESS_ALL }));
}

/* ---- the listener --------------------------------------------------------------------------------------------------------------- */
static void read_ports(struct reader *r, struct about *who, struct listener *l, struct object *props)
{
    l->http = object_int(props, S_PROPS_HTTP, 0, 65535);
    l->https = object_int(props, S_PROPS_HTTPS, 0, 65535);
    if (!object_has(props, S_PROPS_HTTP))
        note(r, F_DEFAULT_TAKEN, who, "TCPPort", r->store->items[props->item].line,
             "TCPPort is not in the export; the documented default, 8080, was taken as its HTTP port");
    l->redirect = (enum https_redirect)object_int(props, S_PROPS_REDIRECT, 0, 2);
}

static void read_limits(struct listener *l, struct object *props)
{
    bool unlimited = object_has(props, S_PROPS_UNLIMITED) && object_bool(props, S_PROPS_UNLIMITED);
    long most = object_int(props, S_PROPS_CONNECTIONS, 0, INT32_MAX);
    l->max_connections = unlimited ? 0 : most;
    l->connection_timeout = object_int(props, S_PROPS_TIMEOUT, 0, INT32_MAX);
    l->ssl_accelerator_port = object_int(props, S_PROPS_ACCELERATOR, 0, 65535);
}

static void read_listener(struct reader *r, const struct entry *e)
{
    struct listener l = { .name = e->name,
                          .at = { .guid = item_guid(r, e->item), .line = r->store->items[e->item].line } };
    struct about who = { SUBJECT_LISTENER, l.name, l.at.guid, &l.at };
    struct object o = object_read(r, &who, OBJ_LISTENER, e->item);
    own(r, e->item, SUBJECT_LISTENER, r->policy->listeners.n);
    object_field(&o, S_LISTENER_NAME);
    l.description = object_string(&o, S_LISTENER_DESCRIPTION);
    read_listen_on(r, &who, &l.on, &o, S_LISTENER_ON, S_LISTENER_NETWORK_SETS);
    struct object props = object_read(r, &who, OBJ_LISTENER_PROPERTIES, object_field(&o, S_LISTENER_PROPERTIES));
    read_ports(r, &who, &l, &props);
    read_certificates(r, &who, &l, &props);
    read_authentication(r, &who, &l, &props);
    read_sso(r, &who, &l, &props);
    read_limits(&l, &props);
    object_field(&o, S_LISTENER_VENDOR);
    vec_add(r->arena, &r->policy->listeners, l);
}

void read_listeners(struct reader *r)
{
    for (size_t i = 0; i < r->listeners.n; i++)
        read_listener(r, &r->listeners.v[i]);
}

/* ---- farms -------------------------------------------------------------------------------------------------------------------------- */
static void add_member(struct reader *r, struct about *who, struct farm *f, uint32_t item)
{
    struct object o = object_read(r, NULL, OBJ_MEMBER, item);
    struct farm_member m = { .line = r->store->items[item].line };
    const char *text = item_is_leaf(r->store, item) ? item_text(r->store, item) : object_string(&o, S_MEMBER_HOST);
    m.host = text ? normalise_host(r->arena, text) : NULL;
    m.description = object_string(&o, S_MEMBER_DESCRIPTION);
    m.drained = object_bool(&o, S_MEMBER_DRAINED);
    if (!object_bool(&o, S_MEMBER_ENABLED))
        m.drained = true;
    if (m.host)
        vec_add(r->arena, &f->members, m);
    else
        note(r, F_BAD_VALUE, who, "PublishedServers", m.line,
             "its member \"%s\" is no host name or address and was left out", shortened(r, text ? text : ""));
}

static bool is_member(const struct store *s, uint32_t item)
{
    for
        each_child(s, item, c) if (item_is_leaf(s, c) && xml_name_setting(s->names, OBJ_MEMBER, s->items[c].name) ==
                                                             S_MEMBER_HOST) return true;
    return item_is_leaf(s, item) && s->items[item].text;
}

/* Members may be the field itself, its children, or strings below it. */
static void read_members(struct reader *r, struct about *who, struct farm *f, struct object *o)
{
    struct store *s = r->store;
    for (uint32_t w = object_field(o, S_FARM_MEMBERS); w; w = object_more(o, S_FARM_MEMBERS, w))
        for (uint32_t i = w; i < s->items[w].end;) {
            s->items[i].used |= USED;
            if (is_member(s, i)) {
                add_member(r, who, f, i);
                i = s->items[i].end;
            } else {
                i++;
            }
        }
}

static void read_farm(struct reader *r, const struct entry *e)
{
    struct farm f = { .name = e->name, .at = { .guid = item_guid(r, e->item), .line = r->store->items[e->item].line } };
    struct about who = { SUBJECT_FARM, f.name, f.at.guid, &f.at };
    struct object o = object_read(r, &who, OBJ_FARM, e->item);
    own(r, e->item, SUBJECT_FARM, r->policy->farms.n);
    object_field(&o, S_FARM_NAME);
    f.description = object_string(&o, S_FARM_DESCRIPTION);
    read_members(r, &who, &f, &o);
    struct object v = object_read(r, &who, OBJ_VERIFIER, object_field(&o, S_FARM_VERIFIER));
    f.probe = (enum probe_kind)object_int(&v, S_VERIFIER_TYPE, 0, 2);
    f.probe_url = object_string(&v, S_VERIFIER_ADDRESS);
    f.probe_host = object_string(&v, S_VERIFIER_HOST);
    f.probe_port = object_int(&v, S_VERIFIER_PORT, 0, 65535);
    f.probe_threshold = object_int(&v, S_VERIFIER_THRESHOLD, 1, 65535);
    vec_add(r->arena, &r->policy->farms, f);
}

void read_farms(struct reader *r)
{
    for (size_t i = 0; i < r->farms.n; i++)
        read_farm(r, &r->farms.v[i]);
}

const char *farm_named(struct reader *r, const char *name)
{
    const char *there = name_set_find(r->farm_names, name);
    if (there)
        return there;
    struct farm *f = vec_push(r->arena, &r->policy->farms);
    f->name = name_set_unique(r->farm_names, r->arena, arena_strdup(r->arena, name));
    f->probe_threshold = 5000;
    return f->name;
}
