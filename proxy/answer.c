/* answer: see answer.h. */
#include "answer.h"

#include <string.h>

/* ---- the HTTP filter (B-131, B-139 to B-141) ----------------------------------------- */

static bool name_is(const struct field *f, const char *name)
{
    return strlen(name) == f->name_n && ascii_ncasecmp(f->name, name, f->name_n) == 0;
}

static bool has_text(const char *s, size_t n, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= n; i++)
        if (ascii_ncasecmp(s + i, text, len) == 0)
            return true;
    return false;
}

static bool refuses_field(const struct http_filter *f, const struct field *x)
{
    for (size_t i = 0; i < f->answer_headers.n; i++)
        if (name_is(x, f->answer_headers.v[i]))
            return true;
    for (size_t i = 0; i < f->answer_texts.n; i++)
        if (name_is(x, f->answer_texts.v[i].header) && has_text(x->value, x->value_n, f->answer_texts.v[i].text))
            return true;
    return false;
}

static bool refuses_head(const struct http_filter *f, const struct head *h)
{
    for (uint32_t i = 0; f && f->parts & (FILTER(ANSWER_HEADERS) | FILTER(ANSWER_TEXTS)) && i < h->n; i++)
        if (h->fields[i].name_n && refuses_field(f, &h->fields[i]))
            return true;
    return false;
}

static void set_header(struct head *h, enum field_id id, const char *name, enum filter_action action, const char *value)
{
    if (action == HEADER_STRIPPED)
        head_remove(h, id);
    else if (action == HEADER_REPLACED)
        head_set(h, id, name, value);
}

/* ---- Location (D-15) ------------------------------------------------------------------ */

static bool host_is(const char *host, size_t n, const char *name)
{
    return name && strlen(name) == n && ascii_ncasecmp(host, name, n) == 0;
}

static bool port_is(const char *p, size_t n, long port)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%ld", port);
    return (size_t)len == n && memcmp(text, p, n) == 0;
}

/* What follows the authority of an absolute URL on the internal site, by either of its names, with or without one of the
 * redirect ports; NULL: it is something else. */
static const char *behind_site(const struct rule *r, const char *url)
{
    size_t scheme = ascii_ncasecmp(url, "http://", 7) == 0 ? 7 : ascii_ncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    if (!scheme)
        return NULL;
    const char *host = url + scheme;
    size_t n = strcspn(host, ":/?#");
    const char *p = host + n;
    if (!host_is(host, n, r->site) && !host_is(host, n, r->server))
        return NULL;
    if (*p != ':')
        return p;
    size_t port = strcspn(p + 1, "/?#");
    if (!port_is(p + 1, port, r->http_port) && !port_is(p + 1, port, r->ssl_port))
        return NULL;
    return p + 1 + port;
}

/* The rewritten path that a place behind the site belongs to: the one with the longest internal path; NULL: none. */
static const struct path *path_back(const struct rule *r, const char *place)
{
    const struct path *best = NULL;
    size_t n = strcspn(place, "?#"), longest = 0;
    for (size_t i = 0; i < r->paths.n; i++) {
        const struct path *p = &r->paths.v[i];
        if (!p->internal)
            continue;
        struct path inside = { .kind = p->kind, .external = p->internal };
        size_t length = strlen(p->internal);
        if (path_matches(&inside, place, n) && (!best || length > longest)) {
            best = p;
            longest = length;
        }
    }
    return best;
}

/* "https://host:port" as the client sees the site. Behind an accelerator of TLS that is the accelerator's port (B-45). */
static void add_origin(struct strbuf *b, const struct listener *l, const struct answer_to *to)
{
    long port = l->ssl_accelerator_port;
    if (!port)
        buf_printf(b, "%s://%s", to->tls ? "https" : "http", to->host);
    else if (port == 443)
        buf_printf(b, "https://%.*s", (int)strcspn(to->host, ":"), to->host);
    else
        buf_printf(b, "https://%.*s:%ld", (int)strcspn(to->host, ":"), to->host, port);
}

static void turn_location(const struct plan_rule *r, const struct answer_to *to, struct head *h, enum field_id id)
{
    for (uint32_t i = h->first[id]; i && i <= h->n; i++) {
        struct field *f = &h->fields[i - 1];
        const char *place = f->id == id && f->name_n ? behind_site(r->rule, f->value) : NULL;
        if (!place)
            continue;
        const struct path *p = path_back(r->rule, place);
        struct strbuf b = { 0 };
        add_origin(&b, r->listener, to);
        if (p) {
            buf_puts(&b, p->external);
            place += strlen(p->internal);
        }
        buf_puts(&b, place);
        f->value = head_copy(h, b.p, b.n);
        f->value_n = (uint32_t)b.n;
        buf_free(&b);
    }
}

/* ---- the whole ------------------------------------------------------------------------------ */

enum cause answer_head(const struct snapshot *s, const struct decision *d, const struct answer_to *to, struct head *h)
{
    const struct plan_rule *r = &s->plan->rules.v[d->rule];
    if (h->status == 401 && r->rule->delegation == DELEGATE_NONE_BLOCK) { /* D-11 */
        if (!r->rule->pass_auth_body)
            return CAUSE_BLOCKED_SIGN_IN;
        h->status = 403;
        h->reason = "Forbidden";
        head_remove(h, FIELD_WWW_AUTHENTICATE);
    }
    if (refuses_head(r->filter, h))
        return CAUSE_FILTERED_ANSWER;
    if (h->status == 101 && !to->upgraded)
        return CAUSE_GARBAGE;
    if (to->host && *to->host) {
        turn_location(r, to, h, FIELD_LOCATION);
        turn_location(r, to, h, FIELD_CONTENT_LOCATION);
    }
    if (r->filter) {
        set_header(h, FIELD_VIA, "Via", r->filter->via, r->filter->via_value);
        set_header(h, FIELD_SERVER, "Server", r->filter->server, r->filter->server_value);
    }
    head_remove(h, FIELD_PROXY_AUTHENTICATE);
    if (to->set_cookie)
        head_add(h, "Set-Cookie", to->set_cookie);
    return CAUSE_NONE;
}
