/* diff_walk: from sockets to listeners, hosts, paths, clients, hours and users - the classes of requests, less those
 * that need no look. diff.h says why this is all that there is. */
#include "diff_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists of rules ------------------------------------------------------------ */

static bool takes_every_path(const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n; i++)
        if (r->paths.v[i].kind == PATH_PREFIX && !*r->paths.v[i].external)
            return true;
    return false;
}

static int by_index(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

/* Rules stand in a listener in the order of their indexes. */
static void sort_list(struct list *l)
{
    size_t kept = 0;
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_index);
    for (size_t i = 0; i < l->n; i++)
        if (!kept || l->v[kept - 1] != l->v[i])
            l->v[kept++] = l->v[i];
    l->n = kept;
}

static size_t *meanings(const struct walk *w, struct arena *a, int side, const struct list *l)
{
    size_t *v = arena_alloc(a, (l->n + 1) * sizeof *v);
    for (size_t i = 0; i < l->n; i++)
        v[i] = w->d->facts[side][l->v[i]].all;
    return v;
}

/* Marks the rules that have no like partner in the same order on the other side. false: there are none. */
static bool find_odd(const struct walk *w, struct arena *a, const struct list l[2], bool *odd[2])
{
    bool *common[2], any = false;
    for (int side = 0; side < 2; side++)
        common[side] = arena_alloc(a, l[side].n + 1);
    common_subsequence(a, meanings(w, a, 0, &l[0]), l[0].n, meanings(w, a, 1, &l[1]), l[1].n, common[0], common[1]);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < l[side].n; i++) {
            odd[side][l[side].v[i]] = !common[side][i];
            any |= !common[side][i];
        }
    return any;
}

static bool same_meaning(const struct walk *w, const struct list l[2])
{
    bool same = l[0].n == l[1].n;
    for (size_t i = 0; same && i < l[0].n; i++)
        same = w->d->facts[0][l[0].v[i]].all == w->d->facts[1][l[1].v[i]].all;
    return same;
}

static int by_place(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    if (a->atom != b->atom)
        return a->atom < b->atom ? -1 : 1;
    return (a->rule > b->rule) - (a->rule < b->rule);
}

static void sort_places(struct places *p)
{
    if (p->n)
        qsort(p->v, p->n, sizeof *p->v, by_place);
}

/* Adds the rules at an atom. */
static void add_places(const struct places *p, size_t atom, struct list *out)
{
    size_t low = 0, high = p->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->v[mid].atom < atom)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < p->n && p->v[low].atom == atom; low++)
        out->v[out->n++] = p->v[low].rule;
}

/* ---- paths ------------------------------------------------------------------------------ */

static void path_places(struct walk *w, struct arena *a, const struct list l[2], struct path_atoms *atoms,
                        struct places out[2])
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < l[side].n; i++) {
            const struct rule *r = w->d->plan[side]->rules.v[l[side].v[i]].rule;
            for (size_t k = 0; k < r->paths.n; k++)
                path_atoms_add(a, atoms, r->paths.v[k].external);
            out[side].n += r->paths.n;
        }
    path_atoms_make(a, atoms);
    for (int side = 0; side < 2; side++) {
        out[side].v = arena_alloc(a, (out[side].n + 1) * sizeof *out[side].v);
        out[side].n = 0;
        for (size_t i = 0; i < l[side].n; i++) {
            const struct rule *r = w->d->plan[side]->rules.v[l[side].v[i]].rule;
            for (size_t k = 0; k < r->paths.n; k++)
                out[side].v[out[side].n++] =
                    (struct place){ path_atoms_find(atoms, r->paths.v[k].external), l[side].v[i] };
        }
        sort_places(&out[side]);
    }
}

