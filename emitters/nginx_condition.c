/* nginx_condition: which requests a rule's block is for, as `if`s over host and raw path that lead to its location.
 * Long lists of names or paths are cut into several conditions. */
#include "nginx_block.h"
#include "../auth/place_names.h"

#include <string.h>

/* nginx takes no parameter of 4096 bytes. */
enum {
    PIECE_MAX = 1000,  /* bytes of pattern made of names, or of paths, in one condition */
    LITERAL_MAX = 1000 /* bytes of one escaped path; what begins as a longer one is refused */
};

bool nginx_path_too_long(const struct path *p)
{
    struct strbuf b = { 0 };
    if (strlen(p->external) > LITERAL_MAX / 4)
        quote(&b, Q_REGEX, p->external);
    bool is = b.n > LITERAL_MAX;
    buf_free(&b);
    return is;
}

/* One more escaped text in a piece of *bytes so far? The first always fits. */
static bool fits(struct block *b, size_t *bytes, const char *text)
{
    size_t n = strlen(block_escaped(b, text)) + 1;
    if (*bytes && *bytes + n > PIECE_MAX)
        return false;
    *bytes += n;
    return true;
}

/* How many of the names, or paths, go into one pattern. */
static size_t names_piece(struct block *b, const struct public_name *names, size_t n)
{
    size_t bytes = 0, i = 0;
    while (i < n && fits(b, &bytes, names[i].name))
        i++;
    return i;
}

size_t block_paths_piece(struct block *b, const struct path *paths, size_t n)
{
    size_t bytes = 0, i = 0;
    while (i < n && fits(b, &bytes, paths[i].external))
        i++;
    return i;
}

/* A request that the condition is for, as its subject spells it. */
static const char *sample(struct block *b, const char *from, const struct public_name *name, const struct path *path)
{
    const char *host = !name                         ? ""
                       : name->kind == NAME_WILDCARD ? arena_printf(b->scratch, "a%s", name->name + 1)
                                                     : name->name;
    return arena_printf(b->scratch, "%s%s%s", from, host, path ? *path->external ? path->external : "/" : "");
}

/* One `if`, for a source set or NULL, a pattern of names or NULL, and a pattern of paths or NULL, without anchors. */
static void write_condition(struct block *b, const char *from, const char *names, const char *paths, const char *text)
{
    struct arena *a = b->scratch;
    if (!names && !paths) {
        write_line(b->w, from ? "if ($%s) { %s }" : "%s%s", from ? from : "", b->action);
        return;
    }
    const char *subject = !names ? "path" : paths ? "where" : "host";
    const char *pattern =
        arena_printf(a, "^%s%s%s%s", from ? "1 " : "", names ? names : "", paths ? paths : "", paths ? "" : "$");
    if (from) {
        write_line(b->w, "set $key \"$%s %s\";", from, !names ? "$path" : paths ? "$host$path" : "$host");
        subject = "key";
    }
    write_line(b->w, "if ($%s ~* %s) { %s }", subject, block_pattern(b, pattern), b->action);
    block_prove_pair(b, pattern, text, arena_printf(a, " %s", text));
}

/* All pieces of the names, each with one piece of the paths. */
static void write_conditions_for(struct block *b, const char *from, bool host, const char *paths,
                                 const struct path *path)
{
    const struct rule *rule = b->r->rule;
    const char *one = from ? "1 " : "";
    if (!paths[1])
        path = NULL;                 /* all of them */
    paths = path ? paths + 1 : NULL; /* the condition has an anchor of its own */
    if (!host) {
        write_condition(b, from, NULL, paths, sample(b, one, NULL, path));
        return;
    }
    for (size_t i = 0, n; i < rule->names.n; i += n) {
        n = names_piece(b, rule->names.v + i, rule->names.n - i);
        const char *names = regex_names(b->scratch, rule->names.v + i, n);
        if (!b->m->failed)
            block_proven(b, regex_prove_names(names, rule->names.v + i, n, b->m->err));
        write_condition(b, from, names, paths, sample(b, one, &rule->names.v[i], path));
    }
}

void block_conditions(struct block *b, bool host, const char *id)
{
    const struct rule *rule = b->r->rule;
    const char *from = shared_conditions(b->m, b->r);
    const char *enter = arena_printf(b->scratch, "rewrite ^ %s last;", id);
    for (size_t i = 0, n; i < rule->paths.n; i += n) {
        const struct path *first = &rule->paths.v[i];
        struct path stem = { .kind = PATH_STEM };
        n = block_paths_piece(b, first, rule->paths.n - i);
        b->action = enter;
        if (nginx_path_too_long(first)) {
            stem.external = arena_strndup(b->scratch, first->external, LITERAL_MAX / 4);
            first = &stem;
            b->action = "return 403;";
            write_line(b->w, "# closed: nginx cannot hold a path as long as the one that begins like this");
        }
        const char *paths = regex_paths(b->scratch, first, n);
        if (!b->m->failed)
            block_proven(b, regex_prove_paths(paths, first, n, b->m->err));
        write_conditions_for(b, from, host, paths, first);
    }
}

void nginx_form_places(struct maker *m, const struct place *at, const struct cluster *c, const struct member *member)
{
    const struct plan_rule *r = &m->plan->rules.v[member->rule];
    if (!member->live || !rule_has_form(r))
        return;
    struct path places[4] = { { .external = arena_strndup(m->arena, PLACES, strlen(PLACES) - 1),
                                .kind = PATH_PREFIX } };
    size_t n = 1;
    for (const char *old = PLACES_OLD; *old; old += strcspn(old, " ")) {
        old++;
        places[n++] = (struct path){ .external = arena_strndup(m->arena, old, strcspn(old, " ")), .kind = PATH_EXACT };
    }
    struct block b = { .m = m, .scratch = arena_new(), .w = &m->body, .at = at, .r = r };
    b.action = arena_printf(b.scratch, "rewrite ^ %s last;", rule_id(b.scratch, r));
    write_line(b.w, "# publishd's sign-in form, and the source's address of it (B-84)");
    write_conditions_for(&b, NULL, rule_needs_host(r, c, member), regex_paths(b.scratch, places, n), &places[0]);
    arena_free(b.scratch);
}
