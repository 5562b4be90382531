/* diff: the whole comparison, and witnesses in words. See diff.h. */
#include "diff_internal.h"

#include <string.h>

/* A change that may show in connections to published servers, although no request is answered differently. */
static bool concerns_servers(const struct diff_change *c, bool any)
{
    bool names_only = c->kind == DIFF_CHANGED && !c->fields.n && !c->moved;
    switch (c->subject) {
    case DIFF_SERVER_RULE: return !names_only && (c->kind != DIFF_CHANGED || c->moved);
    case DIFF_NETWORK:
    case DIFF_SCHEDULE:
    case DIFF_PROTOCOL: return any && !names_only;
    default: return false;
    }
}

/* Whether anything beyond names and remarks differs, given that all requests are answered alike. */
static bool runs_alike(const struct diff *d, bool servers)
{
    for (size_t i = 0; i < d->changes.n; i++)
        if (concerns_servers(&d->changes.v[i], servers))
            return false;
    for (size_t i = 0; i < d->changes.n; i++)
        for (size_t k = 0; k < d->changes.v[i].fields.n; k++)
            if (d->changes.v[i].fields.v[k].bits & RUNS_DIFFERENTLY)
                return false;
    return true;
}

struct diff *diff_make(const struct plan *before, const struct plan *after, size_t limit)
{
    struct arena *a = arena_new();
    struct diffing d = { .plan = { before, after }, .scratch = arena_new(), .limit = limit };
    d.out = arena_alloc(a, sizeof *d.out);
    d.out->arena = a;
    diff_pair_objects(&d);
    diff_make_facts(&d);
    diff_walk(&d);
    d.out->same = d.out->different == 0 && d.out->unproven == 0;
    bool servers = before->server_rules.n || after->server_rules.n;
    d.out->meaningless = d.out->same && runs_alike(d.out, servers);
    arena_free(d.scratch);
    return d.out;
}

void diff_free(struct diff *d)
{
    if (d)
        arena_free(d->arena);
}

/* ---- words ------------------------------------------------------------------------ */

void buf_witness_request(struct strbuf *b, const struct witness *w)
{
    static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    bool usual = w->port == (w->tls ? 443 : 80);
    bool plain = w->host && !strchr(w->host, ':') && w->target[0] == '/';
    for (const char *s = w->host; s && *s; s++)
        plain &= !(*s >= 'A' && *s <= 'Z');
    const char *authority = plain ? w->host : w->address[0] == '*' ? "LISTENER" : w->address;
    buf_printf(b, "GET http%s://%s", w->tls ? "s" : "", authority);
    if (!usual)
        buf_printf(b, ":%u", w->port);
    if (w->target[0] == '/')
        buf_visible(b, w->target);
    else
        buf_printf(b, " (target %s)", w->target);
    if (!w->host)
        buf_puts(b, " without Host");
    else if (!plain)
        buf_printf(b, " with Host: %s", w->host);
    if (w->client != ORDINARY_CLIENT) {
        buf_puts(b, " from ");
        buf_ip(b, w->client);
    }
    if (w->hour >= 0)
        buf_printf(b, ", %s %02d:00", days[w->hour / 24], w->hour % 24);
    if (w->user && strcmp(w->user, ANYBODY) == 0)
        buf_puts(b, ", signed in, in no set that the rule names");
    else if (w->user) {
        buf_puts(b, ", signed in as ");
        buf_visible(b, w->user);
    }
}

static const char *in_words(const char *answer)
{
    static const struct {
        const char *answer, *words;
    } words[] = {
        { "no-listener", "nobody listens" },
        { "no-rule", "403, no rule matches" },
        { "to-https", "302 to HTTPS" },
        { "deny", "403, denied" },
        { "deny-redirect", "302, denied" },
        { "dots", "403, the path leaves what is published" },
        { "needs-ssl", "403, SSL is required" },
        { "needs-user", "asks the user to sign in" },
        { "wrong-user", "403, not one of the rule's users" },
        { "pass-over-http", "403, credentials would go over plain HTTP" },
        { "unknown", "403, a condition is not known" },
        { "no-backend", "403, no server to forward to" },
        { "forward", "forwarded" },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i].answer, answer) == 0)
            return words[i].words;
    return answer;
}

void buf_witness_side(struct strbuf *b, const struct witness *w, int side)
{
    const struct diff_side *s = &w->side[side];
    buf_puts(b, in_words(s->answer));
    if (s->to) {
        buf_printf(b, " to %s as ", s->to);
        buf_visible(b, s->target);
        buf_puts(b, s->host ? ", Host " : ", no Host");
        buf_visible(b, s->host ? s->host : "");
    }
    if (s->location) {
        buf_puts(b, ", Location ");
        buf_visible(b, s->location);
    }
    if (s->rule) {
        buf_puts(b, ", by rule \"");
        buf_visible(b, s->rule);
        buf_putc(b, '"');
    }
    if (w->bits & DIFFERS_CERTIFICATE)
        buf_printf(b, ", certificate %s", s->certificate ? s->certificate : "none");
}
