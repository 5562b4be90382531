/* Routing of publishd: the plan that publishd.yaml gives is tmgc's own, and the hashed routing gives what decide() gives.
 *
 *   test_route                          random policies, small and large; and what a decision costs
 *   test_route agree EXPORT SITE SEED N     an export's plan against its publishd.yaml's, N requests
 */
#include "check.h"
#include "emitters/emit.h"
#include "emitters/publishd.h"
#include "parser/parser.h"
#include "proxy/pages.h"
#include "proxy/route.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- chance ------------------------------------------------------------------------- */

static uint64_t seed = 1;

static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return n ? (unsigned)(seed >> 33) % n : 0;
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

#define PICK(list) (list)[below(sizeof(list) / sizeof *(list))]

/* ---- random policies ---------------------------------------------------------------------- */

static const char *const paths[] = { "/*",       "/a/*",     "/a/b/*",   "/ab/*",  "/A/B/*",      "/a",
                                     "/a/",      "/a/b",     "/a/c.htm", "/x.htm", "/_vti.html*", "/a.b/*",
                                     "/a%20b/*", "/a/b/c/*", "/stem*",   "/st*",   "/a*b/*",      "/long/er/path/*",
                                     "/ä/*" };
static const char *const inside[] = { "/*", "/in/*", "/a/*", "/deep/er/*", "/app\\", "/p%20q/*" };
static const char *const inside_exact[] = { "/start.htm", "/in/start.htm", "/" };
static const char *const filters[] = {
    "<Configuration><Verbs AllowCondition='1'><Verb Value='GET'/><Verb Value='POST'/></Verbs></Configuration>",
    "<Configuration MaxRequestBodyLen='10'><UrlValidation MaxLength='40' MaxQueryLength='9' VerifyNormalization='true'/></Configuration>",
    "<Configuration><UrlValidation AllowHighBitCharacters='false' BlockDotInPath='true'><Extensions AllowCondition='2'>"
    "<Extension Value='.htm'/></Extensions></UrlValidation><RequestHeaders><Header Value='X-Bad'/></RequestHeaders></Configuration>",
    "<Configuration><DeniedSignatures><Signature SearchIn='Request URL' Pattern='b/c'/>"
    "<Signature SearchIn='Request headers' Header='X-Good' Pattern='evil'/></DeniedSignatures></Configuration>",
};

static const char *random_name(struct arena *a, unsigned pool)
{
    static const char *const tails[] = { "a.example", "b.example", "www.a.example", "x.www.a.example" };
    switch (below(8)) {
    case 0: return "*.a.example";
    case 1: return "*.example";
    case 2: return "*.www.a.example";
    case 3: return "192.0.2.7";
    case 4: return PICK(tails);
    default: return arena_printf(a, "h%u.%s", below(pool), PICK(tails));
    }
}

static void random_paths(struct arena *a, struct rule *r, unsigned pool)
{
    for (unsigned n = 1 + below(3); n; n--) {
        struct path p = { 0 };
        enum path_kind kind;
        bool odd;
        const char *outside = one_in(3) ? arena_printf(a, "/p%u/*", below(pool)) : PICK(paths);
        if (!normalise_path(a, outside, &p.kind, &p.external, &odd))
            continue;
        if (one_in(3)) {
            const char *to = p.kind == PATH_EXACT ? PICK(inside_exact) : PICK(inside);
            const char *literal;
            if (normalise_path(a, to, &kind, &literal, &odd) && kind == p.kind)
                p.internal = literal;
        }
        vec_add(a, &r->paths, p);
    }
}

