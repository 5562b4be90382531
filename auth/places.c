/* places: paths, parameters, where to go. */
#include "places.h"

const char *target_path(const char *target)
{
    if (*target == '/' || !strstr(target, "://"))
        return target;
    const char *authority = strstr(target, "://") + 3, *path = authority + strcspn(authority, "/?");
    return *path == '/' ? path : "/";
}

static bool same(const char *path, size_t n, const char *want)
{
    return strlen(want) == n && memcmp(path, want, n) == 0;
}

static bool old_path(const char *path, size_t n)
{
    for (const char *old = PLACES_OLD; *old; old += strcspn(old, " ")) {
        old++;
        if (strcspn(old, " ") == n && ascii_ncasecmp(path, old, n) == 0)
            return true;
    }
    return false;
}

enum place place_of(const char *path, const char **rest)
{
    size_t n = strcspn(path, "?"), files = strlen(PLACE_FILES_PATH);
    *rest = path[n] ? path + n + 1 : "";
    if (old_path(path, n))
        return PLACE_OLD;
    if (strncmp(path, PLACES, strlen(PLACES)) != 0)
        return PLACE_NONE;
    if (same(path, n, PLACE_SIGN_IN_PATH))
        return PLACE_SIGN_IN;
    if (same(path, n, PLACE_PASSWORD_PATH))
        return PLACE_PASSWORD;
    if (same(path, n, PLACE_SIGN_OUT_PATH))
        return PLACE_SIGN_OUT;
    if (n > files && !path[n] && strncmp(path, PLACE_FILES_PATH, files) == 0) {
        *rest = path + files;
        return PLACE_FILE;
    }
    return PLACE_UNKNOWN;
}

/* ---- parameters ------------------------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* escape: % for queries, Z for the source's own. NULL: not well-formed. */
static const char *decode(struct arena *a, const char *s, size_t n, char escape)
{
    char *out = arena_alloc(a, n + 1), *p = out;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == escape) {
            int high = n - i > 2 ? hex(s[i + 1]) : -1, low = high >= 0 ? hex(s[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return NULL;
            *p++ = (char)(high << 4 | low);
            i += 2;
        } else if (s[i] == '\0') {
            return NULL;
        } else {
            *p++ = s[i] == '+' && escape == '%' ? ' ' : s[i];
        }
    }
    return out;
}

const char *parameter(struct arena *a, const char *text, size_t n, const char *name)
{
    size_t name_n = strlen(name);
    for (const char *end = text + n; text < end;) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        size_t k = (size_t)((stop ? stop : end) - text);
        if (k > name_n && memcmp(text, name, name_n) == 0 && text[name_n] == '=')
            return decode(a, text + name_n + 1, k - name_n - 1, '%');
        text += k + 1;
    }
    return NULL;
}

void parameter_encode(struct strbuf *out, const char *s)
{
    for (; *s; s++) {
        if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("-._~/", *s))
            buf_putc(out, *s);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
    }
}

const char *old_target(struct arena *a, const char *query)
{
    const char *curl = query;
    while (*curl && ascii_ncasecmp(curl, "curl=", 5) != 0)
        curl++;
    return *curl ? decode(a, curl + 5, strcspn(curl + 5, "&"), 'Z') : NULL;
}

/* ---- where to go ------------------------------------------------------------------------------ */

bool return_allowed(const char *target)
{
    const char *rest;
    size_t n = strlen(target);
    if (n > 2048 || target[0] != '/' || target[1] == '/')
        return false;
    for (size_t i = 0; i < n; i++)
        if (target[i] <= ' ' || target[i] >= 0x7f || target[i] == '\\')
            return false;
    return place_of(target, &rest) == PLACE_NONE;
}

static bool holds(const char *text, const char *what)
{
    size_t n = strlen(what);
    for (; *text; text++)
        if (ascii_ncasecmp(text, what, n) == 0)
            return true;
    return false;
}

bool asks_log_off(const char *url, const char *path)
{
    size_t n = strcspn(path, "?"), want = strcspn(url, "?");
    if (!*url)
        return false;
    if (want && (want != n || ascii_ncasecmp(url, path, n) != 0))
        return false;
    if (!url[want])
        return true;
    /* With a path the query begins so; without one it has that parameter somewhere. */
    return want ? ascii_ncasecmp(path + n, url + want, strlen(url + want)) == 0
                : path[n] && holds(path + n + 1, url + 1);
}
