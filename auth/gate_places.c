/* gate_places: the form itself - showing it, taking what it sends, signing out, changing a password.
 *
 * What a form sends is taken only with a token that this instance, or one with its keys, sealed into the page for the very
 * browser: it names a random number that stands in a cookie beside (__Host-, so that no neighbouring name can set it), and
 * runs out. Besides, Origin and Sec-Fetch-Site must not speak of another site, where the browser sends them.
 */
#include "gate_internal.h"

#include <openssl/crypto.h>

#define FORM_COOKIE "__Host-publishd-form"
enum { TOKEN_PLAIN = FORM_NONCE + 8, DAY = 86400 };

/* ---- heads ------------------------------------------------------------------------------- */

static const char *field_named(const struct head *h, const char *name)
{
    size_t n = strlen(name);
    for (uint32_t i = 0; i < h->n; i++)
        if (h->fields[i].name_n == n && ascii_ncasecmp(h->fields[i].name, name, n) == 0)
            return h->fields[i].value;
    return NULL;
}

static bool from_here(const struct gate_at *at)
{
    const char *origin = head_value(at->q->head, FIELD_ORIGIN), *site = field_named(at->q->head, "Sec-Fetch-Site");
    if (site && strcmp(site, "same-origin") != 0)
        return false;
    return !origin || (strncmp(origin, "https://", 8) == 0 && ascii_casecmp(origin + 8, at->q->authority) == 0);
}

static bool is_form(const struct head *h)
{
    static const char type[] = "application/x-www-form-urlencoded";
    const char *said = head_value(h, FIELD_CONTENT_TYPE);
    size_t n = sizeof type - 1;
    return said && ascii_ncasecmp(said, type, n) == 0 && (said[n] == '\0' || strchr("; \t", said[n]));
}

/* ---- tokens --------------------------------------------------------------------------------- */

const char *gate_form_context(const struct gate_at *at)
{
    return arena_printf(at->a, "%s\n%s", at->g->listener, at->q->host);
}

bool gate_form_nonce(const struct gate_at *at, unsigned char nonce[FORM_NONCE])
{
    const char *cookies = head_value(at->q->head, FIELD_COOKIE), *value;
    size_t n;
    unsigned char got[FORM_NONCE + 1];
    if (!cookies || !(value = cookie_next(&cookies, FORM_COOKIE, &n)) ||
        base64url_decode(value, n, got, sizeof got) != FORM_NONCE)
        return false;
    memcpy(nonce, got, FORM_NONCE);
    return true;
}

/* A page in another tab has the same number: its token stays good. */
static const char *token_make(struct gate_at *at)
{
    unsigned char plain[TOKEN_PLAIN];
    struct strbuf b = { 0 };
    if (!gate_form_nonce(at, plain)) {
        random_bytes(plain, FORM_NONCE);
        buf_puts(&b, FORM_COOKIE "=");
        base64url_encode(&b, plain, FORM_NONCE);
        buf_puts(&b, "; Path=/; Secure; HttpOnly; SameSite=Lax");
        gate_add(at, "Set-Cookie", arena_strdup(at->a, b.p));
        buf_clear(&b);
    }
    for (int i = 0; i < 8; i++)
        plain[FORM_NONCE + i] = (unsigned char)((uint64_t)at->q->now >> (56 - 8 * i));
    seal(at->g->sessions.keys, "form", gate_form_context(at), plain, sizeof plain, &b);
    const char *token = arena_strdup(at->a, b.p);
    buf_free(&b);
    return token;
}

