/* auth: what strangers send to sign in: tokens of Negotiate and NTLM, Basic, cookies, forms, sealed texts, PACs. The first
 * byte says which reader gets the rest. Where a text has the byte 1 or 2, a cookie stands that is really ours: of this
 * listener, or of another one. What holds for each is in its function; that nothing is read beside the bytes, ASan sees. */
#include "auth/basic.h"
#include "auth/ntlm.h"
#include "auth/pac.h"
#include "auth/places.h"
#include "auth/session.h"
#include "auth/spnego.h"
#include "auth/token.h"
#include "http/http1.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1800000000, ADDRESS = 0x0a000001 };
#define HOST "mail.example"

static struct key_ring *keys;
static struct session_rules here, elsewhere;
static struct strbuf ours, theirs, name; /* cookies, "name=value"; the name of ours */

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "not true: %s\n", what);
        abort();
    }
}

/* ---- what is really ours -------------------------------------------------------------- */

static void made(const struct session_rules *r, struct strbuf *cookie)
{
    struct session s;
    struct strbuf set = { 0 };
    struct identity *who =
        identity_new(&(struct identity){ .account = "alice", .domain = "LAB", .realm = "", .proof = PROOF_PASSWORD });
    must(session_begin(&s, who, false, false, ADDRESS, NOW), "a session");
    session_set_cookie(r, HOST, &s, NOW, &set);
    buf_add(cookie, set.p, strcspn(set.p, ";"));
    session_end(&s);
    identity_release(who);
    buf_free(&set);
}

static void make(void)
{
    static const struct forms_settings form = { .bind_to_address = true,
                                                .public_timeout = 600,
                                                .private_timeout = 21600 };
    keys = key_ring_random();
    session_rules_make(&here, "Here", &form, false, NULL, keys);
    session_rules_make(&elsewhere, "Elsewhere", &form, false, NULL, keys);
    session_cookie_name(&here, HOST, &name);
    made(&here, &ours);
    made(&elsewhere, &theirs);
}

/* The text with our cookies in it. */
static void filled(const char *p, size_t n, struct strbuf *out)
{
    for (size_t i = 0; i < n; i++) {
        const struct strbuf *cookie = p[i] == 1 ? &ours : &theirs;
        if (p[i] == 1 || p[i] == 2)
            buf_add(out, cookie->p, cookie->n);
        else
            buf_add(out, p + i, 1);
    }
}

/* ---- readers --------------------------------------------------------------------------------- */

