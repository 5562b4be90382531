/* accept: one handshake, leg by leg. SPNEGO is taken off and put on here; Kerberos and NTLM themselves are the
 * libraries'.
 *
 * A mechListMIC (RFC 4178 section 5) is checked where the client sends one and answered with ours. It is not demanded
 * where the client's first choice was not taken: whoever could change the list could as well choose NTLM outright, which
 * the listener offers anyway. */
#include "accept.h"
#include "internal.h"
#include "ntlm.h"
#include "pac.h"
#include "spnego.h"
#include "token.h"

#include <stdlib.h>

struct handshake {
    struct auth *a;
    enum handshake_scheme scheme;
    struct strbuf service; /* "HTTP@mail.example" */
    gss_ctx_id_t ntlm;     /* between its two legs, with the credential that knows where passwords are */
    gss_cred_id_t ntlm_cred;
    const unsigned char *chosen; /* the mechanism that a reply named and whose token must follow; NULL */
    struct strbuf mech_list;     /* of the NegTokenInit; empty: not in SPNEGO */
};

struct handshake *handshake_new(struct auth *a, enum handshake_scheme scheme, const char *host)
{
    struct handshake *h = calloc(1, sizeof *h);
    if (!h)
        mem_fatal();
    h->a = a;
    h->scheme = scheme;
    buf_puts(&h->service, "HTTP@");
    buf_puts(&h->service, *host ? host : "localhost");
    return h;
}

static void begin_anew(struct handshake *h)
{
    OM_uint32 minor;
    if (h->ntlm != GSS_C_NO_CONTEXT)
        gss_delete_sec_context(&minor, &h->ntlm, GSS_C_NO_BUFFER);
    gss_release_cred(&minor, &h->ntlm_cred);
    h->ntlm = GSS_C_NO_CONTEXT;
    h->chosen = NULL;
    buf_clear(&h->mech_list);
}

void handshake_free(struct handshake *h)
{
    if (!h)
        return;
    begin_anew(h);
    buf_free(&h->mech_list);
    buf_free(&h->service);
    free(h);
}

/* ---- Kerberos ------------------------------------------------------------------------------------------------- */
/* "alice@LAB.TEST" as the library writes a name; quoted characters keep their backslash. */
static void split_principal(struct arena *a, const char *text, size_t n, struct user_name *out)
{
    const char *whole = arena_strndup(a, text, n), *at = strrchr(whole, '@');
    *out = (struct user_name){ whole, "", "" };
    if (at) {
        out->account = arena_strndup(a, whole, (size_t)(at - whole));
        out->realm = at + 1;
    }
}

static bool read_pac(struct arena *a, gss_name_t name, struct pac *out)
{
    char attribute[] = "urn:mspac:logon-info";
    gss_buffer_desc which = { sizeof attribute - 1, attribute }, value = { 0, NULL }, shown = { 0, NULL };
    int authenticated = 0, complete = 0, more = -1;
    OM_uint32 minor, ignored;
    OM_uint32 major = gss_get_name_attribute(&minor, name, &which, &authenticated, &complete, &value, &shown, &more);
    bool ok = !GSS_ERROR(major) && authenticated && pac_read(a, value.value, value.length, out);
    gss_release_buffer(&ignored, &value);
    gss_release_buffer(&ignored, &shown);
    return ok;
}

static struct identity *kerberos_identity(struct auth *auth, gss_name_t name, struct evidence *evidence,
                                          enum proof proof, struct secret *password)
{
    OM_uint32 minor;
    gss_buffer_desc text = { 0, NULL };
    if (GSS_ERROR(gss_display_name(&minor, name, &text, NULL)))
        return NULL;
    struct arena *a = arena_new();
    struct user_name who;
    struct pac pac;
    split_principal(a, text.value, text.length, &who);
    gss_release_buffer(&minor, &text);
    bool known = read_pac(a, name, &pac);
    struct identity facts = { .account = known && *pac.account ? pac.account : who.account,
                              .domain = known && *pac.domain ? pac.domain : domain_of_realm(auth, who.realm),
                              .realm = who.realm,
                              .proof = proof,
                              .password = password,
                              .sids = known ? pac.sids.v : NULL,
                              .sids_n = known ? pac.sids.n : 0,
                              .groups_known = known,
                              .password_expires = known ? pac.password_expires : 0,
                              .evidence = evidence };
    struct identity *i = *facts.account ? identity_new(&facts) : NULL;
    arena_free(a);
    return i;
}

