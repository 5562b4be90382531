/* forms: loading templates and catalogs, and filling them in. */
#include "forms.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_BYTES = 1 << 20, NESTING = 4, SECTIONS = 8, LANGUAGES = 64 };

const char *const form_files[FORMS] = { "sign-in.html",    "password.html", "sign-out.html",
                                        "signed-off.html", "expires.html",  "further.html" };

struct text {
    const char *name, *value;
};
struct catalog {
    const char *language;
    VEC(struct text) texts;
};
struct forms {
    struct arena *arena;
    const char *directory;
    const char *templates[FORMS]; /* includes are in */
    VEC(struct catalog) catalogs; /* English first */
    VEC(struct form_file) files;
};

/* The values that pages are given; a template may name no others. */
static const char *const value_names[] = { "action",  "change",   "collect", "asked",        "further",
                                           "echo",    "error",    "files",   "host",         "language",
                                           "notice",  "passcode", "private", "private_hint", "public_hint",
                                           "sign_in", "token",    "url",     "user" };

/* ---- files -------------------------------------------------------------------------------- */

static const char *built_in(struct arena *a, const char *name)
{
    for (const struct form_asset *f = form_assets; f->name; f++) {
        if (strcmp(f->name, name) != 0)
            continue;
        struct strbuf b = { 0 };
        for (const char *const *line = f->lines; *line; line++)
            buf_puts(&b, *line);
        const char *text = arena_strndup(a, b.p ? b.p : "", b.n);
        buf_free(&b);
        return text;
    }
    return NULL;
}

/* The folder's file of that name, or the built-in one. NULL: told. name has no slash. */
static const char *load(const struct forms *f, const char *name, size_t *n, struct strbuf *err)
{
    struct strbuf b = { 0 };
    const char *path = f->directory ? path_join(f->arena, f->directory, name) : NULL;
    const char *text = NULL;
    if (path && file_read(path, FILE_BYTES, &b, err) == 0) {
        text = arena_strndup(f->arena, b.p ? b.p : "", b.n);
        *n = b.n;
    }
    buf_free(&b);
    return text;
}

static bool in_folder(const struct forms *f, const char *name)
{
    return f->directory && access(path_join(f->arena, f->directory, name), R_OK) == 0;
}

static const char *template_text(const struct forms *f, const char *name, struct strbuf *err)
{
    size_t n = 0;
    if (in_folder(f, name)) {
        const char *text = load(f, name, &n, err);
        if (text && (strlen(text) != n || !utf8_valid(text, n))) {
            buf_printf(err, "%s/%s: it is no UTF-8 text\n", f->directory, name);
            return NULL;
        }
        return text;
    }
    return built_in(f->arena, name);
}

/* ---- templates --------------------------------------------------------------------------------- */

/* What stands between "{{" and "}}". next NULL: it does not end. */
struct tag {
    char kind; /* one of #^/>, or 0 */
    const char *name, *next;
    size_t n;
};

static struct tag tag_read(const char *open)
{
    struct tag t = { .name = open + 2 };
    const char *end = strstr(t.name, "}}");
    if (*t.name && strchr("#^/>", *t.name))
        t.kind = *t.name++;
    if (end && end >= t.name) {
        t.n = (size_t)(end - t.name);
        t.next = end + 2;
    }
    return t;
}

