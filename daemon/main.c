/* publishd: the command line. */
#include "supervise.h"
#include "tools.h"
#include "../proxy/privileges.h"
#include "../proxy/serve.h"
#include "../proxy/tell.h"
#include "../config/config.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: publishd -c FILE         serve, in the background; messages go to the system's log\n"
    "       publishd -f -c FILE      serve, in the foreground; messages go to standard error\n"
    "       publishd -t -c FILE      check a configuration and the files that it names\n"
    "       publishd -c FILE --check-delegation USER RULE\n"
    "                                try constrained delegation for a user, and say what stands in its way\n"
    "       publishd --hash-password a line for the password file, from a password on standard input\n"
    "       publishd --keys          the configuration's keys, as Markdown tables\n"
    "       publishd --help | --version\n"
    "\n"
    "  -l, --loops N          threads that serve, whatever the file says\n"
    "  -d, --drain SECONDS    for what is under way when it is told to stop, likewise\n"
    "\n"
    "Signals: HUP reads the configuration again (one that is not good changes nothing), USR1 opens the\n"
    "log again, TERM and INT stop when what is under way is done, QUIT stops now.\n"
    "\n"
    "Exit status: 0 if all was well, 1 if the configuration is not good or cannot be served, 2 for bad usage.\n";

enum { EXIT_GOOD, EXIT_BAD, EXIT_USAGE };

/* Whoever checks a file need not be who will serve it: a right that only the latter needs is not missed, but said. */
static int check(const char *file)
{
    struct strbuf err = { 0 };
    struct config *c = config_read(file, &err);
    int missing = c ? privileges_suffice(c, &err) : 0;
    bool good = c && (!missing || missing == EPERM);
    if (good)
        printf("%s: ok, %zu listener%s, %zu rule%s\n", file, c->listeners.n, c->listeners.n == 1 ? "" : "s", c->rules.n,
               c->rules.n == 1 ? "" : "s");
    if (good && missing)
        fprintf(stderr, "%s: not tried, for only who has the right to it could: %s", file, err.p);
    else if (!good)
        fprintf(stderr, "%s%s", err.p ? err.p : "", err.n && err.p[err.n - 1] == '\n' ? "" : "\n");
    int status = good ? EXIT_GOOD : EXIT_BAD;
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

static void ready(void *context)
{
    parent_tell_ready(context);
}

static int work(void *context, struct parent *p)
{
    struct serve_options *o = context;
    o->keeper = p->keeper;
    o->kept = p->kept;
    o->ready = ready;
    o->context = p;
    return serve(o);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { "keys", no_argument, NULL, 'k' },
        { "hash-password", no_argument, NULL, 'H' },
        { "check-delegation", required_argument, NULL, 'D' },
        { "test", no_argument, NULL, 't' },
        { "config", required_argument, NULL, 'c' },
        { "foreground", no_argument, NULL, 'f' },
        { "loops", required_argument, NULL, 'l' },
        { "drain", required_argument, NULL, 'd' },
        { NULL, 0, NULL, 0 },
    };
    struct serve_options serving = { .drain_time = -1 };
    const char *file = NULL, *user = NULL;
    bool test = false, foreground = false, bad = false;
    for (int o; (o = getopt_long(argc, argv, "c:tfhl:d:", options, NULL)) != -1;) {
        switch (o) {
        case 'c': file = optarg; break;
        case 't': test = true; break;
        case 'f': foreground = true; break;
        case 'l': bad |= (serving.loops = number(optarg, 1, 64)) < 0; break;
        case 'd': bad |= (serving.drain_time = number(optarg, 0, 86400)) < 0; break;
        case 'k': return keys();
        case 'H': return hash_password();
        case 'D': user = optarg; break;
        case 'h': fputs(usage, stdout); return EXIT_GOOD;
        case 'V': puts("publishd " TMGC_VERSION); return EXIT_GOOD;
        default: fputs(usage, stderr); return EXIT_USAGE;
        }
    }
    if (file && user && optind + 1 == argc && !bad)
        return check_delegation(file, user, argv[optind]);
    if (!file || user || optind < argc || bad) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (test)
        return check(file);
    serving.file = file;
    if (!foreground)
        tell_to_syslog();
    return supervise(work, &serving, !foreground);
}
