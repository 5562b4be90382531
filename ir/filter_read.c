/* filter_read: the XML of an HTTP filter. Names are compared without case and prefix, and items are taken in the
 * spellings that are likely, since only the frame of the document is known for certain (export-format, 3.10): the value
 * of an item is its first attribute of a known name, or its text. */
#include "filter.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 256, TEXT_MAX = 128, XML_MAX = 1 << 20 };

struct reading {
    struct arena *a;
    struct http_filter *f;
};

static void unread(struct reading *r, const char *what, const char *detail)
{
    if (!r->f->unread++)
        r->f->first_unread = arena_printf(r->a, *detail ? "%s (%s)" : "%s%s", what, detail);
}

static const char *text_of(struct reading *r, xmlChar *s)
{
    const char *copy = s ? arena_strdup(r->a, (const char *)s) : NULL;
    xmlFree(s);
    return copy;
}

static const char *trimmed(struct reading *r, const char *s)
{
    size_t n;
    s += strspn(s, " \t\r\n");
    for (n = strlen(s); n && strchr(" \t\r\n", s[n - 1]); n--)
        ;
    return arena_strndup(r->a, s, n);
}

/* The first attribute with one of the names ("a|b|c"); NULL. */
static const char *attribute(struct reading *r, xmlNode *e, const char *names)
{
    for (const char *name = names; *name;) {
        size_t n = strcspn(name, "|");
        for (xmlAttr *x = e->properties; x; x = x->next)
            if (strlen((const char *)x->name) == n && ascii_ncasecmp((const char *)x->name, name, n) == 0)
                return text_of(r, xmlNodeListGetString(e->doc, x->children, 1));
        name += n + (name[n] == '|');
    }
    return NULL;
}

static bool is(const xmlNode *e, const char *name)
{
    return ascii_casecmp((const char *)e->name, name) == 0;
}

static bool flag(struct reading *r, xmlNode *e, const char *name, bool absent)
{
    const char *s = attribute(r, e, name);
    if (!s || !*s)
        return absent;
    if (!ascii_casecmp(s, "true") || !strcmp(s, "1") || !strcmp(s, "-1") || !ascii_casecmp(s, "yes"))
        return true;
    if (ascii_casecmp(s, "false") && strcmp(s, "0") && ascii_casecmp(s, "no"))
        unread(r, (const char *)e->name, name);
    return false;
}

/* -1: no limit. */
static long long number(struct reading *r, xmlNode *e, const char *name)
{
    const char *s = attribute(r, e, name);
    if (!s || !*s || !strcmp(s, "-1"))
        return -1;
    if (strspn(s, "0123456789") == strlen(s) && strlen(s) <= 15)
        return strtoll(s, NULL, 10);
    unread(r, (const char *)e->name, name);
    return -1;
}

/* ---- what a text may hold ------------------------------------------------------------ */
static bool is_token(const char *s)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return *s && strlen(s) <= TEXT_MAX && strspn(s, good) == strlen(s);
}

static bool is_visible(const char *s)
{
    for (const char *c = s; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            return false;
    return *s && strlen(s) <= TEXT_MAX;
}

static bool is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s >= 127)
            return false;
    return true;
}

/* ---- lists ------------------------------------------------------------------------------ */
static enum filter_list condition(struct reading *r, xmlNode *e)
{
    const char *s = attribute(r, e, "AllowCondition");
    if (!s || !*s || !strcmp(s, "0"))
        return LIST_ALL;
    if (!strcmp(s, "1") || !strcmp(s, "2"))
        return *s == '1' ? LIST_ONLY : LIST_EXCEPT;
    unread(r, (const char *)e->name, "AllowCondition");
    return LIST_ALL;
}

static const char *item_value(struct reading *r, xmlNode *e)
{
    const char *s = attribute(r, e, "Value|Name|Verb|Method|Extension|Header|HeaderName");
    return trimmed(r, s ? s : text_of(r, xmlNodeGetContent(e)));
}

static bool take_token(struct reading *r, strings *list, const char *s)
{
    if (!is_token(s))
        return false;
    vec_add(r->a, list, s);
    return true;
}

static bool take_extension(struct reading *r, strings *list, const char *s)
{
    s += *s == '.';
    if (*s && (!is_visible(s) || !is_ascii(s) || strpbrk(s, "./\\% ?#")))
        return false;
    vec_add(r->a, list, s);
    return true;
}

