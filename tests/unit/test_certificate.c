/* Whom a certificate names: user principal names, odd and hostile ones, and the table of the site map (B-98). */
#include "check.h"
#include "auth/certificate.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena *arena;

/* ---- DER by hand, so that it can be wrong -------------------------------------------------------- */

static const unsigned char upn_oid[] = { 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03 };
enum {
    SEQUENCE = 0x30,
    UTF8 = 0x0c,
    IA5 = 0x16,
    BMP = 0x1e,
    OTHER_NAME = 0xa0,
    EXPLICIT = 0xa0,
    EMAIL = 0x81,
    DNS = 0x82
};

static void element(struct strbuf *out, int tag, const void *body, size_t n)
{
    buf_putc(out, (char)tag);
    if (n < 128) {
        buf_putc(out, (char)n);
    } else {
        buf_putc(out, (char)0x82);
        buf_putc(out, (char)(n >> 8));
        buf_putc(out, (char)n);
    }
    buf_add(out, n ? body : "", n);
}

/* An otherName with the OID of user principal names. */
static void upn(struct strbuf *names, int kind, const void *text, size_t n)
{
    struct strbuf string = { 0 }, inside = { 0 };
    element(&string, kind, text, n);
    buf_add(&inside, (const char *)upn_oid, sizeof upn_oid);
    element(&inside, EXPLICIT, string.p, string.n);
    element(names, OTHER_NAME, inside.p, inside.n);
    buf_free(&string);
    buf_free(&inside);
}

static EVP_PKEY *key;

/* With these bytes as its alternative names; NULL: none. times: how often the extension is there. */
static X509 *made(const struct strbuf *san, int times)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"whoever", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    for (int i = 0; san && i < times; i++) {
        ASN1_OCTET_STRING *bytes = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(bytes, (const unsigned char *)(san->p ? san->p : ""), (int)san->n);
        X509_EXTENSION *e = X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, bytes);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
        ASN1_OCTET_STRING_free(bytes);
    }
    X509_sign(x, key, EVP_sha256());
    return x;
}

static enum naming named(const struct sign_in *s, const struct strbuf *names, int times, struct user_name *out)
{
    struct strbuf san = { 0 };
    if (names)
        element(&san, SEQUENCE, names->p, names->n);
    X509 *x = made(names ? &san : NULL, times);
    enum naming n = certificate_names(s, x, arena, out);
    X509_free(x);
    buf_free(&san);
    return n;
}

/* ---- cases --------------------------------------------------------------------------------------------- */

static const struct sign_in nothing;

static enum naming of_upn(int kind, const char *text, size_t n, struct user_name *out)
{
    struct strbuf names = { 0 };
    element(&names, DNS, "host.example", 12);
    upn(&names, kind, text, n);
    element(&names, EMAIL, "other@mail.example", 18);
    enum naming got = named(&nothing, &names, 1, out);
    buf_free(&names);
    return got;
}