/* NULL: it is good. Else the name of the text that says what is wrong. */
static const char *token_wrong(const struct gate_at *at, const char *token)
{
    unsigned char plain[SEAL_PLAIN], nonce[FORM_NONCE];
    uint64_t made = 0;
    if (!gate_form_nonce(at, nonce))
        return "cookies";
    if (!token ||
        seal_open(at->g->sessions.keys, "form", gate_form_context(at), token, strlen(token), plain) != TOKEN_PLAIN)
        return "expired_form"; /* the keys may have changed since the page was made */
    for (int i = 0; i < 8; i++)
        made = made << 8 | plain[FORM_NONCE + i];
    if (CRYPTO_memcmp(plain, nonce, FORM_NONCE) != 0)
        return "other_site";
    return at->q->now - (long long)made > GATE_FORM_AGE ? "expired_form" : NULL;
}

/* ---- pages ------------------------------------------------------------------------------------ */

static void page_headers(struct gate_at *at, const char *language)
{
    /* form-action lets every https address through: browsers hold redirects after a form against it, and where the
     * published application sends its users is not ours to forbid. */
    gate_add(at, "Content-Type", "text/html; charset=utf-8");
    gate_add(at, "Content-Language", language);
    gate_add(at, "Cache-Control", "no-store");
    gate_add(at, "Content-Security-Policy",
             "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
             "form-action 'self' https:; base-uri 'none'; frame-ancestors 'none'");
    gate_add(at, "X-Frame-Options", "DENY");
    gate_add(at, "X-Content-Type-Options", "nosniff");
    /* Not no-referrer: browsers then send "Origin: null" with the form. */
    gate_add(at, "Referrer-Policy", "same-origin");
}

static const char *text(struct gate_at *at, const char *language, const char *name, const struct form_value *values,
                        size_t n)
{
    struct strbuf b = { 0 };
    if (name)
        forms_text(at->g->pages, language, name, values, n, &b);
    const char *s = arena_strdup(at->a, b.p ? b.p : "");
    buf_free(&b);
    return s;
}

static const char *duration(struct gate_at *at, const char *language, long seconds)
{
    struct strbuf b = { 0 };
    forms_time(at->g->pages, language, seconds, &b);
    const char *s = arena_strdup(at->a, b.p ? b.p : "");
    buf_free(&b);
    return s;
}

static const char *place_link(struct gate_at *at, const char *place, const char *url)
{
    struct strbuf b = { 0 };
    buf_printf(&b, "%s?url=", place);
    parameter_encode(&b, url);
    const char *s = arena_strdup(at->a, b.p);
    buf_free(&b);
    return s;
}

void gate_form_page(struct gate_at *at, enum form which, int status, const struct form_state *f)
{
    static const char *const actions[FORMS] = { PLACE_SIGN_IN_PATH, PLACE_PASSWORD_PATH, PLACE_SIGN_OUT_PATH, "", "",
                                                PLACE_SIGN_IN_PATH };
    const struct forms_settings *form = &at->g->sessions.form;
    const char *language = forms_language(at->g->pages, head_value(at->q->head, FIELD_ACCEPT_LANGUAGE));
    const char *url = f->url ? f->url : "/";
    const struct form_value times[] = { { "public_time", duration(at, language, form->public_timeout) },
                                        { "private_time", duration(at, language, form->private_timeout) },
                                        { "wait", duration(at, language, (f->wait + 59) / 60 * 60) },
                                        { "left", duration(at, language, f->left * DAY) } };
    bool token = which == FORM_SIGN_IN || which == FORM_PASSWORD || which == FORM_FURTHER;
    gate_refuse(at, status, f->error);
    const struct form_value values[] = {
        { "language", language },
        { "host", at->q->host },
        { "files", PLACE_FILES_PATH },
        { "action", actions[which] },
        { "token", token ? token_make(at) : "" },
        { "url", url },
        { "user", f->user },
        { "private", f->private_computer ? "1" : "" },
        { "error", text(at, language, f->error, times, 4) },
        { "notice", text(at, language, f->notice, times, 4) },
        { "public_hint",
          text(at, language, form->absolute_timeout ? "public_hint_absolute" : "public_hint", times, 4) },
        { "private_hint",
          text(at, language, form->absolute_timeout ? "private_hint_absolute" : "private_hint", times, 4) },
        { "asked", f->asked },
        { "further", f->further },
        { "echo", f->echo ? "1" : "" },
        { "passcode", gate_passcodes(at->g) ? "1" : "" },
        { "collect", at->g->keep_password ? "1" : "" },
        { "change", gate_changes_passwords(at->g) ? place_link(at, PLACE_PASSWORD_PATH, url) : "" },
        { "sign_in", place_link(at, PLACE_SIGN_IN_PATH, url) },
    };
    struct strbuf b = { 0 };
    page_headers(at, language);
    forms_render(at->g->pages, which, language, values, sizeof values / sizeof *values, &b);
    at->out->body = arena_strndup(at->a, b.p ? b.p : "", b.n);
    at->out->body_n = b.n;
    buf_free(&b);
}

