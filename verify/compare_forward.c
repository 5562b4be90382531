/* A request that should have been forwarded, and was: judges what the published server got (B-32 to B-37, B-58 to B-79, D-04, D-10 to
 * D-14) and what the client got back (B-42, B-43, B-80, D-11, D-15). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "pages.h"

struct text {
    const char *p;
    size_t n;
};

static bool same(struct text t, const char *s)
{
    return t.p && strlen(s) == t.n && memcmp(t.p, s, t.n) == 0;
}

static void differs_text(struct judgement *out, const char *expected, struct text got, const char *what)
{
    char *copy = got.p ? strndup(got.p, got.n) : NULL;
    differs(out, expected, copy ? copy : "none", what);
    free(copy);
}

/* ---- where it went --------------------------------------------------------------------- */

static void judge_server(const struct judge *j, const struct decision *d, const struct sighting *s, uint32_t client,
                         struct judgement *out)
{
    const struct server_place *place = &j->places->servers.v[s->server];
    const struct plan_rule *r = &j->plan->rules.v[d->rule];
    bool member = false, drained = false;
    for (size_t i = 0; i < d->to->servers.n; i++) {
        const struct plan_server *p = &d->to->servers.v[i];
        if (p->port == place->port && ascii_casecmp(p->host, place->host) == 0) {
            member |= !p->drained;
            drained |= p->drained;
        }
    }
    struct strbuf want = { 0 }, got = { 0 };
    for (size_t i = 0; i < d->to->servers.n; i++)
        if (!d->to->servers.v[i].drained)
            buf_printf(&want, "%s%s:%u", want.n ? " or " : "", d->to->servers.v[i].host, d->to->servers.v[i].port);
    buf_printf(&got, "%s:%u%s", place->host, place->port, drained ? ", which is drained" : "");
    if (!member)
        differs(out, want.n ? want.p : "no member, all being drained", got.p, "published server");
    buf_free(&want);
    buf_free(&got);
    if (s->tls != d->to->tls)
        differs(out, d->to->tls ? "TLS" : "clear text", s->tls ? "TLS" : "clear text", "connection in");
    uint32_t ip;
    if (s->tls && !ip_parse(r->rule->site, &ip) && !str_equal(s->sni, r->rule->site))
        differs(out, r->rule->site, s->sni ? s->sni : "none", "server name in TLS");
    const char *shown = s->certificate >= 0 && (size_t)s->certificate < j->places->certificates.n
                            ? j->places->certificates.v[s->certificate].name
                            : "none";
    const char *shows = s->tls && r->shows ? r->shows->chain : "none"; /* B-51 */
    if (strcmp(shown, shows) != 0)
        differs(out, shows, shown, "certificate shown");
    if (r->transparent && geteuid() == 0 && s->from != client) /* B-59 */
        differs(out, "the client's", "another", "address of the connection");
    if (!r->transparent && s->from == client)
        differs(out, "the target's", "the client's", "address of the connection");
    if (s->times != 1)
        differs(out, "once", "several times", "forwarded");
}

/* ---- the request as it arrived --------------------------------------------------------------- */

static void judge_request_line(const struct probe *b, const struct decision *d, const char *head, struct judgement *out)
{
    size_t method = strcspn(head, " ");
    const char *target = head + method + (head[method] == ' ');
    size_t n = strcspn(target, " \r");
    const char *version = target + n + (target[n] == ' ');
    if (!same((struct text){ head, method }, b->method))
        differs_text(out, b->method, (struct text){ head, method }, "method");
    if (!same((struct text){ target, n }, d->target))
        differs_text(out, d->target, (struct text){ target, n }, "target");
    if (!b->http10 && strncmp(version, "HTTP/1.1\r", 9) != 0)
        differs_text(out, "HTTP/1.1", (struct text){ version, strcspn(version, "\r") }, "version");
}

static bool authorization_passes(const struct rule *r)
{
    return r->delegation == DELEGATE_NONE_PASS || r->delegation == DELEGATE_BASIC;
}

