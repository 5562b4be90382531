/* publishd: the command line. */
#include "../proxy/serve.h"
#include "../config/config.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "Usage: publishd -f -c FILE      serve, in the foreground\n"
                            "       publishd -t -c FILE      check a configuration and the files that it names\n"
                            "       publishd --keys          the configuration's keys, as Markdown tables\n"
                            "       publishd --help | --version\n"
                            "\n"
                            "  -l, --loops N          threads that serve; one a processor by default\n"
                            "  -d, --drain SECONDS    for what is under way when it is told to stop; 30\n"
                            "\n"
                            "SIGHUP reads the configuration again, SIGTERM and SIGINT stop.\n"
                            "Exit status: 0 if the configuration is good, 1 if not, 2 for bad usage.\n";

enum { EXIT_GOOD, EXIT_BAD, EXIT_USAGE };

static int check(const char *file)
{
    struct strbuf err = { 0 };
    struct config *c = config_read(file, &err);
    if (c)
        printf("%s: ok, %zu listener%s, %zu rule%s\n", file, c->listeners.n, c->listeners.n == 1 ? "" : "s", c->rules.n,
               c->rules.n == 1 ? "" : "s");
    else
        fprintf(stderr, "%s%s", err.p ? err.p : "", err.n && err.p[err.n - 1] == '\n' ? "" : "\n");
    int status = c ? EXIT_GOOD : EXIT_BAD;
    config_free(c);
    buf_free(&err);
    return status;
}

static int keys(void)
{
    struct strbuf b = { 0 };
    config_keys(&b);
    fputs(b.p ? b.p : "", stdout);
    buf_free(&b);
    return EXIT_GOOD;
}

/* -1: it is none between the two. */
static int number(const char *text, long least, long most)
{
    char *end;
    long v = strtol(text, &end, 10);
    return *text && !*end && v >= least && v <= most ? (int)v : -1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { "keys", no_argument, NULL, 'k' },
        { "test", no_argument, NULL, 't' },
        { "config", required_argument, NULL, 'c' },
        { "foreground", no_argument, NULL, 'f' },
        { "loops", required_argument, NULL, 'l' },
        { "drain", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    struct serve_options serving = { .drain_time = 30 };
    const char *file = NULL;
    bool test = false;
    for (int o; (o = getopt_long(argc, argv, "c:tfhl:d:", options, NULL)) != -1;) {
        switch (o) {
        case 'c': file = optarg; break;
        case 't': test = true; break;
        case 'f': break;
        case 'l': serving.loops = number(optarg, 1, 64); break;
        case 'd': serving.drain_time = number(optarg, 0, 86400); break;
        case 'k': return keys();
        case 'h': fputs(usage, stdout); return EXIT_GOOD;
        case 'V': puts("publishd " TMGC_VERSION); return EXIT_GOOD;
        default: fputs(usage, stderr); return EXIT_USAGE;
        }
    }
    if (!file || optind < argc || serving.loops < 0 || serving.drain_time < 0) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (test)
        return check(file);
    serving.file = file;
    return serve(&serving) ? EXIT_BAD : EXIT_GOOD;
}
