/* delegate: the initiator's side, and where its credentials come from.
 *
 * A ticket is had in one of three ways: with the user's password (B-107), from the ticket that the client signed in with
 * (evidence), or in the user's name (S4U2Self); the latter two then by constrained delegation (S4U2Proxy, B-109). Once a
 * service ticket is there it is kept with its credential, and another token costs no word with the KDC. */
#include "delegate.h"
#include "internal.h"
#include "spnego.h"
#include "token.h"

#include <krb5.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

enum { LONGEST = 3600, REFUSED_FOR = 10, UNAVAILABLE_FOR = 3 }; /* seconds that what was found is kept */
enum stage { STAGE_NEW, STAGE_KERBEROS_SENT, STAGE_NTLM_BEGUN, STAGE_NTLM_SENT, STAGE_OVER };

struct initiator {
    struct auth *a;
    enum delegation how;
    struct identity *who;
    char *spn;
    enum stage stage;
    struct ticket *kept; /* that initiator_ready found; NULL */
    bool again;          /* a kept ticket was refused and a new one is tried */
    gss_cred_id_t ntlm_cred;
    gss_ctx_id_t ntlm;
};

/* ---- Basic (B-104) --------------------------------------------------------------------------------------- */
bool delegate_basic(const struct identity *who, bool strip_domain, struct strbuf *value)
{
    struct strbuf plain = { 0 };
    bool domain = !strip_domain && *who->domain, realm = !strip_domain && !*who->domain && *who->realm;
    if (!who->password || strchr(who->account, ':') || strchr(who->domain, ':'))
        return false;
    /* One size from the start: growing would leave the password behind in freed memory. */
    buf_reserve(&plain,
                strlen(who->domain) + strlen(who->account) + strlen(who->realm) + secret_length(who->password) + 3);
    buf_printf(&plain, "%s%s%s%s%s:", domain ? who->domain : "", domain ? "\\" : "", who->account, realm ? "@" : "",
               realm ? who->realm : "");
    buf_add(&plain, secret_text(who->password), secret_length(who->password));
    buf_reserve_secret(value, sizeof "Basic " + (plain.n + 2) / 3 * 4);
    buf_puts(value, "Basic ");
    base64_encode(value, plain.p, plain.n);
    buf_wipe(&plain);
    return true;
}

/* ---- names --------------------------------------------------------------------------------------------------- */
/* "http/web01.lab.test" in the realm that krb5.conf puts the host in, else in our own. No name service is asked: whoever
 * answers for it would choose the server that gets the user's ticket. */
