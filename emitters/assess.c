/* assess: what each target cannot do as the source did it - lost, different or closed - and what the site map accepts
 * of that (acceptance.c). Closing is decided here and nowhere else: a restricting setting that a target cannot express sets
 * the rule's bit in plan_rule.closed, and only an acceptance takes it off again.
 */
#include "assess.h"
#include "versions.h"
#include "../ir/compression.h"

struct finding *assess_about(struct assessing *s, enum finding_id id, unsigned on, const char *rule,
                             const struct origin *at, const char *key, const char *setting, const char *message)
{
    if (on & ON(TARGET_PUBLISHD)) /* where a rule goes through publishd, that is what it has, no less and no more */
        on |= s->through;
    else
        on &= ~s->through;
    on &= s->targets;
    if (!on)
        return NULL;
    struct finding *x = finding_add(s->f, id, "%s", message);
    x->targets = on;
    if (rule) {
        x->subject = SUBJECT_RULE;
        x->name = rule;
        x->guid = at->guid;
        x->line = origin_line(at, key);
    }
    x->setting = setting;
    return x;
}

static struct finding *about(struct assessing *s, enum finding_id id, unsigned on, const struct rule *r,
                             const char *key, const char *setting, const char *message)
{
    return assess_about(s, id, on, r ? r->name : NULL, r ? &r->at : NULL, key, setting, message);
}

void assess_closing(struct assessing *s, unsigned *closed)
{
    vec_add(s->f->arena, &s->closings, ((struct closing){ s->f->list.n - 1, closed }));
}

/* ---- closing -------------------------------------------------------------- */

/* A restricting setting that `on` cannot express: closes the rule there, unless the site map accepts it. */
static void close_rule(struct assessing *s, enum finding_id id, unsigned on, struct plan_rule *r, const char *key,
                       const char *setting, bool http_only, const char *message)
{
    if (about(s, id, on, r->rule, key, setting, message))
        assess_closing(s, http_only ? &r->closed_http : &r->closed);
}

static void assess_conditions(struct assessing *s, struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    if (r->sources_unknown)
        close_rule(s, F_SOURCES_CLOSED, ON_ALL, r, "sources", "SourceSelectionIPs", false,
                   "answers 403: it is for clients of a network whose addresses are not known");
    if (rule->schedule_unknown)
        close_rule(s, F_CONDITION_UNKNOWN, ON_ALL, r, "schedule", "ScheduleUsed", false,
                   "answers 403: its schedule is not in the export");
    if (rule->action == ACTION_DENY && !rule->all_users)
        close_rule(s, F_USERS_CLOSED, ON_PROXIES, r, "users", "UserSets", false,
                   "denies certain users only; the target knows no users, so the rule denies everybody");
}

/* nginx refuses what begins like a path that it cannot hold; other paths of the rule answer. */
static void assess_lengths(struct assessing *s, const struct rule *rule)
{
    for (size_t i = 0; i < rule->paths.n; i++)
        if (nginx_path_too_long(&rule->paths.v[i])) {
            struct finding *x = about(s, F_UNSAFE_STRING, ON(TARGET_NGINX), rule, "paths", "PathMappings",
                                      "a path is longer than nginx can match; requests that begin like it get 403");
            if (x && rule->paths.v[i].line)
                x->line = rule->paths.v[i].line;
        }
}

static void assess_sign_in(struct assessing *s, struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    if (r->needs_user)
        close_rule(s, F_USERS_CLOSED, ON_PROXIES, r, "users", rule->all_users ? "AlwaysAuthenticate" : "UserSets",
                   false,
                   rule->all_users ? "answers 403: its listener authenticates everybody, which the target cannot"
                                   : "answers 403: it is for certain users, and the target cannot authenticate");
    assess_certificates(s, r);
    const struct plan_listener *l = &s->plan->listeners.v[r->listener - s->plan->policy->listeners.v];
    bool http = l->http && !(l->https && r->listener->redirect == HTTPS_REDIRECT_ALWAYS) && !rule->require_ssl;
    if (http && rule->delegation == DELEGATE_NONE_PASS && !listener_authenticates(r->listener))
        close_rule(
            s, F_HTTP_PASS_CLOSED, ON_ALL, r, "delegation", "CredentialsDelegationType", true,
            "answers 403 over plain HTTP, as the source did: clients were to sign in to the published server themselves and the listener asks for nothing");
}

