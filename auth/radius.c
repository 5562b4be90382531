/* radius: the password by a RADIUS server (RFC 2865, PAP).
 *
 * Written here because Debian 12's radcli sends no Message-Authenticator with such a request and demands none in the
 * answer: anybody on the way could then turn a refusal into an acceptance (CVE-2024-3596). Requests carry it first, and
 * answers without a good one are dropped (RFC 3579 section 3.2). The password itself is only hidden by MD5: the
 * way to the server must be one's own. */
#include "internal.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PACKET = 4096, HEAD = 20, PASSWORD_MOST = 128, TRIES = 3 };
enum { ACCESS_REQUEST = 1, ACCESS_ACCEPT = 2, ACCESS_REJECT = 3, ACCESS_CHALLENGE = 11 };
enum {
    USER_NAME = 1,
    USER_PASSWORD = 2,
    FILTER_ID = 11,
    REPLY_MESSAGE = 18,
    STATE = 24,
    CLASS = 25,
    NAS_IDENTIFIER = 32,
    PROMPT = 76,
    MESSAGE_AUTHENTICATOR = 80
};

struct packet {
    unsigned char bytes[PACKET];
    size_t n;
};

static bool put(struct packet *p, unsigned type, const void *value, size_t n)
{
    if (n > 253 || p->n + 2 + n > PACKET)
        return false;
    p->bytes[p->n] = (unsigned char)type;
    p->bytes[p->n + 1] = (unsigned char)(n + 2);
    memcpy(p->bytes + p->n + 2, value, n);
    p->n += n + 2;
    p->bytes[2] = (unsigned char)(p->n >> 8);
    p->bytes[3] = (unsigned char)p->n;
    return true;
}

static bool md5(unsigned char out[16], const struct secret *secret, bool first, const void *more, size_t n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok =
        c && EVP_DigestInit_ex(c, EVP_md5(), NULL) &&
        (!first || EVP_DigestUpdate(c, secret_text(secret), secret_length(secret))) && EVP_DigestUpdate(c, more, n) &&
        (first || EVP_DigestUpdate(c, secret_text(secret), secret_length(secret))) && EVP_DigestFinal_ex(c, out, NULL);
    EVP_MD_CTX_free(c);
    return ok;
}

static bool hmac(unsigned char out[16], const struct secret *secret, const unsigned char *bytes, size_t n)
{
    unsigned made = 0;
    return HMAC(EVP_md5(), secret_text(secret), (int)secret_length(secret), bytes, n, out, &made) && made == 16;
}

/* RFC 2865 section 5.2. */
static bool put_password(struct packet *p, const struct secret *secret, const struct secret *password)
{
    unsigned char plain[PASSWORD_MOST] = { 0 }, pad[16];
    size_t n = (secret_length(password) + 15) / 16 * 16;
    const unsigned char *before = p->bytes + 4;
    if (!n || n > sizeof plain)
        return false;
    memcpy(plain, secret_text(password), secret_length(password));
    for (size_t i = 0; i < n; i += 16) {
        if (!md5(pad, secret, true, before, 16))
            return false;
        for (size_t k = 0; k < 16; k++)
            plain[i + k] ^= pad[k];
        before = plain + i;
    }
    bool ok = put(p, USER_PASSWORD, plain, n);
    OPENSSL_cleanse(plain, sizeof plain);
    return ok;
}

static bool make_request(struct packet *p, const struct secret *secret, const char *user, const struct secret *password,
                         const struct challenge *answered)
{
    static const unsigned char zeros[16];
    memset(p, 0, sizeof *p);
    p->n = HEAD;
    p->bytes[0] = ACCESS_REQUEST;
    return RAND_bytes(p->bytes + 1, 1) == 1 && RAND_bytes(p->bytes + 4, 16) == 1 &&
           put(p, MESSAGE_AUTHENTICATOR, zeros, 16) && put(p, USER_NAME, user, strlen(user)) &&
           put_password(p, secret, password) && put(p, NAS_IDENTIFIER, "publishd", 8) &&
           (!answered || !answered->state_n || put(p, STATE, answered->state, answered->state_n)) &&
           hmac(p->bytes + HEAD + 2, secret, p->bytes, p->n);
}

