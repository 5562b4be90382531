/* main: the commands, their options and their help. */
#include "cli.h"
#include "../emitters/versions.h"

#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int letter;
    const char *name, *arg, *text;
} options[CLI_OPTION_COUNT] = {
#define O(id, letter, name, arg, text) { letter, name, arg, text },
    CLI_OPTIONS(O)
#undef O
};
/* Lists of options as characters: each command's own, and what all of them take. */
static const char input_options[] = { OPT_SITE + 1,
                                      OPT_TARGETS + 1,
                                      OPT_NAMES + 1,
                                      OPT_FAIL_ON + 1,
                                      OPT_FORMAT + 1,
                                      OPT_VERBOSE + 1,
                                      OPT_QUIET + 1,
                                      OPT_COLOR + 1,
                                      OPT_NGINX_VERSION + 1,
                                      OPT_HAPROXY_VERSION + 1,
                                      0 };
static const char convert_options[] = { OPT_SITE + 1,          OPT_TARGETS + 1,         OPT_OUT + 1,
                                        OPT_NAMES + 1,         OPT_CHECK + 1,           OPT_FAIL_ON + 1,
                                        OPT_VERBOSE + 1,       OPT_QUIET + 1,           OPT_COLOR + 1,
                                        OPT_NGINX_VERSION + 1, OPT_HAPROXY_VERSION + 1, 0 };
static const char batch_options[] = { OPT_SITE + 1,
                                      OPT_TARGETS + 1,
                                      OPT_OUT + 1,
                                      OPT_NAMES + 1,
                                      OPT_JOBS + 1,
                                      OPT_CHECK + 1,
                                      OPT_FAIL_ON + 1,
                                      OPT_FORMAT + 1,
                                      OPT_VERBOSE + 1,
                                      OPT_QUIET + 1,
                                      OPT_COLOR + 1,
                                      OPT_NGINX_VERSION + 1,
                                      OPT_HAPROXY_VERSION + 1,
                                      0 };
static const char redact_options[] = { OPT_NAMES + 1, OPT_MAP + 1, 0 };
static const char policy_options[] = { OPT_NAMES + 1, OPT_COLOR + 1, 0 };
static const char capabilities_options[] = { OPT_TARGETS + 1, OPT_FORMAT + 1, 0 };
static const char explain_options[] = { OPT_SITE + 1,
                                        OPT_TARGETS + 1,
                                        OPT_NAMES + 1,
                                        OPT_METHOD + 1,
                                        OPT_FROM + 1,
                                        OPT_TO + 1,
                                        OPT_HOST + 1,
                                        OPT_HEADER + 1,
                                        OPT_USER + 1,
                                        OPT_GROUP + 1,
                                        OPT_AT + 1,
                                        OPT_REQUESTS + 1,
                                        OPT_LIVE + 1,
                                        OPT_CONFIGS + 1,
                                        OPT_BINARY + 1,
                                        OPT_FORMAT + 1,
                                        OPT_VERBOSE + 1,
                                        OPT_COLOR + 1,
                                        OPT_NGINX_VERSION + 1,
                                        OPT_HAPROXY_VERSION + 1,
                                        0 };
static const char verify_options[] = { OPT_SITE + 1,
                                       OPT_TARGETS + 1,
                                       OPT_NAMES + 1,
                                       OPT_SEED + 1,
                                       OPT_RANDOM + 1,
                                       OPT_REQUESTS + 1,
                                       OPT_CONFIGS + 1,
                                       OPT_BINARY + 1,
                                       OPT_KEEP + 1,
                                       OPT_JOBS + 1,
                                       OPT_OUT + 1,
                                       OPT_FORMAT + 1,
                                       OPT_VERBOSE + 1,
                                       OPT_QUIET + 1,
                                       OPT_COLOR + 1,
                                       OPT_NGINX_VERSION + 1,
                                       OPT_HAPROXY_VERSION + 1,
                                       0 };
static const char diff_options[] = { OPT_SITE + 1,  OPT_NAMES + 1, OPT_FORMAT + 1, OPT_STAT + 1,
                                     OPT_LIMIT + 1, OPT_QUIET + 1, OPT_COLOR + 1,  0 };