static void read_list(struct reading *r, xmlNode *e, strings *list,
                      bool (*take)(struct reading *, strings *, const char *))
{
    size_t n = 0;
    for (xmlNode *c = e->children; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && (++n > ITEMS_MAX || !take(r, list, item_value(r, c))))
            unread(r, (const char *)e->name, (const char *)c->name);
}

/* ---- signatures --------------------------------------------------------------------------- */
static bool says(const char *where, const char *word)
{
    size_t n = strlen(word);
    for (; *where; where++)
        if (!ascii_ncasecmp(where, word, n))
            return true;
    return false;
}

static void add_text(struct reading *r, bool answer, const char *header, const char *text)
{
    if (answer)
        vec_add(r->a, &r->f->answer_texts, ((struct filter_text){ header, text }));
    else
        vec_add(r->a, &r->f->header_texts, ((struct filter_text){ header, text }));
}

/* "4d 5A" -> "4d5a"; NULL: no bytes in hex digits. */
static const char *hex_digits(struct reading *r, const char *s)
{
    struct strbuf b = { 0 };
    for (; *s; s++)
        if (*s != ' ')
            buf_putc(&b, ascii_lower(*s));
    bool good = b.n && b.n % 2 == 0 && b.n <= 2 * TEXT_MAX && strspn(b.p, "0123456789abcdef") == b.n;
    const char *copy = good ? arena_strdup(r->a, b.p) : NULL;
    buf_free(&b);
    return copy;
}

/* Without a range the first 100 bytes are searched, as in the console's form. */
static bool add_body_text(struct reading *r, xmlNode *e, bool answer, const char *text)
{
    struct filter_body_text t = { .in = answer ? BODY_OF_ANSWER : BODY_OF_REQUEST };
    const char *format = attribute(r, e, "Format|SearchFormat|Encoding");
    long long from = number(r, e, "From|RangeFrom|ByteFrom|StartByte"), to = number(r, e, "To|RangeTo|ByteTo|EndByte");
    t.from = from < 0 ? 1 : (long)from + (from == 0);
    t.to = to < 0 ? t.from + 99 : (long)to;
    if (!text || t.to < t.from)
        return false;
    if (format && says(format, "bin"))
        t.hex = hex_digits(r, text);
    else if (is_visible(text))
        t.text = text;
    if (!t.hex && !t.text)
        return false;
    vec_add(r->a, &r->f->body_texts, t);
    return true;
}

static bool read_signature(struct reading *r, xmlNode *e)
{
    if (!flag(r, e, "Enabled", true))
        return true;
    const char *where = attribute(r, e, "SearchIn|Location|Type|Where|Scope"),
               *header = attribute(r, e, "Header|HeaderName|HttpHeader");
    const char *text = attribute(r, e, "Pattern|Signature|Value|Text|String");
    if (where && says(where, "body"))
        return add_body_text(r, e, says(where, "response"), text);
    if (!where || !text || !is_visible(text))
        return false;
    if (says(where, "header")) {
        const char *name = header ? trimmed(r, header) : "";
        size_t n = strlen(name);
        name = arena_strndup(r->a, name, n && name[n - 1] == ':' ? n - 1 : n);
        if (!is_token(name) || !is_ascii(text))
            return false;
        add_text(r, says(where, "response"), name, text);
        return true;
    }
    if (!says(where, "url"))
        return false;
    vec_add(r->a, &r->f->url_texts, text);
    return true;
}

static void read_signatures(struct reading *r, xmlNode *e)
{
    size_t n = 0;
    for (xmlNode *c = e->children; c; c = c->next)
        if (c->type == XML_ELEMENT_NODE && (++n > ITEMS_MAX || !read_signature(r, c)))
            unread(r, (const char *)e->name, (const char *)c->name);
}

/* ---- the whole ------------------------------------------------------------------------------ */
static void read_urls(struct reading *r, xmlNode *e)
{
    struct http_filter *f = r->f;
    long long url = number(r, e, "MaxLength"), query = number(r, e, "MaxQueryLength");
    f->url_max = url > 1 << 30 ? -1 : (long)url;
    f->query_max = query > 1 << 30 ? -1 : (long)query;
    f->normalise = flag(r, e, "NormalizeBeforeScan", true);
    f->parts |= flag(r, e, "VerifyNormalization", false) ? FILTER(DOUBLE) : 0;
    f->parts |= flag(r, e, "AllowHighBitCharacters", true) ? 0 : FILTER(HIGH_BIT);
    f->parts |= flag(r, e, "BlockDotInPath", false) ? FILTER(DOTS) : 0;
    for (xmlNode *c = e->children; c; c = c->next) {
        if (c->type != XML_ELEMENT_NODE)
            continue;
        if (is(c, "Extensions")) {
            f->extension_list = condition(r, c);
            read_list(r, c, &f->extensions, take_extension);
        } else {
            unread(r, (const char *)c->name, "");
        }
    }
}

