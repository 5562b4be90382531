/* versions: see versions.h. */
#include "versions.h"

const struct version_row version_rows[VERSION_FACTS] = {
#define V(id, target, major, minor, what, source) { #id, target, RELEASE(major, minor), what, source },
#include "versions.def"
#undef V
};

const struct version_range version_ranges[TARGETS] = {
    [TARGET_NGINX] = { RELEASE(1, 18), RELEASE(1, 28), RELEASE(1, 22) },
    [TARGET_HAPROXY] = { RELEASE(2, 4), RELEASE(3, 2), RELEASE(2, 6) },
};

/* Digits at *s, at most three of them; -1: none. */
static int number(const char **s)
{
    int n = -1;
    for (int digits = 0; **s >= '0' && **s <= '9' && digits < 3; ++*s, digits++)
        n = (n < 0 ? 0 : n) * 10 + (**s - '0');
    return n;
}

unsigned version_parse(enum target t, const char *text)
{
    const char *s = text;
    int major = number(&s), minor = *s == '.' ? (s++, number(&s)) : -1;
    if (*s == '.' && minor >= 0) {
        s++;
        if (number(&s) < 0)
            return 0;
    }
    unsigned release = RELEASE(major, minor);
    if (*s || major < 0 || minor < 0 || release < version_ranges[t].oldest || release > version_ranges[t].newest)
        return 0;
    return release;
}

unsigned version_of(const struct plan *p, enum target t)
{
    return p->version[t] ? p->version[t] : version_ranges[t].usual;
}

bool version_has(const struct plan *p, enum version_fact f)
{
    return version_of(p, version_rows[f].target) >= version_rows[f].since;
}