static void random_conditions(struct policy *p, struct rule *r, unsigned pool)
{
    struct arena *a = p->arena;
    struct public_name name;
    r->all_names = one_in(12);
    for (unsigned n = 1 + below(3); n && !r->all_names; n--)
        if (normalise_public_name(a, random_name(a, pool), &name))
            vec_add(a, &r->names, name);
    random_paths(a, r, pool);
    r->sources.any = !one_in(4);
    if (!r->sources.any)
        ipset_add(a, &r->sources.addresses, 100 + below(50), 160 + below(100));
    if (one_in(6))
        ipset_add(a, &r->sources.except_addresses, 120 + below(20), 150 + below(30));
    r->schedule = one_in(6) ? one_in(2) ? "Nights" : "Days" : NULL;
    r->schedule_unknown = one_in(40);
    if (r->schedule_unknown)
        r->schedule = "Lost";
    r->sources.unknown = one_in(40);
    r->all_users = !one_in(6);
    if (!r->all_users && !one_in(5))
        vec_add(a, &r->users, one_in(2) ? "Staff" : "Others");
}

static void random_rule(struct policy *p, unsigned number, unsigned pool)
{
    struct arena *a = p->arena;
    struct rule *r = vec_push(a, &p->rules);
    r->name = arena_printf(a, "Rule %u", number);
    r->listener = one_in(30) ? NULL : one_in(3) ? "Other" : "Web";
    r->enabled = !one_in(15);
    r->action = one_in(9) ? ACTION_DENY : ACTION_ALLOW;
    r->redirect_url = r->action == ACTION_DENY && one_in(2) ? "https://elsewhere.example/x?y=%d" : NULL;
    random_conditions(p, r, pool);
    r->site = one_in(30) ? NULL : "in.corp.example";
    r->server = one_in(3) ? "10.0.0.9" : NULL;
    r->farm = one_in(6) ? "Farm" : NULL;
    r->bridging = (enum bridging)below(one_in(10) ? 4 : 3);
    r->http_port = one_in(3) ? 8080 : 80;
    r->ssl_port = one_in(3) ? 4443 : 443;
    r->forward_host = one_in(2);
    r->delegation = one_in(3) ? DELEGATE_NONE_PASS : one_in(3) ? DELEGATE_BASIC : DELEGATE_NONE_BLOCK;
    r->require_ssl = one_in(8) ? 1 + below(2) : 0;
    r->client_certificate = one_in(20) ? CERTIFICATE_REQUIRED : CERTIFICATE_IGNORED;
    r->http_filter = one_in(4) ? PICK(filters) : NULL;
    r->pass_options = r->logging = true;
}

static void add_listener(struct policy *p, const char *name, long http, const char *address)
{
    struct listener *l = vec_push(p->arena, &p->listeners);
    struct listen_on *on = vec_push(p->arena, &l->on);
    l->name = name;
    l->http = http;
    l->https = one_in(4) ? 0 : one_in(2) ? 443 : 8443;
    l->redirect = one_in(3) ? (enum https_redirect)below(3) : HTTPS_REDIRECT_NEVER;
    l->basic = one_in(2);
    l->always_authenticate = one_in(8);
    l->connection_timeout = 120;
    on->select = ADDRESS_SPECIFIED;
    vec_add(p->arena, &on->addresses, address);
    vec_add(p->arena, &l->certificates,
            ((struct listener_certificate){ .thumbprint = "0123456789abcdef0123456789abcdef01234567" }));
}

static struct policy *random_policy(unsigned rules)
{
    struct policy *p = policy_new();
    struct schedule *nights = vec_push(p->arena, &p->schedules), *days = vec_push(p->arena, &p->schedules);
    struct farm *f = vec_push(p->arena, &p->farms);
    add_listener(p, "Web", 80, "192.0.2.1");
    add_listener(p, "Other", one_in(2) ? 80 : 8080, one_in(3) ? "192.0.2.1" : "192.0.2.2");
    *nights = (struct schedule){ .name = "Nights" };
    *days = (struct schedule){ .name = "Days" };
    for (size_t i = 0; i < 21; i++) {
        nights->hours[i] = (uint8_t)below(256);
        days->hours[i] = (uint8_t)~nights->hours[i];
    }
    *f = (struct farm){ .name = "Farm", .probe_threshold = 5000 };
    vec_add(p->arena, &f->members, ((struct farm_member){ .host = "10.0.0.1" }));
    vec_add(p->arena, &f->members, ((struct farm_member){ .host = "10.0.0.2", .drained = one_in(2) }));
    vec_add(p->arena, &p->user_sets, ((struct user_set){ .name = "Staff" }));
    for (unsigned i = 0; i < rules; i++)
        random_rule(p, i + 1, 1 + rules / 2);
    policy_finish(p);
    return p;
}

