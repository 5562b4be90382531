/* writer: the buffer that every emitter writes into, the quoting rules of each place in each target, and the names
 * and headings that the generated files share. */
#include "emit.h"
#include "../ir/yaml.h"

#include <string.h>

enum {
    HEADING_MAX = 160, /* bytes of a name in a comment: nginx takes no line of 4096 */
    SLUG_MAX = 28
}; /* bytes of a name inside an identifier */

/* ---- lines ---------------------------------------------------------------- */
void write_indent(struct writer *w)
{
    for (int i = 0; i < w->depth * w->indent; i++)
        buf_putc(&w->out, ' ');
}

void write_line(struct writer *w, const char *fmt, ...)
{
    write_indent(w);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&w->out, fmt, ap);
    va_end(ap);
    buf_putc(&w->out, '\n');
}

void write_raw(struct writer *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&w->out, fmt, ap);
    va_end(ap);
}

void write_blank(struct writer *w)
{
    const struct strbuf *b = &w->out;
    if (b->n && !(b->n > 1 && b->p[b->n - 1] == '\n' && b->p[b->n - 2] == '\n'))
        buf_putc(&w->out, '\n');
}

/* ---- quoting ---------------------------------------------------------------- */
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Letters, digits and the punctuation that stands for itself in both targets, wherever it is. */
static bool is_plain(const char *s, const char *others)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!is_word(*s) && !strchr(others, *s))
            return false;
    return true;
}

/* Inside "…" nginx drops a backslash before a quote or another backslash and reads \t \r \n as control characters;
 * every other backslash stays. So it is doubled only where it would be taken. */
static void nginx_quoted(struct strbuf *b, const char *s, bool variables)
{
    buf_putc(b, '"');
    for (; *s; s++) {
        switch (*s) {
        case '"': buf_puts(b, "\\\""); break;
        case '\n': buf_puts(b, "\\n"); break;
        case '\r': buf_puts(b, "\\r"); break;
        case '\t': buf_puts(b, "\\t"); break;
        case '\\':
            /* "" at the end: strchr finds the terminator, and a final backslash is doubled too */
            buf_puts(b, strchr("\"'\\trn\t\r\n", s[1]) ? "\\\\" : "\\");
            break;
        case '$': buf_puts(b, variables ? "${dollar}" : "$"); break;
        default: buf_putc(b, *s);
        }
    }
    buf_putc(b, '"');
}

/* '…' is literal to HAProxy but for the quote itself; control characters have a name outside the quotes only. */
static void haproxy_quoted(struct strbuf *b, const char *s, bool format)
{
    bool open = false, any = false;
    for (; *s; s++, any = true) {
        bool outside = *s == '\'' || is_control(*s);
        if (open == outside) {
            buf_putc(b, '\'');
            open = !open;
        }
        if (*s == '\'')
            buf_puts(b, "\\'");
        else if (outside)
            buf_printf(b, "\\x%02x", (unsigned)(unsigned char)*s);
        else if (*s == '%' && format)
            buf_puts(b, "%%");
        else
            buf_putc(b, *s);
    }
    if (open || !any)
        buf_puts(b, any ? "'" : "''");
}

static void regex_literal(struct strbuf *b, const char *s)
{
    for (; *s; s++) {
        if (is_control(*s) || *s == ' ' || (unsigned char)*s >= 0x80)
            buf_printf(b, "\\x%02x", (unsigned)(unsigned char)*s);
        else {
            if (strchr("\\^$.|?*+()[]{}", *s))
                buf_putc(b, '\\');
            buf_putc(b, *s);
        }
    }
}

void quote(struct strbuf *b, enum quoting mode, const char *text)
{
    switch (mode) {
    case Q_COMMENT: buf_visible(b, text); break;
    case Q_NGINX:
        if (is_plain(text, "./:@%+,-_*"))
            buf_puts(b, text);
        else
            nginx_quoted(b, text, true);
        break;
    case Q_NGINX_REGEX:
        if (is_plain(text, "./:@%+,-_*"))
            buf_puts(b, text);
        else
            nginx_quoted(b, text, false);
        break;
    case Q_HAPROXY:
    case Q_HAPROXY_FORMAT:
        if (is_plain(text, "./:@+,-_*^"))
            buf_puts(b, text);
        else
            haproxy_quoted(b, text, mode == Q_HAPROXY_FORMAT);
        break;
    case Q_YAML: buf_yaml(b, text); break;
    case Q_REGEX: regex_literal(b, text); break;
    }
}

const char *quoted(struct writer *w, struct arena *a, enum quoting mode, const char *text)
{
    struct strbuf b = { 0 };
    quote(&b, mode, text);
    if (mode == Q_NGINX && strchr(text, '$'))
        w->uses_dollar = true;
    const char *s = arena_strndup(a, b.n ? b.p : "", b.n);
    buf_free(&b);
    return s;
}

