/* identity: secrets, names as people write them, and identities. */
#include "identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- secrets --------------------------------------------------------------------------------------------- */
/* libcrypto's secure heap: locked, left out of core dumps, guarded at its ends. When it is full (or the limit on locked
 * memory is low) ordinary memory has to do; it is zeroed all the same. */
enum { SECURE_HEAP = 1 << 20, SECURE_LEAST = 64 };

struct secret {
    _Atomic unsigned references;
    size_t n;
    char *text;
};

void secrets_start(void)
{
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_LEAST);
}

/* Deeper than the calls into any library went that gets a password. */
__attribute__((noinline)) void secrets_wipe_stack(void)
{
    char room[64 << 10];
    OPENSSL_cleanse(room, sizeof room);
}

struct secret *secret_new(const char *text, size_t n)
{
    if (n > SECRET_BYTES || memchr(text, '\0', n))
        return NULL;
    struct secret *s = malloc(sizeof *s);
    char *copy = OPENSSL_secure_malloc(n + 1);
    if (!copy)
        copy = OPENSSL_malloc(n + 1);
    if (!s || !copy) {
        OPENSSL_secure_clear_free(copy, n + 1);
        free(s);
        return NULL;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    *s = (struct secret){ 1, n, copy };
    return s;
}

struct secret *secret_hold(struct secret *s)
{
    if (s)
        s->references++;
    return s;
}

void secret_release(struct secret *s)
{
    if (!s || --s->references)
        return;
    OPENSSL_secure_clear_free(s->text, s->n + 1); /* knows which heap it came from */
    free(s);
}

const char *secret_text(const struct secret *s)
{
    return s->text;
}

size_t secret_length(const struct secret *s)
{
    return s->n;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a->n == b->n && CRYPTO_memcmp(a->text, b->text, a->n) == 0;
}

struct secret *secret_read(const char *file, struct strbuf *err)
{
    char bytes[SECRET_BYTES + 2];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    struct secret *s = NULL;
    if (n < 0) {
        buf_printf(err, "%s: %s\n", file, strerror(errno));
    } else {
        size_t end = 0;
        while (end < (size_t)n && bytes[end] != '\n' && bytes[end] != '\r')
            end++;
        s = end ? secret_new(bytes, end) : NULL;
        if (!s)
            buf_printf(err, "%s: the first line is no secret: it is empty, too long or holds a NUL\n", file);
    }
    if (fd >= 0)
        close(fd);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return s;
}

/* ---- names --------------------------------------------------------------------------------------------------- */
enum { NAME_BYTES = 256 };

static bool name_usable(const char *text)
{
    size_t n = strlen(text);
    if (!n || n > NAME_BYTES || !utf8_valid(text, n))
        return false;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return true;
}

/* Without the spaces at its ends, which directories pass over: no account's name has any there. */
static const char *trimmed(struct arena *a, const char *text, size_t n)
{
    for (; n && *text == ' '; n--)
        text++;
    while (n && text[n - 1] == ' ')
        n--;
    return arena_strndup(a, text, n);
}

bool user_name_parse(struct arena *a, const char *text, const char *default_domain, struct user_name *out)
{
    *out = (struct user_name){ "", "", "" };
    if (!name_usable(text))
        return false;
    const char *slash = strchr(text, '\\'), *at = strrchr(text, '@');
    if (slash) {
        out->domain = trimmed(a, text, (size_t)(slash - text));
        out->account = trimmed(a, slash + 1, strlen(slash + 1));
        return *out->domain && *out->account && !strchr(slash + 1, '\\');
    }
    if (at) {
        out->account = trimmed(a, text, (size_t)(at - text));
        out->realm = trimmed(a, at + 1, strlen(at + 1));
        return *out->account && *out->realm;
    }
    out->account = trimmed(a, text, strlen(text));
    if (default_domain && strchr(default_domain, '.'))
        out->realm = arena_strdup(a, default_domain);
    else if (default_domain)
        out->domain = arena_strdup(a, default_domain);
    return *out->account;
}

/* ---- identities ---------------------------------------------------------------------------------------------------- */
const char *const proof_names[] = { "password", "Kerberos", "NTLM", "certificate" };

static const char *copy_text(char **at, const char *s)
{
    size_t n = strlen(s ? s : "") + 1;
    char *to = *at;
    memcpy(to, s ? s : "", n);
    *at += n;
    return to;
}

static size_t text_bytes(const char *s)
{
    return (s ? strlen(s) : 0) + 1;
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* One block: the struct, the two lists, the strings. */
struct identity *identity_new(const struct identity *f)
{
    size_t lists = (f->sids_n + f->groups_n) * sizeof(char *);
    size_t names = text_bytes(f->account) + text_bytes(f->domain) + text_bytes(f->realm);
    size_t bytes = sizeof *f + lists + names + names + 2;
    for (size_t i = 0; i < f->sids_n; i++)
        bytes += text_bytes(f->sids[i]);
    for (size_t i = 0; i < f->groups_n; i++)
        bytes += text_bytes(f->groups[i]);
    char *block = calloc(1, bytes);
    if (!block)
        mem_fatal();
    struct identity *i = (struct identity *)(void *)block;
    const char **sids = (const char **)(void *)(block + sizeof *i), **groups = sids + f->sids_n;
    char *at = block + sizeof *i + lists;
    i->account = copy_text(&at, f->account);
    i->domain = copy_text(&at, f->domain);
    i->realm = at;
    copy_text(&at, f->realm);
    for (char *p = block + (i->realm - block); *p; p++)
        *p = (char)toupper((unsigned char)*p);
    for (size_t k = 0; k < f->sids_n; k++)
        sids[k] = copy_text(&at, f->sids[k]);
    for (size_t k = 0; k < f->groups_n; k++)
        groups[k] = copy_text(&at, f->groups[k]);
    if (f->sids_n)
        qsort(sids, f->sids_n, sizeof *sids, by_text);
    i->display = at;
    snprintf(at, (size_t)(block + bytes - at), "%s%s%s%s%s", i->domain, *i->domain ? "\\" : "", i->account,
             !*i->domain && *i->realm ? "@" : "", *i->domain ? "" : i->realm);
    for (char *p = at; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    i->sids = sids;
    i->sids_n = f->sids_n;
    i->groups = groups;
    i->groups_n = f->groups_n;
    i->groups_known = f->groups_known;
    i->proof = f->proof;
    i->password_expires = f->password_expires;
    i->password = secret_hold(f->password);
    i->evidence = evidence_hold(f->evidence);
    i->references = 1;
    return i;
}

struct identity *identity_hold(struct identity *i)
{
    if (i)
        i->references++;
    return i;
}

void identity_release(struct identity *i)
{
    if (!i || --i->references)
        return;
    secret_release(i->password);
    evidence_release(i->evidence);
    free(i);
}

bool identity_same(const struct identity *a, const struct identity *b)
{
    if (a == b)
        return true;
    if (!a || !b || ascii_casecmp(a->account, b->account) != 0)
        return false;
    /* Two names of the same place need not both be known to both. */
    bool domains = *a->domain && *b->domain, realms = *a->realm && *b->realm;
    if (!domains && !realms)
        return !*a->domain == !*b->domain && !*a->realm == !*b->realm;
    return (!domains || ascii_casecmp(a->domain, b->domain) == 0) && (!realms || strcmp(a->realm, b->realm) == 0);
}

bool identity_has_sid(const struct identity *i, const char *sid)
{
    return i->sids_n && bsearch(&sid, i->sids, i->sids_n, sizeof *i->sids, by_text);
}
