/* links: link translation of a stream; see the header. */
#include "links.h"

#include <stdlib.h>
#include <string.h>

/* ---- dictionaries, compiled --------------------------------------------------------------------- */
struct rule_set {
    struct link_table own[2]; /* for requests over HTTP, HTTPS */
    struct matcher *matcher[2];
};
struct link_sets {
    struct arena *arena;
    const struct plan *plan;
    struct link_table shared[2];
    struct matcher *matcher[2];
    struct rule_set **rules; /* by rule; NULL: it does not translate */
};

struct link_sets *link_sets_make(const struct plan *p)
{
    struct arena *a = arena_new();
    struct link_sets *s = arena_alloc(a, sizeof *s);
    bool any = false;
    *s = (struct link_sets){ .arena = a, .plan = p, .rules = arena_alloc(a, (p->rules.n + 1) * sizeof *s->rules) };
    for (uint32_t i = 0; i < p->rules.n; i++) {
        const struct rule *r = p->rules.v[i].rule;
        if (!r->translate_links || r->bridging == BRIDGE_FTP || !p->rules.v[i].forwards)
            continue;
        struct rule_set *set = s->rules[i] = arena_alloc(a, sizeof *set);
        for (int tls = 0; tls < 2; tls++) {
            links_own(p, i, tls, a, &set->own[tls]);
            set->matcher[tls] = matcher_make(a, &set->own[tls]);
        }
        any = true;
    }
    for (int tls = 0; any && tls < 2; tls++) {
        links_shared(p, tls, a, &s->shared[tls]);
        s->matcher[tls] = matcher_make(a, &s->shared[tls]);
    }
    return s;
}

void link_sets_free(struct link_sets *s)
{
    if (s)
        arena_free(s->arena);
}

bool link_sets_any(const struct link_sets *s, uint32_t rule, bool tls)
{
    const struct rule_set *set = s->rules[rule];
    return set && (set->matcher[tls] || s->matcher[tls]);
}

/* ---- the origin of the request -------------------------------------------------------------------- */
/* Only what a name, an address and a port are made of: it goes into pages. */
static bool is_plain_host(const char *host)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]";
    return host && *host && strlen(host) <= 261 && strspn(host, good) == strlen(host);
}

static void set_origin(struct link_stream *s, const struct listener *l, bool tls, const char *host)
{
    s->has_origin = is_plain_host(host);
    if (!s->has_origin)
        return;
    long port = l ? l->ssl_accelerator_port : 0; /* B-45: the client speaks TLS with the accelerator */
    size_t name = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
    buf_puts(&s->origin, tls || port ? "https://" : "http://");
    if (port)
        buf_add(&s->origin, host, name + (host[name] == ']'));
    else
        buf_puts(&s->origin, host);
    if (port && port != 443)
        buf_printf(&s->origin, ":%ld", port);
    for (size_t i = 0; i < s->origin.n; i++)
        if (s->origin.p[i] == ':')
            buf_puts(&s->escaped, "%3a");
        else
            buf_putc(&s->escaped, s->origin.p[i]);
}

void link_stream_begin(struct link_stream *s, const struct link_sets *sets, uint32_t rule, bool tls, const char *host)
{
    const struct plan_rule *r = &sets->plan->rules.v[rule];
    const struct rule_set *set = sets->rules[rule];
    *s = (struct link_stream){ .own = set->matcher[tls],
                               .shared = sets->matcher[tls],
                               .rule = r->rule,
                               .how = { .whole = set->own[tls].whole, .escape = set->own[tls].escape },
                               .on = r->rule->link_mode != LINK_MODE_ON_AFTER };
    set_origin(s, r->listener, tls, host);
}

void link_stream_free(struct link_stream *s)
{
    buf_free(&s->hold);
    buf_free(&s->origin);
    buf_free(&s->escaped);
}

/* ---- comments that turn it off or on (B-128) --------------------------------------------------------- */
struct comment {
    enum match_state state;
    size_t at, end; /* for FOUND: its bytes */
};
enum { COMMENT_MAX = 1024 };

static bool fits(const char *pattern, const char *inside, size_t n)
{
    const char *star = strchr(pattern, '*');
    size_t head = star ? (size_t)(star - pattern) : strlen(pattern), tail = star ? strlen(star + 1) : 0;
    return (star ? n >= head + tail : n == head) && !memcmp(inside, pattern, head) &&
           !memcmp(inside + n - tail, star ? star + 1 : "", tail);
}

/* The comment at p, which begins with "<!--", and has no other < or > before its end. */
static struct comment read_comment(const struct rule *r, const char *p, size_t n, size_t at, bool end)
{
    struct comment none = { .at = at };
    size_t i = at + 4, limit = n - i < COMMENT_MAX ? n : i + COMMENT_MAX;
    while (i < limit && p[i] != '<' && p[i] != '>')
        i++;
    if (i == n && !end && n - at < COMMENT_MAX)
        return (struct comment){ .state = MATCH_UNSURE, .at = at };
    if (i == limit || p[i] != '>' || i - at < 6 || p[i - 1] != '-' || p[i - 2] != '-')
        return none;
    for (size_t k = 0; k < r->link_patterns.n; k++)
        if (fits(r->link_patterns.v[k], p + at + 4, i - 2 - (at + 4)))
            return (struct comment){ .state = MATCH_FOUND, .at = at, .end = i + 1 };
    return none;
}

