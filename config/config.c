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

/* ---- the whole -------------------------------------------------------------------- */

static bool read_into(struct config *c, struct yaml_reader *r, struct arena *tree, const struct strbuf *text)
{
    const struct node *root = yaml_parse(r, tree, text->p ? text->p : "", text->n);
    if (root)
        schema_read(r, &config_schema, root, c);
    if (root && !r->errors) {
        check_references(r, tree, root);
        check_trust(r, root, c);
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
