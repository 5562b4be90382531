/* http1: the strict gate. Bytes of a head in, fields and framing out, or a status to refuse with. */
#include "http1.h"
#include "scan.h"

size_t http1_leading(const char *p, size_t n)
{
    size_t i = 0;
    while (n - i >= 2 && p[i] == '\r' && p[i + 1] == '\n')
        i += 2;
    return i;
}

/* Line by line. What stands inside of a line is http1_request's matter: most heads come whole. */
size_t http1_head_end(const char *p, size_t n, size_t from)
{
    size_t limit = n < HEAD_BYTES ? n : HEAD_BYTES, i = from;
    if (i && p[i - 1] == '\r') /* its LF may be here now */
        i--;
    while (i < limit) {
        bool line_begins = i == 0 || p[i - 1] == '\n';
        if (line_begins && p[i] == '\r' && i + 1 < limit)
            return i && p[i + 1] == '\n' ? i + 2 : SIZE_MAX;
        const char *lf = memchr(p + i, '\n', limit - i);
        if (!lf)
            break;
        if (lf == p || lf[-1] != '\r')
            return SIZE_MAX;
        i = (size_t)(lf - p) + 1;
    }
    return n >= HEAD_BYTES ? SIZE_MAX : 0;
}

/* ---- reading fields -------------------------------------------------------- */
enum { CONNECTION_OPTIONS = 32 }; /* more is an attack on the search below */

struct reader {
    struct head *h;
    char *p, *end; /* end: the NUL behind the last LF */
    const char *why;
    unsigned options; /* in Connection */
};

static int refuse(struct reader *r, int status, const char *why)
{
    r->why = why;
    return status;
}

static bool equal_nocase(const char *a, size_t n, const char *lower)
{
    return n == strlen(lower) && ascii_ncasecmp(a, lower, n) == 0;
}

/* Digits alone; RFC 9110 section 8.6 knows no sign, no list and no white space. */
static int read_length(struct reader *r, const struct field *f)
{
    uint64_t v = 0;
    if (!f->value_n)
        return refuse(r, 400, "Content-Length without a number");
    for (const char *s = f->value; *s; s++) {
        if (*s < '0' || *s > '9')
            return refuse(r, 400, "Content-Length is no number");
        if (v > (INT64_MAX - 9) / 10)
            return refuse(r, 400, "Content-Length is too large");
        v = v * 10 + (uint64_t)(*s - '0');
    }
    r->h->length = v;
    r->h->framing = BODY_LENGTH;
    return 0;
}

/* What a host may not hold, since programs differ in where it ends (RFC 3986 section 3.2; bytes above 0x7f pass). */
static const unsigned char no_host_bytes[256] = {
    [' '] = 1, ['\t'] = 1, ['"'] = 1,  ['#'] = 1, [','] = 1, ['/'] = 1, [';'] = 1, ['<'] = 1, ['>'] = 1,
    ['?'] = 1, ['@'] = 1,  ['\\'] = 1, ['^'] = 1, ['`'] = 1, ['{'] = 1, ['|'] = 1, ['}'] = 1,
};
static size_t plain_host_length(const char *s)
{
    size_t n = 0;
    while (s[n] && !no_host_bytes[(unsigned char)s[n]])
        n++;
    return n;
}

/* n bytes of a host, and behind a colon digits alone: what else stands there a server may take for a name. */
static bool is_host(const char *s, size_t n)
{
    size_t name = *s == '[' ? strcspn(s, "]") : strcspn(s, ":");
    if (name < n && s[name] == ']')
        name++;
    if (name >= n)
        return *s != '[' || s[n - 1] == ']';
    return s[name] == ':' && strspn(s + name + 1, "0123456789") >= n - name - 1;
}

/* Framing, and that what must be said once is said once. The field is h's last. */
static int read_meaning(struct reader *r, const struct field *f)
{
    struct head *h = r->h;
    bool again = h->first[f->id] != h->n;
    switch (f->id) {
    case FIELD_HOST:
        if (again)
            return refuse(r, 400, "two Hosts");
        if (plain_host_length(f->value) != f->value_n || !is_host(f->value, f->value_n))
            return refuse(r, 400, "a Host that is none");
        return 0;
    case FIELD_CONTENT_LENGTH: return again ? refuse(r, 400, "two Content-Lengths") : read_length(r, f);
    case FIELD_TRANSFER_ENCODING:
        if (again)
            return refuse(r, 400, "two Transfer-Encodings");
        if (!equal_nocase(f->value, f->value_n, "chunked"))
            return refuse(r, f->value_n ? 501 : 400, "a transfer coding that is not just chunked");
        return 0;
    default: return 0;
    }
}