gss_name_t service_name(struct auth *a, const char *spn)
{
    struct strbuf b = { 0 };
    const char *slash = strchr(spn, '/'), *own = a->s.kerberos.principal ? strrchr(a->s.kerberos.principal, '@') : NULL;
    krb5_context k = NULL;
    char **realms = NULL;
    gss_name_t name = GSS_C_NO_NAME;
    buf_puts(&b, spn);
    bool realm = strchr(spn, '@') != NULL;
    if (slash && !realm && (k = context_take())) {
        char *host = strndup(slash + 1, strcspn(slash + 1, ":/"));
        bool found = host && krb5_get_host_realm(k, host, &realms) == 0 && realms && realms[0] && *realms[0];
        if (found)
            buf_printf(&b, "@%s", realms[0]);
        else if (own)
            buf_puts(&b, own);
        if (realms)
            krb5_free_host_realm(k, realms);
        free(host);
        context_give(k);
    }
    OM_uint32 minor;
    gss_buffer_desc text = { b.n, b.p };
    if (slash || realm)
        gss_import_name(&minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    buf_free(&b);
    return name;
}

bool realm_known(const struct auth *a, const char *realm)
{
    const char *own = a->s.kerberos.principal ? strrchr(a->s.kerberos.principal, '@') : NULL;
    return (own && !ascii_casecmp(own + 1, realm)) || *domain_of_realm(a, realm);
}

/* The principal to act as. What stands behind an @ may be no realm but the suffix of a user principal name; the directory
 * then says whose it is. A backend would see "alice\@mail.example@LAB.TEST" otherwise. */
enum lookup impersonated_name(struct auth *a, const struct user_name *who, struct strbuf *principal, struct strbuf *why)
{
    struct arena *arena = arena_new();
    struct user_name real = *who;
    enum lookup found = LOOKUP_FOUND;
    if (*who->realm && !realm_known(a, who->realm))
        found = directory_account(a, who, arena, &real, why);
    if (found == LOOKUP_FOUND && !*real.realm && !*real.domain && !a->s.domains.n && a->s.kerberos.principal &&
        strrchr(a->s.kerberos.principal, '@'))
        real.realm = strrchr(a->s.kerberos.principal, '@') + 1;
    if (found == LOOKUP_FOUND && !auth_principal(a, &real, principal)) {
        buf_printf(why, "there is no realm for the domain \"%s\"; name it below kerberos: domains", real.domain);
        found = LOOKUP_ABSENT;
    }
    arena_free(arena);
    return found;
}

/* ---- where tickets come from ----------------------------------------------------------------------------------- */
gss_cred_id_t impersonate(struct own_ticket *s, const char *principal, OM_uint32 *major, OM_uint32 *minor)
{
    OM_uint32 ignored;
    gss_buffer_desc text = { strlen(principal), (void *)(uintptr_t)principal };
    gss_name_t name = GSS_C_NO_NAME;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    *major = gss_import_name(minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &name);
    if (!GSS_ERROR(*major))
        *major = gss_acquire_cred_impersonate_name(minor, s->cred, name, GSS_C_INDEFINITE, gss_one(&gss_krb5),
                                                   GSS_C_INITIATE, &cred, NULL, NULL);
    gss_release_name(&ignored, &name);
    return cred;
}

/* A token for the service, with this credential and no other: GSS_C_NO_CREDENTIAL would mean the process's own. */
static bool token_from(gss_cred_id_t cred, gss_name_t target, struct strbuf *token, OM_uint32 *lifetime,
                       OM_uint32 *major, OM_uint32 *minor)
{
    OM_uint32 ignored;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_buffer_desc out = { 0, NULL };
    *major = GSS_S_NO_CRED;
    *minor = 0;
    if (cred != GSS_C_NO_CREDENTIAL && target != GSS_C_NO_NAME)
        *major = gss_init_sec_context(minor, cred, &context, target, (gss_OID)(uintptr_t)&gss_krb5, GSS_C_INTEG_FLAG, 0,
                                      GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &out, NULL, lifetime);
    bool ok = *major == GSS_S_COMPLETE && out.length;
    if (ok)
        buf_add(token, out.value, out.length);
    gss_release_buffer(&ignored, &out);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    return ok;
}

/* The same, of a ticket that is kept, where none of its own can be made. */
static bool token_of(struct auth *a, const struct ticket *t, const char *spn, struct strbuf *token, struct strbuf *why)
{
    OM_uint32 major, minor, ignored;
    gss_name_t target = service_name(a, spn);
    bool ok = token_from(t->cred, target, token, NULL, &major, &minor);
    if (!ok)
        gss_why(why, spn, major, minor, &gss_krb5);
    gss_release_name(&ignored, &target);
    return ok;
}

/* *unavailable: nobody could be asked, the KDC or the directory that knows whose name it is. */
static gss_cred_id_t by_password(struct auth *a, const struct identity *who, char **cache, OM_uint32 *minor,
                                 bool *unavailable, struct strbuf *why)
{
    struct strbuf principal = { 0 };
    struct user_name name = { who->account, who->domain, who->realm };
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    enum lookup found = impersonated_name(a, &name, &principal, why);
    *minor = 0;
    *unavailable = found == LOOKUP_FAILED;
    if (found == LOOKUP_FOUND) {
        cred = credential_by_password(principal.p, who->password, cache, minor, why);
        *unavailable = minor_is_unavailable(*minor);
    }
    buf_free(&principal);
    return cred;
}

/* B-111 is about constrained delegation; with a password it is Negotiate, which is SPNEGO. */
static bool wraps(const struct initiator *i)
{
    return i->a->spnego || i->how == DELEGATE_NEGOTIATE;
}

static struct ticket *found(const struct initiator *i, gss_cred_id_t cred, struct evidence *evidence,
                            struct strbuf *token, struct strbuf *why)
{
    OM_uint32 major, minor, ignored, lifetime = 0;
    struct ticket *t;
    gss_name_t target = service_name(i->a, i->spn);
    if (token_from(cred, target, token, &lifetime, &major, &minor)) {
        time_t keep = lifetime > LONGEST ? LONGEST : (time_t)lifetime - 60;
        t = ticket_new(TICKET_GOOD, cred, evidence, monotonic() + (keep > 0 ? keep : 0), NULL);
        t->service = service_ticket_new(cred, target, wraps(i));
    } else {
        bool unavailable = minor_is_unavailable(minor);
        gss_why(why, i->spn, major, minor, &gss_krb5);
        t = ticket_new(unavailable ? TICKET_UNAVAILABLE : TICKET_REFUSED, cred, evidence,
                       monotonic() + (unavailable ? UNAVAILABLE_FOR : REFUSED_FOR), why->p);
    }
    gss_release_name(&ignored, &target);
    return t;
}

static struct ticket *not_found(bool unavailable, const struct strbuf *why)
{
    return ticket_new(unavailable ? TICKET_UNAVAILABLE : TICKET_REFUSED, GSS_C_NO_CREDENTIAL, NULL,
                      monotonic() + (unavailable ? UNAVAILABLE_FOR : REFUSED_FOR), why->p ? why->p : "");
}

static struct ticket *ticket_by_password(struct initiator *i, struct strbuf *token, struct strbuf *why)
{
    OM_uint32 minor;
    bool unavailable;
    char *cache = NULL;
    gss_cred_id_t cred = by_password(i->a, i->who, &cache, &minor, &unavailable, why);
    if (cred != GSS_C_NO_CREDENTIAL) {
        struct ticket *got = found(i, cred, NULL, token, why);
        got->cache = cache;
        return got;
    }
    struct ticket *t = not_found(unavailable, why);
    if (minor && verdict_of_kdc((int32_t)minor) != VERDICT_UNAVAILABLE)
        t->state = TICKET_WRONG;
    return t;
}

static struct ticket *ticket_by_transition(struct initiator *i, struct strbuf *token, struct strbuf *why)
{
    OM_uint32 major, minor;
    struct strbuf principal = { 0 };
    struct user_name name = { i->who->account, i->who->domain, i->who->realm };
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    enum lookup named = impersonated_name(i->a, &name, &principal, why);
    bool unavailable = named == LOOKUP_FAILED;
    struct own_ticket *s = named == LOOKUP_FOUND ? own_ticket(i->a, true, &unavailable, why) : NULL;
    if (s) {
        cred = impersonate(s, principal.p, &major, &minor);
        if (GSS_ERROR(major)) {
            gss_why(why, principal.p, major, minor, &gss_krb5);
            unavailable = minor_is_unavailable(minor);
        }
    }
    own_ticket_release(s);
    buf_free(&principal);
    return cred == GSS_C_NO_CREDENTIAL ? not_found(unavailable, why) : found(i, cred, NULL, token, why);
}

/* The client's own ticket first; one that may not be forwarded is no evidence, and then it goes as without. */
static struct ticket *ticket_by_delegation(struct initiator *i, struct strbuf *token, struct strbuf *why)
{
    if (i->who->evidence) {
        struct ticket *t = found(i, i->who->evidence->cred, i->who->evidence, token, why);
        if (t->state != TICKET_REFUSED)
            return t;
        ticket_release(t);
        buf_puts(why, " (with the client's ticket); ");
    }
    return ticket_by_transition(i, token, why);
}

/* ---- what is kept ---------------------------------------------------------------------------------------------- */
/* A password that nobody has checked must not get the ticket of one that was right (B-27): it is part of the key, as a
 * digest with a key of this process. A reused address must not get another client's evidence: that has a number. */
static void make_key(const struct initiator *i, struct strbuf *key)
{
    const struct identity *who = i->who;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool password = i->how == DELEGATE_NEGOTIATE;
    if (password)
        HMAC(EVP_sha256(), i->a->digest_key, sizeof i->a->digest_key, (const unsigned char *)secret_text(who->password),
             secret_length(who->password), digest, &n);
    uint64_t evidence = who->evidence && !password ? who->evidence->number : 0;
    buf_reserve(key, 256);
    buf_add(key, (const char *)digest, n);
    buf_add(key, (const char *)&evidence, sizeof evidence);
    const char *const names[] = { who->domain, who->account, who->realm, i->spn };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        buf_add(key, names[k], strlen(names[k]) + 1); /* with its NUL: no two make the same text */
}

static struct ticket *find_ticket(const struct initiator *i)
{
    struct strbuf key = { 0 };
    make_key(i, &key);
    struct ticket *t = tickets_find(i->a->tickets, &key);
    buf_free(&key);
    return t;
}

/* The ticket that is kept, or a new one; the token that making it gave is in token then. */
static struct ticket *get_ticket(struct initiator *i, struct strbuf *token, struct strbuf *why)
{
    const struct user_name name = { i->who->account, i->who->domain, i->who->realm };
    size_t realm = kdc_realm(i->a, &name);
    struct ticket *t = i->kept ? i->kept : find_ticket(i);
    i->kept = NULL;
    if (t && t->state != TICKET_GOOD)
        buf_puts(why, t->why);
    if (!t && !kdc_begin(i->a, realm, why)) {
        t = not_found(true, why);
    } else if (!t) {
        struct strbuf key = { 0 };
        make_key(i, &key);
        t = i->how == DELEGATE_NEGOTIATE ? ticket_by_password(i, token, why) : ticket_by_delegation(i, token, why);
        secrets_wipe_stack();
        kdc_end(i->a, realm, t->state != TICKET_UNAVAILABLE);
        tickets_keep(i->a->tickets, &key, t);
        buf_free(&key);
        i->again = true; /* it is new: a refusal is not for its age */
    }
    return t;
}

static void drop_ticket(struct initiator *i)
{
    struct strbuf key = { 0 };
    make_key(i, &key);
    tickets_drop(i->a->tickets, &key);
    buf_free(&key);
}

/* ---- the handshake ------------------------------------------------------------------------------------------------- */
struct initiator *initiator_new(struct auth *a, enum delegation how, struct identity *who, const char *spn,
                                struct strbuf *why)
{
    bool password = how == DELEGATE_NTLM || how == DELEGATE_NEGOTIATE;
    if (!password && how != DELEGATE_KERBEROS) {
        buf_puts(why, "that delegation has no handshake");
        return NULL;
    }
    if (password && !who->password) {
        buf_printf(why, "%s signed in by %s: there is no password to delegate with (only constrained delegation can)",
                   who->display, proof_names[who->proof]);
        return NULL;
    }
    struct initiator *i = calloc(1, sizeof *i);
    char *copy = strdup(spn ? spn : "");
    if (!i || !copy)
        mem_fatal();
    *i = (struct initiator){ .a = a, .how = how, .who = identity_hold(who), .spn = copy };
    return i;
}

void initiator_free(struct initiator *i)
{
    OM_uint32 minor;
    if (!i)
        return;
    gss_delete_sec_context(&minor, &i->ntlm, GSS_C_NO_BUFFER);
    gss_release_cred(&minor, &i->ntlm_cred);
    ticket_release(i->kept);
    identity_release(i->who);
    free(i->spn);
    free(i);
}

bool initiator_ready(struct initiator *i)
{
    if (i->how == DELEGATE_NTLM || i->stage == STAGE_NTLM_BEGUN)
        return true;
    if (i->stage != STAGE_NEW)
        return false; /* the ticket that is kept was refused */
    if (!i->kept)
        i->kept = find_ticket(i);
    return i->kept;
}

bool initiator_has_ticket(struct initiator *i)
{
    return i->how != DELEGATE_NTLM && initiator_ready(i) && i->kept->state == TICKET_GOOD;
}

static void put_value(struct strbuf *value, const char *scheme, const void *token, size_t n)
{
    buf_printf(value, "%s ", scheme);
    base64_encode(value, token, n);
}

/* ---- NTLM ------ */
static enum delegated ntlm_leg(struct initiator *i, const struct strbuf *challenge, struct strbuf *value,
                               struct strbuf *why)
{
    OM_uint32 minor, ignored;
    struct strbuf service = { 0 };
    const char *slash = strchr(i->spn, '/');
    buf_printf(&service, "http@%.*s", slash ? (int)strcspn(slash + 1, ":/@") : 0, slash ? slash + 1 : "");
    gss_buffer_desc text = { service.n, service.p }, out = { 0, NULL };
    gss_buffer_desc in = { challenge ? challenge->n : 0, challenge ? challenge->p : NULL };
    gss_name_t target = GSS_C_NO_NAME;
    gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &target);
    OM_uint32 major =
        gss_init_sec_context(&minor, i->ntlm_cred, &i->ntlm, target, (gss_OID)(uintptr_t)&gss_ntlm, GSS_C_INTEG_FLAG, 0,
                             GSS_C_NO_CHANNEL_BINDINGS, challenge ? &in : GSS_C_NO_BUFFER, NULL, &out, NULL, NULL);
    bool ok = !GSS_ERROR(major) && out.length;
    if (ok)
        put_value(value, i->how == DELEGATE_NTLM ? "NTLM" : "Negotiate", out.value, out.length);
    else
        gss_why(why, "NTLM to the server", major, minor, &gss_ntlm);
    gss_release_buffer(&ignored, &out);
    gss_release_name(&ignored, &target);
    buf_free(&service);
    secrets_wipe_stack(); /* the password's hash */
    return ok ? DELEGATE_SEND : DELEGATE_REFUSED;
}