/* The next attribute; false: the end, or malformed and then *at is beyond it. */
static bool attribute(const struct packet *p, size_t *at, unsigned *type, const unsigned char **value, size_t *n)
{
    if (*at + 2 > p->n || p->bytes[*at + 1] < 2 || *at + p->bytes[*at + 1] > p->n) {
        *at += *at != p->n;
        return false;
    }
    *type = p->bytes[*at];
    *value = p->bytes + *at + 2;
    *n = p->bytes[*at + 1] - 2u;
    *at += *n + 2;
    return true;
}

/* An answer to this request by who knows the secret. */
static bool is_answer(const struct packet *answer, const struct packet *request, const struct secret *secret)
{
    struct packet copy = *answer;
    unsigned char made[16], authenticator[16] = { 0 };
    size_t at = HEAD, n, found = 0;
    unsigned type;
    const unsigned char *value;
    if (answer->n < HEAD || answer->bytes[1] != request->bytes[1] ||
        (size_t)(answer->bytes[2] << 8 | answer->bytes[3]) != answer->n)
        return false;
    memcpy(copy.bytes + 4, request->bytes + 4, 16);
    if (!md5(made, secret, false, copy.bytes, copy.n) || CRYPTO_memcmp(made, answer->bytes + 4, 16) != 0)
        return false;
    while (attribute(answer, &at, &type, &value, &n)) {
        if (type != MESSAGE_AUTHENTICATOR || n != 16)
            continue;
        memcpy(authenticator, value, 16);
        memset(copy.bytes + (value - answer->bytes), 0, 16);
        found++;
    }
    return at == answer->n && found == 1 && hmac(made, secret, copy.bytes, copy.n) &&
           CRYPTO_memcmp(made, authenticator, 16) == 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
static int dial(const char *server, struct strbuf *why)
{
    struct strbuf host = { 0 };
    const char *colon = strrchr(server, ':');
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM }, *list = NULL;
    buf_add(&host, server, colon ? (size_t)(colon - server) : strlen(server));
    int code = getaddrinfo(host.p, colon ? colon + 1 : "1812", &hints, &list), fd = -1;
    for (const struct addrinfo *i = list; !code && i && fd < 0; i = i->ai_next) {
        fd = socket(i->ai_family, i->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, i->ai_addr, i->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    if (fd < 0)
        buf_printf(why, "RADIUS, %s: %s; ", server, code ? gai_strerror(code) : strerror(errno));
    if (list)
        freeaddrinfo(list);
    buf_free(&host);
    return fd;
}

/* Sends and waits, several times; what is no answer of that server's is passed over. */
static bool ask(struct auth *a, const char *server, const struct packet *request, struct packet *answer,
                struct strbuf *why)
{
    int fd = dial(server, why);
    bool got = false;
    for (int i = 0; i < TRIES && fd >= 0 && !got; i++) {
        int left = (int)(a->s.timeout * 1000 / TRIES);
        struct pollfd p = { fd, POLLIN, 0 };
        if (send(fd, request->bytes, request->n, MSG_NOSIGNAL) < 0)
            break;
        for (struct timespec start, now; left > 0 && !got;) {
            clock_gettime(CLOCK_MONOTONIC, &start);
            ssize_t n = poll(&p, 1, left) > 0 ? recv(fd, answer->bytes, PACKET, 0) : -1;
            answer->n = n > 0 ? (size_t)n : 0;
            got = n > 0 && is_answer(answer, request, a->radius_secret);
            clock_gettime(CLOCK_MONOTONIC, &now);
            left -= (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000) + (n < 0);
        }
    }
    if (fd >= 0 && !got)
        buf_printf(why, "RADIUS, %s: no answer, or none with a good Message-Authenticator; ", server);
    if (fd >= 0)
        close(fd);
    return got;
}

/* Groups are what Class and Filter-Id say, where that is text. */
static struct identity *identity_of(struct auth *a, const struct user_name *name, const struct packet *answer,
                                    struct secret *password)
{
    struct arena *to = arena_new();
    strings groups = { 0 };
    size_t at = HEAD, n;
    unsigned type;
    const unsigned char *value;
    while (attribute(answer, &at, &type, &value, &n))
        if ((type == CLASS || type == FILTER_ID) && n && !memchr(value, '\0', n) && utf8_valid((const char *)value, n))
            vec_add(to, &groups, arena_strndup(to, (const char *)value, n));
    struct identity facts = { .account = name->account,
                              .domain = name->domain,
                              .realm = *name->realm ? name->realm : realm_of_domain(a, name->domain),
                              .groups = groups.v,
                              .groups_n = groups.n,
                              .groups_known = groups.n > 0,
                              .password = password };
    struct identity *i = identity_new(&facts);
    arena_free(to);
    return i;
}

/* Of a text that goes onto a page: what is no UTF-8, and control characters, are no part of it. */
static void add_text(struct challenge *c, const unsigned char *value, size_t n)
{
    size_t at = strlen(c->text);
    if (!utf8_valid((const char *)value, n))
        return;
    for (size_t i = 0; i < n && at < CHALLENGE_TEXT; i++)
        c->text[at++] = value[i] < ' ' || value[i] == 0x7f ? ' ' : (char)value[i];
    while (at && !utf8_valid(c->text, at)) /* cut in the middle of a character */
        at--;
    c->text[at] = '\0';
}

static void read_challenge(const struct packet *answer, struct challenge *c)
{
    size_t at = HEAD, n;
    unsigned type;
    const unsigned char *value;
    *c = (struct challenge){ 0 };
    while (attribute(answer, &at, &type, &value, &n)) {
        if (type == REPLY_MESSAGE) {
            add_text(c, value, n);
        } else if (type == STATE && n <= sizeof c->state) {
            memcpy(c->state, value, n);
            c->state_n = n;
        } else if (type == PROMPT && n == 4) {
            c->echo = value[3] == 1; /* RFC 2869 section 5.10 */
        }
    }
}

enum verdict check_by_radius(struct auth *a, const struct user_name *name, struct secret *password,
                             const struct challenge *answered, struct challenge *asked, struct identity **who,
                             struct strbuf *why)
{
    struct packet request, answer;
    bool got = false, made;
    if (!a->radius_secret || !a->s.radius.servers.n) {
        buf_puts(why, "no RADIUS server and secret are configured");
        return VERDICT_UNAVAILABLE;
    }
    struct arena *to = arena_new();
    made = secret_length(password) <= PASSWORD_MOST &&
           make_request(&request, a->radius_secret, local_name(a, name, to), password, answered);
    arena_free(to);
    if (!made) {
        buf_puts(why, "RADIUS: the name or password is too long");
        return VERDICT_WRONG;
    }
    for (size_t i = 0; i < a->s.radius.servers.n && !got; i++)
        got = ask(a, a->s.radius.servers.v[i], &request, &answer, why);
    if (!got)
        return VERDICT_UNAVAILABLE;
    if (answer.bytes[0] == ACCESS_CHALLENGE) {
        buf_puts(why, "RADIUS: a challenge, which a form alone can show");
        read_challenge(&answer, asked);
        return VERDICT_CHALLENGED;
    }
    if (answer.bytes[0] != ACCESS_ACCEPT) {
        buf_puts(why, answer.bytes[0] == ACCESS_REJECT ? "RADIUS: refused" : "RADIUS: an answer of another kind");
        return VERDICT_WRONG;
    }
    *who = identity_of(a, name, &answer, password);
    return VERDICT_OK;
}
