/* users: sets of users, and what a directory said of groups' names and users' groups. What was found is kept for a while,
 * what was not for a shorter one. */
#include "users.h"
#include "internal.h"

#include <stdlib.h>

enum { FOUND_FOR = 300, ABSENT_FOR = 30, FAILED_FOR = 3, USERS_KEPT = 1024 }; /* seconds; places */

struct member {
    struct user_name name; /* account "" if only the SID is known */
    const char *sid;
    bool group;
    char found[192]; /* the SID that the directory gave; "" none */
    bool failed;     /* it could not be asked */
    time_t until;    /* that this holds; monotonic */
};
struct set {
    bool authenticated;
    VEC(struct member) members;
};
/* A user's groups, for identities that came without: in the place that the name hashes to. */
struct kept {
    char *user;
    struct identity *with_sids;
    bool failed; /* nobody could be asked: with_sids has none */
    time_t until;
};
struct users {
    struct arena *arena;
    VEC(struct set) sets;
    pthread_mutex_t lock; /* of what follows and of members' found and until */
    struct kept kept[USERS_KEPT];
};

struct users *users_new(const struct users_set *sets, size_t n)
{
    struct arena *a = arena_new();
    struct users *u = arena_alloc(a, sizeof *u);
    u->arena = a;
    pthread_mutex_init(&u->lock, NULL);
    for (size_t i = 0; i < n; i++) {
        struct set *s = vec_push(a, &u->sets);
        s->authenticated = !ascii_casecmp(sets[i].name, "All Authenticated Users");
        for (size_t k = 0; k < sets[i].members.n; k++) {
            const struct users_member *from = &sets[i].members.v[k];
            struct member *m = vec_push(a, &s->members);
            m->group = from->group;
            m->sid = from->sid && *from->sid ? arena_strdup(a, from->sid) : NULL;
            if (!from->name || !user_name_parse(a, arena_strdup(a, from->name), NULL, &m->name))
                m->name = (struct user_name){ "", "", "" };
        }
    }
    return u;
}

void users_free(struct users *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < USERS_KEPT; i++) {
        free(u->kept[i].user);
        identity_release(u->kept[i].with_sids);
    }
    pthread_mutex_destroy(&u->lock);
    arena_free(u->arena);
}

/* ---- comparing ------------------------------------------------------------------------------------------------- */
/* A member that says its domain or realm is not another domain's of the same name. */
static bool is_user(const struct member *m, const struct identity *who)
{
    if (!*m->name.account || ascii_casecmp(m->name.account, who->account) != 0)
        return false;
    if (*m->name.domain)
        return !ascii_casecmp(m->name.domain, who->domain);
    return !*m->name.realm || !ascii_casecmp(m->name.realm, who->realm);
}

static bool in_named_group(const struct member *m, const struct identity *who)
{
    for (size_t i = 0; *m->name.account && i < who->groups_n; i++) {
        const char *g = who->groups[i], *slash = strchr(g, '\\');
        bool domain_fits =
            !slash || !*m->name.domain ||
            (strlen(m->name.domain) == (size_t)(slash - g) && !ascii_ncasecmp(g, m->name.domain, (size_t)(slash - g)));
        if (domain_fits && !ascii_casecmp(slash ? slash + 1 : g, m->name.account))
            return true;
    }
    return false;
}

static size_t place_of(const char *display)
{
    uint32_t h = 2166136261u;
    for (const char *p = display; *p; p++)
        h = (h ^ (unsigned char)ascii_lower(*p)) * 16777619u;
    return h % USERS_KEPT;
}

static long keep_for(enum lookup found)
{
    return found == LOOKUP_FOUND ? FOUND_FOR : found == LOOKUP_ABSENT ? ABSENT_FOR : FAILED_FOR;
}

/* The identity with its groups: itself, or what was kept of it. The caller releases it. NULL: to be asked. *failed: it was, and
 * nobody answered. */
static struct identity *with_groups(struct users *u, const struct identity *who, bool *failed)
{
    *failed = false;
    if (who->groups_known)
        return identity_hold((struct identity *)(uintptr_t)who);
    struct kept *k = &u->kept[place_of(who->display)];
    pthread_mutex_lock(&u->lock);
    bool fits = k->user && !ascii_casecmp(k->user, who->display) && k->until > monotonic();
    struct identity *found = fits ? identity_hold(k->with_sids) : NULL;
    *failed = fits && k->failed;
    pthread_mutex_unlock(&u->lock);
    return found;
}