static void assess_delegation(struct assessing *s, struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    static const char *const lost[] = {
        [DELEGATE_SECURID] = "SecurID credentials are not passed on to the published server",
        [DELEGATE_NTLM] = "the target cannot sign in to the published server by NTLM on the user's behalf",
        [DELEGATE_NEGOTIATE] = "the target cannot sign in to the published server by Negotiate on the user's behalf",
        [DELEGATE_KERBEROS] = "the target cannot sign in to the published server by Kerberos constrained delegation"
    };
    if (!rule->delegation_possible) {
        close_rule(s, F_IMPOSSIBLE_PAIR, ON(TARGET_PUBLISHD), r, "delegation", "CredentialsDelegationType", false,
                   "answers 403: the listener's authentication never yields what the rule's delegation needs");
    }
    switch (rule->delegation) {
    case DELEGATE_NONE_BLOCK: return;
    case DELEGATE_NONE_PASS:
        about(
            s, F_NTLM_ON_NGINX, ON(TARGET_NGINX), rule, "delegation", "CredentialsDelegationType",
            "clients sign in to the published server themselves; where it asks for NTLM or Negotiate this fails through nginx");
        return;
    case DELEGATE_BASIC:
        about(s, F_AUTH_BASIC_ONLY, ON_PROXIES, rule, "delegation", "CredentialsDelegationType",
              "the client's password goes on to the published server as it came, without having been validated here");
        if (rule->strip_domain)
            about(s, F_DOMAIN_KEPT, ON_PROXIES, rule, "strip_domain", "StripDomainFromCredentials",
                  "user names go on to the published server with their domain");
        return;
    default:
        about(s, F_DELEGATION_LOST, rule->delegation == DELEGATE_SECURID ? ON_ALL : ON_PROXIES, rule, "delegation",
              "CredentialsDelegationType", lost[rule->delegation]);
    }
}

/* ---- what is lost or different, but closes nothing ------------------------- */

/* B-131 to B-142, for each target: which parts it lacks, and what is left of the difference in those that it has. */
static void assess_filter(struct assessing *s, const struct plan_rule *r)
{
    static const unsigned residue[TARGETS] = { [TARGET_NGINX] = FILTER(HEADERS) | FILTER(HEADER_TEXTS) |
                                                                FILTER(SERVER) | FILTER(BODY_LENGTH),
                                               [TARGET_HAPROXY] = FILTER(BODY_LENGTH) };
    const char *const differs[TARGETS] = {
        [TARGET_NGINX] =
            version_has(s->plan, V_HEADERS_JOINED)
                ? "nginx takes an empty header field for none, refuses a chunked body only when too much of it has come, and sends a Server header of its own"
                : "nginx judges the first header field of a name, takes an empty one for none, refuses a chunked body only when too much of it has come, and sends a Server header of its own",
        [TARGET_HAPROXY] = "HAProxy does not count bodies that come in chunks"
    };
    for (unsigned t = 0; t < TARGETS; t++) {
        unsigned lost = r->filter->parts & ~filter_parts_on[t] & ~residue[t];
        struct strbuf parts = { 0 };
        buf_filter_parts(&parts, lost);
        if (lost)
            about(s, F_HTTP_FILTER_LOST, ON(t), r->rule, "http_filter", "XML_POLICY",
                  arena_printf(s->f->arena, "these parts of its HTTP filter do not apply: %s", parts.p));
        if (r->filter->parts & residue[t])
            about(s, F_FILTER_DIFFERS, ON(t), r->rule, "http_filter", "XML_POLICY",
                  arena_printf(s->f->arena, "its HTTP filter applies with a difference: %s", differs[t]));
        buf_free(&parts);
    }
}

/* "http://srv -> https://mail.example, ..." */
static void buf_mappings(struct strbuf *b, const struct link_table *t)
{
    enum { SHOWN = 4 };
    size_t shown = 0;
    for (size_t i = 0; i < t->links.n && shown < SHOWN; i++) {
        const struct link *l = &t->links.v[i];
        if (l->escaped)
            continue;
        buf_printf(b, "%s%.*s -> %s%.*s", shown++ ? ", " : "", (int)l->from_n, l->from,
                   l->origin ? "the client's own address" : "", (int)l->to_n, l->to);
    }
    if (shown < t->links.n)
        buf_puts(b, ", ...");
}

