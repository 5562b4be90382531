/* redact_places: pseudonyms of addresses, hosts, paths and URLs.
 *
 * Host names are replaced label by label ("mail.contoso.example": "mail.x1.example"), so that what had a suffix in common
 * still has. Paths are replaced letter by letter along a tree of what was seen, so that lengths and common beginnings
 * stay: which path a request falls into depends on both. */
#include "redact_words.h"

#include <idn2.h>
#include <string.h>

/* ---- shapes ---------------------------------------------------------------------------------------------- */
bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}
bool is_hex(char c)
{
    return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}
bool is_word(char c)
{
    return is_digit(c) || is_letter(c) || (unsigned char)c >= 0x80 || c == '-' || c == '_';
}

/* ---- addresses ----------------------------------------------------------------------------------------------- */
static void put_ip_or(struct words *w, struct strbuf *out, const char *s, size_t n)
{
    uint32_t ip;
    char text[16] = "";
    if (n < sizeof text)
        memcpy(text, s, n);
    if (n < sizeof text && ip_parse(text, &ip))
        buf_ip(out, address_pseudonym(w->addresses, ip));
    else
        buf_add(out, s, n);
}

/* Digits and dots, with whatever stands between: "10.0.0.0/8", "10.0.0.1-10.0.0.9". */
static void put_addresses(struct words *w, struct strbuf *out, const char *s)
{
    while (*s) {
        size_t n = strspn(s, "0123456789.");
        put_ip_or(w, out, s, n);
        s += n;
        if (*s)
            buf_putc(out, *s++);
    }
}

bool is_address_text(const char *s)
{
    return is_digit(*s) && strchr(s, '.') && s[strspn(s, "0123456789./-:")] == '\0';
}

/* ---- hosts ------------------------------------------------------------------------------------------------------ */
static const char *beginning(const char *s, size_t n)
{
    const char *longest = "";
    for (const char *const *p = vocabulary_beginnings; *p; p++)
        if (strlen(*p) <= n && strlen(*p) > strlen(longest) && ascii_ncasecmp(s, *p, strlen(*p)) == 0)
            longest = *p;
    return longest;
}

