/* request_list: see request_list.h. */
#include "request_list.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_LIST = 512 << 20 };

/* ---- one request ---------------------------------------------------------------- */

bool asked_url(struct arena *a, const char *url, struct asked *out)
{
    *out = (struct asked){ .method = "GET" };
    if (ascii_ncasecmp(url, "https://", 8) == 0)
        out->tls = true;
    else if (ascii_ncasecmp(url, "http://", 7) != 0)
        return false;
    const char *p = url + (out->tls ? 8 : 7);
    size_t n = strcspn(p, "/?#");
    const char *at = memchr(p, '@', n);
    if (n == 0 || at)
        return false;
    const char *host = arena_strndup(a, p, n), *colon = strrchr(host, ':');
    out->port = out->tls ? 443 : 80;
    if (colon && colon[1]) {
        char *end;
        out->port = strtol(colon + 1, &end, 10);
        if (*end || out->port < 1 || out->port > 65535)
            return false;
    }
    out->host = host;
    p += n;
    n = strcspn(p, "#");
    out->target = arena_printf(a, "%s%.*s", *p == '/' ? "" : "/", (int)n, p);
    return true;
}

int asked_hour(const char *text)
{
    static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
    for (int d = 0; d < 7; d++) {
        if (ascii_ncasecmp(text, days[d], 3) != 0)
            continue;
        text += strcspn(text, " ");
        char *end;
        long hour = strtol(text, &end, 10);
        if (end == text || hour < 0 || hour > 23 || (*end && *end != ':'))
            return -1;
        return d * 24 + (int)hour;
    }
    return -1;
}

/* ---- lists ------------------------------------------------------------------------ */

static bool is_method(const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((word[i] >= 'A' && word[i] <= 'Z') || word[i] == '_' || word[i] == '-'))
            return false;
    return n > 0;
}

/* The next word of *p, without spaces; NULL at the end. */
static const char *word(struct arena *a, const char **p)
{
    *p += strspn(*p, " \t");
    size_t n = strcspn(*p, " \t");
    const char *w = n ? arena_strndup(a, *p, n) : NULL;
    *p += n;
    return w;
}

static bool parse_plain(struct arena *a, const char *line, struct asked *out)
{
    const char *method = "GET", *w = word(a, &line);
    if (w && is_method(w, strlen(w))) {
        method = w;
        w = word(a, &line);
    }
    if (!w || !asked_url(a, w, out))
        return false;
    out->method = method;
    while ((w = word(a, &line))) {
        const char *value = word(a, &line);
        if (value && strcmp(w, "from") == 0 && ip_parse(value, &out->client))
            out->from = true;
        else if (value && strcmp(w, "as") == 0)
            out->user = value;
        else
            return false;
    }
    return true;
}

/* 192.0.2.1 - CONTOSO\ann [10/Oct/2025:13:55:36 +0000] "GET /owa/ HTTP/1.1" 200 12 "-" "agent" */
/* A log line whose request is none of HTTP's: what scanners send, time-outs. Logs are full of them. */
static bool is_noise(struct arena *a, const char *line)
{
    uint32_t ip;
    const char *client = word(a, &line);
    return client && ip_parse(client, &ip) && strchr(line, '"');
}

static bool parse_log(struct arena *a, const char *line, const char *host, bool tls, struct asked *out)
{
    const char *client = word(a, &line);
    word(a, &line);
    const char *user = word(a, &line);
    const char *quote = strchr(line, '"');
    if (!client || !user || !quote)
        return false;
    line = quote + 1;
    const char *method = word(a, &line), *target = word(a, &line);
    if (!method || !is_method(method, strlen(method)) || !target)
        return false;
    if (!asked_url(a, target, out))
        *out = (struct asked){ .tls = tls, .host = host, .target = target };
    out->method = method;
    out->from = ip_parse(client, &out->client);
    out->user = strcmp(user, "-") == 0 ? NULL : user;
    return out->from;
}

static int parse_har(struct arena *a, const char *file, const char *text, size_t n, asked_list *out, struct strbuf *err)
{
    json_error_t why;
    json_t *root = json_loadb(text, n, JSON_ALLOW_NUL, &why);
    if (!root) {
        buf_printf(err, "%s:%d:%d: not JSON: %s\n", file, why.line, why.column, why.text);
        return -1;
    }
    json_t *entries = json_object_get(json_object_get(root, "log"), "entries"), *entry;
    size_t i;
    int rc = -1;
    if (!json_is_array(entries)) {
        buf_printf(err, "%s: JSON, but no HAR file: it has no log.entries\n", file);
        goto out;
    }
    json_array_foreach(entries, i, entry)
    {
        const json_t *request = json_object_get(entry, "request");
        const char *url = json_string_value(json_object_get(request, "url")),
                   *method = json_string_value(json_object_get(request, "method"));
        struct asked one;
        if (!url || !asked_url(a, url, &one))
            continue; /* data: and blob: URLs stand in HAR files too */
        one.method = method ? arena_strdup(a, method) : "GET";
        vec_add(a, out, one);
    }
    rc = 0;
out:
    json_decref(root);
    return rc;
}

