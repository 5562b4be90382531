/* pac: NDR (C706 chapter 14, MS-RPCE 2.2.6.1) as far as one structure needs it. Pointers' targets follow the structure in
 * the order of the pointers. */
#include "pac.h"

struct ndr {
    const unsigned char *p;
    size_t n, at;
    bool bad;
};

static const unsigned char *bytes(struct ndr *r, size_t n)
{
    static const unsigned char nothing[64];
    if (r->bad || n > r->n - r->at) {
        r->bad = true;
        return n <= sizeof nothing ? nothing : NULL;
    }
    const unsigned char *p = r->p + r->at;
    r->at += n;
    return p;
}

static void align(struct ndr *r)
{
    size_t rest = r->at % 4;
    if (rest)
        bytes(r, 4 - rest);
}

static uint32_t u32(struct ndr *r)
{
    const unsigned char *p = bytes(r, 4);
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---- the fixed part ------------------------------------------------------------------------------------- */
struct text {
    uint32_t pointer;
    uint16_t bytes;
};
enum { EFFECTIVE_NAME, FULL_NAME, SCRIPT, PROFILE, HOME, DRIVE, LOGON_SERVER, LOGON_DOMAIN, TEXTS };
struct info {
    struct text texts[TEXTS];
    int64_t must_change;
    uint32_t user, primary, groups_n, groups, domain_sid, sids_n, sids, resource_sid, resources_n, resources;
};

static struct text text(struct ndr *r)
{
    const unsigned char *p = bytes(r, 4);
    struct text t = { .bytes = (uint16_t)(p[0] | p[1] << 8) };
    t.pointer = u32(r);
    return t;
}

static void fixed(struct ndr *r, struct info *i)
{
    bytes(r, 40); /* five times */
    uint32_t low = u32(r);
    i->must_change = (int64_t)((uint64_t)u32(r) << 32 | low);
    for (int k = EFFECTIVE_NAME; k <= DRIVE; k++)
        i->texts[k] = text(r);
    bytes(r, 4); /* counts of logons */
    i->user = u32(r);
    i->primary = u32(r);
    i->groups_n = u32(r);
    i->groups = u32(r);
    bytes(r, 4 + 16); /* flags, session key */
    i->texts[LOGON_SERVER] = text(r);
    i->texts[LOGON_DOMAIN] = text(r);
    i->domain_sid = u32(r);
    bytes(r, 8 + 4 + 4 + 8 + 8 + 4 + 4); /* up to the last failed logon and the reserved field */
    i->sids_n = u32(r);
    i->sids = u32(r);
    i->resource_sid = u32(r);
    i->resources_n = u32(r);
    i->resources = u32(r);
}

/* ---- what pointers lead to --------------------------------------------------------------------------------- */
static void put_utf8(struct strbuf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
        return;
    }
    char four[4];
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        four[i] = (char)(0x80 | (c & 0x3f));
    four[0] = (char)((0xf00 >> n) | c);
    buf_add(b, four, n);
}

static const char *utf16(struct arena *a, const unsigned char *p, size_t units)
{
    struct strbuf b = { 0 };
    for (size_t i = 0; i < units; i++) {
        uint32_t c = p[2 * i] | (uint32_t)p[2 * i + 1] << 8, low;
        if (c >= 0xd800 && c < 0xdc00 && i + 1 < units &&
            ((low = p[2 * i + 2] | (uint32_t)p[2 * i + 3] << 8) & 0xfc00) == 0xdc00) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i++;
        } else if (!c || (c & 0xf800) == 0xd800) {
            c = 0xfffd;
        }
        put_utf8(&b, c);
    }
    const char *s = arena_strndup(a, b.p ? b.p : "", b.n);
    buf_free(&b);
    return s;
}

static const char *target_text(struct ndr *r, struct arena *a, struct text t)
{
    if (!t.pointer)
        return "";
    align(r);
    uint32_t room = u32(r), offset = u32(r), units = u32(r);
    if (offset || units > room || units != t.bytes / 2u || units > r->n) {
        r->bad = true;
        return "";
    }
    const unsigned char *p = bytes(r, 2 * (size_t)units);
    return r->bad ? "" : utf16(a, p, units);
}