/* ---- names and headings -------------------------------------------------------- */
/* text up to the first line end and at most HEADING_MAX bytes, whole characters only. */
void write_file_heading(struct writer *w, const struct plan *p, const char *what)
{
    write_raw(w, "# %s of ", what);
    buf_heading(&w->out, p->policy->source ? p->policy->source : "a policy");
    write_raw(w, ". Generated by tmgc %s; change the source or the site map instead.\n", TMGC_VERSION);
}

void buf_heading(struct strbuf *b, const char *text)
{
    size_t n = strcspn(text, "\r\n");
    bool cut = n > HEADING_MAX;
    if (cut)
        for (n = HEADING_MAX; n && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
            ;
    struct strbuf first = { 0 };
    buf_add(&first, text, n);
    if (n)
        buf_visible(b, first.p);
    if (cut)
        buf_puts(b, "...");
    buf_free(&first);
}

static void heading(struct writer *w, const char *what, size_t number, const char *name, const struct origin *at,
                    const char *description)
{
    write_indent(w);
    buf_printf(&w->out, "# %s %zu \"", what, number);
    buf_heading(&w->out, name ? name : "");
    buf_putc(&w->out, '"');
    if (at->guid) {
        buf_putc(&w->out, ' ');
        buf_heading(&w->out, at->guid);
    }
    if (at->line)
        buf_printf(&w->out, ", export line %lu", (unsigned long)at->line);
    buf_putc(&w->out, '\n');
    if (description && description[strspn(description, " \t\r\n")]) {
        write_indent(w);
        buf_puts(&w->out, "#   ");
        buf_heading(&w->out, description + strspn(description, " \t\r\n"));
        buf_putc(&w->out, '\n');
    }
}

void write_rule_heading(struct writer *w, const struct plan_rule *r)
{
    heading(w, "rule", (size_t)r->index + 1, r->rule->name, &r->rule->at, r->rule->description);
}

void write_server_rule_heading(struct writer *w, const struct plan_server_rule *r)
{
    heading(w, "server rule", (size_t)r->index + 1, r->rule->name, &r->rule->at, r->rule->description);
}

void buf_slug(struct strbuf *b, const char *name)
{
    size_t start = b->n;
    bool gap = true;
    for (; name && *name && b->n - start < SLUG_MAX; name++) {
        bool letter = is_word(*name) && *name != '_';
        if (letter && gap)
            buf_putc(b, '_');
        if (letter)
            buf_putc(b, ascii_lower(*name));
        gap = !letter;
    }
}

const char *identifier(struct arena *a, const char *prefix, size_t number, const char *name)
{
    struct strbuf b = { 0 };
    buf_printf(&b, "%s_%zu", prefix, number);
    buf_slug(&b, name);
    const char *s = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return s;
}

const char *rule_id(struct arena *a, const struct plan_rule *r)
{
    return identifier(a, "rule", (size_t)r->index + 1, r->rule->name);
}

const char *server_rule_id(struct arena *a, const struct plan_server_rule *r)
{
    return identifier(a, "server_rule", (size_t)r->index + 1, r->rule->name);
}

void emission_free(struct emission *e)
{
    buf_free(&e->text);
    buf_free(&e->streams);
}

/* ---- times ----------------------------------------------------------------------- */
/* Paths on which clients of Exchange, Lync and OCS wait for news for minutes, or keep a tunnel open (B-76). */
static bool path_waits(const char *external)
{
    static const char *const waiting[] = {
        "/microsoft-server-activesync",
        "/ews",
        "/mapi",
        "/rpc",
        "/rpcwithcert",
        "/ucwa",
        "/webticket",
        "/lwa",
        "/reach",
        "/collabcontent",
        "/persistentchat",
    };
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        size_t n = strlen(waiting[i]);
        if (!ascii_ncasecmp(external, waiting[i], n) && (!external[n] || external[n] == '/'))
            return true;
    }
    return false;
}

bool rule_waits(const struct plan_rule *r)
{
    enum { LYNC_WEB_SSL = 4443 };
    const struct rule *rule = r->rule;
    for (size_t i = 0; i < rule->paths.n; i++) {
        const struct path *path = &rule->paths.v[i];
        bool whole_site = path->kind == PATH_PREFIX && !*path->external;
        /* a whole Exchange or Lync site (B-46) holds these paths too */
        if (path_waits(path->external) || (whole_site && (rule->application == 1 || rule->ssl_port == LYNC_WEB_SSL)))
            return true;
    }
    return false;
}

long rule_read_timeout(const struct plan_rule *r)
{
    enum { HOUR = 3600 };
    long seconds = r->listener ? listener_timeout(r->listener) : SOURCE_TIMEOUT;
    return seconds < HOUR && rule_waits(r) ? HOUR : seconds;
}
