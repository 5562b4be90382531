/* forward: see forward.h. Fields that concern one hop alone are left out by the writer of the head (http1.h). */
#include "forward.h"

#include <string.h>

/* ---- credentials ---------------------------------------------------------------------- */

/* Whether the client's own Authorization goes on: where nobody here asked for it and the rule lets clients sign in at the
 * server, or would send what they sign in with (B-27, B-102). */
static bool passes_credentials(const struct rule *r, const struct forward *f)
{
    return !f->signed_in && (r->delegation == DELEGATE_NONE_PASS || r->delegation == DELEGATE_BASIC);
}

static void set_credentials(const struct rule *r, const struct forward *f, struct head *h)
{
    if (f->authorization)
        head_set(h, FIELD_AUTHORIZATION, "Authorization", f->authorization);
    else if (!passes_credentials(r, f))
        head_remove(h, FIELD_AUTHORIZATION);
}

/* ---- cookies -------------------------------------------------------------------------- */

static bool is_own(const char *const *cookies, const char *name, size_t n)
{
    for (; *cookies; cookies++)
        if (strlen(*cookies) == n && memcmp(*cookies, name, n) == 0)
            return true;
    return false;
}

static bool names_own(const char *value, const char *const *cookies)
{
    for (; *cookies; cookies++)
        if (strstr(value, *cookies))
            return true;
    return false;
}

/* value without those cookies, into out; the others stay as they were written. */
static void keep_others(struct strbuf *out, const char *value, const char *const *cookies)
{
    while (*value) {
        value += strspn(value, "; \t");
        size_t n = strcspn(value, ";");
        if (n && !is_own(cookies, value, strcspn(value, "=;"))) {
            buf_puts(out, out->n ? "; " : "");
            buf_add(out, value, n);
        }
        value += n;
    }
}

static void remove_cookies(const char *const *cookies, struct head *h)
{
    for (uint32_t i = h->first[FIELD_COOKIE]; i && i <= h->n; i++) {
        struct field *field = &h->fields[i - 1];
        if (field->id != FIELD_COOKIE || !field->name_n || !names_own(field->value, cookies))
            continue;
        struct strbuf rest = { 0 };
        keep_others(&rest, field->value, cookies);
        if (rest.n) {
            field->value = head_copy(h, rest.p, rest.n);
            field->value_n = (uint32_t)rest.n;
        } else {
            head_remove_at(h, i - 1);
        }
        buf_free(&rest);
    }
}

/* ---- the target ----------------------------------------------------------------------- */

/* The source put "authResend" and hexadecimal digits behind a URL to sign in again; bookmarks may still have it (B-106).
 * Bytes of that parameter at p, which stands on its "?" or "&"; 0: it is another. */
static size_t resend_mark(const char *p)
{
    static const char mark[] = "authResend";
    size_t n = sizeof mark - 1;
    if (strncmp(p + 1, mark, n) != 0)
        return 0;
    size_t digits = strspn(p + 1 + n, "0123456789abcdefABCDEF");
    const char *end = p + 1 + n + digits;
    return digits && (*end == '\0' || *end == '&') ? 1 + n + digits : 0;
}

static const char *without_mark(struct head *h, const char *target)
{
    const char *p = strstr(target, "authResend");
    size_t n = p && p > target && (p[-1] == '?' || p[-1] == '&') ? resend_mark(p - 1) : 0;
    if (!n)
        return target;
    struct strbuf b = { 0 };
    const char *rest = p - 1 + n;
    buf_add(&b, target, (size_t)(p - 1 - target));
    if (p[-1] == '?' && *rest)
        buf_printf(&b, "?%s", rest + 1);
    else
        buf_puts(&b, rest);
    target = head_copy(h, b.p, b.n);
    buf_free(&b);
    return target;
}

/* ---- the rest ------------------------------------------------------------------------------ */

/* What a client must not say to a server behind us: what is said to proxies, and who it claims to be to a publishd. */
static bool is_between_proxies(const struct field *f)
{
    static const char client[] = PREAUTH_CLIENT;
    char first = f->name[0] | 0x20;
    return (first == 'p' && f->name_n > 6 && ascii_ncasecmp(f->name, "Proxy-", 6) == 0) ||
           (first == 'x' && f->name_n == sizeof client - 1 && ascii_casecmp(f->name, client) == 0);
}

static void remove_proxy_fields(struct head *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->fields[i].name_n && is_between_proxies(&h->fields[i]))
            head_remove_at(h, i);
}

static void set_via(const struct plan_rule *r, struct head *h)
{
    if (r->via)
        head_add(h, "Via", r->via);
    else if (r->filter && r->filter->via == HEADER_STRIPPED)
        head_remove(h, FIELD_VIA);
    else if (r->filter && r->filter->via == HEADER_REPLACED)
        head_set(h, FIELD_VIA, "Via", r->filter->via_value);
}

static const char *address_text(struct head *h, uint32_t ip)
{
    char text[16];
    int n = snprintf(text, sizeof text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    return head_copy(h, text, (size_t)n);
}

bool forward_head(const struct snapshot *s, const struct decision *d, const struct forward *f, struct head *h)
{
    const struct plan_rule *r = &s->plan->rules.v[d->rule];
    const struct rule *rule = r->rule;
    const char *host = head_value(h, FIELD_HOST);
    bool upgrades = r->websocket && h->upgrades && head_has_token(h, FIELD_UPGRADE, "websocket");
    h->target = without_mark(h, d->target);
    if (!host || !d->host || strcmp(host, d->host) != 0)
        head_set(h, FIELD_HOST, "Host", d->host ? d->host : "");
    if (!rule->accept_encoding && r->asks_gzip && !head_value(h, FIELD_RANGE)) /* a part is one of the plain answer */
        head_set(h, FIELD_ACCEPT_ENCODING, "Accept-Encoding", "gzip");
    else if (!rule->accept_encoding)
        head_remove(h, FIELD_ACCEPT_ENCODING);
    set_credentials(rule, f, h);
    if (!upgrades)
        head_remove(h, FIELD_UPGRADE);
    head_remove(h, FIELD_EXPECT);
    remove_proxy_fields(h);
    if (f->cookies && h->first[FIELD_COOKIE])
        remove_cookies(f->cookies, h);
    if (rule->front_end_https)
        head_set(h, FIELD_FRONT_END_HTTPS, "Front-End-Https", "On");
    if (r->x_forwarded_for)
        head_set(h, FIELD_X_FORWARDED_FOR, "X-Forwarded-For", address_text(h, f->client));
    set_via(r, h);
    return upgrades;
}

long long forward_body_max(const struct snapshot *s, const struct decision *d)
{
    const struct http_filter *f = s->plan->rules.v[d->rule].filter;
    return f && f->parts & FILTER(BODY_LENGTH) ? f->body_max : -1;
}