static const char *url_of(struct gate_at *at, const char *text_in, size_t n)
{
    const char *url = parameter(at->a, text_in, n, "url");
    return url && return_allowed(url) ? url : "/";
}

/* ---- asking for a place -------------------------------------------------------------------------- */

/* why: of our own redirects; anything else says nothing. */
static void show_sign_in(struct gate_at *at, const char *query)
{
    static const char *const errors[] = { "interrupted", "elsewhere", NULL };
    static const char *const notices[] = { "ended", "changed", NULL };
    const char *why = parameter(at->a, query, strlen(query), "why");
    struct form_state f = { .url = url_of(at, query, strlen(query)) };
    struct session s;
    for (int i = 0; why && errors[i]; i++)
        if (strcmp(why, errors[i]) == 0)
            f.error = errors[i];
    for (int i = 0; why && notices[i]; i++)
        if (strcmp(why, notices[i]) == 0)
            f.notice = notices[i];
    if (!f.error && !f.notice && gate_session(at, &s) == SESSION_GOOD) {
        session_end(&s);
        gate_redirect(at, 302, f.url);
        return;
    }
    gate_form_page(at, FORM_SIGN_IN, 200, &f);
    at->out->why = NULL;
}

static void sign_out(struct gate_at *at)
{
    struct session s;
    if (gate_session(at, &s) == SESSION_GOOD) {
        logged_off_add(at->g->logged_off, s.id, session_last(&at->g->sessions, &s, at->q->now), at->q->now);
        session_end(&s);
    }
    gate_form_page(at, FORM_SIGNED_OFF, 200, &(struct form_state){ 0 });
    gate_cookie(at, NULL);
}

/* A link of another site signs nobody out: there the page asks first. */
static void show_sign_out(struct gate_at *at)
{
    const char *site = field_named(at->q->head, "Sec-Fetch-Site");
    if (site && strcmp(site, "cross-site") == 0)
        gate_form_page(at, FORM_SIGN_OUT, 200, &(struct form_state){ 0 });
    else
        sign_out(at);
}

static void send_file(struct gate_at *at, const char *name)
{
    const struct form_file *f = forms_file(at->g->pages, name);
    if (!f) {
        gate_refuse(at, 404, NULL);
        return;
    }
    gate_refuse(at, 200, NULL);
    at->out->body = f->bytes;
    at->out->body_n = f->n;
    gate_add(at, "Content-Type", f->type);
    gate_add(at, "Cache-Control", "max-age=3600");
    gate_add(at, "X-Content-Type-Options", "nosniff");
    gate_add(at, "Content-Security-Policy",
             "default-src 'none'; style-src 'unsafe-inline'"); /* an SVG may hold scripts */
}

static void from_old_place(struct gate_at *at, const char *query)
{
    const char *url = old_target(at->a, query);
    gate_redirect(at, 302, place_link(at, PLACE_SIGN_IN_PATH, url && return_allowed(url) ? url : "/"));
}

