/* diff: the classes of paths and hosts, and random pairs of policies - what it claims is compared with decide() over a
 * large grid of requests that knows nothing of classes, and each witness is asked again. */
#include "check.h"
#include "ir/atoms.h"
#include "ir/diff.h"

#include <stdlib.h>
#include <string.h>

static unsigned state = 7;

static unsigned pick(unsigned n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % n;
}

/* ---- atoms -------------------------------------------------------------------------- */

static void test_paths(void)
{
    struct arena *a = arena_new();
    struct path_atoms p = { 0 };
    static const char *const literals[] = { "/a/", "/A", "", "/a/xy", "/b", "/a" };
    for (size_t i = 0; i < 6; i++)
        path_atoms_add(a, &p, literals[i]);
    path_atoms_make(a, &p);
    check(p.list.n == 5, "each literal once", "");
    size_t slash = path_atoms_find(&p, "/A/"), plain = path_atoms_find(&p, "/a");
    check(p.list.v[slash].parent == plain && p.list.v[plain].parent == 0, "parents", "");
    check(!path_atom_example(a, &p, plain, PATH_BELOW), "below /a there is /a/ alone", "");
    check(str_equal(path_atom_example(a, &p, slash, PATH_BESIDE), "/a/y"), "what no literal continues",
          path_atom_example(a, &p, slash, PATH_BESIDE));
    check(str_equal(path_atom_example(a, &p, 0, PATH_BELOW), "/"), "the shortest", "");
    arena_free(a);
}

static void test_hosts(void)
{
    struct arena *a = arena_new();
    struct host_atoms h = { 0 };
    static const char *const names[] = { "*.x.example", "www.x.example", "*.y.x.example", "x.example" };
    size_t from;
    for (size_t i = 0; i < 4; i++) {
        struct public_name n;
        normalise_public_name(a, names[i], &n);
        host_atoms_add(a, &h, &n);
    }
    host_atoms_make(a, &h);
    size_t wild = host_atoms_find(&h, "*.x.example");
    check(host_atoms_under(&h, wild, &from) - from == 3,
          "the wildcard, what is below it and the nested one, not x itself", "");
    check(str_equal(host_atom_example(a, &h, wild), "any.x.example"), "a fresh label", host_atom_example(a, &h, wild));
    arena_free(a);
}

/* ---- random policies ------------------------------------------------------------------- */

enum { RULES = 6, PATHS = 3, CHOICES = 12 };
static const char *const names[] = { "a.example",       "b.example",     "\"*.example\"",
                                     "\"*.a.example\"", "www.a.example", "192.0.2.7" };
static const char *const paths[] = { "/*",
                                     "/a/*",
                                     "/a/b/*",
                                     "/ab/*",
                                     "/a",
                                     "/a/",
                                     "/a/b.htm",
                                     "/_x*",
                                     "/%2e%2e/*",
                                     "/a%20b/*",
                                     "{external: /a/*, internal: /b/*}",
                                     "{external: /A/b/*, internal: /*}",
                                     "{external: /a/*, internal: /a/*}",
                                     "{external: /*, internal: /a/*}",
                                     "{external: /s, internal: /t}",
                                     "{external: /ab/c/*, internal: /aB/*}" };
static const char *const sources[] = { "{any: true}",
                                       "{any: true}",
                                       "{addresses: [10.0.0.0/8]}",
                                       "{addresses: [10.1.0.0/16, 192.0.2.0/24]}",
                                       "{networks: [Inside]}",
                                       "{any: true, except_addresses: [10.1.2.0-10.1.2.9]}",
                                       "{networks: [Outside]}" };
enum what { NAME, ALL, SOURCE, WHEN, USERS, ACTION, SITE, BRIDGE, OWN_HOST, SSL_ONLY, ON, DELEGATE };
struct made {
    int choice[CHOICES], path[PATHS], id;
};

static void random_rule(struct made *r, int id)
{
    for (int i = 0; i < CHOICES; i++)
        r->choice[i] = (int)pick(1000);
    for (int i = 0; i < PATHS; i++)
        r->path[i] = (int)pick(1000);
    r->id = id;
}

