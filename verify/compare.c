/* Judges one exchange: asks decide() and decide_for_target() what should have happened, and says what differs. A refusal by the
 * target itself counts where a decision or a finding says so: D-01, D-05, and the findings of class differs. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

uint32_t probe_place(const struct plan *p, const struct probe *b)
{
    uint32_t n = b->socket;
    if (b->stream) {
        for (uint32_t i = 0; i < p->listeners.n; i++)
            n += (uint32_t)p->listeners.v[i].sockets.n;
        return n + (uint32_t)(b->stream - p->streams.v);
    }
    for (uint32_t i = 0; i < b->listener; i++)
        n += (uint32_t)p->listeners.v[i].sockets.n;
    return n;
}

void differs(struct judgement *out, const char *expected, const char *got, const char *what)
{
    out->verdict = VERDICT_DISAGREED;
    buf_printf(&out->expected, "%s%s %s", out->expected.n ? "; " : "", what, expected);
    buf_printf(&out->got, "%s%s %s", out->got.n ? "; " : "", what, got);
}

/* ---- the request as a command line --------------------------------------------------- */

static void shell_word(struct strbuf *b, const char *s)
{
    buf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, *s);
    }
    buf_putc(b, '\'');
}

const char *curl_command(const struct plan *p, const struct probe *b, struct arena *a)
{
    if (b->stream)
        return connection_command(b, a);
    const struct plan_socket *s = &p->listeners.v[b->listener].sockets.v[b->socket];
    struct strbuf o = { 0 }, t = { 0 };
    buf_printf(&o, "curl -sk%s --path-as-is", strcmp(b->method, "HEAD") == 0 ? "I" : "");
    if (b->http10)
        buf_puts(&o, " --http1.0");
    if (strcmp(b->method, "GET") != 0 && strcmp(b->method, "HEAD") != 0)
        buf_printf(&o, " -X %s", b->method);
    if (b->body == BODY_CHUNKED)
        buf_puts(&o, " -H 'Transfer-Encoding: chunked'");
    if (b->body != BODY_NONE)
        buf_printf(&o, " --data-binary %s", b->body == BODY_EMPTY ? "''" : "@FILE");
    if (b->field) {
        buf_puts(&o, " -H ");
        shell_word(&o, b->field);
    }
    if (b->extra == EXTRA_UPGRADE)
        buf_puts(
            &o,
            " -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dG1nYyB2ZXJpZnkga2V5IQ=='");
    if (b->extra == EXTRA_FORGED)
        buf_puts(
            &o,
            " -H 'X-Forwarded-For: 198.51.100.7' -H 'X-Real-IP: 198.51.100.8' -H 'Forwarded: for=198.51.100.9' -H 'Via: 1.0 elsewhere'");
    buf_printf(&t, b->host && *b->host == '\0' ? "Host;" : "Host:%s%s", b->host ? " " : "", b->host ? b->host : "");
    buf_puts(&o, " -H ");
    shell_word(&o, t.p);
    if (*b->target != '/') {
        buf_puts(&o, " --request-target ");
        shell_word(&o, b->target);
    }
    buf_puts(&o, " --interface ");
    buf_ip(&o, b->client);
    buf_clear(&t);
    buf_printf(&t, "%s://%s:%u%s", s->tls ? "https" : "http", *s->address == '*' ? "127.0.0.1" : s->address, s->port,
               *b->target == '/' ? b->target : "/");
    buf_putc(&o, ' ');
    shell_word(&o, t.p);
    const char *text = arena_strdup(a, o.p);
    buf_free(&o);
    buf_free(&t);
    return text;
}

/* ---- what the target may refuse by itself ----------------------------------------------- */

bool declared(const struct judge *j, enum finding_id id)
{
    for (size_t i = 0; i < j->findings->list.n; i++) {
        const struct finding *f = &j->findings->list.v[i];
        if (f->id == id && (f->targets == 0 || f->targets & ON(j->target)))
            return true;
    }
    return false;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* A "%" that does not begin an encoded byte, or one that encodes NUL. */
static bool path_malformed(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '%')
            continue;
        if (n - i < 3 || hex(p[i + 1]) < 0 || hex(p[i + 2]) < 0 || (p[i + 1] == '0' && p[i + 2] == '0'))
            return true;
    }
    return false;
}

static bool raw_bytes(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s > 126 || *s == '#')
            return true;
    return false;
}

