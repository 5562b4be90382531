/* seal: the ring of keys, and one text sealed under one of them.
 *
 * A sealed text is base64url of  version 1 | key's name, 4 | salt, 16 | nonce, 12 | ciphertext | tag, 16.
 * The key of a text is HMAC-SHA256(ring key, "text" salt), and keys for other things have another first word: with a random nonce alone a ring key would be good for 2^32
 * texts only (NIST SP 800-38D, 8.3), which several machines together could reach.
 */
#include "seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, NAME = 4, SALT = 16, NONCE = 12, TAG = 16, HEADER = 1 + NAME + SALT + NONCE };

struct ring_key {
    unsigned char name[NAME], key[SEAL_KEY];
};
struct key_ring {
    size_t n;
    struct ring_key keys[SEAL_KEYS];
};

/* ---- bytes and text ---------------------------------------------------------------- */

void random_bytes(void *p, size_t n)
{
    if (RAND_bytes(p, (int)n) != 1)
        abort(); /* guessable keys are worse than no service */
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct strbuf *out, const void *bytes, size_t n)
{
    const unsigned char *u = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t k = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)u[i] << 16 | (k > 1 ? (uint32_t)u[i + 1] << 8 : 0) | (k > 2 ? (uint32_t)u[i + 2] : 0);
        char four[4];
        for (int j = 0; j < 4; j++)
            four[j] = alphabet[v >> (18 - 6 * j) & 63];
        buf_add(out, four, k + 1);
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Bits left over must be zero: two texts for the same bytes would be two cookies for one session. */
int base64url_decode(const char *text, size_t n, unsigned char *out, size_t room)
{
    size_t made = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    if (n % 4 == 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int v = value_of(text[i]);
        if (v < 0)
            return -1;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (made == room)
                return -1;
            out[made++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return bits ? -1 : (int)made;
}

/* ---- rings ------------------------------------------------------------------------------- */

static void derive(const unsigned char *key, const char *what, const unsigned char *salt, size_t salt_n,
                   unsigned char out[SEAL_KEY])
{
    unsigned char text[64];
    unsigned n = 0;
    size_t what_n = (size_t)snprintf((char *)text, sizeof text, "%s", what);
    memcpy(text + what_n, salt, salt_n);
    if (!HMAC(EVP_sha256(), key, SEAL_KEY, text, what_n + salt_n, out, &n))
        mem_fatal();
}

static void add_key(struct key_ring *r, const unsigned char *key)
{
    struct ring_key *k = &r->keys[r->n++];
    unsigned char name[SEAL_KEY];
    memcpy(k->key, key, SEAL_KEY);
    derive(key, "name", (const unsigned char *)"", 0, name);
    memcpy(k->name, name, NAME);
}

static struct key_ring *ring_new(void)
{
    struct key_ring *r = OPENSSL_zalloc(sizeof *r);
    if (!r)
        mem_fatal();
    return r;
}

struct key_ring *key_ring_random(void)
{
    struct key_ring *r = ring_new();
    unsigned char key[SEAL_KEY];
    random_bytes(key, sizeof key);
    add_key(r, key);
    OPENSSL_cleanse(key, sizeof key);
    return r;
}

struct key_ring *key_ring_copy(const struct key_ring *r)
{
    struct key_ring *copy = ring_new();
    *copy = *r;
    return copy;
}

bool key_ring_derive(const struct key_ring *r, size_t i, const char *what, uint64_t number, unsigned char out[SEAL_KEY])
{
    unsigned char salt[8];
    for (int k = 0; k < 8; k++)
        salt[k] = (unsigned char)(number >> (8 * (7 - k)));
    if (i >= r->n)
        return false;
    derive(r->keys[i].key, what, salt, sizeof salt, out);
    return true;
}

void key_ring_free(struct key_ring *r)
{
    OPENSSL_clear_free(r, sizeof *r);
}

static bool hex_key(const char *line, size_t n, unsigned char key[SEAL_KEY])
{
    if (n != (size_t)SEAL_KEY * 2)
        return false;
    for (size_t i = 0; i < SEAL_KEY; i++) {
        int high = OPENSSL_hexchar2int((unsigned char)line[2 * i]),
            low = OPENSSL_hexchar2int((unsigned char)line[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool read_lines(struct key_ring *r, const char *file, const char *text, struct strbuf *err)
{
    unsigned line = 1;
    for (const char *p = text; *p; line++) {
        size_t n = strcspn(p, "\n"), shown = n && p[n - 1] == '\r' ? n - 1 : n;
        unsigned char key[SEAL_KEY];
        bool is_key = shown && *p != '#';
        bool good = !is_key || (r->n < SEAL_KEYS && hex_key(p, shown, key));
        if (is_key && good)
            add_key(r, key);
        OPENSSL_cleanse(key, sizeof key);
        if (!good) {
            buf_printf(err, "%s:%u: a line is a key of %d hex digits, and a file has at most %d\n", file, line,
                       SEAL_KEY * 2, SEAL_KEYS);
            return false;
        }
        p += n + (p[n] == '\n');
    }
    if (!r->n)
        buf_printf(err, "%s: there is no key in it\n", file);
    return r->n;
}

struct key_ring *key_ring_read(const char *file, struct strbuf *err)
{
    struct stat st;
    struct strbuf text = { 0 };
    struct key_ring *r = NULL;
    if (stat(file, &st) != 0) {
        buf_printf(err, "%s: %s\n", file, strerror(errno));
    } else if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        buf_printf(err, "%s: others than its owner can read or write it; it must have mode 0600\n", file);
    } else if (file_read(file, 64 << 10, &text, err) == 0) {
        r = ring_new();
        if (memchr(text.p ? text.p : "", '\0', text.n) || !read_lines(r, file, text.p ? text.p : "", err)) {
            key_ring_free(r);
            r = NULL;
        }
    }
    buf_wipe(&text);
    return r;
}

static bool give_to(int fd, const char *user)
{
    const struct passwd *who = user && geteuid() == 0 ? getpwnam(user) : NULL;
    return !who || fchown(fd, who->pw_uid, who->pw_gid) == 0;
}

bool key_ring_make(const char *file, const char *user, struct strbuf *err)
{
    unsigned char key[SEAL_KEY];
    char line[SEAL_KEY * 2 + 2];
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == EEXIST)
            return true;
        buf_printf(err, "%s: %s\n", file, strerror(errno));
        return false;
    }
    random_bytes(key, sizeof key);
    for (size_t i = 0; i < sizeof key; i++)
        snprintf(line + 2 * i, 3, "%02x", key[i]);
    line[sizeof line - 2] = '\n';
    bool ok = give_to(fd, user) && write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1 && fsync(fd) == 0;
    if (!ok) {
        buf_printf(err, "%s: %s\n", file, strerror(errno));
        unlink(file);
    }
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(line, sizeof line);
    close(fd);
    return ok;
}

/* ---- one text ------------------------------------------------------------------------------ */

/* encrypt: in and out are n bytes, the tag is written behind out; else it is read behind in. false: the tag is wrong. */
static bool gcm(bool encrypt, const struct ring_key *k, const unsigned char *header, const char *purpose,
                const char *context, const unsigned char *in, size_t n, unsigned char *out)
{
    unsigned char key[SEAL_KEY];
    int got;
    derive(k->key, "text", header + 1 + NAME, SALT, key);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (!c)
        mem_fatal();
    bool ok = EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, header + 1 + NAME + SALT, encrypt) &&
              EVP_CipherUpdate(c, NULL, &got, header, 1 + NAME) &&
              EVP_CipherUpdate(c, NULL, &got, (const unsigned char *)purpose, (int)strlen(purpose) + 1) &&
              EVP_CipherUpdate(c, NULL, &got, (const unsigned char *)context, (int)strlen(context)) &&
              EVP_CipherUpdate(c, out, &got, in, (int)n);
    if (ok && encrypt)
        ok = EVP_CipherFinal_ex(c, out + n, &got) && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, out + n);
    else if (ok)
        ok = EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(uintptr_t)(in + n)) &&
             EVP_CipherFinal_ex(c, out + n, &got) > 0;
    EVP_CIPHER_CTX_free(c);
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

void seal(const struct key_ring *r, const char *purpose, const char *context, const void *plain, size_t n,
          struct strbuf *out)
{
    unsigned char text[HEADER + SEAL_PLAIN + TAG];
    if (n > SEAL_PLAIN)
        abort(); /* a caller that does not know its own sizes */
    text[0] = VERSION;
    memcpy(text + 1, r->keys[0].name, NAME);
    random_bytes(text + 1 + NAME, SALT + NONCE);
    if (!gcm(true, &r->keys[0], text, purpose, context, plain, n, text + HEADER))
        mem_fatal();
    base64url_encode(out, text, HEADER + n + TAG);
}

int seal_open(const struct key_ring *r, const char *purpose, const char *context, const char *text, size_t n,
              unsigned char *plain)
{
    unsigned char bytes[HEADER + SEAL_PLAIN + TAG];
    int have = base64url_decode(text, n, bytes, sizeof bytes);
    if (have < HEADER + TAG || bytes[0] != VERSION)
        return -1;
    int plain_n = have - HEADER - TAG;
    for (size_t i = 0; i < r->n; i++)
        if (memcmp(bytes + 1, r->keys[i].name, NAME) == 0 &&
            gcm(false, &r->keys[i], bytes, purpose, context, bytes + HEADER, (size_t)plain_n, plain))
            return plain_n;
    OPENSSL_cleanse(plain, (size_t)plain_n); /* what did not prove true is nobody's to see */
    return -1;
}
