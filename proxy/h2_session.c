/* h2_session: what nghttp2 tells of the client's frames, and the limits that it and we hold a client to.
 *
 * Who floods (resets, pings, settings, empty frames, more than nghttp2 lets pass) gets ENHANCE_YOUR_CALM and is closed.
 */
#include "h2_parts.h"

enum {
    STREAMS = 128,
    CONNECTION_WINDOW = 1 << 20,
    CALM_TIME = 10000, /* ms in which at most CALM frames may come that move nothing */
    CALM = 1000,
    RESETS = 500,
    RESETS_A_SECOND = 50,
    STOP_TIME = 1000 /* ms in which a client may end a body by itself that nobody wants any more */
};

static int on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    if (h->closed || frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers are not kept */
    if (!h->streams_n)
        client_refresh(&h->c);
    h2_fields_clear(&h->fields);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, h2_stream_new(h, frame->hd.stream_id));
    return 0;
}

static int on_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                    const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct h2 *h = user;
    (void)session, (void)flags;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h2_fields_add(&h->fields, (const char *)name, name_n, (const char *)value, value_n);
    return 0;
}

/* What nghttp2 holds to be malformed in one field is not let through for that. */
static int on_bad_field(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_n,
                        const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct h2 *h = user;
    (void)session, (void)frame, (void)name, (void)name_n, (void)value, (void)value_n, (void)flags;
    h->fields.bad = true;
    return 0;
}

/* Counts a frame that moves nothing: some are normal. */
static void count_frame(struct h2 *h)
{
    uint64_t now = h->c.loop->now;
    if (now - h->calm_since > CALM_TIME) {
        h->calm_since = now;
        h->idle_frames = 0;
    }
    if (++h->idle_frames <= CALM)
        return;
    nghttp2_session_terminate_session(h->session, NGHTTP2_ENHANCE_YOUR_CALM);
    h2_dirty(h);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2 *h = user;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct h2_stream *s =
        frame->hd.stream_id ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    if (h->closed)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    switch (frame->hd.type) {
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PRIORITY:
    case NGHTTP2_RST_STREAM: count_frame(h); break;
    case NGHTTP2_DATA:
        if (!frame->hd.length && !ends)
            count_frame(h);
        break;
    default: break;
    }
    bool request = frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (s && request) {
        h2_stream_begin(s, ends);
    } else if (s && ends) { /* of a body, or with trailers, which are dropped */
        h2_stream_body_end(s);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
    struct h2 *h = user;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (h->closed)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    nghttp2_session_consume_connection(session, n);
    if (s)
        h2_stream_body(s, (const char *)p, n);
    else
        nghttp2_session_consume_stream(session, id, n);
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2 *h = user;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    if (!s)
        return 0;
    nghttp2_session_set_stream_user_data(session, id, NULL);
    h2_stream_free(s);
    if (!h->streams_n && !h->closed)
        timer_set(h->c.loop, &h->timer, h2_idle_time(h));
    return 0;
}

/* The answer went out and the client still sends: it may stop (RFC 9113, section 8.1). It is told so after a while: curl 7.88
 * forgets an answer that it reads together with the reset. A reset that we send for what a client did wrong counts like one of
 * its own: it frees a stream for the next request just as well (CVE-2025-8671). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        count_frame(user);
    bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    struct h2_stream *s = ends ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    if (s && !s->in_ended && !s->x) {
        s->answered = true;
        if (!s->h->stop.back)
            timer_set(s->h->c.loop, &s->h->stop, STOP_TIME);
    }
    return 0;
}

/* A head that is too large for HTTP/2, or a stream that is gone. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int why, void *user)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)why, (void)user;
    if (s && frame->hd.type == NGHTTP2_HEADERS)
        h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

static nghttp2_session_callbacks *callbacks(void)
{
    nghttp2_session_callbacks *c;
    if (nghttp2_session_callbacks_new(&c) != 0)
        mem_fatal();
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(c, on_field);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_bad_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent);
    return c;
}

nghttp2_session *h2_session_new(struct h2 *h)
{
    static const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS },
                                                       { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_WINDOW },
                                                       { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEAD_BYTES } };
    nghttp2_session_callbacks *c = callbacks();
    nghttp2_option *o;
    nghttp2_session *session = NULL;
    if (nghttp2_option_new(&o) != 0)
        mem_fatal();
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_send_header_block_length(o, 2 * HEAD_BYTES);
    nghttp2_option_set_stream_reset_rate_limit(o, RESETS, RESETS_A_SECOND);
    if (nghttp2_session_server_new3(&session, c, h, o, h2_memory()) != 0)
        mem_fatal();
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings);
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
    return session;
}