/* Does the path, decoded once, climb above the root at any point? */
static bool above_root(const char *p, size_t n)
{
    long depth = 0;
    size_t dots = 0, other = 0;
    for (size_t i = 0; i <= n; i++) {
        char c = i < n ? p[i] : '/';
        if (c == '%' && n - i > 2 && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
            c = (char)(hex(p[i + 1]) * 16 + hex(p[i + 2]));
            i += 2;
        }
        if (c != '/') {
            dots += c == '.';
            other += c != '.';
            continue;
        }
        if (other || dots > 2)
            depth++;
        else if (dots == 2 && --depth < 0)
            return true;
        dots = other = 0;
    }
    return false;
}

/* The target answered 400 by itself. Why that is no disagreement: a finding's id, -1 for a decision that allows it, -2 for nothing. publishd
 * has none: it answers as the rules say. */
static int excuse(const struct judge *j, const struct probe *b, const struct decision *d)
{
    if (j->target == TARGET_PUBLISHD)
        return -2;
    bool nginx = j->target == TARGET_NGINX, refused = d->answer != ANSWER_FORWARD;
    const char *slashes = *b->target == '/' ? NULL : strstr(b->target, "://");
    const char *path = slashes ? slashes + 3 + strcspn(slashes + 3, "/?") : b->target;
    size_t n = strcspn(path, "?");
    if (slashes && b->host) {
        size_t len = strcspn(slashes + 3, "/?");
        if (strlen(b->host) != len || ascii_ncasecmp(slashes + 3, b->host, len) != 0)
            return -1; /* D-01 */
    }
    if (d->answer == ANSWER_DOTS)
        return -1; /* D-05 */
    if (nginx && !b->http10 && (b->host == NULL || *b->host == '\0') && (refused || declared(j, F_NGINX_NO_HOST)))
        return refused ? -1 : F_NGINX_NO_HOST;
    if (nginx && (above_root(path, n) || path_malformed(path, n)) && declared(j, F_NGINX_ABOVE_ROOT))
        return F_NGINX_ABOVE_ROOT;
    if (nginx && *b->target == '*' && declared(j, F_REQUEST_FORM))
        return F_REQUEST_FORM;
    if (!nginx && raw_bytes(b->target) && declared(j, F_HAPROXY_RAW_BYTES))
        return F_HAPROXY_RAW_BYTES;
    return -2;
}

/* ---- judging -------------------------------------------------------------------------------- */

/* The rule that sent a request to this server: of those that forward there, the one whose name fits. */
static int rule_behind(const struct judge *j, const struct probe *b, const struct sighting *s)
{
    const struct plan_listener *l = &j->plan->listeners.v[b->listener];
    const struct server_place *place = &j->places->servers.v[s->server];
    struct arena *a = arena_new();
    const char *host = host_canonical(a, b->host);
    int any = -1, fits = -1;
    for (size_t i = 0; i < l->rules.n && fits < 0; i++) {
        const struct plan_rule *r = &j->plan->rules.v[l->rules.v[i]];
        const struct plan_upstream *u = &r->to[l->sockets.v[b->socket].tls];
        for (size_t k = 0; r->forwards && k < u->servers.n; k++) {
            if (u->servers.v[k].port != place->port || ascii_casecmp(u->servers.v[k].host, place->host) != 0)
                continue;
            if (any < 0)
                any = (int)r->index;
            bool named = r->rule->all_names;
            for (size_t n = 0; n < r->rule->names.n && !named; n++)
                named = name_matches(&r->rule->names.v[n], host);
            if (named)
                fits = (int)r->index;
        }
    }
    arena_free(a);
    return fits >= 0 ? fits : any;
}

static void describe_sighting(const struct judge *j, const struct probe *b, const struct sighting *s, struct strbuf *o)
{
    const struct server_place *p = &j->places->servers.v[s->server];
    int rule = rule_behind(j, b, s);
    buf_printf(o, "forwarded to %s:%u", p->host, p->port);
    if (rule >= 0) {
        buf_puts(o, ", the published server of rule \"");
        buf_visible(o, j->plan->rules.v[rule].rule->name);
        buf_putc(o, '"');
    }
    if (s->times > 1)
        buf_printf(o, ", %u times", s->times);
}

static void describe_answer(const struct exchange *e, struct strbuf *o)
{
    size_t n;
    if (e->status == 0) {
        buf_puts(o, e->error ? e->error : "no answer");
        return;
    }
    buf_printf(o, "%d", e->status);
    const char *l = head_field(e->head.p, "Location", 0, &n);
    if (l) {
        char *text = strndup(l, n);
        buf_puts(o, " to ");
        buf_visible(o, text ? text : "");
        free(text);
    }
}

static void expected_answer(const struct decision *d, struct strbuf *o)
{
    buf_printf(o, "%d", d->status);
    if (d->status == 302)
        buf_printf(o, " to %s", d->location);
    buf_printf(o, " (%s), nothing forwarded", answer_names[d->answer]);
}

