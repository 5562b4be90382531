#include "probe.h"

/* Nothing else gets into a Host header, whatever an export says. */
#define OF_HOSTS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]"

struct probe_url probe_url_parse(struct arena *a, const char *url)
{
    struct probe_url u = { .path = "/" };
    if (!url)
        url = "";
    u.tls = !ascii_ncasecmp(url, "https://", 8);
    const char *authority = strstr(url, "://");
    authority = authority ? authority + 3 : url;
    size_t n = strcspn(authority, "/?#");
    const char *colon = memchr(authority, ':', n);
    long port = 0;
    for (const char *d = colon ? colon + 1 : ""; *d >= '0' && *d <= '9' && port <= UINT16_MAX; d++)
        port = port * 10 + (*d - '0');
    u.port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : u.tls ? 443 : 80;
    struct strbuf path = { 0 };
    if (authority[n] != '/')
        buf_putc(&path, '/');
    for (const char *p = authority + n; *p && *p != '#'; p++)
        buf_printf(&path, *p <= ' ' || *p > '~' ? "%%%02X" : "%c", (unsigned char)*p);
    u.path = arena_strdup(a, path.p);
    buf_free(&path);
    u.authority = n && strspn(authority, OF_HOSTS "*") >= n ? arena_strndup(a, authority, n) : NULL;
    return u;
}

const char *probe_host(struct arena *a, const struct farm *f, const struct probe_url *u, const char *member)
{
    bool own = f->probe_host && strspn(f->probe_host, OF_HOSTS) == strlen(f->probe_host);
    if (own || !u->authority)
        return own ? f->probe_host : member;
    size_t n = strcspn(u->authority, "*");
    return u->authority[n] ? arena_printf(a, "%.*s%s%s", (int)n, u->authority, member, u->authority + n + 1)
                           : u->authority;
}

uint16_t probe_port(const struct farm *f, const struct probe_url *u, uint16_t own, uint16_t at)
{
    long port = own;
    if (f->probe == PROBE_HTTP)
        port = u->port;
    else if (f->probe == PROBE_TCP && f->probe_port > 0 && f->probe_port <= UINT16_MAX)
        port = f->probe_port;
    return port == own ? at : (uint16_t)port;
}
