/* redact: copies an export's bytes and puts pseudonyms in the places of texts and StorageNames.
 *
 * The export is read first, by the same reader as for converting, so that it is known to be well-formed and what each
 * text means; then its bytes are walked through, element by element in the same order. Everything that is not replaced is copied
 * as it is, and what is replaced keeps its number of lines, so that findings stay where they were. Comments lose their text. */
#define _GNU_SOURCE /* memmem */
#include "redact.h"

#include "names_file.h"
#include "redact_parts.h"
#include "reader.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

/* ---- encodings ------------------------------------------------------------------------------------- */
static bool convert(const char *from, const char *bytes, size_t n, struct strbuf *out)
{
    char chunk[8192], *in = (char *)(uintptr_t)bytes;
    iconv_t cd = iconv_open("UTF-8", from);
    bool good = cd != (iconv_t)-1;
    while (good && n) {
        char *to = chunk;
        size_t room = sizeof chunk;
        size_t rc = iconv(cd, &in, &n, &to, &room);
        buf_add(out, chunk, sizeof chunk - room);
        good = rc != (size_t)-1 || errno == E2BIG;
    }
    if (cd != (iconv_t)-1)
        iconv_close(cd);
    return good;
}

/* The value of encoding="…" in the XML declaration; n 0: there is none. */
static size_t declared(const char *bytes, size_t n, size_t *length)
{
    const char *end = n > 5 && !strncmp(bytes, "<?xml", 5) ? memchr(bytes, '>', n < 300 ? n : 300) : NULL;
    for (const char *p = bytes; end && p + 10 < end; p++)
        if (!strncmp(p, "encoding", 8)) {
            const char *open = p + 8 + strspn(p + 8, " \t\r\n=");
            const char *close =
                *open == '"' || *open == '\'' ? memchr(open + 1, *open, (size_t)(end - open - 1)) : NULL;
            *length = close ? (size_t)(close - open - 1) : 0;
            return close ? (size_t)(open + 1 - bytes) : 0;
        }
    *length = 0;
    return 0;
}

/* The export in UTF-8, with a declaration that says so. False: its encoding is not what it says. */
static bool to_utf8(const char *bytes, size_t n, struct strbuf *out)
{
    const char *wide = n < 4                                                             ? NULL
                       : !memcmp(bytes, "\xff\xfe", 2) || (bytes[0] == '<' && !bytes[1]) ? "UTF-16LE"
                       : !memcmp(bytes, "\xfe\xff", 2) || (!bytes[0] && bytes[1] == '<') ? "UTF-16BE"
                                                                                         : NULL;
    size_t skip = wide && (unsigned char)bytes[0] >= 0xfe ? 2 : 0, length, at = wide ? 0 : declared(bytes, n, &length);
    struct strbuf text = { 0 };
    bool good = true;
    if (!wide && utf8_valid(bytes, n)) {
        buf_add(out, bytes, n);
        return true;
    }
    if (wide) {
        good = convert(wide, bytes + skip, n - skip, &text);
    } else {
        struct strbuf from = { 0 };
        buf_add(&from, bytes + at, at ? length : 0);
        good = at && convert(from.p, bytes, n, &text);
        buf_free(&from);
    }
    if (good) {
        at = declared(text.p, text.n, &length);
        buf_add(out, text.p, at);
        buf_puts(out, at ? "UTF-8" : "");
        buf_add(out, text.p + at + length, text.n - at - length);
    }
    buf_free(&text);
    return good;
}

/* ---- the walk ----------------------------------------------------------------------------------------- */
struct walk {
    const char *p, *end;
    struct strbuf *out;
    struct meanings *meanings;
    const struct store *store;
    uint32_t item, current; /* the last one opened; the one whose text this is */
};

