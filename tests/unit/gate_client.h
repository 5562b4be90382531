/* gate_client: one listener and one client for the tests of the gate. Passwords are checked by the local file for real; what the
 * legs of handshakes come to is said by the test: here it is about what the gate makes of it (6.2). The clock is a number. */
#ifndef TESTS_UNIT_GATE_CLIENT_H
#define TESTS_UNIT_GATE_CLIENT_H
#include "check.h"
#include "auth/gate.h"
#include "auth/places.h"
#include "auth/token.h"
#include "http/http1.h"

#include <stdlib.h>
#include <unistd.h>

enum { T0 = 1800000000, HOME = 0x0a000001, AWAY = 0x0a000002, STAFF = 0, GROUP = 1 };

static struct gate g;
static struct gate_connection connection;
static struct gate_request q; /* what the next request is asked with */
static struct head head;
static struct arena *arena;  /* of the request */
static struct gate_result r; /* its result */
static char password_file[] = "/tmp/test-gate-XXXXXX";

#define BROWSER "User-Agent: Mozilla/5.0\r\n"
#define NTLM_1 "TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw=="
#define NTLM_3                                                                                                         \
    "TlRMTVNTUAADAAAAAAAAAEgAAAAAAAAASAAAAAYABgBIAAAACgAKAE4AAAAAAAAASAAAAAAAAABIAAAABYKIogYBsR0AAAAPTABBAEIAYQBsAGkAYwBlAA==" /* LAB, alice */

static void forget_result(void)
{
    identity_release(r.who);
    gate_job_free(r.kind == GATE_JOB ? r.job : NULL);
    r = (struct gate_result){ 0 };
}

/* The request line and fields; Host and the empty line are added. */
static void ask(const char *first, const char *fields)
{
    struct strbuf b = { 0 };
    const char *why;
    forget_result();
    arena_free(arena);
    arena = arena_new();
    buf_printf(&b, "%s HTTP/1.1\r\nHost: mail.example\r\n%s\r\n", first, fields);
    check(http1_request(&head, b.p, b.n, &why) == 0, first);
    gate_ask(&g, &q, arena, &r);
    buf_free(&b);
}

static void run_job(void)
{
    struct gate_job *j = r.job;
    check(r.kind == GATE_JOB, "a job");
    if (r.kind != GATE_JOB)
        return;
    gate_job_run(j);
    gate_after(&g, &q, j, arena, &r);
}

/* Asks, with the job if there is one. */
static void asked(const char *first, const char *fields)
{
    ask(first, fields);
    if (r.kind == GATE_JOB)
        run_job();
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < r.headers_n; i++)
        if (strcmp(r.headers[i].name, name) == 0)
            return r.headers[i].value;
    return "";
}

static bool has(const char *name, const char *part)
{
    for (size_t i = 0; i < r.headers_n; i++)
        if (strcmp(r.headers[i].name, name) == 0 && strstr(r.headers[i].value, part))
            return true;
    return false;
}

static bool answers(int status)
{
    return r.kind == GATE_ANSWER && r.status == status;
}

static bool passes(const char *account)
{
    return r.kind == GATE_PASS && (account ? r.who && r.verified && strcmp(r.who->account, account) == 0 : !r.who);
}

static void new_connection(void)
{
    gate_connection_end(&connection);
}

/* As a rule for the staff, asked for over TLS from home. */
static void usual(void)
{
    static const size_t staff[] = { STAFF };
    forget_result();
    new_connection();
    q = (struct gate_request){ .head = &head,
                               .host = "mail.example",
                               .authority = "mail.example",
                               .known_host = true,
                               .tls = true,
                               .address = HOME,
                               .now = T0,
                               .has_rule = true,
                               .needs_user = true,
                               .sets = staff,
                               .sets_n = 1,
                               .delegation = DELEGATE_NONE_BLOCK,
                               .connection = &connection };
}

/* A good certificate that names this user; NULL: nobody. */
static inline void shows(const char *account, const char *realm)
{
    q.has_certificate = true;
    q.naming = account ? NAMES_ACCOUNT : NAMES_NOBODY;
    q.certificate = (struct user_name){ account ? account : "", "", realm };
}

