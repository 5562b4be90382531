/* One target: its config (and that of publishd behind it) moved to loopback, the program found and started, asked and ended. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

#define READY_MS 15000

static const struct {
    const char *program, *package;
} programs[TARGETS] = {
    [TARGET_NGINX] = { "nginx", "nginx" },
    [TARGET_HAPROXY] = { "haproxy", "haproxy" },
    [TARGET_PUBLISHD] = { "publishd", NULL },
};

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

/* The places and the map of clients' addresses, for texts that are moved together. */
static void ready_places(struct run *r, const struct strbuf *const texts[], size_t n)
{
    r->places.clients.cuts.n = 0;
    places_clients(&r->places);
    for (size_t i = 0; i < n; i++)
        if (texts[i]->p)
            substitution_scan(&(struct substitution){ .places = &r->places, .text = texts[i]->p });
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
    size_t n = strlen(why);
    while (n && why[n - 1] == '\n')
        n--;
    t->ran = false;
    t->why_not = arena_strndup(r->report->arena, why, n);
}

/* What the program itself said, for a config that it refuses. Lives in the report's arena. */
static const char *why_with_log(struct run *r, const char *what, const char *log)
{
    struct strbuf text = { 0 }, ignored = { 0 };
    buf_printf(&text, "%s:\n", what);
    file_read(log, 1 << 20, &text, &ignored);
    size_t n = text.n < 4000 ? text.n : 4000;
    while (n && text.p[n - 1] == '\n')
        n--;
    const char *why = arena_strndup(r->report->arena, text.p, n);
    buf_free(&text);
    buf_free(&ignored);
    return why;
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
    const char *pid = arena_printf(r->arena, "daemon off; master_process off; pid %s.pid;", log);
    const char *nginx[] = { program, "-c", config, "-p", r->sandbox.dir, "-e", log, "-g", pid, NULL };
    const char *haproxy[] = { program, "-db", "-f", config, NULL };
    const char *publishd[] = { program, "-f", "-c", config, NULL };
    const char *const *const commands[TARGETS] = {
        [TARGET_NGINX] = nginx, [TARGET_HAPROXY] = haproxy, [TARGET_PUBLISHD] = publishd
    };
    return sandbox_start(in, commands[t], log, r->err);
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
    run_choose(r, false);
    run_ask_all(r, thread_count(r));
    judge_farms(r);
    run_choose(r, true);
    if (r->order.n && !atomic_load(&r->gone)) {
        stand_in_wrong_name(r->stand_in, true);
        usleep(100000);      /* for the targets to see that their idle connections are closed */
        run_ask_all(r, 128); /* HAProxy waits between its tries: many at once */
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

/* ---- server publishing --------------------------------------------------------------- */

static bool has_connections(const struct run *r)
{
    for (size_t i = 0; i < r->probes.n; i++)
        if (r->probes.v[i].stream)
            return true;
    return false;
}

static const char *streams_log(const struct run *r)
{
    return arena_printf(r->arena, "%s/%s-streams.log", r->sandbox.dir, target_outputs[r->target].folder);
}

/* The text of the target's own config for server publishing; empty where it has none. 0, or -1 with a message. */
static int streams_text(struct run *r, const struct emission *e, struct strbuf *text)
{
    const struct target_output *o = &target_outputs[r->target];
    if (!o->stream_file || !e->streams.n)
        return 0;
    if (r->options->configs == NULL) {
        buf_add(text, e->streams.p, e->streams.n);
        return 0;
    }
    return file_read(arena_printf(r->arena, "%s/%s/%s", r->options->configs, o->folder, o->stream_file), 256u << 20,
                     text, r->err);
}

/* Written and started, in a process of its own. 0, or -1 with a message. */
static int start_streams(struct run *r, const char *program, const struct emission *e, const char *text)
{
    const struct target_output *o = &target_outputs[r->target];
    struct strbuf moved = { 0 };
    const char *config = NULL, *log = streams_log(r);
    int failed = substituted(r, r->target, e, text, &moved) || !(config = write_file(r, o->stream_file, &moved)) ||
                 start_target(r, r->target, &r->streams, program, config, log);
    buf_free(&moved);
    return failed ? -1 : 0;
}

/* The process for server publishing has ended: it says why, and nobody asks it. */
static void give_up_streams(struct run *r)
{
    r->report->targets[r->target].streams_why_not = why_with_log(
        r, "nginx did not start on stream.conf (its stream module is in the Debian package libnginx-mod-stream)",
        streams_log(r));
    r->asks_streams = false;
}

/* Until every socket that the config names accepts; false: the program ended, or time is up. */
static bool wait_ready(struct run *r)
{
    int waited = 0;
    for (size_t i = 0; i < r->places.sockets.n; i++) {
        const struct socket_place *s = &r->places.sockets.v[i];
        bool of_streams = s->last != 0 && r->own_streams;
        int fd = -1;
        uint16_t any = 0;
        while (s->present && (!of_streams || r->asks_streams) && (fd = loopback_connect(s->at, 0, &any, 1000)) < 0) {
            if (!sandbox_running(&r->sandbox) || waited++ > READY_MS / 10)
                return false;
            if (of_streams && !sandbox_running(&r->streams))
                give_up_streams(r);
            usleep(10000);
        }
        if (fd >= 0)
            close(fd);
    }
    return sandbox_running(&r->sandbox);
}

/* The configs of the target, and of publishd behind it, written and started. 0, or -1 with a message. */
static int start_all(struct run *r, const char *program, const char *log, struct emission *e, struct strbuf *text)
{
    const struct target_output *o = &target_outputs[r->target], *d = &target_outputs[TARGET_PUBLISHD];
    struct emission behind = { 0 };
    struct strbuf other = { 0 }, moved = { 0 }, streams = { 0 };
    bool through = through_publishd(r);
    const char *daemon = through ? find_program(r, TARGET_PUBLISHD) : NULL, *config = NULL;
    int failed = -1;
    if (through && !daemon)
        buf_puts(r->err, "rules go through publishd, which is neither beside tmgc nor in the PATH");
    else if (config_text(r, r->target, e, text) == 0 && (!r->asks_streams || streams_text(r, e, &streams) == 0) &&
             (!through || config_text(r, TARGET_PUBLISHD, &behind, &other) == 0)) {
        ready_places(r, (const struct strbuf *const[]){ text, &other, &streams }, 3);
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
    r->own_streams = !failed && streams.n;
    if (r->own_streams)
        failed = start_streams(r, program, e, streams.p);
    emission_free(&behind);
    buf_free(&other);
    buf_free(&moved);
    buf_free(&streams);
    return failed ? -1 : 0;
}

void run_target(struct run *r)
{
    struct verify_target *t = &r->report->targets[r->target];
    struct emission e = { 0 };
    struct strbuf text = { 0 };
    const struct target_output *o = &target_outputs[r->target];
    const char *program = find_program(r, r->target);
    const char *log = arena_printf(r->arena, "%s/%s.log", r->sandbox.dir, o->folder);
    t->config = arena_printf(r->report->arena, "%s/%s", o->folder, o->file);
    t->streams_config = o->stream_file ? arena_printf(r->report->arena, "%s/%s", o->folder, o->stream_file) : t->config;
    r->own_streams = false;
    r->asks_streams = ON(r->target) & ON_PROXIES && has_connections(r);
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
        give_up(r, why_with_log(r, "the program did not start on its config", log));
    else {
        t->ran = true;
        atomic_store(&r->gone, false);
        r->members.n = 0;
        r->judge = (struct judge){ r->plan, r->findings, r->target, &r->places };
        locate_rules(r, &e, text.p ? text.p : "");
        for (size_t i = 0; !r->options->configs && i < e.server_rules.n; i++)
            vec_add(r->report->arena, &t->server_lines, e.server_rules.v[i]);
        ask_target(r);
        if (atomic_load(&r->gone))
            give_up(r, why_with_log(r, "the program ended while it was asked",
                                    sandbox_running(&r->sandbox) ? streams_log(r) : log));
    }
    sandbox_stop(&r->sandbox);
    if (through_publishd(r))
        sandbox_stop(&r->behind);
    if (r->own_streams)
        sandbox_stop(&r->streams);
    emission_free(&e);
    buf_free(&text);
}
