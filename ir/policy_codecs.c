/* policy_codecs: what in a policy reads better in words than as members: places in the export, hours, public names,
 * paths and findings, as the tables in policy_yaml.c use them. */
#include <string.h>
#include "policy.h"
#include "policy_codecs.h"

#define MAX_LINES 256 /* more than an object has settings; each is looked for among the others */

/* ---- places in the export ------------------------------------------------------------ */
/* A scalar of words between single spaces, "forward_host 830 delegation 835": a map of the same would be several times
 * as slow to read, and these make up half of a policy. Gives the next word; false at the end. */
static bool next_word(const char **s, char *word, size_t size)
{
    size_t n = strcspn(*s, " ");
    if (n == 0 || n >= size)
        return false;
    memcpy(word, *s, n);
    word[n] = '\0';
    *s += n + ((*s)[n] == ' ');
    return true;
}

static bool line_word(const char **s, uint32_t *line)
{
    char word[16];
    long v;
    if (!next_word(s, word, sizeof word) || !schema_number(word, &v) || v < 0 || v > (long)UINT32_MAX)
        return false;
    *line = (uint32_t)v;
    return true;
}

static bool key_word(const char *s)
{
    return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(s);
}

static void read_lines(struct yaml_reader *r, const struct node *node, struct origin *o)
{
    const char *s = schema_text(r, node, TEXT_FREE);
    while (s && *s) {
        char key[64];
        uint32_t line;
        if (o->lines.n == MAX_LINES || !next_word(&s, key, sizeof key) || !key_word(key) || !line_word(&s, &line)) {
            yaml_error(r, node, "lines: allowed are keys, each with a line number, like \"delegation 830 site 832\"");
            return;
        }
        origin_set(r->arena, o, key, line);
    }
}

static void write_lines(struct strbuf *b, const struct origin *o)
{
    const char *between = "";
    for (size_t i = 0; i < o->lines.n && i < MAX_LINES; i++) {
        if (!key_word(o->lines.v[i].key))
            continue;
        buf_printf(b, "%s%s %u", between, o->lines.v[i].key, (unsigned)o->lines.v[i].line);
        between = " ";
    }
}

static void read_origin_lines(struct yaml_reader *r, const struct node *node, void *o)
{
    read_lines(r, node, o);
}
static void write_origin_lines(struct strbuf *b, const void *o)
{
    write_lines(b, o);
}
static bool no_origin_lines(const void *o)
{
    return ((const struct origin *)o)->lines.n == 0;
}
static void read_rule_lines(struct yaml_reader *r, const struct node *node, void *o)
{
    read_lines(r, node, &((struct rule *)o)->at);
}
static void write_rule_lines(struct strbuf *b, const void *o)
{
    write_lines(b, &((const struct rule *)o)->at);
}
static bool no_rule_lines(const void *o)
{
    return ((const struct rule *)o)->at.lines.n == 0;
}

/* "820 821 822": the lines of a rule's names or paths, in the order of the list. A list that someone has made longer or
 * shorter is no error: what has no line has none. */
