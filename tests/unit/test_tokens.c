/* tokens: what PACs, NTLM's messages and SPNEGO's say, of a domain controller's and clients' own making, and broken in every place:
 * each prefix, each byte changed. That nothing is read beside the bytes the sanitizers see: each is tried in memory of its size. */
#include "check.h"
#include "auth/ntlm.h"
#include "auth/pac.h"
#include "auth/spnego.h"
#include "auth/token.h"

#include <stdlib.h>

/* The bytes alone, so that one beside them is one too many. The caller frees it. */
static unsigned char *alone(const void *p, size_t n)
{
    unsigned char *copy = malloc(n ? n : 1);
    if (!copy)
        mem_fatal();
    if (n)
        memcpy(copy, p, n);
    return copy;
}

static size_t from_hex(const char *hex, unsigned char *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[] = { hex[2 * i], hex[2 * i + 1], '\0' };
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return n;
}

/* Calls with every prefix, and with every byte changed in three ways: how many it took. whole: as it is. */
struct taken {
    bool whole;
    size_t prefixes, changed;
};
typedef bool reader(const unsigned char *p, size_t n);

static struct taken in_every_way(const unsigned char *bytes, size_t n, reader *read)
{
    struct taken t = { 0 };
    static const unsigned char ways[] = { 0xff, 0x01, 0x80 };
    for (size_t k = 0; k <= n; k++) {
        unsigned char *p = alone(bytes, k);
        bool took = read(p, k);
        t.whole = took;
        t.prefixes += took && k < n;
        free(p);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t w = 0; w < sizeof ways; w++) {
            unsigned char *p = alone(bytes, n);
            p[i] ^= ways[w];
            t.changed += read(p, n);
            free(p);
        }
    return t;
}

/* ---- PACs: of Samba's domain controller ---------------------------------------------------------- */

/* bob is 1104, of the domain's users (513) and of webusers (1102); zoë is 1110, of the former alone. */
#define DOMAIN "S-1-5-21-193072912-2074331583-4150485477"
static const char bob[] =
    "01100800cccccccca001000000000000000002004c3cae6e477add01ffffffffffffff7fffffffffffffff7f4af2013a477add01"
    "4af2013a477add014a725b2f489bdd0106000600040002000000000008000200000000000c000200000000001000020000000000"
    "140002000000000018000200030000005004000001020000020000001c0002002000000000000000000000000000000000000000"
    "06000800200002000600080024000200280002000000000000000000100000000000000000000000000000000000000000000000"
    "0000000000000000010000002c00020000000000000000000000000003000000000000000300000062006f006200000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000200000001020000070000004e0400000700000004000000000000000300000044004300310000000400000000000000"
    "030000004c0041004200000004000000010400000000000515000000100f820bbfc9a37be56163f7010000003000020007000000"
    "01000000010100000000001201000000";
static const char zoe[] =
    "01100800cccccccc9801000000000000000002003813a56e477add01ffffffffffffff7fffffffffffffff7f5ee7933a477add01"
    "5ee7933a477add015e67ed2f489bdd0106000600040002000000000008000200000000000c000200000000001000020000000000"
    "140002000000000018000200020000005604000001020000010000001c0002002000000000000000000000000000000000000000"
    "06000800200002000600080024000200280002000000000000000000100000000000000000000000000000000000000000000000"
    "0000000000000000010000002c0002000000000000000000000000000300000000000000030000007a006f00eb00000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000001000000010200000700000004000000000000000300000044004300310000000400000000000000030000004c004100"
    "4200000004000000010400000000000515000000100f820bbfc9a37be56163f70100000030000200070000000100000001010000"
    "0000001201000000";

static bool has_sid(const struct pac *p, const char *sid)
{
    for (size_t i = 0; i < p->sids.n; i++)
        if (strcmp(p->sids.v[i], sid) == 0)
            return true;
    return false;
}

static bool reads_pac(const unsigned char *p, size_t n)
{
    struct arena *a = arena_new();
    struct pac pac;
    bool ok = pac_read(a, p, n, &pac);
    arena_free(a);
    return ok;
}

