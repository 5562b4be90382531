/* test_nginx: what stands in nginx.conf, read back as nginx reads it. Whether a live nginx answers as the rules say
 * is for `tmgc verify`; here: no name from an export changes the shape of the file, and the shape is the agreed one. */
#include "check.h"
#include "../../emitters/emit.h"

#include <stdlib.h>
#include <string.h>

/* ---- nginx's reader: one line a directive, "name arguments depth" ------------------ */
/* Skips what separates; false at the end. */
static bool skip(const char **s)
{
    for (;;) {
        *s += strspn(*s, " \t\r\n");
        if (**s != '#')
            return **s != '\0';
        *s += strcspn(*s, "\n");
    }
}

static size_t token_length(const char *s)
{
    if (*s != '"' && *s != '\'') {
        size_t n = 0;
        while (s[n] && !strchr(" \t\r\n;{", s[n]))
            n += s[n] == '$' && s[n + 1] == '{' ? 2 : 1;
        return n;
    }
    size_t n = 1;
    while (s[n] && s[n] != *s)
        n += s[n] == '\\' && s[n + 1] ? 2 : 1;
    return n + 1;
}

static void read_shape(const char *s, struct strbuf *shape, size_t *longest)
{
    int depth = 0;
    *longest = 0;
    while (skip(&s)) {
        if (*s == '}') {
            depth--;
            s++;
            continue;
        }
        size_t n = token_length(s), arguments = 0;
        /* what a map holds begins with a value, and only its place counts */
        if (strspn(s, "abcdefghijklmnopqrstuvwxyz_") == n)
            buf_add(shape, s, n);
        for (s += n; skip(&s) && *s != ';' && *s != '{'; arguments++, s += n) {
            n = token_length(s);
            if (n > *longest)
                *longest = n;
        }
        buf_printf(shape, " %zu %d\n", arguments, depth);
        depth += *s == '{';
        s += *s != '\0';
    }
    check(depth == 0, "braces", shape->p);
}

/* ---- a policy of one word ---------------------------------------------------------------- */
struct words {
    const char *name, *path, *url, *file;
};

static struct rule *add_rule(struct policy *p, const struct words *w, enum path_kind kind, const char *external,
                             const char *internal)
{
    struct rule *r = vec_push(p->arena, &p->rules);
    *r = (struct rule){ .name = w->name,
                        .enabled = true,
                        .listener = w->name,
                        .all_users = true,
                        .site = "site.corp",
                        .http_port = 80,
                        .ssl_port = 443,
                        .delegation = DELEGATE_NONE_BLOCK,
                        .description = w->name,
                        .spn = w->name };
    r->sources.any = true;
    r->at = (struct origin){ .guid = w->name, .line = 3 };
    *vec_push(p->arena, &r->names) = (struct public_name){ .kind = NAME_EXACT, .name = "www.x.example" };
    *vec_push(p->arena, &r->paths) = (struct path){ .kind = kind, .external = external, .internal = internal };
    return r;
}

static struct policy *policy_of(const struct words *w)
{
    struct policy *p = policy_new();
    struct listener *l = vec_push(p->arena, &p->listeners);
    *l = (struct listener){
        .name = w->name, .at = { .guid = w->name }, .http = 80, .https = 443, .connection_timeout = 120
    };
    struct listen_on *on = vec_push(p->arena, &l->on);
    on->network = w->name;
    vec_add(p->arena, &on->addresses, "192.0.2.1");
    struct farm *f = vec_push(p->arena, &p->farms);
    *f = (struct farm){ .name = w->name };
    for (int i = 0; i < 2; i++)
        *vec_push(p->arena, &f->members) = (struct farm_member){ .host = i ? "b.corp" : "a.corp", .drained = i };
    for (enum path_kind k = PATH_PREFIX; k <= PATH_STEM; k++) {
        add_rule(p, w, k, w->path, NULL);
        add_rule(p, w, k, w->path, w->path);
    }
    struct rule *deny = add_rule(p, w, PATH_PREFIX, "/deny", NULL);
    deny->action = ACTION_DENY;
    deny->redirect_url = w->url;
    add_rule(p, w, PATH_PREFIX, "/off", NULL)->enabled = false;
    add_rule(p, w, PATH_PREFIX, "/farm", NULL)->farm = w->name;
    struct rule *from = add_rule(p, w, PATH_PREFIX, "/from", NULL);
    from->sources.any = false;
    ipset_add(p->arena, &from->sources.addresses, 0x0a000000, UINT32_MAX);
    add_rule(p, w, PATH_PREFIX, "/both", NULL)->bridging = BRIDGE_BOTH;
    add_rule(p, w, PATH_PREFIX, "/lost", NULL)->listener = NULL;
    p->source = w->name;
    policy_finish(p);
    return p;
}

