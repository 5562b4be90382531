/* redact_words: pseudonyms of names, hosts, paths, users and the like.
 *
 * Host names are replaced label by label ("mail.contoso.example": "mail.x1.example"), so that what had a suffix in common
 * still has. Paths are replaced letter by letter along a tree of what was seen, so that lengths and common beginnings
 * stay: which path a request falls into depends on both. Words that the product or the advice knows stay. */
#define _GNU_SOURCE /* tdestroy */
#include "redact_parts.h"

#include <idn2.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct entry_of {
    const char *key, *value;
};
struct mapped {
    enum meaning means;
    const char *from, *to;
};
struct words {
    struct arena *arena;
    void *tree;             /* struct entry_of, by key: balanced, whatever the keys */
    struct numbers letters; /* the tree of paths: node and letter -> place among its brothers, next node */
    struct addresses *addresses;
    VEC(struct mapped) map;
    struct strbuf scratch;
};

/* ---- vocabulary ---------------------------------------------------------------------------------- */
static const char *const names_that_stay[] = { "All Users",
                                               "All Authenticated Users",
                                               "System and Network Service",
                                               "External",
                                               "Internal",
                                               "Local Host",
                                               "VPN Clients",
                                               "Quarantined VPN Clients",
                                               "All Networks",
                                               "All Networks (and Local Host)",
                                               "All Protected Networks",
                                               "Anywhere",
                                               "Anywhere (Relay)",
                                               "Always",
                                               "Work Hours",
                                               "Weekends",
                                               "Default rule",
                                               "FBA with AD",
                                               "FBA with LDAP",
                                               "FBA with RADIUS",
                                               "FBA with RADIUS OTP",
                                               "FBA with SecurID",
                                               "SecurID",
                                               "LDAP",
                                               "RADIUS",
                                               "Integrated",
                                               "Digest",
                                               "Basic",
                                               "Microsoft (R) Corporation",
                                               "Microsoft Corporation",
                                               "FPC",
                                               "true",
                                               "false",
                                               "yes",
                                               "no",
                                               "Windows",
                                               NULL };
/* Found anywhere in a name, they give a rule away as one of Lync's; they go before the pseudonym. */
static const char *const words_in_names[] = { "lync", "ocs ", "skype for business", "communications server", NULL };
static const char *const top_labels[] = {
    "com",   "net",         "org", "edu",  "gov",      "mil",      "int",     "info", "biz",     "eu",
    "uk",    "co",          "us",  "ca",   "au",       "nz",       "de",      "ch",   "at",      "li",
    "fr",    "it",          "es",  "pt",   "nl",       "be",       "lu",      "dk",   "se",      "no",
    "fi",    "ie",          "pl",  "cz",   "sk",       "hu",       "ro",      "bg",   "gr",      "ru",
    "ua",    "tr",          "il",  "za",   "in",       "cn",       "hk",      "tw",   "jp",      "kr",
    "sg",    "br",          "mx",  "ar",   "cl",       "io",       "example", "test", "invalid", "localhost",
    "local", "localdomain", "lan", "home", "internal", "intranet", "corp",    "arpa", NULL
};
static const char *const labels_that_stay[] = {
    "www",  "mail",   "webmail",   "owa", "ftp", "smtp", "sip", "autodiscover", "lyncdiscover", "lyncdiscoverinternal",
    "meet", "dialin", "localhost", NULL
};
/* Advice looks at how a name begins. */
static const char *const label_beginnings[] = { "meet", "join",  "dialin", "dial-in", "lyncdiscover", "lyncweb", "lync",
                                                "ocs",  "skype", "sfb",    "webcon",  "csweb",        NULL };
