/* chain: a body's way - decode, look, translate, encode; see the header. */
#include "chain.h"

#include "../http/http1.h"
#include "../ir/compression.h"
#include "body_filter.h"
#include "coding.h"
#include "page_links.h"

#include <stdlib.h>

enum { BLOCK = 16 << 10, SMALL = 4 << 10 };

struct rule_work {
    const struct body_needles *request, *answer;
};
struct rewriting {
    struct arena *arena;
    const struct plan *plan;
    struct link_sets *links;
    struct rule_work *rules; /* by rule */
};

struct body_chain {
    struct decoder *decoder;
    struct encoder *encoder;
    struct page_links links;
    bool translates, scans;
    bool recodes; /* what was decoded goes on; else the body as it came, and the decoder is for looking into it */
    bool pending; /* the decoder holds more than it gave */
    bool decided; /* nothing is held back for the HTTP filter any more */
    struct body_scan scan;
    struct strbuf held, mid;
    const char *why;
    char block[BLOCK];
};

/* ---- for all rules ----------------------------------------------------------------------------------- */
struct rewriting *rewriting_make(const struct plan *p)
{
    struct arena *a = arena_new();
    struct rewriting *w = arena_alloc(a, sizeof *w);
    *w = (struct rewriting){ a, p, link_sets_make(p), arena_alloc(a, (p->rules.n + 1) * sizeof *w->rules) };
    for (size_t i = 0; i < p->rules.n; i++) {
        w->rules[i].request = body_needles_make(a, p->rules.v[i].filter, BODY_OF_REQUEST);
        w->rules[i].answer = body_needles_make(a, p->rules.v[i].filter, BODY_OF_ANSWER);
    }
    return w;
}

void rewriting_free(struct rewriting *w)
{
    if (!w)
        return;
    link_sets_free(w->links);
    arena_free(w->arena);
}

/* ---- what an answer's head becomes ---------------------------------------------------------------------- */
/* Fields that say something about the bytes as the server sent them. */
static const char *const of_bytes[] = { "Accept-Ranges", "Content-MD5", "Digest", "Content-Digest", "Repr-Digest" };

static void weaken_etag(struct head *h)
{
    const char *tag = head_value(h, FIELD_ETAG);
    if (!tag || !ascii_ncasecmp(tag, "W/", 2))
        return;
    struct strbuf b = { 0 };
    buf_printf(&b, "W/%s", tag);
    head_set(h, FIELD_ETAG, "ETag", head_copy(h, b.p, b.n));
    buf_free(&b);
}

static void vary(struct head *h)
{
    if (!head_has_token(h, FIELD_VARY, "Accept-Encoding"))
        head_add(h, "Vary", "Accept-Encoding");
}

static void change_head(struct head *h, enum coding now)
{
    for (uint32_t i = 0; i < h->n; i++)
        for (size_t k = 0; k < sizeof of_bytes / sizeof *of_bytes; k++)
            if (h->fields[i].name_n == strlen(of_bytes[k]) &&
                !ascii_ncasecmp(h->fields[i].name, of_bytes[k], h->fields[i].name_n)) {
                head_remove_at(h, i);
                break;
            }
    head_remove(h, FIELD_CONTENT_LENGTH);
    if (h->framing == BODY_LENGTH || h->framing == BODY_UNTIL_CLOSE)
        h->framing = BODY_CHUNKED;
    h->length = 0;
    weaken_etag(h);
    if (now == CODING_GZIP) {
        head_set(h, FIELD_CONTENT_ENCODING, "Content-Encoding", "gzip");
        vary(h);
    } else {
        head_remove(h, FIELD_CONTENT_ENCODING);
    }
}

/* ---- making one ---------------------------------------------------------------------------------------------- */
static struct body_chain *new_chain(const struct body_needles *needles)
{
    struct body_chain *c = malloc(sizeof *c);
    if (!c)
        mem_fatal();
    memset(c, 0, offsetof(struct body_chain, block));
    c->scans = needles != NULL;
    c->scan.needles = needles;
    c->decided = !needles;
    return c;
}

static bool has_body(const struct chain_about *about, const struct head *answer)
{
    return answer->framing != BODY_NONE && strcmp(about->method, "HEAD") != 0;
}

/* Whether who takes gzip gets this answer compressed, if the server has not done so (B-65). */
static bool compressible(const struct rewriting *w, const struct chain_about *about, const struct head *answer)
{
    return about->compresses && answer->status != 206 && has_body(about, answer) &&
           !head_has_token(answer, FIELD_CACHE_CONTROL, "no-transform") &&
           (answer->framing != BODY_LENGTH || answer->length >= COMPRESSION_LEAST) &&
           content_types_hold(&w->plan->types, head_value(answer, FIELD_CONTENT_TYPE), about->target);
}

