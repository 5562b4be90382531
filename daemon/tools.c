/* tools: see tools.h. */
#include "tools.h"
#include "../auth/delegate.h"
#include "../auth/validate.h"
#include "../config/config.h"

#include <openssl/crypto.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static bool show(bool on)
{
    struct termios t;
    if (tcgetattr(STDIN_FILENO, &t) != 0)
        return false; /* no terminal */
    if (on)
        t.c_lflag |= (tcflag_t)ECHO;
    else
        t.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

int hash_password(void)
{
    char line[SECRET_BYTES + 2];
    struct strbuf hash = { 0 };
    secrets_start();
    bool hidden = show(false);
    if (hidden)
        fputs("Password: ", stderr);
    bool read = fgets(line, sizeof line, stdin);
    if (hidden) {
        show(true);
        fputc('\n', stderr);
    }
    size_t n = read ? strcspn(line, "\r\n") : 0;
    struct secret *password = n ? secret_new(line, n) : NULL;
    bool good = password && password_hash(password, &hash);
    OPENSSL_cleanse(line, sizeof line);
    secret_release(password);
    if (good)
        puts(hash.p);
    else
        fputs("publishd: that is no password\n", stderr);
    buf_free(&hash);
    return good ? 0 : 1;
}

/* ---- delegation ------------------------------------------------------------------------------- */

static const struct conf_rule *rule_called(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->rules.n; i++)
        if (!ascii_casecmp(c->rules.v[i].name, name))
            return &c->rules.v[i];
    return NULL;
}

static bool explain(const struct config *c, const struct conf_rule *rule, const char *user)
{
    struct strbuf out = { 0 };
    bool good = false;
    struct auth *a =
        auth_start(&c->service.sign_in, &out) ? auth_new(&c->service.sign_in, c->kerberos_in_spnego, &out) : NULL;
    if (a) {
        good = true;
        for (size_t i = 0; i < rule->spns.n; i++)
            good = delegation_explain(a, user, rule->spns.v[i], &out) && good;
        auth_free(a);
    }
    fputs(out.p ? out.p : "", stdout);
    buf_free(&out);
    return good;
}

int check_delegation(const char *file, const char *user, const char *name)
{
    struct strbuf err = { 0 };
    struct config *c = config_read(file, &err);
    const struct conf_rule *rule = c ? rule_called(c, name) : NULL;
    bool good = false;
    if (!c)
        fputs(err.p ? err.p : "", stderr);
    else if (!rule)
        fprintf(stderr, "publishd: there is no rule \"%s\"\n", name);
    else if (rule->delegation != DELEGATE_KERBEROS || !rule->spns.n)
        fprintf(stderr, "publishd: the rule \"%s\" does not delegate by constrained delegation\n", name);
    else
        good = explain(c, rule, user);
    config_free(c);
    buf_free(&err);
    return good ? 0 : 1;
}