static bool safe_name(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", s[i]))
            return false;
    return n && *s != '.';
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

static bool include(const struct forms *f, const char *file, int depth, struct strbuf *out, struct strbuf *err)
{
    const char *text = template_text(f, file, err);
    if (!text) {
        if (!err->n)
            buf_printf(err, "%s: there is no such template\n", file);
        return false;
    }
    for (const char *p = text, *open; *p;) {
        if (!(open = strstr(p, "{{"))) {
            buf_puts(out, p);
            return true;
        }
        buf_add(out, p, (size_t)(open - p));
        struct tag t = tag_read(open);
        if (!t.next || (t.kind == '>' && (depth == NESTING || !safe_name(t.name, t.n)))) {
            buf_printf(err, "%s:%u: %s\n", file, line_of(text, open),
                       t.next ? "this file cannot be included here" : "{{ without }}");
            return false;
        }
        if (t.kind != '>')
            buf_add(out, open, (size_t)(t.next - open));
        else if (!include(f, arena_strndup(f->arena, t.name, t.n), depth + 1, out, err))
            return false;
        p = t.next;
    }
    return true;
}

static bool is(const char *name, const char *s, size_t n)
{
    return strlen(name) == n && memcmp(name, s, n) == 0;
}

static bool value_known(const char *s, size_t n)
{
    for (size_t i = 0; i < sizeof value_names / sizeof *value_names; i++)
        if (is(value_names[i], s, n))
            return true;
    return false;
}

static const char *text_find(const struct catalog *c, const char *s, size_t n)
{
    for (size_t i = 0; i < c->texts.n; i++)
        if (is(c->texts.v[i].name, s, n))
            return c->texts.v[i].value;
    return NULL;
}

static bool wrong(const char *file, const char *what, const struct tag *t, struct strbuf *err)
{
    buf_printf(err, "%s: {{%.*s}}: %s\n", file, t->n > 60 ? 60 : (int)t->n, t->name, what);
    return false;
}

/* Every name is known and sections end in the order in which they were opened. */
static bool template_check(const struct forms *f, const char *file, const char *text, struct strbuf *err)
{
    struct tag open[SECTIONS];
    int depth = 0;
    for (const char *p = text; (p = strstr(p, "{{"));) {
        struct tag t = tag_read(p); /* it ends: include has seen it */
        p = t.next;
        if (!t.kind && t.n > 2 && memcmp(t.name, "t.", 2) == 0) {
            if (!text_find(&f->catalogs.v[0], t.name + 2, t.n - 2))
                return wrong(file, "the catalog has no such text", &t, err);
        } else if (!value_known(t.name, t.n)) {
            return wrong(file, "there is no such value", &t, err);
        } else if (t.kind == '/') {
            if (!depth || open[depth - 1].n != t.n || memcmp(open[depth - 1].name, t.name, t.n) != 0)
                return wrong(file, "ends what was not begun", &t, err);
            depth--;
        } else if (t.kind) {
            if (depth == SECTIONS)
                return wrong(file, "too many sections inside each other", &t, err);
            open[depth++] = t;
        }
    }
    return !depth || wrong(file, "is not ended", &open[depth - 1], err);
}

static bool template_load(struct forms *f, enum form page, struct strbuf *err)
{
    static const char *const needed[FORMS][3] = { [FORM_SIGN_IN] = { "{{action}}", "{{token}}", "{{url}}" },
                                                  [FORM_PASSWORD] = { "{{action}}", "{{token}}", "{{url}}" },
                                                  [FORM_SIGN_OUT] = { "{{action}}" },
                                                  [FORM_FURTHER] = { "{{action}}", "{{token}}", "{{further}}" } };
    const char *file = form_files[page];
    struct strbuf b = { 0 };
    bool ok = include(f, file, 0, &b, err);
    f->templates[page] = arena_strndup(f->arena, b.p ? b.p : "", b.n);
    buf_free(&b);
    ok = ok && template_check(f, file, f->templates[page], err);
    for (int i = 0; ok && i < 3 && needed[page][i]; i++)
        if (!strstr(f->templates[page], needed[page][i])) {
            buf_printf(err, "%s: %s is missing, so the form could not be sent\n", file, needed[page][i]);
            ok = false;
        }
    return ok;
}

/* ---- catalogs ------------------------------------------------------------------------------------- */

static char *trimmed(struct arena *a, const char *s, size_t n)
{
    while (n && (*s == ' ' || *s == '\t')) {
        s++;
        n--;
    }
    while (n && strchr(" \t\r", s[n - 1]))
        n--;
    return arena_strndup(a, s, n);
}

/* A catalog of the folder goes over the built-in one of the same language. */
static struct catalog *catalog_of(struct forms *f, const char *language)
{
    for (size_t i = 0; i < f->catalogs.n; i++)
        if (ascii_casecmp(f->catalogs.v[i].language, language) == 0)
            return &f->catalogs.v[i];
    struct catalog *c = vec_push(f->arena, &f->catalogs);
    c->language = arena_strdup(f->arena, language);
    return c;
}

static bool catalog_line(struct forms *f, struct catalog *c, const char *line, size_t n)
{
    const char *equals = memchr(line, '=', n);
    const char *whole = trimmed(f->arena, line, n);
    if (!*whole || *whole == '#')
        return true;
    if (!equals)
        return false;
    const char *name = trimmed(f->arena, line, (size_t)(equals - line));
    const char *value = trimmed(f->arena, equals + 1, n - (size_t)(equals + 1 - line));
    for (size_t i = 0; i < c->texts.n; i++) {
        if (strcmp(c->texts.v[i].name, name) == 0) {
            c->texts.v[i].value = value;
            return true;
        }
    }
    /* English is the list of all names; a translation cannot have others. */
    if (f->catalogs.n > 1 && !text_find(&f->catalogs.v[0], name, strlen(name)))
        return false;
    vec_add(f->arena, &c->texts, ((struct text){ name, value }));
    return true;
}

static bool catalog_load(struct forms *f, const char *file, const char *text, struct strbuf *err)
{
    struct catalog *c = catalog_of(f, file + strlen("texts."));
    unsigned line = 1;
    for (const char *p = text; *p; line++) {
        size_t n = strcspn(p, "\n");
        if (!catalog_line(f, c, p, n)) {
            buf_printf(err, "%s:%u: a line is NAME = TEXT, with a name that English has\n", file, line);
            return false;
        }
        p += n + (p[n] == '\n');
    }
    return true;
}

static bool catalogs_built_in(struct forms *f, struct strbuf *err)
{
    bool ok = catalog_load(f, "texts.en", built_in(f->arena, "texts.en"), err);
    for (const struct form_asset *asset = form_assets; ok && asset->name; asset++)
        if (strncmp(asset->name, "texts.", 6) == 0 && strcmp(asset->name, "texts.en") != 0)
            ok = catalog_load(f, asset->name, built_in(f->arena, asset->name), err);
    return ok;
}

/* ---- the folder -------------------------------------------------------------------------------------- */

static const char *type_of(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = { { ".css", "text/css; charset=utf-8" },
                  { ".png", "image/png" },
                  { ".svg", "image/svg+xml" },
                  { ".jpg", "image/jpeg" },
                  { ".gif", "image/gif" },
                  { ".ico", "image/x-icon" },
                  { ".woff2", "font/woff2" } };
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t k = strlen(types[i].end);
        if (n > k && ascii_casecmp(name + n - k, types[i].end) == 0)
            return types[i].type;
    }
    return NULL;
}