/* B-123 to B-127: bodies on nginx with a residue, on HAProxy not at all. */
static void assess_links(struct assessing *s, const struct plan_rule *r)
{
    struct arena *a = arena_new();
    struct chosen_links chosen;
    struct link_table own;
    struct strbuf text = { 0 };
    links_own(s->plan, r->index, true, a, &own);
    nginx_links_choose(s->plan, r, &s->links, a, s->f->arena, &chosen);
    buf_printf(&text,
               "links in pages are no longer translated; redirects still are (%zu mappings, and those of other rules: ",
               own.links.n);
    buf_mappings(&text, &own);
    buf_putc(&text, ')');
    if (own.links.n || chosen.links.n)
        about(s, F_LINK_TRANSLATION_LOST, ON(TARGET_HAPROXY), r->rule, "translate_links", "TranslateLinks",
              arena_strdup(s->f->arena, text.p));
    buf_clear(&text);
    if (!chosen.whole)
        buf_puts(&text, "links in pages are translated, in pages that are not compressed");
    else if (!chosen.delimiters)
        buf_puts(&text,
                 "links in pages are translated wherever their text stands, in front of a longer name or path too");
    else {
        buf_puts(&text, "links in pages are translated only where one of these follows:");
        for (size_t i = 0; i < chosen.delimiters; i++)
            buf_printf(&text, " %s", *nginx_delimiters[i] == ' ' ? "space" : nginx_delimiters[i]);
        buf_puts(&text, "; before others a shorter mapping may apply");
    }
    if (r->rule->link_mode)
        buf_printf(&text, "; its mode %ld is not taken notice of", r->rule->link_mode);
    if (chosen.links.n)
        about(s, F_LINKS_DIFFER, ON(TARGET_NGINX), r->rule, "translate_links", "TranslateLinks",
              arena_strdup(s->f->arena, text.p));
    if (chosen.left_out)
        about(s, F_LINK_TRANSLATION_LOST, ON(TARGET_NGINX), r->rule, "translate_links", "TranslateLinks",
              arena_printf(s->f->arena, "%zu of its link mappings do not apply: nginx has no room for them",
                           chosen.left_out));
    buf_free(&text);
    arena_free(a);
}

static void assess_forwarding(struct assessing *s, struct plan_rule *r)
{
    const struct rule *rule = r->rule;
    if (rule->bridging == BRIDGE_FTP)
        close_rule(s, F_FTP_BRIDGING, ON_ALL, r, "bridging", "PublishedServerType", false,
                   "answers 403: requests were translated to FTP, which no target does");
    if (rule->translate_links)
        assess_links(s, r);
    if (r->filter)
        assess_filter(s, r);
    if (rule->backend_certificate && !r->shows && (r->to[0].tls || r->to[1].tls))
        about(
            s, F_CLIENT_CERTIFICATE_LOST, ON_ALL, rule, "backend_certificate", "SSLClientCertificate",
            "the client certificate that was shown to the published server is not in the export, and the site map has no files for it");
    if (r->transparent)
        about(s, F_TRANSPARENT, ON_ALL, rule, "forward_client_address", "",
              "connects to its published server from the client's own address, which the host must be made ready for");
    else if (rule->forward_client_address)
        about(s, F_SOURCE_IP_LOST, ON_ALL, rule, "forward_client_address", "",
              "requests no longer appear to come from the client's own address");
    if (rule->block_attachments_public || rule->block_attachments_private)
        about(s, F_ATTACHMENTS_LOST, ON_ALL, rule,
              rule->block_attachments_public ? "block_attachments_public" : "block_attachments_private",
              rule->block_attachments_public ? "BlockAttachmentsForPublicComputers"
                                             : "BlockAttachmentsForTrustedComputers",
              "Outlook Web Access attachments are no longer blocked for certain computers");
    if (rule->logoff_url)
        about(s, F_LOGOFF_LOST, ON_PROXIES, rule, "logoff_url", "LogoffURL",
              "its log-off address ends no session here, for the target has none");
    if (!rule->pass_options)
        about(s, F_OPTIONS_PASSED, ON_PROXIES, rule, "pass_options", "PassOptionsRequestsToServer",
              "OPTIONS requests go on to the published server; the source answered them itself");
    if (rule->pass_auth_body && rule->delegation != DELEGATE_NONE_PASS)
        about(s, F_AUTH_BODY, ON_PROXIES, rule, "pass_auth_body", "PassAuthenticationResponseBodyToClient",
              "the published server's page for a refused sign-in does not reach the client");
    for (size_t i = 0; i < rule->parameters.n; i++) {
        struct finding *x = about(s, F_VENDOR_LOST, ON_ALL, rule, "parameters", "VendorParametersSets",
                                  arena_printf(s->f->arena, "the vendor parameter %s of the set %s has no translation",
                                               rule->parameters.v[i].name, rule->parameters.v[i].set));
        if (x && rule->parameters.v[i].line)
            x->line = rule->parameters.v[i].line;
    }
    if (r->websocket)
        about(s, F_WEBSOCKET_PASSED, ON_ALL, rule, "name", "",
              "passes WebSocket, as the site map asks; the source did not");
}

