/* report_html: report.html, one file that needs nothing else: the frame of the page, and what its parts share.
 *
 * Everything from the export passes html_text. Should that ever fail, the page's own policy (Content-Security-Policy)
 * lets no script run but the one whose hash it names, and nothing be fetched. */
#include "report_html.h"
#include <openssl/evp.h>
#include <string.h>

const char *const target_titles[TARGETS] = { "nginx", "HAProxy", "publishd" };

/* ---- what the parts share ---------------------------------------------------- */

/* Printable ASCII without the characters that HTML gives a meaning. */
static bool is_plain(char c)
{
    return c >= 0x20 && c < 0x7f && c != '<' && c != '>' && c != '&' && c != '"';
}

/* Whatever is neither plain nor one of the four: other scripts as they are, controls and marks made visible. */
static size_t put_odd(struct strbuf *b, const char *s, size_t n)
{
    struct strbuf odd = { 0 };
    size_t i = 0;
    while (i < n && ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f))
        i++;
    buf_add(&odd, s, i);
    buf_visible(b, odd.p);
    buf_free(&odd);
    return i;
}

void html_text_n(struct strbuf *b, const char *s, size_t n)
{
    for (size_t i = 0, plain; i < n;) {
        for (plain = i; plain < n && is_plain(s[plain]);)
            plain++;
        buf_add(b, s + i, plain - i);
        i = plain;
        if (i == n)
            break;
        switch (s[i]) {
        case '<':
            buf_puts(b, "&lt;");
            i++;
            break;
        case '>':
            buf_puts(b, "&gt;");
            i++;
            break;
        case '&':
            buf_puts(b, "&amp;");
            i++;
            break;
        case '"':
            buf_puts(b, "&quot;");
            i++;
            break;
        default: i += put_odd(b, s + i, n - i);
        }
    }
}

void html_text(struct strbuf *b, const char *s)
{
    html_text_n(b, s, strlen(s));
}

void put_value(struct page *p)
{
    html_text(p->out, p->value.p ? p->value.p : "");
    buf_clear(&p->value);
}

void put_host(struct page *p)
{
    const char *s = p->value.p ? p->value.p : "";
    while (*s) {
        size_t n = strcspn(s, "./");
        n += s[n] != '\0';
        html_text_n(p->out, s, n);
        s += n;
        if (*s)
            put(p, "<wbr>");
    }
    buf_clear(&p->value);
}

void put_plural(struct page *p, size_t n, const char *one)
{
    put_count(p, n);
    put(p, " ");
    put(p, one);
    put(p, n == 1 ? "" : "s");
}

const char *rule_title(const struct plan_rule *r)
{
    return r->rule->name && *r->rule->name ? r->rule->name : "(no name)";
}

void put_rule_link(struct page *p, size_t index)
{
    if (index < p->rules) {
        put(p, "<a href=\"#rule-");
        put_count(p, index + 1);
        put(p, "\">");
    }
    put_count(p, index + 1);
    if (index < p->rules)
        put(p, "</a>");
}

void put_verdict(struct page *p, const struct plan_rule *r, enum target t)
{
    enum verdict v = p->m->verdicts[r->index].on[t];
    put(p, "<span class=\"v v");
    put_count(p, v);
    put(p, "\">");
    put(p, v == VERDICT_NONE ? rule_fate(r, t) : verdict_words[v]);
    put(p, "</span>");
}

/* 0 is the gravest: closed, then errors, warnings, what was accepted; -1 does not tell targets apart. */
static int grade(const struct finding *f, enum target t)
{
    enum finding_class class = finding_kinds[f->id].class;
    if ((class != CLASS_LOST && class != CLASS_DIFFERS && class != CLASS_CLOSED) ||
        (f->targets && !(f->targets & ON(t))))
        return -1;
    if (f->accepted)
        return 3;
    return f->severity == SEV_ERROR ? class != CLASS_CLOSED : f->severity == SEV_WARNING ? 2 : -1;
}

bool put_losses(struct page *p, const struct plan_rule *r, enum target t, size_t most)
{
    enum { SEEN = 8, SHARED = 100 }; /* a listener's list is looked through for each of its rules: not without end */
    enum finding_id seen[SEEN];
    size_t found = 0;
    uint32_t heads[3];
    report_bearing(p->m, r, heads);
    for (int g = 0; g < 4; g++)
        for (size_t list = 0; list < 3; list++)
            for (uint32_t k = heads[list], n = 0; k != NOBODY && (list == 0 || n < SHARED); k = p->m->next[k], n++) {
                const struct finding *f = &p->r->findings->list.v[k];
                bool told = false;
                for (size_t i = 0; i < found; i++)
                    told |= seen[i] == f->id;
                if (told || grade(f, t) != g)
                    continue;
                if (found == most || found == SEEN) {
                    put(p, ", \xe2\x80\xa6");
                    return true;
                }
                put(p, found ? ", " : "");
                put(p, finding_kinds[f->id].name);
                put(p, f->accepted ? " (accepted)" : "");
                seen[found++] = f->id;
            }
    return found > 0;
}