static bool folder_entry(struct forms *f, const char *name, struct strbuf *err)
{
    size_t n = 0;
    const char *bytes;
    if (!safe_name(name, strlen(name)))
        return true;
    if (strncmp(name, "texts.", 6) == 0) {
        const char *text = f->catalogs.n < LANGUAGES ? template_text(f, name, err) : NULL;
        return text && catalog_load(f, name, text, err);
    }
    if (!type_of(name))
        return true;
    if (!(bytes = load(f, name, &n, err)))
        return false;
    vec_add(f->arena, &f->files, ((struct form_file){ arena_strdup(f->arena, name), type_of(name), bytes, n }));
    return true;
}

static bool folder_read(struct forms *f, struct strbuf *err)
{
    DIR *d = opendir(f->directory);
    bool ok = d;
    if (!d)
        buf_printf(err, "%s: %s\n", f->directory, strerror(errno));
    for (const struct dirent *e; ok && (e = readdir(d));)
        ok = folder_entry(f, e->d_name, err);
    if (d)
        closedir(d);
    return ok;
}

struct forms *forms_new(const char *directory, struct strbuf *err)
{
    struct arena *a = arena_new();
    struct forms *f = arena_alloc(a, sizeof *f);
    f->arena = a;
    f->directory = directory ? arena_strdup(a, directory) : NULL;
    bool ok = catalogs_built_in(f, err) && (!directory || folder_read(f, err));
    for (int page = 0; ok && page < FORMS; page++)
        ok = template_load(f, (enum form)page, err);
    if (ok)
        return f;
    forms_free(f);
    return NULL;
}

void forms_free(struct forms *f)
{
    if (f)
        arena_free(f->arena);
}

const struct form_file *forms_file(const struct forms *f, const char *name)
{
    for (size_t i = 0; i < f->files.n; i++)
        if (strcmp(f->files.v[i].name, name) == 0)
            return &f->files.v[i];
    return NULL;
}

/* ---- languages ----------------------------------------------------------------------------------------- */

static const struct catalog *catalog_find(const struct forms *f, const char *language)
{
    for (size_t i = 0; i < f->catalogs.n; i++)
        if (ascii_casecmp(f->catalogs.v[i].language, language) == 0)
            return &f->catalogs.v[i];
    return &f->catalogs.v[0];
}

/* The catalog for a language range: "de-AT" fits texts.de-AT, then texts.de (RFC 4647, 3.4). */
static const struct catalog *catalog_match(const struct forms *f, const char *range, size_t n)
{
    while (n) {
        for (size_t i = 0; i < f->catalogs.n; i++)
            if (strlen(f->catalogs.v[i].language) == n && ascii_ncasecmp(f->catalogs.v[i].language, range, n) == 0)
                return &f->catalogs.v[i];
        do {
            n--;
        } while (n && range[n] != '-');
    }
    return NULL;
}