static struct comment next_comment(const struct link_stream *s, const char *p, size_t n, size_t from, bool end)
{
    bool wanted = (s->rule->link_mode == LINK_MODE_OFF_AFTER || s->rule->link_mode == LINK_MODE_ON_AFTER) && !s->seen;
    while (wanted) {
        const char *less = memchr(p + from, '<', n - from);
        if (!less)
            break;
        from = (size_t)(less - p);
        size_t there = n - from < 4 ? n - from : 4;
        if (!memcmp(less, "<!--", there)) {
            struct comment c = { .state = end ? MATCH_NONE : MATCH_UNSURE, .at = from };
            if (there == 4)
                c = read_comment(s->rule, p, n, from, end);
            if (c.state != MATCH_NONE)
                return c;
        }
        from++;
    }
    return (struct comment){ .at = n };
}

/* ---- translating ---------------------------------------------------------------------------------------- */
/* "…/owa/redir.aspx?URL=" stands in front: the server leads there itself (FpcLinkTranslationMode 1). */
static bool is_redirected(const struct link_stream *s, const char *p, size_t at)
{
    static const char before[] = "redir.aspx?URL=";
    size_t n = sizeof before - 1;
    return s->rule->link_mode == LINK_MODE_OWA && at >= n && !ascii_ncasecmp(p + at - n, before, n);
}
enum { LOOK_BACK = 16 };

static void put(struct link_stream *s, const struct link *l, const char *p, size_t at, struct strbuf *out)
{
    if (is_redirected(s, p, at) || (l->origin && !s->has_origin)) {
        buf_add(out, p + at, l->from_n);
        return;
    }
    if (l->origin)
        buf_add(out, l->escaped ? s->escaped.p : s->origin.p, l->escaped ? s->escaped.n : s->origin.n);
    buf_add(out, l->to, l->to_n);
}

static struct match find(const struct matcher *m, const struct link_stream *s, size_t from, bool end)
{
    if (!m || !s->on)
        return (struct match){ .at = s->hold.n };
    return matcher_find(m, s->how, s->hold.p, s->hold.n, from, end);
}

/* Own and shared matches at the same place: the longer one, own of equals (B-125). */
static const struct link *better(const struct match *own, const struct match *shared, size_t at)
{
    const struct link *x = own->at == at ? own->link : NULL, *y = shared->at == at ? shared->link : NULL;
    return !y || (x && x->from_n >= y->from_n) ? x : y;
}

/* Somebody has not looked any further, or cannot tell. */
static bool unsure(const struct match *own, const struct match *shared, const struct comment *c, size_t at)
{
    return (own->state != MATCH_FOUND && own->at == at) || (shared->state != MATCH_FOUND && shared->at == at) ||
           (c->state != MATCH_FOUND && c->at == at);
}

/* Decides as far as it can; gives the place from which on it could not. */
static size_t translate(struct link_stream *s, bool end, struct strbuf *out)
{
    const char *p = s->hold.p;
    size_t at = s->done, n = s->hold.n;
    struct match own = find(s->own, s, at, end), shared = find(s->shared, s, at, end);
    struct comment c = next_comment(s, p, n, at, end);
    for (;;) {
        size_t stop = own.at < shared.at ? own.at : shared.at;
        stop = c.at < stop ? c.at : stop;
        buf_add(out, p + at, stop - at);
        at = stop;
        if (unsure(&own, &shared, &c, at))
            return at;
        if (c.state == MATCH_FOUND && c.at == at) {
            buf_add(out, p + at, c.end - at);
            at = c.end;
            s->seen = true;
            s->on = s->rule->link_mode == LINK_MODE_ON_AFTER;
            own = find(s->own, s, at, end);
            shared = find(s->shared, s, at, end);
            c = next_comment(s, p, n, at, end);
            continue;
        }
        const struct link *l = better(&own, &shared, at);
        put(s, l, p, at, out);
        at += l->from_n;
        if (own.at < at)
            own = find(s->own, s, at, end);
        if (shared.at < at)
            shared = find(s->shared, s, at, end);
        if (c.at < at)
            c = next_comment(s, p, n, at, end);
    }
}

void link_stream_push(struct link_stream *s, const char *p, size_t n, bool end, struct strbuf *out)
{
    if (s->seen && !s->on) { /* off for good: what was held went out when the comment was seen */
        buf_add(out, s->hold.p ? s->hold.p + s->done : "", s->hold.n - s->done);
        buf_add(out, p, n);
        s->hold.n = s->done = 0;
        return;
    }
    buf_add(&s->hold, p, n);
    size_t at = translate(s, end, out);
    size_t keep = at > LOOK_BACK ? at - LOOK_BACK : 0;
    memmove(s->hold.p, s->hold.p + keep, s->hold.n - keep);
    s->hold.n -= keep;
    s->done = at - keep;
}