/* ---- the frame ----------------------------------------------------------------- */

static void put_hash(struct strbuf *b, const char *text, size_t n)
{
    unsigned char hash[EVP_MAX_MD_SIZE], base64[EVP_MAX_MD_SIZE * 2];
    unsigned length = 0;
    EVP_Digest(text, n, hash, &length, EVP_sha256(), NULL);
    EVP_EncodeBlock(base64, hash, (int)length);
    buf_printf(b, "'sha256-%s'", (const char *)base64);
}

static void lines(struct strbuf *b, const char *const *line)
{
    for (; *line; line++)
        buf_puts(b, *line);
}

static void put_head(struct page *p, const struct strbuf *style, const struct strbuf *script)
{
    put(p,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src ");
    put_hash(p->out, style->p, style->n);
    put(p, "; script-src ");
    put_hash(p->out, script->p, script->n);
    put(p, "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
           "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"
           "<link rel=\"icon\" href=\"data:,\">\n<title>Migration report: ");
    put_text(p, p->r->export_name ? p->r->export_name : "the input");
    put(p, "</title>\n<style>");
    put(p, style->p);
    put(p, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#glance\">Skip to the report</a>\n");
}

static void put_header(struct page *p)
{
    const struct policy *policy = p->r->plan->policy;
    put(p, "<header class=\"top\">\n<p class=\"kind\">Web publishing migration report</p>\n<h1>");
    put_text(p, p->r->export_name ? p->r->export_name : "the input");
    put(p, "</h1>\n<p class=\"from\">");
    if (policy->product) {
        put_text(p, policy->product);
        if (policy->build) {
            put(p, " ");
            put_text(p, policy->build);
        }
    }
    if (p->r->site_name) {
        put(p, policy->product ? " \xc2\xb7 site map " : "site map ");
        put_text(p, p->r->site_name);
    }
    put(p, "</p>\n</header>\n<nav class=\"bar\" aria-label=\"Sections\"><ul>"
           "<li><a href=\"#glance\">At a glance</a></li><li><a href=\"#kinds\">What will be different</a></li>"
           "<li><a href=\"#map\">Map</a></li><li><a href=\"#sites\">Sites</a></li>");
    if (p->r->proof_html)
        put(p, "<li><a href=\"#proof\">Proof</a></li>");
    if (html_has_delegation(p))
        put(p, "<li><a href=\"#delegation\">Delegation checklist</a></li>");
    if (html_has_ledger(p))
        put(p, "<li><a href=\"#ledger\">Ledger</a></li>");
    put(p, "<li><a href=\"#rules\">Rules and findings</a></li></ul></nav>\n<main>\n");
}

/* Which findings fit on the page; the gravest always do. */
static bool infos_fit(const struct report *r)
{
    return r->findings->list.n <= ROWS_SHOWN;
}

void report_html(struct strbuf *out, const struct report *r)
{
    struct report_model *m = report_model_make(r);
    struct page p = { .out = out, .r = r, .m = m, .infos = infos_fit(r) };
    struct strbuf style = { 0 }, script = { 0 };
    p.rules = r->plan->rules.n < RULES_SHOWN ? r->plan->rules.n : RULES_SHOWN;
    lines(&style, html_style);
    html_filters(&style);
    lines(&script, html_script);
    put_head(&p, &style, &script);
    put_header(&p);
    html_glance(&p);
    html_kinds(&p);
    html_map(&p);
    html_sites(&p);
    if (r->proof_html)
        put(&p, r->proof_html);
    if (html_has_delegation(&p))
        html_delegation(&p);
    if (html_has_ledger(&p))
        html_ledger(&p);
    html_rules(&p); /* last: when filters shorten it, the reader stays at them */
    put(&p,
        "</main>\n<footer><p>Written by tmgc " TMGC_VERSION
        ". The same input gives the same report; report.json and report.sarif hold the same for programs.</p></footer>\n<script>");
    put(&p, script.p);
    put(&p, "</script>\n</body>\n</html>\n");
    buf_free(&style);
    buf_free(&script);
    buf_free(&p.value);
    report_model_free(m);
}
