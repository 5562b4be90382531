/* head: the fields of a message by name, and changing them. */
#include "head.h"
#include "scan.h"

#include <stdlib.h>

/* The names that somebody asks for, in lower case. Length, first and last letter make the slot; two names in one slot
 * would be an initialiser overridden, which gcc and clang warn about. */
#define SLOTS 128
#define SLOT(n, first, last) ((6 * (n) + (first) + 8 * (last)) % SLOTS)
#define NAME(id, text, n, first, last) [SLOT(n, first, last)] = { text, n, id }
static const struct known {
    char name[20];
    unsigned char n, id;
} known[SLOTS] = {
    NAME(FIELD_HOST, "host", 4, 'h', 't'),
    NAME(FIELD_CONNECTION, "connection", 10, 'c', 'n'),
    NAME(FIELD_CONTENT_LENGTH, "content-length", 14, 'c', 'h'),
    NAME(FIELD_TRANSFER_ENCODING, "transfer-encoding", 17, 't', 'g'),
    NAME(FIELD_KEEP_ALIVE, "keep-alive", 10, 'k', 'e'),
    NAME(FIELD_PROXY_CONNECTION, "proxy-connection", 16, 'p', 'n'),
    NAME(FIELD_TE, "te", 2, 't', 'e'),
    NAME(FIELD_TRAILER, "trailer", 7, 't', 'r'),
    NAME(FIELD_UPGRADE, "upgrade", 7, 'u', 'e'),
    NAME(FIELD_EXPECT, "expect", 6, 'e', 't'),
    NAME(FIELD_AUTHORIZATION, "authorization", 13, 'a', 'n'),
    NAME(FIELD_WWW_AUTHENTICATE, "www-authenticate", 16, 'w', 'e'),
    NAME(FIELD_PROXY_AUTHORIZATION, "proxy-authorization", 19, 'p', 'n'),
    NAME(FIELD_PROXY_AUTHENTICATE, "proxy-authenticate", 18, 'p', 'e'),
    NAME(FIELD_COOKIE, "cookie", 6, 'c', 'e'),
    NAME(FIELD_SET_COOKIE, "set-cookie", 10, 's', 'e'),
    NAME(FIELD_ACCEPT_ENCODING, "accept-encoding", 15, 'a', 'g'),
    NAME(FIELD_CONTENT_ENCODING, "content-encoding", 16, 'c', 'g'),
    NAME(FIELD_CONTENT_TYPE, "content-type", 12, 'c', 'e'),
    NAME(FIELD_LOCATION, "location", 8, 'l', 'n'),
    NAME(FIELD_CONTENT_LOCATION, "content-location", 16, 'c', 'n'),
    NAME(FIELD_VIA, "via", 3, 'v', 'a'),
    NAME(FIELD_SERVER, "server", 6, 's', 'r'),
    NAME(FIELD_DATE, "date", 4, 'd', 'e'),
    NAME(FIELD_X_FORWARDED_FOR, "x-forwarded-for", 15, 'x', 'r'),
    NAME(FIELD_FRONT_END_HTTPS, "front-end-https", 15, 'f', 's'),
    NAME(FIELD_USER_AGENT, "user-agent", 10, 'u', 't'),
    NAME(FIELD_REFERER, "referer", 7, 'r', 'r'),
    NAME(FIELD_ORIGIN, "origin", 6, 'o', 'n'),
    NAME(FIELD_ACCEPT, "accept", 6, 'a', 't'),
    NAME(FIELD_ACCEPT_LANGUAGE, "accept-language", 15, 'a', 'e'),
    NAME(FIELD_CACHE_CONTROL, "cache-control", 13, 'c', 'l'),
    NAME(FIELD_PRAGMA, "pragma", 6, 'p', 'a'),
    NAME(FIELD_ETAG, "etag", 4, 'e', 'g'),
    NAME(FIELD_RANGE, "range", 5, 'r', 'e'),
    NAME(FIELD_CONTENT_RANGE, "content-range", 13, 'c', 'e'),
    NAME(FIELD_VARY, "vary", 4, 'v', 'y'),
    NAME(FIELD_PERSISTENT_AUTH, "persistent-auth", 15, 'p', 'h'),
};

/* Four or eight bytes with every letter in lower case. Of the bytes of a token only letters become letters by it, and
 * only '-' becomes '-'. */
static uint32_t folded4(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v | 0x20202020;
}
static uint64_t folded8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v | UINT64_C(0x2020202020202020);
}

/* Two names of the same length, without case, both of a token's bytes and lower without capitals. */
static bool same_name(const char *name, const char *lower, size_t n)
{
    if (n >= 8) {
        for (size_t i = 0; i + 8 < n; i += 8)
            if (folded8(name + i) != folded8(lower + i))
                return false;
        return folded8(name + n - 8) == folded8(lower + n - 8);
    }
    if (n >= 4)
        return folded4(name) == folded4(lower) && folded4(name + n - 4) == folded4(lower + n - 4);
    return ascii_ncasecmp(name, lower, n) == 0;
}