static bool location_is(const struct exchange *e, const char *want)
{
    size_t n;
    const char *v = head_field(e->head.p, "Location", 0, &n);
    return v && strlen(want) == n && memcmp(v, want, n) == 0;
}

static void judge_refused(const struct judge *j, const struct probe *b, const struct decision *d,
                          const struct exchange *e, const struct sighting *s, struct judgement *out)
{
    bool good = s->times == 0 && e->status == d->status && (d->status != 302 || location_is(e, d->location));
    if (good)
        return;
    if (s->times == 0 && (e->status == 400 || (e->status == 404 && d->status == 403))) {
        int why = excuse(j, b, d);
        if (why > -2) {
            out->finding = why;
            out->verdict = why < 0 ? VERDICT_AGREED : VERDICT_DECLARED;
            if (why < 0)
                return;
        }
    }
    if (out->verdict == VERDICT_AGREED)
        out->verdict = VERDICT_DISAGREED;
    expected_answer(d, &out->expected);
    describe_answer(e, &out->got);
    if (s->times) {
        buf_puts(&out->got, ", ");
        describe_sighting(j, b, s, &out->got);
        if (out->rule < 0)
            out->rule = rule_behind(j, b, s);
    }
}

/* publishd asks who is there, or, where nobody can sign in, refuses; probes bring credentials, which nobody can judge
 * (503). Signing in itself is not verify's affair. */
static void judge_challenge(const struct judge *j, const struct probe *b, const struct exchange *e,
                            const struct decision *d, const struct sighting *s, struct judgement *out)
{
    size_t n;
    int why = e->status == 400 ? excuse(j, b, d) : -2; /* of a proxy in front */
    bool form = j->plan->listeners.v[b->listener].listener->forms != FORMS_NONE;
    bool asks = e->status == 401 && head_field(e->head.p, "WWW-Authenticate", 0, &n);
    bool absent =
        e->body.p && strstr(e->body.p, "No server is available to handle this request"); /* HAProxy's own 503 */
    if (s->times == 0 && (asks || e->status == 403 || (e->status == 503 && !absent) || (form && e->status == 302)))
        return;
    if (s->times == 0 && why > -2) {
        out->finding = why;
        out->verdict = why == -1 ? VERDICT_AGREED : VERDICT_DECLARED;
        return;
    }
    out->verdict = VERDICT_DISAGREED;
    buf_puts(&out->expected, "a sign-in, or 403 or 503 where none is possible, and nothing forwarded");
    describe_answer(e, &out->got);
    if (s->times) {
        buf_puts(&out->got, ", ");
        describe_sighting(j, b, s, &out->got);
    }
}

/* publishd has the source's own status (B-37), but for farms, whose checks may have seen that certificate too. */
static void judge_bad_certificate(const struct judge *j, const struct decision *d, const struct exchange *e,
                                  const struct sighting *s, struct judgement *out)
{
    bool exact = j->target == TARGET_PUBLISHD && j->plan->rules.v[d->rule].farm == NULL;
    if (s->times == 0 && (exact ? e->status == 500 : e->status >= 500 && e->status <= 504))
        return;
    out->verdict = VERDICT_DISAGREED;
    buf_printf(&out->expected, "%s, nothing forwarded: the published server's certificate is for another name (D-14)",
               exact ? "500" : "502 or 503");
    describe_answer(e, &out->got);
    buf_puts(&out->got, s->times ? ", forwarded all the same" : ", nothing forwarded");
}

static void judge_unforwarded(const struct judge *j, const struct probe *b, const struct decision *d,
                              const struct exchange *e, struct judgement *out)
{
    int why = e->status == 400 ? excuse(j, b, d) : -2;
    out->finding = why;
    out->verdict = why == -1 ? VERDICT_AGREED : why >= 0 ? VERDICT_DECLARED : VERDICT_DISAGREED;
    if (why == -1)
        return;
    const struct plan_server *s = &d->to->servers.v[0];
    buf_printf(&out->expected, "forwarded to %s:%u%s", s->host, s->port,
               d->to->servers.n > 1 ? " or another member of the farm" : "");
    describe_answer(e, &out->got);
    buf_puts(&out->got, ", nothing forwarded");
}

