/* report_html_settings: what the source says about a rule or a listener, setting by setting, with its name and line in
 * the export. What the export does not state is at its default and left out; where nothing has a line (a policy that
 * was written by hand) all are shown. */
#include "report_html.h"
#include "../settings/settings.h"
#include <string.h>

enum { LONGEST = 60 }; /* items of one list: the rest is counted */

/* ---- values -------------------------------------------------------------------------- */

static void put_list(struct strbuf *b, const strings *s)
{
    for (size_t i = 0; i < s->n && i < LONGEST; i++) {
        buf_puts(b, b->n ? ", " : "");
        buf_puts(b, s->v[i]);
    }
    if (s->n > LONGEST)
        buf_printf(b, " and %zu more", s->n - LONGEST);
}

static void put_addresses(struct strbuf *b, const ipset *s)
{
    for (size_t i = 0; i < s->n && i < LONGEST; i++) {
        buf_puts(b, b->n ? ", " : "");
        buf_ip_range(b, s->v[i]);
    }
    if (s->n > LONGEST)
        buf_printf(b, " and %zu more", s->n - LONGEST);
}

static void put_yes(struct strbuf *b, bool yes)
{
    if (yes)
        buf_puts(b, "yes");
}

static void put_string(struct strbuf *b, const char *s)
{
    if (s)
        buf_puts(b, s);
}

static void names(struct strbuf *b, const struct rule *r)
{
    if (r->all_names)
        buf_puts(b, "every name");
    for (size_t i = 0; !r->all_names && i < r->names.n && i < LONGEST; i++)
        buf_printf(b, "%s%s", i ? ", " : "", r->names.v[i].display ? r->names.v[i].display : r->names.v[i].name);
    if (!r->all_names && r->names.n > LONGEST)
        buf_printf(b, " and %zu more", r->names.n - LONGEST);
}

static void paths(struct strbuf *b, const struct rule *r)
{
    for (size_t i = 0; i < r->paths.n && i < LONGEST; i++) {
        const struct path *p = &r->paths.v[i];
        buf_puts(b, i ? ", " : "");
        buf_path_pattern(b, p->kind, p->external);
        if (p->internal) {
            buf_puts(b, " to ");
            buf_path_pattern(b, p->kind, p->internal);
        }
    }
    if (r->paths.n > LONGEST)
        buf_printf(b, " and %zu more", r->paths.n - LONGEST);
}

static void sources(struct strbuf *b, const struct rule *r)
{
    const struct sources *s = &r->sources;
    struct strbuf part = { 0 };
    put_list(&part, &s->networks);
    put_addresses(&part, &s->addresses);
    buf_puts(b, s->any ? "anywhere" : part.n ? part.p : s->unknown ? "" : "nobody");
    buf_clear(&part);
    put_list(&part, &s->except_networks);
    put_addresses(&part, &s->except_addresses);
    if (part.n)
        buf_printf(b, " except %s", part.p);
    if (s->unknown)
        buf_puts(b, b->n ? ", and something that is not in the export" : "something that is not in the export");
    buf_free(&part);
}

static void users(struct strbuf *b, const struct rule *r)
{
    if (r->all_users)
        buf_puts(b, "everybody");
    else
        put_list(b, &r->users);
}

static void action(struct strbuf *b, const struct rule *r)
{
    buf_puts(b, r->action == ACTION_ALLOW ? "allow" : "deny");
    buf_puts(b, r->enabled ? "" : ", disabled");
}

static void bridging(struct strbuf *b, const struct rule *r)
{
    static const char *const how[] = { "HTTP", "HTTPS", "as the request came", "FTP" };
    buf_puts(b, how[r->bridging]);
    if (r->bridging == BRIDGE_HTTP || r->bridging == BRIDGE_BOTH)
        buf_printf(b, ", port %ld", r->http_port);
    if (r->bridging == BRIDGE_SSL || r->bridging == BRIDGE_BOTH)
        buf_printf(b, ", %sport %ld", r->bridging == BRIDGE_BOTH ? "HTTPS " : "", r->ssl_port);
    if (r->bridging == BRIDGE_FTP)
        buf_printf(b, ", port %ld", r->ftp_port);
}

static void delegation(struct strbuf *b, const struct rule *r)
{
    static const char *const how[] = { "none, the client may sign in itself",
                                       "none, the client may not sign in itself",
                                       "SecurID",
                                       "Basic",
                                       "NTLM",
                                       "Negotiate",
                                       "Kerberos constrained delegation" };
    buf_puts(b, how[r->delegation]);
}