/* One line "name: value", with r->p at its start. The strings are ended in place. */
static int read_field(struct reader *r)
{
    char *name = r->p, *colon = scan_token(name);
    if (*name == ' ' || *name == '\t')
        return refuse(r, 400, "a folded line");
    if (colon == name || *colon != ':')
        return refuse(r, 400, "a field name that is no token");
    char *value = colon + 1;
    while (*value == ' ' || *value == '\t')
        value++;
    char *end = scan_text(value);
    if (end[0] != '\r' || end[1] != '\n')
        return refuse(r, 400, "a control character in a field");
    r->p = end + 2;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *colon = *end = '\0';
    if (r->h->n == HEAD_FIELDS)
        return refuse(r, 431, "too many fields");
    size_t name_n = (size_t)(colon - name);
    struct head *h = r->h;
    struct field *f = &h->fields[h->n++];
    *f = (struct field){ .id = field_id_of(name, name_n),
                         .name_n = (uint32_t)name_n,
                         .value_n = (uint32_t)(end - value),
                         .name = name,
                         .value = value };
    if (f->id == FIELD_OTHER)
        return 0;
    if (!h->first[f->id])
        h->first[f->id] = h->n;
    return f->id <= FIELD_TRANSFER_ENCODING ? read_meaning(r, f) : 0;
}

/* A connection option: one of ours, or the name of a field that is for this connection alone. A field that we know to
 * be for the other end is not given up for being named (RFC 9110 section 7.6.1 forbids to name such). */
static void read_option(struct reader *r, const char *option, size_t n, bool *close, bool *keep, bool *upgrade)
{
    if (equal_nocase(option, n, "close"))
        *close = true;
    else if (equal_nocase(option, n, "keep-alive"))
        *keep = true;
    else if (equal_nocase(option, n, "upgrade"))
        *upgrade = true;
    else
        for (uint32_t i = 0; i < r->h->n; i++) {
            struct field *f = &r->h->fields[i];
            if (f->id == FIELD_OTHER && f->name_n == n && ascii_ncasecmp(f->name, option, n) == 0)
                f->hop = true;
        }
}

static int read_connection(struct reader *r)
{
    struct head *h = r->h;
    bool close = false, keep = false, upgrade = false;
    for (uint32_t i = h->first[FIELD_CONNECTION]; i && i <= h->n; i++) {
        if (h->fields[i - 1].id != FIELD_CONNECTION)
            continue;
        for (const char *s = h->fields[i - 1].value; *s;) {
            s += strspn(s, " \t,");
            size_t n = strcspn(s, " \t,");
            if (n && r->options++ == CONNECTION_OPTIONS)
                return refuse(r, 400, "too many options in Connection");
            if (n)
                read_option(r, s, n, &close, &keep, &upgrade);
            s += n;
        }
    }
    h->keep_alive = !close && (keep || h->version >= 11);
    h->upgrades = upgrade && h->version >= 11 && h->first[FIELD_UPGRADE];
    return 0;
}

/* All lines behind the first, and what they say about body and connection. */
static int read_fields(struct reader *r)
{
    while (r->p < r->end - 2) {
        int status = read_field(r);
        if (status)
            return status;
    }
    if (r->p != r->end - 2 || r->p[0] != '\r' || r->p[1] != '\n')
        return refuse(r, 400, "a head that does not end with an empty line");
    struct head *h = r->h;
    if (h->first[FIELD_TRANSFER_ENCODING]) {
        if (h->first[FIELD_CONTENT_LENGTH])
            return refuse(r, 400, "Content-Length and Transfer-Encoding");
        if (h->version < 11)
            return refuse(r, 400, "Transfer-Encoding in HTTP/1.0");
        h->framing = BODY_CHUNKED;
    }
    return read_connection(r);
}