static const char *const segments_that_stay[] = { "owa",
                                                  "ecp",
                                                  "ews",
                                                  "oab",
                                                  "rpc",
                                                  "rpcwithcert",
                                                  "mapi",
                                                  "exchange",
                                                  "exchweb",
                                                  "public",
                                                  "unifiedmessaging",
                                                  "autodiscover",
                                                  "autodiscover.xml",
                                                  "microsoft-server-activesync",
                                                  "oma",
                                                  "meet",
                                                  "dialin",
                                                  "abs",
                                                  "groupexpansion",
                                                  "webticket",
                                                  "reach",
                                                  "ucwa",
                                                  "collabcontent",
                                                  "persistentchat",
                                                  "datacollabweb",
                                                  "_vti_bin",
                                                  "_vti_inf.html",
                                                  "_layouts",
                                                  "_upresources",
                                                  "certsrv",
                                                  "certprov",
                                                  "certenroll",
                                                  "remote",
                                                  "rdweb",
                                                  "favicon.ico",
                                                  "robots.txt",
                                                  NULL };
static const char *const extensions_that_stay[] = { "htm", "html", "asp", "aspx", "ashx", "asmx", "svc", "php",
                                                    "jsp", "txt",  "xml", "ico",  "png",  "gif",  "jpg", "css",
                                                    "js",  "dll",  "exe", "com",  "bat",  "cmd",  NULL };
static const char *const http_words[] = {
    "GET",       "HEAD",       "POST",          "PUT",         "DELETE",       "OPTIONS", "TRACE", "CONNECT",
    "PATCH",     "PROPFIND",   "PROPPATCH",     "MKCOL",       "COPY",         "MOVE",    "LOCK",  "UNLOCK",
    "SEARCH",    "SUBSCRIBE",  "UNSUBSCRIBE",   "POLL",        "NOTIFY",       "BCOPY",   "BMOVE", "BDELETE",
    "BPROPFIND", "BPROPPATCH", "X-MS-ENUMATTS", "RPC_IN_DATA", "RPC_OUT_DATA", "Server",  "Via",   "Host",
    "Cookie",    "Set-Cookie", "User-Agent",    "Location",    "true",         "false",   NULL
};

static bool among(const char *const *list, const char *s, size_t n)
{
    for (; *list; list++)
        if (strlen(*list) == n && ascii_ncasecmp(*list, s, n) == 0)
            return true;
    return false;
}

/* ---- look-up ----------------------------------------------------------------------------------------- */
static int by_key(const void *x, const void *y)
{
    return strcmp(((const struct entry_of *)x)->key, ((const struct entry_of *)y)->key);
}
static void leave(void *p)
{
    (void)p;
}

struct words *words_new(struct arena *a)
{
    struct words *w = arena_alloc(a, sizeof *w);
    w->arena = a;
    w->letters.arena = a;
    w->addresses = addresses_new(a);
    return w;
}

void words_free(struct words *w)
{
    tdestroy(w->tree, leave);
    buf_free(&w->scratch);
    w->tree = NULL;
}

/* The entry of a key ("kind:text"), made with an empty value if it is new. */
static struct entry_of *entry_at(struct words *w, char kind, const char *text, size_t n)
{
    buf_clear(&w->scratch);
    buf_putc(&w->scratch, kind);
    buf_add(&w->scratch, text, n);
    struct entry_of probe = { w->scratch.p, NULL }, **found = tfind(&probe, &w->tree, by_key);
    if (found)
        return *found;
    struct entry_of *e = arena_alloc(w->arena, sizeof *e);
    e->key = arena_strndup(w->arena, w->scratch.p, w->scratch.n);
    if (!tsearch(e, &w->tree, by_key))
        mem_fatal();
    return e;
}

static size_t count(struct words *w, char kind, const char *word)
{
    char text[24];
    struct entry_of *e = entry_at(w, kind, word, strlen(word));
    snprintf(text, sizeof text, "%zu", e->value ? (size_t)strtoul(e->value, NULL, 10) + 1 : 1);
    e->value = arena_strdup(w->arena, text);
    return (size_t)strtoul(text, NULL, 10);
}

