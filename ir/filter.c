/* filter: the HTTP filter's answers to a request, see filter.h. Its XML is read in filter_read.c. */
#include "filter.h"

#include <string.h>

const char *const filter_part_names[FILTER_PARTS] = { "methods",
                                                      "extensions",
                                                      "ambiguous extensions",
                                                      "URL length",
                                                      "query length",
                                                      "high-bit characters",
                                                      "double encoding",
                                                      "signatures in the URL",
                                                      "request body length",
                                                      "request headers",
                                                      "signatures in request headers",
                                                      "response headers",
                                                      "signatures in response headers",
                                                      "signatures in bodies",
                                                      "executables in responses",
                                                      "Via header",
                                                      "Server header" };

const unsigned filter_parts_on[TARGETS] = { [TARGET_NGINX] = FILTER_OF_REQUESTS | FILTER(VIA),
                                            [TARGET_HAPROXY] = FILTER_OF_REQUESTS | FILTER(ANSWER_HEADERS) |
                                                               FILTER(ANSWER_TEXTS) | FILTER(VIA) | FILTER(SERVER),
                                            [TARGET_PUBLISHD] = (1u << FILTER_PARTS) - 1 };

void buf_filter_parts(struct strbuf *b, unsigned parts)
{
    const char *between = "";
    for (unsigned i = 0; i < FILTER_PARTS; i++)
        if (parts >> i & 1) {
            buf_printf(b, "%s%s", between, filter_part_names[i]);
            between = ", ";
        }
}

/* ---- text as the filter sees it ------------------------------------------------------ */
static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* s decoded once in place of out; a "%" that begins no encoded byte stands for itself. */
static size_t decode(const char *s, size_t n, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        out[len++] = s[i];
        if (s[i] == '%' && n - i > 2 && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
            out[len - 1] = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
            i += 2;
        }
    }
    return len;
}

static bool has_text(const char *s, size_t n, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= n; i++)
        if (ascii_ncasecmp(s + i, text, len) == 0)
            return true;
    return false;
}

static bool in_list(const strings *list, const char *s, size_t n)
{
    for (size_t i = 0; i < list->n; i++)
        if (strlen(list->v[i]) == n && ascii_ncasecmp(list->v[i], s, n) == 0)
            return true;
    return false;
}

static bool list_refuses(enum filter_list kind, const strings *list, const char *s, size_t n)
{
    return kind != LIST_ALL && in_list(list, s, n) == (kind == LIST_EXCEPT);
}

static bool is_separator(char c)
{
    return c == '/' || c == '\\';
}

static unsigned judge_path(const struct http_filter *f, const char *path, size_t n)
{
    size_t dot = n, dots = 0;
    bool inside = false; /* a dot in another segment than the last */
    for (size_t i = 0; i < n; i++) {
        if (is_separator(path[i])) {
            inside |= dots > 0;
            dot = n;
        } else if (path[i] == '.') {
            dots++;
            dot = i;
        }
    }
    size_t from = dot + 1 < n ? dot + 1 : dot; /* a final dot makes an extension that no list names */
    unsigned refused = inside || dots > 1 ? FILTER(DOTS) : 0;
    if (list_refuses(f->extension_list, &f->extensions, path + from, n - from))
        refused |= FILTER(EXTENSIONS);
    return refused;
}

static unsigned judge_url(const struct http_filter *f, const char *raw, size_t n, const char *url, size_t len,
                          char *scratch)
{
    unsigned refused = f->url_max >= 0 && n > (size_t)f->url_max ? FILTER(URL_LENGTH) : 0;
    size_t once = decode(raw, n, scratch);
    for (size_t i = 0; i < once; i++) {
        if ((unsigned char)scratch[i] >= 0x80)
            refused |= FILTER(HIGH_BIT);
        if (scratch[i] == '%' && once - i > 2 && hex(scratch[i + 1]) >= 0 && hex(scratch[i + 2]) >= 0)
            refused |= FILTER(DOUBLE);
    }
    for (size_t i = 0; i < f->url_texts.n; i++)
        if (has_text(url, len, f->url_texts.v[i]))
            refused |= FILTER(URL_TEXTS);
    return refused;
}

static unsigned judge_head(const struct http_filter *f, const char *head)
{
    unsigned refused = 0;
    for (size_t n; head && *head; head += n + (head[n] == '\n')) {
        n = strcspn(head, "\n");
        size_t name = strcspn(head, ":");
        if (name >= n)
            continue;
        if (in_list(&f->headers, head, name))
            refused |= FILTER(HEADERS);
        for (size_t i = 0; i < f->header_texts.n; i++) {
            const struct filter_text *t = &f->header_texts.v[i];
            if (strlen(t->header) == name && ascii_ncasecmp(t->header, head, name) == 0 &&
                has_text(head + name + 1, n - name - 1, t->text))
                refused |= FILTER(HEADER_TEXTS);
        }
    }
    return refused;
}

unsigned http_filter_refuses(const struct http_filter *f, const struct filter_question *q, struct arena *a)
{
    size_t n = strlen(q->url), path_n = q->path_n, url_n = n;
    const char *url = q->url;
    char *scratch = arena_alloc(a, n + 1);
    if (f->normalise) {
        char *decoded = arena_alloc(a, n + 1);
        path_n = decode(q->url, q->path_n, decoded);
        url_n = path_n + decode(q->url + q->path_n, n - q->path_n, decoded + path_n);
        url = decoded;
    }
    unsigned refused =
        judge_path(f, url, path_n) | judge_url(f, q->url, n, url, url_n, scratch) | judge_head(f, q->head);
    if (list_refuses(f->method_list, &f->methods, q->method, strlen(q->method)))
        refused |= FILTER(METHODS);
    if (f->query_max >= 0 && n - q->path_n > (size_t)f->query_max + 1)
        refused |= FILTER(QUERY_LENGTH);
    if (f->body_max >= 0 && q->body > f->body_max)
        refused |= FILTER(BODY_LENGTH);
    return refused & f->parts;
}