static void assess_affinity(struct assessing *s, struct plan_rule *r)
{
    if (r->farm && !r->rule->affinity_by_address)
        about(s, F_AFFINITY_LOST, ON(TARGET_NGINX), r->rule, "affinity_by_address", "AffinityType",
              "nginx has no affinity by cookie: clients are kept on a member by their address instead");
}

/* Said once a farm, however many rules use it. on: the targets that connect to its members themselves. */
static void assess_farm(struct assessing *s, const struct farm *farm, unsigned on)
{
    struct finding *x[2] = { about(s, F_PROBE_LOST, on & ON(TARGET_NGINX), NULL, NULL, "ConnectivityVerifier",
                                   "nginx does not probe its members; it notices a failed one when a request fails"),
                             farm->probe != PROBE_PING
                                 ? NULL
                                 : about(s, F_PROBE_LOST, on & ON(TARGET_HAPROXY), NULL, NULL, "ConnectivityVerifier",
                                         "its members are probed by connecting to their port instead of by ping") };
    if (x[1] && x[0])
        x[0] = &s->f->list.v[s->f->list.n - 2]; /* the list may have moved */
    for (int i = 0; i < 2; i++) {
        if (!x[i])
            continue;
        x[i]->subject = SUBJECT_FARM;
        x[i]->name = farm->name;
        x[i]->guid = farm->at.guid;
        x[i]->line = origin_line(&farm->at, "probe");
    }
}

static void on_policy(struct assessing *s, enum finding_id id, unsigned on, const char *message)
{
    about(s, id, on, NULL, NULL, NULL, message);
}

/* Compression is the same for all rules that have it (B-65, B-143): said once a proxy. */
static void assess_compression(struct assessing *s, enum target t)
{
    struct arena *a = arena_new();
    const struct plan *p = s->plan;
    bool nginx = t == TARGET_NGINX;
    size_t rules = 0, left = 0, unasked = 0;
    strings types = { 0 };
    struct strbuf text = { 0 };
    for (size_t i = 0; i < p->rules.n; i++) {
        const struct plan_rule *r = &p->rules.v[i];
        bool here = r->compresses && !(r->preauth & ON(t)), does = nginx || haproxy_compresses(r);
        rules += here && does;
        left += here && !does;
        unasked += r->asks_gzip && !r->compresses && !r->rule->accept_encoding && !(r->preauth & ON(t));
    }
    content_types_listed(a, &p->types, !nginx, &types);
    if (!rules && !left)
        buf_puts(&text, "servers are not asked for compressed answers, which no client would get as they are");
    else if (types.n)
        buf_printf(&text, "answers of %zu rule%s are compressed for clients that take gzip, %s", rules,
                   rules == 1 ? "" : "s",
                   nginx ? "where their status is 200, 403 or 404: HTML always" : "where their status is 200 to 203");
    else
        buf_puts(&text, "no answer is compressed: the source's content types say nothing that the target goes by");
    if (rules && types.n && content_types_differ(&p->types, !nginx))
        buf_puts(&text, nginx ? ", other types by a list of the usual ones" : ", by a list of the usual types");
    if (types.n && left)
        buf_printf(&text,
                   "; those of %zu more are not: HAProxy would hold back the end of what a server says bit by bit, "
                   "and cannot compress for some clients alone what Accept-Encoding of all asks the server for",
                   left);
    struct finding *x = rules + left + unasked
                            ? about(s, F_COMPRESSION_DIFFERS, ON(t), NULL, NULL, "HTTPCompressionConfiguration", text.p)
                            : NULL;
    if (x)
        x->line = p->policy->compression.at.line;
    buf_free(&text);
    arena_free(a);
}

