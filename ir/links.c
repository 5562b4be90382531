/* links: the dictionaries of link translation, computed from the plan; see the header. */
#include "links.h"

#include <iconv.h>
#include <stdlib.h>
#include <string.h>

const char *const link_source_names[] = { "local", "implicit", "global", "other rules" };
const char link_delimiters[] = " \"'<>/?#\\&;,()[]{}|`*!=";
/* What the source's set "HTML Documents" holds; other sets can be chosen there, none is by default (B-127). */
const char *const link_content_types[] = { "text/html", "text/webviewhtml", NULL };

struct making {
    const struct plan *plan;
    struct arena *a;
    struct link_table *out;
    struct strbuf text; /* scratch */
    bool escape;        /* escaped forms too */
};

/* ---- one mapping ------------------------------------------------------------------------------ */
static const char *with_escaped_colons(struct making *m, const char *s, size_t n, size_t *out_n)
{
    buf_clear(&m->text);
    for (size_t i = 0; i < n; i++)
        if (s[i] == ':')
            buf_puts(&m->text, "%3a");
        else
            buf_putc(&m->text, s[i]);
    *out_n = m->text.n;
    return arena_strndup(m->a, m->text.n ? m->text.p : "", m->text.n);
}

static void add(struct making *m, struct link l)
{
    if (l.from_n < LINK_MIN || l.from_n > LINK_MAX || l.to_n > LINK_MAX) {
        m->out->refused++;
        return;
    }
    vec_add(m->a, &m->out->links, l);
    if (!m->escape || !memchr(l.from, ':', l.from_n))
        return;
    l.from = with_escaped_colons(m, l.from, l.from_n, &l.from_n);
    l.to = with_escaped_colons(m, l.to, l.to_n, &l.to_n);
    l.escaped = true;
    if (l.from_n <= LINK_MAX)
        vec_add(m->a, &m->out->links, l);
}

/* ---- dictionaries that were typed --------------------------------------------------------------- */
/* The stored form writes "\/" for a slash (B-130), and a mapping has none at its end (B-127). */
static const char *typed(struct making *m, const char *s, size_t *n)
{
    buf_clear(&m->text);
    for (; s && *s; s++)
        if (s[0] != '\\' || s[1] != '/')
            buf_putc(&m->text, *s);
    *n = m->text.n;
    *n -= *n && m->text.p[*n - 1] == '/';
    return arena_strndup(m->a, *n ? m->text.p : "", *n);
}

static bool is_ascii(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] >= 0x80)
            return false;
    return true;
}

/* The text in another encoding; NULL if it has no place there, or the encoding is none where ASCII stays as it is. */
static const char *encoded(struct making *m, const char *page, const char *s, size_t n, size_t *out_n)
{
    iconv_t cd = iconv_open(page, "UTF-8");
    char *in = (char *)(uintptr_t)s, *out;
    size_t room = 4 * n + 8, left = room;
    if (cd == (iconv_t)-1)
        return NULL;
    buf_clear(&m->text);
    out = buf_reserve(&m->text, room);
    char *start = out;
    bool good = iconv(cd, &in, &n, &out, &left) == 0 && iconv(cd, NULL, NULL, &out, &left) == 0;
    iconv_close(cd);
    *out_n = (size_t)(out - start);
    return good ? arena_strndup(m->a, start, *out_n) : NULL;
}

