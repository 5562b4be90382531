/* nginx_filter: a rule's HTTP filter as conditions of its location (B-131 to B-142). Each is an `if` that only returns. */
#include "filter.h"
#include "nginx_parts.h"

#include <string.h>

enum { LENGTH_MAX = 60000 }; /* a request line as long as this does not get so far */

bool rule_limits_body(const struct plan_rule *r)
{
    return r->filter && r->filter->body_max > 0 && !(r->preauth & ON(TARGET_NGINX));
}

static const char *pattern_quoted(struct maker *m, const char *pattern)
{
    return quoted(&m->body, m->arena, Q_NGINX_REGEX, pattern);
}

static void write_checks(struct maker *m, const struct http_filter *f)
{
    static const char *const of[] = { [OF_METHOD] = "request_method", [OF_PATH] = "path", [OF_URL] = "request_uri" };
    struct writer *w = &m->body;
    filter_checks checks = { 0 };
    if (filter_patterns(m->arena, f, &checks, m->err))
        m->failed = 1;
    for (size_t i = 0; i < checks.n; i++) {
        const struct filter_check *c = &checks.v[i];
        bool one = c->patterns.n == 1;
        if (c->only && !one)
            write_line(w, "set $listed 0;");
        for (size_t k = 0; k < c->patterns.n; k++)
            write_line(w, "if ($%s %s %s) { %s; }", of[c->of], c->only && one ? "!~*" : "~*",
                       pattern_quoted(m, c->patterns.v[k]), c->only && !one ? "set $listed 1" : "return 502");
        if (c->only && !one)
            write_line(w, "if ($listed = 0) { return 502; }");
    }
}

static void write_length(struct maker *m, const char *variable, long most)
{
    if (most >= 0 && most < LENGTH_MAX)
        write_line(&m->body, "if ($%s ~ \"^.{%ld}\") { return 502; }", variable, most + 1);
}

/* "$http_user_agent" */
static const char *header_variable(struct maker *m, const char *header)
{
    char *name = arena_strdup(m->arena, header);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : ascii_lower(*c);
    return arena_printf(m->arena, "$http_%s", name);
}

void nginx_filter(struct maker *m, const struct plan_rule *r)
{
    const struct http_filter *f = r->filter;
    struct writer *w = &m->body;
    if (!f || !(f->parts & FILTER_OF_REQUESTS))
        return;
    write_line(w, "# the HTTP filter (B-131)");
    write_checks(m, f);
    write_length(m, "request_uri", f->url_max);
    write_length(m, "args", f->query_max);
    for (size_t i = 0; i < f->headers.n; i++)
        write_line(w, "if (%s != \"\") { return 502; }", header_variable(m, f->headers.v[i]));
    for (size_t i = 0; i < f->header_texts.n; i++)
        write_line(w, "if (%s ~* %s) { return 502; }", header_variable(m, f->header_texts.v[i].header),
                   pattern_quoted(m, filter_literal(m->arena, f->header_texts.v[i].text)));
    if (f->body_max == 0) {
        write_line(w, "if ($content_length ~ [1-9]) { return 502; }");
        write_line(w, "if ($http_transfer_encoding != \"\") { return 502; }");
    }
    if (f->body_max > 0) {
        write_line(w, "client_max_body_size %lld;", f->body_max);
        write_line(w, "error_page 413 = @filtered;");
    }
}

/* B-139, B-140. A header that would make the source refuse an answer is at least not passed on. */
void nginx_answer_filter(struct maker *m, const struct plan_rule *r)
{
    const struct http_filter *f = r->filter;
    struct writer *w = &m->body;
    if (!f)
        return;
    for (size_t i = 0; i < f->answer_headers.n; i++)
        write_line(w, "proxy_hide_header %s;", f->answer_headers.v[i]);
    if (f->via == HEADER_REPLACED && !r->via)
        write_line(w, "proxy_set_header Via %s;", quoted(w, m->arena, Q_NGINX, f->via_value));
    if (f->via != HEADER_KEPT) {
        write_line(w, "proxy_hide_header Via;");
        if (f->via == HEADER_REPLACED)
            write_line(w, "add_header Via %s always;", quoted(w, m->arena, Q_NGINX, f->via_value));
        else if (!r->via)
            write_line(w, "proxy_set_header Via \"\";");
    }
    if (f->via != HEADER_KEPT || f->answer_headers.n)
        write_line(w, "proxy_hide_header Content-Location;"); /* these are not added to those of the whole file */
    if (f->server != HEADER_KEPT)
        write_line(w, "proxy_pass_header Date;"); /* and no longer Server: nginx then sends its own */
}
