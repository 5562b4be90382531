/* One run of verify: makes the probes, puts the configs and the published servers on loopback, starts each target in turn, asks
 * it all the probes with a few threads, and gathers what the comparison says. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define STRIDE 16 /* probes that a thread takes at once: neighbours share connections */
#define READY_MS 15000

const char *const verdict_names[VERDICTS] = { "agreed", "declared", "disagreed", "untested" };
static const struct {
    const char *program, *package;
} programs[TARGETS] = {
    [TARGET_NGINX] = { "nginx", "nginx" },
    [TARGET_HAPROXY] = { "haproxy", "haproxy" },
    [TARGET_PUBLISHD] = { "publishd", NULL },
};

/* Which members of a farm answered: one a (group, server). */
struct member_seen {
    int group;
    size_t server;
};

struct run {
    const struct plan *plan;
    const struct findings *findings;
    const struct verify_options *options;
    struct verify_report *report;
    struct arena *arena;
    struct loopback loopback;
    struct sandbox sandbox;
    struct sandbox behind; /* publishd, where rules go through it */
    struct authority *authority;
    struct places places;
    probes probes;
    struct stand_in *stand_in;
    struct authority *clients, *others; /* issuers of clients' certificates */
    SSL_CTX *tls[SHOWN];
    struct strbuf *err;
    struct sigaction pipe_before; /* a peer that closes early is an answer, not our end */
    /* of the target that runs */
    enum target target;
    struct judge judge;
    VEC(size_t) order; /* probe numbers, in the order in which they are asked */
    atomic_size_t next;
    atomic_bool gone;     /* the program ended by itself */
    pthread_mutex_t lock; /* for the report and what follows */
    VEC(struct member_seen) members;
};

/* ---- asking ---------------------------------------------------------------------------- */

static void add_case(struct run *r, size_t probe, const struct judgement *g)
{
    struct verify_report *out = r->report;
    const struct probe *b = &r->probes.v[probe];
    struct verify_case *c = vec_push(out->arena, &out->cases);
    *c = (struct verify_case){ .target = r->target,
                               .verdict = g->verdict,
                               .probe = probe,
                               .aim = b->aim,
                               .curl = curl_command(r->plan, b, out->arena),
                               .rule = g->rule,
                               .finding = g->finding,
                               .expected = arena_strdup(out->arena, g->expected.p ? g->expected.p : ""),
                               .got = arena_strdup(out->arena, g->got.p ? g->got.p : "") };
}

static void settle(struct run *r, size_t probe, const struct judgement *g, const struct sighting *s)
{
    pthread_mutex_lock(&r->lock);
    r->report->targets[r->target].count[g->verdict]++;
    if (g->verdict != VERDICT_AGREED)
        add_case(r, probe, g);
    if (r->probes.v[probe].group && s->times && g->rule == r->probes.v[probe].aimed)
        vec_add(r->arena, &r->members, ((struct member_seen){ r->probes.v[probe].group, s->server }));
    pthread_mutex_unlock(&r->lock);
}

/* For verify_options.only: what came, whatever the verdict. Each probe has a place of its own. */
static void keep_answer(struct run *r, size_t probe, const struct exchange *e, const struct sighting *s,
                        const struct judgement *g)
{
    pthread_mutex_lock(&r->lock);
    answer_fill(&r->report->targets[r->target].answers[probe], r->report->arena, &r->places, e, s, g);
    pthread_mutex_unlock(&r->lock);
}

static void ask(struct run *r, struct connection *c, size_t number, const char *cookie, struct exchange *e,
                struct sighting *s)
{
    const struct probe *b = &r->probes.v[number];
    const struct socket_place *to = &r->places.sockets.v[probe_place(r->plan, b)];
    bool tls = r->plan->listeners.v[b->listener].sockets.v[b->socket].tls;
    client_ask(c, r->tls, b, number, to->at, tls, clients_image(&r->places.clients, b->client), cookie, r->stand_in, e);
    stand_in_take(r->stand_in, number, s);
}