#define LIST_LINES(list)                                                                                               \
    static void read_lines_of_##list(struct yaml_reader *r, const struct node *node, void *o)                          \
    {                                                                                                                  \
        struct rule *rule = o;                                                                                         \
        const char *s = schema_text(r, node, TEXT_FREE);                                                               \
        uint32_t line;                                                                                                 \
        for (size_t i = 0; s && *s; i++) {                                                                             \
            if (!line_word(&s, &line)) {                                                                               \
                yaml_error(r, node, #list ": allowed are line numbers, like \"820 821\"");                             \
                return;                                                                                                \
            }                                                                                                          \
            if (i < rule->list.n)                                                                                      \
                rule->list.v[i].line = line;                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    static void write_lines_of_##list(struct strbuf *b, const void *o)                                                 \
    {                                                                                                                  \
        const struct rule *rule = o;                                                                                   \
        for (size_t i = 0; i < rule->list.n; i++)                                                                      \
            buf_printf(b, i ? " %u" : "%u", (unsigned)rule->list.v[i].line);                                           \
    }                                                                                                                  \
    static bool no_lines_of_##list(const void *o)                                                                      \
    {                                                                                                                  \
        const struct rule *rule = o;                                                                                   \
        for (size_t i = 0; i < rule->list.n; i++)                                                                      \
            if (rule->list.v[i].line)                                                                                  \
                return false;                                                                                          \
        return true;                                                                                                   \
    }
LIST_LINES(names)
LIST_LINES(paths)

/* ---- the ledger: "WEB_USERS 3 WEB_SPN 1" ---------------------------------------------- */
static void read_counts(struct yaml_reader *r, const struct node *node, ledger_counts *list)
{
    const char *s = schema_text(r, node, TEXT_FREE);
    while (s && *s) {
        char id[64];
        struct ledger_count c;
        if (!next_word(&s, id, sizeof id) || !key_word(id) || !line_word(&s, &c.n)) {
            yaml_error(r, node, "allowed are settings, each with a number, like \"WEB_USERS 3 WEB_SPN 1\"");
            return;
        }
        c.setting = arena_strdup(r->arena, id);
        vec_add(r->arena, list, c);
    }
}

static void write_counts(struct strbuf *b, const ledger_counts *list)
{
    for (size_t i = 0; i < list->n; i++)
        buf_printf(b, "%s%s %u", i ? " " : "", list->v[i].setting, (unsigned)list->v[i].n);
}

#define COUNTS(what, type, member)                                                                                     \
    static void read_##what##_counts(struct yaml_reader *r, const struct node *node, void *o)                          \
    {                                                                                                                  \
        read_counts(r, node, &((struct type *)o)->member);                                                             \
    }                                                                                                                  \
    static void write_##what##_counts(struct strbuf *b, const void *o)                                                 \
    {                                                                                                                  \
        write_counts(b, &((const struct type *)o)->member);                                                            \
    }                                                                                                                  \
    static bool no_##what##_counts(const void *o)                                                                      \
    {                                                                                                                  \
        return ((const struct type *)o)->member.n == 0;                                                                \
    }
COUNTS(origin, origin, counts)
COUNTS(rule, rule, at.counts)
COUNTS(ledger, ledger, settings)

const struct own own_origin_counts = { "settings and numbers", false, read_origin_counts, write_origin_counts,
                                       no_origin_counts };
const struct own own_rule_counts = { "settings and numbers", false, read_rule_counts, write_rule_counts,
                                     no_rule_counts };
const struct own own_ledger_settings = { "settings and numbers", false, read_ledger_counts, write_ledger_counts,
                                         no_ledger_counts };

const struct own own_origin_lines = { "keys and line numbers", false, read_origin_lines, write_origin_lines,
                                      no_origin_lines };
const struct own own_rule_lines = { "keys and line numbers", false, read_rule_lines, write_rule_lines, no_rule_lines };
const struct own own_name_lines = { "line numbers", false, read_lines_of_names, write_lines_of_names,
                                    no_lines_of_names };
const struct own own_path_lines = { "line numbers", false, read_lines_of_paths, write_lines_of_paths,
                                    no_lines_of_paths };

/* ---- schedules: "Mon-Fri 08:00-12:00, 13:00-18:00" ------------------------------ */
static const char *const days[7] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

static bool hour_on(const struct schedule *s, int day, int hour)
{
    int at = day * 24 + hour;
    return s->hours[at / 8] & 0x80 >> at % 8;
}

static bool same_hours(const struct schedule *s, int x, int y)
{
    for (int h = 0; h < 24; h++)
        if (hour_on(s, x, h) != hour_on(s, y, h))
            return false;
    return true;
}

static void write_day(struct strbuf *b, const struct schedule *s, int day)
{
    const char *between = " ";
    for (int from = 0, to; from < 24; from = to + 1) {
        for (to = from; to < 24 && hour_on(s, day, to); to++)
            ;
        if (to == from)
            continue;
        buf_printf(b, "%s%02d:00-%02d:00", between, from, to);
        between = ", ";
    }
}

/* Monday first; neighbouring days with the same hours are one item, days without any are left out. */
static void write_hours(struct strbuf *b, const void *object)
{
    const struct schedule *s = object;
    for (int i = 0, last; i < 7; i = last + 1) {
        int day = (i + 1) % 7;
        for (last = i; last < 6 && same_hours(s, day, (last + 2) % 7); last++)
            ;
        size_t from = b->n;
        buf_printf(b, last > i ? "\"%s-%s" : "\"%s", days[day], days[(last + 1) % 7]);
        size_t head = b->n;
        write_day(b, s, day);
        if (b->n == head)
            b->p[b->n = from] = '\0';
        else
            buf_puts(b, "\"\n");
    }
}

static bool no_hours(const void *object)
{
    static const uint8_t none[21];
    return memcmp(((const struct schedule *)object)->hours, none, sizeof none) == 0;
}

static int day_number(const char *s)
{
    for (int d = 0; d < 7; d++)
        if (ascii_ncasecmp(s, days[d], 3) == 0)
            return d;
    return -1;
}

/* "08:00" at s -> 8; 24 is the end of the day. */
static int hour_number(const char *s)
{
    if (strlen(s) < 5 || s[0] < '0' || s[0] > '2' || s[1] < '0' || s[1] > '9' || strncmp(s + 2, ":00", 3) != 0)
        return -1;
    int h = (s[0] - '0') * 10 + (s[1] - '0');
    return h <= 24 ? h : -1;
}

static bool take_hours(const char *s, struct schedule *schedule)
{
    int first = day_number(s), last = first;
    if (first < 0)
        return false;
    s += 3;
    if (*s == '-') {
        last = day_number(s + 1);
        s += last < 0 ? 0 : 4;
    }
    if (last < 0 || *s != ' ')
        return false;
    do {
        while (*s == ' ')
            s++;
        int from = hour_number(s), to = from < 0 || s[5] != '-' ? -1 : hour_number(s + 6);
        if (to <= from)
            return false;
        for (int d = first;; d = (d + 1) % 7) {
            for (int at = d * 24 + from; at < d * 24 + to; at++)
                schedule->hours[at / 8] |= (uint8_t)(0x80 >> at % 8);
            if (d == last)
                break;
        }
        s += 11;
    } while (*s++ == ',');
    return s[-1] == '\0';
}

static void read_hours(struct yaml_reader *r, const struct node *node, void *object)
{
    if (node->kind != NODE_LIST)
        yaml_error(r, node, "hours: found %s, allowed is a list", node_kind_name(node));
    for (const struct node *item = node->kind == NODE_LIST ? node->first : NULL; item; item = item->next) {
        const char *s = schema_text(r, item, TEXT_FREE);
        if (s && !take_hours(s, object))
            yaml_error(
                r, item,
                "found \"%.200s\" where days and hours belong, like \"Mon-Fri 08:00-12:00, 13:00-18:00\" (whole hours, up to 24:00)",
                s);
    }
}

const struct own own_hours = { "list of days and hours", true, read_hours, write_hours, no_hours };
/* ---- public names and paths ------------------------------------------------------- */
static void read_names(struct yaml_reader *r, const struct node *node, void *object)
{
    struct rule *rule = object;
    if (node->kind != NODE_LIST)
        yaml_error(r, node, "names: found %s, allowed is a list", node_kind_name(node));
    for (const struct node *item = node->kind == NODE_LIST ? node->first : NULL; item; item = item->next) {
        struct public_name name;
        const char *s = schema_text(r, item, TEXT_FREE);
        if (s && normalise_public_name(r->arena, s, &name))
            vec_add(r->arena, &rule->names, name);
        else if (s)
            yaml_error(r, item,
                       "\"%.200s\" is no public name; allowed are host names, \"*.\" before one, and addresses%s", s,
                       strcmp(s, "*") == 0 ? "; for all requests write all_names: true" : "");
    }
}

static void write_names(struct strbuf *b, const void *object)
{
    const struct rule *rule = object;
    for (size_t i = 0; i < rule->names.n; i++) {
        const struct public_name *n = &rule->names.v[i];
        buf_yaml(b, n->display ? n->display : n->name);
        buf_putc(b, '\n');
    }
}

static bool no_names(const void *object)
{
    return ((const struct rule *)object)->names.n == 0;
}

/* The internal path that replaces an external one of the given kind must be of the same kind. */
static const char *internal_literal(struct arena *a, enum path_kind kind, const char *text)
{
    enum path_kind found;
    const char *literal;
    bool odd;
    if (!normalise_path(a, text, &found, &literal, &odd))
        return NULL;
    if (found == kind)
        return literal;
    /* "/b/" "*" for a stem is "/b/" and whatever follows the external literal. */
    return kind == PATH_STEM && found == PATH_PREFIX ? arena_printf(a, "%s/", literal) : NULL;
}

static void read_path(struct yaml_reader *r, const struct node *item, struct rule *rule)
{
    static const char *const kinds[] = { "a path with /* at the end", "a path without a star at the end",
                                         "a path with a star at the end" };
    const struct node *external = item, *internal = NULL;
    if (item->kind == NODE_MAP) {
        external = node_value(item, "external");
        internal = node_value(item, "internal");
        if (!external || !internal || item->n != 4) {
            yaml_error(r, item, "allowed is a path, or {external: /a/*, internal: /b/*}");
            return;
        }
    }
    struct path path = { 0 };
    bool odd;
    const char *s = schema_text(r, external, TEXT_FREE);
    if (!s)
        return;
    if (!normalise_path(r->arena, s, &path.kind, &path.external, &odd)) {
        yaml_error(r, external, "\"%.200s\" is no path; a path begins with / and has no \"?\", \"#\" or \"..\" in it",
                   s);
        return;
    }
    if (internal) {
        s = schema_text(r, internal, TEXT_FREE);
        if (!s)
            return;
        path.internal = internal_literal(r->arena, path.kind, s);
        if (!path.internal) {
            yaml_error(r, internal, "\"%.200s\" cannot stand for \"%.200s\": allowed is %s", s, external->text,
                       kinds[path.kind]);
            return;
        }
    }
    vec_add(r->arena, &rule->paths, path);
}

static void read_paths(struct yaml_reader *r, const struct node *node, void *object)
{
    if (node->kind != NODE_LIST)
        yaml_error(r, node, "paths: found %s, allowed is a list", node_kind_name(node));
    for (const struct node *item = node->kind == NODE_LIST ? node->first : NULL; item; item = item->next)
        read_path(r, item, object);
}

static void write_paths(struct strbuf *b, const void *object)
{
    const struct rule *rule = object;
    struct strbuf pattern = { 0 };
    for (size_t i = 0; i < rule->paths.n; i++) {
        const struct path *p = &rule->paths.v[i];
        buf_clear(&pattern);
        buf_path_pattern(&pattern, p->kind, p->external);
        buf_puts(b, p->internal ? "{external: " : "");
        buf_yaml(b, pattern.p);
        if (p->internal) {
            buf_clear(&pattern);
            buf_path_pattern(&pattern, p->kind, p->internal);
            buf_puts(b, ", internal: ");
            buf_yaml(b, pattern.p);
            buf_putc(b, '}');
        }
        buf_putc(b, '\n');
    }
    buf_free(&pattern);
}

static bool no_paths(const void *object)
{
    return ((const struct rule *)object)->paths.n == 0;
}

const struct own own_names = { "list of names", true, read_names, write_names, no_names };
const struct own own_paths = { "list of paths", true, read_paths, write_paths, no_paths };

/* ---- notes: findings ----------------------------------------------------------------- */
/* "TMG1002" and the kind's own severity and remedy, which the keys after it may replace. */
static void read_code(struct yaml_reader *r, const struct node *node, void *object)
{
    struct finding *f = object;
    const char *s = schema_text(r, node, TEXT_FREE);
    long code = 0;
    size_t i = 0;
    if (!s)
        return;
    bool number = ascii_ncasecmp(s, "TMG", 3) == 0 && schema_number(s + 3, &code);
    while (i < FINDINGS && (!number || finding_kinds[i].code != (unsigned long)code))
        i++;
    if (i == FINDINGS) {
        yaml_error(r, node, "\"%.200s\" is no finding; their codes are in docs/findings.md", s);
        return;
    }
    f->id = (enum finding_id)i;
    f->severity = finding_kinds[i].severity;
    f->remedy = finding_kinds[i].remedy;
}

static void write_code(struct strbuf *b, const void *object)
{
    buf_printf(b, "TMG%u", finding_kinds[((const struct finding *)object)->id].code);
}

static void read_severity(struct yaml_reader *r, const struct node *node, void *object)
{
    struct finding *f = object;
    for (int i = 0; node->kind == NODE_SCALAR && i < 3; i++) {
        if (strcmp(node->text, severity_names[i]) == 0) {
            f->severity = (enum severity)i;
            return;
        }
    }
    yaml_error(r, node, "severity: allowed is info, warning or error");
}

static void write_severity(struct strbuf *b, const void *object)
{
    buf_puts(b, severity_names[((const struct finding *)object)->severity]);
}

static bool usual_severity(const void *object)
{
    const struct finding *f = object;
    return f->severity == finding_kinds[f->id].severity;
}

static void read_remedy(struct yaml_reader *r, const struct node *node, void *object)
{
    const char *s = schema_text(r, node, TEXT_FREE);
    if (s)
        ((struct finding *)object)->remedy = s;
}

static void write_remedy(struct strbuf *b, const void *object)
{
    const struct finding *f = object;
    buf_yaml(b, f->remedy ? f->remedy : "");
}

static bool usual_remedy(const void *object)
{
    const struct finding *f = object;
    return str_equal(f->remedy, finding_kinds[f->id].remedy);
}

static void read_targets(struct yaml_reader *r, const struct node *node, void *object)
{
    struct finding *f = object;
    if (node->kind != NODE_LIST)
        yaml_error(r, node, "targets: found %s, allowed is a list", node_kind_name(node));
    for (const struct node *item = node->kind == NODE_LIST ? node->first : NULL; item; item = item->next) {
        const char *s = schema_text(r, item, TEXT_TARGET);
        for (unsigned t = 0; s && t < TARGETS; t++)
            if (strcmp(s, target_names[t]) == 0)
                f->targets |= ON(t);
    }
}

static void write_targets(struct strbuf *b, const void *object)
{
    for (unsigned t = 0; t < TARGETS; t++)
        if (((const struct finding *)object)->targets & ON(t))
            buf_printf(b, "%s\n", target_names[t]);
}

static bool no_targets(const void *object)
{
    return !(((const struct finding *)object)->targets & ON_ALL);
}
static bool never_absent(const void *object)
{
    (void)object;
    return false;
}

const struct own own_code = { "code", false, read_code, write_code, never_absent };
const struct own own_severity = { "info, warning or error", false, read_severity, write_severity, usual_severity };
const struct own own_remedy = { "text", false, read_remedy, write_remedy, usual_remedy };
const struct own own_targets = { "list of targets", true, read_targets, write_targets, no_targets };
