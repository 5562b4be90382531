/* validate: who is asked. */
#include "validate.h"
#include "internal.h"

const char *const verdict_names[] = {
    "ok",      "wrong password",           "unknown user",  "account disabled",     "account locked",
    "expired", "password must be changed", "nobody to ask", "new password refused", "something more is asked for"
};

typedef enum verdict (*checker)(struct auth *, const struct user_name *, struct secret *, struct identity **,
                                struct strbuf *);

static checker checker_of(const struct auth *a, enum validator validator)
{
    static const checker by_ad[] = { [AD_BY_FILE] = check_by_file,
                                     [AD_BY_KERBEROS] = check_by_kerberos,
                                     [AD_BY_LDAP] = check_by_ldap,
                                     [AD_BY_WINBIND] = check_by_winbind };
    switch (validator) {
    case VALIDATE_AD: return by_ad[a->s.ad];
    case VALIDATE_LDAP: return check_by_ldap;
    default: return NULL;
    }
}

bool password_asks_kdc(const struct auth *a, enum validator validator)
{
    return validator == VALIDATE_AD && a->s.ad == AD_BY_KERBEROS;
}

enum verdict password_check_further(struct auth *a, enum validator validator, const struct user_name *name,
                                    struct secret *password, const struct challenge *answered, struct challenge *asked,
                                    struct identity **who, struct strbuf *why)
{
    checker check = checker_of(a, validator);
    *who = NULL;
    if (!check && validator != VALIDATE_RADIUS) {
        buf_puts(why, "SecurID cannot be checked here");
        return VERDICT_UNAVAILABLE;
    }
    if (!secret_length(password)) { /* to LDAP, an empty password is a request not to be signed in, and granted */
        buf_puts(why, "an empty password");
        return VERDICT_WRONG;
    }
    return check ? check(a, name, password, who, why) : check_by_radius(a, name, password, answered, asked, who, why);
}

enum verdict password_check(struct auth *a, enum validator validator, const struct user_name *name,
                            struct secret *password, struct identity **who, struct strbuf *why)
{
    struct challenge asked;
    return password_check_further(a, validator, name, password, NULL, &asked, who, why);
}

enum verdict password_change(struct auth *a, enum validator validator, const struct user_name *name, struct secret *old,
                             struct secret *wanted, struct strbuf *why)
{
    if (!secret_length(old) || !secret_length(wanted)) {
        buf_puts(why, "an empty password");
        return secret_length(old) ? VERDICT_WEAK : VERDICT_WRONG;
    }
    bool ldap = validator == VALIDATE_LDAP || (validator == VALIDATE_AD && a->s.ad == AD_BY_LDAP);
    if (ldap)
        return change_by_ldap(a, name, old, wanted, why);
    if (validator == VALIDATE_AD && a->s.ad != AD_BY_FILE)
        return change_by_kerberos(a, name, old, wanted, why);
    buf_puts(why, "passwords of this kind cannot be changed here");
    return VERDICT_UNAVAILABLE;
}
