/* pac: what Active Directory says about a user inside a ticket (MS-PAC 2.5, KERB_VALIDATION_INFO). */
#ifndef AUTH_PAC_H
#define AUTH_PAC_H
#include "../base/base.h"

struct pac {
    const char *account, *domain;    /* UTF-8; "" if not said */
    long long password_expires;      /* PasswordMustChange, as windows_time says */
    strings sids;                    /* the user's own, the groups', the extra ones */
};
/* bytes: the buffer of type 1, whose signature somebody has checked; its lengths and offsets are still not believed.
 * Strings go into a. false: malformed, *out is of no use. */
bool pac_read(struct arena *a, const void *bytes, size_t n, struct pac *out);
/* "S-1-5-21-…" of a binary SID (MS-DTYP 2.4.2.2); NULL: malformed. used: its bytes. */
const char *sid_text(struct arena *a, const void *bytes, size_t n, size_t *used);
/* A FILETIME, 100 ns since 1601 (MS-DTYP 2.3.3), as seconds since 1970; 0: never, which is 0 or the greatest number. */
static inline long long windows_time(int64_t t)
{
    return t > 0 && t != INT64_MAX ? t / 10000000 - 11644473600 : 0;
}
#endif
