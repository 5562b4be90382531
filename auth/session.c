/* session: sealing, opening, times. */
#include "session.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum { FLAG_PRIVATE = 1, FLAG_PASSWORD = 2, FLAG_ONCE = 4, FLAGS = 7 };
enum { SKEW = 300 }; /* seconds that the clocks of two instances may differ */

const char *const session_state_names[] = {
    "none", "good", "forged", "expired", "elsewhere", "logged off", "ambiguous"
};

/* ---- names ------------------------------------------------------------------------------ */

void session_rules_make(struct session_rules *r, const char *listener, const struct forms_settings *form, bool sso,
                        const strings *sso_domains, const struct key_ring *keys)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    *r = (struct session_rules){ .listener = listener, .form = *form, .sso = sso, .keys = keys };
    if (sso_domains)
        r->sso_domains = *sso_domains;
    if (!EVP_Digest(listener, strlen(listener), hash, NULL, EVP_sha256(), NULL))
        mem_fatal();
    snprintf(r->suffix, sizeof r->suffix, "%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

const char *session_domain(const struct session_rules *r, const char *host)
{
    size_t host_n = strlen(host);
    for (size_t i = 0; r->sso && i < r->sso_domains.n; i++) {
        const char *domain = r->sso_domains.v[i] + strspn(r->sso_domains.v[i], "*."); /* as exports have it */
        size_t n = strlen(domain);
        if (!strchr(domain, '.') || n > host_n || ascii_casecmp(host + host_n - n, domain) != 0)
            continue;
        if (n == host_n || host[host_n - n - 1] == '.')
            return domain;
    }
    return NULL;
}

void session_cookie_name(const struct session_rules *r, const char *host, struct strbuf *out)
{
    if (r->form.cookie)
        buf_puts(out, r->form.cookie);
    else
        buf_printf(out, "__%s-publishd-%s", session_domain(r, host) ? "Secure" : "Host", r->suffix);
}

/* What a cookie must be opened with: a cookie of one listener or site is nothing on another. */
static void context(const struct session_rules *r, const char *host, struct strbuf *out)
{
    const char *domain = session_domain(r, host);
    buf_printf(out, "%s\n%s%s", r->listener, domain ? "." : "", domain ? domain : host);
}

/* ---- a session -------------------------------------------------------------------------------- */

static bool copy_name(char *to, const char *from)
{
    size_t n = strlen(from);
    if (n > SESSION_NAME)
        return false;
    memcpy(to, from, n + 1);
    return true;
}

bool session_begin(struct session *s, const struct identity *who, bool private_computer, bool keep_password,
                   uint32_t address, long long now)
{
    *s = (struct session){ .signed_in = now, .renewed = now, .address = address, .private_computer = private_computer };
    if (!copy_name(s->account, who->account) || !copy_name(s->domain, who->domain) || !copy_name(s->realm, who->realm))
        return false;
    random_bytes(s->id, sizeof s->id);
    s->password = keep_password ? secret_hold(who->password) : NULL;
    return true;
}

void session_end(struct session *s)
{
    secret_release(s->password);
    OPENSSL_cleanse(s, sizeof *s);
    s->password = NULL;
}

struct identity *session_identity(const struct session *s)
{
    return identity_new(&(struct identity){ .account = s->account,
                                            .domain = s->domain,
                                            .realm = s->realm,
                                            .proof = PROOF_PASSWORD,
                                            .password = s->password });
}

static long timeout_of(const struct session_rules *r, const struct session *s)
{
    return s->private_computer ? r->form.private_timeout : r->form.public_timeout;
}

long long session_expires(const struct session_rules *r, const struct session *s)
{
    return (r->form.absolute_timeout ? s->signed_in : s->renewed) + timeout_of(r, s);
}

long long session_last(const struct session_rules *r, const struct session *s, long long now)
{
    return (r->form.absolute_timeout ? s->signed_in : now) + timeout_of(r, s);
}

bool session_due(const struct session_rules *r, const struct session *s, long long now)
{
    return !r->form.absolute_timeout && now - s->renewed >= timeout_of(r, s) / 3;
}

/* ---- bytes --------------------------------------------------------------------------------------- */

struct cursor {
    unsigned char *p;
    size_t n, at;
    bool bad;
};

static void put(struct cursor *c, const void *bytes, size_t n)
{
    memcpy(c->p + c->at, bytes, n);
    c->at += n;
}

static void put_number(struct cursor *c, uint64_t v, int bytes)
{
    for (int i = bytes; i-- > 0;)
        c->p[c->at++] = (unsigned char)(v >> (8 * i));
}

static void put_text(struct cursor *c, const char *s, size_t n)
{
    put_number(c, n, 2);
    put(c, s, n);
}

static const unsigned char *get(struct cursor *c, size_t n)
{
    if (c->bad || c->n - c->at < n) {
        c->bad = true;
        return (const unsigned char *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    }
    c->at += n;
    return c->p + c->at - n;
}

static uint64_t get_number(struct cursor *c, int bytes)
{
    const unsigned char *p = get(c, (size_t)bytes);
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static void get_name(struct cursor *c, char *out)
{
    size_t n = get_number(c, 2);
    if (n > SESSION_NAME) {
        c->bad = true;
        return;
    }
    const unsigned char *p = get(c, n);
    if (!c->bad)
        memcpy(out, p, n);
}

enum { FIXED = SESSION_ID + 8 + 8 + 4 + 1 + 4 * 2 };
_Static_assert(FIXED + 3 * SESSION_NAME + SECRET_BYTES <= SEAL_PLAIN, "every session can be sealed");
/* Browsers keep 4096 bytes of name, value and attributes (RFC 6265, 6.1): the largest session leaves them enough. */
_Static_assert(SEAL_TEXT(FIXED + 3 * SESSION_NAME + SECRET_BYTES) < 2700, "and its cookie is kept");

static void write_session(const struct session *s, struct cursor *c)
{
    put(c, s->id, sizeof s->id);
    put_number(c, (uint64_t)s->signed_in, 8);
    put_number(c, (uint64_t)s->renewed, 8);
    put_number(c, s->address, 4);
    put_number(
        c, (s->private_computer ? FLAG_PRIVATE : 0) | (s->password ? FLAG_PASSWORD : 0) | (s->once ? FLAG_ONCE : 0), 1);
    put_text(c, s->account, strlen(s->account));
    put_text(c, s->domain, strlen(s->domain));
    put_text(c, s->realm, strlen(s->realm));
    if (s->password)
        put_text(c, secret_text(s->password), secret_length(s->password));
}

static bool read_session(struct session *s, struct cursor *c)
{
    *s = (struct session){ 0 };
    memcpy(s->id, get(c, SESSION_ID), SESSION_ID);
    s->signed_in = (long long)get_number(c, 8);
    s->renewed = (long long)get_number(c, 8);
    s->address = (uint32_t)get_number(c, 4);
    unsigned flags = (unsigned)get_number(c, 1);
    s->private_computer = flags & FLAG_PRIVATE;
    s->once = flags & FLAG_ONCE;
    get_name(c, s->account);
    get_name(c, s->domain);
    get_name(c, s->realm);
    if (flags & FLAG_PASSWORD) {
        size_t n = get_number(c, 2);
        const unsigned char *p = get(c, n);
        s->password = c->bad ? NULL : secret_new((const char *)p, n);
        c->bad |= !s->password;
    }
    return !c->bad && c->at == c->n && flags <= FLAGS && *s->account;
}

/* ---- cookies ---------------------------------------------------------------------------------------- */

static void attributes(const struct session_rules *r, const char *host, struct strbuf *out)
{
    const char *domain = session_domain(r, host);
    buf_puts(out, "; Path=/; Secure; HttpOnly; SameSite=Lax");
    if (domain)
        buf_printf(out, "; Domain=%s", domain);
}

static bool persists(const struct session_rules *r, const struct session *s)
{
    return r->form.persistent_cookies == 2 || (r->form.persistent_cookies == 1 && s->private_computer);
}

void session_set_cookie(const struct session_rules *r, const char *host, struct session *s, long long now,
                        struct strbuf *out)
{
    unsigned char bytes[SEAL_PLAIN];
    struct cursor c = { .p = bytes };
    struct strbuf where = { 0 };
    if (!r->form.absolute_timeout)
        s->renewed = now;
    write_session(s, &c);
    context(r, host, &where);
    session_cookie_name(r, host, out);
    buf_putc(out, '=');
    seal(r->keys, "session", where.p, bytes, c.at, out);
    attributes(r, host, out);
    if (persists(r, s))
        buf_printf(out, "; Max-Age=%lld", session_expires(r, s) - now);
    OPENSSL_cleanse(bytes, sizeof bytes);
    buf_free(&where);
}

void session_clear_cookie(const struct session_rules *r, const char *host, struct strbuf *out)
{
    session_cookie_name(r, host, out);
    buf_putc(out, '=');
    attributes(r, host, out);
    buf_puts(out, "; Max-Age=0");
}

enum session_state session_judge(const struct session_rules *r, struct logged_off *off, const struct session *s,
                                 uint32_t address, long long now)
{
    if (s->renewed > now + SKEW || s->signed_in > now + SKEW || now >= session_expires(r, s))
        return SESSION_EXPIRED;
    if (r->form.bind_to_address && s->address != address)
        return SESSION_ELSEWHERE;
    return off && logged_off_has(off, s->id, now) ? SESSION_LOGGED_OFF : SESSION_GOOD;
}

static enum session_state open_cookie(const struct session_rules *r, struct logged_off *off, const char *where,
                                      const char *text, size_t n, uint32_t address, long long now, struct session *s)
{
    unsigned char bytes[SEAL_PLAIN];
    int have = seal_open(r->keys, "session", where, text, n, bytes);
    if (have < 0)
        return SESSION_FORGED;
    struct cursor c = { .p = bytes, .n = (size_t)have };
    enum session_state state = read_session(s, &c) ? session_judge(r, off, s, address, now) : SESSION_FORGED;
    OPENSSL_cleanse(bytes, sizeof bytes);
    if (state != SESSION_GOOD)
        session_end(s);
    return state;
}

enum session_state session_find(const struct session_rules *r, struct logged_off *off, const struct head *head,
                                const char *host, uint32_t address, long long now, struct session *out)
{
    enum { TRIES = 8 }; /* of cookies with our name: more are somebody's attempt to keep us busy */
    enum session_state state = SESSION_NONE;
    struct strbuf name = { 0 }, where = { 0 };
    bool have = false, two = false;
    int tries = 0;
    session_cookie_name(r, host, &name);
    context(r, host, &where);
    for (uint32_t i = head->first[FIELD_COOKIE] ? head->first[FIELD_COOKIE] - 1 : head->n; i < head->n; i++) {
        const char *p = head->fields[i].value, *value;
        size_t n;
        if (head->fields[i].id != FIELD_COOKIE || !head->fields[i].name_n)
            continue;
        while (tries++ < TRIES && (value = cookie_next(&p, name.p, &n))) {
            struct session s;
            enum session_state found = open_cookie(r, off, where.p, value, n, address, now, &s);
            if (found == SESSION_GOOD && have) {
                two |= CRYPTO_memcmp(s.id, out->id, SESSION_ID) != 0;
                session_end(&s);
            } else if (found == SESSION_GOOD) {
                *out = s;
                have = true;
            } else if (state == SESSION_NONE || state == SESSION_FORGED) {
                state = found;
            }
        }
    }
    buf_free(&name);
    buf_free(&where);
    if (two)
        session_end(out);
    return two ? SESSION_AMBIGUOUS : have ? SESSION_GOOD : state;
}