/* The certificate that the listener shows is part of every answer over TLS (B-40). */
static void judge_listener(const struct judge *j, const struct probe *b, const struct exchange *e,
                           struct judgement *out)
{
    const struct plan_socket *s = &j->plan->listeners.v[b->listener].sockets.v[b->socket];
    if (!s->tls || e->status == 0)
        return;
    const char *shown = e->certificate >= 0 && (size_t)e->certificate < j->places->certificates.n
                            ? j->places->certificates.v[e->certificate].name
                            : "no certificate of the listener";
    if (strcmp(shown, s->chain) != 0)
        differs(out, s->chain, shown, "certificate");
}

/* The hour of the week by the clock that the targets look at, `ago` seconds before now. */
static int hour_of_week(int ago)
{
    time_t t = time(NULL) - ago;
    struct tm at;
    return localtime_r(&t, &at) ? at.tm_wday * 24 + at.tm_hour : -1;
}

/* The body's length where a Content-Length says it; publishd counts what comes in chunks too. */
static long long announced(const struct judge *j, const struct probe *b, size_t number)
{
    struct strbuf body = { 0 };
    if (b->body != BODY_NONE && (b->body != BODY_CHUNKED || j->target == TARGET_PUBLISHD))
        body_text(&body, number, b->body);
    long long n = (long long)body.n;
    buf_free(&body);
    return n;
}

/* A body in chunks under a rule that limits bodies: what becomes of a long one differs (B-133). */
static bool chunks_differ(const struct judge *j, const struct probe *b, const struct decision *d)
{
    const struct http_filter *f = d->rule >= 0 ? j->plan->rules.v[d->rule].filter : NULL;
    return b->body == BODY_CHUNKED && f && f->parts & FILTER(BODY_LENGTH) && declared(j, F_FILTER_DIFFERS);
}

/* A body in chunks turned out to be too long under way: the published server may have seen its beginning. */
static bool cut_short(const struct probe *b, const struct decision *d, const struct exchange *e)
{
    return b->body == BODY_CHUNKED && d->answer == ANSWER_FILTERED && d->filtered == FILTER(BODY_LENGTH) &&
           e->status == 502;
}

static void judge_at(const struct judge *j, const struct probe *b, size_t number, const struct exchange *e,
                     const struct sighting *s, int hour, struct judgement *out)
{
    struct arena *a = arena_new();
    struct request r;
    struct decision d;
    probe_request(j->plan, b, &r);
    bool tls = r.tls;
    struct strbuf head = { 0 };
    client_head(&head, b, number, NULL);
    r.hour = hour;
    r.head = strchr(head.p, '\n') + 1;
    r.body = announced(j, b, number);
    r.client_port = e->client_port;
    r.certificate = !j->plan->client_trust ? 0 : b->shows == SHOWS_GOOD && tls ? 1 : -1;
    decide(j->plan, &r, false, a, &d);
    decide_for_target(j->plan, j->target, &r, &d);
    out->verdict = VERDICT_AGREED;
    out->rule = d.rule >= 0 ? d.rule : -1;
    out->finding = -1;
    buf_clear(&out->expected);
    buf_clear(&out->got);
    if (d.answer == ANSWER_NEEDS_USER)
        judge_challenge(j, b, e, &d, s, out);
    else if (d.answer != ANSWER_FORWARD && !cut_short(b, &d, e))
        judge_refused(j, b, &d, e, s, out);
    else if (d.answer != ANSWER_FORWARD)
        ; /* it was refused as it came to be known */
    else if (b->bad_certificate)
        judge_bad_certificate(j, &d, e, s, out);
    else if (s->times == 0)
        judge_unforwarded(j, b, &d, e, out);
    else
        judge_forwarded(j, b, number, &d, e, s, out);
    judge_listener(j, b, e, out);
    if (out->verdict == VERDICT_DISAGREED && chunks_differ(j, b, &d)) {
        out->verdict = VERDICT_DECLARED;
        out->finding = F_FILTER_DIFFERS;
    }
    if (out->verdict == VERDICT_DISAGREED && out->rule < 0)
        out->rule = b->aimed;
    buf_free(&head);
    arena_free(a);
}

/* Schedules are judged by the clock (B-23). A request just before the full hour may be judged behind it. */
void judge_exchange(const struct judge *j, const struct probe *b, size_t number, const struct exchange *e,
                    const struct sighting *s, struct judgement *out)
{
    enum { TAKES = 30 }; /* seconds that an exchange takes at most */
    int now = hour_of_week(0), before = hour_of_week(TAKES);
    void (*judge)(const struct judge *, const struct probe *, size_t, const struct exchange *, const struct sighting *,
                  int, struct judgement *) = b->stream ? judge_connection : judge_at;
    judge(j, b, number, e, s, now, out);
    if (out->verdict == VERDICT_DISAGREED && before != now)
        judge(j, b, number, e, s, before, out);
}
