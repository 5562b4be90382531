/* h2_head: see the header. The rules are those of RFC 9113, section 8. */
#include "h2_head.h"
#include "../http/http1.h"

enum { OVERHEAD = 32, FIELDS_MOST = HEAD_FIELDS - 4 }; /* bytes a field counts more than it has; the rest is for ours */

/* ---- requests ---------------------------------------------------------------------- */

void h2_fields_clear(struct h2_fields *f)
{
    struct strbuf *all[] = { &f->method, &f->path, &f->authority, &f->host, &f->cookie, &f->rest };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_clear(all[i]);
    f->bytes = f->n = 0;
    f->bad = f->has_length = false;
}

void h2_fields_free(struct h2_fields *f)
{
    struct strbuf *all[] = { &f->method, &f->path, &f->authority, &f->host, &f->cookie, &f->rest };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_wipe(all[i]);
}

static bool is(const char *name, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(name, word, n) == 0;
}

/* least: the lowest byte that is allowed, beside the tab where that is the space. */
static bool is_clean(const char *p, size_t n, unsigned char least)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if ((c < least && !(c == '\t' && least == ' ')) || c == 127)
            return false;
    }
    return true;
}

static bool is_name(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((p[i] >= 'A' && p[i] <= 'Z') || p[i] == ':')
            return false;
    return n && is_clean(p, n, '!');
}

/* A pseudo field or Host: once, and without spaces. */
static void set_once(struct h2_fields *f, struct strbuf *to, const char *value, size_t n)
{
    f->bad |= to->n || !n || !is_clean(value, n, '!');
    buf_add(to, value, n);
}

static void add_pseudo(struct h2_fields *f, const char *name, size_t name_n, const char *value, size_t n)
{
    if (is(name, name_n, ":method"))
        set_once(f, &f->method, value, n);
    else if (is(name, name_n, ":path"))
        set_once(f, &f->path, value, n);
    else if (is(name, name_n, ":authority"))
        set_once(f, &f->authority, value, n);
    else if (!is(name, name_n, ":scheme"))
        f->bad = true;
}

/* Fields of a connection have no place in HTTP/2 (section 8.2.2). */
static bool is_of_connection(enum field_id id)
{
    return id == FIELD_CONNECTION || id == FIELD_TRANSFER_ENCODING || id == FIELD_KEEP_ALIVE ||
           id == FIELD_PROXY_CONNECTION || id == FIELD_UPGRADE;
}

static void add_field(struct h2_fields *f, const char *name, size_t name_n, const char *value, size_t n)
{
    enum field_id id = field_id_of(name, name_n);
    if (id == FIELD_HOST) {
        set_once(f, &f->host, value, n);
    } else if (id == FIELD_COOKIE) { /* may come in pieces (section 8.2.3) */
        if (f->cookie.n)
            buf_puts(&f->cookie, "; ");
        buf_add(&f->cookie, value, n);
    } else if (id == FIELD_TE) {
        f->bad |= !is(value, n, "trailers");
    } else {
        f->bad |= is_of_connection(id);
        f->has_length |= id == FIELD_CONTENT_LENGTH;
        buf_reserve_secret(&f->rest, name_n + n + 4);
        buf_add(&f->rest, name, name_n);
        buf_puts(&f->rest, ": ");
        buf_add(&f->rest, value, n);
        buf_puts(&f->rest, "\r\n");
    }
}

static bool is_large(const struct h2_fields *f)
{
    return f->bytes > HEAD_BYTES - 1024 || f->n > FIELDS_MOST;
}

void h2_fields_add(struct h2_fields *f, const char *name, size_t name_n, const char *value, size_t n)
{
    f->bytes += name_n + n + OVERHEAD;
    f->n++;
    if (is_large(f) || f->bad)
        return;
    if (!is_clean(value, n, ' ')) {
        f->bad = true;
    } else if (name_n && *name == ':') {
        add_pseudo(f, name, name_n, value, n);
    } else {
        f->bad |= !is_name(name, name_n);
        add_field(f, name, name_n, value, n);
    }
}

static void put(struct strbuf *out, const char *name, const struct strbuf *value)
{
    if (!value->n)
        return;
    buf_puts(out, name);
    buf_add(out, value->p, value->n);
    buf_puts(out, "\r\n");
}

int h2_request(const struct h2_fields *f, bool body, struct strbuf *text, struct head *h)
{
    const char *why;
    if (is_large(f))
        return 431;
    bool differ = f->authority.n && f->host.n &&
                  (f->authority.n != f->host.n || ascii_ncasecmp(f->authority.p, f->host.p, f->host.n) != 0);
    if (f->bad || differ || !f->method.n || !f->path.n || (*f->path.p != '/' && strcmp(f->path.p, "*") != 0))
        return 400;
    buf_clear(text);
    buf_printf(text, "%s %s HTTP/1.1\r\n", f->method.p, f->path.p);
    put(text, "Host: ", f->authority.n ? &f->authority : &f->host);
    buf_add(text, f->rest.p ? f->rest.p : "", f->rest.n);
    put(text, "Cookie: ", &f->cookie);
    if (body && !f->has_length)
        buf_puts(text, "Transfer-Encoding: chunked\r\n");
    buf_puts(text, "\r\n");
    int status = http1_head_end(text->p, text->n, 0) == text->n ? http1_request(h, text->p, text->n, &why) : 400;
    if (!status && !body && h->framing == BODY_LENGTH && h->length)
        status = 400;
    h->version = 20;
    return status;
}

/* ---- answers -------------------------------------------------------------------------- */

static nghttp2_nv pair(const char *name, size_t name_n, const char *value, size_t n)
{
    return (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, name_n, n, NGHTTP2_NV_FLAG_NONE };
}

static nghttp2_nv put_number(const char *name, unsigned long long value, struct strbuf *names)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", value);
    buf_add(names, digits, (size_t)n);
    return pair(name, strlen(name), names->p + names->n - n, (size_t)n);
}

/* Content-Length is written from the framing, or kept where there is no body (HEAD). */
static bool goes_on(const struct head *h, const struct field *f)
{
    if (f->id == FIELD_CONTENT_LENGTH)
        return h->framing == BODY_NONE && h->status >= 200 && h->status != 204;
    return f->name_n && !f->hop && !(f->id >= FIELD_CONNECTION && f->id <= FIELD_UPGRADE);
}

size_t h2_answer(const struct head *h, struct strbuf *names, nghttp2_nv *nv)
{
    size_t n = 0, room = 64;
    for (uint32_t i = 0; i < h->n; i++)
        room += h->fields[i].name_n;
    buf_clear(names);
    buf_reserve(names, room); /* so that it does not move, only buf_add and buf_putc are used from here on */
    nv[n++] = put_number(":status", (unsigned long long)h->status, names);
    for (uint32_t i = 0; i < h->n; i++) {
        const struct field *f = &h->fields[i];
        if (!goes_on(h, f))
            continue;
        const char *name = names->p + names->n;
        for (uint32_t k = 0; k < f->name_n; k++)
            buf_putc(names, ascii_lower(f->name[k]));
        nv[n++] = pair(name, f->name_n, f->value, f->value_n);
    }
    if (h->framing == BODY_LENGTH)
        nv[n++] = put_number("content-length", h->length, names);
    return n;
}
