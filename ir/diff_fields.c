/* diff_fields: the keys of the policy's own tables (ir/schema.h) - what each can change, and its values as text. */
#include "diff_internal.h"

#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 64

const char *const diff_subject_names[DIFF_SUBJECTS] = { "rule",     "listener", "farm",        "network", "schedule",
                                                        "user set", "protocol", "server rule", "policy" };
const char *const diff_kind_names[3] = { "added", "removed", "changed" };

/* A key that is in none of these lists counts as one that changes how a request is handled: the cautious guess. */
struct meaning {
    const char *key;
    unsigned bits;
};
#define NO_MEANING 0u
#define BACKEND (DIFFERS_BACKEND | DIFFERS_BY(ANSWER_NO_BACKEND))
#define USERS (DIFFERS_BY(ANSWER_NEEDS_USER) | DIFFERS_BY(ANSWER_WRONG_USER) | DIFFERS_BY(ANSWER_HTTPS))
#define UNKNOWN DIFFERS_BY(ANSWER_UNKNOWN)
#define SIGN_IN DIFFERS_SIGN_IN
/* What the listener takes decides whether a delegation can work (behaviour 6.1), and whether D-09 applies. */
#define METHOD (DIFFERS_SIGN_IN | DIFFERS_HANDLING | DIFFERS_BY(ANSWER_PASS_OVER_HTTP))

static const struct meaning rule_meanings[] = {
    { "name", DIFFERS_SITE },
    { "description", NO_MEANING },
    { "export", NO_MEANING },
    { "enabled", DIFFERS_ENABLED },
    { "listener", DIFFERS_LISTENER },
    { "action", DIFFERS_BY(ANSWER_DENY) | DIFFERS_BY(ANSWER_DENY_REDIRECT) },
    { "redirect_url", DIFFERS_LOCATION | DIFFERS_BY(ANSWER_DENY) | DIFFERS_BY(ANSWER_DENY_REDIRECT) },
    { "all_names", DIFFERS_NAME },
    { "names", DIFFERS_NAME | FIELD_IS_SET },
    { "paths", DIFFERS_PATH | DIFFERS_TARGET | DIFFERS_BY(ANSWER_DOTS) | DIFFERS_HANDLING | FIELD_IS_SET },
    { "sources", DIFFERS_SOURCE | UNKNOWN | FIELD_IS_SET },
    { "schedule", DIFFERS_SCHEDULE },
    { "schedule_unknown", DIFFERS_SCHEDULE | UNKNOWN },
    { "all_users", USERS },
    { "users", USERS | FIELD_IS_SET },
    { "site", BACKEND | DIFFERS_HOST | DIFFERS_HANDLING },
    { "server", BACKEND | DIFFERS_HANDLING },
    { "farm", BACKEND | DIFFERS_HANDLING },
    { "affinity_by_address", DIFFERS_HANDLING },
    { "bridging", BACKEND },
    { "http_port", BACKEND | DIFFERS_HANDLING },
    { "ssl_port", BACKEND | DIFFERS_HANDLING },
    { "ftp_port", NO_MEANING },
    { "forward_host", DIFFERS_HOST },
    { "delegation", DIFFERS_HANDLING | DIFFERS_BY(ANSWER_PASS_OVER_HTTP) },
    { "require_ssl", DIFFERS_HANDLING | DIFFERS_BY(ANSWER_NEEDS_SSL) },
    { "logging", RUNS_DIFFERENTLY },
    { "code_pages", DIFFERS_HANDLING | FIELD_IS_SET },
    { "link_patterns", DIFFERS_HANDLING | FIELD_IS_SET },
    { "parameters", DIFFERS_HANDLING | FIELD_IS_SET },
};
static const struct meaning listener_meanings[] = {
    { "name", NO_MEANING },
    { "description", NO_MEANING },
    { "export", NO_MEANING },
    { "scheme", METHOD },
    { "on", DIFFERS_SOCKET | FIELD_IS_SET },
    { "http", DIFFERS_SOCKET },
    { "https", DIFFERS_SOCKET | DIFFERS_LOCATION | DIFFERS_BY(ANSWER_HTTPS) },
    { "certificates", DIFFERS_CERTIFICATE },
    { "redirect", DIFFERS_LOCATION | DIFFERS_BY(ANSWER_HTTPS) },
    { "basic", METHOD },
    { "digest", METHOD },
    { "integrated", METHOD },
    { "forms", METHOD },
    { "client_certificate", METHOD },
    { "certificates_restricted", SIGN_IN },
    { "validator", METHOD },
    { "always_authenticate", SIGN_IN | USERS },
    { "authenticate_over_http", SIGN_IN },
    { "domain", SIGN_IN },
    { "form", SIGN_IN },
    { "sso", SIGN_IN },
    { "sso_domains", SIGN_IN | FIELD_IS_SET },
    { "max_connections", RUNS_DIFFERENTLY },
    { "connection_timeout", RUNS_DIFFERENTLY },
    { "ssl_accelerator_port", RUNS_DIFFERENTLY },
};
static const struct meaning farm_meanings[] = {
    { "name", NO_MEANING },
    { "description", NO_MEANING },
    { "export", NO_MEANING },
    { "members", BACKEND | DIFFERS_HANDLING | FIELD_IS_SET },
    { "probe", RUNS_DIFFERENTLY },
    { "probe_url", RUNS_DIFFERENTLY },
    { "probe_host", RUNS_DIFFERENTLY },
    { "probe_port", RUNS_DIFFERENTLY },
    { "probe_threshold", RUNS_DIFFERENTLY },
};
static const struct meaning network_meanings[] = {
    { "name", NO_MEANING },
    { "export", NO_MEANING },
    { "kind", DIFFERS_SOURCE | UNKNOWN },
    { "addresses", DIFFERS_SOURCE | UNKNOWN | FIELD_IS_SET },
    { "members", DIFFERS_SOURCE | UNKNOWN | FIELD_IS_SET },
};
static const struct meaning schedule_meanings[] = { { "name", NO_MEANING },
                                                    { "export", NO_MEANING },
                                                    { "hours", DIFFERS_SCHEDULE } };
