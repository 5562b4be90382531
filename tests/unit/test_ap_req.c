/* ap_req: tokens made of a kept ticket, and what those who have the service's key make of them: GSS-API's acceptor and krb5_rd_req.
 * The test is the KDC: it makes the tickets, for each kind of session key. */
#include "check.h"
#include "auth/internal.h"
#include "auth/spnego.h"
#include "auth/token.h"

#include <errno.h>
#include <krb5.h>
#include <stdlib.h>
#include <unistd.h>

#define REALM "TEST.EXAMPLE"
#define CONFIG                                                                                                         \
    "[libdefaults]\ndefault_realm = " REALM "\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\n"            \
    "permitted_enctypes = aes256-sha1 aes128-sha1 aes256-sha2 aes128-sha2 camellia256-cts camellia128-cts rc4\n"

static krb5_context k5;
static krb5_keytab keytab;
static krb5_keyblock service_key;

static void must(krb5_error_code code, const char *what)
{
    if (code) {
        fprintf(stderr, "%s: %s\n", what, krb5_get_error_message(k5, code));
        exit(1);
    }
}

/* ---- the KDC -------------------------------------------------------------------------------------------------------- */
/* What came into *b since from becomes an element. */
static void element(struct strbuf *b, size_t from, unsigned tag)
{
    struct strbuf inside = { 0 };
    buf_add(&inside, b->p + from, b->n - from);
    b->n = from;
    der_put(b, tag, inside.p ? inside.p : "", inside.n);
    buf_free(&inside);
}

static void put_number(struct strbuf *b, unsigned field, unsigned char v)
{
    size_t from = b->n;
    der_put(b, DER_INTEGER, &v, 1);
    element(b, from, DER_CONTEXT | field);
}

static void put_octets(struct strbuf *b, unsigned field, const void *p, size_t n)
{
    size_t from = b->n;
    der_put(b, DER_OCTETS, p, n);
    element(b, from, DER_CONTEXT | field);
}

static void put_text(struct strbuf *b, unsigned field, unsigned tag, const char *text)
{
    size_t from = b->n;
    der_put(b, tag, text, strlen(text));
    element(b, from, DER_CONTEXT | field);
}

static void put_name(struct strbuf *b, unsigned field, const char *one, const char *two)
{
    size_t from = b->n, list;
    put_number(b, 0, 1);
    list = b->n;
    der_put(b, DER_GENERAL_STRING, one, strlen(one));
    if (two)
        der_put(b, DER_GENERAL_STRING, two, strlen(two));
    element(b, list, DER_SEQUENCE);
    element(b, list, DER_CONTEXT | 1);
    element(b, from, DER_SEQUENCE);
    element(b, from, DER_CONTEXT | field);
}

static void put_time(struct strbuf *b, unsigned field, time_t at)
{
    char text[32];
    struct tm utc;
    strftime(text, sizeof text, "%Y%m%d%H%M%SZ", gmtime_r(&at, &utc));
    put_text(b, field, DER_GENERALIZED_TIME, text);
}

/* EncTicketPart (RFC 4120 section 5.3), encrypted for the service. */
static void put_sealed(struct strbuf *b, const char *client, const krb5_keyblock *session, time_t now)
{
    struct strbuf part = { 0 };
    size_t from, length;
    der_put(&part, DER_BITS, "\0\100\0\0\0", 5);
    element(&part, 0, DER_CONTEXT | 0);
    from = part.n;
    put_number(&part, 0, (unsigned char)session->enctype);
    put_octets(&part, 1, session->contents, session->length);
    element(&part, from, DER_SEQUENCE);
    element(&part, from, DER_CONTEXT | 1);
    put_text(&part, 2, DER_GENERAL_STRING, REALM);
    put_name(&part, 3, client, NULL);
    from = part.n;
    put_number(&part, 0, 1);
    put_octets(&part, 1, "", 0);
    element(&part, from, DER_SEQUENCE);
    element(&part, from, DER_CONTEXT | 4);
    put_time(&part, 5, now - 60);
    put_time(&part, 7, now + 3600);
    element(&part, 0, DER_SEQUENCE);
    element(&part, 0, DER_APPLICATION | 3);

    must(krb5_c_encrypt_length(k5, service_key.enctype, part.n, &length), "a ticket's length");
    krb5_data plain = { .length = (unsigned)part.n, .data = part.p };
    krb5_enc_data out = { .ciphertext = { .length = (unsigned)length, .data = malloc(length) } };
    must(krb5_c_encrypt(k5, &service_key, KRB5_KEYUSAGE_KDC_REP_TICKET, NULL, &plain, &out), "a ticket's encryption");
    put_octets(b, 2, out.ciphertext.data, length);
    free(out.ciphertext.data);
    buf_free(&part);
}

