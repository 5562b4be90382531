/* route: see route.h. Hash tables made once; a look-up walks a host from its end and a path from its beginning, so that
 * each ending and each beginning costs one step of the hash. */
#include "route.h"

#include <string.h>

typedef VEC(uint32_t) rule_list; /* indexes of rules, rising */

/* ---- tables -------------------------------------------------------------------------- */

enum host_kind { HOST_EXACT, HOST_ENDING, HOST_ALL };
struct host_entry {
    uint64_t hash;
    const char *name; /* an ending begins with its dot; "" for HOST_ALL */
    enum host_kind kind;
    rule_list whole;   /* rules that take every path */
    size_t longest;    /* bytes of the longest other path */
    VEC(size_t) stems; /* lengths of its stems, rising, each once */
};
struct path_entry {
    uint64_t hash;
    const char *literal;
    size_t n;
    enum path_kind kind;
    uint32_t host; /* index of the host's slot */
    rule_list rules;
};
struct table {
    uint32_t *slot;
    size_t mask;
}; /* index + 1 into the entries; 0: free. A power of two, at most half full */
struct listener_routes {
    VEC(struct host_entry) hosts;
    VEC(struct path_entry) paths;
    struct table by_host, by_path;
    uint32_t all; /* index + 1 of HOST_ALL; 0: there is none */
    bool endings; /* there are wildcards */
};
struct routes {
    struct listener_routes *listeners;
};

static const uint64_t SEED = UINT64_C(0xcbf29ce484222325), PRIME = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t hash_step(uint64_t h, char c)
{
    return (h ^ (unsigned char)ascii_lower(c)) * PRIME;
}

static uint64_t finish(uint64_t h, uint64_t salt)
{
    h = (h ^ salt) * PRIME;
    return h ^ h >> 32;
}

static uint64_t host_salt(enum host_kind kind)
{
    return (uint64_t)kind + 1;
}

static uint64_t path_salt(uint32_t host, enum path_kind kind)
{
    return (uint64_t)host << 2 | kind;
}

static void table_make(struct arena *a, struct table *t, size_t entries)
{
    size_t size = 8;
    while (size < entries * 2)
        size *= 2;
    t->slot = arena_alloc(a, size * sizeof *t->slot);
    t->mask = size - 1;
}

/* ---- looking up --------------------------------------------------------------------------- */

