/* nginx_links: body link translation as sub_filter; see the header. */
#include "nginx_links.h"
#include "nginx_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST = 255,      /* texts that nginx takes in one location */
    LOOKED_AT = 1000 /* shared mappings that are considered */
};

const char *const nginx_delimiters[NGINX_DELIMITERS] = { "/", "\"", "'", "<", "?", " ", "#", "&", ")", "\\" };

/* ---- which mappings ---------------------------------------------------------------- */
static int compare(const char *x, size_t n, const struct link *l)
{
    int d = ascii_ncasecmp(x, l->from, n < l->from_n ? n : l->from_n);
    return d ? d : (n > l->from_n) - (n < l->from_n);
}

static const struct link *find(const struct link_table *t, const char *text, size_t n)
{
    size_t low = 0, high = t->links.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int d = compare(text, n, &t->links.v[middle]);
        if (!d)
            return &t->links.v[middle];
        if (d < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* A shorter mapping leaves the same in the page: "http://srv/owa" needs no line of its own where "http://srv" has one and
 * the path stays. */
static bool redundant(const struct link_table *own, const struct link_table *shared, const struct link *l)
{
    for (size_t n = l->from_n; n-- > LINK_MIN;) {
        if (l->from[n] != '/')
            continue;
        const struct link *s = find(own, l->from, n);
        if (!s)
            s = find(shared, l->from, n);
        if (!s)
            continue;
        size_t rest = l->from_n - n;
        return s->origin == l->origin && s->escaped == l->escaped && s->to_n + rest == l->to_n &&
               !memcmp(s->to, l->to, s->to_n) && !memcmp(l->from + n, l->to + s->to_n, rest);
    }
    return false;
}

size_t nginx_link_delimiters(const struct chosen_links *c, const struct link *l)
{
    return c->whole && !l->stem ? c->delimiters : 0;
}

/* ---- those that there is room for ----------------------------------------------------- */
/* Mappings of one site stand or fall together: where a longer one were left out, the shorter would take its links to the
 * wrong place. The site is what stands in front of the path. */
static size_t site_length(const struct link *l)
{
    for (size_t i = 0; i + 2 < l->from_n; i++)
        if (l->from[i] == '/' && l->from[i + 1] == '/') {
            const char *slash = memchr(l->from + i + 2, '/', l->from_n - i - 2);
            return slash ? (size_t)(slash - l->from) : l->from_n;
        }
    return l->from_n;
}

/* How unlikely the text is in a page: sites without a port come first, escaped ones and those of other rules last. */
static unsigned rank_of(const struct plan *p, const struct link *l)
{
    unsigned rank = (l->escaped ? 8u : 0) + (l->source == LINK_LOCAL || l->source == LINK_IMPLICIT ? 0 : 4u);
    if (l->source == LINK_LOCAL || l->source == LINK_GLOBAL)
        return rank;
    const struct rule *r = p->rules.v[l->rule].rule;
    size_t n = site_length(l);
    bool tls = ascii_ncasecmp(l->from, "https", 5) == 0;
    const char *host = memchr(l->from, '/', n),
               *port = host ? memchr(host, l->escaped ? '%' : ':', n - (size_t)(host - l->from)) : NULL;
    if (!port)
        return rank;
    port += l->escaped ? 3 : 1;
    return rank + (strtol(port, NULL, 10) == (tls ? r->ssl_port : r->http_port) ? 1u : 2u);
}

struct site_group {
    size_t first, n; /* of the mappings, which are sorted by text here */
    unsigned rank;
};
typedef VEC(struct site_group) site_groups;

static int by_site(const void *x, const void *y)
{
    const struct link *a = ((const struct chosen_link *)x)->on[1], *b = ((const struct chosen_link *)y)->on[1];
    size_t n = site_length(a), m = site_length(b);
    int d = ascii_ncasecmp(a->from, b->from, n < m ? n : m);
    if (!d)
        d = (n > m) - (n < m);
    return d ? d : compare(a->from, a->from_n, b);
}

static int by_rank(const void *x, const void *y)
{
    const struct site_group *a = x, *b = y;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static void make_groups(const struct plan *p, const struct chosen_links *c, struct arena *a, site_groups *out)
{
    for (size_t i = 0; i < c->links.n; i++) {
        const struct link *l = c->links.v[i].on[1];
        struct site_group *g = out->n ? &out->v[out->n - 1] : NULL;
        const struct link *before = g ? c->links.v[g->first].on[1] : NULL;
        if (!g || site_length(before) != site_length(l) || ascii_ncasecmp(before->from, l->from, site_length(l)) != 0) {
            g = vec_push(a, out);
            *g = (struct site_group){ i, 0, UINT32_MAX };
        }
        unsigned rank = rank_of(p, l);
        g->n++;
        g->rank = rank < g->rank ? rank : g->rank;
    }
    if (out->n > 1)
        qsort(out->v, out->n, sizeof *out->v, by_rank);
}

static size_t patterns(const struct chosen_links *c, const struct site_group *g)
{
    size_t sum = 0;
    for (size_t i = 0; i < g->n; i++) {
        size_t n = nginx_link_delimiters(c, c->links.v[g->first + i].on[1]);
        sum += n ? n : 1;
    }
    return sum;
}

/* With all delimiters, or fewer where the likeliest site has no room otherwise, or none. */
static void fit(const struct plan *p, struct arena *a, struct chosen_links *c)
{
    static const size_t steps[] = { NGINX_DELIMITERS, 8, 6, 0 };
    struct chosen_links kept = *c;
    site_groups groups = { 0 };
    size_t used = 0;
    if (c->links.n > 1)
        qsort(c->links.v, c->links.n, sizeof *c->links.v, by_site);
    make_groups(p, c, a, &groups);
    for (size_t i = 0; groups.n && i < sizeof steps / sizeof *steps; i++) {
        c->delimiters = steps[i];
        if (patterns(c, &groups.v[0]) <= MOST)
            break;
    }
    memset(&kept.links, 0, sizeof kept.links);
    kept.delimiters = c->delimiters;
    for (size_t i = 0; i < groups.n; i++) {
        const struct site_group *g = &groups.v[i];
        size_t n = patterns(c, g);
        for (size_t k = 0; k < g->n && used + n <= MOST; k++)
            vec_add(a, &kept.links, c->links.v[g->first + k]);
        if (used + n <= MOST)
            used += n;
        else
            kept.left_out += g->n;
    }
    *c = kept;
}

static int longest_first(const void *x, const void *y)
{
    const struct link *a = ((const struct chosen_link *)x)->on[1], *b = ((const struct chosen_link *)y)->on[1];
    if (a->from_n != b->from_n)
        return a->from_n > b->from_n ? -1 : 1;
    return memcmp(a->from, b->from, a->from_n);
}

static bool holds_text(struct arena *a, const char *text, size_t n)
{
    struct strbuf b = { 0 };
    quote(&b, Q_NGINX, arena_strndup(a, text, n));
    bool holds = b.n < NGINX_VALUE_MAX;
    buf_free(&b);
    return holds;
}

static bool holds(struct arena *a, const struct link *l)
{
    return holds_text(a, l->from, l->from_n) && holds_text(a, l->to, l->to_n);
}

static void take(struct arena *a, struct chosen_links *out, const struct link_table own[2],
                 const struct shared_links *shared, const struct link_table of[2], size_t i)
{
    const struct link *l = &of[1].links.v[i];
    if (redundant(&own[1], &shared->of[1], l))
        return;
    if (holds(a, l) && holds(a, &of[0].links.v[i]))
        vec_add(a, &out->links, ((struct chosen_link){ { &of[0].links.v[i], l } }));
    else
        out->left_out++;
}

void nginx_links_choose(const struct plan *p, const struct plan_rule *r, struct shared_links *shared, struct arena *a,
                        struct arena *keep, struct chosen_links *out)
{
    struct link_table *own = arena_alloc(a, 2 * sizeof *own);
    for (int tls = 0; tls < 2; tls++)
        links_own(p, r->index, tls, a, &own[tls]);
    for (int tls = 0; tls < 2 && !shared->made; tls++)
        links_shared(p, tls, keep, &shared->of[tls]);
    shared->made = true;
    *out = (struct chosen_links){ .whole = own[1].whole };
    for (size_t i = 0; i < own[1].links.n; i++)
        take(a, out, own, shared, own, i);
    size_t mine = out->links.n;
    const struct link_table *s = &shared->of[1];
    for (size_t i = 0; i < s->links.n; i++) {
        const struct link *l = &s->links.v[i];
        if ((l->escaped && !own[1].escape) || find(&own[1], l->from, l->from_n))
            continue;
        if (out->links.n - mine < LOOKED_AT)
            take(a, out, own, shared, shared->of, i);
        else
            out->left_out++;
    }
    fit(p, a, out);
    if (out->links.n > 1)
        qsort(out->links.v, out->links.n, sizeof *out->links.v, longest_first);
}

/* ---- the lines ------------------------------------------------------------------------ */
/* What comes in place of the text, in quotes: the client's own origin where the mapping asks for it (B-124, B-45). */
static const char *replacement(struct maker *m, const struct plan_rule *r, const struct link *l, const char *delimiter)
{
    const char *to = arena_printf(m->arena, "%.*s%s", (int)l->to_n, l->to, delimiter);
    long port = r->listener->ssl_accelerator_port;
    const char *colon = l->escaped ? "%3a" : ":";
    if (!l->origin)
        return nginx_value(&m->body, m->arena, "", to, "");
    m->uses_escaped_host |= l->escaped && !port;
    const char *origin =
        port && port != 443 ? arena_printf(m->arena, "https%s//${host}%s%ld", colon, colon, port)
        : port              ? arena_printf(m->arena, "https%s//${host}", colon)
               : arena_printf(m->arena, "${scheme}%s//${%s}", colon, l->escaped ? "host_escaped" : "http_host");
    return nginx_value(&m->body, m->arena, origin, to, "");
}

/* One directive, on a line that is begun. */
static void write_link(struct maker *m, const struct place *at, const struct plan_rule *r, const struct chosen_link *c,
                       const char *delimiter, bool first)
{
    struct writer *w = &m->body;
    const char *from = quoted(w, m->arena, Q_NGINX,
                              arena_printf(m->arena, "%.*s%s", (int)c->on[1]->from_n, c->on[1]->from, delimiter));
    const char *to[2] = { replacement(m, r, c->on[0], delimiter), replacement(m, r, c->on[1], delimiter) };
    const char *one = to[at->tls];
    if (at->http && at->tls && strcmp(to[0], to[1]) != 0)
        one = arena_printf(m->arena, "$%s", shared_scheme(m, r->rule->name, to[0], to[1]));
    write_raw(w, "%ssub_filter %s %s;", first ? "" : " ", from, one);
}

bool nginx_links(struct maker *m, const struct place *at, const struct plan_rule *r)
{
    struct writer *w = &m->body;
    struct chosen_links chosen;
    if (!r->rule->translate_links)
        return false;
    nginx_links_choose(m->plan, r, &m->links, m->arena, m->arena, &chosen);
    if (!chosen.links.n)
        return false;
    write_line(w, "# links in pages (B-123 to B-127)");
    write_line(w, "sub_filter_once off;");
    for (size_t i = 0; link_content_types[i]; i++)
        if (strcmp(link_content_types[i], "text/html") != 0) /* which nginx always takes */
            write_line(w, "sub_filter_types %s;", link_content_types[i]);
    for (size_t i = 0; i < chosen.links.n; i++) {
        const struct chosen_link *c = &chosen.links.v[i];
        size_t n = nginx_link_delimiters(&chosen, c->on[1]);
        write_indent(w);
        for (size_t k = 0; k < n; k++)
            write_link(m, at, r, c, nginx_delimiters[k], k == 0);
        if (!n)
            write_link(m, at, r, c, "", true);
        write_raw(w, "\n");
    }
    return true;
}
