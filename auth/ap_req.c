/* ap_req: what gss_init_sec_context does for a service whose ticket is at hand, at a twentieth of its price. Tokens of one ticket
 * differ in the authenticator alone, which stands at their end: so all before it is kept as text, and a token costs the authenticator's
 * encryption and the base64 of that. */
#include "internal.h"
#include "der.h"
#include "sealing.h"
#include "spnego.h"
#include "token.h"

#include <krb5.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What stands in front of the ciphertext: text, and the 0 to 2 bytes that make no whole base64 group without it. */
struct opening {
    size_t sealed_n; /* the ciphertext's length, which all lengths around it depend on */
    struct strbuf text;
    unsigned char rest[2];
    size_t rest_n;
};

/* A time's microseconds take one to three bytes, and all lengths depend on that. None is rare: krb5_us_timeofday counts on by one
 * while a second lasts, from where it was asked first in it. */
enum { WIDTHS = 3 };

struct service_ticket {
    krb5_creds *creds;
    bool spnego;
    struct strbuf names;  /* the elements that every authenticator begins with */
    size_t subkey_n;      /* random bytes that make one, */
    size_t subkey_length; /* and its length */
    pthread_mutex_t lock; /* of what follows; the rest never changes */
    struct sealer *sealer;
    struct opening openings[WIDTHS]; /* each made when it is needed first, and the same from then on */
    time_t second;
    char time[sizeof "20000101000000Z"]; /* of that second */
};

/* Bytes: of an authenticator at most; of what in it is not names; that encrypting adds. */
enum { LONGEST = 1024, ADDED = 160, SEALING = 64 };

/* ---- the ticket ------------------------------------------------------------------------------------------------ */
static krb5_principal principal_of(krb5_context k, gss_name_t name)
{
    OM_uint32 minor;
    gss_buffer_desc text;
    krb5_principal p = NULL;
    if (name == GSS_C_NO_NAME || GSS_ERROR(gss_display_name(&minor, name, &text, NULL)))
        return NULL;
    char *copy = strndup(text.value, text.length);
    if (!copy)
        mem_fatal();
    if (krb5_parse_name(k, copy, &p))
        p = NULL;
    free(copy);
    gss_release_buffer(&minor, &text);
    return p;
}

/* The credential's tickets can be had as a copy alone. Both names must be those that were asked for: a ticket for ourselves,
 * which is evidence, or one in our own name is in there too. */
static krb5_creds *find(krb5_context k, gss_cred_id_t cred, krb5_principal client, krb5_principal server)
{
    OM_uint32 minor;
    krb5_ccache cache = NULL;
    krb5_creds wanted = { .client = client, .server = server }, found, *copy = NULL;
    if (!client || !server || krb5_cc_new_unique(k, "MEMORY", NULL, &cache))
        return NULL;
    if (krb5_timeofday(k, &wanted.times.endtime) == 0 && !GSS_ERROR(gss_krb5_copy_ccache(&minor, cred, cache)) &&
        krb5_cc_retrieve_cred(k, cache, KRB5_TC_MATCH_TIMES, &wanted, &found) == 0) {
        if (krb5_copy_creds(k, &found, &copy))
            copy = NULL;
        krb5_free_cred_contents(k, &found);
    }
    krb5_cc_destroy(k, cache);
    return copy;
}

/* ---- DER (RFC 4120 appendix A) -------------------------------------------------------------------------------------- */
static void number(struct der_behind *b, unsigned field, uint32_t v)
{
    size_t since = b->n;
    der_integer(b, v);
    der_around(b, DER_CONTEXT | field, since);
}

static void text(struct der_behind *b, krb5_data s)
{
    size_t since = b->n;
    der_before(b, s.data, s.length);
    der_around(b, DER_GENERAL_STRING, since);
}

/* RFC 4121 section 4.1.1: in the checksum's place stand the length of the channel bindings' hash, the hash (there are no
 * bindings), and flags: what the context may be used for. */
