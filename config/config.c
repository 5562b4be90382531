/* config: reads publishd.yaml by the schema and checks what no single place in the file can know: that names lead
 * somewhere and are given once, and that TLS servers can be verified. */
#include "config.h"
#include "schema.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT = 256 << 20 }; /* bytes: far beyond the largest array */

/* ---- names ------------------------------------------------------------------ */

struct named {
    const char *name;
    const struct node *at;
};
struct names {
    const char *what;
    struct named *v;
    size_t n;
};

static int by_name(const void *x, const void *y)
{
    return ascii_casecmp(((const struct named *)x)->name, ((const struct named *)y)->name);
}

/* The names of the items below a key, sorted; names that are given twice are told. */
static struct names collect(struct yaml_reader *r, struct arena *a, const struct node *root, const char *key,
                            const char *what)
{
    const struct node *list = node_value(root, key);
    struct names names = { .what = what };
    if (!list || list->kind != NODE_LIST)
        return names;
    names.v = arena_alloc(a, (list->n + 1) * sizeof *names.v);
    for (const struct node *item = list->first; item; item = item->next) {
        const struct node *name = node_value(item, "name");
        if (name && name->kind == NODE_SCALAR)
            names.v[names.n++] = (struct named){ name->text, name };
    }
    qsort(names.v, names.n, sizeof *names.v, by_name);
    for (size_t i = 1; i < names.n; i++)
        if (!by_name(&names.v[i - 1], &names.v[i]))
            yaml_error(r, names.v[i].at, "two %ss have the name \"%.200s\"", what, names.v[i].name);
    return names;
}

static void check_name(struct yaml_reader *r, const struct names *names, const struct node *at)
{
    if (!at || at->kind != NODE_SCALAR)
        return;
    struct named key = { .name = at->text };
    if (!names->n || !bsearch(&key, names->v, names->n, sizeof *names->v, by_name))
        yaml_error(r, at, "there is no %s \"%.200s\"", names->what, at->text);
}

static void check_references(struct yaml_reader *r, struct arena *a, const struct node *root)
{
    struct names listeners = collect(r, a, root, "listeners", "listener"), farms = collect(r, a, root, "farms", "farm");
    struct names sets = collect(r, a, root, "user_sets", "user set"),
                 schedules = collect(r, a, root, "schedules", "schedule");
    const struct node *rules = node_value(root, "rules");
    for (const struct node *rule = rules ? rules->first : NULL; rule; rule = rule->next) {
        const struct node *users = node_value(rule, "users");
        check_name(r, &listeners, node_value(rule, "listener"));
        check_name(r, &farms, node_value(rule, "farm"));
        check_name(r, &schedules, node_value(rule, "schedule"));
        for (const struct node *item = users ? users->first : NULL; item; item = item->next)
            check_name(r, &sets, item);
    }
}

/* ---- trust --------------------------------------------------------------------- */

static void check_trust(struct yaml_reader *r, const struct node *root, const struct config *c)
{
    if (c->trust && access(c->trust, R_OK) != 0)
        yaml_error(r, node_value(root, "trust"), "trust: %.500s: %s", c->trust, strerror(errno));
    for (size_t i = 0; !c->trust && i < c->rules.n; i++) {
        const struct conf_rule *rule = &c->rules.v[i];
        if (rule->upstream.tls || rule->upstream_http.tls || rule->upstream_https.tls) {
            yaml_error(r, root,
                       "trust is missing: the rule \"%.200s\" forwards over TLS, and its server cannot be verified",
                       rule->name);
            return;
        }
    }
}

/* ---- client certificates ----------------------------------------------------------- */

static const struct conf_listener *listener_of(const struct config *c, const struct conf_rule *rule)
{
    for (size_t i = 0; i < c->listeners.n; i++)
        if (!ascii_casecmp(c->listeners.v[i].name, rule->listener))
            return &c->listeners.v[i];
    return NULL;
}