/* "1252" -> "CP1252"; NULL: UTF-8, or not a number. Those that iconv names otherwise by a table. */
static const char *page_name(struct arena *a, const char *page)
{
    static const struct {
        const char *page, *name;
    } others[] = { { "20127", "ASCII" },       { "20866", "KOI8-R" },      { "21866", "KOI8-U" },
                   { "28591", "ISO-8859-1" },  { "28592", "ISO-8859-2" },  { "28593", "ISO-8859-3" },
                   { "28594", "ISO-8859-4" },  { "28595", "ISO-8859-5" },  { "28596", "ISO-8859-6" },
                   { "28597", "ISO-8859-7" },  { "28598", "ISO-8859-8" },  { "28599", "ISO-8859-9" },
                   { "28603", "ISO-8859-13" }, { "28605", "ISO-8859-15" }, { "51932", "EUC-JP" },
                   { "51949", "EUC-KR" },      { "51936", "GB2312" },      { "54936", "GB18030" } };
    if (!*page || strspn(page, "0123456789") != strlen(page) || strlen(page) > 5 || !strcmp(page, "65001"))
        return NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(others[i].page, page))
            return others[i].name;
    return arena_printf(a, "CP%s", page);
}

/* Letters other than ASCII are looked for in UTF-8 and in each code page of the rule (B-127). */
static void add_encoded(struct making *m, const struct rule *r, const struct link *l)
{
    for (size_t i = 0; i < r->code_pages.n; i++) {
        const char *page = page_name(m->a, r->code_pages.v[i]);
        struct link e = *l;
        e.from = page ? encoded(m, page, l->from, l->from_n, &e.from_n) : NULL;
        e.to = e.from ? encoded(m, page, l->to, l->to_n, &e.to_n) : NULL;
        if (e.to)
            add(m, e);
    }
}

enum typed_forms { FORM_UTF8 = 1, FORM_CODE_PAGES = 2 };

static void add_typed(struct making *m, const struct rule *r, const struct link_mapping *v, size_t n, struct link l,
                      unsigned forms)
{
    for (size_t i = 0; i < n; i++) {
        l.from = typed(m, v[i].from, &l.from_n);
        l.to = typed(m, v[i].to, &l.to_n);
        if (forms & FORM_UTF8)
            add(m, l);
        if ((forms & FORM_CODE_PAGES) && !(is_ascii(l.from, l.from_n) && is_ascii(l.to, l.to_n)))
            add_encoded(m, r, &l);
    }
}

/* ---- implicit mappings ------------------------------------------------------------------------------ */
static const struct public_name *first_plain_name(const struct rule *r)
{
    for (size_t i = 0; i < r->names.n; i++)
        if (r->names.v[i].kind != NAME_WILDCARD)
            return &r->names.v[i];
    return NULL;
}

static bool has_wildcard(const struct rule *r)
{
    for (size_t i = 0; i < r->names.n; i++)
        if (r->names.v[i].kind == NAME_WILDCARD)
            return true;
    return false;
}

/* Whether the rule publishes something that other texts could be mapped to. */
static bool maps_implicitly(const struct plan_rule *r)
{
    return r->answers && r->forwards && r->rule->action == ACTION_ALLOW && r->rule->bridging != BRIDGE_FTP &&
           (r->rule->site || r->rule->server) && (first_plain_name(r->rule) || r->rule->all_names);
}

/* "https://mail.example:8443": by the request's scheme where the rule's listener answers it with the rule. */
static const char *public_origin(struct making *m, const struct plan_rule *r, bool tls)
{
    const struct plan_listener *at = NULL;
    for (size_t i = 0; i < m->plan->listeners.n && !at; i++)
        if (m->plan->listeners.v[i].listener == r->listener)
            at = &m->plan->listeners.v[i];
    const char *name = first_plain_name(r->rule)->name;
    if (!at || r->listener->ssl_accelerator_port) {
        long port = at ? r->listener->ssl_accelerator_port : 443;
        return arena_printf(m->a, port == 443 ? "https://%s" : "https://%s:%ld", name, port);
    }
    bool plain = at->http && !r->rule->require_ssl && r->listener->redirect != HTTPS_REDIRECT_ALWAYS;
    bool secure = at->https && (tls || !plain);
    unsigned port = secure ? at->https : at->http;
    return arena_printf(m->a, port == (secure ? 443u : 80u) ? "%s://%s" : "%s://%s:%u", secure ? "https" : "http", name,
                        port);
}