/* ---- two plans of one policy ---------------------------------------------------------------- */

struct both {
    struct policy *policy;
    struct site *site;
    struct findings findings;
    struct plan *plan;         /* tmgc's */
    struct snapshot *snapshot; /* what publishd makes of the file that tmgc wrote */
    int *rule_of;              /* of the snapshot's rules in the plan */
};

/* Files that are there: the config is checked, never served. */
static void name_files(struct plan *plan)
{
    plan->trust = plan->trust ? "/dev/null" : NULL;
    for (size_t i = 0; i < plan->listeners.n; i++)
        for (size_t k = 0; k < plan->listeners.v[i].sockets.n; k++)
            if (plan->listeners.v[i].sockets.v[k].tls)
                plan->listeners.v[i].sockets.v[k].chain = plan->listeners.v[i].sockets.v[k].key = "/dev/null";
}

static struct config *written_and_read(const struct plan *plan, struct arena *a, struct strbuf *err)
{
    struct emission e;
    char name[] = "/tmp/test_route.XXXXXX";
    struct config *c = NULL;
    int fd = mkstemp(name);
    if (emit_publishd(plan, a, &e, err) == 0 && fd >= 0 && write(fd, e.text.p, e.text.n) == (ssize_t)e.text.n)
        c = config_read(name, err);
    buf_free(&e.text);
    close(fd);
    unlink(name);
    return c;
}

static bool both_make(struct both *b, struct policy *policy, struct site *site)
{
    struct strbuf err = { 0 };
    *b = (struct both){ .policy = policy, .site = site };
    findings_init(&b->findings, policy->arena);
    b->plan = plan_make(policy, site, &b->findings);
    assess(b->plan, ON_ALL, "2026-01-01", &b->findings);
    name_files(b->plan);
    struct config *c = written_and_read(b->plan, policy->arena, &err);
    b->snapshot = c ? snapshot_new(c, &err) : NULL;
    check(b->snapshot, "the file is read", err.p);
    buf_free(&err);
    if (!b->snapshot)
        return false;
    b->rule_of = arena_alloc(policy->arena, (c->rules.n + 1) * sizeof *b->rule_of);
    for (size_t i = 0; i < c->rules.n; i++)
        b->rule_of[i] = (int)c->rules.v[i].number - 1;
    return true;
}

static void both_free(struct both *b)
{
    snapshot_free(b->snapshot);
    plan_free(b->plan);
    site_free(b->site);
    policy_free(b->policy);
}

static bool same_upstream(const struct plan_upstream *x, const struct plan_upstream *y)
{
    if (!x || !y)
        return x == y;
    bool same = x->tls == y->tls && x->port == y->port && x->servers.n == y->servers.n;
    for (size_t i = 0; same && i < x->servers.n; i++)
        same = str_equal(x->servers.v[i].host, y->servers.v[i].host) && x->servers.v[i].port == y->servers.v[i].port &&
               str_equal(x->servers.v[i].member, y->servers.v[i].member) &&
               x->servers.v[i].drained == y->servers.v[i].drained;
    return same;
}

static bool same_decision(const struct decision *x, const struct decision *y)
{
    bool target = x->answer == ANSWER_FORWARD || x->answer == ANSWER_NEEDS_USER;
    return x->answer == y->answer && x->status == y->status && x->rule == y->rule && x->path == y->path &&
           (x->status != 302 || str_equal(x->location, y->location)) &&
           (!target ||
            (str_equal(x->host, y->host) && str_equal(x->target, y->target) && same_upstream(x->to, y->to))) &&
           (x->answer != ANSWER_FILTERED || x->filtered == y->filtered);
}

/* ---- asking ------------------------------------------------------------------------------------ */