/* Whoever is signed in need not write the name again. */
static void show_password(struct gate_at *at, const char *query)
{
    struct form_state f = { .url = url_of(at, query, strlen(query)) };
    struct session s;
    if (gate_session(at, &s) == SESSION_GOOD) {
        f.user = *s.domain  ? arena_printf(at->a, "%s\\%s", s.domain, s.account)
                 : *s.realm ? arena_printf(at->a, "%s@%s", s.account, s.realm)
                            : arena_strdup(at->a, s.account);
        session_end(&s);
    }
    gate_form_page(at, FORM_PASSWORD, 200, &f);
}

static void get_place(struct gate_at *at, enum place place, const char *rest)
{
    switch (place) {
    case PLACE_SIGN_IN: show_sign_in(at, rest); break;
    case PLACE_SIGN_OUT: show_sign_out(at); break;
    case PLACE_PASSWORD: show_password(at, rest); break;
    case PLACE_FILE: send_file(at, rest); break;
    default: gate_refuse(at, 404, NULL); break;
    }
}

static void post_place(struct gate_at *at, enum place place)
{
    bool body = place == PLACE_SIGN_IN || place == PLACE_PASSWORD;
    const struct head *h = at->q->head;
    if (!body && place != PLACE_SIGN_OUT) {
        gate_refuse(at, 405, NULL);
        gate_add(at, "Allow", "GET, HEAD");
    } else if (!from_here(at)) {
        gate_form_page(at, body ? FORM_SIGN_IN : FORM_SIGN_OUT, 403, &(struct form_state){ .error = "other_site" });
    } else if (!body) {
        sign_out(at);
    } else if (!is_form(h)) {
        gate_refuse(at, 415, "no form");
    } else if (h->framing == BODY_LENGTH && h->length > GATE_BODY_BYTES) {
        gate_refuse(at, 413, "too large for a form");
    } else {
        at->out->kind = GATE_BODY;
    }
}

bool gate_at_place(struct gate_at *at)
{
    const char *rest, *method = at->q->head->method;
    enum place place = place_of(target_path(at->q->head->target), &rest);
    if (place == PLACE_NONE)
        return false;
    if (!at->q->known_host)
        gate_forbid(at, PAGE_NO_RULE, "no rule publishes this name");
    else if (!at->q->tls)
        gate_forbid(at, PAGE_NEEDS_SSL, "forms are for HTTPS only");
    else if (place == PLACE_PASSWORD && !gate_changes_passwords(at->g))
        gate_refuse(at, 404, NULL);
    else if (place == PLACE_OLD)
        from_old_place(at, rest);
    else if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        get_place(at, place, rest);
    else if (strcmp(method, "POST") == 0)
        post_place(at, place);
    else
        gate_refuse(at, 405, NULL);
    return true;
}

/* ---- what a form sent ----------------------------------------------------------------------------------- */

struct secret *gate_form_secret(struct gate_at *at, const char *body, size_t n, const char *name)
{
    char *s = (char *)(uintptr_t)parameter(at->a, body, n, name);
    struct secret *secret = s && utf8_valid(s, strlen(s)) ? secret_new(s, strlen(s)) : NULL;
    if (s)
        OPENSSL_cleanse(s, strlen(s));
    return secret;
}

static bool is_empty(const struct secret *s)
{
    return !s || !secret_length(s);
}

struct gate_job *gate_form_job(struct gate_at *at, enum gate_task task, const struct user_name *name,
                               const struct form_state *f)
{
    struct gate_job *j = gate_job_new(at, task);
    j->judge = false; /* whether a rule lets the user pass is seen when it is asked for */
    j->name = (struct user_name){ arena_strdup(j->arena, name->account), arena_strdup(j->arena, name->domain),
                                  arena_strdup(j->arena, name->realm) };
    j->private_computer = f->private_computer;
    j->user = arena_strdup(j->arena, f->user);
    j->url = arena_strdup(j->arena, f->url);
    return j;
}