static void principal_names(void)
{
    struct user_name u;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    memcpy(longest + 250, "@lab.test", 10);
    static const struct {
        const char *text, *account, *realm;
    } good[] = { { "alice@lab.test", "alice", "lab.test" },
                 { "zo\xc3\xab@LAB.TEST", "zo\xc3\xab", "LAB.TEST" },
                 { "hana.m@mail.example", "hana.m", "mail.example" },
                 { "a b@lab.test", "a b", "lab.test" },
                 { "svc/x@lab.test", "svc/x", "lab.test" } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        check(of_upn(UTF8, good[i].text, strlen(good[i].text), &u) == NAMES_ACCOUNT &&
                  str_equal(u.account, good[i].account) && str_equal(u.realm, good[i].realm) && !*u.domain,
              good[i].text);
    static const char *const bad[] = { "alice",
                                       "@lab.test",
                                       "alice@",
                                       "a@b@lab.test",
                                       "LAB\\alice@lab.test",
                                       "LAB\\alice",
                                       "al\nice@lab.test",
                                       "alice@lab\x7f.test",
                                       "\xff@lab.test",
                                       "al\xc0\xafice@lab.test",
                                       "" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(of_upn(UTF8, bad[i], strlen(bad[i]), &u) == NAMES_BADLY, bad[i]);
    check(of_upn(UTF8, "administrator@lab.test\0.evil.example", 36, &u) == NAMES_BADLY, "a NUL inside");
    check(of_upn(UTF8, "alice@lab.test\0", 15, &u) == NAMES_BADLY, "a NUL at the end");
    check(of_upn(UTF8, longest, 259, &u) == NAMES_BADLY, "longer than a name can be");
    check(of_upn(IA5, "alice@lab.test", 14, &u) == NAMES_BADLY, "not a UTF-8 string");
    check(of_upn(BMP, "\0a\0@\0b", 6, &u) == NAMES_BADLY, "UTF-16");
    check(of_upn(SEQUENCE, "\x0c\x01x", 3, &u) == NAMES_BADLY, "no string at all");
}

static void odd_extensions(void)
{
    struct user_name u;
    struct strbuf names = { 0 };
    check(named(&nothing, NULL, 0, &u) == NAMES_NOBODY, "no alternative names");
    element(&names, EMAIL, "alice@lab.test", 14);
    check(named(&nothing, &names, 1, &u) == NAMES_NOBODY, "an e-mail address alone names nobody");
    upn(&names, UTF8, "alice@lab.test", 14);
    check(named(&nothing, &names, 1, &u) == NAMES_ACCOUNT, "beside a user principal name it says nothing");
    check(named(&nothing, &names, 2, &u) == NAMES_BADLY, "the extension twice");
    upn(&names, UTF8, "alice@lab.test", 14);
    check(named(&nothing, &names, 1, &u) == NAMES_BADLY, "two user principal names, even if alike");
    buf_clear(&names);
    upn(&names, UTF8, "alice@lab.test", 14);
    size_t whole = names.n;
    for (size_t n = 1; n < whole; n++) { /* cut at each place: never the name */
        struct strbuf cut = { 0 };
        buf_add(&cut, names.p, n);
        check(named(&nothing, &cut, 1, &u) == NAMES_BADLY, "alternative names that are cut short");
        buf_free(&cut);
    }
    for (size_t i = 0; i < 8 * whole; i++) { /* each bit flipped: read or not, without harm */
        names.p[i / 8] = (char)(names.p[i / 8] ^ 1 << i % 8);
        enum naming n = named(&nothing, &names, 1, &u);
        check(n != NAMES_ACCOUNT || (*u.account && *u.realm && !strchr(u.account, '\\')), "a flipped bit");
        names.p[i / 8] = (char)(names.p[i / 8] ^ 1 << i % 8);
    }
    buf_free(&names);
}

static void table(void)
{
    struct sign_in s = { 0 };
    struct user_name u;
    struct strbuf names = { 0 }, san = { 0 };
    char thumb[41] = "";
    unsigned char sum[EVP_MAX_MD_SIZE];
    upn(&names, UTF8, "alice@lab.test", 14);
    element(&names, EMAIL, "Alice.A@Mail.Example", 20);
    element(&san, SEQUENCE, names.p, names.n);
    X509 *x = made(&san, 1);
    X509_digest(x, EVP_sha1(), sum, NULL);
    for (size_t i = 0; i < 20; i++)
        snprintf(thumb + 2 * i, 3, "%02x", sum[i]);
    vec_add(arena, &s.certificates,
            ((struct sign_in_certificate){ .email = "bob@mail.example", .account = "LAB\\bob" }));
    check(certificate_names(&s, x, arena, &u) == NAMES_ACCOUNT && str_equal(u.account, "alice"), "not in the table");
    vec_add(arena, &s.certificates,
            ((struct sign_in_certificate){ .email = "alice.a@mail.example", .account = "LAB\\carol" }));
    check(certificate_names(&s, x, arena, &u) == NAMES_ACCOUNT && str_equal(u.account, "carol") &&
              str_equal(u.domain, "LAB"),
          "by its address, whose case says nothing, and before its user principal name");
    s.certificates.v[0] = (struct sign_in_certificate){ .thumbprint = thumb, .account = "dan@lab.test" };
    check(certificate_names(&s, x, arena, &u) == NAMES_ACCOUNT && str_equal(u.account, "dan") &&
              str_equal(u.realm, "lab.test"),
          "by its thumbprint");
    s.certificates.v[0].account = "LAB\\";
    check(certificate_names(&s, x, arena, &u) == NAMES_BADLY, "an account that is none");
    X509_free(x);
    buf_free(&names);
    buf_free(&san);
}

int main(void)
{
    arena = arena_new();
    key = EVP_EC_gen("P-256");
    principal_names();
    odd_extensions();
    table();
    EVP_PKEY_free(key);
    arena_free(arena);
    return summary("certificate");
}