static enum delegated ntlm_begin(struct initiator *i, struct strbuf *value, struct strbuf *why)
{
    OM_uint32 minor, ignored;
    const struct identity *who = i->who;
    struct strbuf user = { 0 };
    buf_printf(&user, "%s%s%s%s%s", who->domain, *who->domain ? "\\" : "", who->account,
               !*who->domain && *who->realm ? "@" : "", *who->domain ? "" : who->realm);
    gss_buffer_desc text = { user.n, user.p };
    gss_buffer_desc password = { secret_length(who->password), (void *)(uintptr_t)secret_text(who->password) };
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 major = gss_import_name(&minor, &text, GSS_C_NT_USER_NAME, &name);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_with_password(&minor, name, &password, GSS_C_INDEFINITE, gss_one(&gss_ntlm),
                                               GSS_C_INITIATE, &i->ntlm_cred, NULL, NULL);
    gss_release_name(&ignored, &name);
    buf_free(&user);
    if (GSS_ERROR(major) || i->ntlm_cred == GSS_C_NO_CREDENTIAL) { /* and never the default one instead */
        gss_why(why, "NTLM to the server", major, minor, &gss_ntlm);
        return DELEGATE_REFUSED;
    }
    i->stage = STAGE_NTLM_BEGUN;
    return ntlm_leg(i, NULL, value, why);
}

