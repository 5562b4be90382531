/* throttle and credentials: a stand-in for a domain counts wrong passwords as Active Directory does; no order of guesses may
 * lock an account there. The clock is a number. */
#include "check.h"
#include "auth/credentials.h"
#include "auth/seal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

enum { T0 = 1800000000, MINUTE = 60 };

static struct user_name named(const char *account)
{
    return (struct user_name){ account, "LAB", "" };
}

/* ---- the counters alone ------------------------------------------------------------------- */

static long wrong(struct throttle *t, const char *account, uint32_t address, long long now)
{
    struct user_name n = named(account);
    long wait = throttle_ask(t, &n, address, now);
    if (!wait)
        throttle_result(t, &n, address, THROTTLE_WRONG, now);
    return wait;
}

static void test_account(void)
{
    struct throttle *t = throttle_new(&(struct throttle_limits){ 4, 0, 30 * MINUTE }, 1024, 1024);
    struct user_name alice = named("alice"), shouted = { "ALICE", "", "lab.test" };
    for (int i = 0; i < 4; i++)
        check(wrong(t, "alice", (uint32_t)i, T0 + i) == 0, "four may be wrong");
    check(wrong(t, "alice", 99, T0 + 4) == 30 * MINUTE - 1,
          "the fifth waits for the window from the last one, from anywhere");
    check(throttle_ask(t, &shouted, 99, T0 + 5) > 0, "also by another way of writing the name");
    /* What directories take for the same: spaces, accents, width, marks that combine, what is not seen. */
    static const char *const spellings[] = { " alice",
                                             "alice   ",
                                             "a lice",
                                             "\xc3\xa1lice",
                                             "ALIC\xc3\x89",
                                             "alic\xcc\x81\x65",
                                             "\xef\xbd\x81lice",
                                             "a\xe2\x80\x8blice",
                                             "al\xc2\xad\x69\x63\x65",
                                             "\xe1\xba\xa1lic\xe1\xbb\x87",
                                             "alice\xc2\xa0" };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        check(wrong(t, spellings[i], 99, T0 + 5) > 0, spellings[i]);
    static const char *const cyrillic[] = { "\xd0\x98\xd0\xb2", "\xd0\xb8\xd0\xb2", "\xd0\x98\xd0\x92",
                                            "\xd0\xb8 \xd0\x92" };
    for (size_t i = 0; i < 4; i++)
        check(wrong(t, cyrillic[i], 99, T0 + 5) == 0, "in another script");
    check(wrong(t, cyrillic[0], 99, T0 + 5) > 0 && wrong(t, "\xd0\xb2\xd0\xb8", 99, T0 + 5) == 0,
          "it counts as one, too");
    check(wrong(t, "alic", 99, T0 + 5) == 0 && wrong(t, "alice1", 99, T0 + 5) == 0,
          "another letter is another account");
    check(wrong(t, "bob", 99, T0 + 5) == 0, "others are not concerned");
    check(wrong(t, "alice", 99, T0 + 3 + 30 * MINUTE - 1) == 1, "to the second");
    check(wrong(t, "alice", 99, T0 + 3 + 30 * MINUTE) == 0, "then it begins anew");
    throttle_free(t);

    t = throttle_new(&(struct throttle_limits){ 4, 0, 30 * MINUTE }, 1024, 1024);
    for (int i = 0; i < 3; i++)
        wrong(t, "alice", 1, T0);
    check(throttle_ask(t, &alice, 1, T0) == 0, "the fourth");
    check(throttle_ask(t, &alice, 1, T0) > 0, "while it is not known nobody else may");
    throttle_result(t, &alice, 1, THROTTLE_RIGHT, T0);
    for (int i = 0; i < 4; i++)
        check(wrong(t, "alice", 1, T0 + 1) == 0, "a right one begins anew");
    check(wrong(t, "alice", 1, T0 + 1) > 0, "and no more than that");
    throttle_free(t);

    t = throttle_new(&(struct throttle_limits){ 4, 0, 30 * MINUTE }, 1024, 1024);
    for (int i = 0; i < 20; i++) {
        check(throttle_ask(t, &alice, 1, T0) == 0, "nobody could be asked");
        throttle_result(t, &alice, 1, THROTTLE_UNKNOWN, T0);
    }
    throttle_free(t);
}