static const struct command commands[] = {
    { "convert", "INPUT", "write the configs, the policy and the reports",
      "Reads an export of ISA Server 2006 or Forefront TMG 2010 (or a policy that `tmgc ir` wrote; - is standard\n"
      "input) and writes below DIR a complete config for each target, the policy, and the reports.\n"
      "Findings of level error and warning go to standard error; the reports hold them all.\n\n"
      "  tmgc site array.xml > site.yaml         what the export cannot say; fill it in\n"
      "  tmgc convert array.xml -m site.yaml -o out\n"
      "  nginx -t -c $PWD/out/nginx/nginx.conf\n"
      "  tmgc convert array.xml -m site.yaml -o out --check    # in CI: is what is committed what it would write?\n",
      convert_options, 1, 1, cmd_convert },
    { "batch", "INPUT...", "convert many exports, each into a folder of its own",
      "Each INPUT is a file or a folder; of a folder, and of those in it, every file is taken that is an export or a policy\n"
      "by its content. Each is converted by a process of its own into DIR/NAME, where NAME is the file's name, or its path\n"
      "where several files have the same. A bad file is reported and the rest goes on. The summary goes to standard output,\n"
      "in --format text, json, csv or html, and in all four into DIR. -v shows all findings; --check writes nothing.\n"
      "Exit status 1: findings from --fail-on on, or an input failed; 2: all failed.\n\n"
      "  tmgc batch exports/ -m site.yaml -o out\n"
      "  tmgc batch a.xml b.xml -o out -t nginx -j 4 --format json > summary.json\n",
      batch_options, 1, -1, cmd_batch },
    { "ir", "INPUT", "print the policy (YAML) that an export means",
      "The policy is the normalised form of the export: rules in order, with names, paths, sources, published\n"
      "server, delegation. Every command takes it in place of the export, so it can be edited and converted.\n\n"
      "  tmgc ir array.xml > policy.yaml\n"
      "  tmgc convert policy.yaml -m site.yaml -o out\n",
      policy_options, 1, 1, cmd_ir },
    { "site", "INPUT", "print the site map that an export needs, to be filled in",
      "Lists what an export cannot say: certificate files, addresses of listeners, networks and servers, trust,\n"
      "user sets. What is known is filled in; the rest is a comment that says what to put there.\n\n"
      "  tmgc site array.xml > site.yaml\n",
      policy_options, 1, 1, cmd_site },
    { "check", "INPUT", "print the findings alone",
      "Each finding says what will be different and what to do, with the line in the export.\n"
      "With --format json, sarif, csv or html the report goes to standard output.\n\n"
      "  tmgc check array.xml -m site.yaml --fail-on warning\n",
      input_options, 1, 1, cmd_check },
    { "diff", "OLD NEW", "what changed in meaning, with witness requests",
      "Each side is an export, a policy, or a folder that `tmgc convert` wrote. Prints the rules that were added, removed,\n"
      "moved and changed, and for each change the smallest request that is answered differently, with both answers - or\n"
      "that no request is, which is then proven. --format text, json or markdown; --stat; -q prints nothing.\n"
      "Exit status 0: no difference in meaning. Works as git's external diff and textconv driver: docs/diff.md.\n\n"
      "  tmgc diff old.xml new.xml -m site.yaml\n"
      "  tmgc diff out policy.yaml --format markdown\n",
      diff_options, 2, 9, cmd_diff },
    { "explain", "INPUT REQUEST", "which rule answers a request, and why",
      "REQUEST is a URL, or tcp://ADDRESS:PORT or udp://ADDRESS:PORT for server publishing. Shows the listener, each rule in\n"
      "order with the first condition that failed, the rule that answers and what it does, and the lines of each target's\n"
      "config that handle the request. With --requests FILE instead of REQUEST: a table for many (one a line, a HAR file,\n"
      "or an access log, whose host --host gives).\n"
      "With --live also what nginx, HAProxy and publishd really answer; exit status 1 then says that one of them disagreed.\n\n"
      "  tmgc explain array.xml https://mail.contoso.example/owa/ -m site.yaml\n"
      "  tmgc explain array.xml http://meet.contoso.example/ --from 192.0.2.7 --user 'CONTOSO\\ann'\n"
      "  tmgc explain array.xml --requests access.log --host mail.contoso.example\n"
      "  tmgc explain array.xml https://mail.contoso.example/owa/ -m site.yaml --live\n",
      explain_options, 1, 2, cmd_explain },
    { "verify", "INPUT", "prove the configs with the real programs",
      "Starts nginx, HAProxy and publishd on loopback with the generated configs and stand-in servers, sends requests (and\n"
      "opens connections, where servers are published) chosen at every decision of the rules, and compares the answers\n"
      "with what the rules say. Nothing leaves the machine.\n"
      "With -o DIR, report.json and report.html in DIR are written with the result in them. Exit status 1: something\n"
      "disagreed.\n\n"
      "  tmgc verify array.xml -m site.yaml\n"
      "  tmgc verify array.xml -m site.yaml -o out\n"
      "  tmgc verify array.xml -m site.yaml -t nginx --configs out --random 500 --seed 7\n",
      verify_options, 1, 1, cmd_verify },
    { "redact", "INPUT", "the same export with pseudonyms, safe to share",
      "Writes the export to standard output with names, hosts, addresses, users, identifiers, paths and descriptions\n"
      "replaced and secrets removed. What decides stays: the redacted export gives the same findings at the same lines, and\n"
      "the same configs up to the names. --map FILE keeps which pseudonym stands for what; only you can read that file.\n\n"
      "  tmgc redact array.xml --map secret.json > shared.xml\n",
      redact_options, 1, 1, cmd_redact },
    { "capabilities", "", "print what each target does with every setting",
      "--format text, markdown or json; -t for one target.\n\n  tmgc capabilities -t nginx\n", capabilities_options, 0,
      0, cmd_capabilities },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void overview(FILE *to)
{
    fputs("tmgc migrates web publishing from ISA Server 2006 and Forefront TMG 2010 to nginx, HAProxy and publishd.\n\n"
          "usage: tmgc COMMAND [OPTIONS] INPUT\n\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-13s %s\n", commands[i].name, commands[i].summary);
    fputs("\nINPUT is an XML export, a policy that `tmgc ir` wrote, or - for standard input.\n"
          "A first conversion:\n\n"
          "  tmgc site array.xml > site.yaml           # then fill it in\n"
          "  tmgc convert array.xml -m site.yaml -o out\n"
          "  tmgc verify array.xml -m site.yaml        # starts the real programs on loopback\n\n"
          "`tmgc help COMMAND` says more. Exit status: 0 done, 1 findings or disagreements, 2 could not be done.\n",
          to);
}

static void command_help(FILE *to, const struct command *c)
{
    fprintf(to, "usage: tmgc %s [OPTIONS]%s%s\n\n%s.\n", c->name, *c->operands ? " " : "", c->operands, c->summary);
    fprintf(to, "%s\nOptions:\n", c->help);
    for (const char *o = c->options; *o; o++) {
        char left[64], letter[8] = "    ";
        if (options[*o - 1].letter)
            snprintf(letter, sizeof letter, "-%c, ", options[*o - 1].letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, options[*o - 1].name, options[*o - 1].arg ? " " : "",
                 options[*o - 1].arg ? options[*o - 1].arg : "");
        fprintf(to, "  %-26s %s\n", left, options[*o - 1].text);
    }
    fprintf(to, "  %-26s %s\n", "-h, --help", "this text");
}

int cli_error(const struct cli *c, const char *fmt, ...)
{
    struct strbuf text = { 0 }, clean = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_visible(&clean, text.p);
    fprintf(stderr, "tmgc %s: %s\n", c->command->name, clean.p);
    buf_free(&text);
    buf_free(&clean);
    return EXIT_FAILED;
}

static bool parse_targets(struct cli *c, const char *list)
{
    c->targets = 0;
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ","), t = 0;
        while (t < TARGETS && !(strlen(target_names[t]) == n && strncmp(target_names[t], p, n) == 0))
            t++;
        if (t == TARGETS)
            return false;
        c->targets |= ON(t);
        p += n + (p[n] == ',');
    }
    return c->targets != 0;
}

