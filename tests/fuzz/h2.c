/* h2: bytes of a client's HTTP/2 connection, as nghttp2 and proxy/h2_head read them: a request that is let through reads
 * the same once it is written as HTTP/1.1, whatever its fields held, and how the bytes were cut makes no difference. */
#include "proxy/h2_head.h"
#include "http/http1.h"

#include <stdio.h>
#include <stdlib.h>

struct reading {
    struct h2_fields fields;
    struct strbuf text, seen; /* seen: every request that was let through, or the status that refused it */
    struct head head, again;
};

static void must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "not true: %s\n", what);
        abort();
    }
}

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct reading *r = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h2_fields_clear(&r->fields);
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                    const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct reading *r = user;
    (void)session, (void)flags;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h2_fields_add(&r->fields, (const char *)name, name_n, (const char *)value, value_n);
    return 0;
}

static void written_again(struct reading *r)
{
    struct strbuf text = { 0 };
    const char *why;
    http1_write_request(&text, &r->head, NULL);
    must(http1_head_end(text.p, text.n, 0) == text.n, "one head");
    head_reset(&r->again);
    must(http1_request(&r->again, text.p, text.n, &why) == 0, "it reads");
    must(str_equal(r->again.method, r->head.method) && str_equal(r->again.target, r->head.target), "method and target");
    must(r->again.framing == r->head.framing && r->again.length == r->head.length, "framing");
    must(str_equal(head_value(&r->again, FIELD_HOST), head_value(&r->head, FIELD_HOST)), "host");
    must(r->head.version == 20 && !r->head.upgrades && !head_value(&r->head, FIELD_CONNECTION), "no fields of the hop");
    buf_add(&r->seen, text.p, text.n);
    buf_free(&text);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct reading *r = user;
    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    head_reset(&r->head);
    int status = h2_request(&r->fields, !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM), &r->text, &r->head);
    buf_printf(&r->seen, "%d ", status);
    if (!status)
        written_again(r);
    return 0;
}

static void run(const uint8_t *p, size_t n, size_t cut, struct strbuf *seen)
{
    struct reading r = { .seen = { 0 } };
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    nghttp2_session *session;
    must(!nghttp2_session_callbacks_new(&c) && !nghttp2_option_new(&o), "memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(c, on_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_option_set_no_recv_client_magic(o, 1);
    must(!nghttp2_session_server_new2(&session, c, &r, o), "a session");
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0);
    if (nghttp2_session_mem_recv(session, p, cut) >= 0)
        nghttp2_session_mem_recv(session, p + cut, n - cut);
    nghttp2_session_del(session);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    h2_fields_free(&r.fields);
    head_free(&r.head);
    head_free(&r.again);
    buf_free(&r.text);
    *seen = r.seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct strbuf whole, cut;
    if (n < 2)
        return 0;
    run(data + 1, n - 1, n - 1, &whole);
    run(data + 1, n - 1, data[0] % n, &cut);
    must(whole.n == cut.n && (!whole.n || !memcmp(whole.p, cut.p, whole.n)), "cut or not");
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