/* What must become of a field that the client sent: the same value, another, or nothing (NULL). */
static const char *field_becomes(const struct judge *j, const struct probe *b, const struct decision *d,
                                 const struct sighting *s, const char *name, const char *value, struct arena *a)
{
    const struct plan_rule *r = &j->plan->rules.v[d->rule];
    if (ascii_casecmp(name, "Host") == 0)
        return d->host;
    if (ascii_casecmp(name, "Accept-Encoding") == 0)
        return coding_asked(j, b, d, s);
    if (ascii_casecmp(name, "Authorization") == 0)
        return authorization_passes(r->rule) ? value : NULL; /* D-11 */
    if (ascii_casecmp(name, "Upgrade") == 0)
        return r->websocket ? value : NULL; /* D-17 */
    if (ascii_casecmp(name, "X-Forwarded-For") == 0 && r->x_forwarded_for) {
        struct strbuf ip = { 0 };
        buf_ip(&ip, clients_image(&j->places->clients, b->client));
        const char *text = arena_strdup(a, ip.p);
        buf_free(&ip);
        return text;
    }
    return value;
}

static bool hop_by_hop(const char *name)
{
    static const char *const names[] = { "Connection", "Content-Length", "Transfer-Encoding", "Keep-Alive", "Via" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ascii_casecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Calls each for every field of a head. */
struct field_walk {
    const char *at;
    struct text name, value;
};
static bool next_field(struct field_walk *w)
{
    const char *line = w->at ? strstr(w->at, "\r\n") : NULL;
    if (line == NULL || line[2] == '\0' || line[2] == '\r')
        return false;
    line += 2;
    size_t n = strcspn(line, "\r"), colon = strcspn(line, ":\r");
    w->at = line;
    w->name = (struct text){ line, colon };
    colon += line[colon] == ':';
    colon += strspn(line + colon, " \t");
    w->value = (struct text){ line + colon, n > colon ? n - colon : 0 };
    return true;
}

static void judge_sent_field(const struct judge *j, const struct probe *b, const struct decision *d,
                             const struct sighting *s, const struct field_walk *w, struct judgement *out)
{
    struct arena *a = arena_new();
    const char *name = arena_strndup(a, w->name.p, w->name.n), *value = arena_strndup(a, w->value.p, w->value.n);
    struct text got;
    if (!hop_by_hop(name)) {
        const char *want = field_becomes(j, b, d, s, name, value, a);
        got.p = head_field(s->head, name, 0, &got.n);
        /* An empty Host and none are the same to a server. */
        bool gone = want && *want == '\0' && got.p == NULL;
        if (!gone && (want ? !same(got, want) : got.p != NULL))
            differs_text(out, want ? want : "none", got, name);
        got.p = head_field(s->head, name, 1, &got.n);
        if (got.p)
            differs_text(out, "once", got, name);
    }
    arena_free(a);
}

/* Fields that the target added: only those that the rule asks for (D-12). */
static void judge_added_fields(const struct judge *j, const struct probe *b, const struct decision *d, const char *sent,
                               const struct sighting *s, struct judgement *out)
{
    const struct plan_rule *r = &j->plan->rules.v[d->rule];
    size_t n;
    const char *asked_for = coding_asked(j, b, d, s);
    for (struct field_walk w = { .at = s->head }; next_field(&w);) {
        char *name = strndup(w.name.p, w.name.n);
        if (name && !hop_by_hop(name) && head_field(sent, name, 0, &n) == NULL) {
            bool asked =
                (r->rule->front_end_https && ascii_casecmp(name, "Front-End-Https") == 0 && same(w.value, "On")) ||
                (r->x_forwarded_for && ascii_casecmp(name, "X-Forwarded-For") == 0) ||
                (asked_for && ascii_casecmp(name, "Accept-Encoding") == 0 && same(w.value, asked_for)) ||
                (ascii_casecmp(name, "Host") == 0 && d->host && same(w.value, d->host)) ||
                (ascii_casecmp(name, "Host") == 0 && !d->host && w.value.n == 0);
            if (!asked)
                differs_text(out, "none", w.value, name);
        }
        free(name);
    }
    if (r->rule->front_end_https && head_field(s->head, "Front-End-Https", 0, &n) == NULL)
        differs(out, "On", "none", "Front-End-Https");
    if (asked_for && head_field(s->head, "Accept-Encoding", 0, &n) == NULL)
        differs(out, asked_for, "none", "Accept-Encoding");
    if (d->host && *d->host && head_field(s->head, "Host", 0, &n) == NULL)
        differs(out, d->host, "none", "Host");
}

static void judge_via(const struct judge *j, const struct decision *d, const char *sent, const struct sighting *s,
                      struct judgement *out)
{
    const char *via = j->plan->rules.v[d->rule].via;
    const struct http_filter *filter = j->plan->rules.v[d->rule].filter;
    size_t n = 0, had_n = 0;
    const char *v = head_field(s->head, "Via", 0, &n), *had = head_field(sent, "Via", 0, &had_n);
    if (via == NULL && filter && filter->via != HEADER_KEPT) { /* B-140 */
        const char *want = filter->via_value;
        if (want ? v == NULL || strlen(want) != n || memcmp(v, want, n) != 0 : v != NULL)
            differs_text(out, want ? want : "none", (struct text){ v, n }, "Via");
        return;
    }
    if (via == NULL && (had ? v == NULL || n != had_n || memcmp(v, had, n) != 0 : v != NULL))
        differs_text(out, had ? "as sent" : "none", (struct text){ v, n }, "Via");
    if (via && v == NULL)
        differs(out, via, "none", "Via");
}

static void judge_request(const struct judge *j, const struct probe *b, size_t number, const struct decision *d,
                          const struct exchange *e, const struct sighting *s, struct judgement *out)
{
    struct strbuf sent = { 0 }, body = { 0 };
    client_head(&sent, b, number, NULL);
    buf_puts(&sent, "\r\n");
    judge_request_line(b, d, s->head, out);
    for (struct field_walk w = { .at = sent.p }; next_field(&w);)
        judge_sent_field(j, b, d, s, &w, out);
    judge_added_fields(j, b, d, sent.p, s, out);
    judge_via(j, d, sent.p, s, out);
    body_text(&body, number, b->body);
    if (body.n != s->body_n || hash_bytes(body.n ? body.p : "", body.n) != s->body_hash)
        differs(out, "as sent",
                s->body_n == body.n  ? "changed"
                : s->body_n < body.n ? "cut"
                                     : "longer",
                "request body");
    if (e->request_held)
        differs(out, "passed on as it comes", "held until it was complete", "request body"); /* B-74 */
    buf_free(&sent);
    buf_free(&body);
}

/* ---- the answer as it came back --------------------------------------------------------------- */

/* Splits an absolute URL; false: it is none. */
static bool split_url(const char *url, struct text *host, struct text *port, const char **path)
{
    if (ascii_ncasecmp(url, "http://", 7) != 0 && ascii_ncasecmp(url, "https://", 8) != 0)
        return false;
    const char *p = strstr(url, "//") + 2;
    host->p = p;
    host->n = strcspn(p, ":/?#");
    p += host->n;
    *port = (struct text){ NULL, 0 };
    if (*p == ':') {
        port->p = p + 1;
        port->n = strcspn(p + 1, "/?#");
        p += 1 + port->n;
    }
    *path = p;
    return true;
}

static bool host_is(struct text h, const char *name)
{
    return name && strlen(name) == h.n && ascii_ncasecmp(h.p, name, h.n) == 0;
}

static bool names_internal_site(const struct rule *r, struct text host, struct text port)
{
    char http[24], ssl[24];
    snprintf(http, sizeof http, "%ld", r->http_port);
    snprintf(ssl, sizeof ssl, "%ld", r->ssl_port);
    return (host_is(host, r->site) || host_is(host, r->server)) &&
           (port.p == NULL || same(port, http) || same(port, ssl));
}

/* Where the client finds the site. publishd knows of an accelerator of TLS in front (B-45). */
static const char *origin_of(const struct judge *j, const struct probe *b, struct arena *a)
{
    const struct plan_listener *l = &j->plan->listeners.v[b->listener];
    long port = j->target == TARGET_PUBLISHD ? l->listener->ssl_accelerator_port : 0;
    int host = (int)strcspn(b->host, ":");
    if (!port)
        return arena_printf(a, "%s://%s", l->sockets.v[b->socket].tls ? "https" : "http", b->host);
    return port == 443 ? arena_printf(a, "https://%.*s", host, b->host)
                       : arena_printf(a, "https://%.*s:%ld", host, b->host, port);
}

/* Is got what url may become (D-15)? *want: one example. */
static bool location_good(const struct judge *j, const struct probe *b, const struct rule *r, const char *url,
                          struct text got, struct arena *a, const char **want)
{
    struct text host, port;
    const char *path;
    *want = url;
    if (!split_url(url, &host, &port, &path) || !names_internal_site(r, host, port) || b->host == NULL)
        return same(got, url);
    const char *origin = origin_of(j, b, a);
    bool mapped = false;
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct path *p = &r->paths.v[i];
        struct path inside = { p->kind, p->internal ? p->internal : p->external, NULL, 0 };
        size_t n = strcspn(path, "?#");
        if (!path_matches(&inside, path, n))
            continue;
        const char *text = arena_printf(a, "%s%s%s", origin,
                                        p->internal ? p->external : arena_strndup(a, path, strlen(inside.external)),
                                        path + strlen(inside.external));
        if (!mapped)
            *want = text;
        mapped = true;
        if (same(got, text))
            return true;
    }
    return !mapped && same(got, url);
}

/* Where links are translated the dictionary holds in headers too (B-42): only publishd has it there. */
static bool translated_location(const struct judge *j, const struct probe *b, const struct plan_rule *r,
                                const char *url, struct text got)
{
    struct strbuf want = { 0 }, line = { 0 };
    bool tls = j->plan->listeners.v[b->listener].sockets.v[b->socket].tls;
    bool good = j->target == TARGET_PUBLISHD && r->rule->translate_links && b->host && got.p &&
                judge_page(j->plan, r, tls, b->host, url, got.p, got.n, &want, &line) == PAGE_RIGHT;
    buf_free(&want);
    buf_free(&line);
    return good;
}

static void judge_location(const struct judge *j, const struct probe *b, const struct decision *d, const char *field,
                           const char *url, const struct exchange *e, struct judgement *out)
{
    struct arena *a = arena_new();
    struct text got;
    const char *want;
    got.p = head_field(e->head.p, field, 0, &got.n);
    const struct plan_rule *r = &j->plan->rules.v[d->rule];
    if (url && !location_good(j, b, r->rule, url, got, a, &want) && !translated_location(j, b, r, url, got))
        differs_text(out, want, got, field);
    if (!url && got.p)
        differs_text(out, "none", got, field);
    arena_free(a);
}

/* Whether links in this answer are translated here. */
static bool translates(const struct judge *j, const struct probe *b, const struct decision *d)
{
    return j->plan->rules.v[d->rule].rule->translate_links && b->page && j->target != TARGET_HAPROXY &&
           link_content_type(b->page_type);
}

static void judge_answer_fields(const struct judge *j, size_t number, const struct probe *b, const struct decision *d,
                                const struct exchange *e, struct judgement *out)
{
    char tag[48], weak[52], plain[24], type[64];
    snprintf(type, sizeof type, "%s; charset=utf-8", b->page ? b->page_type : "text/x-tmgc");
    snprintf(tag, sizeof tag, "\"%zu\"", number);
    snprintf(weak, sizeof weak, "W/%s", tag);
    snprintf(plain, sizeof plain, "%zu", number);
    bool packed = e->coded && !b->packs;                                        /* here, and not by the server */
    const char *changed = packed || j->target == TARGET_PUBLISHD ? weak : NULL; /* no longer that page, byte for byte */
    const struct {
        const char *name, *value;
        size_t nth;
    } fields[] = {
        { "Server", "tmgc-stand-in/1", 0 },
        { "Content-Type", type, 0 },
        { "X-Tmgc-Answer", plain, 0 },
        { "X_Tmgc_Answer", "kept", 0 },
        { "ETag",
          translates(j, b, d) ? changed
          : packed            ? weak
                              : tag,
          0 },
        { "Cache-Control", "private", 0 },
        { "Set-Cookie", "one=1; Domain=internal.example; Path=/internal", 0 },
        { "Set-Cookie", "two=2; Secure; HttpOnly", 1 },
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct text got;
        got.p = head_field(e->head.p, fields[i].name, fields[i].nth, &got.n);
        if (b->packs && !strcmp(fields[i].name, "ETag"))
            continue; /* weak where it was unpacked, and only there */
        if (fields[i].value ? !same(got, fields[i].value) : got.p != NULL)
            differs_text(out, fields[i].value ? fields[i].value : "none", got, fields[i].name);
    }
    size_t n;
    const char *asks = head_field(e->head.p, "WWW-Authenticate", 1, &n);
    if (b->status == 401 && asks == NULL)
        differs(out, "both, as the published server sent them", "not both", "WWW-Authenticate");
}

static void judge_body(const struct judge *j, const struct probe *b, size_t number, const struct decision *d,
                       const struct exchange *e, struct judgement *out)
{
    struct strbuf text = { 0 }, want = { 0 }, got = { 0 };
    reply_text(&text, number, b);
    const char *body = e->body.n ? e->body.p : "";
    if (strcmp(b->method, "HEAD") == 0) {
        /* none */
    } else if (e->cut || !translates(j, b, d)) {
        if (e->cut || e->body.n != text.n || (text.n && memcmp(body, text.p, text.n) != 0))
            differs(out, "as the published server sent it", e->body.n < text.n ? "cut" : "changed", "answer's body");
    } else {
        bool tls = j->plan->listeners.v[b->listener].sockets.v[b->socket].tls;
        enum page_verdict v = judge_page(j->plan, &j->plan->rules.v[d->rule], tls, b->host ? b->host : "", b->page,
                                         body, e->body.n, &want, &got);
        bool announced = v == PAGE_SHORT && out->verdict == VERDICT_AGREED && declared(j, F_LINKS_DIFFER);
        if (v != PAGE_RIGHT)
            differs(out, want.n ? want.p : "no more", got.n ? got.p : "less", "line of the page");
        if (announced) {
            out->verdict = VERDICT_DECLARED;
            out->finding = F_LINKS_DIFFER;
        }
    }
    buf_free(&text);
    buf_free(&want);
    buf_free(&got);
}

static void judge_answer(const struct judge *j, const struct probe *b, size_t number, const struct decision *d,
                         const struct exchange *e, const struct sighting *s, struct judgement *out)
{
    const struct rule *r = j->plan->rules.v[d->rule].rule;
    bool hidden = b->status == 401 && r->delegation == DELEGATE_NONE_BLOCK; /* D-11 */
    int want = hidden ? 403 : b->status;
    char expected[16], got[16];
    size_t n;
    snprintf(expected, sizeof expected, "%d", want);
    snprintf(got, sizeof got, "%d", e->status);
    if (e->status != want) {
        differs(out, expected, e->status ? got : e->error ? e->error : "none", "status");
        return;
    }
    if (hidden) {
        if (head_field(e->head.p, "WWW-Authenticate", 0, &n))
            differs(out, "none", "the published server's", "WWW-Authenticate");
        if (r->pass_auth_body && j->target == TARGET_PUBLISHD)
            judge_body(j, b, number, d, e, out);
        return;
    }
    if (e->answer_held)
        differs(out, "passed on as it comes", "held until it was complete", "answer's body"); /* B-74 */
    judge_coding(j, b, d, e, s, out);
    judge_answer_fields(j, number, b, d, e, out);
    judge_location(j, b, d, "Location", b->location, e, out);
    judge_location(j, b, d, "Content-Location", b->content_location, e, out);
    judge_body(j, b, number, d, e, out);
}

void judge_forwarded(const struct judge *j, const struct probe *b, size_t number, const struct decision *d,
                     const struct exchange *e, const struct sighting *s, struct judgement *out)
{
    judge_server(j, d, s, clients_image(&j->places->clients, b->client), out);
    judge_request(j, b, number, d, e, s, out);
    judge_answer(j, b, number, d, e, s, out);
}