/* What an answer's coding was, whether it is decoded and whether it is encoded anew. */
struct recoding {
    enum coding was;
    bool decodes, encodes;
};

/* A server that the rule asks for gzip is asked whatever the client takes; who takes none, or is to get none, gets it unpacked. */
static struct recoding recoding_of(const struct rewriting *w, const struct chain_about *about, struct head *answer,
                                   bool links)
{
    const struct plan_rule *r = &w->plan->rules.v[about->rule];
    struct recoding c = { .was = coding_of(head_value(answer, FIELD_CONTENT_ENCODING)) };
    bool takes = coding_accepts_gzip(about->accept_encoding), plain = c.was == CODING_IDENTITY;
    bool asked = r->asks_gzip && !r->rule->accept_encoding && c.was == CODING_GZIP;
    bool hidden = asked && !(takes && about->compresses) && answer->status != 206;
    bool may = plain && compressible(w, about, answer);
    if (may)
        vary(answer);
    c.decodes = !plain && (links || hidden);
    c.encodes = takes && (may || (links && !plain && !hidden));
    return c;
}

struct body_chain *chain_answer(const struct rewriting *w, const struct chain_about *about, struct head *answer,
                                const char **skipped)
{
    const char *ignored = NULL;
    const struct plan_rule *r = &w->plan->rules.v[about->rule];
    const struct body_needles *needles = w->rules[about->rule].answer;
    bool links =
        link_sets_any(w->links, about->rule, about->tls) && link_content_type(head_value(answer, FIELD_CONTENT_TYPE));
    skipped = skipped ? skipped : &ignored;
    *skipped = NULL;
    if ((!links && !needles && !about->compresses && !r->asks_gzip) || answer->status < 200 || answer->status == 204 ||
        answer->status == 304)
        return NULL;
    bool unknown = coding_of(head_value(answer, FIELD_CONTENT_ENCODING)) == CODING_UNKNOWN;
    if (unknown && (links || needles))
        *skipped = "the body has a content coding that is not read";
    else if (links && page_is_utf32(head_value(answer, FIELD_CONTENT_TYPE)))
        *skipped = "links in a page of UTF-32 are not translated";
    else if (links && answer->status == 206)
        *skipped = "links in a part of a page are not translated";
    links = links && !*skipped;
    needles = unknown ? NULL : needles;
    struct recoding coding = recoding_of(w, about, answer, links);
    bool changes = links || coding.decodes || coding.encodes;
    if (changes)
        change_head(answer, coding.encodes ? CODING_GZIP : CODING_IDENTITY);
    if ((!changes && !needles) || !has_body(about, answer))
        return NULL;
    struct body_chain *c = new_chain(needles);
    c->translates = links;
    c->recodes = coding.decodes;
    if (links)
        page_links_begin(&c->links, w->links, about->rule, about->tls, about->host,
                         head_value(answer, FIELD_CONTENT_TYPE));
    bool reads = coding.decodes || (needles && coding.was != CODING_IDENTITY);
    if (reads && !(c->decoder = decoder_new(coding.was)))
        c->why = "no memory";
    if (coding.encodes && !(c->encoder = encoder_new(CODING_GZIP)))
        c->why = "no memory";
    return c;
}

struct body_chain *chain_request(const struct rewriting *w, const struct chain_about *about)
{
    const struct body_needles *needles = w->rules[about->rule].request;
    bool none = about->request->framing == BODY_NONE;
    /* As in the source, which does not look into what is compressed. */
    bool coded = coding_of(head_value(about->request, FIELD_CONTENT_ENCODING)) != CODING_IDENTITY;
    return !needles || none || coded ? NULL : new_chain(needles);
}

void chain_free(struct body_chain *c)
{
    if (!c)
        return;
    decoder_free(c->decoder);
    encoder_free(c->encoder);
    page_links_free(&c->links);
    body_scan_free(&c->scan);
    buf_free(&c->held);
    buf_free(&c->mid);
    free(c);
}

const char *chain_why(const struct body_chain *c)
{
    return c->why;
}

/* ---- one block on its way -------------------------------------------------------------------------------------- */
static enum chain_result inspect(struct body_chain *c, const char *p, size_t n, bool end)
{
    if (!c->scans)
        return CHAIN_MORE;
    enum body_verdict v = body_scan_push(&c->scan, p, n, end);
    if (v == BODY_UNDECIDED)
        return CHAIN_MORE;
    c->scans = false;
    c->decided = true;
    if (v == BODY_PASSES)
        return CHAIN_MORE;
    c->why = v == BODY_EXECUTABLE ? "the HTTP filter blocks programs" : "the HTTP filter found a signature in the body";
    return CHAIN_REFUSED;
}