static void put_ticket(struct strbuf *b, const char *client, const krb5_keyblock *session, time_t now)
{
    size_t from;
    put_number(b, 0, 5);
    put_text(b, 1, DER_GENERAL_STRING, REALM);
    put_name(b, 2, "HTTP", "web.test.example");
    from = b->n;
    put_number(b, 0, (unsigned char)service_key.enctype);
    put_number(b, 1, 1);
    put_sealed(b, client, session, now);
    element(b, from, DER_SEQUENCE);
    element(b, from, DER_CONTEXT | 3);
    element(b, 0, DER_SEQUENCE);
    element(b, 0, DER_APPLICATION | 1);
}

static krb5_principal service_principal(void)
{
    krb5_principal p;
    must(krb5_parse_name(k5, "HTTP/web.test.example@" REALM, &p), "the service's name");
    return p;
}

static gss_name_t service_gss(const char *name)
{
    OM_uint32 minor;
    gss_buffer_desc text = { strlen(name), (void *)(uintptr_t)name };
    gss_name_t made = GSS_C_NO_NAME;
    gss_import_name(&minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &made);
    return made;
}

/* A client's cache with such a ticket, as a credential. */
static gss_cred_id_t credential(const char *client, krb5_enctype kind, krb5_ccache *cache)
{
    OM_uint32 minor;
    struct strbuf ticket = { 0 };
    time_t now = time(NULL);
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    krb5_creds c = { .server = service_principal() };
    must(krb5_build_principal(k5, &c.client, sizeof REALM - 1, REALM, client, (char *)NULL), "the client's name");
    must(krb5_c_make_random_key(k5, kind, &c.keyblock), "a session key");
    put_ticket(&ticket, client, &c.keyblock, now);
    c.ticket = (krb5_data){ .length = (unsigned)ticket.n, .data = ticket.p };
    c.times = (krb5_ticket_times){ .authtime = (krb5_timestamp)now - 60,
                                   .starttime = (krb5_timestamp)now - 60,
                                   .endtime = (krb5_timestamp)now + 3600 };
    must(krb5_cc_new_unique(k5, "MEMORY", NULL, cache), "a cache");
    must(krb5_cc_initialize(k5, *cache, c.client), "a cache's owner");
    must(krb5_cc_store_cred(k5, *cache, &c), "a cache's ticket");
    gss_krb5_import_cred(&minor, *cache, NULL, NULL, &cred);
    c.ticket.data = NULL;
    krb5_free_cred_contents(k5, &c);
    buf_free(&ticket);
    return cred;
}

static struct service_ticket *made(const char *client, krb5_enctype kind, bool spnego, const char *service)
{
    OM_uint32 minor;
    krb5_ccache cache;
    gss_cred_id_t cred = credential(client, kind, &cache);
    gss_name_t target = service_gss(service);
    struct service_ticket *t = service_ticket_new(cred, target, spnego);
    gss_release_name(&minor, &target);
    gss_release_cred(&minor, &cred);
    krb5_cc_destroy(k5, cache);
    return t;
}

static struct service_ticket *usual(krb5_enctype kind, bool spnego)
{
    return made("alice", kind, spnego, "HTTP/web.test.example@" REALM);
}

/* ---- the service ------------------------------------------------------------------------------------------------------ */
/* The next token as its bytes; what SPNEGO put around it is taken off. */
static bool next(struct service_ticket *t, bool spnego, struct strbuf *token)
{
    struct strbuf value = { 0 }, bytes = { 0 };
    struct spnego_init init;
    bool ok = service_ticket_value(t, &value) && strncmp(value.p, "Negotiate ", 10) == 0 &&
              base64_decode(&bytes, value.p + 10, value.n - 10);
    if (ok && spnego) {
        ok = spnego_read_init(bytes.p, bytes.n, &init);
        if (ok)
            buf_add(token, (const char *)init.token.p, init.token.n);
        /* The same bytes as where the token is wrapped as a whole. */
        struct strbuf again = { 0 };
        if (ok)
            spnego_write_init(&again, oid_krb5, sizeof oid_krb5, token->p, token->n);
        ok = ok && again.n == bytes.n && memcmp(again.p, bytes.p, bytes.n) == 0;
        buf_free(&again);
    } else if (ok) {
        buf_add(token, bytes.p, bytes.n);
    }
    buf_free(&value);
    buf_free(&bytes);
    return ok && gss_frame_is_krb5(token->p, token->n);
}

