/* The grammars of nginx.conf and haproxy.cfg, as far as the substitution needs them: which word stands in which place. */
#include <string.h>
#include <unistd.h>

#include "internal.h"

struct word {
    const char *at;
    size_t n;
}; /* without its quotes */
#define MAX_WORDS 8192

static bool word_is(struct word w, const char *s)
{
    return strlen(s) == w.n && memcmp(w.at, s, w.n) == 0;
}
static bool word_begins(struct word w, const char *s)
{
    return w.n >= strlen(s) && memcmp(w.at, s, strlen(s)) == 0;
}

/* ---- nginx: words up to ";" or "{", comments, quotes, blocks -------------------------- */

struct nginx_text {
    struct substitution *s;
    strings upstreams;
    VEC(struct word) words;  /* of the directive so far */
    VEC(struct word) blocks; /* the names of the open ones */
    bool ranges;             /* the open geo block has said so */
};

static struct word nginx_word(const char **p)
{
    const char *at = *p;
    if (*at == '"' || *at == '\'') {
        const char *q = at + 1;
        while (*q && *q != *at)
            q += *q == '\\' && q[1] ? 2 : 1;
        *p = *q ? q + 1 : q;
        return (struct word){ at + 1, (size_t)(q - at - 1) };
    }
    const char *q = at;
    while (*q && !strchr(" \t\r\n;{", *q)) {
        if (*q == '$' && q[1] == '{')
            q++;
        q += *q == '\\' && q[1] ? 2 : 1;
    }
    *p = q;
    return (struct word){ at, (size_t)(q - at) };
}

static bool is_upstream(const struct nginx_text *t, const char *at, size_t n)
{
    for (size_t i = 0; i < t->upstreams.n; i++)
        if (strlen(t->upstreams.v[i]) == n && memcmp(t->upstreams.v[i], at, n) == 0)
            return true;
    return false;
}

/* Of a stream: a host, and the port that the client connected to. Maps hold such, too. */
static bool host_with_own_port(struct nginx_text *t, struct word w)
{
    static const char own_port[] = ":$server_port";
    const size_t n = sizeof own_port - 1;
    if (w.n <= n || memcmp(w.at + w.n - n, own_port, n) != 0)
        return false;
    substitute_server(t->s, w.at, w.n - n);
    return true;
}

static void proxy_pass(struct nginx_text *t, struct word w)
{
    if (host_with_own_port(t, w))
        return;
    size_t skip = word_begins(w, "http://") ? 7 : word_begins(w, "https://") ? 8 : w.n;
    size_t n = 0;
    while (skip + n < w.n && !strchr("/$?", w.at[skip + n]))
        n++;
    if (n > 0 && !is_upstream(t, w.at + skip, n)) {
        struct strbuf b = { 0 };
        buf_add(&b, w.at + skip, n);
        if (memchr(w.at + skip, ':', n))
            substitute_server(t->s, w.at + skip, n);
        else {
            buf_puts(&b, skip == 7 ? ":80" : ":443");
            size_t before = t->s->changes.n;
            const char *text = t->s->text, *whole = arena_strdup(t->s->places->arena, b.p);
            t->s->text = whole;
            substitute_server(t->s, whole, b.n);
            t->s->text = text;
            t->s->changes.v[before].at = (size_t)(w.at + skip - text);
            t->s->changes.v[before].n = n;
        }
        buf_free(&b);
    }
}

/* What nginx would write to places that are not ours, or could not as an ordinary user, moves into the run's folder. */
static void http_block(struct nginx_text *t, const char *brace)
{
    const char *d = t->s->places->dir;
    substitute_text(
        t->s, brace + 1, 0,
        arena_printf(
            t->s->places->arena,
            " access_log off; client_body_temp_path %s/t1; proxy_temp_path %s/t2; fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;",
            d, d, d, d, d));
}

/* One process does here what several do in service, so it gets their connections together. */
static void events_block(struct nginx_text *t, const char *brace)
{
    const char *end = strchr(brace, '}'), *own = strstr(brace, "worker_connections");
    if (end && (own == NULL || own > end))
        substitute_text(t->s, brace + 1, 0, " worker_connections 16384; ");
}

/* An entry of a geo block. Where one range has several images, each is an entry of its own, on the same line. */
static void geo_entry(struct nginx_text *t, struct word range, struct word value)
{
    if (t->ranges) {
        substitute_clients(t->s, range.at, range.n, true);
        return;
    }
    if (!substitute_clients(t->s, range.at, range.n, false))
        return;
    struct change *c = &t->s->changes.v[t->s->changes.n - 1];
    struct strbuf b = { 0 };
    for (const char *p = c->text; *p; p++) {
        if (*p == ' ') {
            buf_putc(&b, ' ');
            buf_add(&b, value.at, value.n);
            buf_puts(&b, "; ");
        } else {
            buf_putc(&b, *p);
        }
    }
    c->text = arena_strdup(t->s->places->arena, b.p);
    buf_free(&b);
}