/* Encoded or not, to where it waits, or out. */
static enum chain_result give(struct body_chain *c, const char *p, size_t n, struct strbuf *out)
{
    struct strbuf *to = c->decided ? out : &c->held;
    if (c->decided && c->held.n) {
        buf_add(out, c->held.p, c->held.n);
        buf_clear(&c->held);
    }
    if (!c->encoder) {
        buf_add(to, p, n);
    } else if (!encoder_push(c->encoder, p, n, false, to)) {
        c->why = "no memory";
        return CHAIN_BROKEN;
    }
    if (c->held.n >= CHAIN_OUT) /* a range that goes further is still looked at, but what it finds comes late */
        c->decided = true;
    return CHAIN_MORE;
}

static enum chain_result translate(struct body_chain *c, const char *p, size_t n, bool end, struct strbuf *out)
{
    if (!c->translates)
        return give(c, p, n, out);
    buf_clear(&c->mid);
    page_links_push(&c->links, p, n, end, &c->mid);
    return give(c, c->mid.p ? c->mid.p : "", c->mid.n, out);
}

/* A body that is only looked into goes on as it came, coded. */
static enum chain_result decode(struct body_chain *c, const char *p, size_t n, size_t *used, struct strbuf *out)
{
    size_t made;
    enum coding_result r = decoder_push(c->decoder, p, n, used, c->block, BLOCK, &made);
    c->pending = r == CODING_FULL;
    enum chain_result result = inspect(c, c->block, made, false);
    if (r == CODING_BAD && result == CHAIN_MORE) {
        c->why = "the server's content coding is damaged or absurd";
        return CHAIN_BROKEN;
    }
    if (result == CHAIN_MORE)
        result = c->recodes ? translate(c, c->block, made, false, out) : give(c, p, *used, out);
    return result;
}

static enum chain_result plain(struct body_chain *c, const char *p, size_t n, size_t *used, struct strbuf *out)
{
    *used = n < BLOCK ? n : BLOCK;
    enum chain_result result = inspect(c, p, *used, false);
    return result == CHAIN_MORE ? translate(c, p, *used, false, out) : result;
}

/* ---- the stream ---------------------------------------------------------------------------------------------------- */
enum chain_result chain_push(struct body_chain *c, const char *p, size_t n, size_t *used, struct strbuf *out)
{
    bool small = n < SMALL;
    *used = 0;
    if (c->why)
        return CHAIN_BROKEN;
    while (*used < n || c->pending) {
        size_t took = 0;
        if (out->n >= CHAIN_OUT)
            return CHAIN_FULL;
        enum chain_result r =
            c->decoder ? decode(c, p + *used, n - *used, &took, out) : plain(c, p + *used, n - *used, &took, out);
        *used += took;
        if (r != CHAIN_MORE)
            return r;
    }
    /* A server that trickles wants to be heard at once. */
    if (small && c->encoder && c->decided && !encoder_push(c->encoder, "", 0, true, out)) {
        c->why = "no memory";
        return CHAIN_BROKEN;
    }
    return CHAIN_MORE;
}

enum chain_result chain_end(struct body_chain *c, struct strbuf *out)
{
    size_t used;
    enum chain_result r = c->pending ? chain_push(c, "", 0, &used, out) : CHAIN_MORE;
    if (r != CHAIN_MORE)
        return r;
    if (c->why)
        return CHAIN_BROKEN;
    if (c->decoder && !decoder_complete(c->decoder)) {
        c->why = "the server's coded body is cut short";
        return CHAIN_BROKEN;
    }
    r = inspect(c, "", 0, true);
    if (r == CHAIN_MORE)
        r = translate(c, "", 0, true, out);
    if (r == CHAIN_MORE && c->encoder && !encoder_end(c->encoder, out)) {
        c->why = "no memory";
        return CHAIN_BROKEN;
    }
    return r;
}

/* ---- headers --------------------------------------------------------------------------------------------------------- */
bool chain_text(const struct rewriting *w, const struct chain_about *about, const char *text, struct strbuf *out)
{
    struct link_stream s;
    size_t begin = out->n;
    if (!link_sets_any(w->links, about->rule, about->tls))
        return false;
    link_stream_begin(&s, w->links, about->rule, about->tls, about->host);
    s.on = true;
    link_stream_push(&s, text, strlen(text), true, out);
    link_stream_free(&s);
    if (out->n - begin != strlen(text) || memcmp(out->p + begin, text, out->n - begin))
        return true;
    out->n = begin;
    out->p[begin] = '\0';
    return false;
}