static const struct meaning user_set_meanings[] = { { "name", NO_MEANING },
                                                    { "export", NO_MEANING },
                                                    { "accounts", USERS | FIELD_IS_SET } };
/* Server publishing answers no request: what changes there shows in connections, which are not compared one by one. */
static const struct meaning protocol_meanings[] = { { "name", NO_MEANING },
                                                    { "export", NO_MEANING },
                                                    { "primary", RUNS_DIFFERENTLY | FIELD_IS_SET },
                                                    { "secondary", RUNS_DIFFERENTLY | FIELD_IS_SET },
                                                    { "filters", RUNS_DIFFERENTLY | FIELD_IS_SET } };
static const struct meaning server_rule_meanings[] = {
    { "name", NO_MEANING },
    { "description", NO_MEANING },
    { "export", NO_MEANING },
    { "enabled", RUNS_DIFFERENTLY },
    { "action", RUNS_DIFFERENTLY },
    { "protocol", RUNS_DIFFERENTLY },
    { "server", RUNS_DIFFERENTLY },
    { "on", RUNS_DIFFERENTLY | FIELD_IS_SET },
    { "publish_port", RUNS_DIFFERENTLY },
    { "server_port", RUNS_DIFFERENTLY },
    { "from_firewall", RUNS_DIFFERENTLY },
    { "route", RUNS_DIFFERENTLY },
    { "sources", RUNS_DIFFERENTLY | FIELD_IS_SET },
    { "schedule", RUNS_DIFFERENTLY },
    { "schedule_unknown", RUNS_DIFFERENTLY },
    { "source_port_low", RUNS_DIFFERENTLY },
    { "source_port_high", RUNS_DIFFERENTLY },
    { "logging", RUNS_DIFFERENTLY },
};
static const struct meaning policy_meanings[] = { { "parameters", DIFFERS_HANDLING | DIFFERS_SIGN_IN | FIELD_IS_SET },
                                                  { "links", DIFFERS_HANDLING | FIELD_IS_SET },
                                                  { "compression", DIFFERS_HANDLING } };

