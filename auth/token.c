/* token: what a client's token is. The NTLM messages are checked whole here, every offset of them, before any library
 * sees them. */
#include "token.h"
#include "ntlm.h"
#include "spnego.h"

/* ---- NTLM: MS-NLMP 2.2.1 ------------------------------------------------------------------------------------ */
static uint32_t u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A length, a room and an offset at p: the payload lies inside the message. An empty one may point anywhere. */
static bool payload_inside(const unsigned char *m, size_t n, size_t at)
{
    size_t length = m[at] | (size_t)m[at + 1] << 8, offset = u32(m + at + 4);
    return !length || (offset <= n && length <= n - offset);
}

static const size_t payloads[] = { 12, 20, 28, 36, 44, 52 }; /* of type 3: LM, NT, domain, user, workstation, key */

enum ntlm_type ntlm_type(const unsigned char *m, size_t n)
{
    if (n < 16 || memcmp(m, "NTLMSSP", 8) != 0)
        return NTLM_NONE;
    uint32_t type = u32(m + 8);
    if (type == 1) { /* with both names' places, or without any: not with a piece of them that nobody checks */
        bool names = n >= 32 ? payload_inside(m, n, 16) && payload_inside(m, n, 24) : n == 16;
        return names ? NTLM_BEGIN : NTLM_NONE;
    }
    if (type != 3 || n < 64)
        return NTLM_NONE;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
        if (!payload_inside(m, n, payloads[i]))
            return NTLM_NONE;
    return NTLM_END;
}

/* gss-ntlmssp reads a type 1 of 40 bytes with a version; older ones, curl's among them, have 32 or 16. The zeros that
 * are added lie behind every payload. */
static void complete_begin(struct strbuf *out, const unsigned char *m, size_t n)
{
    static const char zeros[40];
    buf_add(out, (const char *)m, n);
    if (out->n < 40)
        buf_add(out, zeros, 40 - out->n);
}

/* And a type 3 that says it has a version, though its payload begins where that would be: the flag goes. No message with
 * a MIC is like that, since the MIC stands behind the version. */
static void complete_end(struct strbuf *out, const unsigned char *m, size_t n)
{
    size_t lowest = n;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        size_t length = m[payloads[i]] | (size_t)m[payloads[i] + 1] << 8, offset = u32(m + payloads[i] + 4);
        if (length && offset < lowest)
            lowest = offset;
    }
    buf_add(out, (const char *)m, n);
    if (lowest < 72)
        out->p[63] = (char)(out->p[63] & ~0x02);
}

void ntlm_complete(struct strbuf *out, const unsigned char *m, size_t n)
{
    buf_clear(out);
    if (ntlm_type(m, n) == NTLM_END)
        complete_end(out, m, n);
    else
        complete_begin(out, m, n);
}

bool ntlm_is_v2(const unsigned char *m, size_t n)
{
    return ntlm_type(m, n) == NTLM_END && (m[20] | (size_t)m[21] << 8) > 24;
}

/* ---- what it is ------------------------------------------------------------------------------------------------ */
static enum token_kind of_ntlm(const unsigned char *m, size_t n)
{
    enum ntlm_type t = ntlm_type(m, n);
    return t == NTLM_BEGIN ? TOKEN_NTLM_BEGIN : t == NTLM_END ? TOKEN_NTLM_END : TOKEN_BAD;
}

static bool is_ntlm(struct der d)
{
    return d.n >= 8 && memcmp(d.p, "NTLMSSP", 8) == 0;
}

static enum token_kind of_init(const struct spnego_init *init)
{
    struct der mechs = init->mechs, mech;
    if (!der_take(&mechs, DER_OID, &mech))
        return TOKEN_BAD;
    if (!init->token.p)
        return TOKEN_BEGIN;
    if (is_ntlm(init->token)) /* an end in a first message is nothing */
        return of_ntlm(init->token.p, init->token.n) == TOKEN_NTLM_BEGIN ? TOKEN_NTLM_BEGIN : TOKEN_BAD;
    return gss_frame_is_krb5(init->token.p, init->token.n) ? TOKEN_KERBEROS : TOKEN_BEGIN;
}

enum token_kind token_kind(const void *token, size_t n)
{
    struct der raw = { token, n };
    struct spnego_init init;
    struct spnego_resp resp;
    if (!token || !n || n > TOKEN_BYTES)
        return TOKEN_BAD;
    if (is_ntlm(raw))
        return of_ntlm(token, n);
    if (gss_frame_is_krb5(token, n))
        return TOKEN_KERBEROS;
    if (spnego_read_init(token, n, &init))
        return of_init(&init);
    if (!spnego_read_resp(token, n, &resp))
        return TOKEN_BAD;
    if (resp.token.p && is_ntlm(resp.token))
        return of_ntlm(resp.token.p, resp.token.n);
    return TOKEN_CONTINUES;
}

const unsigned char *token_ntlm(const void *token, size_t n, size_t *message_n)
{
    struct der raw = { token, n };
    struct spnego_init init;
    struct spnego_resp resp;
    if (!is_ntlm(raw) && spnego_read_init(token, n, &init))
        raw = init.token;
    else if (!is_ntlm(raw) && spnego_read_resp(token, n, &resp))
        raw = resp.token;
    if (!raw.p || !is_ntlm(raw))
        return NULL;
    *message_n = raw.n;
    return raw.p;
}

/* ---- base64 -------------------------------------------------------------------------------------------------------- */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct strbuf *out, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    char *to = buf_reserve(out, n / 3 * 4 + 4); /* once: what is encoded may be a password, and growing leaves copies */
    for (; n >= 3; p += 3, n -= 3, to += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        to[0] = digits[v >> 18];
        to[1] = digits[v >> 12 & 63];
        to[2] = digits[v >> 6 & 63];
        to[3] = digits[v & 63];
    }
    if (n) {
        unsigned second = n == 2 ? p[1] : 0;
        *to++ = digits[p[0] >> 2];
        *to++ = digits[(p[0] & 3u) << 4 | second >> 4];
        *to++ = n == 2 ? digits[(second & 15) << 2] : '=';
        *to++ = '=';
    }
    *to = '\0';
    out->n = (size_t)(to - out->p);
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct strbuf *out, const char *text, size_t n)
{
    size_t before = out->n, padding = n && text[n - 1] == '=' ? (n > 1 && text[n - 2] == '=' ? 2 : 1) : 0;
    if (n % 4)
        return false;
    for (size_t i = 0; i < n; i += 4) {
        size_t have = i + 4 == n ? 4 - padding : 4;
        uint32_t bits = 0;
        for (size_t k = 0; k < have; k++) {
            int d = digit(text[i + k]);
            if (d < 0)
                goto bad;
            bits |= (uint32_t)d << (18 - 6 * k);
        }
        if ((have == 2 && bits & 0xffff) || (have == 3 && bits & 0xff))
            goto bad;
        char three[] = { (char)(bits >> 16), (char)(bits >> 8), (char)bits };
        buf_add(out, three, have - 1);
    }
    return true;
bad:
    out->n = before;
    if (out->p)
        out->p[before] = '\0';
    return false;
}