static void checksum(struct der_behind *b)
{
    enum { CHECKSUM_OF_GSS = 0x8003, HASH = 16, FLAGS = GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG | GSS_C_TRANS_FLAG };
    const unsigned char bytes[4 + HASH + 4] = { HASH, [4 + HASH] = FLAGS & 0xff, FLAGS >> 8 };
    size_t since = b->n;
    der_before(b, bytes, sizeof bytes);
    der_around(b, DER_OCTETS, since);
    der_around(b, DER_CONTEXT | 1, since);
    number(b, 0, CHECKSUM_OF_GSS);
    der_around(b, DER_SEQUENCE, since);
    der_around(b, DER_CONTEXT | 3, since);
}

static bool write_names(struct service_ticket *t)
{
    krb5_const_principal client = t->creds->client;
    unsigned char bytes[LONGEST - ADDED];
    struct der_behind b = { bytes, bytes + sizeof bytes, 0, false };
    checksum(&b);
    size_t since = b.n;
    for (krb5_int32 i = client->length; i-- > 0;)
        text(&b, client->data[i]);
    der_around(&b, DER_SEQUENCE, since);
    der_around(&b, DER_CONTEXT | 1, since);
    number(&b, 0, (uint32_t)client->type);
    der_around(&b, DER_SEQUENCE, since);
    der_around(&b, DER_CONTEXT | 2, since);
    since = b.n;
    text(&b, client->realm);
    der_around(&b, DER_CONTEXT | 1, since);
    number(&b, 0, 5); /* the version of Kerberos */
    buf_add(&t->names, (const char *)b.p, b.n);
    return !b.full && client->type >= 0;
}

/* ctime: the second, as UTC. Its text is kept, since a second has many requests. */
static bool put_time(struct der_behind *b, struct service_ticket *t, krb5_timestamp second)
{
    time_t at = (time_t)(uint32_t)second; /* libkrb5 counts so until 2106 */
    struct tm utc;
    size_t since = b->n, n = sizeof t->time - 1;
    bool known = t->second == at && *t->time;
    if (!known && (!gmtime_r(&at, &utc) || strftime(t->time, sizeof t->time, "%Y%m%d%H%M%SZ", &utc) != n))
        return false;
    t->second = at;
    der_before(b, t->time, n);
    der_around(b, DER_GENERALIZED_TIME, since);
    der_around(b, DER_CONTEXT | 5, since);
    return true;
}