static const char *near_text(struct arena *a, const char *s)
{
    size_t n = strlen(s), at = below((unsigned)n + 1);
    char *t;
    switch (below(12)) {
    case 0: return arena_printf(a, "%.*sx%s", (int)at, s, s + at);
    case 1: return n > 1 ? arena_printf(a, "%.*s%s", (int)(at < n ? at : n - 1), s, s + (at < n ? at : n - 1) + 1) : s;
    case 2:
        t = arena_strdup(a, s);
        for (; *t; t++)
            *t = (char)(*t >= 'a' && *t <= 'z' && one_in(2) ? *t - 32 : *t);
        return t - n;
    default: return s;
    }
}

static const char *ask_host(struct arena *a, const struct rule *r)
{
    static const char *const extra[] = { "", "", "", ":8443", ".", ".:80" };
    if (one_in(25) || !r->names.n)
        return one_in(3) ? NULL : one_in(3) ? "" : "nobody.example";
    const char *name = r->names.v[below((unsigned)r->names.n)].name;
    if (*name == '*')
        name = arena_printf(a, "%s%s", one_in(4) ? "" : one_in(3) ? "q.w" : "w", name + 1);
    return arena_printf(a, "%s%s", near_text(a, name), PICK(extra));
}

static const char *ask_target(struct arena *a, const struct rule *r)
{
    static const char *const below_it[] = { "",      "/",        "/a/b.htm", "x",           "/index.html",
                                            "/../x", "/%2e%2e/", "//",       "/%252e%252e/" };
    static const char *const queries[] = { "", "", "?", "?a=b", "?a=/b/c%25", "?0123456789" };
    if (one_in(40))
        return one_in(2) ? "*" : "/";
    const struct path *p = r->paths.n ? &r->paths.v[below((unsigned)r->paths.n)] : NULL;
    const char *path = arena_printf(a, "%s%s", p ? near_text(a, p->external) : "", PICK(below_it));
    const char *form = one_in(15) ? one_in(2) ? "http://h1.a.example" : "https://w.a.example:1" : "";
    return arena_printf(a, "%s%s%s%s", form, *path == '/' || *form ? "" : "/", path, PICK(queries));
}

static struct request random_request(struct arena *a, const struct plan *p)
{
    static const char *const methods[] = { "GET", "POST", "RPC_IN_DATA", "OPTIONS" };
    static const char *const heads[] = { "", "X-Bad: 1\r\n", "X-Good: so evil\r\n", "X-Good: fine\r\n" };
    static const char *const own_sets[] = { "Staff", "Others", "staff" };
    const struct rule *r = &p->policy->rules.v[below((unsigned)p->policy->rules.n)];
    strings *sets = arena_alloc(a, sizeof *sets);
    struct request q = {
        .method = PICK(methods), .host = ask_host(a, r), .target = ask_target(a, r), .head = PICK(heads)
    };
    q.listener = below((unsigned)p->listeners.n);
    if (r->listener && !one_in(4) && policy_listener(p->policy, r->listener))
        q.listener = (size_t)(policy_listener(p->policy, r->listener) - p->policy->listeners.v);
    q.tls = one_in(2);
    q.port = q.tls ? p->listeners.v[q.listener].https : p->listeners.v[q.listener].http;
    q.client = one_in(3) ? (127u << 24) + below(1 << 24) : 90 + below(200);
    q.hour = one_in(20) ? -1 : (int)below(168);
    q.body = one_in(4) ? below(20) : 0;
    if (one_in(2)) {
        q.user = "LAB\\alice";
        vec_add(a, sets, PICK(own_sets));
        q.user_sets = sets;
    }
    return q;
}