static void take_sign_in(struct gate_at *at, const char *body, size_t n, struct form_state *f)
{
    struct user_name name;
    bool otp = gate_passcodes(at->g);
    struct secret *checked = gate_form_secret(at, body, n, otp ? "passcode" : "password"),
                  *passed_on = otp && at->g->keep_password ? gate_form_secret(at, body, n, "password") : NULL;
    bool missing = is_empty(checked) || (otp && at->g->keep_password && is_empty(passed_on));
    if (missing || !f->user || !user_name_parse(at->a, f->user, at->g->domain, &name)) {
        f->error = otp ? "missing_passcode" : "missing";
        gate_form_page(at, FORM_SIGN_IN, 403, f);
    } else {
        struct gate_job *j = gate_form_job(at, TASK_SIGN_IN, &name, f);
        j->password = secret_hold(checked);
        j->passed_on = secret_hold(passed_on);
    }
    secret_release(checked);
    secret_release(passed_on);
}

static void take_password(struct gate_at *at, const char *body, size_t n, struct form_state *f)
{
    struct user_name name;
    struct secret *old = gate_form_secret(at, body, n, "old"), *wanted = gate_form_secret(at, body, n, "new"),
                  *again = gate_form_secret(at, body, n, "again");
    if (is_empty(old) || is_empty(wanted) || is_empty(again) || !f->user ||
        !user_name_parse(at->a, f->user, at->g->domain, &name))
        f->error = "missing";
    else if (!secret_equal(wanted, again))
        f->error = "not_same";
    else if (secret_equal(wanted, old))
        f->error = "same_as_old";
    if (f->error) {
        gate_form_page(at, FORM_PASSWORD, 403, f);
    } else {
        struct gate_job *j = gate_form_job(at, TASK_CHANGE, &name, f);
        j->password = secret_hold(old);
        j->wanted = secret_hold(wanted);
    }
    secret_release(old);
    secret_release(wanted);
    secret_release(again);
}

/* What of the form is shown again. */
static struct form_state form_of(struct gate_at *at, const char *body, size_t n)
{
    const char *computer = parameter(at->a, body, n, "computer");
    struct form_state f = { .url = url_of(at, body, n),
                            .user = parameter(at->a, body, n, "user"),
                            .private_computer = computer && strcmp(computer, "private") == 0 };
    if (f.user && !utf8_valid(f.user, strlen(f.user)))
        f.user = NULL;
    return f;
}

void gate_body(const struct gate *g, const struct gate_request *q, const char *body, size_t n, struct arena *a,
               struct gate_result *out)
{
    struct gate_at at = { g, q, a, out };
    const char *rest;
    bool sign_in = place_of(target_path(q->head->target), &rest) == PLACE_SIGN_IN;
    struct form_state f = form_of(&at, body, n);
    *out = (struct gate_result){ 0 };
    if (n > GATE_BODY_BYTES)
        gate_refuse(&at, 413, "too large for a form");
    else if ((f.error = token_wrong(&at, parameter(a, body, n, "token"))))
        gate_form_page(&at, sign_in ? FORM_SIGN_IN : FORM_PASSWORD, 403, &f);
    else if (sign_in && parameter(a, body, n, "further"))
        gate_take_answer(&at, body, n, &f);
    else if (sign_in)
        take_sign_in(&at, body, n, &f);
    else
        take_password(&at, body, n, &f);
}

void gate_late(const struct gate *g, const struct gate_request *q, const char *body, size_t n, struct arena *a,
               struct gate_result *out)
{
    struct gate_at at = { g, q, a, out };
    const char *rest;
    *out = (struct gate_result){ 0 };
    if (n) {
        bool change = place_of(target_path(q->head->target), &rest) == PLACE_PASSWORD;
        struct form_state f = form_of(&at, body, n);
        f.error = "unavailable";
        gate_form_page(&at, change ? FORM_PASSWORD : FORM_SIGN_IN, 503, &f);
    } else {
        gate_refuse(&at, 503, NULL);
    }
    out->why = "nobody answered in time";
}