static void sighting_free(struct sighting *s)
{
    free(s->head);
    free(s->sni);
}

/* The cookie by which the target itself keeps a client on a member, as a Cookie field's value; NULL: it set none. */
static char *affinity_cookie(const struct exchange *e)
{
    size_t n;
    const char *v;
    for (size_t i = 0; (v = head_field(e->head.p, "Set-Cookie", i, &n)) != NULL; i++) {
        size_t end = 0;
        if (strncmp(v, "one=", 4) == 0 || strncmp(v, "two=", 4) == 0)
            continue;
        while (end < n && v[end] != ';')
            end++;
        struct strbuf b = { 0 };
        buf_puts(&b, "a=1; b=2; ");
        buf_add(&b, v, end);
        return b.p;
    }
    return NULL;
}

/* The same client again, twice, with what it was given: it must come to the same member (B-116). */
static void judge_affinity(struct run *r, struct connection *c, size_t number, const struct exchange *first,
                           const struct sighting *at, struct judgement *g)
{
    const struct probe *b = &r->probes.v[number];
    char *cookie = affinity_cookie(first);
    const struct plan_rule *rule = b->aimed >= 0 ? &r->plan->rules.v[b->aimed] : NULL;
    if (rule && !rule->rule->affinity_by_address && r->target == TARGET_HAPROXY && cookie == NULL)
        differs(g, "a cookie for the member", "none", "affinity");
    for (int i = 0; i < 2; i++) {
        struct exchange e = { 0 };
        struct sighting s;
        ask(r, c, number, cookie, &e, &s);
        if (s.times && s.server != at->server)
            differs(g, "the same member again", "another member", "affinity");
        sighting_free(&s);
        exchange_free(&e);
    }
    free(cookie);
}

static void one_probe(struct run *r, struct connection *c, size_t number)
{
    const struct probe *b = &r->probes.v[number];
    struct exchange e = { 0 };
    struct sighting s;
    struct judgement g = { 0 };
    ask(r, c, number, NULL, &e, &s);
    judge_exchange(&r->judge, b, number, &e, &s, &g);
    if (b->group && s.times && g.verdict == VERDICT_AGREED && number % 8 == 0)
        judge_affinity(r, c, number, &e, &s, &g);
    settle(r, number, &g, &s);
    if (r->options->only)
        keep_answer(r, number, &e, &s, &g);
    sighting_free(&s);
    exchange_free(&e);
    buf_free(&g.expected);
    buf_free(&g.got);
}

static void *worker(void *arg)
{
    struct run *r = arg;
    struct connection c = { .fd = -1 };
    for (;;) {
        size_t from = atomic_fetch_add(&r->next, STRIDE);
        if (from >= r->order.n || atomic_load(&r->gone))
            break;
        for (size_t i = from; i < from + STRIDE && i < r->order.n && !atomic_load(&r->gone); i++)
            one_probe(r, &c, r->order.v[i]);
    }
    connection_close(&c);
    buf_free(&c.in);
    return NULL;
}

/* ---- which probes, in which order ------------------------------------------------------- */

struct sort_key {
    uint32_t place, client;
    size_t number;
};