static void parameters(struct strbuf *b, const struct rule *r)
{
    for (size_t i = 0; i < r->parameters.n && i < LONGEST; i++)
        buf_printf(b, "%s%s = %s", i ? ", " : "", r->parameters.v[i].name,
                   r->parameters.v[i].value ? r->parameters.v[i].value : "");
    if (r->parameters.n > LONGEST)
        buf_printf(b, " and %zu more", r->parameters.n - LONGEST);
}

static void require_ssl(struct strbuf *b, const struct rule *r)
{
    if (r->require_ssl)
        buf_puts(b, r->require_ssl > 1 ? "yes, with 128 bits" : "yes");
}

static void certificate(struct strbuf *b, const struct rule *r)
{
    if (r->client_certificate != CERTIFICATE_IGNORED)
        buf_puts(b, r->client_certificate == CERTIFICATE_REQUIRED ? "required" : "asked for");
}

static void affinity(struct strbuf *b, const struct rule *r)
{
    if (r->farm)
        buf_puts(b, r->affinity_by_address ? "by client address" : "by cookie");
}

static void source_ports(struct strbuf *b, const struct rule *r)
{
    if (r->source_port_low || r->source_port_high)
        buf_printf(b, "%ld to %ld", r->source_port_low, r->source_port_high);
}

static void host_header(struct strbuf *b, const struct rule *r)
{
    if (r->action == ACTION_ALLOW)
        buf_puts(b, r->forward_host ? "the client's own" : "the published site's name");
}

static void published(struct strbuf *b, const struct rule *r)
{
    if (r->action == ACTION_ALLOW)
        bridging(b, r);
}

static void description(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->description);
}
static void listener_name(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->listener);
}
static void schedule(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->schedule_unknown ? "one that is not in the export" : r->schedule);
}
static void redirect_url(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->redirect_url);
}
static void site(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->site);
}
static void server(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->server);
}
static void farm(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->farm);
}
static void spn(struct strbuf *b, const struct rule *r)
{
    put_list(b, &r->spns);
}
static void backend_certificate(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->backend_certificate);
}
static void client_address(struct strbuf *b, const struct rule *r)
{
    put_yes(b, r->forward_client_address);
}
static void accept_encoding(struct strbuf *b, const struct rule *r)
{
    put_yes(b, r->accept_encoding);
}
static void front_end_https(struct strbuf *b, const struct rule *r)
{
    put_yes(b, r->front_end_https);
}
static void strip_domain(struct strbuf *b, const struct rule *r)
{
    put_yes(b, r->strip_domain);
}
static void translate_links(struct strbuf *b, const struct rule *r)
{
    put_yes(b, r->translate_links);
}
static void logoff(struct strbuf *b, const struct rule *r)
{
    put_string(b, r->logoff_url);
}
static void http_filter(struct strbuf *b, const struct rule *r)
{
    put_yes(b, r->http_filter != NULL);
}

/* ---- rules ------------------------------------------------------------------------------ */

/* key: the policy's name of the setting, by which lines and the product's own names are found. */
static const struct row {
    const char *title, *key;
    void (*value)(struct strbuf *b, const struct rule *r);
} rows[] = {
    { "Description", "description", description },
    { "Action", "action", action },
    { "Redirect", "redirect_url", redirect_url },
    { "Listener", "listener", listener_name },
    { "Public names", "names", names },
    { "Paths", "paths", paths },
    { "From", "sources", sources },
    { "Schedule", "schedule", schedule },
    { "Users", "users", users },
    { "Published site", "site", site },
    { "Connect to", "server", server },
    { "Farm", "farm", farm },
    { "Affinity", "affinity_by_address", affinity },
    { "Bridging", "bridging", published },
    { "Host header", "forward_host", host_header },
    { "Client's address passed", "forward_client_address", client_address },
    { "Accept-Encoding passed", "accept_encoding", accept_encoding },
    { "Front-End-Https added", "front_end_https", front_end_https },
    { "Delegation", "delegation", delegation },
    { "Service principals", "spn", spn },
    { "Domain stripped", "strip_domain", strip_domain },
    { "SSL required", "require_ssl", require_ssl },
    { "Client certificate", "client_certificate", certificate },
    { "Certificate shown to server", "backend_certificate", backend_certificate },
    { "Link translation", "translate_links", translate_links },
    { "Log-off URL", "logoff_url", logoff },
    { "HTTP filter", "http_filter", http_filter },
    { "Vendor parameters", "parameters", parameters },
    { "Client ports", "source_port_low", source_ports },
};