/* What ";q=0.7" says, in thousandths; 1000 where it says nothing. */
static int quality(const char *params, size_t n)
{
    const char *q = params, *end = params + n;
    int value = 0;
    while (q < end && *q != '=')
        q++;
    if (q == end)
        return 1000;
    for (int scale = 1000; ++q < end && scale;) {
        if (*q >= '0' && *q <= '9') {
            value += (*q - '0') * scale;
            scale /= 10;
        }
    }
    return value;
}

const char *forms_language(const struct forms *f, const char *accept_language)
{
    const char *best = f->catalogs.v[0].language;
    int best_q = 0;
    for (const char *p = accept_language ? accept_language : ""; *p;) {
        p += strspn(p, " \t,");
        size_t n = strcspn(p, ","), range = strcspn(p, ",; \t");
        const struct catalog *c = catalog_match(f, p, range);
        int q = quality(p + range, n - range);
        if (c && q > best_q) {
            best = c->language;
            best_q = q;
        }
        p += n;
    }
    return best;
}

/* ---- filling in ------------------------------------------------------------------------------------------ */

void html_escape(struct strbuf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (s[i]) {
        case '&': buf_puts(out, "&amp;"); break;
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        case '\'': buf_puts(out, "&#39;"); break;
        case '`': buf_puts(out, "&#96;"); break;
        default: buf_putc(out, s[i]);
        }
    }
}

static const char *value_of(const struct form_value *values, size_t n, const char *name, size_t name_n)
{
    for (size_t i = 0; i < n; i++)
        if (is(values[i].name, name, name_n))
            return values[i].value ? values[i].value : "";
    return "";
}

static const char *text_of(const struct forms *f, const char *language, const char *name, size_t n)
{
    const char *text = text_find(catalog_find(f, language), name, n);
    if (!text)
        text = text_find(&f->catalogs.v[0], name, n);
    return text ? text : "";
}

static void fill(const char *text, const struct form_value *values, size_t n, struct strbuf *out)
{
    for (const char *p = text; *p;) {
        size_t name_n = *p == '{' ? strcspn(p + 1, "}") : 0;
        if (*p == '{' && p[1 + name_n] == '}') {
            buf_puts(out, value_of(values, n, p + 1, name_n));
            p += name_n + 2;
        } else {
            buf_putc(out, *p++);
        }
    }
}

void forms_text(const struct forms *f, const char *language, const char *name, const struct form_value *values,
                size_t n, struct strbuf *out)
{
    fill(text_of(f, language, name, strlen(name)), values, n, out);
}

void forms_time(const struct forms *f, const char *language, long seconds, struct strbuf *out)
{
    static const struct {
        long unit;
        const char *one, *many;
    } units[] = { { 86400, "time_day", "time_days" },
                  { 3600, "time_hour", "time_hours" },
                  { 60, "time_minute", "time_minutes" },
                  { 1, "time_seconds", "time_seconds" } };
    size_t i = 0;
    while (units[i].unit > 1 && (seconds % units[i].unit || seconds < units[i].unit))
        i++;
    long n = seconds / units[i].unit;
    char number[24];
    snprintf(number, sizeof number, "%ld", n);
    forms_text(f, language, n == 1 ? units[i].one : units[i].many, &(struct form_value){ "n", number }, 1, out);
}

/* Behind the end of the section that was just opened. */
static const char *skip_section(const char *p, const char *name, size_t n)
{
    while ((p = strstr(p, "{{/"))) {
        if (strncmp(p + 3, name, n) == 0 && strncmp(p + 3 + n, "}}", 2) == 0)
            return p + n + 5;
        p += 3;
    }
    return "";
}

void forms_render(const struct forms *f, enum form page, const char *language, const struct form_value *values,
                  size_t n, struct strbuf *out)
{
    struct strbuf text = { 0 };
    for (const char *p = f->templates[page], *open; *p;) {
        if (!(open = strstr(p, "{{"))) {
            buf_puts(out, p);
            break;
        }
        buf_add(out, p, (size_t)(open - p));
        struct tag t = tag_read(open);
        p = t.next;
        if (t.kind == '#' || t.kind == '^') {
            bool there = *value_of(values, n, t.name, t.n);
            if (there != (t.kind == '#'))
                p = skip_section(p, t.name, t.n);
        } else if (!t.kind && t.n > 2 && memcmp(t.name, "t.", 2) == 0) {
            buf_clear(&text);
            fill(text_of(f, language, t.name + 2, t.n - 2), values, n, &text);
            html_escape(out, text.p ? text.p : "", text.n);
        } else if (!t.kind) {
            const char *value = value_of(values, n, t.name, t.n);
            html_escape(out, value, strlen(value));
        }
    }
    buf_free(&text);
}