static bool same(struct der a, struct der b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

/* A message that was understood reads the same once it is written again. */
static void written_again(const unsigned char *p, size_t n)
{
    struct spnego_init init, init_again;
    struct spnego_resp resp, resp_again;
    struct strbuf out = { 0 };
    struct der mechs, mech;
    if (spnego_read_init(p, n, &init) && init.token.p && (mechs = init.mechs, der_take(&mechs, DER_OID, &mech))) {
        spnego_write_init(&out, mech.p, mech.n, init.token.p, init.token.n);
        must(spnego_read_init(out.p, out.n, &init_again) && same(init.token, init_again.token), "NegTokenInit's token");
        must(der_take(&init_again.mechs, DER_OID, &mechs) && same(mech, mechs), "NegTokenInit's mechanism");
    }
    buf_clear(&out);
    if (spnego_read_resp(p, n, &resp) && resp.state != SPNEGO_NO_STATE) {
        spnego_write_resp(&out, resp.state, resp.mech, resp.token, resp.mic);
        must(spnego_read_resp(out.p, out.n, &resp_again) && resp.state == resp_again.state &&
                 same(resp.mech, resp_again.mech) && same(resp.token, resp_again.token) &&
                 same(resp.mic, resp_again.mic),
             "NegTokenResp");
    }
    buf_free(&out);
}

/* A token of NTLM holds a message of that type within its own bytes, which stays of that type when it is completed. */
static void token(const unsigned char *p, size_t n)
{
    enum token_kind kind = token_kind(p, n);
    size_t inside = 0;
    const unsigned char *message = token_ntlm(p, n, &inside);
    if (kind == TOKEN_NTLM_BEGIN || kind == TOKEN_NTLM_END) {
        struct strbuf whole = { 0 };
        enum ntlm_type type = kind == TOKEN_NTLM_BEGIN ? NTLM_BEGIN : NTLM_END;
        must(message && message >= p && inside <= n && (size_t)(message - p) <= n - inside, "the message is inside");
        must(ntlm_type(message, inside) == type, "of the token's kind");
        ntlm_complete(&whole, message, inside);
        must(ntlm_type((const unsigned char *)whole.p, whole.n) == type, "completed");
        buf_free(&whole);
    }
    (void)ntlm_is_v2(p, n);
    (void)gss_frame_is_krb5(p, n);
    written_again(p, n);
}

static void pac(const unsigned char *p, size_t n)
{
    struct arena *a = arena_new();
    struct pac out;
    size_t used = 0;
    if (pac_read(a, p, n, &out))
        for (size_t i = 0; i < out.sids.n; i++)
            must(strncmp(out.sids.v[i], "S-1-", 4) == 0, "a SID");
    must(!sid_text(a, p, n, &used) || used <= n, "bytes of a SID");
    arena_free(a);
}

/* Strict: there is one way to write some bytes. */
static void coded(const char *p, size_t n)
{
    struct strbuf bytes = { 0 }, text = { 0 };
    unsigned char *room = malloc(n + 1);
    if (!room)
        abort();
    if (base64_decode(&bytes, p, n)) {
        base64_encode(&text, bytes.p ? bytes.p : "", bytes.n);
        must(text.n == n && (!n || !memcmp(text.p, p, n)), "base64");
    }
    buf_clear(&text);
    int m = base64url_decode(p, n, room, n + 1);
    if (m >= 0) {
        base64url_encode(&text, room, (size_t)m);
        must(text.n == n && (!n || !memcmp(text.p, p, n)), "base64url");
    }
    free(room);
    buf_free(&bytes);
    buf_free(&text);
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            return true;
    return false;
}

static void authorization(const char *value)
{
    struct arena *a = arena_new();
    struct user_name who;
    struct secret *password = NULL;
    const char *rest;
    (void)scheme_of(value, &rest);
    if (basic_parse(a, rest, "LAB", &who, &password))
        must(*who.account && password && !has_control(who.account) && !has_control(who.domain) &&
                 !has_control(who.realm),
             "a name");
    else
        must(!password, "no password without a name");
    secret_release(password);
    arena_free(a);
}

/* Nobody has a session but by the text that was sealed for this listener, and what is ours goes to no server. */
static void cookies(const struct strbuf *text)
{
    static struct head head;
    struct strbuf request = { 0 };
    struct session s;
    const char *why, *prefixes[] = { name.p }, *p;
    size_t n;
    buf_puts(&request, "GET / HTTP/1.1\r\nHost: " HOST "\r\nCookie: ");
    buf_add(&request, text->p, text->n);
    buf_puts(&request, "\r\n\r\n");
    head_reset(&head);
    if (http1_head_end(request.p, request.n, 0) == request.n && !http1_request(&head, request.p, request.n, &why)) {
        if (session_find(&here, NULL, &head, HOST, ADDRESS, NOW, &s) == SESSION_GOOD) {
            must(strstr(request.p, ours.p) && str_equal(s.account, "alice"), "a session that nobody made");
            session_end(&s);
        }
        cookies_remove(&head, prefixes, 1);
        for (uint32_t i = 0; i < head.n; i++)
            if (head.fields[i].id == FIELD_COOKIE && head.fields[i].name_n) {
                p = head.fields[i].value;
                must(!cookie_next(&p, name.p, &n), "our cookie goes on");
            }
    }
    buf_free(&request);
}

static void sealed(const struct strbuf *text)
{
    unsigned char plain[SEAL_PLAIN];
    must(seal_open(keys, "fuzz", HOST, text->p, text->n, plain) == -1, "opens what nobody sealed");
}

/* What a form says survives being written again; nobody is sent to another host. */
static void form(const char *p, size_t n)
{
    struct arena *a = arena_new();
    struct strbuf again = { 0 };
    static const char *const names[] = { "user", "password", "url", "curl" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = parameter(a, p, n, names[i]);
        if (!value)
            continue;
        buf_clear(&again);
        buf_printf(&again, "%s=", names[i]);
        parameter_encode(&again, value);
        must(str_equal(parameter(a, again.p, again.n, names[i]), value), "a value");
        must(!return_allowed(value) || (value[0] == '/' && value[1] != '/' && !strpbrk(value, "\\\r\n\t ")),
             "a way out");
    }
    buf_free(&again);
    arena_free(a);
}

static void target(const char *text)
{
    struct arena *a = arena_new();
    const char *rest, *path = target_path(text);
    enum place place = place_of(path, &rest);
    must(place == PLACE_NONE || !return_allowed(path), "back to a place of ours");
    const char *old = old_target(a, rest);
    must(!old || !return_allowed(old) || (old[0] == '/' && old[1] != '/'), "a way out");
    (void)asks_log_off("/owa/?Cmd=logoff", path);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct strbuf text = { 0 };
    if (!keys)
        make();
    if (!n)
        return 0;
    const char *p = (const char *)data + 1;
    filled(p, n - 1, &text);
    buf_add(&text, "", 1); /* for those that take strings */
    text.n--;
    switch (data[0] % 8) {
    case 0: token(data + 1, n - 1); break;
    case 1: pac(data + 1, n - 1); break;
    case 2: coded(p, n - 1); break;
    case 3: authorization(text.p); break;
    case 4: cookies(&text); break;
    case 5: sealed(&text); break;
    case 6: form(p, n - 1); break;
    default: target(text.p); break;
    }
    buf_free(&text);
    return 0;
}