static void test_address(void)
{
    struct throttle *t = throttle_new(&(struct throttle_limits){ 0, 30, 30 * MINUTE }, 1024, 1024);
    char account[24];
    int taken = 0;
    for (int i = 0; i < 1000; i++) { /* spraying: one guess each at a thousand accounts */
        snprintf(account, sizeof account, "user%d", i);
        taken += wrong(t, account, 7, T0) == 0;
    }
    check(taken == 30, "an address has thirty");
    check(wrong(t, "userx", 8, T0) == 0, "another has its own");
    struct user_name own = named("own");
    check(throttle_ask(t, &own, 7, T0) > 0, "a password of its own does not help it");
    taken = 0;
    for (int i = 0; i < 60; i++) /* an hour later: one a minute */
        taken += wrong(t, "many", 7, T0 + (i + 1) * MINUTE) == 0;
    check(taken == 60, "it gets them back evenly, one a minute");
    taken = 0;
    for (int i = 0; i < 100; i++)
        taken += wrong(t, "many", 7, T0 + 60 * MINUTE + 30) == 0;
    check(taken <= 1, "and no faster");
    check(wrong(t, "many", 7, T0 + 90 * MINUTE + 31) == 0, "a quiet window empties it");
    throttle_free(t);

    t = throttle_new(&(struct throttle_limits){ 0, 0, 30 * MINUTE }, 8, 8);
    for (int i = 0; i < 100; i++)
        check(wrong(t, "a", 1, T0) == 0, "no limits");
    throttle_free(t);
}

/* Who guesses at many accounts cannot make the one that is blocked be forgotten: rooms are for the worst. */
static void test_bounds(void)
{
    struct throttle *t = throttle_new(&(struct throttle_limits){ 4, 0, 30 * MINUTE }, 256, 256);
    char account[24];
    for (int i = 0; i < 4; i++)
        wrong(t, "victim", 1, T0);
    for (int i = 0; i < 100000; i++) {
        snprintf(account, sizeof account, "user%d", i);
        wrong(t, account, (uint32_t)i, T0 + 1);
    }
    check(wrong(t, "victim", 1, T0 + 2) > 0, "still blocked after 100,000 others in a table of 256");
    throttle_free(t);
}

/* ---- a domain ------------------------------------------------------------------------------------ */

enum { ACCOUNTS = 5, THRESHOLD = 5 };
struct domain {
    int bad[ACCOUNTS];
    long long last[ACCOUNTS];
    bool locked;
    long long now;
    atomic_int asked;
    useconds_t slow;
    long patience;
    atomic_bool silent; /* until it is not */
};

static enum verdict ask_domain(const struct credentials_question *q, struct challenge *asked, struct identity **who,
                               struct strbuf *why)
{
    struct domain *d = q->context;
    const struct user_name *name = q->shown.name;
    struct secret *password = q->shown.password;
    int i = name->account[0] - 'a';
    (void)asked;
    d->asked++;
    if (d->slow)
        usleep(d->slow);
    while (d->silent)
        usleep(1000);
    if (i < 0 || i >= ACCOUNTS)
        return VERDICT_UNKNOWN;
    if (d->now - d->last[i] >= 30 * MINUTE) /* the observation window counts from the last one */
        d->bad[i] = 0;
    if (strcmp(secret_text(password), "right") != 0) {
        d->last[i] = d->now;
        d->locked |= ++d->bad[i] >= THRESHOLD;
        buf_puts(why, "wrong");
        return VERDICT_WRONG;
    }
    d->bad[i] = 0;
    *who = identity_new(&(struct identity){
        .account = name->account, .domain = name->domain, .realm = "", .proof = PROOF_PASSWORD, .password = password });
    return VERDICT_OK;
}

