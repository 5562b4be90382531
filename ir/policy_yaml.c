/* policy_yaml: the policy as YAML, in and out, by the tables of policy_schema.c; and what no table can say of a policy that
 * was written by hand: that its names lead somewhere. */
#include <string.h>
#include "index.h"
#include "policy.h"
#include "schema.h"

void policy_write(struct strbuf *out, const struct policy *p)
{
    buf_puts(out, "# A publishing policy, to be read and edited; tmgc takes it wherever it takes an export.\n"
                  "# docs/policy.md describes the format. What is left out has its default.\n");
    schema_write(out, &policy_schema, p);
}

/* A name that leads nowhere would make a rule answer nothing, or at all hours: a slip of the pen, and an error. */
static void check_reference(struct yaml_reader *r, const struct node *rule, const char *key, const char *name,
                            bool known)
{
    const struct node *at = node_value(rule, key);
    if (name && !known)
        yaml_error(r, at ? at : rule, "%s: the policy has no \"%.200s\" among its %ss", key, name, key);
}

/* Rules that came out of their export with a reference to something that it does not hold: the notes say so. */
static void find_dangling(const struct policy *p, struct arena *a, struct name_index *x)
{
    strings names = { 0 };
    for (size_t i = 0; i < p->notes.list.n; i++)
        if (p->notes.list.v[i].id == F_DANGLING_REF && p->notes.list.v[i].name)
            vec_add(a, &names, p->notes.list.v[i].name);
    index_build(a, x, names.v, names.n, sizeof *names.v, 0);
}

static void check_server_rules(struct yaml_reader *r, const struct node *root, const struct policy *p,
                               const struct name_index *dangling)
{
    const struct node *rules = node_value(root, "server_rules"), *at = rules ? rules->first : NULL;
    for (size_t i = 0; at && i < p->server_rules.n; i++, at = at->next) {
        const struct server_rule *rule = &p->server_rules.v[i];
        if (index_find(dangling, rule->name) != SIZE_MAX)
            continue;
        check_reference(r, at, "protocol", rule->protocol, policy_protocol(p, rule->protocol));
        check_reference(r, at, "schedule", rule->schedule,
                        rule->schedule_unknown || policy_schedule(p, rule->schedule));
    }
}

static void check_references(struct yaml_reader *r, const struct node *root, const struct policy *p,
                             struct arena *scratch)
{
    const struct node *rules = node_value(root, "rules"), *at = rules ? rules->first : NULL;
    struct name_index dangling;
    find_dangling(p, scratch, &dangling);
    check_server_rules(r, root, p, &dangling);
    for (size_t i = 0; at && i < p->rules.n; i++, at = at->next) {
        const struct rule *rule = &p->rules.v[i];
        if (index_find(&dangling, rule->name) != SIZE_MAX)
            continue;
        check_reference(r, at, "listener", rule->listener, policy_listener(p, rule->listener));
        check_reference(r, at, "farm", rule->farm, policy_farm(p, rule->farm));
        check_reference(r, at, "schedule", rule->schedule,
                        rule->schedule_unknown || policy_schedule(p, rule->schedule));
    }
}

struct policy *policy_read(const char *file, const char *text, size_t n, struct strbuf *err)
{
    struct policy *p = policy_new();
    struct arena *tree = arena_new();
    struct yaml_reader r = { .file = file, .arena = p->arena, .err = err };
    const struct node *root = yaml_parse(&r, tree, text, n);
    const struct node *version = root ? node_value(root, "policy") : NULL;
    if (root && (!version || version->kind != NODE_SCALAR))
        yaml_error(&r, root, "neither an export (XML) nor a policy: a policy begins with \"policy: 1\"");
    else if (root && strcmp(version->text, "1") != 0)
        yaml_error(&r, version, "a policy of version %.20s; this program reads version 1", version->text);
    if (r.errors == 0)
        schema_read(&r, &policy_schema, root, p);
    if (r.errors == 0) {
        policy_finish(p);
        check_references(&r, root, p, tree);
    }
    arena_free(tree);
    if (r.errors == 0)
        return p;
    policy_free(p);
    return NULL;
}