static void limits(long account, long address)
{
    credentials_free(g.credentials);
    throttle_free(g.throttle);
    g.throttle = throttle_new(&(struct throttle_limits){ account, address, 1800 }, 256, 256);
    g.credentials = credentials_new(256, g.throttle);
}

static void listener(bool basic, bool integrated, enum forms_provider forms)
{
    static const char *const schemes[] = { "negotiate", "ntlm" };
    static const struct forms_settings form = {
        .bind_to_address = true, .public_timeout = 600, .private_timeout = 21600, .change_password = true
    };
    const struct key_ring *keys = g.sessions.keys;
    g.basic = basic;
    g.integrated = integrated;
    g.forms = forms;
    g.offer = (strings){ .v = (const char **)(uintptr_t)schemes, .n = 2 };
    g.over_http = g.client_certificate = g.bodyless_forward = g.keep_password = false;
    session_rules_make(&g.sessions, "External", &form, false, NULL, keys);
    limits(4, 100);
    usual();
}

#define EMPTY "Content-Length: 0\r\n"
#define BODY "Content-Length: 5\r\n"
#define ALICE "Authorization: Basic YWxpY2U6c2VjcmV0\r\n" /* alice:secret, of the staff */
#define BOB "Authorization: Basic Ym9iOnNlY3JldA==\r\n"   /* bob:secret, not of the staff */
#define WRONG "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n" /* alice:wrong */

/* ---- running -------------------------------------------------------------------------------- */

static void write_passwords(void)
{
    struct secret *secret = secret_new("secret", 6);
    struct strbuf hash = { 0 }, text = { 0 };
    check(password_hash(secret, &hash), "a hash");
    buf_printf(&text, "alice:%s:staff\nbob:%s:guests\nzo\xc3\xab:%s:staff,n\xc3\xa4he\ngone:%s:staff:disabled\n",
               hash.p, hash.p, hash.p, hash.p);
    int fd = mkstemp(password_file);
    check(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n, "a file of passwords");
    close(fd);
    secret_release(secret);
    buf_free(&hash);
    buf_free(&text);
}

/* What a test's main does: the number of failures decides the status. */
static int gate_tests(const char *name, void (*const tests[])(void), size_t n)
{
    struct strbuf err = { 0 };
    struct arena *a = arena_new();
    struct users_set sets[] = { { .name = "Staff" }, { .name = "Group" } };
    secrets_start();
    write_passwords();
    struct sign_in settings = { .ad = AD_BY_FILE, .passwords = password_file, .timeout = 5 };
    vec_add(a, &settings.domains, ((struct sign_in_domain){ "LAB", "LAB.TEST" }));
    vec_add(a, &sets[STAFF].members, ((struct users_member){ .name = "LAB\\alice" }));
    vec_add(a, &sets[GROUP].members, ((struct users_member){ .name = "n\xc3\xa4he", .group = true }));
    struct key_ring *keys = key_ring_random();
    struct forms *pages = forms_new(NULL, &err);
    g = (struct gate){ .listener = "External",
                       .domain = "LAB",
                       .agents = agents_default,
                       .agents_n = agents_default_n,
                       .pages = pages,
                       .auth = auth_new(&settings, false, &err),
                       .logged_off = logged_off_new(64),
                       .users = users_new(sets, 2) };
    g.sessions.keys = keys;
    check(g.auth && pages && !err.n, err.n ? err.p : "set up");
    for (size_t i = 0; g.auth && pages && i < n; i++)
        tests[i]();
    forget_result();
    new_connection();
    arena_free(arena);
    head_free(&head);
    credentials_free(g.credentials);
    throttle_free(g.throttle);
    logged_off_free(g.logged_off);
    users_free(g.users);
    auth_free(g.auth);
    forms_free(pages);
    key_ring_free(keys);
    arena_free(a);
    buf_free(&err);
    unlink(password_file);
    return summary(name);
}
#endif