/* Without a KDC clients that have a ticket are still let in: by the keytab alone, and with no evidence. */
static gss_cred_id_t keytab_alone(struct auth *a)
{
    OM_uint32 minor;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    gss_key_value_element_desc item = { "keytab", a->keytab };
    gss_key_value_set_desc store = { 1, &item };
    gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, gss_one(&gss_krb5), GSS_C_ACCEPT, &store, &cred,
                          NULL, NULL);
    return cred;
}

struct accepted {
    gss_name_t client;
    gss_cred_id_t delegated;
    gss_buffer_desc out;
};

static bool accept_kerberos(gss_cred_id_t cred, struct der token, struct accepted *got, struct strbuf *why)
{
    OM_uint32 minor, flags, ignored;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_buffer_desc in = { token.n, (void *)(uintptr_t)token.p };
    OM_uint32 major = gss_accept_sec_context(&minor, &context, cred, &in, GSS_C_NO_CHANNEL_BINDINGS, &got->client, NULL,
                                             &got->out, &flags, NULL, &got->delegated);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    if (major == GSS_S_COMPLETE && got->client != GSS_C_NO_NAME)
        return true;
    gss_why(why, "Kerberos", major, minor, &gss_krb5);
    return false;
}

static enum leg kerberos_leg(struct handshake *h, struct der token, bool wrapped, struct strbuf *reply,
                             struct identity **who, struct strbuf *why)
{
    struct accepted got = { GSS_C_NO_NAME, GSS_C_NO_CREDENTIAL, { 0, NULL } };
    struct strbuf without = { 0 };
    bool unavailable, ask;
    OM_uint32 minor;
    if (!h->a->keytab) {
        buf_puts(why, "Kerberos: there is no keytab");
        return LEG_REFUSED;
    }
    ask = auth_ticket_due(h->a) && kdc_begin(h->a, kdc_realm_own(h->a), &without);
    struct own_ticket *service = own_ticket(h->a, ask, &unavailable, &without);
    if (ask)
        kdc_end(h->a, kdc_realm_own(h->a), !unavailable);
    gss_cred_id_t alone = service ? GSS_C_NO_CREDENTIAL : keytab_alone(h->a), cred = service ? service->cred : alone;
    if (cred == GSS_C_NO_CREDENTIAL)
        buf_printf(why, "Kerberos: %s", without.p ? without.p : "the keytab cannot be used");
    else if (accept_kerberos(cred, token, &got, why)) {
        struct evidence *e = got.delegated != GSS_C_NO_CREDENTIAL ? evidence_new(got.delegated) : NULL;
        *who = kerberos_identity(h->a, got.client, e, PROOF_KERBEROS, NULL);
        evidence_release(e);
    }
    if (*who && wrapped)
        spnego_write_resp(reply, SPNEGO_COMPLETED, (struct der){ oid_krb5, sizeof oid_krb5 },
                          (struct der){ got.out.value, got.out.length }, (struct der){ 0 });
    else if (*who)
        buf_add(reply, got.out.value ? got.out.value : "", got.out.length);
    gss_release_name(&minor, &got.client);
    gss_release_buffer(&minor, &got.out);
    gss_release_cred(&minor, &alone);
    own_ticket_release(service);
    buf_free(&without);
    return *who ? LEG_DONE : LEG_REFUSED;
}