/* "HTTP/1.0" or "HTTP/1.1", and what stands behind it: to be checked by the caller. */
static int read_version(struct reader *r)
{
    const char *p = r->p;
    if (r->end - p < 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' ||
        p[7] > '9')
        return refuse(r, 400, "no HTTP version");
    if (p[5] != '1' || p[7] > '1')
        return refuse(r, 505, "an HTTP version other than 1.0 and 1.1");
    r->h->version = 10 + (p[7] - '0');
    r->p += 8;
    return 0;
}

static int begin(struct reader *r, struct head *h, const char *p, size_t n)
{
    if (n < 4 || n > HEAD_BYTES)
        return refuse(r, 400, "not a whole head");
    r->h = h;
    r->p = head_room(h, n);
    r->end = r->p + n;
    memcpy(r->p, p, n);
    return 0;
}

/* ---- requests -------------------------------------------------------------- */
/* A path, a URI of http or https, or "*" for OPTIONS (RFC 9112 section 3.2). CONNECT asks for a tunnel to anywhere: no
 * server has that published, and what follows a server's 200 to it would be no body. */
static bool target_has_form(const char *method, const char *target)
{
    if (strcmp(method, "CONNECT") == 0)
        return false;
    if (target[0] == '/')
        return true;
    if (strcmp(target, "*") == 0)
        return strcmp(method, "OPTIONS") == 0;
    size_t scheme = ascii_ncasecmp(target, "http://", 7) == 0 ? 7 : ascii_ncasecmp(target, "https://", 8) == 0 ? 8 : 0;
    if (!scheme)
        return false;
    target += scheme;
    size_t n = plain_host_length(target);
    return n > 0 && is_host(target, n) && (target[n] == '\0' || target[n] == '/' || target[n] == '?');
}

static int read_request_line(struct reader *r)
{
    struct head *h = r->h;
    char *end = scan_token(r->p);
    if (end == r->p || *end != ' ')
        return refuse(r, 400, "a method that is no token");
    h->method = r->p;
    *end = '\0';
    h->target = r->p = end + 1;
    end = scan_visible(r->p);
    if (end == r->p || *end != ' ')
        return refuse(r, 400, "a request line that is not of three parts");
    *end = '\0';
    r->p = end + 1;
    int status = read_version(r);
    if (status)
        return status;
    if (!target_has_form(h->method, h->target))
        return refuse(r, 400, "a target that nothing can be published at");
    if (r->p[0] != '\r' || r->p[1] != '\n')
        return refuse(r, 400, "something behind the HTTP version");
    r->p += 2;
    return 0;
}

/* The host of an absolute target is the request's, whatever Host says, and nobody behind us is told another one (RFC 9112
 * section 3.2.2, D-01). */
static void take_authority(struct head *h)
{
    const char *slashes = *h->target == '/' || *h->target == '*' ? NULL : strstr(h->target, "//"),
               *host = head_value(h, FIELD_HOST);
    if (!slashes)
        return;
    size_t n = plain_host_length(slashes + 2);
    if (!host || strlen(host) != n || memcmp(host, slashes + 2, n) != 0)
        head_set(h, FIELD_HOST, "Host", head_copy(h, slashes + 2, n));
}

static int read_request(struct reader *r)
{
    int status = read_request_line(r);
    if (!status)
        status = read_fields(r);
    if (!status)
        take_authority(r->h);
    if (!status && r->h->version >= 11 && r->h->first[FIELD_EXPECT])
        r->h->expects = head_has_token(r->h, FIELD_EXPECT, "100-continue");
    return status;
}

int http1_request(struct head *h, const char *p, size_t n, const char **why)
{
    struct reader r = { .why = "" };
    int status = begin(&r, h, p, n);
    if (!status)
        status = read_request(&r);
    *why = r.why;
    return status;
}