/* Differences that hold for the whole config are said once, not once a rule. */
static void assess_policy(struct assessing *s, bool all_names, bool dots, size_t clear)
{
    if (clear)
        on_policy(s, F_CLEARTEXT_BACKEND, ON_ALL,
                  arena_printf(s->f->arena,
                               "%zu rule%s send%s what came in over HTTPS on in clear text, as in the source", clear,
                               clear == 1 ? "" : "s", clear == 1 ? "s" : ""));
    if (all_names)
        on_policy(
            s, F_NGINX_NO_HOST, ON(TARGET_NGINX),
            "an HTTP/1.1 request without a Host header, or with an empty one, gets 400 instead of reaching a rule for all requests");
    on_policy(s, F_NGINX_ABOVE_ROOT, ON(TARGET_NGINX),
              "a path that climbs above the root, or is not properly percent-encoded, gets 400");
    on_policy(s, F_REQUEST_FORM, ON(TARGET_NGINX), "OPTIONS * gets 400");
    on_policy(s, F_HAPROXY_RAW_BYTES, ON(TARGET_HAPROXY),
              "a request target with raw bytes outside ASCII, or with a '#', gets 400");
    if (dots)
        on_policy(
            s, F_DOTS_REFUSED, ON_ALL,
            "a '..' segment on a rewritten path, or one spelled with a backslash or encoded twice, gets 403 even where it would stay inside");
    on_policy(s, F_ERROR_PAGES, ON_PROXIES,
              "when no published server answers, the target's own 502, 503 or 504 is sent");
    if (!s->plan->flood)
        on_policy(s, F_FLOOD_LIMITS, ON_ALL, "the source's flood mitigation is not emitted");
    if (s->plan->flood)
        on_policy(
            s, F_FLOOD_EMITTED, ON_ALL,
            "a client address has the source's default limits: 160 connections at a time and 600 requests a minute");
    on_policy(s, F_VIA_GONE, ON_ALL,
              "no Via header is added to requests and responses unless the site map asks for it");
}

/* One finding about listener l for those of `on` that are asked for. */
static void about_listener(struct assessing *s, enum finding_id id, unsigned on, const struct listener *l,
                           const char *key, const char *setting, const char *message)
{
    struct finding *x = about(s, id, on, NULL, NULL, setting, message);
    if (!x)
        return;
    x->subject = SUBJECT_LISTENER;
    x->name = l->name;
    x->guid = l->at.guid;
    x->line = origin_line(&l->at, key);
}

/* The targets on which all that a listener's users may reach goes through publishd. */
static unsigned listener_through(const struct plan *p, const struct plan_listener *l)
{
    unsigned all = ON_PROXIES;
    bool any = false;
    for (size_t i = 0; i < l->rules.n; i++) {
        const struct plan_rule *r = &p->rules.v[l->rules.v[i]];
        if (!r->needs_user || r->rule->action != ACTION_ALLOW || !r->forwards)
            continue;
        any = true;
        all &= r->preauth;
    }
    return any ? all : 0;
}

static void assess_listener(struct assessing *s, const struct plan_listener *pl)
{
    const struct listener *l = pl->listener;
    unsigned alone = ON_PROXIES & ~listener_through(s->plan, pl);
    if (listener_authenticates(l))
        about_listener(
            s, F_PRE_AUTH_LOST, alone, l, l->forms ? "forms" : "integrated",
            l->forms ? "AuthenticationSchemes" : "IntegratedWindowsAuthentication",
            "asked for credentials where a rule needed them; the target asks nobody, and such rules answer 403");
    if (l->client_certificate && !pl->publishd_asks)
        about_listener(s, F_PRE_AUTH_LOST, ON(TARGET_PUBLISHD), l, "client_certificate", "SSLCertificateAuthentication",
                       s->plan->client_trust
                           ? "client certificates sign nobody in: they do not reach publishd"
                           : "client certificates sign nobody in: the site map has no client_trust to check them by");
    if (pl->publishd_asks && (l->client_certificate || l->form.client_certificate))
        about_listener(
            s, F_CERTIFICATE_ACCOUNTS, ON(TARGET_PUBLISHD), l, "client_certificate", "SSLCertificateAuthentication",
            s->plan->client_crl
                ? "a client certificate is the account's whose user principal name it holds, or that the site map says; the domain's own mappings are not asked"
                : "a client certificate is the account's whose user principal name it holds, or that the site map says; the domain's own mappings are not asked, and without client_crl revoked ones pass");
    if (l->digest)
        about_listener(s, F_DIGEST_LOST, ON_ALL, l, "digest", "DigestAuthentication",
                       "Digest authentication is not offered");
    if (l->sso)
        about_listener(s, F_SSO_LOST, alone, l, "sso", "SSOEnabled",
                       "single sign-on across its names needs pre-authentication, which the target does not have");
    if (l->form.directory)
        about_listener(s, F_FORM_LOST, ON_ALL, l, "form.directory", "CustomFormsDirectory",
                       "its custom sign-in form is not in the export");
    if (l->form.change_password)
        about_listener(s, F_FORM_LOST, alone, l, "form.change_password", "ChangePasswordAllowed",
                       "passwords can no longer be changed on the sign-in form");
    if (l->form.expiry_notice)
        about_listener(s, F_FORM_LOST, alone, l, "form.expiry_notice", "PasswordExpirationWarningEnabled",
                       "nobody is told any more that a password is about to expire");
    if (l->max_connections)
        about_listener(
            s, F_LIMITS_DIFFER, ON(TARGET_NGINX), l, "max_connections", "NumberOfConnections",
            arena_printf(s->f->arena,
                         "its limit of %ld counts requests under way instead of connections; those above get 503",
                         l->max_connections));
    if (l->ssl_accelerator_port)
        about_listener(
            s, F_ACCELERATOR, ON_PROXIES, l, "ssl_accelerator_port", "SSLAcceleratorPort",
            arena_printf(s->f->arena,
                         "links to the site itself carry the target's own port instead of the SSL accelerator's %ld",
                         l->ssl_accelerator_port));
}