/* The product's own name of a setting: the first of the settings table that the policy keeps under this key. */
static const struct setting *setting_of(const char *key, unsigned objects)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (objects & 1u << settings[i].object && str_equal(settings[i].policy, key))
            return &settings[i];
    return NULL;
}

static uint32_t stated_line(const struct origin *o, const char *key)
{
    for (size_t i = 0; i < o->lines.n; i++)
        if (strcmp(o->lines.v[i].key, key) == 0)
            return o->lines.v[i].line;
    return 0;
}

static bool is_rich(const struct page *p)
{
    return p->rules <= RULES_RICH;
}

static void put_row(struct page *p, const char *title, const struct setting *s, uint32_t line)
{
    if (!is_rich(p)) {
        put(p, title);
        put(p, ": ");
        put_value(p);
        if (line)
            buf_printf(p->out, "  (line %u)", (unsigned)line);
        put(p, "\n");
        return;
    }
    put(p, "<tr><th scope=\"row\"");
    if (s) {
        put(p, " title=\"");
        html_text_n(p->out, s->names, strcspn(s->names, "|"));
        put(p, "\"");
    }
    put(p, ">");
    put(p, title);
    put(p, "</th><td>");
    put_value(p);
    put(p, "</td><td>");
    if (line)
        put_count(p, line);
    put(p, "</td></tr>");
}

static void put_caption(struct page *p)
{
    put(p,
        !is_rich(p)
            ? "<div class=\"settings\"><p class=\"file\">In the source</p><pre tabindex=\"0\">"
            : "<table class=\"settings\"><caption>In the source</caption><thead><tr><th scope=\"col\">Setting</th><th scope=\"col\">Value</th><th scope=\"col\">Line</th></tr></thead><tbody>");
}

void html_settings(struct page *p, const struct plan_rule *r)
{
    enum { ROWS = sizeof rows / sizeof *rows };
    if (!p->titles) {
        p->titles = arena_alloc(p->m->arena, ROWS * sizeof *p->titles);
        for (size_t i = 0; i < ROWS; i++)
            p->titles[i] = setting_of(rows[i].key, 1u << OBJ_RULE | 1u << OBJ_WEB | 1u << OBJ_BALANCING);
    }
    put_caption(p);
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t line = stated_line(&r->rule->at, rows[i].key);
        if (!line && strcmp(rows[i].key, "names") == 0 && r->rule->names.n)
            line = r->rule->names.v[0].line;
        if (!line && strcmp(rows[i].key, "paths") == 0 && r->rule->paths.n)
            line = r->rule->paths.v[0].line;
        if (!line && r->rule->at.lines.n)
            continue;
        rows[i].value(&p->value, r->rule);
        if (!p->value.n)
            continue;
        put_row(p, rows[i].title, p->titles[i], line);
    }
    put(p, is_rich(p) ? "</tbody></table>" : "</pre></div>");
}

/* ---- listeners ---------------------------------------------------------------------------- */

static void listener_row(struct page *p, const struct listener *l, const char *title, const char *key)
{
    if (p->value.n)
        put_row(p, title, setting_of(key, 1u << OBJ_LISTENER | 1u << OBJ_LISTENER_PROPERTIES),
                stated_line(&l->at, key));
}

void html_listener_settings(struct page *p, const struct plan_listener *pl)
{
    const struct listener *l = pl->listener;
    put_caption(p);
    for (size_t i = 0; i < pl->sockets.n && i < LONGEST; i++)
        buf_printf(&p->value, "%s%s://%s:%u", i ? ", " : "", pl->sockets.v[i].tls ? "https" : "http",
                   pl->sockets.v[i].address, (unsigned)pl->sockets.v[i].port);
    listener_row(p, l, "Listens on", "on");
    put_authentication(&p->value, l);
    listener_row(p, l, "Signs in by", "basic");
    buf_puts(&p->value, listener_redirect(l));
    listener_row(p, l, "HTTP to HTTPS", "redirect");
    put_yes(&p->value, l->always_authenticate);
    listener_row(p, l, "Everybody signs in", "always_authenticate");
    put_string(&p->value, l->domain);
    listener_row(p, l, "Default domain", "domain");
    put_list(&p->value, &l->sso_domains);
    listener_row(p, l, "Single sign-on", "sso_domains");
    for (size_t i = 0; i < l->certificates.n && i < LONGEST; i++)
        buf_printf(&p->value, "%s%s", i ? ", " : "", l->certificates.v[i].thumbprint);
    listener_row(p, l, "Certificates", "certificates");
    put_string(&p->value, l->description);
    listener_row(p, l, "Description", "description");
    put(p, is_rich(p) ? "</tbody></table>" : "</pre></div>");
}