/* Everybody would get 403, which is hardly what was meant. */
static void check_certificates(struct yaml_reader *r, const struct node *root, const struct config *c)
{
    const struct node *list = node_value(root, "rules"), *node = list ? list->first : NULL;
    for (size_t i = 0; i < c->rules.n && node; i++, node = node->next) {
        const struct conf_rule *rule = &c->rules.v[i];
        const struct conf_listener *l = listener_of(c, rule);
        if (rule->client_certificate == CERTIFICATE_REQUIRED && rule->closed != CLOSED_ALWAYS && l && !l->client_trust)
            yaml_error(
                r, node_value(node, "client_certificate"),
                "client_certificate: required, but the listener \"%.200s\" has no client_trust and asks for none",
                l->name);
    }
}

/* ---- what signing in yields, and what delegation needs (6.1) ----------------------- */

static struct listener as_listener(const struct conf_authentication *a)
{
    return (struct listener){ .basic = a->basic,
                              .digest = a->digest,
                              .integrated = a->integrated,
                              .client_certificate = a->client_certificate,
                              .forms = a->forms,
                              .validator = a->validator,
                              .scheme = a->scheme };
}

static const char *why_impossible(const struct listener *l)
{
    if (!listener_authenticates(l))
        return "nobody signs in there; what works is pass or block";
    if (delegation_possible(l, DELEGATE_KERBEROS))
        return "it gets no passwords from its clients; what works is kerberos, pass or block";
    if (delegation_possible(l, DELEGATE_BASIC))
        return "its users are not the domain's; what works is basic, ntlm, negotiate, pass or block";
    return "what works is pass or block";
}

static void check_delegation(struct yaml_reader *r, const struct node *root, const struct config *c)
{
    const struct node *list = node_value(root, "rules"), *node = list ? list->first : NULL;
    const struct sign_in *s = &c->service.sign_in;
    bool somebody =
        s->kerberos.keytab || s->passwords || s->ldap.servers.n || s->radius.servers.n || s->ad == AD_BY_WINBIND;
    for (size_t i = 0; i < c->rules.n && node; i++, node = node->next) {
        const struct conf_rule *rule = &c->rules.v[i];
        const struct conf_listener *l = listener_of(c, rule);
        if (rule->action != ACTION_ALLOW || rule->closed == CLOSED_ALWAYS || !l)
            continue;
        struct listener as = as_listener(&l->authentication);
        const struct node *at = node_value(node, "delegation");
        if (!delegation_possible(&as, rule->delegation))
            yaml_error(r, at ? at : node, "delegation: %s cannot work with the listener \"%.200s\": %s",
                       at ? at->text : "", l->name, why_impossible(&as));
        else if (somebody && rule->delegation == DELEGATE_KERBEROS && !s->kerberos.keytab)
            yaml_error(r, at,
                       "delegation: kerberos needs service: sign_in: kerberos, with the account that may delegate");
    }
}

/* ---- the whole -------------------------------------------------------------------- */

static bool read_into(struct config *c, struct yaml_reader *r, struct arena *tree, const struct strbuf *text)
{
    const struct node *root = yaml_parse(r, tree, text->p ? text->p : "", text->n);
    if (root)
        schema_read(r, &config_schema, root, c);
    if (root && !r->errors) {
        check_references(r, tree, root);
        check_trust(r, root, c);
        check_certificates(r, root, c);
        check_delegation(r, root, c);
    }
    return !r->errors;
}

struct config *config_read(const char *file, struct strbuf *err)
{
    struct arena *a = arena_new(), *tree = arena_new();
    struct config *c = arena_alloc(a, sizeof *c);
    struct yaml_reader r = { .file = file, .arena = a, .err = err };
    struct strbuf text = { 0 };
    c->arena = a;
    if (file_read(file, LIMIT, &text, err) || !read_into(c, &r, tree, &text)) {
        config_free(c);
        c = NULL;
    }
    buf_free(&text);
    arena_free(tree);
    return c;
}

void config_free(struct config *c)
{
    if (c)
        arena_free(c->arena);
}

const struct conf_rule *config_transparent(const struct config *c)
{
    for (size_t i = 0; i < c->rules.n; i++)
        if (c->rules.v[i].forward_client_address && c->rules.v[i].closed != CLOSED_ALWAYS)
            return &c->rules.v[i];
    return NULL;
}