static void ask(const struct both *b, unsigned times)
{
    struct arena *a = arena_new();
    for (unsigned i = 0; i < times && b->plan->policy->rules.n && b->plan->listeners.n; i++) {
        struct decision theirs, ours, own;
        struct request q = random_request(a, b->plan);
        decide(b->plan, &q, false, a, &theirs);
        decide_for_target(b->plan, TARGET_PUBLISHD, &q, &theirs);
        decide(b->snapshot->plan, &q, false, a, &own);
        decide_for_target(b->snapshot->plan, TARGET_PUBLISHD, &q, &own);
        route(b->snapshot, &q, a, &ours);
        const char *text =
            arena_printf(a, "%s %s listener %zu%s: %s, rule %d; %s, rule %d; routed %s, rule %d", q.host ? q.host : "-",
                         q.target, q.listener, q.tls ? " tls" : "", answer_names[theirs.answer], theirs.rule,
                         answer_names[own.answer], own.rule, answer_names[ours.answer], ours.rule);
        check(same_decision(&own, &ours), "the hashed routing decides as decide() does", text);
        if (own.rule >= 0)
            own.rule = b->rule_of[own.rule];
        check(same_decision(&theirs, &own), "publishd.yaml decides as the export does", text);
        arena_reset(a);
    }
    arena_free(a);
}

static struct site *site_with_certificate(void)
{
    static const char text[] = "site: 1\ntrust: /dev/null\ncertificates:\n"
                               "  \"0123456789abcdef0123456789abcdef01234567\": {chain: /dev/null, key: /dev/null}\n";
    struct strbuf err = { 0 };
    struct site *s = site_parse("site.yaml", text, sizeof text - 1, &err);
    buf_free(&err);
    return s;
}

static void random_policies(unsigned policies, unsigned rules, unsigned times)
{
    for (unsigned i = 0; i < policies; i++) {
        struct both b;
        if (both_make(&b, random_policy(rules), site_with_certificate()))
            ask(&b, times);
        both_free(&b);
    }
}

/* ---- what it costs -------------------------------------------------------------------------------- */

enum { TIMES = 8 };

/* Runs the child from one stop to the next, one instruction at a time; -1: it has ended. */
static long step_to_stop(pid_t child)
{
    int status;
    for (long n = 0;; n++) {
        if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
            return -1;
        if (WSTOPSIG(status) != SIGTRAP)
            return n;
    }
}

static bool run_to_stop(pid_t child)
{
    int status;
    return ptrace(PTRACE_CONT, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status);
}

/* Instructions that each() takes on average over TIMES, counted by stepping through them: the same everywhere, and no
 * counter of the processor is needed. -1 where nobody may trace. each(-1) does nothing and says what a stop costs. */
static double instructions(void (*each)(int i, void *of), void (*before)(int i, void *of), void *of)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            _exit(1);
        for (int i = -2; i < TIMES; i++) {
            before(i, of);
            raise(SIGSTOP);
            each(i, of);
            raise(SIGSTOP);
        }
        _exit(0);
    }
    long empty = 0, sum = 0, n = -1;
    bool runs = child > 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status);
    for (int i = -2; runs && i < TIMES; i++) {
        n = step_to_stop(child);
        empty = i < 0 ? n : empty;
        sum += i < 0 ? 0 : n - empty;
        runs = n >= 0 && (i + 1 == TIMES || run_to_stop(child));
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    return runs ? (double)sum / TIMES : -1;
}

/* Rules as an array has them: a name each, or many on one name; two paths; every fourth has a wildcard. */
static struct policy *plain_policy(unsigned rules, bool one_name)
{
    struct policy *p = policy_new();
    seed = 7;
    add_listener(p, "Web", 80, "192.0.2.1");
    p->listeners.v[0].redirect = HTTPS_REDIRECT_NEVER;
    p->listeners.v[0].always_authenticate = false;
    for (unsigned i = 0; i < rules; i++) {
        struct rule *r = vec_push(p->arena, &p->rules);
        struct public_name name;
        const char *host = one_name ? "www.contoso.example" : arena_printf(p->arena, "site%05u.contoso.example", i);
        *r = (struct rule){ .name = host,
                            .listener = "Web",
                            .enabled = true,
                            .sources = { .any = true },
                            .all_users = true,
                            .site = "in.example",
                            .http_port = 80,
                            .ssl_port = 443,
                            .delegation = DELEGATE_NONE_BLOCK };
        normalise_public_name(p->arena, host, &name);
        vec_add(p->arena, &r->names, name);
        if (i % 4 == 0 && !one_name) {
            normalise_public_name(p->arena, arena_printf(p->arena, "*.w%u.contoso.example", i), &name);
            vec_add(p->arena, &r->names, name);
        }
        const char *prefix = one_name ? arena_printf(p->arena, "/app%05u", i) : "/owa";
        vec_add(p->arena, &r->paths, ((struct path){ .kind = PATH_PREFIX, .external = prefix }));
        vec_add(p->arena, &r->paths,
                ((struct path){ .kind = PATH_PREFIX, .external = arena_printf(p->arena, "%s/ews", prefix) }));
    }
    policy_finish(p);
    return p;
}