static void nginx_directive(struct nginx_text *t)
{
    struct word *w = t->words.v, name = w[0];
    struct word block = t->blocks.n ? t->blocks.v[t->blocks.n - 1] : (struct word){ "", 0 };
    size_t n = t->words.n;
    if (word_is(block, "geo")) {
        if (word_is(name, "ranges"))
            t->ranges = true;
        else if (n == 2)
            geo_entry(t, name, w[1]);
    } else if (n < 2)
        return;
    else if (word_is(name, "listen"))
        substitute_listen(t->s, w[1].at, w[1].n, n > 2 && word_is(w[2], "udp"));
    else if (word_is(block, "upstream") && word_is(name, "server"))
        substitute_server(t->s, w[1].at, w[1].n);
    else if (word_is(block, "map"))
        host_with_own_port(t, w[1]);
    else if (word_is(name, "proxy_pass"))
        proxy_pass(t, w[1]);
    else if (word_is(name, "ssl_certificate") || word_is(name, "ssl_certificate_key") ||
             word_is(name, "proxy_ssl_certificate") || word_is(name, "proxy_ssl_certificate_key"))
        substitute_certificate(t->s, w[1].at, w[1].n);
    else if (word_is(name, "proxy_ssl_trusted_certificate"))
        substitute_trust(t->s, w[1].at, w[1].n, false);
    else if (word_is(name, "ssl_client_certificate"))
        substitute_trust(t->s, w[1].at, w[1].n, true);
    else if (word_is(name, "ssl_crl"))
        substitute_revoked(t->s, w[1].at, w[1].n);
    else if (word_is(name, "limit_conn")) /* our probes come in a crowd (B-76, B-77) */
        substitute_text(t->s, w[n - 1].at, w[n - 1].n, "65000");
    else if (word_is(name, "limit_req") && n > 2)
        substitute_text(t->s, w[2].at, w[2].n, "burst=1000000");
    else if (word_is(name, "proxy_bind") && n > 2 && geteuid() != 0) /* our clients' addresses are all local */
        substitute_text(t->s, w[2].at, w[2].n, "");
}

/* Walks the text; collect: only the names of the upstreams. */
static void nginx_walk(struct nginx_text *t, bool collect)
{
    struct arena *a = t->s->places->arena;
    t->words.n = t->blocks.n = 0;
    for (const char *p = t->s->text; *p;) {
        if (strchr(" \t\r\n", *p))
            p++;
        else if (*p == '#')
            p += strcspn(p, "\n");
        else if (*p == ';') {
            if (t->words.n && !collect)
                nginx_directive(t);
            t->words.n = 0;
            p++;
        } else if (*p == '{') {
            struct word name = t->words.n ? t->words.v[0] : (struct word){ "", 0 };
            vec_add(a, &t->blocks, name);
            if (collect && word_is(name, "upstream") && t->words.n > 1)
                vec_add(a, &t->upstreams, arena_strndup(a, t->words.v[1].at, t->words.v[1].n));
            if (!collect && word_is(name, "http"))
                http_block(t, p);
            if (!collect && word_is(name, "events"))
                events_block(t, p);
            t->ranges = false;
            t->words.n = 0;
            p++;
        } else if (*p == '}') {
            t->blocks.n -= t->blocks.n > 0;
            t->words.n = 0;
            p++;
        } else {
            struct word w = nginx_word(&p);
            vec_add(a, &t->words, w);
        }
    }
}

void substitute_nginx(struct substitution *s)
{
    struct nginx_text t = { .s = s };
    nginx_walk(&t, true);
    nginx_walk(&t, false);
}

/* ---- HAProxy: lines of words ------------------------------------------------------------ */

/* The words of one line; quotes may stand inside a word, where they do not matter to us. Gives the start of the next line. */
static const char *haproxy_line(const char *p, struct word *w, size_t *n)
{
    *n = 0;
    while (*p && *p != '\n') {
        if (*p == ' ' || *p == '\t' || *p == '\r') {
            p++;
            continue;
        }
        if (*p == '#') {
            p += strcspn(p, "\n");
            break;
        }
        const char *at = p;
        char quote = 0;
        while (*p && *p != '\n' && (quote || !strchr(" \t\r#", *p))) {
            if (*p == '\\' && quote != '\'' && p[1] && p[1] != '\n')
                p++;
            else if (quote ? *p == quote : *p == '"' || *p == '\'')
                quote = quote ? 0 : *p;
            p++;
        }
        if (*n < MAX_WORDS)
            w[(*n)++] = (struct word){ at, (size_t)(p - at) };
    }
    return *p ? p + 1 : p;
}