/* The switches of hotfixes, for the whole array (B-112). */
static void assess_switches(struct assessing *s, const struct policy *p)
{
    static const char *const known[] = { "OfferNTLMOnly", "EnableKcdWithSPNego",
                                         "UseFQDNinKerberosTicket" }; /* of publishd */
    for (size_t i = 0; i < p->parameters.n; i++) {
        const struct parameter *x = &p->parameters.v[i];
        unsigned on = ON_ALL;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (ascii_casecmp(x->name, known[k]) == 0)
                on = ON_PROXIES;
        struct finding *said =
            about(s, F_VENDOR_LOST, on, NULL, NULL, "VendorParametersSets",
                  arena_printf(s->f->arena, "the array's vendor parameter %s has no translation", x->name));
        if (said)
            said->line = x->line;
    }
}

void assess(struct plan *p, unsigned targets, const char *today, struct findings *f)
{
    struct assessing s = { .plan = p, .targets = targets, .today = today, .f = f };
    bool all_names = false, dots = false;
    size_t clear = 0;
    for (size_t i = 0; i < p->listeners.n; i++)
        assess_listener(&s, &p->listeners.v[i]);
    struct arena *scratch = arena_new();
    unsigned *used = arena_alloc(scratch, (p->policy->farms.n + 1) * sizeof *used);
    for (size_t i = 0; i < p->rules.n; i++) {
        struct plan_rule *r = &p->rules.v[i];
        if (!r->answers)
            continue;
        all_names |= r->rule->all_names;
        dots |= !rule_publishes_all(r->rule);
        assess_lengths(&s, r->rule);
        s.through = r->preauth;
        assess_conditions(&s, r);
        if (r->rule->action == ACTION_ALLOW) {
            assess_sign_in(&s, r);
            assess_delegation(&s, r);
            assess_forwarding(&s, r);
            assess_affinity(&s, r);
            clear += r->rule->bridging == BRIDGE_HTTP && p->listeners.v[r->listener - p->policy->listeners.v].https;
            if (r->farm)
                used[r->farm - p->policy->farms.v] |= ON_PROXIES & ~r->preauth;
        }
        s.through = 0;
        about(&s, F_THROUGH_PUBLISHD, r->preauth, r->rule, "users",
              r->rule->all_users ? "AlwaysAuthenticate" : "UserSets",
              "its users sign in to publishd, which stands behind the target and answers as it does alone");
    }
    for (size_t i = 0; i < p->policy->farms.n; i++)
        if (used[i])
            assess_farm(&s, &p->policy->farms.v[i], used[i]);
    arena_free(scratch);
    assess_server_rules(&s);
    assess_switches(&s, p->policy);
    assess_policy(&s, all_names, dots, clear);
    assess_compression(&s, TARGET_NGINX);
    assess_compression(&s, TARGET_HAPROXY);
    assess_settle(&s);
    assess_report_acceptances(&s);
}