static void test_pac(void)
{
    unsigned char bytes[1024];
    struct arena *a = arena_new();
    struct pac p;
    size_t n = from_hex(bob, bytes);
    check(pac_read(a, bytes, n, &p) && strcmp(p.account, "bob") == 0 && strcmp(p.domain, "LAB") == 0, "bob of LAB");
    check(has_sid(&p, DOMAIN "-1104") && has_sid(&p, DOMAIN "-513") && has_sid(&p, DOMAIN "-1102") &&
              has_sid(&p, "S-1-18-1") && p.sids.n == 5,
          "his SIDs: his own, the first group twice, webusers, and that a domain controller proved it");
    struct taken t = in_every_way(bytes, n, reads_pac);
    check(t.whole && t.prefixes <= 3, "no part of it is one; the padding behind may be short");
    check(t.changed < 3 * n, "and many changes are seen");
    n = from_hex(zoe, bytes);
    check(pac_read(a, bytes, n, &p) && strcmp(p.account, "zo\xc3\xab") == 0 && !has_sid(&p, DOMAIN "-1102"),
          "zo\xc3\xab");
    memset(bytes + 8, 0xff, n - 8);
    check(!reads_pac(bytes, n), "lengths of four thousand millions");
    check(!reads_pac(bytes, 0) && !reads_pac(bytes, 16), "nothing");
    size_t used;
    static const unsigned char sid[] = { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0 };
    check(str_equal(sid_text(a, sid, sizeof sid, &used), "S-1-5-32-544") && used == sizeof sid, "a SID");
    for (size_t k = 0; k < sizeof sid; k++)
        check(!sid_text(a, sid, k, NULL), "and none of it");
    arena_free(a);
}

/* ---- NTLM: a client's first message, and a third with names behind its head ------------------------ */

static const unsigned char first[] = { 'N',  'T',  'L', 'M', 'S', 'S', 'P', 0, 1, 0, 0, 0, 0x07, 0x82,
                                       0x08, 0xa2, 0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0,    0,
                                       0,    0,    0,   0,   6,   2,   0,   0, 0, 0, 0, 15 };

/* A third message: two answers of 24 and nt bytes, LAB, bob and a workstation; head bytes long in front. */
static size_t third(unsigned char *m, size_t head, size_t nt)
{
    static const char names[] = "L\0A\0B\0b\0o\0b\0W\0";
    const struct {
        size_t place, length;
    } parts[] = { { 28, 6 }, { 36, 6 }, { 44, 2 }, { 12, 24 }, { 20, nt }, { 52, 0 } };
    memset(m, 0, 512);
    memcpy(m, "NTLMSSP\0\3", 9);
    m[60] = 0x05;
    m[63] = 0xa2;
    size_t at = head;
    memcpy(m + head, names, 14);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        m[parts[i].place] = m[parts[i].place + 2] = (unsigned char)parts[i].length;
        m[parts[i].place + 4] = (unsigned char)at;
        at += parts[i].length;
    }
    return at;
}

static bool is_first(const unsigned char *p, size_t n)
{
    return ntlm_type(p, n) == NTLM_BEGIN;
}

static bool is_third(const unsigned char *p, size_t n)
{
    return ntlm_type(p, n) == NTLM_END;
}

static void test_ntlm(void)
{
    unsigned char m[512];
    struct strbuf whole = { 0 };
    check(in_every_way(first, sizeof first, is_first).whole, "a first message");
    check(token_kind(first, sizeof first) == TOKEN_NTLM_BEGIN, "begins");
    ntlm_complete(&whole, first, 16);
    check(whole.n == 40 && memcmp(whole.p, first, 16) == 0, "a short one is made long enough for the library");
    size_t n = third(m, 72, 200);
    struct taken t = in_every_way(m, n, is_third);
    check(t.whole && t.prefixes == 0, "a third message, and no part of it");
    check(token_kind(m, n) == TOKEN_NTLM_END && ntlm_is_v2(m, n), "of NTLMv2");
    ntlm_complete(&whole, m, n);
    check(whole.n == n && memcmp(whole.p, m, n) == 0, "goes on as it is");
    n = third(m, 64, 200);
    ntlm_complete(&whole, m, n);
    check(whole.n == n && (whole.p[63] & 2) == 0, "one without room for a version says no more that it has one");
    n = third(m, 72, 24);
    check(is_third(m, n) && !ntlm_is_v2(m, n), "NTLMv1 is told");
    for (size_t i = 0; i < 6; i++) { /* each field in turn points outside */
        static const size_t places[] = { 12, 20, 28, 36, 44, 52 };
        n = third(m, 72, 200);
        m[places[i]] = 1;
        memset(m + places[i] + 4, 0xff, 4);
        check(!is_third(m, n), "a field beyond the end");
        m[places[i]] = m[places[i] + 1] = 0xff;
        m[places[i] + 4] = 72;
        memset(m + places[i] + 5, 0, 3);
        check(!is_third(m, n), "a field that ends beyond it");
    }
    buf_free(&whole);
}

/* ---- SPNEGO ------------------------------------------------------------------------------------------ */