static struct word unquoted(struct word w)
{
    if (w.n >= 2 && (*w.at == '\'' || *w.at == '"') && w.at[w.n - 1] == *w.at)
        return (struct word){ w.at + 1, w.n - 2 };
    return w;
}

static void haproxy_file(struct substitution *s, struct word name, struct word value, bool of_clients)
{
    value = unquoted(value);
    if (word_is(name, "crt"))
        substitute_certificate(s, value.at, value.n);
    else if (word_is(name, "ca-file"))
        substitute_trust(s, value.at, value.n, of_clients);
    else if (word_is(name, "crl-file"))
        substitute_revoked(s, value.at, value.n);
}

static void haproxy_bind(struct substitution *s, const struct word *w, size_t n)
{
    struct word place = unquoted(w[1]);
    substitute_listen(s, place.at, place.n, false);
    for (size_t i = 2; i + 1 < n; i++)
        haproxy_file(s, w[i], w[i + 1], true);
}

/* Where health checks go: "port N" alone means another port of the server itself, "addr A" another host. */
static void haproxy_check(struct substitution *s, struct word server, const struct word *w, size_t n)
{
    struct word host = { server.at, 0 }, port = { NULL, 0 };
    bool elsewhere = false;
    while (host.n < server.n && host.at[host.n] != ':')
        host.n++;
    for (size_t i = 0; i + 1 < n; i++)
        if (word_is(w[i], "addr")) {
            host = unquoted(w[i + 1]);
            elsewhere = true;
        } else if (word_is(w[i], "port"))
            port = unquoted(w[i + 1]);
    for (size_t i = 0; i + 1 < n; i++)
        if (port.at && word_is(w[i], "port"))
            substitute_check_port(s, port.at, port.n, host.at, host.n, !elsewhere);
        else if (port.at && word_is(w[i], "addr"))
            substitute_check_host(s, unquoted(w[i + 1]).at, unquoted(w[i + 1]).n, port.at, port.n);
        else
            haproxy_file(s, w[i], w[i + 1], false);
}

static void haproxy_server(struct substitution *s, const struct word *w, size_t n)
{
    struct word place = unquoted(w[2]);
    substitute_server(s, place.at, place.n);
    haproxy_check(s, place, w + 3, n - 3);
}

/* The addresses of one condition become their images together, in the place of the first: HAProxy takes no more than 64 words a line,
 * and images that touch need fewer. Flags such as -m do not parse as addresses. */
static void haproxy_addresses(struct substitution *s, const struct word *w, size_t n)
{
    struct arena *a = s->places->arena;
    size_t first = s->changes.n;
    ipset images = { 0 };
    struct strbuf b = { 0 };
    for (size_t i = 0; i < n; i++) {
        struct word v = unquoted(w[i]);
        struct ip_range r;
        if (!ip_range_parse(arena_strndup(a, v.at, v.n), &r))
            continue;
        r = clients_image_range(&s->places->clients, r);
        ipset_add(a, &images, r.from, r.to);
        substitute_text(s, v.at, v.n, "");
    }
    ipset_normalise(&images);
    for (size_t i = 0; i < images.n; i++)
        buf_cidrs(&b, images.v[i]);
    if (s->changes.n > first)
        s->changes.v[first].text = arena_strdup(a, b.p);
    buf_free(&b);
}

/* After the fetch "src", patterns up to the end of the condition. */
static void haproxy_sources(struct substitution *s, const struct word *w, size_t n)
{
    for (size_t i = 1, end; i < n; i = end + 1) {
        for (end = i; end < n && !word_is(w[i], "src"); i++, end++)
            ;
        while (end < n && !word_is(w[end], "}"))
            end++;
        if (i + 1 < end)
            haproxy_addresses(s, w + i + 1, end - i - 1);
    }
}

void substitute_haproxy(struct substitution *s)
{
    struct word *w = arena_alloc(s->places->arena, MAX_WORDS * sizeof *w);
    for (const char *p = s->text; *p;) {
        size_t n;
        p = haproxy_line(p, w, &n);
        if (n < 2)
            continue;
        if (word_is(w[0], "bind"))
            haproxy_bind(s, w, n);
        else if (word_is(w[0], "server") && n > 2)
            haproxy_server(s, w, n);
        else if (word_is(w[0], "default-server"))
            haproxy_check(s, (struct word){ "", 0 }, w + 1, n - 1);
        else if (n > 5 &&
                 (word_begins(w[n - 4], "sc0_") || word_is(w[n - 4], "fe_conn"))) /* our probes come in a crowd */
            substitute_text(s, w[n - 2].at, w[n - 2].n, "1000000");
        else if (word_is(w[0], "source") && geteuid() != 0) /* which only root may ask for */
            substitute_text(s, w[0].at, (size_t)(w[n - 1].at + w[n - 1].n - w[0].at), "");
        else
            haproxy_sources(s, w, n);
    }
}
