/* basic: strict about form, patient about character sets. */
#include "basic.h"
#include "seal.h"
#include "token.h"

enum scheme scheme_of(const char *value, const char **rest)
{
    static const struct {
        const char *name;
        enum scheme scheme;
    } known[] = { { "Basic", SCHEME_BASIC }, { "Negotiate", SCHEME_NEGOTIATE }, { "NTLM", SCHEME_NTLM } };
    *rest = "";
    if (!value)
        return SCHEME_NONE;
    size_t n = strcspn(value, " \t");
    *rest = value + n + strspn(value + n, " \t");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].name) == n && ascii_ncasecmp(value, known[i].name, n) == 0)
            return known[i].scheme;
    return SCHEME_OTHER;
}

static void latin1_to_utf8(const char *s, size_t n, struct strbuf *out)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x80) {
            buf_putc(out, (char)c);
        } else {
            buf_putc(out, (char)(0xc0 | c >> 6));
            buf_putc(out, (char)(0x80 | (c & 0x3f)));
        }
    }
}

bool credentials_of(struct arena *a, const char *user, const char *text, size_t text_n, const char *default_domain,
                    struct user_name *name, struct secret **password)
{
    *password = NULL;
    if (!utf8_valid(text, text_n) || !user_name_parse(a, user, default_domain, name))
        return false;
    *password = secret_new(text, text_n);
    return *password;
}

bool basic_parse(struct arena *a, const char *rest, const char *default_domain, struct user_name *name,
                 struct secret **password)
{
    enum { ROOM = 4096 }; /* at the outset, so that the buffers of a password do not grow and leave it behind */
    struct strbuf raw = { 0 }, text = { 0 };
    bool ok = false;
    *password = NULL;
    buf_reserve(&raw, ROOM);
    buf_reserve(&text, ROOM);
    if (strlen(rest) <= ROOM && base64_decode(&raw, rest, strlen(rest)) && !memchr(raw.p, '\0', raw.n)) {
        if (utf8_valid(raw.p, raw.n))
            buf_add(&text, raw.p, raw.n);
        else
            latin1_to_utf8(raw.p, raw.n, &text);
        char *colon = strchr(text.p, ':');
        if (colon) {
            *colon = '\0';
            ok = credentials_of(a, text.p, colon + 1, text.n - (size_t)(colon + 1 - text.p), default_domain, name,
                                password);
        }
    }
    buf_wipe(&raw);
    buf_wipe(&text);
    return ok;
}

static const char *basic_challenge(struct arena *a, const char *realm)
{
    struct strbuf b = { 0 };
    buf_puts(&b, "Basic realm=\"");
    for (; *realm; realm++) {
        if ((unsigned char)*realm < 0x20 || *realm == 0x7f)
            continue;
        if (*realm == '"' || *realm == '\\')
            buf_putc(&b, '\\');
        buf_putc(&b, *realm);
    }
    buf_puts(&b, "\", charset=\"UTF-8\"");
    const char *value = arena_strdup(a, b.p);
    buf_free(&b);
    return value;
}

void challenges_make(struct arena *a, const struct challenge_rules *r, struct challenges *out)
{
    *out = (struct challenges){ 0 };
    for (size_t i = 0; r->offer && i < r->offer->n && out->n < 3; i++)
        out->v[out->n++] = ascii_casecmp(r->offer->v[i], "ntlm") == 0 ? "NTLM" : "Negotiate";
    if (r->basic)
        out->v[out->n++] = basic_challenge(a, r->realm);
}