/* The config of a policy made of these words; its lines are checked on the way. */
static char *config_of(const struct words *w)
{
    struct policy *p = policy_of(w);
    struct strbuf err = { 0 };
    struct site *site = site_parse(NULL, "", 0, &err);
    struct findings f;
    findings_init(&f, p->arena);
    site->trust = w->file;
    struct plan *plan = plan_make(p, site, &f);
    for (size_t i = 0; i < plan->rules.n; i++)
        plan->rules.v[i].via = w->url;
    struct emission e;
    struct arena *a = arena_new();
    int rc = emit_nginx(plan, a, &e, &err);
    check(rc == 0, "proof", err.p ? err.p : "");
    char *text = strndup(rc ? "" : e.text.p, rc ? 0 : e.text.n);
    size_t line = 1;
    const char *s = text;
    for (size_t i = 0; !rc && i < e.rules.n; i++) {
        for (; line < e.rules.v[i].first && *s; line++)
            s += strcspn(s, "\n") + 1;
        s += strspn(s, " ");
        check(!strncmp(s, "# rule ", 7) && (size_t)atoll(s + 7) == i + 1, "a rule's first line", s);
        check(e.rules.v[i].last > e.rules.v[i].first, "a rule's last line", s);
    }
    if (!rc)
        emission_free(&e);
    arena_free(a);
    plan_free(plan);
    site_free(site);
    policy_free(p);
    buf_free(&err);
    return text;
}

/* ---- the same shape, whatever the words ------------------------------------------------------- */
static void test_hostile(void)
{
    static const char *const hostile[] = {
        "; return 200; #",
        "\"; return 200; \"",
        "}\nserver { listen 1; }",
        "'",
        "\\",
        "a\\",
        "$host",
        "${host}",
        "\r\nX: y",
        "#",
        "a b",
        "{",
        "}",
        "{{{",
        "*/",
        "\xc3\xa9",
        "\xe2\x80\xae",
        "[",
        "(",
        "(?#",
        "|",
        "\\Q",
        "~*",
        "=",
        "@blocked",
        "\"\\\"",
        "\\\\\"",
        "%",
        "default",
        "include /etc/passwd;",
        "\x01\x02\x7f",
        "\t",
        "if ($x) { return 200; }",
        "$dollar",
        "^",
        ".*",
        "$",
    };
    struct words plain = { "word", "/word", "http://word/", "/word" };
    struct strbuf expected = { 0 }, shape = { 0 };
    struct arena *a = arena_new();
    size_t longest;
    char *text = config_of(&plain);
    read_shape(text, &expected, &longest);
    free(text);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        const char *h = hostile[i];
        bool url = !strpbrk(h, "\r\n\t\x01"); /* a header cannot hold these: such a URL is not sent */
        struct words w = { h, arena_printf(a, "/%s", h), url ? arena_printf(a, "http://x/%s", h) : "http://x/",
                           arena_printf(a, "/%s", h) };
        text = config_of(&w);
        buf_clear(&shape);
        read_shape(text, &shape, &longest);
        /* the only line that a word may add is the definition of a dollar sign */
        static const char definition[] = "geo 1 1\ndefault 1 2\n";
        char *dollar = strstr(shape.p, definition);
        if (dollar && strstr(text, "geo $dollar"))
            memmove(dollar, dollar + strlen(definition), strlen(dollar + strlen(definition)) + 1);
        check(!strcmp(shape.p, expected.p), "the shape changes", h);
        free(text);
    }
    buf_free(&expected);
    buf_free(&shape);
    arena_free(a);
}

static void test_lengthy(void)
{
    struct strbuf b = { 0 }, shape = { 0 };
    size_t longest;
    buf_putc(&b, '/');
    for (int i = 0; i < 9000; i++)
        buf_puts(&b, "\"\\$(");
    struct words w = { b.p, b.p, b.p, "/trust" };
    char *text = config_of(&w);
    read_shape(text, &shape, &longest);
    check(longest < 4096, "nginx takes no parameter of 4096 bytes", "");
    for (const char *s = text; *s; s += strcspn(s, "\n") + (s[strcspn(s, "\n")] != '\0'))
        if (s[strspn(s, " ")] == '#')
            check(strcspn(s, "\n") < 2000, "a comment that long", s);
    free(text);
    buf_free(&b);
    buf_free(&shape);
}

static void test_same_bytes(void)
{
    struct words w = { "word", "/word", "http://word/", "/word" };
    char *one = config_of(&w), *two = config_of(&w);
    check(!strcmp(one, two), "two runs differ", "");
    check(strstr(one, "\n\n\n") == NULL, "two empty lines", "");
    check(strstr(one, "255.255.255.255") == NULL, "an address that nginx does not take", "");
    free(one);
    free(two);
}

int main(void)
{
    test_hostile();
    test_lengthy();
    test_same_bytes();
    return summary("nginx");
}