static const char *lowered(struct words *w, const char *s, size_t n)
{
    char *low = arena_strndup(w->arena, s, n);
    for (char *c = low; *c; c++)
        *c = ascii_lower(*c);
    return low;
}

/* "WORD n": the same for texts that differ in case only. */
static const char *numbered(struct words *w, char kind, const char *word, const char *separator, const char *text,
                            size_t n)
{
    const char *key = lowered(w, text, n);
    struct entry_of *e = entry_at(w, kind, key, strlen(key));
    if (!e->value) {
        size_t number = count(w, '#', *word ? word : (const char[]){ kind, '\0' });
        e->value = arena_printf(w->arena, "%s%s%zu", word, separator, number);
    }
    return e->value;
}

/* ---- shapes ---------------------------------------------------------------------------------------------- */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(char c)
{
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}
static bool is_hex(char c)
{
    return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}
static bool is_word(char c)
{
    return is_digit(c) || is_letter(c) || (unsigned char)c >= 0x80 || c == '-' || c == '_';
}

static bool is_number(const char *s)
{
    s += *s == '-';
    return *s && s[strspn(s, "0123456789.")] == '\0';
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

static bool is_address_text(const char *s)
{
    return is_digit(*s) && strchr(s, '.') && s[strspn(s, "0123456789./-:")] == '\0';
}

void words_range(struct words *w, struct ip_range r)
{
    addresses_range(w->addresses, r);
}

static const char *remember(struct words *w, enum meaning means, const char *from, const char *to)
{
    if (strcmp(from, to) != 0)
        vec_add(w->arena, &w->map, ((struct mapped){ means, from, to }));
    return to;
}

/* ---- hosts ------------------------------------------------------------------------------------------------------ */
static const char *beginning(const char *s, size_t n)
{
    const char *longest = "";
    for (const char *const *p = label_beginnings; *p; p++)
        if (strlen(*p) <= n && strlen(*p) > strlen(longest) && ascii_ncasecmp(s, *p, strlen(*p)) == 0)
            longest = *p;
    return longest;
}

/* One key for the two spellings of an international label, and whether it is the one with xn--. */
static const char *label_key(struct words *w, const char *s, size_t n, bool *foreign)
{
    char *label = arena_strndup(w->arena, s, n), *ascii = NULL;
    const char *key = lowered(w, s, n);
    *foreign = !strncmp(key, "xn--", 4);
    for (size_t i = 0; i < n; i++)
        *foreign |= (unsigned char)s[i] >= 0x80;
    if (*foreign && idn2_to_ascii_8z(label, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) == IDN2_OK) {
        key = lowered(w, ascii, strlen(ascii));
        idn2_free(ascii);
    }
    return key;
}

static const char *new_label(struct words *w, const char *key, size_t n, bool foreign)
{
    const char *begins = beginning(key, n);
    struct strbuf b = { 0 };
    buf_printf(&b, "%s%s%s%s%zu", *key == '-' ? "-" : "", begins, foreign ? "x\xc3\xbc" : "x",
               strchr(key, '_') ? "_" : "", count(w, '#', "label"));
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
    if (among(labels_that_stay, s, n) || (last && among(top_labels, s, n))) {
        buf_add(out, s, n);
        return;
    }
    const char *key = label_key(w, s, n, &foreign);
    struct entry_of *e = entry_at(w, 'l', key, strlen(key));
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
static void put_host(struct words *w, struct strbuf *out, const char *s, size_t n)
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
static void put_run(struct words *w, struct strbuf *out, const char *s, size_t n)
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
            const char *number = numbered(w, 'u', "", "", s + i, k - i);
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
    if (among(segments_that_stay, s, body)) {
        buf_add(out, s, n);
        return;
    }
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && is_word(s[k]))
            k++;
        bool extension = i && s[i - 1] == '.' && among(extensions_that_stay, s + i, k - i);
        if (extension)
            buf_add(out, s + i, k - i);
        else
            put_run(w, out, s + i, k - i);
        i = k;
        if (i < n && s[i] == '%' && i + 2 < n && is_hex(s[i + 1]) && is_hex(s[i + 2])) {
            buf_add(out, s + i, 3);
            i += 3;
        } else if (i < n) {
            buf_putc(out, s[i++]);
        }
    }
}