const char *sid_text(struct arena *a, const void *start, size_t n, size_t *used)
{
    const unsigned char *p = start;
    if (n < 8 || p[0] != 1 || p[1] > 15 || n < 8 + 4u * p[1])
        return NULL;
    uint64_t authority = 0;
    for (int i = 2; i < 8; i++)
        authority = authority << 8 | p[i];
    const char *s = arena_printf(a, "S-1-%llu", (unsigned long long)authority);
    for (size_t i = 0; i < p[1]; i++) {
        const unsigned char *q = p + 8 + 4 * i;
        s = arena_printf(a, "%s-%lu", s,
                         (unsigned long)(q[0] | (uint32_t)q[1] << 8 | (uint32_t)q[2] << 16 | (uint32_t)q[3] << 24));
    }
    if (used)
        *used = 8 + 4u * p[1];
    return s;
}

static const char *target_sid(struct ndr *r, struct arena *a, uint32_t pointer)
{
    if (!pointer)
        return NULL;
    align(r);
    uint32_t count = u32(r);
    size_t used = 0;
    const char *s = r->bad ? NULL : sid_text(a, r->p + r->at, r->n - r->at, &used);
    if (!s || used != 8 + 4 * (size_t)count)
        r->bad = true;
    else
        bytes(r, used);
    return r->bad ? NULL : s;
}

static void add_rid(struct arena *a, strings *sids, const char *domain, uint32_t rid)
{
    vec_add(a, sids, arena_printf(a, "%s-%lu", domain, (unsigned long)rid));
}

/* A counted array at the pointer: how many there are; 0 and bad where it is not what was announced. */
static uint32_t target_count(struct ndr *r, uint32_t pointer, uint32_t announced, size_t each)
{
    if (!pointer)
        return 0;
    align(r);
    uint32_t count = u32(r);
    if (count != announced || count > (r->n - r->at) / each)
        r->bad = true;
    return r->bad ? 0 : count;
}

/* The groups stand in front of the domain's SID that they belong to. */
struct rids {
    uint32_t n;
    const unsigned char *p;
};

static struct rids target_rids(struct ndr *r, uint32_t pointer, uint32_t announced)
{
    struct rids found = { .n = target_count(r, pointer, announced, 8) };
    found.p = found.n ? bytes(r, 8 * (size_t)found.n) : NULL;
    if (r->bad)
        found.n = 0;
    return found;
}

static void add_rids(struct arena *a, strings *sids, const char *domain, struct rids rids)
{
    for (uint32_t i = 0; domain && i < rids.n; i++) {
        const unsigned char *q = rids.p + 8 * (size_t)i;
        add_rid(a, sids, domain, q[0] | (uint32_t)q[1] << 8 | (uint32_t)q[2] << 16 | (uint32_t)q[3] << 24);
    }
}

static void extra_sids(struct ndr *r, struct arena *a, const struct info *i, strings *sids)
{
    uint32_t n = target_count(r, i->sids, i->sids_n, 8);
    const unsigned char *pointers = n ? bytes(r, 8 * (size_t)n) : NULL;
    for (uint32_t k = 0; k < n && !r->bad; k++) {
        const unsigned char *q = pointers + 8 * (size_t)k;
        const char *sid = target_sid(r, a, q[0] | (uint32_t)q[1] << 8 | (uint32_t)q[2] << 16 | (uint32_t)q[3] << 24);
        if (sid)
            vec_add(a, sids, sid);
    }
}

bool pac_read(struct arena *a, const void *start, size_t n, struct pac *out)
{
    static const unsigned char header[] = { 0x01, 0x10, 0x08, 0x00 }; /* version 1, little endian, 8 bytes */
    struct ndr r = { .p = start, .n = n };
    struct info info = { 0 };
    memset(out, 0, sizeof *out);
    if (n < 20 || memcmp(start, header, sizeof header) != 0)
        return false;
    bytes(&r, 16);
    if (!u32(&r))
        return false;
    fixed(&r, &info);
    out->password_expires = windows_time(info.must_change);
    out->account = target_text(&r, a, info.texts[EFFECTIVE_NAME]);
    for (int k = FULL_NAME; k <= DRIVE; k++)
        target_text(&r, a, info.texts[k]);
    struct rids groups = target_rids(&r, info.groups, info.groups_n);
    target_text(&r, a, info.texts[LOGON_SERVER]);
    out->domain = target_text(&r, a, info.texts[LOGON_DOMAIN]);
    const char *domain = target_sid(&r, a, info.domain_sid);
    if (domain && info.user)
        add_rid(a, &out->sids, domain, info.user);
    if (domain && info.primary)
        add_rid(a, &out->sids, domain, info.primary);
    add_rids(a, &out->sids, domain, groups);
    extra_sids(&r, a, &info, &out->sids);
    const char *resource = target_sid(&r, a, info.resource_sid);
    add_rids(a, &out->sids, resource, target_rids(&r, info.resources, info.resources_n));
    return !r.bad;
}