/* The rules that can match the path, up to the first that certainly does. */
static void matching(const struct walk *w, int side, const struct path_atoms *atoms, const struct places *places,
                     size_t atom, const char *path, struct list *out)
{
    size_t n = strlen(path), kept = 0;
    out->n = 0;
    for (size_t at = atom; at != SIZE_MAX; at = atoms->list.v[at].parent)
        add_places(places, at, out);
    sort_list(out);
    for (size_t i = 0; i < out->n; i++) {
        const struct rule *r = w->d->plan[side]->rules.v[out->v[i]].rule;
        size_t k = 0;
        while (k < r->paths.n && !path_matches(&r->paths.v[k], path, n))
            k++;
        if (k == r->paths.n)
            continue;
        out->v[kept++] = out->v[i];
        if (w->d->facts[side][out->v[i]].certain)
            break;
    }
    out->n = kept;
}

/* Atoms at or below which an odd rule has a path. Those above stand before those below. */
static bool *touched_atoms(struct arena *a, const struct path_atoms *atoms, const struct places places[2], bool *odd[2])
{
    bool *touched = arena_alloc(a, atoms->list.n);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < places[side].n; i++)
            touched[places[side].v[i].atom] |= odd[side][places[side].v[i].rule];
    for (size_t i = 0; i < atoms->list.n; i++)
        if (atoms->list.v[i].parent != SIZE_MAX)
            touched[i] |= touched[atoms->list.v[i].parent];
    return touched;
}

static void walk_paths(struct walk *w, const char *host, const struct list l[2])
{
    struct arena *a = arena_new();
    struct path_atoms atoms = { 0 };
    struct places places[2] = { { 0 }, { 0 } };
    struct list some[2];
    struct request q = { .tls = w->m.tls, .port = w->m.port, .method = "GET", .unfiltered = true, .host = host };
    if (w->m.socket[0] && w->m.socket[1] && !find_odd(w, a, l, w->odd))
        goto out;
    path_places(w, a, l, &atoms, places);
    bool *touched = touched_atoms(a, &atoms, places, w->odd);
    for (int side = 0; side < 2; side++)
        some[side].v = arena_alloc(a, (places[side].n + 1) * sizeof *some[side].v);
    for (size_t i = 0; i < atoms.list.n; i++) {
        for (int which = 0; touched[i] && which < PATH_CASES && !walk_stopped(w); which++) {
            struct arena *one = arena_new();
            const char *path = path_atom_example(one, &atoms, i, (enum path_case)which);
            for (int side = 0; path && side < 2; side++)
                matching(w, side, &atoms, &places[side], i, path, &some[side]);
            if (path && !same_meaning(w, some))
                walk_ask_path(w, one, &q, some, path, path_atom_open(one, &atoms, i, (enum path_case)which));
            arena_free(one);
        }
    }
out:
    arena_free(a);
}

/* ---- hosts ------------------------------------------------------------------------------- */

struct group {
    struct list l[2];
    size_t atom, cost;
    const char *host;
};

static int compare_lists(const struct list *x, const struct list *y)
{
    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    return x->n ? memcmp(x->v, y->v, x->n * sizeof *x->v) : 0;
}

static int by_rules(const void *x, const void *y)
{
    const struct group *a = x, *b = y;
    int c = compare_lists(&a->l[0], &b->l[0]);
    if (!c)
        c = compare_lists(&a->l[1], &b->l[1]);
    if (c)
        return c;
    if (a->cost != b->cost)
        return a->cost < b->cost ? -1 : 1;
    return (a->atom > b->atom) - (a->atom < b->atom);
}

static int by_atom(const void *x, const void *y)
{
    const struct group *a = x, *b = y;
    return (a->atom > b->atom) - (a->atom < b->atom);
}