static void put_path(struct words *w, struct strbuf *out, const char *s)
{
    while (*s) {
        size_t n = strcspn(s, "/\\?&=#;");
        put_segment(w, out, s, n);
        s += n;
        if (*s)
            buf_putc(out, *s++);
    }
}

static void put_url(struct words *w, struct strbuf *out, const char *s)
{
    const char *authority = strstr(s, "://");
    if (authority) {
        authority += 3;
        buf_add(out, s, (size_t)(authority - s));
        s = authority;
    } else if (*s != '/') {
        put_host(w, out, s, strcspn(s, "/"));
        put_path(w, out, s + strcspn(s, "/"));
        return;
    }
    size_t n = authority ? strcspn(s, "/?#") : 0;
    put_host(w, out, s, n);
    put_path(w, out, s + n);
}

/* ---- users, identifiers ------------------------------------------------------------------------------------------------- */
/* "CONTOSO-Sales", "CONTOSO\sales", "sales@contoso.example". */
static void put_account(struct words *w, struct strbuf *out, const char *s)
{
    const char *at = strrchr(s, '@');
    size_t n = strcspn(s, "\\");
    if (!s[n])
        n = strcspn(s, "-");
    if (at && at > s) {
        buf_puts(out, numbered(w, 'n', "account", "", s, (size_t)(at - s)));
        buf_putc(out, '@');
        put_host(w, out, at + 1, strlen(at + 1));
        return;
    }
    if (s[n]) {
        put_host(w, out, s, n);
        buf_putc(out, s[n]);
        s += n + 1;
    }
    if (among(names_that_stay, s, strlen(s)))
        buf_puts(out, s);
    else
        buf_puts(out, numbered(w, 'a', "Account ", "", s, strlen(s)));
}

/* Identifiers of machines and domains go; those that every system has stay. */
static void put_sid(struct words *w, struct strbuf *out, const char *s)
{
    if (ascii_ncasecmp(s, "S-1-5-21-", 9) != 0 && ascii_ncasecmp(s, "S-1-", 4) == 0) {
        buf_puts(out, s);
        return;
    }
    const char *rid = strrchr(s, '-');
    if (ascii_ncasecmp(s, "S-1-", 4) == 0) {
        buf_printf(out, "S-1-5-21-0-0-%s", numbered(w, 'd', "", "", s, (size_t)(rid - s)));
        buf_printf(out, "-%s", numbered(w, 's', "", "", s, strlen(s)));
    } else {
        const char *number = numbered(w, 's', "", "", s, strlen(s));
        for (size_t i = strlen(number); i < strlen(s); i++)
            buf_putc(out, '0');
        buf_puts(out, number);
    }
}

static void put_thumbprint(struct words *w, struct strbuf *out, const char *s)
{
    struct strbuf digits = { 0 };
    bool hex = true;
    for (const char *c = s; *c; c++) {
        if (is_hex(*c))
            buf_putc(&digits, ascii_lower(*c));
        else
            hex = hex && (strchr(" \t\r\n:-", *c) || (unsigned char)*c >= 0x80);
    }
    const char *number =
        numbered(w, 't', "", "", hex && digits.n ? digits.p : s, hex && digits.n ? digits.n : strlen(s));
    for (size_t i = strlen(number); i < (hex ? digits.n : 40); i++)
        buf_putc(out, '0');
    buf_puts(out, number);
    buf_free(&digits);
}

