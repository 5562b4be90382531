/* normalise: text from an export, a policy or a site map -> the one spelling that everything else compares.
 *
 * What leaves here is safe by construction: a host name holds nothing but a-z 0-9 . _ - (and a leading "*." for a
 * wildcard), so that no target's syntax can be reached through one. */
#include <idn2.h>
#include <string.h>
#include "policy.h"

#define HOST_MAX 253
#define LABEL_MAX 63
#define PATH_MAX_BYTES 10240 /* longer than any URL that the source or a target would take */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_alpha(char c)
{
    c = ascii_lower(c);
    return c >= 'a' && c <= 'z';
}
static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A part of somebody else's string. */
struct span {
    const char *s;
    size_t n;
};

static struct span trimmed(const char *text)
{
    struct span t = { text, strlen(text) };
    while (t.n && is_space(t.s[0]))
        t.s++, t.n--;
    while (t.n && is_space(t.s[t.n - 1]))
        t.n--;
    return t;
}

/* ---- host names -------------------------------------------------------- */
/* Length of "http://" at the beginning of t; 0: it has no scheme. */
static size_t scheme_length(struct span t)
{
    size_t i = 0;
    while (i < t.n && (is_alpha(t.s[i]) || (i && (is_digit(t.s[i]) || strchr("+.-", t.s[i])))))
        i++;
    return i && t.n - i >= 3 && memcmp(t.s + i, "://", 3) == 0 ? i + 3 : 0;
}

/* Takes scheme, path, port and one final dot away. false: a port that is none, or a path where none may be. */
static bool host_span(const char *text, bool path_allowed, struct span *out)
{
    struct span t = trimmed(text);
    size_t scheme = scheme_length(t);
    t.s += scheme;
    t.n -= scheme;
    for (size_t i = 0; i < t.n; i++) {
        if (!strchr("/?#", t.s[i]))
            continue;
        bool bare = t.s[i] == '/' && i + 1 == t.n;
        if (!bare && (!path_allowed || !scheme))
            return false;
        t.n = i;
    }
    for (size_t i = 0; i < t.n; i++) {
        if (t.s[i] != ':')
            continue;
        unsigned port = 0;
        for (size_t k = i + 1; k < t.n; k++) {
            if (!is_digit(t.s[k]) || (port = port * 10 + (unsigned)(t.s[k] - '0')) > 65535)
                return false;
        }
        t.n = i;
    }
    if (t.n && t.s[t.n - 1] == '.')
        t.n--;
    *out = t;
    return t.n > 0;
}

/* Labels of 1 to 63 letters, digits, "_" and "-", no "-" at either end; 253 characters in all. A last label of digits
 * alone is an address or nothing: readers of addresses take "10.1" for 10.0.0.1. */
static bool valid_name(const char *s)
{
    size_t label = 0, n = 0;
    bool digits = true;
    for (;; s++, n++) {
        if (*s == '.' || *s == '\0') {
            if (label == 0 || label > LABEL_MAX || s[-1] == '-' || n > HOST_MAX)
                return false;
            if (*s == '\0')
                return !digits;
            label = 0;
            digits = true;
            continue;
        }
        if (!((*s >= 'a' && *s <= 'z') || is_digit(*s) || *s == '_' || (*s == '-' && label > 0)))
            return false;
        digits = digits && is_digit(*s);
        label++;
    }
}