static const struct {
    const char *list;
    const struct meaning *v;
    size_t n;
} subjects[DIFF_SUBJECTS] = {
#define S(list, v)                                                                                                     \
    {                                                                                                                  \
        list, v, sizeof v / sizeof *v                                                                                  \
    }
    [DIFF_RULE] = S("rules", rule_meanings),
    [DIFF_LISTENER] = S("listeners", listener_meanings),
    [DIFF_FARM] = S("farms", farm_meanings),
    [DIFF_NETWORK] = S("networks", network_meanings),
    [DIFF_SCHEDULE] = S("schedules", schedule_meanings),
    [DIFF_USER_SET] = S("user_sets", user_set_meanings),
    [DIFF_PROTOCOL] = S("protocols", protocol_meanings),
    [DIFF_SERVER_RULE] = S("server_rules", server_rule_meanings),
    [DIFF_POLICY] = S(NULL, policy_meanings),
#undef S
};

unsigned field_bits(enum diff_subject s, const char *key)
{
    size_t n = strcspn(key, "."); /* "sources.networks" means what "sources" means */
    for (size_t i = 0; i < subjects[s].n; i++)
        if (strlen(subjects[s].v[i].key) == n && strncmp(subjects[s].v[i].key, key, n) == 0)
            return subjects[s].v[i].bits;
    return s == DIFF_POLICY ? NO_MEANING : DIFFERS_HANDLING;
}

const struct schema *subject_schema(enum diff_subject s)
{
    for (size_t i = 0; subjects[s].list && i < policy_schema.n; i++)
        if (strcmp(policy_schema.fields[i].key, subjects[s].list) == 0)
            return policy_schema.fields[i].of;
    return &policy_schema;
}

/* ---- values as text ---------------------------------------------------------- */

/* The policy's writer on this one key. Lines of the export are none of a value. */
const char *field_text(struct arena *a, const struct field *f, const void *object)
{
    struct field items[MAX_KEYS], one = *f;
    struct schema of, only = { .name = "", .fields = &one, .n = 1 };
    if (f->type == Y_LIST && f->of->n <= MAX_KEYS) {
        of = *f->of;
        of.fields = items;
        of.n = 0;
        for (size_t i = 0; i < f->of->n; i++)
            if (f->of->fields[i].type != Y_LINE && strcmp(f->of->fields[i].key, "export") != 0)
                items[of.n++] = f->of->fields[i];
        one.of = &of;
    }
    struct strbuf b = { 0 };
    schema_write(&b, &only, object);
    const char *s = b.p ? strchr(b.p, ':') : NULL;
    const char *out = NULL;
    if (s) {
        s += 1 + strspn(s + 1, " \n");
        size_t n = strlen(s);
        while (n && s[n - 1] == '\n')
            n--;
        out = arena_strndup(a, s, n);
    }
    buf_free(&b);
    return out;
}

static bool is_object(const struct field *f)
{
    return f->type == Y_OBJECT && strcmp(f->key, "export") != 0;
}

const char *fields_text(struct arena *a, enum diff_subject s, const void *object, unsigned bits)
{
    const struct schema *table = subject_schema(s);
    struct strbuf b = { 0 };
    for (size_t i = 0; i < table->n; i++) {
        const char *text = field_bits(s, table->fields[i].key) & bits ? field_text(a, &table->fields[i], object) : NULL;
        if (text)
            buf_printf(&b, "%s: %s\n", table->fields[i].key, text);
    }
    const char *out = arena_strdup(a, b.p ? b.p : "");
    buf_free(&b);
    return out;
}

/* ---- comparing --------------------------------------------------------------- */

static bool is_list(const struct field *f)
{
    return f->type == Y_TEXTS || f->type == Y_ADDRESSES || f->type == Y_LIST || (f->type == Y_OWN && f->own->list);
}

/* The items of a list, as its field_text has them: "[a, b]" comes from items that are told apart again by writing each
 * alone, so the table's own writers are used. */