struct costing {
    const struct snapshot *snapshot;
    struct arena *a;
    unsigned rules;
    bool one_name;
    char host[64], target[64];
    unsigned expected;
    struct request q;
    struct decision d;
};

static void set_request(int i, void *of)
{
    struct costing *c = of;
    (void)i;
    arena_reset(c->a);
    c->expected = below(c->rules);
    snprintf(c->host, sizeof c->host, c->one_name ? "www.contoso.example" : "site%05u.contoso.example", c->expected);
    snprintf(c->target, sizeof c->target,
             c->one_name ? "/app%05u/mail/inbox.aspx?ae=Folder" : "/owa/%05u/inbox.aspx?ae=Folder", c->expected);
    c->q =
        (struct request){ .method = "GET", .host = c->host, .target = c->target, .port = 80, .client = 5, .hour = 12 };
}

static void route_once(int i, void *of)
{
    struct costing *c = of;
    if (i >= 0)
        route(c->snapshot, &c->q, c->a, &c->d);
}

static double cost(unsigned rules, bool one_name)
{
    struct both b;
    struct costing c = { .a = arena_new(), .rules = rules, .one_name = one_name };
    double n = -1;
    if (both_make(&b, plain_policy(rules, one_name), site_with_certificate())) {
        c.snapshot = b.snapshot;
        for (int i = 0; i < 1000; i++) {
            set_request(i, &c);
            route_once(i, &c);
            check(c.d.answer == ANSWER_FORWARD && (unsigned)c.d.rule == c.expected, "the right rule forwards",
                  c.target);
        }
        n = instructions(route_once, set_request, &c);
    }
    both_free(&b);
    arena_free(c.a);
    return n;
}

static void costs(void)
{
    for (int one_name = 0; one_name < 2; one_name++) {
        double ten = cost(10, one_name), thousand = cost(1000, one_name), most = cost(10000, one_name);
        printf("  %s: %.0f, %.0f, %.0f instructions a decision with 10, 1,000, 10,000 rules\n",
               one_name ? "on one name" : "on names of their own", ten, thousand, most);
#if defined __OPTIMIZE__ && !defined __SANITIZE_ADDRESS__
        check(ten < 0 || (ten < 2500 && most < ten * 1.05), "a decision costs the same however many rules there are",
              NULL);
#endif
    }
}

/* ---- an export ---------------------------------------------------------------------------------------- */

static int agree(char **argv)
{
    struct strbuf text = { 0 }, err = { 0 };
    struct policy *policy = NULL;
    struct both b;
    seed = strtoull(argv[2], NULL, 10);
    struct site *site = site_read(strcmp(argv[1], "-") ? argv[1] : NULL, &err);
    if (!site || file_read(argv[0], 1 << 28, &text, &err) ||
        export_read(argv[0], text.p, text.n, NULL, &policy, &err)) {
        fprintf(stderr, "%s\n", err.p);
        return 2;
    }
    if (both_make(&b, policy, site))
        ask(&b, (unsigned)strtoul(argv[3], NULL, 10));
    both_free(&b);
    buf_free(&text);
    return summary("route");
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "agree") == 0)
        return agree(argv + 2);
    random_policies(150, 6, 300);
    random_policies(20, 60, 1000);
    random_policies(2, 1000, 1000);
    random_policies(1, 10000, 300);
    costs();
    return summary("route");
}