/* The options' values are the same for all commands; what a command does not take is an error here. */
static int check_values(struct cli *c)
{
    static const char *const levels[] = { "info", "warning", "error", "never" };
    c->targets = ON_ALL;
    c->fail_on = SEV_ERROR;
    if (c->value[OPT_TARGETS] && !parse_targets(c, c->value[OPT_TARGETS]))
        return cli_error(c, "-t %s: targets are nginx, haproxy and publishd", c->value[OPT_TARGETS]);
    if (c->value[OPT_FAIL_ON]) {
        for (c->fail_on = 0; c->fail_on < 4 && strcmp(levels[c->fail_on], c->value[OPT_FAIL_ON]) != 0;)
            c->fail_on++;
        if (c->fail_on == 4)
            return cli_error(c, "--fail-on %s: error, warning, info or never", c->value[OPT_FAIL_ON]);
    }
    static const int releases[TARGETS] = { [TARGET_NGINX] = OPT_NGINX_VERSION, [TARGET_HAPROXY] = OPT_HAPROXY_VERSION };
    for (unsigned t = 0; t < TARGETS; t++) {
        const char *release = version_ranges[t].newest ? c->value[releases[t]] : NULL;
        const struct version_range *known = &version_ranges[t];
        if (release && !(c->version[t] = version_parse((enum target)t, release)))
            return cli_error(c, "--%s-version %s: releases from %u.%u to %u.%u are known", target_names[t], release,
                             known->oldest / 1000, known->oldest % 1000, known->newest / 1000, known->newest % 1000);
    }
    const char *color = c->value[OPT_COLOR];
    if (color && strcmp(color, "auto") != 0 && strcmp(color, "always") != 0 && strcmp(color, "never") != 0)
        return cli_error(c, "--color %s: auto, always or never", color);
    return EXIT_DONE;
}