/* One key for the two spellings of an international label, and whether it is the one with xn--. */
static const char *label_key(struct words *w, const char *s, size_t n, bool *foreign)
{
    char *label = arena_strndup(w->arena, s, n), *ascii = NULL;
    const char *key = words_lowered(w, s, n);
    *foreign = !strncmp(key, "xn--", 4);
    for (size_t i = 0; i < n; i++)
        *foreign |= (unsigned char)s[i] >= 0x80;
    if (*foreign && idn2_to_ascii_8z(label, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK) {
        key = words_lowered(w, ascii, strlen(ascii));
        idn2_free(ascii);
    }
    return key;
}

static const char *new_label(struct words *w, const char *key, size_t n, bool foreign)
{
    const char *begins = beginning(key, n);
    struct strbuf b = { 0 };
    buf_printf(&b, "%s%s%s%s%zu", *key == '-' ? "-" : "", begins, foreign ? "x\xc3\xbc" : "x",
               strchr(key, '_') ? "_" : "", words_count(w, '#', "label"));
    while (n > 63 && b.n < n)
        buf_putc(&b, 'x');
    if (n > 1 && key[n - 1] == '-')
        buf_putc(&b, '-');
    const char *label = arena_strdup(w->arena, b.p);
    buf_free(&b);
    return label;
}

static void put_label(struct words *w, struct strbuf *out, const char *s, size_t n, bool last)
{
    bool foreign;
    if (vocabulary_has(vocabulary_labels, s, n) || (last && vocabulary_has(vocabulary_top_labels, s, n))) {
        buf_add(out, s, n);
        return;
    }
    const char *key = label_key(w, s, n, &foreign);
    struct entry_of *e = words_entry(w, 'l', key, strlen(key));
    if (!e->value)
        e->value = new_label(w, key, strlen(key), foreign);
    char *ascii = NULL;
    bool coded = foreign && ascii_ncasecmp(s, "xn--", 4) == 0 &&
                 idn2_to_ascii_8z(e->value, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK;
    bool upper = false;
    for (size_t i = 0; i < n; i++)
        upper |= s[i] >= 'A' && s[i] <= 'Z';
    for (const char *c = coded ? ascii : e->value; *c; c++)
        buf_putc(out, upper && *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    if (coded)
        idn2_free(ascii);
}

/* Up to n bytes: labels, and what is none (dots, stars, ports). */
void words_host(struct words *w, struct strbuf *out, const char *s, size_t n)
{
    uint32_t ip;
    const char *text = arena_strndup(w->arena, s, n);
    size_t host = strcspn(text, ":");
    if (ip_parse(arena_strndup(w->arena, text, host), &ip) || is_address_text(text)) {
        put_addresses(w, out, text);
        return;
    }
    bool dots = false;
    for (size_t i = 0; text[i];) {
        size_t k = i;
        while (text[k] && is_word(text[k]))
            k++;
        bool port = i && text[i - 1] == ':' && text[i + strspn(text + i, "0123456789")] == '\0';
        if (k > i && port)
            buf_add(out, text + i, k - i);
        else if (k > i)
            put_label(w, out, text + i, k - i, dots && text[k] != '.');
        if (text[k])
            buf_putc(out, text[k]);
        dots |= text[k] == '.';
        i = k + (text[k] != '\0');
    }
}

/* ---- paths -------------------------------------------------------------------------------------------------------- */
static const char letters_in_order[] = "qzxjkvwypbghfmucldnrtsioae";

/* One letter below a node of the tree. Letters become letters, digits digits. */
static char next_letter(struct words *w, uint64_t *at, char c)
{
    char low = ascii_lower(c);
    uint64_t kind = is_digit(c) ? 1 : 2;
    uint32_t *known = numbers_at(&w->letters, *at << 8 | (unsigned char)low);
    if (!*known) {
        uint32_t *brothers = numbers_at(&w->letters, *at << 8 | kind);
        uint32_t here = (*brothers)++;
        uint32_t *nodes = numbers_at(&w->letters, 0);
        uint32_t node = ++*nodes + 1; /* 1 is the root */
        known = numbers_at(&w->letters, *at << 8 | (unsigned char)low);
        *known = node << 5 | here;
    }
    uint32_t place = *known & 31;
    *at = *known >> 5;
    char out = kind == 1 ? (char)('0' + (place + 7) % 10) : letters_in_order[place % 26];
    return c >= 'A' && c <= 'Z' ? (char)(out - 'a' + 'A') : out;
}

/* A run of letters, digits, "-" and "_". What is not ASCII loses its letters, but not that it is not ASCII. */
void words_run(struct words *w, struct strbuf *out, const char *s, size_t n)
{
    uint64_t at = 1;
    for (size_t i = 0; i < n; i++) {
        if (is_digit(s[i]) || is_letter(s[i])) {
            buf_putc(out, next_letter(w, &at, s[i]));
        } else if ((unsigned char)s[i] < 0x80) {
            buf_putc(out, s[i]);
        } else {
            size_t k = i;
            while (k < n && (unsigned char)s[k] >= 0x80)
                k++;
            const char *number = words_numbered(w, 'u', "", "", s + i, k - i);
            buf_puts(out, "\xc3\xbc"); /* a number in letters no path has */
            for (const char *d = number; *d; d++)
                buf_printf(out, "\xc3%c", 0xa0 + (*d - '0'));
            i = k - 1;
        }
    }
}

static void put_segment(struct words *w, struct strbuf *out, const char *s, size_t n)
{
    size_t body = n && s[n - 1] == '*' ? n - 1 : n;
    if (vocabulary_has(vocabulary_segments, s, body)) {
        buf_add(out, s, n);
        return;
    }
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && is_word(s[k]))
            k++;
        bool extension = i && s[i - 1] == '.' && vocabulary_has(vocabulary_extensions, s + i, k - i);
        if (extension)
            buf_add(out, s + i, k - i);
        else
            words_run(w, out, s + i, k - i);
        i = k;
        if (i < n && s[i] == '%' && i + 2 < n && is_hex(s[i + 1]) && is_hex(s[i + 2])) {
            buf_add(out, s + i, 3);
            i += 3;
        } else if (i < n) {
            buf_putc(out, s[i++]);
        }
    }
}

void words_path(struct words *w, struct strbuf *out, const char *s)
{
    while (*s) {
        size_t n = strcspn(s, "/\\?&=#;");
        put_segment(w, out, s, n);
        s += n;
        if (*s)
            buf_putc(out, *s++);
    }
}

void words_url(struct words *w, struct strbuf *out, const char *s)
{
    const char *authority = strstr(s, "://");
    if (authority) {
        authority += 3;
        buf_add(out, s, (size_t)(authority - s));
        s = authority;
    } else if (*s != '/') {
        words_host(w, out, s, strcspn(s, "/"));
        words_path(w, out, s + strcspn(s, "/"));
        return;
    }
    size_t n = authority ? strcspn(s, "/?#") : 0;
    words_host(w, out, s, n);
    words_path(w, out, s + n);
}