struct identity *identity_by_ticket(struct auth *a, gss_cred_id_t user, enum proof proof, struct secret *password,
                                    bool *unavailable, struct strbuf *why)
{
    OM_uint32 minor, ignored;
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    gss_buffer_desc out = { 0, NULL };
    struct accepted got = { GSS_C_NO_NAME, GSS_C_NO_CREDENTIAL, { 0, NULL } };
    struct identity *who = NULL;
    gss_name_t ourselves = service_name(a, a->s.kerberos.principal);
    gss_cred_id_t keytab = keytab_alone(a);
    OM_uint32 major = GSS_S_NO_CRED;
    *unavailable = false;
    minor = 0;
    if (user != GSS_C_NO_CREDENTIAL && ourselves != GSS_C_NO_NAME && keytab != GSS_C_NO_CREDENTIAL)
        major = gss_init_sec_context(&minor, user, &context, ourselves, (gss_OID)(uintptr_t)&gss_krb5, 0, 0,
                                     GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &out, NULL, NULL);
    if (major != GSS_S_COMPLETE) {
        *unavailable = minor_is_unavailable(minor);
        gss_why(why, "a ticket for this server", major, minor, &gss_krb5);
    } else if (accept_kerberos(keytab, (struct der){ out.value, out.length }, &got, why)) {
        who = kerberos_identity(a, got.client, NULL, proof, password);
    }
    gss_release_buffer(&ignored, &out);
    gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
    gss_release_name(&ignored, &ourselves);
    gss_release_name(&ignored, &got.client);
    gss_release_buffer(&ignored, &got.out);
    gss_release_cred(&ignored, &got.delegated);
    gss_release_cred(&ignored, &keytab);
    return who;
}

/* ---- NTLM ------------------------------------------------------------------------------------------------------ */
static struct identity *ntlm_identity(struct auth *auth, gss_name_t name)
{
    OM_uint32 minor;
    gss_buffer_desc text = { 0, NULL };
    struct user_name who;
    struct identity *i = NULL;
    if (GSS_ERROR(gss_display_name(&minor, name, &text, NULL)))
        return NULL;
    struct arena *a = arena_new();
    if (user_name_parse(a, arena_strndup(a, text.value, text.length), NULL, &who)) {
        struct identity facts = {
            .account = who.account, .domain = who.domain, .realm = who.realm, .proof = PROOF_NTLM
        };
        if (!*facts.realm)
            facts.realm = realm_of_domain(auth, who.domain);
        i = identity_new(&facts);
    }
    gss_release_buffer(&minor, &text);
    arena_free(a);
    return i;
}

/* The name of a service makes gss-ntlmssp take the credential for the server's side. */
static gss_cred_id_t ntlm_credential(const struct handshake *h)
{
    OM_uint32 minor, ignored;
    gss_buffer_desc text = { h->service.n, h->service.p };
    gss_name_t name = GSS_C_NO_NAME;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    gss_key_value_element_desc item = { "ntlmssp_keyfile", h->a->s.ntlm_users };
    gss_key_value_set_desc store = { h->a->s.ntlm_users ? 1 : 0, &item };
    gss_import_name(&minor, &text, GSS_C_NT_HOSTBASED_SERVICE, &name);
    gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, gss_one(&gss_ntlm), GSS_C_ACCEPT, &store, &cred, NULL, NULL);
    gss_release_name(&ignored, &name);
    return cred;
}

/* Checks the client's MIC over the list of mechanisms and makes ours. */
static bool list_mics(struct handshake *h, struct der theirs, gss_buffer_t ours, struct strbuf *why)
{
    OM_uint32 minor, major;
    gss_buffer_desc list = { h->mech_list.n, h->mech_list.p }, mic = { theirs.n, (void *)(uintptr_t)theirs.p };
    major = gss_verify_mic(&minor, h->ntlm, &list, &mic, NULL);
    if (!GSS_ERROR(major))
        major = gss_get_mic(&minor, h->ntlm, GSS_C_QOP_DEFAULT, &list, ours);
    if (GSS_ERROR(major))
        gss_why(why, "SPNEGO, MIC", major, minor, &gss_ntlm);
    return !GSS_ERROR(major);
}

