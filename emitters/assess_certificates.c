/* assess_certificates: client certificates (B-98) - on which targets a rule can have them, and how far they are judged there. */
#include "assess.h"

struct wanted {
    bool required; /* by the rule, whoever it is */
    bool beside;   /* a form, as a second factor */
    bool signs_in; /* and nothing else does */
};

static struct wanted wanted_by(const struct plan_rule *r)
{
    const struct listener *l = r->listener;
    bool other_ways = l->basic || l->digest || l->integrated || l->forms != FORMS_NONE;
    return (struct wanted){ .required = r->rule->client_certificate == CERTIFICATE_REQUIRED,
                            .beside = l->form.client_certificate,
                            .signs_in = r->needs_user && l->client_certificate && !other_ways };
}

static void close_on(struct assessing *s, struct plan_rule *r, unsigned on, const char *message)
{
    if (assess_about(s, F_CLIENT_CERT_CLOSED, on, r->rule->name, &r->rule->at, "client_certificate",
                     "SSLClientCertificateClaim", message))
        assess_closing(s, &r->closed);
}

/* Which certificates are good is narrower than client_trust, in a way that nobody reads. */
static bool close_restricted(struct assessing *s, struct plan_rule *r, struct wanted w)
{
    bool may_sign_in = r->needs_user && r->listener->client_certificate;
    if (!r->listener->certificates_restricted || !(w.required || w.beside || may_sign_in))
        return false;
    close_on(s, r, w.required || w.beside ? ON_ALL : ON(TARGET_PUBLISHD),
             "answers 403: only client certificates of certain kinds were good, and of which is not read");
    return true;
}

static void close_unasked(struct assessing *s, struct plan_rule *r)
{
    close_on(
        s, r, ON(TARGET_PUBLISHD),
        !s->plan->client_trust
            ? "answers 403: it is for clients with a certificate, and the site map has no client_trust to check it by"
        : s->plan->site->preauth == PREAUTH_PUBLISHD
            ? "answers 403: it is for clients with a certificate, which gets no further than the proxy in front of publishd"
            : "answers 403: it is for clients with a certificate, and its listener has no HTTPS over which they could show it");
}

void assess_certificates(struct assessing *s, struct plan_rule *r)
{
    struct wanted w = wanted_by(r);
    bool asks = s->plan->listeners.v[r->listener - s->plan->policy->listeners.v].publishd_asks;
    unsigned checked =
        (w.required && asks ? ON(TARGET_PUBLISHD) : 0) | (r->wants_certificate && !w.beside ? ON_PROXIES : 0);
    if (close_restricted(s, r, w))
        return;
    if ((w.required || w.beside || w.signs_in) && !asks)
        close_unasked(s, r);
    if (w.beside)
        close_on(
            s, r, ON_PROXIES,
            "answers 403: its listener wants a client certificate beside a sign-in form, which the target does not have");
    else if (w.required && !r->wants_certificate)
        close_on(s, r, ON_PROXIES,
                 "answers 403: it demands a client certificate, and the site map has no client_trust to check it by");
    assess_about(
        s, F_CLIENT_CERT_CHECKED, checked, r->rule->name, &r->rule->at, "client_certificate",
        "SSLClientCertificateClaim",
        s->plan->client_crl
            ? "every client certificate that client_trust of the site map signed is taken, unless client_crl revokes it; others, and none, get 403"
            : "every client certificate that client_trust of the site map signed is taken, a revoked one too; others, and none, get 403");
}
