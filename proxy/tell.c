#include "tell.h"

static bool to_syslog;

void tell_to_syslog(void)
{
    openlog("publishd", LOG_PID, LOG_DAEMON);
    to_syslog = true;
}

static void say(int level, const char *line)
{
    struct strbuf visible = { 0 };
    buf_visible(&visible, line);
    if (to_syslog)
        syslog(level, "%s", visible.p ? visible.p : "");
    else
        fprintf(stderr, "publishd: %s\n", visible.p ? visible.p : "");
    buf_free(&visible);
}

void tell(int level, const char *fmt, ...)
{
    struct strbuf line = { 0 };
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    say(level, line.p);
    buf_free(&line);
}

void tell_lines(int level, const struct strbuf *lines)
{
    struct strbuf line = { 0 };
    for (const char *p = lines->p; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        buf_clear(&line);
        buf_add(&line, p, strcspn(p, "\n"));
        say(level, line.p);
    }
    buf_free(&line);
}
