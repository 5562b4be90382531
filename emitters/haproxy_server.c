/* haproxy_server: where a rule's backend forwards to - one server, or a farm's members with affinity and probes.
 *
 * The published site's three roles stay apart (B-35): connect to the member's address, verify its certificate
 * against the site's name, and send that name as SNI (D-14).
 */
#include "haproxy.h"
#include "../ir/probe.h"
#include <string.h>

/* ---- what may stand in a server line ------------------------------------------ */

/* HAProxy reads more than host names there (unix sockets, file descriptors, variables), so nothing else passes. */
static bool plain_host(const char *s)
{
    if (!s || !*s || *s == '-' || *s == '.')
        return false;
    for (; *s; s++)
        if (!((*s >= '0' && *s <= '9') || (ascii_lower(*s) >= 'a' && ascii_lower(*s) <= 'z') || strchr("-._", *s)))
            return false;
    return true;
}

bool haproxy_servers_safe(const struct plan_rule *r, const struct plan_upstream *to)
{
    for (size_t i = 0; i < to->servers.n; i++)
        if (!plain_host(to->servers.v[i].host))
            return false;
    return to->servers.n && plain_host(r->rule->site);
}

static bool is_address(const char *host)
{
    uint32_t ip;
    return ip_parse(host, &ip);
}

/* ---- affinity ------------------------------------------------------------------- */

/* FNV-1a over the lower-case name: stable while farms grow and shrink, and shows no internal name to a client. */
static unsigned long name_hash(const char *name)
{
    uint32_t x = 2166136261u;
    for (; name && *name; name++)
        x = (x ^ (unsigned char)ascii_lower(*name)) * 16777619u;
    return x;
}

/* Every request came over HTTPS, so that the cookie need not travel otherwise. */
static bool https_only(const struct haproxy *h, const struct plan_rule *r)
{
    return !haproxy_reach(h->plan, r).http || r->rule->require_ssl;
}

/* B-116. The cookie belongs to the farm: rules that share it keep a client on one member. */
static void write_affinity(struct haproxy *h, const struct plan_rule *r)
{
    if (r->rule->affinity_by_address) {
        write_line(&h->w, "balance source");
        write_line(&h->w, "hash-type consistent");
        return;
    }
    write_line(&h->w, "balance roundrobin");
    write_line(&h->w, "cookie WPLB%08lx insert indirect nocache httponly%s", name_hash(r->farm->name),
               https_only(h, r) ? " secure" : "");
}

/* ---- probes ---------------------------------------------------------------------- */

/* Whether HAProxy can call it by its own name: one that it takes, and that no other has. */
static bool has_own_name(const struct plan_upstream *to, size_t i)
{
    enum { FEW = 64 }; /* beyond that, comparing each with all before would cost too much */
    const char *name = to->servers.v[i].member;
    bool own = plain_host(name) && to->servers.n <= FEW;
    for (size_t k = 0; own && k < i; k++)
        own = ascii_casecmp(to->servers.v[k].member, name) != 0;
    return own;
}

/* The member's own name, so that HAProxy's logs and statistics are readable; numbered where that might be given twice. */
static const char *server_name(struct haproxy *h, const struct plan_upstream *to, size_t i)
{
    const char *name = to->servers.v[i].member;
    return has_own_name(to, i) ? name : identifier(h->a, "server", i + 1, name);
}

/* The probe's Host header: what the farm says, with the member's name for the star. Where HAProxy does not know each member by its
 * name it is the site's. */
static const char *asked_host(struct haproxy *h, const struct plan_rule *r, const struct plan_upstream *to,
                              const struct probe_url *url)
{
    const char *host = probe_host(h->a, r->farm, url, "*"), *star = strchr(host, '*');
    bool named = true;
    for (size_t i = 0; star && named && i < to->servers.n; i++)
        named = has_own_name(to, i);
    if (!star || !named)
        return quoted(&h->w, h->a, Q_HAPROXY_FORMAT, star ? r->rule->site : host);
    return arena_printf(h->a, "%.*s%%[srv_name]%s", (int)(star - host), host, star + 1);
}