static bool put_subkey(struct der_behind *b, krb5_context k, struct service_ticket *t)
{
    unsigned char random[64], key[64];
    krb5_data in = { .length = (unsigned)t->subkey_n, .data = (char *)random };
    krb5_keyblock out = { .enctype = t->creds->keyblock.enctype,
                          .length = (unsigned)t->subkey_length,
                          .contents = key };
    bool ok = sealer_random(t->sealer, k, random, t->subkey_n) && krb5_c_random_to_key(k, out.enctype, &in, &out) == 0;
    size_t since = b->n;
    if (ok) {
        der_before(b, key, out.length);
        der_around(b, DER_OCTETS, since);
        der_around(b, DER_CONTEXT | 1, since);
        number(b, 0, (uint32_t)out.enctype);
        der_around(b, DER_SEQUENCE, since);
        der_around(b, DER_CONTEXT | 6, since);
    }
    OPENSSL_cleanse(random, sizeof random);
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

/* The sequence number is always four bytes long, so that lengths stay. */
static bool write_authenticator(struct der_behind *b, krb5_context k, struct service_ticket *t, krb5_timestamp second,
                                krb5_int32 microsecond)
{
    enum { FOUR_BYTES = 0x20000000 };
    uint32_t sequence;
    if (!sealer_random(t->sealer, k, &sequence, sizeof sequence))
        return false;
    number(b, 7, (sequence & (FOUR_BYTES - 1)) | FOUR_BYTES);
    if (!put_subkey(b, k, t) || !put_time(b, t, second))
        return false;
    number(b, 4, (uint32_t)microsecond);
    der_before(b, t->names.p, t->names.n);
    der_around(b, DER_SEQUENCE, 0);
    der_around(b, DER_APPLICATION | 2, 0);
    return !b->full;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */
static void mechanism(struct der_behind *b, const unsigned char *oid, size_t n)
{
    size_t since = b->n;
    der_before(b, oid, n);
    der_around(b, DER_OID, since);
}

/* From the ciphertext to the left: the AP-REQ (RFC 4120 section 5.5.1), the frame of GSS-API (RFC 2743 section 3.1, RFC 4121
 * section 4.1), and SPNEGO's NegTokenInit with its frame (RFC 4178 section 4.2.1), which spnego_write_init would write. */
static void put_frames(struct der_behind *b, const struct service_ticket *t)
{
    enum { AP_REQ = 14, NO_OPTIONS = 0 };
    static const unsigned char options[] = { DER_BITS, 5, 0, 0, 0, 0, NO_OPTIONS };
    der_around(b, DER_OCTETS, 0);
    der_around(b, DER_CONTEXT | 2, 0);
    number(b, 0, (uint32_t)t->creds->keyblock.enctype);
    der_around(b, DER_SEQUENCE, 0);
    der_around(b, DER_CONTEXT | 4, 0);
    size_t since = b->n;
    der_before(b, t->creds->ticket.data, t->creds->ticket.length);
    der_around(b, DER_CONTEXT | 3, since);
    since = b->n;
    der_before(b, options, sizeof options);
    der_around(b, DER_CONTEXT | 2, since);
    number(b, 1, AP_REQ);
    number(b, 0, 5);
    der_around(b, DER_SEQUENCE, 0);
    der_around(b, DER_APPLICATION | AP_REQ, 0);
    der_before(b, "\1\0", 2); /* an AP-REQ follows */
    mechanism(b, oid_krb5, sizeof oid_krb5);
    der_around(b, DER_APPLICATION, 0);
    if (!t->spnego)
        return;
    der_around(b, DER_OCTETS, 0);
    der_around(b, DER_CONTEXT | 2, 0);
    since = b->n;
    mechanism(b, oid_krb5, sizeof oid_krb5);
    der_around(b, DER_SEQUENCE, since);
    der_around(b, DER_CONTEXT | 0, since);
    der_around(b, DER_SEQUENCE, 0);
    der_around(b, DER_CONTEXT | 0, 0);
    mechanism(b, oid_spnego, sizeof oid_spnego);
    der_around(b, DER_APPLICATION, 0);
}

static void make_opening(const struct service_ticket *t, size_t sealed_n, struct opening *o)
{
    size_t room = t->creds->ticket.length + 256; /* the frames take half of that */
    unsigned char *bytes = malloc(room);
    if (!bytes)
        mem_fatal();
    struct der_behind b = { bytes, bytes + room, sealed_n, false };
    put_frames(&b, t);
    size_t n = b.n - sealed_n;
    o->sealed_n = sealed_n;
    o->rest_n = n % 3;
    memcpy(o->rest, b.p + n - o->rest_n, o->rest_n);
    buf_puts(&o->text, "Negotiate ");
    base64_encode(&o->text, b.p, n - o->rest_n);
    free(bytes);
}

/* With the ticket's lock held; NULL: there are more lengths than there should be. */
static const struct opening *opening_for(struct service_ticket *t, size_t sealed_n)
{
    for (struct opening *o = t->openings; o < t->openings + WIDTHS; o++) {
        if (!o->sealed_n)
            make_opening(t, sealed_n, o);
        if (o->sealed_n == sealed_n)
            return o;
    }
    return NULL;
}

/* Servers may know again what they have seen by its time alone (RFC 4120 section 3.2.3), and libkrb5's own care that none comes
 * twice does not hold among threads (1.20). A clock that was set back is followed. */
static bool next_time(krb5_context k, krb5_timestamp *second, krb5_int32 *microsecond)
{
    enum { MILLION = 1000000, SET_BACK = 2 * MILLION };
    static _Atomic long long last;
    if (krb5_us_timeofday(k, second, microsecond))
        return false;
    long long now = (long long)(uint32_t)*second * MILLION + *microsecond, before = last, at;
    do
        at = now > before || now < before - SET_BACK ? now : before + 1;
    while (!atomic_compare_exchange_weak(&last, &before, at));
    *second = (krb5_timestamp)(at / MILLION);
    *microsecond = (krb5_int32)(at % MILLION);
    return true;
}

/* With the ticket's lock held; what stands in front of out then, or NULL. */
static const struct opening *seal_authenticator(krb5_context k, struct service_ticket *t, unsigned char *out)
{
    krb5_timestamp second;
    krb5_int32 microsecond;
    unsigned char plain[SEALER_ROOM + LONGEST];
    struct der_behind b = { plain + SEALER_ROOM, plain + sizeof plain, 0, false };
    bool ok = next_time(k, &second, &microsecond) && write_authenticator(&b, k, t, second, microsecond) &&
              sealer_seal(t->sealer, k, b.p, b.n, out);
    OPENSSL_cleanse(b.p - SEALER_ROOM, b.n + SEALER_ROOM);
    return ok ? opening_for(t, sealer_length(t->sealer, b.n)) : NULL;
}

static void put_value(struct strbuf *value, const struct opening *o, unsigned char *sealed)
{
    buf_reserve(value, o->text.n + (o->rest_n + o->sealed_n + 2) / 3 * 4);
    buf_add(value, o->text.p, o->text.n);
    memcpy(sealed - o->rest_n, o->rest, o->rest_n);
    base64_encode(value, sealed - o->rest_n, o->rest_n + o->sealed_n);
}

bool service_ticket_value(struct service_ticket *t, struct strbuf *value)
{
    enum { REST = sizeof t->openings->rest };
    unsigned char sealed[REST + LONGEST + SEALING];
    krb5_context k = context_take();
    if (!k)
        return false;
    pthread_mutex_lock(&t->lock);
    const struct opening *o = seal_authenticator(k, t, sealed + REST);
    pthread_mutex_unlock(&t->lock);
    context_give(k);
    if (o)
        put_value(value, o, sealed + REST);
    return o;
}

/* ---- beginning and end ----------------------------------------------------------------------------------------------- */
/* false: something is in it that these tokens are not made for. */
static bool prepare(krb5_context k, struct service_ticket *t)
{
    enum { LONGEST_KEY = 64 };
    const krb5_keyblock *key = &t->creds->keyblock;
    return key->enctype >= 0 && krb5_c_keylengths(k, key->enctype, &t->subkey_n, &t->subkey_length) == 0 &&
           t->subkey_n <= LONGEST_KEY && t->subkey_length <= LONGEST_KEY && write_names(t) &&
           (t->sealer = sealer_new(k, key)) && sealer_length(t->sealer, LONGEST) <= LONGEST + SEALING;
}

static struct service_ticket *made_of(krb5_context k, krb5_creds *creds, bool spnego)
{
    struct service_ticket *t = calloc(1, sizeof *t);
    if (!t)
        mem_fatal();
    *t = (struct service_ticket){ .creds = creds, .spnego = spnego };
    pthread_mutex_init(&t->lock, NULL);
    if (prepare(k, t))
        return t;
    service_ticket_free(t);
    return NULL;
}

struct service_ticket *service_ticket_new(gss_cred_id_t cred, gss_name_t target, bool spnego)
{
    OM_uint32 minor;
    gss_name_t user = GSS_C_NO_NAME;
    krb5_context k = context_take();
    if (!k)
        return NULL;
    gss_inquire_cred(&minor, cred, &user, NULL, NULL, NULL);
    krb5_principal client = principal_of(k, user), server = principal_of(k, target);
    krb5_creds *creds = find(k, cred, client, server);
    krb5_free_principal(k, client);
    krb5_free_principal(k, server);
    gss_release_name(&minor, &user);
    struct service_ticket *t = creds ? made_of(k, creds, spnego) : NULL;
    context_give(k);
    return t;
}

void service_ticket_free(struct service_ticket *t)
{
    krb5_context k = t ? context_take() : NULL;
    if (!t)
        return;
    if (k) {
        krb5_free_creds(k, t->creds);
        context_give(k);
    }
    sealer_free(t->sealer);
    buf_free(&t->names);
    for (size_t i = 0; i < WIDTHS; i++)
        buf_free(&t->openings[i].text);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