static enum membership in_member(struct users *u, struct member *m, const struct identity *who)
{
    if (m->sid && who->sids_n) /* then the name alone says nothing: it may be another account's by now */
        return identity_has_sid(who, m->sid) ? USER_INSIDE : USER_OUTSIDE;
    if (!m->group)
        return is_user(m, who) ? USER_INSIDE : USER_OUTSIDE;
    if (in_named_group(m, who))
        return USER_INSIDE;
    if (!who->sids_n)
        return USER_OUTSIDE;
    pthread_mutex_lock(&u->lock);
    enum membership r = m->until <= monotonic()                        ? USER_ASK
                        : m->failed                                    ? USER_NOT_KNOWN
                        : *m->found && identity_has_sid(who, m->found) ? USER_INSIDE
                                                                       : USER_OUTSIDE;
    pthread_mutex_unlock(&u->lock);
    return r;
}

enum membership users_holds(struct users *u, size_t set, const struct identity *who)
{
    const struct set *s = &u->sets.v[set];
    if (s->authenticated)
        return USER_INSIDE;
    bool failed;
    struct identity *full = with_groups(u, who, &failed);
    enum membership result = USER_OUTSIDE;
    for (size_t i = 0; i < s->members.n && result != USER_INSIDE; i++) {
        enum membership m = in_member(u, &s->members.v[i], full ? full : who);
        /* A user's own name needs no groups; a group, or a SID, does. */
        bool groups = s->members.v[i].group || s->members.v[i].sid;
        if (m == USER_OUTSIDE && groups && (!full || failed))
            m = full ? USER_NOT_KNOWN : USER_ASK;
        result = m > result ? m : result;
    }
    identity_release(full);
    return result;
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */
static void keep_groups(struct users *u, const struct identity *who, const strings *sids, const strings *groups,
                        enum lookup found)
{
    struct identity facts = { .account = who->account,
                              .domain = who->domain,
                              .realm = who->realm,
                              .proof = who->proof,
                              .sids = sids->v,
                              .sids_n = sids->n,
                              .groups = groups->n ? groups->v : who->groups,
                              .groups_n = groups->n ? groups->n : who->groups_n,
                              .groups_known = true };
    struct identity *full = identity_new(&facts);
    char *user = strdup(who->display);
    if (!user)
        mem_fatal();
    struct kept *k = &u->kept[place_of(who->display)], old;
    pthread_mutex_lock(&u->lock);
    old = *k;
    k->user = user;
    k->with_sids = full;
    k->failed = found == LOOKUP_FAILED;
    k->until = monotonic() + keep_for(found);
    pthread_mutex_unlock(&u->lock);
    free(old.user);
    identity_release(old.with_sids);
}

static void ask_member(struct users *u, struct auth *a, struct member *m, struct arena *to, struct strbuf *why)
{
    const char *sid = NULL;
    pthread_mutex_lock(&u->lock);
    bool known = m->until > monotonic();
    pthread_mutex_unlock(&u->lock);
    if (known || m->sid || !m->group || !*m->name.account)
        return;
    enum lookup found = directory_sid(a, m->name.domain, m->name.account, to, &sid, why);
    pthread_mutex_lock(&u->lock);
    snprintf(m->found, sizeof m->found, "%s", found == LOOKUP_FOUND ? sid : "");
    m->failed = found == LOOKUP_FAILED;
    m->until = monotonic() + keep_for(found);
    pthread_mutex_unlock(&u->lock);
}

enum membership users_ask(struct users *u, struct auth *a, size_t set, const struct identity *who, struct strbuf *why)
{
    const struct set *s = &u->sets.v[set];
    struct arena *to = arena_new();
    bool failed;
    struct identity *full = with_groups(u, who, &failed);
    if (!full) {
        struct user_name name = { who->account, who->domain, who->realm };
        strings sids = { 0 }, groups = { 0 };
        bool file = a->s.ad == AD_BY_FILE && a->passwords;
        enum lookup found = !file                                     ? directory_sids(a, &name, to, &sids, why)
                            : password_file_groups(a, &name, &groups) ? LOOKUP_FOUND
                                                                      : LOOKUP_ABSENT;
        keep_groups(u, who, &sids, &groups, found);
    }
    identity_release(full);
    for (size_t i = 0; i < s->members.n; i++)
        ask_member(u, a, &s->members.v[i], to, why);
    arena_free(to);
    enum membership r = users_holds(u, set, who);
    return r == USER_ASK ? USER_NOT_KNOWN : r; /* another user took the place: the next request asks again */
}