/* B-118, B-119: a GET, where 1xx to 3xx and 401 are good answers. */
static void write_http_probe(struct haproxy *h, const struct plan_rule *r, const struct plan_upstream *to)
{
    struct writer *w = &h->w;
    struct probe_url url = probe_url_parse(h->a, r->farm->probe_url);
    write_line(w, "option httpchk");
    write_line(w, "http-check send meth GET uri %s ver HTTP/1.1 hdr Host %s", haproxy_word(h, url.path),
               asked_host(h, r, to, &url));
    write_line(w, "http-check expect rstatus '^(?:[123]..|401)$'");
}

/* What a server line says about its probe; a port that is the rule's own follows the site map's. */
static const char *check_words(struct haproxy *h, const struct farm *f, const struct plan_upstream *to,
                               const struct plan_server *s)
{
    struct probe_url u = probe_url_parse(h->a, f->probe_url);
    bool tls = f->probe == PROBE_HTTP && u.tls;
    return arena_printf(h->a, " check inter 30s rise 1 fall 1 port %u%s", probe_port(f, &u, to->port, s->port),
                        tls ? " check-ssl" : " no-check-ssl");
}

static void write_probe(struct haproxy *h, const struct plan_rule *r, const struct plan_upstream *to)
{
    const struct farm *f = r->farm;
    long threshold = f->probe_threshold > 0 && f->probe_threshold < 3600000 ? f->probe_threshold : 5000;
    if (f->probe == PROBE_HTTP)
        write_http_probe(h, r, to);
    else
        write_line(&h->w, "option tcp-check");
    write_line(&h->w, "timeout check %ldms", threshold);
    write_line(&h->w, "option redispatch");
}

/* ---- servers --------------------------------------------------------------------- */

static void write_tls(struct haproxy *h, const struct plan_rule *r)
{
    const char *site = r->rule->site;
    write_raw(&h->w, " ssl verify required ca-file %s verifyhost %s",
              haproxy_word(h, h->plan->trust ? h->plan->trust : MISSING_DIR "/trust.pem"), site);
    if (!is_address(site))
        write_raw(&h->w, " sni str(%s)", site);
    if (r->shows) /* B-51 */
        write_raw(&h->w, " crt %s",
                  haproxy_word(h, haproxy_pem(h, r->shows->chain, r->shows->key, r->shows->thumbprint)));
}

static void write_server(struct haproxy *h, const struct plan_rule *r, const struct plan_upstream *to, size_t i)
{
    struct writer *w = &h->w;
    const struct plan_server *s = &to->servers.v[i];
    write_indent(w);
    write_raw(w, "server %s %s:%u", server_name(h, to, i), s->host, (unsigned)s->port);
    if (to->tls)
        write_tls(h, r);
    if (r->farm && !r->rule->affinity_by_address)
        write_raw(w, " cookie m%08lx", name_hash(s->member));
    if (r->farm)
        write_raw(w, "%s", check_words(h, r->farm, to, s));
    if (s->drained)
        write_raw(w, " weight 0");
    /* a name that nobody knows at the start must not keep the other rules from being served */
    if (!is_address(s->host))
        write_raw(w, " init-addr last,libc,none");
    write_raw(w, "\n");
}

void haproxy_patience(struct haproxy *h, const struct plan_rule *r)
{
    long patience = rule_read_timeout(r);
    if (patience != SOURCE_TIMEOUT) /* the `defaults` section's own */
        write_line(&h->w, "timeout server %s", haproxy_seconds(h, patience));
    if (rule_waits(r))
        write_line(&h->w, "option http-no-delay    # bodies that talk, in both directions (B-74)");
    if (r->websocket)
        write_line(&h->w, "timeout tunnel %s", haproxy_seconds(h, 3600));
}

void haproxy_servers(struct haproxy *h, const struct plan_rule *r, const struct plan_upstream *to)
{
    haproxy_patience(h, r);
    if (r->transparent)
        write_line(&h->w, "source 0.0.0.0 usesrc clientip    # B-59: the host needs routes for it");
    if (r->farm) {
        write_affinity(h, r);
        write_probe(h, r, to);
    }
    for (size_t i = 0; i < to->servers.n; i++)
        write_server(h, r, to, i);
}