/* ---- Kerberos ------ */
static void put_token(const struct initiator *i, struct strbuf *value, const struct strbuf *token)
{
    struct strbuf wrapped = { 0 };
    if (wraps(i))
        spnego_write_init(&wrapped, oid_krb5, sizeof oid_krb5, token->p, token->n);
    put_value(value, "Negotiate", wraps(i) ? wrapped.p : token->p, wraps(i) ? wrapped.n : token->n);
    buf_free(&wrapped);
}

/* The token that came with a new ticket; else one of the ticket's making, which is by far the cheaper way, or GSS-API's. */
static bool put_kerberos(struct initiator *i, const struct ticket *t, struct strbuf *token, struct strbuf *value,
                         struct strbuf *why)
{
    if (!token->n && t->service && service_ticket_value(t->service, value))
        return true;
    if (!token->n && !token_of(i->a, t, i->spn, token, why))
        return false;
    put_token(i, value, token);
    return true;
}

static enum delegated kerberos_send(struct initiator *i, struct strbuf *value, struct strbuf *why, bool *wrong)
{
    struct strbuf token = { 0 };
    struct ticket *t = get_ticket(i, &token, why);
    enum delegated result = t->state == TICKET_UNAVAILABLE ? DELEGATE_UNAVAILABLE : DELEGATE_REFUSED;
    if (t->state == TICKET_GOOD && put_kerberos(i, t, &token, value, why)) {
        i->stage = STAGE_KERBEROS_SENT;
        result = DELEGATE_SEND;
    } else if (t->state == TICKET_GOOD) {
        drop_ticket(i);
    }
    *wrong = t->state == TICKET_WRONG;
    ticket_release(t);
    buf_free(&token);
    return result;
}

