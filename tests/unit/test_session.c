/* sessions: sealed texts, key rings, cookies, times, addresses, log-off. The clock is a number. */
#include "check.h"
#include "auth/session.h"
#include "http/http1.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { T0 = 1800000000, HOME = 0x0a000001, AWAY = 0x0a000002 };

static const char *folder;

static const char *in_folder(struct arena *a, const char *name)
{
    return path_join(a, folder, name);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    struct strbuf err = { 0 };
    unlink(path);
    check(file_write_new(path, text, strlen(text), &err) == 0 && chmod(path, mode) == 0, path);
    buf_free(&err);
}

/* ---- sealed texts ---------------------------------------------------------------------- */

static void test_base64url(void)
{
    unsigned char bytes[64], back[64];
    for (size_t n = 0; n < sizeof bytes; n++) {
        struct strbuf b = { 0 };
        buf_puts(&b, "");
        random_bytes(bytes, sizeof bytes);
        base64url_encode(&b, bytes, n);
        check(base64url_decode(b.p, b.n, back, sizeof back) == (int)n && memcmp(bytes, back, n) == 0, "there and back");
        buf_free(&b);
    }
    check(base64url_decode("QQ", 2, back, 64) == 1 && back[0] == 'A', "one byte");
    static const char *const bad[] = { "Q", "QR", "QUJ", "QQ==", "Q Q", "QQ+", "Q/", "QUJD\n" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check(base64url_decode(bad[i], strlen(bad[i]), back, 64) == -1, bad[i]);
    check(base64url_decode("QUJD", 4, back, 2) == -1, "more than there is room for");
}

/* Every bit of a sealed text that is turned makes it nothing. */
static void test_forgery(void)
{
    struct key_ring *r = key_ring_random(), *other = key_ring_random();
    struct strbuf b = { 0 };
    unsigned char plain[SEAL_PLAIN];
    seal(r, "session", "listener\nmail.example", "attack at dawn", 14, &b);
    check(seal_open(r, "session", "listener\nmail.example", b.p, b.n, plain) == 14 &&
              !memcmp(plain, "attack at dawn", 14),
          "opens as it was sealed");
    check(seal_open(other, "session", "listener\nmail.example", b.p, b.n, plain) == -1, "not with another key");
    check(seal_open(r, "form", "listener\nmail.example", b.p, b.n, plain) == -1, "not for another purpose");
    check(seal_open(r, "session", "listener\nmail.exampl", b.p, b.n, plain) == -1, "not in another context");
    check(seal_open(r, "sessio", "nlistener\nmail.example", b.p, b.n, plain) == -1,
          "purpose and context do not run together");
    unsigned char raw[256];
    int n = base64url_decode(b.p, b.n, raw, sizeof raw), opened = 0;
    for (int bit = 0; bit < n * 8; bit++) {
        struct strbuf f = { 0 };
        raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
        base64url_encode(&f, raw, (size_t)n);
        opened += seal_open(r, "session", "listener\nmail.example", f.p, f.n, plain) >= 0;
        raw[bit / 8] ^= (unsigned char)(1 << bit % 8);
        buf_free(&f);
    }
    check(n > 60 && opened == 0, "every turned bit is seen");
    for (size_t i = 0; i < b.n; i++) /* and every character of the text, and every shorter one */
        for (int k = 1; k < 64; k += 7) {
            char was = b.p[i];
            b.p[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[(was + k) % 64];
            opened += b.p[i] != was && seal_open(r, "session", "listener\nmail.example", b.p, b.n, plain) >= 0;
            b.p[i] = was;
        }
    for (size_t i = 0; i < b.n; i++)
        opened += seal_open(r, "session", "listener\nmail.example", b.p, i, plain) >= 0;
    check(opened == 0, "every other character and length is seen");
    struct strbuf again = { 0 };
    seal(r, "session", "listener\nmail.example", "attack at dawn", 14, &again);
    check(strcmp(b.p, again.p) != 0, "the same text never looks the same");
    buf_free(&again);
    buf_free(&b);
    key_ring_free(r);
    key_ring_free(other);
}

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "f00102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static void test_rings(void)
{
    struct arena *a = arena_new();
    struct strbuf err = { 0 }, text = { 0 };
    unsigned char plain[SEAL_PLAIN];
    const char *file = in_folder(a, "keys");
    write_file(file, "# old\n" KEY_A "\n", 0600);
    struct key_ring *old = key_ring_read(file, &err);
    write_file(file, KEY_A "\r\n\n" KEY_B "\n", 0600);
    struct key_ring *both = key_ring_read(file, &err);
    write_file(file, KEY_B "\n" KEY_A, 0600);
    struct key_ring *turned = key_ring_read(file, &err);
    write_file(file, KEY_B "\n", 0600);
    struct key_ring *new = key_ring_read(file, &err);
    check(old && both && turned && new && !err.n, "rings are read");
    seal(old, "x", "", "1", 1, &text);
    check(seal_open(both, "x", "", text.p, text.n, plain) == 1, "the ring with a second key opens the first one's");
    check(seal_open(turned, "x", "", text.p, text.n, plain) == 1, "and when the second one seals");
    check(seal_open(new, "x", "", text.p, text.n, plain) == -1, "not when the old key is gone");
    buf_clear(&text);
    seal(turned, "x", "", "1", 1, &text);
    check(seal_open(both, "x", "", text.p, text.n, plain) == 1,
          "an instance that still seals with the old key opens the new one's");
    check(seal_open(old, "x", "", text.p, text.n, plain) == -1, "one that never had it does not");
    buf_free(&text);
    key_ring_free(old);
    key_ring_free(both);
    key_ring_free(turned);
    key_ring_free(new);

    static const struct {
        const char *text;
        mode_t mode;
        const char *says;
    } bad[] = { { "", 0600, "no key" },       { "# nothing\n", 0600, "no key" },
                { KEY_A "0\n", 0600, ":1:" }, { "\n" KEY_A "\nzz" KEY_A "\n", 0600, ":3:" },
                { KEY_A "\n", 0640, "0600" }, { KEY_A "\n", 0604, "0600" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&err);
        write_file(file, bad[i].text, bad[i].mode);
        struct key_ring *r = key_ring_read(file, &err);
        check(!r && err.n && strstr(err.p, bad[i].says), bad[i].says);
        check(!err.n || !strstr(err.p, "0102030405"), "no message holds a key");
        key_ring_free(r);
    }
    buf_clear(&err);
    unlink(file);
    struct key_ring *r = key_ring_read(file, &err);
    check(!r && err.n, "no file is told");
    buf_clear(&err);
    struct stat st = { 0 };
    check(key_ring_make(file, NULL, &err) && stat(file, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 65,
          "a file is made");
    r = key_ring_read(file, &err);
    check(r != NULL, "and read");
    key_ring_free(r);
    struct strbuf before = { 0 }, after = { 0 };
    file_read(file, 1000, &before, &err);
    check(key_ring_make(file, NULL, &err), "a second time");
    file_read(file, 1000, &after, &err);
    check(str_equal(before.p, after.p), "it is left alone");
    check(!key_ring_make(in_folder(a, "no/keys"), NULL, &err) && err.n, "where it cannot be made it is told");
    unlink(file);
    buf_free(&before);
    buf_free(&after);
    buf_free(&err);
    arena_free(a);
}

/* ---- sessions ------------------------------------------------------------------------------ */

static const struct forms_settings usual = { .bind_to_address = true, .public_timeout = 600, .private_timeout = 21600 };

static struct session_rules rules_of(struct key_ring *keys, const struct forms_settings *form)
{
    struct session_rules r;
    session_rules_make(&r, "External", form, false, NULL, keys);
    return r;
}

static void begin(struct session *s, bool private_computer, bool keep, uint32_t address, long long now)
{
    struct secret *password = secret_new("p\xc3\xa4ss;=\"", 8);
    struct identity *who = identity_new(&(struct identity){
        .account = "alice", .domain = "LAB", .realm = "LAB.TEST", .proof = PROOF_PASSWORD, .password = password });
    check(session_begin(s, who, private_computer, keep, address, now), "a session begins");
    identity_release(who);
    secret_release(password);
}

/* The Cookie header that a browser would send for a Set-Cookie value: up to the first semicolon. */
static const char *sent(struct arena *a, const char *set_cookie)
{
    return arena_strndup(a, set_cookie, strcspn(set_cookie, ";"));
}

static enum session_state find(const struct session_rules *r, struct logged_off *off, const char *cookies,
                               const char *host, uint32_t address, long long now, struct session *out)
{
    struct head h = { 0 };
    struct strbuf b = { 0 };
    const char *why;
    buf_printf(&b, "GET / HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n", cookies ? "Cookie: " : "", cookies ? cookies : "",
               cookies ? "\r\n" : "");
    check(http1_request(&h, b.p, b.n, &why) == 0, "the request is read");
    enum session_state state = session_find(r, off, &h, host, address, now, out);
    head_free(&h);
    buf_free(&b);
    return state;
}

/* The state alone. */
static enum session_state state_of(const struct session_rules *r, struct logged_off *off, const char *cookies,
                                   const char *host, uint32_t address, long long now)
{
    struct session s;
    enum session_state state = find(r, off, cookies, host, address, now, &s);
    if (state == SESSION_GOOD)
        session_end(&s);
    return state;
}

static const char *cookie_of(struct arena *a, const struct session_rules *r, const char *host, struct session *s,
                             long long now)
{
    struct strbuf b = { 0 };
    session_set_cookie(r, host, s, now, &b);
    const char *text = arena_strdup(a, b.p);
    buf_free(&b);
    return text;
}

static void test_cookie(void)
{
    struct arena *a = arena_new();
    struct key_ring *keys = key_ring_random();
    struct session_rules r = rules_of(keys, &usual);
    struct session s, t;
    begin(&s, true, true, HOME, T0);
    const char *set = cookie_of(a, &r, "mail.example", &s, T0), *cookie = sent(a, set);
    check(strncmp(set, "__Host-publishd-", 16) == 0, "the name lets no other host set it");
    check(strstr(set, "; Path=/") && strstr(set, "; Secure") && strstr(set, "; HttpOnly") &&
              strstr(set, "; SameSite=Lax"),
          "attributes");
    check(!strstr(set, "Domain") && !strstr(set, "Max-Age"), "for the host, until the browser ends");
    check(!strstr(set, "alice") &&
              strspn(strchr(cookie, '=') + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
                  strlen(strchr(cookie, '=') + 1),
          "nothing to read");
    check(find(&r, NULL, cookie, "mail.example", HOME, T0, &t) == SESSION_GOOD, "it is a session");
    check(strcmp(t.account, "alice") == 0 && strcmp(t.domain, "LAB") == 0 && strcmp(t.realm, "LAB.TEST") == 0 &&
              t.private_computer && t.signed_in == T0 && memcmp(t.id, s.id, SESSION_ID) == 0,
          "of the user");
    check(t.password && secret_equal(t.password, s.password), "with the password");
    struct identity *who = session_identity(&t);
    check(strcmp(who->account, "alice") == 0 && !who->groups_known && who->password == t.password, "the identity");
    identity_release(who);
    session_end(&t);
    begin(&t, true, false, HOME, T0);
    const char *bare = cookie_of(a, &r, "mail.example", &t, T0);
    check(memcmp(t.id, s.id, SESSION_ID) != 0, "every sign-in has an id of its own");
    session_end(&t);
    check(find(&r, NULL, sent(a, bare), "mail.example", HOME, T0, &t) == SESSION_GOOD && !t.password,
          "without the password where it is not kept");
    session_end(&t);

    check(state_of(&r, NULL, NULL, "mail.example", HOME, T0) == SESSION_NONE, "no cookie");
    check(state_of(&r, NULL, "a=b; c=d", "mail.example", HOME, T0) == SESSION_NONE, "other cookies");
    check(state_of(&r, NULL, arena_printf(a, "a=b; %s; c=d", cookie), "mail.example", HOME, T0) == SESSION_GOOD,
          "among others");
    check(state_of(&r, NULL, arena_printf(a, "x%s", cookie), "mail.example", HOME, T0) == SESSION_NONE,
          "a name that ends like it");
    check(state_of(&r, NULL, arena_printf(a, "%sx", cookie), "mail.example", HOME, T0) == SESSION_FORGED,
          "a character more");
    check(state_of(&r, NULL, cookie, "owa.example", HOME, T0) == SESSION_FORGED, "on another host");
    struct session_rules elsewhere = r;
    elsewhere.listener = "Internal";
    check(state_of(&elsewhere, NULL, cookie, "mail.example", HOME, T0) == SESSION_FORGED, "on another listener");
    check(state_of(&r, NULL, arena_printf(a, "%s; %s", cookie, sent(a, bare)), "mail.example", HOME, T0) ==
              SESSION_AMBIGUOUS,
          "two sign-ins");
    check(state_of(&r, NULL, arena_printf(a, "%s; %s", cookie, cookie), "mail.example", HOME, T0) == SESSION_GOOD,
          "one twice");
    struct strbuf many = { 0 };
    for (int i = 0; i < 50; i++)
        buf_printf(&many, "%.*s=junk%d; ", (int)strcspn(cookie, "="), cookie, i);
    buf_puts(&many, cookie);
    check(state_of(&r, NULL, many.p, "mail.example", HOME, T0) == SESSION_FORGED,
          "behind fifty of the same name it is not looked for");
    buf_free(&many);
    session_end(&s);
    key_ring_free(keys);
    arena_free(a);
}

static void test_times(void)
{
    struct arena *a = arena_new();
    struct key_ring *keys = key_ring_random();
    struct session_rules r = rules_of(keys, &usual);
    struct session s, t;
    for (int private_computer = 0; private_computer < 2; private_computer++) {
        long timeout = private_computer ? 21600 : 600;
        begin(&s, private_computer, true, HOME, T0);
        const char *cookie = sent(a, cookie_of(a, &r, "h.example", &s, T0));
        check(state_of(&r, NULL, cookie, "h.example", HOME, T0 + timeout - 1) == SESSION_GOOD, "idle: until its time");
        check(state_of(&r, NULL, cookie, "h.example", HOME, T0 + timeout) == SESSION_EXPIRED, "idle: then no more");
        check(!session_due(&r, &s, T0 + timeout / 3 - 1) && session_due(&r, &s, T0 + timeout / 3),
              "renewed after a third");
        const char *renewed = sent(a, cookie_of(a, &r, "h.example", &s, T0 + timeout / 2));
        check(state_of(&r, NULL, renewed, "h.example", HOME, T0 + timeout) == SESSION_GOOD, "idle: use prolongs it");
        check(state_of(&r, NULL, cookie, "h.example", HOME, T0 + timeout) == SESSION_EXPIRED, "but not the old cookie");
        check(state_of(&r, NULL, cookie, "h.example", HOME, T0 - 300) == SESSION_GOOD, "clocks may differ a little");
        check(state_of(&r, NULL, cookie, "h.example", HOME, T0 - 301) == SESSION_EXPIRED, "but not much");
        session_end(&s);
    }
    struct forms_settings absolute = usual;
    absolute.absolute_timeout = true;
    absolute.persistent_cookies = 2;
    struct session_rules ab = rules_of(keys, &absolute);
    begin(&s, false, true, HOME, T0);
    check(!session_due(&ab, &s, T0 + 599), "absolute: never renewed");
    const char *late = cookie_of(a, &ab, "h.example", &s, T0 + 500);
    check(strstr(late, "; Max-Age=100") != NULL, "absolute: a cookie that persists has the rest of its time");
    check(state_of(&ab, NULL, sent(a, late), "h.example", HOME, T0 + 599) == SESSION_GOOD, "absolute: until its time");
    check(state_of(&ab, NULL, sent(a, late), "h.example", HOME, T0 + 600) == SESSION_EXPIRED,
          "absolute: use does not prolong it");
    session_end(&s);
    for (long level = 0; level < 3; level++) {
        struct forms_settings f = usual;
        f.persistent_cookies = level;
        struct session_rules p = rules_of(keys, &f);
        begin(&s, false, true, HOME, T0);
        begin(&t, true, true, HOME, T0);
        check(!strstr(cookie_of(a, &p, "h.example", &s, T0), "Max-Age=600") == (level < 2),
              "persistent on public computers");
        check(!strstr(cookie_of(a, &p, "h.example", &t, T0), "Max-Age=21600") == (level < 1),
              "persistent on private computers");
        session_end(&s);
        session_end(&t);
    }
    key_ring_free(keys);
    arena_free(a);
}

static void test_places(void)
{
    struct arena *a = arena_new();
    struct key_ring *keys = key_ring_random();
    struct session_rules r = rules_of(keys, &usual);
    struct session s;
    begin(&s, true, true, HOME, T0);
    const char *cookie = sent(a, cookie_of(a, &r, "h.example", &s, T0));
    check(state_of(&r, NULL, cookie, "h.example", AWAY, T0) == SESSION_ELSEWHERE,
          "bound: replayed from another address");
    struct forms_settings loose = usual;
    loose.bind_to_address = false;
    struct session_rules free_rules = rules_of(keys, &loose);
    check(state_of(&free_rules, NULL, cookie, "h.example", AWAY, T0) == SESSION_GOOD, "not bound: taken");

    struct logged_off *off = logged_off_new(64);
    check(state_of(&r, off, cookie, "h.example", HOME, T0) == SESSION_GOOD, "before the log-off");
    logged_off_add(off, s.id, session_last(&r, &s, T0 + 1), T0 + 1);
    check(state_of(&r, off, cookie, "h.example", HOME, T0 + 2) == SESSION_LOGGED_OFF, "a copy after the log-off");
    const char *renewed = sent(a, cookie_of(a, &r, "h.example", &s, T0 + 1));
    check(state_of(&r, off, renewed, "h.example", HOME, T0 + 21600) == SESSION_LOGGED_OFF,
          "one that was renewed, to its end");
    int kept = 0;
    for (int i = 0; i < 10000; i++) { /* bounded: memory does not grow, the newest stay */
        unsigned char id[SESSION_ID];
        random_bytes(id, sizeof id);
        logged_off_add(off, id, T0 + 30000 + i, T0 + 2);
        kept += logged_off_has(off, id, T0 + 2);
    }
    check(kept == 10000, "the newest is always remembered");
    logged_off_free(off);
    session_end(&s);

    /* One sign-in for several names (B-92). */
    struct arena *b = arena_new();
    strings domains = { 0 };
    vec_add(b, &domains, "*.corp.example");
    vec_add(b, &domains, "example");
    vec_add(b, &domains, "Portal.Test");
    struct session_rules sso;
    session_rules_make(&sso, "External", &usual, true, &domains, keys);
    static const struct {
        const char *host, *domain;
    } suffixes[] = { { "mail.corp.example", "corp.example" },
                     { "corp.example", "corp.example" },
                     { "a.b.corp.example", "corp.example" },
                     { "evilcorp.example", NULL },
                     { "mail.example", NULL },
                     { "example", NULL },
                     { "x.portal.test", "Portal.Test" },
                     { "corp.example.evil", NULL },
                     { "", NULL } };
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        check(str_equal(session_domain(&sso, suffixes[i].host), suffixes[i].domain), suffixes[i].host);
    begin(&s, true, true, HOME, T0);
    const char *set = cookie_of(a, &sso, "mail.corp.example", &s, T0);
    check(strncmp(set, "__Secure-publishd-", 18) == 0 && strstr(set, "; Domain=corp.example"),
          "the cookie is for the suffix");
    check(state_of(&sso, NULL, sent(a, set), "portal.corp.example", HOME, T0) == SESSION_GOOD,
          "good on another name of the suffix");
    check(state_of(&sso, NULL, sent(a, set), "x.portal.test", HOME, T0) == SESSION_FORGED, "not on another suffix");
    check(state_of(&r, NULL, sent(a, set), "mail.corp.example", HOME, T0) == SESSION_NONE,
          "and nothing where there is no single sign-on");
    struct strbuf clear = { 0 };
    session_clear_cookie(&sso, "mail.corp.example", &clear);
    check(strstr(clear.p, "=;") && strstr(clear.p, "; Domain=corp.example") && strstr(clear.p, "; Max-Age=0"),
          "and taken away for the suffix");
    buf_free(&clear);
    session_end(&s);
    struct forms_settings named = usual;
    named.cookie = "cadata";
    struct session_rules n = rules_of(keys, &named);
    begin(&s, true, true, HOME, T0);
    check(strncmp(cookie_of(a, &n, "h.example", &s, T0), "cadata=", 7) == 0, "the name that was configured (B-90)");
    session_end(&s);
    arena_free(b);
    key_ring_free(keys);
    arena_free(a);
}

/* The largest names and password still make a cookie that browsers keep; larger ones are no session. */
static void test_sizes(void)
{
    struct arena *a = arena_new();
    struct key_ring *keys = key_ring_random();
    struct session_rules r = rules_of(keys, &usual);
    char name[SESSION_NAME + 2], text[SECRET_BYTES];
    memset(name, 'n', sizeof name);
    name[SESSION_NAME] = '\0';
    memset(text, 'p', sizeof text);
    struct secret *password = secret_new(text, sizeof text);
    struct identity *who =
        identity_new(&(struct identity){ .account = name, .domain = name, .realm = name, .password = password });
    struct session s, t;
    check(session_begin(&s, who, true, true, HOME, T0), "the largest");
    const char *set = cookie_of(a, &r, "h.example", &s, T0);
    check(strlen(set) < 4096, "fits in a cookie");
    check(find(&r, NULL, sent(a, set), "h.example", HOME, T0, &t) == SESSION_GOOD &&
              secret_length(t.password) == SECRET_BYTES && strcmp(t.account, name) == 0,
          "and comes back whole");
    session_end(&s);
    session_end(&t);
    identity_release(who);
    name[SESSION_NAME] = 'n';
    name[SESSION_NAME + 1] = '\0';
    who = identity_new(&(struct identity){ .account = name, .domain = "", .realm = "", .password = password });
    check(!session_begin(&s, who, true, true, HOME, T0), "one more is none");
    identity_release(who);
    secret_release(password);
    key_ring_free(keys);
    arena_free(a);
}

static void removed(const char *cookies, const char *want)
{
    static const char *const prefixes[] = { "__Host-publishd-", "__Secure-publishd-", "cadata=" };
    struct head h = { 0 };
    struct strbuf b = { 0 };
    const char *why;
    buf_printf(&b, "GET / HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", cookies);
    check(http1_request(&h, b.p, b.n, &why) == 0, "read");
    cookies_remove(&h, prefixes, 3);
    check(str_equal(head_value(&h, FIELD_COOKIE), want), cookies);
    head_free(&h);
    buf_free(&b);
}

static void test_removal(void)
{
    removed("a=b; c=d", "a=b; c=d");
    removed("__Host-publishd-1234=x", NULL);
    removed("a=b; __Host-publishd-1234=x; c=d", "a=b; c=d");
    removed("__Secure-publishd-1=x; a=b", "a=b");
    removed("a=b;__Secure-publishd-1=x;; c=d", "a=b; c=d");
    removed("cadata=1; cadata2=3", "cadata2=3");
    removed("a=__Host-publishd-1", "a=__Host-publishd-1");
}

int main(void)
{
    char template[] = "/tmp/test-session-XXXXXX";
    folder = mkdtemp(template);
    secrets_start();
    test_base64url();
    test_forgery();
    test_rings();
    test_cookie();
    test_times();
    test_places();
    test_sizes();
    test_removal();
    rmdir(folder);
    return summary("session");
}