static enum verdict ask(struct credentials *c, struct domain *d, const char *account, const char *text,
                        uint32_t address, long *wait)
{
    struct user_name n = named(account);
    struct secret *password = secret_new(text, strlen(text));
    struct strbuf why = { 0 };
    struct credentials_question q = { .shown = { .name = &n, .password = password },
                                      .address = address,
                                      .now = d->now,
                                      .check = ask_domain,
                                      .context = d };
    struct credentials_answer got;
    credentials_ask(c, &q, &got, &why);
    check((got.verdict == VERDICT_OK) == (got.who != NULL) && (!got.who || strcmp(got.who->account, account) == 0),
          "an identity, and whose");
    check(got.verdict != VERDICT_OK || (got.until > d->now && got.until <= d->now + CREDENTIALS_RIGHT_S),
          "good for 300 s since it was checked, at most");
    if (wait)
        *wait = got.wait;
    identity_release(got.who);
    secret_release(password);
    buf_free(&why);
    return got.verdict;
}

static bool known(struct credentials *c, const char *account, const char *text, long long now)
{
    struct user_name n = named(account);
    struct secret *password = secret_new(text, strlen(text));
    long long until;
    struct identity *who =
        credentials_known(c, &(struct shown_credentials){ .name = &n, .password = password }, now, &until);
    bool is = who;
    check(!is || (until > now && until <= now + CREDENTIALS_RIGHT_S),
          "for no longer than it was good when it was checked");
    identity_release(who);
    secret_release(password);
    return is;
}

/* Ten days of guesses, right passwords and pauses, of any length: the domain never gets to five in a row. */
static void test_never_locked(void)
{
    unsigned state = 11;
    long refused = 0, asked = 0;
    for (int round = 0; round < 40; round++) {
        struct throttle *t = throttle_new(&(struct throttle_limits){ THRESHOLD - 1, 1000, 30 * MINUTE }, 64, 64);
        struct credentials *c = credentials_new(16, t);
        struct domain d = { .now = T0 };
        for (int i = 0; i < 1000; i++) {
            char account[2] = { (char)('a' + (int)(next_random(&state) % ACCOUNTS)), 0 }, text[24];
            static const unsigned pauses[] = {
                0, 1, 5, 60, 400, 29 * MINUTE, 30 * MINUTE - 1, 30 * MINUTE, 2 * 30 * MINUTE
            };
            long wait = 0;
            snprintf(text, sizeof text, next_random(&state) % 8 ? "guess%u" : "right", next_random(&state) % 40);
            ask(c, &d, account, text, next_random(&state) % 4, &wait);
            refused += wait != 0;
            d.now += next_random(&state) % 3 ? 0 : pauses[next_random(&state) % (sizeof pauses / sizeof *pauses)];
        }
        asked += d.asked;
        check(!d.locked, "the domain's lockout is never reached");
        credentials_free(c);
        throttle_free(t);
    }
    check(refused > 1000 && asked > 1000, "while both happened: asking and refusing");
}

