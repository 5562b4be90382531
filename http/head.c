/* head: the fields of a message by name, and changing them. */
#include "head.h"

#include <stdlib.h>

/* In lower case, in the order of enum field_id. */
static const char *const field_names[FIELD_IDS] = {
    [FIELD_OTHER] = "",
    [FIELD_HOST] = "host",
    [FIELD_CONNECTION] = "connection",
    [FIELD_CONTENT_LENGTH] = "content-length",
    [FIELD_TRANSFER_ENCODING] = "transfer-encoding",
    [FIELD_KEEP_ALIVE] = "keep-alive",
    [FIELD_PROXY_CONNECTION] = "proxy-connection",
    [FIELD_TE] = "te",
    [FIELD_TRAILER] = "trailer",
    [FIELD_UPGRADE] = "upgrade",
    [FIELD_EXPECT] = "expect",
    [FIELD_AUTHORIZATION] = "authorization",
    [FIELD_WWW_AUTHENTICATE] = "www-authenticate",
    [FIELD_PROXY_AUTHORIZATION] = "proxy-authorization",
    [FIELD_PROXY_AUTHENTICATE] = "proxy-authenticate",
    [FIELD_COOKIE] = "cookie",
    [FIELD_SET_COOKIE] = "set-cookie",
    [FIELD_ACCEPT_ENCODING] = "accept-encoding",
    [FIELD_CONTENT_ENCODING] = "content-encoding",
    [FIELD_CONTENT_TYPE] = "content-type",
    [FIELD_LOCATION] = "location",
    [FIELD_CONTENT_LOCATION] = "content-location",
    [FIELD_VIA] = "via",
    [FIELD_SERVER] = "server",
    [FIELD_DATE] = "date",
    [FIELD_X_FORWARDED_FOR] = "x-forwarded-for",
    [FIELD_FRONT_END_HTTPS] = "front-end-https",
    [FIELD_USER_AGENT] = "user-agent",
    [FIELD_REFERER] = "referer",
    [FIELD_ORIGIN] = "origin",
    [FIELD_ACCEPT] = "accept",
    [FIELD_ACCEPT_LANGUAGE] = "accept-language",
    [FIELD_CACHE_CONTROL] = "cache-control",
    [FIELD_PRAGMA] = "pragma",
    [FIELD_ETAG] = "etag",
    [FIELD_RANGE] = "range",
    [FIELD_CONTENT_RANGE] = "content-range",
    [FIELD_VARY] = "vary",
};

/* Length, first and last letter tell all names apart: two of a kind would be two equal cases, which do not compile. */
#define KEY(n, first, last) ((unsigned)(n) << 16 | (unsigned)(first) << 8 | (unsigned)(last))
static enum field_id candidate(const char *name, size_t n)
{
    switch (KEY(n, (unsigned char)name[0] | 0x20, (unsigned char)name[n - 1] | 0x20)) {
    case KEY(4, 'h', 't'): return FIELD_HOST;
    case KEY(10, 'c', 'n'): return FIELD_CONNECTION;
    case KEY(14, 'c', 'h'): return FIELD_CONTENT_LENGTH;
    case KEY(17, 't', 'g'): return FIELD_TRANSFER_ENCODING;
    case KEY(10, 'k', 'e'): return FIELD_KEEP_ALIVE;
    case KEY(16, 'p', 'n'): return FIELD_PROXY_CONNECTION;
    case KEY(2, 't', 'e'): return FIELD_TE;
    case KEY(7, 't', 'r'): return FIELD_TRAILER;
    case KEY(7, 'u', 'e'): return FIELD_UPGRADE;
    case KEY(6, 'e', 't'): return FIELD_EXPECT;
    case KEY(13, 'a', 'n'): return FIELD_AUTHORIZATION;
    case KEY(16, 'w', 'e'): return FIELD_WWW_AUTHENTICATE;
    case KEY(19, 'p', 'n'): return FIELD_PROXY_AUTHORIZATION;
    case KEY(18, 'p', 'e'): return FIELD_PROXY_AUTHENTICATE;
    case KEY(6, 'c', 'e'): return FIELD_COOKIE;
    case KEY(10, 's', 'e'): return FIELD_SET_COOKIE;
    case KEY(15, 'a', 'g'): return FIELD_ACCEPT_ENCODING;
    case KEY(16, 'c', 'g'): return FIELD_CONTENT_ENCODING;
    case KEY(12, 'c', 'e'): return FIELD_CONTENT_TYPE;
    case KEY(8, 'l', 'n'): return FIELD_LOCATION;
    case KEY(16, 'c', 'n'): return FIELD_CONTENT_LOCATION;
    case KEY(3, 'v', 'a'): return FIELD_VIA;
    case KEY(6, 's', 'r'): return FIELD_SERVER;
    case KEY(4, 'd', 'e'): return FIELD_DATE;
    case KEY(15, 'x', 'r'): return FIELD_X_FORWARDED_FOR;
    case KEY(15, 'f', 's'): return FIELD_FRONT_END_HTTPS;
    case KEY(10, 'u', 't'): return FIELD_USER_AGENT;
    case KEY(7, 'r', 'r'): return FIELD_REFERER;
    case KEY(6, 'o', 'n'): return FIELD_ORIGIN;
    case KEY(6, 'a', 't'): return FIELD_ACCEPT;
    case KEY(15, 'a', 'e'): return FIELD_ACCEPT_LANGUAGE;
    case KEY(13, 'c', 'l'): return FIELD_CACHE_CONTROL;
    case KEY(6, 'p', 'a'): return FIELD_PRAGMA;
    case KEY(4, 'e', 'g'): return FIELD_ETAG;
    case KEY(5, 'r', 'e'): return FIELD_RANGE;
    case KEY(13, 'c', 'e'): return FIELD_CONTENT_RANGE;
    case KEY(4, 'v', 'y'): return FIELD_VARY;
    default: return FIELD_OTHER;
    }
}

/* Eight bytes with every letter in lower case. Of the bytes of a token only letters become letters by it, and only '-'
 * becomes '-'. */
static uint64_t folded(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v | UINT64_C(0x2020202020202020);
}

/* Two texts of the same length, without case; known is of letters and '-', in lower case. */
static bool is_name(const char *name, const char *known, size_t n)
{
    if (n < 8) {
        for (size_t i = 0; i < n; i++)
            if ((name[i] | 0x20) != known[i])
                return false;
        return true;
    }
    for (size_t i = 0; i + 8 < n; i += 8)
        if (folded(name + i) != folded(known + i))
            return false;
    return folded(name + n - 8) == folded(known + n - 8);
}

enum field_id field_id_of(const char *name, size_t n)
{
    enum field_id id = n ? candidate(name, n) : FIELD_OTHER;
    return id != FIELD_OTHER && is_name(name, field_names[id], n) ? id : FIELD_OTHER;
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
    h->text[n] = '\0';
    h->text_n = n + 1;
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