int asked_read(struct arena *a, const char *file, const char *host, bool tls, asked_list *out, struct strbuf *err)
{
    struct strbuf text = { 0 };
    int rc = -1;
    if (file_read(file, LARGEST_LIST, &text, err) < 0)
        goto out;
    if (text.p[strspn(text.p, " \t\r\n")] == '{') {
        rc = parse_har(a, file, text.p, text.n, out, err);
        goto out;
    }
    uint32_t number = 0;
    for (char *line = text.p, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        line[strcspn(line, "\r")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        struct asked one;
        if (!parse_plain(a, line, &one) && !parse_log(a, line, host, tls, &one)) {
            if (is_noise(a, line))
                continue;
            buf_printf(err, "%s:%u: neither \"[METHOD] URL [from ADDRESS] [as USER]\" nor a line of an access log\n",
                       file, number);
            goto out;
        }
        one.line = number;
        vec_add(a, out, one);
    }
    rc = 0;
out:
    buf_free(&text);
    return rc;
}

/* ---- towards decide() ------------------------------------------------------------- */

struct request asked_request(const struct plan *p, const struct asked *q, size_t listener, int hour)
{
    const struct plan_listener *l = &p->listeners.v[listener];
    return (struct request){ .listener = listener,
                             .tls = q->tls,
                             .port = q->tls ? l->https : l->http,
                             .method = q->method,
                             .host = q->host,
                             .target = q->target,
                             .client = q->client,
                             .hour = hour,
                             .user = q->user };
}

/* The first socket of the listener that takes the request; its number of sockets if none does. */
static size_t first_socket(const struct plan_listener *l, const struct asked *q, const char *to)
{
    for (size_t i = 0; i < l->sockets.n; i++) {
        const struct plan_socket *s = &l->sockets.v[i];
        const char *colon = to ? strchr(to, ':') : NULL;
        size_t n = colon ? (size_t)(colon - to) : to ? strlen(to) : 0;
        if (s->tls != q->tls || (colon ? strtol(colon + 1, NULL, 10) != s->port : !to && q->port && q->port != s->port))
            continue;
        if (!to || *s->address == '*' || (strlen(s->address) == n && strncmp(s->address, to, n) == 0))
            return i;
    }
    return l->sockets.n;
}

static bool reaches(const struct plan_listener *l, const struct asked *q, const char *to)
{
    return first_socket(l, q, to) < l->sockets.n;
}

uint32_t asked_socket(const struct plan *p, const struct asked *q, size_t listener, const char *to)
{
    const struct plan_listener *l = &p->listeners.v[listener];
    struct asked any = *q;
    size_t at = first_socket(l, &any, to);
    any.port = 0;
    if (at == l->sockets.n)
        at = first_socket(l, &any, to);
    return at == l->sockets.n ? 0 : (uint32_t)at;
}

int asked_listener(const struct plan *p, const struct asked *q, const char *to, size_t *others)
{
    int first = -1, answering = -1;
    *others = 0;
    struct arena *a = arena_new();
    /* A listener on the URL's own port comes first; a site map may have moved the ports, then the scheme decides. */
    struct asked any = *q;
    for (int pass = 0; pass < 2 && first < 0; pass++, any.port = 0)
        for (size_t i = 0; i < p->listeners.n; i++) {
            if (!reaches(&p->listeners.v[i], &any, to))
                continue;
            struct request r = asked_request(p, q, i, -1);
            struct decision d;
            decide(p, &r, false, a, &d);
            if (first >= 0)
                (*others)++;
            else
                first = (int)i;
            if (answering < 0 && d.rule >= 0)
                answering = (int)i;
        }
    arena_free(a);
    return answering >= 0 ? answering : first;
}

static bool holds_name(const strings *names, const char *user, const strings *groups)
{
    for (size_t i = 0; i < names->n; i++) {
        if (ascii_casecmp(names->v[i], user) == 0)
            return true;
        for (size_t k = 0; groups && k < groups->n; k++)
            if (ascii_casecmp(names->v[i], groups->v[k]) == 0)
                return true;
    }
    return false;
}

void asked_user_sets(struct arena *a, const struct plan *p, const char *user, const strings *groups, strings *out)
{
    vec_add(a, out, "All Authenticated Users");
    for (size_t i = 0; i < p->policy->user_sets.n; i++) {
        const struct user_set *s = &p->policy->user_sets.v[i];
        strings accounts = { 0 };
        for (size_t k = 0; k < s->accounts.n; k++)
            vec_add(a, &accounts, s->accounts.v[k].name);
        const struct site_users *said = site_users(p->site, s->name);
        if (holds_name(&accounts, user, groups) ||
            (said && (holds_name(&said->users, user, NULL) || (groups && holds_name(&said->groups, "", groups)))))
            vec_add(a, out, s->name);
    }
}