static enum leg ntlm_begin(struct handshake *h, struct der token, bool wrapped, struct strbuf *reply,
                           struct strbuf *why)
{
    OM_uint32 minor, ignored;
    struct strbuf message = { 0 };
    h->ntlm_cred = ntlm_credential(h);
    if (h->ntlm_cred == GSS_C_NO_CREDENTIAL) {
        buf_puts(why, "NTLM: the mechanism is not there, or neither its file nor winbindd is");
        return LEG_UNAVAILABLE;
    }
    ntlm_complete(&message, token.p, token.n);
    gss_buffer_desc in = { message.n, message.p }, out = { 0, NULL };
    OM_uint32 major = gss_accept_sec_context(&minor, &h->ntlm, h->ntlm_cred, &in, GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL,
                                             &out, NULL, NULL, NULL);
    bool more = major == GSS_S_CONTINUE_NEEDED && out.length;
    if (!more)
        gss_why(why, "NTLM", major, minor, &gss_ntlm);
    else if (wrapped)
        spnego_write_resp(reply, SPNEGO_INCOMPLETE, (struct der){ oid_ntlm, sizeof oid_ntlm },
                          (struct der){ out.value, out.length }, (struct der){ 0 });
    else
        buf_add(reply, out.value, out.length);
    gss_release_buffer(&ignored, &out);
    buf_free(&message);
    return more ? LEG_MORE : LEG_REFUSED;
}

static enum leg ntlm_end(struct handshake *h, struct der token, struct der mic, struct strbuf *reply,
                         struct identity **who, struct strbuf *why)
{
    OM_uint32 minor, ignored;
    gss_name_t client = GSS_C_NO_NAME;
    gss_buffer_desc out = { 0, NULL }, ours = { 0, NULL };
    struct strbuf message = { 0 };
    if (h->ntlm == GSS_C_NO_CONTEXT || !ntlm_is_v2(token.p, token.n)) {
        buf_puts(why,
                 h->ntlm == GSS_C_NO_CONTEXT ? "NTLM: an end without a beginning" : "NTLM: the answer is not NTLMv2");
        return LEG_REFUSED;
    }
    ntlm_complete(&message, token.p, token.n);
    gss_buffer_desc in = { message.n, message.p };
    OM_uint32 major = gss_accept_sec_context(&minor, &h->ntlm, h->ntlm_cred, &in, GSS_C_NO_CHANNEL_BINDINGS, &client,
                                             NULL, &out, NULL, NULL, NULL);
    if (major != GSS_S_COMPLETE || client == GSS_C_NO_NAME)
        gss_why(why, "NTLM", major, minor, &gss_ntlm);
    else if (!mic.p || list_mics(h, mic, &ours, why))
        *who = ntlm_identity(h->a, client);
    if (*who && h->mech_list.n)
        spnego_write_resp(reply, SPNEGO_COMPLETED, (struct der){ 0 }, (struct der){ 0 },
                          (struct der){ ours.value, ours.length });
    gss_release_name(&ignored, &client);
    gss_release_buffer(&ignored, &out);
    gss_release_buffer(&ignored, &ours);
    buf_free(&message);
    begin_anew(h);
    return *who ? LEG_DONE : LEG_REFUSED;
}

/* ---- SPNEGO ---------------------------------------------------------------------------------------------------- */
/* No token of ours came along: names the first mechanism of the client's that we have. */
static enum leg choose(struct handshake *h, const struct spnego_init *init, struct strbuf *reply, struct strbuf *why)
{
    struct der mechs = init->mechs, mech;
    while (der_take(&mechs, DER_OID, &mech)) {
        bool kerberos = der_is(mech, oid_krb5, sizeof oid_krb5) || der_is(mech, oid_ms_krb5, sizeof oid_ms_krb5);
        if ((kerberos && h->a->keytab) || der_is(mech, oid_ntlm, sizeof oid_ntlm)) {
            h->chosen = kerberos ? oid_krb5 : oid_ntlm;
            spnego_write_resp(reply, SPNEGO_INCOMPLETE, mech, (struct der){ 0 }, (struct der){ 0 });
            return LEG_MORE;
        }
    }
    buf_puts(why, "SPNEGO: no mechanism that is known here");
    return LEG_REFUSED;
}

