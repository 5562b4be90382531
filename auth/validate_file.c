/* validate_file: the local file of hashed passwords, for who has no domain.
 *
 * One line an account, "name:hash:groups:flags"; the last two may be left out. Where the settings have domains, name is an account of the
 * first, and DOMAIN\name one of another. hash is crypt(5)'s, made by
 * `publishd --hash-password`; groups are names with commas between; flags are "disabled", "must-change" and
 * "expires=2026-12-31", after which day (UTC) it must be changed. Empty lines and those that begin with # are passed over. Names compare
 * without case (ASCII). */
#include "internal.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <time.h>

struct file_account {
    const char *name, *hash;
    strings groups;
    bool disabled, must_change;
    long long expires; /* seconds since 1970; 0: never */
};
struct password_file {
    struct arena *arena;
    VEC(struct file_account) accounts; /* sorted by name */
    const char *nobody;                /* a hash as costly as the others, that no password has */
};
enum { FILE_BYTES = 16 << 20 };

static int by_name(const void *x, const void *y)
{
    return ascii_casecmp(((const struct file_account *)x)->name, ((const struct file_account *)y)->name);
}

/* The next part of a line up to sep, which becomes its end; NULL: the line is over. */
static char *part(char **rest, char sep)
{
    char *s = *rest;
    if (!s)
        return NULL;
    char *end = strchr(s, sep);
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return s;
}

/* The end of that day. 0: it is none. */
static long long day_end(const char *text)
{
    int year, month, day, n = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3 || text[n] || year < 1971)
        return 0;
    struct tm t = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
    long long begins = timegm(&t); /* 31 February becomes a day in March */
    return t.tm_mon == month - 1 && t.tm_mday == day ? begins + 86400 : 0;
}

static bool read_flags(char *flags, struct file_account *f)
{
    for (char *word; (word = part(&flags, ','));) {
        if (!strcmp(word, "disabled"))
            f->disabled = true;
        else if (!strcmp(word, "must-change"))
            f->must_change = true;
        else if (!strncmp(word, "expires=", 8)) {
            if (!(f->expires = day_end(word + 8)))
                return false;
        } else if (*word)
            return false;
    }
    return true;
}

static const char *read_line(struct password_file *p, char *line)
{
    struct file_account f = { .name = part(&line, ':'), .hash = part(&line, ':') };
    char *groups = part(&line, ':'), *flags = part(&line, ':');
    if (!*f.name || !f.hash || line)
        return "a line is name:hash:groups:flags";
    if (*f.hash != '$' || crypt_checksalt(f.hash) == CRYPT_SALT_INVALID)
        return "the hash is none of crypt's; make one with publishd --hash-password";
    if (!read_flags(flags, &f))
        return "flags are disabled, must-change and expires=YEAR-MONTH-DAY";
    for (char *g; (g = part(&groups, ','));)
        if (*g)
            vec_add(p->arena, &f.groups, g);
    vec_add(p->arena, &p->accounts, f);
    return NULL;
}

/* The first account's method and salt with an impossible end: hashing for a name that is not there takes as long. */
static const char *nobody_hash(struct password_file *p)
{
    return p->accounts.n ? p->accounts.v[0].hash : NULL;
}

struct password_file *password_file_read(const char *file, struct strbuf *err)
{
    struct strbuf text = { 0 };
    struct arena *a = arena_new();
    struct password_file *p = arena_alloc(a, sizeof *p);
    size_t number = 0, bad = 0;
    p->arena = a;
    bool ok = file_read(file, FILE_BYTES, &text, err) == 0;
    char *rest = ok ? arena_strndup(a, text.p ? text.p : "", text.n) : NULL;
    for (char *line; (line = part(&rest, '\n'));) {
        number++;
        line[strcspn(line, "\r")] = '\0';
        const char *wrong = *line && *line != '#' ? read_line(p, line) : NULL;
        if (wrong)
            buf_printf(err, "%s:%zu: %s\n", file, number, wrong);
        bad += wrong != NULL;
    }
    if (p->accounts.n)
        qsort(p->accounts.v, p->accounts.n, sizeof *p->accounts.v, by_name);
    for (size_t i = 1; i < p->accounts.n; i++) {
        bool twice = !by_name(&p->accounts.v[i - 1], &p->accounts.v[i]);
        if (twice)
            buf_printf(err, "%s: two accounts have the name \"%.200s\"\n", file, p->accounts.v[i].name);
        bad += twice;
    }
    p->nobody = nobody_hash(p);
    if (text.p)
        OPENSSL_cleanse(text.p, text.n);
    buf_free(&text);
    if (ok && !bad)
        return p;
    password_file_free(p);
    return NULL;
}

