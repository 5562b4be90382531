/* redact_users: pseudonyms of accounts, SIDs, service principal names, thumbprints and GUIDs. */
#include "redact_words.h"

#include <stdlib.h>
#include <string.h>

/* "CONTOSO-Sales", "CONTOSO\sales", "sales@contoso.example". */
void words_account(struct words *w, struct strbuf *out, const char *s)
{
    const char *at = strrchr(s, '@');
    size_t n = strcspn(s, "\\");
    if (!s[n])
        n = strcspn(s, "-");
    if (at && at > s) {
        buf_puts(out, words_numbered(w, 'n', "account", "", s, (size_t)(at - s)));
        buf_putc(out, '@');
        words_host(w, out, at + 1, strlen(at + 1));
        return;
    }
    if (s[n]) {
        words_host(w, out, s, n);
        buf_putc(out, s[n]);
        s += n + 1;
    }
    if (vocabulary_has(vocabulary_names, s, strlen(s)))
        buf_puts(out, s);
    else
        buf_puts(out, words_numbered(w, 'a', "Account ", "", s, strlen(s)));
}

/* Identifiers of machines and domains go; those that every system has stay. */
void words_sid(struct words *w, struct strbuf *out, const char *s)
{
    if (ascii_ncasecmp(s, "S-1-5-21-", 9) != 0 && ascii_ncasecmp(s, "S-1-", 4) == 0) {
        buf_puts(out, s);
        return;
    }
    const char *rid = strrchr(s, '-');
    if (ascii_ncasecmp(s, "S-1-", 4) == 0) {
        buf_printf(out, "S-1-5-21-0-0-%s", words_numbered(w, 'd', "", "", s, (size_t)(rid - s)));
        buf_printf(out, "-%s", words_numbered(w, 's', "", "", s, strlen(s)));
    } else {
        const char *number = words_numbered(w, 's', "", "", s, strlen(s));
        for (size_t i = strlen(number); i < strlen(s); i++)
            buf_putc(out, '0');
        buf_puts(out, number);
    }
}

void words_thumbprint(struct words *w, struct strbuf *out, const char *s)
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
        words_numbered(w, 't', "", "", hex && digits.n ? digits.p : s, hex && digits.n ? digits.n : strlen(s));
    for (size_t i = strlen(number); i < (hex ? digits.n : 40); i++)
        buf_putc(out, '0');
    buf_puts(out, number);
    buf_free(&digits);
}

/* GUIDs of objects may hold a network card's number, so they go too; the product's own stay, for the readers know them. */
void words_guid(struct words *w, struct strbuf *out, const char *s)
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
    if (vocabulary_has(known, s + brace, 36)) {
        buf_puts(out, s);
        return;
    }
    unsigned long number = strtoul(words_numbered(w, 'g', "", "", s + brace, 36), NULL, 10);
    buf_printf(out, "%s00000000-0000-4000-8000-%012lx%s", brace ? "{" : "", number, brace ? "}" : "");
}

void words_spn(struct words *w, struct strbuf *out, const char *s)
{
    size_t n = strcspn(s, "/");
    if (s[n]) {
        bool known = vocabulary_has((const char *const[]){ "http", "https", "host", "cifs", NULL }, s, n);
        if (known)
            buf_add(out, s, n);
        else
            words_host(w, out, s, n);
        buf_putc(out, '/');
        s += n + 1;
    }
    words_host(w, out, s, strlen(s));
}