/* 0: taken, from whom is in who; else libkrb5's reason. */
static krb5_error_code accept_token(const struct strbuf *token, struct strbuf *who)
{
    OM_uint32 minor, why, ignored;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_name_t name = GSS_C_NO_NAME;
    gss_buffer_desc in = { token->n, token->p }, out = { 0, NULL }, text = { 0, NULL };
    krb5_principal service = service_principal(); /* without a name nothing is kept of what was seen */
    gss_krb5_import_cred(&minor, NULL, service, keytab, &cred);
    krb5_free_principal(k5, service);
    OM_uint32 major = gss_accept_sec_context(&why, &context, cred, &in, GSS_C_NO_CHANNEL_BINDINGS, &name, NULL, &out,
                                             NULL, NULL, NULL);
    if (!GSS_ERROR(major) && !GSS_ERROR(gss_display_name(&minor, name, &text, NULL)))
        buf_add(who, text.value, text.length);
    gss_release_buffer(&ignored, &text);
    gss_release_buffer(&ignored, &out);
    gss_release_name(&ignored, &name);
    gss_release_cred(&ignored, &cred);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    return GSS_ERROR(major) ? (krb5_error_code)why : 0;
}

/* What is in the authenticator. */
struct inside {
    long long time; /* microseconds */
    krb5_ui_4 sequence;
    krb5_enctype subkey;
    bool checksum;
};

