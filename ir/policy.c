/* policy: making a policy, finding objects in it by name, and filling in what follows from the rest. */
#include <stdlib.h>
#include <string.h>
#include "index.h"
#include "policy.h"

struct policy_index {
    struct name_index listeners, farms, networks, schedules, user_sets, parameters, protocols;
};

struct policy *policy_new(void)
{
    struct arena *a = arena_new();
    struct policy *p = arena_alloc(a, sizeof *p);
    p->arena = a;
    p->compression.enabled = true;
    findings_init(&p->notes, a);
    return p;
}

void policy_free(struct policy *p)
{
    if (p)
        arena_free(p->arena);
}

/* ---- where things stand in the export --------------------------------- */
uint32_t origin_line(const struct origin *o, const char *key)
{
    for (size_t i = 0; key && i < o->lines.n; i++)
        if (strcmp(o->lines.v[i].key, key) == 0)
            return o->lines.v[i].line;
    return o->line;
}

void origin_set(struct arena *a, struct origin *o, const char *key, uint32_t line)
{
    for (size_t i = 0; i < o->lines.n; i++) {
        if (strcmp(o->lines.v[i].key, key) == 0) {
            o->lines.v[i].line = line;
            return;
        }
    }
    struct setting_line *s = vec_push(a, &o->lines);
    s->key = arena_strdup(a, key);
    s->line = line;
}

/* ---- look-ups ----------------------------------------------------------- */
#define INDEX(p, list, type)                                                                                           \
    index_build((p)->arena, &(p)->index->list, (p)->list.v, (p)->list.n, sizeof(struct type),                          \
                offsetof(struct type, name))

static void build_indexes(struct policy *p)
{
    p->index = arena_alloc(p->arena, sizeof *p->index);
    INDEX(p, listeners, listener);
    INDEX(p, farms, farm);
    INDEX(p, networks, network);
    INDEX(p, schedules, schedule);
    INDEX(p, user_sets, user_set);
    INDEX(p, parameters, parameter);
    INDEX(p, protocols, protocol);
}

#define LOOK_UP(function, type, list)                                                                                  \
    const struct type *function(const struct policy *p, const char *name)                                              \
    {                                                                                                                  \
        size_t at = p->index ? index_find(&p->index->list, name) : SIZE_MAX;                                           \
        return at < p->list.n ? &p->list.v[at] : NULL;                                                                 \
    }
LOOK_UP(policy_listener, listener, listeners)
LOOK_UP(policy_farm, farm, farms)
LOOK_UP(policy_network, network, networks)
LOOK_UP(policy_schedule, schedule, schedules)
LOOK_UP(policy_user_set, user_set, user_sets)
LOOK_UP(policy_parameter, parameter, parameters)
LOOK_UP(policy_protocol, protocol, protocols)

/* ---- what follows from the rest ----------------------------------------- */
bool listener_authenticates(const struct listener *l)
{
    return l->basic || l->digest || l->integrated || l->client_certificate || l->forms != FORMS_NONE || l->scheme;
}

long listener_timeout(const struct listener *l)
{
    return l->connection_timeout > 0 ? l->connection_timeout : SOURCE_TIMEOUT;
}

struct ranked {
    struct path path;
    size_t length, at;
};

static int trying_order(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    bool ea = a->path.kind == PATH_EXACT, eb = b->path.kind == PATH_EXACT;
    if (ea != eb)
        return ea ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

/* D-03: the longest external path is tried first; an exact one before others as long. */
static void sort_paths(struct arena *scratch, struct rule *r)
{
    if (r->paths.n < 2)
        return;
    struct ranked *v = arena_alloc(scratch, r->paths.n * sizeof *v);
    for (size_t i = 0; i < r->paths.n; i++)
        v[i] = (struct ranked){ r->paths.v[i], strlen(r->paths.v[i].external), i };
    qsort(v, r->paths.n, sizeof *v, trying_order);
    for (size_t i = 0; i < r->paths.n; i++)
        r->paths.v[i] = v[i].path;
}

/* "http/" "*" names no service: it stands for one per member of the farm (B-110). The lists are made once a farm and
 * shared by its rules, so that many rules on a large farm cost no more than the farm. */
static strings farm_spns(struct arena *a, const struct farm *f)
{
    strings s = { 0 };
    for (size_t i = 0; i < f->members.n; i++)
        if (f->members.v[i].host)
            vec_add(a, &s, arena_printf(a, "http/%s", f->members.v[i].host));
    return s;
}

static void expand_spn(struct policy *p, struct rule *r, strings *of_farm)
{
    memset(&r->spns, 0, sizeof r->spns);
    bool needs_one = r->delegation == DELEGATE_NEGOTIATE || r->delegation == DELEGATE_KERBEROS;
    const struct farm *f = policy_farm(p, r->farm);
    if (!r->spn && needs_one && r->farm)
        r->spn = "http/*";
    else if (!r->spn && needs_one && r->site)
        r->spn = arena_printf(p->arena, "http/%s", r->site);
    if (!r->spn)
        return;
    if (!f || ascii_casecmp(r->spn, "http/*") != 0) {
        vec_add(p->arena, &r->spns, r->spn);
        return;
    }
    strings *list = &of_farm[f - p->farms.v];
    if (!list->v)
        *list = farm_spns(p->arena, f);
    r->spns = *list;
}

/* Matrix 6.1: what the listener gets from the client must yield what the delegation needs. A listener that takes
 * several kinds of credentials can do what any of them can. */
bool delegation_possible(const struct listener *l, enum delegation d)
{
    if (!l || d == DELEGATE_NONE_PASS || d == DELEGATE_NONE_BLOCK)
        return true;
    bool passcode = l->forms == FORMS_SECURID || l->forms == FORMS_RADIUS_OTP || l->validator == VALIDATE_SECURID;
    bool password = l->basic || (l->forms != FORMS_NONE && !passcode);
    bool windows = l->forms == FORMS_AD || (l->basic && l->validator == VALIDATE_AD);
    if (l->scheme && !password && !passcode)
        return true; /* a scheme that nobody knows: it may yield anything */
    switch (d) {
    case DELEGATE_SECURID: return l->forms == FORMS_SECURID || l->validator == VALIDATE_SECURID;
    case DELEGATE_BASIC:
    case DELEGATE_NTLM:
    case DELEGATE_NEGOTIATE: return password || passcode; /* a passcode form can ask for the password too */
    case DELEGATE_KERBEROS: return windows || passcode || l->digest || l->integrated || l->client_certificate;
    default: return true;
    }
}

void policy_finish(struct policy *p)
{
    build_indexes(p);
    struct arena *scratch = arena_new();
    strings *of_farm = arena_alloc(scratch, (p->farms.n + 1) * sizeof *of_farm);
    for (size_t i = 0; i < p->rules.n; i++) {
        struct rule *r = &p->rules.v[i];
        sort_paths(scratch, r);
        expand_spn(p, r, of_farm);
        r->delegation_possible = delegation_possible(policy_listener(p, r->listener), r->delegation);
    }
    arena_free(scratch);
}
