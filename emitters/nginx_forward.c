/* nginx_forward: how a request goes on, to the rule's server or to publishd: where to, with which headers, how long. */
#include "nginx_block.h"

#include <string.h>

/* "https://exch01_443", or a variable that holds it where it depends on the client's scheme (B-49). */
static const char *server_url(struct block *b)
{
    const char *url[2] = { NULL, NULL };
    for (int s = 0; s < 2; s++)
        if (s ? b->at->tls : b->at->http)
            url[s] = arena_printf(b->scratch, "http%s://%s", b->r->to[s].tls ? "s" : "",
                                  shared_upstream(b->m, b->r, &b->r->to[s]));
    if (!url[0] || !url[1] || !strcmp(url[0], url[1]))
        return url[0] ? url[0] : url[1];
    return arena_printf(b->scratch, "$%s", shared_scheme(b->m, b->r->rule->name, url[0], url[1]));
}

static void write_header(struct block *b, const char *name, const char *value)
{
    write_line(b->w, "proxy_set_header %s %s;", name, value);
}

static void write_connection(struct block *b)
{
    write_header(b, "Connection", b->r->websocket ? "$connection_upgrade" : "\"\"");
    if (b->r->websocket) {
        write_header(b, "Upgrade", "$http_upgrade");
        b->m->uses_upgrade = true;
    }
}

/* B-64, B-65. The server is asked for a compressed answer whatever the client takes, as the source did, and nginx unpacks it for who
 * does not; but not where nginx must read it, or for clients for whom nothing is compressed. */
static void write_compression(struct block *b, bool translates)
{
    const struct plan_rule *r = b->r;
    bool passes = r->rule->accept_encoding && !translates;
    bool compresses = r->compresses && b->m->types.n;
    const char *clients = compresses ? shared_compressed(b->m, r) : NULL;
    bool asks = r->asks_gzip && compresses && !r->rule->accept_encoding && !translates;
    if (asks)
        write_header(b, "Accept-Encoding", arena_printf(b->scratch, "$%s", shared_asks(b->m, clients)));
    else if (!passes)
        write_header(b, "Accept-Encoding", "\"\"");
    if (asks)
        write_line(b->w, "gunzip on;");
    if (compresses)
        write_line(b->w, "gzip on;    # B-65");
    else if (r->rule->accept_encoding && translates) /* what the server no longer compresses */
        write_line(b->w, "gzip on; gzip_proxied any; gzip_vary on;");
    if (clients)
        write_line(b->w, "if ($%s = 0) { gzip off; }", clients);
}

/* What the client sent passes; only these differ (D-10 to D-12, D-17). */
static void write_headers(struct block *b, bool translates)
{
    const struct plan_rule *r = b->r;
    const struct rule *rule = r->rule;
    bool passes = rule->delegation == DELEGATE_NONE_PASS || rule->delegation == DELEGATE_BASIC;
    write_header(b, "Host",
                 rule->forward_host || !rule->site ? "$http_host" : quoted(b->w, b->scratch, Q_NGINX, rule->site));
    write_connection(b);
    if (!passes)
        write_header(b, "Authorization", "\"\"");
    if (b->m->plan->site->preauth == PREAUTH_PUBLISHD)
        write_header(b, PREAUTH_CLIENT, "\"\"");
    write_compression(b, translates);
    if (rule->front_end_https)
        write_header(b, "Front-End-Https", "On");
    if (r->x_forwarded_for)
        write_header(b, "X-Forwarded-For", "$remote_addr");
    if (r->via && strlen(r->via) < NGINX_VALUE_MAX / 8) {
        write_header(b, "Via", block_value(b, "${via_before}", r->via, ""));
        b->m->uses_via = true;
    }
}

static void write_patience(struct block *b)
{
    static const char *const timeouts[] = { "proxy_read_timeout", "proxy_send_timeout", "client_body_timeout",
                                            "send_timeout" };
    long seconds = rule_read_timeout(b->r);
    for (size_t i = 0; seconds != SOURCE_TIMEOUT && i < sizeof timeouts / sizeof *timeouts; i++)
        write_line(b->w, "%s %lds;", timeouts[i], seconds);
}

void block_forwarding(struct block *b)
{
    const struct plan_rule *r = b->r;
    const char *url = server_url(b);
    bool rewrites = rule_rewrites(r->rule), tls = (b->at->http && r->to[0].tls) || (b->at->tls && r->to[1].tls);
    nginx_filter(b->m, r);
    write_line(b->w, "proxy_pass %s%s;", url, rewrites ? "$to" : b->at->simple && url[0] != '$' ? "" : "$request_uri");
    if (tls && r->rule->site)
        write_line(b->w, "proxy_ssl_name %s;", quoted(b->w, b->scratch, Q_NGINX, r->rule->site));
    if (tls && r->shows) {
        write_line(b->w, "proxy_ssl_certificate %s;    # B-51", block_pattern(b, r->shows->chain));
        write_line(b->w, "proxy_ssl_certificate_key %s;", block_pattern(b, r->shows->key));
    }
    if (r->transparent)
        write_line(b->w, "proxy_bind $remote_addr transparent;    # B-59: the host needs routes for it");
    write_headers(b, nginx_links(b->m, b->at, r));
    nginx_answer_filter(b->m, r);
    if (rule_blocks_sign_in(r)) {
        write_line(b->w, "proxy_intercept_errors on;");
        write_line(b->w, "error_page 401 =403 @blocked;");
    }
    block_returns(b);
    write_patience(b);
}

/* The request goes on as it came: publishd applies the rule, and learns the client's address by a header of which nginx lets no
 * client's own pass. A server that signs clients in by connection must not see two of them on one, behind publishd either. */
void block_through_publishd(struct block *b)
{
    const struct plan_rule *r = b->r;
    bool kept = r->rule->delegation != DELEGATE_NONE_PASS;
    const char *url[2] = { NULL, NULL };
    for (int s = 0; s < 2; s++)
        if (s ? b->at->tls : b->at->http)
            url[s] = arena_printf(b->scratch, "http://%s", shared_publishd(b->m, b->at->listener, s, kept));
    write_line(b->w, "# its users sign in to publishd");
    if (url[0] && url[1])
        write_line(b->w, "proxy_pass $%s$request_uri;", shared_scheme(b->m, "publishd", url[0], url[1]));
    else
        write_line(b->w, "proxy_pass %s$request_uri;", url[0] ? url[0] : url[1]);
    write_header(b, "Host", "$http_host");
    write_header(b, PREAUTH_CLIENT, "$remote_addr");
    write_connection(b);
    write_line(b->w, "proxy_redirect off;");
    write_line(b->w, "add_header Content-Location $upstream_http_content_location always;");
    write_patience(b);
}