static bool look_inside(const struct strbuf *token, struct inside *out)
{
    struct der in = { (const unsigned char *)token->p, token->n }, frame, oid;
    krb5_auth_context a = NULL;
    krb5_authenticator *seen = NULL;
    krb5_principal service = service_principal();
    if (!der_take(&in, DER_APPLICATION, &frame) || !der_take(&frame, DER_OID, &oid) || frame.n < 2)
        return false;
    krb5_data request = { .length = (unsigned)frame.n - 2, .data = (char *)(uintptr_t)frame.p + 2 };
    must(krb5_auth_con_init(k5, &a), "the service's context");
    krb5_auth_con_setflags(k5, a, 0); /* what a service has seen is tried with GSS-API */
    bool ok = krb5_rd_req(k5, &a, &request, service, keytab, NULL, NULL) == 0 &&
              krb5_auth_con_getauthenticator(k5, a, &seen) == 0;
    if (ok) {
        *out = (struct inside){ .time = seen->ctime * 1000000ll + seen->cusec,
                                .sequence = seen->seq_number,
                                .subkey = seen->subkey ? seen->subkey->enctype : ENCTYPE_NULL };
        static const unsigned char bytes[24] = {
            16, [20] = GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG, [21] = GSS_C_TRANS_FLAG >> 8
        };
        out->checksum = seen->checksum && seen->checksum->checksum_type == 0x8003 &&
                        seen->checksum->length == sizeof bytes &&
                        memcmp(seen->checksum->contents, bytes, sizeof bytes) == 0;
        krb5_free_authenticator(k5, seen);
    }
    krb5_auth_con_free(k5, a);
    krb5_free_principal(k5, service);
    return ok;
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */
static void of_a_kind(krb5_enctype kind, const char *name, bool spnego)
{
    enum { TOKENS = 20 };
    struct service_ticket *t = usual(kind, spnego);
    check(t, "tokens can be made of the ticket", name);
    for (int i = 0; t && i < TOKENS; i++) {
        struct strbuf token = { 0 }, who = { 0 }, again = { 0 };
        struct inside a = { 0 };
        check(next(t, spnego, &token), "the token's frames", name);
        check(!accept_token(&token, &who) && who.p && strcmp(who.p, "alice@" REALM) == 0, "GSS-API takes it", name);
        check(accept_token(&token, &again) == KRB5KRB_AP_ERR_REPEAT, "and not twice", name);
        check(look_inside(&token, &a), "krb5_rd_req takes it", name);
        check(a.checksum && a.subkey == kind && a.sequence, "checksum, subkey and sequence number", name);
        long long late = (long long)time(NULL) * 1000000 - a.time;
        check(late < 60000000 && late > -2000000, "the time", name);
        token.p[token.n - 1] ^= 1;
        check(accept_token(&token, &again) == KRB5KRB_AP_ERR_BAD_INTEGRITY, "not when it was changed", name);
        buf_free(&token);
        buf_free(&who);
        buf_free(&again);
    }
    service_ticket_free(t);
}

/* The next token will be of that part of a second; contexts are lent last come, first served. */
static void set_clock(int ahead, krb5_int32 microsecond)
{
    krb5_context k = context_take();
    must(k ? krb5_set_real_time(k, (krb5_timestamp)time(NULL) + ahead, microsecond) : ENOMEM, "a clock");
    context_give(k);
}

/* Early in a second the time is shorter, and all lengths around it: krb5_us_timeofday counts on from where a second was met. */
static void early(void)
{
    enum { ONE_BYTE = 1, TWO = 2, THREE = 4, TRIES = 200 };
    struct service_ticket *t = usual(ENCTYPE_AES256_CTS_HMAC_SHA1_96, true);
    unsigned seen = 0;
    for (int i = 0; i < TRIES && seen != (ONE_BYTE | TWO | THREE); i++) {
        struct strbuf token = { 0 }, who = { 0 };
        struct inside a = { 0 };
        /* Each in a second of its own, later than all before. */
        set_clock(i + 1, i % 3 == 0 ? 0 : i % 3 == 1 ? 5000 : 500000);
        bool ok = next(t, true, &token) && look_inside(&token, &a) && !accept_token(&token, &who);
        long long part = a.time % 1000000;
        unsigned length = part < 128 ? ONE_BYTE : part < 32768 ? TWO : THREE;
        if (!(seen & length))
            check(ok, "a token is taken at any part of a second", "time");
        seen |= length;
        buf_free(&token);
        buf_free(&who);
    }
    check(seen == (ONE_BYTE | TWO | THREE), "every length was tried", "time");
    krb5_free_context(context_take()); /* nobody else gets the one whose clock was set */
    service_ticket_free(t);
}

struct worker {
    pthread_t thread;
    struct service_ticket *ticket;
    struct strbuf *tokens;
    bool ok;
};
enum { THREADS = 4, EACH = 1000 };

static void *work(void *arg)
{
    struct worker *w = arg;
    w->ok = true;
    for (size_t i = 0; i < EACH; i++)
        w->ok = next(w->ticket, true, &w->tokens[i]) && w->ok;
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    const struct inside *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

/* Several threads, one ticket: each token is good, and no two have the same time. */
static void at_once(krb5_enctype kind, const char *name)
{
    struct service_ticket *t = usual(kind, true);
    struct worker workers[THREADS];
    static struct inside all[THREADS * EACH];
    static struct strbuf tokens[THREADS * EACH];
    bool ok = t;
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .ticket = t, .tokens = tokens + i * EACH };
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ok = ok && workers[i].ok;
    }
    for (size_t i = 0; i < THREADS * EACH; i++) {
        ok = look_inside(&tokens[i], &all[i]) && ok;
        buf_free(&tokens[i]);
        tokens[i] = (struct strbuf){ 0 };
    }
    check(ok, "threads: every token is good", name);
    qsort(all, THREADS * EACH, sizeof *all, by_time);
    size_t same = 0;
    for (size_t i = 1; i < THREADS * EACH; i++)
        same += all[i].time == all[i - 1].time;
    check(!same, "threads: no two have the same time", name);
    service_ticket_free(t);
}

