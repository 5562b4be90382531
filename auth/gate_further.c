/* gate_further: what a RADIUS server asks for besides the password or passcode, as a code that was sent to a telephone (RFC 2865 section
 * 4.4). Nothing of it is kept here: what belongs to the answer stands sealed in the page - whose it is, the server's state, the
 * password that goes on to servers - so that any instance with the same keys takes it. It is good for the browser that it was made for,
 * for some minutes and rounds. Each answer is a guess, and counts like one.
 */
#include "gate_internal.h"

#include <openssl/crypto.h>

enum { FLAG_PRIVATE = 1, FLAG_PASSWORD = 2, USER_MOST = 1024 };
enum { FIXED = FORM_NONCE + 8 + 1 + 1 + 3 * 2 };
_Static_assert(FIXED + CHALLENGE_STATE + USER_MOST + SECRET_BYTES <= SEAL_PLAIN, "every question can be sealed");

struct sealed {
    unsigned char *p;
    size_t n, at;
    bool bad;
};

static void put(struct sealed *s, const void *bytes, size_t n)
{
    memcpy(s->p + s->at, bytes, n);
    s->at += n;
}

static void put_number(struct sealed *s, uint64_t v, int bytes)
{
    for (int i = bytes; i-- > 0;)
        s->p[s->at++] = (unsigned char)(v >> (8 * i));
}

static void put_text(struct sealed *s, const void *bytes, size_t n)
{
    put_number(s, n, 2);
    put(s, bytes, n);
}

static const unsigned char *get(struct sealed *s, size_t n)
{
    s->bad = s->bad || s->n - s->at < n;
    if (s->bad)
        return NULL;
    s->at += n;
    return s->p + s->at - n;
}

static uint64_t get_number(struct sealed *s, int bytes)
{
    const unsigned char *p = get(s, (size_t)bytes);
    uint64_t v = 0;
    for (int i = 0; p && i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static const unsigned char *get_text(struct sealed *s, size_t most, size_t *n)
{
    *n = get_number(s, 2);
    s->bad = s->bad || *n > most;
    return get(s, *n);
}

void gate_ask_further(struct gate_at *at, const struct gate_job *j)
{
    unsigned char plain[SEAL_PLAIN];
    struct sealed s = { .p = plain };
    struct strbuf b = { 0 };
    /* What goes on to servers is the password of the form: where it asks for a passcode too, the one beside that. */
    const struct secret *password = j->task == TASK_FURTHER || gate_passcodes(at->g) ? j->passed_on : j->password;
    bool keep = password && at->g->keep_password;
    size_t user_n = strlen(j->user);
    if (!gate_form_nonce(at, plain) || user_n > USER_MOST) {
        gate_refuse(at, 403, "the form has no cookie any more");
        return;
    }
    s.at = FORM_NONCE;
    put_number(&s, (uint64_t)(j->task == TASK_FURTHER ? j->began : at->q->now), 8);
    put_number(&s, j->round, 1);
    put_number(&s, (j->private_computer ? FLAG_PRIVATE : 0) | (keep ? FLAG_PASSWORD : 0), 1);
    put_text(&s, j->challenge.state, j->challenge.state_n);
    put_text(&s, j->user, user_n);
    if (keep)
        put_text(&s, secret_text(password), secret_length(password));
    seal(at->g->sessions.keys, "further", gate_form_context(at), plain, s.at, &b);
    OPENSSL_cleanse(plain, sizeof plain);
    const struct form_state f = { .user = j->user,
                                  .url = j->url,
                                  .asked = arena_strdup(at->a, j->challenge.text),
                                  .further = b.p,
                                  .echo = j->challenge.echo };
    gate_form_page(at, FORM_FURTHER, 200, &f);
    at->out->why = "something more is asked for";
    buf_free(&b);
}

/* The job that asks the server, from what was sealed. false: it is not this browser's, or too old, or was asked too often. */
static bool open_question(struct gate_at *at, const char *further, struct form_state *f, struct gate_job **out)
{
    unsigned char plain[SEAL_PLAIN], nonce[FORM_NONCE];
    struct user_name name;
    size_t state_n, user_n, password_n = 0;
    int n = seal_open(at->g->sessions.keys, "further", gate_form_context(at), further, strlen(further), plain);
    struct sealed s = { .p = plain, .n = n > 0 ? (size_t)n : 0 };
    const unsigned char *mine = get(&s, FORM_NONCE);
    long long began = (long long)get_number(&s, 8);
    unsigned round = (unsigned)get_number(&s, 1), flags = (unsigned)get_number(&s, 1);
    const unsigned char *state = get_text(&s, CHALLENGE_STATE, &state_n), *user = get_text(&s, USER_MOST, &user_n);
    const unsigned char *password = flags & FLAG_PASSWORD ? get_text(&s, SECRET_BYTES, &password_n) : NULL;
    bool good = !s.bad && s.at == s.n && gate_form_nonce(at, nonce) && !CRYPTO_memcmp(mine, nonce, FORM_NONCE) &&
                at->q->now - began <= GATE_ANSWER_AGE && round < GATE_ROUNDS;
    if (good) {
        f->user = arena_strndup(at->a, (const char *)user, user_n);
        f->private_computer = flags & FLAG_PRIVATE;
        good = user_name_parse(at->a, f->user, at->g->domain, &name);
    }
    if (good) {
        struct gate_job *j = *out = gate_form_job(at, TASK_FURTHER, &name, f);
        memcpy(j->challenge.state, state, state_n);
        j->challenge.state_n = state_n;
        j->began = began;
        j->round = round + 1;
        j->passed_on = password ? secret_new((const char *)password, password_n) : NULL;
    }
    OPENSSL_cleanse(plain, sizeof plain);
    return good;
}

void gate_take_answer(struct gate_at *at, const char *body, size_t n, struct form_state *f)
{
    struct gate_job *j = NULL;
    struct secret *answer = gate_form_secret(at, body, n, "answer");
    if (!answer || !secret_length(answer))
        f->error = "wrong_answer";
    else if (!open_question(at, parameter(at->a, body, n, "further"), f, &j))
        f->error = "expired_form";
    if (f->error)
        gate_form_page(at, FORM_SIGN_IN, 403, f);
    else
        j->password = secret_hold(answer);
    secret_release(answer);
}