/* ---- what came of it ---------------------------------------------------------------------------------------- */

static void failed(struct gate_at *at, const struct gate_job *j, enum form which)
{
    struct form_state f = { .user = j->user,
                            .url = j->url,
                            .private_computer = j->private_computer,
                            .wait = j->wait,
                            .error = j->task == TASK_FURTHER                          ? "wrong_answer"
                                     : gate_passcodes(at->g) && which == FORM_SIGN_IN ? "wrong_passcode"
                                                                                      : "wrong" };
    int status = 403;
    if (j->wait) {
        f.error = "throttled";
        status = 429;
    } else if (j->verdict == VERDICT_UNAVAILABLE) {
        f.error = "unavailable";
        status = 503;
    } else if (j->verdict == VERDICT_WEAK) {
        f.error = "weak";
    } else if (j->verdict == VERDICT_MUST_CHANGE) {
        which = gate_changes_passwords(at->g) ? FORM_PASSWORD : which;
        f.error = which == FORM_PASSWORD ? "must_change" : "must_change_elsewhere";
    }
    gate_form_page(at, which, status, &f);
    if (j->wait)
        gate_retry_after(at, j->wait);
    at->out->why =
        arena_printf(at->a, "%s%s%s", verdict_names[j->verdict], j->why.n ? ": " : "", j->why.p ? j->why.p : "");
}

/* Is the password's end so near that it is to be said? (B-94) */
static bool ends_soon(const struct gate_at *at, const struct identity *who)
{
    long days = at->g->sessions.form.expiry_notice;
    return days && gate_of_domain(at->g) && who->password_expires &&
           who->password_expires <= at->q->now + (long long)days * DAY;
}

/* The answer to the form itself, so that nobody else can have it shown. */
static void tell_end(struct gate_at *at, const struct gate_job *j)
{
    long long left = (j->who->password_expires - at->q->now) / DAY;
    struct form_state f = { .url = j->url, .left = left > 0 ? (long)left : 0 };
    f.notice = f.left ? "expires_in" : "expires_today";
    gate_form_page(at, FORM_EXPIRES, 200, &f);
}

static void signed_in(struct gate_at *at, const struct gate_job *j)
{
    struct session s;
    if (gate_session(at, &s) == SESSION_GOOD) { /* this browser's earlier one is over */
        logged_off_add(at->g->logged_off, s.id, session_last(&at->g->sessions, &s, at->q->now), at->q->now);
        session_end(&s);
    }
    bool ok = session_begin(&s, j->who, j->private_computer, at->g->keep_password, at->q->address, at->q->now);
    if (!ok) {
        gate_refuse(at, 403, "the user's name is too long for a session");
        return;
    }
    s.once = j->task == TASK_FURTHER;
    if (ends_soon(at, j->who))
        tell_end(at, j);
    else
        gate_redirect(at, 303, j->url);
    gate_cookie(at, &s);
    session_end(&s);
}

void gate_form_after(struct gate_at *at, struct gate_job *j)
{
    enum form which = j->task == TASK_CHANGE ? FORM_PASSWORD : FORM_SIGN_IN;
    if (j->verdict == VERDICT_CHALLENGED && j->round < GATE_ROUNDS)
        gate_ask_further(at, j);
    else if (j->verdict != VERDICT_OK || j->wait)
        failed(at, j, which);
    else if (which == FORM_PASSWORD)
        gate_redirect(at, 303, arena_printf(at->a, "%s&why=changed", place_link(at, PLACE_SIGN_IN_PATH, j->url)));
    else if (!gate_certificate_agrees(at, j->who))
        gate_forbid(at, PAGE_NEEDS_CERTIFICATE, "a client certificate of the same user is required");
    else
        signed_in(at, j);
}