static enum delegated begin(struct initiator *i, struct strbuf *value, struct strbuf *why)
{
    if (i->how == DELEGATE_NTLM)
        return ntlm_begin(i, value, why);
    bool wrong;
    enum delegated result = kerberos_send(i, value, why, &wrong);
    if (result == DELEGATE_SEND || i->how == DELEGATE_KERBEROS || wrong)
        return result; /* a wrong password does not get better by NTLM, but counts twice towards a lockout */
    /* B-107: no ticket, so NTLM inside Negotiate. It goes raw, which servers take and which needs no MIC of a list. */
    buf_puts(why, "; NTLM instead; ");
    return ntlm_begin(i, value, why);
}

/* What stands behind the scheme in a challenge, decoded. false: nothing, or no base64. */
static bool challenge_token(const char *challenge, struct strbuf *out)
{
    const char *text = challenge + strcspn(challenge, " ");
    text += strspn(text, " ");
    return *text && base64_decode(out, text, strcspn(text, " ,"));
}

static enum delegated answer(struct initiator *i, const char *challenge, struct strbuf *value, struct strbuf *why)
{
    struct strbuf token = { 0 };
    enum delegated result = DELEGATE_REFUSED;
    bool has = challenge_token(challenge, &token);
    if (i->stage == STAGE_NTLM_BEGUN && has) {
        i->stage = STAGE_NTLM_SENT;
        result = ntlm_leg(i, &token, value, why);
    } else if (i->stage == STAGE_KERBEROS_SENT && !i->again) {
        i->again = true; /* the server's key may have changed since the ticket was made */
        bool wrong;
        drop_ticket(i);
        result = kerberos_send(i, value, why, &wrong);
    } else {
        buf_printf(why, "the server did not take %s of %s",
                   i->stage == STAGE_KERBEROS_SENT ? "the ticket" : "the NTLM answer", i->who->display);
        i->stage = STAGE_OVER;
    }
    buf_free(&token);
    return result;
}

enum delegated initiator_step(struct initiator *i, const char *challenge, struct strbuf *value, struct strbuf *why)
{
    struct strbuf notes = { 0 };
    enum delegated result =
        i->stage == STAGE_NEW ? begin(i, value, &notes) : answer(i, challenge ? challenge : "", value, &notes);
    buf_add(why, notes.p ? notes.p : "", notes.n);
    buf_free(&notes);
    return result;
}