static int by_place(const void *x, const void *y)
{
    const struct sort_key *a = x, *b = y;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    if (a->client != b->client)
        return a->client < b->client ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static void make_order(struct run *r, bool bad_certificate)
{
    struct sort_key *k = calloc(r->probes.n + 1, sizeof *k);
    size_t n = 0;
    if (k == NULL)
        mem_fatal();
    for (size_t i = 0; i < r->probes.n; i++)
        if (r->probes.v[i].method && r->probes.v[i].bad_certificate == bad_certificate)
            k[n++] = (struct sort_key){ probe_place(r->plan, &r->probes.v[i]), r->probes.v[i].client, i };
    qsort(k, n, sizeof *k, by_place);
    r->order.n = 0;
    for (size_t i = 0; i < n; i++)
        vec_add(r->arena, &r->order, k[i].number);
    free(k);
}

static void progress(const struct run *r, size_t done)
{
    if (r->options->progress)
        fprintf(stderr, "\r\033[K%s: %zu of %zu requests", target_names[r->target],
                done < r->order.n ? done : r->order.n, r->order.n);
}

static void ask_all(struct run *r, size_t threads)
{
    pthread_t thread[256];
    size_t started = 0;
    atomic_store(&r->next, 0);
    while (started < threads && started < 256 && pthread_create(&thread[started], NULL, worker, r) == 0)
        started++;
    if (started == 0)
        worker(r);
    for (size_t done; (done = atomic_load(&r->next)) < r->order.n; usleep(50000)) {
        progress(r, done);
        if (!sandbox_running(&r->sandbox)) {
            atomic_store(&r->gone, true);
            break;
        }
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    progress(r, r->order.n);
}

/* ---- farms: did each member get its share? ------------------------------------------------ */

/* How many clients of the group came to this server; SIZE_MAX: to any. */
static size_t clients_seen(const struct run *r, int group, size_t server)
{
    size_t n = 0;
    for (size_t i = 0; i < r->members.n; i++)
        n += r->members.v[i].group == group && (server == SIZE_MAX || r->members.v[i].server == server);
    return n;
}

static void judge_farm(struct run *r, size_t probe)
{
    const struct probe *b = &r->probes.v[probe];
    const struct plan_upstream *u =
        &r->plan->rules.v[b->aimed].to[r->plan->listeners.v[b->listener].sockets.v[b->socket].tls];
    struct judgement g = { .rule = b->aimed, .finding = -1 };
    if (clients_seen(r, b->group, SIZE_MAX) < 10 * u->servers.n)
        return; /* the rule is closed here, or an earlier one takes most of these clients */
    for (size_t i = 0; i < u->servers.n; i++) {
        const struct plan_server *s = &u->servers.v[i];
        if (!s->drained && clients_seen(r, b->group, places_server(&r->places, s->host, s->port)) == 0) {
            struct strbuf name = { 0 };
            buf_printf(&name, "%s:%u", s->host, s->port);
            differs(&g, name.p, "none of many clients", "farm member");
            buf_free(&name);
        }
    }
    if (g.verdict == VERDICT_DISAGREED)
        settle(r, probe, &g, &(struct sighting){ 0 });
    buf_free(&g.expected);
    buf_free(&g.got);
}

static void judge_farms(struct run *r)
{
    int last = 0;
    for (size_t i = 0; i < r->probes.n; i++)
        if (r->probes.v[i].group != 0 && r->probes.v[i].group != last) {
            last = r->probes.v[i].group;
            judge_farm(r, i);
        }
}

/* ---- one target ----------------------------------------------------------------------------- */

static const char *write_file(struct run *r, const char *name, const struct strbuf *text)
{
    const char *path = arena_printf(r->arena, "%s/%s", r->sandbox.dir, name);
    if (file_write_new(path, text->p ? text->p : "", text->n, r->err) != 0)
        return NULL;
    if (r->options->keep) {
        const char *keep = path_join(r->arena, r->options->keep, name);
        if (file_make_dirs(r->options->keep, r->err) != 0)
            return NULL;
        unlink(keep);
        if (file_write_new(keep, text->p ? text->p : "", text->n, r->err) != 0)
            return NULL;
    }
    return path;
}

/* A certificate name relative to the config is a link: to what? */
struct links {
    struct run *run;
    const struct emission *emission;
    const char *folder;
};
static const char *follow_link(void *arg, const char *name)
{
    struct links *l = arg;
    char to[4096];
    if (l->folder) {
        ssize_t n = readlink(path_join(l->run->arena, l->folder, name), to, sizeof to - 1);
        return n > 0 ? arena_strndup(l->run->arena, to, (size_t)n) : name;
    }
    for (size_t i = 0; i < l->emission->links.n; i++)
        if (strcmp(l->emission->links.v[i].name, name) == 0)
            return l->emission->links.v[i].to;
    return name;
}

static const char *line_at(const char *text, uint32_t line, size_t *n)
{
    for (; line > 1 && (text = strchr(text, '\n')) != NULL; line--)
        text++;
    *n = text ? strcspn(text, "\n") : 0;
    return text;
}

/* Where each rule's block is: as emitted, or for a file that was edited since, from its heading on. */
static void locate_rules(struct run *r, const struct emission *e, const char *text)
{
    struct verify_target *t = &r->report->targets[r->target];
    uint32_t line = 1;
    const char *at = text, *fresh = e->text.p ? e->text.p : "";
    uint32_t fresh_line = 1;
    for (size_t i = 0; i < e->rules.n; i++) {
        struct rule_lines lines = e->rules.v[i];
        if (r->options->configs && lines.first) {
            size_t n;
            fresh = lines.first >= fresh_line ? line_at(fresh, lines.first - fresh_line + 1, &n) : NULL;
            fresh_line = lines.first;
            const char *p = at;
            uint32_t found = line;
            while (fresh && p && (strncmp(p, fresh, n) != 0 || (p[n] != '\n' && p[n] != '\0'))) {
                p = strchr(p, '\n');
                p = p && p[1] ? p + 1 : NULL;
                found++;
            }
            lines.last = p ? found + (lines.last - lines.first) : 0;
            lines.first = p ? found : 0;
            if (p) {
                at = p;
                line = found;
            }
            if (fresh == NULL) {
                fresh = e->text.p;
                fresh_line = 1;
            }
        }
        vec_add(r->report->arena, &t->lines, lines);
    }
}

/* The config of a target as text, fresh or from the folder of --configs. */
static int config_text(struct run *r, enum target t, struct emission *e, struct strbuf *text)
{
    const struct target_output *o = &target_outputs[t];
    if (o->emit(r->plan, r->arena, e, r->err) != 0)
        return -1;
    if (r->options->configs == NULL) {
        buf_add(text, e->text.p ? e->text.p : "", e->text.n);
        return 0;
    }
    const char *file = arena_printf(r->arena, "%s/%s/%s", r->options->configs, o->folder, o->file);
    return file_read(file, 256u << 20, text, r->err);
}

/* The places and the map of clients' addresses, for texts that are moved together. other: NULL for none. */
static void ready_places(struct run *r, const char *text, const char *other)
{
    r->places.clients.cuts.n = 0;
    places_clients(&r->places);
    substitution_scan(&(struct substitution){ .places = &r->places, .text = text });
    if (other)
        substitution_scan(&(struct substitution){ .places = &r->places, .text = other });
    clients_ready(&r->places.clients);
    for (size_t i = 0; i < r->places.sockets.n; i++)
        r->places.sockets.v[i].present = false;
}

static int substituted(struct run *r, enum target t, const struct emission *e, const char *text, struct strbuf *out)
{
    struct links l = { r, e,
                       r->options->configs
                           ? arena_printf(r->arena, "%s/%s", r->options->configs, target_outputs[t].folder)
                           : NULL };
    struct substitution s = { .places = &r->places, .text = text, .link = follow_link, .link_arg = &l, .err = r->err };
    static void (*const substitute[TARGETS])(struct substitution *) = { [TARGET_NGINX] = substitute_nginx,
                                                                        [TARGET_HAPROXY] = substitute_haproxy,
                                                                        [TARGET_PUBLISHD] = substitute_publishd };
    substitute[t](&s);
    substitution_apply(&s, out);
    return s.failed ? -1 : 0;
}

static void give_up(struct run *r, const char *why)
{
    struct verify_target *t = &r->report->targets[r->target];
    t->ran = false;
    t->why_not = arena_strdup(r->report->arena, why);
    while (t->why_not && *t->why_not && t->why_not[strlen(t->why_not) - 1] == '\n')
        t->why_not = arena_strndup(r->report->arena, t->why_not, strlen(t->why_not) - 1);
}

/* What the program itself said, for a config that it refuses. */
static void give_up_with_log(struct run *r, const char *what, const char *log)
{
    struct strbuf text = { 0 }, ignored = { 0 };
    buf_printf(&text, "%s:\n", what);
    file_read(log, 1 << 20, &text, &ignored);
    if (text.n > 4000) {
        text.n = 4000;
        text.p[4000] = '\0';
    }
    give_up(r, text.p);
    buf_free(&text);
    buf_free(&ignored);
}

/* The folder that this program is in: publishd is installed beside it. */
static const char *own_folder(struct arena *a)
{
    char name[4096];
    ssize_t n = readlink("/proc/self/exe", name, sizeof name - 1);
    while (n > 0 && name[n - 1] != '/')
        n--;
    return n > 1 ? arena_strndup(a, name, (size_t)n - 1) : "/usr/bin";
}

static const char *find_program(const struct run *r, enum target t)
{
    const char *given = r->options->binary[t];
    if (given)
        return access(given, X_OK) == 0 ? given : NULL;
    const char *path = getenv("PATH");
    struct strbuf all = { 0 };
    if (t == TARGET_PUBLISHD)
        buf_printf(&all, "%s:", own_folder(r->arena));
    buf_printf(&all, "%s:/usr/sbin:/usr/local/sbin:/sbin", path ? path : "/usr/bin");
    const char *found = NULL;
    for (const char *p = all.p; !found && *p;) {
        size_t n = strcspn(p, ":");
        const char *file = arena_printf(r->arena, "%.*s/%s", (int)n, p, programs[t].program);
        if (n && access(file, X_OK) == 0)
            found = file;
        p += n + (p[n] == ':');
    }
    buf_free(&all);
    return found;
}

static int start_target(struct run *r, enum target t, struct sandbox *in, const char *program, const char *config,
                        const char *log)
{
    const char *pid = arena_printf(r->arena, "daemon off; master_process off; pid %s/nginx.pid;", r->sandbox.dir);
    const char *nginx[] = { program, "-c", config, "-p", r->sandbox.dir, "-e", log, "-g", pid, NULL };
    const char *haproxy[] = { program, "-db", "-f", config, NULL };
    const char *publishd[] = { program, "-f", "-c", config, NULL };
    const char *const *const commands[TARGETS] = {
        [TARGET_NGINX] = nginx, [TARGET_HAPROXY] = haproxy, [TARGET_PUBLISHD] = publishd
    };
    return sandbox_start(in, commands[t], log, r->err);
}

/* Until every socket that the config names accepts; false: the program ended, or time is up. */
static bool wait_ready(struct run *r)
{
    int waited = 0;
    for (size_t i = 0; i < r->places.sockets.n; i++) {
        if (!r->places.sockets.v[i].present)
            continue;
        int fd;
        uint16_t any = 0;
        while ((fd = loopback_connect(r->places.sockets.v[i].at, 0, &any, 1000)) < 0) {
            if (!sandbox_running(&r->sandbox) || waited++ > READY_MS / 10)
                return false;
            usleep(10000);
        }
        close(fd);
    }
    return sandbox_running(&r->sandbox);
}

static size_t thread_count(const struct run *r)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    return r->options->jobs ? r->options->jobs : cpus > 0 ? (size_t)cpus * 4 : 8;
}

static void ask_target(struct run *r)
{
    if (r->options->only)
        r->report->targets[r->target].answers = answers_new(r->report->arena, &r->probes);
    make_order(r, false);
    ask_all(r, thread_count(r));
    judge_farms(r);
    make_order(r, true);
    if (r->order.n && !atomic_load(&r->gone)) {
        stand_in_wrong_name(r->stand_in, true);
        usleep(100000);  /* for the targets to see that their idle connections are closed */
        ask_all(r, 128); /* HAProxy waits between its tries: many at once */
        stand_in_wrong_name(r->stand_in, false);
    }
    if (r->options->progress)
        fputs("\r\033[K", stderr);
}

static bool through_publishd(const struct run *r)
{
    for (size_t i = 0; i < r->plan->rules.n; i++)
        if (r->plan->rules.v[i].preauth & ON(r->target))
            return true;
    return false;
}

/* The configs of the target, and of publishd behind it, written and started. 0, or -1 with a message. */
static int start_all(struct run *r, const char *program, const char *log, struct emission *e, struct strbuf *text)
{
    const struct target_output *o = &target_outputs[r->target], *d = &target_outputs[TARGET_PUBLISHD];
    struct emission behind = { 0 };
    struct strbuf other = { 0 }, moved = { 0 };
    bool through = through_publishd(r);
    const char *daemon = through ? find_program(r, TARGET_PUBLISHD) : NULL, *config = NULL;
    int failed = -1;
    if (through && !daemon)
        buf_puts(r->err, "rules go through publishd, which is neither beside tmgc nor in the PATH");
    else if (config_text(r, r->target, e, text) == 0 &&
             (!through || config_text(r, TARGET_PUBLISHD, &behind, &other) == 0)) {
        ready_places(r, text->p ? text->p : "", other.p);
        failed = substituted(r, r->target, e, text->p ? text->p : "", &moved) ||
                 !(config = write_file(r, o->file, &moved)) ||
                 start_target(r, r->target, &r->sandbox, program, config, log);
    }
    buf_clear(&moved);
    if (!failed && through)
        failed = substituted(r, TARGET_PUBLISHD, &behind, other.p, &moved) ||
                 !(config = write_file(r, arena_printf(r->arena, "%s-%s", o->folder, d->file), &moved)) ||
                 start_target(r, TARGET_PUBLISHD, &r->behind, daemon, config,
                              arena_printf(r->arena, "%s/%s-%s.log", r->sandbox.dir, o->folder, d->folder));
    emission_free(&behind);
    buf_free(&other);
    buf_free(&moved);
    return failed ? -1 : 0;
}

static void run_target(struct run *r)
{
    struct verify_target *t = &r->report->targets[r->target];
    struct emission e = { 0 };
    struct strbuf text = { 0 };
    const struct target_output *o = &target_outputs[r->target];
    const char *program = find_program(r, r->target);
    const char *log = arena_printf(r->arena, "%s/%s.log", r->sandbox.dir, o->folder);
    t->config = arena_printf(r->report->arena, "%s/%s", o->folder, o->file);
    buf_clear(r->err);
    if (program == NULL && r->options->binary[r->target])
        give_up(r, arena_printf(r->arena, "%s is not a program", r->options->binary[r->target]));
    else if (program == NULL)
        give_up(r, programs[r->target].package
                       ? arena_printf(r->arena, "%s is not installed; it is in the Debian package %s",
                                      programs[r->target].program, programs[r->target].package)
                       : "publishd is neither beside tmgc nor in the PATH");
    else if (r->target == TARGET_PUBLISHD && r->plan->site->preauth == PREAUTH_PUBLISHD)
        give_up(r, "it runs behind nginx or HAProxy (preauth), and is asked through them");
    else if (start_all(r, program, log, &e, &text) != 0)
        give_up(r, r->err->p ? r->err->p : "");
    else if (!wait_ready(r))
        give_up_with_log(r, "the program did not start on its config", log);
    else {
        t->ran = true;
        atomic_store(&r->gone, false);
        r->members.n = 0;
        r->judge = (struct judge){ r->plan, r->findings, r->target, &r->places };
        locate_rules(r, &e, text.p ? text.p : "");
        ask_target(r);
        if (atomic_load(&r->gone))
            give_up_with_log(r, "the program ended while it was asked", log);
    }
    sandbox_stop(&r->sandbox);
    if (through_publishd(r))
        sandbox_stop(&r->behind);
    emission_free(&e);
    buf_free(&text);
}

/* ---- the whole -------------------------------------------------------------------------------- */

static int by_target_and_probe(const void *x, const void *y)
{
    const struct verify_case *a = x, *b = y;
    if (a->target != b->target)
        return a->target < b->target ? -1 : 1;
    if (a->probe != b->probe)
        return a->probe < b->probe ? -1 : 1;
    return strcmp(a->got, b->got);
}

static void raise_limits(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

static int open_all(struct run *r)
{
    sigaction(SIGPIPE, NULL, &r->pipe_before);
    if (r->options->only)
        probes_take(r->options->only, r->options->only_n, r->arena, &r->probes);
    else
        probes_make(r->plan, r->options, r->arena, &r->probes);
    if (r->options->requests && probes_read(r->plan, r->options->requests, r->arena, &r->probes, r->err) != 0)
        return -1;
    raise_limits();
    sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, &r->pipe_before);
    r->behind.wire = -1;
    if (sandbox_open(&r->sandbox, r->err) != 0 ||
        (r->plan->site->preauth == PREAUTH_PUBLISHD && sandbox_open(&r->behind, r->err) != 0) ||
        loopback_open(&r->loopback, r->err) != 0)
        return -1;
    r->authority = authority_new();
    r->clients = authority_new();
    r->others = authority_new();
    r->places = (struct places){ .arena = r->arena,
                                 .plan = r->plan,
                                 .loopback = &r->loopback,
                                 .authority = r->authority,
                                 .clients_authority = r->clients,
                                 .dir = r->sandbox.dir };
    if (places_open(&r->places, r->err) != 0)
        return -1;
    r->tls[SHOWS_NONE] = authority_client(NULL);
    r->tls[SHOWS_GOOD] = authority_client(r->clients);
    r->tls[SHOWS_OTHER] = authority_client(r->others);
    r->stand_in = stand_in_start(&r->places, r->authority, &r->probes, r->err);
    return r->stand_in ? 0 : -1;
}

static void close_all(struct run *r)
{
    sandbox_close(&r->behind); /* opened last: its supervisor holds the other's wire too */
    sandbox_close(&r->sandbox);
    stand_in_stop(r->stand_in);
    for (size_t i = 0; i < SHOWN; i++)
        SSL_CTX_free(r->tls[i]);
    authority_free(r->authority);
    authority_free(r->clients);
    authority_free(r->others);
    loopback_close(&r->loopback);
    pthread_mutex_destroy(&r->lock);
    arena_free(r->arena);
    sigaction(SIGPIPE, &r->pipe_before, NULL);
}

/* publishd has no sockets for clients where it runs behind proxies that are asked anyway. */
static bool asked_through(const struct plan *p, const struct verify_options *o, enum target t)
{
    return t == TARGET_PUBLISHD && p->site->preauth == PREAUTH_PUBLISHD && o->targets & ON_PROXIES;
}

int verify_run(const struct plan *p, const struct findings *f, const struct verify_options *o,
               struct verify_report *out, struct strbuf *err)
{
    struct run r = { .plan = p, .findings = f, .options = o, .report = out, .arena = arena_new(), .err = err };
    *out = (struct verify_report){ .arena = arena_new(), .plan = p, .seed = o->seed };
    pthread_mutex_init(&r.lock, NULL);
    int failed = open_all(&r);
    if (!failed) {
        out->probes = r.probes.n;
        for (int t = 0; t < TARGETS; t++)
            if (o->targets & ON(t) && !asked_through(p, o, (enum target)t)) {
                out->targets[t].wanted = true;
                r.target = (enum target)t;
                run_target(&r);
                size_t *count = out->targets[t].count;
                size_t done = count[VERDICT_AGREED] + count[VERDICT_DECLARED] + count[VERDICT_DISAGREED];
                count[VERDICT_UNTESTED] = r.probes.n > done ? r.probes.n - done : 0;
            }
        if (!o->only)
            coverage_measure(p, &r.probes, out);
        if (out->cases.n)
            qsort(out->cases.v, out->cases.n, sizeof *out->cases.v, by_target_and_probe);
        buf_clear(err);
    }
    while (failed && err->n && err->p[err->n - 1] == '\n') /* a message, not a line */
        err->p[--err->n] = '\0';
    close_all(&r);
    return failed;
}
