/* nginx_paths: what becomes of paths - dots in them, the rule's own spelling towards the server, and the way back. */
#include "nginx_block.h"

#include <stdlib.h>
#include <string.h>

/* ---- towards the server ---------------------------------------------------------------- */

void block_places(struct block *b, const char *into)
{
    const struct rule *rule = b->r->rule;
    VEC(struct path) same = { 0 };
    for (size_t i = 0; i < rule->paths.n; i++)
        if (!rule->paths.v[i].internal && !nginx_path_too_long(&rule->paths.v[i]))
            vec_add(b->scratch, &same, rule->paths.v[i]);
    bool at_once = !into && same.n && block_paths_piece(b, same.v, same.n) == same.n;
    if (!at_once)
        write_line(b->w, "set $leaves 1;");
    for (size_t i = 0, n; i < same.n; i += n) {
        n = block_paths_piece(b, same.v + i, same.n - i);
        const char *pattern = regex_paths(b->scratch, same.v + i, n);
        if (!pattern[1])
            pattern = "^/"; /* all, but not the "" that $place is for what is spelled oddly */
        write_line(b->w, at_once ? "if ($place !~* %s) { return 403; }" : "if ($place ~* %s) { set $leaves 0; }",
                   block_pattern(b, pattern));
    }
    if (into)
        write_line(b->w, "set %s $leaves;", into);
    else if (!at_once)
        write_line(b->w, "if ($leaves) { return 403; }");
}

/* Pattern over the request target for what path m takes; what follows its literal is in $rest. */
static const char *rewrite_pattern(struct block *b, const struct path *m)
{
    static const char *const rests[] = {
        [PATH_PREFIX] = "(?<rest>$|[/?].*)", [PATH_EXACT] = "(?<rest>$|\\?.*)", [PATH_STEM] = "(?<rest>.*)"
    };
    enum path_kind kind = m->kind == PATH_PREFIX && !*m->external ? PATH_STEM : m->kind;
    const char *pattern = arena_printf(b->scratch, "^%s%s", block_escaped(b, m->external), rests[kind]);
    block_prove_pair(b, pattern, arena_printf(b->scratch, "%s?q", m->external),
                     kind == PATH_STEM ? NULL : arena_printf(b->scratch, "%sz", m->external));
    return pattern;
}

/* The paths are tried from the last to the first, so that the one which the source tries first has the last word. */
void block_rewrites(struct block *b)
{
    const struct rule *rule = b->r->rule;
    bool mixed = rule_has_identity(rule), rooted = true;
    b->m->uses_dots = true;
    if (mixed)
        block_places(b, "$leaves_same");
    else
        write_line(b->w, "if ($dots) { return 403; }");
    write_line(b->w, "set $to $request_uri;");
    for (size_t i = rule->paths.n; i-- > 0;) {
        const struct path *m = &rule->paths.v[i];
        if (nginx_path_too_long(m))
            continue;
        const char *pattern = block_pattern(b, rewrite_pattern(b, m));
        const char *value = m->internal ? block_value(b, "", m->internal, "$rest") : "$request_uri";
        const char *leaves = !mixed ? "" : m->internal ? " set $leaves $dots;" : " set $leaves $leaves_same;";
        if (strlen(value) > NGINX_VALUE_MAX)
            write_line(b->w, "if ($request_uri ~* %s) { return 403; }", pattern);
        else
            write_line(b->w, "if ($request_uri ~* %s) { set $to %s;%s }", pattern, value, leaves);
        rooted &= !m->internal || m->internal[0] == '/';
    }
    if (mixed)
        write_line(b->w, "if ($leaves) { return 403; }");
    if (!rooted)
        write_line(b->w, "if ($to !~ ^/) { set $to /$to; }");
}

/* ---- what comes back (D-15) --------------------------------------------------------------------- */
static const char *origin_pattern(struct block *b)
{
    const struct rule *rule = b->r->rule;
    struct strbuf p = { 0 };
    bool both = rule->server && rule->site && ascii_casecmp(rule->server, rule->site) != 0;
    buf_printf(&p, both ? "^https?://(?:%s|%s)" : "^https?://%s",
               block_escaped(b, rule->site ? rule->site : rule->server), both ? block_escaped(b, rule->server) : "");
    buf_printf(&p, rule->http_port == rule->ssl_port ? "(?::%ld)?" : "(?::(?:%ld|%ld))?", rule->http_port,
               rule->ssl_port);
    const char *s = arena_strndup(b->scratch, p.p, p.n);
    buf_free(&p);
    return s;
}

static int longest_internal_first(const void *x, const void *y)
{
    const struct path *const *p = x, *const *q = y;
    size_t n = strlen((*p)->internal), m = strlen((*q)->internal);
    return n != m ? (n < m) - (n > m) : (*p > *q) - (*p < *q);
}

static void add_pair(struct block *b, strings *pairs, const char *pattern, const char *value)
{
    const char *q = block_pattern(b, arena_printf(b->scratch, "~*%s", pattern));
    if (strlen(q) > NGINX_VALUE_MAX || strlen(value) > NGINX_VALUE_MAX)
        return;
    vec_add(b->scratch, pairs, q);
    vec_add(b->scratch, pairs, value);
}

/* pattern, value, pattern, value ...: from the server's own address and internal path to the client's. */
static void return_pairs(struct block *b, strings *pairs)
{
    static const char *const rests[] = {
        [PATH_PREFIX] = "(?<below>$|[/?#].*)", [PATH_EXACT] = "(?<below>$|[?#].*)", [PATH_STEM] = "(?<below>.*)"
    };
    const struct rule *rule = b->r->rule;
    const char *origin = origin_pattern(b);
    VEC(const struct path *) moved = { 0 };
    for (size_t i = 0; i < rule->paths.n; i++)
        if (rule->paths.v[i].internal && !nginx_path_too_long(&rule->paths.v[i]))
            vec_add(b->scratch, &moved, &rule->paths.v[i]);
    if (moved.n > 1)
        qsort(moved.v, moved.n, sizeof *moved.v, longest_internal_first);
    for (size_t i = 0; i < moved.n; i++) {
        const struct path *m = moved.v[i];
        enum path_kind kind = *m->internal ? m->kind : PATH_PREFIX; /* the server's name must end here */
        const char *pattern = arena_printf(b->scratch, "%s%s%s", origin, block_escaped(b, m->internal), rests[kind]);
        add_pair(b, pairs, pattern, block_value(b, "$scheme://$http_host", m->external, "$below"));
        block_prove_pair(b, pattern,
                         arena_printf(b->scratch, "HTTP://%s%s?q", rule->site ? rule->site : rule->server, m->internal),
                         "/");
    }
    if (!moved.n || *moved.v[moved.n - 1]->internal)
        add_pair(b, pairs, arena_printf(b->scratch, "%s%s", origin, rests[PATH_PREFIX]), "$scheme://$http_host$below");
}

void block_returns(struct block *b)
{
    const struct rule *rule = b->r->rule;
    strings pairs = { 0 };
    if (!rule->site && !rule->server) {
        write_line(b->w, "proxy_redirect off;");
        return;
    }
    return_pairs(b, &pairs);
    for (size_t i = 0; i + 1 < pairs.n; i += 2)
        write_line(b->w, "proxy_redirect %s %s;", pairs.v[i], pairs.v[i + 1]);
    const char *about = rule_rewrites(rule) || !rule->site ? rule->name : rule->site;
    write_line(b->w, "add_header Content-Location $%s always;", shared_content_location(b->m, about, &pairs));
}