/* Rules that match the hosts of an atom, up to the first that takes every request there. scratch has room for all. */
static struct list host_rules(struct walk *w, int side, size_t atom, struct list *scratch)
{
    const struct host_atom *h = &w->hosts.list.v[atom];
    struct list out;
    scratch->n = w->unnamed[side].n;
    if (scratch->n)
        memcpy(scratch->v, w->unnamed[side].v, scratch->n * sizeof *scratch->v);
    if (h->kind == HOST_NAMED)
        add_places(&w->named[side], atom, scratch);
    for (const char *dot = h->name ? strchr(h->name, '.') : NULL; dot; dot = strchr(dot + 1, '.')) {
        char key[256] = "*"; /* a public name has at most 253 characters (normalise_host) */
        if (strlen(dot) + 2 > sizeof key)
            continue;
        memcpy(key + 1, dot, strlen(dot) + 1);
        size_t wild = host_atoms_find(&w->hosts, key);
        if (wild != SIZE_MAX)
            add_places(&w->named[side], wild, scratch);
    }
    sort_list(scratch);
    for (size_t i = 0; i < scratch->n; i++)
        if (w->d->facts[side][scratch->v[i]].certain && takes_every_path(w->d->plan[side]->rules.v[scratch->v[i]].rule))
            scratch->n = i + 1;
    out.n = scratch->n;
    out.v = arena_alloc(w->a, (out.n + 1) * sizeof *out.v);
    if (out.n)
        memcpy(out.v, scratch->v, out.n * sizeof *out.v);
    return out;
}

static void find_hosts(struct walk *w)
{
    for (int side = 0; side < 2; side++) {
        size_t n = 0;
        for (size_t i = 0; i < w->all[side].n; i++) {
            const struct rule *r = w->d->plan[side]->rules.v[w->all[side].v[i]].rule;
            for (size_t k = 0; !r->all_names && k < r->names.n; k++, n++)
                host_atoms_add(w->a, &w->hosts, &r->names.v[k]);
        }
        w->named[side].v = arena_alloc(w->a, (n + 1) * sizeof *w->named[side].v);
        w->unnamed[side].v = arena_alloc(w->a, (w->all[side].n + 1) * sizeof *w->unnamed[side].v);
    }
    host_atoms_make(w->a, &w->hosts);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < w->all[side].n; i++) {
            const struct rule *r = w->d->plan[side]->rules.v[w->all[side].v[i]].rule;
            for (size_t k = 0; !r->all_names && k < r->names.n; k++)
                w->named[side].v[w->named[side].n++] =
                    (struct place){ host_atoms_find(&w->hosts, r->names.v[k].name), w->all[side].v[i] };
            if (r->all_names)
                w->unnamed[side].v[w->unnamed[side].n++] = w->all[side].v[i];
        }
        sort_places(&w->named[side]);
    }
}

/* Hosts that an odd rule's names match. */
static bool *affected_hosts(struct walk *w)
{
    bool *yes = arena_alloc(w->a, w->hosts.list.n), all = false, *done = arena_alloc(w->a, w->hosts.list.n);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < w->unnamed[side].n; i++)
            all |= w->odd[side][w->unnamed[side].v[i]];
        for (size_t i = 0; i < w->named[side].n; i++) {
            size_t atom = w->named[side].v[i].atom, from = atom, end = atom + 1;
            if (!w->odd[side][w->named[side].v[i].rule] || done[atom])
                continue;
            done[atom] = true;
            if (w->hosts.list.v[atom].kind == HOST_UNDER)
                end = host_atoms_under(&w->hosts, atom, &from);
            for (; from < end; from++)
                yes[from] = true;
        }
    }
    for (size_t i = 0; i < w->hosts.list.n && all; i++)
        yes[i] = true;
    return yes;
}

/* Hosts with the same rules on either side are one class: what else depends on the host is the client's own spelling,
 * which both sides pass on or both replace. So also for a request without a host, and one that nothing names. */
