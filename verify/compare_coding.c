/* Compression (B-64, B-65): what a published server must be asked for, and whether the client may get its answer by gzip, or must. On
 * the proxies compression differs by types, statuses and lengths as finding TMG3046 says: what none of that touches is judged strictly. */
#include <string.h>

#include "../ir/compression.h"
#include "../ir/links.h"
#include "internal.h"

bool accepts_gzip(const char *value, size_t n)
{
    for (size_t i = 0; i + 4 <= n; i++)
        if (!ascii_ncasecmp(value + i, "gzip", 4))
            return n < i + 9 || strncmp(value + i, "gzip;q=0,", 9) != 0;
    return false;
}

static bool takes_gzip(const struct probe *b)
{
    return accepts_gzip(client_accepts(b), strlen(client_accepts(b)));
}

static bool compresses_for(const struct plan_rule *r, const struct probe *b)
{
    return r->compresses && (r->compresses_all || ipset_has(&r->compresses_for, b->client));
}

/* Types that a proxy has in its list, "*" for all; its rule can compress at all. */
static bool proxy_compresses(const struct judge *j, const struct plan_rule *r, struct arena *a, strings *types)
{
    content_types_listed(a, &j->plan->types, j->target == TARGET_HAPROXY, types);
    return r->compresses && types->n && (j->target != TARGET_HAPROXY || haproxy_compresses(r));
}

/* nginx translates links in what the server did not compress. */
static bool keeps_plain(const struct judge *j, const struct plan_rule *r)
{
    return j->target == TARGET_NGINX && r->rule->translate_links && declared(j, F_LINKS_DIFFER);
}

const char *coding_asked(const struct judge *j, const struct probe *b, const struct decision *d,
                         const struct sighting *s)
{
    const struct plan_rule *r = &j->plan->rules.v[d->rule];
    struct arena *a = arena_new();
    strings types = { 0 };
    size_t n;
    bool proxy = j->target != TARGET_PUBLISHD, asks = r->asks_gzip && !head_field(s->head, "Range", 0, &n);
    bool able = !proxy || (proxy_compresses(j, r, a, &types) && compresses_for(r, b));
    arena_free(a);
    if (r->rule->accept_encoding && !keeps_plain(j, r))
        return *client_accepts(b) ? client_accepts(b) : NULL; /* B-64 */
    if (!asks || r->rule->accept_encoding || !able || keeps_plain(j, r) ||
        (j->target == TARGET_HAPROXY && !takes_gzip(b)))
        return NULL;
    return "gzip";
}

enum want { WANT_PLAIN, WANT_CODED, WANT_EITHER };

static bool listed(const strings *types, const char *type)
{
    for (size_t i = 0; i < types->n; i++) {
        size_t n = strcspn(types->v[i], "*");
        if (types->v[i][n] ? !strncmp(types->v[i], type, n) : !strcmp(types->v[i], type))
            return true;
    }
    return false;
}

/* Of an answer that the server sent as it is. */
static enum want of_plain(const struct judge *j, const struct probe *b, const struct plan_rule *r, const char *type)
{
    struct arena *a = arena_new();
    strings types = { 0 };
    bool source = content_types_hold(&j->plan->types, type, b->target), head = strcmp(b->method, "HEAD") == 0;
    bool small = !b->page && b->reply != REPLY_LONG && b->reply != REPLY_CHUNKED && b->reply != REPLY_UNTIL_CLOSE &&
                 b->reply != REPLY_HELD;
    enum want want = WANT_EITHER;
    if (j->target == TARGET_PUBLISHD)
        want = source && !head && !small && b->status != 206 && b->status != 204 && b->status != 304 ? WANT_CODED
                                                                                                     : WANT_PLAIN;
    else if (!proxy_compresses(j, r, a, &types))
        want = WANT_PLAIN;
    else if (!head && !small && b->status == 200 && !(j->target == TARGET_HAPROXY && b->reply == REPLY_UNTIL_CLOSE))
        want = listed(&types, type)                                          ? WANT_CODED
               : j->target == TARGET_NGINX && strcmp(type, "text/html") == 0 ? WANT_CODED
                                                                             : WANT_PLAIN;
    arena_free(a);
    return want;
}

void judge_coding(const struct judge *j, const struct probe *b, const struct decision *d, const struct exchange *e,
                  const struct sighting *s, struct judgement *out)
{
    const struct plan_rule *r = &j->plan->rules.v[d->rule];
    const char *asked = coding_asked(j, b, d, s);
    enum want want = WANT_PLAIN;
    bool packed = b->packs && asked && accepts_gzip(asked, strlen(asked));
    bool mine = compresses_for(r, b) && takes_gzip(b);
    if (packed)
        want = mine || (r->rule->accept_encoding && takes_gzip(b)) ? WANT_CODED : WANT_PLAIN;
    else if (mine && !b->http10)
        want = of_plain(j, b, r, b->page ? b->page_type : "text/x-tmgc");
    if (packed && (b->http10 || strcmp(b->method, "HEAD") == 0))
        want = WANT_EITHER;
    if (r->rule->translate_links && link_content_type(b->page ? b->page_type : NULL))
        want = WANT_EITHER; /* decoded for its links, and encoded again for some */
    if (want == WANT_CODED && !e->coded)
        differs(out, "compressed", "as the published server sent it", "answer's body");
    if (want == WANT_PLAIN && e->coded)
        differs(out, "not compressed", "compressed", "answer's body");
}