static int parse(struct cli *c, int argc, char **argv)
{
    struct option longs[CLI_OPTION_COUNT + 1] = { 0 };
    char shorts[2 * CLI_OPTION_COUNT + 3] = ":";
    size_t n = 0, s = 1;
    for (int i = 0; i < CLI_OPTION_COUNT; i++) {
        if (i != OPT_HELP && !strchr(c->command->options, i + 1))
            continue;
        longs[n++] =
            (struct option){ options[i].name, options[i].arg ? required_argument : no_argument, NULL, 256 + i };
        if (options[i].letter) {
            shorts[s++] = (char)options[i].letter;
            if (options[i].arg)
                shorts[s++] = ':';
        }
    }
    opterr = 0;
    optind = 1;
    for (int o; (o = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (o == '?' || o == ':')
            return cli_error(c,
                             o == ':' ? "%s needs a value (see tmgc help %s)" : "unknown option %s (see tmgc help %s)",
                             argv[optind - 1], c->command->name);
        int id = o - 256;
        for (int i = 0; o < 256 && i < CLI_OPTION_COUNT; i++)
            if (options[i].letter == o)
                id = i;
        c->value[id] = optarg ? optarg : "";
        if (id == OPT_BINARY)
            vec_add(c->arena, &c->binaries, optarg);
        if (id == OPT_HEADER)
            vec_add(c->arena, &c->headers, optarg);
        if (id == OPT_GROUP)
            vec_add(c->arena, &c->groups, optarg);
    }
    for (int i = optind; i < argc; i++)
        vec_add(c->arena, &c->operands, argv[i]);
    return EXIT_DONE;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct cli c = { .arena = arena_new(), .command = command };
    int status = parse(&c, argc, argv);
    if (status == EXIT_DONE && c.value[OPT_HELP]) {
        command_help(stdout, command);
        goto out;
    }
    if (status == EXIT_DONE)
        status = check_values(&c);
    if (status == EXIT_DONE && (c.operands.n < (size_t)command->min_operands ||
                                (command->max_operands >= 0 && c.operands.n > (size_t)command->max_operands)))
        status = cli_error(&c,
                           c.operands.n < (size_t)command->min_operands ? "give %s (see tmgc help %s)"
                                                                        : "only %s is taken (see tmgc help %s)",
                           *command->operands ? command->operands : "no operand", command->name);
    if (status == EXIT_DONE)
        status = command->run(&c);
out:
    arena_free(c.arena);
    return status;
}

int main(int argc, char **argv)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* whole files come and go: give them back when they go */
    if (argc < 2) {
        overview(stderr);
        return EXIT_FAILED;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts("tmgc " TMGC_VERSION);
        return EXIT_DONE;
    }
    bool help = strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0;
    if (help && argc == 2) {
        overview(stdout);
        return EXIT_DONE;
    }
    const char *name = help ? argv[2] : argv[1];
    /* Options may stand before the command too. */
    int at = help ? 2 : 1;
    if (!help && name[0] == '-')
        for (at = 1; at < argc && !find_command(argv[at]); at++)
            ;
    const struct command *command = at < argc ? find_command(argv[at]) : NULL;
    if (!command) {
        fprintf(stderr, "tmgc: unknown command %s; `tmgc help` lists them\n", name);
        return EXIT_FAILED;
    }
    if (help) {
        command_help(stdout, command);
        return EXIT_DONE;
    }
    for (int i = at; i > 1; i--)
        argv[i] = argv[i - 1];
    return run(command, argc - 1, argv + 1);
}