/* GUIDs of objects may hold a network card's number, so they go too; the product's own stay, for the readers know them. */
static void put_guid(struct words *w, struct strbuf *out, const char *s)
{
    static const char *const known[] = { "F129EACF-778B-44FE-B339-5B752D7220A3",
                                         "5ED77DCE-8110-4821-B445-008B7E6B7F6D",
                                         "18d0438b-5144-4362-b79e-742712513729",
                                         "4C0562DC-2D02-4fe3-A870-D308D6DC74D9",
                                         "f1076e51-bbaf-48ba-a2d7-b0875211e80d",
                                         "3563FFF5-DF93-40eb-ABC3-D24B5F14D8AA",
                                         "5e302ed5-f5d5-4fad-9b8a-01c72e1569f3",
                                         "143F5698-103B-12D4-FF34-1F34767DEabc",
                                         NULL };
    size_t brace = *s == '{';
    if (among(known, s + brace, 36)) {
        buf_puts(out, s);
        return;
    }
    unsigned long number = strtoul(numbered(w, 'g', "", "", s + brace, 36), NULL, 10);
    buf_printf(out, "%s00000000-0000-4000-8000-%012lx%s", brace ? "{" : "", number, brace ? "}" : "");
}

static void put_spn(struct words *w, struct strbuf *out, const char *s)
{
    size_t n = strcspn(s, "/");
    if (s[n]) {
        bool known = among((const char *const[]){ "http", "https", "host", "cifs", NULL }, s, n);
        if (known)
            buf_add(out, s, n);
        else
            put_host(w, out, s, n);
        buf_putc(out, '/');
        s += n + 1;
    }
    put_host(w, out, s, strlen(s));
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */
static void put_name(struct words *w, struct strbuf *out, const char *object, const char *s)
{
    if (among(names_that_stay, s, strlen(s))) {
        buf_puts(out, s);
        return;
    }
    for (const char *const *word = words_in_names; *word; word++)
        if (strcasestr(s, *word))
            buf_printf(out, "%s%s", *word, (*word)[strlen(*word) - 1] == ' ' ? "" : " ");
    buf_puts(out, numbered(w, 'n', object, " ", s, strlen(s)));
}

/* What an unknown text is, by its looks. */
static void put_by_shape(struct words *w, struct strbuf *out, const char *s)
{
    size_t n = strlen(s);
    bool host = n > 3 && strchr(s, '.');
    for (const char *c = s; *c && host; c++)
        host = is_word(*c) || *c == '.' || *c == '*' || *c == ':';
    if (ascii_ncasecmp(s, "S-1-", 4) == 0)
        put_sid(w, out, s);
    else if (strstr(s, "://"))
        put_url(w, out, s);
    else if (*s == '/')
        put_path(w, out, s);
    else if (host || is_address_text(s))
        put_host(w, out, s, n);
    else if (n >= 32 && n % 2 == 0 && s[strspn(s, "0123456789abcdefABCDEF")] == '\0')
        put_thumbprint(w, out, s);
    else if (among(names_that_stay, s, n))
        buf_puts(out, s);
    else
        buf_puts(out, numbered(w, 'v', "value", " ", s, n));
}

/* The HTTP filter is XML in a text. Its values are replaced word by word as paths are, because what they are compared with is
 * paths and the like; words of HTTP and numbers stay, and so does where a signature is looked for. */
static bool says_where(const char *s, size_t quote)
{
    static const char *const where[] = { "SearchIn", "Location", "Type", "Where", "Scope", NULL };
    size_t end = quote;
    while (end && strchr("= \t\r\n", s[end - 1]))
        end--;
    size_t begin = end;
    while (begin && is_word(s[begin - 1]))
        begin--;
    return among(where, s + begin, end - begin);
}

static void put_filter_value(struct words *w, struct strbuf *out, const char *s, size_t n)
{
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i; k < n && is_word(s[k]); k++)
            ;
        bool stays = strspn(s + i, "0123456789-") >= k - i || among(http_words, s + i, k - i) ||
                     among(extensions_that_stay, s + i, k - i);
        if (k > i && stays)
            buf_add(out, s + i, k - i);
        else if (k > i)
            put_run(w, out, s + i, k - i);
        if (k == n)
            break;
        size_t other = s[k] == '&' ? strcspn(s + k, ";") + 1 : 1; /* a character reference is one character */
        other = other < n - k ? other : n - k;
        buf_add(out, s + k, other);
        k += other;
    }
}

