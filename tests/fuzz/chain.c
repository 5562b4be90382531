/* chain: answers of any coding and in letters of any width through link translation and the HTTP filter, in one piece and in two: what comes out is
 * the same, what waits is bounded, and a page without texts of the dictionary comes out as it went in. */
#define _GNU_SOURCE /* memmem */
#include "rewrite/chain.h"

#include <stdlib.h>
#include <string.h>
#include "http/http1.h"

static struct policy *policy;
static struct rewriting *rewriting;

static struct rule *add_rule(const char *name, const char *xml, long mode)
{
    struct rule *r = vec_push(policy->arena, &policy->rules);
    *r = (struct rule){ .name = name,
                        .enabled = true,
                        .listener = "L",
                        .sources = { .any = true },
                        .all_users = true,
                        .site = "srv",
                        .http_port = 80,
                        .ssl_port = 8443,
                        .translate_links = true,
                        .link_options = mode & 3,
                        .link_mode = mode,
                        .http_filter = xml,
                        .delegation = DELEGATE_NONE_BLOCK };
    normalise_public_name(policy->arena, "www.example", vec_push(policy->arena, &r->names));
    vec_push(policy->arena, &r->paths)->external = "";
    *vec_push(policy->arena, &r->paths) = (struct path){ PATH_PREFIX, "/pub", "/int", 0 };
    vec_add(policy->arena, &r->links, ((struct link_mapping){ "aaaa", "b" }));
    vec_add(policy->arena, &r->links, ((struct link_mapping){ "aaab<", "" }));
    vec_add(policy->arena, &r->link_patterns, "x*y");
    return r;
}

static void make(void)
{
    static const char xml[] =
        "<Configuration BlockExecutables='1'><DeniedSignatures><Signature SearchIn='Response body' "
        "Pattern='evil' From='2' To='70'/></DeniedSignatures></Configuration>";
    struct strbuf err = { 0 };
    struct findings f;
    policy = policy_new();
    *vec_push(policy->arena, &policy->listeners) = (struct listener){ .name = "L", .http = 80, .https = 443 };
    for (long mode = 0; mode < 4; mode++)
        add_rule("plain", mode & 1 ? xml : NULL, mode);
    findings_init(&f, policy->arena);
    policy_finish(policy);
    rewriting = rewriting_make(plan_make(policy, site_read(NULL, &err), &f));
}

/* The result, and in out what came out up to it. */
static enum chain_result run(uint32_t rule, unsigned coding, unsigned letters, const char *p, size_t n, size_t cut,
                             struct strbuf *out)
{
    static const char *const codings[] = { "identity", "gzip", "deflate", "gzip" };
    static struct head answer;
    static const char *const charsets[] = { "", "; charset=utf-16", "; charset=utf-16be", "; charset=utf-8" };
    struct strbuf text = { 0 }, some = { 0 };
    const char *why;
    struct chain_about about = { .rule = rule, .tls = true, .method = "GET", .host = "www.example" };
    buf_printf(&text,
               "HTTP/1.1 200 OK\r\nContent-Type: text/html%s\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n",
               charsets[letters], codings[coding], n);
    head_reset(&answer);
    if (http1_answer(&answer, "GET", text.p, text.n, &why))
        abort();
    struct body_chain *c = chain_answer(rewriting, &about, &answer, NULL);
    enum chain_result r = CHAIN_MORE;
    for (size_t at = 0, used; at < n && (r == CHAIN_MORE || r == CHAIN_FULL); at += used) {
        r = chain_push(c, p + at, (at < cut ? cut : n) - at, &used, &some);
        if (some.n > 4u * CHAIN_OUT)
            abort();
        buf_add(out, some.p ? some.p : "", some.n);
        buf_clear(&some);
    }
    while (r == CHAIN_MORE || r == CHAIN_FULL) {
        r = chain_end(c, &some);
        buf_add(out, some.p ? some.p : "", some.n);
        buf_clear(&some);
        if (r == CHAIN_MORE)
            break;
    }
    chain_free(c);
    buf_free(&text);
    buf_free(&some);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct strbuf whole = { 0 }, cut = { 0 };
    if (!policy)
        make();
    if (n < 3)
        return 0;
    const char *p = (const char *)data + 3;
    size_t len = n - 3, at = len ? ((size_t)data[1] << 8 | data[2]) % len : 0;
    unsigned rule = data[0] & 3, coding = data[0] >> 2 & 3, letters = data[0] >> 4 & 3;
    enum chain_result x = run(rule, coding, letters, p, len, len, &whole);
    enum chain_result y = run(rule, coding, letters, p, len, at, &cut);
    bool same = x == y && whole.n == cut.n && (!whole.n || !memcmp(whole.p, cut.p, whole.n));
    if (x != y || (x == CHAIN_MORE && !same))
        abort();
    bool could_grow = memchr(p, ':', len) || memchr(p, '%', len); /* only then does any text of the dictionary */
    if (x == CHAIN_MORE && !coding && !could_grow && whole.n > len)
        abort();
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