static void add_place(struct making *m, struct link l, const char *host, const char *internal, const char *to)
{
    const struct rule *rule = m->plan->rules.v[l.rule].rule;
    const long ports[] = { 0, rule->http_port, rule->ssl_port };
    static const char *const schemes[] = { "http", "https" };
    l.to = to;
    l.to_n = strlen(to);
    l.to_n -= l.to_n && to[l.to_n - 1] == '/';
    for (size_t s = 0; s < 2; s++)
        for (size_t p = 0; p < 3; p++) {
            if (p == 2 && ports[1] == ports[2])
                continue;
            l.from = ports[p] ? arena_printf(m->a, "%s://%s:%ld%s", schemes[s], host, ports[p], internal)
                              : arena_printf(m->a, "%s://%s%s", schemes[s], host, internal);
            l.from_n = strlen(l.from);
            l.from_n -= l.from[l.from_n - 1] == '/';
            add(m, l);
        }
}

/* origin: fixed, or NULL for the request's. */
static void add_host(struct making *m, const struct link *l, const char *host, const char *origin)
{
    const struct rule *rule = m->plan->rules.v[l->rule].rule;
    bool whole = l->source == LINK_IMPLICIT;
    if (!origin)
        origin = "";
    for (size_t i = 0; i < rule->paths.n; i++) {
        const struct path *x = &rule->paths.v[i];
        const char *internal = x->internal ? x->internal : x->external;
        struct link one = *l;
        one.stem = x->kind == PATH_STEM;
        if (*internal && strcmp(internal, "/") != 0)
            add_place(m, one, host, internal, arena_printf(m->a, "%s%s", origin, x->external));
        else if (!*internal && x->kind == PATH_PREFIX) {
            add_place(m, one, host, "", arena_printf(m->a, "%s%s", origin, x->external));
            whole = false;
        }
    }
    if (whole)
        add_place(m, *l, host, "", origin);
}

static void add_implicit(struct making *m, const struct plan_rule *r, enum link_source source, bool tls)
{
    const struct rule *rule = r->rule;
    const char *origin = NULL;
    struct link l = { .source = source, .rule = r->index };
    if (!maps_implicitly(r) || (source == LINK_OTHER && !first_plain_name(rule)))
        return;
    l.origin = source == LINK_IMPLICIT && !has_wildcard(rule);
    if (!l.origin)
        origin = public_origin(m, r, tls);
    if (rule->site)
        add_host(m, &l, rule->site, origin);
    if (rule->server && (!rule->site || ascii_casecmp(rule->server, rule->site)))
        add_host(m, &l, rule->server, origin);
}

/* ---- one mapping for each text ---------------------------------------------------------------------- */
static int compare_texts(const struct link *x, const struct link *y)
{
    size_t n = x->from_n < y->from_n ? x->from_n : y->from_n;
    int d = ascii_ncasecmp(x->from, y->from, n);
    return d ? d : (x->from_n > y->from_n) - (x->from_n < y->from_n);
}

