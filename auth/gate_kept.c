/* gate_kept: the credentials of a connection's last request, so that the next one with the same costs a comparison (B-95). */
#include "gate_internal.h"

#include <openssl/crypto.h>

static void kept_drop(struct gate_connection *c)
{
    if (c->kept == KEPT_SESSION)
        session_end(&c->session);
    identity_release(c->kept_who);
    c->kept_who = NULL;
    if (c->text.p)
        OPENSSL_cleanse(c->text.p, c->text.n);
    buf_clear(&c->text);
    c->kept = KEPT_NOTHING;
}

void gate_connection_end(struct gate_connection *c)
{
    kept_drop(c);
    identity_release(c->who);
    identity_release(c->certificate.who);
    handshake_free(c->handshake);
    buf_wipe(&c->text);
    *c = (struct gate_connection){ 0 };
}

/* In a time that n alone decides, as CRYPTO_memcmp, but eight bytes at once: a cookie is long. */
static bool same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t differ = 0;
    for (; n >= sizeof differ; a += sizeof differ, b += sizeof differ, n -= sizeof differ) {
        uint64_t x, y;
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        differ |= x ^ y;
    }
    return !differ && CRYPTO_memcmp(a, b, n) == 0;
}

/* Compares piece by piece with what is kept; *at moves on. */
static bool piece(const struct gate_connection *c, size_t *at, const char *s, size_t n)
{
    bool same = c->text.n - *at > n && same_bytes(c->text.p + *at, s, n) && c->text.p[*at + n] == '\n';
    *at += n + 1;
    return same;
}

bool gate_kept_session(const struct gate_at *at)
{
    const struct gate_connection *c = at->q->connection;
    const struct head *h = at->q->head;
    size_t place = 0;
    if (c->kept != KEPT_SESSION || at->q->now >= c->kept_until || !piece(c, &place, at->q->host, strlen(at->q->host)))
        return false;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->fields[i].id == FIELD_COOKIE && h->fields[i].name_n &&
            !(place < c->text.n && piece(c, &place, h->fields[i].value, h->fields[i].value_n)))
            return false;
    return place == c->text.n;
}

void gate_keep_session(struct gate_at *at, const struct session *s, struct identity *who, long long until)
{
    struct gate_connection *c = at->q->connection;
    const struct head *h = at->q->head;
    kept_drop(c);
    c->kept = KEPT_SESSION;
    c->session = *s;
    c->session.password = secret_hold(s->password);
    c->kept_who = identity_hold(who);
    c->kept_until = until;
    buf_puts(&c->text, at->q->host);
    buf_putc(&c->text, '\n');
    for (uint32_t i = 0; i < h->n; i++) {
        if (h->fields[i].id != FIELD_COOKIE || !h->fields[i].name_n)
            continue;
        buf_add(&c->text, h->fields[i].value, h->fields[i].value_n);
        buf_putc(&c->text, '\n');
    }
}

bool gate_kept_basic(const struct gate_at *at)
{
    const struct gate_connection *c = at->q->connection;
    const char *value = head_value(at->q->head, FIELD_AUTHORIZATION);
    return c->kept == KEPT_BASIC && at->q->now < c->kept_until && c->text.n == strlen(value) &&
           same_bytes(c->text.p, value, c->text.n);
}

void gate_keep_basic(struct gate_at *at, struct identity *who, long long until)
{
    struct gate_connection *c = at->q->connection;
    const char *value = head_value(at->q->head, FIELD_AUTHORIZATION);
    kept_drop(c);
    c->kept = KEPT_BASIC;
    c->kept_who = identity_hold(who);
    c->kept_until = until;
    buf_add_secret(&c->text, value, strlen(value));
}