enum field_id field_id_of(const char *name, size_t n)
{
    if (!n)
        return FIELD_OTHER;
    const struct known *k = &known[SLOT(n, (unsigned char)name[0] | 0x20u, (unsigned char)name[n - 1] | 0x20u)];
    return k->n == n && same_name(name, k->name, n) ? (enum field_id)k->id : FIELD_OTHER;
}

static bool list_has_token(const char *list, const char *token)
{
    size_t token_n = strlen(token);
    while (*list) {
        list += strspn(list, " \t,");
        size_t n = strcspn(list, " \t,");
        if (n == token_n && ascii_ncasecmp(list, token, n) == 0)
            return true;
        list += n;
    }
    return false;
}

bool head_has_token(const struct head *h, enum field_id id, const char *token)
{
    for (uint32_t i = h->first[id]; i && i <= h->n; i++) {
        const struct field *f = &h->fields[i - 1];
        if (f->id == id && f->name_n && list_has_token(f->value, token))
            return true;
    }
    return false;
}

/* ---- memory ---------------------------------------------------------------- */
struct head_more {
    struct head_more *next;
    size_t n;
    char text[];
};

void head_reset(struct head *h)
{
    for (struct head_more *m = h->more, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    char *text = h->text;
    size_t cap = h->text_cap;
    memset(h, 0, offsetof(struct head, fields));
    h->text = text;
    h->text_cap = cap;
}

void head_wipe(struct head *h)
{
    if (h->text)
        explicit_bzero(h->text, h->text_n);
    for (struct head_more *m = h->more; m; m = m->next)
        explicit_bzero(m->text, m->n);
    head_reset(h);
}

void head_free(struct head *h)
{
    head_reset(h);
    free(h->text);
    h->text = NULL;
    h->text_cap = 0;
}

char *head_room(struct head *h, size_t n)
{
    enum { SPARE = 1024 }; /* for head_copy: what is added to most requests */
    head_reset(h);
    if (h->text_cap < n + SPARE) {
        free(h->text);
        h->text_cap = n + SPARE < 4096 ? 4096 : n + SPARE;
        h->text = malloc(h->text_cap);
        if (!h->text)
            mem_fatal();
    }
    memset(h->text + n, 0, SCAN_SLACK);
    h->text_n = n + SCAN_SLACK;
    return h->text;
}

const char *head_copy(struct head *h, const char *s, size_t n)
{
    char *p;
    if (h->text_cap - h->text_n > n) {
        p = h->text + h->text_n;
        h->text_n += n + 1;
    } else {
        struct head_more *m = malloc(sizeof *m + n + 1);
        if (!m)
            mem_fatal();
        m->next = h->more;
        m->n = n;
        h->more = m;
        p = m->text;
    }
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

/* ---- changing -------------------------------------------------------------- */
bool head_push(struct head *h, struct field f)
{
    if (h->n == HEAD_FIELDS_MAX)
        return false;
    h->fields[h->n++] = f;
    if (f.id != FIELD_OTHER && !h->first[f.id])
        h->first[f.id] = h->n;
    return true;
}

bool head_add(struct head *h, const char *name, const char *value)
{
    size_t name_n = strlen(name);
    return head_push(h, (struct field){ .id = field_id_of(name, name_n),
                                        .name_n = (uint32_t)name_n,
                                        .value_n = (uint32_t)strlen(value),
                                        .name = name,
                                        .value = value });
}

void head_remove_at(struct head *h, uint32_t i)
{
    enum field_id id = h->fields[i].id;
    h->fields[i].name_n = 0;
    if (id == FIELD_OTHER || h->first[id] != i + 1)
        return;
    h->first[id] = 0;
    for (uint32_t k = i + 1; k < h->n && !h->first[id]; k++)
        if (h->fields[k].id == id && h->fields[k].name_n)
            h->first[id] = k + 1;
}

void head_remove(struct head *h, enum field_id id)
{
    for (uint32_t i = h->first[id]; i && i <= h->n; i++)
        if (h->fields[i - 1].id == id)
            h->fields[i - 1].name_n = 0;
    h->first[id] = 0;
}

bool head_set(struct head *h, enum field_id id, const char *name, const char *value)
{
    size_t name_n = strlen(name);
    if (id == FIELD_OTHER) {
        for (uint32_t i = 0; i < h->n; i++)
            if (h->fields[i].id == FIELD_OTHER && h->fields[i].name_n == name_n &&
                ascii_ncasecmp(h->fields[i].name, name, name_n) == 0)
                h->fields[i].name_n = 0;
    } else if (h->first[id]) { /* in the place of the first: what is compared by eye stays where it was */
        uint32_t i = h->first[id];
        head_remove(h, id);
        h->fields[i - 1] = (struct field){
            .id = id, .name_n = (uint32_t)name_n, .value_n = (uint32_t)strlen(value), .name = name, .value = value
        };
        h->first[id] = i;
        return true;
    }
    return head_push(
        h,
        (struct field){
            .id = id, .name_n = (uint32_t)name_n, .value_n = (uint32_t)strlen(value), .name = name, .value = value });
}