static void walk_hosts(struct walk *w)
{
    enum { MOST_RULES = 32 * 1024 * 1024 }; /* in all lists together: memory */
    VEC(struct group) groups = { 0 };
    struct list scratch[2];
    size_t sum = 0, left = 0, kept = 0;
    bool *affected = affected_hosts(w);
    for (int side = 0; side < 2; side++)
        scratch[side].v = arena_alloc(w->a, (w->unnamed[side].n + w->named[side].n + 1) * sizeof *scratch[side].v);
    for (size_t i = 0; i < w->hosts.list.n; i++) {
        if (!affected[i])
            continue;
        if (sum > MOST_RULES) {
            left++;
            continue;
        }
        struct group g = { .atom = i, .host = host_atom_example(w->a, &w->hosts, i) };
        g.cost = (g.host ? strlen(g.host) : 300) + 100 * (size_t)w->hosts.list.v[i].kind;
        for (int side = 0; side < 2; side++) {
            g.l[side] = host_rules(w, side, i, &scratch[side]);
            sum += g.l[side].n;
        }
        if (!same_meaning(w, g.l))
            vec_add(w->a, &groups, g);
    }
    if (groups.n)
        qsort(groups.v, groups.n, sizeof *groups.v, by_rules);
    for (size_t i = 0; i < groups.n; i++)
        if (!kept || compare_lists(&groups.v[kept - 1].l[0], &groups.v[i].l[0]) ||
            compare_lists(&groups.v[kept - 1].l[1], &groups.v[i].l[1]))
            groups.v[kept++] = groups.v[i];
    if (kept)
        qsort(groups.v, kept, sizeof *groups.v, by_atom);
    for (size_t i = 0; i < kept; i++) {
        if (!walk_stopped(w))
            walk_paths(w, groups.v[i].host, groups.v[i].l);
        left += walk_stopped(w);
    }
    w->d->out->unproven += left;
}

/* ---- listeners and sockets ---------------------------------------------------------------- */

static const char *some_host(struct walk *w)
{
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < w->all[side].n; i++) {
            const struct rule *r = w->d->plan[side]->rules.v[w->all[side].v[i]].rule;
            if (!r->all_names && r->names.n && r->names.v[0].kind == NAME_EXACT)
                return r->names.v[0].name;
        }
    return "www.invalid";
}

/* One request that any rule may answer: for what concerns every request of the socket. */
static void ask_any(struct walk *w)
{
    struct request q = { .tls = w->m.tls,
                         .port = w->m.port,
                         .method = "GET",
                         .unfiltered = true,
                         .host = some_host(w),
                         .target = "/",
                         .client = ORDINARY_CLIENT,
                         .hour = -1 };
    walk_look_at(w, w->all);
    meeting_ask(&w->m, &q, NULL);
}

static bool redirects_all(const struct walk *w, int side)
{
    if (w->m.tls || w->m.listener[side] == SIZE_MAX)
        return false;
    const struct plan_listener *l = &w->d->plan[side]->listeners.v[w->m.listener[side]];
    return l->listener->redirect == HTTPS_REDIRECT_ALWAYS && l->https;
}

static void walk_listeners(struct walk *w)
{
    struct arena *scratch = arena_new();
    w->a = arena_new();
    w->hosts = (struct host_atoms){ 0 };
    for (int side = 0; side < 2; side++) {
        w->named[side] = (struct places){ 0 };
        w->unnamed[side] = w->all[side] = (struct list){ 0 };
        if (w->m.listener[side] == SIZE_MAX)
            continue;
        const struct plan_listener *l = &w->d->plan[side]->listeners.v[w->m.listener[side]];
        w->all[side] = (struct list){ l->rules.v, l->rules.n };
    }
    bool both = w->m.socket[0] && w->m.socket[1];
    bool redirect = redirects_all(w, 0) || redirects_all(w, 1);
    bool odd = find_odd(w, scratch, w->all, w->odd);
    if (redirect || !both)
        ask_any(w);
    if (!redirect && odd) {
        find_hosts(w);
        walk_hosts(w);
    }
    arena_free(w->a);
    arena_free(scratch);
}

struct socket_at {
    const struct plan_socket *s;
    size_t listener;
};
typedef VEC(struct socket_at) sockets;

static int compare_sockets(const struct plan_socket *x, const struct plan_socket *y)
{
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    if (x->tls != y->tls)
        return x->tls ? 1 : -1;
    return strcmp(x->address, y->address);
}