/* A clock that says the same time again, as libkrb5's does where threads meet: what was said is not said twice. */
static void again(void)
{
    enum { ROUNDS = 4, IN_ONE = 100 };
    static struct inside all[ROUNDS * IN_ONE];
    struct service_ticket *t = usual(ENCTYPE_AES256_CTS_HMAC_SHA1_96, true);
    bool ok = t;
    time_t second = time(NULL) + 1;
    for (size_t i = 0; ok && i < ROUNDS * IN_ONE; i++) {
        struct strbuf token = { 0 };
        if (i % IN_ONE == 0)
            set_clock((int)(second - time(NULL)), 1000);
        ok = next(t, true, &token) && look_inside(&token, &all[i]);
        buf_free(&token);
    }
    krb5_free_context(context_take());
    check(ok, "a clock that repeats: every token is good");
    qsort(all, ROUNDS * IN_ONE, sizeof *all, by_time);
    size_t same = 0;
    for (size_t i = 1; i < ROUNDS * IN_ONE; i++)
        same += all[i].time == all[i - 1].time;
    check(!same, "a clock that repeats: no two have the same time");
    service_ticket_free(t);
}

static void other_tickets(void)
{
    char longest[1200];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *service = "HTTP/web.test.example@" REALM;
    struct service_ticket *t = made("alice", ENCTYPE_AES256_CTS_HMAC_SHA1_96, true, "HTTP/other.test.example@" REALM);
    check(!t, "no ticket for another service", "tickets");
    service_ticket_free(t);
    t = made(longest, ENCTYPE_AES256_CTS_HMAC_SHA1_96, true, service);
    check(!t, "a name that is too long is left to GSS-API", "tickets");
    service_ticket_free(t);
    struct strbuf token = { 0 }, who = { 0 };
    t = made("zo\xc3\xab", ENCTYPE_AES128_CTS_HMAC_SHA1_96, true, service);
    check(t && next(t, true, &token) && !accept_token(&token, &who) && strcmp(who.p, "zo\xc3\xab@" REALM) == 0,
          "a name beyond ASCII", "tickets");
    service_ticket_free(t);
    buf_free(&token);
    buf_free(&who);
}

/* ---- around ------------------------------------------------------------------------------------------------------------- */
static void write_config(const char *folder)
{
    char path[64];
    snprintf(path, sizeof path, "%s/krb5.conf", folder);
    FILE *f = fopen(path, "w");
    if (!f || fputs(CONFIG, f) < 0 || fclose(f)) {
        perror(path);
        exit(1);
    }
    setenv("KRB5_CONFIG", path, 1);
    snprintf(path, sizeof path, "file2:%s/seen", folder);
    setenv("KRB5RCACHENAME", path, 1);
}

static void remove_all(const char *folder)
{
    char path[64];
    snprintf(path, sizeof path, "%s/krb5.conf", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/seen", folder);
    unlink(path);
    rmdir(folder);
}

static void make_keytab(void)
{
    krb5_keytab_entry e = { .principal = service_principal(), .vno = 1 };
    must(krb5_c_make_random_key(k5, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &service_key), "the service's key");
    must(krb5_kt_resolve(k5, "MEMORY:service", &keytab), "a keytab");
    e.key = service_key;
    must(krb5_kt_add_entry(k5, keytab, &e), "a keytab's entry");
    krb5_free_principal(k5, e.principal);
}

int main(void)
{
    static const struct {
        krb5_enctype kind;
        const char *name;
    } kinds[] = {
        { ENCTYPE_AES256_CTS_HMAC_SHA1_96, "AES-256" },
        { ENCTYPE_AES128_CTS_HMAC_SHA1_96, "AES-128" },
        { ENCTYPE_AES256_CTS_HMAC_SHA384_192, "AES-256, SHA-2" },
        { ENCTYPE_AES128_CTS_HMAC_SHA256_128, "AES-128, SHA-2" },
        { ENCTYPE_CAMELLIA256_CTS_CMAC, "Camellia" },
        { ENCTYPE_ARCFOUR_HMAC, "RC4" },
    };
    char folder[] = "/tmp/publishd-ap-req-XXXXXX";
    if (!mkdtemp(folder)) {
        perror("mkdtemp");
        return 1;
    }
    write_config(folder);
    must(krb5_init_context(&k5), "a context");
    make_keytab();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        of_a_kind(kinds[i].kind, kinds[i].name, false);
        of_a_kind(kinds[i].kind, kinds[i].name, true);
    }
    early();
    at_once(ENCTYPE_AES256_CTS_HMAC_SHA1_96, "AES-256");
    at_once(ENCTYPE_ARCFOUR_HMAC, "RC4");
    again();
    other_tickets();
    krb5_kt_close(k5, keytab);
    krb5_free_keyblock_contents(k5, &service_key);
    krb5_free_context(k5);
    remove_all(folder);
    return summary("ap_req");
}