void password_file_free(struct password_file *p)
{
    if (p)
        arena_free(p->arena);
}

/* ---- checking ------------------------------------------------------------------------------------------------ */
static bool hash_fits(const char *hash, const struct secret *password)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data)
        mem_fatal();
    const char *made = crypt_r(secret_text(password), hash, data);
    bool fits = made && *made != '*' && strlen(made) == strlen(hash) && CRYPTO_memcmp(made, hash, strlen(hash)) == 0;
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return fits;
}

static const struct file_account *find_account(const struct auth *a, const struct user_name *name)
{
    struct arena *to = arena_new();
    struct file_account key = { .name = local_name(a, name, to) };
    const struct file_account *f =
        bsearch(&key, a->passwords->accounts.v, a->passwords->accounts.n, sizeof key, by_name);
    arena_free(to);
    return f;
}

static struct identity *identity_of(struct auth *a, const struct file_account *f, const struct user_name *name,
                                    enum proof proof, struct secret *password)
{
    return identity_new(&(struct identity){ .account = strpbrk(f->name, "\\@") ? name->account : f->name,
                                            .domain = *name->domain ? name->domain : domain_of_realm(a, name->realm),
                                            .realm = *name->realm ? name->realm : realm_of_domain(a, name->domain),
                                            .proof = proof,
                                            .groups = f->groups.v,
                                            .groups_n = f->groups.n,
                                            .groups_known = true,
                                            .password_expires = f->expires,
                                            .password = password });
}

bool password_file_groups(const struct auth *a, const struct user_name *name, strings *groups)
{
    const struct file_account *f = find_account(a, name);
    if (!f || f->disabled)
        return false;
    *groups = f->groups;
    return true;
}

enum verdict account_in_file(struct auth *a, const struct user_name *name, struct identity **who, struct strbuf *why)
{
    const struct file_account *f = find_account(a, name);
    if (f && !f->disabled) {
        *who = identity_of(a, f, name, PROOF_CERTIFICATE, NULL);
        return VERDICT_OK;
    }
    buf_printf(why, "password file: %s", f ? "disabled" : "no such account");
    return f ? VERDICT_DISABLED : VERDICT_UNKNOWN;
}

enum verdict check_by_file(struct auth *a, const struct user_name *name, struct secret *password, struct identity **who,
                           struct strbuf *why)
{
    if (!a->passwords || !a->passwords->nobody) {
        buf_puts(why, "there is no password file, or nobody in it");
        return VERDICT_UNAVAILABLE;
    }
    const struct file_account *f = find_account(a, name);
    bool fits = hash_fits(f ? f->hash : a->passwords->nobody, password);
    buf_printf(why, "password file: %s",
               !f            ? "no such account"
               : !fits       ? "another password"
               : f->disabled ? "disabled"
                             : "");
    if (!f || !fits)
        return f ? VERDICT_WRONG : VERDICT_UNKNOWN;
    bool over = f->expires && f->expires <= (long long)time(NULL);
    if (f->disabled || f->must_change || over)
        return f->disabled ? VERDICT_DISABLED : VERDICT_MUST_CHANGE;
    *who = identity_of(a, f, name, PROOF_PASSWORD, password);
    return VERDICT_OK;
}

/* ---- making a hash ------------------------------------------------------------------------------------------------ */
bool password_hash(const struct secret *password, struct strbuf *out)
{
    static const char *const methods[] = { "$y$", "$6$" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        char salt[CRYPT_GENSALT_OUTPUT_SIZE];
        struct crypt_data *data = calloc(1, sizeof *data);
        if (!data)
            return false;
        const char *made = crypt_gensalt_rn(methods[i], 0, NULL, 0, salt, sizeof salt)
                               ? crypt_r(secret_text(password), salt, data)
                               : NULL;
        bool ok = made && *made == '$';
        if (ok)
            buf_puts(out, made);
        OPENSSL_cleanse(data, sizeof *data);
        free(data);
        if (ok)
            return true;
    }
    return false;
}
