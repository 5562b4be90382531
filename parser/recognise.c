/* recognise: what a file that is no export seems to be, and what its owner should do. */
#include "parser.h"
#include "store.h"

#include <string.h>

static const char what_to_do[] =
    "export the firewall policy, or the whole array, from the ISA or TMG management console as XML";

/* The first n bytes as they look without byte order mark and zero bytes (UTF-16), so that any encoding can be judged. */
static void squeeze(struct strbuf *out, const char *bytes, size_t n)
{
    size_t at = n >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;
    if (n >= 2 && (!memcmp(bytes, "\xff\xfe", 2) || !memcmp(bytes, "\xfe\xff", 2)))
        at = 2;
    buf_puts(out, "");
    for (size_t i = at; i < n && i < 4096; i++)
        if (bytes[i])
            buf_putc(out, bytes[i]);
}

static const char *skip_space(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

static bool is_binary(const char *bytes, size_t n, const char *text)
{
    static const char *const magic[] = { "PK\x03\x04", "\xd0\xcf\x11\xe0", "MSCF", "TAPE", "\x1f\x8b",
                                         "MZ",         "7z\xbc\xaf",       "%PDF", "MSISA" };
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (n >= strlen(magic[i]) && !memcmp(bytes, magic[i], strlen(magic[i])))
            return true;
    size_t odd = 0;
    for (const char *s = text; *s; s++)
        odd += (unsigned char)*s < 32 && !strchr("\t\r\n\f", *s);
    size_t zeros = 0, seen = n < 4096 ? n : 4096;
    for (size_t i = 0; i < seen; i++)
        zeros += !bytes[i];
    bool utf16 = n >= 2 && (!memcmp(bytes, "\xff\xfe", 2) || !memcmp(bytes, "\xfe\xff", 2) || !bytes[0] != !bytes[1]);
    return odd > 0 || (zeros && !utf16);
}

static bool contains(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++)
        if (ascii_ncasecmp(text, word, n) == 0)
            return true;
    return false;
}

static const char *plain_text(const char *s)
{
    if (*s == '{' || *s == '[')
        return "this seems to be JSON, not an export; export the firewall policy, or the whole array, from the console as XML";
    if (contains(s, "FPC.Root") || contains(s, "New-Object") || contains(s, "CreateObject") || contains(s, "param("))
        return "this seems to be a script, not an export; run it where it belongs, or export from the console as XML";
    if (!strncmp(s, "---", 3) || !strncmp(s, "policy:", 7) || !strncmp(s, "site:", 5) || contains(s, "\nsite:") ||
        contains(s, "\npolicy:"))
        return "this seems to be YAML (a policy or a site map), not an export";
    return "this seems to be plain text, not an export; export the firewall policy, or the whole array, from the console as XML";
}

const char *recognise_bytes(const char *bytes, size_t n)
{
    struct strbuf text = { 0 };
    squeeze(&text, bytes, n);
    const char *s = skip_space(text.p), *what = NULL;
    if (!n)
        what = "the file is empty; export the firewall policy, or the whole array, from the console as XML";
    else if (!*s && !is_binary(bytes, n, text.p))
        what = "the file holds nothing but white space; export again from the console as XML";
    else if (*s != '<' && is_binary(bytes, n, text.p))
        what =
            "this is a binary file, perhaps an ISA 2000 backup (.bak) or an archive; only XML exports of ISA 2004, ISA 2006 "
            "and Forefront TMG 2010 can be read: restore it and export from the console as XML";
    else if (*s != '<')
        what = plain_text(s);
    else if (!ascii_ncasecmp(s, "<!doctype html", 14) || !ascii_ncasecmp(s, "<html", 5))
        what = recognise_root(NULL, "html", NULL);
    buf_free(&text);
    return what;
}

const char *recognise_root(struct arena *a, const char *root, const char *space)
{
    if (!ascii_casecmp(root, "html"))
        return "this is an HTML page, not an export; perhaps a report or a sign-in page was saved: export from the console as XML";
    if (!ascii_ncasecmp(root, "ISAInfo", 7) || contains(root, "isainfo") || (space && contains(space, "isainfo")))
        return "this is the output of the ISAInfo script, not an export; export the firewall policy, or the whole array, from "
               "the console as XML";
    struct strbuf shown = { 0 };
    buf_visible(&shown, root);
    const char *what =
        arena_printf(a,
                     "this is an XML document with the root <%.200s>, not an export of ISA Server or Forefront TMG "
                     "(root <Root> in a name space with /isa/config-); %s",
                     shown.p, what_to_do);
    buf_free(&shown);
    return what;
}

bool looks_like_xml(const char *bytes, size_t n)
{
    struct strbuf text = { 0 };
    squeeze(&text, bytes, n);
    const char *s = skip_space(text.p);
    bool xml = !*s || *s == '<' || is_binary(bytes, n, text.p);
    buf_free(&text);
    return xml;
}
