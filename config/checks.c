#include "checks.h"
#include "config.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

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

void check_socket(struct yaml_reader *r, const struct node *node, void *object)
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

void check_listener(struct yaml_reader *r, const struct node *node, void *object)
{
    const struct conf_listener *l = object;
    if (l->client_crl && !l->client_trust)
        yaml_error(r, place(node, "client_crl"), "client_crl: without client_trust no certificate is taken anyway");
    if (l->authentication.form.client_certificate && !l->client_trust)
        yaml_error(r, place(node, "authentication"),
                   "form: client_certificate: client_trust is missing, the issuers of those that are good");
    check_file(r, node, "client_trust", l->client_trust);
    check_file(r, node, "client_crl", l->client_crl);
}

void check_authentication(struct yaml_reader *r, const struct node *node, void *object)
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

void check_path(struct yaml_reader *r, const struct node *node, void *object)
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

void check_upstream(struct yaml_reader *r, const struct node *node, void *object)
{
    if (!((const struct conf_upstream *)object)->servers.n)
        yaml_error(r, node, "an upstream needs a server");
}

void check_body_text(struct yaml_reader *r, const struct node *node, void *object)
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

void check_rule(struct yaml_reader *r, const struct node *node, void *object)
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