static void put_filter(struct words *w, struct strbuf *out, const char *s)
{
    for (size_t i = 0, k; s[i]; i = k) {
        k = i + strcspn(s + i, "\"'>");
        buf_add(out, s + i, k - i + (s[k] != '\0'));
        if (!s[k])
            break;
        char mark = s[k++];
        size_t n = mark == '>' ? strcspn(s + k, "<") : strcspn(s + k, mark == '"' ? "\"" : "'");
        if (mark != '>' && says_where(s, k - 1))
            buf_add(out, s + k, n);
        else
            put_filter_value(w, out, s + k, n);
        k += n;
        if (mark != '>' && s[k])
            buf_putc(out, s[k++]);
    }
}

/* ---- one text ------------------------------------------------------------------------------------------------------------ */
static void put(struct words *w, struct strbuf *out, enum meaning means, const char *object, const char *s)
{
    uint32_t ip;
    bool number = is_number(s) && !ip_parse(s, &ip);
    buf_puts(out, "");
    if (means == MEANS_THUMBPRINT)
        put_thumbprint(w, out, s);
    else if (means == MEANS_VOCABULARY || (number && means != MEANS_SID))
        buf_puts(out, s);
    else if (is_guid(s))
        put_guid(w, out, s);
    else if (strstr(s, "<Configuration"))
        put_filter(w, out, s);
    else
        switch (means) {
        case MEANS_NAME:
        case MEANS_STORAGE: put_name(w, out, object, s); break;
        case MEANS_TEXT: buf_puts(out, numbered(w, 'x', "text", " ", s, strlen(s))); break;
        case MEANS_HOST: put_host(w, out, s, strlen(s)); break;
        case MEANS_URL: put_url(w, out, s); break;
        case MEANS_PATH: put_path(w, out, s); break;
        case MEANS_ACCOUNT: put_account(w, out, s); break;
        case MEANS_SID: put_sid(w, out, s); break;
        case MEANS_SPN: put_spn(w, out, s); break;
        default: put_by_shape(w, out, s); break;
        }
}

const char *words_pseudonym(struct words *w, enum meaning means, const char *object, const char *text)
{
    struct entry_of *e = entry_at(w, (char)('A' + (int)means), text, strlen(text));
    if (e->value)
        return e->value;
    struct strbuf b = { 0 };
    put(w, &b, means, object, text);
    e->value = strcmp(b.p, text) == 0 ? text : arena_strdup(w->arena, b.p);
    if (means != MEANS_VOCABULARY)
        remember(w, means, e->key + 1, e->value);
    buf_free(&b);
    return e->value;
}

void words_map(const struct words *w, struct strbuf *out)
{
    static const char *const kinds[MEANINGS] = { "value", "",        "",    "name",       "text", "host",   "url",
                                                 "path",  "account", "sid", "thumbprint", "spn",  "filter", "name" };
    buf_puts(out, "{\"map\": 1, \"pseudonyms\": [\n");
    for (size_t i = 0; i < w->map.n; i++) {
        const struct mapped *m = &w->map.v[i];
        buf_printf(out, "  {\"kind\": \"%s\", \"original\": ", is_guid(m->from) ? "guid" : kinds[m->means]);
        buf_json(out, m->from);
        buf_puts(out, ", \"pseudonym\": ");
        buf_json(out, m->to);
        buf_puts(out, i + 1 < w->map.n ? "},\n" : "}\n");
    }
    buf_puts(out, "]}\n");
}