static int by_text(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    int d = compare_texts(x, y);
    if (d)
        return d;
    if (x->source != y->source)
        return (int)x->source - (int)y->source;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

/* Entries of one text from one place are in the order in which they were added: the first holds. qsort is not stable,
 * so rule holds that order while it sorts. */
static void keep_first(struct link_table *t)
{
    size_t n = 0;
    uint32_t *rules = malloc((t->links.n + 1) * sizeof *rules);
    if (!rules)
        mem_fatal();
    for (size_t i = 0; i < t->links.n; i++) {
        rules[i] = t->links.v[i].rule;
        t->links.v[i].rule = (uint32_t)i;
    }
    if (t->links.n > 1)
        qsort(t->links.v, t->links.n, sizeof *t->links.v, by_text);
    for (size_t i = 0; i < t->links.n; i++)
        if (!n || compare_texts(&t->links.v[n - 1], &t->links.v[i])) {
            t->links.v[n] = t->links.v[i];
            t->links.v[n].rule = rules[t->links.v[n].rule];
            n++;
        }
    t->links.n = n;
    free(rules);
}

/* ---- the tables ----------------------------------------------------------------------------------------- */
static void add_own(struct making *m, const struct plan_rule *r, bool tls)
{
    const struct rule *rule = r->rule;
    const struct policy *p = m->plan->policy;
    m->escape = m->out->escape;
    add_typed(m, rule, rule->links.v, rule->links.n, (struct link){ .source = LINK_LOCAL, .rule = r->index },
              FORM_UTF8 | FORM_CODE_PAGES);
    add_implicit(m, r, LINK_IMPLICIT, tls);
    add_typed(m, rule, p->links.v, p->links.n, (struct link){ .source = LINK_GLOBAL, .rule = UINT32_MAX },
              FORM_CODE_PAGES);
}

static void add_shared(struct making *m, bool tls)
{
    const struct policy *p = m->plan->policy;
    add_typed(m, NULL, p->links.v, p->links.n, (struct link){ .source = LINK_GLOBAL, .rule = UINT32_MAX }, FORM_UTF8);
    for (size_t i = 0; i < m->plan->rules.n; i++)
        add_implicit(m, &m->plan->rules.v[i], LINK_OTHER, tls);
}

static bool begin(struct making *m, const struct plan *p, const struct plan_rule *r, struct arena *a,
                  struct link_table *out)
{
    const struct rule *rule = r ? r->rule : NULL;
    *m = (struct making){ .plan = p, .a = a, .out = out, .escape = true };
    *out =
        (struct link_table){ .whole = rule && !(rule->link_options & 2), .escape = !rule || (rule->link_options & 1) };
    return !rule || (rule->translate_links && rule->bridging != BRIDGE_FTP);
}

static void end(struct making *m)
{
    keep_first(m->out);
    buf_free(&m->text);
}

void links_own(const struct plan *p, uint32_t rule, bool tls, struct arena *a, struct link_table *out)
{
    struct making m;
    if (begin(&m, p, &p->rules.v[rule], a, out))
        add_own(&m, &p->rules.v[rule], tls);
    end(&m);
}

void links_shared(const struct plan *p, bool tls, struct arena *a, struct link_table *out)
{
    struct making m;
    begin(&m, p, NULL, a, out);
    add_shared(&m, tls);
    end(&m);
}

void links_of(const struct plan *p, uint32_t rule, bool tls, struct arena *a, struct link_table *out)
{
    struct making m;
    if (begin(&m, p, &p->rules.v[rule], a, out)) {
        add_own(&m, &p->rules.v[rule], tls);
        add_shared(&m, tls);
    }
    end(&m);
}

/* ---- where a match may end ------------------------------------------------------------------------------- */
static bool is_delimiter(unsigned char c)
{
    return c < ' ' || c == 127 || (c < 127 && strchr(link_delimiters, c) != NULL);
}

static int hex(char c)
{
    char low = ascii_lower(c);
    return low >= '0' && low <= '9' ? low - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

int link_ends(const char *p, size_t n, bool end)
{
    if (!n)
        return end ? 1 : -1;
    if (*p != '%')
        return is_delimiter((unsigned char)*p);
    if (n < 3)
        return end ? 0 : -1;
    int code = hex(p[1]) < 0 || hex(p[2]) < 0 ? 0 : hex(p[1]) * 16 + hex(p[2]);
    return code && strchr("/?#\"'<>&\\", code) != NULL;
}

bool link_content_type(const char *value)
{
    size_t n = value ? strcspn(value, "; \t") : 0;
    for (size_t i = 0; link_content_types[i]; i++)
        if (n == strlen(link_content_types[i]) && !ascii_ncasecmp(value, link_content_types[i], n))
            return true;
    return false;
}