static bool reads_init(const unsigned char *p, size_t n)
{
    struct spnego_init i;
    return spnego_read_init(p, n, &i);
}

static bool reads_resp(const unsigned char *p, size_t n)
{
    struct spnego_resp r;
    return spnego_read_resp(p, n, &r);
}

static bool any_kind(const unsigned char *p, size_t n)
{
    size_t message;
    token_ntlm(p, n, &message);
    return token_kind(p, n) != TOKEN_BAD;
}

static void test_spnego(void)
{
    struct strbuf b = { 0 }, inner = { 0 };
    struct spnego_init i;
    struct spnego_resp r;
    struct der none = { 0 };
    size_t n;
    spnego_write_init(&b, oid_ntlm, sizeof oid_ntlm, first, sizeof first);
    const unsigned char *p = (const unsigned char *)b.p;
    check(spnego_read_init(p, b.n, &i) && i.token.n == sizeof first && !i.mic.p,
          "an initial token that was written is read");
    check(token_kind(p, b.n) == TOKEN_NTLM_BEGIN && token_ntlm(p, b.n, &n) && n == sizeof first,
          "with NTLM's message in it");
    struct taken t = in_every_way(p, b.n, reads_init);
    check(t.whole && t.prefixes == 0, "and no part of it is one");
    in_every_way(p, b.n, any_kind);
    buf_clear(&b);

    static const unsigned char ticket[] = { 1, 0, 0x6e, 3, 2, 1, 5 };
    der_put(&inner, DER_OID, oid_krb5, sizeof oid_krb5);
    buf_add(&inner, (const char *)ticket, sizeof ticket);
    struct strbuf frame = { 0 };
    der_put(&frame, DER_APPLICATION, inner.p, inner.n);
    check(gss_frame_is_krb5(frame.p, frame.n) && token_kind(frame.p, frame.n) == TOKEN_KERBEROS,
          "a raw Kerberos token");
    spnego_write_init(&b, oid_krb5, sizeof oid_krb5, frame.p, frame.n);
    check(token_kind(b.p, b.n) == TOKEN_KERBEROS, "and one in SPNEGO");
    check(in_every_way((unsigned char *)b.p, b.n, any_kind).prefixes == 0, "no part of it is a token");
    buf_clear(&b);

    struct der token = { first, sizeof first };
    spnego_write_resp(&b, SPNEGO_INCOMPLETE, none, token, none);
    check(spnego_read_resp(b.p, b.n, &r) && r.state == SPNEGO_INCOMPLETE && r.token.n == sizeof first && !r.mech.p,
          "an answer");
    check(in_every_way((unsigned char *)b.p, b.n, reads_resp).prefixes == 0, "no part of it is one");
    buf_clear(&b);
    static const struct {
        const char *hex, *what;
    } bad[] = { { "6080", "a length that never ends" },
                { "60850000000001", "a length of five bytes" },
                { "608480000000", "a length beyond everything" },
                { "7f01", "a tag of several bytes" },
                { "a1023080", "an answer cut inside" },
                { "a107300530030a0104", "a state that there is not" },
                { "6006060628", "an object identifier that is cut" },
                { "", "nothing" } };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        unsigned char bytes[64];
        unsigned char *copy = alone(bytes, n = from_hex(bad[k].hex, bytes));
        memcpy(copy, bytes, n);
        check(token_kind(copy, n) == TOKEN_BAD && !reads_init(copy, n) && !reads_resp(copy, n), bad[k].what);
        free(copy);
    }
    buf_free(&frame);
    buf_free(&inner);
    buf_free(&b);
}

/* ---- base64 ------------------------------------------------------------------------------------------- */

static void test_base64(void)
{
    struct strbuf text = { 0 }, back = { 0 };
    unsigned char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t n = 0; n < sizeof bytes; n++) {
        buf_clear(&text);
        buf_clear(&back);
        base64_encode(&text, bytes, n);
        bool ok = base64_decode(&back, text.p ? text.p : "", text.n);
        check(ok && back.n == n && (!n || memcmp(back.p, bytes, n) == 0), "there and back");
    }
    static const char *const odd[] = { "A",     "AA",   "AAA",  "AA=A", "A===", "AAAA=",
                                       "AA\n=", "AB==", "AAB=", "====", "AA A" };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        buf_clear(&back);
        check(!base64_decode(&back, odd[i], strlen(odd[i])) && back.n == 0, odd[i]);
    }
    buf_free(&text);
    buf_free(&back);
}

int main(void)
{
    test_pac();
    test_ntlm();
    test_spnego();
    test_base64();
    return summary("tokens");
}