#define OF(list, n) (list)[(size_t)(n) % (sizeof(list) / sizeof *(list))]

static void write_rule(struct strbuf *b, const struct made *r)
{
    static const char *const users[] = { "all_users: true", "all_users: true", "all_users: true",
                                         "users: [S]",      "users: [S, T]",   "users: [All Authenticated Users]" };
    static const char *const actions[] = { "allow", "allow", "allow",
                                           "allow", "deny",  "deny\n    redirect_url: https://else.example/x" };
    static const char *const servers[] = { "site: one.corp", "site: two.corp", "site: one.corp\n    farm: F",
                                           "site: a.example\n    server: one.corp" };
    static const char *const bridges[] = { "http", "ssl", "both" }, *const delegations[] = { "block", "block", "pass",
                                                                                             "basic" };
    static const char *const when[] = { "", "", "", "", "    schedule: Day\n", "    schedule: Week\n" };
    const int *c = r->choice;
    buf_printf(b, "  - name: Rule %d\n    listener: L\n", r->id);
    if (c[ON] % 10 == 0)
        buf_puts(b, "    enabled: false\n");
    if (c[ALL] % 4 == 0)
        buf_puts(b, "    all_names: true\n");
    else
        buf_printf(b, "    names: [%s, %s]\n", OF(names, c[NAME]), OF(names, c[NAME] / 7 + 1));
    buf_printf(b, "    paths: [%s, %s, %s]\n", OF(paths, r->path[0]), OF(paths, r->path[1]), OF(paths, r->path[2]));
    buf_printf(b, "    sources: %s\n    %s\n%s", OF(sources, c[SOURCE]), OF(users, c[USERS]), OF(when, c[WHEN]));
    buf_printf(b, "    action: %s\n    %s\n    bridging: %s\n", OF(actions, c[ACTION]), OF(servers, c[SITE]),
               OF(bridges, c[BRIDGE]));
    buf_printf(b, "    forward_host: %s\n    delegation: %s\n", c[OWN_HOST] % 2 ? "true" : "false",
               OF(delegations, c[DELEGATE]));
    buf_printf(b, "    require_ssl: %s\n", c[SSL_ONLY] % 6 ? "optional" : "required");
}

static struct policy *make(const struct made *r, int n, int variant)
{
    static const char *const redirects[] = { "never", "authenticated", "always" };
    struct strbuf b = { 0 }, err = { 0 };
    buf_printf(
        &b,
        "policy: 1\nlisteners:\n  - name: L\n    on: [{select: specified, addresses: [192.0.2.1]}]\n    http: 80\n    https: %s\n"
        "    basic: %s\n    redirect: %s\n",
        variant % 40 == 1 ? "8443" : "443", variant % 40 == 2 ? "false" : "true",
        redirects[variant % 40 == 3   ? 1
                  : variant % 40 == 4 ? 2
                                      : 0]);
    buf_printf(&b, "farms:\n  - name: F\n    members: [{host: 10.9.0.1}, {host: %s}]\n",
               variant % 40 == 5 ? "10.9.0.3" : "10.9.0.2");
    buf_printf(&b, "networks:\n  - {name: Inside, addresses: [%s]}\n  - {name: Outside, kind: external}\n",
               variant % 40 == 6 ? "10.0.0.0/9" : "10.0.0.0/8");
    buf_printf(
        &b,
        "schedules:\n  - {name: Day, hours: [\"Mon-Fri 08:00-%s\"]}\n  - {name: Week, hours: [\"Mon-Fri 00:00-24:00\"]}\n",
        variant % 40 == 7 ? "17:00" : "18:00");
    buf_printf(
        &b,
        "user_sets:\n  - {name: S, accounts: [{name: \"D\\\\a\"}, {name: \"D\\\\b\"}]}\n  - {name: T, accounts: [{name: \"D\\\\%s\"}]}\nrules:\n",
        variant % 40 == 8 ? "a" : "c");
    for (int i = 0; i < n; i++)
        write_rule(&b, &r[i]);
    struct policy *p = policy_read("made", b.p, b.n, &err);
    check(p != NULL, "the policy that the test wrote", err.p ? err.p : "");
    buf_free(&b);
    buf_free(&err);
    return p;
}