/* ---- answers --------------------------------------------------------------- */
static int read_status_line(struct reader *r)
{
    struct head *h = r->h;
    if (read_version(r))
        return -1;
    const char *p = r->p;
    if (p[0] != ' ' || p[1] < '1' || p[1] > '9' || p[2] < '0' || p[2] > '9' || p[3] < '0' || p[3] > '9')
        return refuse(r, -1, "no status");
    h->status = (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
    r->p += 4;
    if (r->p[0] == ' ') /* without it there is no reason: servers differ, and nobody can misread it */
        r->p++;
    else if (r->p[0] != '\r')
        return refuse(r, -1, "no status");
    h->reason = r->p;
    r->p = scan_text(r->p);
    if (r->p[0] != '\r' || r->p[1] != '\n')
        return refuse(r, -1, "a control character in the status line");
    *r->p = '\0';
    r->p += 2;
    return 0;
}

int http1_answer(struct head *h, const char *method, const char *p, size_t n, const char **why)
{
    struct reader r = { .why = "" };
    int status = begin(&r, h, p, n);
    if (!status)
        status = read_status_line(&r);
    if (!status)
        status = read_fields(&r);
    *why = r.why;
    if (status)
        return -1;
    if (strcmp(method, "HEAD") == 0 || h->status < 200 || h->status == 204 || h->status == 304) {
        h->framing = BODY_NONE;
    } else if (h->framing == BODY_NONE) {
        h->framing = BODY_UNTIL_CLOSE;
        h->keep_alive = false;
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------- */
static bool is_hop(const struct field *f)
{
    static const uint64_t ids = UINT64_C(1) << FIELD_CONNECTION | UINT64_C(1) << FIELD_KEEP_ALIVE |
                                UINT64_C(1) << FIELD_PROXY_CONNECTION | UINT64_C(1) << FIELD_TE |
                                UINT64_C(1) << FIELD_TRAILER | UINT64_C(1) << FIELD_TRANSFER_ENCODING |
                                UINT64_C(1) << FIELD_UPGRADE | UINT64_C(1) << FIELD_CONTENT_LENGTH;
    _Static_assert(FIELD_IDS <= 64, "one bit an id");
    return f->hop || (ids >> f->id & 1);
}

static char *put(char *p, const char *s, size_t n)
{
    memcpy(p, s, n);
    return p + n;
}

static void write_field(struct strbuf *out, const struct field *f)
{
    char *start = buf_reserve(out, (size_t)f->name_n + f->value_n + 4), *p = start;
    p = put(p, f->name, f->name_n);
    p = put(p, ": ", 2);
    p = put(p, f->value, f->value_n);
    p = put(p, "\r\n", 2);
    *p = '\0';
    out->n += (size_t)(p - start);
}

static void write_length(struct strbuf *out, uint64_t v)
{
    char digits[24], *end = digits + sizeof digits, *p = end;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    buf_puts(out, "Content-Length: ");
    buf_add(out, p, (size_t)(end - p));
    buf_puts(out, "\r\n");
}

static void write_rest(struct strbuf *out, const struct head *h, const char *connection)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->fields[i].name_n && !is_hop(&h->fields[i]))
            write_field(out, &h->fields[i]);
    if (h->framing == BODY_LENGTH)
        write_length(out, h->length);
    else if (h->framing == BODY_CHUNKED)
        buf_puts(out, "Transfer-Encoding: chunked\r\n");
    if (connection) {
        buf_puts(out, "Connection: ");
        buf_puts(out, connection);
        buf_puts(out, "\r\n");
        if (strcmp(connection, "upgrade") == 0 && head_field(h, FIELD_UPGRADE))
            write_field(out, head_field(h, FIELD_UPGRADE));
    }
    buf_puts(out, "\r\n");
}

void http1_write_request(struct strbuf *out, const struct head *h, const char *connection)
{
    buf_puts(out, h->method);
    buf_putc(out, ' ');
    buf_puts(out, h->target);
    buf_puts(out, " HTTP/1.1\r\n");
    write_rest(out, h, connection);
}

void http1_write_answer(struct strbuf *out, const struct head *h, const char *connection)
{
    buf_printf(out, "HTTP/1.1 %d ", h->status);
    if (h->reason)
        buf_puts(out, h->reason);
    buf_puts(out, "\r\n");
    if (h->framing == BODY_NONE && h->status >= 200 && h->status != 204 && head_field(h, FIELD_CONTENT_LENGTH))
        write_field(out, head_field(h, FIELD_CONTENT_LENGTH));
    write_rest(out, h, connection);
}

void http1_write_chunk_head(struct strbuf *out, size_t n)
{
    char digits[24], *end = digits + sizeof digits, *p = end;
    *--p = '\n';
    *--p = '\r';
    do
        *--p = "0123456789abcdef"[n % 16];
    while (n /= 16);
    buf_add(out, p, (size_t)(end - p));
}