static void list_items(struct arena *a, const struct field *f, const void *object, strings *out)
{
    struct any_vec {
        const char *v;
        size_t n, cap;
    } vec;
    struct strbuf b = { 0 };
    if (f->type == Y_OWN) {
        f->own->write(&b, object);
        for (char *s = b.p ? b.p : NULL, *end; s && *s; s = end + 1) {
            end = s + strcspn(s, "\n");
            vec_add(a, out, arena_strndup(a, s, (size_t)(end - s)));
            if (!*end)
                break;
        }
        buf_free(&b);
        return;
    }
    memcpy(&vec, (const char *)object + f->at, sizeof vec);
    size_t size = f->type == Y_TEXTS       ? sizeof(const char *)
                  : f->type == Y_ADDRESSES ? sizeof(struct ip_range)
                                           : f->of->size;
    for (size_t i = 0; i < vec.n; i++) {
        struct any_vec alone = { vec.v + i * size, 1, 1 };
        struct field moved = *f;
        moved.at = 0;
        const char *text = field_text(a, &moved, &alone);
        size_t n = text ? strlen(text) : 0;
        if (n > 1 && text[0] == '[' && text[n - 1] == ']')
            text = arena_strndup(a, text + 1, n - 2);
        else if (n > 2 && strncmp(text, "- ", 2) == 0)
            text += 2;
        if (text)
            vec_add(a, out, text);
    }
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* Items of x that y lacks, in x's order; an item that occurs twice counts twice only where order has a meaning. */
static void items_missing(struct arena *a, const strings *x, const strings *y, strings *out)
{
    const char **sorted = arena_alloc(a, (y->n + 1) * sizeof *sorted);
    if (y->n) {
        memcpy(sorted, y->v, y->n * sizeof *sorted);
        qsort(sorted, y->n, sizeof *sorted, by_text);
    }
    for (size_t i = 0; i < x->n; i++)
        if (!y->n || !bsearch(&x->v[i], sorted, y->n, sizeof *sorted, by_text))
            vec_add(a, out, x->v[i]);
}

/* Of paths with the same external text the first one counts: their order is the one that means something. */
static bool same_paths_first(const struct rule *x, const struct rule *y)
{
    for (size_t i = 0; i < x->paths.n; i++) {
        const struct path *p = &x->paths.v[i];
        size_t above = 0, k = 0;
        while (above < i &&
               (x->paths.v[above].kind != p->kind || ascii_casecmp(x->paths.v[above].external, p->external) != 0))
            above++;
        while (k < y->paths.n &&
               (y->paths.v[k].kind != p->kind || ascii_casecmp(y->paths.v[k].external, p->external) != 0))
            k++;
        if (above == i && (k == y->paths.n || !str_equal(p->internal, y->paths.v[k].internal)))
            return false;
    }
    return true;
}

static void compare_field(struct arena *a, const struct field *f, const char *key, unsigned bits, const void *before,
                          const void *after, struct diff_change *out)
{
    const char *x = field_text(a, f, before), *y = field_text(a, f, after);
    struct diff_field change = { .key = key, .bits = bits };
    if (str_equal(x, y))
        return;
    if (is_list(f)) {
        strings old = { 0 }, new = { 0 };
        list_items(a, f, before, &old);
        list_items(a, f, after, &new);
        items_missing(a, &old, &new, &change.removed);
        items_missing(a, &new, &old, &change.added);
        if (!change.removed.n && !change.added.n) {
            if (bits & FIELD_IS_SET && (strcmp(key, "paths") != 0 || same_paths_first(before, after)))
                return;
            change.removed = old; /* the same in another order, or another number of times */
            change.added = new;
        }
    } else {
        change.before = x;
        change.after = y;
    }
    *vec_push(a, &out->fields) = change;
}

void fields_compare(struct arena *a, enum diff_subject s, const void *before, const void *after,
                    struct diff_change *out)
{
    const struct schema *table = subject_schema(s);
    for (size_t i = 0; i < table->n; i++) {
        const struct field *f = &table->fields[i];
        unsigned bits = field_bits(s, f->key);
        if (strcmp(f->key, "export") == 0 || strcmp(f->key, "name") == 0 ||
            (s == DIFF_POLICY && strcmp(f->key, "parameters") != 0 && strcmp(f->key, "links") != 0 &&
             strcmp(f->key, "compression") != 0))
            continue;
        if (!is_object(f)) {
            compare_field(a, f, f->key, bits, before, after, out);
            continue;
        }
        for (size_t k = 0; k < f->of->n; k++)
            if (strcmp(f->of->fields[k].key, "export") != 0)
                compare_field(a, &f->of->fields[k], arena_printf(a, "%s.%s", f->key, f->of->fields[k].key), bits,
                              (const char *)before + f->at, (const char *)after + f->at, out);
    }
}
