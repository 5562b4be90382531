/* gate_answer: what the gate answers by itself - refusals, challenges, cookies, and the way to the form and back. */
#include "gate_internal.h"

void gate_refuse(struct gate_at *at, int status, const char *why)
{
    at->out->kind = GATE_ANSWER;
    at->out->status = status;
    at->out->why = why;
}

void gate_forbid(struct gate_at *at, enum gate_page page, const char *why)
{
    gate_refuse(at, 403, why);
    at->out->page = page;
}

void gate_add(struct gate_at *at, const char *name, const char *value)
{
    struct gate_result *out = at->out;
    if (out->headers_n < GATE_HEADERS)
        out->headers[out->headers_n++] = (struct gate_header){ name, value };
}

/* With scheme and host in front, no browser can read the path as another host's. */
void gate_redirect(struct gate_at *at, int status, const char *path)
{
    gate_refuse(at, status, NULL);
    gate_add(at, "Location", arena_printf(at->a, "https://%s%s", at->q->authority, path));
    gate_add(at, "Cache-Control", "no-store");
}

void gate_cookie(struct gate_at *at, struct session *s)
{
    struct strbuf b = { 0 };
    if (s)
        session_set_cookie(&at->g->sessions, at->q->host, s, at->q->now, &b);
    else
        session_clear_cookie(&at->g->sessions, at->q->host, &b);
    gate_add(at, "Set-Cookie", arena_strdup(at->a, b.p));
    buf_free(&b);
}

void gate_retry_after(struct gate_at *at, long seconds)
{
    gate_add(at, "Retry-After", arena_printf(at->a, "%ld", seconds));
}

static bool plain_request(const struct gate_request *q)
{
    return strcmp(q->head->method, "GET") == 0 || strcmp(q->head->method, "HEAD") == 0;
}

/* The target with its bytes beyond ASCII encoded, as a browser would ask for it; "/" if nobody may be sent there. */
static const char *way_back(struct gate_at *at, const char *target)
{
    struct strbuf b = { 0 };
    for (const char *p = target_path(target); *p; p++) {
        if ((unsigned char)*p >= 0x7f)
            buf_printf(&b, "%%%02X", (unsigned)(unsigned char)*p);
        else
            buf_putc(&b, *p);
    }
    const char *path = b.p && return_allowed(b.p) ? arena_strdup(at->a, b.p) : "/";
    buf_free(&b);
    return path;
}

/* What was sent with another method cannot be asked for again by going there: back to the page that sent it. */
static const char *page_before(struct gate_at *at)
{
    const char *referer = head_value(at->q->head, FIELD_REFERER);
    const char *origin = arena_printf(at->a, "https://%s/", at->q->authority);
    size_t n = strlen(origin);
    bool ours = referer && ascii_ncasecmp(referer, origin, n) == 0;
    return ours ? referer + n - 1 : at->q->head->target;
}

const char *gate_form_path(struct gate_at *at, const char *why)
{
    bool plain = plain_request(at->q);
    struct strbuf b = { 0 };
    buf_puts(&b, PLACE_SIGN_IN_PATH "?url=");
    parameter_encode(&b, way_back(at, plain ? at->q->head->target : page_before(at)));
    if (!plain)
        why = "interrupted";
    if (why)
        buf_printf(&b, "&why=%s", why);
    const char *path = arena_strdup(at->a, b.p);
    buf_free(&b);
    return path;
}

void gate_challenge(struct gate_at *at, bool basic, bool integrated, const char *why)
{
    struct challenges list;
    const char *realm = at->g->domain ? at->g->domain : at->q->host;
    challenges_make(at->a, &(struct challenge_rules){ integrated ? &at->g->offer : NULL, basic, realm }, &list);
    gate_refuse(at, 401, why);
    for (size_t i = 0; i < list.n; i++)
        gate_add(at, "WWW-Authenticate", list.v[i]);
}

void gate_challenge_all(struct gate_at *at, const char *why)
{
    gate_challenge(at, at->g->basic, at->g->integrated && !at->q->shared, why);
}