static void test_cache(void)
{
    struct throttle *t = throttle_new(&(struct throttle_limits){ 4, 100, 30 * MINUTE }, 64, 64);
    struct credentials *c = credentials_new(64, t);
    struct domain d = { .now = T0 };
    check(!known(c, "a", "right", T0) && ask(c, &d, "a", "right", 1, NULL) == VERDICT_OK && d.asked == 1, "asked once");
    check(known(c, "a", "right", T0 + 299) && ask(c, &d, "a", "right", 2, NULL) == VERDICT_OK && d.asked == 1,
          "then known, from anywhere");
    check(!known(c, "a", "righ", T0) && !known(c, "b", "right", T0), "not with another password, nor another user");
    d.now = T0 + 300;
    check(!known(c, "a", "right", d.now) && ask(c, &d, "a", "right", 1, NULL) == VERDICT_OK && d.asked == 2,
          "asked again after 300 s");
    for (int i = 0; i < 20; i++)
        check(ask(c, &d, "a", "last month's", 1, NULL) == VERDICT_WRONG, "a telephone that goes on with the old one");
    check(d.asked == 3 && d.bad[0] == 1, "uses up one attempt");
    check(ask(c, &d, "a", "right", 1, NULL) == VERDICT_OK, "and the user is not concerned");
    d.now += CREDENTIALS_WRONG_S;
    check(ask(c, &d, "a", "last month's", 1, NULL) == VERDICT_WRONG && d.asked == 4, "it is asked again after a while");
    struct user_name a = named("A");
    credentials_forget(c, &a);
    check(!known(c, "a", "right", d.now) && ask(c, &d, "a", "right", 1, NULL) == VERDICT_OK && d.asked == 5,
          "forgotten when it was changed");
    check(ask(c, &d, "z", "right", 1, NULL) == VERDICT_UNKNOWN, "unknown");
    credentials_clear(c);
    check(!known(c, "a", "right", d.now), "all forgotten");
    for (int i = 0; i < 4; i++) {
        char text[24];
        snprintf(text, sizeof text, "guess%d", i);
        ask(c, &d, "b", text, 1, NULL);
    }
    long wait;
    int before = d.asked;
    check(ask(c, &d, "b", "right", 1, &wait) == VERDICT_LOCKED && wait == 30 * MINUTE && d.asked == before,
          "too many: nobody is asked");
    credentials_free(c);
    throttle_free(t);
}

struct one {
    pthread_t thread;
    struct credentials *c;
    struct domain *d;
    const char *text;
    enum verdict got;
};

static void *run_one(void *p)
{
    struct one *o = p;
    struct user_name n = named("c");
    struct secret *password = secret_new(o->text, strlen(o->text));
    struct strbuf why = { 0 };
    struct credentials_question q = { .shown = { .name = &n, .password = password },
                                      .address = 3,
                                      .now = o->d->now,
                                      .patience = o->d->patience,
                                      .check = ask_domain,
                                      .context = o->d };
    struct credentials_answer got;
    credentials_ask(o->c, &q, &got, &why);
    o->got = got.verdict;
    identity_release(got.who);
    secret_release(password);
    buf_free(&why);
    return NULL;
}

/* A browser's six connections, with the same credentials at once: one question, six answers. */
static void test_at_once(void)
{
    static const char *const texts[] = { "right", "guess" };
    for (int k = 0; k < 2; k++) {
        struct throttle *t = throttle_new(&(struct throttle_limits){ 4, 100, 30 * MINUTE }, 64, 64);
        struct credentials *c = credentials_new(64, t);
        struct domain d = { .now = T0, .slow = 100000 };
        struct one v[6];
        int good = 0;
        for (int i = 0; i < 6; i++) {
            v[i] = (struct one){ .c = c, .d = &d, .text = texts[k] };
            pthread_create(&v[i].thread, NULL, run_one, &v[i]);
        }
        for (int i = 0; i < 6; i++) {
            pthread_join(v[i].thread, NULL);
            good += v[i].got == (k ? VERDICT_WRONG : VERDICT_OK);
        }
        check(good == 6 && d.asked == 1, "asked once for six");
        credentials_free(c);
        throttle_free(t);
    }
}