static void put_escaped(struct strbuf *out, const char *s, bool lines)
{
    for (; *s; s++)
        switch (*s) {
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '&': buf_puts(out, "&amp;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        case '\'': buf_puts(out, "&apos;"); break;
        case '\n': buf_puts(out, lines ? "\n" : "&#10;"); break;
        case '\r': buf_puts(out, "&#13;"); break;
        case '\t': buf_puts(out, "&#9;"); break;
        default: buf_putc(out, *s);
        }
}

static size_t count_lines(const char *s, const char *end)
{
    size_t n = 0;
    while ((s = memchr(s, '\n', (size_t)(end - s))) != NULL) {
        n++;
        s++;
    }
    return n;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *find(const char *s, const char *end, const char *what)
{
    const char *at = memmem(s, (size_t)(end - s), what, strlen(what));
    return at ? at + strlen(what) : end;
}

/* The next tag: comments, CDATA and processing instructions belong to the text before it. */
static const char *run_end(const char *s, const char *end)
{
    while (s < end) {
        s = memchr(s, '<', (size_t)(end - s));
        if (!s)
            return end;
        if (end - s >= 4 && !strncmp(s, "<!--", 4))
            s = find(s + 4, end, "-->");
        else if (end - s >= 9 && !strncmp(s, "<![CDATA[", 9))
            s = find(s + 9, end, "]]>");
        else if (end - s >= 2 && s[1] == '?')
            s = find(s + 2, end, "?>");
        else
            return s;
    }
    return end;
}

/* A text that stays, without what comments say; the lines of a comment stay lines. */
static void copy_run(struct walk *w, const char *s, const char *end)
{
    while (s < end) {
        const char *mark = memchr(s, '<', (size_t)(end - s));
        buf_add(w->out, s, (size_t)((mark ? mark : end) - s));
        if (!mark)
            return;
        bool cdata = end - mark >= 9 && !strncmp(mark, "<![CDATA[", 9),
             xml = end - mark >= 6 && !strncmp(mark, "<?xml", 5) && is_space(mark[5]);
        bool comment = end - mark >= 4 && !strncmp(mark, "<!--", 4);
        s = find(mark + 2, end, cdata ? "]]>" : comment ? "-->" : "?>");
        if (cdata || xml) {
            buf_add(w->out, mark, (size_t)(s - mark));
            continue;
        }
        buf_puts(w->out, comment ? "<!--" : "<?redacted ");
        for (size_t n = count_lines(mark, s); n; n--)
            buf_putc(w->out, '\n');
        buf_puts(w->out, comment ? "-->" : "?>");
    }
}

/* Free text is replaced line by line, so that it stays as long as it was. */
static void put_lines(struct walk *w, const char *text)
{
    struct strbuf line = { 0 };
    bool first = true;
    for (const char *s = text; *s || first; first = false) {
        size_t n = strcspn(s, "\n");
        buf_clear(&line);
        buf_add(&line, s, n);
        while (line.n && is_space(line.p[line.n - 1]))
            line.p[--line.n] = '\0';
        if (!first)
            buf_putc(w->out, '\n');
        if (line.n)
            put_escaped(w->out, meanings_line(w->meanings, line.p), false);
        s += n + (s[n] == '\n');
    }
    buf_free(&line);
}

/* The text between two tags. leaf: it is the whole content of an element. */
static void put_run(struct walk *w, const char *s, const char *end, bool leaf)
{
    const char *from = s, *to = end;
    while (from < to && is_space(*from))
        from++;
    while (to > from && is_space(to[-1]))
        to--;
    const char *text = leaf ? item_text(w->store, w->current) : "";
    const char *instead = leaf ? meanings_text(w->meanings, w->current) : "";
    if (from == to || (leaf && strcmp(text, instead) == 0) || !w->current) {
        copy_run(w, s, end);
        return;
    }
    buf_add(w->out, s, (size_t)(from - s));
    size_t lines = count_lines(from, to), own = count_lines(text, text + strlen(text));
    if (leaf && lines && lines == own && meanings_is_text(w->meanings, w->current)) {
        put_lines(w, text);
        lines = 0;
    } else {
        put_escaped(w->out, instead, false);
    }
    while (lines--)
        buf_putc(w->out, '\n');
    buf_add(w->out, to, (size_t)(end - to));
}

/* One start tag: the value of StorageName is replaced, that of an attribute that nobody knows is emptied. */
static void put_start(struct walk *w, const char *s, const char *end)
{
    const char *name = s + 1;
    while (name < end && !is_space(*name) && *name != '/' && *name != '>')
        name++;
    buf_add(w->out, s, (size_t)(name - s));
    for (s = name; s < end;) {
        const char *open = s;
        while (open < end && *open != '"' && *open != '\'')
            open++;
        if (open == end)
            break;
        const char *close = memchr(open + 1, *open, (size_t)(end - open - 1)), *key = s;
        while (key < open && is_space(*key))
            key++;
        size_t length = 0;
        while (key + length < open && key[length] != '=' && !is_space(key[length]))
            length++;
        buf_add(w->out, s, (size_t)(open + 1 - s));
        bool storage = length == 11 && ascii_ncasecmp(key, "StorageName", 11) == 0;
        bool known = (length == 11 && ascii_ncasecmp(key, "StorageType", 11) == 0) ||
                     (length >= 5 && !strncmp(key, "xmlns", 5)) ||
                     (length >= 3 && !strncmp(key + length - 3, ":dt", 3)) ||
                     (length == 9 && !strncmp(key, "xml:space", 9));
        const char *value = item_storage(w->store, w->item),
                   *instead = storage ? meanings_storage(w->meanings, w->item) : "";
        if (known || (storage && strcmp(value, instead) == 0))
            buf_add(w->out, open + 1, (size_t)(close - open - 1));
        else
            put_escaped(w->out, instead, false);
        for (size_t n = known || storage ? 0 : count_lines(open, close); n; n--)
            buf_putc(w->out, '\n');
        buf_putc(w->out, *open);
        s = close + 1;
    }
    buf_add(w->out, s, (size_t)(end - s));
}

static const char *tag_end(const char *s, const char *end)
{
    for (char quote = 0; s < end; s++) {
        if (quote)
            quote = *s == quote ? 0 : quote;
        else if (*s == '"' || *s == '\'')
            quote = *s;
        else if (*s == '>')
            return s + 1;
    }
    return end;
}

static bool walk(struct walk *w)
{
    const struct store *s = w->store;
    while (w->p < w->end) {
        const char *run = run_end(w->p, w->end);
        bool closes = run + 1 < w->end && run[1] == '/';
        put_run(w, w->p, run, closes && w->current && item_is_leaf(s, w->current));
        if (run == w->end)
            break;
        const char *end = tag_end(run, w->end);
        if (closes) {
            buf_add(w->out, run, (size_t)(end - run));
            w->current = s->items[w->current].parent;
        } else {
            if (++w->item >= s->n)
                return false;
            put_start(w, run, end);
            w->current = end[-2] == '/' ? s->items[w->item].parent : w->item;
        }
        w->p = end;
    }
    return w->item + 1 == s->n;
}

int export_redact(const char *source, const char *bytes, size_t n, const char *names_file, struct strbuf *out,
                  struct strbuf *map, struct strbuf *err)
{
    struct arena *a = arena_new();
    struct xml_names *names = xml_names_new(a);
    struct strbuf text = { 0 };
    struct store *store = NULL;
    int rc = -1;
    if (names_file && names_file_read(names_file, names, err) != 0)
        goto out;
    store = store_read(source, bytes, n, names, err);
    if (!store)
        goto out;
    if (!to_utf8(bytes, n, &text)) {
        buf_printf(err, "%s:1: the file is not in the encoding that it declares\n", source);
        goto out;
    }
    struct words *words = words_new(a);
    struct walk w = {
        .p = text.p, .end = text.p + text.n, .out = out, .meanings = meanings_make(a, store, words), .store = store
    };
    if (walk(&w)) {
        words_map(words, map);
        rc = 0;
    } else {
        buf_printf(err, "%s:1: the elements of this file cannot be told apart\n", source);
    }
    words_free(words);
out:
    store_free(store);
    buf_free(&text);
    arena_free(a);
    return rc;
}