/* A-label form in lower case, or NULL. */
static const char *to_ascii(struct arena *a, struct span t)
{
    if (t.n > 4 * HOST_MAX)
        return NULL;
    char *s = arena_strndup(a, t.s, t.n);
    bool ascii = true;
    for (size_t i = 0; i < t.n; i++) {
        ascii = ascii && (unsigned char)s[i] < 0x80;
        s[i] = ascii_lower(s[i]);
    }
    if (ascii)
        return s;
    if (!utf8_valid(s, t.n))
        return NULL;
    char *out = NULL;
    if (idn2_to_ascii_8z(s, &out, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return NULL;
    s = arena_strdup(a, out);
    idn2_free(out);
    for (char *p = s; *p; p++)
        *p = ascii_lower(*p);
    return s;
}

static const char *checked_host(struct arena *a, struct span t)
{
    const char *host = to_ascii(a, t);
    uint32_t ip;
    return host && (ip_parse(host, &ip) || valid_name(host)) ? host : NULL;
}

const char *normalise_host(struct arena *a, const char *text)
{
    struct span t;
    return text && host_span(text, true, &t) ? checked_host(a, t) : NULL;
}

/* The Unicode spelling of a name that holds A-labels, if it leads back to the very same name; else NULL. */
static const char *unicode_form(struct arena *a, const char *host)
{
    if (!strstr(host, "xn--"))
        return NULL;
    char *out = NULL;
    if (idn2_to_unicode_8z8z(host, &out, IDN2_NONTRANSITIONAL) != IDN2_OK)
        return NULL;
    const char *display = NULL;
    if (strcmp(out, host) != 0) {
        const char *back = to_ascii(a, (struct span){ out, strlen(out) });
        if (back && strcmp(back, host) == 0)
            display = arena_strdup(a, out);
    }
    idn2_free(out);
    return display;
}

bool normalise_public_name(struct arena *a, const char *text, struct public_name *out)
{
    struct span t;
    memset(out, 0, sizeof *out);
    if (!text || !host_span(text, false, &t))
        return false;
    bool wildcard = t.n > 2 && t.s[0] == '*' && t.s[1] == '.';
    if (wildcard)
        t.s += 2, t.n -= 2;
    const char *host = checked_host(a, t);
    if (!host)
        return false;
    uint32_t ip;
    bool address = ip_parse(host, &ip);
    if (address && wildcard)
        return false;
    const char *display = unicode_form(a, host);
    out->kind = address ? NAME_ADDRESS : wildcard ? NAME_WILDCARD : NAME_EXACT;
    out->name = wildcard ? arena_printf(a, "*.%s", host) : host;
    out->display = display && wildcard ? arena_printf(a, "*.%s", display) : display;
    return true;
}

/* ---- paths ---------------------------------------------------------------- */
/* The path as clients send it: what they always encode is encoded here too, since paths are compared raw (D-03).
 * Backslashes become slashes (B-19). NULL: not usable. */
static char *path_as_sent(struct arena *a, struct span t)
{
    static const char hex[] = "0123456789ABCDEF";
    if (t.n == 0 || t.n > PATH_MAX_BYTES || !utf8_valid(t.s, t.n))
        return NULL;
    char *out = arena_alloc(a, 3 * t.n + 1), *o = out;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.s[i];
        if (c < 0x20 || c == 0x7f || c == '?' || c == '#')
            return NULL;
        if (c == '\\')
            c = '/';
        if (c >= 0x80 || strchr(" \"<>`{}", c)) {
            *o++ = '%';
            *o++ = hex[c >> 4];
            *o++ = hex[c & 15];
        } else {
            *o++ = (char)c;
        }
    }
    return out[0] == '/' && o - out <= PATH_MAX_BYTES ? out : NULL;
}

static bool climbs(const char *path)
{
    for (const char *s = strstr(path, "/.."); s; s = strstr(s + 1, "/.."))
        if (s[3] == '/' || s[3] == '\0')
            return true;
    return false;
}

bool normalise_path(struct arena *a, const char *text, enum path_kind *kind, const char **literal, bool *odd)
{
    char *s = text ? path_as_sent(a, trimmed(text)) : NULL;
    if (!s || climbs(s))
        return false;
    size_t n = strlen(s);
    *kind = PATH_EXACT;
    *odd = false;
    if (n >= 2 && s[n - 1] == '*' && s[n - 2] == '/') {
        *kind = PATH_PREFIX;
        n -= 2;
    } else if (n >= 2 && s[n - 1] == '*') {
        *kind = PATH_STEM; /* not documented, but wizards write it (B-13) */
        *odd = true;
        n--;
    }
    s[n] = '\0';
    /* A star elsewhere has no documented meaning and stands for itself; "/a//" "*" would ask for two slashes. */
    *odd = *odd || strchr(s, '*') || (*kind == PATH_PREFIX && n && s[n - 1] == '/');
    *literal = s;
    return true;
}

void buf_path_pattern(struct strbuf *b, enum path_kind kind, const char *literal)
{
    static const char *const tail[] = { [PATH_PREFIX] = "/*", [PATH_EXACT] = "", [PATH_STEM] = "*" };
    buf_puts(b, literal);
    buf_puts(b, *literal ? tail[kind] : "/*"); /* a stem of nothing is the whole site too */
}

/* ---- identifiers ------------------------------------------------------------ */
const char *normalise_guid(struct arena *a, const char *text)
{
    struct span t = trimmed(text ? text : "");
    if (t.n >= 2 && t.s[0] == '{' && t.s[t.n - 1] == '}')
        t.s++, t.n -= 2;
    char *out = arena_strndup(a, t.s, t.n);
    for (char *p = out; *p; p++)
        *p = ascii_lower(*p);
    return out;
}

const char *normalise_thumbprint(struct arena *a, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    char *out = arena_alloc(a, n + 1), *o = out;
    for (size_t i = 0; i < n; i++) {
        char c = ascii_lower(text[i]);
        if (is_digit(c) || (c >= 'a' && c <= 'f'))
            *o++ = c;
        else if (!strncmp(text + i, "\xe2\x80\x8e", 3))
            i += 2; /* the certificate dialog puts a mark in front of what one copies */
        else if (!is_space(c) && c != ':' && c != '-')
            return NULL;
    }
    return o > out ? out : NULL;
}