/* Who is asked says nothing: the others are told so in time, who comes later asks for himself, and the late answer is good. */
static void test_silent(void)
{
    struct throttle *t = throttle_new(&(struct throttle_limits){ 0, 0, 30 * MINUTE }, 64, 64);
    struct credentials *c = credentials_new(64, t);
    struct domain d = { .now = T0, .patience = 1, .silent = true };
    struct one each = { .c = c, .d = &d, .text = "right" }, v[3] = { each, each, each };
    pthread_create(&v[0].thread, NULL, run_one, &v[0]);
    while (!d.asked)
        usleep(1000);
    pthread_create(&v[1].thread, NULL, run_one, &v[1]);
    pthread_join(v[1].thread, NULL);
    check(v[1].got == VERDICT_UNAVAILABLE && d.asked == 1, "who waits for somebody else's answer gets none in time");
    pthread_create(&v[2].thread, NULL, run_one, &v[2]);
    while (d.asked < 2)
        usleep(1000);
    d.silent = false;
    pthread_join(v[0].thread, NULL);
    pthread_join(v[2].thread, NULL);
    check(v[0].got == VERDICT_OK && v[2].got == VERDICT_OK && d.asked == 2, "and who comes later asks for himself");
    check(known(c, "c", "right", T0), "what was said in the end is kept");
    credentials_free(c);
    throttle_free(t);
}

static bool names(struct credentials *c, const char *account, const char *listener, unsigned char id, long long now)
{
    unsigned char bytes[CERTIFICATE_ID] = { id };
    struct user_name n = named(account);
    long long until;
    struct shown_credentials s = { .name = &n, .certificate = bytes, .listener = listener };
    struct identity *who = credentials_known(c, &s, now, &until);
    identity_release(who);
    return who;
}

static enum verdict ask_certificate(const struct credentials_question *q, struct challenge *asked,
                                    struct identity **who, struct strbuf *why)
{
    struct domain *d = q->context;
    (void)asked, (void)why;
    d->asked++;
    if (q->shown.certificate[0] == 9)
        return VERDICT_DISABLED;
    *who = identity_new(&(struct identity){
        .account = q->shown.name->account, .domain = "", .realm = "LAB.TEST", .proof = PROOF_CERTIFICATE });
    return VERDICT_OK;
}

/* B-95 for certificates: one look at the account for all connections; another certificate or listener has its own. */
static void test_certificates(void)
{
    struct throttle *t = throttle_new(&(struct throttle_limits){ 2, 2, 30 * MINUTE }, 64, 64);
    struct credentials *c = credentials_new(64, t);
    struct domain d = { .now = T0 };
    unsigned char id[CERTIFICATE_ID] = { 1 }, disabled[CERTIFICATE_ID] = { 9 };
    struct user_name n = named("a");
    struct strbuf why = { 0 };
    struct credentials_question q = { .shown = { .name = &n, .certificate = id, .listener = "edge" },
                                      .now = T0,
                                      .check = ask_certificate,
                                      .context = &d };
    struct credentials_answer got;
    credentials_ask(c, &q, &got, &why);
    check(got.verdict == VERDICT_OK && got.who && got.until == T0 + CREDENTIALS_RIGHT_S, "an account");
    identity_release(got.who);
    check(names(c, "a", "edge", 1, T0 + 299) && d.asked == 1, "known to other connections");
    check(!names(c, "a", "edge", 1, T0 + 300), "for 300 s");
    check(!names(c, "a", "other", 1, T0) && !names(c, "a", "edge", 2, T0) && !names(c, "b", "edge", 1, T0),
          "not on another listener, with another certificate, or for another account");
    check(!known(c, "a", "", T0), "and it is no password");
    q.shown.certificate = disabled;
    for (int i = 0; i < 5; i++) {
        credentials_ask(c, &q, &got, &why);
        check(got.verdict == VERDICT_DISABLED && !got.who && !got.wait, "certificates are no guesses");
    }
    credentials_clear(c);
    check(!names(c, "a", "edge", 1, T0), "forgotten with the rest");
    buf_free(&why);
    credentials_free(c);
    throttle_free(t);
}

int main(void)
{
    secrets_start();
    test_account();
    test_address();
    test_bounds();
    test_never_locked();
    test_cache();
    test_at_once();
    test_silent();
    test_certificates();
    return summary("throttle");
}