/* 0: as it is, 1: gone, 2: replaced. Via has no "gone" of its own: with a value it is replaced. */
static enum filter_action action(struct reading *r, xmlNode *e, const char *name, const char *value_name, bool may_go,
                                 const char **value)
{
    long long n = number(r, e, name);
    const char *s = attribute(r, e, value_name);
    if (n <= 0)
        return HEADER_KEPT;
    bool replaces = s && *s && (n == 2 || !may_go);
    if (n > 2 || (replaces && (!is_visible(s) || !is_ascii(s))) || (n == 2 && !replaces)) {
        unread(r, (const char *)e->name, name);
        return HEADER_KEPT;
    }
    *value = replaces ? s : NULL;
    return replaces ? HEADER_REPLACED : HEADER_STRIPPED;
}

static void read_root(struct reading *r, xmlNode *root)
{
    struct http_filter *f = r->f;
    f->body_max = number(r, root, "MaxRequestBodyLen");
    f->parts |= flag(r, root, "BlockExecutables", false) ? FILTER(EXECUTABLES) : 0;
    f->via = action(r, root, "ViaHeaderAction", "NewViaHeaderValue", false, &f->via_value);
    f->server = action(r, root, "ServerHeaderAction", "NewServerHeaderValue", true, &f->server_value);
    for (xmlNode *c = root->children; c; c = c->next) {
        if (c->type != XML_ELEMENT_NODE)
            continue;
        if (is(c, "UrlValidation")) {
            read_urls(r, c);
        } else if (is(c, "Verbs")) {
            f->method_list = condition(r, c);
            read_list(r, c, &f->methods, take_token);
        } else if (is(c, "RequestHeaders")) {
            read_list(r, c, &f->headers, take_token);
        } else if (is(c, "ResponseHeaders")) {
            read_list(r, c, &f->answer_headers, take_token);
        } else if (is(c, "DeniedSignatures")) {
            read_signatures(r, c);
        } else {
            unread(r, (const char *)c->name, "");
        }
    }
}

unsigned http_filter_parts(const struct http_filter *f)
{
    const bool does[FILTER_PARTS] = {
        [FILTER_METHODS] = f->method_list != LIST_ALL && (f->methods.n || f->method_list == LIST_ONLY),
        [FILTER_EXTENSIONS] = f->extension_list != LIST_ALL && (f->extensions.n || f->extension_list == LIST_ONLY),
        [FILTER_URL_LENGTH] = f->url_max >= 0,
        [FILTER_QUERY_LENGTH] = f->query_max >= 0,
        [FILTER_BODY_LENGTH] = f->body_max >= 0,
        [FILTER_URL_TEXTS] = f->url_texts.n,
        [FILTER_HEADERS] = f->headers.n,
        [FILTER_HEADER_TEXTS] = f->header_texts.n,
        [FILTER_ANSWER_HEADERS] = f->answer_headers.n,
        [FILTER_ANSWER_TEXTS] = f->answer_texts.n,
        [FILTER_BODY_TEXTS] = f->body_texts.n,
        [FILTER_VIA] = f->via != HEADER_KEPT,
        [FILTER_SERVER] = f->server != HEADER_KEPT
    };
    unsigned parts = f->parts;
    for (unsigned i = 0; i < FILTER_PARTS; i++)
        parts |= does[i] ? 1u << i : 0;
    return parts;
}

const struct http_filter *http_filter_parse(struct arena *a, const char *xml)
{
    size_t n = strlen(xml);
    if (n > XML_MAX || strstr(xml, "<!DOCTYPE"))
        return NULL;
    xmlDoc *doc = xmlReadMemory(xml, (int)n, NULL, "UTF-8",
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    struct http_filter *f = NULL;
    if (root && is(root, "Configuration")) {
        f = arena_alloc(a, sizeof *f);
        f->url_max = f->query_max = -1;
        f->normalise = true;
        read_root(&(struct reading){ a, f }, root);
        f->parts = http_filter_parts(f);
    }
    xmlFreeDoc(doc);
    return f;
}
