/* winbind: passwords, names and groups by Samba's winbindd. A context a call: they are not for two threads at once. */
#include "internal.h"

#include <wbclient.h>

/* The library keeps it in a static that the first to ask would fill, and others at the same time. */
void winbind_start(void)
{
    wbcSetClientProcessName("publishd");
}

/* NT status codes, MS-ERREF 2.3. */
static enum verdict verdict_of(uint32_t nt_status)
{
    switch (nt_status) {
    case 0xc000006a:
    case 0xc000006d: return VERDICT_WRONG;       /* WRONG_PASSWORD, LOGON_FAILURE */
    case 0xc0000064: return VERDICT_UNKNOWN;     /* NO_SUCH_USER */
    case 0xc0000072: return VERDICT_DISABLED;    /* ACCOUNT_DISABLED */
    case 0xc000006e:                             /* ACCOUNT_RESTRICTION */
    case 0xc000006f:                             /* INVALID_LOGON_HOURS */
    case 0xc0000070: return VERDICT_DISABLED;    /* INVALID_WORKSTATION */
    case 0xc0000234: return VERDICT_LOCKED;      /* ACCOUNT_LOCKED_OUT */
    case 0xc0000193: return VERDICT_EXPIRED;     /* ACCOUNT_EXPIRED */
    case 0xc0000071:                             /* PASSWORD_EXPIRED */
    case 0xc0000224: return VERDICT_MUST_CHANGE; /* PASSWORD_MUST_CHANGE */
    default: return VERDICT_UNAVAILABLE;
    }
}

static void add_sid(struct arena *a, strings *sids, const struct wbcDomainSid *sid)
{
    char text[WBC_SID_STRING_BUFLEN];
    int n = wbcSidToStringBuf(sid, text, sizeof text);
    if (n > 0 && (size_t)n < sizeof text)
        vec_add(a, sids, arena_strdup(a, text));
}

static struct identity *identity_of(struct auth *a, const struct user_name *name, const struct wbcAuthUserInfo *info,
                                    struct secret *password)
{
    struct arena *arena = arena_new();
    strings sids = { 0 };
    for (uint32_t i = 0; i < info->num_sids; i++)
        add_sid(arena, &sids, &info->sids[i].sid);
    const char *domain = info->domain_name ? info->domain_name : name->domain;
    const char *dns = info->dns_domain_name ? info->dns_domain_name : "";
    struct identity facts = { .account = info->account_name && *info->account_name ? info->account_name : name->account,
                              .domain = domain,
                              .realm = *dns ? dns : realm_of_domain(a, domain),
                              .sids = sids.v,
                              .sids_n = sids.n,
                              .groups_known = sids.n > 1,
                              .password_expires =
                                  info->pass_must_change_time < INT64_MAX ? (long long)info->pass_must_change_time : 0,
                              .password = password };
    struct identity *i = identity_new(&facts);
    arena_free(arena);
    return i;
}

enum verdict check_by_winbind(struct auth *a, const struct user_name *name, struct secret *password,
                              struct identity **who, struct strbuf *why)
{
    struct wbcAuthUserInfo *info = NULL;
    struct wbcAuthErrorInfo *error = NULL;
    struct wbcContext *w = wbcCtxCreate();
    struct arena *to = arena_new();
    struct user_name real = *name;
    bool reached = true;
    if (!w)
        mem_fatal();
    if (!*name->domain && *name->realm) { /* winbindd wants a domain */
        real.domain = domain_of_realm(a, name->realm);
        if (!*real.domain && directory_account(a, name, to, &real, why) == LOOKUP_FAILED)
            reached = false;
    }
    struct wbcAuthUserParams params = { .account_name = real.account,
                                        .domain_name = real.domain,
                                        .level = WBC_AUTH_USER_LEVEL_PLAIN,
                                        .password.plaintext = secret_text(password) };
    wbcErr err = reached ? wbcCtxAuthenticateUserEx(w, &params, &info, &error) : WBC_ERR_WINBIND_NOT_AVAILABLE;
    enum verdict v = VERDICT_UNAVAILABLE;
    if (err == WBC_ERR_SUCCESS && info &&
        !(info->user_flags & 1)) { /* not as the guest that some servers make of anybody */
        *who = identity_of(a, name, info, password);
        v = VERDICT_OK;
    } else if (err == WBC_ERR_AUTH_ERROR && error) {
        v = verdict_of(error->nt_status);
        buf_printf(why, "winbindd: %s", error->nt_string ? error->nt_string : "refused");
    } else {
        buf_printf(why, "winbindd: %s", err == WBC_ERR_SUCCESS ? "signed in as a guest" : wbcErrorString(err));
        v = err == WBC_ERR_SUCCESS ? VERDICT_WRONG : VERDICT_UNAVAILABLE;
    }
    wbcFreeMemory(info);
    wbcFreeMemory(error);
    wbcCtxFree(w);
    arena_free(to);
    return v;
}