static struct host_entry *find_host(const struct listener_routes *l, enum host_kind kind, const char *name,
                                    uint64_t hash)
{
    hash = finish(hash, host_salt(kind));
    for (size_t i = hash & l->by_host.mask; l->by_host.slot[i]; i = (i + 1) & l->by_host.mask) {
        struct host_entry *e = &l->hosts.v[l->by_host.slot[i] - 1];
        if (e->hash == hash && e->kind == kind && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static struct path_entry *find_path(const struct listener_routes *l, uint32_t host, enum path_kind kind,
                                    const char *path, size_t n, uint64_t hash)
{
    hash = finish(hash, path_salt(host, kind));
    for (size_t i = hash & l->by_path.mask; l->by_path.slot[i]; i = (i + 1) & l->by_path.mask) {
        struct path_entry *e = &l->paths.v[l->by_path.slot[i] - 1];
        if (e->hash == hash && e->n == n && e->kind == kind && e->host == host &&
            ascii_ncasecmp(e->literal, path, n) == 0)
            return e;
    }
    return NULL;
}

/* ---- making -------------------------------------------------------------------------------- */

static void table_put(struct table *t, uint64_t hash, uint32_t entry)
{
    size_t i = hash & t->mask;
    while (t->slot[i])
        i = (i + 1) & t->mask;
    t->slot[i] = entry;
}

static uint64_t hash_backward(const char *s)
{
    uint64_t h = SEED;
    for (size_t i = strlen(s); i > 0; i--)
        h = hash_step(h, s[i - 1]);
    return h;
}

static uint32_t host_slot(struct listener_routes *l, struct arena *a, enum host_kind kind, const char *name)
{
    uint64_t hash = hash_backward(name);
    struct host_entry *e = find_host(l, kind, name, hash);
    if (!e) {
        e = vec_push(a, &l->hosts);
        *e = (struct host_entry){ .hash = finish(hash, host_salt(kind)), .name = name, .kind = kind };
        table_put(&l->by_host, e->hash, (uint32_t)l->hosts.n);
        l->endings |= kind == HOST_ENDING;
        if (kind == HOST_ALL)
            l->all = (uint32_t)l->hosts.n;
    }
    return (uint32_t)(e - l->hosts.v);
}

static void list_add(struct arena *a, rule_list *list, uint32_t rule)
{
    if (!list->n || list->v[list->n - 1] != rule)
        vec_add(a, list, rule);
}

static void stem_add(struct arena *a, struct host_entry *h, size_t n)
{
    size_t at = 0;
    while (at < h->stems.n && h->stems.v[at] < n)
        at++;
    if (at < h->stems.n && h->stems.v[at] == n)
        return;
    vec_add(a, &h->stems, n);
    memmove(h->stems.v + at + 1, h->stems.v + at, (h->stems.n - 1 - at) * sizeof *h->stems.v);
    h->stems.v[at] = n;
}

static void path_add(struct listener_routes *l, struct arena *a, uint32_t host, const struct path *p, uint32_t rule)
{
    struct host_entry *h = &l->hosts.v[host];
    size_t n = strlen(p->external);
    if (p->kind != PATH_EXACT && n == 0) {
        list_add(a, &h->whole, rule);
        return;
    }
    uint64_t hash = SEED;
    for (size_t i = 0; i < n; i++)
        hash = hash_step(hash, p->external[i]);
    struct path_entry *e = find_path(l, host, p->kind, p->external, n, hash);
    if (!e) {
        e = vec_push(a, &l->paths);
        *e = (struct path_entry){ .hash = finish(hash, path_salt(host, p->kind)),
                                  .literal = p->external,
                                  .n = n,
                                  .kind = p->kind,
                                  .host = host };
        table_put(&l->by_path, e->hash, (uint32_t)l->paths.n);
    }
    list_add(a, &e->rules, rule);
    if (n > h->longest)
        h->longest = n;
    if (p->kind == PATH_STEM)
        stem_add(a, h, n);
}

static void rule_add(struct listener_routes *l, struct arena *a, const struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    for (size_t i = 0; i < (rule->all_names ? 1 : rule->names.n); i++) {
        bool wild = !rule->all_names && rule->names.v[i].kind == NAME_WILDCARD;
        enum host_kind kind = rule->all_names ? HOST_ALL : wild ? HOST_ENDING : HOST_EXACT;
        uint32_t host = host_slot(l, a, kind, rule->all_names ? "" : rule->names.v[i].name + wild);
        for (size_t k = 0; k < rule->paths.n; k++)
            path_add(l, a, host, &rule->paths.v[k], r->index);
    }
}

struct routes *routes_new(const struct plan *p, struct arena *a)
{
    struct routes *out = arena_alloc(a, sizeof *out);
    out->listeners = arena_alloc(a, (p->listeners.n + 1) * sizeof *out->listeners);
    for (size_t i = 0; i < p->listeners.n; i++) {
        const struct plan_listener *from = &p->listeners.v[i];
        struct listener_routes *to = &out->listeners[i];
        size_t names = 1, pairs = 1;
        for (size_t k = 0; k < from->rules.n; k++) {
            const struct rule *r = p->rules.v[from->rules.v[k]].rule;
            size_t n = r->all_names ? 1 : r->names.n;
            names += n;
            pairs += n * r->paths.n;
        }
        table_make(a, &to->by_host, names);
        table_make(a, &to->by_path, pairs);
        for (size_t k = 0; k < from->rules.n; k++)
            rule_add(to, a, &p->rules.v[from->rules.v[k]]);
    }
    return out;
}

/* ---- candidates -------------------------------------------------------------------------------- */

/* The lists in which a request's rules stand, and the hosts that it goes by, while they are looked for. */
struct run {
    const uint32_t *at, *end;
};
struct host_at {
    const struct host_entry *host;
    size_t stem;
}; /* stem: the next of its stems */
struct search {
    struct candidates candidates;
    const struct listener_routes *routes;
    const struct addressed *to;
    struct arena *a;
    bool begun;
    VEC(struct host_at) hosts;
    VEC(struct run) runs;
};

static void take(struct search *s, const rule_list *list)
{
    if (list->n)
        vec_add(s->a, &s->runs, ((struct run){ list->v, list->v + list->n }));
}

static void take_path(struct search *s, const struct host_entry *h, enum path_kind kind, size_t n, uint64_t hash)
{
    uint32_t host = (uint32_t)(h - s->routes->hosts.v);
    const struct path_entry *e = find_path(s->routes, host, kind, s->to->url, n, hash);
    if (e)
        take(s, &e->rules);
}

static void find_hosts(struct search *s)
{
    const struct listener_routes *l = s->routes;
    const char *host = s->to->host;
    uint64_t hash = SEED;
    for (size_t i = strlen(host); i > 0; i--) {
        const char *ending = host + i - 1;
        hash = hash_step(hash, *ending);
        bool whole = i == 1, dot = l->endings && *ending == '.' && !whole;
        const struct host_entry *e = whole ? find_host(l, HOST_EXACT, host, hash)
                                     : dot ? find_host(l, HOST_ENDING, ending, hash)
                                           : NULL;
        if (e)
            vec_add(s->a, &s->hosts, ((struct host_at){ e, 0 }));
    }
    if (l->all)
        vec_add(s->a, &s->hosts, ((struct host_at){ &l->hosts.v[l->all - 1], 0 }));
}

/* What stands under the hosts for the first n bytes of the path; last: they are the whole of it. */
static void find_beginning(struct search *s, size_t n, bool boundary, bool last, uint64_t hash)
{
    for (size_t i = 0; i < s->hosts.n; i++) {
        struct host_at *h = &s->hosts.v[i];
        if (n > h->host->longest)
            continue;
        if (boundary)
            take_path(s, h->host, PATH_PREFIX, n, hash);
        if (last)
            take_path(s, h->host, PATH_EXACT, n, hash);
        if (h->stem < h->host->stems.n && h->host->stems.v[h->stem] == n) {
            h->stem++;
            take_path(s, h->host, PATH_STEM, n, hash);
        }
    }
}

static bool stem_ends(const struct search *s, size_t n)
{
    for (size_t i = 0; i < s->hosts.n; i++) {
        const struct host_at *h = &s->hosts.v[i];
        if (h->stem < h->host->stems.n && h->host->stems.v[h->stem] == n)
            return true;
    }
    return false;
}

static void find_paths(struct search *s)
{
    const char *path = s->to->url;
    size_t n = s->to->path_n, longest = 0, stems = 0;
    uint64_t hash = SEED;
    for (size_t i = 0; i < s->hosts.n; i++) {
        const struct host_entry *h = s->hosts.v[i].host;
        take(s, &h->whole);
        longest = h->longest > longest ? h->longest : longest;
        stems += h->stems.n;
    }
    for (size_t i = 0; i < n && i < longest; i++) {
        hash = hash_step(hash, path[i]);
        bool last = i + 1 == n, boundary = last || path[i + 1] == '/';
        if (boundary || (stems && stem_ends(s, i + 1)))
            find_beginning(s, i + 1, boundary, last, hash);
    }
}

/* Merges the runs: the lowest index that stands in front of any. */
static uint32_t next_candidate(struct candidates *c)
{
    struct search *s = (struct search *)c; /* its first member */
    if (!s->begun) {
        s->begun = true;
        find_hosts(s);
        find_paths(s);
    }
    uint32_t lowest = UINT32_MAX;
    for (size_t i = 0; i < s->runs.n; i++)
        if (s->runs.v[i].at < s->runs.v[i].end && *s->runs.v[i].at < lowest)
            lowest = *s->runs.v[i].at;
    for (size_t i = 0; i < s->runs.n; i++)
        if (s->runs.v[i].at < s->runs.v[i].end && *s->runs.v[i].at == lowest)
            s->runs.v[i].at++;
    return lowest;
}

void route(const struct snapshot *s, const struct request *q, struct arena *a, struct decision *d)
{
    struct addressed to;
    decide_read(q, a, &to);
    struct search search = {
        .candidates = { next_candidate }, .routes = &s->routes->listeners[q->listener], .to = &to, .a = a
    };
    decide_among(s->plan, q, &to, &search.candidates, a, d);
    decide_for_target(s->plan, TARGET_PUBLISHD, q, d);
}

/* ---- asking -------------------------------------------------------------------------------------- */

static const char *fields_as_text(const struct head *h, struct arena *a)
{
    size_t n = 0;
    for (uint32_t i = 0; i < h->n; i++)
        n += (size_t)h->fields[i].name_n + h->fields[i].value_n + 4;
    char *text = arena_alloc(a, n + 1), *p = text;
    for (uint32_t i = 0; i < h->n; i++) {
        const struct field *f = &h->fields[i];
        if (!f->name_n)
            continue;
        memcpy(p, f->name, f->name_n);
        memcpy(p + f->name_n, ": ", 2);
        p += f->name_n + 2;
        memcpy(p, f->value, f->value_n);
        memcpy(p + f->value_n, "\r\n", 2);
        p += f->value_n + 2;
    }
    return text;
}

void route_ask(const struct snapshot *s, const struct head *h, struct arena *a, struct request *q)
{
    q->method = h->method;
    q->host = head_value(h, FIELD_HOST);
    q->target = h->target;
    q->body = h->framing == BODY_LENGTH ? (long long)h->length : 0;
    q->head = s->reads_head[q->listener] ? fields_as_text(h, a) : NULL;
}
