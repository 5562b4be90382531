/* Judges one connection of server publishing: asks decide_connection() who has it, and whether what went through came out as it went
 * in. A relay is not to touch a byte: the request that arrived must be the one that was sent, and the answer the stand-in's. */
#include <string.h>
#include <unistd.h>

#include "internal.h"

const char *connection_command(const struct probe *b, struct arena *a)
{
    struct strbuf o = { 0 };
    buf_puts(&o, "curl -sv --max-time 5 --interface ");
    buf_ip(&o, b->client);
    if (b->port_low)
        buf_printf(&o, " --local-port %u-%u", b->port_low, b->port_high);
    buf_printf(&o, " telnet://%s:%u", *b->stream->address == '*' ? "127.0.0.1" : b->stream->address, b->stream_port);
    const char *text = arena_strdup(a, o.p);
    buf_free(&o);
    return text;
}

static void describe(const struct judge *j, const struct exchange *e, const struct sighting *s, struct strbuf *o)
{
    if (s->times) {
        const struct server_place *p = &j->places->servers.v[s->server];
        buf_printf(o, "relayed to %s:%u", p->host, p->port);
    } else if (e->status)
        buf_printf(o, "an answer of the target's own, %d", e->status);
    else
        buf_puts(o, e->error ? e->error : "no answer");
}

static void judge_refused(const struct judge *j, const struct passage_decision *d, const struct exchange *e,
                          const struct sighting *s, struct judgement *out)
{
    if (s->times == 0 && e->status == 0)
        return;
    out->verdict = VERDICT_DISAGREED;
    buf_printf(&out->expected, "refused (%s)", passage_names[d->passage]);
    describe(j, e, s, &out->got);
}

/* B-150: what the server learns of the client. */
static void judge_client_address(const struct judge *j, const struct probe *b, const struct passage_decision *d,
                                 const struct exchange *e, const struct sighting *s, struct judgement *out)
{
    enum client_address how = j->plan->server_rules.v[d->rule].client_address;
    uint32_t client = clients_image(&j->places->clients, b->client);
    bool own = how == CLIENT_ADDRESS_TRANSPARENT,
         known = !own || geteuid() == 0; /* else the substitution has taken it out */
    if (known && own != (s->from == client))
        differs(out, own ? "the client's" : "the target's", own ? "another" : "the client's",
                "address of the connection");
    struct strbuf want = { 0 };
    struct endpoint to;
    if (how == CLIENT_ADDRESS_PROXY_PROTOCOL && places_of_probe(j->places, b, &to)) {
        buf_puts(&want, "PROXY TCP4 ");
        buf_ip(&want, client);
        buf_putc(&want, ' ');
        buf_ip(&want, to.ip);
        buf_printf(&want, " %u %u", e->client_port, to.port);
    }
    if (!str_equal(want.p, s->proxied))
        differs(out, want.p ? want.p : "none", s->proxied ? s->proxied : "none", "PROXY line");
    buf_free(&want);
}

static void judge_bytes(const struct probe *b, size_t number, const struct exchange *e, const struct sighting *s,
                        struct judgement *out)
{
    struct strbuf sent = { 0 }, text = { 0 };
    client_head(&sent, b, number, NULL);
    body_text(&text, number, b->body);
    if (b->body != BODY_NONE)
        buf_printf(&sent, "Content-Length: %zu\r\n", text.n);
    buf_puts(&sent, "\r\n");
    if (strcmp(sent.p, s->head) != 0 || s->body_n != text.n || s->body_hash != hash_bytes(text.p ? text.p : "", text.n))
        differs(out, "as they were sent", "others", "bytes to the server");
    reply_text(&text, number, b);
    if (e->status != b->status || e->cut || e->body.n != text.n || memcmp(e->body.p, text.p, text.n) != 0)
        differs(out, "as it sent them", e->cut ? "cut short" : "others", "bytes of the server");
    buf_free(&sent);
    buf_free(&text);
}

static void judge_relayed(const struct judge *j, const struct probe *b, size_t number, const struct passage_decision *d,
                          const struct exchange *e, const struct sighting *s, struct judgement *out)
{
    const struct server_place *place = s->times ? &j->places->servers.v[s->server] : NULL;
    if (!place || ascii_casecmp(place->host, d->door->host) != 0 || place->port != d->port) {
        out->verdict = VERDICT_DISAGREED;
        buf_printf(&out->expected, "relayed to %s:%u", d->door->host, d->port);
        describe(j, e, s, &out->got);
        return;
    }
    judge_client_address(j, b, d, e, s, out);
    judge_bytes(b, number, e, s, out);
}

void judge_connection(const struct judge *j, const struct probe *b, size_t number, const struct exchange *e,
                      const struct sighting *s, int hour, struct judgement *out)
{
    struct arena *a = arena_new();
    struct connection c;
    struct passage_decision d;
    probe_connection(b, &c);
    c.hour = hour;
    c.client_port = e->client_port;
    decide_connection(j->plan, j->target, &c, a, &d);
    out->verdict = VERDICT_AGREED;
    out->rule = d.rule;
    out->finding = -1;
    buf_clear(&out->expected);
    buf_clear(&out->got);
    if (d.passage == PASSAGE_RELAYED)
        judge_relayed(j, b, number, &d, e, s, out);
    else
        judge_refused(j, &d, e, s, out);
    if (out->verdict == VERDICT_DISAGREED && out->rule < 0)
        out->rule = b->aimed;
    arena_free(a);
}