static int by_socket(const void *x, const void *y)
{
    return compare_sockets(((const struct socket_at *)x)->s, ((const struct socket_at *)y)->s);
}

/* Who takes a connection to this address and port: its own socket, or one for every address. */
static const struct socket_at *taker(const sockets *all, const struct plan_socket *s)
{
    struct plan_socket any = *s;
    struct socket_at key = { s, 0 };
    const struct socket_at *found = all->n ? bsearch(&key, all->v, all->n, sizeof key, by_socket) : NULL;
    any.address = "*";
    key.s = &any;
    return found || !all->n ? found : bsearch(&key, all->v, all->n, sizeof key, by_socket);
}

static void gather(struct arena *a, const struct plan *p, sockets *one, sockets *both)
{
    for (size_t i = 0; i < p->listeners.n; i++)
        for (size_t k = 0; k < p->listeners.v[i].sockets.n; k++) {
            struct socket_at s = { &p->listeners.v[i].sockets.v[k], i };
            vec_add(a, one, s);
            vec_add(a, both, s);
        }
    if (one->n)
        qsort(one->v, one->n, sizeof *one->v, by_socket);
}

struct seen {
    size_t listener[2];
    bool tls;
};

static int by_seen(const void *x, const void *y)
{
    const struct seen *a = x, *b = y;
    for (int side = 0; side < 2; side++)
        if (a->listener[side] != b->listener[side])
            return a->listener[side] < b->listener[side] ? -1 : 1;
    return a->tls - b->tls;
}

struct visit {
    struct seen who;
    const struct plan_socket *at, *socket[2];
};

static int by_visit(const void *x, const void *y)
{
    const struct visit *a = x, *b = y;
    int c = by_seen(&a->who, &b->who);
    return c ? c : compare_sockets(a->at, b->at);
}

void diff_walk(struct diffing *d)
{
    struct arena *a = d->scratch;
    struct walk w = { .d = d };
    sockets side_sockets[2] = { { 0 }, { 0 } }, points = { 0 };
    VEC(struct visit) visits = { 0 };
    for (int side = 0; side < 2; side++) {
        gather(a, d->plan[side], &side_sockets[side], &points);
        w.odd[side] = arena_alloc(a, d->plan[side]->rules.n + 1);
    }
    for (size_t i = 0; i < points.n; i++) {
        struct visit *v = vec_push(a, &visits);
        v->at = points.v[i].s;
        for (int side = 0; side < 2; side++) {
            const struct socket_at *s = taker(&side_sockets[side], v->at);
            v->who.listener[side] = s ? s->listener : SIZE_MAX;
            v->socket[side] = s ? s->s : NULL;
        }
        v->who.tls = v->at->tls;
    }
    if (visits.n)
        qsort(visits.v, visits.n, sizeof *visits.v, by_visit);
    for (size_t i = 0; i < visits.n; i++) {
        const struct visit *v = &visits.v[i], *above = i ? v - 1 : NULL;
        w.m = (struct meeting){ .d = d,
                                .listener = { v->who.listener[0], v->who.listener[1] },
                                .socket = { v->socket[0], v->socket[1] },
                                .address = v->at->address,
                                .port = v->at->port,
                                .tls = v->at->tls };
        if (above && compare_sockets(above->at, v->at) == 0 && by_seen(&above->who, &v->who) == 0)
            continue; /* the same socket, from the other side */
        bool certificate = v->who.tls && v->socket[0] && v->socket[1] &&
                           (!str_equal(v->socket[0]->thumbprint, v->socket[1]->thumbprint) ||
                            !str_equal(v->socket[0]->chain, v->socket[1]->chain));
        if (!above || by_seen(&above->who, &v->who) != 0)
            walk_listeners(&w);
        if (certificate) {
            for (int side = 0; side < 2; side++) {
                const struct plan_listener *l = &d->plan[side]->listeners.v[v->who.listener[side]];
                w.all[side] = (struct list){ l->rules.v, l->rules.n };
            }
            ask_any(&w);
        }
    }
}