/* ---- the other judge ---------------------------------------------------------------------- */

static void user_sets(struct arena *a, const struct policy *p, const char *user, strings *out)
{
    vec_add(a, out, "All Authenticated Users");
    for (size_t i = 0; i < p->user_sets.n; i++)
        for (size_t k = 0; k < p->user_sets.v[i].accounts.n; k++)
            if (ascii_casecmp(p->user_sets.v[i].accounts.v[k].name, user) == 0)
                vec_add(a, out, p->user_sets.v[i].name);
}

/* What a client and a published server can see of an answer. */
static const char *seen(struct arena *a, const struct plan *p, struct request q)
{
    struct decision d;
    strings sets = { 0 };
    struct strbuf b = { 0 };
    if (q.user)
        user_sets(a, p->policy, q.user, &sets);
    q.user_sets = &sets;
    decide(p, &q, false, a, &d);
    buf_printf(&b, "%d %s", d.status, d.status == 302 ? d.location : d.answer == ANSWER_NEEDS_USER ? "who?" : "");
    if (d.answer == ANSWER_FORWARD) {
        buf_printf(&b, " %d", d.to->tls);
        for (size_t i = 0; i < d.to->servers.n; i++)
            buf_printf(&b, " %s:%u", d.to->servers.v[i].host, d.to->servers.v[i].port);
        buf_printf(&b, " %s %s", d.host ? d.host : "-", d.target);
    }
    const char *out = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return out;
}

static const char *const ask_hosts[] = { "a.example",     "B.example:81", "c.example", "x.a.example",
                                         "www.a.example", "192.0.2.7",    "zz.test",   NULL };
static const char *const ask_paths[] = { "/",
                                         "/a",
                                         "/A/",
                                         "/a/b/c",
                                         "/a/B",
                                         "/a/b.htm",
                                         "/ab/c",
                                         "/AB/C/d",
                                         "/_xyz",
                                         "/s",
                                         "/q",
                                         "/a/../q",
                                         "/a/../ab/c",
                                         "/ab/../a/b",
                                         "/a/%2e%2e/a%20b/1",
                                         "/a/%252e%252e/x",
                                         "/a/x\\..\\y",
                                         "/%2e%2e/a",
                                         "/a%20b/x",
                                         "/a%20b/../a",
                                         "/s/../a",
                                         "/_x/../../a",
                                         "/a/b/../../ab/x",
                                         "*" };
static const uint32_t ask_clients[] = { 0x0a000001, 0x0a010203, 0x0a800001, 0x0a010205, 0xc0000205, 0x08080808 };
static const int ask_hours[] = { 34, 41, 42, 8, 2 * 24 };
static const char *const ask_users[] = { NULL, "D\\z", "D\\a", "D\\b", "D\\c" };

/* A grid with random places in each row; true: some request is answered differently. */
static bool sampled(const struct plan *x, const struct plan *y, struct strbuf *which)
{
    struct arena *a = arena_new();
    bool differs = false;
    for (size_t h = 0; h < sizeof ask_hosts / sizeof *ask_hosts && !differs; h++)
        for (size_t p = 0; p < sizeof ask_paths / sizeof *ask_paths && !differs; p++)
            for (size_t k = 0; k < 12 && !differs; k++) {
                struct request q = { .tls = k % 2,
                                     .method = "GET",
                                     .host = ask_hosts[h],
                                     .target = ask_paths[p],
                                     .client = ask_clients[pick(6)],
                                     .hour = ask_hours[pick(5)],
                                     .user = ask_users[pick(5)] };
                const char *old = seen(a, x, q), *new = seen(a, y, q);
                differs = strcmp(old, new) != 0;
                if (differs)
                    buf_printf(which, "%s %s from %x at %d as %s tls %d: %s, %s", q.host ? q.host : "-", q.target,
                               q.client, q.hour, q.user ? q.user : "-", q.tls, old, new);
            }
    arena_free(a);
    return differs;
}