static enum leg spnego_begin(struct handshake *h, const struct spnego_init *init, enum token_kind kind,
                             struct strbuf *reply, struct identity **who, struct strbuf *why)
{
    buf_add(&h->mech_list, (const char *)init->mech_list.p, init->mech_list.n);
    if (kind == TOKEN_NTLM_BEGIN)
        return ntlm_begin(h, init->token, true, reply, why);
    if (kind == TOKEN_KERBEROS && h->a->keytab)
        return kerberos_leg(h, init->token, true, reply, who, why);
    return choose(h, init, reply, why);
}

static enum leg spnego_next(struct handshake *h, const struct spnego_resp *resp, enum token_kind kind,
                            struct strbuf *reply, struct identity **who, struct strbuf *why)
{
    const unsigned char *chosen = h->chosen;
    if (h->mech_list.n && kind == TOKEN_NTLM_END)
        return ntlm_end(h, resp->token, resp->mic, reply, who, why);
    h->chosen = NULL;
    if (chosen == oid_ntlm && kind == TOKEN_NTLM_BEGIN)
        return ntlm_begin(h, resp->token, true, reply, why);
    if (chosen == oid_krb5 && resp->token.p && gss_frame_is_krb5(resp->token.p, resp->token.n))
        return kerberos_leg(h, resp->token, true, reply, who, why);
    buf_puts(why, "SPNEGO: this leg does not follow from the one before");
    return LEG_REFUSED;
}

static enum leg raw(struct handshake *h, struct der token, enum token_kind kind, struct strbuf *reply,
                    struct identity **who, struct strbuf *why)
{
    switch (kind) {
    case TOKEN_NTLM_BEGIN: begin_anew(h); return ntlm_begin(h, token, false, reply, why);
    case TOKEN_NTLM_END:
        if (!h->mech_list.n)
            return ntlm_end(h, token, (struct der){ 0 }, reply, who, why);
        buf_puts(why, "NTLM: it began inside SPNEGO");
        return LEG_REFUSED;
    case TOKEN_KERBEROS: begin_anew(h); return kerberos_leg(h, token, false, reply, who, why);
    default: buf_puts(why, "a token that is neither Kerberos, NTLM nor SPNEGO"); return LEG_REFUSED;
    }
}

enum leg handshake_step(struct handshake *h, const void *token, size_t n, struct strbuf *reply, struct identity **who,
                        struct strbuf *why)
{
    struct der whole = { token, n };
    struct spnego_init init;
    struct spnego_resp resp;
    enum token_kind kind = token_kind(token, n);
    enum leg leg;
    *who = NULL;
    bool plain = kind != TOKEN_BAD && ntlm_type(token, n) != NTLM_NONE;
    if (h->scheme == HANDSHAKE_NTLM && !plain) {
        buf_puts(why, "the scheme is NTLM, the token is not");
        leg = LEG_REFUSED;
    } else if (kind == TOKEN_BAD || plain) {
        leg = raw(h, whole, kind, reply, who, why);
    } else if (spnego_read_init(token, n, &init)) {
        begin_anew(h);
        leg = spnego_begin(h, &init, kind, reply, who, why);
    } else if (spnego_read_resp(token, n, &resp)) {
        leg = spnego_next(h, &resp, kind, reply, who, why);
    } else {
        leg = raw(h, whole, kind, reply, who, why);
    }
    if (leg == LEG_REFUSED || leg == LEG_UNAVAILABLE)
        begin_anew(h);
    return leg;
}