/* ---- looking up -------------------------------------------------------------------------------------------------- */
/* winbindd says "not found" of what is not there and of what it cannot ask about; whether its domain controller answers tells the two
 * apart. */
static enum lookup outcome(struct wbcContext *w, wbcErr err, const char *what, struct strbuf *why)
{
    if (err == WBC_ERR_SUCCESS)
        return LOOKUP_FOUND;
    buf_printf(why, "winbindd, %s: %s", what, wbcErrorString(err));
    struct wbcAuthErrorInfo *error = NULL;
    bool lost = err == WBC_ERR_WINBIND_NOT_AVAILABLE || wbcCtxPingDc(w, NULL, &error) != WBC_ERR_SUCCESS;
    wbcFreeMemory(error);
    return lost ? LOOKUP_FAILED : LOOKUP_ABSENT;
}

static enum lookup lookup(struct wbcContext *w, const char *domain, const char *name, struct wbcDomainSid *sid,
                          struct strbuf *why)
{
    enum wbcSidType type;
    return outcome(w, wbcCtxLookupName(w, domain, name, sid, &type), name, why);
}

enum lookup winbind_sid(const char *domain, const char *name, struct arena *to, const char **sid, struct strbuf *why)
{
    struct wbcContext *w = wbcCtxCreate();
    struct wbcDomainSid found;
    strings list = { 0 };
    if (!w)
        mem_fatal();
    enum lookup result = lookup(w, domain, name, &found, why);
    if (result == LOOKUP_FOUND)
        add_sid(to, &list, &found);
    wbcCtxFree(w);
    *sid = list.n ? list.v[0] : NULL;
    return result;
}

enum lookup winbind_sids(const struct user_name *name, struct arena *to, strings *sids, struct strbuf *why)
{
    struct wbcContext *w = wbcCtxCreate();
    struct wbcDomainSid user, *list = NULL;
    uint32_t n = 0;
    if (!w)
        mem_fatal();
    enum lookup result = lookup(w, name->domain, name->account, &user, why);
    if (result == LOOKUP_FOUND) {
        add_sid(to, sids, &user);
        result = outcome(w, wbcCtxLookupUserSids(w, &user, false, &n, &list), "groups", why);
    }
    for (uint32_t i = 0; i < n; i++)
        add_sid(to, sids, &list[i]);
    wbcFreeMemory(list);
    wbcCtxFree(w);
    return result;
}

enum lookup winbind_account(const struct user_name *upn, struct arena *to, struct user_name *out, struct strbuf *why)
{
    struct wbcContext *w = wbcCtxCreate();
    struct wbcDomainSid sid;
    enum wbcSidType type;
    char *domain = NULL, *account = NULL;
    if (!w)
        mem_fatal();
    enum lookup result = lookup(w, "", arena_printf(to, "%s@%s", upn->account, upn->realm), &sid, why);
    if (result == LOOKUP_FOUND)
        result = outcome(w, wbcCtxLookupSid(w, &sid, &domain, &account, &type), "a name", why);
    if (result == LOOKUP_FOUND)
        *out = (struct user_name){ arena_strdup(to, account), arena_strdup(to, domain), "" };
    wbcFreeMemory(domain);
    wbcFreeMemory(account);
    wbcCtxFree(w);
    return result;
}