static void replay(const struct plan *x, const struct plan *y, const struct witness *w, size_t *seen_witnesses)
{
    if (!w)
        return;
    (*seen_witnesses)++;
    if (!DIFFERS_LOUDLY(w->bits) || strcmp(w->side[0].answer, "no-listener") == 0 ||
        strcmp(w->side[1].answer, "no-listener") == 0)
        return;
    struct arena *a = arena_new();
    struct strbuf b = { 0 };
    struct request q = { .tls = w->tls,
                         .method = "GET",
                         .host = w->host,
                         .target = w->target,
                         .client = w->client,
                         .hour = w->hour,
                         .user = w->user };
    buf_witness_request(&b, w);
    check(strcmp(seen(a, x, q), seen(a, y, q)) != 0, "a witness is answered differently", b.p);
    buf_free(&b);
    arena_free(a);
}

static void compare(const struct policy *x, const struct policy *y, int round, size_t *same)
{
    struct strbuf err = { 0 }, which = { 0 };
    struct site *sites[2] = { site_read(NULL, &err), site_read(NULL, &err) };
    struct findings f;
    struct arena *a = arena_new();
    findings_init(&f, a);
    struct plan *before = plan_make(x, sites[0], &f), *after = plan_make(y, sites[1], &f);
    struct diff *d = diff_make(before, after, 0);
    size_t witnesses = 0;
    char label[64];
    snprintf(label, sizeof label, "round %d", round);
    bool differs = sampled(before, after, &which);
    check(!(d->same && differs), "called the same, and is not", which.p ? which.p : "");
    if (d->other) {
        buf_clear(&which);
        buf_printf(&which, "%s, bits %x, ", label, d->other->bits);
        buf_witness_request(&which, d->other);
    }
    check(!d->other, "a difference without a change that explains it", which.p ? which.p : "");
    for (size_t i = 0; i < d->changes.n; i++) {
        replay(before, after, d->changes.v[i].witness, &witnesses);
        replay(before, after, d->changes.v[i].move_witness, &witnesses);
        for (size_t k = 0; k < d->changes.v[i].fields.n; k++)
            replay(before, after, d->changes.v[i].fields.v[k].witness, &witnesses);
    }
    check(d->same == (witnesses == 0), "a difference has a witness", label);
    *same += d->same;
    diff_free(d);
    plan_free(before);
    plan_free(after);
    site_free(sites[0]);
    site_free(sites[1]);
    arena_free(a);
    buf_free(&err);
    buf_free(&which);
}

/* One edit: a choice, a path, two rules swapped, one more or less, an object that rules refer to. */
static void test_pairs(int rounds)
{
    size_t same = 0;
    for (int round = 0; round < rounds; round++) {
        struct made old[RULES], new[RULES];
        int n = 2 + (int)pick(RULES - 2), variant = 0;
        for (int i = 0; i < n; i++)
            random_rule(&old[i], i);
        memcpy(new, old, sizeof new);
        int i = (int)pick((unsigned)n), k = (int)pick((unsigned)n), m = n;
        switch (pick(6)) {
        case 0: new[i].path[pick(PATHS)] = (int)pick(1000); break;
        case 1:
            new[i] = old[k];
            new[k] = old[i];
            break;
        case 2: m--; break;
        case 3: variant = 1 + (int)pick(8); break;
        default: new[i].choice[pick(CHOICES)] = (int)pick(1000); break;
        }
        struct policy *x = make(old, n, 0), *y = make(new, m, variant);
        if (x && y)
            compare(x, y, round, &same);
        policy_free(x);
        policy_free(y);
    }
    check(rounds < 100 || (same > (size_t)rounds / 10 && same < (size_t)rounds * 9 / 10), "both kinds of pairs occur",
          "");
}

int main(int argc, char **argv)
{
    if (argc > 2)
        state = (unsigned)strtoul(argv[2], NULL, 10);
    test_paths();
    test_hosts();
    test_pairs(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 400);
    return summary("diff");
}
